/* agent/config/check_components.c: what a service consists of, and how it is stopped, started and mended. */
#include "agent/config/check.h"

#include <string.h>

#include "shared/base/text.h"

enum err_code check_postgres(const void *record, struct err *reterr)
{
	const struct postgres_config *p = record;
	enum err_code rc = check_path("data_directory", p->data_directory, reterr);

	if (rc == ERR_OK)
		rc = check_path_there("bin_directory", p->bin_directory, reterr);
	if (rc == ERR_OK)
		rc = check_path_there("socket_directory", p->socket_directory, reterr);
	if (rc == ERR_OK && !word_user(p->user))
		rc = WRONG("user: expected a user name, got \"%s\"", word_shown(p->user));
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
	if (rc == ERR_OK && (!r->address || !(text_starts(r->address, "unix:") ? word_path(r->address + strlen("unix:"))
									       : word_address(r->address))))
		rc = WRONG("address: expected host:port, [v6]:port or unix:/path, got \"%s\"", word_shown(r->address));
	if (rc == ERR_OK &&
	    (!r->file || !*r->file || *r->file == '.' || strchr(r->file, '/') || !word_printable(r->file)))
		rc = WRONG("file: expected the name of a file, got \"%s\"", word_shown(r->file));
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
		bool below = c->git && word_path_below(path, c->git);
		for (size_t k = 0; k < c->paths.count; k++)
			below |= word_path_below(path, LIST_AT(c->paths, const char *, k));
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
		if (!*glob || *glob == '/' || !word_printable(glob))
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

	if (!word_name(a->name))
		return WRONG("name: expected lower-case letters, digits and hyphens, got \"%s\"", word_shown(a->name));
	for (size_t i = 0; i < a->remedies.count; i++) {
		uint32_t which = LIST_AT(a->remedies, uint32_t, i);
		if (seen & 1u << which)
			return WRONG("remedies[%zu]: %s stands there twice", i, enum_name(&remedy_enum, which));
		seen |= 1u << which;
	}
	return a->run.count ? check_argv("run", &a->run, reterr) : ERR_OK;
}
