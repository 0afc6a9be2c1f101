/* walmill doctor: looks at the source server beforehand and prints the exact SQL or setting to change. Exit 0 when capture can begin, else
 * 1. */
#include <stdio.h>

#include "base/js.h"
#include "cli/cli.h"
#include "pg/catalog.h"

enum verdict { OK, WARNING, FAILURE };

struct report {
	bool json, first;
	unsigned failures, warnings;
};

static void say(struct report *r, enum verdict v, const char *what, const char *fix)
{
	static const char *const words[] = {"ok", "warning", "failure"};
	struct buf b = BUF_INIT(1 << 16);

	r->failures += v == FAILURE;
	r->warnings += v == WARNING;
	if (r->json) {
		printf("%s", r->first ? "" : ",");
		buf_printf(&b, "{\"verdict\":\"%s\",\"what\":", words[v]);
		js_put_str(&b, what);
		buf_puts(&b, ",\"fix\":");
		js_put_str(&b, fix ? fix : "");
		printf("%s}", buf_cstr(&b));
	} else {
		printf("%-8s %s\n", words[v], what);
		if (fix)
			printf("         -> %s\n", fix);
	}
	r->first = false;
	buf_release(&b);
}

static void check_server(struct report *r, const struct pg_server *s, struct arena *a)
{
	say(r, s->version >= 140000 ? OK : FAILURE, arena_printf(a, "PostgreSQL %d.%d", s->version / 10000, s->version % 10000),
	    s->version >= 140000 ? NULL : "walmill needs PostgreSQL 14 or later");
	if (view_is(s->wal_level, "logical"))
		say(r, OK, "wal_level is logical", NULL);
	else
		say(r, FAILURE, arena_printf(a, "wal_level is %.*s", (int)s->wal_level.len, (const char *)s->wal_level.ptr),
		    "ALTER SYSTEM SET wal_level = 'logical';   then restart the server");
	say(r, view_is(s->encoding, "UTF8") ? OK : FAILURE,
		arena_printf(a, "database %.*s has encoding %.*s", (int)s->database.len, (const char *)s->database.ptr, (int)s->encoding.len,
			(const char *)s->encoding.ptr),
		view_is(s->encoding, "UTF8") ? NULL : "only UTF8 databases can be captured");
	if (s->may_replicate)
		say(r, OK, arena_printf(a, "role %.*s may replicate", (int)s->user.len, (const char *)s->user.ptr), NULL);
	else
		say(r, FAILURE, arena_printf(a, "role %.*s may not replicate", (int)s->user.len, (const char *)s->user.ptr),
		    arena_printf(a, "ALTER ROLE \"%.*s\" REPLICATION;", (int)s->user.len, (const char *)s->user.ptr));
	/* one for the connector, one for a moment during snapshots, backfills and verify */
	say(r,
		s->free_slots >= 2       ? OK
			: s->free_slots == 1 ? WARNING
								 : FAILURE,
		arena_printf(a, "%d of %d replication slots are free", s->free_slots, s->max_slots),
		s->free_slots >= 2 ? NULL : "ALTER SYSTEM SET max_replication_slots = 20;   then restart the server");
	if (s->in_recovery)
		say(r, FAILURE, "the server is a standby", "connect to the primary");
	if (s->max_slot_wal_keep_mb < 0)
		say(r, WARNING, "max_slot_wal_keep_size is unlimited: while walmill is away, the server keeps all WAL until its disk is full",
			"ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();   (a slot that needs more is lost and takes a new "
			"snapshot)");
	else
		say(r, OK, arena_printf(a, "max_slot_wal_keep_size is %lld MB", (long long)s->max_slot_wal_keep_mb), NULL);
}

static void check_table(struct report *r, const struct pg_table_ref *t, struct arena *a)
{
	const char *name =
		arena_printf(a, "\"%.*s\".\"%.*s\"", (int)t->schema.len, (const char *)t->schema.ptr, (int)t->name.len, (const char *)t->name.ptr);

	if (!t->has_key && t->replica_identity != 'f')
		say(r, WARNING, arena_printf(a, "table %s has no primary key: once published, its own updates and deletes fail", name),
		    arena_printf(a, "ALTER TABLE %s ADD PRIMARY KEY (...);   or   ALTER TABLE %s REPLICA IDENTITY FULL;", name, name));
	if (!t->selectable)
		say(r, FAILURE, arena_printf(a, "table %s cannot be read by this role, so no snapshot of it can be taken", name),
		    arena_printf(a, "GRANT SELECT ON %s TO ...;", name));
	if (!t->owned)
		say(r, WARNING, arena_printf(a, "table %s is not owned by this role, so it cannot add it to a publication", name),
		    arena_printf(a, "CREATE PUBLICATION ... FOR TABLE %s;   as its owner, and publication.autocreate.mode=disabled", name));
	if (t->row_security)
		say(r, FAILURE, arena_printf(a, "row security policies of table %s apply to this role: a snapshot would be refused", name),
		    "give the role BYPASSRLS");
}

