/* Who else writes there? */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/rollback/prepared_internal.h"
#include "agent/rollback/site.h"
#include "agent/rollback/walk.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum {
	ROOTS_MAX = SNAPSHOT_ROOTS_MAX,
	DECIMAL = 10,
	WRITERS_ASK_MS = 5000, /* what a program may take to close its files */
	WRITERS_KILL_MS = 2000,
	WRITERS_MAX = 256,   /* ended in one rollback: more are no writers but a workload */
	MAPS_READ = 8 << 10, /* at once: the kernel gives a page at most, and a line has a path in it */
	MAPS_MAX = 8 << 20,  /* bytes of /proc/PID/maps that are looked at */
};

struct aside {            /* a tree that an exchange put aside */
	char *tree;       /* where it lies now */
	size_t size;      /* of that path */
	const char *path; /* where it lay */
};

struct stage { /* the staging folder of a root that was put back file by file: what was replaced went through it */
	char *folder;
	size_t size;      /* of that path */
	const char *path; /* of the root */
};

struct watch { /* a look at every process */
	char *roots[ROOTS_MAX];
	size_t count; /* real paths */
	struct aside *asides;
	size_t aside_count;
	struct stage *stages;
	size_t stage_count;
	const struct converge *replaced; /* what knows the names in them; NULL: nobody does any more */
	/* Called for a file below a root that a process has open, or mapped, for writing.  Not ERR_OK: that is enough.
	 */
	enum err_code (*found)(const struct watch *w, const char *pid, const char *path, struct err *reterr);
};

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

/* Is it one of a process's mappings that is looked for?  rights as in proc(5): "rw-s". */
typedef bool map_fn(const struct watch *w, const char *rights, const char *target, char path[PATH_LIMIT]);

/* Without stdio, whose buffer for it would be a quarter of what the kernel gives at once. */
static bool find_map(const struct watch *w, const char *pid, map_fn *is_it, char path[PATH_LIMIT])
{
	char name[64], text[MAPS_READ + 1];
	size_t have = 0, seen = 0;
	ssize_t got;
	if (!text_format(name, sizeof name, "/proc/%.20s/maps", pid))
		return false;
	CLEANUP(cleanup_fd) int fd = open(name, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && seen < MAPS_MAX && (got = read(fd, text + have, MAPS_READ - have)) > 0) {
		char *line = text, *end;
		have += (size_t)got;
		seen += (size_t)got;
		text[have] = '\0';
		for (; (end = memchr(line, '\n', have - (size_t)(line - text))); line = end + 1) {
			*end = '\0';
			const char *rights = strchr(line, ' '), *at = strchr(line, '/');
			if (rights && at && is_it(w, rights + 1, at, path))
				return true;
		}
		have -= (size_t)(line - text);
		memmove(text, line, have);
		if (have == MAPS_READ) /* no path is as long as this */
			have = 0;
	}
	return false;
}

/* What is written there reaches the file, though no descriptor of it is open any more. */
static bool writes_by_map(const struct watch *w, const char *rights, const char *target, char path[PATH_LIMIT])
{
	if (strcspn(rights, " ") != 4 || rights[1] != 'w' || rights[3] != 's' || !root_of(w, target))
		return false;
	text_copy(path, PATH_LIMIT, target);
	return true;
}

/* The link's own permissions tell how the file was opened (proc(5)). */
static enum err_code look_at_process(const struct watch *w, const char *pid, struct err *reterr)
{
	char folder[64], target[PATH_LIMIT];
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
		if (root_of(w, target))
			return w->found(w, pid, target, reterr);
	}
	return find_map(w, pid, writes_by_map, target) ? w->found(w, pid, target, reterr) : ERR_OK;
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

