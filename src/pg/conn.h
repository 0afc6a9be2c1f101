/*
 * Connections to PostgreSQL through libpq.
 *
 * Every session is pinned: UTF8, ISO dates, UTC, empty search_path, row_security off (a policy that would filter rows is an error, not a
 * silent filter), no surprises from role or database settings. Statements run asynchronously underneath, so that each of them can be ended
 * by a deadline or by the connection's interrupt descriptor; a connection whose statement was interrupted is closed, as nobody knows what
 * state it is in.
 *
 * A connection belongs to one thread at a time.
 */
#ifndef WALMILL_PG_CONN_H
#define WALMILL_PG_CONN_H

#include "base/bytes.h"
#include "base/err.h"

/* Where to connect; typed fields instead of a connection string, so that no field can smuggle in another option. NULL = libpq's default. */
struct pg_params {
	char *host;      /* a name, an address, or the directory of a socket */
	char *port;
	char *user;
	char *password;
	char *dbname;
	char *sslmode, *sslrootcert, *sslcert, *sslkey;
};

/* From a connection URI or key-value string that the operator gave (--source); keywords other than those above are refused by name. */
int pg_params_parse(const char *dsn, struct pg_params *ret, struct err *err) WM_MUST_USE;
void pg_params_copy(struct pg_params *to, const struct pg_params *from);
void pg_params_release(struct pg_params *p);
/* "postgresql://user@host:port/dbname", never the password; for messages. */
void pg_params_describe(const struct pg_params *p, struct buf *into);

struct pg_conn;

enum pg_conn_kind {
	PG_CONN_PLAIN,
	PG_CONN_REPLICATION,  /* replication=database: SQL and replication commands, simple protocol only */
};

/* `name` is the application_name. interrupt_fd: readable = give up with ERR_CANCELED; -1 = never. Kept for all later calls. */
int pg_connect(const struct pg_params *p, enum pg_conn_kind kind, const char *name, int interrupt_fd, struct pg_conn **ret,
	       struct err *err) WM_MUST_USE;
void pg_close(struct pg_conn *c);

/* For every statement from here on; 0 = none. Default 60 s. ERR_TIMEOUT when it passes. */
int64_t pg_set_deadline(struct pg_conn *c, int64_t timeout_ms); /* the one before */

int pg_server_version(const struct pg_conn *c);  /* 150018 */
bool pg_is_broken(const struct pg_conn *c);      /* the connection is gone, only pg_close is left; or there is none (NULL) */
/* Whether an idle connection has been ended by the server, as far as this machine knows; no round trip. ERR_CONNECTION. */
int pg_check(struct pg_conn *c, struct err *err) WM_MUST_USE;
int pg_fd(const struct pg_conn *c);
int pg_backend_pid(const struct pg_conn *c);

/* ---- statements ---- */

/* Runs one or several statements without looking at rows. */
int pg_exec(struct pg_conn *c, const char *sql, struct err *err) WM_MUST_USE;

struct pg_result;

/* One statement with text parameters (NULL pointer = SQL NULL), rows as text. params may be NULL when nparams is 0 (then the simple
 * protocol is used, as replication connections need). */
int pg_query(
	struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, struct pg_result **ret, struct err *err) WM_MUST_USE;

/* The same with rows in binary format. */
int pg_query_binary(struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, struct pg_result **ret,
		    struct err *err) WM_MUST_USE;

/*
 * pg_query for a statement that comes often: prepared when it comes first, so that the server reads and plans it once. A connection keeps
 * PG_STATEMENTS_MAX of them, the latest used; what varies belongs into parameters. Over a pooler that gives each transaction another
 * server session it answers as well, but is no faster.
 */
enum { PG_STATEMENTS_MAX = 64 };
int pg_query_prepared(
	struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, struct pg_result **ret, struct err *err) WM_MUST_USE;

/* 1-based character position in the statement that the last error was about; 0 = the server gave none. */
uint32_t pg_error_position(const struct pg_conn *c);

unsigned pg_rows(const struct pg_result *r);
unsigned pg_columns(const struct pg_result *r);
bool pg_null(const struct pg_result *r, unsigned row, unsigned col);
struct view pg_value(const struct pg_result *r, unsigned row, unsigned col);  /* NUL-terminated text; lives as long as the result */
const char *pg_text(const struct pg_result *r, unsigned row, unsigned col);   /* "" for NULL */
int64_t pg_int(const struct pg_result *r, unsigned row, unsigned col);        /* 0 for NULL */
bool pg_bool(const struct pg_result *r, unsigned row, unsigned col);
uint64_t pg_affected(const struct pg_result *r);
void pg_result_free(struct pg_result *r);

/* Quoted as the server reads it back: "na""me" and 'te''xt' (with E'' where a backslash occurs). */
void pg_put_ident(struct buf *b, struct view name);
void pg_put_literal(struct buf *b, struct view text);

/* ---- prepared statements in one round trip ---- */

int pg_prepare(struct pg_conn *c, const char *name, const char *sql, struct err *err) WM_MUST_USE;

/*
 * Between begin and finish, statements are queued and go to the server together. finish waits for all of them: 0 when every one succeeded,
 * else the first error, and *ret_index is the number of the statement that failed, from 0; *ret_affected is how many rows INSERT, UPDATE
 * and DELETE have touched in all. Both may be NULL. The text of parameters must live until finish. Over the queue's own BEGIN and COMMIT
 * the whole is one transaction; if it failed, roll back.
 */
int pg_pipeline_begin(struct pg_conn *c, struct err *err) WM_MUST_USE;
int pg_pipeline_sql(struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, struct err *err) WM_MUST_USE;
int pg_pipeline_run(struct pg_conn *c, const char *name, unsigned nparams, const char *const *params, struct err *err) WM_MUST_USE;
int pg_pipeline_finish(struct pg_conn *c, unsigned *ret_index, uint64_t *ret_affected, struct err *err) WM_MUST_USE;

/* ---- COPY TO STDOUT ---- */

/* Starts; then pg_copy_next until it yields nothing. */
int pg_copy_out(struct pg_conn *c, const char *sql, struct err *err) WM_MUST_USE;
/* *ret lives until the next call; ptr NULL at the end (all went well). */
int pg_copy_next(struct pg_conn *c, struct view *ret, struct err *err) WM_MUST_USE;

/* ---- COPY FROM STDIN ---- */

int pg_copy_in(struct pg_conn *c, const char *sql, struct err *err) WM_MUST_USE;
int pg_copy_put(struct pg_conn *c, struct view bytes, struct err *err) WM_MUST_USE;
int pg_copy_finish(struct pg_conn *c, uint64_t *ret_rows, struct err *err) WM_MUST_USE;

#endif
