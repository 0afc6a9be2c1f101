/* The broker in this process, over a log in a temporary directory, spoken to through sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "kafka/errors.h"
#include "kafkabroker.h"
#include "kafkaclient.h"
#include "log/batch.h"

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

static void restart(void)
{
	broker_stop(&broker);
	broker_start(&broker);
}

/* ---- the protocol's door ---- */

static void an_unknown_version_of_api_versions_is_answered_in_version_0(void **state)
{
	struct api_versions_response *out;
	struct client c;
	int32_t i;
	bool seen = false;

	client_open(&c, broker.port);
	/* key 18, version 99, correlation 1, client "test", then what nobody knows */
	client_send_bytes(&c, "\0\0\0\x12" "\0\x12\0\x63\0\0\0\x01\0\4test" "\x01\x02\x03\x04", 22);
	out = client_receive(&c, KAFKA_API_VERSIONS, 0, 1);
	assert_int_equal(out->error, KE_UNSUPPORTED_VERSION);
	for (i = 0; i < out->n_apis; i++) {
		seen = seen || (out->apis[i].key == KAFKA_API_VERSIONS && out->apis[i].max_version == 4);
		if (out->apis[i].key == KAFKA_PRODUCE)
			assert_int_equal(out->apis[i].min_version, 0);
	}
	assert_true(seen);
	/* the connection goes on */
	c.correlation = 1;
	{
		struct api_versions_request req = {view_str("walmill-test"), view_str("1.0")};

		out = client_call(&c, KAFKA_API_VERSIONS, 4, &req);
		assert_int_equal(out->error, 0);
		req.client_software_name = view_str("bad name");
		out = client_call(&c, KAFKA_API_VERSIONS, 3, &req);
		assert_int_equal(out->error, KE_INVALID_REQUEST);
	}
	client_close(&c);
}

static void metadata_names_the_address_that_the_client_came_to(void **state)
{
	struct metadata_request req = {.n_topics = -1};
	struct metadata_response *out;
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "b");
	client_make_topic(&c, "a");
	out = client_call(&c, KAFKA_METADATA, 12, &req);
	assert_int_equal(out->n_brokers, 1);
	assert_true(view_is(out->brokers[0].host, "127.0.0.1"));
	assert_int_equal(out->brokers[0].port, broker.port);
	assert_int_equal(out->brokers[0].node_id, KAFKA_NODE_ID);
	assert_true(view_is(out->cluster_id, kafka_cluster_id(broker.kafka)));
	assert_int_equal(out->n_topics, 3);
	assert_true(view_is(out->topics[0].name, "__consumer_offsets") && out->topics[0].is_internal);
	assert_true(view_is(out->topics[1].name, "a") && !out->topics[1].is_internal);
	/* version 0: no topic means all; later: none */
	req.n_topics = 0;
	out = client_call(&c, KAFKA_METADATA, 0, &req);
	assert_int_equal(out->n_topics, 3);
	out = client_call(&c, KAFKA_METADATA, 1, &req);
	assert_int_equal(out->n_topics, 0);
	client_close(&c);
}

/* ---- produce and fetch ---- */

static void what_is_produced_is_fetched(void **state)
{
	static const int16_t produce[] = {3, 5, 7, 8, 9, 11}, fetch[] = {4, 6, 10, 11, 12};
	struct fetch_response_topic_partition f;
	struct produce_response_topic_partition p;
	struct buf b = BUF_INIT(1 << 20);
	struct client c;
	unsigned i;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	for (i = 0; i < 6; i++) {
		client_batch(&b, 10, i * 10, -1, 0, 0);
		p = client_produce(&c, produce[i], "t", 0, buf_view(&b), i % 2 ? 1 : -1);
		assert_int_equal(p.error, 0);
		assert_int_equal(p.base_offset, i * 10);
	}
	for (i = 0; i < 5; i++) {
		f = client_fetch(&c, fetch[i], "t", 0, 0, 1, 1000);
		assert_int_equal(f.error, 0);
		assert_int_equal(f.high_watermark, 60);
		assert_int_equal(client_records(f.records), 60);
	}
	/* the whole batch that holds the offset */
	f = client_fetch(&c, 11, "t", 0, 55, 1, 1000);
	assert_int_equal(get_be64(f.records.ptr), 50);
	f = client_fetch(&c, 11, "t", 0, 61, 1, 1000);
	assert_int_equal(f.error, KE_OFFSET_OUT_OF_RANGE);
	f = client_fetch(&c, 11, "t", 1, 0, 1, 1000);
	assert_int_equal(f.error, KE_UNKNOWN_TOPIC_OR_PARTITION);
	/* acks=0 has no answer: the next answer is the next request's */
	client_produce(&c, 7, "t", 0, buf_view(&b), 0);
	p = client_produce(&c, 7, "t", 0, buf_view(&b), -1);
	assert_int_equal(p.base_offset, 70);
	p = client_produce(&c, 7, "t", 0, buf_view(&b), 2);
	assert_int_equal(p.error, KE_INVALID_REQUIRED_ACKS);
	p = client_produce(&c, 7, "nowhere", 0, buf_view(&b), 1);
	assert_int_equal(p.error, KE_UNKNOWN_TOPIC_OR_PARTITION);
	p = client_produce(&c, 2, "t", 0, buf_view(&b), 1);
	assert_int_equal(p.error, KE_UNSUPPORTED_VERSION);
	buf_release(&b);
	client_close(&c);
}

