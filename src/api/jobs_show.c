/* Lists of jobs and one job, in the JobManager's shapes; walmill's own figures stand under "walmill". */
#include <stdio.h>

#include "api/jobs_int.h"

/* ---- states ---- */

const char *jobs_state(enum job_state s)
{
	static const char *const names[] = {"CREATED", "INITIALIZING", "RUNNING", "RUNNING", "FAILED", "SUSPENDED", "CANCELED"};

	return names[s];
}

const char *jobs_task_state(enum job_state s)
{
	static const char *const names[] = {"CREATED", "INITIALIZING", "RUNNING", "RUNNING", "FAILED", "CANCELED", "CANCELED"};

	return names[s];
}

void jobs_put_counts(struct buf *b, const char *state, unsigned count, bool lower)
{
	static const char *const states[] = {"CREATED", "CANCELING", "RECONCILING", "RUNNING", "SCHEDULED", "DEPLOYING", "FINISHED",
		"INITIALIZING", "FAILED", "CANCELED"};
	const char *s;
	size_t i;

	buf_putc(b, '{');
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		buf_puts(b, i ? ",\"" : "\"");
		for (s = states[i]; *s; s++)
			buf_putc(b, lower ? (char)(*s + 32) : *s);
		buf_printf(b, "\":%u", strcmp(states[i], state) == 0 ? count : 0);
	}
	if (lower)
		buf_printf(b, ",\"total\":%u", count);
	buf_putc(b, '}');
}

/* ---- one job ---- */

static bool is_over(enum job_state s)
{
	return s == JOB_FAILED || s == JOB_CANCELED;
}

static void fill(struct job_view *v, struct call *c, const struct registry_job *j)
{
	struct job_history h;

	*v = (struct job_view){.call = c, .b = &c->out->body, .j = j};
	job_status(j->job, &v->s);
	job_history(j->job, &h);
	v->now_ms = io_now_us(c->api->io) / 1000;
	v->start_ms = v->s.started_us / 1000;
	v->end_ms = is_over(v->s.state) ? h.entered_us[v->s.state] / 1000 : -1;
}

struct with {
	struct call *call;
	void (*fn)(struct job_view *v);
};

static void with_job(void *arg, const struct registry_job *j)
{
	struct with *w = arg;
	struct job_view v;

	fill(&v, w->call, j);
	w->call->out->status = 200;
	w->fn(&v);
}

bool jobs_is_id(struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++)
		if (!memchr("0123456789abcdefABCDEF", v.ptr[i], 22))
			return false;
	return v.len == 32;
}

bool jobs_is_number(struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++)
		if (v.ptr[i] < '0' || v.ptr[i] > '9')
			return false;
	return v.len > 0;
}

