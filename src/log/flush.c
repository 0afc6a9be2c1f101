/*
 * The flusher: takes what was appended, writes it to the files, syncs them, and tells everybody.
 *
 * One thread runs it (or log_step in the simulation). A round:
 *
 *	take      the write buffer, whole, under the lock; appends go on into the other one
 *	create    files of new segments, each followed by a sync of the directory
 *	allocate  blocks ahead of what is to be written: the one place where a full disk is met, and nothing is lost there: the round is
 *	          repeated when there is room
 *	write     in order
 *	sync      every file written since the last sync, if somebody waits for anything in it or it has become much
 *	publish   under the lock: the durable position, high watermarks of all units closed below it at once, then callbacks in order
 *
 * Group commit follows from it: what is appended while a round is at work goes into the next one, and an idle log flushes at once. An
 * error in create, write or sync makes the log failed: no sync is ever tried twice, as the kernel may have dropped the pages that it could
 * not write. Crash points are between any two steps and within each; recovery's rules (recover.c) hold for all of them.
 */
#include "log/log_int.h"

enum {
	SYNC_AFTER = 32 << 20,       /* bytes written that are synced although nobody waits for them */
	WRITE_STEP = 512 << 10,
	FULL_RETRY_US = 200000,
	SPACE_CHECK_US = 500000,
	MANY_UNITS = 32,             /* waiting: then flushes may be further apart (flush_busy_us) */
	IDLE_MARK_US = 1000000,
	IDLE_BUFFER = 256 << 10,     /* bytes of a write buffer that stay when there is no work */
};

/* ---- waiting ---- */

void flusher_poke(struct log *log)
{
	if (!log->flusher_idle)
		return;
	log->flusher_idle = false;
	wake_signal(&log->flush_wake);
}

void wait_change(struct log *log)
{
	uint64_t seen = wake_seen(&log->wake);

	log->waiting++;
	lock_drop(&log->lock);
	if (log->set.manual)
		flush_round(log);
	else
		wake_wait(&log->wake, seen, -1);
	lock_take(&log->lock);
	log->waiting--;
}

int wait_durable(struct log *log, uint64_t pos, struct err *err)
{
	if (log->wanted < pos)
		log->wanted = pos;
	flusher_poke(log);
	while (log->durable < pos) {
		if (log->failed) {
			*err = log->failure;
			return -1;
		}
		wait_change(log);
		if (log->full && log->durable < pos)
			return err_set(err, ERR_NO_SPACE, "the disk of \"%s\" is full; the change is kept in memory until there is room", log->dir);
	}
	return 0;
}

int log_flush(struct log *log, struct err *err)
{
	int rc;

	lock_take(&log->lock);
	rc = wait_durable(log, log->wanted, err);
	lock_drop(&log->lock);
	return rc;
}

bool log_step(struct log *log)
{
	wm_assert(log->set.manual);
	return flush_round(log);
}

uint64_t log_free_bytes(struct log *log)
{
	int64_t now = io_monotonic_us(log->io);
	struct err err = ERR_INIT;
	uint64_t bytes;

	if (log->free_checked_us && now - log->free_checked_us < SPACE_CHECK_US)
		return log->free_bytes;
	log->free_checked_us = now;
	lock_drop(&log->lock);
	if (io_free_bytes(log->io, log->dir, &bytes, &err))
		bytes = UINT64_MAX; /* not known: let the allocation decide */
	lock_take(&log->lock);
	log->free_bytes = bytes;
	return bytes;
}

/* ---- one round ---- */

static int open_file(struct log *log, struct segment *seg, struct err *err)
{
	struct buf path = BUF_INIT(1 << 16);
	int rc = -1;

	segment_path(seg, &path);
	if (spare_take(log, (const char *)path.ptr, &seg->file, &seg->allocated) ||
	    !io_open(log->io, (const char *)path.ptr, IO_READ | IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &seg->file, err))
		rc = log->set.test_bugs & LOG_BUG_SKIP_DIR_SYNC ? 0 : io_sync_dir(log->io, log->dir, err);
	if (rc && err->code == ERR_NO_SPACE && seg->file)
		err->code = ERR_IO; /* the file is there, whether durably is not known: not to be tried again */
	buf_release(&path);
	return rc;
}

