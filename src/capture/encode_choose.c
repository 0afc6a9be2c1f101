/*
 * Which encoding a column gets: by its type (domains resolved) and the connector's modes. The Connect schema of each is beside its
 * function, so that bytes and schema cannot drift apart.
 */
#include "base/js.h"
#include "capture/encode_puts.h"
#include "capture/encode_value.h"

#define NAMED(name) ",\"name\":\"" name "\",\"version\":1"

static void set(struct value_encoder *e, put_fn put, enum column_form form, const char *schema, const char *tail, const char *zero)
{
	e->put = put;
	e->form = (uint8_t)form;
	e->schema = view_str(schema);
	e->schema_tail = view_str(tail);
	e->zero = view_str(zero);
}

/* A numeric's typmod: ((precision << 16) | (scale & 0x7ff)) + 4, scale an 11-bit signed number since PostgreSQL 15. */
static void numeric_typmod(int32_t typmod, int *precision, int *scale)
{
	*precision = typmod >= 4 ? (typmod - 4) >> 16 & 0xffff : 0;
	*scale = typmod >= 4 ? (((typmod - 4) & 0x7ff) ^ 1024) - 1024 : 0;
}

static void choose_numeric(struct value_encoder *e, const struct connector_config *c, int32_t typmod, struct arena *a)
{
	static const char variable[] = "\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":false,\"field\":\"scale\"},"
				       "{\"type\":\"bytes\",\"optional\":false,\"field\":\"value\"}]";
	int precision, scale;

	numeric_typmod(typmod, &precision, &scale);
	switch (c->decimals) {
	case DECIMAL_DOUBLE:
		set(e, put_decimal_double, FORM_DECIMAL_DOUBLE, "\"double\"", "", "0.0");
		break;
	case DECIMAL_STRING:
		set(e, put_decimal_text, FORM_DECIMAL_TEXT, "\"string\"", "", "\"\"");
		break;
	case DECIMAL_PRECISE:
		if (precision == 0 || scale < 0) {
			set(e, put_decimal_variable, FORM_DECIMAL_VARIABLE, variable,
			    NAMED("io.debezium.data.VariableScaleDecimal") ",\"doc\":\"Variable scaled decimal\"", "{\"scale\":0,\"value\":\"AA==\"}");
			break;
		}
		set(e, put_decimal_bytes, FORM_DECIMAL_BYTES, "\"bytes\"", "", "\"AA==\"");
		e->scale = (int16_t)scale;
		e->schema_tail = view_str(arena_printf(a, NAMED("org.apache.kafka.connect.data.Decimal")
			",\"parameters\":{\"scale\":\"%d\",\"connect.decimal.precision\":\"%d\"}", scale, precision));
		break;
	}
}

static void choose_bytea(struct value_encoder *e, const struct connector_config *c)
{
	switch (c->binaries) {
	case BINARY_BYTES:
		set(e, put_base64, FORM_BASE64, "\"bytes\"", "", "\"\"");
		break;
	case BINARY_BASE64:
		set(e, put_base64, FORM_BASE64, "\"string\"", "", "\"\"");
		break;
	case BINARY_BASE64_URL:
		set(e, put_base64_url, FORM_BASE64_URL, "\"string\"", "", "\"\"");
		break;
	case BINARY_HEX:
		set(e, put_hex, FORM_HEX, "\"string\"", "", "\"\"");
		break;
	}
}

static void choose_date(struct value_encoder *e, const struct connector_config *c)
{
	if (c->times == TIME_ISOSTRING)
		set(e, put_date, FORM_ISO_LOCAL, "\"string\"", NAMED("io.debezium.time.IsoDate"), "\"1970-01-01Z\"");
	else if (c->times == TIME_CONNECT)
		set(e, put_date, FORM_EPOCH_DAYS, "\"int32\"", NAMED("org.apache.kafka.connect.data.Date"), "0");
	else
		set(e, put_date, FORM_EPOCH_DAYS, "\"int32\"", NAMED("io.debezium.time.Date"), "0");
}

static void choose_time(struct value_encoder *e, const struct connector_config *c, int precision)
{
	switch (c->times) {
	case TIME_ISOSTRING:
		set(e, put_time, FORM_ISO_LOCAL, "\"string\"", NAMED("io.debezium.time.IsoTime"), "\"00:00:00Z\"");
		break;
	case TIME_CONNECT:
		set(e, put_time, FORM_EPOCH_MS, "\"int32\"", NAMED("org.apache.kafka.connect.data.Time"), "0");
		break;
	case TIME_NANOS:
		set(e, put_time, FORM_EPOCH_NS, "\"int64\"", NAMED("io.debezium.time.NanoTime"), "0");
		break;
	case TIME_ADAPTIVE:
		if (precision <= 3) {
			set(e, put_time, FORM_EPOCH_MS, "\"int32\"", NAMED("io.debezium.time.Time"), "0");
			break;
		}
		/* fall through */
	case TIME_ADAPTIVE_MICROS:
	case TIME_MICROS:
		set(e, put_time, FORM_EPOCH_US, "\"int64\"", NAMED("io.debezium.time.MicroTime"), "0");
		break;
	}
}

