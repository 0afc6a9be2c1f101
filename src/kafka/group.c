/* One consumer group; see group.h. Expiry, the phases and everything that moves the state is in group_phase.c. */
#include "kafka/group_int.h"

#include "base/mem.h"

/* ---- bytes ---- */

struct view group_copy(struct view v)
{
	uint8_t *p;

	if (!v.ptr)
		return VIEW_NULL;
	p = mem_alloc(v.len + 1);
	memcpy(p, v.ptr, v.len);
	p[v.len] = '\0';
	return view_of(p, v.len);
}

void group_drop(struct view *v)
{
	mem_free((void *)(uintptr_t)v->ptr);
	*v = VIEW_NULL;
}

static void drop_protocols(struct group *g, struct group_member *m)
{
	unsigned i;

	for (i = 0; i < m->n_protocols; i++) {
		g->bytes -= m->protocols[i].name.len + m->protocols[i].metadata.len;
		group_drop(&m->protocols[i].name);
		group_drop(&m->protocols[i].metadata);
	}
	mem_free(m->protocols);
	m->protocols = NULL;
	m->n_protocols = 0;
}

static void set_protocols(struct group *g, struct group_member *m, const struct group_join *j)
{
	unsigned i;

	drop_protocols(g, m);
	m->protocols = mem_zalloc((j->n_protocols + 1) * sizeof(*m->protocols));
	m->n_protocols = j->n_protocols;
	for (i = 0; i < j->n_protocols; i++) {
		m->protocols[i].name = group_copy(j->protocols[i].name);
		m->protocols[i].metadata = group_copy(j->protocols[i].metadata.ptr ? j->protocols[i].metadata : view_of("", 0));
		g->bytes += m->protocols[i].name.len + m->protocols[i].metadata.len;
	}
	m->session_us = j->session_us;
	m->rebalance_us = j->rebalance_us;
}

void group_set_assignment(struct group *g, struct group_member *m, struct view v)
{
	g->bytes -= m->assignment.len;
	group_drop(&m->assignment);
	m->assignment = group_copy(v.ptr ? v : view_of("", 0));
	g->bytes += m->assignment.len;
}

void group_member_free(struct group *g, struct group_member *m)
{
	drop_protocols(g, m);
	g->bytes -= m->assignment.len + sizeof(*m);
	group_drop(&m->assignment);
	group_drop(&m->id);
	group_drop(&m->instance);
	group_drop(&m->client_id);
	group_drop(&m->client_host);
	mem_free(m);
}

/* ---- look-ups ---- */

static struct group_member *find(const struct group *g, struct view id)
{
	struct group_member *m;

	for (m = g->members; m && !view_eq(m->id, id); m = m->next)
		;
	return m;
}

static struct group_member *find_instance(const struct group *g, struct view instance)
{
	struct group_member *m;

	for (m = instance.ptr ? g->members : NULL; m && !(m->instance.ptr && view_eq(m->instance, instance)); m = m->next)
		;
	return m;
}

/* The member that says it is this one. */
static enum kafka_error identify(const struct group *g, struct view id, struct view instance, struct group_member **ret)
{
	if (instance.ptr) {
		*ret = find_instance(g, instance);
		if (*ret && !view_eq((*ret)->id, id))
			return KE_FENCED_INSTANCE_ID;
	} else {
		*ret = find(g, id);
	}
	return *ret ? KE_NONE : KE_UNKNOWN_MEMBER_ID;
}

static const struct group_protocol *protocol_of(const struct group_member *m, struct view name)
{
	unsigned i;

	for (i = 0; i < m->n_protocols; i++)
		if (view_eq(m->protocols[i].name, name))
			return &m->protocols[i];
	return NULL;
}

struct view group_metadata(const struct group *g, const struct group_member *m)
{
	const struct group_protocol *p = g->protocol.ptr ? protocol_of(m, g->protocol) : NULL;

	return p ? p->metadata : view_of("", 0);
}

static bool common(const struct group *g, const struct group_protocol *p, const struct group_member *but)
{
	const struct group_member *m;

	for (m = g->members; m; m = m->next)
		if (m != but && !protocol_of(m, p->name))
			return false;
	return true;
}

