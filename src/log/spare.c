/*
 * The files of the next segments, made beforehand: all of their blocks written with zeroes, and synced.
 *
 * A sync of bytes that went into blocks which the file system had only set aside commits its journal too, with whatever other files have
 * in there. Into blocks that were written before, it is the disk's own work and nothing else: half the time for a few kilobytes on ext4,
 * and the dirty pages of others are not waited for (figures: bench/log_append.md). PostgreSQL fills its segments for the same reason
 * (wal_init_zero). But it is each byte written twice, and while it goes on the syncs of others take longer: so it gives way to whoever
 * appends much, and what comes in a burst finds what an idle time has made.
 *
 * A file is "spare-N.tmp" until a segment takes it: then it gets the segment's name, the directory is synced, and only after that is
 * anything written to it. So whatever has such a name holds nothing, and the next start removes it.
 *
 * One thread makes them, the flusher takes them; between the two `log->spares`, under the lock. Nothing depends on it: when the disk is
 * too full, or anything fails, a segment's file is created as it is needed.
 */
#include "log/log_int.h"

enum {
	STEP = 256 << 10,
	STEP_US = 4000,        /* between two steps: the disk's time is the flusher's */
	BUSY_US = 100000,      /* when more than settings.spare_rate is appended */
	RETRY_US = 30000000,
	FILL_PART = 8,         /* made when the segment is filled by one part of so many: who writes little needs none */
};

bool spare_is_name(const char *name)
{
	size_t len = strlen(name);

	return strncmp(name, "spare-", 6) == 0 && len > 10 && strcmp(name + len - 4, ".tmp") == 0;
}

static void path_of(const struct log *log, uint64_t number, struct buf *into)
{
	buf_clear(into);
	buf_printf(into, "%s/spare-%llu.tmp", log->dir, (unsigned long long)number);
	buf_cstr(into);
}

/* Bytes of a file: what a segment has beyond its bound should find room in it too. */
static uint64_t spare_size(const struct log *log)
{
	return log->set.segment_bytes + log->set.grow_bytes;
}

static unsigned wanted(const struct log *log)
{
	uint64_t n = log->set.spare_bytes / spare_size(log);

	return n < SPARES_MAX ? (unsigned)n : SPARES_MAX;
}

bool spare_due(struct log *log, int64_t now_us)
{
	const struct segment *seg = log->segs[log->n_segs - 1];

	return log->n_spares < wanted(log) && now_us >= log->spare_after_us && !log->failed && !log->full && !log->stopping &&
	    log->tail - seg->base >= log->set.segment_bytes / FILL_PART;
}

/* Still wanted, and the disk has room for it beside the reserve? *ret_tail: what was appended so far. */
static bool go_on(struct log *log, uint64_t bytes, uint64_t *ret_tail)
{
	bool yes;

	lock_take(&log->lock);
	yes = !log->failed && !log->full && !log->stopping && log_free_bytes(log) / 2 > log->set.reserve_bytes / 2 + bytes;
	*ret_tail = log->tail;
	lock_drop(&log->lock);
	return yes;
}

static int fill(struct log *log, struct io_file *f, uint64_t size, struct err *err)
{
	static const uint8_t zeroes[STEP];
	uint64_t at = 0, tail, before = 0;
	int64_t pause = BUSY_US;
	size_t n;

	while (at < size) {
		if (!go_on(log, size - at, &tail))
			return err_set(err, ERR_CANCELED, "the next segment's file is not wanted now");
		if ((tail - before) * 1000000 <= log->set.spare_rate * (uint64_t)pause || log->set.manual) {
			n = size - at < STEP ? (size_t)(size - at) : STEP;
			if (io_write(f, at, zeroes, n, err))
				return -1;
			io_start_write(f, at, n);
			at += n;
			pause = STEP_US;
		} else {
			pause = BUSY_US;
		}
		before = tail;
		if (!log->set.manual)
			wake_wait(&log->spare_wake, wake_seen(&log->spare_wake), pause);
	}
	return io_sync(f, err);
}

static int make(struct log *log, struct spare *s, struct err *err)
{
	struct buf path = BUF_INIT(1 << 16);
	uint64_t size = spare_size(log), tail;
	struct err ignored = ERR_INIT;
	int rc = -1;

	path_of(log, s->number, &path);
	if (!go_on(log, size, &tail)) {
		err_set(err, ERR_NO_SPACE, "there is no room for the next segment's file");
		goto out;
	}
	if (io_open(log->io, (const char *)path.ptr, IO_READ | IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &s->file, err))
		goto out;
	rc = fill(log, s->file, size, err);
	if (rc) {
		io_close(s->file);
		if (io_unlink(log->io, (const char *)path.ptr, &ignored))
			err_clear(&ignored); /* the next start removes it */
	}
out:
	buf_release(&path);
	return rc;
}

void spare_make(struct log *log)
{
	struct spare s = {0};
	struct err err = ERR_INIT;
	int rc;

	lock_take(&log->lock);
	s.number = log->next_spare++;
	lock_drop(&log->lock);
	rc = make(log, &s, &err);
	err_clear(&err);
	lock_take(&log->lock);
	if (rc)
		log->spare_after_us = io_monotonic_us(log->io) + RETRY_US;
	else
		log->spares[log->n_spares++] = s;
	lock_drop(&log->lock);
}

/* The one that was made first, out of the list. */
static bool take(struct log *log, struct spare *ret)
{
	bool any;

	lock_take(&log->lock);
	any = log->n_spares > 0;
	if (any) {
		*ret = log->spares[0];
		memmove(log->spares, log->spares + 1, --log->n_spares * sizeof(*ret));
	}
	lock_drop(&log->lock);
	return any;
}

bool spare_drop(struct log *log)
{
	struct buf path = BUF_INIT(1 << 16);
	struct err ignored = ERR_INIT;
	struct spare s;

	if (!take(log, &s))
		return false;
	io_close(s.file);
	path_of(log, s.number, &path);
	if (io_unlink(log->io, (const char *)path.ptr, &ignored))
		err_clear(&ignored);
	buf_release(&path);
	return true;
}

bool spare_take(struct log *log, const char *name, struct io_file **ret, uint64_t *ret_size)
{
	struct buf path = BUF_INIT(1 << 16);
	struct err ignored = ERR_INIT;
	struct spare s;
	int rc;

	if (!take(log, &s))
		return false;
	path_of(log, s.number, &path);
	rc = io_rename(log->io, (const char *)path.ptr, name, &ignored);
	buf_release(&path);
	if (rc) {
		err_clear(&ignored); /* a file that is created instead says what is wrong */
		io_close(s.file);
		return false;
	}
	*ret = s.file;
	*ret_size = spare_size(log);
	lock_take(&log->lock);
	log->stats.prepared_segments++;
	lock_drop(&log->lock);
	return true;
}

void spare_main(void *arg)
{
	struct log *log = arg;

	for (;;) {
		uint64_t seen = wake_seen(&log->spare_wake);
		bool stop, due;

		lock_take(&log->lock);
		stop = log->stopping;
		due = spare_due(log, io_monotonic_us(log->io));
		log->spare_idle = !due;
		lock_drop(&log->lock);
		if (stop)
			return;
		if (due)
			spare_make(log);
		else
			wake_wait(&log->spare_wake, seen, -1);
	}
}
