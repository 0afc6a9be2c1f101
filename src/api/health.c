/* /livez, /readyz and /metrics. */
#include "api/api.h"
#include "http/assets.h"

static void put_metric(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static int put_connector(void *arg, struct connector *c)
{
	struct buf *b = arg;
	struct connector_status s;
	struct view n = connector_config(c)->name;

	connector_status(c, &s);
	buf_release(&s.warnings);
#define ROW(metric, value) buf_printf(b, metric "{connector=\"%.*s\"} %llu\n", (int)n.len, (const char *)n.ptr, (unsigned long long)(value))
	ROW("walmill_source_rows_total", s.counts.rows);
	ROW("walmill_source_events_total", s.counts.events);
	ROW("walmill_source_transactions_total", s.counts.transactions);
	ROW("walmill_source_snapshot_rows_total", s.counts.snapshot_rows);
	ROW("walmill_source_durable_lsn", s.durable);
	ROW("walmill_source_confirmed_lsn", s.confirmed);
	ROW("walmill_source_connected", s.state == CONNECTOR_RUNNING && s.step == STEP_STREAMING);
	ROW("walmill_source_failed", s.state == CONNECTOR_FAILED);
#undef ROW
	return 0;
}

static int put_job(void *arg, const struct registry_job *j)
{
	struct buf *b = arg;
	struct job_status s;

	job_status(j->job, &s);
#define ROW(metric, value) buf_printf(b, metric "{job=\"%s\"} %llu\n", job_name(j->job), (unsigned long long)(value))
	ROW("walmill_job_records_in_total", s.counts.records);
	ROW("walmill_job_rows_written_total", s.counts.rows_written);
	ROW("walmill_job_writes_total", s.counts.writes);
	ROW("walmill_job_state_bytes", s.state_bytes);
	ROW("walmill_job_checkpoints_total", s.counts.checkpoints);
	ROW("walmill_job_checkpoints_failed_total", s.checkpoint.failed);
	ROW("walmill_job_checkpoint_timestamp_seconds", s.checkpoint.at_us / 1000000);
	ROW("walmill_job_running", s.state == JOB_RUNNING);
	ROW("walmill_job_failed", s.state == JOB_FAILED || s.state == JOB_DEGRADED);
#undef ROW
	buf_printf(b, "walmill_job_lag_seconds{job=\"%s\"} %.6f\n", job_name(j->job), (double)s.lag_us / 1e6);
	return 0;
}

static void put_kafka(const struct api *api, struct buf *b)
{
	struct kafka_stats k;

	if (!api->kafka)
		return;
	kafka_stats(api->kafka, &k);
#define ROW(name, type, help, value) \
	put_metric(b, name, type, help); \
	buf_printf(b, name " %llu\n", (unsigned long long)(value))
	ROW("walmill_kafka_connections_total", "counter", "Connections of Kafka clients that were taken in.", k.connections);
	ROW("walmill_kafka_connections_refused_total", "counter", "Connections over the limit.", k.refused_connections);
	ROW("walmill_kafka_requests_total", "counter", "Requests of Kafka clients.", k.requests);
	ROW("walmill_kafka_requests_bad_total", "counter", "Requests that could not be read; each closed its connection.", k.bad_requests);
	ROW("walmill_kafka_received_bytes_total", "counter", "Bytes from Kafka clients.", k.bytes_in);
	ROW("walmill_kafka_sent_bytes_total", "counter", "Bytes to Kafka clients.", k.bytes_out);
	ROW("walmill_kafka_produced_batches_total", "counter", "Record batches that Kafka clients produced.", k.produced_batches);
	ROW("walmill_kafka_fetched_bytes_total", "counter", "Bytes of record batches that Kafka clients fetched.", k.fetched_bytes);
	ROW("walmill_kafka_groups", "gauge", "Consumer groups.", k.groups);
	ROW("walmill_kafka_memory_bytes", "gauge", "Memory of requests, answers and groups, of kafka.memory.", k.memory_bytes);
#undef ROW
}

static void metrics(const struct api *api, struct http_response *out)
{
	struct buf *b = &out->body;
	struct log_stats s;

	log_stats(api->log, &s);
	out->status = 200;
	out->content_type = "text/plain; version=0.0.4; charset=utf-8";
	put_metric(b, "walmill_log_appended_bytes_total", "counter", "Bytes of record batches appended to the log.");
	buf_printf(b, "walmill_log_appended_bytes_total %llu\n", (unsigned long long)s.appended_bytes);
	put_metric(b, "walmill_log_units_total", "counter", "Units closed.");
	buf_printf(b, "walmill_log_units_total %llu\n", (unsigned long long)s.closed_units);
	put_metric(b, "walmill_log_flushes_total", "counter", "Flushes of the log to the disk.");
	buf_printf(b, "walmill_log_flushes_total %llu\n", (unsigned long long)s.flushes);
	put_metric(b, "walmill_log_flush_seconds_total", "counter", "Time spent in flushes.");
	buf_printf(b, "walmill_log_flush_seconds_total %.6f\n", (double)s.flush_us_total / 1e6);
	put_metric(b, "walmill_log_disk_bytes", "gauge", "Size of the log on disk.");
	buf_printf(b, "walmill_log_disk_bytes %llu\n", (unsigned long long)s.disk_bytes);
	put_kafka(api, b);
	registry_connector_each(api->registry, put_connector, b);
	registry_job_each(api->registry, put_job, b);
}

void api_health(void *arg, const struct http_request *r, struct http_response *out)
{
	const struct api *api = arg;
	struct err err = ERR_INIT;

	out->content_type = "text/plain; charset=utf-8";
	if (strcmp(r->method, "GET") != 0) {
		out->content_type = NULL;
		out->allow = "GET";
		api_error_text(out, 405, "method not allowed");
	} else if (strcmp(r->path, "/livez") == 0) {
		out->status = 200;
		buf_puts(&out->body, "ok\n");
	} else if (strcmp(r->path, "/readyz") == 0) {
		if (log_failed(api->log, &err))
			buf_printf(&out->body, "log failed: %s\n", err.text);
		if (api->stopping && api->stopping())
			buf_puts(&out->body, "shutting down\n");
		registry_readiness(api->registry, &out->body);
		out->status = out->body.len ? 503 : 200;
		if (out->status == 200)
			buf_puts(&out->body, "ready\n");
	} else if (strcmp(r->path, "/metrics") == 0) {
		metrics(api, out);
	} else if (strncmp(r->path, "/api/", 5) != 0 && http_asset_serve(r, HTTP_INDEX_DASHBOARD, out)) {
		return;
	} else {
		out->content_type = "application/problem+json";
		out->status = 404;
		buf_puts(&out->body, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}");
	}
}
