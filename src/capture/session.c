/*
 * One session of a connector: connect, compare what the server is with what the log says, make publication and slot, take the snapshot,
 * stream.
 *
 * The comparisons are the ones that keep a gap from passing unseen (each has a test): another server, a server that lost WAL we have, a
 * slot that is gone, was made anew, or was moved by somebody else. All of them are ERR_LOST: the connector stops and says what to do.
 */
#include <stdio.h>
#include <unistd.h>

#include "capture/connector_internal.h"

enum { SLOT_DEADLINE_MS = 300000, SNAPSHOT_TRIES = 5 };

/* ---- connecting and checking ---- */

static int connect_both(struct connector *c, struct err *err)
{
	char name[64];

	snprintf(
		name, sizeof(name), "walmill %.*s", (int)(c->config->name.len < 50 ? c->config->name.len : 50), (const char *)c->config->name.ptr);
	if (pg_connect(&c->config->source, PG_CONN_PLAIN, name, c->interrupt_fd, &c->plain, err) ||
	    pg_connect(&c->config->source, PG_CONN_REPLICATION, name, c->interrupt_fd, &c->replication, err))
		return -1;
	return 0;
}

static int check_server(struct connector *c, struct err *err)
{
	struct pg_server *s = &c->server;

	if (pg_server_facts(c->plain, &c->session, s, err) || pg_identify(c->replication, &c->identity, err))
		return -1;
	c->database = s->database;
	if (s->version < 140000) {
		err_set(err, ERR_UNSUPPORTED, "the server is PostgreSQL %d, walmill needs 14 or later", s->version / 10000);
		return err_hint(err, "Upgrade the server, or keep this connector on Kafka Connect.");
	}
	if (!view_is(s->wal_level, "logical")) {
		err_set(err, ERR_STATE, "the server's wal_level is \"%.*s\", \"logical\" is needed", (int)s->wal_level.len,
			(const char *)s->wal_level.ptr);
		return err_hint(err, "Run ALTER SYSTEM SET wal_level = 'logical'; and restart the server.");
	}
	if (!view_is(s->encoding, "UTF8")) {
		err_set(err, ERR_UNSUPPORTED, "database \"%.*s\" has encoding %.*s, UTF8 is needed", (int)s->database.len,
			(const char *)s->database.ptr, (int)s->encoding.len, (const char *)s->encoding.ptr);
		return err_hint(err, "Capture works on UTF8 databases only, as Debezium's does.");
	}
	if (!s->may_replicate) {
		err_set(err, ERR_PERMISSION, "role \"%.*s\" may not replicate", (int)s->user.len, (const char *)s->user.ptr);
		return err_hint(err, "Run ALTER ROLE \"%.*s\" REPLICATION; as a superuser.", (int)s->user.len, (const char *)s->user.ptr);
	}
	return 0;
}

static int lost_hint(struct err *err)
{
	return err_hint(err,
		"Changes in between cannot be had any more. Delete the connector and create it again: it takes a new snapshot, and jobs follow "
		"it.");
}

/* The log's position against the server: is it the same one, and does it still have what comes next? */
static int check_position(struct connector *c, struct err *err)
{
	const struct unit_payload *p = &c->position;
	lsn_t end;

	if (p->system_id != c->identity.system_id) {
		err_set(err, ERR_LOST, "the source is another PostgreSQL cluster than before: system identifier %llu, the log has %llu",
			(unsigned long long)c->identity.system_id, (unsigned long long)p->system_id);
		return lost_hint(err);
	}
	if (pg_timeline_end(c->replication, p->timeline, c->identity.timeline, &end, err)) {
		if (err->code == ERR_LOST)
			lost_hint(err);
		return -1;
	}
	if (end && p->end_lsn > end) {
		err_set(err, ERR_LOST, "the server left timeline %u at " LSN_FORMAT ", the log has changes up to " LSN_FORMAT " of it", p->timeline,
			LSN_ARGS(end), LSN_ARGS(p->end_lsn));
		return lost_hint(err);
	}
	if (c->identity.wal_end < p->end_lsn) {
		err_set(err, ERR_LOST, "the server's WAL ends at " LSN_FORMAT ", before the log's position " LSN_FORMAT,
			LSN_ARGS(c->identity.wal_end), LSN_ARGS(p->end_lsn));
		err_detail(err, "The server was restored from a backup, or lost WAL in a crash.");
		return lost_hint(err);
	}
	return 0;
}

