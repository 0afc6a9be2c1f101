/* Administration of groups and topics, as Apache Kafka 3.9.1 answers it: the broker in this process, spoken to through a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "kafka/errors.h"
#include "kafkabroker.h"
#include "kafkaclient.h"

static struct broker broker;

static int set_up(void **state)
{
	broker_init(&broker);
	broker_start(&broker);
	return 0;
}

static int tear_down(void **state)
{
	broker_stop(&broker);
	broker_remove(&broker);
	return 0;
}

/* ---- groups ---- */

/* Becomes the only member of the group, which is left before its leader has synced. */
static struct join_group_response *join(struct client *c, const char *group, const char *type, const char *metadata, size_t len)
{
	struct join_group_request_protocol p = {view_str("range"), view_of(metadata, len)};
	struct join_group_request req = {.group_id = view_str(group), .session_timeout_ms = 30000, .rebalance_timeout_ms = 30000,
		.member_id = view_of("", 0), .protocol_type = view_str(type), .protocols = &p, .n_protocols = 1};
	struct join_group_response *out = client_call(c, KAFKA_JOIN_GROUP, 3, &req);

	assert_int_equal(out->error, 0);
	return out;
}

/* The member's assignment, which makes the group stable. */
static void sync(struct client *c, const char *group, const struct join_group_response *member)
{
	struct sync_group_request_assignment a = {member->member_id, view_str("assigned")};
	struct sync_group_request req = {.group_id = view_str(group), .generation_id = member->generation_id,
		.member_id = member->member_id, .assignments = &a, .n_assignments = 1};

	assert_int_equal(((struct sync_group_response *)client_call(c, KAFKA_SYNC_GROUP, 3, &req))->error, 0);
}

static void leave(struct client *c, const char *group, struct view member)
{
	struct leave_group_request req = {.group_id = view_str(group), .member_id = member};

	assert_int_equal(((struct leave_group_response *)client_call(c, KAFKA_LEAVE_GROUP, 1, &req))->error, 0);
}

static void commit(struct client *c, const char *group, const char *topic, int32_t partition)
{
	struct offset_commit_request_topic_partition p = {partition, 7, 0, view_of("", 0)};
	struct offset_commit_request_topic t = {view_str(topic), &p, 1};
	struct offset_commit_request req = {.group_id = view_str(group), .generation_id = -1, .member_id = view_of("", 0), .topics = &t,
		.n_topics = 1};
	struct offset_commit_response *out = client_call(c, KAFKA_OFFSET_COMMIT, 8, &req);

	assert_int_equal(out->topics[0].partitions[0].error, 0);
}

static struct offset_fetch_response *all_offsets(struct client *c, const char *group)
{
	struct offset_fetch_request req = {.group_id = view_str(group), .n_topics = -1};

	return client_call(c, KAFKA_OFFSET_FETCH, 7, &req);
}

/* Deletes the group's offsets in partition 0 of "a" and "b", of nothing, and of a partition that "a" does not have. */
static struct offset_delete_response *delete_offsets(struct client *c, const char *group)
{
	struct offset_delete_request_topic_partition p[] = {{0}, {9}};
	struct offset_delete_request_topic t[] = {{view_str("a"), p, 2}, {view_str("b"), p, 1}, {view_str("nowhere"), p, 1}};
	struct offset_delete_request req = {view_str(group), t, 3};

	return client_call(c, KAFKA_OFFSET_DELETE, 0, &req);
}

