/* Compiling a table and a configuration into ready-made bytes; see encode.h. Runs once per table version, on the connector's thread. */
#include <stdio.h>

#include "base/js.h"
#include "base/mem.h"
#include "capture/encode_internal.h"
#include "capture/regex.h"

#define DEBEZIUM_2_6 "2.6.2.Final"
#define DEBEZIUM_3_2 "3.2.3.Final"

/* ---- names and routes ---- */

struct view encode_topic_name(const struct connector_config *c, struct view schema, struct view table, struct arena *a)
{
	char *name = arena_printf(a, "%.*s%.*s%.*s%.*s%.*s", (int)c->prefix.len, (const char *)c->prefix.ptr, (int)c->delimiter.len,
				  (const char *)c->delimiter.ptr, (int)schema.len, (const char *)schema.ptr, (int)c->delimiter.len,
				  (const char *)c->delimiter.ptr, (int)table.len, (const char *)table.ptr), *p, *to = name;

	/* a character each, not a byte each: continuation bytes go */
	for (p = name; *p; p++) {
		if (((unsigned char)*p & 0xc0) == 0x80)
			continue;
		*to++ = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *p) ? *p : '_';
	}
	return view_of(name, (size_t)(to - name));
}

int encode_route(const struct connector_config *c, struct view topic, struct arena *a, struct view *ret_topic, struct view *ret_schema_name,
		 struct err *err)
{
	struct view schema_name = topic;
	unsigned i;

	for (i = 0; i < c->ntransforms; i++) {
		const struct transform *t = &c->transforms[i];
		struct view to;

		if (!t->topic)
			continue;
		if (regex_replace(t->topic, topic, t->replacement, a, &to, err))
			return err_context(err, "transform \"%.*s\"", (int)t->name.len, (const char *)t->name.ptr);
		if (t->kind == TRANSFORM_LOGICAL_ROUTER && !view_eq(to, topic))
			schema_name = to;
		topic = to;
	}
	if (topic.len == 0 || topic.len > 249)
		return err_set(err, ERR_INVALID, "topic name \"%.*s\" has %zu characters, 1 to 249 are allowed", (int)topic.len,
			(const char *)topic.ptr, topic.len);
	*ret_topic = topic;
	*ret_schema_name = schema_name;
	return 0;
}

/* ---- schemas ---- */

static void put_column_schema(struct buf *b, const struct column_encoder *ce)
{
	buf_puts(b, "{\"type\":");
	buf_putv(b, ce->value.schema);
	buf_printf(b, ",\"optional\":%s", ce->column->not_null ? "false" : "true");
	buf_putv(b, ce->value.schema_tail);
	if (ce->column->has_default) {
		buf_puts(b, ",\"default\":");
		buf_putv(b, ce->column->published_default);
	}
	buf_puts(b, ",\"field\":");
	js_put_string(b, ce->column->published);
	buf_putc(b, '}');
}

static void put_row_schema(struct buf *b, const struct table_encoder *e)
{
	bool first = true;
	uint32_t i;

	buf_puts(b, "{\"type\":\"struct\",\"fields\":[");
	for (i = 0; i < e->ncolumns; i++) {
		if (e->columns[i].omitted)
			continue;
		if (!first)
			buf_putc(b, ',');
		first = false;
		put_column_schema(b, &e->columns[i]);
	}
}

static void put_field(struct buf *b, const char *type, bool optional, const char *field)
{
	js_put_comma(b);
	buf_printf(b, "{\"type\":\"%s\",\"optional\":%s,\"field\":\"%s\"}", type, optional ? "true" : "false", field);
}

