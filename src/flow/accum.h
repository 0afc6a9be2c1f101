/*
 * Exact accumulators: sums, averages and counts that take values away as exactly as they add them.
 *
 * A state is accum_size(kind) bytes of the caller's memory, zeroed, 16-aligned; it may own heap memory (numerics of several scales,
 * floats), so that
 * it ends with accum_release(). One thread at a time. Nulls are ignored; weights may be negative; what was added must have been there to
 * be taken away.
 *
 *	COUNT               non-null values
 *	SUM_INT             int2, int4 -> int8 (22003 beyond it)         SUM_INT8       int8 -> numeric
 *	AVG_INT             int2, int4, int8 -> numeric, with the server's division scale
 *	SUM_NUM, AVG_NUM    the display scale is the largest one among the values present; NaN and infinities are counted apart
 *	SUM_FLOAT4/8, AVG_FLOAT   the exact sum, rounded once: independent of order and of what came and went. avg = rounded sum / count.
 *	SUM_INTERVAL, AVG_INTERVAL   months, days and microseconds apart
 *	BOOL_AND, BOOL_OR
 *
 * No value, no sum: the result is null then (COUNT: 0).
 */
#ifndef WALMILL_FLOW_ACCUM_H
#define WALMILL_FLOW_ACCUM_H

#include "model/value.h"
#include "sql/plan.h"

/* The numbers are stored in checkpoints: only ever append. */
enum accum_kind {
	ACCUM_NONE = 0, ACCUM_COUNT = 1, ACCUM_SUM_INT = 2, ACCUM_SUM_INT8 = 3, ACCUM_AVG_INT = 4, ACCUM_SUM_NUM = 5, ACCUM_AVG_NUM = 6,
	ACCUM_SUM_FLOAT4 = 7, ACCUM_SUM_FLOAT8 = 8, ACCUM_AVG_FLOAT = 9, ACCUM_SUM_INTERVAL = 10, ACCUM_AVG_INTERVAL = 11, ACCUM_BOOL_AND = 12,
	ACCUM_BOOL_OR = 13
};

/* The accumulator of an aggregate over an argument of that kind; ACCUM_NONE where there is none (min, max, other types). */
enum accum_kind accum_kind_of(enum sql_agg_kind agg, enum value_kind arg);

size_t accum_size(enum accum_kind kind);
void accum_add(enum accum_kind kind, void *state, const struct value *v, int64_t weight);
/* Big numerics of the result are in the arena. Errors are the server's: 22003, 22008. */
int accum_result(enum accum_kind kind, const void *state, struct arena *a, struct value *ret, struct err *err) WM_MUST_USE;
void accum_release(enum accum_kind kind, void *state);
size_t accum_heap_bytes(enum accum_kind kind, const void *state);    /* beyond accum_size(), for memory budgets */

void accum_store(enum accum_kind kind, const void *state, struct buf *b);
/* Into a zeroed state; ERR_CORRUPT, and the state is empty then. */
int accum_load(enum accum_kind kind, void *state, struct reader *r, struct err *err) WM_MUST_USE;

#endif
