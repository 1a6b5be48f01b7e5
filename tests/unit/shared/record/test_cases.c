/* Every generic case over a type that has every kind; and that the cases can fail. */
#include "tests/lib/unit.h"

#include <string.h>

#include "tests/lib/record/record_cases.h"
#include "tests/unit/shared/record/every.h"

EVERY_TREE

static void holds(const struct record_type *t)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct err err = ERR_INIT;
		if (record_cases_run(t, seed, 40, &err) != ERR_OK)
			fail_msg("%s", err.msg);
	}
}

static void every_kind(void **state)
{
	(void)state;
	holds(&every_type);
}

static void a_small_type(void **state)
{
	(void)state;
	holds(&part_type);
}

static void a_type_that_holds_itself(void **state)
{
	(void)state;
	holds(&tree_type);
}

/* A table that claims a smaller limit for half of a pair than the other half's size allows cannot be written by hand;
 * but a field that lies on another one's bytes can, and no round trip would hold. */
static void a_broken_table_is_seen(void **state)
{
	(void)state;
	static const struct field fields[] = {
	    F_U32(struct every, small, 0, 0, "a"),
	    {.name = "other", .doc = "b", .kind = FIELD_U32, .offset = offsetof(struct every, small)},
	};
	static const struct record_type t = RECORD_TYPE("broken", struct every, fields, "two fields in one place");
	struct err err = ERR_INIT;
	assert_int_equal(record_cases_run(&t, 1, 1, &err), ERR_INTERNAL);
	assert_non_null(strstr(err.msg, "broken.other"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind),
	    cmocka_unit_test(a_small_type),
	    cmocka_unit_test(a_type_that_holds_itself),
	    cmocka_unit_test(a_broken_table_is_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
