/*
 * Which interventions have changed: the keys of the records that a connector publishes of public.interventions, read on from where the last call
 * ended; the rows themselves, as the list shows them, from the source. What a row is at that moment is newer than the record, or the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/records.h"
#include "app/app.h"
#include "base/js.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/schema.h"
#include "stream/log_out.h"

enum { IDS_MAX = 2000, READ_BYTES = 4 << 20, LOOK_US = 5000000 };

struct feed {
	const struct api *api;
	char topic[LOG_TOPIC_NAME_MAX + 1]; /* "" while no connector captures the table */
	int64_t look_due_us;
	int64_t next;
	int64_t ids[IDS_MAX];
	bool there[IDS_MAX];
	unsigned n;
};

struct feed *feed_new(const struct api *api)
{
	struct feed *f = mem_zalloc(sizeof(*f));

	f->api = api;
	return f;
}

void feed_free(struct feed *f)
{
	mem_free(f);
}

/* ---- the topic ---- */

static int note_topic(void *arg, struct view stored, struct err *err)
{
	struct feed *f = arg;
	struct arena a = ARENA_INIT;
	struct table *t;

	if (table_load(stored, &a, &t, err) == 0 && view_is(t->schema, "public") && view_is(t->name, "interventions"))
		snprintf(f->topic, sizeof(f->topic), "%.*s", (int)t->topic.len, (const char *)t->topic.ptr);
	arena_release(&a);
	return 0;
}

static int look_at_connector(void *arg, struct connector *c)
{
	struct feed *f = arg;
	struct err err = ERR_INIT;

	return log_out_schemas(f->api->log, connector_config(c)->name, note_topic, f, &err) || f->topic[0];
}

static bool find(struct feed *f, uint32_t *ret_part)
{
	int64_t now = io_monotonic_us(f->api->io);
	struct log_topic t;

	if (!f->topic[0] && now >= f->look_due_us) {
		f->look_due_us = now + LOOK_US;
		registry_connector_each(f->api->registry, look_at_connector, f);
	}
	if (f->topic[0] && log_topic_find(f->api->log, view_str(f->topic), &t) && log_part_find(f->api->log, t.id, 0, ret_part))
		return true;
	f->topic[0] = '\0';
	return false;
}

/* ---- its records ---- */

/* The record's key is {"id":N}, or that within a schema. */
static int take_record(void *arg, const struct record *rec)
{
	struct feed *f = arg;
	struct js_reader r;
	struct js_token t;
	int64_t id;

	js_reader_init(&r, rec->key, 0);
	while (rec->key.ptr && js_next(&r, &t) != JS_END && t.kind != JS_BAD)
		if (t.has_key && view_is(t.key, "id") && t.kind == JS_NUMBER && text_i64(t.text, &id)) {
			f->ids[f->n++] = id;
			break;
		}
	return f->n == IDS_MAX;
}

static int compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void put_ids(struct feed *f, struct buf *b)
{
	unsigned i, n = 0;

	qsort(f->ids, f->n, sizeof(f->ids[0]), compare_ids);
	for (i = 0; i < f->n; i++)
		if (i == 0 || f->ids[i] != f->ids[n - 1])
			f->ids[n++] = f->ids[i];
	f->n = n;
	buf_putc(b, '{');
	for (i = 0; i < n; i++)
		buf_printf(b, "%s%lld", i ? "," : "", (long long)f->ids[i]);
	buf_putc(b, '}');
}

/* The ids of the rows, which begin with {"id" : N, are those that are left. */
static void put_gone(struct feed *f, struct view rows, struct buf *gone)
{
	struct js_reader r;
	struct js_token t;
	unsigned i, depth = 0;

	memset(f->there, 0, sizeof(f->there));
	js_reader_init(&r, rows, 0);
	while (js_next(&r, &t) != JS_END && t.kind != JS_BAD) {
		int64_t id, *at;

		depth += t.kind == JS_OBJECT;
		depth -= t.kind == JS_OBJECT_END;
		if (depth != 1 || !t.has_key || !view_is(t.key, "id") || !text_i64(t.text, &id))
			continue;
		at = bsearch(&id, f->ids, f->n, sizeof(id), compare_ids);
		if (at)
			f->there[at - f->ids] = true;
	}
	buf_putc(gone, '[');
	for (i = 0; i < f->n; i++)
		if (!f->there[i]) {
			js_put_comma(gone);
			buf_printf(gone, "%lld", (long long)f->ids[i]);
		}
	buf_putc(gone, ']');
}

void feed_interventions(void *arg, bool first, struct buf *rows, struct buf *gone)
{
	struct feed *f = arg;
	struct buf ids = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct log_marks m;
	int64_t from = f->next, next;
	uint32_t part;

	if (!find(f, &part))
		return;
	log_marks(f->api->log, &part, 1, &m, NULL);
	f->n = 0;
	if (first || from < m.start || from > m.high)
		f->next = m.high;
	else if (from < m.high && records_each(f->api->log, part, from, m.high, READ_BYTES, take_record, f, &next, &err) == 0)
		f->next = next;
	if (f->n == 0)
		return;
	put_ids(f, &ids);
	if (app_interventions_of(f->api->app, buf_cstr(&ids), rows, &err) == 0)
		put_gone(f, buf_view(rows), gone);
	else
		f->next = from; /* the source does not answer: again, later */
	buf_release(&ids);
}
