/* Every record type of the project, agent's and controller's: sound tables, round trips, limits, enums, hostile bytes.
 */
#include "tests/lib/record/record_cases.h"
#include "tests/lib/schema/folders.h"
#include "tests/lib/unit.h"

enum { ROUNDS = 6, TYPES_LEAST = 120 };

static void test_nothing_that_is_used_is_missing(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	size_t count = 0;
	if (record_registry_check(folders, FOLDERS, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < FOLDERS; i++)
		for (size_t k = 0; folders[i].types[k]; k++)
			count++;
	assert_true(count >= TYPES_LEAST);
}

static void test_every_type_stands_every_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < FOLDERS; i++)
		for (size_t k = 0; folders[i].types[k]; k++) {
			struct err err = ERR_INIT;
			if (record_cases_run(folders[i].types[k], 11, ROUNDS, &err) != ERR_OK)
				fail_msg("%s %s: %s", folders[i].name, folders[i].types[k]->name, err.msg);
		}
}

static void test_every_table_of_the_controller_has_a_listed_type(void **state)
{
	(void)state;
	for (size_t i = 0; workflow_tables[i]; i++)
		if (record_registry_find(folders, FOLDERS, workflow_tables[i]->type->name) != workflow_tables[i]->type)
			fail_msg("table %s holds %s, which no folder lists", workflow_tables[i]->name,
			    workflow_tables[i]->type->name);
}

static void test_every_table_has_a_key_and_a_name_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; workflow_tables[i]; i++) {
		const struct record_type *t = workflow_tables[i]->type;
		unsigned keys = 0;
		for (uint32_t f = 0; f < t->field_count; f++)
			keys += (t->fields[f].flags & FIELD_KEY) != 0;
		if (!keys)
			fail_msg("table %s has no key", workflow_tables[i]->name);
		for (size_t s = 0; s < i; s++)
			assert_string_not_equal(workflow_tables[s]->name, workflow_tables[i]->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_that_is_used_is_missing),
	    cmocka_unit_test(test_every_type_stands_every_case),
	    cmocka_unit_test(test_every_table_of_the_controller_has_a_listed_type),
	    cmocka_unit_test(test_every_table_has_a_key_and_a_name_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
