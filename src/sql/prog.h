/* The compiled form of an expression, shared by expr_eval.c and clock.c. */
#ifndef WALMILL_SQL_PROG_H
#define WALMILL_SQL_PROG_H

#include "sql/func.h"

struct sql_prog {
	uint8_t kind;               /* enum sql_expr_kind */
	uint8_t type;               /* enum value_kind of the result */
	bool uses_clock;
	uint32_t column, nargs;
	sql_call_fn call;
	const struct sql_fn *fn;
	struct sql_site site;
	struct value constant;
	struct sql_prog *args[];
};

#endif
