/*
 * Which physical layout should the log have? Two prototypes over the same workloads, just enough code to tell them apart:
 *
 *   P   a file per partition and a commit journal; group commit = fdatasync of every file touched since the last one, then of the journal
 *   J   one journal, the frames of all partitions interleaved, commit records among them; group commit = one fdatasync
 *
 * Workloads: single-row units (600 B) over all partitions, `group` of them for each commit; units of 100 rows over up to 10 partitions;
 * one unit of 200,000 rows; then one partition is read back in order, and all units are read back in commit order.
 *
 * usage: log_layout DIR [ROUNDS]      figures of one machine are in log_layout.md
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

enum { ROW = 600, FRAME = 32, COMMIT = 112, PARTS_MAX = 1000, CHUNK = 1 << 20 };

struct place {       /* where a batch went: the index that both layouts need for reading */
	unsigned part;
	uint32_t len;
	uint64_t pos;
};

struct out {
	int fd;
	bool dirty;
	uint64_t pos;
	uint8_t *ptr;
	size_t len, cap;
};

static struct out journal, parts[PARTS_MAX];
static struct place *places;
static size_t n_places;
static uint64_t n_syncs;
static uint8_t row_bytes[ROW * 100 + FRAME];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	return (double)io_monotonic_us(io_system()) / 1e6;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void out_open(struct out *o, const char *dir, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	o->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (o->fd < 0)
		die(path);
	unlink(path);
	o->pos = 0;
	o->len = 0;
	o->dirty = false;
}

static void out_write(struct out *o)
{
	if (o->len && pwrite(o->fd, o->ptr, o->len, (off_t)o->pos) != (ssize_t)o->len)
		die("write");
	o->dirty |= o->len > 0;
	o->pos += o->len;
	o->len = 0;
}

static uint64_t out_put(struct out *o, const void *ptr, size_t len)
{
	uint64_t at;

	if (o->len + len > CHUNK)
		out_write(o);
	if (o->len + len > o->cap) {
		o->cap = (o->len + len) * 2;
		o->ptr = mem_realloc(o->ptr, o->cap);
	}
	at = o->pos + o->len;
	memcpy(o->ptr + o->len, ptr, len);
	o->len += len;
	return at;
}

static void out_sync(struct out *o)
{
	out_write(o);
	if (o->dirty && fdatasync(o->fd))
		die("fdatasync");
	n_syncs += o->dirty;
	o->dirty = false;
}

static void append(bool one_file, unsigned part, uint32_t len)
{
	struct out *o = one_file ? &journal : &parts[part];
	uint32_t all = len + FRAME;

	places[n_places++] = (struct place){part, all, out_put(o, row_bytes, all)};
}

static void commit(bool one_file, unsigned n_parts, bool flush)
{
	unsigned i;

	out_put(&journal, row_bytes, COMMIT);
	if (!flush)
		return;
	for (i = 0; i < n_parts && !one_file; i++)
		if (parts[i].dirty || parts[i].len)
			out_sync(&parts[i]);
	out_sync(&journal);
}

/* Reads the batches for which want() holds in order, through one window of CHUNK bytes a file (J) or of 64 KiB a file (P). */
static uint64_t read_back(bool one_file, unsigned only, uint8_t *window[], uint64_t start[], uint64_t filled[])
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < n_places; i++) {
		struct place *p = &places[i];
		unsigned w = one_file ? 0 : p->part;
		struct out *o = one_file ? &journal : &parts[p->part];
		size_t size = one_file || only < PARTS_MAX ? CHUNK : 65536;

		if (only < PARTS_MAX && p->part != only)
			continue;
		total += p->len;
		if (p->pos >= start[w] && p->pos + p->len <= start[w] + filled[w])
			continue;
		if (one_file && only < PARTS_MAX)
			size = p->len; /* neighbours in the file belong to others: as a Fetch of one of many partitions finds it */
		if (size < p->len)
			size = p->len;
		if (!window[w])
			window[w] = mem_alloc(size < CHUNK ? CHUNK : size);
		start[w] = p->pos;
		filled[w] = (uint64_t)pread(o->fd, window[w], size, (off_t)p->pos);
		if (filled[w] < p->len)
			die("read");
	}
	return total;
}

static void measure_read(bool one_file, unsigned only, const char *what, unsigned n_parts)
{
	static uint8_t *window[PARTS_MAX];
	static uint64_t start[PARTS_MAX], filled[PARTS_MAX];
	double t = now(), c = cpu();
	uint64_t bytes;

	memset(start, 0, sizeof(start));
	memset(filled, 0, sizeof(filled));
	bytes = read_back(one_file, only, window, start, filled);
	t = now() - t;
	printf("| %c | %4u | %-24s | %8.1f MB | %8.3f s | %8.3f s | %8.0f MB/s | |\n", one_file ? 'J' : 'P', n_parts, what, (double)bytes / 1e6,
	    t, cpu() - c, (double)bytes / 1e6 / t);
}

static void measure(bool one_file, unsigned n_parts, const char *dir, const char *what, unsigned units, unsigned rows, unsigned group)
{
	unsigned i, k, spread = rows == 1 ? 1 : rows == 100 ? 10 : n_parts;
	double t, c;

	out_open(&journal, dir, "journal");
	for (i = 0; i < n_parts; i++) {
		char name[32];

		snprintf(name, sizeof(name), "p%u", i);
		out_open(&parts[i], dir, name);
	}
	n_places = 0;
	n_syncs = 0;
	t = now();
	c = cpu();
	for (i = 0; i < units; i++) {
		unsigned done = 0;

		for (k = 0; done < rows; k++) {
			unsigned n = rows == 1 ? 1 : rows == 100 ? 10 : 100;

			append(one_file, (i * spread + k % spread) % n_parts, n * ROW);
			done += n;
		}
		commit(one_file, n_parts, i % group == group - 1 || i + 1 == units);
	}
	t = now() - t;
	printf("| %c | %4u | %-24s | %8.0f rows/s | %8.3f s | %8.3f s | | %lu |\n", one_file ? 'J' : 'P', n_parts, what,
	    units * (double)rows / t, t,
	    cpu() - c, (unsigned long)n_syncs);
	measure_read(one_file, 0, "  read one partition", n_parts);
	measure_read(one_file, PARTS_MAX, "  read in unit order", n_parts);
	close(journal.fd);
	for (i = 0; i < n_parts; i++)
		close(parts[i].fd);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const unsigned counts[] = {1, 100, 1000};
	int rounds = argc > 2 ? atoi(argv[2]) : 1, r;
	unsigned i;

	if (argc < 2) {
		fprintf(stderr, "usage: log_layout DIR [ROUNDS]\n");
		return 2;
	}
	places = mem_alloc(sizeof(*places) * 300000);
	memset(row_bytes, 'x', sizeof(row_bytes));
	printf("| layout | partitions | workload | rate | wall | CPU | read rate | fdatasync |\n|---|---|---|---|---|---|---|---|\n");
	for (r = 0; r < rounds; r++)
		for (i = 0; i < 3; i++)
			for (int j = 0; j < 2; j++) {
				measure(j, counts[i], argv[1], "single row, group of 64", 20000, 1, 64);
				measure(j, counts[i], argv[1], "100 rows, group of 8", 1000, 100, 8);
				measure(j, counts[i], argv[1], "one of 200k rows", 1, 200000, 1);
			}
	return 0;
}
