/*
 * PostgreSQL as the judge: evaluates expressions on a throwaway server, each on its own, errors as results.
 *
 * An answer is "=text" for a value, "~" for null, "!SQLSTATE message" for an error. Main thread of a test.
 */
#ifndef WALMILL_TEST_ORACLE_H
#define WALMILL_TEST_ORACLE_H

#include "base/arena.h"
#include "pgtemp.h"

struct oracle {
	struct pgtemp *server;
	PGconn *conn;
};

/* Returns false when the machine has no PostgreSQL server: skip. Anything else that goes wrong aborts the test program. */
bool oracle_start(struct oracle *o);
void oracle_stop(struct oracle *o);
void oracle_exec(struct oracle *o, const char *sql);    /* for SETs and tables, in the oracle's session */

/* exprs[i] is an SQL expression of any type; answers[i] is its value's text. */
void oracle_eval(struct oracle *o, struct arena *a, const char *const *exprs, size_t n, const char **answers);

/* "!22012 division by zero" */
const char *oracle_error(struct arena *a, const struct err *err);

/* A small generator with a seed (ORACLE_SEED in the environment, printed at the start). */
uint64_t oracle_random(void);
uint32_t oracle_below(uint32_t n);
/* How many cases: `base`, or ORACLE_CASES times it. */
size_t oracle_cases(size_t base);

#endif
