/*
 * Producers' states over restarts: a snapshot in a file, and behind it what the log has; and the producer ids that were given out.
 *
 * The snapshot is only a shortcut: without it, or with one that is damaged, the whole log is read. It holds batches that were durable when
 * it was made, and the number of the unit up to which it holds them all. Units of clients have no payload; those of connectors have, and
 * are not read.
 *
 * File DIR/producers (le): "WMKP", u32 version = 1, u64 unit, u32 producers, then of each: u32 part, i64 id, i64 used_ms, i16 epoch, u8
 * batches, and of each batch: i32 first, i32 last sequence, i64 first offset, i64 next offset. Last, u32 CRC-32C of all before.
 */
#include "kafka/producers_int.h"

#include "base/crc32c.h"
#include "base/mem.h"

enum {
	FILE_MAX = 1 << 30,
	EXPIRES_MS = 86400000,
	SAVE_EVERY = 1000,           /* batches of producers, or ... */
	SAVE_UNITS = 50000,          /* units of anybody between two snapshots while it runs: that much is read at the next start */
	BLOCK = 1000,                /* ids taken at a time */
};

#define MAGIC "WMKP"

struct save {
	struct later later;          /* first */
	struct kafka *k;
	struct buf b;
	uint64_t changed, seq;
};

/* ---- writing ---- */

/* The marks of all producers' partitions at one instant, in the order of the map, and the last unit that they show. */
static struct log_marks *all_marks(struct kafka *k, uint64_t *ret_seq)
{
	struct producers *ps = k->producers;
	uint32_t *parts = mem_zalloc((ps->map.count + 1) * sizeof(*parts)), n = 0;
	struct log_marks *marks = mem_zalloc((ps->map.count + 1) * sizeof(*marks));
	struct map_slot *s;
	size_t pos = 0;

	while ((s = map_iter(&ps->map, &pos)))
		parts[n++] = ((struct producer *)s->value)->part;
	log_marks(k->log, parts, n, marks, ret_seq);
	mem_free(parts);
	return marks;
}

static void put_producer(struct buf *b, const struct producer *p, int64_t high)
{
	unsigned i, n = 0;
	size_t at;

	buf_le32(b, p->part);
	buf_le64(b, (uint64_t)p->id);
	buf_le64(b, (uint64_t)p->used_ms);
	buf_le16(b, (uint16_t)p->epoch);
	at = b->len;
	buf_u8(b, 0);
	for (i = 0; i < p->n && p->batches[i].next <= high; i++, n++) {
		buf_le32(b, (uint32_t)p->batches[i].first);
		buf_le32(b, (uint32_t)p->batches[i].last);
		buf_le64(b, (uint64_t)p->batches[i].base);
		buf_le64(b, (uint64_t)p->batches[i].next);
	}
	if (buf_ok(b))
		b->ptr[at] = (uint8_t)n;
}

static uint64_t snapshot(struct kafka *k, struct buf *b)
{
	struct producers *ps = k->producers;
	uint64_t seq;
	struct log_marks *marks = all_marks(k, &seq);
	struct map_slot *s;
	size_t pos = 0, i = 0;

	buf_puts(b, MAGIC);
	buf_le32(b, 1);
	buf_le64(b, seq);
	buf_le32(b, (uint32_t)ps->map.count);
	while ((s = map_iter(&ps->map, &pos)))
		put_producer(b, s->value, marks[i++].high);
	buf_le32(b, crc32c(0, b->ptr, b->len));
	mem_free(marks);
	return seq;
}

static void expire(struct kafka *k)
{
	int64_t now_ms = io_now_us(k->io) / 1000;
	struct map_slot *s;
	size_t pos = 0;

	while ((s = map_iter(&k->producers->map, &pos))) {
		struct producer *p = s->value;

		/* a removed slot stays a slot: the iteration goes on behind it */
		if (now_ms - p->used_ms > EXPIRES_MS)
			producer_remove(k->producers, p);
	}
}

static int write_file(struct kafka *k, struct view bytes, struct err *err)
{
	struct buf path = BUF_INIT(8192);
	int rc;

	buf_printf(&path, "%s/producers", k->dir);
	rc = io_replace(k->io, buf_cstr(&path), bytes, err);
	buf_release(&path);
	return rc;
}

