/* The table of settings and where its values come from; see settings.h. Main thread. */
#include "base/settings.h"

#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/settings_value.h"
#include "base/text.h"

enum { FILE_MAX = 1 << 20, NAME_MAX_LEN = 128 };

#define PREFIX "WALMILL_"

struct slot {
	struct setting_value value;
	enum settings_source source;
	char *where;   /* "file:line" and the like; NULL for the default */
};

struct settings {
	const struct setting_def *defs;
	size_t n;
	struct slot *slots;
};

void setting_variable(const char *name, char *out, size_t out_len)
{
	size_t i, k = strlen(PREFIX);

	wm_assert(out_len > k + strlen(name));
	memcpy(out, PREFIX, k);
	for (i = 0; name[i]; i++)
		out[k++] = name[i] == '.' ? '_' : name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
	out[k] = '\0';
}

/* Two names that differ only in a dot and an underscore would share a variable. */
static void check_names(const struct settings *s)
{
	struct map seen = MAP_INIT;
	char variable[NAME_MAX_LEN];
	size_t i;

	for (i = 0; i < s->n; i++) {
		setting_variable(s->defs[i].name, variable, sizeof(variable));
		wm_assert(!map_put(&seen, view_str(variable), (void *)&s->defs[i]));
	}
	map_release(&seen);
}

struct settings *settings_new(const struct setting_def *defs, size_t n)
{
	struct settings *s = mem_zalloc(sizeof(*s));
	struct err err = ERR_INIT;
	size_t i;

	s->defs = defs;
	s->n = n;
	s->slots = mem_zalloc(n * sizeof(*s->slots));
	check_names(s);
	for (i = 0; i < n; i++)
		wm_assert(setting_value_parse(&defs[i], defs[i].preset, &s->slots[i].value, &err) == 0);
	return s;
}

void settings_free(struct settings *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n; i++) {
		setting_value_release(&s->slots[i].value);
		mem_free(s->slots[i].where);
	}
	mem_free(s->slots);
	mem_free(s);
}

int settings_find(const struct settings *s, struct view name)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (view_is(name, s->defs[i].name))
			return (int)i;
	return -1;
}

/* ERR_INVALID with the nearest name as the hint, if one is near enough to be meant. */
static int unknown_name(const struct settings *s, struct view name, bool variable, struct err *err)
{
	size_t i, best = SIZE_MAX, at = 0;
	char candidate[NAME_MAX_LEN];

	for (i = 0; i < s->n; i++) {
		size_t d;

		if (variable)
			setting_variable(s->defs[i].name, candidate, sizeof(candidate));
		d = text_distance(name, view_str(variable ? candidate : s->defs[i].name));
		if (d < best) {
			best = d;
			at = i;
		}
	}
	err_set(err, ERR_INVALID, variable ? "unknown variable \"%.*s\"" : "unknown setting \"%.*s\"", (int)(name.len > 80 ? 80 : name.len),
		(const char *)name.ptr);
	if (!s->n || best > name.len / 2)
		return err_hint(err, "walmill --help lists the settings.");
	if (variable)
		setting_variable(s->defs[at].name, candidate, sizeof(candidate));
	return err_hint(err, "Did you mean \"%s\"?", variable ? candidate : s->defs[at].name);
}

/* A value that a higher source has already decided is checked all the same. */
static int assign(struct settings *s, size_t row, enum settings_source source, const char *value, const char *where, struct err *err)
{
	struct slot *slot = &s->slots[row];
	struct setting_value v;

	if (setting_value_parse(&s->defs[row], value, &v, err)) {
		struct err why = *err;
		bool hidden = s->defs[row].type == SETTING_SECRET || s->defs[row].type == SETTING_CONNECTION;

		if (hidden)
			err_set(err, ERR_INVALID, "%s: invalid value for \"%s\": %s", where, s->defs[row].name, why.text);
		else
			err_set(err, ERR_INVALID, "%s: invalid value for \"%s\": \"%.100s\": %s", where, s->defs[row].name, value, why.text);
		return why.hint[0] ? err_hint(err, "%s", why.hint) : -1;
	}
	if (source < slot->source) {
		setting_value_release(&v);
		return 0;
	}
	setting_value_release(&slot->value);
	slot->value = v;
	slot->source = source;
	mem_free(slot->where);
	slot->where = mem_strdup(where);
	return 0;
}

