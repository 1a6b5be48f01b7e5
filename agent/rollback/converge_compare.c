/* Converging, the look: what differs, and what of that is to be dealt with. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/rollback/converge_internal.h"
#include "agent/rollback/prepared_internal.h"
#include "shared/base/text.h"

enum { ARENA_MAX = 64 << 20, EXCEPTION_TEXT = 56 /* eight of them make a line */ };

/* ---- changes ---- */

static size_t key_of(const struct site *site, const char *path, uint8_t key[PATH_LIMIT + 8])
{
	size_t n = strlen(path);
	key[0] = (uint8_t)site->component;
	key[1] = site->absent;
	memcpy(key + 2, &site->root, sizeof site->root);
	memcpy(key + 6, path, n);
	return n + 6;
}

struct change *changes_add(struct changes *all, struct site *site, const char *path)
{
	uint8_t key[PATH_LIMIT + 8];
	if (!all->by_path && !(all->by_path = map_new()))
		return NULL;
	if (all->count == all->room) {
		size_t room = all->room ? 2 * all->room : 256;
		struct change *more = room <= CONVERGE_CHANGES_MAX ? realloc(all->items, room * sizeof *more) : NULL;
		if (!more)
			return NULL;
		all->items = more;
		all->room = room;
	}
	char *copy = strdup(path);
	if (!copy || !map_put(all->by_path, key, key_of(site, path, key), (void *)(uintptr_t)(all->count + 1))) {
		free(copy);
		return NULL;
	}
	all->items[all->count] = (struct change){.site = site, .path = copy};
	return &all->items[all->count++];
}

struct change *changes_find(const struct changes *all, const struct site *site, const char *path)
{
	uint8_t key[PATH_LIMIT + 8];
	uintptr_t at = all->by_path ? (uintptr_t)map_get(all->by_path, key, key_of(site, path, key)) : 0;
	return at ? &all->items[at - 1] : NULL;
}

void changes_done(struct changes *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free(all->items[i].path);
		buf_done(&all->items[i].ranges);
	}
	free(all->items);
	map_free(all->by_path);
	*all = (struct changes){0};
}

bool change_entry(const struct converge *c, const struct change *ch, struct snapshot_entry *ret)
{
	return !ch->site->absent &&
	       snapshot_lookup(c->spec.snapshot, ch->site->component, ch->site->root, ch->path, ret);
}

/* ---- what is left alone ---- */

