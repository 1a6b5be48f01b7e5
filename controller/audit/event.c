#include "controller/audit/event.h"

enum err_code event_tell(struct turn *t, const char *topic, const char *host, enum severity severity,
    struct err *reterr, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *text = arena_vprintf(turn_arena(t), fmt, ap);
	va_end(ap);
	if (!text)
		return err_set(reterr, ERR_NOMEM, "event: out of memory");
	struct effect e = {.kind = EFFECT_EVENT, .topic = topic, .host = host, .severity = severity, .text = text};
	return turn_emit(t, &e, reterr);
}
