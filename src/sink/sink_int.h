/* The inside of a sink, shared by sink.c (connection, position, writing), target.c (what the targets are) and replace.c (all rows). */
#ifndef WALMILL_SINK_SINK_INT_H
#define WALMILL_SINK_SINK_INT_H

#include "model/value_text.h"
#include "sink/sink.h"

struct target {
	struct view schema, name;        /* of the table, as resolved */
	const struct sql_statement *st;
	struct view *columns;            /* target column of each result column */
	struct view *types;              /* what a row's text is cast to: the result column's type, or the target's where that is its own */
	bool *as_text;                   /* cast row by row: a type whose arrays are not arrays of it (arrays, the users' own types) */
	struct view *target_types;       /* the target column's as a server without its types knows it, "" for none */
	struct view quoted;              /* "schema"."name" */
	uint32_t *key, nkey;             /* result columns that make the key */
	struct view defaults;            /* ", "c" = DEFAULT" for the columns that the INSERT does not name */
	bool staged;                     /* replace.c: its new rows go into a temporary table first */
};

struct sink {
	struct arena arena;
	const struct sql_job *job;
	char *name;
	struct pg_params params;
	struct pg_conn *conn;
	int interrupt_fd;
	struct target *targets;
	struct flow_key *keys;
	int64_t epoch;
	struct sink_position position;   /* as it stands in the target */
	struct buf *columns_text;        /* array literals being built */
	uint32_t ncolumns_text;
	uint64_t staged_rows;            /* that went into temporary tables, of this replacement */
};

/* target.c: reads the catalog, fills s->targets and s->keys. */
int targets_load(struct sink *s, struct err *err);
int targets_prepare(struct sink *s, struct err *err);
void target_put_name(struct buf *b, const struct target *t);
/*
 * DELETE of the rows whose keys are the parameters' arrays, one for each of the key's columns but those in `nulls` (bit i: the i-th of the
 * key; an index of PostgreSQL has at most 32), which are null in all of these rows. One statement for each such set, because an index
 * serves = and IS NULL, but not IS NOT DISTINCT FROM: that would read the whole table for every row. Without a key: all rows, of which
 * there is one at most.
 */
void target_put_delete(struct buf *b, const struct target *t, uint32_t nulls);
static inline bool target_key_is_null(uint32_t nulls, uint32_t i) { return i < 32 && nulls >> i & 1; }
void target_put_columns(struct buf *b, const struct target *t); /* ("a", "b") */
/* The columns and SELECT over the parameters' arrays: what follows INSERT INTO name. */
void target_put_rows(struct buf *b, const struct target *t);

/* replace.c. begin chooses the targets whose rows are compared (staged), outside of a transaction; their new rows are run as statement nI
 * and followed by replace_queue, all in a pipeline; end takes away what begin made. */
int replace_begin(struct sink *s, struct err *err);
int replace_queue(struct sink *s, uint32_t i, struct err *err);
void replace_end(struct sink *s);

#endif
