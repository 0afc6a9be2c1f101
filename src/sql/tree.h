/*
 * libpg_query's parse tree, read from its JSON form into nodes that can be asked by name. The JSON path is the one that does not overflow
 * the stack on deeply nested
 * text, and our reader bounds the depth again.
 */
#ifndef WALMILL_SQL_TREE_H
#define WALMILL_SQL_TREE_H

#include "base/arena.h"
#include "base/err.h"

struct tree {
	struct view key, text;          /* text: of a string (unescaped), number, "true" */
	bool is_string;
	struct tree *child, *next;
};

/* Reads JSON of any origin. ERR_LIMIT when nested too deeply, ERR_INVALID when it is not JSON. */
int tree_read(struct view json, struct arena *a, struct tree **ret, struct err *err) WM_MUST_USE;

/* Parses one SQL statement: its "stmt" node. ERR_INVALID with the parser's message; *ret_pos is its 0-based position or -1. */
int tree_parse_sql(const char *sql, struct arena *a, const struct tree **ret, int32_t *ret_pos, struct err *err) WM_MUST_USE;

const struct tree *tree_get(const struct tree *t, const char *key);     /* NULL when t is NULL or has none */
const struct tree *tree_is(const struct tree *t, const char *tag);      /* {"tag": inner} -> inner, else NULL */
const char *tree_str(const struct tree *t, const char *key);            /* NULL when absent */
int64_t tree_int(const struct tree *t, const char *key, int64_t absent);
bool tree_true(const struct tree *t, const char *key);
uint32_t tree_count(const struct tree *list);                           /* members of an array; 0 for NULL */
int32_t tree_pos(const struct tree *inner);                             /* its "location"; an absent one is offset 0; -1 for NULL */

#define TREE_EACH(it, list) for (const struct tree *it = (list) ? (list)->child : NULL; it; it = it->next)

#endif
