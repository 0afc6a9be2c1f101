/*
 * Log lines; see logger.h. Any thread.
 *
 * Repeats are told by a hash over component, event and text fields, kept in a small table. A slot is free again once its window has
 * passed, and when all are busy the line is simply written: the table bounds memory, not what is said.
 */
#include "base/logger.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/thread.h"

enum { SLOTS = 64, LINE_MAX_BYTES = 16 << 10, VALUE_MAX_BYTES = 4 << 10 };

struct slot {
	uint64_t kind;          /* 0: free */
	int64_t since_us;
	unsigned written, held;
	enum logger_level level;
	char component[32], event[96];
};

struct logger {
	struct io *io;
	struct logger_options opts;
	atomic_int level;
	struct lock lock;
	struct buf line;
	struct slot slots[SLOTS];
};

static const char *const names[] = {"debug", "info", "warning", "error"};
static const char *const labels[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};

struct logger *logger_new(struct io *io, const struct logger_options *opts)
{
	struct logger *l = mem_zalloc(sizeof(*l));

	l->io = io;
	l->opts = *opts;
	if (!l->opts.burst)
		l->opts.burst = 10;
	if (!l->opts.window_us)
		l->opts.window_us = 10 * 1000000;
	atomic_init(&l->level, (int)opts->level);
	lock_init(&l->lock);
	l->line = BUF_INIT(LINE_MAX_BYTES);
	return l;
}

void logger_set_level(struct logger *l, enum logger_level level)
{
	atomic_store_explicit(&l->level, (int)level, memory_order_relaxed);
}

bool logger_wants(const struct logger *l, enum logger_level level)
{
	return (int)level >= atomic_load_explicit(&l->level, memory_order_relaxed);
}

int logger_level_parse(struct view name, enum logger_level *ret)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (view_is(name, names[i])) {
			*ret = (enum logger_level)i;
			return 0;
		}
	return -1;
}

/* ---- one line ---- */

/* Escapes what would end the line or the quotes, move a cursor, or is not UTF-8: as \n, \t, \r, else \u00XX (JSON) or \xXX (text). */
static void put_escaped(struct buf *b, struct view v, enum logger_format format)
{
	size_t i = 0, n;

	v.len = v.len > VALUE_MAX_BYTES ? VALUE_MAX_BYTES : v.len;
	while (i < v.len) {
		uint8_t c = v.ptr[i];

		/* C1 controls (0xc2 0x80 to 0x9f) are commands for some terminals */
		bool c1 = c == 0xc2 && i + 1 < v.len && v.ptr[i + 1] < 0xa0;

		n = c < 0x80 ? 1 : text_utf8_valid_len(view_of(v.ptr + i, v.len - i < 4 ? v.len - i : 4));
		if (c >= 0x80 && n)
			n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n' || c == '\t' || c == '\r')
			buf_printf(b, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
		else if (c < 0x20 || c == 0x7f || n == 0)
			buf_printf(b, format == LOGGER_JSON ? "\\u%04x" : "\\x%02x", c);
		else if (c1)
			buf_printf(b, format == LOGGER_JSON ? "\\u%04x" : "\\x%02x", v.ptr[i + 1]);
		else
			buf_put(b, v.ptr + i, n);
		i += n ? n : 1;
	}
}

/* A word needs no quotes in a text line. */
static bool is_word(struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++)
		if (v.ptr[i] <= ' ' || v.ptr[i] >= 0x7f || v.ptr[i] == '"' || v.ptr[i] == '=' || v.ptr[i] == '\\')
			return false;
	return v.len != 0;
}

static void put_text(struct logger *l, const char *key, struct view v)
{
	bool json = l->opts.format == LOGGER_JSON, quote = json || !is_word(v);

	buf_printf(&l->line, json ? ",\"%s\":" : " %s=", key);
	if (quote)
		buf_putc(&l->line, '"');
	put_escaped(&l->line, v, l->opts.format);
	if (quote)
		buf_putc(&l->line, '"');
}

static void put_field(struct logger *l, const struct logger_field *f)
{
	if (f->kind == LOGGER_FIELD_TEXT) {
		put_text(l, f->key, f->text);
		return;
	}
	buf_printf(&l->line, l->opts.format == LOGGER_JSON ? ",\"%s\":" : " %s=", f->key);
	if (f->kind == LOGGER_FIELD_INT)
		buf_i64(&l->line, f->i);
	else if (f->kind == LOGGER_FIELD_UINT)
		buf_u64(&l->line, f->u);
	else
		buf_printf(&l->line, f->d - f->d == 0 ? "%.9g" : "null", f->d); /* JSON has no infinities */
}

