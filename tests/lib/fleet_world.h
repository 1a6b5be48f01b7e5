/* tests/lib/fleet_world.h: hosts that say hello and report, for tests of the domain. */
#ifndef KEDGE_TESTS_LIB_FLEET_WORLD_H
#define KEDGE_TESTS_LIB_FLEET_WORLD_H

#include "controller/fleet/fleet.h"
#include "tests/lib/world.h"

static const struct fleet_config fleet_rules = {.heartbeat_ms = 30000, .proof_ms = 300000};
static const uint32_t all_components[] = {COMPONENT_CONFIG, COMPONENT_CODE, COMPONENT_DATA, COMPONENT_DATABASE};

static inline struct id boot_id(uint8_t n)
{
	return (struct id){{1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, n}};
}

/* A service that leans on up to one other (NULL: none). */
static inline struct declared_service declared(const char *name, const char *const *depends_on)
{
	return (struct declared_service){
	    .name = name,
	    .components = {(void *)(uintptr_t)all_components, 2},
	    .automatic = {(void *)(uintptr_t)all_components, 1},
	    .depends_on = {(void *)(uintptr_t)depends_on, depends_on ? 1 : 0},
	    .probes = 2,
	};
}

static inline struct hello hello_of(
    struct world *w, const char *host, struct id boot, struct declared_service *services, size_t count)
{
	return (struct hello){
	    .version = MESSAGE_VERSION,
	    .version_least = MESSAGE_VERSION_LEAST,
	    .agent_version = "0.1",
	    .host = host,
	    .boot = boot,
	    .clock_ms = w->now_ms,
	    .services = {services, count},
	};
}

static inline struct hello_outcome hello_say(struct world *w, const struct hello *h)
{
	struct hello_outcome out;
	ok(fleet_on_hello(w->turn, &fleet_rules, h->host, h, &out, ERR_HERE));
	return out;
}

static inline struct host host_now(struct world *w, const char *name)
{
	struct host h;
	bool found;
	ok(fleet_host_get(w->turn, name, &h, &found, ERR_HERE));
	assert_true(found);
	return h;
}

/* A host whose clock is right, connected, with these services. */
static inline struct host host_up(
    struct world *w, const char *name, uint8_t boot, struct declared_service *services, size_t count)
{
	struct hello h = hello_of(w, name, boot_id(boot), services, count);
	assert_int_equal(hello_say(w, &h).result, HELLO_WELCOME);
	return host_now(w, name);
}

#endif
