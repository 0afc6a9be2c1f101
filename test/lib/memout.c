/* An in-memory change_out; see memout.h. */
#include "memout.h"

#include <stdio.h>

#include "base/js.h"
#include "base/mem.h"
#include "base/thread.h"

struct rec {
	uint32_t topic;
	char *key, *value;
	struct buf headers; /* JSON array */
	int64_t time_ms;
};

struct memlog {
	struct lock lock;
	char **topics;
	uint32_t ntopics;
	struct rec *recs;
	uint32_t nrecs, cap, closed; /* records up to `closed` belong to closed units */
	struct buf *units;
	uint32_t nunits;
	struct buf *schemas;
	uint32_t nschemas;
	uint64_t durable;
	bool hold;
	enum err_code fail;
};

struct memout {
	struct change_out base;
	struct memlog *log;
	bool open;
	uint32_t first[64]; /* records of each topic in the open unit so far */
};

struct memlog *memlog_new(void)
{
	struct memlog *m = mem_zalloc(sizeof(*m));

	lock_init(&m->lock);
	return m;
}

static void free_rec(struct rec *r)
{
	mem_free(r->key);
	mem_free(r->value);
	buf_release(&r->headers);
}

void memlog_free(struct memlog *m)
{
	uint32_t i;

	for (i = 0; i < m->nrecs; i++)
		free_rec(&m->recs[i]);
	for (i = 0; i < m->ntopics; i++)
		mem_free(m->topics[i]);
	for (i = 0; i < m->nunits; i++)
		buf_release(&m->units[i]);
	for (i = 0; i < m->nschemas; i++)
		buf_release(&m->schemas[i]);
	mem_free(m->recs);
	mem_free(m->topics);
	mem_free(m->units);
	mem_free(m->schemas);
	lock_release(&m->lock);
	mem_free(m);
}

static struct memlog *of(struct change_out *out)
{
	return ((struct memout *)out)->log;
}

static int out_topic(struct change_out *out, struct view name, uint32_t *ret, struct err *err)
{
	struct memlog *m = of(out);
	uint32_t i;

	lock_take(&m->lock);
	for (i = 0; i < m->ntopics && !view_is(name, m->topics[i]); i++)
		;
	if (i == m->ntopics) {
		wm_assert(i < 64);
		m->topics = mem_realloc(m->topics, (i + 1) * sizeof(*m->topics));
		m->topics[m->ntopics++] = mem_strndup(name.ptr, name.len);
	}
	*ret = i;
	lock_drop(&m->lock);
	return 0;
}

static int out_begin(struct change_out *out, struct err *err)
{
	struct memout *o = (struct memout *)out;

	wm_assert(!o->open);
	o->open = true;
	memset(o->first, 0, sizeof(o->first));
	return 0;
}

static char *copy(struct view v)
{
	return v.ptr ? mem_strndup(v.ptr, v.len) : NULL;
}

static int out_append(struct change_out *out, uint32_t topic, const struct change_record *r, uint32_t *ret_index, struct err *err)
{
	struct memout *o = (struct memout *)out;
	struct memlog *m = o->log;
	struct rec *to;
	unsigned i;

	wm_assert(o->open && topic < m->ntopics);
	lock_take(&m->lock);
	if (m->fail) {
		err_set(err, m->fail, "failure made by the test");
		m->fail = ERR_NONE;
		lock_drop(&m->lock);
		return -1;
	}
	if (m->nrecs == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->recs = mem_realloc(m->recs, m->cap * sizeof(*m->recs));
	}
	to = &m->recs[m->nrecs++];
	*to = (struct rec){topic, copy(r->key), copy(r->value), BUF_INIT(1 << 16), r->timestamp_ms};
	buf_putc(&to->headers, '[');
	for (i = 0; i < r->nheaders; i++) {
		buf_puts(&to->headers, i ? ", {\"key\": " : "{\"key\": ");
		js_put_string(&to->headers, r->headers[i].key);
		buf_puts(&to->headers, ", \"value\": ");
		if (r->headers[i].value.ptr)
			js_put_string(&to->headers, r->headers[i].value);
		else
			buf_puts(&to->headers, "null");
		buf_putc(&to->headers, '}');
	}
	buf_putc(&to->headers, ']');
	*ret_index = o->first[topic]++;
	lock_drop(&m->lock);
	return 0;
}

