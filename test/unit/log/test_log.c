/* The log's face, call by call, on the simulated machine and in one thread. Crashes are in test/sim. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "log/batch.h"
#include "log/log_int.h"
#include "simio.h"

struct fix {
	struct simio *sim;
	struct log *log;
	struct log_settings set;
	struct log_topic a, b;
	uint32_t pa, pb;
	struct log_batches out;
	struct err err;
	char released[100];
};

static void must(struct fix *f, int rc)
{
	if (rc)
		print_error("%s\n", f->err.text);
	assert_int_equal(rc, 0);
}

static void released(void *arg, const char *name, uint64_t seq)
{
	struct fix *f = arg;

	snprintf(f->released, sizeof(f->released), "%s %llu", name, (unsigned long long)seq);
}

static int set_up(void **state)
{
	struct fix *f = mem_zalloc(sizeof(*f));

	f->sim = simio_new(1);
	f->set = log_settings_default();
	f->set.manual = true;
	f->set.segment_bytes = 4096;
	f->set.grow_bytes = 1024;
	f->set.cut_bytes = 512;
	f->set.reserve_bytes = 0;
	f->set.retention_ms = -1;
	f->set.spare_bytes = 0;
	f->set.pin_released = released;
	f->set.pin_released_arg = f;
	f->out = LOG_BATCHES_INIT;
	must(f, log_open(simio_io(f->sim), "log", &f->set, &f->log, &f->err));
	must(f, log_topic_create(f->log, "a", NULL, 1, NULL, 0, &f->a, &f->err));
	must(f, log_topic_create(f->log, "b", NULL, 1, NULL, 0, &f->b, &f->err));
	assert_true(log_part_find(f->log, f->a.id, 0, &f->pa));
	assert_true(log_part_find(f->log, f->b.id, 0, &f->pb));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	log_close(f->log);
	log_batches_release(&f->out);
	simio_free(f->sim);
	mem_free(f);
	return 0;
}

static void reopen(struct fix *f)
{
	log_close(f->log);
	f->log = NULL;
	must(f, log_open(simio_io(f->sim), "log", &f->set, &f->log, &f->err));
}

/* n records of size bytes, times from time_ms on */
static struct view batch(struct buf *b, unsigned n, size_t size, int64_t time_ms)
{
	struct batch_builder bb;
	uint8_t *value = mem_zalloc(size + 1);
	unsigned i;

	memset(value, 'x', size);
	buf_clear(b);
	batch_begin(&bb, b, time_ms);
	for (i = 0; i < n; i++)
		batch_add(&bb, time_ms + i, view_str("key"), view_of(value, size));
	assert_true(batch_end(&bb));
	mem_free(value);
	return buf_view(b);
}

static int64_t append(struct fix *f, uint32_t part, unsigned n, size_t size)
{
	struct buf b = BUF_INIT(1 << 20);
	int64_t base;

	must(f, log_append(f->log, LOG_CLIENT, part, batch(&b, n, size, 1000), 0, NULL, NULL, &base, &f->err));
	buf_release(&b);
	return base;
}

static struct log_marks marks(struct fix *f, uint32_t part)
{
	struct log_marks m;

	log_marks(f->log, &part, 1, &m, NULL);
	return m;
}

static void count_done(void *arg, uint64_t seq, const struct err *failed)
{
	*(int *)arg += failed ? 1000 : 1;
	(void)seq;
}

static void a_unit_is_seen_only_when_it_is_durable(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	struct log_unit *u = log_unit_begin(f->log, LOG_CLIENT);
	struct log_close_args args = {.payload = view_str("p")};
	uint64_t seq;
	int64_t base;
	int done = 0;

	must(f, log_unit_append(u, f->pa, batch(&b, 3, 10, 0), 0, &base, &f->err));
	assert_int_equal(base, 0);
	must(f, log_unit_append(u, f->pb, batch(&b, 2, 10, 0), 0, &base, &f->err));
	must(f, log_unit_append(u, f->pa, batch(&b, 1, 10, 0), 0, &base, &f->err));
	assert_int_equal(base, 3);
	while (log_step(f->log))
		;
	assert_int_equal(marks(f, f->pa).high, 0);
	assert_int_equal(marks(f, f->pa).next, 4);
	args.done = count_done;
	args.done_arg = &done;
	must(f, log_unit_close(u, &args, &seq, &f->err));
	assert_int_equal(seq, 1);
	assert_int_equal(marks(f, f->pa).high, 0);
	assert_int_equal(done, 0);
	must(f, log_read(f->log, f->pa, 0, 1000, &f->out, &f->err));
	assert_int_equal(f->out.n, 0);
	must(f, log_flush(f->log, &f->err));
	assert_int_equal(done, 1);
	assert_int_equal(marks(f, f->pa).high, 4);
	assert_int_equal(marks(f, f->pb).high, 2);
	buf_release(&b);
}