/* Does the group have a protocol that this member (which may be `but` already) knows too? */
static bool fits(const struct group *g, const struct group_join *j, const struct group_member *but)
{
	unsigned i;

	if (j->protocol_type.len == 0 || j->n_protocols == 0)
		return false;
	if (!g->members || (g->members == but && !but->next))
		return true;
	if (!g->protocol_type.ptr || !view_eq(g->protocol_type, j->protocol_type))
		return false;
	for (i = 0; i < j->n_protocols; i++)
		if (common(g, &j->protocols[i], but))
			return true;
	return false;
}

static bool same_protocols(const struct group_member *m, const struct group_join *j)
{
	unsigned i;

	if (m->n_protocols != j->n_protocols)
		return false;
	for (i = 0; i < j->n_protocols; i++)
		if (!view_eq(m->protocols[i].name, j->protocols[i].name) || !view_eq(m->protocols[i].metadata, j->protocols[i].metadata))
			return false;
	return true;
}

/* The protocol that most members like best of those that all know. */
struct view group_choose_protocol(const struct group *g)
{
	struct view best = VIEW_NULL;
	unsigned most = 0, i, k;
	const struct group_member *m, *first = g->members;

	for (i = 0; i < first->n_protocols; i++) {
		unsigned votes = 0;

		if (!common(g, &first->protocols[i], NULL))
			continue;
		for (m = g->members; m; m = m->next) {
			for (k = 0; k < m->n_protocols && !common(g, &m->protocols[k], NULL); k++)
				;
			votes += k < m->n_protocols && view_eq(m->protocols[k].name, first->protocols[i].name);
		}
		if (!best.ptr || votes > most) {
			best = first->protocols[i].name;
			most = votes;
		}
	}
	return best;
}

/* ---- answers ---- */

void group_answer_join(struct group *g, void *waiter, enum kafka_error error, struct view member_id)
{
	struct group_join_answer a = {.error = error, .member_id = member_id};

	g->answers->join(g->arg, waiter, g, &a);
}

/* Tells a member the present generation. */
void group_answer_member(struct group *g, void *waiter, struct group_member *m)
{
	struct group_join_answer a = {.member_id = m->id, .leader = g->leader ? g->leader->id : view_of("", 0), .members = m == g->leader};

	g->answers->join(g->arg, waiter, g, &a);
}

void group_end_wait(struct group *g, struct group_member *m, enum kafka_error error)
{
	void *join = m->join, *sync = m->sync;

	m->join = m->sync = NULL;
	if (join)
		group_answer_join(g, join, error, m->id);
	if (sync)
		g->answers->sync(g->arg, sync, g, error, view_of("", 0));
}

/* ---- pending ids ---- */

static bool pending_take(struct group *g, struct view id)
{
	struct group_pending **at, *p;

	for (at = &g->pending; (p = *at); at = &p->next)
		if (view_eq(p->id, id)) {
			*at = p->next;
			g->n_pending--;
			group_drop(&p->id);
			mem_free(p);
			return true;
		}
	return false;
}

static void pending_add(struct group *g, const struct group_join *j, void *waiter, int64_t now_us)
{
	struct buf id = BUF_INIT(1024);
	struct group_pending *p;

	if (g->n_pending + g->n_members >= GROUP_MEMBERS_MAX) {
		group_answer_join(g, waiter, KE_GROUP_MAX_SIZE_REACHED, view_of("", 0));
		return;
	}
	g->answers->new_id(g->arg, j->client_id, &id);
	p = mem_zalloc(sizeof(*p));
	p->id = group_copy(buf_view(&id));
	p->expires_us = now_us + j->session_us;
	p->next = g->pending;
	g->pending = p;
	g->n_pending++;
	group_answer_join(g, waiter, KE_MEMBER_ID_REQUIRED, p->id);
	buf_release(&id);
}

/* ---- join ---- */

static void await_join(struct group *g, struct group_member *m, void *waiter)
{
	void *before = m->join;

	m->join = waiter;
	/* the client has given that request up */
	if (before)
		group_answer_join(g, before, KE_UNKNOWN_MEMBER_ID, m->id);
}

