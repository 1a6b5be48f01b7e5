/* tests/lib/record/record_cases.h: what every record type must stand, whatever it describes.
 *
 * Any type can be passed; random records are built from its table.  Types' own checks speak of more than one field and
 * would refuse most random records, so the cases run over a copy of the type without them; the checks themselves see
 * every random record too, and what they accept must make the round trip with the real type. Everything follows from
 * the seed: a failure names the type, the case, the seed and the round. */
#ifndef KEDGE_TESTS_LIB_RECORD_RECORD_CASES_H
#define KEDGE_TESTS_LIB_RECORD_RECORD_CASES_H

#include "shared/base/random.h"
#include "shared/record/record.h"

/* Runs every case:
 * - the table itself is sound (record_type_check);
 * - random records come back equal from msgpack, JSON, YAML and copies, and encode to the same bytes again;
 * - every word of every enum, and no number beyond; every limit one below, at and above (refused);
 * - required fields are missed; unknown keys are skipped in msgpack and JSON, refused in strict JSON and in YAML; no
 * key twice;
 * - hostile values in place of each field: huge lengths, deep nesting, NaN, bad UTF-8, NUL, negative into unsigned;
 * - msgpack cut at any byte, or with a byte behind it, is refused; random changes of bytes are refused or give a valid
 * record. ERR_INTERNAL says what did not hold. */
ERR_CHECK enum err_code record_cases_run(
    const struct record_type *t, uint64_t seed, unsigned rounds, struct err *reterr);

/* A random record that keeps the limits of its table (and nothing else); in arena, t->size bytes.  NULL: no memory. */
void *record_random(const struct record_type *t, struct random *random, struct arena *arena);
/* t, and the types within it, without their own checks; in arena. */
const struct record_type *record_unchecked(const struct record_type *t, struct arena *arena);

#endif