static void put_source_schema(struct buf *b, enum capture_dialect d)
{
	buf_puts(b, ",{\"type\":\"struct\",\"fields\":[");
	put_field(b, "string", false, "version");
	put_field(b, "string", false, "connector");
	put_field(b, "string", false, "name");
	put_field(b, "int64", false, "ts_ms");
	buf_printf(b,
		",{\"type\":\"string\",\"optional\":true,\"name\":\"io.debezium.data.Enum\",\"version\":1,\"parameters\":{\"allowed\":\"%s\"},"
		"\"default\":\"false\",\"field\":\"snapshot\"}",
		d == DIALECT_2_6 ? "true,last,false,incremental"
						 : "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental");
	put_field(b, "string", false, "db");
	put_field(b, "string", true, "sequence");
	put_field(b, "int64", true, "ts_us");
	put_field(b, "int64", true, "ts_ns");
	put_field(b, "string", false, "schema");
	put_field(b, "string", false, "table");
	put_field(b, "int64", true, "txId");
	put_field(b, "int64", true, "lsn");
	put_field(b, "int64", true, "xmin");
	buf_printf(b, "],\"optional\":false,\"name\":\"io.debezium.connector.postgresql.Source\"%s,\"field\":\"source\"}",
		   d == DIALECT_2_6 ? "" : ",\"version\":1");
}

static void put_transaction_schema(struct buf *b)
{
	buf_puts(b, ",{\"type\":\"struct\",\"fields\":[");
	put_field(b, "string", false, "id");
	put_field(b, "int64", false, "total_order");
	put_field(b, "int64", false, "data_collection_order");
	buf_puts(b, "],\"optional\":true,\"name\":\"event.block\",\"version\":1,\"field\":\"transaction\"}");
}

static void put_envelope_schema(struct buf *b, const struct table_encoder *e, struct view name)
{
	enum capture_dialect d = e->config->dialect;
	static const char *const sides[] = {"before", "after"};
	int i;

	buf_puts(b, "{\"type\":\"struct\",\"fields\":[");
	for (i = 0; i < 2; i++) {
		js_put_comma(b);
		put_row_schema(b, e);
		buf_printf(b, "],\"optional\":true,\"name\":\"%.*s.Value\",\"field\":\"%s\"}", (int)name.len, (const char *)name.ptr, sides[i]);
	}
	put_source_schema(b, d);
	if (d != DIALECT_2_6)
		put_transaction_schema(b);
	put_field(b, "string", false, "op");
	put_field(b, "int64", true, "ts_ms");
	put_field(b, "int64", true, "ts_us");
	put_field(b, "int64", true, "ts_ns");
	if (d == DIALECT_2_6)
		put_transaction_schema(b);
	buf_printf(b, "],\"optional\":false,\"name\":\"%.*s.Envelope\",\"version\":2}", (int)name.len, (const char *)name.ptr);
}

static bool rewrites(const struct transform *t)
{
	return t->deletes == DELETE_REWRITE || t->deletes == DELETE_REWRITE_TOMBSTONE;
}

static const char *added_type(enum added_kind kind)
{
	switch (kind) {
	case ADDED_CONSTANT: case ADDED_OP: case ADDED_SNAPSHOT: case ADDED_SEQUENCE:
		return "string";
	default:
		return "int64";
	}
}

static void put_flat_schema(struct buf *b, const struct table_encoder *e, struct view name)
{
	unsigned i;

	put_row_schema(b, e);
	if (rewrites(e->unwrap))
		put_field(b, "string", true, "__deleted");
	for (i = 0; i < e->nfields; i++) {
		js_put_comma(b);
		buf_printf(b, "{\"type\":\"%s\",\"optional\":true,\"field\":", added_type(e->fields[i].kind));
		js_put_string(b, e->unwrap->add_fields[i].name);
		buf_putc(b, '}');
	}
	buf_printf(b, "],\"optional\":false,\"name\":\"%.*s.Value\"}", (int)name.len, (const char *)name.ptr);
}

/* ---- added fields ---- */

static const struct {
	const char *block, *field;
	enum added_kind kind;
} known_fields[] = {
	{"", "op", ADDED_OP},
	{"", "ts_ms", ADDED_TS_MS},
	{"", "ts_us", ADDED_TS_US},
	{"", "ts_ns", ADDED_TS_NS},
	{"source", "ts_ms", ADDED_SOURCE_TS_MS},
	{"source", "ts_us", ADDED_SOURCE_TS_US},
	{"source", "ts_ns", ADDED_SOURCE_TS_NS},
	{"source", "snapshot", ADDED_SNAPSHOT},
	{"source", "sequence", ADDED_SEQUENCE},
	{"source", "txId", ADDED_TXID},
	{"source", "lsn", ADDED_LSN},
};

