/*
 * The log: durable partitions of Kafka record batches, written in units.
 *
 * A unit is a set of batches, over any partitions, that becomes visible all at once or not at all. It is opened, batches are appended to it
 * (each gets its base offset there and then), and it is closed with the caller's payload, which the log keeps and never looks into. A
 * closed unit has a sequence number; when it is durable its callback runs, its partitions' high watermarks move, and readers see it. A
 * unit that was never closed does not exist: its offsets are given again.
 *
 *   - A partition has at most one open unit. Another unit's append to it waits (or gets ERR_BUSY, see LOG_NOWAIT).
 *   - Units become durable, and callbacks run, in the order of their sequence numbers.
 *   - High watermark = end of the last durable unit. Nothing above it is ever read, so no offset that a reader has seen changes its
 *   meaning,
 *     over crashes too: batches carry partition leader epoch 0 for ever.
 *   - When a flush fails, the log is `failed`: every waiter and every later write gets that error; reading what was durable goes on.
 *
 * Partitions are named by a `uint32_t part`, a number that belongs to one partition of one topic id and is never given twice. Offsets and
 * sequence numbers start at 0 and 1. Positions are bytes since the log was made; only log_verify's reports show them.
 *
 * Threads: every function may be called from any thread unless it says otherwise; one `struct log_unit`, `log_cursor` or `log_batches`
 * belongs to one thread at a time. Callbacks run on the flushing thread: they must not call back into the log except for log_marks,
 * log_wake and the like that only look, and must not block. The file format is in format.h, the why in README.md.
 */
#ifndef WALMILL_LOG_LOG_H
#define WALMILL_LOG_LOG_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/io.h"
#include "base/metrics.h"
#include "base/thread.h"

struct log;
struct log_unit;
struct log_cursor;

enum {
	LOG_TOPIC_NAME_MAX = 249,
	LOG_NAME_MAX = 200,                  /* of a pin or note */
	LOG_TOPIC_PARTITIONS_MAX = 10000,
	LOG_BATCH_MAX = 64 << 20,            /* bytes of one batch */
	LOG_PAYLOAD_MAX = 32 << 20,          /* bytes of one unit's payload */
	LOG_NOTE_MAX = 256 << 10,            /* bytes of a payload that is kept under a note */
	LOG_UNIT_BATCHES_MAX = 256 << 10,
};

/* Who writes decides who gives way first when the disk is nearly full (free space against settings.reserve_bytes). */
enum log_class {
	LOG_CLIENT,    /* refused with ERR_NO_SPACE below the reserve */
	LOG_CAPTURE,   /* refused below half of it */
	LOG_INTERNAL,  /* positions, group offsets, checkpoints' records: small, goes on until the disk is full */
};

struct log_settings {
	uint64_t segment_bytes;      /* a segment file is closed when it is at least this large */
	uint64_t grow_bytes;         /* files are allocated in steps of this */
	uint64_t cut_bytes;          /* a file that was removed is cut down in steps of this before its blocks are freed with it */
	uint64_t buffer_bytes;       /* appended and not yet written: beyond it appends wait */
	uint64_t index_cache_bytes;  /* indexes of closed segments held in memory */
	uint64_t reserve_bytes;      /* free space below which writers are refused, see enum log_class */
	uint64_t pin_max_bytes;      /* what pins may keep beyond retention; 0 = no limit */
	int64_t retention_ms;        /* where a topic's config does not say; -1 = for ever */
	int64_t retention_bytes;     /* of one partition; -1 = any */
	int64_t flush_interval_us;   /* at least this between the starts of two flushes; an idle log flushes at once */
	int64_t flush_busy_us;       /* the same while many units come (more than 32 wait): each flush costs CPU, whatever it holds */
	int64_t sweep_interval_ms;   /* retention */
	uint64_t spare_bytes;        /* files of next segments that are made beforehand (spare.c); 0: none */
	uint64_t spare_rate;         /* bytes a second: while more is appended, none is made */
	bool manual;                 /* no threads: the caller runs log_step() and log_sweep(); what would wait for a flush runs it */
	void (*pin_released)(void *arg, const char *name, uint64_t seq); /* from log_sweep; may be NULL */
	void *pin_released_arg;
	struct metric *flush_seconds; /* a histogram that each sync is counted in; or NULL */
	unsigned test_bugs;          /* deliberate defects for the tests of the tests (log_int.h); 0 */
};

