/*
 * Checkpoints: the rows that a job has of its source tables, in a file, so that a restart need not fold the log from its beginning. All
 * other state is made again by putting the rows in.
 *
 * The job does not stop for it. Rows are dumped in pieces between steps, so the file is of no one moment, but of a window of units: a row
 * that changed within it may be there as before or after. Folding the window's units once more on top makes it right, as each of them says
 * what becomes of its rows whatever they were; only then is the state one that may be compared and written.
 *
 * A checkpoint is published once the target has the window's end durably: a target that lost its last commits (they do not wait for its
 * disk) is still at or beyond it, and what it lost is replayed. The log is pinned from the window's beginning on.
 *
 * All on the job's thread; the file is written by its own (ckpt_file.h). What fails is told in the status, and tried again when the next
 * one is due: the job can do without.
 *
 * Header chunk: uvarint version (1), definition, connector (uvarint length and bytes each); u64 incarnation, system id, first unit, LSNs
 * folded, passed and skipped below at its beginning, i64 source time; uvarint tables, for each: u32 oid, uvarint columns, for each: u16
 * attribute number, u32 type, u32 typmod. Rows chunk: uvarint table, uvarint length and stored row each; of rows with one key the last one
 * counts. End: u64 unit behind the window, LSN folded at its end, rows, 0.
 */
#include <unistd.h>

#include "base/text.h"
#include "job/job_int.h"

enum {
	VERSION = 1, CHUNK_BYTES = 256 << 10, PIECE_ROWS = 256, TURN_US = 1500, LAST_WAIT_US = 10000000, LAST_TARGET_MS = 5000,
	REST = 19,                /* so many times as long as the last one took: a twentieth of the time at most */
	IDLE_UNITS = 100000,      /* units of others that are passed over before the log is let go */
};

static int64_t now(const struct job *j)
{
	return io_monotonic_us(j->env->io);
}

static void put_path(const struct job *j, struct buf *b)
{
	buf_printf(b, "%s/", j->env->checkpoint_dir);
	text_put_file_name(b, j->name);
	buf_puts(b, ".ckpt");
}

/* ---- what the rows belong to ---- */

/* What must be the same for the rows to be the plan's. */
static void put_identity(const struct job *j, struct buf *b)
{
	uint32_t i, k;

	buf_uvarint(b, VERSION);
	buf_bytes(b, view_str(j->definition));
	buf_bytes(b, view_str(j->connector));
	buf_le64(b, j->incarnation);
	buf_le64(b, j->system_id);
	buf_uvarint(b, j->plan->ntables);
	for (i = 0; i < j->plan->ntables; i++) {
		const struct sql_table *t = &j->plan->tables[i];

		buf_le32(b, t->oid);
		buf_uvarint(b, t->ncolumns);
		for (k = 0; k < t->ncolumns; k++) {
			buf_le16(b, (uint16_t)t->columns[k].attnum);
			buf_le32(b, t->columns[k].type.oid);
			buf_le32(b, (uint32_t)t->columns[k].type.typmod);
		}
	}
}

static void put_header(const struct job *j, struct buf *b)
{
	put_identity(j, b);
	buf_le64(b, j->next_unit);
	buf_le64(b, j->folded_lsn);
	buf_le64(b, j->passed_lsn);
	buf_le64(b, j->skip_below);
	buf_le64(b, (uint64_t)j->source_us);
}

/* ---- making one ---- */

static void failed(struct job *j, const struct err *why)
{
	checkpoint_abandon(j);
	lock_take(&j->lock);
	j->status.checkpoint.failed++;
	j->status.checkpoint.error = *why;
	lock_drop(&j->lock);
}

static bool is_due(const struct job *j)
{
	const struct checkpoint *c = &j->checkpoint;

	return j->env->checkpoint_dir && now(j) >= c->due_us &&
		(j->changes != c->changes_at_last || j->units - c->units_at_last >= IDLE_UNITS);
}

