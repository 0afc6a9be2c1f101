/* What happens to jobs in their life: no snapshot in the log, new columns, hands on their targets, values that fail, days that end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "workload.h"

/* a test that fails leaves its jobs behind, and they their world */
static struct world w;
static struct workload l;

static void without_a_snapshot_in_the_log_jobs_begin_with_the_tables(void **state)
{
	static const char *const names[] = {"three_joined_grouped", "any_numeric", "float_ends", "union_all", "local_days", "whole"};
	const struct workload_view *views[6];
	struct job *jobs[6];
	unsigned i;

	workload_begin(&l, &w, ",\"snapshot.mode\":\"no_data\"");
	workload_run(&l, 80);
	world_connect(&w);
	for (i = 0; i < 6; i++) {
		views[i] = workload_view_of(names[i]);
		jobs[i] = workload_job(&l, views[i]);
		workload_run(&l, 10); /* while it reads */
	}
	for (i = 0; i < 6; i++)
		workload_settle(&l, jobs[i], views[i]);
	for (i = 0; i < 6; i++)
		job_pause(jobs[i]);
	workload_run(&l, 20);
	for (i = 0; i < 6; i++)
		job_resume(jobs[i]);
	workload_run(&l, 20);
	for (i = 0; i < 6; i++) {
		workload_settle(&l, jobs[i], views[i]);
		world_verify(&w, jobs[i]);
		job_free(jobs[i]);
	}
	world_stop(&w);
}

/* The rows that the log holds were written before the column: only the table knows what they have in it. */
static void a_column_added_with_a_default_is_seen_by_new_and_old_jobs(void **state)
{
	static const struct workload_view later = {"later", "id", "SELECT id, status, colour, made FROM shop.orders WHERE colour IS NOT NULL"};
	const struct workload_view *earlier = workload_view_of("filter");
	struct job *a, *b;

	workload_begin(&l, &w, "");
	workload_run(&l, 60);
	world_connect(&w);
	a = workload_job(&l, earlier);
	workload_settle(&l, a, earlier);
	world_sql(&w, "ALTER TABLE shop.orders ADD COLUMN colour text DEFAULT 'red', ADD COLUMN made timestamptz DEFAULT now()");
	world_sql(&w, "INSERT INTO shop.orders (id, status, amount) VALUES (1000, 'new', 20), (1001, 'draft', 20)");
	workload_settle(&l, a, earlier);
	b = workload_job(&l, &later);
	workload_settle(&l, b, &later);
	world_sql(&w, "UPDATE shop.orders SET colour = NULLIF(colour, 'red') WHERE id %% 2 = 0");
	workload_mark(&l);
	workload_settle(&l, a, earlier);
	workload_settle(&l, b, &later);
	job_free(b);
	b = job_new(&w.env, "later",
		view_str("INSERT INTO kept.later SELECT id, status, colour, made FROM shop.orders WHERE colour IS NOT NULL;"), NULL);
	workload_settle(&l, b, &later);
	job_free(a);
	job_free(b);
	world_stop(&w);
}

static void repaired(struct job *j)
{
	struct job_status s;
	uint64_t replaces;

	job_status(j, &s);
	replaces = s.counts.replaces;
	job_repair(j);
	do {
		uint64_t seen = wake_seen(&w.wake);

		job_status(j, &s);
		if (s.counts.replaces > replaces)
			break;
		wake_wait(&w.wake, seen, 10000);
	} while (true); /* meson's time limit ends it */
}

