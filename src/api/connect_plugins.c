/* Plugins: the connector class, the transforms and the converter that walmill has in it. Loggers: there is one level for all of
 * walmill, and each of the names below stands for it, with what stands above and below them. A worker takes any name; so do we. */
#include <stdatomic.h>
#include <stdio.h>

#include "api/connect_int.h"
#include "capture/config_defs.h"

/* ---- plugins ---- */

static const char *const connect_version = "3.9.1";

const char *connect_plugin_version(enum capture_dialect dialect)
{
	return dialect == DIALECT_2_6 ? "2.6.2.Final" : "3.2.3.Final";
}

/* What a plugin can be told. */
struct option {
	const char *key, *type, *preset, *importance, *group, *width;
	int order;
	bool required;
	const char *about;
};

/* Of transforms and the converter: those that are obeyed here. */
static const struct option logical_router[] = {
	{"topic.regex", "STRING", NULL, "LOW", NULL, "LONG", 1, false, "Topics that match it are renamed."},
	{"topic.replacement", "STRING", NULL, "LOW", NULL, "LONG", 1, false, "The new name, with $1 for what the first group matched."},
	{"key.enforce.uniqueness", "BOOLEAN", "true", "LOW", NULL, "SHORT", 1, false, "Adds to keys which table they are of."},
	{0}};

static const struct option new_record_state[] = {
	{"delete.tombstone.handling.mode", "STRING", "tombstone", "MEDIUM", NULL, "MEDIUM", 1, false,
		"What becomes of deletes: drop, tombstone, rewrite, rewrite-with-tombstone, delete-to-tombstone, none."},
	{"add.fields.prefix", "STRING", "__", "LOW", NULL, "SHORT", 1, false, "Stands before the names of added fields."},
	{"add.fields", "LIST", "", "LOW", NULL, "LONG", 1, false, "Fields of the event to add to the row, such as op,source.ts_ms."},
	{"add.headers.prefix", "STRING", "__", "LOW", NULL, "SHORT", 1, false, "Stands before the names of added headers."},
	{"add.headers", "LIST", "", "LOW", NULL, "LONG", 1, false, "Fields of the event to add as headers."},
	{0}};

static const struct option regex_router[] = {
	{"regex", "STRING", NULL, "HIGH", NULL, "NONE", -1, true, "Topics that match it are renamed."},
	{"replacement", "STRING", NULL, "HIGH", NULL, "NONE", -1, true, "The new name, with $1 for what the first group matched."},
	{0}};

static const struct option json_converter[] = {
	{"schemas.enable", "BOOLEAN", "true", "HIGH", "Schemas", "MEDIUM", 0, false, "Whether each key and value comes with its schema."},
	{"replace.null.with.default", "BOOLEAN", "true", "LOW", "Serialization", "MEDIUM", 1, false,
		"Whether a null is written as its column's default."},
	{0}};

static const struct {
	const char *class, *type;
	bool debezium;
	const struct option *options;   /* ends with a key that is NULL; NULL for the connector: config_defs.h */
} plugins[] = {
	{CONNECTOR_CLASS, "source", true, NULL},
	{"io.debezium.transforms.ByLogicalTableRouter", "transformation", true, logical_router},
	{"io.debezium.transforms.ExtractNewRecordState", "transformation", true, new_record_state},
	{"org.apache.kafka.connect.transforms.RegexRouter", "transformation", false, regex_router},
	{"org.apache.kafka.connect.json.JsonConverter", "converter", false, json_converter},
};

static enum capture_dialect dialect_of(const struct call *c)
{
	enum capture_dialect dialect;
	const struct pg_params *ignored;

	registry_capture_options(c->api->registry, &dialect, &ignored);
	return dialect;
}