/* Roots of the components for which `matters` says so. */
static void watch_begin(struct watch *w, const struct snapshot_summary *about, const struct service_config *service,
    uint32_t components, bool (*matters)(enum component which, const struct component_config *config))
{
	*w = (struct watch){.count = 0};
	for (size_t i = 0; i < about->components.count; i++) {
		const struct snapshot_component *c = &LIST_AT(about->components, struct snapshot_component, i);
		const struct component_config *config =
		    components_get(&service->components, (enum component)c->component);
		if (!(components & 1u << c->component) || !config || !matters((enum component)c->component, config))
			continue;
		for (size_t k = 0; k < c->roots.count && w->count < ROOTS_MAX; k++) {
			const struct snapshot_root *r = &LIST_AT(c->roots, struct snapshot_root, k);
			char *real = r->kind == ROOT_PREPARED ? NULL : realpath(r->path, NULL);
			if (real)
				w->roots[w->count++] = real;
		}
	}
}

static void watch_end(struct watch *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->roots[i]);
	for (size_t i = 0; i < w->aside_count; i++)
		free(w->asides[i].tree);
	free(w->asides);
	for (size_t i = 0; i < w->stage_count; i++)
		free(w->stages[i].folder);
	free(w->stages);
}

/* ---- refused ---- */

static enum err_code refuse(const struct watch *w, const char *pid, const char *path, struct err *reterr)
{
	char shown[PATH_LIMIT], name[NAME_MAX_BYTES];
	(void)w;
	name_process(pid, name);
	return err_set(reterr, ERR_BUSY, "process %s (%s) has %.300s open for writing: stop it first", pid, name,
	    snapshot_path_text(path, shown, sizeof shown));
}

static bool refuses(enum component which, const struct component_config *config)
{
	(void)which;
	return config->refuse_open_writers;
}

enum err_code writers_refuse(
    const struct snapshot_summary *about, const struct service_config *service, uint32_t components, struct err *reterr)
{
	struct watch w;
	watch_begin(&w, about, service, components, refuses);
	w.found = refuse;
	enum err_code rc = w.count ? look_at_all(&w, reterr) : ERR_OK;
	watch_end(&w);
	return rc;
}

/* ---- stopped ---- */

static bool stops(enum component which, const struct component_config *config)
{
	(void)which;
	return config->stop_open_writers;
}

/* The descriptor is the process: a number that is given to somebody else meanwhile is not hit.  It is looked at again
 * once it is held. */
