/*
 * Rewriting a run of closed files into one that holds only what lives; see retain.c for when, and for what happens at a crash. The
 * sweeper's thread. Frames keep their bytes and positions; the new file's SEAL says where each of them now is.
 */
#include "log/log_int.h"

enum { OUT_SIZE = 1 << 20, FRAMES_MAX = 4 << 20 };

struct rewrite {
	struct log *log;
	struct segment **run;
	uint32_t n;
	struct segment *to;
	struct io_file *file;
	struct index *ix;
	struct buf out;          /* not written yet */
	uint64_t off;            /* in the file, of out's start */
	struct window w;
	uint64_t whole;          /* log->whole_seq at the beginning */
};

static int out_write(struct rewrite *r, struct err *err)
{
	if (!buf_ok(&r->out))
		return err_set(err, ERR_LIMIT, "out of memory for rewriting the log");
	if (r->out.len && io_write(r->file, r->off, r->out.ptr, r->out.len, err))
		return -1;
	r->off += r->out.len;
	buf_clear(&r->out);
	return 0;
}

static void put_padded(struct rewrite *r, const uint8_t header[FRAME_HEADER], struct view payload)
{
	static const uint8_t zero[8];

	buf_put(&r->out, header, FRAME_HEADER);
	buf_putv(&r->out, payload);
	buf_put(&r->out, zero, (8 - payload.len % 8) % 8);
}

static int keep(struct rewrite *r, struct frame *f, struct view payload, struct err *err)
{
	struct index *ix = r->ix;
	uint8_t header[FRAME_HEADER];

	if (ix->n_frames == ix->cap_frames) {
		ix->cap_frames = ix->cap_frames ? ix->cap_frames * 2 : 64;
		ix->frames = mem_realloc(ix->frames, ix->cap_frames * sizeof(*ix->frames));
	}
	ix->frames[ix->n_frames++] = (struct frame_ref){f->pos, r->off + r->out.len};
	frame_put(header, f, payload.ptr);
	put_padded(r, header, payload);
	return r->out.len >= OUT_SIZE ? out_write(r, err) : 0;
}

static bool entry_lives(struct log *log, uint32_t part, const struct entry *e)
{
	struct part *p;
	bool lives;

	lock_take(&log->lock);
	p = part_get(log, part);
	lives = p && e->base + e->count > p->start;
	lock_drop(&log->lock);
	return lives;
}

/* A COMMIT stays, as it was, when anything that it names does, or retention has not come to it yet (a unit without batches, or with
 * those of deleted topics only); the index gets what lives. */
static int do_commit(struct rewrite *r, struct frame *f, struct view payload, struct err *err)
{
	struct commit c;
	struct entry e;
	uint32_t i, part;
	bool any;

	if (!commit_get(payload, &c))
		return corrupt(r->run[0], 0, err, "commit record at position %llu is malformed", (unsigned long long)f->pos);
	any = c.seq >= r->whole;
	for (i = 0; i < c.n_entries; i++) {
		commit_entry_get(&c, i, &part, &e);
		if (!entry_lives(r->log, part, &e))
			continue;
		index_add(r->ix, part, &e);
		any = true;
	}
	if (!any)
		return 0;
	index_add_unit(r->ix, c.seq, f->pos, c.time_us);
	return keep(r, f, payload, err);
}

static int do_batch(struct rewrite *r, struct frame *f, struct view payload, struct err *err)
{
	struct entry e;
	int rc;

	lock_take(&r->log->lock);
	rc = entry_find(r->log, f->part, (int64_t)get_be64(payload.ptr), &e, err);
	lock_drop(&r->log->lock);
	if (rc <= 0)
		return rc;
	return e.pos == f->pos ? keep(r, f, payload, err) : 0; /* else of a unit that was never closed */
}

static int do_segment(struct rewrite *r, struct segment *seg, struct err *err)
{
	uint64_t off = FILE_HEADER;
	uint8_t header[FRAME_HEADER];
	struct view payload;
	struct frame f;
	size_t got;

	while (off < seg->seal_off) {
		if (seg->rewritten) {
			/* positions have gaps here: take the frame's own word for it, its checksum stands behind it */
			if (io_read(seg->file, off, header, sizeof(header), &got, err))
				return -1;
			if (got < sizeof(header) || !frame_get(header, &f))
				return corrupt(seg, off, err, "there is no frame");
		} else {
			f.pos = seg->base + off;
		}
		if (segment_frame(seg, f.pos, off, seg->seal_off, OUT_SIZE, &r->w, &f, &payload, err))
			return -1;
		if ((f.type == FRAME_BATCH && do_batch(r, &f, payload, err)) || (f.type == FRAME_COMMIT && do_commit(r, &f, payload, err)))
			return -1;
		off += frame_size(f.len);
	}
	return 0;
}

