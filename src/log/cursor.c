/*
 * Following units: from COMMIT to COMMIT in order of sequence numbers, and to the batches that each names. Any thread, one at a time for a
 * cursor. A cursor reads the file through a window that goes on from batch to COMMIT to the next batch, so that following a stream of
 * small units costs one read call for some hundred of them.
 */
#include "log/log_int.h"

enum { AHEAD = 256 << 10 };

struct log_cursor {
	struct log *log;
	uint64_t next_seq;
	struct window w;
	struct log_unit_info info;
	struct buf payload;
	struct log_entry *entries;
	struct log_range *ranges;
	unsigned cap_entries, cap_ranges;
};

struct log_cursor *log_cursor_open(struct log *log, uint64_t from_seq)
{
	struct log_cursor *c = mem_zalloc(sizeof(*c));

	c->log = log;
	c->next_seq = from_seq;
	c->payload = BUF_INIT(LOG_PAYLOAD_MAX);
	return c;
}

void log_cursor_close(struct log_cursor *c)
{
	if (!c)
		return;
	window_release(&c->w);
	buf_release(&c->payload);
	mem_free(c->entries);
	mem_free(c->ranges);
	mem_free(c);
}

/* Position of the next durable unit's COMMIT; with the lock, given up meanwhile when an index has to be loaded. 1, 0: none, -1. */
static int next_commit(struct log_cursor *c, struct unit_ref *ret, struct err *err)
{
	struct log *log = c->log;
	uint32_t lo, hi;

	for (;;) {
		struct segment *seg;
		struct index *ix;
		uint32_t k;

		if (c->next_seq > log->durable_seq)
			return 0;
		for (lo = 0, hi = log->n_segs; lo < hi;) {
			uint32_t mid = lo + (hi - lo) / 2;

			if (log->segs[mid]->last_seq < c->next_seq)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo == log->n_segs)
			return err_set(err, ERR_CORRUPT, "the log has no file with unit %llu", (unsigned long long)c->next_seq);
		seg = segment_ref(log->segs[lo]);
		ix = segment_index(seg, err);
		segment_unref(log, seg);
		if (!ix)
			return -1;
		k = index_find_unit(ix, c->next_seq);
		if (k < ix->n_units)
			*ret = ix->units[k];
		else
			c->next_seq = seg->last_seq + 1; /* what was left of it was taken by a rewrite */
		hi = ix->n_units;
		index_unref(ix);
		if (k < hi)
			return ret->seq <= log->durable_seq;
	}
}

static void add_range(struct log_cursor *c, const struct log_entry *e)
{
	struct log_range *r;
	unsigned i;

	for (i = c->info.n_ranges; i > 0 && c->ranges[i - 1].part != e->part; i--)
		;
	if (i) {
		c->ranges[i - 1].end = e->next;
		return;
	}
	if (c->info.n_ranges == c->cap_ranges) {
		c->cap_ranges = c->cap_ranges ? c->cap_ranges * 2 : 8;
		c->ranges = mem_realloc(c->ranges, c->cap_ranges * sizeof(*c->ranges));
	}
	r = &c->ranges[c->info.n_ranges++];
	*r = (struct log_range){e->part, e->base, e->next};
}

static void take_entries(struct log_cursor *c, const struct commit *m)
{
	struct entry e;
	uint32_t i;

	if (m->n_entries > c->cap_entries) {
		c->cap_entries = m->n_entries;
		c->entries = mem_realloc(c->entries, c->cap_entries * sizeof(*c->entries));
	}
	c->info.n_ranges = 0;
	for (i = 0; i < m->n_entries; i++) {
		struct log_entry *to = &c->entries[i];

		commit_entry_get(m, i, &to->part, &e);
		to->len = e.len;
		to->base = e.base;
		to->next = e.base + e.count;
		to->max_time_ms = e.max_time_ms;
		to->pos = e.pos;
		to->gone = false;
		add_range(c, to);
	}
	c->info.n_entries = m->n_entries;
	c->info.entries = c->entries;
	c->info.ranges = c->ranges;
}

static bool is_gone(struct log *log, const struct log_entry *e)
{
	struct part *p = part_get(log, e->part);

	return !p || e->next <= p->start;
}

int log_cursor_next(struct log_cursor *c, struct log_unit_info *ret, struct err *err)
{
	struct log *log = c->log;
	struct segment *seg = NULL;
	struct unit_ref ref = {0, 0};
	struct view payload;
	struct commit m;
	struct frame f;
	uint64_t off, limit;
	unsigned i;
	int rc;

	lock_take(&log->lock);
	rc = next_commit(c, &ref, err);
	if (rc == 1) {
		rc = frame_locate(log, ref.pos, &seg, &off, &limit, err);
		if (rc == 0)
			rc = err_set(err, ERR_CORRUPT, "the log has no file with position %llu", (unsigned long long)ref.pos);
	}
	lock_drop(&log->lock);
	if (rc <= 0)
		return rc;

	rc = segment_frame(seg, ref.pos, off, limit, AHEAD, &c->w, &f, &payload, err);
	if (!rc && (f.type != FRAME_COMMIT || !commit_get(payload, &m) || m.seq != ref.seq))
		rc = corrupt(seg, off, err, "there is no commit record of unit %llu", (unsigned long long)ref.seq);
	if (!rc) {
		take_entries(c, &m);
		buf_clear(&c->payload);
		buf_putv(&c->payload, m.payload);
		c->info.seq = m.seq;
		c->info.time_us = m.time_us;
		c->info.payload = buf_view(&c->payload);
		c->next_seq = m.seq + 1;
	}
	lock_take(&log->lock);
	for (i = 0; !rc && i < c->info.n_entries; i++)
		c->entries[i].gone = is_gone(log, &c->entries[i]);
	segment_unref(log, seg);
	lock_drop(&log->lock);
	if (rc)
		return -1;
	*ret = c->info;
	return 1;
}

int log_cursor_batch(struct log_cursor *c, unsigned i, struct log_batch *ret, struct err *err)
{
	struct log *log = c->log;
	const struct log_entry *e = &c->entries[i];
	struct segment *seg = NULL;
	struct view payload;
	uint64_t off, limit;
	struct frame f;
	int rc;

	wm_assert(i < c->info.n_entries);
	lock_take(&log->lock);
	rc = is_gone(log, e) ? 0 : frame_locate(log, e->pos, &seg, &off, &limit, err);
	lock_drop(&log->lock);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_LOST, "offset %lld of partition number %u has been removed", (long long)e->base, e->part);
	rc = segment_frame(seg, e->pos, off, limit, AHEAD, &c->w, &f, &payload, err);
	if (!rc && (f.type != FRAME_BATCH || f.part != e->part || f.len != e->len || (int64_t)get_be64(payload.ptr) != e->base))
		rc = corrupt(seg, off, err, "the batch is not the one that the commit record says");
	lock_take(&log->lock);
	log->stats.read_batches++;
	log->stats.read_bytes += e->len;
	segment_unref(log, seg);
	lock_drop(&log->lock);
	if (rc)
		return -1;
	*ret = (struct log_batch){.bytes = payload, .base = e->base, .next = e->next, .max_time_ms = e->max_time_ms, .part = e->part,
	    .pos = e->pos};
	return 0;
}
