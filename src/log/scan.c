/*
 * Walking the frames of segment files when the log is opened: the last segment's are applied, an index that is damaged is built again,
 * and what is behind a bad frame is searched for proof that it had once been good. One thread, nothing else running.
 */
#include "log/log_int.h"

enum { AHEAD = 1 << 20 };

void scan_begin(struct scan *s, struct segment *seg, uint64_t size, uint64_t off)
{
	*s = (struct scan){.log = seg->log, .seg = seg, .size = size, .off = off, .why = ERR_INIT};
	s->last_data = seg->base + off;
}

void scan_end(struct scan *s)
{
	window_release(&s->w);
	mem_free(s->batches);
	s->batches = NULL;
}

static int next_frame(struct scan *s, uint64_t end, struct frame *f, struct view *payload, struct err *err)
{
	return segment_frame(s->seg, s->seg->base + s->off, s->off, end, AHEAD, &s->w, f, payload, err);
}

/* ---- applying ---- */

static void remember_batch(struct scan *s, const struct frame *f, struct view payload)
{
	if (s->n_batches == s->cap_batches) {
		s->cap_batches = s->cap_batches ? s->cap_batches * 2 : 256;
		s->batches = mem_realloc(s->batches, s->cap_batches * sizeof(*s->batches));
	}
	s->batches[s->n_batches++] = (struct scan_batch){.pos = f->pos, .base = (int64_t)get_be64(payload.ptr), .part = f->part, .len = f->len};
	if (f->unit >= s->next_unit)
		s->next_unit = f->unit + 1;
}

static bool was_seen(const struct scan *s, uint32_t part, const struct entry *e)
{
	size_t lo = 0, hi = s->n_batches;

	/* those of earlier files are checked by recover.c unless they are known to be durable */
	if (e->pos < s->seg->base)
		return true;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->batches[mid].pos < e->pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n_batches && s->batches[lo].pos == e->pos && s->batches[lo].base == e->base && s->batches[lo].part == part &&
	    s->batches[lo].len == e->len;
}

static int apply_commit(struct scan *s, const struct frame *f, struct view payload, struct err *err)
{
	struct log *log = s->log;
	struct commit c;
	struct entry e;
	uint32_t i, part;

	if (!commit_get(payload, &c))
		return corrupt(s->seg, s->off, err, "commit record is malformed");
	if (c.seq != log->next_seq)
		return corrupt(s->seg, s->off, err, "commit record of unit %llu where %llu is due", (unsigned long long)c.seq,
		    (unsigned long long)log->next_seq);
	for (i = 0; i < c.n_entries; i++) {
		struct part *p;

		commit_entry_get(&c, i, &part, &e);
		p = part_get(log, part);
		if (!was_seen(s, part, &e) || !index_accepts(s->seg->index, part, &e))
			return corrupt(s->seg, s->off, err, "commit record names a batch at position %llu that is not there",
			    (unsigned long long)e.pos);
		if (p && e.base != p->closed)
			return corrupt(s->seg, s->off, err, "offsets of partition number %u go on at %lld instead of %lld", part, (long long)e.base,
			    (long long)p->closed);
		commit_index_entry(log, s->seg, part, &e);
		if (p)
			p->closed = p->high = p->next = e.base + e.count;
		s->committed += e.pos >= s->seg->base;
	}
	if (c.note.len > LOG_NAME_MAX || (c.note.len && c.payload.len > LOG_NOTE_MAX))
		return corrupt(s->seg, s->off, err, "commit record has a note that is too large");
	if (c.note.len)
		note_set(log, c.note, c.seq, c.payload);
	commit_index(log, s->seg, c.seq, f->pos, c.time_us);
	log->next_seq++;
	log->durable_seq = c.seq;
	if (f->unit >= s->next_unit)
		s->next_unit = f->unit + 1;
	return 0;
}

static int apply_frame(struct scan *s, const struct frame *f, struct view payload, struct err *err)
{
	switch (f->type) {
	case FRAME_BATCH:
		remember_batch(s, f, payload);
		return 0;
	case FRAME_COMMIT:
		return apply_commit(s, f, payload, err);
	case FRAME_META:
		return state_apply(s->log, payload, false, err);
	case FRAME_MARK:
		return 0; /* marks were looked for before */
	case FRAME_SEAL:
		s->sealed = true;
		s->seg->seal_off = s->off;
		return 0;
	case FRAME_STATE:
	case FRAME_TYPE_END:
		break;
	}
	return corrupt(s->seg, s->off, err, "frame of type %d in the middle of the file", (int)f->type);
}

