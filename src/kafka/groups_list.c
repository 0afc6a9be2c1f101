/* Looking at groups and deleting them: ListGroups, DescribeGroups, DeleteGroups. The thread `kafka`. */
#include "kafka/groups.h"

enum { GROUP_OPERATIONS = 0x148 }; /* bits: read 3, delete 6, describe 8 */

static bool listed(const struct view *names, int32_t n, const char *name)
{
	int32_t i;

	for (i = 0; i < n; i++)
		if (names[i].len == strlen(name) && strncasecmp((const char *)names[i].ptr, name, names[i].len) == 0)
			return true;
	return n <= 0;
}

void serve_list_groups(struct request *rq)
{
	const struct list_groups_request *in = rq->in;
	struct list_groups_response *out = rq->out;
	struct map_slot *s;
	size_t pos = 0;

	out->groups = REQUEST_ARRAY(rq, (int32_t)rq->k->groups->map.count, struct list_groups_response_group);
	while ((s = map_iter(&rq->k->groups->map, &pos))) {
		const struct group_entry *e = s->value;
		const char *state = group_state_name(e->g.state);

		if (!listed(in->states, in->n_states, state) || !listed(in->types, in->n_types, "classic"))
			continue;
		out->groups[out->n_groups++] = (struct list_groups_response_group){.group_id = e->name,
			.protocol_type = e->g.protocol_type.ptr ? e->g.protocol_type : view_of("", 0), .group_state = view_str(state),
			.group_type = view_str("classic")};
	}
	request_answer(rq);
}

/* As Java prints an address without a name: what parses the tools' lists expects it. */
static struct view host_of(struct request *rq, const struct group_member *m)
{
	return view_str(arena_printf(&rq->arena, "/%.*s", (int)m->client_host.len, (const char *)m->client_host.ptr));
}

static void describe(struct request *rq, struct describe_groups_response_group *to, const struct group *g)
{
	const struct group_member *m;

	to->state = view_str(group_state_name(g->state));
	to->protocol_type = g->protocol_type.ptr ? g->protocol_type : view_of("", 0);
	to->members = REQUEST_ARRAY(rq, (int32_t)g->n_members, struct describe_groups_response_group_member);
	if (g->state == GROUP_STABLE)
		to->protocol_data = g->protocol;
	for (m = g->members; m; m = m->next)
		to->members[to->n_members++] = (struct describe_groups_response_group_member){.member_id = m->id,
			.group_instance_id = m->instance, .client_id = m->client_id, .client_host = host_of(rq, m),
			.metadata = g->state == GROUP_STABLE ? group_metadata(g, m) : view_of("", 0),
			.assignment = g->state == GROUP_STABLE ? m->assignment : view_of("", 0)};
}

void serve_describe_groups(struct request *rq)
{
	const struct describe_groups_request *in = rq->in;
	struct describe_groups_response *out = rq->out;
	int32_t i;

	out->groups = REQUEST_ARRAY(rq, in->n_groups, struct describe_groups_response_group);
	out->n_groups = in->n_groups;
	for (i = 0; i < in->n_groups; i++) {
		struct describe_groups_response_group *to = &out->groups[i];
		const struct group_entry *e = groups_find(rq->k->groups, in->groups[i]);

		wire_init(&wire_describe_groups_response_group, to);
		to->group_id = in->groups[i];
		to->state = view_str("Dead");
		if (in->include_operations)
			to->authorized_operations = GROUP_OPERATIONS;
		/* the empty name, too, is one that no group has */
		if (e)
			describe(rq, to, &e->g);
	}
	request_answer(rq);
}

/* ---- DeleteGroups: one commit for each group that has offsets; the last one's end is the answer ---- */

struct deletion {
	struct commit c;             /* first */
	struct delete_groups_response_result *out;
	unsigned *left;
};

static void delete_done(struct commit *c)
{
	struct deletion *d = (struct deletion *)c;
	struct request *rq = c->arg;

	if (c->failed)
		d->out->error = KE_COORDINATOR_NOT_AVAILABLE;
	else if (c->e->in_flight == 0 && !c->e->g.members && !c->e->g.pending && c->e->offsets.count == 0)
		groups_remove(c->k, c->e);
	if (--*d->left == 0)
		request_answer(rq);
}

static void delete_one(struct request *rq, struct view name, struct delete_groups_response_result *out, unsigned *left)
{
	struct group_entry *e = groups_find(rq->k->groups, name);
	struct deletion *d = arena_zalloc(&rq->arena, sizeof(*d));
	struct err err = ERR_INIT;
	struct map_slot *s;
	size_t pos = 0;

	out->group_id = name;
	if (!e || e->g.members || e->g.pending || e->in_flight) {
		out->error = e ? KE_NON_EMPTY_GROUP : KE_GROUP_ID_NOT_FOUND;
		return;
	}
	if (e->offsets.count == 0) {
		groups_remove(rq->k, e);
		return;
	}
	d->out = out;
	d->left = left;
	d->c = (struct commit){.k = rq->k, .e = e, .done = delete_done, .arg = rq};
	d->c.items = REQUEST_ARRAY(rq, (int32_t)e->offsets.count, struct commit_item);
	while ((s = map_iter(&e->offsets, &pos)))
		d->c.items[d->c.n++].offset = s->value;
	if (group_store_commit(&d->c, &err))
		out->error = KE_COORDINATOR_NOT_AVAILABLE;
	else
		++*left;
}

void serve_delete_groups(struct request *rq)
{
	const struct delete_groups_request *in = rq->in;
	struct delete_groups_response *out = rq->out;
	unsigned *left = arena_zalloc(&rq->arena, sizeof(*left));
	int32_t i;

	out->results = REQUEST_ARRAY(rq, in->n_groups, struct delete_groups_response_result);
	out->n_results = in->n_groups;
	*left = 1;
	for (i = 0; i < in->n_groups; i++)
		delete_one(rq, in->groups[i], &out->results[i], left);
	if (--*left == 0)
		request_answer(rq);
}
