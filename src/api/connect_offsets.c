/* Offsets and topics of a connector. An offset is the connector's position in Debezium's words; what altering it may do is in
 * registry.h. */
#include <stdio.h>
#include <stdlib.h>

#include "api/connect_int.h"

#define MANAGED(verb) \
	"{\"message\":\"The Connect framework-managed offsets for this connector have been " verb " successfully. However, if this connector " \
	"manages offsets externally, they will need to be manually " verb " in the system that the connector uses.\"}"

/* ---- what they are ---- */

static void put_offset(struct buf *b, const struct unit_payload *p, enum capture_dialect dialect)
{
	unsigned long long end = p->end_lsn, commit = p->commit_lsn;

	if (p->kind == UNIT_SNAPSHOT_END)
		buf_printf(b, "{\"last_snapshot_record\":true,\"lsn\":%llu,\"txId\":%u,\"ts_usec\":%lld,%s}", end, p->xid, (long long)p->commit_us,
			dialect == DIALECT_2_6 ? "\"snapshot\":true" : "\"snapshot\":\"INITIAL\",\"snapshot_completed\":true");
	else if (p->kind == UNIT_TRANSACTION)
		buf_printf(b, "{\"lsn_proc\":%llu,\"lsn_commit\":%llu,\"lsn\":%llu,\"txId\":%u,\"ts_usec\":%lld}", end, commit, end, p->xid,
			(long long)p->commit_us);
	else
		buf_printf(b, "{\"lsn_proc\":%llu,\"lsn\":%llu}", end, end);
}

struct prefix {
	struct arena *a;
	struct view prefix;
	enum capture_dialect dialect;
};

static void see_prefix(void *arg, struct connector *c)
{
	struct prefix *p = arg;

	p->prefix = arena_view(p->a, connector_config(c)->prefix);
	p->dialect = connector_config(c)->dialect;
}

void connect_offsets(struct call *c)
{
	struct prefix prefix = {.a = &c->arena};
	struct unit_payload p;
	struct err err = ERR_INIT;
	struct buf *b = &c->out->body;
	bool found;

	if (!registry_connector_with(c->api->registry, c->args[0], see_prefix, &prefix)) {
		connect_missing(c, MISSING_CONNECTOR);
		return;
	}
	if (registry_connector_offset(c->api->registry, c->args[0], &c->arena, &found, &p, &err)) {
		api_error(c->out, &err);
		return;
	}
	c->out->status = 200;
	buf_puts(b, "{\"offsets\":[");
	if (found) {
		buf_puts(b, "{\"partition\":{\"server\":");
		js_put_string(b, prefix.prefix);
		buf_puts(b, "},\"offset\":");
		put_offset(b, &p, prefix.dialect);
		buf_putc(b, '}');
	}
	buf_puts(b, "]}");
}

/* ---- altering ---- */

/* What was asked for: one partition, as a connector has only one. */
struct altered {
	struct view server;         /* raw text between the quotes */
	bool reset;                 /* "offset": null */
	bool has[3];
	uint64_t lsn[3];            /* lsn_proc, lsn_commit, lsn */
	const char *fault;
};

static void read_partition(struct js_reader *js, struct altered *a)
{
	struct js_token t;

	while (js_next(js, &t) != JS_OBJECT_END && t.kind != JS_BAD) {
		if (t.kind == JS_STRING && view_is(t.key, "server")) {
			a->server = t.text;
		} else {
			a->fault = "a partition has one key, \"server\", with the connector's topic prefix";
			js_skip(js, &t);
		}
	}
}

/* Not -1, 1.5 or 1e3. */
static bool is_whole(struct view number)
{
	size_t i;

	for (i = 0; i < number.len; i++)
		if (number.ptr[i] < '0' || number.ptr[i] > '9')
			return false;
	return number.len > 0 && number.len <= 20;
}

static void read_offset(struct js_reader *js, struct altered *a)
{
	static const char *const names[] = {"lsn_proc", "lsn_commit", "lsn"};
	struct js_token t;
	unsigned i;

	while (js_next(js, &t) != JS_OBJECT_END && t.kind != JS_BAD) {
		for (i = 0; i < 3; i++) {
			char digits[24];

			if (!view_is(t.key, names[i]))
				continue;
			if (t.kind != JS_NUMBER || !is_whole(t.text)) {
				a->fault = "an LSN is a whole number of bytes";
				continue;
			}
			snprintf(digits, sizeof(digits), "%.*s", (int)t.text.len, (const char *)t.text.ptr);
			a->has[i] = true;
			a->lsn[i] = strtoull(digits, NULL, 10);
		}
		js_skip(js, &t);
	}
}

