/*
 * The first start of a connector: slot, cut, snapshot.
 *
 * The cut does not come from the connector's own slot. While a slot is being made, PostgreSQL's decoder does not follow catalog changes
 * that commit before its first generation of transactions is gone, and keeps a picture of the catalog without them until the next catalog
 * change (seen on 15.18: a column added in that time is missing from the stream, rows of a table made in it end the decoder with "could not
 * map filenode"). So there are three steps:
 *
 *	1. the slot, when there is none yet, without a snapshot
 *	2. a catalog change of our own, from which on the slot's decoder sees the catalog as it is
 *	3. a temporary slot, whose exported snapshot is the cut; the stream begins at its consistent point
 *
 * A temporary slot is ready only when all transactions that ran when its making began are gone, so what commits behind the cut began behind
 * step 2. The decoder of the exported snapshot looks at the commit log itself and is not concerned.
 *
 * A slot that was there already is kept, and goes the same way: dropping one that somebody prepared would lose what they prepared it for.
 */
#include <stdio.h>

#include "capture/connector_internal.h"

enum { SLOT_DEADLINE_MS = 300000, SNAPSHOT_TRIES = 5 };

/* ---- slots ---- */

static int slot_made_late(struct connector *c, struct err *err)
{
	struct pg_result *r;
	struct err ignored = ERR_INIT;
	struct pg_conn *look;

	if (err->code != ERR_TIMEOUT)
		return -1;
	/* whom are we waiting for? */
	if (pg_connect(&c->config->source, PG_CONN_PLAIN, "walmill", c->interrupt_fd, &look, &ignored))
		return -1;
	if (pg_query(look,
			"SELECT pid, extract(epoch FROM pg_catalog.now() - xact_start)::int8, application_name FROM pg_catalog.pg_stat_activity "
			"WHERE backend_xid IS NOT NULL ORDER BY xact_start LIMIT 1",
			0, NULL, &r, &ignored) == 0) {
		if (pg_rows(r) == 1)
			err_detail(err, "It waits for the transactions that are running; the oldest is of PID %s (%s), %s seconds old.",
				pg_text(r, 0, 0), pg_text(r, 0, 2), pg_text(r, 0, 1));
		pg_result_free(r);
	}
	pg_close(look);
	return err_context(err, "could not create a replication slot");
}

/* Step 2. The table is gone with its transaction; that its catalog rows came and went is what counts. */
static int change_catalog(struct connector *c, struct err *err)
{
	static const char sql[] = "BEGIN; CREATE TEMPORARY TABLE walmill_catalog_change () ON COMMIT DROP; COMMIT";
	struct err ignored = ERR_INIT;

	if (pg_exec(c->plain, sql, err) == 0)
		return 0;
	if (err->code != ERR_PERMISSION)
		return -1;
	connector_warn(c,
		"The role may not make temporary tables: schema changes that run just while the slot is made may be missing from the stream. GRANT "
		"TEMPORARY ON DATABASE \"%.*s\" TO it.",
		(int)c->database.len, (const char *)c->database.ptr);
	err_clear(err);
	return pg_exec(c->plain, "ROLLBACK", &ignored);
}

static int make_slot(struct connector *c, struct err *err)
{
	struct pg_slot_made made;

	pg_set_deadline(c->replication, SLOT_DEADLINE_MS);
	return pg_slot_create(c->replication, c->config->slot, false, &made, err) ? slot_made_late(c, err) : 0;
}

/* Step 3. The temporary slot's name goes into `name`; its snapshot lives until the next command of that connection. */
static int make_cut(struct connector *c, char name[64], struct pg_slot_made *ret, struct err *err)
{
	snprintf(name, 64, "walmill_%d", pg_backend_pid(c->replication));
	pg_set_deadline(c->replication, SLOT_DEADLINE_MS);
	return pg_slot_create(c->replication, view_str(name), true, ret, err) ? slot_made_late(c, err) : 0;
}

/* ---- snapshot ---- */

/* Only the session that made it can. */
static int drop_temporary(struct connector *c, const char *name, struct err *err)
{
	struct buf sql = BUF_INIT(256);
	int rc;

	buf_puts(&sql, "DROP_REPLICATION_SLOT ");
	pg_put_ident(&sql, view_str(name));
	rc = pg_exec(c->replication, buf_cstr(&sql), err);
	buf_release(&sql);
	return rc;
}

/* One attempt: 0 = done, 1 = start over, -1 = failed. */
static int try_snapshot(struct connector *c, struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct pg_slot_made made;
	char name[64];
	int rc;

	connector_step_enter(c, STEP_SLOT);
	if (make_cut(c, name, &made, err))
		return -1;
	connector_step_enter(c, STEP_SNAPSHOT);
	if (pg_snapshot_import(c->plain, made.snapshot, err))
		return -1;
	rc = pg_snapshot_lock(c->plain, tables, n, err);
	/* with the snapshot imported the temporary slot has done its work: kept, it would hold back WAL as long as this connection lives */
	if (rc >= 0 && drop_temporary(c, name, err))
		rc = -1;
	if (rc == 0)
		rc = snapshot_run(c, tables, n, made.consistent_point, err);
	if (rc > 0) {
		struct err ignored = ERR_INIT;

		/* nothing was published yet: start over */
		if (pg_exec(c->plain, "ROLLBACK", &ignored))
			rc = -1;
	} else if (rc == 0) {
		rc = pg_exec(c->plain, "COMMIT", err);
		c->start_lsn = c->closed_lsn = made.consistent_point;
		c->have_position = true;
	}
	return rc;
}

/* Without a snapshot: an existing slot goes on from what it has confirmed, one made now from a cut. */
static int start_without_data(struct connector *c, const struct pg_slot *slot, struct err *err)
{
	struct pg_slot_made made;
	char name[64];

	c->start_lsn = slot->confirmed_lsn;
	if (!slot->exists) {
		if (make_cut(c, name, &made, err) || drop_temporary(c, name, err))
			return -1;
		c->start_lsn = made.consistent_point;
	}
	c->closed_lsn = 0;
	payload_begin(&c->payload);
	if (c->out->ops->begin(c->out, err))
		return -1;
	c->have_position = true;
	return unit_close(c, UNIT_PROGRESS, 0, c->start_lsn, c->start_lsn, 0, err);
}

int connector_first_start(struct connector *c, const struct pg_slot *slot, struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	int rc = 1, tries;

	io_random(c->io, &c->incarnation, sizeof(c->incarnation));
	connector_step_enter(c, STEP_SLOT);
	if ((!slot->exists && make_slot(c, err)) || change_catalog(c, err))
		return -1;
	if (c->config->snapshot == SNAPSHOT_NO_DATA)
		return start_without_data(c, slot, err);
	for (tries = 0; rc > 0 && tries < SNAPSHOT_TRIES; tries++) {
		err_clear(err);
		rc = try_snapshot(c, tables, n, err);
	}
	return rc > 0 ? -1 : rc;
}