/* Columns that events leave out, because of their type. */
static void check_columns(struct report *r, const struct table *t, struct arena *a)
{
	struct buf b = BUF_INIT(1 << 16);
	uint32_t i;

	for (i = 0; i < t->ncolumns; i++) {
		const struct column *c = &t->columns[i];
		bool known = c->base.elem ? c->elem.kind != VALUE_OTHER && c->elem.kind != VALUE_INTERVAL && c->elem.kind != VALUE_NAME
								  : c->base.kind != VALUE_OTHER;

		if (!known || c->generated)
			buf_printf(&b, "%s%.*s%s", b.len ? ", " : "", (int)c->name.len, (const char *)c->name.ptr, c->generated ? " (generated)" : "");
	}
	if (b.len)
		say(r, WARNING,
			arena_printf(a, "table \"%.*s\".\"%.*s\": left out of the events: %s", (int)t->schema.len, (const char *)t->schema.ptr,
				(int)t->name.len, (const char *)t->name.ptr, buf_cstr(&b)),
			"these columns are generated or of a type that is not supported");
	buf_release(&b);
}

/* Of any reader: doctor does not know which are walmill's. */
static void check_slot(struct report *r, const struct pg_slot *s, struct arena *a)
{
	const char *name = arena_str(a, s->name);
	long long kept = (long long)(s->retained_bytes >> 20);

	if (view_is(s->wal_status, "lost"))
		say(r, WARNING, arena_printf(a, "replication slot %s has lost WAL that it needed: it was over max_slot_wal_keep_size", name),
		    arena_printf(a, "SELECT pg_drop_replication_slot('%s');   and if a connector had it: stop it, reset its offsets and resume it",
				 name));
	else if (view_is(s->wal_status, "unreserved"))
		say(r, WARNING, arena_printf(a, "replication slot %s is about to be lost: %lld MB are over max_slot_wal_keep_size", name, kept),
		    "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();   and see why its reader is behind");
	else if (view_is(s->wal_status, "extended"))
		say(r, WARNING, arena_printf(a, "%lld MB of WAL are kept for replication slot %s", kept, name), "see why its reader is behind");
}

static int look(struct report *r, struct pg_conn *c, struct arena *a, struct err *err)
{
	struct pg_table_ref *tables;
	struct pg_slot *slots;
	struct pg_server server;
	struct table *t;
	uint32_t i, n;

	if (pg_server_facts(c, a, &server, err) || pg_list_slots(c, a, &slots, &n, err))
		return -1;
	check_server(r, &server, a);
	for (i = 0; i < n; i++)
		check_slot(r, &slots[i], a);
	if (pg_list_tables(c, a, &tables, &n, err))
		return -1;
	for (i = 0; i < n; i++) {
		check_table(r, &tables[i], a);
		if (pg_load_table(c, a, tables[i].oid, &t, err))
			return -1;
		check_columns(r, t, a);
	}
	say(r, n ? OK : WARNING, arena_printf(a, "%u tables that can be captured", n),
		n ? NULL : "name the database that has your tables: --source 'host=... dbname=...'");
	return 0;
}

static int run(struct cli *c)
{
	struct report r = {.json = c->json, .first = true};
	struct arena a = ARENA_INIT;
	struct pg_params source;
	struct pg_conn *conn;
	struct err err = ERR_INIT;
	int rc;

	if (cli_params(c, SET_SOURCE, true, &source, &err))
		return cli_error(&err);
	rc = pg_connect(&source, PG_CONN_PLAIN, "walmill doctor", -1, &conn, &err);
	if (rc == 0) {
		if (c->json)
			printf("[");
		rc = look(&r, conn, &a, &err);
		if (c->json)
			printf("]\n");
		pg_close(conn);
	}
	pg_params_release(&source);
	arena_release(&a);
	if (rc)
		return cli_error(&err);
	if (!c->json)
		printf("%u failures, %u warnings\n", r.failures, r.warnings);
	return r.failures ? EXIT_FAILED : 0;
}

const struct command command_doctor = {"doctor", "doctor", "look at the source server and say what to change", NULL, 0, run};
