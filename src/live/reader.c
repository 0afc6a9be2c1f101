/* Readers: what each has of its topics, and what it gets next. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/js.h"
#include "base/mem.h"
#include "live/live_int.h"

enum { RETRY_US = 1000000 };

struct place {                       /* a reader in a topic */
	struct topic *topic;
	bool snapshot;               /* needs one; seq is where it was registered */
	uint64_t seq;                /* the newest entry that it has */
	struct table_snapshot *seen; /* tables: positions of the snapshot it has, or NULL */
	struct live_position position; /* of what it has, as far as its id tells: after a return */
	int64_t behind_us;           /* no snapshot could be read; not tried before */
};

struct live_reader {
	struct live *l;
	struct place places[TOPICS_MAX];
	unsigned n;
	bool greeted, once;
};

static bool has_all(const struct live_reader *r)
{
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (r->places[i].snapshot)
			return false;
	return true;
}

/* ---- ids: EPOCH-SEQ.LSN.CLOCK,SEQ.LSN.CLOCK, one for each topic in the order of the request; numbers in hex ---- */

static void put_id(struct live_reader *r, struct buf *b)
{
	unsigned i;

	if (!has_all(r))
		return;
	buf_printf(b, "id: %s-", r->l->epoch);
	for (i = 0; i < r->n; i++)
		buf_printf(b, "%s%" PRIx64 ".%" PRIx64 ".%" PRIx64, i ? "," : "", r->places[i].seq, (uint64_t)r->places[i].position.lsn,
			(uint64_t)r->places[i].position.clock_us);
	buf_putc(b, '\n');
}

static bool take_number(const char **s, char end, uint64_t *ret)
{
	char *stop;

	*ret = strtoull(*s, &stop, 16);
	if (stop == *s || *stop != end)
		return false;
	*s = end ? stop + 1 : stop;
	return true;
}

/* True when the id is one of this process's for as many topics. With the lock held. */
static bool resume(struct live_reader *r, const char *id)
{
	const char *s = id + strlen(r->l->epoch);
	unsigned i;

	if (strncmp(id, r->l->epoch, strlen(r->l->epoch)) != 0 || *s++ != '-')
		return false;
	for (i = 0; i < r->n; i++) {
		struct place *p = &r->places[i];
		uint64_t lsn, clock;

		if (!take_number(&s, '.', &p->seq) || !take_number(&s, '.', &lsn) || !take_number(&s, i + 1 < r->n ? ',' : '\0', &clock) ||
			p->seq > p->topic->seq)
			return false;
		p->position = (struct live_position){lsn, (int64_t)clock};
		p->snapshot = p->seq < p->topic->broken;
	}
	return true;
}

/* ---- opening ---- */

static struct topic *find(struct live *l, struct view name)
{
	unsigned i;

	for (i = 0; i < l->ntopics; i++)
		if (view_is(name, l->topics[i].name))
			return &l->topics[i];
	return NULL;
}

static int take_topics(struct live_reader *r, struct view topics, struct err *err)
{
	struct reader in = reader_of(topics);

	while (reader_left(&in)) {
		const uint8_t *comma = memchr(in.ptr, ',', reader_left(&in));
		struct view name = reader_view(&in, comma ? (size_t)(comma - in.ptr) : reader_left(&in));
		struct topic *t = find(r->l, name);

		if (comma)
			reader_take(&in, 1);
		if (!t)
			return err_set(err, ERR_INVALID, "there is no topic \"%.*s\" in the stream", (int)(name.len < 100 ? name.len : 100),
				(const char *)name.ptr);
		if (r->n == TOPICS_MAX)
			return err_set(err, ERR_INVALID, "too many topics");
		r->places[r->n++].topic = t;
	}
	return r->n ? 0 : err_set(err, ERR_INVALID, "topics names what is to be streamed");
}

