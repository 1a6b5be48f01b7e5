/* tests/unit/agent/rollback/prepared_scene.h: a service whose code and data may be staged beforehand, one good restore
 * point of it, then a bad change. */
#ifndef KEDGE_TESTS_UNIT_AGENT_ROLLBACK_PREPARED_SCENE_H
#define KEDGE_TESTS_UNIT_AGENT_ROLLBACK_PREPARED_SCENE_H

#include <sched.h>
#include <sys/mount.h>

#include "agent/rollback/prepared.h"
#include "tests/unit/agent/rollback/service.h"

static const char *const prepared_yaml =
    "    components:\n"
    "      code: { paths: [DIR/live] }\n"
    "      data: { paths: [DIR/data] }\n"
    "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start], check: [DIR/ctl, check], timeout: 10s }\n"
    "    probes:\n"
    "      - { name: one, tier: shallow, exec: [/bin/true] }\n";

struct prepared_scene {
	struct world w;
	struct levers l;
	struct id good;
	struct prints good_is, bad_is;
};

/* Of this process alone.  False: no mounts here. */
static inline bool own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static inline void prepared_scene_make(struct prepared_scene *s, const char *yaml)
{
	world_init(&s->w);
	s->l = (struct levers){.w = &s->w};
	service_make(&s->w, yaml, 31, 60);
	s->good = world_snapshot(&s->w);
	s->good_is = prints_of(&s->w);
	service_break(&s->w, 32, 25);
	s->bad_is = prints_of(&s->w);
	assert_false(prints_equal(s->good_is, s->bad_is));
}

/* What was said of each component: "code staged", or why not. */
static inline unsigned prepare(struct world *w, struct id to, uint32_t components, char *why, size_t size)
{
	struct prepare_request r = {
	    .service = w->service, .snapshot = to, .components = components, .now_ms = ++w->now_ms};
	struct list results;
	unsigned staged = 0;
	MUST(rollback_prepare(w->repo, w->state, &r, w->arena, &results, err));
	*why = '\0';
	for (size_t i = 0; i < results.count; i++) {
		const struct prepare_result *p = &LIST_AT(results, struct prepare_result, i);
		staged += p->prepared != NULL;
		if (p->why)
			(void)text_format(why + strlen(why), size - strlen(why), "%s: %s\n",
			    enum_name(&component_enum, p->component), p->why);
	}
	return staged;
}

static inline struct list prepared_rows(struct world *w)
{
	struct list rows;
	MUST(rollback_prepared(w->state, "svc", ++w->now_ms, w->arena, &rows, err));
	return rows;
}

static inline unsigned prepared_in_state(struct world *w, enum prepared_state state)
{
	struct list rows = prepared_rows(w);
	unsigned n = 0;
	for (size_t i = 0; i < rows.count; i++)
		n += LIST_AT(rows, struct prepared_tree, i).state == (uint32_t)state;
	return n;
}

static inline struct list prepared_settle(struct world *w)
{
	struct list saved;
	MUST(rollback_settle(w->repo, w->state, w->service, ++w->now_ms, w->arena, &saved, err));
	return saved;
}

#endif
