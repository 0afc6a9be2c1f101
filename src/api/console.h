/*
 * The console's REST: what runs here, for people to look at. Private to console*.c. Lists that the live stream also carries are made by
 * functions that put a JSON array into a buffer, so that both show the same rows.
 */
#ifndef WALMILL_API_CONSOLE_H
#define WALMILL_API_CONSOLE_H

#include "api/problem.h"
#include "job/job.h"

/* A number in the query, `preset` when it is not there; false after a 400 when it is none or outside [min, max]. */
bool console_number(struct call *c, const char *name, int64_t preset, int64_t min, int64_t max, int64_t *ret);

void console_health(struct call *c);
void console_connectors(struct call *c);
void console_connector(struct call *c);
void console_topics(struct call *c);
void console_topic(struct call *c);
void console_messages(struct call *c);
void console_groups(struct call *c);
void console_group(struct call *c);
void console_jobs(struct call *c);
void console_job(struct call *c);

/* JSON arrays of the lists' rows, as GET answers them */
void console_put_checks(const struct api *api, struct buf *b);
void console_put_connectors(const struct api *api, struct buf *b);
void console_put_topics(const struct api *api, struct buf *b);
void console_put_groups(const struct api *api, struct buf *b);
void console_put_jobs(const struct api *api, struct buf *b);

/* Who writes which topic and who reads it. Collected before connectors or jobs are walked: the registry is locked meanwhile. */
struct links {
	struct arena arena;
	struct link_job *jobs;
	struct link_name *connectors;
	struct link_topic *topics;
	struct link_table *tables;
};

void links_collect(const struct api *api, struct links *ret);
void links_release(struct links *l);
void links_put_of_connector(const struct links *l, struct view connector, struct buf *b); /* "topics":[...],"jobs":[...] */
void links_put_of_topic(const struct links *l, struct view topic, struct buf *b);         /* "connector":...,"jobs":[...] */

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
