/* A job's thread and its life cycle; see job.h. */
#include "job/job.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "base/mem.h"
#include "job/job_int.h"

enum {
	BACKOFF_FIRST_US = 100000, BACKOFF_MOST_US = 10000000,
	STEP_US = 20000, STEP_MOST_US = 320000, /* how long is folded before results are rendered, when there is more to fold */
	STEP_LOOK = 16,                         /* units between two looks at the clock */
	IDLE_US = 1000000,
};

const char *job_state_name(enum job_state s)
{
	static const char *const names[] = {"CREATED", "INITIALIZING", "RUNNING", "DEGRADED", "FAILED", "PAUSED", "CANCELED"};

	return names[s];
}

/* ---- for the thread's own files ---- */

static void changed(struct job *j)
{
	if (j->env->outside)
		wake_signal(j->env->outside);
}

bool job_must_leave(struct job *j)
{
	bool leave;

	lock_take(&j->lock);
	leave = j->command != JOB_RUN || j->retry || j->repair;
	lock_drop(&j->lock);
	return leave;
}

void job_step(struct job *j, const char *step)
{
	lock_take(&j->lock);
	snprintf(j->status.step, sizeof(j->status.step), "%s", step);
	lock_drop(&j->lock);
	changed(j);
}

void job_set_state(struct job *j, enum job_state state, const struct err *why)
{
	bool moved;

	lock_take(&j->lock);
	moved = j->status.state != state;
	job_note_state(j, state, why);
	j->status.state = state;
	if (why)
		j->status.error = *why;
	else
		err_clear(&j->status.error);
	lock_drop(&j->lock);
	if (moved)
		changed(j);
}

int64_t job_clock(struct job *j)
{
	int64_t now = io_now_us(j->env->io) - POSTGRES_EPOCH_US;

	/* results never go back in time: a clock that was set back is waited for */
	if (now > j->clock)
		j->clock = now;
	return j->clock;
}

/* ---- following ---- */

void job_fill_position(const struct job *j, struct sink_position *ret)
{
	*ret = (struct sink_position){
		.exists = true, .incarnation = j->incarnation, .system_id = j->system_id, .commit_lsn = j->folded_lsn, .clock_us = j->clock};
	snprintf(ret->connector, sizeof(ret->connector), "%s", j->connector);
	snprintf(ret->definition, sizeof(ret->definition), "%s", j->definition);
}

void job_tell_tap(struct job *j, const struct sink_position *to)
{
	const struct job_tap *tap = j->env->tap;
	struct job_written w = {.job = j->name, .plan = j->plan, .flow = j->flow, .sink = j->sink,
		.replaced = j->first_write_replaces || j->untold,
		.commit_lsn = to->commit_lsn, .clock_us = to->clock_us, .source_us = j->source_us};

	j->untold = false;
	if (tap && tap->wanted(tap->arg))
		tap->written(tap->arg, &w);
}

int job_write_results(struct job *j, bool durable, struct err *err)
{
	int64_t began_us = io_monotonic_us(j->env->io);
	struct sink_position to;
	uint64_t rows;

	job_fill_position(j, &to);
	j->untold = true;
	if (j->first_write_replaces ? sink_replace(j->sink, j->flow, &to, &rows, err) : sink_write(j->sink, j->flow, &to, durable, &rows, err))
		return -1;
	j->untold = false;
	job_tell_tap(j, &to);
	flow_written(j->flow);
	lock_take(&j->lock);
	j->status.counts.replaces += j->first_write_replaces;
	j->status.counts.rows_written += rows;
	j->status.counts.writes++;
	if (j->source_us && rows)
		j->status.lag_us = io_now_us(j->env->io) - j->source_us;
	if (j->visible_seconds) {
		metric_observe(j->write_seconds, (double)(io_monotonic_us(j->env->io) - began_us) / 1e6);
		/* a first write or a repair is as old as whatever it repairs */
		if (j->source_us && rows && !j->first_write_replaces)
			metric_observe(j->visible_seconds, (double)j->status.lag_us / 1e6);
	}
	lock_drop(&j->lock);
	j->first_write_replaces = false;
	return 0;
}

/* After a step: write it if the tables may be touched. The target's own position, when it has one, is where the flow first agrees with
 * it. */
