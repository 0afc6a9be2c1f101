/* GET /api/jobs, /api/jobs/{id}: the id, or the name. */
#include <stdio.h>

#include "api/console.h"
#include "base/js.h"

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
	js_put_key(b, "lagMs");
	buf_printf(b, "%.3f", (double)s.lag_us / 1000);
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

void console_jobs(struct console *c)
{
	console_put_jobs(c->api, &c->out->body);
}

static void put_with(void *arg, const struct registry_job *j)
{
	struct console *c = arg;

	put_job(&c->out->body, j);
}

void console_job(struct console *c)
{
	if (!registry_job_with(c->api->registry, c->args[0], put_with, c))
		console_problem(c, 404, "There is no job \"%.*s\".", (int)c->args[0].len, (const char *)c->args[0].ptr);
}
