/*
 * What there is and where: Metadata (creating what it names, on the worker), DescribeCluster, DescribeTopicPartitions, FindCoordinator. The
 * answer is always this node.
 */
#include "kafka/kafka_int.h"

#include <stdlib.h>

#include "kafka/topics.h"

/* Bits of operations as the protocol numbers them (3 read, 4 write, 5 create, 6 delete, 7 alter, 8 describe, 9 cluster action, 10 and 11
 * configurations, 12 idempotent write): there is no authorization, so everything is allowed. */
enum { TOPIC_OPERATIONS = 0x0df8, CLUSTER_OPERATIONS = 0x1fa0 };

static int32_t *this_node(struct request *rq)
{
	int32_t *ids = REQUEST_ARRAY(rq, 1, int32_t);

	ids[0] = KAFKA_NODE_ID;
	return ids;
}

/* ---- Metadata ---- */

static void describe(struct request *rq, struct metadata_response_topic *to, const struct log_topic *t)
{
	const struct metadata_request *in = rq->in;
	uint32_t i;

	to->name = arena_view(&rq->arena, view_str(t->name));
	memcpy(to->topic_id.b, t->id, 16);
	to->is_internal = topic_is_internal(to->name);
	to->partitions = REQUEST_ARRAY(rq, (int32_t)t->n_parts, struct metadata_response_topic_partition);
	to->n_partitions = (int32_t)t->n_parts;
	if (in->include_topic_operations)
		to->authorized_operations = TOPIC_OPERATIONS;
	for (i = 0; i < t->n_parts; i++)
		to->partitions[i] = (struct metadata_response_topic_partition){.index = (int32_t)i, .leader_id = KAFKA_NODE_ID, .n_replicas = 1,
			.replicas = this_node(rq), .n_isr = 1, .isr = this_node(rq)};
}

struct all {
	struct request *rq;
	unsigned n, room;
};

static void count_topic(void *arg, const struct log_topic *t)
{
	((struct all *)arg)->room += !topic_is_hidden(view_str(t->name));
}

static void add_topic(void *arg, const struct log_topic *t)
{
	struct all *all = arg;
	struct metadata_response *out = all->rq->out;

	if (topic_is_hidden(view_str(t->name)) || all->n == all->room)
		return;
	wire_init(&wire_metadata_response_topic, &out->topics[all->n]);
	describe(all->rq, &out->topics[all->n++], t);
}

static bool wants_all(const struct request *rq)
{
	const struct metadata_request *in = rq->in;

	return in->n_topics < 0 || (rq->version == 0 && in->n_topics == 0);
}

static bool may_create(const struct request *rq, const struct metadata_request_topic *t)
{
	const struct metadata_request *in = rq->in;

	return rq->k->o.auto_create && in->allow_auto_create && t->name.ptr && topic_name_is_valid(t->name) && !topic_is_hidden(t->name);
}

static void describe_named(struct request *rq, const struct metadata_request_topic *from, struct metadata_response_topic *to)
{
	bool by_id = !from->name.ptr;
	struct log_topic t;

	wire_init(&wire_metadata_response_topic, to);
	to->name = from->name;
	to->topic_id = from->topic_id;
	if (by_id ? topic_find_id(rq->k, &from->topic_id, &t) : topic_find(rq->k, from->name, &t))
		describe(rq, to, &t);
	else
		to->error = by_id ? KE_UNKNOWN_TOPIC_ID : topic_name_is_valid(from->name) ? KE_UNKNOWN_TOPIC_OR_PARTITION : KE_INVALID_TOPIC;
}

