/* agent/rollback/journal.h: how far one rollback is, durably.  One file an order: <state>/rollback/<order>.json.  Old
 * or new, never half. An ended one holds the answer: whoever asks again is told, and nothing is done again. */
#ifndef KEDGE_AGENT_ROLLBACK_JOURNAL_H
#define KEDGE_AGENT_ROLLBACK_JOURNAL_H

#include "shared/message/report.h"

enum {
	JOURNAL_FILE_MAX = 64 << 10,         /* four components and two lines of text are some 2 KiB */
	JOURNAL_SETTINGS_MAX = 16 << 10,     /* bytes: two paths, each byte quoted in six */
	JOURNAL_OPEN_MAX = 256,              /* interrupted at once: one a service, and services are at most 64 */
	JOURNAL_UNFINISHED_MS = 3600 * 1000, /* a write takes no such time: who began it is gone */
};

enum journal_phase {
	JOURNAL_PLANNED,  /* nothing is changed; staging may be under way */
	JOURNAL_STOPPING, /* the service may be stopped; nothing is changed */
	JOURNAL_APPLYING, /* towards the restore point */
	JOURNAL_PROVING,  /* it is in place; start, check, verify */
	JOURNAL_UNDOING,  /* back to the safety restore point */
	JOURNAL_ENDED,
	JOURNAL_PHASE_COUNT
};
extern const struct enum_type journal_phase_enum;

/* Of a database that is put back in place. */
enum journal_database {
	JOURNAL_DATABASE_AS_IT_WAS,
	JOURNAL_DATABASE_BETWEEN, /* its files may be of both: it does not start, and the next run goes on */
	JOURNAL_DATABASE_PUT_BACK,
	JOURNAL_DATABASE_COUNT
};
extern const struct enum_type journal_database_enum;

struct journal {
	struct id order;
	const char *service;
	uint64_t components; /* bits */
	struct id snapshot, safety;
	uint32_t phase;
	uint64_t began_ms;
	bool in_place;                 /* the database is; the next two are of that */
	uint32_t database_state;       /* enum journal_database */
	const char *database_settings; /* what the server is told then */
	uint64_t database_inode; /* of the staged data directory, once its exchange was begun: tells afterwards which is
				    which */
	uint64_t exchanged; /* bits of components: whose trees were staged beforehand (prepared.h) and are exchanged */
	struct list prepared; /* struct id: their records */
	struct id aside; /* the restore point that what they replace will be, with safety in it (rollback_settle()) */
	/* once ENDED: */
	uint32_t outcome; /* enum order_outcome */
	const char *text;
	bool digests_match, healthy;
	struct list points; /* struct component_point */
};
extern const struct record_type journal_type;

ERR_CHECK enum err_code rollback_journal_write(const char *folder, const struct journal *j, struct err *reterr);
/* ERR_NOT_FOUND: this order was never begun here. */
ERR_CHECK enum err_code rollback_journal_read(
    const char *folder, struct id order, struct arena *arena, struct journal *ret, struct err *reterr);
/* The one that exchanged what that record of a prepared tree told of when it was that of this restore point, ended or
 * not. ERR_NOT_FOUND: none did. */
ERR_CHECK enum err_code rollback_journal_of_prepared(const char *folder, struct id prepared, struct id snapshot,
    struct arena *arena, struct journal *ret, struct err *reterr);
/* When an end cannot be written: no trace is better than one that says it is still under way. */
ERR_CHECK enum err_code rollback_journal_remove(const char *folder, struct id order, struct err *reterr);
/* Every journal of the folder that has not ended; *ret: struct journal.  A folder that is not there has none. */
ERR_CHECK enum err_code rollback_journal_open(
    const char *folder, struct arena *arena, struct list *ret, struct err *reterr);
/* Ended ones are kept for a while as a trace, then removed: those older than keep_ms.  So is what a write that was
 * killed left, after JOURNAL_UNFINISHED_MS. */
ERR_CHECK enum err_code rollback_journal_sweep(
    const char *folder, uint64_t now_ms, uint64_t keep_ms, struct err *reterr);

#endif
