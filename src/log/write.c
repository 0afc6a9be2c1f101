/*
 * Units, and appending frames to the write buffer. Runs on the writers' threads, under the log's lock; nothing here touches a file.
 *
 * An append gives out position and offsets and copies the bytes into log->in, from where the flusher takes them (flush.c). The index of the
 * last segment grows when a unit is closed: with the COMMIT, not with the batches, so that an index never names a batch of a unit that may
 * still be aborted, and a closed segment's index is final although units are open.
 */
#include "log/log_int.h"

#include "log/batch.h"

enum { UNITS_KEPT = 64 };

int log_check_failed(struct log *log, struct err *err)
{
	if (!log->failed && !log->stopping)
		return 0;
	if (log->failed)
		*err = log->failure;
	else
		err_set(err, ERR_CANCELED, "the log is being closed");
	return -1;
}

/* ---- the write buffer ---- */

/* Room for len bytes at the log's tail, in the last segment's file. */
static uint8_t *tail_reserve(struct log *log, size_t len)
{
	struct segment *seg = log->segs[log->n_segs - 1];
	uint64_t off = log->tail - seg->base;
	struct wbuf *b = &log->in;
	struct chunk *c = b->n ? &b->chunks[b->n - 1] : NULL;

	if (len > b->cap - b->len) {
		size_t cap = b->cap * 2 < 65536 ? 65536 : b->cap * 2;

		if (cap < b->len + len)
			cap = b->len + len;
		b->ptr = mem_realloc(b->ptr, cap);
		b->cap = cap;
	}
	if (!c || c->seg != seg) {
		if (b->n == b->cap_chunks) {
			b->cap_chunks = b->cap_chunks ? b->cap_chunks * 2 : 4;
			b->chunks = mem_realloc(b->chunks, b->cap_chunks * sizeof(*b->chunks));
		}
		c = &b->chunks[b->n++];
		*c = (struct chunk){.seg = segment_ref(seg), .off = off, .at = b->len};
	}
	wm_assert(c->off + c->len == off);
	c->len += len;
	b->len += len;
	log->tail += len;
	b->end_pos = log->tail;
	seg->used = log->tail - seg->base;
	return b->ptr + b->len - len;
}

static uint8_t *frame_begin(struct log *log, struct frame *f)
{
	size_t size = (size_t)frame_size(f->len);
	uint8_t *to;

	f->pos = log->tail;
	to = tail_reserve(log, size);
	memset(to + size - 8, 0, 8);
	if (f->type != FRAME_MARK)
		log->last_data = log->tail;
	return to;
}

static void frame_write(struct log *log, struct frame *f, const struct io_vec *vecs, unsigned n)
{
	uint8_t *to, *p;
	unsigned i;

	for (i = 0; i < n; i++)
		f->len += (uint32_t)vecs[i].len;
	to = frame_begin(log, f);
	for (i = 0, p = to + FRAME_HEADER; i < n; p += vecs[i++].len)
		if (vecs[i].len)
			memcpy(p, vecs[i].ptr, vecs[i].len);
	frame_put(to, f, to + FRAME_HEADER);
}

static void roll_if_full(struct log *log)
{
	struct segment *seg = log->segs[log->n_segs - 1];

	if (log->tail - seg->base >= log->set.segment_bytes && log->tail > seg->head_end)
		segment_begin(log);
}

void frame_append(struct log *log, enum frame_type type, uint32_t part, uint64_t unit, const struct io_vec *vecs, unsigned n)
{
	struct frame f = {.type = type, .part = part, .unit = unit};

	roll_if_full(log);
	frame_write(log, &f, vecs, n);
}