/* Rows that are right to the byte keep their version; a number's scale and a NULL in a key count, the time of writing does not. */
static void a_repair_touches_only_what_differs(void **state)
{
	static const struct workload_view whole = {"every_type", "id", "SELECT * FROM shop.events"};
	static const char sums[] = "INSERT INTO kept.sums (kind, place, total, told) SELECT kind, order_id % 7, sum(total * 1.00), now() FROM "
		"shop.events GROUP BY 1, 2;";
	static const char touched[] = "SELECT count(*) FROM kept.sums s LEFT JOIN kept.was x ON x.v = s.xmin::text AND x.t = 's' AND x.at = "
		"s.ctid::text WHERE x.v IS NULL";
	struct job_status before, after;
	struct job *a, *b;

	workload_begin(&l, &w, "");
	workload_run(&l, 150);
	world_sql(&w, "CREATE TABLE kept.sums (kind shop.kind, place bigint, total numeric, told timestamptz, note text DEFAULT 'none', UNIQUE "
		"NULLS NOT DISTINCT (kind, place)); INSERT INTO shop.events (id, kind, total) SELECT gen_random_uuid(), 'opened', g FROM "
		"generate_series(1, 3) g");
	world_connect(&w);
	a = workload_job(&l, &whole);
	b = world_job(&w, "sums", sums);
	workload_settle(&l, a, &whole);
	workload_wait(&l, b, workload_mark(&l));
	world_sql(&w, "CREATE TABLE kept.was AS SELECT 'e' AS t, ctid::text AS at, xmin::text AS v FROM kept.every_type UNION ALL SELECT 's', "
		"ctid::text, xmin::text FROM kept.sums");
	/* nothing differs: nothing is touched */
	job_status(b, &before);
	repaired(b);
	job_status(b, &after);
	assert_int_equal(after.counts.rows_written, before.counts.rows_written);
	world_expect(&w, "0", touched);
	/* another scale, a row too many, a row too few, and one whose key has a NULL */
	world_sql(&w, "DELETE FROM kept.sums WHERE ctid = (SELECT max(ctid) FROM kept.sums WHERE place >= 0); UPDATE kept.sums SET total = "
		"total + 0.00000 WHERE ctid = (SELECT min(ctid) FROM kept.sums WHERE place >= 0 AND total IS NOT NULL); INSERT INTO kept.sums "
		"(kind, place, total) VALUES ('opened', -5, 1); UPDATE kept.sums SET total = -1 WHERE kind = 'opened' AND place IS NULL");
	job_status(b, &before);
	repaired(b);
	job_status(b, &after);
	assert_int_equal(after.counts.rows_written - before.counts.rows_written, 6); /* 2 + 1 + 1 + 2 */
	world_expect(&w, "3", touched);
	world_verify(&w, b);
	world_expect(&w, "0", "SELECT count(*) FROM kept.sums WHERE scale(total) > 5");
	/* every type; without the right to make temporary tables it is right all the same */
	world_sql(&w, "UPDATE kept.every_type SET code = 'zz' WHERE id = (SELECT min(id::text)::uuid FROM kept.every_type)");
	repaired(a);
	world_expect(&w, "1", "SELECT count(*) FROM kept.every_type e LEFT JOIN kept.was x ON x.v = e.xmin::text AND x.t = 'e' AND x.at = "
		"e.ctid::text WHERE x.v IS NULL");
	world_verify(&w, a);
	job_free(a);
	world_sql(&w, "CREATE ROLE writer LOGIN; GRANT ALL ON SCHEMA kept, shop, walmill TO writer; GRANT ALL ON ALL TABLES IN SCHEMA kept, "
		"walmill TO writer; REVOKE TEMPORARY ON DATABASE app FROM PUBLIC; DELETE FROM kept.every_type WHERE code IS NOT NULL");
	mem_free(w.env.target.user);
	w.env.target.user = mem_strdup("writer");
	a = job_new(&w.env, "every_type", view_str("INSERT INTO kept.every_type SELECT * FROM shop.events;"), NULL);
	world_wait_job(&w, a, JOB_RUNNING);
	repaired(a);
	workload_settle(&l, a, &whole);
	world_verify(&w, a);
	job_free(a);
	job_free(b);
	world_stop(&w);
}

#define OF_BOTH " FROM pg_stat_all_tables WHERE schemaname = 'kept' AND relname IN ('ids', 'places')"

/* The server tells its counts a second late. */
static void wait_for_count(const char *sql, const char *want)
{
	bool there;

	do {
		char *now = world_value(&w, sql);

		there = strcmp(now, want) == 0;
		free(now);
	} while (!there); /* meson's time limit ends it */
}

