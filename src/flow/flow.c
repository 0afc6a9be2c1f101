/* The engine: source tables, steps, building operators from a plan; see flow.h. */
#include "flow/flow.h"

#include "base/mem.h"
#include "flow/flow_int.h"

enum { ROW_BYTES_MAX = 1 << 30 };

void row_store(struct buf *b, const struct value *row, uint32_t n)
{
	uint32_t i;

	buf_clear(b);
	for (i = 0; i < n; i++)
		value_store(b, &row[i]);
	wm_assert(buf_ok(b));
}

void row_load(struct view stored, struct arena *a, struct value *row, uint32_t n)
{
	struct reader r = reader_of(stored);
	struct err err = ERR_INIT;
	uint32_t i;

	/* these bytes were made by row_store in this process */
	for (i = 0; i < n; i++)
		wm_assert(value_load(&r, a, &row[i], &err) == 0);
}

/* ---- building ---- */

static struct sql_prog **compile_all(struct flow *f, struct sql_expr **exprs, uint32_t n)
{
	struct sql_prog **progs = arena_zalloc(&f->arena, (n + 1) * sizeof(*progs));
	uint32_t i;

	for (i = 0; i < n; i++)
		progs[i] = sql_prog_compile(&f->arena, exprs[i]);
	return progs;
}

/* How an operator depends on the clock; a dependence that changes at every instant, or stands in a join, is refused. */
static int check_clock(struct op *op, const struct sql_expr *e, const char *where, struct err *err)
{
	if (!e || !e->uses_clock)
		return 0;
	if (sql_expr_clock(e) == SQL_CLOCK_CONTINUOUS) {
		struct buf b = BUF_INIT(4096);

		sql_expr_print(e, &b);
		err_set(err, ERR_UNSUPPORTED, "%s changes with every instant: %s", where, buf_cstr(&b));
		err_hint(err, "Compare now() or CURRENT_DATE with a column instead, so that the result changes at certain instants only.");
		buf_release(&b);
		return -1;
	}
	op->uses_clock = true;
	return 0;
}

static int build_project(struct op *op, struct err *err)
{
	const struct sql_node *n = op->node;
	uint32_t i;

	for (i = 0; i < n->ncolumns; i++) {
		/* now() alone says when the row is written: the sink fills it in, so it moves nothing here */
		if (!op->parent && op->flow->job->statements[op->statement].is_write_time[i])
			continue;
		if (check_clock(op, n->exprs[i], "a result column", err))
			return -1;
	}
	op->progs = compile_all(op->flow, n->exprs, n->ncolumns);
	return 0;
}

static int build_aggregate(struct op *op, struct err *err)
{
	const struct sql_node *n = op->node;
	struct flow *f = op->flow;
	uint32_t i;

	op->progs = compile_all(f, n->exprs, n->ngroups);
	op->aggs = arena_zalloc(&f->arena, (n->naggs + 1) * sizeof(*op->aggs));
	for (i = 0; i < n->ngroups; i++)
		if (check_clock(op, n->exprs[i], "a GROUP BY expression", err))
			return -1;
	for (i = 0; i < n->naggs; i++) {
		const struct sql_agg *agg = &n->aggs[i];

		if (check_clock(op, agg->arg, "an aggregate's argument", err) || check_clock(op, agg->filter, "an aggregate's FILTER", err))
			return -1;
		op->aggs[i].agg = agg;
		op->aggs[i].arg = agg->arg ? sql_prog_compile(&f->arena, agg->arg) : NULL;
		op->aggs[i].filter = agg->filter ? sql_prog_compile(&f->arena, agg->filter) : NULL;
	}
	aggregate_init(op);
	return 0;
}

static int build_join(struct op *op, struct err *err)
{
	const struct sql_node *n = op->node;
	struct op probe = {.flow = op->flow};
	uint32_t i;

	for (i = 0; i < n->nkeys; i++)
		if (check_clock(&probe, n->left_keys[i], "a join condition", err) || check_clock(&probe, n->right_keys[i], "a join condition", err))
			return -1;
	if (check_clock(&probe, n->residual, "a join condition", err))
		return -1;
	if (probe.uses_clock) {
		err_set(err, ERR_UNSUPPORTED, "now() or CURRENT_DATE in a join condition is not supported");
		return err_hint(err, "Move the comparison into WHERE, or into a subquery in FROM.");
	}
	op->left_progs = compile_all(op->flow, n->left_keys, n->nkeys);
	op->right_progs = compile_all(op->flow, n->right_keys, n->nkeys);
	op->residual = n->residual ? sql_prog_compile(&op->flow->arena, n->residual) : NULL;
	return 0;
}

