/* The log with its threads, on a real directory: waiting, group commit, bounded memory, two readers and four writers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/thread.h"
#include "log/batch.h"
#include "log/log.h"

enum { PARTS = 4, WRITERS = 4, UNITS = 400 };

struct fix {
	char dir[64];
	struct log *log;
	struct log_settings set;
	struct log_topic t;
	uint32_t part[PARTS];
	struct err err;
};

static void must(struct fix *f, int rc)
{
	if (rc)
		print_error("%s\n", f->err.text);
	assert_int_equal(rc, 0);
}

static void open_log(struct fix *f)
{
	uint32_t i;

	must(f, log_open(io_system(), f->dir, &f->set, &f->log, &f->err));
	if (!log_topic_find(f->log, view_str("t"), &f->t))
		must(f, log_topic_create(f->log, "t", NULL, PARTS, NULL, 0, &f->t, &f->err));
	for (i = 0; i < PARTS; i++)
		assert_true(log_part_find(f->log, f->t.id, i, &f->part[i]));
}

static int set_up(void **state)
{
	struct fix *f = mem_zalloc(sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/walmill-test-log-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->set = log_settings_default();
	f->set.segment_bytes = 1 << 20;
	f->set.grow_bytes = 1 << 18;
	f->set.buffer_bytes = 1 << 20;
	f->set.reserve_bytes = 0;
	f->set.sweep_interval_ms = 20;
	open_log(f);
	*state = f;
	return 0;
}

static int remove_one(void *arg, const char *name)
{
	struct err err = ERR_INIT;
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
	return io_unlink(io_system(), path, &err);
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	log_close(f->log);
	assert_int_equal(io_list(io_system(), f->dir, remove_one, f->dir, &f->err), 0);
	rmdir(f->dir);
	mem_free(f);
	return 0;
}

static struct view batch(struct buf *b, unsigned n, size_t size)
{
	static const uint8_t zero[4096];
	struct batch_builder bb;
	unsigned i;

	buf_clear(b);
	batch_begin(&bb, b, 1);
	for (i = 0; i < n; i++)
		batch_add(&bb, 1, VIEW_NULL, view_of(zero, size));
	wm_assert(batch_end(&bb));
	return buf_view(b);
}

/* Each unit takes one record to all partitions, in an order of its own: writers get into each other's way, and into deadlocks. */
static void writer(void *arg)
{
	struct fix *f = arg;
	struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	unsigned i, k, seed = (unsigned)(uintptr_t)&b;
	int64_t base;

	batch(&b, 1, 100);
	for (i = 0; i < UNITS;) {
		struct log_unit *u = log_unit_begin(f->log, LOG_CLIENT);
		unsigned at = (unsigned)rand_r(&seed), way = (unsigned)rand_r(&seed) % 2 ? 1 : PARTS - 1;
		int rc = 0;

		for (k = 0; k < PARTS && !rc; k++)
			rc = log_unit_append(u, f->part[(at + k * way) % PARTS], buf_view(&b), 0, &base, &err);
		if (rc) {
			wm_assert(err.code == ERR_BUSY);
			log_unit_abort(u);
			continue;
		}
		wm_assert(log_unit_close(u, NULL, NULL, &err) == 0);
		i++;
	}
	buf_release(&b);
}

/* Sees all partitions of a unit move together, whatever the writers do. */
static void reader(void *arg)
{
	struct fix *f = arg;
	struct log_cursor *c = log_cursor_open(f->log, 0);
	struct err err = ERR_INIT;
	struct log_unit_info info;
	struct log_batch b;
	uint64_t n = 0;

	while (n < WRITERS * UNITS) {
		uint64_t seen = wake_seen(log_wake(f->log));
		struct log_marks m[PARTS];
		unsigned i;
		int rc;

		log_marks(f->log, f->part, PARTS, m, NULL);
		for (i = 1; i < PARTS; i++)
			wm_assert(m[i].high == m[0].high);
		rc = log_cursor_next(c, &info, &err);
		wm_assert(rc >= 0);
		if (rc == 0) {
			wake_wait(log_wake(f->log), seen, -1);
			continue;
		}
		wm_assert(info.seq == ++n && info.n_entries == PARTS);
		for (i = 0; i < PARTS; i++)
			wm_assert(log_cursor_batch(c, i, &b, &err) == 0);
	}
	log_cursor_close(c);
}

static void writers_and_readers_do_not_disturb_each_other(void **state)
{
	struct fix *f = *state;
	struct thread w[WRITERS] = {0}, r[2] = {0};
	struct log_verify_report rep;
	struct log_stats st;
	struct log_marks m;
	unsigned i;

	for (i = 0; i < 2; i++)
		thread_start(&r[i], "reader", reader, f);
	for (i = 0; i < WRITERS; i++)
		thread_start(&w[i], "writer", writer, f);
	for (i = 0; i < WRITERS; i++)
		thread_join(&w[i]);
	for (i = 0; i < 2; i++)
		thread_join(&r[i]);
	must(f, log_verify(f->log, &rep, NULL, NULL, &f->err));
	assert_int_equal(rep.units, WRITERS * UNITS);
	log_stats(f->log, &st);
	assert_true(st.flushes < st.closed_units); /* group commit */
	log_close(f->log);
	open_log(f);
	log_marks(f->log, f->part, 1, &m, NULL);
	assert_int_equal(m.high, WRITERS * UNITS);
}