int scan_apply(struct scan *s, struct err *err)
{
	struct frame f;
	struct view payload;

	while (!s->sealed) {
		if (next_frame(s, s->size, &f, &payload, &s->why)) {
			if (s->why.code == ERR_CORRUPT)
				return 0;
			*err = s->why;
			return -1;
		}
		if (apply_frame(s, &f, payload, err))
			return -1;
		s->off += frame_size(f.len);
		if (f.type != FRAME_MARK)
			s->last_data = s->seg->base + s->off;
	}
	return 0;
}

/* ---- checking ---- */

int scan_index(struct scan *s, struct index *ix, uint64_t end, struct err *err)
{
	struct frame f;
	struct view payload;
	struct commit c;
	struct entry e;
	uint32_t i, part;

	for (; s->off < end; s->off += frame_size(f.len)) {
		if (next_frame(s, end, &f, &payload, err))
			return -1;
		if (f.type != FRAME_COMMIT)
			continue;
		if (!commit_get(payload, &c) || (ix->n_units && c.seq <= ix->units[ix->n_units - 1].seq))
			return corrupt(s->seg, s->off, err, "commit record is malformed");
		for (i = 0; i < c.n_entries; i++) {
			commit_entry_get(&c, i, &part, &e);
			if (!index_accepts(ix, part, &e))
				return corrupt(s->seg, s->off, err, "commit record is out of order");
			index_add(ix, part, &e);
		}
		index_add_unit(ix, c.seq, f.pos, c.time_us);
	}
	return 0;
}

uint64_t scan_check(struct scan *s, uint64_t end)
{
	struct frame f;
	struct view payload;

	while (s->off < end && !next_frame(s, end, &f, &payload, &s->why))
		s->off += frame_size(f.len);
	return s->off;
}

/* Zeroes from p on, as far as no frame can begin there: a frame's position, its second word, is never zero. At least one word. */
static uint64_t zeroes_to_skip(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n + 8 <= len && get_le64(p + n) == 0)
		n += 8;
	return n > 16 ? n - 8 : 8;
}

int scan_marks(struct scan *s, uint64_t *ret_mark, bool *ret_zero, struct err *err)
{
	struct window own = {0};
	struct err ignored = ERR_INIT;
	uint64_t off, step, mark;
	const uint8_t *p;
	struct view payload;
	struct commit c;
	struct frame f;
	size_t got;
	int rc = -1;

	*ret_mark = 0;
	if (ret_zero)
		*ret_zero = true;
	for (off = (s->off + 7) & ~7ull; off < s->size; off += step) {
		step = 8;
		if (window_fill(&own, s->seg, off, FRAME_HEADER, AHEAD, s->size, &p, &got, err))
			goto out;
		if (ret_zero && *ret_zero && (got < 8 || get_le64(p) != 0))
			*ret_zero = false;
		if (got < FRAME_HEADER || get_le64(p + 8) != s->seg->base + off || !frame_get(p, &f)) {
			step = zeroes_to_skip(p, got);
			continue;
		}
		if (f.type == FRAME_BATCH) {
			/* a good header is enough to step over it */
			if (!window_fill(&own, s->seg, off, FRAME_HEADER + BATCH_PREFIX, AHEAD, s->size, &p, &got, &ignored) &&
			    got >= FRAME_HEADER + BATCH_PREFIX && frame_crc_good(p, &f, p + FRAME_HEADER))
				step = frame_size(f.len);
			continue;
		}
		if (f.type != FRAME_COMMIT && f.type != FRAME_MARK)
			continue;
		if (segment_frame(s->seg, f.pos, off, s->size, 0, &s->w, &f, &payload, &ignored))
			continue;
		mark = f.type == FRAME_MARK && payload.len == 8 ? get_le64(payload.ptr) : f.type == FRAME_COMMIT && commit_get(payload, &c)
		    ? c.mark : 0;
		if (mark > *ret_mark)
			*ret_mark = mark;
		step = frame_size(f.len);
	}
	rc = 0;
out:
	window_release(&own);
	return rc;
}
