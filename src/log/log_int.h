/*
 * Inside of the log module: shapes shared by its files. Nobody outside src/log and its own tests includes this.
 *
 * One lock, log->lock, guards everything but what is marked otherwise. It is never held over I/O. What the flusher owns: the buffer being
 * written (`out`), files' sizes and dirty marks. Segments are counted references: a reader holds one over its reads, so that retention
 * may take the segment away meanwhile.
 */
#ifndef WALMILL_LOG_INT_H
#define WALMILL_LOG_INT_H

#include "base/map.h"
#include "base/mem.h"
#include "log/format.h"
#include "log/log.h"

/* ---- indexes (index.c): which batches and units a segment's COMMITs name ---- */

struct index_part {
	uint32_t part, n, cap;   /* cap 0: entries belong to the index's `bytes` */
	struct entry *entries;   /* by base */
	int64_t begin, end, max_time_ms;
	uint64_t bytes;
};

struct index {
	struct index_part *parts; /* by part */
	uint32_t n_parts, cap_parts;
	struct unit_ref *units;   /* by seq */
	uint32_t n_units, cap_units; /* cap 0: in `bytes` */
	struct frame_ref *frames; /* of a rewritten file, by pos */
	uint64_t n_frames, cap_frames;
	uint64_t min_pos;         /* lowest position of a batch named; POS_NONE */
	int64_t last_time_us;
	struct buf bytes;         /* the SEAL it was loaded from */
	int refs;
};

struct index *index_new(void);
void index_unref(struct index *ix); /* under the lock; NULL is fine */
bool index_accepts(const struct index *ix, uint32_t part, const struct entry *e); /* false: index_add would break its order */
void index_add(struct index *ix, uint32_t part, const struct entry *e); /* bases of a part increase */
void index_add_unit(struct index *ix, uint64_t seq, uint64_t pos, int64_t time_us);
struct index_part *index_part(const struct index *ix, uint32_t part); /* NULL when absent */
uint32_t index_find(const struct index_part *p, int64_t offset);      /* the last entry with base <= offset, 0 if none */
uint32_t index_find_unit(const struct index *ix, uint64_t seq);       /* the first unit of number seq or higher, n_units if none */
void index_seal(const struct index *ix, struct buf *into);            /* the payload of a SEAL */
struct index *index_load(struct buf *payload);                        /* takes the bytes; NULL (bytes released) when malformed */

/* ---- segments (segment.c) ---- */

struct segment {
	struct log *log;
	uint64_t uid;          /* never given twice, as addresses are */
	uint64_t base;
	uint64_t end;          /* base of the next; while it is the last: POS_NONE */
	uint64_t seal_off;     /* offset in the file of the SEAL; 0 while there is none */
	uint64_t seal_len;     /* bytes of its frame */
	uint64_t head_end;     /* position behind the STATE frame: durable beyond it, the segments before are not needed to start */
	uint64_t prev_base, prev_seal; /* as in the file header */
	bool rewritten;
	bool removed;          /* its file has no name any longer */
	bool written;          /* closed, and its SEAL is in the file */
	uint64_t first_seq, last_seq; /* of its units; if it has none, first = last + 1 and last is that of the segment before */
	int64_t last_time_us;
	uint64_t min_pos;
	uint64_t used;         /* bytes of the file that mean something */
	uint64_t batch_bytes;  /* of batches that its COMMITs name, as written */
	struct index *index;   /* NULL: not in memory */
	uint64_t index_used;   /* log->index_clock at the last use */
	int refs;
	struct segment *next_gone; /* list of log->gone */
	/* the flusher's, and before the first write of the segment nobody else's */
	struct io_file *file;
	uint64_t allocated;
	bool listed_dirty;
};

/* ---- partitions and topics (state.c) ---- */

struct extent {            /* offsets of a partition whose COMMITs are in one segment */
	struct segment *seg;
	int64_t first, end, max_time_ms;
	uint64_t bytes;
};

struct topic;

struct part {
	uint32_t part, index;    /* number; place in the topic */
	struct topic *topic;
	int64_t start, high;     /* kept from; durable up to */
	int64_t closed, next;    /* end of closed units; end with the open one */
	struct log_unit *owner;  /* its open unit, or NULL */
	struct extent *extents;  /* by offset */
	uint32_t n_extents, cap_extents;
};

struct part_range {
	uint32_t first, count;
};

struct topic {
	char name[LOG_TOPIC_NAME_MAX + 1];
	uint8_t id[16];
	uint32_t n_parts;
	struct part_range *ranges;
	uint32_t n_ranges;
	char **config;           /* key, value, key, value, ... by key */
	uint32_t n_config;
};