static int out_close(struct change_out *out, struct view payload, uint64_t *ret, struct err *err)
{
	struct memout *o = (struct memout *)out;
	struct memlog *m = o->log;

	wm_assert(o->open);
	o->open = false;
	lock_take(&m->lock);
	m->closed = m->nrecs;
	m->units = mem_realloc(m->units, (m->nunits + 1) * sizeof(*m->units));
	m->units[m->nunits] = BUF_INIT(SIZE_MAX);
	buf_putv(&m->units[m->nunits++], payload);
	*ret = m->nunits;
	if (!m->hold)
		m->durable = m->nunits;
	lock_drop(&m->lock);
	return 0;
}

static int out_abort(struct change_out *out, struct err *err)
{
	struct memout *o = (struct memout *)out;
	struct memlog *m = o->log;

	o->open = false;
	lock_take(&m->lock);
	while (m->nrecs > m->closed)
		free_rec(&m->recs[--m->nrecs]);
	lock_drop(&m->lock);
	return 0;
}

static int out_schema(struct change_out *out, uint32_t oid, uint32_t version, struct view stored, struct err *err)
{
	struct memlog *m = of(out);

	lock_take(&m->lock);
	m->schemas = mem_realloc(m->schemas, (m->nschemas + 1) * sizeof(*m->schemas));
	m->schemas[m->nschemas] = BUF_INIT(SIZE_MAX);
	buf_putv(&m->schemas[m->nschemas++], stored);
	lock_drop(&m->lock);
	return 0;
}

static int out_durable(struct change_out *out, uint64_t *ret, struct err *err)
{
	struct memlog *m = of(out);

	lock_take(&m->lock);
	*ret = m->durable;
	lock_drop(&m->lock);
	return 0;
}

/* Newest of the first n units with a position, its payload in *ret; false when there is none. The lock is held. */
static bool last_position(struct memlog *m, uint64_t n, struct arena *a, struct unit_payload *ret, struct view *bytes)
{
	struct err err = ERR_INIT;
	uint64_t i;

	for (i = n; i-- > 0;) {
		wm_assert(unit_payload_load(buf_view(&m->units[i]), a, ret, &err) == 0);
		*bytes = buf_view(&m->units[i]);
		if (ret->kind == UNIT_TRANSACTION || ret->kind == UNIT_PROGRESS || ret->kind == UNIT_SNAPSHOT_END)
			return true;
	}
	return false;
}

static int out_last(struct change_out *out, struct buf *into, struct err *err)
{
	struct memlog *m = of(out);
	struct arena a = ARENA_INIT;
	struct unit_payload p;
	struct view bytes;

	lock_take(&m->lock);
	if (last_position(m, m->nunits, &a, &p, &bytes))
		buf_putv(into, bytes);
	lock_drop(&m->lock);
	arena_release(&a);
	return 0;
}

static int out_kept(struct change_out *out, struct buf *into, struct err *err)
{
	struct memlog *m = of(out);
	uint32_t i;

	lock_take(&m->lock);
	for (i = m->nunits; i-- > 0 && into->len == 0;)
		if (m->units[i].ptr[1] == UNIT_KEPT)
			buf_putv(into, buf_view(&m->units[i]));
	lock_drop(&m->lock);
	return 0;
}

static int out_schemas(struct change_out *out, int (*fn)(void *, struct view, struct err *), void *arg, struct err *err)
{
	struct memlog *m = of(out);
	uint32_t i;

	for (i = 0; i < m->nschemas; i++)
		if (fn(arg, buf_view(&m->schemas[i]), err))
			return -1;
	return 0;
}

static void out_free(struct change_out *out)
{
	mem_free(out);
}

struct change_out *memout_new(struct memlog *m)
{
	static const struct change_out_ops ops = {
		.topic = out_topic, .begin = out_begin, .append = out_append, .close = out_close, .abort = out_abort, .schema = out_schema,
		.durable = out_durable, .last = out_last, .kept = out_kept, .schemas = out_schemas, .free = out_free,
	};
	struct memout *o = mem_zalloc(sizeof(*o));

	o->base.ops = &ops;
	o->log = m;
	return &o->base;
}

void memlog_hold(struct memlog *m, bool hold)
{
	lock_take(&m->lock);
	m->hold = hold;
	if (!hold)
		m->durable = m->nunits;
	lock_drop(&m->lock);
}

void memlog_fail_next(struct memlog *m, enum err_code code)
{
	lock_take(&m->lock);
	m->fail = code;
	lock_drop(&m->lock);
}

