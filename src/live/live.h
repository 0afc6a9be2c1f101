/*
 * The live stream: what changes here, as it changes, for browsers and scripts (server-sent events, WHATWG HTML section 9.2).
 *
 * A topic is a collection of rows (JSON objects) with a key. A reader gets of each topic a snapshot and then deltas: rows that came or
 * changed, keys of rows that went. There are three sorts:
 *
 *   table   a job's target. The snapshot is read from the target together with the jobs' positions in one transaction; deltas come from
 *           the job after each commit of the target (struct job_tap). Those at or below the snapshot's position are left out, so that
 *           what a reader has put together is at every delta exactly the table as of its position.
 *   list    what a function says now (connectors, consumer groups, ...), asked at most once a second while anybody reads it; deltas are
 *           what differs from the last answer.
 *   feed    what a function says has changed since it was last asked, a few times a second. The snapshot is empty: there is too much to be
 *           sent as a whole, and a reader asks for what it shows.
 *
 * Deltas are kept for RING_US or RING_BYTES, once for all readers; who falls behind that, or comes back later, gets a `resync` and a new
 * snapshot. Changes of a table are gathered for at most GATHER_US, but the first after a quiet time goes out at once. A topic that nobody
 * has read for RING_US costs nothing.
 *
 * Threads: one of its own; tables are told of on jobs' threads, readers live on their connections' threads. Any function from any thread,
 * but for one reader's, which belong to one thread at a time.
 */
#ifndef WALMILL_LIVE_LIVE_H
#define WALMILL_LIVE_LIVE_H

#include "job/job.h"

struct live;
struct live_reader;

enum live_kind { LIVE_NUMBER, LIVE_TEXT, LIVE_TIME };

struct live_column {
	const char *column;        /* of the table */
	const char *name;          /* in the row */
	enum live_kind kind;
};

/* Everything lives as long as the stream. The first nkey columns are the key. */
struct live_table {
	const char *topic, *schema, *table;
	const struct live_column *columns;
	unsigned ncolumns, nkey;
};

/* Appends a JSON array of objects. On the stream's thread. */
typedef void (*live_list_fn)(void *arg, struct buf *into);

/* What has changed since the last call; `first`: only where things stand now is to be noted. JSON arrays: rows, and keys of those gone. */
typedef void (*live_feed_fn)(void *arg, bool first, struct buf *rows, struct buf *gone);

struct live_options {
	struct io *io;
	struct pg_params target;   /* copied */
	unsigned readers_max;
};

struct live *live_new(const struct live_options *o);
void live_stop(struct live *l);    /* every reader's next call ends it; to be called before the HTTP servers stop */
void live_free(struct live *l);    /* all readers are closed, all jobs gone; NULL is fine */

/* All before live_start. */
void live_add_table(struct live *l, const struct live_table *t);
void live_add_list(struct live *l, const char *topic, const char *key, live_list_fn fn, void *arg);
void live_add_feed(struct live *l, const char *topic, const char *key, live_feed_fn fn, void *arg);
void live_start(struct live *l);

const struct job_tap *live_tap(struct live *l);

/* topics: comma separated. last_id: what the reader got last, or "". ERR_INVALID: no such topic; ERR_LIMIT: too many readers. */
int live_open(struct live *l, struct view topics, struct view last_id, struct live_reader **ret, struct err *err) WM_MUST_USE;
/* Waits for something to say and appends it: whole events, or a comment when nothing happened for ten seconds. False: the stream ends. */
bool live_next(struct live_reader *r, struct buf *into);
/* To be called before the first live_next: the stream then ends as soon as each topic's snapshot has been given. */
void live_once(struct live_reader *r);
void live_close(struct live_reader *r);
unsigned live_readers(struct live *l);

#endif
