/* Regular expressions; see regex.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "capture/regex.h"

#include <pcre2.h>

#include "base/mem.h"

enum { MATCH_LIMIT = 100000 };

struct regex {
	pcre2_code *code;
	pcre2_match_context *context;
};

int regex_compile(struct view pattern, bool ignore_case, struct regex **ret, struct err *err)
{
	uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | (ignore_case ? PCRE2_CASELESS : 0);
	struct regex *r;
	pcre2_code *code;
	PCRE2_SIZE at;
	int number;

	code = pcre2_compile(pattern.ptr ? pattern.ptr : (const uint8_t *)"", pattern.len, options, &number, &at, NULL);
	if (!code) {
		uint8_t why[128];

		pcre2_get_error_message(number, why, sizeof(why));
		return err_set(err, ERR_INVALID, "regular expression \"%.*s\" cannot be read at character %zu: %s", (int)pattern.len,
			       (const char *)pattern.ptr, (size_t)at, (const char *)why);
	}
	r = mem_zalloc(sizeof(*r));
	r->code = code;
	r->context = pcre2_match_context_create(NULL);
	wm_assert(r->context);
	pcre2_set_match_limit(r->context, MATCH_LIMIT);
	*ret = r;
	return 0;
}

int regex_compile_list(struct view patterns, bool ignore_case, struct regex **ret, struct err *err)
{
	struct buf all = BUF_INIT(1 << 20);
	size_t i = 0;
	int rc;

	while (i <= patterns.len) {
		size_t from = i, to;

		while (i < patterns.len && patterns.ptr[i] != ',')
			i += patterns.ptr[i] == '\\' && i + 1 < patterns.len ? 2 : 1;
		to = i++;
		while (from < to && (patterns.ptr[from] == ' ' || patterns.ptr[from] == '\n' || patterns.ptr[from] == '\t'))
			from++;
		while (to > from && (patterns.ptr[to - 1] == ' ' || patterns.ptr[to - 1] == '\n' || patterns.ptr[to - 1] == '\t'))
			to--;
		if (to == from)
			continue;
		buf_puts(&all, all.len ? "|(?:" : "(?:");
		buf_put(&all, patterns.ptr + from, to - from);
		buf_putc(&all, ')');
	}
	rc = regex_compile(buf_view(&all), ignore_case, ret, err);
	buf_release(&all);
	return rc;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	pcre2_match_context_free(r->context);
	mem_free(r);
}

/* The match, to be freed; NULL when it does not match. */
static pcre2_match_data *match(const struct regex *r, struct view subject)
{
	pcre2_match_data *m = pcre2_match_data_create_from_pattern(r->code, NULL);

	wm_assert(m);
	if (pcre2_match(r->code, subject.ptr ? subject.ptr : (const uint8_t *)"", subject.len, 0, 0, m, r->context) > 0)
		return m;
	pcre2_match_data_free(m);
	return NULL;
}

bool regex_matches(const struct regex *r, struct view subject)
{
	pcre2_match_data *m = match(r, subject);

	pcre2_match_data_free(m);
	return m != NULL;
}

static bool put_group(pcre2_match_data *m, struct buf *b, struct view subject, uint32_t group)
{
	PCRE2_SIZE *at = pcre2_get_ovector_pointer(m);

	if (group >= pcre2_get_ovector_count(m))
		return false;
	if (at[2 * group] != PCRE2_UNSET)
		buf_put(b, subject.ptr + at[2 * group], at[2 * group + 1] - at[2 * group]);
	return true;
}

static bool put_reference(
	const struct regex *r, pcre2_match_data *m, struct buf *b, struct view subject, const uint8_t **p, const uint8_t *end)
{
	uint32_t group = 0;
	char name[64];
	size_t n = 0;
	int number;

	if (*p < end && **p == '{') {
		for ((*p)++; *p < end && **p != '}' && n < sizeof(name) - 1; (*p)++)
			name[n++] = (char)**p;
		name[n] = '\0';
		if (*p == end || **p != '}')
			return false;
		(*p)++;
		number = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)name);
		return number > 0 && put_group(m, b, subject, (uint32_t)number);
	}
	if (*p == end || **p < '0' || **p > '9')
		return false;
	/* as Java: the first digit is taken always, further ones while such a group exists */
	group = (uint32_t)(*(*p)++ - '0');
	while (*p < end && **p >= '0' && **p <= '9' && group * 10 + (uint32_t)(**p - '0') < pcre2_get_ovector_count(m))
		group = group * 10 + (uint32_t)(*(*p)++ - '0');
	return put_group(m, b, subject, group);
}

int regex_replace(const struct regex *r, struct view subject, struct view replacement, struct arena *a, struct view *ret, struct err *err)
{
	const uint8_t *p = replacement.ptr, *end = p + replacement.len;
	struct buf b = BUF_INIT(1 << 20);
	pcre2_match_data *m = match(r, subject);
	bool good = true;

	if (!m) {
		*ret = subject;
		return 0;
	}
	while (p < end && good) {
		uint8_t c = *p++;

		if (c == '\\' && p < end)
			buf_putc(&b, (char)*p++);
		else if (c == '$')
			good = put_reference(r, m, &b, subject, &p, end);
		else
			buf_putc(&b, (char)c);
	}
	if (good)
		*ret = arena_view(a, buf_view(&b));
	buf_release(&b);
	pcre2_match_data_free(m);
	return good ? 0
				: err_set(err, ERR_INVALID, "replacement \"%.*s\" names a group that the regular expression does not have",
					  (int)replacement.len, (const char *)replacement.ptr);
}
