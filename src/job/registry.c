/* The registry; see registry.h. One lock over the lists; threads of connectors and jobs never take it, but for asking which connector
 * captures a table. */
#include "job/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/js.h"
#include "base/mem.h"
#include "base/text.h"
#include "job/registry_int.h"
#include "stream/log_out.h"

/* ---- finding ---- */

struct entry_connector *registry_find_connector(struct registry *r, struct view name)
{
	uint32_t i;

	for (i = 0; i < r->nconnectors; i++)
		if (view_is(name, r->connectors[i]->name))
			return r->connectors[i];
	return NULL;
}

static struct entry_job *find_job(struct registry *r, struct view name_or_id)
{
	struct entry_job *found = NULL;
	uint32_t i;

	/* the newest of a name: canceled ones stay in the list under their id */
	for (i = 0; i < r->njobs; i++)
		if (view_is(name_or_id, r->jobs[i]->pub.id) || view_is(name_or_id, job_name(r->jobs[i]->pub.job)))
			found = r->jobs[i];
	return found;
}

/* ---- what jobs ask ---- */

/* other: a connector that has the table while another is wanted, or NULL. */
static int no_connector(const char *schema, const char *table, const char *want, const char *other, struct err *err)
{
	if (!want) {
		err_set(err, ERR_NOT_FOUND, "table \"%s.%s\" is not captured by any connector", schema, table);
		return err_hint(err, "Run: walmill connector create --name main --tables '%s\\.%s'", schema, table);
	}
	err_set(err, ERR_NOT_FOUND, "table \"%s.%s\" is not captured by connector \"%s\", which the job reads", schema, table, want);
	if (other)
		err_detail(err, "Connector \"%s\" captures it, but a job reads one connector: transactions of two have no common order.", other);
	return err_hint(err,
		"Add it to table.include.list of \"%s\", or name another connector at the head of the job's file: SET connector = 'name';", want);
}

static int connector_of(
	void *arg, const char *schema, const char *table, const char *want, char *ret_name, struct pg_params *ret, struct err *err)
{
	struct registry *r = arg;
	struct entry_connector *found = NULL, *other = NULL;
	uint32_t i, n = 0;
	int rc = 0;

	lock_take(&r->lock);
	for (i = 0; i < r->nconnectors; i++) {
		struct entry_connector *e = r->connectors[i];

		if (!connector_config_wants(connector_config(e->connector), view_str(schema), view_str(table)))
			continue;
		other = e;
		if (want && strcmp(want, e->name) != 0)
			continue;
		found = e;
		n++;
	}
	if (n == 1) {
		snprintf(ret_name, 256, "%s", found->name);
		pg_params_copy(ret, &connector_config(found->connector)->source);
	} else if (n == 0) {
		rc = no_connector(schema, table, want, other ? other->name : NULL, err);
	} else {
		rc = err_set(err, ERR_INVALID, "table \"%s.%s\" is captured by %u connectors", schema, table, n);
		err_hint(err, "Choose one at the head of the job's file: SET connector = 'name';");
	}
	lock_drop(&r->lock);
	return rc;
}

static int any_source(void *arg, const char *want, struct pg_params *ret, struct err *err)
{
	struct registry *r = arg;
	uint32_t i;
	int rc = -1;

	lock_take(&r->lock);
	for (i = 0; i < r->nconnectors && rc; i++) {
		if (want && strcmp(want, r->connectors[i]->name) != 0)
			continue;
		pg_params_copy(ret, &connector_config(r->connectors[i]->connector)->source);
		rc = 0;
	}
	lock_drop(&r->lock);
	if (rc && want)
		return err_set(err, ERR_NOT_FOUND, "connector \"%s\" does not exist", want);
	if (rc) {
		err_set(err, ERR_NOT_FOUND, "there is no connector yet, so that a job has nothing to read");
		err_hint(err, "Run: walmill connector create --name main --tables 'public\\..*'");
	}
	return rc;
}

/* ---- connectors ---- */

enum { NAME_MAX_CODED = 170 };

