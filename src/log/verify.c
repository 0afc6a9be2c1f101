/*
 * Reading everything: what walmill topic verify-log and the tests call. Any thread, while the log is in use; looks at what is durable when
 * it begins. Goes on behind damage where it can, so that one report names all of it.
 */
#include "log/log_int.h"

#include <stdio.h>

enum { AHEAD = 1 << 20 };

struct verify {
	struct log *log;
	struct log_verify_report *ret;
	void (*found)(void *arg, const char *line);
	void *arg;
	struct window w;
	uint64_t last_seq;
	uint64_t durable;
	struct err first;        /* damage */
	uint64_t committed;      /* batches named by COMMITs */
	struct { int64_t end; bool seen; } *parts;
	uint32_t n_parts;
};

static void damage(struct verify *v, const struct err *e)
{
	if (v->ret->damaged++ == 0)
		v->first = *e;
	if (v->found)
		v->found(v->arg, e->text);
}

static void say(struct verify *v, const struct segment *seg, uint64_t off, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void say(struct verify *v, const struct segment *seg, uint64_t off, const char *fmt, ...)
{
	struct err e = ERR_INIT;
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	corrupt(seg, off, &e, "%s", what);
	damage(v, &e);
}

/* Is the batch where the COMMIT says? Only of batches that are still kept. */
static void check_entry(struct verify *v, const struct segment *seg, uint64_t at, uint32_t part, const struct entry *e)
{
	struct log *log = v->log;
	struct segment *in = NULL;
	struct window w = window_take(log);
	struct err err = ERR_INIT;
	struct entry found = {0};
	struct view payload;
	uint64_t off, limit;
	struct frame f;
	struct part *p;
	bool kept;
	int rc = 0;

	lock_take(&log->lock);
	p = part_get(log, part);
	kept = p && e->base >= p->start;
	if (kept) {
		rc = entry_find(log, part, e->base, &found, &err);
		if (rc == 1)
			rc = frame_locate(log, e->pos, &in, &off, &limit, &err);
		p = part_get(log, part);
		kept = p && e->base >= p->start;
	}
	lock_drop(&log->lock);
	if (kept && rc == 1 && found.pos != e->pos)
		say(v, seg, at, "the index has offset %lld of partition number %u at position %llu, the commit record at %llu",
		    (long long)e->base, part,
		    (unsigned long long)found.pos, (unsigned long long)e->pos);
	else if (kept && rc == 0)
		say(v, seg, at, "offset %lld of partition number %u is missing", (long long)e->base, part);
	else if (rc < 0)
		damage(v, &err);
	else if (kept && segment_frame(in, e->pos, off, limit, 0, &w, &f, &payload, &err))
		damage(v, &err);
	else if (kept && (f.type != FRAME_BATCH || f.part != part || (int64_t)get_be64(payload.ptr) != e->base || f.len != e->len))
		say(v, seg, at, "position %llu holds another batch than the commit record says", (unsigned long long)e->pos);
	lock_take(&log->lock);
	if (in)
		segment_unref(log, in);
	lock_drop(&log->lock);
	window_give(log, &w);
}

/* Retention has taken everything below `base`: a gap is no wonder then, where files were rewritten. */
static bool removed_to(struct log *log, uint32_t part, int64_t base)
{
	struct part *p;
	bool removed;

	lock_take(&log->lock);
	p = part_get(log, part);
	removed = !p || base <= p->start;
	lock_drop(&log->lock);
	return removed;
}

static void check_commit(struct verify *v, const struct segment *seg, uint64_t off, struct view payload)
{
	struct commit c;
	struct entry e;
	uint32_t i, part;

	if (!commit_get(payload, &c)) {
		say(v, seg, off, "commit record is malformed");
		return;
	}
	if (c.seq <= v->last_seq)
		say(v, seg, off, "unit %llu comes after unit %llu", (unsigned long long)c.seq, (unsigned long long)v->last_seq);
	v->last_seq = c.seq;
	v->ret->units++;
	for (i = 0; i < c.n_entries; i++) {
		commit_entry_get(&c, i, &part, &e);
		v->committed++;
		if (part >= v->n_parts)
			continue;
		if (v->parts[part].seen && v->parts[part].end != e.base && !removed_to(v->log, part, e.base))
			say(v, seg, off, "offsets of partition number %u go on at %lld instead of %lld", part, (long long)e.base,
			    (long long)v->parts[part].end);
		v->parts[part].seen = true;
		v->parts[part].end = e.base + e.count;
		check_entry(v, seg, off, part, &e);
	}
}

static void check_segment(struct verify *v, struct segment *seg)
{
	uint64_t end = seg->seal_off ? seg->seal_off : seg->used, off = FILE_HEADER;
	uint8_t header[FRAME_HEADER];
	struct err err = ERR_INIT;
	struct view payload;
	struct frame f;
	size_t got;

	if (seg->base + end > v->durable && !seg->rewritten)
		end = v->durable - seg->base;
	for (; off < end; off += frame_size(f.len)) {
		f.pos = seg->base + off;
		if (seg->rewritten && (io_read(seg->file, off, header, sizeof(header), &got, &err) || got < sizeof(header) || !frame_get(header,
		    &f))) {
			say(v, seg, off, "there is no frame");
			return;
		}
		if (segment_frame(seg, f.pos, off, end, AHEAD, &v->w, &f, &payload, &err)) {
			damage(v, &err);
			return; /* where the next frame begins is not known */
		}
		v->ret->frames++;
		v->ret->bytes += frame_size(f.len);
		v->ret->batches += f.type == FRAME_BATCH;
		if (f.type == FRAME_COMMIT)
			check_commit(v, seg, off, payload);
	}
}

static void check_head(struct verify *v, struct segment *seg)
{
	struct buf b = BUF_INIT(FRAME_MAX);
	uint8_t header[FILE_HEADER];
	struct err err = ERR_INIT;
	struct file_header h;
	struct index *ix;
	size_t got;

	if (io_read(seg->file, 0, header, sizeof(header), &got, &err))
		damage(v, &err);
	else if (got < sizeof(header) || !file_header_get(header, &h) || h.base != seg->base || memcmp(h.log_id, v->log->id, 16) != 0)
		say(v, seg, 0, "bad file header");
	if (seg->seal_off && seg->written) {
		ix = segment_read_seal(seg->file, seg, &b, &err) ? NULL : index_load(&b);
		if (!ix && err.code)
			damage(v, &err);
		else if (!ix)
			say(v, seg, seg->seal_off, "index is malformed");
		index_unref(ix);
	}
	buf_release(&b);
}

/* Each partition's commits reach its high watermark. */
static void check_ends(struct verify *v, struct segment *seg)
{
	uint32_t i;

	lock_take(&v->log->lock);
	for (i = 0; i < v->n_parts; i++) {
		struct part *p = part_get(v->log, i);
		bool whole = p && (p->n_extents == 0 || (v->parts[i].seen && v->parts[i].end > p->start) || p->start == p->high);

		if (p && !whole) {
			lock_drop(&v->log->lock);
			say(v, seg, 0, "no commit record of partition number %u is left", i);
			lock_take(&v->log->lock);
		}
	}
	lock_drop(&v->log->lock);
}

int log_verify(struct log *log, struct log_verify_report *ret, void (*found)(void *arg, const char *line), void *arg, struct err *err)
{
	struct verify v = {.log = log, .ret = ret, .found = found, .arg = arg};
	struct segment **segs;
	uint32_t n, i;

	*ret = (struct log_verify_report){0};
	lock_take(&log->lock);
	v.durable = log->durable;
	v.n_parts = log->cap_parts;
	n = log->n_segs;
	while (n && log->segs[n - 1]->base >= v.durable)
		n--;
	segs = mem_alloc((n + 1) * sizeof(*segs));
	for (i = 0; i < n; i++)
		segs[i] = segment_ref(log->segs[i]);
	lock_drop(&log->lock);
	v.parts = mem_zalloc((v.n_parts + 1) * sizeof(*v.parts));

	for (i = 0; i < n; i++) {
		check_head(&v, segs[i]);
		check_segment(&v, segs[i]);
	}
	if (n && !ret->damaged)
		check_ends(&v, segs[n - 1]);
	ret->segments = n;
	ret->dead_batches = ret->batches > v.committed ? ret->batches - v.committed : 0;

	lock_take(&log->lock);
	for (i = 0; i < n; i++)
		segment_unref(log, segs[i]);
	lock_drop(&log->lock);
	window_release(&v.w);
	mem_free(segs);
	mem_free(v.parts);
	if (!ret->damaged)
		return 0;
	*err = v.first;
	return -1;
}
