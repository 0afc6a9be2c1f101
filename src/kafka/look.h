/*
 * Consumer groups as people look at them: copies, made at one instant on the module's thread, without the wire protocol.
 */
#ifndef WALMILL_KAFKA_LOOK_H
#define WALMILL_KAFKA_LOOK_H

#include "base/arena.h"
#include "kafka/kafka.h"

struct kafka_group_offset {
	struct view topic;
	int32_t partition;
	int64_t committed;           /* -1: none, but a member has the partition */
	int64_t committed_ms;        /* when, wall clock; 0 with -1 */
	const struct kafka_group_member *member; /* who has it now, or NULL */
};

struct kafka_group_member {
	struct view id, client_id, host;
};

struct kafka_group {
	struct view id, protocol_type, protocol; /* empty: none yet */
	const char *state;           /* Kafka's words: Empty, PreparingRebalance, ... */
	const struct kafka_group_member *members;
	uint32_t n_members;
	const struct kafka_group_offset *offsets; /* by topic and partition */
	uint32_t n_offsets;
};

/* All groups in order of ids, or (id.ptr not NULL) that one; everything lives in the arena. Any thread but the module's; waits for it. */
void kafka_groups_look(struct kafka *k, struct view id, struct arena *a, struct kafka_group **ret, uint32_t *ret_n);

#endif
