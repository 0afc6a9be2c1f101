/* Connector configuration; see config.h. Transforms are read in config_transforms.c. */
#include "capture/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/js.h"
#include "base/map.h"
#include "base/mem.h"
#include "capture/config_internal.h"
#include "capture/regex.h"

struct view config_get(struct config_reader *r, const char *key)
{
	struct view *v = map_get(&r->values, view_str(key));

	map_put(&r->asked, view_str(key), r);
	return v ? *v : VIEW_NULL;
}

void config_warn(struct config_reader *r, const char *fmt, ...)
{
	struct buf b = BUF_INIT(4096);
	struct connector_config *c = r->config;
	struct view *more;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	more = arena_alloc(&c->arena, (c->nwarnings + 1) * sizeof(*more));
	if (c->nwarnings)
		memcpy(more, c->warnings, c->nwarnings * sizeof(*more));
	more[c->nwarnings++] = arena_view(&c->arena, buf_view(&b));
	c->warnings = more;
	buf_release(&b);
}

int config_choice(struct config_reader *r, const char *key, const struct config_choice *choices, int preset)
{
	struct view v = config_get(r, key);
	const struct config_def *d = config_def_find(view_str(key));
	struct buf all = BUF_INIT(1024);
	const struct config_choice *c;

	for (c = choices; v.ptr && c->word; c++)
		if (v.len == strlen(c->word) && strncasecmp((const char *)v.ptr, c->word, v.len) == 0)
			return c->value;
	if (v.ptr && d && d->choices && !config_among(d->choices, v)) {
		config_fault_choice(r, key, v, d->choices);
	} else if (v.ptr) {
		/* a word of Debezium's that walmill does not have, or a key without a list */
		for (c = choices; c->word; c++)
			buf_printf(&all, "%s%s", c == choices ? "walmill has of these: " : ", ", c->word);
		config_fault(r, key, v, buf_cstr(&all));
		buf_release(&all);
	}
	return preset;
}

static bool value_is_good(struct config_reader *r, const char *key, struct view v, bool by_itself)
{
	const struct config_def *d = config_def_find(view_str(key));

	if (d)
		return config_check_value(r, d, v);
	if (!by_itself)
		config_fault(r, key, v, "the value is not of the type that it must have");
	return by_itself;
}

bool config_bool(struct config_reader *r, const char *key, bool preset)
{
	struct view v = config_get(r, key);

	if (!v.ptr || !value_is_good(r, key, v, config_text_is_bool(v)))
		return preset;
	return v.len == 4;
}

int64_t config_int(struct config_reader *r, const char *key, int64_t preset, int64_t least, int64_t most)
{
	struct view v = config_get(r, key);
	int64_t n = 0;

	if (!v.ptr || !value_is_good(r, key, v, config_text_is_int(v, &n)) || !config_text_is_int(v, &n))
		return preset;
	if (n < least || n > most) {
		config_fault(r, key, v, n < least ? "Value is too small" : "Value is too large");
		return preset;
	}
	return n;
}

struct view config_string(struct config_reader *r, const char *key, const char *preset)
{
	struct view v = config_get(r, key);

	return v.ptr ? v : preset ? view_str(preset) : VIEW_NULL;
}

static struct view config_required(struct config_reader *r, const char *key)
{
	struct view v = config_get(r, key);

	if (!v.ptr || v.len == 0)
		config_missing(r, key);
	return v;
}

static struct regex *config_regexes(struct config_reader *r, const char *key)
{
	struct view v = config_get(r, key);
	struct regex *regex = NULL;
	struct err why = ERR_INIT;

	if (!v.ptr || v.len == 0)
		return NULL;
	if (regex_compile_list(v, true, &regex, &why))
		config_fault(r, key, v, why.text);
	return regex;
}

/* ---- reading the map ---- */

