/*
 * Fetch. The thread `kafka`.
 *
 * A Fetch that finds too little waits in kafka.waiting, without a thread: whenever the log signals, it is looked at again, and a timer ends
 * it after max_wait. Whole batches are read, from the one that holds the offset on, at least one if there is one. Every request is answered
 * as a full one with session id 0, which tells the client that there are no incremental sessions here. zstd is served to every version, as
 * Apache Kafka does: kafka-python asks in version 4 and understands it.
 */
#include "kafka/kafka_int.h"

#include <limits.h>

#include "base/mem.h"
#include "kafka/names.h"
#include "log/batch.h"

enum { SPARE_BYTES = 4 << 20, ANSWER_MAX = 4 << 20, ANSWER_MIN = 64 << 10, WAIT_MAX_MS = 60000 };

struct fetch_part {
	struct fetch_response_topic_partition *out;
	uint32_t part;
	int64_t offset;
	int32_t max_bytes;
	struct log_batches got;
};

struct fetch {
	struct timer timer;          /* first */
	struct fetch *next, **prev;  /* in kafka.waiting */
	struct request *rq;
	struct fetch_part *parts;
	uint32_t *numbers;           /* the log's, of all parts */
	struct log_marks *marks;
	uint32_t n;
	uint32_t n_bad;              /* parts with an error: answered at once */
	size_t min_bytes;
	int64_t seen;                /* sum of the high watermarks at the last look */
};

/* ---- memory ---- */

static struct buf spare_take(struct spares *s)
{
	s->used = true;
	if (!s->n)
		return BUF_INIT(SIZE_MAX);
	s->bytes -= s->list[--s->n].cap;
	return s->list[s->n];
}

static void spare_give(struct spares *s, struct buf *b)
{
	if (b->cap && s->n < sizeof(s->list) / sizeof(s->list[0]) && s->bytes + b->cap <= SPARE_BYTES) {
		buf_clear(b);
		s->bytes += b->cap;
		s->list[s->n++] = *b;
		*b = BUF_INIT(SIZE_MAX);
	} else {
		buf_release(b);
	}
}

void spares_release(struct spares *s)
{
	while (s->n)
		buf_release(&s->list[--s->n]);
	s->bytes = 0;
}

void spares_sweep(struct spares *s)
{
	if (!s->used)
		spares_release(s);
	s->used = false;
}

static void drop_part(struct fetch *f, struct fetch_part *fp)
{
	spare_give(&f->rq->k->spares, &fp->got.bytes);
	log_batches_release(&fp->got);
	fp->out->records = VIEW_NULL;
}

/* ---- reading ---- */

static void set_marks(struct fetch_part *fp, const struct log_marks *m)
{
	fp->out->high_watermark = fp->out->last_stable_offset = m->high;
	fp->out->log_start_offset = m->start;
}

static void fail_part(struct fetch *f, struct fetch_part *fp, enum kafka_error code)
{
	if (!fp->out->error)
		f->n_bad++;
	fp->out->error = (int16_t)code;
	fp->out->high_watermark = fp->out->last_stable_offset = -1;
}

/* Offsets against the marks; how many parts have something to read, SIZE_MAX when one has an error. */
static size_t look(struct fetch *f)
{
	size_t ready = 0;
	uint32_t i;

	log_marks(f->rq->k->log, f->numbers, f->n, f->marks, NULL);
	f->seen = 0;
	for (i = 0; i < f->n; i++) {
		struct fetch_part *fp = &f->parts[i];
		const struct log_marks *m = &f->marks[i];

		if (fp->out->error)
			continue;
		f->seen += m->high;
		if (fp->offset < m->start || fp->offset > m->next) {
			fail_part(f, fp, KE_OFFSET_OUT_OF_RANGE);
			continue;
		}
		set_marks(fp, m);
		ready += fp->offset < m->high;
	}
	return f->n_bad ? SIZE_MAX : ready;
}

