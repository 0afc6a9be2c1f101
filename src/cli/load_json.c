/* The cutter of load_json.h: brackets are counted outside strings; what is inside is the business of base/js.h. */
#include "cli/load_json.h"

#include "base/mem.h"

enum { CHUNK = 64 << 10 };

enum where { AT_START, BEFORE_OBJECT, AFTER_OBJECT, BEHIND_ARRAY };

struct json_cutter {
	text_fill_fn fill;
	void *arg;
	uint8_t *in;
	size_t pos, len;
	uint64_t line;
	enum where where;
	bool array;
	struct buf object;
};

struct json_cutter *json_cutter_new(text_fill_fn fill, void *arg, size_t object_max)
{
	struct json_cutter *c = mem_zalloc(sizeof(*c));

	c->fill = fill;
	c->arg = arg;
	c->in = mem_alloc(CHUNK);
	c->line = 1;
	c->object = BUF_INIT(object_max);
	return c;
}

void json_cutter_free(struct json_cutter *c)
{
	if (!c)
		return;
	buf_release(&c->object);
	mem_free(c->in);
	mem_free(c);
}

/* 1 with *ret = the next byte, which is taken; 0 at the end; -1. */
static int next_byte(struct json_cutter *c, uint8_t *ret, struct err *err)
{
	if (c->pos == c->len) {
		c->pos = 0;
		if (c->fill(c->arg, c->in, CHUNK, &c->len, err)) {
			c->len = 0;
			return -1;
		}
		if (c->len == 0)
			return 0;
	}
	*ret = c->in[c->pos++];
	c->line += *ret == '\n';
	return 1;
}

static int broken(const struct json_cutter *c, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "line %llu: %s", (unsigned long long)c->line, what);
}

/* Behind the opening brace of an object that begins in `line`. */
static int take_object(struct json_cutter *c, uint64_t line, struct err *err)
{
	bool string = false, escaped = false;
	unsigned depth = 1;
	uint8_t b;
	int rc;

	buf_clear(&c->object);
	buf_putc(&c->object, '{');
	while (depth) {
		rc = next_byte(c, &b, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return err_set(err, ERR_INVALID, "line %llu: the file ends within an object", (unsigned long long)line);
		buf_u8(&c->object, b);
		if (escaped) {
			escaped = false;
		} else if (string) {
			escaped = b == '\\';
			string = b != '"';
		} else if (b == '"') {
			string = true;
		} else if (b == '{' || b == '[') {
			depth++;
		} else if (b == '}' || b == ']') {
			depth--;
		}
	}
	if (!buf_ok(&c->object))
		return err_set(err, ERR_LIMIT, "line %llu: an object of more than %zu bytes", (unsigned long long)line, c->object.max);
	return 0;
}

/* A byte between objects. *ret_object: it opens one. */
static int take_between(struct json_cutter *c, uint8_t b, bool *ret_object, struct err *err)
{
	*ret_object = false;
	if (b == ' ' || b == '\t' || b == '\n' || b == '\r')
		return 0;
	if (b == '[' && c->where == AT_START) {
		c->array = true;
		c->where = BEFORE_OBJECT;
	} else if (b == '{' && c->where != BEHIND_ARRAY && !(c->array && c->where == AFTER_OBJECT)) {
		*ret_object = true;
	} else if (b == ',' && c->array && c->where == AFTER_OBJECT) {
		c->where = BEFORE_OBJECT;
	} else if (b == ']' && c->array && c->where != BEHIND_ARRAY) {
		c->where = BEHIND_ARRAY;
	} else {
		return broken(c, "neither an array of objects nor objects one after the other", err);
	}
	return 0;
}

int json_cutter_next(struct json_cutter *c, struct view *ret, uint64_t *ret_line, struct err *err)
{
	bool object;
	uint8_t b;
	int rc;

	for (;;) {
		rc = next_byte(c, &b, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return c->array && c->where != BEHIND_ARRAY ? broken(c, "the file ends within the array", err) : 0;
		if (take_between(c, b, &object, err))
			return -1;
		if (!object)
			continue;
		*ret_line = c->line;
		if (take_object(c, c->line, err))
			return -1;
		c->where = AFTER_OBJECT;
		*ret = buf_view(&c->object);
		return 1;
	}
}