static int finish_step(struct job *j, struct err *err)
{
	struct err why;

	if (flow_step_end(j->flow, err))
		return -1;
	if (j->in_snapshot)
		return 0;
	if (!j->ready) {
		if (j->target.exists && !j->first_write_replaces && j->folded_lsn < j->target.commit_lsn && j->passed_lsn <= j->target.commit_lsn)
			return 0; /* still replaying what the target has */
		/* a snapshot newer than the target has brought the flow beyond it: what differs is not known */
		if (j->target.exists && j->folded_lsn > j->target.commit_lsn)
			j->first_write_replaces = true;
		if (j->target.exists && !j->first_write_replaces)
			flow_written(j->flow);
		j->ready = true;
	}
	if (flow_failed(j->flow, &why)) {
		job_set_state(j, JOB_DEGRADED, &why);
		return 0;
	}
	if ((j->first_write_replaces || flow_change_count(j->flow)) && job_write_results(j, false, err))
		return -1;
	job_set_state(j, JOB_RUNNING, NULL);
	return 0;
}

void job_publish(struct job *j)
{
	struct flow_stats st;

	flow_stats(j->flow, &st);
	lock_take(&j->lock);
	j->status.position = j->folded_lsn;
	j->status.clock_us = j->clock;
	j->status.next_unit = j->next_unit;
	j->status.source_us = j->source_us;
	j->status.state_bytes = st.bytes;
	j->status.source_rows = st.source_rows;
	j->status.result_rows = st.result_rows;
	j->status.counts.ticks = st.ticks;
	j->status.counts.units = j->units;
	j->status.counts.records = j->records;
	job_graph_publish(j);
	lock_drop(&j->lock);
}

/* Whether the unit commits at or above the limit, and how far it proves the log to reach. */
static int beyond(struct job *j, lsn_t limit, const struct log_unit_info *info, bool *ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct unit_payload p;
	int rc = 0;

	*ret = false;
	if (limit && info->payload.len && (j->ready || !j->in_snapshot)) {
		rc = unit_payload_load(info->payload, &a, &p, err);
		*ret = rc == 0 && view_eq(p.connector, view_str(j->connector)) && p.kind == UNIT_TRANSACTION && p.commit_lsn >= limit;
		if (*ret)
			j->passed_lsn = p.commit_lsn;
	}
	arena_release(&a);
	return rc;
}

/* Numbers of units have no gap: what is missing was removed. The next session finds another start. */
static int log_overtaken(struct job *j, struct err *err)
{
	err_set(err, ERR_LOST, "units %llu to %llu of the log were removed before job \"%s\" had read them", (unsigned long long)j->next_unit,
		(unsigned long long)j->pending_unit.seq - 1, j->name);
	err_hint(err, "The job starts again from the source's tables. Let it keep more log with job.pin.max_bytes.");
	err->retriable = true;
	return -1;
}

int follow_some(struct job *j, lsn_t limit, bool *ret_more, struct err *err)
{
	int64_t begin = io_monotonic_us(j->env->io), most = j->step_us ? j->step_us : STEP_US;
	unsigned n;
	bool stop;
	int rc;

	*ret_more = false;
	j->step_us = STEP_US;
	for (n = 1;; n++) {
		if (!j->pending) {
			rc = log_cursor_next(j->cursor, &j->pending_unit, err);
			if (rc <= 0)
				return rc;
			if (j->pending_unit.seq != j->next_unit)
				return log_overtaken(j, err);
			j->pending = true;
		}
		if (beyond(j, limit, &j->pending_unit, &stop, err))
			return -1;
		if (stop) {
			*ret_more = true;
			return 0;
		}
		j->pending = false;
		if (follow_unit(j, &j->pending_unit, err))
			return -1;
		j->next_unit = j->pending_unit.seq + 1;
		j->units++;
		if (n % STEP_LOOK == 0 && io_monotonic_us(j->env->io) - begin > most)
			break;
	}
	/* behind: the longer the steps, the fewer the writes, and rows that change again and again are written once */
	j->step_us = most * 2 < STEP_MOST_US ? most * 2 : STEP_MOST_US;
	*ret_more = true;
	return 0;
}

