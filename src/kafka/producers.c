/* Producer ids and sequences; see producers.h. The snapshot is in producers_file.c. */
#include "kafka/producers_int.h"

#include "base/mem.h"

struct producers *producers_new(void)
{
	return mem_zalloc(sizeof(struct producers));
}

void producers_free(struct producers *ps)
{
	struct map_slot *s;
	size_t pos = 0;

	if (!ps)
		return;
	while ((s = map_iter(&ps->map, &pos)))
		mem_free(s->value);
	map_release(&ps->map);
	mem_free(ps);
}

size_t producers_count(const struct producers *ps)
{
	return ps->map.count;
}

static void key_of(uint8_t key[12], uint32_t part, int64_t id)
{
	put_be32(key, part);
	put_be64(key + 4, (uint64_t)id);
}

struct producer *producer_find(struct producers *ps, uint32_t part, int64_t id)
{
	uint8_t key[12];

	key_of(key, part, id);
	return map_get(&ps->map, view_of(key, sizeof(key)));
}

struct producer *producer_make(struct producers *ps, uint32_t part, int64_t id)
{
	struct producer *p = producer_find(ps, part, id);
	uint8_t key[12];

	if (p)
		return p;
	p = mem_zalloc(sizeof(*p));
	p->part = part;
	p->id = id;
	p->epoch = -1;
	key_of(key, part, id);
	map_put(&ps->map, view_of(key, sizeof(key)), p);
	return p;
}

void producer_remove(struct producers *ps, struct producer *p)
{
	uint8_t key[12];

	key_of(key, p->part, p->id);
	map_remove(&ps->map, view_of(key, sizeof(key)));
	mem_free(p);
}

/* Sequences wrap from 2^31-1 to 0. */
static int32_t sequence_add(int32_t sequence, int32_t n)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)n) & INT32_MAX);
}

enum kafka_error producers_check(struct producers *ps, uint32_t part, const struct batch_info *info, int64_t *ret_base)
{
	const struct producer *p = info->producer_id >= 0 ? producer_find(ps, part, info->producer_id) : NULL;
	int32_t last = sequence_add(info->base_sequence, info->last_delta);
	unsigned i;

	*ret_base = -1;
	if (info->producer_id >= 0 && !p && ps->map.count >= PRODUCERS_MAX)
		return KE_POLICY_VIOLATION;
	if (!p || p->n == 0)
		return KE_NONE;
	if (info->producer_epoch < p->epoch)
		return KE_INVALID_PRODUCER_EPOCH;
	if (info->producer_epoch > p->epoch)
		return info->base_sequence == 0 ? KE_NONE : KE_OUT_OF_ORDER_SEQUENCE_NUMBER;
	for (i = 0; i < p->n; i++)
		if (p->batches[i].first == info->base_sequence && p->batches[i].last == last) {
			*ret_base = p->batches[i].base;
			return KE_NONE;
		}
	return info->base_sequence == sequence_add(p->batches[p->n - 1].last, 1) ? KE_NONE : KE_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

void producers_note(struct producers *ps, uint32_t part, const struct batch_info *info, int64_t base, int64_t now_ms)
{
	struct producer *p;

	if (info->producer_id < 0)
		return;
	p = producer_make(ps, part, info->producer_id);
	if (p->epoch != info->producer_epoch)
		p->n = 0;
	p->epoch = info->producer_epoch;
	p->used_ms = now_ms;
	if (p->n == PRODUCER_BATCHES)
		memmove(p->batches, p->batches + 1, --p->n * sizeof(p->batches[0]));
	p->batches[p->n++] = (struct producer_batch){.first = info->base_sequence,
		.last = sequence_add(info->base_sequence, info->last_delta), .base = base, .next = base + info->last_delta + 1};
	ps->changed++;
}
