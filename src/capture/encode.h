/*
 * Row changes to records: a table schema and a connector's configuration compiled once, then one call per change.
 *
 * All of Debezium's envelope, JsonConverter's schema wrapping and the transforms of the configuration happen at compile time as far as they
 * can: what is the same for every row (schemas, names, the constant parts of `source`) is kept as bytes. A change gives up to three records
 * (a key change: delete, tombstone, create).
 *
 * One thread, the connector's. What is handed to the emit function lives until it returns.
 */
#ifndef WALMILL_CAPTURE_ENCODE_H
#define WALMILL_CAPTURE_ENCODE_H

#include "capture/config.h"
#include "model/change.h"
#include "model/schema.h"
#include "model/unit.h"
#include "pg/pgoutput.h"

struct table_encoder;

/* JSON of a column's schema default, by column index, ptr NULL where there is none: what pg_constant_default gave, or a placeholder for a
 * function. Filled by table_encoder_new from the binary values in `constants` (may be NULL). */
int table_encoder_new(const struct connector_config *c, struct table *t, const struct view *constants, struct view database,
		      struct table_encoder **ret, struct err *err) WM_MUST_USE;
void table_encoder_free(struct table_encoder *e);

/* Columns that have no encoding and are left out, as a comma separated list; empty when there are none. */
struct view table_encoder_omitted(const struct table_encoder *e);

/* Where a change comes from. */
struct change_origin {
	const char *snapshot;    /* "first", "true", "last"...; NULL while streaming */
	lsn_t lsn;
	lsn_t last_commit_lsn;   /* 0 = none seen yet */
	uint32_t xid;
	int64_t source_us;       /* commit time, or the snapshot's */
	int64_t now_us;          /* processing time */
};

enum change_op { OP_READ = 'r', OP_CREATE = 'c', OP_UPDATE = 'u', OP_DELETE = 'd', OP_TRUNCATE = 't' };

/* What the bytes of one record do not say. */
struct emitted {
	const struct change_record *record;
	const struct unit_exception *exceptions; /* topic and record are left for the receiver to fill */
	unsigned nexceptions;
};

typedef int (*emit_fn)(void *arg, const struct emitted *out, struct err *err);

/*
 * Maps positions in the tuples that will come (a RELATION message's columns or a COPY's) to the table's columns by name; names that the
 * table does not have are ignored. Must be called before the first change.
 */
void table_encoder_map(struct table_encoder *e, const struct view *names, uint32_t n);

/* old_kind as in pgoutput: 'K', 'O' or 0. ERR_DATA naming table and column when a value's bytes cannot be read. */
int table_encode(struct table_encoder *e, enum change_op op, const struct pg_tuple *old, char old_kind, const struct pg_tuple *new,
		 const struct change_origin *origin, emit_fn emit, void *arg, struct err *err) WM_MUST_USE;

/* A heartbeat record for this configuration. */
int encode_heartbeat(const struct connector_config *c, int64_t now_us, emit_fn emit, void *arg, struct err *err) WM_MUST_USE;

/* A topic's name after the configuration's routers, and the name under which schemas are published (by-logical-table routers change it
 * too). */
int encode_route(const struct connector_config *c, struct view topic, struct arena *a, struct view *ret_topic, struct view *ret_schema_name,
		 struct err *err) WM_MUST_USE;

/* "prefix.schema.table" with everything that Kafka does not allow in a topic turned into underscores. */
struct view encode_topic_name(const struct connector_config *c, struct view schema, struct view table, struct arena *a);

#endif
