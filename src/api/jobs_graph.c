/* Plan and vertices of a job. A vertex is an operator, with one subtask; its counters are the operator's own. */
#include <stdio.h>
#include <stdlib.h>

#include "api/jobs_int.h"

/* ---- pieces ---- */

/* Bytes between operators and their idle times are not measured; "complete" says of each number whether it can be relied on. */
static void put_io(struct buf *b, const struct job_vertex *v)
{
	buf_printf(b,
		"{\"read-bytes\":0,\"read-bytes-complete\":false,\"write-bytes\":0,\"write-bytes-complete\":false,\"read-records\":%llu,"
		"\"read-records-complete\":true,\"write-records\":%llu,\"write-records-complete\":true,\"accumulated-backpressured-time\":0,"
		"\"accumulated-idle-time\":0,\"accumulated-busy-time\":0.0}",
		(unsigned long long)v->rows_in, (unsigned long long)v->rows_out);
}

static void put_span(const struct job_view *j)
{
	buf_printf(j->b, "\"start-time\":%lld,\"end-time\":%lld,\"duration\":%lld", (long long)j->start_ms, (long long)j->end_ms,
		(long long)((j->end_ms < 0 ? j->now_ms : j->end_ms) - j->start_ms));
}

static void put_vertex(const struct job_view *j, const struct job_vertex *v)
{
	struct buf *b = j->b;

	buf_printf(b, "{\"id\":\"%s\",\"name\":", v->id);
	js_put_str(b, v->name);
	buf_printf(b, ",\"maxParallelism\":1,\"parallelism\":1,\"status\":\"%s\",", jobs_task_state(j->s.state));
	put_span(j);
	buf_puts(b, ",\"tasks\":");
	jobs_put_counts(b, jobs_task_state(j->s.state), 1, false);
	buf_puts(b, ",\"metrics\":");
	put_io(b, v);
	buf_printf(b, ",\"walmill\":{\"rows_in_per_second\":%.3f,\"rows_out_per_second\":%.3f,\"state_rows\":%llu,\"state_bytes\":%zu}}",
		v->in_per_s, v->out_per_s, (unsigned long long)v->state_rows, v->state_bytes);
}

/* A description is HTML in the JobManager's page: what the SQL holds must not become markup. */
static void put_html(struct buf *b, const char *text)
{
	struct buf html = BUF_INIT(4 << 20);

	for (; *text; text++)
		if (*text == '<' || *text == '>' || *text == '&')
			buf_puts(&html, *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : "&amp;");
		else
			buf_putc(&html, *text);
	js_put_string(b, buf_view(&html));
	buf_release(&html);
}

static void put_node(struct buf *b, const struct job_vertex *all, const struct job_vertex *v)
{
	uint32_t i;

	buf_printf(b, "{\"id\":\"%s\",\"parallelism\":1,\"operator\":\"\",\"operator_strategy\":\"\",\"description\":", v->id);
	put_html(b, v->description);
	if (v->ninputs) {
		buf_puts(b, ",\"inputs\":[");
		for (i = 0; i < v->ninputs; i++)
			buf_printf(b, "%s{\"num\":%u,\"id\":\"%s\",\"ship_strategy\":\"FORWARD\",\"exchange\":\"pipelined\"}", i ? "," : "", i,
				all[v->inputs[i]].id);
		buf_putc(b, ']');
	}
	buf_puts(b, ",\"optimizer_properties\":{}}");
}

static void put_plan(const struct job_view *j, const struct job_vertex *v, uint32_t n)
{
	struct buf *b = j->b;
	uint32_t i;

	buf_printf(b, "\"plan\":{\"jid\":\"%s\",\"name\":", j->j->id);
	js_put_str(b, job_name(j->j->job));
	buf_puts(b, ",\"type\":\"STREAMING\",\"nodes\":[");
	/* as the JobManager has it: from the sinks to the sources */
	for (i = n; i-- > 0;) {
		js_put_comma(b);
		put_node(b, v, &v[i]);
	}
	buf_puts(b, "]}");
}

static void put_all(void *arg, const struct job_vertex *v, uint32_t n)
{
	struct job_view *j = arg;
	uint32_t i;

	buf_puts(j->b, ",\"vertices\":[");
	for (i = 0; i < n; i++) {
		js_put_comma(j->b);
		put_vertex(j, &v[i]);
	}
	buf_puts(j->b, "],\"status-counts\":");
	jobs_put_counts(j->b, jobs_task_state(j->s.state), n, false);
	buf_putc(j->b, ',');
	put_plan(j, v, n);
}

