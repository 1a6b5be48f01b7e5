#include "controller/center/practice.h"

#include "controller/fleet/fleet.h"
#include "controller/notify/notify.h"
#include "controller/recovery/recovery.h"
#include "shared/base/text.h"

enum {
	LOOK_EVERY_MS = 3600 * 1000,
	FRESH_MS = 3600 * 1000, /* older reports were replayed: whoever was on call then knows, or it is over */
	DAY_MILLISECONDS = 24 * 3600 * 1000,
};

static const char *today(struct turn *t)
{
	return arena_printf(turn_arena(t), "%llu", (unsigned long long)(turn_now_ms(t) / DAY_MILLISECONDS));
}

/* ---- what hosts say ---- */

static const char copy_failing[] = "copy-failing",
		  copy_failing_text[] = "restore points and logs do not get off the host any more";

/* Words that agents know, and what they mean to who is called. */
static const struct {
	const char *what, *text;
} troubles[] = {
    {"no-proven-restore", "no restore has been proven for too long"},
    {"copy-damaged", "a copy off the host is not what was put there"},
    {"frozen", "its database stood frozen after a crash"},
    {"repository-unusable", "the repository of restore points cannot be used"},
};

static enum err_code tell(struct turn *t, const struct workflow_config *c, const struct host *h, const char *service,
    const char *what, const char *text, struct err *reterr)
{
	uint32_t said;
	const char *object = arena_printf(turn_arena(t), "%s/%s/%s", h->name, service ? service : "-", what),
		   *subject = service ? arena_printf(turn_arena(t), "%s on %s: %s", service, h->name, text)
				      : arena_printf(turn_arena(t), "%s: %s", h->name, text),
		   *detail = today(t);
	if (!object || !subject || !detail)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return notify_about(t, &c->notify, NOTIFY_HOST, object, detail, subject, &said, reterr);
}

/* What is seen to be so, or not to be so any more. */
static enum err_code see(struct turn *t, const struct workflow_config *c, const struct host *h, const char *service,
    const char *what, const char *text, bool wrong, struct err *reterr)
{
	struct trouble x;
	enum trouble_news news;
	uint32_t said;
	enum err_code rc = recovery_trouble(t, h, service, what, wrong, &news, &x, reterr);
	if (rc != ERR_OK || news == TROUBLE_NO_NEWS)
		return rc;
	bool over = news == TROUBLE_OVER;
	const char *object = arena_printf(turn_arena(t), "%s/%s/%s", h->name, x.service, what),
		   *of = service ? arena_printf(turn_arena(t), "%s on %s", service, h->name) : h->name,
		   *subject = arena_printf(turn_arena(t), "%s: %s%s", of ? of : "", over ? "over: " : "", text),
		   *detail = arena_printf(turn_arena(t), "%s%llu", over ? "over " : "",
		       (unsigned long long)(over ? x.over_ms : x.told_ms));
	if (!object || !of || !subject || !detail)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return notify_about(t, &c->notify, NOTIFY_HOST, object, detail, subject, &said, reterr);
}

/* That a copy has come there since is the proof that copying works again. */
static enum err_code see_copies(struct turn *t, const struct workflow_config *c, const struct host *h,
    const struct host_report *r, struct err *reterr)
{
	uint64_t since_ms;
	bool works = false;
	enum err_code rc = recovery_trouble_since(t, h, NULL, copy_failing, &since_ms, reterr);
	if (rc != ERR_OK || !since_ms)
		return rc;
	for (size_t i = 0; i < r->reach.count; i++) {
		const struct reach *x = &LIST_AT(r->reach, struct reach, i);
		works |= (x->copied_ms && fleet_time(h, x->copied_ms) > since_ms) ||
			 (x->copied_point_ms && fleet_time(h, x->copied_point_ms) > since_ms);
	}
	return works ? see(t, c, h, NULL, copy_failing, copy_failing_text, false, reterr) : ERR_OK;
}

/* A host says how its archives stand in each report of itself, so that nothing hangs on one message.  One that cannot
 * be looked at is neither well nor ill. */