struct log_settings log_settings_default(void);

/*
 * Opens the log in directory `dir` (made if it is not there), recovering it. ERR_BUSY: another process has it, named in the detail.
 * ERR_CORRUPT: bytes that had been durable are damaged; the text names file and place, and nothing was changed.
 */
int log_open(struct io *io, const char *dir, const struct log_settings *s, struct log **ret, struct err *err) WM_MUST_USE;

/* Flushes what is closed, waits for its callbacks, drops open units. All units and cursors must have been closed. NULL is fine. */
void log_close(struct log *log);

/* What recovery did, for one line at start. */
struct log_recovery {
	uint64_t cut_bytes;      /* torn tail that was removed */
	uint64_t scanned_bytes;
	uint64_t dropped_batches; /* of units that were never closed */
	unsigned segments, rebuilt_indexes;
};

struct log_recovery log_recovery(struct log *log);

/* ---- topics: each call that changes something returns when the change is durable. ERR_NO_SPACE: the disk is full, and the change is made,
 * seen by everybody, and waits in memory for room ---- */

struct log_config {
	const char *key, *value; /* value NULL in log_topic_alter: take it out */
};

struct log_topic {
	char name[LOG_TOPIC_NAME_MAX + 1];
	uint8_t id[16];
	uint32_t n_parts;
};

/* id NULL: a random one (version 4 UUID). Names are Kafka's: [a-zA-Z0-9._-]. Config keys the log itself obeys: retention.ms,
 * retention.bytes, cleanup.policy (what contains no "delete" is not trimmed); all others are kept for the caller. ERR_EXISTS by name.
 * ret may be NULL. */
int log_topic_create(struct log *log, const char *name, const uint8_t *id, uint32_t n_parts, const struct log_config *configs, unsigned n,
	struct log_topic *ret, struct err *err) WM_MUST_USE;
/* An open unit's next append to one of its partitions gets ERR_NOT_FOUND; the unit can be closed, as if the topic had gone just after. */
int log_topic_delete(struct log *log, const uint8_t id[16], struct err *err) WM_MUST_USE;
int log_topic_grow(struct log *log, const uint8_t id[16], uint32_t n_parts, struct err *err) WM_MUST_USE; /* more partitions */
int log_topic_alter(struct log *log, const uint8_t id[16], const struct log_config *configs, unsigned n, struct err *err) WM_MUST_USE;

bool log_topic_find(struct log *log, struct view name, struct log_topic *ret);
bool log_topic_find_id(struct log *log, const uint8_t id[16], struct log_topic *ret);
/* Puts the value into `into` (cleared first); false when there is no such topic or key. */
bool log_topic_config(struct log *log, const uint8_t id[16], const char *key, struct buf *into);
/* In order of names, over a copy; fn must not change topics. */
void log_topic_list(struct log *log, void (*fn)(void *arg, const struct log_topic *t), void *arg);
/* All config entries of a topic, in order of keys; returns false when there is no such topic. */
bool log_topic_configs(struct log *log, const uint8_t id[16], void (*fn)(void *arg, const char *key, const char *value), void *arg);

/* The part number of a topic's partition; false when there is none. */
bool log_part_find(struct log *log, const uint8_t id[16], uint32_t partition, uint32_t *ret_part);
/* The other way; false when the topic was deleted. */
bool log_part_topic(struct log *log, uint32_t part, struct log_topic *ret, uint32_t *ret_partition);

/* ---- writing ---- */

enum log_append_flags {
	LOG_NOWAIT = 1,  /* ERR_BUSY instead of waiting for a partition's open unit or for buffer room */
};

/* seq as from log_unit_close. failed is NULL when the unit is durable; else the reason why it never will be. */
typedef void (*log_done_fn)(void *arg, uint64_t seq, const struct err *failed);

struct log_close_args {
	struct view payload;    /* opaque; kept with the unit */
	const char *note;       /* or NULL: also keep the payload under this name, in place of the one kept before (log_note) */
	log_done_fn done;       /* or NULL */
	void *done_arg;
};

struct log_unit *log_unit_begin(struct log *log, enum log_class c); /* never NULL */

