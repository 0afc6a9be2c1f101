/* Text; see func.h. Lengths and positions are in characters of UTF-8, as in a UTF8 database. */
#include <locale.h>
#include <wctype.h>

#include "sql/func.h"

#define CALL(name) \
	static int name(const struct sql_site *s, struct sql_eval *ev, const struct value *args, struct value *ret, struct err *err)

static bool continues(uint8_t c) { return (c & 0xc0) == 0x80; }

static int64_t chars(struct view v)
{
	int64_t n = 0;

	for (size_t i = 0; i < v.len; i++)
		n += !continues(v.ptr[i]);
	return n;
}

/* The byte offset of the n-th character (0-based), or the end. */
static size_t offset_of(struct view v, int64_t n)
{
	size_t i = 0;

	while (i < v.len && n > 0) {
		for (i++; i < v.len && continues(v.ptr[i]); i++)
			;
		n--;
	}
	return i;
}

static int give(const struct sql_site *s, struct view v, struct value *ret)
{
	*ret = value_text((enum value_kind)s->ret, v);
	return 0;
}

static struct view trimmed(struct view v)
{
	while (v.len && v.ptr[v.len - 1] == ' ')
		v.len--;
	return v;
}

CALL(concat2)
{
	size_t len = args[0].text.len + args[1].text.len;
	uint8_t *p = arena_alloc(ev->arena, len + 1);

	if (args[0].text.len)
		memcpy(p, args[0].text.ptr, args[0].text.len);
	if (args[1].text.len)
		memcpy(p + args[0].text.len, args[1].text.ptr, args[1].text.len);
	return give(s, view_of(p, len), ret);
}

static int fold_ascii(const struct sql_site *s, struct sql_eval *ev, struct view v, char low, char high, struct value *ret)
{
	uint8_t *p = arena_alloc(ev->arena, v.len + 1);

	for (size_t i = 0; i < v.len; i++)
		p[i] = v.ptr[i] >= low && v.ptr[i] <= high ? v.ptr[i] ^ 0x20 : v.ptr[i];
	return give(s, view_of(p, v.len), ret);
}

CALL(lower_c) { return fold_ascii(s, ev, args[0].text, 'A', 'Z', ret); }
CALL(upper_c) { return fold_ascii(s, ev, args[0].text, 'a', 'z', ret); }

static bool is_ascii(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.ptr[i] & 0x80)
			return false;
	return true;
}

