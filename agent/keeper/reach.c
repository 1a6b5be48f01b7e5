/* agent/keeper/reach.c: how far services can be brought back beyond their restore points: told with the host's report,
 * and what goes wrong with the archive of a database's log at once, within a minute. */
#include "agent/offhost/reach.h"

#include "agent/keeper/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static bool is_bad(uint32_t archive)
{
	return archive == ARCHIVE_GAP || archive == ARCHIVE_LATE;
}

static void tell(struct watched *w, const struct reach *r)
{
	struct keeper *k = w->k;
	const char *text = r->text ? r->text : "";
	bool gap = r->archive == ARCHIVE_GAP;
	if (is_bad(r->archive)) {
		log_error("database", "service=%s archive of the log: %s", w->service->name, text);
		keeper_notice(k, gap ? SEVERITY_HIGH : SEVERITY_MEDIUM, gap ? "archive-gap" : "archive-late",
		    w->service->name, text);
	} else if (is_bad(w->reach.archive)) {
		log_info("database", "service=%s the archive of the log is whole again", w->service->name);
		keeper_notice(k, SEVERITY_LOW, "archive-whole", w->service->name,
		    "the archive of the database's log follows again");
	} else if (w->reach.archive == ARCHIVE_NONE && r->archive == ARCHIVE_OK) {
		log_info("database", "service=%s archive of the log: ok", w->service->name);
	}
	k->next_host_ms = 0; /* the board shows it at once */
}

void reach_tick(struct watched *w, uint64_t now_ms)
{
	struct reach r;
	struct err err = ERR_INIT;
	bool any = false;
	if (now_ms < w->next_archive_ms)
		return;
	w->next_archive_ms = now_ms + KEEPER_ARCHIVE_MS;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	enum err_code rc = arena ? offhost_reach(w->k->c, w->service, clock_wall_ms(), arena, &r, &any, &err)
				 : err_set(&err, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK)
		log_warn("database", "service=%s archive of the log: %s", w->service->name, err.msg);
	if (rc != ERR_OK || !any)
		return;
	if (r.archive != w->reach.archive)
		tell(w, &r);
	text_copy(w->reach_text, sizeof w->reach_text, r.text ? r.text : "");
	w->reach = r;
	w->reach.service = w->service->name;
	w->reach.text = w->reach_text[0] ? w->reach_text : NULL;
}