/* One round: time, units, results. */
static int round_once(struct job *j, bool *ret_more, struct err *err)
{
	bool replaying = !j->ready && j->target.exists && !j->first_write_replaces;
	int rc;

	/* a replay stays at the target's clock until it is where the target is */
	if (!replaying && flow_step_begin(j->flow, job_clock(j), err))
		return -1;
	/* and folds nothing that the target does not have: its position need not be that of a unit, a backfill's cut lies between two */
	rc = follow_some(j, replaying ? j->target.commit_lsn + 1 : 0, ret_more, err);
	if (rc) {
		struct err ignored = ERR_INIT;

		/* what was folded before the unit that cannot be is right: let the tables have it, but nothing of a part of the unit */
		if (!err->retriable && !j->torn && finish_step(j, &ignored))
			err_clear(&ignored);
		return rc;
	}
	if (finish_step(j, err))
		return -1;
	job_publish(j);
	return 0;
}

int follow_finish(struct job *j, struct err *err)
{
	return finish_step(j, err);
}

static int follow(struct job *j, struct err *err)
{
	struct wake *wake = log_wake(j->env->log);

	job_step(j, "following");
	for (;;) {
		uint64_t seen = wake_seen(wake);
		int64_t tick, wait;
		bool more;

		if (job_must_leave(j))
			return 0;
		if (hold_serve(j, err) || round_once(j, &more, err) || checkpoint_turn(j, &more, err))
			return -1;
		if (more)
			continue;
		if (sink_check(j->sink, err))
			return -1;
		tick = flow_next_tick(j->flow);
		wait = tick == TZ_NEVER ? IDLE_US : tick - j->clock;
		wake_wait(wake, seen, wait < 0 ? 0 : wait > IDLE_US ? IDLE_US : wait);
	}
}

static int session(struct job *j, bool repair, struct err *err)
{
	int rc;

	j->ready = j->torn = false;
	j->first_write_replaces = false;
	job_set_state(j, JOB_INITIALIZING, NULL);
	job_step(j, "planning");
	rc = job_make_plan(j, err);
	if (rc == 0)
		rc = job_find_start(j, repair, err);
	if (rc == 0)
		rc = follow(j, err);
	if (rc == 0)
		checkpoint_last(j);
	checkpoint_abandon(j);
	job_drop_plan(j);
	return rc;
}

/* ---- the thread ---- */

static enum job_command command_now(struct job *j, bool *ret_repair)
{
	enum job_command cmd;
	uint64_t drained;

	lock_take(&j->lock);
	cmd = j->command;
	*ret_repair = j->repair;
	j->retry = j->repair = false;
	while (read(j->interrupt_fd, &drained, sizeof(drained)) > 0)
		;
	lock_drop(&j->lock);
	return cmd;
}

static void forget_position(struct job *j)
{
	struct err err = ERR_INIT;

	/* best effort: a target that cannot be reached keeps a row that nobody reads */
	if (job_make_plan(j, &err) || sink_forget(j->sink, &err))
		err_clear(&err);
	job_drop_plan(j);
	checkpoint_forget(j);
}

/* Sessions until told otherwise or until one fails for good; true when it failed. */
static bool run_sessions(struct job *j)
{
	int64_t backoff = BACKOFF_FIRST_US;
	struct err err;
	bool repair;

	while (command_now(j, &repair) == JOB_RUN) {
		struct wake *wake = log_wake(j->env->log);
		uint64_t writes = j->status.counts.writes;
		int64_t until;

		err = ERR_INIT;
		if (session(j, repair, &err) == 0 || err.code == ERR_CANCELED)
			continue;
		if (!err.retriable) {
			job_set_state(j, JOB_FAILED, &err);
			return true;
		}
		if (j->status.counts.writes != writes)
			backoff = BACKOFF_FIRST_US;
		job_set_state(j, JOB_INITIALIZING, &err);
		job_step(j, "waiting");
		until = io_monotonic_us(j->env->io) + backoff;
		while (!job_must_leave(j) && io_monotonic_us(j->env->io) < until) {
			uint64_t seen = wake_seen(wake);

			wake_wait(wake, seen, until - io_monotonic_us(j->env->io));
		}
		backoff = backoff * 2 > BACKOFF_MOST_US ? BACKOFF_MOST_US : backoff * 2;
	}
	return false;
}

