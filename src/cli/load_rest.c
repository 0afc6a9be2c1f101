/* Rows through the REST API; see load_rest.h. */
#include "cli/load_rest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/js.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/datetime.h"

enum { BATCH = 500, BODY_MAX = 4 << 20 };

struct load_rest {
	const struct load_poster *poster;
	char *user_domain;
	load_refused_fn refused;
	void *arg;
	struct buf body;
	unsigned n;
	uint64_t lines[BATCH]; /* of the items in the body */
	struct buf keys; /* their references, one behind the other */
	size_t ends[BATCH];
	uint64_t inserted, updated;
};

struct load_rest *load_rest_new(const struct load_poster *poster, const char *user_domain, load_refused_fn refused, void *arg)
{
	struct load_rest *r = mem_zalloc(sizeof(*r));

	r->poster = poster;
	r->user_domain = mem_strdup(user_domain);
	r->refused = refused;
	r->arg = arg;
	r->body = BUF_INIT(2 * BODY_MAX);
	r->keys = BUF_INIT(1 << 20);
	return r;
}

void load_rest_free(struct load_rest *r)
{
	if (!r)
		return;
	buf_release(&r->body);
	buf_release(&r->keys);
	mem_free(r->user_domain);
	mem_free(r);
}

/* ---- items ---- */

static void put_text(struct buf *b, const char *key, struct view v)
{
	js_put_key(b, key);
	if (v.len)
		js_put_string(b, v);
	else
		buf_puts(b, "null");
}

/* Six digits, as the column has: the text may be no number of JSON's ("+48.1"). */
static void put_number(struct buf *b, const char *key, struct view decimal)
{
	double d;

	js_put_key(b, key);
	if (decimal.len && text_f64(decimal, &d))
		buf_printf(b, "%.6f", d);
	else
		buf_puts(b, "null");
}

static void put_time(struct buf *b, const char *key, int64_t us)
{
	struct civil c;

	js_put_key(b, key);
	if (us == LOAD_NO_TIME) {
		buf_puts(b, "null");
		return;
	}
	c = civil_of_us(us);
	buf_printf(b, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"", (int)c.year, c.month, c.day, c.hour, c.minute, c.second, (int)c.us);
}

/* Into an empty buffer, as load_copy makes it in SQL: letters and digits without accents, all else a hyphen. */
static void put_code(struct buf *b, struct view name)
{
	static const char *const folded[] = {
		"àa", "âa", "äa", "áa", "çc", "ée", "èe", "êe", "ëe", "íi", "îi", "ïi", "ñn", "óo", "ôo", "öo", "úu", "ùu", "ûu", "üu", "ÿy"};
	size_t i, k;

	for (i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];
		char plain = c >= 'A' && c <= 'Z' ? (char)(c + 32) : (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? (char)c : 0;

		if (c == 0xc3 && i + 1 < name.len) {
			/* Latin letters: capitals lie 32 below the small ones */
			uint8_t low = name.ptr[i + 1] < 0x9f ? (uint8_t)(name.ptr[i + 1] + 32) : name.ptr[i + 1];

			for (k = 0; !plain && k < sizeof(folded) / sizeof(folded[0]); k++)
				if ((uint8_t)folded[k][1] == low)
					plain = folded[k][2];
			i += plain != 0;
		}
		if (plain)
			buf_putc(b, plain);
		else if (b->len && b->ptr[b->len - 1] != '-')
			buf_putc(b, '-');
	}
	if (b->len && b->ptr[b->len - 1] == '-')
		b->len--;
}

static void put_technician(struct load_rest *r, struct view name)
{
	struct buf email = BUF_INIT(1024);

	js_put_key(&r->body, "technician");
	if (!name.len) {
		buf_puts(&r->body, "null");
		return;
	}
	put_code(&email, name);
	buf_printf(&email, "@%s", r->user_domain);
	buf_putc(&r->body, '{');
	put_text(&r->body, "email", buf_view(&email));
	put_text(&r->body, "fullName", name);
	buf_putc(&r->body, '}');
	buf_release(&email);
}

/* ---- requests ---- */

/* "errors":[{"pointer","detail"}]: the first one's words. */
static struct view read_faults(struct js_reader *js, struct arena *a)
{
	struct view why = VIEW_NULL;
	struct js_token t;

	while (js_next(js, &t) != JS_ARRAY_END && t.kind != JS_BAD && t.kind != JS_END)
		if (t.kind == JS_STRING && view_is(t.key, "pointer") && !why.ptr) {
			struct view pointer = js_unescape(a, t.text, t.text_escaped);

			js_next(js, &t);
			why = view_str(
				arena_printf(a, "%.*s %.*s", (int)pointer.len, (const char *)pointer.ptr, (int)t.text.len, (const char *)t.text.ptr));
		}
	return why;
}

