/*
 * The two queues between threads. To the loop: what the log's flush thread and the worker post. To the worker, the thread `kafka-admin`:
 * what waits for the disk, one after the other; while it has a request, nobody else touches it but for the fields of its connection.
 */
#include "kafka/worker.h"

#include <unistd.h>

#include "kafka/names.h"

void kafka_post(struct kafka *k, struct later *l)
{
	uint64_t one = 1;
	bool first;

	l->next = NULL;
	lock_take(&k->lock);
	first = !k->posted;
	*k->posted_end = l;
	k->posted_end = &l->next;
	lock_drop(&k->lock);
	if (first)
		(void)!write(k->event, &one, sizeof(one));
}

void posted_run(struct kafka *k)
{
	struct later *l, *next;

	lock_take(&k->lock);
	l = k->posted;
	k->posted = NULL;
	k->posted_end = &k->posted;
	lock_drop(&k->lock);
	for (; l; l = next) {
		next = l->next;
		l->fn(k, l);
	}
}

void kafka_work(struct kafka *k, struct later *l)
{
	l->next = NULL;
	lock_take(&k->lock);
	*k->work_end = l;
	k->work_end = &l->next;
	lock_drop(&k->lock);
	wake_signal(&k->work_wake);
}

void worker_stop(struct kafka *k)
{
	lock_take(&k->lock);
	k->work_stop = true;
	lock_drop(&k->lock);
	wake_signal(&k->work_wake);
	thread_join(&k->admin);
}

void worker_main(void *arg)
{
	struct kafka *k = arg;
	bool stop = false;

	while (!stop) {
		uint64_t seen = wake_seen(&k->work_wake);
		struct later *l;

		lock_take(&k->lock);
		l = k->work;
		if (l) {
			k->work = l->next;
			if (!k->work)
				k->work_end = &k->work;
		}
		stop = !l && k->work_stop;
		lock_drop(&k->lock);
		if (l)
			l->fn(k, l);
		else if (!stop)
			wake_wait(&k->work_wake, seen, -1);
	}
}

/* ---- requests ---- */

static struct request *request_of(struct later *l)
{
	return (struct request *)((char *)l - offsetof(struct request, back));
}

static void request_back(struct kafka *k, struct later *l)
{
	struct request *rq = request_of(l);

	k->working--;
	names_forget(k); /* most of what the worker does changes topics */
	if (rq->back_on_loop)
		rq->back_on_loop(rq);
	request_answer(rq);
}

static void request_work(struct kafka *k, struct later *l)
{
	struct request *rq = request_of(l);

	rq->work(rq);
	l->fn = request_back;
	kafka_post(k, l);
}

void request_to_worker(struct request *rq, void (*work)(struct request *rq))
{
	rq->work = work;
	rq->back.fn = request_work;
	rq->k->working++;
	kafka_work(rq->k, &rq->back);
}
