/*
 * jobs/interventions.sql, run by PostgreSQL over demo/schema.sql, against the same meaning written another way: named zones instead of the
 * session's, a window function instead of the join.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/io.h"
#include "pgtemp.h"

static struct pgtemp *server;
static PGconn *conn;
static struct buf job = {.max = 1 << 20};

/* Every status on every day from 38 days back to tomorrow, so that at any hour each zone's today has something finished. */
static const char rows_sql[] =
	"INSERT INTO users (email, full_name) SELECT 't' || i || '@example.org', 'T ' || i FROM generate_series(1, 20) i;"
	"INSERT INTO interventions (reference, title, status, planned_at, started_at, completed_at, technician_id, latitude, longitude)"
	" SELECT 'R-' || i, 'T', (ARRAY['SCHEDULED','IN_PROGRESS','COMPLETED','VALIDATED'])[1 + i * 7 % 4], p,"
	"  CASE WHEN i % 5 > 0 THEN p END, CASE WHEN i % 3 > 0 THEN p + i % 90000 * interval '1.000123 second' END,"
	"  nullif(i % 21, 0), CASE WHEN i % 13 > 0 THEN 40 + i % 100 / 100.0 END, CASE WHEN i % 11 > 0 THEN -74 END"
	" FROM (SELECT i, date_trunc('day', now()) + (1 - i / 4 % 40) * interval '1 day' + i * 7919 % 86400 * interval '1 second' AS p"
	"       FROM generate_series(1, 8000) i) s;"
	/* days on which the clocks change, and a day with nothing finished */
	"INSERT INTO interventions (reference, title, status, planned_at) VALUES"
	" ('D-1', 'T', 'VALIDATED', '2026-03-29 00:30+00'), ('D-2', 'T', 'COMPLETED', '2026-03-29 22:30+00'),"
	" ('D-3', 'T', 'VALIDATED', '2026-10-25 00:30+00'), ('D-4', 'T', 'COMPLETED', '2026-10-25 23:30+00'),"
	" ('D-5', 'T', 'SCHEDULED', '2020-01-01 12:00+00');";

/* %1$s: the zone */
static const char oracle_sql[] =
	"WITH d AS (SELECT (planned_at AT TIME ZONE '%1$s')::date AS metric_date, status, count(*) AS n,"
	"  avg(extract(epoch FROM completed_at - started_at))::numeric(12,2) AS s FROM interventions GROUP BY 1, 2),"
	" daily AS (SELECT metric_date, status, n, s, CASE WHEN status = 'VALIDATED' THEN (100 * n::numeric / sum(n)"
	"  FILTER (WHERE status IN ('COMPLETED', 'VALIDATED')) OVER (PARTITION BY metric_date))::numeric(5,2) END FROM d),"
	" load AS (SELECT technician_id, sum((status IN ('SCHEDULED', 'IN_PROGRESS'))::int),"
	"  coalesce(sum((status IN ('COMPLETED', 'VALIDATED') AND (completed_at AT TIME ZONE '%1$s')::date ="
	"   (now() AT TIME ZONE '%1$s')::date)::int), 0), avg(extract(epoch FROM completed_at - started_at))::numeric(12,2)"
	"  FROM interventions WHERE technician_id IS NOT NULL GROUP BY 1),"
	" geo AS (SELECT id, latitude, longitude, status, technician_id, planned_at, updated_at FROM interventions"
	"  WHERE latitude + longitude IS NOT NULL)"
	"SELECT (SELECT count(*) FROM (TABLE daily EXCEPT SELECT metric_date, status, total_count, avg_completion_seconds, validation_ratio"
	"   FROM analytics.intervention_daily_metrics) x),"
	" (SELECT count(*) FROM daily) - (SELECT count(*) FROM analytics.intervention_daily_metrics),"
	" (SELECT count(*) FROM (TABLE load EXCEPT SELECT technician_id, open_count, completed_today, avg_completion_seconds"
	"   FROM analytics.intervention_technician_load) x),"
	" (SELECT count(*) FROM load) - (SELECT count(*) FROM analytics.intervention_technician_load),"
	" (SELECT count(*) FROM (TABLE geo EXCEPT TABLE analytics.intervention_geo_view) x),"
	" (SELECT count(*) FROM geo) - (SELECT count(*) FROM analytics.intervention_geo_view),"
	" (SELECT count(*) > 0 FROM geo) AND (SELECT sum(completed_today) > 0 FROM analytics.intervention_technician_load)";

static void run(const char *sql)
{
	PGresult *r = PQexec(conn, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(conn));
	PQclear(r);
}

static int setup(void **state)
{
	struct buf schema = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;

	if (pgtemp_start(&server, NULL, &err) || io_read_file(io_system(), DEMO_DIR "/schema.sql", &schema, &err) ||
		io_read_file(io_system(), JOBS_DIR "/interventions.sql", &job, &err) || !(conn = pgtemp_connect(server, &err))) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	run("SET client_min_messages = warning");
	run(buf_cstr(&schema));
	run(buf_cstr(&schema));
	run(rows_sql);
	buf_release(&schema);
	return 0;
}

static int teardown(void **state)
{
	PQfinish(conn);
	pgtemp_stop(server);
	buf_release(&job);
	return 0;
}

static void job_text_means_what_the_dashboard_says_in_every_zone(void **state)
{
	static const char *const zones[] = {"Europe/Paris", "America/New_York", "UTC", "Asia/Kolkata", "Pacific/Auckland"};
	static const char *const expected[] = {"0", "0", "0", "0", "0", "0", "t"};
	struct buf sql = BUF_INIT(1 << 16);
	size_t i;
	int k;

	for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		PGresult *r;

		buf_clear(&sql);
		buf_printf(&sql, "BEGIN; SET LOCAL timezone = '%s'", zones[i]);
		run(buf_cstr(&sql));
		run(buf_cstr(&job));
		buf_clear(&sql);
		buf_printf(&sql, oracle_sql, zones[i]);
		r = PQexec(conn, buf_cstr(&sql));
		if (PQresultStatus(r) != PGRES_TUPLES_OK)
			fail_msg("%s", PQerrorMessage(conn));
		for (k = 0; k < 7; k++)
			assert_string_equal(PQgetvalue(r, 0, k), expected[k]);
		PQclear(r);
		run("ROLLBACK");
	}
	buf_release(&sql);
}

static void job_text_names_no_zone(void **state)
{
	assert_null(strcasestr(buf_cstr(&job), "at time zone"));
	assert_null(strcasestr(buf_cstr(&job), "set timezone"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(job_text_means_what_the_dashboard_says_in_every_zone),
		cmocka_unit_test(job_text_names_no_zone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
