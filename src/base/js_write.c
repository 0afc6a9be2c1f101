/* JSON writing; see js.h. No state. */
#include "base/js.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Bytes that cannot be copied as they are: controls, the quote, the backslash, and the first byte of a four-byte sequence. */
static inline bool is_special(uint8_t c)
{
	return c < 0x20 || c == '"' || c == '\\' || c >= 0xf0;
}

static size_t plain_run(const uint8_t *p, size_t len)
{
	size_t n = 0;

#if defined(__SSE2__)
	for (; n + 16 <= len; n += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + n));
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
		__m128i high = _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8((char)0xf0)), v);
		__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
		int mask = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, high), _mm_or_si128(quote, slash)));

		if (mask)
			return n + (size_t)__builtin_ctz((unsigned)mask);
	}
#endif
	while (n < len && !is_special(p[n]))
		n++;
	return n;
}

static size_t put_escape(struct buf *b, const uint8_t *p, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
	const char *s;
	uint32_t cp;

	if (*p >= 0xf0) {
		if (len < 4) {
			buf_putc(b, (char)*p);
			return 1;
		}
		cp = ((uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 63) << 12 | (uint32_t)(p[2] & 63) << 6 | (uint32_t)(p[3] & 63)) - 0x10000;
		buf_printf(b, "\\u%04X\\u%04X", 0xd800 + (cp >> 10 & 0x3ff), 0xdc00 + (cp & 0x3ff));
		return 4;
	}
	for (s = shorts; *s; s += 2)
		if (*p == (uint8_t)*s) {
			buf_putc(b, '\\');
			buf_putc(b, s[1]);
			return 1;
		}
	buf_puts(b, "\\u00");
	buf_putc(b, hex[*p >> 4]);
	buf_putc(b, hex[*p & 15]);
	return 1;
}

void js_put_string(struct buf *b, struct view s)
{
	size_t at = 0;

	buf_putc(b, '"');
	while (at < s.len) {
		size_t n = plain_run(s.ptr + at, s.len - at);

		buf_put(b, s.ptr + at, n);
		at += n;
		if (at < s.len)
			at += put_escape(b, s.ptr + at, s.len - at);
	}
	buf_putc(b, '"');
}

void js_put_key(struct buf *b, const char *key)
{
	js_put_comma(b);
	js_put_str(b, key);
	buf_putc(b, ':');
}

/*
 * digits: the significant decimal digits without trailing zeros (at least one), value = 0.d1d2... * 10^exp10.
 * Java prints plainly from 1e-3 up to below 1e7, with exponents elsewhere, and always one digit behind the point.
 */
static void put_java(struct buf *b, bool negative, const char *digits, int n, int exp10)
{
	int i;

	if (negative)
		buf_putc(b, '-');
	if (exp10 > -3 && exp10 <= 7) {
		if (exp10 <= 0) {
			buf_puts(b, "0.");
			for (i = exp10; i < 0; i++)
				buf_putc(b, '0');
			buf_put(b, digits, (size_t)n);
			return;
		}
		for (i = 0; i < exp10; i++)
			buf_putc(b, i < n ? digits[i] : '0');
		buf_putc(b, '.');
		if (n > exp10)
			buf_put(b, digits + exp10, (size_t)(n - exp10));
		else
			buf_putc(b, '0');
		return;
	}
	buf_putc(b, digits[0]);
	buf_putc(b, '.');
	if (n > 1)
		buf_put(b, digits + 1, (size_t)(n - 1));
	else
		buf_putc(b, '0');
	buf_putc(b, 'E');
	buf_i64(b, exp10 - 1);
}

/* "d.ddde+xx" as printf writes it, taken apart; returns the number of digits without trailing zeros */
static int take_apart(const char *text, char *digits, int *exp10)
{
	int n = 0;

	for (; *text && *text != 'e'; text++)
		if (*text >= '0' && *text <= '9')
			digits[n++] = *text;
	wm_assert(n > 0);
	*exp10 = (int)strtol(text + 1, NULL, 10) + 1;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

static bool put_special(struct buf *b, double d)
{
	if (isnan(d))
		buf_puts(b, "\"NaN\"");
	else if (isinf(d))
		buf_puts(b, d < 0 ? "\"-Infinity\"" : "\"Infinity\"");
	else if (d == 0)
		buf_puts(b, signbit(d) ? "-0.0" : "0.0");
	else
		return false;
	return true;
}

void js_put_double(struct buf *b, double d)
{
	char text[40], digits[32];
	int prec, n, exp10;

	if (put_special(b, d))
		return;
	/* shortest that reads back, tried from 15 digits up, since every double of 15 digits has a form that short or shorter; below 1e-300
	 * digits may be fewer than 15 still being exact, and JDK 17 never gives fewer than two there (5e-324 is 4.9E-324) */
	for (prec = fabs(d) < 1e-300 ? 1 : 14; prec < 17; prec++) {
		snprintf(text, sizeof(text), "%.*e", prec, fabs(d));
		if (strtod(text, NULL) == fabs(d))
			break;
	}
	n = take_apart(text, digits, &exp10);
	put_java(b, d < 0, digits, n, exp10);
}

void js_put_float(struct buf *b, float f)
{
	char text[40], digits[32];
	int prec, n, exp10;

	if (put_special(b, (double)f))
		return;
	/* JDK 17 gives the smallest normal float one digit more than it needs (JDK-4511638) */
	for (prec = fabsf(f) == 0x1p-126f ? 8 : fabsf(f) < 1e-37f ? 1 : 5; prec < 9; prec++) {
		snprintf(text, sizeof(text), "%.*e", prec, (double)fabsf(f));
		if (strtof(text, NULL) == fabsf(f))
			break;
	}
	n = take_apart(text, digits, &exp10);
	put_java(b, f < 0, digits, n, exp10);
}

void js_put_base64(struct buf *b, struct view bytes)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i, need = bytes.len / 3 * 4 + 6;
	uint8_t *to = buf_reserve(b, need), *p = to;

	if (!to)
		return;
	*p++ = '"';
	for (i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t v = (uint32_t)bytes.ptr[i] << 16 | (left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0) | (left > 2 ? bytes.ptr[i + 2] : 0);

		*p++ = (uint8_t)abc[v >> 18];
		*p++ = (uint8_t)abc[v >> 12 & 63];
		*p++ = left > 1 ? (uint8_t)abc[v >> 6 & 63] : '=';
		*p++ = left > 2 ? (uint8_t)abc[v & 63] : '=';
	}
	*p++ = '"';
	b->len += (size_t)(p - to);
}
