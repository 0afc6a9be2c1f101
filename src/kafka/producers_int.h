/* Private to producers*.c. */
#ifndef WALMILL_KAFKA_PRODUCERS_INT_H
#define WALMILL_KAFKA_PRODUCERS_INT_H

#include "kafka/producers.h"

enum {
	PRODUCER_BATCHES = 5,    /* as many as a client has in flight at most */
	PRODUCERS_MAX = 200000,  /* of all partitions; about 50 MB */
};

struct producer_batch {
	int32_t first, last;     /* sequences */
	int64_t base, next;      /* offsets: its own first, and the first behind it */
};

struct producer {
	uint32_t part;           /* the log's number */
	int64_t id;
	int16_t epoch;
	uint8_t n;
	int64_t used_ms;
	struct producer_batch batches[PRODUCER_BATCHES]; /* oldest first */
};

struct producers {
	struct map map;          /* part be32, id be64 → struct producer */
	uint64_t changed, saved; /* batches noted, in all and as of the last snapshot */
	uint64_t saved_seq;      /* the log's unit up to which that has everything */
	bool saving;
	int64_t next_id, end_id; /* of the worker: ids that may be given out */
};

struct producer *producer_find(struct producers *ps, uint32_t part, int64_t id);
struct producer *producer_make(struct producers *ps, uint32_t part, int64_t id);
void producer_remove(struct producers *ps, struct producer *p);

#endif