static struct view json_constant(struct table_encoder *e, struct view text)
{
	struct buf b = BUF_INIT(1 << 16);
	struct view out;

	js_put_string(&b, text);
	out = arena_view(&e->arena, buf_view(&b));
	buf_release(&b);
	return out;
}

/* Constants of `source`; VIEW_NULL when it is none of them. xmin and the transaction block are always null here. */
static struct view source_constant(struct table_encoder *e, struct view field, struct view database)
{
	const struct connector_config *c = e->config;

	if (view_is(field, "version"))
		return view_str(c->dialect == DIALECT_2_6 ? "\"" DEBEZIUM_2_6 "\"" : "\"" DEBEZIUM_3_2 "\"");
	if (view_is(field, "connector"))
		return view_str("\"postgresql\"");
	if (view_is(field, "name"))
		return json_constant(e, c->prefix);
	if (view_is(field, "db"))
		return json_constant(e, database);
	if (view_is(field, "schema"))
		return json_constant(e, e->table->schema);
	if (view_is(field, "table"))
		return json_constant(e, e->table->name);
	if (view_is(field, "xmin"))
		return view_str("null");
	return VIEW_NULL;
}

static int compile_added(
	struct table_encoder *e, const struct add_field *from, unsigned n, struct view database, struct added **ret, struct err *err)
{
	unsigned i, k;

	*ret = arena_zalloc(&e->arena, n * sizeof(**ret));
	for (i = 0; i < n; i++) {
		struct added *to = &(*ret)[i];
		struct view block = from[i].block, field = from[i].field;
		struct view name = json_constant(e, from[i].name);
		bool found = false;

		to->header = from[i].name;
		to->lead = view_str(arena_printf(&e->arena, ",%.*s:", (int)name.len, (const char *)name.ptr));
		for (k = 0; k < sizeof(known_fields) / sizeof(known_fields[0]) && !found; k++) {
			/* a bare name is looked up in the envelope first, then in source */
			found = view_is(field, known_fields[k].field) && (view_is(block, known_fields[k].block) || (block.len == 0 && k >= 4));
			to->kind = known_fields[k].kind;
		}
		if (found)
			continue;
		to->kind = ADDED_CONSTANT;
		to->constant = view_is(block, "transaction") ? view_str("null") : block.len && !view_is(block, "source") ? VIEW_NULL
			: source_constant(e, field, database);
		if (!to->constant.ptr)
			return err_set(err, ERR_INVALID, "transform \"%.*s\" adds field \"%.*s%s%.*s\", which events do not have",
				(int)e->unwrap->name.len, (const char *)e->unwrap->name.ptr, (int)block.len, (const char *)block.ptr, block.len ? "." : "",
				(int)field.len, (const char *)field.ptr);
	}
	return 0;
}

/* ---- columns ---- */

static struct view encode_default(struct table_encoder *e, const struct column_encoder *ce, struct view constant)
{
	struct buf b = BUF_INIT(16 << 20);
	struct view out = VIEW_NULL;

	/* structs and bytes have no default in Debezium's schemas */
	if (constant.ptr && ce->column->base.kind != VALUE_BYTEA && ce->value.form != FORM_DECIMAL_VARIABLE && ce->value.form != FORM_ARRAY) {
		if (ce->value.put(&b, &ce->value, constant) == PUT_PLAIN && buf_ok(&b))
			out = arena_view(&e->arena, buf_view(&b));
	} else if (!constant.ptr) {
		out = value_encoder_function_default(&ce->value, ce->column);
	}
	buf_release(&b);
	return out;
}

