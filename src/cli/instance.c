/* A running walmill; see instance.h. */
#include "cli/instance.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/app.h"
#include "base/mem.h"

enum { STREAM_READERS_MAX = 128 };

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	stopping = number;
}

void instance_catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool instance_stopping(void)
{
	return stopping != 0;
}

void instance_wait(struct instance *in, int64_t timeout_us)
{
	uint64_t seen = wake_seen(&in->wake);

	/* a signal does not move the counter: waits are short enough to notice it */
	wake_wait(&in->wake, seen, timeout_us > 200000 ? 200000 : timeout_us);
}

/* ---- parts ---- */

static int make_logger(struct instance *in)
{
	const char *level = settings_text(in->cli->settings, SET_LOG_LEVEL), *format = settings_text(in->cli->settings, SET_LOG_FORMAT);
	struct logger_options o = {.fd = STDERR_FILENO, .level = LOGGER_INFO};

	o.level = strcmp(level, "debug") == 0 ? LOGGER_DEBUG
		: strcmp(level, "warning") == 0   ? LOGGER_WARNING
		: strcmp(level, "error") == 0     ? LOGGER_ERROR
										  : LOGGER_INFO;
	o.format = strcmp(format, "json") == 0 ? LOGGER_JSON : LOGGER_TEXT;
	in->logger = logger_new(io_system(), &o);
	return 0;
}

static int open_log(struct instance *in, struct err *err)
{
	const char *data = settings_text(in->cli->settings, SET_DATA);
	struct log_settings s = log_settings_default();
	struct log_recovery r;
	struct buf dir = BUF_INIT(4096);
	int rc;

	s.segment_bytes = (uint64_t)settings_int(in->cli->settings, SET_LOG_SEGMENT_BYTES);
	s.spare_bytes = (uint64_t)settings_int(in->cli->settings, SET_LOG_PREPARE_BYTES);
	s.reserve_bytes = (uint64_t)settings_int(in->cli->settings, SET_LOG_RESERVE_BYTES);
	s.flush_interval_us = settings_int(in->cli->settings, SET_LOG_FLUSH_INTERVAL);
	s.flush_seconds =
		metric_latency(in->metrics, "walmill_log_flush_seconds", "Writes of the log to the disk, with their sync.", NULL, NULL);
	if (io_make_dir(io_system(), data, err)) {
		err_hint(err, "Choose a directory that this user may write to with --data DIR.");
		return -1;
	}
	s.pin_max_bytes = (uint64_t)settings_int(in->cli->settings, SET_JOB_PIN_MAX_BYTES);
	if (s.pin_max_bytes == 0) {
		if (io_free_bytes(io_system(), data, &s.pin_max_bytes, err))
			return -1;
		s.pin_max_bytes /= 4;
	}
	buf_printf(&dir, "%s/log", data);
	rc = log_open(io_system(), buf_cstr(&dir), &s, &in->log, err);
	buf_release(&dir);
	if (rc)
		return -1;
	r = log_recovery(in->log);
	if (r.cut_bytes || r.dropped_batches)
		logger_event(in->logger, LOGGER_INFO, "log", "recovered after an unclean stop", LOGGER_UINT("cut_bytes", r.cut_bytes),
			     LOGGER_UINT("dropped_batches", r.dropped_batches));
	return 0;
}

static void open_live(struct instance *in)
{
	struct live_options o = {.io = io_system(), .readers_max = STREAM_READERS_MAX,
		.target = *settings_text(in->cli->settings, SET_TARGET) ? in->target : in->source};

	in->live = in->api.live = live_new(&o);
	in->api.app = app_new(&(struct app_options){.io = io_system(), .source = in->source, .target = o.target,
		.timezone = settings_text(in->cli->settings, SET_JOB_TIMEZONE)});
	in->api.refreshes = refreshes_new();
	in->api.feed = feed_new(&in->api);
	api_stream_topics(&in->api);
}

static int open_registry(struct instance *in, struct err *err)
{
	struct registry_options o = {.io = io_system(), .log = in->log, .dir = settings_text(in->cli->settings, SET_DATA),
				     .timezone = settings_text(in->cli->settings, SET_JOB_TIMEZONE),
				     .job_memory = (size_t)settings_int(in->cli->settings, SET_JOB_MEMORY),
				     .checkpoint_interval_us = settings_int(in->cli->settings, SET_JOB_CHECKPOINT_INTERVAL), .wake = &in->wake,
				     .tap = live_tap(in->live), .metrics = in->metrics};
	const struct pg_params *target = *settings_text(in->cli->settings, SET_TARGET) ? &in->target : &in->source;

	o.source = in->source;
	o.target = *target;
	wm_assert(capture_dialect_parse(view_str(settings_text(in->cli->settings, SET_COMPAT_VERSION)), &o.dialect));
	return registry_open(&o, &in->registry, err);
}

