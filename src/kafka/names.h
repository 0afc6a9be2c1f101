/*
 * Topics as Produce and Fetch look them up for each request: a cache over the log's own tables, which take a lock and a copy. The thread
 * `kafka`. An entry is at most a second old, and is dropped when the log says that its partition is gone, and after each administrative
 * request.
 */
#ifndef WALMILL_KAFKA_NAMES_H
#define WALMILL_KAFKA_NAMES_H

#include "kafka/kafka_int.h"

struct topic_info {
	struct log_topic t;
	uint32_t *parts;             /* the log's part numbers, t.n_parts of them */
	int64_t max_message_bytes;
	bool append_time;            /* message.timestamp.type=LogAppendTime */
	bool compacted;
	int64_t loaded_us;
};

/* Until the next call; NULL when there is no such topic, or it is hidden. */
const struct topic_info *names_find(struct kafka *k, struct view name);
const struct topic_info *names_find_id(struct kafka *k, const struct uuid *id);
void names_forget(struct kafka *k);

#endif
