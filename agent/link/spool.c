#include "agent/link/spool_internal.h"

#include <assert.h>
#include <stdlib.h>

enum {
	ENTRY_BYTES = 128, /* keys, index, headers, and the trace of a neighbour that was dropped */
	PAGE_BYTES = 4096,
	FRAMES_KEPT = 64 << 10, /* of the buffer, between appends */
};

uint64_t spool_cost(size_t frame_size)
{
	uint64_t body = frame_size;
	if (frame_size > SPOOL_INLINE_MAX)
		body = (frame_size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	return body + ENTRY_BYTES;
}

static enum err_code usable(const struct spool *s, struct err *reterr)
{
	return s->broken ? err_set(reterr, ERR_STATE, "the spool failed before: it must be opened anew") : ERR_OK;
}

static enum err_code settle(struct spool *s, enum err_code rc)
{
	if (rc != ERR_OK && rc != ERR_FULL && rc != ERR_NOMEM)
		s->broken = true;
	return rc;
}

/* False: out of memory. */
static bool encode(struct spool *s, const struct report *r, uint64_t sequence, struct spool_entry *ret)
{
	struct report numbered = *r;
	size_t before = s->frames.size;
	numbered.sequence = sequence;
	*ret = (struct spool_entry){.sequence = sequence, .at_ms = r->at_ms ? r->at_ms : 1, .offset = before};
	enum err_code rc = message_encode(FRAME_REPORT, &numbered, &s->frames, NULL);
	if (rc == ERR_OK && !r->through) {
		ret->importance = r->importance;
		ret->size = s->frames.size - before;
	}
	return rc != ERR_NOMEM;
}

enum err_code spool_append(struct spool *s, const struct report *const *reports, size_t count,
    const struct spool_mark *mark, struct err *reterr)
{
	struct spool_entry entries[SPOOL_BATCH_MAX];
	assert(count > 0 && count <= SPOOL_BATCH_MAX);
	enum err_code rc = usable(s, reterr);
	if (rc != ERR_OK)
		return rc;
	if (s->state.next > LINK_SEQUENCE_MAX - count)
		return err_set(reterr, ERR_FULL, "the spool has used up its sequences");
	buf_clear(&s->frames);
	for (size_t i = 0; rc == ERR_OK && i < count; i++)
		if (!encode(s, reports[i], s->state.next + i, &entries[i]))
			rc = err_set(reterr, ERR_NOMEM, "out of memory for reports");
	if (rc == ERR_OK)
		rc = settle(s, s->ops->append(s, entries, count, &s->frames, mark, reterr));
	if (s->frames.capacity > FRAMES_KEPT)
		buf_done(&s->frames);
	return rc;
}

enum err_code spool_read(struct spool *s, uint64_t from, bool (*visit)(void *ctx, const struct spool_item *item),
    void *ctx, struct err *reterr)
{
	enum err_code rc = usable(s, reterr);
	if (rc != ERR_OK || from >= s->state.next)
		return rc;
	if (from < s->state.first)
		from = s->state.first;
	return settle(s, s->ops->read(s, from, visit, ctx, reterr));
}

enum err_code spool_acknowledge(struct spool *s, uint64_t through, struct err *reterr)
{
	assert(through <= LINK_SEQUENCE_MAX);
	enum err_code rc = usable(s, reterr);
	if (rc != ERR_OK || through < s->state.first)
		return rc;
	return settle(s, s->ops->acknowledge(s, through, reterr));
}

void spool_state(const struct spool *s, struct spool_state *ret)
{
	*ret = s->state;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	buf_done(&s->frames);
	s->ops->close(s);
}
