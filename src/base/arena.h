/*
 * Arena: memory that lives as long as one unit of work (a replication message, a request, a step) and goes in one call.
 *
 * Blocks grow from `first` bytes up to 1 MiB each; arena_reset() keeps the first block, so that a loop in its steady state
 * does not allocate. Alignment is 16. Not thread safe: an arena belongs to one thread at a time.
 */
#ifndef WALMILL_BASE_ARENA_H
#define WALMILL_BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;  /* newest first; the oldest is the one that a reset keeps */
	uint8_t *ptr, *end;          /* free room in the newest block */
	size_t used;                 /* bytes handed out since the last reset */
};

#define ARENA_INIT ((struct arena){NULL, NULL, NULL, 0})

void *arena_alloc_slow(struct arena *a, size_t size) __attribute__((returns_nonnull));
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

static inline void *arena_alloc(struct arena *a, size_t size)
{
	size_t rounded = (size + 15) & ~(size_t)15;
	uint8_t *p = a->ptr;

	if (__builtin_expect(rounded > (size_t)(a->end - p) || rounded < size || !p, 0))
		return arena_alloc_slow(a, size);
	a->ptr += rounded;
	a->used += rounded;
	return p;
}

static inline void *arena_zalloc(struct arena *a, size_t size) { return memset(arena_alloc(a, size), 0, size); }
struct view arena_view(struct arena *a, struct view v);      /* a copy */
char *arena_str(struct arena *a, struct view v);             /* a copy with a NUL behind it */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
