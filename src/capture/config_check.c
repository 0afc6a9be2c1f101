/* What is wrong with a configuration, and in which words; see config_defs.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "capture/config_internal.h"

/* ---- faults ---- */

void config_fault_text(struct config_reader *r, const char *key, const char *text)
{
	struct arena *a = &r->config->arena;

	r->faults = mem_realloc(r->faults, (r->nfaults + 1) * sizeof(*r->faults));
	r->faults[r->nfaults++] = (struct config_fault){arena_view(a, view_str(key)), arena_view(a, view_str(text))};
}

void config_fault(struct config_reader *r, const char *key, struct view value, const char *why)
{
	const struct config_def *d = config_def_find(view_str(key));
	struct buf b = BUF_INIT(1 << 16);

	if (value.ptr && (!d || config_def_is_connects(d)))
		buf_printf(&b, "Invalid value %.*s for configuration %s: %s", (int)value.len, (const char *)value.ptr, key, why);
	else
		buf_printf(&b, "The '%s' value is invalid: %s", key, why);
	config_fault_text(r, key, buf_cstr(&b));
	buf_release(&b);
}

void config_missing(struct config_reader *r, const char *key)
{
	const struct config_def *d = config_def_find(view_str(key));

	if (d && !config_def_is_connects(d))
		config_fault(r, key, VIEW_NULL, "A value is required");
	else
		config_fault_text(r, key,
			arena_printf(&r->config->arena, "Missing required configuration \"%s\" which has no default value.", key));
}

static void put_list(struct buf *b, const char *choices)
{
	for (; *choices; choices++)
		buf_printf(b, "%c%s", *choices, *choices == ',' ? " " : "");
}

void config_fault_choice(struct config_reader *r, const char *key, struct view value, const char *choices)
{
	const struct config_def *d = config_def_find(view_str(key));
	struct buf b = BUF_INIT(4096);

	buf_puts(&b, d && config_def_is_connects(d) ? "String must be one of: " : "Value must be one of ");
	put_list(&b, choices);
	config_fault(r, key, value, buf_cstr(&b));
	buf_release(&b);
}

/* What a validator says of a value, or NULL when it is content with it. The letters are those of config_def.checks. */
static const char *check_text(char check, struct view value)
{
	int64_t n = 0;
	bool number = config_text_is_int(value, &n);

	switch (check) {
	case 'b':
		return config_text_is_bool(value) ? NULL : "Either 'true' or 'false' is expected";
	case 'i':
		return number ? NULL : "An integer is expected";
	case 'l':
		return number ? NULL : "A long value is expected";
	case 'n':
		return number && n >= 0 ? NULL : "An non-negative integer is expected";
	case 'N':
		return number && n >= 0 ? NULL : "A non-negative long value is expected";
	case 'p':
		return number && n > 0 ? NULL : "A positive, non-zero integer value is expected";
	case 'P':
		return number && n > 0 ? NULL : "A positive, non-zero long value is expected";
	}
	return NULL;
}

/* Connect's own keys: a number is parsed first, then held against its range. */
static bool check_connects(struct config_reader *r, const struct config_def *d, struct view value)
{
	char text[64];
	int64_t n;

	if (*d->type == 'B' && !config_text_is_bool(value)) {
		config_fault(r, d->key, value, "Expected value to be either true or false");
		return false;
	}
	if (*d->type != 'I' && (*d->type != 'L' || d->type[1] != 'O'))
		return true;
	if (!config_text_is_int(value, &n)) {
		snprintf(text, sizeof(text), "Not a number of type %s", d->type);
		config_fault(r, d->key, value, text);
		if (d->checks && *d->checks == '1')
			config_fault(r, d->key, view_str("null"), "Value must be non-null");
		return false;
	}
	if (!d->checks || n >= *d->checks - '0')
		return true;
	snprintf(text, sizeof(text), "Value must be at least %c", *d->checks);
	config_fault(r, d->key, value, text);
	return false;
}

bool config_check_value(struct config_reader *r, const struct config_def *d, struct view value)
{
	const char *checks = d->checks ? d->checks : *d->type == 'B' ? "b" : *d->type == 'I' ? "i" : strcmp(d->type, "LONG") == 0 ? "l" : "";
	const char *why;
	bool good = true;

	if (config_def_is_connects(d))
		return check_connects(r, d, value);
	for (; *checks; checks++)
		if ((why = check_text(*checks, value)) != NULL) {
			config_fault(r, d->key, value, why);
			good = false;
		}
	return good;
}