/* Refuses an address beyond this machine: there is no authentication. */
static int check_local(enum walmill_setting row, const struct setting_address *a, char *address, size_t room, struct err *err)
{
	bool v6 = strchr(a->host, ':') != NULL;

	snprintf(address, room, "%s%s%s:%u", v6 ? "[" : "", a->host, v6 ? "]" : "", a->port);
	if (strcmp(a->host, "127.0.0.1") == 0 || strcmp(a->host, "::1") == 0 || strcmp(a->host, "localhost") == 0)
		return 0;
	err_set(err, ERR_INVALID, "%s = %s is beyond this machine, and this version of walmill has no authentication",
		walmill_settings[row].name, address);
	return err_hint(err, "Listen on 127.0.0.1 and put a proxy that authenticates in front.");
}

/* For those who look: which doors are open. */
static void remember(struct instance *in, enum walmill_setting row, const char *host, unsigned port)
{
	struct api *api = &in->api;

	if (api->nlisteners == sizeof(api->listeners) / sizeof(api->listeners[0]))
		return;
	api->listeners[api->nlisteners].name = walmill_settings[row].name;
	snprintf(api->listeners[api->nlisteners++].address, sizeof(api->listeners[0].address),
		strchr(host, ':') ? "[%.290s]:%u" : "%.290s:%u", host, port);
}

static int open_kafka(struct instance *in, struct err *err)
{
	struct settings *set = in->cli->settings;
	struct kafka_address listen[KAFKA_LISTENERS_MAX];
	struct kafka_options o = kafka_options_default();
	const struct setting_address *list;
	struct buf dir = BUF_INIT(4096);
	char address[300];
	size_t n, i;
	int rc;

	list = settings_addresses(set, SET_KAFKA_ADVERTISED, &n);
	if (n > 1)
		return err_set(err, ERR_INVALID, "kafka.advertised names more than one address");
	if (n)
		o.advertised = (struct kafka_address){list[0].host, list[0].port};
	list = settings_addresses(set, SET_KAFKA_LISTEN, &n);
	if (n > KAFKA_LISTENERS_MAX)
		return err_set(err, ERR_LIMIT, "kafka.listen names more than %d addresses", KAFKA_LISTENERS_MAX);
	for (i = 0; i < n; i++) {
		if (check_local(SET_KAFKA_LISTEN, &list[i], address, sizeof(address), err))
			return -1;
		listen[i] = (struct kafka_address){list[i].host, list[i].port};
	}
	if (n == 0)
		return 0;
	buf_printf(&dir, "%s/kafka", settings_text(set, SET_DATA));
	o.io = io_system();
	o.log = in->log;
	o.dir = buf_cstr(&dir);
	o.listen = listen;
	o.n_listen = (unsigned)n;
	o.auto_create = settings_bool(set, SET_KAFKA_AUTO_CREATE);
	o.partitions = (uint32_t)settings_int(set, SET_KAFKA_PARTITIONS);
	o.request_bytes = (size_t)settings_int(set, SET_KAFKA_REQUEST_BYTES);
	o.memory_bytes = (size_t)settings_int(set, SET_KAFKA_MEMORY);
	o.connections = (unsigned)settings_int(set, SET_KAFKA_CONNECTIONS);
	o.idle_us = settings_int(set, SET_KAFKA_IDLE);
	o.rebalance_delay_us = settings_int(set, SET_KAFKA_REBALANCE_DELAY);
	rc = kafka_start(&o, &in->kafka, err);
	buf_release(&dir);
	in->api.kafka = in->kafka;
	if (rc)
		return -1;
	snprintf(in->api.cluster_id, sizeof(in->api.cluster_id), "%s", kafka_cluster_id(in->kafka));
	for (i = 0; i < n; i++)
		remember(in, SET_KAFKA_LISTEN, list[i].host, kafka_port(in->kafka, (unsigned)i));
	return 0;
}

static int listen_on(struct instance *in, enum walmill_setting row, http_handler handler, unsigned *ret_port, struct err *err)
{
	const struct setting_address *list;
	size_t n, i;

	list = settings_addresses(in->cli->settings, row, &n);
	for (i = 0; i < n; i++) {
		struct http_server *s;
		char address[300];

		if (in->nservers == sizeof(in->servers) / sizeof(in->servers[0]))
			return err_set(err, ERR_LIMIT, "too many listeners");
		if (check_local(row, &list[i], address, sizeof(address), err))
			return -1;
		if (http_server_start(address, handler, &in->api,
			metric_latency(in->metrics, "walmill_http_request_seconds", "Requests, from a body read whole to an answer made.", "listener",
				walmill_settings[row].name), &s, err))
			return -1;
		in->servers[in->nservers++] = s;
		if (i == 0)
			*ret_port = http_server_port(s);
		remember(in, row, list[i].host, http_server_port(s));
	}
	return 0;
}

/* What the Connect face calls itself: its first listener; `port` is what the system picked for 0. */
static void name_worker(struct instance *in, unsigned port)
{
	size_t n;
	const struct setting_address *list = settings_addresses(in->cli->settings, SET_CONNECT_LISTEN, &n);

	if (n)
		snprintf(in->api.worker_id, sizeof(in->api.worker_id), "%.40s:%u", list[0].host, list[0].port ? list[0].port : port);
}

