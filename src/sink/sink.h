/*
 * Writing a job's results: deletes, upserts and the job's position in one transaction of the target PostgreSQL.
 *
 * The position row (table walmill.job_position in the target) is updated first in every transaction, guarded by what it was: no row, no
 * transaction, so that a second owner of the same job, or a zombie of the first, cannot write. Whoever connects takes that row FOR UPDATE,
 * which waits for a commit that is still in flight, and raises the epoch. As rows and position commit together, the ordinary transaction
 * does not wait for the target's disk (synchronous_commit=off): after a crash of the target both are where they were, and the log has the
 * rest.
 *
 * One thread, the job's. A connection that breaks is reported as ERR_CONNECTION; sink_connect() then says what the target really has.
 */
#ifndef WALMILL_SINK_SINK_H
#define WALMILL_SINK_SINK_H

#include "flow/flow.h"
#include "model/unit.h"
#include "pg/conn.h"

struct sink;

struct sink_position {
	bool exists;
	char connector[256];
	uint64_t incarnation, system_id;
	lsn_t commit_lsn;          /* everything that committed below or at it is in the tables */
	int64_t clock_us;          /* since 2000-01-01 UTC */
	char definition[65];       /* hash of the job's text */
};

/* Connects, makes walmill.job_position where it is missing, and looks at the targets: each must exist, have the columns, and a key.
 * ERR_INVALID with what is wrong and the statement that mends it. interrupt_fd as for pg_connect. */
int sink_open(const struct pg_params *target, const char *job_name, const struct sql_job *job, int interrupt_fd, struct sink **ret,
	struct err *err) WM_MUST_USE;
void sink_close(struct sink *s);

/* The connector that the target's tables came from at the last write; empty when there was none. For a choice that comes before
 * sink_connect: nothing is taken. */
int sink_last_connector(struct sink *s, char ret[256], struct err *err) WM_MUST_USE;

/* The key of each statement's target as columns of its result rows. */
const struct flow_key *sink_keys(const struct sink *s);

/* Takes the job's row, raises the epoch, and tells where the target is; also to be called again after ERR_CONNECTION. */
int sink_connect(struct sink *s, struct sink_position *ret, struct err *err) WM_MUST_USE;

/* Whether the connection still stands, without asking the server: a target that crashed may have lost what was written last, and an owner
 * with nothing to write would not notice. */
int sink_check(struct sink *s, struct err *err) WM_MUST_USE;
/* The same by asking: the position row is as it was left. ERR_CONNECTION, ERR_STATE. */
int sink_confirm(struct sink *s, struct err *err) WM_MUST_USE;

/* For each statement from here on, until the next sink_connect; 60 s before. */
void sink_set_deadline(struct sink *s, int64_t timeout_ms);

/* Rows that stand in the targets: for the first submit. */
int sink_target_rows(struct sink *s, uint32_t statement, uint64_t *ret, struct err *err) WM_MUST_USE;

/*
 * One transaction: what flow_next_change gives for all statements, and the position. `durable` waits for the target's disk. On success the
 * caller calls flow_written. ERR_STATE: the position row is not as it was left, somebody else owns the job.
 */
int sink_write(
	struct sink *s, struct flow *f, const struct sink_position *to, bool durable, uint64_t *ret_rows, struct err *err) WM_MUST_USE;

/*
 * The first writing, and a repair: makes target and results equal, in one transaction that waits for the disk. Rows that are right to the
 * byte stay as they are, whatever is in columns that the INSERT does not name (replace.c); without the right to make temporary tables every
 * row is written anew. *ret_rows: deleted and inserted.
 */
int sink_replace(struct sink *s, struct flow *f, const struct sink_position *to, uint64_t *ret_rows, struct err *err) WM_MUST_USE;

/* For verify: the target table's quoted name, its columns in the order of the result's, and their types. Valid as long as the sink. */
struct sink_target_info {
	struct view table;         /* "schema"."name" */
	const struct view *columns;
	const struct view *types;  /* as format_type() writes them; "" for those that only this server knows */
};
void sink_target(const struct sink *s, uint32_t statement, struct sink_target_info *ret);

/* The same table's name as it is shown to people: schema.name */
void sink_target_name(const struct sink *s, uint32_t statement, char *ret, size_t room);

/* Removes the job's position row. The tables stay. */
int sink_forget(struct sink *s, struct err *err) WM_MUST_USE;

#endif
