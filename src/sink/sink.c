/* The sink; see sink.h. Layout of the position table is in `make_table`. */
#include "sink/sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sink/sink_int.h"

enum { CHUNK_ROWS = 20000, CHUNK_BYTES = 16 << 20 };

/* IF NOT EXISTS does not keep two jobs that start at once from making the same thing: the lock does, until the implicit transaction's
 * end */
static const char make_table[] =
	"SELECT pg_catalog.pg_advisory_xact_lock(x'77616c6d696c6c'::int8); "
	"CREATE SCHEMA IF NOT EXISTS walmill; "
	"CREATE TABLE IF NOT EXISTS walmill.job_position (job text PRIMARY KEY, connector text NOT NULL, incarnation numeric(20) NOT NULL, "
	"system_id numeric(20) NOT NULL, commit_lsn pg_lsn NOT NULL, clock_us bigint NOT NULL, epoch bigint NOT NULL, definition text NOT "
	"NULL, "
	"written_at timestamptz NOT NULL DEFAULT pg_catalog.now()) WITH (fillfactor = 10)";

/* ---- opening ---- */

static int connect_session(struct sink *s, struct err *err)
{
	char name[80];

	pg_close(s->conn);
	s->conn = NULL;
	snprintf(name, sizeof(name), "walmill job %.50s", s->name);
	if (pg_connect(&s->params, PG_CONN_PLAIN, name, s->interrupt_fd, &s->conn, err))
		return -1;
	return pg_exec(s->conn, "SET synchronous_commit = off", err);
}

int sink_open(
	const struct pg_params *target, const char *job_name, const struct sql_job *job, int interrupt_fd, struct sink **ret, struct err *err)
{
	struct sink *s = mem_zalloc(sizeof(*s));
	struct pg_result *r;
	uint32_t i;
	bool there;

	s->arena = ARENA_INIT;
	s->job = job;
	s->name = mem_strdup(job_name);
	s->interrupt_fd = interrupt_fd;
	pg_params_copy(&s->params, target);
	for (i = 0; i < job->nstatements; i++)
		if (job->statements[i].ncolumns > s->ncolumns_text)
			s->ncolumns_text = job->statements[i].ncolumns;
	s->columns_text = mem_zalloc((s->ncolumns_text + 1) * sizeof(*s->columns_text));
	for (i = 0; i < s->ncolumns_text; i++)
		s->columns_text[i] = BUF_INIT((size_t)1 << 30);
	if (connect_session(s, err) || pg_query(s->conn, "SELECT pg_catalog.to_regclass('walmill.job_position') IS NOT NULL", 0, NULL, &r, err))
		goto fail;
	there = pg_bool(r, 0, 0);
	pg_result_free(r);
	if (!there && pg_exec(s->conn, make_table, err)) {
		err_context(err, "could not create table walmill.job_position in the target");
		err_hint(err, "Let this role create a schema in the target database, or create the table as its administrator.");
		goto fail;
	}
	if (targets_load(s, err))
		goto fail;
	*ret = s;
	return 0;
fail:
	sink_close(s);
	return -1;
}

void sink_close(struct sink *s)
{
	uint32_t i;

	if (!s)
		return;
	pg_close(s->conn);
	pg_params_release(&s->params);
	for (i = 0; i < s->ncolumns_text; i++)
		buf_release(&s->columns_text[i]);
	mem_free(s->columns_text);
	mem_free(s->name);
	arena_release(&s->arena);
	mem_free(s);
}

const struct flow_key *sink_keys(const struct sink *s)
{
	return s->keys;
}

/* ---- position ---- */

static int read_position(struct sink *s, struct sink_position *ret, struct err *err)
{
	static const char sql[] = "SELECT connector, incarnation, system_id, commit_lsn, clock_us, epoch, definition FROM walmill.job_position "
							  "WHERE job = $1 FOR UPDATE";
	const char *param = s->name;
	struct pg_result *r;

	if (pg_query(s->conn, sql, 1, &param, &r, err))
		return -1;
	*ret = (struct sink_position){.exists = pg_rows(r) == 1};
	if (ret->exists) {
		snprintf(ret->connector, sizeof(ret->connector), "%s", pg_text(r, 0, 0));
		ret->incarnation = strtoull(pg_text(r, 0, 1), NULL, 10);
		ret->system_id = strtoull(pg_text(r, 0, 2), NULL, 10);
		lsn_parse(pg_value(r, 0, 3), &ret->commit_lsn);
		ret->clock_us = pg_int(r, 0, 4);
		s->epoch = pg_int(r, 0, 5);
		snprintf(ret->definition, sizeof(ret->definition), "%s", pg_text(r, 0, 6));
	}
	pg_result_free(r);
	return 0;
}

