/* Topics for the outside: each change is an operation of state.c, and durable on return. Any thread. */
#include <stdio.h>
#include <stdlib.h>

#include "log/log_int.h"

static bool name_good(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= LOG_TOPIC_NAME_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static void fill(const struct topic *t, struct log_topic *ret)
{
	if (!ret)
		return;
	memcpy(ret->name, t->name, sizeof(ret->name));
	memcpy(ret->id, t->id, 16);
	ret->n_parts = t->n_parts;
}

/* Configuration of t (or NULL) with the changes made, as state.c writes it, in order of keys. */
struct pair {
	const char *key, *value;
};

static int pair_cmp(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static void put_config(struct buf *b, const struct topic *t, const struct log_config *configs, unsigned n)
{
	uint32_t had = t ? t->n_config : 0, k = 0, i, m;
	struct pair *pairs = mem_alloc((had + n + 1) * sizeof(*pairs));

	for (i = 0; i < had; i++)
		pairs[k++] = (struct pair){t->config[i * 2], t->config[i * 2 + 1]};
	for (i = 0; i < n; i++) {
		for (m = 0; m < k && strcmp(pairs[m].key, configs[i].key) != 0; m++)
			;
		if (m == k && !configs[i].value)
			continue;
		if (!configs[i].value)
			pairs[m] = pairs[--k];
		else {
			pairs[m] = (struct pair){configs[i].key, configs[i].value};
			k += m == k;
		}
	}
	qsort(pairs, k, sizeof(*pairs), pair_cmp);
	buf_uvarint(b, k);
	for (i = 0; i < k; i++) {
		buf_bytes(b, view_str(pairs[i].key));
		buf_bytes(b, view_str(pairs[i].value));
	}
	mem_free(pairs);
}

static void put_topic(struct log *log, struct buf *b, const struct topic *t, const uint8_t *id, const char *name, uint32_t more,
	const struct log_config *configs, unsigned n)
{
	uint32_t i, ranges = t ? t->n_ranges : 0;

	buf_u8(b, 1);
	buf_put(b, id, 16);
	buf_bytes(b, view_str(name));
	buf_uvarint(b, ranges + (more ? 1 : 0));
	for (i = 0; i < ranges; i++) {
		buf_uvarint(b, t->ranges[i].first);
		buf_uvarint(b, t->ranges[i].count);
	}
	if (more) {
		buf_uvarint(b, log->next_part);
		buf_uvarint(b, more);
	}
	put_config(b, t, configs, n);
}

static int write_and_wait(struct log *log, struct buf *ops, struct err *err)
{
	return meta_write(log, ops, err) || wait_durable(log, log->tail, err) ? -1 : 0;
}

int log_topic_create(struct log *log, const char *name, const uint8_t *id, uint32_t n_parts, const struct log_config *configs, unsigned n,
	struct log_topic *ret, struct err *err)
{
	struct buf ops = BUF_INIT(1 << 20);
	uint8_t made[16];
	int rc = -1;

	if (!name_good(name))
		return err_set(err, ERR_INVALID, "topic name \"%.300s\" is not valid", name);
	if (n_parts == 0 || n_parts > LOG_TOPIC_PARTITIONS_MAX)
		return err_set(err, ERR_INVALID, "topic \"%s\" cannot have %u partitions", name, n_parts);
	if (!id) {
		io_random(log->io, made, 16);
		made[6] = (uint8_t)((made[6] & 0x0f) | 0x40);
		made[8] = (uint8_t)((made[8] & 0x3f) | 0x80);
	}
	lock_take(&log->lock);
	if (map_get(&log->topics, view_str(name)) || (id && map_get(&log->topics_by_id, view_of(id, 16)))) {
		err_set(err, ERR_EXISTS, "topic \"%s\" exists already", name);
		goto out;
	}
	if (log->next_part + n_parts > PARTS_EVER) {
		err_set(err, ERR_LIMIT, "the log has no numbers left for %u more partitions", n_parts);
		goto out;
	}
	put_topic(log, &ops, NULL, id ? id : made, name, n_parts, configs, n);
	if (write_and_wait(log, &ops, err))
		goto out;
	if (ret) {
		snprintf(ret->name, sizeof(ret->name), "%s", name);
		memcpy(ret->id, id ? id : made, 16);
		ret->n_parts = n_parts;
	}
	rc = 0;
out:
	lock_drop(&log->lock);
	return rc;
}

static struct topic *by_id(struct log *log, const uint8_t *id, struct err *err)
{
	struct topic *t = map_get(&log->topics_by_id, view_of(id, 16));

	if (!t && err)
		err_set(err, ERR_NOT_FOUND, "there is no topic with this id");
	return t;
}

int log_topic_delete(struct log *log, const uint8_t id[16], struct err *err)
{
	struct buf ops = BUF_INIT(1 << 20);
	int rc = -1;

	lock_take(&log->lock);
	if (by_id(log, id, err)) {
		buf_u8(&ops, 2);
		buf_put(&ops, id, 16);
		rc = write_and_wait(log, &ops, err);
	}
	lock_drop(&log->lock);
	return rc;
}

int log_topic_grow(struct log *log, const uint8_t id[16], uint32_t n_parts, struct err *err)
{
	struct buf ops = BUF_INIT(1 << 20);
	struct topic *t;
	int rc = -1;

	lock_take(&log->lock);
	t = by_id(log, id, err);
	if (t && (n_parts <= t->n_parts || n_parts > LOG_TOPIC_PARTITIONS_MAX))
		err_set(err, ERR_INVALID, "topic \"%s\" has %u partitions and cannot have %u", t->name, t->n_parts, n_parts);
	else if (t) {
		put_topic(log, &ops, t, t->id, t->name, n_parts - t->n_parts, NULL, 0);
		rc = write_and_wait(log, &ops, err);
	}
	lock_drop(&log->lock);
	return rc;
}

int log_topic_alter(struct log *log, const uint8_t id[16], const struct log_config *configs, unsigned n, struct err *err)
{
	struct buf ops = BUF_INIT(1 << 20);
	struct topic *t;
	int rc = -1;

	lock_take(&log->lock);
	t = by_id(log, id, err);
	if (t) {
		put_topic(log, &ops, t, t->id, t->name, 0, configs, n);
		rc = write_and_wait(log, &ops, err);
	}
	lock_drop(&log->lock);
	return rc;
}

bool log_topic_find(struct log *log, struct view name, struct log_topic *ret)
{
	struct topic *t;

	lock_take(&log->lock);
	t = map_get(&log->topics, name);
	if (t)
		fill(t, ret);
	lock_drop(&log->lock);
	return t != NULL;
}

bool log_topic_find_id(struct log *log, const uint8_t id[16], struct log_topic *ret)
{
	struct topic *t;

	lock_take(&log->lock);
	t = by_id(log, id, NULL);
	if (t)
		fill(t, ret);
	lock_drop(&log->lock);
	return t != NULL;
}

bool log_topic_config(struct log *log, const uint8_t id[16], const char *key, struct buf *into)
{
	struct topic *t;
	uint32_t i;
	bool found = false;

	lock_take(&log->lock);
	t = by_id(log, id, NULL);
	for (i = 0; t && i < t->n_config && !found; i++) {
		found = strcmp(t->config[i * 2], key) == 0;
		if (found) {
			buf_clear(into);
			buf_puts(into, t->config[i * 2 + 1]);
		}
	}
	lock_drop(&log->lock);
	return found;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(((const struct log_topic *)a)->name, ((const struct log_topic *)b)->name);
}

void log_topic_list(struct log *log, void (*fn)(void *arg, const struct log_topic *t), void *arg)
{
	struct log_topic *all;
	struct map_slot *s;
	size_t pos = 0, n = 0, i;

	lock_take(&log->lock);
	all = mem_alloc((log->topics.count + 1) * sizeof(*all));
	while ((s = map_iter(&log->topics, &pos)))
		fill(s->value, &all[n++]);
	lock_drop(&log->lock);
	qsort(all, n, sizeof(*all), name_cmp);
	for (i = 0; i < n; i++)
		fn(arg, &all[i]);
	mem_free(all);
}

bool log_topic_configs(struct log *log, const uint8_t id[16], void (*fn)(void *arg, const char *key, const char *value), void *arg)
{
	char **copy;
	struct topic *t;
	uint32_t n, i;

	lock_take(&log->lock);
	t = by_id(log, id, NULL);
	n = t ? t->n_config : 0;
	copy = mem_alloc((n * 2 + 1) * sizeof(*copy));
	for (i = 0; i < n * 2; i++)
		copy[i] = mem_strdup(t->config[i]);
	lock_drop(&log->lock);
	for (i = 0; i < n; i++)
		fn(arg, copy[i * 2], copy[i * 2 + 1]);
	for (i = 0; i < n * 2; i++)
		mem_free(copy[i]);
	mem_free(copy);
	return t != NULL;
}

bool log_part_find(struct log *log, const uint8_t id[16], uint32_t partition, uint32_t *ret_part)
{
	struct topic *t;
	uint32_t i, left = partition;
	bool found = false;

	lock_take(&log->lock);
	t = by_id(log, id, NULL);
	for (i = 0; t && i < t->n_ranges && !found; i++) {
		found = left < t->ranges[i].count;
		if (found)
			*ret_part = t->ranges[i].first + left;
		else
			left -= t->ranges[i].count;
	}
	lock_drop(&log->lock);
	return found;
}

bool log_part_topic(struct log *log, uint32_t part, struct log_topic *ret, uint32_t *ret_partition)
{
	struct part *p;

	lock_take(&log->lock);
	p = part_get(log, part);
	if (p) {
		fill(p->topic, ret);
		if (ret_partition)
			*ret_partition = p->index;
	}
	lock_drop(&log->lock);
	return p != NULL;
}
