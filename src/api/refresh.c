/*
 * POST /api/dashboard/refresh: every job is compared with its SQL at a cut; one that differs is repaired. In the background, one at a time;
 * what came of the last ones can be asked for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/app.h"
#include "base/js.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/thread.h"

enum { KEPT = 32, JOBS_MAX = 64, REPAIR_US = 120000000, LOOK_US = 100000 };

struct job_result {
	char name[128];
	bool compared, repaired;
	struct job_verdict verdict;
	struct err error;
};

struct refresh {
	uint64_t id; /* 0: none */
	bool done;
	int64_t started_us, finished_us;
	struct job_result *jobs;
	unsigned n;
};

struct refreshes {
	const struct api *api;
	struct lock lock; /* guards what follows */
	struct refresh kept[KEPT]; /* by id modulo */
	uint64_t last;
	bool running, stop;
	struct thread thread; /* started once; joined before the next */
	bool started;
};

struct refreshes *refreshes_new(void)
{
	struct refreshes *r = mem_zalloc(sizeof(*r));

	lock_init(&r->lock);
	return r;
}

void refreshes_free(struct refreshes *r)
{
	unsigned i;

	if (!r)
		return;
	lock_take(&r->lock);
	r->stop = true;
	lock_drop(&r->lock);
	if (r->started)
		thread_join(&r->thread);
	for (i = 0; i < KEPT; i++)
		mem_free(r->kept[i].jobs);
	lock_release(&r->lock);
	mem_free(r);
}

/* ---- the work ---- */

static int take_name(void *arg, const struct registry_job *j)
{
	struct refresh *f = arg;
	struct job_status s;

	job_status(j->job, &s);
	if (s.state != JOB_CANCELED && f->n < JOBS_MAX)
		snprintf(f->jobs[f->n++].name, sizeof(f->jobs[0].name), "%s", job_name(j->job));
	return 0;
}

static void compare(void *arg, const struct registry_job *j)
{
	struct job_result *r = arg;
	struct buf lines = BUF_INIT(1 << 20);

	r->compared = job_verify(j->job, &r->verdict, &lines, &r->error) == 0;
	buf_release(&lines);
}

static void look(void *arg, const struct registry_job *j)
{
	job_status(j->job, arg);
}

static bool stopping(struct refreshes *all)
{
	bool stop;

	lock_take(&all->lock);
	stop = all->stop;
	lock_drop(&all->lock);
	return stop;
}

/* Until the job has written its tables as a whole. */
static void repair(struct refreshes *all, struct job_result *r)
{
	int64_t until = io_monotonic_us(all->api->io) + REPAIR_US;
	struct job_status before = {0}, now = {0};
	struct wake never;

	registry_job_with(all->api->registry, view_str(r->name), look, &before);
	if (registry_job_command(all->api->registry, view_str(r->name), REGISTRY_JOB_REPAIR, &r->error))
		return;
	wake_init(&never);
	do {
		wake_wait(&never, wake_seen(&never), LOOK_US);
		if (!registry_job_with(all->api->registry, view_str(r->name), look, &now))
			break;
		r->repaired = now.counts.replaces > before.counts.replaces;
	} while (!r->repaired && now.state != JOB_FAILED && !stopping(all) && io_monotonic_us(all->api->io) < until);
	wake_release(&never);
	if (!r->repaired)
		err_set(&r->error, ERR_TIMEOUT, "job \"%s\" was not made right yet: %s", r->name,
			now.error.code ? now.error.text : job_state_name(now.state));
}

static void run(void *arg)
{
	struct refreshes *all = arg;
	struct refresh *f = &all->kept[all->last % KEPT];
	unsigned i;

	for (i = 0; i < f->n && !stopping(all); i++) {
		struct job_result r = f->jobs[i];

		registry_job_with(all->api->registry, view_str(r.name), compare, &r);
		if (r.compared && !r.verdict.equal)
			repair(all, &r);
		lock_take(&all->lock);
		f->jobs[i] = r;
		lock_drop(&all->lock);
	}
	lock_take(&all->lock);
	f->done = true;
	f->finished_us = io_now_us(all->api->io);
	all->running = false;
	lock_drop(&all->lock);
}

