/*
 * Joins: each side keeps its rows by join key; a row that comes is matched with the other side as it is just then, and kept.
 *
 * As one row at a time goes through, L' x R' = L x R + dL x R + L' x dR needs no copies of older states, for self-joins too. For a left
 * join every left row counts its matches: the row padded with nulls is there while the count is zero.
 */
#include "base/mem.h"
#include "flow/flow_int.h"

struct bucket;

struct jrow {
	struct kv_entry *entry;     /* in op->rows[side] */
	struct bucket *bucket;
	struct jrow *prev, *next;
	int64_t weight;
	int64_t matches;            /* left side of a left join: weight of the right rows that match */
	uint32_t len;
	uint8_t stored[];
};

struct bucket {
	struct kv_entry *entry;     /* in op->sides[side] */
	struct jrow *first;
};

/* Key bytes of a row into keybuf; false when some key is null, which matches nothing. */
static int join_key(struct op *op, uint32_t side, const struct value *row, struct buf *key, bool *ret_null, struct err *err)
{
	struct sql_prog **progs = side ? op->right_progs : op->left_progs;
	struct value v;
	uint32_t i;

	*ret_null = false;
	buf_clear(key);
	for (i = 0; i < op->node->nkeys; i++) {
		if (op_run(op, progs[i], row, &v, err))
			return -1;
		if (v.null)
			*ret_null = true;
		value_put_key(key, &v);
	}
	return 0;
}

/* Finds or makes the row; it is dropped by keep() when its weight is back at zero. */
static struct jrow *row_of(struct op *op, uint32_t side, const struct value *row, struct view key)
{
	struct buf b = BUF_INIT((size_t)1 << 31), id = BUF_INIT((size_t)1 << 31);
	struct kv_entry *e, *k;
	struct bucket *bucket;
	struct jrow *r;

	row_store(&b, row, op->node->inputs[side]->ncolumns);
	buf_bytes(&id, key);
	buf_putv(&id, buf_view(&b));
	e = kv_put(&op->rows[side], buf_view(&id));
	r = e->value;
	if (!r) {
		k = kv_put(&op->sides[side], key);
		bucket = k->value;
		if (!bucket) {
			bucket = k->value = mem_zalloc(sizeof(*bucket));
			op->state_bytes += mem_footprint(sizeof(*bucket));
			bucket->entry = k;
		}
		r = mem_zalloc(sizeof(*r) + b.len);
		r->entry = e;
		r->bucket = bucket;
		r->len = (uint32_t)b.len;
		memcpy(r->stored, b.ptr, b.len);
		r->next = bucket->first;
		if (r->next)
			r->next->prev = r;
		bucket->first = r;
		e->value = r;
		op->state_bytes += mem_footprint(sizeof(*r) + b.len);
	}
	buf_release(&b);
	buf_release(&id);
	return r;
}

static void keep(struct op *op, uint32_t side, struct jrow *r)
{
	struct bucket *b = r->bucket;

	if (r->weight)
		return;
	if (r->prev)
		r->prev->next = r->next;
	else
		b->first = r->next;
	if (r->next)
		r->next->prev = r->prev;
	op->state_bytes -= mem_footprint(sizeof(*r) + r->len);
	kv_remove(&op->rows[side], r->entry);
	mem_free(r);
	if (!b->first) {
		kv_remove(&op->sides[side], b->entry);
		op->state_bytes -= mem_footprint(sizeof(*b));
		mem_free(b);
	}
}

/* The concatenated row; right NULL = padded with nulls. */
static struct value *both(struct op *op, const struct value *left, const struct value *right)
{
	const struct sql_node *l = op->node->inputs[0], *r = op->node->inputs[1];
	struct value *row = arena_alloc(&op->flow->scratch, (op->node->ncolumns + 1) * sizeof(*row));
	uint32_t i;

	memcpy(row, left, l->ncolumns * sizeof(*row));
	for (i = 0; i < r->ncolumns; i++)
		row[l->ncolumns + i] = right ? right[i] : value_null((enum value_kind)r->types[i].kind);
	return row;
}

