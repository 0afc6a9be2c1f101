/* Configurations: creating, replacing, patching, checking. A worker checks before it stores, and its list of faults is what people read. */
#include <stdio.h>

#include "api/connect_int.h"
#include "capture/config_defs.h"

/* ---- faults ---- */

struct check {
	struct config_fault *faults;
	unsigned n;
};

static void add_fault(struct call *c, struct check *k, const char *key, const char *text)
{
	struct config_fault *more = arena_alloc(&c->arena, (k->n + 1) * sizeof(*more));

	if (k->n)
		memcpy(more, k->faults, k->n * sizeof(*more));
	more[k->n++] = (struct config_fault){view_str(key), arena_view(&c->arena, view_str(text))};
	k->faults = more;
}

/* The server's own sentence, as drivers show it, where it got so far. */
static const char *server_text(struct arena *a, const struct err *err)
{
	const char *fatal = strstr(err->text, "FATAL:");

	if (!fatal)
		return err->text;
	fatal += 6;
	return arena_printf(a, "FATAL: %s", fatal + strspn(fatal, " "));
}

/* Whether the server can be reached is asked only of a configuration that has no other fault, and told of database.hostname. */
static void check_connection(struct call *c, struct check *k, const struct pg_params *source)
{
	struct pg_conn *conn;
	struct err err = ERR_INIT;

	if (pg_connect(source, PG_CONN_PLAIN, "walmill check", -1, &conn, &err))
		add_fault(c, k, "database.hostname",
			arena_printf(&c->arena, "Error while validating connector config: %s", server_text(&c->arena, &err)));
	else
		pg_close(conn);
}

/* 0 with the faults that there are; -1 when it was answered. */
static int check(struct call *c, struct view name, struct view config, struct check *k)
{
	const struct pg_params *preset;
	enum capture_dialect dialect;
	struct pg_params source = {0};
	struct err err = ERR_INIT;
	unsigned i, others = 0;

	registry_capture_options(c->api->registry, &dialect, &preset);
	if (connector_config_check(config, name, dialect, preset, &c->arena, &k->faults, &k->n, &source, &err)) {
		pg_params_release(&source);
		api_error(c->out, &err);
		return -1;
	}
	/* a check of a configuration that has no name yet still looks at the server */
	for (i = 0; i < k->n; i++)
		others += !view_is(k->faults[i].key, "name");
	if (others == 0)
		check_connection(c, k, &source);
	pg_params_release(&source);
	return 0;
}

/* ---- the class ---- */

/* A flat map's value of that key as text; VIEW_NULL when it is not there. */
static struct view value_of(struct call *c, struct view config, const char *key)
{
	struct js_reader js;
	struct js_token t;
	struct view found = VIEW_NULL;

