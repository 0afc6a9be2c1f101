/* What a broken or hostile client sends: its connection closes, or it gets a code; memory stays flat, and others are served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "base/text.h"
#include "kafka/errors.h"
#include "kafkabroker.h"
#include "kafkaclient.h"
#include "log/batch.h"

enum { MEMORY = 16 << 20, CONNECTIONS = 20 };

static struct broker broker;

static int set_up(void **state)
{
	broker_init(&broker);
	broker.options.request_bytes = 8 << 20;
	broker.options.memory_bytes = MEMORY;
	broker.options.connections = CONNECTIONS;
	broker_start(&broker);
	return 0;
}

static int tear_down(void **state)
{
	broker_stop(&broker);
	broker_remove(&broker);
	return 0;
}

static uint64_t memory(void)
{
	struct kafka_stats s;

	kafka_stats(broker.kafka, &s);
	return s.memory_bytes;
}

/* A well-behaved client gets through. */
static void others_are_served(void)
{
	struct buf b = BUF_INIT(1 << 20);
	struct produce_response_topic_partition p;
	struct client c;

	client_open(&c, broker.port);
	client_make_topic(&c, "good");
	client_batch(&b, 10, 0, -1, 0, 0);
	p = client_produce(&c, 9, "good", 0, buf_view(&b), -1);
	assert_int_equal(p.error, 0);
	assert_int_equal(client_records(client_fetch(&c, 11, "good", 0, p.base_offset, 1, 1000).records), 10);
	buf_release(&b);
	client_close(&c);
}

static void closes_on(const void *bytes, size_t len)
{
	struct client c;

	client_open(&c, broker.port);
	client_send_bytes(&c, bytes, len);
	assert_true(client_is_closed(&c));
	client_close(&c);
}

#define CLOSES(text) closes_on(text, sizeof(text) - 1)

static void frames_that_cannot_be_read_close_their_connection(void **state)
{
	CLOSES("\xff\xff\xff\xff");                                              /* negative length */
	CLOSES("\x7f\xff\xff\xff\0\x12\0\0");                                    /* huge length */
	CLOSES("\0\0\0\0");                                                      /* nothing */
	CLOSES("\0\0\0\4\0\x12\0\0");                                            /* shorter than a header */
	CLOSES("\0\0\0\x0a\x03\xe7\0\0\0\0\0\1\0\0");                            /* unknown key */
	CLOSES("\0\0\0\x0a\0\3\0\x63\0\0\0\1\0\0");                              /* unknown version of a known one */
	CLOSES("\0\0\0\x0a\0\3\0\1\0\0\0\1\x7f\xff");                            /* client id beyond the frame */
	CLOSES("\0\0\0\x0a\0\3\0\1\0\0\0\1\xff\xfe");                            /* client id of length -2 */
	CLOSES("\0\0\0\x0e\0\3\0\1\0\0\0\1\0\0\x7f\xff\xff\xff");                /* a huge count */
	CLOSES("\0\0\0\x0e\0\3\0\1\0\0\0\1\0\0\x80\0\0\0");                      /* a negative one */
	CLOSES("\0\0\0\x10\0\3\0\x0c\0\0\0\1\0\0\0\xff\xff\xff\xff\x7f");        /* a huge compact count */
	CLOSES("\0\0\0\x0e\0\3\0\x0c\0\0\0\1\0\0\xff\xff\xff\xff");              /* an endless tag buffer */
	CLOSES("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	CLOSES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");                  /* TLS */
	others_are_served();
}

/* What stands behind a message is passed over, and the connection goes on. The bytes are those of librdkafka 2.16, which leaves three
 * behind a Metadata of version 12 for all topics. */
static void bytes_behind_a_message_are_passed_over(void **state)
{
	static const uint8_t metadata[] = "\0\0\0\x19\0\3\0\x0c\0\0\0\4\0\7rdkafka" "\0\0\0\0\0" "\0\0\0";
	struct client c;
	unsigned i;

	client_open(&c, broker.port);
	for (i = 0; i < 2; i++) {
		struct metadata_response *m;

		client_send_bytes(&c, metadata, sizeof(metadata) - 1);
		m = client_receive(&c, KAFKA_METADATA, 12, 4);
		assert_int_equal(m->n_brokers, 1);
	}
	client_close(&c);
}

/* Claims of large frames cost nothing: neither memory nor the others. */
static void claims_are_not_believed(void **state)
{
	struct client c[CONNECTIONS - 2];
	unsigned i;

	for (i = 0; i < CONNECTIONS - 2; i++) {
		client_open(&c[i], broker.port);
		client_send_bytes(&c[i], "\0\x70\0\0\0\0\0\7", 8); /* 7 MiB of a Produce, of which nothing comes */
	}
	others_are_served();
	assert_true(memory() <= MEMORY + CONNECTIONS * (64 << 10));
	for (i = 0; i < CONNECTIONS - 2; i++)
		client_close(&c[i]);
	others_are_served();
}

