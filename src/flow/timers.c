/*
 * Time: rows whose result will change at a known instant wait in a heap; when the clock gets there, what they gave at the old clock is
 * taken away and what they give at the new one is added.
 *
 * Between its evaluation and its instant a row's result does not change, so a row that is taken away meanwhile is evaluated at the
 * present clock and gives just what it gave. Timers of rows that are gone stay in the heap with weight 0 until their instant.
 */
#include "base/mem.h"
#include "flow/flow_int.h"



static void earlier(int64_t *due, int64_t other)
{
	if (other < *due)
		*due = other;
}

int64_t op_next_change(struct op *op, const struct value *row)
{
	const struct sql_node *n = op->node;
	struct sql_eval *ev = &op->flow->eval;
	int64_t due = TZ_NEVER;
	uint32_t i, nprogs = n->kind == SQL_FILTER ? 1 : n->kind == SQL_PROJECT ? n->ncolumns : n->ngroups;

	ev->now_us = op->clock;
	for (i = 0; i < nprogs; i++) {
		const struct sql_expr *e = n->kind == SQL_FILTER ? n->predicate : n->exprs[i];

		if (e->uses_clock && sql_expr_clock(e) == SQL_CLOCK_STEPS)
			earlier(&due, sql_prog_next_change(op->progs[i], ev, row));
	}
	for (i = 0; n->kind == SQL_AGGREGATE && i < n->naggs; i++) {
		if (n->aggs[i].arg && n->aggs[i].arg->uses_clock)
			earlier(&due, sql_prog_next_change(op->aggs[i].arg, ev, row));
		if (n->aggs[i].filter && n->aggs[i].filter->uses_clock)
			earlier(&due, sql_prog_next_change(op->aggs[i].filter, ev, row));
	}
	return due;
}

static void heap_up(struct op *op, size_t i)
{
	while (i > 0 && op->heap[i]->due < op->heap[(i - 1) / 2]->due) {
		struct timer *t = op->heap[i];

		op->heap[i] = op->heap[(i - 1) / 2];
		op->heap[(i - 1) / 2] = t;
		i = (i - 1) / 2;
	}
}

static void heap_down(struct op *op, size_t i)
{
	for (;;) {
		size_t least = i, l = 2 * i + 1, r = l + 1;
		struct timer *t;

		if (l < op->nheap && op->heap[l]->due < op->heap[least]->due)
			least = l;
		if (r < op->nheap && op->heap[r]->due < op->heap[least]->due)
			least = r;
		if (least == i)
			return;
		t = op->heap[i];
		op->heap[i] = op->heap[least];
		op->heap[least] = t;
		i = least;
	}
}

static void heap_add(struct op *op, struct timer *t)
{
	if (op->nheap == op->cap_heap) {
		op->cap_heap = op->cap_heap ? op->cap_heap * 2 : 64;
		op->heap = mem_realloc(op->heap, op->cap_heap * sizeof(struct timer *));
	}
	op->heap[op->nheap++] = t;
	heap_up(op, op->nheap - 1);
}

static uint32_t input_width(const struct op *op)
{
	return op->node->inputs[0]->ncolumns;
}

int timers_note(struct op *op, const struct value *row, int64_t weight, int64_t due, struct err *err)
{
	struct flow *f = op->flow;
	struct kv_entry *e;
	struct timer *t;

	row_store(&f->groupbuf, row, input_width(op));
	e = kv_put(&op->timed, buf_view(&f->groupbuf));
	t = e->value;
	if (t) {
		/* the instant of a row that is known is known: it depends on the row and the zone, not on when it is asked for */
		t->weight += weight;
		return 0;
	}
	if (weight < 0) {
		/* a row whose timer has run since: it was never noted at this clock, so its instant cannot lie ahead */
		kv_remove(&op->timed, e);
		return err_set(err, ERR_INTERNAL, "a row that was never noted is taken away from its timer");
	}
	t = mem_alloc(sizeof(*t));
	*t = (struct timer){due, weight, e};
	e->value = t;
	heap_add(op, t);
	return 0;
}

int timers_run(struct op *op, int64_t now, struct err *err)
{
	struct flow *f = op->flow;
	struct value *row;
	int64_t was = op->clock;
	uint32_t n;

	op->clock = now;
	if (!op->uses_clock)
		return 0;
	n = input_width(op);
	row = mem_alloc((n + 1) * sizeof(*row));
	while (op->nheap && op->heap[0]->due <= now) {
		struct timer *t = op->heap[0];
		int64_t next = TZ_NEVER;

		if (t->weight) {
			arena_reset(&f->scratch);
			row_load(view_of(t->entry->key, t->entry->len), &f->scratch, row, n);
			f->stats.ticks++;
			op->clock = was;
			if (op_apply(op, row, -t->weight, err))
				goto fail;
			op->clock = now;
			if (op_apply(op, row, t->weight, err))
				goto fail;
			next = op_next_change(op, row);
		}
		if (next != TZ_NEVER) {
			wm_assert(next > now);
			t->due = next;
		} else {
			kv_remove(&op->timed, t->entry);
			mem_free(t);
			op->heap[0] = op->heap[--op->nheap];
		}
		heap_down(op, 0);
	}
	mem_free(row);
	return 0;
fail:
	mem_free(row);
	return -1;
}

void timers_release(struct op *op)
{
	size_t i;

	for (i = 0; i < op->nheap; i++)
		mem_free(op->heap[i]);
	mem_free(op->heap);
	kv_release(&op->timed);
}