/* ---- publication ---- */

static void put_table_list(struct buf *sql, const struct pg_table_ref *tables, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		buf_puts(sql, i ? ", " : "");
		pg_put_ident(sql, tables[i].schema);
		buf_putc(sql, '.');
		pg_put_ident(sql, tables[i].name);
	}
}

static int publication_missing(struct connector *c, struct err *err)
{
	struct view p = c->config->publication;

	err_set(err, ERR_NOT_FOUND, "publication \"%.*s\" does not exist and publication.autocreate.mode is disabled", (int)p.len,
		(const char *)p.ptr);
	return err_hint(err, "Run CREATE PUBLICATION \"%.*s\" FOR TABLE ...; on the source, or set publication.autocreate.mode to filtered.",
			(int)p.len, (const char *)p.ptr);
}

/* It was there when the log's position was written. A new one would hide what was written meanwhile, where the server lets that pass. */
static int publication_lost(struct connector *c, struct err *err)
{
	struct view p = c->config->publication;

	err_set(err, ERR_LOST, "publication \"%.*s\" does not exist any more", (int)p.len, (const char *)p.ptr);
	err_detail(err, "Changes are published from " LSN_FORMAT " on; what is written while there is no publication is not.",
		LSN_ARGS(c->position.end_lsn));
	return err_hint(err,
		"If its tables have not changed since it was dropped, run CREATE PUBLICATION \"%.*s\" FOR TABLE ...; and restart the "
		"connector. Otherwise delete the connector and create it again: it takes a new snapshot, and jobs follow it.",
		(int)p.len, (const char *)p.ptr);
}

static int create_publication(struct connector *c, struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct buf sql = BUF_INIT(16 << 20);
	int rc;

	buf_puts(&sql, "CREATE PUBLICATION ");
	pg_put_ident(&sql, c->config->publication);
	switch (c->config->publication_mode) {
	case PUBLICATION_DISABLED:
		buf_release(&sql);
		return publication_missing(c, err);
	case PUBLICATION_ALL_TABLES:
		buf_puts(&sql, " FOR ALL TABLES");
		break;
	case PUBLICATION_FILTERED:
		buf_puts(&sql, " FOR TABLE ");
		put_table_list(&sql, tables, n);
		break;
	case PUBLICATION_NO_TABLES:
		break;
	}
	rc = pg_exec(c->plain, buf_cstr(&sql), err);
	if (rc && err->code == ERR_PERMISSION)
		err_hint(err, "Run %.400s; as the tables' owner (FOR ALL TABLES: as a superuser).", buf_cstr(&sql));
	buf_release(&sql);
	return rc;
}

static bool listed(const struct pg_publication *p, const struct pg_table_ref *t)
{
	uint32_t i;

	for (i = 0; i < p->ntables; i++)
		if (p->tables[i].oid == t->oid)
			return true;
	return false;
}

/* An existing publication: its tables are made to match in filtered mode; what it leaves out is said. */
static int adjust_publication(struct connector *c, const struct pg_publication *p, struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct buf sql = BUF_INIT(16 << 20);
	bool same = p->ntables == n;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < n; i++)
		same = same && listed(p, &tables[i]);
	if (!same && !p->all_tables && c->config->publication_mode == PUBLICATION_FILTERED) {
		buf_puts(&sql, "ALTER PUBLICATION ");
		pg_put_ident(&sql, c->config->publication);
		buf_puts(&sql, " SET TABLE ");
		put_table_list(&sql, tables, n);
		rc = pg_exec(c->plain, buf_cstr(&sql), err);
	} else {
		for (i = 0; i < n; i++)
			if (!p->all_tables && !listed(p, &tables[i]))
				connector_warn(c, "Table \"%.*s.%.*s\" is not in publication \"%.*s\": its changes are not captured.",
					(int)tables[i].schema.len, (const char *)tables[i].schema.ptr, (int)tables[i].name.len,
					(const char *)tables[i].name.ptr, (int)c->config->publication.len, (const char *)c->config->publication.ptr);
	}
	if (rc == 0 && (!p->insert || !p->update || !p->delete || !p->truncate))
		connector_warn(c,
			"Publication \"%.*s\" does not publish all of insert, update, delete and truncate: jobs over its tables would be wrong.",
			(int)c->config->publication.len, (const char *)c->config->publication.ptr);
	buf_release(&sql);
	return rc;
}