static void segment_seal(struct log *log, struct segment *seg)
{
	struct frame f = {.type = FRAME_SEAL};
	struct buf b = BUF_INIT(FRAME_MAX);
	struct io_vec v;

	index_seal(seg->index, &b);
	wm_assert(buf_ok(&b));
	v = (struct io_vec){b.ptr, b.len};
	seg->seal_off = log->tail - seg->base;
	frame_write(log, &f, &v, 1);
	seg->end = log->tail;
	seg->seal_len = seg->end - seg->base - seg->seal_off;
	segment_summary(seg, seg->index);
	buf_release(&b);
}

void segment_begin(struct log *log)
{
	struct segment *old = log->n_segs ? log->segs[log->n_segs - 1] : NULL, *seg;
	struct frame f = {.type = FRAME_STATE};
	struct file_header h = {0};
	struct buf b = BUF_INIT(FRAME_MAX);
	struct io_vec v;

	if (old && !old->seal_off)
		segment_seal(log, old);
	seg = segment_new(log, log->tail);
	seg->index = index_new();
	seg->first_seq = log->next_seq;
	seg->last_seq = log->next_seq - 1;
	memcpy(h.log_id, log->id, 16);
	h.base = seg->base;
	h.prev_base = seg->prev_base = old ? old->base : POS_NONE;
	h.prev_seal = seg->prev_seal = old ? old->base + old->seal_off : 0;
	h.mark = log->durable;
	segment_append(log, seg);
	file_header_put(tail_reserve(log, FILE_HEADER), &h);
	state_put(log, &b);
	wm_assert(buf_ok(&b));
	v = (struct io_vec){b.ptr, b.len};
	frame_write(log, &f, &v, 1);
	seg->head_end = log->tail;
	buf_release(&b);
}

/* ---- units ---- */

struct log_unit *log_unit_begin(struct log *log, enum log_class c)
{
	struct log_unit *u;

	lock_take(&log->lock);
	u = log->free_units;
	if (u) {
		log->free_units = u->next;
		log->n_free_units--;
	} else {
		u = mem_zalloc(sizeof(*u));
		u->log = log;
		u->entries = u->entries_inline;
		u->ranges = u->ranges_inline;
		u->cap_entries = u->cap_ranges = UNIT_INLINE;
	}
	u->id = log->next_unit++;
	u->class = c;
	u->n_entries = u->n_ranges = u->waits_for = 0;
	u->min_pos = POS_NONE;
	u->next = NULL;
	u->done = NULL;
	u->open_next = log->open;
	u->open_prev = &log->open;
	if (log->open)
		log->open->open_prev = &u->open_next;
	log->open = u;
	log->stats.open_units++;
	lock_drop(&log->lock);
	return u;
}

static void unit_unlink(struct log_unit *u)
{
	*u->open_prev = u->open_next;
	if (u->open_next)
		u->open_next->open_prev = u->open_prev;
	u->log->stats.open_units--;
}

void unit_free(struct log *log, struct log_unit *u)
{
	if (log->n_free_units < UNITS_KEPT && u->cap_entries <= 64 && u->cap_ranges <= 64) {
		u->next = log->free_units;
		log->free_units = u;
		log->n_free_units++;
		return;
	}
	if (u->entries != u->entries_inline)
		mem_free(u->entries);
	if (u->ranges != u->ranges_inline)
		mem_free(u->ranges);
	mem_free(u);
}

static struct log_range *unit_range(struct log_unit *u, uint32_t part)
{
	uint32_t i;

	/* the newest first: a writer mostly stays with a partition for a while */
	for (i = u->n_ranges; i > 0; i--)
		if (u->ranges[i - 1].part == part)
			return &u->ranges[i - 1];
	return NULL;
}

static void *grow(void *array, void *inline_array, uint32_t *cap, size_t size)
{
	void *to;

	*cap *= 2;
	if (array != inline_array)
		return mem_realloc(array, *cap * size);
	to = mem_alloc(*cap * size);
	memcpy(to, array, *cap / 2 * size);
	return to;
}