struct pin {
	char name[LOG_NAME_MAX + 1];
	uint64_t seq;
	uint64_t made_at;        /* position behind the operation that made it */
};

struct note {
	char name[LOG_NAME_MAX + 1];
	uint64_t seq, durable_seq; /* of `now` and `durable` */
	struct buf now, durable;   /* `durable` is only kept while `now` is not */
	bool has_durable;
};

/* ---- units (write.c) ---- */

struct unit_entry {
	uint32_t part;
	struct entry e;
};

/* settings.test_bugs: each must be found by the simulation */
enum log_bug {
	LOG_BUG_SKIP_SYNC = 1,      /* files are not synced */
	LOG_BUG_ACK_EARLY = 2,      /* units are published before the sync */
	LOG_BUG_SKIP_CRC = 4,       /* checksums are not compared when reading */
	LOG_BUG_SKIP_DIR_SYNC = 8,  /* a new file's name is not synced */
	LOG_BUG_CUT_DAMAGE = 16,    /* recovery takes all damage for a torn tail */
	LOG_BUG_TRUST_CACHE = 32,   /* recovery does not write again what a failed sync may have left in memory only */
	LOG_BUG_REMOVE_EARLY = 64,  /* files go before the new starts are durable */
	LOG_BUG_RETRY_SYNC = 128,   /* a failed sync is tried again */
};

enum {
	UNIT_INLINE = 4,
	LOG_WRITE_SOME = 256 << 10, /* bytes appended that are written although nobody waits for them */
	PARTS_EVER = 1 << 22,    /* part numbers are not given again: this many in a log's life */
};

struct log_unit {
	struct log *log;
	struct log_unit *next;     /* queue of closed units, free list */
	uint64_t id, seq;
	enum log_class class;
	uint32_t waits_for;        /* part number + 1 while it waits, or 0 */
	uint64_t end_pos;          /* closed: behind its COMMIT */
	uint64_t min_pos;          /* of its first batch */
	struct unit_entry *entries, entries_inline[UNIT_INLINE];
	uint32_t n_entries, cap_entries;
	struct log_range *ranges, ranges_inline[UNIT_INLINE];
	uint32_t n_ranges, cap_ranges;
	struct log_unit *open_next, **open_prev; /* list of open units */
	log_done_fn done;
	void *done_arg;
};

/* ---- the write buffer: what was appended and is not in the files yet ---- */

struct chunk {
	struct segment *seg;     /* holds a reference */
	uint64_t off;            /* in the file */
	size_t at, len;          /* in the buffer */
};

struct wbuf {
	uint8_t *ptr;
	size_t len, cap;
	struct chunk *chunks;
	uint32_t n, cap_chunks;
	uint64_t end_pos;        /* position behind the last byte */
	uint32_t next_chunk;     /* first one not written yet, when a full disk stopped the flusher */
};

/* ---- files made beforehand (spare.c) ---- */

enum { SPARES_MAX = 16 };

struct spare {
	struct io_file *file;
	uint64_t number;         /* of its name */
};

/* Reads from segments through a window of bytes; any thread, no lock. */
struct window {
	uint64_t uid;            /* of the segment whose bytes it holds; 0: none */
	uint64_t off;
	size_t len;
	uint8_t *ptr;
	size_t cap;
};

struct log {
	struct io *io;
	char *dir;
	struct log_settings set;
	uint8_t id[16];
	struct io_file *lock_file;
	struct lock lock;
	struct wake wake;

	struct segment **segs;   /* by base; the last takes appends */
	uint32_t n_segs, cap_segs;
	struct segment *gone;    /* nobody has them any longer, their files are to be closed */
	uint64_t index_clock, index_bytes, next_uid;
	struct window windows[4]; /* not in use */
	unsigned n_windows;

	struct part **parts;     /* by part number; NULL: deleted or never given */
	uint32_t next_part, cap_parts;
	struct map topics;       /* by name */
	struct map topics_by_id;
	struct pin **pins;
	uint32_t n_pins;
	struct map notes;        /* by name */
	uint64_t next_seq, next_unit;
	uint64_t whole_seq;      /* units from here on are kept whole */

	uint64_t tail;           /* position of the next byte */
	uint64_t durable;        /* synced up to here */
	uint64_t wanted;         /* somebody waits for this to become durable */
	uint64_t marked;         /* highest mark that is in the log */
	uint64_t last_data;      /* tail behind the last frame other than a MARK */
	uint64_t durable_seq;
	struct wbuf in, out;     /* appended to; being written (the flusher's) */
	bool out_pending;        /* `out` holds what is not written yet; the flusher's */
	struct log_unit *closed, **closed_tail; /* in order of seq, not durable yet */
	struct log_unit *open, *free_units;
	unsigned n_free_units;

