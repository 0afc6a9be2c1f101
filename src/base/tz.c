/*
 * Time zones; see tz.h. TZif: RFC 8536. POSIX TZ rules: IEEE Std 1003.1, section 8.3, with RFC 8536's extension of rule times to +-167
 * hours.
 *
 * Inside, instants are seconds since 1970. A zone is a sorted table of transitions, extended by its rule up to EXTEND_TO, and the rule for
 * later years.
 */
#include "base/tz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/calendar.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/thread.h"

enum { EXTEND_TO = 2100, NAME_MAX_LEN = 100, FILE_MAX = 256 * 1024, TRANSITIONS_MAX = 4000 };

static const int64_t EPOCH_S = 946684800;       /* 2000-01-01 in seconds since 1970 */
static const int64_t DAY_S = 86400;

struct rule_date {
	char form;          /* 'M': month, week, day; 'J': day 1..365, no leap day; 'D': day 0..365 */
	int month, week, day;
	int32_t time_s;
};

struct rule {
	bool has_dst;
	int32_t std_s, dst_s;       /* seconds east */
	struct rule_date start, end;
};

struct transition {
	int64_t at;                 /* seconds since 1970 */
	int32_t offset_s;           /* from then on */
};

struct tz {
	char name[NAME_MAX_LEN + 1];
	int32_t first_s;            /* before the first transition */
	uint32_t n;
	struct transition *table;
	bool has_rule;              /* after the table; without one the last offset holds */
	struct rule rule;
	int32_t jump_s;             /* the largest change of offset since 2015 */
};

struct tz_cache {
	struct lock lock;
	struct io *io;
	char *dir;
	struct map zones;           /* upper-case name -> struct tz */
};

/* ---- calendar ---- */

static int64_t year_of(int64_t s) { return calendar_of_days(floor_div(s, DAY_S)).year; }

static bool is_leap(int64_t y) { return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0); }

/* Local seconds since 1970 of the rule's date and time in year y. */
static int64_t rule_date_at(const struct rule_date *r, int64_t y)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t first, day;
	int wday, length;

	switch (r->form) {
	case 'J':
		day = calendar_days(y, 1, 1) + r->day - 1 + (is_leap(y) && r->day >= 60);
		break;
	case 'D':
		day = calendar_days(y, 1, 1) + r->day;
		break;
	default:
		first = calendar_days(y, r->month, 1);
		wday = (int)((first + 4) % 7 + 7) % 7;     /* 1970-01-01 was a Thursday */
		length = lengths[r->month - 1] + (r->month == 2 && is_leap(y));
		day = (r->day - wday + 7) % 7 + (r->week - 1) * 7;
		if (day >= length)
			day -= 7;
		day += first;
	}
	return day * DAY_S + r->time_s;
}

/* The two transitions of a year, in order of time. */
static void rule_year(const struct rule *r, int64_t y, struct transition out[2])
{
	struct transition start = {rule_date_at(&r->start, y) - r->std_s, r->dst_s}, end = {rule_date_at(&r->end, y) - r->dst_s, r->std_s};

	out[start.at > end.at] = start;
	out[start.at <= end.at] = end;
}

/* ---- POSIX rules ---- */

static bool take_name(const char **p)
{
	const char *s = *p;
	size_t n = 0;

	if (*s == '<') {
		for (s++; isalnum((unsigned char)*s) || *s == '+' || *s == '-'; s++)
			n++;
		if (*s++ != '>')
			return false;
	} else {
		for (; isalpha((unsigned char)*s); s++)
			n++;
	}
	*p = s;
	return n >= 3;
}