static void put_head(struct logger *l, enum logger_level level, const char *component, const char *event)
{
	int64_t now = io_now_us(l->io);
	time_t seconds = (time_t)(now / 1000000);
	bool json = l->opts.format == LOGGER_JSON;
	struct tm tm;
	char day[32];

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), json ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	if (json)
		buf_printf(&l->line, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"component\":\"%s\",\"event\":\"", day, (int)(now / 1000 % 1000),
			names[level], component);
	else
		buf_printf(&l->line, "%s.%03dZ %s %-8s ", day, (int)(now / 1000 % 1000), labels[level], component);
	put_escaped(&l->line, view_str(event), l->opts.format);
	if (json)
		buf_putc(&l->line, '"');
}

static void put_error(struct logger *l, const struct err *err)
{
	put_text(l, "error", view_str(err->text));
	put_text(l, "code", view_str(err_code_name(err->code)));
	if (err->sqlstate[0])
		put_text(l, "sqlstate", view_str(err->sqlstate));
	if (err->detail[0])
		put_text(l, "detail", view_str(err->detail));
	if (err->hint[0])
		put_text(l, "hint", view_str(err->hint));
}

/* What does not fit is cut before the field that would not, and the line says so. */
static void put_fields(struct logger *l, const struct err *err, const struct logger_field *fields)
{
	size_t fits = l->line.len;

	if (err && err->code)
		put_error(l, err);
	for (; fields->key && buf_ok(&l->line); fields++) {
		fits = l->line.len;
		put_field(l, fields);
	}
	if (buf_ok(&l->line) && l->line.len + 32 <= LINE_MAX_BYTES)
		return;
	l->line.failed = false;
	l->line.len = fits;
	buf_puts(&l->line, l->opts.format == LOGGER_JSON ? ",\"cut\":1" : " cut=1");
}

/* The buffer goes out in one call, so that lines of several processes on one descriptor do not mix. */
static void put_line(struct logger *l)
{
	size_t done = 0;

	buf_puts(&l->line, l->opts.format == LOGGER_JSON ? "}\n" : "\n");
	while (done < l->line.len) {
		ssize_t n = write(l->opts.fd, l->line.ptr + done, l->line.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	buf_clear(&l->line);
}

/* ---- repeats ---- */

static uint64_t kind_of(const char *component, const char *event, const struct err *err, const struct logger_field *fields)
{
	uint64_t h = hash_bytes(component, strlen(component)) * 31 + hash_bytes(event, strlen(event));

	if (err)
		h = h * 31 + hash_bytes(err->text, strlen(err->text));
	for (; fields->key; fields++)
		if (fields->kind == LOGGER_FIELD_TEXT)
			h = h * 31 + hash_bytes(fields->text.ptr, fields->text.len);
	return h ? h : 1;
}

static void tell_held(struct logger *l, struct slot *s)
{
	if (s->held) {
		put_head(l, s->level, s->component, s->event);
		put_field(l, &LOGGER_UINT("repeated", s->held));
		put_line(l);
	}
	s->held = 0;
}

/* Ends windows that are over: what was held back in them is told. */
static void end_windows(struct logger *l, int64_t now)
{
	size_t i;

	for (i = 0; i < SLOTS; i++) {
		struct slot *s = &l->slots[i];

		if (s->kind && now - s->since_us >= l->opts.window_us) {
			tell_held(l, s);
			s->kind = 0;
		}
	}
}

/* Whether the line is to be written now. */
static bool admit(struct logger *l, uint64_t kind, enum logger_level level, const char *component, const char *event, int64_t now)
{
	struct slot *unused = NULL, *s;

	for (s = l->slots; s < l->slots + SLOTS; s++) {
		if (s->kind == kind) {
			if (s->written == l->opts.burst) {
				s->held++;
				return false;
			}
			s->written++;
			return true;
		}
		if (!s->kind && !unused)
			unused = s;
	}
	if (unused) {
		*unused = (struct slot){.kind = kind, .since_us = now, .written = 1, .level = level};
		snprintf(unused->component, sizeof(unused->component), "%s", component);
		snprintf(unused->event, sizeof(unused->event), "%s", event);
	}
	return true;
}

void logger_fields(struct logger *l, enum logger_level level, const char *component, const char *event, const struct err *err,
	const struct logger_field *fields)
{
	int64_t now;

	if (!logger_wants(l, level))
		return;
	now = io_monotonic_us(l->io);
	lock_take(&l->lock);
	end_windows(l, now);
	if (level == LOGGER_ERROR || admit(l, kind_of(component, event, err, fields), level, component, event, now)) {
		put_head(l, level, component, event);
		put_fields(l, err, fields);
		put_line(l);
	}
	lock_drop(&l->lock);
}

void logger_free(struct logger *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < SLOTS; i++)
		tell_held(l, &l->slots[i]);
	buf_release(&l->line);
	lock_release(&l->lock);
	mem_free(l);
}
