/*
 * Where a job starts: the target's position taken over, then a state from which the log goes on.
 *
 * In this order: the checkpoint, when the target is at or beyond it; the connector's snapshot in the log, when every unit since is there;
 * the source's tables (backfill). The first two replay up to the target's position before anything is written, the last makes the target
 * equal in one write.
 */
#include <stdio.h>

#include "base/mem.h"
#include "job/job_int.h"
#include "stream/log_out.h"

enum { IDLE_US = 1000000, AHEAD_US = 30000000 };

static int take_over_position(struct job *j, struct err *err)
{
	uint64_t rows;
	uint32_t i;

	if (sink_connect(j->sink, &j->target, err))
		return -1;
	/* the position is ours now, so whatever was under way with it has been committed or never will be */
	if (j->untold)
		job_tell_tap(j, &j->target);
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

/* The log from `seq` on is what the state needs next; a pin that is further on already stays there. */
static int keep_log(struct job *j, uint64_t seq, struct err *err)
{
	uint64_t pinned;

	if (log_pin_get(j->env->log, j->name, &pinned) && pinned >= seq)
		return 0;
	return log_pin_set(j->env->log, j->name, seq, err);
}

static void began_from(struct job *j, const char *what)
{
	lock_take(&j->lock);
	snprintf(j->status.from, sizeof(j->status.from), "%s", what);
	lock_drop(&j->lock);
}

static int from_log_or_tables(struct job *j, bool repair, uint64_t *ret_seq, struct err *err)
{
	uint64_t first, last;
	int rc;

	job_step(j, "reading the log");
	rc = repair ? 1 : follow_find_start(j, ret_seq, err);
	if (rc == 0)
		began_from(j, "log");
	if (rc <= 0)
		return rc;
	/* the log alone does not say what the tables held: read them. Units logged up to now commit below the cut. */
	job_step(j, "backfill");
	log_unit_span(j->env->log, &first, &last);
	*ret_seq = last + 1;
	if (keep_log(j, *ret_seq, err) || backfill_run(j, err))
		return -1;
	began_from(j, "tables");
	/* tables as of now may be newer than what the target has: they are made equal in one write */
	j->first_write_replaces = true;
	return 0;
}

int job_find_start(struct job *j, bool repair, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct unit_payload p;
	bool resume;
	uint64_t seq;
	int rc = -1;

	if (take_over_position(j, err))
		goto out;
	if (repair)
		j->first_write_replaces = true; /* whatever the target says of itself */
	if (wait_for_connector(j, &p, &a, err) || check_target(j, &p, &a, err) || job_load_schemas(j, err))
		goto out;
	j->incarnation = p.incarnation;
	j->system_id = p.system_id;
	j->folded_lsn = j->passed_lsn = j->skip_below = 0;
	j->in_snapshot = j->pending = false;
	j->window_end = 0;
	/* replay is at the target's clock, so that what stands there is what the flow has when it gets to its position */
	if (j->target.exists && j->target.clock_us > j->clock)
		j->clock = j->target.clock_us;
	resume = j->target.exists && !j->first_write_replaces;
	if (flow_step_begin(j->flow, resume ? j->clock : job_clock(j), err))
		goto out;
	lock_take(&j->lock);
	j->status.kept = resume;
	lock_drop(&j->lock);
	job_step(j, "reading the checkpoint");
	rc = resume ? checkpoint_load(j, &seq, err) : 1;
	if (rc == 0)
		began_from(j, "checkpoint");
	if (rc > 0)
		rc = from_log_or_tables(j, repair, &seq, err);
	if (rc || (rc = keep_log(j, seq, err)) != 0)
		goto out;
	j->cursor = log_cursor_open(j->env->log, seq);
	j->next_unit = seq;
out:
	arena_release(&a);
	return rc;
}