static void offsets_of_subscribed_topics_stay(void **state)
{
	static const struct {
		const char *metadata;
		size_t len;
		int16_t a, b;   /* what deleting in the two topics says */
	} cases[] = {
		{"\0\0" "\0\0\0\1" "\0\1a" "\xff\xff\xff\xff", 13, KE_GROUP_SUBSCRIBED_TO_TOPIC, 0},
		{"\0\0" "\0\0\0\2" "\0\1a" "\0\1b" "\0\0\0\2u!", 18, KE_GROUP_SUBSCRIBED_TO_TOPIC, KE_GROUP_SUBSCRIBED_TO_TOPIC},
		{"\0\3" "\0\0\0\1" "\0\1a" "\xff\xff\xff\xff" "whatever comes later", 33, KE_GROUP_SUBSCRIBED_TO_TOPIC, 0},
		{"\0\0" "\0\0\0\0" "\xff\xff\xff\xff", 10, 0, 0},
		/* what cannot be read may be any topic */
		{"\0\0" "\0\0\0\1" "\0\1a", 9, KE_GROUP_SUBSCRIBED_TO_TOPIC, KE_GROUP_SUBSCRIBED_TO_TOPIC},
		{"\0\0" "\0\0\0\1" "\0\1a" "\0\0\0\5u!", 15, KE_GROUP_SUBSCRIBED_TO_TOPIC, KE_GROUP_SUBSCRIBED_TO_TOPIC},
		{"\0\0" "\xff\xff\xff\xff" "\xff\xff\xff\xff", 10, KE_GROUP_SUBSCRIBED_TO_TOPIC, KE_GROUP_SUBSCRIBED_TO_TOPIC},
		{"\0\0" "\x7f\xff\xff\xff" "\0\1a", 9, KE_GROUP_SUBSCRIBED_TO_TOPIC, KE_GROUP_SUBSCRIBED_TO_TOPIC},
		{"\0", 1, KE_GROUP_SUBSCRIBED_TO_TOPIC, KE_GROUP_SUBSCRIBED_TO_TOPIC},
		{"", 0, KE_GROUP_SUBSCRIBED_TO_TOPIC, KE_GROUP_SUBSCRIBED_TO_TOPIC},
	};
	struct offset_delete_response *out;
	struct join_group_response *m;
	struct client c;
	unsigned i;
	int n;

	client_open(&c, broker.port);
	client_make_topic(&c, "a");
	client_make_topic(&c, "b");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		commit(&c, "g", "a", 0);
		commit(&c, "g", "b", 0);
		m = join(&c, "g", "consumer", cases[i].metadata, cases[i].len);
		if (i % 2)
			sync(&c, "g", m);
		out = delete_offsets(&c, "g");
		assert_int_equal(out->error, 0);
		assert_int_equal(out->n_topics, 3);
		assert_int_equal(out->topics[0].partitions[0].error, cases[i].a);
		assert_int_equal(out->topics[1].partitions[0].error, cases[i].b);
		assert_int_equal(out->topics[0].partitions[1].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
		assert_int_equal(out->topics[2].partitions[0].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
		n = (cases[i].a != 0) + (cases[i].b != 0);
		assert_int_equal(all_offsets(&c, "g")->n_topics, n);
		leave(&c, "g", m->member_id);
	}
	/* nobody is in it any more */
	out = delete_offsets(&c, "g");
	assert_int_equal(out->topics[0].partitions[0].error, 0);
	assert_int_equal(out->topics[1].partitions[0].error, 0);
	assert_int_equal(all_offsets(&c, "g")->n_topics, 0);
	client_close(&c);
}

static void groups_of_other_protocols_keep_their_offsets(void **state)
{
	struct offset_delete_response *out;
	struct join_group_response *m;
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "a");
	commit(&c, "g", "a", 0);
	m = join(&c, "g", "connect", "\0\0\0\0\0\0\xff\xff\xff\xff", 10);
	out = delete_offsets(&c, "g");
	assert_int_equal(out->error, KE_NON_EMPTY_GROUP);
	assert_int_equal(out->n_topics, 0);
	leave(&c, "g", m->member_id);
	assert_int_equal(delete_offsets(&c, "g")->error, 0);
	assert_int_equal(delete_offsets(&c, "nobody")->error, KE_GROUP_ID_NOT_FOUND);
	assert_int_equal(delete_offsets(&c, "")->error, KE_INVALID_GROUP_ID);
	client_close(&c);
}

static void all_offsets_of_a_group_name_each_topic_once(void **state)
{
	struct create_topics_request_topic ct[] = {{.name = view_str("x"), .partitions = 9, .replication_factor = 1},
		{.name = view_str("y"), .partitions = 9, .replication_factor = 1}};
	struct create_topics_request create = {.topics = ct, .n_topics = 2, .timeout_ms = 10000};
	struct offset_fetch_response *out;
	struct client c;
	int i, j;

	client_open(&c, broker.port);
	client_call(&c, KAFKA_CREATE_TOPICS, 7, &create);
	for (i = 8; i >= 0; i--) {
		commit(&c, "g", "x", i);
		commit(&c, "g", "y", i);
	}
	out = all_offsets(&c, "g");
	assert_int_equal(out->n_topics, 2);
	for (i = 0; i < 2; i++) {
		assert_true(view_eq(out->topics[i].name, ct[i].name));
		assert_int_equal(out->topics[i].n_partitions, 9);
		for (j = 0; j < 9; j++) {
			assert_int_equal(out->topics[i].partitions[j].index, j);
			assert_int_equal(out->topics[i].partitions[j].offset, 7);
		}
	}
	client_close(&c);
}

static void a_members_host_is_written_as_java_does(void **state)
{
	struct view group = view_str("g");
	struct describe_groups_request req = {.groups = &group, .n_groups = 1};
	struct describe_groups_response *out;
	struct client c;

	client_open(&c, broker.port);
	sync(&c, "g", join(&c, "g", "consumer", "", 0));
	out = client_call(&c, KAFKA_DESCRIBE_GROUPS, 5, &req);
	assert_int_equal(out->groups[0].n_members, 1);
	assert_true(view_is(out->groups[0].members[0].client_host, "/127.0.0.1"));
	client_close(&c);
}

/* ---- topics ---- */

