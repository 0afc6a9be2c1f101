/*
 * A Kafka client for tests: one connection, requests and answers by the table of messages, and bytes as they come for whoever wants to be
 * rude. One thread. What fails aborts, unless it says otherwise.
 */
#ifndef WALMILL_TEST_KAFKACLIENT_H
#define WALMILL_TEST_KAFKACLIENT_H

#include "base/arena.h"
#include "kafka/messages.h"
#include "log/log.h"

struct client {
	int fd;
	int32_t correlation;
	struct arena arena;      /* answers live here until client_close */
};

void client_open(struct client *c, unsigned port);
void client_close(struct client *c);

const struct wire_message *client_message(int16_t key);
void client_send(struct client *c, int16_t key, int16_t version, const void *request);
/* Waits for the next answer, which must be to the request of that number (from 1). NULL when the server has closed the connection. */
void *client_receive(struct client *c, int16_t key, int16_t version, int32_t correlation);
/* Both. */
void *client_call(struct client *c, int16_t key, int16_t version, const void *request);

void client_send_bytes(struct client *c, const void *ptr, size_t len);
bool client_is_closed(struct client *c);   /* waits up to 10 s for the server to close it */

/* One batch of n records "value-FIRST+i", in `to`. producer_id -1: none. */
void client_batch(struct buf *to, unsigned n, unsigned first, int64_t producer_id, int16_t epoch, int32_t sequence);
/* Produces it; the answer of the one partition. */
struct produce_response_topic_partition client_produce(
	struct client *c, int16_t version, const char *topic, int32_t partition, struct view batch, int16_t acks);
/* Fetches from one partition (version 4 to 12). */
struct fetch_response_topic_partition client_fetch(
	struct client *c, int16_t version, const char *topic, int32_t partition, int64_t offset, int32_t min_bytes, int32_t wait_ms);
/* Makes it through Metadata. */
void client_make_topic(struct client *c, const char *name);
unsigned client_records(struct view records);  /* in these batches, uncompressed */

#endif
