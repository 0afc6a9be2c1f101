/* walmill load against a PostgreSQL server of its own: what arrives, and that a second run changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/load.h"
#include "model/datetime.h"
#include "pgtemp.h"

static struct pgtemp *server;
static struct pg_params params;
static struct pg_conn *conn;
static char path[64];

static int setup(void **state)
{
	struct buf schema = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	int rc = -1;

	snprintf(path, sizeof(path), "/tmp/walmill-load-pg-%d", (int)getpid());
	if (pgtemp_start(&server, NULL, &err) == 0 && io_read_file(io_system(), DEMO_DIR "/schema.sql", &schema, &err) == 0 &&
		pgtemp_exec(server, buf_cstr(&schema), &err) == 0 && pg_params_parse(pgtemp_dsn(server), &params, &err) == 0 &&
		pg_connect(&params, PG_CONN_PLAIN, "test", -1, &conn, &err) == 0)
		rc = 0;
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	buf_release(&schema);
	return rc;
}

static int teardown(void **state)
{
	pg_close(conn);
	pg_params_release(&params);
	pgtemp_stop(server);
	unlink(path);
	return 0;
}

static int empty(void **state)
{
	struct err err = ERR_INIT;

	return pg_exec(conn, "TRUNCATE public.interventions, public.users", &err);
}

/* The first column of the first row. */
static void assert_sql(const char *sql, const char *expected)
{
	struct pg_result *r;
	struct err err = ERR_INIT;

	if (pg_query(conn, sql, 0, NULL, &r, &err))
		fail_msg("%s", err.text);
	assert_int_equal(pg_rows(r), 1);
	assert_string_equal(pg_text(r, 0, 0), expected);
	pg_result_free(r);
}

static struct load_report load(const char *file)
{
	struct load_options opts = {.path = file, .target = &params, .now_us = io_now_us(io_system()) - UNIX_EPOCH_US};
	struct load_report report;
	struct err err = ERR_INIT;

	if (load_run(io_system(), &load_nyc311, &opts, &report, &err))
		fail_msg("%s", err.text);
	return report;
}

static void write_rows(const char *rows)
{
	struct buf b = BUF_INIT(1 << 16);
	struct err err = ERR_INIT;

	buf_puts(&b, "Unique Key,Created Date,Closed Date,Agency,Complaint Type,Status,Latitude,Longitude,Open Data Channel Type\n");
	buf_puts(&b, rows);
	assert_int_equal(io_replace(io_system(), path, buf_view(&b), &err), 0);
	buf_release(&b);
}

static void published_files_arrive_whole_and_a_second_run_changes_nothing(void **state)
{
	static const char *const files[] = {"nyc311_csv52_2013-10.csv", "nyc311_csv53_2018-01.csv", "nyc311_csv41_2014-2019.csv",
		"nyc311_sodacsv_2024-04.csv", "nyc311_soda_2012.json", "nyc311_csv39_2026-02_excerpt.csv", "nyc311_csv41_2011.csv"};
	struct load_report r;
	char file[512];
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), DEMO_DIR "/nyc311/%s", files[i]);
		r = load(file);
		assert_int_equal(r.inserted, r.read);
	}
	assert_sql("SELECT count(*) FROM public.interventions", "5367");
	assert_sql("SELECT count(*) FROM public.interventions i LEFT JOIN public.users u ON u.id = i.technician_id"
		" WHERE u.role IS DISTINCT FROM 'TECH'", "0");
	assert_sql("SELECT latitude || ' ' || longitude || ' ' || planned_at || ' ' || completed_at || ' ' || status || ' ' || assignment_mode"
		" FROM public.interventions WHERE reference = 'NYC311-39573567'",
		"40.690092 -73.846428 2018-06-26 14:58:54+00 2018-06-26 16:50:01+00 COMPLETED MANUAL");
	assert_sql("SELECT u.email || ' ' || u.full_name FROM public.interventions i JOIN public.users u ON u.id = i.technician_id"
		" WHERE reference = 'NYC311-39573567'", "nypd@nyc311.example NYPD");
	assert_int_equal(pg_exec(conn, "CREATE TABLE public.before AS SELECT id, xmin::text AS x, ctid::text AS c FROM public.interventions",
		&(struct err){0}), 0);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), DEMO_DIR "/nyc311/%s", files[i]);
		r = load(file);
		assert_int_equal(r.inserted + r.updated, 0);
	}
	assert_sql("SELECT count(*) FROM public.before b FULL JOIN public.interventions i USING (id)"
		" WHERE (b.x, b.c) IS DISTINCT FROM (i.xmin::text, i.ctid::text)", "0");
	assert_int_equal(pg_exec(conn, "DROP TABLE public.before", &(struct err){0}), 0);
}

