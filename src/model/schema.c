/*
 * Table schemas; see schema.h. Stored form, version 1:
 *
 *	u8 format = 1
 *	uvarint oid, version
 *	bytes schema, name, topic
 *	u8 replica_identity, kind, flags (1 flattened, 2 deletes_lost)
 *	uvarint ncolumns, then a column each:
 *		bytes name, published
 *		varint attnum, uvarint key
 *		u8 flags (1 not_null, 2 generated, 4 has_default, 8 has default_expr), form, elem_form
 *		3 types: u8 kind, varint typmod, uvarint oid, elem, collation
 *		[bytes default_expr] [bytes published_default]
 *		uvarint nlabels, bytes each
 *	uvarint nkey, uvarint column index each
 */
#include "model/schema.h"

enum { FORMAT = 1 };

int table_find_attnum(const struct table *t, int attnum)
{
	uint32_t i;

	for (i = 0; i < t->ncolumns; i++)
		if (t->columns[i].attnum == attnum)
			return (int)i;
	return -1;
}

int table_find_column(const struct table *t, struct view name)
{
	uint32_t i;

	for (i = 0; i < t->ncolumns; i++)
		if (view_eq(t->columns[i].name, name))
			return (int)i;
	return -1;
}

static void store_type(struct buf *b, const struct type *t)
{
	buf_u8(b, t->kind);
	buf_varint(b, t->typmod);
	buf_uvarint(b, t->oid);
	buf_uvarint(b, t->elem);
	buf_uvarint(b, t->collation);
}

static void store_column(struct buf *b, const struct column *c)
{
	uint32_t i;

	buf_bytes(b, c->name);
	buf_bytes(b, c->published);
	buf_varint(b, c->attnum);
	buf_uvarint(b, c->key);
	buf_u8(b, (uint8_t)((c->not_null ? 1 : 0) | (c->generated ? 2 : 0) | (c->has_default ? 4 : 0) | (c->default_expr.ptr ? 8 : 0)));
	buf_u8(b, c->form);
	buf_u8(b, c->elem_form);
	store_type(b, &c->type);
	store_type(b, &c->base);
	store_type(b, &c->elem);
	if (c->default_expr.ptr)
		buf_bytes(b, c->default_expr);
	if (c->has_default)
		buf_bytes(b, c->published_default);
	buf_uvarint(b, c->nlabels);
	for (i = 0; i < c->nlabels; i++)
		buf_bytes(b, c->labels[i]);
}

void table_store(struct buf *b, const struct table *t)
{
	uint32_t i;

	buf_u8(b, FORMAT);
	buf_uvarint(b, t->oid);
	buf_uvarint(b, t->version);
	buf_bytes(b, t->schema);
	buf_bytes(b, t->name);
	buf_bytes(b, t->topic);
	buf_u8(b, (uint8_t)t->replica_identity);
	buf_u8(b, (uint8_t)t->kind);
	buf_u8(b, (uint8_t)((t->flattened ? 1 : 0) | (t->deletes_lost ? 2 : 0)));
	buf_uvarint(b, t->ncolumns);
	for (i = 0; i < t->ncolumns; i++)
		store_column(b, &t->columns[i]);
	buf_uvarint(b, t->nkey);
	for (i = 0; i < t->nkey; i++)
		buf_uvarint(b, t->key[i]);
}

static uint64_t bounded(struct reader *r, uint64_t max)
{
	uint64_t v = reader_uvarint(r);

	if (v > max) {
		r->bad = true;
		return 0;
	}
	return v;
}

static void load_type(struct reader *r, struct type *t)
{
	t->kind = reader_u8(r);
	t->typmod = (int32_t)reader_varint(r);
	t->oid = (uint32_t)bounded(r, UINT32_MAX);
	t->elem = (uint32_t)bounded(r, UINT32_MAX);
	t->collation = (uint32_t)bounded(r, UINT32_MAX);
	if (t->kind >= VALUE_KINDS)
		r->bad = true;
}

static void load_column(struct reader *r, struct arena *a, struct column *c)
{
	uint8_t flags;
	uint32_t i;

	c->name = arena_view(a, reader_bytes(r));
	c->published = arena_view(a, reader_bytes(r));
	c->attnum = (int16_t)reader_varint(r);
	c->key = (uint16_t)bounded(r, KEY_COLUMNS_MAX);
	flags = reader_u8(r);
	c->not_null = flags & 1;
	c->generated = flags & 2;
	c->has_default = flags & 4;
	c->form = reader_u8(r);
	c->elem_form = reader_u8(r);
	if (c->form > FORM_ARRAY || c->elem_form > FORM_ARRAY)
		r->bad = true;
	load_type(r, &c->type);
	load_type(r, &c->base);
	load_type(r, &c->elem);
	if (flags & 8)
		c->default_expr = arena_view(a, reader_bytes(r));
	if (flags & 4)
		c->published_default = arena_view(a, reader_bytes(r));
	/* a label takes at least its length byte, so the count is bounded by what is left before anything is allocated for it */
	c->nlabels = (uint32_t)bounded(r, reader_left(r));
	c->labels = c->nlabels ? arena_zalloc(a, c->nlabels * sizeof(*c->labels)) : NULL;
	for (i = 0; i < c->nlabels; i++)
		c->labels[i] = arena_view(a, reader_bytes(r));
}

int table_load(struct view bytes, struct arena *a, struct table **ret, struct err *err)
{
	struct reader r = reader_of(bytes);
	struct table *t = arena_zalloc(a, sizeof(*t));
	uint8_t format = reader_u8(&r), flags;
	uint32_t i;

	if (!r.bad && format != FORMAT)
		return err_set(err, ERR_CORRUPT, "a stored table schema has format %u, this walmill reads %u", format, FORMAT);
	t->oid = (uint32_t)bounded(&r, UINT32_MAX);
	t->version = (uint32_t)bounded(&r, UINT32_MAX);
	t->schema = arena_view(a, reader_bytes(&r));
	t->name = arena_view(a, reader_bytes(&r));
	t->topic = arena_view(a, reader_bytes(&r));
	t->replica_identity = (char)reader_u8(&r);
	t->kind = (char)reader_u8(&r);
	flags = reader_u8(&r);
	t->flattened = flags & 1;
	t->deletes_lost = flags & 2;
	t->ncolumns = (uint32_t)bounded(&r, COLUMNS_MAX);
	t->columns = t->ncolumns ? arena_zalloc(a, t->ncolumns * sizeof(*t->columns)) : NULL;
	for (i = 0; i < t->ncolumns && !r.bad; i++)
		load_column(&r, a, &t->columns[i]);
	t->nkey = (uint32_t)bounded(&r, KEY_COLUMNS_MAX);
	for (i = 0; i < t->nkey; i++) {
		t->key[i] = (uint16_t)bounded(&r, COLUMNS_MAX);
		if (t->key[i] >= t->ncolumns)
			r.bad = true;
	}
	if (!reader_done(&r))
		return err_set(err, ERR_CORRUPT, "a stored table schema of %zu bytes cannot be read", bytes.len);
	*ret = t;
	return 0;
}

bool table_same(const struct table *a, const struct table *b)
{
	struct buf x = BUF_INIT(SIZE_MAX / 4), y = BUF_INIT(SIZE_MAX / 4);
	struct table ca = *a, cb = *b;
	bool same;

	ca.version = cb.version = 0;
	table_store(&x, &ca);
	table_store(&y, &cb);
	same = view_eq(buf_view(&x), buf_view(&y));
	buf_release(&x);
	buf_release(&y);
	return same;
}
