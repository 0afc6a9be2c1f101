/*
 * Values to and from text, as the types' input and output functions of PostgreSQL 15 do it (DateStyle ISO, IntervalStyle postgres,
 * extra_float_digits
 * 1, bytea_output hex). Any thread.
 */
#ifndef WALMILL_MODEL_VALUE_TEXT_H
#define WALMILL_MODEL_VALUE_TEXT_H

#include "base/tz.h"
#include "model/value.h"

struct value_env {
	const struct tz *zone;      /* of timestamptz without an offset, and of its output */
	struct tz_cache *zones;     /* for zone names in timestamptz input; may be NULL */
};

/*
 * Text types borrow `text`. typmod is not applied. Errors are ERR_DATA with the server's SQLSTATE and text (22P02 and others). JSON and
 * JSONB are taken
 * as they come: the text must be the server's own output.
 */
int value_parse(struct view text, enum value_kind kind, const struct value_env *env, struct arena *a, struct value *ret,
	struct err *err) WM_MUST_USE;

/* Appends the output text of a value that is not null. */
void value_print(const struct value *v, const struct value_env *env, struct buf *b);

void float8_print(double d, struct buf *b);     /* the shortest digits that read back as d; 1e+15 from there on */
void float4_print(double d, struct buf *b);
int float8_parse(struct view text, double *ret, struct err *err) WM_MUST_USE;
int float4_parse(struct view text, double *ret, struct err *err) WM_MUST_USE;

#endif