static enum err_code see_reach(struct turn *t, const struct workflow_config *c, const struct host *h,
    const struct host_report *r, struct err *reterr)
{
	enum err_code rc = see_copies(t, c, h, r, reterr);
	for (size_t i = 0; rc == ERR_OK && i < r->reach.count; i++) {
		const struct reach *x = &LIST_AT(r->reach, struct reach, i);
		struct placement p;
		bool runs;
		rc = fleet_placement_get(t, x->service, h->name, &p, &runs, reterr);
		if (rc != ERR_OK || !runs || x->archive == ARCHIVE_NONE || x->archive == ARCHIVE_EMPTY)
			continue;
		rc = see(t, c, h, x->service, "archive-gap",
		    "the log of its database has a gap: moments behind it cannot be reached", x->archive == ARCHIVE_GAP,
		    reterr);
		if (rc == ERR_OK)
			rc = see(t, c, h, x->service, "archive-late",
			    "the log of its database is not archived in time: more would be lost than is declared",
			    x->archive == ARCHIVE_LATE, reterr);
	}
	return rc;
}

enum err_code practice_on_report(
    struct turn *t, const struct workflow_config *c, const struct host *h, const struct report *r, struct err *reterr)
{
	if (fleet_time(h, r->at_ms) + FRESH_MS < turn_now_ms(t))
		return ERR_OK;
	if (r->host)
		return see_reach(t, c, h, r->host, reterr);
	if (r->drill)
		return see(t, c, h, r->drill->service, "drill", "a practised restore failed", !r->drill->ok, reterr);
	if (r->notice && text_equal(r->notice->what, copy_failing))
		return see(t, c, h, NULL, copy_failing, copy_failing_text, true, reterr);
	if (r->notice && text_equal(r->notice->what, "copy-works"))
		return see(t, c, h, NULL, copy_failing, copy_failing_text, false, reterr);
	for (size_t i = 0; r->notice && i < sizeof troubles / sizeof troubles[0]; i++)
		if (text_equal(r->notice->what, troubles[i].what))
			return tell(t, c, h, r->notice->service, troubles[i].what, troubles[i].text, reterr);
	return ERR_OK;
}

/* ---- what nobody says ---- */

static enum err_code look_again_later(struct turn *t, struct err *reterr)
{
	return turn_timer_set(t, PRACTICE_TIMER, (struct id){{0}}, NULL, turn_now_ms(t) + LOOK_EVERY_MS, reterr);
}

enum err_code practice_on_boot(struct turn *t, struct err *reterr)
{
	return look_again_later(t, reterr);
}

static enum err_code is_unproven(struct turn *t, const struct placement *p, bool *ret, struct err *reterr)
{
	struct drill d;
	bool practised;
	enum err_code rc = recovery_drill_get(t, p->service, p->host, &d, &practised, reterr);
	uint64_t since_ms = rc == ERR_OK && practised && d.proven_ms > p->since_ms ? d.proven_ms : p->since_ms;
	if (rc == ERR_OK)
		*ret = p->components.count && !p->undeclared && turn_now_ms(t) > since_ms + RECOVERY_PROVEN_MS;
	return rc;
}

/* One message for all of them: a repository that does not come back anywhere is one cause. */
static enum err_code look(struct turn *t, const struct workflow_config *c, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct placement p;
	const char *first = NULL;
	size_t count = 0;
	uint32_t said;
	bool unproven = false;
	enum err_code rc = turn_scan_key(t, &placement_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &p, &rc, reterr)) {
		if ((rc = is_unproven(t, &p, &unproven, reterr)) != ERR_OK)
			break;
		if (unproven && !count++)
			first = arena_printf(turn_arena(t), "%s on %s", p.service, p.host);
	}
	if (rc != ERR_OK || !count)
		return rc;
	const char *subject =
	    count == 1
		? arena_printf(turn_arena(t), "no restore of %s has been proven for two days", first)
		: arena_printf(turn_arena(t),
		      "no restore has been proven for two days of %zu services on hosts, %s among them", count, first);
	return notify_about(t, &c->notify, NOTIFY_HOST, "unproven", today(t), subject, &said, reterr);
}

enum err_code practice_on_timer(
    struct turn *t, const struct workflow_config *c, const struct timer *timer, bool *ret_mine, struct err *reterr)
{
	*ret_mine = text_equal(timer->kind, PRACTICE_TIMER);
	if (!*ret_mine)
		return ERR_OK;
	enum err_code rc = look(t, c, reterr);
	return rc == ERR_OK ? look_again_later(t, reterr) : rc;
}
