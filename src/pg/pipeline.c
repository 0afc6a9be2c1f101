/* Prepared statements and pipelines; see conn.h. Source: PostgreSQL documentation, libpq, "Pipeline Mode". */
#include "pg/conn.h"

#include <stdlib.h>

#include "base/io.h"
#include "pg/conn_internal.h"

int pg_prepare(struct pg_conn *c, const char *name, const char *sql, struct err *err)
{
	int64_t deadline = pg_deadline(c);
	PGresult *res;
	int rc = 0;

	if (!PQsendPrepare(c->pq, name, sql, 0, NULL))
		return pg_result_error(c, NULL, err);
	for (;;) {
		if (pg_next_result(c, deadline, &res, err))
			return -1;
		if (!res)
			return rc;
		if (rc == 0 && PQresultStatus(res) != PGRES_COMMAND_OK)
			rc = pg_result_error(c, res, err);
		PQclear(res);
	}
}

int pg_pipeline_begin(struct pg_conn *c, struct err *err)
{
	if (pg_is_broken(c))
		return err_set(err, ERR_CONNECTION, "the connection to the server is gone");
	return PQenterPipelineMode(c->pq) ? 0 : pg_result_error(c, NULL, err);
}

/* The socket is written as far as it takes, so that a long queue does not pile up here; what the server answers meanwhile is taken in, or
 * both would wait. */
static int push_out(struct pg_conn *c, struct err *err)
{
	if (PQflush(c->pq) < 0)
		return pg_result_error(c, NULL, err);
	return 0;
}

int pg_pipeline_sql(struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, struct err *err)
{
	if (!PQsendQueryParams(c->pq, sql, (int)nparams, NULL, params, NULL, NULL, 0))
		return pg_result_error(c, NULL, err);
	return push_out(c, err);
}

int pg_pipeline_run(struct pg_conn *c, const char *name, unsigned nparams, const char *const *params, struct err *err)
{
	if (!PQsendQueryPrepared(c->pq, name, (int)nparams, params, NULL, NULL, 0))
		return pg_result_error(c, NULL, err);
	return push_out(c, err);
}

int pg_pipeline_finish(struct pg_conn *c, unsigned *ret_index, uint64_t *ret_affected, struct err *err)
{
	int64_t deadline = pg_deadline(c);
	unsigned index = 0;
	bool synced = false;
	PGresult *res;
	int rc = 0;

	if (ret_affected)
		*ret_affected = 0;
	if (!PQpipelineSync(c->pq))
		return pg_result_error(c, NULL, err);
	while (!synced) {
		if (pg_next_result(c, deadline, &res, err))
			return -1;
		if (!res) {
			/* the end of one statement's results; nothing at all comes when the connection is gone */
			if (PQstatus(c->pq) == CONNECTION_BAD)
				return rc ? rc : pg_result_error(c, NULL, err);
			index++;
			continue;
		}
		switch (PQresultStatus(res)) {
		case PGRES_PIPELINE_SYNC:
			synced = true;
			break;
		case PGRES_COMMAND_OK:
			if (ret_affected)
				*ret_affected += strtoull(PQcmdTuples(res), NULL, 10);
			break;
		case PGRES_TUPLES_OK:
		case PGRES_PIPELINE_ABORTED:
			break;
		default:
			if (rc == 0) {
				rc = pg_result_error(c, res, err);
				if (ret_index)
					*ret_index = index;
			}
		}
		PQclear(res);
	}
	if (!PQexitPipelineMode(c->pq))
		return rc ? rc : pg_result_error(c, NULL, err);
	return rc;
}
