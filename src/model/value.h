/*
 * Values: one SQL value in 24 bytes, and what PostgreSQL means by equal, less and same text.
 *
 * A value borrows: text, bytes and big numerics point into an arena, a message or an arrangement that outlives it (value_copy moves them
 * into another arena). Values know their kind and nothing else; typmod, oid and collation are the type's (struct type). Nothing here
 * allocates outside the arena given; any thread, nothing is shared.
 *
 * Representation per kind:
 *	BOOL                    i = 0 or 1
 *	INT2 INT4 INT8 OID      i
 *	FLOAT4 FLOAT8           d (a float4 is held exactly as a double)
 *	NUMERIC                 form, scale, coef or big: through value_num() and value_of_num(), model/num.h
 *	TEXT VARCHAR BPCHAR CITEXT NAME ENUM JSON JSONB OTHER   text, the server's output text in UTF-8 (BPCHAR with its blanks)
 *	BYTEA                   text, the raw bytes
 *	DATE                    i = days since 2000-01-01; DATE_NEG_INF and DATE_POS_INF (datetime.h) as in the server
 *	TIME                    i = microseconds since midnight, 24:00 included
 *	TIMESTAMP TIMESTAMPTZ   i = microseconds since 2000-01-01 (UTC for TIMESTAMPTZ); INT64_MIN and INT64_MAX are -/+infinity
 *	INTERVAL                interval.{us, days, months}
 *	UUID                    uuid, 16 bytes
 *
 * Equality (value_equal, value_hash, value_put_key agree with each other) is the type's `=` as GROUP BY, DISTINCT and equi-joins use it:
 * numeric by value, -0 = 0, NaN = NaN, bpchar without its trailing blanks, interval by length (1 mon = 30 days = 720 h), jsonb by
 * content. NULL equals NULL here (GROUP BY's rule); three-valued `=` is the expression evaluator's. Kinds of one family (the integers;
 * the floats; text, varchar and name) compare with each other; other mixtures are a bug of the caller. citext compares by bytes here:
 * its own equality depends on the server's locale, so module sql refuses to group, join or compare by it.
 *
 * Order (value_cmp) is the type's btree order, NULL last. Text is compared by bytes, which is COLLATE "C"; module sql refuses other
 * collations wherever order matters. Enums and `OTHER` have no order here, sql refuses it.
 */
#ifndef WALMILL_MODEL_VALUE_H
#define WALMILL_MODEL_VALUE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

/* The numbers are stored in state files: only ever append. */
enum value_kind {
	VALUE_NONE = 0,         /* no type: a bare NULL literal */
	VALUE_BOOL = 1,
	VALUE_INT2 = 2,
	VALUE_INT4 = 3,
	VALUE_INT8 = 4,
	VALUE_FLOAT4 = 5,
	VALUE_FLOAT8 = 6,
	VALUE_NUMERIC = 7,
	VALUE_TEXT = 8,
	VALUE_VARCHAR = 9,
	VALUE_BPCHAR = 10,
	VALUE_CITEXT = 11,
	VALUE_NAME = 12,
	VALUE_BYTEA = 13,
	VALUE_DATE = 14,
	VALUE_TIME = 15,
	VALUE_TIMESTAMP = 16,
	VALUE_TIMESTAMPTZ = 17,
	VALUE_INTERVAL = 18,
	VALUE_UUID = 19,
	VALUE_JSON = 20,
	VALUE_JSONB = 21,
	VALUE_ENUM = 22,
	VALUE_OID = 23,
	VALUE_OTHER = 24,       /* carried as the server's text, passed through only */
	VALUE_KINDS
};

struct num_big;

struct value {
	uint8_t kind;           /* enum value_kind */
	bool null;              /* the rest means nothing then */
	uint8_t form;           /* NUMERIC: enum num_form */
	uint8_t unused;
	uint32_t scale;         /* NUMERIC: display scale */
	union {
		int64_t i;
		double d;
		struct view text;
		struct { int64_t us; int32_t days, months; } interval;
		uint8_t uuid[16];
		struct { uint64_t lo; int64_t hi; } coef;   /* NUM_SMALL: 128-bit two's complement */
		const struct num_big *big;                  /* NUM_BIG */
	};
};

_Static_assert(sizeof(struct value) == 24, "values are kept by the million");

/* A type as the catalog gives it. */
struct type {
	uint8_t kind;           /* enum value_kind */
	int32_t typmod;         /* -1 = none */
	uint32_t oid;           /* pg_type.oid; 0 = not known yet */
	uint32_t elem;          /* arrays: oid of the element type, else 0 (arrays are OTHER) */
	uint32_t collation;     /* pg_collation.oid, 0 = the type has none */
};

static inline struct value value_null(enum value_kind kind) { return (struct value){.kind = (uint8_t)kind, .null = true}; }
static inline struct value value_bool(bool b) { return (struct value){.kind = VALUE_BOOL, .i = b}; }
static inline struct value value_int(enum value_kind kind, int64_t i) { return (struct value){.kind = (uint8_t)kind, .i = i}; }
static inline struct value value_float8(double d) { return (struct value){.kind = VALUE_FLOAT8, .d = d}; }
static inline struct value value_text(enum value_kind kind, struct view v) { return (struct value){.kind = (uint8_t)kind, .text = v}; }

/* The built-in kind of a pg_type oid below 10000 (VALUE_OTHER when walmill has none for it). */
enum value_kind value_kind_of_oid(uint32_t oid);
uint32_t value_kind_oid(enum value_kind kind);       /* 0 for CITEXT, ENUM, OTHER, NONE */
const char *value_kind_name(enum value_kind kind);   /* as format_type() writes it: "timestamp with time zone" */
bool value_kind_is_text(enum value_kind kind);       /* TEXT VARCHAR BPCHAR CITEXT NAME */

bool value_equal(const struct value *a, const struct value *b);
uint64_t value_hash(const struct value *v);
int value_cmp(const struct value *a, const struct value *b);    /* < 0, 0, > 0 */
bool value_same(const struct value *a, const struct value *b);  /* the same spelling too: 1.0 and 1.00 differ, -0 and 0 differ */

/* Key bytes: values are equal if and only if their key bytes are. Self-delimiting, so that a key of several columns is their
 * concatenation. Not ordered, not to be decoded. */
void value_put_key(struct buf *b, const struct value *v);
size_t value_key_size_max(const struct value *v);    /* an upper bound for one value's key bytes */

/* Stored form: lossless, self-describing, self-delimiting; for state files and checkpoints. value_load borrows text from the reader's
 * bytes and allocates only big numerics; -1 with ERR_CORRUPT when the bytes are not a stored value. */
void value_store(struct buf *b, const struct value *v);
int value_load(struct reader *r, struct arena *a, struct value *ret, struct err *err) WM_MUST_USE;

/* The same value with everything it points to copied into the arena. */
struct value value_copy(struct arena *a, const struct value *v);

#endif