static int place(struct view key)
{
	const struct config_def *d = config_def_find(key);

	return d ? (int)(d - config_defs) : (int)config_ndefs;
}

void config_sort_faults(struct config_reader *r)
{
	unsigned i, k;

	/* insertion, as faults of one key must stay in their order */
	for (i = 1; i < r->nfaults; i++) {
		struct config_fault f = r->faults[i];

		for (k = i; k && place(r->faults[k - 1].key) > place(f.key); k--)
			r->faults[k] = r->faults[k - 1];
		r->faults[k] = f;
	}
}

/* ---- values ---- */

bool config_text_is_bool(struct view v)
{
	return (v.len == 4 && strncasecmp((const char *)v.ptr, "true", 4) == 0) ||
		(v.len == 5 && strncasecmp((const char *)v.ptr, "false", 5) == 0);
}

bool config_text_is_int(struct view v, int64_t *ret)
{
	char text[24], *end;

	if (v.len == 0 || v.len > 20)
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)v.len, (const char *)v.ptr);
	*ret = strtoll(text, &end, 10);
	return *end == '\0' && end != text && text[0] != ' ';
}

bool config_among(const char *choices, struct view v)
{
	while (*choices) {
		size_t n = strcspn(choices, ",");

		if (n == v.len && strncasecmp(choices, (const char *)v.ptr, n) == 0)
			return true;
		choices += n + (choices[n] == ',');
	}
	return false;
}

/* ---- keys that nobody asked for ---- */

static const char *const refused_starts[] = {
	"column.mask.", "column.truncate.", "predicates.", "topic.creation.", "snapshot.select.statement.overrides.",
};

/* Keys of other versions and of what the table does not have, with the same fate. */
static const char *const refused_others[] = {"topic.heartbeat.name", "read.only"};
static const char *const accepted_others[] = {"database.server.name", "lsn.flush.mode", "offset.mismatch.strategy", "topic.cache.size"};
static const char *const accepted_starts[] = {"key.converter", "value.converter", "header.converter", "producer.override.", "transforms."};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool listed(const char *const *list, size_t n, struct view key)
{
	while (n)
		if (view_is(key, list[--n]))
			return true;
	return false;
}

static bool begins_with(const char *const *list, size_t n, struct view key)
{
	while (n)
		if (view_starts(key, list[--n]))
			return true;
	return false;
}

/* False values of refused switches are what walmill does anyway. */
static bool asks_for_nothing(struct view value)
{
	return value.len == 0 || view_is(value, "false") || view_is(value, "0");
}

static void check_type(struct config_reader *r, const struct config_def *d, struct view value)
{
	if (config_check_value(r, d, value) && d->choices && !config_among(d->choices, value))
		config_fault_choice(r, d->key, value, d->choices);
}

static void check_other(struct config_reader *r, struct view key, struct view value)
{
	const struct config_def *d = config_def_find(key);
	const char *text = arena_str(&r->config->arena, key);
	bool refused = begins_with(refused_starts, COUNT(refused_starts), key);

	if ((d && d->role == REFUSED) || listed(refused_others, COUNT(refused_others), key)) {
		if (asks_for_nothing(value))
			return;
		refused = true;
	}
	if (refused) {
		config_fault(r, text, VIEW_NULL, "walmill does not have it, and without it other events would be published than the "
			"configuration asks for. Take it out, or keep this connector on Kafka Connect.");
		return;
	}
	if (d && (d->role == ACCEPTED || d->role == IGNORED))
		check_type(r, d, value);
	if ((d && d->role != IGNORED) || listed(accepted_others, COUNT(accepted_others), key) ||
		begins_with(accepted_starts, COUNT(accepted_starts), key))
		return;
	config_warn(r, "Configuration \"%.*s\" is not known and was ignored.", (int)key.len, (const char *)key.ptr);
}

void config_check_others(struct config_reader *r)
{
	struct map_slot *s;
	size_t pos = 0;

	while ((s = map_iter(&r->values, &pos)) != NULL)
		if (!map_get(&r->asked, s->key))
			check_other(r, s->key, *(struct view *)s->value);
}
