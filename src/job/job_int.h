/* The inside of a job, shared by job.c (thread, life cycle), plan.c (from text to plan), start.c (where it begins), follow.c (units into
 * the flow), backfill.c, checkpoint.c, verify.c. */
#ifndef WALMILL_JOB_JOB_INT_H
#define WALMILL_JOB_JOB_INT_H

#include "flow/flow.h"
#include "job/ckpt_file.h"
#include "job/job.h"
#include "model/schema.h"
#include "sink/sink.h"
#include "sql/sql.h"
#include "stream/row.h"

#define POSTGRES_EPOCH_US INT64_C(946684800000000)   /* from 1970-01-01 to 2000-01-01 */

enum job_command { JOB_RUN, JOB_PAUSE, JOB_CANCEL, JOB_EXIT };

/* How a table's rows of one schema version are read. */
struct version_reader {
	uint32_t version;
	struct row_decoder *decoder;
};

struct job_table {
	const struct sql_table *sql;
	int16_t *attnums;
	struct version_reader *readers;
	uint32_t nreaders;
	struct value *row;
	bool *unchanged;
	uint32_t in_unit;          /* records of it in the unit that is being folded */
};

/* How far a request to stand still has got; moved on in turns by job_verify (V) and the job's thread (J). */
enum hold_phase {
	HOLD_NONE,
	HOLD_WANTED,    /* V asks */
	HOLD_STILL,     /* J stands between two steps, nothing is being written */
	HOLD_ADVANCE,   /* V knows the cut: go there, and no further */
	HOLD_REACHED,   /* J is there and the target has it */
	HOLD_REFUSED,   /* J could not: see error */
};

struct hold {
	enum hold_phase phase;
	lsn_t cut;
	int64_t clock_us;
	struct err error;
};

/* A checkpoint in the making, and when the next one is due; see checkpoint.c. */
enum checkpoint_phase {
	CHECKPOINT_NONE,
	CHECKPOINT_ROWS,        /* rows go to the writer, between steps */
	CHECKPOINT_SYNC,        /* the file is being synced */
	CHECKPOINT_TARGET,      /* the target must have the position durably */
	CHECKPOINT_PUBLISH,     /* the file is being given its name */
};

struct checkpoint {
	enum checkpoint_phase phase;
	struct ckpt_writer *writer;
	struct buf chunk, added;    /* in the making; rows to go in beside the dump's */
	uint32_t table;         /* whose rows are being dumped, from hash `from` on */
	uint64_t from;
	uint64_t begin_unit, end_unit, rows;
	uint64_t incarnation;
	lsn_t end_lsn;
	int64_t begun_us, due_us;       /* monotonic */
	uint64_t units_at_last, changes_at_last; /* of the job, when the last one began */
};

struct job {
	const struct job_env *env;
	char *name;
	char *text;
	size_t text_len;
	struct job_options options;
	char definition[65];
	struct metric *visible_seconds, *write_seconds; /* NULL without env->metrics */
	struct thread thread;
	int interrupt_fd;

	struct lock lock;          /* guards what follows up to the next blank line */
	enum job_command command;
	bool retry, repair;
	struct job_status status;
	struct hold hold;
	struct wake held;          /* signalled when hold.phase changes */
	struct buf explain;
	struct job_graph *graph;   /* graph.c; NULL before the first plan */
	struct job_history history;

