/*
 * The group APIs: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, over group.c. The thread `kafka`. Offsets are in groups_offsets.c, lists in
 * groups_list.c.
 */
#include "kafka/groups.h"

#include <stdio.h>

#include "base/mem.h"
#include "kafka/group_int.h"

enum { ID_PREFIX_MAX = 200 };

/* ---- the answers that group.c gives ---- */

static void answer_join(void *arg, void *waiter, const struct group *g, const struct group_join_answer *a)
{
	struct request *rq = waiter;
	struct join_group_response *out = rq->out;
	const struct group_member *m;

	out->error = (int16_t)a->error;
	out->member_id = arena_view(&rq->arena, a->member_id);
	out->leader = view_of("", 0);
	/* before version 7 the name cannot be null */
	out->protocol_name = rq->version >= 7 ? VIEW_NULL : view_of("", 0);
	if (!a->error) {
		out->generation_id = g->generation;
		out->protocol_type = arena_view(&rq->arena, g->protocol_type);
		out->protocol_name = arena_view(&rq->arena, g->protocol);
		out->leader = arena_view(&rq->arena, a->leader);
		out->skip_assignment = a->skip_assignment;
	}
	if (a->members) {
		out->members = REQUEST_ARRAY(rq, (int32_t)g->n_members, struct join_group_response_member);
		for (m = g->members; m; m = m->next)
			out->members[out->n_members++] = (struct join_group_response_member){.member_id = m->id, .group_instance_id = m->instance,
				.metadata = group_metadata(g, m)};
	}
	request_answer(rq); /* encodes: what is the group's is not needed any longer */
}

static void answer_sync(void *arg, void *waiter, const struct group *g, enum kafka_error error, struct view assignment)
{
	struct request *rq = waiter;
	struct sync_group_response *out = rq->out;

	out->error = (int16_t)error;
	out->assignment = assignment;
	if (!error) {
		out->protocol_type = g->protocol_type;
		out->protocol_name = g->protocol;
	}
	request_answer(rq);
}