/* More parts than one sendmsg takes, answers behind each other, a client that reads late and little at a time. */
static void large_answers_arrive_whole(void **state)
{
	enum { PARTS = 100, RECORDS = 1500, CALLS = 3 };
	static struct fetch_request_topic_partition parts[PARTS];
	struct create_topics_request_topic ct = {.name = view_str("wide"), .partitions = PARTS, .replication_factor = 1};
	struct create_topics_request create = {.topics = &ct, .n_topics = 1, .timeout_ms = 10000};
	struct fetch_request_topic ft = {.name = view_str("wide"), .partitions = parts, .n_partitions = PARTS};
	struct fetch_request req = {.replica_id = -1, .max_wait_ms = 1000, .min_bytes = 1, .max_bytes = 1 << 24, .session_epoch = -1,
		.topics = &ft, .n_topics = 1};
	struct buf sent[PARTS];
	struct client c;
	int i, k, small = 128 << 10;

	client_open(&c, broker.port);
	setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(((struct create_topics_response *)client_call(&c, KAFKA_CREATE_TOPICS, 4, &create))->topics[0].error, 0);
	for (i = 0; i < PARTS; i++) {
		parts[i] = (struct fetch_request_topic_partition){.index = i, .current_leader_epoch = -1, .partition_max_bytes = 1 << 20};
		sent[i] = BUF_INIT(1 << 20);
		/* some below, some above what is worth a part of its own */
		client_batch(&sent[i], i % 3 ? RECORDS : 10, (unsigned)i * 100000, -1, 0, 0);
		assert_int_equal(client_produce(&c, 7, "wide", i, buf_view(&sent[i]), -1).error, 0);
	}
	k = c.correlation;
	for (i = 0; i < CALLS; i++)
		client_send(&c, KAFKA_FETCH, 11, &req);
	for (i = 0; i < CALLS; i++) {
		struct fetch_response *out = client_receive(&c, KAFKA_FETCH, 11, k + 1 + i);
		int j;

		for (j = 0; j < PARTS; j++) {
			struct view got = out->topics[0].partitions[j].records;

			/* base offset and leader epoch are the broker's */
			assert_int_equal(got.len, sent[j].len);
			assert_memory_equal(got.ptr + 16, sent[j].ptr + 16, got.len - 16);
		}
	}
	for (i = 0; i < PARTS; i++)
		buf_release(&sent[i]);
	client_close(&c);
}

/* Epochs 0 and -1 begin anew whatever the id is (kafka-go sends -1 and -1); any other needs a session, and there is none. */
static void a_fetch_that_asks_for_everything_needs_no_session(void **state)
{
	static const struct {
		int32_t id, epoch;
		int16_t error;
	} cases[] = {{-1, -1, 0}, {7, -1, 0}, {7, 0, 0}, {7, 1, KE_FETCH_SESSION_ID_NOT_FOUND}};
	struct fetch_request_topic_partition fp = {.index = 0, .current_leader_epoch = -1, .partition_max_bytes = 1 << 20};
	struct fetch_request_topic ft = {.name = view_str("everything"), .partitions = &fp, .n_partitions = 1};
	struct fetch_request req = {.replica_id = -1, .max_wait_ms = 1000, .min_bytes = 1, .max_bytes = 1 << 24, .topics = &ft, .n_topics = 1};
	struct buf b = BUF_INIT(1 << 20);
	struct client c;
	unsigned i;

	client_open(&c, broker.port);
	client_make_topic(&c, "everything");
	client_batch(&b, 3, 0, -1, 0, 0);
	assert_int_equal(client_produce(&c, 7, "everything", 0, buf_view(&b), -1).error, 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fetch_response *out;

		req.session_id = cases[i].id;
		req.session_epoch = cases[i].epoch;
		out = client_call(&c, KAFKA_FETCH, 11, &req);
		assert_int_equal(out->error, cases[i].error);
		assert_int_equal(out->session_id, 0);
		assert_int_equal(out->n_topics, cases[i].error ? 0 : 1);
		if (!cases[i].error)
			assert_int_equal(client_records(out->topics[0].partitions[0].records), 3);
	}
	buf_release(&b);
	client_close(&c);
}

