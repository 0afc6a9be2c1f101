/* Running a compiled table over changes; see encode.h. The hot path: one call per row, no allocation once the buffers have grown. */
#include "capture/encode.h"

#include "base/js.h"
#include "capture/encode_internal.h"

/* ---- rows ---- */

static int bad_value(const struct table_encoder *e, const struct column_encoder *ce, const struct pg_datum *d, struct err *err)
{
	err_set(err, ERR_DATA, "value of column \"%.*s\" of table \"%.*s.%.*s\" cannot be read", (int)ce->column->name.len,
		(const char *)ce->column->name.ptr, (int)e->table->schema.len, (const char *)e->table->schema.ptr, (int)e->table->name.len,
		(const char *)e->table->name.ptr);
	return err_detail(err, "The server sent %zu bytes of kind '%c' for type oid %u.", d->bytes.len, d->kind, ce->column->type.oid);
}

static void note(struct table_encoder *e, const struct column_encoder *ce, uint8_t kind)
{
	e->exceptions[e->nexceptions++] = (struct unit_exception){.attnum = ce->column->attnum, .kind = kind};
}

static const struct pg_datum *datum(const struct table_encoder *e, const struct pg_tuple *t, uint32_t column)
{
	int at = e->map[column];

	return at >= 0 && (uint32_t)at < t->n ? &t->cols[at] : NULL;
}

/* One member's value. `old` supplies unchanged out-of-line values when it is a whole row. */
static int put_member(
	struct table_encoder *e, struct buf *b, uint32_t i, const struct pg_datum *d, const struct pg_tuple *old, struct err *err)
{
	const struct column_encoder *ce = &e->columns[i];
	enum put_result rc;

	if (d && d->kind == 'u' && old)
		d = datum(e, old, i);
	if (!d || d->kind == 'n') {
		buf_putv(b, ce->for_null);
		if (ce->null_is_default)
			note(e, ce, EXCEPTION_NULL);
		return 0;
	}
	if (d->kind == 'u') {
		buf_putv(b, ce->unavailable);
		note(e, ce, EXCEPTION_UNCHANGED);
		return 0;
	}
	rc = d->kind == 'b' ? ce->value.put(b, &ce->value, d->bytes) : PUT_BAD;
	if (rc == PUT_BAD)
		return bad_value(e, ce, d, err);
	if (rc != PUT_PLAIN)
		note(e, ce, (uint8_t)rc);
	return 0;
}

/* {"a":1,... without the closing brace */
static int put_row(struct table_encoder *e, struct buf *b, const struct pg_tuple *t, const struct pg_tuple *old, struct err *err)
{
	bool any = false;
	uint32_t i;

	for (i = 0; i < e->ncolumns; i++) {
		if (e->columns[i].omitted)
			continue;
		any = true;
		buf_putv(b, e->columns[i].lead);
		if (put_member(e, b, i, datum(e, t, i), old, err))
			return -1;
	}
	if (!any)
		buf_putc(b, '{');
	return 0;
}

static int put_key(struct table_encoder *e, struct buf *b, const struct pg_tuple *t, bool schema, struct err *err)
{
	unsigned noted = e->nexceptions;
	uint32_t i;

	buf_clear(b);
	if (e->nkey == 0 && e->key_extra.len == 0)
		return 0;
	if (schema)
		buf_putv(b, e->key_open);
	buf_putc(b, '{');
	for (i = 0; i < e->nkey; i++) {
		struct view lead = e->columns[e->key[i]].lead;

		if (i)
			buf_putc(b, ',');
		buf_put(b, lead.ptr + 1, lead.len - 1);
		if (put_member(e, b, e->key[i], datum(e, t, e->key[i]), NULL, err))
			return -1;
	}
	if (e->key_extra.len)
		buf_put(b, e->key_extra.ptr + (e->nkey == 0), e->key_extra.len - (e->nkey == 0));
	buf_putc(b, '}');
	if (schema)
		buf_putv(b, e->key_close);
	/* a key says nothing that the row does not */
	e->nexceptions = noted;
	return 0;
}

/* ---- envelopes ---- */

static void put_times(struct buf *b, int64_t us)
{
	buf_i64(b, us / 1000);
}

static void put_sequence(struct buf *b, const struct change_origin *o)
{
	buf_puts(b, "\"[");
	if (o->last_commit_lsn) {
		buf_puts(b, "\\\"");
		buf_u64(b, o->last_commit_lsn);
		buf_puts(b, "\\\",");
	} else {
		buf_puts(b, "null,");
	}
	buf_puts(b, "\\\"");
	buf_u64(b, o->lsn);
	buf_puts(b, "\\\"]\"");
}