static int ensure_publication(struct connector *c, struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct pg_publication p;

	if (pg_publication_facts(c->plain, &c->session, c->config->publication, &p, err))
		return -1;
	if (p.exists)
		return adjust_publication(c, &p, tables, n, err);
	return c->have_position ? publication_lost(c, err) : create_publication(c, tables, n, err);
}

/* The tables that the configuration wants, moved to the front. */
static int wanted_tables(struct connector *c, struct pg_table_ref **ret, uint32_t *ret_n, struct err *err)
{
	struct pg_table_ref *all;
	uint32_t i, n, kept = 0;

	if (pg_list_tables(c->plain, &c->session, &all, &n, err))
		return -1;
	for (i = 0; i < n; i++) {
		if (!connector_config_wants(c->config, all[i].schema, all[i].name))
			continue;
		/* partitions are read through their root or one by one; the root alone has no rows of its own in the stream */
		if (all[i].kind == 'p') {
			connector_warn(c, "Table \"%.*s.%.*s\" is partitioned: its partitions are captured as tables of their own.",
				(int)all[i].schema.len, (const char *)all[i].schema.ptr, (int)all[i].name.len, (const char *)all[i].name.ptr);
			continue;
		}
		all[kept++] = all[i];
	}
	if (kept == 0) {
		err_set(err, ERR_INVALID, "the configuration's table filters match no table of database \"%.*s\"", (int)c->database.len,
			(const char *)c->database.ptr);
		return err_hint(
			err, "table.include.list holds regular expressions for schema.table, such as public\\.orders; the database has %u tables.", n);
	}
	*ret = all;
	*ret_n = kept;
	return 0;
}

/* ---- slot ---- */

static int slot_lost(const struct connector *c, struct err *err, const char *what)
{
	err_set(err, ERR_LOST, "replication slot \"%.*s\" %s", (int)c->config->slot.len, (const char *)c->config->slot.ptr, what);
	return lost_hint(err);
}

static int check_slot(struct connector *c, struct pg_slot *slot, struct err *err)
{
	struct view name = c->config->slot;

	if (pg_slot_facts(c->plain, &c->session, name, slot, err))
		return -1;
	if (!slot->exists)
		return c->have_position ? slot_lost(c, err, "does not exist any more") : 0;
	if (!view_is(slot->plugin, "pgoutput") || !view_eq(slot->database, c->database)) {
		err_set(err, ERR_INVALID, "replication slot \"%.*s\" is of plugin \"%.*s\" and database \"%.*s\"", (int)name.len,
			(const char *)name.ptr, (int)slot->plugin.len, (const char *)slot->plugin.ptr, (int)slot->database.len,
			(const char *)slot->database.ptr);
		return err_hint(err, "Set slot.name to one that is not taken, or drop that slot.");
	}
	if (view_is(slot->wal_status, "lost"))
		return slot_lost(c, err, "has lost WAL that it needed: it was over max_slot_wal_keep_size");
	if (slot->active) {
		err_set(err, ERR_BUSY, "replication slot \"%.*s\" is active for PID %d", (int)name.len, (const char *)name.ptr, slot->active_pid);
		return err_hint(err, "Another reader has it. walmill tries again; end that reader if it should not be there.");
	}
	if (c->have_position && slot->confirmed_lsn > c->position.end_lsn) {
		slot_lost(c, err, "was moved or made anew by somebody else");
		return err_detail(err, "Its confirmed position is " LSN_FORMAT ", the log ends at " LSN_FORMAT ".", LSN_ARGS(slot->confirmed_lsn),
				  LSN_ARGS(c->position.end_lsn));
	}
	return 0;
}

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

