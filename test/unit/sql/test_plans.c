/*
 * Plans and refusals as text, compared with what is kept beside this file.
 *
 * plans.sql and refusals.sql hold one job each, under a line "-- == name"; plans.out and refusals.out what planning gives.
 * WALMILL_GOLDEN=update writes the .out
 * files anew, for review.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oracle.h"
#include "pgserver.h"

static struct oracle oracle;
static struct tz_cache *zones;

static void plan_one(struct view file, struct buf *out)
{
	struct sql_server server = pgserver_of(oracle.conn);
	struct sql_plan_options opts = {.zones = zones};
	struct err err = ERR_INIT;
	struct sql_job *job;

	if (sql_job_plan(file, &server, &opts, &job, &err) != 0) {
		buf_printf(out, "%s: %s\n", err_code_name(err.code), err.text);
		if (err.detail[0])
			buf_printf(out, "  %s\n", err.detail);
		if (err.hint[0])
			buf_printf(out, "  %s\n", err.hint);
		return;
	}
	for (uint32_t i = 0; i < job->nstatements; i++)
		sql_plan_print(job, &job->statements[i], out);
	sql_job_release(job);
}

static void compare_file(const char *name)
{
	struct buf in = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20), expected = BUF_INIT(1 << 20);
	const char *update = getenv("WALMILL_GOLDEN");
	struct err err = ERR_INIT;
	char path[512];
	char *p, *next;

	snprintf(path, sizeof(path), "%s/%s.sql", CASES, name);
	assert_int_equal(io_read_file(io_system(), path, &in, &err), 0);
	buf_cstr(&in);
	for (p = strstr((char *)in.ptr, "-- == "); p; p = next) {
		char *body = strchr(p, '\n') + 1;

		next = strstr(body, "-- == ");
		buf_put(&out, p, (size_t)(body - p));
		plan_one(view_of(body, next ? (size_t)(next - body) : strlen(body)), &out);
	}
	snprintf(path, sizeof(path), "%s/%s.out", CASES, name);
	if (update && strcmp(update, "update") == 0)
		assert_int_equal(io_replace(io_system(), path, buf_view(&out), &err), 0);
	assert_int_equal(io_read_file(io_system(), path, &expected, &err), 0);
	assert_string_equal(buf_cstr(&out), buf_cstr(&expected));
	buf_release(&in);
	buf_release(&out);
	buf_release(&expected);
}

static void supported_queries_have_the_expected_plans(void **state) { compare_file("plans"); }
static void unsupported_queries_are_refused_with_fragment_and_place(void **state) { compare_file("refusals"); }

static void planning_leaves_nothing_behind_and_no_transaction_open(void **state)
{
	struct buf out = BUF_INIT(1 << 16);
	PGresult *r;

	plan_one(view_str("INSERT INTO x SELECT id FROM users"), &out);
	plan_one(view_str("INSERT INTO x SELECT nonsense FROM users"), &out);
	assert_int_equal(PQtransactionStatus(oracle.conn), PQTRANS_IDLE);
	r = PQexec(oracle.conn, "SELECT count(*) FROM pg_class WHERE relname LIKE 'walmill%'");
	assert_string_equal(PQgetvalue(r, 0, 0), "0");
	PQclear(r);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(supported_queries_have_the_expected_plans),
		cmocka_unit_test(unsupported_queries_are_refused_with_fragment_and_place),
		cmocka_unit_test(planning_leaves_nothing_behind_and_no_transaction_open),
	};
	struct buf schema = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	int rc;

	if (!oracle_start(&oracle))
		return 77;
	zones = tz_cache_new(io_system(), NULL);
	if (io_read_file(io_system(), SCHEMA, &schema, &err) != 0)
		return 1;
	oracle_exec(&oracle, buf_cstr(&schema));
	buf_release(&schema);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	tz_cache_release(zones);
	oracle_stop(&oracle);
	return rc;
}