static void compile_column(struct table_encoder *e, struct column *col, struct view constant, bool first)
{
	const struct connector_config *c = e->config;
	struct column_encoder *ce = &e->columns[e->ncolumns++];
	struct view name;

	ce->column = col;
	ce->omitted = col->generated || !value_encoder_init(&ce->value, c, col, &e->arena);
	col->form = ce->omitted ? FORM_OMITTED : ce->value.form;
	col->elem_form = ce->value.elem ? ce->value.elem->form : FORM_OMITTED;
	col->has_default = false;
	if (ce->omitted)
		return;
	if (col->base.kind == VALUE_TIME && ce->value.form == FORM_ISO_LOCAL)
		col->form = FORM_LOST; /* 24:00 is published as 00:00 */
	if (col->default_expr.ptr) {
		col->published_default = encode_default(e, ce, constant);
		col->has_default = col->published_default.ptr != NULL;
	}
	name = json_constant(e, col->published);
	ce->lead = view_str(arena_printf(&e->arena, "%c%.*s:", first ? '{' : ',', (int)name.len, (const char *)name.ptr));
	if (col->has_default && (c->replace_null || col->not_null)) {
		ce->for_null = col->published_default;
		ce->null_is_default = !col->not_null;
	} else {
		ce->for_null = col->not_null ? ce->value.zero : view_str("null");
	}
	ce->unavailable = value_encoder_unavailable(&ce->value, c, col, &e->arena);
}

static void compile_columns(struct table_encoder *e, struct table *t, const struct view *constants)
{
	struct buf omitted = BUF_INIT(1 << 20);
	bool first = true;
	uint32_t i;

	e->columns = arena_zalloc(&e->arena, t->ncolumns * sizeof(*e->columns));
	e->map = arena_alloc(&e->arena, (t->ncolumns + 1) * sizeof(*e->map));
	for (i = 0; i < t->ncolumns; i++) {
		e->map[i] = -1;
		compile_column(e, &t->columns[i], constants ? constants[i] : VIEW_NULL, first);
		if (!e->columns[i].omitted)
			first = false;
		else
			buf_printf(&omitted, "%s%.*s", omitted.len ? ", " : "", (int)t->columns[i].name.len, (const char *)t->columns[i].name.ptr);
	}
	e->omitted = arena_view(&e->arena, buf_view(&omitted));
	buf_release(&omitted);
	for (i = 0; i < t->nkey; i++)
		if (!e->columns[t->key[i]].omitted)
			e->key[e->nkey++] = t->key[i];
}

/* ---- ready-made bytes ---- */

static struct view keep(struct table_encoder *e, struct buf *b)
{
	struct view v = arena_view(&e->arena, buf_view(b));

	buf_clear(b);
	return v;
}

static void compile_key(struct table_encoder *e, struct view name, struct view physical)
{
	const struct transform *unique = NULL;
	struct buf b = BUF_INIT(16 << 20);
	struct view extra = VIEW_NULL;
	uint32_t i;

	for (i = 0; i < e->config->ntransforms; i++)
		if (e->config->transforms[i].kind == TRANSFORM_LOGICAL_ROUTER && e->config->transforms[i].key_uniqueness &&
		    regex_matches(e->config->transforms[i].topic, physical))
			unique = &e->config->transforms[i];
	if (unique) {
		extra = json_constant(e, unique->key_field);
		physical = json_constant(e, physical);
		e->key_extra = view_str(arena_printf(&e->arena, ",%.*s:%.*s", (int)extra.len, (const char *)extra.ptr, (int)physical.len,
						     (const char *)physical.ptr));
	}
	e->key_open = e->key_close = VIEW_NULL;
	if (!e->config->key_schemas)
		return;
	buf_puts(&b, "{\"schema\":{\"type\":\"struct\",\"fields\":[");
	for (i = 0; i < e->nkey; i++) {
		js_put_comma(&b);
		put_column_schema(&b, &e->columns[e->key[i]]);
	}
	if (unique)
		buf_printf(&b, ",{\"type\":\"string\",\"optional\":false,\"field\":%.*s}", (int)extra.len, (const char *)extra.ptr);
	buf_printf(&b, "],\"optional\":false,\"name\":\"%.*s.Key\"},\"payload\":", (int)name.len, (const char *)name.ptr);
	e->key_open = keep(e, &b);
	e->key_close = view_str("}");
	buf_release(&b);
}

