/* Statements that a connection prepares by itself, against a PostgreSQL of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "pg/conn.h"
#include "pgtemp.h"

static struct pgtemp *server;
static struct pg_params params;
static struct pg_conn *conn;

static int setup(void **state)
{
	struct err err = ERR_INIT;

	if (pgtemp_start(&server, NULL, &err) == 0 && pg_params_parse(pgtemp_dsn(server), &params, &err) == 0 &&
		pg_connect(&params, PG_CONN_PLAIN, "test", -1, &conn, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.text);
	return -1;
}

static int teardown(void **state)
{
	pg_close(conn);
	pg_params_release(&params);
	pgtemp_stop(server);
	return 0;
}

static void run(const char *sql)
{
	struct err err = ERR_INIT;

	if (pg_exec(conn, sql, &err))
		fail_msg("%s: %s", sql, err.text);
}

/* The first value, by a prepared statement; -1: NULL. */
static int64_t ask(const char *sql, const char *param)
{
	struct pg_result *r;
	struct err err = ERR_INIT;
	int64_t n;

	if (pg_query_prepared(conn, sql, 1, &param, &r, &err))
		fail_msg("%s: %s", sql, err.text);
	n = pg_rows(r) && !pg_null(r, 0, 0) ? pg_int(r, 0, 0) : -1;
	pg_result_free(r);
	return n;
}

static int64_t prepared(void)
{
	struct pg_result *r;
	struct err err = ERR_INIT;
	int64_t n;

	if (pg_query(conn, "SELECT count(*) FROM pg_catalog.pg_prepared_statements", 0, NULL, &r, &err))
		fail_msg("%s", err.text);
	n = pg_int(r, 0, 0);
	pg_result_free(r);
	return n;
}

static void a_statement_is_prepared_once(void **state)
{
	int64_t before = prepared(), i;
	char text[24];

	for (i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%d", (int)i);
		assert_int_equal(ask("SELECT $1::bigint + 1", text), i + 1);
	}
	assert_int_equal(ask("SELECT $1::bigint + 1", NULL), -1);
	assert_int_equal(prepared(), before + 1);
}

static void the_oldest_give_way(void **state)
{
	char sql[64];
	int i, round;

	for (round = 0; round < 2; round++)
		for (i = 0; i < 3 * PG_STATEMENTS_MAX; i++) {
			snprintf(sql, sizeof(sql), "SELECT %d + $1::bigint", i);
			assert_int_equal(ask(sql, "1"), i + 1);
			/* one that is always in use stays */
			assert_int_equal(ask("SELECT 2 * $1::bigint", "4"), 8);
			assert_true(prepared() <= PG_STATEMENTS_MAX);
		}
	assert_int_equal(prepared(), PG_STATEMENTS_MAX);
}

static void what_changed_meanwhile_is_prepared_anew(void **state)
{
	static const char sql[] = "SELECT * FROM public.t WHERE id = $1::int";

	run("CREATE TABLE public.t (id int)");
	run("INSERT INTO public.t VALUES (5)");
	assert_int_equal(ask(sql, "5"), 5);
	run("ALTER TABLE public.t ALTER id TYPE bigint");
	assert_int_equal(ask(sql, "5"), 5);
	assert_int_equal(ask(sql, "5"), 5);
	run("DEALLOCATE ALL");
	assert_int_equal(ask(sql, "5"), 5);
	assert_int_equal(ask(sql, "6"), -1);
	run("DROP TABLE public.t");
}

static void put_names(struct buf *into)
{
	struct pg_result *r;
	struct err err = ERR_INIT;

	if (pg_query(conn, "SELECT name FROM pg_catalog.pg_prepared_statements", 0, NULL, &r, &err))
		fail_msg("%s", err.text);
	assert_int_equal(pg_rows(r), 1);
	buf_puts(into, pg_text(r, 0, 0));
	pg_result_free(r);
}

/* A pooler would have one connection run the other's statement. */
static void names_are_nobody_elses(void **state)
{
	struct buf names[2] = {BUF_INIT(100), BUF_INIT(100)};
	struct pg_conn *first = conn;
	struct err err = ERR_INIT;
	int i;

	for (i = 0; i < 2; i++) {
		if (pg_connect(&params, PG_CONN_PLAIN, "test", -1, &conn, &err))
			fail_msg("%s", err.text);
		assert_int_equal(ask("SELECT $1::bigint", "1"), 1);
		put_names(&names[i]);
		pg_close(conn);
	}
	conn = first;
	assert_string_not_equal(buf_cstr(&names[0]), buf_cstr(&names[1]));
	buf_release(&names[0]);
	buf_release(&names[1]);
}

static void an_error_leaves_the_connection_usable(void **state)
{
	const char *zero = "0";
	struct pg_result *r;
	struct err err = ERR_INIT;

	assert_int_equal(pg_query_prepared(conn, "SELECT 1 / $1::int", 1, &zero, &r, &err), -1);
	assert_string_equal(err.sqlstate, "22012");
	err = ERR_INIT;
	assert_int_equal(pg_query_prepared(conn, "SELECT $1::int FROM public.none", 1, &zero, &r, &err), -1);
	assert_string_equal(err.sqlstate, "42P01");
	assert_int_equal(ask("SELECT 1 / $1::int", "1"), 1);
	/* in a transaction that has failed there is no second try */
	run("BEGIN");
	err = ERR_INIT;
	assert_int_equal(pg_query_prepared(conn, "SELECT 1 / $1::int", 1, &zero, &r, &err), -1);
	err = ERR_INIT;
	assert_int_equal(pg_query_prepared(conn, "SELECT 1 / $1::int", 1, &zero, &r, &err), -1);
	assert_string_equal(err.sqlstate, "25P02");
	run("ROLLBACK");
	assert_int_equal(ask("SELECT 1 / $1::int", "1"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_statement_is_prepared_once),
		cmocka_unit_test(the_oldest_give_way),
		cmocka_unit_test(what_changed_meanwhile_is_prepared_anew),
		cmocka_unit_test(names_are_nobody_elses),
		cmocka_unit_test(an_error_leaves_the_connection_usable),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
