#include "agent/snapshot/versions.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

struct gathering {
	struct arena *arena;
	struct snapshot_version *all;
	size_t count;
};

/* The first of a name counts. */
static enum err_code add(struct gathering *g, const char *name, const char *value, struct err *reterr)
{
	struct snapshot_version v = {arena_strdup(g->arena, name), arena_strdup(g->arena, value)};
	if (!v.name || !v.value)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < g->count; i++)
		if (text_equal(g->all[i].name, name))
			return ERR_OK;
	if (g->count < SNAPSHOT_VERSIONS_MAX)
		g->all[g->count++] = v;
	return ERR_OK;
}

/* False: there is none. */
static bool first_line(const char *path, char out[VERSION_MAX_BYTES + 1])
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, out, VERSION_MAX_BYTES);
	if (n < 0)
		return false;
	out[n] = 0;
	out[strcspn(out, "\r\n")] = 0;
	for (char *end = out + strlen(out); end > out && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = 0;
	return *out && strlen(out) <= (size_t)n && text_utf8_valid(out, strlen(out));
}

enum err_code versions_gather(const struct service_config *service, const struct snapshot_version *given,
    size_t given_count, struct arena *arena, struct list *ret, struct err *reterr)
{
	struct gathering g = {.arena = arena, .all = arena_array(arena, SNAPSHOT_VERSIONS_MAX, sizeof *g.all)};
	char value[VERSION_MAX_BYTES + 1];
	struct utsname system;
	enum err_code rc = g.all ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < given_count && !rc; i++)
		rc = add(&g, given[i].name, given[i].value, reterr);
	for (size_t i = 0; i < service->versions.count && !rc; i++) {
		const struct version_config *v = &LIST_AT(service->versions, struct version_config, i);
		if (first_line(v->file, value))
			rc = add(&g, v->name, value, reterr);
		else
			log_warn("snapshot",
			    "service=%s version %s is not noted: %s has no first line that can be read", service->name,
			    v->name, v->file);
	}
	if (!rc && uname(&system) == 0 && text_format(value, sizeof value, "%s %s", system.sysname, system.release))
		rc = add(&g, "os", value, reterr);
	if (!rc)
		*ret = (struct list){g.all, g.count};
	return rc;
}
