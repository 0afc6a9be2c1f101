/* Jobs end to end: PostgreSQL's WAL through connector and log into tables that equal their SQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

static char *demo_schema, *demo_job;

static char *slurp(const char *name)
{
	struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", getenv("WALMILL_ROOT"), name);
	if (io_read_file(io_system(), path, &b, &err))
		fail_msg("%s", err.text);
	buf_cstr(&b);
	return (char *)b.ptr;
}

static void fill(struct world *w)
{
	world_sql(w,
		"INSERT INTO users (email, full_name, role) SELECT 't' || i || '@example.org', 'Technician ' || i, 'TECH' FROM generate_series(1, "
		"5) i");
	world_sql(w,
		"INSERT INTO interventions (reference, title, status, assignment_mode, planned_at, started_at, completed_at, technician_id, "
		"latitude, longitude) "
		"SELECT 'R' || i, 'title ' || i, (ARRAY['SCHEDULED','IN_PROGRESS','COMPLETED','VALIDATED'])[1 + i %% 4], 'AUTO', now() - i * "
		"interval '7 hours', "
		"CASE WHEN i %% 4 > 0 THEN now() - i * interval '6 hours' END, CASE WHEN i %% 4 > 1 THEN now() - i * interval '5.5 hours' END, "
		"CASE WHEN i %% 6 > 0 THEN 1 + i %% 5 END, CASE WHEN i %% 7 > 0 THEN 40 + i / 100.0 END, CASE WHEN i %% 7 > 0 THEN -74 + i / 100.0 "
		"END "
		"FROM generate_series(1, 300) i");
}

static void demo_tables_follow_every_kind_of_change(void **state)
{
	struct world w;
	struct job *j;
	char *n;

	world_start(&w, demo_schema, "public\\\\.interventions");
	fill(&w);
	world_connect(&w);
	j = world_job(&w, "interventions", demo_job);
	world_verify(&w, j);
	world_sql(&w, "INSERT INTO interventions (reference, title, planned_at) VALUES ('X1', 'new', now())");
	world_sql(&w,
		"UPDATE interventions SET status = 'COMPLETED', started_at = now() - interval '1 hour', completed_at = now(), technician_id = 3 "
		"WHERE id %% 10 = 1");
	world_sql(&w, "DELETE FROM interventions WHERE id %% 13 = 0");
	world_sql(&w,
		"BEGIN; UPDATE interventions SET technician_id = NULL WHERE technician_id = 2; SAVEPOINT s; DELETE FROM interventions; ROLLBACK TO "
		"s; "
		"UPDATE interventions SET id = id + 100000 WHERE id %% 17 = 0; COMMIT");
	world_verify(&w, j);
	world_sql(&w, "TRUNCATE interventions");
	world_sql(&w, "INSERT INTO interventions (reference, title, planned_at, latitude, longitude) VALUES ('Y1', 'after', now(), 1, 2)");
	world_verify(&w, j);
	n = world_value(&w, "SELECT count(*) FROM analytics.intervention_geo_view");
	assert_string_equal(n, "1");
	free(n);
	job_free(j);
	world_stop(&w);
}

static void a_job_goes_on_where_it_stopped(void **state)
{
	struct world w;
	struct job *j;

	world_start(&w, demo_schema, "public\\\\.interventions");
	fill(&w);
	world_connect(&w);
	j = world_job(&w, "interventions", demo_job);
	world_sql(&w, "UPDATE interventions SET status = 'VALIDATED' WHERE id < 50");
	world_verify(&w, j);
	job_free(j);
	world_disconnect(&w);
	world_sql(&w, "DELETE FROM interventions WHERE id < 20");
	world_close_log(&w);
	world_open_log(&w);
	world_connect(&w);
	j = world_job(&w, "interventions", demo_job);
	world_verify(&w, j);
	world_sql(&w, "UPDATE interventions SET latitude = NULL WHERE id < 60");
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

static int start(void **state)
{
	if (!getenv("WALMILL_ROOT")) {
		fprintf(stderr, "WALMILL_ROOT must name the source tree\n");
		return -1;
	}
	demo_schema = slurp("demo/schema.sql");
	demo_job = slurp("jobs/interventions.sql");
	return 0;
}

static int stop(void **state)
{
	free(demo_schema);
	free(demo_job);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(demo_tables_follow_every_kind_of_change),
		cmocka_unit_test(a_job_goes_on_where_it_stopped),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
