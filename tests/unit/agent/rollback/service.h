/* tests/unit/agent/rollback/service.h: a service of small programs, and a rollback's io with levers. */
#ifndef KEDGE_TESTS_UNIT_AGENT_ROLLBACK_SERVICE_H
#define KEDGE_TESTS_UNIT_AGENT_ROLLBACK_SERVICE_H

#include <time.h>

#include "tests/unit/agent/rollback/world.h"

/* The state of the service is a file `running`; `log` tells what was asked of it; a file `fail-STEP` makes that step
 * fail, once when it says "once"; `on-stop` is run when it stops.  It does not start with a bad configuration. */
static const char *const control = "#!/bin/sh\n"
				   "cd DIR || exit 9\n"
				   "echo \"$1\" >>log\n"
				   "if [ -e \"fail-$1\" ]; then\n"
				   "	grep -q once \"fail-$1\" && rm \"fail-$1\"\n"
				   "	echo \"$1 does not work today\" >&2\n"
				   "	exit 1\n"
				   "fi\n"
				   "case $1 in\n"
				   "stop) rm -f running; [ ! -x ./on-stop ] || ./on-stop ;;\n"
				   "start) touch running ;;\n"
				   "check) grep -q good live/conf || { echo 'live/conf is not good' >&2; exit 1; } ;;\n"
				   "esac\n";

static const char *const service_yaml =
    "    components:\n"
    "      config: { paths: [DIR/live] }\n"
    "      data: { paths: [DIR/data] }\n"
    "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start], check: [DIR/ctl, check], timeout: 10s }\n"
    "    probes:\n"
    "      - { name: one, tier: shallow, exec: [/bin/true] }\n";

struct levers {
	struct world *w;
	bool unwell;     /* probes never pass */
	bool better;     /* and yet it is better than it was */
	unsigned proofs; /* how often they were asked */
	unsigned deep;   /* the deep ones, too */
	unsigned proof_takes_ms;
	bool unheard;      /* the controller is not heard from, where that is asked */
	bool by_hand;      /* nobody is asked */
	unsigned confirms; /* how often */
	uint64_t in_place_ms;
	int cancel_at; /* the n-th question is answered yes; 0: never */
	int asked;
	struct order_step steps[ROLLBACK_STEPS_MAX];
	unsigned step_count;
	void (*on_step)(struct world *w, const struct order_step *s);
};

static inline void lever_step(void *ctx, const struct order_step *s)
{
	struct levers *l = ctx;
	if (l->step_count < ROLLBACK_STEPS_MAX)
		l->steps[l->step_count++] = *s;
	if (l->on_step)
		l->on_step(l->w, s);
}

static inline bool lever_prove(void *ctx, const char *service, bool deep, char text[ROLLBACK_TEXT_MAX])
{
	struct levers *l = ctx;
	char conf[64];
	assert_string_equal(service, "svc");
	const struct timespec nap = {l->proof_takes_ms / 1000, l->proof_takes_ms % 1000 * 1000000L};
	l->proofs++;
	l->deep += deep;
	nanosleep(&nap, NULL);
	bool ok = !l->unwell && world_has(l->w, "running") && !world_has(l->w, "begun-by-others") &&
		  strstr(world_read(l->w, "live/conf", conf, sizeof conf), "good");
	if (!ok)
		text_copy(text, ROLLBACK_TEXT_MAX, "one: no answer");
	return ok;
}

static inline bool lever_cancelled(void *ctx)
{
	struct levers *l = ctx;
	return ++l->asked == l->cancel_at;
}

static inline uint64_t lever_now(void *ctx)
{
	return ++((struct levers *)ctx)->w->now_ms;
}

static inline bool lever_confirm(
    void *ctx, const struct service_config *service, uint64_t in_place_ms, char text[ROLLBACK_TEXT_MAX])
{
	struct levers *l = ctx;
	char conf[64];
	l->confirms++;
	l->in_place_ms = in_place_ms;
	assert_string_equal(service->name, "svc");
	assert_non_null(strstr(world_read(l->w, "live/conf", conf, sizeof conf), "good")); /* it is in place */
	if (l->unheard)
		text_copy(text, ROLLBACK_TEXT_MAX, "nothing was heard");
	return !l->unheard;
}

static inline bool lever_better(void *ctx)
{
	return ((struct levers *)ctx)->better;
}

static inline struct rollback_io levers_io(struct levers *l)
{
	return (struct rollback_io){
	    l, lever_step, lever_prove, lever_cancelled, lever_now, l->by_hand ? NULL : lever_confirm, lever_better};
}

static inline void write_control(const struct world *w)
{
	char path[WORLD_PATH];
	FILE *f = fopen(world_path(w, "ctl", path), "we");
	assert_non_null(f);
	for (const char *at = control; *at; at++)
		if (strncmp(at, "DIR", 3) == 0) {
			assert_true(fputs(w->dir, f) >= 0);
			at += 2;
		} else {
			assert_true(fputc(*at, f) != EOF);
		}
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

/* Two folders of random things, a good configuration, running. */
static inline void service_make(struct world *w, const char *yaml, uint64_t seed, unsigned size)
{
	struct random r;
	char path[WORLD_PATH];
	random_init_seed(&r, seed);
	write_control(w);
	tree_make(w->live, &r, size);
	tree_make(world_path(w, "data", path), &r, size);
	world_write(w, "live/conf", "good\n");
	world_write(w, "running", "");
	world_configure(w, yaml);
}

static inline void service_break(struct world *w, uint64_t seed, unsigned count)
{
	struct random r;
	char path[WORLD_PATH];
	random_init_seed(&r, seed);
	tree_mutate(w->live, &r, count);
	tree_mutate(world_path(w, "data", path), &r, count);
	world_path(w, "live/conf", path);
	(void)!unlink(path);
	(void)!rmdir(path);
	world_write(w, "live/conf", "bad\n");
}

struct prints {
	uint64_t live, data;
};

static inline struct prints prints_of(const struct world *w)
{
	char path[WORLD_PATH];
	return (struct prints){tree_fingerprint(w->live), tree_fingerprint(world_path(w, "data", path))};
}

static inline bool prints_equal(struct prints a, struct prints b)
{
	return a.live == b.live && a.data == b.data;
}

static inline struct rollback_request service_request(struct world *w, struct id to)
{
	return (struct rollback_request){.order = world_id(w), .service = w->service, .snapshot = to};
}

#endif
