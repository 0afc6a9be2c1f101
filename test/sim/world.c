/* The simulated world of the log; see world.h. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "log/batch.h"
#include "log/log_int.h"

enum { PARTS = 64, TOPICS = 8, OPEN_UNITS = 4, DIR_LEN = 3 };

struct m_batch {
	uint32_t part;
	int64_t base, next;
	struct buf bytes;
};

struct m_unit {
	uint64_t seq;
	bool acked, failed;
	struct m_batch *batches;
	unsigned n;
	uint8_t payload[64];
	size_t payload_len;
	bool noted;
	struct log_unit *u;      /* while it is open */
	struct world *w;
};

struct m_topic {
	struct log_topic t;
	bool there;              /* created and not deleted, for sure */
	bool maybe;              /* a call about it did not return with success */
	uint32_t parts[4];
};

struct world {
	struct simio *sim;
	struct log *log;
	struct log_settings set;
	struct m_unit **units;   /* closed, by seq - 1 */
	uint64_t n_units;
	struct m_unit *open[OPEN_UNITS];
	struct m_topic topics[TOPICS];
	int64_t starts[PARTS];   /* the log said so: never less again, unless the call that moved them failed and a crash followed */
	bool starts_maybe;
	uint64_t pin;            /* what a successful call has set; 0: none */
	bool pin_maybe;
	struct log_batches out;
	struct world_counts counts;
	unsigned made;
	uint64_t removed, rewritten; /* of the log's figures, last seen */
	char why[1024];
};

static uint64_t rnd(struct world *w, uint64_t n)
{
	return simio_random(w->sim) % n;
}

static bool bad(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool bad(struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
	return false;
}

const char *world_why(const struct world *w) { return w->why; }
struct simio *world_sim(struct world *w) { return w->sim; }
struct log *world_log(struct world *w) { return w->log; }
struct world_counts world_counts(const struct world *w) { return w->counts; }

struct world *world_new(uint64_t seed, unsigned bugs)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->sim = simio_new(seed);
	w->set = log_settings_default();
	w->set.manual = true;
	w->set.segment_bytes = 2048 << rnd(w, 4);
	w->set.grow_bytes = 512 << rnd(w, 5);
	w->set.cut_bytes = rnd(w, 2) ? 1000 : 1 << 20;
	w->set.buffer_bytes = 4096 << rnd(w, 5);
	w->set.index_cache_bytes = rnd(w, 2) ? 0 : 8192;
	w->set.reserve_bytes = 0;
	w->set.flush_interval_us = 0;
	w->set.retention_ms = 3600 * 1000;
	w->set.spare_bytes = rnd(w, 4) * 20000;
	w->set.test_bugs = bugs;
	w->out = LOG_BATCHES_INIT;
	return w;
}

static void unit_drop(struct m_unit *u)
{
	unsigned i;

	for (i = 0; i < u->n; i++)
		buf_release(&u->batches[i].bytes);
	mem_free(u->batches);
	mem_free(u);
}

void world_free(struct world *w)
{
	uint64_t i;

	world_close(w);
	for (i = 0; i < w->n_units; i++)
		unit_drop(w->units[i]);
	mem_free(w->units);
	log_batches_release(&w->out);
	simio_free(w->sim);
	mem_free(w);
}

/* ---- checks ---- */

static bool part_is_there(struct world *w, uint32_t part)
{
	return log_part_topic(w->log, part, NULL, NULL);
}

/* The next offset of a part behind all units up to `seq`. */
static int64_t model_end(struct world *w, uint32_t part, uint64_t seq)
{
	uint64_t i;
	unsigned k;

	for (i = seq; i > 0; i--)
		for (k = w->units[i - 1]->n; k > 0; k--)
			if (w->units[i - 1]->batches[k - 1].part == part)
				return w->units[i - 1]->batches[k - 1].next;
	return 0;
}

