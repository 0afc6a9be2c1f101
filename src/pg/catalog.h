/*
 * What walmill asks the source's catalog: the server, its tables and their columns, publications and slots. Plain SQL on a plain or a
 * replication connection, all names schema-qualified (the session has an empty search_path). Results live in the arena given.
 */
#ifndef WALMILL_PG_CATALOG_H
#define WALMILL_PG_CATALOG_H

#include "model/schema.h"
#include "model/unit.h"
#include "pg/conn.h"

struct pg_server {
	int version;               /* 150018 */
	uint64_t system_id;
	uint32_t database_oid;
	struct view database, user;
	struct view wal_level;     /* minimal, replica, logical */
	struct view encoding;      /* UTF8 */
	bool in_recovery;
	bool superuser;
	bool may_replicate;        /* superuser or REPLICATION */
	int max_slots, free_slots; /* replication slots */
	int max_senders;
	int64_t max_slot_wal_keep_mb; /* -1 = unlimited */
};

int pg_server_facts(struct pg_conn *c, struct arena *a, struct pg_server *ret, struct err *err) WM_MUST_USE;

/* A table that could be captured: ordinary and partitioned tables outside the system's schemas. */
struct pg_table_ref {
	uint32_t oid;
	struct view schema, name;
	char kind;                 /* r, p */
	char replica_identity;
	bool is_partition;
	bool has_key;              /* primary key, or replica identity index */
	bool selectable;           /* this user may SELECT from it */
	bool owned;                /* this user may ALTER it */
	bool row_security;         /* policies would apply to this user */
	int64_t rows_estimate;     /* -1 = never analyzed */
};

/* Sorted by schema and name, bytewise. */
int pg_list_tables(struct pg_conn *c, struct arena *a, struct pg_table_ref **ret, uint32_t *ret_n, struct err *err) WM_MUST_USE;

/* schema.name, ...: oid and the rest may be missing */
void pg_put_table_list(struct buf *sql, const struct pg_table_ref *tables, uint32_t n);

/*
 * A table's columns, key and types. `form`, `published`, `topic` and the defaults' JSON are left for capture to fill. The key is the
 * primary key; without one, the columns of the first unique index (by name) that has neither expressions nor a predicate. ERR_NOT_FOUND
 * when there is no such table.
 */
int pg_load_table(struct pg_conn *c, struct arena *a, uint32_t oid, struct table **ret, struct err *err) WM_MUST_USE;

/* The value of a constant default expression ('text'::type, a number, true, a cast of these) in the type's binary form; *ret.ptr NULL when
 * the expression is anything else: functions of the user are never called. */
int pg_constant_default(struct pg_conn *c, struct arena *a, const struct column *col, struct view *ret, struct err *err) WM_MUST_USE;

struct pg_slot {
	bool exists;
	struct view name;
	bool temporary, active;
	int active_pid;
	struct view plugin, database, wal_status; /* wal_status: reserved, extended, unreserved, lost, or "" */
	lsn_t restart_lsn, confirmed_lsn;         /* 0 = NULL */
	int64_t retained_bytes;                   /* WAL kept for it */
};

int pg_slot_facts(struct pg_conn *c, struct arena *a, struct view name, struct pg_slot *ret, struct err *err) WM_MUST_USE;
/* Those of the database that is connected to, by name. */
int pg_list_slots(struct pg_conn *c, struct arena *a, struct pg_slot **ret, uint32_t *ret_n, struct err *err) WM_MUST_USE;
int pg_slot_drop(struct pg_conn *c, struct view name, struct err *err) WM_MUST_USE;

struct pg_publication {
	bool exists;
	bool all_tables, insert, update, delete, truncate, via_root;
	bool owned;
	uint32_t ntables;
	struct pg_table_ref *tables;   /* oid, schema, name only */
};

/* One way by which a table is in a publication. The same table may be in it by several. */
struct pg_member {
	uint32_t table;
	uint32_t by;                   /* oid of the row of pg_publication_rel or pg_publication_namespace; 0 = FOR ALL TABLES */
	bool filtered;                 /* a row filter or a column list */
};

/*
 * What is published, in a form that a change cannot leave as it was: taking a table out and putting it back, or giving it another
 * filter, makes another row; ALTER PUBLICATION ... SET (...), RENAME TO and OWNER TO write `xmin` anew. pgoutput looks at all of this as
 * it was when a row was written, so what was written between two equal looks was published throughout.
 */
struct pg_membership {
	uint32_t publication;          /* its oid; 0 = there is none of that name */
	uint32_t xmin, owner;
	uint8_t publishes;             /* bits: 1 insert, 2 update, 4 delete, 8 truncate, 16 via_root */
	uint32_t nmembers;
	struct pg_member *members;     /* ordinary tables, by table and by `by` */
};

int pg_publication_members(
	struct pg_conn *c, struct arena *a, struct view name, int server_version, struct pg_membership *ret, struct err *err) WM_MUST_USE;

int pg_publication_facts(struct pg_conn *c, struct arena *a, struct view name, struct pg_publication *ret, struct err *err) WM_MUST_USE;

#endif