int sink_last_connector(struct sink *s, char ret[256], struct err *err)
{
	const char *param = s->name;
	struct pg_result *r;

	if (pg_query(s->conn, "SELECT connector FROM walmill.job_position WHERE job = $1", 1, &param, &r, err))
		return -1;
	snprintf(ret, 256, "%s", pg_rows(r) == 1 ? pg_text(r, 0, 0) : "");
	pg_result_free(r);
	return 0;
}

int sink_connect(struct sink *s, struct sink_position *ret, struct err *err)
{
	const char *param = s->name;
	struct pg_result *r;

	if ((pg_is_broken(s->conn) && connect_session(s, err)) || pg_exec(s->conn, "BEGIN", err) || read_position(s, ret, err))
		return -1;
	if (ret->exists) {
		if (pg_query(s->conn, "UPDATE walmill.job_position SET epoch = epoch + 1 WHERE job = $1 RETURNING epoch", 1, &param, &r, err))
			return -1;
		s->epoch = pg_int(r, 0, 0);
		pg_result_free(r);
	} else {
		s->epoch = 0;
	}
	/* a new owner's epoch must survive a crash of the target, or the old owner could come back */
	if (pg_exec(s->conn, "SET LOCAL synchronous_commit = on; COMMIT", err) || pg_exec(s->conn, "DEALLOCATE ALL", err) ||
		targets_prepare(s, err))
		return -1;
	s->position = *ret;
	return pg_prepare(s->conn, "p",
		"WITH u AS (INSERT INTO walmill.job_position AS p (job, connector, incarnation, system_id, commit_lsn, clock_us, epoch, "
		"definition) "
		"SELECT $1, $2, $3::numeric, $4::numeric, $5::pg_lsn, $6::int8, $7::int8, $8 "
		"WHERE $9::bool OR EXISTS (SELECT 1 FROM walmill.job_position WHERE job = $1) "
		"ON CONFLICT (job) DO UPDATE SET connector = EXCLUDED.connector, incarnation = EXCLUDED.incarnation, system_id = "
		"EXCLUDED.system_id, "
		"commit_lsn = EXCLUDED.commit_lsn, clock_us = EXCLUDED.clock_us, definition = EXCLUDED.definition, written_at = pg_catalog.now() "
		"WHERE NOT $9::bool AND p.epoch = $7::int8 AND p.commit_lsn = $10::pg_lsn AND p.clock_us = $11::int8 AND p.incarnation = "
		"$12::numeric RETURNING 1) "
		"SELECT 1 / count(*) FROM u",
		err);
}

int sink_check(struct sink *s, struct err *err)
{
	return s->conn ? pg_check(s->conn, err) : err_set(err, ERR_CONNECTION, "the connection to the target is lost");
}

static int lost_ownership(const struct sink *s, struct err *err)
{
	err_set(err, ERR_STATE, "job \"%s\" is no longer owned by this walmill: its position in the target was changed by somebody else",
		s->name);
	return err_hint(err, "Two instances run the same job, or the position row was edited. Stop the other one, then resume the job.");
}

int sink_confirm(struct sink *s, struct err *err)
{
	const char *param = s->name;
	struct pg_result *r;
	bool same;
	lsn_t lsn;

	if (sink_check(s, err) ||
	    pg_query(s->conn, "SELECT commit_lsn, clock_us, epoch FROM walmill.job_position WHERE job = $1", 1, &param, &r, err))
		return -1;
	same = !s->position.exists ? pg_rows(r) == 0 : pg_rows(r) == 1 && lsn_parse(pg_value(r, 0, 0), &lsn) && lsn == s->position.commit_lsn &&
		pg_int(r, 0, 1) == s->position.clock_us && pg_int(r, 0, 2) == s->epoch;
	pg_result_free(r);
	return same ? 0 : lost_ownership(s, err);
}

