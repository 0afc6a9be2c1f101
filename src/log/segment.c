/*
 * Segment files: names, references, reading frames out of them, and the cache of their indexes.
 *
 * Reading runs on any thread and without the log's lock; what it looks at of a segment (file, base, end) does not change while the
 * segment is referenced. A segment's index is loaded from its SEAL when somebody needs it and dropped again, least recently used first,
 * when the cache is over its bound.
 */
#include "log/log_int.h"

#include <stdio.h>

#include "base/crc32c.h"

enum { CUT_PAUSE_US = 2000 };

struct segment *segment_new(struct log *log, uint64_t base)
{
	struct segment *seg = mem_zalloc(sizeof(*seg));

	seg->log = log;
	seg->uid = ++log->next_uid;
	seg->base = base;
	seg->end = POS_NONE;
	seg->prev_base = POS_NONE;
	seg->min_pos = POS_NONE;
	seg->first_seq = 1;
	seg->refs = 1;
	return seg;
}

void segment_path(const struct segment *seg, struct buf *into)
{
	char name[32];

	segment_name(name, seg->base);
	buf_clear(into);
	buf_printf(into, "%s/%s", seg->log->dir, name);
	buf_cstr(into);
}

struct segment *segment_ref(struct segment *seg)
{
	seg->refs++;
	return seg;
}

void segment_unref(struct log *log, struct segment *seg)
{
	if (--seg->refs > 0)
		return;
	if (seg->index) {
		log->index_bytes -= seg->written ? seg->index->bytes.cap : 0;
		index_unref(seg->index);
	}
	seg->next_gone = log->gone;
	log->gone = seg;
	wake_signal(&log->sweep_wake);
}

static bool is_stopping(struct log *log)
{
	bool stopping;

	lock_take(&log->lock);
	stopping = log->stopping;
	lock_drop(&log->lock);
	return stopping;
}

/* Syncs get their turn between two steps. */
static void cut_down(struct log *log, struct segment *seg)
{
	uint64_t len = seg->allocated > seg->used ? seg->allocated : seg->used;
	uint64_t step = log->set.cut_bytes ? log->set.cut_bytes : len;
	struct err ignored = ERR_INIT;

	for (; len > step && !is_stopping(log); len -= step) {
		if (io_truncate(seg->file, len - step, &ignored))
			return; /* closing does it too */
		if (!log->set.manual)
			wake_wait(&log->sweep_wake, wake_seen(&log->sweep_wake), CUT_PAUSE_US);
	}
}

void segments_close_gone(struct log *log)
{
	struct segment *gone, *next;

	lock_take(&log->lock);
	gone = log->gone;
	log->gone = NULL;
	lock_drop(&log->lock);
	for (; gone; gone = next) {
		next = gone->next_gone;
		if (gone->removed)
			cut_down(log, gone);
		io_close(gone->file);
		mem_free(gone);
	}
}

void segment_append(struct log *log, struct segment *seg)
{
	if (log->n_segs == log->cap_segs) {
		log->cap_segs = log->cap_segs ? log->cap_segs * 2 : 8;
		log->segs = mem_realloc(log->segs, log->cap_segs * sizeof(struct segment *));
	}
	log->segs[log->n_segs++] = seg;
}

struct segment *segment_at(struct log *log, uint64_t pos)
{
	uint32_t lo = 0, hi = log->n_segs;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (log->segs[mid]->base <= pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && pos < log->segs[lo - 1]->end ? log->segs[lo - 1] : NULL;
}

int corrupt(const struct segment *seg, uint64_t off, struct err *err, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	err_set(err, ERR_CORRUPT, "log file \"%s/%020llu.wlog\" is damaged at byte %llu: %s", seg->log->dir, (unsigned long long)seg->base,
	    (unsigned long long)off, what);
	err_detail(err, "The bytes there had been written durably and are not what was written.");
	return err_hint(err, "Check the disk. Restore the log directory from a copy, or start with an empty one and take the connectors' "
	    "snapshots anew.");
}

/* ---- frames ---- */

void window_release(struct window *w)
{
	mem_free(w->ptr);
	*w = (struct window){0};
}

/* Makes bytes off..off+len of the file stand in the window; *ret points at them. Short only at the limit or the file's end. */
int window_fill(struct window *w, struct segment *seg, uint64_t off, size_t len, size_t ahead, uint64_t limit, const uint8_t **ret,
	size_t *ret_len, struct err *err)
{
	size_t want = len > ahead ? len : ahead;

	if (w->uid != seg->uid || off < w->off || off + len > w->off + w->len) {
		if (off >= limit) {
			*ret_len = 0;
			return 0;
		}
		if (want > limit - off)
			want = (size_t)(limit - off);
		if (w->cap < want) {
			mem_free(w->ptr);
			w->cap = want;
			w->ptr = mem_try_alloc(want);
			if (!w->ptr) {
				*w = (struct window){0};
				return err_set(err, ERR_LIMIT, "out of memory for reading %zu bytes of the log", want);
			}
		}
		w->uid = 0;
		if (io_read(seg->file, off, w->ptr, want, &w->len, err))
			return -1;
		w->uid = seg->uid;
		w->off = off;
	}
	*ret = w->ptr + (off - w->off);
	*ret_len = (size_t)(w->off + w->len - off);
	return 0;
}

int segment_frame(struct segment *seg, uint64_t pos, uint64_t off, uint64_t limit, size_t ahead, struct window *w, struct frame *ret,
	struct view *ret_payload, struct err *err)
{
	const uint8_t *p;
	struct frame f;
	size_t got, pad;