static void choose_timestamp(struct value_encoder *e, const struct connector_config *c, int precision)
{
	switch (c->times) {
	case TIME_ISOSTRING:
		set(e, put_timestamp, FORM_ISO_LOCAL, "\"string\"", NAMED("io.debezium.time.IsoTimestamp"), "\"1970-01-01T00:00:00Z\"");
		break;
	case TIME_CONNECT:
		set(e, put_timestamp, FORM_EPOCH_MS, "\"int64\"", NAMED("org.apache.kafka.connect.data.Timestamp"), "0");
		break;
	case TIME_NANOS:
		set(e, put_timestamp, FORM_EPOCH_NS, "\"int64\"", NAMED("io.debezium.time.NanoTimestamp"), "0");
		break;
	case TIME_ADAPTIVE:
	case TIME_ADAPTIVE_MICROS:
		if (precision <= 3) {
			set(e, put_timestamp, FORM_EPOCH_MS, "\"int64\"", NAMED("io.debezium.time.Timestamp"), "0");
			break;
		}
		/* fall through */
	case TIME_MICROS:
		set(e, put_timestamp, FORM_EPOCH_US, "\"int64\"", NAMED("io.debezium.time.MicroTimestamp"), "0");
		break;
	}
}

static void choose_enum(struct value_encoder *e, const struct column *col, struct arena *a)
{
	struct buf tail = BUF_INIT(16 << 20), allowed = BUF_INIT(16 << 20);
	uint32_t i;

	for (i = 0; i < col->nlabels; i++) {
		if (i)
			buf_putc(&allowed, ',');
		buf_putv(&allowed, col->labels[i]);
	}
	buf_puts(&tail, NAMED("io.debezium.data.Enum") ",\"parameters\":{\"allowed\":");
	js_put_string(&tail, buf_view(&allowed));
	buf_putc(&tail, '}');
	set(e, put_text, FORM_PLAIN, "\"string\"", "", "\"\"");
	e->schema_tail = arena_view(a, buf_view(&tail));
	buf_release(&tail);
	buf_release(&allowed);
}

static bool choose(
	struct value_encoder *e, const struct connector_config *c, const struct column *col, const struct type *t, struct arena *a)
{
	int precision = t->typmod < 0 || t->typmod > 6 ? 6 : t->typmod;

	switch ((enum value_kind)t->kind) {
	case VALUE_BOOL:
		set(e, put_bool, FORM_PLAIN, "\"boolean\"", "", "false");
		return true;
	case VALUE_INT2:
		set(e, put_int, FORM_PLAIN, "\"int16\"", "", "0");
		return true;
	case VALUE_INT4:
		set(e, put_int, FORM_PLAIN, "\"int32\"", "", "0");
		return true;
	case VALUE_INT8:
		set(e, put_int, FORM_PLAIN, "\"int64\"", "", "0");
		return true;
	case VALUE_OID:
		set(e, put_oid, FORM_PLAIN, "\"int64\"", "", "0");
		return true;
	case VALUE_FLOAT4:
		set(e, put_float4, FORM_FLOAT, "\"float\"", "", "0.0");
		return true;
	case VALUE_FLOAT8:
		set(e, put_float8, FORM_FLOAT, "\"double\"", "", "0.0");
		return true;
	case VALUE_NUMERIC:
		choose_numeric(e, c, t->typmod, a);
		return true;
	case VALUE_TEXT: case VALUE_VARCHAR: case VALUE_BPCHAR: case VALUE_CITEXT: case VALUE_NAME:
		set(e, put_text, FORM_PLAIN, "\"string\"", "", "\"\"");
		return true;
	case VALUE_ENUM:
		choose_enum(e, col, a);
		return true;
	case VALUE_BYTEA:
		choose_bytea(e, c);
		return true;
	case VALUE_DATE:
		choose_date(e, c);
		return true;
	case VALUE_TIME:
		choose_time(e, c, precision);
		return true;
	case VALUE_TIMESTAMP:
		choose_timestamp(e, c, precision);
		return true;
	case VALUE_TIMESTAMPTZ:
		set(e, put_timestamptz, FORM_ISO_UTC, "\"string\"", NAMED("io.debezium.time.ZonedTimestamp"), "\"1970-01-01T00:00:00Z\"");
		e->scale = (int16_t)precision;
		return true;
	case VALUE_INTERVAL:
		if (c->intervals == INTERVAL_STRING)
			set(e, put_interval_iso, FORM_INTERVAL_ISO, "\"string\"", NAMED("io.debezium.time.Interval"), "\"P0Y0M0DT0H0M0S\"");
		else
			set(e, put_interval_us, FORM_INTERVAL_US, "\"int64\"", NAMED("io.debezium.time.MicroDuration"), "0");
		return true;
	case VALUE_UUID:
		set(e, put_uuid, FORM_PLAIN, "\"string\"", NAMED("io.debezium.data.Uuid"), "\"\"");
		return true;
	case VALUE_JSON:
		set(e, put_text, FORM_PLAIN, "\"string\"", NAMED("io.debezium.data.Json"), "\"{}\"");
		return true;
	case VALUE_JSONB:
		set(e, put_jsonb, FORM_PLAIN, "\"string\"", NAMED("io.debezium.data.Json"), "\"{}\"");
		return true;
	case VALUE_NONE: case VALUE_OTHER: case VALUE_KINDS:
		break;
	}
	return false;
}

