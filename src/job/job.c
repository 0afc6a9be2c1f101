/* A job's thread and its life cycle; see job.h. */
#include "job/job.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "base/mem.h"
#include "job/job_int.h"
#include "stream/log_out.h"

enum {
	BACKOFF_FIRST_US = 100000, BACKOFF_MOST_US = 10000000,
	STEP_US = 20000, STEP_MOST_US = 320000, /* how long is folded before results are rendered, when there is more to fold */
	STEP_LOOK = 16,                         /* units between two looks at the clock */
	IDLE_US = 1000000, AHEAD_US = 30000000,
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
	j->status.state = state;
	if (why)
		j->status.error = *why;
	else
		err_clear(&j->status.error);
	lock_drop(&j->lock);
	if (moved)
		changed(j);
}

static int64_t clock_now(struct job *j)
{
	int64_t now = io_now_us(j->env->io) - POSTGRES_EPOCH_US;

	/* results never go back in time: a clock that was set back is waited for */
	if (now > j->clock)
		j->clock = now;
	return j->clock;
}

/* ---- starting ---- */

static int take_over_position(struct job *j, struct err *err)
{
	uint64_t rows;
	uint32_t i;

	if (sink_connect(j->sink, &j->target, err))
		return -1;
	if (j->target.exists || j->options.replace) {
		j->first_write_replaces = !j->target.exists || strcmp(j->target.definition, j->definition) != 0 ||
			strcmp(j->target.connector, j->connector) != 0;
		return 0;
	}
	for (i = 0; i < j->plan->nstatements; i++) {
		const struct sql_statement *st = &j->plan->statements[i];

		if (sink_target_rows(j->sink, i, &rows, err))
			return -1;
		if (rows) {
			err_set(err, ERR_EXISTS, "target table \"%s.%s\" has %llu rows already", st->target_schema ? st->target_schema : "public",
				st->target_table, (unsigned long long)rows);
			return err_hint(err, "Empty it, or submit the job with --replace: then table and result are made equal in one transaction.");
		}
	}
	j->first_write_replaces = true;
	return 0;
}

/* The connector must have got as far as its first position before the log can be read. */
static int connector_position(struct job *j, struct unit_payload *ret, struct arena *a, bool *ret_found, struct err *err)
{
	struct buf b = BUF_INIT((size_t)1 << 30);
	uint64_t seq;
	int rc = -1;

	*ret_found = false;
	if (log_out_position(j->env->log, view_str(j->connector), &b, &seq, err))
		goto out;
	if (b.len) {
		if (unit_payload_load(arena_view(a, buf_view(&b)), a, ret, err))
			goto out;
		*ret_found = true;
	}
	rc = 0;
out:
	buf_release(&b);
	return rc;
}

static int wait_for_connector(struct job *j, struct unit_payload *ret, struct arena *a, struct err *err)
{
	struct wake *wake = log_wake(j->env->log);
	bool found;

	for (;;) {
		uint64_t seen = wake_seen(wake);

		if (job_must_leave(j))
			return err_set(err, ERR_CANCELED, "asked to stop");
		if (connector_position(j, ret, a, &found, err))
			return -1;
		if (found)
			return 0;
		job_step(j, "waiting for the snapshot");
		wake_wait(wake, seen, IDLE_US);
	}
}

/*
 * The target may be ahead of the log for a moment: a backfill's cut is newer than what the connector had logged, and then walmill was
 * stopped. When it stays so, somebody restored the log, or the target belongs to another.
 */
static int check_target(struct job *j, struct unit_payload *p, struct arena *a, struct err *err)
{
	int64_t deadline = io_monotonic_us(j->env->io) + AHEAD_US;
	struct wake *wake = log_wake(j->env->log);

	if (!j->target.exists || j->first_write_replaces)
		return 0;
	if (j->target.system_id != p->system_id || j->target.incarnation != p->incarnation) {
		j->first_write_replaces = true;
		return 0;
	}
	while (j->target.commit_lsn > p->end_lsn && io_monotonic_us(j->env->io) < deadline) {
		uint64_t seen = wake_seen(wake);
		bool found;

		if (job_must_leave(j))
			return err_set(err, ERR_CANCELED, "asked to stop");
		if (connector_position(j, p, a, &found, err))
			return -1;
		if (p->end_lsn >= j->target.commit_lsn)
			break;
		job_step(j, "waiting for the log");
		wake_wait(wake, seen, IDLE_US);
	}
	if (j->target.commit_lsn > p->end_lsn) {
		err_set(err, ERR_LOST, "the target's tables are at " LSN_FORMAT ", ahead of the log, which ends at " LSN_FORMAT,
			LSN_ARGS(j->target.commit_lsn), LSN_ARGS(p->end_lsn));
		return err_hint(
			err, "The log was restored from an older state. Run walmill job repair %s to build the tables anew from the source.", j->name);
	}
	return 0;
}

