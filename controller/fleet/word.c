/* controller/fleet/word.c: a host that somebody doubts is given a moment to say a word. */
#include "controller/fleet/internal.h"
#include "shared/base/text.h"

enum { LATE_MS = 1000 }; /* a timer that comes this late: the controller itself was away, and words wait to be read */

static const struct id no_id = {{0}};

bool fleet_host_can(const struct host *h, const char *capability)
{
	for (size_t i = 0; i < h->capabilities.count; i++)
		if (text_equal(LIST_AT(h->capabilities, const char *, i), capability))
			return true;
	return false;
}

static bool counts(const struct host *h)
{
	return h->state == HOST_CONNECTED || h->state == HOST_SILENT;
}

bool fleet_host_doubtful(const struct host *h, uint64_t now_ms)
{
	return counts(h) && h->doubted_ms && h->last_seen_ms <= h->doubted_ms &&
	       now_ms < h->doubted_ms + FLEET_WORD_MS + FLEET_RETURN_MS;
}

enum err_code fleet_doubt(struct turn *t, const char *host, bool asked, struct err *reterr)
{
	uint64_t now = turn_now_ms(t);
	struct host h;
	bool found;
	enum err_code rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc != ERR_OK || !found || !counts(&h) || now < h.awaited_ms || fleet_host_doubtful(&h, now))
		return rc;
	if (h.state == HOST_CONNECTED && !asked)
		return ERR_OK;
	h.doubted_ms = now;
	rc = turn_put(t, &host_table, &h, reterr);
	return rc == ERR_OK ? turn_timer_set(t, FLEET_TIMER_WORD, no_id, host, now + FLEET_WORD_MS, reterr) : rc;
}

enum err_code fleet_on_word_due(struct turn *t, const struct timer *timer, bool *ret_silent, struct err *reterr)
{
	uint64_t now = turn_now_ms(t), again_ms = now;
	struct host h;
	bool found;
	*ret_silent = false;
	enum err_code rc = fleet_host_get(t, timer->name, &h, &found, reterr);
	if (rc != ERR_OK || !found || !counts(&h) || h.last_seen_ms > h.doubted_ms || now < h.awaited_ms)
		return rc;
	if (now > timer->due_ms + LATE_MS)
		again_ms = now + FLEET_WORD_MS;
	else if (h.state == HOST_SILENT && now < h.since_ms + FLEET_RETURN_MS)
		again_ms = h.since_ms + FLEET_RETURN_MS;
	if (again_ms > now)
		return turn_timer_set(t, FLEET_TIMER_WORD, no_id, h.name, again_ms, reterr);
	*ret_silent = true;
	return fleet_host_silent(t, &h, reterr);
}