/* Just what is needed, if need be in place of files that were made beforehand. */
static int allocate_last(struct log *log, struct segment *seg, uint64_t end, struct err *err)
{
	int rc;

	do
		rc = io_allocate(seg->file, end, err);
	while (rc && err->code == ERR_NO_SPACE && spare_drop(log));
	return rc;
}

static int allocate(struct log *log, struct segment *seg, uint64_t end, struct err *err)
{
	uint64_t step = log->set.grow_bytes ? log->set.grow_bytes : 1, more = (end + step - 1) / step * step;

	if (end <= seg->allocated)
		return 0;
	if (io_allocate(seg->file, more, err)) {
		if (err->code != ERR_NO_SPACE || allocate_last(log, seg, end, err))
			return -1;
		err_clear(err);
		more = end;
	}
	seg->allocated = more;
	return 0;
}

static void list_dirty(struct log *log, struct segment *seg)
{
	if (seg->listed_dirty)
		return;
	if (log->n_dirty == log->cap_dirty) {
		log->cap_dirty = log->cap_dirty ? log->cap_dirty * 2 : 4;
		log->dirty = mem_realloc(log->dirty, log->cap_dirty * sizeof(struct segment *));
	}
	seg->listed_dirty = true;
	log->dirty[log->n_dirty++] = seg; /* segs keeps it: nothing that is not durable is ever removed */
}

/* In steps, each of which the disk begins with while the next is copied: a sync behind one large write would find it idle until then. */
static int write_chunk(struct log *log, const struct chunk *c, struct err *err)
{
	const uint8_t *ptr = log->out.ptr + c->at;
	size_t at, n;

	for (at = 0; at < c->len; at += n) {
		n = c->len - at < WRITE_STEP ? c->len - at : WRITE_STEP;
		if (io_write(c->seg->file, c->off + at, ptr + at, n, err))
			return -1;
		if (n >= LOG_WRITE_SOME)
			io_start_write(c->seg->file, c->off + at, n);
	}
	return 0;
}

/* Writes log->out from the first chunk that is not written yet. ERR_NO_SPACE: may be called again. */
static int write_out(struct log *log, struct err *err)
{
	struct wbuf *b = &log->out;

	for (; b->next_chunk < b->n; b->next_chunk++) {
		struct chunk *c = &b->chunks[b->next_chunk];

		if (!c->seg->file && open_file(log, c->seg, err))
			return -1;
		if (allocate(log, c->seg, c->off + c->len, err))
			return -1;
		list_dirty(log, c->seg);
		if (write_chunk(log, c, err))
			return -1;
		/* the next chunk is the next segment's head: this one has got its SEAL, and keeps no room behind it */
		if (b->next_chunk + 1 < b->n && c->seg->allocated > c->off + c->len) {
			if (io_truncate(c->seg->file, c->off + c->len, err))
				return -1;
			c->seg->allocated = c->off + c->len;
		}
		log->unsynced += c->len;
		log->written = c->seg->base + c->off + c->len;
	}
	return 0;
}

static int sync_files(struct log *log, struct err *err)
{
	uint32_t i;

	for (i = 0; i < log->n_dirty; i++) {
		int rc = log->set.test_bugs & LOG_BUG_SKIP_SYNC ? 0 : io_sync(log->dirty[i]->file, err);

		if (rc && log->set.test_bugs & LOG_BUG_RETRY_SYNC)
			rc = io_sync(log->dirty[i]->file, err);
		if (rc)
			return -1;
		log->dirty[i]->listed_dirty = false;
	}
	log->n_dirty = 0;
	log->unsynced = 0;
	return 0;
}

/* A segment whose SEAL is in the file needs its index in memory no longer, and no room behind it. */
static void finish_chunks(struct log *log, struct wbuf *b)
{
	uint32_t i;

	for (i = 0; i < b->n; i++) {
		struct segment *seg = b->chunks[i].seg;

		if (seg->seal_off && !seg->written && seg->base + b->chunks[i].off + b->chunks[i].len == seg->end) {
			seg->written = true;
			index_unref(seg->index);
			seg->index = NULL;
		}
		segment_unref(log, seg);
	}
	b->n = b->next_chunk = 0;
	b->len = 0;
	if (b->cap > 2 * log->set.buffer_bytes + 65536) {
		mem_free(b->ptr);
		b->ptr = NULL;
		b->cap = 0;
	}
}

