/* Parse trees; see tree.h. */
#include "sql/tree.h"

#include <pg_query.h>
#include <stdlib.h>

#include "base/js.h"

enum { DEPTH_MAX = 500 };

int tree_read(struct view json, struct arena *a, struct tree **ret, struct err *err)
{
	struct tree *open[DEPTH_MAX + 2], **tail[DEPTH_MAX + 2], *root = NULL, *t;
	struct js_reader r;
	struct js_token tok;
	unsigned depth = 0;

	js_reader_init(&r, json, DEPTH_MAX);
	tail[0] = &root;
	for (;;) {
		enum js_kind kind = js_next(&r, &tok);

		if (kind == JS_END)
			break;
		if (kind == JS_BAD) {
			if (r.depth >= DEPTH_MAX)
				return err_set(err, ERR_LIMIT, "the statement is nested too deeply");
			return js_error(&r, "parse tree", err);
		}
		if (kind == JS_OBJECT_END || kind == JS_ARRAY_END) {
			depth--;
			continue;
		}
		t = arena_zalloc(a, sizeof(*t));
		t->key = tok.has_key ? tok.key : VIEW_NULL;
		t->is_string = kind == JS_STRING;
		if (kind == JS_STRING || kind == JS_NUMBER)
			t->text = arena_view(a, js_unescape(a, tok.text, tok.text_escaped));    /* with a NUL behind */
		else if (kind == JS_TRUE)
			t->text = view_str("true");
		*tail[depth] = t;
		tail[depth] = &t->next;
		if (kind == JS_OBJECT || kind == JS_ARRAY) {
			wm_assert(depth < DEPTH_MAX + 1);
			open[depth++] = t;
			tail[depth] = &open[depth - 1]->child;
		}
	}
	if (!root)
		return err_set(err, ERR_INVALID, "parse tree: empty");
	*ret = root;
	return 0;
}

int tree_parse_sql(const char *sql, struct arena *a, const struct tree **ret, int32_t *ret_pos, struct err *err)
{
	PgQueryParseResult r = pg_query_parse(sql);
	const struct tree *stmts;
	struct tree *root;
	int rc = -1;

	*ret_pos = -1;
	if (r.error) {
		err_set(err, ERR_INVALID, "%s", r.error->message);
		memcpy(err->sqlstate, "42601", 6);
		*ret_pos = r.error->cursorpos - 1;
		goto out;
	}
	/* the keys borrow from the JSON text: keep it */
	if (tree_read(arena_view(a, view_str(r.parse_tree)), a, &root, err) != 0)
		goto out;
	stmts = tree_get(root, "stmts");
	if (tree_count(stmts) != 1) {
		err_set(err, ERR_INVALID, "expected one statement");
		goto out;
	}
	*ret = tree_get(stmts->child, "stmt");
	rc = *ret ? 0 : err_set(err, ERR_INVALID, "expected one statement");
out:
	pg_query_free_parse_result(r);
	return rc;
}

const struct tree *tree_get(const struct tree *t, const char *key)
{
	TREE_EACH(c, t)
		if (view_is(c->key, key))
			return c;
	return NULL;
}

const struct tree *tree_is(const struct tree *t, const char *tag)
{
	return t && t->child && view_is(t->child->key, tag) ? t->child : NULL;
}

const char *tree_str(const struct tree *t, const char *key)
{
	const struct tree *c = tree_get(t, key);

	return c && c->is_string ? (const char *)c->text.ptr : NULL;
}

int64_t tree_int(const struct tree *t, const char *key, int64_t absent)
{
	const struct tree *c = tree_get(t, key);

	return c && c->text.len ? strtoll((const char *)c->text.ptr, NULL, 10) : absent;
}

bool tree_true(const struct tree *t, const char *key)
{
	const struct tree *c = tree_get(t, key);

	return c && view_is(c->text, "true");
}

uint32_t tree_count(const struct tree *list)
{
	uint32_t n = 0;

	TREE_EACH(c, list)
		n++;
	return n;
}

int32_t tree_pos(const struct tree *inner)
{
	return inner ? (int32_t)tree_int(inner, "location", 0) : -1;
}
