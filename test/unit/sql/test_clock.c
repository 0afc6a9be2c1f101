/*
 * sql_prog_next_change() against brute force: between now and the instant it names the result must not change, wherever one looks; and
 * what it names must be
 * a change or, near a change of offset, at most a quarter of an hour early.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/datetime.h"
#include "oracle.h"
#include "pgserver.h"
#include "sql/expr_eval.h"

static struct oracle oracle;
static struct tz_cache *zones;

/* over table moments (id, z timestamptz, d date, s timestamp) */
static const char *const exprs[] = {
	"z >= now() - interval '7 days'", "z < now() - interval '36 hours'", "z::date = CURRENT_DATE", "d = CURRENT_DATE",
		"d <> CURRENT_DATE - 1",
	"(z AT TIME ZONE 'Europe/Paris')::date = (now() AT TIME ZONE 'Europe/Paris')::date", "z < now() - interval '1 month'",
		"z + interval '1 year' > now()",
	"date_trunc('month', now()) = date_trunc('month', z)", "extract(epoch from now() - z) > 3600",
		"floor(extract(epoch from now() - z) / 3600)",
	"CURRENT_DATE - z::date", "CASE WHEN z > now() THEN 'future' WHEN z > now() - interval '1 day' THEN 'recent' ELSE 'old' END",
		"date_trunc('hour', now())",
	"d BETWEEN CURRENT_DATE - 7 AND CURRENT_DATE", "age(z) > interval '1 mon'", "extract(dow from now())", "extract(hour from now()) = 12",
	"LOCALTIME BETWEEN '09:00' AND '17:30'", "s > LOCALTIMESTAMP", "d < now()",
		"z BETWEEN date_trunc('day', now()) AND date_trunc('day', now()) + interval '1 day'",
	"(CURRENT_DATE - d) % 7 = 0", "extract(year from CURRENT_DATE) - extract(year from d)", "coalesce(z, now()) <= now()",
		"now() - z > interval '2 hours'",
	"date_trunc('week', now() AT TIME ZONE 'Australia/Lord_Howe')", "NOT (z > now()) AND d >= CURRENT_DATE - 30",
		"to_timestamp(extract(epoch from z)) < now()",
};

static bool same_result(const struct sql_prog *p, struct sql_eval *ev, const struct value *row, int64_t at, const struct value *as)
{
	struct err err = ERR_INIT;
	struct value v;

	ev->now_us = at;
	if (sql_prog_run(p, ev, row, &v, &err) != 0)
		return false;
	return value_same(&v, as);
}

static int64_t around(const struct tz *zone, int64_t now)
{
	static const int64_t spans[] = {1000000, 3600000000, 86400000000, 86400000000 * 31, 86400000000 * 400};
	int64_t t = now + (int64_t)(oracle_random() % (uint64_t)spans[oracle_below(5)]);

	switch (oracle_below(4)) {
	case 0: t = tz_next_midnight(zone, t); break;
	case 1: t = tz_next_transition(zone, t) == TZ_NEVER ? t : tz_next_transition(zone, t); break;
	default: break;
	}
	return t + (int64_t)oracle_below(3) - 1;
}

