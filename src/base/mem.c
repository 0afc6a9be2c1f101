/* Heap memory; see mem.h. Any thread. */
#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mem_hook_fn hook;

void mem_set_hook(mem_hook_fn fn)
{
	hook = fn;
}

enum { LARGE = 1 << 20, KEPT_MAX = 4 << 20 };

void mem_return_what_is_large(void)
{
#ifdef M_MMAP_THRESHOLD
	/* naming the first also ends its growing with what is freed, mallopt(3) */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, KEPT_MAX);
#endif
}

static void out_of_memory(size_t size)
{
	fprintf(stderr, "walmill: out of memory (asked for %zu bytes); stopping, nothing that was acknowledged is lost\n", size);
	abort();
}

void *mem_try_alloc(size_t size)
{
	if (hook && hook(size))
		return NULL;
	return malloc(size ? size : 1);
}

void *mem_try_realloc(void *ptr, size_t size)
{
	if (hook && hook(size))
		return NULL;
	return realloc(ptr, size ? size : 1);
}

void *mem_alloc(size_t size)
{
	void *p = mem_try_alloc(size);

	if (!p)
		out_of_memory(size);
	return p;
}

void *mem_zalloc(size_t size)
{
	return memset(mem_alloc(size), 0, size);
}

void *mem_realloc(void *ptr, size_t size)
{
	void *p = mem_try_realloc(ptr, size);

	if (!p)
		out_of_memory(size);
	return p;
}

char *mem_strndup(const void *s, size_t len)
{
	char *p = mem_alloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

void mem_free(void *ptr)
{
	free(ptr);
}