static void run(void *arg)
{
	struct job *j = arg;
	struct wake *wake = log_wake(j->env->log);
	bool failed = false, repair;

	for (;;) {
		uint64_t seen = wake_seen(wake);
		enum job_command cmd;
		bool again;

		lock_take(&j->lock);
		cmd = j->command;
		again = j->retry || j->repair;
		lock_drop(&j->lock);
		if (cmd == JOB_EXIT)
			break;
		if (cmd == JOB_RUN && (!failed || again)) {
			failed = run_sessions(j);
			continue;
		}
		if (cmd == JOB_PAUSE || cmd == JOB_CANCEL) {
			if (cmd == JOB_CANCEL && j->status.state != JOB_CANCELED) {
				(void)command_now(j, &repair);
				forget_position(j);
			}
			failed = false;
			job_set_state(j, cmd == JOB_PAUSE ? JOB_PAUSED : JOB_CANCELED, NULL);
		}
		wake_wait(wake, seen, IDLE_US);
	}
}

/* ---- outside ---- */

static void hash_text(struct job *j)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	unsigned i;

	SHA256((const unsigned char *)j->text, j->text_len, digest);
	for (i = 0; i < sizeof(digest); i++)
		snprintf(j->definition + 2 * i, 3, "%02x", digest[i]);
}

/* Of all jobs that ever had the name: another one goes on counting where the last has ended. */
static void make_metrics(struct job *j)
{
	struct metrics *m = j->env->metrics;

	if (!m)
		return;
	j->visible_seconds = metric_latency(m, "walmill_job_commit_to_visible_seconds",
		"From the source's commit to its being visible in the target, of the newest transaction of each write.", "job", j->name);
	j->write_seconds = metric_latency(m, "walmill_job_write_seconds", "Transactions of the target.", "job", j->name);
}

struct job *job_new(const struct job_env *env, const char *name, struct view text, const struct job_options *opts)
{
	struct job *j = mem_zalloc(sizeof(*j));

	j->env = env;
	j->name = mem_strdup(name);
	j->text = mem_strndup(text.ptr, text.len);
	j->text_len = text.len;
	if (opts)
		j->options = *opts;
	hash_text(j);
	make_metrics(j);
	j->interrupt_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	wm_assert(j->interrupt_fd >= 0);
	lock_init(&j->lock);
	wake_init(&j->held);
	j->explain = BUF_INIT(16 << 20);
	j->schemas = j->scratch = ARENA_INIT;
	j->status.state = JOB_CREATED;
	j->history.entered_us[JOB_CREATED] = io_now_us(env->io);
	j->status.started_us = io_now_us(env->io);
	j->clock = INT64_MIN;
	thread_start(&j->thread, "job", run, j);
	return j;
}

static void command(struct job *j, enum job_command cmd, bool retry, bool repair)
{
	uint64_t one = 1;

	lock_take(&j->lock);
	wm_assert(write(j->interrupt_fd, &one, sizeof(one)) == sizeof(one));
	j->command = cmd;
	j->retry = j->retry || retry;
	j->repair = j->repair || repair;
	lock_drop(&j->lock);
	wake_signal(log_wake(j->env->log));
}

void job_pause(struct job *j)
{
	command(j, JOB_PAUSE, false, false);
}

void job_resume(struct job *j)
{
	command(j, JOB_RUN, true, false);
}

void job_cancel(struct job *j)
{
	command(j, JOB_CANCEL, false, false);
}

void job_repair(struct job *j)
{
	command(j, JOB_RUN, true, true);
}

void job_free(struct job *j)
{
	if (!j)
		return;
	command(j, JOB_EXIT, false, false);
	thread_join(&j->thread);
	mem_free(j->name);
	mem_free(j->text);
	mem_free(j->stored);
	arena_release(&j->schemas);
	arena_release(&j->scratch);
	buf_release(&j->explain);
	job_graph_free(j);
	wake_release(&j->held);
	lock_release(&j->lock);
	close(j->interrupt_fd);
	mem_free(j);
}

const char *job_name(const struct job *j)
{
	return j->name;
}

struct view job_text(const struct job *j)
{
	return view_of(j->text, j->text_len);
}

void job_status(struct job *j, struct job_status *ret)
{
	lock_take(&j->lock);
	*ret = j->status;
	lock_drop(&j->lock);
}

int job_explain(struct job *j, struct buf *into, struct err *err)
{
	int rc = 0;

	lock_take(&j->lock);
	if (j->explain.len)
		buf_putv(into, buf_view(&j->explain));
	else if (j->status.error.code) {
		*err = j->status.error;
		rc = -1;
	} else {
		rc = err_set(err, ERR_STATE, "job \"%s\" has no plan yet", j->name);
	}
	lock_drop(&j->lock);
	return rc;
}
