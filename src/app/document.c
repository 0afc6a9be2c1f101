/* Documents that clients send: members by table, each fault with its place. */
#include <stdio.h>
#include <stdlib.h>

#include "app/app_int.h"
#include "base/js.h"
#include "base/text.h"
#include "model/value_text.h"

enum form_bits {
	IN_CREATE = 1 << APP_CREATE,
	IN_UPDATE = 1 << APP_UPDATE,
	IN_STATUS = 1 << APP_STATUS_ONLY,
	IN_BULK = 1 << APP_BULK,
	IN_TECHNICIAN = 1 << APP_THEIR_NAME
};

enum kind { TEXT, STATUS, MODE, INSTANT, ID, NUMBER };

static const struct member {
	const char *name;
	enum kind kind;
	unsigned allowed, required; /* bits of enum form_bits */
	double min, max; /* of a text: characters */
} members[APP_MEMBERS] = {
	[APP_REFERENCE] = {"reference", TEXT, IN_CREATE | IN_BULK, IN_CREATE | IN_BULK, 1, 50},
	[APP_TITLE] = {"title", TEXT, IN_CREATE | IN_UPDATE | IN_BULK, IN_CREATE | IN_UPDATE | IN_BULK, 1, 160},
	[APP_DESCRIPTION] = {"description", TEXT, IN_CREATE | IN_UPDATE | IN_BULK, 0, 0, 4000},
	[APP_STATUS] = {"status", STATUS, IN_STATUS | IN_BULK, IN_STATUS, 0, 0},
	[APP_MODE] = {"assignmentMode", MODE, IN_CREATE | IN_UPDATE | IN_BULK, IN_CREATE | IN_UPDATE, 0, 0},
	[APP_PLANNED] = {"plannedAt", INSTANT, IN_CREATE | IN_UPDATE | IN_BULK, IN_CREATE | IN_UPDATE | IN_BULK, 0, 0},
	[APP_STARTED] = {"startedAt", INSTANT, IN_BULK, 0, 0, 0},
	[APP_COMPLETED] = {"completedAt", INSTANT, IN_BULK, 0, 0, 0},
	[APP_VALIDATED] = {"validatedAt", INSTANT, IN_BULK, 0, 0, 0},
	[APP_TECHNICIAN] = {"technicianId", ID, IN_CREATE | IN_UPDATE | IN_BULK, 0, 1, 9e18},
	[APP_LATITUDE] = {"latitude", NUMBER, IN_CREATE | IN_UPDATE | IN_BULK, 0, -90, 90},
	[APP_LONGITUDE] = {"longitude", NUMBER, IN_CREATE | IN_UPDATE | IN_BULK, 0, -180, 180},
	/* of the object "technician", which names a user by what it is called elsewhere */
	[APP_EMAIL] = {"email", TEXT, IN_TECHNICIAN, IN_TECHNICIAN, 1, 160},
	[APP_FULL_NAME] = {"fullName", TEXT, IN_TECHNICIAN, IN_TECHNICIAN, 1, 120},
};

void app_fault(struct app_faults *f, const char *pointer, const char *fmt, ...)
{
	struct buf text = BUF_INIT(1024);
	va_list ap;

	if (f->n == sizeof(f->list) / sizeof(f->list[0]))
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	f->list[f->n++] = (struct app_fault){arena_str(f->arena, view_str(pointer)), arena_str(f->arena, buf_view(&text))};
	buf_release(&text);
}

const char *app_pointer(struct arena *a, const char *prefix, struct view key)
{
	struct view shown = text_utf8_cut(key, 100);
	struct buf b = BUF_INIT(4096);
	const char *ret;
	size_t i;

	buf_printf(&b, "%s/", prefix);
	for (i = 0; i < shown.len; i++) {
		if (shown.ptr[i] == '~' || shown.ptr[i] == '/')
			buf_puts(&b, shown.ptr[i] == '~' ? "~0" : "~1");
		else if (shown.ptr[i])
			buf_putc(&b, (char)shown.ptr[i]);
	}
	ret = arena_str(a, buf_view(&b));
	buf_release(&b);
	return ret;
}

int app_verdict(const struct app_faults *f, struct err *err)
{
	return f->n ? err_set(err, ERR_INVALID, "%s %s", f->list[0].pointer, f->list[0].detail) : 0;
}

