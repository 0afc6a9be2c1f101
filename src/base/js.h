/*
 * JSON, exact: text that Java's Jackson would have written, and a reader that never rounds a number.
 *
 * Writing puts bytes on a struct buf; strings are escaped as Jackson 2.16's UTF8JsonGenerator does it: \" \\ \b \f \n \r \t, other control
 * characters as \u00XX in upper-case hex, characters beyond the BMP as a pair of escaped surrogates, everything else raw. Floating point is
 * Java's Double.toString (JDK 17), with NaN and the infinities as strings.
 *
 * Reading is a pull parser over a complete text. Numbers are handed out as their text. Depth is bounded. Duplicate keys are
 * handed out twice; it is the caller who knows what they mean.
 */
#ifndef WALMILL_BASE_JS_H
#define WALMILL_BASE_JS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

/* ---- writing ---- */

/* A quoted string. The bytes are taken for valid UTF-8 (PostgreSQL guarantees it for a UTF8 database). */
void js_put_string(struct buf *b, struct view s);
static inline void js_put_str(struct buf *b, const char *s) { js_put_string(b, view_str(s)); }
void js_put_double(struct buf *b, double d);   /* 3.0, 1.0E10, 1.0E-6, "NaN" */
void js_put_float(struct buf *b, float f);
void js_put_base64(struct buf *b, struct view bytes); /* RFC 4648 with padding, quoted */

/* "key": with the comma that is due when the buffer does not end in { or [ */
void js_put_key(struct buf *b, const char *key);
static inline void js_put_comma(struct buf *b)
{
	if (b->len && b->ptr[b->len - 1] != '{' && b->ptr[b->len - 1] != '[')
		buf_putc(b, ',');
}

/* ---- reading ---- */

enum js_kind { JS_END, JS_OBJECT, JS_OBJECT_END, JS_ARRAY, JS_ARRAY_END, JS_STRING, JS_NUMBER, JS_TRUE, JS_FALSE, JS_NULL, JS_BAD };

enum { JS_DEPTH_MAX = 64 };

struct js_reader {
	const uint8_t *start, *ptr, *end;
	const char *why;            /* set with JS_BAD: what is wrong, in words */
	unsigned depth, depth_max;
	bool key_next;              /* within an object, before a key */
	bool first;                 /* nothing was read of the innermost container yet */
	uint64_t in_object[(512 + 63) / 64];
};

/* One token. For members of an object, `key` is the raw text between the quotes; `text` is the raw text of a string or number. */
struct js_token {
	enum js_kind kind;
	bool has_key;
	bool key_escaped, text_escaped;  /* a backslash occurs in it: js_unescape is needed */
	struct view key, text;
};

/* depth_max up to 512; 0 means JS_DEPTH_MAX. */
void js_reader_init(struct js_reader *r, struct view text, unsigned depth_max);

/* The next token. After JS_END or JS_BAD the same comes again. Trailing bytes behind the value are JS_BAD. */
enum js_kind js_next(struct js_reader *r, struct js_token *t);

/* Skips the value whose first token is *t (a container is read to its end). JS_BAD when it is broken. */
enum js_kind js_skip(struct js_reader *r, const struct js_token *t);

/* What a raw string stands for: the view itself when there is no escape, else a copy in the arena. Lone surrogates become U+FFFD. */
struct view js_unescape(struct arena *a, struct view raw, bool escaped);

/* ERR_INVALID with reason and byte offset; for use after JS_BAD. Returns -1. */
int js_error(const struct js_reader *r, const char *what, struct err *err);

#endif