	uint64_t unsynced;       /* bytes written since the last sync; the flusher's */
	int64_t flush_started_us;
	bool failed, full, stopping, flusher_idle;
	unsigned waiting;        /* threads in wait_change */
	uint64_t written;        /* in the files up to here, maybe not synced; the flusher's */
	struct segment **dirty;  /* written since the last sync, referenced; the flusher's */
	uint32_t n_dirty, cap_dirty;
	struct err failure;
	uint64_t free_bytes;     /* as last looked at */
	int64_t free_checked_us;
	struct spare spares[SPARES_MAX]; /* in order of making */
	unsigned n_spares;
	uint64_t next_spare;
	int64_t spare_after_us;  /* none is made before: it could not be done just now */
	bool spare_idle;         /* the thread that makes them sleeps until it is signalled */
	struct thread flusher, sweeper, sparer;
	struct wake flush_wake, sweep_wake, spare_wake;
	struct log_recovery recovery;
	struct log_stats stats;
};

/* state.c: topics, partitions, pins, notes, and the operations by which they are kept */
struct part *part_get(struct log *log, uint32_t part); /* NULL: there is none */
void part_add_entry(struct part *p, struct segment *seg, int64_t base, int64_t end, int64_t max_time_ms, uint64_t bytes);
struct extent *part_extent(struct part *p, int64_t offset); /* the one that contains it, or NULL */
void part_set_start(struct part *p, int64_t start); /* drops extents below */
void state_put(struct log *log, struct buf *into);
int state_apply(struct log *log, struct view ops, bool whole, struct err *err) WM_MUST_USE; /* whole: of a STATE */
void state_release(struct log *log);
void op_start(struct buf *into, uint32_t part, int64_t start);
void op_pin(struct buf *into, const char *name, uint64_t seq);
void op_pin_drop(struct buf *into, const char *name);
void op_whole(struct buf *into, uint64_t seq);
void op_note_drop(struct buf *into, const char *name);
void note_set(struct log *log, struct view name, uint64_t seq, struct view payload);
/* Applies operations and writes them as one META frame; under the lock. */
int meta_write(struct log *log, struct buf *ops, struct err *err) WM_MUST_USE;

/* write.c, under the lock */
void frame_append(struct log *log, enum frame_type type, uint32_t part, uint64_t unit, const struct io_vec *vecs, unsigned n);
void segment_begin(struct log *log);                 /* closes the last segment, if there is one, and begins the next */
void commit_index(struct log *log, struct segment *seg, uint64_t seq, uint64_t pos, int64_t time_us);
void commit_index_entry(struct log *log, struct segment *seg, uint32_t part, const struct entry *e);
void unit_free(struct log *log, struct log_unit *u);
int log_check_failed(struct log *log, struct err *err) WM_MUST_USE;

/* flush.c */
bool flush_round(struct log *log);                   /* without the lock; false when there was nothing to do */
int wait_durable(struct log *log, uint64_t pos, struct err *err) WM_MUST_USE; /* with the lock, which it gives up meanwhile */
void wait_change(struct log *log);                   /* with the lock, which it gives up meanwhile */
void mark_append(struct log *log);                   /* with the lock: an empty frame that tells how far the log is durable */
void flusher_poke(struct log *log);                  /* with the lock */

void flusher_main(void *arg);
void sweeper_main(void *arg);
void wbuf_release(struct wbuf *b);
uint64_t log_free_bytes(struct log *log);
void log_fail(struct log *log, const struct err *why);

/* spare.c */
bool spare_is_name(const char *name);                /* of a file that nobody needs after a restart */
bool spare_due(struct log *log, int64_t now_us);     /* with the lock */
void spare_make(struct log *log);                    /* one, when it is due; without the lock. What fails is tried again later */
/* Gives a file the name; false: there is none, and nothing was changed. The directory is the caller's to sync; nothing may be written
 * before. The flusher's. */
bool spare_take(struct log *log, const char *name, struct io_file **ret, uint64_t *ret_size);
bool spare_drop(struct log *log);                    /* one, for its room on the disk; false: there was none. Without the lock */
void spare_main(void *arg);

