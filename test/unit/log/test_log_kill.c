/* kill -9 at any moment, on the real machine: a child writes and says what was acknowledged, and the parent looks at what it left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "log/batch.h"
#include "log/log.h"

enum { KILLS = 40, PARTS = 3 };

static char dir[] = "/tmp/walmill-test-kill-XXXXXX";

static struct log_settings settings(void)
{
	struct log_settings s = log_settings_default();

	s.segment_bytes = 1 << 17;
	s.grow_bytes = 1 << 15;
	s.reserve_bytes = 0;
	s.sweep_interval_ms = 3;
	s.retention_bytes = 1 << 18;
	return s;
}

static void said(void *arg, uint64_t seq, const struct err *failed)
{
	if (!failed && write(*(int *)arg, &seq, sizeof(seq)) != sizeof(seq))
		raise(SIGKILL);
}

/* Every unit takes its own number, as the first eight bytes of each value, to all partitions. */
static void child(int out)
{
	struct log_settings set = settings();
	struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct log *log;
	uint64_t first, last;
	struct log_topic t;
	uint32_t part;

	wm_assert(log_open(io_system(), dir, &set, &log, &err) == 0);
	if (!log_topic_find(log, view_str("t"), &t))
		wm_assert(log_topic_create(log, "t", NULL, PARTS, NULL, 0, &t, &err) == 0);
	log_unit_span(log, &first, &last);
	for (;;) {
		struct log_unit *u = log_unit_begin(log, LOG_CAPTURE);
		struct log_close_args args = {.done = said, .done_arg = &out};
		uint64_t value[100] = {++last}, seq;
		uint32_t i;
		int64_t base;

		for (i = 0; i < PARTS; i++) {
			struct batch_builder bb;

			buf_clear(&b);
			batch_begin(&bb, &b, 0);
			batch_add(&bb, 0, VIEW_NULL, view_of(value, 8 + last * (i + 1) % 700));
			wm_assert(batch_end(&bb) && log_part_find(log, t.id, i, &part));
			wm_assert(log_unit_append(u, part, buf_view(&b), 0, &base, &err) == 0 && base == (int64_t)last - 1);
		}
		wm_assert(log_unit_close(u, &args, &seq, &err) == 0 && seq == last);
	}
}

/* The highest unit that the child had acknowledged when it was killed after delay_us. */
static uint64_t run_and_kill(unsigned delay_us)
{
	uint64_t seq, last = 0;
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		child(ends[1]);
	}
	close(ends[1]);
	if (delay_us % 2) /* else it may be killed before or while it recovers */
		assert_int_equal(read(ends[0], &last, sizeof(last)), sizeof(last));
	usleep(delay_us);
	kill(pid, SIGKILL);
	while (read(ends[0], &seq, sizeof(seq)) == sizeof(seq)) {
		assert_true(seq > last);
		last = seq;
	}
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return last;
}

static uint64_t look(uint64_t acknowledged)
{
	struct log_settings set = settings();
	struct log_verify_report rep;
	struct err err = ERR_INIT;
	struct log *log;
	struct log_cursor *c;
	struct log_unit_info info;
	struct log_batch b;
	struct record_reader rr;
	struct record rec;
	uint64_t first, last, seq;
	unsigned i;
	int rc;

	set.sweep_interval_ms = 1000000; /* nothing goes while it looks */
	if (log_open(io_system(), dir, &set, &log, &err))
		print_error("%s\n", err.text);
	assert_int_equal(err.code, 0);
	log_unit_span(log, &first, &last);
	assert_true(last >= acknowledged);
	assert_int_equal(log_verify(log, &rep, NULL, NULL, &err), 0);
	c = log_cursor_open(log, first);
	for (seq = first; (rc = log_cursor_next(c, &info, &err)) == 1; seq++) {
		assert_int_equal(info.seq, seq);
		for (i = 0; i < info.n_entries; i++) {
			assert_false(info.entries[i].gone);
			assert_int_equal(log_cursor_batch(c, i, &b, &err), 0);
			assert_int_equal(batch_records(&rr, b.bytes, &err), 0);
			assert_int_equal(record_next(&rr, &rec, &err), 1);
			assert_int_equal(get_le64(rec.value.ptr), seq);
		}
	}
	assert_int_equal(rc, 0);
	assert_int_equal(seq, last + 1);
	log_cursor_close(c);
	log_close(log);
	return last;
}

static void nothing_acknowledged_is_lost_to_kill_9(void **state)
{
	unsigned i, seed = 1;
	uint64_t last = 0, got;

	assert_non_null(mkdtemp(dir));
	for (i = 0; i < KILLS; i++) {
		got = run_and_kill((unsigned)rand_r(&seed) % 10000);
		last = look(got > last ? got : last);
	}
	assert_true(last > KILLS);
	print_message("%llu units over %u kills\n", (unsigned long long)last, i);
}

static int remove_one(void *arg, const char *name)
{
	struct err err = ERR_INIT;
	char path[300];

	(void)arg;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return io_unlink(io_system(), path, &err);
}

static int tear_down(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(io_list(io_system(), dir, remove_one, NULL, &err), 0);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(nothing_acknowledged_is_lost_to_kill_9, tear_down)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
