/*
 * What may go wrong around a job: answers that are lost, two owners, a log whose beginning is gone, two servers, transactions of the
 * application around cuts, and DDL on what the job reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/thread.h"
#include "flow/flow.h"
#include "proxy.h"
#include "sql/plan.h"
#include "workload.h"

enum { WAIT_US = 30000000, STEP_US = 10000 };

static struct world w;
static struct workload l;

/* The command is taken up by the job's thread: until then the job is what it was. */
static void resume(struct job *j)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;
	struct job_status s;

	job_resume(j);
	for (job_status(j, &s); s.state == JOB_FAILED; job_status(j, &s)) {
		uint64_t seen = wake_seen(&w.wake);

		if (io_monotonic_us(io_system()) > deadline)
			fail_msg("job %s does not resume: %s", job_name(j), s.error.text);
		wake_wait(&w.wake, seen, STEP_US);
	}
}

/* Waits until the condition holds; looks again whenever something of the world moves. */
#define WAIT_UNTIL(condition, ...) \
	do { \
		int64_t wait_deadline = io_monotonic_us(io_system()) + WAIT_US; \
\
		for (;;) { \
			uint64_t wait_seen = wake_seen(&w.wake); \
\
			if (condition) \
				break; \
			if (io_monotonic_us(io_system()) > wait_deadline) \
				fail_msg(__VA_ARGS__); \
			wake_wait(&w.wake, wait_seen, STEP_US); \
		} \
	} while (0)

/* ---- COMMIT ---- */

/* What somebody who looks on was told: rows that changed, and how often that the rows told do not lead from before to now. */
static struct told {
	_Atomic unsigned rows, gaps;
} told;

static bool is_wanted(void *arg)
{
	return true;
}

static void written(void *arg, const struct job_written *x)
{
	struct flow_cursor c = {0};
	struct flow_change change;
	uint32_t i;

	told.gaps += x->replaced;
	for (i = 0; i < x->plan->nstatements && !x->replaced; i++)
		while (flow_next_change(x->flow, i, &c, &change))
			told.rows++;
	flow_cursor_release(&c);
}

static const struct job_tap tap = {is_wanted, written, NULL};

static void lose_one(struct proxy *proxy, struct job *j, const struct workload_view *v, enum proxy_cut how, unsigned nth)
{
	struct job_status before, after;
	unsigned rows = told.rows, gaps = told.gaps;

	job_status(j, &before);
	world_sql(&w, "TRUNCATE kept.seen");
	proxy_arm(proxy, how, "mine"); /* in what it writes of the rows 1001 to 1003 */
	world_sql(&w, "UPDATE shop.orders SET amount = amount + 1 WHERE id IN (1001, 1002); ");
	WAIT_UNTIL(proxy_cuts(proxy) == nth, "no COMMIT came through the proxy");
	world_wait_job(&w, j, JOB_RUNNING);
	workload_settle(&l, j, v);
	/* each changed row was written once: by the transaction whose answer was lost, or by the one after the one that was lost itself */
	world_expect(&w, "1001 1, 1002 1", "SELECT string_agg(id || ' ' || n, ', ' ORDER BY id) FROM (SELECT id, count(*) AS n FROM kept.seen "
		"GROUP BY id) s");
	world_sql(&w, "UPDATE shop.orders SET amount = amount + 1 WHERE id = 1003; ");
	workload_settle(&l, j, v);
	world_expect(&w, "1", "SELECT count(*) FROM kept.seen WHERE id = 1003");
	world_expect(&w, "3", "SELECT count(*) FROM kept.seen");
	job_status(j, &after);
	assert_true(after.position > before.position);
	/* what was written while nobody heard of it is not counted, the rest is, once */
	assert_int_equal(after.counts.rows_written - before.counts.rows_written, how == PROXY_LOSE_ANSWER ? 1 : 3);
	/* nor is it told of, and that is said */
	assert_int_equal(told.rows - rows, how == PROXY_LOSE_ANSWER ? 1 : 3);
	assert_int_equal(told.gaps - gaps, 1);
	world_verify(&w, j);
}

