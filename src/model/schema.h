/*
 * Table schemas: a table as it was while a stretch of changes was written, with what a connector's settings made of each column.
 *
 * Capture builds one from the catalog, gives it a version, and stores it in the log before the first unit that uses it; whoever reads
 * published bytes back into rows decodes by that version, never by the catalog of today. Everything lives in the arena it was built or
 * loaded in and is read-only afterwards, so any thread may hold it.
 */
#ifndef WALMILL_MODEL_SCHEMA_H
#define WALMILL_MODEL_SCHEMA_H

#include "model/value.h"

/* What became of a column in the published bytes, as far as reading it back is concerned. The numbers are stored: only append. */
enum column_form {
	FORM_OMITTED = 0,       /* not in the bytes */
	FORM_LOST = 1,          /* there, but the source's value cannot be told from it: masked, hashed, truncated, changed by a transform */
	FORM_PLAIN = 2,         /* JSON boolean, integer, or string with the server's text */
	FORM_FLOAT = 3,         /* JSON number, or "NaN", "Infinity", "-Infinity" */
	FORM_DECIMAL_TEXT = 4,  /* string, plain digits; NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY */
	FORM_DECIMAL_BYTES = 5, /* base64 of the unscaled two's complement, scale by the typmod */
	FORM_DECIMAL_VARIABLE = 6, /* {"scale":n,"value":base64}, trailing zeros gone */
	FORM_DECIMAL_DOUBLE = 7, /* JSON number by way of a double */
	FORM_EPOCH_DAYS = 8,    /* days since 1970-01-01 */
	FORM_EPOCH_MS = 9,      /* milliseconds since 1970-01-01, or since midnight */
	FORM_EPOCH_US = 10,
	FORM_EPOCH_NS = 11,
	FORM_ISO_UTC = 12,      /* "2024-03-30T22:30:00.000000Z" */
	FORM_ISO_LOCAL = 13,    /* the isostring forms of date, time, timestamp */
	FORM_INTERVAL_ISO = 14, /* "P1Y2M3DT4H5M6.78S" */
	FORM_INTERVAL_US = 15,  /* a number of microseconds: months and days are lost */
	FORM_BASE64 = 16,
	FORM_BASE64_URL = 17,
	FORM_HEX = 18,
	FORM_ARRAY = 19,        /* JSON array, elements in `elem_form` */
};

enum { COLUMNS_MAX = 1664, KEY_COLUMNS_MAX = 32 }; /* the server's own limits, MaxTupleAttributeNumber and INDEX_MAX_KEYS */

struct column {
	struct view name;           /* in the table */
	struct view published;      /* field name in the published bytes */
	int16_t attnum;
	uint16_t key;               /* 1.. = place in the primary key (or what stands for it); 0 = not in it */
	bool not_null;
	bool generated;             /* GENERATED ALWAYS AS (...) STORED */
	bool has_default;           /* published_default means something */
	uint8_t form, elem_form;    /* enum column_form */
	struct type type;           /* as pg_attribute has it; a domain keeps its own oid */
	struct type base;           /* domains resolved to the type at their bottom, with the typmod that is in force */
	struct type elem;           /* arrays: the element type, domains resolved; else oid 0 */
	struct view default_expr;   /* the server's text of DEFAULT, or ptr NULL */
	struct view published_default; /* JSON text that stands for NULL in the published bytes */
	struct view *labels;        /* enums (and arrays of them): labels in order */
	uint32_t nlabels;
};

struct table {
	uint32_t oid;
	uint32_t version;           /* within one connector, from 1; 0 = not stored yet */
	struct view schema, name;
	struct view topic;          /* where its rows are published */
	char replica_identity;      /* pg_class.relreplident: d, f, n, i */
	char kind;                  /* pg_class.relkind: r, p */
	bool flattened;             /* published as bare rows rather than as envelopes */
	bool deletes_lost;          /* delete events are dropped or published without their row */
	struct column *columns;     /* in attnum order, dropped ones left out */
	uint32_t ncolumns;
	uint16_t key[KEY_COLUMNS_MAX]; /* indexes into columns, in key order */
	uint32_t nkey;
};

/* Index of the column with that attribute number or name, or -1. */
int table_find_attnum(const struct table *t, int attnum);
int table_find_column(const struct table *t, struct view name);

/* Stored form (little endian, uvarint lengths, a format byte in front). Loading allocates in the arena and copies all text into it. */
void table_store(struct buf *b, const struct table *t);
int table_load(struct view bytes, struct arena *a, struct table **ret, struct err *err) WM_MUST_USE;

/* Same in everything that decides what published bytes mean; versions are not looked at. */
bool table_same(const struct table *a, const struct table *b);

#endif
