/*
 * Retention: which offsets go, which files go, and which are rewritten. One thread at a time (the sweeper, or the simulation's caller).
 *
 * A round, with what makes each step safe at a crash:
 *
 *	starts    Where retention.ms or retention.bytes of a topic allows it, a partition's start moves to the end of what its oldest
 *	          segment's units brought: whole units, by the clock at their commit. Never past a pin. The moves are one META frame, synced
 *	          before any file goes.
 *	pins      When retention is held up and what pins hold is more than pin_max_bytes, the lowest pin is taken out and its owner told.
 *	remove    From the front, files that no partition needs any longer, one by one, each followed by a sync of the directory.
 *	rewrite   A run of neighbouring closed files that are mostly dead, which a quiet partition with long retention would keep for ever,
 *	          becomes one file with what still lives, each frame as it was (format.h). Written beside, synced, renamed over the first of
 *	          the run, directory synced, then the others removed. What is in between at a crash is known by the range in the header.
 *
 * A file may go or be rewritten only when the STATE at the head of a later one is durable: then recovery will never have to go back to it.
 */
#include "log/log_int.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- starts ---- */

static int64_t config_i64(const struct topic *t, const char *key, int64_t otherwise)
{
	uint32_t i;
	char *end;
	long long v;

	for (i = 0; i < t->n_config; i++) {
		if (strcmp(t->config[i * 2], key) != 0)
			continue;
		v = strtoll(t->config[i * 2 + 1], &end, 10);
		return end != t->config[i * 2 + 1] && *end == '\0' ? v : otherwise;
	}
	return otherwise;
}

static bool is_trimmed(const struct topic *t)
{
	uint32_t i;

	for (i = 0; i < t->n_config; i++)
		if (strcmp(t->config[i * 2], "cleanup.policy") == 0)
			return strstr(t->config[i * 2 + 1], "delete") != NULL;
	return true;
}

static uint64_t lowest_pin(const struct log *log)
{
	uint64_t seq = UINT64_MAX;
	uint32_t i;

	for (i = 0; i < log->n_pins; i++)
		if (log->pins[i]->seq < seq)
			seq = log->pins[i]->seq;
	return seq;
}

struct round {
	int64_t now_us;
	uint64_t pin;        /* lowest */
	uint64_t whole;      /* new log->whole_seq */
	bool held;           /* a pin was in the way */
	bool roll;           /* the last segment holds what has expired */
	struct buf ops;
};

static void part_retention(struct log *log, struct part *p, struct round *r)
{
	int64_t ms = config_i64(p->topic, "retention.ms", log->set.retention_ms), start = p->start;
	int64_t most = config_i64(p->topic, "retention.bytes", log->set.retention_bytes);
	uint64_t total = marks_bytes(p), whole = 0;
	uint32_t i;

	if (!is_trimmed(p->topic))
		return;
	for (i = 0; i < p->n_extents; i++) {
		struct extent *x = &p->extents[i];
		bool last = x->seg == log->segs[log->n_segs - 1];
		int64_t time_us = last ? x->seg->index->last_time_us : x->seg->last_time_us;
		bool old = ms >= 0 && ms < INT64_MAX / 2000 && time_us + ms * 1000 <= r->now_us;
		bool over = most >= 0 && total - x->bytes >= (uint64_t)most;

		if (!old && !over)
			break;
		if (x->end > p->high)
			break;
		if (last) {
			r->roll |= old && !over;
			break;
		}
		if (x->seg->last_seq >= r->pin) {
			r->held = true;
			break;
		}
		total -= x->bytes;
		start = x->end;
		whole = x->seg->last_seq + 1;
	}
	if (start > p->start)
		op_start(&r->ops, p->part, start);
	if (whole > r->whole)
		r->whole = whole;
}

/* ---- pins ---- */

static uint64_t bytes_from(struct log *log, uint64_t seq)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < log->n_segs; i++)
		if (log->segs[i]->last_seq >= seq)
			sum += log->segs[i]->used;
	return sum;
}

/* The pin that must give way, its name to be freed, or NULL. */
static char *pin_over_limit(struct log *log, struct round *r)
{
	uint32_t i;

	log->stats.pinned_bytes = r->held ? bytes_from(log, r->pin) : 0;
	if (!r->held || !log->set.pin_max_bytes || log->stats.pinned_bytes <= log->set.pin_max_bytes)
		return NULL;
	for (i = 0; i < log->n_pins; i++)
		if (log->pins[i]->seq == r->pin) {
			op_pin_drop(&r->ops, log->pins[i]->name);
			return mem_strdup(log->pins[i]->name);
		}
	return NULL;
}

