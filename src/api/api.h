/*
 * REST faces of an instance: Kafka Connect's (connectors), Flink's JobManager's with walmill's own verbs (jobs), the console's, and health
 * and metrics.
 * Each is an http_handler over a struct api; any thread.
 */
#ifndef WALMILL_API_API_H
#define WALMILL_API_API_H

#include "base/logger.h"
#include "base/metrics.h"
#include "http/server.h"
#include "job/registry.h"
#include "kafka/kafka.h"
#include "live/live.h"

struct app;
struct refreshes;

struct api {
	struct registry *registry;
	struct log *log;
	struct kafka *kafka;        /* or NULL */
	struct live *live;
	struct app *app;
	struct refreshes *refreshes;
	struct feed *feed;          /* of interventions; feed.c */
	struct io *io;
	struct metrics *metrics;    /* histograms of all modules */
	struct logger *logger;      /* its level can be changed from Connect's face */
	const char *version;        /* of walmill */
	char cluster_id[33];
	char worker_id[64];         /* "127.0.0.1:8083" */
	int64_t started_us;
	const char *data_dir;
	struct {
		const char *name;       /* of the setting */
		char address[300];
	} listeners[16];
	unsigned nlisteners;
	bool (*stopping)(void);     /* true once shutdown has begun; may be NULL */
};

void api_connect(void *api, const struct http_request *r, struct http_response *out);   /* 8083 */
void api_jobs(void *api, const struct http_request *r, struct http_response *out);      /* 8081 */
void api_console(void *api, const struct http_request *r, struct http_response *out);   /* 8085: /api/..., and the two above mounted */
void api_app(void *api, const struct http_request *r, struct http_response *out);       /* 8080: /api/..., pages, and health */
void api_health(void *api, const struct http_request *r, struct http_response *out);    /* 8080: /livez /readyz /metrics */

/* What of the jobs listener is about topics; false when it is not. */
bool api_topics(const struct api *api, const struct http_request *r, struct http_response *out);

/* GET /api/stream, of the console's and the application's listener; false when the path is another. */
bool api_stream(const struct api *api, const struct http_request *r, struct http_response *out);
/* What the stream carries; api must outlive it. Before live_start. */
void api_stream_topics(struct api *api);

/* Where the partition of a group's offset stands, and how many records the group has left to read: -1 when it has committed none. False
 * when there is no such partition. */
struct kafka_group_offset;
bool api_group_lag(
	const struct api *api, const struct kafka_group_offset *o, uint32_t *ret_part, struct log_marks *ret, int64_t *ret_records);

/* feed.c: which interventions have changed, for the live stream. On its thread. */
struct feed *feed_new(const struct api *api);
void feed_free(struct feed *f);
void feed_interventions(void *feed, bool first, struct buf *rows, struct buf *gone);

/* Connect's error body: {"error_code":n,"message":...}. The status follows the error's code. */
void api_error(struct http_response *out, const struct err *err);
void api_error_text(struct http_response *out, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* shape.c, of every family: what, where and what to do as one JSON string; sentences, a line each, as a JSON array of strings. */
void api_put_error_text(struct buf *b, const struct err *err);
void api_put_lines(struct buf *b, struct view lines);

#endif