static int residual(struct op *op, const struct value *row, bool *ret, struct err *err)
{
	struct value v;

	*ret = true;
	if (!op->residual)
		return 0;
	if (op_run(op, op->residual, row, &v, err))
		return -1;
	*ret = !v.null && v.i;
	return 0;
}

/* One pair: emits it, and for left joins moves the left row's padding. */
static int pair(struct op *op, struct jrow *left_row, const struct value *left, const struct value *right, int64_t left_weight,
	int64_t right_weight, bool right_moves, struct err *err)
{
	struct value *row = both(op, left, right);
	int64_t weight = left_weight * right_weight;
	bool match;

	if (residual(op, row, &match, err))
		return op_failed(op, weight, err);
	if (!match)
		return 0;
	if (!op->node->left)
		return op_emit(op, row, weight, err);
	if (right_moves) {
		bool padded = left_row->matches == 0;

		left_row->matches += right_weight;
		if (padded && left_row->matches && op_emit(op, both(op, left, NULL), -left_weight, err))
			return -1;
		if (op_emit(op, row, weight, err))
			return -1;
		return !padded && left_row->matches == 0 ? op_emit(op, both(op, left, NULL), left_weight, err) : 0;
	}
	return op_emit(op, row, weight, err);
}

static int push_left(struct op *op, const struct value *row, int64_t weight, struct view key, bool null, struct err *err)
{
	struct kv_entry *e = null ? NULL : kv_find(&op->sides[1], key);
	uint32_t n = op->node->inputs[1]->ncolumns;
	struct value *right = arena_alloc(&op->flow->scratch, (n + 1) * sizeof(*right));
	int64_t matches = 0;
	struct jrow *r, *mine;

	for (r = e ? ((struct bucket *)e->value)->first : NULL; r; r = r->next) {
		bool match;

		row_load(view_of(r->stored, r->len), &op->flow->scratch, right, n);
		if (residual(op, both(op, row, right), &match, err)) {
			if (op_failed(op, weight * r->weight, err))
				return -1;
			continue;
		}
		if (!match)
			continue;
		matches += r->weight;
		if (op_emit(op, both(op, row, right), weight * r->weight, err))
			return -1;
	}
	if (op->node->left && matches == 0 && op_emit(op, both(op, row, NULL), weight, err))
		return -1;
	if (null)
		return 0; /* it will never match: nothing to keep */
	mine = row_of(op, 0, row, key);
	mine->weight += weight;
	mine->matches = matches;
	keep(op, 0, mine);
	return 0;
}

static int push_right(struct op *op, const struct value *row, int64_t weight, struct view key, bool null, struct err *err)
{
	struct kv_entry *e = null ? NULL : kv_find(&op->sides[0], key);
	uint32_t n = op->node->inputs[0]->ncolumns;
	struct value *left = arena_alloc(&op->flow->scratch, (n + 1) * sizeof(*left));
	struct jrow *l, *mine;

	if (null)
		return 0;
	for (l = e ? ((struct bucket *)e->value)->first : NULL; l; l = l->next) {
		row_load(view_of(l->stored, l->len), &op->flow->scratch, left, n);
		if (pair(op, l, left, row, l->weight, weight, true, err))
			return -1;
	}
	mine = row_of(op, 1, row, key);
	mine->weight += weight;
	keep(op, 1, mine);
	return 0;
}

int join_push(struct op *op, uint32_t side, const struct value *row, int64_t weight, struct err *err)
{
	struct buf key = BUF_INIT((size_t)1 << 30);
	bool null;
	int rc;

	if (join_key(op, side, row, &key, &null, err))
		rc = op_failed(op, weight, err);
	else
		rc = side ? push_right(op, row, weight, buf_view(&key), null, err) : push_left(op, row, weight, buf_view(&key), null, err);
	buf_release(&key);
	return rc;
}

void join_release(struct op *op)
{
	struct kv_entry *e;
	uint32_t side;
	size_t pos;

	for (side = 0; side < 2; side++) {
		for (pos = 0; (e = kv_next(&op->rows[side], &pos)) != NULL;)
			mem_free(e->value);
		for (pos = 0; (e = kv_next(&op->sides[side], &pos)) != NULL;)
			mem_free(e->value);
		kv_release(&op->rows[side]);
		kv_release(&op->sides[side]);
	}
}
