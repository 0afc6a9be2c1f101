/*
 * Opening a log that may have been cut off at any point. One thread, before any other knows the log.
 *
 * What can be on the disk after a crash: of everything written since the last completed sync, each 512-byte sector, each file's size and
 * each new name may be there or not, in any combination. What was synced is there unless the disk lies. The rules:
 *
 *   1 Files are put in order by their names; what a rewrite left over is recognised by the rewritten file's range and removed.
 *   2 The last file with a good header and a good STATE is where the state starts; the files before are known by their SEALs. A SEAL
 *     that is not good is built again from its file.
 *   3 The last file's frames are read in order up to the first that is not good, at position E. A unit exists if its COMMIT was
 *     reached: everything it names lies before it and was read too, or lies in an earlier file: from the highest mark M on, those are
 *     read as well.
 *   4 Whatever is not good at a position P is damage, and stops the start, when a mark above P is found in any good frame or header,
 *     also behind P: P had been durable then. Else P is the torn end: everything from P on was never acknowledged, and is removed.
 *   5 What was kept from M on is written again and synced before anything is appended: it may be in memory only, left there by a failed
 *     sync.
 *
 * Nothing on the disk is changed before rules 1 to 4 have come to an end without error, but for an index that is built again: the same
 * bytes in the same place. Each change leaves a state to which the same rules apply, so a crash during recovery is a crash like any other:
 * files go from the last to the first, each followed by a sync of the directory, then the tail is cut and synced.
 */
#include <stdio.h>
#include <stdlib.h>

#include "log/log_int.h"

struct rec_file {
	uint64_t base, size;
	struct file_header h;
	bool good, leftover;
	struct io_file *file;
};

struct rec {
	struct log *log;
	struct rec_file *files;   /* by base; leftovers taken out */
	uint32_t n, all;          /* kept; also those behind the cut */
	uint64_t *leftovers;
	uint32_t n_leftovers;
	char **tmp;               /* names of files that hold nothing */
	uint32_t n_tmp;
	uint64_t mark;            /* M */
	uint64_t cut;             /* offset in the last file at which it ends */
	bool dirty_tail;          /* something but zeroes behind it */
	struct buf path;
	struct err err;           /* of the listing */
};

static const char *path_of(struct rec *r, uint64_t base)
{
	char name[32];

	segment_name(name, base);
	buf_clear(&r->path);
	buf_printf(&r->path, "%s/%s", r->log->dir, name);
	return buf_cstr(&r->path);
}

/* ---- rule 1: the files ---- */

static int list_one(void *arg, const char *name)
{
	struct rec *r = arg;
	uint64_t base;

	if (segment_name_parse(name, &base)) {
		r->files = mem_realloc(r->files, (r->all + 1) * sizeof(*r->files));
		r->files[r->all++] = (struct rec_file){.base = base};
	} else if (strcmp(name, "rewrite.tmp") == 0 || spare_is_name(name)) {
		r->tmp = mem_realloc(r->tmp, (r->n_tmp + 1) * sizeof(char *));
		r->tmp[r->n_tmp++] = mem_strdup(name);
	}
	return 0;
}

static int base_cmp(const void *a, const void *b)
{
	uint64_t x = ((const struct rec_file *)a)->base, y = ((const struct rec_file *)b)->base;

	return x < y ? -1 : x > y;
}

static int open_files(struct rec *r, struct err *err)
{
	uint8_t header[FILE_HEADER];
	size_t got;
	uint32_t i, k = 0;
	uint64_t covered = 0;

	if (io_list(r->log->io, r->log->dir, list_one, r, err))
		return -1;
	if (r->all)
		qsort(r->files, r->all, sizeof(*r->files), base_cmp);
	r->leftovers = mem_alloc((r->all + 1) * sizeof(*r->leftovers));
	for (i = 0; i < r->all; i++) {
		struct rec_file f = r->files[i];

		if (f.base < covered) {
			r->leftovers[r->n_leftovers++] = f.base;
			continue;
		}
		if (io_open(r->log->io, path_of(r, f.base), IO_READ | IO_WRITE, &f.file, err))
			goto fail;
		if (io_size(f.file, &f.size, err) || io_read(f.file, 0, header, FILE_HEADER, &got, err)) {
			io_close(f.file);
			goto fail;
		}
		f.good = got == FILE_HEADER && file_header_get(header, &f.h) && f.h.base == f.base;
		if (f.good && f.h.end)
			covered = f.h.end;
		r->files[k++] = f;
	}
	r->n = r->all = k;
	return 0;
fail:
	r->all = k;
	return -1;
}

