/* agent/config/check.c: services, and the file as a whole. */
#include "agent/config/check.h"

#include <string.h>

#include "shared/approval/approval.h"
#include "shared/base/text.h"

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
	if (!word_name(s->name))
		return WRONG("name: expected lower-case letters, digits and hyphens, got \"%s\"", s->name);
	for (size_t i = 0; i < s->depends_on.count; i++) {
		const char *other = LIST_AT(s->depends_on, const char *, i);
		if (strlen(other) > NAME_MAX_BYTES || !word_name(other))
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

/* What it asks is the service's own database. */
static enum err_code check_probe_cluster(const struct service_config *s, struct err *reterr)
{
	const struct component_config *d = s->components.database;

	for (size_t i = 0; i < s->probes.count; i++)
		if (LIST_AT(s->probes, struct probe_config, i).postgres && !(d && d->postgres))
			return WRONG(
			    "probes[%zu].postgres: the service declares no PostgreSQL cluster as its database", i);
	return ERR_OK;
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
		rc = check_probe_cluster(s, reterr);
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

	if (!text_starts(c->url, "wss://") || !word_address(c->url + strlen("wss://")))
		return WRONG("url: expected wss://host:port, got \"%.200s\"", c->url);
	if (!word_name(c->name))
		return WRONG("name: expected lower-case letters, digits and hyphens, got \"%s\"", word_shown(c->name));
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
	return (name || number) && (strlen(s) == n || (s[n] == ':' && word_port(s + n + 1)));
}

enum err_code check_s3_copies(const void *record, struct err *reterr)
{
	const struct s3_copies_config *c = record;
	bool tls = text_starts(c->endpoint, "https://");
	const char *host = strstr(c->endpoint, "://") ? strstr(c->endpoint, "://") + 3 : "";

	if ((!tls && !text_starts(c->endpoint, "http://")) || !word_url_rest(host) || strpbrk(host, "/?#"))
		return WRONG("endpoint: expected https://host or https://host:port, got \"%.200s\"", c->endpoint);
	if (!tls && !endpoint_here(host) && !c->plain_http)
		return WRONG(
		    "endpoint: expected https://, as the store is not on this host (plain_http: true allows http://), "
		    "got \"%.200s\"",
		    c->endpoint);
	if (!bucket_ok(c->bucket))
		return WRONG(
		    "bucket: expected 3 to 63 lower-case letters, digits, hyphens and dots, got \"%s\"", c->bucket);
	if (!c->region || !word_name(c->region))
		return WRONG(
		    "region: expected lower-case letters, digits and hyphens, got \"%s\"", word_shown(c->region));
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
				if (word_path_below(path, c->state_directory) ||
				    word_path_below(c->state_directory, path))
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
	if (c->host && !word_host_name(c->host))
		return WRONG("host: expected lower-case letters, digits, hyphens and dots, got \"%s\"", c->host);
	if (c->domain && !word_host_name(c->domain))
		return WRONG("domain: expected lower-case letters, digits, hyphens and dots, got \"%s\"", c->domain);
	if (c->controller && !c->domain)
		return WRONG("domain: expected, as there is a controller");
	if (!word_user(c->user))
		return WRONG("user: expected a user name, got \"%s\"", word_shown(c->user));
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
