/* GET /api/topics, /api/topics/{name} */
#include <stdio.h>

#include "api/console.h"
#include "base/js.h"
#include "kafka/configs.h"
#include "kafka/look.h"
#include "stream/log_out.h"

enum { RATE_MS = 10000 };

struct listing {
	const struct api *api;
	struct buf *b;
	struct kafka_group *groups;
	uint32_t ngroups;
	struct links links;
};

/* Records of the last ten seconds, from the time index; a batch counts whole. */
static double rate(const struct api *api, uint32_t part, const struct log_marks *m)
{
	int64_t since = io_now_us(api->io) / 1000 - RATE_MS, base, max_time;
	struct err err = ERR_INIT;

	if (m->high <= m->start || log_find_time(api->log, part, since, &base, &max_time, &err) || base < 0)
		return 0;
	return (double)(m->high - base) * 1000 / RATE_MS;
}

static void put_config_number(struct buf *b, const char *as, const struct api *api, const struct log_topic *t, const char *key)
{
	struct buf value = BUF_INIT(4096);

	config_value(api->log, t->id, config_key(view_str(key)), &value);
	js_put_key(b, as);
	buf_putv(b, buf_view(&value));
	buf_release(&value);
}

static void put_config_text(struct buf *b, const char *as, const struct api *api, const struct log_topic *t, const char *key)
{
	struct buf value = BUF_INIT(4096);

	config_value(api->log, t->id, config_key(view_str(key)), &value);
	console_put_text(b, as, buf_view(&value));
	buf_release(&value);
}

static void put_group_names(struct listing *l, const struct log_topic *t)
{
	uint32_t i, k;

	js_put_key(l->b, "groups");
	buf_putc(l->b, '[');
	for (i = 0; i < l->ngroups; i++)
		for (k = 0; k < l->groups[i].n_offsets; k++)
			if (view_is(l->groups[i].offsets[k].topic, t->name)) {
				js_put_comma(l->b);
				js_put_string(l->b, l->groups[i].id);
				break;
			}
	buf_putc(l->b, ']');
}

static void put_row(struct listing *l, const struct log_topic *t)
{
	int64_t records = 0, bytes = 0;
	double per_second = 0;
	uint32_t i, part;

	for (i = 0; i < t->n_parts; i++) {
		struct log_marks m;

		if (!log_part_find(l->api->log, t->id, i, &part))
			continue;
		log_marks(l->api->log, &part, 1, &m, NULL);
		records += m.high - m.start;
		bytes += (int64_t)m.bytes;
		per_second += rate(l->api, part, &m);
	}
	js_put_key(l->b, "name");
	js_put_str(l->b, t->name);
	js_put_key(l->b, "id");
	buf_putc(l->b, '"');
	for (i = 0; i < 16; i++)
		buf_printf(l->b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", t->id[i]);
	buf_putc(l->b, '"');
	console_put_int(l->b, "records", records);
	console_put_int(l->b, "bytes", bytes);
	js_put_key(l->b, "eventsPerSecond");
	buf_printf(l->b, "%.1f", per_second);
	js_put_key(l->b, "internal");
	buf_puts(l->b, log_topic_is_internal(t->name) || strcmp(t->name, "__consumer_offsets") == 0 ? "true" : "false");
	put_config_text(l->b, "cleanupPolicy", l->api, t, "cleanup.policy");
	put_config_number(l->b, "retentionMs", l->api, t, "retention.ms");
	put_group_names(l, t);
	links_put_of_topic(&l->links, view_str(t->name), l->b);
}

static void put_topic(void *arg, const struct log_topic *t)
{
	struct listing *l = arg;

	js_put_comma(l->b);
	buf_putc(l->b, '{');
	put_row(l, t);
	console_put_int(l->b, "partitions", t->n_parts);
	buf_putc(l->b, '}');
}

void console_put_topics(const struct api *api, struct buf *b)
{
	struct listing l = {.api = api, .b = b};
	struct arena a = ARENA_INIT;

	if (api->kafka)
		kafka_groups_look(api->kafka, VIEW_NULL, &a, &l.groups, &l.ngroups);
	links_collect(api, &l.links);
	buf_putc(b, '[');
	log_topic_list(api->log, put_topic, &l);
	buf_putc(b, ']');
	links_release(&l.links);
	arena_release(&a);
}

void console_topics(struct call *c)
{
	console_put_topics(c->api, &c->out->body);
}

static void put_partitions(const struct api *api, struct buf *b, const struct log_topic *t)
{
	uint32_t i, part;

	js_put_key(b, "partitions");
	buf_putc(b, '[');
	for (i = 0; i < t->n_parts; i++) {
		struct log_marks m = {0};

		if (log_part_find(api->log, t->id, i, &part))
			log_marks(api->log, &part, 1, &m, NULL);
		js_put_comma(b);
		buf_printf(b, "{\"partition\":%u,\"beginOffset\":%lld,\"endOffset\":%lld,\"bytes\":%llu}", i, (long long)m.start, (long long)m.high,
			(unsigned long long)m.bytes);
	}
	buf_putc(b, ']');
}

static void put_configs(const struct api *api, struct buf *b, const struct log_topic *t)
{
	struct buf value = BUF_INIT(1 << 16);
	unsigned i;

	js_put_key(b, "configs");
	buf_putc(b, '[');
	for (i = 0; i < n_config_keys; i++) {
		enum config_source from = config_value(api->log, t->id, &config_keys[i], &value);

		js_put_comma(b);
		buf_putc(b, '{');
		console_put_text(b, "name", view_str(config_keys[i].name));
		console_put_text(b, "value", buf_view(&value));
		console_put_text(b, "source", view_str(from == SOURCE_TOPIC ? "topic" : from == SOURCE_STATIC_BROKER ? "setting" : "default"));
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
	buf_release(&value);
}

void console_topic(struct call *c)
{
	struct listing l = {.api = c->api, .b = &c->out->body};
	struct log_topic t;

	if (!log_topic_find(c->api->log, c->args[0], &t)) {
		problem_say(c, 404, "there is no topic \"%.*s\"", (int)c->args[0].len, (const char *)c->args[0].ptr);
		return;
	}
	if (c->api->kafka)
		kafka_groups_look(c->api->kafka, VIEW_NULL, &c->arena, &l.groups, &l.ngroups);
	links_collect(c->api, &l.links);
	buf_putc(l.b, '{');
	put_row(&l, &t);
	links_release(&l.links);
	put_partitions(c->api, l.b, &t);
	put_configs(c->api, l.b, &t);
	buf_putc(l.b, '}');
}
