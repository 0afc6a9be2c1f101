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

enum { WAIT_US = 30000000, ROWS = 2000 };

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

/* Until one is published that began at that unit or behind it. */
static void wait_for_checkpoint_after(struct job *j, uint64_t unit)
{
	int64_t deadline = io_monotonic_us(io_system()) + WAIT_US;

	for (;;) {
		uint64_t seen = wake_seen(&w.wake);
		struct job_status s = status_of(j);

		if (s.checkpoint.at_us && s.checkpoint.unit >= unit)
			return;
		if (io_monotonic_us(io_system()) > deadline)
			fail_msg("no checkpoint at unit %llu: %llu made, %llu failed, last at %llu: %s", (unsigned long long)unit,
				(unsigned long long)s.counts.checkpoints, (unsigned long long)s.checkpoint.failed, (unsigned long long)s.checkpoint.unit,
				s.checkpoint.error.text);
		wake_wait(&w.wake, seen, 5000);
	}
}

/* Until one is published that has all that is committed now; a job that nothing concerns makes none. */
static void wait_for_checkpoint(struct job *j)
{
	workload_wait(&l, j, workload_mark(&l));
	world_sql(&w, "INSERT INTO shop.orders (id, status, half) VALUES (-7, 'open', 1) ON CONFLICT (id) DO UPDATE SET half = -orders.half");
	wait_for_checkpoint_after(j, status_of(j).next_unit);
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

static void a_restarted_job_reads_the_log_from_its_checkpoint_on(void **state)
{
	struct job *j = begin(&by_note, ROWS);
	uint64_t made;

	workload_settle(&l, j, &by_note);
	/* the one that is made on leaving has a deadline, which a busy machine may miss */
	wait_for_checkpoint(j);
	job_free(j);
	world_sql(&w, "DELETE FROM shop.orders WHERE id %% 1000 = 0");
	j = again(&by_note);
	workload_settle(&l, j, &by_note);
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

/* ---- a disk that writes checkpoints only when it is let ---- */

struct gate {
	struct io io;
	struct lock lock;
	struct wake wake;
	unsigned tokens, waiting;   /* writes that may go on; writes that want to */
	bool open;
};

struct gated_file {
	struct io_file base;
	struct io_file *real;
};

static struct gate gate;

static int gate_write(struct io_file *f, uint64_t off, const struct io_vec *vecs, unsigned n, struct err *err)
{
	bool go = false;

	lock_take(&gate.lock);
	gate.waiting++;
	lock_drop(&gate.lock);
	wake_signal(&gate.wake);
	while (!go) {
		uint64_t seen = wake_seen(&gate.wake);

		lock_take(&gate.lock);
		go = gate.open || gate.tokens > 0;
		if (go) {
			gate.tokens -= gate.tokens > 0;
			gate.waiting--;
		}
		lock_drop(&gate.lock);
		if (!go)
			wake_wait(&gate.wake, seen, -1);
	}
	return io_writev(((struct gated_file *)f)->real, off, vecs, n, err);
}

static void gate_close(struct io_file *f)
{
	io_close(((struct gated_file *)f)->real);
	mem_free(f);
}

static int gate_sync(struct io_file *f, struct err *err)
{
	return io_sync(((struct gated_file *)f)->real, err);
}

static int gate_open(struct io *io, const char *path, unsigned flags, struct io_file **ret, struct err *err)
{
	struct gated_file *f;

	if (!strstr(path, ".ckpt.new"))
		return io_open(io_system(), path, flags, ret, err);
	f = mem_zalloc(sizeof(*f));
	f->base.io = io;
	if (io_open(io_system(), path, flags, &f->real, err)) {
		mem_free(f);
		return -1;
	}
	*ret = &f->base;
	return 0;
}

static void gate_init(void)
{
	static struct io_ops ops;

	ops = *io_system()->ops;
	ops.open = gate_open;
	ops.write = gate_write;
	ops.close = gate_close;
	ops.sync = gate_sync;
	gate = (struct gate){.io = {&ops}};
	lock_init(&gate.lock);
	wake_init(&gate.wake);
}

/* Lets the write that waits go on, once there is one, or (open) all from now on. */
static void gate_pass(bool open)
{
	for (;;) {
		uint64_t seen = wake_seen(&gate.wake);
		bool there;

		lock_take(&gate.lock);
		there = gate.waiting > 0;
		if (there)
			gate.tokens++;
		gate.open = open;
		lock_drop(&gate.lock);
		if (there || open) {
			wake_signal(&gate.wake);
			return;
		}
		wake_wait(&gate.wake, seen, -1);
	}
}

/*
 * A checkpoint of whose rows each part is of another moment, with changes of all kinds between them: TOAST from before left unchanged in
 * rows that go, or go on under another key, later; keys that are used again. It leads to the same tables once what follows is folded.
 */
static void a_checkpoint_of_many_moments_leads_to_the_same_tables(void **state)
{
	static const char wide[] = "INSERT INTO shop.orders SELECT i, i % 60, 'open', i % 1000, NULL, 0.25, now(), "
		"CASE WHEN i % 5 = 0 THEN repeat(md5(i::text), 100) ELSE left(repeat(md5((i % 50)::text), 20), 600) END FROM "
		"generate_series(100, 8099) i";
	struct buf kept = BUF_INIT(1 << 30);
	struct job *j;
	unsigned k;

	world_start(&w, workload_schema, WORKLOAD_TABLES);
	workload_init(&l, &w);
	gate_init();
	w.env.io = &gate.io;
	world_sql(&w, "ALTER TABLE shop.orders ALTER COLUMN note SET STORAGE EXTERNAL");
	world_sql(&w, "%s", wide);
	world_connect(&w);
	j = workload_job(&l, &by_note);
	gate_pass(false); /* first bytes */
	for (k = 0; k < 16; k++) {
		gate_pass(false);
		world_sql(&w, "UPDATE shop.orders SET note = repeat(md5(id::text), 100) WHERE id %% 211 = %u", k);
		world_sql(&w, "UPDATE shop.orders SET amount = 1 - amount / 2 WHERE id %% 101 = %u OR id %% 211 = %u", k, k);
		world_sql(&w, "DELETE FROM shop.orders WHERE id %% 97 = %u OR (id %% 101 = %d AND id > 0)", k, (int)k - 1);
		world_sql(&w, "UPDATE shop.orders SET id = -id WHERE id %% 89 = %u AND id > 0", k);
		world_sql(&w, "UPDATE shop.orders SET amount = -amount WHERE id < 0 AND id %% 2 = 0");
		world_sql(&w, "DELETE FROM shop.orders WHERE id < 0 AND id %% 7 = 0");
		if (k == 3)
			world_sql(&w, "DELETE FROM shop.orders WHERE id > 7000; INSERT INTO shop.orders (id, status, note) SELECT i, 'again', "
				"'again' FROM generate_series(7001, 7100) i");
		workload_wait(&l, j, workload_mark(&l));
	}
	gate_pass(true);
	wait_for_checkpoint_after(j, 0);
	/* aside before the next one takes its place */
	read_checkpoint("notes", &kept);
	workload_settle(&l, j, &by_note);
	job_free(j);
	put_checkpoint("notes", &kept);
	j = again(&by_note);
	/* the tables were right before: one row more in every group shows what the job has of it */
	world_sql(&w, "INSERT INTO shop.orders (id, status, note) SELECT 20000 + row_number() OVER (), 'more', note FROM "
		"(SELECT DISTINCT note FROM shop.orders) g");
	workload_settle(&l, j, &by_note);
	assert_string_equal(status_of(j).from, "checkpoint");
	world_verify(&w, j);
	job_free(j);
	buf_release(&kept);
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
		workload_settle(&l, j, &by_note);
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

	workload_settle(&l, j, &by_note);
	job_free(j);
	world_sql(&w, "CREATE TABLE old_rows AS TABLE kept.notes; CREATE TABLE old_position AS TABLE walmill.job_position");
	j = again(&by_note);
	workload_run(&l, 30);
	wait_for_checkpoint(j);
	job_free(j);
	world_sql(&w, "TRUNCATE kept.notes, walmill.job_position; INSERT INTO kept.notes TABLE old_rows; "
		"INSERT INTO walmill.job_position TABLE old_position");
	j = again(&by_note);
	workload_settle(&l, j, &by_note);
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
	workload_settle(&l, j, &by_note);
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
 * Ordinary writes do not wait for the target's disk. The target's server crashes right after a checkpoint and loses commits that came
 * behind it: the job goes back, and what was lost is written again.
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
	unsigned round, lost = 0;

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
	/* the WAL writer comes by every ten seconds at least, and may do so between write and crash: then nothing was lost */
	for (round = 0; lost < 3; round++) {
		if (round == 10)
			fail_msg("the target lost something in %u of %u crashes only", lost, round);
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
		lost += after < before;
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
		cmocka_unit_test(a_checkpoint_of_many_moments_leads_to_the_same_tables),
		cmocka_unit_test(a_damaged_checkpoint_is_done_without),
		cmocka_unit_test(a_target_behind_the_checkpoint_is_brought_on_from_the_snapshot),
		cmocka_unit_test(the_log_is_kept_from_the_checkpoint_on_and_a_lost_log_is_made_up_for),
		cmocka_unit_test(a_canceled_job_lets_go_of_the_log),
		cmocka_unit_test(a_target_that_lost_commits_in_a_crash_gets_them_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
