/* What every record type must stand (tests/lib/record), for every type of the wire. */
#include "shared/message/message.h"
#include "shared/record/registry.h"
#include "tests/lib/record/record_cases.h"
#include "tests/lib/unit.h"

static void every_type(void **state)
{
	(void)state;
	for (unsigned i = 0; message_types[i]; i++) {
		struct err err = ERR_INIT;
		if (record_cases_run(message_types[i], 1 + i, 10, &err) != ERR_OK)
			fail_msg("%s", err.msg);
	}
}

static void the_folder_is_complete(void **state)
{
	const struct record_folder folder = {"shared/message", message_types};
	struct err err = ERR_INIT;
	(void)state;
	if (record_registry_check(&folder, 1, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_type),
	    cmocka_unit_test(the_folder_is_complete),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