static void save_over(struct kafka *k, struct later *l)
{
	struct save *s = (struct save *)l;

	k->producers->saving = false;
	k->producers->saved = s->changed;
	k->producers->saved_seq = s->seq;
	k->working--;
	buf_release(&s->b);
	mem_free(s);
}

static void save_work(struct kafka *k, struct later *l)
{
	struct save *s = (struct save *)l;
	struct err err = ERR_INIT;

	/* without it the next start reads more of the log */
	(void)!write_file(k, buf_view(&s->b), &err);
	l->fn = save_over;
	kafka_post(k, l);
}

void producers_save(struct kafka *k, bool now)
{
	struct producers *ps = k->producers;
	struct err err = ERR_INIT;
	uint64_t first, last;
	struct save *s;

	log_unit_span(k->log, &first, &last);
	if (ps->saving || last == ps->saved_seq || (!now && ps->changed - ps->saved < SAVE_EVERY && last - ps->saved_seq < SAVE_UNITS))
		return;
	expire(k);
	s = mem_zalloc(sizeof(*s));
	s->k = k;
	s->b = BUF_INIT(FILE_MAX);
	s->changed = ps->changed;
	s->seq = snapshot(k, &s->b);
	if (!now && buf_ok(&s->b)) {
		ps->saving = true;
		k->working++;
		s->later.fn = save_work;
		kafka_work(k, &s->later);
		return;
	}
	if (buf_ok(&s->b) && write_file(k, buf_view(&s->b), &err) == 0) {
		ps->saved = s->changed;
		ps->saved_seq = s->seq;
	}
	buf_release(&s->b);
	mem_free(s);
}

/* ---- ids ---- */

static int ids_file(struct kafka *k, struct buf *path)
{
	buf_printf(path, "%s/producer_ids", k->dir);
	return buf_ok(path) ? 0 : -1;
}

/* The first id that was not given out: by the file, and, should that be lost, behind all that the log has. */
static void load_ids(struct kafka *k)
{
	struct producers *ps = k->producers;
	struct buf path = BUF_INIT(8192), b = BUF_INIT(256);
	struct err err = ERR_INIT;
	struct map_slot *s;
	size_t pos = 0;

	if (ids_file(k, &path) == 0 && io_read_file(k->io, buf_cstr(&path), &b, &err) == 0 && b.len == 8)
		ps->next_id = (int64_t)get_le64(b.ptr);
	while ((s = map_iter(&ps->map, &pos)))
		if (((struct producer *)s->value)->id >= ps->next_id)
			ps->next_id = ((struct producer *)s->value)->id + 1;
	ps->end_id = ps->next_id;
	buf_release(&path);
	buf_release(&b);
}

/* The next block is taken in the file (le64: the first id behind it) before one of its ids is given out, so that none is given twice. */
static int take_block(struct kafka *k, struct err *err)
{
	struct producers *ps = k->producers;
	struct buf path = BUF_INIT(8192);
	uint8_t bytes[8];
	int rc;

	put_le64(bytes, (uint64_t)(ps->end_id + BLOCK));
	rc = ids_file(k, &path) || io_replace(k->io, buf_cstr(&path), view_of(bytes, sizeof(bytes)), err);
	buf_release(&path);
	if (!rc)
		ps->end_id += BLOCK;
	return rc ? -1 : 0;
}

/* ---- reading ---- */

static bool get_producer(struct producers *ps, struct reader *r)
{
	uint32_t part = reader_le32(r);
	int64_t id = (int64_t)reader_le64(r), used_ms = (int64_t)reader_le64(r);
	int16_t epoch = (int16_t)reader_le16(r);
	uint8_t n = reader_u8(r), i;
	struct producer *p;

	if (r->bad || n > PRODUCER_BATCHES)
		return false;
	p = producer_make(ps, part, id);
	p->used_ms = used_ms;
	p->epoch = epoch;
	p->n = n;
	for (i = 0; i < n; i++) {
		p->batches[i].first = (int32_t)reader_le32(r);
		p->batches[i].last = (int32_t)reader_le32(r);
		p->batches[i].base = (int64_t)reader_le64(r);
		p->batches[i].next = (int64_t)reader_le64(r);
	}
	return !r->bad;
}

