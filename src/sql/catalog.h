/*
 * What the server's catalog says, asked once and remembered: relations, types, operators, functions, casts, collations. One planning, one
 * thread; the
 * caller has opened the transaction and set search_path to pg_catalog.
 */
#ifndef WALMILL_SQL_CATALOG_H
#define WALMILL_SQL_CATALOG_H

#include "base/map.h"
#include "sql/sql.h"

struct catalog {
	const struct sql_server *server;
	struct arena *arena;            /* everything found lives here */
	struct map found;               /* "what:key" -> struct */
	bool database_is_c;             /* the default collation orders by bytes */
	bool ctype_is_c, ctype_known;   /* letters: those of C; those of glibc's non-Turkic UTF-8 locales */
};

struct cat_column {
	const char *name;
	int16_t attnum;
	bool not_null, generated;
	struct type type;
	const struct sql_enum *labels;
};

struct cat_relation {
	uint32_t oid;
	char kind;                      /* relkind */
	bool inherited;                 /* an ordinary table that other tables inherit from */
	const char *schema, *name;
	uint32_t ncolumns;
	struct cat_column *columns;
	uint32_t npk;
	int16_t *pk;                    /* attnums */
	const char *viewdef;            /* views: their query */
};

struct cat_function {
	bool exists;
	char kind;                      /* prokind: f, a, w */
	char volatility;
	struct type result;
};

int catalog_open(struct catalog *c, const struct sql_server *server, struct arena *a, struct err *err) WM_MUST_USE;
void catalog_close(struct catalog *c);

int catalog_query(struct catalog *c, const char *sql, const char *const *params, uint32_t n, struct sql_rows *ret,
	struct err *err) WM_MUST_USE;
int catalog_relation(struct catalog *c, const char *schema, const char *name, const struct cat_relation **ret, struct err *err) WM_MUST_USE;
int catalog_type(struct catalog *c, uint32_t oid, struct type *ret, struct err *err) WM_MUST_USE;
int catalog_is_domain(struct catalog *c, const char *schema, const char *name, bool *ret, struct err *err) WM_MUST_USE;
int catalog_type_named(struct catalog *c, const char *schema, const char *name, struct type *ret, struct err *err) WM_MUST_USE;
/* NULL for what is not an enum. */
int catalog_enum(struct catalog *c, const struct type *type, const struct sql_enum **ret, struct err *err) WM_MUST_USE;
/* The type of arrays of that type; its oid is 0 when there is none. */
int catalog_array_of(struct catalog *c, uint32_t elem, struct type *ret, struct err *err) WM_MUST_USE;
/* left 0: a prefix operator */
int catalog_operator(struct catalog *c, const char *name, uint32_t left, uint32_t right, struct cat_function *ret,
	struct err *err) WM_MUST_USE;
int catalog_function(struct catalog *c, const char *name, const struct type *args, uint32_t n, struct cat_function *ret,
	struct err *err) WM_MUST_USE;
int catalog_collation(struct catalog *c, const char *schema, const char *name, uint32_t *ret_oid, struct err *err) WM_MUST_USE;
/* Whether text of that collation is ordered by its bytes, and whether equality is that of bytes. */
int catalog_collation_order(struct catalog *c, uint32_t oid, bool *ret_is_c, bool *ret_deterministic, struct err *err) WM_MUST_USE;
int catalog_is_zone_abbreviation(struct catalog *c, const char *name, bool *ret, struct err *err) WM_MUST_USE;

#endif