int instance_start(struct instance *in, struct cli *c, struct err *err)
{
	uint8_t id[16];
	unsigned i;

	memset(in, 0, sizeof(*in));
	in->cli = c;
	wake_init(&in->wake);
	make_logger(in);
	in->metrics = metrics_new();
	if (cli_params(c, SET_SOURCE, false, &in->source, err) || cli_params(c, SET_TARGET, false, &in->target, err) || open_log(in, err))
		return -1;
	in->api = (struct api){.log = in->log, .io = io_system(), .metrics = in->metrics, .logger = in->logger, .version = WALMILL_VERSION,
		.started_us = io_now_us(io_system()), .stopping = instance_stopping};
	io_random(io_system(), id, sizeof(id));
	for (i = 0; i < 16; i++)
		snprintf(in->api.cluster_id + 2 * i, 3, "%02x", id[i]);
	open_live(in);
	if (open_kafka(in, err) || open_registry(in, err))
		return -1;
	in->api.registry = in->registry;
	live_start(in->live);
	in->api.data_dir = settings_text(c->settings, SET_DATA);
	name_worker(in, 0);
	if (listen_on(in, SET_CONNECT_LISTEN, api_connect, &in->ports[0], err))
		return -1;
	name_worker(in, in->ports[0]);
	return listen_on(in, SET_JOBS_LISTEN, api_jobs, &in->ports[1], err) || listen_on(in, SET_API_LISTEN, api_app, &in->ports[2], err) ||
			listen_on(in, SET_CONSOLE_LISTEN, api_console, &in->ports[3], err)
		? -1
		: 0;
}

void instance_stop(struct instance *in)
{
	unsigned i;

	if (in->live)
		live_stop(in->live);
	/* listeners first, so that nobody asks about what is going away; jobs before connectors before the log */
	for (i = 0; i < in->nservers; i++)
		http_server_stop(in->servers[i]);
	refreshes_free(in->api.refreshes);
	kafka_stop(in->kafka);
	registry_close(in->registry);
	live_free(in->live);
	feed_free(in->api.feed);
	app_free(in->api.app);
	log_close(in->log);
	metrics_free(in->metrics);
	logger_free(in->logger);
	pg_params_release(&in->source);
	pg_params_release(&in->target);
	wake_release(&in->wake);
}

/* ---- what changed ---- */

struct last {
	char name[64];
	int state, step;
	char error[160];
};

static struct last seen_before[128];
static unsigned nseen;

static struct last *last_of(const char *kind, const char *name)
{
	char full[64];
	unsigned i;

	snprintf(full, sizeof(full), "%s %.50s", kind, name);
	for (i = 0; i < nseen; i++)
		if (strcmp(seen_before[i].name, full) == 0)
			return &seen_before[i];
	if (nseen == 128)
		return NULL;
	snprintf(seen_before[nseen].name, sizeof(seen_before[nseen].name), "%s", full);
	seen_before[nseen].state = -1;
	return &seen_before[nseen++];
}

static bool moved(struct last *l, int state, int step, const char *error)
{
	if (!l || (l->state == state && l->step == step && strncmp(l->error, error, 150) == 0))
		return false;
	l->state = state;
	l->step = step;
	snprintf(l->error, sizeof(l->error), "%.150s", error);
	return true;
}

static int report_connector(void *arg, struct connector *c)
{
	struct instance *in = arg;
	struct connector_status s;
	struct arena a = ARENA_INIT;
	const char *name = arena_str(&a, connector_config(c)->name);

	connector_status(c, &s);
	buf_release(&s.warnings);
	if (moved(last_of("connector", name), (int)s.state, (int)s.step, s.error.text)) {
		if (s.error.code)
			logger_failure(in->logger, s.state == CONNECTOR_FAILED ? LOGGER_ERROR : LOGGER_WARNING, "capture",
				connector_state_name(s.state), &s.error, LOGGER_STR("connector", name), LOGGER_STR("step", connector_step_name(s.step)));
		else
			logger_event(in->logger, LOGGER_INFO, "capture", connector_state_name(s.state), LOGGER_STR("connector", name),
				     LOGGER_STR("step", connector_step_name(s.step)));
	}
	arena_release(&a);
	return 0;
}

static int report_job(void *arg, const struct registry_job *j)
{
	struct instance *in = arg;
	struct job_status s;

	job_status(j->job, &s);
	if (!moved(last_of("job", job_name(j->job)), (int)s.state, (int)s.step[0], s.error.text))
		return 0;
	if (s.error.code)
		logger_failure(in->logger, s.state == JOB_FAILED ? LOGGER_ERROR : LOGGER_WARNING, "job", job_state_name(s.state), &s.error,
			       LOGGER_STR("job", job_name(j->job)), LOGGER_STR("step", s.step));
	else
		logger_event(
			in->logger, LOGGER_INFO, "job", job_state_name(s.state), LOGGER_STR("job", job_name(j->job)), LOGGER_STR("step", s.step));
	return 0;
}

void instance_report_changes(struct instance *in)
{
	registry_connector_each(in->registry, report_connector, in);
	registry_job_each(in->registry, report_job, in);
}