int settings_set(struct settings *s, enum settings_source source, const char *name, const char *value, const char *where, struct err *err)
{
	int row = settings_find(s, view_str(name));

	if (row < 0) {
		unknown_name(s, view_str(name), false, err);
		return err_context(err, "%s", where);
	}
	return assign(s, (size_t)row, source, value, where, err);
}

int settings_set_argument(struct settings *s, const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');
	char *name;
	int rc;

	if (!equals) {
		err_set(err, ERR_INVALID, "--set %s: a value is missing", text);
		return err_hint(err, "Write --set NAME=VALUE.");
	}
	name = mem_strndup(text, (size_t)(equals - text));
	rc = settings_set(s, SETTINGS_COMMAND_LINE, name, equals + 1, "--set", err);
	mem_free(name);
	return rc;
}

int settings_change(struct settings *s, const char *name, const char *value, struct err *err)
{
	int row = settings_find(s, view_str(name));

	if (row >= 0 && s->defs[row].when != SETTING_RUNTIME) {
		err_set(err, ERR_STATE, "setting \"%s\" cannot be changed while walmill runs", name);
		return err_hint(err, "Set it in the file, the environment or the command line, and start walmill again.");
	}
	return settings_set(s, SETTINGS_CHANGED, name, value, "change", err);
}

static bool named(const char *const *names, struct view name)
{
	for (; names && *names; names++)
		if (view_is(name, *names))
			return true;
	return false;
}

int settings_load_environment(struct settings *s, char *const *envp, const char *const *others, struct err *err)
{
	char variable[NAME_MAX_LEN], where[NAME_MAX_LEN + 32];

	for (; *envp; envp++) {
		const char *equals = strchr(*envp, '=');
		struct view name = view_of(*envp, equals ? (size_t)(equals - *envp) : 0);
		size_t i;

		if (!view_starts(name, PREFIX) || named(others, name))
			continue;
		for (i = 0; i < s->n; i++) {
			setting_variable(s->defs[i].name, variable, sizeof(variable));
			if (view_is(name, variable))
				break;
		}
		if (i == s->n) {
			unknown_name(s, name, true, err);
			return err_context(err, "environment");
		}
		snprintf(where, sizeof(where), "environment variable %s", variable);
		if (assign(s, i, SETTINGS_ENVIRONMENT, equals + 1, where, err))
			return -1;
	}
	return 0;
}

/* ---- file ---- */

/* The value behind an opening quote at text.ptr[0], unescaped into out. *rest: what stands behind the closing quote. */
static int unquote(struct view text, struct buf *out, struct view *rest, struct err *err)
{
	uint8_t quote = text.ptr[0];
	size_t i;

	for (i = 1; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (c == quote) {
			if (quote == '"' || i + 1 >= text.len || text.ptr[i + 1] != quote) {
				*rest = view_of(text.ptr + i + 1, text.len - i - 1);
				return 0;
			}
			i++;
		} else if (c == '\\' && quote == '"') {
			c = ++i < text.len ? text.ptr[i] : 0;
			if (c != '"' && c != '\\' && c != 'n' && c != 't')
				return err_set(err, ERR_INVALID, "a backslash in double quotes stands before \", \\, n or t only");
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
		}
		buf_u8(out, c);
	}
	return err_set(err, ERR_INVALID, "the closing quote is missing");
}

/* Splits "name = value # comment" into *name and the value's text; false on an empty line. */
static int parse_line(struct view line, struct view *name, struct buf *value, struct err *err)
{
	const uint8_t *equals;
	struct view text;
	size_t i;

	line = text_trim(line);
	*name = VIEW_NULL;
	if (!line.len || line.ptr[0] == '#')
		return 0;
	equals = memchr(line.ptr, '=', line.len);
	if (!equals) {
		err_set(err, ERR_INVALID, "no \"=\" in \"%.*s\"", (int)(line.len > 40 ? 40 : line.len), (const char *)line.ptr);
		return err_hint(err, "Write name = value.");
	}
	text = text_trim(view_of(equals + 1, line.len - (size_t)(equals - line.ptr) - 1));
	if (text.len && (text.ptr[0] == '\'' || text.ptr[0] == '"')) {
		struct view rest;

		if (unquote(text, value, &rest, err))
			return -1;
		rest = text_trim(rest);
		if (rest.len && rest.ptr[0] != '#')
			return err_set(err, ERR_INVALID, "text behind the closing quote");
	} else {
		for (i = 0; i < text.len && text.ptr[i] != '#'; i++)
			;
		buf_putv(value, text_trim(view_of(text.ptr, i)));
	}
	*name = text_trim(view_of(line.ptr, (size_t)(equals - line.ptr)));
	return 0;
}

