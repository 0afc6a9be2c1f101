/*
 * Topics and their records, walmill's own face (the Kafka protocol is another module's): what `walmill topic` asks.
 *
 *   GET /topics                                     names, partitions, offsets
 *   GET /topics/NAME                                one of them, with its configuration
 *   POST /topics                                    {"name": T, "partitions": N (1), "config": {"retention.ms": "1000", ...}}
 *   DELETE /topics/NAME[?force=true]                409 when a job may still need its records, unless forced
 *   GET /topics/NAME/records?offset=O[&max=BYTES]   records of partition 0 from O on, a JSON line each: the line format of the recorded
 *                                                   events with "offset" in front; the next offset is that of the last line plus one
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/records.h"
#include "base/js.h"
#include "base/text.h"
#include "kafka/configs.h"
#include "stream/log_out.h"

struct listing {
	const struct api *api;
	struct buf *b;
};

static void put_topic(void *arg, const struct log_topic *t)
{
	struct listing *l = arg;
	uint32_t i, part;

	if (log_topic_is_internal(t->name))
		return;
	js_put_comma(l->b);
	buf_puts(l->b, "{\"name\":");
	js_put_str(l->b, t->name);
	buf_puts(l->b, ",\"partitions\":[");
	for (i = 0; i < t->n_parts; i++) {
		struct log_marks m;

		if (!log_part_find(l->api->log, t->id, i, &part))
			continue;
		log_marks(l->api->log, &part, 1, &m, NULL);
		buf_printf(l->b, "%s{\"partition\":%u,\"start\":%lld,\"high\":%lld,\"bytes\":%llu}", i ? "," : "", i, (long long)m.start,
			(long long)m.high, (unsigned long long)m.bytes);
	}
	buf_puts(l->b, "]}");
}

/* Text as a JSON string, or, when it is not UTF-8, base64 under another name as the recorded events have it. */
static void put_bytes(struct buf *b, const char *name, struct view v)
{
	bool text = !v.ptr || text_utf8_valid(v);

	buf_printf(b, "\"%s%s\": ", name, text ? "" : "_base64");
	if (!v.ptr)
		buf_puts(b, "null");
	else if (text)
		js_put_string(b, v);
	else
		js_put_base64(b, v);
}

static int put_record(void *arg, const struct record *rec)
{
	struct buf *b = arg;
	struct view headers = rec->headers, key, value;
	bool first = true;

	buf_printf(b, "{\"offset\": %lld, \"partition\": 0, ", (long long)rec->offset);
	put_bytes(b, "key", rec->key);
	buf_puts(b, ", ");
	put_bytes(b, "value", rec->value);
	buf_puts(b, ", \"headers\": [");
	while (record_header(&headers, &key, &value)) {
		buf_puts(b, first ? "{" : ", {");
		first = false;
		put_bytes(b, "key", key);
		buf_puts(b, ", ");
		put_bytes(b, "value", value);
		buf_putc(b, '}');
	}
	buf_printf(b, "], \"timestamp\": %lld}\n", (long long)rec->time_ms);
	return 0;
}

static void records(const struct api *api, struct view name, const struct http_request *r, struct http_response *out)
{
	int64_t offset = strtoll(http_query(r, "offset"), NULL, 10);
	size_t max = (size_t)strtoull(http_query(r, "max"), NULL, 10);
	struct err err = ERR_INIT;
	struct log_topic t;
	int64_t next;
	uint32_t part;

	if (!log_topic_find(api->log, name, &t) || !log_part_find(api->log, t.id, 0, &part)) {
		api_error_text(out, 404, "topic \"%.*s\" does not exist", (int)name.len, (const char *)name.ptr);
		return;
	}
	if (records_each(api->log, part, offset, INT64_MAX, max == 0 || max > 4 << 20 ? 4 << 20 : max, put_record, &out->body, &next, &err)) {
		api_error(out, &err);
	} else {
		out->status = 200;
		out->content_type = "application/x-ndjson";
	}
}

/* ---- one topic ---- */

static void put_config(void *arg, const char *key, const char *value)
{
	struct buf *b = arg;

	js_put_key(b, key);
	js_put_str(b, value);
}

static bool find(const struct api *api, struct view name, struct log_topic *t, struct http_response *out)
{
	if (log_topic_find(api->log, name, t))
		return true;
	api_error_text(out, 404, "topic \"%.*s\" does not exist", (int)name.len, (const char *)name.ptr);
	return false;
}

static void describe(const struct api *api, struct view name, struct http_response *out)
{
	struct listing l = {api, &out->body};
	struct log_topic t;

	if (!find(api, name, &t, out))
		return;
	out->status = 200;
	put_topic(&l, &t);
	out->body.len--; /* the brace that ends it comes behind the configuration */
	buf_puts(&out->body, ",\"config\":{");
	log_topic_configs(api->log, t.id, put_config, &out->body);
	buf_puts(&out->body, "}}");
}

