/*
 * Keyed state; see kv.h. Removal shifts back what follows, so that there are no tombstones and look-ups stay short. Places are by the
 * hash's top bits, so that a table that grows keeps its entries in order of their hashes, which is what kv_walk goes by.
 */
#include "flow/kv.h"

#include "base/map.h"
#include "base/mem.h"

void kv_release(struct kv *kv)
{
	size_t i;

	for (i = 0; i < kv->cap; i++)
		mem_free(kv->slots[i]);
	mem_free(kv->slots);
	*kv = KV_INIT;
}

static size_t home(const struct kv *kv, uint64_t hash)
{
	return hash >> kv->shift;
}

static size_t find_slot(const struct kv *kv, struct view key, uint64_t hash)
{
	size_t i = home(kv, hash);

	while (kv->slots[i] && (kv->slots[i]->hash != hash || !view_eq(view_of(kv->slots[i]->key, kv->slots[i]->len), key)))
		i = (i + 1) & (kv->cap - 1);
	return i;
}

struct kv_entry *kv_find(const struct kv *kv, struct view key)
{
	return kv->cap ? kv->slots[find_slot(kv, key, hash_bytes(key.ptr, key.len))] : NULL;
}

static void grow(struct kv *kv)
{
	struct kv bigger = {.cap = kv->cap ? kv->cap * 2 : 16, .count = kv->count, .shift = kv->cap ? kv->shift - 1 : 60};
	size_t i, k;

	bigger.slots = mem_zalloc(bigger.cap * sizeof(*bigger.slots));
	for (i = 0; i < kv->cap; i++) {
		if (!kv->slots[i])
			continue;
		for (k = home(&bigger, kv->slots[i]->hash); bigger.slots[k]; k = (k + 1) & (bigger.cap - 1))
			;
		bigger.slots[k] = kv->slots[i];
	}
	mem_free(kv->slots);
	bigger.bytes = kv->bytes + (bigger.cap - kv->cap) * sizeof(*bigger.slots);
	*kv = bigger;
}

struct kv_entry *kv_put(struct kv *kv, struct view key)
{
	uint64_t hash = hash_bytes(key.ptr, key.len);
	struct kv_entry *e;
	size_t i;

	if ((kv->count + 1) * 4 > kv->cap * 3)
		grow(kv);
	i = find_slot(kv, key, hash);
	if (kv->slots[i])
		return kv->slots[i];
	e = mem_alloc(sizeof(*e) + key.len);
	e->hash = hash;
	e->value = NULL;
	e->len = (uint32_t)key.len;
	if (key.len)
		memcpy(e->key, key.ptr, key.len);
	kv->slots[i] = e;
	kv->count++;
	kv->bytes += sizeof(*e) + key.len + 16;
	return e;
}

void kv_remove(struct kv *kv, struct kv_entry *e)
{
	size_t i = home(kv, e->hash), k;

	while (kv->slots[i] != e)
		i = (i + 1) & (kv->cap - 1);
	kv->count--;
	kv->bytes -= sizeof(*e) + e->len + 16;
	mem_free(e);
	for (k = (i + 1) & (kv->cap - 1); kv->slots[k]; k = (k + 1) & (kv->cap - 1)) {
		/* an entry may move back to the hole unless its home lies behind it */
		if (((k - home(kv, kv->slots[k]->hash)) & (kv->cap - 1)) >= ((k - i) & (kv->cap - 1))) {
			kv->slots[i] = kv->slots[k];
			i = k;
		}
	}
	kv->slots[i] = NULL;
}

struct kv_entry *kv_next(const struct kv *kv, size_t *pos)
{
	while (*pos < kv->cap)
		if (kv->slots[(*pos)++])
			return kv->slots[*pos - 1];
	return NULL;
}

bool kv_walk(const struct kv *kv, uint64_t *from, size_t n, void (*fn)(void *arg, struct kv_entry *e), void *arg)
{
	size_t begin, end, i, steps;
	uint64_t to;

	if (kv->cap == 0)
		return false;
	begin = home(kv, *from);
	end = n < kv->cap - begin ? begin + n : kv->cap;
	to = end < kv->cap ? (uint64_t)end << kv->shift : 0;
	/* entries stand at their home or behind it, with no gap between; behind the last slot comes the first */
	for (i = begin, steps = 0; steps < kv->cap && (steps < end - begin || kv->slots[i]); i = (i + 1) & (kv->cap - 1), steps++) {
		struct kv_entry *e = kv->slots[i];

		if (e && e->hash >= *from && (to == 0 || e->hash < to))
			fn(arg, e);
	}
	*from = to;
	return to != 0;
}

struct blob *blob_new(struct view v)
{
	struct blob *b = mem_alloc(sizeof(*b) + v.len);

	b->refs = 1;
	b->len = (uint32_t)v.len;
	if (v.len)
		memcpy(b->bytes, v.ptr, v.len);
	return b;
}

void blob_drop(struct blob *b)
{
	if (b && --b->refs == 0)
		mem_free(b);
}
