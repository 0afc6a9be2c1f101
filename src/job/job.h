/*
 * Jobs: SQL text, kept equal to its tables. One thread each, from planning to following the log.
 *
 * A job reads the topics of one connector, unit by unit, folds them into its flow, and lets its sink write what changed together with the
 * position. It starts from the connector's snapshot in the log where that and every unit since is there and readable, else from the
 * source's tables at a cut (backfill); while it catches up it writes nothing.
 *
 * States: CREATED, INITIALIZING (planning, catching up), RUNNING, DEGRADED (a value makes the SQL fail: tables stay at the last good
 * position), FAILED (stops until somebody acts), PAUSED, CANCELED. Errors that may pass by themselves (a connection lost) are retried with
 * back-off.
 *
 * All functions may be called from any thread; those that steer return at once.
 */
#ifndef WALMILL_JOB_JOB_H
#define WALMILL_JOB_JOB_H

#include "base/io.h"
#include "base/thread.h"
#include "base/tz.h"
#include "log/log.h"
#include "model/unit.h"
#include "pg/conn.h"

struct job;

enum job_state { JOB_CREATED, JOB_INITIALIZING, JOB_RUNNING, JOB_DEGRADED, JOB_FAILED, JOB_PAUSED, JOB_CANCELED };

const char *job_state_name(enum job_state s);

struct flow;
struct sink;
struct sql_job;

/* What a job has just committed to its target. Valid during the call. */
struct job_written {
	const char *job;
	const struct sql_job *plan;
	struct flow *flow;                /* flow_next_change gives the rows */
	const struct sink *sink;          /* sink_target names the tables and columns */
	/* the changes do not say what became of each row: the tables were made right as a whole, or something was committed before of which
	 * nobody heard */
	bool replaced;
	lsn_t commit_lsn;                 /* the position that was committed with it */
	int64_t clock_us;                 /* the same; since 2000-01-01 */
	int64_t source_us;                /* source commit time of the newest transaction; 0 = none, since 1970 */
};

/* Who looks on: called on jobs' threads after each commit of the target, before it is forgotten what changed. Must not wait. */
struct job_tap {
	bool (*wanted)(void *arg);        /* asked first; cheap */
	void (*written)(void *arg, const struct job_written *w);
	void *arg;
};

/* What a job needs to know of the world. Outlives all jobs. */
struct job_env {
	struct io *io;
	struct log *log;
	struct tz_cache *zones;
	struct pg_params target;
	const char *timezone;             /* job.timezone */
	size_t memory_max;                /* job.memory */
	const char *checkpoint_dir;       /* must exist; NULL = jobs keep no checkpoints */
	int64_t checkpoint_interval_us;
	struct wake *outside;             /* signalled on changes; may be NULL */
	const struct job_tap *tap;        /* or NULL */
	struct metrics *metrics;          /* where jobs count what they take; or NULL */
	/*
	 * Which connector captures a table: its name (into a buffer of 256) and how to reach its source (to be released). ERR_NOT_FOUND with
	 * the command that would capture it. `want` is the name from SET connector, or NULL.
	 */
	int (*connector_of)(
		void *arg, const char *schema, const char *table, const char *want, char *ret_name, struct pg_params *ret_source, struct err *err);
	/* Any connector's source, for planning before the tables are known; want as above. */
	int (*any_source)(void *arg, const char *want, struct pg_params *ret_source, struct err *err);
	void *arg;
};

struct job_options {
	bool replace;     /* rows that stand in the targets may be replaced */
};

/* `text` is copied. The thread starts at once. */
struct job *job_new(const struct job_env *env, const char *name, struct view text, const struct job_options *opts);
void job_free(struct job *j);       /* stops the thread; the tables and the position stay */

void job_pause(struct job *j);
void job_resume(struct job *j);     /* out of PAUSED or FAILED */
void job_cancel(struct job *j);     /* ends it and removes its position; the tables stay */
void job_repair(struct job *j);     /* state from the source's tables anew, then target and result made equal in one transaction */

struct job_counts {
	uint64_t units, records, rows_written, writes, checkpoints, ticks;
	uint64_t replaces;         /* of the writes, those that made the tables equal as a whole */
};