static int build_op(
	struct flow *f, struct statement *s, uint32_t statement, const struct sql_node *n, struct op *parent, uint32_t input, struct err *err)
{
	struct op *op = arena_zalloc(&f->arena, sizeof(*op));
	uint32_t i;
	int rc = 0;

	wm_assert(n->id < s->nops && !s->ops[n->id]);
	s->ops[n->id] = op;
	op->flow = f;
	op->node = n;
	op->parent = parent;
	op->parent_input = input;
	op->statement = statement;
	op->out = arena_zalloc(&f->arena, (n->ncolumns + 1) * sizeof(*op->out));
	switch (n->kind) {
	case SQL_FILTER:
		rc = check_clock(op, n->predicate, "WHERE or HAVING", err);
		op->progs = arena_zalloc(&f->arena, sizeof(*op->progs));
		op->progs[0] = sql_prog_compile(&f->arena, n->predicate);
		break;
	case SQL_PROJECT:
		rc = build_project(op, err);
		break;
	case SQL_AGGREGATE:
		rc = build_aggregate(op, err);
		break;
	case SQL_JOIN:
		rc = build_join(op, err);
		break;
	case SQL_SCAN: case SQL_DISTINCT: case SQL_UNION_ALL:
		break;
	}
	for (i = 0; i < n->ninputs && rc == 0; i++)
		rc = build_op(f, s, statement, n->inputs[i], op, i, err);
	return rc;
}

int flow_new(
	const struct sql_job *job, struct tz_cache *zones, const struct flow_key *keys, size_t memory_max, struct flow **ret, struct err *err)
{
	struct flow *f = mem_zalloc(sizeof(*f));
	uint32_t i;

	f->job = job;
	f->zones = zones;
	f->arena = f->scratch = ARENA_INIT;
	f->memory_max = memory_max;
	f->keybuf = f->rowbuf = f->groupbuf = BUF_INIT(ROW_BYTES_MAX);
	f->eval = (struct sql_eval){.arena = &f->scratch, .zone = job->zone, .zones = zones};
	f->tables = arena_zalloc(&f->arena, (job->ntables + 1) * sizeof(*f->tables));
	f->counts = arena_zalloc(&f->arena, (job->ntables + 1) * sizeof(*f->counts));
	f->gone = arena_zalloc(&f->arena, (job->ntables + 1) * sizeof(*f->gone));
	for (i = 0; i < job->ntables; i++)
		f->gone[i].key = BUF_INIT((size_t)1 << 30);
	f->statements = arena_zalloc(&f->arena, (job->nstatements + 1) * sizeof(*f->statements));
	for (i = 0; i < job->ntables; i++) {
		if (job->tables[i].npk)
			continue;
		err_set(err, ERR_UNSUPPORTED, "table \"%s.%s\" has no primary key, so that its rows cannot be told apart", job->tables[i].schema,
			job->tables[i].name);
		err_hint(err, "Give it one: ALTER TABLE ... ADD PRIMARY KEY (...);");
		goto fail;
	}
	for (i = 0; i < job->nstatements; i++) {
		struct statement *s = &f->statements[i];

		s->st = &job->statements[i];
		s->key = keys[i];
		s->nops = s->st->nnodes;
		s->ops = arena_zalloc(&f->arena, (s->nops + 1) * sizeof(*s->ops));
		if (build_op(f, s, i, s->st->root, NULL, 0, err))
			goto fail;
	}
	*ret = f;
	return 0;
fail:
	flow_free(f);
	return -1;
}

void flow_free(struct flow *f)
{
	struct kv_entry *e;
	uint32_t i, k;
	size_t pos;

	if (!f)
		return;
	for (i = 0; i < f->job->ntables; i++) {
		for (pos = 0; (e = kv_next(&f->tables[i], &pos)) != NULL;)
			blob_drop(e->value);
		kv_release(&f->tables[i]);
		blob_drop(f->gone[i].row);
		buf_release(&f->gone[i].key);
	}
	for (i = 0; i < f->job->nstatements; i++) {
		struct statement *s = &f->statements[i];

		for (k = 0; k < s->nops; k++) {
			if (!s->ops[k])
				continue;
			aggregate_release(s->ops[k]);
			join_release(s->ops[k]);
			timers_release(s->ops[k]);
			for (pos = 0; (e = kv_next(&s->ops[k]->distinct, &pos)) != NULL;)
				mem_free(e->value);
			kv_release(&s->ops[k]->distinct);
		}
		results_release(s);
	}
	buf_release(&f->keybuf);
	buf_release(&f->rowbuf);
	buf_release(&f->groupbuf);
	arena_release(&f->arena);
	arena_release(&f->scratch);
	mem_free(f);
}

