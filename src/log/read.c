/*
 * Reading partitions. Any thread.
 *
 * Under the lock: which batches, and where (marks, extents, indexes). Then, with references to the segments and without the lock: their
 * bytes, batches that lie near each other in one read. Every frame's and batch's checksum is checked again at every read.
 */
#include "log/log_int.h"

enum { SPAN = 256 << 10, GAP = 4096, WANTS = 128 };

struct want {
	struct segment *seg;
	uint64_t off, limit;
	struct entry e;
};

struct window window_take(struct log *log)
{
	struct window w = {0};

	lock_take(&log->lock);
	if (log->n_windows)
		w = log->windows[--log->n_windows];
	lock_drop(&log->lock);
	return w;
}

void window_give(struct log *log, struct window *w)
{
	lock_take(&log->lock);
	if (log->n_windows < sizeof(log->windows) / sizeof(log->windows[0]) && w->cap <= 1 << 20)
		log->windows[log->n_windows++] = *w;
	else
		window_release(w);
	lock_drop(&log->lock);
}

/* ---- where things are; with the lock ---- */

/* Makes the segment's index present. 1: it is, 0: it is now, but the lock was given up meanwhile, -1: error. */
static int have_index(struct log *log, struct segment *seg, struct err *err)
{
	struct index *ix;

	if (seg->index) {
		seg->index_used = ++log->index_clock;
		return 1;
	}
	segment_ref(seg);
	ix = segment_index(seg, err);
	index_unref(ix);
	segment_unref(log, seg);
	return ix ? 0 : -1;
}

int entry_find(struct log *log, uint32_t part, int64_t offset, struct entry *ret, struct err *err)
{
	for (;;) {
		struct part *p = part_get(log, part);
		struct extent *x = p && offset >= p->start ? part_extent(p, offset) : NULL;
		struct index_part *ip;
		int rc;

		if (!x)
			return 0;
		rc = have_index(log, x->seg, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		ip = index_part(x->seg->index, part);
		if (ip)
			*ret = ip->entries[index_find(ip, offset)];
		if (ip && offset >= ret->base && offset < ret->base + ret->count)
			return 1;
		return corrupt(x->seg, x->seg->seal_off, err, "the index has no batch with offset %lld of topic \"%s\", partition %u",
		    (long long)offset,
		    p->topic->name, p->index);
	}
}

int frame_locate(struct log *log, uint64_t pos, struct segment **ret_seg, uint64_t *ret_off, uint64_t *ret_limit, struct err *err)
{
	struct segment *seg;

	for (;;) {
		int rc;

		seg = segment_at(log, pos);
		if (!seg)
			return 0;
		rc = seg->rewritten ? have_index(log, seg, err) : 1;
		if (rc < 0)
			return -1;
		if (rc == 1)
			break;
	}
	if (frame_offset(seg, seg->index, pos, ret_off, err))
		return -1;
	*ret_limit = seg->rewritten || seg->end <= log->durable ? seg->used : log->durable - seg->base;
	*ret_seg = segment_ref(seg);
	return 1;
}

/* ---- marks ---- */

uint64_t marks_bytes(const struct part *p)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < p->n_extents; i++)
		sum += p->extents[i].bytes;
	return sum;
}

static struct log_marks marks_of(const struct part *p)
{
	if (!p)
		return (struct log_marks){0};
	return (struct log_marks){.start = p->start, .high = p->high, .next = p->next, .bytes = marks_bytes(p)};
}

void log_marks(struct log *log, const uint32_t *parts, unsigned n, struct log_marks *ret, uint64_t *ret_seq)
{
	unsigned i;

	lock_take(&log->lock);
	for (i = 0; i < n; i++)
		ret[i] = marks_of(part_get(log, parts[i]));
	if (ret_seq)
		*ret_seq = log->durable_seq;
	lock_drop(&log->lock);
}

void log_unit_span(struct log *log, uint64_t *ret_first, uint64_t *ret_last)
{
	lock_take(&log->lock);
	*ret_first = log->whole_seq;
	*ret_last = log->durable_seq;
	lock_drop(&log->lock);
}

/* ---- batches ---- */

void log_batches_release(struct log_batches *b)
{
	buf_release(&b->bytes);
	mem_free(b->batches);
	*b = LOG_BATCHES_INIT;
}

/* Up to WANTS batches from *offset on; with the lock. *ret_n are referenced also when -1 is returned. */
static int plan(struct log *log, uint32_t part, int64_t *offset, int64_t high, size_t room, bool first, struct want *wants,
	unsigned *ret_n, struct err *err)
{
	unsigned n = 0;
	int rc = 1;

	while (n < WANTS && *offset < high) {
		struct want *w = &wants[n];

		rc = entry_find(log, part, *offset, &w->e, err);
		if (rc <= 0 || (w->e.len > room && !first))
			break;
		rc = frame_locate(log, w->e.pos, &w->seg, &w->off, &w->limit, err);
		if (rc <= 0)
			break;
		*ret_n = ++n;
		room -= w->e.len < room ? w->e.len : room;
		first = false;
		*offset = w->e.base + w->e.count;
	}
	return rc < 0 ? -1 : 0;
}

