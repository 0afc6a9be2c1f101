/*
 * Verify: is the target what the query gives at the same position and time? See job.h.
 *
 * The job first stands still between two steps. Then, on the caller's thread, a temporary slot gives a snapshot and its position (the cut),
 * and a second session imports the snapshot; its now() is the cut's time. The job goes to exactly that position and time and stands again.
 * Target and query are read and compared by value, row by row. The replication session sends nothing until the import, as its next command
 * would end the snapshot.
 *
 * The hold has a deadline; what holds it up is in nearly all cases a long transaction that the slot waits for. The application waits for
 * nothing.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "flow/kv.h"
#include "job/job_int.h"
#include "model/value_text.h"
#include "pg/stream.h"

enum { HOLD_DEADLINE_US = 30000000, FETCH_ROWS = 5000, SHOWN_MAX = 100 };

/* ---- the job's thread ---- */

static enum hold_phase phase_now(struct job *j)
{
	enum hold_phase p;

	lock_take(&j->lock);
	p = j->hold.phase;
	lock_drop(&j->lock);
	return p;
}

static void phase_set(struct job *j, enum hold_phase p, const struct err *why)
{
	lock_take(&j->lock);
	/* the other side may have given up meanwhile */
	if (j->hold.phase != HOLD_NONE)
		j->hold.phase = p;
	if (why)
		j->hold.error = *why;
	lock_drop(&j->lock);
	wake_signal(&j->held);
}

static int advance(struct job *j, struct err *err)
{
	struct wake *wake = log_wake(j->env->log);
	bool more;

	if (j->hold.clock_us < j->clock) {
		struct err why = ERR_INIT;

		err_set(&why, ERR_STATE, "the source's clock is %" PRId64 " ms behind walmill's", (j->clock - j->hold.clock_us) / 1000);
		err_hint(&why, "Let both machines keep time by NTP.");
		phase_set(j, HOLD_REFUSED, &why);
		return 0;
	}
	j->clock = j->hold.clock_us;
	if (flow_step_begin(j->flow, j->clock, err))
		return -1;
	while (phase_now(j) == HOLD_ADVANCE) {
		uint64_t seen = wake_seen(wake);

		if (job_must_leave(j)) {
			struct err why = ERR_INIT;

			err_set(&why, ERR_STATE, "the job was told to stop");
			phase_set(j, HOLD_REFUSED, &why);
			return 0;
		}
		if (follow_some(j, j->hold.cut, &more, err))
			return -1;
		if (j->passed_lsn >= j->hold.cut) {
			if (follow_finish(j, err) || sink_confirm(j->sink, err))
				return -1;
			job_publish(j);
			phase_set(j, HOLD_REACHED, NULL);
			return 0;
		}
		if (!more)
			wake_wait(wake, seen, 100000);
	}
	return 0;
}

int hold_serve(struct job *j, struct err *err)
{
	if (phase_now(j) != HOLD_WANTED || !j->ready || j->in_snapshot)
		return 0;
	/*
	 * Until the other side lets go, whatever else is asked: it reads the plan meanwhile, and it has a deadline. WANTED may also be
	 * the next one's wish, who came before this thread saw the last one let go.
	 */
	for (;;) {
		uint64_t seen = wake_seen(&j->held);
		enum hold_phase p = phase_now(j);

		if (p == HOLD_NONE)
			return 0;
		if (p == HOLD_WANTED)
			phase_set(j, HOLD_STILL, NULL);
		if (p == HOLD_ADVANCE && advance(j, err)) {
			phase_set(j, HOLD_REFUSED, err); /* this session ends, and the next one knows nothing of the hold */
			return -1;
		}
		if (p != HOLD_ADVANCE)
			wake_wait(&j->held, seen, 100000);
	}
}

/* ---- the caller's thread ---- */

