/* Publishing into the embedded log; see log_out.h. The connector's thread, but for durable(). */
#include "stream/log_out.h"

#include <stdio.h>

#include "base/mem.h"
#include "log/batch.h"
#include "model/unit.h"

enum { BATCH_BYTES = 256 << 10, RECORD_BYTES_MAX = LOG_BATCH_MAX - 4096 };

/* A topic as one connector writes it. */
struct out_topic {
	char name[LOG_TOPIC_NAME_MAX + 1];
	uint32_t part;
	struct buf bytes;              /* the batch being built */
	struct batch_builder batch;
	bool building;
	uint32_t in_unit;              /* records of the open unit, built ones included */
	bool touched;
};

struct log_out {
	struct change_out base;
	struct log *log;
	struct io *io;
	char *connector;
	struct log_unit *unit;
	struct out_topic **topics;
	uint32_t ntopics;
	uint32_t *touched;             /* topics of the open unit, in order of first use */
	uint32_t ntouched, cap_touched;
	uint64_t newest;               /* sequence number of the last closed unit */
};

static struct log_out *of(struct change_out *out)
{
	return (struct log_out *)out;
}

/* ---- names ---- */

static void safe_name(const char *prefix, struct view connector, char *to, size_t room)
{
	size_t n = strlen(prefix), i;

	memcpy(to, prefix, n);
	for (i = 0; i < connector.len && n + 4 < room; i++) {
		uint8_t c = connector.ptr[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.')
			to[n++] = (char)c;
		else
			n += (size_t)snprintf(to + n, room - n, "_%02x", c);
	}
	to[n] = '\0';
}

void log_out_schema_topic(struct view connector, char name[LOG_OUT_NAME])
{
	safe_name("__walmill.", connector, name, 200);
}

void log_out_note(struct view connector, char name[LOG_OUT_NAME])
{
	safe_name("connector/", connector, name, 190);
}

static void kept_note(struct view connector, char name[LOG_OUT_NAME])
{
	safe_name("kept/", connector, name, 190);
}

/* ---- topics ---- */

static int find_or_create(
	struct log *log, const char *name, const struct log_config *configs, unsigned n, uint32_t *ret_part, struct err *err)
{
	struct log_topic t;

	if (!log_topic_find(log, view_str(name), &t)) {
		struct err why = ERR_INIT;

		if (log_topic_create(log, name, NULL, 1, configs, n, &t, &why) && why.code != ERR_EXISTS) {
			*err = why;
			return -1;
		}
		if (why.code == ERR_EXISTS && !log_topic_find(log, view_str(name), &t))
			return err_set(err, ERR_BUSY, "topic \"%s\" is being deleted", name);
	}
	if (!log_part_find(log, t.id, 0, ret_part))
		return err_set(err, ERR_NOT_FOUND, "topic \"%s\" was deleted", name);
	return 0;
}

static int out_topic(struct change_out *out, struct view name, uint32_t *ret, struct err *err)
{
	struct log_out *o = of(out);
	struct out_topic *t;
	uint32_t i;

	for (i = 0; i < o->ntopics; i++)
		if (view_is(name, o->topics[i]->name))
			break;
	if (i == o->ntopics) {
		if (name.len > LOG_TOPIC_NAME_MAX)
			return err_set(err, ERR_INVALID, "topic name of %zu characters", name.len);
		t = mem_zalloc(sizeof(*t));
		memcpy(t->name, name.ptr, name.len);
		t->bytes = BUF_INIT(LOG_BATCH_MAX);
		o->topics = mem_realloc(o->topics, (o->ntopics + 1) * sizeof(*o->topics));
		o->topics[o->ntopics++] = t;
	}
	t = o->topics[i];
	/* asked for anew each session: somebody may have deleted it meanwhile */
	if (find_or_create(o->log, t->name, NULL, 0, &t->part, err))
		return -1;
	*ret = i;
	return 0;
}

/* ---- units ---- */

static void forget_open(struct log_out *o)
{
	uint32_t i;

	for (i = 0; i < o->ntouched; i++) {
		struct out_topic *t = o->topics[o->touched[i]];

		buf_clear(&t->bytes);
		t->building = t->touched = false;
		t->in_unit = 0;
	}
	o->ntouched = 0;
}

static int out_begin(struct change_out *out, struct err *err)
{
	struct log_out *o = of(out);

	wm_assert(!o->unit && o->ntouched == 0);
	o->unit = log_unit_begin(o->log, LOG_CAPTURE);
	return 0;
}

static int flush_batch(struct log_out *o, struct out_topic *t, struct err *err)
{
	int64_t base;
	int rc;

	if (!t->building)
		return 0;
	t->building = false;
	if (!batch_end(&t->batch))
		return err_set(err, ERR_LIMIT, "a batch of topic \"%s\" is larger than %d bytes", t->name, LOG_BATCH_MAX);
	rc = log_unit_append(o->unit, t->part, buf_view(&t->bytes), 0, &base, err);
	buf_clear(&t->bytes);
	return rc;
}

static int out_append(struct change_out *out, uint32_t topic, const struct change_record *rec, uint32_t *ret_index, struct err *err)
{
	struct log_out *o = of(out);
	struct out_topic *t = o->topics[topic];
	size_t size = rec->key.len + rec->value.len;
	unsigned i;

	wm_assert(o->unit && topic < o->ntopics);
	if (size > RECORD_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a record of %zu bytes for topic \"%s\" is larger than %d bytes", size, t->name, RECORD_BYTES_MAX);
	if (!t->touched) {
		if (o->ntouched == o->cap_touched) {
			o->cap_touched = o->cap_touched ? o->cap_touched * 2 : 16;
			o->touched = mem_realloc(o->touched, o->cap_touched * sizeof(*o->touched));
		}
		o->touched[o->ntouched++] = topic;
		t->touched = true;
	}
	if (t->building && t->bytes.len + size > BATCH_BYTES && flush_batch(o, t, err))
		return -1;
	if (!t->building) {
		batch_begin(&t->batch, &t->bytes, rec->timestamp_ms);
		t->building = true;
	}
	if (rec->nheaders == 0) {
		batch_add(&t->batch, rec->timestamp_ms, rec->key, rec->value);
	} else {
		batch_record(&t->batch, rec->timestamp_ms);
		if (rec->key.ptr) {
			batch_key(&t->batch);
			buf_putv(&t->bytes, rec->key);
		} else {
			batch_null(&t->batch);
		}
		if (rec->value.ptr) {
			batch_value(&t->batch);
			buf_putv(&t->bytes, rec->value);
		} else {
			batch_null(&t->batch);
		}
		batch_headers(&t->batch, rec->nheaders);
		for (i = 0; i < rec->nheaders; i++)
			batch_header(&t->batch, rec->headers[i].key, rec->headers[i].value);
		batch_record_end(&t->batch);
	}
	*ret_index = t->in_unit++;
	return 0;
}

/* The second byte of a stored payload is its kind. */
static bool is_kept(struct view payload)
{
	return payload.len > 1 && payload.ptr[1] == UNIT_KEPT;
}

static bool has_position(struct view payload)
{
	return payload.len > 1 &&
		(payload.ptr[1] == UNIT_TRANSACTION || payload.ptr[1] == UNIT_PROGRESS || payload.ptr[1] == UNIT_SNAPSHOT_END);
}

static int out_close(struct change_out *out, struct view payload, uint64_t *ret, struct err *err)
{
	struct log_out *o = of(out);
	struct log_close_args args = {.payload = payload};
	struct log_unit *u;
	char note[LOG_OUT_NAME];
	uint32_t i;

	for (i = 0; i < o->ntouched; i++)
		if (flush_batch(o, o->topics[o->touched[i]], err))
			return -1;
	/* a payload that is too large for a note is found by reading on from the last note: see log_out_position */
	if (has_position(payload) && payload.len <= LOG_NOTE_MAX) {
		log_out_note(view_str(o->connector), note);
		args.note = note;
	} else if (is_kept(payload) && payload.len <= LOG_NOTE_MAX) {
		kept_note(view_str(o->connector), note);
		args.note = note;
	}
	forget_open(o);
	u = o->unit;
	o->unit = NULL;
	if (log_unit_close(u, &args, ret, err))
		return -1;
	o->newest = *ret;
	return 0;
}

static int out_abort(struct change_out *out, struct err *err)
{
	struct log_out *o = of(out);

	log_unit_abort(o->unit);
	o->unit = NULL;
	forget_open(o);
	return 0;
}

/* ---- schemas ---- */

static int out_schema(struct change_out *out, uint32_t table_oid, uint32_t version, struct view stored, struct err *err)
{
	static const struct log_config keep[] = {{"retention.ms", "-1"}, {"retention.bytes", "-1"}};
	struct log_out *o = of(out);
	struct buf b = BUF_INIT(LOG_BATCH_MAX);
	struct batch_builder batch;
	char name[LOG_OUT_NAME], key[32];
	int64_t base, now = io_now_us(o->io) / 1000;
	uint32_t part;
	int rc = -1;

	log_out_schema_topic(view_str(o->connector), name);
	if (find_or_create(o->log, name, keep, 2, &part, err))
		return -1;
	snprintf(key, sizeof(key), "%u:%u", table_oid, version);
	batch_begin(&batch, &b, now);
	batch_add(&batch, now, view_str(key), stored);
	if (!batch_end(&batch))
		err_set(err, ERR_LIMIT, "a table schema of %zu bytes is too large for the log", stored.len);
	else
		/* closed before the unit that uses it, so durable no later: units become durable in the order in which they are closed */
		rc = log_append(o->log, LOG_INTERNAL, part, buf_view(&b), 0, NULL, NULL, &base, err);
	buf_release(&b);
	return rc;
}

int log_out_schemas(
	struct log *log, struct view connector, int (*fn)(void *arg, struct view stored, struct err *err), void *arg, struct err *err)
{
	struct log_batches got = LOG_BATCHES_INIT;
	struct log_topic t;
	char name[LOG_OUT_NAME];
	int64_t offset = 0;
	uint32_t part;
	unsigned i;
	int rc = -1, more;

	log_out_schema_topic(connector, name);
	if (!log_topic_find(log, view_str(name), &t) || !log_part_find(log, t.id, 0, &part))
		return 0;
	do {
		if (log_read(log, part, offset, 1 << 20, &got, err))
			goto out;
		for (i = 0; i < got.n; i++) {
			struct record_reader rr;
			struct record rec;

			if (batch_records(&rr, got.batches[i].bytes, err))
				goto out;
			while ((more = record_next(&rr, &rec, err)) > 0)
				if (fn(arg, rec.value, err))
					goto out;
			if (more < 0)
				goto out;
			offset = got.batches[i].next;
		}
	} while (got.n);
	rc = 0;
out:
	log_batches_release(&got);
	return rc;
}

static int out_schemas(struct change_out *out, int (*fn)(void *, struct view, struct err *), void *arg, struct err *err)
{
	struct log_out *o = of(out);

	return log_out_schemas(o->log, view_str(o->connector), fn, arg, err);
}

/* ---- positions ---- */

static int out_durable(struct change_out *out, uint64_t *ret, struct err *err)
{
	struct log_out *o = of(out);

	if (log_failed(o->log, err))
		return -1;
	log_marks(o->log, NULL, 0, NULL, ret);
	return 0;
}

int log_out_position(struct log *log, struct view connector, struct buf *into, uint64_t *ret_seq, struct err *err)
{
	char note[LOG_OUT_NAME];
	struct log_cursor *cursor;
	struct log_unit_info info;
	struct arena a = ARENA_INIT;
	size_t from = into->len;
	uint64_t seq = 0;
	int rc;

	log_out_note(connector, note);
	*ret_seq = log_note(log, note, into, &seq) ? seq : 0;
	if (*ret_seq == 0)
		into->len = from;
	/* units of this connector whose payload did not fit into a note come behind the last one that did */
	cursor = log_cursor_open(log, *ret_seq + 1);
	while ((rc = log_cursor_next(cursor, &info, err)) > 0) {
		struct unit_payload p;

		arena_reset(&a);
		if (!has_position(info.payload) || info.payload.len <= LOG_NOTE_MAX)
			continue;
		if (unit_payload_load(info.payload, &a, &p, err)) {
			rc = -1;
			break;
		}
		if (view_eq(p.connector, connector)) {
			into->len = from;
			buf_putv(into, info.payload);
			*ret_seq = info.seq;
		}
	}
	log_cursor_close(cursor);
	arena_release(&a);
	return rc;
}

static int out_last(struct change_out *out, struct buf *into, struct err *err)
{
	struct log_out *o = of(out);
	uint64_t seq;

	return log_out_position(o->log, view_str(o->connector), into, &seq, err);
}

static int out_kept(struct change_out *out, struct buf *into, struct err *err)
{
	struct log_out *o = of(out);
	char note[LOG_OUT_NAME];

	kept_note(view_str(o->connector), note);
	(void)log_note(o->log, note, into, NULL);
	return 0;
}

static void out_free(struct change_out *out)
{
	struct log_out *o = of(out);
	struct err ignored = ERR_INIT;
	uint32_t i;

	out_abort(out, &ignored);
	for (i = 0; i < o->ntopics; i++) {
		buf_release(&o->topics[i]->bytes);
		mem_free(o->topics[i]);
	}
	mem_free(o->topics);
	mem_free(o->touched);
	mem_free(o->connector);
	mem_free(o);
}

struct change_out *log_out_new(struct log *log, struct io *io, struct view connector)
{
	static const struct change_out_ops ops = {
		.topic = out_topic, .begin = out_begin, .append = out_append, .close = out_close, .abort = out_abort, .schema = out_schema,
		.durable = out_durable, .last = out_last, .kept = out_kept, .schemas = out_schemas, .free = out_free,
	};
	struct log_out *o = mem_zalloc(sizeof(*o));

	o->base.ops = &ops;
	o->log = log;
	o->io = io;
	o->connector = mem_strndup(connector.ptr, connector.len);
	return &o->base;
}

int log_out_forget(struct log *log, struct view connector, struct err *err)
{
	struct log_topic t;
	char name[LOG_OUT_NAME];

	log_out_note(connector, name);
	if (log_note_remove(log, name, err))
		return -1;
	kept_note(connector, name);
	if (log_note_remove(log, name, err))
		return -1;
	log_out_schema_topic(connector, name);
	return log_topic_find(log, view_str(name), &t) ? log_topic_delete(log, t.id, err) : 0;
}
