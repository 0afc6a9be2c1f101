/*
 * What the log costs: CPU and wall time for a million rows in units of one row, of 100, and in one unit; building record batches alone;
 * reading back by partition and by unit; opening.
 *
 * usage: log_append DIR [ROWS]        DIR must not exist or be empty; figures of one machine are in log_append.md
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "log/batch.h"
#include "log/log.h"

enum { KEY = 40, VALUE = 560, PARTS = 10 };

static struct log *the_log;
static struct err err;
static uint32_t parts[PARTS];
static uint8_t key[KEY], value[VALUE];

static void must(int rc)
{
	if (rc) {
		fprintf(stderr, "%s\n%s\n", err.text, err.detail);
		exit(1);
	}
}

struct clock {
	double wall, cpu;
};

static struct clock now(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (struct clock){(double)io_monotonic_us(io_system()) / 1e6,
	    (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6};
}

static void report(const char *what, struct clock from, double rows, double bytes)
{
	struct clock to = now();
	double wall = to.wall - from.wall, cpu = to.cpu - from.cpu;

	printf("| %-34s | %9.0f | %8.3f | %8.3f | %8.0f |\n", what, rows / wall, wall, cpu * 1e6 / rows, bytes / wall / 1e6);
	fflush(stdout);
}

static void build(struct buf *b, unsigned n)
{
	struct batch_builder bb;
	unsigned i;

	buf_clear(b);
	batch_begin(&bb, b, 1700000000000);
	for (i = 0; i < n; i++) {
		batch_record(&bb, 1700000000000 + i);
		batch_key(&bb);
		buf_put(b, key, KEY);
		batch_value(&bb);
		buf_put(b, value, VALUE);
		batch_record_end(&bb);
	}
	if (!batch_end(&bb))
		abort();
}

static void open_log(const char *dir)
{
	struct log_settings s = log_settings_default();
	struct log_topic t;
	unsigned i;

	s.reserve_bytes = 0;
	must(log_open(io_system(), dir, &s, &the_log, &err));
	if (!log_topic_find(the_log, view_str("t"), &t))
		must(log_topic_create(the_log, "t", NULL, PARTS, NULL, 0, &t, &err));
	for (i = 0; i < PARTS; i++)
		if (!log_part_find(the_log, t.id, i, &parts[i]))
			abort();
}

/* Units of `rows` rows, not more than `rate` rows a second (0: any), up to 1,000 of them in a batch; the batch is built once, as
 * capture's own cost is not in question here. */
static void write_units(const char *what, unsigned total, unsigned rows, double rate)
{
	struct log_close_args args = {.payload = view_of(value, 80), .note = "bench"};
	struct buf b = BUF_INIT(16 << 20);
	unsigned done, in_batch = rows < 1000 ? rows : 1000, k = 0, i;
	struct clock from;
	struct log_stats st;
	int64_t base;

	build(&b, in_batch);
	from = now();
	for (done = 0; done < total; done += rows) {
		struct log_unit *u;

		while (rate > 0 && (done & 63) == 0 && (double)io_monotonic_us(io_system()) / 1e6 - from.wall < done / rate)
			usleep(1000);
		u = log_unit_begin(the_log, LOG_CAPTURE);

		for (i = 0; i < rows; i += in_batch)
			must(log_unit_append(u, parts[k++ % PARTS], buf_view(&b), 0, &base, &err));
		must(log_unit_close(u, &args, NULL, &err));
	}
	must(log_flush(the_log, &err));
	report(what, from, total, (double)total / in_batch * (double)b.len);
	log_stats(the_log, &st);
	printf("|   flushes so far %lu, longest %lu us, on average %lu us | | | | |\n", (unsigned long)st.flushes,
	    (unsigned long)st.flush_us_max,
	    (unsigned long)(st.flush_us_total / st.flushes));
	buf_release(&b);
}

static void read_all(void)
{
	struct log_batches out = LOG_BATCHES_INIT;
	struct log_marks m;
	struct clock from = now();
	double rows = 0, bytes = 0;
	unsigned i;

	for (i = 0; i < PARTS; i++) {
		int64_t at = 0;

		log_marks(the_log, &parts[i], 1, &m, NULL);
		while (at < m.high) {
			must(log_read(the_log, parts[i], at, 1 << 20, &out, &err));
			bytes += (double)out.bytes.len;
			at = out.batches[out.n - 1].next;
		}
		rows += (double)m.high;
	}
	report("read, partition by partition", from, rows, bytes);
	log_batches_release(&out);
}

static void follow_all(void)
{
	struct log_cursor *c = log_cursor_open(the_log, 0);
	struct log_unit_info info;
	struct log_batch b;
	struct clock from = now();
	double rows = 0, bytes = 0;
	int rc;

	while ((rc = log_cursor_next(c, &info, &err)) == 1)
		for (unsigned i = 0; i < info.n_entries; i++) {
			must(log_cursor_batch(c, i, &b, &err));
			bytes += (double)b.bytes.len;
			rows += (double)(b.next - b.base);
		}
	must(rc);
	report("read, unit by unit", from, rows, bytes);
	log_cursor_close(c);
}

int main(int argc, char **argv)
{
	unsigned total = argc > 2 ? (unsigned)atoi(argv[2]) : 1000000, i;
	struct buf b = BUF_INIT(16 << 20);
	struct clock from;
	struct rusage u;

	if (argc < 2) {
		fprintf(stderr, "usage: log_append DIR [ROWS]\n");
		return 2;
	}
	memset(key, 'k', KEY);
	memset(value, 'v', VALUE);
	printf("| what | rows/s | wall s | CPU s per million rows | MB/s |\n|---|---|---|---|---|\n");
	from = now();
	for (i = 0; i < total / 100; i++)
		build(&b, 100);
	report("build batches of 100 rows", from, total, (double)total * 600);
	from = now();
	for (i = 0; i < total; i++)
		build(&b, 1);
	report("build batches of one row", from, total, (double)total * 600);
	from = now();
	open_log(argv[1]);
	write_units("units of one row", total, 1, 0);
	write_units("units of one row, 90k rows/s", total / 2, 1, 90000);
	write_units("units of 100 rows", total, 100, 0);
	write_units("units of 100 rows, 200k rows/s", total, 100, 200000);
	write_units("one unit", total, total, 0);
	read_all();
	follow_all();
	getrusage(RUSAGE_SELF, &u);
	printf("|   largest memory %ld MB | | | | |\n", u.ru_maxrss / 1024);
	fflush(stdout);
	log_close(the_log);
	from = now();
	open_log(argv[1]);
	report("open", from, 4.5 * total, 0);
	log_close(the_log);
	buf_release(&b);
	return 0;
}
