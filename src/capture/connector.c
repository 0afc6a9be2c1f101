/* A connector's thread and its life cycle; see connector.h. */
#include "capture/connector.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "capture/connector_internal.h"

enum { BACKOFF_FIRST_US = 100000, BACKOFF_MOST_US = 10000000, WARNINGS_MAX = 64 << 10 };

const char *connector_state_name(enum connector_state s)
{
	static const char *const names[] = {"UNASSIGNED", "RUNNING", "PAUSED", "STOPPED", "FAILED"};

	return names[s];
}

const char *connector_step_name(enum connector_step s)
{
	static const char *const names[] = {"idle", "connecting", "checking", "publication", "slot", "snapshot", "streaming", "waiting"};

	return names[s];
}

/* ---- for the thread's own files ---- */

static void changed(struct connector *c)
{
	if (c->outside)
		wake_signal(c->outside);
}

void connector_step_enter(struct connector *c, enum connector_step step)
{
	lock_take(&c->lock);
	c->status.step = step;
	c->status.since_us = io_monotonic_us(c->io);
	if (step == STEP_STREAMING)
		err_clear(&c->status.error);
	if (step == STEP_CONNECTING) {
		c->status.counts.sessions++;
		buf_clear(&c->warnings);
	}
	lock_drop(&c->lock);
	changed(c);
}

bool connector_must_leave(struct connector *c)
{
	bool leave;

	lock_take(&c->lock);
	leave = c->command != COMMAND_RUN || c->restart;
	lock_drop(&c->lock);
	return leave;
}

void connector_warn(struct connector *c, const char *fmt, ...)
{
	va_list ap;

	lock_take(&c->lock);
	va_start(ap, fmt);
	buf_vprintf(&c->warnings, fmt, ap);
	buf_putc(&c->warnings, '\n');
	va_end(ap);
	lock_drop(&c->lock);
}

void connector_count(struct connector *c, const struct connector_counts *add)
{
	struct connector_counts *to = &c->status.counts;

	lock_take(&c->lock);
	to->rows += add->rows;
	to->events += c->events;
	to->transactions += add->transactions;
	to->truncates += add->truncates;
	to->bytes += add->bytes;
	to->snapshot_rows += add->snapshot_rows;
	to->snapshot_tables += add->snapshot_tables;
	to->snapshot_tables_done += add->snapshot_tables_done;
	c->events = 0;
	c->status.received = c->closed_lsn;
	lock_drop(&c->lock);
}

/* ---- the thread ---- */

static void set_state(struct connector *c, enum connector_state state, const struct err *why)
{
	lock_take(&c->lock);
	c->status.state = state;
	c->status.step = STEP_IDLE;
	if (why)
		c->status.error = *why;
	else
		err_clear(&c->status.error);
	lock_drop(&c->lock);
	changed(c);
}

static enum command command_now(struct connector *c, bool *ret_restart)
{
	enum command cmd;
	uint64_t drained;

	lock_take(&c->lock);
	cmd = c->command;
	*ret_restart = c->restart;
	c->restart = false;
	/* the interrupt has done its work once the session is over */
	while (read(c->interrupt_fd, &drained, sizeof(drained)) > 0)
		;
	lock_drop(&c->lock);
	return cmd;
}

/*
 * An internal error of the server (class XX000) may depend on what else goes on there; a new session decodes anew from the slot's restart
 * point, so it is tried like a lost connection, with its text in the status meanwhile.
 */
static bool may_pass(const struct err *err)
{
	return err->retriable || strcmp(err->sqlstate, "XX000") == 0;
}

/* Sessions until told otherwise or until one fails for good. True when it failed. */
static bool run_sessions(struct connector *c)
{
	int64_t backoff = BACKOFF_FIRST_US;
	struct err err;
	bool restart;

	set_state(c, CONNECTOR_RUNNING, NULL);
	while (command_now(c, &restart) == COMMAND_RUN) {
		uint64_t seen = wake_seen(&c->commands);
		lsn_t before = c->durable_lsn;

		err = ERR_INIT;
		if (connector_session(c, &err) == 0 || err.code == ERR_CANCELED)
			continue;
		if (!may_pass(&err)) {
			set_state(c, CONNECTOR_FAILED, &err);
			return true;
		}
		if (c->durable_lsn != before)
			backoff = BACKOFF_FIRST_US; /* it got on: a new trouble */
		lock_take(&c->lock);
		c->status.error = err;
		lock_drop(&c->lock);
		connector_step_enter(c, STEP_WAITING);
		wake_wait(&c->commands, seen, backoff);
		backoff = backoff * 2 > BACKOFF_MOST_US ? BACKOFF_MOST_US : backoff * 2;
	}
	return false;
}

