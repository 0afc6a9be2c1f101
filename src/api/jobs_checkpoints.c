/* Checkpoints and exceptions of a job. A checkpoint is of the whole job, and only the newest is kept on disk. */
#include <stdio.h>
#include <stdlib.h>

#include "api/jobs_int.h"

/* ---- checkpoints ---- */

static void put_checkpoint(struct job_view *v, const struct job_checkpoint *c, unsigned long long id, bool discarded)
{
	unsigned long long size = c->bytes, took = (unsigned long long)(c->took_us / 1000);

	buf_printf(v->b,
		"{\"className\":\"completed\",\"id\":%llu,\"status\":\"COMPLETED\",\"is_savepoint\":false,\"savepointFormat\":null,"
		"\"trigger_timestamp\":%lld,\"latest_ack_timestamp\":%lld,\"checkpointed_size\":%llu,\"state_size\":%llu,"
		"\"end_to_end_duration\":%llu,"
		"\"alignment_buffered\":0,\"processed_data\":0,\"persisted_data\":0,\"num_subtasks\":1,\"num_acknowledged_subtasks\":1,"
		"\"checkpoint_type\":\"CHECKPOINT\",\"tasks\":{},\"external_path\":\"checkpoints/%s\",\"discarded\":%s}",
		id, (long long)((c->at_us - c->took_us) / 1000), (long long)(c->at_us / 1000), size, size, took, v->j->id,
		discarded ? "true" : "false");
}

/* Statistics over the checkpoints that are remembered. */
struct series {
	double sorted[JOB_CHECKPOINTS];
	unsigned n;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double quantile(const struct series *s, double q)
{
	double at = q * (s->n - 1);
	unsigned low = (unsigned)at;

	if (low + 1 >= s->n)
		return s->sorted[s->n - 1];
	return s->sorted[low] + (at - low) * (s->sorted[low + 1] - s->sorted[low]);
}

static void put_summary(struct buf *b, const char *key, struct series *s)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}};
	double sum = 0;
	size_t i;

	qsort(s->sorted, s->n, sizeof(s->sorted[0]), by_value);
	for (i = 0; i < s->n; i++)
		sum += s->sorted[i];
	js_put_key(b, key);
	buf_printf(b, "{\"min\":%.0f,\"max\":%.0f,\"avg\":%.0f", s->n ? s->sorted[0] : 0, s->n ? s->sorted[s->n - 1] : 0,
		s->n ? sum / s->n : 0);
	for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		js_put_key(b, quantiles[i].name);
		if (s->n)
			buf_printf(b, "%.15g", quantile(s, quantiles[i].q));
		else
			buf_puts(b, "\"NaN\"");
	}
	buf_putc(b, '}');
}

static void put_summaries(struct job_view *v, const struct job_history *h)
{
	static const char *const unmeasured[] = {"alignment_buffered", "processed_data", "persisted_data"};
	struct series size = {.n = h->ncheckpoints}, state, took = size, none = size;
	unsigned i;

	for (i = 0; i < h->ncheckpoints; i++) {
		size.sorted[i] = (double)h->checkpoints[i].bytes;
		took.sorted[i] = (double)(h->checkpoints[i].took_us / 1000);
		none.sorted[i] = 0;
	}
	state = size;
	buf_puts(v->b, "\"summary\":{");
	put_summary(v->b, "checkpointed_size", &size);
	put_summary(v->b, "state_size", &state);
	put_summary(v->b, "end_to_end_duration", &took);
	/* nothing is aligned and nothing in flight: a checkpoint is made between two steps */
	for (i = 0; i < 3; i++)
		put_summary(v->b, unmeasured[i], &none);
	buf_putc(v->b, '}');
}

static void checkpoints(struct job_view *v)
{
	struct job_history h;
	struct buf *b = v->b;
	unsigned long long made = v->s.counts.checkpoints, failed = v->s.checkpoint.failed;
	unsigned i;

	job_history(v->j->job, &h);
	buf_printf(b, "{\"counts\":{\"restored\":%d,\"total\":%llu,\"in_progress\":0,\"completed\":%llu,\"failed\":%llu},",
		strcmp(v->s.from, "checkpoint") == 0, made + failed, made, failed);
	put_summaries(v, &h);
	buf_puts(b, ",\"latest\":{\"completed\":");
	if (h.ncheckpoints)
		put_checkpoint(v, &h.checkpoints[0], made, false);
	else
		buf_puts(b, "null");
	buf_puts(b, ",\"savepoint\":null,\"failed\":null,\"restored\":null},\"history\":[");
	for (i = 0; i < h.ncheckpoints; i++) {
		js_put_comma(b);
		put_checkpoint(v, &h.checkpoints[i], made - i, i > 0);
	}
	buf_puts(b, "]}");
}

