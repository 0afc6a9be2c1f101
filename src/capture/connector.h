/*
 * Connectors: one thread each, from connecting to streaming, with everything that may go wrong on the way.
 *
 * A connector owns the change_out that it is given. Its thread is the only one that touches the source connection, the encoders and the
 * change_out; others see it through connector_status() and steer it through the calls below, which return at once (but for free, which
 * waits for the thread to leave); what the thread is waiting for on the server is interrupted.
 *
 * Steps of a session (the `step` of the status): connecting, checking, publication, slot, snapshot, streaming; waiting = before another
 * try. An error that may pass by itself (connection lost, slot busy, disk full) is retried with back-off for ever, as a source that comes
 * back must find its reader; any other is FAILED until somebody acts.
 */
#ifndef WALMILL_CAPTURE_CONNECTOR_H
#define WALMILL_CAPTURE_CONNECTOR_H

#include "base/io.h"
#include "base/thread.h"
#include "capture/config.h"
#include "model/change.h"
#include "model/schema.h"
#include "model/unit.h"

struct connector;

enum connector_state { CONNECTOR_UNASSIGNED, CONNECTOR_RUNNING, CONNECTOR_PAUSED, CONNECTOR_STOPPED, CONNECTOR_FAILED };

enum connector_step { STEP_IDLE, STEP_CONNECTING, STEP_CHECKING, STEP_PUBLICATION, STEP_SLOT, STEP_SNAPSHOT, STEP_STREAMING, STEP_WAITING };

const char *connector_state_name(enum connector_state s);
const char *connector_step_name(enum connector_step s);

struct connector_counts {
	uint64_t rows;           /* row changes and snapshot rows taken in */
	uint64_t events;         /* records published */
	uint64_t transactions;
	uint64_t truncates;
	uint64_t bytes;          /* of pgoutput and COPY data */
	uint64_t snapshot_rows, snapshot_tables, snapshot_tables_done;
	uint64_t sessions;       /* connections made */
};

/* The slot as the server shows it, looked at every few seconds while streaming. */
struct connector_slot {
	int64_t seen_us;           /* since 1970; 0 = not yet */
	lsn_t restart, confirmed;
	int64_t retained_bytes;    /* of WAL that is kept for it */
	int64_t keep_mb;           /* max_slot_wal_keep_size; -1 = unlimited */
	char wal_status[16];       /* reserved, extended, unreserved, lost */
};

struct connector_status {
	enum connector_state state;
	enum connector_step step;
	bool has_task;             /* in Kafka Connect's sense: from its first start until it is stopped */
	bool snapshot_done;
	lsn_t received, durable, confirmed, server_end;
	int64_t last_commit_us;    /* of the newest durable transaction, source clock; 0 = none */
	int64_t since_us;          /* monotonic time of entering `step` */
	struct connector_slot slot;
	struct connector_counts counts;
	struct err error;          /* FAILED: why; STEP_WAITING: what the last try died of */
	struct buf warnings;       /* a sentence a line; the caller releases it */
};

/* `wake` (may be NULL) is signalled whenever state or step change or units become durable. The connector takes config and out over. */
struct connector *connector_new(struct connector_config *config, struct change_out *out, struct io *io, struct wake *wake);
void connector_start(struct connector *c);   /* RUNNING; no-op when it is */
/* Ends the session; slot and position stay. has_task: whether it ran since it was made or last stopped, maybe under another process. */
void connector_pause(struct connector *c, bool has_task);
void connector_stop(struct connector *c);    /* the same, called STOPPED */
void connector_restart(struct connector *c); /* out of FAILED, or a new session */
void connector_free(struct connector *c);    /* stops, joins, frees config and out */

/* Where heartbeats of such a configuration go, whether it has them or not. */
int connector_heartbeat_topic(const struct connector_config *cfg, struct arena *a, struct view *ret, struct err *err) WM_MUST_USE;

const struct connector_config *connector_config(const struct connector *c);
void connector_status(struct connector *c, struct connector_status *ret);

#endif