/* Files, notes and topics are named after it, with three characters for each that is no letter or digit; none of them may be cut. */
static int check_name(const char *of, struct view name, struct err *err)
{
	struct buf coded = BUF_INIT(1 << 16);
	size_t i, len;

	for (i = 0; i < name.len; i++)
		if (name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
			return err_set(err, ERR_INVALID, "a %s's name may not hold control characters", of);
	if (name.len && name.len <= NAME_MAX_CODED) {
		char *text = mem_strndup(name.ptr, name.len);

		text_put_file_name(&coded, text);
		mem_free(text);
	}
	len = coded.len;
	buf_release(&coded);
	if (len == 0 || len > NAME_MAX_CODED)
		return err_set(err, ERR_INVALID, "a %s's name has 1 to %d characters; each that is not an ASCII letter or digit, - or . counts as "
			"three", of, NAME_MAX_CODED);
	return 0;
}

static int make_connector(
	struct registry *r, struct view name, struct view config, enum connector_state desired, struct entry_connector **ret, struct err *err)
{
	struct connector_config *c;
	struct entry_connector *e;

	if (check_name("connector", name, err))
		return -1;
	if (connector_config_read(config, name, r->o.dialect, r->has_source ? &r->source : NULL, &c, err))
		return -1;
	e = mem_zalloc(sizeof(*e));
	e->name = mem_strndup(name.ptr, name.len);
	e->desired = desired;
	e->has_task = desired == CONNECTOR_RUNNING;
	e->connector = connector_new(c, log_out_new(r->o.log, r->o.io, name), r->o.io, r->o.wake);
	*ret = e;
	return 0;
}

static void apply_desired(struct entry_connector *e)
{
	if (e->desired == CONNECTOR_RUNNING)
		connector_start(e->connector);
	else if (e->desired == CONNECTOR_PAUSED)
		connector_pause(e->connector, e->has_task);
	else
		connector_stop(e->connector);
}

static void free_connector(struct entry_connector *e)
{
	connector_free(e->connector);
	mem_free(e->name);
	mem_free(e->topics_reset);
	mem_free(e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct entry_connector *const *)a)->name, (*(struct entry_connector *const *)b)->name);
}

static void add_connector(struct registry *r, struct entry_connector *e)
{
	r->connectors = mem_realloc(r->connectors, (r->nconnectors + 1) * sizeof(*r->connectors));
	r->connectors[r->nconnectors++] = e;
	qsort(r->connectors, r->nconnectors, sizeof(*r->connectors), by_name);
}

int registry_connector_create(struct registry *r, struct view name, struct view config, enum connector_state desired, struct err *err)
{
	struct entry_connector *e = NULL;
	int rc = -1;

	lock_take(&r->lock);
	if (registry_find_connector(r, name)) {
		err_set(err, ERR_EXISTS, "Connector %.*s already exists", (int)name.len, (const char *)name.ptr);
		goto out;
	}
	if (make_connector(r, name, config, desired, &e, err))
		goto out;
	if (registry_store_connector(r, e, err)) {
		free_connector(e);
		goto out;
	}
	add_connector(r, e);
	apply_desired(e);
	rc = 0;
out:
	lock_drop(&r->lock);
	return rc;
}

int registry_connector_put(struct registry *r, struct view name, struct view config, bool *ret_created, struct err *err)
{
	struct entry_connector *e, *old;
	uint32_t i;
	int rc = -1;

	lock_take(&r->lock);
	old = registry_find_connector(r, name);
	*ret_created = !old;
	if (make_connector(r, name, config, old ? old->desired : CONNECTOR_RUNNING, &e, err))
		goto out;
	if (old)
		e->has_task = old->has_task;
	if (old && old->topics_reset)
		e->topics_reset = mem_strdup(old->topics_reset);
	if (registry_store_connector(r, e, err)) {
		free_connector(e);
		goto out;
	}
	if (old) {
		for (i = 0; r->connectors[i] != old; i++)
			;
		/* two threads on one slot would be in each other's way */
		free_connector(old);
		r->connectors[i] = e;
	} else {
		add_connector(r, e);
	}
	apply_desired(e);
	rc = 0;
out:
	lock_drop(&r->lock);
	return rc;
}

int registry_renew_connector(struct registry *r, struct entry_connector *e, int (*between)(struct registry *r, void *arg, struct err *err),
	void *arg, struct err *err)
{
	struct entry_connector *fresh;
	int rc;

	if (make_connector(r, view_str(e->name), connector_config(e->connector)->json, e->desired, &fresh, err))
		return -1;
	connector_free(e->connector);
	rc = between(r, arg, err);
	e->connector = fresh->connector;
	mem_free(fresh->name);
	mem_free(fresh);
	apply_desired(e);
	return rc;
}