static int read_map(struct config_reader *r, struct view json, struct err *err)
{
	struct arena *a = &r->config->arena;
	struct js_reader js;
	struct js_token t;
	struct buf out = BUF_INIT(4 << 20);
	int rc = -1;

	js_reader_init(&js, json, 2);
	if (js_next(&js, &t) != JS_OBJECT) {
		err_set(err, ERR_INVALID, "a connector's configuration must be a JSON object of strings");
		goto out;
	}
	buf_putc(&out, '{');
	while (js_next(&js, &t) != JS_OBJECT_END) {
		struct view key, *value;

		if (t.kind == JS_BAD) {
			js_error(&js, "the configuration", err);
			goto out;
		}
		key = js_unescape(a, t.key, t.key_escaped);
		if (t.kind == JS_OBJECT || t.kind == JS_ARRAY) {
			err_set(err, ERR_INVALID, "configuration \"%.*s\" must be a string", (int)key.len, (const char *)key.ptr);
			goto out;
		}
		if (t.kind == JS_NULL) {
			config_fault_text(r, arena_str(a, key), "Null value can not be supplied as the configuration value.");
			continue;
		}
		value = arena_alloc(a, sizeof(*value));
		*value = t.kind == JS_TRUE ? view_str("true") : t.kind == JS_FALSE ? view_str("false")
			: arena_view(a, t.kind == JS_NUMBER ? t.text : js_unescape(a, t.text, t.text_escaped));
		map_put(&r->values, key, value);
		if (view_is(key, "name"))
			continue;
		js_put_comma(&out);
		js_put_string(&out, key);
		buf_putc(&out, ':');
		js_put_string(&out, *value);
	}
	js_put_key(&out, "name");
	js_put_string(&out, r->config->name);
	buf_putc(&out, '}');
	r->config->json = arena_view(a, buf_view(&out));
	rc = 0;
out:
	buf_release(&out);
	return rc;
}

/* ${env:NAME} is all of Connect's config providers that makes sense here, and only for the connection. */
static char *connection_field(struct config_reader *r, const char *key)
{
	struct view v = config_get(r, key);
	char *name;
	const char *env;

	if (!v.ptr)
		return NULL;
	if (!view_starts(v, "${env:") || v.ptr[v.len - 1] != '}')
		return mem_strndup(v.ptr, v.len);
	name = mem_strndup(v.ptr + 6, v.len - 7);
	env = getenv(name);
	if (!env)
		config_fault(r, key, v, "the environment variable is not set");
	mem_free(name);
	return mem_strdup(env ? env : "");
}

static void read_source(struct config_reader *r)
{
	struct connector_config *c = r->config;

	if (r->source && !config_get(r, "database.hostname").ptr && !config_get(r, "database.user").ptr &&
		!config_get(r, "database.dbname").ptr) {
		pg_params_copy(&c->source, r->source);
		return;
	}
	config_required(r, "database.hostname");
	config_required(r, "database.user");
	config_required(r, "database.dbname");
	c->source = (struct pg_params){
		.host = connection_field(r, "database.hostname"), .port = connection_field(r, "database.port"),
		.user = connection_field(r, "database.user"), .password = connection_field(r, "database.password"),
		.dbname = connection_field(r, "database.dbname"), .sslmode = connection_field(r, "database.sslmode"),
		.sslrootcert = connection_field(r, "database.sslrootcert"), .sslcert = connection_field(r, "database.sslcert"),
		.sslkey = connection_field(r, "database.sslkey"),
	};
	if (!c->source.port)
		c->source.port = mem_strdup("5432");
	config_check_value(r, config_def_find(view_str("database.port")), view_str(c->source.port));
	if (c->source.sslmode && !config_among(config_def_find(view_str("database.sslmode"))->choices, view_str(c->source.sslmode)))
		config_fault_choice(r, "database.sslmode", view_str(c->source.sslmode), config_def_find(view_str("database.sslmode"))->choices);
}

