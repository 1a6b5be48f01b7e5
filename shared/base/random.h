/* shared/base/random.h: randomness is an input.
 * The system source is getrandom(2); the seeded one (xoshiro256**, Blackman and Vigna) is for the simulator and tests
 * and is never used for keys.  A struct random belongs to one thread. */
#ifndef KEDGE_SHARED_BASE_RANDOM_H
#define KEDGE_SHARED_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state[4];
	int seeded; /* 0: the kernel's */
};

void random_init_system(struct random *r);
void random_init_seed(struct random *r, uint64_t seed);
void random_fill(struct random *r, void *out, size_t size_bytes); /* aborts if the kernel has none to give */
uint64_t random_u64(struct random *r);
uint64_t random_below(struct random *r, uint64_t bound); /* uniform in [0, bound), bound > 0 */
double random_unit(struct random *r);                    /* [0, 1) */

#endif