static void check(const struct sql_job *job, const char *text, struct arena *a)
{
	struct sql_prog *p = sql_prog_compile(a, job->statements[0].root->exprs[1]);
	struct sql_eval ev = {.arena = a, .zone = job->zone, .zones = zones};
	struct err err = ERR_INIT;
	const struct sql_table *table = &job->tables[0];
	struct value row[4], now_value;
	/* 2015 .. 2035 */
	int64_t now = INT64_C(473385600000000) + (int64_t)(oracle_random() % UINT64_C(631152000000000)), next, t;

	if (oracle_below(2))
		now = tz_next_transition(job->zone, now) == TZ_NEVER ? now : tz_next_transition(job->zone,
			now) - (int64_t)(oracle_random() % 200000000000);
	t = now + (int64_t)(oracle_random() % UINT64_C(6000000000000)) - INT64_C(3000000000000);
	for (uint32_t i = 0; i < table->ncolumns; i++) {
		enum value_kind kind = (enum value_kind)table->columns[i].type.kind;

		row[i] = value_int(kind, kind == VALUE_DATE ? t / US_PER_DAY : kind == VALUE_INT4 ? 1 : t);
	}
	ev.now_us = now;
	if (sql_prog_run(p, &ev, row, &now_value, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	next = sql_prog_next_change(p, &ev, row);
	assert_true(next > now);
	for (int i = 0; i < 60; i++) {
		t = around(job->zone, now);
		if (t >= next || t <= now)
			t = next == TZ_NEVER ? now + (int64_t)(oracle_random() % 40000000000000) :
				now + (int64_t)(oracle_random() % (uint64_t)(next - now));
		if (!same_result(p, &ev, row, t, &now_value))
			fail_msg("%s in %s: at %lld next is %lld, but it changes by %lld", text, job->timezone, (long long)now, (long long)next,
				(long long)t);
	}
	if (next != TZ_NEVER && !same_result(p, &ev, row, next - 1, &now_value))
		fail_msg("%s in %s: changes before %lld", text, job->timezone, (long long)next);
	/* how early it may be: on a quarter of an hour, or where a wobbling clock might first be */
	if (next != TZ_NEVER && strstr(text, "hours'") && same_result(p, &ev, row, next, &now_value))
		fail_msg("%s in %s: nothing changes at %lld", text, job->timezone, (long long)next);
}

static void results_stay_the_same_until_the_named_instant(void **state)
{
	static const char *const test_zones[] = {"UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Havana",
		"Asia/Kolkata"};
	struct sql_server server = pgserver_of(oracle.conn);

	for (size_t z = 0; z < 6; z++) {
		for (size_t i = 0; i < sizeof(exprs) / sizeof(exprs[0]); i++) {
			struct sql_plan_options opts = {.zones = zones, .timezone = test_zones[z]};
			struct arena a = ARENA_INIT;
			struct err err = ERR_INIT;
			struct sql_job *job;
			char *file = arena_printf(&a, "INSERT INTO x SELECT id, %s FROM moments", exprs[i]);

			if (sql_job_plan(view_str(file), &server, &opts, &job, &err) != 0)
				fail_msg("%s: %s", exprs[i], err.text);
			assert_true(job->statements[0].uses_clock);
			for (size_t n = 0; n < oracle_cases(25); n++)
				check(job, exprs[i], &a);
			sql_job_release(job);
			arena_release(&a);
		}
	}
}

static void a_row_that_is_past_never_changes_again(void **state)
{
	struct sql_server server = pgserver_of(oracle.conn);
	struct sql_plan_options opts = {.zones = zones, .timezone = "Europe/Paris"};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct sql_job *job;
	struct sql_eval ev = {.arena = &a, .zones = zones, .now_us = INT64_C(800000000000000)};
	struct value row[2] = {value_int(VALUE_INT4, 1), value_int(VALUE_TIMESTAMPTZ, INT64_C(700000000000000))};

	assert_int_equal(sql_job_plan(view_str("INSERT INTO x SELECT id, z::date = CURRENT_DATE FROM moments"), &server, &opts, &job, &err), 0);
	ev.zone = job->zone;
	assert_true(sql_prog_next_change(sql_prog_compile(&a, job->statements[0].root->exprs[1]), &ev, row) == TZ_NEVER);
	sql_job_release(job);
	arena_release(&a);
}

static void local_days_of_23_and_25_hours_end_at_local_midnight(void **state)
{
	struct err err = ERR_INIT;
	const struct tz *paris = tz_open(zones, "Europe/Paris", &err);
	struct arena a = ARENA_INIT;
	const char *queries[64], *answers[64];
	int64_t t = INT64_C(764985600000000), midnights[64];       /* 2024-03-29 00:00 UTC */

	oracle_exec(&oracle, "SET timezone = 'Europe/Paris'");
	for (int i = 0; i < 5; i++) {
		struct buf b = BUF_INIT(100);

		t = midnights[i] = tz_next_midnight(paris, t);
		timestamptz_print(t, paris, &b);
		queries[i] = arena_printf(&a, "(date '2024-03-30' + %d)::timestamptz = '%s'", i, buf_cstr(&b));
		buf_release(&b);
	}
	oracle_eval(&oracle, &a, queries, 5, answers);
	for (int i = 0; i < 5; i++)
		assert_string_equal(answers[i], "=true");
	assert_true(midnights[2] - midnights[1] == 23 * 3600 * US_PER_SECOND);
	arena_release(&a);
}

/* Every zone of the machine: local time at random instants, instants of random local times, as the server has them. */
static void every_zone_agrees_with_the_server(void **state)
{
	PGresult *r = PQexec(oracle.conn,
		"SELECT name FROM pg_timezone_names WHERE name NOT LIKE 'posix%' AND name <> 'localtime' AND name <> 'Factory' ORDER BY name");
	struct arena a = ARENA_INIT;
	int nzones = PQntuples(r), n = 0, bad = 0;
	const char **queries = arena_alloc(&a, sizeof(*queries) * (size_t)nzones * 6), **answers = arena_alloc(&a,
		sizeof(*answers) * (size_t)nzones * 6);
	const char **mine = arena_alloc(&a, sizeof(*mine) * (size_t)nzones * 6);

	assert_true(nzones > 300);
	for (int z = 0; z < nzones; z++) {
		const char *name = PQgetvalue(r, z, 0);
		struct err err = ERR_INIT;
		const struct tz *zone = tz_open(zones, name, &err);

		/* short names are the server's abbreviations in AT TIME ZONE, not zones */
		if (!strchr(name, '/') && strlen(name) < 5)
			continue;
		if (!zone) {
			print_message("%s: %s\n", name, err.text);
			bad++;
			continue;
		}
		for (int k = 0; k < 6; k++, n++) {
			/* 1880 .. 2130, half of them around a transition */
			int64_t t = -INT64_C(3786912000000000) + (int64_t)(oracle_random() % UINT64_C(7889400000000000)),
				near = tz_next_transition(zone, t);
			struct buf b = BUF_INIT(200);

			if (k % 2 && near != TZ_NEVER)
				t = near + (int64_t)(oracle_random() % 20000000000) - 10000000000;
			t -= t % 1000000;
			timestamp_print(t, &b);
			buf_cstr(&b);
			queries[n] = arena_printf(&a, k < 3 ? "(timestamptz '%s+00' AT TIME ZONE '%s')" :
				"(timestamp '%s' AT TIME ZONE '%s') AT TIME ZONE 'UTC'",
			                          (const char *)b.ptr, name);
			buf_clear(&b);
			timestamp_print(k < 3 ? tz_to_local(zone, t) : tz_to_utc(zone, t), &b);
			mine[n] = arena_printf(&a, "=%s", buf_cstr(&b));
			buf_release(&b);
		}
	}
	oracle_eval(&oracle, &a, queries, (size_t)n, answers);
	for (int i = 0; i < n; i++) {
		if (strcmp(mine[i], answers[i]) != 0 && bad++ < 10)
			print_message("%s: ours %s, server %s\n", queries[i], mine[i], answers[i]);
	}
	PQclear(r);
	arena_release(&a);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_stay_the_same_until_the_named_instant),
		cmocka_unit_test(a_row_that_is_past_never_changes_again),
		cmocka_unit_test(local_days_of_23_and_25_hours_end_at_local_midnight),
		cmocka_unit_test(every_zone_agrees_with_the_server),
	};
	int rc;

	if (!oracle_start(&oracle))
		return 77;
	zones = tz_cache_new(io_system(), NULL);
	oracle_exec(&oracle, "CREATE TABLE moments (id int PRIMARY KEY, z timestamptz, d date, s timestamp)");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	tz_cache_release(zones);
	oracle_stop(&oracle);
	return rc;
}