/* ---- steps ---- */

/* Aggregates without GROUP BY have a row before there is any input. */
static int first_step(struct flow *f, struct err *err)
{
	uint32_t i, k;

	for (i = 0; i < f->job->nstatements; i++)
		for (k = 0; k < f->statements[i].nops; k++) {
			struct op *op = f->statements[i].ops[k];

			op->clock = f->now;
			if (op->node->kind == SQL_AGGREGATE && !op->node->grouped && aggregate_push(op, NULL, 0, err))
				return -1;
		}
	return 0;
}

int flow_step_begin(struct flow *f, int64_t now_us, struct err *err)
{
	uint32_t i, k;

	f->stats.steps++;
	if (!f->started) {
		f->started = true;
		f->now = now_us;
		return first_step(f, err);
	}
	wm_assert(now_us >= f->now);
	f->now = now_us;
	for (i = 0; i < f->job->nstatements; i++) {
		struct statement *s = &f->statements[i];

		/* users before their inputs: what an operator passes on meets one that is at the new clock already */
		for (k = s->nops; k-- > 0;)
			if (timers_run(s->ops[k], now_us, err))
				return -1;
	}
	return 0;
}

static int push_table(struct flow *f, uint32_t table, const struct value *row, int64_t weight, struct err *err)
{
	uint32_t i, k;

	f->counts[table].out++;
	for (i = 0; i < f->job->nstatements; i++)
		for (k = 0; k < f->statements[i].nops; k++) {
			struct op *op = f->statements[i].ops[k];

			if (op->node->kind == SQL_SCAN && op->node->table == table && op_emit(op, row, weight, err))
				return -1;
		}
	return 0;
}

static struct view pk_of(struct flow *f, const struct sql_table *t, const struct value *row)
{
	uint32_t i;

	buf_clear(&f->keybuf);
	for (i = 0; i < t->npk; i++)
		value_put_key(&f->keybuf, &row[t->pk[i]]);
	return buf_view(&f->keybuf);
}

static int replace_row(struct flow *f, uint32_t table, struct kv_entry *e, const struct value *row, const struct value *old,
	struct view stored, struct err *err)
{
	struct blob *was = e->value, *now = blob_new(stored);
	int rc = 0;

	e->value = now;
	f->blob_bytes += blob_footprint(now) - blob_footprint(was);
	f->counts[table].blob_bytes += blob_footprint(now) - blob_footprint(was);
	if (was)
		rc = push_table(f, table, old, -1, err);
	if (rc == 0)
		rc = push_table(f, table, row, 1, err);
	/* the new row, too, borrows from it: what an update left unchanged */
	blob_drop(was);
	return rc;
}

/* The row with what it says is unchanged taken from `old`; NULL = known of no row. */
static const struct value *merge(
	struct flow *f, const struct sql_table *t, const struct value *row, const bool *unchanged, const struct value *old, struct err *err)
{
	struct value *merged = NULL;
	uint32_t i;

	for (i = 0; unchanged && i < t->ncolumns; i++) {
		if (!unchanged[i])
			continue;
		if (!old) {
			err_set(err, ERR_STATE, "an update of table \"%s.%s\" leaves column \"%s\" unchanged, but the row was never seen", t->schema,
				t->name, t->columns[i].name);
			return NULL;
		}
		if (!merged) {
			merged = arena_alloc(&f->scratch, t->ncolumns * sizeof(*merged));
			memcpy(merged, row, t->ncolumns * sizeof(*merged));
		}
		merged[i] = old[i];
	}
	return merged ? merged : row;
}