/* The unit from which on the log has to be read; 0: from the beginning. */
static uint64_t load_snapshot(struct producers *ps, struct view bytes)
{
	struct reader r = reader_of(view_of(bytes.ptr, bytes.len < 4 ? 0 : bytes.len - 4));
	struct view magic = reader_view(&r, 4);
	uint32_t version = reader_le32(&r), n;
	uint64_t seq = reader_le64(&r);

	if (r.bad || !view_is(magic, MAGIC) || version != 1 || crc32c(0, bytes.ptr, bytes.len - 4) != get_le32(bytes.ptr + bytes.len - 4))
		return 0;
	for (n = reader_le32(&r); n > 0; n--)
		if (!get_producer(ps, &r))
			return 0;
	return reader_done(&r) ? seq + 1 : 0;
}

static bool known(struct producers *ps, uint32_t part, const struct batch_info *info)
{
	const struct producer *p = producer_find(ps, part, info->producer_id);

	return p && p->n > 0 && p->batches[p->n - 1].base >= info->base;
}

static int replay_unit(struct kafka *k, struct log_cursor *c, const struct log_unit_info *u, struct err *err)
{
	struct batch_info info;
	struct log_batch b;
	unsigned i;

	for (i = 0; i < u->n_entries && u->payload.len == 0; i++) {
		if (u->entries[i].gone)
			continue;
		if (log_cursor_batch(c, i, &b, err)) {
			if (err->code != ERR_LOST)
				return -1;
			continue; /* retention was faster */
		}
		if (batch_get(b.bytes, &info, err))
			return -1;
		if (info.producer_id >= 0 && !known(k->producers, u->entries[i].part, &info))
			producers_note(k->producers, u->entries[i].part, &info, info.base, u->time_us / 1000);
	}
	return 0;
}

int producers_load(struct kafka *k, struct err *err)
{
	struct buf path = BUF_INIT(8192), bytes = BUF_INIT(FILE_MAX);
	struct log_unit_info u;
	struct log_cursor *c;
	struct err why = ERR_INIT;
	uint64_t first, last, from = 0;
	int rc;

	k->producers = producers_new();
	log_unit_span(k->log, &first, &last);
	buf_printf(&path, "%s/producers", k->dir);
	if (io_read_file(k->io, buf_cstr(&path), &bytes, &why) == 0)
		from = load_snapshot(k->producers, buf_view(&bytes));
	/* a log that is behind its snapshot is another log */
	if (from == 0 || from > last + 1) {
		producers_free(k->producers);
		k->producers = producers_new();
		from = 1;
	}
	c = log_cursor_open(k->log, from);
	while ((rc = log_cursor_next(c, &u, err)) > 0 && u.seq <= last)
		if (replay_unit(k, c, &u, err)) {
			rc = -1;
			break;
		}
	log_cursor_close(c);
	buf_release(&path);
	buf_release(&bytes);
	k->producers->saved = k->producers->changed;
	k->producers->saved_seq = from - 1;
	if (rc >= 0 && last - k->producers->saved_seq >= SAVE_UNITS)
		producers_save(k, true);
	load_ids(k);
	return rc < 0 ? -1 : 0;
}

/* ---- InitProducerId ---- */

void serve_init_producer_id(struct request *rq)
{
	const struct init_producer_id_request *in = rq->in;
	struct init_producer_id_response *out = rq->out;
	struct producers *ps = rq->k->producers;
	struct err err = ERR_INIT;

	out->producer_id = -1;
	out->producer_epoch = -1;
	/* an id without an epoch, or the other way */
	if ((in->producer_id == -1) != (in->producer_epoch == -1) || (in->transactional_id.ptr && !in->transactional_id.len))
		out->error = KE_INVALID_REQUEST;
	else if (in->transactional_id.ptr)
		out->error = KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	else if (ps->next_id == ps->end_id && take_block(rq->k, &err))
		out->error = KE_COORDINATOR_NOT_AVAILABLE;
	if (out->error)
		return;
	out->producer_id = ps->next_id++;
	out->producer_epoch = 0;
}
