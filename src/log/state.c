/*
 * What the log knows besides batches: topics and their partitions, starts, pins, notes, counters. It changes only by operations, which are
 * applied in memory and written as a META frame, and is written whole as a STATE frame at the head of each segment. Under the log's lock.
 *
 * An operation is a byte and its fields; integers are uvarints, strings have a uvarint length in front:
 *   1 TOPIC    id (16 bytes), name, number of ranges, each: first part number, count; number of config entries, each: key, value
 *   2 DROP     id
 *   3 PART     part, start, end of closed units          (in a STATE only)
 *   4 START    part, start
 *   5 PIN      name, seq              6 UNPIN    name
 *   7 NOTE     name, seq, bytes       8 UNNOTE   name
 *   9 COUNTERS next seq, next unit, next part number   (in a STATE only)
 *  10 WHOLE    the number from which on units are kept whole
 */
#include "log/log_int.h"

enum op { OP_TOPIC = 1, OP_DROP, OP_PART, OP_START, OP_PIN, OP_UNPIN, OP_NOTE, OP_UNNOTE, OP_COUNTERS, OP_WHOLE };

/* ---- partitions ---- */

struct part *part_get(struct log *log, uint32_t part)
{
	return part < log->cap_parts ? log->parts[part] : NULL;
}

void part_add_entry(struct part *p, struct segment *seg, int64_t base, int64_t end, int64_t max_time_ms, uint64_t bytes)
{
	struct extent *x = p->n_extents ? &p->extents[p->n_extents - 1] : NULL;

	if (!x || x->seg != seg) {
		if (p->n_extents == p->cap_extents) {
			p->cap_extents = p->cap_extents ? p->cap_extents * 2 : 2;
			p->extents = mem_realloc(p->extents, p->cap_extents * sizeof(*p->extents));
		}
		x = &p->extents[p->n_extents++];
		*x = (struct extent){.seg = seg, .first = base, .max_time_ms = INT64_MIN};
	}
	x->end = end;
	if (max_time_ms > x->max_time_ms)
		x->max_time_ms = max_time_ms;
	x->bytes += bytes;
}

struct extent *part_extent(struct part *p, int64_t offset)
{
	uint32_t lo = 0, hi = p->n_extents;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (p->extents[mid].end <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->n_extents && p->extents[lo].first <= offset ? &p->extents[lo] : NULL;
}

void part_set_start(struct part *p, int64_t start)
{
	uint32_t n = 0;

	if (start <= p->start)
		return;
	p->start = start;
	while (n < p->n_extents && p->extents[n].end <= start)
		n++;
	p->n_extents -= n;
	if (p->n_extents && n)
		memmove(p->extents, p->extents + n, p->n_extents * sizeof(*p->extents));
}

static struct part *part_new(struct log *log, uint32_t number, struct topic *t, uint32_t index)
{
	struct part *p = mem_zalloc(sizeof(*p));

