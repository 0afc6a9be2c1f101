/*
 * Threads, locks and wake-ups.
 *
 * A `struct wake` is an event counter: the waiter reads the counter, looks at the state it waits for, and sleeps only if the counter has
 * not moved since, so that no signal is lost between looking and sleeping:
 *
 *	for (;;) {
 *		uint64_t seen = wake_seen(&w);
 *		if (there is work)
 *			break;
 *		wake_wait(&w, seen, timeout_us);
 *	}
 *
 * Modules that have a thread also have a `..._step()` function that does one round of its work without waiting; the simulator calls that
 * instead of starting the thread, so that a run with a seed is always the same run.
 */
#ifndef WALMILL_BASE_THREAD_H
#define WALMILL_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct thread {
	pthread_t id;
	bool started;
};

/* Starts fn(arg) under a name of at most 15 bytes, all signals blocked (the main thread takes them). Aborts if the system refuses. */
void thread_start(struct thread *t, const char *name, void (*fn)(void *arg), void *arg);
void thread_join(struct thread *t); /* no-op when not started */

/* Locks are error-checking: a relock by the owner or an unlock by somebody else aborts. */
struct lock {
	pthread_mutex_t mutex;
};

void lock_init(struct lock *l);
void lock_release(struct lock *l);
void lock_take(struct lock *l);
void lock_drop(struct lock *l);

struct wake {
	struct lock lock;
	pthread_cond_t cond;
	uint64_t count;
	int fd;                    /* see wake_arm; -1: none */
};

void wake_init(struct wake *w);
void wake_release(struct wake *w);
void wake_signal(struct wake *w);  /* wakes every waiter */
uint64_t wake_seen(struct wake *w);

/* Sleeps until the counter differs from `seen` or timeout_us have passed (monotonic; < 0: for ever). True if it differs. */
bool wake_wait(struct wake *w, uint64_t seen, int64_t timeout_us);

/* For a waiter that sleeps in epoll, one at a time: false when the counter differs from `seen`; else the next signal adds 1 to eventfd
 * `fd`, once. fd -1 takes it back. */
bool wake_arm(struct wake *w, uint64_t seen, int fd);

#endif
