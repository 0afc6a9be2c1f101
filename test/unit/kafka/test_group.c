/* The consumer group's state machine under a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "kafka/group.h"

enum { SECOND = 1000000 };

/* Who waits: what it was answered, in the end. */
struct waiter {
	unsigned answers;
	enum kafka_error error;
	char id[64], leader[64];
	int32_t generation;
	unsigned members;
	bool skip;
	char assignment[32];
};

static struct group g;
static int64_t now;
static unsigned ids;

static void copy(char *to, struct view v)
{
	wm_assert(v.len < 32);
	memcpy(to, v.ptr, v.len);
	to[v.len] = '\0';
}

static void on_join(void *arg, void *waiter, const struct group *gr, const struct group_join_answer *a)
{
	struct waiter *w = waiter;

	w->answers++;
	w->error = a->error;
	copy(w->id, a->member_id.ptr ? a->member_id : view_of("", 0));
	copy(w->leader, a->leader.ptr ? a->leader : view_of("", 0));
	w->generation = gr->generation;
	w->members = a->members ? gr->n_members : 0;
	w->skip = a->skip_assignment;
}

static void on_sync(void *arg, void *waiter, const struct group *gr, enum kafka_error error, struct view assignment)
{
	struct waiter *w = waiter;

	w->answers++;
	w->error = error;
	copy(w->assignment, assignment);
}

static void on_id(void *arg, struct view prefix, struct buf *to)
{
	buf_putv(to, prefix);
	buf_printf(to, "-%u", ++ids);
}

static const struct group_answers answers = {on_join, on_sync, on_id};

static int set_up(void **state)
{
	group_init(&g, view_str("g"), 3 * SECOND, &answers, NULL);
	now = 1000 * (int64_t)SECOND;
	ids = 0;
	return 0;
}

