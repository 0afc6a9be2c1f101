/* Arenas; see arena.h. */
#include "base/arena.h"

#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"

enum { BLOCK_FIRST = 8 * 1024, BLOCK_LARGEST = 1024 * 1024 };

struct arena_block {
	struct arena_block *older;
	size_t size;
	uint8_t bytes[] __attribute__((aligned(16)));
};

static void open_block(struct arena *a, size_t size)
{
	struct arena_block *b = mem_alloc(sizeof(*b) + size);

	b->older = a->blocks;
	b->size = size;
	a->blocks = b;
	a->ptr = b->bytes;
	a->end = b->bytes + size;
}

void *arena_alloc_slow(struct arena *a, size_t size)
{
	size_t rounded = (size + 15) & ~(size_t)15, next = BLOCK_FIRST;
	uint8_t *p;

	wm_assert(rounded >= size);
	if (rounded == 0)
		rounded = 16;
	if (a->blocks && (next = a->blocks->size * 2) > BLOCK_LARGEST)
		next = BLOCK_LARGEST;
	if (rounded > (size_t)(a->end - a->ptr) || !a->ptr)
		open_block(a, next < rounded ? rounded : next);
	p = a->ptr;
	a->ptr += rounded;
	a->used += rounded;
	return p;
}

void arena_reset(struct arena *a)
{
	while (a->blocks && a->blocks->older) {
		struct arena_block *b = a->blocks;

		a->blocks = b->older;
		mem_free(b);
	}
	/* an oversized first block would be kept for ever */
	if (a->blocks && a->blocks->size > BLOCK_LARGEST) {
		mem_free(a->blocks);
		a->blocks = NULL;
	}
	a->ptr = a->blocks ? a->blocks->bytes : NULL;
	a->end = a->blocks ? a->blocks->bytes + a->blocks->size : NULL;
	a->used = 0;
}

void arena_release(struct arena *a)
{
	arena_reset(a);
	mem_free(a->blocks);
	*a = ARENA_INIT;
}

struct view arena_view(struct arena *a, struct view v)
{
	return view_of(arena_str(a, v), v.len);
}

char *arena_str(struct arena *a, struct view v)
{
	char *p = arena_alloc(a, v.len + 1);

	if (v.len)
		memcpy(p, v.ptr, v.len);
	p[v.len] = '\0';
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	wm_assert(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