/* All partitions' marks at one instant are those behind one unit. */
static bool check_marks(struct world *w)
{
	struct log_marks m[PARTS];
	uint32_t parts[PARTS], i;
	uint64_t seq;

	for (i = 0; i < PARTS; i++)
		parts[i] = i;
	log_marks(w->log, parts, PARTS, m, &seq);
	if (seq > w->n_units)
		return bad(w, "unit %llu is durable, %llu were closed", (unsigned long long)seq, (unsigned long long)w->n_units);
	for (i = 0; i < PARTS; i++) {
		if (!part_is_there(w, i))
			continue;
		if (m[i].high != model_end(w, i, seq))
			return bad(w, "part %u has high watermark %lld, behind unit %llu it is %lld", i, (long long)m[i].high, (unsigned long long)seq,
			    (long long)model_end(w, i, seq));
		if (m[i].start < w->starts[i])
			return bad(w, "part %u starts at %lld, it was at %lld", i, (long long)m[i].start, (long long)w->starts[i]);
		w->starts[i] = m[i].start;
	}
	return true;
}

static const struct m_batch *model_batch(struct world *w, uint32_t part, int64_t offset, uint64_t *at)
{
	unsigned k;

	for (; *at < w->n_units; ++*at)
		for (k = 0; k < w->units[*at]->n; k++) {
			const struct m_batch *b = &w->units[*at]->batches[k];

			if (b->part == part && offset >= b->base && offset < b->next)
				return b;
		}
	return NULL;
}

/* Reads a partition whole. */
static bool check_part(struct world *w, uint32_t part)
{
	struct err err = ERR_INIT;
	struct log_marks m;
	int64_t offset;
	uint64_t at = 0;
	unsigned i;

	log_marks(w->log, &part, 1, &m, NULL);
	for (offset = m.start; offset < m.high;) {
		if (log_read(w->log, part, offset, 1 + rnd(w, 5000), &w->out, &err))
			return bad(w, "reading part %u at %lld: %s", part, (long long)offset, err.text);
		if (w->out.n == 0)
			return bad(w, "nothing at offset %lld of part %u below %lld", (long long)offset, part, (long long)m.high);
		for (i = 0; i < w->out.n; i++) {
			const struct log_batch *b = &w->out.batches[i];
			const struct m_batch *want = model_batch(w, part, offset, &at);

			if (!want || b->base != want->base || b->next != want->next || !view_eq(b->bytes, buf_view(&want->bytes)))
				return bad(w, "part %u, offset %lld: not what was written", part, (long long)offset);
			offset = b->next;
		}
	}
	return offset == m.high || m.high <= m.start ? true : bad(w, "part %u was read to %lld, over its high watermark", part,
	    (long long)offset);
}

static bool check_unit(struct world *w, struct log_cursor *c, const struct log_unit_info *info)
{
	struct err err = ERR_INIT;
	struct m_unit *u;
	struct log_batch b;
	unsigned i;

	if (info->seq == 0 || info->seq > w->n_units)
		return bad(w, "cursor gives unit %llu of %llu", (unsigned long long)info->seq, (unsigned long long)w->n_units);
	u = w->units[info->seq - 1];
	if (!view_eq(info->payload, view_of(u->payload, u->payload_len)))
		return bad(w, "unit %llu has another payload", (unsigned long long)info->seq);
	if (info->n_entries != u->n)
		return bad(w, "unit %llu has %u batches, not %u", (unsigned long long)info->seq, info->n_entries, u->n);
	for (i = 0; i < u->n; i++) {
		const struct log_entry *e = &info->entries[i];
		struct m_batch *m = &u->batches[i];

		if (e->part != m->part || e->base != m->base || e->next != m->next)
			return bad(w, "unit %llu names another batch", (unsigned long long)info->seq);
		if (e->gone) {
			if (part_is_there(w, e->part) && e->next > w->starts[e->part])
				return bad(w, "unit %llu has lost part %u, offset %lld", (unsigned long long)info->seq, e->part, (long long)e->base);
			continue;
		}
		if (log_cursor_batch(c, i, &b, &err))
			return bad(w, "unit %llu: %s", (unsigned long long)info->seq, err.text);
		if (!view_eq(b.bytes, buf_view(&m->bytes)))
			return bad(w, "unit %llu, batch %u: not what was written", (unsigned long long)info->seq, i);
	}
	return true;
}