/* The newest checkpoint, and what became of the last try. */
struct job_checkpoint {
	uint64_t failed;           /* so many tries since the job started */
	int64_t at_us;             /* when it was published, since 1970; 0 = none since the job started */
	int64_t took_us;
	uint64_t rows, bytes, unit;  /* unit: the log is needed from here on */
	struct err error;          /* of the last try */
};

struct job_status {
	enum job_state state;
	char from[16];             /* where this session began: "checkpoint", "log" (the connector's snapshot in it), "tables"; "" = not yet */
	bool kept;                 /* the target's tables are the job's own, right as of an earlier position at least */
	char step[32];             /* "planning", "reading the log", "backfill", "following" */
	char connector[256];
	lsn_t position;            /* commit LSN up to which the tables are right */
	int64_t clock_us;          /* and the clock, since 2000-01-01 */
	uint64_t next_unit;        /* first unit of the log that was not folded yet */
	int64_t source_us;         /* source commit time of the newest transaction that is in the tables; 0 = none, since 1970 */
	int64_t lag_us;            /* from that commit to its being written, of the newest write */
	int64_t started_us;        /* wall clock, since 1970 */
	size_t state_bytes;
	uint64_t source_rows, result_rows;
	struct job_counts counts;
	struct job_checkpoint checkpoint;
	struct err error;
};

const char *job_name(const struct job *j);
struct view job_text(const struct job *j);
void job_status(struct job *j, struct job_status *ret);

/* The plan in words, with what is worth knowing; ERR_STATE before there is one. */
int job_explain(struct job *j, struct buf *into, struct err *err) WM_MUST_USE;

/* What runs: the tables it reads, the operators of its statements, its targets; inputs before their users. */
enum job_vertex_kind { JOB_SOURCE, JOB_OPERATOR, JOB_SINK };

struct job_vertex {
	char id[33];               /* 32 hex digits, the same for the same job and text */
	enum job_vertex_kind kind;
	const char *name;          /* "Source: public.t", "Aggregate", "Sink: analytics.t" */
	const char *description;   /* as job_explain says it */
	uint32_t ninputs;
	const uint32_t *inputs;    /* indexes in the list */
	uint64_t rows_in, rows_out, state_rows;  /* since the session began; see flow_op_stats */
	size_t state_bytes;
	double in_per_s, out_per_s;              /* over the last second or two, as long as somebody looks */
};

/* fn gets all of them, under the job's lock: it must not ask the job anything. n = 0 before the first plan; after the job has stopped they
 * stay as they were. */
void job_graph(struct job *j, void (*fn)(void *arg, const struct job_vertex *v, uint32_t n), void *arg);

enum { JOB_STATES = 7, JOB_FAILURES = 16, JOB_CHECKPOINTS = 10 };

/* What became of the job since it was started here. */
struct job_history {
	int64_t entered_us[JOB_STATES];   /* when it last came into each state, since 1970; 0 = never */
	struct job_failure {
		int64_t at_us;
		struct err err;
	} failures[JOB_FAILURES];         /* newest first; the same one again only moves its time */
	unsigned nfailures;
	struct job_checkpoint checkpoints[JOB_CHECKPOINTS];   /* newest first; the newest is number counts.checkpoints */
	unsigned ncheckpoints;
};
void job_history(struct job *j, struct job_history *ret);

/*
 * Verify: holds the job at a cut and compares target and query there. Lines of differences go to `into`. *ret_equal says what came out; an
 * error means that nothing could be compared. Blocks up to the deadline.
 */
enum { JOB_VERDICT_TABLES = 32 };

struct job_verdict {
	bool equal;
	lsn_t cut;
	uint64_t rows;
	uint64_t differences;      /* lines: a row that is there but different has two */
	uint64_t rows_differed;    /* by key */
	int64_t held_us;
	struct job_verdict_table {
		char name[136];            /* schema.name */
		uint64_t rows, differed;   /* by key */
	} tables[JOB_VERDICT_TABLES];  /* in the order of the statements; what is beyond is in the sums only */
	uint32_t ntables;
};
int job_verify(struct job *j, struct job_verdict *ret, struct buf *into, struct err *err) WM_MUST_USE;

#endif
