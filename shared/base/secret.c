/* shared/base/secret.c: each secret lives in pages of its own, so that MADV_DONTDUMP covers it and nothing else. */
#include "shared/base/secret.h"

#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct secret {
	size_t size, mapped;
	alignas(max_align_t) uint8_t data[];
};

struct secret *secret_new(const void *data, size_t size_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (size_bytes > SIZE_MAX - sizeof(struct secret) - page)
		return NULL;
	size_t mapped = (sizeof(struct secret) + size_bytes + page - 1) / page * page;
	struct secret *s = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return NULL;
	if (madvise(s, mapped, MADV_DONTDUMP) != 0) {
		munmap(s, mapped);
		return NULL;
	}
	/* Swapping keys out is worth avoiding, but RLIMIT_MEMLOCK may not allow it: not an error. */
	(void)mlock(s, mapped);
	s->size = size_bytes;
	s->mapped = mapped;
	if (data && size_bytes > 0)
		memcpy(s->data, data, size_bytes);
	return s;
}

void secret_free(struct secret *s)
{
	if (!s)
		return;
	size_t mapped = s->mapped;
	secret_wipe(s, mapped);
	munmap(s, mapped);
}

uint8_t *secret_data(struct secret *s)
{
	return s->data;
}

size_t secret_size(const struct secret *s)
{
	return s->size;
}

bool secret_equal(const void *a, const void *b, size_t size_bytes)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differ = 0;
	for (size_t i = 0; i < size_bytes; i++)
		differ = (uint8_t)(differ | (x[i] ^ y[i]));
	return differ == 0;
}

void secret_wipe(void *p, size_t size_bytes)
{
	explicit_bzero(p, size_bytes);
}
