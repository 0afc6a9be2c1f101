/*
 * Jobs over HTTP: the JobManager's list and detail shapes, and walmill's own verbs, which Flink does not have.
 *
 *   GET    /overview                 counts
 *   GET    /jobs, /jobs/overview     ids and states
 *   POST   /jobs?name=N[&replace=true]   body: SQL text            -> 202 {"jobid":...}
 *   GET    /jobs/ID                  detail, with walmill's own figures under "walmill"
 *   PATCH  /jobs/ID?mode=cancel      202
 *   PUT    /jobs/ID/pause|resume|repair   202
 *   GET    /jobs/ID/explain, /jobs/ID/sql    text
 *   GET    /topics...               topics.c
 *   POST   /jobs/ID/verify           200 {"equal":...}; 409 when nothing could be compared
 * ID is the id or the job's name. Errors are {"errors":[...]}, as Flink's.
 */
#include <stdio.h>

#include "api/api.h"
#include "base/js.h"

static void errors(struct http_response *out, unsigned status, const struct err *err)
{
	struct buf text = BUF_INIT(8192);

	out->status = status;
	buf_clear(&out->body);
	buf_puts(&text, err->text);
	if (err->detail[0])
		buf_printf(&text, "\n%s", err->detail);
	if (err->hint[0])
		buf_printf(&text, "\n%s", err->hint);
	buf_puts(&out->body, "{\"errors\":[");
	js_put_string(&out->body, buf_view(&text));
	buf_puts(&out->body, "]}");
	buf_release(&text);
}

static unsigned status_of(const struct err *err)
{
	return err->code == ERR_NOT_FOUND                                                                            ? 404
		: err->code == ERR_EXISTS || err->code == ERR_STATE || err->code == ERR_BUSY || err->code == ERR_TIMEOUT ? 409
		: err->code == ERR_INVALID || err->code == ERR_UNSUPPORTED || err->code == ERR_LIMIT                     ? 400
																												 : 500;
}

/* Flink's words for our states */
static const char *flink_state(enum job_state s)
{
	static const char *const names[] = {"CREATED", "INITIALIZING", "RUNNING", "RUNNING", "FAILED", "SUSPENDED", "CANCELED"};

	return names[s];
}

static void put_checkpoint(struct buf *b, const struct job_status *s)
{
	const struct job_checkpoint *c = &s->checkpoint;

	js_put_key(b, "checkpoint");
	buf_printf(b, "{\"made\":%llu,\"failed\":%llu,\"at_us\":%lld,\"took_us\":%lld,\"rows\":%llu,\"bytes\":%llu,\"unit\":%llu",
		(unsigned long long)s->counts.checkpoints, (unsigned long long)c->failed, (long long)c->at_us, (long long)c->took_us,
		(unsigned long long)c->rows, (unsigned long long)c->bytes, (unsigned long long)c->unit);
	if (c->error.code) {
		js_put_key(b, "error");
		js_put_str(b, c->error.text);
	}
	buf_putc(b, '}');
}

static void put_own(struct buf *b, const struct registry_job *j, const struct job_status *s)
{
	js_put_key(b, "walmill");
	buf_printf(b, "{\"state\":\"%s\",\"step\":\"%s\",\"from\":\"%s\"", job_state_name(s->state), s->step, s->from);
	js_put_key(b, "connector");
	js_put_str(b, s->connector);
	js_put_key(b, "position");
	buf_printf(b, "\"" LSN_FORMAT "\"", LSN_ARGS(s->position));
	buf_printf(b,
		",\"units\":%llu,\"records\":%llu,\"rows_written\":%llu,\"writes\":%llu,\"ticks\":%llu,\"state_bytes\":%zu,\"source_rows\":%llu,"
		"\"result_rows\":%llu,\"lag_us\":%lld,\"source_us\":%lld,\"next_unit\":%llu",
		(unsigned long long)s->counts.units, (unsigned long long)s->counts.records, (unsigned long long)s->counts.rows_written,
		(unsigned long long)s->counts.writes, (unsigned long long)s->counts.ticks, s->state_bytes, (unsigned long long)s->source_rows,
		(unsigned long long)s->result_rows, (long long)s->lag_us, (long long)s->source_us, (unsigned long long)s->next_unit);
	put_checkpoint(b, s);
	if (s->error.code) {
		js_put_key(b, "error");
		js_put_str(b, s->error.text);
		js_put_key(b, "detail");
		js_put_str(b, s->error.detail);
		js_put_key(b, "hint");
		js_put_str(b, s->error.hint);
	}
	buf_putc(b, '}');
}

