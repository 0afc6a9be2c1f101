/*
 * Keyed state: an open-addressing table from key bytes to a pointer, with memory counted. What arrangements, groups,
 * result rows and timers are built from. One thread. Unlike base/map it hands out its entries, whose address does not change until they are
 * removed, so that other structures can point at them.
 */
#ifndef WALMILL_FLOW_KV_H
#define WALMILL_FLOW_KV_H

#include "base/bytes.h"

struct kv_entry {
	void *value;         /* the user's */
	uint32_t len;
	uint8_t key[];
};

/* With the hash beside it, so that passing by another entry does not touch its memory. */
struct kv_slot {
	uint64_t hash;
	struct kv_entry *entry;
};

struct kv {
	struct kv_slot *slots;
	size_t cap, count;   /* cap: a power of two, or 0 */
	size_t bytes;        /* of entries and table, as the heap has them */
	unsigned shift;      /* an entry's place is the top bits of its hash, hash >> shift */
};

#define KV_INIT ((struct kv){NULL, 0, 0, 0, 0})

void kv_release(struct kv *kv);                                 /* entries and table; values are the user's */
struct kv_entry *kv_find(const struct kv *kv, struct view key);
struct kv_entry *kv_put(struct kv *kv, struct view key);        /* the entry, made with value NULL when it is not there */
void kv_remove(struct kv *kv, struct kv_entry *e);              /* frees the entry */
struct kv_entry *kv_next(const struct kv *kv, size_t *pos);     /* any order, *pos from 0; no put or remove meanwhile */

/*
 * A walk in pieces that puts and removes may come between: fn gets the entries whose hash lies in the next piece of the hash's range, about
 * `n` of them. *from begins at 0; false when that was the last piece. An entry is met exactly once in a walk, unless it was put or removed
 * while the walk went on. fn must not change the table.
 */
bool kv_walk(const struct kv *kv, uint64_t *from, size_t n, void (*fn)(void *arg, struct kv_entry *e), void *arg);

/* Bytes with a reference count: stored rows that several places show. */
struct blob {
	uint32_t refs, len;
	uint8_t bytes[];
};

struct blob *blob_new(struct view v);
static inline struct view blob_view(const struct blob *b) { return view_of(b->bytes, b->len); }
static inline struct blob *blob_ref(struct blob *b) { b->refs++; return b; }
size_t blob_footprint(const struct blob *b); /* of memory; 0 for NULL */
void blob_drop(struct blob *b); /* NULL is fine */

#endif
