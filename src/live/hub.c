/* Topics, what is kept of them, and the thread that makes deltas; see live.h. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/js.h"
#include "base/mem.h"
#include "live/live_int.h"

int64_t live_now(const struct live *l)
{
	return io_monotonic_us(l->o.io);
}

/* ---- a topic ---- */

static void map_free_values(struct map *m)
{
	struct map_slot *s;
	size_t pos = 0;

	while ((s = map_iter(m, &pos)))
		mem_free(s->value);
	map_release(m);
	*m = MAP_INIT;
}

bool topic_is_warm(const struct topic *t, int64_t now)
{
	return t->readers || now < t->warm_until_us;
}

static void drop_first(struct topic *t)
{
	struct entry *e = t->first;

	t->first = e->next;
	if (!t->first)
		t->last = &t->first;
	t->bytes -= sizeof(*e) + e->data.len;
	t->broken = e->seq;
	mem_free(e);
}

void topic_clear_pending(struct topic *t)
{
	map_free_values(&t->pending);
}

void topic_break(struct topic *t)
{
	while (t->first)
		drop_first(t);
	topic_clear_pending(t);
	t->broken = ++t->seq;
}

void topic_add(struct topic *t, const struct entry *e, struct view data)
{
	struct entry *copy = mem_alloc(sizeof(*copy) + data.len);

	*copy = *e;
	copy->next = NULL;
	copy->seq = ++t->seq;
	memcpy(copy + 1, data.ptr, data.len);
	copy->data = view_of(copy + 1, data.len);
	*t->last = copy;
	t->last = &copy->next;
	t->bytes += sizeof(*copy) + data.len;
	while (t->bytes > RING_BYTES && t->first)
		drop_first(t);
}

/* A text on the heap that knows its length. */
static struct buf *text_new(struct view v)
{
	struct buf *b = mem_alloc(sizeof(*b) + v.len);

	*b = (struct buf){.ptr = (uint8_t *)(b + 1), .len = v.len};
	if (v.len)
		memcpy(b + 1, v.ptr, v.len);
	return b;
}

void topic_pending_put(struct topic *t, struct view key, struct view row)
{
	mem_free(map_put(&t->pending, key, text_new(row)));
}

int live_job_number(struct live *l, const char *name)
{
	unsigned i;

	for (i = 0; i < l->njobs; i++)
		if (strcmp(l->jobs[i], name) == 0)
			return (int)i;
	if (l->njobs == JOBS_MAX)
		return -1;
	l->jobs[l->njobs] = mem_strdup(name);
	return (int)l->njobs++;
}

/* ---- text ---- */

void live_put_time(struct buf *b, const char *key, int64_t us)
{
	time_t seconds = us / 1000000;
	struct tm tm;

	js_put_key(b, key);
	if (us <= 0 || !gmtime_r(&seconds, &tm))
		buf_puts(b, "null");
	else
		buf_printf(b, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			tm.tm_sec, (int)(us % 1000000));
}

void live_put_lsn(struct buf *b, const char *key, lsn_t lsn)
{
	js_put_key(b, key);
	buf_printf(b, "\"" LSN_FORMAT "\"", LSN_ARGS(lsn));
}

/* Takes what is pending into one delta. */
static void put_pending(struct topic *t, struct buf *b)
{
	struct map_slot *s;
	size_t pos = 0;

	buf_printf(b, "{\"topic\":\"%s\",\"upsert\":[", t->name);
	while ((s = map_iter(&t->pending, &pos))) {
		struct buf *row = s->value;

		if (row->len) {
			js_put_comma(b);
			buf_put(b, row->ptr, row->len);
		}
	}
	buf_puts(b, "],\"delete\":[");
	pos = 0;
	while ((s = map_iter(&t->pending, &pos))) {
		struct buf *row = s->value;

		if (!row->len) {
			js_put_comma(b);
			buf_putv(b, s->key);
		}
	}
	buf_putc(b, ']');
}

static void flush(struct live *l, struct topic *t, int64_t now)
{
	struct entry e = {.at_us = now, .job = t->table ? t->pending_job : -1, .position = t->pending_position};
	struct buf b = BUF_INIT(RING_BYTES);

	put_pending(t, &b);
	if (t->table) {
		live_put_lsn(&b, "lsn", e.position.lsn);
		live_put_time(&b, "committedAt", t->pending_source_us);
		live_put_time(&b, "appliedAt", t->pending_applied_us);
	}
	buf_putc(&b, '}');
	if (buf_ok(&b)) {
		topic_add(t, &e, buf_view(&b));
		topic_clear_pending(t);
	} else {
		topic_break(t);
	}
	t->flushed_us = now;
	buf_release(&b);
	wake_signal(&l->changed);
}