static void a_lost_commit_is_neither_done_twice_nor_left_out(void **state)
{
	const struct workload_view *v = workload_view_of("filter");
	struct proxy *proxy;
	struct job *j;
	char port[16];

	workload_begin(&l, &w, "");
	proxy = proxy_start(pgtemp_port(w.server));
	snprintf(port, sizeof(port), "%d", proxy_port(proxy));
	mem_free(w.env.target.port);
	w.env.target.port = mem_strdup(port);
	w.env.tap = &tap;
	workload_run(&l, 30);
	world_sql(&w, "INSERT INTO shop.orders (id, status, amount) SELECT g, 'mine', 20 FROM generate_series(1001, 1003) g");
	world_connect(&w);
	j = workload_job(&l, v);
	workload_settle(&l, j, v);
	world_sql(&w,
		"CREATE TABLE kept.seen (id bigint); CREATE FUNCTION kept.see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO kept.seen "
		"VALUES (NEW.id); RETURN NEW; END'; CREATE TRIGGER see AFTER INSERT OR UPDATE ON kept.filter FOR EACH ROW EXECUTE FUNCTION "
		"kept.see()");
	lose_one(proxy, j, v, PROXY_LOSE_ANSWER, 1);
	lose_one(proxy, j, v, PROXY_LOSE_COMMIT, 2);
	lose_one(proxy, j, v, PROXY_LOSE_ANSWER, 3);
	job_free(j);
	proxy_stop(proxy);
	world_stop(&w);
}

/* ---- owners ---- */

static void the_older_of_two_owners_stops_and_tables_stay_exact(void **state)
{
	const struct workload_view *v = workload_view_of("filter");
	struct job_status s;
	struct job *a, *b;
	char *text;

	workload_begin(&l, &w, "");
	workload_run(&l, 30);
	world_sql(&w, "INSERT INTO shop.orders (id, status, amount) SELECT g, 'mine', 20 FROM generate_series(1001, 1003) g");
	world_connect(&w);
	a = workload_job(&l, v);
	workload_settle(&l, a, v);
	assert_true(asprintf(&text, "INSERT INTO kept.%s %s;", v->name, v->query) > 0);
	b = job_new(&w.env, v->name, view_str(text), NULL);
	free(text);
	workload_settle(&l, b, v);
	world_sql(&w, "UPDATE shop.orders SET amount = amount + 1 WHERE id = 1001");
	world_wait_job(&w, a, JOB_FAILED);
	job_status(a, &s);
	assert_non_null(strstr(s.error.text, "no longer owned"));
	workload_settle(&l, b, v);
	/* the other way round */
	resume(a);
	workload_settle(&l, a, v);
	world_sql(&w, "UPDATE shop.orders SET amount = amount + 1 WHERE id = 1002");
	world_wait_job(&w, b, JOB_FAILED);
	job_status(b, &s);
	assert_non_null(strstr(s.error.text, "no longer owned"));
	workload_run(&l, 20);
	workload_settle(&l, a, v);
	world_verify(&w, a);
	job_free(a);
	job_free(b);
	world_stop(&w);
}

/* ---- trimmed ---- */

static void trim(const char *topic)
{
	struct err err = ERR_INIT;
	struct log_topic t;
	uint32_t part, i;

	assert_true(log_topic_find(w.log, view_str(topic), &t));
	for (i = 0; i < t.n_parts; i++) {
		assert_true(log_part_find(w.log, t.id, i, &part));
		if (log_trim(w.log, part, -1, true, &err) != 0)
			fail_msg("%s", err.text);
	}
}