static void compile_value(struct table_encoder *e, struct view name, struct view database)
{
	struct buf b = BUF_INIT(64 << 20);
	struct view prefix, db, schema, table;

	e->null_value = view_str("null");
	if (e->config->value_schemas) {
		buf_puts(&b, "{\"schema\":");
		if (e->unwrap)
			put_flat_schema(&b, e, name);
		else
			put_envelope_schema(&b, e, name);
		buf_puts(&b, ",\"payload\":");
		e->value_open = keep(e, &b);
		e->value_close = view_str("}");
		e->null_value = view_str(arena_printf(&e->arena, "%.*snull}", (int)e->value_open.len, (const char *)e->value_open.ptr));
	}
	prefix = json_constant(e, e->config->prefix);
	db = json_constant(e, database);
	schema = json_constant(e, e->table->schema);
	table = json_constant(e, e->table->name);
	e->source_open = view_str(arena_printf(&e->arena, "{\"version\":\"%s\",\"connector\":\"postgresql\",\"name\":%.*s,\"ts_ms\":",
		e->config->dialect == DIALECT_2_6 ? DEBEZIUM_2_6 : DEBEZIUM_3_2, (int)prefix.len, (const char *)prefix.ptr));
	e->source_mid = view_str(arena_printf(&e->arena, ",\"db\":%.*s,\"sequence\":", (int)db.len, (const char *)db.ptr));
	e->source_table = view_str(arena_printf(&e->arena, ",\"schema\":%.*s,\"table\":%.*s,\"txId\":", (int)schema.len,
		(const char *)schema.ptr, (int)table.len, (const char *)table.ptr));
	buf_release(&b);
}

int table_encoder_new(const struct connector_config *c, struct table *t, const struct view *constants, struct view database,
		      struct table_encoder **ret, struct err *err)
{
	struct table_encoder *e = mem_zalloc(sizeof(*e));
	struct view physical, topic, name;
	unsigned i;

	e->arena = ARENA_INIT;
	e->config = c;
	e->table = t;
	e->keybuf = e->oldkeybuf = e->valuebuf = e->headerbuf = BUF_INIT((size_t)2 << 30);
	for (i = 0; i < c->ntransforms && !e->unwrap; i++)
		if (c->transforms[i].kind == TRANSFORM_UNWRAP) {
			e->unwrap = &c->transforms[i];
			e->unwrap_first = i == 0;
		}
	physical = encode_topic_name(c, t->schema, t->name, &e->arena);
	if (encode_route(c, physical, &e->arena, &topic, &name, err))
		goto fail;
	t->topic = topic;
	t->flattened = e->unwrap != NULL;
	t->deletes_lost = c->skip_delete || (e->unwrap && e->unwrap->deletes == DELETE_DROP);
	compile_columns(e, t, constants);
	if (e->unwrap) {
		e->nfields = e->unwrap->nadd_fields;
		e->nheaders = e->unwrap->nadd_headers;
		if (compile_added(e, e->unwrap->add_fields, e->nfields, database, &e->fields, err) ||
		    compile_added(e, e->unwrap->add_headers, e->nheaders, database, &e->headers, err))
			goto fail;
		if (e->nheaders > 20) {
			err_set(err, ERR_LIMIT, "transform \"%.*s\" adds %u headers, 20 are the most", (int)e->unwrap->name.len,
				(const char *)e->unwrap->name.ptr, e->nheaders);
			goto fail;
		}
	}
	compile_key(e, name, physical);
	compile_value(e, name, database);
	*ret = e;
	return 0;
fail:
	table_encoder_free(e);
	return -1;
}

void table_encoder_free(struct table_encoder *e)
{
	if (!e)
		return;
	buf_release(&e->keybuf);
	buf_release(&e->oldkeybuf);
	buf_release(&e->valuebuf);
	buf_release(&e->headerbuf);
	arena_release(&e->arena);
	mem_free(e);
}

struct view table_encoder_omitted(const struct table_encoder *e)
{
	return e->omitted;
}

void table_encoder_map(struct table_encoder *e, const struct view *names, uint32_t n)
{
	uint32_t i, k;

	for (i = 0; i < e->ncolumns; i++) {
		e->map[i] = -1;
		for (k = 0; k < n; k++)
			if (view_eq(e->columns[i].column->name, names[k]))
				e->map[i] = (int16_t)k;
	}
}
