/*
 * Hash map from byte strings to pointers: open addressing, linear probing, keys copied into the map, seeded hash (keys may come from
 * peers). Not thread safe. A pointer returned by map_iter stays valid until the next put or remove.
 */
#ifndef WALMILL_BASE_MAP_H
#define WALMILL_BASE_MAP_H

#include "base/bytes.h"

struct map_slot {
	uint64_t hash;   /* 0 = free, 1 = removed */
	struct view key;
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t cap;      /* a power of two, or 0 */
	size_t count;    /* live entries */
	size_t used;     /* live and removed entries */
};

#define MAP_INIT ((struct map){NULL, 0, 0, 0})

void map_release(struct map *m);   /* keys and table; the values are the caller's */
void *map_get(const struct map *m, struct view key);              /* NULL when absent */
void *map_put(struct map *m, struct view key, void *value);       /* value is not NULL; returns the one it replaces or NULL */
void *map_remove(struct map *m, struct view key);                 /* the value, or NULL */

/* The next entry in no particular order, *pos starting at 0; NULL at the end. */
struct map_slot *map_iter(const struct map *m, size_t *pos);

/* 64-bit hash of bytes under the process's random seed; never 0 or 1. */
uint64_t hash_bytes(const void *ptr, size_t len);

/* Mixes an integer (Stafford's variant 13 of the 64-bit finalizer); for tables keyed by numbers that no peer chooses. */
static inline uint64_t hash_u64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

#endif