static bool take_number(const char **p, int low, int high, int *ret)
{
	int n = 0, digits = 0;

	for (; isdigit((unsigned char)**p && digits < 4 ? **p : 0); (*p)++, digits++)
		n = n * 10 + (**p - '0');
	*ret = n;
	return digits && n >= low && n <= high;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **p, int hours_max, int32_t *ret)
{
	int h, m = 0, s = 0, sign = 1;

	if (**p == '+' || **p == '-')
		sign = *(*p)++ == '-' ? -1 : 1;
	if (!take_number(p, 0, hours_max, &h))
		return false;
	if (**p == ':') {
		(*p)++;
		if (!take_number(p, 0, 59, &m))
			return false;
		if (**p == ':') {
			(*p)++;
			if (!take_number(p, 0, 59, &s))
				return false;
		}
	}
	*ret = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool take_rule_date(const char **p, struct rule_date *r)
{
	*r = (struct rule_date){.form = 'D', .time_s = 2 * 3600};
	if (*(*p)++ != ',')
		return false;
	if (**p == 'M') {
		(*p)++;
		r->form = 'M';
		if (!take_number(p, 1, 12, &r->month) || *(*p)++ != '.' || !take_number(p, 1, 5, &r->week) || *(*p)++ != '.' ||
		    !take_number(p, 0, 6, &r->day))
			return false;
	} else if (**p == 'J') {
		(*p)++;
		r->form = 'J';
		if (!take_number(p, 1, 365, &r->day))
			return false;
	} else if (!take_number(p, 0, 365, &r->day)) {
		return false;
	}
	if (**p == '/') {
		(*p)++;
		return take_time(p, 167, &r->time_s);
	}
	return true;
}

static bool parse_rule(const char *p, struct rule *r)
{
	int32_t west;

	*r = (struct rule){.has_dst = false};
	if (!take_name(&p) || !take_time(&p, 24, &west))
		return false;
	r->std_s = -west;
	if (!*p)
		return true;
	if (!take_name(&p))
		return false;
	r->has_dst = true;
	r->dst_s = r->std_s + 3600;
	if (*p && *p != ',') {
		if (!take_time(&p, 24, &west))
			return false;
		r->dst_s = -west;
	}
	return take_rule_date(&p, &r->start) && take_rule_date(&p, &r->end) && !*p;
}

/* ---- TZif ---- */

struct tzif_head {
	uint8_t version;
	uint32_t isut, isstd, leap, times, types, chars;
};

static bool read_head(struct reader *r, struct tzif_head *h)
{
	const uint8_t *magic = reader_take(r, 4);

	if (!magic || memcmp(magic, "TZif", 4) != 0)
		return false;
	h->version = reader_u8(r);
	reader_take(r, 15);
	h->isut = reader_be32(r);
	h->isstd = reader_be32(r);
	h->leap = reader_be32(r);
	h->times = reader_be32(r);
	h->types = reader_be32(r);
	h->chars = reader_be32(r);
	return !r->bad && h->times <= TRANSITIONS_MAX && h->types >= 1 && h->types <= 256 && h->chars <= 4096 && h->leap <= 4096 &&
	       h->isut <= 256 && h->isstd <= 256;
}

static void skip_body(struct reader *r, const struct tzif_head *h, size_t time_size)
{
	reader_take(
		r, (size_t)h->times * (time_size + 1) + (size_t)h->types * 6 + h->chars + (size_t)h->leap * (time_size + 4) + h->isstd + h->isut);
}

static bool read_body(struct reader *r, const struct tzif_head *h, struct tz *z)
{
	const uint8_t *times = reader_take(r, (size_t)h->times * 8), *index = reader_take(r, h->times);
	const uint8_t *types = reader_take(r, (size_t)h->types * 6);

	reader_take(r, (size_t)h->chars + (size_t)h->leap * 12 + h->isstd + h->isut);
	if (r->bad)
		return false;
	z->first_s = (int32_t)get_be32(types);
	for (uint32_t i = 0; i < h->times; i++) {
		struct transition t = {(int64_t)get_be64(times + (size_t)i * 8), 0};

		if (index[i] >= h->types || (z->n && t.at <= z->table[z->n - 1].at))
			return false;
		t.offset_s = (int32_t)get_be32(types + (size_t)index[i] * 6);
		if (t.offset_s < -26 * 3600 || t.offset_s > 26 * 3600)
			return false;
		z->table[z->n++] = t;
	}
	return true;
}

static bool read_footer(struct reader *r, struct tz *z)
{
	char text[128];
	size_t n = 0;

	if (reader_u8(r) != '\n')
		return false;
	for (uint8_t c; (c = reader_u8(r)) != '\n' && !r->bad && n < sizeof(text) - 1;)
		text[n++] = (char)c;
	text[n] = 0;
	if (!n)
		return true;
	z->has_rule = true;
	return parse_rule(text, &z->rule);
}

static void extend(struct tz *z)
{
	int64_t last = z->n ? z->table[z->n - 1].at : INT64_MIN, y;

	if (!z->has_rule || !z->rule.has_dst)
		return;
	for (y = last < 0 ? 1900 : year_of(last); y <= EXTEND_TO; y++) {
		struct transition t[2];

		rule_year(&z->rule, y, t);
		for (int i = 0; i < 2; i++)
			if (t[i].at > last)
				z->table[z->n++] = t[i];
	}
}

static struct tz *parse_tzif(struct view bytes)
{
	struct reader r = reader_of(bytes);
	struct tz *z = mem_zalloc(sizeof(*z));
	struct tzif_head h;

	z->table = mem_alloc((TRANSITIONS_MAX + 2 * 260) * sizeof(*z->table));
	if (!read_head(&r, &h) || h.version < '2')
		goto bad;
	skip_body(&r, &h, 4);
	/* with leap seconds the server refuses a zone too */
	if (!read_head(&r, &h) || h.leap || !read_body(&r, &h, z) || !read_footer(&r, z))
		goto bad;
	extend(z);
	z->table = mem_realloc(z->table, (z->n + 1) * sizeof(*z->table));
	return z;
bad:
	mem_free(z->table);
	mem_free(z);
	return NULL;
}

/* ---- names ---- */

struct finding {
	const char *want;
	char found[NAME_MAX_LEN + 1];
};

static int match_name(void *arg, const char *name)
{
	struct finding *f = arg;
	size_t len = strlen(name);

	if (strcasecmp(name, f->want) != 0 || len >= sizeof(f->found))
		return 0;
	memcpy(f->found, name, len + 1);
	return strcmp(name, f->want) == 0;
}

/* The file of a zone, whatever the case of its name: directory by directory, as the server does. canonical has room for NAME_MAX_LEN +
 * 2. */
static bool find_file(struct tz_cache *c, const char *name, char *canonical, struct buf *into)
{
	struct err err = ERR_INIT;
	char path[512], part[NAME_MAX_LEN + 1];
	struct finding f;
	const char *p = name;

	canonical[0] = 0;
	while (*p) {
		size_t n = strcspn(p, "/"), used = strlen(canonical);

		if (!n || p[0] == '.')
			return false;
		memcpy(part, p, n);
		part[n] = 0;
		p += n + (p[n] == '/');
		snprintf(path, sizeof(path), "%s/%s", c->dir, canonical);
		f = (struct finding){.want = part};
		if (io_list(c->io, path, match_name, &f, &err) != 0 || !f.found[0])
			return false;
		snprintf(canonical + used, NAME_MAX_LEN + 2 - used, "%s%s", used ? "/" : "", f.found);
	}
	snprintf(path, sizeof(path), "%s/%s", c->dir, canonical);
	return io_read_file(c->io, path, into, &err) == 0;
}

static struct tz *load_file(struct tz_cache *c, const char *name)
{
	struct buf bytes = BUF_INIT(FILE_MAX);
	char canonical[NAME_MAX_LEN + 2];
	struct tz *z = NULL;

	if (find_file(c, name, canonical, &bytes) && (z = parse_tzif(buf_view(&bytes))))
		snprintf(z->name, sizeof(z->name), "%.*s", NAME_MAX_LEN, canonical);
	buf_release(&bytes);
	return z;
}

static struct tz *fixed_zone(int32_t east_s)
{
	struct tz *z = mem_zalloc(sizeof(*z));
	int32_t s = east_s < 0 ? -east_s : east_s;
	char text[24];
	int n = snprintf(text, sizeof(text), "%02d", (int)(s / 3600));

	if (s % 3600)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ":%02d", (int)(s % 3600 / 60));
	if (s % 60)
		snprintf(text + n, sizeof(text) - (size_t)n, ":%02d", (int)(s % 60));
	z->first_s = east_s;
	snprintf(z->name, sizeof(z->name), east_s < 0 ? "<-%s>+%s" : "<+%s>-%s", text, text);
	return z;
}

