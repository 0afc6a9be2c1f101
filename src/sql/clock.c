/*
 * Which expressions change as time goes by, and when next; see expr_eval.h.
 *
 * Every node over the clock is one of: still (does not use it), rising or falling (never moves the other way as time goes on), or
 * anything. A comparison whose sides move in known
 * directions can only change where the order of its sides does, and that order changes once: the instant is found by bisection over the
 * clock, by evaluating. Anything
 * else changes only when one of its parts does.
 *
 * Local time is not quite rising: it goes back an hour in autumn, calendar arithmetic (minus a month) clamps at ends of months, and a
 * shifted local time may fall into a gap.
 * Such expressions ("wobbly") rise up to a bounded error. Away from a change by more than that error bisection is safe; nearer, the
 * answer is the next quarter of an hour,
 * on which all changes of offsets and all midnights lie.
 */
#include "model/datetime.h"
#include "sql/prog.h"

enum motion { STILL, RISING, FALLING, ANYHOW };

struct course {
	uint8_t motion;
	int64_t wobble_us;          /* how far it may fall back */
};

static const int64_t QUARTER_US = 900 * INT64_C(1000000);
static const int64_t HORIZON_US = INT64_C(366) * 200 * 86400 * 1000000;

/* A wobble that says: true to its motion only between two quarters of an hour. Fields of local time wrap around there, and nowhere else. */
static const int64_t QUARTERLY = INT64_MAX / 4;

static enum motion reversed(enum motion m) { return m == RISING ? FALLING : m == FALLING ? RISING : m; }

static enum motion joined(enum motion a, enum motion b)
{
	if (a == STILL || a == b)
		return b;
	return b == STILL ? a : ANYHOW;
}

/* How extract() moves: '+' rising, 'q' rising between quarters of an hour, '.' anyhow. */
static char field_course(const struct sql_prog *p)
{
	switch (p->site.field) {
	case DT_EPOCH: return '+';
	case DT_YEAR: case DT_ISOYEAR: case DT_JULIAN: case DT_DECADE: case DT_CENTURY: case DT_MILLENNIUM:
		return p->args[1]->type == VALUE_INTERVAL ? '.' : '+';
	case DT_MINUTE: case DT_HOUR: case DT_DAY: case DT_DOW: case DT_ISODOW: case DT_DOY: case DT_WEEK: case DT_MONTH: case DT_QUARTER:
		return p->args[1]->type == VALUE_INTERVAL ? '.' : 'q';
	default: return '.';
	}
}

/* The course of a function's result in its i-th argument, where the table's answer can be bettered. */
static char call_course(const struct sql_prog *p, uint32_t i)
{
	static const char *const scaling[] = {"/(n,n)", "/(f,f)", "/(i,i)", "*(n,n)", "*(f,f)", "*(i,i)"};
	const struct sql_prog *by = p->nargs == 2 ? p->args[1] : NULL;

	if (p->fn->clock[i] != '.')
		return p->fn->clock[i];
	if (p->fn->flags & FN_FIELD)
		return i == 1 && strncmp(p->fn->key, "date_trunc", 10) != 0 ? field_course(p) : '.';
	if (strncmp(p->fn->key, "age(", 4) == 0)
		return i == 0 ? 'q' : '.';
	if (strcmp(p->fn->key, "cast") == 0)
		return p->type == VALUE_TIME && p->args[0]->type != VALUE_INTERVAL && !value_kind_is_text((enum value_kind)p->args[0]->type) ?
			'q' : '.';
	for (size_t k = 0; by && i == 0 && by->kind == SQL_CONST && !by->constant.null && k < sizeof(scaling) / sizeof(scaling[0]); k++) {
		struct value zero = value_int(VALUE_INT8, 0);

		if (strcmp(p->fn->key, scaling[k]) != 0)
			continue;
		if (by->constant.kind == VALUE_NUMERIC)
			zero = (struct value){.kind = VALUE_NUMERIC};
		else if (by->constant.kind == VALUE_FLOAT4 || by->constant.kind == VALUE_FLOAT8)
			zero = value_float8(0);
		return value_cmp(&by->constant, &zero) > 0 ? '+' : '.';
	}
	return '.';
}

