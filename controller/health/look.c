/* controller/health/look.c: asking a host for evidence now, instead of waiting for its next report. */
#include "controller/health/internal.h"
#include "shared/base/text.h"

static bool can(const struct host *h, const char *capability)
{
	for (size_t i = 0; i < h->capabilities.count; i++)
		if (text_equal(LIST_AT(h->capabilities, const char *, i), capability))
			return true;
	return false;
}

static enum err_code ask(struct turn *t, const struct host *h, const char *service, bool deep, struct err *reterr)
{
	struct look *look = arena_alloc(turn_arena(t), sizeof *look);
	if (!look)
		return err_set(reterr, ERR_NOMEM, "out of memory for a question");
	*look = (struct look){service, deep};
	struct effect e = {.kind = EFFECT_FRAME, .host = h->name, .boot = h->boot, .frame = FRAME_LOOK, .body = look};
	return turn_emit(t, &e, reterr);
}

enum err_code health_look(
    struct turn *t, const char *service, const char *host, bool deep, bool *ret_asked, struct err *reterr)
{
	struct service_health s;
	struct host h;
	bool known, found = false;
	enum err_code rc = health_get(t, service, host, &s, &known, reterr);
	if (rc == ERR_OK && known)
		rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret_asked = false;
	if (!found || !fleet_host_usable(&h) || !can(&h, CAPABILITY_LOOK) ||
	    (s.asked_ms && turn_now_ms(t) < s.asked_ms + HEALTH_LOOK_EVERY_MS))
		return ERR_OK;
	s.asked_ms = turn_now_ms(t);
	rc = turn_put(t, &service_health_table, &s, reterr);
	if (rc == ERR_OK)
		rc = ask(t, &h, service, deep, reterr);
	if (rc == ERR_OK)
		*ret_asked = true;
	return rc;
}