	/* the thread's own */
	struct sql_job *plan;
	struct pg_params source;
	char connector[256];
	struct flow *flow;
	struct sink *sink;
	struct sink_position target;      /* as the sink found it */
	struct job_table *tables;
	struct arena schemas;             /* stored schemas of the connector */
	struct table **stored;
	uint32_t nstored, cap_stored;
	struct log_cursor *cursor;
	struct arena scratch;
	uint64_t incarnation, system_id;
	uint64_t next_unit;               /* of the log: the first one that is not in the flow */
	uint64_t window_end;              /* the checkpoint's rows are those of some unit before this one */
	struct checkpoint checkpoint;
	uint64_t changes;                 /* units that concerned the job */
	uint64_t units, records;          /* folded, all sessions together; status.counts has them after each step */
	lsn_t folded_lsn;                 /* commit LSN of the newest unit in the flow */
	lsn_t passed_lsn;                 /* end LSN of the newest unit seen, progress included */
	lsn_t skip_below;                 /* backfill's cut: transactions that commit below it are in the flow already */
	int64_t source_us;
	int64_t clock;
	int64_t step_us;                  /* how long the next step may fold; grows while there is more than a step holds */
	bool in_snapshot;                 /* parts of a snapshot are folded, its end is not */
	bool torn;                        /* a part of a unit is folded, the rest could not be: nothing may be written */
	bool pending;                     /* the cursor's present unit is still to be folded */
	struct log_unit_info pending_unit;
	bool ready;                       /* the flow has reached a cut: it may write */
	bool first_write_replaces;
	bool untold;                      /* the answer to a COMMIT did not come: the tap has not been told of what it may have written */
};

/* job.c */
bool job_must_leave(struct job *j);
void job_step(struct job *j, const char *step);
void job_set_state(struct job *j, enum job_state state, const struct err *why);
int64_t job_clock(struct job *j);       /* now, or the last one's time while the system's clock is behind it */
void job_publish(struct job *j);        /* what status shows of position and counts */
/* Changed results and the position to the target in one transaction; durable waits for its disk. */
int job_write_results(struct job *j, bool durable, struct err *err);
void job_fill_position(const struct job *j, struct sink_position *ret);
/* To whoever looks on: `to` is committed. */
void job_tell_tap(struct job *j, const struct sink_position *to);

/* graph.c; but for job_graph_free, the job's thread */
void job_graph_make(struct job *j);         /* after the plan */
void job_graph_publish(struct job *j);      /* counters from the flow; the lock is held */
void job_graph_free(struct job *j);
void job_note_state(struct job *j, enum job_state state, const struct err *why);   /* into the history; the lock is held */
void job_note_checkpoint(struct job *j, const struct job_checkpoint *c);           /* likewise */

/* plan.c */
int job_make_plan(struct job *j, struct err *err);
void job_drop_plan(struct job *j);
int job_load_schemas(struct job *j, struct err *err);

/* follow.c */
/* Folds one unit. 0 = nothing of it concerns the job or it is folded; -1 = error, *ret_before is set when the flow still stands before the
 * unit. */
int follow_unit(struct job *j, const struct log_unit_info *info, struct err *err);
/* Finds the snapshot that the log still holds and sets the cursor to its first part; 0 = found, 1 = there is none. */
int follow_find_start(struct job *j, uint64_t *ret_seq, struct err *err);

/* start.c: takes the target's position over and leaves flow and cursor where the log goes on */
int job_find_start(struct job *j, bool repair, struct err *err);

/* checkpoint.c */
/* Between two steps: begins, goes on with or ends a checkpoint, for a millisecond or two. *ret_more is set when it wants another turn at
 * once. */
int checkpoint_turn(struct job *j, bool *ret_more, struct err *err);
/* A row that the dump may miss: see flow_dump. */
void checkpoint_add(struct job *j, uint32_t table, struct view stored);
void checkpoint_last(struct job *j);      /* before the job leaves: one more, if something was folded since the last */
void checkpoint_abandon(struct job *j);   /* takes back what is in the making */
void checkpoint_forget(struct job *j);    /* removes file and pin */
/* 0 = the flow has the checkpoint's rows, units from *ret_seq on are to be folded on top; 1 = there is none that fits. */
int checkpoint_load(struct job *j, uint64_t *ret_seq, struct err *err);

/* backfill.c: the source's tables at a cut into the flow */
int backfill_run(struct job *j, struct err *err);
/* pg_snapshot_lock of the job's tables */
int cut_lock_tables(struct job *j, struct pg_conn *c, struct err *err);

/* Folds what the log has, bounded; units that commit at or above `limit` (0 = none) are left. */
int follow_some(struct job *j, lsn_t limit, bool *ret_more, struct err *err);
int follow_finish(struct job *j, struct err *err);

/* verify.c, on the job's thread, between two steps: serves a request to stand still; returns when it is over. */
int hold_serve(struct job *j, struct err *err);

#endif