/* State that the target has, or will have: not within a snapshot, not while values make the SQL fail. */
static bool may_begin(const struct job *j)
{
	return j->ready && !j->in_snapshot && !j->first_write_replaces && !flow_failed(j->flow, NULL);
}

static void begin(struct job *j)
{
	struct checkpoint *c = &j->checkpoint;
	struct buf path = BUF_INIT(1 << 16);

	put_path(j, &path);
	*c = (struct checkpoint){.phase = CHECKPOINT_ROWS,
		.chunk = BUF_INIT(CKPT_CHUNK_MAX),
		.added = BUF_INIT(CKPT_CHUNK_MAX / 2),
		.begin_unit = j->next_unit,
		.incarnation = j->incarnation,
		.begun_us = now(j),
		.due_us = now(j) + j->env->checkpoint_interval_us,
		.units_at_last = j->units,
		.changes_at_last = j->changes};
	c->writer = ckpt_writer_new(j->env->io, buf_cstr(&path), log_wake(j->env->log));
	put_header(j, &c->chunk);
	buf_release(&path);
}

static void put_row(void *arg, struct view stored)
{
	struct checkpoint *c = arg;

	buf_uvarint(&c->chunk, c->table);
	buf_bytes(&c->chunk, stored);
	c->rows++;
}

void checkpoint_add(struct job *j, uint32_t table, struct view stored)
{
	struct checkpoint *c = &j->checkpoint;

	if (c->phase != CHECKPOINT_ROWS)
		return;
	buf_uvarint(&c->added, table);
	buf_bytes(&c->added, stored);
	c->rows++;
}

/* The next chunk of rows, or the end chunk. */
static void fill_chunk(struct job *j)
{
	struct checkpoint *c = &j->checkpoint;

	/* in front of the dump's: what that meets later is newer */
	buf_putv(&c->chunk, buf_view(&c->added));
	buf_clear(&c->added);
	while (c->table < j->plan->ntables && c->chunk.len < CHUNK_BYTES) {
		if (flow_dump(j->flow, c->table, &c->from, PIECE_ROWS, put_row, c))
			continue;
		c->table++;
		c->from = 0;
	}
	if (c->chunk.len)
		return;
	c->end_unit = j->next_unit;
	c->end_lsn = j->folded_lsn;
	buf_le64(&c->chunk, c->end_unit);
	buf_le64(&c->chunk, c->end_lsn);
	buf_le64(&c->chunk, c->rows);
	buf_le64(&c->chunk, 0);
	c->phase = CHECKPOINT_SYNC;
}

/* While the writer keeps up, for a turn's time. The chunk in hand when it begins is the header. */
static void dump_rows(struct job *j)
{
	struct checkpoint *c = &j->checkpoint;
	int64_t until = now(j) + TURN_US;
	struct err err = ERR_INIT;

	do {
		if (!ckpt_writer_is_free(c->writer, &err))
			return;
		if (err.code) {
			failed(j, &err);
			return;
		}
		if (c->chunk.len == 0)
			fill_chunk(j);
		ckpt_writer_put(c->writer, &c->chunk);
	} while (c->phase == CHECKPOINT_ROWS && now(j) < until);
}

static void published(struct job *j)
{
	struct checkpoint *c = &j->checkpoint;
	struct err err = ERR_INIT;
	struct job_checkpoint done = {.at_us = io_now_us(j->env->io),
		.took_us = now(j) - c->begun_us,
		.rows = c->rows,
		.bytes = ckpt_writer_bytes(c->writer),
		.unit = c->begin_unit};

	/* the old checkpoint is gone with the rename, and with it the need for the log before this one */
	if (log_pin_set(j->env->log, j->name, c->begin_unit, &err))
		done.error = err;
	lock_take(&j->lock);
	done.failed = j->status.checkpoint.failed;
	j->status.checkpoint = done;
	j->status.counts.checkpoints++;
	job_note_checkpoint(j, &done);
	lock_drop(&j->lock);
	if (done.took_us * REST > j->env->checkpoint_interval_us)
		c->due_us = now(j) + done.took_us * REST;
	checkpoint_abandon(j);
}