static int delete_connector(struct registry *r, struct entry_connector *e, struct err *err)
{
	uint32_t i;
	int rc;

	if (registry_unlink_connector(r, e->name, err))
		return -1;
	for (i = 0; r->connectors[i] != e; i++)
		;
	memmove(&r->connectors[i], &r->connectors[i + 1], (r->nconnectors - i - 1) * sizeof(*r->connectors));
	r->nconnectors--;
	connector_stop(e->connector);
	/* its thread is gone before its position is: nothing writes behind our back */
	{
		char *name = mem_strdup(e->name);

		free_connector(e);
		rc = log_out_forget(r->o.log, view_str(name), err);
		mem_free(name);
	}
	return rc;
}

int registry_connector_command(struct registry *r, struct view name, enum registry_command cmd, struct err *err)
{
	struct entry_connector *e;
	int rc = 0;

	lock_take(&r->lock);
	e = registry_find_connector(r, name);
	if (!e) {
		rc = err_set(err, ERR_NOT_FOUND, "Connector %.*s not found", (int)name.len, (const char *)name.ptr);
		goto out;
	}
	switch (cmd) {
	case REGISTRY_DELETE:
		rc = delete_connector(r, e, err);
		goto out;
	case REGISTRY_RESTART:
		/* what is paused or stopped stays so */
		if (e->desired == CONNECTOR_RUNNING)
			connector_restart(e->connector);
		goto out;
	case REGISTRY_RESUME:
		e->desired = CONNECTOR_RUNNING;
		e->has_task = true;
		apply_desired(e);
		break;
	case REGISTRY_PAUSE:
		e->desired = CONNECTOR_PAUSED;
		apply_desired(e);
		break;
	case REGISTRY_STOP:
		e->desired = CONNECTOR_STOPPED;
		e->has_task = false;
		apply_desired(e);
		break;
	}
	rc = registry_store_connector(r, e, err);
out:
	lock_drop(&r->lock);
	return rc;
}

void registry_connector_each(struct registry *r, int (*fn)(void *arg, struct connector *c), void *arg)
{
	uint32_t i;

	lock_take(&r->lock);
	for (i = 0; i < r->nconnectors; i++)
		if (fn(arg, r->connectors[i]->connector))
			break;
	lock_drop(&r->lock);
}

bool registry_connector_with(struct registry *r, struct view name, void (*fn)(void *arg, struct connector *c), void *arg)
{
	struct entry_connector *e;

	lock_take(&r->lock);
	e = registry_find_connector(r, name);
	if (e)
		fn(arg, e->connector);
	lock_drop(&r->lock);
	return e != NULL;
}

/* ---- jobs ---- */

static struct entry_job *add_job(struct registry *r, const char *name, struct view text, bool replace, const char *id)
{
	struct entry_job *e = mem_zalloc(sizeof(*e));
	struct job_options opts = {.replace = replace};
	uint8_t random[16];
	unsigned i;

	io_random(r->o.io, random, sizeof(random));
	for (i = 0; i < 16 && !id; i++)
		snprintf(e->pub.id + 2 * i, 3, "%02x", random[i]);
	if (id)
		snprintf(e->pub.id, sizeof(e->pub.id), "%s", id);
	e->replace = replace;
	e->desired = JOB_RUNNING;
	e->pub.job = job_new(&r->env, name, text, &opts);
	r->jobs = mem_realloc(r->jobs, (r->njobs + 1) * sizeof(*r->jobs));
	r->jobs[r->njobs++] = e;
	return e;
}

