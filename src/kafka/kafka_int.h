/*
 * Private to the module: the server, its connections and requests. Everything here belongs to the thread `kafka` unless it says otherwise.
 */
#ifndef WALMILL_KAFKA_INT_H
#define WALMILL_KAFKA_INT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/thread.h"
#include "kafka/errors.h"
#include "kafka/kafka.h"
#include "kafka/messages.h"

struct conn;
struct groups;
struct producers;
struct request;

/* ---- timers: a heap of those that are set ---- */

struct timer {
	int64_t due_us;              /* monotonic */
	void (*fn)(struct kafka *k, struct timer *t);
	uint32_t place;              /* in the heap, from 1; 0: not set */
};

struct timers {
	struct timer **heap;
	uint32_t n, cap;
};

void timer_set(struct timers *ts, struct timer *t, int64_t due_us); /* also moves one that is set */
void timer_clear(struct timers *ts, struct timer *t);
struct timer *timer_next(struct timers *ts);                        /* NULL when none is set */

/* ---- what other threads hand to the loop ---- */

struct later {
	struct later *next;
	void (*fn)(struct kafka *k, struct later *l); /* on the loop */
};

void kafka_post(struct kafka *k, struct later *l); /* any thread; in order */
void kafka_work(struct kafka *k, struct later *l); /* the other way: fn runs on the worker, one at a time, in order */

/* ---- requests ---- */

enum request_step {
	REQUEST_RUNNING,
	REQUEST_ANSWERED,            /* `answer` is complete, perhaps not sent */
};

struct request {
	struct kafka *k;
	struct conn *conn;           /* NULL when it has gone: then the answer is dropped */
	struct request *next;        /* of the connection, in order of arrival */
	const struct api *api;
	int16_t version;
	int32_t correlation;
	struct view client_id;       /* ptr NULL: null */
	enum request_step step;
	bool passed;                 /* a Produce whose batches are all appended: the next one may start */
	bool silent;                 /* answered without bytes */
	struct buf frame;            /* what it was decoded from */
	struct arena arena;
	void *in, *out;              /* structs of messages.h, by api->message */
	char host[64];               /* where the client should connect to: Metadata's answer */
	int32_t port;
	char peer[48];               /* the client's address, for lists of group members */
	struct buf answer;
	struct wire_pieces pieces;   /* of the answer, in memory that `release` lets go */
	size_t charged;              /* of kafka.memory */
	void *state;                 /* the handler's, in the arena */
	void (*cancel)(struct request *rq); /* when the connection goes while it runs, or NULL */
	void (*release)(struct request *rq); /* of what lives outside the arena, when the answer is encoded (with pieces: sent); or NULL */
	struct later back;           /* from the worker */
	void (*work)(struct request *rq);
	void (*back_on_loop)(struct request *rq); /* between work and answer; or NULL */
};

struct api {
	const struct wire_message *message;
	void (*serve)(struct request *rq);
	bool blocks;                 /* serve runs on the worker */
};

/* Looks up, decodes and serves the frame (behind its size); takes it over. False: not to be understood, the connection must go. */
bool request_start(struct conn *c, struct request *rq);
/* Ends a request with its `out`; the loop only. */
void request_answer(struct request *rq);
/* Runs `work` on the worker, then request_answer on the loop. Meanwhile the request is the worker's, but for conn, next, cancel. */
void request_to_worker(struct request *rq, void (*work)(struct request *rq));
void request_free(struct request *rq);

/* n zeroed elements in the request's arena. */
#define REQUEST_ARRAY(rq, n, type) ((type *)arena_zalloc(&(rq)->arena, sizeof(type) * ((size_t)((n) > 0 ? (n) : 0) + 1)))

/* ---- connections ---- */

struct conn {
	struct kafka *k;
	struct conn *next, **prev;
	int fd;
	bool dead, dirty, starved;   /* starved: its frame waits for memory */
	uint32_t events;             /* as epoll has them */
	struct conn *next_dirty, *next_starved;
	struct buf rx;
	size_t rx_at;                /* consumed */
	size_t wanted;               /* starved: the size of that frame */
	size_t admitted;             /* size of the frame that is coming in, charged; 0: none yet */
	struct request *first, **last; /* not yet sent, in order */
	unsigned n_requests;
	size_t sent;                 /* of first->answer */
	int64_t active_us;           /* last byte in or out */
	int unacked;                 /* bytes in the socket that the peer had not taken, at the last sweep with an answer under way */
	char host[64], peer[48];
	int32_t port;
};

void conn_accept(struct kafka *k, int listener_fd);
void conn_event(struct conn *c, uint32_t events);
void conn_touch(struct conn *c);        /* something changed: looked at in this round of the loop */
void conn_close(struct conn *c);
void conns_round(struct kafka *k);      /* those that were touched; frees the dead */
void conns_sweep(struct kafka *k);      /* time-outs; once a second */
void kafka_charge(struct kafka *k, size_t bytes);
void kafka_discharge(struct kafka *k, size_t bytes);

/* ---- the server ---- */