void connect_plugins(struct call *c)
{
	bool all = !connect_flag(c, "connectorsOnly", true);
	struct buf *b = &c->out->body;
	size_t i;

	c->out->status = 200;
	buf_putc(b, '[');
	for (i = 0; i < (all ? sizeof(plugins) / sizeof(plugins[0]) : 1); i++)
		buf_printf(b, "%s{\"class\":\"%s\",\"type\":\"%s\",\"version\":\"%s\"}", i ? "," : "", plugins[i].class, plugins[i].type,
			plugins[i].debezium ? connect_plugin_version(dialect_of(c)) : connect_version);
	buf_putc(b, ']');
}

/* A plugin goes by its class, the class without its package, and that without "Connector". */
bool connect_plugin_is(struct view name)
{
	return connector_class_is_ours(name) || view_is(name, "io.debezium.connector.postgresql.Postgres");
}

static void put_text(struct buf *b, const char *key, const char *value)
{
	js_put_key(b, key);
	if (value)
		js_put_str(b, value);
	else
		buf_puts(b, "null");
}

/* "topic.prefix" -> "Topic prefix" */
static void put_display_name(struct buf *b, const char *key)
{
	struct buf text = BUF_INIT(1024);

	for (; *key; key++)
		buf_putc(&text, *key == '.' ? ' ' : text.len == 0 && *key >= 'a' && *key <= 'z' ? (char)(*key - 32) : *key);
	js_put_key(b, "display_name");
	js_put_string(b, buf_view(&text));
	buf_release(&text);
}

static void put_option(struct buf *b, const struct option *o)
{
	buf_putc(b, '{');
	put_text(b, "name", o->key);
	put_text(b, "type", o->type);
	buf_printf(b, ",\"required\":%s", o->required ? "true" : "false");
	put_text(b, "default_value", o->preset);
	put_text(b, "importance", o->importance);
	put_text(b, "documentation", o->about);
	put_text(b, "group", o->group);
	put_text(b, "width", o->width);
	put_display_name(b, o->key);
	buf_printf(b, ",\"dependents\":[],\"order\":%d}", o->order);
}

void connect_put_definition(struct buf *b, const struct config_def *d, enum capture_dialect dialect)
{
	/* the worker itself needs these; what the connector needs, it says by its own faults */
	bool required = strcmp(d->key, "name") == 0 || strcmp(d->key, "connector.class") == 0;

	put_option(b, &(struct option){d->key, d->type, d->preset, d->importance, config_group_name((enum config_group)d->group), d->width,
		(int)d->order[dialect], required, config_def_about(d)});
}

static void put_options(struct buf *b, const struct option *o)
{
	buf_putc(b, '[');
	for (; o->key; o++) {
		js_put_comma(b);
		put_option(b, o);
	}
	buf_putc(b, ']');
}

void connect_plugin_config(struct call *c)
{
	struct buf *b = &c->out->body;
	struct view name = c->args[0];
	unsigned i;

	c->out->status = 200;
	for (i = 1; i < sizeof(plugins) / sizeof(plugins[0]); i++)
		if (view_is(name, plugins[i].class) || view_is(name, strrchr(plugins[i].class, '.') + 1)) {
			put_options(b, plugins[i].options);
			return;
		}
	if (!connect_plugin_is(name)) {
		api_error_text(c->out, 404, "Unknown plugin %.*s.", (int)name.len, (const char *)name.ptr);
		return;
	}
	buf_putc(b, '[');
	for (i = 0; i < config_ndefs; i++) {
		if (!config_defs[i].order[dialect_of(c)])
			continue;
		js_put_comma(b);
		connect_put_definition(b, &config_defs[i], dialect_of(c));
	}
	buf_putc(b, ']');
}

/* ---- loggers ---- */

static const char *const loggers[] = {"io.debezium", "org.apache.kafka.connect", "root"};

static const struct {
	const char *name;
	enum logger_level level;
} levels[] = {{"DEBUG", LOGGER_DEBUG}, {"INFO", LOGGER_INFO}, {"WARN", LOGGER_WARNING}, {"ERROR", LOGGER_ERROR}, {"TRACE", LOGGER_DEBUG},
	{"FATAL", LOGGER_ERROR}, {"OFF", LOGGER_ERROR}};

