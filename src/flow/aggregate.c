/*
 * GROUP BY: a group per key, folded row by row, rendered when the step ends.
 *
 * A group's memory is one block: struct group, then each aggregate's state (flow/accum.h), or for min, max and DISTINCT a struct pointing
 * at a multiset. What a group passed on last is kept as a stored row, so that the end of a step passes on the old row taken away and the
 * new one added, and nothing at all where they are the same.
 */
#include "base/mem.h"
#include "flow/flow_int.h"

struct group {
	struct kv_entry *entry;
	struct group *next_touched;
	struct blob *keys;        /* group expressions' values, as first seen */
	struct blob *shown;       /* the output row that was passed on, or NULL */
	int64_t rows;
	bool touched;
	bool failed;              /* its result could not be rendered */
	uint8_t states[] __attribute__((aligned(16)));
};

/* State of an aggregate that needs to know its values one by one. */
struct values {
	struct ordered ordered;   /* min, max */
	struct kv seen;           /* DISTINCT: key bytes -> struct seen; feeds the accumulator or the ordered set with each value once */
};

struct seen {
	int64_t weight;
};

static size_t seen_bytes(const struct values *v)
{
	return v->seen.bytes + v->seen.count * mem_footprint(sizeof(struct seen));
}

static bool needs_values(const struct agg_prog *a)
{
	return a->agg->kind == SQL_MIN || a->agg->kind == SQL_MAX || a->agg->distinct;
}

void aggregate_init(struct op *op)
{
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < op->node->naggs; i++) {
		struct agg_prog *a = &op->aggs[i];

		a->accum = a->agg->arg ? accum_kind_of(a->agg->kind, (enum value_kind)a->agg->arg->type.kind) : ACCUM_NONE;
		a->offset = at;
		if (needs_values(a))
			at += (sizeof(struct values) + 15) & ~(size_t)15;
		if (a->accum != ACCUM_NONE)
			at += (accum_size(a->accum) + 15) & ~(size_t)15;
		if (a->agg->kind == SQL_COUNT_STAR)
			at += 16;
	}
	op->group_size = sizeof(struct group) + at;
}

static struct values *values_of(struct group *g, const struct agg_prog *a)
{
	return (struct values *)(void *)(g->states + a->offset);
}

static void *accum_of(struct group *g, const struct agg_prog *a)
{
	return g->states + a->offset + (needs_values(a) ? (sizeof(struct values) + 15) & ~(size_t)15 : 0);
}

static void free_group(struct op *op, struct group *g)
{
	uint32_t i;

	for (i = 0; i < op->node->naggs; i++) {
		struct agg_prog *a = &op->aggs[i];

		if (needs_values(a)) {
			struct values *v = values_of(g, a);
			struct kv_entry *e;
			size_t pos = 0;

			op->state_bytes -= v->ordered.bytes + seen_bytes(v);
			ordered_release(&v->ordered);
			while ((e = kv_next(&v->seen, &pos)) != NULL)
				mem_free(e->value);
			kv_release(&v->seen);
		}
		if (a->accum != ACCUM_NONE) {
			op->state_bytes -= accum_heap_bytes(a->accum, accum_of(g, a));
			accum_release(a->accum, accum_of(g, a));
		}
	}
	op->state_bytes -= blob_footprint(g->keys) + blob_footprint(g->shown);
	blob_drop(g->keys);
	blob_drop(g->shown);
	mem_free(g);
}

/* ---- folding ---- */

static void fold_value(struct op *op, struct group *g, const struct agg_prog *a, const struct value *v, int64_t weight)
{
	if (a->accum != ACCUM_NONE) {
		size_t before = accum_heap_bytes(a->accum, accum_of(g, a));

		accum_add(a->accum, accum_of(g, a), v, weight);
		op->state_bytes += accum_heap_bytes(a->accum, accum_of(g, a)) - before;
	} else {
		struct values *vs = values_of(g, a);
		size_t before = vs->ordered.bytes;

		ordered_add(&vs->ordered, v, weight);
		op->state_bytes += vs->ordered.bytes - before;
	}
}

static void fold_distinct(struct op *op, struct group *g, const struct agg_prog *a, const struct value *v, int64_t weight)
{
	struct values *vs = values_of(g, a);
	struct buf key = BUF_INIT((size_t)1 << 30);
	struct kv_entry *e;
	struct seen *s;
	size_t before = seen_bytes(vs);

	value_put_key(&key, v);
	e = kv_put(&vs->seen, buf_view(&key));
	buf_release(&key);
	s = e->value;
	if (!s)
		s = e->value = mem_zalloc(sizeof(*s));
	if (s->weight == 0)
		fold_value(op, g, a, v, 1);
	s->weight += weight;
	if (s->weight == 0) {
		fold_value(op, g, a, v, -1);
		kv_remove(&vs->seen, e);
		mem_free(s);
	}
	op->state_bytes += seen_bytes(vs) - before;
}

/* 0 = folded, 1 = an expression failed on this row (*err says how), which then counts as a failure of the whole row */
static int evaluate(struct op *op, const struct value *row, struct value *args, bool *take, struct err *err)
{
	struct value v;
	uint32_t i;

	for (i = 0; i < op->node->naggs; i++) {
		struct agg_prog *a = &op->aggs[i];

		take[i] = true;
		if (a->filter) {
			if (op_run(op, a->filter, row, &v, err))
				return -1;
			take[i] = !v.null && v.i;
		}
		/* an argument is evaluated only for rows that the filter takes */
		if (take[i] && a->arg && op_run(op, a->arg, row, &args[i], err))
			return -1;
	}
	return 0;
}

