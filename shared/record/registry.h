/* shared/record/registry.h: all record types of the project in one place.
 *
 * There is no registration at run time and no global table: every folder that owns record types exports a NULL-ended
 * array of them
 * (`extern const struct record_type *const message_types[]`), and a program that wants them all (the generic test, the
 * tool that prints docs/SCHEMA.md) lists the folders:
 *
 *   static const struct record_folder folders[] = { { "shared/message", message_types }, { "agent/config",
 * agent_config_types } };
 *
 * record_registry_check() finds a type that is used by a listed one but listed nowhere, so the list cannot fall behind
 * unseen.  Pure. */
#ifndef KEDGE_SHARED_RECORD_REGISTRY_H
#define KEDGE_SHARED_RECORD_REGISTRY_H

#include "shared/record/record.h"

struct record_folder {
	const char *name;
	const struct record_type *const *types; /* NULL-ended */
};

/* Whether a table keeps the rules of record.h: names, limits, flags and kinds that fit, fields within the struct and
 * apart from one another, defaults that can be read.  The compiler cannot see these.  ERR_INVALID names type and field.
 */
ERR_CHECK enum err_code record_type_check(const struct record_type *t, struct err *reterr);
/* Every type by itself, no name twice (types and enums), every type that is used is listed. */
ERR_CHECK enum err_code record_registry_check(const struct record_folder *folders, size_t count, struct err *reterr);
/* NULL: no such type. */
const struct record_type *record_registry_find(const struct record_folder *folders, size_t count, const char *name);

#endif