/* ---- snapshot ---- */

/*
 * The snapshot sees tables as of the slot's consistent point, but a table that was truncated or rewritten since then looks empty to it. So
 * the tables are locked against that only now (no lock is held while a slot is being made: it waits for transactions, and one of them may
 * wait for our lock), and then each one's file is compared with what the snapshot sees. 1 = one was, start over.
 */
static int lock_tables(struct connector *c, const struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct buf sql = BUF_INIT(16 << 20);
	struct pg_result *r;
	int rc = -1;
	uint32_t i;

	buf_puts(&sql, "SET LOCAL lock_timeout = '700ms'; LOCK TABLE ");
	put_table_list(&sql, tables, n);
	buf_puts(&sql, " IN ACCESS SHARE MODE");
	if (pg_exec(c->plain, buf_cstr(&sql), err)) {
		if (err->code == ERR_BUSY || err->code == ERR_NOT_FOUND)
			rc = 1;
		goto out;
	}
	buf_clear(&sql);
	buf_puts(&sql,
		"SELECT count(*) FROM pg_catalog.pg_class WHERE relkind = 'r' AND relfilenode IS DISTINCT FROM "
		"pg_catalog.pg_relation_filenode(oid) AND oid IN (");
	for (i = 0; i < n; i++)
		buf_printf(&sql, "%s%u", i ? "," : "", tables[i].oid);
	buf_puts(&sql, ")");
	if (pg_query(c->plain, buf_cstr(&sql), 0, NULL, &r, err))
		goto out;
	rc = pg_int(r, 0, 0) > 0;
	if (rc)
		err_set(err, ERR_BUSY, "a table was truncated or rewritten while the snapshot was being made");
	pg_result_free(r);
out:
	buf_release(&sql);
	return rc;
}

/* Only the session that made it can. */
static int drop_temporary(struct connector *c, struct view name, struct err *err)
{
	struct buf sql = BUF_INIT(256);
	int rc;

	buf_puts(&sql, "DROP_REPLICATION_SLOT ");
	pg_put_ident(&sql, name);
	rc = pg_exec(c->replication, buf_cstr(&sql), err);
	buf_release(&sql);
	return rc;
}

/* One attempt: 0 = done, 1 = start over, -1 = failed. The slot that gives the snapshot is the connector's own, or, when that exists
 * already, a temporary one: then the stream starts at the temporary one's consistent point. */
