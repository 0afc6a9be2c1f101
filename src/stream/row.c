/*
 * Rows out of published bytes; see row.h. Members come in the order of the schema, so the next expected one is tried first and a look-up by
 * name is the exception.
 */
#include "stream/row.h"

#include "base/js.h"
#include "base/map.h"
#include "base/mem.h"
#include "stream/row_value.h"

struct slot {
	const struct column *column;
	int32_t at;              /* index in the row that the caller wants, or -1: skip */
};

struct row_decoder {
	const struct table *table;
	struct slot *slots;      /* every published column, in the order of publication */
	uint32_t nslots, width;
	uint8_t *is_key;         /* of the wanted columns: part of the primary key */
	uint8_t *kinds;
	struct map names;        /* published name -> slot index + 1 */
	const bool *skip;     /* of the record being read */
};

static int refuse(const struct table *t, const struct column *c, const char *why, struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, "column \"%.*s\" of table \"%.*s.%.*s\" cannot be used by a job: %s", (int)c->name.len,
		(const char *)c->name.ptr, (int)t->schema.len, (const char *)t->schema.ptr, (int)t->name.len, (const char *)t->name.ptr, why);
	return err_hint(err, "Change the connector's settings for it, or leave the column out of the query.");
}

/* Whether the form keeps every value of the type; NULL when it does, else why not. */
static const char *loss(const struct column *c, uint8_t form, const struct type *type)
{
	int precision = type->typmod;

	switch ((enum column_form)form) {
	case FORM_OMITTED:
		return c->generated ? "it is a generated column, which the server does not publish" : "the connector leaves it out of the events";
	case FORM_LOST:
		return "the connector's settings or transforms change it beyond recovery";
	case FORM_INTERVAL_US:
		return "interval.handling.mode=numeric keeps neither months nor days; set it to string";
	case FORM_DECIMAL_DOUBLE:
		if (precision < 4 || ((precision - 4) >> 16 & 0xffff) > 15)
			return "decimal.handling.mode=double keeps 15 digits only; set it to string or precise";
		return NULL;
	case FORM_EPOCH_MS:
		if (precision < 0 || precision > 3)
			return "time.precision.mode publishes it in milliseconds, which is coarser than the type; set it to adaptive";
		return NULL;
	case FORM_ARRAY:
		/* arrays are compared by their text, in which 1.0 and 1.00 differ */
		if (c->elem_form == FORM_DECIMAL_VARIABLE)
			return "decimal.handling.mode=precise publishes its elements without their trailing zeros; set it to string";
		return form == c->elem_form ? "its type is not supported in jobs" : loss(c, c->elem_form, &c->elem);
	default:
		return type->kind == VALUE_OTHER || type->kind == VALUE_NONE ? "its type is not supported in jobs" : NULL;
	}
}

int row_decoder_new(const struct table *t, const int16_t *attnums, uint32_t n, struct row_decoder **ret, struct err *err)
{
	struct row_decoder *d = mem_zalloc(sizeof(*d));
	uint32_t i, k;

	d->table = t;
	d->width = n;
	d->names = MAP_INIT;
	d->slots = mem_zalloc((t->ncolumns + 1) * sizeof(*d->slots));
	d->is_key = mem_zalloc(n + 1);
	d->kinds = mem_zalloc(n + 1);
	for (i = 0; i < n; i++) {
		int at = table_find_attnum(t, attnums[i]);
		const char *why = at >= 0 ? loss(&t->columns[at], t->columns[at].form, &t->columns[at].base) : NULL;

		if (at < 0) {
			err_set(err, ERR_NOT_FOUND, "table \"%.*s.%.*s\" has no column with attribute number %d in version %u of its schema",
				(int)t->schema.len, (const char *)t->schema.ptr, (int)t->name.len, (const char *)t->name.ptr, attnums[i], t->version);
			goto fail;
		}
		if (why) {
			refuse(t, &t->columns[at], why, err);
			goto fail;
		}
		d->is_key[i] = t->columns[at].key != 0;
		d->kinds[i] = t->columns[at].base.kind;
	}
	for (i = 0; i < t->ncolumns; i++) {
		struct slot *s = &d->slots[d->nslots];

		if (t->columns[i].form == FORM_OMITTED)
			continue;
		*s = (struct slot){&t->columns[i], -1};
		for (k = 0; k < n; k++)
			if (attnums[k] == t->columns[i].attnum)
				s->at = (int32_t)k;
		d->nslots++;
		map_put(&d->names, t->columns[i].published, (void *)(uintptr_t)d->nslots);
	}
	*ret = d;
	return 0;
fail:
	row_decoder_free(d);
	return -1;
}

void row_decoder_free(struct row_decoder *d)
{
	if (!d)
		return;
	map_release(&d->names);
	mem_free(d->slots);
	mem_free(d->is_key);
	mem_free(d->kinds);
	mem_free(d);
}

/* ---- reading ---- */

static int corrupt(const struct row_decoder *d, const char *why, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "a published row of table \"%.*s.%.*s\" cannot be read: %s", (int)d->table->schema.len,
		       (const char *)d->table->schema.ptr, (int)d->table->name.len, (const char *)d->table->name.ptr, why);
}

static const struct slot *slot_of(const struct row_decoder *d, const struct js_token *t, uint32_t *expected, struct arena *a)
{
	struct view name = js_unescape(a, t->key, t->key_escaped);
	uintptr_t i;

	if (*expected < d->nslots && view_eq(name, d->slots[*expected].column->published))
		return &d->slots[(*expected)++];
	i = (uintptr_t)map_get(&d->names, name);
	if (!i)
		return NULL;
	*expected = (uint32_t)i;
	return &d->slots[i - 1];
}

