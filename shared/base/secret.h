/* shared/base/secret.h: key material.  Wiped when freed, kept out of core dumps (MADV_DONTDUMP), never printed. */
#ifndef KEDGE_SHARED_BASE_SECRET_H
#define KEDGE_SHARED_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret;

struct secret *secret_new(
    const void *data, size_t size_bytes); /* copies; data may be NULL for zeros; NULL: no memory */
void secret_free(struct secret *s);       /* NULL is a no-op */
uint8_t *secret_data(struct secret *s);
size_t secret_size(const struct secret *s);
bool secret_equal(const void *a, const void *b, size_t size_bytes); /* constant time */
void secret_wipe(void *p, size_t size_bytes);

static inline void secret_cleanup(struct secret **s)
{
	secret_free(*s);
}

#endif
