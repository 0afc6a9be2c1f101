/*
 * /metrics in Prometheus' text format 0.0.4: every family once, with its help and type, from what the modules' status structs hold. A
 * family is a row of a table; its values are asked for when somebody asks. Histograms are the registry's (base/metrics.h).
 */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/metrics.h"
#include "app/app.h"
#include "kafka/look.h"

struct family {
	const char *name, *type, *help;
};

static void put_family(struct buf *b, const struct family *f)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
}

static void put_value(struct buf *b, const struct family *f, double value)
{
	put_family(b, f);
	buf_printf(b, "%s %.15g\n", f->name, value);
}

/* ---- families with a label: a buffer each, as families stand together and each status is asked for once ---- */

enum { ROWS_MAX = 24 };

struct rows {
	const struct family *families;
	const char *label;
	struct buf lines[ROWS_MAX];
	unsigned n, at;
	struct view name;            /* whose values come now */
};

static void rows_begin(struct rows *r, const struct family *families, unsigned n, const char *label)
{
	unsigned i;

	wm_assert(n <= ROWS_MAX);
	*r = (struct rows){.families = families, .label = label, .n = n};
	for (i = 0; i < n; i++)
		r->lines[i] = BUF_INIT(16 << 20);
}

static void put_label(struct buf *b, struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++) {
		if (v.ptr[i] == '"' || v.ptr[i] == '\\' || v.ptr[i] == '\n')
			buf_putc(b, '\\');
		buf_putc(b, v.ptr[i] == '\n' ? 'n' : (char)v.ptr[i]);
	}
}

/* The next family's value, in the table's order; `more` is a further label with its comma, or "". */
static void row(struct rows *r, const char *more, double value)
{
	struct buf *b = &r->lines[r->at];

	buf_printf(b, "%s{%s=\"", r->families[r->at].name, r->label);
	put_label(b, r->name);
	buf_printf(b, "\"%s} %.15g\n", more, value);
	r->at++;
}

static void rows_end(struct rows *r, struct buf *b)
{
	unsigned i;

	for (i = 0; i < r->n; i++) {
		put_family(b, &r->families[i]);
		buf_putv(b, buf_view(&r->lines[i]));
		buf_release(&r->lines[i]);
	}
}

/* ---- connectors ---- */

static const struct family connector_families[] = {
	{"walmill_source_rows_total", "counter", "Row changes and snapshot rows taken in."},
	{"walmill_source_events_total", "counter", "Records published."},
	{"walmill_source_transactions_total", "counter", "Committed transactions."},
	{"walmill_source_truncates_total", "counter", "TRUNCATEs seen."},
	{"walmill_source_received_bytes_total", "counter", "Bytes of logical replication and of COPY."},
	{"walmill_source_snapshot_rows_total", "counter", "Rows read by snapshots."},
	{"walmill_source_snapshot_tables", "gauge", "Tables of the snapshot."},
	{"walmill_source_snapshot_tables_done", "gauge", "Tables of the snapshot that have been read."},
	{"walmill_source_sessions_total", "counter", "Connections made to the source."},
	{"walmill_source_connected", "gauge", "1 while changes stream in."},
	{"walmill_source_failed", "gauge", "1 while the connector is FAILED."},
	{"walmill_source_received_lsn", "gauge", "Position up to which changes have come in."},
	{"walmill_source_durable_lsn", "gauge", "Position up to which they are on the disk."},
	{"walmill_source_confirmed_lsn", "gauge", "Position that the source has been told."},
	{"walmill_source_server_lsn", "gauge", "End of the source's WAL, as it said last."},
	{"walmill_source_lag_bytes", "gauge", "WAL of the source that is not durable here yet."},
	{"walmill_source_last_commit_timestamp_seconds", "gauge", "Commit time of the newest durable transaction, 0 for none."},
	{"walmill_slot_retained_wal_bytes", "gauge", "WAL that the source keeps for the slot."},
	{"walmill_slot_seen_timestamp_seconds", "gauge", "When the slot was looked at last, 0 for not yet."},
	{"walmill_slot_state", "gauge", "1, with the slot's wal_status as a label."},
};