void memlog_forget_kept(struct memlog *m)
{
	uint32_t i;

	lock_take(&m->lock);
	for (i = 0; i < m->nunits; i++)
		if (m->units[i].ptr[1] == UNIT_KEPT) {
			struct unit_payload p = {.kind = UNIT_NOTE};

			buf_clear(&m->units[i]);
			unit_payload_store(&m->units[i], &p);
		}
	lock_drop(&m->lock);
}

unsigned memlog_units(struct memlog *m)
{
	unsigned n;

	lock_take(&m->lock);
	n = m->nunits;
	lock_drop(&m->lock);
	return n;
}

void memlog_unit(struct memlog *m, unsigned i, struct arena *a, struct unit_payload *ret)
{
	struct err err = ERR_INIT;

	lock_take(&m->lock);
	wm_assert(i < m->nunits);
	wm_assert(unit_payload_load(arena_view(a, buf_view(&m->units[i])), a, ret, &err) == 0);
	lock_drop(&m->lock);
}

/* Record i of a topic (NULL = of all) in closed units; the lock is held. */
static struct rec *find(struct memlog *m, const char *topic, unsigned i, unsigned *ret_n)
{
	unsigned n = 0;
	uint32_t k;

	for (k = 0; k < m->closed; k++) {
		if (topic && strcmp(m->topics[m->recs[k].topic], topic) != 0)
			continue;
		if (n++ == i)
			return &m->recs[k];
	}
	*ret_n = n;
	return NULL;
}

unsigned memlog_records(struct memlog *m, const char *topic)
{
	unsigned n = 0;

	lock_take(&m->lock);
	find(m, topic, UINT32_MAX, &n);
	lock_drop(&m->lock);
	return n;
}

const char *memlog_value(struct memlog *m, const char *topic, unsigned i)
{
	struct rec *r;
	const char *s;
	unsigned n;

	lock_take(&m->lock);
	r = find(m, topic, i, &n);
	s = r ? r->value : "(no such record)";
	lock_drop(&m->lock);
	return s;
}

const char *memlog_key(struct memlog *m, const char *topic, unsigned i)
{
	struct rec *r;
	const char *s;
	unsigned n;

	lock_take(&m->lock);
	r = find(m, topic, i, &n);
	s = r ? r->key : "(no such record)";
	lock_drop(&m->lock);
	return s;
}

lsn_t memlog_position(struct memlog *m)
{
	struct arena a = ARENA_INIT;
	struct unit_payload p;
	struct view bytes;
	lsn_t lsn = 0;

	lock_take(&m->lock);
	if (last_position(m, m->nunits, &a, &p, &bytes))
		lsn = p.end_lsn;
	lock_drop(&m->lock);
	arena_release(&a);
	return lsn;
}

lsn_t memlog_durable(struct memlog *m)
{
	struct arena a = ARENA_INIT;
	struct unit_payload p;
	struct view bytes;
	lsn_t lsn = 0;

	lock_take(&m->lock);
	if (last_position(m, m->durable, &a, &p, &bytes))
		lsn = p.end_lsn;
	lock_drop(&m->lock);
	arena_release(&a);
	return lsn;
}

static void put_or_null(struct buf *b, const char *s)
{
	if (s)
		js_put_str(b, s);
	else
		buf_puts(b, "null");
}

int memlog_dump(struct memlog *m, const char *dir, struct err *err)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	char path[512];
	uint32_t t, i;
	int rc = 0;

	lock_take(&m->lock);
	for (t = 0; t < m->ntopics && rc == 0; t++) {
		FILE *f;

		buf_clear(&b);
		for (i = 0; i < m->closed; i++) {
			struct rec *r = &m->recs[i];

			if (r->topic != t)
				continue;
			buf_puts(&b, "{\"partition\": 0, \"key\": ");
			put_or_null(&b, r->key);
			buf_puts(&b, ", \"value\": ");
			put_or_null(&b, r->value);
			buf_printf(&b, ", \"headers\": %s, \"timestamp\": %lld}\n", buf_cstr(&r->headers), (long long)r->time_ms);
		}
		snprintf(path, sizeof(path), "%s/%s.jsonl", dir, m->topics[t]);
		f = b.len ? fopen(path, "w") : NULL;
		if (f && (fwrite(b.ptr, 1, b.len, f) != b.len || fclose(f)))
			rc = err_set(err, ERR_IO, "could not write \"%s\"", path);
	}
	lock_drop(&m->lock);
	buf_release(&b);
	return rc;
}
