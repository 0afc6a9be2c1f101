/*
 * From a frame to a handler and back: request header, look-up, decoding; answer header, encoding. ApiVersions too, as the table is here.
 * The thread `kafka`.
 *
 * Request header: key i16, version i16, correlation i32, client id string (never compact); from the message's first flexible version on,
 * tagged fields. Answer: size i32, correlation i32, tagged fields in flexible versions, but not of ApiVersions, which has to be understood
 * by a client that does not know yet what is spoken here.
 */
#include "kafka/kafka_int.h"

#include <stdio.h>

#include "base/mem.h"

static const struct wire_message *message(int16_t key)
{
	unsigned i;

	for (i = 0; i < KAFKA_MESSAGES; i++)
		if (kafka_messages[i].key == key)
			return &kafka_messages[i];
	return NULL;
}

struct row {
	int16_t key;
	bool blocks;
	void (*serve)(struct request *rq);
};

static const struct row rows[] = {
	{KAFKA_PRODUCE, false, serve_produce},
	{KAFKA_FETCH, false, serve_fetch},
	{KAFKA_LIST_OFFSETS, false, serve_list_offsets},
	{KAFKA_METADATA, false, serve_metadata},
	{KAFKA_OFFSET_COMMIT, false, serve_offset_commit},
	{KAFKA_OFFSET_FETCH, false, serve_offset_fetch},
	{KAFKA_FIND_COORDINATOR, false, serve_find_coordinator},
	{KAFKA_JOIN_GROUP, false, serve_join_group},
	{KAFKA_HEARTBEAT, false, serve_heartbeat},
	{KAFKA_LEAVE_GROUP, false, serve_leave_group},
	{KAFKA_SYNC_GROUP, false, serve_sync_group},
	{KAFKA_DESCRIBE_GROUPS, false, serve_describe_groups},
	{KAFKA_LIST_GROUPS, false, serve_list_groups},
	{KAFKA_API_VERSIONS, false, serve_api_versions},
	{KAFKA_CREATE_TOPICS, true, serve_create_topics},
	{KAFKA_DELETE_TOPICS, false, serve_delete_topics},
	{KAFKA_DELETE_RECORDS, true, serve_delete_records},
	{KAFKA_INIT_PRODUCER_ID, true, serve_init_producer_id},
	{KAFKA_OFFSET_FOR_LEADER_EPOCH, false, serve_offset_for_leader_epoch},
	{KAFKA_DESCRIBE_ACLS, false, serve_describe_acls},
	{KAFKA_CREATE_ACLS, false, serve_create_acls},
	{KAFKA_DELETE_ACLS, false, serve_delete_acls},
	{KAFKA_DESCRIBE_CONFIGS, true, serve_describe_configs},
	{KAFKA_ALTER_CONFIGS, true, serve_alter_configs},
	{KAFKA_DESCRIBE_LOG_DIRS, true, serve_describe_log_dirs},
	{KAFKA_CREATE_PARTITIONS, true, serve_create_partitions},
	{KAFKA_DELETE_GROUPS, false, serve_delete_groups},
	{KAFKA_ELECT_LEADERS, false, serve_elect_leaders},
	{KAFKA_INCREMENTAL_ALTER_CONFIGS, true, serve_incremental_alter_configs},
	{KAFKA_LIST_PARTITION_REASSIGNMENTS, false, serve_list_partition_reassignments},
	{KAFKA_OFFSET_DELETE, false, serve_offset_delete},
	{KAFKA_DESCRIBE_CLIENT_QUOTAS, false, serve_describe_client_quotas},
	{KAFKA_DESCRIBE_USER_SCRAM_CREDENTIALS, false, serve_describe_user_scram_credentials},
	{KAFKA_DESCRIBE_CLUSTER, false, serve_describe_cluster},
	{KAFKA_DESCRIBE_PRODUCERS, false, serve_describe_producers},
	{KAFKA_DESCRIBE_TRANSACTIONS, false, serve_describe_transactions},
	{KAFKA_LIST_TRANSACTIONS, false, serve_list_transactions},
	{KAFKA_DESCRIBE_TOPIC_PARTITIONS, false, serve_describe_topic_partitions},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct api apis[ROWS];

const struct api *kafka_api(int16_t key)
{
	unsigned i;

	for (i = 0; i < ROWS; i++)
		if (apis[i].message->key == key)
			return &apis[i];
	return NULL;
}

void kafka_apis_init(void)
{
	unsigned i;

	for (i = 0; i < ROWS; i++)
		apis[i] = (struct api){message(rows[i].key), rows[i].serve, rows[i].blocks};
}

/* ---- in ---- */

static bool client_id(struct reader *r, struct view *ret)
{
	int16_t n = (int16_t)reader_be16(r);

	*ret = n < 0 ? VIEW_NULL : n == 0 ? view_of("", 0) : reader_view(r, (size_t)n);
	return !r->bad && n >= -1;
}

/* An ApiVersions version that is not known here: answered all the same, in version 0's shape. */
static bool unknown_version(struct request *rq)
{
	if (rq->api->message->key != KAFKA_API_VERSIONS)
		return false;
	rq->version = 0;
	rq->in = NULL;
	rq->out = arena_zalloc(&rq->arena, rq->api->message->response->size);
	serve_api_versions(rq);
	return true;
}

bool request_start(struct conn *c, struct request *rq)
{
	struct reader r = reader_of(view_of(rq->frame.ptr + 4, rq->frame.len - 4));
	const struct wire_message *m;
	int16_t key = (int16_t)reader_be16(&r);
	bool flexible;

	rq->version = (int16_t)reader_be16(&r);
	rq->correlation = (int32_t)reader_be32(&r);
	rq->api = kafka_api(key);
	if (!rq->api)
		return false;
	m = rq->api->message;
	if (rq->version < m->from || rq->version > m->to)
		return unknown_version(rq);
	flexible = rq->version >= m->flexible;
	if (!client_id(&r, &rq->client_id))
		return false;
	if (flexible)
		wire_skip_tags(&r);
	rq->in = arena_zalloc(&rq->arena, m->request->size);
	rq->out = arena_zalloc(&rq->arena, m->response->size);
	wire_init(m->response, rq->out);
	/* bytes behind the message are passed over, as Apache Kafka does: librdkafka 2.16 has three in a Metadata for all topics */
	if (r.bad || !wire_decode_some(m->request, rq->version, flexible, &r, &rq->arena, rq->in))
		return false;
	kafka_charge(rq->k, rq->arena.used);
	rq->charged += rq->arena.used;
	if (rq->api->blocks)
		request_to_worker(rq, rq->api->serve);
	else
		rq->api->serve(rq);
	return true;
}

/* ---- out ---- */

/* What served to make the answer. */
static void let_go(struct request *rq)
{
	if (rq->release)
		rq->release(rq);
	rq->release = NULL;
	buf_release(&rq->frame);
	arena_release(&rq->arena);
}

void request_answer(struct request *rq)
{
	const struct wire_message *m = rq->api->message;
	bool flexible = rq->version >= m->flexible;
	struct buf *b = &rq->answer;
	size_t len;

	wm_assert(rq->step == REQUEST_RUNNING);
	rq->step = REQUEST_ANSWERED;
	rq->passed = true;
	if (!rq->conn) {
		request_free(rq);
		return;
	}
	if (!rq->silent) {
		buf_be32(b, 0);
		buf_be32(b, (uint32_t)rq->correlation);
		if (flexible && m->key != KAFKA_API_VERSIONS)
			buf_uvarint(b, 0);
		wire_encode_apart(m->response, rq->version, flexible, rq->out, b, &rq->pieces);
		if (!buf_ok(b)) {
			conn_close(rq->conn);
			return;
		}
		put_be32(b->ptr, (uint32_t)(b->len + rq->pieces.bytes - 4));
	}
	len = b->len + rq->pieces.bytes;
	kafka_charge(rq->k, len);
	rq->charged += len;
	/* a slow reader holds the answer alone */
	if (!rq->pieces.n) {
		let_go(rq);
		kafka_discharge(rq->k, rq->charged - len);
		rq->charged = len;
	}
	conn_touch(rq->conn);
}

void request_free(struct request *rq)
{
	kafka_discharge(rq->k, rq->charged);
	let_go(rq);
	buf_release(&rq->answer);
	wire_pieces_release(&rq->pieces);
	mem_free(rq);
}

/* ---- ApiVersions ---- */

/* [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? */
static bool software_is_valid(struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++) {
		uint8_t c = v.ptr[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!word && (i == 0 || i + 1 == v.len || (c != '-' && c != '.')))
			return false;
	}
	return v.len > 0;
}

void serve_api_versions(struct request *rq)
{
	const struct api_versions_request *in = rq->in;
	struct api_versions_response *out = rq->out;
	unsigned i;

	if (!in)
		out->error = KE_UNSUPPORTED_VERSION;
	else if (rq->version >= 3 && !(software_is_valid(in->client_software_name) && software_is_valid(in->client_software_version)))
		out->error = KE_INVALID_REQUEST;
	if (out->error != KE_INVALID_REQUEST) {
		out->apis = REQUEST_ARRAY(rq, ROWS, struct api_versions_response_api);
		for (i = 0; i < ROWS; i++) {
			const struct wire_message *m = apis[i].message;

			out->apis[out->n_apis++] =
				(struct api_versions_response_api){.key = m->key, .min_version = m->from, .max_version = m->to};
		}
	}
	request_answer(rq);
}