/*
 * Appends one whole record batch v2 (batch.h), which is copied; base offset and leader epoch are set in the copy. *ret_base is the
 * offset of its first record. The header and the CRC are checked (ERR_INVALID). ERR_BUSY "deadlock": this unit and another wait for each
 * other's partitions; abort this one and start again. After ERR_BUSY under LOG_NOWAIT or ERR_NO_SPACE the unit is as it was before the
 * call.
 */
int log_unit_append(struct log_unit *u, uint32_t part, struct view batch, unsigned flags, int64_t *ret_base, struct err *err) WM_MUST_USE;

/* Whether an append with LOG_NOWAIT would wait now, as far as a look can tell: cheap, while an append reads the whole batch first. */
bool log_append_waits(struct log *log, uint32_t part);

/* Closes and frees the unit, whether it succeeds or not. A unit without batches is fine. *ret_seq (or NULL) is set on success. */
int log_unit_close(struct log_unit *u, const struct log_close_args *args, uint64_t *ret_seq, struct err *err) WM_MUST_USE;

/* The same, and waits until it is durable. args->done must be NULL. */
int log_unit_close_wait(struct log_unit *u, const struct log_close_args *args, uint64_t *ret_seq, struct err *err) WM_MUST_USE;

void log_unit_abort(struct log_unit *u); /* its offsets are given again; frees; NULL is fine */

/* One batch as one unit: append and close. */
int log_append(struct log *log, enum log_class c, uint32_t part, struct view batch, unsigned flags, log_done_fn done, void *done_arg,
	int64_t *ret_base, struct err *err) WM_MUST_USE;

/* Returns when all units closed before the call are durable. */
int log_flush(struct log *log, struct err *err) WM_MUST_USE;

/* The payload that the last durable unit with this note carried, and that unit's number; false when there is none. Kept for ever. */
bool log_note(struct log *log, const char *name, struct buf *into, uint64_t *ret_seq);
int log_note_remove(struct log *log, const char *name, struct err *err) WM_MUST_USE; /* durable; one that is not there is fine */

/* ---- reading partitions ---- */

struct log_marks {
	int64_t start;   /* first offset kept */
	int64_t high;    /* high watermark */
	int64_t next;    /* the offset that the next append gets; above `high` while units are open or in flight */
	uint64_t bytes;  /* of batches between start and high, about */
};

/* The marks of n partitions at one instant, no unit half, and the number of the last durable unit (ret_seq may be NULL). A deleted
 * partition gives zeroes. */
void log_marks(struct log *log, const uint32_t *parts, unsigned n, struct log_marks *ret, uint64_t *ret_seq);

struct log_batch {
	struct view bytes;       /* the whole batch, header first */
	int64_t base, next;      /* offsets: its own first, and the first behind it */
	int64_t max_time_ms;
	uint32_t part;
	uint64_t pos;            /* in the log; increasing within a partition */
};

struct log_batches {
	struct buf bytes;         /* the batches one after the other: what a Fetch answers */
	struct log_batch *batches; /* views into `bytes` */
	unsigned n, cap;
	struct log_marks marks;   /* as of the read */
};

#define LOG_BATCHES_INIT ((struct log_batches){.bytes = BUF_INIT(SIZE_MAX), .batches = NULL, .n = 0, .cap = 0})
void log_batches_release(struct log_batches *b);

/*
 * Whole batches from the one that contains `offset` on, up to max_bytes, but at least one if there is one below the high watermark.
 * out is filled anew (n = 0 at the high watermark). ERR_LOST: offset below start; ERR_INVALID: above the high watermark; out->marks is
 * set in both cases. ERR_CORRUPT: stored bytes are damaged.
 */
int log_read(struct log *log, uint32_t part, int64_t offset, size_t max_bytes, struct log_batches *out, struct err *err) WM_MUST_USE;

/* The first batch below the high watermark that has a record of time_ms or later, as its base offset and largest time; *ret_base = -1
 * when none. */
int log_find_time(struct log *log, uint32_t part, int64_t time_ms, int64_t *ret_base, int64_t *ret_max_time_ms,
	struct err *err) WM_MUST_USE;

/* Signalled when units became durable, a partition or buffer room became free, the log failed, or topics changed. */
struct wake *log_wake(struct log *log);

/* ---- reading units ---- */

struct log_entry {          /* a batch of a unit */
	uint32_t part;
	uint32_t len;
	int64_t base, next;
	int64_t max_time_ms;
	uint64_t pos;
	bool gone;              /* removed by retention, or its topic was deleted */
};

