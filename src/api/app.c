/*
 * The application's listener: /api/interventions, /api/users, /api/dashboard; the live stream; health and metrics; the dashboard's pages.
 * Rules are in module app.
 */
#include "api/app.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/js.h"
#include "base/map.h"
#include "base/text.h"

enum { SIZE_MOST = 200, MAP_MOST = 1000, MAP_CAP = 500, SORTS_MAX = 4 };

enum app_role app_caller(const struct call *c)
{
	return APP_ADMIN;
}

/* ---- what handlers share ---- */

/* A success with an ETag, or 304 when the client has it already. */
static void answer(struct call *c, unsigned status)
{
	uint64_t hash = hash_bytes(c->out->body.ptr, c->out->body.len);
	char etag[24];

	c->out->status = status;
	snprintf(etag, sizeof(etag), "\"%016llx\"", (unsigned long long)hash);
	http_header_add(c->out, "ETag", "%s", etag);
	http_header_add(c->out, "Cache-Control", "private, no-cache");
	if (status == 200 && strcmp(c->r->method, "GET") == 0 && strstr(http_header(c->r, "If-None-Match"), etag)) {
		buf_clear(&c->out->body);
		c->out->status = 304;
	}
}

static void finish(struct call *c, int rc, unsigned status, const struct err *err, const struct app_faults *faults)
{
	if (rc)
		problem_of(c->api, c->r, c->out, err, faults);
	else
		answer(c, status);
}

static struct view query(struct call *c, const char *name)
{
	return view_str(http_query(c->r, name));
}

static int64_t whole(struct call *c, const char *name, int64_t preset, int64_t min, int64_t max, struct app_faults *faults)
{
	struct view v = query(c, name);
	int64_t n = preset;

	if (v.len && (!text_i64(v, &n) || n < min || n > max))
		app_fault(faults, name, "is a whole number from %lld to %lld", (long long)min, (long long)max);
	return n;
}

/* The id in the path; false after the answer when it is none. */
static bool take_id(struct call *c, int64_t *ret)
{
	uint64_t id;

	if (text_u64(c->args[0], &id) && id > 0 && id <= INT64_MAX) {
		*ret = (int64_t)id;
		return true;
	}
	problem_set(c->api, c->r, c->out, 404, NULL, "there is no such intervention");
	return false;
}

/* ---- interventions ---- */

static unsigned take_sorts(struct call *c, struct view *ret)
{
	struct http_query_values values = http_query_all(c->r, "sort");
	unsigned i;

	for (i = 0; i < values.n && i < SORTS_MAX; i++)
		ret[i] = view_str(values.values[i]);
	return i;
}

static void list_interventions(struct call *c)
{
	struct app_faults faults = {.arena = &c->arena};
	struct err err = ERR_INIT;
	struct view sorts[SORTS_MAX];
	struct app_filter f = {.query = query(c, "query"),
		.status = query(c, "status"),
		.assignment_mode = query(c, "assignmentMode"),
		.technician_id = query(c, "technicianId"),
		.planned_from = query(c, "plannedFrom"),
		.planned_to = query(c, "plannedTo"),
		.page = whole(c, "page", 0, 0, 10000000, &faults),
		.size = whole(c, "size", 20, 1, SIZE_MOST, &faults),
		.sorts = sorts,
		.nsorts = take_sorts(c, sorts)};

	finish(c, app_interventions_list(c->api->app, &f, &faults, &c->out->body, &err), 200, &err, &faults);
}

static void get_intervention(struct call *c)
{
	struct err err = ERR_INIT;
	int64_t id;

	if (take_id(c, &id))
		finish(c, app_intervention_get(c->api->app, id, &c->out->body, &err), 200, &err, NULL);
}

static void create_intervention(struct call *c)
{
	struct app_faults faults = {.arena = &c->arena};
	struct err err = ERR_INIT;

	finish(c, app_intervention_create(c->api->app, c->r->body, &faults, &c->out->body, &err), 201, &err, &faults);
}

static void bulk_interventions(struct call *c)
{
	struct app_faults faults = {.arena = &c->arena};
	struct err err = ERR_INIT;

	finish(c, app_interventions_bulk(c->api->app, c->r->body, &faults, &c->out->body, &err), 200, &err, &faults);
}

