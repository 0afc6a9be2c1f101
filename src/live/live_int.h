/* The inside of the live stream, shared by hub.c, table.c and reader.c. */
#ifndef WALMILL_LIVE_INT_H
#define WALMILL_LIVE_INT_H

#include "base/map.h"
#include "base/thread.h"
#include "live/live.h"

enum {
	TOPICS_MAX = 32,
	JOBS_MAX = 256,
	GATHER_US = 200000,
	POLL_US = 1000000,
	FEED_US = 100000,
	RING_US = 60000000,
	RING_BYTES = 8 << 20,      /* of one topic */
	PENDING_ROWS = 50000,      /* more changed rows than that at once: a new snapshot is less */
	QUIET_US = 10000000,       /* then a comment */
	SNAPSHOT_BYTES = 256 << 20,
};

/* Where the tables of a job are. */
struct live_position {
	lsn_t lsn;
	int64_t clock_us;
};

static inline bool position_after(struct live_position a, struct live_position b)
{
	return a.lsn != b.lsn ? a.lsn > b.lsn : a.clock_us > b.clock_us;
}

/* A delta, encoded. */
struct entry {
	struct entry *next;
	uint64_t seq;
	int64_t at_us;             /* monotonic */
	int job;                   /* of tables: number of the job whose position this is; -1 */
	struct live_position position;
	struct view data;          /* {"topic":...}, behind the struct */
};

struct topic {
	const char *name, *key;    /* key: of lists */
	const struct live_table *table; /* or NULL */
	live_list_fn list;
	live_feed_fn feed;
	void *arg;

	unsigned readers;
	int64_t warm_until_us;     /* while there are readers, or until then, changes are kept */
	uint64_t seq;              /* of the newest entry or break */
	uint64_t broken;           /* readers that are behind it need a snapshot */
	struct entry *first, **last;
	size_t bytes;
	int64_t flushed_us;
	/* tables: changes since the last entry. key → row, both JSON; an empty row is a deletion */
	struct map pending;
	int pending_job;
	struct live_position pending_position;
	int64_t pending_source_us, pending_applied_us;
	/* lists: key → row as of the last poll; feeds: nothing */
	struct map rows;
	bool polled;
	int64_t poll_due_us;
};

struct live {
	struct live_options o;
	struct pg_params target;
	struct job_tap tap;
	char epoch[17];            /* of this process's ids */
	struct thread thread;
	bool started;
	int interrupt_fd;          /* readable once the stream stops: ends what snapshots wait for */

	struct lock lock;          /* guards the rest */
	bool stop;
	unsigned nreaders, ntopics, njobs;
	struct topic topics[TOPICS_MAX];
	char *jobs[JOBS_MAX];      /* names, by number; -1 when there is no room */
	struct wake changed;       /* something for readers */
	struct wake work;          /* something for the thread */
	_Atomic bool warm;         /* some table is read, or was lately */
};

/* hub.c; with the lock held */
bool topic_is_warm(const struct topic *t, int64_t now);
void topic_break(struct topic *t);                     /* what is kept is of no use any more */
void topic_clear_pending(struct topic *t);
void topic_cool_down(struct topic *t);                 /* nobody reads it: keeps nothing, and says so to who comes back */
void topic_add(struct topic *t, const struct entry *e, struct view data);
void topic_pending_put(struct topic *t, struct view key, struct view row);
int live_job_number(struct live *l, const char *name);
int64_t live_now(const struct live *l);

/* table.c */
void table_written(void *live, const struct job_written *w);
/* Rows of the topics' tables (those with wanted[i]) and every job's position, at one instant. into[i]: JSON array. Without the lock. */
struct table_snapshot {
	struct live_position positions[JOBS_MAX];
	bool known[JOBS_MAX];
	char committed_at[40];     /* when it was read, ISO 8601 */
};
int table_snapshots(
	struct live *l, const bool wanted[TOPICS_MAX], struct buf into[TOPICS_MAX], struct table_snapshot *ret, struct err *err);

void live_put_time(struct buf *b, const char *key, int64_t us); /* "key":"2026-01-31T09:00:00.123456Z", or null for 0; since 1970 */
void live_put_lsn(struct buf *b, const char *key, lsn_t lsn);

#endif
