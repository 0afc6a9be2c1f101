/* The inside of the application: connections, and what its files share. */
#ifndef WALMILL_APP_INT_H
#define WALMILL_APP_INT_H

#include "app/app.h"
#include "base/thread.h"

enum app_server { APP_SOURCE, APP_TARGET };

/*
 * To each server up to APP_POOL connections. A new one costs the server tens of milliseconds of CPU, and its first statements as much
 * again: beyond APP_POOL_SOON, who finds none idle waits APP_GROW_US for one before he opens it. A burst of short statements then takes
 * turns on few that are warm, and long ones get more.
 */
enum { APP_POOL = 8, APP_POOL_SOON = 3, APP_GROW_US = 20000, APP_WAIT_US = 2000000, APP_DEADLINE_MS = 15000 };

struct app {
	struct app_options o;
	struct pg_params params[2];
	struct lock lock;
	struct wake freed;
	struct pg_conn *idle[2][APP_POOL];
	unsigned nidle[2], nused[2];
	struct app_answers *answers;
};

/* A connection in no transaction; given back with app_give, which closes one that is broken. */
int app_take(struct app *a, enum app_server which, struct pg_conn **ret, struct err *err);
void app_give(struct app *a, enum app_server which, struct pg_conn *c);

/* The text of row 0, column 0 of one statement appended to `into`; ERR_NOT_FOUND with `missing` when there is no row. */
int app_text(struct app *a, enum app_server which, const char *sql, unsigned nparams, const char *const *params, const char *missing,
	struct buf *into, struct err *err);

/*
 * The same for a statement of exactly one row and one column whose answer is worth keeping: given again without being worked out when no
 * row that anybody could see has changed since, which the server is asked after the call has begun. Beside rows it may depend on the
 * parameters, of which there are at most APP_PARAMS_MAX, and on the day in the application's zone, not on the time.
 */
enum { APP_PARAMS_MAX = 8, APP_ANSWERS_MAX = 64, APP_ANSWERS_BYTES = 4 << 20, APP_QUESTION_BYTES = 65 << 20 };
int app_answer(struct app *a, enum app_server which, const char *sql, unsigned nparams, const char *const *params, struct buf *into,
	struct err *err);
struct app_answers *app_answers_new(void);
void app_answers_free(struct app_answers *s);
void app_answers_stats(struct app_answers *s, struct app_answers_stats *ret);

/* PostgreSQL's errors in the application's words: constraint violations, missing tables, the server gone. Returns -1. */
int app_explain(struct err *err);

/* ---- documents ---- */

/* RFC 6901 of a member (up to 100 characters of its name) of what stands at prefix. */
const char *app_pointer(struct arena *a, const char *prefix, struct view key);
/* 0, or -1 with ERR_INVALID when there are faults. */
int app_verdict(const struct app_faults *f, struct err *err);

enum app_member {
	APP_REFERENCE,
	APP_TITLE,
	APP_DESCRIPTION,
	APP_STATUS,
	APP_MODE,
	APP_PLANNED,
	APP_STARTED,
	APP_COMPLETED,
	APP_VALIDATED,
	APP_TECHNICIAN,
	APP_LATITUDE,
	APP_LONGITUDE,
	APP_EMAIL,
	APP_FULL_NAME,
	APP_MEMBERS
};

/* Text of each member as PostgreSQL takes it; NULL: null, or not there (given says which). */
struct app_document {
	const char *text[APP_MEMBERS];
	bool given[APP_MEMBERS];
};

enum app_form { APP_CREATE, APP_UPDATE, APP_STATUS_ONLY, APP_BULK, APP_THEIR_NAME };

/* As a JSON object, in the arena. */
struct view app_put_document(struct arena *a, const struct app_document *d);

struct js_reader;
/* The object whose first token has just been read; prefix: pointer of the document ("" or "/items/3"). */
void app_read_members(struct js_reader *r, const char *prefix, enum app_form form, struct app_document *ret, struct app_faults *f);
/* A whole document of one object. */
int app_read_document(struct view text, enum app_form form, struct app_document *ret, struct app_faults *f, struct err *err);

bool app_is_status(struct view v);
/* A day, an instant (ISO 8601): NULL when it is none; the text with a NUL, in the faults' arena. */
const char *app_day(struct view v, const char *pointer, struct app_faults *f);
const char *app_instant(struct view v, const char *pointer, struct app_faults *f);

/* SQL: an intervention `i` with its technician `u` as the JSON object that is shown */
extern const char app_item[];

#endif
