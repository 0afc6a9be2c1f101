/*
 * Kafka Connect's REST API, as far as connectors, their states and the plugin list go. Shapes and texts are those of a Connect 3.9 worker
 * (class ConnectExceptionMapper for errors).
 */
#include <stdio.h>

#include "api/api.h"
#include "base/js.h"

void api_error_text(struct http_response *out, unsigned status, const char *fmt, ...)
{
	struct buf text = BUF_INIT(16384);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	out->status = status;
	buf_clear(&out->body);
	buf_printf(&out->body, "{\"error_code\":%u,\"message\":", status);
	js_put_string(&out->body, buf_view(&text));
	buf_putc(&out->body, '}');
	buf_release(&text);
}

void api_error(struct http_response *out, const struct err *err)
{
	unsigned status = err->code == ERR_NOT_FOUND ? 404 : err->code == ERR_EXISTS || err->code == ERR_STATE || err->code == ERR_BUSY ? 409
		: err->code == ERR_INVALID || err->code == ERR_UNSUPPORTED || err->code == ERR_LIMIT || err->code == ERR_DATA ? 400 : 500;

	if (err->detail[0] || err->hint[0])
		api_error_text(out, status, "%s%s%s%s%s", err->text, err->detail[0] ? ":\n" : "", err->detail, err->hint[0] ? "\n" : "", err->hint);
	else
		api_error_text(out, status, "%s", err->text);
}

/* ---- shapes ---- */

static void put_info(struct buf *b, struct connector *c)
{
	const struct connector_config *cfg = connector_config(c);
	struct connector_status s;

	connector_status(c, &s);
	buf_release(&s.warnings);
	js_put_key(b, "name");
	js_put_string(b, cfg->name);
	js_put_key(b, "config");
	buf_putv(b, cfg->json);
	js_put_key(b, "tasks");
	buf_putc(b, '[');
	if (s.state != CONNECTOR_STOPPED) {
		buf_puts(b, "{\"connector\":");
		js_put_string(b, cfg->name);
		buf_puts(b, ",\"task\":0}");
	}
	buf_puts(b, "],\"type\":\"source\"");
}

static void put_trace(struct buf *b, const struct err *err)
{
	struct buf text = BUF_INIT(8192);

	buf_puts(&text, err->text);
	if (err->detail[0])
		buf_printf(&text, "\n%s", err->detail);
	if (err->hint[0])
		buf_printf(&text, "\n%s", err->hint);
	js_put_key(b, "trace");
	js_put_string(b, buf_view(&text));
	buf_release(&text);
}

static void put_lsn(struct buf *b, const char *key, lsn_t lsn)
{
	js_put_key(b, key);
	buf_printf(b, "\"" LSN_FORMAT "\"", LSN_ARGS(lsn));
}

/* What Connect's status does not have is under "walmill", which its clients ignore. */
static void put_own(struct buf *b, struct connector_status *s)
{
	struct reader r = reader_of(buf_view(&s->warnings));
	bool first = true;

	js_put_key(b, "walmill");
	buf_printf(b,
		"{\"step\":\"%s\",\"snapshot_done\":%s,\"rows\":%llu,\"events\":%llu,\"transactions\":%llu,\"snapshot_rows\":%llu,\"last_commit_"
		"us\":%lld",
		connector_step_name(s->step), s->snapshot_done ? "true" : "false", (unsigned long long)s->counts.rows,
		(unsigned long long)s->counts.events, (unsigned long long)s->counts.transactions, (unsigned long long)s->counts.snapshot_rows,
		(long long)s->last_commit_us);
	put_lsn(b, "durable_lsn", s->durable);
	put_lsn(b, "confirmed_lsn", s->confirmed);
	if (s->error.code) {
		js_put_key(b, "error");
		js_put_str(b, s->error.text);
	}
	js_put_key(b, "warnings");
	buf_putc(b, '[');
	while (reader_left(&r)) {
		const uint8_t *nl = memchr(r.ptr, '\n', reader_left(&r));
		size_t n = nl ? (size_t)(nl - r.ptr) : reader_left(&r);

		if (!first)
			buf_putc(b, ',');
		first = false;
		js_put_string(b, reader_view(&r, n));
		if (nl)
			reader_take(&r, 1);
	}
	buf_puts(b, "]}");
}