/* ---- which files ---- */

/* Lowest position that an open unit, or a live partition by a COMMIT in segments i.., needs. */
static uint64_t lowest_needed(struct log *log, uint32_t from, const uint64_t *live)
{
	uint64_t pos = log->durable;
	struct log_unit *u;
	uint32_t i;

	for (u = log->open; u; u = u->open_next)
		if (u->min_pos < pos)
			pos = u->min_pos;
	for (i = from; i < log->n_segs; i++) {
		struct segment *s = log->segs[i];
		uint64_t min = s->index && !s->written ? s->index->min_pos : s->min_pos;

		if (live[i] && min < pos)
			pos = min;
	}
	return pos;
}

/* Bytes that live, by the segment of their COMMIT; freed by the caller. */
static uint64_t *live_bytes(struct log *log)
{
	uint64_t *live = mem_zalloc((log->n_segs + 1) * sizeof(*live));
	uint32_t i, k, at;

	for (i = 0; i < log->cap_parts; i++)
		for (k = 0, at = 0; log->parts[i] && k < log->parts[i]->n_extents; k++) {
			while (log->segs[at] != log->parts[i]->extents[k].seg)
				at++;
			live[at] += log->parts[i]->extents[k].bytes ? log->parts[i]->extents[k].bytes : 1;
		}
	return live;
}

/* Segments from the end that recovery may have to go back to are left alone. */
static uint32_t segments_settled(const struct log *log)
{
	uint32_t n = log->n_segs;

	while (n > 0 && log->segs[n - 1]->head_end > log->durable)
		n--;
	return n > 0 ? n - 1 : 0; /* the last of those whose STATE is durable is needed */
}

static bool is_dead(struct log *log, uint32_t i, const uint64_t *live, uint64_t pin)
{
	return live[i] == 0 && log->segs[i]->last_seq < pin && lowest_needed(log, i + 1, live) >= log->segs[i]->end;
}

/* Less than half of the batches that it once had are wanted still; or it never had any. */
static bool is_mostly_dead(const struct log *log, const struct segment *s, uint64_t live)
{
	return s->batch_bytes ? live < s->batch_bytes / 2 : !s->rewritten && s->last_seq < log->whole_seq;
}

static bool is_candidate(struct log *log, uint32_t i, const uint64_t *live, uint64_t pin)
{
	const struct segment *s = log->segs[i];
	struct log_unit *u;

	for (u = log->open; u; u = u->open_next)
		if (u->min_pos < s->end)
			return false; /* its batches are in no index yet */
	/* small ones are taken along, or each would leave a file behind for ever */
	return s->last_seq < pin && (is_mostly_dead(log, s, live[i]) || (s->rewritten && s->used < log->set.segment_bytes / 8));
}

/* ---- the round ---- */

static int remove_front(struct log *log, struct err *err)
{
	struct segment *seg = NULL;
	struct buf path = BUF_INIT(1 << 16), ops = BUF_INIT(64);
	uint64_t *live;
	int rc = 0;

	lock_take(&log->lock);
	live = live_bytes(log);
	if (segments_settled(log) > 0 && is_dead(log, 0, live, lowest_pin(log))) {
		if (log->segs[0]->last_seq >= log->whole_seq) {
			op_whole(&ops, log->segs[0]->last_seq + 1);
			rc = meta_write(log, &ops, err) || wait_durable(log, log->tail, err) ? -1 : 0;
		}
		/* the wait gave the lock up, but nothing else takes segments away, and what was dead stays so; but for a pin */
		if (!rc && log->segs[0]->last_seq < lowest_pin(log)) {
			seg = log->segs[0];
			memmove(log->segs, log->segs + 1, --log->n_segs * sizeof(struct segment *));
			segment_path(seg, &path);
			log->stats.removed_segments++;
		}
	}
	mem_free(live);
	lock_drop(&log->lock);
	if (seg) {
		rc = io_unlink(log->io, (const char *)path.ptr, err) || io_sync_dir(log->io, log->dir, err) ? -1 : 1;
		if (rc < 0)
			log_fail(log, err); /* the directory's state is not known any longer */
		lock_take(&log->lock);
		seg->removed = rc > 0;
		segment_unref(log, seg);
		lock_drop(&log->lock);
	}
	buf_release(&path);
	return rc;
}

