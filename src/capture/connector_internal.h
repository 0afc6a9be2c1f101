/* The inside of a connector, shared by connector.c (thread and life cycle), session.c (up to streaming), first_start.c, membership.c,
 * snapshot.c, streaming.c, tables.c. */
#ifndef WALMILL_CAPTURE_CONNECTOR_INTERNAL_H
#define WALMILL_CAPTURE_CONNECTOR_INTERNAL_H

#include "base/map.h"
#include "capture/connector.h"
#include "capture/encode.h"
#include "capture/payload.h"
#include "pg/catalog.h"
#include "pg/stream.h"

/* A table as this connector captures it now. */
struct captured {
	uint32_t oid;
	struct arena arena;              /* owns table and what the encoder borrows */
	struct table *table;
	struct table_encoder *encoder;
	uint32_t topic;                  /* change_out's number */
	bool wanted;                     /* false: the relation is known not to be captured */
};

/* A closed unit that waits to become durable. */
struct in_flight {
	uint64_t number;
	lsn_t end_lsn;
	int64_t commit_us;
};

enum command { COMMAND_NEW, COMMAND_RUN, COMMAND_PAUSE, COMMAND_STOP, COMMAND_EXIT };

struct connector {
	struct connector_config *config;
	struct change_out *out;
	struct io *io;
	struct wake *outside;            /* may be NULL */
	struct thread thread;
	struct wake commands;
	int interrupt_fd;                /* eventfd, readable while a session must end */

	struct lock lock;                /* guards what follows up to the next blank line */
	enum command command;
	bool restart;
	struct connector_status status;  /* without warnings */
	struct buf warnings;

	/* the thread's own */
	struct pg_conn *plain, *replication;
	struct arena session;            /* reset at the start of each session */
	struct pg_server server;
	struct pg_identity identity;
	struct view database;
	uint64_t incarnation;
	bool have_position;
	struct pg_membership members;    /* as last looked at; in members_arena */
	struct arena members_arena;
	lsn_t slot_restart;              /* where the slot's restart position has been for sure; 0 = not known */
	struct unit_payload position;    /* of the last unit with a position; views into position_bytes */
	struct buf position_bytes;
	struct arena position_arena;
	struct captured **tables;        /* by oid, grows */
	uint32_t ntables, cap_tables;
	struct arena schemas;            /* stored schemas of this connector */
	struct table **known;            /* newest version by table */
	uint32_t nknown, cap_known;
	uint32_t next_version;
	struct payload payload;
	struct pg_tuple copy_row;
	struct in_flight *flight;        /* ring */
	uint32_t flight_head, flight_count, flight_cap;
	lsn_t start_lsn;                 /* where this session streams from */
	lsn_t closed_lsn;                /* end LSN of the newest closed unit */
	lsn_t durable_lsn, confirmed_lsn;
	int64_t heartbeat_due_us;
	uint64_t events;                 /* published and not yet in the status */
};

/* connector.c */
void connector_step_enter(struct connector *c, enum connector_step step);
bool connector_must_leave(struct connector *c);
void connector_warn(struct connector *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void connector_count(struct connector *c, const struct connector_counts *add);

/* session.c: one session from connecting to its end; 0 = asked to leave. */
int connector_session(struct connector *c, struct err *err);
void connector_session_end(struct connector *c);

/* first_start.c: slot, cut and snapshot (or none, as configured); leaves start_lsn. */
int connector_first_start(struct connector *c, const struct pg_slot *slot, struct pg_table_ref *tables, uint32_t n, struct err *err);

/* The tables that the configuration wants, partitioned ones included, in `a`, sorted; *ret_all: so many there are in the database. */
int connector_wanted_tables(
	struct connector *c, struct arena *a, struct pg_table_ref **ret, uint32_t *ret_n, uint32_t *ret_all, struct err *err);
/* To a hint: how a connector begins anew without being deleted. */
int connector_hint_reset(const struct connector *c, struct err *err, const char *before);

/*
 * membership.c: whether what is published now was published all along since the log's position; the head of the file says why that matters.
 * check: before the connector itself alters the publication. ERR_LOST when something was taken out meanwhile, also when it is back.
 * look: after that, and before a first start. keep: the last look goes into the log, with warnings of what a publication leaves out.
 * watch: all of that, while streaming, between units. missed: the publication is not there. check_slot:
 * ERR_LOST when the slot is of an older state of the server. `restart`: the slot's restart position at the look before this one, or 0.
 */
int membership_check(struct connector *c, const struct pg_table_ref *tables, uint32_t n, struct err *err);
int membership_look(struct connector *c, struct err *err);
int membership_keep(struct connector *c, const struct pg_table_ref *tables, uint32_t n, struct err *err);
int membership_missed(struct connector *c, struct err *err);
int membership_check_slot(struct connector *c, const struct pg_slot *slot, struct err *err);
int membership_watch(struct connector *c, lsn_t restart, struct err *err);

/* tables.c */
void tables_forget(struct connector *c);
int tables_load_known(struct connector *c, struct err *err);
struct captured *tables_find(struct connector *c, uint32_t oid);
/* Compiles a table from the catalog as it is now; for a RELATION message, reconciled with what the message says. */
int tables_add_catalog(struct connector *c, uint32_t oid, struct captured **ret, struct err *err);
int tables_add_relation(struct connector *c, const struct pgoutput_message *m, struct captured **ret, struct err *err);

/* snapshot.c: reads all wanted tables in the transaction that `plain` has open; ends with the unit that says so. */
int snapshot_run(struct connector *c, struct pg_table_ref *tables, uint32_t n, lsn_t consistent_point, struct err *err);

/* streaming.c */
int streaming_run(struct connector *c, struct err *err);

/* units; used by snapshot.c and streaming.c */
struct unit_target {
	struct connector *c;
	struct captured *t;
};
int unit_emit(void *arg, const struct emitted *out, struct err *err); /* arg = struct unit_target */
int unit_close(struct connector *c, enum unit_kind kind, uint32_t xid, lsn_t commit_lsn, lsn_t end_lsn, int64_t commit_us, struct err *err);
int unit_heartbeat(struct connector *c, struct err *err);
int units_reap(struct connector *c, struct err *err);   /* moves durable_lsn on */

#endif
