/*
 * Produce. The thread `kafka`, but for durable(), which the log calls on its flush thread.
 *
 * Each partition's batch is a unit of its own. Appending never waits: when a partition has an open unit of another writer (a connector's)
 * or the log's buffer is full, the request keeps its place and is tried again when the log signals; its connection starts nothing
 * meanwhile, so that a producer's order stays. The answer leaves when every batch that was appended is durable, for acks=1 as for acks=all.
 * With acks=0 there is none.
 */
#include "kafka/kafka_int.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "kafka/check.h"
#include "kafka/names.h"
#include "kafka/producers.h"

enum { TIMEOUT_MAX_MS = 600000 };

struct produce_part {
	struct later later;          /* first: posted by durable() */
	struct produce *of;
	struct produce_response_topic_partition *out;
	struct view batch;
	uint32_t part;
	struct batch_info info;
	bool append_time;
	bool failed;                 /* the flush; set before it is posted */
};

struct produce {
	struct produce *next, **prev; /* in kafka.stalled */
	bool stalled;
	struct request *rq;
	struct produce_part *parts;
	uint32_t n, at;              /* parts[at..] are not yet appended */
	uint32_t in_flight;
	int64_t deadline_us;
};

/* ---- the end ---- */

static void finish_if_done(struct produce *p)
{
	if (p->at < p->n || p->in_flight > 0)
		return;
	p->rq->silent = ((struct produce_request *)p->rq->in)->acks == 0;
	request_answer(p->rq);
}

static void part_done(struct kafka *k, struct later *l)
{
	struct produce_part *pp = (struct produce_part *)l;

	k->in_flight--;
	pp->of->in_flight--;
	if (pp->failed) {
		pp->out->error = KE_KAFKA_STORAGE_ERROR;
		pp->out->base_offset = -1;
	}
	finish_if_done(pp->of);
}

static void durable(void *arg, uint64_t seq, const struct err *failed)
{
	struct produce_part *pp = arg;

	pp->failed = failed != NULL;
	kafka_post(pp->of->rq->k, &pp->later);
}

/* ---- appending ---- */

static void set_append_time(struct produce_part *pp, int64_t now_ms)
{
	/* the frame is the request's own */
	uint8_t *b = (uint8_t *)(uintptr_t)pp->batch.ptr;

	put_be16(b + 21, (uint16_t)(pp->info.attributes | BATCH_LOG_APPEND_TIME));
	put_be64(b + 35, (uint64_t)now_ms);
	put_be32(b + 17, crc32c(0, b + 21, pp->batch.len - 21));
	pp->out->log_append_time_ms = now_ms;
}

/* A batch that was appended before is answered when it is durable: behind an empty unit. */
static int append_nothing(struct produce_part *pp, struct err *err)
{
	struct log_close_args args = {.done = durable, .done_arg = pp};

	return log_unit_close(log_unit_begin(pp->of->rq->k->log, LOG_INTERNAL), &args, NULL, err);
}

/* 0: appended or refused; -1: to be tried again. */
static int append_part(struct produce_part *pp)
{
	struct kafka *k = pp->of->rq->k;
	int64_t base = -1, now_ms = io_now_us(k->io) / 1000;
	struct err err = ERR_INIT;
	int rc;

	/* a full log wakes us many times before there is room for this one */
	if (log_append_waits(k->log, pp->part))
		return -1;
	pp->out->error = (int16_t)producers_check(k->producers, pp->part, &pp->info, &base);
	if (pp->out->error)
		return 0;
	pp->later.fn = part_done;
	pp->of->in_flight++;
	k->in_flight++;
	if (base >= 0) {
		rc = append_nothing(pp, &err);
	} else {
		if (pp->append_time)
			set_append_time(pp, now_ms);
		rc = log_append(k->log, LOG_CLIENT, pp->part, pp->batch, LOG_NOWAIT, durable, pp, &base, &err);
		if (!rc)
			producers_note(k->producers, pp->part, &pp->info, base, now_ms);
	}
	if (rc) {
		pp->of->in_flight--;
		k->in_flight--;
		if (err.code == ERR_BUSY)
			return -1;
		if (err.code == ERR_NOT_FOUND)
			names_forget(k);
		pp->out->error = (int16_t)kafka_error_of(&err);
		pp->out->error_message = arena_view(&pp->of->rq->arena, view_str(err.text));
		return 0;
	}
	atomic_fetch_add_explicit(&k->stats_batches, 1, memory_order_relaxed);
	pp->out->base_offset = base;
	return 0;
}

static void stall(struct produce *p)
{
	struct kafka *k = p->rq->k;

	if (p->stalled)
		return;
	p->stalled = true;
	p->next = k->stalled;
	p->prev = &k->stalled;
	if (k->stalled)
		k->stalled->prev = &p->next;
	k->stalled = p;
}

