/* Documents made from the rows of a settings table; see settings.h. Any thread: nothing is shared. */
#include "base/settings.h"
#include "base/text.h"

enum { WRAP = 96 };

const char *setting_type_name(enum setting_type type)
{
	static const char *const names[] = {
		[SETTING_STRING] = "text", [SETTING_INT] = "int", [SETTING_BYTES] = "bytes", [SETTING_DURATION] = "duration",
		[SETTING_BOOL] = "bool", [SETTING_ADDRESSES] = "addresses", [SETTING_CHOICE] = "choice", [SETTING_CONNECTION] = "connection",
		[SETTING_SECRET] = "secret",
	};

	return names[type];
}

/* "bytes, 1MiB to 1GiB" */
static void put_type(const struct setting_def *d, struct buf *out)
{
	struct view words = d->choices ? view_str(d->choices) : VIEW_NULL;
	size_t i;

	if (d->type == SETTING_CHOICE) {
		for (i = 0; i < words.len; i++)
			buf_puts(out, words.ptr[i] == ' ' ? ", " : (char[]){(char)words.ptr[i], '\0'});
		return;
	}
	buf_puts(out, setting_type_name(d->type));
	if (d->min && d->max)
		buf_printf(out, ", %s to %s", d->min, d->max);
	else if (d->min || d->max)
		buf_printf(out, d->min ? ", at least %s" : ", at most %s", d->min ? d->min : d->max);
}

static void put_wrapped(const char *text, const char *indent, struct buf *out)
{
	size_t column = 0;

	buf_puts(out, indent);
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column && column + 1 + len > WRAP - strlen(indent)) {
			buf_printf(out, "\n%s", indent);
			column = 0;
		} else if (column) {
			buf_putc(out, ' ');
			column++;
		}
		buf_put(out, text, len);
		column += len;
		text += len + strspn(text + len, " ");
	}
	buf_putc(out, '\n');
}

void settings_help(const struct setting_def *defs, size_t n, struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		buf_printf(out, "  %s = %s   (", defs[i].name, defs[i].preset[0] ? defs[i].preset : "''");
		put_type(&defs[i], out);
		buf_puts(out, defs[i].when == SETTING_RUNTIME ? "; can be changed at run time)\n" : ")\n");
		put_wrapped(defs[i].doc, "        ", out);
	}
}

static size_t group_len(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? (size_t)(dot - name) : 0;
}

/* Rows of one group (the word before the first dot) stand together in the table. */
static bool begins_group(const struct setting_def *defs, size_t i)
{
	size_t len = group_len(defs[i].name);

	return i == 0 || group_len(defs[i - 1].name) != len || memcmp(defs[i - 1].name, defs[i].name, len) != 0;
}

void settings_markdown(const struct setting_def *defs, size_t n, struct buf *out)
{
	char variable[128];
	size_t i;

	for (i = 0; i < n; i++) {
		if (begins_group(defs, i)) {
			if (group_len(defs[i].name))
				buf_printf(out, "\n## %.*s\n\n", (int)group_len(defs[i].name), defs[i].name);
			else
				buf_puts(out, "\n## General\n\n");
			buf_puts(out, "| name | type | default | at run time | meaning |\n|---|---|---|---|---|\n");
		}
		setting_variable(defs[i].name, variable, sizeof(variable));
		buf_printf(out, "| `%s`<br>`%s` | ", defs[i].name, variable);
		put_type(&defs[i], out);
		buf_printf(out, defs[i].preset[0] ? " | `%s` | %s | %s |\n" : " | empty%s | %s | %s |\n", defs[i].preset,
			defs[i].when == SETTING_RUNTIME ? "yes" : "no", defs[i].doc);
	}
}

/* Text for roff: backslashes and dashes as such, and no line that begins like a request. */
static void put_roff(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '\\')
			buf_puts(out, "\\e");
		else if (*text == '-')
			buf_puts(out, "\\-");
		else
			buf_putc(out, *text);
	}
}

void settings_man(const struct setting_def *defs, size_t n, struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		buf_printf(out, ".TP\n.B %s\n(", defs[i].name);
		put_type(&defs[i], out);
		buf_puts(out, "; default ");
		put_roff(defs[i].preset[0] ? defs[i].preset : "empty", out);
		buf_puts(out, defs[i].when == SETTING_RUNTIME ? "; can be changed at run time)\n" : ")\n");
		put_roff(defs[i].doc, out);
		buf_putc(out, '\n');
	}
}