/* ---- rule 4 ---- */

static struct segment *make_segment(struct rec *r, uint32_t i)
{
	struct rec_file *f = &r->files[i];
	struct segment *seg = segment_new(r->log, f->base);

	seg->file = f->file;
	seg->allocated = f->size;
	if (f->good) {
		seg->prev_base = f->h.prev_base;
		seg->prev_seal = f->h.prev_seal;
		seg->rewritten = f->h.end != 0;
	}
	return seg;
}

/* The highest mark at or behind offset `off` of file i, and in the files after it. */
static int marks_behind(struct rec *r, uint32_t i, uint64_t off, uint64_t *ret, bool *ret_zero, struct err *err)
{
	uint64_t mark;
	bool zero = true;
	int rc = 0;

	*ret = 0;
	for (; i < r->all && !rc; i++, off = 0) {
		struct segment *seg = make_segment(r, i);
		struct scan s;

		if (off == 0 && r->files[i].good && r->files[i].h.mark > *ret)
			*ret = r->files[i].h.mark;
		scan_begin(&s, seg, r->files[i].size, off);
		rc = scan_marks(&s, &mark, off ? &zero : NULL, err);
		if (off && ret_zero)
			*ret_zero = zero;
		if (mark > *ret)
			*ret = mark;
		scan_end(&s);
		seg->file = NULL;
		segment_unref(r->log, seg);
	}
	return rc;
}

/* What a good file i that does not follow the one before it says of what is missing: it begins here at the latest. */
static uint64_t missing_from(const struct rec_file *f)
{
	return f->good && f->h.prev_base < f->base ? f->h.prev_base : f->base;
}

/*
 * Position base+off of file i is not good, or for off 0 the file does not follow the one before: -1 with the error when it had been
 * durable, else 0.
 */
static int must_be_torn(struct rec *r, uint32_t i, uint64_t off, const char *what, bool *ret_zero, struct err *err)
{
	uint64_t mark, pos = off ? r->files[i].base + off : missing_from(&r->files[i]);
	struct segment *seg;

	if (marks_behind(r, i, off, &mark, ret_zero, err))
		return -1;
	if (r->mark > mark)
		mark = r->mark;
	if ((mark <= pos && (i || off || r->files[i].base == 0)) || r->log->set.test_bugs & LOG_BUG_CUT_DAMAGE)
		return 0;
	seg = make_segment(r, i);
	corrupt(seg, off, err, "%s", what);
	seg->file = NULL;
	segment_unref(r->log, seg);
	return -1;
}

static int check_chain(struct rec *r, struct err *err)
{
	uint32_t i;

	for (i = 0; i < r->n; i++) {
		struct rec_file *f = &r->files[i], *before = i ? f - 1 : NULL;
		bool joined = !before || (before->h.end ? before->h.end == f->base : f->h.prev_base == before->base);

		if (f->good && i && memcmp(f->h.log_id, r->files[0].h.log_id, 16) != 0)
			f->good = false;
		if (f->good && joined)
			continue;
		if (must_be_torn(r, i, 0, f->good ? "the file before it is missing" : "bad file header", NULL, err))
			return -1;
		r->n = i;
	}
	return 0;
}

/* ---- rule 2: state and indexes ---- */