static void unstall(struct produce *p)
{
	if (!p->stalled)
		return;
	*p->prev = p->next;
	if (p->next)
		p->next->prev = p->prev;
	p->stalled = false;
}

static void give_up(struct produce *p, enum kafka_error code)
{
	for (; p->at < p->n; p->at++)
		if (!p->parts[p->at].out->error)
			p->parts[p->at].out->error = (int16_t)code;
}

static void go_on(struct produce *p)
{
	while (p->at < p->n) {
		if (!p->parts[p->at].out->error && append_part(&p->parts[p->at])) {
			if (p->rq->k->now_us < p->deadline_us) {
				stall(p);
				return;
			}
			give_up(p, KE_REQUEST_TIMED_OUT);
			break;
		}
		p->at++;
	}
	unstall(p);
	p->rq->passed = true;
	if (p->rq->conn)
		conn_touch(p->rq->conn);
	finish_if_done(p);
}

void produce_retry(struct kafka *k)
{
	struct produce *p, *next;

	for (p = k->stalled; p; p = next) {
		next = p->next;
		go_on(p);
	}
}

static void cancel(struct request *rq)
{
	struct produce *p = rq->state;

	/* what was not appended was not promised */
	if (p->stalled) {
		unstall(p);
		give_up(p, KE_REQUEST_TIMED_OUT);
		finish_if_done(p);
	}
}

/* ---- the beginning ---- */

static void check_part(struct request *rq, struct produce_part *pp, const struct topic_info *t, struct view records, int32_t index)
{
	struct check_rules rules = {.zstd = rq->version >= 7};
	const char *text;

	if (!t || index < 0 || (uint32_t)index >= t->t.n_parts) {
		pp->out->error = KE_UNKNOWN_TOPIC_OR_PARTITION;
		return;
	}
	rules.max_bytes = t->max_message_bytes;
	rules.keyed = t->compacted;
	pp->part = t->parts[index];
	pp->append_time = t->append_time;
	pp->batch = records;
	pp->out->error = (int16_t)check_records(records, &rules, &rq->k->scratch, &pp->info, &text);
	if (pp->out->error && text)
		pp->out->error_message = view_str(text);
	if (pp->out->error)
		return;
	if (rq->version >= 5) {
		struct log_marks m;

		log_marks(rq->k->log, &pp->part, 1, &m, NULL);
		pp->out->log_start_offset = m.start;
	}
}

static enum kafka_error refuse_all(const struct request *rq)
{
	const struct produce_request *in = rq->in;

	if (in->acks < -1 || in->acks > 1)
		return KE_INVALID_REQUIRED_ACKS;
	if (rq->version < 3)
		return KE_UNSUPPORTED_VERSION;
	return in->transactional_id.ptr ? KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED : KE_NONE;
}

void serve_produce(struct request *rq)
{
	struct produce_request *in = rq->in;
	struct produce_response *out = rq->out;
	struct produce *p = rq->state = arena_zalloc(&rq->arena, sizeof(*p));
	enum kafka_error all = refuse_all(rq);
	int32_t timeout_ms = in->timeout_ms < 0 ? 0 : in->timeout_ms < TIMEOUT_MAX_MS ? in->timeout_ms : TIMEOUT_MAX_MS, i, j;
	uint32_t n = 0;

	for (i = 0; i < in->n_topics; i++)
		p->n += (uint32_t)in->topics[i].n_partitions;
	p->rq = rq;
	p->parts = REQUEST_ARRAY(rq, (int32_t)p->n, struct produce_part);
	p->deadline_us = rq->k->now_us + (int64_t)timeout_ms * 1000;
	rq->cancel = cancel;
	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct produce_response_topic);
	out->n_topics = in->n_topics;
	for (i = 0; i < in->n_topics; i++) {
		const struct produce_request_topic *t = &in->topics[i];
		struct produce_response_topic *to = &out->topics[i];
		const struct topic_info *info = topic_is_internal(t->name) ? NULL : names_find(rq->k, t->name);

		to->name = t->name;
		to->partitions = REQUEST_ARRAY(rq, t->n_partitions, struct produce_response_topic_partition);
		to->n_partitions = t->n_partitions;
		for (j = 0; j < t->n_partitions; j++, n++) {
			struct produce_part *pp = &p->parts[n];

			pp->of = p;
			pp->out = &to->partitions[j];
			*pp->out = (struct produce_response_topic_partition){.index = t->partitions[j].index, .error = (int16_t)all,
				.base_offset = -1, .log_append_time_ms = -1, .log_start_offset = -1};
			if (topic_is_internal(t->name))
				pp->out->error = KE_INVALID_TOPIC;
			if (!pp->out->error)
				check_part(rq, pp, info, t->partitions[j].records, pp->out->index);
		}
	}
	go_on(p);
}