static int hold_until(struct job *j, enum hold_phase want, int64_t deadline_us, const char *what, struct err *err)
{
	for (;;) {
		uint64_t seen = wake_seen(&j->held);
		int64_t left = deadline_us - io_monotonic_us(j->env->io);
		struct job_status st;
		enum hold_phase p = phase_now(j);

		if (p == want)
			return 0;
		if (p == HOLD_REFUSED) {
			*err = j->hold.error;
			return -1;
		}
		job_status(j, &st);
		if (st.state == JOB_FAILED || st.state == JOB_CANCELED || st.state == JOB_PAUSED)
			return err_set(
				err, ERR_STATE, "job \"%s\" is %s%s%s", j->name, job_state_name(st.state), st.error.code ? ": " : "", st.error.text);
		if (left <= 0)
			return err_set(err, ERR_TIMEOUT, "job \"%s\" did not get to %s within %d s", j->name, what, HOLD_DEADLINE_US / 1000000);
		wake_wait(&j->held, seen, left < 100000 ? left : 100000);
	}
}

static void hold_to(struct job *j, enum hold_phase p)
{
	lock_take(&j->lock);
	j->hold.phase = p;
	lock_drop(&j->lock);
	wake_signal(&j->held);
	wake_signal(log_wake(j->env->log));
}

/* Slot, snapshot, cut and its time. The two connections are the caller's to close. 1 = start over: TRUNCATE does not mind snapshots. */
static int try_cut(struct job *j, struct pg_conn **repl, struct pg_conn **source, struct err *err)
{
	struct buf sql = BUF_INIT(512);
	struct pg_slot_made made;
	struct pg_result *r;
	char name[64];
	int rc = -1;

	if (pg_connect(&j->source, PG_CONN_REPLICATION, "walmill verify", -1, repl, err) ||
	    pg_connect(&j->source, PG_CONN_PLAIN, "walmill verify", -1, source, err))
		goto out;
	snprintf(name, sizeof(name), "walmill_verify_%d", pg_backend_pid(*repl));
	pg_set_deadline(*repl, HOLD_DEADLINE_US / 1000);
	if (pg_slot_create(*repl, view_str(name), true, &made, err)) {
		err_context(err, "could not create a temporary slot");
		goto out;
	}
	buf_puts(&sql, "SET LOCAL TimeZone = ");
	pg_put_literal(&sql, view_str(j->plan->timezone));
	if (pg_snapshot_import(*source, made.snapshot, err) || pg_exec(*source, buf_cstr(&sql), err))
		goto out;
	rc = cut_lock_tables(j, *source, err);
	if (rc)
		goto out;
	rc = -1;
	if (pg_query(*source, "SELECT (extract(epoch FROM pg_catalog.now()) * 1000000)::int8", 0, NULL, &r, err))
		goto out;
	lock_take(&j->lock);
	j->hold.cut = made.consistent_point;
	j->hold.clock_us = pg_int(r, 0, 0) - POSTGRES_EPOCH_US;
	lock_drop(&j->lock);
	pg_result_free(r);
	rc = 0;
out:
	buf_release(&sql);
	return rc;
}

static int make_cut(struct job *j, int64_t deadline_us, struct pg_conn **repl, struct pg_conn **source, struct err *err)
{
	int rc;

	while ((rc = try_cut(j, repl, source, err)) > 0 && io_monotonic_us(j->env->io) < deadline_us) {
		pg_close(*source);
		pg_close(*repl);
		*source = *repl = NULL;
		err_clear(err);
	}
	return rc > 0 ? -1 : rc;
}

/* ---- comparing ---- */

struct comparison {
	struct job *j;
	uint32_t st;
	struct kv rows;            /* key bytes -> struct blob: the query's rows, taken out as the target's meet them */
	struct arena a;
	struct value *row;
	struct job_verdict *verdict;
	struct buf *into;
	struct sink_target_info target;
};

static void put_select(struct buf *b, const struct comparison *c, bool query)
{
	const struct sql_statement *st = &c->j->plan->statements[c->st];
	uint32_t i;

	buf_puts(b, "SELECT ");
	for (i = 0; i < st->ncolumns; i++) {
		buf_puts(b, i ? ", " : "");
		/* the query's value as it would stand in the target, where that has a type which the source knows */
		if (query) {
			buf_printf(b, "q.c%u", i);
			if (c->target.types[i].len)
				buf_printf(b, "::%.*s", (int)c->target.types[i].len, (const char *)c->target.types[i].ptr);
			buf_puts(b, "::text");
		} else {
			pg_put_ident(b, c->target.columns[i]);
			buf_puts(b, "::text");
		}
	}
	if (!query) {
		buf_printf(b, " FROM %.*s", (int)c->target.table.len, (const char *)c->target.table.ptr);
		return;
	}
	buf_puts(b, " FROM (");
	buf_puts(b, st->canonical);
	if (b->len && b->ptr[b->len - 1] == ';')
		b->len--;
	buf_puts(b, ") q(");
	for (i = 0; i < st->ncolumns; i++)
		buf_printf(b, "%sc%u", i ? ", " : "", i);
	buf_putc(b, ')');
}

