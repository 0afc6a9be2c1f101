/*
 * Backfill: the source's tables at a cut, read for the job alone; the topics see nothing of it.
 *
 * A temporary slot's exported snapshot is the one place where PostgreSQL gives a snapshot and a position that belong together: a
 * transaction is in it if and only if its commit LSN is below the slot's consistent point. The units of the log from there on are folded on
 * top.
 */
#include <stdio.h>

#include "base/mem.h"
#include "job/job_int.h"
#include "model/value_text.h"
#include "pg/stream.h"

enum { FETCH_ROWS = 5000, SLOT_DEADLINE_MS = 60000, TRIES = 5 };

static void put_query(struct buf *b, const struct sql_table *t)
{
	uint32_t i;

	buf_puts(b, "SELECT ");
	for (i = 0; i < t->ncolumns; i++) {
		buf_puts(b, i ? ", " : "");
		/* as the type's output function writes it: a cast to text would cut the blanks of character(n) */
		pg_put_ident(b, view_str(t->columns[i].name));
	}
	buf_puts(b, " FROM ");
	pg_put_ident(b, view_str(t->schema));
	buf_putc(b, '.');
	pg_put_ident(b, view_str(t->name));
}

static int fold_rows(struct job *j, uint32_t table, const struct pg_result *r, struct err *err)
{
	struct value_env env = {.zone = tz_utc(), .zones = j->env->zones};
	struct job_table *t = &j->tables[table];
	uint32_t row, k;

	for (row = 0; row < pg_rows(r); row++) {
		arena_reset(&j->scratch);
		for (k = 0; k < t->sql->ncolumns; k++) {
			enum value_kind kind = (enum value_kind)t->sql->columns[k].type.kind;

			if (pg_null(r, row, k))
				t->row[k] = value_null(kind);
			else if (value_parse(pg_value(r, row, k), kind, &env, &j->scratch, &t->row[k], err))
				return err_context(
					err, "backfill of table \"%s.%s\", column \"%s\"", t->sql->schema, t->sql->name, t->sql->columns[k].name);
		}
		if (flow_upsert(j->flow, table, t->row, NULL, err))
			return -1;
	}
	return 0;
}

static int read_table(struct job *j, struct pg_conn *c, uint32_t table, struct err *err)
{
	struct buf sql = BUF_INIT(1 << 20);
	struct pg_result *r;
	char fetch[64];
	unsigned n;
	int rc = -1;

	buf_puts(&sql, "DECLARE backfill NO SCROLL CURSOR FOR ");
	put_query(&sql, j->tables[table].sql);
	if (pg_exec(c, buf_cstr(&sql), err))
		goto out;
	snprintf(fetch, sizeof(fetch), "FETCH %d FROM backfill", FETCH_ROWS);
	do {
		if (pg_query(c, fetch, 0, NULL, &r, err))
			goto out;
		n = pg_rows(r);
		rc = fold_rows(j, table, r, err);
		pg_result_free(r);
		if (rc)
			goto out;
		rc = -1;
	} while (n == FETCH_ROWS);
	rc = pg_exec(c, "CLOSE backfill", err);
out:
	buf_release(&sql);
	return rc;
}

int cut_lock_tables(struct job *j, struct pg_conn *c, struct err *err)
{
	struct pg_table_ref *refs = mem_zalloc(j->plan->ntables * sizeof(*refs));
	uint32_t i;
	int rc;

	for (i = 0; i < j->plan->ntables; i++) {
		const struct sql_table *t = &j->plan->tables[i];

		refs[i] = (struct pg_table_ref){.oid = t->oid, .schema = view_str(t->schema), .name = view_str(t->name)};
	}
	rc = pg_snapshot_lock(c, refs, j->plan->ntables, err);
	mem_free(refs);
	return rc;
}

static int try_once(struct job *j, struct pg_conn *repl, struct pg_conn *plain, struct err *err)
{
	struct pg_slot_made made;
	char name[64];
	uint32_t i;
	int rc;

	snprintf(name, sizeof(name), "walmill_backfill_%d", pg_backend_pid(repl));
	pg_set_deadline(repl, SLOT_DEADLINE_MS);
	if (pg_slot_create(repl, view_str(name), true, &made, err))
		return err_context(err, "could not create a slot for the backfill");
	if (pg_snapshot_import(plain, made.snapshot, err))
		return -1;
	rc = cut_lock_tables(j, plain, err);
	for (i = 0; i < j->plan->ntables && rc == 0; i++)
		rc = read_table(j, plain, i, err);
	if (rc == 0)
		rc = pg_exec(plain, "COMMIT", err);
	if (rc == 0) {
		j->skip_below = made.consistent_point;
		/* a position says "at or below", the cut "below" */
		j->folded_lsn = j->passed_lsn = made.consistent_point - 1;
	}
	return rc;
}

int backfill_run(struct job *j, struct err *err)
{
	struct pg_conn *repl = NULL, *plain = NULL;
	int rc = 1, tries;

	for (tries = 0; rc > 0 && tries < TRIES; tries++) {
		err_clear(err);
		rc = pg_connect(&j->source, PG_CONN_REPLICATION, "walmill backfill", j->interrupt_fd, &repl, err) ||
		     pg_connect(&j->source, PG_CONN_PLAIN, "walmill backfill", j->interrupt_fd, &plain, err) ? -1 : try_once(j, repl, plain, err);
		pg_close(repl);
		pg_close(plain);
		repl = plain = NULL;
	}
	return rc > 0 ? -1 : rc;
}