static int initial_state(struct job *j, bool repair, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct unit_payload p;
	uint64_t first, last, seq;
	int rc = -1;

	if (repair)
		j->first_write_replaces = true; /* whatever the target says of itself */
	if (wait_for_connector(j, &p, &a, err) || check_target(j, &p, &a, err) || job_load_schemas(j, err))
		goto out;
	j->incarnation = p.incarnation;
	j->system_id = p.system_id;
	j->folded_lsn = j->passed_lsn = j->skip_below = 0;
	j->in_snapshot = j->pending = false;
	/* replay is at the target's clock, so that what stands there is what the flow has when it gets to its position */
	if (j->target.exists && j->target.clock_us > j->clock)
		j->clock = j->target.clock_us;
	if (flow_step_begin(j->flow, j->target.exists && !j->first_write_replaces ? j->clock : clock_now(j), err))
		goto out;
	job_step(j, "reading the log");
	rc = repair ? 1 : follow_find_start(j, &seq, err);
	if (rc < 0)
		goto out;
	if (rc > 0) {
		/* the log alone does not say what the tables held: read them. Units logged up to now commit below the cut. */
		job_step(j, "backfill");
		log_unit_span(j->env->log, &first, &last);
		seq = last + 1;
		rc = backfill_run(j, err);
		/* tables as of now may be newer than what the target has: they are made equal in one write */
		j->first_write_replaces = true;
	}
	if (rc == 0)
		j->cursor = log_cursor_open(j->env->log, seq);
out:
	arena_release(&a);
	return rc;
}

/* ---- following ---- */

static int write_results(struct job *j, struct err *err)
{
	struct sink_position to = {
		.exists = true, .incarnation = j->incarnation, .system_id = j->system_id, .commit_lsn = j->folded_lsn, .clock_us = j->clock};
	uint64_t rows;

	snprintf(to.connector, sizeof(to.connector), "%s", j->connector);
	snprintf(to.definition, sizeof(to.definition), "%s", j->definition);
	if (j->first_write_replaces ? sink_replace(j->sink, j->flow, &to, &rows, err) : sink_write(j->sink, j->flow, &to, false, &rows, err))
		return -1;
	flow_written(j->flow);
	j->first_write_replaces = false;
	lock_take(&j->lock);
	j->status.counts.rows_written += rows;
	j->status.counts.writes++;
	if (j->source_us && rows)
		j->status.lag_us = io_now_us(j->env->io) - j->source_us;
	lock_drop(&j->lock);
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
	if ((j->first_write_replaces || flow_change_count(j->flow)) && write_results(j, err))
		return -1;
	job_set_state(j, JOB_RUNNING, NULL);
	return 0;
}

static void publish_status(struct job *j, uint64_t next)
{
	struct flow_stats st;

	flow_stats(j->flow, &st);
	lock_take(&j->lock);
	j->status.position = j->folded_lsn;
	j->status.clock_us = j->clock;
	j->status.next_unit = next;
	j->status.source_us = j->source_us;
	j->status.state_bytes = st.bytes;
	j->status.source_rows = st.source_rows;
	j->status.result_rows = st.result_rows;
	j->status.counts.ticks = st.ticks;
	j->status.counts.units = j->units;
	j->status.counts.records = j->records;
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

int follow_some(struct job *j, lsn_t limit, uint64_t *ret_next, bool *ret_more, struct err *err)
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
		*ret_next = j->pending_unit.seq + 1;
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
	uint64_t next = j->status.next_unit;
	bool replaying = !j->ready && j->target.exists && !j->first_write_replaces;
	int rc;

	/* a replay stays at the target's clock until it is where the target is */
	if (!replaying && flow_step_begin(j->flow, clock_now(j), err))
		return -1;
	/* and folds nothing that the target does not have: its position need not be that of a unit, a backfill's cut lies between two */
	rc = follow_some(j, replaying ? j->target.commit_lsn + 1 : 0, &next, ret_more, err);
	if (rc) {
		struct err ignored = ERR_INIT;

		/* what was folded before the unit that cannot be is right: let the tables have it */
		if (!err->retriable && finish_step(j, &ignored))
			err_clear(&ignored);
		return rc;
	}
	if (finish_step(j, err))
		return -1;
	publish_status(j, next);
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
		if (hold_serve(j, err) || round_once(j, &more, err))
			return -1;
		if (more)
			continue;
		tick = flow_next_tick(j->flow);
		wait = tick == TZ_NEVER ? IDLE_US : tick - j->clock;
		wake_wait(wake, seen, wait < 0 ? 0 : wait > IDLE_US ? IDLE_US : wait);
	}
}

static int session(struct job *j, bool repair, struct err *err)
{
	int rc;

	j->ready = false;
	j->first_write_replaces = false;
	job_set_state(j, JOB_INITIALIZING, NULL);
	job_step(j, "planning");
	rc = job_make_plan(j, err);
	if (rc == 0)
		rc = take_over_position(j, err);
	if (rc == 0)
		rc = initial_state(j, repair, err);
	if (rc == 0)
		rc = follow(j, err);
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
	if (log_pin_clear(j->env->log, j->name, &err))
		err_clear(&err);
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
	j->interrupt_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	wm_assert(j->interrupt_fd >= 0);
	lock_init(&j->lock);
	wake_init(&j->held);
	j->explain = BUF_INIT(16 << 20);
	j->schemas = j->scratch = ARENA_INIT;
	j->status.state = JOB_CREATED;
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
