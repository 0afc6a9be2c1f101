/*
 * Positions, and what the commit record of a unit says beyond the log's own part: the payload that capture writes and stream reads.
 *
 * A unit is what becomes visible together: a source transaction, a part of a snapshot, a note of progress. The log (or the Kafka
 * transaction) knows which offsets belong to it; the payload says where it comes from, how its records fall to tables and schema versions,
 * and what the published bytes do not say. Exceptions are sparse, so that ordinary rows cost nothing.
 */
#ifndef WALMILL_MODEL_UNIT_H
#define WALMILL_MODEL_UNIT_H

#include "base/arena.h"
#include "base/err.h"

typedef uint64_t lsn_t; /* byte position in the source's WAL; 0 = none. Text form "16/B374D848". */

#define LSN_FORMAT "%X/%08X"
#define LSN_ARGS(lsn) (uint32_t)((lsn) >> 32), (uint32_t)(lsn)

/* "16/B374D848" into *ret; false when it is not one. */
bool lsn_parse(struct view text, lsn_t *ret);

enum unit_kind {
	UNIT_TRANSACTION = 1,
	UNIT_PROGRESS = 2,       /* nothing was captured up to end_lsn */
	UNIT_SNAPSHOT_PART = 3,  /* rows of a snapshot that is not complete yet */
	UNIT_SNAPSHOT_END = 4,   /* the snapshot is complete; commit_lsn = end_lsn = its consistent point */
	UNIT_NOTE = 5,           /* heartbeats and the like: no position */
	UNIT_KEPT = 6,           /* what capture keeps for itself between sessions, in `kept`: no records, no position */
};

/* Consecutive records of one topic partition that belong to one table at one schema version. In append order per topic. */
struct unit_run {
	uint32_t topic;          /* index into unit_payload.topics */
	uint32_t table_oid;
	uint32_t version;
	uint32_t count;          /* records, tombstones included */
};

/* The published bytes of a column mean something else than they say. */
enum unit_exception_kind {
	EXCEPTION_UNCHANGED = 1, /* unchanged TOAST: the value before still stands */
	EXCEPTION_NULL = 2,      /* NULL, shown as the column's default */
	EXCEPTION_NAN = 3,
	EXCEPTION_INFINITY = 4,
	EXCEPTION_NEG_INFINITY = 5,
	EXCEPTION_LOST = 6,      /* the bytes do not say what it is: an array from another index than 1 on, an instant beyond nanoseconds */
};

struct unit_exception {
	uint32_t topic;          /* index into topics */
	uint32_t record;         /* offset of the first record minus begin offset of the topic's range in this unit */
	uint32_t count;          /* so many records in a row */
	int16_t attnum;
	uint8_t kind;
};

/* Something that happened to a whole table, at its place among the unit's records. */
enum unit_event_kind {
	EVENT_TRUNCATE = 1,
	EVENT_REPLACE = 2,       /* the snapshot that begins here replaces all that was known of the table */
};

struct unit_event {
	uint32_t table_oid;
	uint32_t before_record;  /* so many records of this table come before it in the unit */
	uint8_t kind;
};

struct unit_payload {
	uint8_t kind;            /* enum unit_kind */
	struct view connector;   /* its name */
	uint64_t incarnation;    /* random, new whenever the connector starts over from nothing */
	uint64_t system_id;      /* pg_control_system() */
	uint32_t timeline;
	uint32_t xid;
	lsn_t commit_lsn, end_lsn;
	int64_t commit_us;       /* source commit time, microseconds since 1970-01-01 UTC */
	uint32_t ntopics, nruns, nexceptions, nevents;
	struct view *topics;     /* names */
	struct unit_run *runs;
	struct unit_exception *exceptions;
	struct unit_event *events;
	struct view kept;        /* UNIT_KEPT; else empty */
};

void unit_payload_store(struct buf *b, const struct unit_payload *p);
int unit_payload_load(struct view bytes, struct arena *a, struct unit_payload *ret, struct err *err) WM_MUST_USE;

#endif