static struct create_topics_response_topic create(struct client *c, const char *name, int32_t partitions, int16_t replication,
	const struct create_topics_request_topic *more, bool validate_only)
{
	struct create_topics_request_topic t = more ? *more : (struct create_topics_request_topic){0};
	struct create_topics_request req = {.topics = &t, .n_topics = 1, .timeout_ms = 10000, .validate_only = validate_only};
	struct create_topics_response *out;

	t.name = view_str(name);
	t.partitions = partitions;
	t.replication_factor = replication;
	out = client_call(c, KAFKA_CREATE_TOPICS, 7, &req);
	assert_int_equal(out->n_topics, 1);
	return out->topics[0];
}

static bool exists(struct client *c, const char *name)
{
	struct metadata_request_topic t = {.name = view_str(name)};
	struct metadata_request req = {.topics = &t, .n_topics = 1};

	return ((struct metadata_response *)client_call(c, KAFKA_METADATA, 12, &req))->topics[0].error == 0;
}

static void copies_that_there_cannot_be_are_refused(void **state)
{
	static const char text[] = "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because "
				   "only 1 broker(s) are registered.";
	static const struct {
		int32_t partitions;
		int16_t replication, error;
	} cases[] = {{3, 2, KE_INVALID_REPLICATION_FACTOR}, {3, 3, KE_INVALID_REPLICATION_FACTOR}, {-1, 3, KE_INVALID_REPLICATION_FACTOR},
		{3, INT16_MAX, KE_INVALID_REPLICATION_FACTOR}, {3, 0, KE_INVALID_REPLICATION_FACTOR}, {0, 0, KE_INVALID_REPLICATION_FACTOR},
		{3, -2, KE_INVALID_REPLICATION_FACTOR}, {0, 3, KE_INVALID_PARTITIONS}, {-5, 1, KE_INVALID_PARTITIONS}};
	struct create_topics_request_topic_config config = {view_str("retention.mss"), view_str("1")};
	struct create_topics_request_topic with_config = {.configs = &config, .n_configs = 1};
	struct create_topics_response_topic out;
	struct client c;
	unsigned i;

	client_open(&c, broker.port);
	for (i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		out = create(&c, "t", cases[i / 2].partitions, cases[i / 2].replication, NULL, i % 2);
		assert_int_equal(out.error, cases[i / 2].error);
		assert_int_equal(out.partitions, -1);
		assert_int_equal(out.replication_factor, -1);
		if (cases[i / 2].error == KE_INVALID_REPLICATION_FACTOR && cases[i / 2].replication == 3)
			assert_true(view_is(out.error_message, text));
	}
	/* a bad configuration is what is said first */
	assert_int_equal(create(&c, "t", 3, 3, &with_config, false).error, KE_INVALID_CONFIG);
	assert_false(exists(&c, "t"));
	out = create(&c, "t", -1, -1, NULL, true);
	assert_int_equal(out.error, 0);
	assert_int_equal(out.partitions, 1);
	assert_int_equal(out.replication_factor, 1);
	assert_false(exists(&c, "t"));
	assert_int_equal(create(&c, "t", 3, -1, NULL, false).error, 0);
	assert_true(exists(&c, "t"));
	client_close(&c);
}

static void partitions_are_assigned_to_this_node_alone(void **state)
{
	int32_t brokers[] = {1, 2};
	struct create_topics_request_topic_assignment a[] = {{1, brokers, 1}, {0, brokers, 2}};
	struct create_topics_request_topic with = {.assignments = a, .n_assignments = 2};
	struct create_partitions_request_topic_assignment more = {brokers, 2};
	struct create_partitions_request_topic grown = {view_str("t"), 3, &more, 1};
	struct create_partitions_request req = {&grown, 1, 1000, false};
	struct create_topics_response_topic out;
	struct client c;

	client_open(&c, broker.port);
	assert_int_equal(create(&c, "t", -1, -1, &with, false).error, KE_INVALID_REPLICA_ASSIGNMENT);
	a[1].n_brokers = 0;
	assert_int_equal(create(&c, "t", -1, -1, &with, false).error, KE_INVALID_REPLICA_ASSIGNMENT);
	a[1].n_brokers = 1;
	assert_int_equal(create(&c, "t", 2, -1, &with, false).error, KE_INVALID_REQUEST);
	out = create(&c, "t", -1, -1, &with, false);
	assert_int_equal(out.error, 0);
	assert_int_equal(out.partitions, 2);
	assert_int_equal(((struct create_partitions_response *)client_call(&c, KAFKA_CREATE_PARTITIONS, 3, &req))->results[0].error,
		KE_INVALID_REPLICA_ASSIGNMENT);
	more.n_brokers = 1;
	assert_int_equal(((struct create_partitions_response *)client_call(&c, KAFKA_CREATE_PARTITIONS, 3, &req))->results[0].error, 0);
	client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(offsets_of_subscribed_topics_stay),
		TEST(groups_of_other_protocols_keep_their_offsets),
		TEST(all_offsets_of_a_group_name_each_topic_once),
		TEST(a_members_host_is_written_as_java_does),
		TEST(copies_that_there_cannot_be_are_refused),
		TEST(partitions_are_assigned_to_this_node_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
