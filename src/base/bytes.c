/* Byte buffers and readers; see bytes.h. */
#include "base/bytes.h"

#include <stdio.h>

#include "base/mem.h"

int view_cmp(struct view a, struct view b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

	return c ? (c < 0 ? -1 : 1) : a.len < b.len ? -1 : a.len > b.len;
}

bool view_starts(struct view a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.len >= n && memcmp(a.ptr, prefix, n) == 0;
}

void buf_release(struct buf *b)
{
	mem_free(b->ptr);
	*b = BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

bool buf_grow(struct buf *b, size_t more)
{
	size_t need, cap;
	uint8_t *p;

	if (b->failed || more > b->max || b->len > b->max - more) {
		b->failed = true;
		return false;
	}
	need = b->len + more;
	if (need <= b->cap)
		return true;
	if (need > SIZE_MAX / 2) {
		b->failed = true;
		return false;
	}
	cap = b->cap < 64 ? 64 : b->cap;
	while (cap < need)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	p = mem_try_realloc(b->ptr, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->ptr = p;
	b->cap = cap;
	return true;
}

size_t put_uvarint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	p[n++] = (uint8_t)v;
	return n;
}

void buf_uvarint(struct buf *b, uint64_t v)
{
	uint8_t *to = buf_reserve(b, 10);

	if (to)
		b->len += put_uvarint(to, v);
}

void buf_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_put(b, digits + n, sizeof(digits) - n);
}

void buf_i64(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_putc(b, '-');
	buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	uint8_t *to;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !(to = buf_reserve(b, (size_t)n + 1))) {
		b->failed = true;
		return;
	}
	vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

const char *buf_cstr(struct buf *b)
{
	uint8_t *to = buf_reserve(b, 1);

	if (!to)
		return "";
	*to = '\0';
	return (const char *)b->ptr;
}

uint64_t reader_uvarint(struct reader *r)
{
	uint64_t v = 0;
	unsigned shift;

	for (shift = 0; shift < 70; shift += 7) {
		uint8_t c = reader_u8(r);

		/* the tenth byte holds only the topmost bit */
		if (r->bad || (shift == 63 && c > 1))
			break;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return v;
	}
	r->bad = true;
	r->ptr = r->end;
	return 0;
}

struct view reader_bytes(struct reader *r)
{
	uint64_t n = reader_uvarint(r);

	return n > reader_left(r) ? reader_view(r, reader_left(r) + 1) : reader_view(r, (size_t)n);
}

struct view reader_cstr(struct reader *r)
{
	const uint8_t *nul = r->bad || r->ptr == r->end ? NULL : memchr(r->ptr, 0, reader_left(r));
	struct view v;

	if (!nul) {
		r->bad = true;
		r->ptr = r->end;
		return VIEW_NULL;
	}
	v = reader_view(r, (size_t)(nul - r->ptr));
	r->ptr++;
	return v;
}
