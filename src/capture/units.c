/* Units as a connector writes them, and the queue of those that are not durable yet. The connector's thread. */
#include "base/mem.h"
#include "capture/connector_internal.h"

int unit_emit(void *arg, const struct emitted *out, struct err *err)
{
	struct unit_target *to = arg;
	struct connector *c = to->c;
	uint32_t index;

	if (c->out->ops->append(c->out, to->t->topic, out->record, &index, err))
		return -1;
	c->events++;
	payload_record(&c->payload, to->t->table->topic, index, to->t->oid, to->t->table->version, out->exceptions, out->nexceptions);
	return 0;
}

static void enqueue(struct connector *c, struct in_flight f)
{
	if (c->flight_count == c->flight_cap) {
		uint32_t cap = c->flight_cap ? c->flight_cap * 2 : 64, i;
		struct in_flight *ring = mem_alloc(cap * sizeof(*ring));

		for (i = 0; i < c->flight_count; i++)
			ring[i] = c->flight[(c->flight_head + i) % c->flight_cap];
		mem_free(c->flight);
		c->flight = ring;
		c->flight_cap = cap;
		c->flight_head = 0;
	}
	c->flight[(c->flight_head + c->flight_count++) % c->flight_cap] = f;
}

int unit_close(struct connector *c, enum unit_kind kind, uint32_t xid, lsn_t commit_lsn, lsn_t end_lsn, int64_t commit_us, struct err *err)
{
	struct unit_payload *u = &c->payload.unit;
	uint64_t number;

	u->kind = (uint8_t)kind;
	u->connector = c->config->name;
	u->incarnation = c->incarnation;
	u->system_id = c->identity.system_id;
	u->timeline = c->identity.timeline;
	u->xid = xid;
	u->commit_lsn = commit_lsn;
	u->end_lsn = end_lsn;
	u->commit_us = commit_us;
	if (c->out->ops->close(c->out, payload_stored(&c->payload), &number, err))
		return -1;
	if (kind != UNIT_NOTE && kind != UNIT_KEPT && kind != UNIT_SNAPSHOT_PART) {
		wm_assert(end_lsn >= c->closed_lsn);
		c->closed_lsn = end_lsn;
		enqueue(c, (struct in_flight){number, end_lsn, commit_us});
	}
	return 0;
}

/* For the heartbeat's record: it goes to a topic of its own and belongs to no table. */
struct heartbeat_target {
	struct connector *c;
	uint32_t topic;
};

static int emit_heartbeat(void *arg, const struct emitted *out, struct err *err)
{
	struct heartbeat_target *to = arg;
	uint32_t index;

	return to->c->out->ops->append(to->c->out, to->topic, out->record, &index, err);
}

int connector_heartbeat_topic(const struct connector_config *cfg, struct arena *a, struct view *ret, struct err *err)
{
	struct view schema_name, plain;

	plain = view_str(arena_printf(a, "%.*s%.*s%.*s", (int)cfg->heartbeat_prefix.len, (const char *)cfg->heartbeat_prefix.ptr,
		(int)cfg->delimiter.len, (const char *)cfg->delimiter.ptr, (int)cfg->prefix.len, (const char *)cfg->prefix.ptr));
	return encode_route(cfg, plain, a, ret, &schema_name, err);
}

int unit_heartbeat(struct connector *c, struct err *err)
{
	struct heartbeat_target to = {c, 0};
	struct arena a = ARENA_INIT;
	struct view topic;
	int64_t now = io_now_us(c->io);
	int rc = -1;

	if (connector_heartbeat_topic(c->config, &a, &topic, err) || c->out->ops->topic(c->out, topic, &to.topic, err))
		goto out;
	payload_begin(&c->payload);
	if (c->out->ops->begin(c->out, err) || encode_heartbeat(c->config, now, emit_heartbeat, &to, err))
		goto out;
	rc = unit_close(c, UNIT_NOTE, 0, 0, 0, 0, err);
out:
	arena_release(&a);
	return rc;
}

int units_reap(struct connector *c, struct err *err)
{
	int64_t commit_us = 0;
	bool moved = false;
	uint64_t durable;

	if (c->flight_count == 0)
		return 0;
	if (c->out->ops->durable(c->out, &durable, err))
		return -1;
	while (c->flight_count && c->flight[c->flight_head].number <= durable) {
		c->durable_lsn = c->flight[c->flight_head].end_lsn;
		if (c->flight[c->flight_head].commit_us)
			commit_us = c->flight[c->flight_head].commit_us;
		c->flight_head = (c->flight_head + 1) % c->flight_cap;
		c->flight_count--;
		moved = true;
	}
	if (moved) {
		lock_take(&c->lock);
		c->status.durable = c->durable_lsn;
		if (commit_us)
			c->status.last_commit_us = commit_us;
		lock_drop(&c->lock);
		if (c->outside)
			wake_signal(c->outside);
	}
	return 0;
}
