/*
 * The streaming replication protocol: slots, and the stream of XLogData and keepalive messages of one logical slot.
 * Source: PostgreSQL documentation, "Streaming Replication Protocol".
 *
 * Received, durable and applied are the caller's to keep apart: the only LSN that walmill ever reports is the durable one, as write, flush
 * and apply alike, so that the server never believes more than what a crash of ours leaves.
 */
#ifndef WALMILL_PG_STREAM_H
#define WALMILL_PG_STREAM_H

#include "model/unit.h"
#include "pg/catalog.h"
#include "pg/conn.h"

struct pg_identity {
	uint64_t system_id;
	uint32_t timeline;
	lsn_t wal_end;      /* flushed end of the server's WAL */
};

/* IDENTIFY_SYSTEM. */
int pg_identify(struct pg_conn *c, struct pg_identity *ret, struct err *err) WM_MUST_USE;

/* The switch points of a timeline's history: *ret = where `timeline` ended on the way to the server's current one; 0 when it is the current
 * one; ERR_LOST when the server does not descend from it. */
int pg_timeline_end(struct pg_conn *c, uint32_t timeline, uint32_t current, lsn_t *ret, struct err *err) WM_MUST_USE;

struct pg_slot_made {
	lsn_t consistent_point;
	char snapshot[64];  /* temporary slots: for SET TRANSACTION SNAPSHOT; valid until this connection's next command. Others: empty */
};

/*
 * CREATE_REPLICATION_SLOT ... LOGICAL pgoutput; a temporary one, which ends with its connection, exports its snapshot. Waits for all
 * transactions that are running now, however long they take: set a deadline first; ERR_TIMEOUT then, and the connection is gone (the server
 * drops the unfinished slot).
 */
int pg_slot_create(struct pg_conn *c, struct view name, bool temporary, struct pg_slot_made *ret, struct err *err) WM_MUST_USE;

/*
 * Opens a read-only transaction on the plain connection `c` that sees a slot's exported snapshot. Never import one without this.
 *
 * The decoder takes a transaction for committed once it has read its commit record. The backend that commits may not have got to pg_xact by
 * then. A session that reads a row of such a transaction finds it neither running (the snapshot says so) nor committed (pg_xact does not
 * yet), takes it for aborted, and leaves that in the row's hint bits: the application's committed update is lost for good (seen on 15.18).
 * So the snapshot is asked first, reading nothing, what it takes for committed, and read with only when none of that is running any more.
 * ERR_BUSY when something still is after 30 s.
 */
int pg_snapshot_import(struct pg_conn *c, const char *snapshot, struct err *err) WM_MUST_USE;

/*
 * TRUNCATE and rewrites do not mind snapshots: an older one sees an emptied table. So the tables, partitions included, are locked against
 * that in the transaction that has imported the snapshot, and each one's file is compared with what the snapshot sees. Only then: it would
 * be wrong to hold a lock while a slot is being made, which waits for transactions, and one of them may wait for our lock. 1 = a table is
 * locked by others, gone or was rewritten: start over with another snapshot; *err says why.
 */
int pg_snapshot_lock(struct pg_conn *c, const struct pg_table_ref *tables, uint32_t n, struct err *err) WM_MUST_USE;

/* What the stream hands out. */
enum pg_stream_kind {
	PG_STREAM_NOTHING,   /* nothing within the time given */
	PG_STREAM_DATA,      /* one pgoutput message */
	PG_STREAM_KEEPALIVE,
	PG_STREAM_END,       /* the server ended the stream (shutdown) */
};

struct pg_stream_item {
	enum pg_stream_kind kind;
	struct view data;    /* valid until the next call */
	lsn_t lsn;           /* DATA: where the message's WAL begins */
	lsn_t wal_end;       /* the server's end of WAL as it knew it when sending */
	int64_t sent_us;     /* server clock, since 1970 */
	bool reply_requested;
};

/* START_REPLICATION from `from`; publication names and protocol version 1, values in binary where the type can. */
int pg_stream_start(struct pg_conn *c, struct view slot, struct view publication, lsn_t from, struct err *err) WM_MUST_USE;

/* Waits up to wait_ms (0 = just look). */
int pg_stream_next(struct pg_conn *c, int64_t wait_ms, struct pg_stream_item *ret, struct err *err) WM_MUST_USE;

/* Lets messages run up for so many microseconds, without looking at what comes. */
int pg_stream_gather(struct pg_conn *c, int64_t us, struct err *err) WM_MUST_USE;

/* Standby status update: everything before `durable` is never needed again. */
int pg_stream_confirm(struct pg_conn *c, lsn_t durable, bool want_reply, struct err *err) WM_MUST_USE;

#endif