void jobs_put_vertices(struct job_view *v)
{
	job_graph(v->j->job, put_all, v);
}

static void put_plan_alone(void *arg, const struct job_vertex *v, uint32_t n)
{
	struct job_view *j = arg;

	buf_putc(j->b, '{');
	put_plan(j, v, n);
	buf_putc(j->b, '}');
}

static void plan(struct job_view *v)
{
	job_graph(v->j->job, put_plan_alone, v);
}

void jobs_plan(struct call *c)
{
	jobs_with(c, plan);
}

/* ---- one vertex: args[1] of the path ---- */

typedef void (*vertex_fn)(const struct job_view *j, const struct job_vertex *v);

struct one {
	const struct job_view *j;
	vertex_fn fn;
	bool found;
};

static void find_vertex(void *arg, const struct job_vertex *v, uint32_t n)
{
	struct one *o = arg;
	uint32_t i;

	for (i = 0; i < n && !o->found; i++)
		if (view_is(o->j->call->args[1], v[i].id)) {
			o->found = true;
			o->fn(o->j, &v[i]);
		}
}

static void with_vertex(struct job_view *j, vertex_fn fn)
{
	struct one o = {.j = j, .fn = fn};
	struct view id = j->call->args[1];

	job_graph(j->j->job, find_vertex, &o);
	if (!o.found && !jobs_is_id(id))
		jobs_fail_text(j->call, 400, "Cannot resolve path parameter (vertexid) from value \"%.*s\".", (int)id.len, (const char *)id.ptr);
	else if (!o.found)
		jobs_fail_text(j->call, 404, "JobVertex %.*s not found", (int)id.len, (const char *)id.ptr);
}

/* Of one subtask, every statistic is its own value. */
static void put_spread(struct buf *b, const char *key, unsigned long long v)
{
	js_put_key(b, key);
	buf_printf(b, "{\"min\":%llu,\"max\":%llu,\"avg\":%llu,\"sum\":%llu,\"median\":%llu,\"p25\":%llu,\"p75\":%llu,\"p95\":%llu}",
		v, v, v, v, v, v, v, v);
}

/* How long it has been in its state. Deploying and scheduling are nothing here. */
static void put_durations(const struct job_view *j, bool spread)
{
	static const char *const states[] = {"CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING"};
	const char *now = jobs_task_state(j->s.state);
	unsigned long long ms = (unsigned long long)((j->end_ms < 0 ? j->now_ms : j->end_ms) - j->start_ms);
	size_t i;

	buf_puts(j->b, "\"status-duration\":{");
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		unsigned long long v = strcmp(states[i], now) == 0 ? ms : 0;

		if (spread) {
			put_spread(j->b, states[i], v);
		} else {
			js_put_key(j->b, states[i]);
			buf_printf(j->b, "%llu", v);
		}
	}
	buf_putc(j->b, '}');
}

static void put_subtask(const struct job_view *j, const struct job_vertex *v)
{
	struct buf *b = j->b;

	buf_printf(b, "{\"subtask\":0,\"status\":\"%s\",\"attempt\":0,\"host\":\"localhost\",\"endpoint\":\"localhost\",",
		jobs_task_state(j->s.state));
	put_span(j);
	buf_puts(b, ",\"metrics\":");
	put_io(b, v);
	buf_puts(b, ",\"taskmanager-id\":\"" TASKMANAGER "\",");
	put_durations(j, false);
	buf_printf(b, ",\"start_time\":%lld}", (long long)j->start_ms);
}

static void put_aggregated(const struct job_view *j, const struct job_vertex *v)
{
	static const char *const unmeasured[] = {"read-bytes", "write-bytes", "accumulated-backpressured-time", "accumulated-idle-time",
		"accumulated-busy-time"};
	size_t i;

	buf_puts(j->b, "\"aggregated\":{\"metrics\":{");
	put_spread(j->b, "read-records", v->rows_in);
	put_spread(j->b, "write-records", v->rows_out);
	for (i = 0; i < sizeof(unmeasured) / sizeof(unmeasured[0]); i++)
		put_spread(j->b, unmeasured[i], 0);
	buf_puts(j->b, "},");
	put_durations(j, true);
	buf_putc(j->b, '}');
}