/* Builds the index of a closed file again and puts it where it was. The bytes are the same as they were. */
static int rebuild_index(struct rec *r, struct segment *seg, uint64_t size, struct err *err)
{
	struct frame f = {.type = FRAME_SEAL, .pos = seg->base + seg->seal_off};
	struct index *ix = index_new();
	struct buf b = BUF_INIT(FRAME_MAX);
	uint8_t header[FRAME_HEADER];
	struct scan s;
	int rc = -1;

	scan_begin(&s, seg, size, FILE_HEADER);
	if (seg->rewritten) {
		corrupt(seg, seg->seal_off, err, "index does not match its checksum");
		goto out;
	}
	if (scan_index(&s, ix, seg->seal_off, err))
		goto out;
	index_seal(ix, &b);
	wm_assert(buf_ok(&b));
	f.len = (uint32_t)b.len;
	if (frame_size(f.len) != seg->end - seg->base - seg->seal_off) {
		corrupt(seg, seg->seal_off, err, "index cannot be built again");
		goto out;
	}
	frame_put(header, &f, b.ptr);
	if (io_write(seg->file, seg->seal_off, header, sizeof(header), err) ||
	    io_write(seg->file, seg->seal_off + FRAME_HEADER, b.ptr, b.len, err) || io_sync(seg->file, err))
		goto out;
	segment_summary(seg, ix);
	r->log->recovery.rebuilt_indexes++;
	rc = 0;
out:
	scan_end(&s);
	index_unref(ix);
	buf_release(&b);
	return rc;
}

static void add_extents(struct log *log, struct segment *seg, const struct index *ix)
{
	uint32_t i;

	for (i = 0; i < ix->n_parts; i++) {
		const struct index_part *ip = &ix->parts[i];
		struct part *p = part_get(log, ip->part);

		if (p && ip->end > p->start)
			part_add_entry(p, seg, ip->begin, ip->end, ip->max_time_ms, ip->bytes);
	}
}

static int load_closed(struct rec *r, uint32_t i, struct err *err)
{
	struct segment *seg = r->log->segs[i];
	struct rec_file *f = &r->files[i];
	struct buf b = BUF_INIT(FRAME_MAX);
	struct err why = ERR_INIT;
	struct index *ix = NULL;
	int rc = -1;

	seg->written = true;
	seg->last_seq = i ? r->log->segs[i - 1]->last_seq : 0;
	seg->first_seq = seg->last_seq + 1;
	if (!segment_read_seal(seg->file, seg, &b, &why))
		ix = index_load(&b);
	else if (why.code != ERR_CORRUPT) {
		*err = why;
		goto out;
	}
	if (!ix) {
		buf_release(&b);
		b = BUF_INIT(FRAME_MAX);
		if (rebuild_index(r, seg, f->size, err) || segment_read_seal(seg->file, seg, &b, err))
			goto out;
		ix = index_load(&b);
		if (!ix) {
			corrupt(seg, seg->seal_off, err, "index cannot be built again");
			goto out;
		}
	}
	if (ix->n_units && (ix->units[0].seq < seg->first_seq || ix->units[ix->n_units - 1].seq >= r->log->next_seq)) {
		corrupt(seg, seg->seal_off, err, "the index has units of other files");
		goto out;
	}
	segment_summary(seg, ix);
	add_extents(r->log, seg, ix);
	rc = 0;
out:
	index_unref(ix);
	buf_release(&b);
	return rc;
}

/* ---- rule 3: the last file ---- */

static void forget(struct rec *r)
{
	struct log *log = r->log;

	while (log->n_segs) {
		struct segment *seg = log->segs[--log->n_segs];

		seg->file = NULL; /* stays in r->files */
		segment_unref(log, seg);
	}
	state_release(log);
	log->next_seq = log->next_unit = log->whole_seq = 1;
	log->durable_seq = 0;
}

/* 1: the last file is not usable and was dropped; 0: its state is applied, *ret_off is behind it. */
static int read_state(struct rec *r, uint64_t *ret_off, struct err *err)
{
	uint32_t last = r->n - 1;
	struct segment *seg = r->log->segs[last];
	struct window w = {0};
	struct err why = ERR_INIT;
	struct view payload;
	struct frame f;
	int rc = -1;

	if (seg->rewritten) {
		corrupt(seg, 0, err, "the file after it is missing");
		goto out;
	}
	if (segment_frame(seg, seg->base + FILE_HEADER, FILE_HEADER, r->files[last].size, 0, &w, &f, &payload, &why) || f.type != FRAME_STATE) {
		if (why.code && why.code != ERR_CORRUPT)
			*err = why;
		else if (!must_be_torn(r, last, FILE_HEADER, "bad state", NULL, err)) {
			r->n--;
			rc = 1;
		}
		goto out;
	}
	if (state_apply(r->log, payload, true, err))
		goto out;
	*ret_off = FILE_HEADER + frame_size(f.len);
	rc = 0;
out:
	window_release(&w);
	return rc;
}

