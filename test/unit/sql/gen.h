/* Random typed SQL expressions over the columns of table `cells`, for differential tests. */
#ifndef WALMILL_TEST_SQL_GEN_H
#define WALMILL_TEST_SQL_GEN_H

#include "oracle.h"

enum gen_type { G_INT2, G_INT4, G_INT8, G_FLOAT4, G_FLOAT8, G_NUM, G_TEXT, G_VARCHAR, G_BPCHAR, G_BOOL, G_DATE, G_TIME, G_TS, G_TZ, G_IV,
	G_UUID, G_TYPES };

extern const char *const gen_sql_types[G_TYPES];    /* for CREATE TABLE */

/* A literal value of the type as text, or NULL for null. */
const char *gen_value(struct arena *a, enum gen_type t);

/* An expression of the type; columns are c0 .. c15 by type. */
const char *gen_expr(struct arena *a, enum gen_type t, int depth);

#endif
