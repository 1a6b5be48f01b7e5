/* controller/api/query.h: reads of the API over a snapshot of the store.  Pure but for the view; the reader's thread.
 */
#ifndef KEDGE_CONTROLLER_API_QUERY_H
#define KEDGE_CONTROLLER_API_QUERY_H

#include "controller/center/workflow.h"

enum {
	QUERY_LIMIT_DEFAULT = 100,
	QUERY_LIMIT_MAX = 1000,
	QUERY_SCAN_MAX = 200000, /* records looked at for one page; then the page ends with a `next` */
	QUERY_FILTERS_MAX = 8,
	QUERY_ANSWER_MAX = 24 << 20,
};

struct query_filter {
	const char *field, *value;
};
struct query {
	const char *noun;
	const char *key; /* one record; NULL: a page */
	struct query_filter filters[QUERY_FILTERS_MAX];
	size_t filter_count;
	size_t limit;      /* 0: QUERY_LIMIT_DEFAULT */
	const char *after; /* `next` of the page before */
	bool descending;
};

/* Nouns and the tables behind them; NULL: unknown. */
const struct table *query_table(const char *noun);
/* All of them, for documents and tests; NULL-ended pairs. */
struct query_noun {
	const char *noun;
	const struct table *table;
};
const struct query_noun *query_nouns(size_t *ret_count);

/* Appends JSON.  ERR_NOT_FOUND, ERR_INVALID (unknown field, bad limit), ERR_LIMIT. */
ERR_CHECK enum err_code query_run(struct turn *read, const struct query *q, struct buf *out, struct err *reterr);
ERR_CHECK enum err_code query_status(
    struct turn *read, const struct workflow_config *c, struct buf *out, struct err *reterr);
ERR_CHECK enum err_code query_board(struct turn *read, struct buf *out, struct err *reterr);
/* Filters size and root (hex): of a checkpoint that was kept outside; both or neither. */
ERR_CHECK enum err_code query_audit_verify(
    struct turn *read, const struct query *q, struct buf *out, struct err *reterr);

/* GET /api/v1/status */
struct status_service {
	const char *service;
	uint32_t health;
	uint32_t hosts, healthy, degraded, down, unknown, maintenance;
	struct id incident;
	uint64_t incident_number;
};
struct status {
	const char *controller, *version;
	uint64_t at_ms;
	bool halted, observing, low_space;
	uint64_t epoch;
	uint32_t hosts, connected, ahead;
	uint32_t incidents_open, rollbacks_running, changes_waiting;
	struct list services; /* struct status_service */
};
/* GET /api/v1/recovery/board */
struct recovery_board {
	uint64_t at_ms;
	struct list rows; /* struct board_row */
};
extern const struct record_type status_service_type, status_type, recovery_board_type;
extern const struct record_type *const query_types[];

#endif
