/* Checkpoints: made while the job goes on, right after any of its ends, done without when they cannot be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "job/ckpt_file.h"
#include "workload.h"

enum { WAIT_US = 30000000, ROWS = 8000 };

static struct world w;
static struct workload l;

static void must(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%s | %s | %s", err->text, err->detail, err->hint);
}

static struct job_status status_of(struct job *j)
{
	struct job_status s;

	job_status(j, &s);
	return s;
}

/* Until one more is published that began behind all that is committed now. */
static void wait_for_checkpoint(struct job *j)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;
	uint64_t before, unit;

	workload_wait(&l, j, workload_mark(&l));
	unit = status_of(j).next_unit;
	for (before = status_of(j).counts.checkpoints;;) {
		struct job_status s = status_of(j);
		uint64_t seen = wake_seen(&w.wake);

		if (s.counts.checkpoints > before && s.checkpoint.unit >= unit)
			return;
		if (io_monotonic_us(io_system()) > deadline)
			fail_msg("no checkpoint at unit %llu: %llu made, %llu failed, last at %llu, took %lld us: %s", (unsigned long long)unit,
				(unsigned long long)s.counts.checkpoints, (unsigned long long)s.checkpoint.failed, (unsigned long long)s.checkpoint.unit,
				(long long)s.checkpoint.took_us,
				s.checkpoint.error.text);
		/* a job that has nothing to do makes none */
		world_sql(&w, "INSERT INTO shop.orders (id, status, half) VALUES (-7, 'open', 1) ON CONFLICT (id) DO UPDATE SET half = 0 - orders.half");
		wake_wait(&w.wake, seen, 5000);
	}
}

static const char path_of[] = "%s/checkpoints/%s.ckpt";

static void read_checkpoint(const char *name, struct buf *into)
{
	struct err err = ERR_INIT;
	char path[512];

	snprintf(path, sizeof(path), path_of, pgtemp_dir(w.server), name);
	buf_clear(into);
	must(io_read_file(io_system(), path, into, &err), &err);
}

static void put_checkpoint(const char *name, const struct buf *bytes)
{
	struct err err = ERR_INIT;
	char path[512];

	snprintf(path, sizeof(path), path_of, pgtemp_dir(w.server), name);
	must(io_replace(io_system(), path, buf_view(bytes), &err), &err);
}

static const struct workload_view by_note = {
	"notes", "note", "SELECT note, count(*) AS n, sum(amount) AS total, max(id) AS newest FROM shop.orders GROUP BY note"};

static void fill(unsigned rows)
{
	world_sql(&w, "INSERT INTO shop.orders SELECT i, i %% 60, 'open', i %% 1000, NULL, 0.25, now(), 'note ' || i %% 50 FROM "
		"generate_series(100, %u) i", 99 + rows);
}

static struct job *begin(const struct workload_view *v, unsigned rows)
{
	struct job *j;

	world_start(&w, workload_schema, WORKLOAD_TABLES);
	workload_init(&l, &w);
	l.truncates = 0;
	fill(rows);
	world_connect(&w);
	j = workload_job(&l, v);
	workload_wait(&l, j, workload_mark(&l));
	return j;
}

static struct job *again(const struct workload_view *v)
{
	struct job *j;
	char *text;

	assert_true(asprintf(&text, "INSERT INTO kept.%s %s;", v->name, v->query) > 0);
	j = job_new(&w.env, v->name, view_str(text), NULL);
	free(text);
	return j;
}

static void settle(struct job *j, const struct workload_view *v)
{
	workload_wait(&l, j, workload_mark(&l));
	workload_compare(&l, v);
}

