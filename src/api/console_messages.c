/*
 * GET /api/topics/{name}/messages: a page of records.
 *
 *   from=newest    the last ones of all partitions, newest first; cursor: what is older
 *   from=oldest, offset (with offset=, in each partition), time (with timestamp=, ms): the first ones from there on, oldest first; cursor:
 *                  what is newer
 *   partition=N    of that one alone
 *   query=TEXT     only records whose key or value contains it; looks at no more than SCAN records a partition for one page
 *   limit=N        at most N records (50; up to 500)
 *   full=true      whole values; else they are cut at VALUE_MAX bytes
 *   wait=MS        oldest first, when there is nothing: answers as soon as there is, at the latest after MS milliseconds (WAIT_MAX_MS)
 *
 * A cursor says how far each partition was read: "<0:123,1:40" up to below, ">0:124" from. It is opaque to clients.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/console.h"
#include "api/records.h"
#include "base/js.h"
#include "base/mem.h"
#include "base/text.h"
#include "stream/log_out.h"

enum { LIMIT_MAX = 500, SCAN = 20000, SCAN_BYTES = 32 << 20, VALUE_MAX = 64 << 10, PAGE_BYTES = 6 << 20, PARTITIONS_MAX = 1000,
	WAIT_MAX_MS = 30000, LOOK_UP_US = 100000 };

struct found {
	uint32_t partition;
	int64_t offset, time_ms;
	size_t at, len;              /* its JSON in page.json */
};

struct place {                       /* of a partition: [from, to) is what was looked at */
	uint32_t part;
	struct log_marks marks;
	int64_t from, to;
};

struct page {
	struct call *c;
	struct log_topic topic;
	bool newest, full;
	int64_t only, limit;         /* only: -1 = all partitions */
	struct view query;
	struct place *places;        /* by partition */
	uint32_t n;
	struct found *found;
	size_t nfound, cap;
	size_t here;                 /* found of the partition being read */
	uint32_t reading;
	struct buf json;
};

/* ---- one record ---- */

static void put_bytes(struct buf *b, const char *key, struct view v, size_t max)
{
	js_put_key(b, key);
	if (!v.ptr) {
		buf_puts(b, "null");
	} else if (text_utf8_valid(v)) {
		js_put_string(b, v.len > max ? view_of(v.ptr, text_utf8_valid_len(view_of(v.ptr, max))) : v);
	} else {
		buf_puts(b, "{\"base64\":");
		js_put_base64(b, v.len > max ? view_of(v.ptr, max) : v);
		buf_putc(b, '}');
	}
}

static void put_record(struct page *p, const struct record *rec)
{
	size_t max = p->full ? SIZE_MAX : VALUE_MAX;
	struct view headers = rec->headers, key, value;
	struct buf *b = &p->json;

	buf_printf(b, "{\"partition\":%u,\"offset\":%lld,\"timestamp\":%lld", p->reading, (long long)rec->offset, (long long)rec->time_ms);
	put_bytes(b, "key", rec->key, max);
	put_bytes(b, "value", rec->value, max);
	js_put_key(b, "headers");
	buf_putc(b, '[');
	while (record_header(&headers, &key, &value)) {
		js_put_comma(b);
		buf_putc(b, '{');
		put_bytes(b, "key", key, max);
		put_bytes(b, "value", value, max);
		buf_putc(b, '}');
	}
	buf_printf(b, "],\"keySize\":%zu,\"valueSize\":%zu,\"truncated\":%s}", rec->key.len, rec->value.len,
		rec->key.len > max || rec->value.len > max ? "true" : "false");
}

static bool contains(struct view v, struct view what)
{
	return v.ptr && memmem(v.ptr, v.len, what.ptr, what.len) != NULL;
}

