/* controller/incident/state.c: the states, which may follow which, and how long each may last. */
#include <assert.h>
#include <inttypes.h>

#include "controller/audit/event.h"
#include "controller/incident/internal.h"

#define TO(STATE) (1u << INCIDENT_##STATE)
static const uint8_t allowed[INCIDENT_STATE_COUNT] = {
    [INCIDENT_DETECTED] = TO(ACKNOWLEDGED) | TO(INVESTIGATING) | TO(IDENTIFIED) | TO(RESOLVING) | TO(RESOLVED),
    [INCIDENT_ACKNOWLEDGED] = TO(INVESTIGATING) | TO(IDENTIFIED) | TO(RESOLVING) | TO(RESOLVED),
    [INCIDENT_INVESTIGATING] = TO(IDENTIFIED) | TO(RESOLVING) | TO(RESOLVED),
    [INCIDENT_IDENTIFIED] = TO(INVESTIGATING) | TO(RESOLVING) | TO(RESOLVED),
    [INCIDENT_RESOLVING] = TO(INVESTIGATING) | TO(RESOLVED),
    [INCIDENT_RESOLVED] = TO(INVESTIGATING) | TO(CLOSED),
    [INCIDENT_CLOSED] = 0,
};

enum { ESCALATIONS_DOUBLED_MAX = 16 };
#define PATIENCE_MAX_MS (24 * 3600 * 1000ull) /* nobody is forgotten for longer than a day */

bool incident_move_allowed(enum incident_state from, enum incident_state to)
{
	return (unsigned)from < INCIDENT_STATE_COUNT && (unsigned)to < INCIDENT_STATE_COUNT &&
	       (allowed[from] & 1u << to);
}

uint64_t incident_patience(const struct incident_config *c, const struct incident *i)
{
	const uint64_t base[INCIDENT_STATE_COUNT] = {
	    [INCIDENT_DETECTED] = c->detected_ms,
	    [INCIDENT_ACKNOWLEDGED] = c->acknowledged_ms,
	    [INCIDENT_INVESTIGATING] = c->investigating_ms,
	    [INCIDENT_IDENTIFIED] = c->identified_ms,
	    [INCIDENT_RESOLVING] = c->resolving_ms,
	};
	uint32_t doubled = i->overdue < ESCALATIONS_DOUBLED_MAX ? i->overdue : ESCALATIONS_DOUBLED_MAX;
	uint64_t ms = base[i->state] << doubled;
	return ms < PATIENCE_MAX_MS ? ms : PATIENCE_MAX_MS;
}

enum err_code incident_deadline(
    struct turn *t, const struct incident_config *c, const struct incident *i, struct err *reterr)
{
	if (!incident_is_open(i))
		return turn_timer_clear(t, INCIDENT_TIMER_STATE, i->incident, NULL, reterr);
	return turn_timer_set(
	    t, INCIDENT_TIMER_STATE, i->incident, NULL, turn_now_ms(t) + incident_patience(c, i), reterr);
}

static uint64_t *moment_of(struct incident *i)
{
	switch ((enum incident_state)i->state) {
	case INCIDENT_INVESTIGATING:
		return &i->investigating_ms;
	case INCIDENT_IDENTIFIED:
		return &i->identified_ms;
	case INCIDENT_RESOLVING:
		return &i->resolving_ms;
	case INCIDENT_RESOLVED:
		return &i->resolved_ms;
	case INCIDENT_CLOSED:
		return &i->closed_ms;
	default: /* detected: opened_ms; acknowledged: set with the person */
		return NULL;
	}
}

enum err_code incident_enter(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct incident *i, enum incident_state to, struct err *reterr)
{
	assert(incident_move_allowed((enum incident_state)i->state, to)); /* callers check what people ask for */
	const char *from = enum_name(&incident_state_enum, i->state);
	i->state = to;
	i->state_since_ms = turn_now_ms(t);
	i->overdue = 0;
	if (moment_of(i))
		*moment_of(i) = turn_now_ms(t);
	enum err_code rc = to == INCIDENT_CLOSED ? turn_timer_clear(t, INCIDENT_TIMER_STATE, i->incident, NULL, reterr)
						 : incident_deadline(t, c, i, reterr);
	if (rc == ERR_OK)
		rc = incident_say(
		    t, i, who, 0, "state", reterr, "%s, was %s", enum_name(&incident_state_enum, to), from);
	if (rc == ERR_OK)
		rc = event_tell(t, "incident", NULL, (enum severity)i->severity, reterr, "INC-%" PRIu64 " %s: %s",
		    i->number, enum_name(&incident_state_enum, to), i->title);
	return rc;
}
