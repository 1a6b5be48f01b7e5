/* agent/rollback/journal.h: how far one rollback is, durably.  One file an order: <state>/rollback/<order>.json.  Old or new, never half. */
#ifndef KEDGE_AGENT_ROLLBACK_JOURNAL_H
#define KEDGE_AGENT_ROLLBACK_JOURNAL_H

#include "shared/message/types.h"

enum journal_phase {
	JOURNAL_PLANNED,    /* nothing is changed; staging may be under way */
	JOURNAL_STOPPING,   /* the service may be stopped; nothing is changed */
	JOURNAL_APPLYING,   /* towards the restore point */
	JOURNAL_PROVING,    /* it is in place; start, check, verify */
	JOURNAL_UNDOING,    /* back to the safety restore point */
	JOURNAL_ENDED,
	JOURNAL_PHASE_COUNT
};
extern const struct enum_type journal_phase_enum;

struct journal {
	struct id order;
	const char *service;
	uint64_t components;       /* bits */
	struct id snapshot, safety;
	uint32_t phase;
	uint64_t began_ms;
	uint64_t database_inode;   /* of the staged data directory, once its exchange was begun: tells afterwards which is which */
	uint32_t outcome;          /* enum order_outcome, once ENDED */
};
extern const struct record_type journal_type;

ERR_CHECK enum err_code rollback_journal_write(const char *folder, const struct journal *j, struct err *reterr);
ERR_CHECK enum err_code rollback_journal_read(const char *folder, struct id order, struct arena *arena, struct journal *ret, struct err *reterr);
/* Every journal of the folder that has not ended; *ret: struct journal.  A folder that is not there has none. */
ERR_CHECK enum err_code rollback_journal_open(const char *folder, struct arena *arena, struct list *ret, struct err *reterr);
/* Ended ones are kept for a while as a trace, then removed: those older than keep_ms. */
ERR_CHECK enum err_code rollback_journal_sweep(const char *folder, uint64_t now_ms, uint64_t keep_ms, struct err *reterr);

#endif