static void changed_rows_are_updated_and_the_last_of_a_file_wins(void **state)
{
	struct load_report r;

	write_rows("1,07/01/2018 08:00:00 AM,,NYPD,Noise,Open,,,PHONE\n2,07/01/2018 08:00:00 AM,,DOT,Pothole,Open,40.7,-73.9,\n");
	r = load(path);
	assert_int_equal(r.inserted, 2);
	assert_int_equal(pg_exec(conn, "UPDATE public.interventions SET reference = 'nyc311-1', updated_at = '2020-01-01', "
		"status = 'VALIDATED', validated_at = '2020-01-01' WHERE reference = 'NYC311-1'", &(struct err){0}), 0);
	write_rows("1,07/01/2018 08:00:00 AM,,NYPD,Noise,Open,,,PHONE\n"
		"1,07/01/2018 08:00:00 AM,07/01/2018 10:00:00 AM,NYPD,Noise,Closed,,,ONLINE\n"
		"2,07/01/2018 08:00:00 AM,,DOT,Pothole,Open,40.7,-73.9,\n");
	r = load(path);
	assert_int_equal(r.inserted, 0);
	assert_int_equal(r.updated, 1);
	assert_sql("SELECT count(*) FROM public.interventions", "2");
	assert_sql("SELECT reference || ' ' || status || ' ' || assignment_mode || ' ' || completed_at || ' ' || (validated_at IS NULL)"
		" || ' ' || (updated_at > '2021-01-01') FROM public.interventions WHERE lower(reference) = 'nyc311-1'",
		"nyc311-1 COMPLETED AUTO 2018-07-01 14:00:00+00 true true");
}

static void hostile_texts_arrive_as_they_are(void **state)
{
	struct load_report r;

	write_rows("1,07/01/2018 08:00:00 AM,,\"3-1-1'); DROP TABLE users;--\",\"../../WEB-INF/web.xml;x= \\N \\. \"\"q\"\"\",Open,,,\n"
		"2,07/01/2018 08:00:00 AM,,\\N,\\N,Open,,,\n");
	r = load(path);
	assert_int_equal(r.inserted, 2);
	assert_sql("SELECT title FROM public.interventions WHERE reference = 'NYC311-1'", "../../WEB-INF/web.xml;x= \\N \\. \"q\"");
	assert_sql("SELECT title FROM public.interventions WHERE reference = 'NYC311-2'", "\\N");
	assert_sql("SELECT full_name FROM public.users WHERE full_name LIKE '3-1-1%'", "3-1-1'); DROP TABLE users;--");
}

static void broken_file_leaves_nothing_behind(void **state)
{
	struct load_options opts = {.path = path, .target = &params, .now_us = 0};
	struct load_report report;
	struct err err = ERR_INIT;

	write_rows("1,07/01/2018 08:00:00 AM,,NYPD,Noise,Open,,,PHONE\n2,07/01/2018 08:00:00 AM,,DOT,\"Pothole,Open,40.7,-73.9,\n");
	assert_int_equal(load_run(io_system(), &load_nyc311, &opts, &report, &err), -1);
	assert_non_null(strstr(err.text, "line 3: a quoted field is never closed"));
	assert_sql("SELECT count(*) FROM public.interventions", "0");
	assert_sql("SELECT count(*) FROM public.users", "0");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, empty)
	const struct CMUnitTest tests[] = {
		T(published_files_arrive_whole_and_a_second_run_changes_nothing),
		T(changed_rows_are_updated_and_the_last_of_a_file_wins),
		T(hostile_texts_arrive_as_they_are),
		T(broken_file_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
