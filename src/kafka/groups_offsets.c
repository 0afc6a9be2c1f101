/* Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete, and their expiry. The thread `kafka`. */
#include "kafka/groups.h"

#include <stdlib.h>

#include "base/mem.h"
#include "kafka/group_int.h"

enum { RETENTION_MS = 7 * 86400000, RECORD_BYTES = 80 };

/* ---- values ---- */

static struct view offset_key_of(struct arena *a, struct view topic, int32_t partition)
{
	uint8_t *p = arena_alloc(a, topic.len + 4);

	memcpy(p, topic.ptr, topic.len);
	put_be32(p + topic.len, (uint32_t)partition);
	return view_of(p, topic.len + 4);
}

struct group_offset *offset_find(struct group_entry *e, struct view topic, int32_t partition)
{
	struct arena a = ARENA_INIT;
	struct group_offset *o = map_get(&e->offsets, offset_key_of(&a, topic, partition));

	arena_release(&a);
	return o;
}

static size_t offset_size(const struct group_entry *e, const struct group_offset *o)
{
	return RECORD_BYTES + e->name.len + o->topic.len;
}

struct group_offset *offset_make(struct group_entry *e, struct view topic, int32_t partition)
{
	struct group_offset *o = offset_find(e, topic, partition);
	struct arena a = ARENA_INIT;

	if (o)
		return o;
	o = mem_zalloc(sizeof(*o));
	o->topic = group_copy(topic);
	o->partition = partition;
	map_put(&e->offsets, offset_key_of(&a, topic, partition), o);
	e->offset_bytes += sizeof(*o) + topic.len * 2;
	e->k->groups->live_bytes += offset_size(e, o);
	arena_release(&a);
	return o;
}

void offset_set(struct group_entry *e, struct offset_value *to, const struct offset_value *v)
{
	struct view metadata = group_copy(v->metadata);

	e->offset_bytes += metadata.len - to->metadata.len;
	e->k->groups->live_bytes += metadata.len - to->metadata.len;
	group_drop(&to->metadata);
	*to = *v;
	to->metadata = metadata;
}

void offset_drop(struct group_entry *e, struct group_offset *o)
{
	struct arena a = ARENA_INIT;

	offset_set(e, &o->durable, &(struct offset_value){0});
	offset_set(e, &o->appended, &(struct offset_value){0});
	map_remove(&e->offsets, offset_key_of(&a, o->topic, o->partition));
	e->offset_bytes -= sizeof(*o) + o->topic.len * 2;
	e->k->groups->live_bytes -= offset_size(e, o);
	group_drop(&o->topic);
	mem_free(o);
	arena_release(&a);
}

/* ---- OffsetCommit ---- */

static enum kafka_error store_error(const struct err *err)
{
	/* the client tries again */
	return err->code == ERR_BUSY ? KE_COORDINATOR_LOAD_IN_PROGRESS : err->code == ERR_LIMIT ? KE_INVALID_COMMIT_OFFSET_SIZE
		: KE_COORDINATOR_NOT_AVAILABLE;
}

static void commit_fail(struct request *rq, enum kafka_error code)
{
	struct offset_commit_response *out = rq->out;
	int32_t i, j;

	for (i = 0; i < out->n_topics; i++)
		for (j = 0; j < out->topics[i].n_partitions; j++)
			if (!out->topics[i].partitions[j].error)
				out->topics[i].partitions[j].error = (int16_t)code;
}

static void commit_done(struct commit *c)
{
	struct request *rq = c->arg;
	struct kafka *k = c->k;

	if (c->failed)
		commit_fail(rq, KE_COORDINATOR_NOT_AVAILABLE);
	request_answer(rq); /* c lived in its arena */
	group_store_compact(k);
}

static enum kafka_error may_commit(struct request *rq, struct group_entry **ret)
{
	const struct offset_commit_request *in = rq->in;
	struct group_entry *e = groups_find(rq->k->groups, in->group_id);
	enum kafka_error error;

	if (in->group_id.len == 0 && in->generation_id >= 0)
		return KE_INVALID_GROUP_ID;
	if (!e && in->generation_id >= 0)
		return KE_ILLEGAL_GENERATION;
	e = e ? e : groups_make(rq->k, in->group_id);
	if (!e || groups_are_full(rq->k))
		return KE_COORDINATOR_NOT_AVAILABLE;
	error = group_may_commit(&e->g, in->member_id, in->group_instance_id, in->generation_id, rq->k->now_us);
	groups_scheduled(e);
	*ret = e;
	return error;
}

