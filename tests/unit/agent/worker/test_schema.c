/* What programs say of schemas. */
#include "tests/lib/unit.h"

#include <string.h>

#include "agent/worker/schema.h"

static void first_lines(void **state)
{
	(void)state;
	static const char yaml[] = "host: h1\nstate_directory: /tmp/none\nservices:\n  svc:\n    components:\n"
				   "      config: { paths: [/etc/x], schema: [/bin/echo, \"12\"] }\n"
				   "      code: { paths: [/srv/x], schema: [/bin/false] }\n"
				   "      data: { paths: [/var/x], schema: [/bin/true] }\n";
	struct arena *arena = arena_new(0);
	const struct agent_config *c;
	struct snapshot_version found[COMPONENT_COUNT];
	size_t count;
	struct err err = ERR_INIT;
	if (agent_config_parse("agent.yaml", yaml, strlen(yaml), arena, &c, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	schema_versions(agent_config_service(c, "svc"), arena, found, &count);
	assert_int_equal(count, 1); /* one that fails and one that says nothing are not known */
	assert_string_equal(found[0].name, "config_schema");
	assert_string_equal(found[0].value, "12");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(first_lines)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
