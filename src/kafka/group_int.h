/* Private to group*.c. */
#ifndef WALMILL_KAFKA_GROUP_INT_H
#define WALMILL_KAFKA_GROUP_INT_H

#include "kafka/group.h"

struct view group_copy(struct view v);      /* mem_alloc; NULL stays NULL */
void group_drop(struct view *v);
void group_member_free(struct group *g, struct group_member *m);
void group_set_assignment(struct group *g, struct group_member *m, struct view v);
struct view group_choose_protocol(const struct group *g); /* a member's own; the group has members */

void group_answer_join(struct group *g, void *waiter, enum kafka_error error, struct view member_id);
void group_answer_member(struct group *g, void *waiter, struct group_member *m);
void group_end_wait(struct group *g, struct group_member *m, enum kafka_error error);

/* group_phase.c */
void group_prepare(struct group *g, int64_t now_us);       /* a rebalance is needed */
void group_try_complete(struct group *g, int64_t now_us);  /* PREPARING: perhaps all are there */
void group_assign(struct group *g, const struct group_sync *s, int64_t now_us); /* the leader's word: COMPLETING → STABLE */
void group_remove(struct group *g, struct group_member *m, int64_t now_us);

#endif