static int add_connector(void *arg, struct connector *c)
{
	struct rows *r = arg;
	struct connector_status s;
	char state[48];

	connector_status(c, &s);
	buf_release(&s.warnings);
	r->name = connector_config(c)->name;
	r->at = 0;
	row(r, "", (double)s.counts.rows);
	row(r, "", (double)s.counts.events);
	row(r, "", (double)s.counts.transactions);
	row(r, "", (double)s.counts.truncates);
	row(r, "", (double)s.counts.bytes);
	row(r, "", (double)s.counts.snapshot_rows);
	row(r, "", (double)s.counts.snapshot_tables);
	row(r, "", (double)s.counts.snapshot_tables_done);
	row(r, "", (double)s.counts.sessions);
	row(r, "", s.state == CONNECTOR_RUNNING && s.step == STEP_STREAMING);
	row(r, "", s.state == CONNECTOR_FAILED);
	row(r, "", (double)s.received);
	row(r, "", (double)s.durable);
	row(r, "", (double)s.confirmed);
	row(r, "", (double)s.server_end);
	row(r, "", s.server_end > s.durable ? (double)(s.server_end - s.durable) : 0);
	row(r, "", (double)s.last_commit_us / 1e6);
	row(r, "", (double)s.slot.retained_bytes);
	row(r, "", (double)s.slot.seen_us / 1e6);
	snprintf(state, sizeof(state), ",state=\"%s\"", s.slot.wal_status[0] ? s.slot.wal_status : "unknown");
	row(r, state, 1);
	wm_assert(r->at == r->n);
	return 0;
}

/* ---- jobs ---- */

static const struct family job_families[] = {
	{"walmill_job_records_in_total", "counter", "Records folded."},
	{"walmill_job_rows_written_total", "counter", "Rows upserted and deleted in the targets."},
	{"walmill_job_writes_total", "counter", "Transactions of the target."},
	{"walmill_job_replaces_total", "counter", "Transactions that made the tables equal as a whole: first writes and repairs."},
	{"walmill_job_state_bytes", "gauge", "Memory of the job's state."},
	{"walmill_job_source_rows", "gauge", "Rows of the sources that the state holds."},
	{"walmill_job_result_rows", "gauge", "Rows of the results."},
	{"walmill_job_position_lsn", "gauge", "Position at which the tables are right."},
	{"walmill_job_checkpoints_total", "counter", "Checkpoints published."},
	{"walmill_job_checkpoints_failed_total", "counter", "Checkpoints that failed."},
	{"walmill_job_checkpoint_timestamp_seconds", "gauge", "When the newest checkpoint was published, 0 for none."},
	{"walmill_job_checkpoint_duration_seconds", "gauge", "How long it took."},
	{"walmill_job_checkpoint_bytes", "gauge", "Its size."},
	{"walmill_job_lag_seconds", "gauge", "From the source's commit to its being visible in the target, of the newest write."},
	{"walmill_job_running", "gauge", "1 while the job is RUNNING."},
	{"walmill_job_failed", "gauge", "1 while the job is FAILED or DEGRADED."},
};

static int add_job(void *arg, const struct registry_job *j)
{
	struct rows *r = arg;
	struct job_status s;

	job_status(j->job, &s);
	r->name = view_str(job_name(j->job));
	r->at = 0;
	row(r, "", (double)s.counts.records);
	row(r, "", (double)s.counts.rows_written);
	row(r, "", (double)s.counts.writes);
	row(r, "", (double)s.counts.replaces);
	row(r, "", (double)s.state_bytes);
	row(r, "", (double)s.source_rows);
	row(r, "", (double)s.result_rows);
	row(r, "", (double)s.position);
	row(r, "", (double)s.counts.checkpoints);
	row(r, "", (double)s.checkpoint.failed);
	row(r, "", (double)s.checkpoint.at_us / 1e6);
	row(r, "", (double)s.checkpoint.took_us / 1e6);
	row(r, "", (double)s.checkpoint.bytes);
	row(r, "", (double)s.lag_us / 1e6);
	row(r, "", s.state == JOB_RUNNING);
	row(r, "", s.state == JOB_FAILED || s.state == JOB_DEGRADED);
	wm_assert(r->at == r->n);
	return 0;
}

