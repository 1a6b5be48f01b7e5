#include "agent/worker/confirm.h"

#include <time.h>

#include "shared/base/clock.h"
#include "shared/base/text.h"

enum { LOOK_MS = 20 };

uint64_t work_confirm_until(const struct work_confirm *c, uint64_t now_ms)
{
	uint64_t end_ms = c->in_place_ms + c->within_ms, least_ms = now_ms + c->least_ms;
	return end_ms > least_ms ? end_ms : least_ms;
}

bool work_confirm(const struct work_confirm *c, char text[TEXT_LINE_MAX])
{
	const struct timespec nap = {0, LOOK_MS * 1000000L};
	uint64_t now_ms = clock_mono_ms(), since_ms = now_ms + c->settle_ms, end_ms = work_confirm_until(c, now_ms);
	bool asked = false;
	char human[TEXT_TIME_MAX];
	while ((now_ms = clock_mono_ms()) < end_ms) {
		if (!asked && now_ms >= since_ms) {
			asked = true;
			c->ask(c->ctx);
		}
		if (asked && c->heard_ms && atomic_load(c->heard_ms) >= since_ms)
			return true;
		nanosleep(&nap, NULL);
	}
	text_format(text, TEXT_LINE_MAX, "the controller was not heard from for %s after it",
	    text_duration_human(end_ms - c->in_place_ms, human));
	return false;
}
