/*
 * The Kafka protocol's encoding: one decoder and one encoder for all messages, by the descriptions that tools/kafka_messages.py makes from
 * messages.txt. Plain functions over bytes; no state, any thread.
 *
 * Integers are big endian. A string is an i16 length (-1: null) and bytes, an array an i32 count (-1: null) and elements, bytes an i32
 * length. From a message's first flexible version on, lengths and counts are uvarints of themselves plus one (0: null), and each struct,
 * elements of arrays included, ends with its tagged fields: a uvarint count, then of each the tag, the size and the value.
 *
 * In C: strings and bytes are views (ptr NULL: null), an array is a pointer and n_NAME (-1: null), a struct that may be absent a pointer.
 * Decoded views point into the decoded bytes, arrays into the arena.
 */
#ifndef WALMILL_KAFKA_WIRE_H
#define WALMILL_KAFKA_WIRE_H

#include "base/arena.h"
#include "base/err.h"

enum wire_type {
	WIRE_BOOL, WIRE_I8, WIRE_I16, WIRE_U16, WIRE_I32, WIRE_U32, WIRE_I64, WIRE_UUID, WIRE_STRING, WIRE_BYTES, WIRE_RECORDS,
	WIRE_ARRAY, WIRE_MAYBE, WIRE_STRUCT,
};

struct uuid {
	uint8_t b[16];
};

struct wire_struct;

struct wire_field {
	const char *name;
	uint8_t type, element;      /* element: of an array */
	int8_t tag;                 /* -1: not tagged */
	int16_t from, to;           /* versions that have it */
	int16_t null_from, null_to; /* versions in which it may be null */
	int64_t preset;             /* its value in versions that do not have it */
	uint32_t at, count_at;      /* offsets in the struct: of the value, of an array's count */
	const struct wire_struct *of;
};

struct wire_struct {
	const char *name;
	uint32_t size;
	const struct wire_field *fields;
	uint32_t n;
};

struct wire_message {
	const char *name;
	int16_t key;                /* -1: stored, not sent */
	int16_t from, to, flexible;
	const struct wire_struct *request, *response;
};

enum { WIRE_DECODED_MAX = 16 << 20 }; /* bytes of arrays that one message may decode to */

/* The whole of `bytes` as one struct. False when it is not one: too short, something left over, a null where none may be, counts or lengths
 * beyond the bytes, or more than WIRE_DECODED_MAX. */
bool wire_decode(const struct wire_struct *s, int version, bool flexible, struct view bytes, struct arena *a, void *ret)
	__attribute__((warn_unused_result));

/* The same from where a reader stands; what is behind is left. */
bool wire_decode_some(const struct wire_struct *s, int version, bool flexible, struct reader *r, struct arena *a, void *ret)
	__attribute__((warn_unused_result));

/* Appends; ends in buf_ok. A null where none may be is written as empty. */
void wire_encode(const struct wire_struct *s, int version, bool flexible, const void *value, struct buf *out);

/* Record batches that were left out of a buffer, to be sent from where they lie; in order. The list is owned, the bytes are not. */
struct wire_pieces {
	struct wire_piece {
		size_t at;              /* they belong in front of this byte of the buffer */
		struct view bytes;
	} *list;
	uint32_t n, cap;
	size_t bytes;               /* of all together */
};
void wire_pieces_release(struct wire_pieces *p);

/* The same, but for fields of record batches that are worth it: those are added to `pieces`. */
void wire_encode_apart(
	const struct wire_struct *s, int version, bool flexible, const void *value, struct buf *out, struct wire_pieces *pieces);

/* All fields at their presets; arrays empty, strings empty or, where some version allows it, null. */
void wire_init(const struct wire_struct *s, void *value);

/* Skips a flexible struct's tagged fields. */
void wire_skip_tags(struct reader *r);

#endif
