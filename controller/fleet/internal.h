/* controller/fleet/internal.h: between the files of this folder. */
#ifndef KEDGE_CONTROLLER_FLEET_INTERNAL_H
#define KEDGE_CONTROLLER_FLEET_INTERNAL_H

#include "controller/fleet/fleet.h"

/* Services and placements follow what the host declares now. */
ERR_CHECK enum err_code fleet_declare(
    struct turn *t, const char *host, const struct list *declared, struct err *reterr);
ERR_CHECK enum err_code fleet_host_silent(struct turn *t, struct host *h, struct err *reterr);
/* "service/host"; NULL: out of memory. */
const char *fleet_place(struct turn *t, const char *service, const char *host);
/* What runs on the placement has differed from its newest restore point since at_ms. */
ERR_CHECK enum err_code fleet_snapshot_left(
    struct turn *t, const char *service, const char *host, uint64_t at_ms, struct err *reterr);

/* Names, sorted and each once, grown in the turn's arena. */
struct names {
	const char **items;
	size_t count, capacity;
};
bool names_has(const struct names *n, const char *name);
ERR_CHECK enum err_code names_add(
    struct turn *t, struct names *n, const char *name, struct err *reterr); /* at its place */
ERR_CHECK enum err_code names_append(
    struct turn *t, struct names *n, const char *name, struct err *reterr); /* at the end */

#endif
