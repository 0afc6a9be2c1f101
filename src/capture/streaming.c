/*
 * Streaming: pgoutput messages in, units out, LSNs confirmed once they are durable.
 *
 * A transaction is one unit, opened at its first captured change; one that changes nothing that is captured leaves no unit, only progress.
 * Duplicates after a slot's rewind are told by the commit's end LSN: what ends at or below the position was logged already. The slot's
 * confirmed LSN moves only to what a durable unit covers, so progress without changes is logged as an empty unit, at most one a second.
 */
#include <stdio.h>

#include "capture/connector_internal.h"

enum {
	CONFIRM_US = 1000000,
	WATCH_US = 5000000,
	PROGRESS_US = 1000000,
	IDLE_WAIT_MS = 100,
	BUSY_WAIT_MS = 2,
	REAP_EVERY = 256,
	GATHER_US = 500,
	GATHER_MESSAGES = 12,       /* within GATHER_US: more than that is a dense stream */
};

struct streaming {
	struct connector *c;
	struct pgoutput_decoder *decoder;
	bool in_transaction, in_unit, skip;
	uint32_t xid;
	lsn_t commit_lsn;
	int64_t commit_us;
	lsn_t last_commit_lsn;      /* end LSN of the newest COMMIT seen, or where the session began */
	lsn_t idle_lsn;             /* nothing that matters lies below it */
	int64_t progress_due_us, confirm_due_us, watch_due_us;
	bool reply_due;
	unsigned since_reap;
	unsigned lately;            /* messages since lately_us */
	int64_t lately_us;
	struct connector_counts counts;
};

static int ensure_unit(struct streaming *s, struct err *err)
{
	if (s->in_unit)
		return 0;
	payload_begin(&s->c->payload);
	if (s->c->out->ops->begin(s->c->out, err))
		return -1;
	s->in_unit = true;
	return 0;
}

static int on_relation(struct streaming *s, const struct pgoutput_message *m, struct err *err)
{
	struct captured *t;

	return tables_add_relation(s->c, m, &t, err);
}

static int on_row(struct streaming *s, const struct pgoutput_message *m, lsn_t lsn, struct err *err)
{
	struct captured *t = tables_find(s->c, m->relation);
	struct change_origin o = {.lsn = lsn, .last_commit_lsn = s->last_commit_lsn, .xid = s->xid, .source_us = s->commit_us,
				  .now_us = io_now_us(s->c->io)};
	struct unit_target to = {s->c, t};

	if (!t)
		return err_set(err, ERR_PROTOCOL, "the server sent a row of relation %u without having described it", m->relation);
	if (!t->wanted || s->skip)
		return 0;
	s->counts.rows++;
	if (ensure_unit(s, err))
		return -1;
	return table_encode(t->encoder, m->kind == PGOUTPUT_INSERT ? OP_CREATE : m->kind == PGOUTPUT_UPDATE ? OP_UPDATE : OP_DELETE, m->old,
			    m->old_kind, m->new, &o, unit_emit, &to, err);
}

static int on_truncate(struct streaming *s, const struct pgoutput_message *m, lsn_t lsn, struct err *err)
{
	struct change_origin o = {.lsn = lsn, .last_commit_lsn = s->last_commit_lsn, .xid = s->xid, .source_us = s->commit_us,
				  .now_us = io_now_us(s->c->io)};
	uint32_t i;

	for (i = 0; i < m->nrelations && !s->skip; i++) {
		struct captured *t = tables_find(s->c, m->relations[i]);
		struct unit_target to = {s->c, t};

		if (!t || !t->wanted)
			continue;
		s->counts.truncates++;
		if (ensure_unit(s, err))
			return -1;
		payload_event(&s->c->payload, EVENT_TRUNCATE, t->oid);
		if (table_encode(t->encoder, OP_TRUNCATE, NULL, 0, NULL, &o, unit_emit, &to, err))
			return -1;
	}
	return 0;
}

