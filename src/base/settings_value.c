/* What a setting's text means, and how it is shown without its secrets; see settings.h. Main thread. */
#include "base/settings_value.h"

#include "base/mem.h"
#include "base/text.h"

static const struct unit {
	const char *name;
	int64_t factor;
} byte_units[] = {
	{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", INT64_C(1) << 40}, {NULL, 0},
}, time_units[] = {
	{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"min", 60000000}, {"h", INT64_C(3600000000)}, {"d", INT64_C(86400000000)}, {NULL, 0},
};

static int with_unit(struct view text, const struct unit *units, const char *hint, int64_t *ret, struct err *err)
{
	size_t digits = 0;
	struct view name;
	int64_t n;

	while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
		digits++;
	name = text_trim(view_of(text.ptr + digits, text.len - digits));
	if (!text_i64(view_of(text.ptr, digits), &n)) {
		err_set(err, ERR_INVALID, digits ? "the number is too large" : "not a number with a unit");
		return err_hint(err, "%s", hint);
	}
	if (!name.len && n == 0) {
		*ret = 0;
		return 0;
	}
	for (; units->name; units++) {
		if (!view_is(name, units->name))
			continue;
		if (__builtin_mul_overflow(n, units->factor, ret))
			return err_set(err, ERR_INVALID, "the number is too large");
		return 0;
	}
	err_set(err, ERR_INVALID, name.len ? "\"%.*s\" is not a unit" : "the unit is missing", (int)name.len, (const char *)name.ptr);
	return err_hint(err, "%s", hint);
}

int setting_parse_number(enum setting_type type, struct view text, int64_t *ret, struct err *err)
{
	if (type == SETTING_BYTES)
		return with_unit(text, byte_units, "Write digits and one of B, KiB, MiB, GiB, TiB, such as 64MiB.", ret, err);
	if (type == SETTING_DURATION)
		return with_unit(text, time_units, "Write digits and one of us, ms, s, min, h, d, such as 500ms.", ret, err);
	wm_assert(type == SETTING_INT);
	return text_i64(text, ret) ? 0 : err_set(err, ERR_INVALID, "not a whole number");
}

static int check_bound(const struct setting_def *def, int64_t n, struct err *err)
{
	const char *bounds[2] = {def->min, def->max};
	int i;

	for (i = 0; i < 2; i++) {
		int64_t bound;

		if (!bounds[i])
			continue;
		wm_assert(setting_parse_number(def->type, view_str(bounds[i]), &bound, err) == 0);
		if (i == 0 ? n < bound : n > bound)
			return err_set(err, ERR_INVALID, "%s than %s", i == 0 ? "less" : "more", bounds[i]);
	}
	return 0;
}

static int parse_bool(struct view text, int64_t *ret, struct err *err)
{
	static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (text_is(text, words[i])) {
			*ret = i & 1;
			return 0;
		}
	err_set(err, ERR_INVALID, "neither on nor off");
	return err_hint(err, "Write on or off.");
}

static int parse_choice(const struct setting_def *def, struct view text, struct err *err)
{
	struct view left = view_str(def->choices);

	while (left.len) {
		const uint8_t *blank = memchr(left.ptr, ' ', left.len);
		struct view word = view_of(left.ptr, blank ? (size_t)(blank - left.ptr) : left.len);

		if (view_eq(word, text))
			return 0;
		left = blank ? view_of(blank + 1, left.len - word.len - 1) : view_of(left.ptr, 0);
	}
	err_set(err, ERR_INVALID, "not one of the words that it takes");
	return err_hint(err, "Write one of: %s.", def->choices);
}

static int parse_address(struct view text, struct setting_address *ret, struct err *err)
{
	const uint8_t *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
	struct view host, port;
	uint64_t n;

	if (!colon) {
		err_set(err, ERR_INVALID, "\"%.*s\" has no port", (int)text.len, (const char *)text.ptr);
		return err_hint(err, "Write host:port, such as 127.0.0.1:9092.");
	}
	host = view_of(text.ptr, (size_t)(colon - text.ptr));
	port = view_of(colon + 1, text.len - host.len - 1);
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
		host = view_of(host.ptr + 1, host.len - 2);
	} else if (host.len && memchr(host.ptr, ':', host.len)) {
		err_set(err, ERR_INVALID, "\"%.*s\" has more than one colon", (int)text.len, (const char *)text.ptr);
		return err_hint(err, "Write an IPv6 address in brackets: [::1]:9092.");
	}
	if (!host.len || host.len >= sizeof(ret->host)) {
		err_set(err, ERR_INVALID, host.len ? "the host name is too long" : "the host is missing");
		return err_hint(err, "Write 127.0.0.1 for this machine alone, or 0.0.0.0 for every IPv4 address.");
	}
	if (!text_u64(port, &n) || n > 65535)
		return err_set(err, ERR_INVALID, "\"%.*s\" is not a port number", (int)port.len, (const char *)port.ptr);
	memcpy(ret->host, host.ptr, host.len);
	ret->host[host.len] = '\0';
	ret->port = (uint16_t)n;
	return 0;
}