/* ---- the rest ---- */

#define VALUE(name, type, help, value) put_value(b, &(const struct family){name, type, help}, (double)(value))

static void put_kafka(const struct api *api, struct buf *b)
{
	struct kafka_stats k;

	if (!api->kafka)
		return;
	kafka_stats(api->kafka, &k);
	VALUE("walmill_kafka_connections_total", "counter", "Connections of Kafka clients that were taken in.", k.connections);
	VALUE("walmill_kafka_connections_refused_total", "counter", "Connections over the limit.", k.refused_connections);
	VALUE("walmill_kafka_requests_total", "counter", "Requests of Kafka clients.", k.requests);
	VALUE("walmill_kafka_requests_bad_total", "counter", "Requests that could not be read; each closed its connection.", k.bad_requests);
	VALUE("walmill_kafka_received_bytes_total", "counter", "Bytes from Kafka clients.", k.bytes_in);
	VALUE("walmill_kafka_sent_bytes_total", "counter", "Bytes to Kafka clients.", k.bytes_out);
	VALUE("walmill_kafka_produced_batches_total", "counter", "Record batches that Kafka clients produced.", k.produced_batches);
	VALUE("walmill_kafka_fetched_bytes_total", "counter", "Bytes of record batches that Kafka clients fetched.", k.fetched_bytes);
	VALUE("walmill_kafka_groups", "gauge", "Consumer groups.", k.groups);
	VALUE("walmill_kafka_memory_bytes", "gauge", "Memory of requests, answers and groups, of kafka.memory.", k.memory_bytes);
}

/* ---- consumer groups: names and labels as the exporters for Apache Kafka have them, so that boards and alerts go on ---- */

enum { GROUP_SERIES_MAX = 10000 };

static const struct family group_families[] = {
	{"kafka_consumergroup_current_offset", "gauge", "Offset that the group has committed."},
	{"kafka_consumergroup_lag", "gauge", "Records from there to the high watermark."},
};

static void add_group(const struct api *api, struct rows *r, const struct kafka_group *g, unsigned *series)
{
	struct buf more = BUF_INIT(4096);
	struct log_marks marks;
	uint32_t i, part;
	int64_t records;

	r->name = g->id;
	for (i = 0; i < g->n_offsets && *series < GROUP_SERIES_MAX; i++) {
		const struct kafka_group_offset *o = &g->offsets[i];

		if (!api_group_lag(api, o, &part, &marks, &records) || records < 0)
			continue;
		buf_clear(&more);
		buf_puts(&more, ",topic=\"");
		put_label(&more, o->topic);
		buf_printf(&more, "\",partition=\"%d\"", o->partition);
		r->at = 0;
		row(r, buf_cstr(&more), (double)o->committed);
		row(r, buf_cstr(&more), (double)records);
		(*series)++;
	}
	buf_release(&more);
}

static void put_groups(const struct api *api, struct buf *b)
{
	struct arena a = ARENA_INIT;
	struct kafka_group *groups = NULL;
	struct rows r;
	uint32_t n = 0, i;
	unsigned series = 0;

	if (!api->kafka)
		return;
	kafka_groups_look(api->kafka, VIEW_NULL, &a, &groups, &n);
	rows_begin(&r, group_families, sizeof(group_families) / sizeof(group_families[0]), "consumergroup");
	for (i = 0; i < n; i++)
		add_group(api, &r, &groups[i], &series);
	rows_end(&r, b);
	put_family(b, &(const struct family){"kafka_consumergroup_members", "gauge", "Members of the group."});
	for (i = 0; i < n; i++) {
		buf_puts(b, "kafka_consumergroup_members{consumergroup=\"");
		put_label(b, groups[i].id);
		buf_printf(b, "\"} %u\n", groups[i].n_members);
	}
	arena_release(&a);
}

static void put_stream(const struct api *api, struct buf *b)
{
	VALUE("walmill_stream_clients", "gauge", "Readers of the live stream.", live_readers(api->live));
}

