/*
 * The PostgreSQL functions, operators and casts that walmill evaluates itself.
 *
 * A function is found by its SQL name (an operator's symbol, a function's name in pg_catalog) and the kinds of its arguments; that such a
 * function exists for exactly
 * these types, and what it returns, is asked of the server first (catalog.h), so that the table here can be by kind. Keys are
 * "name(kinds)" with one letter a kind:
 * i integers, f floats, n numeric, t text varchar name, b character(n), d date, T time, s timestamp, z timestamptz, v interval, o bool, y
 * bytea, u uuid, e enums, c citext, j json, J jsonb.
 *
 * Calls run on any thread; results may be in eval->arena or borrow from the arguments.
 */
#ifndef WALMILL_SQL_FUNC_H
#define WALMILL_SQL_FUNC_H

#include "sql/expr_eval.h"

/* One use of a function in an expression: what is known before the first row. */
struct sql_site {
	uint8_t ret;                /* enum value_kind of the result */
	uint8_t field;              /* FN_FIELD with a constant argument: enum dt_field */
	int32_t typmod;             /* casts: to apply, or -1 */
	const struct tz *zone;      /* FN_ZONE_ARG with a constant argument */
	const struct sql_enum *labels;  /* sql_fn_enum_rank and sql_fn_enum_label */
};

typedef int (*sql_call_fn)(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err);

enum sql_fn_flags {
	FN_FIELD = 1,       /* args[0] names a field of a date */
	FN_ZONE_ARG = 2,    /* the argument `zone_arg` names a time zone */
	FN_ORDER = 4,       /* depends on the order of its arguments' type */
	FN_COMPARE = 8,     /* a comparison; op says which */
	FN_USES_ZONE = 16,  /* depends on the job's time zone */
	FN_CTYPE = 32,      /* depends on the letters of a locale */
	FN_PATTERN = 64,    /* args[1] is a constant pattern of to_char(), tried out when planning */
};

struct sql_fn {
	const char *key;
	sql_call_fn call;
	uint8_t flags;
	char op;            /* FN_COMPARE: = n < l > g (n: <>, l: <=, g: >=) */
	/* How the result moves when an argument grows: '+' never down, '-' never up, '.' anything. One character an argument. */
	const char *clock;
	uint8_t zone_arg;
};

enum { SQL_ARGS_MAX = 4 };

/* The letter of a kind, 0 for kinds that no function takes. */
char sql_kind_letter(enum value_kind kind);

/* NULL when walmill does not evaluate it. */
const struct sql_fn *sql_fn_find(const char *name, const enum value_kind *kinds, uint32_t n);

/* The cast from one kind to another, with text as a bridge where the server uses it. NULL when walmill has none. */
const struct sql_fn *sql_fn_cast(enum value_kind from, enum value_kind to);

/* The case-folding functions for a locale's letters; the plain table entries are those of the C locale. */
const struct sql_fn *sql_fn_unicode_case(const struct sql_fn *c_locale);

/*
 * An enum's value to its place in the order of labels, as an integer, and back: what compares enums compares these. A label that the plan
 * does not know was added since: that is no error in the data but a reason to plan anew, hence retriable.
 */
extern const struct sql_fn sql_fn_enum_rank, sql_fn_enum_label;

int sql_data_error(struct err *err, const char *sqlstate, const char *text);

/* The tables of the other files, each ended by a NULL key. */
extern const struct sql_fn sql_fns_arith[], sql_fns_text[], sql_fns_time[], sql_fns_char[];

#endif