static void a_job_over_a_trimmed_topic_begins_with_the_tables(void **state)
{
	const struct workload_view *v = workload_view_of("three_joined_grouped"), *whole = workload_view_of("every_type");
	struct job *j, *k;

	workload_begin(&l, &w, "");
	workload_run(&l, 60);
	world_connect(&w);
	world_wait_connector(&w, workload_mark(&l));
	workload_run(&l, 30);
	world_wait_connector(&w, workload_mark(&l));
	trim("app.shop.orders");
	trim("app.shop.events");
	j = workload_job(&l, v);
	k = workload_job(&l, whole);
	workload_run(&l, 30);
	workload_settle(&l, j, v);
	workload_settle(&l, k, whole);
	/* also when what it had read is taken away while it stands still */
	job_pause(j);
	world_wait_job(&w, j, JOB_PAUSED);
	workload_run(&l, 30);
	/* the other one has read it: what is taken away before a job that runs has read it makes that job FAILED, as it should */
	workload_settle(&l, k, whole);
	trim("app.shop.items");
	resume(j);
	workload_settle(&l, j, v);
	world_verify(&w, j);
	world_verify(&w, k);
	job_free(j);
	job_free(k);
	world_stop(&w);
}

/* ---- two servers ---- */

/* All rows as text, in one session whose settings are those of the other. */
static char *rows_of(PGconn *c, const char *from)
{
	PGresult *r;
	char *sql, *text;

	PQclear(PQexec(c, "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET "
		"search_path = shop"));
	assert_true(asprintf(&sql, "SELECT coalesce(string_agg(x::text, E'\\n' ORDER BY x::text COLLATE \"C\"), '') FROM (%s) x", from) > 0);
	r = PQexec(c, sql);
	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s in: %s", PQerrorMessage(c), sql);
	text = strdup(PQgetvalue(r, 0, 0));
	PQclear(r);
	free(sql);
	return text;
}

static void expect_across(PGconn *target, const struct workload_view *v)
{
	char *here = rows_of(w.sql, v->query), *there, *from;

	assert_true(asprintf(&from, "TABLE kept.%s", v->name) > 0);
	there = rows_of(target, from);
	assert_true(strlen(there) > 0);
	assert_string_equal(here, there);
	free(here);
	free(there);
	free(from);
}

static void source_and_target_may_be_two_servers_with_settings_of_their_own(void **state)
{
	static const struct workload_view views[] = {
		{"kinds_ordered", "kind", "SELECT kind, count(*) AS n, min(prior) AS low, count(took) AS tooks, max(at) AS last FROM "
			"shop.events GROUP BY kind"},
		{"every_type", "id", "SELECT * FROM shop.events"},
		{"local_days", "day", "SELECT created_at::date AS day, date_trunc('hour', max(created_at)) AS last, count(*) AS n FROM "
			"shop.orders GROUP BY 1"}};
	struct pgtemp_options options = {.tcp = true, .conf = "timezone = 'Asia/Tokyo'\ndatestyle = 'SQL, DMY'\nintervalstyle = 'iso_8601'\n"
		"bytea_output = 'escape'\nextra_float_digits = 0\n"};
	struct pgtemp *other;
	struct err err = ERR_INIT;
	struct job *jobs[3];
	PGconn *target;
	char text[512];
	size_t i;

	workload_begin(&l, &w, "");
	world_sql(&w, "ALTER DATABASE app SET timezone = 'America/New_York'; ALTER DATABASE app SET datestyle = 'German'");
	if (pgtemp_start(&other, &options, &err))
		fail_msg("%s", err.text);
	target = pgtemp_connect(other, &err);
	assert_non_null(target);
	mem_free(w.env.target.port);
	mem_free(w.env.target.dbname);
	snprintf(text, sizeof(text), "%d", pgtemp_port(other));
	w.env.target.port = mem_strdup(text);
	w.env.target.dbname = mem_strdup("postgres");
	/* the types have other oids there, and a label more */
	PQclear(PQexec(target, "CREATE SCHEMA shop; CREATE SCHEMA kept; CREATE TYPE shop.spare AS ENUM ('a'); CREATE TYPE shop.kind AS "
		"ENUM ('none', 'opened', "
		"'moved', 'zipped', 'billed'); CREATE DOMAIN shop.money AS numeric(10,2)"));
	PQclear(PQexec(target, "CREATE TABLE kept.kinds_ordered (kind shop.kind, n bigint, low shop.kind, tooks bigint, last timestamp); "
		"CREATE UNIQUE INDEX ON "
		"kept.kinds_ordered (kind) NULLS NOT DISTINCT; CREATE TABLE kept.local_days (day date, last timestamptz, n bigint); CREATE "
		"UNIQUE INDEX ON "
		"kept.local_days (day) NULLS NOT DISTINCT; CREATE TABLE kept.every_type (id uuid PRIMARY KEY, order_id bigint, kind "
		"shop.kind, prior shop.kind, "
		"took interval, tags text[], nums int[], raw bytea, doc jsonb, at timestamp(3), clock time, code character(4), small "
		"smallint, ratio real, label "
		"varchar(20), total shop.money, kinds shop.kind[])"));
	workload_run(&l, 60);
	world_connect(&w);
	for (i = 0; i < 3; i++) {
		char *job;

		assert_true(asprintf(&job, "INSERT INTO kept.%s %s;", views[i].name, views[i].query) > 0);
		jobs[i] = world_job(&w, views[i].name, job);
		free(job);
	}
	workload_run(&l, 60);
	for (i = 0; i < 3; i++) {
		workload_wait(&l, jobs[i], workload_mark(&l));
		expect_across(target, &views[i]);
		world_verify(&w, jobs[i]);
		job_free(jobs[i]);
	}
	PQfinish(target);
	world_stop(&w);
	pgtemp_stop(other);
}