static void read_modes(struct config_reader *r)
{
	static const struct config_choice snapshots[] = {
		{"initial", SNAPSHOT_INITIAL}, {"no_data", SNAPSHOT_NO_DATA}, {"never", SNAPSHOT_NO_DATA}, {NULL, 0}};
	static const struct config_choice publications[] = {{"disabled", PUBLICATION_DISABLED}, {"all_tables", PUBLICATION_ALL_TABLES},
		{"filtered", PUBLICATION_FILTERED}, {"no_tables", PUBLICATION_NO_TABLES}, {NULL, 0}};
	static const struct config_choice decimals[] = {
		{"precise", DECIMAL_PRECISE}, {"double", DECIMAL_DOUBLE}, {"string", DECIMAL_STRING}, {NULL, 0}};
	static const struct config_choice times[] = {{"adaptive", TIME_ADAPTIVE}, {"adaptive_time_microseconds", TIME_ADAPTIVE_MICROS},
		{"connect", TIME_CONNECT}, {"isostring", TIME_ISOSTRING}, {"microseconds", TIME_MICROS}, {"nanoseconds", TIME_NANOS}, {NULL, 0}};
	static const struct config_choice intervals[] = {{"numeric", INTERVAL_NUMERIC}, {"string", INTERVAL_STRING}, {NULL, 0}};
	static const struct config_choice binaries[] = {
		{"bytes", BINARY_BYTES}, {"base64", BINARY_BASE64}, {"base64-url-safe", BINARY_BASE64_URL}, {"hex", BINARY_HEX}, {NULL, 0}};
	static const struct config_choice plugins[] = {{"pgoutput", 0}, {NULL, 0}};
	static const struct config_choice adjust[] = {{"none", 0}, {NULL, 0}};
	struct connector_config *c = r->config;

	c->snapshot = (enum snapshot_mode)config_choice(r, "snapshot.mode", snapshots, SNAPSHOT_INITIAL);
	c->publication_mode = (enum publication_mode)config_choice(r, "publication.autocreate.mode", publications, PUBLICATION_ALL_TABLES);
	c->decimals = (enum decimal_mode)config_choice(r, "decimal.handling.mode", decimals, DECIMAL_PRECISE);
	c->times = (enum time_mode)config_choice(r, "time.precision.mode", times, TIME_ADAPTIVE);
	c->intervals = (enum interval_mode)config_choice(r, "interval.handling.mode", intervals, INTERVAL_NUMERIC);
	c->binaries = (enum binary_mode)config_choice(r, "binary.handling.mode", binaries, BINARY_BYTES);
	config_choice(r, "plugin.name", plugins, 0);
	config_choice(r, "schema.name.adjustment.mode", adjust, 0);
	config_choice(r, "field.name.adjustment.mode", adjust, 0);
	if (c->dialect == DIALECT_2_6 && c->times >= TIME_ISOSTRING)
		config_fault(r, "time.precision.mode", config_get(r, "time.precision.mode"),
			"Value must be one of adaptive, adaptive_time_microseconds, connect");
}

static void read_skipped(struct config_reader *r)
{
	struct view v = config_string(r, "skipped.operations", "t");
	struct connector_config *c = r->config;
	size_t i;

	for (i = 0; i < v.len; i++) {
		if (v.ptr[i] == ',' || v.ptr[i] == ' ')
			continue;
		if (view_is(v, "none"))
			break;
		c->skip_create |= v.ptr[i] == 'c';
		c->skip_update |= v.ptr[i] == 'u';
		c->skip_delete |= v.ptr[i] == 'd';
		c->skip_truncate |= v.ptr[i] == 't';
		if (!memchr("cudt", v.ptr[i], 4)) {
			config_fault(r, "skipped.operations", v, "Invalid operation");
			break;
		}
	}
}

static bool converter_schemas(struct config_reader *r, const char *which)
{
	char key[64];
	struct view class;

	snprintf(key, sizeof(key), "%s.converter", which);
	class = config_get(r, key);
	if (class.ptr && !view_is(class, "org.apache.kafka.connect.json.JsonConverter"))
		config_fault(r, key, class, "walmill has org.apache.kafka.connect.json.JsonConverter only");
	snprintf(key, sizeof(key), "%s.converter.decimal.format", which);
	class = config_get(r, key);
	if (class.ptr && !view_is(class, "BASE64"))
		config_fault(r, key, class, "Value must be one of BASE64");
	snprintf(key, sizeof(key), "%s.converter.schemas.enable", which);
	return config_bool(r, key, true);
}

