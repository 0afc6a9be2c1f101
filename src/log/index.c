/*
 * Indexes of segments: in memory while the segment takes appends, then as the payload of its SEAL frame (layout in format.h), from
 * which they are loaded when somebody needs them. Dense: one entry for each batch and one for each unit. Under the log's lock, except for
 * an index that only its maker knows yet.
 */
#include "log/log_int.h"

struct index *index_new(void)
{
	struct index *ix = mem_zalloc(sizeof(*ix));

	ix->min_pos = POS_NONE;
	ix->refs = 1;
	ix->bytes = BUF_INIT(FRAME_MAX);
	return ix;
}

void index_unref(struct index *ix)
{
	uint32_t i;

	if (!ix || --ix->refs > 0)
		return;
	for (i = 0; i < ix->n_parts; i++)
		if (ix->parts[i].cap)
			mem_free(ix->parts[i].entries);
	mem_free(ix->parts);
	if (ix->cap_units)
		mem_free(ix->units);
	if (ix->cap_frames)
		mem_free(ix->frames);
	buf_release(&ix->bytes);
	mem_free(ix);
}

/* Where `part` is or would be. */
static uint32_t part_place(const struct index *ix, uint32_t part)
{
	uint32_t lo = 0, hi = ix->n_parts;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ix->parts[mid].part < part)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct index_part *index_part(const struct index *ix, uint32_t part)
{
	uint32_t i = part_place(ix, part);

	return i < ix->n_parts && ix->parts[i].part == part ? &ix->parts[i] : NULL;
}

bool index_accepts(const struct index *ix, uint32_t part, const struct entry *e)
{
	const struct index_part *p = index_part(ix, part);

	return e->base >= 0 && e->count > 0 && e->base <= INT64_MAX - e->count && (!p || e->base >= p->end);
}

void index_add(struct index *ix, uint32_t part, const struct entry *e)
{
	uint32_t i = part_place(ix, part);
	struct index_part *p;

	if (i == ix->n_parts || ix->parts[i].part != part) {
		if (ix->n_parts == ix->cap_parts) {
			ix->cap_parts = ix->cap_parts ? ix->cap_parts * 2 : 8;
			ix->parts = mem_realloc(ix->parts, ix->cap_parts * sizeof(*ix->parts));
		}
		memmove(&ix->parts[i + 1], &ix->parts[i], (ix->n_parts - i) * sizeof(*ix->parts));
		ix->n_parts++;
		ix->parts[i] = (struct index_part){.part = part, .begin = e->base, .max_time_ms = INT64_MIN};
	}
	p = &ix->parts[i];
	wm_assert(p->n == p->cap || p->cap > p->n);
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 4;
		p->entries = mem_realloc(p->entries, p->cap * sizeof(*p->entries));
	}
	wm_assert(p->n == 0 || e->base >= p->end);
	p->entries[p->n++] = *e;
	p->end = e->base + e->count;
	p->bytes += e->len;
	if (e->max_time_ms > p->max_time_ms)
		p->max_time_ms = e->max_time_ms;
	if (e->pos < ix->min_pos)
		ix->min_pos = e->pos;
}

void index_add_unit(struct index *ix, uint64_t seq, uint64_t pos, int64_t time_us)
{
	if (ix->n_units == ix->cap_units) {
		ix->cap_units = ix->cap_units ? ix->cap_units * 2 : 16;
		ix->units = mem_realloc(ix->units, ix->cap_units * sizeof(*ix->units));
	}
	wm_assert(ix->n_units == 0 || seq > ix->units[ix->n_units - 1].seq);
	ix->units[ix->n_units++] = (struct unit_ref){seq, pos};
	ix->last_time_us = time_us;
}