/* Files before the last that are not known to be durable to their ends: 1 when one of them is torn and is the last now. */
static int check_before(struct rec *r, struct err *err)
{
	struct log *log = r->log;
	uint32_t i;

	for (i = r->n - 1; i > 0 && log->segs[i]->base > r->mark; i--)
		;
	for (; i + 1 < r->n; i++) {
		struct segment *seg = log->segs[i];
		uint64_t from = r->mark > seg->base ? r->mark - seg->base : FILE_HEADER, off;
		struct scan s;

		if (seg->rewritten)
			continue; /* made of durable files only */
		scan_begin(&s, seg, r->files[i].size, from);
		off = from < seg->seal_off ? scan_check(&s, seg->seal_off) : seg->seal_off;
		scan_end(&s);
		if (off == seg->seal_off)
			continue;
		if (must_be_torn(r, i, off, s.why.text, NULL, err))
			return -1;
		r->n = i + 1;
		return 1;
	}
	return 0;
}

/* One attempt with the files 0..n-1: 1 when n became smaller. */
static int load(struct rec *r, struct err *err)
{
	struct log *log = r->log;
	struct segment *last;
	struct scan s;
	uint32_t i;
	uint64_t off, mark;
	int rc;

	for (i = 0; i < r->n; i++) {
		struct segment *seg = make_segment(r, i);

		segment_append(log, seg);
		if (i + 1 == r->n)
			break;
		seg->end = r->files[i + 1].base;
		seg->seal_off = seg->rewritten ? r->files[i].h.seal_off : r->files[i + 1].h.prev_seal - seg->base;
		seg->used = seg->rewritten ? r->files[i].size : seg->end - seg->base;
		if (seg->seal_off < FILE_HEADER || seg->seal_off + FRAME_HEADER > seg->used)
			return corrupt(seg, seg->seal_off, err, "the index cannot be here");
	}
	last = log->segs[r->n - 1];
	rc = read_state(r, &off, err);
	if (!rc)
		rc = marks_behind(r, r->n - 1, 0, &mark, NULL, err);
	if (rc)
		return rc;
	r->mark = mark > r->mark ? mark : r->mark;
	rc = check_before(r, err);
	if (rc)
		return rc;
	for (i = 0; i + 1 < r->n; i++)
		if (load_closed(r, i, err))
			return -1;
	last->index = index_new();
	last->first_seq = log->next_seq;
	last->last_seq = log->next_seq - 1;
	last->head_end = last->base + off;
	scan_begin(&s, last, r->files[r->n - 1].size, off);
	s.next_unit = log->next_unit;
	rc = scan_apply(&s, err);
	r->cut = s.off;
	log->next_unit = s.next_unit;
	log->last_data = s.last_data;
	log->recovery.scanned_bytes += s.off;
	log->recovery.dropped_batches = s.n_batches - s.committed;
	scan_end(&s);
	if (rc)
		return -1;
	if (must_be_torn(r, r->n - 1, r->cut, s.sealed ? "the file goes on behind its end" : s.why.text, &r->dirty_tail, err))
		return -1;
	r->dirty_tail = !r->dirty_tail;
	return 0;
}

/* Every partition's offsets are there, from its start to its end, without a gap. */
static int check_extents(struct log *log, struct err *err)
{
	uint32_t i, k;

	for (i = 0; i < log->cap_parts; i++) {
		struct part *p = log->parts[i];
		int64_t at = p ? p->start : 0;

		for (k = 0; p && k < p->n_extents; k++) {
			if (p->extents[k].first > at || (k && p->extents[k].first != at))
				break;
			at = p->extents[k].end;
		}
		if (p && at < p->closed)
			return err_set(err, ERR_CORRUPT, "log \"%s\" has lost offsets %lld and on of topic \"%s\", partition %u: a file is missing",
			    log->dir,
			    (long long)at, p->topic->name, p->index);
	}
	return 0;
}

/* ---- making it so on the disk ---- */

static int remove_file(struct rec *r, uint64_t base, struct err *err)
{
	return io_unlink(r->log->io, path_of(r, base), err) || io_sync_dir(r->log->io, r->log->dir, err) ? -1 : 0;
}

