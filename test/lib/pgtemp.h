/*
 * A throwaway PostgreSQL cluster for tests: made by initdb under /tmp, reached through a socket in its own directory, gone at the end.
 *
 * For integration and differential tests, on the test's main thread. As root the server runs as user "postgres" (PGTEMP_USER). Binaries:
 * $PG_BIN, else the newest /usr/lib/postgresql/NN/bin. The postmaster dies with the test (PR_SET_PDEATHSIG); directories that a killed
 * test left behind are removed by the next start of any test. Superuser "postgres", trust authentication, database "postgres".
 */
#ifndef WALMILL_TEST_PGTEMP_H
#define WALMILL_TEST_PGTEMP_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/err.h"

struct pgtemp;

struct pgtemp_options {
	const char *conf;       /* more lines for postgresql.conf, or NULL */
	const char *locale;     /* initdb --locale; NULL: C.UTF-8 */
	bool tcp;               /* listen on 127.0.0.1 too, on a free port */
	bool fsync;             /* on for crash tests; off is faster */
};

/* wal_level=logical, UTC, UTF-8. opts may be NULL. ERR_NOT_FOUND when the machine has no PostgreSQL server (skip the test). */
int pgtemp_start(struct pgtemp **ret, const struct pgtemp_options *opts, struct err *err) WM_MUST_USE;
void pgtemp_stop(struct pgtemp *p);                     /* stops and removes everything; NULL is fine */

/* A standby of a running server, by pg_basebackup and streaming; a cluster of its own otherwise, to be stopped before the first one. */
int pgtemp_start_standby(struct pgtemp **ret, struct pgtemp *primary, struct err *err) WM_MUST_USE;
/* Of a server that is shut down: copies its data directory aside, or puts that copy in its place and what was there aside. */
int pgtemp_save(struct pgtemp *p, struct err *err) WM_MUST_USE;
int pgtemp_swap(struct pgtemp *p, struct err *err) WM_MUST_USE;

const char *pgtemp_dsn(const struct pgtemp *p);         /* keyword/value conninfo; over TCP when opts.tcp */
const char *pgtemp_dir(const struct pgtemp *p);         /* data/ and the socket are in it */
int pgtemp_port(const struct pgtemp *p);

/* Stop without a shutdown checkpoint (SIGQUIT, as kill -9 for the data), or in an orderly way; then pgtemp_boot() again. */
void pgtemp_crash(struct pgtemp *p);
void pgtemp_shutdown(struct pgtemp *p);
int pgtemp_boot(struct pgtemp *p, struct err *err) WM_MUST_USE;

PGconn *pgtemp_connect(struct pgtemp *p, struct err *err);      /* NULL on failure; the caller closes with PQfinish() */
/* Runs statements that return nothing of interest, in one simple query, on a connection of its own. */
int pgtemp_exec(struct pgtemp *p, const char *sql, struct err *err) WM_MUST_USE;

#endif