static void put_snapshot(const struct table_encoder *e, struct buf *b, const struct change_origin *o)
{
	if (o->snapshot)
		js_put_str(b, o->snapshot);
	else
		buf_puts(b, e->config->replace_null ? "\"false\"" : "null");
}

static void put_source(const struct table_encoder *e, struct buf *b, const struct change_origin *o)
{
	buf_putv(b, e->source_open);
	put_times(b, o->source_us);
	buf_puts(b, ",\"snapshot\":");
	put_snapshot(e, b, o);
	buf_putv(b, e->source_mid);
	put_sequence(b, o);
	buf_puts(b, ",\"ts_us\":");
	buf_i64(b, o->source_us);
	buf_puts(b, ",\"ts_ns\":");
	buf_i64(b, o->source_us);
	buf_puts(b, "000");
	buf_putv(b, e->source_table);
	buf_u64(b, o->xid);
	buf_puts(b, ",\"lsn\":");
	buf_u64(b, o->lsn);
	buf_puts(b, ",\"xmin\":null}");
}

static int put_envelope(struct table_encoder *e, struct buf *b, enum change_op op, const struct pg_tuple *old, char old_kind,
			const struct pg_tuple *new, const struct change_origin *o, struct err *err)
{
	const struct pg_tuple *before = op == OP_DELETE || (op == OP_UPDATE && old_kind == 'O') ? old : NULL;

	buf_puts(b, "{\"before\":");
	if (before) {
		unsigned noted = e->nexceptions;

		if (put_row(e, b, before, NULL, err))
			return -1;
		buf_putc(b, '}');
		e->nexceptions = noted; /* exceptions are about the row as it is now */
	} else {
		buf_puts(b, "null");
	}
	buf_puts(b, ",\"after\":");
	if (new) {
		if (put_row(e, b, new, old_kind == 'O' ? old : NULL, err))
			return -1;
		buf_putc(b, '}');
	} else {
		buf_puts(b, "null");
	}
	buf_puts(b, ",\"source\":");
	put_source(e, b, o);
	if (e->config->dialect != DIALECT_2_6)
		buf_puts(b, ",\"transaction\":null");
	buf_puts(b, ",\"op\":\"");
	buf_putc(b, (char)op);
	buf_puts(b, "\",\"ts_ms\":");
	put_times(b, o->now_us);
	buf_puts(b, ",\"ts_us\":");
	buf_i64(b, o->now_us);
	buf_puts(b, ",\"ts_ns\":");
	buf_i64(b, o->now_us);
	buf_puts(b, "000");
	if (e->config->dialect == DIALECT_2_6)
		buf_puts(b, ",\"transaction\":null");
	buf_putc(b, '}');
	return 0;
}

/* ---- flattened ---- */

static void put_added(
	const struct table_encoder *e, struct buf *b, const struct added *f, enum change_op op, const struct change_origin *o, bool quote)
{
	switch (f->kind) {
	case ADDED_CONSTANT:
		if (!quote && f->constant.len >= 2 && f->constant.ptr[0] == '"')
			buf_put(b, f->constant.ptr + 1, f->constant.len - 2);
		else
			buf_putv(b, f->constant);
		break;
	case ADDED_OP:
		if (quote)
			buf_putc(b, '"');
		buf_putc(b, (char)op);
		if (quote)
			buf_putc(b, '"');
		break;
	case ADDED_TS_MS:
		buf_i64(b, o->now_us / 1000);
		break;
	case ADDED_TS_US:
		buf_i64(b, o->now_us);
		break;
	case ADDED_TS_NS:
		buf_i64(b, o->now_us * 1000);
		break;
	case ADDED_SOURCE_TS_MS:
		buf_i64(b, o->source_us / 1000);
		break;
	case ADDED_SOURCE_TS_US:
		buf_i64(b, o->source_us);
		break;
	case ADDED_SOURCE_TS_NS:
		buf_i64(b, o->source_us * 1000);
		break;
	case ADDED_SNAPSHOT:
		put_snapshot(e, b, o);
		break;
	case ADDED_SEQUENCE:
		put_sequence(b, o);
		break;
	case ADDED_TXID:
		buf_u64(b, o->xid);
		break;
	case ADDED_LSN:
		buf_u64(b, o->lsn);
		break;
	}
}

static int put_flat(struct table_encoder *e, struct buf *b, enum change_op op, const struct pg_tuple *row, const struct pg_tuple *old,
		    const struct change_origin *o, struct err *err)
{
	enum delete_mode mode = e->unwrap->deletes;
	unsigned i;

	if (put_row(e, b, row, old, err))
		return -1;
	if (mode == DELETE_REWRITE || mode == DELETE_REWRITE_TOMBSTONE)
		buf_puts(b, op == OP_DELETE ? ",\"__deleted\":\"true\"" : ",\"__deleted\":\"false\"");
	for (i = 0; i < e->nfields; i++) {
		buf_putv(b, e->fields[i].lead);
		put_added(e, b, &e->fields[i], op, o, true);
	}
	buf_putc(b, '}');
	return 0;
}