int registry_job_submit(struct registry *r, struct view name, struct view text, bool replace, char ret_id[33], struct err *err)
{
	struct entry_job *e;
	char *cname = NULL;
	int rc = -1;

	if (check_name("job", name, err))
		return -1;
	if (text.len > SQL_TEXT_MAX)
		return err_set(err, ERR_LIMIT, "a job's text has at most %d bytes", SQL_TEXT_MAX);
	cname = mem_strndup(name.ptr, name.len);
	lock_take(&r->lock);
	e = find_job(r, name);
	if (e && e->desired != JOB_CANCELED) {
		err_set(err, ERR_EXISTS, "job \"%s\" exists already", cname);
		err_hint(err, "Cancel it first, or give this one another name with --name.");
		goto out;
	}
	e = add_job(r, cname, text, replace, NULL);
	if (registry_store_job(r, e, err))
		goto out;
	if (ret_id)
		snprintf(ret_id, 33, "%s", e->pub.id);
	rc = 0;
out:
	lock_drop(&r->lock);
	mem_free(cname);
	return rc;
}

int registry_job_command(struct registry *r, struct view name_or_id, enum registry_job_command cmd, struct err *err)
{
	struct entry_job *e;
	int rc = 0;

	lock_take(&r->lock);
	e = find_job(r, name_or_id);
	if (!e) {
		rc = err_set(err, ERR_NOT_FOUND, "job \"%.*s\" does not exist", (int)name_or_id.len, (const char *)name_or_id.ptr);
		goto out;
	}
	if (e->desired == JOB_CANCELED) {
		rc = err_set(err, ERR_STATE, "job \"%s\" is canceled", job_name(e->pub.job));
		goto out;
	}
	switch (cmd) {
	case REGISTRY_JOB_PAUSE:
		e->desired = JOB_PAUSED;
		job_pause(e->pub.job);
		break;
	case REGISTRY_JOB_RESUME:
		e->desired = JOB_RUNNING;
		job_resume(e->pub.job);
		break;
	case REGISTRY_JOB_REPAIR:
		e->desired = JOB_RUNNING;
		job_repair(e->pub.job);
		break;
	case REGISTRY_JOB_CANCEL:
		e->desired = JOB_CANCELED;
		job_cancel(e->pub.job);
		break;
	}
	rc = registry_store_job(r, e, err);
out:
	lock_drop(&r->lock);
	return rc;
}

int64_t registry_checkpoint_interval_us(const struct registry *r)
{
	return r->o.checkpoint_interval_us;
}

void registry_job_each(struct registry *r, int (*fn)(void *arg, const struct registry_job *j), void *arg)
{
	uint32_t i;

	lock_take(&r->lock);
	for (i = 0; i < r->njobs; i++)
		if (fn(arg, &r->jobs[i]->pub))
			break;
	lock_drop(&r->lock);
}

bool registry_job_with(struct registry *r, struct view name_or_id, void (*fn)(void *arg, const struct registry_job *j), void *arg)
{
	struct entry_job *e;

	lock_take(&r->lock);
	e = find_job(r, name_or_id);
	lock_drop(&r->lock);
	/* jobs are freed when the registry closes, after the listeners: fn may take its time */
	if (e)
		fn(arg, &e->pub);
	return e != NULL;
}

/* ---- the whole ---- */

int registry_open(const struct registry_options *o, struct registry **ret, struct err *err)
{
	struct registry *r = mem_zalloc(sizeof(*r));
	struct buf checkpoints = BUF_INIT(1 << 16);
	uint32_t i;

	r->o = *o;
	r->dir = mem_strdup(o->dir);
	pg_params_copy(&r->target, &o->target);
	pg_params_copy(&r->source, &o->source);
	r->has_source = o->source.host || o->source.user || o->source.dbname;
	lock_init(&r->lock);
	r->zones = tz_cache_new(o->io, NULL);
	r->env = (struct job_env){.io = o->io,
		.log = o->log,
		.zones = r->zones,
		.target = r->target,
		.timezone = o->timezone,
		.memory_max = o->job_memory,
		.checkpoint_interval_us = o->checkpoint_interval_us,
		.outside = o->wake,
		.tap = o->tap,
		.metrics = o->metrics,
		.connector_of = connector_of,
		.any_source = any_source,
		.arg = r};
	buf_printf(&checkpoints, "%s/checkpoints", o->dir);
	r->checkpoint_dir = mem_strdup(buf_cstr(&checkpoints));
	buf_release(&checkpoints);
	r->env.checkpoint_dir = r->checkpoint_dir;
	if (io_make_dir(o->io, r->checkpoint_dir, err) || registry_load(r, err)) {
		registry_close(r);
		return -1;
	}
	for (i = 0; i < r->nconnectors; i++)
		apply_desired(r->connectors[i]);
	*ret = r;
	return 0;
}

