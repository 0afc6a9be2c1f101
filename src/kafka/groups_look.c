/* See look.h. The caller waits; the loop copies. */
#include <stdlib.h>

#include "kafka/groups.h"
#include "kafka/look.h"

struct look {
	struct later later;          /* first */
	struct view id;
	struct arena *a;
	struct kafka_group *groups;
	uint32_t n;
	struct wake done;
};

static int offset_order(const void *a, const void *b)
{
	const struct kafka_group_offset *x = a, *y = b;
	int c = view_cmp(x->topic, y->topic);

	return c ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

static int group_order(const void *a, const void *b)
{
	const struct kafka_group *x = a, *y = b;

	return view_cmp(x->id, y->id);
}

static struct view copy(struct arena *a, struct view v)
{
	return v.ptr ? arena_view(a, v) : view_of("", 0);
}

/* The offset's row, made when the group has not committed it. Linear: assignments are walked in the order of a group's few topics. */
static struct kafka_group_offset *row_of(
	struct kafka_group_offset *rows, uint32_t *n, uint32_t committed, struct view topic, int32_t partition)
{
	struct kafka_group_offset key = {.topic = topic, .partition = partition};
	struct kafka_group_offset *found = bsearch(&key, rows, committed, sizeof(*rows), offset_order);

	if (found)
		return found;
	rows[*n] = (struct kafka_group_offset){.topic = topic, .partition = partition, .committed = -1};
	return &rows[(*n)++];
}

/*
 * What a member was given, in the consumer's protocol (ConsumerProtocolAssignment): i16 version, topics: i32 n, for each: i16-string, i32 n
 * partitions, i32 each. Of another protocol's bytes, or broken ones, it takes what can be read. Returns how many; rows NULL only counts.
 */
static uint32_t walk_assignment(struct view bytes, struct arena *a, struct kafka_group_offset *rows, uint32_t *n, uint32_t committed,
	const struct kafka_group_member *m)
{
	struct reader r = reader_of(bytes);
	uint32_t topics, parts, count = 0;

	reader_take(&r, 2);
	for (topics = reader_be32(&r); topics && !r.bad; topics--) {
		struct view topic = reader_view(&r, reader_be16(&r));

		if (!r.bad && rows)
			topic = copy(a, topic);
		for (parts = reader_be32(&r); parts && !r.bad; parts--, count++) {
			int32_t partition = (int32_t)reader_be32(&r);

			if (!r.bad && rows)
				row_of(rows, n, committed, topic, partition)->member = m;
		}
	}
	return count;
}

static void copy_members(struct look *l, struct kafka_group *to, const struct group *g)
{
	struct kafka_group_member *members = arena_zalloc(l->a, (g->n_members + 1) * sizeof(*members));
	const struct group_member *m;

	for (m = g->members; m; m = m->next)
		members[to->n_members++] = (struct kafka_group_member){copy(l->a, m->id), copy(l->a, m->client_id), copy(l->a, m->client_host)};
	to->members = members;
}

static void copy_offsets(struct look *l, struct kafka_group *to, struct group_entry *e)
{
	bool consumers = e->g.state == GROUP_STABLE && view_is(e->g.protocol_type, "consumer");
	struct kafka_group_offset *rows;
	const struct group_member *m;
	uint32_t assigned = 0, committed, i;
	struct map_slot *s;
	size_t pos = 0;

	for (m = consumers ? e->g.members : NULL; m; m = m->next)
		assigned += walk_assignment(m->assignment, NULL, NULL, NULL, 0, NULL);
	rows = arena_zalloc(l->a, (e->offsets.count + assigned + 1) * sizeof(*rows));
	while ((s = map_iter(&e->offsets, &pos))) {
		const struct group_offset *o = s->value;

		if (o->durable.present)
			rows[to->n_offsets++] = (struct kafka_group_offset){.topic = copy(l->a, o->topic), .partition = o->partition,
				.committed = o->durable.offset, .committed_ms = o->durable.time_ms};
	}
	committed = to->n_offsets;
	qsort(rows, committed, sizeof(*rows), offset_order);
	for (m = consumers ? e->g.members : NULL, i = 0; m; m = m->next, i++)
		walk_assignment(m->assignment, l->a, rows, &to->n_offsets, committed, &to->members[i]);
	qsort(rows, to->n_offsets, sizeof(*rows), offset_order);
	to->offsets = rows;
}

static void on_loop(struct kafka *k, struct later *later)
{
	struct look *l = (struct look *)later;
	struct map_slot *s;
	size_t pos = 0;

	l->groups = arena_zalloc(l->a, (k->groups->map.count + 1) * sizeof(*l->groups));
	while ((s = map_iter(&k->groups->map, &pos))) {
		struct group_entry *e = s->value;
		struct kafka_group *to = &l->groups[l->n];

		if (l->id.ptr && !view_eq(l->id, e->name))
			continue;
		*to = (struct kafka_group){.id = copy(l->a, e->name), .protocol_type = copy(l->a, e->g.protocol_type),
			.protocol = copy(l->a, e->g.protocol), .state = group_state_name(e->g.state)};
		copy_members(l, to, &e->g);
		copy_offsets(l, to, e);
		l->n++;
	}
	qsort(l->groups, l->n, sizeof(*l->groups), group_order);
	wake_signal(&l->done);
}

void kafka_groups_look(struct kafka *k, struct view id, struct arena *a, struct kafka_group **ret, uint32_t *ret_n)
{
	struct look l = {.later.fn = on_loop, .id = id, .a = a};
	uint64_t seen;

	wake_init(&l.done);
	seen = wake_seen(&l.done);
	kafka_post(k, &l.later);
	while (!wake_wait(&l.done, seen, -1))
		;
	wake_release(&l.done);
	*ret = l.groups;
	*ret_n = l.n;
}
