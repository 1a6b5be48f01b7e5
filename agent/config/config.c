#include "agent/config/config.h"

#include <string.h>
#include <sys/utsname.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"

/* What the file leaves to the tier is filled in, so that nobody has to ask twice. */
static void fill_intervals(struct agent_config *c)
{
	for (size_t i = 0; i < c->services.count; i++) {
		struct service_config *s = &LIST_AT(c->services, struct service_config, i);
		for (size_t k = 0; k < s->probes.count; k++) {
			struct probe_config *p = &LIST_AT(s->probes, struct probe_config, k);
			if (!p->every_ms)
				p->every_ms = probe_tier_every_ms(p->tier);
		}
	}
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
	fill_intervals(c);
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
