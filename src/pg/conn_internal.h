/* Inside of connections, shared by conn.c and stream.c. */
#ifndef WALMILL_PG_CONN_INTERNAL_H
#define WALMILL_PG_CONN_INTERNAL_H

#include <libpq-fe.h>

#include "pg/conn.h"

struct pg_conn {
	PGconn *pq;
	int interrupt_fd;
	int64_t timeout_ms;
	bool broken;
	uint32_t error_position;
	struct pg_statement *statements; /* of pg_query_prepared; NULL: none so far */
	unsigned nstatements, statements_made;
	uint64_t statements_id, statement_uses;
	char *copy;      /* the chunk that libpq handed out last, freed by the next call */
};

/* When a statement that is sent now has to be answered, monotonic; 0 = at any time. */
int64_t pg_deadline(const struct pg_conn *c);

/* Waits until the socket is readable (or writable, with `write`), the deadline (monotonic us, 0 = none) has passed, or an interrupt.
 * 1 = ready, 0 = deadline, -1 = error or ERR_CANCELED. */
int pg_wait(struct pg_conn *c, bool write, int64_t deadline_us, struct err *err);

/* Error of a failed result, with SQLSTATE, detail and hint; or of the connection when res is NULL. Returns -1. */
int pg_result_error(struct pg_conn *c, const PGresult *res, struct err *err);

/* For what was sent: the last result, or the first error. */
int pg_take_result(struct pg_conn *c, struct pg_result **ret, struct err *err);

/* When the connection is closed. */
void pg_forget_statements(struct pg_conn *c);

/* The next result of what was sent, waiting for it; NULL in *ret at the end. */
int pg_next_result(struct pg_conn *c, int64_t deadline_us, PGresult **ret, struct err *err);

#endif