/* The updatedAt of the row whose ETag the client says it has; NULL without If-Match, "" when it is another. */
static const char *seen_since(struct call *c, int64_t id)
{
	const char *etag = http_header(c->r, "If-Match"), *at;
	struct buf now = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	const char *ret = "";
	char mine[24];

	if (!*etag || strcmp(etag, "*") == 0)
		return NULL;
	if (app_intervention_get(c->api->app, id, &now, &err) == 0) {
		snprintf(mine, sizeof(mine), "\"%016llx\"", (unsigned long long)hash_bytes(now.ptr, now.len));
		at = strstr(etag, mine) ? strstr(buf_cstr(&now), "\"updatedAt\" : \"") : NULL;
		if (at)
			ret = arena_str(&c->arena, view_of(at + 15, strcspn(at + 15, "\"")));
	}
	buf_release(&now);
	return ret;
}

static void update_intervention(struct call *c)
{
	struct app_faults faults = {.arena = &c->arena};
	struct err err = ERR_INIT;
	int64_t id;

	if (take_id(c, &id))
		finish(
			c, app_intervention_update(c->api->app, id, c->r->body, seen_since(c, id), &faults, &c->out->body, &err), 200, &err, &faults);
}

static void move_intervention(struct call *c)
{
	struct app_faults faults = {.arena = &c->arena};
	struct err err = ERR_INIT;
	int64_t id;

	if (take_id(c, &id))
		finish(c, app_intervention_status(c->api->app, id, c->r->body, &faults, &c->out->body, &err), 200, &err, &faults);
}

static void delete_intervention(struct call *c)
{
	struct err err = ERR_INIT;
	int64_t id;

	if (!take_id(c, &id))
		return;
	if (app_intervention_delete(c->api->app, id, &err))
		problem_of(c->api, c->r, c->out, &err, NULL);
	else
		c->out->status = 204;
}

/* ---- users, dashboard ---- */

static void list_users(struct call *c)
{
	struct app_faults faults = {.arena = &c->arena};
	struct err err = ERR_INIT;
	int64_t page = whole(c, "page", 0, 0, 10000000, &faults), size = whole(c, "size", 20, 1, SIZE_MOST, &faults);

	finish(c, app_users_list(c->api->app, query(c, "query"), query(c, "role"), page, size, query(c, "sort"), &faults, &c->out->body, &err),
		200, &err, &faults);
}

static void with_date(struct call *c, int (*fn)(struct app *a, struct view date, struct app_faults *f, struct buf *into, struct err *err))
{
	struct app_faults faults = {.arena = &c->arena};
	struct err err = ERR_INIT;

	finish(c, fn(c->api->app, query(c, "date"), &faults, &c->out->body, &err), 200, &err, &faults);
}

static void summary(struct call *c)
{
	with_date(c, app_summary);
}
static void insights(struct call *c)
{
	with_date(c, app_insights);
}
static void forecast(struct call *c)
{
	with_date(c, app_forecast);
}

static void trends(struct call *c)
{
	struct app_faults faults = {.arena = &c->arena};
	struct err err = ERR_INIT;

	finish(c, app_trends(c->api->app, query(c, "from"), query(c, "to"), &faults, &c->out->body, &err), 200, &err, &faults);
}

static void load(struct call *c)
{
	struct err err = ERR_INIT;

	finish(c, app_load(c->api->app, &c->out->body, &err), 200, &err, NULL);
}

static void map(struct call *c)
{
	struct app_faults faults = {.arena = &c->arena};
	struct http_query_values values = http_query_all(c->r, "status");
	struct buf statuses = BUF_INIT(4096);
	struct err err = ERR_INIT;
	int64_t limit = whole(c, "limit", MAP_CAP, 1, MAP_MOST, &faults);
	unsigned i;

	/* repeated, or with commas */
	for (i = 0; i < values.n; i++)
		buf_printf(&statuses, "%s%s", i ? "," : "", values.values[i]);
	finish(
		c, app_map(c->api->app, buf_view(&statuses), limit < MAP_CAP ? limit : MAP_CAP, &faults, &c->out->body, &err), 200, &err, &faults);
	buf_release(&statuses);
}

static void health(struct call *c)
{
	struct err err = ERR_INIT;

	if (app_ping(c->api->app, &err)) {
		problem_of(c->api, c->r, c->out, &err, NULL);
		return;
	}
	buf_puts(&c->out->body, "{\"status\":\"UP\",\"db\":1}");
	c->out->status = 200;
}

static void stream(struct call *c)
{
	api_stream(c->api, c->r, c->out);
}

/* ---- the listener ---- */

