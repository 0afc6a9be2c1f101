/* The inside of the engine, shared by flow.c (tables, steps), ops.c (operators), aggregate.c, join.c, timers.c, result.c. */
#ifndef WALMILL_FLOW_FLOW_INT_H
#define WALMILL_FLOW_FLOW_INT_H

#include "flow/accum.h"
#include "flow/flow.h"
#include "flow/kv.h"
#include "flow/ordered.h"
#include "sql/expr_eval.h"

struct op;

/* A stored input row of a clock-dependent operator that will have to be looked at again. */
struct timer {
	int64_t due;
	int64_t weight;
	struct kv_entry *entry;   /* in op->timed; its key is the stored row */
};

struct agg_prog {
	const struct sql_agg *agg;
	struct sql_prog *arg, *filter;
	enum accum_kind accum;    /* ACCUM_NONE for min, max */
	size_t offset;            /* of its state in a group's memory */
};

struct group;

struct op {
	struct flow *flow;
	const struct sql_node *node;
	struct op *parent;        /* NULL: the statement's result */
	uint32_t parent_input;
	uint32_t statement;
	uint64_t rows_in, rows_out;
	int64_t clock;            /* at which this operator evaluates */
	bool uses_clock;
	struct sql_prog **progs;  /* FILTER: 1; PROJECT: ncolumns; AGGREGATE: ngroups */
	struct value *out;        /* room for an output row */
	/* clock */
	struct kv timed;
	struct timer **heap;
	size_t nheap, cap_heap;
	/* AGGREGATE */
	struct agg_prog *aggs;
	size_t group_size;
	struct kv groups;
	struct group *touched;    /* list */
	size_t state_bytes;       /* of multisets and the like */
	/* JOIN */
	struct sql_prog **left_progs, **right_progs, *residual;
	struct kv sides[2], rows[2];
	/* DISTINCT */
	struct kv distinct;
};

/* One result row key of a statement. */
struct result {
	struct kv_entry *entry;
	struct blob *row;         /* the row now, when exactly one with weight 1 is there (the usual case) */
	struct kv *more;          /* else: stored row -> weight, kept apart */
	struct blob *written;     /* what was written last, or NULL */
	struct result *next_dirty;
	bool dirty;
};

struct statement {
	const struct sql_statement *st;
	struct op **ops;          /* by node id */
	uint32_t nops;
	struct flow_key key;
	struct kv results;        /* key bytes -> struct result */
	struct result *dirty;     /* list */
	size_t ndirty;
	int64_t duplicates;       /* result keys that have more than one row now */
};

/* The row that a table lost last. When a key changes, the row goes under the old key and comes under the new one, where an unchanged TOAST
 * value stands for the one that it had. */
struct gone {
	struct blob *row;         /* NULL: none */
	struct buf key;
};

struct table_count {
	uint64_t changes;         /* rows handed in */
	uint64_t out;             /* weighted rows that went to the statements */
	size_t blob_bytes;
};

struct flow {
	const struct sql_job *job;
	struct tz_cache *zones;
	struct arena arena;       /* programs and operators */
	struct arena scratch;     /* reset with every source row */
	struct sql_eval eval;
	size_t memory_max;
	struct kv *tables;        /* primary key -> struct blob */
	struct gone *gone;        /* by table */
	struct table_count *counts; /* by table */
	struct statement *statements;
	int64_t now;
	bool started;
	int64_t nfailures;        /* weighted count of rows whose evaluation fails now */
	struct err failure;       /* the newest of them */
	size_t blob_bytes;
	struct flow_stats stats;
	struct buf keybuf, rowbuf, groupbuf;
};

/* Stored rows. */
void row_store(struct buf *b, const struct value *row, uint32_t n);
void row_load(struct view stored, struct arena *a, struct value *row, uint32_t n);

/* ops.c: a weighted row arrives at input `input` of the operator. */
int op_push(struct op *op, uint32_t input, const struct value *row, int64_t weight, struct err *err);
/* The same without noting a timer: for timers.c, which moves rows through the operator. */
int op_apply(struct op *op, const struct value *row, int64_t weight, struct err *err);
int op_emit(struct op *op, const struct value *row, int64_t weight, struct err *err);
int op_run(struct op *op, const struct sql_prog *p, const struct value *row, struct value *ret, struct err *err);
/* Evaluation failed for a row of that weight. 0 when it is an error of the data, which is counted; -1 for others. */
int op_failed(struct op *op, int64_t weight, struct err *err);

/* aggregate.c */
void aggregate_init(struct op *op);
int aggregate_push(struct op *op, const struct value *row, int64_t weight, struct err *err);
int aggregate_finish(struct op *op, struct err *err);
void aggregate_release(struct op *op);

/* join.c */
int join_push(struct op *op, uint32_t side, const struct value *row, int64_t weight, struct err *err);
void join_release(struct op *op);

/* timers.c */
int timers_note(struct op *op, const struct value *row, int64_t weight, int64_t due, struct err *err);
int timers_run(struct op *op, int64_t now, struct err *err);
void timers_release(struct op *op);
int64_t op_next_change(struct op *op, const struct value *row);

/* result.c */
int result_push(struct statement *s, struct flow *f, const struct value *row, int64_t weight, struct err *err);
void results_release(struct statement *s);

#endif