static enum kafka_error check_item(struct request *rq, struct view topic, const struct offset_commit_request_topic_partition *p)
{
	uint32_t part;

	if (p->metadata.len > OFFSET_METADATA_MAX)
		return KE_OFFSET_METADATA_TOO_LARGE;
	return topic_partition(rq->k, topic, p->index, &part);
}

/* A request may name a partition twice. */
static bool is_last(const struct commit *c, uint32_t i)
{
	uint32_t j;

	for (j = i + 1; j < c->n; j++)
		if (c->items[j].offset == c->items[i].offset)
			return false;
	return true;
}

void serve_offset_commit(struct request *rq)
{
	const struct offset_commit_request *in = rq->in;
	struct offset_commit_response *out = rq->out;
	struct commit *c = arena_zalloc(&rq->arena, sizeof(*c));
	struct group_entry *e = NULL;
	enum kafka_error error = may_commit(rq, &e);
	int64_t now_ms = io_now_us(rq->k->io) / 1000;
	struct err err = ERR_INIT;
	int32_t i, j, n = 0;

	for (i = 0; i < in->n_topics; i++)
		n += in->topics[i].n_partitions;
	*c = (struct commit){.k = rq->k, .e = e, .items = REQUEST_ARRAY(rq, n, struct commit_item), .done = commit_done, .arg = rq};
	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct offset_commit_response_topic);
	out->n_topics = in->n_topics;
	for (i = 0; i < in->n_topics; i++) {
		const struct offset_commit_request_topic *from = &in->topics[i];
		struct offset_commit_response_topic *to = &out->topics[i];

		to->name = from->name;
		to->partitions = REQUEST_ARRAY(rq, from->n_partitions, struct offset_commit_response_topic_partition);
		to->n_partitions = from->n_partitions;
		for (j = 0; j < from->n_partitions; j++) {
			const struct offset_commit_request_topic_partition *p = &from->partitions[j];

			to->partitions[j].index = p->index;
			to->partitions[j].error = (int16_t)(error ? error : check_item(rq, from->name, p));
			if (!to->partitions[j].error)
				c->items[c->n++] = (struct commit_item){offset_make(e, from->name, p->index),
					{true, p->offset, now_ms, p->leader_epoch, p->metadata.ptr ? p->metadata : view_of("", 0)}};
		}
	}
	if (c->n == 0) {
		request_answer(rq);
		return;
	}
	e->used_ms = now_ms;
	if (group_store_commit(c, &err)) {
		for (i = 0; i < (int32_t)c->n; i++)
			if (!c->items[i].offset->durable.present && c->items[i].offset->in_flight == 0 && is_last(c, (uint32_t)i))
				offset_drop(e, c->items[i].offset);
		commit_fail(rq, store_error(&err));
		request_answer(rq);
	}
}

/* ---- OffsetFetch ---- */

static struct offset_value value_of(struct group_entry *e, struct view topic, int32_t partition)
{
	struct group_offset *o = e ? offset_find(e, topic, partition) : NULL;

	return o && o->durable.present ? o->durable : (struct offset_value){.offset = -1, .epoch = -1, .metadata = view_of("", 0)};
}