static void put_head(const struct job_view *j, const struct job_vertex *v)
{
	buf_printf(j->b, "{\"id\":\"%s\",\"name\":", v->id);
	js_put_str(j->b, v->name);
}

static void put_whole(const struct job_view *j, const struct job_vertex *v)
{
	put_head(j, v);
	buf_printf(j->b, ",\"parallelism\":1,\"maxParallelism\":1,\"now\":%lld,\"subtasks\":[", (long long)j->now_ms);
	put_subtask(j, v);
	buf_puts(j->b, "],");
	put_aggregated(j, v);
	buf_putc(j->b, '}');
}

static void put_times(const struct job_view *j, const struct job_vertex *v)
{
	static const char *const states[] = {"CREATED", "CANCELING", "RECONCILING", "RUNNING", "SCHEDULED", "DEPLOYING", "FINISHED",
		"INITIALIZING", "FAILED", "CANCELED"};
	size_t i;

	put_head(j, v);
	buf_printf(j->b, ",\"now\":%lld,\"subtasks\":[{\"subtask\":0,\"host\":\"localhost\",\"endpoint\":\"localhost\",\"duration\":%lld,"
		"\"timestamps\":{", (long long)j->now_ms, (long long)((j->end_ms < 0 ? j->now_ms : j->end_ms) - j->start_ms));
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		buf_printf(j->b, "%s\"%s\":%lld", i ? "," : "", states[i],
			strcmp(states[i], jobs_task_state(j->s.state)) == 0 ? (long long)j->start_ms : 0LL);
	buf_puts(j->b, "}}]}");
}

static void put_taskmanagers(const struct job_view *j, const struct job_vertex *v)
{
	put_head(j, v);
	buf_printf(j->b, ",\"now\":%lld,\"taskmanagers\":[{\"host\":\"localhost\",\"endpoint\":\"localhost\",\"status\":\"%s\",",
		(long long)j->now_ms, jobs_task_state(j->s.state));
	put_span(j);
	buf_puts(j->b, ",\"metrics\":");
	put_io(j->b, v);
	buf_puts(j->b, ",\"status-counts\":");
	jobs_put_counts(j->b, jobs_task_state(j->s.state), 1, false);
	buf_puts(j->b, ",\"taskmanager-id\":\"" TASKMANAGER "\",");
	put_aggregated(j, v);
	buf_puts(j->b, "}]}");
}

/* Results follow source transactions, not event times: there is no watermark. */
static void put_watermarks(const struct job_view *j, const struct job_vertex *v)
{
	buf_puts(j->b, "[]");
}

static void put_accumulators(const struct job_view *j, const struct job_vertex *v)
{
	buf_printf(j->b, "{\"id\":\"%s\",\"user-accumulators\":[]}", v->id);
}