/* One of "rejected": tells its row. */
static int read_rejected(struct load_rest *r, struct js_reader *js, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct view why = VIEW_NULL;
	unsigned long index = BATCH;
	struct js_token t;
	int rc;

	while (js_next(js, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		if (t.kind == JS_NUMBER && view_is(t.key, "index"))
			index = strtoul((const char *)t.text.ptr, NULL, 10);
		else if (t.kind == JS_ARRAY && view_is(t.key, "errors")) {
			why = read_faults(js, &a);
			continue;
		}
		js_skip(js, &t);
	}
	if (index >= r->n) {
		rc = err_set(err, ERR_PROTOCOL, "the application rejects item %lu of %u", index, r->n);
	} else {
		size_t from = index ? r->ends[index - 1] : 0;

		rc = r->refused(r->arg, r->lines[index], view_of(r->keys.ptr + from, r->ends[index] - from), why, err);
	}
	arena_release(&a);
	return rc;
}

static int read_answer(struct load_rest *r, struct buf *answer, struct err *err)
{
	struct js_reader js;
	struct js_token t;

	buf_cstr(answer);
	js_reader_init(&js, buf_view(answer), 0);
	if (js_next(&js, &t) != JS_OBJECT)
		return err_set(err, ERR_PROTOCOL, "the application's answer is no JSON object");
	while (js_next(&js, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		if (t.kind == JS_NUMBER && view_is(t.key, "created"))
			r->inserted += strtoull((const char *)t.text.ptr, NULL, 10);
		else if (t.kind == JS_NUMBER && view_is(t.key, "updated"))
			r->updated += strtoull((const char *)t.text.ptr, NULL, 10);
		else if (t.kind == JS_ARRAY && view_is(t.key, "rejected"))
			while (js_next(&js, &t) == JS_OBJECT)
				if (read_rejected(r, &js, err))
					return -1;
		js_skip(&js, &t);
	}
	return js.why ? js_error(&js, "the application's answer", err) : 0;
}

static int flush(struct load_rest *r, struct err *err)
{
	struct buf answer = BUF_INIT(64 << 20);
	unsigned status = 0;
	int rc;

	if (r->n == 0)
		return 0;
	buf_puts(&r->body, "]}");
	if (!buf_ok(&r->body))
		return err_set(err, ERR_LIMIT, "line %llu: the row is too large for a request", (unsigned long long)r->lines[r->n - 1]);
	rc = r->poster->post(r->poster->arg, buf_view(&r->body), &status, &answer, err);
	if (rc == 0 && status / 100 != 2) {
		rc = err_set(err, ERR_PROTOCOL, "the application answered %u to lines %llu to %llu", status, (unsigned long long)r->lines[0],
			(unsigned long long)r->lines[r->n - 1]);
		err_detail(err, "%.900s", buf_cstr(&answer));
	} else if (rc == 0) {
		rc = read_answer(r, &answer, err);
	}
	buf_release(&answer);
	buf_clear(&r->body);
	buf_clear(&r->keys);
	r->n = 0;
	return rc;
}

int load_rest_put(struct load_rest *r, const struct load_row *row, uint64_t line, struct err *err)
{
	static const char *const status[] = {"SCHEDULED", "IN_PROGRESS", "COMPLETED"};
	struct buf *b = &r->body;

	buf_puts(b, r->n ? ",{" : "{\"items\":[{");
	put_text(b, "reference", row->reference);
	put_text(b, "title", row->title);
	put_text(b, "description", row->description);
	put_text(b, "status", view_str(status[row->status]));
	put_text(b, "assignmentMode", view_str(row->automatic ? "AUTO" : "MANUAL"));
	put_time(b, "plannedAt", row->planned_us);
	put_time(b, "startedAt", row->started_us);
	put_time(b, "completedAt", row->completed_us);
	put_technician(r, row->technician);
	put_number(b, "latitude", row->latitude);
	put_number(b, "longitude", row->longitude);
	buf_putc(b, '}');
	buf_putv(&r->keys, row->reference);
	r->lines[r->n] = line;
	r->ends[r->n++] = r->keys.len;
	return r->n == BATCH || b->len > BODY_MAX ? flush(r, err) : 0;
}

int load_rest_finish(struct load_rest *r, uint64_t *ret_inserted, uint64_t *ret_updated, struct err *err)
{
	if (flush(r, err))
		return -1;
	*ret_inserted = r->inserted;
	*ret_updated = r->updated;
	return 0;
}
