/*
 * Settings: one table of rows, filled from a file, the environment and the command line, printed and documented from the same rows.
 *
 * The table is the caller's (walmill's own: src/cli/settings.h). A row's index in the table is how a value is asked for. Where a value
 * comes from decides, whatever the order of loading: default < file < environment < command line < changed at run time.
 *
 * File:         name = value        one a line; # begins a comment; a value may stand in 'single quotes' (a quote inside is doubled) or in
 *               "double quotes" (\" \\ \n \t inside), and must when it holds # or begins or ends with a blank. A name twice is refused.
 * Environment:  WALMILL_ and the name in upper case, dots as underscores: log.segment_bytes = WALMILL_LOG_SEGMENT_BYTES.
 * Values:       int        decimal digits
 *               bytes      digits and one of B KiB MiB GiB TiB
 *               duration   digits and one of us ms s min h d; 0 needs no unit. Kept in microseconds.
 *               bool       on off true false yes no 1 0
 *               addresses  host:port, comma separated, [::1]:9092 for IPv6; empty for none
 *               choice     one of the words of the row
 *               connection a PostgreSQL connection string; passwords in it are masked when printed
 *               secret     any text; masked when printed, never quoted in an error
 *
 * Not thread safe: one thread (main) loads, changes and asks; others are handed what they need.
 */
#ifndef WALMILL_BASE_SETTINGS_H
#define WALMILL_BASE_SETTINGS_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/io.h"

enum setting_type {
	SETTING_STRING, SETTING_INT, SETTING_BYTES, SETTING_DURATION, SETTING_BOOL, SETTING_ADDRESSES, SETTING_CHOICE,
	SETTING_CONNECTION, SETTING_SECRET,
};

enum setting_when { SETTING_START, SETTING_RUNTIME }; /* whether it can be changed while walmill runs */

struct setting_def {
	const char *name;        /* dotted, lower case: kafka.listen */
	enum setting_type type;
	const char *preset;      /* the default, as it would be written */
	const char *min, *max;   /* int, bytes, duration: bounds as they would be written, or NULL */
	const char *choices;     /* choice: words separated by blanks */
	enum setting_when when;
	const char *doc;         /* one sentence, or a few, with full stops */
};

enum settings_source { SETTINGS_DEFAULT, SETTINGS_FILE, SETTINGS_ENVIRONMENT, SETTINGS_COMMAND_LINE, SETTINGS_CHANGED };

struct setting_address {
	char host[256];          /* name or number, IPv6 without brackets */
	uint16_t port;           /* 0: the system picks one */
};

struct settings;

/* All at their defaults. The rows must outlive it; a wrong row (a default that its own bounds refuse, a name twice) is a bug and aborts. */
struct settings *settings_new(const struct setting_def *defs, size_t n);
void settings_free(struct settings *s);

/* ERR_NOT_FOUND when there is no such file. Errors name path:line. What came before a bad line may be set already. */
int settings_load_file(struct settings *s, struct io *io, const char *path, struct err *err) WM_MUST_USE;

/* Every WALMILL_ variable of envp (such as environ), but for those whose names stand in `others` (NULL-terminated, or NULL). */
int settings_load_environment(struct settings *s, char *const *envp, const char *const *others, struct err *err) WM_MUST_USE;

/* What stands behind --set: "name=value". */
int settings_set_argument(struct settings *s, const char *text, struct err *err) WM_MUST_USE;

/* For options of their own, such as --data DIR. `where` says in errors where the value stands. */
int settings_set(struct settings *s, enum settings_source source, const char *name, const char *value, const char *where,
	struct err *err) WM_MUST_USE;

/* At run time: only rows that allow it (ERR_STATE). */
int settings_change(struct settings *s, const char *name, const char *value, struct err *err) WM_MUST_USE;

/* The row of that name, or -1. */
int settings_find(const struct settings *s, struct view name);

/* Values by row. Each asserts the type of the row. Pointers hold until the setting is set again. */
const char *settings_text(const struct settings *s, size_t row);      /* every type: as it was written */
int64_t settings_int(const struct settings *s, size_t row);           /* int, bytes, duration (us) */
bool settings_bool(const struct settings *s, size_t row);
const struct setting_address *settings_addresses(const struct settings *s, size_t row, size_t *ret_n);
enum settings_source settings_source(const struct settings *s, size_t row);

/* `name = value` lines that settings_load_file would read back, each with where the value comes from; secrets and passwords masked. */
void settings_print(const struct settings *s, struct buf *out);
void settings_put_masked(const struct settings *s, size_t row, struct buf *out);

/* A connection string with its passwords masked; for whoever prints one. */
void settings_mask_connection(struct view text, struct buf *out);

/* Documents from the rows: --help text, Markdown tables, a man page's section (roff, without the page's head). */
void settings_help(const struct setting_def *defs, size_t n, struct buf *out);
void settings_markdown(const struct setting_def *defs, size_t n, struct buf *out);
void settings_man(const struct setting_def *defs, size_t n, struct buf *out);

const char *setting_type_name(enum setting_type type);

/* The environment variable of a setting, into out[out_len]. */
void setting_variable(const char *name, char *out, size_t out_len);

/* Values by themselves: the numbers behind int, bytes and duration. hint is set to what would be right. */
int setting_parse_number(enum setting_type type, struct view text, int64_t *ret, struct err *err) WM_MUST_USE;

#endif