struct new_topic {
	const char *name;
	int64_t partitions;
	struct log_config configs[64];
	unsigned n;
};

static int read_config(struct js_reader *r, struct arena *a, struct new_topic *t, struct err *err)
{
	struct js_token k;

	while (js_next(r, &k) == JS_STRING || k.kind == JS_NUMBER) {
		struct view name = js_unescape(a, k.key, k.key_escaped), value = js_unescape(a, k.text, k.text_escaped);
		const struct config_key *key = config_key(name);

		if (!key)
			return err_set(err, ERR_INVALID, "there is no topic configuration \"%.*s\"", (int)(name.len < 100 ? name.len : 100),
				(const char *)name.ptr);
		if (config_check(key, value, err))
			return -1;
		if (t->n == sizeof(t->configs) / sizeof(t->configs[0]))
			return err_set(err, ERR_LIMIT, "too many configurations");
		t->configs[t->n++] = (struct log_config){key->name, arena_str(a, value)};
	}
	return k.kind == JS_OBJECT_END ? 0 : err_set(err, ERR_INVALID, "\"config\" is an object of texts");
}

static int read_new(struct view body, struct arena *a, struct new_topic *t, struct err *err)
{
	struct js_reader r;
	struct js_token k;

	js_reader_init(&r, body, 0);
	if (js_next(&r, &k) != JS_OBJECT)
		return k.kind == JS_BAD ? js_error(&r, "body", err) : err_set(err, ERR_INVALID, "the body is a JSON object");
	while (js_next(&r, &k) != JS_OBJECT_END && k.kind != JS_BAD) {
		struct view key = js_unescape(a, k.key, k.key_escaped);

		if (view_is(key, "name") && k.kind == JS_STRING)
			t->name = arena_str(a, js_unescape(a, k.text, k.text_escaped));
		else if (view_is(key, "partitions") && k.kind == JS_NUMBER && text_i64(k.text, &t->partitions))
			continue;
		else if (view_is(key, "config") && k.kind == JS_OBJECT) {
			if (read_config(&r, a, t, err))
				return -1;
		} else {
			return err_set(err, ERR_INVALID, "\"%.*s\" is not known, or not of its type", (int)(key.len < 100 ? key.len : 100),
				(const char *)key.ptr);
		}
	}
	if (k.kind == JS_BAD || js_next(&r, &k) != JS_END)
		return js_error(&r, "body", err);
	if (!t->name)
		return err_set(err, ERR_INVALID, "\"name\" is missing");
	if (t->partitions < 1 || t->partitions > LOG_TOPIC_PARTITIONS_MAX)
		return err_set(err, ERR_INVALID, "a topic has 1 to %d partitions", LOG_TOPIC_PARTITIONS_MAX);
	return 0;
}

static void create(const struct api *api, const struct http_request *r, struct http_response *out)
{
	struct new_topic t = {.partitions = 1};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;

	if (read_new(r->body, &a, &t, &err) ||
		log_topic_create(api->log, t.name, NULL, (uint32_t)t.partitions, t.configs, t.n, NULL, &err)) {
		api_error(out, &err);
	} else {
		describe(api, view_str(t.name), out);
		out->status = 201;
	}
	arena_release(&a);
}

/* What a job may still need goes only by force. */
static void delete(const struct api *api, struct view name, bool force, struct http_response *out)
{
	char pin[LOG_NAME_MAX + 1];
	struct err err = ERR_INIT;
	struct log_topic t;
	uint32_t i, part;

	if (!find(api, name, &t, out))
		return;
	for (i = 0; i < t.n_parts && !force; i++)
		if (log_part_find(api->log, t.id, i, &part) && log_trim_held(api->log, part, -1, pin)) {
			api_error_text(out, 409, "records of topic \"%s\" are held by pin \"%s\"", t.name, pin);
			return;
		}
	if (log_topic_delete(api->log, t.id, &err))
		api_error(out, &err);
	else
		out->status = 204;
}

bool api_topics(const struct api *api, const struct http_request *r, struct http_response *out)
{
	struct listing l = {api, &out->body};
	bool get = strcmp(r->method, "GET") == 0;
	struct view a[4];

	if (http_match(r->path, "/topics", a) && get) {
		out->status = 200;
		buf_puts(&out->body, "{\"topics\":[");
		log_topic_list(api->log, put_topic, &l);
		buf_puts(&out->body, "]}");
	} else if (http_match(r->path, "/topics", a) && strcmp(r->method, "POST") == 0) {
		create(api, r, out);
	} else if (http_match(r->path, "/topics/{}/records", a) && get) {
		records(api, a[0], r, out);
	} else if (http_match(r->path, "/topics/{}", a) && get) {
		describe(api, a[0], out);
	} else if (http_match(r->path, "/topics/{}", a) && strcmp(r->method, "DELETE") == 0) {
		delete(api, a[0], strcmp(http_query(r, "force"), "true") == 0, out);
	} else {
		return false;
	}
	return true;
}