static long max_rss_kib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void a_large_unit_goes_through_in_bounded_memory(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	struct log_unit *u = log_unit_begin(f->log, LOG_CAPTURE);
	struct log_marks m;
	int64_t base;
	long before;
	unsigned i;

	batch(&b, 100, 600);
	before = max_rss_kib();
	for (i = 0; i < 1500; i++) /* 90 MB */
		must(f, log_unit_append(u, f->part[i % PARTS], buf_view(&b), 0, &base, &f->err));
	must(f, log_unit_close_wait(u, NULL, NULL, &f->err));
	assert_true(max_rss_kib() - before < 40 * 1024);
	log_marks(f->log, f->part, 1, &m, NULL);
	assert_int_equal(m.high, 1500 / PARTS * 100);
	buf_release(&b);
}

struct waiter {
	struct fix *f;
	struct log_unit *u;
	int rc; /* a unit that was told of a deadlock is aborted */
};

static void append_one(void *arg)
{
	struct waiter *w = arg;
	struct buf b = BUF_INIT(1000);
	struct err err = ERR_INIT;
	int64_t base;

	batch(&b, 1, 10);
	w->rc = log_unit_append(w->u, w->f->part[0], buf_view(&b), 0, &base, &err);
	wm_assert(w->rc || base == 1);
	if (w->rc) {
		wm_assert(err.code == ERR_BUSY && strstr(err.text, "deadlock"));
		log_unit_abort(w->u);
	}
	buf_release(&b);
}

static void a_writer_waits_for_the_open_unit_of_its_partition(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1000);
	struct waiter w = {f, log_unit_begin(f->log, LOG_CLIENT), -1};
	struct log_unit *u = log_unit_begin(f->log, LOG_CLIENT);
	struct thread t = {0};
	int64_t base;

	batch(&b, 1, 10);
	must(f, log_unit_append(u, f->part[0], buf_view(&b), 0, &base, &f->err));
	thread_start(&t, "waiter", append_one, &w);
	must(f, log_unit_close_wait(u, NULL, NULL, &f->err));
	thread_join(&t);
	assert_int_equal(w.rc, 0);
	must(f, log_unit_close_wait(w.u, NULL, NULL, &f->err));
	buf_release(&b);
}

/* Two units that take two partitions crosswise: one of them is told, and the other goes on. */
static void units_that_wait_for_each_other_are_found_out(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1000);
	struct waiter w = {f, log_unit_begin(f->log, LOG_CLIENT), -1};
	struct log_unit *u = log_unit_begin(f->log, LOG_CLIENT);
	struct thread t = {0};
	struct err err = ERR_INIT;
	int64_t base;
	int rc;

	batch(&b, 1, 10);
	must(f, log_append(f->log, LOG_CLIENT, f->part[0], buf_view(&b), 0, NULL, NULL, &base, &f->err));
	must(f, log_unit_append(w.u, f->part[1], buf_view(&b), 0, &base, &f->err));
	must(f, log_unit_append(u, f->part[0], buf_view(&b), 0, &base, &f->err));
	thread_start(&t, "waiter", append_one, &w);
	rc = log_unit_append(u, f->part[1], buf_view(&b), 0, &base, &err);
	if (rc) {
		assert_int_equal(err.code, ERR_BUSY);
		assert_non_null(strstr(err.text, "deadlock"));
		log_unit_abort(u);
		thread_join(&t);
		assert_int_equal(w.rc, 0);
		must(f, log_unit_close_wait(w.u, NULL, NULL, &f->err));
	} else {
		thread_join(&t);
		assert_int_equal(w.rc, -1);
		must(f, log_unit_close_wait(u, NULL, NULL, &f->err));
	}
	buf_release(&b);
}

/* As a crash would leave it, but with one bit turned, in `value` which stands in the file once. */
static void copy_with_damage(struct fix *f, const char *to, const char *value)
{
	struct buf b = BUF_INIT(64 << 20);
	char path[200];
	uint8_t *p;

	snprintf(path, sizeof(path), "%s/00000000000000000000.wlog", f->dir);
	must(f, io_read_file(io_system(), path, &b, &f->err));
	p = memmem(b.ptr, b.len, value, strlen(value));
	assert_non_null(p);
	*p ^= 1;
	must(f, io_make_dir(io_system(), to, &f->err));
	snprintf(path, sizeof(path), "%s/00000000000000000000.wlog", to);
	must(f, io_replace(io_system(), path, buf_view(&b), &f->err));
	buf_release(&b);
}

static void after_a_second_of_idleness_the_last_unit_is_told_from_a_torn_tail(void **state)
{
	struct fix *f = *state;
	struct log_close_args args = {.payload = view_str("the last payload")};
	struct log_stats before, st;
	struct log *log;
	char to[80];

	must(f, log_unit_close_wait(log_unit_begin(f->log, LOG_INTERNAL), &args, NULL, &f->err));
	log_stats(f->log, &before);
	snprintf(to, sizeof(to), "%s-copy", f->dir);
	for (;;) {
		uint64_t seen = wake_seen(log_wake(f->log));

		log_stats(f->log, &st);
		if (st.flushes > before.flushes)
			break;
		assert_true(wake_wait(log_wake(f->log), seen, 20000000));
	}
	copy_with_damage(f, to, "the last payload");
	assert_int_equal(log_open(io_system(), to, &f->set, &log, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CORRUPT);
	assert_non_null(strstr(f->err.text, "00000000000000000000.wlog"));
	assert_int_equal(io_list(io_system(), to, remove_one, to, &f->err), 0);
	rmdir(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		T(writers_and_readers_do_not_disturb_each_other),
		T(a_large_unit_goes_through_in_bounded_memory),
		T(a_writer_waits_for_the_open_unit_of_its_partition),
		T(units_that_wait_for_each_other_are_found_out),
		T(after_a_second_of_idleness_the_last_unit_is_told_from_a_torn_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