/* segment.c */
struct segment *segment_new(struct log *log, uint64_t base);
void segment_path(const struct segment *seg, struct buf *into);
struct segment *segment_at(struct log *log, uint64_t pos);      /* under the lock; the one that covers pos, or NULL */
struct segment *segment_ref(struct segment *seg);               /* under the lock */
void segment_unref(struct log *log, struct segment *seg);       /* under the lock */
/*
 * Closes what segment_unref has left; without the lock. When the last handle of a removed file is closed, the system frees its blocks and
 * pages, and a sync of any other file waits for that: a second per gigabyte was seen. So the file is cut down step by step before.
 */
void segments_close_gone(struct log *log);
void segment_append(struct log *log, struct segment *seg);      /* under the lock: at the end of segs */
/* Makes seg->index present; called with the lock, which is given up meanwhile; seg must be referenced. Returns a reference to the index. */
struct index *segment_index(struct segment *seg, struct err *err);
int segment_read_seal(struct io_file *f, const struct segment *seg, struct buf *into, struct err *err) WM_MUST_USE;
void segment_summary(struct segment *seg, const struct index *ix);
void index_evict(struct log *log); /* under the lock */

/* A frame's payload, header and CRCs checked; the view is valid until the next call on the window. `limit` is how far the file may be
 * looked at (offset). ahead: bytes that the caller will want next, read in the same call. */
int segment_frame(struct segment *seg, uint64_t pos, uint64_t off, uint64_t limit, size_t ahead, struct window *w, struct frame *ret,
	struct view *ret_payload, struct err *err) WM_MUST_USE;
int frame_offset(struct segment *seg, const struct index *ix, uint64_t pos, uint64_t *ret_off, struct err *err) WM_MUST_USE;
int corrupt(const struct segment *seg, uint64_t off, struct err *err, const char *fmt, ...) __attribute__((format(printf, 4, 5), cold));
void window_release(struct window *w);

/* recover.c */
int log_recover(struct log *log, struct err *err) WM_MUST_USE;

/* scan.c: walking frames of files, for recovery; no lock */
struct scan {
	struct log *log;
	struct segment *seg;
	uint64_t size;           /* of the file */
	uint64_t off;            /* next frame */
	uint64_t last_data;      /* position behind the last frame other than a MARK */
	uint64_t next_unit;
	bool sealed;             /* the SEAL was reached */
	struct err why;          /* what stopped the walk, when it was not the SEAL */
	struct window w;
	struct scan_batch {      /* batches seen, by position */
		uint64_t pos;
		int64_t base;
		uint32_t part, len;
	} *batches;
	size_t n_batches, cap_batches, committed;
};
void scan_begin(struct scan *s, struct segment *seg, uint64_t size, uint64_t off);
void scan_end(struct scan *s);
/* Applies the frames of the last segment to the log's state and to seg->index. 0 at the first frame that is not good, with s->off there;
 * -1 when good frames contradict each other, or reading failed. */
int scan_apply(struct scan *s, struct err *err) WM_MUST_USE;
/* Only the index, from the COMMITs, up to the offset `end`. -1 at the first frame that is not good. */
int scan_index(struct scan *s, struct index *ix, uint64_t end, struct err *err) WM_MUST_USE;
/* Checks frames up to the offset `end`; returns the offset of the first that is not good, or `end`. */
uint64_t scan_check(struct scan *s, uint64_t end);
/* The highest mark in any good frame of the file at or behind s->off, wherever it stands; *ret_zero (or NULL): nothing but zeroes there. */
int scan_marks(struct scan *s, uint64_t *ret_mark, bool *ret_zero, struct err *err) WM_MUST_USE;
int window_fill(struct window *w, struct segment *seg, uint64_t off, size_t len, size_t ahead, uint64_t limit, const uint8_t **ret,
	size_t *ret_len, struct err *err) WM_MUST_USE;

/* read.c; with the lock, which is given up meanwhile when an index has to be loaded */
/* The entry of the batch that holds `offset` of a part: 1, or 0 when it is not there, or -1. */
int entry_find(struct log *log, uint32_t part, int64_t offset, struct entry *ret, struct err *err) WM_MUST_USE;
/* Where the frame at pos is; 1, *ret_seg being a new reference, up to *ret_limit of which may be read; 0 when its segment is gone; or
 * -1. */
int frame_locate(struct log *log, uint64_t pos, struct segment **ret_seg, uint64_t *ret_off, uint64_t *ret_limit,
	struct err *err) WM_MUST_USE;
uint64_t marks_bytes(const struct part *p);          /* with the lock: of batches kept */
struct window window_take(struct log *log);
void window_give(struct log *log, struct window *w);

/* rewrite.c */
int rewrite_run(struct log *log, uint32_t first, uint32_t n, struct err *err) WM_MUST_USE; /* segs[first..first+n) become one */

#endif
