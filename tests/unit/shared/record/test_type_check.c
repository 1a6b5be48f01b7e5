/* The rules that a field table must keep, each broken once; and lists of types. */
#include "tests/unit/shared/record/support.h"

#include "shared/record/limits.h"
#include "shared/record/registry.h"

EVERY_TREE

/* What the macros of record.h would not let through. */
#define RAW_(NAME, MEMBER, ...)                                                                                        \
	{                                                                                                              \
		.name = (NAME), .doc = "d", .offset = offsetof(struct every, MEMBER), .kind = __VA_ARGS__              \
	}
#define RAW(...) ((struct field)RAW_(__VA_ARGS__))

static const char *const twins[] = {"a", "a"};
static const struct enum_type twin_enum = ENUM_TYPE("twin", twins);

static void one(struct field f, const char *part)
{
	const struct record_type t = {
	    .name = "t", .doc = "d", .size = sizeof(struct every), .fields = &f, .field_count = 1};
	refused(record_type_check(&t, &err), ERR_INVALID, part);
}

static void good_tables(void **state)
{
	(void)state;
	fine(record_type_check(&every_type, &err));
	fine(record_type_check(&part_type, &err));
	fine(record_type_check(&tree_type, &err));
}

static void each_rule(void **state)
{
	(void)state;
	static const struct record_type empty = {.name = "e", .doc = "d"};
	one((struct field)F_STRING(struct every, name, 0, 0, "d"), "t.name: needs a limit");
	one((struct field)F_LIST(struct every, parts, &part_type, 0, 0, "d"), "t.parts: needs a limit");
	one((struct field)F_STRING(struct every, name, 4, 0, "d", .min = 5), "min is above max");
	one((struct field)F_F64(struct every, real, 0, "d", .max = 5), "have no min and max");
	one((struct field)F_STRING(struct every, name, 4, 0, ""), "has no name, no documentation");
	one((struct field)F_DURATION(struct every, large, 0, 0, "d"), "ends in _ms");
	one((struct field)F_TIME(struct every, large, 0, "d"), "ends in _ms");
	one((struct field)F_SIZE(struct every, large, 0, 0, "d"), "ends in _bytes");
	one((struct field)F_ENUM(struct every, small, NULL, 0, "d"), "needs its enum_type");
	one((struct field)F_ENUM(struct every, small, &twin_enum, 0, "d"), "two words of the enum are the same");
	one((struct field)F_RECORD(struct every, maybe, struct part, NULL, 0, "d"), "needs the type");
	one((struct field)F_RECORD(struct every, maybe, struct part, &empty, 0, "d"), "needs the type");
	one(RAW("parts", parts, FIELD_LIST, .elem_kind = FIELD_LIST), "items of a list");
	one(RAW("small", small, FIELD_KIND_COUNT), "has no kind");
	one(RAW("host", host, FIELD_ID, .id_kind = ID_KIND_COUNT), "needs an id_kind");
	one((struct field)F_LIST(struct every, parts, &part_type, RECORD_KEYED_MAX + 1, FIELD_KEYED, "d"),
	    "RECORD_KEYED_MAX");
	one((struct field)F_LIST(struct every, parts, &tree_type, 5, FIELD_KEYED, "d"),
	    "first FIELD_KEY is a required string");
	one((struct field)F_STRINGS(struct every, words, 5, FIELD_KEYED, "d"), "for lists of records");
	one((struct field)F_LIST(struct every, parts, &part_type, 5, FIELD_KEYED | FIELD_SCALAR_OK, "d"),
	    "no scalar can stand for");
	one((struct field)F_STRINGS(struct every, words, 5, FIELD_KEY, "d"), "keys and indexes");
	one((struct field)F_STRING(struct every, name, 5, FIELD_INDEXED | FIELD_SECRET, "d"), "keys and indexes");
	one((struct field)F_STRING(struct every, name, 5, FIELD_SCALAR_OK, "d"), "FIELD_SCALAR_OK is for");
	one((struct field)F_STRING(struct every, name, 5, FIELD_REQUIRED, "d", .default_text = "x"),
	    "cannot be required");
	one((struct field)F_STRING(struct every, name, 5, 0, "d", .default_text = "too long"),
	    "t: default: name: expected at most 5");
	one((struct field)F_DURATION(struct every, took_ms, 0, 0, "d", .default_text = "5"),
	    "t: default: took: expected a duration");
	one((struct field)F_STRINGS(struct every, words, 5, 0, "d", .default_text = "[a"),
	    "t: default: words: no valid YAML");
	struct field outside = RAW("small", small, FIELD_U32);
	outside.offset = sizeof(struct every) - 2;
	one(outside, "outside the struct");
}

static void two_fields(void **state)
{
	(void)state;
	static const struct field overlap[] = {F_U32(struct every, small, 0, 0, "d"),
	    {.name = "x", .doc = "d", .kind = FIELD_BOOL, .offset = offsetof(struct every, small) + 3}};
	static const struct field same[] = {F_U32(struct every, small, 0, 0, "d"), RAW_("small", port, FIELD_U32)};
	static const struct field in_yaml[] = {F_TIME(struct every, at_ms, 0, "d"), RAW_("at", large, FIELD_U64)};
	static const struct record_type a = RECORD_TYPE("a", struct every, overlap, "d"),
					b = RECORD_TYPE("b", struct every, same, "d"),
					c = RECORD_TYPE("c", struct every, in_yaml, "d");
	refused(record_type_check(&a, &err), ERR_INVALID, "a.x: lies on another field");
	refused(record_type_check(&b, &err), ERR_INVALID, "b.small: two fields have this name");
	refused(record_type_check(&c, &err), ERR_INVALID, "c.at: two fields have this name");
}

static void lists_of_types(void **state)
{
	(void)state;
	static const struct record_type *const first[] = {&every_type, &tree_type, NULL}, *const second[] = {
											      &part_type, NULL};
	const struct record_folder folders[] = {{"one", first}, {"two", second}};
	fine(record_registry_check(folders, 2, &err));
	assert_ptr_equal(record_registry_find(folders, 2, "part"), &part_type);
	assert_ptr_equal(record_registry_find(folders, 1, "part"), NULL);
	refused(
	    record_registry_check(folders, 1, &err), ERR_INVALID, "every.maybe: its type part is listed in no folder");
	static const struct field other_fields[] = {F_U32(struct every, small, 0, 0, "d")};
	static const struct record_type other = RECORD_TYPE("part", struct every, other_fields, "another of that name");
	static const struct record_type *const clash[] = {&other, NULL};
	const struct record_folder clashing[] = {{"one", second}, {"two", clash}};
	refused(record_registry_check(clashing, 2, &err), ERR_INVALID, "part: two types have this name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(good_tables),
	    TEST(each_rule),
	    TEST(two_fields),
	    TEST(lists_of_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
