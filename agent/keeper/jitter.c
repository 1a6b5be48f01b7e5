/* agent/keeper/jitter.c: see jitter.h. */
#include "agent/keeper/jitter.h"

#include <string.h>

#include "shared/base/siphash.h"

static uint64_t hash_of(const char *host, const char *what)
{
	static const uint64_t any[2] = {0x6b65646765, 0x7363686564}; /* it spreads and guards nothing: no secret */
	const uint64_t own[2] = {siphash(any, host, strlen(host)), any[1]};
	return siphash(own, what, strlen(what));
}

uint64_t jittered_ms(const char *host, const char *what, uint64_t every_ms)
{
	uint64_t spread = every_ms / 100 * JITTER_PERCENT;
	return every_ms - spread + (spread ? hash_of(host, what) % (2 * spread) : 0);
}

uint64_t jitter_overdue_ms(const char *host, const char *what, uint64_t every_ms)
{
	uint64_t spread = every_ms / 100 * JITTER_OVERDUE_PERCENT;
	spread = spread < JITTER_OVERDUE_MAX_MS ? spread : JITTER_OVERDUE_MAX_MS;
	return spread ? hash_of(host, what) % spread : 0;
}