/* Its records in a zstd frame with one raw block. */
static void make_zstd(struct buf *b)
{
	struct buf plain = BUF_INIT(1 << 20);

	buf_put(&plain, b->ptr + 61, b->len - 61);
	assert_true(plain.len < 256);
	b->len = 61;
	buf_put(b, "\x28\xb5\x2f\xfd\x20", 5);
	buf_u8(b, (uint8_t)plain.len);
	buf_u8(b, (uint8_t)(plain.len << 3 | 1));
	buf_u8(b, (uint8_t)(plain.len >> 5));
	buf_u8(b, 0);
	buf_putv(b, buf_view(&plain));
	put_be32(b->ptr + 8, (uint32_t)b->len - 12);
	batch_set_producer(b->ptr, -1, -1, -1, 4);
	buf_release(&plain);
}

static void zstd_is_served_to_every_version(void **state)
{
	static const int16_t versions[] = {4, 9, 10, 12};
	struct fetch_response_topic_partition f;
	struct buf b = BUF_INIT(1 << 20);
	struct client c;
	unsigned i;

	client_open(&c, broker.port);
	client_make_topic(&c, "zstd");
	client_batch(&b, 3, 0, -1, 0, 0);
	make_zstd(&b);
	assert_int_equal(client_produce(&c, 7, "zstd", 0, buf_view(&b), -1).error, 0);
	for (i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		f = client_fetch(&c, versions[i], "zstd", 0, 0, 1, 1000);
		assert_int_equal(f.error, 0);
		assert_int_equal(f.records.len, b.len);
		assert_memory_equal(f.records.ptr + 61, b.ptr + 61, b.len - 61);
	}
	buf_release(&b);
	client_close(&c);
}

/* What sarama asks a Kafka 1.0 and kafka-python every one. */
static void the_first_versions_of_two_descriptions_are_answered(void **state)
{
	struct describe_log_dirs_request dirs = {.n_topics = -1};
	struct describe_acls_request acls = {.resource_type = 1, .resource_name = VIEW_NULL, .principal = VIEW_NULL, .host = VIEW_NULL,
		.operation = 1, .permission = 1};
	struct client c;

	client_open(&c, broker.port);
	assert_int_equal(((struct describe_log_dirs_response *)client_call(&c, KAFKA_DESCRIBE_LOG_DIRS, 0, &dirs))->n_results, 1);
	assert_int_equal(((struct describe_acls_response *)client_call(&c, KAFKA_DESCRIBE_ACLS, 0, &acls))->error, KE_SECURITY_DISABLED);
	client_close(&c);
}

static void a_fetch_waits_for_records(void **state)
{
	struct fetch_request_topic_partition fp = {.index = 0, .current_leader_epoch = -1, .partition_max_bytes = 1 << 20};
	struct fetch_request_topic ft = {.name = view_str("t"), .partitions = &fp, .n_partitions = 1};
	struct fetch_request req = {.replica_id = -1, .max_wait_ms = 30000, .min_bytes = 1, .max_bytes = 1 << 24, .session_epoch = -1,
		.topics = &ft, .n_topics = 1};
	struct buf b = BUF_INIT(1 << 20);
	struct client producer, consumer;
	struct fetch_response *out;
	int64_t began = io_monotonic_us(io_system());

	client_open(&producer, broker.port);
	client_open(&consumer, broker.port);
	client_make_topic(&producer, "t");
	client_send(&consumer, KAFKA_FETCH, 11, &req);
	client_batch(&b, 1, 0, -1, 0, 0);
	client_produce(&producer, 7, "t", 0, buf_view(&b), -1);
	out = client_receive(&consumer, KAFKA_FETCH, 11, 1);
	assert_int_equal(client_records(out->topics[0].partitions[0].records), 1);
	/* more than there is: until enough has come */
	req.min_bytes = (int32_t)b.len * 2 + 1;
	client_send(&consumer, KAFKA_FETCH, 11, &req);
	client_produce(&producer, 7, "t", 0, buf_view(&b), -1);
	client_produce(&producer, 7, "t", 0, buf_view(&b), -1);
	out = client_receive(&consumer, KAFKA_FETCH, 11, 2);
	assert_int_equal(client_records(out->topics[0].partitions[0].records), 3);
	assert_true(io_monotonic_us(io_system()) - began < 25000000);
	/* none comes: the answer is empty when the time is over */
	fp.fetch_offset = 3;
	req.max_wait_ms = 50;
	out = client_call(&consumer, KAFKA_FETCH, 11, &req);
	assert_int_equal(out->topics[0].partitions[0].error, 0);
	assert_int_equal(out->topics[0].partitions[0].records.len, 0);
	buf_release(&b);
	client_close(&producer);
	client_close(&consumer);
}

