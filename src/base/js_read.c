/* JSON reading; see js.h. A reader belongs to one thread. */
#include "base/js.h"

void js_reader_init(struct js_reader *r, struct view text, unsigned depth_max)
{
	wm_assert(depth_max <= 512);
	*r = (struct js_reader){.start = text.ptr, .ptr = text.ptr, .end = text.ptr ? text.ptr + text.len : text.ptr};
	r->depth_max = depth_max ? depth_max : JS_DEPTH_MAX;
	r->first = true;
}

static enum js_kind bad(struct js_reader *r, struct js_token *t, const char *why)
{
	if (!r->why)
		r->why = why;
	return t->kind = JS_BAD;
}

static void skip_space(struct js_reader *r)
{
	while (r->ptr < r->end && (*r->ptr == ' ' || *r->ptr == '\t' || *r->ptr == '\n' || *r->ptr == '\r'))
		r->ptr++;
}

static bool in_object(const struct js_reader *r)
{
	unsigned d = r->depth - 1;

	return r->depth && (r->in_object[d / 64] >> (d % 64) & 1);
}

static bool hex4(const uint8_t *p, uint32_t *ret)
{
	uint32_t v = 0;
	int i;

	for (i = 0; i < 4; i++) {
		uint8_t c = p[i], d = 16;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			d = (c & 0xf) + 9;

		if (d == 16)
			return false;
		v = v << 4 | d;
	}
	*ret = v;
	return true;
}

/* ptr is behind the opening quote; *ret is what stands before the closing one. Checks escapes, not the UTF-8. */
static bool read_string(struct js_reader *r, struct view *ret, bool *escaped)
{
	const uint8_t *p = r->ptr;
	uint32_t v;

	*escaped = false;
	for (; p < r->end && *p != '"'; p++) {
		if (*p < 0x20) {
			r->ptr = p;
			r->why = "a control character stands in a string";
			return false;
		}
		if (*p != '\\')
			continue;
		*escaped = true;
		if (++p == r->end)
			break;
		if (*p == 'u') {
			if (r->end - p < 5 || !hex4(p + 1, &v)) {
				r->ptr = p;
				r->why = "\\u is not followed by four hexadecimal digits";
				return false;
			}
			p += 4;
		} else if (!memchr("\"\\/bfnrt", *p, 8)) {
			r->ptr = p;
			r->why = "unknown escape in a string";
			return false;
		}
	}
	if (p == r->end) {
		r->ptr = p;
		r->why = "a string is not closed";
		return false;
	}
	*ret = view_of(r->ptr, (size_t)(p - r->ptr));
	r->ptr = p + 1;
	return true;
}

static const uint8_t *digits(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

static enum js_kind read_number(struct js_reader *r, struct js_token *t)
{
	const uint8_t *p = r->ptr, *q;

	if (*p == '-')
		p++;
	q = digits(p, r->end);
	if (q == p || (*p == '0' && q > p + 1))
		return bad(r, t, "malformed number");
	p = q;
	if (p < r->end && *p == '.') {
		q = digits(p + 1, r->end);
		if (q == p + 1)
			return bad(r, t, "malformed number");
		p = q;
	}
	if (p < r->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < r->end && (*p == '+' || *p == '-'))
			p++;
		q = digits(p, r->end);
		if (q == p)
			return bad(r, t, "malformed number");
		p = q;
	}
	t->text = view_of(r->ptr, (size_t)(p - r->ptr));
	r->ptr = p;
	return t->kind = JS_NUMBER;
}

static enum js_kind read_word(struct js_reader *r, struct js_token *t, const char *word, enum js_kind kind)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->ptr) < n || memcmp(r->ptr, word, n) != 0)
		return bad(r, t, "unexpected character");
	r->ptr += n;
	return t->kind = kind;
}

static enum js_kind open_container(struct js_reader *r, struct js_token *t, bool object)
{
	unsigned d = r->depth;

	if (d >= r->depth_max)
		return bad(r, t, "nested too deeply");
	r->in_object[d / 64] &= ~((uint64_t)1 << (d % 64));
	r->in_object[d / 64] |= (uint64_t)object << (d % 64);
	r->depth++;
	r->ptr++;
	r->first = true;
	return t->kind = object ? JS_OBJECT : JS_ARRAY;
}

static enum js_kind read_value(struct js_reader *r, struct js_token *t)
{
	if (r->ptr == r->end)
		return bad(r, t, "the text ends too early");
	switch (*r->ptr) {
	case '{':
		return open_container(r, t, true);
	case '[':
		return open_container(r, t, false);
	case '"':
		r->ptr++;
		return read_string(r, &t->text, &t->text_escaped) ? (t->kind = JS_STRING) : (t->kind = JS_BAD);
	case 't':
		return read_word(r, t, "true", JS_TRUE);
	case 'f':
		return read_word(r, t, "false", JS_FALSE);
	case 'n':
		return read_word(r, t, "null", JS_NULL);
	default:
		if (*r->ptr == '-' || (*r->ptr >= '0' && *r->ptr <= '9'))
			return read_number(r, t);
		return bad(r, t, "unexpected character");
	}
}