/* ---- records ---- */

static void add_header(struct table_encoder *e, struct view key, struct view value)
{
	if (e->nheader_list < sizeof(e->header_list) / sizeof(e->header_list[0]))
		e->header_list[e->nheader_list++] = (struct change_header){key, value};
}

static void context_headers(struct table_encoder *e)
{
	if (e->config->dialect == DIALECT_2_6)
		return;
	add_header(e, view_str("__debezium.context.connectorLogicalName"), e->config->prefix);
	add_header(e, view_str("__debezium.context.taskId"), view_str("0"));
	add_header(e, view_str("__debezium.context.connectorName"), view_str("postgresql"));
}

/* The headers of unwrap's add.headers; values go one behind the other into headerbuf, whose room is made first so that they stay put. */
static void added_headers(struct table_encoder *e, enum change_op op, const struct change_origin *o, bool op_only)
{
	unsigned i;

	buf_clear(&e->headerbuf);
	if (!buf_reserve(&e->headerbuf, 256 + e->nheaders * (256 + e->table->name.len + e->table->schema.len + e->config->prefix.len)))
		return;
	for (i = 0; i < e->nheaders; i++) {
		size_t from = e->headerbuf.len;

		if (op_only && e->headers[i].kind != ADDED_OP)
			continue;
		put_added(e, &e->headerbuf, &e->headers[i], op, o, false);
		add_header(e, e->headers[i].header, view_of(e->headerbuf.ptr + from, e->headerbuf.len - from));
	}
}

static int send(struct table_encoder *e, const struct buf *key, struct view value, const struct change_origin *o, emit_fn emit, void *arg,
	struct err *err)
{
	struct change_record rec = {.key = key->len ? buf_view(key) : VIEW_NULL, .value = value, .headers = e->header_list,
				    .nheaders = e->nheader_list, .timestamp_ms = o->now_us / 1000};
	struct emitted out = {&rec, e->exceptions, e->nexceptions};

	if (!buf_ok(key) || !buf_ok(&e->valuebuf))
		return err_set(err, ERR_LIMIT, "an event of table \"%.*s.%.*s\" is larger than 2 GiB", (int)e->table->schema.len,
			       (const char *)e->table->schema.ptr, (int)e->table->name.len, (const char *)e->table->name.ptr);
	return emit(arg, &out, err);
}

/* What the unwrap transform leaves of a delete: a row, a null that keeps its schema, a real null, or nothing. */
static int send_flat_delete(
	struct table_encoder *e, const struct pg_tuple *old, const struct change_origin *o, emit_fn emit, void *arg, struct err *err)
{
	struct view value;

	switch (e->unwrap->deletes) {
	case DELETE_DROP:
		return 0;
	case DELETE_TOMBSTONE:
	case DELETE_NONE:
		value = e->null_value;
		break;
	case DELETE_TO_TOMBSTONE:
		value = VIEW_NULL;
		break;
	default:
		buf_putv(&e->valuebuf, e->value_open);
		if (put_flat(e, &e->valuebuf, OP_DELETE, old, NULL, o, err))
			return -1;
		buf_putv(&e->valuebuf, e->value_close);
		value = buf_view(&e->valuebuf);
	}
	e->nexceptions = 0;
	return send(e, &e->keybuf, value, o, emit, arg, err);
}

/* One event: its own headers are in place. */
static int send_event(struct table_encoder *e, enum change_op op, const struct pg_tuple *old, char old_kind, const struct pg_tuple *new,
		      const struct change_origin *o, emit_fn emit, void *arg, struct err *err)
{
	struct buf *b = &e->valuebuf;

	context_headers(e);
	buf_clear(b);
	e->nexceptions = 0;
	if (e->unwrap) {
		added_headers(e, op, o, false);
		if (op == OP_DELETE)
			return send_flat_delete(e, old, o, emit, arg, err);
	}
	buf_putv(b, e->value_open);
	if (e->unwrap ? put_flat(e, b, op, new, old_kind == 'O' ? old : NULL, o, err) : put_envelope(e, b, op, old, old_kind, new, o, err))
		return -1;
	buf_putv(b, e->value_close);
	return send(e, &e->keybuf, buf_view(b), o, emit, arg, err);
}