static int tear_down(void **state)
{
	group_release(&g, KE_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(g.bytes, 0);
	return 0;
}

/* Lets time pass, as a caller does: at each instant that the group asks for. */
static void pass(int64_t us)
{
	int64_t end = now + us, next;

	while ((next = group_tick(&g, now)) <= end)
		now = next > now ? next : now + 1;
	now = end;
	group_tick(&g, now);
}

static struct group_join joining(const char *id, const char *instance, const char *metadata)
{
	static struct group_protocol p;

	p = (struct group_protocol){view_str("range"), view_str(metadata)};
	return (struct group_join){.member_id = view_str(id), .instance = instance ? view_str(instance) : VIEW_NULL,
		.client_id = view_str("c"), .client_host = view_str("h"), .protocol_type = view_str("consumer"), .protocols = &p, .n_protocols = 1,
		.session_us = 10 * SECOND, .rebalance_us = 60 * SECOND, .can_skip = true};
}

static void join(struct waiter *w, const char *id, const char *instance, const char *metadata)
{
	char own[64];
	struct group_join j;

	/* the id may be the waiter's, of its last answer */
	snprintf(own, sizeof(own), "%s", id);
	j = joining(own, instance, metadata);
	*w = (struct waiter){0};
	group_join(&g, &j, w, now);
	group_tick(&g, now);
}

static void sync_as(struct waiter *w, const char *id, int32_t generation, const char *a, const char *b)
{
	struct group_protocol as[2] = {{view_str(a ? a : ""), view_str("A")}, {view_str(b ? b : ""), view_str("B")}};
	struct group_sync s = {.member_id = view_str(id), .instance = VIEW_NULL, .generation = generation, .assignments = as,
		.n_assignments = a ? b ? 2 : 1 : 0};

	w->answers = 0;
	group_sync(&g, &s, w, now);
	group_tick(&g, now);
}

static enum kafka_error beat(const char *id, int32_t generation)
{
	return group_heartbeat(&g, view_str(id), VIEW_NULL, generation, now);
}

/* Two members, stable at generation 1; their ids are in the waiters. */
static void two_stable(struct waiter *one, struct waiter *two)
{
	join(one, "", NULL, "m");
	join(two, "", NULL, "m");
	pass(6 * SECOND);
	assert_int_equal(one->answers, 1);
	assert_int_equal(two->answers, 1);
	sync_as(two, two->id, 1, NULL, NULL);
	sync_as(one, one->id, 1, one->id, two->id);
	assert_int_equal(g.state, GROUP_STABLE);
}

static void an_empty_group_waits_for_more_members(void **state)
{
	static struct waiter a, b, c;

	join(&a, "", NULL, "m");
	pass(2 * SECOND);
	assert_int_equal(a.answers, 0);
	join(&b, "", NULL, "m");
	pass(2 * SECOND);
	/* b came during the first wait: it is extended once more */
	assert_int_equal(a.answers, 0);
	pass(2 * SECOND);
	assert_int_equal(a.answers, 1);
	assert_int_equal(b.answers, 1);
	assert_int_equal(a.members, 2);
	assert_int_equal(b.members, 0);
	assert_string_equal(b.leader, a.id);
	assert_int_equal(a.generation, 1);
	assert_int_equal(g.state, GROUP_COMPLETING);
	assert_int_equal(beat(a.id, 1), KE_NONE);
	sync_as(&b, b.id, 1, NULL, NULL);
	assert_int_equal(b.answers, 0);
	sync_as(&a, a.id, 1, a.id, b.id);
	assert_string_equal(a.assignment, "A");
	assert_int_equal(b.answers, 1);
	assert_string_equal(b.assignment, "B");
	assert_int_equal(g.state, GROUP_STABLE);
	/* a third: everybody hears it from heartbeats, and joins again */
	join(&c, "", NULL, "m");
	assert_int_equal(g.state, GROUP_PREPARING);
	assert_int_equal(beat(a.id, 1), KE_REBALANCE_IN_PROGRESS);
	join(&a, a.id, NULL, "m");
	assert_int_equal(c.answers, 0);
	join(&b, b.id, NULL, "m");
	assert_int_equal(c.answers, 1);
	assert_int_equal(c.generation, 2);
	assert_int_equal(a.members, 3);
}

static void a_new_member_gets_an_id_first(void **state)
{
	struct group_join j = joining("", NULL, "m");
	static struct waiter w = {0}, x = {0};

	j.id_required = true;
	group_join(&g, &j, &w, now);
	assert_int_equal(w.error, KE_MEMBER_ID_REQUIRED);
	assert_string_equal(w.id, "c-1");
	j.member_id = view_str(w.id);
	group_join(&g, &j, &x, now);
	pass(3 * SECOND);
	assert_int_equal(x.answers, 1);
	assert_string_equal(x.id, "c-1");
	/* one that was never given out, and one whose time is over */
	join(&x, "c-99", NULL, "m");
	assert_int_equal(x.error, KE_UNKNOWN_MEMBER_ID);
	j.member_id = view_of("", 0);
	group_join(&g, &j, &w, now);
	assert_int_equal(w.error, KE_MEMBER_ID_REQUIRED);
	pass(11 * SECOND);
	join(&x, w.id, NULL, "m");
	assert_int_equal(x.error, KE_UNKNOWN_MEMBER_ID);
}

static void who_is_silent_expires_and_the_others_rebalance(void **state)
{
	static struct waiter a, b;
	int64_t i;

	two_stable(&a, &b);
	for (i = 0; i < 12; i++) {
		pass(SECOND);
		if (g.state == GROUP_STABLE)
			assert_int_equal(beat(a.id, 1), KE_NONE);
	}
	assert_int_equal(g.state, GROUP_PREPARING);
	assert_int_equal(g.n_members, 1);
	join(&a, a.id, NULL, "m");
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.generation, 2);
	assert_int_equal(beat(b.id, 1), KE_UNKNOWN_MEMBER_ID);
	assert_int_equal(beat(a.id, 1), KE_ILLEGAL_GENERATION);
}

static void who_does_not_rejoin_in_time_is_out(void **state)
{
	static struct waiter a, b, c;
	int i;

	two_stable(&a, &b);
	join(&c, "", NULL, "m");
	join(&a, a.id, NULL, "m");
	/* b goes on beating, but never joins: alive by its session, out by the rebalance timeout */
	for (i = 0; i < 59; i++) {
		pass(SECOND);
		assert_int_equal(beat(b.id, 1), KE_REBALANCE_IN_PROGRESS);
	}
	assert_int_equal(a.answers, 0);
	pass(2 * SECOND);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.members, 2);
	assert_int_equal(beat(b.id, 1), KE_UNKNOWN_MEMBER_ID);
}

static void who_never_syncs_is_out(void **state)
{
	static struct waiter a, b;
	int i;

	join(&a, "", NULL, "m");
	join(&b, "", NULL, "m");
	pass(6 * SECOND);
	sync_as(&a, a.id, 1, a.id, b.id);
	assert_int_equal(g.state, GROUP_STABLE);
	for (i = 0; i < 61 && g.state == GROUP_STABLE; i++) {
		pass(SECOND);
		beat(a.id, 1);
		beat(b.id, 1);
	}
	assert_int_equal(g.state, GROUP_PREPARING);
	assert_int_equal(g.n_members, 1);
}

static void leaving_is_noticed_at_once(void **state)
{
	static struct waiter a, b;

	two_stable(&a, &b);
	assert_int_equal(group_leave(&g, view_str("who"), VIEW_NULL, now), KE_UNKNOWN_MEMBER_ID);
	assert_int_equal(group_leave(&g, view_str(a.id), VIEW_NULL, now), KE_NONE);
	assert_int_equal(g.state, GROUP_PREPARING);
	join(&b, b.id, NULL, "m");
	assert_string_equal(b.leader, b.id);
	assert_int_equal(b.members, 1);
	assert_int_equal(group_leave(&g, view_str(b.id), VIEW_NULL, now), KE_NONE);
	assert_int_equal(g.state, GROUP_EMPTY);
	assert_int_equal(beat(b.id, 2), KE_UNKNOWN_MEMBER_ID);
}

