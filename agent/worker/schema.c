#include "agent/worker/schema.h"

#include <string.h>

#include "agent/io/process.h"
#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static enum err_code ask(const struct list *argv, uint64_t timeout_ms, struct buf *said, struct err *reterr)
{
	const char *args[CONFIG_ARGV_MAX + 1];
	if (argv->count > CONFIG_ARGV_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d arguments", CONFIG_ARGV_MAX);
	for (size_t i = 0; i < argv->count; i++)
		args[i] = LIST_AT(*argv, const char *, i);
	args[argv->count] = NULL;
	struct process_spec spec = {.argv = args, .timeout_ms = timeout_ms};
	enum err_code rc = process_run_ok(&spec, said, reterr);
	if (rc == ERR_OK && !strcspn(buf_str(said), "\n"))
		rc = err_set(reterr, ERR_INVALID, "%s printed nothing", args[0]);
	return rc;
}

void schema_versions(const struct service_config *service, struct arena *arena,
    struct snapshot_version out[COMPONENT_COUNT], size_t *ret_count)
{
	*ret_count = 0;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		const struct component_config *c = components_get(&service->components, (enum component)i);
		CLEANUP(buf_done) struct buf said = BUF_INIT;
		struct err err = ERR_INIT;
		char value[VERSION_MAX_BYTES];
		if (!c || !c->schema.count)
			continue;
		if (ask(&c->schema, service->steps.timeout_ms, &said, &err) != ERR_OK) {
			log_warn("snapshot", "service=%s the schema of its %s is not known: %s", service->name,
			    enum_name(&component_enum, i), err.msg);
			continue;
		}
		(void)text_format(value, sizeof value, "%.*s", (int)strcspn(buf_str(&said), "\n"), buf_str(&said));
		out[*ret_count].name = arena_printf(arena, "%s_schema", enum_name(&component_enum, i));
		out[*ret_count].value = arena_strdup(arena, value);
		*ret_count += out[*ret_count].name && out[*ret_count].value;
	}
}