static struct group *group_of(struct op *op, const struct value *keys)
{
	struct flow *f = op->flow;
	struct kv_entry *e;
	struct group *g;
	uint32_t i;

	buf_clear(&f->groupbuf);
	for (i = 0; i < op->node->ngroups; i++)
		value_put_key(&f->groupbuf, &keys[i]);
	e = kv_put(&op->groups, buf_view(&f->groupbuf));
	if (e->value)
		return e->value;
	g = mem_zalloc(op->group_size);
	g->entry = e;
	row_store(&f->groupbuf, keys, op->node->ngroups);
	g->keys = blob_new(buf_view(&f->groupbuf));
	op->state_bytes += blob_footprint(g->keys);
	return e->value = g;
}

int aggregate_push(struct op *op, const struct value *row, int64_t weight, struct err *err)
{
	const struct sql_node *n = op->node;
	struct arena *a = &op->flow->scratch;
	struct value *keys = arena_alloc(a, (n->ngroups + 1) * sizeof(*keys)), *args = arena_alloc(a, (n->naggs + 1) * sizeof(*args));
	bool *take = arena_alloc(a, n->naggs + 1);
	struct group *g;
	uint32_t i;

	for (i = 0; row && i < n->ngroups; i++)
		if (op_run(op, op->progs[i], row, &keys[i], err))
			return op_failed(op, weight, err);
	if (row && evaluate(op, row, args, take, err))
		return op_failed(op, weight, err);
	g = group_of(op, keys);
	if (!g->touched) {
		g->touched = true;
		g->next_touched = op->touched;
		op->touched = g;
	}
	g->rows += weight;
	for (i = 0; row && i < n->naggs; i++) {
		struct agg_prog *p = &op->aggs[i];

		if (!take[i])
			continue;
		if (p->agg->kind == SQL_COUNT_STAR)
			*(int64_t *)accum_of(g, p) += weight;
		else if (args[i].null)
			continue;
		else if (p->agg->distinct)
			fold_distinct(op, g, p, &args[i], weight);
		else
			fold_value(op, g, p, &args[i], weight);
	}
	return 0;
}

/* ---- rendering ---- */

static int render_one(struct group *g, const struct agg_prog *p, struct arena *a, struct value *ret, struct err *err)
{
	const struct value *end;

	if (p->agg->kind == SQL_COUNT_STAR) {
		*ret = value_int(VALUE_INT8, *(int64_t *)accum_of(g, p));
		return 0;
	}
	if (p->accum != ACCUM_NONE)
		return accum_result(p->accum, accum_of(g, p), a, ret, err);
	end = ordered_end(&values_of(g, p)->ordered, p->agg->kind == SQL_MAX);
	*ret = end ? *end : value_null((enum value_kind)p->agg->type.kind);
	return 0;
}

/* The group's output row into op->out; 1 = there is one, 0 = none, -1 = it failed. */
static int render(struct op *op, struct group *g, struct err *err)
{
	const struct sql_node *n = op->node;
	struct arena *a = &op->flow->scratch;
	uint32_t i;

	if (g->rows == 0 && n->grouped)
		return 0;
	row_load(blob_view(g->keys), a, op->out, n->ngroups);
	for (i = 0; i < n->naggs; i++)
		if (render_one(g, &op->aggs[i], a, &op->out[n->ngroups + i], err))
			return -1;
	return 1;
}

static int finish_group(struct op *op, struct group *g, struct err *err)
{
	struct flow *f = op->flow;
	uint32_t n = op->node->ncolumns;
	struct blob *was = g->shown, *now = NULL;
	struct value *old;
	int rc;

	arena_reset(&f->scratch);
	if (g->failed) {
		g->failed = false;
		f->nfailures--;
	}
	rc = render(op, g, err);
	if (rc < 0) {
		if (op_failed(op, 1, err))
			return -1;
		g->failed = true;
	} else if (rc > 0) {
		row_store(&f->groupbuf, op->out, n);
		if (was && view_eq(blob_view(was), buf_view(&f->groupbuf)))
			return 0;
		now = blob_new(buf_view(&f->groupbuf));
	}
	g->shown = now;
	op->state_bytes += blob_footprint(now) - blob_footprint(was);
	if (was) {
		old = arena_alloc(&f->scratch, (n + 1) * sizeof(*old));
		row_load(blob_view(was), &f->scratch, old, n);
		rc = op_emit(op, old, -1, err);
		blob_drop(was);
		if (rc)
			return -1;
	}
	if (now) {
		/* op->out may have been written over by what the old row set in motion */
		row_load(blob_view(now), &f->scratch, op->out, n);
		return op_emit(op, op->out, 1, err);
	}
	return 0;
}

int aggregate_finish(struct op *op, struct err *err)
{
	struct group *g, *next;

	for (g = op->touched; g; g = next) {
		next = g->next_touched;
		g->touched = false;
		op->touched = next;
		if (finish_group(op, g, err))
			return -1;
		if (g->rows == 0 && op->node->grouped) {
			kv_remove(&op->groups, g->entry);
			free_group(op, g);
		}
	}
	return 0;
}

void aggregate_release(struct op *op)
{
	struct kv_entry *e;
	size_t pos = 0;

	while ((e = kv_next(&op->groups, &pos)) != NULL)
		free_group(op, e->value);
	kv_release(&op->groups);
}
