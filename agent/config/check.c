#include "agent/config/check.h"

#include <string.h>

#include "shared/approval/approval.h"
#include "shared/base/text.h"

#define WRONG(...) err_set(reterr, ERR_INVALID, __VA_ARGS__)

/* A text that has a default is NULL only when a file says "~" or a program left it out: such checks take NULL as wrong.
 */

/* ---- words ---- */

static const char *shown(const char *s)
{
	return s ? s : "nothing";
}

static bool name_ok(const char *s)
{
	return s && *s && *s != '-' && !text_ends(s, "-") && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

static bool host_name_ok(const char *s)
{
	return s && *s && *s != '-' && *s != '.' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == 0;
}

static bool user_ok(const char *s)
{
	return s && *s && !strchr("-0123456789", *s) && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == 0;
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* Absolute, in the one spelling that prefixes can be compared in. */
static bool path_ok(const char *s)
{
	if (*s != '/' || !printable(s))
		return false;
	if (!s[1])
		return true;
	while (*s) {
		size_t part = strcspn(++s, "/");
		if (!part || (part == 1 && s[0] == '.') || (part == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += part;
	}
	return true;
}

static bool path_below(const char *path, const char *root)
{
	size_t n = strlen(root);
	return !strncmp(path, root, n) && (path[n] == 0 || path[n] == '/' || n == 1);
}

static enum err_code check_path(const char *key, const char *path, struct err *reterr)
{
	if (path && !path_ok(path))
		return WRONG(
		    "%s: expected an absolute path without \"..\", \"//\" or a slash at its end, got \"%.200s\"", key,
		    path);
	return ERR_OK;
}

static enum err_code check_path_there(const char *key, const char *path, struct err *reterr)
{
	return path ? check_path(key, path, reterr) : WRONG("%s: expected an absolute path, got nothing", key);
}

static bool stands_before(const struct list *l, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(LIST_AT(*l, const char *, k), LIST_AT(*l, const char *, i)))
			return true;
	return false;
}

static enum err_code check_no_twins(const char *key, const struct list *l, struct err *reterr)
{
	for (size_t i = 0; i < l->count; i++)
		if (stands_before(l, i))
			return WRONG("%s[%zu]: \"%.200s\" stands there twice", key, i, LIST_AT(*l, const char *, i));
	return ERR_OK;
}

static enum err_code check_paths(const char *key, const struct list *l, struct err *reterr)
{
	for (size_t i = 0; i < l->count; i++)
		if (!path_ok(LIST_AT(*l, const char *, i)))
			return WRONG("%s[%zu]: expected an absolute path without \"..\", \"//\" or a slash at its end, "
				     "got \"%.200s\"",
			    key, i, LIST_AT(*l, const char *, i));
	return check_no_twins(key, l, reterr);
}

/* argv as execve takes it; the program by absolute path, or by a bare name that is looked up in a fixed path. */
static enum err_code check_argv(const char *key, const struct list *argv, struct err *reterr)
{
	if (!argv->count)
		return ERR_OK;
	const char *program = LIST_AT(*argv, const char *, 0);
	if (!*program || !printable(program) || (strchr(program, '/') && !path_ok(program)) || strchr(program, ' '))
		return WRONG("%s[0]: expected a program by its absolute path or its bare name (arguments are items of "
			     "their own), got \"%.200s\"",
		    key, program);
	return ERR_OK;
}

/* "80", 1 to 65535. */
static bool port_ok(const char *s)
{
	uint64_t port;
	return text_u64(s, &port, NULL) == ERR_OK && port >= 1 && port <= 65535;
}

static bool address_ok(const char *s)
{
	const char *port = strrchr(s, ':');

	if (!port || !port_ok(port + 1))
		return false;
	if (*s == '[')
		return port > s + 3 && port[-1] == ']' &&
		       strspn(s + 1, "0123456789abcdefABCDEF:.") == (size_t)(port - s) - 2;
	size_t host = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
	return host && s + host == port;
}

/* What follows the scheme begins with a host, holds no spaces and no password. */
static bool url_rest_ok(const char *s)
{
	size_t authority = strcspn(s, "/?#");
	return authority && !memchr(s, '@', authority) && printable(s) && !strchr(s, ' ');
}

/* ---- components ---- */

enum err_code check_postgres(const void *record, struct err *reterr)
{
	const struct postgres_config *p = record;
	enum err_code rc = check_path("data_directory", p->data_directory, reterr);

	if (rc == ERR_OK)
		rc = check_path_there("bin_directory", p->bin_directory, reterr);
	if (rc == ERR_OK)
		rc = check_path_there("socket_directory", p->socket_directory, reterr);
	if (rc == ERR_OK && !user_ok(p->user))
		rc = WRONG("user: expected a user name, got \"%s\"", shown(p->user));
	return rc == ERR_OK ? check_argv("run_as", &p->run_as, reterr) : rc;
}

enum err_code check_sqlite(const void *record, struct err *reterr)
{
	const struct sqlite_config *s = record;
	return check_path("file", s->file, reterr);
}

enum err_code check_redis(const void *record, struct err *reterr)
{
	const struct redis_config *r = record;
	enum err_code rc = check_path("data_directory", r->data_directory, reterr);

	if (rc == ERR_OK)
		rc = check_path("password_file", r->password_file, reterr);
	if (rc == ERR_OK && (!r->address || !(text_starts(r->address, "unix:") ? path_ok(r->address + strlen("unix:"))
									       : address_ok(r->address))))
		rc = WRONG("address: expected host:port, [v6]:port or unix:/path, got \"%s\"", shown(r->address));
	if (rc == ERR_OK && (!r->file || !*r->file || *r->file == '.' || strchr(r->file, '/') || !printable(r->file)))
		rc = WRONG("file: expected the name of a file, got \"%s\"", shown(r->file));
	return rc;
}

enum err_code check_mariadb(const void *record, struct err *reterr)
{
	const struct mariadb_config *m = record;
	enum err_code rc = check_path("data_directory", m->data_directory, reterr);

	if (rc == ERR_OK)
		rc = check_path_there("socket", m->socket, reterr);
	return rc == ERR_OK ? check_path("credentials_file", m->credentials_file, reterr) : rc;
}

enum err_code check_hooks(const void *record, struct err *reterr)
{
	const struct hooks_config *h = record;
	enum err_code rc = check_path("data_directory", h->data_directory, reterr);

	if (rc == ERR_OK)
		rc = check_argv("freeze", &h->freeze, reterr);
	return rc == ERR_OK ? check_argv("thaw", &h->thaw, reterr) : rc;
}

const char *component_database_path(const struct component_config *c)
{
	return c->postgres  ? c->postgres->data_directory
	       : c->sqlite  ? c->sqlite->file
	       : c->redis   ? c->redis->data_directory
	       : c->mariadb ? c->mariadb->data_directory
	       : c->exec    ? c->exec->data_directory
			    : NULL;
}

/* A path to protect that lies outside of what is restored is a slip of the pen that would protect nothing. */
static enum err_code check_inside(
    const struct component_config *c, const char *key, const struct list *inside, struct err *reterr)
{
	enum err_code rc = check_paths(key, inside, reterr);

	for (size_t i = 0; rc == ERR_OK && i < inside->count && !c->release; i++) {
		const char *path = LIST_AT(*inside, const char *, i);
		bool below = c->git && path_below(path, c->git);
		for (size_t k = 0; k < c->paths.count; k++)
			below |= path_below(path, LIST_AT(c->paths, const char *, k));
		if (!below)
			rc = WRONG("%s[%zu]: expected a path inside of this component, got \"%.200s\"", key, i, path);
	}
	return rc;
}

enum err_code check_component(const void *record, struct err *reterr)
{
	const struct component_config *c = record;
	const char *database = component_database_path(c);
	int kinds = (c->paths.count > 0) + !!c->git + !!c->release + !!c->postgres + !!c->sqlite + !!c->redis +
		    !!c->mariadb + !!c->exec;
	enum err_code rc;

	if (kinds != 1)
		return WRONG(
		    "expected exactly one of paths, git, release, postgres, sqlite, redis, mariadb and exec, got %d",
		    kinds);
	/* A database is copied and put back whole, by itself. */
	if (database && (c->exclude.count || c->never_restore.count || c->refuse_open_writers))
		return WRONG("%s: has no use for a database", c->exclude.count         ? "exclude"
							      : c->never_restore.count ? "never_restore"
										       : "refuse_open_writers");
	if (text_equal(database, "/"))
		return WRONG("the whole host cannot be a database");
	if ((rc = check_paths("paths", &c->paths, reterr)) != ERR_OK ||
	    (rc = check_path("git", c->git, reterr)) != ERR_OK ||
	    (rc = check_path("release", c->release, reterr)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < c->paths.count; i++)
		if (!strcmp(LIST_AT(c->paths, const char *, i), "/"))
			return WRONG("paths[%zu]: the whole host cannot be a component", i);
	if (text_equal(c->git, "/") || text_equal(c->release, "/"))
		return WRONG("%s: the whole host cannot be a component", c->git ? "git" : "release");
	for (size_t i = 0; i < c->exclude.count; i++) {
		const char *glob = LIST_AT(c->exclude, const char *, i);
		if (!*glob || *glob == '/' || !printable(glob))
			return WRONG("exclude[%zu]: expected a glob below the component's paths, such as \"cache/**\", "
				     "got \"%.200s\"",
			    i, glob);
	}
	if ((rc = check_argv("schema", &c->schema, reterr)) != ERR_OK)
		return rc;
	if (c->refuse_open_writers && c->stop_open_writers)
		return WRONG("stop_open_writers: has no use beside refuse_open_writers");
	if ((rc = check_inside(c, "secrets", &c->secrets, reterr)) != ERR_OK)
		return rc;
	return check_inside(c, "never_restore", &c->never_restore, reterr);
}

const struct component_config *components_get(const struct components_config *c, enum component which)
{
	switch (which) {
	case COMPONENT_CONFIG:
		return c->config;
	case COMPONENT_CODE:
		return c->code;
	case COMPONENT_DATA:
		return c->data;
	case COMPONENT_DATABASE:
		return c->database;
	case COMPONENT_COUNT:
		break;
	}
	return NULL;
}

enum err_code check_components(const void *record, struct err *reterr)
{
	const struct components_config *c = record;

	if (c->config && !c->config->paths.count)
		return WRONG("config: expected paths");
	if (c->code && component_database_path(c->code))
		return WRONG("code: expected one of git, release and paths");
	if (c->data && !c->data->paths.count)
		return WRONG("data: expected paths");
	if (c->database && !component_database_path(c->database))
		return WRONG("database: expected one of postgres, sqlite, redis, mariadb and exec");
	return ERR_OK;
}

enum err_code check_steps(const void *record, struct err *reterr)
{
	const struct steps_config *s = record;
	enum err_code rc = check_argv("stop", &s->stop, reterr);

	if (rc == ERR_OK)
		rc = check_argv("start", &s->start, reterr);
	if (rc == ERR_OK)
		rc = check_argv("reload", &s->reload, reterr);
	if (rc == ERR_OK)
		rc = check_argv("check", &s->check, reterr);
	/* What is stopped for a rollback must come up again. */
	if (rc == ERR_OK && s->stop.count && !s->start.count)
		rc = WRONG("start: expected, as there is a stop");
	return rc;
}

enum err_code check_action(const void *record, struct err *reterr)
{
	const struct action_config *a = record;
	uint32_t seen = 0;

	if (!name_ok(a->name))
		return WRONG("name: expected lower-case letters, digits and hyphens, got \"%s\"", shown(a->name));
	for (size_t i = 0; i < a->remedies.count; i++) {
		uint32_t which = LIST_AT(a->remedies, uint32_t, i);
		if (seen & 1u << which)
			return WRONG("remedies[%zu]: %s stands there twice", i, enum_name(&remedy_enum, which));
		seen |= 1u << which;
	}
	return a->run.count ? check_argv("run", &a->run, reterr) : ERR_OK;
}

/* ---- probes ---- */

enum err_code check_http(const void *record, struct err *reterr)
{
	const struct http_probe *p = record;
	bool https = text_starts(p->url, "https://");

	if (!(https || text_starts(p->url, "http://")) || !url_rest_ok(strstr(p->url, "://") + 3))
		return WRONG("url: expected http:// or https:// with a host and no password, got \"%.200s\"", p->url);
	if (p->authority && !https)
		return WRONG("authority: has no use without https://");
	if (p->host_header && (!*p->host_header || !printable(p->host_header) || strchr(p->host_header, ' ')))
		return WRONG("host_header: expected a host name");
	return check_path("authority", p->authority, reterr);
}

enum err_code check_tcp(const void *record, struct err *reterr)
{
	const struct tcp_probe *p = record;

	if (text_starts(p->address, "unix:") ? !path_ok(p->address + strlen("unix:")) : !address_ok(p->address))
		return WRONG("address: expected host:port, [v6]:port or unix:/path, got \"%s\"", p->address);
	return ERR_OK;
}

enum err_code check_tls(const void *record, struct err *reterr)
{
	const struct tls_probe *p = record;

	if (!address_ok(p->address))
		return WRONG("address: expected host:port or [v6]:port, got \"%s\"", p->address);
	if (p->critical_ms > p->warn_ms)
		return WRONG("critical: expected no more than warn: it is the time left");
	return ERR_OK;
}

enum err_code check_process(const void *record, struct err *reterr)
{
	const struct process_probe *p = record;

	if (!p->pid_file == !p->name)
		return WRONG("expected exactly one of pid_file and name");
	if (p->pid_file && p->least != 1)
		return WRONG("least: has no use with pid_file");
	return check_path("pid_file", p->pid_file, reterr);
}

static enum err_code check_percents(double warn, double critical, struct err *reterr)
{
	if (!(warn > 0 && warn <= critical && critical <= 100))
		return WRONG("warn_percent, critical_percent: expected 0 < warn <= critical <= 100, got %g and %g",
		    warn, critical);
	return ERR_OK;
}

enum err_code check_disk(const void *record, struct err *reterr)
{
	const struct disk_probe *p = record;
	enum err_code rc = check_path("path", p->path, reterr);

	return rc == ERR_OK ? check_percents(p->warn_percent, p->critical_percent, reterr) : rc;
}

enum err_code check_load(const void *record, struct err *reterr)
{
	const struct load_probe *p = record;
	return check_percents(p->warn_percent, p->critical_percent, reterr);
}

enum err_code check_age(const void *record, struct err *reterr)
{
	const struct age_probe *p = record;

	if (!p->warn_ms || p->warn_ms > p->critical_ms)
		return WRONG("warn, critical: expected 0 < warn <= critical");
	return check_path("path", p->path, reterr);
}

uint64_t probe_tier_every_ms(enum probe_tier tier)
{
	static const uint64_t every_ms[] = {
	    [PROBE_SHALLOW] = 30 * 1000,
	    [PROBE_DEEP] = 5 * 60 * 1000,
	    [PROBE_FULL] = 30 * 60 * 1000,
	};
	return every_ms[tier < PROBE_TIER_COUNT ? tier : PROBE_SHALLOW];
}

enum err_code check_probe(const void *record, struct err *reterr)
{
	const struct probe_config *p = record;
	int kinds = !!p->http + !!p->tcp + !!p->tls + (p->exec.count > 0) + !!p->process + !!p->disk + !!p->folder +
		    !!p->cpu + !!p->memory + !!p->age;
	uint64_t every_ms = p->every_ms ? p->every_ms : probe_tier_every_ms(p->tier);

	if (!name_ok(p->name))
		return WRONG("name: expected lower-case letters, digits and hyphens, got \"%s\"", p->name);
	if (kinds != 1)
		return WRONG(
		    "expected exactly one of http, tcp, tls, exec, process, disk, folder, cpu, memory and age, got %d",
		    kinds);
	if (p->every_ms && p->every_ms < CONFIG_EVERY_LEAST_MS)
		return WRONG("every: expected at least 1s");
	if (p->timeout_ms >= every_ms)
		return WRONG("timeout: expected less than every (%llu ms), got %llu ms", (unsigned long long)every_ms,
		    (unsigned long long)p->timeout_ms);
	return check_argv("exec", &p->exec, reterr);
}

/* ---- services ---- */

enum err_code check_log(const void *record, struct err *reterr)
{
	const struct log_config *l = record;

	if (!l->file == !l->journal)
		return WRONG("expected exactly one of file and journal");
	/* As systemd.unit(5) has it. */
	if (l->journal &&
	    (!strchr(l->journal, '.') || l->journal[strspn(l->journal,
					     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@")]))
		return WRONG("journal: expected a unit such as \"nginx.service\", got \"%s\"", l->journal);
	return check_path("file", l->file, reterr);
}

enum err_code check_version(const void *record, struct err *reterr)
{
	const struct version_config *v = record;
	return check_path("file", v->file, reterr);
}

enum err_code check_snapshots(const void *record, struct err *reterr)
{
	const struct snapshots_config *s = record;

	if (s->every_ms && s->every_ms < CONFIG_SNAPSHOT_EVERY_LEAST_MS)
		return WRONG("every: expected at least 1m, or 0s for none");
	if (s->verify_every_ms && s->verify_every_ms < CONFIG_SNAPSHOT_EVERY_LEAST_MS)
		return WRONG("verify_every: expected at least 1m, or 0s for none");
	if (s->sample_every_ms && s->sample_every_ms < CONFIG_SNAPSHOT_EVERY_LEAST_MS)
		return WRONG("sample_every: expected at least 1m, or 0s for none");
	return ERR_OK;
}

static enum err_code check_service_names(const struct service_config *s, struct err *reterr)
{
	if (!name_ok(s->name))
		return WRONG("name: expected lower-case letters, digits and hyphens, got \"%s\"", s->name);
	for (size_t i = 0; i < s->depends_on.count; i++) {
		const char *other = LIST_AT(s->depends_on, const char *, i);
		if (strlen(other) > NAME_MAX_BYTES || !name_ok(other))
			return WRONG("depends_on[%zu]: expected the name of a service, got \"%.80s\"", i, other);
		if (!strcmp(other, s->name))
			return WRONG("depends_on[%zu]: a service cannot depend on itself", i);
	}
	return check_no_twins("depends_on", &s->depends_on, reterr);
}

static enum err_code check_probe_twins(const struct service_config *s, struct err *reterr)
{
	for (size_t i = 0; i < s->probes.count; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(LIST_AT(s->probes, struct probe_config, i).name,
				LIST_AT(s->probes, struct probe_config, k).name))
				return WRONG("probes[%zu].name: \"%s\" stands there twice", i,
				    LIST_AT(s->probes, struct probe_config, i).name);
	return ERR_OK;
}

static enum err_code check_log_twins(const struct service_config *s, struct err *reterr)
{
	for (size_t i = 0; i < s->logs.count; i++)
		for (size_t k = 0; k < i; k++) {
			const struct log_config *a = &LIST_AT(s->logs, struct log_config, i),
						*b = &LIST_AT(s->logs, struct log_config, k);
			if (text_equal(a->file, b->file) && text_equal(a->journal, b->journal))
				return WRONG(
				    "logs[%zu]: \"%.200s\" stands there twice", i, a->file ? a->file : a->journal);
		}
	return ERR_OK;
}

/* Every path that a component names, one after the other; NULL: no more.  *ret_key is what it stands under. */
static const char *component_path(const struct component_config *c, size_t i, const char **ret_key)
{
	if (i < c->paths.count) {
		*ret_key = "paths";
		return LIST_AT(c->paths, const char *, i);
	}
	*ret_key = c->git       ? "git"
		   : c->release ? "release"
		   : c->sqlite  ? "sqlite.file"
		   : c->redis   ? "redis.data_directory"
		   : c->mariadb ? "mariadb.data_directory"
		   : c->exec    ? "exec.data_directory"
				: "postgres.data_directory";
	const char *single = c->git ? c->git : c->release ? c->release : component_database_path(c);
	return i == c->paths.count ? single : NULL;
}

static bool component_has(const struct component_config *c, const char *path)
{
	const char *key, *at;

	for (size_t i = 0; (at = component_path(c, i, &key)); i++)
		if (!strcmp(at, path))
			return true;
	return false;
}

/* Two components that name the same path would restore it from two snapshots. */
static enum err_code check_path_twins(const struct service_config *s, struct err *reterr)
{
	const char *key, *path;

	for (unsigned a = 0; a < COMPONENT_COUNT; a++)
		for (unsigned b = 0; b < a; b++) {
			const struct component_config *x = components_get(&s->components, a),
						      *y = components_get(&s->components, b);
			for (size_t i = 0; x && y && (path = component_path(x, i, &key)); i++)
				if (component_has(y, path))
					return WRONG("components.%s.%s: \"%.200s\" is in %s already",
					    enum_name(&component_enum, a), key, path, enum_name(&component_enum, b));
		}
	return ERR_OK;
}

enum err_code check_service(const void *record, struct err *reterr)
{
	const struct service_config *s = record;
	uint32_t declared = 0, twice = 0;
	enum err_code rc = check_service_names(s, reterr);

	if (rc == ERR_OK)
		rc = check_probe_twins(s, reterr);
	if (rc == ERR_OK)
		rc = check_log_twins(s, reterr);
	if (rc == ERR_OK)
		rc = check_path_twins(s, reterr);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < s->actions.count; i++)
		if (!LIST_AT(s->actions, struct action_config, i).run.count && !s->steps.start.count)
			return WRONG("actions.%s: runs nothing, and the service has no step start",
			    LIST_AT(s->actions, struct action_config, i).name);
	for (unsigned which = 0; which < COMPONENT_COUNT; which++)
		declared |= (uint32_t)(components_get(&s->components, which) != NULL) << which;
	for (size_t i = 0; i < s->rollback.automatic.count; i++) {
		uint32_t which = LIST_AT(s->rollback.automatic, uint32_t, i);
		if (twice & 1u << which)
			return WRONG(
			    "rollback.automatic[%zu]: %s stands there twice", i, enum_name(&component_enum, which));
		twice |= 1u << which;
		if (!(declared & 1u << which))
			return WRONG("rollback.automatic[%zu]: the service has no component %s", i,
			    enum_name(&component_enum, which));
	}
	return ERR_OK;
}

/* ---- the file ---- */

enum err_code check_controller(const void *record, struct err *reterr)
{
	const struct controller_config *c = record;

	if (!text_starts(c->url, "wss://") || !address_ok(c->url + strlen("wss://")))
		return WRONG("url: expected wss://host:port, got \"%.200s\"", c->url);
	if (!name_ok(c->name))
		return WRONG("name: expected lower-case letters, digits and hyphens, got \"%s\"", shown(c->name));
	return ERR_OK;
}

/* A word, 32 bytes in hex, a name: as `kedge-agent repo recovery-key` prints it. */
static enum err_code check_recovery_keys(const struct agent_config *c, struct err *reterr)
{
	static const char word[] = "kedge-recovery-x25519 ";
	enum { HEX = 64 };
	for (size_t i = 0; i < c->recovery_keys.count; i++) {
		const char *line = LIST_AT(c->recovery_keys, const char *, i), *hex = line + strlen(word);
		bool good = text_starts(line, word) && strspn(hex, "0123456789abcdef") == HEX && hex[HEX] == ' ' &&
			    hex[HEX + 1] && strlen(hex + HEX + 1) <= NAME_MAX_BYTES && !strpbrk(hex + HEX + 1, " \t");
		if (!good)
			return WRONG("recovery_keys[%zu]: expected a line of `kedge-agent repo recovery-key`: "
				     "\"kedge-recovery-x25519\", 64 hex digits, a name",
			    i);
		for (size_t k = 0; k < i; k++)
			if (!strncmp(hex, LIST_AT(c->recovery_keys, const char *, k) + strlen(word), HEX))
				return WRONG("recovery_keys[%zu]: the same key as recovery_keys[%zu]", i, k);
	}
	return ERR_OK;
}

static enum err_code check_approvers(const struct agent_config *c, struct err *reterr)
{
	struct ssh_key keys[CONFIG_KEYS_MAX];
	uint32_t owners = 0;

	for (size_t i = 0; i < c->approvers.count && i < CONFIG_KEYS_MAX; i++) {
		bool counted = false;
		enum err_code rc = ssh_key_parse(LIST_AT(c->approvers, const char *, i), &keys[i], reterr);
		if (rc != ERR_OK)
			return err_prefix(reterr, ERR_INVALID, "approvers[%zu]", i);
		if (!keys[i].owner[0])
			return WRONG("approvers[%zu]: expected the owner's name after the key", i);
		for (size_t k = 0; k < i; k++) {
			if (ssh_key_equal(&keys[k], &keys[i]))
				return WRONG("approvers[%zu]: the same key as approvers[%zu]", i, k);
			counted |= !strcmp(keys[k].owner, keys[i].owner);
		}
		owners += !counted;
	}
	if (owners && c->approvals_needed > owners)
		return WRONG("approvals_needed: %u, but the approvers' keys have %u owner%s", c->approvals_needed,
		    owners, owners == 1 ? "" : "s");
	return ERR_OK;
}

static bool bucket_ok(const char *s)
{
	size_t n = strlen(s);
	return n >= 3 && n <= 63 && *s != '-' && *s != '.' && s[n - 1] != '-' && s[n - 1] != '.' && !strstr(s, "..") &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == 0;
}

/* What S3 takes without an escape, in one spelling. */
static bool prefix_ok(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
	return !*s ||
	       (*s != '/' && text_ends(s, "/") && !strstr(s, "//") && !strstr(s, "./") && s[strspn(s, plain)] == 0);
}

/* An address of the loopback, or its name: with or without a port. */
static bool endpoint_here(const char *s)
{
	size_t n = *s == '[' ? strlen("[::1]") : strcspn(s, ":");
	bool name = (n == 9 && !strncmp(s, "localhost", n)) || !strncmp(s, "[::1]", strlen("[::1]"));
	bool number = !strncmp(s, "127.", 4) && strspn(s, "0123456789.") == n;
	return (name || number) && (strlen(s) == n || (s[n] == ':' && port_ok(s + n + 1)));
}

enum err_code check_s3_copies(const void *record, struct err *reterr)
{
	const struct s3_copies_config *c = record;
	bool tls = text_starts(c->endpoint, "https://");
	const char *host = strstr(c->endpoint, "://") ? strstr(c->endpoint, "://") + 3 : "";

	if ((!tls && !text_starts(c->endpoint, "http://")) || !url_rest_ok(host) || strpbrk(host, "/?#"))
		return WRONG("endpoint: expected https://host or https://host:port, got \"%.200s\"", c->endpoint);
	if (!tls && !endpoint_here(host) && !c->plain_http)
		return WRONG(
		    "endpoint: expected https://, as the store is not on this host (plain_http: true allows http://), "
		    "got \"%.200s\"",
		    c->endpoint);
	if (!bucket_ok(c->bucket))
		return WRONG(
		    "bucket: expected 3 to 63 lower-case letters, digits, hyphens and dots, got \"%s\"", c->bucket);
	if (!c->region || !name_ok(c->region))
		return WRONG("region: expected lower-case letters, digits and hyphens, got \"%s\"", shown(c->region));
	if (c->prefix && !prefix_ok(c->prefix))
		return WRONG("prefix: expected letters, digits, \"-_.\" and single slashes, the last of them at its "
			     "end, got \"%.200s\"",
		    c->prefix);
	enum err_code rc = check_path("credentials_file", c->credentials_file, reterr);
	return rc == ERR_OK ? check_path("authority", c->authority, reterr) : rc;
}

/* The repository must not be part of what it holds. */
static enum err_code check_state_apart(const struct agent_config *c, struct err *reterr)
{
	const char *key, *path;

	for (size_t i = 0; i < c->services.count; i++) {
		const struct service_config *s = &LIST_AT(c->services, struct service_config, i);
		for (unsigned which = 0; which < COMPONENT_COUNT; which++) {
			const struct component_config *at = components_get(&s->components, which);
			for (size_t k = 0; at && (path = component_path(at, k, &key)); k++)
				if (path_below(path, c->state_directory) || path_below(c->state_directory, path))
					return WRONG("services.%s.components.%s.%s: %.200s overlaps state_directory",
					    s->name, enum_name(&component_enum, which), key, path);
		}
	}
	return ERR_OK;
}

enum err_code check_agent(const void *record, struct err *reterr)
{
	const struct agent_config *c = record;
	enum err_code rc = check_path_there("state_directory", c->state_directory, reterr);

	if (rc != ERR_OK)
		return rc;
	if (c->host && !host_name_ok(c->host))
		return WRONG("host: expected lower-case letters, digits, hyphens and dots, got \"%s\"", c->host);
	if (c->domain && !host_name_ok(c->domain))
		return WRONG("domain: expected lower-case letters, digits, hyphens and dots, got \"%s\"", c->domain);
	if (c->controller && !c->domain)
		return WRONG("domain: expected, as there is a controller");
	if (!user_ok(c->user))
		return WRONG("user: expected a user name, got \"%s\"", shown(c->user));
	for (size_t i = 0; i < c->services.count; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(LIST_AT(c->services, struct service_config, i).name,
				LIST_AT(c->services, struct service_config, k).name))
				return WRONG("services.%s: stands there twice",
				    LIST_AT(c->services, struct service_config, i).name);
	rc = check_approvers(c, reterr);
	if (rc == ERR_OK)
		rc = check_recovery_keys(c, reterr);
	return rc == ERR_OK ? check_state_apart(c, reterr) : rc;
}
