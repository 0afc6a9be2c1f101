/*
 * Injection points: named places in the code where a test makes walmill fail, wait or die. The idea is PostgreSQL's.
 *
 *	if (inject("log.before_sync", err))
 *		return -1;
 *
 * They are compiled in always; as long as nothing is attached anywhere, one costs a relaxed atomic load. Tests attach in the same process
 * with the calls below; to attach in a walmill of its own, set WALMILL_INJECT, a comma separated list of NAME=ACTION[@N]:
 *
 *	error[:CODE]   the point returns -1 with that code (default internal) and "injected at NAME"
 *	crash          _exit(137) at once: no destructor, no flush, as kill -9
 *	wait           the point stands still until released (inject_release, or SIGKILL)
 *
 * @N: at the N-th passage only, counted from when it was attached. Without @N at every passage.
 *
 * A name is made of lower-case letters, digits, underscores and dots, the module first. Any thread.
 */
#ifndef WALMILL_BASE_INJECT_H
#define WALMILL_BASE_INJECT_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/err.h"

/* A call action: what it returns the point returns; it fills *err when that is not 0. Runs on the thread that passes the point. */
typedef int (*inject_fn)(void *arg, const char *name, struct err *err);

void inject_attach_error(const char *name, enum err_code code, unsigned at);   /* at: the passage, 0 for every one */
void inject_attach_crash(const char *name, unsigned at);
void inject_attach_wait(const char *name, unsigned at);
void inject_attach_call(const char *name, inject_fn fn, void *arg, unsigned at);
void inject_detach(const char *name);      /* releases who waits there */
void inject_detach_all(void);

/* Blocks until `n` threads stand still at the point, or timeout_ms have passed: false. */
bool inject_await(const char *name, unsigned n, int64_t timeout_ms) WM_MUST_USE;
void inject_release(const char *name);     /* lets go whoever waits there now; the point stays attached */
unsigned inject_passed(const char *name);  /* passages since it was attached */

/* The list of WALMILL_INJECT. NULL or "" attaches nothing. */
int inject_load(const char *list, struct err *err) WM_MUST_USE;

extern atomic_uint inject_attached;        /* how many points have something attached */
int inject_slow(const char *name, struct err *err) __attribute__((cold));

static inline int inject(const char *name, struct err *err)
{
	if (__builtin_expect(atomic_load_explicit(&inject_attached, memory_order_relaxed) == 0, 1))
		return 0;
	return inject_slow(name, err);
}

#endif
