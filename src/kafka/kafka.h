/*
 * A Kafka broker of one node over walmill's log: the wire protocol's server. What it promises and how it is built: README.md.
 *
 * kafka_start() loads what the log holds of groups and producers, opens the listeners and starts two threads; kafka_stop() closes every
 * connection, waits for what was appended to be durable, and ends them. It must be called before the log is closed.
 */
#ifndef WALMILL_KAFKA_KAFKA_H
#define WALMILL_KAFKA_KAFKA_H

#include "base/err.h"
#include "base/io.h"
#include "log/log.h"

struct kafka;

enum { KAFKA_NODE_ID = 1, KAFKA_LISTENERS_MAX = 8, KAFKA_CLUSTER_ID = 22 };

struct kafka_address {
	const char *host;            /* numeric, or localhost */
	uint16_t port;               /* 0: the system picks one */
};

struct kafka_options {
	struct io *io;
	struct log *log;
	const char *dir;             /* for cluster and producer ids, and the snapshot of producers' states; made if it is not there */
	const struct kafka_address *listen;
	unsigned n_listen;
	struct kafka_address advertised; /* what Metadata names; host NULL or "": the address that the client connected to */
	bool auto_create;            /* topics that a client names in Metadata */
	uint32_t partitions;         /* of a topic created without a number */
	size_t request_bytes;        /* the largest request, at most half of memory_bytes; a larger one closes its connection */
	size_t memory_bytes;         /* requests and answers held at one time, of all connections, beyond 64 KiB each */
	unsigned connections;        /* at one time; the next one is closed at once */
	int64_t idle_us;             /* a connection without a request for so long is closed */
	int64_t rebalance_delay_us;  /* how long an empty group waits for more members */
};

struct kafka_options kafka_options_default(void);

/* ERR_BUSY when a port is taken. */
int kafka_start(const struct kafka_options *o, struct kafka **ret, struct err *err) WM_MUST_USE;
void kafka_stop(struct kafka *k); /* NULL is fine */

unsigned kafka_port(const struct kafka *k, unsigned listener);
const char *kafka_cluster_id(const struct kafka *k);  /* 22 characters; the same for ever */

struct kafka_stats {
	uint64_t connections, refused_connections, requests, bad_requests, bytes_in, bytes_out;
	uint64_t produced_batches, fetched_bytes, groups, memory_bytes;
};

void kafka_stats(struct kafka *k, struct kafka_stats *ret);  /* any thread */

#endif