bool app_is_status(struct view v)
{
	return view_is(v, "SCHEDULED") || view_is(v, "IN_PROGRESS") || view_is(v, "COMPLETED") || view_is(v, "VALIDATED");
}

static bool is_iso(struct view v)
{
	size_t i;

	for (i = 0; i < v.len && v.ptr[i] && strchr("0123456789-:.+TZ ", v.ptr[i]); i++)
		;
	return i == v.len;
}

static const char *checked(struct view v, enum value_kind kind, const char *pointer, const char *what, struct app_faults *f)
{
	const struct value_env env = {.zone = tz_utc()};
	struct err err = ERR_INIT;
	struct value value;

	/* ISO 8601; PostgreSQL itself would take "tomorrow" and years before Christ as well */
	if (v.len < 10 || v.len > (kind == VALUE_DATE ? 10 : 40) || v.ptr[4] != '-' || v.ptr[7] != '-' || !is_iso(v) ||
		value_parse(v, kind, &env, f->arena, &value, &err)) {
		app_fault(f, pointer, "is not %s", what);
		return NULL;
	}
	return arena_str(f->arena, v);
}

const char *app_day(struct view v, const char *pointer, struct app_faults *f)
{
	return checked(v, VALUE_DATE, pointer, "a day such as 2026-01-31", f);
}

const char *app_instant(struct view v, const char *pointer, struct app_faults *f)
{
	return checked(v, VALUE_TIMESTAMPTZ, pointer, "an instant such as 2026-01-31T09:00:00Z", f);
}

/* ---- members ---- */

static const char *take_text(const struct member *m, struct view v, const char *pointer, struct app_faults *f)
{
	size_t points;

	if (!text_utf8_valid(v) || memchr(v.ptr, 0, v.len)) {
		app_fault(f, pointer, "is not a text: UTF-8 without NUL");
		return NULL;
	}
	points = text_utf8_points(v);
	if (m->min > 0 && text_trim(v).len == 0)
		app_fault(f, pointer, "must not be empty");
	else if ((double)points > m->max)
		app_fault(f, pointer, "has %zu characters, %.0f are the most", points, m->max);
	else
		return arena_str(f->arena, v);
	return NULL;
}

static const char *take_number(const struct member *m, struct view v, const char *pointer, struct app_faults *f)
{
	int64_t whole;
	double d;

	if (m->kind == ID && !text_i64(v, &whole))
		app_fault(f, pointer, "is not a whole number");
	else if (!text_f64(v, &d))
		app_fault(f, pointer, "is not a number");
	else if (d < m->min || d > m->max)
		app_fault(f, pointer, "is not between %g and %g", m->min, m->max);
	else if (m->kind == ID)
		return arena_str(f->arena, v);
	else
		return arena_printf(f->arena, "%.9f", d); /* what is smaller is nothing to a place, and too much for numeric's exponent */
	return NULL;
}

static const char *take(const struct member *m, const struct js_token *t, const char *pointer, struct app_faults *f)
{
	bool number = m->kind == ID || m->kind == NUMBER;
	struct view v;

	if (t->kind != (number ? JS_NUMBER : JS_STRING)) {
		app_fault(f, pointer, "is not a %s", number ? "number" : "string");
		return NULL;
	}
	v = t->kind == JS_STRING ? js_unescape(f->arena, t->text, t->text_escaped) : t->text;
	switch (m->kind) {
	case TEXT:
		return take_text(m, v, pointer, f);
	case INSTANT:
		return app_instant(v, pointer, f);
	case STATUS:
		if (!app_is_status(v))
			app_fault(f, pointer, "is not SCHEDULED, IN_PROGRESS, COMPLETED or VALIDATED");
		return arena_str(f->arena, v);
	case MODE:
		if (!view_is(v, "AUTO") && !view_is(v, "MANUAL"))
			app_fault(f, pointer, "is not AUTO or MANUAL");
		return arena_str(f->arena, v);
	case ID:
	case NUMBER:
		break;
	}
	return take_number(m, v, pointer, f);
}