static bool is_within(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* Who this host is: an older one of these cuts it off from those who know it. */
static bool is_identity(const char *full, const char *own)
{
	static const char *const folders[] = {"/etc/kedge", "/etc/machine-id", "/var/lib/dbus/machine-id"};
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		if (is_within(full, folders[i]))
			return true;
	return text_starts(full, "/etc/ssh/ssh_host_") || (own && is_within(full, own));
}

static bool is_spared(const struct component_config *config, const char *own, const char *root, const char *path)
{
	char full[2 * PATH_LIMIT];
	if (!text_format(full, sizeof full, "%s%s%s", root, *path ? "/" : "", path))
		return false;
	if (is_identity(full, own))
		return true;
	if (!config)
		return false;
	for (size_t i = 0; i < config->never_restore.count; i++)
		if (is_within(full, LIST_AT(config->never_restore, const char *, i)))
			return true;
	return false;
}

static bool holds_spared(const struct component_config *config, const char *path)
{
	for (size_t i = 0; config && i < config->never_restore.count; i++)
		if (is_within(LIST_AT(config->never_restore, const char *, i), path))
			return true;
	return false;
}

const char *converge_spared_below(const struct component_config *config, const char *own, const char *root)
{
	static const char *const names[] = {
	    "/etc/kedge", "/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/ssh/ssh_host_"};
	if (is_spared(config, own, root, ""))
		return root;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (is_within(names[i], root))
			return names[i];
	for (size_t i = 0; config && i < config->never_restore.count; i++)
		if (is_within(LIST_AT(config->never_restore, const char *, i), root))
			return LIST_AT(config->never_restore, const char *, i);
	return own && is_within(own, root) ? own : NULL;
}

/* As a scan does it: a folder that is excluded is not entered. */
static bool is_excluded(const struct component_config *config, const char *path)
{
	char part[PATH_LIMIT];
	if (!config || !config->exclude.count)
		return false;
	for (const char *end = path; *end;) {
		end += strcspn(end + (*end == '/'), "/") + (*end == '/');
		memcpy(part, path, (size_t)(end - path));
		part[end - path] = '\0';
		for (size_t i = 0; i < config->exclude.count; i++)
			if (text_glob(LIST_AT(config->exclude, const char *, i), part))
				return true;
	}
	return false;
}

static const struct component_config *config_of(const struct converge *c, enum component which)
{
	return components_get(&c->service.components, which);
}

/* ---- collecting ---- */

static struct site *site_of(struct converge *c, enum component component, uint32_t root)
{
	for (size_t i = 0; i < c->site_count; i++)
		if (!c->sites[i].absent && c->sites[i].component == component && c->sites[i].root == root)
			return &c->sites[i];
	return NULL;
}

void change_describe(struct change *ch, const struct snapshot_entry *before, const struct snapshot_entry *after)
{
	ch->was_directory = after && after->type == ENTRY_DIRECTORY;
	if (!before)
		return;
	ch->directory = before->type == ENTRY_DIRECTORY;
	ch->link = ch->directory ? 0 : before->link;
	ch->size = before->type == ENTRY_FILE ? before->size : 0;
	ch->sparse = before->sparse;
}

/* "/etc/a.key, /etc/b.key, …" */
static void name_exception(struct converge *c, const struct site *site, const char *path)
{
	char shown[PATH_LIMIT], name[EXCEPTION_TEXT];
	size_t used = strlen(c->exceptions);
	c->exception_count++;
	if (!site || c->exception_count > CONVERGE_EXCEPTIONS_KEPT + 1)
		return;
	text_copy(
	    name, sizeof name, c->exception_count > CONVERGE_EXCEPTIONS_KEPT ? "…" : site_text(site, path, shown));
	(void)text_format(c->exceptions + used, sizeof c->exceptions - used, "%s%s", used ? ", " : "", name);
}

static bool on_difference(void *ctx, const struct snapshot_change *d)
{
	struct converge *c = ctx;
	const struct component_config *config = config_of(c, d->component);
	struct site *site = site_of(c, d->component, d->root);
	bool spared = is_spared(config, c->spec.own, d->root_path, d->path);
	if (!site || spared || is_excluded(config, d->path)) {
		c->counts.left++;
		if (spared)
			name_exception(c, site, d->path);
		return true;
	}
	struct change *ch = changes_add(&c->changes, site, d->path);
	if (!ch) {
		c->failed = true;
		return false;
	}
	ch->kind = d->kind;
	change_describe(ch, d->before, d->after);
	ch->patch = c->just_read && converge_may_patch(ch, d->before, d->after);
	return !c->spec.on_change || c->spec.on_change(c->spec.ctx, d);
}

/* Roots that the restore point names as absent, and that are there now, go as they are. */
static enum err_code collect_absent(struct converge *c, struct err *reterr)
{
	for (size_t i = 0; i < c->site_count; i++) {
		struct site *p = &c->sites[i];
		const char *name;
		int fd;
		if (!p->absent)
			continue;
		enum err_code rc = site_open_folder(p, "", false, &fd, &name, reterr);
		if (rc != ERR_OK && rc != ERR_NOT_FOUND)
			return rc;
		if (rc != ERR_OK || faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (is_spared(config_of(c, p->component), c->spec.own, p->path, "") ||
		    holds_spared(config_of(c, p->component), p->path)) {
			c->counts.left++;
			continue;
		}
		struct change *ch = changes_add(&c->changes, p, "");
		if (!ch)
			return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
		ch->kind = CHANGE_ADDED;
		ch->was_directory = true;
	}
	return ERR_OK;
}

/* ---- hard links ---- */

struct link_key {
	uint64_t component, link;
}; /* no padding: it is hashed */

static bool mark_groups(const struct changes *all, struct map *groups)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct change *ch = &all->items[i];
		if (ch->link && ch->kind != CHANGE_METADATA && ch->kind != CHANGE_ADDED &&
		    !map_put(
			groups, &(struct link_key){ch->site->component, ch->link}, sizeof(struct link_key), groups))
			return false;
	}
	return true;
}

