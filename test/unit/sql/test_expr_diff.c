/*
 * Random expressions over random rows: planned and evaluated here, evaluated by the server, compared as text; errors by SQLSTATE and
 * message.
 *
 * The server judges each expression alone, so that errors are answers too. What walmill refuses to plan is counted; it must stay rare.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gen.h"
#include "model/datetime.h"
#include "model/value_text.h"
#include "pgserver.h"
#include "sql/expr_eval.h"

enum { ROWS = 40, PER_EXPR = 5 };

static struct oracle oracle;
static struct tz_cache *zones;
static const char *cells[ROWS][G_TYPES];

static void fill_table(struct arena *a)
{
	struct buf b = BUF_INIT(1 << 20);

	buf_puts(&b, "CREATE TABLE cells (id int PRIMARY KEY");
	for (int t = 0; t < G_TYPES; t++)
		buf_printf(&b, ", c%d %s", t, gen_sql_types[t]);
	buf_puts(&b, ");");
	for (int r = 0; r < ROWS; r++) {
		buf_printf(&b, "INSERT INTO cells VALUES (%d", r);
		for (int t = 0; t < G_TYPES; t++) {
			const char *v = gen_value(a, (enum gen_type)t);

			buf_printf(&b, v ? ", '%s'" : ", NULL", v);
		}
		buf_puts(&b, ");");
	}
	oracle_exec(&oracle, buf_cstr(&b));
	buf_release(&b);
}

/* The rows as the session's zone shows them. */
static void read_table(struct arena *a)
{
	PGresult *r = PQexec(oracle.conn, "SELECT * FROM cells ORDER BY id");

	assert_int_equal(PQntuples(r), ROWS);
	for (int i = 0; i < ROWS; i++)
		for (int t = 0; t < G_TYPES; t++)
			cells[i][t] = PQgetisnull(r, i, t + 1) ? NULL : arena_str(a, view_str(PQgetvalue(r, i, t + 1)));
	PQclear(r);
}

static void make_row(const struct sql_job *job, int r, struct arena *a, struct value *row)
{
	const struct sql_table *table = &job->tables[0];
	struct value_env env = {job->zone, zones};
	struct err err = ERR_INIT;

	for (uint32_t i = 0; i < table->ncolumns; i++) {
		enum value_kind kind = (enum value_kind)table->columns[i].type.kind;
		int t = table->columns[i].attnum - 2;

		if (t < 0)
			row[i] = value_int(VALUE_INT4, r);
		else if (!cells[r][t])
			row[i] = value_null(kind);
		else
			assert_int_equal(value_parse(view_str(cells[r][t]), kind, &env, a, &row[i], &err), 0);
	}
}

static struct sql_job *plan(const char *expr, const char *zone, struct err *err)
{
	struct sql_server server = pgserver_of(oracle.conn);
	struct sql_plan_options opts = {.zones = zones, .timezone = zone};
	struct buf b = BUF_INIT(1 << 20);
	struct sql_job *job = NULL;

	buf_printf(&b, "INSERT INTO x SELECT id, (%s)::text FROM cells", expr);
	if (sql_job_plan(buf_view(&b), &server, &opts, &job, err) != 0)
		job = NULL;
	buf_release(&b);
	return job;
}

static const char *evaluate(const struct sql_job *job, int r, struct arena *a)
{
	const struct sql_expr *e = job->statements[0].root->exprs[1];
	struct sql_eval ev = {.arena = a, .zone = job->zone, .zones = zones};
	struct err err = ERR_INIT;
	struct value row[G_TYPES + 1], v;

	make_row(job, r, a, row);
	if (sql_prog_run(sql_prog_compile(a, e), &ev, row, &v, &err) != 0)
		return oracle_error(a, &err);
	return v.null ? "~" : arena_printf(a, "=%.*s", (int)v.text.len, (const char *)v.text.ptr);
}

/* The server evaluates an expression's constants before any row and fails then, even where no row would get there. */
static bool fails_without_rows(const char *text, struct arena *a)
{
	const char *expr = arena_printf(a, "(SELECT (%s)::text FROM cells WHERE id = -1)", text), *answer;

	oracle_eval(&oracle, a, &expr, 1, &answer);
	return answer[0] == '!';
}

/* Where two parts of an expression fail, the server may come to the other one first: it evaluates constants before rows. */
static bool both_fail(const char *mine, const char *theirs) { return mine[0] == '!' && theirs[0] == '!'; }

static const char *const test_zones[] = {"UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"};

static void expressions_have_the_servers_results_and_errors(void **state)
{
	size_t n = oracle_cases(400), bad = 0, other_error = 0, early = 0, refused = 0, compared = 0, rejected = 0;
	struct arena a = ARENA_INIT;

	for (size_t i = 0; i < n; i++) {
		const char *zone = test_zones[oracle_below(5)], *exprs[PER_EXPR], *mine[PER_EXPR], *theirs[PER_EXPR], *text;
		struct err err = ERR_INIT;
		struct sql_job *job;

		arena_reset(&a);
		oracle_exec(&oracle, arena_printf(&a, "SET timezone = '%s'", zone));
		text = gen_expr(&a, (enum gen_type)oracle_below(G_TYPES), 1 + (int)oracle_below(3));
		job = plan(text, zone, &err);
		if (!job) {
			if (err.code == ERR_UNSUPPORTED) {
				if (refused++ < 5)
					print_message("refused: %s\n  %s\n", text, err.text);
			} else if (err.code != ERR_INVALID || err.sqlstate[0] == 0) {
				print_message("%s\n  %s\n", text, err.text);
				bad++;
			} else if (rejected++ < 3) {
				print_message("rejected: %s\n  %s\n", text, err.text);
			}
			continue;
		}
		read_table(&a);
		for (int k = 0; k < PER_EXPR; k++) {
			int r = (int)oracle_below(ROWS);

			mine[k] = evaluate(job, r, &a);
			exprs[k] = arena_printf(&a, "(SELECT (%s)::text FROM cells WHERE id = %d)", text, r);
		}
		oracle_eval(&oracle, &a, exprs, PER_EXPR, theirs);
		for (int k = 0; k < PER_EXPR; k++, compared++)
			if (strcmp(mine[k], theirs[k]) == 0)
				continue;
			else if (both_fail(mine[k], theirs[k]))
				other_error++;
			else if (theirs[k][0] == '!' && fails_without_rows(text, &a))
				early++;
			else if (strstr(text, "age(") && strcmp(mine[k], "!22008 timestamp out of range") == 0)
				other_error++;      /* age() of an infinite timestamptz: the server computes with its sentinel */
			else if (bad++ < 25)
				print_message("[%s] %s\n   ours %.200s\n server %.200s\n", zone, exprs[k], mine[k], theirs[k]);
		sql_job_release(job);
	}
	print_message("%zu compared, %zu with another error, %zu failed before any row, %zu expressions refused, %zu rejected by the server\n",
		compared,
	              other_error, early, refused, rejected);
	assert_true(other_error < compared / 50 + 10);
	assert_int_equal(bad, 0);
	assert_true(refused < n / 20 + 2);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_have_the_servers_results_and_errors),
	};
	struct arena a = ARENA_INIT;
	int rc;

	if (!oracle_start(&oracle))
		return 77;
	zones = tz_cache_new(io_system(), NULL);
	fill_table(&a);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	tz_cache_release(zones);
	oracle_stop(&oracle);
	arena_release(&a);
	return rc;
}