	if (number >= log->cap_parts) {
		uint32_t cap = number + 1 > log->cap_parts * 2 ? number + 1 : log->cap_parts * 2;

		log->parts = mem_realloc(log->parts, cap * sizeof(*log->parts));
		memset(log->parts + log->cap_parts, 0, (cap - log->cap_parts) * sizeof(*log->parts));
		log->cap_parts = cap;
	}
	wm_assert(!log->parts[number]);
	p->part = number;
	p->topic = t;
	p->index = index;
	log->parts[number] = p;
	if (number >= log->next_part)
		log->next_part = number + 1;
	return p;
}

static void part_free(struct log *log, uint32_t number)
{
	struct part *p = part_get(log, number);

	if (!p)
		return;
	log->parts[number] = NULL;
	mem_free(p->extents);
	mem_free(p);
}

/* ---- topics ---- */

static void topic_free(struct log *log, struct topic *t)
{
	uint32_t i, k;

	for (i = 0; i < t->n_ranges; i++)
		for (k = 0; k < t->ranges[i].count; k++)
			part_free(log, t->ranges[i].first + k);
	for (i = 0; i < t->n_config * 2; i++)
		mem_free(t->config[i]);
	mem_free(t->config);
	mem_free(t->ranges);
	mem_free(t);
}

static void put_topic(struct buf *b, const struct topic *t)
{
	uint32_t i;

	buf_u8(b, OP_TOPIC);
	buf_put(b, t->id, 16);
	buf_bytes(b, view_str(t->name));
	buf_uvarint(b, t->n_ranges);
	for (i = 0; i < t->n_ranges; i++) {
		buf_uvarint(b, t->ranges[i].first);
		buf_uvarint(b, t->ranges[i].count);
	}
	buf_uvarint(b, t->n_config);
	for (i = 0; i < t->n_config * 2; i++)
		buf_bytes(b, view_str(t->config[i]));
}

static void take_config(struct topic *t, struct reader *r)
{
	uint64_t n = reader_uvarint(r);
	uint32_t i;

	for (i = 0; i < t->n_config * 2; i++)
		mem_free(t->config[i]);
	t->n_config = 0;
	if (n > reader_left(r) / 2) {
		r->bad = true;
		return;
	}
	t->config = mem_realloc(t->config, (n * 2 + 1) * sizeof(*t->config));
	for (i = 0; i < n * 2; i++) {
		struct view v = reader_bytes(r);

		t->config[i] = mem_strndup(v.ptr ? (const char *)v.ptr : "", v.len);
	}
	t->n_config = (uint32_t)n;
}

/* A topic's whole definition: a new one, or one with more partitions or another configuration. */
static void apply_topic(struct log *log, struct reader *r)
{
	const uint8_t *id = reader_take(r, 16);
	struct view name = reader_bytes(r);
	uint64_t n = reader_uvarint(r), i, k;
	struct topic *t;

	if (r->bad || name.len == 0 || name.len > LOG_TOPIC_NAME_MAX || n > LOG_TOPIC_PARTITIONS_MAX) {
		r->bad = true;
		return;
	}
	t = map_get(&log->topics_by_id, view_of(id, 16));
	if (!t) {
		t = mem_zalloc(sizeof(*t));
		memcpy(t->id, id, 16);
		memcpy(t->name, name.ptr, name.len);
		map_put(&log->topics_by_id, view_of(id, 16), t);
		map_put(&log->topics, name, t);
	}
	t->ranges = mem_realloc(t->ranges, (n + 1) * sizeof(*t->ranges));
	for (i = 0; i < n; i++) {
		uint64_t first = reader_uvarint(r), count = reader_uvarint(r);

		if (r->bad || count > LOG_TOPIC_PARTITIONS_MAX || first > PARTS_EVER) {
			r->bad = true;
			return;
		}
		if (i < t->n_ranges)
			continue;
		t->ranges[i] = (struct part_range){(uint32_t)first, (uint32_t)count};
		for (k = 0; k < count; k++) {
			if (part_get(log, (uint32_t)(first + k))) {
				t->ranges[i].count = (uint32_t)k;
				r->bad = true;
				break;
			}
			part_new(log, (uint32_t)(first + k), t, t->n_parts++);
		}
		t->n_ranges++;
		if (r->bad)
			return;
	}
	take_config(t, r);
}

static void apply_drop(struct log *log, struct reader *r)
{
	const uint8_t *id = reader_take(r, 16);
	struct topic *t = id ? map_remove(&log->topics_by_id, view_of(id, 16)) : NULL;

	if (!t)
		return;
	map_remove(&log->topics, view_str(t->name));
	topic_free(log, t);
}

/* ---- pins and notes ---- */

static uint32_t pin_place(struct log *log, struct view name)
{
	uint32_t i;

	for (i = 0; i < log->n_pins && !view_is(name, log->pins[i]->name); i++)
		;
	return i;
}

static void apply_pin(struct log *log, struct reader *r, bool drop)
{
	struct view name = reader_bytes(r);
	uint64_t seq = drop ? 0 : reader_uvarint(r);
	uint32_t i;

	if (r->bad || name.len == 0 || name.len > LOG_NAME_MAX) {
		r->bad = true;
		return;
	}
	i = pin_place(log, name);
	if (drop) {
		if (i < log->n_pins) {
			mem_free(log->pins[i]);
			log->pins[i] = log->pins[--log->n_pins];
		}
		return;
	}
	if (i == log->n_pins) {
		log->pins = mem_realloc(log->pins, (i + 1) * sizeof(*log->pins));
		log->pins[i] = mem_zalloc(sizeof(struct pin));
		memcpy(log->pins[i]->name, name.ptr, name.len);
		log->n_pins++;
	}
	log->pins[i]->seq = seq;
}

/* The newest payload under a name; what is durable stays readable until the newer one is. */
void note_set(struct log *log, struct view name, uint64_t seq, struct view payload)
{
	struct note *n = map_get(&log->notes, name);

	if (!n) {
		n = mem_zalloc(sizeof(*n));
		memcpy(n->name, name.ptr, name.len);
		n->now = n->durable = BUF_INIT(LOG_NOTE_MAX);
		map_put(&log->notes, name, n);
	} else if (n->seq <= log->durable_seq) {
		struct buf swap = n->durable;

		n->durable = n->now;
		n->now = swap;
		n->durable_seq = n->seq;
		n->has_durable = true;
	}
	n->seq = seq;
	buf_clear(&n->now);
	buf_putv(&n->now, payload);
}

static void note_free(struct note *n)
{
	buf_release(&n->now);
	buf_release(&n->durable);
	mem_free(n);
}

static void apply_note(struct log *log, struct reader *r, bool drop)
{
	struct view name = reader_bytes(r), payload = VIEW_NULL;
	uint64_t seq = drop ? 0 : reader_uvarint(r);

	if (!drop)
		payload = reader_bytes(r);
	if (r->bad || name.len == 0 || name.len > LOG_NAME_MAX || payload.len > LOG_NOTE_MAX)
		r->bad = true;
	else if (!drop)
		note_set(log, name, seq, payload);
	else if (map_get(&log->notes, name))
		note_free(map_remove(&log->notes, name));
}

/* ---- operations ---- */

void op_start(struct buf *into, uint32_t part, int64_t start)
{
	buf_u8(into, OP_START);
	buf_uvarint(into, part);
	buf_uvarint(into, (uint64_t)start);
}

void op_pin(struct buf *into, const char *name, uint64_t seq)
{
	buf_u8(into, OP_PIN);
	buf_bytes(into, view_str(name));
	buf_uvarint(into, seq);
}

void op_pin_drop(struct buf *into, const char *name)
{
	buf_u8(into, OP_UNPIN);
	buf_bytes(into, view_str(name));
}

void op_whole(struct buf *into, uint64_t seq)
{
	buf_u8(into, OP_WHOLE);
	buf_uvarint(into, seq);
}

void op_note_drop(struct buf *into, const char *name)
{
	buf_u8(into, OP_UNNOTE);
	buf_bytes(into, view_str(name));
}

void state_put(struct log *log, struct buf *into)
{
	struct map_slot *s;
	size_t pos = 0;
	uint32_t i;

	buf_u8(into, OP_COUNTERS);
	buf_uvarint(into, log->next_seq);
	buf_uvarint(into, log->next_unit);
	buf_uvarint(into, log->next_part);
	while ((s = map_iter(&log->topics_by_id, &pos)))
		put_topic(into, s->value);
	for (i = 0; i < log->cap_parts; i++) {
		struct part *p = log->parts[i];

		if (p && (p->start || p->closed)) {
			buf_u8(into, OP_PART);
			buf_uvarint(into, p->part);
			buf_uvarint(into, (uint64_t)p->start);
			buf_uvarint(into, (uint64_t)p->closed);
		}
	}
	for (i = 0; i < log->n_pins; i++)
		op_pin(into, log->pins[i]->name, log->pins[i]->seq);
	for (pos = 0; (s = map_iter(&log->notes, &pos));) {
		struct note *n = s->value;

		buf_u8(into, OP_NOTE);
		buf_bytes(into, view_str(n->name));
		buf_uvarint(into, n->seq);
		buf_bytes(into, buf_view(&n->now));
	}
	op_whole(into, log->whole_seq);
}

static void apply_part(struct log *log, struct reader *r, bool whole)
{
	uint64_t number = reader_uvarint(r), start = reader_uvarint(r), end = whole ? reader_uvarint(r) : 0;
	struct part *p = number < UINT32_MAX ? part_get(log, (uint32_t)number) : NULL;

	if (r->bad || start > INT64_MAX || end > INT64_MAX || (whole && (!p || start > end))) {
		r->bad = true;
		return;
	}
	if (p && whole)
		p->closed = p->high = p->next = (int64_t)end;
	if (p)
		part_set_start(p, (int64_t)start);
}

static void apply_counters(struct log *log, struct reader *r)
{
	uint64_t seq = reader_uvarint(r), unit = reader_uvarint(r), part = reader_uvarint(r);

	if (r->bad || part > PARTS_EVER || seq == 0 || seq > INT64_MAX || unit > INT64_MAX) {
		r->bad = true;
		return;
	}
	log->next_seq = seq;
	log->next_unit = unit;
	log->next_part = (uint32_t)part;
}

int state_apply(struct log *log, struct view ops, bool whole, struct err *err)
{
	struct reader r = reader_of(ops);

	while (!r.bad && reader_left(&r)) {
		enum op op = (enum op)reader_u8(&r);

		if (!whole && (op == OP_PART || op == OP_COUNTERS))
			r.bad = true;
		switch (op) {
		case OP_TOPIC: apply_topic(log, &r); break;
		case OP_DROP: apply_drop(log, &r); break;
		case OP_PART: apply_part(log, &r, true); break;
		case OP_START: apply_part(log, &r, false); break;
		case OP_PIN: apply_pin(log, &r, false); break;
		case OP_UNPIN: apply_pin(log, &r, true); break;
		case OP_NOTE: apply_note(log, &r, false); break;
		case OP_UNNOTE: apply_note(log, &r, true); break;
		case OP_COUNTERS: apply_counters(log, &r); break;
		case OP_WHOLE: log->whole_seq = reader_uvarint(&r); break;
		default: r.bad = true;
		}
	}
	return r.bad ? err_set(err, ERR_CORRUPT, "operations on the log's state are malformed") : 0;
}

int meta_write(struct log *log, struct buf *ops, struct err *err)
{
	struct io_vec v;
	int rc = -1;

	if (!buf_ok(ops)) {
		err_set(err, ERR_LIMIT, "change of the log's state is larger than %zu bytes", ops->max);
		goto out;
	}
	if (log_check_failed(log, err) || state_apply(log, buf_view(ops), false, err))
		goto out;
	v = (struct io_vec){ops->ptr, ops->len};
	frame_append(log, FRAME_META, 0, 0, &v, 1);
	wake_signal(&log->wake);
	rc = 0;
out:
	buf_release(ops);
	return rc;
}

void state_release(struct log *log)
{
	struct map_slot *s;
	size_t pos = 0;
	uint32_t i;

	while ((s = map_iter(&log->topics_by_id, &pos)))
		topic_free(log, s->value);
	for (pos = 0; (s = map_iter(&log->notes, &pos));)
		note_free(s->value);
	for (i = 0; i < log->n_pins; i++)
		mem_free(log->pins[i]);
	mem_free(log->pins);
	mem_free(log->parts);
	map_release(&log->topics);
	map_release(&log->topics_by_id);
	map_release(&log->notes);
	log->pins = NULL;
	log->n_pins = 0;
	log->parts = NULL;
	log->cap_parts = log->next_part = 0;
	log->topics = log->topics_by_id = log->notes = MAP_INIT;
}