/* A name of a file some other name of which is put back. */
static bool add_name(struct converge *c, const struct snapshot_entry *e)
{
	struct site *site = site_of(c, e->component, e->root);
	if (!site || is_spared(config_of(c, e->component), c->spec.own, e->root_path, e->path))
		return true;
	struct change *ch = changes_find(&c->changes, site, e->path);
	if (ch && ch->kind != CHANGE_METADATA)
		return true; /* it is put back anyway */
	if (!ch && !(ch = changes_add(&c->changes, site, e->path)))
		return false;
	ch->kind = CHANGE_CONTENT;
	ch->patch = false;
	change_describe(ch, e, NULL);
	return true;
}

/* A file with several names is put back with all of its names, or the names would come apart. */
static bool complete_links(struct converge *c)
{
	struct map *groups = map_new();
	bool ok = groups && mark_groups(&c->changes, groups);
	for (unsigned which = 0; ok && map_count(groups) && which < COMPONENT_COUNT; which++) {
		struct snapshot_cursor cursor = SNAPSHOT_CURSOR((enum component)which);
		struct snapshot_entry e;
		while (ok && c->spec.components & 1u << which && snapshot_next(c->spec.snapshot, &cursor, &e))
			if (e.link && e.type != ENTRY_DIRECTORY &&
			    map_get(groups, &(struct link_key){e.component, e.link}, sizeof(struct link_key)))
				ok = add_name(c, &e);
		snapshot_cursor_done(c->spec.snapshot, &cursor);
		ok = ok && !cursor.failed;
	}
	map_free(groups);
	return ok;
}

static void forget_differences(struct converge *c)
{
	changes_done(&c->changes);
	c->counts.left = 0;
	c->exceptions[0] = '\0';
	c->exception_count = 0;
	c->live = (struct diff_result){0};
}

/* What was just read to be saved, if it can be compared with; else the live trees. */
static enum err_code find_differences(struct converge *c, bool just_read, struct err *reterr)
{
	struct diff_options options = {.components = c->spec.components};
	forget_differences(c);
	if (!c->spec.components)
		return ERR_OK;
	if (just_read) {
		bool comparable = false;
		c->just_read = true;
		enum err_code rc = snapshot_diff_taking(
		    c->spec.snapshot, c->taking, &options, on_difference, c, &comparable, &c->live, reterr);
		c->just_read = false;
		if (rc != ERR_OK || comparable)
			return rc;
		forget_differences(c);
		c->known = NULL;
	}
	options.known = c->known;
	options.likely_same = c->spec.likely_same;
	return snapshot_diff_live(c->spec.snapshot, &c->service, &options, on_difference, c, &c->live, reterr);
}

enum err_code converge_collect(struct converge *c, bool just_read, struct err *reterr)
{
	enum err_code rc = find_differences(c, just_read, reterr);
	if (rc == ERR_OK)
		rc = collect_absent(c, reterr);
	if (rc == ERR_OK && (c->failed || !complete_links(c)))
		rc = err_set(reterr, ERR_NOMEM, "out of memory: too much differs (%zu entries)", c->changes.count);
	return rc;
}

/* ---- life ---- */

/* The service as agent.yaml has it, and our own folders left out. */
static enum err_code see_service(struct converge *c, struct err *reterr)
{
	const struct component_config **slots[COMPONENT_COUNT] = {&c->service.components.config,
	    &c->service.components.code, &c->service.components.data, &c->service.components.database};
	const char *own = arena_printf(c->arena, "**/.kedge-%s-*", c->spec.token);
	c->service = *c->spec.service;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		const struct component_config *from = *slots[i];
		if (!from)
			continue;
		struct component_config *copy = arena_dup(c->arena, from, sizeof *from);
		const char **globs = arena_array(c->arena, from->exclude.count + 1, sizeof *globs);
		if (!own || !copy || !globs)
			return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
		if (from->exclude.count)
			memcpy(globs, from->exclude.items, from->exclude.count * sizeof *globs);
		globs[from->exclude.count] = own;
		copy->exclude = (struct list){globs, from->exclude.count + 1};
		*slots[i] = copy;
	}
	return ERR_OK;
}

