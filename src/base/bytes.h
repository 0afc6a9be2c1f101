/*
 * Bytes: borrowed views, growable buffers with a bound, readers with a sticky error.
 *
 *   struct view    {ptr, len}, borrowed: says nothing about who owns the bytes or how long they live
 *   struct buf     owned, growable up to `max`; a put that does not fit sets `failed`, and every later put does nothing,
 *                  so that a writer checks once at its end (buf_ok)
 *   struct reader  walks a view; a read beyond the end sets `bad` and yields zeroes from then on; a parser ends with
 *                  reader_done(), which is true only when all was consumed and nothing went wrong
 *
 * Wire integers: be = big endian (PostgreSQL, Kafka), le = little endian (walmill's own files). Varints as in protocol
 * buffers; zig-zag for the signed ones (Kafka record format). None of this is thread safe; none needs to be.
 */
#ifndef WALMILL_BASE_BYTES_H
#define WALMILL_BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
	const uint8_t *ptr;
	size_t len;
};

#define VIEW_NULL ((struct view){NULL, 0})

static inline struct view view_of(const void *ptr, size_t len)
{
	return (struct view){ptr, len};
}

static inline struct view view_str(const char *s)
{
	return view_of(s, strlen(s));
}

static inline bool view_eq(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool view_is(struct view a, const char *s)
{
	return view_eq(a, view_str(s));
}

/* -1, 0, 1 by unsigned bytes, the shorter first when one is a prefix of the other */
int view_cmp(struct view a, struct view b);
bool view_starts(struct view a, const char *prefix);

/* ---- integers at an address ---- */

static inline uint16_t get_be16(const void *p) { uint16_t v; memcpy(&v, p, 2); return __builtin_bswap16(v); }
static inline uint32_t get_be32(const void *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }
static inline uint64_t get_be64(const void *p) { uint64_t v; memcpy(&v, p, 8); return __builtin_bswap64(v); }
static inline uint16_t get_le16(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t get_le32(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t get_le64(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void put_be16(void *p, uint16_t v) { v = __builtin_bswap16(v); memcpy(p, &v, 2); }
static inline void put_be32(void *p, uint32_t v) { v = __builtin_bswap32(v); memcpy(p, &v, 4); }
static inline void put_be64(void *p, uint64_t v) { v = __builtin_bswap64(v); memcpy(p, &v, 8); }
static inline void put_le16(void *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void put_le32(void *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void put_le64(void *p, uint64_t v) { memcpy(p, &v, 8); }
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "walmill is written for little-endian machines");

/* ---- growable buffer ---- */

struct buf {
	uint8_t *ptr;
	size_t len, cap, max;
	bool failed;
};

#define BUF_INIT(limit) ((struct buf){.ptr = NULL, .len = 0, .cap = 0, .max = (limit), .failed = false})

void buf_release(struct buf *b);   /* frees; the buffer is empty and usable again */
void buf_clear(struct buf *b);     /* empties, keeps the memory, forgets `failed` */
bool buf_grow(struct buf *b, size_t more); /* slow path of buf_reserve; false when over max or out of memory */

static inline bool buf_ok(const struct buf *b) { return !b->failed; }
static inline struct view buf_view(const struct buf *b) { return view_of(b->ptr, b->len); }

/* Room for `more` bytes behind len, or NULL (failed is set). The caller writes there and adds to len. */
static inline uint8_t *buf_reserve(struct buf *b, size_t more)
{
	if (__builtin_expect(more > b->cap - b->len || b->failed, 0) && !buf_grow(b, more))
		return NULL;
	return b->ptr + b->len;
}

static inline void buf_put(struct buf *b, const void *p, size_t len)
{
	uint8_t *to = len ? buf_reserve(b, len) : NULL;

	if (to) {
		memcpy(to, p, len);
		b->len += len;
	}
}

static inline void buf_putc(struct buf *b, char c)
{
	uint8_t *to = buf_reserve(b, 1);

	if (to) {
		*to = (uint8_t)c;
		b->len++;
	}
}

static inline void buf_puts(struct buf *b, const char *s) { buf_put(b, s, strlen(s)); }
static inline void buf_putv(struct buf *b, struct view v) { buf_put(b, v.ptr, v.len); }
static inline void buf_u8(struct buf *b, uint8_t v) { buf_put(b, &v, 1); }
static inline void buf_be16(struct buf *b, uint16_t v) { v = __builtin_bswap16(v); buf_put(b, &v, 2); }
static inline void buf_be32(struct buf *b, uint32_t v) { v = __builtin_bswap32(v); buf_put(b, &v, 4); }
static inline void buf_be64(struct buf *b, uint64_t v) { v = __builtin_bswap64(v); buf_put(b, &v, 8); }
static inline void buf_le16(struct buf *b, uint16_t v) { buf_put(b, &v, 2); }
static inline void buf_le32(struct buf *b, uint32_t v) { buf_put(b, &v, 4); }
static inline void buf_le64(struct buf *b, uint64_t v) { buf_put(b, &v, 8); }

void buf_uvarint(struct buf *b, uint64_t v);
static inline void buf_varint(struct buf *b, int64_t v) { buf_uvarint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63)); }
void buf_i64(struct buf *b, int64_t v);   /* decimal digits */
void buf_u64(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
const char *buf_cstr(struct buf *b);      /* NUL behind the end, not counted in len; "" when failed */

/* uvarint length prefix + bytes: how walmill's own files keep strings */
static inline void buf_bytes(struct buf *b, struct view v) { buf_uvarint(b, v.len); buf_putv(b, v); }

/* Writes a uvarint at p (room for 10 bytes); returns its length. */
size_t put_uvarint(uint8_t *p, uint64_t v);
static inline size_t put_varint(uint8_t *p, int64_t v) { return put_uvarint(p, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63)); }

/* ---- reader ---- */

struct reader {
	const uint8_t *ptr, *end;
	bool bad;
};

static inline struct reader reader_of(struct view v)
{
	return (struct reader){v.ptr, v.ptr ? v.ptr + v.len : v.ptr, false};
}

static inline size_t reader_left(const struct reader *r) { return (size_t)(r->end - r->ptr); }
static inline bool reader_done(const struct reader *r) { return !r->bad && r->ptr == r->end; }

/* The next n bytes, or NULL with bad set. n is compared unsigned with what remains. */
static inline const uint8_t *reader_take(struct reader *r, size_t n)
{
	const uint8_t *p = r->ptr;

	if (__builtin_expect(r->bad || n > (size_t)(r->end - r->ptr), 0)) {
		r->bad = true;
		r->ptr = r->end;
		return NULL;
	}
	r->ptr += n;
	return p;
}

static inline uint8_t reader_u8(struct reader *r) { const uint8_t *p = reader_take(r, 1); return p ? *p : 0; }
static inline uint16_t reader_be16(struct reader *r) { const uint8_t *p = reader_take(r, 2); return p ? get_be16(p) : 0; }
static inline uint32_t reader_be32(struct reader *r) { const uint8_t *p = reader_take(r, 4); return p ? get_be32(p) : 0; }
static inline uint64_t reader_be64(struct reader *r) { const uint8_t *p = reader_take(r, 8); return p ? get_be64(p) : 0; }
static inline uint16_t reader_le16(struct reader *r) { const uint8_t *p = reader_take(r, 2); return p ? get_le16(p) : 0; }
static inline uint32_t reader_le32(struct reader *r) { const uint8_t *p = reader_take(r, 4); return p ? get_le32(p) : 0; }
static inline uint64_t reader_le64(struct reader *r) { const uint8_t *p = reader_take(r, 8); return p ? get_le64(p) : 0; }

static inline struct view reader_view(struct reader *r, size_t n)
{
	const uint8_t *p = reader_take(r, n);

	return p ? view_of(p, n) : VIEW_NULL;
}

uint64_t reader_uvarint(struct reader *r);
static inline uint32_t reader_uvarint32(struct reader *r)   /* bad when it is larger */
{
	uint64_t v = reader_uvarint(r);

	if (v > UINT32_MAX)
		r->bad = true;
	return (uint32_t)v;
}
static inline int64_t reader_varint(struct reader *r)
{
	uint64_t v = reader_uvarint(r);

	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
struct view reader_bytes(struct reader *r);              /* uvarint length + bytes */
struct view reader_cstr(struct reader *r);               /* up to a NUL, which is consumed and not counted */

#endif
