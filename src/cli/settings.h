/*
 * walmill's settings: one row each, in the order of the documents. Everything about them is made from these rows: parsing, --help,
 * doc/settings.md, walmill.conf(5). See base/settings.h for types and sources.
 *
 * Row: constant, name, type, default, min, max, words of a choice, when it can change, meaning.
 */
#ifndef WALMILL_CLI_SETTINGS_H
#define WALMILL_CLI_SETTINGS_H

#include "base/settings.h"

#define WALMILL_SETTINGS(X) \
	X(SET_DATA, "data", STRING, "/var/lib/walmill", NULL, NULL, NULL, START, \
		"Directory of the log, checkpoints and state. It is made with mode 0700; one process at a time uses it.") \
	X(SET_SOURCE, "source", CONNECTION, "", NULL, NULL, NULL, START, \
		"Connection string of the PostgreSQL server whose changes are captured by connectors that name no server, such as those " \
		"made with `walmill connector create --tables`, and that jobs read their starting state from. Its role needs REPLICATION.") \
	X(SET_TARGET, "target", CONNECTION, "", NULL, NULL, NULL, START, \
		"Connection string of the PostgreSQL server that holds the tables written by jobs. Empty: the same as `source`.") \
	X(SET_KAFKA_LISTEN, "kafka.listen", ADDRESSES, "127.0.0.1:9092,127.0.0.1:29092", NULL, NULL, NULL, START, \
		"Where Kafka clients connect. Empty: nowhere.") \
	X(SET_KAFKA_ADVERTISED, "kafka.advertised", ADDRESSES, "", NULL, NULL, NULL, START, \
		"The one address that Kafka clients are told to connect to. Empty: the one that the client has connected to.") \
	X(SET_KAFKA_AUTO_CREATE, "kafka.auto_create_topics", BOOL, "on", NULL, NULL, NULL, START, \
		"Whether a topic that a Kafka client asks for and that does not exist is created.") \
	X(SET_KAFKA_PARTITIONS, "kafka.default_partitions", INT, "1", "1", "10000", NULL, START, \
		"Partitions of a topic that a Kafka client creates without saying how many.") \
	X(SET_KAFKA_CONNECTIONS, "kafka.max_connections", INT, "1000", "1", "100000", NULL, START, \
		"Connections of Kafka clients at one time. The next one is closed at once.") \
	X(SET_KAFKA_REQUEST_BYTES, "kafka.request_bytes", BYTES, "32MiB", "64KiB", "256MiB", NULL, START, \
		"The largest request of a Kafka client, at most half of `kafka.memory`. The connection of a larger one is closed.") \
	X(SET_KAFKA_MEMORY, "kafka.memory", BYTES, "256MiB", "16MiB", NULL, NULL, START, \
		"What requests of Kafka clients and their answers may take at one time. Beyond it, requests above 64 KiB are not read until " \
		"there is room.") \
	X(SET_KAFKA_IDLE, "kafka.idle_timeout", DURATION, "10min", "1s", NULL, NULL, START, \
		"How long a connection of a Kafka client may stay without a request.") \
	X(SET_KAFKA_REBALANCE_DELAY, "kafka.group_initial_delay", DURATION, "500ms", "0", "5min", NULL, START, \
		"How long an empty consumer group waits for more members before it begins.") \
	X(SET_CONNECT_LISTEN, "connect.listen", ADDRESSES, "127.0.0.1:8083", NULL, NULL, NULL, START, \
		"Where the Kafka Connect REST API listens. Empty: nowhere.") \
	X(SET_JOBS_LISTEN, "jobs.listen", ADDRESSES, "127.0.0.1:8081", NULL, NULL, NULL, START, \
		"Where the jobs API listens. Empty: nowhere.") \
	X(SET_CONSOLE_LISTEN, "console.listen", ADDRESSES, "127.0.0.1:8085", NULL, NULL, NULL, START, \
		"The console and its REST: topics, messages, consumer groups, connectors, jobs. Several, comma separated; empty: no listener.") \
	X(SET_API_LISTEN, "api.listen", ADDRESSES, "127.0.0.1:8080", NULL, NULL, NULL, START, \
		"The application: its API, the dashboard, the live stream, `/livez`, `/readyz` and `/metrics`. Empty: nowhere.") \
	X(SET_COMPAT_VERSION, "compat.version", CHOICE, "3.2", NULL, NULL, "2.6 3.2", START, \
		"The Debezium release class whose bytes are produced.") \
	X(SET_JOB_TIMEZONE, "job.timezone", STRING, "UTC", NULL, NULL, NULL, START, \
		"Time zone of jobs that do not set one. Anything that the target server accepts.") \
	X(SET_JOB_PIN_MAX_BYTES, "job.pin.max_bytes", BYTES, "0", "0", NULL, NULL, RUNTIME, \
		"How much log a job's checkpoint may keep from being deleted. Beyond it the job gives way and needs a backfill. " \
		"0: a quarter of what was free on the disk at the start.") \
	X(SET_JOB_CHECKPOINT_INTERVAL, "job.checkpoint.interval", DURATION, "10s", "100ms", "1d", NULL, START, \
		"How often a job's state is written to the data directory, while it changes; never more than a twentieth of the time. A job that " \
		"starts again folds only what the log has since then.") \
	X(SET_JOB_MEMORY, "job.memory", BYTES, "1GiB", "16MiB", NULL, NULL, START, \
		"Memory budget of one job's state. A job that needs more is FAILED with the figure, never killed.") \
	X(SET_LOG_SEGMENT_BYTES, "log.segment_bytes", BYTES, "64MiB", "1MiB", "2GiB", NULL, START, \
		"Size at which the log begins a new file. A start reads the last one, and retention deletes whole files; each is an open file " \
		"and costs 40 bytes of memory for each partition that has something in it.") \
	X(SET_LOG_PREPARE_BYTES, "log.prepare_bytes", BYTES, "256MiB", "0", "1GiB", NULL, START, \
		"Disk space for the log's next files, which are filled with zeroes before they are needed, while little is appended: a sync into " \
		"them takes about half the time. Whole files count; from an eighth of the first file on. 0: none.") \
	X(SET_LOG_RESERVE_BYTES, "log.reserve_bytes", BYTES, "1GiB", "16MiB", NULL, NULL, RUNTIME, \
		"Free disk space below which produce is refused first, and then capture pauses. Positions, checkpoints and group " \
		"offsets can still be written.") \
	X(SET_LOG_FLUSH_INTERVAL, "log.flush_interval", DURATION, "0", "0", "10s", NULL, RUNTIME, \
		"At least this long between two syncs. 0: the next begins when the last has ended, and whatever came meanwhile shares it; more " \
		"saves CPU and wear and costs latency. Nothing is acknowledged before its sync.") \
	X(SET_LOG_LEVEL, "log.level", CHOICE, "info", NULL, NULL, "debug info warning error", RUNTIME, \
		"The least important messages that are written to standard error.") \
	X(SET_LOG_FORMAT, "log.format", CHOICE, "text", NULL, NULL, "text json", START, \
		"How messages are written: text for people, or one JSON object a line.")

enum walmill_setting {
#define X(constant, name, type, preset, min, max, choices, when, doc) constant,
	WALMILL_SETTINGS(X)
#undef X
	SET_COUNT
};

extern const struct setting_def walmill_settings[SET_COUNT];

/* The whole of doc/settings.md and of the page walmill.conf(5). */
void walmill_settings_markdown(struct buf *out);
void walmill_settings_man(struct buf *out);

#endif