/* Takes the units that are durable off the queue and moves their high watermarks; with the lock. */
static struct log_unit *publish(struct log *log)
{
	struct log_unit *first = log->closed, **end = &log->closed;
	uint32_t i;

	while (*end && (*end)->end_pos <= log->durable) {
		for (i = 0; i < (*end)->n_ranges; i++) {
			struct part *p = part_get(log, (*end)->ranges[i].part);

			if (p)
				p->high = (*end)->ranges[i].end;
		}
		log->durable_seq = (*end)->seq;
		end = &(*end)->next;
	}
	if (end == &log->closed)
		return NULL;
	log->closed = *end;
	if (!log->closed)
		log->closed_tail = &log->closed;
	*end = NULL;
	return first;
}

/* Callbacks, without the lock, then the units go. */
static void tell(struct log *log, struct log_unit *units, const struct err *failed)
{
	struct log_unit *u;

	for (u = units; u; u = u->next)
		if (u->done)
			u->done(u->done_arg, u->seq, failed);
	lock_take(&log->lock);
	while ((u = units)) {
		units = u->next;
		unit_free(log, u);
	}
	lock_drop(&log->lock);
}

void log_fail(struct log *log, const struct err *why)
{
	struct log_unit *units;

	lock_take(&log->lock);
	if (!log->failed) {
		log->failure = *why;
		log->failed = true;
	}
	units = log->closed;
	log->closed = NULL;
	log->closed_tail = &log->closed;
	lock_drop(&log->lock);
	wake_signal(&log->wake);
	tell(log, units, why);
}

/* LOG_BUG_ACK_EARLY */
static void publish_early(struct log *log)
{
	struct log_unit *units;

	lock_take(&log->lock);
	log->durable = log->written;
	units = publish(log);
	lock_drop(&log->lock);
	if (units)
		tell(log, units, NULL);
}

/* Takes the write buffer if the last one has gone out. False: nothing to do. */
static bool take(struct log *log, bool *ret_sync)
{
	struct wbuf swap;

	if (log->failed || (!log->out_pending && log->in.len == 0 && log->wanted <= log->durable))
		return false;
	if (!log->out_pending && log->in.len) {
		swap = log->out;
		log->out = log->in;
		log->in = swap;
		log->out_pending = true;
	}
	*ret_sync = log->wanted > log->durable || log->unsynced + log->out.len >= SYNC_AFTER;
	log->flush_started_us = io_monotonic_us(log->io);
	return true;
}

bool flush_round(struct log *log)
{
	struct err err = ERR_INIT;
	struct log_unit *units;
	bool sync, wake, spare;
	int64_t now_us, took_us;
	int rc;

	lock_take(&log->lock);
	if (!take(log, &sync)) {
		lock_drop(&log->lock);
		return false;
	}
	lock_drop(&log->lock);

	rc = log->out_pending ? write_out(log, &err) : 0;
	if (rc && err.code == ERR_NO_SPACE) {
		lock_take(&log->lock);
		log->full = true;
		lock_drop(&log->lock);
		wake_signal(&log->wake);
		return false;
	}
	if (!rc && sync && log->set.test_bugs & LOG_BUG_ACK_EARLY)
		publish_early(log);
	if (!rc && sync)
		rc = sync_files(log, &err);
	if (rc) {
		log_fail(log, &err);
		return true;
	}

	now_us = io_monotonic_us(log->io);
	took_us = now_us - log->flush_started_us;
	lock_take(&log->lock);
	if (log->out_pending)
		finish_chunks(log, &log->out);
	log->out_pending = false;
	if (sync) {
		log->durable = log->written;
		log->stats.flushes++;
		log->stats.flush_us_total += (uint64_t)took_us;
		if ((uint64_t)took_us > log->stats.flush_us_max)
			log->stats.flush_us_max = (uint64_t)took_us;
		if (log->set.flush_seconds)
			metric_observe(log->set.flush_seconds, (double)took_us / 1e6);
	}
	units = publish(log);
	wake = sync || log->full || log->waiting > 0 || log->set.manual;
	log->full = false;
	spare = (log->spare_idle || log->set.manual) && spare_due(log, now_us);
	if (spare)
		log->spare_idle = false;
	lock_drop(&log->lock);
	if (wake)
		wake_signal(&log->wake);
	if (units)
		tell(log, units, NULL);
	if (spare && log->set.manual)
		spare_make(log);
	else if (spare)
		wake_signal(&log->spare_wake);
	return true;
}

