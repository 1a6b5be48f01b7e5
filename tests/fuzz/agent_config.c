/* tests/fuzz/agent_config.c: agent.yaml.  What is taken keeps every promise that the rest of the agent leans on. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/config.h"
#include "tests/fuzz/fuzz.h"

static void argv_is_sane(const struct list *argv)
{
	if (argv->count)
		assert(LIST_AT(*argv, const char *, 0)[0]);
}

static void service_is_sane(const struct agent_config *c, const struct service_config *s)
{
	assert(agent_config_service(c, s->name) == s);
	argv_is_sane(&s->steps.stop);
	argv_is_sane(&s->steps.start);
	for (size_t i = 0; i < s->probes.count; i++) {
		const struct probe_config *p = &LIST_AT(s->probes, struct probe_config, i);
		assert(p->every_ms > p->timeout_ms && p->timeout_ms > 0 && p->rise > 0 && p->fall > 0);
		argv_is_sane(&p->exec);
	}
	for (unsigned which = 0; which < COMPONENT_COUNT; which++) {
		const struct component_config *at = components_get(&s->components, which);
		for (size_t i = 0; at && i < at->paths.count; i++)
			assert(LIST_AT(at->paths, const char *, i)[0] == '/' &&
			       !strstr(LIST_AT(at->paths, const char *, i), "/../"));
		if (at)
			assert(
			    (at->paths.count > 0) + !!at->git + !!at->release + (component_database_path(at) != NULL) ==
			    1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	const struct agent_config *c;
	struct err err = ERR_INIT;

	if (!arena)
		abort();
	if (agent_config_parse("fuzz.yaml", (const char *)data, size, arena, &c, &err) == ERR_OK) {
		for (size_t i = 0; i < c->services.count; i++)
			service_is_sane(c, &LIST_AT(c->services, struct service_config, i));
		struct buf out = BUF_INIT;
		enum err_code rc = record_to_yaml(&agent_config_type, c, &out, NULL);
		assert(rc == ERR_OK);
		const struct agent_config *again;
		rc = agent_config_parse("again.yaml", buf_str(&out), out.size, arena, &again, &err);
		assert(rc == ERR_NOMEM || (rc == ERR_OK && record_equal(&agent_config_type, c, again)));
		buf_done(&out);
	} else {
		assert(err.msg[0]);
	}
	arena_free(arena);
	return 0;
}
