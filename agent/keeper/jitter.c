/* agent/keeper/jitter.c: see jitter.h. */
#include "agent/keeper/jitter.h"

#include <string.h>

#include "shared/base/siphash.h"

uint64_t jittered_ms(const char *host, const char *what, uint64_t every_ms)
{
	static const uint64_t any[2] = {0x6b65646765, 0x7363686564}; /* it spreads and guards nothing: no secret */
	const uint64_t own[2] = {siphash(any, host, strlen(host)), any[1]};
	uint64_t h = siphash(own, what, strlen(what)), spread = every_ms / 100 * JITTER_PERCENT;
	return every_ms - spread + (spread ? h % (2 * spread) : 0);
}
