/*
 * Errors: one value type for the whole program.
 *
 * A function that can fail returns 0 or -1 (or NULL) and takes a `struct err *` as its last argument. On failure it fills
 * that error and leaves its other outputs untouched; on success it does not touch the error. Library code returns errors
 * and does not log them: the top of each task (a thread's loop, a request, a command) logs once.
 *
 * Texts are in PostgreSQL's message style: the primary text is lower case, without a full stop and without function names;
 * "could not" for what may work later, "cannot" for what never will; names in double quotes. Detail and hint are sentences.
 */
#ifndef WALMILL_BASE_ERR_H
#define WALMILL_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

/* code, name as it appears in logs, REST answers and metrics, and whether trying again may help without anybody's action */
#define ERR_CODES(X) \
	X(ERR_INTERNAL, "internal", false)             /* a bug in walmill */ \
	X(ERR_INVALID, "invalid", false)               /* bad input: setting, request, SQL */ \
	X(ERR_UNSUPPORTED, "unsupported", false)       /* understood, but outside what walmill does */ \
	X(ERR_NOT_FOUND, "not_found", false) \
	X(ERR_EXISTS, "exists", false) \
	X(ERR_STATE, "state", false)                   /* not possible in the present state */ \
	X(ERR_PERMISSION, "permission", false) \
	X(ERR_IO, "io", false)                         /* the disk or file system said no */ \
	X(ERR_NO_SPACE, "no_space", true) \
	X(ERR_CORRUPT, "corrupt", false)               /* stored bytes are not what was written */ \
	X(ERR_PROTOCOL, "protocol", false)             /* a peer sent bytes that its protocol does not allow */ \
	X(ERR_CONNECTION, "connection", true)          /* a peer could not be reached or went away */ \
	X(ERR_BUSY, "busy", true)                      /* held by somebody else, such as a slot or a lock */ \
	X(ERR_TIMEOUT, "timeout", true) \
	X(ERR_LIMIT, "limit", false)                   /* over a configured bound */ \
	X(ERR_LOST, "lost", false)                     /* a gap that cannot be repaired */ \
	X(ERR_DATA, "data", false)                     /* a value that SQL itself refuses: division by zero, overflow, bad cast */ \
	X(ERR_CANCELED, "canceled", false)             /* asked to stop */

enum err_code {
	ERR_NONE = 0,
#define X(code, name, retriable) code,
	ERR_CODES(X)
#undef X
};

struct err {
	enum err_code code;
	bool retriable;
	char sqlstate[6];   /* the server's five characters, or "" */
	char text[512];     /* what failed; never empty when code is set */
	char detail[1024];  /* more of what is known, or "" */
	char hint[512];     /* what to do, or "" */
};

#define ERR_INIT ((struct err){.code = ERR_NONE})

/* Fills *err. Always returns -1, so that `return err_set(err, ...)` reads well. Texts that do not fit are cut. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4), cold));
int err_vset(struct err *err, enum err_code code, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0), cold));

/* ERR_IO or ERR_NO_SPACE by errno `num`, with strerror's text behind the given one. Returns -1. */
int err_set_errno(struct err *err, int num, const char *fmt, ...) __attribute__((format(printf, 3, 4), cold));

/* Add to an error that is already set. Return -1. */
int err_detail(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/* Puts "<context>: " before the primary text, to say where. Returns -1. */
int err_context(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

void err_clear(struct err *err);
const char *err_code_name(enum err_code code);

/* A broken invariant: prints place and expression, then aborts. On in every build: a stopped walmill loses nothing. */
#define wm_assert(e) do { if (__builtin_expect(!(e), 0)) wm_assert_failed(__FILE__, __LINE__, #e); } while (0)
void wm_assert_failed(const char *file, int line, const char *expr) __attribute__((noreturn, cold));

#define WM_MUST_USE __attribute__((warn_unused_result))

#endif