	js_reader_init(&js, config, 0);
	js_next(&js, &t);
	while (js_next(&js, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		if (view_eq(js_unescape(&c->arena, t.key, t.key_escaped), view_str(key)))
			found = t.kind == JS_STRING ? js_unescape(&c->arena, t.text, t.text_escaped)
				: t.kind == JS_NUMBER ? t.text
				: t.kind == JS_TRUE   ? view_str("true")
				: t.kind == JS_FALSE  ? view_str("false")
						      : VIEW_NULL;
		js_skip(&js, &t);
	}
	return found;
}

static bool is_secret(struct view key)
{
	const struct config_def *d = config_def_find(key);

	return (d && strcmp(d->type, "PASSWORD") == 0) || memmem(key.ptr, key.len, "password", 8) || memmem(key.ptr, key.len, "secret", 6);
}

/* "{a=b, c=d}", as a worker shows a map; what may be secret is not shown */
static void put_map(struct call *c, struct buf *b, struct view config, struct view name)
{
	struct js_reader js;
	struct js_token t;
	bool first = true;

	js_reader_init(&js, config, 0);
	js_next(&js, &t);
	buf_putc(b, '{');
	while (js_next(&js, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		struct view key = js_unescape(&c->arena, t.key, t.key_escaped);

		buf_printf(b, "%s%.*s=", first ? "" : ", ", (int)key.len, (const char *)key.ptr);
		buf_putv(b, is_secret(key)     ? view_str("[hidden]")
			: t.kind == JS_NULL ? view_str("null")
					    : js_unescape(&c->arena, t.text, t.text_escaped));
		first = false;
		js_skip(&js, &t);
	}
	if (name.ptr)
		buf_printf(b, "%sname=%.*s", first ? "" : ", ", (int)name.len, (const char *)name.ptr);
	buf_putc(b, '}');
}

/* False when it was answered: no class, or one that is not here. */
static bool class_is_known(struct call *c, struct view config, struct view name)
{
	struct view class = value_of(c, config, "connector.class");
	struct buf map = BUF_INIT(1 << 20);
	enum capture_dialect dialect;
	const struct pg_params *ignored;

	if (connector_class_is_ours(class))
		return true;
	if (class.len == 0) {
		put_map(c, &map, config, name.ptr && !value_of(c, config, "name").ptr ? name : VIEW_NULL);
		api_error_text(c->out, 400, "Connector config %s contains no connector type", buf_cstr(&map));
		buf_release(&map);
		return false;
	}
	registry_capture_options(c->api->registry, &dialect, &ignored);
	api_error_text(c->out, 400,
		"Failed to find any class that implements Connector and which name matches %.*s, available connectors are: "
		"PluginDesc{klass=class " CONNECTOR_CLASS ", name='" CONNECTOR_CLASS "', version='%s', encodedVersion=%s, type=source, "
		"typeName='source', location='walmill'}",
		(int)class.len, (const char *)class.ptr, connect_plugin_version(dialect), connect_plugin_version(dialect));
	return false;
}

/* ---- creating and replacing ---- */

/* Checked and without a fault; false when it was answered. */
static bool accepted(struct call *c, struct view name, struct view config)
{
	struct buf lines = BUF_INIT(1 << 20);
	struct check k;
	unsigned i;

	if (!class_is_known(c, config, name) || check(c, name, config, &k))
		return false;
	if (k.n == 0)
		return true;
	for (i = 0; i < k.n; i++)
		buf_printf(&lines, "%.*s\n", (int)k.faults[i].text.len, (const char *)k.faults[i].text.ptr);
	api_error_text(c->out, 400,
		"Connector configuration is invalid and contains the following %u error(s):\n%sYou can also find the above list of errors at the "
		"endpoint `/connector-plugins/{connectorType}/config/validate`",
		k.n, buf_cstr(&lines));
	buf_release(&lines);
	return false;
}

static void answer_made(struct call *c, struct view name, bool made)
{
	static __thread char location[1024];
	struct buf b = BUF_INIT(8192);

	/* a worker gives tasks to a connector only after it has answered for a new one */
	connect_put_info(c, name, !made);
	c->out->status = made ? 201 : 200;
	if (made) {
		buf_printf(&b, "http://%s/connectors/", c->api->worker_id);
		http_put_segment(&b, name);
		snprintf(location, sizeof(location), "%s", buf_cstr(&b));
		c->out->location = location;
		buf_release(&b);
	}
}

static const char *const initial_states[] = {"RUNNING", "PAUSED", "STOPPED"};

/* A request to create, as it was read. */
struct creation {
	struct view name, config;
	enum connector_state desired;
};

static bool read_state(struct call *c, struct view text, struct creation *r)
{
	static const enum connector_state states[] = {CONNECTOR_RUNNING, CONNECTOR_PAUSED, CONNECTOR_STOPPED};
	unsigned i;

	for (i = 0; i < 3; i++)
		if (view_is(text, initial_states[i])) {
			r->desired = states[i];
			return true;
		}
	api_error_text(c->out, 400, "initial_state \"%.*s\" is none of RUNNING, PAUSED, STOPPED", (int)text.len, (const char *)text.ptr);
	return false;
}

static bool read_creation(struct call *c, struct creation *r)
{
	struct js_reader js;
	struct js_token t;

	if (!connect_body(c, "the body", &js))
		return false;
	while (js_next(&js, &t) != JS_OBJECT_END) {
		const uint8_t *from = js.ptr - 1;

		if (t.kind == JS_NULL && (view_is(t.key, "name") || view_is(t.key, "config") || view_is(t.key, "initial_state")))
			continue;
		if (t.kind == JS_STRING && view_is(t.key, "name")) {
			r->name = js_unescape(&c->arena, t.text, t.text_escaped);
		} else if (t.kind == JS_STRING && view_is(t.key, "initial_state")) {
			if (!read_state(c, t.text, r))
				return false;
		} else if (t.kind == JS_OBJECT && view_is(t.key, "config")) {
			js_skip(&js, &t);
			r->config = view_of(from, (size_t)(js.ptr - from));
		} else if (view_is(t.key, "name") || view_is(t.key, "config") || view_is(t.key, "initial_state")) {
			api_error_text(c->out, 400, "field \"%.*s\" is not of the type that it must have", (int)t.key.len, (const char *)t.key.ptr);
			return false;
		} else {
			api_error_text(c->out, 400, "Unrecognized field \"%.*s\", not marked as ignorable (3 known properties: \"config\", \"name\", "
				"\"initial_state\"])", (int)t.key.len, (const char *)t.key.ptr);
			return false;
		}
	}
	if (!r->config.ptr)
		api_error_text(c->out, 400, "the body has no \"config\"");
	return r->config.ptr != NULL;
}

void connect_create(struct call *c)
{
	struct creation r = {.name = view_of("", 0), .desired = CONNECTOR_RUNNING};
	struct err err = ERR_INIT;

	if (!read_creation(c, &r) || !accepted(c, r.name, r.config))
		return;
	if (registry_connector_create(c->api->registry, r.name, r.config, r.desired, &err))
		api_error(c->out, &err);
	else
		answer_made(c, r.name, true);
}

static void replace(struct call *c, struct view config)
{
	struct err err = ERR_INIT;
	bool made;

	if (!accepted(c, c->args[0], config))
		return;
	if (registry_connector_put(c->api->registry, c->args[0], config, &made, &err))
		api_error(c->out, &err);
	else
		answer_made(c, c->args[0], made);
}

void connect_put(struct call *c)
{
	struct js_reader js;

	if (connect_body(c, "the body", &js))
		replace(c, c->r->body);
}

/* ---- patching: keys replace those that are there, null takes one out ---- */

struct patch {
	struct call *call;
	struct view now;
};

static void see_config(void *arg, struct connector *c)
{
	struct patch *p = arg;

	p->now = arena_view(&p->call->arena, connector_config(c)->json);
}

static bool in_patch(struct call *c, struct view patch, struct view key)
{
	struct js_reader js;
	struct js_token t;
	bool found = false;

	js_reader_init(&js, patch, 0);
	js_next(&js, &t);
	while (js_next(&js, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		found = found || view_eq(js_unescape(&c->arena, t.key, t.key_escaped), key);
		js_skip(&js, &t);
	}
	return found;
}

/* Members of a map as text, but for those that the patch (or NULL) has and for nulls. */
static void put_members(struct call *c, struct buf *b, struct view map, const struct view *patch)
{
	struct js_reader js;
	struct js_token t;

	js_reader_init(&js, map, 0);
	js_next(&js, &t);
	while (js_next(&js, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		struct view key = js_unescape(&c->arena, t.key, t.key_escaped);
		const uint8_t *from = t.kind == JS_STRING ? t.text.ptr - 1 : t.kind == JS_NUMBER ? t.text.ptr : js.ptr - 1;

		if (t.kind == JS_NULL || (patch && in_patch(c, *patch, key))) {
			js_skip(&js, &t);
			continue;
		}
		js_put_comma(b);
		js_put_string(b, key);
		buf_putc(b, ':');
		js_skip(&js, &t);
		/* containers go through as well: it is the configuration's reader that refuses them */
		if (t.kind == JS_TRUE || t.kind == JS_FALSE)
			buf_puts(b, t.kind == JS_TRUE ? "true" : "false");
		else
			buf_put(b, from, t.kind == JS_NUMBER ? t.text.len : (size_t)(js.ptr - from));
	}
}

void connect_patch(struct call *c)
{
	struct patch p = {.call = c};
	struct buf merged = BUF_INIT(16 << 20);
	struct js_reader js;

	if (!connect_body(c, "the body", &js))
		return;
	if (!registry_connector_with(c->api->registry, c->args[0], see_config, &p)) {
		connect_missing(c, MISSING_CONNECTOR);
		return;
	}
	buf_putc(&merged, '{');
	put_members(c, &merged, p.now, &c->r->body);
	put_members(c, &merged, c->r->body, NULL);
	buf_putc(&merged, '}');
	replace(c, buf_view(&merged));
	buf_release(&merged);
}

/* ---- checking ---- */

static void put_choices(struct buf *b, const char *choices)
{
	buf_putc(b, '[');
	while (choices && *choices) {
		size_t n = strcspn(choices, ",");

		js_put_comma(b);
		js_put_string(b, view_of(choices, n));
		choices += n + (choices[n] == ',');
	}
	buf_putc(b, ']');
}

/* "value" of one key. A worker shows what was given, or the preset, for its own keys, and null for the connector's. */
static void put_value(struct buf *b, const struct config_def *d, struct view key, struct view value, const struct check *k)
{
	unsigned i;

	if (d && !config_def_is_connects(d))
		value = VIEW_NULL;
	else if (d && !value.ptr && d->preset)
		value = view_str(d->preset);
	buf_puts(b, "\"value\":{\"name\":");
	js_put_string(b, key);
	buf_puts(b, ",\"value\":");
	if (value.ptr)
		js_put_string(b, is_secret(key) ? view_str("[hidden]") : value);
	else
		buf_puts(b, "null");
	buf_puts(b, ",\"recommended_values\":");
	put_choices(b, d && !config_def_is_connects(d) ? d->choices : NULL);
	buf_puts(b, ",\"errors\":[");
	for (i = 0; i < k->n; i++)
		if (view_eq(k->faults[i].key, key)) {
			js_put_comma(b);
			js_put_string(b, k->faults[i].text);
		}
	buf_puts(b, "],\"visible\":true}");
}

/* Keys of the body that the table does not have. */
static void put_unknown(struct call *c, const struct check *k)
{
	struct buf *b = &c->out->body;
	struct js_reader js;
	struct js_token t;

	js_reader_init(&js, c->r->body, 0);
	js_next(&js, &t);
	while (js_next(&js, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		struct view key = js_unescape(&c->arena, t.key, t.key_escaped);

		js_skip(&js, &t);
		if (config_def_find(key))
			continue;
		buf_puts(b, ",{\"definition\":null,");
		put_value(b, NULL, key, t.text.ptr ? js_unescape(&c->arena, t.text, t.text_escaped) : view_str(""), k);
		buf_putc(b, '}');
	}
}

static void put_report(struct call *c, struct view class, const struct check *k, enum capture_dialect dialect)
{
	struct buf *b = &c->out->body;
	unsigned i, g;

	c->out->status = 200;
	buf_puts(b, "{\"name\":");
	js_put_string(b, class);
	buf_printf(b, ",\"error_count\":%u,\"groups\":[", k->n);
	for (g = GROUP_COMMON; g <= GROUP_EVENTS; g++)
		buf_printf(b, "%s\"%s\"", g ? "," : "", config_group_name(g));
	buf_puts(b, "],\"configs\":[");
	for (i = 0; i < config_ndefs; i++) {
		const struct config_def *d = &config_defs[i];

		if (!d->order[dialect])
			continue;
		buf_puts(b, i ? ",{\"definition\":" : "{\"definition\":");
		connect_put_definition(b, d, dialect);
		buf_putc(b, ',');
		put_value(b, d, view_str(d->key), value_of(c, c->r->body, d->key), k);
		buf_putc(b, '}');
	}
	put_unknown(c, k);
	buf_puts(b, "]}");
}

void connect_validate(struct call *c)
{
	const struct pg_params *ignored;
	enum capture_dialect dialect;
	struct js_reader js;
	struct view class, type = c->args[0];
	struct check k;

	if (!connect_body(c, "the body", &js) || !class_is_known(c, c->r->body, VIEW_NULL))
		return;
	class = value_of(c, c->r->body, "connector.class");
	if (!connect_plugin_is(type)) {
		api_error_text(c->out, 400, "Included connector type %.*s does not match request type %.*s", (int)class.len,
			(const char *)class.ptr, (int)type.len, (const char *)type.ptr);
		return;
	}
	if (check(c, VIEW_NULL, c->r->body, &k))
		return;
	registry_capture_options(c->api->registry, &dialect, &ignored);
	put_report(c, class, &k, dialect);
}