static enum err_code end_process(const struct watch *w, const char *pid, const char *path, struct err *reterr)
{
	struct watch again = *w;
	struct err still = ERR_INIT;
	char name[NAME_MAX_BYTES];
	(void)path;
	name_process(pid, name);
	CLEANUP(cleanup_fd) int fd = pidfd_open((pid_t)strtol(pid, NULL, DECIMAL), 0);
	again.found = refuse;
	if (fd < 0 || look_at_process(&again, pid, &still) == ERR_OK)
		return ERR_OK; /* it is gone, or writes no more */
	struct pollfd p = {.fd = fd, .events = POLLIN};
	(void)pidfd_send_signal(fd, SIGTERM, NULL, 0);
	if (poll(&p, 1, WRITERS_ASK_MS) == 1)
		return ERR_OK;
	(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
	if (poll(&p, 1, WRITERS_KILL_MS) == 1)
		return ERR_OK;
	return err_set(reterr, ERR_BUSY, "process %s (%s) writes there and cannot be ended", pid, name);
}

enum err_code writers_stop(
    const struct snapshot_summary *about, const struct service_config *service, uint32_t components, struct err *reterr)
{
	struct watch w;
	watch_begin(&w, about, service, components, stops);
	w.found = end_process;
	enum err_code rc = w.count ? look_at_all(&w, reterr) : ERR_OK;
	w.found = refuse; /* and nobody came meanwhile */
	if (rc == ERR_OK && w.count)
		rc = look_at_all(&w, reterr);
	watch_end(&w);
	return rc;
}

/* ---- afterwards: who still uses what was replaced ---- */

#define GONE " (deleted)"

static bool still_stands(enum component which, const struct component_config *config)
{
	(void)config;
	return which == COMPONENT_CONFIG || which == COMPONENT_CODE;
}

/* What was exchanged has its names still, but beside.  False: out of memory. */
static bool watch_asides(struct watch *w, const struct walk *walk)
{
	size_t most = 0;
	for (size_t i = 0; i < walk->exchange_count; i++)
		most += walk->exchange[i]->roots.count;
	w->asides = calloc(most + 1, sizeof *w->asides);
	for (size_t i = 0; w->asides && i < walk->exchange_count; i++)
		for (size_t k = 0; k < walk->exchange[i]->roots.count; k++) {
			const struct prepared_root *r = &LIST_AT(walk->exchange[i]->roots, struct prepared_root, k);
			char *tree;
			int n = asprintf(&tree, "%s/" PREPARED_TREE, r->folder);
			if (n < 0)
				return false;
			w->asides[w->aside_count++] = (struct aside){tree, (size_t)n, r->path};
		}
	return w->asides;
}

/* False: out of memory. */
static bool watch_stages(struct watch *w, const struct walk *walk)
{
	const struct snapshot_summary *about = snapshot_about(walk->target);
	size_t most = 0;
	for (size_t i = 0; i < about->components.count; i++)
		most += LIST_AT(about->components, struct snapshot_component, i).roots.count;
	w->replaced = walk->c;
	w->stages = calloc(most + 1, sizeof *w->stages);
	for (size_t i = 0; w->stages && i < about->components.count; i++) {
		const struct snapshot_component *c = &LIST_AT(about->components, struct snapshot_component, i);
		if (!(walk_in_parts(walk) & 1u << c->component) || !still_stands((enum component)c->component, NULL))
			continue;
		for (size_t k = 0; k < c->roots.count; k++) {
			struct site site;
			const char *path = LIST_AT(c->roots, struct snapshot_root, k).path;
			if (site_init(&site, about, (enum component)c->component, path, walk->token, NULL) != ERR_OK)
				continue; /* such a root is not put back */
			char *folder = strdup(site.stage);
			if (!folder)
				return false;
			w->stages[w->stage_count++] = (struct stage){folder, strlen(folder), path};
		}
	}
	return w->stages;
}

/* "/srv/app/lib.so (deleted)": the kernel's word for a file whose name is gone. */
static bool is_gone(const struct watch *w, const char *target)
{
	return *target == '/' && text_ends(target, GONE) && root_of(w, target);
}

/* "/srv/.kedge-prepared-…/tree/lib.so" was "/srv/app/lib.so". */
static const struct aside *aside_of(const struct watch *w, const char *target)
{
	for (size_t i = 0; i < w->aside_count; i++)
		if (is_within(target, w->asides[i].tree))
			return &w->asides[i];
	return NULL;
}

/* "/srv/.kedge-ord-…/17", mostly gone already, was "/srv/app/lib.so". */
static bool was_replaced(const struct watch *w, const char *target, char was[PATH_LIMIT])
{
	for (size_t i = 0; i < w->stage_count; i++) {
		const struct stage *s = &w->stages[i];
		char name[NAME_MAX_BYTES];
		if (strncmp(target, s->folder, s->size) != 0 || target[s->size] != '/')
			continue;
		text_copy(name, sizeof name, target + s->size + 1);
		name[strcspn(name, " ")] = '\0';
		const char *path = w->replaced ? converge_replaced(w->replaced, s->folder, name) : NULL;
		(void)text_format(was, PATH_LIMIT, "%s%s%s", s->path, path ? "/" : "", path ? path : "");
		return true;
	}
	return false;
}

/* Then was becomes the path that it had.  Asked of every line of every process. */
static bool is_stale(const struct watch *w, const char *target, char was[PATH_LIMIT])
{
	const struct aside *a = aside_of(w, target);
	if (was_replaced(w, target, was))
		return true;
	if (!a && !is_gone(w, target))
		return false;
	if (a)
		(void)text_format(was, PATH_LIMIT, "%s%s", a->path, target + a->size);
	else
		(void)text_format(was, PATH_LIMIT, "%.*s", (int)(strlen(target) - strlen(GONE)), target);
	return true;
}

/* *ret_there: the link can be read at all. */
static bool stale_link(const struct watch *w, const char *pid, const char *what, char was[PATH_LIMIT], bool *ret_there)
{
	char path[96], target[PATH_LIMIT];
	ssize_t n = text_format(path, sizeof path, "/proc/%.20s/%s", pid, what)
			? readlink(path, target, sizeof target - 1)
			: -1;
	target[n > 0 ? n : 0] = '\0';
	*ret_there = n > 0;
	return n > 0 && is_stale(w, target, was);
}

static bool is_stale_map(const struct watch *w, const char *rights, const char *target, char was[PATH_LIMIT])
{
	(void)rights;
	return is_stale(w, target, was);
}

static bool stale_file(const struct watch *w, const char *pid, char was[PATH_LIMIT])
{
	char folder[64], target[PATH_LIMIT];
	if (!text_format(folder, sizeof folder, "/proc/%.20s/fd", pid))
		return false;
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		ssize_t n = e->d_name[0] == '.' ? 0 : readlinkat(dirfd(dir), e->d_name, target, PATH_LIMIT - 1);
		target[n > 0 ? n : 0] = '\0';
		if (n > 0 && is_stale(w, target, was))
			return true;
	}
	return false;
}

