/*
 * One session of a connector: connect, compare what the server is with what the log says, make the publication, begin (first_start.c) or go
 * on, stream.
 *
 * The comparisons are the ones that keep a gap from passing unseen (each has a test): another server, a server that lost WAL we have, a
 * slot that is gone, was made anew, or was moved by somebody else. All of them are ERR_LOST: the connector stops and says what to do.
 */
#include <stdio.h>
#include <unistd.h>

#include "capture/connector_internal.h"

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
	if (s->in_recovery) {
		err_set(err, ERR_BUSY, "the server is a standby or being restored: it is in recovery");
		return err_hint(err, "Connect to the primary. walmill tries again, should this server be promoted.");
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

int connector_hint_reset(const struct connector *c, struct err *err, const char *before)
{
	return err_hint(err,
		"%sStop the connector, reset its offsets (DELETE /connectors/%.*s/offsets) and resume it: it takes a new snapshot, and jobs follow "
		"it.",
		before, (int)c->config->name.len, (const char *)c->config->name.ptr);
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
	char before[350];
	bool made = c->config->publication_mode == PUBLICATION_FILTERED || c->config->publication_mode == PUBLICATION_ALL_TABLES;

	if (membership_missed(c, err))
		return -1;

	err_set(err, ERR_LOST, "publication \"%.*s\" does not exist any more", (int)p.len, (const char *)p.ptr);
	err_detail(err, "Changes are published from " LSN_FORMAT " on; what is written while there is no publication is not.",
		LSN_ARGS(c->position.end_lsn));
	snprintf(before, sizeof(before),
		"If it was renamed, run ALTER PUBLICATION ... RENAME TO \"%.*s\"; and restart the connector. If it was dropped, begin anew%s. ",
		(int)p.len, (const char *)p.ptr, made ? "" : ", after CREATE PUBLICATION ... FOR TABLE ...;");
	return connector_hint_reset(c, err, before);
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
		pg_put_table_list(&sql, tables, n);
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
		pg_put_table_list(&sql, tables, n);
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
		return (c->have_position && membership_check(c, tables, n, err)) || adjust_publication(c, &p, tables, n, err) ? -1 : 0;
	return c->have_position ? publication_lost(c, err) : create_publication(c, tables, n, err);
}

int connector_wanted_tables(
	struct connector *c, struct arena *a, struct pg_table_ref **ret, uint32_t *ret_n, uint32_t *ret_all, struct err *err)
{
	struct pg_table_ref *all;
	uint32_t i, n, kept = 0;

	if (pg_list_tables(c->plain, a, &all, &n, err))
		return -1;
	for (i = 0; i < n; i++)
		if (connector_config_wants(c->config, all[i].schema, all[i].name))
			all[kept++] = all[i];
	*ret = all;
	*ret_n = kept;
	*ret_all = n;
	return 0;
}

/* The same, less what cannot be captured as it is, with a word about that. */
static int wanted_tables(struct connector *c, struct pg_table_ref **ret, uint32_t *ret_n, struct err *err)
{
	struct pg_table_ref *all;
	uint32_t i, n, existing, kept = 0;

	if (connector_wanted_tables(c, &c->session, &all, &n, &existing, err))
		return -1;
	for (i = 0; i < n; i++) {
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
			err, "table.include.list holds regular expressions for schema.table, such as public\\.orders; the database has %u tables.",
			existing);
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

static int slot_gone(const struct connector *c, struct err *err)
{
	slot_lost(c, err, "does not exist any more");
	if (c->position.timeline != c->identity.timeline)
		err_detail(err, "The server is on timeline %u, the log on %u: a standby that was promoted does not have the slots of its primary.",
			c->identity.timeline, c->position.timeline);
	return -1;
}

/* The server removed WAL that the slot needed. The slot stays behind, of no use to anybody, until it is dropped. */
static int slot_overrun(const struct connector *c, struct err *err)
{
	struct view name = c->config->slot;
	char before[200];

	slot_lost(c, err, "has lost WAL that it needed: it was over max_slot_wal_keep_size");
	if (c->have_position)
		err_detail(err, "max_slot_wal_keep_size is %lld MB. Changes are captured up to " LSN_FORMAT "; later ones cannot be had any more.",
			(long long)c->server.max_slot_wal_keep_mb, LSN_ARGS(c->position.end_lsn));
	snprintf(before, sizeof(before), "Run SELECT pg_drop_replication_slot('%.*s'); on the source. ", (int)name.len, (const char *)name.ptr);
	if (!c->have_position)
		return err_hint(err, "%sThen restart the connector: it makes another one.", before);
	return connector_hint_reset(c, err, before);
}

static int check_slot(struct connector *c, struct pg_slot *slot, struct err *err)
{
	struct view name = c->config->slot;

	if (pg_slot_facts(c->plain, &c->session, name, slot, err))
		return -1;
	if (!slot->exists)
		return c->have_position ? slot_gone(c, err) : 0;
	if (!view_is(slot->plugin, "pgoutput") || !view_eq(slot->database, c->database)) {
		err_set(err, ERR_INVALID, "replication slot \"%.*s\" is of plugin \"%.*s\" and database \"%.*s\"", (int)name.len,
			(const char *)name.ptr, (int)slot->plugin.len, (const char *)slot->plugin.ptr, (int)slot->database.len,
			(const char *)slot->database.ptr);
		return err_hint(err, "Set slot.name to one that is not taken, or drop that slot.");
	}
	if (view_is(slot->wal_status, "lost"))
		return slot_overrun(c, err);
	if (slot->active) {
		err_set(err, ERR_BUSY, "replication slot \"%.*s\" is active for PID %d", (int)name.len, (const char *)name.ptr, slot->active_pid);
		return err_hint(err, "Another reader has it. walmill tries again; end that reader if it should not be there.");
	}
	if (c->have_position && slot->confirmed_lsn > c->position.end_lsn) {
		slot_lost(c, err, "was moved or made anew by somebody else");
		return err_detail(err, "Its confirmed position is " LSN_FORMAT ", the log ends at " LSN_FORMAT ".", LSN_ARGS(slot->confirmed_lsn),
				  LSN_ARGS(c->position.end_lsn));
	}
	c->slot_restart = 0;
	return c->have_position ? membership_check_slot(c, slot, err) : 0;
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
	if (wanted_tables(c, &tables, &n, err) || ensure_publication(c, tables, n, err) || membership_look(c, err))
		return -1;
	if (!c->have_position && connector_first_start(c, &slot, tables, n, err))
		return -1;
	return membership_keep(c, tables, n, err);
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