void jobs_checkpoints(struct call *c)
{
	jobs_with(c, checkpoints);
}

static void one_checkpoint(struct job_view *v)
{
	struct view id = v->call->args[1];
	struct job_history h;
	char number[24];
	unsigned i;

	job_history(v->j->job, &h);
	for (i = 0; i < h.ncheckpoints; i++) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)v->s.counts.checkpoints - i);
		if (view_is(id, number)) {
			put_checkpoint(v, &h.checkpoints[i], v->s.counts.checkpoints - i, i > 0);
			return;
		}
	}
	if (!jobs_is_number(id))
		jobs_fail_text(v->call, 400, "Cannot resolve path parameter (checkpointid) from value \"%.*s\".", (int)id.len,
			(const char *)id.ptr);
	else
		jobs_fail_text(v->call, 404, "Could not find checkpointing statistics for checkpoint %.*s.", (int)id.len, (const char *)id.ptr);
}

void jobs_checkpoint(struct call *c)
{
	jobs_with(c, one_checkpoint);
}

static void checkpoints_config(struct job_view *v)
{
	buf_printf(v->b,
		"{\"mode\":\"exactly_once\",\"interval\":%lld,\"timeout\":0,\"min_pause\":0,\"max_concurrent\":1,"
		"\"externalization\":{\"enabled\":true,"
		"\"delete_on_cancellation\":true},\"state_backend\":\"memory\","
		"\"checkpoint_storage\":\"file\",\"unaligned_checkpoints\":false,"
		"\"tolerable_failed_checkpoints\":-1,\"aligned_checkpoint_timeout\":0,\"checkpoints_after_tasks_finish\":false,"
		"\"state_changelog_enabled\":false,\"changelog_periodic_materialization_interval\":0,\"changelog_storage\":\"none\"}",
		(long long)(registry_checkpoint_interval_us(v->call->api->registry) / 1000));
}

void jobs_checkpoints_config(struct call *c)
{
	jobs_with(c, checkpoints_config);
}

/* ---- exceptions ---- */

static void put_place(struct buf *b, const char *task_key, const char *task, long long at_ms)
{
	buf_printf(b, ",\"%s\":", task_key);
	js_put_str(b, task);
	buf_printf(b, ",\"location\":\"localhost\",\"endpoint\":\"localhost\",\"timestamp\":%lld,\"taskManagerId\":\"" TASKMANAGER "\"", at_ms);
}

static void put_entry(struct job_view *v, const struct job_failure *f)
{
	struct buf *b = v->b;

	buf_puts(b, "{\"exceptionName\":");
	js_put_str(b, err_code_name(f->err.code));
	buf_puts(b, ",\"stacktrace\":");
	api_put_error_text(b, &f->err);
	buf_puts(b, ",\"failureLabels\":{}");
	put_place(b, "taskName", job_name(v->j->job), (long long)(f->at_us / 1000));
	buf_puts(b, ",\"concurrentExceptions\":[]}");
}

/* -1 when it is not a number of exceptions */
static long most_of(const char *text)
{
	char *end;
	long n = *text ? strtol(text, &end, 10) : 20;

	return *text && (*end || n < 0 || n > 1000000) ? -1 : n;
}

static void exceptions(struct job_view *v)
{
	struct job_history h;
	struct buf *b = v->b;
	/* what is over stays in the history; the root is what ails it now */
	bool ails = v->s.error.code != ERR_NONE;
	unsigned i, most = (unsigned)most_of(http_query(v->call->r, "maxExceptions"));

	job_history(v->j->job, &h);
	buf_puts(b, "{\"root-exception\":");
	if (ails && h.nfailures) {
		long long at = (long long)(h.failures[0].at_us / 1000);

		api_put_error_text(b, &v->s.error);
		buf_printf(b, ",\"timestamp\":%lld,\"all-exceptions\":[{\"exception\":", at);
		api_put_error_text(b, &v->s.error);
		put_place(b, "task", job_name(v->j->job), at);
		buf_puts(b, "}]");
	} else {
		buf_puts(b, "null,\"timestamp\":null,\"all-exceptions\":[]");
	}
	buf_puts(b, ",\"truncated\":false,\"exceptionHistory\":{\"entries\":[");
	for (i = 0; i < h.nfailures && i < most; i++) {
		js_put_comma(b);
		put_entry(v, &h.failures[i]);
	}
	buf_printf(b, "],\"truncated\":%s}}", i < h.nfailures || h.nfailures == JOB_FAILURES ? "true" : "false");
}

void jobs_exceptions(struct call *c)
{
	const char *most = http_query(c->r, "maxExceptions");

	if (most_of(most) < 0)
		jobs_fail_text(c, 400, "Cannot resolve query parameter (maxExceptions) from value \"%s\".", most);
	else
		jobs_with(c, exceptions);
}
