/*
 * Committed offsets in topic __consumer_offsets, one partition: records as Apache Kafka's coordinator writes them (OffsetKey 1, OffsetValue
 * 3 of messages.txt; a null value deletes), so that tools that read that topic understand it. The thread `kafka`, but for durable().
 *
 * The log does not compact by key. When the topic is much larger than what is live, everything live is written anew as one unit, and then,
 * on the worker, the topic is trimmed up to it: a crash in between leaves both, which load to the same.
 */
#include "kafka/groups.h"

#include <stdio.h>

#include "base/mem.h"
#include "kafka/codec.h"
#include "log/batch.h"

enum { KEY_VERSION = 1, VALUE_VERSION = 3, RECORD_OVERHEAD = 64, COMPACT_MIN = 1 << 20, COMPACT_FACTOR = 4, BATCH_BYTES = 512 << 10,
	READ_BYTES = 4 << 20, BATCH_MAX = 48 << 20 };

/* ---- writing ---- */

static void put_record(struct batch_builder *b, struct buf *buf, const struct group_entry *e, const struct group_offset *o,
	const struct offset_value *v, int64_t now_ms)
{
	struct offset_key key = {.group = e->name, .topic = o->topic, .partition = o->partition};
	struct offset_value_record value = {.offset = v->offset, .leader_epoch = v->epoch, .metadata = v->metadata,
		.commit_time_ms = v->time_ms};

	batch_record(b, now_ms);
	batch_key(b);
	buf_be16(buf, KEY_VERSION);
	wire_encode(&wire_offset_key, KEY_VERSION, false, &key, buf);
	if (v->present) {
		batch_value(b);
		buf_be16(buf, VALUE_VERSION);
		wire_encode(&wire_offset_value_record, VALUE_VERSION, false, &value, buf);
	} else {
		batch_null(b);
	}
	batch_record_end(b);
}

static void commit_ended(struct kafka *k, struct later *l)
{
	struct commit *c = (struct commit *)l;
	uint32_t i;

	k->in_flight--;
	c->e->in_flight--;
	for (i = 0; i < c->n; i++) {
		struct group_offset *o = c->items[i].offset;

		if (!c->failed)
			offset_set(c->e, &o->durable, &c->items[i].value);
		if (--o->in_flight == 0) {
			offset_set(c->e, &o->appended, &(struct offset_value){0});
			if (!o->durable.present)
				offset_drop(c->e, o);
		}
	}
	groups_scheduled(c->e);
	c->done(c);
}

static void durable(void *arg, uint64_t seq, const struct err *failed)
{
	struct commit *c = arg;

	c->failed = failed != NULL;
	kafka_post(c->k, &c->later);
}

int group_store_commit(struct commit *c, struct err *err)
{
	struct groups *gs = c->k->groups;
	int64_t now_ms = io_now_us(c->k->io) / 1000, base;
	struct batch_builder b;
	uint32_t i;

	buf_clear(&gs->batch);
	batch_begin(&b, &gs->batch, now_ms);
	for (i = 0; i < c->n; i++)
		put_record(&b, &gs->batch, c->e, c->items[i].offset, &c->items[i].value, now_ms);
	if (!batch_end(&b))
		return err_set(err, ERR_LIMIT, "offsets of one commit take more than %d bytes", BATCH_MAX);
	c->later.fn = commit_ended;
	if (log_append(c->k->log, LOG_INTERNAL, gs->part, buf_view(&gs->batch), LOG_NOWAIT, durable, c, &base, err))
		return -1;
	c->k->in_flight++;
	c->e->in_flight++;
	for (i = 0; i < c->n; i++) {
		c->items[i].offset->in_flight++;
		offset_set(c->e, &c->items[i].offset->appended, &c->items[i].value);
	}
	return 0;
}

/* ---- compaction ---- */

struct compaction {
	struct later later;          /* first */
	struct kafka *k;
	int64_t begin;               /* offset of the first batch written */
	bool failed;
};

static void compaction_over(struct kafka *k, struct later *l)
{
	k->groups->compacting = false;
	k->working--;
	mem_free(l);
}

static void compaction_trim(struct kafka *k, struct later *l)
{
	struct compaction *c = (struct compaction *)l;
	struct err err = ERR_INIT;

	/* a pin may hold what would go: next time then */
	if (!c->failed)
		(void)!log_trim(k->log, k->groups->part, c->begin, false, &err);
	l->fn = compaction_over;
	kafka_post(k, l);
}

static void compaction_written(struct kafka *k, struct later *l)
{
	k->in_flight--;
	k->working++;
	l->fn = compaction_trim;
	kafka_work(k, l);
}

static void compaction_durable(void *arg, uint64_t seq, const struct err *failed)
{
	struct compaction *c = arg;

	c->failed = failed != NULL;
	kafka_post(c->k, &c->later);
}

static int flush_some(struct kafka *k, struct log_unit *u, struct batch_builder *b, int64_t *first, bool last, int64_t now_ms)
{
	struct buf *buf = &k->groups->batch;
	struct err err = ERR_INIT;
	int64_t base;

	if (buf->len < BATCH_BYTES && !last)
		return 0;
	if (!batch_end(b) || (buf->len && log_unit_append(u, k->groups->part, buf_view(buf), LOG_NOWAIT, &base, &err)))
		return -1;
	if (buf->len && *first < 0)
		*first = base;
	buf_clear(buf);
	batch_begin(b, buf, now_ms);
	return 0;
}