static int parse_addresses(struct view text, struct setting_value *v, struct err *err)
{
	while (text.len) {
		const uint8_t *comma = memchr(text.ptr, ',', text.len);
		struct view one = view_of(text.ptr, comma ? (size_t)(comma - text.ptr) : text.len);

		v->addresses = mem_realloc(v->addresses, (v->n_addresses + 1) * sizeof(*v->addresses));
		if (parse_address(text_trim(one), &v->addresses[v->n_addresses], err))
			return -1;
		v->n_addresses++;
		text = comma ? view_of(comma + 1, text.len - one.len - 1) : view_of(text.ptr, 0);
		if (comma && !text.len)
			return err_set(err, ERR_INVALID, "a comma with no address behind it");
	}
	return 0;
}

static int parse_value(const struct setting_def *def, struct view text, struct setting_value *v, struct err *err)
{
	switch (def->type) {
	case SETTING_INT:
	case SETTING_BYTES:
	case SETTING_DURATION:
		return setting_parse_number(def->type, text, &v->number, err) || check_bound(def, v->number, err) ? -1 : 0;
	case SETTING_BOOL:
		return parse_bool(text, &v->number, err);
	case SETTING_ADDRESSES:
		return parse_addresses(text, v, err);
	case SETTING_CHOICE:
		return parse_choice(def, text, err);
	case SETTING_STRING:
	case SETTING_CONNECTION:
	case SETTING_SECRET:
		break;
	}
	return 0;
}

int setting_value_parse(const struct setting_def *def, const char *text, struct setting_value *ret, struct err *err)
{
	struct setting_value v = {.text = mem_strdup(text)};

	if (!text_utf8_valid(view_str(text)))
		err_set(err, ERR_INVALID, "not valid UTF-8");
	else if (parse_value(def, view_str(text), &v, err) == 0) {
		*ret = v;
		return 0;
	}
	setting_value_release(&v);
	return -1;
}

void setting_value_release(struct setting_value *v)
{
	mem_free(v->text);
	mem_free(v->addresses);
	*v = (struct setting_value){.text = NULL};
}

/* ---- what may be shown ---- */

#define MASK "********"

/* postgresql://user:password@host/db?password=x */
static void mask_uri(struct view text, struct buf *out)
{
	const uint8_t *slashes = memmem(text.ptr, text.len, "//", 2), *end = text.ptr + text.len, *p, *at, *colon;

	p = slashes ? slashes + 2 : text.ptr;
	at = memchr(p, '@', (size_t)(end - p));
	colon = at ? memchr(p, ':', (size_t)(at - p)) : NULL;
	if (colon) {
		buf_put(out, text.ptr, (size_t)(colon + 1 - text.ptr));
		buf_puts(out, MASK);
		p = at;
	} else {
		buf_put(out, text.ptr, (size_t)(p - text.ptr));
	}
	while (p < end) {
		const uint8_t *word = memmem(p, (size_t)(end - p), "password=", 9);

		if (!word)
			break;
		buf_put(out, p, (size_t)(word + 9 - p));
		buf_puts(out, MASK);
		for (p = word + 9; p < end && *p != '&'; p++)
			;
	}
	buf_put(out, p, (size_t)(end - p));
}

/* The end of a value of "keyword = value" beginning at p: quoted with ' (\ escapes) or up to the next blank. */
static const uint8_t *conninfo_value_end(const uint8_t *p, const uint8_t *end)
{
	bool quoted = p < end && *p == '\'';

	for (p += quoted; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (quoted ? *p == '\'' : *p == ' ' || *p == '\t' || *p == '\n')
			return p + quoted;
	}
	return end;
}

static bool blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

void settings_mask_connection(struct view text, struct buf *out)
{
	const uint8_t *p = text.ptr, *end = text.ptr + text.len;

	if (text_starts(text, "postgres://") || text_starts(text, "postgresql://")) {
		mask_uri(text, out);
		return;
	}
	while (p < end) {
		const uint8_t *key = p, *key_end, *value;

		for (; key < end && blank(*key); key++)
			;
		for (key_end = key; key_end < end && *key_end != '=' && !blank(*key_end); key_end++)
			;
		for (value = key_end; value < end && (blank(*value) || *value == '='); value++)
			;
		buf_put(out, p, (size_t)(value - p));
		p = conninfo_value_end(value, end);
		if (memmem(key, (size_t)(key_end - key), "password", 8) && p > value)
			buf_puts(out, MASK);
		else
			buf_put(out, value, (size_t)(p - value));
	}
}

void setting_value_put_masked(const struct setting_def *def, const struct setting_value *v, struct buf *out)
{
	if (def->type == SETTING_CONNECTION)
		settings_mask_connection(view_str(v->text), out);
	else if (def->type == SETTING_SECRET && v->text[0])
		buf_puts(out, MASK);
	else
		buf_puts(out, v->text);
}
