/*
 * The demonstration application: its rules, as SQL over the source (interventions, users) and the target (analytics tables).
 *
 * Answers are JSON texts, made by PostgreSQL where they are rows. Connections come from a small pool and are bound to nothing: every call
 * is one transaction. Any thread.
 *
 * Errors: ERR_NOT_FOUND no such row; ERR_EXISTS the reference is taken; ERR_STATE the rules forbid it; ERR_INVALID with the faults filled
 * in where a document is wrong; ERR_UNSUPPORTED the source has no tables public.interventions and public.users; ERR_CONNECTION, ERR_TIMEOUT
 * the server cannot be reached just now; ERR_BUSY every connection is in use.
 */
#ifndef WALMILL_APP_APP_H
#define WALMILL_APP_APP_H

#include "base/arena.h"
#include "base/io.h"
#include "pg/conn.h"

struct app;

struct app_options {
	struct io *io;
	struct pg_params source, target; /* copied */
	const char *timezone; /* whose day "today" is; lives on */
};

struct app *app_new(const struct app_options *o);
void app_free(struct app *a); /* no call is under way; NULL is fine */

/* What is wrong with a document, member by member. */
struct app_fault {
	const char *pointer; /* RFC 6901, "/title" */
	const char *detail;
};
struct app_faults {
	struct arena *arena;
	struct app_fault list[32];
	unsigned n;
};

void app_fault(struct app_faults *f, const char *pointer, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- interventions ---- */

/* As texts of the query; ptr NULL: not given. Numbers and words are checked here. */
struct app_filter {
	struct view query, status, assignment_mode, technician_id, planned_from, planned_to;
	int64_t page, size;
	const struct view *sorts; /* "plannedAt,desc" */
	unsigned nsorts;
};

/* {"content":[...],"page","size","totalElements","totalPages"} */
int app_interventions_list(struct app *a, const struct app_filter *f, struct app_faults *faults, struct buf *into, struct err *err);
int app_intervention_get(struct app *a, int64_t id, struct buf *into, struct err *err);
/* The new row. */
int app_intervention_create(struct app *a, struct view document, struct app_faults *faults, struct buf *into, struct err *err);
/* unless_changed_since: the updatedAt that the caller has seen, or NULL; ERR_LOST when it is another. */
int app_intervention_update(struct app *a, int64_t id, struct view document, const char *unless_changed_since, struct app_faults *faults,
	struct buf *into, struct err *err);
/* SCHEDULED → IN_PROGRESS → COMPLETED → VALIDATED, a step at a time. */
int app_intervention_status(struct app *a, int64_t id, struct view document, struct app_faults *faults, struct buf *into, struct err *err);
int app_intervention_delete(struct app *a, int64_t id, struct err *err);

enum { APP_BULK_MAX = 10000 };
/* {"items":[...]}: new ones and changed ones by reference, in one transaction.
 * {"created","updated","unchanged","rejected":[{index,errors}]} */
int app_interventions_bulk(struct app *a, struct view document, struct app_faults *faults, struct buf *into, struct err *err);

/* ---- the rest ---- */

int app_users_list(struct app *a, struct view query, struct view role, int64_t page, int64_t size, struct view sort,
	struct app_faults *faults, struct buf *into, struct err *err);

/* Days as YYYY-MM-DD, or ptr NULL. */
int app_summary(struct app *a, struct view date, struct app_faults *faults, struct buf *into, struct err *err);
int app_trends(struct app *a, struct view from, struct view to, struct app_faults *faults, struct buf *into, struct err *err);
int app_load(struct app *a, struct buf *into, struct err *err);
int app_map(struct app *a, struct view statuses, int64_t limit, struct app_faults *faults, struct buf *into, struct err *err);
int app_insights(struct app *a, struct view date, struct app_faults *faults, struct buf *into, struct err *err);
int app_forecast(struct app *a, struct view date, struct app_faults *faults, struct buf *into, struct err *err);

/* Rows of these ids as the list has them, a JSON array; those that are gone are not in it. ids: "{1,2}" */
int app_interventions_of(struct app *a, const char *ids, struct buf *into, struct err *err);
/* Lists and figures: worked out by PostgreSQL, or given again because nothing has changed. Since the start. */
struct app_answers_stats {
	uint64_t made, recalled, looked;
};
void app_stats(struct app *a, struct app_answers_stats *ret);
/* The source answers. */
int app_ping(struct app *a, struct err *err);

#endif