static int find(struct view key, enum app_form form)
{
	int i;

	for (i = 0; i < APP_MEMBERS; i++)
		if (view_is(key, members[i].name))
			return (members[i].allowed & (1u << form)) ? i : -1;
	return -1;
}

static void read_members(struct js_reader *r, const char *prefix, enum app_form form, struct app_document *ret, struct app_faults *f);

/* "technician": null, or who it is by e-mail, made when there is none yet */
static void read_technician(struct js_reader *r, struct js_token *t, const char *pointer, struct app_document *ret, struct app_faults *f)
{
	if (ret->given[APP_TECHNICIAN] || ret->given[APP_EMAIL])
		app_fault(f, pointer, "is given twice");
	else if (t->kind == JS_NULL)
		ret->given[APP_TECHNICIAN] = true;
	else if (t->kind == JS_OBJECT) {
		read_members(r, pointer, APP_THEIR_NAME, ret, f);
		return;
	} else {
		app_fault(f, pointer, "is not an object");
	}
	js_skip(r, t);
}

static void read_members(struct js_reader *r, const char *prefix, enum app_form form, struct app_document *ret, struct app_faults *f)
{
	struct js_token t;
	int i;

	while (js_next(r, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		struct view key = js_unescape(f->arena, t.key, t.key_escaped);
		const char *pointer = app_pointer(f->arena, prefix, key);

		i = find(key, form);
		if (form == APP_BULK && view_is(key, "technician")) {
			read_technician(r, &t, pointer, ret, f);
			continue;
		}
		if (i < 0)
			app_fault(f, pointer, "is not known here");
		else if (ret->given[i])
			app_fault(f, pointer, "is given twice");
		else if (t.kind != JS_NULL)
			ret->text[i] = take(&members[i], &t, pointer, f);
		if (i >= 0)
			ret->given[i] = true;
		if (js_skip(r, &t) == JS_BAD)
			return;
	}
	for (i = 0; i < APP_MEMBERS; i++)
		if ((members[i].required & (1u << form)) && !ret->given[i])
			app_fault(f, arena_printf(f->arena, "%s/%s", prefix, members[i].name), "is missing");
		else if ((members[i].required & (1u << form)) && !ret->text[i] && f->n == 0)
			app_fault(f, arena_printf(f->arena, "%s/%s", prefix, members[i].name), "must not be null");
	if (form != APP_THEIR_NAME && (ret->text[APP_LATITUDE] == NULL) != (ret->text[APP_LONGITUDE] == NULL) && f->n == 0)
		app_fault(
			f, arena_printf(f->arena, "%s/%s", prefix, ret->text[APP_LATITUDE] ? "longitude" : "latitude"), "is missing: a place has both");
}

struct view app_put_document(struct arena *a, const struct app_document *d)
{
	struct buf b = BUF_INIT(1 << 20);
	struct view ret;
	int i;

	buf_putc(&b, '{');
	for (i = 0; i < APP_MEMBERS; i++) {
		if (!d->given[i])
			continue;
		js_put_key(&b, members[i].name);
		if (!d->text[i])
			buf_puts(&b, "null");
		else if (members[i].kind == ID || members[i].kind == NUMBER)
			buf_puts(&b, d->text[i]);
		else
			js_put_str(&b, d->text[i]);
	}
	buf_putc(&b, '}');
	ret = arena_view(a, buf_view(&b));
	buf_release(&b);
	return ret;
}

void app_read_members(struct js_reader *r, const char *prefix, enum app_form form, struct app_document *ret, struct app_faults *f)
{
	memset(ret, 0, sizeof(*ret));
	read_members(r, prefix, form, ret, f);
}

int app_read_document(struct view text, enum app_form form, struct app_document *ret, struct app_faults *f, struct err *err)
{
	struct js_reader r;
	struct js_token t;

	if (!text_utf8_valid(text))
		return err_set(err, ERR_INVALID, "the body is not UTF-8");
	js_reader_init(&r, text, 0);
	if (js_next(&r, &t) != JS_OBJECT)
		return t.kind == JS_BAD ? js_error(&r, "the body", err) : err_set(err, ERR_INVALID, "the body is a JSON object");
	app_read_members(&r, "", form, ret, f);
	if (js_next(&r, &t) != JS_END)
		return js_error(&r, "the body", err);
	return app_verdict(f, err);
}
