/*
 * Results: the rows of a statement by the target's key, what was written of them, and which keys may differ.
 *
 * Within a step a key may have any number of rows for a moment. When it ends, one row with weight 1 is the result, none means that the row
 * goes; anything else is two rows with one key, which makes the job fail until it is over.
 */
#include "base/mem.h"
#include "flow/flow_int.h"

/* rows beside the one: stored bytes -> weight, the weight kept in the entry's value pointer */
static int64_t weight_of(const struct kv_entry *e)
{
	return (int64_t)(intptr_t)e->value;
}

static bool is_single(const struct result *r)
{
	return !r->more;
}

static struct result *result_of(struct statement *s, struct view key)
{
	struct kv_entry *e = kv_put(&s->results, key);
	struct result *r = e->value;

	if (!r) {
		r = e->value = mem_zalloc(sizeof(*r));
		r->entry = e;
	}
	if (!r->dirty) {
		r->dirty = true;
		r->next_dirty = s->dirty;
		s->dirty = r;
		s->ndirty++;
	}
	return r;
}

static void drop_row(struct flow *f, struct result *r)
{
	f->blob_bytes -= blob_footprint(r->row);
	blob_drop(r->row);
	r->row = NULL;
}

static void set_row(struct flow *f, struct result *r, struct view stored)
{
	r->row = blob_new(stored);
	f->blob_bytes += blob_footprint(r->row);
}

static size_t more_bytes(const struct result *r)
{
	return r->more ? mem_footprint(sizeof(*r->more)) + r->more->bytes : 0;
}

static void add_weight(struct result *r, struct view stored, int64_t weight)
{
	struct kv_entry *e;

	if (!r->more)
		r->more = mem_zalloc(sizeof(*r->more));
	e = kv_put(r->more, stored);
	e->value = (void *)(intptr_t)(weight_of(e) + weight);
	if (weight_of(e) == 0)
		kv_remove(r->more, e);
}

/* Out of the usual: all rows of the key by weight, and back to one row when that is all there is. */
static void add_any(struct flow *f, struct result *r, struct view stored, int64_t weight)
{
	size_t pos = 0, before = more_bytes(r);
	struct kv_entry *e;

	if (r->row) {
		add_weight(r, blob_view(r->row), 1);
		drop_row(f, r);
	}
	add_weight(r, stored, weight);
	if (r->more->count == 1) {
		e = kv_next(r->more, &pos);
		if (weight_of(e) == 1) {
			set_row(f, r, view_of(e->key, e->len));
			kv_remove(r->more, e);
		}
	}
	if (r->more->count == 0) {
		kv_release(r->more);
		mem_free(r->more);
		r->more = NULL;
	}
	f->blob_bytes += more_bytes(r) - before;
}

int result_push(struct statement *s, struct flow *f, const struct value *row, int64_t weight, struct err *err)
{
	struct value *clean = arena_alloc(&f->scratch, (s->st->ncolumns + 1) * sizeof(*clean));
	struct buf key = BUF_INIT((size_t)1 << 30);
	bool was_single;
	struct result *r;
	uint32_t i;

	memcpy(clean, row, s->st->ncolumns * sizeof(*clean));
	for (i = 0; i < s->st->ncolumns; i++)
		if (s->st->is_write_time[i])
			clean[i] = value_null(VALUE_TIMESTAMPTZ);
	for (i = 0; i < s->key.n; i++)
		value_put_key(&key, &clean[s->key.columns[i]]);
	r = result_of(s, buf_view(&key));
	buf_release(&key);
	was_single = is_single(r);
	row_store(&f->rowbuf, clean, s->st->ncolumns);
	if (weight == -1 && r->row && !r->more && view_eq(blob_view(r->row), buf_view(&f->rowbuf)))
		drop_row(f, r);
	else if (weight == 1 && !r->row && !r->more)
		set_row(f, r, buf_view(&f->rowbuf));
	else
		add_any(f, r, buf_view(&f->rowbuf), weight);
	s->duplicates += (int64_t)was_single - (int64_t)is_single(r);
	return 0;
}

/* ---- reading out ---- */

static void load(
	struct flow *f, const struct statement *s, struct flow_cursor *c, struct view stored, bool row_too, struct flow_change *ret)
{
	struct value *row, *key;
	uint32_t i;

	arena_reset(&c->arena);
	row = arena_alloc(&c->arena, (s->st->ncolumns + 1) * sizeof(*row));
	key = arena_alloc(&c->arena, (s->key.n + 1) * sizeof(*key));
	row_load(stored, &c->arena, row, s->st->ncolumns);
	for (i = 0; i < s->key.n; i++)
		key[i] = row[s->key.columns[i]];
	ret->key = key;
	ret->row = row_too ? row : NULL;
}

static bool same(const struct blob *a, const struct blob *b)
{
	return a == b || (a && b && view_eq(blob_view(a), blob_view(b)));
}

/* c->pos is the address of the next dirty entry + 1 step: 0 = begin, 1 = end */
int flow_next_change(struct flow *f, uint32_t statement, struct flow_cursor *c, struct flow_change *ret)
{
	struct statement *s = &f->statements[statement];
	struct result *r = c->pos == 0 ? s->dirty : c->pos == 1 ? NULL : (struct result *)(uintptr_t)c->pos;

	for (; r; r = r->next_dirty) {
		if (same(r->row, r->written))
			continue;
		load(f, s, c, blob_view(r->row ? r->row : r->written), r->row != NULL, ret);
		c->pos = r->next_dirty ? (size_t)(uintptr_t)r->next_dirty : 1;
		return 1;
	}
	c->pos = 1;
	return 0;
}

void flow_cursor_release(struct flow_cursor *c)
{
	arena_release(&c->arena);
}

int flow_next_result(struct flow *f, uint32_t statement, struct flow_cursor *c, struct flow_change *ret)
{
	struct statement *s = &f->statements[statement];
	struct kv_entry *e;

	while ((e = kv_next(&s->results, &c->pos)) != NULL) {
		struct result *r = e->value;

		if (!r->row)
			continue;
		load(f, s, c, blob_view(r->row), true, ret);
		return 1;
	}
	return 0;
}

size_t flow_change_count(const struct flow *f)
{
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < f->job->nstatements; i++)
		n += f->statements[i].ndirty;
	return n;
}

void flow_written(struct flow *f)
{
	uint32_t i;

	for (i = 0; i < f->job->nstatements; i++) {
		struct statement *s = &f->statements[i];
		struct result *r, *next;

		for (r = s->dirty; r; r = next) {
			next = r->next_dirty;
			r->dirty = false;
			r->next_dirty = NULL;
			if (r->written != r->row) {
				blob_drop(r->written);
				r->written = r->row ? blob_ref(r->row) : NULL;
			}
			if (!r->row && !r->more) {
				kv_remove(&s->results, r->entry);
				mem_free(r);
			}
		}
		s->dirty = NULL;
		s->ndirty = 0;
	}
}

void results_release(struct statement *s)
{
	struct kv_entry *e;
	size_t pos = 0;

	while ((e = kv_next(&s->results, &pos)) != NULL) {
		struct result *r = e->value;

		blob_drop(r->row);
		blob_drop(r->written);
		if (r->more) {
			kv_release(r->more);
			mem_free(r->more);
		}
		mem_free(r);
	}
	kv_release(&s->results);
}
