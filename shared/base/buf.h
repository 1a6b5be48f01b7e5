/* shared/base/buf.h: a growable run of bytes.
 *
 * A failed append sets `failed` and later appends do nothing, so that a writer checks once, at the end.
 * data is always followed by a NUL when non-NULL, so that text can be printed.  Not thread-safe. */
#ifndef KEDGE_SHARED_BASE_BUF_H
#define KEDGE_SHARED_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that somebody else owns. */
struct bytes {
	const uint8_t *data;
	size_t size;
};

struct buf {
	uint8_t *data;
	size_t size, capacity;
	size_t limit; /* 0: BUF_DEFAULT_LIMIT */
	bool failed;  /* out of memory or past the limit: contents are incomplete */
};

#define BUF_INIT ((struct buf){0})

void buf_done(struct buf *b);                            /* frees; b is then as BUF_INIT */
void buf_clear(struct buf *b);                           /* keeps the memory, clears failed */
uint8_t *buf_reserve(struct buf *b, size_t extra_bytes); /* room at the end, or NULL (and failed) */
void buf_append(struct buf *b, const void *data, size_t size_bytes);
void buf_byte(struct buf *b, uint8_t v);
void buf_text(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
void buf_consume(struct buf *b, size_t n); /* drop n bytes from the front */
const char *buf_str(const struct buf *b);  /* never NULL; "" when empty */
static inline struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){b->data, b->size};
}

/* Little- and big-endian fixed-width stores used by file formats. */
void buf_be32(struct buf *b, uint32_t v);
void buf_be64(struct buf *b, uint64_t v);

#endif