/* ---- transactions of the application ---- */

static PGconn *application(void)
{
	char dsn[256];
	PGconn *c;

	snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d user=postgres dbname=app application_name=shop", pgtemp_port(w.server));
	c = PQconnectdb(dsn);
	assert_int_equal(PQstatus(c), CONNECTION_OK);
	return c;
}

static void app_sql(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s in: %s", PQerrorMessage(c), sql);
	PQclear(r);
}

/* Looks all the time whether somebody waits for walmill who is not walmill. */
struct watcher {
	struct thread thread;
	PGconn *conn;
	struct lock lock;
	struct wake wake;
	bool stop;
	unsigned looks;
	char seen[512];      /* who waited, and what for */
};

static void watch(void *arg)
{
	static const char sql[] =
		"SELECT a.application_name || ': ' || a.query || ' waits for ' || b.application_name || ': ' || b.query FROM pg_stat_activity a, "
		"unnest(pg_blocking_pids(a.pid)) p JOIN pg_stat_activity b ON b.pid = p WHERE a.application_name NOT LIKE 'walmill%' AND "
		"b.application_name LIKE 'walmill%' LIMIT 1";
	struct watcher *x = arg;
	bool stop = false;

	while (!stop) {
		uint64_t seen = wake_seen(&x->wake);
		PGresult *r = PQexec(x->conn, sql);

		lock_take(&x->lock);
		x->looks++;
		if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) && !x->seen[0])
			snprintf(x->seen, sizeof(x->seen), "%s", PQgetvalue(r, 0, 0));
		if (PQresultStatus(r) != PGRES_TUPLES_OK && !x->seen[0])
			snprintf(x->seen, sizeof(x->seen), "%s", PQerrorMessage(x->conn));
		stop = x->stop;
		lock_drop(&x->lock);
		PQclear(r);
		if (!stop)
			wake_wait(&x->wake, seen, 5000);
	}
}

static void watcher_start(struct watcher *x)
{
	*x = (struct watcher){.conn = application()};
	lock_init(&x->lock);
	wake_init(&x->wake);
	thread_start(&x->thread, "watcher", watch, x);
}