static struct tz *parse_posix(const char *upper)
{
	struct rule r;
	struct tz *z;

	if (!parse_rule(upper, &r))
		return NULL;
	z = mem_zalloc(sizeof(*z));
	z->table = mem_alloc(2 * 260 * sizeof(*z->table));
	z->has_rule = true;
	z->rule = r;
	z->first_s = r.std_s;
	snprintf(z->name, sizeof(z->name), "%s", upper);
	extend(z);
	return z;
}

/* SET timezone = 2 or '-3.5': hours east */
static struct tz *parse_hours(const char *name)
{
	char *end;
	double hours = strtod(name, &end);

	if (*end || end == name || !(hours > -168 && hours < 168) || isalpha((unsigned char)name[0]))
		return NULL;
	return fixed_zone((int32_t)(hours * 3600));
}

static const int64_t JUMP_SINCE_US = INT64_C(473385600000000);    /* 2015-01-01 */

static struct tz *make_zone(struct tz_cache *c, const char *name, const char *upper)
{
	struct tz *z = parse_hours(name);

	if (!z && strcmp(upper, "GMT") == 0) {
		z = mem_zalloc(sizeof(*z));
		snprintf(z->name, sizeof(z->name), "GMT");
	}
	if (!z)
		z = load_file(c, name);
	if (!z)
		z = parse_posix(upper);
	if (z) {
		z->jump_s = -1;
		z->jump_s = tz_largest_jump(z, JUMP_SINCE_US);
	}
	return z;
}