/* How far a function of the clock may fall back: by the zone's largest jump, three days more for months. */
static int64_t wobble_of(const struct sql_prog *p, const struct sql_eval *ev)
{
	const struct tz *zone = ev->zone;
	int64_t wobble = 0;

	if (strcmp(p->fn->key, "cast") == 0 && p->type != VALUE_TIMESTAMPTZ && p->args[0]->type != VALUE_TIMESTAMPTZ)
		return 0;
	for (uint32_t i = 0; i < p->nargs; i++) {
		const struct sql_prog *a = p->args[i];

		/* hours and less are the same everywhere */
		if (a->type == VALUE_INTERVAL && a->kind == SQL_CONST && !a->constant.interval.months && !a->constant.interval.days)
			return 0;
	}
	if (p->fn->flags & FN_ZONE_ARG) {
		if (!p->site.zone)      /* from a column: any zone */
			return 26 * 3600 * US_PER_SECOND;
		zone = p->site.zone;
	}
	if (p->fn->flags & (FN_ZONE_ARG | FN_USES_ZONE) && zone)
		wobble = (int64_t)tz_largest_jump(zone, ev->now_us - 1000 * US_PER_DAY) * US_PER_SECOND;
	for (uint32_t i = 0; i < p->nargs; i++) {
		const struct sql_prog *a = p->args[i];

		if (a->type == VALUE_INTERVAL && !a->uses_clock && !(a->kind == SQL_CONST && a->constant.interval.months == 0))
			wobble += 3 * US_PER_DAY;
	}
	return wobble;
}

static struct course course_of(const struct sql_prog *p, const struct sql_eval *ev)
{
	struct course c = {STILL, 0}, arg;

	if (!p->uses_clock)
		return c;
	if (p->kind == SQL_NOW)
		return (struct course){RISING, 0};
	if (p->kind == SQL_GREATEST || p->kind == SQL_LEAST) {
		for (uint32_t i = 0; i < p->nargs; i++) {
			arg = course_of(p->args[i], ev);
			c.motion = (uint8_t)joined((enum motion)c.motion, (enum motion)arg.motion);
			c.wobble_us = c.wobble_us > arg.wobble_us ? c.wobble_us : arg.wobble_us;    /* QUARTERLY is the largest */
		}
		return c;
	}
	if (p->kind != SQL_CALL || p->fn->flags & FN_COMPARE)
		return (struct course){ANYHOW, 0};
	for (uint32_t i = 0; i < p->nargs; i++) {
		char moves;

		arg = course_of(p->args[i], ev);
		if (arg.motion == STILL)
			continue;
		moves = call_course(p, i);
		if (moves == '.' || (moves == 'q' && arg.motion != RISING))
			return (struct course){ANYHOW, 0};
		if (moves == 'q')
			c.wobble_us = QUARTERLY;
		c.motion = (uint8_t)joined((enum motion)c.motion, moves != '-' ? (enum motion)arg.motion : reversed((enum motion)arg.motion));
		if (c.wobble_us < QUARTERLY)
			c.wobble_us = arg.wobble_us >= QUARTERLY ? QUARTERLY : c.wobble_us + arg.wobble_us;
	}
	if (c.wobble_us < QUARTERLY)
		c.wobble_us += wobble_of(p, ev);
	return c;
}

/* ---- finding the instant ---- */

/* What is looked at over time: a value (b NULL) or the order of two. */
struct watch {
	const struct sql_prog *a, *b;
	struct sql_eval ev;
	const struct value *row;
	struct value at_start;
};

/* -1, 0, 1; 2 for null, 3 for an error. For a single value: 0 while it is what it was. */
static int look(struct watch *w, int64_t now_us)
{
	struct err ignored = ERR_INIT;
	struct value x, y;

	w->ev.now_us = now_us;
	if (sql_prog_run(w->a, &w->ev, w->row, &x, &ignored) != 0)
		return 3;
	if (!w->b)
		return x.null || w->at_start.null ? (x.null != w->at_start.null) * 2 : value_same(&x, &w->at_start) ? 0 : 1;
	if (sql_prog_run(w->b, &w->ev, w->row, &y, &ignored) != 0)
		return 3;
	if (x.null || y.null)
		return 2;
	if (x.kind != y.kind) {     /* date and timestamps: through the comparison that knows how */
		const enum value_kind kinds[2] = {(enum value_kind)x.kind, (enum value_kind)y.kind};
		struct value pair[2] = {x, y}, less, equal;

		if (sql_fn_find("<", kinds, 2)->call(NULL, &w->ev, pair, &less, &ignored) != 0 ||
		    sql_fn_find("=", kinds, 2)->call(NULL, &w->ev, pair, &equal, &ignored) != 0)
			return 3;
		return less.i ? -1 : equal.i ? 0 : 1;
	}
	{
		int c = value_cmp(&x, &y);

		return (c > 0) - (c < 0);
	}
}