/* What may not be read of a process at all, or has no program, has nothing to tell.  A folder that was exchanged is
 * found again by its path only: whoever stands in it stands in the old one. */
static bool uses_old(const struct watch *w, const char *pid, char was[PATH_LIMIT])
{
	bool there, stands;
	return stale_link(w, pid, "exe", was, &there) ||
	       (there && ((w->aside_count && stale_link(w, pid, "cwd", was, &stands)) ||
			     find_map(w, pid, is_stale_map, was) || stale_file(w, pid, was)));
}

/* Every second process, so that two threads look at all. */
struct half {
	const struct watch *w;
	long which;
	bool threaded, found;
	pthread_t thread;
	char text[TEXT_LINE_MAX];
};

static void *look_at_half(void *arg)
{
	struct half *h = arg;
	char was[PATH_LIMIT], shown[PATH_LIMIT], name[NAME_MAX_BYTES];
	CLEANUP(cleanup_dir) DIR *proc = opendir("/proc");
	for (struct dirent *e; proc && !h->found && (e = readdir(proc));) {
		const char *pid = e->d_name;
		long number = *pid >= '0' && *pid <= '9' ? strtol(pid, NULL, DECIMAL) : getpid();
		if (number == getpid() || number % 2 != h->which || !uses_old(h->w, pid, was))
			continue;
		h->found = true;
		name_process(pid, name);
		(void)text_format(h->text, sizeof h->text, "process %.20s (%s) still uses %.300s as it was before", pid,
		    name, snapshot_path_text(was, shown, sizeof shown));
	}
	return NULL;
}

/* Two threads, of which one is this. */
static void look_for_old(const struct watch *w, struct half halves[2])
{
	halves[0] = (struct half){.w = w};
	halves[1] = (struct half){.w = w, .which = 1};
	halves[1].threaded = pthread_create(&halves[1].thread, NULL, look_at_half, &halves[1]) == 0;
	(void)look_at_half(&halves[0]);
	if (halves[1].threaded)
		pthread_join(halves[1].thread, NULL);
	else
		(void)look_at_half(&halves[1]);
}

bool writers_find_stale(const struct walk *walk, char text[TEXT_LINE_MAX])
{
	struct watch w;
	struct half halves[2] = {{0}};
	watch_begin(&w, snapshot_about(walk->target), walk->r->service, (uint32_t)walk->j.components, still_stands);
	bool known = watch_asides(&w, walk) && watch_stages(&w, walk);
	if (known && (w.count || w.aside_count))
		look_for_old(&w, halves);
	watch_end(&w);
	if (!known)
		text_copy(text, TEXT_LINE_MAX, "out of memory to look who still uses what was replaced");
	for (unsigned i = 0; i < 2; i++)
		if (halves[i].found) {
			text_copy(text, TEXT_LINE_MAX, halves[i].text);
			return true;
		}
	return !known;
}
