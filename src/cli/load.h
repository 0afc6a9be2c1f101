/*
 * walmill load: rows of a published data set become rows of the demo application's table public.interventions.
 *
 * A data set says how its source columns are called over the years and how a row of them is mapped; reading (CSV or JSON, by what the file
 * holds), counting, rejects and the way into PostgreSQL are shared. Everything streams: memory does not depend on the size of the file.
 *
 * One thread. All texts in PostgreSQL go through COPY, never into SQL text: real rows hold attack strings.
 */
#ifndef WALMILL_CLI_LOAD_H
#define WALMILL_CLI_LOAD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/io.h"
#include "base/tz.h"
#include "pg/conn.h"

/* ---- a mapped row ---- */

enum load_status { LOAD_SCHEDULED, LOAD_IN_PROGRESS, LOAD_COMPLETED };

#define LOAD_NO_TIME INT64_MIN

struct load_row {
	struct view reference;             /* at most 50 characters */
	struct view title;                 /* at most 160 characters, no control characters */
	struct view description;           /* len 0: NULL */
	struct view technician;            /* the user's full name, at most 100 characters; len 0: NULL */
	enum load_status status;
	bool automatic;                    /* assignment_mode AUTO */
	int64_t planned_us;                /* since 2000-01-01 UTC */
	int64_t started_us, completed_us;  /* or LOAD_NO_TIME */
	struct view latitude, longitude;   /* decimal text, both or none; the column rounds to 6 digits */
};

/* Why a row is left out, and what had to be changed in one that is taken. */
#define LOAD_SKIPS(X) \
	X(LOAD_SKIP_FIELDS, "wrong number of fields") \
	X(LOAD_SKIP_KEY, "key missing or not a number") \
	X(LOAD_SKIP_CREATED, "creation time missing") \
	X(LOAD_SKIP_CREATED_FORM, "creation time not understood") \
	X(LOAD_SKIP_CANCELED, "canceled") \
	X(LOAD_SKIP_REVOKED, "expired, canceled or revoked") \
	X(LOAD_SKIP_ZERO, "a zero byte in a text") \
	X(LOAD_SKIP_REFUSED, "refused by the application")
#define LOAD_REPAIRS(X) \
	X(LOAD_REPAIR_CLOSED_EARLY, "closed before it was created, or in the future: last update taken") \
	X(LOAD_REPAIR_NO_CLOSE, "no plausible closing time: creation time taken") \
	X(LOAD_REPAIR_ORDER, "issued before it was applied for: issue date taken for both") \
	X(LOAD_REPAIR_END, "end before the alert, or in the future: left out") \
	X(LOAD_REPAIR_STATUS, "unknown status: taken as scheduled") \
	X(LOAD_REPAIR_PLACE, "coordinates incomplete or outside the area: left out") \
	X(LOAD_REPAIR_TITLE, "title cut at 160 characters") \
	X(LOAD_REPAIR_ENCODING, "not UTF-8: read as Windows-1252")

enum load_skip {
	LOAD_TAKEN,
#define X(constant, text) constant,
	LOAD_SKIPS(X)
#undef X
	LOAD_SKIP_COUNT
};

enum load_repair {
#define X(constant, text) constant,
	LOAD_REPAIRS(X)
#undef X
	LOAD_REPAIR_COUNT
};

const char *load_skip_text(enum load_skip s);
const char *load_repair_text(enum load_repair r);

/* ---- data sets ---- */

enum { LOAD_COLUMNS_MAX = 64 };

#define LOAD_NEEDS(column) (UINT64_C(1) << (column))

/* How column names are written: for people (portal exports), or snake_case (the API's CSV and JSON). */
enum load_form { LOAD_PORTAL, LOAD_API_CSV, LOAD_API_JSON };

struct load_context {
	const struct tz *zone;     /* of the source's wall times */
	bool day_first;            /* 02/01/2020 is in January */
	int64_t now_us;            /* since 2000-01-01 UTC: closing times more than a day later are not believed */
	struct arena arena;        /* of one row */
	uint64_t repairs[LOAD_REPAIR_COUNT];
};

struct load_dataset {
	const char *name;          /* as on the command line */
	const char *title;         /* for people */
	const char *zone;
	const char *user_domain;   /* technicians are users CODE@user_domain */
	const char *const *columns;            /* of each column, the names it has had, separated by | */
	size_t n_columns;                      /* up to LOAD_COLUMNS_MAX */
	uint64_t required;                     /* LOAD_NEEDS of the columns without which the file is another one */
	/* What the layout is called, by the columns found and the header's length; for the report. */
	const char *(*layout)(const bool *found, size_t header_fields, enum load_form form);
	/* values: one a column, len 0 where empty or absent. LOAD_TAKEN fills *ret from the context's arena. */
	enum load_skip (*map)(struct load_context *ctx, const struct view *values, struct load_row *ret);
	bool day_first;                        /* as in the context */
	bool literal_quotes;                   /* of its CSV: see csv_options */
	const char *refused;                   /* NULL, or why files of this kind are not loaded; then there is no map */
	const struct load_dataset *next;       /* the publisher's next kind of file, tried when this one's columns are not there; or NULL */
};

extern const struct load_dataset load_nyc311, load_chicago, load_datagouv;

const struct load_dataset *load_dataset_find(const char *name);  /* NULL for an unknown one */

/* Wall time in one of the forms of published files: MM/DD/YYYY hh:mm:ss AM, YYYY-MM-DDTHH:MM:SS[.fff] or with a blank, YYYY Mon DD
 * hh:mm:ss AM; day first: DD/MM/YYYY HH:MM[:SS]; each also without its time. Into microseconds since 2000-01-01, local. */
bool load_wall_time_of(struct view text, bool day_first, int64_t *ret_local_us) WM_MUST_USE;
static inline bool load_wall_time(struct view text, int64_t *ret_local_us) { return load_wall_time_of(text, false, ret_local_us); }

/* The first of two instants in the repeated hour of autumn; in the hour that spring skips, as far behind the gap as the time was in it. */
int64_t load_wall_to_utc(const struct tz *zone, int64_t local_us);

/* ---- a run ---- */

struct load_report {
	const char *layout;
	uint64_t read, taken;                 /* rows of the file; rows that went to the table */
	uint64_t inserted, updated;           /* of the table; what differs in nothing is in neither */
	uint64_t skipped[LOAD_SKIP_COUNT], repaired[LOAD_REPAIR_COUNT];
};

/* Sends a body to the application's bulk resource (load_rest.h). */
struct load_poster {
	int (*post)(void *arg, struct view body, unsigned *ret_status, struct buf *answer, struct err *err);
	void *arg;
};

struct load_options {
	const char *path;
	const struct pg_params *target;       /* by COPY into this database */
	const struct load_poster *rest;       /* or through the REST API; both NULL: a dry run, nothing is written */
	const char *rejects;                  /* CSV of what was skipped: line, key, reason; or NULL */
	int64_t now_us;                       /* wall clock, since 2000-01-01 UTC */
	void (*progress)(void *arg, uint64_t rows, uint64_t bytes, uint64_t bytes_in_all); /* about every 1,000 rows; or NULL */
	void *progress_arg;
};

/* By COPY it is one transaction: all of the file, or nothing. ret is filled as far as it went. */
int load_run(struct io *io, const struct load_dataset *set, const struct load_options *opts, struct load_report *ret,
	struct err *err) WM_MUST_USE;

/* The report as a few lines for people, or as a JSON object. */
void load_report_put(const struct load_report *r, bool dry_run, bool json, struct buf *out);

#endif
