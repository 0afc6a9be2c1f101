/*
 * to_char() of timestamps, for the patterns that reports group by; see func.h.
 *
 * Known: YYYY YY IYYY Q MM Month Mon WW IW DDD DD D ID Day Dy HH24 HH12 HH MI SS MS US AM PM, FM before one of them, text in double
 * quotes, and
 * characters that are not letters. Anything else is ERR_UNSUPPORTED, which the binder finds out when planning.
 */
#include <ctype.h>
#include <stdio.h>

#include "model/datetime.h"
#include "model/num.h"
#include "sql/func.h"

/* How a piece's text is made. */
enum style { NUMBER, MONTH, DAY, MERIDIEM };

static const struct piece {
	const char *name;           /* longer ones first where one starts another */
	enum style style;
	uint8_t width;              /* of a number, and of a name with blanks behind it (0: cut to three letters) */
	uint8_t field;              /* enum dt_field, or 0: see civil_number() */
} pieces[] = {
	{"IYYY", NUMBER, 4, DT_ISOYEAR}, {"YYYY", NUMBER, 4, 0}, {"YY", NUMBER, 2, 0}, {"Q", NUMBER, 1, DT_QUARTER}, {"MM", NUMBER, 2, 0},
	{"IW", NUMBER, 2, DT_WEEK}, {"WW", NUMBER, 2, 0}, {"DDD", NUMBER, 3, DT_DOY}, {"DD", NUMBER, 2, 0}, {"ID", NUMBER, 1, DT_ISODOW},
	{"HH24", NUMBER, 2, 0}, {"HH12", NUMBER, 2, 0}, {"HH", NUMBER, 2, 0}, {"MI", NUMBER, 2, 0}, {"SS", NUMBER, 2, 0}, {"MS", NUMBER, 3, 0},
	{"US", NUMBER, 6, 0}, {"MONTH", MONTH, 9, 0}, {"MON", MONTH, 0, 0}, {"DAY", DAY, 9, 0}, {"DY", DAY, 0, 0}, {"D", NUMBER, 1, DT_DOW},
	{"AM", MERIDIEM, 0, 0}, {"PM", MERIDIEM, 0, 0},
};

static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
	"November",
	"December"};
static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

static const struct piece *piece_at(struct view v)
{
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t n = strlen(pieces[i].name), k = 0;

		while (k < n && k < v.len && toupper(v.ptr[k]) == pieces[i].name[k])
			k++;
		if (k == n)
			return &pieces[i];
	}
	return NULL;
}

static int64_t field(const struct value *local, enum dt_field f)
{
	struct err ignored = ERR_INIT;
	struct value v;

	if (dt_extract(f, view_str(""), local, tz_utc(), true, &v, &ignored) != 0 || v.null)
		wm_assert(!"a field of a finite timestamp");
	return (int64_t)v.d;
}

static int64_t civil_number(const char *name, const struct civil *c, const struct value *local)
{
	int64_t year = c->year > 0 ? c->year : 1 - c->year;

	if (strcmp(name, "YYYY") == 0)
		return year;
	if (strcmp(name, "YY") == 0)
		return year % 100;
	if (strcmp(name, "MM") == 0)
		return c->month;
	if (strcmp(name, "DD") == 0)
		return c->day;
	if (strcmp(name, "WW") == 0)
		return (field(local, DT_DOY) - 1) / 7 + 1;
	if (strcmp(name, "HH24") == 0)
		return c->hour;
	if (name[0] == 'H')
		return c->hour % 12 ? c->hour % 12 : 12;
	if (strcmp(name, "MI") == 0)
		return c->minute;
	if (strcmp(name, "SS") == 0)
		return c->second;
	return strcmp(name, "MS") == 0 ? c->us / 1000 : c->us;
}

