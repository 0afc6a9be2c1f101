/*
 * Log lines on a descriptor (standard error), for people or for machines.
 *
 * A line has a time (UTC, milliseconds), a level, a component, an event ("connector started": a fixed text, so that it can be searched for)
 * and fields. As text:  2026-11-23 03:12:45.123Z INFO  capture  connector started connector=sip tables=3
 * As JSON:              {"time":"2026-11-23T03:12:45.123Z","level":"info","component":"capture","event":"connector started",...}
 * Control characters and bytes that are not UTF-8 are escaped, so that nobody's data can forge a line or move a terminal's cursor.
 *
 * Library code does not log; the top of each task does (cli, the main function of a thread), once, with the whole error.
 *
 * The same line (component, event and fields apart from numbers) is written at most `burst` times within `window_us`; what was held
 * back is counted and told once the window is over, or at the next line of the same kind. Lines of level error are never held back.
 *
 * Thread safe. A line is written by one write() call; a descriptor that cannot be written to loses it.
 */
#ifndef WALMILL_BASE_LOGGER_H
#define WALMILL_BASE_LOGGER_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/io.h"

enum logger_level { LOGGER_DEBUG, LOGGER_INFO, LOGGER_WARNING, LOGGER_ERROR };
enum logger_format { LOGGER_TEXT, LOGGER_JSON };

struct logger;

struct logger_options {
	int fd;
	enum logger_level level;
	enum logger_format format;
	unsigned burst;      /* 0: 10 */
	int64_t window_us;   /* 0: 10 s */
};

struct logger_field {
	const char *key;     /* NULL ends a list */
	enum { LOGGER_FIELD_TEXT, LOGGER_FIELD_INT, LOGGER_FIELD_UINT, LOGGER_FIELD_DOUBLE } kind;
	struct view text;
	int64_t i;
	uint64_t u;
	double d;
};

#define LOGGER_STR(k, v)  ((struct logger_field){.key = (k), .kind = LOGGER_FIELD_TEXT, .text = view_str(v)})
#define LOGGER_VIEW(k, v) ((struct logger_field){.key = (k), .kind = LOGGER_FIELD_TEXT, .text = (v)})
#define LOGGER_INT(k, v)  ((struct logger_field){.key = (k), .kind = LOGGER_FIELD_INT, .i = (v)})
#define LOGGER_UINT(k, v) ((struct logger_field){.key = (k), .kind = LOGGER_FIELD_UINT, .u = (v)})
#define LOGGER_F64(k, v)  ((struct logger_field){.key = (k), .kind = LOGGER_FIELD_DOUBLE, .d = (v)})

/* Any number of fields, none included: the first element is only there for the comma and is stepped over. */
#define LOGGER_LIST(...) (&(struct logger_field[]){{.key = ""}, ##__VA_ARGS__, {.key = NULL}}[1])

/* logger_event(l, LOGGER_INFO, "capture", "connector started", LOGGER_STR("connector", name), LOGGER_INT("tables", n)); */
#define logger_event(l, level, component, event, ...) \
	logger_fields((l), (level), (component), (event), NULL, LOGGER_LIST(__VA_ARGS__))

/* The same with an error: its text, code, detail, hint and SQLSTATE become fields. */
#define logger_failure(l, level, component, event, err, ...) \
	logger_fields((l), (level), (component), (event), (err), LOGGER_LIST(__VA_ARGS__))

struct logger *logger_new(struct io *io, const struct logger_options *opts);
void logger_free(struct logger *l);  /* tells what is still held back; NULL is fine */

void logger_set_level(struct logger *l, enum logger_level level);
bool logger_wants(const struct logger *l, enum logger_level level);
int logger_level_parse(struct view name, enum logger_level *ret) WM_MUST_USE;  /* debug info warning error; -1 for another word */

void logger_fields(struct logger *l, enum logger_level level, const char *component, const char *event, const struct err *err,
	const struct logger_field *fields);

#endif