static void produces_of_one_connection_are_answered_in_order(void **state)
{
	enum { N = 200 };
	struct buf b = BUF_INIT(1 << 20);
	struct client c;
	int i;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	for (i = 0; i < N; i++) {
		struct produce_request_topic_partition p = {0};
		struct produce_request_topic t = {view_str("t"), &p, 1};
		struct produce_request req = {.acks = -1, .timeout_ms = 10000, .topics = &t, .n_topics = 1};

		client_batch(&b, 1, (unsigned)i, -1, 0, 0);
		p.records = buf_view(&b);
		client_send(&c, KAFKA_PRODUCE, 7, &req);
	}
	for (i = 0; i < N; i++) {
		struct produce_response *out = client_receive(&c, KAFKA_PRODUCE, 7, i + 2);

		assert_int_equal(out->topics[0].partitions[0].base_offset, i);
	}
	buf_release(&b);
	client_close(&c);
}

static void bad_batches_get_their_codes(void **state)
{
	struct buf b = BUF_INIT(1 << 22), two = BUF_INIT(1 << 22);
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	client_batch(&b, 3, 0, -1, 0, 0);
	b.ptr[b.len - 1] ^= 1;
	assert_int_equal(client_produce(&c, 7, "t", 0, buf_view(&b), -1).error, KE_CORRUPT_MESSAGE);
	client_batch(&b, 3, 0, -1, 0, 0);
	b.ptr[16] = 1;
	assert_int_equal(client_produce(&c, 7, "t", 0, buf_view(&b), -1).error, KE_UNSUPPORTED_FOR_MESSAGE_FORMAT);
	client_batch(&b, 3, 0, -1, 0, 0);
	buf_putv(&two, buf_view(&b));
	buf_putv(&two, buf_view(&b));
	assert_int_equal(client_produce(&c, 7, "t", 0, buf_view(&two), -1).error, KE_INVALID_RECORD);
	assert_int_equal(client_produce(&c, 7, "t", 0, view_of("", 0), -1).error, KE_INVALID_RECORD);
	/* a control batch, and one that says it is compressed but is not */
	batch_set_producer(b.ptr, -1, -1, -1, BATCH_CONTROL);
	assert_int_equal(client_produce(&c, 7, "t", 0, buf_view(&b), -1).error, KE_INVALID_RECORD);
	batch_set_producer(b.ptr, -1, -1, -1, 4);
	assert_int_equal(client_produce(&c, 7, "t", 0, buf_view(&b), -1).error, KE_CORRUPT_MESSAGE);
	assert_int_equal(client_produce(&c, 6, "t", 0, buf_view(&b), -1).error, KE_UNSUPPORTED_COMPRESSION_TYPE);
	/* a count that is a lie */
	client_batch(&b, 3, 0, -1, 0, 0);
	put_be32(b.ptr + 57, 4);
	put_be32(b.ptr + 17, crc32c(0, b.ptr + 21, b.len - 21));
	assert_int_equal(client_produce(&c, 7, "t", 0, buf_view(&b), -1).error, KE_INVALID_RECORD);
	client_batch(&b, 100000, 0, -1, 0, 0);
	assert_true(b.len > 1048588);
	assert_int_equal(client_produce(&c, 7, "t", 0, buf_view(&b), -1).error, KE_MESSAGE_TOO_LARGE);
	assert_int_equal(client_fetch(&c, 11, "t", 0, 0, 0, 0).high_watermark, 0);
	buf_release(&b);
	buf_release(&two);
	client_close(&c);
}

/* ---- configuration ---- */

static int16_t set_config(struct client *c, const char *key, const char *value, struct view *ret_text)
{
	struct incremental_alter_configs_request_resource_config config = {view_str(key), 0, view_str(value)};
	struct incremental_alter_configs_request_resource r = {2, view_str("t"), &config, 1};
	struct incremental_alter_configs_request req = {&r, 1, false};
	struct incremental_alter_configs_response *out = client_call(c, KAFKA_INCREMENTAL_ALTER_CONFIGS, 1, &req);

	*ret_text = out->resources[0].error_message;
	return out->resources[0].error;
}

