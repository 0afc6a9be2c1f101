/*
 * ListOffsets and OffsetForLeaderEpoch. The thread `kafka`; looking up a time reads one batch.
 *
 * The leader epoch is 0 for ever: an offset that was readable once never means another record (see log).
 */
#include "kafka/kafka_int.h"

#include "kafka/codec.h"
#include "log/batch.h"

enum {
	AT_LATEST = -1,
	AT_EARLIEST = -2,
	AT_MAX_TIMESTAMP = -3,
	AT_EARLIEST_LOCAL = -4,
	AT_LATEST_TIERED = -5,
	DECOMPRESSED_MAX = 128 << 20
};

/* The first record of the batch at `base` that is of time_ms or later. */
static int first_in_batch(struct kafka *k, uint32_t part, int64_t base, int64_t time_ms, int64_t *ret_offset, int64_t *ret_time_ms,
	struct err *err)
{
	struct log_batches got = LOG_BATCHES_INIT;
	struct buf plain = BUF_INIT(DECOMPRESSED_MAX);
	struct record_reader rr;
	struct batch_info info;
	struct record rec;
	struct view batch;
	int rc = -1;

	if (log_read(k->log, part, base, 1, &got, err))
		goto out;
	if (got.n == 0 || batch_get(got.batches[0].bytes, &info, err)) {
		rc = 0;
		goto out;
	}
	batch = got.batches[0].bytes;
	if (info.attributes & BATCH_LOG_APPEND_TIME) {
		*ret_offset = info.base;
		*ret_time_ms = info.max_time_ms;
		rc = 0;
		goto out;
	}
	if (codec_decompress(
		    info.attributes & BATCH_CODEC_MASK, view_of(batch.ptr + BATCH_HEADER, info.size - BATCH_HEADER), &plain, err))
		goto out;
	batch_records_over(&rr, &info, buf_view(&plain));
	while ((rc = record_next(&rr, &rec, err)) > 0)
		if (rec.time_ms >= time_ms) {
			*ret_offset = rec.offset;
			*ret_time_ms = rec.time_ms;
			rc = 0;
			break;
		}
out:
	buf_release(&plain);
	log_batches_release(&got);
	return rc;
}

static int at_time(struct kafka *k, uint32_t part, int64_t time_ms, int64_t *ret_offset, int64_t *ret_time_ms, struct err *err)
{
	int64_t base, max;

	if (log_find_time(k->log, part, time_ms, &base, &max, err))
		return -1;
	return base < 0 ? 0 : first_in_batch(k, part, base, time_ms, ret_offset, ret_time_ms, err);
}

/* The largest time that any batch has: the log answers "is there one of t or later", which is asked in a binary search. */
static int at_max_time(struct kafka *k, uint32_t part, int64_t *ret_offset, int64_t *ret_time_ms, struct err *err)
{
	int64_t low, high = INT64_MAX, base, max;

	if (log_find_time(k->log, part, 0, &base, &low, err))
		return -1;
	if (base < 0)
		return 0;
	while (low < high) {
		int64_t middle = low + (high - low) / 2 + 1;

		if (log_find_time(k->log, part, middle, &base, &max, err))
			return -1;
		if (base < 0)
			high = middle - 1;
		else
			low = max;
	}
	return at_time(k, part, low, ret_offset, ret_time_ms, err);
}

/*
 * Version 0 asks for offsets before a time, the latest first. What is known here are the offset of that time, or the end when all is older,
 * and the start.
 */
static void list_old(struct request *rq, const struct list_offsets_request_topic_partition *from,
	struct list_offsets_response_topic_partition *to, const struct log_marks *m)
{
	int64_t at = to->offset < 0 ? m->high : to->offset;

	to->offsets = REQUEST_ARRAY(rq, 2, int64_t);
	/* nothing is before the first record's time */
	if (from->timestamp >= 0 && to->offset == m->start)
		return;
	if (from->max_offsets > 0)
		to->offsets[to->n_offsets++] = at;
	if (from->max_offsets > 1 && at > m->start)
		to->offsets[to->n_offsets++] = m->start;
}