uint32_t index_find(const struct index_part *p, int64_t offset)
{
	uint32_t lo = 0, hi = p->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (p->entries[mid].base <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : 0;
}

uint32_t index_find_unit(const struct index *ix, uint64_t seq)
{
	uint32_t lo = 0, hi = ix->n_units;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ix->units[mid].seq < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void index_seal(const struct index *ix, struct buf *into)
{
	uint64_t first = 0;
	uint32_t i;

	for (i = 0; i < ix->n_parts; i++)
		first += ix->parts[i].n;
	buf_le32(into, ix->n_parts);
	buf_le32(into, ix->n_units);
	buf_le64(into, first);
	buf_le64(into, (uint64_t)ix->last_time_us);
	buf_le64(into, ix->min_pos);
	buf_le64(into, ix->n_frames);
	for (i = 0, first = 0; i < ix->n_parts; i++) {
		const struct index_part *p = &ix->parts[i];

		buf_le32(into, p->part);
		buf_le32(into, p->n);
		buf_le64(into, first);
		buf_le64(into, (uint64_t)p->begin);
		buf_le64(into, (uint64_t)p->end);
		buf_le64(into, p->bytes);
		buf_le64(into, (uint64_t)p->max_time_ms);
		first += p->n;
	}
	for (i = 0; i < ix->n_parts; i++)
		buf_put(into, ix->parts[i].entries, ix->parts[i].n * sizeof(struct entry));
	buf_put(into, ix->units, ix->n_units * sizeof(struct unit_ref));
	buf_put(into, ix->frames, ix->n_frames * sizeof(struct frame_ref));
}

/* The directory of parts; entries start at `entries`. False when it does not fit together. */
static bool load_parts(struct index *ix, struct reader *r, uint64_t n_entries)
{
	struct entry *entries;
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < ix->n_parts; i++) {
		struct index_part *p = &ix->parts[i];
		uint64_t first;

		p->part = reader_le32(r);
		p->n = reader_le32(r);
		first = reader_le64(r);
		p->begin = (int64_t)reader_le64(r);
		p->end = (int64_t)reader_le64(r);
		p->bytes = reader_le64(r);
		p->max_time_ms = (int64_t)reader_le64(r);
		if (first != sum || p->n == 0 || p->n > n_entries - sum || (i && p->part <= p[-1].part) || p->begin < 0 || p->end < p->begin)
			return false;
		sum += p->n;
	}
	if (sum != n_entries)
		return false;
	entries = (struct entry *)(void *)(ix->bytes.ptr + (r->ptr - ix->bytes.ptr));
	for (i = 0, sum = 0; i < ix->n_parts; i++) {
		ix->parts[i].entries = entries + sum;
		sum += ix->parts[i].n;
	}
	return reader_take(r, n_entries * sizeof(struct entry)) != NULL;
}

/* Searches rely on the order of both, and readers on positions that can be. */
static bool in_order(const struct index *ix)
{
	uint32_t i, k;

	for (i = 0; i < ix->n_parts; i++) {
		const struct index_part *p = &ix->parts[i];
		int64_t at = p->begin;

		for (k = 0; k < p->n; k++) {
			const struct entry *e = &p->entries[k];

			if (e->base < at || e->count == 0 || e->base > INT64_MAX - e->count)
				return false;
			at = e->base + e->count;
		}
		if (p->entries[0].base != p->begin || at != p->end)
			return false;
	}
	for (i = 1; i < ix->n_units; i++)
		if (ix->units[i].seq <= ix->units[i - 1].seq)
			return false;
	return ix->n_units == 0 || (ix->units[0].seq > 0 && ix->units[ix->n_units - 1].seq < UINT64_MAX);
}

struct index *index_load(struct buf *payload)
{
	struct index *ix = index_new();
	struct reader r;
	uint64_t n_entries, at;

	ix->bytes = *payload;
	*payload = BUF_INIT(payload->max);
	r = reader_of(buf_view(&ix->bytes));
	ix->n_parts = reader_le32(&r);
	ix->n_units = reader_le32(&r);
	n_entries = reader_le64(&r);
	ix->last_time_us = (int64_t)reader_le64(&r);
	ix->min_pos = reader_le64(&r);
	ix->n_frames = reader_le64(&r);
	/* each count against what is there, before anything is allocated by it */
	if (r.bad || ix->n_parts > reader_left(&r) / 48 || n_entries > reader_left(&r) / sizeof(struct entry) ||
	    ix->n_units > reader_left(&r) / sizeof(struct unit_ref) || ix->n_frames > reader_left(&r) / sizeof(struct frame_ref)) {
		ix->n_parts = 0;
		goto bad;
	}
	ix->parts = mem_zalloc((ix->n_parts + 1) * sizeof(*ix->parts));
	ix->cap_parts = ix->n_parts + 1;
	if (!load_parts(ix, &r, n_entries))
		goto bad;
	at = (uint64_t)(r.ptr - ix->bytes.ptr);
	ix->units = (struct unit_ref *)(void *)(ix->bytes.ptr + at);
	ix->frames = (struct frame_ref *)(void *)(ix->bytes.ptr + at + ix->n_units * sizeof(struct unit_ref));
	reader_take(&r, ix->n_units * sizeof(struct unit_ref));
	reader_take(&r, ix->n_frames * sizeof(struct frame_ref));
	if (reader_done(&r) && in_order(ix))
		return ix;
bad:
	index_unref(ix);
	return NULL;
}
