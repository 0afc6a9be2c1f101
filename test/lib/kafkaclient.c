/* A Kafka client for tests; see kafkaclient.h. */
#include "kafkaclient.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "log/batch.h"

void client_open(struct client *c, unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	*c = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .arena = ARENA_INIT};
	wm_assert(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0);
}

void client_close(struct client *c)
{
	close(c->fd);
	arena_release(&c->arena);
}

const struct wire_message *client_message(int16_t key)
{
	unsigned i;

	for (i = 0; i < KAFKA_MESSAGES; i++)
		if (kafka_messages[i].key == key)
			return &kafka_messages[i];
	return NULL;
}

void client_send_bytes(struct client *c, const void *ptr, size_t len)
{
	const uint8_t *p = ptr;

	while (len > 0) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* closed by the server: seen by the receive */
		p += n;
		len -= (size_t)n;
	}
}

void client_send(struct client *c, int16_t key, int16_t version, const void *request)
{
	const struct wire_message *m = client_message(key);
	struct buf b = BUF_INIT((size_t)1 << 30);

	buf_be32(&b, 0);
	buf_be16(&b, (uint16_t)key);
	buf_be16(&b, (uint16_t)version);
	buf_be32(&b, (uint32_t)++c->correlation);
	buf_be16(&b, 4);
	buf_puts(&b, "test");
	if (version >= m->flexible)
		buf_u8(&b, 0);
	wire_encode(m->request, version, version >= m->flexible, request, &b);
	wm_assert(buf_ok(&b));
	put_be32(b.ptr, (uint32_t)b.len - 4);
	client_send_bytes(c, b.ptr, b.len);
	buf_release(&b);
}

static bool read_all(struct client *c, uint8_t *to, size_t len)
{
	while (len > 0) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		ssize_t n;

		wm_assert(poll(&p, 1, 60000) == 1);
		n = recv(c->fd, to, len, 0);
		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

void *client_receive(struct client *c, int16_t key, int16_t version, int32_t correlation)
{
	const struct wire_message *m = client_message(key);
	uint8_t size[4], *bytes;
	struct reader r;
	void *out;

	if (!read_all(c, size, 4))
		return NULL;
	bytes = arena_alloc(&c->arena, get_be32(size));
	if (!read_all(c, bytes, get_be32(size)))
		return NULL;
	r = reader_of(view_of(bytes, get_be32(size)));
	wm_assert((int32_t)reader_be32(&r) == correlation);
	if (version >= m->flexible && key != KAFKA_API_VERSIONS)
		wire_skip_tags(&r);
	out = arena_zalloc(&c->arena, m->response->size);
	wm_assert(wire_decode(m->response, version, version >= m->flexible, view_of(r.ptr, reader_left(&r)), &c->arena, out));
	return out;
}

void *client_call(struct client *c, int16_t key, int16_t version, const void *request)
{
	client_send(c, key, version, request);
	return client_receive(c, key, version, c->correlation);
}

bool client_is_closed(struct client *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	uint8_t byte;

	return poll(&p, 1, 10000) == 1 && recv(c->fd, &byte, 1, 0) <= 0;
}

void client_batch(struct buf *to, unsigned n, unsigned first, int64_t producer_id, int16_t epoch, int32_t sequence)
{
	struct batch_builder b;
	char text[32];
	unsigned i;

	buf_clear(to);
	batch_begin(&b, to, 1700000000000);
	for (i = 0; i < n; i++)
		batch_add(&b, 1700000000000 + first + i, view_str("k"),
			view_of(text, (size_t)snprintf(text, sizeof(text), "value-%u", first + i)));
	wm_assert(batch_end(&b));
	if (producer_id >= 0)
		batch_set_producer(to->ptr, producer_id, epoch, sequence, 0);
}

struct produce_response_topic_partition client_produce(
	struct client *c, int16_t version, const char *topic, int32_t partition, struct view batch, int16_t acks)
{
	struct produce_request_topic_partition p = {partition, batch};
	struct produce_request_topic t = {view_str(topic), &p, 1};
	struct produce_request req = {.acks = acks, .timeout_ms = 20000, .topics = &t, .n_topics = 1};
	struct produce_response *out;

	if (acks == 0) {
		client_send(c, KAFKA_PRODUCE, version, &req);
		return (struct produce_response_topic_partition){0};
	}
	out = client_call(c, KAFKA_PRODUCE, version, &req);
	wm_assert(out && out->n_topics == 1 && out->topics[0].n_partitions == 1);
	return out->topics[0].partitions[0];
}

struct fetch_response_topic_partition client_fetch(
	struct client *c, int16_t version, const char *topic, int32_t partition, int64_t offset, int32_t min_bytes, int32_t wait_ms)
{
	struct fetch_request_topic_partition p = {.index = partition, .current_leader_epoch = -1, .fetch_offset = offset,
		.partition_max_bytes = 1 << 20};
	struct fetch_request_topic t = {.name = view_str(topic), .partitions = &p, .n_partitions = 1};
	struct fetch_request req = {.replica_id = -1, .max_wait_ms = wait_ms, .min_bytes = min_bytes, .max_bytes = 1 << 24,
		.session_epoch = -1, .topics = &t, .n_topics = 1};
	struct fetch_response *out = client_call(c, KAFKA_FETCH, version, &req);

	wm_assert(out && out->n_topics == 1 && out->topics[0].n_partitions == 1);
	return out->topics[0].partitions[0];
}

void client_make_topic(struct client *c, const char *name)
{
	struct metadata_request_topic t = {.name = view_str(name)};
	struct metadata_request req = {.topics = &t, .n_topics = 1, .allow_auto_create = true};
	struct metadata_response *out = client_call(c, KAFKA_METADATA, 12, &req);

	wm_assert(out && out->n_topics == 1 && out->topics[0].error == 0);
}

unsigned client_records(struct view records)
{
	struct batch_info info;
	struct err err = ERR_INIT;
	unsigned n = 0;

	while (records.len) {
		wm_assert(batch_get(records, &info, &err) == 0);
		n += (unsigned)info.count;
		records = view_of(records.ptr + info.size, records.len - info.size);
	}
	return n;
}