static void an_aborted_unit_leaves_its_offsets_to_the_next(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	struct log_unit *u = log_unit_begin(f->log, LOG_CLIENT);
	int64_t base;

	append(f, f->pa, 2, 10);
	must(f, log_unit_append(u, f->pa, batch(&b, 3, 10, 0), 0, &base, &f->err));
	log_unit_abort(u);
	assert_int_equal(append(f, f->pa, 5, 10), 2);
	reopen(f);
	assert_int_equal(marks(f, f->pa).high, 7);
	assert_int_equal(log_recovery(f->log).dropped_batches, 1);
	buf_release(&b);
}

static void a_partition_has_one_open_unit(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	struct log_unit *u = log_unit_begin(f->log, LOG_CLIENT), *v = log_unit_begin(f->log, LOG_CLIENT);
	int64_t base;

	assert_false(log_append_waits(f->log, f->pa));
	must(f, log_unit_append(u, f->pa, batch(&b, 1, 10, 0), 0, &base, &f->err));
	assert_true(log_append_waits(f->log, f->pa));
	assert_false(log_append_waits(f->log, f->pb));
	assert_int_equal(log_unit_append(v, f->pa, buf_view(&b), LOG_NOWAIT, &base, &f->err), -1);
	assert_int_equal(f->err.code, ERR_BUSY);
	must(f, log_unit_append(v, f->pb, buf_view(&b), LOG_NOWAIT, &base, &f->err));
	must(f, log_unit_close(u, NULL, NULL, &f->err));
	assert_false(log_append_waits(f->log, f->pa));
	must(f, log_unit_append(v, f->pa, buf_view(&b), LOG_NOWAIT, &base, &f->err));
	assert_int_equal(base, 1);
	must(f, log_unit_close(v, NULL, NULL, &f->err));
	buf_release(&b);
}