static void metadata_fill(struct request *rq)
{
	const struct metadata_request *in = rq->in;
	struct metadata_response *out = rq->out;
	struct all all = {.rq = rq};
	int32_t i;

	out->brokers = REQUEST_ARRAY(rq, 1, struct metadata_response_broker);
	out->n_brokers = 1;
	out->brokers[0] = (struct metadata_response_broker){.node_id = KAFKA_NODE_ID, .host = view_str(rq->host), .port = rq->port};
	out->cluster_id = view_str(rq->k->cluster);
	out->controller_id = KAFKA_NODE_ID;
	if (in->include_cluster_operations)
		out->cluster_operations = CLUSTER_OPERATIONS;
	if (wants_all(rq)) {
		log_topic_list(rq->k->log, count_topic, &all);
		out->topics = REQUEST_ARRAY(rq, (int32_t)all.room, struct metadata_response_topic);
		log_topic_list(rq->k->log, add_topic, &all);
		out->n_topics = (int32_t)all.n;
		return;
	}
	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct metadata_response_topic);
	out->n_topics = in->n_topics;
	for (i = 0; i < in->n_topics; i++)
		describe_named(rq, &in->topics[i], &out->topics[i]);
}

static void metadata_create(struct request *rq)
{
	const struct metadata_request *in = rq->in;
	struct err err = ERR_INIT;
	struct log_topic t;
	int32_t i;

	for (i = 0; i < in->n_topics; i++)
		if (may_create(rq, &in->topics[i]) && !topic_find(rq->k, in->topics[i].name, &t))
			(void)!topic_create_default(rq->k, in->topics[i].name, &err); /* one that cannot be made is not found below */
	metadata_fill(rq);
}

void serve_metadata(struct request *rq)
{
	const struct metadata_request *in = rq->in;
	struct log_topic t;
	int32_t i;

	for (i = 0; !wants_all(rq) && i < in->n_topics; i++)
		if (may_create(rq, &in->topics[i]) && !topic_find(rq->k, in->topics[i].name, &t)) {
			request_to_worker(rq, metadata_create);
			return;
		}
	metadata_fill(rq);
	request_answer(rq);
}

/* ---- DescribeTopicPartitions ---- */

static void describe_partitions(struct request *rq, struct describe_topic_partitions_response_topic *to, const struct log_topic *t,
	int32_t first, int32_t *room)
{
	int32_t n = (int32_t)t->n_parts - first, i;

	n = n < 0 ? 0 : n > *room ? *room : n;
	to->partitions = REQUEST_ARRAY(rq, n, struct describe_topic_partitions_response_topic_partition);
	to->n_partitions = n;
	for (i = 0; i < n; i++)
		to->partitions[i] = (struct describe_topic_partitions_response_topic_partition){.index = first + i, .leader_id = KAFKA_NODE_ID,
			.n_replicas = 1, .replicas = this_node(rq), .n_isr = 1, .isr = this_node(rq)};
	*room -= n;
}

static void name_topic(void *arg, const struct log_topic *t)
{
	struct all *all = arg;
	struct describe_topic_partitions_request *in = all->rq->in;

	if (!topic_is_hidden(view_str(t->name)) && all->n < all->room)
		in->topics[all->n++].name = arena_view(&all->rq->arena, view_str(t->name));
}

/* No topic stands for all of them. */
static void name_all(struct request *rq)
{
	struct describe_topic_partitions_request *in = rq->in;
	struct all all = {.rq = rq};

	log_topic_list(rq->k->log, count_topic, &all);
	in->topics = REQUEST_ARRAY(rq, (int32_t)all.room, struct describe_topic_partitions_request_topic);
	log_topic_list(rq->k->log, name_topic, &all);
	in->n_topics = (int32_t)all.n;
}

static int by_name(const void *a, const void *b)
{
	return view_cmp(((const struct describe_topic_partitions_request_topic *)a)->name,
		((const struct describe_topic_partitions_request_topic *)b)->name);
}

