/* What a controller.yaml that says nothing means, and an on-call list as people write it. */
#include <string.h>

#include "controller/access/access.h"
#include "controller/notify/notify.h"
#include "tests/lib/unit.h"

static void test_defaults_are_the_documented_ones(void **state)
{
	(void)state;
	struct arena *a = arena_new(0);
	struct fleet_config fleet;
	struct health_config health;
	struct incident_config incident;
	struct err err;
	assert_int_equal(record_defaults(&fleet_config_type, a, &fleet, &err), ERR_OK);
	assert_int_equal(fleet.heartbeat_ms, 30000);
	assert_int_equal(fleet.proof_ms, 300000);
	assert_int_equal(record_defaults(&health_config_type, a, &health, &err), ERR_OK);
	assert_true(health.response_ms == 1000 && health.errors_percent == 1 && health.cpu_percent == 80);
	assert_true(health.memory_percent == 85 && health.disk_percent == 90);
	assert_int_equal(record_defaults(&incident_config_type, a, &incident, &err), ERR_OK);
	assert_int_equal(incident.review_ms, 86400000);
	assert_int_equal(incident.relapse_ms, 1800000);
	arena_free(a);
}

static void test_oncall_list_from_yaml(void **state)
{
	(void)state;
	static const char good[] =
	    "site: north\n"
	    "channels:\n"
	    "  mail: { kind: smtp, url: \"smtp://127.0.0.1:2525\", from: kedge@example.org, to: ops@example.org }\n"
	    "  file: { kind: file, url: /var/log/kedge/pages }\n"
	    "levels:\n"
	    "  - { name: first, wait: 5m, persons: [ { name: ada, channel: mail } ] }\n";
	static const char bad[] = "channels: { file: { kind: file, url: /tmp/x } }\nlevels: [ { persons: [ { name: a, "
				  "channel: pigeon } ] } ]\n";
	struct arena *a = arena_new(0);
	struct notify_config c;
	struct err err = ERR_INIT;
	if (record_from_yaml(&notify_config_type, "kedge.yaml", good, sizeof(good) - 1, a, &c, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(c.channels.count, 2);
	assert_int_equal(c.rounds, 3);
	assert_int_equal(LIST_AT(c.levels, struct notify_level, 0).wait_ms, 300000);
	assert_int_equal(
	    record_from_yaml(&notify_config_type, "kedge.yaml", bad, sizeof(bad) - 1, a, &c, &err), ERR_INVALID);
	assert_non_null(strstr(err.msg, "pigeon"));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults_are_the_documented_ones),
	    cmocka_unit_test(test_oncall_list_from_yaml),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