/* ---- lists ---- */

/* The end of the value that begins with token `t`, which was just read. */
static struct view value_text(struct js_reader *r, struct js_token *t)
{
	const uint8_t *begin = r->ptr - 1; /* its { */

	js_skip(r, t);
	return view_of(begin, (size_t)(r->ptr - begin));
}

/* The raw text of member `key` of an object. */
static struct view member(struct view object, const char *key)
{
	struct js_reader r;
	struct js_token t;

	js_reader_init(&r, object, 0);
	js_next(&r, &t);
	while (js_next(&r, &t) != JS_OBJECT_END && t.kind != JS_BAD && t.kind != JS_END) {
		if (view_is(t.key, key))
			return t.kind == JS_STRING ? view_of(t.text.ptr - 1, t.text.len + 2) : t.text;
		js_skip(&r, &t);
	}
	return VIEW_NULL;
}

/* Rows that are not in `seen` have gone. */
static void find_gone(struct topic *t, const struct map *seen)
{
	struct buf gone = BUF_INIT(SIZE_MAX);
	struct map_slot *s;
	struct reader r;
	size_t pos = 0;

	while ((s = map_iter(&t->rows, &pos)))
		if (!map_get(seen, s->key)) {
			topic_pending_put(t, s->key, view_of("", 0));
			buf_bytes(&gone, s->key);
		}
	r = reader_of(buf_view(&gone));
	while (reader_left(&r))
		mem_free(map_remove(&t->rows, reader_bytes(&r)));
	buf_release(&gone);
}

static void compare(struct topic *t, struct view array)
{
	struct map seen = MAP_INIT;
	struct js_reader r;
	struct js_token tok;

	js_reader_init(&r, array, 0);
	js_next(&r, &tok);
	while (js_next(&r, &tok) == JS_OBJECT) {
		struct view row = value_text(&r, &tok), key = member(row, t->key);
		struct buf *old = key.ptr ? map_get(&t->rows, key) : NULL;

		if (!key.ptr)
			continue;
		map_put(&seen, key, t);
		if (old && view_eq(buf_view(old), row))
			continue;
		mem_free(map_put(&t->rows, key, text_new(row)));
		topic_pending_put(t, key, row);
	}
	find_gone(t, &seen);
	map_release(&seen);
}

/* The function that knows the list runs without the lock: it may take its time. */
static void poll_list(struct live *l, struct topic *t)
{
	struct buf b = BUF_INIT(SNAPSHOT_BYTES);

	lock_drop(&l->lock);
	t->list(t->arg, &b);
	lock_take(&l->lock);
	if (buf_ok(&b))
		compare(t, buf_view(&b));
	t->polled = true;
	t->poll_due_us = live_now(l) + POLL_US;
	buf_release(&b);
	wake_signal(&l->changed);
}

/* ---- feeds ---- */

static void take_feed(struct topic *t, struct view rows, struct view gone)
{
	struct js_reader r;
	struct js_token tok;

	js_reader_init(&r, rows, 0);
	js_next(&r, &tok);
	while (js_next(&r, &tok) == JS_OBJECT) {
		struct view row = value_text(&r, &tok), key = member(row, t->key);

		if (key.ptr)
			topic_pending_put(t, key, row);
	}
	js_reader_init(&r, gone, 0);
	js_next(&r, &tok);
	while (js_next(&r, &tok) == JS_NUMBER || tok.kind == JS_STRING)
		topic_pending_put(t, tok.kind == JS_STRING ? view_of(tok.text.ptr - 1, tok.text.len + 2) : tok.text, view_of("", 0));
}

static void poll_feed(struct live *l, struct topic *t)
{
	struct buf rows = BUF_INIT(SNAPSHOT_BYTES), gone = BUF_INIT(SNAPSHOT_BYTES);
	bool first = !t->polled;

	lock_drop(&l->lock);
	t->feed(t->arg, first, &rows, &gone);
	lock_take(&l->lock);
	if (buf_ok(&rows) && buf_ok(&gone))
		take_feed(t, buf_view(&rows), buf_view(&gone));
	t->polled = true;
	t->poll_due_us = live_now(l) + FEED_US;
	buf_release(&rows);
	buf_release(&gone);
	if (first)
		wake_signal(&l->changed);
}

/* ---- the thread ---- */

void topic_cool_down(struct topic *t)
{
	while (t->first)
		drop_first(t);
	topic_clear_pending(t);
	map_free_values(&t->rows);
	t->polled = false;
	t->broken = ++t->seq;
}

