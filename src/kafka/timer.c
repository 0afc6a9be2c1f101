/* Timers: a binary heap by due time, from place 1. The thread `kafka`. */
#include "kafka/kafka_int.h"

#include "base/mem.h"

static void put(struct timers *ts, uint32_t place, struct timer *t)
{
	ts->heap[place] = t;
	t->place = place;
}

static void rise(struct timers *ts, struct timer *t)
{
	uint32_t at = t->place;

	for (; at > 1 && ts->heap[at / 2]->due_us > t->due_us; at /= 2)
		put(ts, at, ts->heap[at / 2]);
	put(ts, at, t);
}

static void sink(struct timers *ts, struct timer *t)
{
	uint32_t at = t->place, child;

	for (; (child = at * 2) <= ts->n; at = child) {
		if (child < ts->n && ts->heap[child + 1]->due_us < ts->heap[child]->due_us)
			child++;
		if (ts->heap[child]->due_us >= t->due_us)
			break;
		put(ts, at, ts->heap[child]);
	}
	put(ts, at, t);
}

void timer_set(struct timers *ts, struct timer *t, int64_t due_us)
{
	t->due_us = due_us;
	if (!t->place) {
		if (ts->n + 2 > ts->cap) {
			ts->cap = ts->cap ? ts->cap * 2 : 64;
			ts->heap = mem_realloc(ts->heap, ts->cap * sizeof(struct timer *));
		}
		t->place = ++ts->n;
		ts->heap[t->place] = t;
	}
	rise(ts, t);
	sink(ts, t);
}

void timer_clear(struct timers *ts, struct timer *t)
{
	struct timer *moved;

	if (!t->place)
		return;
	moved = ts->heap[ts->n--];
	if (moved != t) {
		put(ts, t->place, moved);
		rise(ts, moved);
		sink(ts, moved);
	}
	t->place = 0;
}

struct timer *timer_next(struct timers *ts)
{
	return ts->n ? ts->heap[1] : NULL;
}