static int on_record(void *arg, const struct record *rec)
{
	struct page *p = arg;
	size_t at = p->json.len;

	if (p->query.len && !contains(rec->key, p->query) && !contains(rec->value, p->query))
		return 0;
	put_record(p, rec);
	if (p->nfound == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->found = mem_realloc(p->found, p->cap * sizeof(*p->found));
	}
	p->found[p->nfound++] = (struct found){p->reading, rec->offset, rec->time_ms, at, p->json.len - at};
	p->here++;
	/* forward, the first `limit` of a partition are enough; backward, all of a window are looked at, and its last are kept */
	return (!p->newest && p->here >= (size_t)p->limit) || p->json.len > PAGE_BYTES;
}

/* ---- a partition ---- */

static int read_range(struct page *p, struct place *at, int64_t from, int64_t to, int64_t *ret_next, struct err *err)
{
	size_t bytes = 0;

	*ret_next = from;
	while (*ret_next < to && bytes < SCAN_BYTES && p->json.len <= PAGE_BYTES && (p->newest || p->here < (size_t)p->limit)) {
		int64_t before = *ret_next;

		if (records_each(p->c->api->log, at->part, before, to, 1 << 20, on_record, p, ret_next, err))
			return err->code == ERR_LOST ? (err_clear(err), 0) : -1; /* trimmed just now */
		bytes += 1 << 20;
		if (*ret_next == before)
			break;
	}
	return 0;
}

static int read_forward(struct page *p, struct place *at, struct err *err)
{
	int64_t to = p->query.len && at->marks.high - at->from > SCAN ? at->from + SCAN : at->marks.high;

	at->to = at->from;
	return at->from < to ? read_range(p, at, at->from, to, &at->to, err) : 0;
}

/*
 * Windows backwards until there are enough; the oldest looked at becomes at->from. A window is read forwards: one that has more than a page
 * takes would end before its newest record, so it is tried again, smaller.
 */
static int read_backward(struct page *p, struct place *at, struct err *err)
{
	int64_t window = p->limit, low = at->to - SCAN > at->marks.start ? at->to - SCAN : at->marks.start, upper = at->to, next;

	at->from = at->to;
	while (upper > low && p->here < (size_t)p->limit && p->json.len <= PAGE_BYTES) {
		int64_t lower = upper - window > low ? upper - window : low;
		size_t json = p->json.len, nfound = p->nfound, here = p->here;

		if (read_range(p, at, lower, upper, &next, err))
			return -1;
		if (next < upper && upper - lower > 1) {
			p->json.len = json;
			p->nfound = nfound;
			p->here = here;
			window = (upper - lower) / 2;
			continue;
		}
		at->from = upper = lower;
		window = window * 4 < SCAN ? window * 4 : SCAN;
	}
	return 0;
}

/* ---- where to begin ---- */

static bool bad_cursor(struct page *p)
{
	problem_say(p->c, 400, "the cursor is not one that a page of this topic gave");
	return false;
}

static bool take_cursor(struct page *p, const char *cursor)
{
	const char *s = cursor + 1;

	p->newest = *cursor == '<';
	if (!p->newest && *cursor != '>')
		return bad_cursor(p);
	while (*s) {
		char *end;
		unsigned long partition = strtoul(s, &end, 10);
		int64_t offset;

		if (end == s || *end != ':' || partition >= p->n)
			return bad_cursor(p);
		s = end + 1;
		offset = strtoll(s, &end, 10);
		if (end == s || (*end && *end != ',') || offset < 0)
			return bad_cursor(p);
		s = *end ? end + 1 : end;
		p->places[partition].from = p->places[partition].to = offset;
	}
	return true;
}

/* What a place begins with, within what the partition has. */
static void clamp(struct place *at)
{
	int64_t low = at->marks.start, high = at->marks.high;

	at->from = at->from < low ? low : at->from > high ? high : at->from;
	at->to = at->to < low ? low : at->to > high ? high : at->to;
}

static bool begin_at(struct page *p, struct place *at, const char *from, int64_t offset, int64_t timestamp)
{
	struct err err = ERR_INIT;
	int64_t base, max_time;

	at->to = at->marks.high;
	if (strcmp(from, "oldest") == 0) {
		at->from = at->marks.start;
	} else if (strcmp(from, "offset") == 0) {
		at->from = offset;
	} else if (strcmp(from, "time") == 0) {
		if (log_find_time(p->c->api->log, at->part, timestamp, &base, &max_time, &err)) {
			problem_of(p->c->api, p->c->r, p->c->out, &err, NULL);
			return false;
		}
		at->from = base < 0 ? at->marks.high : base;
	}
	return true;
}