/* ---- asking ---- */

static void put_tables(struct buf *b, const struct job_verdict *v)
{
	uint32_t i;

	buf_putc(b, '[');
	for (i = 0; i < v->ntables; i++) {
		js_put_comma(b);
		buf_puts(b, "{\"table\":");
		js_put_str(b, v->tables[i].name);
		buf_printf(b, ",\"rows\":%llu,\"differed\":%llu}", (unsigned long long)v->tables[i].rows,
			(unsigned long long)v->tables[i].differed);
	}
	buf_putc(b, ']');
}

static void put_refresh(struct buf *b, const struct refresh *f)
{
	uint64_t differed = 0;
	bool failed = false;
	unsigned i;

	for (i = 0; i < f->n; i++) {
		differed += f->jobs[i].verdict.rows_differed;
		failed = failed || f->jobs[i].error.code;
	}
	buf_printf(b, "{\"id\":\"%llu\",\"state\":\"%s\",\"rowsDiffered\":%llu,\"jobs\":[", (unsigned long long)f->id,
		!f->done     ? "RUNNING"
			: failed ? "FAILED"
					 : "DONE",
		(unsigned long long)differed);
	for (i = 0; i < f->n; i++) {
		const struct job_result *r = &f->jobs[i];

		js_put_comma(b);
		buf_puts(b, "{\"job\":");
		js_put_str(b, r->name);
		buf_printf(b, ",\"compared\":%s,\"rows\":%llu,\"differed\":%llu,\"repaired\":%s,\"tables\":", r->compared ? "true" : "false",
			(unsigned long long)r->verdict.rows, (unsigned long long)r->verdict.rows_differed, r->repaired ? "true" : "false");
		put_tables(b, &r->verdict);
		buf_puts(b, ",\"error\":");
		if (r->error.code)
			js_put_str(b, r->error.text);
		else
			buf_puts(b, "null");
		buf_putc(b, '}');
	}
	buf_puts(b, "]}");
}

void app_refresh_begin(struct call *c)
{
	struct refreshes *all = c->api->refreshes;
	struct refresh made = {.jobs = mem_zalloc(JOBS_MAX * sizeof(struct job_result))}, *f;
	bool busy;

	registry_job_each(c->api->registry, take_name, &made);
	made.jobs = mem_realloc(made.jobs, (made.n + 1) * sizeof(*made.jobs));
	lock_take(&all->lock);
	busy = all->running || all->stop;
	if (!busy) {
		if (all->started)
			thread_join(&all->thread);
		all->api = c->api;
		made.id = ++all->last;
		made.started_us = io_now_us(c->api->io);
		f = &all->kept[made.id % KEPT];
		mem_free(f->jobs);
		*f = made;
		all->running = all->started = true;
		thread_start(&all->thread, "refresh", run, all);
	}
	lock_drop(&all->lock);
	if (busy) {
		mem_free(made.jobs);
		problem_set(c->api, c->r, c->out, 409, NULL, "a refresh is under way already");
		return;
	}
	c->out->status = 202;
	http_header_add(c->out, "Location", "/api/dashboard/refreshes/%llu", (unsigned long long)made.id);
	buf_printf(&c->out->body, "{\"id\":\"%llu\"}", (unsigned long long)made.id);
}

void app_refresh_show(struct call *c)
{
	struct refreshes *all = c->api->refreshes;
	uint64_t id = 0;
	bool there;

	if (!text_u64(c->args[0], &id))
		id = 0;
	lock_take(&all->lock);
	there = id && all->kept[id % KEPT].id == id;
	if (there)
		put_refresh(&c->out->body, &all->kept[id % KEPT]);
	lock_drop(&all->lock);
	c->out->status = 200;
	if (!there)
		problem_set(c->api, c->r, c->out, 404, NULL, "there is no such refresh, or it is long past");
}
