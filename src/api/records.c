/* See records.h. */
#include "api/records.h"

#include "kafka/codec.h"

enum { DECOMPRESSED_MAX = 128 << 20 };

struct walk {
	int64_t from, to;
	int (*fn)(void *arg, const struct record *rec);
	void *arg;
	int64_t next;
	bool stopped;
};

static int walk_batch(struct walk *w, struct view batch, struct err *err)
{
	struct buf plain = BUF_INIT(DECOMPRESSED_MAX);
	struct record_reader rr;
	struct batch_info info;
	struct record rec;
	int more = -1;

	/* Kafka clients may have compressed it */
	if (batch_get(batch, &info, err) || codec_decompress(info.attributes & BATCH_CODEC_MASK,
						    view_of(batch.ptr + BATCH_HEADER, batch.len - BATCH_HEADER), &plain, err))
		goto out;
	batch_records_over(&rr, &info, buf_view(&plain));
	while (!w->stopped && (more = record_next(&rr, &rec, err)) > 0) {
		if (rec.offset < w->from)
			continue;
		w->stopped = rec.offset >= w->to || w->fn(w->arg, &rec) != 0;
		if (rec.offset < w->to)
			w->next = rec.offset + 1;
	}
out:
	buf_release(&plain);
	return more < 0 ? -1 : 0;
}

int records_each(struct log *log, uint32_t part, int64_t from, int64_t to, size_t max_bytes, int (*fn)(void *arg, const struct record *rec),
	void *arg, int64_t *ret_next, struct err *err)
{
	struct walk w = {.from = from, .to = to, .fn = fn, .arg = arg, .next = from};
	struct log_batches got = LOG_BATCHES_INIT;
	int rc = log_read(log, part, from, max_bytes, &got, err);
	unsigned i;

	for (i = 0; rc == 0 && i < got.n && !w.stopped; i++) {
		rc = walk_batch(&w, got.batches[i].bytes, err);
		/* a batch may end in offsets that no record of it has */
		if (!w.stopped && w.next < got.batches[i].next)
			w.next = got.batches[i].next;
	}
	log_batches_release(&got);
	*ret_next = w.next;
	return rc;
}