static bool check_units(struct world *w, uint64_t from)
{
	struct log_cursor *c = log_cursor_open(w->log, from);
	struct err err = ERR_INIT;
	struct log_unit_info info;
	uint64_t next = from ? from : 1, first, last;
	int rc;

	log_unit_span(w->log, &first, &last);
	while ((rc = log_cursor_next(c, &info, &err)) == 1) {
		if (info.seq < next || (info.seq != next && next >= first)) {
			log_cursor_close(c);
			return bad(w, "cursor gives unit %llu where %llu is due", (unsigned long long)info.seq, (unsigned long long)next);
		}
		next = info.seq + 1;
		if (!check_unit(w, c, &info)) {
			log_cursor_close(c);
			return false;
		}
	}
	log_cursor_close(c);
	if (rc < 0)
		return bad(w, "cursor: %s", err.text);
	return next > last || last < first ? true : bad(w, "cursor ends at unit %llu of %llu", (unsigned long long)next,
	    (unsigned long long)last);
}

/* settle: what a call that failed has done is taken as it is now. Only behind a start, where it can no longer change. */
static bool check_topics(struct world *w, bool settle)
{
	unsigned i, k;
	uint32_t part;

	for (i = 0; i < TOPICS; i++) {
		struct m_topic *t = &w->topics[i];
		bool there = t->t.n_parts && log_topic_find_id(w->log, t->t.id, NULL);

		if (t->maybe && !settle)
			continue;
		if (t->maybe) {
			t->maybe = false;
			t->there = there;
		}
		if (there != t->there)
			return bad(w, "topic %u is %s", i, there ? "there again" : "lost");
		for (k = 0; there && k < t->t.n_parts; k++) {
			if (!log_part_find(w->log, t->t.id, k, &part))
				return bad(w, "topic %u has lost partition %u", i, k);
			t->parts[k] = part;
		}
	}
	return true;
}

static bool check_pin(struct world *w)
{
	uint64_t seq = 0;

	if (log_pin_get(w->log, "job", &seq) != (w->pin != 0) && !w->pin_maybe)
		return bad(w, "the pin is %s", w->pin ? "lost" : "there again");
	if (w->pin && seq > w->pin && !w->pin_maybe)
		return bad(w, "the pin is at %llu, it was set to %llu", (unsigned long long)seq, (unsigned long long)w->pin);
	w->pin = seq;
	w->pin_maybe = false;
	return true;
}

static bool check_note(struct world *w)
{
	struct buf b = BUF_INIT(LOG_NOTE_MAX);
	uint64_t seq = 0, first, last, i;
	bool there = log_note(w->log, "sim", &b, &seq), ok = true;

	log_unit_span(w->log, &first, &last);
	for (i = last; i > 0 && !w->units[i - 1]->noted; i--)
		;
	if (there != (i > 0) || (there && (seq != i || !view_eq(buf_view(&b), view_of(w->units[i - 1]->payload,
	    w->units[i - 1]->payload_len)))))
		ok = bad(w, "the note is of unit %llu, not %llu", (unsigned long long)seq, (unsigned long long)i);
	buf_release(&b);
	return ok;
}

bool world_check(struct world *w)
{
	uint32_t i;

	if (!check_marks(w) || !check_topics(w, true) || !check_pin(w) || !check_note(w))
		return false;
	for (i = 0; i < PARTS; i++)
		if (part_is_there(w, i) && !check_part(w, i))
			return false;
	return check_units(w, 0);
}