static int on_commit(struct streaming *s, const struct pgoutput_message *m, struct err *err)
{
	struct connector *c = s->c;

	if (!s->in_transaction || m->commit_lsn != s->commit_lsn)
		return err_set(err, ERR_PROTOCOL, "the server sent a commit at " LSN_FORMAT " for the transaction that commits at " LSN_FORMAT,
			       LSN_ARGS(m->commit_lsn), LSN_ARGS(s->commit_lsn));
	s->in_transaction = false;
	s->last_commit_lsn = m->end_lsn;
	if (m->end_lsn > s->idle_lsn)
		s->idle_lsn = m->end_lsn;
	if (s->in_unit) {
		s->in_unit = false;
		s->counts.transactions++;
		return unit_close(c, UNIT_TRANSACTION, s->xid, m->commit_lsn, m->end_lsn, m->commit_us, err);
	}
	return 0;
}

static int on_message(struct streaming *s, const struct pg_stream_item *item, struct err *err)
{
	struct pgoutput_message m;

	s->counts.bytes += item->data.len;
	if (pgoutput_decode(s->decoder, item->data, &m, err))
		return -1;
	switch (m.kind) {
	case PGOUTPUT_BEGIN:
		s->in_transaction = true;
		s->xid = m.xid;
		s->commit_lsn = m.commit_lsn;
		s->commit_us = m.commit_us;
		/* a rewound slot sends again what the log has; a transaction is either wholly below the position or wholly above it */
		s->skip = m.commit_lsn < s->c->start_lsn;
		return 0;
	case PGOUTPUT_COMMIT:
		return on_commit(s, &m, err);
	case PGOUTPUT_RELATION:
		return on_relation(s, &m, err);
	case PGOUTPUT_INSERT:
	case PGOUTPUT_UPDATE:
	case PGOUTPUT_DELETE:
		return on_row(s, &m, item->lsn, err);
	case PGOUTPUT_TRUNCATE:
		return on_truncate(s, &m, item->lsn, err);
	case PGOUTPUT_ORIGIN:
	case PGOUTPUT_TYPE:
	case PGOUTPUT_MESSAGE:
		return 0;
	}
	return 0;
}

/* An empty unit for LSNs that went by without a captured change: only then may they be confirmed. */
static int log_progress(struct streaming *s, int64_t now, struct err *err)
{
	struct connector *c = s->c;

	if (s->in_transaction || s->idle_lsn <= c->closed_lsn || now < s->progress_due_us)
		return 0;
	payload_begin(&c->payload);
	if (c->out->ops->begin(c->out, err))
		return -1;
	s->progress_due_us = now + PROGRESS_US;
	return unit_close(c, UNIT_PROGRESS, 0, s->idle_lsn, s->idle_lsn, 0, err);
}

static int confirm(struct streaming *s, int64_t now, struct err *err)
{
	struct connector *c = s->c;

	if (!s->reply_due && (now < s->confirm_due_us || c->durable_lsn == c->confirmed_lsn))
		return 0;
	if (pg_stream_confirm(c->replication, c->durable_lsn, false, err))
		return -1;
	s->reply_due = false;
	s->confirm_due_us = now + CONFIRM_US;
	c->confirmed_lsn = c->durable_lsn;
	lock_take(&c->lock);
	c->status.confirmed = c->confirmed_lsn;
	lock_drop(&c->lock);
	return 0;
}

static int heartbeat(struct streaming *s, int64_t now, struct err *err)
{
	struct connector *c = s->c;

	if (c->config->heartbeat_ms == 0 || s->in_unit || now < c->heartbeat_due_us)
		return 0;
	c->heartbeat_due_us = now + c->config->heartbeat_ms * 1000;
	return unit_heartbeat(c, err);
}

/*
 * Asks the server what it keeps for the slot and whether anything was taken out of the publication: two queries of a fraction of a
 * millisecond. They also find out that the plain connection broke before a new table description needs it.
 */
static int watch_source(struct streaming *s, int64_t now, struct err *err)
{
	struct connector *c = s->c;
	struct arena a = ARENA_INIT;
	struct pg_slot slot;
	lsn_t before = c->status.slot.restart; /* nobody else writes it */
	int rc = 0;

	if (now < s->watch_due_us || s->in_transaction)
		return 0;
	s->watch_due_us = now + WATCH_US;
	rc = pg_slot_facts(c->plain, &a, c->config->slot, &slot, err);
	if (rc == 0) {
		struct connector_slot seen = {.seen_us = io_now_us(c->io), .restart = slot.restart_lsn, .confirmed = slot.confirmed_lsn,
			.retained_bytes = slot.retained_bytes, .keep_mb = c->server.max_slot_wal_keep_mb};

		snprintf(seen.wal_status, sizeof(seen.wal_status), "%.*s", (int)slot.wal_status.len, (const char *)slot.wal_status.ptr);
		lock_take(&c->lock);
		c->status.slot = seen;
		lock_drop(&c->lock);
	}
	arena_release(&a);
	return rc || membership_watch(c, before, err) ? -1 : 0;
}