int flow_upsert(struct flow *f, uint32_t table, const struct value *row, const bool *unchanged, struct err *err)
{
	const struct sql_table *t = &f->job->tables[table];
	struct blob *was, *before, *gone = f->gone[table].row;
	struct value *old = NULL;
	struct kv_entry *e;
	struct view pk;
	int rc = 0;

	arena_reset(&f->scratch);
	f->stats.upserts++;
	f->counts[table].changes++;
	f->gone[table].row = NULL;
	pk = pk_of(f, t, row);
	e = kv_find(&f->tables[table], pk);
	was = e ? e->value : NULL;
	before = was ? was : unchanged ? gone : NULL;
	if (before) {
		old = arena_alloc(&f->scratch, t->ncolumns * sizeof(*old));
		row_load(blob_view(before), &f->scratch, old, t->ncolumns);
	}
	row = merge(f, t, row, unchanged, old, err);
	if (!row) {
		rc = -1;
		goto out;
	}
	row_store(&f->rowbuf, row, t->ncolumns);
	/* nothing that the job looks at has changed: the usual case for columns that it does not use */
	if (was && view_eq(blob_view(was), buf_view(&f->rowbuf)))
		goto out;
	if (!e) {
		e = kv_put(&f->tables[table], pk);
		f->stats.source_rows++;
	}
	rc = replace_row(f, table, e, row, old, buf_view(&f->rowbuf), err);
out:
	blob_drop(gone);
	return rc;
}

int flow_delete(struct flow *f, uint32_t table, const struct value *row, struct err *err)
{
	const struct sql_table *t = &f->job->tables[table];
	struct gone *gone = &f->gone[table];
	struct kv_entry *e;
	struct value *old;
	struct view pk;

	arena_reset(&f->scratch);
	f->stats.deletes++;
	f->counts[table].changes++;
	pk = pk_of(f, t, row);
	e = kv_find(&f->tables[table], pk);
	/* a tombstone behind its delete */
	if (!e && gone->row && view_eq(pk, buf_view(&gone->key)))
		return 0;
	blob_drop(gone->row);
	gone->row = NULL;
	if (!e)
		return 0;
	gone->row = e->value;
	buf_clear(&gone->key);
	buf_putv(&gone->key, pk);
	old = arena_alloc(&f->scratch, t->ncolumns * sizeof(*old));
	row_load(blob_view(gone->row), &f->scratch, old, t->ncolumns);
	kv_remove(&f->tables[table], e);
	f->stats.source_rows--;
	f->blob_bytes -= blob_footprint(gone->row);
	f->counts[table].blob_bytes -= blob_footprint(gone->row);
	return push_table(f, table, old, -1, err);
}

int flow_clear(struct flow *f, uint32_t table, struct err *err)
{
	const struct sql_table *t = &f->job->tables[table];
	struct kv was = f->tables[table];
	struct value *old = mem_alloc((t->ncolumns + 1) * sizeof(*old));
	struct kv_entry *e;
	size_t pos = 0;
	int rc = 0;

	f->tables[table] = KV_INIT;
	f->stats.source_rows -= was.count;
	while ((e = kv_next(&was, &pos)) != NULL) {
		struct blob *b = e->value;

		arena_reset(&f->scratch);
		row_load(blob_view(b), &f->scratch, old, t->ncolumns);
		if (rc == 0)
			rc = push_table(f, table, old, -1, err);
		f->blob_bytes -= blob_footprint(b);
		f->counts[table].blob_bytes -= blob_footprint(b);
		blob_drop(b);
	}
	kv_release(&was);
	mem_free(old);
	return rc;
}

int flow_step_end(struct flow *f, struct err *err)
{
	struct flow_stats st;
	uint32_t i, k;

	for (i = 0; i < f->job->nstatements; i++) {
		struct statement *s = &f->statements[i];

		for (k = 0; k < s->nops; k++)
			if (s->ops[k]->node->kind == SQL_AGGREGATE && aggregate_finish(s->ops[k], err))
				return -1;
	}
	arena_reset(&f->scratch);
	flow_stats(f, &st);
	if (f->memory_max && st.bytes > f->memory_max) {
		err_set(err, ERR_LIMIT, "the job's state is %zu MiB, over its budget of %zu MiB", st.bytes >> 20, f->memory_max >> 20);
		return err_hint(err, "Raise job.memory, or let the query use fewer columns or rows.");
	}
	return 0;
}

bool flow_failed(const struct flow *f, struct err *err)
{
	uint32_t i;

	if (f->nfailures) {
		if (err)
			*err = f->failure;
		return true;
	}
	for (i = 0; i < f->job->nstatements; i++) {
		const struct statement *s = &f->statements[i];

		if (!s->duplicates)
			continue;
		if (err) {
			err_set(err, ERR_DATA, "two result rows have the same key of table \"%s%s%s\"",
				s->st->target_schema ? s->st->target_schema : "", s->st->target_schema ? "." : "", s->st->target_table);
			memcpy(err->sqlstate, "23505", sizeof("23505"));
			err_hint(err, "Group by the target's key, or give the target a key that the query's rows have.");
		}
		return true;
	}
	return false;
}

