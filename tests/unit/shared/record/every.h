/* tests/unit/shared/record/every.h: a record type that has every kind, flag and form of list there is. */
#ifndef KEDGE_TESTS_UNIT_SHARED_RECORD_EVERY_H
#define KEDGE_TESTS_UNIT_SHARED_RECORD_EVERY_H

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/record/record.h"

#define UNUSED __attribute__((unused))

enum colour { COLOUR_RED, COLOUR_GREEN, COLOUR_HOLE, COLOUR_BLUE, COLOUR_COUNT };
static const char *const colour_names[] = {[COLOUR_RED] = "red", [COLOUR_GREEN] = "green", [COLOUR_BLUE] = "blue"};
static const struct enum_type colour_enum = ENUM_TYPE("colour", colour_names);

struct part {
	const char *name;
	uint64_t every_ms;
	uint64_t limit_bytes;
	struct list argv;
	double weight;
};
static const struct field part_fields[] = {
    F_STRING(struct part, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "its name"),
    F_DURATION(struct part, every_ms, 604800000, FIELD_COLUMN, "how often", .default_text = "30s", .min = 1000),
    F_SIZE(struct part, limit_bytes, 1 << 30, 0, "how much", .default_text = "64KiB"),
    F_STRINGS(struct part, argv, 4, FIELD_SCALAR_OK, "what to run"),
    F_F64(struct part, weight, 0, "a number"),
};
static const struct record_type part_type UNUSED = RECORD_TYPE("part", struct part, part_fields, "one part");

struct tree { /* may hold itself */
	const char *name;
	struct list below;
	const struct tree *next;
};
extern const struct record_type tree_type;

struct every {
	bool yes;
	uint32_t small;
	uint32_t port;
	uint64_t large;
	uint64_t at_least_five;
	int64_t with_sign;
	double real;
	double always_real;
	uint64_t at_ms;
	uint64_t began_ms;
	uint64_t took_ms;
	uint64_t size_bytes;
	uint32_t colour;
	uint32_t always_colour;
	struct id host, incident;
	struct digest digest;
	const char *name;
	const char *note;
	const char *greeting;
	const char *password;
	struct bytes raw;
	const char *details;
	const struct part *maybe;
	struct part within;
	struct list parts, keyed, words, colours, ids, numbers, defaulted;
	const struct tree *tree;
	struct part brief;
};
static const struct field every_fields[] = {
    F_STRING(struct every, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "its name"),
    F_ID(struct every, host, HOST, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "a host"),
    F_BOOL(struct every, yes, FIELD_ALWAYS | FIELD_COLUMN, "yes or no"),
    F_U32(struct every, small, 0, FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN, "any number"),
    F_U32(struct every, port, 65535, 0, "a port", .default_text = "5432", .min = 1),
    F_U64(struct every, large, 0, FIELD_WIDE, "any number"),
    F_U64(struct every, at_least_five, 500, 0, "5 to 500, or nothing", .min = 5),
    F_I64(struct every, with_sign, 0, "below zero too"),
    F_F64(struct every, real, 0, "a number"),
    F_F64(struct every, always_real, FIELD_ALWAYS, "a number that is always said"),
    F_TIME(struct every, at_ms, FIELD_REQUIRED | FIELD_COLUMN, "when"),
    F_TIME(struct every, began_ms, FIELD_REQUIRED | FIELD_ALWAYS, "when it began; 0: at the beginning of time"),
    F_DURATION(struct every, took_ms, 604800000, FIELD_COLUMN, "how long"),
    F_SIZE(struct every, size_bytes, 0, FIELD_COLUMN, "how much"),
    F_ENUM(struct every, colour, &colour_enum, FIELD_COLUMN | FIELD_INDEXED, "which"),
    F_ENUM(struct every, always_colour, &colour_enum, FIELD_REQUIRED | FIELD_ALWAYS, "which"),
    F_ID(struct every, incident, INCIDENT, FIELD_WIDE, "an incident"),
    F_DIGEST(struct every, digest, FIELD_WIDE, "of something"),
    F_STRING(struct every, note, 200, FIELD_COLUMN | FIELD_PHI, "what | whom", .min = 2),
    F_STRING(struct every, greeting, 20, 0, "what to say", .default_text = "hello"),
    F_STRING(struct every, password, 40, FIELD_SECRET | FIELD_WIDE, "never shown"),
    F_BYTES(struct every, raw, 300, 0, "bytes", .min = 3),
    F_JSON(struct every, details, 400, 0, "anything"),
    F_RECORD(struct every, maybe, struct part, &part_type, 0, "a part or none"),
    F_INLINE(struct every, brief, struct part, &part_type, FIELD_REQUIRED | FIELD_SCALAR_OK, "a part"),
    F_LIST(struct every, parts, &part_type, 5, FIELD_SCALAR_OK, "parts"),
    F_LIST(struct every, keyed, &part_type, 6, FIELD_KEYED | FIELD_COLUMN, "parts by name"),
    F_STRINGS(struct every, words, 7, FIELD_REQUIRED | FIELD_COLUMN, "words"),
    F_ENUMS(struct every, colours, &colour_enum, 8, FIELD_SCALAR_OK, "colours", .min = 2),
    F_IDS(struct every, ids, SNAPSHOT, 9, 0, "snapshots"),
    F_U64S(struct every, numbers, 10, FIELD_ALWAYS, "numbers"),
    F_STRINGS(struct every, defaulted, 3, 0, "words, unless told otherwise", .default_text = "[a, \"b c\"]"),
    F_RECORD(struct every, tree, struct tree, &tree_type, 0, "a tree"),
};
static const struct record_type every_type UNUSED =
    RECORD_TYPE("every", struct every, every_fields, "every kind there is");

/* tree_type refers to itself: exactly one file of a program says EVERY_TREE. */
#define EVERY_TREE                                                                                                     \
	static const struct field tree_fields[] = {                                                                    \
	    F_STRING(struct tree, name, 10, FIELD_REQUIRED, "its name"),                                               \
	    F_LIST(struct tree, below, &tree_type, 3, 0, "its branches"),                                              \
	    F_RECORD(struct tree, next, struct tree, &tree_type, 0, "the next"),                                       \
	};                                                                                                             \
	const struct record_type tree_type = RECORD_TYPE("tree", struct tree, tree_fields, "holds itself");

/* A valid one; strings are static. */
static inline void every_sample(struct every *e)
{
	static const char *words[] = {"one", "two"};
	*e = (struct every){
	    .name = "web-1",
	    .host = {{1, 2, 3}},
	    .small = 7,
	    .port = 80,
	    .at_ms = 1700000000123,
	    .words = {words, 2},
	    .brief = {.name = "b", .every_ms = 1000, .limit_bytes = 65536},
	};
}

#endif
