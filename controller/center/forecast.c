/* controller/center/forecast.c: see forecast.h. */
#include "controller/center/forecast.h"

#include "shared/base/text.h"

static const char *in_how_long(struct turn *t, const struct health_metric *m)
{
	char earliest[TEXT_TIME_MAX], latest[TEXT_TIME_MAX];
	uint64_t now_ms = turn_now_ms(t);
	text_duration_human(m->earliest_ms > now_ms ? m->earliest_ms - now_ms : 0, earliest);
	if (!m->latest_ms)
		return arena_printf(turn_arena(t), "may reach its limit in %s", earliest);
	text_duration_human(m->latest_ms > now_ms ? m->latest_ms - now_ms : 0, latest);
	return arena_printf(turn_arena(t), "reaches its limit in %s to %s", earliest, latest);
}

static enum err_code tell(
    struct turn *t, const struct workflow_config *c, const struct health_metric *m, struct err *reterr)
{
	uint32_t said;
	bool of_host = text_equal(m->service, "-");
	const char *words = in_how_long(t, m),
		   *object = arena_printf(turn_arena(t), "%s/%s/%s", m->host, m->service, m->metric),
		   *detail = arena_printf(turn_arena(t), "%llu", (unsigned long long)m->told_ms),
		   *subject = of_host ? arena_printf(turn_arena(t), "%s of %s %s", m->metric, m->host, words)
				      : arena_printf(
					    turn_arena(t), "%s of %s on %s %s", m->metric, m->service, m->host, words);
	if (!words || !object || !detail || !subject)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return notify_about(t, &c->notify, NOTIFY_HOST, object, detail, subject, &said, reterr);
}

enum err_code forecast_tell(
    struct turn *t, const struct workflow_config *c, const struct health_transitions *moved, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < moved->near.count && rc == ERR_OK; i++)
		rc = tell(t, c, &LIST_AT(moved->near, struct health_metric, i), reterr);
	return rc;
}