/* What waits for the writer or the target. */
static int go_on(struct job *j, struct err *err)
{
	struct checkpoint *c = &j->checkpoint;
	struct err why = ERR_INIT;

	if (!ckpt_writer_is_free(c->writer, &why))
		return 0;
	if (why.code) {
		failed(j, &why);
		return 0;
	}
	switch (c->phase) {
	case CHECKPOINT_SYNC:
		ckpt_writer_sync(c->writer);
		c->phase = CHECKPOINT_TARGET;
		break;
	case CHECKPOINT_TARGET:
		/* results that cannot be written keep the target where it is; the file waits */
		if (flow_failed(j->flow, NULL) || j->in_snapshot)
			break;
		/* the target's position at or beyond the window's end, and on its disk; what there is to write goes with it */
		if (job_write_results(j, true, err))
			return -1;
		ckpt_writer_publish(c->writer);
		c->phase = CHECKPOINT_PUBLISH;
		break;
	case CHECKPOINT_PUBLISH:
		published(j);
		break;
	case CHECKPOINT_NONE:
	case CHECKPOINT_ROWS:
		break;
	}
	return 0;
}

int checkpoint_turn(struct job *j, bool *ret_more, struct err *err)
{
	struct checkpoint *c = &j->checkpoint;

	if (c->phase == CHECKPOINT_NONE) {
		if (!is_due(j) || !may_begin(j))
			return 0;
		begin(j);
	}
	/* a new snapshot or incarnation is another story: what was dumped is not of it. More added than fits: a better moment will come */
	if (c->phase == CHECKPOINT_ROWS &&
		(j->in_snapshot || j->incarnation != c->incarnation || j->first_write_replaces || !buf_ok(&c->added))) {
		checkpoint_abandon(j);
		return 0;
	}
	if (c->phase == CHECKPOINT_ROWS) {
		struct err ignored = ERR_INIT;

		dump_rows(j);
		/* the writer's wake-up ends the wait when it is busy */
		if (c->phase == CHECKPOINT_ROWS && ckpt_writer_is_free(c->writer, &ignored))
			*ret_more = true;
		return 0;
	}
	return go_on(j, err);
}

void checkpoint_last(struct job *j)
{
	int64_t until = now(j) + LAST_WAIT_US;
	struct err err = ERR_INIT;
	uint64_t drained;

	if (j->checkpoint.phase == CHECKPOINT_NONE) {
		if (!j->env->checkpoint_dir || j->changes == j->checkpoint.changes_at_last || !may_begin(j))
			return;
		begin(j);
	}
	/* the command to leave interrupts what waits for the target; it has done its work, and the target gets a last moment */
	while (read(j->interrupt_fd, &drained, sizeof(drained)) > 0)
		;
	sink_set_deadline(j->sink, LAST_TARGET_MS);
	while (j->checkpoint.phase != CHECKPOINT_NONE && now(j) < until) {
		uint64_t seen = wake_seen(log_wake(j->env->log));
		bool more = false;

		if (checkpoint_turn(j, &more, &err)) {
			failed(j, &err);
			return;
		}
		if (!more && j->checkpoint.phase != CHECKPOINT_NONE)
			wake_wait(log_wake(j->env->log), seen, 100000);
	}
}

void checkpoint_abandon(struct job *j)
{
	struct checkpoint *c = &j->checkpoint;

	if (c->phase == CHECKPOINT_NONE)
		return;
	ckpt_writer_close(c->writer);
	c->writer = NULL;
	buf_release(&c->chunk);
	buf_release(&c->added);
	c->phase = CHECKPOINT_NONE;
}

static void unlink_file(struct job *j)
{
	struct buf path = BUF_INIT(1 << 16);
	struct err ignored = ERR_INIT;

	put_path(j, &path);
	if (io_unlink(j->env->io, buf_cstr(&path), &ignored))
		err_clear(&ignored);
	buf_release(&path);
}

