/* tests/lib/snapshot_world.h: a repository and a service of three components in a folder of the test's own. */
#ifndef KEDGE_TESTS_LIB_SNAPSHOT_WORLD_H
#define KEDGE_TESTS_LIB_SNAPSHOT_WORLD_H

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/snapshot/snapshot.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

enum { WORLD_NOW_MS = 1700000000, WORLD_PATH = 512 };
#define WORLD_HOST "web-1"

struct world {
	char dir[SCRATCH_PATH], repo_path[WORLD_PATH], config_dir[WORLD_PATH], data_dir[WORLD_PATH], out[WORLD_PATH];
	const char *config_paths[4], *data_paths[4], *excludes[4];
	struct component_config config, data;
	struct service_config service;
	struct repo *repo;
	struct arena *arena;
	uint64_t now_ms;
	struct err err;
};

/* Fails the test with the error's words. */
#define WORLD_OK(w, call)                                                                                              \
	do {                                                                                                           \
		enum err_code code_ = (call);                                                                          \
		if (code_)                                                                                             \
			fail_msg("%s: %s: %s", #call, err_code_name(code_), (w)->err.msg);                             \
	} while (0)

static inline void world_open(struct world *w)
{
	WORLD_OK(w, repo_open(w->repo_path, WORLD_HOST, &w->repo, &w->err));
}

static inline void world_close(struct world *w)
{
	repo_close(w->repo);
	w->repo = NULL;
}

static inline void world_init(struct world *w)
{
	memset(w, 0, sizeof *w);
	scratch_make(w->dir);
	(void)text_format(w->repo_path, WORLD_PATH, "%s/repo", w->dir);
	(void)text_format(w->config_dir, WORLD_PATH, "%s/etc", w->dir);
	(void)text_format(w->data_dir, WORLD_PATH, "%s/var", w->dir);
	(void)text_format(w->out, WORLD_PATH, "%s/out", w->dir);
	w->arena = arena_new(0);
	w->now_ms = WORLD_NOW_MS * (uint64_t)1000;
	assert_int_equal(mkdir(w->config_dir, 0755), 0);
	assert_int_equal(mkdir(w->data_dir, 0755), 0);
	w->config_paths[0] = w->config_dir;
	w->data_paths[0] = w->data_dir;
	w->config.paths = (struct list){w->config_paths, 1};
	w->data.paths = (struct list){w->data_paths, 1};
	w->service = (struct service_config){.name = "portal", .components = {.config = &w->config, .data = &w->data}};
	WORLD_OK(w, repo_init(w->repo_path, WORLD_HOST, &w->err));
	world_open(w);
}

static inline void world_done(struct world *w)
{
	world_close(w);
	arena_free(w->arena);
	scratch_remove(w->dir);
}

/* A file below dir. */
static inline void world_write(const char *dir, const char *name, const void *data, size_t size)
{
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const char *)data + done, size - done);
		assert_true(n > 0);
		done += (size_t)n;
	}
	close(fd);
}

static inline void world_text(const char *dir, const char *name, const char *text)
{
	world_write(dir, name, text, strlen(text));
}

/* Bytes that neither compress nor repeat, the same for the same seed. */
static inline void world_noise(const char *dir, const char *name, size_t size, uint64_t seed)
{
	struct random random;
	uint8_t *data = malloc(size + 1);
	assert_non_null(data);
	random_init_seed(&random, seed);
	random_fill(&random, data, size);
	world_write(dir, name, data, size);
	free(data);
}

/* Old enough that its times tell every later change. */
static inline void world_settle(void)
{
	usleep(60 * 1000);
}

static inline enum err_code world_create(struct world *w, struct snapshot_summary *ret)
{
	struct snapshot_options o = {.reason = SNAPSHOT_MANUAL, .now_ms = w->now_ms};
	w->now_ms += 1000;
	return snapshot_create(w->repo, &w->service, &o, w->arena, ret, &w->err);
}

static inline enum err_code world_verify(struct world *w, struct id id, struct verify_result *ret)
{
	struct verify_options o = {.now_ms = w->now_ms};
	return snapshot_verify(w->repo, id, &o, ret, &w->err);
}

static inline size_t world_count(struct world *w)
{
	struct list all, damaged;
	WORLD_OK(w, snapshot_list(w->repo, NULL, w->arena, &all, &damaged, &w->err));
	assert_int_equal(damaged.count, 0);
	return all.count;
}

/* Runs a program, returns its output's size and, in out, its beginning; -1: it failed or is not there. */
static inline ssize_t world_run(const char *const argv[], char *out, size_t size)
{
	int fds[2], status;
	size_t used = 0;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	for (;;) {
		char sink[4096];
		ssize_t n =
		    read(fds[0], used + 1 < size ? out + used : sink, used + 1 < size ? size - 1 - used : sizeof sink);
		if (n <= 0)
			break;
		if (used + 1 < size)
			used += (size_t)n;
	}
	close(fds[0]);
	out[used] = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? (ssize_t)used : -1;
}

static inline bool world_has(const char *program)
{
	char out[256];
	const char *const argv[] = {program, "--version", NULL};
	return world_run(argv, out, sizeof out) >= 0;
}

/* What rsync would change to make b equal a, times to the nanosecond; "": nothing. */
static inline ssize_t world_differences(const char *a, const char *b, char *out, size_t size)
{
	char from[WORLD_PATH * 2], to[WORLD_PATH * 2];
	(void)text_format(from, sizeof from, "%s/", a);
	(void)text_format(to, sizeof to, "%s/", b);
	const char *const argv[] = {"rsync", "-niaHAX", "--modify-window=-1", "--checksum", "--delete", "--specials",
	    "--devices", from, to, NULL};
	return world_run(argv, out, size);
}

/* rsync finds nothing that it would change between two trees: the independent judge. */
static inline void world_same_trees(const char *a, const char *b)
{
	char out[2048];
	if (world_differences(a, b, out, sizeof out) != 0)
		fail_msg("rsync sees differences between %s and %s:\n%s", a, b, out);
}

#endif