static int finish_file(struct rewrite *r, struct err *err)
{
	struct segment *first = r->run[0], *last = r->run[r->n - 1];
	struct file_header h = {.base = first->base, .end = last->end, .prev_base = first->prev_base, .prev_seal = first->prev_seal};
	struct frame f = {.type = FRAME_SEAL, .pos = last->end - 8};
	struct buf seal = BUF_INIT(FRAME_MAX);
	uint8_t header[FRAME_HEADER], head[FILE_HEADER];
	int rc = -1;

	index_seal(r->ix, &seal);
	if (!buf_ok(&seal) || out_write(r, err)) {
		if (!buf_ok(&seal))
			err_set(err, ERR_LIMIT, "out of memory for rewriting the log");
		goto out;
	}
	f.len = (uint32_t)seal.len;
	frame_put(header, &f, seal.ptr);
	h.seal_off = r->to->seal_off = r->off;
	put_padded(r, header, buf_view(&seal));
	memcpy(h.log_id, r->log->id, 16);
	h.mark = last->end;
	file_header_put(head, &h);
	if (out_write(r, err) || io_write(r->file, 0, head, sizeof(head), err) || io_sync(r->file, err))
		goto out;
	r->to->used = r->to->allocated = r->off;
	r->to->seal_len = r->off - r->to->seal_off;
	rc = 0;
out:
	buf_release(&seal);
	return rc;
}

/* The new segment takes the run's place; with the lock. */
static void put_in_place(struct rewrite *r, uint32_t first)
{
	struct log *log = r->log;
	uint32_t i, k, m, to;

	for (i = 0; i < log->cap_parts; i++) {
		struct part *p = log->parts[i];
		bool joined = false;

		for (k = to = 0; p && k < p->n_extents; k++) {
			struct extent x = p->extents[k];

			for (m = 0; m < r->n && x.seg != r->run[m]; m++)
				;
			if (m < r->n && joined) {
				p->extents[to - 1].end = x.end;
				p->extents[to - 1].bytes += x.bytes;
				if (x.max_time_ms > p->extents[to - 1].max_time_ms)
					p->extents[to - 1].max_time_ms = x.max_time_ms;
				continue;
			}
			if (m < r->n)
				x.seg = r->to;
			joined = m < r->n;
			p->extents[to++] = x;
		}
		if (p)
			p->n_extents = to;
	}
	log->segs[first] = segment_ref(r->to);
	memmove(log->segs + first + 1, log->segs + first + r->n, (log->n_segs - first - r->n) * sizeof(struct segment *));
	log->n_segs -= r->n - 1;
	log->stats.rewritten_segments += r->n;
	for (i = 0; i < r->n; i++)
		segment_unref(log, r->run[i]); /* the list's; the run has one more */
}

static int swap_files(struct rewrite *r, uint32_t first, const char *tmp, struct err *err)
{
	struct log *log = r->log;
	struct buf path = BUF_INIT(1 << 16);
	uint32_t i;
	int rc = -1;

	segment_path(r->run[0], &path);
	if (io_rename(log->io, tmp, (const char *)path.ptr, err) || io_sync_dir(log->io, log->dir, err))
		goto out;
	lock_take(&log->lock);
	put_in_place(r, first);
	lock_drop(&log->lock);
	for (i = r->n - 1; i > 0; i--) {
		segment_path(r->run[i], &path);
		if (io_unlink(log->io, (const char *)path.ptr, err))
			goto out;
	}
	rc = r->n > 1 ? io_sync_dir(log->io, log->dir, err) : 0;
out:
	if (rc)
		log_fail(log, err); /* which of the files is there is not known any longer */
	buf_release(&path);
	return rc;
}

static int make_file(struct rewrite *r, const char *tmp, struct err *err)
{
	uint32_t i;

	if (io_open(r->log->io, tmp, IO_READ | IO_WRITE | IO_CREATE | IO_TRUNCATE, &r->file, err))
		return -1;
	for (i = 0; i < r->n; i++)
		if (do_segment(r, r->run[i], err))
			return -1;
	return finish_file(r, err);
}

int rewrite_run(struct log *log, uint32_t first, uint32_t n, struct err *err)
{
	struct rewrite r = {.log = log, .n = n, .ix = index_new(), .out = BUF_INIT(FRAME_MAX), .off = FILE_HEADER};
	struct buf tmp = BUF_INIT(1 << 16);
	struct err ignored = ERR_INIT;
	uint32_t i;
	int rc;

	r.run = mem_alloc(n * sizeof(struct segment *));
	lock_take(&log->lock);
	for (i = 0; i < n; i++)
		r.run[i] = segment_ref(log->segs[first + i]);
	r.to = segment_new(log, r.run[0]->base);
	r.whole = log->whole_seq;
	lock_drop(&log->lock);
	r.to->end = r.run[n - 1]->end;
	r.to->prev_base = r.run[0]->prev_base;
	r.to->prev_seal = r.run[0]->prev_seal;
	r.to->rewritten = r.to->written = true;
	r.to->last_seq = r.run[n - 1]->last_seq;
	r.to->first_seq = r.to->last_seq + 1;
	buf_printf(&tmp, "%s/rewrite.tmp", log->dir);
	rc = make_file(&r, buf_cstr(&tmp), err);
	if (rc) {
		io_close(r.file);
		if (io_unlink(log->io, (const char *)tmp.ptr, &ignored))
			err_clear(&ignored); /* the next start removes it */
	} else {
		r.to->file = r.file;
		segment_summary(r.to, r.ix);
		r.to->last_seq = r.run[n - 1]->last_seq;
		r.to->last_time_us = r.run[n - 1]->last_time_us;
		rc = swap_files(&r, first, (const char *)tmp.ptr, err);
	}
	lock_take(&log->lock);
	segment_unref(log, r.to);
	for (i = 0; i < n; i++) {
		r.run[i]->removed = rc == 0;
		segment_unref(log, r.run[i]);
	}
	index_unref(r.ix);
	lock_drop(&log->lock);
	window_release(&r.w);
	buf_release(&r.out);
	buf_release(&tmp);
	mem_free(r.run);
	return rc;
}