/* What is due on a topic; when it next wants to be looked at. */
static int64_t look_after(struct live *l, struct topic *t, int64_t now)
{
	int64_t due = now + POLL_US;

	if (!topic_is_warm(t, now)) {
		if (t->first || t->polled || t->pending.count)
			topic_cool_down(t);
		return due;
	}
	while (t->first && now - t->first->at_us > RING_US)
		drop_first(t);
	if (t->list && now >= t->poll_due_us)
		poll_list(l, t);
	if (t->feed && now >= t->poll_due_us)
		poll_feed(l, t);
	if (t->pending.count && now - t->flushed_us >= GATHER_US)
		flush(l, t, now);
	if (t->pending.count && t->flushed_us + GATHER_US < due)
		due = t->flushed_us + GATHER_US;
	if ((t->list || t->feed) && t->poll_due_us < due)
		due = t->poll_due_us;
	return due;
}

static void run(void *arg)
{
	struct live *l = arg;
	unsigned i;

	lock_take(&l->lock);
	while (!l->stop) {
		uint64_t seen = wake_seen(&l->work);
		int64_t now = live_now(l), due = now + POLL_US;
		bool warm = false;

		for (i = 0; i < l->ntopics && !l->stop; i++) {
			int64_t at = look_after(l, &l->topics[i], live_now(l));

			due = at < due ? at : due;
		}
		/* in one piece: above, the lock was dropped now and then */
		for (i = 0; i < l->ntopics; i++)
			warm = warm || (l->topics[i].table && topic_is_warm(&l->topics[i], now));
		l->warm = warm;
		lock_drop(&l->lock);
		now = live_now(l);
		if (due > now)
			wake_wait(&l->work, seen, due - now);
		lock_take(&l->lock);
	}
	lock_drop(&l->lock);
}

/* ---- life ---- */

static bool wanted(void *arg)
{
	return ((struct live *)arg)->warm;
}

struct live *live_new(const struct live_options *o)
{
	struct live *l = mem_zalloc(sizeof(*l));
	uint8_t id[8];
	unsigned i;

	l->o = *o;
	pg_params_copy(&l->target, &o->target);
	l->tap = (struct job_tap){wanted, table_written, l};
	l->interrupt_fd = eventfd(0, EFD_CLOEXEC);
	wm_assert(l->interrupt_fd >= 0);
	io_random(o->io, id, sizeof(id));
	for (i = 0; i < sizeof(id); i++)
		snprintf(l->epoch + 2 * i, 3, "%02x", id[i]);
	lock_init(&l->lock);
	wake_init(&l->changed);
	wake_init(&l->work);
	return l;
}

static struct topic *add(struct live *l, const char *name)
{
	struct topic *t = &l->topics[l->ntopics];

	wm_assert(l->ntopics < TOPICS_MAX && !l->started);
	l->ntopics++;
	*t = (struct topic){.name = name, .last = &t->first, .seq = 1, .broken = 1, .pending_job = -1, .flushed_us = INT64_MIN / 2};
	return t;
}

void live_add_table(struct live *l, const struct live_table *table)
{
	add(l, table->topic)->table = table;
}

void live_add_list(struct live *l, const char *topic, const char *key, live_list_fn fn, void *arg)
{
	struct topic *t = add(l, topic);

	t->key = key;
	t->list = fn;
	t->arg = arg;
}

void live_add_feed(struct live *l, const char *topic, const char *key, live_feed_fn fn, void *arg)
{
	struct topic *t = add(l, topic);

	t->key = key;
	t->feed = fn;
	t->arg = arg;
}

void live_start(struct live *l)
{
	l->started = true;
	thread_start(&l->thread, "live", run, l);
}

const struct job_tap *live_tap(struct live *l)
{
	return &l->tap;
}

void live_stop(struct live *l)
{
	uint64_t one = 1;

	lock_take(&l->lock);
	l->stop = true;
	lock_drop(&l->lock);
	(void)!write(l->interrupt_fd, &one, sizeof(one));
	wake_signal(&l->changed);
	wake_signal(&l->work);
	if (l->started)
		thread_join(&l->thread);
	l->started = false;
}

void live_free(struct live *l)
{
	unsigned i;

	if (!l)
		return;
	wm_assert(!l->started && l->nreaders == 0);
	for (i = 0; i < l->ntopics; i++)
		topic_cool_down(&l->topics[i]);
	for (i = 0; i < l->njobs; i++)
		mem_free(l->jobs[i]);
	close(l->interrupt_fd);
	pg_params_release(&l->target);
	wake_release(&l->changed);
	wake_release(&l->work);
	lock_release(&l->lock);
	mem_free(l);
}