/* lines_of[row] is the line where the row was set, 0 for not yet. */
static int load_line(struct settings *s, struct view line, struct buf *value, unsigned *lines_of, unsigned number, const char *where,
	struct err *err)
{
	struct view name;
	int row;

	buf_clear(value);
	if (parse_line(line, &name, value, err))
		return err_context(err, "%s", where);
	if (!name.ptr)
		return 0;
	row = settings_find(s, name);
	if (row < 0) {
		unknown_name(s, name, false, err);
		return err_context(err, "%s", where);
	}
	if (lines_of[row])
		return err_set(err, ERR_INVALID, "%s: \"%s\" is already set in line %u", where, s->defs[row].name, lines_of[row]);
	lines_of[row] = number;
	return assign(s, (size_t)row, SETTINGS_FILE, buf_cstr(value), where, err);
}

int settings_load_file(struct settings *s, struct io *io, const char *path, struct err *err)
{
	struct buf text = BUF_INIT(FILE_MAX), value = BUF_INIT(FILE_MAX + 1), where = BUF_INIT(FILE_MAX);
	unsigned *lines_of = mem_zalloc((s->n + 1) * sizeof(*lines_of)), number = 0;
	struct view left;
	int rc = -1;

	if (io_read_file(io, path, &text, err))
		goto out;
	if (text.len && memchr(text.ptr, 0, text.len)) {
		err_set(err, ERR_INVALID, "%s: a zero byte: this is not a text file", path);
		goto out;
	}
	left = buf_view(&text);
	while (left.len) {
		const uint8_t *end = memchr(left.ptr, '\n', left.len);
		struct view line = view_of(left.ptr, end ? (size_t)(end - left.ptr) : left.len);

		buf_clear(&where);
		buf_printf(&where, "%s:%u", path, ++number);
		if (load_line(s, line, &value, lines_of, number, buf_cstr(&where), err))
			goto out;
		left = end ? view_of(end + 1, left.len - line.len - 1) : view_of(left.ptr, 0);
	}
	rc = 0;
out:
	buf_release(&text);
	buf_release(&value);
	buf_release(&where);
	mem_free(lines_of);
	return rc;
}

/* ---- values ---- */

const char *settings_text(const struct settings *s, size_t row)
{
	wm_assert(row < s->n);
	return s->slots[row].value.text;
}

int64_t settings_int(const struct settings *s, size_t row)
{
	wm_assert(row < s->n);
	wm_assert(s->defs[row].type == SETTING_INT || s->defs[row].type == SETTING_BYTES || s->defs[row].type == SETTING_DURATION);
	return s->slots[row].value.number;
}

bool settings_bool(const struct settings *s, size_t row)
{
	wm_assert(row < s->n && s->defs[row].type == SETTING_BOOL);
	return s->slots[row].value.number != 0;
}

const struct setting_address *settings_addresses(const struct settings *s, size_t row, size_t *ret_n)
{
	wm_assert(row < s->n && s->defs[row].type == SETTING_ADDRESSES);
	*ret_n = s->slots[row].value.n_addresses;
	return s->slots[row].value.addresses;
}

enum settings_source settings_source(const struct settings *s, size_t row)
{
	wm_assert(row < s->n);
	return s->slots[row].source;
}

void settings_put_masked(const struct settings *s, size_t row, struct buf *out)
{
	wm_assert(row < s->n);
	setting_value_put_masked(&s->defs[row], &s->slots[row].value, out);
}

void settings_print(const struct settings *s, struct buf *out)
{
	struct buf shown = BUF_INIT(FILE_MAX);
	size_t i, k;

	for (i = 0; i < s->n; i++) {
		buf_clear(&shown);
		settings_put_masked(s, i, &shown);
		buf_printf(out, "%s = '", s->defs[i].name);
		for (k = 0; k < shown.len; k++) {
			if (shown.ptr[k] == '\'')
				buf_putc(out, '\'');
			buf_u8(out, shown.ptr[k]);
		}
		buf_printf(out, "'  # %s\n", s->slots[i].where ? s->slots[i].where : "default");
	}
	buf_release(&shown);
}