static bool slot_name_ok(struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++)
		if (!((v.ptr[i] >= 'a' && v.ptr[i] <= 'z') || (v.ptr[i] >= '0' && v.ptr[i] <= '9') || v.ptr[i] == '_'))
			return false;
	return v.len > 0 && v.len <= 63;
}

static void read_names(struct config_reader *r)
{
	struct connector_config *c = r->config;
	size_t i;

	c->prefix = config_required(r, "topic.prefix");
	for (i = 0; i < c->prefix.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", c->prefix.ptr[i]) || !c->prefix.ptr[i]) {
			config_fault(r, "topic.prefix", c->prefix, arena_printf(&c->arena,
				"%.*s has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)", (int)c->prefix.len,
				(const char *)c->prefix.ptr));
			break;
		}
	c->slot = config_string(r, "slot.name", "debezium");
	if (!slot_name_ok(c->slot))
		config_fault(r, "slot.name", c->slot,
			"Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63");
	c->publication = config_string(r, "publication.name", "dbz_publication");
	c->delimiter = config_string(r, "topic.delimiter", ".");
	c->unavailable = config_string(r, "unavailable.value.placeholder", "__debezium_unavailable_value");
	c->heartbeat_prefix = config_string(r, "topic.heartbeat.prefix", NULL);
	if (!c->heartbeat_prefix.ptr)
		c->heartbeat_prefix = config_string(r, "heartbeat.topics.prefix", "__debezium-heartbeat");
	c->table_include = config_regexes(r, "table.include.list");
	c->table_exclude = config_regexes(r, "table.exclude.list");
	c->schema_include = config_regexes(r, "schema.include.list");
	c->schema_exclude = config_regexes(r, "schema.exclude.list");
	if (c->table_include && c->table_exclude)
		config_fault(r, "table.exclude.list", VIEW_NULL, "\"table.include.list\" is already specified");
	if (c->schema_include && c->schema_exclude)
		config_fault(r, "schema.exclude.list", VIEW_NULL, "\"schema.include.list\" is already specified");
}

static void read_all(struct config_reader *r)
{
	struct connector_config *c = r->config;
	struct view class = config_required(r, "connector.class");

	if (class.len && !connector_class_is_ours(class))
		config_fault(r, "connector.class", class, "walmill has io.debezium.connector.postgresql.PostgresConnector only");
	read_source(r);
	read_names(r);
	read_modes(r);
	read_skipped(r);
	c->key_schemas = converter_schemas(r, "key");
	c->value_schemas = converter_schemas(r, "value");
	c->key_replace_null = config_bool(r, "key.converter.replace.null.with.default", true);
	c->replace_null = config_bool(r, "value.converter.replace.null.with.default", true);
	c->tombstones = config_bool(r, "tombstones.on.delete", true);
	c->drop_slot_on_stop = config_bool(r, "slot.drop.on.stop", false);
	c->heartbeat_ms = config_int(r, "heartbeat.interval.ms", 0, 0, INT32_MAX);
	c->slot_retry_ms = config_int(r, "slot.retry.delay.ms", 10000, INT32_MIN, INT32_MAX);
	config_bool(r, "include.unknown.datatypes", false);
	config_transforms(r);
}

bool capture_dialect_parse(struct view text, enum capture_dialect *ret)
{
	if (view_is(text, "2.6") || view_starts(text, "2.6."))
		*ret = DIALECT_2_6;
	else if (view_is(text, "3.2") || view_starts(text, "3.2."))
		*ret = DIALECT_3_2;
	else
		return false;
	return true;
}

bool connector_class_is_ours(struct view class)
{
	return view_is(class, "io.debezium.connector.postgresql.PostgresConnector") || view_is(class, "PostgresConnector") ||
		view_is(class, "Postgres");
}

static bool has_control(struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++)
		if (v.ptr[i] < 0x20 || v.ptr[i] == 0x7f)
			return true;
	return false;
}

