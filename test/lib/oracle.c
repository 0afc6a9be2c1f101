/* PostgreSQL as the judge; see oracle.h. */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

static uint64_t seed;

static void fatal(const char *what, const char *detail)
{
	fprintf(stderr, "oracle: %s: %s\n", what, detail);
	abort();
}

void oracle_exec(struct oracle *o, const char *sql)
{
	PGresult *r = PQexec(o->conn, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fatal(sql, PQerrorMessage(o->conn));
	PQclear(r);
}

bool oracle_start(struct oracle *o)
{
	struct err err = ERR_INIT;

	if (pgtemp_start(&o->server, NULL, &err) != 0) {
		if (err.code == ERR_NOT_FOUND)
			return false;
		fatal("start", err.text);
	}
	o->conn = pgtemp_connect(o->server, &err);
	if (!o->conn)
		fatal("connect", err.text);
	oracle_exec(o, "CREATE FUNCTION public.answer(e text) RETURNS text LANGUAGE plpgsql AS $$"
	               "DECLARE r text; BEGIN EXECUTE 'SELECT (' || e || ')::text' INTO r; RETURN coalesce('=' || r, '~');"
	               "EXCEPTION WHEN OTHERS THEN RETURN '!' || SQLSTATE || ' ' || SQLERRM; END $$");
	seed = getenv("ORACLE_SEED") ? strtoull(getenv("ORACLE_SEED"), NULL, 10) : 42;
	printf("oracle: ORACLE_SEED=%llu\n", (unsigned long long)seed);
	return true;
}

void oracle_stop(struct oracle *o)
{
	PQfinish(o->conn);
	pgtemp_stop(o->server);
}

/* A text[] literal of the expressions. */
static void put_array(struct buf *b, const char *const *exprs, size_t n)
{
	buf_putc(b, '{');
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, i ? ",\"" : "\"");
		for (const char *p = exprs[i]; *p; p++) {
			if (*p == '"' || *p == '\\')
				buf_putc(b, '\\');
			buf_putc(b, *p);
		}
		buf_putc(b, '"');
	}
	buf_putc(b, '}');
}

void oracle_eval(struct oracle *o, struct arena *a, const char *const *exprs, size_t n, const char **answers)
{
	for (size_t done = 0; done < n;) {
		size_t part = n - done < 1000 ? n - done : 1000;
		struct buf b = BUF_INIT(64 * 1024 * 1024);
		const char *param;
		PGresult *r;

		put_array(&b, exprs + done, part);
		param = buf_cstr(&b);
		r = PQexecParams(o->conn, "SELECT public.answer(e) FROM unnest($1::text[]) WITH ORDINALITY AS u (e, n) ORDER BY n", 1, NULL, &param,
		                 NULL, NULL, 0);
		if (PQresultStatus(r) != PGRES_TUPLES_OK || (size_t)PQntuples(r) != part)
			fatal("answers", PQerrorMessage(o->conn));
		for (size_t i = 0; i < part; i++)
			answers[done + i] = arena_str(a, view_str(PQgetvalue(r, (int)i, 0)));
		PQclear(r);
		buf_release(&b);
		done += part;
	}
}

const char *oracle_error(struct arena *a, const struct err *err)
{
	return arena_printf(a, "!%s %s", err->sqlstate, err->text);
}

uint64_t oracle_random(void)
{
	seed += 0x9e3779b97f4a7c15u;
	return hash_u64(seed);
}

uint32_t oracle_below(uint32_t n) { return (uint32_t)(oracle_random() % n); }

size_t oracle_cases(size_t base)
{
	const char *env = getenv("ORACLE_CASES");

	return env ? base * strtoull(env, NULL, 10) : base;
}