static void a_restarted_job_reads_the_log_from_its_checkpoint_on(void **state)
{
	struct job *j = begin(&by_note, ROWS);
	uint64_t made;

	settle(j, &by_note);
	job_free(j);
	world_sql(&w, "DELETE FROM shop.orders WHERE id %% 1000 = 0");
	j = again(&by_note);
	settle(j, &by_note);
	assert_string_equal(status_of(j).from, "checkpoint");
	/* what was read of the log is what came since */
	assert_true(status_of(j).counts.records < 100);
	made = status_of(j).counts.checkpoints;
	workload_run(&l, 5);
	wait_for_checkpoint(j);
	assert_true(status_of(j).counts.checkpoints > made);
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

/*
 * Any checkpoint of a job's past is good as long as the log has what follows: taken aside while rows change, put back at the end, it leads
 * to the same tables. The window is long, as there are many rows, and there are changes of all kinds within it, TOAST left unchanged too.
 */
static void any_checkpoint_made_under_writers_leads_to_the_same_tables(void **state)
{
	struct job *j = begin(&by_note, ROWS);
	struct buf kept[6];
	unsigned i, k;

	wait_for_checkpoint(j);
	for (i = 0; i < 6; i++) {
		kept[i] = BUF_INIT(1 << 30);
		for (k = 0; k < 10; k++) {
			world_sql(&w, "UPDATE shop.orders SET note = repeat(md5(id::text), 200) WHERE id %% 211 = %u", i * 10 + k);
			world_sql(&w, "UPDATE shop.orders SET amount = 1 - amount / 2 WHERE id %% 101 = %u OR id %% 211 = %u", k, i * 10 + k);
			world_sql(&w, "DELETE FROM shop.orders WHERE id %% 997 = %u", i * 10 + k);
			world_sql(&w, "UPDATE shop.orders SET id = -id WHERE id %% 499 = %u AND id > 0", i * 10 + k);
			workload_run(&l, 2);
		}
		read_checkpoint("notes", &kept[i]);
	}
	settle(j, &by_note);
	for (i = 0; i < 6; i++) {
		/* the job's own pin is further on: nothing is removed here all the same */
		job_free(j);
		put_checkpoint("notes", &kept[i]);
		buf_release(&kept[i]);
		j = again(&by_note);
		settle(j, &by_note);
		assert_string_equal(status_of(j).from, "checkpoint");
	}
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

static void a_damaged_checkpoint_is_done_without(void **state)
{
	struct job *j = begin(&by_note, 500);
	struct buf whole = BUF_INIT(1 << 30), bad = BUF_INIT(1 << 30);
	size_t at[8], i;

	wait_for_checkpoint(j);
	job_free(j);
	read_checkpoint("notes", &whole);
	for (i = 0; i < 6; i++)
		at[i] = whole.len * i / 6 + 3;
	for (i = 0; i < 8; i++) {
		buf_clear(&bad);
		buf_putv(&bad, buf_view(&whole));
		if (i < 6)
			bad.ptr[at[i]] ^= 0x10;
		else
			bad.len = i == 6 ? whole.len / 2 : 5;
		put_checkpoint("notes", &bad);
		j = again(&by_note);
		settle(j, &by_note);
		assert_string_equal(status_of(j).from, "log");
		job_free(j);
	}
	buf_release(&whole);
	buf_release(&bad);
	world_stop(&w);
}

/* The target was put back to before the checkpoint: then the log's own snapshot is the start. */
static void a_target_behind_the_checkpoint_is_brought_on_from_the_snapshot(void **state)
{
	struct job *j = begin(&by_note, 500);

	settle(j, &by_note);
	job_free(j);
	world_sql(&w, "CREATE TABLE old_rows AS TABLE kept.notes; CREATE TABLE old_position AS TABLE walmill.job_position");
	j = again(&by_note);
	workload_run(&l, 30);
	wait_for_checkpoint(j);
	job_free(j);
	world_sql(&w, "TRUNCATE kept.notes, walmill.job_position; INSERT INTO kept.notes TABLE old_rows; INSERT INTO walmill.job_position TABLE "
		"old_position");
	j = again(&by_note);
	settle(j, &by_note);
	assert_string_equal(status_of(j).from, "log");
	job_free(j);
	world_stop(&w);
}

/* What a checkpoint needs of the log is kept; when it was taken all the same, the source's tables are the start. */
static void the_log_is_kept_from_the_checkpoint_on_and_a_lost_log_is_made_up_for(void **state)
{
	struct job *j = begin(&by_note, 500);
	struct err err = ERR_INIT;
	struct log_topic topic;
	uint32_t part;
	uint64_t pin;

	wait_for_checkpoint(j);
	job_free(j);
	assert_true(log_pin_get(w.log, "notes", &pin));
	workload_run(&l, 20);
	world_wait_connector(&w, world_lsn(&w));
	assert_true(log_topic_find(w.log, view_str("app.shop.orders"), &topic));
	assert_true(log_part_find(w.log, topic.id, 0, &part));
	assert_int_equal(log_trim(w.log, part, -1, false, &err), -1);
	assert_int_equal(err.code, ERR_STATE);
	err_clear(&err);
	must(log_trim(w.log, part, -1, true, &err), &err);
	j = again(&by_note);
	settle(j, &by_note);
	assert_string_equal(status_of(j).from, "tables");
	world_verify(&w, j);
	job_free(j);
	world_stop(&w);
}

/* A job that is canceled leaves neither file nor pin. */
static void a_canceled_job_lets_go_of_the_log(void **state)
{
	struct job *j = begin(&by_note, 50);
	char path[512];
	uint64_t pin;

	wait_for_checkpoint(j);
	assert_true(log_pin_get(w.log, "notes", &pin));
	snprintf(path, sizeof(path), path_of, pgtemp_dir(w.server), "notes");
	assert_int_equal(access(path, F_OK), 0);
	job_cancel(j);
	world_wait_job(&w, j, JOB_CANCELED);
	assert_false(log_pin_get(w.log, "notes", &pin));
	assert_int_equal(access(path, F_OK), -1);
	job_free(j);
	world_stop(&w);
}

/* Between sessions, as the job's thread reads it. */
static void set_interval(struct job *j, int64_t us)
{
	job_pause(j);
	world_wait_job(&w, j, JOB_PAUSED);
	w.env.checkpoint_interval_us = us;
	job_resume(j);
	world_wait_job(&w, j, JOB_RUNNING);
}

/* Until the job has found its way to the server again. */
static void wait_for_session(PGconn *t)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;

	for (;;) {
		uint64_t seen = wake_seen(&w.wake);
		PGresult *r = PQexec(t, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'walmill job notes'");
		int n = PQntuples(r);

		PQclear(r);
		if (n)
			return;
		if (io_monotonic_us(io_system()) > deadline)
			fail_msg("the job does not come back");
		wake_wait(&w.wake, seen, 5000);
	}
}

/*
 * Ordinary writes do not wait for the target's disk. The target's server crashes right after a checkpoint and loses commits that came behind
 * it: the job goes back, and what was lost is written again.
 */
static void a_target_that_lost_commits_in_a_crash_gets_them_again(void **state)
{
	struct pgtemp_options options = {.tcp = true, .fsync = true, .conf = "wal_writer_delay = 10s\nwal_writer_flush_after = 1GB\n"};
	struct err err = ERR_INIT;
	struct pgtemp *target;
	struct job_status s;
	char port[16];
	PGconn *t;
	PGresult *r;
	struct job *j;
	lsn_t before, after;
	unsigned round;

	must(pgtemp_start(&target, &options, &err), &err);
	world_start(&w, workload_schema, WORKLOAD_TABLES);
	workload_init(&l, &w);
	fill(300);
	snprintf(port, sizeof(port), "%d", pgtemp_port(target));
	mem_free(w.env.target.port);
	mem_free(w.env.target.dbname);
	w.env.target.port = mem_strdup(port);
	w.env.target.dbname = mem_strdup("postgres");
	must(pgtemp_exec(target, "CREATE SCHEMA kept; CREATE TABLE kept.notes (note text, n int8, total numeric, newest int8); "
		"CREATE UNIQUE INDEX ON kept.notes (note) NULLS NOT DISTINCT", &err), &err);
	world_connect(&w);
	j = again(&by_note);
	world_wait_job(&w, j, JOB_RUNNING);
	for (round = 0; round < 3; round++) {
		/* no checkpoint of the job's makes durable what is to be lost */
		set_interval(j, 20000);
		wait_for_checkpoint(j);
		set_interval(j, INT64_MAX / 4);
		workload_run(&l, 10);
		workload_wait(&l, j, workload_mark(&l));
		s = status_of(j);
		before = s.position;
		pgtemp_crash(target);
		must(pgtemp_boot(target, &err), &err);
		t = PQconnectdb(pgtemp_dsn(target));
		r = PQexec(t, "SELECT commit_lsn FROM walmill.job_position");
		assert_true(PQntuples(r) == 1 && lsn_parse(view_str(PQgetvalue(r, 0, 0)), &after));
		PQclear(r);
		wait_for_session(t);
		PQfinish(t);
		if (after >= before)
			fail_msg("the target lost nothing: it is at " LSN_FORMAT ", the job was at " LSN_FORMAT, LSN_ARGS(after), LSN_ARGS(before));
		workload_wait(&l, j, workload_mark(&l));
		world_verify(&w, j);
	}
	job_free(j);
	world_stop(&w);
	pgtemp_stop(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restarted_job_reads_the_log_from_its_checkpoint_on),
		cmocka_unit_test(any_checkpoint_made_under_writers_leads_to_the_same_tables),
		cmocka_unit_test(a_damaged_checkpoint_is_done_without),
		cmocka_unit_test(a_target_behind_the_checkpoint_is_brought_on_from_the_snapshot),
		cmocka_unit_test(the_log_is_kept_from_the_checkpoint_on_and_a_lost_log_is_made_up_for),
		cmocka_unit_test(a_canceled_job_lets_go_of_the_log),
		cmocka_unit_test(a_target_that_lost_commits_in_a_crash_gets_them_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
