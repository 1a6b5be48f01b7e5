#include "agent/config/config.h"

#include <string.h>
#include <sys/utsname.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"

static bool has_components(const struct service_config *s)
{
	for (unsigned i = 0; i < COMPONENT_COUNT; i++)
		if (components_get(&s->components, (enum component)i))
			return true;
	return false;
}

/* What the file leaves to the tier is filled in, so that nobody has to ask twice; a service of probes alone has nothing
 * to take, to read back or to practise with. */
static void fill_intervals(struct agent_config *c)
{
	for (size_t i = 0; i < c->services.count; i++) {
		struct service_config *s = &LIST_AT(c->services, struct service_config, i);
		if (!has_components(s))
			s->snapshots = (struct snapshots_config){.keep = s->snapshots.keep};
		for (size_t k = 0; k < s->probes.count; k++) {
			struct probe_config *p = &LIST_AT(s->probes, struct probe_config, k);
			if (!p->every_ms)
				p->every_ms = probe_tier_every_ms(p->tier);
		}
	}
}

/* ---- what is looked after without anybody having written it down ---- */

static bool is_named(const struct service_config *s, const char *name)
{
	for (size_t i = 0; i < s->probes.count; i++)
		if (!strcmp(LIST_AT(s->probes, struct probe_config, i).name, name))
			return true;
	return false;
}

static void link_clusters(struct service_config *s, const struct postgres_config *pg)
{
	for (size_t i = 0; i < s->probes.count; i++) {
		/* The record is ours, made a moment ago; const is for whoever reads it. */
		struct postgres_probe *p = (struct postgres_probe *)LIST_AT(s->probes, struct probe_config, i).postgres;
		if (p)
			p->cluster = pg;
	}
}

/* Of a PostgreSQL cluster its sessions, locks and certificate, and the room that its log takes. */
static enum err_code add_own_probes(struct service_config *s, struct arena *arena, struct err *reterr)
{
	static const char sessions[] = "postgres", log[] = "postgres-log";
	const struct postgres_config *pg = s->components.database ? s->components.database->postgres : NULL;
	if (!pg || pg->unwatched || s->probes.count + 2 > CONFIG_PROBES_MAX)
		return ERR_OK;
	struct probe_config *all = arena_array(arena, s->probes.count + 2, sizeof *all);
	struct postgres_probe *inside = arena_alloc(arena, sizeof *inside);
	struct disk_probe *room = arena_alloc(arena, sizeof *room);
	const char *path = arena_printf(arena, "%s/pg_wal", pg->data_directory);
	size_t n = s->probes.count;
	if (!all || !inside || !room || !path)
		return err_set(reterr, ERR_NOMEM, "services.%s: no memory", s->name);
	if (n)
		memcpy(all, s->probes.items, n * sizeof *all);
	/* As the tables say what stands for nothing. */
	*inside = (struct postgres_probe){.warn_percent = 80,
	    .wait_ms = 30 * 1000,
	    .warn_ms = 14 * (uint64_t)DAY_MS,
	    .critical_ms = 3 * (uint64_t)DAY_MS};
	*room = (struct disk_probe){.path = path, .warn_percent = 85, .critical_percent = 95};
	const struct probe_config like = {.tier = PROBE_SHALLOW,
	    .timeout_ms = 10 * 1000,
	    .rise = 1, /* one good answer is one */
	    .fall = 2,
	    .slow_ms = 5 * 1000}; /* how fast it is, those say that the site has written down */
	if (!is_named(s, sessions)) {
		all[n] = like;
		all[n].name = sessions;
		all[n++].postgres = inside;
	}
	if (!is_named(s, log)) {
		all[n] = like;
		all[n].name = log;
		all[n++].folder = room;
	}
	s->probes = (struct list){all, n};
	return ERR_OK;
}

static enum err_code fill_probes(struct agent_config *c, struct arena *arena, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < c->services.count; i++) {
		struct service_config *s = &LIST_AT(c->services, struct service_config, i);
		rc = add_own_probes(s, arena, reterr);
		if (rc == ERR_OK && s->components.database)
			link_clusters(s, s->components.database->postgres);
	}
	if (rc == ERR_OK)
		fill_intervals(c);
	return rc;
}

static enum err_code parse(
    const char *file, const char *data, size_t size, struct arena *arena, struct agent_config **ret, struct err *reterr)
{
	if (size > CONFIG_FILE_MAX)
		return err_set(reterr, ERR_LIMIT, "%s: at most %d bytes are allowed", file, CONFIG_FILE_MAX);
	struct agent_config *c = arena_alloc(arena, sizeof *c);
	if (!c)
		return err_set(reterr, ERR_NOMEM, "%s: no memory", file);
	enum err_code rc = record_from_yaml(&agent_config_type, file, data, size, arena, c, reterr);
	if (rc != ERR_OK)
		return rc;
	if ((rc = fill_probes(c, arena, reterr)) != ERR_OK)
		return rc;
	*ret = c;
	return ERR_OK;
}

enum err_code agent_config_parse(const char *file, const char *data, size_t size, struct arena *arena,
    const struct agent_config **ret, struct err *reterr)
{
	struct agent_config *c;
	enum err_code rc = parse(file, data, size, arena, &c, reterr);

	if (rc == ERR_OK)
		*ret = c;
	return rc;
}

/* The kernel's name of this host, in lower case as certificates have it. */
static enum err_code kernel_host(struct arena *arena, const char **ret, struct err *reterr)
{
	struct utsname name;

	if (uname(&name))
		return err_set(reterr, ERR_IO, "host: the kernel does not tell its name; give one");
	if (strlen(name.nodename) > NAME_MAX_BYTES)
		return err_set(
		    reterr, ERR_LIMIT, "host: the kernel's name is longer than %d bytes; give one", NAME_MAX_BYTES);
	char *host = arena_strdup(arena, name.nodename);
	if (!host)
		return err_set(reterr, ERR_NOMEM, "host: no memory");
	for (char *c = host; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	*ret = host;
	return ERR_OK;
}

enum err_code agent_config_load(
    const char *path, struct arena *arena, const struct agent_config **ret, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	struct agent_config *c;
	enum err_code rc = file_read(path, CONFIG_FILE_MAX, &text, reterr);

	if (rc == ERR_OK)
		rc = parse(path, buf_str(&text), text.size, arena, &c, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!c->host) {
		rc = kernel_host(arena, &c->host, reterr);
		if (rc == ERR_OK)
			rc = record_check(&agent_config_type, c, reterr);
		if (rc != ERR_OK)
			return err_prefix(reterr, rc, "%s", path);
	}
	*ret = c;
	return ERR_OK;
}

const struct action_config *service_config_action(const struct service_config *s, const char *name)
{
	for (size_t i = 0; i < s->actions.count; i++)
		if (strcmp(LIST_AT(s->actions, struct action_config, i).name, name) == 0)
			return &LIST_AT(s->actions, struct action_config, i);
	return NULL;
}

const struct service_config *agent_config_service(const struct agent_config *c, const char *name)
{
	for (size_t i = 0; i < c->services.count; i++)
		if (!strcmp(LIST_AT(c->services, struct service_config, i).name, name))
			return &LIST_AT(c->services, struct service_config, i);
	return NULL;
}