bool value_encoder_init(struct value_encoder *ret, const struct connector_config *c, const struct column *col, struct arena *a)
{
	struct value_encoder *elem;
	char *schema;

	memset(ret, 0, sizeof(*ret));
	if (!col->base.elem)
		return choose(ret, c, col, &col->base, a);
	elem = arena_zalloc(a, sizeof(*elem));
	/* the driver knows no elements of these two */
	if (col->elem.kind == VALUE_INTERVAL || col->elem.kind == VALUE_NAME || !choose(elem, c, col, &col->elem, a))
		return false;
	schema =
		arena_printf(a, "\"array\",\"items\":{\"type\":%.*s,\"optional\":%s%.*s}", (int)elem->schema.len, (const char *)elem->schema.ptr,
			col->elem.kind == VALUE_ENUM ? "false" : "true", (int)elem->schema_tail.len, (const char *)elem->schema_tail.ptr);
	set(ret, put_array, FORM_ARRAY, schema, "", "[]");
	ret->elem = elem;
	return true;
}

struct view value_encoder_unavailable(
	const struct value_encoder *e, const struct connector_config *c, const struct column *col, struct arena *a)
{
	struct buf b = BUF_INIT(1 << 20);
	struct view out;
	bool array = e->put == put_array;
	const struct value_encoder *v = array ? e->elem : e;
	size_t i;

	if (array)
		buf_putc(&b, '[');
	if (v->put == put_text || v->put == put_jsonb || v->put == put_uuid || v->put == put_decimal_text)
		js_put_string(&b, c->unavailable);
	else if (v->put == put_base64 || v->put == put_base64_url || v->put == put_hex)
		v->put(&b, v, c->unavailable);
	else if (array && (v->put == put_int || v->put == put_date))
		/* the placeholder's bytes as numbers (recorded) */
		for (i = 0; i < c->unavailable.len; i++)
			buf_printf(&b, "%s%u", i ? "," : "", c->unavailable.ptr[i]);
	else if (!array)
		buf_puts(&b, "null");
	if (array)
		buf_putc(&b, ']');
	out = arena_view(a, buf_view(&b));
	buf_release(&b);
	return out;
}

struct view value_encoder_function_default(const struct value_encoder *e, const struct column *col)
{
	struct view expr = col->default_expr;
	bool now = view_starts(expr, "now()") || view_starts(expr, "CURRENT_") || view_starts(expr, "LOCALTIME") ||
		view_starts(expr, "('now'") || view_starts(expr, "transaction_timestamp()") || view_starts(expr, "statement_timestamp()") ||
		view_starts(expr, "clock_timestamp()");
	size_t i;

	if (!expr.ptr || view_starts(expr, "NULL::"))
		return VIEW_NULL;
	switch ((enum value_kind)col->base.kind) {
	case VALUE_INT2: case VALUE_INT4: case VALUE_INT8: case VALUE_OID:
		return view_starts(expr, "nextval(") ? view_str("0") : VIEW_NULL;
	case VALUE_TIMESTAMPTZ:
		/* as the schema default is made from an instant, it has all six digits, whatever the column's precision */
		return now ? view_str("\"1970-01-01T00:00:00.000000Z\"") : VIEW_NULL;
	case VALUE_DATE: case VALUE_TIME: case VALUE_TIMESTAMP:
		return now ? e->zero : VIEW_NULL;
	case VALUE_UUID:
		return view_str("\"00000000-0000-0000-0000-000000000000\"");
	case VALUE_TEXT: case VALUE_VARCHAR: case VALUE_BPCHAR:
		/* a call, not an operator expression in parentheses */
		for (i = 0; i < expr.len && expr.ptr[i] != '('; i++)
			if (expr.ptr[i] == '\'' || expr.ptr[i] == ' ')
				return VIEW_NULL;
		return i > 0 && i < expr.len ? view_str("\"\"") : VIEW_NULL;
	default:
		return VIEW_NULL;
	}
}