/* More large requests than memory has room for: in turn, and all of them. */
static void large_requests_take_turns(void **state)
{
	enum { N = 10, SIZE = 7 << 20, PART = 100 << 10 };
	struct produce_request_topic_partition p = {0, view_of(mem_zalloc(SIZE), SIZE)};
	struct produce_request_topic t = {view_str("t"), &p, 1};
	struct produce_request req = {.acks = -1, .timeout_ms = 10000, .topics = &t, .n_topics = 1};
	struct buf b = BUF_INIT(SIZE + 1000);
	struct client c[N];
	unsigned i;

	buf_put(&b, "\0\0\0\0" "\0\0" "\0\7" "\0\0\0\1" "\xff\xff", 14);
	wire_encode(&wire_produce_request, 7, false, &req, &b);
	put_be32(b.ptr, (uint32_t)b.len - 4);
	for (i = 0; i < N; i++) {
		client_open(&c[i], broker.port);
		client_send_bytes(&c[i], b.ptr, PART);
	}
	for (i = 0; i < N; i++) {
		struct produce_response *out;

		client_send_bytes(&c[i], b.ptr + PART, b.len - PART);
		out = client_receive(&c[i], KAFKA_PRODUCE, 7, 1);
		assert_int_equal(out->topics[0].partitions[0].error, KE_UNKNOWN_TOPIC_OR_PARTITION);
		assert_true(memory() <= MEMORY + CONNECTIONS * (64 << 10));
	}
	for (i = 0; i < N; i++)
		client_close(&c[i]);
	mem_free((void *)(uintptr_t)p.records.ptr);
	buf_release(&b);
	others_are_served();
}

static void the_connection_limit_holds(void **state)
{
	struct client c[CONNECTIONS], over;
	unsigned i;

	for (i = 0; i < CONNECTIONS; i++) {
		client_open(&c[i], broker.port);
		client_make_topic(&c[i], "t"); /* it is taken in */
	}
	client_open(&over, broker.port);
	assert_true(client_is_closed(&over));
	client_close(&over);
	client_make_topic(&c[0], "u");
	for (i = 0; i < CONNECTIONS; i++)
		client_close(&c[i]);
	for (i = 0; i < 1000; i++) {
		struct kafka_stats s;

		kafka_stats(broker.kafka, &s);
		if (s.memory_bytes == 0)
			break;
		usleep(10000);
	}
	others_are_served();
}

static void compressed(struct buf *to, unsigned codec, const void *ptr, size_t len, unsigned count)
{
	client_batch(to, 1, 0, -1, 0, 0);
	to->len = BATCH_HEADER;
	buf_put(to, ptr, len);
	put_be32(to->ptr + 8, (uint32_t)to->len - 12);
	put_be32(to->ptr + 23, count - 1);
	put_be32(to->ptr + 57, count);
	batch_set_producer(to->ptr, -1, -1, -1, (int16_t)codec);
}

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	char text[128];
	const char *second;

	/* size, resident, ... in pages */
	wm_assert(f && fgets(text, sizeof(text), f));
	fclose(f);
	second = strchr(text, ' ');
	wm_assert(second);
	return (size_t)strtoull(second, NULL, 10) * 4096;
}

/* 4 GiB of zeroes in a batch of about a hundred kilobytes. */
static void a_bomb_does_not_go_off(void **state)
{
	size_t zeroes = (size_t)1 << 32, chunk = 1 << 20, room = 1 << 20;
	uint8_t *zero = mem_zalloc(chunk), *packed = mem_alloc(room);
	ZSTD_CStream *z = ZSTD_createCStream();
	ZSTD_outBuffer out = {packed, room, 0};
	struct buf b = BUF_INIT(1 << 21);
	struct client c;
	size_t done, before;
	int i;

	ZSTD_initCStream(z, 3);
	for (done = 0; done < zeroes; done += chunk) {
		ZSTD_inBuffer in = {zero, chunk, 0};

		while (in.pos < in.size)
			wm_assert(!ZSTD_isError(ZSTD_compressStream(z, &out, &in)));
	}
	wm_assert(ZSTD_endStream(z, &out) == 0);
	ZSTD_freeCStream(z);
	client_open(&c, broker.port);
	client_make_topic(&c, "t");
	compressed(&b, 4, packed, out.pos, 1);
	before = resident();
	for (i = 0; i < 3; i++) {
		assert_int_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, KE_MESSAGE_TOO_LARGE);
		others_are_served();
	}
	/* 128 MiB while it is looked at, nothing afterwards; the sanitizers keep what was freed for a while */
	assert_true(resident() < before + ((size_t)512 << 20));
	/* cut and followed by rubbish, in each of the four */
	compressed(&b, 4, packed, out.pos - 10, 1);
	assert_int_not_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, 0);
	for (i = 1; i <= 4; i++) {
		compressed(&b, (unsigned)i, "\x82SNAPPY\0\0\0\0\1\0\0\0\1\x7f\xff\xff\xff", 20, 1);
		assert_int_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, KE_CORRUPT_MESSAGE);
		compressed(&b, (unsigned)i, "\xff\xff\xff\xff\x0f\0\0\0", 8, 1);
		assert_int_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, KE_CORRUPT_MESSAGE);
		compressed(&b, (unsigned)i, "", 0, 1);
		assert_int_equal(client_produce(&c, 9, "t", 0, buf_view(&b), -1).error, KE_CORRUPT_MESSAGE);
	}
	client_close(&c);
	buf_release(&b);
	mem_free(zero);
	mem_free(packed);
	others_are_served();
}