/* Would waiting for p's owner close a circle of units that wait for each other? */
static bool would_deadlock(struct log *log, const struct log_unit *u, const struct part *p)
{
	const struct log_unit *o = p->owner;

	while (o && o != u) {
		const struct part *q = o->waits_for ? part_get(log, o->waits_for - 1) : NULL;

		o = q ? q->owner : NULL;
	}
	return o == u;
}

/* Is there disk space for a writer of this class? The lock is given up meanwhile when the figure is old. */
static int check_space(struct log *log, enum log_class c, struct err *err)
{
	uint64_t need = c == LOG_CLIENT ? log->set.reserve_bytes : c == LOG_CAPTURE ? log->set.reserve_bytes / 2 : 0;

	if (need && log_free_bytes(log) < need) {
		err_set(err, ERR_NO_SPACE, "less than %llu bytes of disk space are left", (unsigned long long)need);
		return err_hint(err, "Free disk space for \"%s\", or lower the topics' retention.", log->dir);
	}
	return 0;
}

/* The partition, owned by this unit, with room in the buffer; waits for both unless told not to. */
static struct part *acquire(struct log_unit *u, uint32_t number, unsigned flags, struct err *err)
{
	struct log *log = u->log;

	for (;;) {
		struct part *p = part_get(log, number);
		bool busy = p && p->owner && p->owner != u;

		if (log_check_failed(log, err))
			return NULL;
		if (!p) {
			err_set(err, ERR_NOT_FOUND, "there is no partition number %u", number);
			return NULL;
		}
		if (!busy && log->in.len < log->set.buffer_bytes)
			return p;
		if (!busy && log->full && u->class != LOG_INTERNAL) {
			err_set(err, ERR_NO_SPACE, "the disk of \"%s\" is full", log->dir);
			return NULL;
		}
		if (busy && (flags & LOG_NOWAIT || log->set.manual)) {
			err_set(err, ERR_BUSY, "partition %u of topic \"%s\" has an open unit of another writer", p->index, p->topic->name);
			return NULL;
		}
		if (busy && would_deadlock(log, u, p)) {
			err_set(err, ERR_BUSY, "deadlock: partition %u of topic \"%s\" belongs to a unit that waits for this one", p->index,
			    p->topic->name);
			return NULL;
		}
		if (!busy && flags & LOG_NOWAIT) {
			err_set(err, ERR_BUSY, "the log's write buffer is full");
			return NULL;
		}
		if (!busy && log->set.manual && log->full)
			return p;
		u->waits_for = busy ? number + 1 : 0;
		if (!busy)
			wake_signal(&log->flush_wake);
		wait_change(log);
		u->waits_for = 0;
	}
}

static void batch_append(struct log_unit *u, struct part *p, struct view batch, const struct batch_info *info)
{
	struct log *log = u->log;
	struct frame f = {.type = FRAME_BATCH, .part = p->part, .unit = u->id, .len = (uint32_t)batch.len};
	struct log_range *range = unit_range(u, p->part);
	struct unit_entry *e;
	uint8_t *to;

	roll_if_full(log);
	to = frame_begin(log, &f);
	memcpy(to + FRAME_HEADER, batch.ptr, batch.len);
	batch_set_base(to + FRAME_HEADER, p->next, 0);
	frame_put(to, &f, to + FRAME_HEADER);

	if (u->n_entries == u->cap_entries)
		u->entries = grow(u->entries, u->entries_inline, &u->cap_entries, sizeof(*u->entries));
	e = &u->entries[u->n_entries++];
	e->part = p->part;
	e->e = (struct entry){.base = p->next, .pos = f.pos, .max_time_ms = info->max_time_ms, .len = f.len,
	    .count = (uint32_t)info->last_delta + 1};
	if (u->n_entries == 1)
		u->min_pos = f.pos;
	if (!range) {
		if (u->n_ranges == u->cap_ranges)
			u->ranges = grow(u->ranges, u->ranges_inline, &u->cap_ranges, sizeof(*u->ranges));
		range = &u->ranges[u->n_ranges++];
		*range = (struct log_range){.part = p->part, .begin = p->next};
	}
	p->owner = u;
	p->next += e->e.count;
	range->end = p->next;
	log->stats.appended_batches++;
	log->stats.appended_bytes += batch.len;
}

