/* agent/link/spool_memory.c: the spool that forgets: an array, oldest first. */
#include <stdlib.h>
#include <string.h>

#include "agent/link/spool_internal.h"

struct kept {
	uint64_t sequence, through, at_ms; /* through 0: a report with its frame */
	uint32_t importance;
	uint8_t *frame;
	size_t size;
};

struct memory {
	struct spool base;
	struct kept *items;
	size_t count, room;
	unsigned fail_after;
	enum err_code fail;
};

static struct memory *of(struct spool *s)
{
	return (struct memory *)s;
}

static bool fails(struct memory *m, enum err_code *ret)
{
	if (m->fail == ERR_OK || m->fail_after-- > 0)
		return false;
	*ret = m->fail;
	m->fail = ERR_OK;
	return true;
}

static void remove_at(struct memory *m, size_t i)
{
	free(m->items[i].frame);
	m->count--;
	memmove(&m->items[i], &m->items[i + 1], (m->count - i) * sizeof(m->items[0]));
}

/* The item's report is lost; neighbours that are lost too become one with it. */
static void drop(struct memory *m, size_t i)
{
	struct kept *k = &m->items[i];
	free(k->frame);
	k->frame = NULL;
	k->through = k->sequence;
	if (i + 1 < m->count && m->items[i + 1].through) {
		k->through = m->items[i + 1].through;
		k->at_ms = k->at_ms > m->items[i + 1].at_ms ? k->at_ms : m->items[i + 1].at_ms;
		remove_at(m, i + 1);
	}
	if (i > 0 && m->items[i - 1].through) {
		m->items[i - 1].through = m->items[i].through;
		if (m->items[i].at_ms > m->items[i - 1].at_ms)
			m->items[i - 1].at_ms = m->items[i].at_ms;
		remove_at(m, i);
	}
}

static void account(struct memory *m, const struct kept *k, int sign)
{
	struct spool_state *s = &m->base.state;
	if (k->through)
		return;
	s->count += (uint64_t)sign;
	s->bytes += (uint64_t)sign * spool_cost(k->size);
}

static void drop_over_limit(struct memory *m)
{
	while (m->base.state.bytes > m->base.limit_bytes) {
		size_t victim = m->count;
		for (size_t i = 0; i < m->count; i++)
			if (!m->items[i].through &&
			    (victim == m->count || m->items[i].importance > m->items[victim].importance))
				victim = i;
		if (victim == m->count)
			return;
		account(m, &m->items[victim], -1);
		m->base.state.dropped++;
		drop(m, victim);
	}
}

static bool make_room(struct memory *m, size_t count)
{
	if (m->count + count <= m->room)
		return true;
	size_t room = 2 * (m->count + count);
	struct kept *items = realloc(m->items, room * sizeof(*items));
	if (!items)
		return false;
	m->items = items;
	m->room = room;
	return true;
}

/* Frames first, so that a failure leaves nothing behind. */
static bool copy_frames(struct kept *to, const struct spool_entry *entries, size_t count, const struct buf *frames)
{
	for (size_t i = 0; i < count; i++) {
		const struct spool_entry *e = &entries[i];
		to[i] = (struct kept){e->sequence, 0, e->at_ms, e->importance, NULL, e->size};
		if (e->size && !(to[i].frame = malloc(e->size))) {
			while (i-- > 0)
				free(to[i].frame);
			return false;
		}
		if (e->size)
			memcpy(to[i].frame, frames->data + e->offset, e->size);
	}
	return true;
}

static enum err_code memory_append(struct spool *s, struct spool_entry *entries, size_t count, const struct buf *frames,
    const struct spool_mark *mark, struct err *reterr)
{
	struct memory *m = of(s);
	enum err_code code;
	if (fails(m, &code))
		return err_set(reterr, code, "a fault of the simulated disk");
	if (!make_room(m, count) || !copy_frames(m->items + m->count, entries, count, frames))
		return err_set(reterr, ERR_NOMEM, "out of memory for reports");
	for (size_t i = 0; i < count; i++) {
		size_t at = m->count++;
		account(m, &m->items[at], 1);
		if (!m->items[at].size) {
			account(m, &m->items[at], -1);
			s->state.dropped++;
			drop(m, at);
		}
	}
	s->state.next += count;
	if (mark)
		s->state.mark = *mark;
	drop_over_limit(m);
	return ERR_OK;
}

static enum err_code memory_read(struct spool *s, uint64_t from,
    bool (*visit)(void *ctx, const struct spool_item *item), void *ctx, struct err *reterr)
{
	struct memory *m = of(s);
	(void)reterr;
	for (size_t i = 0; i < m->count; i++) {
		const struct kept *k = &m->items[i];
		if ((k->through ? k->through : k->sequence) < from)
			continue;
		struct spool_item item = {k->sequence > from ? k->sequence : from, k->through, k->at_ms, k->importance,
		    {k->frame, k->through ? 0 : k->size}};
		if (!visit(ctx, &item))
			break;
	}
	return ERR_OK;
}

static enum err_code memory_acknowledge(struct spool *s, uint64_t through, struct err *reterr)
{
	struct memory *m = of(s);
	enum err_code code;
	if (fails(m, &code))
		return err_set(reterr, code, "a fault of the simulated disk");
	size_t gone = 0;
	while (gone < m->count) {
		struct kept *k = &m->items[gone];
		if (k->sequence > through)
			break;
		if (k->through > through) { /* only part of a run that was dropped */
			k->sequence = through + 1;
			break;
		}
		account(m, k, -1);
		free(k->frame);
		gone++;
	}
	m->count -= gone;
	if (gone > 0)
		memmove(m->items, m->items + gone, m->count * sizeof(m->items[0]));
	s->state.first = through + 1;
	if (s->state.next <= through)
		s->state.next = through + 1;
	return ERR_OK;
}

static void memory_close(struct spool *s)
{
	struct memory *m = of(s);
	for (size_t i = 0; i < m->count; i++)
		free(m->items[i].frame);
	free(m->items);
	free(m);
}

static const struct spool_ops memory_ops = {
    .append = memory_append,
    .read = memory_read,
    .acknowledge = memory_acknowledge,
    .close = memory_close,
};

enum err_code spool_open_memory(uint64_t limit_bytes, struct spool **ret, struct err *reterr)
{
	struct memory *m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(reterr, ERR_NOMEM, "out of memory for a spool");
	m->base.ops = &memory_ops;
	m->base.limit_bytes = limit_bytes;
	m->base.state.first = m->base.state.next = 1;
	*ret = &m->base;
	return ERR_OK;
}

void spool_memory_fail(struct spool *s, unsigned after, enum err_code code)
{
	of(s)->fail_after = after;
	of(s)->fail = code;
}

void spool_memory_restart(struct spool *s)
{
	s->broken = false;
	s->state.dropped = 0;
	of(s)->fail = ERR_OK;
}
