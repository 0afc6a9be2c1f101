/* The phases of a consumer group: preparing, completing, stable, and what time does to them. See group.h. */
#include "kafka/group_int.h"

#include "base/mem.h"

static int64_t longest_rebalance(const struct group *g)
{
	const struct group_member *m;
	int64_t max = 0;

	for (m = g->members; m; m = m->next)
		if (m->rebalance_us > max)
			max = m->rebalance_us;
	return max;
}

/* ---- preparing ---- */

void group_prepare(struct group *g, int64_t now_us)
{
	struct group_member *m;

	if (g->state == GROUP_PREPARING) {
		group_try_complete(g, now_us);
		return;
	}
	g->initial = g->state == GROUP_EMPTY && g->initial_delay_us > 0;
	g->newcomers = false;
	g->deadline_us = now_us + longest_rebalance(g);
	g->initial_until_us = g->deadline_us;
	if (g->initial && g->initial_delay_us < longest_rebalance(g))
		g->deadline_us = now_us + g->initial_delay_us;
	g->state = GROUP_PREPARING;
	for (m = g->members; m; m = m->next) {
		void *sync = m->sync;

		m->sync = NULL;
		m->synced = false;
		if (!sync)
			continue;
		m->expires_us = now_us + m->session_us; /* it stood still while it waited */
		g->answers->sync(g->arg, sync, g, KE_REBALANCE_IN_PROGRESS, view_of("", 0));
	}
	group_try_complete(g, now_us);
}

static void unlink_member(struct group *g, struct group_member *m)
{
	struct group_member **at;

	for (at = &g->members; *at != m; at = &(*at)->next)
		;
	*at = m->next;
	g->n_members--;
	if (g->leader == m)
		g->leader = g->members;
}

static void become_empty(struct group *g)
{
	g->generation++;
	g->leader = NULL;
	group_drop(&g->protocol);
	g->state = GROUP_EMPTY;
}

/* Members that did not come back go, but for static ones, which may: their session decides. False when nobody came. */
static bool drop_absent(struct group *g)
{
	struct group_member *m, *next, *present = NULL;

	for (m = g->members; m; m = next) {
		next = m->next;
		if (m->join) {
			present = present ? present : m;
		} else if (!m->instance.ptr) {
			unlink_member(g, m);
			group_member_free(g, m);
		}
	}
	if (g->leader && !g->leader->join)
		g->leader = present ? present : g->leader;
	return present != NULL;
}

static void complete_join(struct group *g, int64_t now_us)
{
	struct group_member *m;
	struct view chosen;

	if (!drop_absent(g)) {
		if (!g->members)
			become_empty(g);
		else
			g->deadline_us = now_us + longest_rebalance(g); /* only static members, all away: until they come or expire */
		return;
	}
	g->generation++;
	chosen = group_choose_protocol(g);
	group_drop(&g->protocol);
	g->protocol = group_copy(chosen);
	g->deadline_us = now_us + longest_rebalance(g);
	g->initial = false;
	g->state = GROUP_COMPLETING;
	for (m = g->members; m; m = m->next) {
		void *join = m->join;

		m->join = NULL;
		m->synced = false;
		group_set_assignment(g, m, view_of("", 0));
		if (!join)
			continue;
		m->expires_us = now_us + m->session_us;
		group_answer_member(g, join, m);
	}
}

static bool all_joined(const struct group *g)
{
	const struct group_member *m;

	for (m = g->members; m; m = m->next)
		if (!m->join)
			return false;
	return !g->pending;
}

void group_try_complete(struct group *g, int64_t now_us)
{
	if (g->state != GROUP_PREPARING)
		return;
	if (g->initial) {
		/* a fresh group waits a little longer while more members are coming */
		if (now_us < g->deadline_us)
			return;
		if (g->newcomers && g->deadline_us < g->initial_until_us) {
			g->newcomers = false;
			g->deadline_us += g->initial_delay_us;
			if (g->deadline_us > g->initial_until_us)
				g->deadline_us = g->initial_until_us;
			if (now_us < g->deadline_us)
				return;
		}
		complete_join(g, now_us);
	} else if (all_joined(g) || now_us >= g->deadline_us) {
		complete_join(g, now_us);
	}
}

/* ---- completing ---- */

void group_assign(struct group *g, const struct group_sync *s, int64_t now_us)
{
	struct group_member *m;
	unsigned i;

	for (m = g->members; m; m = m->next)
		for (i = 0; i < s->n_assignments; i++)
			if (view_eq(s->assignments[i].name, m->id))
				group_set_assignment(g, m, s->assignments[i].metadata);
	g->state = GROUP_STABLE;
	for (m = g->members; m; m = m->next) {
		void *sync = m->sync;

		m->sync = NULL;
		if (!sync)
			continue;
		m->expires_us = now_us + m->session_us;
		g->answers->sync(g->arg, sync, g, KE_NONE, m->assignment);
	}
}

/* ---- leaving ---- */

void group_remove(struct group *g, struct group_member *m, int64_t now_us)
{
	unlink_member(g, m);
	group_end_wait(g, m, KE_UNKNOWN_MEMBER_ID);
	group_member_free(g, m);
	if (!g->members)
		become_empty(g);
	else if (g->state == GROUP_PREPARING)
		group_try_complete(g, now_us);
	else
		group_prepare(g, now_us);
}

static void expire_pending(struct group *g, int64_t now_us)
{
	struct group_pending **at = &g->pending, *p;
	bool some = false;

	while ((p = *at)) {
		if (p->expires_us > now_us) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		g->n_pending--;
		group_drop(&p->id);
		mem_free(p);
		some = true;
	}
	if (some)
		group_try_complete(g, now_us);
}

static struct group_member *expired(const struct group *g, int64_t now_us)
{
	struct group_member *m;

	for (m = g->members; m; m = m->next) {
		bool late = g->state != GROUP_EMPTY && g->state != GROUP_PREPARING && !m->synced && g->deadline_us <= now_us;

		if (late || (!m->join && !m->sync && m->expires_us <= now_us))
			return m;
	}
	return NULL;
}

int64_t group_tick(struct group *g, int64_t now_us)
{
	struct group_member *m;
	struct group_pending *p;
	int64_t next = INT64_MAX;

	expire_pending(g, now_us);
	while ((m = expired(g, now_us)))
		group_remove(g, m, now_us);
	if (g->state == GROUP_PREPARING && g->deadline_us <= now_us)
		group_try_complete(g, now_us);
	for (m = g->members; m; m = m->next) {
		if (!m->join && !m->sync && m->expires_us < next)
			next = m->expires_us;
		if ((g->state == GROUP_COMPLETING || g->state == GROUP_STABLE) && !m->synced && g->deadline_us < next)
			next = g->deadline_us;
	}
	if (g->state == GROUP_PREPARING && g->deadline_us < next)
		next = g->deadline_us;
	for (p = g->pending; p; p = p->next)
		if (p->expires_us < next)
			next = p->expires_us;
	return next;
}