/* Rule 5 for one file. */
static int write_again(struct segment *seg, uint64_t from, uint64_t to, struct err *err)
{
	size_t room = to - from < 1 << 20 ? (size_t)(to - from) + 1 : 1 << 20, got;
	uint8_t *bytes = mem_alloc(room);
	int rc = -1;

	for (; from < to; from += got) {
		if (io_read(seg->file, from, bytes, to - from < room ? (size_t)(to - from) : room, &got, err))
			goto out;
		if (got == 0) {
			corrupt(seg, from, err, "the file became shorter");
			goto out;
		}
		if (io_write(seg->file, from, bytes, got, err))
			goto out;
	}
	rc = io_sync(seg->file, err);
out:
	mem_free(bytes);
	return rc;
}

static int settle(struct rec *r, struct err *err)
{
	struct log *log = r->log;
	struct segment *last = r->n ? log->segs[r->n - 1] : NULL;
	uint32_t i;

	for (i = r->all; i > r->n; i--) {
		log->recovery.cut_bytes += r->files[i - 1].size;
		if (remove_file(r, r->files[i - 1].base, err))
			return -1;
	}
	for (i = 0; i < r->n_leftovers; i++)
		if (remove_file(r, r->leftovers[i], err))
			return -1;
	for (i = 0; i < r->n_tmp; i++) {
		buf_clear(&r->path);
		buf_printf(&r->path, "%s/%s", log->dir, r->tmp[i]);
		if (io_unlink(log->io, buf_cstr(&r->path), err))
			return -1;
	}
	if (last && r->dirty_tail) {
		log->recovery.cut_bytes += last->allocated - r->cut;
		if (io_truncate(last->file, r->cut, err) || io_sync(last->file, err))
			return -1;
		last->allocated = r->cut;
	}
	for (i = 0; i < r->n; i++) {
		struct segment *seg = log->segs[i];
		uint64_t end = i + 1 < r->n ? seg->used : r->cut;

		if (seg->rewritten || seg->base + end <= r->mark || log->set.test_bugs & LOG_BUG_TRUST_CACHE)
			continue;
		if (write_again(seg, r->mark > seg->base ? r->mark - seg->base : 0, end, err))
			return -1;
	}
	return io_sync_dir(log->io, log->dir, err);
}

static int begin_if_needed(struct rec *r, struct err *err)
{
	struct log *log = r->log;
	struct segment *last = r->n ? log->segs[r->n - 1] : NULL;

	if (last)
		memcpy(log->id, r->files[0].h.log_id, 16);
	else
		io_random(log->io, log->id, 16);
	log->tail = last ? last->base + r->cut : 0;
	log->durable = log->written = log->tail;
	log->marked = r->mark;
	if (last)
		last->used = r->cut;
	if (last && !last->seal_off)
		return 0;
	if (last) {
		last->end = log->tail;
		last->seal_len = r->cut - last->seal_off;
		last->written = true;
		segment_summary(last, last->index);
		index_unref(last->index);
		last->index = NULL;
	}
	segment_begin(log);
	log->wanted = log->tail;
	flush_round(log);
	if (log->failed) {
		*err = log->failure;
		return -1;
	}
	return log->full ? err_set(err, ERR_NO_SPACE, "the disk of \"%s\" is full", log->dir) : 0;
}

int log_recover(struct log *log, struct err *err)
{
	struct rec r = {.log = log, .path = BUF_INIT(1 << 16)};
	uint32_t i;
	int rc = -1;

	if (open_files(&r, err) || check_chain(&r, err))
		goto out;
	while (r.n && (rc = load(&r, err)) == 1)
		forget(&r);
	if (r.n && rc)
		goto out;
	rc = -1;
	if (check_extents(log, err) || settle(&r, err))
		goto out;
	for (i = 0; i < r.n; i++)
		r.files[i].file = NULL; /* the segments' now */
	log->recovery.segments = r.n;
	rc = begin_if_needed(&r, err);
	if (!rc)
		goto out_ok;
out:
	for (i = 0; i < log->n_segs && i < r.n; i++)
		if (r.files[i].file)
			log->segs[i]->file = NULL;
out_ok:
	for (i = 0; i < r.all; i++)
		io_close(r.files[i].file);
	mem_free(r.files);
	mem_free(r.leftovers);
	for (i = 0; i < r.n_tmp; i++)
		mem_free(r.tmp[i]);
	mem_free(r.tmp);
	buf_release(&r.path);
	return rc;
}