/* Everything, faults included; -1 when there is no map to look at. */
static int read_config(struct config_reader *r, struct view json, struct view name, enum capture_dialect dialect,
	const struct pg_params *source, struct err *err)
{
	struct view given;

	*r = (struct config_reader){.config = mem_zalloc(sizeof(*r->config)), .source = source, .values = MAP_INIT, .asked = MAP_INIT};
	r->config->arena = ARENA_INIT;
	r->config->name = arena_view(&r->config->arena, name);
	r->config->dialect = dialect;
	if (read_map(r, json, err))
		return -1;
	given = config_get(r, "name");
	if (given.ptr && name.len && !view_eq(given, name))
		return err_set(err, ERR_INVALID, "Connector name configuration (%.*s) doesn't match connector name in the URL (%.*s)",
			(int)given.len, (const char *)given.ptr, (int)name.len, (const char *)name.ptr);
	if (given.ptr && !name.ptr)
		name = r->config->name = given;
	if (!name.ptr)
		config_missing(r, "name");
	else if (name.len == 0)
		config_fault(r, "name", name, "String may not be empty");
	else if (has_control(name))
		config_fault(r, "name", name, "String may not contain control sequences");
	read_all(r);
	config_check_others(r);
	config_sort_faults(r);
	return 0;
}

static void release_reader(struct config_reader *r)
{
	mem_free(r->faults);
	map_release(&r->values);
	map_release(&r->asked);
}

int connector_config_read(struct view json, struct view name, enum capture_dialect dialect, const struct pg_params *source,
	struct connector_config **ret, struct err *err)
{
	struct config_reader r;
	struct buf lines = BUF_INIT(1 << 20);
	unsigned i;
	int rc = read_config(&r, json, name, dialect, source, err);

	if (rc == 0 && r.nfaults) {
		rc = err_set(err, ERR_INVALID, "Connector configuration is invalid and contains the following %u error(s)", r.nfaults);
		for (i = 0; i < r.nfaults; i++)
			buf_printf(&lines, "%s%.*s", i ? "\n" : "", (int)r.faults[i].text.len, (const char *)r.faults[i].text.ptr);
		err_detail(err, "%s", buf_cstr(&lines));
	}
	if (rc)
		connector_config_free(r.config);
	else
		*ret = r.config;
	buf_release(&lines);
	release_reader(&r);
	return rc;
}

int connector_config_check(struct view json, struct view name, enum capture_dialect dialect, const struct pg_params *source,
	struct arena *a, struct config_fault **ret, unsigned *ret_n, struct pg_params *ret_source, struct err *err)
{
	struct config_reader r;
	unsigned i;
	int rc = read_config(&r, json, name, dialect, source, err);

	if (rc == 0) {
		*ret = arena_alloc(a, (r.nfaults + 1) * sizeof(**ret));
		for (i = 0; i < r.nfaults; i++)
			(*ret)[i] = (struct config_fault){arena_view(a, r.faults[i].key), arena_view(a, r.faults[i].text)};
		*ret_n = r.nfaults;
		pg_params_copy(ret_source, &r.config->source);
	}
	connector_config_free(r.config);
	release_reader(&r);
	return rc;
}

void connector_config_free(struct connector_config *c)
{
	unsigned i;

	if (!c)
		return;
	regex_free(c->table_include);
	regex_free(c->table_exclude);
	regex_free(c->schema_include);
	regex_free(c->schema_exclude);
	for (i = 0; i < c->ntransforms; i++)
		regex_free(c->transforms[i].topic);
	pg_params_release(&c->source);
	arena_release(&c->arena);
	mem_free(c);
}

bool connector_config_wants(const struct connector_config *c, struct view schema, struct view table)
{
	struct buf both = BUF_INIT(1024);
	bool wanted = true;

	buf_putv(&both, schema);
	buf_putc(&both, '.');
	buf_putv(&both, table);
	if (c->schema_include)
		wanted = regex_matches(c->schema_include, schema);
	if (c->schema_exclude)
		wanted = !regex_matches(c->schema_exclude, schema);
	if (wanted && c->table_include)
		wanted = regex_matches(c->table_include, buf_view(&both));
	if (wanted && c->table_exclude)
		wanted = !regex_matches(c->table_exclude, buf_view(&both));
	buf_release(&both);
	return wanted;
}
