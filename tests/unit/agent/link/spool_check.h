/* tests/unit/agent/link/spool_check.h: is a spool whole?  Every report's number is its sequence there. */
#ifndef KEDGE_TESTS_UNIT_AGENT_LINK_SPOOL_CHECK_H
#define KEDGE_TESTS_UNIT_AGENT_LINK_SPOOL_CHECK_H

#include "agent/link/spool.h"
#include "tests/lib/link_reports.h"
#include "tests/lib/unit.h"

static struct err err;
#define ok(CALL)                                                                                                       \
	do {                                                                                                           \
		err = ERR_INIT;                                                                                        \
		if ((CALL) != ERR_OK)                                                                                  \
			fail_msg("%s: %s", #CALL, err.msg);                                                            \
	} while (0)

struct spool_seen {
	uint64_t next, count;
	struct arena *arena;
};

static inline bool spool_see(void *ctx, const struct spool_item *item)
{
	struct spool_seen *s = ctx;
	struct frame frame;
	enum bye_reason why;
	assert_int_equal(item->sequence, s->next);
	s->next = (item->through ? item->through : item->sequence) + 1;
	if (item->through)
		return true;
	arena_reset(s->arena);
	ok(message_decode(SIDE_AGENT, item->frame.data, item->frame.size, s->arena, &frame, &why, &err));
	assert_int_equal(frame.report->sequence, item->sequence);
	assert_int_equal(link_report_number(frame.report), item->sequence);
	s->count++;
	return true;
}

/* No hole, nothing half, and the counts are those of what is there. */
static inline void spool_check(struct spool *spool)
{
	struct spool_state state;
	spool_state(spool, &state);
	struct spool_seen s = {.next = state.first, .arena = arena_new(0)};
	ok(spool_read(spool, state.first, spool_see, &s, &err));
	assert_int_equal(s.next, state.next);
	assert_int_equal(s.count, state.count);
	assert_true((state.count == 0) == (state.bytes == 0));
	arena_free(s.arena);
}

/* count reports of the size, with the numbers that they will get. */
static inline enum err_code spool_add(struct spool *spool, size_t count, size_t size, struct random *random)
{
	static struct link_report room[SPOOL_BATCH_MAX];
	const struct report *all[SPOOL_BATCH_MAX];
	struct spool_state state;
	spool_state(spool, &state);
	for (size_t i = 0; i < count; i++)
		all[i] = link_report_make(
		    &room[i], state.next + i, (enum importance)random_below(random, IMPORTANCE_COUNT), size);
	err = ERR_INIT;
	return spool_append(spool, all, count, NULL, &err);
}

#endif