struct listing {
	const struct api *api;
	struct buf *b;
	bool overview;
	unsigned running, finished, canceled, failed;
};

static int put_listed(void *arg, const struct registry_job *j)
{
	struct listing *l = arg;
	struct job_status s;
	int64_t now = io_now_us(l->api->io) / 1000;

	job_status(j->job, &s);
	l->running += s.state == JOB_RUNNING || s.state == JOB_DEGRADED || s.state == JOB_INITIALIZING || s.state == JOB_CREATED;
	l->canceled += s.state == JOB_CANCELED;
	l->failed += s.state == JOB_FAILED;
	if (!l->b)
		return 0;
	js_put_comma(l->b);
	if (!l->overview) {
		buf_printf(l->b, "{\"id\":\"%s\",\"status\":\"%s\"}", j->id, flink_state(s.state));
		return 0;
	}
	buf_printf(l->b, "{\"jid\":\"%s\",\"name\":", j->id);
	js_put_str(l->b, job_name(j->job));
	buf_printf(l->b,
		",\"state\":\"%s\",\"start-time\":%lld,\"end-time\":-1,\"duration\":%lld,\"last-modification\":%lld,\"tasks\":{\"total\":1,"
		"\"running\":%d}",
		flink_state(s.state), (long long)(s.started_us / 1000), (long long)(now - s.started_us / 1000), (long long)now,
		s.state == JOB_RUNNING || s.state == JOB_DEGRADED);
	put_own(l->b, j, &s);
	buf_putc(l->b, '}');
	return 0;
}

static void list(const struct api *api, bool overview, struct http_response *out)
{
	struct listing l = {.api = api, .b = &out->body, .overview = overview};

	out->status = 200;
	buf_puts(&out->body, "{\"jobs\":[");
	registry_job_each(api->registry, put_listed, &l);
	buf_puts(&out->body, "]}");
}

static void overview(const struct api *api, struct http_response *out)
{
	struct listing l = {.api = api};

	registry_job_each(api->registry, put_listed, &l);
	out->status = 200;
	buf_printf(&out->body,
		"{\"taskmanagers\":1,\"slots-total\":1,\"slots-available\":0,\"jobs-running\":%u,\"jobs-finished\":0,\"jobs-cancelled\":%u,"
		"\"jobs-failed\":%u,\"flink-version\":\"1.19.1\",\"flink-commit\":\"walmill-%s\"}",
		l.running, l.canceled, l.failed, api->version);
}

/* ---- one job ---- */

struct one {
	const struct api *api;
	struct http_response *out;
};

static void put_detail(void *arg, const struct registry_job *j)
{
	struct one *o = arg;
	struct buf *b = &o->out->body;
	int64_t now = io_now_us(o->api->io) / 1000;
	struct job_status s;

	job_status(j->job, &s);
	o->out->status = 200;
	buf_printf(b, "{\"jid\":\"%s\",\"name\":", j->id);
	js_put_str(b, job_name(j->job));
	buf_printf(b,
		",\"isStoppable\":false,\"state\":\"%s\",\"start-time\":%lld,\"end-time\":-1,\"duration\":%lld,\"maxParallelism\":1,\"now\":%lld,"
		"\"vertices\":[],\"status-counts\":{},\"plan\":{}",
		flink_state(s.state), (long long)(s.started_us / 1000), (long long)(now - s.started_us / 1000), (long long)now);
	put_own(b, j, &s);
	buf_putc(b, '}');
}

static void put_explain(void *arg, const struct registry_job *j)
{
	struct one *o = arg;
	struct err err = ERR_INIT;

	o->out->content_type = "text/plain; charset=utf-8";
	o->out->status = 200;
	if (job_explain(j->job, &o->out->body, &err)) {
		o->out->content_type = NULL;
		errors(o->out, status_of(&err), &err);
	}
}

static void put_sql(void *arg, const struct registry_job *j)
{
	struct one *o = arg;

	o->out->content_type = "text/plain; charset=utf-8";
	o->out->status = 200;
	buf_putv(&o->out->body, job_text(j->job));
}

