/* tests/lib/incident_world.h: health that becomes incidents, for tests of the domain. */
#ifndef KEDGE_TESTS_LIB_INCIDENT_WORLD_H
#define KEDGE_TESTS_LIB_INCIDENT_WORLD_H

#include "controller/incident/incident.h"
#include "tests/lib/health_world.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
static const struct incident_config incident_rules = {
    .prove_ms = 2000,
    .relapse_ms = 30 * MINUTE,
    .release_ms = MINUTE,
    .review_ms = DAY,
    .detected_ms = 15 * MINUTE,
    .acknowledged_ms = HOUR,
    .investigating_ms = HOUR,
    .identified_ms = 30 * MINUTE,
    .resolving_ms = 30 * MINUTE,
};
static const struct actor ada = {AUDIT_OPERATOR, "ada", "127.0.0.1:1"};

/* A probe says something, and incidents follow: the event of the last transition. */
static inline enum incident_event incident_says(
    struct world *w, const char *service, const char *host, enum probe_state s, struct incident *ret)
{
	struct health_transitions moved = http_says(w, service, host, s);
	enum incident_event event = INCIDENT_NOTHING;
	for (size_t i = 0; i < moved.count; i++)
		ok(incident_on_transition(w->turn, &incident_rules, &moved.items[i], ret, &event, ERR_HERE));
	return event;
}

static inline struct incident incident_now(struct world *w, struct id id)
{
	struct incident i;
	bool found;
	ok(incident_get(w->turn, id, &i, &found, ERR_HERE));
	assert_true(found);
	return i;
}

/* Run the next timer of incidents that falls due until then, skipping what belongs to others; INCIDENT_NOTHING and time
 * at until_ms when there is none. */
static inline enum incident_event incident_until(struct world *w, uint64_t until_ms, struct incident *ret)
{
	struct timer timer;
	for (int i = 0; i < 10000 && world_timer(w, until_ms, &timer); i++) {
		enum incident_event event;
		bool mine;
		ok(incident_on_timer(w->turn, &incident_rules, &timer, ret, &event, &mine, ERR_HERE));
		if (event != INCIDENT_NOTHING)
			return event;
	}
	if (w->now_ms < until_ms)
		world_at(w, until_ms);
	return INCIDENT_NOTHING;
}

#endif