/* The null record behind a delete; `own` headers are those that the delete had of its own. */
static int send_tombstone(struct table_encoder *e, unsigned own, const struct change_origin *o, emit_fn emit, void *arg, struct err *err)
{
	if (!e->config->tombstones || e->keybuf.len == 0 || (e->unwrap && e->unwrap->drop_tombstones))
		return 0;
	if (!e->unwrap || !e->unwrap_first) {
		e->nheader_list = own;
		context_headers(e);
	}
	if (e->unwrap)
		added_headers(e, OP_DELETE, o, true);
	e->nexceptions = 0;
	return send(e, &e->keybuf, VIEW_NULL, o, emit, arg, err);
}

static bool key_changed(const struct table_encoder *e, const struct pg_tuple *old, const struct pg_tuple *new)
{
	uint32_t i;

	for (i = 0; i < e->nkey; i++) {
		const struct pg_datum *a = datum(e, old, e->key[i]), *b = datum(e, new, e->key[i]);

		if (a && b && b->kind != 'u' && (a->kind != b->kind || !view_eq(a->bytes, b->bytes)))
			return true;
	}
	return false;
}

/* A changed key is a delete of the old row and a create of the new one, each with the other's key in a header. */
static int encode_key_change(struct table_encoder *e, const struct pg_tuple *old, char old_kind, const struct pg_tuple *new,
			     const struct change_origin *o, emit_fn emit, void *arg, struct err *err)
{
	if (put_key(e, &e->oldkeybuf, new, false, err) || put_key(e, &e->keybuf, old, true, err))
		return -1;
	add_header(e, view_str("__debezium.newkey"), buf_view(&e->oldkeybuf));
	if (send_event(e, OP_DELETE, old, old_kind, NULL, o, emit, arg, err) || send_tombstone(e, 1, o, emit, arg, err))
		return -1;
	e->nheader_list = 0;
	if (put_key(e, &e->oldkeybuf, old, false, err) || put_key(e, &e->keybuf, new, true, err))
		return -1;
	add_header(e, view_str("__debezium.oldkey"), buf_view(&e->oldkeybuf));
	/* an old row still supplies unchanged out-of-line values, but `before` is the delete's */
	return send_event(e, OP_CREATE, old, old_kind, new, o, emit, arg, err);
}

int table_encode(struct table_encoder *e, enum change_op op, const struct pg_tuple *old, char old_kind, const struct pg_tuple *new,
		 const struct change_origin *o, emit_fn emit, void *arg, struct err *err)
{
	const struct connector_config *c = e->config;

	e->nheader_list = 0;
	e->nexceptions = 0;
	if (op == OP_UPDATE && old && key_changed(e, old, new))
		return encode_key_change(e, old, old_kind, new, o, emit, arg, err);
	if ((op == OP_CREATE && c->skip_create) || (op == OP_UPDATE && c->skip_update) || (op == OP_DELETE && c->skip_delete))
		return 0;
	if (op == OP_TRUNCATE) {
		if (c->skip_truncate || e->unwrap)
			return 0;
		buf_clear(&e->keybuf);
		return send_event(e, op, NULL, 0, NULL, o, emit, arg, err);
	}
	if (put_key(e, &e->keybuf, op == OP_DELETE ? old : new, true, err))
		return -1;
	if (send_event(e, op, old, old_kind, new, o, emit, arg, err))
		return -1;
	return op == OP_DELETE ? send_tombstone(e, 0, o, emit, arg, err) : 0;
}

/* ---- heartbeats ---- */

int encode_heartbeat(const struct connector_config *c, int64_t now_us, emit_fn emit, void *arg, struct err *err)
{
	static const char key_schema[] =
		"{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"string\",\"optional\":false,\"field\":\"serverName\"}],"
		"\"optional\":false,\"name\":\"io.debezium.connector.common.ServerNameKey\",\"version\":1},\"payload\":";
	static const char value_schema[] =
		"{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int64\",\"optional\":false,\"field\":\"ts_ms\"}],"
		"\"optional\":false,\"name\":\"io.debezium.connector.common.Heartbeat\",\"version\":1},\"payload\":";
	struct buf key = BUF_INIT(4096), value = BUF_INIT(4096);
	struct change_record rec;
	struct emitted out = {&rec, NULL, 0};
	int rc;

	if (c->key_schemas)
		buf_puts(&key, key_schema);
	buf_puts(&key, "{\"serverName\":");
	js_put_string(&key, c->prefix);
	buf_puts(&key, c->key_schemas ? "}}" : "}");
	if (c->value_schemas)
		buf_puts(&value, value_schema);
	buf_printf(&value, "{\"ts_ms\":%lld%s", (long long)(now_us / 1000), c->value_schemas ? "}}" : "}");
	rec = (struct change_record){.key = buf_view(&key), .value = buf_view(&value), .timestamp_ms = now_us / 1000};
	rc = emit(arg, &out, err);
	buf_release(&key);
	buf_release(&value);
	return rc;
}
