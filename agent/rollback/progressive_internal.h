/* agent/rollback/progressive_internal.h: what progressive*.c share. */
#ifndef KEDGE_AGENT_ROLLBACK_PROGRESSIVE_INTERNAL_H
#define KEDGE_AGENT_ROLLBACK_PROGRESSIVE_INTERNAL_H

#include "agent/rollback/progressive.h"

enum { PROGRESSIVE_FILE_MAX = 256 << 10 }; /* 31 ids and 20 tries with a line of text each take some 40 KiB */

enum judgement { JUDGEMENT_NONE, JUDGEMENT_BAD, JUDGEMENT_GOOD, JUDGEMENT_COUNT };

struct attempt { /* one try */
	struct id order, snapshot;
	uint64_t components;
	uint32_t judgement; /* NONE: it was begun */
	bool changed;       /* something was put in place */
	struct id safety;
	const char *text;
};
struct course { /* the journal of a progressive rollback */
	struct id order;
	const char *service;
	uint64_t components; /* bits that may be touched */
	uint64_t began_ms;
	struct list candidates; /* struct id, oldest first */
	struct list attempts;   /* struct attempt, in order; the last may be under way */
	bool returning;         /* none helped: on its way back to where it began */
	bool ended;
	uint32_t outcome;
	struct id snapshot; /* where it ended */
	const char *text;
	bool digests_match, healthy;
	struct list points; /* struct component_point */
};
extern const struct record_type course_type;

/* course.c: the file. */
ERR_CHECK enum err_code course_write(const char *state_directory, const struct course *c, struct err *reterr);
/* ERR_NOT_FOUND */
ERR_CHECK enum err_code course_read(
    const char *state_directory, struct id order, struct arena *arena, struct course *ret, struct err *reterr);

/* candidates.c: the restore points that may be tried and what is known of them beforehand. */
struct candidates {
	size_t count;
	struct snapshot_summary about[SEARCH_PLACES_MAX]; /* oldest first */
	struct digest live[COMPONENT_COUNT];              /* of what is there, before anything is tried */
	bool has_live[COMPONENT_COUNT];
};
ERR_CHECK enum err_code candidates_find(struct repo *repo, const struct rollback_request *r, uint32_t components,
    struct arena *arena, struct candidates *ret, struct err *reterr);
/* As they were when it began. */
ERR_CHECK enum err_code candidates_again(
    struct repo *repo, const struct list *ids, struct arena *arena, struct candidates *ret, struct err *reterr);
ERR_CHECK enum err_code candidates_look(struct repo *repo, const struct service_config *service, uint32_t components,
    struct candidates *c, struct err *reterr);
/* The same in all of these components. */
bool candidates_equal(const struct candidates *c, size_t a, size_t b, uint32_t components);
bool candidates_is_live(const struct candidates *c, size_t a, uint32_t components);
/* May it be gone to with these components and no others?  False behind a schema barrier. */
bool candidates_fit(const struct candidates *c, size_t at, uint32_t components);

#endif
