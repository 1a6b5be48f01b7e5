/* shared/base/buf.c: growth by doubling; capacity always leaves room for the NUL behind the contents. */
#include "shared/base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"

enum { FIRST_CAPACITY = 64 };

void buf_done(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT;
}

void buf_clear(struct buf *b)
{
	b->size = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

static uint8_t *fail(struct buf *b)
{
	b->failed = true;
	return NULL;
}

/* Room for extra bytes and a NUL; the contents stay as they are. */
static uint8_t *grow(struct buf *b, size_t extra)
{
	size_t limit = b->limit ? b->limit : BUF_DEFAULT_LIMIT;
	if (b->failed || b->size > limit || extra > limit - b->size)
		return fail(b);
	size_t need;
	if (__builtin_add_overflow(b->size + extra, (size_t)1, &need))
		return fail(b);
	if (need > b->capacity) {
		size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
		while (capacity < need)
			capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
		uint8_t *data = realloc(b->data, capacity);
		if (!data)
			return fail(b);
		b->data = data;
		b->capacity = capacity;
	}
	return b->data + b->size;
}

uint8_t *buf_reserve(struct buf *b, size_t extra_bytes)
{
	uint8_t *at = grow(b, extra_bytes);
	if (at) /* whatever part of it the caller fills, a NUL follows */
		memset(at, 0, extra_bytes + 1);
	return at;
}

void buf_append(struct buf *b, const void *data, size_t size_bytes)
{
	uint8_t *at = grow(b, size_bytes);
	if (!at)
		return;
	if (size_bytes > 0)
		memcpy(at, data, size_bytes);
	at[size_bytes] = '\0';
	b->size += size_bytes;
}

void buf_byte(struct buf *b, uint8_t v)
{
	buf_append(b, &v, 1);
}

void buf_text(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	uint8_t *at = n < 0 ? fail(b) : grow(b, (size_t)n);
	if (at) {
		vsnprintf((char *)at, (size_t)n + 1, fmt, again);
		b->size += (size_t)n;
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->size);
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->size - n);
	b->size -= n;
	b->data[b->size] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->data ? (const char *)b->data : "";
}

void buf_be32(struct buf *b, uint32_t v)
{
	uint8_t bytes[4];
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(v >> (24 - 8 * i));
	buf_append(b, bytes, sizeof(bytes));
}

void buf_be64(struct buf *b, uint64_t v)
{
	buf_be32(b, (uint32_t)(v >> 32));
	buf_be32(b, (uint32_t)v);
}
