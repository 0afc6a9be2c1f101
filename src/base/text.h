/*
 * Text: strict numbers, UTF-8, CSV.
 *
 * Numbers are strict: the whole view is the number, no blanks around it, nothing rounded or wrapped in silence. They do not depend
 * on the locale.
 *
 * CSV is RFC 4180 read as a stream: fields may be quoted, a quote inside is doubled, line ends inside quotes belong to the field;
 * records end with LF or CRLF, also mixed; a byte order mark is skipped, and so are empty lines. A quote in the middle of an unquoted
 * field is taken as it is, as spreadsheets write it. Field bytes are handed out as they stand: what encoding they are in is the
 * caller's business. Any thread; a reader belongs to one at a time.
 */
#ifndef WALMILL_BASE_TEXT_H
#define WALMILL_BASE_TEXT_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/io.h"

/* ---- numbers ---- */

/* Optional sign, digits. False when it is anything else or out of range; *ret is then untouched. */
bool text_i64(struct view v, int64_t *ret) WM_MUST_USE;
bool text_u64(struct view v, uint64_t *ret) WM_MUST_USE;   /* digits only */

/* Optional sign, digits with an optional point among or around them, optional exponent; finite. No hex, no "inf", no "nan". */
bool text_f64(struct view v, double *ret) WM_MUST_USE;

/* ---- words ---- */

struct view text_trim(struct view v);                       /* without ASCII blanks and control characters at both ends */
bool text_is(struct view v, const char *word);              /* equal but for the case of ASCII letters */
bool text_starts(struct view v, const char *prefix);        /* the same for a prefix */

/* A name as the name of a file: letters, digits, - and . (not in front) as they are, any other byte as _ and two hex digits. */
void text_put_file_name(struct buf *b, const char *name);

/* How many single-byte changes (insert, remove, replace) lead from a to b, of which the first 64 bytes are looked at. */
size_t text_distance(struct view a, struct view b);

/* ---- UTF-8 (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF) ---- */

size_t text_utf8_valid_len(struct view v);                  /* bytes of the longest valid prefix; v.len when all is valid */
static inline bool text_utf8_valid(struct view v) { return text_utf8_valid_len(v) == v.len; }
struct view text_utf8_cut(struct view v, size_t points);    /* at most so many code points of a valid text */
size_t text_utf8_points(struct view v);                     /* code points of a valid text */

/* Appends v, which is in Windows-1252 (a superset of ISO-8859-1), as UTF-8. The five bytes that it leaves undefined become C1 controls. */
void text_put_cp1252(struct buf *b, struct view v);

/* ---- CSV ---- */

/* Puts up to len bytes at ptr and their number in *ret_len; 0 only at the end. */
typedef int (*text_fill_fn)(void *arg, void *ptr, size_t len, size_t *ret_len, struct err *err);

/* A fill function that reads an open file from its beginning on. */
struct text_file {
	struct io_file *file;
	uint64_t off;
};
int text_fill_file(void *arg, void *ptr, size_t len, size_t *ret_len, struct err *err);

struct csv_options {
	char separator;      /* 0: the commonest of , ; and tab in the first line */
	bool literal_quotes; /* a quote is a character like any other, no field is quoted */
	size_t record_max;   /* bytes of all fields of a record; 0: 1 MiB */
	size_t fields_max;   /* 0: 1,000 */
};

struct csv_record {
	const struct view *fields;  /* valid until the next call on the reader */
	size_t n;
	uint64_t line;              /* where the record begins, from 1 */
};

struct csv;

struct csv *csv_new(text_fill_fn fill, void *arg, const struct csv_options *opts); /* opts may be NULL */
void csv_free(struct csv *c);                                                      /* NULL is fine */

/* 1: a record; 0: the end; -1: ERR_INVALID or ERR_LIMIT naming the line, or what fill said. After 0 or -1 the same comes again. */
int csv_next(struct csv *c, struct csv_record *ret, struct err *err) WM_MUST_USE;

#endif