/* How many bytes from the first want on are worth one read. */
static size_t span(const struct want *w, unsigned n)
{
	uint64_t end = w[0].off + frame_size(w[0].e.len);
	unsigned i;

	for (i = 1; i < n && w[i].seg == w[0].seg && w[i].off >= end && w[i].off - end <= GAP; i++) {
		uint64_t next = w[i].off + frame_size(w[i].e.len);

		if (next - w[0].off > SPAN)
			break;
		end = next;
	}
	return (size_t)(end - w[0].off);
}

static struct log_batch *add_batch(struct log_batches *out)
{
	if (out->n == out->cap) {
		out->cap = out->cap ? out->cap * 2 : 16;
		out->batches = mem_realloc(out->batches, out->cap * sizeof(*out->batches));
	}
	return &out->batches[out->n++];
}

static int read_wants(const struct want *wants, unsigned n, uint32_t part, struct window *w, struct log_batches *out, struct err *err)
{
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		sum += wants[i].e.len;
	(void)buf_reserve(&out->bytes, sum);
	for (i = 0; i < n; i++) {
		const struct want *x = &wants[i];
		struct log_batch *b;
		struct view payload;
		struct frame f;

		if (segment_frame(x->seg, x->e.pos, x->off, x->limit, span(x, n - i), w, &f, &payload, err))
			return -1;
		if (f.type != FRAME_BATCH || f.part != part || f.len != x->e.len || (int64_t)get_be64(payload.ptr) != x->e.base)
			return corrupt(x->seg, x->off, err, "the batch is not the one that the index says");
		buf_putv(&out->bytes, payload);
		if (!buf_ok(&out->bytes))
			return err_set(err, ERR_LIMIT, "out of memory for reading %u bytes of the log", f.len);
		b = add_batch(out);
		*b = (struct log_batch){.bytes = view_of(NULL, f.len), .base = x->e.base, .next = x->e.base + x->e.count,
		    .max_time_ms = x->e.max_time_ms, .part = part, .pos = x->e.pos};
	}
	return 0;
}

static void set_views(struct log_batches *out)
{
	const uint8_t *at = out->bytes.ptr;
	unsigned i;

	for (i = 0; i < out->n; i++) {
		out->batches[i].bytes.ptr = at;
		at += out->batches[i].bytes.len;
	}
}

static int check_offset(struct log *log, uint32_t part, int64_t offset, struct log_batches *out, struct err *err)
{
	struct part *p = part_get(log, part);

	out->marks = marks_of(p);
	if (!p)
		return err_set(err, ERR_NOT_FOUND, "there is no partition number %u", part);
	if (offset < p->start)
		return err_set(err, ERR_LOST, "offset %lld of topic \"%s\", partition %u has been removed: it starts at %lld", (long long)offset,
		    p->topic->name, p->index, (long long)p->start);
	if (offset > p->high)
		return err_set(err, ERR_INVALID, "offset %lld of topic \"%s\", partition %u is above its high watermark %lld", (long long)offset,
		    p->topic->name, p->index, (long long)p->high);
	return 0;
}

int log_read(struct log *log, uint32_t part, int64_t offset, size_t max_bytes, struct log_batches *out, struct err *err)
{
	struct want wants[WANTS];
	struct window w;
	unsigned n, i;
	int rc;

	buf_clear(&out->bytes);
	out->n = 0;
	w = window_take(log);
	lock_take(&log->lock);
	rc = check_offset(log, part, offset, out, err);
	while (!rc) {
		size_t had = out->bytes.len;

		n = 0;
		rc = plan(log, part, &offset, out->marks.high, max_bytes > had ? max_bytes - had : 0, had == 0, wants, &n, err);
		lock_drop(&log->lock);
		if (!rc)
			rc = read_wants(wants, n, part, &w, out, err);
		lock_take(&log->lock);
		for (i = 0; i < n; i++)
			segment_unref(log, wants[i].seg);
		if (n < WANTS)
			break;
	}
	log->stats.read_batches += out->n;
	log->stats.read_bytes += out->bytes.len;
	lock_drop(&log->lock);
	window_give(log, &w);
	set_views(out);
	return rc;
}

int log_find_time(struct log *log, uint32_t part, int64_t time_ms, int64_t *ret_base, int64_t *ret_max_time_ms, struct err *err)
{
	int64_t offset;
	struct part *p;
	struct entry e;
	int rc = 0;

	lock_take(&log->lock);
	p = part_get(log, part);
	*ret_base = *ret_max_time_ms = -1;
	offset = p ? p->start : 0;
	while (!rc && (p = part_get(log, part)) && offset < p->high) {
		struct extent *x = part_extent(p, offset);

		if (x && x->max_time_ms < time_ms) {
			offset = x->end;
			continue;
		}
		rc = entry_find(log, part, offset, &e, err);
		if (rc <= 0)
			break;
		rc = 0;
		if (e.max_time_ms >= time_ms) {
			*ret_base = e.base;
			*ret_max_time_ms = e.max_time_ms;
			break;
		}
		offset = e.base + e.count;
	}
	lock_drop(&log->lock);
	return rc < 0 ? -1 : 0;
}
