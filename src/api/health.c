/* /livez, /readyz and /metrics; what is none of them is a page. */
#include "api/metrics.h"
#include "api/problem.h"
#include "http/assets.h"

/* ---- readiness ---- */

struct checks {
	struct buf *b;
	bool verbose, failed;
};

/* "[+]log ok" or "[-]job x is FAILED: why"; without verbose only what is not well, as a sentence. */
static void put_check(void *arg, const char *kind, const char *name, const char *problem)
{
	struct checks *c = arg;

	c->failed = c->failed || *problem;
	if (*problem || c->verbose)
		buf_printf(c->b, "%s%s%s%s %s\n", c->verbose ? (*problem ? "[-]" : "[+]") : "", kind, *name ? " " : "", name,
			*problem ? problem : "ok");
}

static void ready(const struct api *api, const struct http_request *r, struct http_response *out)
{
	struct checks c = {.b = &out->body, .verbose = http_query_all(r, "verbose").n > 0};
	struct err err = ERR_INIT;
	struct log_stats s;

	log_stats(api->log, &s);
	if (log_failed(api->log, &err))
		put_check(&c, "log", "", err.text);
	else
		put_check(&c, "log", "", s.full ? "is full: nothing is acknowledged until the disk has room" : "");
	put_check(&c, "shutdown", "", api->stopping && api->stopping() ? "is under way" : "");
	registry_readiness(api->registry, put_check, &c);
	out->status = c.failed ? 503 : 200;
	if (!c.failed)
		buf_puts(&out->body, "ready\n");
}

static void live(const struct api *api, const struct http_request *r, struct http_response *out)
{
	out->status = 200;
	buf_puts(&out->body, "ok\n");
}

static void metrics(const struct api *api, const struct http_request *r, struct http_response *out)
{
	metrics_serve(api, out);
}

static const struct {
	const char *path;
	void (*fn)(const struct api *api, const struct http_request *r, struct http_response *out);
} resources[] = {{"/livez", live}, {"/readyz", ready}, {"/metrics", metrics}};

void api_health(void *arg, const struct http_request *r, struct http_response *out)
{
	bool read = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
	size_t i;

	for (i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
		if (strcmp(r->path, resources[i].path) != 0)
			continue;
		out->content_type = "text/plain; charset=utf-8";
		if (read) {
			resources[i].fn(arg, r, out);
		} else {
			http_header_add(out, "Allow", "GET, HEAD");
			problem_set(arg, r, out, 405, NULL, "this cannot be done here");
		}
		return;
	}
	if (strncmp(r->path, "/api/", 5) != 0 && http_asset_serve(r, HTTP_INDEX_DASHBOARD, out))
		return;
	problem_set(arg, r, out, 404, NULL, "there is nothing at this address");
}