static void read_part(struct fetch *f, struct fetch_part *fp, size_t room)
{
	struct err err = ERR_INIT;

	if (room > (size_t)fp->max_bytes)
		room = (size_t)fp->max_bytes;
	fp->got.bytes = spare_take(&f->rq->k->spares);
	if (log_read(f->rq->k->log, fp->part, fp->offset, room, &fp->got, &err)) {
		fail_part(f, fp, err.code == ERR_LOST || err.code == ERR_INVALID ? KE_OFFSET_OUT_OF_RANGE : kafka_error_of(&err));
		if (err.code == ERR_NOT_FOUND)
			names_forget(f->rq->k);
		return;
	}
	set_marks(fp, &fp->got.marks);
	/* a batch comes whole or not at all: where memory is short, what is larger than anybody may have waits for better times */
	if (fp->got.bytes.len > ANSWER_MIN && f->rq->k->memory + fp->got.bytes.len > f->rq->k->o.memory_bytes) {
		drop_part(f, fp);
		return;
	}
	fp->out->records = buf_view(&fp->got.bytes);
}

/* As much as the client wants and memory allows, now. */
static size_t answer_room(const struct request *rq)
{
	const struct fetch_request *in = rq->in;
	size_t room = in->max_bytes < 0 ? 0 : (size_t)in->max_bytes, left = rq->k->o.memory_bytes;

	left = rq->k->memory < left ? left - rq->k->memory : 0;
	left = left > ANSWER_MAX ? ANSWER_MAX : left < ANSWER_MIN ? ANSWER_MIN : left;
	return room < left ? room : left;
}

static size_t read_all(struct fetch *f)
{
	size_t room = answer_room(f->rq), sum = 0;
	uint32_t i;

	for (i = 0; i < f->n && (sum == 0 || sum < room); i++) {
		struct fetch_part *fp = &f->parts[i];

		if (fp->out->error || fp->offset >= f->marks[i].high)
			continue;
		read_part(f, fp, sum < room ? room - sum : 0);
		sum += fp->out->records.len;
	}
	return sum;
}

/* ---- the end ---- */

/* What lives outside the arena. */
static void release(struct request *rq)
{
	struct fetch *f = rq->state;
	uint32_t i;

	for (i = 0; i < f->n; i++)
		drop_part(f, &f->parts[i]);
}

static void finish(struct fetch *f)
{
	struct kafka *k = f->rq->k;
	uint32_t i;

	timer_clear(&k->timers, &f->timer);
	if (f->prev) {
		*f->prev = f->next;
		if (f->next)
			f->next->prev = f->prev;
	}
	for (i = 0; i < f->n; i++) {
		atomic_fetch_add_explicit(&k->stats_fetched, f->parts[i].out->records.len, memory_order_relaxed);
		if (!f->parts[i].out->records.ptr)
			f->parts[i].out->records = view_of("", 0);
	}
	request_answer(f->rq);
}

static void timed_out(struct kafka *k, struct timer *t)
{
	struct fetch *f = (struct fetch *)t;

	if (look(f) > 0)
		read_all(f);
	finish(f);
}

static void cancel(struct request *rq)
{
	finish(rq->state);
}

/* True when it was answered. */
static bool answer_if_enough(struct fetch *f)
{
	size_t ready = look(f);
	uint32_t i;

	if (ready == 0 && f->min_bytes > 0)
		return false;
	if (read_all(f) >= f->min_bytes || f->n_bad) {
		finish(f);
		return true;
	}
	for (i = 0; i < f->n; i++)
		drop_part(f, &f->parts[i]);
	return false;
}

void fetch_retry(struct kafka *k)
{
	struct fetch *f, *next;
	int64_t before;

	for (f = k->waiting; f; f = next) {
		next = f->next;
		before = f->seen;
		/* what did not move is not read again */
		if (atomic_load(&k->stop))
			finish(f);
		else if (look(f) > 0 && f->seen != before)
			answer_if_enough(f);
		else if (f->n_bad)
			finish(f);
	}
}

/* ---- the beginning ---- */

