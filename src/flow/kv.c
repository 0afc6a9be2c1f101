/*
 * Keyed state; see kv.h. Removal shifts back what follows, so that there are no tombstones and look-ups stay short. Places are by the
 * hash's top bits, so that a table that grows keeps its entries in order of their hashes, which is what kv_walk goes by.
 */
#include "flow/kv.h"

#include <stddef.h>

#include "base/map.h"
#include "base/mem.h"

static size_t entry_size(size_t key)
{
	return offsetof(struct kv_entry, key) + key;
}

static size_t home(const struct kv *kv, uint64_t hash)
{
	return hash >> kv->shift;
}

void kv_release(struct kv *kv)
{
	size_t i;

	for (i = 0; i < kv->cap; i++)
		mem_free(kv->slots[i].entry);
	mem_free(kv->slots);
	*kv = KV_INIT;
}

/* The slot of the key, or the free one where it would go. */
static struct kv_slot *find_slot(const struct kv *kv, struct view key, uint64_t hash)
{
	size_t i = home(kv, hash);

	for (; kv->slots[i].entry; i = (i + 1) & (kv->cap - 1)) {
		const struct kv_entry *e = kv->slots[i].entry;

		if (kv->slots[i].hash == hash && view_eq(view_of(e->key, e->len), key))
			break;
	}
	return &kv->slots[i];
}

struct kv_entry *kv_find(const struct kv *kv, struct view key)
{
	return kv->cap ? find_slot(kv, key, hash_bytes(key.ptr, key.len))->entry : NULL;
}

static void grow(struct kv *kv)
{
	struct kv bigger = {.cap = kv->cap ? kv->cap * 2 : 16, .count = kv->count, .shift = kv->cap ? kv->shift - 1 : 60};
	size_t i, k;

	bigger.slots = mem_zalloc(bigger.cap * sizeof(*bigger.slots));
	for (i = 0; i < kv->cap; i++) {
		if (!kv->slots[i].entry)
			continue;
		for (k = home(&bigger, kv->slots[i].hash); bigger.slots[k].entry; k = (k + 1) & (bigger.cap - 1))
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
	struct kv_slot *slot;
	struct kv_entry *e;

	if ((kv->count + 1) * 4 > kv->cap * 3)
		grow(kv);
	slot = find_slot(kv, key, hash);
	if (slot->entry)
		return slot->entry;
	e = mem_alloc(entry_size(key.len));
	e->value = NULL;
	e->len = (uint32_t)key.len;
	if (key.len)
		memcpy(e->key, key.ptr, key.len);
	*slot = (struct kv_slot){hash, e};
	kv->count++;
	kv->bytes += mem_footprint(entry_size(key.len));
	return e;
}

void kv_remove(struct kv *kv, struct kv_entry *e)
{
	size_t i = home(kv, hash_bytes(e->key, e->len)), k;

	while (kv->slots[i].entry != e)
		i = (i + 1) & (kv->cap - 1);
	kv->count--;
	kv->bytes -= mem_footprint(entry_size(e->len));
	mem_free(e);
	for (k = (i + 1) & (kv->cap - 1); kv->slots[k].entry; k = (k + 1) & (kv->cap - 1)) {
		/* an entry may move back to the hole unless its home lies behind it */
		if (((k - home(kv, kv->slots[k].hash)) & (kv->cap - 1)) >= ((k - i) & (kv->cap - 1))) {
			kv->slots[i] = kv->slots[k];
			i = k;
		}
	}
	kv->slots[i].entry = NULL;
}

struct kv_entry *kv_next(const struct kv *kv, size_t *pos)
{
	while (*pos < kv->cap)
		if (kv->slots[(*pos)++].entry)
			return kv->slots[*pos - 1].entry;
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
	for (i = begin, steps = 0; steps < kv->cap && (steps < end - begin || kv->slots[i].entry); i = (i + 1) & (kv->cap - 1), steps++) {
		const struct kv_slot *slot = &kv->slots[i];

		if (slot->entry && slot->hash >= *from && (to == 0 || slot->hash < to))
			fn(arg, slot->entry);
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

size_t blob_footprint(const struct blob *b)
{
	return b ? mem_footprint(sizeof(*b) + b->len) : 0;
}

void blob_drop(struct blob *b)
{
	if (b && --b->refs == 0)
		mem_free(b);
}