/* What is due by the clock, between messages. */
static int housekeeping(struct streaming *s, struct err *err)
{
	struct connector *c = s->c;
	int64_t now = io_monotonic_us(c->io);

	s->since_reap = 0;
	connector_count(c, &s->counts);
	s->counts = (struct connector_counts){0};
	if (units_reap(c, err) || log_progress(s, now, err) || heartbeat(s, now, err) || watch_source(s, now, err))
		return -1;
	return confirm(s, now, err);
}

/*
 * Nothing is there to be read just now. The walsender sends every message on its own: who waits for each is woken for each, and that costs
 * both sides more than the message does. So a dense stream is let run up for a moment before it is looked at again. One that is not
 * dense, up to 24,000 messages a second, is not kept waiting, but for half a millisecond once behind a burst.
 */
static int wait_for_more(struct streaming *s, struct pg_stream_item *item, struct err *err)
{
	struct connector *c = s->c;
	int64_t now = io_monotonic_us(c->io), span = now - s->lately_us;
	bool dense = s->lately >= GATHER_MESSAGES && s->lately * (int64_t)GATHER_US >= span * GATHER_MESSAGES;

	if (span >= GATHER_US) {
		s->lately = 0;
		s->lately_us = now;
	}
	if (dense && pg_stream_gather(c->replication, GATHER_US, err))
		return -1;
	return pg_stream_next(c->replication, c->flight_count ? BUSY_WAIT_MS : IDLE_WAIT_MS, item, err);
}

static int loop(struct streaming *s, struct err *err)
{
	struct connector *c = s->c;
	struct pg_stream_item item;

	for (;;) {
		if (pg_stream_next(c->replication, s->since_reap || c->flight_count ? 0 : IDLE_WAIT_MS, &item, err))
			return -1;
		if (item.kind == PG_STREAM_NOTHING) {
			if (connector_must_leave(c))
				return 0;
			if (housekeeping(s, err))
				return -1;
			if (wait_for_more(s, &item, err))
				return -1;
		}
		switch (item.kind) {
		case PG_STREAM_NOTHING:
			continue;
		case PG_STREAM_END:
			return err_set(err, ERR_CONNECTION, "the server ended the replication stream");
		case PG_STREAM_KEEPALIVE:
			s->reply_due = s->reply_due || item.reply_requested;
			if (!s->in_transaction && item.wal_end > s->idle_lsn)
				s->idle_lsn = item.wal_end;
			break;
		case PG_STREAM_DATA:
			s->lately++;
			if (on_message(s, &item, err))
				return -1;
			break;
		}
		if (++s->since_reap >= REAP_EVERY && (housekeeping(s, err) || connector_must_leave(c)))
			return err->code ? -1 : 0;
	}
}

/*
 * A position found in the log was closed by an earlier session, which does not make it durable. An empty unit behind it tells: once that
 * one is durable, so is all before it.
 */
static int log_position_again(struct connector *c, struct err *err)
{
	if (c->flight_count || c->closed_lsn == 0)
		return 0;
	payload_begin(&c->payload);
	if (c->out->ops->begin(c->out, err))
		return -1;
	return unit_close(c, UNIT_PROGRESS, 0, c->closed_lsn, c->closed_lsn, 0, err);
}

int streaming_run(struct connector *c, struct err *err)
{
	struct streaming s = {.c = c, .decoder = pgoutput_decoder_new(), .idle_lsn = c->start_lsn};
	int rc;

	/* the first heartbeat comes at once, as Debezium's does; tables are described anew by the server in every session */
	c->heartbeat_due_us = 0;
	/* a position that is not a snapshot's says that something was committed before it */
	if (c->have_position && c->position.kind != UNIT_SNAPSHOT_END)
		s.last_commit_lsn = c->position.end_lsn;
	tables_forget(c);
	rc = log_position_again(c, err);
	if (rc == 0)
		rc = loop(&s, err);
	pgoutput_decoder_free(s.decoder);
	return rc;
}