/* "client-" and a random UUID, as Apache Kafka does it. */
static void new_id(void *arg, struct view prefix, struct buf *to)
{
	struct group_entry *e = arg;
	uint8_t id[16];
	unsigned i;

	io_random(e->k->io, id, sizeof(id));
	buf_putv(to, view_of(prefix.ptr, prefix.len < ID_PREFIX_MAX ? prefix.len : ID_PREFIX_MAX));
	for (i = 0; i < 16; i++)
		buf_printf(to, "%s%02x", i == 0 || i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
}

static const struct group_answers answers = {answer_join, answer_sync, new_id};

/* ---- entries ---- */

static void timer_due(struct kafka *k, struct timer *t)
{
	groups_scheduled((struct group_entry *)t);
}

struct group_entry *groups_find(struct groups *gs, struct view name)
{
	return map_get(&gs->map, name);
}

struct group_entry *groups_make(struct kafka *k, struct view name)
{
	struct group_entry *e = groups_find(k->groups, name);

	if (e || k->groups->map.count >= GROUPS_MAX)
		return e;
	e = mem_zalloc(sizeof(*e));
	e->k = k;
	e->name = group_copy(name);
	e->timer.fn = timer_due;
	e->used_ms = io_now_us(k->io) / 1000;
	group_init(&e->g, e->name, k->o.rebalance_delay_us, &answers, e);
	map_put(&k->groups->map, e->name, e);
	atomic_store_explicit(&k->stats_groups, k->groups->map.count, memory_order_relaxed);
	return e;
}

void groups_remove(struct kafka *k, struct group_entry *e)
{
	struct map_slot *s;
	size_t pos = 0;

	wm_assert(e->in_flight == 0);
	timer_clear(&k->timers, &e->timer);
	group_release(&e->g, KE_COORDINATOR_NOT_AVAILABLE);
	while ((s = map_iter(&e->offsets, &pos))) {
		offset_drop(e, s->value);
		pos = 0;
	}
	map_release(&e->offsets);
	map_remove(&k->groups->map, e->name);
	k->group_bytes -= e->charged;
	group_drop(&e->name);
	mem_free(e);
	atomic_store_explicit(&k->stats_groups, k->groups->map.count, memory_order_relaxed);
}

bool groups_are_full(const struct kafka *k)
{
	return k->group_bytes > k->o.memory_bytes / 4;
}

void groups_scheduled(struct group_entry *e)
{
	struct kafka *k = e->k;
	int64_t next = group_tick(&e->g, k->now_us);
	size_t bytes = e->g.bytes + e->offset_bytes + sizeof(*e);

	if (next == INT64_MAX)
		timer_clear(&k->timers, &e->timer);
	else
		timer_set(&k->timers, &e->timer, next);
	if (e->g.members)
		e->used_ms = io_now_us(k->io) / 1000;
	k->group_bytes += bytes - e->charged;
	e->charged = bytes;
}

void groups_free(struct kafka *k)
{
	struct map_slot *s;
	size_t pos = 0;

	if (!k->groups)
		return;
	while ((s = map_iter(&k->groups->map, &pos))) {
		groups_remove(k, s->value);
		pos = 0;
	}
	map_release(&k->groups->map);
	buf_release(&k->groups->batch);
	mem_free(k->groups);
	k->groups = NULL;
}

/* ---- JoinGroup ---- */

static void refuse_join(struct request *rq, enum kafka_error error)
{
	struct join_group_response *out = rq->out;

	out->error = (int16_t)error;
	out->member_id = ((struct join_group_request *)rq->in)->member_id;
	out->protocol_name = rq->version >= 7 ? VIEW_NULL : view_of("", 0);
	request_answer(rq);
}

void serve_join_group(struct request *rq)
{
	const struct join_group_request *in = rq->in;
	struct group_join j = {.member_id = in->member_id, .instance = in->group_instance_id, .client_id = rq->client_id,
		.client_host = view_str(rq->peer), .protocol_type = in->protocol_type, .id_required = rq->version >= 4,
		.can_skip = rq->version >= 9};
	int32_t rebalance_ms = in->rebalance_timeout_ms < 0 ? in->session_timeout_ms : in->rebalance_timeout_ms, i;
	struct group_protocol *protocols = REQUEST_ARRAY(rq, in->n_protocols, struct group_protocol);
	struct group_entry *e = groups_find(rq->k->groups, in->group_id);

	if (in->group_id.len == 0) {
		refuse_join(rq, KE_INVALID_GROUP_ID);
		return;
	}
	if (in->session_timeout_ms < SESSION_MIN_MS || in->session_timeout_ms > SESSION_MAX_MS) {
		refuse_join(rq, KE_INVALID_SESSION_TIMEOUT);
		return;
	}
	if (!e && in->member_id.len) {
		refuse_join(rq, KE_UNKNOWN_MEMBER_ID);
		return;
	}
	e = e ? e : groups_make(rq->k, in->group_id);
	if (!e || groups_are_full(rq->k)) {
		refuse_join(rq, KE_COORDINATOR_NOT_AVAILABLE);
		return;
	}
	for (i = 0; i < in->n_protocols; i++)
		protocols[i] = (struct group_protocol){in->protocols[i].name, in->protocols[i].metadata};
	j.protocols = protocols;
	j.n_protocols = (unsigned)in->n_protocols;
	j.session_us = (int64_t)in->session_timeout_ms * 1000;
	j.rebalance_us = (int64_t)(rebalance_ms < REBALANCE_MIN_MS ? REBALANCE_MIN_MS : rebalance_ms) * 1000;
	group_join(&e->g, &j, rq, rq->k->now_us);
	groups_scheduled(e);
}

/* ---- SyncGroup, Heartbeat, LeaveGroup ---- */

void serve_sync_group(struct request *rq)
{
	const struct sync_group_request *in = rq->in;
	struct sync_group_response *out = rq->out;
	struct group_entry *e = groups_find(rq->k->groups, in->group_id);
	struct group_protocol *a = REQUEST_ARRAY(rq, in->n_assignments, struct group_protocol);
	struct group_sync s = {.member_id = in->member_id, .instance = in->group_instance_id, .protocol_type = in->protocol_type,
		.protocol = in->protocol_name, .generation = in->generation_id, .assignments = a, .n_assignments = (unsigned)in->n_assignments};
	int32_t i;

	if (!e) {
		out->error = in->group_id.len ? KE_UNKNOWN_MEMBER_ID : KE_INVALID_GROUP_ID;
		request_answer(rq);
		return;
	}
	for (i = 0; i < in->n_assignments; i++)
		a[i] = (struct group_protocol){in->assignments[i].member_id, in->assignments[i].assignment};
	group_sync(&e->g, &s, rq, rq->k->now_us);
	groups_scheduled(e);
}

void serve_heartbeat(struct request *rq)
{
	const struct heartbeat_request *in = rq->in;
	struct heartbeat_response *out = rq->out;
	struct group_entry *e = groups_find(rq->k->groups, in->group_id);

	out->error = in->group_id.len ? KE_UNKNOWN_MEMBER_ID : KE_INVALID_GROUP_ID;
	if (e) {
		out->error = (int16_t)group_heartbeat(&e->g, in->member_id, in->group_instance_id, in->generation_id, rq->k->now_us);
		groups_scheduled(e);
	}
	request_answer(rq);
}

void serve_leave_group(struct request *rq)
{
	const struct leave_group_request *in = rq->in;
	struct leave_group_response *out = rq->out;
	struct group_entry *e = groups_find(rq->k->groups, in->group_id);
	int32_t i;

	if (in->group_id.len == 0)
		out->error = KE_INVALID_GROUP_ID;
	else if (rq->version < 3)
		out->error = e ? (int16_t)group_leave(&e->g, in->member_id, VIEW_NULL, rq->k->now_us) : KE_UNKNOWN_MEMBER_ID;
	out->members = REQUEST_ARRAY(rq, in->n_members, struct leave_group_response_member);
	for (i = 0; !out->error && i < in->n_members; i++) {
		const struct leave_group_request_member *m = &in->members[i];

		out->members[out->n_members++] = (struct leave_group_response_member){.member_id = m->member_id,
			.group_instance_id = m->group_instance_id,
			.error = e ? (int16_t)group_leave(&e->g, m->member_id, m->group_instance_id, rq->k->now_us) : KE_UNKNOWN_MEMBER_ID};
	}
	if (e)
		groups_scheduled(e);
	request_answer(rq);
}
