/*
 * Jobs over HTTP: the JobManager's lists and details, and walmill's own verbs, which Flink does not have. See jobs_int.h.
 *
 *   POST   /jobs?name=N[&replace=true]   body: SQL text            -> 202 {"jobid":...}
 *   PATCH  /jobs/ID[?mode=cancel]    202
 *   PUT    /jobs/ID/pause|resume|repair   202
 *   GET    /jobs/ID/explain, /jobs/ID/sql    text
 *   POST   /jobs/ID/verify           200 {"equal":...}; 409 when nothing could be compared
 *   GET    /topics...                topics.c
 * ID is the id or the job's name. Errors are {"errors":[...]}, as Flink's.
 */
#include <stdio.h>

#include "api/jobs_int.h"
#include "base/text.h"

/* ---- text and verdicts ---- */

static void explain(struct job_view *v)
{
	struct err err = ERR_INIT;

	v->call->out->content_type = "text/plain; charset=utf-8";
	if (job_explain(v->j->job, v->b, &err))
		jobs_fail(v->call, &err);
}

static void get_explain(struct call *c)
{
	jobs_with(c, explain);
}

static void sql(struct job_view *v)
{
	v->call->out->content_type = "text/plain; charset=utf-8";
	buf_putv(v->b, job_text(v->j->job));
}

static void get_sql(struct call *c)
{
	jobs_with(c, sql);
}

static void verify(struct job_view *v)
{
	struct buf lines = BUF_INIT(16 << 20);
	struct err err = ERR_INIT;
	struct job_verdict verdict;

	if (job_verify(v->j->job, &verdict, &lines, &err)) {
		jobs_fail(v->call, &err);
	} else {
		buf_puts(v->b, "{\"job\":");
		js_put_str(v->b, job_name(v->j->job));
		buf_printf(v->b, ",\"equal\":%s,\"cut\":\"" LSN_FORMAT "\",\"rows\":%llu,\"differences\":%llu,\"held_us\":%lld,\"report\":",
			verdict.equal ? "true" : "false", LSN_ARGS(verdict.cut), (unsigned long long)verdict.rows,
			(unsigned long long)verdict.differences, (long long)verdict.held_us);
		js_put_string(v->b, buf_view(&lines));
		buf_putc(v->b, '}');
	}
	buf_release(&lines);
}

static void post_verify(struct call *c)
{
	jobs_with(c, verify);
}

/* ---- commands ---- */

static void exists(struct job_view *v)
{
	v->call->out->status = 0;   /* not answered yet */
}

static void command(struct call *c, enum registry_job_command cmd)
{
	struct err err = ERR_INIT;

	jobs_with(c, exists);
	if (c->out->status)
		return;
	if (registry_job_command(c->api->registry, c->args[0], cmd, &err)) {
		jobs_fail(c, &err);
		return;
	}
	c->out->status = 202;
	buf_puts(&c->out->body, "{}");
}

static void put_pause(struct call *c)
{
	command(c, REGISTRY_JOB_PAUSE);
}

static void put_resume(struct call *c)
{
	command(c, REGISTRY_JOB_RESUME);
}

static void put_repair(struct call *c)
{
	command(c, REGISTRY_JOB_REPAIR);
}

static void cancel(struct call *c)
{
	command(c, REGISTRY_JOB_CANCEL);
}

static void patch_job(struct call *c)
{
	const char *mode = http_query(c->r, "mode");

	if (*mode && strcmp(mode, "cancel") != 0)
		jobs_fail_text(c, 400, "Cannot resolve query parameter (mode) from value \"%s\".", mode);
	else
		cancel(c);
}

/* What the JobManager's page calls to cancel. Being a GET, it must not be reachable by a link or picture of another site's page: browsers
 * say in a header where a request comes from. */
