/* Topics by name and id; see names.h and the end of kafka_int.h. */
#include "kafka/names.h"

#include "base/mem.h"
#include "base/text.h"

enum { FRESH_US = 1000000, CACHED_MAX = 10000 };

/* ---- straight from the log; any thread ---- */

bool topic_find(struct kafka *k, struct view name, struct log_topic *ret)
{
	return !topic_is_hidden(name) && log_topic_find(k->log, name, ret);
}

bool topic_find_id(struct kafka *k, const struct uuid *id, struct log_topic *ret)
{
	return log_topic_find_id(k->log, id->b, ret) && !topic_is_hidden(view_str(ret->name));
}

int topic_partition(struct kafka *k, struct view name, int32_t index, uint32_t *ret_part)
{
	struct log_topic t;

	if (index < 0 || !topic_find(k, name, &t) || !log_part_find(k->log, t.id, (uint32_t)index, ret_part))
		return KE_UNKNOWN_TOPIC_OR_PARTITION;
	return KE_NONE;
}

bool topic_name_is_valid(struct view name)
{
	size_t i;

	if (name.len == 0 || name.len > LOG_TOPIC_NAME_MAX || view_is(name, ".") || view_is(name, ".."))
		return false;
	for (i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

int64_t topic_config_i64(struct kafka *k, const uint8_t id[16], const char *key, int64_t preset)
{
	struct buf b = BUF_INIT(4096);
	int64_t v;

	if (!log_topic_config(k->log, id, key, &b) || !text_i64(buf_view(&b), &v))
		v = preset;
	buf_release(&b);
	return v;
}

bool topic_config_is(struct kafka *k, const uint8_t id[16], const char *key, const char *value)
{
	struct buf b = BUF_INIT(4096);
	bool is = log_topic_config(k->log, id, key, &b) && view_is(buf_view(&b), value);

	buf_release(&b);
	return is;
}

/* ---- the cache ---- */

static struct topic_info *load(struct kafka *k, const struct log_topic *t)
{
	struct topic_info *n = mem_zalloc(sizeof(*n));
	struct buf b = BUF_INIT(4096);
	uint32_t i;

	n->t = *t;
	n->parts = mem_zalloc((t->n_parts + 1) * sizeof(*n->parts));
	for (i = 0; i < t->n_parts; i++)
		if (!log_part_find(k->log, t->id, i, &n->parts[i]))
			break;
	n->t.n_parts = i;
	n->max_message_bytes = topic_config_i64(k, t->id, "max.message.bytes", KAFKA_MESSAGE_BYTES);
	n->append_time = topic_config_is(k, t->id, "message.timestamp.type", "LogAppendTime");
	if (log_topic_config(k->log, t->id, "cleanup.policy", &b))
		n->compacted = memmem(b.ptr, b.len, "compact", 7) != NULL;
	buf_release(&b);
	n->loaded_us = k->now_us;
	return n;
}

static void info_free(struct topic_info *n)
{
	mem_free(n->parts);
	mem_free(n);
}

void names_forget(struct kafka *k)
{
	struct map_slot *s;
	size_t pos = 0;

	while ((s = map_iter(&k->names, &pos)))
		info_free(s->value);
	map_release(&k->names);
	map_release(&k->name_ids);
	k->names = k->name_ids = MAP_INIT;
}

static const struct topic_info *store(struct kafka *k, const struct log_topic *t)
{
	struct topic_info *n, *old;

	if (k->names.count >= CACHED_MAX)
		names_forget(k);
	n = load(k, t);
	old = map_put(&k->names, view_str(t->name), n);
	if (old) {
		map_remove(&k->name_ids, view_of(old->t.id, 16));
		info_free(old);
	}
	map_put(&k->name_ids, view_of(t->id, 16), n);
	return n;
}

const struct topic_info *names_find(struct kafka *k, struct view name)
{
	const struct topic_info *n = map_get(&k->names, name);
	struct log_topic t;

	if (n && k->now_us - n->loaded_us < FRESH_US)
		return n;
	return topic_find(k, name, &t) ? store(k, &t) : NULL;
}

const struct topic_info *names_find_id(struct kafka *k, const struct uuid *id)
{
	const struct topic_info *n = map_get(&k->name_ids, view_of(id->b, 16));
	struct log_topic t;

	if (n && k->now_us - n->loaded_us < FRESH_US)
		return n;
	return topic_find_id(k, id, &t) ? store(k, &t) : NULL;
}
