/*
 * What Kafka clients send: a message of any kind and version, or, for the first byte 255, the records of a Produce. No read out of bounds,
 * no memory beyond the bound, and what is understood is written and understood again as the same.
 */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "fuzz.h"
#include "kafka/check.h"
#include "kafka/messages.h"
#include "log/batch.h"

static void message(struct view bytes, unsigned which, unsigned version, bool response)
{
	const struct wire_message *m = &kafka_messages[which % KAFKA_MESSAGES];
	const struct wire_struct *s = response && m->response ? m->response : m->request;
	int v = m->from + (int)(version % (unsigned)(m->to - m->from + 1));
	bool flexible = v >= m->flexible;
	struct arena a = ARENA_INIT;
	struct buf one = BUF_INIT((size_t)1 << 26), two = BUF_INIT((size_t)1 << 26);
	void *value = arena_zalloc(&a, s->size), *again = arena_zalloc(&a, s->size);

	if (wire_decode(s, v, flexible, bytes, &a, value)) {
		wire_encode(s, v, flexible, value, &one);
		if (!buf_ok(&one) || !wire_decode(s, v, flexible, buf_view(&one), &a, again))
			abort();
		wire_encode(s, v, flexible, again, &two);
		if (!view_eq(buf_view(&one), buf_view(&two)))
			abort();
	}
	if (a.used > 3 * (size_t)WIRE_DECODED_MAX)
		abort();
	buf_release(&one);
	buf_release(&two);
	arena_release(&a);
}

static void records(const uint8_t *data, size_t size)
{
	struct check_rules rules = {.max_bytes = 1 << 20, .keyed = size & 1, .zstd = true};
	struct buf scratch = BUF_INIT(0);
	uint8_t *copy = mem_alloc(size + 1);
	struct batch_info info;
	const char *text;

	/* with a checksum and a length that fit, as a client would send them */
	memcpy(copy, data, size);
	if (size >= BATCH_HEADER) {
		put_be32(copy + 8, (uint32_t)size - 12);
		copy[16] = 2;
		put_be32(copy + 17, crc32c(0, copy + 21, size - 21));
	}
	if (check_records(view_of(copy, size), &rules, &scratch, &info, &text) == KE_NONE && info.size != size)
		abort();
	buf_release(&scratch);
	mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	if (data[0] == 255)
		records(data + 1, size - 1);
	else
		message(view_of(data + 3, size - 3), data[0], data[1], data[2] & 1);
	return 0;
}
