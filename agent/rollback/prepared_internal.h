/* agent/rollback/prepared_internal.h: what prepared*.c, settle.c and exchange.c share. */
#ifndef KEDGE_AGENT_ROLLBACK_PREPARED_INTERNAL_H
#define KEDGE_AGENT_ROLLBACK_PREPARED_INTERNAL_H

#include "agent/rollback/prepared.h"
#include "agent/rollback/site.h"

#define PREPARED_TREE "tree" /* in each folder: the tree that is not live */

/* ---- prepared.c: records ---- */

/* *ret: struct prepared, of one service or (NULL) all, oldest first.  What cannot be read is passed over. */
ERR_CHECK enum err_code prepared_list(
    const char *state_directory, const char *service, struct arena *arena, struct list *ret, struct err *reterr);
ERR_CHECK enum err_code prepared_read(
    const char *state_directory, struct id id, struct arena *arena, struct prepared *ret, struct err *reterr);
ERR_CHECK enum err_code prepared_write(const char *state_directory, const struct prepared *p, struct err *reterr);
/* With the names of its sample. */
ERR_CHECK enum err_code prepared_forget(const char *state_directory, struct id id, struct err *reterr);

/* Was this root exchanged: does the folder hold another tree than the one staged? */
bool prepared_root_is_out(const struct prepared_root *r);
/* Is the tree that was staged what lies in place? */
bool prepared_root_is_live(const struct prepared_root *r);
/* By record and inodes; not by the sample. */
enum prepared_state prepared_state_of(const struct prepared *p, uint64_t now_ms);

/* The sample: chosen from the restore point, whose trees are in memory, and kept beside the record; then sealed. */
ERR_CHECK enum err_code prepared_seal(
    const char *state_directory, struct prepared *p, const struct snapshot *s, struct err *reterr);
bool prepared_is_sealed(const char *state_directory, const struct prepared *p);

enum prepared_lock { PREPARED_LOCK_STAGING, PREPARED_LOCK_ROLLBACK };
/* ERR_BUSY when somebody else has it for longer than wait_ms. */
ERR_CHECK enum err_code prepared_lock(const char *state_directory, const char *service, enum prepared_lock which,
    uint64_t wait_ms, int *ret_fd, struct err *reterr);

/* ---- prepare.c ---- */

/* Why an exchange would not come to the same as a rollback in place; in arena.  NULL: it would. */
const char *prepared_obstacle(struct arena *arena, const struct service_config *service,
    const struct snapshot_summary *about, enum component component, const char *own);
/* Holding the lock for staging. */
ERR_CHECK enum err_code prepared_remove(
    const char *state_directory, struct prepared *p, struct arena *arena, struct err *reterr);

/* converge_compare.c: is something at or below this root left alone by name, because agent.yaml never restores it or it
 * is who this host is? */
const char *converge_spared_below(const struct component_config *config, const char *own, const char *root);

#endif