bool world_verify(struct world *w)
{
	struct log_verify_report r;
	struct err err = ERR_INIT;

	return log_verify(w->log, &r, NULL, NULL, &err) ? bad(w, "verify: %s", err.text) : true;
}

/* ---- open, close, crash ---- */

/* What recovery has kept of the units that were in flight. */
static bool adopt(struct world *w)
{
	uint64_t first, last, i;

	log_unit_span(w->log, &first, &last);
	if (last > w->n_units)
		return bad(w, "unit %llu was recovered, %llu were closed", (unsigned long long)last, (unsigned long long)w->n_units);
	for (i = w->n_units; i > last; i--) {
		if (w->units[i - 1]->acked)
			return bad(w, "unit %llu was acknowledged and is lost: %llu are left", (unsigned long long)i, (unsigned long long)last);
		unit_drop(w->units[i - 1]);
		w->n_units = i - 1;
	}
	if (w->starts_maybe)
		memset(w->starts, 0, sizeof(w->starts));
	w->starts_maybe = false;
	for (i = 0; i < last; i++) {
		w->counts.recovered_more += !w->units[i]->acked;
		w->units[i]->acked = true;
	}
	return true;
}

bool world_open(struct world *w)
{
	struct err err = ERR_INIT;
	unsigned tries = 0;

	simio_set_capacity(w->sim, 0);
	while (log_open(simio_io(w->sim), "log", &w->set, &w->log, &err)) {
		w->log = NULL;
		if (!simio_stopped(w->sim) || ++tries > 100) {
			w->counts.corrupt += err.code == ERR_CORRUPT;
			return bad(w, "open: %s", err.text);
		}
		/* crashed while recovering: again, perhaps to crash again */
		simio_crash(w->sim);
		w->counts.crashes++;
		if (rnd(w, 2))
			simio_crash_at(w->sim, simio_changes(w->sim) + 1 + rnd(w, 8));
		err_clear(&err);
	}
	simio_crash_at(w->sim, 0);
	simio_set_capacity(w->sim, 0);
	w->removed = w->rewritten = 0;
	return adopt(w) && world_check(w);
}

void world_close(struct world *w)
{
	unsigned i;

	if (!w->log)
		return;
	for (i = 0; i < OPEN_UNITS; i++)
		if (w->open[i]) {
			log_unit_abort(w->open[i]->u);
			unit_drop(w->open[i]);
			w->open[i] = NULL;
		}
	log_close(w->log);
	w->log = NULL;
}

bool world_crash(struct world *w)
{
	if (!simio_stopped(w->sim))
		simio_crash_at(w->sim, simio_changes(w->sim) + 1); /* closing must not tidy up */
	world_close(w);
	simio_crash(w->sim);
	w->counts.crashes++;
	return world_open(w);
}

/* ---- work ---- */

static void done(void *arg, uint64_t seq, const struct err *failed)
{
	struct m_unit *u = arg;

	(void)seq;
	if (failed)
		u->failed = true;
	else {
		u->acked = true;
		u->w->counts.acked++;
	}
}

static void make_batch(struct world *w, struct buf *b)
{
	struct batch_builder bb;
	uint64_t n = 1 + rnd(w, 4), size = rnd(w, 20) == 0 ? rnd(w, 9000) : rnd(w, 300), i;
	uint8_t *value = mem_alloc(size + 8);

	batch_begin(&bb, b, (int64_t)w->made * 10);
	for (i = 0; i < n; i++) {
		memset(value, (int)(w->made & 0xff), size + 8);
		put_le64(value, simio_random(w->sim));
		batch_add(&bb, (int64_t)w->made * 10, rnd(w, 3) ? view_of(value, 8) : VIEW_NULL, view_of(value, size));
	}
	w->made++;
	wm_assert(batch_end(&bb));
	mem_free(value);
}

static struct m_topic *some_topic(struct world *w)
{
	struct m_topic *t = &w->topics[rnd(w, TOPICS)];