/* Method, pattern, what answers, whether it takes JSON; then a struct app_doc. */
#define ROUTES(X) \
	X("GET", "/api/interventions", list_interventions, false, \
		"listInterventions", "Interventions, a page at a time", \
		"page:integer size:integer sort:string query:string status:Status assignmentMode:Mode " \
		"technicianId:integer plannedFrom:date-time plannedTo:date-time", NULL, "InterventionPage", 200, "400") \
	X("POST", "/api/interventions", create_intervention, true, \
		"planIntervention", "Plan an intervention", NULL, "NewIntervention", "Intervention", 201, "400 404 409 415") \
	X("POST", "/api/interventions/bulk", bulk_interventions, true, \
		"upsertInterventions", "Make or change many by their references, in one transaction", NULL, "Bulk", "BulkResult", 200, \
		"400 413 415") \
	X("GET", "/api/interventions/{id}", get_intervention, false, \
		"getIntervention", "One intervention", NULL, NULL, "Intervention", 200, "404") \
	X("PUT", "/api/interventions/{id}", update_intervention, true, \
		"changeIntervention", "Change it; If-Match refuses what was changed meanwhile", NULL, "ChangedIntervention", \
		"Intervention", 200, "400 404 409 412 415") \
	X("DELETE", "/api/interventions/{id}", delete_intervention, false, \
		"removeIntervention", "Remove it", NULL, NULL, NULL, 204, "404") \
	X("POST", "/api/interventions/{id}/status", move_intervention, true, \
		"moveIntervention", "The next step of its life", NULL, "StatusChange", "Intervention", 200, "400 404 409 415") \
	X("GET", "/api/users", list_users, false, \
		"listUsers", "Users, a page at a time", "page:integer size:integer sort:string query:string role:Role", NULL, "UserPage", \
		200, "400") \
	X("GET", "/api/dashboard/summary", summary, false, \
		"getSummary", "Figures of a day", "date:date", NULL, "Summary", 200, "400") \
	X("GET", "/api/dashboard/status-trends", trends, false, \
		"listStatusTrends", "Interventions by day and status", "from:date to:date", NULL, "[Trend]", 200, "400") \
	X("GET", "/api/dashboard/technician-load", load, false, \
		"listTechnicianLoad", "Open work by technician", NULL, NULL, "[Load]", 200, "") \
	X("GET", "/api/dashboard/map", map, false, \
		"listPlaces", "Places, newest change first", "status:string limit:integer", NULL, "[Place]", 200, "400") \
	X("GET", "/api/dashboard/ai/insights", insights, false, \
		"getInsights", "What a day's figures say", "date:date", NULL, "Insights", 200, "400") \
	X("GET", "/api/dashboard/ai/forecast", forecast, false, \
		"getForecast", "Seven days to come", "date:date", NULL, "Forecast", 200, "400") \
	X("POST", "/api/dashboard/refresh", app_refresh_begin, false, \
		"beginRefresh", "Compare the tables with their SQL, and repair what differs", NULL, NULL, "RefreshStarted", 202, "409") \
	X("GET", "/api/dashboard/refreshes/{id}", app_refresh_show, false, \
		"getRefresh", "What came of it", NULL, NULL, "Refresh", 200, "404") \
	X("GET", "/api/stream", stream, false, \
		"stream", "Tables as they are, then what changes in them: server-sent events", "topics:string", NULL, \
		"text/event-stream", 200, "400 503") \
	X("GET", "/api/health", health, false, "getHealth", "Whether the source answers", NULL, NULL, "Health", 200, "503") \
	X("GET", "/api/openapi.json", app_openapi, false, NULL, NULL, NULL, NULL, NULL, 0, NULL) \
	X("GET", "/api/docs", app_docs_page, false, NULL, NULL, NULL, NULL, NULL, 0, NULL) \
	X("GET", "/api/docs.css", app_docs_style, false, NULL, NULL, NULL, NULL, NULL, 0, NULL) \
	X("GET", "/api/docs.js", app_docs_script, false, NULL, NULL, NULL, NULL, NULL, 0, NULL)

const struct route app_routes[] = {
#define X(method, pattern, fn, json, ...) {method, pattern, fn, json},
	ROUTES(X)
#undef X
};

const struct app_doc app_docs[] = {
#define X(method, pattern, fn, json, ...) {__VA_ARGS__},
	ROUTES(X)
#undef X
};

const unsigned n_app_routes = sizeof(app_routes) / sizeof(app_routes[0]);

static void serve_api(const struct api *api, const struct http_request *r, struct http_response *out)
{
	struct call c = {.api = api, .r = r, .out = out, .arena = ARENA_INIT};

	problem_route(app_routes, n_app_routes, &c);
	arena_release(&c.arena);
}

void api_app(void *arg, const struct http_request *r, struct http_response *out)
{
	if (strncmp(r->path, "/api/", 5) == 0 || strcmp(r->path, "/api") == 0)
		serve_api(arg, r, out);
	else
		api_health(arg, r, out);
}