static void read_one(struct js_reader *js, struct altered *a)
{
	bool offset = false;
	struct js_token t;

	while (js_next(js, &t) != JS_OBJECT_END && t.kind != JS_BAD) {
		if (view_is(t.key, "partition") && t.kind == JS_OBJECT) {
			read_partition(js, a);
		} else if (view_is(t.key, "offset") && (t.kind == JS_OBJECT || t.kind == JS_NULL)) {
			offset = true;
			a->reset = t.kind == JS_NULL;
			if (t.kind == JS_OBJECT)
				read_offset(js, a);
		} else {
			a->fault = "an entry of \"offsets\" has \"partition\" and \"offset\"";
			js_skip(js, &t);
		}
	}
	if (!offset)
		a->fault = "an entry of \"offsets\" has \"partition\" and \"offset\"";
}

/* The number of entries; the last one is in *a. */
static unsigned read_alteration(struct js_reader *js, struct altered *a)
{
	unsigned n = 0;
	struct js_token t;

	while (js_next(js, &t) != JS_OBJECT_END && t.kind != JS_BAD) {
		if (!view_is(t.key, "offsets") || t.kind != JS_ARRAY) {
			if (!view_is(t.key, "offsets") || t.kind != JS_NULL)
				a->fault = "the body has one key, \"offsets\", with a list";
			js_skip(js, &t);
			continue;
		}
		for (; js_next(js, &t) != JS_ARRAY_END && t.kind != JS_BAD; n++) {
			if (t.kind == JS_OBJECT)
				read_one(js, a);
			else
				a->fault = "an entry of \"offsets\" has \"partition\" and \"offset\"";
			if (t.kind == JS_ARRAY)
				js_skip(js, &t);
		}
	}
	return n;
}

/* ERR_STATE is a 400 here, as a worker has it. */
static void refuse(struct call *c, struct err *err)
{
	if (err->code == ERR_NOT_FOUND) {
		connect_missing(c, MISSING_CONNECTOR);
		return;
	}
	if (err->code == ERR_STATE)
		err->code = ERR_INVALID;
	api_error(c->out, err);
}

static void check_alteration(struct call *c, struct altered *a)
{
	struct prefix prefix = {.a = &c->arena};

	if (!registry_connector_with(c->api->registry, c->args[0], see_prefix, &prefix))
		return;   /* told by what comes next */
	if (!a->server.ptr || !view_eq(a->server, prefix.prefix))
		a->fault = arena_printf(&c->arena, "the connector has one partition, {\"server\":\"%.*s\"}", (int)prefix.prefix.len,
			(const char *)prefix.prefix.ptr);
	else if (!a->reset && !a->has[0] && !a->has[1] && !a->has[2])
		a->fault = "an offset says where to go on as \"lsn_proc\", \"lsn_commit\" or \"lsn\"; null resets it";
}

void connect_alter_offsets(struct call *c)
{
	struct altered a = {.fault = NULL};
	struct err err = ERR_INIT;
	struct js_reader js;
	unsigned n;
	int rc;

	if (!connect_body(c, "the body", &js))
		return;
	n = read_alteration(&js, &a);
	if (n == 0 && !a.fault) {
		api_error_text(c->out, 400, "Partitions / offsets need to be provided for an alter offsets request");
		return;
	}
	if (n > 1)
		a.fault = "the connector has one partition";
	if (!a.fault)
		check_alteration(c, &a);
	if (a.fault) {
		api_error_text(c->out, 400, "%s", a.fault);
		return;
	}
	if (a.reset)
		rc = registry_connector_reset(c->api->registry, c->args[0], &err);
	else
		rc = registry_connector_move(c->api->registry, c->args[0], a.has[0] ? a.lsn[0] : a.has[1] ? a.lsn[1] : a.lsn[2], &err);
	if (rc) {
		refuse(c, &err);
		return;
	}
	c->out->status = 200;
	buf_puts(&c->out->body, MANAGED("altered"));
}

void connect_reset_offsets(struct call *c)
{
	struct err err = ERR_INIT;

	if (registry_connector_reset(c->api->registry, c->args[0], &err)) {
		refuse(c, &err);
		return;
	}
	c->out->status = 200;
	buf_puts(&c->out->body, MANAGED("reset"));
}

/* ---- topics ---- */

static void put_topic(void *arg, struct view topic)
{
	js_put_comma(arg);
	js_put_string(arg, topic);
}

/* A worker keeps topics by name, whether there is such a connector or not. */
void connect_topics(struct call *c)
{
	struct err err = ERR_INIT;
	struct buf *b = &c->out->body;

	c->out->status = 200;
	buf_putc(b, '{');
	js_put_string(b, c->args[0]);
	buf_puts(b, ":{\"topics\":[");
	if (registry_connector_topics(c->api->registry, c->args[0], put_topic, b, &err) && err.code != ERR_NOT_FOUND)
		api_error(c->out, &err);
	else
		buf_puts(b, "]}}");
}

void connect_reset_topics(struct call *c)
{
	struct err err = ERR_INIT;

	if (registry_connector_topics_reset(c->api->registry, c->args[0], &err) && err.code != ERR_NOT_FOUND)
		api_error(c->out, &err);
	else
		c->out->status = 202;
}
