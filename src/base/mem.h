/*
 * Memory from the heap, with one policy for running out of it.
 *
 * mem_alloc() and its kin never return NULL. When the system has no memory left they print one line and abort: walmill is
 * built to lose nothing in a crash (kill -9 at any instant is a test), so stopping is safer than a half-tested path through
 * every caller. What a peer or a file can make large does not go through them: it is read into a `struct buf` with a bound,
 * or through mem_try_alloc(), which returns NULL.
 *
 * Tests install a hook that sees every allocation, to count them or to refuse the n-th (of the mem_try_ kind).
 */
#ifndef WALMILL_BASE_MEM_H
#define WALMILL_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_realloc(void *ptr, size_t size) __attribute__((returns_nonnull, alloc_size(2)));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const void *s, size_t len) __attribute__((malloc, returns_nonnull));
void mem_free(void *ptr); /* NULL is fine */

/* What an allocation of that size takes of the heap: glibc's malloc keeps a word beside it and gives multiples of 16, at least 32. */
static inline size_t mem_footprint(size_t size)
{
	return size < 24 ? 32 : (size + 8 + 15) & ~(size_t)15;
}

void *mem_try_alloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *mem_try_realloc(void *ptr, size_t size) __attribute__((alloc_size(2)));

/*
 * What is large goes back to the system when it is freed, whichever thread had it: without this, glibc keeps what one thread freed for that
 * thread's next request, up to 32 MiB at a time. Call once, before threads start.
 */
void mem_return_what_is_large(void);

/* Test hook: called before each allocation; returning non-zero refuses it. NULL takes the hook out. Set before threads start. */
typedef int (*mem_hook_fn)(size_t size);
void mem_set_hook(mem_hook_fn hook);

#endif
