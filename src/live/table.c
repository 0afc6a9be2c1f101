/* Tables of jobs: rows as JSON, from a job's changes and from the target itself. */
#include <stdio.h>

#include "base/js.h"
#include "base/mem.h"
#include "live/live_int.h"
#include "model/value_text.h"
#include "pg/conn.h"
#include "sink/sink.h"
#include "sql/plan.h"

enum { FETCH_ROWS = 5000 };

/* ---- one value ---- */

/* The server's text of a timestamp with time zone in UTC, or of one without, as ISO 8601: 2026-01-31 09:00:00.5+00 */
static void put_time(struct buf *b, struct view v)
{
	bool utc = v.len > 3 && memcmp(v.ptr + v.len - 3, "+00", 3) == 0;
	size_t i, n = utc ? v.len - 3 : v.len;

	buf_putc(b, '"');
	for (i = 0; i < n; i++)
		buf_putc(b, v.ptr[i] == ' ' && i == 10 ? 'T' : (char)v.ptr[i]);
	buf_puts(b, utc ? "Z\"" : "\"");
}

static void put_text_value(struct buf *b, enum live_kind kind, struct view v)
{
	bool number = kind == LIVE_NUMBER && v.len && (v.ptr[v.len - 1] >= '0' && v.ptr[v.len - 1] <= '9');

	if (number)
		buf_putv(b, v);
	else if (kind == LIVE_TIME)
		put_time(b, v);
	else
		js_put_string(b, v);
}

static void put_value(struct buf *b, enum live_kind kind, const struct value *v, struct buf *scratch)
{
	const struct value_env env = {.zone = tz_utc()};

	if (v->null) {
		buf_puts(b, "null");
		return;
	}
	buf_clear(scratch);
	value_print(v, &env, scratch);
	put_text_value(b, kind, buf_view(scratch));
}

/* ---- changes of a job ---- */

/* Where a live table's columns are in a statement's result and in its target's key; -1: not there. */
struct binding {
	const struct live_table *table;
	int result[64], key[64];
};

static bool is_table(const struct sink_target_info *t, const struct live_table *table, struct buf *scratch)
{
	buf_clear(scratch);
	pg_put_ident(scratch, view_str(table->schema));
	buf_putc(scratch, '.');
	pg_put_ident(scratch, view_str(table->table));
	return view_eq(buf_view(scratch), t->table);
}

static void bind(struct binding *ret, const struct live_table *table, const struct sink_target_info *t, uint32_t ncolumns,
	const struct flow_key *key)
{
	uint32_t i, k;

	wm_assert(table->ncolumns <= 64);
	ret->table = table;
	for (i = 0; i < table->ncolumns; i++) {
		ret->result[i] = ret->key[i] = -1;
		for (k = 0; k < ncolumns; k++)
			if (view_is(t->columns[k], table->columns[i].column))
				ret->result[i] = (int)k;
		for (k = 0; k < key->n; k++)
			if ((int)key->columns[k] == ret->result[i])
				ret->key[i] = (int)k;
	}
}

static void put_row(const struct binding *at, const struct value *row, struct buf *b, struct buf *scratch)
{
	unsigned i;

	buf_putc(b, '{');
	for (i = 0; i < at->table->ncolumns; i++) {
		if (at->result[i] < 0)
			continue;
		js_put_key(b, at->table->columns[i].name);
		put_value(b, at->table->columns[i].kind, &row[at->result[i]], scratch);
	}
	buf_putc(b, '}');
}

/* From a row, or from the values of the target's key. A live key that is not the target's cannot name what was deleted: false. */
static bool put_key(const struct binding *at, const struct flow_change *c, struct buf *b, struct buf *scratch)
{
	unsigned i, n = at->table->nkey;

	if (n > 1)
		buf_putc(b, '[');
	for (i = 0; i < n; i++) {
		int from = c->row ? at->result[i] : at->key[i];
		const struct value *v = from < 0 ? NULL : c->row ? &c->row[from] : &c->key[from];

		if (!v)
			return false;
		if (i)
			buf_putc(b, ',');
		put_value(b, at->table->columns[i].kind, v, scratch);
	}
	if (n > 1)
		buf_putc(b, ']');
	return true;
}

static void take_changes(struct topic *t, const struct binding *at, const struct job_written *w, uint32_t statement)
{
	struct buf key = BUF_INIT(1 << 20), row = BUF_INIT(16 << 20), scratch = BUF_INIT(16 << 20);
	struct flow_cursor c = {0};
	struct flow_change change;
	bool whole = true;

	while (whole && flow_next_change(w->flow, statement, &c, &change)) {
		buf_clear(&key);
		buf_clear(&row);
		whole = put_key(at, &change, &key, &scratch);
		if (change.row)
			put_row(at, change.row, &row, &scratch);
		whole = whole && buf_ok(&key) && buf_ok(&row) && t->pending.count < PENDING_ROWS;
		if (whole)
			topic_pending_put(t, buf_view(&key), buf_view(&row));
	}
	if (!whole)
		topic_break(t);
	flow_cursor_release(&c);
	buf_release(&key);
	buf_release(&row);
	buf_release(&scratch);
}

static void take_statement(
	struct live *l, struct topic *t, const struct job_written *w, uint32_t statement, const struct sink_target_info *target)
{
	struct live_position now = {w->commit_lsn, w->clock_us};
	int job = live_job_number(l, w->job);
	struct binding at;

	/* another owner than before, one whose position is behind, or a table made right as a whole: what is kept does not lead there */
	if (w->replaced || job < 0 || (t->pending_job >= 0 && job != t->pending_job) || position_after(t->pending_position, now)) {
		topic_break(t);
		wake_signal(&l->changed);
	}
	t->pending_job = job;
	t->pending_position = now;
	t->pending_source_us = w->source_us;
	t->pending_applied_us = io_now_us(l->o.io);
	if (w->replaced)
		return;
	bind(&at, t->table, target, w->plan->statements[statement].ncolumns, &sink_keys(w->sink)[statement]);
	take_changes(t, &at, w, statement);
}

