/* tests/sim/events.c: virtual time, and the trace of what happened in it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static bool before(const struct event *a, const struct event *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->number < b->number;
}

static void swap(struct sim *s, size_t i, size_t k)
{
	struct event e = s->heap[i];
	s->heap[i] = s->heap[k];
	s->heap[k] = e;
}

void sim_at(struct sim *s, uint64_t due_ms, sim_fn fn, void *ctx, uint64_t tag, void *owned)
{
	if (s->heap_count == s->heap_capacity) {
		s->heap_capacity = s->heap_capacity ? 2 * s->heap_capacity : 256;
		s->heap = realloc(s->heap, s->heap_capacity * sizeof(*s->heap));
		if (!s->heap)
			abort();
	}
	size_t i = s->heap_count++;
	s->heap[i] = (struct event){due_ms > s->now_ms ? due_ms : s->now_ms, ++s->numbers, fn, ctx, tag, owned};
	for (; i && before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(s, i, (i - 1) / 2);
}

static struct event take_first(struct sim *s)
{
	struct event first = s->heap[0];
	s->heap[0] = s->heap[--s->heap_count];
	for (size_t i = 0;;) {
		size_t least = i;
		for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < s->heap_count; k++)
			if (before(&s->heap[k], &s->heap[least]))
				least = k;
		if (least == i)
			return first;
		swap(s, i, least);
		i = least;
	}
}

bool sim_next(struct sim *s, uint64_t until_ms)
{
	if (!s->heap_count || s->heap[0].due_ms > until_ms)
		return false;
	struct event e = take_first(s);
	s->now_ms = e.due_ms;
	s->events++;
	e.fn(s, e.ctx, e.tag, e.owned);
	free(e.owned);
	return true;
}

void sim_events_free(struct sim *s)
{
	for (size_t i = 0; i < s->heap_count; i++)
		free(s->heap[i].owned);
	free(s->heap);
	s->heap = NULL;
	s->heap_count = 0;
}

void sim_trace(struct sim *s, const char *fmt, ...)
{
	char *line = s->tail[s->lines++ % SIM_TAIL];
	uint64_t at = s->now_ms - s->begin_ms;
	int n =
	    snprintf(line, SIM_LINE, "%6llu.%03llu ", (unsigned long long)(at / 1000), (unsigned long long)(at % 1000));
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line + n, SIM_LINE - (size_t)n, fmt, ap);
	va_end(ap);
	for (const char *c = line; *c; c++)
		s->digest = (s->digest ^ (uint8_t)*c) * 0x100000001b3u; /* FNV-1a */
	if (s->o.verbose)
		puts(line);
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
	if (s->failed)
		return; /* the first is the one to look at */
	s->failed = true;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(s->failure, sizeof(s->failure), fmt, ap);
	va_end(ap);
	sim_trace(s, "FAILED: %s", s->failure);
}

bool sim_chance(struct sim *s, unsigned permille)
{
	return permille && random_below(&s->random, 1000) < permille;
}

uint64_t sim_between(struct sim *s, uint64_t least, uint64_t most)
{
	return least + random_below(&s->random, most - least + 1);
}
