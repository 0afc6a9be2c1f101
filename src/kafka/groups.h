/*
 * The group coordinator: all groups, and their committed offsets. Private to groups*.c and group_store.c; the thread `kafka`.
 *
 * An offset has two values: `durable`, which OffsetFetch shows, and, while commits are under way, `appended`, the newest that was given to
 * the log. The store's compaction writes the latter.
 */
#ifndef WALMILL_KAFKA_GROUPS_H
#define WALMILL_KAFKA_GROUPS_H

#include "kafka/group.h"
#include "kafka/kafka_int.h"

enum {
	GROUPS_MAX = 100000,
	OFFSET_METADATA_MAX = 4096,
	SESSION_MIN_MS = 6000,
	SESSION_MAX_MS = 1800000,
	REBALANCE_MIN_MS = 100,
};

struct offset_value {
	bool present;                /* false: none, or deleted */
	int64_t offset, time_ms;     /* time: of the commit, wall clock */
	int32_t epoch;
	struct view metadata;        /* owned; ptr NULL: none, of what is not present */
};

struct group_offset {
	struct view topic;           /* owned */
	int32_t partition;
	unsigned in_flight;
	struct offset_value durable, appended;
};

struct group_entry {
	struct timer timer;          /* first */
	struct kafka *k;
	struct group g;
	struct view name;            /* owned */
	struct map offsets;          /* topic, partition be32 → struct group_offset */
	size_t offset_bytes, charged;
	unsigned in_flight;          /* commits: the entry stays while there are any */
	int64_t used_ms;             /* wall clock: last commit, or last time with members */
};

struct groups {
	struct map map;              /* name → struct group_entry */
	uint32_t part;               /* of __consumer_offsets */
	struct buf batch;            /* scratch */
	size_t live_bytes;           /* of all offsets, as records, about */
	bool compacting;
};

struct group_entry *groups_find(struct groups *gs, struct view name);   /* NULL: no such group */
struct group_entry *groups_make(struct kafka *k, struct view name);     /* NULL: too many */
void groups_remove(struct kafka *k, struct group_entry *e);             /* nothing in flight, no members */
void groups_scheduled(struct group_entry *e);                           /* after every change: timer and memory */
bool groups_are_full(const struct kafka *k);                            /* no memory for more members and offsets */

struct group_offset *offset_find(struct group_entry *e, struct view topic, int32_t partition);
struct group_offset *offset_make(struct group_entry *e, struct view topic, int32_t partition);
void offset_set(struct group_entry *e, struct offset_value *to, const struct offset_value *v); /* copies */
void offset_drop(struct group_entry *e, struct group_offset *o);        /* not in flight */

/* ---- the store ---- */

struct commit_item {
	struct group_offset *offset;
	struct offset_value value;   /* metadata borrowed until the commit ends */
};

struct commit {
	struct later later;          /* first */
	struct kafka *k;
	struct group_entry *e;
	struct commit_item *items;
	uint32_t n;
	bool failed;
	void (*done)(struct commit *c); /* the loop; c->failed says how; values are in place */
	void *arg;
};

/* Writes the items; `done` is called when they are durable, or will never be. ERR_BUSY: not now. */
int group_store_commit(struct commit *c, struct err *err) WM_MUST_USE;
int group_store_open(struct kafka *k, struct err *err) WM_MUST_USE;     /* finds or makes the topic, loads it; before the loop runs */
void group_store_compact(struct kafka *k);                              /* if it is worth it */

void groups_sweep(struct kafka *k);                                     /* now and then: what has expired */
void groups_free(struct kafka *k);

#endif