void serve_describe_topic_partitions(struct request *rq)
{
	struct describe_topic_partitions_request *in = rq->in;
	struct describe_topic_partitions_response *out = rq->out;
	int32_t room = in->response_partition_limit > 0 && in->response_partition_limit < 2000 ? in->response_partition_limit : 2000, i;

	if (in->n_topics == 0)
		name_all(rq);
	qsort(in->topics, (size_t)in->n_topics, sizeof(*in->topics), by_name);
	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct describe_topic_partitions_response_topic);
	for (i = 0; i < in->n_topics; i++) {
		struct describe_topic_partitions_response_topic *to = &out->topics[out->n_topics];
		int at = in->cursor ? view_cmp(in->topics[i].name, in->cursor->topic_name) : 1;
		int32_t first = at == 0 ? in->cursor->partition : 0;
		struct log_topic t;

		if (at < 0)
			continue;
		wire_init(&wire_describe_topic_partitions_response_topic, to);
		to->name = in->topics[i].name;
		to->authorized_operations = TOPIC_OPERATIONS;
		if (room == 0 || first < 0)
			break;
		out->n_topics++;
		if (!topic_find(rq->k, to->name, &t)) {
			to->error = topic_name_is_valid(to->name) ? KE_UNKNOWN_TOPIC_OR_PARTITION : KE_INVALID_TOPIC;
			continue;
		}
		memcpy(to->topic_id.b, t.id, 16);
		to->is_internal = topic_is_internal(to->name);
		describe_partitions(rq, to, &t, first, &room);
		if (first + to->n_partitions < (int32_t)t.n_parts) {
			out->next_cursor = REQUEST_ARRAY(rq, 1, struct describe_topic_partitions_response_next_cursor);
			*out->next_cursor = (struct describe_topic_partitions_response_next_cursor){to->name, first + to->n_partitions};
			break;
		}
		if (room == 0 && i + 1 < in->n_topics) {
			out->next_cursor = REQUEST_ARRAY(rq, 1, struct describe_topic_partitions_response_next_cursor);
			*out->next_cursor = (struct describe_topic_partitions_response_next_cursor){in->topics[i + 1].name, 0};
			break;
		}
	}
	request_answer(rq);
}

/* ---- the node ---- */

enum { ENDPOINT_BROKER = 1, ENDPOINT_CONTROLLER = 2 };

void serve_describe_cluster(struct request *rq)
{
	const struct describe_cluster_request *in = rq->in;
	struct describe_cluster_response *out = rq->out;

	if (in->endpoint_type != ENDPOINT_BROKER) {
		out->error = in->endpoint_type == ENDPOINT_CONTROLLER ? KE_MISMATCHED_ENDPOINT_TYPE : KE_UNSUPPORTED_ENDPOINT_TYPE;
		out->error_message = view_str("there are no controllers that clients could speak to");
		request_answer(rq);
		return;
	}
	out->cluster_id = view_str(rq->k->cluster);
	out->controller_id = KAFKA_NODE_ID;
	out->brokers = REQUEST_ARRAY(rq, 1, struct describe_cluster_response_broker);
	out->n_brokers = 1;
	out->brokers[0] = (struct describe_cluster_response_broker){.broker_id = KAFKA_NODE_ID, .host = view_str(rq->host), .port = rq->port};
	if (in->include_operations)
		out->authorized_operations = CLUSTER_OPERATIONS;
	request_answer(rq);
}

void serve_find_coordinator(struct request *rq)
{
	const struct find_coordinator_request *in = rq->in;
	struct find_coordinator_response *out = rq->out;
	int16_t error = in->key_type == 0 || in->key_type == 1 ? KE_NONE : KE_INVALID_REQUEST;
	int32_t i;

	out->error = error;
	out->node_id = error ? -1 : KAFKA_NODE_ID;
	out->host = view_str(error ? "" : rq->host);
	out->port = error ? -1 : rq->port;
	out->coordinators = REQUEST_ARRAY(rq, in->n_keys, struct find_coordinator_response_coordinator);
	out->n_coordinators = in->n_keys;
	for (i = 0; i < in->n_keys; i++)
		out->coordinators[i] = (struct find_coordinator_response_coordinator){.key = in->keys[i], .node_id = out->node_id,
			.host = out->host, .port = out->port, .error = error};
	request_answer(rq);
}
