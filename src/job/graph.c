/* The operators of a job as others see them, with counters and rates; and what became of the job. See job.h. */
#include <stdio.h>

#include <openssl/sha.h>

#include "base/mem.h"
#include "job/job_int.h"

enum { WINDOW_US = 1000000 };

/* Where a vertex's counters come from. */
struct origin {
	uint32_t statement, node, table;
};

/* Counters at one moment. */
struct sample {
	uint64_t in, out;
};

struct job_graph {
	struct arena arena;
	uint32_t n;
	struct job_vertex *vertices;
	struct origin *origins;
	struct sample *before, *last;      /* at before_us and last_us: rates are from `before` to now */
	int64_t before_us, last_us;
};

/* ---- building ---- */

static const char *const node_names[] = {"Scan", "Filter", "Project", "Join", "Aggregate", "Distinct", "Union"};

static void name_vertex(const struct job *j, struct job_vertex *v, uint32_t index)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct buf b = BUF_INIT(4096);
	unsigned i;

	buf_printf(&b, "%s %s %u", j->name, j->definition, index);
	SHA256(b.ptr, b.len, digest);
	for (i = 0; i < 16; i++)
		snprintf(v->id + 2 * i, 3, "%02x", digest[i]);
	buf_release(&b);
}

static struct job_vertex *add_vertex(const struct job *j, struct job_graph *g, enum job_vertex_kind kind, struct origin from)
{
	struct job_vertex *v = &g->vertices[g->n];

	name_vertex(j, v, g->n);
	v->kind = kind;
	g->origins[g->n++] = from;
	return v;
}

/* Indexes of the vertices that node's inputs are; `of` says where each node of the statement went. */
static void set_inputs(struct job_graph *g, struct job_vertex *v, struct sql_node *const *inputs, uint32_t n, const uint32_t *of)
{
	uint32_t *list = arena_alloc(&g->arena, (n + 1) * sizeof(*list)), i;

	for (i = 0; i < n; i++)
		list[i] = of[inputs[i]->id];
	v->inputs = list;
	v->ninputs = n;
}

/* Inputs first. A scan is its table's vertex, whichever statement it stands in. */
static void add_node(const struct job *j, struct job_graph *g, uint32_t statement, const struct sql_node *n, uint32_t *of)
{
	struct buf text = BUF_INIT(1 << 20);
	struct job_vertex *v;
	uint32_t i;

	if (n->kind == SQL_SCAN) {
		of[n->id] = n->table;
		return;
	}
	for (i = 0; i < n->ninputs; i++)
		add_node(j, g, statement, n->inputs[i], of);
	of[n->id] = g->n;
	v = add_vertex(j, g, JOB_OPERATOR, (struct origin){.statement = statement, .node = n->id});
	v->name = node_names[n->kind];
	sql_node_print(j->plan, n, &text);
	v->description = arena_str(&g->arena, buf_view(&text));
	set_inputs(g, v, n->inputs, n->ninputs, of);
	buf_release(&text);
}

static void add_statement(const struct job *j, struct job_graph *g, uint32_t index)
{
	const struct sql_statement *st = &j->plan->statements[index];
	uint32_t *of = arena_zalloc(&g->arena, (st->nnodes + 1) * sizeof(*of));
	struct sql_node *root = st->root;
	struct job_vertex *v;

	add_node(j, g, index, root, of);
	v = add_vertex(j, g, JOB_SINK, (struct origin){.statement = index});
	v->name = arena_printf(&g->arena, "Sink: %s.%s", st->target_schema ? st->target_schema : "public", st->target_table);
	v->description = v->name;
	set_inputs(g, v, &root, 1, of);
}

static void add_table(const struct job *j, struct job_graph *g, uint32_t table)
{
	const struct sql_table *t = &j->plan->tables[table];
	struct job_vertex *v = add_vertex(j, g, JOB_SOURCE, (struct origin){.table = table});
	struct buf text = BUF_INIT(1 << 16);
	uint32_t i;

	v->name = arena_printf(&g->arena, "Source: %s.%s", t->schema, t->name);
	buf_printf(&text, "read %s.%s (", t->schema, t->name);
	for (i = 0; i < t->ncolumns; i++)
		buf_printf(&text, i ? ", %s" : "%s", t->columns[i].name);
	buf_putc(&text, ')');
	v->description = arena_str(&g->arena, buf_view(&text));
	buf_release(&text);
}

static void release(struct job_graph *g)
{
	if (!g)
		return;
	arena_release(&g->arena);
	mem_free(g);
}

