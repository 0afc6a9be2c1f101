/*
 * What runs in this instance: connectors and jobs by name, kept in the data directory, started again at the next start.
 *
 *   DIR/connectors/NAME.json   {"state":"PAUSED","tasks":false,"config":{...},"topics_reset":{...}}: desired state (RUNNING, PAUSED,
 *                              STOPPED), whether one that is PAUSED ran before (missing: it did), configuration, and where each topic
 *                              ended when the list of active topics was emptied (may be missing)
 *   DIR/checkpoints/NAME.ckpt  what the job starts from again (job/checkpoint.c); may be removed while walmill does not run
 *   DIR/jobs/NAME.sql          the job's text; first line "-- walmill: state=RUNNING replace=false id=HEX started=US"
 * (NAME with everything but letters, digits, - and . as _hex). Files are replaced whole, so that a crash leaves the old or the new one.
 *
 * All functions may be called from any thread. Handles that the `_each` functions hand out are valid during the call only.
 */
#ifndef WALMILL_JOB_REGISTRY_H
#define WALMILL_JOB_REGISTRY_H

#include "capture/connector.h"
#include "job/job.h"

struct registry;

struct registry_options {
	struct io *io;
	struct log *log;
	const char *dir;                 /* the data directory; must exist */
	struct pg_params source;         /* what a connector without database.hostname connects to; copied */
	struct pg_params target;         /* copied */
	enum capture_dialect dialect;
	const char *timezone;
	size_t job_memory;
	int64_t checkpoint_interval_us;
	struct wake *wake;               /* signalled on every change; may be NULL */
	const struct job_tap *tap;       /* or NULL; outlives the registry */
	struct metrics *metrics;         /* the same */
};

int registry_open(const struct registry_options *o, struct registry **ret, struct err *err) WM_MUST_USE; /* starts what was running */
void registry_close(struct registry *r); /* stops all threads; desired states stay */

/* ---- connectors ---- */

/* config: the flat JSON object. ERR_EXISTS "Connector NAME already exists". */
int registry_connector_create(
	struct registry *r, struct view name, struct view config, enum connector_state desired, struct err *err) WM_MUST_USE;
/* Replaces the configuration of an existing connector (its position stays), or makes it; *ret_created says which. */
int registry_connector_put(struct registry *r, struct view name, struct view config, bool *ret_created, struct err *err) WM_MUST_USE;
enum registry_command { REGISTRY_RESUME, REGISTRY_PAUSE, REGISTRY_STOP, REGISTRY_RESTART, REGISTRY_DELETE };
int registry_connector_command(
	struct registry *r, struct view name, enum registry_command cmd, struct err *err) WM_MUST_USE; /* ERR_NOT_FOUND */

/* The connector's position (views into the arena); *ret_found false when it has none yet. */
int registry_connector_offset(
	struct registry *r, struct view name, struct arena *a, bool *ret_found, struct unit_payload *ret, struct err *err) WM_MUST_USE;
/* Forgets the position: the next start takes a new snapshot, which replaces what jobs know. ERR_STATE, with Connect's sentence, when the
 * connector is not STOPPED. */
int registry_connector_reset(struct registry *r, struct view name, struct err *err) WM_MUST_USE;
/*
 * Moves the position of a STOPPED connector on to `lsn`: changes that commit in between are left out of its topics. ERR_INVALID when it
 * would go back (what lies between would be published twice) or beyond the server's WAL; ERR_STATE when it is not STOPPED, has no position,
 * or when a job reads what it publishes and would silently be wrong. What a later job reads begins anew, from the tables.
 */
int registry_connector_move(struct registry *r, struct view name, lsn_t lsn, struct err *err) WM_MUST_USE;
/* Topics that it has written to since the last reset, in no order. */
int registry_connector_topics(
	struct registry *r, struct view name, void (*fn)(void *arg, struct view topic), void *arg, struct err *err) WM_MUST_USE;
int registry_connector_topics_reset(struct registry *r, struct view name, struct err *err) WM_MUST_USE;

/* What a configuration is checked with. */
void registry_capture_options(struct registry *r, enum capture_dialect *ret_dialect, const struct pg_params **ret_source);

/* In order of names; return non-zero to stop. */
void registry_connector_each(struct registry *r, int (*fn)(void *arg, struct connector *c), void *arg);
/* Calls fn with that one; false when there is none. */
bool registry_connector_with(struct registry *r, struct view name, void (*fn)(void *arg, struct connector *c), void *arg);

/* ---- jobs ---- */

struct registry_job {
	struct job *job;
	char id[33];                     /* 32 hex digits, as Flink's job ids */
};

/* name: ERR_EXISTS when taken by one that is not CANCELED. ret_id may be NULL. */
int registry_job_submit(struct registry *r, struct view name, struct view text, bool replace, char ret_id[33], struct err *err) WM_MUST_USE;
enum registry_job_command { REGISTRY_JOB_PAUSE, REGISTRY_JOB_RESUME, REGISTRY_JOB_CANCEL, REGISTRY_JOB_REPAIR };
int registry_job_command(struct registry *r, struct view name_or_id, enum registry_job_command cmd, struct err *err) WM_MUST_USE;
void registry_job_each(struct registry *r, int (*fn)(void *arg, const struct registry_job *j), void *arg);
/* fn may block (verify): the job is kept meanwhile. False when there is none. */
bool registry_job_with(struct registry *r, struct view name_or_id, void (*fn)(void *arg, const struct registry_job *j), void *arg);

int64_t registry_checkpoint_interval_us(const struct registry *r);

/* ---- the whole ---- */

/* Each connector and job: what is FAILED or not ready yet about it, as a sentence without its name; "" = ready. fn must not call back. */
void registry_readiness(
	struct registry *r, void (*fn)(void *arg, const char *kind, const char *name, const char *problem), void *arg);
/* True when every running connector's durable LSN is at or above lsn, and every running job has folded it and written. */
bool registry_reached(struct registry *r, lsn_t lsn);

#endif