	return t->there && !t->maybe ? t : NULL;
}

static bool do_append(struct world *w)
{
	unsigned i = (unsigned)rnd(w, OPEN_UNITS);
	struct m_topic *t = some_topic(w);
	struct err err = ERR_INIT;
	struct m_unit *u = w->open[i];
	struct m_batch *b;
	struct m_batch m = {.bytes = BUF_INIT(1 << 20)};

	if (!t)
		return true;
	if (!u) {
		u = w->open[i] = mem_zalloc(sizeof(*u));
		u->w = w;
		u->u = log_unit_begin(w->log, LOG_CLIENT);
	}
	m.part = t->parts[rnd(w, t->t.n_parts)];
	make_batch(w, &m.bytes);
	if (log_unit_append(u->u, m.part, buf_view(&m.bytes), 0, &m.base, &err)) {
		buf_release(&m.bytes);
		return err.code == ERR_BUSY || err.code == ERR_NO_SPACE || log_failed(w->log, NULL) ? true : bad(w, "append: %s", err.text);
	}
	put_be64(m.bytes.ptr, (uint64_t)m.base);
	m.next = m.base + (int32_t)get_be32(m.bytes.ptr + 23) + 1;
	u->batches = mem_realloc(u->batches, (u->n + 1) * sizeof(*b));
	u->batches[u->n++] = m;
	w->counts.batches++;
	return true;
}

static bool do_close(struct world *w)
{
	unsigned i = (unsigned)rnd(w, OPEN_UNITS), k;
	struct m_unit *u = w->open[i];
	struct log_close_args args = {.done = done, .done_arg = u};
	struct err err = ERR_INIT;

	if (!u)
		return true;
	w->open[i] = NULL;
	if (rnd(w, 8) == 0) {
		log_unit_abort(u->u);
		unit_drop(u);
		return true;
	}
	u->payload_len = rnd(w, sizeof(u->payload));
	for (k = 0; k < u->payload_len; k++)
		u->payload[k] = (uint8_t)rnd(w, 256);
	u->noted = rnd(w, 4) == 0;
	args.payload = view_of(u->payload, u->payload_len);
	args.note = u->noted ? "sim" : NULL;
	w->units = mem_realloc(w->units, (w->n_units + 1) * sizeof(struct m_unit *));
	w->units[w->n_units++] = u; /* before the call: the callback may run in it */
	if (log_unit_close(u->u, &args, &u->seq, &err)) {
		w->n_units--;
		unit_drop(u);
		return log_failed(w->log, NULL) ? true : bad(w, "close: %s", err.text);
	}
	u->u = NULL;
	w->counts.units++;
	return u->seq == w->n_units ? true : bad(w, "unit %llu was given number %llu", (unsigned long long)w->n_units,
	    (unsigned long long)u->seq);
}

static bool do_create(struct world *w)
{
	static const char *const policies[] = {"1000", "3600000", "-1"};
	struct m_topic *t = &w->topics[rnd(w, TOPICS)];
	struct log_config c = {"retention.ms", policies[rnd(w, 3)]};
	struct err err = ERR_INIT;
	char name[32];
	unsigned k;

	if (t->maybe)
		return true;
	if (t->there && rnd(w, 4) == 0) {
		t->maybe = true;
		if (!log_topic_delete(w->log, t->t.id, &err))
			t->there = t->maybe = false;
		return true;
	}
	if (t->there || w->counts.topics > PARTS / 4 - 2)
		return true;
	snprintf(name, sizeof(name), "t%llu", (unsigned long long)w->counts.topics++);
	memset(&t->t, 0, sizeof(t->t));
	for (k = 0; k < 16; k++)
		t->t.id[k] = (uint8_t)rnd(w, 256);
	t->t.n_parts = 1 + (uint32_t)rnd(w, 3);
	t->maybe = true;
	if (log_topic_create(w->log, name, t->t.id, t->t.n_parts, &c, 1, NULL, &err))
		return true;
	t->maybe = false;
	t->there = true;
	return check_topics(w, false);
}

