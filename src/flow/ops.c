/* Operators that pass rows on at once: filter, project, distinct, union; and the way from one to the next. */
#include "base/mem.h"
#include "flow/flow_int.h"

int op_run(struct op *op, const struct sql_prog *p, const struct value *row, struct value *ret, struct err *err)
{
	op->flow->eval.now_us = op->clock;
	return sql_prog_run(p, &op->flow->eval, row, ret, err);
}

int op_failed(struct op *op, int64_t weight, struct err *err)
{
	if (err->code != ERR_DATA)
		return -1;
	op->flow->nfailures += weight;
	if (weight > 0)
		op->flow->failure = *err;
	err_clear(err);
	return 0;
}

int op_emit(struct op *op, const struct value *row, int64_t weight, struct err *err)
{
	op->rows_out++;
	if (!op->parent)
		return result_push(&op->flow->statements[op->statement], op->flow, row, weight, err);
	return op_push(op->parent, op->parent_input, row, weight, err);
}

static int filter(struct op *op, const struct value *row, int64_t weight, struct err *err)
{
	struct value v;

	if (op_run(op, op->progs[0], row, &v, err))
		return op_failed(op, weight, err);
	return !v.null && v.i ? op_emit(op, row, weight, err) : 0;
}

static int project(struct op *op, const struct value *row, int64_t weight, struct err *err)
{
	uint32_t i;

	for (i = 0; i < op->node->ncolumns; i++)
		if (op_run(op, op->progs[i], row, &op->out[i], err))
			return op_failed(op, weight, err);
	return op_emit(op, op->out, weight, err);
}

/* The first spelling that came is the one that is shown; rows are equal as the types say. */
struct distinct {
	int64_t weight;
	uint32_t len;
	uint8_t stored[];
};

static int distinct(struct op *op, const struct value *row, int64_t weight, struct err *err)
{
	struct flow *f = op->flow;
	struct kv_entry *e;
	struct distinct *d;
	uint32_t i, n = op->node->ncolumns;
	int rc = 0;

	buf_clear(&f->groupbuf);
	for (i = 0; i < n; i++)
		value_put_key(&f->groupbuf, &row[i]);
	e = kv_put(&op->distinct, buf_view(&f->groupbuf));
	d = e->value;
	if (!d) {
		row_store(&f->groupbuf, row, n);
		d = mem_alloc(sizeof(*d) + f->groupbuf.len);
		d->weight = 0;
		d->len = (uint32_t)f->groupbuf.len;
		memcpy(d->stored, f->groupbuf.ptr, f->groupbuf.len);
		e->value = d;
		op->state_bytes += mem_footprint(sizeof(*d) + d->len);
	}
	if (d->weight == 0 && weight > 0) {
		d->weight = weight;
		return op_emit(op, row, 1, err);
	}
	d->weight += weight;
	if (d->weight == 0) {
		struct value *shown = arena_alloc(&f->scratch, n * sizeof(*shown));

		row_load(view_of(d->stored, d->len), &f->scratch, shown, n);
		rc = op_emit(op, shown, -1, err);
		kv_remove(&op->distinct, e);
		op->state_bytes -= mem_footprint(sizeof(*d) + d->len);
		mem_free(d);
	}
	return rc;
}

/* What the operator does with a row at its present clock. */
static int apply(struct op *op, uint32_t input, const struct value *row, int64_t weight, struct err *err)
{
	op->rows_in++;
	switch (op->node->kind) {
	case SQL_FILTER:
		return filter(op, row, weight, err);
	case SQL_PROJECT:
		return project(op, row, weight, err);
	case SQL_AGGREGATE:
		return aggregate_push(op, row, weight, err);
	case SQL_JOIN:
		return join_push(op, input, row, weight, err);
	case SQL_DISTINCT:
		return distinct(op, row, weight, err);
	case SQL_UNION_ALL:
		return op_emit(op, row, weight, err);
	case SQL_SCAN:
		break;
	}
	return err_set(err, ERR_INTERNAL, "a row was pushed into a scan");
}

int op_push(struct op *op, uint32_t input, const struct value *row, int64_t weight, struct err *err)
{
	if (op->uses_clock) {
		int64_t due = op_next_change(op, row);

		if (due != TZ_NEVER && timers_note(op, row, weight, due, err))
			return -1;
	}
	return apply(op, input, row, weight, err);
}



int op_apply(struct op *op, const struct value *row, int64_t weight, struct err *err)
{
	return apply(op, 0, row, weight, err);
}
