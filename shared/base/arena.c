/* shared/base/arena.c: a bump allocator over a list of blocks.
 *
 * Under AddressSanitizer every allocation is a block of its own, so that overruns and use after reset are seen. */
#include "shared/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"

#if defined(__SANITIZE_ADDRESS__)
#define EACH_ITS_BLOCK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_ITS_BLOCK 1
#endif
#endif
#ifndef EACH_ITS_BLOCK
#define EACH_ITS_BLOCK 0
#endif

enum {
	FIRST_BLOCK = EACH_ITS_BLOCK ? 0 : 4000, /* with its header just below a page */
	LARGEST_STEP = 1 << 20,                  /* blocks double up to this; a larger allocation gets its own */
};

struct block {
	struct block *next; /* older */
	size_t size, used;
	alignas(max_align_t) uint8_t data[];
};

struct arena {
	struct block *newest;
	size_t limit, used;
};

struct arena *arena_new(size_t limit_bytes)
{
	struct arena *a = malloc(sizeof(*a));
	if (!a)
		return NULL;
	*a = (struct arena){.limit = limit_bytes ? limit_bytes : ARENA_DEFAULT_LIMIT};
	return a;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->newest, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

void arena_reset(struct arena *a)
{
	while (a->newest && (a->newest->next || EACH_ITS_BLOCK)) {
		struct block *b = a->newest;
		a->newest = b->next;
		free(b);
	}
	if (a->newest)
		a->newest->used = 0;
	a->used = 0;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->newest, a->newest ? a->newest->used : 0, a->used};
}

void arena_release(struct arena *a, struct arena_mark mark)
{
	while (a->newest != mark.newest) {
		struct block *b = a->newest;
		a->newest = b->next;
		free(b);
	}
	if (a->newest)
		a->newest->used = mark.block_used;
	a->used = mark.used;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}

static struct block *add_block(struct arena *a, size_t need)
{
	size_t size = FIRST_BLOCK;
	if (a->newest && !EACH_ITS_BLOCK)
		size = a->newest->size < LARGEST_STEP / 2 ? a->newest->size * 2 : LARGEST_STEP;
	if (size < need)
		size = need;
	struct block *b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	*b = (struct block){.next = a->newest, .size = size};
	a->newest = b;
	return b;
}

/* size bytes at a multiple of align, not zeroed.  Padding counts against the limit: it is memory that a peer can make
 * us use. */
static void *take(struct arena *a, size_t size, size_t align)
{
	if (size == 0)
		size = 1; /* NULL means failure only */
	struct block *b = a->newest;
	size_t pad = b ? (align - b->used % align) % align : 0;
	if (!b || pad > b->size - b->used || size > b->size - b->used - pad)
		pad = 0, b = NULL;
	if (size > a->limit || a->used > a->limit - size || pad > a->limit - size - a->used)
		return NULL;
	if (!b)
		b = add_block(a, size);
	if (!b)
		return NULL;
	void *p = b->data + b->used + pad;
	b->used += pad + size;
	a->used += pad + size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
	void *p = take(a, size_bytes, alignof(max_align_t));
	return p ? memset(p, 0, size_bytes) : NULL;
}

void *arena_array(struct arena *a, size_t count, size_t size_bytes)
{
	size_t total;
	if (__builtin_mul_overflow(count, size_bytes, &total))
		return NULL;
	return arena_alloc(a, total);
}

void *arena_dup(struct arena *a, const void *p, size_t size_bytes)
{
	void *copy = take(a, size_bytes, alignof(max_align_t));
	if (copy && size_bytes > 0)
		memcpy(copy, p, size_bytes);
	return copy;
}

static char *dup_text(struct arena *a, const char *s, size_t n)
{
	if (n == SIZE_MAX)
		return NULL;
	char *copy = take(a, n + 1, 1); /* text needs no alignment, and there is much of it */
	if (!copy)
		return NULL;
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? dup_text(a, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	return s ? dup_text(a, s, strnlen(s, n)) : NULL;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	char *out = n < 0 ? NULL : take(a, (size_t)n + 1, 1);
	if (out)
		vsnprintf(out, (size_t)n + 1, fmt, again);
	va_end(again);
	return out;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *out = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return out;
}
