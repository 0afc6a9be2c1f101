/*
 * One column's value from the server's binary send format to the JSON that Debezium's PostgreSQL connector and Connect's JsonConverter
 * make of it. What is chosen by type and configuration is chosen once, when a table is compiled; per row there is one call through a
 * pointer.
 */
#ifndef WALMILL_CAPTURE_ENCODE_VALUE_H
#define WALMILL_CAPTURE_ENCODE_VALUE_H

#include "capture/config.h"
#include "model/schema.h"
#include "model/unit.h"

enum put_result {
	PUT_PLAIN = 0,
	PUT_BAD = -1,              /* the bytes are not a value of the type */
	PUT_NAN = EXCEPTION_NAN,   /* the JSON says something else, or less, than the value */
	PUT_INFINITY = EXCEPTION_INFINITY,
	PUT_NEG_INFINITY = EXCEPTION_NEG_INFINITY,
	PUT_LOST = EXCEPTION_LOST,
};

struct value_encoder;
typedef enum put_result (*put_fn)(struct buf *b, const struct value_encoder *e, struct view raw);

struct value_encoder {
	put_fn put;
	uint8_t form;              /* enum column_form */
	int16_t scale;             /* numeric: digits behind the point; times: fraction digits */
	const struct value_encoder *elem; /* arrays */
	struct view schema;        /* JSON of the Connect schema between {"type": and ,"optional": i.e. "int32" or "array","items":{...} */
	struct view schema_tail;   /* what follows optional: ,"name":"...","version":1,... or empty */
	struct view zero;          /* JSON for a NOT NULL column without a value */
};

/* Fills *ret; false when walmill has no encoding for the type, which leaves the column out of the events. */
bool value_encoder_init(struct value_encoder *ret, const struct connector_config *c, const struct column *col, struct arena *a);

/* The JSON that stands for an unchanged out-of-line value of this column. */
struct view value_encoder_unavailable(
	const struct value_encoder *e, const struct connector_config *c, const struct column *col, struct arena *a);

/* The schema default of a function such as now() or nextval(), by the value's kind; ptr NULL when there is none. */
struct view value_encoder_function_default(const struct value_encoder *e, const struct column *col);

#endif
