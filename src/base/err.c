/* Errors; see err.h. Any thread: nothing is shared. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	bool retriable;
} codes[] = {
	[ERR_NONE] = {"none", false},
#define X(code, name, retriable) [code] = {name, retriable},
	ERR_CODES(X)
#undef X
};

int err_vset(struct err *err, enum err_code code, const char *fmt, va_list ap)
{
	wm_assert(code != ERR_NONE && (size_t)code < sizeof(codes) / sizeof(codes[0]));
	err_clear(err);
	err->code = code;
	err->retriable = codes[code].retriable;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	return -1;
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, code, fmt, ap);
	va_end(ap);
	return -1;
}

int err_set_errno(struct err *err, int num, const char *fmt, ...)
{
	bool full = num == ENOSPC || num == EDQUOT;
	char why[128];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, full ? ERR_NO_SPACE : ERR_IO, fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror_r(num, why, sizeof(why)));
	return -1;
}

int err_detail(struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->detail, sizeof(err->detail), fmt, ap);
	va_end(ap);
	return -1;
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return -1;
}

int err_context(struct err *err, const char *fmt, ...)
{
	char where[sizeof(err->text)], old[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(where, sizeof(where), fmt, ap);
	va_end(ap);
	memcpy(old, err->text, sizeof(old));
	/* a cut text still says where; the what behind it is the more dispensable part */
	if (snprintf(err->text, sizeof(err->text), "%s: %s", where, old) >= (int)sizeof(err->text))
		err->text[sizeof(err->text) - 1] = '\0';
	return -1;
}

void err_clear(struct err *err)
{
	err->code = ERR_NONE;
	err->retriable = false;
	err->sqlstate[0] = err->text[0] = err->detail[0] = err->hint[0] = '\0';
}

const char *err_code_name(enum err_code code)
{
	return (size_t)code < sizeof(codes) / sizeof(codes[0]) ? codes[code].name : "unknown";
}

void wm_assert_failed(const char *file, int line, const char *expr)
{
	fprintf(stderr, "walmill: assertion failed at %s:%d: %s\n", file, line, expr);
	abort();
}