int registry_add_loaded_connector(struct registry *r, struct view name, const struct loaded_connector *l, struct err *err)
{
	struct entry_connector *e;

	if (make_connector(r, name, l->config, l->desired, &e, err))
		return -1;
	e->has_task = l->has_task;
	if (l->topics_reset.ptr)
		e->topics_reset = mem_strndup(l->topics_reset.ptr, l->topics_reset.len);
	add_connector(r, e);
	return 0;
}

void registry_add_loaded_job(struct registry *r, const char *name, struct view text, bool replace, const char *id, enum job_state desired)
{
	struct entry_job *e = add_job(r, name, text, replace, id);

	e->desired = desired;
	if (desired == JOB_PAUSED)
		job_pause(e->pub.job);
}

void registry_close(struct registry *r)
{
	uint32_t i;

	if (!r)
		return;
	for (i = 0; i < r->njobs; i++) {
		job_free(r->jobs[i]->pub.job);
		mem_free(r->jobs[i]);
	}
	for (i = 0; i < r->nconnectors; i++)
		free_connector(r->connectors[i]);
	mem_free(r->jobs);
	mem_free(r->connectors);
	pg_params_release(&r->target);
	pg_params_release(&r->source);
	tz_cache_release(r->zones);
	lock_release(&r->lock);
	mem_free(r->dir);
	mem_free(r->checkpoint_dir);
	mem_free(r);
}

/* "is FAILED: " and why, and so on; "" when it is ready */
static void connector_problem(struct connector *c, struct buf *into)
{
	struct connector_status s;

	connector_status(c, &s);
	buf_release(&s.warnings);
	if (s.state == CONNECTOR_FAILED)
		buf_printf(into, "is FAILED: %s", s.error.text);
	else if (s.state == CONNECTOR_RUNNING && !s.snapshot_done)
		buf_printf(into, "has not finished its first snapshot (%s%s%s)", connector_step_name(s.step), s.error.code ? ": " : "",
			s.error.text);
}

static void job_problem(struct job *j, struct buf *into)
{
	struct job_status s;

	job_status(j, &s);
	if (s.state == JOB_FAILED || s.state == JOB_DEGRADED)
		buf_printf(into, "is %s: %s", job_state_name(s.state), s.error.text);
	else if ((s.state == JOB_INITIALIZING && !s.kept) || s.state == JOB_CREATED)
		buf_printf(into, "has not brought its tables up yet (%s%s%s)", s.step, s.error.code ? ": " : "", s.error.text);
}

void registry_readiness(struct registry *r, void (*fn)(void *arg, const char *kind, const char *name, const char *problem), void *arg)
{
	struct buf problem = BUF_INIT(4096);
	uint32_t i;

	lock_take(&r->lock);
	for (i = 0; i < r->nconnectors; i++) {
		buf_clear(&problem);
		connector_problem(r->connectors[i]->connector, &problem);
		fn(arg, "connector", r->connectors[i]->name, buf_cstr(&problem));
	}
	for (i = 0; i < r->njobs; i++) {
		buf_clear(&problem);
		job_problem(r->jobs[i]->pub.job, &problem);
		fn(arg, "job", job_name(r->jobs[i]->pub.job), buf_cstr(&problem));
	}
	lock_drop(&r->lock);
	buf_release(&problem);
}

bool registry_reached(struct registry *r, lsn_t lsn)
{
	uint64_t first, last;
	bool reached = true;
	uint32_t i;

	lock_take(&r->lock);
	for (i = 0; i < r->nconnectors && reached; i++) {
		struct connector_status s;

		connector_status(r->connectors[i]->connector, &s);
		buf_release(&s.warnings);
		reached = s.state != CONNECTOR_RUNNING || s.durable >= lsn;
	}
	log_unit_span(r->o.log, &first, &last);
	for (i = 0; i < r->njobs && reached; i++) {
		struct job_status s;

		job_status(r->jobs[i]->pub.job, &s);
		reached = s.state == JOB_PAUSED || s.state == JOB_CANCELED || s.state == JOB_FAILED ||
			((s.state == JOB_RUNNING || s.state == JOB_DEGRADED) && s.next_unit > last);
	}
	lock_drop(&r->lock);
	return reached;
}
