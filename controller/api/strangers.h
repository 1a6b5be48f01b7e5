/* controller/api/strangers.h: how often whoever has no certificate may try a token.
 *
 * Anybody who reaches the port may try, and each wrong one is on the audit trail, which is for ever: so many a minute
 * from one address, and no more.  Whoever tries too often keeps nobody at another address from being enrolled.  One
 * thread. */
#ifndef KEDGE_CONTROLLER_API_STRANGERS_H
#define KEDGE_CONTROLLER_API_STRANGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STRANGERS_TRIES = 20, /* a minute: hosts that are enrolled one after another, and somebody who mistypes */
	STRANGERS_MAX = 64,   /* addresses in a minute that count alone; those that come later share one count.  All
			       * together: at most (STRANGERS_MAX + 1) * STRANGERS_TRIES entries a minute */
};

struct strangers {          /* zero at first */
	uint64_t minute_ms; /* monotonic */
	struct stranger {
		uint8_t network[16];
		uint32_t tried;
	} all[STRANGERS_MAX], others;
	size_t count;
	uint32_t untold; /* refused unheard, within the minute */
};

/* May whoever comes from this address (as ws_request_address() tells it, with its port) try another token?  False:
 * refused unheard; how many were is logged.  Of IPv6 the first 64 bits count, for whoever has one address has all of
 * these. */
bool strangers_may(struct strangers *s, const char *address, uint64_t mono_ms);
/* Its token was wrong, and the trail says so. */
void strangers_failed(struct strangers *s, const char *address, uint64_t mono_ms);

#endif
