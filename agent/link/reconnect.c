#include "agent/link/reconnect.h"

enum { DOUBLINGS_MAX = 32 };

enum reconnect_why reconnect_why(enum bye_reason reason)
{
	switch (reason) {
	case BYE_SHUTDOWN:
	case BYE_OVERLOAD:
		return RECONNECT_ASKED;
	case BYE_WRONG_IDENTITY:
	case BYE_DUPLICATE_IDENTITY:
	case BYE_REVOKED:
	case BYE_VERSION:
		return RECONNECT_SLOW;
	case BYE_MALFORMED:
	case BYE_TOO_LARGE:
	case BYE_UNKNOWN_TYPE:
	case BYE_OUT_OF_ORDER:
	case BYE_REASON_COUNT:
		break;
	}
	return RECONNECT_FAILED;
}

static uint64_t growing(const struct reconnect *r)
{
	uint64_t cap = r->hint_ms ? r->hint_ms : RECONNECT_CAP_MS;
	uint32_t doublings = r->failures < DOUBLINGS_MAX ? r->failures : DOUBLINGS_MAX;
	uint64_t window = (uint64_t)RECONNECT_BASE_MS << doublings;
	if (cap < RECONNECT_CAP_LEAST_MS)
		cap = RECONNECT_CAP_LEAST_MS;
	return window < cap ? window : cap;
}

uint64_t reconnect_window_ms(const struct reconnect *r, enum reconnect_why why, uint64_t asked_ms)
{
	uint64_t window = growing(r);
	if (why == RECONNECT_SLOW)
		return RECONNECT_SLOW_MS;
	if (why == RECONNECT_ASKED) {
		uint64_t asked = asked_ms ? asked_ms : r->hint_ms;
		return asked > window ? asked : window;
	}
	return window;
}

uint64_t reconnect_delay_ms(struct reconnect *r, enum reconnect_why why, uint64_t asked_ms, struct random *random)
{
	uint64_t window = reconnect_window_ms(r, why, asked_ms);
	uint64_t least = why == RECONNECT_SLOW ? window / 2 : 0;
	if (r->failures < UINT32_MAX)
		r->failures++;
	return least + random_below(random, window - least + 1);
}

void reconnect_good(struct reconnect *r)
{
	r->failures = 0;
}
