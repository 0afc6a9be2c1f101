/*
 * Decoder of pgoutput messages, protocol version 1. Source: PostgreSQL documentation, "Logical Replication Message Formats".
 *
 * Pure: bytes in, a struct out, no I/O. Everything decoded borrows from the message. Fuzzed (test/fuzz/pgoutput.c).
 */
#ifndef WALMILL_PG_PGOUTPUT_H
#define WALMILL_PG_PGOUTPUT_H

#include "model/schema.h"
#include "model/unit.h"

enum pgoutput_kind {
	PGOUTPUT_BEGIN = 'B',
	PGOUTPUT_COMMIT = 'C',
	PGOUTPUT_ORIGIN = 'O',
	PGOUTPUT_RELATION = 'R',
	PGOUTPUT_TYPE = 'Y',
	PGOUTPUT_INSERT = 'I',
	PGOUTPUT_UPDATE = 'U',
	PGOUTPUT_DELETE = 'D',
	PGOUTPUT_TRUNCATE = 'T',
	PGOUTPUT_MESSAGE = 'M',
};

/* One column of a row as it travels: also what a snapshot's COPY yields. */
struct pg_datum {
	char kind;            /* 'n' null, 'u' unchanged TOAST, 't' text, 'b' binary */
	struct view bytes;
};

struct pg_tuple {
	uint32_t n;
	struct pg_datum cols[COLUMNS_MAX];
};

struct pgoutput_column {
	struct view name;
	bool identity;        /* part of the replica identity */
	uint32_t type_oid;
	int32_t typmod;
};

struct pgoutput_message {
	enum pgoutput_kind kind;
	uint32_t relation;    /* RELATION, INSERT, UPDATE, DELETE */
	uint32_t xid;         /* BEGIN */
	lsn_t commit_lsn;     /* BEGIN, COMMIT: where the commit record begins */
	lsn_t end_lsn;        /* COMMIT: where it ends */
	int64_t commit_us;    /* BEGIN, COMMIT: since 1970 */
	char old_kind;        /* UPDATE, DELETE: 'K' key columns only, 'O' whole old row, 0 none */
	struct pg_tuple *old; /* UPDATE, DELETE */
	struct pg_tuple *new; /* INSERT, UPDATE */
	struct view namespace, name; /* RELATION, TYPE; empty namespace = pg_catalog */
	char replica_identity;       /* RELATION */
	uint32_t ncolumns;           /* RELATION */
	struct pgoutput_column *columns;
	uint32_t nrelations;  /* TRUNCATE */
	uint32_t *relations;
	uint8_t truncate_flags; /* 1 cascade, 2 restart identity */
	uint32_t type_oid;    /* TYPE */
	bool transactional;   /* MESSAGE */
	lsn_t message_lsn;
	struct view prefix, content;
};

/* Room that a message is decoded into; reused from message to message. */
struct pgoutput_decoder {
	struct pg_tuple old, new;
	struct pgoutput_column columns[COLUMNS_MAX];
	uint32_t *relations;
	uint32_t relations_cap;
};

struct pgoutput_decoder *pgoutput_decoder_new(void);
void pgoutput_decoder_free(struct pgoutput_decoder *d);

/* ERR_PROTOCOL with kind and offset when the bytes are not a message. *ret lives until the next call. */
int pgoutput_decode(struct pgoutput_decoder *d, struct view bytes, struct pgoutput_message *ret, struct err *err) WM_MUST_USE;

/* A row of COPY ... (FORMAT binary): int16 count, then int32 length and bytes each. Used by snapshots. */
int pg_copy_row_decode(struct view bytes, struct pg_tuple *ret, struct err *err) WM_MUST_USE;

#endif
