#include "shared/base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_init_system(struct random *r)
{
	*r = (struct random){.seeded = 0};
}

/* SplitMix64 spreads one word over the state, as the authors of xoshiro advise; the state is never all zero. */
void random_init_seed(struct random *r, uint64_t seed)
{
	r->seeded = 1;
	for (int i = 0; i < 4; i++) {
		seed += 0x9e3779b97f4a7c15u;
		uint64_t z = seed;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		r->state[i] = z ^ z >> 31;
	}
}

static uint64_t rotate(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

static uint64_t next_seeded(struct random *r)
{
	uint64_t *s = r->state, result = rotate(s[1] * 5, 7) * 9, carry = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= carry;
	s[3] = rotate(s[3], 45);
	return result;
}

static void fill_system(uint8_t *out, size_t size)
{
	while (size > 0) {
		ssize_t n = getrandom(out, size, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort(); /* keys and ids without randomness would be worse than no program */
		out += n;
		size -= (size_t)n;
	}
}

void random_fill(struct random *r, void *out, size_t size_bytes)
{
	uint8_t *p = out;
	if (!r->seeded) {
		fill_system(p, size_bytes);
		return;
	}
	while (size_bytes > 0) {
		uint64_t v = next_seeded(r);
		for (int i = 0; i < 8 && size_bytes > 0; i++, size_bytes--, v >>= 8)
			*p++ = (uint8_t)v; /* the same bytes on every machine */
	}
}

uint64_t random_u64(struct random *r)
{
	if (r->seeded)
		return next_seeded(r);
	uint64_t v;
	fill_system((uint8_t *)&v, sizeof(v));
	return v;
}

uint64_t random_below(struct random *r, uint64_t bound)
{
	assert(bound > 0);
	/* The lowest 2^64 mod bound values would favour small results. */
	uint64_t skip = (0 - bound) % bound, v;
	do
		v = random_u64(r);
	while (v < skip);
	return v % bound;
}

double random_unit(struct random *r)
{
	return (double)(random_u64(r) >> 11) * 0x1p-53;
}