struct tz_cache *tz_cache_new(struct io *io, const char *dir)
{
	struct tz_cache *c = mem_zalloc(sizeof(*c));

	lock_init(&c->lock);
	c->io = io;
	c->dir = mem_strdup(dir ? dir : "/usr/share/zoneinfo");
	return c;
}

void tz_cache_release(struct tz_cache *c)
{
	struct map_slot *s;
	size_t pos = 0;

	if (!c)
		return;
	while ((s = map_iter(&c->zones, &pos))) {
		struct tz *z = s->value;

		mem_free(z->table);
		mem_free(z);
	}
	map_release(&c->zones);
	lock_release(&c->lock);
	mem_free(c->dir);
	mem_free(c);
}

const struct tz *tz_open(struct tz_cache *c, const char *name, struct err *err)
{
	char upper[NAME_MAX_LEN + 1];
	size_t n = strlen(name), i;
	struct tz *z = NULL;

	if (n && n < sizeof(upper)) {
		for (i = 0; i <= n; i++)
			upper[i] = (char)toupper((unsigned char)name[i]);
		lock_take(&c->lock);
		z = map_get(&c->zones, view_str(upper));
		if (!z && (z = make_zone(c, name, upper)))
			map_put(&c->zones, view_str(upper), z);
		lock_drop(&c->lock);
	}
	if (!z) {
		err_set(err, ERR_NOT_FOUND, "time zone \"%.100s\" not recognized", name);
		memcpy(err->sqlstate, "22023", 6);
	}
	return z;
}

const struct tz *tz_fixed(struct tz_cache *c, int32_t seconds_east)
{
	struct tz *z = fixed_zone(seconds_east), *old;

	lock_take(&c->lock);
	old = map_get(&c->zones, view_str(z->name));
	if (old) {
		mem_free(z);
		z = old;
	} else {
		map_put(&c->zones, view_str(z->name), z);
	}
	lock_drop(&c->lock);
	return z;
}

const struct tz *tz_utc(void)
{
	static const struct tz utc = {.name = "UTC"};

	return &utc;
}

const char *tz_name(const struct tz *z) { return z->name; }

/* ---- conversion ---- */