static int parse_row(struct comparison *c, const struct pg_result *r, uint32_t row, struct buf *key, struct buf *stored, struct err *err)
{
	const struct sql_statement *st = &c->j->plan->statements[c->st];
	struct value_env env = {.zone = c->j->plan->zone, .zones = c->j->env->zones};
	const struct flow_key *k = &sink_keys(c->j->sink)[c->st];
	uint32_t i;

	arena_reset(&c->a);
	buf_clear(key);
	buf_clear(stored);
	for (i = 0; i < st->ncolumns; i++) {
		enum value_kind kind = (enum value_kind)st->root->types[i].kind;

		if (pg_null(r, row, i) || st->is_write_time[i])
			c->row[i] = value_null(kind);
		else if (value_parse(pg_value(r, row, i), kind, &env, &c->a, &c->row[i], err))
			return -1;
	}
	/* keys are compared by value, and so are rows: both sides go through the same bytes */
	for (i = 0; i < k->n; i++)
		value_put_key(key, &c->row[k->columns[i]]);
	for (i = 0; i < st->ncolumns; i++)
		value_put_key(stored, &c->row[i]);
	return 0;
}

/* again: the key is shown once more, with what it should be. */
static void show(struct comparison *c, char sign, bool again, const struct pg_result *r, uint32_t row)
{
	uint32_t i;

	c->verdict->differences++;
	c->verdict->rows_differed += !again;
	if (c->verdict->differences > SHOWN_MAX)
		return;
	buf_printf(c->into, "%c %.*s (", sign, (int)c->target.table.len, (const char *)c->target.table.ptr);
	for (i = 0; i < pg_columns(r); i++)
		buf_printf(c->into, "%s%s", i ? ", " : "", pg_null(r, row, i) ? "NULL" : pg_text(r, row, i));
	buf_puts(c->into, ")\n");
}

/* Reads one side in pieces; the query's rows are kept, the target's looked up. The target's missing rows are read once more at the end. */
static int read_side(struct comparison *c, struct pg_conn *conn, bool query, bool report_missing, struct err *err)
{
	struct buf sql = BUF_INIT(1 << 20), key = BUF_INIT((size_t)1 << 30), stored = BUF_INIT((size_t)1 << 30);
	struct pg_result *r;
	char fetch[64];
	uint32_t i, n;
	int rc = -1;

	buf_puts(&sql, "DECLARE side NO SCROLL CURSOR FOR ");
	put_select(&sql, c, query);
	snprintf(fetch, sizeof(fetch), "FETCH %d FROM side", FETCH_ROWS);
	if (pg_exec(conn, buf_cstr(&sql), err))
		goto out;
	do {
		if (pg_query(conn, fetch, 0, NULL, &r, err))
			goto out;
		n = pg_rows(r);
		for (i = 0; i < n; i++) {
			struct kv_entry *e;

			if (parse_row(c, r, i, &key, &stored, err)) {
				pg_result_free(r);
				goto out;
			}
			e = kv_find(&c->rows, buf_view(&key));
			if (query && report_missing) {
				if (e)
					show(c, '-', false, r, i);
			} else if (query) {
				c->verdict->rows++;
				e = kv_put(&c->rows, buf_view(&key));
				if (e->value)
					show(c, '?', false, r, i); /* two rows of one key in the query itself */
				else
					e->value = blob_new(buf_view(&stored));
			} else if (!e) {
				show(c, '+', false, r, i);
			} else {
				bool same = view_eq(blob_view(e->value), buf_view(&stored));

				if (!same)
					show(c, '+', true, r, i);
				if (same) {
					blob_drop(e->value);
					kv_remove(&c->rows, e);
				}
			}
		}
		pg_result_free(r);
	} while (n == FETCH_ROWS);
	rc = pg_exec(conn, "CLOSE side", err);
out:
	buf_release(&sql);
	buf_release(&key);
	buf_release(&stored);
	return rc;
}