static void watcher_stop(struct watcher *x)
{
	lock_take(&x->lock);
	x->stop = true;
	lock_drop(&x->lock);
	wake_signal(&x->wake);
	thread_join(&x->thread);
	PQfinish(x->conn);
	lock_release(&x->lock);
	wake_release(&x->wake);
	if (x->seen[0])
		fail_msg("%s", x->seen);
	assert_true(x->looks > 1);
}

static bool walmill_waits_for(PGconn *c)
{
	char sql[256], *text;
	bool waits;

	snprintf(sql, sizeof(sql),
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'walmill%%' AND %d = ANY (pg_blocking_pids(pid))",
		PQbackendPID(c));
	text = world_value(&w, sql);
	waits = strcmp(text, "t") == 0;
	free(text);
	return waits;
}

/*
 * The two orders. One transaction is open before walmill begins: it must be waited for, and can lock, alter and commit meanwhile. Another
 * begins while the slot is being made, takes the strongest lock and truncates: it, too, is waited for and waits for nothing.
 */
static void cut_between_transactions(void (*begin_it)(void *arg), void *arg)
{
	PGconn *first = application(), *second = application();
	struct watcher x;

	/* should the application wait for walmill after all, it says so instead of hanging */
	app_sql(first, "SET lock_timeout = '5s'");
	app_sql(second, "SET lock_timeout = '5s'");
	app_sql(first, "BEGIN");
	app_sql(first, "INSERT INTO shop.orders (id, status, amount) VALUES (2001, 'early', 20)");
	watcher_start(&x);
	begin_it(arg);
	WAIT_UNTIL(walmill_waits_for(first), "walmill does not wait for the transaction that was there before it");
	app_sql(second, "BEGIN");
	app_sql(second, "LOCK TABLE shop.items IN ACCESS EXCLUSIVE MODE");
	app_sql(second, "TRUNCATE shop.items");
	app_sql(second, "INSERT INTO shop.items VALUES (2001, 1, 'late', 3, 1.5)");
	app_sql(first, "LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE");
	app_sql(first, "ALTER TABLE shop.orders ADD COLUMN IF NOT EXISTS extra int");
	app_sql(first, "UPDATE shop.orders SET extra = 1, amount = 21 WHERE id = 2001");
	app_sql(first, "COMMIT");
	WAIT_UNTIL(walmill_waits_for(second), "walmill does not wait for the transaction that began while its slot was being made");
	app_sql(second, "UPDATE shop.items SET qty = 4 WHERE order_id = 2001");
	app_sql(second, "COMMIT");
	watcher_stop(&x);
	PQfinish(first);
	PQfinish(second);
}

static const struct workload_view around = {"around", "id, line",
	"SELECT o.id, i.line, o.amount, i.qty FROM shop.orders o LEFT JOIN shop.items i ON i.order_id = o.id"};

struct verify_call {
	struct thread thread;
	struct job *job;
	struct job_verdict verdict;
	struct buf text;
	struct err err;
	int rc;
};

static void call_verify(void *arg)
{
	struct verify_call *v = arg;

	v->rc = job_verify(v->job, &v->verdict, &v->text, &v->err);
}

static void begin_verify(void *arg)
{
	struct verify_call *v = arg;

	thread_start(&v->thread, "verify", call_verify, v);
}

static void verify_waits_for_transactions_and_none_for_it(void **state)
{
	struct verify_call v = {.text = BUF_INIT(1 << 20), .err = ERR_INIT};

	workload_begin(&l, &w, "");
	workload_run(&l, 30);
	world_connect(&w);
	v.job = workload_job(&l, &around);
	workload_settle(&l, v.job, &around);
	cut_between_transactions(begin_verify, &v);
	thread_join(&v.thread);
	if (v.rc || !v.verdict.equal)
		fail_msg("%s\n%s", v.err.text, buf_cstr(&v.text));
	assert_true(v.verdict.rows > 0);
	workload_settle(&l, v.job, &around);
	buf_release(&v.text);
	job_free(v.job);
	world_stop(&w);
}

static void begin_connector(void *arg)
{
	world_connect(&w);
}

