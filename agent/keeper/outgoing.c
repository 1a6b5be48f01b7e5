/* agent/keeper/outgoing.c */
#include "agent/keeper/outgoing.h"

#include <stdlib.h>
#include <string.h>

#include "shared/redact/leaving.h"

struct waiting {
	uint64_t token;
	struct arena *arena;
	struct report report;
	size_t bytes;
	bool sent;
};
struct outgoing {
	struct outgoing_io io;
	struct waiting all[OUTGOING_MAX]; /* oldest first */
	size_t count, bytes;
	uint64_t tokens, dropped;
};

struct outgoing *outgoing_new(const struct outgoing_io *io)
{
	struct outgoing *o = calloc(1, sizeof *o);
	if (o)
		o->io = *io;
	return o;
}

static void remove_at(struct outgoing *o, size_t i)
{
	o->bytes -= o->all[i].bytes;
	arena_free(o->all[i].arena);
	memmove(&o->all[i], &o->all[i + 1], (--o->count - i) * sizeof o->all[0]);
}

void outgoing_free(struct outgoing *o)
{
	if (!o)
		return;
	while (o->count)
		remove_at(o, o->count - 1);
	free(o);
}

/* The least important, oldest one, if it matters no more than `importance`. */
static bool drop_one(struct outgoing *o, uint32_t importance)
{
	size_t worst = o->count;
	for (size_t i = 0; i < o->count; i++)
		if (o->all[i].report.importance >= importance &&
		    (worst == o->count || o->all[i].report.importance > o->all[worst].report.importance))
			worst = i;
	if (worst == o->count)
		return false;
	remove_at(o, worst);
	o->dropped++;
	return true;
}

static void hand_over(struct outgoing *o, struct waiting *w)
{
	w->sent = o->io.send(o->io.ctx, w->token, &w->report) == ERR_OK;
}

enum err_code outgoing_add(struct outgoing *o, const struct report *r, struct err *reterr)
{
	struct waiting w = {.arena = arena_new(MESSAGE_SIZE_MAX)};
	enum err_code rc = w.arena ? record_copy(&report_type, r, w.arena, &w.report, reterr)
				   : err_set(reterr, ERR_NOMEM, "out of memory for a report");
	if (rc == ERR_OK)
		rc = redact_leaving_record(&report_type, &w.report, w.arena, reterr);
	if (rc != ERR_OK) {
		arena_free(w.arena);
		return rc;
	}
	w.bytes = arena_used(w.arena) + sizeof w;
	while (o->count == OUTGOING_MAX || (o->count && o->bytes + w.bytes > OUTGOING_BYTES_MAX))
		if (!drop_one(o, r->importance)) {
			arena_free(w.arena);
			o->dropped++;
			return err_set(reterr, ERR_FULL, "too many reports wait for the link");
		}
	w.token = ++o->tokens;
	o->bytes += w.bytes;
	o->all[o->count] = w;
	hand_over(o, &o->all[o->count++]);
	return ERR_OK;
}

void outgoing_on_spooled(struct outgoing *o, uint64_t token)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->all[i].token == token) {
			o->io.spooled(o->io.ctx, &o->all[i].report);
			remove_at(o, i);
			return;
		}
}

void outgoing_resend(struct outgoing *o)
{
	for (size_t i = 0; i < o->count; i++)
		hand_over(o, &o->all[i]);
}

size_t outgoing_count(const struct outgoing *o)
{
	return o->count;
}

uint64_t outgoing_take_dropped(struct outgoing *o)
{
	uint64_t n = o->dropped;
	o->dropped = 0;
	return n;
}
