/*
 * One consumer group of the classic protocol: members, generations, rebalances. A state machine without socket, thread or clock: it is told
 * the time, and says when it wants to be called again.
 *
 *     EMPTY ──join──> PREPARING ──all are back, or time is over──> COMPLETING ──the leader's assignment──> STABLE
 *       ▲                 ▲  │                                         │                                      │
 *       └──nobody left────┼──┘◄────── join, leave, expiry ─────────────┴──────────────────────────────────────┘
 *
 * PREPARING waits for every member to join anew, at most the longest rebalance timeout of any; who does not come is out. COMPLETING waits
 * for the leader's SyncGroup, and for everybody's at most as long again. A member that waits in Join or Sync does not expire; otherwise its
 * session ends after session_us without a word.
 *
 * Who waits is an opaque pointer of the caller's (a request), given back exactly once through `answers`, perhaps before the call returns.
 */
#ifndef WALMILL_KAFKA_GROUP_H
#define WALMILL_KAFKA_GROUP_H

#include "base/bytes.h"
#include "kafka/errors.h"

enum { GROUP_MEMBERS_MAX = 5000 };

enum group_state { GROUP_EMPTY, GROUP_PREPARING, GROUP_COMPLETING, GROUP_STABLE };

struct group_protocol {
	struct view name, metadata;
};

/* Bytes of a view in here are the group's own (mem_alloc). */
struct group_member {
	struct group_member *next;      /* in order of joining */
	struct view id, instance;       /* instance.ptr NULL: dynamic */
	struct view client_id, client_host;
	int64_t session_us, rebalance_us;
	struct group_protocol *protocols;
	unsigned n_protocols;
	struct view assignment;
	void *join, *sync;              /* who waits, or NULL */
	bool synced;                    /* in this generation */
	int64_t expires_us;             /* of the session; counts when nobody waits */
};

struct group_pending {              /* an id that was given out with MEMBER_ID_REQUIRED */
	struct group_pending *next;
	struct view id;
	int64_t expires_us;
};

struct group;

struct group_join_answer {
	enum kafka_error error;
	struct view member_id;
	struct view leader;
	bool skip_assignment;
	bool members;                   /* the answer lists them: it goes to the leader */
};

struct group_answers {
	void (*join)(void *arg, void *waiter, const struct group *g, const struct group_join_answer *a);
	void (*sync)(void *arg, void *waiter, const struct group *g, enum kafka_error error, struct view assignment);
	/* a new id for a member: appended to `to` */
	void (*new_id)(void *arg, struct view prefix, struct buf *to);
};

struct group {
	const struct group_answers *answers;
	void *arg;
	struct view name;               /* the caller's */
	enum group_state state;
	int32_t generation;
	struct view protocol_type, protocol; /* ptr NULL: none */
	struct group_member *members, *leader;
	unsigned n_members;
	struct group_pending *pending;
	unsigned n_pending;
	bool initial;                   /* PREPARING from EMPTY: waits for more members until deadline_us, whoever is there */
	bool newcomers;                 /* since the initial wait was last set */
	int64_t deadline_us;            /* of PREPARING or COMPLETING */
	int64_t initial_until_us;       /* the initial wait is never longer */
	int64_t initial_delay_us;
	size_t bytes;                   /* held by members, about */
};

struct group_join {
	struct view member_id, instance; /* instance.ptr NULL: dynamic */
	struct view client_id, client_host;
	struct view protocol_type;
	const struct group_protocol *protocols;
	unsigned n_protocols;
	int64_t session_us, rebalance_us;
	bool id_required;               /* version 4 and later: a new member gets an id first */
	bool can_skip;                  /* version 9 and later: understands skip_assignment */
};

void group_init(struct group *g, struct view name, int64_t initial_delay_us, const struct group_answers *answers, void *arg);
void group_release(struct group *g, enum kafka_error why); /* answers who waits */

void group_join(struct group *g, const struct group_join *j, void *waiter, int64_t now_us);

struct group_sync {
	struct view member_id, instance, protocol_type, protocol; /* the latter two: ptr NULL when not sent */
	int32_t generation;
	const struct group_protocol *assignments; /* name: member id, metadata: assignment */
	unsigned n_assignments;
};

void group_sync(struct group *g, const struct group_sync *s, void *waiter, int64_t now_us);
enum kafka_error group_heartbeat(struct group *g, struct view member_id, struct view instance, int32_t generation, int64_t now_us);
/* member_id may be empty when instance is there. */
enum kafka_error group_leave(struct group *g, struct view member_id, struct view instance, int64_t now_us);
/* Whether this member may commit offsets now. Generation -1 and no member: somebody outside the group protocol, while nobody is in it. */
enum kafka_error group_may_commit(struct group *g, struct view member_id, struct view instance, int32_t generation, int64_t now_us);

/* Runs what is due; returns when to call again, INT64_MAX for never. To be asked after every other call too. */
int64_t group_tick(struct group *g, int64_t now_us);

const char *group_state_name(enum group_state s);
/* A member's metadata under the group's protocol. */
struct view group_metadata(const struct group *g, const struct group_member *m);

#endif
