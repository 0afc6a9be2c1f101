/*
 * Hash map; see map.h. The hash is a multiply-fold over 8-byte words under two random seed words: not SipHash, but a peer that cannot
 * see the seed or the order of iteration cannot aim at one bucket.
 */
#include "base/map.h"

#include <pthread.h>

#include "base/io.h"
#include "base/mem.h"

static uint64_t seed[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
	io_random(io_system(), seed, sizeof(seed));
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint64_t hash_bytes(const void *ptr, size_t len)
{
	const uint8_t *p = ptr;
	uint64_t h, v, left = len;

	pthread_once(&once, make_seed);
	h = seed[0] ^ len * 0x9e3779b97f4a7c15u;
	for (; left >= 8; p += 8, left -= 8) {
		memcpy(&v, p, 8);
		h = fold(h ^ v, seed[1] | 1);
	}
	if (left) {
		v = 0;
		memcpy(&v, p, left);
		h = fold(h ^ v, seed[1] | 1);
	}
	h = hash_u64(h);
	return h < 2 ? h + 2 : h;
}

void map_release(struct map *m)
{
	size_t i;

	for (i = 0; i < m->cap; i++)
		if (m->slots[i].hash > 1)
			mem_free((void *)(uintptr_t)m->slots[i].key.ptr);
	mem_free(m->slots);
	*m = MAP_INIT;
}

static struct map_slot *find(const struct map *m, struct view key, uint64_t hash)
{
	size_t i;

	if (!m->cap)
		return NULL;
	for (i = hash & (m->cap - 1); m->slots[i].hash; i = (i + 1) & (m->cap - 1))
		if (m->slots[i].hash == hash && view_eq(m->slots[i].key, key))
			return &m->slots[i];
	return NULL;
}

static void rehash(struct map *m)
{
	struct map_slot *old = m->slots;
	size_t oldcap = m->cap, i, k;

	m->cap = 16;
	while (m->cap < m->count * 2 + 2)
		m->cap *= 2;
	m->slots = mem_zalloc(m->cap * sizeof(*m->slots));
	m->used = m->count;
	for (i = 0; i < oldcap; i++) {
		if (old[i].hash < 2)
			continue;
		for (k = old[i].hash & (m->cap - 1); m->slots[k].hash; k = (k + 1) & (m->cap - 1))
			;
		m->slots[k] = old[i];
	}
	mem_free(old);
}

void *map_get(const struct map *m, struct view key)
{
	struct map_slot *s = find(m, key, hash_bytes(key.ptr, key.len));

	return s ? s->value : NULL;
}

void *map_put(struct map *m, struct view key, void *value)
{
	uint64_t hash = hash_bytes(key.ptr, key.len);
	struct map_slot *s = find(m, key, hash);
	size_t i;

	if (s) {
		void *old = s->value;

		s->value = value;
		return old;
	}
	if ((m->used + 1) * 4 > m->cap * 3)
		rehash(m);
	for (i = hash & (m->cap - 1); m->slots[i].hash > 1; i = (i + 1) & (m->cap - 1))
		;
	m->used += m->slots[i].hash == 0;
	m->slots[i] = (struct map_slot){hash, view_of(mem_strndup(key.len ? (const void *)key.ptr : "", key.len), key.len), value};
	m->count++;
	return NULL;
}

void *map_remove(struct map *m, struct view key)
{
	struct map_slot *s = find(m, key, hash_bytes(key.ptr, key.len));
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	mem_free((void *)(uintptr_t)s->key.ptr);
	*s = (struct map_slot){1, VIEW_NULL, NULL};
	m->count--;
	return value;
}

struct map_slot *map_iter(const struct map *m, size_t *pos)
{
	while (*pos < m->cap)
		if (m->slots[(*pos)++].hash > 1)
			return &m->slots[*pos - 1];
	return NULL;
}