static void run(void *arg)
{
	struct connector *c = arg;
	bool failed = false, restart;

	for (;;) {
		uint64_t seen = wake_seen(&c->commands);
		enum command cmd = command_now(c, &restart);

		if (cmd == COMMAND_EXIT)
			break;
		if (cmd == COMMAND_RUN && (!failed || restart)) {
			failed = run_sessions(c);
			continue;
		}
		if (cmd == COMMAND_PAUSE || cmd == COMMAND_STOP) {
			failed = false;
			set_state(c, cmd == COMMAND_PAUSE ? CONNECTOR_PAUSED : CONNECTOR_STOPPED, NULL);
		}
		wake_wait(&c->commands, seen, -1);
	}
	set_state(c, CONNECTOR_STOPPED, NULL);
}

/* ---- outside ---- */

struct connector *connector_new(struct connector_config *config, struct change_out *out, struct io *io, struct wake *wake)
{
	struct connector *c = mem_zalloc(sizeof(*c));

	c->config = config;
	c->out = out;
	c->io = io;
	c->outside = wake;
	c->interrupt_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	wm_assert(c->interrupt_fd >= 0);
	wake_init(&c->commands);
	lock_init(&c->lock);
	c->command = COMMAND_NEW;
	c->status.state = CONNECTOR_UNASSIGNED;
	c->warnings = BUF_INIT(WARNINGS_MAX);
	c->position_bytes = BUF_INIT((size_t)1 << 30);
	payload_init(&c->payload);
	thread_start(&c->thread, "capture", run, c);
	return c;
}

static void command(struct connector *c, enum command cmd, bool has_task, bool restart)
{
	uint64_t one = 1;

	lock_take(&c->lock);
	if (cmd != COMMAND_RUN || restart)
		wm_assert(write(c->interrupt_fd, &one, sizeof(one)) == sizeof(one));
	c->command = cmd;
	c->status.has_task = has_task;
	c->restart = c->restart || restart;
	/* one that was never told to run has nothing to end */
	if (c->status.state == CONNECTOR_UNASSIGNED && cmd != COMMAND_RUN)
		c->status.state = cmd == COMMAND_PAUSE ? CONNECTOR_PAUSED : CONNECTOR_STOPPED;
	lock_drop(&c->lock);
	wake_signal(&c->commands);
}

void connector_start(struct connector *c)
{
	command(c, COMMAND_RUN, true, false);
}

void connector_pause(struct connector *c, bool has_task)
{
	command(c, COMMAND_PAUSE, has_task, false);
}

void connector_restart(struct connector *c)
{
	command(c, COMMAND_RUN, true, true);
}

void connector_stop(struct connector *c)
{
	command(c, COMMAND_STOP, false, false);
}

void connector_free(struct connector *c)
{
	if (!c)
		return;
	command(c, COMMAND_EXIT, false, false);
	thread_join(&c->thread);
	c->out->ops->free(c->out);
	connector_config_free(c->config);
	payload_release(&c->payload);
	buf_release(&c->warnings);
	buf_release(&c->position_bytes);
	arena_release(&c->position_arena);
	arena_release(&c->session);
	arena_release(&c->members_arena);
	arena_release(&c->schemas);
	mem_free(c->tables);
	mem_free(c->known);
	mem_free(c->flight);
	wake_release(&c->commands);
	lock_release(&c->lock);
	close(c->interrupt_fd);
	mem_free(c);
}

const struct connector_config *connector_config(const struct connector *c)
{
	return c->config;
}

/* What the slot's WAL is in danger of; the words are the server's wal_status. */
static void warn_of_slot(const struct connector *c, struct buf *to)
{
	const struct connector_slot *s = &c->status.slot;
	struct view name = c->config->slot;

	if (c->status.state != CONNECTOR_RUNNING)
		return;
	if (strcmp(s->wal_status, "unreserved") == 0)
		buf_printf(to,
			"Replication slot \"%.*s\" is about to be lost: %lld MB of WAL are kept for it, max_slot_wal_keep_size is %lld MB, and the "
			"next checkpoint removes what is over it.\n",
			(int)name.len, (const char *)name.ptr, (long long)(s->retained_bytes >> 20), (long long)s->keep_mb);
	else if (strcmp(s->wal_status, "extended") == 0)
		buf_printf(to, "The server keeps %lld MB of WAL for replication slot \"%.*s\", more than max_wal_size%s.\n",
			(long long)(s->retained_bytes >> 20), (int)name.len, (const char *)name.ptr,
			s->keep_mb < 0 ? ", and will until its disk is full" : "; the slot is lost once that is over max_slot_wal_keep_size");
}

void connector_status(struct connector *c, struct connector_status *ret)
{
	unsigned i;

	lock_take(&c->lock);
	*ret = c->status;
	ret->has_task = ret->has_task && ret->state != CONNECTOR_STOPPED;
	ret->warnings = BUF_INIT(2 * WARNINGS_MAX);
	for (i = 0; i < c->config->nwarnings; i++) {
		buf_putv(&ret->warnings, c->config->warnings[i]);
		buf_putc(&ret->warnings, '\n');
	}
	buf_putv(&ret->warnings, buf_view(&c->warnings));
	warn_of_slot(c, &ret->warnings);
	lock_drop(&c->lock);
}
