/* Numbers, words and UTF-8; see text.h. Any thread: nothing is shared. */
#include "base/text.h"

#include <math.h>
#include <stdlib.h>

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

bool text_u64(struct view v, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i;

	if (!v.len)
		return false;
	for (i = 0; i < v.len; i++)
		if (!is_digit(v.ptr[i]) || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(v.ptr[i] - '0'), &n))
			return false;
	*ret = n;
	return true;
}

bool text_i64(struct view v, int64_t *ret)
{
	bool negative = v.len && v.ptr[0] == '-';
	uint64_t n;

	if (v.len && (negative || v.ptr[0] == '+')) {
		v.ptr++;
		v.len--;
	}
	if (!text_u64(v, &n) || n > (uint64_t)INT64_MAX + negative)
		return false;
	*ret = negative ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

static size_t digits_at(struct view v, size_t i)
{
	size_t from = i;

	while (i < v.len && is_digit(v.ptr[i]))
		i++;
	return i - from;
}

bool text_f64(struct view v, double *ret)
{
	char copy[400];
	size_t i = 0, digits, n;
	double d;

	if (!v.len || v.len >= sizeof(copy))
		return false;
	i += v.ptr[0] == '-' || v.ptr[0] == '+';
	i += digits = digits_at(v, i);
	if (i < v.len && v.ptr[i] == '.') {
		n = digits_at(v, ++i);
		i += n;
		digits += n;
	}
	if (!digits)
		return false;
	if (i < v.len && (v.ptr[i] | 0x20) == 'e') {
		i++;
		i += i < v.len && (v.ptr[i] == '-' || v.ptr[i] == '+');
		n = digits_at(v, i);
		if (!n)
			return false;
		i += n;
	}
	if (i != v.len)
		return false;
	memcpy(copy, v.ptr, v.len);
	copy[v.len] = '\0';
	d = strtod(copy, NULL); /* walmill never calls setlocale(): the point is a point */
	if (!isfinite(d))
		return false;
	*ret = d;
	return true;
}

struct view text_trim(struct view v)
{
	while (v.len && (v.ptr[0] <= ' ' || v.ptr[0] == 0x7f)) {
		v.ptr++;
		v.len--;
	}
	while (v.len && (v.ptr[v.len - 1] <= ' ' || v.ptr[v.len - 1] == 0x7f))
		v.len--;
	return v;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool text_starts(struct view v, const char *prefix)
{
	size_t i;

	for (i = 0; prefix[i]; i++)
		if (i >= v.len || lower(v.ptr[i]) != lower((uint8_t)prefix[i]))
			return false;
	return true;
}

bool text_is(struct view v, const char *word)
{
	return strlen(word) == v.len && text_starts(v, word);
}

void text_put_file_name(struct buf *b, const char *name)
{
	const char *p;

	for (p = name; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || (*p == '.' && p != name))
			buf_putc(b, *p);
		else
			buf_printf(b, "_%02x", (unsigned char)*p);
	}
}

size_t text_distance(struct view a, struct view b)
{
	size_t row[65], i, k;

	a.len = a.len > 64 ? 64 : a.len;
	b.len = b.len > 64 ? 64 : b.len;
	for (k = 0; k <= b.len; k++)
		row[k] = k;
	for (i = 0; i < a.len; i++) {
		size_t corner = row[0]; /* the value up and to the left of row[k] */

		row[0] = i + 1;
		for (k = 1; k <= b.len; k++) {
			size_t replace = corner + (a.ptr[i] != b.ptr[k - 1]), other = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;

			corner = row[k];
			row[k] = replace < other ? replace : other;
		}
	}
	return row[b.len];
}

/* Bytes of the well-formed sequence at p, or 0. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t n, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : low;
	high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : high;
	if (n > left || p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

size_t text_utf8_valid_len(struct view v)
{
	size_t i = 0, n;

	while (i < v.len) {
		n = utf8_sequence(v.ptr + i, v.len - i);
		if (!n)
			break;
		i += n;
	}
	return i;
}

struct view text_utf8_cut(struct view v, size_t points)
{
	size_t i, n = 0;

	for (i = 0; i < v.len; i++) {
		if ((v.ptr[i] & 0xc0) == 0x80)
			continue;
		if (n++ == points)
			break;
	}
	return view_of(v.ptr, i);
}

size_t text_utf8_points(struct view v)
{
	size_t i, n = 0;

	for (i = 0; i < v.len; i++)
		n += (v.ptr[i] & 0xc0) != 0x80;
	return n;
}

void text_put_cp1252(struct buf *b, struct view v)
{
	/* 0x80 to 0x9f; the rest is ISO-8859-1, whose numbers are Unicode's */
	static const uint16_t upper[32] = {
		0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
		0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
	};
	size_t i;

	for (i = 0; i < v.len; i++) {
		uint32_t c = v.ptr[i] >= 0x80 && v.ptr[i] < 0xa0 ? upper[v.ptr[i] - 0x80] : v.ptr[i];

		if (c < 0x80) {
			buf_putc(b, (char)c);
		} else if (c < 0x800) {
			buf_u8(b, (uint8_t)(0xc0 | c >> 6));
			buf_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
		} else {
			buf_u8(b, (uint8_t)(0xe0 | c >> 12));
			buf_u8(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
			buf_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
		}
	}
}