/* Memory that Fetches have read into and will again: the kernel clears every page that it hands out. */
struct spares {
	struct buf list[16];
	unsigned n;
	size_t bytes;
	bool used;                   /* since the last sweep */
};
void spares_release(struct spares *s);
void spares_sweep(struct spares *s);     /* once a second: gives back what was not used since */

struct kafka {
	struct kafka_options o;
	struct io *io;
	struct log *log;
	char dir[4096];
	char advertised[64];
	char cluster[KAFKA_CLUSTER_ID + 1];
	int epoll, event;
	struct {
		int fd;
		unsigned port;
	} listeners[KAFKA_LISTENERS_MAX];
	unsigned n_listeners;
	struct thread loop, admin;
	atomic_bool stop;
	int64_t now_us;              /* monotonic, of this round */
	struct timers timers;
	struct timer sweep;
	int64_t swept_us;            /* groups: when last */

	struct lock lock;            /* of the two queues below */
	struct later *posted, **posted_end;
	struct later *work, **work_end;
	struct wake work_wake;
	bool work_stop;
	unsigned working;            /* handed to the worker, not yet back; the loop's */

	struct conn *conns, *dead, *dirty, *starved, **starved_end;
	unsigned n_conns;
	size_t memory;               /* of requests and answers */
	size_t group_bytes;          /* of groups and their offsets: at most a quarter of kafka.memory beside it */

	struct map names, name_ids;  /* names.h */
	uint64_t log_seen;           /* the log's wake, as of the last look at what waits for it */
	struct produce *stalled;     /* Produces that wait for a partition or room */
	struct fetch *waiting;       /* Fetches that wait for records */
	struct spares spares;
	struct buf scratch;          /* decompressed records, while they are checked */
	unsigned in_flight;          /* appended to the log, callback not yet run */
	struct producers *producers;
	struct groups *groups;

	_Atomic uint64_t stats_accepted, stats_refused, stats_requests, stats_bad, stats_in, stats_out, stats_batches, stats_fetched,
		stats_groups, stats_memory;
};

/* ---- handlers; each file says what it serves ---- */

void kafka_apis_init(void);
const struct api *kafka_api(int16_t key); /* NULL: unknown */

void serve_api_versions(struct request *rq);
void serve_metadata(struct request *rq);
void serve_find_coordinator(struct request *rq);
void serve_describe_cluster(struct request *rq);
void serve_describe_topic_partitions(struct request *rq);
void serve_produce(struct request *rq);
void produce_retry(struct kafka *k);     /* the log has changed, or time has passed */
void serve_fetch(struct request *rq);
void fetch_retry(struct kafka *k);
void serve_list_offsets(struct request *rq);
void serve_offset_for_leader_epoch(struct request *rq);

void serve_join_group(struct request *rq);
void serve_sync_group(struct request *rq);
void serve_heartbeat(struct request *rq);
void serve_leave_group(struct request *rq);
void serve_offset_commit(struct request *rq);
void serve_offset_fetch(struct request *rq);
void serve_offset_delete(struct request *rq);
void serve_list_groups(struct request *rq);
void serve_describe_groups(struct request *rq);
void serve_delete_groups(struct request *rq);

void serve_describe_producers(struct request *rq);
void serve_describe_acls(struct request *rq);
void serve_create_acls(struct request *rq);
void serve_delete_acls(struct request *rq);
void serve_elect_leaders(struct request *rq);
void serve_list_partition_reassignments(struct request *rq);
void serve_describe_client_quotas(struct request *rq);
void serve_describe_user_scram_credentials(struct request *rq);
void serve_describe_transactions(struct request *rq);
void serve_list_transactions(struct request *rq);
void serve_delete_topics(struct request *rq);
void groups_topic_deleted(struct kafka *k, struct view topic);
/* These run on the worker. */
void serve_create_topics(struct request *rq);
void serve_create_partitions(struct request *rq);
void serve_delete_records(struct request *rq);
void serve_describe_log_dirs(struct request *rq);
void serve_describe_configs(struct request *rq);
void serve_alter_configs(struct request *rq);
void serve_incremental_alter_configs(struct request *rq);
void serve_init_producer_id(struct request *rq);

/* ---- names and partitions ---- */

enum { KAFKA_MESSAGE_BYTES = 1048588 }; /* max.message.bytes where a topic does not say */
#define TOPIC_OFFSETS "__consumer_offsets"

/* walmill's own topics are not there for clients. */
static inline bool topic_is_hidden(struct view name) { return name.len >= 10 && memcmp(name.ptr, "__walmill.", 10) == 0; }
static inline bool topic_is_internal(struct view name) { return view_is(name, TOPIC_OFFSETS); }
bool topic_find(struct kafka *k, struct view name, struct log_topic *ret);          /* hidden ones are not found */
bool topic_find_id(struct kafka *k, const struct uuid *id, struct log_topic *ret);
int topic_partition(struct kafka *k, struct view name, int32_t index, uint32_t *ret_part); /* a KE_ code */
bool topic_name_is_valid(struct view name);
int64_t topic_config_i64(struct kafka *k, const uint8_t id[16], const char *key, int64_t preset);
bool topic_config_is(struct kafka *k, const uint8_t id[16], const char *key, const char *value);

#endif