/* A client that asks and never reads: it is no longer read from either, and what it asked for is all that is held. */
static void answers_that_nobody_takes_are_bounded(void **state)
{
	struct fetch_request_topic_partition fp = {.index = 0, .current_leader_epoch = -1, .partition_max_bytes = 4 << 20};
	struct fetch_request_topic ft = {.name = view_str("t"), .partitions = &fp, .n_partitions = 1};
	struct fetch_request req = {.replica_id = -1, .max_wait_ms = 100, .min_bytes = 1, .max_bytes = 4 << 20, .session_epoch = -1,
		.topics = &ft, .n_topics = 1};
	struct client lazy[CONNECTIONS - 3];
	struct buf b = BUF_INIT(1 << 21);
	unsigned i, j;

	client_open(&lazy[0], broker.port);
	client_make_topic(&lazy[0], "t");
	client_batch(&b, 40000, 0, -1, 0, 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(client_produce(&lazy[0], 9, "t", 0, buf_view(&b), -1).error, 0);
	for (i = 0; i < CONNECTIONS - 3; i++) {
		if (i)
			client_open(&lazy[i], broker.port);
		for (j = 0; j < 100; j++)
			client_send(&lazy[i], KAFKA_FETCH, 11, &req);
	}
	for (i = 0; i < 20; i++) {
		others_are_served();
		/* beyond the budget nobody gets more than 64 KiB, and a request's own few kilobytes */
		assert_true(memory() < MEMORY + (4 << 20) + CONNECTIONS * (80 << 10));
	}
	for (i = 0; i < CONNECTIONS - 3; i++)
		client_close(&lazy[i]);
	buf_release(&b);
	others_are_served();
}

static uint32_t any(uint32_t below)
{
	static uint64_t seed = 11;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* Good requests with bytes turned, cut and lengthened. */
static void damaged_requests_harm_nobody(void **state)
{
	static const int16_t keys[] = {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20, 21, 22, 23, 32, 33, 35, 37, 42, 44, 47, 60, 75};
	struct client c;
	unsigned i, k;

	for (i = 0; i < 1500; i++) {
		const struct wire_message *m = client_message(keys[any(sizeof(keys) / sizeof(keys[0]))]);
		int version = m->from + (int)any((uint32_t)(m->to - m->from + 1));
		struct arena a = ARENA_INIT;
		struct buf b = BUF_INIT(1 << 20);
		void *value = arena_zalloc(&a, m->request->size);

		wire_init(m->request, value);
		buf_be32(&b, 0);
		buf_be16(&b, (uint16_t)m->key);
		buf_be16(&b, (uint16_t)version);
		buf_be32(&b, 1);
		buf_be16(&b, 0xffff);
		if (version >= m->flexible)
			buf_u8(&b, 0);
		wire_encode(m->request, version, version >= m->flexible, value, &b);
		for (k = any(8); k > 0; k--)
			buf_u8(&b, (uint8_t)any(256));
		for (k = any(4); k > 0; k--)
			b.ptr[12 + any((uint32_t)b.len - 12)] = (uint8_t)(any(4) ? any(4) : any(256));
		put_be32(b.ptr, (uint32_t)b.len - 4);
		client_open(&c, broker.port);
		client_send_bytes(&c, b.ptr, b.len);
		client_close(&c);
		buf_release(&b);
		arena_release(&a);
	}
	others_are_served();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_that_cannot_be_read_close_their_connection),
		TEST(bytes_behind_a_message_are_passed_over),
		TEST(claims_are_not_believed),
		TEST(large_requests_take_turns),
		TEST(the_connection_limit_holds),
		TEST(a_bomb_does_not_go_off),
		TEST(answers_that_nobody_takes_are_bounded),
		TEST(damaged_requests_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