/*
 * The first instant in (from, from + HORIZON] at which look() is not what it is at `from`, given that it changes only once on the way to
 * any instant where it differs.
 */
static int64_t bisect(struct watch *w, int64_t from, int64_t until)
{
	int64_t low = from, high, step = US_PER_SECOND;
	int start = look(w, from);

	for (;; step *= 2) {
		if (low >= until || step > HORIZON_US || from > TIMESTAMP_END - step)
			return TZ_NEVER;
		high = from + step < until ? from + step : until;
		if (look(w, high) != start)
			break;
		low = high;
	}
	while (high - low > 1) {
		int64_t mid = low + (high - low) / 2;

		if (look(w, mid) == start)
			low = mid;
		else
			high = mid;
	}
	return high;
}

static int64_t next_quarter(int64_t now_us)
{
	int64_t q = now_us / QUARTER_US - (now_us % QUARTER_US < 0);

	return (q + 1) * QUARTER_US;
}

static int64_t min_64(int64_t a, int64_t b) { return a < b ? a : b; }

/*
 * With wobble W, f(t) >= f(s) - W for t > s. If the order is the same now, 2W ago and 2W ahead, nothing happens before the change that a
 * clock 2W ahead sees, less 2W. Else the
 * change is near: within a quarter of an hour the motion is true.
 */
static int64_t watch_next(struct watch *w, int64_t now_us, int64_t wobble_us)
{
	struct arena *keep = w->ev.arena, scratch = ARENA_INIT;
	int64_t margin = 2 * wobble_us, next, far;
	int now, before, ahead;

	w->ev.arena = &scratch;
	if (!wobble_us) {
		next = bisect(w, now_us, TZ_NEVER);
	} else if (wobble_us >= QUARTERLY) {
		next = min_64(bisect(w, now_us, next_quarter(now_us)), next_quarter(now_us));
	} else {
		now = look(w, now_us);
		before = look(w, now_us - margin);
		ahead = look(w, now_us + margin);
		if (now == before && now == ahead) {
			far = bisect(w, now_us + margin, TZ_NEVER);
			next = far == TZ_NEVER ? TZ_NEVER : far - margin;
			/* its first possible instant is not yet its own: the caller looks again there */
			next = next <= now_us ? next_quarter(now_us) : next;
		} else {
			next = min_64(bisect(w, now_us, next_quarter(now_us)), next_quarter(now_us));
		}
	}
	arena_release(&scratch);
	w->ev.arena = keep;
	return next;
}

/* AND with a part that is false whatever the clock says, OR with one that is true. */
static bool decided(const struct sql_prog *p, struct sql_eval *ev, const struct value *row)
{
	struct err ignored = ERR_INIT;
	struct value v;

	for (uint32_t i = 0; i < p->nargs; i++)
		if (!p->args[i]->uses_clock && sql_prog_run(p->args[i], ev, row, &v, &ignored) == 0 && !v.null && (v.i != 0) == (p->kind == SQL_OR))
			return true;
	return false;
}

