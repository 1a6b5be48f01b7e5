/* Who else writes there? */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/rollback/walk.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { ROOTS_MAX = SNAPSHOT_ROOTS_MAX, DECIMAL = 10 };

struct watch {
	char *roots[ROOTS_MAX];
	size_t count;
}; /* real paths */

static bool is_within(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static const char *root_of(const struct watch *w, const char *path)
{
	for (size_t i = 0; i < w->count; i++)
		if (is_within(path, w->roots[i]))
			return w->roots[i];
	return NULL;
}

static void name_process(const char *pid, char out[NAME_MAX_BYTES])
{
	char path[64];
	text_copy(out, NAME_MAX_BYTES, "?");
	if (!text_format(path, sizeof path, "/proc/%.20s/comm", pid))
		return;
	CLEANUP(cleanup_file) FILE *f = fopen(path, "re");
	if (f && fgets(out, NAME_MAX_BYTES, f))
		out[strcspn(out, "\n")] = '\0';
}

/* The link's own permissions tell how the file was opened (proc(5)). */
static enum err_code look_at_process(const struct watch *w, const char *pid, struct err *reterr)
{
	char folder[64], target[PATH_LIMIT], shown[PATH_LIMIT], name[NAME_MAX_BYTES];
	if (!text_format(folder, sizeof folder, "/proc/%.20s/fd", pid))
		return ERR_OK;
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		struct stat st;
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1);
		if (n <= 0 || *target != '/' || fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !(st.st_mode & S_IWUSR))
			continue;
		target[n] = '\0';
		if (!root_of(w, target))
			continue;
		name_process(pid, name);
		return err_set(reterr, ERR_BUSY, "process %s (%s) has %.300s open for writing: stop it first", pid,
		    name, snapshot_path_text(target, shown, sizeof shown));
	}
	return ERR_OK;
}

static enum err_code look_at_all(const struct watch *w, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *proc = opendir("/proc");
	if (!proc)
		return err_sys(reterr, errno, "/proc cannot be read, so that nobody knows who writes");
	enum err_code rc = ERR_OK;
	for (struct dirent *e; rc == ERR_OK && (e = readdir(proc));)
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && strtol(e->d_name, NULL, DECIMAL) != getpid())
			rc = look_at_process(w, e->d_name, reterr);
	return rc;
}

enum err_code writers_refuse(
    const struct snapshot_summary *about, const struct service_config *service, uint32_t components, struct err *reterr)
{
	struct watch w = {.count = 0};
	for (size_t i = 0; i < about->components.count; i++) {
		const struct snapshot_component *c = &LIST_AT(about->components, struct snapshot_component, i);
		const struct component_config *config =
		    components_get(&service->components, (enum component)c->component);
		if (!(components & 1u << c->component) || !config || !config->refuse_open_writers)
			continue;
		for (size_t k = 0; k < c->roots.count && w.count < ROOTS_MAX; k++) {
			const struct snapshot_root *r = &LIST_AT(c->roots, struct snapshot_root, k);
			char *real = r->kind == ROOT_PREPARED ? NULL : realpath(r->path, NULL);
			if (real)
				w.roots[w.count++] = real;
		}
	}
	enum err_code rc = w.count ? look_at_all(&w, reterr) : ERR_OK;
	for (size_t i = 0; i < w.count; i++)
		free(w.roots[i]);
	return rc;
}