/* How many transitions of the table are at or before s. */
static uint32_t table_before(const struct tz *z, int64_t s)
{
	uint32_t low = 0, high = z->n;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (z->table[mid].at <= s)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The offset at s; the first transition after s, INT64_MAX for none, and the offset from then on. */
static int32_t look(const struct tz *z, int64_t s, int64_t *next, int32_t *after)
{
	uint32_t i = table_before(z, s);
	struct transition t[2];
	int32_t offset = i ? z->table[i - 1].offset_s : z->first_s;

	*next = INT64_MAX;
	*after = offset;
	if (i < z->n) {
		*next = z->table[i].at;
		*after = z->table[i].offset_s;
		return offset;
	}
	if (!z->has_rule)
		return offset;
	if (!z->rule.has_dst)
		return *after = i ? offset : z->rule.std_s;
	for (int64_t y = year_of(s) - 1;; y++) {
		rule_year(&z->rule, y, t);
		for (int k = 0; k < 2; k++) {
			if (t[k].at > s) {
				*next = t[k].at;
				*after = t[k].offset_s;
				return offset;
			}
			offset = t[k].offset_s;
		}
	}
}

static int64_t to_s(int64_t us) { return floor_div(us, 1000000) + EPOCH_S; }
static int64_t to_us(int64_t s) { return (s - EPOCH_S) * 1000000; }

int32_t tz_offset(const struct tz *z, int64_t utc_us)
{
	int64_t next;
	int32_t after;

	return z->n || z->has_rule ? look(z, to_s(utc_us), &next, &after) : z->first_s;
}

int64_t tz_to_local(const struct tz *z, int64_t utc_us)
{
	return utc_us + (int64_t)tz_offset(z, utc_us) * 1000000;
}

int64_t tz_to_utc(const struct tz *z, int64_t local_us)
{
	int64_t local = to_s(local_us), boundary, if_before, if_after;
	int32_t before, after;

	before = look(z, local - DAY_S, &boundary, &after);
	if_before = local - before;
	if_after = local - after;
	if (boundary != INT64_MAX && !(if_before < boundary && if_after < boundary) &&
	    ((if_before > boundary && if_after >= boundary) || if_before <= if_after))
		before = after;
	return local_us - (int64_t)before * 1000000;
}

int64_t tz_next_transition(const struct tz *z, int64_t utc_us)
{
	int64_t s = to_s(utc_us), next;
	int32_t before, after;

	for (;;) {
		before = look(z, s, &next, &after);
		if (next == INT64_MAX || next > INT64_MAX / 1000000 - DAY_S)
			return TZ_NEVER;
		if (before != after)
			return to_us(next);
		s = next;
	}
}

int64_t tz_next_midnight(const struct tz *z, int64_t utc_us)
{
	int64_t s = to_s(utc_us), next, today, midnight;
	int32_t offset, after;

	offset = look(z, s, &next, &after);
	today = floor_div(s + offset, DAY_S);
	for (;;) {
		midnight = (floor_div(s + offset, DAY_S) + 1) * DAY_S - offset;
		if (midnight < next)
			return to_us(midnight);
		/* the offset changes first: that alone may change the date, forwards or back */
		s = next;
		offset = look(z, s, &next, &after);
		if (floor_div(s + offset, DAY_S) != today)
			return to_us(s);
	}
}

int32_t tz_largest_jump(const struct tz *z, int64_t utc_us)
{
	int32_t jump = 0, offset, after;
	int64_t s = to_s(utc_us), next;

	if (utc_us >= JUMP_SINCE_US && z->jump_s >= 0)
		return z->jump_s;
	for (int i = 0; i < 1000; i++) {
		offset = look(z, s, &next, &after);
		if (next == INT64_MAX)
			break;
		offset = offset > after ? offset - after : after - offset;
		jump = offset > jump ? offset : jump;
		/* behind the table every year is like the last one */
		if (!z->n || s > z->table[z->n - 1].at + 2 * 366 * DAY_S)
			break;
		s = next;
	}
	return jump;
}