static void a_topics_configuration_is_obeyed_at_once(void **state)
{
	struct produce_response_topic_partition p;
	struct fetch_response_topic_partition f;
	struct buf b = BUF_INIT(1 << 20);
	struct batch_info info;
	struct err err = ERR_INIT;
	struct view text;
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	client_batch(&b, 100, 0, -1, 0, 0);
	p = client_produce(&c, 9, "t", 0, buf_view(&b), -1);
	assert_int_equal(p.error, 0);
	assert_int_equal(p.log_append_time_ms, -1);
	assert_int_equal(set_config(&c, "max.message.bytes", "500", &text), 0);
	assert_int_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, KE_MESSAGE_TOO_LARGE);
	client_batch(&b, 5, 0, -1, 0, 0);
	assert_int_equal(set_config(&c, "message.timestamp.type", "LogAppendTime", &text), 0);
	p = client_produce(&c, 9, "t", 0, buf_view(&b), -1);
	assert_int_equal(p.error, 0);
	assert_true(p.log_append_time_ms > 1700000000000 + 1000);
	f = client_fetch(&c, 11, "t", 0, p.base_offset, 1, 1000);
	assert_int_equal(batch_check(f.records, &info, &err), 0);
	assert_true(info.attributes & BATCH_LOG_APPEND_TIME);
	assert_int_equal(info.max_time_ms, p.log_append_time_ms);
	assert_int_equal(set_config(&c, "cleanup.policy", "compact", &text), 0);
	buf_clear(&b);
	{
		struct batch_builder bb;

		batch_begin(&bb, &b, 0);
		batch_add(&bb, 0, VIEW_NULL, view_str("no key"));
		assert_true(batch_end(&bb));
	}
	assert_int_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, KE_INVALID_RECORD);
	/* bad ones change nothing, and say why */
	assert_int_equal(set_config(&c, "retention.mss", "1", &text), KE_INVALID_CONFIG);
	assert_true(memmem(text.ptr, text.len, "retention.mss", 13));
	assert_int_equal(set_config(&c, "retention.ms", "soon", &text), KE_INVALID_CONFIG);
	assert_int_equal(set_config(&c, "cleanup.policy", "burn", &text), KE_INVALID_CONFIG);
	buf_release(&b);
	client_close(&c);
}