int live_open(struct live *l, struct view topics, struct view last_id, struct live_reader **ret, struct err *err)
{
	struct live_reader *r = mem_zalloc(sizeof(*r));
	char id[4096];
	unsigned i;

	r->l = l;
	snprintf(id, sizeof(id), "%.*s", (int)last_id.len, (const char *)last_id.ptr);
	if (take_topics(r, topics, err))
		goto fail;
	lock_take(&l->lock);
	if (l->stop || l->nreaders >= l->o.readers_max) {
		lock_drop(&l->lock);
		err_set(err, ERR_LIMIT, l->stop ? "walmill is shutting down" : "%u readers are the most", l->o.readers_max);
		goto fail;
	}
	l->nreaders++;
	/* one that is cold has not been told of what happened since */
	for (i = 0; i < r->n; i++)
		if (!topic_is_warm(r->places[i].topic, live_now(l)))
			topic_cool_down(r->places[i].topic);
	if (!resume(r, id))
		for (i = 0; i < r->n; i++)
			r->places[i].snapshot = true;
	for (i = 0; i < r->n; i++) {
		struct topic *t = r->places[i].topic;

		t->readers++;
		t->poll_due_us = !t->polled ? 0 : t->poll_due_us;
		if (t->table)
			l->warm = true;
	}
	lock_drop(&l->lock);
	wake_signal(&l->work);
	*ret = r;
	return 0;
fail:
	mem_free(r);
	return -1;
}

void live_close(struct live_reader *r)
{
	unsigned i;

	lock_take(&r->l->lock);
	for (i = 0; i < r->n; i++) {
		struct topic *t = r->places[i].topic;

		if (--t->readers == 0)
			t->warm_until_us = live_now(r->l) + RING_US;
		mem_free(r->places[i].seen);
	}
	r->l->nreaders--;
	lock_drop(&r->l->lock);
	mem_free(r);
}

unsigned live_readers(struct live *l)
{
	unsigned n;

	lock_take(&l->lock);
	n = l->nreaders;
	lock_drop(&l->lock);
	return n;
}

/* ---- snapshots ---- */

static void put_event(struct live_reader *r, struct buf *into, const char *event, struct view data)
{
	buf_printf(into, "event: %s\n", event);
	put_id(r, into);
	buf_puts(into, "data: ");
	buf_putv(into, data);
	buf_puts(into, "\n\n");
}

static void put_resync(struct live_reader *r, struct buf *into, const struct place *p)
{
	struct buf data = BUF_INIT(1024);

	buf_printf(&data, "{\"topic\":\"%s\"}", p->topic->name);
	put_event(r, into, "resync", buf_view(&data));
	buf_release(&data);
}

/* With the lock held: what the last poll said. */
static void list_snapshot(struct live_reader *r, struct place *p, struct buf *into)
{
	struct buf data = BUF_INIT(SNAPSHOT_BYTES);
	struct map_slot *s;
	size_t pos = 0;

	buf_printf(&data, "{\"topic\":\"%s\",\"rows\":[", p->topic->name);
	while ((s = map_iter(&p->topic->rows, &pos))) {
		js_put_comma(&data);
		buf_putv(&data, buf_view(s->value));
	}
	buf_puts(&data, "]}");
	p->seq = p->topic->seq;
	p->snapshot = false;
	put_event(r, into, "snapshot", buf_view(&data));
	buf_release(&data);
}

/* Before a job has written to a table since the start, its owner is known only where there is but one. */
static int only_job(const struct table_snapshot *s)
{
	int i, found = -1;

	for (i = 0; i < JOBS_MAX; i++) {
		if (s->known[i] && found >= 0)
			return -1;
		found = s->known[i] ? i : found;
	}
	return found;
}

static void table_snapshot_event(
	struct live_reader *r, struct place *p, const struct table_snapshot *got, struct view rows, struct buf *into)
{
	struct buf data = BUF_INIT(2 * SNAPSHOT_BYTES);
	int job;

	lock_take(&r->l->lock);
	p->snapshot = false;
	job = p->topic->pending_job >= 0 ? p->topic->pending_job : only_job(got);
	if (job >= 0 && got->known[job])
		p->position = got->positions[job];
	lock_drop(&r->l->lock);
	p->seen = p->seen ? p->seen : mem_alloc(sizeof(*p->seen));
	*p->seen = *got;
	buf_printf(&data, "{\"topic\":\"%s\",\"rows\":", p->topic->name);
	buf_putv(&data, rows);
	live_put_lsn(&data, "lsn", p->position.lsn);
	js_put_key(&data, "committedAt");
	js_put_str(&data, got->committed_at);
	buf_putc(&data, '}');
	put_event(r, into, "snapshot", buf_view(&data));
	buf_release(&data);
}