static void yarn_cancel(struct call *c)
{
	const char *site = http_header(c->r, "Sec-Fetch-Site");

	if (*site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		jobs_fail_text(c, 403, "requests from other origins are refused");
	else
		cancel(c);
}

static void submit(struct call *c)
{
	const char *name = http_query(c->r, "name");
	bool replace = strcmp(http_query(c->r, "replace"), "true") == 0;
	struct err err = ERR_INIT;
	char id[33];

	if (c->r->body.len == 0)
		jobs_fail_text(c, 400, "the body is empty: it must be the job's SQL text");
	else if (!text_utf8_valid(c->r->body) || memchr(c->r->body.ptr, 0, c->r->body.len))
		jobs_fail_text(c, 400, "the body is not text in UTF-8");
	else if (!*name)
		jobs_fail_text(c, 400, "the job has no name: add ?name=...");
	else if (!text_utf8_valid(view_str(name)))
		jobs_fail_text(c, 400, "the job's name is not text in UTF-8");
	else if (registry_job_submit(c->api->registry, view_str(name), c->r->body, replace, id, &err))
		jobs_fail(c, &err);
	else {
		c->out->status = 202;
		buf_printf(&c->out->body, "{\"jobid\":\"%s\"}", id);
	}
}

/* ---- routes ---- */

#define VERTEX "/jobs/{}/vertices/{}"

static const struct route routes[] = {
	{"GET", "/overview", jobs_overview, false},
	{"GET", "/config", jobs_cluster_config, false},
	{"GET", "/taskmanagers", jobs_taskmanagers, false},
	{"GET", "/jars", jobs_jars, false},
	{"GET", "/datasets", jobs_datasets, false},
	{"GET", "/taskmanagers/metrics", jobs_taskmanagers_metrics, false},
	{"GET", "/taskmanagers/{}", jobs_taskmanager, false},
	{"GET", "/taskmanagers/{}/logs", jobs_no_logs, false},
	{"GET", "/taskmanagers/{}/metrics", jobs_jobmanager_metrics, false},
	{"GET", "/jobmanager/config", jobs_jobmanager_config, false},
	{"GET", "/jobmanager/logs", jobs_no_logs, false},
	{"GET", "/jobmanager/metrics", jobs_jobmanager_metrics, false},
	{"GET", "/jobs", jobs_list, false},
	{"POST", "/jobs", submit, false},
	{"GET", "/jobs/overview", jobs_list_overview, false},
	{"GET", "/jobs/metrics", jobs_all_metrics, false},
	{"GET", "/jobs/{}", jobs_detail, false},
	{"PATCH", "/jobs/{}", patch_job, false},
	{"GET", "/jobs/{}/yarn-cancel", yarn_cancel, false},
	{"GET", "/jobs/{}/status", jobs_status, false},
	{"GET", "/jobs/{}/config", jobs_config, false},
	{"GET", "/jobs/{}/execution-result", jobs_result, false},
	{"GET", "/jobs/{}/plan", jobs_plan, false},
	{"GET", "/jobs/{}/accumulators", jobs_accumulators, false},
	{"GET", "/jobs/{}/metrics", jobs_metrics, false},
	{"GET", "/jobs/{}/exceptions", jobs_exceptions, false},
	{"GET", "/jobs/{}/checkpoints", jobs_checkpoints, false},
	{"GET", "/jobs/{}/checkpoints/config", jobs_checkpoints_config, false},
	{"GET", "/jobs/{}/checkpoints/details/{}", jobs_checkpoint, false},
	{"GET", VERTEX, jobs_vertex, false},
	{"GET", VERTEX "/subtasktimes", jobs_vertex_times, false},
	{"GET", VERTEX "/taskmanagers", jobs_vertex_taskmanagers, false},
	{"GET", VERTEX "/watermarks", jobs_vertex_watermarks, false},
	{"GET", VERTEX "/accumulators", jobs_vertex_accumulators, false},
	{"GET", VERTEX "/metrics", jobs_vertex_metrics, false},
	{"GET", VERTEX "/backpressure", jobs_vertex_backpressure, false},
	{"GET", VERTEX "/flamegraph", jobs_vertex_flamegraph, false},
	{"GET", VERTEX "/subtasks/metrics", jobs_vertex_subtasks_metrics, false},
	{"GET", VERTEX "/subtasks/accumulators", jobs_vertex_subtasks_accumulators, false},
	{"GET", VERTEX "/subtasks/{}", jobs_vertex_subtask, false},
	{"GET", VERTEX "/subtasks/{}/metrics", jobs_vertex_subtask_metrics, false},
	{"GET", VERTEX "/subtasks/{}/attempts/{}", jobs_vertex_subtask, false},
	{"GET", VERTEX "/subtasks/{}/attempts/{}/accumulators", jobs_vertex_attempt_accumulators, false},
	{"PUT", "/jobs/{}/pause", put_pause, false},
	{"PUT", "/jobs/{}/resume", put_resume, false},
	{"PUT", "/jobs/{}/repair", put_repair, false},
	{"GET", "/jobs/{}/explain", get_explain, false},
	{"GET", "/jobs/{}/sql", get_sql, false},
	{"POST", "/jobs/{}/verify", post_verify, false},
};

void api_jobs(void *arg, const struct http_request *r, struct http_response *out)
{
	struct http_request plain = *r;
	struct call c = {.api = arg, .r = &plain, .out = out, .arena = ARENA_INIT};

	if (api_topics(arg, r, out))
		return;
	/* Flink's own client names the version of the API, people and pages do not */
	if (strncmp(r->path, "/v1/", 4) == 0)
		plain.path += 3;
	/* to a JobManager another method's path is one that it does not have */
	if (route_run(routes, sizeof(routes) / sizeof(routes[0]), &c) != ROUTE_ANSWERED)
		jobs_fail_text(&c, 404, "Not found: %s", r->path);
	arena_release(&c.arena);
}
