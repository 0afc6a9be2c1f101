/*
 * Injection points; see inject.h. The one piece of base with state of the process: a point is a place in the code, and there is one code.
 *
 * All points stand in a list under one lock. A thread that waits at a point holds a reference to it, so that detaching does not pull it
 * away; the last one to let go frees it.
 */
#include "base/inject.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

enum action { ACTION_ERROR, ACTION_CRASH, ACTION_WAIT, ACTION_CALL };

struct point {
	char *name;
	enum action action;
	enum err_code code;
	inject_fn fn;
	void *arg;
	unsigned at, passed;
	unsigned waiting;
	unsigned refs;           /* waiting threads, and 1 while it is in the list */
	uint64_t released;       /* grows with each release */
	struct point *next;
};

atomic_uint inject_attached;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;   /* somebody came to wait, or was released */
static struct point *points;

static struct point **find(const char *name)
{
	struct point **at;

	for (at = &points; *at && strcmp((*at)->name, name) != 0; at = &(*at)->next)
		;
	return at;
}

/* Under the lock. */
static void unref(struct point *p)
{
	if (--p->refs)
		return;
	mem_free(p->name);
	mem_free(p);
}

/* Under the lock. */
static void remove_at(struct point **at)
{
	struct point *p = *at;

	*at = p->next;
	p->released++;
	atomic_fetch_sub(&inject_attached, 1);
	pthread_cond_broadcast(&moved);
	unref(p);
}

static void attach(const char *name, struct point what)
{
	struct point *p = mem_alloc(sizeof(*p)), **old;

	*p = what;
	p->name = mem_strdup(name);
	p->refs = 1;
	pthread_mutex_lock(&lock);
	old = find(name);
	if (*old)
		remove_at(old);
	p->next = points;
	points = p;
	atomic_fetch_add(&inject_attached, 1);
	pthread_mutex_unlock(&lock);
}

void inject_attach_error(const char *name, enum err_code code, unsigned at)
{
	attach(name, (struct point){.action = ACTION_ERROR, .code = code, .at = at});
}

void inject_attach_crash(const char *name, unsigned at)
{
	attach(name, (struct point){.action = ACTION_CRASH, .at = at});
}

void inject_attach_wait(const char *name, unsigned at)
{
	attach(name, (struct point){.action = ACTION_WAIT, .at = at});
}

void inject_attach_call(const char *name, inject_fn fn, void *arg, unsigned at)
{
	attach(name, (struct point){.action = ACTION_CALL, .fn = fn, .arg = arg, .at = at});
}

void inject_detach(const char *name)
{
	struct point **at;

	pthread_mutex_lock(&lock);
	at = find(name);
	if (*at)
		remove_at(at);
	pthread_mutex_unlock(&lock);
}

void inject_detach_all(void)
{
	pthread_mutex_lock(&lock);
	while (points)
		remove_at(&points);
	pthread_mutex_unlock(&lock);
}

void inject_release(const char *name)
{
	struct point *p;

	pthread_mutex_lock(&lock);
	p = *find(name);
	if (p) {
		p->released++;
		pthread_cond_broadcast(&moved);
	}
	pthread_mutex_unlock(&lock);
}

unsigned inject_passed(const char *name)
{
	struct point *p;
	unsigned n;

	pthread_mutex_lock(&lock);
	p = *find(name);
	n = p ? p->passed : 0;
	pthread_mutex_unlock(&lock);
	return n;
}

bool inject_await(const char *name, unsigned n, int64_t timeout_ms)
{
	struct timespec until;
	struct point *p;
	bool there;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&lock);
	while (p = *find(name), there = p && p->waiting >= n, !there && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&moved, &lock, &until);
	pthread_mutex_unlock(&lock);
	return there;
}

/* Under the lock, which is given up while the thread stands still. */
static void stand_still(struct point *p)
{
	uint64_t seen = p->released;

	p->refs++;
	p->waiting++;
	pthread_cond_broadcast(&moved);
	while (p->released == seen)
		pthread_cond_wait(&moved, &lock);
	p->waiting--;
	unref(p);
}

int inject_slow(const char *name, struct err *err)
{
	enum err_code code = ERR_NONE;
	inject_fn fn = NULL;
	void *arg = NULL;
	struct point *p;

	pthread_mutex_lock(&lock);
	p = *find(name);
	if (p && (++p->passed == p->at || p->at == 0)) {
		if (p->action == ACTION_CRASH)
			_exit(137);
		code = p->action == ACTION_ERROR ? p->code : ERR_NONE;
		fn = p->fn;
		arg = p->arg;
		if (p->action == ACTION_WAIT)
			stand_still(p);
	}
	pthread_mutex_unlock(&lock);
	if (fn)
		return fn(arg, name, err);
	return code ? err_set(err, code, "injected at %s", name) : 0;
}

/* ---- WALMILL_INJECT ---- */

static bool is_name(struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++)
		if (!((v.ptr[i] >= 'a' && v.ptr[i] <= 'z') || (v.ptr[i] >= '0' && v.ptr[i] <= '9') || v.ptr[i] == '_' || v.ptr[i] == '.'))
			return false;
	return v.len != 0;
}

static enum err_code code_of(struct view name)
{
	static const enum err_code codes[] = {
#define X(code, text, retriable) code,
		ERR_CODES(X)
#undef X
	};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (view_is(name, err_code_name(codes[i])))
			return codes[i];
	return ERR_NONE;
}

/* The part of *v before the first c, which is taken off with it; all of it when there is none. */
static struct view cut_at(struct view *v, char c)
{
	const uint8_t *at = v->len ? memchr(v->ptr, c, v->len) : NULL;
	struct view part = view_of(v->ptr, at ? (size_t)(at - v->ptr) : v->len);

	*v = at ? view_of(at + 1, v->len - part.len - 1) : VIEW_NULL;
	return part;
}

static int load_one(struct view item, struct err *err)
{
	struct view rest = item, name = cut_at(&rest, '='), action = cut_at(&rest, '@'), code = action, word = cut_at(&code, ':');
	enum err_code number = code.ptr ? code_of(code) : ERR_INTERNAL;
	struct point what = {.action = ACTION_ERROR, .code = number};
	bool known = true;
	uint64_t at = 0;
	char *copy;

	if (view_is(word, "crash"))
		what.action = ACTION_CRASH;
	else if (view_is(word, "wait"))
		what.action = ACTION_WAIT;
	else
		known = view_is(word, "error");
	known = known && is_name(name) && number != ERR_NONE && (!code.ptr || what.action == ACTION_ERROR);
	if (!known || (rest.ptr && (!text_u64(rest, &at) || at == 0 || at > UINT32_MAX))) {
		err_set(err, ERR_INVALID, "WALMILL_INJECT: \"%.*s\" is not an injection", (int)(item.len > 80 ? 80 : item.len),
			(const char *)item.ptr);
		return err_hint(err, "Write NAME=error[:CODE], NAME=crash or NAME=wait, with @N for the N-th passage.");
	}
	what.at = (unsigned)at;
	copy = mem_strndup(name.ptr, name.len);
	attach(copy, what);
	mem_free(copy);
	return 0;
}

int inject_load(const char *list, struct err *err)
{
	struct view left = list ? view_str(list) : VIEW_NULL;

	while (left.len)
		if (load_one(cut_at(&left, ','), err))
			return -1;
	return 0;
}
