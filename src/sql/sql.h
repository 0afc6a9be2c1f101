/*
 * From the text of a job file to a plan (sql/plan.h), with PostgreSQL doing the typing.
 *
 * sql_split() cuts the file into statements without any server. sql_job_plan() makes each SELECT a temporary view inside a transaction
 * that it rolls
 * back, reads the view's canonical text and its result types, and resolves every name, operator, function and cast of that text through the
 * server's catalog. What the plan cannot express is refused with the fragment of SQL that it is about and its place in the job file where
 * that can be told.
 *
 * The server is reached through struct sql_server, which the caller fills (module pg, or a test's libpq connection). One thread.
 */
#ifndef WALMILL_SQL_SQL_H
#define WALMILL_SQL_SQL_H

#include "sql/plan.h"

enum { SQL_FILE_MAX = 1024 * 1024, SQL_SELECT_MAX = 64 * 1024, SQL_DEPTH_MAX = 400 };

/* A result set, all values as text, borrowed from the arena given to the query. */
struct sql_rows {
	uint32_t nrows, ncolumns;
	const char **cells;     /* row by row; NULL = SQL null */
};

static inline const char *sql_cell(const struct sql_rows *r, uint32_t row, uint32_t column)
{
	return r->cells[(size_t)row * r->ncolumns + column];
}

struct sql_server {
	void *arg;
	/* One statement with text parameters $1..$n. Errors carry the server's SQLSTATE, message, detail and hint; *ret_position (may be
	 * NULL) is
	 * the 1-based character position that the server gave, or 0. */
	int (*query)(void *arg, const char *sql, const char *const *params, uint32_t nparams, struct arena *a, struct sql_rows *ret,
	             uint32_t *ret_position, struct err *err);
};

/* One statement of a job file. Offsets are bytes in the file. */
struct sql_part {
	bool is_set;
	uint32_t pos, len;              /* the whole statement, without the semicolon */
	const char *name, *value;       /* SET name = value | SET name TO value */
	const char *schema, *table;     /* INSERT INTO [schema.]table */
	uint32_t ncolumns;
	const char **columns;           /* the column list, or NULL */
	uint32_t select_pos, select_len;
};

/* Splits a job file: comments, strings and dollar quotes understood. ERR_INVALID with line and column in the message. */
int sql_split(struct view file, struct arena *a, struct sql_part **ret, uint32_t *ret_count, struct err *err) WM_MUST_USE;

struct sql_plan_options {
	const char *timezone;           /* when the file sets none; NULL: UTC */
	const char *search_path;        /* for names in the file without a schema; NULL: "public" */
	struct tz_cache *zones;
};

/* *ret is the caller's to release with sql_job_release(). */
int sql_job_plan(struct view file, const struct sql_server *server, const struct sql_plan_options *opts, struct sql_job **ret,
				 struct err *err) WM_MUST_USE;
void sql_job_release(struct sql_job *job);

#endif