static void do_verify(void *arg, const struct registry_job *j)
{
	struct one *o = arg;
	struct buf lines = BUF_INIT(16 << 20);
	struct err err = ERR_INIT;
	struct job_verdict v;
	struct buf *b = &o->out->body;

	if (job_verify(j->job, &v, &lines, &err)) {
		errors(o->out, status_of(&err), &err);
	} else {
		o->out->status = 200;
		buf_puts(b, "{\"job\":");
		js_put_str(b, job_name(j->job));
		buf_printf(b, ",\"equal\":%s,\"cut\":\"" LSN_FORMAT "\",\"rows\":%llu,\"differences\":%llu,\"held_us\":%lld,\"report\":",
			v.equal ? "true" : "false", LSN_ARGS(v.cut), (unsigned long long)v.rows, (unsigned long long)v.differences,
			(long long)v.held_us);
		js_put_string(b, buf_view(&lines));
		buf_putc(b, '}');
	}
	buf_release(&lines);
}

static void with(const struct api *api, struct view id, void (*fn)(void *, const struct registry_job *), struct http_response *out)
{
	struct one o = {api, out};
	struct err err = ERR_INIT;

	if (registry_job_with(api->registry, id, fn, &o))
		return;
	err_set(&err, ERR_NOT_FOUND, "job \"%.*s\" does not exist", (int)id.len, (const char *)id.ptr);
	errors(out, 404, &err);
}

static void command(const struct api *api, struct view id, enum registry_job_command cmd, struct http_response *out)
{
	struct err err = ERR_INIT;

	if (registry_job_command(api->registry, id, cmd, &err)) {
		errors(out, status_of(&err), &err);
		return;
	}
	out->status = 202;
	buf_puts(&out->body, "{}");
}

static void submit(const struct api *api, const struct http_request *r, struct http_response *out)
{
	const char *name = http_query(r, "name");
	struct err err = ERR_INIT;
	char id[33];

	if (r->body.len == 0)
		err_set(&err, ERR_INVALID, "the body is empty: it must be the job's SQL text");
	else if (!*name)
		err_set(&err, ERR_INVALID, "the job has no name: add ?name=...");
	else if (registry_job_submit(api->registry, view_str(name), r->body, strcmp(http_query(r, "replace"), "true") == 0, id, &err) == 0) {
		out->status = 202;
		buf_printf(&out->body, "{\"jobid\":\"%s\"}", id);
		return;
	}
	errors(out, status_of(&err), &err);
}

#define IS(m) (strcmp(r->method, (m)) == 0)

void api_jobs(void *arg, const struct http_request *r, struct http_response *out)
{
	const struct api *api = arg;
	struct err err = ERR_INIT;
	struct view a[4];

	if (api_topics(api, r, out))
		return;
	if (IS("GET") && http_match(r->path, "/overview", a))
		overview(api, out);
	else if (IS("GET") && http_match(r->path, "/jobs", a))
		list(api, false, out);
	else if (IS("GET") && http_match(r->path, "/jobs/overview", a))
		list(api, true, out);
	else if (IS("POST") && http_match(r->path, "/jobs", a))
		submit(api, r, out);
	else if (IS("GET") && http_match(r->path, "/jobs/{}", a))
		with(api, a[0], put_detail, out);
	else if (IS("PATCH") && http_match(r->path, "/jobs/{}", a))
		command(api, a[0], REGISTRY_JOB_CANCEL, out);
	else if (IS("PUT") && http_match(r->path, "/jobs/{}/pause", a))
		command(api, a[0], REGISTRY_JOB_PAUSE, out);
	else if (IS("PUT") && http_match(r->path, "/jobs/{}/resume", a))
		command(api, a[0], REGISTRY_JOB_RESUME, out);
	else if (IS("PUT") && http_match(r->path, "/jobs/{}/repair", a))
		command(api, a[0], REGISTRY_JOB_REPAIR, out);
	else if (IS("GET") && http_match(r->path, "/jobs/{}/explain", a))
		with(api, a[0], put_explain, out);
	else if (IS("GET") && http_match(r->path, "/jobs/{}/sql", a))
		with(api, a[0], put_sql, out);
	else if (IS("POST") && http_match(r->path, "/jobs/{}/verify", a))
		with(api, a[0], do_verify, out);
	else {
		err_set(&err, ERR_NOT_FOUND, "Not found: %s", r->path);
		errors(out, 404, &err);
	}
}