struct log_range {          /* the offsets that a unit added to a partition */
	uint32_t part;
	int64_t begin, end;
};

struct log_unit_info {      /* valid until the next log_cursor_next */
	uint64_t seq;
	int64_t time_us;        /* wall clock at close */
	struct view payload;
	const struct log_range *ranges; /* in order of first append */
	unsigned n_ranges;
	const struct log_entry *entries; /* in order of append */
	unsigned n_entries;
};

/* Units of number from_seq and higher, in order. Of units below log_unit_span's first, retention has taken something: such a unit is
 * skipped, or has entries that are gone. Those of a partition whose start has not moved are all there. */
struct log_cursor *log_cursor_open(struct log *log, uint64_t from_seq);
void log_cursor_close(struct log_cursor *c); /* NULL is fine */

/* 1: *ret is the next durable unit; 0: none yet (log_wake tells when to ask again); -1: error. */
int log_cursor_next(struct log_cursor *c, struct log_unit_info *ret, struct err *err) WM_MUST_USE;

/* Batch i of the unit that log_cursor_next gave last. The bytes are valid until the next call on the cursor. ERR_LOST when it is gone. */
int log_cursor_batch(struct log_cursor *c, unsigned i, struct log_batch *ret, struct err *err) WM_MUST_USE;

/* *ret_first: every unit from this number on is kept whole, but for topics that were deleted; *ret_last: the last durable one (first =
 * last + 1 when there are none). */
void log_unit_span(struct log *log, uint64_t *ret_first, uint64_t *ret_last);

/* ---- retention ---- */

/* Keeps units of number seq and higher. Written behind everything appended so far, without waiting for the disk, but
 * for a pin that is new. A pin only moves forward (ERR_INVALID). What retention took before is not brought back: see log_unit_span. */
int log_pin_set(struct log *log, const char *name, uint64_t seq, struct err *err) WM_MUST_USE;
int log_pin_clear(struct log *log, const char *name, struct err *err) WM_MUST_USE; /* one that is not there is fine */
bool log_pin_get(struct log *log, const char *name, uint64_t *ret_seq);
void log_pin_list(struct log *log, void (*fn)(void *arg, const char *name, uint64_t seq), void *arg);

/* Moves the start of a partition forward to `before` (-1: the high watermark). ERR_STATE, with the pin's name, when a pin may need what
 * would go; force does it all the same. Durable on return. */
int log_trim(struct log *log, uint32_t part, int64_t before, bool force, struct err *err) WM_MUST_USE;

/* Whether log_trim would be refused because of a pin, whose name goes to ret_pin. */
bool log_trim_held(struct log *log, uint32_t part, int64_t before, char ret_pin[LOG_NAME_MAX + 1]);

/* One round of retention: moves starts, removes files that nothing needs, rewrites runs of mostly dead ones. Only one thread at a time. */
int log_sweep(struct log *log, struct err *err) WM_MUST_USE;

/* ---- the rest ---- */

/* manual only: one round of the flusher. True when it did something. */
bool log_step(struct log *log);

/* True when the log has failed; *err (or NULL) is the reason. */
bool log_failed(struct log *log, struct err *err);

struct log_stats {
	uint64_t appended_batches, appended_bytes, closed_units, aborted_units;
	uint64_t flushes, flush_us_total, flush_us_max;
	uint64_t read_batches, read_bytes;
	uint64_t disk_bytes, free_bytes;
	uint64_t buffered_bytes;
	uint64_t removed_segments, rewritten_segments, failed_sweeps;
	uint64_t prepared_segments;   /* whose file had been made beforehand */
	uint64_t pinned_bytes;        /* kept only because of pins */
	unsigned segments, topics, open_units;
	bool full;                    /* the disk is full: nothing is acknowledged until there is room */
};

void log_stats(struct log *log, struct log_stats *ret);

struct log_verify_report {
	uint64_t segments, frames, batches, units, bytes, dead_batches;
	uint64_t damaged;
};

/* Reads everything that is durable: each frame and batch checksum, dense offsets, each unit once, the indexes. `found` (or NULL) is called
 * with one line for each damage; the result is ERR_CORRUPT when there was any. */
int log_verify(struct log *log, struct log_verify_report *ret, void (*found)(void *arg, const char *line), void *arg,
	struct err *err) WM_MUST_USE;

#endif
