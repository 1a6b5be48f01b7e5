/* agent/rollback/prepare.c: staging trees beforehand, and removing them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/rollback/journal.h"
#include "agent/rollback/prepared_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/map.h"
#include "shared/base/text.h"

enum { BLOCK = 4096, MOUNTS_MAX = 8 << 20 /* of /proc/self/mountinfo: tens of thousands of mounts */ };

/* ---- what stands in the way ---- */

static bool is_within(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* "a\040b" is "a b" (proc(5)). */
static void unescape(char *text)
{
	char *to = text;
	for (const char *at = text; *at; to++) {
		bool octal = at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
			     at[3] >= '0' && at[3] <= '7';
		*to = (char)(octal ? (at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0') : *at);
		at += octal ? 4 : 1;
	}
	*to = '\0';
}

/* The first mount point at or below a folder (a real path); "" when there is none, NULL when that cannot be told. */
static const char *mount_below(struct arena *arena, const char *folder)
{
	CLEANUP(buf_done) struct buf all = BUF_INIT;
	if (file_read("/proc/self/mountinfo", MOUNTS_MAX, &all, NULL) != ERR_OK)
		return NULL;
	char *line = (char *)(uintptr_t)buf_str(&all);
	while (line && *line) { /* 36 35 98:0 /root /mount/point options … */
		char *next = strchr(line, '\n'), *at = line;
		if (next)
			*next++ = '\0';
		for (unsigned field = 0; at && field < 4; field++)
			at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL;
		if (at) {
			at[strcspn(at, " ")] = '\0';
			unescape(at);
			if (is_within(at, folder))
				return arena_strdup(arena, at);
		}
		line = next;
	}
	return "";
}

static const char *root_obstacle(
    struct arena *arena, const struct component_config *config, const struct snapshot_root *root, const char *own)
{
	struct stat live, above;
	char holder[PATH_LIMIT];
	const char *spared = converge_spared_below(config, own, root->path);
	if (root->kind != ROOT_PLAIN && root->kind != ROOT_GIT)
		return "a release is one symlink, which is put back in place at once";
	if (spared)
		return arena_printf(arena, "%s lies below %s and is never put back", spared, root->path);
	text_copy(holder, sizeof holder, root->path);
	*strrchr(holder, '/') = '\0';
	if (!root->path[1] || lstat(root->path, &live) != 0 || !S_ISDIR(live.st_mode) ||
	    stat(*holder ? holder : "/", &above) != 0)
		return arena_printf(arena, "%s is no folder that is there now", root->path);
	char *real = realpath(root->path, NULL);
	const char *mount = real ? mount_below(arena, real) : NULL;
	free(real);
	if (!mount)
		return arena_printf(arena, "it cannot be told what is mounted below %s", root->path);
	if (*mount || live.st_dev != above.st_dev)
		return arena_printf(
		    arena, "a file system is mounted at %s, and would go with the tree", *mount ? mount : root->path);
	return NULL;
}

const char *prepared_obstacle(struct arena *arena, const struct service_config *service,
    const struct snapshot_summary *about, enum component component, const char *own)
{
	const struct component_config *config = components_get(&service->components, component);
	const struct snapshot_component *c = snapshot_summary_component(about, component);
	const char *why = NULL;
	if (component == COMPONENT_DATABASE)
		return "a database is staged by its own adapter";
	if (component == COMPONENT_CONFIG)
		return "its certificates and secrets are compared with those of the moment: it goes in place";
	if (!config || !c || snapshot_summary_absent(about, component))
		return "not all of it is in that restore point";
	if (config->exclude.count || c->exclude.count)
		return "it leaves something out (exclude), which would go with the tree";
	if (config->secrets.count)
		return "it holds secrets, which are compared with those of the moment: it goes in place";
	for (size_t i = 0; i < c->roots.count && !why; i++)
		why = root_obstacle(arena, config, &LIST_AT(c->roots, struct snapshot_root, i), own);
	return why;
}

/* ---- room ---- */

struct measure {
	uint64_t entries, bytes;
	bool ok; /* each root is a folder, and no file has names in two of them */
};

static struct measure measure(const struct snapshot *s, enum component component)
{
	struct snapshot_cursor cursor = SNAPSHOT_CURSOR(component);
	struct measure m = {.ok = true};
	struct snapshot_entry e;
	struct map *links = map_new();
	while (m.ok && links && snapshot_next(s, &cursor, &e)) {
		m.entries++;
		m.bytes += e.type == ENTRY_FILE && !e.sparse ? (e.size + BLOCK - 1) / BLOCK * BLOCK : BLOCK;
		m.ok = *e.path || e.type == ENTRY_DIRECTORY;
		if (!e.link || e.type == ENTRY_DIRECTORY)
			continue;
		uintptr_t root = (uintptr_t)map_get(links, &e.link, sizeof e.link);
		m.ok = root ? root == e.root + 1u
			    : map_put(links, &e.link, sizeof e.link, (void *)(uintptr_t)(e.root + 1u));
	}
	snapshot_cursor_done(s, &cursor);
	m.ok = m.ok && links;
	map_free(links);
	return m;
}

static enum err_code check_room(const struct prepared *p, const struct measure *m, struct err *reterr)
{
	char wanted[TEXT_TIME_MAX], there[TEXT_TIME_MAX];
	for (size_t i = 0; i < p->roots.count; i++) { /* of all roots on each: they mostly share one file system */
		const char *path = LIST_AT(p->roots, struct prepared_root, i).path;
		struct statvfs fs;
		if (statvfs(path, &fs) != 0)
			return err_sys(reterr, errno, "%s cannot be looked at", path);
		uint64_t need = m->bytes + m->bytes / 5, room = (uint64_t)fs.f_bavail * fs.f_frsize;
		if (room < need)
			return err_set(reterr, ERR_FULL, "not enough room beside %s: %s are needed, %s are free", path,
			    text_size_human(need, wanted), text_size_human(room, there));
		if (fs.f_files && fs.f_favail < m->entries + m->entries / 5)
			return err_set(reterr, ERR_FULL, "not enough inodes beside %s: %llu are needed, %llu are free",
			    path, (unsigned long long)(m->entries + m->entries / 5), (unsigned long long)fs.f_favail);
	}
	return ERR_OK;
}

/* ---- removing ---- */

static enum err_code remove_folder(const char *folder, struct err *reterr)
{
	char holder[PATH_LIMIT];
	struct stat before;
	text_copy(holder, sizeof holder, folder);
	char *slash = strrchr(holder, '/');
	if (!slash)
		return err_set(reterr, ERR_INVALID, "%s is no folder of ours", folder);
	*slash = '\0';
	CLEANUP(cleanup_fd) int fd = open(*holder ? holder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s cannot be opened", holder);
	bool timed = fstat(fd, &before) == 0;
	enum err_code rc = remove_below(fd, slash + 1, reterr);
	if (timed)
		(void)futimens(fd, (const struct timespec[2]){{0, UTIME_OMIT}, before.st_mtim});
	return rc == ERR_OK ? ERR_OK : err_prefix(reterr, rc, "%s", folder);
}

/* An interrupted rollback that would exchange it, or has, must be brought to an end first. */
static bool is_in_a_journal(const char *state_directory, struct id id, struct arena *arena)
{
	char folder[PATH_LIMIT];
	struct list open = {0};
	if (!text_format(folder, sizeof folder, "%s/rollback", state_directory) ||
	    rollback_journal_open(folder, arena, &open, NULL) != ERR_OK)
		return true;
	for (size_t i = 0; i < open.count; i++) {
		const struct journal *j = &LIST_AT(open, struct journal, i);
		for (size_t k = 0; k < j->prepared.count; k++)
			if (id_equal(LIST_AT(j->prepared, struct id, k), id))
				return true;
	}
	return false;
}

/* From now on no rollback will use it. */
static enum err_code disown(const char *state_directory, struct prepared *p, struct arena *arena, struct err *reterr)
{
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc =
	    prepared_lock(state_directory, p->service, PREPARED_LOCK_ROLLBACK, PREPARED_WAIT_MS, &lock, reterr);
	if (rc == ERR_OK && is_in_a_journal(state_directory, p->id, arena))
		rc = err_set(reterr, ERR_BUSY,
		    "an interrupted rollback of %s needs it: `kedge-agent rollback recover` comes first", p->service);
	if (rc == ERR_OK)
		rc = prepared_read(state_directory, p->id, arena, p, reterr);
	if (rc == ERR_OK && prepared_state_of(p, 0) == PREPARED_UNSAVED)
		rc = err_set(reterr, ERR_BUSY, "what it set aside is not saved yet: `kedge-agent rollback settle %s`",
		    p->service);
	if (rc != ERR_OK || !p->complete)
		return rc;
	p->complete = false;
	return prepared_write(state_directory, p, reterr);
}

enum err_code prepared_remove(const char *state_directory, struct prepared *p, struct arena *arena, struct err *reterr)
{
	enum err_code rc = disown(state_directory, p, arena, reterr);
	for (size_t i = 0; rc == ERR_OK && i < p->roots.count; i++)
		rc = remove_folder(LIST_AT(p->roots, struct prepared_root, i).folder, reterr);
	return rc == ERR_OK ? prepared_forget(state_directory, p->id, reterr) : rc;
}

enum err_code rollback_prepared_drop(const char *state_directory, const char *service, struct id snapshot,
    uint32_t components, struct arena *arena, size_t *ret, struct err *reterr)
{
	CLEANUP(cleanup_fd) int lock = -1;
	struct list all = {0};
	size_t dropped = 0;
	enum err_code rc =
	    prepared_lock(state_directory, service, PREPARED_LOCK_STAGING, PREPARED_WAIT_MS, &lock, reterr);
	if (rc == ERR_OK)
		rc = prepared_list(state_directory, service, arena, &all, reterr);
	for (size_t i = 0; rc == ERR_OK && i < all.count; i++) {
		struct prepared *p = &LIST_AT(all, struct prepared, i);
		if ((!id_is_zero(snapshot) && !id_equal(p->snapshot, snapshot)) ||
		    (components && !(components & 1u << p->component)))
			continue;
		rc = prepared_remove(state_directory, p, arena, reterr);
		dropped += rc == ERR_OK;
	}
	if (rc == ERR_OK)
		*ret = dropped;
	return rc;
}

static bool is_useless(
    struct repo *repo, const char *state_directory, const struct prepared *p, uint64_t now_ms, struct arena *arena)
{
	struct snapshot_summary about;
	enum prepared_state state = prepared_state_of(p, now_ms);
	if (state != PREPARED_READY)
		return state != PREPARED_UNSAVED;
	return !prepared_is_sealed(state_directory, p) ||
	       snapshot_get(repo, p->snapshot, arena, &about, NULL) == ERR_NOT_FOUND;
}

enum err_code rollback_prepared_sweep(struct repo *repo, const char *state_directory, uint64_t now_ms,
    struct arena *arena, size_t *ret, struct err *reterr)
{
	struct list all = {0};
	size_t dropped = 0;
	enum err_code rc = prepared_list(state_directory, NULL, arena, &all, reterr);
	for (size_t i = 0; rc == ERR_OK && i < all.count; i++) {
		struct prepared *p = &LIST_AT(all, struct prepared, i);
		struct err why = ERR_INIT;
		CLEANUP(cleanup_fd) int lock = -1;
		if (prepared_lock(state_directory, p->service, PREPARED_LOCK_STAGING, 0, &lock, NULL) != ERR_OK ||
		    !is_useless(repo, state_directory, p, now_ms, arena))
			continue;
		if (prepared_remove(state_directory, p, arena, &why) == ERR_OK)
			dropped++;
		else
			log_warn("rollback", "service=%s a prepared tree stays: %s", p->service, why.msg);
	}
	if (rc == ERR_OK)
		*ret = dropped;
	return rc;
}

/* ---- staging ---- */

/* stage/srv/app -> stage/tree */
static enum err_code take_out(const struct prepared_root *r, struct err *reterr)
{
	char made[2 * PATH_LIMIT], first[PATH_LIMIT];
	CLEANUP(cleanup_fd) int fd = open(r->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || !text_format(made, sizeof made, ".%s", r->path))
		return err_sys(reterr, errno, "%s cannot be opened", r->folder);
	if (renameat(fd, made, fd, PREPARED_TREE) != 0)
		return err_sys(reterr, errno, "%s cannot be arranged", r->folder);
	text_copy(first, sizeof first, r->path + 1);
	first[strcspn(first, "/")] = '\0';
	enum err_code rc = strcmp(first, PREPARED_TREE) == 0 ? ERR_OK : remove_below(fd, first, reterr);
	if (rc == ERR_OK && fsync(fd) != 0)
		rc = err_sys(reterr, errno, "%s cannot be made durable", r->folder);
	return rc;
}

static enum err_code stage_root(const struct prepare_request *r, const struct prepared *p, struct snapshot *s,
    struct prepared_root *root, struct err *reterr)
{
	const char *const paths[] = {root->path, NULL};
	struct restore_options o = {.components = 1u << p->component,
	    .paths = paths,
	    .sync = true,
	    .progress = r->progress,
	    .progress_ctx = r->progress_ctx};
	struct restore_result done;
	char tree[2 * PATH_LIMIT];
	struct stat st;
	enum err_code rc = snapshot_restore_into(s, root->folder, &o, &done, reterr);
	if (rc == ERR_OK)
		rc = take_out(root, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!text_format(tree, sizeof tree, "%s/" PREPARED_TREE, root->folder) || lstat(tree, &st) != 0)
		return err_sys(reterr, errno, "%s cannot be looked at", root->folder);
	root->inode = st.st_ino;
	return ERR_OK;
}

/* The folder of each root, by name: nothing is made yet. */
static enum err_code name_folders(const struct snapshot *s, struct prepared *p, struct arena *arena, struct err *reterr)
{
	const struct snapshot_component *c =
	    snapshot_summary_component(snapshot_about(s), (enum component)p->component);
	struct prepared_root *roots = arena_array(arena, c->roots.count + 1, sizeof *roots);
	const char *token = arena_printf(arena, "prepared-%s", id_text(ID_RUN, p->id));
	struct site site;
	enum err_code rc = roots && token ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; rc == ERR_OK && i < c->roots.count; i++) {
		const char *path = LIST_AT(c->roots, struct snapshot_root, i).path;
		rc = site_init(&site, snapshot_about(s), (enum component)p->component, path, token, reterr);
		if (rc != ERR_OK)
			break;
		roots[i] = (struct prepared_root){arena_strdup(arena, path), arena_strdup(arena, site.stage), 1};
		if (!roots[i].path || !roots[i].folder)
			rc = err_set(reterr, ERR_NOMEM, "out of memory");
	}
	p->roots = (struct list){roots, c->roots.count};
	return rc;
}

static enum err_code make_folder(const struct snapshot *s, const struct prepared *p, const struct prepared_root *r,
    struct arena *arena, struct err *reterr)
{
	struct site site;
	const char *token = arena_printf(arena, "prepared-%s", id_text(ID_RUN, p->id));
	if (!token)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = site_init(&site, snapshot_about(s), (enum component)p->component, r->path, token, reterr);
	if (rc == ERR_OK)
		rc = site_open_stage(&site, reterr);
	site_done(&site);
	return rc;
}

static enum err_code stage(const char *state_directory, const struct prepare_request *r, struct snapshot *s,
    struct prepared *p, struct arena *arena, struct err *reterr)
{
	enum err_code rc = prepared_write(state_directory, p, reterr); /* not complete: what is left of it has a name */
	for (size_t i = 0; rc == ERR_OK && i < p->roots.count; i++) {
		struct prepared_root *root = &LIST_AT(p->roots, struct prepared_root, i);
		rc = make_folder(s, p, root, arena, reterr);
		if (rc == ERR_OK)
			rc = stage_root(r, p, s, root, reterr);
	}
	if (rc == ERR_OK)
		rc = prepared_seal(state_directory, p, s, reterr);
	p->complete = rc == ERR_OK;
	return rc == ERR_OK ? prepared_write(state_directory, p, reterr) : rc;
}

static enum err_code prepare_anew(struct repo *repo, const char *state_directory, const struct prepare_request *r,
    struct snapshot *s, struct prepared *p, struct arena *arena, struct err *reterr)
{
	struct err why = ERR_INIT;
	(void)repo;
	enum err_code rc = snapshot_load(s, 1u << p->component, reterr);
	struct measure m = rc == ERR_OK ? measure(s, (enum component)p->component) : (struct measure){0};
	if (rc == ERR_OK && !m.ok)
		return err_set(
		    reterr, ERR_UNSUPPORTED, "a root of it is no folder, or a file has names in two of them");
	p->entries = m.entries;
	if (rc == ERR_OK)
		rc = name_folders(s, p, arena, reterr);
	if (rc == ERR_OK)
		rc = check_room(p, &m, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = stage(state_directory, r, s, p, arena, reterr);
	if (rc != ERR_OK) {
		p->complete = false;
		if (prepared_remove(state_directory, p, arena, &why) != ERR_OK)
			log_warn("rollback", "service=%s what was staged of it is left: %s", p->service, why.msg);
	}
	return rc;
}

/* What is there already. */
static struct prepared *find_ready(
    const char *state_directory, const struct list *all, const struct prepared *like, uint64_t now_ms)
{
	for (size_t i = 0; i < all->count; i++) {
		struct prepared *p = &LIST_AT(*all, struct prepared, i);
		if (p->component == like->component && id_equal(p->snapshot, like->snapshot) &&
		    prepared_state_of(p, now_ms) == PREPARED_READY && prepared_is_sealed(state_directory, p))
			return p;
	}
	return NULL;
}

static enum err_code renew(const char *state_directory, struct prepared *p, uint64_t now_ms, struct err *reterr)
{
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc =
	    prepared_lock(state_directory, p->service, PREPARED_LOCK_ROLLBACK, PREPARED_WAIT_MS, &lock, reterr);
	if (rc == ERR_OK && prepared_state_of(p, now_ms) != PREPARED_READY)
		rc = err_set(reterr, ERR_STATE, "it was just used");
	p->expires_ms = now_ms + PREPARED_KEEP_MS;
	return rc == ERR_OK ? prepared_write(state_directory, p, reterr) : rc;
}

static enum err_code prepare_one(struct repo *repo, const char *state_directory, const struct prepare_request *r,
    struct snapshot *s, const struct list *all, struct arena *arena, struct prepare_result *ret, struct err *reterr)
{
	const struct snapshot_summary *about = snapshot_about(s);
	const struct snapshot_component *c = snapshot_summary_component(about, (enum component)ret->component);
	struct random random;
	struct prepared *p = arena_alloc(arena, sizeof *p);
	ret->why = prepared_obstacle(arena, r->service, about, (enum component)ret->component, state_directory);
	if (ret->why)
		return ERR_OK;
	if (!p)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	random_init_system(&random);
	*p = (struct prepared){.id = id_new(r->now_ms, &random),
	    .service = r->service->name,
	    .component = ret->component,
	    .snapshot = about->snapshot,
	    .digest = c->digest,
	    .prepared_ms = r->now_ms,
	    .expires_ms = r->now_ms + PREPARED_KEEP_MS,
	    .size_bytes = c->size_bytes};
	struct prepared *there = find_ready(state_directory, all, p, r->now_ms);
	enum err_code rc = there ? renew(state_directory, there, r->now_ms, reterr)
				 : prepare_anew(repo, state_directory, r, s, p, arena, reterr);
	if (rc == ERR_OK)
		ret->prepared = there ? there : p;
	return rc;
}

static enum err_code prepare_all(struct repo *repo, const char *state_directory, const struct prepare_request *r,
    struct snapshot *s, struct arena *arena, struct list *ret, struct err *reterr)
{
	struct prepare_result *results = arena_array(arena, COMPONENT_COUNT, sizeof *results);
	struct list all = {0};
	size_t count = 0, swept;
	enum err_code rc = results ? rollback_prepared_sweep(repo, state_directory, r->now_ms, arena, &swept, reterr)
				   : err_set(reterr, ERR_NOMEM, "out of memory");
	CLEANUP(cleanup_fd) int lock = -1;
	if (rc == ERR_OK)
		rc = prepared_lock(
		    state_directory, r->service->name, PREPARED_LOCK_STAGING, PREPARED_WAIT_MS, &lock, reterr);
	if (rc == ERR_OK)
		rc = prepared_list(state_directory, r->service->name, arena, &all, reterr);
	for (uint32_t i = 0; rc == ERR_OK && i < COMPONENT_COUNT; i++) {
		struct err why = ERR_INIT;
		if (r->components ? !(r->components & 1u << i)
				  : !components_get(&r->service->components, (enum component)i))
			continue;
		results[count] = (struct prepare_result){.component = i};
		if (prepare_one(repo, state_directory, r, s, &all, arena, &results[count], &why) != ERR_OK)
			results[count].why = arena_strdup(arena, why.msg);
		count++;
	}
	if (rc == ERR_OK)
		*ret = (struct list){results, count};
	return rc;
}

enum err_code rollback_prepare(struct repo *repo, const char *state_directory, const struct prepare_request *r,
    struct arena *arena, struct list *ret, struct err *reterr)
{
	struct snapshot *s = NULL;
	char id[ID_TEXT_MAX];
	enum err_code rc = snapshot_open_about(repo, r->snapshot, &s, reterr);
	if (rc == ERR_OK && !text_equal(snapshot_about(s)->service, r->service->name))
		rc = err_set(reterr, ERR_INVALID, "restore point %s is of %s, not of %s",
		    id_format(ID_SNAPSHOT, r->snapshot, id), snapshot_about(s)->service, r->service->name);
	if (rc == ERR_OK)
		rc = prepare_all(repo, state_directory, r, s, arena, ret, reterr);
	snapshot_close(s);
	return rc;
}
