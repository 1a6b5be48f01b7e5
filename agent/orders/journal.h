/* agent/orders/journal.h: the keeper's journal of orders on disk: one file an order in <state>/orders, and the epoch.
 * Blocking; each write is durable when it returns. */
#ifndef KEDGE_AGENT_ORDERS_JOURNAL_H
#define KEDGE_AGENT_ORDERS_JOURNAL_H

#include "agent/orders/orders.h"

struct order_journal;
ERR_CHECK enum err_code order_journal_open(const char *state_directory, struct order_journal **ret, struct err *reterr);
void order_journal_close(struct order_journal *j);
ERR_CHECK enum err_code order_journal_put(struct order_journal *j, const struct order_entry *e, struct err *reterr);
ERR_CHECK enum err_code order_journal_remove(struct order_journal *j, struct id order, struct err *reterr);
ERR_CHECK enum err_code order_journal_put_epoch(struct order_journal *j, uint64_t epoch, struct err *reterr);
/* *ret: struct order_entry.  A file that cannot be read is an error that names it: an order must not be done twice for
 * want of its trace. */
ERR_CHECK enum err_code order_journal_load(
    struct order_journal *j, struct arena *arena, struct list *ret, uint64_t *ret_epoch, struct err *reterr);

#endif