/* All tables that need it, as of one moment. What cannot be read just now is tried again. */
static void table_snapshots_into(struct live_reader *r, struct buf *into)
{
	struct table_snapshot *got = mem_alloc(sizeof(*got));
	struct buf rows[TOPICS_MAX];
	bool wanted[TOPICS_MAX] = {false};
	struct err err = ERR_INIT;
	unsigned i;

	for (i = 0; i < TOPICS_MAX; i++)
		rows[i] = BUF_INIT(SNAPSHOT_BYTES);
	lock_take(&r->l->lock);
	for (i = 0; i < r->n; i++) {
		struct place *p = &r->places[i];

		if (!p->snapshot || !p->topic->table)
			continue;
		wanted[p->topic - r->l->topics] = true;
		/* what comes from now on is behind the snapshot, or left out because of its position */
		p->seq = p->topic->seq;
	}
	lock_drop(&r->l->lock);
	if (table_snapshots(r->l, wanted, rows, got, &err)) {
		for (i = 0; i < r->n; i++)
			r->places[i].behind_us = live_now(r->l) + RETRY_US;
		buf_puts(into, ": the tables cannot be read just now\n\n");
	} else {
		for (i = 0; i < r->n; i++)
			if (wanted[r->places[i].topic - r->l->topics])
				table_snapshot_event(r, &r->places[i], got, buf_view(&rows[r->places[i].topic - r->l->topics]), into);
	}
	for (i = 0; i < TOPICS_MAX; i++)
		buf_release(&rows[i]);
	mem_free(got);
}

/* ---- deltas ---- */

static bool is_in_snapshot(const struct place *p, const struct entry *e)
{
	if (e->job < 0)
		return false;
	if (p->seen && p->seen->known[e->job] && !position_after(e->position, p->seen->positions[e->job]))
		return true;
	return !position_after(e->position, p->position);
}

/* With the lock held. */
static void put_deltas(struct live_reader *r, struct place *p, struct buf *into)
{
	const struct entry *e;

	for (e = p->topic->first; e; e = e->next) {
		if (e->seq <= p->seq)
			continue;
		p->seq = e->seq;
		if (is_in_snapshot(p, e))
			continue;
		if (e->job >= 0)
			p->position = e->position;
		put_event(r, into, "delta", e->data);
	}
}

/* With the lock held. True when tables must be read. */
static bool look(struct live_reader *r, struct buf *into)
{
	bool tables = false;
	unsigned i;

	for (i = 0; i < r->n; i++) {
		struct place *p = &r->places[i];

		if (!p->snapshot && p->seq < p->topic->broken) {
			p->snapshot = true;
			p->position = (struct live_position){0, 0};
			put_resync(r, into, p);
		}
		if (p->snapshot && !p->topic->table && p->topic->polled)
			list_snapshot(r, p, into);
		if (p->snapshot)
			tables = tables || (p->topic->table && live_now(r->l) >= p->behind_us);
		else
			put_deltas(r, p, into);
	}
	return tables;
}

void live_once(struct live_reader *r)
{
	r->once = true;
}

bool live_next(struct live_reader *r, struct buf *into)
{
	int64_t quiet = live_now(r->l) + QUIET_US;

	if (!r->greeted) {
		buf_puts(into, "retry: 1000\n\n");
		r->greeted = true;
		return true;
	}
	if (r->once && has_all(r))
		return false;
	for (;;) {
		uint64_t seen = wake_seen(&r->l->changed);
		int64_t now = live_now(r->l);
		bool tables, stop;

		lock_take(&r->l->lock);
		stop = r->l->stop;
		tables = !stop && look(r, into);
		lock_drop(&r->l->lock);
		if (stop)
			return false;
		if (tables)
			table_snapshots_into(r, into);
		if (into->len)
			return true;
		if (now >= quiet) {
			buf_puts(into, ":\n\n");
			return true;
		}
		wake_wait(&r->l->changed, seen, quiet - now < POLL_US ? quiet - now : POLL_US);
	}
}