static int write_all(struct kafka *k, struct log_unit *u, int64_t *first)
{
	int64_t now_ms = io_now_us(k->io) / 1000;
	struct batch_builder b;
	struct map_slot *s, *t;
	size_t pos = 0, at;

	buf_clear(&k->groups->batch);
	batch_begin(&b, &k->groups->batch, now_ms);
	while ((s = map_iter(&k->groups->map, &pos))) {
		struct group_entry *e = s->value;

		for (at = 0; (t = map_iter(&e->offsets, &at));) {
			struct group_offset *o = t->value;
			struct offset_value *v = o->in_flight ? &o->appended : &o->durable;

			if (!v->present)
				continue;
			put_record(&b, &k->groups->batch, e, o, v, now_ms);
			if (flush_some(k, u, &b, first, false, now_ms))
				return -1;
		}
	}
	return flush_some(k, u, &b, first, true, now_ms);
}

void group_store_compact(struct kafka *k)
{
	struct groups *gs = k->groups;
	struct log_close_args args = {0};
	struct compaction *c;
	struct err err = ERR_INIT;
	struct log_marks m;
	struct log_unit *u;

	log_marks(k->log, &gs->part, 1, &m, NULL);
	if (gs->compacting || m.bytes < COMPACT_MIN || m.bytes < COMPACT_FACTOR * gs->live_bytes)
		return;
	c = mem_zalloc(sizeof(*c));
	c->k = k;
	c->begin = -1;
	c->later.fn = compaction_written;
	args.done = compaction_durable;
	args.done_arg = c;
	u = log_unit_begin(k->log, LOG_INTERNAL);
	if (write_all(k, u, &c->begin)) {
		log_unit_abort(u);
		mem_free(c);
		return;
	}
	if (c->begin < 0)
		c->begin = m.high; /* nothing is live */
	if (log_unit_close(u, &args, NULL, &err)) {
		mem_free(c);
		return;
	}
	gs->compacting = true;
	k->in_flight++;
}

/* ---- loading ---- */

static bool load_record(struct kafka *k, const struct record *rec, struct arena *a)
{
	struct offset_value_record value;
	struct reader r = reader_of(rec->key);
	struct offset_value v = {0};
	struct group_entry *e;
	struct group_offset *o;
	struct offset_key key;
	int16_t version = (int16_t)reader_be16(&r);

	if (version > KEY_VERSION)
		return true; /* of a group's members: not kept by walmill */
	if (!wire_decode_some(&wire_offset_key, version, false, &r, a, &key))
		return false;
	if (rec->value.ptr) {
		r = reader_of(rec->value);
		version = (int16_t)reader_be16(&r);
		if (version > VALUE_VERSION || !wire_decode_some(&wire_offset_value_record, version, false, &r, a, &value))
			return false;
		v = (struct offset_value){true, value.offset, value.commit_time_ms, value.leader_epoch, value.metadata};
	}
	e = groups_make(k, key.group);
	if (!e)
		return true;
	if (v.time_ms > e->used_ms)
		e->used_ms = v.time_ms;
	o = v.present ? offset_make(e, key.topic, key.partition) : offset_find(e, key.topic, key.partition);
	if (!o)
		return true;
	offset_set(e, &o->durable, &v);
	if (!v.present)
		offset_drop(e, o);
	groups_scheduled(e);
	return true;
}

static int load_batch(struct kafka *k, struct view bytes, struct err *err)
{
	struct buf plain = BUF_INIT(BATCH_MAX);
	struct arena a = ARENA_INIT;
	struct record_reader rr;
	struct batch_info info;
	struct record rec;
	int more = -1;

	if (batch_get(bytes, &info, err) ||
		codec_decompress(
			info.attributes & BATCH_CODEC_MASK, view_of(bytes.ptr + BATCH_HEADER, bytes.len - BATCH_HEADER), &plain, err))
		goto out;
	batch_records_over(&rr, &info, buf_view(&plain));
	while ((more = record_next(&rr, &rec, err)) > 0) {
		if (rec.key.ptr && !load_record(k, &rec, &a)) {
			more = err_set(err, ERR_CORRUPT, "record %lld of topic \"" TOPIC_OFFSETS "\" cannot be read", (long long)rec.offset);
			break;
		}
		arena_reset(&a);
	}
out:
	arena_release(&a);
	buf_release(&plain);
	return more;
}

static int load(struct kafka *k, struct err *err)
{
	struct log_batches got = LOG_BATCHES_INIT;
	struct log_marks m;
	int64_t at;
	unsigned i;
	int rc = 0;

	log_marks(k->log, &k->groups->part, 1, &m, NULL);
	for (at = m.start; !rc && at < m.high; at = got.batches[got.n - 1].next) {
		rc = log_read(k->log, k->groups->part, at, READ_BYTES, &got, err);
		for (i = 0; !rc && i < got.n; i++)
			rc = load_batch(k, got.batches[i].bytes, err);
		if (rc || got.n == 0)
			break;
	}
	log_batches_release(&got);
	return rc;
}

int group_store_open(struct kafka *k, struct err *err)
{
	static const struct log_config configs[] = {{"cleanup.policy", "compact"}};
	struct log_topic t;

	k->groups = mem_zalloc(sizeof(*k->groups));
	k->groups->batch = BUF_INIT(BATCH_MAX);
	if (!log_topic_find(k->log, view_str(TOPIC_OFFSETS), &t) && log_topic_create(k->log, TOPIC_OFFSETS, NULL, 1, configs, 1, &t, err))
		return -1;
	if (!log_part_find(k->log, t.id, 0, &k->groups->part))
		return err_set(err, ERR_INTERNAL, "topic \"" TOPIC_OFFSETS "\" has no partition");
	return load(k, err);
}