	if (window_fill(w, seg, off, FRAME_HEADER + BATCH_PREFIX, ahead, limit, &p, &got, err))
		return -1;
	if (got < FRAME_HEADER)
		return corrupt(seg, off, err, "the file ends where a frame should be");
	if (!frame_get(p, &f) || f.pos != pos)
		return corrupt(seg, off, err, "there is no frame");
	if (frame_size(f.len) > limit - off)
		return corrupt(seg, off, err, "frame of %u bytes goes beyond the end", f.len);
	if (window_fill(w, seg, off, (size_t)frame_size(f.len), ahead, limit, &p, &got, err))
		return -1;
	if (got < FRAME_HEADER + f.len)
		return corrupt(seg, off, err, "the file ends within a frame");
	for (pad = FRAME_HEADER + f.len; pad < frame_size(f.len) && pad < got; pad++)
		if (p[pad] && !(seg->log->set.test_bugs & LOG_BUG_SKIP_CRC))
			return corrupt(seg, off, err, "bytes that fill the frame up are not zero");
	*ret_payload = view_of(p + FRAME_HEADER, f.len);
	*ret = f;
	if (seg->log->set.test_bugs & LOG_BUG_SKIP_CRC)
		return 0;
	if (!frame_crc_good(p, &f, p + FRAME_HEADER))
		return corrupt(seg, off, err, "frame does not match its checksum");
	if (f.type == FRAME_BATCH && (f.len < 61 || crc32c(0, p + FRAME_HEADER + 21, f.len - 21) != get_be32(p + FRAME_HEADER + 17)))
		return corrupt(seg, off, err, "record batch does not match its checksum");
	return 0;
}

int frame_offset(struct segment *seg, const struct index *ix, uint64_t pos, uint64_t *ret_off, struct err *err)
{
	uint64_t lo = 0, hi;

	if (!seg->rewritten) {
		*ret_off = pos - seg->base;
		return 0;
	}
	for (hi = ix->n_frames; lo < hi;) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (ix->frames[mid].pos < pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == ix->n_frames || ix->frames[lo].pos != pos)
		return corrupt(seg, seg->seal_off, err, "frame at position %llu is missing from the index", (unsigned long long)pos);
	*ret_off = ix->frames[lo].off;
	return 0;
}

/* ---- indexes ---- */

int segment_read_seal(struct io_file *f, const struct segment *seg, struct buf *into, struct err *err)
{
	uint8_t header[FRAME_HEADER];
	struct frame fr;
	uint8_t *to;
	size_t got;

	if (io_read(f, seg->seal_off, header, sizeof(header), &got, err))
		return -1;
	if (got < sizeof(header) || !frame_get(header, &fr) || fr.type != FRAME_SEAL || fr.len < SEAL_FIXED)
		return corrupt(seg, seg->seal_off, err, "there is no index");
	to = buf_reserve(into, fr.len);
	if (!to)
		return corrupt(seg, seg->seal_off, err, "index of %u bytes is too large", fr.len);
	if (io_read(f, seg->seal_off + FRAME_HEADER, to, fr.len, &got, err))
		return -1;
	if (got < fr.len || fr.pos != (seg->rewritten ? seg->end - 8 : seg->base + seg->seal_off) || !frame_crc_good(header, &fr, to))
		return corrupt(seg, seg->seal_off, err, "index does not match its checksum");
	into->len += fr.len;
	return 0;
}

void segment_summary(struct segment *seg, const struct index *ix)
{
	uint32_t i;

	if (ix->n_units) {
		seg->first_seq = ix->units[0].seq;
		seg->last_seq = ix->units[ix->n_units - 1].seq;
	}
	seg->last_time_us = ix->last_time_us;
	seg->min_pos = ix->min_pos;
	seg->batch_bytes = 0;
	for (i = 0; i < ix->n_parts; i++)
		seg->batch_bytes += ix->parts[i].bytes;
}

void index_evict(struct log *log)
{
	while (log->index_bytes > log->set.index_cache_bytes) {
		struct segment *oldest = NULL;
		uint32_t i;

		for (i = 0; i < log->n_segs; i++) {
			struct segment *s = log->segs[i];

			if (s->index && s->written && s->index->refs == 1 && s->index_used < log->index_clock &&
			    (!oldest || s->index_used < oldest->index_used))
				oldest = s;
		}
		if (!oldest)
			return;
		log->index_bytes -= oldest->index->bytes.cap;
		index_unref(oldest->index);
		oldest->index = NULL;
	}
}

struct index *segment_index(struct segment *seg, struct err *err)
{
	struct log *log = seg->log;
	struct buf bytes = BUF_INIT(FRAME_MAX);
	struct index *ix;
	int rc;

	if (!seg->index) {
		lock_drop(&log->lock);
		rc = segment_read_seal(seg->file, seg, &bytes, err);
		ix = rc ? NULL : index_load(&bytes);
		if (!rc && !ix)
			corrupt(seg, seg->seal_off, err, "index is malformed");
		buf_release(&bytes);
		lock_take(&log->lock);
		if (!ix)
			return NULL;
		if (seg->index)
			index_unref(ix); /* another thread was faster */
		else {
			seg->index = ix;
			log->index_bytes += ix->bytes.cap;
		}
	}
	seg->index_used = ++log->index_clock;
	seg->index->refs++;
	index_evict(log);
	return seg->index;
}