#define VERTEX_ROUTE(name, fn) \
	static void name##_of(struct job_view *v) { with_vertex(v, fn); } \
	void name(struct call *c) { jobs_with(c, name##_of); }

VERTEX_ROUTE(jobs_vertex, put_whole)
VERTEX_ROUTE(jobs_vertex_times, put_times)
VERTEX_ROUTE(jobs_vertex_taskmanagers, put_taskmanagers)
VERTEX_ROUTE(jobs_vertex_watermarks, put_watermarks)
VERTEX_ROUTE(jobs_vertex_accumulators, put_accumulators)

static void put_subtasks_accumulators(const struct job_view *j, const struct job_vertex *v)
{
	buf_printf(j->b, "{\"id\":\"%s\",\"parallelism\":1,\"subtasks\":[{\"subtask\":0,\"attempt\":0,\"host\":\"localhost\","
		"\"endpoint\":\"localhost\",\"user-accumulators\":[]}]}", v->id);
}

VERTEX_ROUTE(jobs_vertex_subtasks_accumulators, put_subtasks_accumulators)

/* As a JobManager answers that has not sampled a vertex, or does not: who waits for whom is not measured. */
static void put_backpressure(const struct job_view *j, const struct job_vertex *v)
{
	buf_puts(j->b, "{\"status\":\"deprecated\"}");
}

static void put_flamegraph(const struct job_view *j, const struct job_vertex *v)
{
	buf_puts(j->b, "{\"endTimestamp\":-2}");
}

VERTEX_ROUTE(jobs_vertex_backpressure, put_backpressure)
VERTEX_ROUTE(jobs_vertex_flamegraph, put_flamegraph)

/* ---- its one subtask with its one attempt: args[2] and args[3] (where the path has it), 0 ---- */

static void with_subtask(struct call *c, void (*fn)(struct job_view *v))
{
	static const char *const names[] = {"subtaskindex", "attempt"};
	unsigned i;

	for (i = 2; i < 4 && c->args[i].ptr; i++)
		if (!jobs_is_number(c->args[i])) {
			jobs_fail_text(c, 400, "Cannot resolve path parameter (%s) from value \"%.*s\".", names[i - 2], (int)c->args[i].len,
				(const char *)c->args[i].ptr);
			return;
		}
	if (!view_is(c->args[2], "0") || (c->args[3].ptr && !view_is(c->args[3], "0")))
		jobs_fail_text(c, 404, "Invalid subtask index or attempt: each vertex has subtask 0 with attempt 0");
	else
		jobs_with(c, fn);
}

static void subtask_of(struct job_view *v)
{
	with_vertex(v, put_subtask);
}

void jobs_vertex_subtask(struct call *c)
{
	with_subtask(c, subtask_of);
}

static void put_attempt_accumulators(const struct job_view *j, const struct job_vertex *v)
{
	buf_printf(j->b, "{\"subtask\":0,\"attempt\":0,\"id\":\"%s_%s_0_0\",\"user-accumulators\":[]}", j->j->id, v->id);
}

static void attempt_accumulators_of(struct job_view *v)
{
	with_vertex(v, put_attempt_accumulators);
}

void jobs_vertex_attempt_accumulators(struct call *c)
{
	with_subtask(c, attempt_accumulators_of);
}

/* ---- metrics ---- */

static bool rows_in(const void *of, double *ret)
{
	*ret = (double)((const struct job_vertex *)of)->rows_in;
	return true;
}

static bool rows_out(const void *of, double *ret)
{
	*ret = (double)((const struct job_vertex *)of)->rows_out;
	return true;
}

static bool in_rate(const void *of, double *ret)
{
	*ret = ((const struct job_vertex *)of)->in_per_s;
	return true;
}

static bool out_rate(const void *of, double *ret)
{
	*ret = ((const struct job_vertex *)of)->out_per_s;
	return true;
}

static bool state_rows(const void *of, double *ret)
{
	*ret = (double)((const struct job_vertex *)of)->state_rows;
	return true;
}

static bool state_bytes(const void *of, double *ret)
{
	*ret = (double)((const struct job_vertex *)of)->state_bytes;
	return true;
}

static const struct job_metric metrics[] = {{"numRecordsIn", rows_in}, {"numRecordsOut", rows_out}, {"numRecordsInPerSecond", in_rate},
	{"numRecordsOutPerSecond", out_rate}, {"stateRows", state_rows}, {"stateBytes", state_bytes}};

enum { METRICS = sizeof(metrics) / sizeof(metrics[0]) };

static void put_metrics(const struct job_view *j, const struct job_vertex *v)
{
	jobs_put_metrics(j->call, metrics, METRICS, "0.", v);
}

VERTEX_ROUTE(jobs_vertex_metrics, put_metrics)

/* "0", "0-3,5": whether the one subtask is among them */
static bool has_first(const char *ranges)
{
	bool has = *ranges == '\0';

	while (*ranges) {
		struct view range = jobs_list_next(&ranges);

		has = has || (range.len && range.ptr[0] == '0' && (range.len == 1 || range.ptr[1] == '-'));
	}
	return has;
}

/* Aggregated over subtasks: of one, each aggregate is its value. */
static void put_subtasks_metrics(const struct job_view *j, const struct job_vertex *v)
{
	const void *of = v;

	jobs_put_aggregates(j->call, metrics, METRICS, &of, has_first(jobs_query_list(j->call, "subtasks")));
}

VERTEX_ROUTE(jobs_vertex_subtasks_metrics, put_subtasks_metrics)

static void put_subtask_metrics(const struct job_view *j, const struct job_vertex *v)
{
	jobs_put_metrics(j->call, metrics, METRICS, "", v);
}

static void subtask_metrics_of(struct job_view *v)
{
	with_vertex(v, put_subtask_metrics);
}

void jobs_vertex_subtask_metrics(struct call *c)
{
	with_subtask(c, subtask_metrics_of);
}
