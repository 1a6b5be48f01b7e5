/* tests/lib/record/cases.h: what the files of the generic cases share. */
#ifndef KEDGE_TESTS_LIB_RECORD_CASES_H
#define KEDGE_TESTS_LIB_RECORD_CASES_H

#include "shared/record/internal.h"
#include "tests/lib/record/record_cases.h"

struct cases {
	const struct record_type *type; /* without its own checks */
	uint64_t seed;
	unsigned round;
	struct random random;
	struct arena *arena; /* reset before every round */
	struct err *reterr;
};

/* ERR_INTERNAL: the case does not hold; names type, seed and round. */
enum err_code broken(struct cases *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A record that decoders accept must be valid, and come back the same. */
enum err_code comes_back(struct cases *c, const struct record_type *t, const void *record, const char *after);

/* Every field of one valid record at its limits (limits.c). */
enum err_code limit_cases(struct cases *c);
/* Bytes that nobody should send (hostile.c). */
enum err_code hostile_cases(struct cases *c, const void *record);
enum err_code hostile_fields(struct cases *c, const void *record);

#endif