static int offset_order(const void *a, const void *b)
{
	const struct group_offset *x = *(struct group_offset *const *)a, *y = *(struct group_offset *const *)b;
	int c = view_cmp(x->topic, y->topic);

	return c ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

/* All offsets of the group. Each topic once: franz-go's kadm keeps the last entry of a name. */
static void fetch_all(struct request *rq, struct offset_fetch_response_group *to, struct group_entry *e)
{
	struct group_offset **list = REQUEST_ARRAY(rq, (int32_t)e->offsets.count, struct group_offset *);
	struct offset_fetch_response_group_topic_partition *rows =
		REQUEST_ARRAY(rq, (int32_t)e->offsets.count, struct offset_fetch_response_group_topic_partition);
	struct offset_fetch_response_group_topic *t = NULL;
	struct map_slot *s;
	size_t pos = 0;
	uint32_t n = 0, i;

	while ((s = map_iter(&e->offsets, &pos)))
		if (((struct group_offset *)s->value)->durable.present)
			list[n++] = s->value;
	qsort(list, n, sizeof(struct group_offset *), offset_order);
	to->topics = REQUEST_ARRAY(rq, (int32_t)n, struct offset_fetch_response_group_topic);
	for (i = 0; i < n; i++) {
		const struct group_offset *o = list[i];

		if (!t || !view_eq(t->name, o->topic)) {
			t = &to->topics[to->n_topics++];
			*t = (struct offset_fetch_response_group_topic){.name = o->topic, .partitions = &rows[i]};
		}
		rows[i] = (struct offset_fetch_response_group_topic_partition){.index = o->partition, .offset = o->durable.offset,
			.leader_epoch = o->durable.epoch, .metadata = o->durable.metadata};
		t->n_partitions++;
	}
}

/* The topics of the answer in the shape that version 8 brought; older ones are copied from it. n < 0: all. */
static void fetch_group(struct request *rq, struct offset_fetch_response_group *to, struct view name,
	const struct offset_fetch_request_group_topic *topics, int32_t n)
{
	struct group_entry *e = groups_find(rq->k->groups, name);
	int32_t i, j;

	to->group_id = name;
	if (n < 0 && e) {
		fetch_all(rq, to, e);
		return;
	}
	to->topics = REQUEST_ARRAY(rq, n, struct offset_fetch_response_group_topic);
	for (i = 0; i < n; i++) {
		struct offset_fetch_response_group_topic *t = &to->topics[to->n_topics++];

		t->name = topics[i].name;
		t->partitions = REQUEST_ARRAY(rq, topics[i].n_partitions, struct offset_fetch_response_group_topic_partition);
		for (j = 0; j < topics[i].n_partitions; j++) {
			struct offset_value v = value_of(e, t->name, topics[i].partitions[j]);

			t->partitions[t->n_partitions++] = (struct offset_fetch_response_group_topic_partition){.index = topics[i].partitions[j],
				.offset = v.offset, .leader_epoch = v.epoch, .metadata = v.metadata};
		}
	}
}

void serve_offset_fetch(struct request *rq)
{
	const struct offset_fetch_request *in = rq->in;
	struct offset_fetch_response *out = rq->out;
	struct offset_fetch_response_group one = {0};
	int32_t i;

	/* the shapes of the two generations are the same but for their names */
	_Static_assert(sizeof(struct offset_fetch_request_topic) == sizeof(struct offset_fetch_request_group_topic) &&
			sizeof(struct offset_fetch_response_topic) == sizeof(struct offset_fetch_response_group_topic) &&
			sizeof(struct offset_fetch_response_topic_partition) == sizeof(struct offset_fetch_response_group_topic_partition),
		"the structs are used for each other");
	if (rq->version < 8) {
		fetch_group(rq, &one, in->group_id, (const struct offset_fetch_request_group_topic *)in->topics, in->n_topics);
		out->topics = (struct offset_fetch_response_topic *)one.topics;
		out->n_topics = one.n_topics;
	} else {
		out->groups = REQUEST_ARRAY(rq, in->n_groups, struct offset_fetch_response_group);
		out->n_groups = in->n_groups;
		for (i = 0; i < in->n_groups; i++)
			fetch_group(rq, &out->groups[i], in->groups[i].group_id, in->groups[i].topics, in->groups[i].n_topics);
	}
	request_answer(rq);
}

/* ---- deleting ---- */

static void delete_done(struct commit *c)
{
	struct request *rq = c->arg;
	struct offset_delete_response *out = rq->out;

	if (c->failed)
		out->error = KE_COORDINATOR_NOT_AVAILABLE;
	request_answer(rq);
}

/*
 * Puts the topics that a member subscribes to into the map: what version 0 of the consumer's protocol has and every later one begins with
 * (ConsumerProtocolSubscription): i16 version, i32 n, for each topic an i16-string, user data of i32 length, -1 for none.
 */
static bool add_subscription(struct view bytes, struct map *topics)
{
	struct reader r = reader_of(bytes);
	int32_t n, len;

	reader_take(&r, 2);
	for (n = (int32_t)reader_be32(&r); n > 0 && !r.bad; n--) {
		struct view topic = reader_view(&r, reader_be16(&r));

		if (!r.bad)
			map_put(topics, topic, topics);
	}
	len = (int32_t)reader_be32(&r);
	reader_take(&r, len > 0 ? (size_t)len : 0);
	return n == 0 && !r.bad;
}

/* What the group's members subscribe to; false when that is not known, and any topic may be among it. */
static bool subscribed(const struct group *g, struct map *topics)
{
	const struct group_member *m;

	for (m = g->members; m; m = m->next)
		if (!add_subscription(group_metadata(g, m), topics))
			return false;
	return true;
}

static enum kafka_error may_delete(const struct request *rq, const struct group_entry *e)
{
	const struct offset_delete_request *in = rq->in;

	if (in->group_id.len == 0)
		return KE_INVALID_GROUP_ID;
	if (!e)
		return KE_GROUP_ID_NOT_FOUND;
	return e->g.members && !view_is(e->g.protocol_type, "consumer") ? KE_NON_EMPTY_GROUP : KE_NONE;
}

/* Those of one topic; `held`: members subscribe to it. */
static void delete_topic_offsets(struct commit *c, const struct offset_delete_request_topic *from, bool held,
	struct offset_delete_response_topic *to)
{
	struct request *rq = c->arg;
	uint32_t part;
	int32_t i;

	to->name = from->name;
	to->partitions = REQUEST_ARRAY(rq, from->n_partitions, struct offset_delete_response_topic_partition);
	to->n_partitions = from->n_partitions;
	for (i = 0; i < from->n_partitions; i++) {
		struct offset_delete_response_topic_partition *p = &to->partitions[i];
		struct group_offset *o = offset_find(c->e, from->name, from->partitions[i].index);

		p->index = from->partitions[i].index;
		p->error = (int16_t)topic_partition(rq->k, from->name, p->index, &part);
		if (!p->error && held)
			p->error = KE_GROUP_SUBSCRIBED_TO_TOPIC;
		if (!p->error && o)
			c->items[c->n++] = (struct commit_item){o, {0}};
	}
}

void serve_offset_delete(struct request *rq)
{
	const struct offset_delete_request *in = rq->in;
	struct offset_delete_response *out = rq->out;
	struct group_entry *e = groups_find(rq->k->groups, in->group_id);
	struct commit *c = arena_zalloc(&rq->arena, sizeof(*c));
	struct map topics = MAP_INIT;
	struct err err = ERR_INIT;
	bool known;
	int32_t i, n = 0;

	out->error = (int16_t)may_delete(rq, e);
	if (out->error) {
		request_answer(rq);
		return;
	}
	for (i = 0; i < in->n_topics; i++)
		n += in->topics[i].n_partitions;
	*c = (struct commit){.k = rq->k, .e = e, .items = REQUEST_ARRAY(rq, n, struct commit_item), .done = delete_done, .arg = rq};
	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct offset_delete_response_topic);
	out->n_topics = in->n_topics;
	known = subscribed(&e->g, &topics);
	for (i = 0; i < in->n_topics; i++)
		delete_topic_offsets(c, &in->topics[i], !known || map_get(&topics, in->topics[i].name), &out->topics[i]);
	map_release(&topics);
	if (c->n > 0 && group_store_commit(c, &err))
		out->error = (int16_t)store_error(&err);
	if (c->n == 0 || out->error)
		request_answer(rq);
}

