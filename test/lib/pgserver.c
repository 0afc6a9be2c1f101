/* See pgserver.h. */
#include "pgserver.h"

#include <stdlib.h>
#include <string.h>

static int fail(PGresult *r, uint32_t *ret_position, struct err *err)
{
	const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY), *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *position = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);

	err_set(err, ERR_INVALID, "%s", message ? message : "no answer");
	if (state)
		memcpy(err->sqlstate, state, 6);
	if (ret_position)
		*ret_position = position ? (uint32_t)atoi(position) : 0;
	PQclear(r);
	return -1;
}

static int query(void *arg, const char *sql, const char *const *params, uint32_t nparams, struct arena *a, struct sql_rows *ret,
	uint32_t *ret_position,
				 struct err *err)
{
	PGresult *r = PQexecParams(arg, sql, (int)nparams, NULL, params, NULL, NULL, 0);

	if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
		return fail(r, ret_position, err);
	ret->nrows = (uint32_t)PQntuples(r);
	ret->ncolumns = (uint32_t)PQnfields(r);
	ret->cells = arena_zalloc(a, ((size_t)ret->nrows * ret->ncolumns + 1) * sizeof(*ret->cells));
	for (uint32_t i = 0; i < ret->nrows; i++)
		for (uint32_t k = 0; k < ret->ncolumns; k++)
			if (!PQgetisnull(r, (int)i, (int)k))
				ret->cells[i * ret->ncolumns + k] = arena_str(a, view_str(PQgetvalue(r, (int)i, (int)k)));
	PQclear(r);
	return 0;
}

struct sql_server pgserver_of(PGconn *conn) { return (struct sql_server){conn, query}; }
