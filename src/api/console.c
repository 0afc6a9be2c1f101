/*
 * The console's listener: its REST under /api, and the two faces that its page acts through mounted beside it, so that they are of one
 * origin: /connect/... is Kafka Connect's REST, /flink/... that of jobs.
 */
#include "api/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/js.h"
#include "base/text.h"
#include "http/assets.h"

static const struct route routes[] = {
	{"GET", "/api/health", console_health, false},
	{"GET", "/api/connectors", console_connectors, false},
	{"GET", "/api/connectors/{}", console_connector, false},
	{"GET", "/api/topics", console_topics, false},
	{"GET", "/api/topics/{}", console_topic, false},
	{"GET", "/api/topics/{}/messages", console_messages, false},
	{"GET", "/api/groups", console_groups, false},
	{"GET", "/api/groups/{}", console_group, false},
	{"GET", "/api/jobs", console_jobs, false},
	{"GET", "/api/jobs/{}", console_job, false},
};

static const struct mount {
	const char *prefix;
	http_handler handler;
} mounts[] = {
	{"/connect", api_connect},
	{"/flink", api_jobs},
};

/* ---- what handlers share ---- */

bool console_number(struct call *c, const char *name, int64_t preset, int64_t min, int64_t max, int64_t *ret)
{
	const char *text = http_query(c->r, name);

	*ret = preset;
	if (!*text)
		return true;
	if (text_i64(view_str(text), ret) && *ret >= min && *ret <= max)
		return true;
	problem_say(c, 400, "%s is a whole number from %" PRId64 " to %" PRId64, name, min, max);
	return false;
}

void console_put_text(struct buf *b, const char *key, struct view v)
{
	js_put_key(b, key);
	js_put_string(b, v);
}

void console_put_int(struct buf *b, const char *key, int64_t n)
{
	js_put_key(b, key);
	buf_printf(b, "%" PRId64, n);
}

void console_put_known(struct buf *b, const char *key, bool known, int64_t n)
{
	js_put_key(b, key);
	if (known)
		buf_printf(b, "%" PRId64, n);
	else
		buf_puts(b, "null");
}

void console_put_lag(struct buf *b, const struct job_status *s)
{
	js_put_key(b, "lagMs");
	if (s->source_us)
		buf_printf(b, "%.3f", (double)s->lag_us / 1000);
	else
		buf_puts(b, "null");
}

void console_put_time(struct buf *b, const char *key, int64_t us)
{
	time_t seconds = us / 1000000;
	struct tm tm;

	js_put_key(b, key);
	if (us <= 0 || !gmtime_r(&seconds, &tm)) {
		buf_puts(b, "null");
		return;
	}
	buf_printf(b, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		(int)(us / 1000 % 1000));
}

void console_put_error(struct buf *b, const struct err *err)
{
	if (err->code)
		api_put_error_text(b, err);
	else
		buf_puts(b, "null");
}

/* ---- the listener ---- */

static bool serve_mounted(const struct api *api, const struct http_request *r, struct http_response *out)
{
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		size_t n = strlen(mounts[i].prefix);
		struct http_request inner = *r;

		if (strncmp(r->path, mounts[i].prefix, n) != 0 || r->path[n] != '/')
			continue;
		inner.path += n;
		mounts[i].handler((void *)api, &inner, out);
		return true;
	}
	return false;
}

void api_console(void *arg, const struct http_request *r, struct http_response *out)
{
	struct call c = {.api = arg, .r = r, .out = out, .arena = ARENA_INIT};

	out->status = 200;
	if (!api_stream(arg, r, out) && !serve_mounted(arg, r, out) &&
		(strncmp(r->path, "/api/", 5) == 0 || !http_asset_serve(r, HTTP_INDEX_CONSOLE, out)))
		problem_route(routes, sizeof(routes) / sizeof(routes[0]), &c);
	arena_release(&c.arena);
}