/* When the level was set through here, milliseconds since 1970; 0 = never. */
static _Atomic int64_t level_set_ms;

/* What a name is to walmill's one level. */
enum logger_kind { LOGGER_OTHER, LOGGER_BELOW, LOGGER_OURS };

static bool is_above(struct view name, struct view other)
{
	return name.len < other.len && other.ptr[name.len] == '.' && memcmp(name.ptr, other.ptr, name.len) == 0;
}

static enum logger_kind logger_kind(struct view name)
{
	size_t i;

	for (i = 0; i < sizeof(loggers) / sizeof(loggers[0]); i++) {
		struct view ours = view_str(loggers[i]);

		if (view_eq(name, ours) || is_above(name, ours))
			return LOGGER_OURS;
		if (is_above(ours, name))
			return LOGGER_BELOW;
	}
	return LOGGER_OTHER;
}

static const char *level_now(const struct call *c)
{
	unsigned i;

	for (i = 0; i < 3; i++)
		if (logger_wants(c->api->logger, levels[i].level))
			break;
	return levels[i].name;
}

static void put_level(struct call *c)
{
	int64_t at = atomic_load(&level_set_ms);

	buf_printf(&c->out->body, "{\"level\":\"%s\",\"last_modified\":", level_now(c));
	if (at)
		buf_i64(&c->out->body, at);
	else
		buf_puts(&c->out->body, "null");
	buf_putc(&c->out->body, '}');
}

void connect_loggers(struct call *c)
{
	struct buf *b = &c->out->body;
	size_t i;

	c->out->status = 200;
	buf_putc(b, '{');
	for (i = 0; i < sizeof(loggers) / sizeof(loggers[0]); i++) {
		js_put_key(b, loggers[i]);
		put_level(c);
	}
	buf_putc(b, '}');
}

void connect_logger(struct call *c)
{
	if (logger_kind(c->args[0]) == LOGGER_OTHER) {
		api_error_text(c->out, 404, "Logger %.*s not found.", (int)c->args[0].len, (const char *)c->args[0].ptr);
		return;
	}
	c->out->status = 200;
	put_level(c);
}

/* The level that the body asks for, as a row of the table; -1 when it was answered. */
static int level_asked(struct call *c)
{
	struct view level = VIEW_NULL;
	struct js_reader js;
	struct js_token t;
	size_t i;

	if (!connect_body(c, "the body", &js))
		return -1;
	while (js_next(&js, &t) != JS_OBJECT_END) {
		if (t.kind == JS_STRING && view_is(t.key, "level"))
			level = t.text;
		js_skip(&js, &t);
	}
	if (!level.ptr) {
		api_error_text(c->out, 400, "Desired 'level' parameter was not specified in request.");
		return -1;
	}
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (level.len == strlen(levels[i].name) && strncasecmp((const char *)level.ptr, levels[i].name, level.len) == 0)
			return (int)i;
	api_error_text(c->out, 404, "invalid log level '%.*s'.", (int)level.len, (const char *)level.ptr);
	return -1;
}

void connect_set_logger(struct call *c)
{
	enum logger_kind kind = logger_kind(c->args[0]);
	int level = level_asked(c);

	if (level < 0)
		return;
	/* who quiets one class of a worker does not mean all of walmill */
	if (kind == LOGGER_OURS || (kind == LOGGER_BELOW && levels[level].level <= LOGGER_INFO)) {
		logger_set_level(c->api->logger, levels[level].level);
		atomic_store(&level_set_ms, io_now_us(c->api->io) / 1000);
	}
	if (strcasecmp(http_query(c->r, "scope"), "cluster") == 0) {
		c->out->status = 204;
		return;
	}
	c->out->status = 200;
	buf_putc(&c->out->body, '[');
	js_put_string(&c->out->body, c->args[0]);
	buf_putc(&c->out->body, ']');
}