static void a_rejoin_without_a_reason_disturbs_nobody(void **state)
{
	static struct waiter a, b;
	char leader[64];

	two_stable(&a, &b);
	snprintf(leader, sizeof(leader), "%s", a.id);
	join(&b, b.id, NULL, "m");
	assert_int_equal(b.answers, 1);
	assert_int_equal(b.generation, 1);
	assert_int_equal(g.state, GROUP_STABLE);
	/* new metadata is a reason, and so is the leader's wish */
	join(&b, b.id, NULL, "other");
	assert_int_equal(g.state, GROUP_PREPARING);
	join(&a, leader, NULL, "m");
	assert_int_equal(b.answers, 1);
	sync_as(&a, a.id, 2, a.id, b.id);
	sync_as(&b, b.id, 2, NULL, NULL);
	assert_int_equal(g.state, GROUP_STABLE);
	join(&a, a.id, NULL, "m");
	assert_int_equal(g.state, GROUP_PREPARING);
}

static void a_static_member_comes_back_without_a_rebalance(void **state)
{
	static struct waiter a, b, again, old;
	char first[64];

	join(&a, "", "i1", "m");
	join(&b, "", "i2", "m");
	pass(6 * SECOND);
	snprintf(first, sizeof(first), "%s", a.id);
	{
		struct group_protocol as[2] = {{view_str(a.id), view_str("A")}, {view_str(b.id), view_str("B")}};
		struct group_sync s = {.member_id = view_str(a.id), .instance = view_str("i1"), .generation = 1, .assignments = as,
			.n_assignments = 2};

		group_sync(&g, &s, &a, now);
		s.member_id = view_str(b.id);
		s.instance = view_str("i2");
		group_sync(&g, &s, &b, now);
	}
	assert_int_equal(g.state, GROUP_STABLE);
	join(&again, "", "i1", "m");
	assert_int_equal(again.answers, 1);
	assert_int_equal(again.error, KE_NONE);
	assert_int_equal(again.generation, 1);
	assert_true(again.skip);
	assert_string_not_equal(again.id, first);
	assert_int_equal(g.state, GROUP_STABLE);
	assert_int_equal(group_heartbeat(&g, view_str(first), view_str("i1"), 1, now), KE_FENCED_INSTANCE_ID);
	assert_int_equal(group_heartbeat(&g, view_str(again.id), view_str("i1"), 1, now), KE_NONE);
	join(&old, first, "i1", "m");
	assert_int_equal(old.error, KE_FENCED_INSTANCE_ID);
	/* with other metadata there is one */
	join(&again, "", "i1", "changed");
	assert_int_equal(g.state, GROUP_PREPARING);
	assert_int_equal(again.answers, 0);
	/* leaving by the instance alone */
	assert_int_equal(group_leave(&g, view_of("", 0), view_str("i2"), now), KE_NONE);
	assert_int_equal(again.answers, 1);
	assert_int_equal(group_leave(&g, view_of("", 0), view_str("i2"), now), KE_UNKNOWN_MEMBER_ID);
}

static void a_member_without_a_common_protocol_is_refused(void **state)
{
	struct group_protocol other = {view_str("roundrobin"), view_str("")};
	struct group_join j = joining("", NULL, "m");
	static struct waiter a, x = {0};

	join(&a, "", NULL, "m");
	j.protocols = &other;
	group_join(&g, &j, &x, now);
	assert_int_equal(x.error, KE_INCONSISTENT_GROUP_PROTOCOL);
	j = joining("", NULL, "m");
	j.protocol_type = view_str("connect");
	group_join(&g, &j, &x, now);
	assert_int_equal(x.error, KE_INCONSISTENT_GROUP_PROTOCOL);
	assert_int_equal(g.n_members, 1);
}

static void the_protocol_that_all_know_and_most_like_is_chosen(void **state)
{
	struct group_protocol p[3][2] = {{{view_str("x"), view_str("1")}, {view_str("y"), view_str("2")}},
		{{view_str("y"), view_str("3")}, {view_str("x"), view_str("4")}}, {{view_str("y"), view_str("5")}, {view_str("x"), view_str("6")}}};
	static struct waiter w[3] = {{0}};
	struct group_join j = joining("", NULL, "m");
	int i;

	for (i = 0; i < 3; i++) {
		j.protocols = p[i];
		j.n_protocols = 2;
		group_join(&g, &j, &w[i], now);
	}
	pass(10 * SECOND);
	assert_true(view_is(g.protocol, "y"));
	assert_true(view_is(group_metadata(&g, g.members), "2"));
}

