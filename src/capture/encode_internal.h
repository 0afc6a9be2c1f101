/* Compiled tables, shared by encode_compile.c (builds them) and encode.c (runs them). */
#ifndef WALMILL_CAPTURE_ENCODE_INTERNAL_H
#define WALMILL_CAPTURE_ENCODE_INTERNAL_H

#include "capture/encode.h"
#include "capture/encode_value.h"

struct column_encoder {
	struct value_encoder value;
	const struct column *column;
	bool omitted;
	struct view lead;         /* {"name": or ,"name": */
	struct view for_null;     /* what NULL (or no value) becomes: default, null, or zero */
	bool null_is_default;     /* for_null stands for something else than NULL */
	struct view unavailable;
};

/* A field that the unwrap transform adds, ready to be written. */
enum added_kind {
	ADDED_CONSTANT, ADDED_OP, ADDED_TS_MS, ADDED_TS_US, ADDED_TS_NS, ADDED_SOURCE_TS_MS, ADDED_SOURCE_TS_US, ADDED_SOURCE_TS_NS,
	ADDED_SNAPSHOT, ADDED_SEQUENCE, ADDED_TXID, ADDED_LSN,
};

struct added {
	enum added_kind kind;
	struct view lead;         /* ,"__op": */
	struct view header;       /* header name */
	struct view constant;     /* JSON */
};

struct table_encoder {
	struct arena arena;
	const struct connector_config *config;
	const struct table *table;
	const struct transform *unwrap;   /* NULL = envelopes */
	bool unwrap_first;        /* no router before it: the tombstone inherits the delete's headers (recorded) */
	struct column_encoder *columns;
	uint32_t ncolumns;
	uint32_t key[KEY_COLUMNS_MAX], nkey;
	int16_t *map;             /* table column -> tuple position, -1 = not in the tuple */
	struct view omitted;
	/* ready-made bytes */
	struct view key_open, key_close;     /* around the key struct's members */
	struct view value_open, value_close; /* around the payload */
	struct view null_value;              /* a null that keeps its schema */
	struct view source_open, source_mid, source_table; /* constant parts of `source` */
	struct view key_extra;               /* ,"__dbz__physicalTableIdentifier":"..." or empty */
	struct added *fields, *headers;
	unsigned nfields, nheaders;
	/* room for one record */
	struct buf keybuf, oldkeybuf, valuebuf, headerbuf;
	struct unit_exception exceptions[COLUMNS_MAX];
	unsigned nexceptions;
	struct change_header header_list[32];
	unsigned nheader_list;
};

#endif