/* Reading a whole target for every row that leaves it is right, too, and makes a job of a million rows stand still. */
static void rows_that_leave_are_found_by_an_index(void **state)
{
	static const char scans[] = "SELECT sum(seq_scan)" OF_BOTH;
	struct job *j;
	char *before;

	workload_begin(&l, &w, "");
	/* keys of two columns: both there, either null, both null; each its own group */
	world_sql(&w, "CREATE TABLE kept.ids (id uuid PRIMARY KEY, total numeric); CREATE TABLE kept.places (total numeric, place bigint, "
		"n bigint, UNIQUE NULLS NOT DISTINCT (total, place)); INSERT INTO shop.events (id, kind, total, order_id) SELECT "
		"md5(g::text)::uuid, 'opened', CASE WHEN g %% 3 > 0 THEN g END, CASE WHEN g %% 3 < 2 AND g < 12000 THEN g END FROM "
		"generate_series(1, 12000) g");
	world_connect(&w);
	j = world_job(&w, "leaving", "INSERT INTO kept.ids SELECT id, total FROM shop.events; INSERT INTO kept.places SELECT total, order_id, "
		"count(*) FROM shop.events GROUP BY 1, 2;");
	workload_wait(&l, j, workload_mark(&l));
	world_sql(&w, "VACUUM ANALYZE kept.ids, kept.places");
	wait_for_count("SELECT sum(n_tup_ins)" OF_BOTH, "24000");
	before = world_value(&w, scans);
	world_sql(&w, "DELETE FROM shop.events WHERE total = 1");
	world_sql(&w, "DELETE FROM shop.events WHERE total = 2");
	world_sql(&w, "DELETE FROM shop.events WHERE order_id = 3");
	world_sql(&w, "DELETE FROM shop.events WHERE total IS NULL AND order_id IS NULL");
	workload_wait(&l, j, workload_mark(&l));
	wait_for_count("SELECT sum(n_tup_del)" OF_BOTH, "8");
	world_expect(&w, before, scans);
	world_verify(&w, j);
	free(before);
	job_free(j);
	world_stop(&w);
}

static void verify_finds_what_hands_changed_and_repair_mends_it(void **state)
{
	const struct workload_view *v = workload_view_of("grouped");
	struct buf text = BUF_INIT(1 << 20);
	struct job_verdict verdict;
	struct err err = ERR_INIT;
	struct job *j;
	int i;

	workload_begin(&l, &w, "");
	workload_run(&l, 60);
	world_sql(&w, "INSERT INTO shop.orders (id, status, amount) VALUES (1000, 'mine', 20)");
	world_connect(&w);
	j = workload_job(&l, v);
	workload_settle(&l, j, v);
	/* one after another without a pause: the next hold comes while the job leaves the last one */
	for (i = 0; i < 10; i++)
		world_verify(&w, j);
	world_sql(&w, "UPDATE kept.grouped SET n = n + 1 WHERE status = 'mine'");
	world_sql(&w, "INSERT INTO kept.grouped (status, n) VALUES ('nobody''s', 1)");
	if (job_verify(j, &verdict, &text, &err))
		fail_msg("%s", err.text);
	assert_false(verdict.equal);
	assert_int_equal(verdict.differences, 3); /* the row as it is and as it should be, and the one too many */
	assert_non_null(strstr(buf_cstr(&text), "nobody"));
	repaired(j);
	workload_settle(&l, j, v);
	world_sql(&w, "UPDATE shop.orders SET amount = 21 WHERE id = 1000");
	workload_settle(&l, j, v);
	world_verify(&w, j);
	buf_release(&text);
	job_free(j);
	world_stop(&w);
}