static void put_status(struct buf *b, struct connector *c, const char *worker)
{
	struct connector_status s;
	bool failed;

	connector_status(c, &s);
	failed = s.state == CONNECTOR_FAILED;
	js_put_key(b, "name");
	js_put_string(b, connector_config(c)->name);
	/* as in Connect, it is the task that fails; the connector itself goes on existing */
	js_put_key(b, "connector");
	buf_printf(b, "{\"state\":\"%s\",\"worker_id\":\"%s\"}", failed ? "RUNNING" : connector_state_name(s.state), worker);
	js_put_key(b, "tasks");
	buf_putc(b, '[');
	if (s.state != CONNECTOR_STOPPED) {
		buf_printf(b, "{\"id\":0,\"state\":\"%s\",\"worker_id\":\"%s\"", connector_state_name(s.state), worker);
		if (failed)
			put_trace(b, &s.error);
		buf_putc(b, '}');
	}
	buf_puts(b, "],\"type\":\"source\"");
	put_own(b, &s);
	buf_release(&s.warnings);
}

/* ---- one connector ---- */

struct one {
	const struct api *api;
	struct buf *b;
	enum { ONE_INFO, ONE_CONFIG, ONE_STATUS, ONE_TASKS, ONE_TASK } what;
};

static void put_one(void *arg, struct connector *c)
{
	struct one *o = arg;
	struct connector_status s;

	switch (o->what) {
	case ONE_INFO:
		buf_putc(o->b, '{');
		put_info(o->b, c);
		buf_putc(o->b, '}');
		break;
	case ONE_CONFIG:
		buf_putv(o->b, connector_config(c)->json);
		break;
	case ONE_STATUS:
		buf_putc(o->b, '{');
		put_status(o->b, c, o->api->worker_id);
		buf_putc(o->b, '}');
		break;
	case ONE_TASKS:
		buf_puts(o->b, "[{\"id\":{\"connector\":");
		js_put_string(o->b, connector_config(c)->name);
		buf_puts(o->b, ",\"task\":0},\"config\":");
		buf_putv(o->b, connector_config(c)->json);
		buf_puts(o->b, "}]");
		break;
	case ONE_TASK:
		connector_status(c, &s);
		buf_printf(o->b, "{\"id\":0,\"state\":\"%s\",\"worker_id\":\"%s\"", connector_state_name(s.state), o->api->worker_id);
		if (s.state == CONNECTOR_FAILED)
			put_trace(o->b, &s.error);
		buf_putc(o->b, '}');
		buf_release(&s.warnings);
	}
}

static void get_one(const struct api *api, struct view name, int what, struct http_response *out)
{
	struct one o = {api, &out->body, what};

	out->status = 200;
	if (registry_connector_with(api->registry, name, put_one, &o))
		return;
	if (what == ONE_STATUS || what == ONE_TASK)
		api_error_text(out, 404, "No status found for connector %.*s", (int)name.len, (const char *)name.ptr);
	else
		api_error_text(out, 404, "Connector %.*s not found", (int)name.len, (const char *)name.ptr);
}

/* ---- the list ---- */

struct list {
	const struct api *api;
	struct buf *b;
	bool info, status;
};

static int put_listed(void *arg, struct connector *c)
{
	struct list *l = arg;

	js_put_comma(l->b);
	js_put_string(l->b, connector_config(c)->name);
	if (!l->info && !l->status)
		return 0;
	buf_puts(l->b, ":{");
	if (l->status) {
		buf_puts(l->b, "\"status\":{");
		put_status(l->b, c, l->api->worker_id);
		buf_putc(l->b, '}');
	}
	if (l->info) {
		buf_puts(l->b, l->status ? ",\"info\":{" : "\"info\":{");
		put_info(l->b, c);
		buf_putc(l->b, '}');
	}
	buf_putc(l->b, '}');
	return 0;
}

