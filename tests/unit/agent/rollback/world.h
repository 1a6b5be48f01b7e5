/* tests/unit/agent/rollback/world.h: one service with real trees, a repository and a state folder, below one scratch
 * folder. */
#ifndef KEDGE_TESTS_UNIT_AGENT_ROLLBACK_WORLD_H
#define KEDGE_TESTS_UNIT_AGENT_ROLLBACK_WORLD_H

#include "tests/lib/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/rollback/converge.h"
#include "agent/rollback/rollback.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/scratch.h"
#include "tests/lib/trees/trees.h"

enum { WORLD_PATH = 512 };

struct world {
	char dir[SCRATCH_PATH];
	char repo_path[WORLD_PATH], state[WORLD_PATH], live[WORLD_PATH], copy[WORLD_PATH];
	struct arena *arena;
	struct repo *repo;
	const struct agent_config *config;
	const struct service_config *service;
	uint64_t now_ms;
};

#define MUST(call)                                                                                                     \
	do {                                                                                                           \
		struct err must_err_ = ERR_INIT, *err = &must_err_;                                                    \
		if ((call) != ERR_OK)                                                                                  \
			fail_msg("%s: %s", #call, must_err_.msg);                                                      \
	} while (0)

static inline char *world_path(const struct world *w, const char *name, char out[WORLD_PATH])
{
	assert_true(text_format(out, WORLD_PATH, "%s/%s", w->dir, name));
	return out;
}

/* yaml: what stands below `services: svc:`, with DIR for the scratch folder. */
static inline void world_configure(struct world *w, const char *yaml)
{
	struct buf text = BUF_INIT;
	buf_printf(&text, "host: h1\ndomain: example.org\nstate_directory: %s\nservices:\n  svc:\n", w->state);
	for (const char *at = yaml, *hit; *at; at = hit + 3) {
		hit = strstr(at, "DIR");
		if (!hit) {
			buf_text(&text, at);
			break;
		}
		buf_append(&text, at, (size_t)(hit - at));
		buf_text(&text, w->dir);
	}
	MUST(agent_config_parse("agent.yaml", buf_str(&text), text.size, w->arena, &w->config, err));
	buf_done(&text);
	w->service = agent_config_service(w->config, "svc");
	assert_non_null(w->service);
}

static inline void world_init(struct world *w)
{
	*w = (struct world){.now_ms = clock_wall_ms()};
	scratch_make(w->dir);
	world_path(w, "repo", w->repo_path);
	world_path(w, "state", w->state);
	world_path(w, "live", w->live);
	world_path(w, "copy", w->copy);
	w->arena = arena_new(256 << 20);
	assert_non_null(w->arena);
	MUST(repo_init(w->repo_path, "h1", err));
	MUST(repo_open(w->repo_path, "h1", &w->repo, err));
}

static inline void world_done(struct world *w)
{
	repo_close(w->repo);
	arena_free(w->arena);
	scratch_remove(w->dir);
}

static inline struct id world_snapshot(struct world *w)
{
	struct snapshot_options o = {.reason = SNAPSHOT_MANUAL, .now_ms = ++w->now_ms};
	struct snapshot_summary made;
	MUST(snapshot_create(w->repo, w->service, &o, w->arena, &made, err));
	return made.snapshot;
}

static inline void world_write(const struct world *w, const char *name, const char *text)
{
	char path[WORLD_PATH];
	FILE *f = fopen(world_path(w, name, path), "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static inline char *world_read(const struct world *w, const char *name, char *out, size_t size)
{
	char path[WORLD_PATH];
	FILE *f = fopen(world_path(w, name, path), "re");
	size_t n = f ? fread(out, 1, size - 1, f) : 0;
	if (f)
		(void)fclose(f);
	else
		text_copy(out, size, "(not there)");
	if (f)
		out[n] = '\0';
	return out;
}

static inline void world_folder(const struct world *w, const char *name)
{
	char path[WORLD_PATH];
	assert_int_equal(mkdir(world_path(w, name, path), 0755), 0);
}

static inline bool world_has(const struct world *w, const char *name)
{
	char path[WORLD_PATH];
	return faccessat(AT_FDCWD, world_path(w, name, path), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Names in dir that begin with ".kedge-": what a rollback must not leave behind. */
static inline unsigned world_leftovers(const char *dir)
{
	unsigned n = 0;
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += strncmp(e->d_name, ".kedge-", 7) == 0;
	closedir(d);
	return n;
}

static inline struct id world_id(struct world *w)
{
	struct random random;
	random_init_system(&random);
	return id_new(++w->now_ms, &random);
}

static inline struct converge_spec world_spec(const struct world *w, struct snapshot *s)
{
	return (struct converge_spec){
	    .snapshot = s, .service = w->service, .components = (1u << COMPONENT_COUNT) - 1, .token = "ord-test"};
}

/* Make it equal to the restore point. */
static inline struct converge_counts world_converge(struct world *w, struct id to)
{
	struct snapshot *s;
	struct converge *c;
	MUST(snapshot_open(w->repo, to, &s, err));
	struct converge_spec spec = world_spec(w, s);
	MUST(converge_stage(&spec, &c, err));
	MUST(converge_apply(c, err));
	struct converge_counts n = *converge_counts(c);
	converge_free(c);
	struct converge_check check;
	MUST(converge_verify(&spec, &check, err));
	if (!check.equal)
		fail_msg("%llu differences: %s", (unsigned long long)check.differences, check.difference);
	snapshot_close(s);
	return n;
}

#endif