/* A commit that nobody waits for. */
static void quiet_done(struct commit *c)
{
	mem_free(c->items);
	mem_free(c);
}

/* Deletes all offsets of the group, or those of a topic. */
static void delete_quietly(struct group_entry *e, const struct view *topic)
{
	struct commit *c = mem_zalloc(sizeof(*c));
	struct err err = ERR_INIT;
	struct map_slot *s;
	size_t pos = 0;

	*c = (struct commit){.k = e->k, .e = e, .done = quiet_done};
	c->items = mem_zalloc((e->offsets.count + 1) * sizeof(*c->items));
	while ((s = map_iter(&e->offsets, &pos))) {
		struct group_offset *o = s->value;

		if (!topic || view_eq(o->topic, *topic))
			c->items[c->n++].offset = o;
	}
	/* what fails now is tried at the next sweep */
	if (c->n == 0 || group_store_commit(c, &err))
		quiet_done(c);
}

void groups_topic_deleted(struct kafka *k, struct view topic)
{
	struct map_slot *s;
	size_t pos = 0;

	while ((s = map_iter(&k->groups->map, &pos)))
		delete_quietly(s->value, &topic);
}

void groups_sweep(struct kafka *k)
{
	int64_t now_ms = io_now_us(k->io) / 1000;
	struct map_slot *s;
	size_t pos = 0;

	while ((s = map_iter(&k->groups->map, &pos))) {
		struct group_entry *e = s->value;
		bool idle = !e->g.members && !e->g.pending && e->in_flight == 0;

		if (idle && e->offsets.count == 0) {
			groups_remove(k, e);
			pos = 0;
		} else if (idle && now_ms - e->used_ms > RETENTION_MS) {
			delete_quietly(e, NULL);
		}
	}
	group_store_compact(k);
}