/* The members of an open object that are columns; `deleted` (may be NULL) is set by the unwrap transform's own member. */
static int read_members(
	struct row_decoder *d, struct js_reader *r, struct arena *a, struct value *row, bool key_only, bool *deleted, struct err *err)
{
	uint32_t expected = 0;
	struct js_token t;

	for (;;) {
		const struct slot *s;

		switch (js_next(r, &t)) {
		case JS_OBJECT_END:
			return 0;
		case JS_BAD:
		case JS_END:
			return corrupt(d, r->why ? r->why : "it ends too early", err);
		default:
			break;
		}
		if (deleted && view_is(t.key, "__deleted")) {
			*deleted = view_is(t.text, "true");
			continue;
		}
		s = slot_of(d, &t, &expected, a);
		if (!s || s->at < 0 || (key_only && !s->column->key) || (d->skip && d->skip[s->at])) {
			if (js_skip(r, &t) == JS_BAD)
				return corrupt(d, r->why ? r->why : "it ends too early", err);
			continue;
		}
		if (row_value_read(s->column, r, &t, a, &row[s->at], err))
			return err_context(err, "table \"%.*s.%.*s\", column \"%.*s\"", (int)d->table->schema.len, (const char *)d->table->schema.ptr,
					   (int)d->table->name.len, (const char *)d->table->name.ptr, (int)s->column->name.len,
					   (const char *)s->column->name.ptr);
	}
}

/* Enters the payload: past {"schema":...,"payload": when the converter's schemas are on. *ret_null: it is a null. */
static int enter(struct row_decoder *d, struct js_reader *r, bool *ret_wrapped, bool *ret_null, struct err *err)
{
	struct js_reader mark;
	struct js_token t;

	*ret_wrapped = *ret_null = false;
	switch (js_next(r, &t)) {
	case JS_NULL:
		*ret_null = true;
		return 0;
	case JS_OBJECT:
		break;
	default:
		return corrupt(d, "it is not an object", err);
	}
	mark = *r;
	if (js_next(r, &t) == JS_OBJECT && view_is(t.key, "schema")) {
		if (js_skip(r, &t) == JS_BAD || js_next(r, &t) == JS_BAD || !view_is(t.key, "payload"))
			return corrupt(d, "there is no payload behind the schema", err);
		*ret_wrapped = true;
		*ret_null = t.kind == JS_NULL;
		return t.kind == JS_OBJECT || *ret_null ? 0 : corrupt(d, "the payload is not an object", err);
	}
	*r = mark;
	return 0;
}

static int read_envelope(
	struct row_decoder *d, struct js_reader *r, struct arena *a, struct value *row, enum row_op *ret_op, struct err *err)
{
	struct value *before = arena_alloc(a, d->width * sizeof(*before));
	bool have_before = false, have_after = false;
	struct js_token t;
	char op = 0;

	memcpy(before, row, d->width * sizeof(*row));
	while (js_next(r, &t) != JS_OBJECT_END) {
		if (t.kind == JS_BAD || t.kind == JS_END)
			return corrupt(d, r->why ? r->why : "it ends too early", err);
		if (t.kind == JS_OBJECT && view_is(t.key, "before")) {
			have_before = true;
			if (read_members(d, r, a, before, true, NULL, err))
				return -1;
		} else if (t.kind == JS_OBJECT && view_is(t.key, "after")) {
			have_after = true;
			if (read_members(d, r, a, row, false, NULL, err))
				return -1;
		} else if (t.kind == JS_STRING && view_is(t.key, "op") && t.text.len == 1) {
			op = (char)t.text.ptr[0];
		} else if (js_skip(r, &t) == JS_BAD) {
			return corrupt(d, r->why ? r->why : "it ends too early", err);
		}
	}
	if (op == 'd' && have_before) {
		memcpy(row, before, d->width * sizeof(*row));
		*ret_op = ROW_DELETE;
	} else if (op == 't') {
		*ret_op = ROW_NOTHING;
	} else if (op && have_after) {
		*ret_op = ROW_UPSERT;
	} else {
		return corrupt(d, "it is not an envelope", err);
	}
	return 0;
}

/* A null value is a delete of the row that the key names. */
static int read_key(struct row_decoder *d, struct view key, struct arena *a, struct value *row, enum row_op *ret_op, struct err *err)
{
	struct js_reader r;
	bool wrapped, null;

	*ret_op = ROW_NOTHING;
	if (!key.ptr)
		return 0;
	js_reader_init(&r, key, 0);
	if (enter(d, &r, &wrapped, &null, err))
		return -1;
	*ret_op = ROW_DELETE;
	return null ? corrupt(d, "its key is null", err) : read_members(d, &r, a, row, true, NULL, err);
}

int row_decode(struct row_decoder *d, struct view key, struct view value, const bool *skip, struct arena *a, enum row_op *ret_op,
	struct value *row, struct err *err)
{
	bool wrapped, null, deleted = false;
	struct js_reader r;
	uint32_t i;

	d->skip = skip;
	for (i = 0; i < d->width; i++)
		row[i] = value_null((enum value_kind)d->kinds[i]);
	if (!value.ptr)
		return read_key(d, key, a, row, ret_op, err);
	js_reader_init(&r, value, 0);
	if (enter(d, &r, &wrapped, &null, err))
		return -1;
	if (null)
		return read_key(d, key, a, row, ret_op, err);
	if (!d->table->flattened)
		return read_envelope(d, &r, a, row, ret_op, err);
	if (read_members(d, &r, a, row, false, &deleted, err))
		return -1;
	*ret_op = deleted ? ROW_DELETE : ROW_UPSERT;
	for (i = 0; deleted && i < d->width; i++)
		if (!d->is_key[i])
			row[i] = value_null((enum value_kind)d->kinds[i]);
	return 0;
}