void table_written(void *arg, const struct job_written *w)
{
	struct live *l = arg;
	struct buf scratch = BUF_INIT(4096);
	uint32_t i;
	unsigned k;

	lock_take(&l->lock);
	for (i = 0; i < w->plan->nstatements; i++) {
		struct sink_target_info target;

		sink_target(w->sink, i, &target);
		for (k = 0; k < l->ntopics; k++) {
			struct topic *t = &l->topics[k];

			if (t->table && topic_is_warm(t, live_now(l)) && is_table(&target, t->table, &scratch))
				take_statement(l, t, w, i, &target);
		}
	}
	lock_drop(&l->lock);
	buf_release(&scratch);
	wake_signal(&l->work);
}

/* ---- the target ---- */

static int read_positions(struct live *l, struct pg_conn *c, struct table_snapshot *ret, struct err *err)
{
	struct pg_result *r;
	bool there;
	unsigned i;

	/* the time of the snapshot comes with it */
	if (pg_query(c, "SELECT pg_catalog.to_regclass('walmill.job_position') IS NOT NULL, "
			"pg_catalog.to_char(pg_catalog.now(), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')", 0, NULL, &r, err))
		return -1;
	there = pg_bool(r, 0, 0);
	snprintf(ret->committed_at, sizeof(ret->committed_at), "%s", pg_text(r, 0, 1));
	pg_result_free(r);
	if (!there)
		return 0;
	if (pg_query(c, "SELECT job, commit_lsn, clock_us FROM walmill.job_position", 0, NULL, &r, err))
		return -1;
	lock_take(&l->lock);
	for (i = 0; i < pg_rows(r); i++) {
		int job = live_job_number(l, pg_text(r, i, 0));

		if (job < 0 || !lsn_parse(pg_value(r, i, 1), &ret->positions[job].lsn))
			continue;
		ret->positions[job].clock_us = pg_int(r, i, 2);
		ret->known[job] = true;
	}
	lock_drop(&l->lock);
	pg_result_free(r);
	return 0;
}

static void put_result_row(const struct live_table *t, const struct pg_result *r, unsigned row, struct buf *b)
{
	unsigned i;

	js_put_comma(b);
	buf_putc(b, '{');
	for (i = 0; i < t->ncolumns; i++) {
		js_put_key(b, t->columns[i].name);
		if (pg_null(r, row, i))
			buf_puts(b, "null");
		else
			put_text_value(b, t->columns[i].kind, pg_value(r, row, i));
	}
	buf_putc(b, '}');
}

static int table_exists(struct pg_conn *c, const struct live_table *t, bool *ret, struct err *err)
{
	const char *params[] = {t->schema, t->table};
	struct pg_result *r;

	if (pg_query(c, "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
			"WHERE n.nspname = $1 AND c.relname = $2", 2, params, &r, err))
		return -1;
	*ret = pg_rows(r) == 1;
	pg_result_free(r);
	return 0;
}

static int read_table(struct pg_conn *c, const struct live_table *t, struct buf *into, struct err *err)
{
	struct buf sql = BUF_INIT(1 << 16);
	struct pg_result *r;
	unsigned i, n = 0;
	bool there;
	int rc = -1;

	buf_putc(into, '[');
	if (table_exists(c, t, &there, err))
		goto out;
	buf_puts(&sql, "DECLARE live NO SCROLL CURSOR FOR SELECT ");
	for (i = 0; i < t->ncolumns; i++) {
		buf_puts(&sql, i ? ", " : "");
		pg_put_ident(&sql, view_str(t->columns[i].column));
	}
	buf_puts(&sql, " FROM ");
	pg_put_ident(&sql, view_str(t->schema));
	buf_putc(&sql, '.');
	pg_put_ident(&sql, view_str(t->table));
	if (there && pg_exec(c, buf_cstr(&sql), err))
		goto out;
	do {
		char fetch[64];

		snprintf(fetch, sizeof(fetch), "FETCH %d FROM live", FETCH_ROWS);
		if (there && pg_query(c, fetch, 0, NULL, &r, err))
			goto out;
		n = there ? pg_rows(r) : 0;
		for (i = 0; i < n; i++)
			put_result_row(t, r, i, into);
		if (there)
			pg_result_free(r);
	} while (n == FETCH_ROWS && buf_ok(into));
	if (there && pg_exec(c, "CLOSE live", err))
		goto out;
	buf_putc(into, ']');
	rc = buf_ok(into) ? 0 : err_set(err, ERR_LIMIT, "table %s.%s is too large to be shown as a whole", t->schema, t->table);
out:
	buf_release(&sql);
	return rc;
}

int table_snapshots(
	struct live *l, const bool wanted[TOPICS_MAX], struct buf into[TOPICS_MAX], struct table_snapshot *ret, struct err *err)
{
	struct pg_conn *c = NULL;
	unsigned i;
	int rc = -1;

	memset(ret, 0, sizeof(*ret));
	if (pg_connect(&l->target, PG_CONN_PLAIN, "walmill live", l->interrupt_fd, &c, err) ||
		pg_exec(c, "SET TimeZone = 'UTC'; SET DateStyle = ISO; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) ||
		read_positions(l, c, ret, err))
		goto out;
	for (i = 0; i < l->ntopics; i++)
		if (wanted[i] && read_table(c, l->topics[i].table, &into[i], err))
			goto out;
	rc = 0;
out:
	pg_close(c);
	return rc;
}