/* A name as the pattern is written: MONTH, Month, month */
static void put_name(const char *name, const uint8_t *pattern, size_t letters, bool padded, struct buf *b)
{
	size_t n = letters ? letters : strlen(name), i;

	for (i = 0; i < n; i++) {
		bool upper = isupper(pattern[i ? 1 : 0]);

		buf_putc(b, (char)(upper ? toupper((unsigned char)name[i]) : tolower((unsigned char)name[i])));
	}
	for (; padded && i < 9; i++)
		buf_putc(b, ' ');
}

static void put_piece(const struct piece *p, const uint8_t *pattern, bool fill, const struct value *local, struct buf *b)
{
	struct civil c = civil_of_us(local->i);
	int64_t n;

	switch (p->style) {
	case MONTH: put_name(months[c.month - 1], pattern, p->width ? 0 : 3, p->width && fill, b); return;
	case DAY: put_name(days[field(local, DT_DOW)], pattern, p->width ? 0 : 3, p->width && fill, b); return;
	case MERIDIEM: put_name(c.hour >= 12 ? "PM" : "AM", pattern, 2, false, b); return;
	default: break;
	}
	n = p->field ? field(local, (enum dt_field)p->field) : civil_number(p->name, &c, local);
	if (p->field == DT_DOW)
		n++;
	buf_printf(b, "%0*lld", fill ? p->width : 0, (long long)(n < 0 ? -n : n));
}

static int put_all(struct view v, const struct value *local, struct buf *b)
{
	while (v.len) {
		const struct piece *p;
		bool fill = true;
		size_t n = 1;

		if (v.len > 2 && (v.ptr[0] | 0x20) == 'f' && (v.ptr[1] | 0x20) == 'm') {
			fill = false;
			v = view_of(v.ptr + 2, v.len - 2);
		}
		p = piece_at(v);
		if (p) {
			n = strlen(p->name);
			/* suffixes th and TH are none of ours */
			if (v.len > n + 1 && (v.ptr[n] | 0x20) == 't' && (v.ptr[n + 1] | 0x20) == 'h')
				return -1;
			put_piece(p, v.ptr, fill, local, b);
		} else if (v.ptr[0] == '"') {
			while (n < v.len && v.ptr[n] != '"' && v.ptr[n] != '\\')
				n++;
			if (n == v.len || v.ptr[n] == '\\')
				return -1;
			buf_put(b, v.ptr + 1, n - 1);
			n++;
		} else if (isalpha(v.ptr[0]) || v.ptr[0] == '\\' || !fill || v.ptr[0] & 0x80) {
			return -1;
		} else {
			buf_putc(b, (char)v.ptr[0]);
		}
		v = view_of(v.ptr + n, v.len - n);
	}
	return 0;
}

static int to_char(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err)
{
	struct value local = value_int(VALUE_TIMESTAMP, args[0].i);
	struct buf b = BUF_INIT(1024 * 1024);
	int rc = 0;

	if (!args[1].text.len || !timestamp_is_finite(local.i)) {
		*ret = value_null(VALUE_TEXT);
		return 0;
	}
	if (args[0].kind == VALUE_TIMESTAMPTZ && timestamptz_to_timestamp(args[0].i, ev->zone, &local.i, err) != 0)
		return -1;
	if (put_all(args[1].text, &local, &b) != 0 || !buf_ok(&b))
		rc = err_set(err, ERR_UNSUPPORTED, "to_char() pattern \"%.*s\" is not supported", (int)(args[1].text.len > 100 ? 100 :
			args[1].text.len),
			(const char *)args[1].text.ptr);
	else
		*ret = value_text(VALUE_TEXT, arena_view(ev->arena, buf_view(&b)));
	buf_release(&b);
	return rc;
}

const struct sql_fn sql_fns_char[] = {
	{"to_char(s,t)", to_char, FN_PATTERN, 0, "..", 0},
	{"to_char(z,t)", to_char, FN_PATTERN | FN_USES_ZONE, 0, "..", 0},
	{NULL, NULL, 0, 0, NULL, 0},
};