void checkpoint_forget(struct job *j)
{
	struct err ignored = ERR_INIT;

	if (j->env->checkpoint_dir)
		unlink_file(j);
	if (log_pin_clear(j->env->log, j->name, &ignored))
		err_clear(&ignored);
}

/* ---- loading ---- */

struct loading {
	struct job *j;
	uint64_t rows;
};

static int load_chunk(void *arg, struct view chunk, struct err *err)
{
	struct loading *l = arg;
	struct reader r = reader_of(chunk);

	while (!r.bad && r.ptr < r.end) {
		uint64_t table = reader_uvarint(&r);
		struct view stored = reader_bytes(&r);

		if (r.bad || table >= l->j->plan->ntables)
			break;
		if (flow_restore(l->j->flow, (uint32_t)table, stored, err))
			return -1;
		l->rows++;
	}
	if (!r.bad && r.ptr < r.end)
		return err_set(err, ERR_CORRUPT, "a chunk of a checkpoint names a table that the job has not got");
	return r.bad ? err_set(err, ERR_CORRUPT, "a chunk of a checkpoint ends within a row") : 0;
}

/* What follows the identity in the header, into the job; false when it does not fit what the log and the target have. */
static bool take_header(struct job *j, struct reader *r, const uint8_t end[CKPT_END], uint64_t *ret_seq)
{
	uint64_t begin_unit = reader_le64(r), first, last;
	lsn_t folded = reader_le64(r), passed = reader_le64(r), skip_below = reader_le64(r);
	int64_t source_us = (int64_t)reader_le64(r);

	log_unit_span(j->env->log, &first, &last);
	if (!reader_done(r) || begin_unit < first || begin_unit > last + 1 || get_le64(end + 8) > j->target.commit_lsn)
		return false;
	j->folded_lsn = folded;
	j->passed_lsn = passed;
	j->skip_below = skip_below;
	j->source_us = source_us;
	j->window_end = get_le64(end);
	*ret_seq = begin_unit;
	return true;
}

static int load_file(struct job *j, const char *path, uint64_t *ret_seq, struct err *err)
{
	struct buf header = BUF_INIT(CKPT_CHUNK_MAX), identity = BUF_INIT(CKPT_CHUNK_MAX);
	struct loading l = {.j = j};
	uint8_t end[CKPT_END];
	struct reader r;
	int rc = -1;

	if (ckpt_read_ends(j->env->io, path, &header, end, err))
		goto out;
	put_identity(j, &identity);
	rc = 1;
	r = reader_of(buf_view(&header));
	if (!view_eq(reader_view(&r, identity.len), buf_view(&identity)) || !take_header(j, &r, end, ret_seq))
		goto out;
	rc = ckpt_read_chunks(j->env->io, path, load_chunk, &l, err);
	if (rc == 0 && l.rows != get_le64(end + 16))
		rc = err_set(err, ERR_CORRUPT, "checkpoint \"%s\" has %llu rows, its end says %llu", path, (unsigned long long)l.rows,
			(unsigned long long)get_le64(end + 16));
out:
	buf_release(&header);
	buf_release(&identity);
	return rc;
}

int checkpoint_load(struct job *j, uint64_t *ret_seq, struct err *err)
{
	struct buf path = BUF_INIT(1 << 16);
	int rc = 1;

	if (!j->env->checkpoint_dir)
		goto out;
	put_path(j, &path);
	rc = load_file(j, buf_cstr(&path), ret_seq, err);
	if (rc < 0 && err->code == ERR_NOT_FOUND) {
		err_clear(err);
		rc = 1;
	} else if (rc < 0) {
		/* part of it may be in the flow: the next session begins without it */
		unlink_file(j);
		err->retriable = true;
	}
	if (rc == 0) {
		j->checkpoint.units_at_last = j->units;
		j->checkpoint.changes_at_last = j->changes;
		j->checkpoint.due_us = now(j) + j->env->checkpoint_interval_us;
	}
out:
	buf_release(&path);
	return rc;
}