static void a_value_that_fails_degrades_the_job_until_it_is_gone(void **state)
{
	static const struct workload_view v = {"ratios", "id", "SELECT id, 100 / amount AS ratio FROM shop.orders WHERE amount IS NOT NULL"};
	struct job_status s;
	struct job *j;
	char *n;

	workload_begin(&l, &w, "");
	world_sql(&w, "INSERT INTO shop.orders (id, status, amount) SELECT i, 'open', i FROM generate_series(1, 5) i");
	world_connect(&w);
	j = workload_job(&l, &v);
	workload_settle(&l, j, &v);
	world_sql(&w, "BEGIN; DELETE FROM shop.orders WHERE id = 5; UPDATE shop.orders SET amount = 0 WHERE id = 3; COMMIT");
	world_wait_job(&w, j, JOB_DEGRADED);
	n = world_value(&w, "SELECT count(*) FROM kept.ratios"); /* nothing of a transaction that fails */
	assert_string_equal(n, "5");
	free(n);
	job_status(j, &s);
	assert_non_null(strstr(s.error.text, "division by zero"));
	world_sql(&w, "INSERT INTO shop.orders (id, status, amount) VALUES (6, 'open', 6)");
	world_sql(&w, "UPDATE shop.orders SET amount = 8 WHERE id = 3");
	world_wait_job(&w, j, JOB_RUNNING);
	workload_settle(&l, j, &v);
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

/* ---- time ---- */

static _Atomic int64_t clock_us;

static int64_t clock_read(struct io *io)
{
	return atomic_load(&clock_us);
}

static void clock_set(const char *instant)
{
	char *sql, *text;

	assert_true(asprintf(&sql, "SELECT (extract(epoch FROM '%s'::timestamptz) * 1000000)::bigint", instant) > 0);
	text = world_value(&w, sql);
	atomic_store(&clock_us, strtoll(text, NULL, 10));
	free(text);
	free(sql);
	if (w.log)
		wake_signal(log_wake(w.log));
}

/* Waits for the job's clock to be there and compares with the query in which the clock stands as a constant. */
static void expect_at(struct job *j, const char *instant)
{
	struct workload_view v = {"today", NULL, NULL};
	struct job_status s;
	char *query;

	assert_true(asprintf(&query,
					"SELECT id, status FROM shop.orders WHERE (created_at AT TIME ZONE 'America/New_York')::date = "
					"('%s'::timestamptz AT TIME ZONE 'America/New_York')::date OR created_at > '%s'::timestamptz - interval '1 hour'",
					instant, instant) > 0);
	v.query = query;
	clock_set(instant);
	do {
		uint64_t seen = wake_seen(log_wake(w.log));

		job_status(j, &s);
		if (s.clock_us + INT64_C(946684800000000) >= atomic_load(&clock_us))
			break;
		wake_wait(log_wake(w.log), seen, 10000);
	} while (true);
	workload_compare(&l, &v);
	free(query);
}

static void days_end_at_local_midnight_also_when_clocks_change(void **state)
{
	static const char *const instants[] = {
		"2024-03-10 04:59:59.999999+00", "2024-03-10 05:00:00+00",    /* midnight, still winter */
		"2024-03-10 06:59:59+00", "2024-03-10 07:00:00+00",           /* the hour that is not */
		"2024-03-10 08:00:01+00", "2024-03-11 03:59:59.999999+00",
		"2024-03-11 04:00:00+00",                                     /* midnight, summer: a day of 23 hours */
		"2024-11-03 04:00:00+00", "2024-11-04 04:59:59.999999+00",    /* a day of 25 hours */
		"2024-11-04 05:00:00+00", "2030-01-01 00:00:00+00",
	};
	static struct io_ops ops;
	static struct io frozen = {&ops};
	struct job *j;
	size_t i;

	workload_begin(&l, &w, "");
	ops = *io_system()->ops;
	ops.now_us = clock_read;
	w.env.io = &frozen;
	clock_set("2024-03-09 12:00:00+00");
	world_sql(&w,
		"INSERT INTO shop.orders (id, status, created_at) SELECT i, 'open', '2024-03-08 00:00:00+00'::timestamptz + i * interval '17 "
		"minutes' FROM generate_series(1, 500) i");
	world_sql(&w,
		"INSERT INTO shop.orders (id, status, created_at) SELECT 1000 + i, 'open', '2024-11-02 00:00:00+00'::timestamptz + i * interval "
		"'17 minutes' FROM generate_series(1, 300) i");
	world_sql(&w, "CREATE TABLE kept.today (id bigint PRIMARY KEY, status text)");
	world_connect(&w);
	j = world_job(&w, "today",
		"SET timezone = 'America/New_York'; INSERT INTO kept.today SELECT id, status FROM shop.orders WHERE created_at::date = "
		"CURRENT_DATE "
		"OR created_at > now() - interval '1 hour';");
	expect_at(j, "2024-03-09 12:00:00+00");
	for (i = 0; i < sizeof(instants) / sizeof(*instants); i++) {
		world_sql(&w, "UPDATE shop.orders SET status = status || 'x' WHERE id %% 3 = %zu", i % 3);
		workload_wait(&l, j, workload_mark(&l));
		expect_at(j, instants[i]);
	}
	job_free(j);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_snapshot_in_the_log_jobs_begin_with_the_tables),
		cmocka_unit_test(a_column_added_with_a_default_is_seen_by_new_and_old_jobs),
		cmocka_unit_test(rows_that_leave_are_found_by_an_index),
		cmocka_unit_test(verify_finds_what_hands_changed_and_repair_mends_it),
		cmocka_unit_test(a_repair_touches_only_what_differs),
		cmocka_unit_test(a_value_that_fails_degrades_the_job_until_it_is_gone),
		cmocka_unit_test(days_end_at_local_midnight_also_when_clocks_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
