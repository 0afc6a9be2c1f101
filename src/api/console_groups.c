/* GET /api/groups, /api/groups/{id} */
#include <stdio.h>

#include "api/console.h"
#include "api/records.h"
#include "base/js.h"
#include "kafka/look.h"

/* Each costs reading a batch; a list with more lagging partitions leaves the seconds of the rest out. */
enum { TIMES_MAX = 500 };

struct lag {
	int64_t records, end;        /* -1: nothing was committed, or there is no such partition */
	int64_t seconds;             /* age of the oldest record not consumed; -1: not known */
};

static int take_time(void *arg, const struct record *rec)
{
	*(int64_t *)arg = rec->time_ms;
	return 1;
}

bool api_group_lag(
	const struct api *api, const struct kafka_group_offset *o, uint32_t *ret_part, struct log_marks *ret, int64_t *ret_records)
{
	struct log_topic t;

	if (!log_topic_find(api->log, o->topic, &t) || !log_part_find(api->log, t.id, (uint32_t)o->partition, ret_part))
		return false;
	log_marks(api->log, ret_part, 1, ret, NULL);
	*ret_records = o->committed < 0 ? -1 : ret->high > o->committed ? ret->high - o->committed : 0;
	return true;
}

static struct lag lag_of(const struct api *api, const struct kafka_group_offset *o, unsigned *times)
{
	struct lag ret = {-1, -1, -1};
	struct err err = ERR_INIT;
	int64_t time_ms = -1, next;
	struct log_marks m;
	uint32_t part;

	if (!api_group_lag(api, o, &part, &m, &ret.records))
		return ret;
	ret.end = m.high;
	if (o->committed < 0)
		return ret;
	if (ret.records == 0)
		ret.seconds = 0;
	else if ((*times)++ < TIMES_MAX &&
		!records_each(api->log, part, o->committed > m.start ? o->committed : m.start, m.high, 1, take_time, &time_ms, &next, &err) &&
		time_ms >= 0)
		ret.seconds = (io_now_us(api->io) / 1000 - time_ms) / 1000;
	if (ret.seconds < -1)
		ret.seconds = 0; /* a producer's clock that is ahead */
	return ret;
}

static void put_known(struct buf *b, const char *key, int64_t n)
{
	console_put_known(b, key, n >= 0, n);
}

static void put_topics(struct buf *b, const struct kafka_group *g)
{
	uint32_t i;

	js_put_key(b, "topics");
	buf_putc(b, '[');
	for (i = 0; i < g->n_offsets; i++)
		if (i == 0 || !view_eq(g->offsets[i].topic, g->offsets[i - 1].topic)) {
			js_put_comma(b);
			js_put_string(b, g->offsets[i].topic);
		}
	buf_putc(b, ']');
}

static void put_row(const struct api *api, struct buf *b, const struct kafka_group *g, struct lag *lags, unsigned *times)
{
	int64_t records = 0, seconds = 0;
	uint32_t i;

	for (i = 0; i < g->n_offsets; i++) {
		struct lag one = lag_of(api, &g->offsets[i], times);

		if (lags)
			lags[i] = one;
		records += one.records > 0 ? one.records : 0;
		if (one.records > 0)
			seconds = one.seconds < 0 || seconds < 0 ? -1 : one.seconds > seconds ? one.seconds : seconds;
	}
	console_put_text(b, "id", g->id);
	console_put_text(b, "state", view_str(g->state));
	console_put_text(b, "protocol", g->protocol);
	console_put_int(b, "members", g->n_members);
	put_topics(b, g);
	console_put_int(b, "lagRecords", records);
	put_known(b, "lagSeconds", seconds);
}

void console_put_groups(const struct api *api, struct buf *b)
{
	struct arena a = ARENA_INIT;
	struct kafka_group *groups;
	unsigned times = 0;
	uint32_t n = 0, i;

	buf_putc(b, '[');
	if (api->kafka)
		kafka_groups_look(api->kafka, VIEW_NULL, &a, &groups, &n);
	for (i = 0; i < n; i++) {
		js_put_comma(b);
		buf_putc(b, '{');
		put_row(api, b, &groups[i], NULL, &times);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
	arena_release(&a);
}

void console_groups(struct call *c)
{
	console_put_groups(c->api, &c->out->body);
}

/* ---- one ---- */

static void put_member(struct buf *b, const struct kafka_group *g, const struct kafka_group_member *m)
{
	uint32_t i;

	js_put_comma(b);
	buf_putc(b, '{');
	console_put_text(b, "id", m->id);
	console_put_text(b, "clientId", m->client_id);
	console_put_text(b, "host", m->host);
	js_put_key(b, "partitions");
	buf_putc(b, '[');
	for (i = 0; i < g->n_offsets; i++) {
		if (g->offsets[i].member != m)
			continue;
		js_put_comma(b);
		buf_putc(b, '{');
		console_put_text(b, "topic", g->offsets[i].topic);
		console_put_int(b, "partition", g->offsets[i].partition);
		buf_putc(b, '}');
	}
	buf_puts(b, "]}");
}

static void put_offset(struct buf *b, const struct kafka_group_offset *o, const struct lag *lag)
{
	js_put_comma(b);
	buf_putc(b, '{');
	console_put_text(b, "topic", o->topic);
	console_put_int(b, "partition", o->partition);
	put_known(b, "committed", o->committed);
	console_put_time(b, "committedAt", o->committed_ms * 1000);
	put_known(b, "end", lag->end);
	put_known(b, "lag", lag->records);
	put_known(b, "lagSeconds", lag->seconds);
	js_put_key(b, "memberId");
	if (o->member)
		js_put_string(b, o->member->id);
	else
		buf_puts(b, "null");
	buf_putc(b, '}');
}

void console_group(struct call *c)
{
	struct buf *b = &c->out->body;
	struct kafka_group *g = NULL;
	struct lag *lags;
	unsigned times = 0;
	uint32_t n = 0, i;

	if (c->api->kafka)
		kafka_groups_look(c->api->kafka, c->args[0], &c->arena, &g, &n);
	if (n == 0) {
		problem_say(c, 404, "there is no consumer group \"%.*s\"", (int)c->args[0].len, (const char *)c->args[0].ptr);
		return;
	}
	lags = arena_alloc(&c->arena, (g->n_offsets + 1) * sizeof(*lags));
	buf_putc(b, '{');
	put_row(c->api, b, g, lags, &times);
	js_put_key(b, "memberList");
	buf_putc(b, '[');
	for (i = 0; i < g->n_members; i++)
		put_member(b, g, &g->members[i]);
	buf_putc(b, ']');
	js_put_key(b, "partitions");
	buf_putc(b, '[');
	for (i = 0; i < g->n_offsets; i++)
		put_offset(b, &g->offsets[i], &lags[i]);
	buf_puts(b, "]}");
}