static void what_is_not_a_batch_is_refused_and_changes_nothing(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	struct log_unit *u = log_unit_begin(f->log, LOG_CLIENT);
	struct view v = batch(&b, 2, 10, 0);
	int64_t base;

	b.ptr[v.len - 1] ^= 1;
	assert_int_equal(log_unit_append(u, f->pa, v, 0, &base, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	assert_int_equal(log_unit_append(u, f->pa, view_str("abc"), 0, &base, &f->err), -1);
	b.ptr[v.len - 1] ^= 1;
	assert_int_equal(log_unit_append(u, 999, v, 0, &base, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	must(f, log_unit_append(u, f->pa, v, 0, &base, &f->err));
	assert_int_equal(base, 0);
	must(f, log_unit_close_wait(u, NULL, NULL, &f->err));
	buf_release(&b);
}

static void reads_give_whole_batches_and_at_least_one(void **state)
{
	struct fix *f = *state;
	unsigned i;

	for (i = 0; i < 30; i++)
		append(f, f->pa, 10, 100);
	must(f, log_flush(f->log, &f->err));
	must(f, log_read(f->log, f->pa, 15, 1, &f->out, &f->err));
	assert_int_equal(f->out.n, 1);
	assert_int_equal(f->out.batches[0].base, 10);
	assert_int_equal(f->out.batches[0].next, 20);
	must(f, log_read(f->log, f->pa, 15, 4000, &f->out, &f->err));
	assert_int_equal(f->out.n, 3);
	assert_true(f->out.bytes.len <= 4000);
	assert_int_equal(get_be64(f->out.batches[2].bytes.ptr), 30);
	must(f, log_read(f->log, f->pa, 0, SIZE_MAX, &f->out, &f->err));
	assert_int_equal(f->out.n, 30);
	must(f, log_read(f->log, f->pa, 300, SIZE_MAX, &f->out, &f->err));
	assert_int_equal(f->out.n, 0);
	assert_int_equal(log_read(f->log, f->pa, 301, 1, &f->out, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	assert_int_equal(f->out.marks.high, 300);
}

static void topics_are_kept_with_their_configuration(void **state)
{
	struct fix *f = *state;
	struct log_config c[] = {{"retention.ms", "5"}, {"cleanup.policy", "delete"}}, d[] = {{"retention.ms", NULL}, {"x", "y"}};
	struct buf v = BUF_INIT(100);
	struct log_topic t, u;
	uint32_t part, first;

	must(f, log_topic_create(f->log, "c.d-e_f", NULL, 3, c, 2, &t, &f->err));
	assert_int_equal(log_topic_create(f->log, "c.d-e_f", NULL, 3, c, 2, &u, &f->err), -1);
	assert_int_equal(f->err.code, ERR_EXISTS);
	assert_int_equal(log_topic_create(f->log, "a/b", NULL, 3, c, 2, &u, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	must(f, log_topic_alter(f->log, t.id, d, 2, &f->err));
	assert_true(log_part_find(f->log, t.id, 2, &first));
	must(f, log_topic_grow(f->log, t.id, 5, &f->err));
	assert_int_equal(log_topic_grow(f->log, t.id, 5, &f->err), -1);
	reopen(f);
	assert_true(log_topic_find(f->log, view_str("c.d-e_f"), &u));
	assert_memory_equal(u.id, t.id, 16);
	assert_int_equal(u.n_parts, 5);
	assert_false(log_topic_config(f->log, t.id, "retention.ms", &v));
	assert_true(log_topic_config(f->log, t.id, "x", &v) && view_is(buf_view(&v), "y"));
	assert_true(log_part_find(f->log, t.id, 2, &part) && part == first);
	assert_true(log_part_find(f->log, t.id, 4, &part));
	assert_false(log_part_find(f->log, t.id, 5, &part));
	buf_release(&v);
}

static void a_topic_made_anew_is_another_one(void **state)
{
	struct fix *f = *state;
	struct log_topic t;
	uint32_t part;

	append(f, f->pa, 5, 10);
	must(f, log_topic_delete(f->log, f->a.id, &f->err));
	must(f, log_topic_create(f->log, "a", NULL, 1, NULL, 0, &t, &f->err));
	assert_true(log_part_find(f->log, t.id, 0, &part));
	assert_int_not_equal(part, f->pa);
	assert_int_equal(marks(f, part).high, 0);
	assert_int_equal(log_read(f->log, f->pa, 0, 1, &f->out, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	reopen(f);
	assert_int_equal(marks(f, part).high, 0);
	assert_int_equal(append(f, part, 1, 10), 0);
}

static void the_cursor_follows_units_in_order(void **state)
{
	struct fix *f = *state;
	struct log_cursor *c = log_cursor_open(f->log, 0);
	struct buf b = BUF_INIT(1 << 20);
	struct log_unit_info info;
	struct log_batch got;
	uint64_t i;
	int64_t base;

	assert_int_equal(log_cursor_next(c, &info, &f->err), 0);
	for (i = 1; i <= 50; i++) {
		struct log_unit *u = log_unit_begin(f->log, LOG_CAPTURE);
		struct log_close_args args = {.payload = view_of(&i, sizeof(i))};

		must(f, log_unit_append(u, f->pb, batch(&b, 2, 50, 0), 0, &base, &f->err));
		must(f, log_unit_append(u, f->pa, batch(&b, 1, 50, 0), 0, &base, &f->err));
		must(f, log_unit_append(u, f->pb, batch(&b, 3, 50, 0), 0, &base, &f->err));
		must(f, log_unit_close(u, &args, NULL, &f->err));
	}
	assert_int_equal(log_cursor_next(c, &info, &f->err), 0);
	must(f, log_flush(f->log, &f->err));
	for (i = 1; i <= 50; i++) {
		assert_int_equal(log_cursor_next(c, &info, &f->err), 1);
		assert_int_equal(info.seq, i);
		assert_memory_equal(info.payload.ptr, &i, sizeof(i));
		assert_int_equal(info.n_entries, 3);
		assert_int_equal(info.n_ranges, 2);
		assert_int_equal(info.ranges[0].part, f->pb);
		assert_int_equal(info.ranges[0].begin, (i - 1) * 5);
		assert_int_equal(info.ranges[0].end, i * 5);
		must(f, log_cursor_batch(c, 2, &got, &f->err));
		assert_int_equal(got.part, f->pb);
		assert_int_equal(got.base, (i - 1) * 5 + 2);
		assert_memory_equal(info.payload.ptr, &i, sizeof(i));
	}
	assert_int_equal(log_cursor_next(c, &info, &f->err), 0);
	log_cursor_close(c);
	c = log_cursor_open(f->log, 40);
	assert_int_equal(log_cursor_next(c, &info, &f->err), 1);
	assert_int_equal(info.seq, 40);
	log_cursor_close(c);
	buf_release(&b);
}

static void notes_keep_the_last_payload(void **state)
{
	struct fix *f = *state;
	struct log_close_args args = {.note = "connector", .payload = view_str("one")};
	struct buf v = BUF_INIT(100);
	uint64_t seq;

	assert_false(log_note(f->log, "connector", &v, &seq));
	must(f, log_unit_close_wait(log_unit_begin(f->log, LOG_INTERNAL), &args, NULL, &f->err));
	args.payload = view_str("two");
	must(f, log_unit_close(log_unit_begin(f->log, LOG_INTERNAL), &args, NULL, &f->err));
	assert_true(log_note(f->log, "connector", &v, &seq) && view_is(buf_view(&v), "one") && seq == 1);
	must(f, log_flush(f->log, &f->err));
	assert_true(log_note(f->log, "connector", &v, &seq) && view_is(buf_view(&v), "two") && seq == 2);
	while (append(f, f->pa, 1, 1000) < 30) /* over many files */
		;
	reopen(f);
	assert_true(log_note(f->log, "connector", &v, &seq) && view_is(buf_view(&v), "two") && seq == 2);
	must(f, log_note_remove(f->log, "connector", &f->err));
	assert_false(log_note(f->log, "connector", &v, &seq));
	buf_release(&v);
}

static void times_are_found(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	int64_t base, time;
	int i;

	for (i = 0; i < 50; i++)
		must(f, log_append(f->log, LOG_CLIENT, f->pa, batch(&b, 2, 200, i * 100), 0, NULL, NULL, &base, &f->err));
	must(f, log_flush(f->log, &f->err));
	must(f, log_find_time(f->log, f->pa, 1001, &base, &time, &f->err));
	assert_int_equal(base, 20);
	assert_int_equal(time, 1001);
	must(f, log_find_time(f->log, f->pa, 1002, &base, &time, &f->err));
	assert_int_equal(base, 22);
	must(f, log_find_time(f->log, f->pa, 0, &base, &time, &f->err));
	assert_int_equal(base, 0);
	must(f, log_find_time(f->log, f->pa, 100000, &base, &time, &f->err));
	assert_int_equal(base, -1);
	buf_release(&b);
}

static void sweep_all(struct fix *f)
{
	int i;

	for (i = 0; i < 20; i++)
		must(f, log_sweep(f->log, &f->err));
}

static struct log_stats stats(struct fix *f)
{
	struct log_stats st;

	log_stats(f->log, &st);
	return st;
}

static void verify(struct fix *f)
{
	struct log_verify_report r;

	must(f, log_verify(f->log, &r, NULL, NULL, &f->err));
	assert_true(r.frames > 0);
}

/* Freeing a large file at once would hold up every sync of the others. */
static void a_removed_file_is_cut_down_before(void **state)
{
	struct fix *f = *state;
	uint64_t changes, removed, rewritten;

	while (append(f, f->pa, 1, 1000) < 60)
		;
	must(f, log_flush(f->log, &f->err));
	must(f, log_topic_delete(f->log, f->a.id, &f->err));
	must(f, log_flush(f->log, &f->err));
	changes = simio_changes(f->sim);
	sweep_all(f);
	changes = simio_changes(f->sim) - changes;
	removed = stats(f).removed_segments;
	rewritten = stats(f).rewritten_segments;
	assert_true(removed + rewritten > 10);
	/* 4096 bytes and more each, in steps of 512; a removal as such is two changes */
	assert_true(changes >= 7 * (removed + rewritten));
	assert_true(simio_used(f->sim) < 4 * 4096);
	verify(f);
}

static void old_units_go_and_their_files(void **state)
{
	struct fix *f = *state;
	struct log_config c = {"retention.ms", "1000"};
	struct log_marks m;

	must(f, log_topic_alter(f->log, f->a.id, &c, 1, &f->err));
	while (append(f, f->pa, 1, 1000) < 100)
		;
	must(f, log_flush(f->log, &f->err));
	assert_true(stats(f).segments > 20);
	sweep_all(f);
	assert_int_equal(marks(f, f->pa).start, 0);
	simio_advance_us(f->sim, 2000000);
	sweep_all(f);
	m = marks(f, f->pa);
	assert_int_equal(m.start, 101); /* the last file was rolled to let them go */
	assert_int_equal(m.high, 101);
	assert_true(stats(f).segments <= 3);
	assert_int_equal(log_read(f->log, f->pa, 50, 1, &f->out, &f->err), -1);
	assert_int_equal(f->err.code, ERR_LOST);
	reopen(f);
	assert_int_equal(append(f, f->pa, 1, 10), 101);
	must(f, log_flush(f->log, &f->err));
	verify(f);
}

static void a_partition_keeps_its_bytes(void **state)
{
	struct fix *f = *state;
	struct log_config c = {"retention.bytes", "20000"};
	struct log_marks m;

	must(f, log_topic_alter(f->log, f->a.id, &c, 1, &f->err));
	while (append(f, f->pa, 1, 1000) < 100)
		;
	must(f, log_flush(f->log, &f->err));
	sweep_all(f);
	m = marks(f, f->pa);
	assert_true(m.bytes >= 20000 && m.bytes < 25000);
	verify(f);
}

static void a_quiet_partition_does_not_keep_the_disk(void **state)
{
	struct fix *f = *state;
	struct log_config c = {"retention.ms", "1000"};
	struct log_cursor *cur;
	struct log_unit_info info;
	struct log_batch b;
	uint64_t disk, n = 0;
	int64_t i;

	must(f, log_topic_alter(f->log, f->a.id, &c, 1, &f->err));
	for (i = 0; i < 300; i++) {
		append(f, f->pa, 1, 1000);
		if (i % 10 == 0)
			append(f, f->pb, 1, 50);
	}
	must(f, log_flush(f->log, &f->err));
	disk = stats(f).disk_bytes;
	simio_advance_us(f->sim, 2000000);
	sweep_all(f);
	assert_true(stats(f).disk_bytes < disk / 8);
	assert_true(stats(f).rewritten_segments > 0);
	must(f, log_read(f->log, f->pb, 0, SIZE_MAX, &f->out, &f->err));
	assert_int_equal(f->out.n, 30);
	verify(f);
	reopen(f);
	verify(f);
	must(f, log_read(f->log, f->pb, 7, SIZE_MAX, &f->out, &f->err));
	assert_int_equal(f->out.n, 23);
	cur = log_cursor_open(f->log, 0);
	while (log_cursor_next(cur, &info, &f->err) == 1)
		if (info.n_entries && !info.entries[0].gone) {
			must(f, log_cursor_batch(cur, 0, &b, &f->err));
			assert_int_equal(b.part, f->pb);
			assert_int_equal(b.base, n++);
		}
	assert_int_equal(n, 30);
	log_cursor_close(cur);
}

static void a_deleted_topic_gives_its_room_back(void **state)
{
	struct fix *f = *state;
	struct log_cursor *cur;
	struct log_unit_info info;
	uint64_t disk, first, last, n = 0;
	int i;

	for (i = 0; i < 200; i++) {
		append(f, f->pa, 1, 1000);
		if (i % 10 == 0)
			append(f, f->pb, 1, 50);
	}
	must(f, log_flush(f->log, &f->err));
	disk = stats(f).disk_bytes;
	must(f, log_topic_delete(f->log, f->a.id, &f->err));
	sweep_all(f);
	assert_true(stats(f).disk_bytes < disk / 3);
	/* nothing was retained away: each unit can still be told, although most have nothing left in them */
	log_unit_span(f->log, &first, &last);
	assert_int_equal(first, 1);
	assert_int_equal(last, 220);
	reopen(f);
	verify(f);
	cur = log_cursor_open(f->log, 0);
	while (log_cursor_next(cur, &info, &f->err) == 1)
		assert_int_equal(info.seq, ++n);
	assert_int_equal(n, 220);
	log_cursor_close(cur);
	must(f, log_read(f->log, f->pb, 0, SIZE_MAX, &f->out, &f->err));
	assert_int_equal(f->out.n, 20);
}

static void a_pin_holds_units_until_its_limit(void **state)
{
	struct fix *f = *state;
	struct log_config c = {"retention.ms", "1000"};
	uint64_t first, last, seq;

	must(f, log_topic_alter(f->log, f->a.id, &c, 1, &f->err));
	for (int i = 0; i < 100; i++)
		append(f, f->pa, 1, 1000);
	must(f, log_flush(f->log, &f->err));
	must(f, log_pin_set(f->log, "job", 40, &f->err));
	assert_int_equal(log_pin_set(f->log, "job", 39, &f->err), -1);
	simio_advance_us(f->sim, 2000000);
	sweep_all(f);
	log_unit_span(f->log, &first, &last);
	assert_true(first <= 40 && first > 30);
	assert_int_equal(last, 100);
	must(f, log_read(f->log, f->pa, 39, 1, &f->out, &f->err));
	assert_int_equal(log_trim(f->log, f->pa, 60, false, &f->err), -1);
	assert_int_equal(f->err.code, ERR_STATE);
	reopen(f);
	assert_true(log_pin_get(f->log, "job", &seq) && seq == 40);
	assert_string_equal(f->released, "");
	log_close(f->log);
	f->set.pin_max_bytes = 30000;
	must(f, log_open(simio_io(f->sim), "log", &f->set, &f->log, &f->err));
	sweep_all(f);
	assert_string_equal(f->released, "job 40");
	assert_false(log_pin_get(f->log, "job", &seq));
	assert_int_equal(marks(f, f->pa).start, 100);
}

static void trimming_moves_the_start(void **state)
{
	struct fix *f = *state;

	while (append(f, f->pa, 10, 50) < 500)
		;
	must(f, log_flush(f->log, &f->err));
	must(f, log_trim(f->log, f->pa, 123, false, &f->err));
	assert_int_equal(marks(f, f->pa).start, 123);
	must(f, log_read(f->log, f->pa, 123, 1, &f->out, &f->err));
	assert_int_equal(f->out.batches[0].base, 120);
	reopen(f);
	assert_int_equal(marks(f, f->pa).start, 123);
	must(f, log_trim(f->log, f->pa, -1, false, &f->err));
	assert_int_equal(marks(f, f->pa).start, 510);
	assert_int_equal(log_trim(f->log, f->pa, 511, false, &f->err), -1);
	sweep_all(f);
	verify(f);
	assert_int_equal(append(f, f->pa, 1, 1), 510);
}

static void clients_give_way_before_the_disk_is_full(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	int64_t base;

	log_close(f->log);
	f->set.reserve_bytes = 100000;
	simio_set_capacity(f->sim, 90000);
	must(f, log_open(simio_io(f->sim), "log", &f->set, &f->log, &f->err));
	batch(&b, 1, 10, 0);
	assert_int_equal(log_append(f->log, LOG_CLIENT, f->pa, buf_view(&b), 0, NULL, NULL, &base, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NO_SPACE);
	assert_true(f->err.retriable);
	must(f, log_append(f->log, LOG_CAPTURE, f->pa, buf_view(&b), 0, NULL, NULL, &base, &f->err));
	simio_set_capacity(f->sim, 30000);
	simio_advance_us(f->sim, 1000000);
	assert_int_equal(log_append(f->log, LOG_CAPTURE, f->pa, buf_view(&b), 0, NULL, NULL, &base, &f->err), -1);
	must(f, log_append(f->log, LOG_INTERNAL, f->pa, buf_view(&b), 0, NULL, NULL, &base, &f->err));
	must(f, log_flush(f->log, &f->err));
	simio_set_capacity(f->sim, 0);
	simio_advance_us(f->sim, 1000000);
	must(f, log_append(f->log, LOG_CLIENT, f->pa, buf_view(&b), 0, NULL, NULL, &base, &f->err));
	buf_release(&b);
}

static void a_full_disk_delays_and_loses_nothing(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	int done = 0;
	int64_t base;
	unsigned i, closed = 0;

	simio_set_capacity(f->sim, 6000);
	batch(&b, 1, 1000, 0);
	for (i = 0; i < 10; i++) {
		if (!log_append(f->log, LOG_CLIENT, f->pa, buf_view(&b), 0, count_done, &done, &base, &f->err))
			closed++;
		log_step(f->log);
	}
	assert_true(stats(f).full);
	assert_true(done < (int)closed);
	assert_int_equal(log_flush(f->log, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NO_SPACE);
	simio_set_capacity(f->sim, 0);
	must(f, log_flush(f->log, &f->err));
	assert_int_equal(done, closed);
	reopen(f);
	assert_int_equal(marks(f, f->pa).high, closed);
	buf_release(&b);
}

static void a_failed_sync_fails_everything_behind_it(void **state)
{
	struct fix *f = *state;
	struct buf b = BUF_INIT(1 << 20);
	int done = 0;
	int64_t base;

	append(f, f->pa, 1, 10);
	must(f, log_flush(f->log, &f->err));
	must(f, log_append(f->log, LOG_CLIENT, f->pa, batch(&b, 1, 10, 0), 0, count_done, &done, &base, &f->err));
	simio_fail_next(f->sim, "sync", 5);
	assert_int_equal(log_flush(f->log, &f->err), -1);
	assert_int_equal(f->err.code, ERR_IO);
	assert_int_equal(done, 1000);
	assert_true(log_failed(f->log, NULL));
	assert_int_equal(log_append(f->log, LOG_CLIENT, f->pa, buf_view(&b), 0, NULL, NULL, &base, &f->err), -1);
	assert_int_equal(f->err.code, ERR_IO);
	must(f, log_read(f->log, f->pa, 0, 1000, &f->out, &f->err)); /* what was durable is there */
	assert_int_equal(f->out.n, 1);
	buf_release(&b);
}

static void a_second_instance_is_refused(void **state)
{
	struct fix *f = *state;
	struct log *second;

	assert_int_equal(log_open(simio_io(f->sim), "log", &f->set, &second, &f->err), -1);
	assert_int_equal(f->err.code, ERR_BUSY);
	assert_non_null(strstr(f->err.text, "log/lock"));
	assert_non_null(strstr(f->err.detail, "Process "));
}

static void many_partitions_cost_little(void **state)
{
	struct fix *f = *state;
	struct log_topic t;
	uint32_t first;
	unsigned i;

	log_close(f->log);
	f->set.segment_bytes = 1 << 20;
	must(f, log_open(simio_io(f->sim), "log", &f->set, &f->log, &f->err));
	must(f, log_topic_create(f->log, "many", NULL, 1000, NULL, 0, &t, &f->err));
	assert_true(log_part_find(f->log, t.id, 0, &first));
	for (i = 0; i < 3000; i++)
		append(f, first + i % 1000, 1, 300);
	must(f, log_flush(f->log, &f->err));
	reopen(f);
	for (i = 0; i < 1000; i++)
		assert_int_equal(marks(f, first + i).high, 3);
	must(f, log_read(f->log, first + 999, 0, 10000, &f->out, &f->err));
	assert_int_equal(f->out.n, 3);
	verify(f);
}

struct image {
	char path[64];
	uint8_t *bytes;
	size_t len;
};

static unsigned files(struct fix *f, struct image *to)
{
	const char *path;
	unsigned i, n = 0;

	for (i = 0; (path = simio_name(f->sim, i)); i++) {
		uint8_t *p = simio_file(f->sim, path, &to[n].len);

		if (!strstr(path, ".wlog"))
			continue;
		snprintf(to[n].path, sizeof(to[n].path), "%s", path);
		to[n].bytes = mem_alloc(to[n].len + 1);
		memcpy(to[n].bytes, p, to[n].len);
		n++;
	}
	return n;
}

static void free_files(struct image *images, unsigned n)
{
	while (n)
		mem_free(images[--n].bytes);
}

/* ---- the next segment's file, made beforehand ---- */

static bool has_file(struct fix *f, const char *end)
{
	const char *path;
	unsigned i;

	for (i = 0; (path = simio_name(f->sim, i)); i++)
		if (strstr(path, end))
			return true;
	return false;
}

static void append_flushed(struct fix *f, size_t size)
{
	simio_advance_us(f->sim, 1000);
	append(f, f->pa, 1, size);
	must(f, log_flush(f->log, &f->err));
}

static void with_spares(struct fix *f, unsigned n)
{
	log_close(f->log);
	f->set.segment_bytes = 16384;
	f->set.spare_bytes = n * (f->set.segment_bytes + f->set.grow_bytes);
	must(f, log_open(simio_io(f->sim), "log", &f->set, &f->log, &f->err));
}

static void a_segment_takes_the_file_that_was_made_beforehand(void **state)
{
	struct fix *f = *state;
	struct image images[8];
	unsigned segments, n;

	with_spares(f, 1);
	for (n = 0; !has_file(f, "spare-"); n++)
		append_flushed(f, 100);
	assert_true(n >= 2); /* not before the segment is filled by a part */
	segments = stats(f).segments;
	while (has_file(f, "spare-"))
		append_flushed(f, 100);
	assert_int_equal(stats(f).segments, segments + 1);
	assert_int_equal(stats(f).prepared_segments, 1);
	n = files(f, images);
	assert_true(n >= 2 && n <= 8);
	assert_int_equal(images[n - 1].len, f->set.segment_bytes + f->set.grow_bytes);
	free_files(images, n);
	verify(f);
	/* the machine stops: what was flushed is there, and a file that nobody took is not left lying about */
	while (!has_file(f, "spare-"))
		append_flushed(f, 100);
	segments = (unsigned)marks(f, f->pa).high;
	simio_crash(f->sim);
	log_close(f->log);
	f->set.spare_bytes = 0;
	must(f, log_open(simio_io(f->sim), "log", &f->set, &f->log, &f->err));
	assert_int_equal(marks(f, f->pa).high, segments);
	assert_false(has_file(f, "spare-"));
	verify(f);
}

static void a_file_made_beforehand_gives_its_room_to_a_full_disk(void **state)
{
	struct fix *f = *state;

	with_spares(f, 1);
	while (!has_file(f, "spare-"))
		append_flushed(f, 100);
	simio_set_capacity(f->sim, simio_used(f->sim));
	while (has_file(f, "spare-"))
		append_flushed(f, 100); /* never refused */
	/* and is not made again on such a disk */
	append_flushed(f, 100);
	assert_false(has_file(f, "spare-"));
	verify(f);
}

static void a_file_that_cannot_be_made_beforehand_is_done_without(void **state)
{
	static const char *const calls[] = {"open", "write", "sync"};
	struct fix *f = *state;
	unsigned i;

	with_spares(f, 1);
	for (i = 0; i < 3; i++) {
		simio_fail_next(f->sim, calls[i], EIO);
		spare_make(f->log);
		assert_false(has_file(f, "spare-"));
		assert_int_equal(f->log->n_spares, 0);
	}
	spare_make(f->log);
	assert_int_equal(f->log->n_spares, 1);
	simio_fail_next(f->sim, "rename", EIO);
	i = stats(f).segments;
	while (stats(f).segments == i)
		append_flushed(f, 100);
	append_flushed(f, 100);
	assert_int_equal(f->log->n_spares, 0);
	assert_int_equal(stats(f).prepared_segments, 0);
	verify(f);
}

/* ---- files that somebody takes away ---- */

/* As a machine that stops just when a file was begun leaves it: no mark lies in the new file's own bytes. */
static void a_newest_closed_file_that_is_gone_stops_the_start_and_nothing_is_removed(void **state)
{
	struct fix *f = *state;
	struct image images[64];
	unsigned n = 0, k, round;
	struct log_marks before;

	for (round = 0; n < 5; round++) {
		free_files(images, n);
		append(f, f->pa, 1, 300);
		must(f, log_flush(f->log, &f->err));
		simio_settle(f->sim);
		n = files(f, images);
		assert_true(n < 64 && round < 1000);
	}
	before = marks(f, f->pa);
	log_close(f->log);
	/* each but the first and the last alone, and all of them */
	for (k = 1; k < n; k++) {
		unsigned i, left = 0;

		for (i = 0; i < n; i++)
			simio_put(f->sim, images[i].path, images[i].bytes, images[i].len);
		for (i = 1; i + 1 < n; i++)
			if (i == k || k + 1 == n)
				simio_remove(f->sim, images[i].path);
		f->log = NULL;
		f->err = ERR_INIT;
		assert_int_equal(log_open(simio_io(f->sim), "log", &f->set, &f->log, &f->err), -1);
		assert_int_equal(f->err.code, ERR_CORRUPT);
		if (!strstr(f->err.text, "missing"))
			fail_msg("%s | %s", f->err.text, f->err.detail);
		for (i = 0; simio_name(f->sim, i); i++)
			left += strstr(simio_name(f->sim, i), ".wlog") != NULL;
		assert_int_equal(left, k + 1 == n ? 2 : n - 1);
	}
	for (k = 0; k < n; k++)
		simio_put(f->sim, images[k].path, images[k].bytes, images[k].len);
	f->err = ERR_INIT;
	must(f, log_open(simio_io(f->sim), "log", &f->set, &f->log, &f->err));
	assert_int_equal(marks(f, f->pa).high, before.high);
	free_files(images, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		T(a_unit_is_seen_only_when_it_is_durable),
		T(an_aborted_unit_leaves_its_offsets_to_the_next),
		T(a_partition_has_one_open_unit),
		T(what_is_not_a_batch_is_refused_and_changes_nothing),
		T(reads_give_whole_batches_and_at_least_one),
		T(topics_are_kept_with_their_configuration),
		T(a_topic_made_anew_is_another_one),
		T(the_cursor_follows_units_in_order),
		T(notes_keep_the_last_payload),
		T(times_are_found),
		T(a_removed_file_is_cut_down_before),
		T(a_segment_takes_the_file_that_was_made_beforehand),
		T(a_file_made_beforehand_gives_its_room_to_a_full_disk),
		T(a_file_that_cannot_be_made_beforehand_is_done_without),
		T(old_units_go_and_their_files),
		T(a_partition_keeps_its_bytes),
		T(a_quiet_partition_does_not_keep_the_disk),
		T(a_deleted_topic_gives_its_room_back),
		T(a_pin_holds_units_until_its_limit),
		T(trimming_moves_the_start),
		T(clients_give_way_before_the_disk_is_full),
		T(a_full_disk_delays_and_loses_nothing),
		T(a_failed_sync_fails_everything_behind_it),
		T(a_second_instance_is_refused),
		T(many_partitions_cost_little),
		T(a_newest_closed_file_that_is_gone_stops_the_start_and_nothing_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
