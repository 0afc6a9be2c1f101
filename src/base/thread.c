/* Threads, locks and wake-ups; see thread.h. */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

struct start {
	char name[16];
	void (*fn)(void *arg);
	void *arg;
};

static void *run(void *arg)
{
	struct start s = *(struct start *)arg;

	mem_free(arg);
	pthread_setname_np(pthread_self(), s.name);
	s.fn(s.arg);
	return NULL;
}

void thread_start(struct thread *t, const char *name, void (*fn)(void *arg), void *arg)
{
	struct start *s = mem_zalloc(sizeof(*s));
	sigset_t all, old;
	size_t i;

	for (i = 0; i < sizeof(s->name) - 1 && name[i]; i++)
		s->name[i] = name[i];
	s->fn = fn;
	s->arg = arg;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	wm_assert(pthread_create(&t->id, NULL, run, s) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	t->started = true;
}

void thread_join(struct thread *t)
{
	if (!t->started)
		return;
	wm_assert(pthread_join(t->id, NULL) == 0);
	t->started = false;
}

void lock_init(struct lock *l)
{
	pthread_mutexattr_t a;

	wm_assert(pthread_mutexattr_init(&a) == 0);
	wm_assert(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK) == 0);
	wm_assert(pthread_mutex_init(&l->mutex, &a) == 0);
	pthread_mutexattr_destroy(&a);
}

void lock_release(struct lock *l)
{
	wm_assert(pthread_mutex_destroy(&l->mutex) == 0);
}

void lock_take(struct lock *l)
{
	wm_assert(pthread_mutex_lock(&l->mutex) == 0);
}

void lock_drop(struct lock *l)
{
	wm_assert(pthread_mutex_unlock(&l->mutex) == 0);
}

void wake_init(struct wake *w)
{
	pthread_condattr_t a;

	lock_init(&w->lock);
	wm_assert(pthread_condattr_init(&a) == 0);
	wm_assert(pthread_condattr_setclock(&a, CLOCK_MONOTONIC) == 0);
	wm_assert(pthread_cond_init(&w->cond, &a) == 0);
	pthread_condattr_destroy(&a);
	w->count = 0;
	w->fd = -1;
}

void wake_release(struct wake *w)
{
	wm_assert(pthread_cond_destroy(&w->cond) == 0);
	lock_release(&w->lock);
}

void wake_signal(struct wake *w)
{
	lock_take(&w->lock);
	w->count++;
	pthread_cond_broadcast(&w->cond);
	if (w->fd >= 0) {
		uint64_t one = 1;

		/* an eventfd that cannot take it is far above zero: its reader wakes all the same */
		(void)!write(w->fd, &one, sizeof(one));
		w->fd = -1;
	}
	lock_drop(&w->lock);
}

uint64_t wake_seen(struct wake *w)
{
	uint64_t n;

	lock_take(&w->lock);
	n = w->count;
	lock_drop(&w->lock);
	return n;
}

bool wake_wait(struct wake *w, uint64_t seen, int64_t timeout_us)
{
	struct timespec until;
	bool moved;
	int rc = 0;

	if (timeout_us >= 0) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += timeout_us / 1000000;
		until.tv_nsec += timeout_us % 1000000 * 1000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
	}
	lock_take(&w->lock);
	while (w->count == seen && rc != ETIMEDOUT) {
		rc = timeout_us < 0 ? pthread_cond_wait(&w->cond, &w->lock.mutex) : pthread_cond_timedwait(&w->cond, &w->lock.mutex, &until);
		wm_assert(rc == 0 || rc == ETIMEDOUT);
	}
	moved = w->count != seen;
	lock_drop(&w->lock);
	return moved;
}

bool wake_arm(struct wake *w, uint64_t seen, int fd)
{
	bool same;

	lock_take(&w->lock);
	same = w->count == seen;
	w->fd = same ? fd : -1;
	lock_drop(&w->lock);
	return same;
}
