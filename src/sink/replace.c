/*
 * Making a target equal to a result by touching only what differs, for sink_replace. The job's thread.
 *
 * The result goes into a temporary table; then, in the same transaction, rows of the target that have no identical one there are deleted,
 * and those that have none in the target are inserted. Identical is what record_image_eq says, as for a concurrent refresh of a
 * materialized view: it needs no equality of the type (json), and tells 1.0 from 1.00, -0 from 0, and citext by its letters; NULL is
 * identical to NULL. It sorts, so that the comparison is a merge join. The time of writing is not compared.
 */
#include <stdio.h>

#include "sink/sink_int.h"

static void put_new_name(struct buf *b, uint32_t i)
{
	buf_printf(b, "pg_temp.walmill_new_%u", i);
}

/* alias."a", alias."b": all columns, or those that are compared */
static void put_list(struct buf *b, const struct target *t, const char *alias, bool compared)
{
	const char *comma = "";
	uint32_t i;

	for (i = 0; i < t->st->ncolumns; i++) {
		if (compared && t->st->is_write_time[i])
			continue;
		buf_printf(b, "%s%s.", comma, alias);
		pg_put_ident(b, t->columns[i]);
		comma = ", ";
	}
}

static void put_image(struct buf *b, const struct target *t, const char *alias)
{
	buf_puts(b, "ROW(");
	put_list(b, t, alias, true);
	buf_putc(b, ')');
}

/* WHERE NOT EXISTS: in the other table, the new rows or the target, a row that is identical to the one called `alias`. */
static void put_alone(struct buf *b, const struct target *t, uint32_t i, bool other_is_new, const char *alias)
{
	buf_puts(b, " WHERE NOT EXISTS (SELECT FROM (SELECT ");
	put_image(b, t, "o");
	buf_puts(b, " AS image FROM ");
	if (other_is_new)
		put_new_name(b, i);
	else
		target_put_name(b, t);
	buf_puts(b, " AS o) AS s WHERE s.image OPERATOR(pg_catalog.*=) ");
	put_image(b, t, alias);
	buf_putc(b, ')');
}

static void put_table(struct buf *b, const struct target *t, uint32_t i)
{
	buf_puts(b, "DROP TABLE IF EXISTS ");
	put_new_name(b, i);
	buf_printf(b, "; CREATE TEMPORARY TABLE walmill_new_%u ON COMMIT DELETE ROWS AS SELECT ", i);
	put_list(b, t, "t", false);
	buf_puts(b, " FROM ");
	target_put_name(b, t);
	buf_puts(b, " AS t WITH NO DATA");
}

/* 1: it has a row, 0: none, or -1 */
static int has_rows(struct sink *s, const struct target *t, struct err *err)
{
	struct buf sql = BUF_INIT(4096);
	struct pg_result *r;
	int rc;

	buf_puts(&sql, "SELECT EXISTS (SELECT FROM ");
	target_put_name(&sql, t);
	buf_putc(&sql, ')');
	rc = pg_query(s->conn, buf_cstr(&sql), 0, NULL, &r, err);
	buf_release(&sql);
	if (rc)
		return -1;
	rc = pg_bool(r, 0, 0);
	pg_result_free(r);
	return rc;
}

static int stage_one(struct sink *s, uint32_t i, struct err *err)
{
	struct target *t = &s->targets[i];
	struct buf sql = BUF_INIT(16 << 20);
	char name[16];
	int rc = has_rows(s, t, err);

	/* nothing to compare with; and a single row is written anew */
	if (rc <= 0 || t->nkey == 0)
		return rc < 0 ? -1 : 0;
	put_table(&sql, t, i);
	rc = pg_exec(s->conn, buf_cstr(&sql), err);
	if (rc && strcmp(err->sqlstate, "42501") == 0) {
		err_clear(err); /* no right to make temporary tables: all rows are written anew */
		buf_release(&sql);
		return 0;
	}
	if (rc == 0) {
		buf_clear(&sql);
		buf_puts(&sql, "INSERT INTO ");
		put_new_name(&sql, i);
		target_put_rows(&sql, t);
		snprintf(name, sizeof(name), "n%u", i);
		rc = pg_prepare(s->conn, name, buf_cstr(&sql), err);
	}
	t->staged = rc == 0;
	buf_release(&sql);
	return rc;
}

int replace_begin(struct sink *s, struct err *err)
{
	uint32_t i;

	s->staged_rows = 0;
	for (i = 0; i < s->job->nstatements; i++)
		if (stage_one(s, i, err)) {
			err_context(err, "could not compare \"%.*s.%.*s\" with the result", (int)s->targets[i].schema.len,
				(const char *)s->targets[i].schema.ptr, (int)s->targets[i].name.len, (const char *)s->targets[i].name.ptr);
			return -1;
		}
	return 0;
}

int replace_queue(struct sink *s, uint32_t i, struct err *err)
{
	const struct target *t = &s->targets[i];
	struct buf sql = BUF_INIT(16 << 20);
	int rc;

	buf_puts(&sql, "DELETE FROM ");
	target_put_name(&sql, t);
	buf_puts(&sql, " AS t");
	put_alone(&sql, t, i, true, "t");
	rc = pg_pipeline_sql(s->conn, buf_cstr(&sql), 0, NULL, err);
	if (rc == 0) {
		buf_clear(&sql);
		buf_puts(&sql, "INSERT INTO ");
		target_put_name(&sql, t);
		target_put_columns(&sql, t);
		buf_puts(&sql, " SELECT ");
		put_list(&sql, t, "n", false);
		buf_puts(&sql, " FROM ");
		put_new_name(&sql, i);
		buf_puts(&sql, " AS n");
		put_alone(&sql, t, i, false, "n");
		rc = pg_pipeline_sql(s->conn, buf_cstr(&sql), 0, NULL, err);
	}
	buf_release(&sql);
	return rc;
}

void replace_end(struct sink *s)
{
	struct err ignored = ERR_INIT;
	char sql[100];
	uint32_t i;

	for (i = 0; i < s->job->nstatements; i++) {
		/* what fails here has broken the connection, which the next write notices */
		snprintf(sql, sizeof(sql), "DEALLOCATE n%u; DROP TABLE IF EXISTS pg_temp.walmill_new_%u", i, i);
		if (s->targets[i].staged && s->conn && pg_exec(s->conn, sql, &ignored))
			err_clear(&ignored);
		s->targets[i].staged = false;
	}
}