static void add_member(struct group *g, const struct group_join *j, struct view id, void *waiter, int64_t now_us)
{
	struct group_member *m, **end;

	if (g->n_members >= GROUP_MEMBERS_MAX) {
		group_answer_join(g, waiter, KE_GROUP_MAX_SIZE_REACHED, id);
		return;
	}
	m = mem_zalloc(sizeof(*m));
	g->bytes += sizeof(*m);
	m->id = group_copy(id);
	m->instance = group_copy(j->instance);
	m->client_id = group_copy(j->client_id.ptr ? j->client_id : view_of("", 0));
	m->client_host = group_copy(j->client_host);
	m->assignment = group_copy(view_of("", 0));
	set_protocols(g, m, j);
	m->expires_us = now_us + m->session_us;
	if (!g->members) {
		group_drop(&g->protocol_type);
		g->protocol_type = group_copy(j->protocol_type);
		g->leader = m;
	}
	for (end = &g->members; *end; end = &(*end)->next)
		;
	*end = m;
	g->n_members++;
	g->newcomers = true;
	await_join(g, m, waiter);
	group_prepare(g, now_us);
}

/* A static member that was restarted: it comes under its instance id, with a new member id. */
static void replace_member(struct group *g, const struct group_join *j, struct group_member *m, void *waiter, int64_t now_us)
{
	struct view old_leader = g->leader ? group_copy(g->leader->id) : group_copy(view_of("", 0)), before = group_copy(group_metadata(g, m));
	struct group_join_answer a = {.error = KE_NONE};
	struct buf id = BUF_INIT(1024);
	bool same;

	group_end_wait(g, m, KE_FENCED_INSTANCE_ID);
	g->answers->new_id(g->arg, j->instance, &id);
	group_drop(&m->id);
	m->id = group_copy(buf_view(&id));
	set_protocols(g, m, j);
	m->expires_us = now_us + m->session_us;
	same = view_eq(before, group_metadata(g, m)) && (!g->protocol.ptr || protocol_of(m, g->protocol));
	if (g->state == GROUP_STABLE && same) {
		/* the assignment stands: it is told the generation as it is. A leader that cannot be told to skip the assignment is let
		 * believe that another one leads. */
		a.member_id = m->id;
		a.leader = j->can_skip ? g->leader->id : old_leader;
		a.skip_assignment = a.members = j->can_skip && m == g->leader;
		g->answers->join(g->arg, waiter, g, &a);
	} else {
		await_join(g, m, waiter);
		group_prepare(g, now_us);
	}
	buf_release(&id);
	group_drop(&old_leader);
	group_drop(&before);
}

static void join_known(struct group *g, const struct group_join *j, struct group_member *m, void *waiter, int64_t now_us)
{
	bool same = same_protocols(m, j);

	/* whether it may go on with what it has: it did not hear of the generation, or joins anew without a reason */
	if (same && (g->state == GROUP_COMPLETING || (g->state == GROUP_STABLE && m != g->leader))) {
		m->expires_us = now_us + m->session_us;
		group_answer_member(g, waiter, m);
		return;
	}
	set_protocols(g, m, j);
	await_join(g, m, waiter);
	group_prepare(g, now_us);
}

static void join_new(struct group *g, const struct group_join *j, void *waiter, int64_t now_us)
{
	struct group_member *m = find_instance(g, j->instance);
	struct buf id = BUF_INIT(1024);

	if (m) {
		replace_member(g, j, m, waiter, now_us);
	} else if (j->id_required && !j->instance.ptr) {
		pending_add(g, j, waiter, now_us);
	} else {
		g->answers->new_id(g->arg, j->instance.ptr ? j->instance : j->client_id, &id);
		add_member(g, j, buf_view(&id), waiter, now_us);
	}
	buf_release(&id);
}

void group_join(struct group *g, const struct group_join *j, void *waiter, int64_t now_us)
{
	struct group_member *m = NULL;
	enum kafka_error error = KE_NONE;
	bool pending = false;

	if (j->member_id.len) {
		pending = !j->instance.ptr && pending_take(g, j->member_id);
		if (!pending)
			error = identify(g, j->member_id, j->instance, &m);
	}
	if (!error && !fits(g, j, m ? m : find_instance(g, j->instance)))
		error = KE_INCONSISTENT_GROUP_PROTOCOL;
	if (error)
		group_answer_join(g, waiter, error, j->member_id);
	else if (m)
		join_known(g, j, m, waiter, now_us);
	else if (pending)
		add_member(g, j, j->member_id, waiter, now_us);
	else
		join_new(g, j, waiter, now_us);
}