/* ---- threads ---- */

void mark_append(struct log *log)
{
	uint8_t mark[8];
	struct io_vec v = {mark, sizeof(mark)};

	put_le64(mark, log->durable);
	log->marked = log->durable;
	frame_append(log, FRAME_MARK, 0, 0, &v, 1);
}

/* How long to wait before the next round: 0 at once, < 0 until there is work. With the lock. */
static int64_t pause_us(struct log *log)
{
	int64_t next;

	if (log->full)
		return log->stopping ? 0 : FULL_RETRY_US;
	if (log->wanted <= log->durable && log->in.len < LOG_WRITE_SOME)
		return -1;
	next = log->next_seq - 1 - log->durable_seq > MANY_UNITS ? log->set.flush_busy_us : log->set.flush_interval_us;
	next += log->flush_started_us - io_monotonic_us(log->io);
	return next <= 0 || log->stopping || log->in.len >= log->set.buffer_bytes / 2 ? 0 : next;
}

/* What was acknowledged last is told from a torn tail only when something behind it says that it was durable. With the lock. */
static bool mark_due(const struct log *log)
{
	return !log->failed && !log->stopping && log->marked < log->last_data && log->durable >= log->last_data;
}

static void drop_large(struct wbuf *b)
{
	if (b->len || b->cap <= IDLE_BUFFER)
		return;
	mem_free(b->ptr);
	b->ptr = NULL;
	b->cap = 0;
}

/* A second without work. */
static void when_idle(struct log *log)
{
	lock_take(&log->lock);
	drop_large(&log->in);
	drop_large(&log->out);
	if (mark_due(log)) {
		mark_append(log);
		log->wanted = log->tail;
	}
	lock_drop(&log->lock);
	flush_round(log);
}

void flusher_main(void *arg)
{
	struct log *log = arg;
	bool full = false;

	for (;;) {
		int64_t pause, timeout;
		uint64_t seen;
		bool woken = true;

		lock_take(&log->lock);
		pause = log->failed ? -1 : pause_us(log);
		if (log->stopping && (pause < 0 || full)) {
			lock_drop(&log->lock);
			return;
		}
		log->flusher_idle = pause < 0;
		timeout = pause < 0 && mark_due(log) ? IDLE_MARK_US : pause;
		seen = wake_seen(&log->flush_wake);
		lock_drop(&log->lock);
		if (timeout != 0)
			woken = wake_wait(&log->flush_wake, seen, timeout);
		if (pause >= 0)
			full = !flush_round(log);
		else if (!woken)
			when_idle(log);
	}
}

void sweeper_main(void *arg)
{
	struct log *log = arg;
	struct err err = ERR_INIT;

	for (;;) {
		uint64_t seen = wake_seen(&log->sweep_wake);
		bool stop;

		lock_take(&log->lock);
		stop = log->stopping;
		lock_drop(&log->lock);
		if (stop)
			return;
		if (wake_wait(&log->sweep_wake, seen, log->set.sweep_interval_ms * 1000)) {
			segments_close_gone(log);
			continue;
		}
		if (log_sweep(log, &err)) {
			/* a failed log says so itself; what failed otherwise is tried again the next time */
			lock_take(&log->lock);
			log->stats.failed_sweeps++;
			lock_drop(&log->lock);
			err_clear(&err);
		}
	}
}

void wbuf_release(struct wbuf *b)
{
	uint32_t i;

	for (i = 0; i < b->n; i++)
		segment_unref(b->chunks[i].seg->log, b->chunks[i].seg);
	mem_free(b->chunks);
	mem_free(b->ptr);
	*b = (struct wbuf){0};
}