int log_unit_append(struct log_unit *u, uint32_t part, struct view batch, unsigned flags, int64_t *ret_base, struct err *err)
{
	struct log *log = u->log;
	struct batch_info info;
	struct part *p;
	int rc = -1;

	if (batch.len > LOG_BATCH_MAX)
		return err_set(err, ERR_LIMIT, "record batch of %zu bytes is larger than %d", batch.len, LOG_BATCH_MAX);
	if (batch_check(batch, &info, err))
		return -1;
	if (info.count == 0)
		return err_set(err, ERR_INVALID, "record batch has no records");
	if (u->n_entries >= LOG_UNIT_BATCHES_MAX)
		return err_set(err, ERR_LIMIT, "one unit cannot have more than %d batches", LOG_UNIT_BATCHES_MAX);
	lock_take(&log->lock);
	if (check_space(log, u->class, err))
		goto out;
	p = acquire(u, part, flags, err);
	if (!p)
		goto out;
	*ret_base = p->next;
	batch_append(u, p, batch, &info);
	if (log->in.len >= LOG_WRITE_SOME)
		flusher_poke(log);
	rc = 0;
out:
	lock_drop(&log->lock);
	return rc;
}

bool log_append_waits(struct log *log, uint32_t part)
{
	struct part *p;
	bool waits;

	lock_take(&log->lock);
	p = part_get(log, part);
	waits = p && !log->failed && !log->stopping && (p->owner || (log->in.len >= log->set.buffer_bytes && !log->full));
	lock_drop(&log->lock);
	return waits;
}

/* Gives the unit's partitions free; their next offset goes on behind it, or back when it was aborted. */
static void release_parts(struct log_unit *u, bool closed)
{
	uint32_t i;

	for (i = 0; i < u->n_ranges; i++) {
		struct part *p = part_get(u->log, u->ranges[i].part);

		if (!p || p->owner != u)
			continue;
		if (closed)
			p->closed = p->next;
		else
			p->next = p->closed;
		p->owner = NULL;
	}
	if (u->log->waiting || !closed)
		wake_signal(&u->log->wake);
}

void commit_index_entry(struct log *log, struct segment *seg, uint32_t part, const struct entry *e)
{
	struct part *p = part_get(log, part);

	index_add(seg->index, part, e);
	if (p)
		part_add_entry(p, seg, e->base, e->base + e->count, e->max_time_ms, e->len);
}

void commit_index(struct log *log, struct segment *seg, uint64_t seq, uint64_t pos, int64_t time_us)
{
	(void)log;
	index_add_unit(seg->index, seq, pos, time_us);
	if (seg->first_seq > seg->last_seq)
		seg->first_seq = seq;
	seg->last_seq = seq;
}

static void commit_append(struct log_unit *u, const struct log_close_args *args, int64_t time_us)
{
	struct log *log = u->log;
	struct view note = args->note ? view_str(args->note) : VIEW_NULL;
	struct frame f = {.type = FRAME_COMMIT, .unit = u->id};
	struct segment *seg;
	uint8_t *to, *p;
	uint32_t i;

	f.len = (uint32_t)(COMMIT_FIXED + (size_t)u->n_entries * COMMIT_ENTRY + note.len + args->payload.len);
	to = frame_begin(log, &f);
	p = to + FRAME_HEADER;
	put_le64(p, u->seq);
	put_le64(p + 8, log->durable);
	put_le64(p + 16, (uint64_t)time_us);
	put_le32(p + 24, u->n_entries);
	put_le32(p + 28, (uint32_t)note.len);
	put_le32(p + 32, (uint32_t)args->payload.len);
	put_le32(p + 36, 0);
	p += COMMIT_FIXED;
	seg = log->segs[log->n_segs - 1];
	for (i = 0; i < u->n_entries; i++, p += COMMIT_ENTRY) {
		commit_entry_put(p, u->entries[i].part, &u->entries[i].e);
		commit_index_entry(log, seg, u->entries[i].part, &u->entries[i].e);
	}
	if (note.len)
		memcpy(p, note.ptr, note.len);
	if (args->payload.len)
		memcpy(p + note.len, args->payload.ptr, args->payload.len);
	frame_put(to, &f, to + FRAME_HEADER);
	commit_index(log, seg, u->seq, f.pos, time_us);
	log->marked = log->durable;
	u->end_pos = log->tail;
}