void job_graph_make(struct job *j)
{
	struct job_graph *g = mem_zalloc(sizeof(*g)), *old;
	uint32_t i, most = j->plan->ntables + 1;

	for (i = 0; i < j->plan->nstatements; i++)
		most += j->plan->statements[i].nnodes + 1;
	g->arena = ARENA_INIT;
	g->vertices = arena_zalloc(&g->arena, most * sizeof(*g->vertices));
	g->origins = arena_zalloc(&g->arena, most * sizeof(*g->origins));
	g->before = arena_zalloc(&g->arena, most * sizeof(*g->before));
	g->last = arena_zalloc(&g->arena, most * sizeof(*g->last));
	g->before_us = g->last_us = io_monotonic_us(j->env->io);
	for (i = 0; i < j->plan->ntables; i++)
		add_table(j, g, i);
	for (i = 0; i < j->plan->nstatements; i++)
		add_statement(j, g, i);
	lock_take(&j->lock);
	old = j->graph;
	j->graph = g;
	lock_drop(&j->lock);
	release(old);
}

void job_graph_free(struct job *j)
{
	release(j->graph);
}

/* ---- counters ---- */

/* Moves the window on when its newer half is long enough. */
static void rotate(struct job_graph *g, int64_t now)
{
	struct sample *oldest = g->before;
	uint32_t i;

	if (now - g->last_us < WINDOW_US)
		return;
	g->before = g->last;
	g->before_us = g->last_us;
	g->last = oldest;
	g->last_us = now;
	for (i = 0; i < g->n; i++)
		g->last[i] = (struct sample){g->vertices[i].rows_in, g->vertices[i].rows_out};
}

void job_graph_publish(struct job *j)
{
	struct job_graph *g = j->graph;
	struct flow_op_stats s;
	uint32_t i;

	/* before they move, so that a window ends where counting has come to */
	rotate(g, io_monotonic_us(j->env->io));
	for (i = 0; i < g->n; i++) {
		struct job_vertex *v = &g->vertices[i];
		const struct origin *o = &g->origins[i];

		if (v->kind == JOB_SOURCE)
			flow_table_stats(j->flow, o->table, &s);
		else if (v->kind == JOB_SINK)
			flow_result_stats(j->flow, o->statement, &s);
		else
			flow_node_stats(j->flow, o->statement, o->node, &s);
		v->rows_in = s.rows_in;
		v->rows_out = s.rows_out;
		v->state_rows = s.state_rows;
		v->state_bytes = s.state_bytes;
	}
}

void job_graph(struct job *j, void (*fn)(void *arg, const struct job_vertex *v, uint32_t n), void *arg)
{
	struct job_graph *g;
	int64_t now = io_monotonic_us(j->env->io);
	uint32_t i;

	lock_take(&j->lock);
	g = j->graph;
	if (g)
		rotate(g, now);
	for (i = 0; g && i < g->n; i++) {
		double seconds = (double)(now - g->before_us) / 1e6;

		g->vertices[i].in_per_s = seconds > 0 ? (double)(g->vertices[i].rows_in - g->before[i].in) / seconds : 0;
		g->vertices[i].out_per_s = seconds > 0 ? (double)(g->vertices[i].rows_out - g->before[i].out) / seconds : 0;
	}
	fn(arg, g ? g->vertices : NULL, g ? g->n : 0);
	lock_drop(&j->lock);
}

/* ---- history ---- */

void job_note_state(struct job *j, enum job_state state, const struct err *why)
{
	struct job_history *h = &j->history;
	int64_t now = io_now_us(j->env->io);

	if (j->status.state != state)
		h->entered_us[state] = now;
	if (!why)
		return;
	if (h->nfailures == 0 || strcmp(h->failures[0].err.text, why->text) != 0) {
		memmove(&h->failures[1], &h->failures[0], (JOB_FAILURES - 1) * sizeof(h->failures[0]));
		h->nfailures += h->nfailures < JOB_FAILURES;
	}
	h->failures[0] = (struct job_failure){now, *why};
}

void job_note_checkpoint(struct job *j, const struct job_checkpoint *c)
{
	struct job_history *h = &j->history;

	memmove(&h->checkpoints[1], &h->checkpoints[0], (JOB_CHECKPOINTS - 1) * sizeof(h->checkpoints[0]));
	h->checkpoints[0] = *c;
	h->ncheckpoints += h->ncheckpoints < JOB_CHECKPOINTS;
}

void job_history(struct job *j, struct job_history *ret)
{
	lock_take(&j->lock);
	*ret = j->history;
	lock_drop(&j->lock);
}
