#include "agent/probe/schedule.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
	struct probe_timing timing;
	uint64_t due_ms, began_ms, answered_ms; /* answered_ms 0: never */
	bool running, tainted;                  /* tainted: we lagged while it ran */
	bool heard;
	enum probe_state settled;
	uint32_t good, bad, critical, not_critical, unknown; /* how many in a row */
};

struct probe_schedule {
	struct entry *entries;
	size_t count, running;
	uint64_t promised_ms; /* when the caller said it would be back */
	uint64_t beat_ms;
	uint64_t window_ms, starved_ms; /* since when, and what had been waited by then */
	uint64_t lag_until_ms;
	size_t cursor; /* where the search for due ones begins: nobody is starved when too much is due */
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool timing_valid(const struct probe_timing *t)
{
	return t->every_ms && t->timeout_ms && t->rise && t->fall;
}

enum err_code probe_schedule_new(
    const struct probe_timing *timings, size_t count, uint64_t now_ms, struct probe_schedule **ret, struct err *reterr)
{
	for (size_t i = 0; i < count; i++)
		if (!timing_valid(&timings[i]))
			return err_set(reterr, ERR_INVALID, "probe %zu has no interval, timeout, rise or fall", i);
	struct probe_schedule *s = calloc(1, sizeof *s);
	struct entry *entries = calloc(count ? count : 1, sizeof *entries);
	if (!s || !entries) {
		free(s);
		free(entries);
		return err_set(reterr, ERR_NOMEM, "no memory for %zu probes", count);
	}
	*s = (struct probe_schedule){.entries = entries, .count = count, .beat_ms = now_ms};
	for (size_t i = 0; i < count; i++) {
		const struct probe_timing *t = &timings[i];
		uint64_t within = least(t->every_ms, t->first_soon ? PROBE_FIRST_MAX_MS : PROBE_FIRST_LATER_MS);
		entries[i] = (struct entry){.timing = *t, .due_ms = now_ms + t->hash % within};
	}
	s->promised_ms = probe_schedule_next_ms(s);
	*ret = s;
	return ERR_OK;
}

void probe_schedule_free(struct probe_schedule *s)
{
	if (!s)
		return;
	free(s->entries);
	free(s);
}

/* ---- time ---- */

uint64_t probe_schedule_next_ms(const struct probe_schedule *s)
{
	uint64_t next = s->running ? s->beat_ms + PROBE_BEAT_MS : UINT64_MAX;
	if (s->running >= PROBE_RUNNING_MAX)
		return next;
	for (size_t i = 0; i < s->count; i++)
		if (!s->entries[i].running)
			next = least(next, s->entries[i].due_ms);
	return next;
}

static void promise(struct probe_schedule *s)
{
	s->promised_ms = probe_schedule_next_ms(s);
}

static void note_lag(struct probe_schedule *s, uint64_t now_ms)
{
	s->lag_until_ms = now_ms + PROBE_LAG_MEMORY_MS;
	for (size_t i = 0; i < s->count; i++)
		s->entries[i].tainted |= s->entries[i].running;
}

/* Over windows of at least PROBE_BEAT_MS; the first call only begins one. */
static bool starved(struct probe_schedule *s, uint64_t now_ms, uint64_t starved_ms)
{
	uint64_t passed = now_ms - s->window_ms, waited = starved_ms - s->starved_ms;
	bool whole = s->window_ms && passed >= PROBE_BEAT_MS;
	bool hungry =
	    whole && s->running && starved_ms > s->starved_ms && waited * 100 > passed * PROBE_STARVED_PERCENT;
	if (whole || !s->window_ms || starved_ms < s->starved_ms) {
		s->window_ms = now_ms;
		s->starved_ms = starved_ms;
	}
	return hungry;
}

void probe_schedule_beat(struct probe_schedule *s, uint64_t now_ms, uint64_t starved_ms)
{
	uint64_t expected = s->promised_ms > s->beat_ms ? s->promised_ms : s->beat_ms;
	bool late = s->promised_ms != UINT64_MAX && now_ms > expected + PROBE_LAG_MS;
	if (starved(s, now_ms, starved_ms) || late)
		note_lag(s, now_ms);
	s->beat_ms = now_ms;
	promise(s);
}

/* The first moment of this probe's phase after now. */
static uint64_t next_phase(const struct entry *e, uint64_t now_ms)
{
	uint64_t every = e->timing.every_ms, phase = e->timing.hash % every;
	uint64_t since = now_ms >= phase ? (now_ms - phase) % every : 0;
	return now_ms + every - since;
}

/* ---- running ---- */

static void begin(struct probe_schedule *s, struct entry *e, uint64_t now_ms)
{
	e->running = true;
	e->tainted = now_ms < s->lag_until_ms;
	e->began_ms = now_ms;
	s->running++;
}

bool probe_schedule_due(struct probe_schedule *s, uint64_t now_ms, size_t *ret)
{
	for (size_t n = 0; n < s->count && s->running < PROBE_RUNNING_MAX; n++) {
		size_t i = (s->cursor + n) % s->count;
		struct entry *e = &s->entries[i];
		if (e->running || e->due_ms > now_ms)
			continue;
		begin(s, e, now_ms);
		s->cursor = i + 1;
		*ret = i;
		promise(s);
		return true;
	}
	promise(s);
	return false;
}

bool probe_schedule_begin(struct probe_schedule *s, size_t index, uint64_t now_ms)
{
	assert(index < s->count);
	if (s->entries[index].running)
		return false;
	begin(s, &s->entries[index], now_ms);
	promise(s);
	return true;
}

bool probe_schedule_overdue(const struct probe_schedule *s, uint64_t now_ms, size_t *ret)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct entry *e = &s->entries[i];
		if (!e->running || now_ms <= e->began_ms + e->timing.timeout_ms + PROBE_OVERDUE_MS)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

/* ---- results ---- */

static void count_result(struct entry *e, enum probe_state state)
{
	if (state == PROBE_UNKNOWN) {
		e->unknown++;
		return;
	}
	e->unknown = 0;
	e->good = state == PROBE_OK ? e->good + 1 : 0;
	e->bad = state != PROBE_OK ? e->bad + 1 : 0;
	e->critical = state == PROBE_CRITICAL ? e->critical + 1 : 0;
	e->not_critical = state != PROBE_CRITICAL ? e->not_critical + 1 : 0;
}

static enum probe_state settle(const struct entry *e, enum probe_state state)
{
	uint32_t rise = e->timing.rise, fall = e->timing.fall;
	if (state == PROBE_UNKNOWN)
		return e->unknown >= fall ? PROBE_UNKNOWN : e->settled;
	if (e->good >= rise || (e->good && e->settled == PROBE_UNKNOWN))
		return PROBE_OK;
	if (e->critical >= fall)
		return PROBE_CRITICAL;
	if (e->settled == PROBE_CRITICAL)
		return e->not_critical >= rise && e->bad ? PROBE_WARNING : PROBE_CRITICAL;
	return e->bad >= fall ? PROBE_WARNING : e->settled;
}

static bool is_bad(enum probe_state state)
{
	return state == PROBE_WARNING || state == PROBE_CRITICAL;
}

struct probe_verdict probe_schedule_result(
    struct probe_schedule *s, size_t index, enum probe_state state, uint64_t now_ms)
{
	assert(index < s->count && s->entries[index].running);
	struct entry *e = &s->entries[index];
	struct probe_verdict v = {
	    .state = state, .distrusted = is_bad(state) && (e->tainted || now_ms < s->lag_until_ms)};
	if (v.distrusted)
		v.state = PROBE_UNKNOWN;
	e->running = false;
	s->running--;
	e->answered_ms = now_ms;
	if (v.distrusted && is_bad(e->settled)) { /* it speaks even less for it */
		v.settled = e->settled;
	} else {
		count_result(e, v.state);
		v.settled = settle(e, v.state);
	}
	v.changed = !e->heard || v.settled != e->settled;
	e->heard = true;
	e->settled = v.settled;
	e->due_ms = next_phase(e, now_ms);
	if (v.state != v.settled)
		e->due_ms = least(e->due_ms, now_ms + PROBE_RETRY_MS);
	promise(s);
	return v;
}

enum probe_state probe_schedule_settled(const struct probe_schedule *s, size_t index, uint64_t now_ms)
{
	const struct entry *e = &s->entries[index];
	uint64_t fresh = PROBE_STALE_INTERVALS * e->timing.every_ms + e->timing.timeout_ms;
	return e->heard && now_ms <= e->answered_ms + fresh ? e->settled : PROBE_UNKNOWN;
}

bool probe_schedule_running(const struct probe_schedule *s, size_t index)
{
	return s->entries[index].running;
}
bool probe_schedule_lagging(const struct probe_schedule *s, uint64_t now_ms)
{
	return now_ms < s->lag_until_ms;
}

void probe_schedule_forget(struct probe_schedule *s, size_t index, uint64_t now_ms)
{
	struct entry *e = &s->entries[index];
	e->good = e->bad = e->critical = e->not_critical = e->unknown = 0;
	e->settled = PROBE_UNKNOWN;
	e->heard = false;
	e->due_ms = now_ms;
	promise(s);
}