static int check_args(const struct log_close_args *args, struct err *err)
{
	size_t len = args->note ? strlen(args->note) : 0;

	if (args->payload.len > LOG_PAYLOAD_MAX)
		return err_set(err, ERR_LIMIT, "payload of %zu bytes is larger than %d", args->payload.len, LOG_PAYLOAD_MAX);
	if (args->note && (len == 0 || len > LOG_NAME_MAX))
		return err_set(err, ERR_INVALID, "note name \"%.250s\" is not valid", args->note);
	if (args->note && args->payload.len > LOG_NOTE_MAX)
		return err_set(err, ERR_LIMIT, "payload of %zu bytes is larger than the %d that a note can keep", args->payload.len, LOG_NOTE_MAX);
	return 0;
}

int log_unit_close(struct log_unit *u, const struct log_close_args *args, uint64_t *ret_seq, struct err *err)
{
	static const struct log_close_args none;
	struct log *log = u->log;
	int64_t now = io_now_us(log->io);
	int rc = -1;

	args = args ? args : &none;
	lock_take(&log->lock);
	if (check_args(args, err) || log_check_failed(log, err)) {
		release_parts(u, false);
		unit_unlink(u);
		unit_free(log, u);
		log->stats.aborted_units++;
		goto out;
	}
	roll_if_full(log); /* now, so that the STATE of a new segment does not count this unit yet */
	u->seq = log->next_seq++;
	u->done = args->done;
	u->done_arg = args->done_arg;
	commit_append(u, args, now);
	release_parts(u, true);
	unit_unlink(u);
	if (args->note)
		note_set(log, view_str(args->note), u->seq, args->payload);
	*log->closed_tail = u;
	log->closed_tail = &u->next;
	log->wanted = log->tail;
	log->stats.closed_units++;
	if (ret_seq)
		*ret_seq = u->seq;
	flusher_poke(log);
	rc = 0;
out:
	lock_drop(&log->lock);
	return rc;
}

int log_unit_close_wait(struct log_unit *u, const struct log_close_args *args, uint64_t *ret_seq, struct err *err)
{
	struct log *log = u->log;

	wm_assert(!args || !args->done);
	return log_unit_close(u, args, ret_seq, err) || log_flush(log, err) ? -1 : 0;
}

void log_unit_abort(struct log_unit *u)
{
	struct log *log;

	if (!u)
		return;
	log = u->log;
	lock_take(&log->lock);
	release_parts(u, false);
	unit_unlink(u);
	log->stats.aborted_units++;
	unit_free(log, u);
	lock_drop(&log->lock);
}

int log_append(struct log *log, enum log_class c, uint32_t part, struct view batch, unsigned flags, log_done_fn done, void *done_arg,
	int64_t *ret_base, struct err *err)
{
	struct log_close_args args = {.done = done, .done_arg = done_arg};
	struct log_unit *u = log_unit_begin(log, c);

	if (log_unit_append(u, part, batch, flags, ret_base, err)) {
		log_unit_abort(u);
		return -1;
	}
	return log_unit_close(u, &args, NULL, err);
}