void jobs_with(struct call *c, void (*fn)(struct job_view *v))
{
	struct view id = c->args[0];
	struct with w = {c, fn};

	if (registry_job_with(c->api->registry, id, with_job, &w))
		return;
	if (jobs_is_id(id))
		jobs_fail_text(c, 404, "Job %.*s not found", (int)id.len, (const char *)id.ptr);
	else
		jobs_fail_text(c, 400, "Cannot resolve path parameter (jobid) from value \"%.*s\": neither a job's id nor its name", (int)id.len,
			(const char *)id.ptr);
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

static void put_own(struct job_view *v)
{
	const struct job_status *s = &v->s;
	struct buf *b = v->b;

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

static void put_times(struct job_view *v)
{
	buf_printf(v->b, "\"start-time\":%lld,\"end-time\":%lld,\"duration\":%lld", (long long)v->start_ms, (long long)v->end_ms,
		(long long)((v->end_ms < 0 ? v->now_ms : v->end_ms) - v->start_ms));
}

/* When the job last came into each of Flink's states. */
static void put_timestamps(struct job_view *v)
{
	static const struct {
		const char *name;
		int state;            /* enum job_state, -1 = one that walmill's jobs never are in */
	} rows[] = {{"CREATED", JOB_CREATED}, {"INITIALIZING", JOB_INITIALIZING}, {"RUNNING", JOB_RUNNING}, {"RESTARTING", JOB_DEGRADED},
		{"FAILING", -1}, {"FAILED", JOB_FAILED}, {"SUSPENDED", JOB_PAUSED}, {"CANCELLING", -1}, {"CANCELED", JOB_CANCELED},
		{"FINISHED", -1}, {"RECONCILING", -1}};
	struct job_history h;
	size_t i;

	job_history(v->j->job, &h);
	buf_puts(v->b, "\"timestamps\":{");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		buf_printf(v->b, "%s\"%s\":%lld", i ? "," : "", rows[i].name,
			rows[i].state < 0 ? 0LL : (long long)(h.entered_us[rows[i].state] / 1000));
	buf_putc(v->b, '}');
}

static void put_detail(struct job_view *v)
{
	struct buf *b = v->b;

	buf_printf(b, "{\"jid\":\"%s\",\"name\":", v->j->id);
	js_put_str(b, job_name(v->j->job));
	buf_printf(b, ",\"isStoppable\":false,\"state\":\"%s\",", jobs_state(v->s.state));
	put_times(v);
	buf_printf(b, ",\"maxParallelism\":1,\"now\":%lld,", (long long)v->now_ms);
	put_timestamps(v);
	jobs_put_vertices(v);
	put_own(v);
	buf_putc(b, '}');
}

void jobs_detail(struct call *c)
{
	jobs_with(c, put_detail);
}

static void put_status(struct job_view *v)
{
	buf_printf(v->b, "{\"status\":\"%s\"}", jobs_state(v->s.state));
}

void jobs_status(struct call *c)
{
	jobs_with(c, put_status);
}

static void put_config(struct job_view *v)
{
	struct buf *b = v->b;

	buf_printf(b, "{\"jid\":\"%s\",\"name\":", v->j->id);
	js_put_str(b, job_name(v->j->job));
	buf_puts(b, ",\"execution-config\":{\"execution-mode\":\"PIPELINED\",\"restart-strategy\":\"what may pass by itself is tried again, "
		"with growing pauses\",\"job-parallelism\":1,\"object-reuse-mode\":false,\"user-config\":{\"sql\":");
	js_put_string(b, job_text(v->j->job));
	buf_puts(b, "}}}");
}

void jobs_config(struct call *c)
{
	jobs_with(c, put_config);
}

/* Accumulators are something that a program for Flink adds itself; a job of SQL has none. */
static void put_accumulators(struct job_view *v)
{
	buf_puts(v->b, "{\"job-accumulators\":[],\"user-task-accumulators\":[],\"serialized-user-task-accumulators\":{}}");
}

void jobs_accumulators(struct call *c)
{
	jobs_with(c, put_accumulators);
}

/* ---- lists ---- */

struct listing {
	struct call *call;
	enum { LIST_COUNT, LIST_IDS, LIST_OVERVIEW } what;
	unsigned running, canceled, failed;
};

static void put_overview_line(struct job_view *v)
{
	struct buf *b = v->b;

	buf_printf(b, "{\"jid\":\"%s\",\"name\":", v->j->id);
	js_put_str(b, job_name(v->j->job));
	buf_putc(b, ',');
	put_times(v);
	buf_printf(b, ",\"state\":\"%s\",\"last-modification\":%lld,\"tasks\":", jobs_state(v->s.state),
		(long long)(v->end_ms < 0 ? v->now_ms : v->end_ms));
	jobs_put_counts(b, jobs_task_state(v->s.state), 1, true);
	put_own(v);
	buf_putc(b, '}');
}

static int put_listed(void *arg, const struct registry_job *j)
{
	struct listing *l = arg;
	struct job_view v;

	fill(&v, l->call, j);
	l->canceled += v.s.state == JOB_CANCELED;
	l->failed += v.s.state == JOB_FAILED;
	l->running += !is_over(v.s.state);
	if (l->what == LIST_COUNT)
		return 0;
	js_put_comma(v.b);
	if (l->what == LIST_IDS)
		buf_printf(v.b, "{\"id\":\"%s\",\"status\":\"%s\"}", j->id, jobs_state(v.s.state));
	else
		put_overview_line(&v);
	return 0;
}

static void list(struct call *c, int what)
{
	struct listing l = {.call = c, .what = what};

	c->out->status = 200;
	buf_puts(&c->out->body, "{\"jobs\":[");
	registry_job_each(c->api->registry, put_listed, &l);
	buf_puts(&c->out->body, "]}");
}

void jobs_list(struct call *c)
{
	list(c, LIST_IDS);
}

void jobs_list_overview(struct call *c)
{
	list(c, LIST_OVERVIEW);
}

void jobs_overview(struct call *c)
{
	struct listing l = {.call = c, .what = LIST_COUNT};
	unsigned used, slots = jobs_slots(c, &used);

	registry_job_each(c->api->registry, put_listed, &l);
	c->out->status = 200;
	buf_printf(&c->out->body,
		"{\"taskmanagers\":1,\"slots-total\":%u,\"slots-available\":%u,\"jobs-running\":%u,\"jobs-finished\":0,\"jobs-cancelled\":%u,"
		"\"jobs-failed\":%u,\"flink-version\":\"1.19.1\",\"flink-commit\":\"walmill-%s\"}",
		slots, slots - used, l.running, l.canceled, l.failed, c->api->version);
}

/* ---- metrics ---- */

static bool checkpoints_made(const void *of, double *ret)
{
	*ret = (double)((const struct job_view *)of)->s.counts.checkpoints;
	return true;
}

static bool checkpoints_failed(const void *of, double *ret)
{
	*ret = (double)((const struct job_view *)of)->s.checkpoint.failed;
	return true;
}

static bool checkpoints_total(const void *of, double *ret)
{
	const struct job_view *v = of;

	*ret = (double)(v->s.counts.checkpoints + v->s.checkpoint.failed);
	return true;
}

static bool last_duration(const void *of, double *ret)
{
	const struct job_view *v = of;

	*ret = v->s.checkpoint.at_us ? (double)(v->s.checkpoint.took_us / 1000) : -1;
	return true;
}

static bool last_size(const void *of, double *ret)
{
	const struct job_view *v = of;

	*ret = v->s.checkpoint.at_us ? (double)v->s.checkpoint.bytes : -1;
	return true;
}

static bool uptime(const void *of, double *ret)
{
	const struct job_view *v = of;

	*ret = v->end_ms < 0 ? (double)(v->now_ms - v->start_ms) : -1;
	return true;
}

static bool rows_written(const void *of, double *ret)
{
	*ret = (double)((const struct job_view *)of)->s.counts.rows_written;
	return true;
}

static bool lag(const void *of, double *ret)
{
	*ret = (double)((const struct job_view *)of)->s.lag_us / 1000;
	return true;
}

static const struct job_metric metrics[] = {{"uptime", uptime}, {"totalNumberOfCheckpoints", checkpoints_total},
	{"numberOfCompletedCheckpoints", checkpoints_made}, {"numberOfFailedCheckpoints", checkpoints_failed},
	{"lastCheckpointDuration", last_duration}, {"lastCheckpointSize", last_size}, {"rowsWritten", rows_written}, {"lagMs", lag}};

enum { METRICS = sizeof(metrics) / sizeof(metrics[0]) };

static void put_metrics(struct job_view *v)
{
	jobs_put_metrics(v->call, metrics, METRICS, "", v);
}

void jobs_metrics(struct call *c)
{
	jobs_with(c, put_metrics);
}

/* ---- over all jobs, or those of ?jobs= ---- */

struct gathered {
	struct call *call;
	const char *names;            /* NULL = every job that is not over */
	struct job_view **views;
	unsigned n;
};

static bool is_named(const char *names, const struct registry_job *j)
{
	while (*names) {
		struct view name = jobs_list_next(&names);

		if (view_is(name, j->id) || view_is(name, job_name(j->job)))
			return true;
	}
	return false;
}

static int gather(void *arg, const struct registry_job *j)
{
	struct gathered *g = arg;
	struct job_view *v = arena_alloc(&g->call->arena, sizeof(*v)), **more;

	fill(v, g->call, j);
	if (g->names ? !is_named(g->names, j) : is_over(v->s.state))
		return 0;
	more = arena_alloc(&g->call->arena, (g->n + 1) * sizeof(struct job_view *));
	if (g->n)
		memcpy(more, g->views, g->n * sizeof(struct job_view *));
	more[g->n++] = v;
	g->views = more;
	return 0;
}

void jobs_all_metrics(struct call *c)
{
	struct gathered g = {.call = c, .names = http_query_given(c->r, "jobs") ? jobs_query_list(c, "jobs") : NULL};

	registry_job_each(c->api->registry, gather, &g);
	jobs_put_aggregates(c, metrics, METRICS, (const void *const *)g.views, g.n);
}

/* ---- how it ended ---- */

static void put_result(struct job_view *v)
{
	if (!is_over(v->s.state)) {
		buf_puts(v->b, "{\"status\":{\"id\":\"IN_PROGRESS\"}}");
		return;
	}
	buf_printf(v->b, "{\"status\":{\"id\":\"COMPLETED\"},\"job-execution-result\":{\"id\":\"%s\",\"application-status\":\"%s\","
		"\"accumulator-results\":{},\"net-runtime\":%lld", v->j->id, jobs_state(v->s.state), (long long)(v->end_ms - v->start_ms));
	if (v->s.error.code) {
		buf_puts(v->b, ",\"failure-cause\":{\"class\":");
		js_put_str(v->b, err_code_name(v->s.error.code));
		buf_puts(v->b, ",\"stack-trace\":");
		api_put_error_text(v->b, &v->s.error);
		buf_putc(v->b, '}');
	}
	buf_puts(v->b, "}}");
}

void jobs_result(struct call *c)
{
	jobs_with(c, put_result);
}