static int try_snapshot(struct connector *c, bool own_slot, struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct pg_slot_made made;
	struct buf sql = BUF_INIT(256);
	char temporary[64];
	struct view name = c->config->slot;
	int rc = -1;

	connector_step_enter(c, STEP_SLOT);
	if (!own_slot) {
		snprintf(temporary, sizeof(temporary), "walmill_%d", pg_backend_pid(c->replication));
		name = view_str(temporary);
	}
	pg_set_deadline(c->replication, SLOT_DEADLINE_MS);
	if (pg_slot_create(c->replication, name, !own_slot, &made, err)) {
		slot_made_late(c, err);
		goto out;
	}
	connector_step_enter(c, STEP_SNAPSHOT);
	buf_puts(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ");
	pg_put_literal(&sql, view_str(made.snapshot));
	if (pg_exec(c->plain, buf_cstr(&sql), err))
		goto out;
	rc = lock_tables(c, tables, n, err);
	/* with the snapshot imported a temporary slot has done its work: kept, it would hold back WAL as long as this connection lives */
	if (rc >= 0 && !own_slot && drop_temporary(c, name, err))
		rc = -1;
	if (rc == 0)
		rc = snapshot_run(c, tables, n, made.consistent_point, err);
	if (rc > 0) {
		struct err ignored = ERR_INIT;

		/* nothing was published yet: take all back and start over */
		if (pg_exec(c->plain, "ROLLBACK", &ignored) || (own_slot && pg_slot_drop(c->plain, name, &ignored)))
			rc = -1;
	} else if (rc == 0) {
		rc = pg_exec(c->plain, "COMMIT", err);
		c->start_lsn = c->closed_lsn = made.consistent_point;
		c->have_position = true;
	}
out:
	buf_release(&sql);
	return rc;
}

static int first_start(struct connector *c, const struct pg_slot *slot, struct pg_table_ref *tables, uint32_t n, struct err *err)
{
	struct pg_slot_made made;
	bool own = !slot->exists;
	int rc = 1, tries;

	io_random(c->io, &c->incarnation, sizeof(c->incarnation));
	if (c->config->snapshot == SNAPSHOT_NO_DATA) {
		connector_step_enter(c, STEP_SLOT);
		if (own) {
			pg_set_deadline(c->replication, SLOT_DEADLINE_MS);
			if (pg_slot_create(c->replication, c->config->slot, false, &made, err))
				return slot_made_late(c, err);
		}
		c->start_lsn = own ? made.consistent_point : slot->confirmed_lsn;
		c->closed_lsn = 0;
		payload_begin(&c->payload);
		if (c->out->ops->begin(c->out, err))
			return -1;
		c->have_position = true;
		return unit_close(c, UNIT_PROGRESS, 0, c->start_lsn, c->start_lsn, 0, err);
	}
	for (tries = 0; rc > 0 && tries < SNAPSHOT_TRIES; tries++) {
		err_clear(err);
		rc = try_snapshot(c, own, tables, n, err);
	}
	return rc > 0 ? -1 : rc;
}

/* ---- the session ---- */

static int load_position(struct connector *c, struct err *err)
{
	buf_clear(&c->position_bytes);
	arena_reset(&c->position_arena);
	c->have_position = false;
	if (c->out->ops->last(c->out, &c->position_bytes, err))
		return -1;
	if (c->position_bytes.len == 0)
		return 0;
	if (unit_payload_load(buf_view(&c->position_bytes), &c->position_arena, &c->position, err))
		return -1;
	c->have_position = true;
	c->incarnation = c->position.incarnation;
	/* closed, but durable only when the output says so (streaming.c) */
	c->start_lsn = c->closed_lsn = c->position.end_lsn;
	return 0;
}

static int prepare(struct connector *c, struct err *err)
{
	struct pg_table_ref *tables;
	struct pg_slot slot;
	uint32_t n;

	connector_step_enter(c, STEP_CONNECTING);
	arena_reset(&c->session);
	c->closed_lsn = c->durable_lsn = c->confirmed_lsn = 0;
	c->flight_count = 0;
	if (load_position(c, err) || tables_load_known(c, err) || connect_both(c, err))
		return -1;
	connector_step_enter(c, STEP_CHECKING);
	if (check_server(c, err) || (c->have_position && check_position(c, err)) || check_slot(c, &slot, err))
		return -1;
	connector_step_enter(c, STEP_PUBLICATION);
	if (wanted_tables(c, &tables, &n, err) || ensure_publication(c, tables, n, err))
		return -1;
	if (c->have_position)
		return 0;
	return first_start(c, &slot, tables, n, err);
}

int connector_session(struct connector *c, struct err *err)
{
	int rc;

	rc = prepare(c, err);
	if (rc == 0) {
		lock_take(&c->lock);
		c->status.snapshot_done = true;
		lock_drop(&c->lock);
		connector_step_enter(c, STEP_STREAMING);
		pg_set_deadline(c->replication, 60000);
		rc = pg_stream_start(c->replication, c->config->slot, c->config->publication, c->start_lsn, err);
	}
	if (rc == 0)
		rc = streaming_run(c, err);
	/* the slot or the publication went between our look and the server's, or while streaming */
	if (rc && strcmp(err->sqlstate, "42704") == 0 && c->have_position) {
		err->code = ERR_LOST;
		err->retriable = false;
		lost_hint(err);
	}
	connector_session_end(c);
	return rc;
}

void connector_session_end(struct connector *c)
{
	struct err ignored = ERR_INIT;

	/* what is open in the log belongs to a transaction that will come again */
	(void)c->out->ops->abort(c->out, &ignored);
	pg_close(c->plain);
	pg_close(c->replication);
	c->plain = c->replication = NULL;
	tables_forget(c);
}