int64_t sql_prog_next_change(const struct sql_prog *p, struct sql_eval *ev, const struct value *row)
{
	struct watch w = {.ev = *ev, .row = row};
	struct err ignored = ERR_INIT;
	struct course a, b;
	int64_t next = TZ_NEVER;

	if (!p->uses_clock)
		return TZ_NEVER;
	if (p->kind == SQL_CALL && p->fn->flags & FN_COMPARE) {
		a = course_of(p->args[0], ev);
		b = course_of(p->args[1], ev);
		a.motion = (uint8_t)joined((enum motion)a.motion, reversed((enum motion)b.motion));
		if (a.motion != ANYHOW) {
			int64_t wobble = a.wobble_us >= QUARTERLY || b.wobble_us >= QUARTERLY ? QUARTERLY : a.wobble_us + b.wobble_us;

			w.a = p->args[0];
			w.b = p->args[1];
			/* the order that time leads to is the last one */
			if (wobble < QUARTERLY && look(&w, ev->now_us - 2 * wobble) == (a.motion == RISING ? 1 : -1))
				return TZ_NEVER;
			/* < and its like change once; = is true for one order of three */
			if (p->fn->op != '=' && p->fn->op != 'n') {
				w.a = p;
				w.b = NULL;
			}
			if (w.a == p && sql_prog_run(p, ev, row, &w.at_start, &ignored) != 0)
				return next_quarter(ev->now_us);
			return watch_next(&w, ev->now_us, wobble);
		}
	}
	a = course_of(p, ev);
	if (a.motion != ANYHOW) {
		w.a = p;
		if (sql_prog_run(p, ev, row, &w.at_start, &ignored) != 0)
			return next_quarter(ev->now_us);
		return watch_next(&w, ev->now_us, a.wobble_us);
	}
	if ((p->kind == SQL_AND || p->kind == SQL_OR) && decided(p, ev, row))
		return TZ_NEVER;
	for (uint32_t i = 0; i < p->nargs; i++)
		next = min_64(next, sql_prog_next_change(p->args[i], ev, row));
	return next;
}

/* ---- without a row ---- */

/* Whether a value that moves with the clock moves in steps: somewhere on the way it has been rounded. */
static bool steps(const struct sql_expr *e)
{
	static const char *const rounding[] = {"date_trunc(", "floor(", "ceil(", "ceiling(", "round(", "trunc("};
	bool any = true;

	if (!e->uses_clock)
		return true;
	if (e->kind == SQL_NOW)
		return false;
	if (e->kind == SQL_CALL) {
		if (e->fn->flags & FN_COMPARE || e->type.kind == VALUE_DATE || e->type.kind == VALUE_BOOL)
			return true;
		for (size_t i = 0; i < sizeof(rounding) / sizeof(rounding[0]); i++)
			if (strncmp(e->fn->key, rounding[i], strlen(rounding[i])) == 0)
				return true;
		if (e->fn->flags & FN_FIELD && e->args[0]->kind == SQL_CONST && !e->args[0]->constant.null) {
			enum dt_field f = dt_field_of(e->args[0]->constant.text);

			return steps(e->args[1]) || !(f == DT_EPOCH || f == DT_MICROSECOND || f == DT_MILLISECOND || f == DT_SECOND ||
				f == DT_JULIAN || f == DT_UNKNOWN);
		}
		if (strcmp(e->fn->key, "cast") == 0 && (e->type.kind == VALUE_INT2 || e->type.kind == VALUE_INT4 || e->type.kind == VALUE_INT8))
			return true;
	}
	for (uint32_t i = 0; i < e->nargs; i++)
		any = any && steps(e->args[i]);
	return any;
}

enum sql_clock sql_expr_clock(const struct sql_expr *e)
{
	if (!e->uses_clock)
		return SQL_CLOCK_NONE;
	return steps(e) ? SQL_CLOCK_STEPS : SQL_CLOCK_CONTINUOUS;
}

static bool uses_column(const struct sql_expr *e)
{
	bool any = e->kind == SQL_COLUMN;

	for (uint32_t i = 0; i < e->nargs; i++)
		any = any || uses_column(e->args[i]);
	return any;
}

bool sql_expr_clock_cmp(const struct sql_expr *e, struct sql_clock_cmp *ret)
{
	static const char flipped[] = {'<', '>', '<', 'l', 'g', 'l'};
	const char *at;

	if (e->kind != SQL_CALL || !(e->fn->flags & FN_COMPARE))
		return false;
	ret->op = e->fn->op;
	ret->row_side = e->args[0];
	ret->clock_side = e->args[1];
	if (e->args[0]->uses_clock) {
		ret->row_side = e->args[1];
		ret->clock_side = e->args[0];
		at = memchr(flipped, ret->op, 2) ? memchr(flipped, ret->op, 2) : memchr(flipped + 3, ret->op, 2);
		if (at)
			ret->op = at[1];
	}
	return !ret->row_side->uses_clock && ret->clock_side->uses_clock && !uses_column(ret->clock_side);
}