static void put_app(const struct api *api, struct buf *b)
{
	struct app_answers_stats s;

	app_stats(api->app, &s);
	VALUE("walmill_app_answers_made_total", "counter", "Lists and figures that PostgreSQL worked out for the application.", s.made);
	VALUE("walmill_app_answers_recalled_total", "counter", "Lists and figures given again, PostgreSQL having said that nothing changed.",
		s.recalled);
	VALUE("walmill_app_answers_looked_total", "counter", "Times that PostgreSQL was asked whether something changed.", s.looked);
}

static void put_log(const struct api *api, struct buf *b)
{
	struct err err = ERR_INIT;
	struct log_stats s;

	log_stats(api->log, &s);
	VALUE("walmill_log_appended_batches_total", "counter", "Record batches appended to the log.", s.appended_batches);
	VALUE("walmill_log_appended_bytes_total", "counter", "Bytes of record batches appended to the log.", s.appended_bytes);
	VALUE("walmill_log_read_batches_total", "counter", "Record batches read from the log.", s.read_batches);
	VALUE("walmill_log_read_bytes_total", "counter", "Bytes read from the log.", s.read_bytes);
	VALUE("walmill_log_units_total", "counter", "Units closed.", s.closed_units);
	VALUE("walmill_log_units_aborted_total", "counter", "Units aborted.", s.aborted_units);
	VALUE("walmill_log_open_units", "gauge", "Units that are open.", s.open_units);
	VALUE("walmill_log_flushes_total", "counter", "Flushes of the log to the disk.", s.flushes);
	VALUE("walmill_log_flush_seconds_total", "counter", "Time spent in flushes.", (double)s.flush_us_total / 1e6);
	VALUE("walmill_log_flush_max_seconds", "gauge", "The longest flush.", (double)s.flush_us_max / 1e6);
	VALUE("walmill_log_buffered_bytes", "gauge", "Bytes that wait for a flush.", s.buffered_bytes);
	VALUE("walmill_log_disk_bytes", "gauge", "Size of the log on disk.", s.disk_bytes);
	VALUE("walmill_log_free_bytes", "gauge", "Room that the file system has left.", s.free_bytes);
	VALUE("walmill_log_pinned_bytes", "gauge", "Kept only because a job needs it.", s.pinned_bytes);
	VALUE("walmill_log_segments", "gauge", "Segments.", s.segments);
	VALUE("walmill_log_topics", "gauge", "Topics.", s.topics);
	VALUE("walmill_log_full", "gauge", "1 while the disk is full.", s.full);
	VALUE("walmill_log_failed", "gauge", "1 after the disk has refused a write for good.", log_failed(api->log, &err));
}

/* Resident memory is the second number of statm, in pages: proc(5). */
static void put_process(const struct api *api, struct buf *b)
{
	unsigned long long size = 0, resident = 0;
	struct rusage used;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%llu %llu", &size, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	getrusage(RUSAGE_SELF, &used);
	put_family(b, &(const struct family){"walmill_build_info", "gauge", "1, with the version as a label."});
	buf_printf(b, "walmill_build_info{version=\"%s\"} 1\n", api->version);
	VALUE("walmill_uptime_seconds", "gauge", "Since the start.", (double)(io_now_us(api->io) - api->started_us) / 1e6);
	VALUE("process_start_time_seconds", "gauge", "When the process started.", (double)api->started_us / 1e6);
	VALUE("process_resident_memory_bytes", "gauge", "Resident memory.", (double)resident * (double)sysconf(_SC_PAGESIZE));
	VALUE("process_cpu_seconds_total", "counter", "User and system time.",
		(double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

void metrics_serve(const struct api *api, struct http_response *out)
{
	struct buf *b = &out->body;
	struct rows r;

	out->status = 200;
	out->content_type = "text/plain; version=0.0.4; charset=utf-8";
	put_process(api, b);
	put_log(api, b);
	put_kafka(api, b);
	put_groups(api, b);
	put_app(api, b);
	put_stream(api, b);
	metrics_expose(api->metrics, b);
	rows_begin(&r, connector_families, sizeof(connector_families) / sizeof(connector_families[0]), "connector");
	registry_connector_each(api->registry, add_connector, &r);
	rows_end(&r, b);
	rows_begin(&r, job_families, sizeof(job_families) / sizeof(job_families[0]), "job");
	registry_job_each(api->registry, add_job, &r);
	rows_end(&r, b);
}
