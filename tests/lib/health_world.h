/* tests/lib/health_world.h: probes that say things, for tests of the domain. */
#ifndef KEDGE_TESTS_LIB_HEALTH_WORLD_H
#define KEDGE_TESTS_LIB_HEALTH_WORLD_H

#include "controller/health/health.h"
#include "tests/lib/fleet_world.h"

static const struct health_config health_rules = {
    .heartbeat_ms = 30000,
    .unknown_patience_ms = 300000,
    .forecast_ms = 24ull * 3600 * 1000,
    .forecast_days_ms = 21ull * 24 * 3600 * 1000,
    .response_ms = 1000,
    .errors_percent = 1,
    .cpu_percent = 80,
    .memory_percent = 85,
    .disk_percent = 90,
};

static inline struct probe_result probed(struct world *w, const char *name, enum probe_state s)
{
	return (struct probe_result){.probe = name,
	    .state = s,
	    .settled = s,
	    .at_ms = w->now_ms,
	    .since_ms = w->now_ms,
	    .text = "said the probe"};
}

/* One probe "http" with that state, made at at_ms. */
static inline struct health_transitions http_says_at(
    struct world *w, const char *service, const char *host, enum probe_state s, uint64_t at_ms)
{
	struct health_transitions out = {0};
	struct probe_result one = probed(w, "http", s);
	one.at_ms = one.since_ms = at_ms;
	struct health_report r = {.service = service, .results = {&one, 1}};
	struct host h = host_now(w, host);
	ok(health_on_report(w->turn, &health_rules, &h, at_ms, &r, &out, ERR_HERE));
	return out;
}

static inline struct health_transitions http_says(
    struct world *w, const char *service, const char *host, enum probe_state s)
{
	return http_says_at(w, service, host, s, w->now_ms);
}

static inline struct service_health health_now(struct world *w, const char *service, const char *host)
{
	struct service_health s;
	bool found;
	ok(health_get(w->turn, service, host, &s, &found, ERR_HERE));
	assert_true(found);
	return s;
}

/* Hello, and what health makes of it. */
static inline struct health_transitions health_up(
    struct world *w, const char *name, uint8_t boot, struct declared_service *services, size_t count)
{
	struct health_transitions out = {0};
	host_up(w, name, boot, services, count);
	ok(health_on_hello(w->turn, &health_rules, name, &out, ERR_HERE));
	return out;
}

/* Run every timer of health that falls due until then; what moved is counted by state. */
static inline struct health_transitions health_until(struct world *w, uint64_t until_ms)
{
	struct health_transitions all = {0};
	static struct health_transition kept[64];
	size_t count = 0;
	struct timer timer;
	for (int i = 0; i < 1000 && world_timer(w, until_ms, &timer); i++) {
		struct health_transitions out = {0};
		bool mine;
		ok(health_on_timer(w->turn, &health_rules, &timer, &out, &mine, ERR_HERE));
		for (size_t k = 0; k < out.count && count < 64; k++) {
			kept[count] = out.items[k];
			kept[count].service = kept[count].host = kept[count].reason = kept[count].probe =
			    NULL; /* die with the turn */
			count++;
		}
	}
	if (w->now_ms < until_ms)
		world_at(w, until_ms);
	all.items = kept;
	all.count = count;
	return all;
}

#endif
