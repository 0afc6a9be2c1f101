/*
 * The console's REST: what runs here, for people to look at. Private to console*.c. Lists that the live stream also carries are made by
 * functions that put a JSON array into a buffer, so that both show the same rows.
 */
#ifndef WALMILL_API_CONSOLE_H
#define WALMILL_API_CONSOLE_H

#include "api/api.h"
#include "base/arena.h"
#include "job/job.h"

struct console {
	const struct api *api;
	const struct http_request *r;
	struct http_response *out;
	struct view args[4];         /* what stood at {} */
	struct arena arena;
};

/* application/problem+json (RFC 9457) */
void console_problem(struct console *c, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void console_failure(struct console *c, const struct err *err);
/* A number in the query, `preset` when it is not there; false after a 400 when it is none or outside [min, max]. */
bool console_number(struct console *c, const char *name, int64_t preset, int64_t min, int64_t max, int64_t *ret);

void console_health(struct console *c);
void console_connectors(struct console *c);
void console_connector(struct console *c);
void console_topics(struct console *c);
void console_topic(struct console *c);
void console_messages(struct console *c);
void console_groups(struct console *c);
void console_group(struct console *c);
void console_jobs(struct console *c);
void console_job(struct console *c);

/* JSON arrays of the lists' rows, as GET answers them */
void console_put_checks(const struct api *api, struct buf *b);
void console_put_connectors(const struct api *api, struct buf *b);
void console_put_topics(const struct api *api, struct buf *b);
void console_put_groups(const struct api *api, struct buf *b);
void console_put_jobs(const struct api *api, struct buf *b);

/* "key":"2026-01-31T09:00:00.123Z", or null for 0 */
void console_put_time(struct buf *b, const char *key, int64_t us);
/* A value: null, or what, where and what to do as one text */
void console_put_error(struct buf *b, const struct err *err);
void console_put_int(struct buf *b, const char *key, int64_t n);
void console_put_known(struct buf *b, const char *key, bool known, int64_t n); /* null while it is not known */
/* "lagMs": of the newest write; null before the first. */
void console_put_lag(struct buf *b, const struct job_status *s);
void console_put_text(struct buf *b, const char *key, struct view v);

#endif
