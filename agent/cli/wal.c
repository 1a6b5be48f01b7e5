/* agent/cli/wal.c: kedge-agent wal …: what PostgreSQL runs as archive_command and restore_command, and how the archive
 * is. */
#include "agent/database/wal.h"

#include <stdio.h>
#include <sys/stat.h>

#include "agent/cli/cli.h"
#include "agent/worker/work.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(struct repo, repo_cleanup, repo_close)

/* PostgreSQL takes 1 to 125 from restore_command for "it is not there: recovery ends here".  What is there but cannot
 * be read must stop the server instead. */
enum { EXIT_NO_RECOVERY = 200 };

static const struct postgres_config *archived(const struct service_config *s)
{
	const struct component_config *c = s->components.database;
	return c && c->postgres && c->postgres->wal_archive ? c->postgres : NULL;
}

/* PostgreSQL runs these in its data directory: that tells whose log it is. */
static bool is_here(const struct postgres_config *pg)
{
	struct stat here, data;
	return stat(".", &here) == 0 && stat(pg->data_directory, &data) == 0 && here.st_dev == data.st_dev &&
	       here.st_ino == data.st_ino;
}

static enum err_code find_service(const struct cli *c, const struct service_config **ret, struct err *reterr)
{
	const struct service_config *only = NULL;
	size_t n = 0;
	if (c->service) {
		*ret = agent_config_service(c->config, c->service);
		return *ret && archived(*ret)
			   ? ERR_OK
			   : err_set(reterr, ERR_NOT_FOUND,
				 "agent.yaml declares no service %s with a database and wal_archive", c->service);
	}
	for (size_t i = 0; i < c->config->services.count; i++) {
		const struct service_config *s = &LIST_AT(c->config->services, struct service_config, i);
		if (!archived(s))
			continue;
		if (is_here(archived(s))) {
			*ret = s;
			return ERR_OK;
		}
		only = s;
		n++;
	}
	if (n != 1)
		return err_set(reterr, ERR_NOT_FOUND,
		    n ? "several services have wal_archive: say which with --service"
		      : "agent.yaml declares no service whose database has wal_archive: true");
	*ret = only;
	return ERR_OK;
}

/* Whoever may read the repository makes the archive at first use; the cluster's own user finds it made. */
static enum err_code open_area(
    const struct cli *c, const struct service_config *s, bool make, struct wal_area *ret, struct err *reterr)
{
	CLEANUP(repo_cleanup) struct repo *repo = NULL;
	enum err_code rc = wal_area_open(c->config->state_directory, s->name, ret, reterr);
	if (rc != ERR_NOT_FOUND || !make)
		return rc;
	rc = work_repo(c->config, &repo, reterr);
	if (rc == ERR_OK)
		rc = wal_area_make(repo, c->config->state_directory, s, ret, reterr);
	return rc == ERR_OK ? rc
			    : err_prefix(reterr, rc,
				  "the archive of %s is not made yet (`kedge-agent wal status %s` as root makes it)",
				  s->name, s->name);
}

static int push(struct cli *c)
{
	const struct service_config *s;
	struct wal_area area;
	struct err err = ERR_INIT;
	bool already;
	if (c->argc != 2)
		return fputs("usage: kedge-agent wal push PATH NAME [--service SERVICE]\n", stderr), EXIT_USAGE;
	enum err_code rc = find_service(c, &s, &err);
	if (rc == ERR_OK)
		rc = open_area(c, s, true, &area, &err);
	if (rc != ERR_OK)
		return cli_fail(&err);
	rc = wal_push(&area, c->argv[0], c->argv[1], clock_wall_ms(), &already, &err);
	wal_area_wipe(&area);
	return rc == ERR_OK ? EXIT_DONE : cli_fail(&err);
}

static int fetch(struct cli *c)
{
	const struct service_config *s = NULL;
	struct wal_area area;
	struct wal_name name;
	struct err err = ERR_INIT;
	if (c->argc != 2)
		return fputs("usage: kedge-agent wal fetch NAME PATH [--service SERVICE] [--history]\n", stderr),
		       EXIT_NO_RECOVERY;
	/* A copy of a stopped server must not see what its log became later, only which timelines there are. */
	if (c->history && wal_name_parse(c->argv[0], &name) && name.kind != WAL_HISTORY)
		return EXIT_NOT_FOUND;
	enum err_code rc = c->area ? wal_area_open_at(c->area, &area, &err) : find_service(c, &s, &err);
	if (rc == ERR_OK && s)
		rc = open_area(c, s, false, &area, &err);
	if (rc != ERR_OK)
		return cli_fail(&err), EXIT_NO_RECOVERY;
	rc = wal_fetch(&area, c->argv[0], c->argv[1], &err);
	wal_area_wipe(&area);
	if (rc == ERR_NOT_FOUND)
		return EXIT_NOT_FOUND; /* asked for at the end of every recovery: nothing to tell */
	return rc == ERR_OK ? EXIT_DONE : (cli_fail(&err), EXIT_NO_RECOVERY);
}

static enum err_code status_of(
    struct cli *c, const struct service_config *s, struct wal_status *ret, struct err *reterr)
{
	struct wal_area area;
	enum err_code rc = open_area(c, s, true, &area, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = wal_status_of(
	    &area, s->name, archived(s)->data_directory, archived(s)->rpo_ms, clock_wall_ms(), c->arena, ret, reterr);
	wal_area_wipe(&area);
	return rc;
}

static int status(struct cli *c)
{
	size_t n = 0;
	bool red = false;
	struct err err = ERR_INIT;
	struct wal_status *all = arena_array(c->arena, c->config->services.count + 1, sizeof *all);
	const void **rows = arena_array(c->arena, c->config->services.count + 1, sizeof *rows);
	if (c->argc > 1)
		return fputs("usage: kedge-agent wal status [SERVICE]\n", stderr), EXIT_USAGE;
	for (size_t i = 0; all && rows && i < c->config->services.count; i++) {
		const struct service_config *s = &LIST_AT(c->config->services, struct service_config, i);
		if (!archived(s) || (c->argc && !text_equal(c->argv[0], s->name)))
			continue;
		if (status_of(c, s, &all[n], &err) != ERR_OK)
			return cli_fail(&err);
		red |= all[n].state != WAL_STATE_OK;
		rows[n] = &all[n];
		n++;
	}
	if (!n)
		return fputs("kedge-agent: agent.yaml declares no such service whose database has wal_archive: true\n",
			   stderr),
		       EXIT_NOT_FOUND;
	int code = cli_records(c, &wal_status_type, rows, n);
	return code == EXIT_DONE && red ? EXIT_FAILED : code;
}

int cli_wal(struct cli *c, const char *verb)
{
	static const struct {
		const char *verb;
		int (*act)(struct cli *);
	} verbs[] = {{"push", push}, {"fetch", fetch}, {"status", status}};
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (text_equal(verb, verbs[i].verb))
			return verbs[i].act(c);
	return fputs("usage: kedge-agent wal push|fetch|status\n", stderr), EXIT_USAGE;
}