static void advertised_address_and_creation_follow_the_options(void **state)
{
	struct metadata_request_topic t = {.name = view_str("none")};
	struct metadata_request req = {.topics = &t, .n_topics = 1, .allow_auto_create = true};
	struct metadata_response *out;
	struct client c;

	broker_stop(&broker);
	broker.options.auto_create = false;
	broker.options.advertised = (struct kafka_address){"broker.example", 1234};
	broker_start(&broker);
	client_open(&c, broker.port);
	out = client_call(&c, KAFKA_METADATA, 12, &req);
	assert_true(view_is(out->brokers[0].host, "broker.example"));
	assert_int_equal(out->brokers[0].port, 1234);
	assert_int_equal(out->topics[0].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
	t.name = view_str("not/valid");
	out = client_call(&c, KAFKA_METADATA, 12, &req);
	assert_int_equal(out->topics[0].error, KE_INVALID_TOPIC);
	client_close(&c);
}

/* ---- idempotence ---- */

static int64_t new_producer(struct client *c)
{
	struct init_producer_id_request req = {.producer_id = -1, .producer_epoch = -1};
	struct init_producer_id_response *out = client_call(c, KAFKA_INIT_PRODUCER_ID, 4, &req);

	assert_int_equal(out->error, 0);
	assert_int_equal(out->producer_epoch, 0);
	return out->producer_id;
}

static struct produce_response_topic_partition as_producer(struct client *c, int64_t id, int16_t epoch, int32_t sequence, unsigned n)
{
	struct buf b = BUF_INIT(1 << 20);
	struct produce_response_topic_partition p;

	client_batch(&b, n, 0, id, epoch, sequence);
	p = client_produce(c, 8, "t", 0, buf_view(&b), -1);
	buf_release(&b);
	return p;
}

static void a_sequence_is_taken_once_over_restarts_too(void **state)
{
	struct init_producer_id_request transactional = {.transactional_id = view_str("tx"), .producer_id = -1, .producer_epoch = -1};
	struct init_producer_id_response *out;
	struct client c;
	int64_t id, other;
	int i;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	id = new_producer(&c);
	for (i = 0; i < 7; i++)
		assert_int_equal(as_producer(&c, id, 0, i * 5, 5).base_offset, i * 5);
	/* again: the old offset, for the last five */
	for (i = 2; i < 7; i++)
		assert_int_equal(as_producer(&c, id, 0, i * 5, 5).base_offset, i * 5);
	assert_int_equal(as_producer(&c, id, 0, 0, 5).error, KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(as_producer(&c, id, 0, 40, 5).error, KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	client_close(&c);
	for (i = 0; i < 2; i++) {
		broker_stop(&broker);
		if (i == 1) {
			/* without the snapshot: from the log */
			char path[300];

			snprintf(path, sizeof(path), "%s/kafka/producers", broker.dir);
			assert_int_equal(unlink(path), 0);
		}
		broker_start(&broker);
		client_open(&c, broker.port);
		assert_int_equal(as_producer(&c, id, 0, 30, 5).base_offset, 30);
		assert_int_equal(as_producer(&c, id, 0, 50, 5).error, KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
		other = new_producer(&c);
		assert_true(other > id);
		client_close(&c);
	}
	client_open(&c, broker.port);
	assert_int_equal(as_producer(&c, id, 0, 35, 5).base_offset, 35);
	assert_int_equal(as_producer(&c, id, 1, 5, 5).error, KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(as_producer(&c, id, 1, 0, 5).base_offset, 40);
	assert_int_equal(as_producer(&c, id, 0, 40, 5).error, KE_INVALID_PRODUCER_EPOCH);
	out = client_call(&c, KAFKA_INIT_PRODUCER_ID, 4, &transactional);
	assert_int_equal(out->error, KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	client_close(&c);
}

/* 2^31-1 is followed by 0. */
static void sequences_wrap(void **state)
{
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	assert_int_equal(as_producer(&c, 5, 0, INT32_MAX - 1, 2).base_offset, 0);
	assert_int_equal(as_producer(&c, 5, 0, 0, 2).base_offset, 2);
	assert_int_equal(as_producer(&c, 5, 0, 2, 2).base_offset, 4);
	client_close(&c);
}

/* ---- offsets ---- */

static struct list_offsets_response_topic_partition list(struct client *c, int64_t time)
{
	struct list_offsets_request_topic_partition p = {.index = 0, .current_leader_epoch = -1, .timestamp = time};
	struct list_offsets_request_topic t = {view_str("t"), &p, 1};
	struct list_offsets_request req = {.replica_id = -1, .topics = &t, .n_topics = 1};
	struct list_offsets_response *out = client_call(c, KAFKA_LIST_OFFSETS, 9, &req);

	return out->topics[0].partitions[0];
}

static void offsets_are_found_by_time(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	assert_int_equal(list(&c, -3).offset, -1);
	client_batch(&b, 10, 0, -1, 0, 0);
	client_produce(&c, 7, "t", 0, buf_view(&b), -1);
	client_batch(&b, 10, 100, -1, 0, 0);
	client_produce(&c, 7, "t", 0, buf_view(&b), -1);
	client_batch(&b, 10, 50, -1, 0, 0);
	client_produce(&c, 7, "t", 0, buf_view(&b), -1);
	assert_int_equal(list(&c, -1).offset, 30);
	assert_int_equal(list(&c, -2).offset, 0);
	assert_int_equal(list(&c, 1700000000003).offset, 3);
	assert_int_equal(list(&c, 1700000000003).timestamp, 1700000000003);
	assert_int_equal(list(&c, 1700000000010).offset, 10);
	assert_int_equal(list(&c, 1700000000105).offset, 15);
	assert_int_equal(list(&c, 1700000000110).offset, -1);
	assert_int_equal(list(&c, -3).offset, 19);
	assert_int_equal(list(&c, -3).timestamp, 1700000000109);
	buf_release(&b);
	client_close(&c);
}

static int16_t commit(struct client *c, const char *group, const char *topic, int64_t offset, const char *metadata)
{
	struct offset_commit_request_topic_partition p = {.offset = offset, .leader_epoch = 7, .metadata = view_str(metadata)};
	struct offset_commit_request_topic t = {view_str(topic), &p, 1};
	struct offset_commit_request req = {.group_id = view_str(group), .generation_id = -1, .member_id = view_of("", 0), .topics = &t,
		.n_topics = 1};
	struct offset_commit_response *out = client_call(c, KAFKA_OFFSET_COMMIT, 8, &req);

	return out->topics[0].partitions[0].error;
}

static struct offset_fetch_response_group_topic_partition committed(struct client *c, const char *group, const char *topic)
{
	int32_t zero = 0;
	struct offset_fetch_request_group_topic t = {view_str(topic), &zero, 1};
	struct offset_fetch_request_group g = {.group_id = view_str(group), .member_epoch = -1, .topics = &t, .n_topics = 1};
	struct offset_fetch_request req = {.groups = &g, .n_groups = 1};
	struct offset_fetch_response *out = client_call(c, KAFKA_OFFSET_FETCH, 8, &req);

	assert_int_equal(out->groups[0].error, 0);
	return out->groups[0].topics[0].partitions[0];
}

static void committed_offsets_survive_and_go_with_their_topic(void **state)
{
	struct offset_fetch_response_group_topic_partition o;
	struct delete_topics_request_topic t = {.name = view_str("gone")};
	struct delete_topics_request del = {.topics = &t, .n_topics = 1, .timeout_ms = 1000};
	struct view group = view_str("g");
	struct delete_groups_request groups = {&group, 1};
	struct delete_groups_response *deleted;
	char long_text[5001];
	struct client c;
	int i;

	memset(long_text, 'x', 5000);
	long_text[5000] = '\0';
	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	client_make_topic(&c, "gone");
	assert_int_equal(committed(&c, "g", "t").offset, -1);
	for (i = 1; i <= 300; i++)
		assert_int_equal(commit(&c, "g", "t", i, "where"), 0);
	assert_int_equal(commit(&c, "g", "gone", 5, ""), 0);
	assert_int_equal(commit(&c, "g", "t", 1, long_text), KE_OFFSET_METADATA_TOO_LARGE);
	assert_int_equal(commit(&c, "g", "nowhere", 1, ""), KE_UNKNOWN_TOPIC_OR_PARTITION);
	client_close(&c);
	restart();
	client_open(&c, broker.port);
	o = committed(&c, "g", "t");
	assert_int_equal(o.offset, 300);
	assert_int_equal(o.leader_epoch, 7);
	assert_true(view_is(o.metadata, "where"));
	assert_int_equal(committed(&c, "g", "gone").offset, 5);
	client_call(&c, KAFKA_DELETE_TOPICS, 6, &del);
	assert_int_equal(committed(&c, "g", "t").offset, 300);
	client_make_topic(&c, "gone");
	/* the tombstones are on their way to the disk: another commit is behind them */
	assert_int_equal(commit(&c, "g", "t", 301, ""), 0);
	assert_int_equal(committed(&c, "g", "gone").offset, -1);
	deleted = client_call(&c, KAFKA_DELETE_GROUPS, 2, &groups);
	assert_int_equal(deleted->results[0].error, 0);
	assert_int_equal(committed(&c, "g", "t").offset, -1);
	deleted = client_call(&c, KAFKA_DELETE_GROUPS, 2, &groups);
	assert_int_equal(deleted->results[0].error, KE_GROUP_ID_NOT_FOUND);
	client_close(&c);
	restart();
	client_open(&c, broker.port);
	assert_int_equal(committed(&c, "g", "t").offset, -1);
	client_close(&c);
}

/* The topic of offsets stays small however often is committed. */
static void the_topic_of_offsets_is_compacted(void **state)
{
	struct log_marks m;
	struct log_topic t;
	struct client c;
	uint32_t part;
	char text[4001];
	int i;

	memset(text, 'y', 4000);
	text[4000] = '\0';
	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	assert_int_equal(commit(&c, "other", "t", 77, "kept"), 0);
	for (i = 1; i <= 1500; i++)
		assert_int_equal(commit(&c, "g", "t", i, text), 0);
	assert_true(log_topic_find(broker.log, view_str("__consumer_offsets"), &t) && log_part_find(broker.log, t.id, 0, &part));
	log_marks(broker.log, &part, 1, &m, NULL);
	assert_true(m.start > 0);
	assert_int_equal(commit(&c, "g", "t", 5000, "last"), 0);
	client_close(&c);
	restart();
	client_open(&c, broker.port);
	assert_int_equal(committed(&c, "g", "t").offset, 5000);
	assert_int_equal(committed(&c, "other", "t").offset, 77);
	client_close(&c);
}

/* ---- captured topics ---- */

static void produce_waits_for_a_connectors_open_unit(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct client c, d;
	struct produce_request_topic_partition p = {0};
	struct produce_request_topic t = {view_str("t"), &p, 1};
	struct produce_request req = {.acks = -1, .timeout_ms = 20000, .topics = &t, .n_topics = 1};
	struct produce_response *out;
	struct log_unit *u = log_unit_begin(broker.log, LOG_CAPTURE);
	struct err err = ERR_INIT;
	struct log_topic topic;
	uint32_t part;
	int64_t base;

	client_open(&c, broker.port);
	client_open(&d, broker.port);
	client_make_topic(&c, "t");
	client_make_topic(&c, "free");
	client_batch(&b, 2, 0, -1, 0, 0);
	assert_true(log_topic_find(broker.log, view_str("t"), &topic) && log_part_find(broker.log, topic.id, 0, &part));
	assert_int_equal(log_unit_append(u, part, buf_view(&b), 0, &base, &err), 0);
	p.records = buf_view(&b);
	client_send(&c, KAFKA_PRODUCE, 7, &req);
	/* others go on meanwhile, and nobody sees the open unit */
	assert_int_equal(client_produce(&d, 7, "free", 0, buf_view(&b), -1).error, 0);
	assert_int_equal(client_fetch(&d, 11, "t", 0, 0, 1, 50).high_watermark, 0);
	/* as long as it lasts, at most the request's own time */
	req.timeout_ms = 100;
	out = client_call(&d, KAFKA_PRODUCE, 7, &req);
	assert_int_equal(out->topics[0].partitions[0].error, KE_REQUEST_TIMED_OUT);
	assert_int_equal(log_unit_close(u, NULL, NULL, &err), 0);
	out = client_receive(&c, KAFKA_PRODUCE, 7, 3);
	assert_int_equal(out->topics[0].partitions[0].error, 0);
	assert_int_equal(out->topics[0].partitions[0].base_offset, 2);
	buf_release(&b);
	client_close(&c);
	client_close(&d);
}

static void what_a_pin_holds_is_not_deleted(void **state)
{
	struct delete_records_request_topic_partition p = {0, 1};
	struct delete_records_request_topic t = {view_str("t"), &p, 1};
	struct delete_records_request req = {&t, 1, 1000};
	struct delete_records_response *out;
	struct delete_topics_request_topic dt = {.name = view_str("t")};
	struct delete_topics_request del = {.topics = &dt, .n_topics = 1, .timeout_ms = 1000};
	struct delete_topics_response *gone;
	struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	client_batch(&b, 2, 0, -1, 0, 0);
	client_produce(&c, 7, "t", 0, buf_view(&b), -1);
	assert_int_equal(log_pin_set(broker.log, "job/x", 1, &err), 0);
	out = client_call(&c, KAFKA_DELETE_RECORDS, 2, &req);
	assert_int_equal(out->topics[0].partitions[0].error, KE_POLICY_VIOLATION);
	gone = client_call(&c, KAFKA_DELETE_TOPICS, 6, &del);
	assert_int_equal(gone->topics[0].error, KE_POLICY_VIOLATION);
	assert_true(memmem(gone->topics[0].error_message.ptr, gone->topics[0].error_message.len, "job/x", 5));
	assert_int_equal(client_fetch(&c, 11, "t", 0, 0, 1, 50).log_start_offset, 0);
	assert_int_equal(log_pin_clear(broker.log, "job/x", &err), 0);
	out = client_call(&c, KAFKA_DELETE_RECORDS, 2, &req);
	assert_int_equal(out->topics[0].partitions[0].error, 0);
	assert_int_equal(out->topics[0].partitions[0].low_watermark, 1);
	assert_int_equal(client_fetch(&c, 11, "t", 0, 0, 1, 50).error, KE_OFFSET_OUT_OF_RANGE);
	p.offset = 99;
	out = client_call(&c, KAFKA_DELETE_RECORDS, 2, &req);
	assert_int_equal(out->topics[0].partitions[0].error, KE_OFFSET_OUT_OF_RANGE);
	gone = client_call(&c, KAFKA_DELETE_TOPICS, 6, &del);
	assert_int_equal(gone->topics[0].error, 0);
	buf_release(&b);
	client_close(&c);
}

/* Jobs read every unit's payload as a connector's; the broker's must have none. */
static void the_brokers_units_have_no_payload(void **state)
{
	struct log_unit_info u;
	struct log_cursor *cursor;
	struct err err = ERR_INIT;
	struct client c;
	unsigned n = 0;
	int rc;

	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	assert_int_equal(as_producer(&c, new_producer(&c), 0, 0, 5).error, 0);
	assert_int_equal(commit(&c, "g", "t", 1, ""), 0);
	client_close(&c);
	cursor = log_cursor_open(broker.log, 1);
	while ((rc = log_cursor_next(cursor, &u, &err)) > 0) {
		assert_int_equal(u.payload.len, 0);
		n++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, 2);
	log_cursor_close(cursor);
}

/* walmill's own topics cannot be seen, read, written or made. */
static void hidden_topics_are_not_there(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct client c;

	client_open(&c, broker.port);
	assert_int_equal(log_topic_create(broker.log, "__walmill.c", NULL, 1, NULL, 0, NULL, &err), 0);
	client_batch(&b, 2, 0, -1, 0, 0);
	assert_int_equal(client_produce(&c, 7, "__walmill.c", 0, buf_view(&b), -1).error, KE_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(client_produce(&c, 7, "__consumer_offsets", 0, buf_view(&b), -1).error, KE_INVALID_TOPIC);
	assert_int_equal(client_fetch(&c, 11, "__walmill.c", 0, 0, 1, 50).error, KE_UNKNOWN_TOPIC_OR_PARTITION);
	buf_release(&b);
	client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_unknown_version_of_api_versions_is_answered_in_version_0),
		TEST(metadata_names_the_address_that_the_client_came_to),
		TEST(what_is_produced_is_fetched),
		TEST(large_answers_arrive_whole),
		TEST(a_fetch_waits_for_records),
		TEST(a_fetch_that_asks_for_everything_needs_no_session),
		TEST(zstd_is_served_to_every_version),
		TEST(the_first_versions_of_two_descriptions_are_answered),
		TEST(produces_of_one_connection_are_answered_in_order),
		TEST(bad_batches_get_their_codes),
		TEST(a_topics_configuration_is_obeyed_at_once),
		TEST(advertised_address_and_creation_follow_the_options),
		TEST(a_sequence_is_taken_once_over_restarts_too),
		TEST(sequences_wrap),
		TEST(offsets_are_found_by_time),
		TEST(committed_offsets_survive_and_go_with_their_topic),
		TEST(the_topic_of_offsets_is_compacted),
		TEST(produce_waits_for_a_connectors_open_unit),
		TEST(what_a_pin_holds_is_not_deleted),
		TEST(the_brokers_units_have_no_payload),
		TEST(hidden_topics_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
