/* DescribeProducers: what is known of the idempotent producers of partitions. The thread `kafka`. */
#include <stdlib.h>

#include "kafka/producers_int.h"

struct listing {
	const struct producer **all; /* by partition, then id */
	uint32_t n;
	struct describe_producers_response_topic_partition_producer *rows; /* the same in the answer's shape */
	uint32_t told;
};

static int order(const void *a, const void *b)
{
	const struct producer *x = *(const struct producer *const *)a, *y = *(const struct producer *const *)b;

	return x->part != y->part ? (x->part > y->part) - (x->part < y->part) : (x->id > y->id) - (x->id < y->id);
}

static void collect(struct request *rq, struct listing *l)
{
	struct map *map = &rq->k->producers->map;
	struct map_slot *s;
	size_t pos = 0;
	uint32_t i;

	l->all = REQUEST_ARRAY(rq, (int32_t)map->count, const struct producer *);
	l->rows = REQUEST_ARRAY(rq, (int32_t)map->count, struct describe_producers_response_topic_partition_producer);
	while ((s = map_iter(map, &pos)))
		l->all[l->n++] = s->value;
	qsort(l->all, l->n, sizeof(const struct producer *), order);
	for (i = 0; i < l->n; i++) {
		const struct producer *p = l->all[i];

		l->rows[i] = (struct describe_producers_response_topic_partition_producer){.producer_id = p->id, .producer_epoch = p->epoch,
			.last_sequence = p->n ? p->batches[p->n - 1].last : -1, .last_time_ms = p->used_ms, .coordinator_epoch = -1,
			.txn_start_offset = -1};
	}
}

/* The first producer of a partition, or of one behind it. */
static uint32_t first_of(const struct listing *l, uint64_t part)
{
	uint32_t low = 0, high = l->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (l->all[middle]->part < part)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void describe(struct request *rq, struct listing *l, struct view topic, struct describe_producers_response_topic_partition *to)
{
	uint32_t part, first, n;

	to->error = (int16_t)topic_partition(rq->k, topic, to->index, &part);
	if (to->error)
		return;
	first = first_of(l, part);
	n = first_of(l, (uint64_t)part + 1) - first;
	/* more than there are: a partition is named again and again to make a small request a large answer */
	if (n > l->n - l->told) {
		to->error = KE_INVALID_REQUEST;
		return;
	}
	l->told += n;
	to->producers = &l->rows[first];
	to->n_producers = (int32_t)n;
}

void serve_describe_producers(struct request *rq)
{
	const struct describe_producers_request *in = rq->in;
	struct describe_producers_response *out = rq->out;
	struct listing l = {0};
	int32_t i, j;

	collect(rq, &l);
	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct describe_producers_response_topic);
	out->n_topics = in->n_topics;
	for (i = 0; i < in->n_topics; i++) {
		const struct describe_producers_request_topic *from = &in->topics[i];
		struct describe_producers_response_topic *to = &out->topics[i];

		to->name = from->name;
		to->partitions = REQUEST_ARRAY(rq, from->n_partitions, struct describe_producers_response_topic_partition);
		to->n_partitions = from->n_partitions;
		for (j = 0; j < from->n_partitions; j++) {
			to->partitions[j].index = from->partitions[j];
			describe(rq, &l, from->name, &to->partitions[j]);
		}
	}
	request_answer(rq);
}
