/* Statements that come often; see conn.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "pg/conn_internal.h"

enum { NAME_MAX_BYTES = 48 };

struct pg_statement {
	char *sql;
	unsigned number;
	uint64_t used; /* larger = later */
};

/* Nobody else's: behind a pooler another client's statement of the same name would be run, and answer something else. */
static void put_name(char name[NAME_MAX_BYTES], const struct pg_conn *c, const struct pg_statement *s)
{
	snprintf(name, NAME_MAX_BYTES, "walmill_%016" PRIx64 "_%u", c->statements_id, s->number);
}

static struct pg_statement *find(struct pg_conn *c, const char *sql)
{
	unsigned i;

	for (i = 0; i < c->nstatements; i++)
		if (strcmp(c->statements[i].sql, sql) == 0)
			return &c->statements[i];
	return NULL;
}

/* That the server has forgotten it already is no failure. */
static int forget(struct pg_conn *c, struct pg_statement *s, struct err *err)
{
	struct err refused = ERR_INIT;
	char name[NAME_MAX_BYTES], sql[NAME_MAX_BYTES + 16];

	put_name(name, c, s);
	mem_free(s->sql);
	*s = c->statements[--c->nstatements];
	snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
	if (pg_exec(c, sql, &refused) == 0 || strcmp(refused.sqlstate, "26000") == 0)
		return 0;
	*err = refused;
	return -1;
}

/* The one that was used longest ago gives way. */
static int make_room(struct pg_conn *c, struct err *err)
{
	struct pg_statement *oldest = c->statements;
	unsigned i;

	if (!c->statements) {
		c->statements = mem_alloc(PG_STATEMENTS_MAX * sizeof(*c->statements));
		io_random(io_system(), &c->statements_id, sizeof(c->statements_id));
	}
	if (c->nstatements < PG_STATEMENTS_MAX)
		return 0;
	for (i = 1; i < c->nstatements; i++)
		if (c->statements[i].used < oldest->used)
			oldest = &c->statements[i];
	return forget(c, oldest, err);
}

static int find_or_prepare(struct pg_conn *c, const char *sql, struct pg_statement **ret, struct err *err)
{
	struct pg_statement *s = find(c, sql), made = {NULL, c->statements_made, 0};
	char name[NAME_MAX_BYTES];

	if (!s) {
		if (make_room(c, err))
			return -1;
		put_name(name, c, &made);
		if (pg_prepare(c, name, sql, err))
			return -1;
		c->statements_made++;
		made.sql = mem_strdup(sql);
		s = &c->statements[c->nstatements++];
		*s = made;
	}
	s->used = ++c->statement_uses;
	*ret = s;
	return 0;
}

int pg_query_prepared(
	struct pg_conn *c, const char *sql, unsigned nparams, const char *const *params, struct pg_result **ret, struct err *err)
{
	struct pg_statement *s;
	char name[NAME_MAX_BYTES];
	int rc;

	if (pg_is_broken(c))
		return err_set(err, ERR_CONNECTION, "the connection to the server is gone");
	if (find_or_prepare(c, sql, &s, err))
		return -1;
	put_name(name, c, s);
	if (PQsendQueryPrepared(c->pq, name, (int)nparams, params, NULL, NULL, 0))
		rc = pg_take_result(c, ret, err);
	else
		rc = pg_result_error(c, NULL, err);
	/* its columns have other types since then, or somebody has deallocated it, or a pooler has given us another server session */
	if (rc && (strcmp(err->sqlstate, "0A000") == 0 || strcmp(err->sqlstate, "26000") == 0) &&
		PQtransactionStatus(c->pq) == PQTRANS_IDLE) {
		err_clear(err);
		rc = forget(c, s, err) ? -1 : pg_query(c, sql, nparams, params, ret, err);
	}
	return rc;
}

void pg_forget_statements(struct pg_conn *c)
{
	while (c->nstatements)
		mem_free(c->statements[--c->nstatements].sql);
	mem_free(c->statements);
}