static enum err_code add_site(
    struct converge *c, enum component component, uint32_t root, const char *path, bool absent, struct err *reterr)
{
	struct site *p = &c->sites[c->site_count];
	enum err_code rc = site_init(p, snapshot_about(c->spec.snapshot), component, path, c->spec.token, reterr);
	if (rc != ERR_OK)
		return rc;
	p->root = root;
	p->absent = absent;
	c->site_count++;
	return ERR_OK;
}

static enum err_code find_sites(struct converge *c, struct err *reterr)
{
	const struct snapshot_summary *about = snapshot_about(c->spec.snapshot);
	size_t total = about->absent.count + 1 + converge_database_sites(c);
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < about->components.count; i++)
		total += LIST_AT(about->components, struct snapshot_component, i).roots.count;
	if (!(c->sites = calloc(total, sizeof *c->sites)))
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	if (c->spec.database)
		return converge_database_add(c, reterr);
	for (size_t i = 0; i < about->components.count; i++) {
		const struct snapshot_component *sc = &LIST_AT(about->components, struct snapshot_component, i);
		for (uint32_t k = 0; rc == ERR_OK && c->spec.components & 1u << sc->component && k < sc->roots.count;
		     k++) {
			const struct snapshot_root *sr = &LIST_AT(sc->roots, struct snapshot_root, k);
			if (sr->kind != ROOT_PREPARED)
				rc = add_site(c, (enum component)sc->component, k, sr->path, false, reterr);
		}
	}
	for (uint32_t i = 0; rc == ERR_OK && i < about->absent.count; i++) {
		const struct snapshot_absent *a = &LIST_AT(about->absent, struct snapshot_absent, i);
		if (c->spec.components & 1u << a->component)
			rc = add_site(c, (enum component)a->component, i, a->path, true, reterr);
	}
	return rc;
}

enum err_code converge_new(const struct converge_spec *spec, struct converge **ret, struct err *reterr)
{
	struct converge *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	c->spec = *spec;
	c->known = spec->known;
	c->spec.components &= ~(1u << COMPONENT_DATABASE);
	c->arena = arena_new(ARENA_MAX);
	enum err_code rc =
	    c->arena ? see_service(c, reterr) : err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	if (rc == ERR_OK)
		rc = find_sites(c, reterr);
	if (rc == ERR_OK)
		*ret = c;
	else
		converge_free(c);
	return rc;
}

void converge_free(struct converge *c)
{
	if (!c)
		return;
	(void)!converge_wait(c, NULL);
	snapshot_taking_free(c->taking);
	for (size_t i = 0; i < c->site_count; i++) {
		if (c->sites[i].stage_fd >= 0)
			(void)!site_remove_stage(
			    &c->sites[i], NULL); /* or the next run of this token takes it, or converge_clean() */
		site_done(&c->sites[i]);
	}
	converge_forget_staged(c);
	changes_done(&c->changes);
	free(c->sites);
	arena_free(c->arena);
	free(c);
}

/* ---- looking only ---- */

static void count_change(struct converge_counts *n, const struct change *ch)
{
	n->made += ch->kind == CHANGE_REMOVED;
	n->replaced += ch->kind == CHANGE_CONTENT;
	n->removed += ch->kind == CHANGE_ADDED;
	n->metadata += ch->kind == CHANGE_METADATA;
	n->bytes += change_needs_stage(ch) ? ch->size : 0;
}

enum err_code converge_compare(const struct converge_spec *spec, struct converge_counts *ret, struct err *reterr)
{
	struct converge *c = NULL;
	enum err_code rc = converge_new(spec, &c, reterr);
	if (rc == ERR_OK)
		rc = converge_collect(c, false, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->changes.count; i++)
		count_change(&c->counts, &c->changes.items[i]);
	if (rc == ERR_OK)
		*ret = c->counts;
	converge_free(c);
	return rc;
}