static bool do_pin(struct world *w)
{
	struct err err = ERR_INIT;
	uint64_t first, last, seq;

	log_unit_span(w->log, &first, &last);
	if (rnd(w, 3) == 0) {
		w->pin_maybe |= w->pin != 0;
		if (!log_pin_clear(w->log, "job", &err) && !log_flush(w->log, &err)) {
			/* it was written, but nobody waits for it: it may come back after a crash */
			w->pin_maybe = true;
		}
		return true;
	}
	seq = w->pin + rnd(w, 5);
	if (seq == 0 || seq > last)
		return true;
	if (log_pin_get(w->log, "job", &first) && seq < first)
		return true;
	w->pin_maybe |= w->pin == 0;
	if (!log_pin_set(w->log, "job", seq, &err)) {
		w->pin_maybe = w->pin_maybe && w->pin != 0;
		w->pin = seq;
	} else
		w->pin_maybe = true;
	return true;
}

/* What a pin holds is there. */
static bool do_sweep(struct world *w)
{
	struct err err = ERR_INIT;
	uint64_t pin = 0, first, last;
	struct log_stats st;
	bool held = log_pin_get(w->log, "job", &pin);

	log_unit_span(w->log, &first, &last);
	w->starts_maybe = true;
	if (log_sweep(w->log, &err))
		return log_failed(w->log, NULL) || err.code == ERR_NO_SPACE || err.code == ERR_IO ? true : bad(w, "sweep: %s", err.text);
	if (held && first <= pin) {
		log_unit_span(w->log, &first, &last);
		if (first > pin && pin <= last)
			return bad(w, "retention went to unit %llu, over the pin at %llu", (unsigned long long)first, (unsigned long long)pin);
	}
	w->starts_maybe = false;
	log_stats(w->log, &st);
	w->counts.trims += st.removed_segments != w->removed;
	w->counts.rewrites += st.rewritten_segments != w->rewritten;
	w->counts.prepared += st.prepared_segments > 0;
	w->removed = st.removed_segments;
	w->rewritten = st.rewritten_segments;
	return check_marks(w) && (log_failed(w->log, NULL) || rnd(w, 4) || check_units(w, 0));
}

static bool do_read(struct world *w)
{
	struct m_topic *t = some_topic(w);

	if (!check_marks(w))
		return false;
	return !t || simio_stopped(w->sim) || check_part(w, t->parts[rnd(w, t->t.n_parts)]);
}

static bool step(struct world *w)
{
	struct err err = ERR_INIT;

	switch (rnd(w, 40)) {
	case 0: return do_create(w);
	case 1: return do_pin(w);
	case 2: return do_sweep(w);
	case 3: return do_read(w);
	case 4:
		simio_advance_us(w->sim, (int64_t)rnd(w, 1000) * 1000);
		return true;
	case 9:
		/* the disk is full for a while */
		simio_set_capacity(w->sim, rnd(w, 8) ? 0 : 1 + simio_used(w->sim) + rnd(w, 4000));
		return true;
	case 5:
		if (log_flush(w->log, &err))
			return log_failed(w->log, NULL) || err.code == ERR_NO_SPACE ? true : bad(w, "flush: %s", err.text);
		return w->n_units == 0 || w->units[w->n_units - 1]->acked ? true : bad(w, "a flush did not acknowledge the last unit");
	case 6:
	case 7:
	case 8:
		log_step(w->log);
		return true;
	default:
		return rnd(w, 3) ? do_append(w) : do_close(w);
	}
}

bool world_run(struct world *w, unsigned steps)
{
	while (steps--) {
		bool ok = w->counts.topics ? step(w) : do_create(w);

		if (simio_stopped(w->sim) || log_failed(w->log, NULL))
			return true; /* what a call says while the machine stops does not count */
		if (!ok)
			return false;
	}
	return true;
}