static void a_first_snapshot_waits_for_transactions_and_none_for_it(void **state)
{
	struct job *j;

	workload_begin(&l, &w, "");
	workload_run(&l, 30);
	cut_between_transactions(begin_connector, NULL);
	j = workload_job(&l, &around);
	workload_settle(&l, j, &around);
	world_sql(&w, "UPDATE shop.orders SET extra = 2, amount = 30 WHERE id = 2001");
	workload_settle(&l, j, &around);
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

static void begin_job(void *arg)
{
	*(struct job **)arg = workload_job(&l, &around);
}

static void a_backfill_waits_for_transactions_and_none_for_it(void **state)
{
	struct job *j;

	workload_begin(&l, &w, ",\"snapshot.mode\":\"no_data\"");
	workload_run(&l, 30);
	world_connect(&w);
	world_wait_connector(&w, workload_mark(&l));
	cut_between_transactions(begin_job, &j);
	workload_settle(&l, j, &around);
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

/* ---- values that events cannot say ---- */

/* An array's lower bound, always; what is far from 1970 in nanoseconds. */
static void what_an_event_cannot_say_stops_the_job_before_it_and_the_tables_say_it(void **state)
{
	const struct workload_view *v = workload_view_of("every_type");
	static const char *const values[] = {"nums = '[0:1]={1,2}'", "at = '9999-12-31'", "kinds = '[3:3]={opened}'"};
	struct job_status s;
	struct job *j;
	size_t i;

	workload_begin(&l, &w, ",\"time.precision.mode\":\"nanoseconds\"");
	l.tame = true;
	world_sql(&w, "INSERT INTO shop.events (id, order_id, nums) SELECT md5(g::text)::uuid, g, '{7}' FROM generate_series(1, 5) g");
	world_connect(&w);
	j = workload_job(&l, v);
	workload_settle(&l, j, v);
	for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
		world_sql(&w, "DROP TABLE IF EXISTS kept.before; CREATE TABLE kept.before AS TABLE kept.every_type");
		world_sql(&w, "BEGIN; UPDATE shop.events SET small = 1; UPDATE shop.events SET %s WHERE order_id = 3; COMMIT", values[i]);
		world_wait_job(&w, j, JOB_FAILED);
		job_status(j, &s);
		assert_non_null(strstr(s.error.text, "cannot be told from its event"));
		world_expect(&w, "0", "SELECT count(*) FROM ((TABLE kept.before EXCEPT ALL TABLE kept.every_type) UNION ALL (TABLE kept.every_type "
			"EXCEPT ALL TABLE kept.before)) x");
		resume(j);
		workload_settle(&l, j, v);
		world_sql(&w, "UPDATE shop.events SET small = 2");
		/* the row still has it, and every event of it says so little */
		world_wait_job(&w, j, JOB_FAILED);
		world_sql(&w, "UPDATE shop.events SET nums = '{1}', at = '2024-01-01', kinds = NULL");
		resume(j);
		workload_settle(&l, j, v);
		world_verify(&w, j);
	}
	job_free(j);
	world_stop(&w);
}

/* ---- DDL ---- */

static void a_label_added_to_an_enum_is_in_its_place_at_once(void **state)
{
	const struct workload_view *ordered = workload_view_of("kinds_ordered"), *whole = workload_view_of("every_type");
	struct job *j, *k;

	workload_begin(&l, &w, "");
	workload_run(&l, 60);
	world_connect(&w);
	j = workload_job(&l, ordered);
	k = workload_job(&l, whole);
	workload_settle(&l, j, ordered);
	workload_settle(&l, k, whole);
	world_sql(&w, "ALTER TYPE shop.kind ADD VALUE 'asked' BEFORE 'zipped'");
	world_sql(&w, "INSERT INTO shop.events (id, order_id, kind, prior) VALUES (md5('asked')::uuid, 1, 'asked', 'asked'), "
		"(md5('a2')::uuid, 2, 'opened', 'asked')");
	world_sql(&w, "UPDATE shop.events SET prior = 'asked' WHERE kind = 'zipped'");
	workload_settle(&l, j, ordered);
	workload_settle(&l, k, whole);
	workload_run(&l, 20);
	workload_settle(&l, j, ordered);
	workload_settle(&l, k, whole);
	world_verify(&w, j);
	job_free(j);
	job_free(k);
	world_stop(&w);
}

/* FAILED, with the tables as they were before the first unit of the new shape. */
static void expect_stopped(struct job *j, const char *column, const char *change)
{
	struct job_status s;

	world_sql(&w, "DROP TABLE IF EXISTS kept.before; CREATE TABLE kept.before AS TABLE kept.filter");
	job_status(j, &s);
	world_sql(&w, "%s", change);
	world_sql(&w, "INSERT INTO shop.orders (id, status, amount) VALUES (3001, 'new', 20) ON CONFLICT (id) DO UPDATE SET amount = 40");
	world_wait_job(&w, j, JOB_FAILED);
	job_status(j, &s);
	if (!strstr(s.error.text, column))
		fail_msg("%s", s.error.text);
	world_expect(&w, "0", "SELECT count(*) FROM ((TABLE kept.before EXCEPT ALL TABLE kept.filter) UNION ALL (TABLE kept.filter EXCEPT ALL "
		"TABLE kept.before)) x");
}

static void a_column_retyped_or_dropped_stops_the_job_before_that_and_submitting_heals(void **state)
{
	static const struct workload_view without = {"filter", "id",
		"SELECT id, customer_id, status, amount, score, created_at, NULL::text AS note FROM shop.orders WHERE status <> 'draft' AND "
		"amount > 10"};
	const struct workload_view *v = workload_view_of("filter");
	struct job *j;
	char *text;

	workload_begin(&l, &w, "");
	workload_run(&l, 60);
	world_connect(&w);
	j = workload_job(&l, v);
	workload_settle(&l, j, v);
	expect_stopped(j, "\"amount\"", "ALTER TABLE shop.orders ALTER COLUMN amount TYPE numeric(14,3)");
	resume(j);
	workload_settle(&l, j, v);
	world_sql(&w, "UPDATE shop.orders SET amount = 77.01 WHERE id = 3001");
	workload_settle(&l, j, v);
	expect_stopped(j, "\"note\"", "ALTER TABLE shop.orders DROP COLUMN note");
	/* what the job was made for is not there any more */
	job_resume(j);
	world_wait_job(&w, j, JOB_FAILED);
	job_free(j);
	assert_true(asprintf(&text, "INSERT INTO kept.filter %s;", without.query) > 0);
	j = job_new(&w.env, "filter", view_str(text), NULL);
	free(text);
	workload_settle(&l, j, &without);
	world_sql(&w, "UPDATE shop.orders SET amount = 78.01 WHERE id = 3001");
	workload_settle(&l, j, &without);
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_commit_is_neither_done_twice_nor_left_out),
		cmocka_unit_test(the_older_of_two_owners_stops_and_tables_stay_exact),
		cmocka_unit_test(a_job_over_a_trimmed_topic_begins_with_the_tables),
		cmocka_unit_test(source_and_target_may_be_two_servers_with_settings_of_their_own),
		cmocka_unit_test(verify_waits_for_transactions_and_none_for_it),
		cmocka_unit_test(a_first_snapshot_waits_for_transactions_and_none_for_it),
		cmocka_unit_test(a_backfill_waits_for_transactions_and_none_for_it),
		cmocka_unit_test(what_an_event_cannot_say_stops_the_job_before_it_and_the_tables_say_it),
		cmocka_unit_test(a_label_added_to_an_enum_is_in_its_place_at_once),
		cmocka_unit_test(a_column_retyped_or_dropped_stops_the_job_before_that_and_submitting_heals),
	};

	if (getenv("CMOCKA_ONLY"))
		cmocka_set_test_filter(getenv("CMOCKA_ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
