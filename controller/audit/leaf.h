/* controller/audit/leaf.h: inside controller/audit: the leaf hash of an entry. */
#ifndef KEDGE_CONTROLLER_AUDIT_LEAF_H
#define KEDGE_CONTROLLER_AUDIT_LEAF_H

#include "controller/audit/audit.h"

/* Over the canonical msgpack of *e with `hash` left out. */
ERR_CHECK enum err_code audit_leaf(const struct audit_entry *e, struct digest *ret, struct err *reterr);

#endif