static void get_list(const struct api *api, const struct http_request *r, struct http_response *out)
{
	const char *expand = http_query(r, "expand");
	struct list l = {api, &out->body, strcmp(expand, "info") == 0, strcmp(expand, "status") == 0};

	out->status = 200;
	buf_putc(&out->body, l.info || l.status ? '{' : '[');
	registry_connector_each(api->registry, put_listed, &l);
	buf_putc(&out->body, l.info || l.status ? '}' : ']');
}

/* ---- creating ---- */

static void created(const struct api *api, struct view name, unsigned status, struct http_response *out)
{
	static __thread char location[512];

	get_one(api, name, ONE_INFO, out);
	out->status = status;
	if (status == 201) {
		snprintf(location, sizeof(location), "http://%s/connectors/%.*s", api->worker_id, (int)(name.len < 400 ? name.len : 400),
			(const char *)name.ptr);
		out->location = location;
	}
}

static void post_connector(const struct api *api, const struct http_request *r, struct http_response *out)
{
	struct view name = VIEW_NULL, config = VIEW_NULL, state = VIEW_NULL;
	enum connector_state desired = CONNECTOR_RUNNING;
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct js_reader js;
	struct js_token t;

	js_reader_init(&js, r->body, 0);
	if (js_next(&js, &t) != JS_OBJECT) {
		api_error_text(out, 500, "the body is not a JSON object");
		return;
	}
	while (js_next(&js, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		if (t.kind == JS_STRING && view_is(t.key, "name")) {
			name = js_unescape(&a, t.text, t.text_escaped);
		} else if (t.kind == JS_STRING && view_is(t.key, "initial_state")) {
			state = t.text;
		} else if (t.kind == JS_OBJECT && view_is(t.key, "config")) {
			const uint8_t *from = js.ptr - 1;

			js_skip(&js, &t);
			config = view_of(from, (size_t)(js.ptr - from));
		} else if (t.kind != JS_NULL) {
			api_error_text(out, 500, "Unrecognized field \"%.*s\", not marked as ignorable", (int)t.key.len, (const char *)t.key.ptr);
			goto out;
		}
	}
	if (js.why) {
		js_error(&js, "the body", &err);
		api_error_text(out, 500, "%s", err.text);
		goto out;
	}
	if (!name.ptr || !config.ptr) {
		api_error_text(out, name.ptr ? 500 : 400, name.ptr ? "the body has no config" : "Connector name is missing");
		goto out;
	}
	if (view_is(state, "PAUSED"))
		desired = CONNECTOR_PAUSED;
	else if (view_is(state, "STOPPED"))
		desired = CONNECTOR_STOPPED;
	if (registry_connector_create(api->registry, name, config, desired, &err))
		api_error(out, &err);
	else
		created(api, name, 201, out);
out:
	arena_release(&a);
}

static void put_config(const struct api *api, struct view name, const struct http_request *r, struct http_response *out)
{
	struct err err = ERR_INIT;
	bool made;

	if (registry_connector_put(api->registry, name, r->body, &made, &err))
		api_error(out, &err);
	else
		created(api, name, made ? 201 : 200, out);
}

static void command(const struct api *api, struct view name, enum registry_command cmd, unsigned status, const char *before,
		    const char *behind, struct http_response *out)
{
	struct err err = ERR_INIT;

	if (registry_connector_command(api->registry, name, cmd, &err) == 0)
		out->status = status;
	else if (err.code == ERR_NOT_FOUND)
		api_error_text(out, 404, "%s%.*s%s", before, (int)name.len, (const char *)name.ptr, behind);
	else
		api_error(out, &err);
}

/* ---- routes ---- */

static bool method_is(const struct http_request *r, struct http_response *out, const char *allow)
{
	const char *at = strstr(allow, r->method);

	if (at && (at == allow || at[-1] == ',') && strchr(",", at[strlen(r->method)]))
		return true;
	out->allow = allow;
	api_error_text(out, 405, "HTTP 405 Method Not Allowed");
	return false;
}

#define IS(m) (strcmp(r->method, (m)) == 0)

static bool route_one(const struct api *api, const struct http_request *r, struct http_response *out)
{
	struct view a[4];

	if (http_match(r->path, "/connectors/{}", a)) {
		if (method_is(r, out, "GET,DELETE")) {
			if (IS("GET"))
				get_one(api, a[0], ONE_INFO, out);
			else
				command(api, a[0], REGISTRY_DELETE, 204, "Connector ", " not found", out);
		}
	} else if (http_match(r->path, "/connectors/{}/config", a)) {
		if (method_is(r, out, "GET,PUT")) {
			if (IS("GET"))
				get_one(api, a[0], ONE_CONFIG, out);
			else
				put_config(api, a[0], r, out);
		}
	} else if (http_match(r->path, "/connectors/{}/status", a)) {
		if (method_is(r, out, "GET"))
			get_one(api, a[0], ONE_STATUS, out);
	} else if (http_match(r->path, "/connectors/{}/tasks", a)) {
		if (method_is(r, out, "GET"))
			get_one(api, a[0], ONE_TASKS, out);
	} else if (http_match(r->path, "/connectors/{}/tasks/0/status", a)) {
		if (method_is(r, out, "GET"))
			get_one(api, a[0], ONE_TASK, out);
	} else if (http_match(r->path, "/connectors/{}/tasks/0/restart", a)) {
		if (method_is(r, out, "POST"))
			command(api, a[0], REGISTRY_RESTART, 204, "Unknown connector: ", "", out);
	} else if (http_match(r->path, "/connectors/{}/restart", a)) {
		if (method_is(r, out, "POST"))
			command(api, a[0], REGISTRY_RESTART, 204, "Unknown connector: ", "", out);
	} else if (http_match(r->path, "/connectors/{}/pause", a)) {
		if (method_is(r, out, "PUT"))
			command(api, a[0], REGISTRY_PAUSE, 202, "Unknown connector ", "", out);
	} else if (http_match(r->path, "/connectors/{}/resume", a)) {
		if (method_is(r, out, "PUT"))
			command(api, a[0], REGISTRY_RESUME, 202, "Unknown connector ", "", out);
	} else if (http_match(r->path, "/connectors/{}/stop", a)) {
		if (method_is(r, out, "PUT"))
			command(api, a[0], REGISTRY_STOP, 204, "Unknown connector ", "", out);
	} else {
		return false;
	}
	return true;
}

void api_connect(void *arg, const struct http_request *r, struct http_response *out)
{
	const struct api *api = arg;

	if (strcmp(r->path, "/") == 0) {
		if (method_is(r, out, "GET")) {
			out->status = 200;
			buf_printf(
				&out->body, "{\"version\":\"3.9.1\",\"commit\":\"walmill-%s\",\"kafka_cluster_id\":\"%s\"}", api->version, api->cluster_id);
		}
	} else if (strcmp(r->path, "/connectors") == 0 || strcmp(r->path, "/connectors/") == 0) {
		if (method_is(r, out, "GET,POST")) {
			if (IS("GET"))
				get_list(api, r, out);
			else
				post_connector(api, r, out);
		}
	} else if (strcmp(r->path, "/connector-plugins") == 0) {
		if (method_is(r, out, "GET")) {
			out->status = 200;
			buf_puts(&out->body,
				"[{\"class\":\"io.debezium.connector.postgresql.PostgresConnector\",\"type\":\"source\",\"version\":\"3.2.3.Final\"}]");
		}
	} else if (!route_one(api, r, out)) {
		api_error_text(out, 404, "HTTP 404 Not Found");
	}
}
