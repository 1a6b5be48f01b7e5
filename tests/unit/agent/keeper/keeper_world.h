/* tests/unit/agent/keeper/keeper_world.h: a keeper without its tick, its link and a controller, over a repository of a
 * test's own. */
#ifndef KEDGE_TESTS_UNIT_AGENT_KEEPER_KEEPER_WORLD_H
#define KEDGE_TESTS_UNIT_AGENT_KEEPER_KEEPER_WORLD_H

#include "agent/keeper/internal.h"
#include "shared/base/clock.h"
#include "tests/lib/snapshot_world.h"

enum { PATIENCE_MS = 20 * 1000, TURN_MS = 20 };

static struct world w;
static struct agent_config config;
static struct keeper k;

typedef enum err_code keeper_world_send_fn(void *ctx, uint64_t token, const struct report *r);

static inline void keeper_world_spooled(void *ctx, const struct report *r)
{
	(void)ctx;
	(void)r;
}

/* The world; its repository is where a keeper looks for it. */
static inline void keeper_world_init(void)
{
	char path[WORLD_PATH];
	world_init(&w);
	world_close(&w);
	(void)text_format(path, sizeof path, "%s/repository", w.dir);
	assert_int_equal(rename(w.repo_path, path), 0);
	(void)text_format(w.repo_path, WORLD_PATH, "%s", path);
}

/* The keeper of these services; send is told what it would report. */
static inline void keeper_world_begin(struct list services, keeper_world_send_fn *send)
{
	struct outgoing_io io = {NULL, send, keeper_world_spooled};
	config = (struct agent_config){.host = WORLD_HOST, .state_directory = w.dir, .services = services};
	k = (struct keeper){.c = &config, .lock = -1, .link_program = -1, .heartbeat_ms = 600 * 1000};
	k.arena = arena_new(0);
	k.outgoing = outgoing_new(&io);
	WORLD_OK(&w, loop_new(&k.loop, &w.err));
	WORLD_OK(&w, obey_new(&k, &w.err));
	WORLD_OK(&w, observe_new(&k, &w.err));
}

static inline void keeper_world_done(void)
{
	observe_free(&k);
	obey_free(&k);
	outgoing_free(k.outgoing);
	loop_free(k.loop);
	arena_free(k.arena);
	world_done(&w);
}

/* Turns, with the keeper's tick where it is asked for, until it is so. */
static inline bool comes(bool (*so)(void), bool ticking)
{
	for (uint64_t until = clock_mono_ms() + PATIENCE_MS; !so() && clock_mono_ms() < until;) {
		WORLD_OK(&w, loop_turn(k.loop, TURN_MS, &w.err));
		if (ticking)
			looks_tick(&k, loop_now_ms(k.loop));
	}
	return so();
}

#endif
