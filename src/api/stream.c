/*
 * GET /api/stream?topics=a,b: the live stream as server-sent events, and what it carries. With once=true it ends after the snapshots: what
 * a page shows first, before its worker has a connection.
 */
#include <stdio.h>

#include "api/console.h"
#include "base/js.h"

/* ---- topics ---- */

static const struct live_column daily_columns[] = {{"metric_date", "date", LIVE_TEXT}, {"status", "status", LIVE_TEXT},
	{"total_count", "count", LIVE_NUMBER}, {"avg_completion_seconds", "averageCompletionSeconds", LIVE_NUMBER},
	{"validation_ratio", "validationRatio", LIVE_NUMBER}};
static const struct live_column load_columns[] = {{"technician_id", "technicianId", LIVE_NUMBER}, {"open_count", "openCount", LIVE_NUMBER},
	{"completed_today", "completedToday", LIVE_NUMBER}, {"avg_completion_seconds", "averageCompletionSeconds", LIVE_NUMBER}};
static const struct live_column map_columns[] = {{"intervention_id", "interventionId", LIVE_NUMBER}, {"latitude", "latitude", LIVE_NUMBER},
	{"longitude", "longitude", LIVE_NUMBER}, {"status", "status", LIVE_TEXT}, {"technician_id", "technicianId", LIVE_NUMBER},
	{"planned_at", "plannedAt", LIVE_TIME}, {"updated_at", "updatedAt", LIVE_TIME}};

#define COLUMNS(c) c, sizeof(c) / sizeof(c[0])
static const struct live_table tables[] = {
	{"daily", "analytics", "intervention_daily_metrics", COLUMNS(daily_columns), 2},
	{"load", "analytics", "intervention_technician_load", COLUMNS(load_columns), 1},
	{"map", "analytics", "intervention_geo_view", COLUMNS(map_columns), 1},
};
#undef COLUMNS

static void list_checks(void *api, struct buf *b) { console_put_checks(api, b); }
static void list_connectors(void *api, struct buf *b) { console_put_connectors(api, b); }
static void list_topics(void *api, struct buf *b) { console_put_topics(api, b); }
static void list_groups(void *api, struct buf *b) { console_put_groups(api, b); }
static void list_jobs(void *api, struct buf *b) { console_put_jobs(api, b); }

struct listing {
	const struct api *api;
	struct buf *b;
};

/* One row a job: how old what its tables show is. It says what time it is here, so that it changes as long as walmill is alive. */
static int put_freshness(void *arg, const struct registry_job *j)
{
	struct listing *l = arg;
	struct job_status s;

	job_status(j->job, &s);
	if (s.state == JOB_CANCELED)
		return 0;
	js_put_comma(l->b);
	buf_putc(l->b, '{');
	console_put_text(l->b, "job", view_str(job_name(j->job)));
	console_put_text(l->b, "state", view_str(job_state_name(s.state)));
	js_put_key(l->b, "reason");
	console_put_error(l->b, &s.error);
	js_put_key(l->b, "lsn");
	buf_printf(l->b, "\"" LSN_FORMAT "\"", LSN_ARGS(s.position));
	console_put_time(l->b, "committedAt", s.source_us);
	console_put_time(l->b, "appliedAt", s.source_us ? s.source_us + s.lag_us : 0);
	console_put_lag(l->b, &s);
	console_put_time(l->b, "now", io_now_us(l->api->io));
	buf_putc(l->b, '}');
	return 0;
}

static void list_freshness(void *api, struct buf *b)
{
	struct listing l = {api, b};

	buf_putc(b, '[');
	registry_job_each(l.api->registry, put_freshness, &l);
	buf_putc(b, ']');
}

void api_stream_topics(struct api *api)
{
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		live_add_table(api->live, &tables[i]);
	live_add_feed(api->live, "interventions", "id", feed_interventions, api->feed);
	live_add_list(api->live, "freshness", "job", list_freshness, api);
	live_add_list(api->live, "health", "name", list_checks, api);
	live_add_list(api->live, "connectors", "name", list_connectors, api);
	live_add_list(api->live, "topics", "name", list_topics, api);
	live_add_list(api->live, "groups", "id", list_groups, api);
	live_add_list(api->live, "jobs", "id", list_jobs, api);
}

/* ---- serving ---- */

static bool next(void *reader, struct buf *into)
{
	return live_next(reader, into);
}

static void end(void *reader)
{
	live_close(reader);
}

bool api_stream(const struct api *api, const struct http_request *r, struct http_response *out)
{
	struct call c = {.api = api, .r = r, .out = out};
	struct live_reader *reader;
	struct err err = ERR_INIT;

	if (strcmp(r->path, "/api/stream") != 0)
		return false;
	if (strcmp(r->method, "GET") != 0) {
		http_header_add(out, "Allow", "GET");
		problem_say(&c, 405, "%s is not something that can be done here", r->method);
	} else if (live_open(api->live, view_str(http_query(r, "topics")), view_str(http_header(r, "Last-Event-ID")), &reader, &err) == 0) {
		if (strcmp(http_query(r, "once"), "true") == 0)
			live_once(reader);
		out->status = 200;
		out->content_type = "text/event-stream";
		http_header_add(out, "X-Accel-Buffering", "no");
		out->stream = (struct http_stream){next, end, reader};
	} else if (err.code == ERR_LIMIT) {
		problem_say(&c, 503, "%s", err.text);
	} else {
		problem_say(&c, 400, "%s", err.text);
	}
	return true;
}