static void begin_part(struct fetch *f, const struct topic_info *t, const struct fetch_request_topic_partition *from, bool by_id)
{
	struct fetch_part *fp = &f->parts[f->n];

	fp->offset = from->fetch_offset;
	fp->max_bytes = from->partition_max_bytes < 0 ? 0 : from->partition_max_bytes;
	fp->got = LOG_BATCHES_INIT;
	if (!t)
		fail_part(f, fp, by_id ? KE_UNKNOWN_TOPIC_ID : KE_UNKNOWN_TOPIC_OR_PARTITION);
	else if (from->index < 0 || (uint32_t)from->index >= t->t.n_parts)
		fail_part(f, fp, KE_UNKNOWN_TOPIC_OR_PARTITION);
	else if (from->current_leader_epoch > 0)
		fail_part(f, fp, KE_UNKNOWN_LEADER_EPOCH);
	else
		fp->part = t->parts[from->index];
	f->numbers[f->n++] = fp->part;
}

static void begin_parts(struct fetch *f)
{
	struct request *rq = f->rq;
	const struct fetch_request *in = rq->in;
	struct fetch_response *out = rq->out;
	bool by_id = rq->version >= 13;
	int32_t i, j;

	for (i = 0; i < in->n_topics; i++) {
		const struct fetch_request_topic *from = &in->topics[i];
		struct fetch_response_topic *to = &out->topics[i];
		const struct topic_info *t = by_id ? names_find_id(rq->k, &from->topic_id) : names_find(rq->k, from->name);

		to->name = from->name;
		to->topic_id = from->topic_id;
		to->partitions = REQUEST_ARRAY(rq, from->n_partitions, struct fetch_response_topic_partition);
		to->n_partitions = from->n_partitions;
		for (j = 0; j < from->n_partitions; j++) {
			to->partitions[j] = (struct fetch_response_topic_partition){.index = from->partitions[j].index, .log_start_offset = -1,
				.preferred_read_replica = -1, .n_aborted = in->isolation_level ? 0 : -1};
			f->parts[f->n].out = &to->partitions[j];
			begin_part(f, t, &from->partitions[j], by_id);
		}
	}
}

void serve_fetch(struct request *rq)
{
	const struct fetch_request *in = rq->in;
	struct fetch_response *out = rq->out;
	struct fetch *f = rq->state = arena_zalloc(&rq->arena, sizeof(*f));
	int32_t wait_ms = in->max_wait_ms < 0 ? 0 : in->max_wait_ms < WAIT_MAX_MS ? in->max_wait_ms : WAIT_MAX_MS, i, n = 0;
	struct kafka *k = rq->k;

	f->rq = rq;
	/* epochs 0 and -1 ask for everything, whatever the session is; kafka-go says -1 for both */
	if (in->session_id != 0 && in->session_epoch != 0 && in->session_epoch != -1) {
		out->error = KE_FETCH_SESSION_ID_NOT_FOUND;
		request_answer(rq);
		return;
	}
	for (i = 0; i < in->n_topics; i++)
		n += in->topics[i].n_partitions;
	f->parts = REQUEST_ARRAY(rq, n, struct fetch_part);
	f->numbers = REQUEST_ARRAY(rq, n, uint32_t);
	f->marks = REQUEST_ARRAY(rq, n, struct log_marks);
	f->min_bytes = in->min_bytes < 0 || wait_ms == 0 ? 0 : (size_t)in->min_bytes;
	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct fetch_response_topic);
	out->n_topics = in->n_topics;
	rq->release = release;
	begin_parts(f);
	/* an answer holds no more than that: who asks for more as the least would wait in vain */
	if (f->min_bytes > ANSWER_MAX)
		f->min_bytes = ANSWER_MAX;
	if (answer_if_enough(f))
		return;
	rq->cancel = cancel;
	f->timer.fn = timed_out;
	timer_set(&k->timers, &f->timer, k->now_us + (int64_t)wait_ms * 1000);
	f->next = k->waiting;
	f->prev = &k->waiting;
	if (k->waiting)
		k->waiting->prev = &f->next;
	k->waiting = f;
}
