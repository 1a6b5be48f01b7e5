/* controller/knowledge/beta.h: how often something works, from how often it did: a Beta distribution over the rate,
 * flat before the first try (Laplace's rule of succession).  Pure. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_BETA_H
#define KEDGE_CONTROLLER_KNOWLEDGE_BETA_H

#include <stdint.h>

struct success_rate {
	double mean, low, high; /* 0..1; nine times in ten the rate is between low and high */
};
struct success_rate success_rate_of(uint64_t worked, uint64_t failed);

#endif