static enum js_kind close_container(struct js_reader *r, struct js_token *t, bool object)
{
	r->ptr++;
	r->depth--;
	r->first = false;
	return t->kind = object ? JS_OBJECT_END : JS_ARRAY_END;
}

enum js_kind js_next(struct js_reader *r, struct js_token *t)
{
	bool object;

	*t = (struct js_token){.kind = JS_BAD};
	if (r->why)
		return JS_BAD;
	skip_space(r);
	if (r->depth == 0) {
		if (r->first) {
			enum js_kind k = read_value(r, t);

			if (r->depth == 0)
				r->first = false;
			return k;
		}
		return r->ptr == r->end ? (t->kind = JS_END) : bad(r, t, "more text behind the value");
	}
	object = in_object(r);
	if (r->ptr < r->end && *r->ptr == (object ? '}' : ']'))
		return close_container(r, t, object);
	if (!r->first) {
		if (r->ptr == r->end || *r->ptr != ',')
			return bad(r, t, "expected a comma or the end of the container");
		r->ptr++;
		skip_space(r);
	}
	r->first = false;
	if (object) {
		if (r->ptr == r->end || *r->ptr != '"')
			return bad(r, t, "expected a member name in quotes");
		r->ptr++;
		if (!read_string(r, &t->key, &t->key_escaped))
			return JS_BAD;
		t->has_key = true;
		skip_space(r);
		if (r->ptr == r->end || *r->ptr != ':')
			return bad(r, t, "expected a colon behind the member name");
		r->ptr++;
		skip_space(r);
	}
	return read_value(r, t);
}

enum js_kind js_skip(struct js_reader *r, const struct js_token *t)
{
	unsigned depth = r->depth;
	struct js_token inner;

	if (t->kind != JS_OBJECT && t->kind != JS_ARRAY)
		return t->kind;
	do {
		if (js_next(r, &inner) == JS_BAD)
			return JS_BAD;
	} while (r->depth >= depth);
	return inner.kind;
}

static size_t put_utf8(uint8_t *to, uint32_t cp)
{
	if (cp < 0x80) {
		to[0] = (uint8_t)cp;
		return 1;
	}
	if (cp < 0x800) {
		to[0] = (uint8_t)(0xc0 | cp >> 6);
		to[1] = (uint8_t)(0x80 | (cp & 63));
		return 2;
	}
	if (cp < 0x10000) {
		to[0] = (uint8_t)(0xe0 | cp >> 12);
		to[1] = (uint8_t)(0x80 | (cp >> 6 & 63));
		to[2] = (uint8_t)(0x80 | (cp & 63));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | cp >> 18);
	to[1] = (uint8_t)(0x80 | (cp >> 12 & 63));
	to[2] = (uint8_t)(0x80 | (cp >> 6 & 63));
	to[3] = (uint8_t)(0x80 | (cp & 63));
	return 4;
}

struct view js_unescape(struct arena *a, struct view raw, bool escaped)
{
	const uint8_t *p = raw.ptr, *end = raw.ptr + raw.len;
	uint8_t *out, *to;
	uint32_t cp, low;

	if (!escaped)
		return raw;
	/* an escape is never shorter than the UTF-8 that it stands for */
	out = to = arena_alloc(a, raw.len);
	while (p < end) {
		static const char from[] = "bfnrt", into[] = "\b\f\n\r\t";
		const char *at;

		if (*p != '\\') {
			*to++ = *p++;
			continue;
		}
		p++;
		if (*p != 'u') {
			at = memchr(from, *p, 5);
			*to++ = at ? (uint8_t)into[at - from] : *p;
			p++;
			continue;
		}
		cp = 0xfffd;
		wm_assert(end - p >= 5 && hex4(p + 1, &cp)); /* the reader has checked it */
		p += 5;
		if (cp >= 0xd800 && cp < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' && hex4(p + 2, &low) &&
			low >= 0xdc00 && low < 0xe000) {
			cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
			p += 6;
		} else if (cp >= 0xd800 && cp < 0xe000) {
			cp = 0xfffd;
		}
		to += put_utf8(to, cp);
	}
	return view_of(out, (size_t)(to - out));
}

int js_error(const struct js_reader *r, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s is not valid JSON: %s at byte %zu", what, r->why ? r->why : "unexpected token",
		(size_t)(r->ptr - r->start));
}