/* Whether the version knows what the negative time stands for: -3 came with version 7, -4 with 8, -5 with 9. */
static bool knows(int version, int64_t time)
{
	return time >= AT_EARLIEST || (time >= AT_LATEST_TIERED && version >= 4 - time);
}

static void list_one(struct request *rq, const struct list_offsets_request_topic_partition *from,
	struct list_offsets_response_topic_partition *to, uint32_t part)
{
	struct kafka *k = rq->k;
	struct err err = ERR_INIT;
	struct log_marks m;
	int rc = 0;

	if (from->current_leader_epoch > 0) {
		to->error = KE_UNKNOWN_LEADER_EPOCH;
		return;
	}
	if (!knows(rq->version, from->timestamp)) {
		to->error = KE_UNSUPPORTED_VERSION;
		return;
	}
	log_marks(k->log, &part, 1, &m, NULL);
	switch (from->timestamp) {
	case AT_LATEST: to->offset = m.high; break;
	case AT_EARLIEST:
	case AT_EARLIEST_LOCAL: to->offset = m.start; break;
	case AT_LATEST_TIERED: break;
	case AT_MAX_TIMESTAMP: rc = at_max_time(k, part, &to->offset, &to->timestamp, &err); break;
	default: rc = at_time(k, part, from->timestamp, &to->offset, &to->timestamp, &err);
	}
	if (rc)
		to->error = (int16_t)kafka_error_of(&err);
	else if (rq->version == 0)
		list_old(rq, from, to, &m);
	else if (to->offset >= 0)
		to->leader_epoch = 0;
}

void serve_list_offsets(struct request *rq)
{
	const struct list_offsets_request *in = rq->in;
	struct list_offsets_response *out = rq->out;
	int32_t i, j;

	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct list_offsets_response_topic);
	out->n_topics = in->n_topics;
	for (i = 0; i < in->n_topics; i++) {
		const struct list_offsets_request_topic *from = &in->topics[i];
		struct list_offsets_response_topic *to = &out->topics[i];

		to->name = from->name;
		to->partitions = REQUEST_ARRAY(rq, from->n_partitions, struct list_offsets_response_topic_partition);
		to->n_partitions = from->n_partitions;
		for (j = 0; j < from->n_partitions; j++) {
			struct list_offsets_response_topic_partition *p = &to->partitions[j];
			uint32_t part;

			wire_init(&wire_list_offsets_response_topic_partition, p);
			p->index = from->partitions[j].index;
			p->error = (int16_t)topic_partition(rq->k, from->name, p->index, &part);
			if (!p->error)
				list_one(rq, &from->partitions[j], p, part);
		}
	}
	request_answer(rq);
}

void serve_offset_for_leader_epoch(struct request *rq)
{
	const struct offset_for_leader_epoch_request *in = rq->in;
	struct offset_for_leader_epoch_response *out = rq->out;
	int32_t i, j;

	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct offset_for_leader_epoch_response_topic);
	out->n_topics = in->n_topics;
	for (i = 0; i < in->n_topics; i++) {
		const struct offset_for_leader_epoch_request_topic *from = &in->topics[i];
		struct offset_for_leader_epoch_response_topic *to = &out->topics[i];

		to->name = from->name;
		to->partitions = REQUEST_ARRAY(rq, from->n_partitions, struct offset_for_leader_epoch_response_topic_partition);
		to->n_partitions = from->n_partitions;
		for (j = 0; j < from->n_partitions; j++) {
			struct offset_for_leader_epoch_response_topic_partition *p = &to->partitions[j];
			struct log_marks m;
			uint32_t part;

			wire_init(&wire_offset_for_leader_epoch_response_topic_partition, p);
			p->index = from->partitions[j].index;
			p->error = (int16_t)topic_partition(rq->k, from->name, p->index, &part);
			if (!p->error && from->partitions[j].current_leader_epoch > 0)
				p->error = KE_UNKNOWN_LEADER_EPOCH;
			if (p->error || from->partitions[j].leader_epoch != 0)
				continue;
			log_marks(rq->k->log, &part, 1, &m, NULL);
			p->leader_epoch = 0;
			p->end_offset = m.high;
		}
	}
	request_answer(rq);
}