/* One run of neighbours: the first in which anything is to be won. */
static int rewrite_one(struct log *log, struct err *err)
{
	uint64_t *live, sum;
	uint32_t first = 0, n = 0, settled;
	uint64_t pin;
	bool worth = false;

	lock_take(&log->lock);
	live = live_bytes(log);
	settled = segments_settled(log);
	pin = lowest_pin(log);
	for (; first < settled && !worth; first += worth ? 0 : n + 1) {
		for (n = 0, sum = 0; first + n < settled && is_candidate(log, first + n, live, pin); n++) {
			sum += live[first + n];
			if (n && sum > log->set.segment_bytes)
				break;
			worth |= n > 0 || is_mostly_dead(log, log->segs[first], live[first]);
		}
	}
	mem_free(live);
	lock_drop(&log->lock);
	return worth ? rewrite_run(log, first, n, err) : 0;
}

int log_sweep(struct log *log, struct err *err)
{
	struct round r = {.now_us = io_now_us(log->io), .ops = BUF_INIT(64 << 20)};
	char *pin_name = NULL;
	uint64_t pin_seq;
	uint32_t i;
	int rc;

	lock_take(&log->lock);
	rc = log_check_failed(log, err);
	if (rc)
		goto out;
	r.pin = pin_seq = lowest_pin(log);
	r.whole = log->whole_seq;
	for (i = 0; i < log->cap_parts; i++)
		if (log->parts[i])
			part_retention(log, log->parts[i], &r);
	pin_name = pin_over_limit(log, &r);
	if (r.whole > log->whole_seq)
		op_whole(&r.ops, r.whole);
	if (r.roll && !log->full)
		segment_begin(log);
	if (r.ops.len)
		rc = meta_write(log, &r.ops, err);
	else if (log->marked < log->last_data && log->durable >= log->last_data)
		mark_append(log); /* as the flusher does when it is idle; in the simulation nobody else would */
	if (!rc && log->tail > log->durable && !(log->set.test_bugs & LOG_BUG_REMOVE_EARLY))
		rc = wait_durable(log, log->tail, err);
out:
	lock_drop(&log->lock);
	buf_release(&r.ops);
	if (pin_name && log->set.pin_released)
		log->set.pin_released(log->set.pin_released_arg, pin_name, pin_seq);
	mem_free(pin_name);
	while (!rc && (rc = remove_front(log, err)) == 1)
		rc = 0;
	if (!rc)
		rc = rewrite_one(log, err);
	segments_close_gone(log);
	return rc;
}

/* The pin that may need what lies below `before`, which is above the partition's start. */
static const struct pin *pin_over(struct log *log, struct part *p, int64_t before)
{
	struct extent *x = part_extent(p, before - 1);
	uint32_t i;

	wm_assert(x);
	for (i = 0; i < log->n_pins; i++)
		if (x->seg->last_seq >= log->pins[i]->seq)
			return log->pins[i];
	return NULL;
}

bool log_trim_held(struct log *log, uint32_t part, int64_t before, char ret_pin[LOG_NAME_MAX + 1])
{
	const struct pin *pin = NULL;
	struct part *p;

	lock_take(&log->lock);
	p = part_get(log, part);
	if (p) {
		before = before == -1 || before > p->high ? p->high : before;
		pin = before > p->start ? pin_over(log, p, before) : NULL;
		if (pin)
			snprintf(ret_pin, LOG_NAME_MAX + 1, "%s", pin->name);
	}
	lock_drop(&log->lock);
	return pin != NULL;
}

int log_trim(struct log *log, uint32_t part, int64_t before, bool force, struct err *err)
{
	struct buf ops = BUF_INIT(256);
	const struct pin *pin;
	struct extent *x;
	struct part *p;
	int rc = -1;

	lock_take(&log->lock);
	p = part_get(log, part);
	if (!p) {
		err_set(err, ERR_NOT_FOUND, "there is no partition number %u", part);
		goto out;
	}
	before = before == -1 ? p->high : before;
	if (before < 0 || before > p->high) {
		err_set(err, ERR_INVALID, "offset %lld of topic \"%s\", partition %u is above its high watermark %lld", (long long)before,
		    p->topic->name, p->index, (long long)p->high);
		goto out;
	}
	if (before <= p->start) {
		rc = 0;
		goto out;
	}
	pin = force ? NULL : pin_over(log, p, before);
	if (pin) {
		err_set(err, ERR_STATE, "offsets below %lld of topic \"%s\", partition %u are held by pin \"%s\"", (long long)before,
			p->topic->name, p->index, pin->name);
		goto out;
	}
	x = part_extent(p, before - 1);
	op_start(&ops, part, before);
	if (x->seg->last_seq >= log->whole_seq)
		op_whole(&ops, x->seg->last_seq + 1);
	rc = meta_write(log, &ops, err) || wait_durable(log, log->tail, err) ? -1 : 0;
out:
	lock_drop(&log->lock);
	return rc;
}