int64_t flow_next_tick(const struct flow *f)
{
	int64_t next = TZ_NEVER;
	uint32_t i, k;

	for (i = 0; i < f->job->nstatements; i++)
		for (k = 0; k < f->statements[i].nops; k++) {
			const struct op *op = f->statements[i].ops[k];

			if (op->nheap && op->heap[0]->due < next)
				next = op->heap[0]->due;
		}
	return next;
}

static size_t op_bytes(const struct op *op)
{
	return op->groups.bytes + op->groups.count * mem_footprint(op->group_size) + op->state_bytes + op->timed.bytes + op->distinct.bytes +
		op->nheap * (mem_footprint(sizeof(struct timer)) + sizeof(void *)) + op->sides[0].bytes + op->sides[1].bytes + op->rows[0].bytes +
		op->rows[1].bytes;
}

void flow_table_stats(const struct flow *f, uint32_t table, struct flow_op_stats *ret)
{
	const struct table_count *c = &f->counts[table];
	const struct kv *kv = &f->tables[table];

	*ret = (struct flow_op_stats){.rows_in = c->changes, .rows_out = c->out, .state_rows = kv->count,
		.state_bytes = c->blob_bytes + kv->bytes};
}

void flow_node_stats(const struct flow *f, uint32_t statement, uint32_t node, struct flow_op_stats *ret)
{
	const struct op *op = f->statements[statement].ops[node];

	*ret = (struct flow_op_stats){.rows_in = op->rows_in, .rows_out = op->rows_out,
		.state_rows = op->groups.count + op->timed.count + op->distinct.count + op->rows[0].count + op->rows[1].count,
		.state_bytes = op_bytes(op)};
}

void flow_result_stats(const struct flow *f, uint32_t statement, struct flow_op_stats *ret)
{
	const struct statement *s = &f->statements[statement];

	*ret = (struct flow_op_stats){.rows_in = s->ops[s->st->root->id]->rows_out, .state_rows = s->results.count,
		.state_bytes = s->results.bytes + s->results.count * mem_footprint(sizeof(struct result))};
}

void flow_stats(const struct flow *f, struct flow_stats *ret)
{
	uint32_t i, k;

	*ret = f->stats;
	ret->bytes = f->blob_bytes + f->job->ntables * sizeof(struct kv);
	for (i = 0; i < f->job->ntables; i++)
		ret->bytes += f->tables[i].bytes;
	for (i = 0; i < f->job->nstatements; i++) {
		const struct statement *s = &f->statements[i];

		ret->bytes += s->results.bytes + s->results.count * mem_footprint(sizeof(struct result));
		ret->result_rows += s->results.count;
		for (k = 0; k < s->nops; k++) {
			const struct op *op = s->ops[k];

			ret->timers += op->nheap;
			ret->bytes += op_bytes(op);
		}
	}
}

struct dump {
	void (*fn)(void *arg, struct view stored);
	void *arg;
};

static void dump_entry(void *arg, struct kv_entry *e)
{
	struct dump *d = arg;

	d->fn(d->arg, blob_view(e->value));
}

bool flow_dump(const struct flow *f, uint32_t table, uint64_t *from, size_t n, void (*fn)(void *arg, struct view stored), void *arg)
{
	struct dump d = {fn, arg};

	return kv_walk(&f->tables[table], from, n, dump_entry, &d);
}

bool flow_stored(struct flow *f, uint32_t table, const struct value *row, struct view *ret)
{
	struct kv_entry *e = kv_find(&f->tables[table], pk_of(f, &f->job->tables[table], row));

	if (e)
		*ret = blob_view(e->value);
	return e != NULL;
}

int flow_restore(struct flow *f, uint32_t table, struct view stored, struct err *err)
{
	const struct sql_table *t = &f->job->tables[table];
	struct value *row = mem_alloc((t->ncolumns + 1) * sizeof(*row));
	struct reader r = reader_of(stored);
	struct arena a = ARENA_INIT;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < t->ncolumns && rc == 0; i++)
		rc = value_load(&r, &a, &row[i], err);
	if (rc == 0 && !reader_done(&r))
		rc = err_set(err, ERR_CORRUPT, "a stored row of table \"%s.%s\" has more columns than the job", t->schema, t->name);
	if (rc == 0)
		rc = flow_upsert(f, table, row, NULL, err);
	arena_release(&a);
	mem_free(row);
	return rc;
}