static void commits_are_taken_from_members_of_this_generation(void **state)
{
	static struct waiter a, b, c;
	struct view none = view_of("", 0);

	assert_int_equal(group_may_commit(&g, none, VIEW_NULL, -1, now), KE_NONE);
	assert_int_equal(group_may_commit(&g, view_str("x"), VIEW_NULL, 3, now), KE_ILLEGAL_GENERATION);
	join(&a, "", NULL, "m");
	join(&b, "", NULL, "m");
	pass(6 * SECOND);
	assert_int_equal(group_may_commit(&g, view_str(a.id), VIEW_NULL, 1, now), KE_REBALANCE_IN_PROGRESS);
	sync_as(&a, a.id, 1, a.id, b.id);
	sync_as(&b, b.id, 1, NULL, NULL);
	assert_int_equal(group_may_commit(&g, view_str(a.id), VIEW_NULL, 1, now), KE_NONE);
	assert_int_equal(group_may_commit(&g, view_str(a.id), VIEW_NULL, 0, now), KE_ILLEGAL_GENERATION);
	assert_int_equal(group_may_commit(&g, view_str("x"), VIEW_NULL, 1, now), KE_UNKNOWN_MEMBER_ID);
	assert_int_equal(group_may_commit(&g, none, VIEW_NULL, -1, now), KE_UNKNOWN_MEMBER_ID);
	join(&c, "", NULL, "m");
	assert_int_equal(g.state, GROUP_PREPARING);
	/* members still commit what they have done before they join again */
	assert_int_equal(group_may_commit(&g, view_str(a.id), VIEW_NULL, 1, now), KE_NONE);
}

static void the_leader_that_dies_between_join_and_sync_holds_nobody(void **state)
{
	static struct waiter a, b;

	join(&a, "", NULL, "m");
	join(&b, "", NULL, "m");
	pass(6 * SECOND);
	sync_as(&b, b.id, 1, NULL, NULL);
	pass(11 * SECOND);
	assert_int_equal(b.answers, 1);
	assert_int_equal(b.error, KE_REBALANCE_IN_PROGRESS);
	join(&b, b.id, NULL, "m");
	assert_string_equal(b.leader, b.id);
	assert_int_equal(b.generation, 2);
}

static uint32_t any(uint32_t below)
{
	static uint64_t seed = 7;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* Whatever members do, everyone who waits is answered once, and the group comes to rest when they stop. */
static void every_waiter_is_answered_exactly_once(void **state)
{
	enum { STEPS = 20000 };
	struct waiter *w = mem_zalloc(STEPS * sizeof(*w));
	char known[16][64] = {{0}};
	int i, waiting = 0;

	for (i = 0; i < STEPS; i++) {
		char *id = known[any(16)];
		uint32_t what = any(10);

		if (what < 4) {
			struct group_join j = joining(any(6) ? id : "", any(5) ? NULL : "inst", any(4) ? "m" : "n");

			group_join(&g, &j, &w[i], now);
			waiting++;
		} else if (what < 7) {
			struct group_sync s = {.member_id = view_str(id), .instance = VIEW_NULL, .generation = g.generation - (any(8) == 0)};

			group_sync(&g, &s, &w[i], now);
			waiting++;
		} else if (what == 7) {
			group_leave(&g, view_str(id), VIEW_NULL, now);
		} else {
			pass((int64_t)any(4) * SECOND);
		}
		group_tick(&g, now);
		if (w[i].answers && w[i].id[0])
			memcpy(known[any(16)], w[i].id, sizeof(known[0]));
	}
	pass(1000 * (int64_t)SECOND);
	assert_int_equal(g.state, GROUP_EMPTY);
	assert_int_equal(g.n_members, 0);
	for (i = 0; i < STEPS; i++) {
		assert_true(w[i].answers <= 1);
		waiting -= (int)w[i].answers;
	}
	assert_int_equal(waiting, 0);
	mem_free(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_group_waits_for_more_members),
		TEST(a_new_member_gets_an_id_first),
		TEST(who_is_silent_expires_and_the_others_rebalance),
		TEST(who_does_not_rejoin_in_time_is_out),
		TEST(who_never_syncs_is_out),
		TEST(leaving_is_noticed_at_once),
		TEST(a_rejoin_without_a_reason_disturbs_nobody),
		TEST(a_static_member_comes_back_without_a_rebalance),
		TEST(a_member_without_a_common_protocol_is_refused),
		TEST(the_protocol_that_all_know_and_most_like_is_chosen),
		TEST(commits_are_taken_from_members_of_this_generation),
		TEST(the_leader_that_dies_between_join_and_sync_holds_nobody),
		TEST(every_waiter_is_answered_exactly_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
