/* Administration of groups and topics, as Apache Kafka 3.9.1 answers it: the broker in this process, spoken to through a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
	struct offset_commit_request_topic_partition p = {.index = partition, .offset = 7, .metadata = view_of("", 0)};
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

/* Null is no metadata, and so is told as the empty string that stands for it. */
static void metadata_of_null_is_empty(void **state)
{
	struct offset_commit_request_topic_partition p = {.offset = 7, .metadata = VIEW_NULL};
	struct offset_commit_request_topic t = {view_str("t"), &p, 1};
	struct offset_commit_request req = {.group_id = view_str("g"), .generation_id = -1, .member_id = view_of("", 0), .topics = &t,
		.n_topics = 1};
	struct view metadata;
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	client_call(&c, KAFKA_OFFSET_COMMIT, 8, &req);
	metadata = all_offsets(&c, "g")->topics[0].partitions[0].metadata;
	assert_true(metadata.ptr && metadata.len == 0);
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

static struct metadata_response_topic metadata(struct client *c, const char *name)
{
	struct metadata_request_topic t = {.name = view_str(name)};
	struct metadata_request req = {.topics = &t, .n_topics = 1};

	return ((struct metadata_response *)client_call(c, KAFKA_METADATA, 12, &req))->topics[0];
}

static bool exists(struct client *c, const char *name)
{
	return metadata(c, name).error == 0;
}

static void sizes_that_there_cannot_be_are_refused(void **state)
{
	static const struct {
		int32_t partitions;
		int16_t replication, error;
	} cases[] = {{3, 0, KE_INVALID_REPLICATION_FACTOR}, {0, 0, KE_INVALID_REPLICATION_FACTOR},
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
	out = create(&c, "t", 3, -1, NULL, false);
	assert_int_equal(out.error, KE_TOPIC_ALREADY_EXISTS);
	assert_true(view_is(out.error_message, "Topic 't' already exists."));
	/* what was written for three brokers runs, and is told how many copies there are */
	out = create(&c, "three", 2, 3, NULL, false);
	assert_int_equal(out.error, 0);
	assert_int_equal(out.replication_factor, 1);
	assert_true(exists(&c, "three"));
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
	/* each is told once, from 0 on */
	a[1].index = 1;
	assert_int_equal(create(&c, "u", -1, -1, &with, false).error, KE_INVALID_REPLICA_ASSIGNMENT);
	a[1].index = 2;
	assert_int_equal(create(&c, "u", -1, -1, &with, false).error, KE_INVALID_REPLICA_ASSIGNMENT);
	a[1].index = -1;
	assert_int_equal(create(&c, "u", -1, -1, &with, false).error, KE_INVALID_REPLICA_ASSIGNMENT);
	client_close(&c);
}

/* Comparing each with each other would keep the administration busy for minutes, and with it everybody who asks it something. */
static void a_long_list_of_new_topics_is_no_long_work(void **state)
{
	enum { N = 60000 };
	struct create_topics_request_topic *list = mem_zalloc(N * sizeof(*list));
	struct create_topics_request req = {.topics = list, .n_topics = N, .timeout_ms = 10000, .validate_only = true};
	struct create_topics_response *out;
	char (*names)[16] = mem_zalloc(N * sizeof(*names));
	int64_t began;
	struct client c;
	int i;

	for (i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "no/%d", i == N - 1 ? 7 : i);
		list[i] = (struct create_topics_request_topic){.name = view_str(names[i]), .partitions = 1, .replication_factor = 1};
	}
	client_open(&c, broker.port);
	began = io_monotonic_us(io_system());
	out = client_call(&c, KAFKA_CREATE_TOPICS, 7, &req);
	assert_true(io_monotonic_us(io_system()) - began < 5000000);
	assert_int_equal(out->n_topics, N);
	for (i = 0; i < N; i++)
		assert_int_equal(out->topics[i].error, i == 7 || i == N - 1 ? KE_INVALID_REQUEST : KE_INVALID_TOPIC);
	client_close(&c);
	mem_free(names);
	mem_free(list);
}

/* ---- what there is nothing of ---- */

static void rules_are_refused_and_none_are_told(void **state)
{
	struct create_acls_request_creation a[2] = {{2, view_str("t"), 3, view_str("User:x"), view_str("*"), 3, 3}};
	struct create_acls_request creations = {a, 2};
	struct delete_acls_request_filter f = {1, VIEW_NULL, 1, VIEW_NULL, VIEW_NULL, 1, 1};
	struct delete_acls_request filters = {&f, 1};
	struct describe_acls_request all = {1, VIEW_NULL, 1, VIEW_NULL, VIEW_NULL, 1, 1};
	struct create_acls_response *created;
	struct delete_acls_response *deleted;
	struct client c;
	int16_t v;

	a[1] = a[0];
	client_open(&c, broker.port);
	for (v = 0; v <= 3; v++) {
		created = client_call(&c, KAFKA_CREATE_ACLS, v, &creations);
		assert_int_equal(created->n_results, 2);
		assert_int_equal(created->results[1].error, KE_SECURITY_DISABLED);
		deleted = client_call(&c, KAFKA_DELETE_ACLS, v, &filters);
		assert_int_equal(deleted->n_results, 1);
		assert_int_equal(deleted->results[0].error, KE_SECURITY_DISABLED);
		assert_int_equal(((struct describe_acls_response *)client_call(&c, KAFKA_DESCRIBE_ACLS, v, &all))->error, KE_SECURITY_DISABLED);
	}
	client_close(&c);
}

static void quotas_and_credentials_are_none(void **state)
{
	struct describe_client_quotas_request_component component = {view_str("user"), 2, VIEW_NULL};
	struct describe_client_quotas_request quotas = {&component, 1, true};
	struct describe_user_scram_credentials_request_user users[] = {{view_str("a")}, {view_str("b")}};
	struct describe_user_scram_credentials_request credentials = {users, 2};
	struct describe_user_scram_credentials_response *out;
	struct describe_client_quotas_response *q;
	struct client c;
	int16_t v;

	client_open(&c, broker.port);
	for (v = 0; v <= 1; v++) {
		q = client_call(&c, KAFKA_DESCRIBE_CLIENT_QUOTAS, v, &quotas);
		assert_int_equal(q->error, 0);
		assert_int_equal(q->n_entries, 0);
	}
	out = client_call(&c, KAFKA_DESCRIBE_USER_SCRAM_CREDENTIALS, 0, &credentials);
	assert_int_equal(out->error, 0);
	assert_int_equal(out->n_results, 2);
	assert_true(view_is(out->results[1].user, "b"));
	assert_int_equal(out->results[1].error, KE_RESOURCE_NOT_FOUND);
	credentials.n_users = -1;
	out = client_call(&c, KAFKA_DESCRIBE_USER_SCRAM_CREDENTIALS, 0, &credentials);
	assert_int_equal(out->error, 0);
	assert_int_equal(out->n_results, 0);
	client_close(&c);
}

static void transactions_are_none(void **state)
{
	struct view states[] = {view_str("Ongoing"), view_str("ongoing"), view_str("PrepareEpochFence"), view_str("")};
	struct view ids[] = {view_str("tx"), view_str("")};
	struct list_transactions_request list = {.states = states, .n_states = 4, .duration_ms = -1};
	struct describe_transactions_request describe = {ids, 2};
	struct describe_transactions_response *described;
	struct list_transactions_response *listed;
	struct client c;
	int16_t v;

	client_open(&c, broker.port);
	for (v = 0; v <= 1; v++) {
		listed = client_call(&c, KAFKA_LIST_TRANSACTIONS, v, &list);
		assert_int_equal(listed->error, 0);
		assert_int_equal(listed->n_transactions, 0);
		assert_int_equal(listed->n_unknown_states, 2);
		assert_true(view_is(listed->unknown_states[0], "ongoing") && view_is(listed->unknown_states[1], ""));
	}
	described = client_call(&c, KAFKA_DESCRIBE_TRANSACTIONS, 0, &describe);
	assert_int_equal(described->n_transactions, 2);
	assert_int_equal(described->transactions[0].error, KE_TRANSACTIONAL_ID_NOT_FOUND);
	assert_true(view_is(described->transactions[0].transactional_id, "tx"));
	assert_int_equal(described->transactions[1].error, KE_INVALID_REQUEST);
	client_close(&c);
}

static void leaders_need_no_election(void **state)
{
	int32_t parts[] = {0, 5};
	struct elect_leaders_request_topic t[] = {{view_str("t"), parts, 2}, {view_str("nowhere"), parts, 1}};
	struct elect_leaders_request req = {.topics = t, .n_topics = 2, .timeout_ms = 1000};
	struct elect_leaders_response *out;
	struct client c;
	int16_t v;
	int8_t type;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	for (v = 0; v <= 2; v++)
		for (type = 0; type <= (v == 0 ? 0 : 1); type++) {
			req.election_type = type;
			out = client_call(&c, KAFKA_ELECT_LEADERS, v, &req);
			assert_int_equal(out->error, 0);
			assert_int_equal(out->n_topics, 2);
			assert_int_equal(out->topics[0].partitions[0].error, KE_ELECTION_NOT_NEEDED);
			assert_int_equal(out->topics[0].partitions[1].index, 5);
			assert_int_equal(out->topics[0].partitions[1].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
			assert_int_equal(out->topics[1].partitions[0].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
		}
	req.election_type = 2;
	out = client_call(&c, KAFKA_ELECT_LEADERS, 2, &req);
	assert_int_equal(out->error, KE_INVALID_REQUEST);
	assert_int_equal(out->topics[0].partitions[0].error, KE_INVALID_REQUEST);
	req = (struct elect_leaders_request){.n_topics = -1, .timeout_ms = 1000};
	out = client_call(&c, KAFKA_ELECT_LEADERS, 2, &req);
	assert_int_equal(out->error, 0);
	assert_int_equal(out->n_topics, 0);
	client_close(&c);
}

static void producers_are_told_once(void **state)
{
	int32_t parts[] = {0, 3, 0};
	struct describe_producers_request_topic t[] = {{view_str("t"), parts, 3}, {view_str("u"), parts, 1}, {view_str("nowhere"), parts, 1}};
	struct describe_producers_request req = {t, 3};
	struct describe_producers_response_topic_partition *p;
	struct describe_producers_response *out;
	struct buf b = BUF_INIT(1 << 20);
	struct client c;
	int i;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	client_make_topic(&c, "u");
	out = client_call(&c, KAFKA_DESCRIBE_PRODUCERS, 0, &req);
	assert_int_equal(out->topics[0].partitions[2].error, 0);
	assert_int_equal(out->topics[0].partitions[2].n_producers, 0);
	for (i = 0; i < 3; i++) {
		client_batch(&b, 5, 0, 70 - i, (int16_t)(i + 1), 10);
		assert_int_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, 0);
	}
	client_batch(&b, 5, 0, 9, 0, 0);
	assert_int_equal(client_produce(&c, 9, "u", 0, buf_view(&b), -1).error, 0);
	out = client_call(&c, KAFKA_DESCRIBE_PRODUCERS, 0, &req);
	p = out->topics[0].partitions;
	assert_int_equal(p[0].error, 0);
	assert_int_equal(p[0].n_producers, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(p[0].producers[i].producer_id, 68 + i);
		assert_int_equal(p[0].producers[i].producer_epoch, 3 - i);
		assert_int_equal(p[0].producers[i].last_sequence, 14);
		assert_true(p[0].producers[i].last_time_ms > 1700000000000);
		assert_int_equal(p[0].producers[i].coordinator_epoch, -1);
		assert_int_equal(p[0].producers[i].txn_start_offset, -1);
	}
	assert_int_equal(p[1].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
	/* named again: more than there are is not told */
	assert_int_equal(p[2].error, KE_INVALID_REQUEST);
	assert_int_equal(out->topics[1].partitions[0].n_producers, 1);
	assert_int_equal(out->topics[1].partitions[0].producers[0].producer_id, 9);
	assert_int_equal(out->topics[2].partitions[0].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
	buf_release(&b);
	client_close(&c);
}

/* ---- the node ---- */

static void controllers_are_not_here(void **state)
{
	struct describe_cluster_request req = {.endpoint_type = 1};
	struct describe_cluster_response *out;
	struct client c;

	client_open(&c, broker.port);
	out = client_call(&c, KAFKA_DESCRIBE_CLUSTER, 1, &req);
	assert_int_equal(out->error, 0);
	assert_int_equal(out->n_brokers, 1);
	assert_true(view_is(out->cluster_id, kafka_cluster_id(broker.kafka)));
	req.endpoint_type = 2;
	out = client_call(&c, KAFKA_DESCRIBE_CLUSTER, 1, &req);
	assert_int_equal(out->error, KE_MISMATCHED_ENDPOINT_TYPE);
	assert_int_equal(out->n_brokers, 0);
	req.endpoint_type = 3;
	assert_int_equal(((struct describe_cluster_response *)client_call(&c, KAFKA_DESCRIBE_CLUSTER, 1, &req))->error,
		KE_UNSUPPORTED_ENDPOINT_TYPE);
	client_close(&c);
}

static void a_producers_id_has_an_epoch(void **state)
{
	static const struct {
		int64_t id;
		int16_t epoch;
		const char *transactional;
		int16_t error;
	} cases[] = {{-1, -1, NULL, 0}, {7, 3, NULL, 0}, {-1, 3, NULL, KE_INVALID_REQUEST}, {7, -1, NULL, KE_INVALID_REQUEST},
		{-1, -1, "", KE_INVALID_REQUEST}, {-1, -1, "tx", KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED}};
	struct client c;
	unsigned i;
	int16_t v;

	client_open(&c, broker.port);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (v = 0; v <= 5; v++) {
			struct init_producer_id_request req = {.producer_id = cases[i].id, .producer_epoch = cases[i].epoch,
				.transactional_id = cases[i].transactional ? view_str(cases[i].transactional) : VIEW_NULL};
			struct init_producer_id_response *out = client_call(&c, KAFKA_INIT_PRODUCER_ID, v, &req);

			/* earlier versions ask for a new one */
			assert_int_equal(out->error, v < 3 && !cases[i].transactional ? 0 : cases[i].error);
			assert_int_equal(out->producer_epoch, out->error ? -1 : 0);
		}
	client_close(&c);
}

/* ---- what a request has twice ---- */

/* Which of two was meant, nobody knows: neither is done, and what stands between them is. */
static void a_topic_named_twice_is_left_alone(void **state)
{
	struct create_partitions_request_topic grown[3] = {{view_str("t"), 5, NULL, -1}, {view_str("u"), 7, NULL, -1},
		{view_str("t"), 6, NULL, -1}};
	struct create_partitions_request grow = {.topics = grown, .n_topics = 3, .timeout_ms = 10000};
	struct delete_topics_request_topic gone[4] = {{.name = view_str("t")}, {.name = view_str("u")}, {.name = view_str("nowhere")}};
	struct delete_topics_request del = {.topics = gone, .n_topics = 4, .timeout_ms = 10000};
	struct create_partitions_response *sizes;
	struct delete_topics_response *out;
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	client_make_topic(&c, "u");
	sizes = client_call(&c, KAFKA_CREATE_PARTITIONS, 3, &grow);
	assert_int_equal(sizes->results[0].error, KE_INVALID_REQUEST);
	assert_int_equal(sizes->results[1].error, 0);
	assert_int_equal(sizes->results[2].error, KE_INVALID_REQUEST);
	gone[3].topic_id = metadata(&c, "t").topic_id;
	out = client_call(&c, KAFKA_DELETE_TOPICS, 6, &del);
	assert_int_equal(out->topics[0].error, KE_INVALID_REQUEST);
	assert_int_equal(out->topics[1].error, 0);
	assert_int_equal(out->topics[2].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(out->topics[3].error, KE_INVALID_REQUEST);
	assert_true(exists(&c, "t"));
	assert_false(exists(&c, "u"));
	client_close(&c);
}

static bool is_set(struct client *c, const char *topic, const char *key, const char *value)
{
	struct view name = view_str(key);
	struct describe_configs_request_resource of = {2, view_str(topic), &name, 1};
	struct describe_configs_request req = {.resources = &of, .n_resources = 1};
	struct describe_configs_response *out = client_call(c, KAFKA_DESCRIBE_CONFIGS, 4, &req);

	return out->results[0].n_configs == 1 && view_is(out->results[0].configs[0].value, value);
}

static void a_topic_configured_twice_is_left_alone(void **state)
{
	struct alter_configs_request_resource_config set = {view_str("retention.ms"), view_str("1000")};
	struct alter_configs_request_resource all[3] = {{2, view_str("t"), &set, 1}, {2, view_str("u"), &set, 1}, {2, view_str("t"), &set, 1}};
	struct alter_configs_request replace = {.resources = all, .n_resources = 3};
	struct incremental_alter_configs_request_resource_config change = {.name = view_str("retention.ms"), .value = view_str("2000")};
	struct incremental_alter_configs_request_resource some[3] = {{2, view_str("u"), &change, 1}, {2, view_str("t"), &change, 1},
		{2, view_str("u"), &change, 1}};
	struct incremental_alter_configs_request alter = {.resources = some, .n_resources = 3};
	struct incremental_alter_configs_response *changed;
	struct alter_configs_response *replaced;
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	client_make_topic(&c, "u");
	replaced = client_call(&c, KAFKA_ALTER_CONFIGS, 2, &replace);
	assert_int_equal(replaced->resources[0].error, KE_INVALID_REQUEST);
	assert_int_equal(replaced->resources[1].error, 0);
	assert_int_equal(replaced->resources[2].error, KE_INVALID_REQUEST);
	changed = client_call(&c, KAFKA_INCREMENTAL_ALTER_CONFIGS, 1, &alter);
	assert_int_equal(changed->resources[0].error, KE_INVALID_REQUEST);
	assert_int_equal(changed->resources[1].error, 0);
	assert_int_equal(changed->resources[2].error, KE_INVALID_REQUEST);
	assert_true(is_set(&c, "t", "retention.ms", "2000"));
	assert_true(is_set(&c, "u", "retention.ms", "1000"));
	client_close(&c);
}

static void the_group_without_a_name_is_dead(void **state)
{
	struct view name = view_of("", 0);
	struct describe_groups_request req = {.groups = &name, .n_groups = 1};
	struct describe_groups_response *out;
	struct client c;

	client_open(&c, broker.port);
	out = client_call(&c, KAFKA_DESCRIBE_GROUPS, 5, &req);
	assert_int_equal(out->groups[0].error, 0);
	assert_true(view_is(out->groups[0].state, "Dead"));
	client_close(&c);
}

/* ---- old versions ---- */

static void first_versions_make_and_delete_topics(void **state)
{
	struct create_topics_request_topic_config config = {view_str("retention.ms"), view_str("99999")};
	struct create_topics_request_topic t = {.name = view_str("t"), .partitions = 2, .replication_factor = 1, .configs = &config,
		.n_configs = 1};
	struct create_topics_request req = {.topics = &t, .n_topics = 1, .timeout_ms = 10000};
	struct view names[] = {view_str("t"), view_str("nowhere")};
	struct delete_topics_request del = {.names = names, .n_names = 2, .timeout_ms = 10000};
	struct create_topics_response *out;
	struct delete_topics_response *gone;
	struct client c;
	int16_t v;

	client_open(&c, broker.port);
	for (v = 0; v <= 1; v++) {
		req.validate_only = v == 1;
		if (v == 1) {
			assert_int_equal(((struct create_topics_response *)client_call(&c, KAFKA_CREATE_TOPICS, v, &req))->topics[0].error, 0);
			assert_false(exists(&c, "t"));
			req.validate_only = false;
		}
		out = client_call(&c, KAFKA_CREATE_TOPICS, v, &req);
		assert_int_equal(out->topics[0].error, 0);
		assert_true(exists(&c, "t"));
		out = client_call(&c, KAFKA_CREATE_TOPICS, v, &req);
		assert_int_equal(out->topics[0].error, KE_TOPIC_ALREADY_EXISTS);
		assert_int_equal(out->topics[0].error_message.ptr != NULL, v == 1);
		gone = client_call(&c, KAFKA_DELETE_TOPICS, v, &del);
		assert_int_equal(gone->n_topics, 2);
		assert_int_equal(gone->topics[0].error, 0);
		assert_int_equal(gone->topics[1].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
		assert_false(exists(&c, "t"));
	}
	client_close(&c);
}

static struct list_offsets_response_topic_partition list(struct client *c, int16_t version, int64_t time, int32_t most)
{
	struct list_offsets_request_topic_partition p = {.index = 0, .current_leader_epoch = -1, .timestamp = time, .max_offsets = most};
	struct list_offsets_request_topic t = {view_str("t"), &p, 1};
	struct list_offsets_request req = {.replica_id = -1, .topics = &t, .n_topics = 1};

	return ((struct list_offsets_response *)client_call(c, KAFKA_LIST_OFFSETS, version, &req))->topics[0].partitions[0];
}

static void first_versions_list_offsets_before_a_time(void **state)
{
	static const struct {
		int64_t time;
		int32_t most, n;
		int64_t offsets[2];
	} cases[] = {{-1, 1, 1, {3}}, {-1, 0, 0, {0}}, {-1, -7, 0, {0}}, {-1, 2, 2, {3, 0}}, {-1, INT32_MAX, 2, {3, 0}}, {-2, 5, 1, {0}},
		{-2, 0, 0, {0}}, {0, 5, 0, {0}}, {1700000000000, 5, 0, {0}}, {1700000000001, 5, 2, {1, 0}}, {1700000000002, 1, 1, {2}},
		{1700000000003, 5, 2, {3, 0}}, {INT64_MAX, 1, 1, {3}}};
	struct list_offsets_response_topic_partition p;
	struct buf b = BUF_INIT(1 << 20);
	struct client c;
	unsigned i;
	int j;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	p = list(&c, 0, -1, 5);
	assert_int_equal(p.n_offsets, 1);
	assert_int_equal(p.offsets[0], 0);
	client_batch(&b, 3, 0, -1, 0, 0);
	assert_int_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		p = list(&c, 0, cases[i].time, cases[i].most);
		assert_int_equal(p.error, 0);
		assert_int_equal(p.n_offsets, cases[i].n);
		for (j = 0; j < p.n_offsets; j++)
			assert_int_equal(p.offsets[j], cases[i].offsets[j]);
	}
	/* what a negative time stands for is known since the version that brought it */
	for (j = 0; j <= 9; j++) {
		assert_int_equal(list(&c, (int16_t)j, -3, 1).error, j >= 7 ? 0 : KE_UNSUPPORTED_VERSION);
		assert_int_equal(list(&c, (int16_t)j, -4, 1).error, j >= 8 ? 0 : KE_UNSUPPORTED_VERSION);
		assert_int_equal(list(&c, (int16_t)j, -5, 1).error, j >= 9 ? 0 : KE_UNSUPPORTED_VERSION);
		assert_int_equal(list(&c, (int16_t)j, -6, 1).error, KE_UNSUPPORTED_VERSION);
		assert_int_equal(list(&c, (int16_t)j, INT64_MIN, 1).error, KE_UNSUPPORTED_VERSION);
	}
	buf_release(&b);
	client_close(&c);
}

static void first_versions_know_the_end_of_an_epoch(void **state)
{
	struct offset_for_leader_epoch_request_topic_partition p[] = {{0, -1, 0}, {0, -1, 1}, {9, -1, 0}};
	struct offset_for_leader_epoch_request_topic t = {view_str("t"), p, 3};
	struct offset_for_leader_epoch_request req = {.replica_id = -1, .topics = &t, .n_topics = 1};
	struct offset_for_leader_epoch_response *out;
	struct buf b = BUF_INIT(1 << 20);
	struct client c;
	int16_t v;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	client_batch(&b, 3, 0, -1, 0, 0);
	assert_int_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, 0);
	for (v = 0; v <= 4; v++) {
		out = client_call(&c, KAFKA_OFFSET_FOR_LEADER_EPOCH, v, &req);
		assert_int_equal(out->topics[0].partitions[0].end_offset, 3);
		assert_int_equal(out->topics[0].partitions[1].end_offset, -1);
		assert_int_equal(out->topics[0].partitions[2].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
	}
	buf_release(&b);
	client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(offsets_of_subscribed_topics_stay),
		TEST(groups_of_other_protocols_keep_their_offsets),
		TEST(all_offsets_of_a_group_name_each_topic_once),
		TEST(metadata_of_null_is_empty),
		TEST(a_members_host_is_written_as_java_does),
		TEST(sizes_that_there_cannot_be_are_refused),
		TEST(partitions_are_assigned_to_this_node_alone),
		TEST(a_long_list_of_new_topics_is_no_long_work),
		TEST(rules_are_refused_and_none_are_told),
		TEST(quotas_and_credentials_are_none),
		TEST(transactions_are_none),
		TEST(leaders_need_no_election),
		TEST(producers_are_told_once),
		TEST(controllers_are_not_here),
		TEST(a_producers_id_has_an_epoch),
		TEST(a_topic_named_twice_is_left_alone),
		TEST(a_topic_configured_twice_is_left_alone),
		TEST(the_group_without_a_name_is_dead),
		TEST(first_versions_make_and_delete_topics),
		TEST(first_versions_list_offsets_before_a_time),
		TEST(first_versions_know_the_end_of_an_epoch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
