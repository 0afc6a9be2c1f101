/* GET /api/jobs, /api/jobs/{id}: the id, or the name. */
#include <stdio.h>

#include "api/console.h"
#include "base/js.h"
#include "base/mem.h"

struct listing {
	const struct api *api;
	struct buf *b;
};

static void put_checkpoint(struct buf *b, const struct job_checkpoint *k)
{
	js_put_key(b, "checkpoint");
	if (!k->at_us) {
		buf_puts(b, "null");
		return;
	}
	buf_putc(b, '{');
	console_put_time(b, "at", k->at_us);
	console_put_int(b, "tookUs", k->took_us);
	console_put_int(b, "rows", (int64_t)k->rows);
	console_put_int(b, "bytes", (int64_t)k->bytes);
	console_put_int(b, "position", (int64_t)k->unit);
	buf_putc(b, '}');
}

/* ---- what runs: sources, operators, targets ---- */

/* "Source: public.t" without what it is */
static void put_names(struct buf *b, const char *key, const struct job_vertex *v, uint32_t n, enum job_vertex_kind kind)
{
	uint32_t i;

	js_put_key(b, key);
	buf_putc(b, '[');
	for (i = 0; i < n; i++)
		if (v[i].kind == kind) {
			const char *name = strstr(v[i].name, ": ");

			js_put_comma(b);
			js_put_str(b, name ? name + 2 : v[i].name);
		}
	buf_putc(b, ']');
}

static void put_summary(void *arg, const struct job_vertex *v, uint32_t n)
{
	struct buf *b = arg;
	double read = 0, written = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		read += v[i].kind == JOB_SOURCE ? v[i].out_per_s : 0;
		written += v[i].kind == JOB_SINK ? v[i].in_per_s : 0;
	}
	put_names(b, "sourceTables", v, n, JOB_SOURCE);
	put_names(b, "tables", v, n, JOB_SINK);
	js_put_key(b, "rowsReadPerSecond");
	buf_printf(b, "%.1f", read);
	js_put_key(b, "rowsWrittenPerSecond");
	buf_printf(b, "%.1f", written);
}

static void put_node(struct buf *b, const struct job_vertex *v)
{
	static const char *const kinds[] = {[JOB_SOURCE] = "source", [JOB_OPERATOR] = "operator", [JOB_SINK] = "sink"};

	js_put_comma(b);
	buf_putc(b, '{');
	console_put_text(b, "id", view_str(v->id));
	console_put_text(b, "kind", view_str(kinds[v->kind]));
	console_put_text(b, "name", view_str(v->name));
	console_put_text(b, "description", view_str(v->description ? v->description : ""));
	console_put_int(b, "rowsIn", (int64_t)v->rows_in);
	console_put_int(b, "rowsOut", (int64_t)v->rows_out);
	js_put_key(b, "rowsInPerSecond");
	buf_printf(b, "%.1f", v->in_per_s);
	js_put_key(b, "rowsOutPerSecond");
	buf_printf(b, "%.1f", v->out_per_s);
	console_put_int(b, "stateRows", (int64_t)v->state_rows);
	console_put_int(b, "stateBytes", (int64_t)v->state_bytes);
	buf_putc(b, '}');
}

static void put_plan(void *arg, const struct job_vertex *v, uint32_t n)
{
	struct buf *b = arg;
	uint32_t i, k;

	buf_puts(b, "{\"nodes\":[");
	for (i = 0; i < n; i++)
		put_node(b, &v[i]);
	buf_puts(b, "],\"edges\":[");
	for (i = 0; i < n; i++)
		for (k = 0; k < v[i].ninputs; k++) {
			js_put_comma(b);
			buf_printf(b, "{\"from\":\"%s\",\"to\":\"%s\"}", v[v[i].inputs[k]].id, v[i].id);
		}
	buf_puts(b, "]}");
}

static void put_exceptions(struct buf *b, struct job *j)
{
	struct job_history *h = mem_zalloc(sizeof(*h));
	unsigned i;

	job_history(j, h);
	js_put_key(b, "exceptions");
	buf_putc(b, '[');
	for (i = 0; i < h->nfailures; i++) {
		js_put_comma(b);
		buf_putc(b, '{');
		console_put_time(b, "at", h->failures[i].at_us);
		js_put_key(b, "text");
		console_put_error(b, &h->failures[i].err);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
	mem_free(h);
}

/* ---- rows ---- */

static void put_row(const struct registry_job *j, struct buf *b)
{
	struct job_status s;

	job_status(j->job, &s);
	console_put_text(b, "id", view_str(j->id));
	console_put_text(b, "name", view_str(job_name(j->job)));
	console_put_text(b, "state", view_str(job_state_name(s.state)));
	console_put_text(b, "step", view_str(s.step));
	js_put_key(b, "reason");
	console_put_error(b, &s.error);
	console_put_text(b, "from", view_str(s.from));
	console_put_text(b, "connector", view_str(s.connector));
	js_put_key(b, "position");
	buf_printf(b, "\"" LSN_FORMAT "\"", LSN_ARGS(s.position));
	console_put_lag(b, &s);
	console_put_time(b, "committedAt", s.source_us);
	console_put_time(b, "startedAt", s.started_us);
	console_put_int(b, "rowsRead", (int64_t)s.counts.records);
	console_put_int(b, "rowsWritten", (int64_t)s.counts.rows_written);
	console_put_int(b, "writes", (int64_t)s.counts.writes);
	console_put_int(b, "stateBytes", (int64_t)s.state_bytes);
	console_put_int(b, "sourceRows", (int64_t)s.source_rows);
	console_put_int(b, "resultRows", (int64_t)s.result_rows);
	put_checkpoint(b, &s.checkpoint);
	console_put_text(b, "sql", job_text(j->job));
	job_graph(j->job, put_summary, b);
}

static int put_job(void *arg, const struct registry_job *j)
{
	struct buf *b = arg;

	js_put_comma(b);
	buf_putc(b, '{');
	put_row(j, b);
	buf_putc(b, '}');
	return 0;
}

void console_put_jobs(const struct api *api, struct buf *b)
{
	buf_putc(b, '[');
	registry_job_each(api->registry, put_job, b);
	buf_putc(b, ']');
}

void console_jobs(struct call *c)
{
	console_put_jobs(c->api, &c->out->body);
}

static void put_with(void *arg, const struct registry_job *j)
{
	struct call *c = arg;
	struct buf *b = &c->out->body;

	buf_putc(b, '{');
	put_row(j, b);
	js_put_key(b, "plan");
	job_graph(j->job, put_plan, b);
	put_exceptions(b, j->job);
	buf_putc(b, '}');
}

void console_job(struct call *c)
{
	if (!registry_job_with(c->api->registry, c->args[0], put_with, c))
		problem_say(c, 404, "there is no job \"%.*s\"", (int)c->args[0].len, (const char *)c->args[0].ptr);
}