/* One character's code point and length; 0 for bytes that are not UTF-8. */
static uint32_t decode(const uint8_t *p, size_t left, size_t *len)
{
	uint32_t c = *p;

	*len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (*len > left || (c >= 0x80 && c < 0xc0)) {
		*len = 1;
		return 0;
	}
	if (*len > 1)
		c &= 0xffu >> (*len + 1);
	for (size_t i = 1; i < *len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

static size_t encode(uint32_t c, uint8_t *p)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		p[i] = (uint8_t)(0x80 | (c & 0x3f));
	p[0] = (uint8_t)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	return n;
}

/* The letters of glibc's UTF-8 locales, which are the same in all but the Turkic ones (refused by the binder). */
static int fold_unicode(const struct sql_site *s, struct sql_eval *ev, struct view v, bool up, struct value *ret, struct err *err)
{
	static locale_t letters;
	locale_t l = __atomic_load_n(&letters, __ATOMIC_ACQUIRE);
	uint8_t *p, *to;

	if (is_ascii(v))
		return up ? fold_ascii(s, ev, v, 'a', 'z', ret) : fold_ascii(s, ev, v, 'A', 'Z', ret);
	if (!l) {
		locale_t made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

		if (!made)
			return err_set(err, ERR_UNSUPPORTED, "this machine has no C.UTF-8 locale, which upper() and lower() need");
		if (!__atomic_compare_exchange_n(&letters, &l, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			freelocale(made);
		else
			l = made;
	}
	to = p = arena_alloc(ev->arena, v.len * 2 + 4);
	for (size_t i = 0, len; i < v.len; i += len) {
		uint32_t c = decode(v.ptr + i, v.len - i, &len);

		if (c)
			to += encode((uint32_t)(up ? towupper_l((wint_t)c, l) : towlower_l((wint_t)c, l)), to);
		else
			*to++ = v.ptr[i];
	}
	return give(s, view_of(p, (size_t)(to - p)), ret);
}

CALL(lower_unicode) { return fold_unicode(s, ev, args[0].text, false, ret, err); }
CALL(upper_unicode) { return fold_unicode(s, ev, args[0].text, true, ret, err); }

static int give_int(int64_t i, struct value *ret)
{
	*ret = value_int(VALUE_INT4, i);
	return 0;
}

CALL(length) { return give_int(chars(args[0].text), ret); }
CALL(length_bpchar) { return give_int(chars(trimmed(args[0].text)), ret); }
CALL(octets) { return give_int((int64_t)args[0].text.len, ret); }

/* ---- cutting ---- */

static bool contains_char(struct view set, const uint8_t *c, size_t len)
{
	for (size_t i = 0, n; i < set.len; i += n) {
		for (n = 1; i + n < set.len && continues(set.ptr[i + n]); n++)
			;
		if (n == len && memcmp(set.ptr + i, c, n) == 0)
			return true;
	}
	return false;
}

static struct view trim(struct view v, struct view set, bool left, bool right)
{
	while (left && v.len) {
		size_t n = offset_of(v, 1);

		if (!contains_char(set, v.ptr, n))
			break;
		v = view_of(v.ptr + n, v.len - n);
	}
	while (right && v.len) {
		size_t start = v.len - 1;

		while (start && continues(v.ptr[start]))
			start--;
		if (!contains_char(set, v.ptr + start, v.len - start))
			break;
		v.len = start;
	}
	return v;
}

CALL(btrim1) { return give(s, trim(args[0].text, view_str(" "), true, true), ret); }
CALL(ltrim1) { return give(s, trim(args[0].text, view_str(" "), true, false), ret); }
CALL(rtrim1) { return give(s, trim(args[0].text, view_str(" "), false, true), ret); }
CALL(btrim2) { return give(s, trim(args[0].text, args[1].text, true, true), ret); }
CALL(ltrim2) { return give(s, trim(args[0].text, args[1].text, true, false), ret); }
CALL(rtrim2) { return give(s, trim(args[0].text, args[1].text, false, true), ret); }

static struct view slice(struct view v, int64_t from, int64_t to)
{
	size_t a = offset_of(v, from < 0 ? 0 : from), b = to > from ? a + offset_of(view_of(v.ptr + a, v.len - a), to - (from < 0 ? 0 :
		from)) : a;

	return view_of(v.ptr + a, b - a);
}

CALL(substr2)
{
	return give(s, slice(args[0].text, args[1].i - 1, INT64_MAX / 2), ret);
}

CALL(substr3)
{
	int64_t from = args[1].i - 1, to = from + args[2].i;

	if (args[2].i < 0)
		return sql_data_error(err, "22011", "negative substring length not allowed");
	if (to <= 0)
		return give(s, view_str(""), ret);
	return give(s, slice(args[0].text, from, to), ret);
}

CALL(left)
{
	int64_t n = args[1].i < 0 ? chars(args[0].text) + args[1].i : args[1].i;

	return give(s, view_of(args[0].text.ptr, n > 0 ? offset_of(args[0].text, n) : 0), ret);
}

CALL(right)
{
	int64_t n = args[1].i < 0 ? -args[1].i : chars(args[0].text) - args[1].i;
	size_t at = n > 0 ? offset_of(args[0].text, n) : 0;

	return give(s, view_of(args[0].text.ptr + at, args[0].text.len - at), ret);
}

/* ---- searching ---- */

static const uint8_t *find(struct view v, struct view what)
{
	return what.len ? memmem(v.ptr, v.len, what.ptr, what.len) : v.ptr;
}

CALL(strpos)
{
	const uint8_t *p = find(args[0].text, args[1].text);

	if (!args[1].text.len)
		return give_int(1, ret);
	return give_int(p ? chars(view_of(args[0].text.ptr, (size_t)(p - args[0].text.ptr))) + 1 : 0, ret);
}

CALL(starts_with)
{
	struct view v = args[0].text, p = args[1].text;

	*ret = value_bool(v.len >= p.len && (!p.len || memcmp(v.ptr, p.ptr, p.len) == 0));
	return 0;
}

CALL(replace)
{
	struct view v = args[0].text, what = args[1].text, with = args[2].text;
	struct buf b = BUF_INIT(1024 * 1024 * 1024);
	const uint8_t *p;

	if (!what.len || !find(v, what))
		return give(s, v, ret);
	while (v.len && (p = find(v, what))) {
		buf_put(&b, v.ptr, (size_t)(p - v.ptr));
		buf_putv(&b, with);
		v = view_of(p + what.len, v.len - (size_t)(p - v.ptr) - what.len);
	}
	buf_putv(&b, v);
	if (buf_ok(&b))
		give(s, arena_view(ev->arena, buf_view(&b)), ret);
	else
		sql_data_error(err, "54000", "invalid memory alloc request size");
	p = buf_ok(&b) ? (const uint8_t *)"" : NULL;
	buf_release(&b);
	return p ? 0 : -1;
}

CALL(split_part)
{
	struct view v = args[0].text, at = args[1].text, part;
	int64_t n = args[2].i, count = 1;
	const uint8_t *p;

	if (n == 0)
		return sql_data_error(err, "22023", "field position must not be zero");
	if (!v.len)
		return give(s, v, ret);
	if (!at.len)
		return give(s, n == 1 || n == -1 ? v : view_str(""), ret);
	if (n < 0) {
		for (part = v; (p = find(part, at)); part = view_of(p + at.len, part.len - (size_t)(p - part.ptr) - at.len))
			count++;
		n += count + 1;
		if (n <= 0)
			return give(s, view_str(""), ret);
	}
	for (part = v; n > 1; n--) {
		p = find(part, at);
		if (!p)
			return give(s, view_str(""), ret);
		part = view_of(p + at.len, part.len - (size_t)(p - part.ptr) - at.len);
	}
	p = find(part, at);
	return give(s, p ? view_of(part.ptr, (size_t)(p - part.ptr)) : part, ret);
}

/*
 * LIKE with backslash as escape. Greedy over '%' with one place to come back to: a '%' that matched is never given up for an earlier one,
 * which is enough
 * because everything behind the later '%' is independent of it. -1: the pattern ends in its escape.
 */
static int like(struct view v, struct view p)
{
	size_t i = 0, k = 0, back_i = 0, back_k = SIZE_MAX, n;

	for (;;) {
		if (k < p.len && p.ptr[k] == '%') {
			back_k = ++k;
			back_i = i;
			continue;
		}
		if (i == v.len)
			break;
		if (k < p.len && p.ptr[k] == '_') {
			for (i++; i < v.len && continues(v.ptr[i]); i++)
				;
			k++;
			continue;
		}
		n = k < p.len && p.ptr[k] == '\\';
		if (n && k + 1 == p.len)
			return -1;
		if (k < p.len && p.ptr[k + n] == v.ptr[i]) {
			i++;
			k += n + 1;
			continue;
		}
		if (back_k == SIZE_MAX)
			return 0;
		for (back_i++; back_i < v.len && continues(v.ptr[back_i]); back_i++)
			;
		i = back_i;
		k = back_k;
	}
	while (k < p.len && p.ptr[k] == '%')
		k++;
	return k == p.len;
}

static int like_call(const struct value *args, bool negate, struct value *ret, struct err *err)
{
	int m = like(args[0].text, args[1].text);

	if (m < 0)
		return sql_data_error(err, "22025", "LIKE pattern must not end with escape character");
	*ret = value_bool((m != 0) != negate);
	return 0;
}

CALL(like_yes) { return like_call(args, false, ret, err); }
CALL(like_no) { return like_call(args, true, ret, err); }

/* ILIKE in a multibyte encoding is LIKE over lower() of both sides. */
static int ilike_call(struct sql_eval *ev, const struct value *args, bool unicode, bool negate, struct value *ret, struct err *err)
{
	static const struct sql_site text = {.ret = VALUE_TEXT};
	struct value folded[2];

	for (int i = 0; i < 2; i++)
		if (unicode ? fold_unicode(&text, ev, args[i].text, false, &folded[i], err)
			: fold_ascii(&text, ev, args[i].text, 'A', 'Z', &folded[i]))
			return -1;
	return like_call(folded, negate, ret, err);
}

CALL(ilike_c_yes) { return ilike_call(ev, args, false, false, ret, err); }
CALL(ilike_c_no) { return ilike_call(ev, args, false, true, ret, err); }
CALL(ilike_unicode_yes) { return ilike_call(ev, args, true, false, ret, err); }
CALL(ilike_unicode_no) { return ilike_call(ev, args, true, true, ret, err); }

const struct sql_fn *sql_fn_unicode_case(const struct sql_fn *c_locale)
{
	static const struct {
		sql_call_fn c_locale;
		struct sql_fn unicode;
	} pairs[] = {
		{lower_c, {"lower(t)", lower_unicode, FN_CTYPE, 0, ".", 0}},
		{upper_c, {"upper(t)", upper_unicode, FN_CTYPE, 0, ".", 0}},
		{ilike_c_yes, {"~~*(t,t)", ilike_unicode_yes, FN_CTYPE, 0, "..", 0}},
		{ilike_c_no, {"!~~*(t,t)", ilike_unicode_no, FN_CTYPE, 0, "..", 0}},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].c_locale == c_locale->call)
			return &pairs[i].unicode;
	wm_assert(false);
	return NULL;
}

const struct sql_fn sql_fns_text[] = {
	{"||(t,t)", concat2, 0, 0, "..", 0}, {"textcat(t,t)", concat2, 0, 0, "..", 0}, {"lower(t)", lower_c, FN_CTYPE, 0, ".", 0},
	{"upper(t)", upper_c, FN_CTYPE, 0, ".", 0}, {"length(t)", length, 0, 0, ".", 0}, {"length(b)", length_bpchar, 0, 0, ".", 0},
	{"char_length(t)", length, 0, 0, ".", 0}, {"char_length(b)", length_bpchar, 0, 0, ".", 0},
	{"character_length(t)", length, 0, 0, ".", 0},
	{"character_length(b)", length_bpchar, 0, 0, ".", 0}, {"octet_length(t)", octets, 0, 0, ".", 0},
	{"octet_length(b)", octets, 0, 0, ".", 0}, {"octet_length(y)", octets, 0, 0, ".", 0}, {"length(y)", octets, 0, 0, ".", 0},
	{"btrim(t)", btrim1, 0, 0, ".", 0}, {"ltrim(t)", ltrim1, 0, 0, ".", 0}, {"rtrim(t)", rtrim1, 0, 0, ".", 0},
	{"btrim(t,t)", btrim2, 0, 0, "..", 0},
	{"ltrim(t,t)", ltrim2, 0, 0, "..", 0}, {"rtrim(t,t)", rtrim2, 0, 0, "..", 0}, {"substring(t,i)", substr2, 0, 0, "..", 0},
	{"substring(t,i,i)", substr3, 0, 0, "...", 0}, {"substr(t,i)", substr2, 0, 0, "..", 0}, {"substr(t,i,i)", substr3, 0, 0, "...", 0},
	{"left(t,i)", left, 0, 0, "..", 0}, {"right(t,i)", right, 0, 0, "..", 0}, {"strpos(t,t)", strpos, 0, 0, "..", 0},
	{"position(t,t)", strpos, 0, 0, "..", 0}, {"starts_with(t,t)", starts_with, 0, 0, "..", 0}, {"^@(t,t)", starts_with, 0, 0, "..", 0},
	{"replace(t,t,t)", replace, 0, 0, "...", 0}, {"split_part(t,t,i)", split_part, 0, 0, "...", 0}, {"~~(t,t)", like_yes, 0, 0, "..", 0},
	{"~~*(t,t)", ilike_c_yes, FN_CTYPE, 0, "..", 0}, {"!~~*(t,t)", ilike_c_no, FN_CTYPE, 0, "..", 0},
	{"~~*(b,t)", ilike_c_yes, FN_CTYPE, 0, "..", 0}, {"!~~*(b,t)", ilike_c_no, FN_CTYPE, 0, "..", 0},
	{"!~~(t,t)", like_no, 0, 0, "..", 0}, {"~~(b,t)", like_yes, 0, 0, "..", 0}, {"!~~(b,t)", like_no, 0, 0, "..", 0},
	{NULL, NULL, 0, 0, NULL, 0},
};