/* ---- the others ---- */

static enum kafka_error sync_check(struct group *g, const struct group_sync *s, struct group_member **ret)
{
	enum kafka_error error = identify(g, s->member_id, s->instance, ret);

	if (error)
		return error;
	if (s->generation != g->generation)
		return KE_ILLEGAL_GENERATION;
	if ((s->protocol_type.ptr && !view_eq(s->protocol_type, g->protocol_type)) ||
		(s->protocol.ptr && g->protocol.ptr && !view_eq(s->protocol, g->protocol)))
		return KE_INCONSISTENT_GROUP_PROTOCOL;
	return g->state == GROUP_PREPARING ? KE_REBALANCE_IN_PROGRESS : KE_NONE;
}

void group_sync(struct group *g, const struct group_sync *s, void *waiter, int64_t now_us)
{
	struct group_member *m = NULL;
	enum kafka_error error = sync_check(g, s, &m);
	void *before;

	if (error) {
		g->answers->sync(g->arg, waiter, g, error, view_of("", 0));
		return;
	}
	m->synced = true;
	m->expires_us = now_us + m->session_us;
	if (g->state == GROUP_STABLE) {
		g->answers->sync(g->arg, waiter, g, KE_NONE, m->assignment);
		return;
	}
	before = m->sync;
	m->sync = waiter;
	if (before)
		g->answers->sync(g->arg, before, g, KE_UNKNOWN_MEMBER_ID, view_of("", 0));
	if (m == g->leader)
		group_assign(g, s, now_us);
}

enum kafka_error group_heartbeat(struct group *g, struct view member_id, struct view instance, int32_t generation, int64_t now_us)
{
	struct group_member *m = NULL;
	enum kafka_error error = identify(g, member_id, instance, &m);

	if (error)
		return error;
	if (generation != g->generation)
		return KE_ILLEGAL_GENERATION;
	m->expires_us = now_us + m->session_us;
	return g->state == GROUP_PREPARING ? KE_REBALANCE_IN_PROGRESS : KE_NONE;
}

enum kafka_error group_leave(struct group *g, struct view member_id, struct view instance, int64_t now_us)
{
	struct group_member *m = NULL;
	enum kafka_error error;

	if (!instance.ptr && pending_take(g, member_id)) {
		group_try_complete(g, now_us);
		return KE_NONE;
	}
	if (instance.ptr && member_id.len == 0) {
		m = find_instance(g, instance);
		error = m ? KE_NONE : KE_UNKNOWN_MEMBER_ID;
	} else {
		error = identify(g, member_id, instance, &m);
	}
	if (!error)
		group_remove(g, m, now_us);
	return error;
}

enum kafka_error group_may_commit(struct group *g, struct view member_id, struct view instance, int32_t generation, int64_t now_us)
{
	struct group_member *m = NULL;
	enum kafka_error error;

	if (generation < 0 && member_id.len == 0 && !instance.ptr)
		return g->state == GROUP_EMPTY ? KE_NONE : KE_UNKNOWN_MEMBER_ID;
	error = identify(g, member_id, instance, &m);
	if (error)
		return g->state == GROUP_EMPTY && error == KE_UNKNOWN_MEMBER_ID && generation >= 0 && generation != g->generation
			? KE_ILLEGAL_GENERATION
			: error;
	if (generation != g->generation)
		return KE_ILLEGAL_GENERATION;
	if (g->state == GROUP_COMPLETING)
		return KE_REBALANCE_IN_PROGRESS;
	m->expires_us = now_us + m->session_us;
	return KE_NONE;
}

/* ---- life ---- */

void group_init(struct group *g, struct view name, int64_t initial_delay_us, const struct group_answers *answers, void *arg)
{
	*g = (struct group){.answers = answers, .arg = arg, .name = name, .initial_delay_us = initial_delay_us};
}

void group_release(struct group *g, enum kafka_error why)
{
	struct group_member *m;

	while ((m = g->members)) {
		g->members = m->next;
		group_end_wait(g, m, why);
		group_member_free(g, m);
	}
	while (g->pending)
		pending_take(g, g->pending->id);
	group_drop(&g->protocol_type);
	group_drop(&g->protocol);
}

const char *group_state_name(enum group_state s)
{
	static const char *const names[] = {"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"};

	return names[s];
}