static bool begin(struct page *p)
{
	const char *from = http_query(p->c->r, "from"), *cursor = http_query(p->c->r, "cursor");
	int64_t offset, timestamp;
	uint32_t i;

	if (!console_number(p->c, "offset", 0, 0, INT64_MAX, &offset) || !console_number(p->c, "timestamp", 0, 0, INT64_MAX, &timestamp))
		return false;
	from = *from ? from : "newest";
	p->newest = strcmp(from, "newest") == 0;
	if (!p->newest && strcmp(from, "oldest") != 0 && strcmp(from, "offset") != 0 && strcmp(from, "time") != 0) {
		problem_say(p->c, 400, "from is newest, oldest, offset or time");
		return false;
	}
	for (i = 0; i < p->n; i++) {
		if (!log_part_find(p->c->api->log, p->topic.id, i, &p->places[i].part))
			continue;
		log_marks(p->c->api->log, &p->places[i].part, 1, &p->places[i].marks, NULL);
		if (!begin_at(p, &p->places[i], from, offset, timestamp))
			return false;
	}
	if (*cursor && !take_cursor(p, cursor))
		return false;
	for (i = 0; i < p->n; i++)
		clamp(&p->places[i]);
	return true;
}

/* ---- the page ---- */

static int by_place(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->partition != y->partition ? (x->partition < y->partition ? -1 : 1) : (x->offset > y->offset) - (x->offset < y->offset);
}

static int oldest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->time_ms != y->time_ms ? (x->time_ms < y->time_ms ? -1 : 1) : by_place(a, b);
}

static int newest_first(const void *a, const void *b)
{
	return oldest_first(b, a);
}

/* Over partitions by time, within one by offset, whatever the times that its producers gave: a time counts as the largest so far. */
static void put_in_order(struct page *p)
{
	size_t i;

	if (p->nfound == 0)
		return;
	qsort(p->found, p->nfound, sizeof(*p->found), by_place);
	for (i = 1; i < p->nfound; i++)
		if (p->found[i].partition == p->found[i - 1].partition && p->found[i].time_ms < p->found[i - 1].time_ms)
			p->found[i].time_ms = p->found[i - 1].time_ms;
	qsort(p->found, p->nfound, sizeof(*p->found), p->newest ? newest_first : oldest_first);
}

/* Records that did not get onto the page are on the next one: the place goes back to them. */
static void give_back(struct page *p)
{
	size_t i;

	for (i = p->nfound; i-- > (size_t)p->limit;) {
		struct place *at = &p->places[p->found[i].partition];

		if (p->newest && p->found[i].offset >= at->from)
			at->from = p->found[i].offset + 1;
		else if (!p->newest && p->found[i].offset < at->to)
			at->to = p->found[i].offset;
	}
	if (p->nfound > (size_t)p->limit)
		p->nfound = (size_t)p->limit;
}

static void put_cursor(struct page *p, struct buf *b)
{
	bool more = false, first = true;
	uint32_t i;

	for (i = 0; i < p->n; i++)
		more = more || ((p->only < 0 || p->only == i) &&
				       (p->newest ? p->places[i].from > p->places[i].marks.start : p->places[i].to < p->places[i].marks.high));
	js_put_key(b, "next");
	if (!more && p->newest) {
		buf_puts(b, "null");
		return;
	}
	/* what comes in later is behind a forward cursor, even when there is nothing more now */
	buf_puts(b, p->newest ? "\"<" : "\">");
	for (i = 0; i < p->n; i++) {
		if (p->only >= 0 && p->only != i)
			continue;
		buf_printf(b, "%s%u:%lld", first ? "" : ",", i, (long long)(p->newest ? p->places[i].from : p->places[i].to));
		first = false;
	}
	buf_putc(b, '"');
	js_put_key(b, "more");
	buf_puts(b, more ? "true" : "false");
}