static int compare(
	struct job *j, uint32_t st, struct pg_conn *source, struct pg_conn *target, struct job_verdict *v, struct buf *into, struct err *err)
{
	struct comparison c = {.j = j, .st = st, .rows = KV_INIT, .a = ARENA_INIT, .verdict = v, .into = into};
	uint64_t rows = v->rows, differed = v->rows_differed;
	struct kv_entry *e;
	size_t pos = 0;
	int rc;

	c.row = mem_zalloc((j->plan->statements[st].ncolumns + 1) * sizeof(*c.row));
	sink_target(j->sink, st, &c.target);
	rc = read_side(&c, source, true, false, err);
	if (rc == 0)
		rc = read_side(&c, target, false, false, err);
	/* what is left of the query's rows has no equal in the target */
	if (rc == 0 && c.rows.count)
		rc = read_side(&c, source, true, true, err);
	while ((e = kv_next(&c.rows, &pos)) != NULL)
		blob_drop(e->value);
	kv_release(&c.rows);
	arena_release(&c.a);
	mem_free(c.row);
	if (v->ntables < JOB_VERDICT_TABLES) {
		struct job_verdict_table *t = &v->tables[v->ntables++];

		sink_target_name(j->sink, st, t->name, sizeof(t->name));
		t->rows = v->rows - rows;
		t->differed = v->rows_differed - differed;
	}
	return rc;
}

static int compare_all(struct job *j, struct pg_conn *source, struct job_verdict *v, struct buf *into, struct err *err)
{
	struct pg_conn *target = NULL;
	struct buf sql = BUF_INIT(512);
	uint32_t i;
	int rc = -1;

	buf_puts(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL TimeZone = ");
	pg_put_literal(&sql, view_str(j->plan->timezone));
	if (pg_connect(&j->env->target, PG_CONN_PLAIN, "walmill verify", -1, &target, err) || pg_exec(target, buf_cstr(&sql), err))
		goto out;
	/* the target's snapshot is taken while the job stands; then it may go on */
	if (pg_exec(target, "SELECT 1", err))
		goto out;
	rc = 0;
	for (i = 0; i < j->plan->nstatements && rc == 0; i++)
		rc = compare(j, i, source, target, v, into, err);
	v->equal = rc == 0 && v->differences == 0;
out:
	pg_close(target);
	buf_release(&sql);
	return rc;
}

int job_verify(struct job *j, struct job_verdict *ret, struct buf *into, struct err *err)
{
	int64_t begin = io_monotonic_us(j->env->io), deadline = begin + HOLD_DEADLINE_US;
	struct pg_conn *repl = NULL, *source = NULL;
	struct job_status st;
	int rc = -1;

	*ret = (struct job_verdict){.equal = false};
	job_status(j, &st);
	if (st.state == JOB_DEGRADED)
		return err_set(err, ERR_STATE, "job \"%s\" is DEGRADED: %s", j->name, st.error.text);
	lock_take(&j->lock);
	if (j->hold.phase != HOLD_NONE) {
		lock_drop(&j->lock);
		return err_set(err, ERR_BUSY, "job \"%s\" is being verified already", j->name);
	}
	j->hold = (struct hold){.phase = HOLD_WANTED};
	lock_drop(&j->lock);
	hold_to(j, HOLD_WANTED);
	if (hold_until(j, HOLD_STILL, deadline, "a stand", err) || make_cut(j, deadline, &repl, &source, err))
		goto out;
	hold_to(j, HOLD_ADVANCE);
	if (hold_until(j, HOLD_REACHED, deadline, "the cut", err))
		goto out;
	ret->cut = j->hold.cut;
	rc = compare_all(j, source, ret, into, err);
out:
	hold_to(j, HOLD_NONE);
	ret->held_us = io_monotonic_us(j->env->io) - begin;
	pg_close(source);
	pg_close(repl);
	return rc;
}