void sink_set_deadline(struct sink *s, int64_t timeout_ms)
{
	if (s->conn)
		pg_set_deadline(s->conn, timeout_ms);
}

/* Queues the guarded update of the position; a division by zero in it means that the row is not as it was left. */
static int queue_position(struct sink *s, const struct sink_position *to, struct arena *a, struct err *err)
{
	const struct sink_position *was = &s->position;
	const char *params[12] = {
		s->name,
		to->connector,
		arena_printf(a, "%" PRIu64, to->incarnation),
		arena_printf(a, "%" PRIu64, to->system_id),
		arena_printf(a, LSN_FORMAT, LSN_ARGS(to->commit_lsn)),
		arena_printf(a, "%" PRId64, to->clock_us),
		arena_printf(a, "%" PRId64, s->epoch),
		to->definition,
		was->exists ? "f" : "t",
		arena_printf(a, LSN_FORMAT, LSN_ARGS(was->commit_lsn)),
		arena_printf(a, "%" PRId64, was->clock_us),
		arena_printf(a, "%" PRIu64, was->incarnation),
	};

	return pg_pipeline_run(s->conn, "p", 12, params, err);
}

/* ---- rows ---- */

static void put_element(struct buf *b, const struct value *v, const struct value_env *env, struct buf *text)
{
	size_t i;

	buf_putc(b, b->len ? ',' : '{');
	if (v->null) {
		buf_puts(b, "NULL");
		return;
	}
	buf_clear(text);
	value_print(v, env, text);
	buf_putc(b, '"');
	for (i = 0; i < text->len; i++) {
		if (text->ptr[i] == '"' || text->ptr[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, (char)text->ptr[i]);
	}
	buf_putc(b, '"');
}

/* Rows on their way into a statement: arrays in columns_text, one for each of its parameters. */
struct chunk {
	struct sink *s;
	const char *name;            /* prepared, or NULL: as text */
	const char *sql;
	struct value_env env;
	struct buf text;
	uint32_t width, n;           /* columns; rows so far */
	size_t bytes;
};

static void chunk_init(struct chunk *c, struct sink *s, const char *name, const char *sql, uint32_t width)
{
	*c = (struct chunk){.s = s, .name = name, .sql = sql, .env = {.zone = tz_utc(), .zones = NULL},
		.text = BUF_INIT((size_t)1 << 30), .width = width};
}

/* Queues the statement with the rows so far, if any. */
static int chunk_flush(struct chunk *c, struct err *err)
{
	const char **params;
	struct buf *text = c->s->columns_text;
	uint32_t i;
	int rc;

	if (c->n == 0)
		return 0;
	params = mem_alloc((c->width + 1) * sizeof(*params));
	for (i = 0; i < c->width; i++) {
		buf_putc(&text[i], '}');
		params[i] = buf_cstr(&text[i]);
		if (!buf_ok(&text[i])) {
			mem_free(params);
			return err_set(err, ERR_LIMIT, "result rows of more than 1 GiB cannot be written at once");
		}
	}
	rc = c->name ? pg_pipeline_run(c->s->conn, c->name, c->width, params, err)
	             : pg_pipeline_sql(c->s->conn, c->sql, c->width, params, err);
	for (i = 0; i < c->width; i++)
		buf_clear(&text[i]);
	mem_free(params);
	c->n = 0;
	c->bytes = 0;
	return rc;
}

static void chunk_put(struct chunk *c, uint32_t column, const struct value *v)
{
	put_element(&c->s->columns_text[column], v, &c->env, &c->text);
	c->bytes += c->text.len;
}

static int chunk_end_row(struct chunk *c, struct err *err)
{
	return ++c->n < CHUNK_ROWS && c->bytes < CHUNK_BYTES ? 0 : chunk_flush(c, err);
}

/* Queues what is left, unless something has failed, and lets go. */
static int chunk_end(struct chunk *c, int rc, struct err *err)
{
	uint32_t i;

	if (rc == 0)
		rc = chunk_flush(c, err);
	for (i = 0; i < c->width; i++)
		buf_clear(&c->s->columns_text[i]);
	buf_release(&c->text);
	return rc;
}

/* Which of the key's columns are null. */
static uint32_t nulls_of(const struct target *t, const struct value *key)
{
	uint32_t i, nulls = 0;

	for (i = 0; i < t->nkey && i < 32; i++)
		nulls |= (uint32_t)key[i].null << i;
	return nulls;
}

/* The deleted rows with these columns of the key null; *ret_next becomes the next larger set that occurs, or stays. */
static int queue_deletes_of(
	struct sink *s, struct flow *f, uint32_t st, uint32_t nulls, uint32_t *ret_next, uint64_t *rows, struct err *err)
{
	const struct target *t = &s->targets[st];
	struct flow_cursor at = {0};
	struct buf sql = BUF_INIT(1 << 20);
	struct flow_change ch;
	struct chunk c;
	char name[16];
	uint32_t i, n;
	int rc = 0;

	snprintf(name, sizeof(name), "d%u", st);
	if (nulls)
		target_put_delete(&sql, t, nulls);
	chunk_init(&c, s, nulls ? NULL : name, buf_cstr(&sql), t->nkey - (uint32_t)__builtin_popcount(nulls));
	while (rc == 0 && flow_next_change(f, st, &at, &ch)) {
		uint32_t theirs = nulls_of(t, ch.key);

		/* without a key there is nothing that an insert could conflict with: the one row is deleted first */
		if (ch.row && t->nkey)
			continue;
		if (theirs > nulls && (*ret_next == nulls || theirs < *ret_next))
			*ret_next = theirs;
		if (theirs != nulls)
			continue;
		for (i = 0, n = 0; i < t->nkey; i++)
			if (!target_key_is_null(nulls, i))
				chunk_put(&c, n++, &ch.key[i]);
		(*rows)++;
		rc = chunk_end_row(&c, err);
	}
	rc = chunk_end(&c, rc, err);
	flow_cursor_release(&at);
	buf_release(&sql);
	return rc;
}

static int queue_deletes(struct sink *s, struct flow *f, uint32_t st, uint64_t *rows, struct err *err)
{
	uint32_t nulls, next = 0;

	do {
		nulls = next;
		if (queue_deletes_of(s, f, st, nulls, &next, rows, err))
			return -1;
	} while (next != nulls);
	return 0;
}

/* Rows as parameters of a prepared statement: 'u' upserts of what changed, or all rows: 'a' as upserts, 'n' into the temporary table. */
static int queue_rows(struct sink *s, struct flow *f, uint32_t st, char verb, uint64_t *rows, struct err *err)
{
	bool all = verb == 'a' || verb == 'n';
	struct flow_cursor at = {0};
	struct flow_change ch;
	struct chunk c;
	char name[16];
	uint32_t i;
	int rc = 0;

	snprintf(name, sizeof(name), "%c%u", verb == 'a' ? 'u' : verb, st);
	chunk_init(&c, s, name, NULL, s->targets[st].st->ncolumns);
	while (rc == 0 && (all ? flow_next_result(f, st, &at, &ch) : flow_next_change(f, st, &at, &ch))) {
		if (!ch.row)
			continue;
		for (i = 0; i < c.width; i++)
			chunk_put(&c, i, &ch.row[i]);
		(*rows)++;
		rc = chunk_end_row(&c, err);
	}
	rc = chunk_end(&c, rc, err);
	flow_cursor_release(&at);
	return rc;
}

/* ---- transactions ---- */

static int replace_rows(struct sink *s, struct flow *f, uint32_t i, uint64_t *rows, struct err *err)
{
	struct buf sql = BUF_INIT(4096);
	int rc;

	if (s->targets[i].staged)
		return queue_rows(s, f, i, 'n', &s->staged_rows, err) || replace_queue(s, i, err) ? -1 : 0;
	buf_puts(&sql, "DELETE FROM ");
	target_put_name(&sql, &s->targets[i]);
	rc = pg_pipeline_sql(s->conn, buf_cstr(&sql), 0, NULL, err);
	buf_release(&sql);
	return rc || queue_rows(s, f, i, 'a', rows, err) ? -1 : 0;
}

static int write_all(
	struct sink *s, struct flow *f, const struct sink_position *to, bool durable, bool replace, uint64_t *rows, struct err *err)
{
	struct arena a = ARENA_INIT;
	uint32_t i;
	int rc = -1;

	if (pg_pipeline_sql(s->conn, "BEGIN", 0, NULL, err) ||
	    (durable && pg_pipeline_sql(s->conn, "SET LOCAL synchronous_commit = on", 0, NULL, err)) || queue_position(s, to, &a, err))
		goto out;
	for (i = 0; i < s->job->nstatements; i++)
		if (replace ? replace_rows(s, f, i, rows, err) : queue_deletes(s, f, i, rows, err) || queue_rows(s, f, i, 'u', rows, err))
			goto out;
	rc = pg_pipeline_sql(s->conn, "COMMIT", 0, NULL, err);
out:
	arena_release(&a);
	return rc;
}

static int transaction(
	struct sink *s, struct flow *f, const struct sink_position *to, bool durable, bool replace, uint64_t *ret_rows, struct err *err)
{
	unsigned index = 0;
	uint64_t affected = 0;
	int rc;

	if (pg_pipeline_begin(s->conn, err))
		return -1;
	*ret_rows = 0;
	rc = write_all(s, f, to, durable, replace, ret_rows, err);
	if (rc == 0)
		rc = pg_pipeline_finish(s->conn, &index, &affected, err);
	if (rc == 0) {
		s->position = *to;
		s->position.exists = true;
		/* of a replacement the server counts: rows that go, rows that come, and all of them where they come to be compared */
		if (replace)
			*ret_rows = affected - s->staged_rows;
		return 0;
	}
	if (strcmp(err->sqlstate, "22012") == 0 && index == (durable ? 2u : 1u))
		lost_ownership(s, err);
	/* a failed pipeline leaves the transaction open, and what the server did is not known: begin anew on another connection */
	pg_close(s->conn);
	s->conn = NULL;
	{
		struct err again = ERR_INIT;

		if (connect_session(s, &again) && err->code != ERR_STATE)
			*err = again;
	}
	return -1;
}

int sink_write(struct sink *s, struct flow *f, const struct sink_position *to, bool durable, uint64_t *ret_rows, struct err *err)
{
	return transaction(s, f, to, durable, false, ret_rows, err);
}

int sink_replace(struct sink *s, struct flow *f, const struct sink_position *to, uint64_t *ret_rows, struct err *err)
{
	/* comparing sorts both sides: no fixed time is enough for every table, and a peer that is gone is noticed by tcp_user_timeout */
	int64_t timeout_ms = pg_set_deadline(s->conn, 0);
	int rc = replace_begin(s, err) || transaction(s, f, to, true, true, ret_rows, err) ? -1 : 0;

	replace_end(s);
	if (s->conn)
		pg_set_deadline(s->conn, timeout_ms);
	return rc;
}

int sink_target_rows(struct sink *s, uint32_t statement, uint64_t *ret, struct err *err)
{
	struct buf sql = BUF_INIT(4096);
	struct pg_result *r;
	int rc;

	buf_puts(&sql, "SELECT count(*) FROM ");
	target_put_name(&sql, &s->targets[statement]);
	rc = pg_query(s->conn, buf_cstr(&sql), 0, NULL, &r, err);
	buf_release(&sql);
	if (rc)
		return -1;
	*ret = (uint64_t)pg_int(r, 0, 0);
	pg_result_free(r);
	return 0;
}

void sink_target(const struct sink *s, uint32_t statement, struct sink_target_info *ret)
{
	const struct target *t = &s->targets[statement];

	*ret = (struct sink_target_info){t->quoted, t->columns, t->target_types};
}

void sink_target_name(const struct sink *s, uint32_t statement, char *ret, size_t room)
{
	const struct target *t = &s->targets[statement];

	snprintf(ret, room, "%.*s.%.*s", (int)t->schema.len, (const char *)t->schema.ptr, (int)t->name.len, (const char *)t->name.ptr);
}

int sink_forget(struct sink *s, struct err *err)
{
	const char *param = s->name;
	struct pg_result *r;

	if (pg_query(s->conn, "DELETE FROM walmill.job_position WHERE job = $1", 1, &param, &r, err))
		return -1;
	pg_result_free(r);
	s->position.exists = false;
	return 0;
}