static void put_page(struct page *p, struct buf *b)
{
	size_t i;

	put_in_order(p);
	give_back(p);
	buf_puts(b, "{\"messages\":[");
	for (i = 0; i < p->nfound; i++) {
		js_put_comma(b);
		buf_put(b, p->json.ptr + p->found[i].at, p->found[i].len);
	}
	buf_putc(b, ']');
	put_cursor(p, b);
	js_put_key(b, "partitions");
	buf_putc(b, '[');
	for (i = 0; i < p->n; i++) {
		js_put_comma(b);
		buf_printf(b, "{\"partition\":%zu,\"beginOffset\":%lld,\"endOffset\":%lld}", i, (long long)p->places[i].marks.start,
			(long long)p->places[i].marks.high);
	}
	buf_puts(b, "]}");
}

static int read_page(struct page *p, struct err *err)
{
	for (p->reading = 0; p->reading < p->n; p->reading++) {
		struct place *at = &p->places[p->reading];

		if (p->only >= 0 && p->only != p->reading)
			continue;
		p->here = 0;
		if (p->newest ? read_backward(p, at, err) : read_forward(p, at, err))
			return -1;
	}
	return 0;
}

/* Goes on where the last look ended; whether there is anything to look at. */
static bool go_on(struct page *p)
{
	bool more = false;
	uint32_t i;

	for (i = 0; i < p->n; i++) {
		struct place *at = &p->places[i];

		if (!log_part_find(p->c->api->log, p->topic.id, i, &at->part))
			continue;
		log_marks(p->c->api->log, &at->part, 1, &at->marks, NULL);
		at->from = at->to;
		clamp(at);
		more = more || ((p->only < 0 || p->only == i) && at->from < at->marks.high);
	}
	return more;
}

/* A page, or after wait_ms milliseconds an empty one. A log that goes down ends the waiting, and a client that does not wait any more. */
static int wait_for_page(struct page *p, int64_t wait_ms, struct err *err)
{
	const struct api *api = p->c->api;
	int64_t until = io_monotonic_us(api->io) + 1000 * wait_ms, now;

	if (read_page(p, err))
		return -1;
	while (!p->newest && p->nfound == 0 && (now = io_monotonic_us(api->io)) < until && !(api->stopping && api->stopping()) &&
	    !http_client_left(p->c->r)) {
		uint64_t seen = wake_seen(log_wake(api->log));

		if (!go_on(p))
			wake_wait(log_wake(api->log), seen, until - now < LOOK_UP_US ? until - now : LOOK_UP_US);
		else if (read_page(p, err))
			return -1;
	}
	return 0;
}

void console_messages(struct call *c)
{
	struct page p = {.c = c, .query = view_str(http_query(c->r, "query")), .full = strcmp(http_query(c->r, "full"), "true") == 0,
		.json = BUF_INIT(SIZE_MAX)};
	struct err err = ERR_INIT;
	int64_t wait_ms;

	if (!log_topic_find(c->api->log, c->args[0], &p.topic)) {
		problem_say(c, 404, "there is no topic \"%.*s\"", (int)c->args[0].len, (const char *)c->args[0].ptr);
		return;
	}
	if (!console_number(c, "limit", 50, 1, LIMIT_MAX, &p.limit) || !console_number(c, "partition", -1, 0, p.topic.n_parts - 1, &p.only) ||
		!console_number(c, "wait", 0, 0, WAIT_MAX_MS, &wait_ms))
		return;
	if (p.topic.n_parts > PARTITIONS_MAX && p.only < 0) {
		problem_say(c, 400, "the topic has more than %d partitions: name one with partition=N", PARTITIONS_MAX);
		return;
	}
	p.n = p.topic.n_parts;
	p.places = arena_zalloc(&c->arena, p.n * sizeof(*p.places));
	if (begin(&p)) {
		if (wait_for_page(&p, wait_ms, &err))
			problem_of(c->api, c->r, c->out, &err, NULL);
		else
			put_page(&p, &c->out->body);
	}
	mem_free(p.found);
	buf_release(&p.json);
}
