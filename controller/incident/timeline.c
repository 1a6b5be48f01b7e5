/* controller/incident/timeline.c: what happened, line by line; and finding incidents. */
#include <inttypes.h>
#include <string.h>

#include "controller/incident/internal.h"
#include "shared/base/text.h"

static enum err_code say(struct turn *t, struct incident *i, const struct actor *who, uint64_t at_ms, const char *kind,
    const char *text, struct err *reterr)
{
	if (i->entries >= INCIDENT_ENTRIES_MAX && strcmp(kind, "state") != 0)
		return ERR_OK;
	char *cut = text ? arena_alloc(turn_arena(t), INCIDENT_NOTE_MAX + 1) : NULL;
	if (!cut)
		return err_set(reterr, ERR_NOMEM, "out of memory for a timeline");
	text_copy(cut, INCIDENT_NOTE_MAX + 1, text);
	struct incident_entry e = {
	    .incident = i->incident,
	    .sequence = i->entries + 1,
	    .at_ms = at_ms ? at_ms : turn_now_ms(t),
	    .kind = kind,
	    .text = cut,
	    .actor = actor_text(t, who),
	};
	enum err_code rc = turn_put(t, &incident_entry_table, &e, reterr);
	if (rc == ERR_OK)
		i->entries++;
	return rc;
}

enum err_code incident_say(struct turn *t, struct incident *i, const struct actor *who, uint64_t at_ms,
    const char *kind, struct err *reterr, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *text = arena_vprintf(turn_arena(t), fmt, ap);
	va_end(ap);
	return say(t, i, who, at_ms, kind, text, reterr);
}

enum err_code incident_tell(struct turn *t, const struct actor *who, struct id incident, uint64_t at_ms,
    const char *kind, struct err *reterr, const char *fmt, ...)
{
	struct incident i;
	enum err_code rc = incident_need(t, incident, &i, reterr);
	if (rc != ERR_OK)
		return rc;
	va_list ap;
	va_start(ap, fmt);
	const char *text = arena_vprintf(turn_arena(t), fmt, ap);
	va_end(ap);
	rc = say(t, &i, who, at_ms, kind, text, reterr);
	return rc == ERR_OK ? incident_save(t, &i, reterr) : rc;
}

enum err_code incident_audit(struct turn *t, const struct actor *who, const char *action, const struct incident *i,
    struct err *reterr, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *text = arena_vprintf(turn_arena(t), fmt, ap);
	va_end(ap);
	const char *object = arena_strdup(turn_arena(t), id_text(ID_INCIDENT, i->incident));
	if (!text || !object)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	struct audit_entry e = {
	    .actor = who->kind,
	    .actor_name = who->name,
	    .address = who->address,
	    .action = action,
	    .object_kind = "incident",
	    .object = object,
	    .incident = i->incident,
	    .text = text[0] ? text : NULL,
	};
	return audit_append(t, &e, reterr);
}

enum err_code incident_save(struct turn *t, const struct incident *i, struct err *reterr)
{
	return turn_put(t, &incident_table, i, reterr);
}

enum err_code incident_get(
    struct turn *t, struct id incident, struct incident *ret, bool *ret_found, struct err *reterr)
{
	struct incident key = {.incident = incident};
	return turn_get(t, &incident_table, &key, ret, ret_found, reterr);
}

enum err_code incident_need(struct turn *t, struct id incident, struct incident *ret, struct err *reterr)
{
	bool found = false;
	enum err_code rc = id_is_zero(incident) ? ERR_OK : incident_get(t, incident, ret, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "no incident %s", id_text(ID_INCIDENT, incident));
	return rc;
}

enum err_code incident_by_number(
    struct turn *t, uint64_t number, struct incident *ret, bool *ret_found, struct err *reterr)
{
	struct incident like = {.number = number};
	return turn_find(t, &incident_table, "number", &like, false, ret, ret_found, reterr);
}

enum err_code incident_of_service(
    struct turn *t, const char *service, struct incident *ret, bool *ret_found, struct err *reterr)
{
	struct incident like = {.service = service}, i;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	bool open = false;
	enum err_code rc = turn_scan_index(t, &incident_table, "service", &like, true, &scan, reterr);
	for (unsigned n = 0; !open && n < INCIDENT_LOOKBACK && turn_scan_step(&scan, &i, &rc, reterr); n++)
		open = incident_is_open(&i);
	if (rc != ERR_OK)
		return rc;
	*ret_found = open;
	if (open)
		*ret = i;
	return ERR_OK;
}

static void sort_by_id(struct incident *items, size_t count)
{
	for (size_t i = 1; i < count; i++) { /* states follow one another: few are out of order */
		struct incident one = items[i];
		size_t at = i;
		for (; at > 0 && id_compare(items[at - 1].incident, one.incident) > 0; at--)
			items[at] = items[at - 1];
		items[at] = one;
	}
}

enum err_code incident_all_open(struct turn *t, struct list *ret, struct err *reterr)
{
	struct list open = {0};
	for (uint32_t state = 0; state < INCIDENT_RESOLVED; state++) {
		struct incident like = {.state = state};
		CLEANUP(turn_scan_done) struct turn_scan scan = {0};
		enum err_code rc = turn_scan_index(t, &incident_table, "state", &like, false, &scan, reterr);
		if (rc != ERR_OK || (rc = turn_scan_take(&scan, SIZE_MAX, &open, reterr)) != ERR_OK)
			return rc;
	}
	sort_by_id(open.items, open.count);
	*ret = open;
	return ERR_OK;
}

enum err_code incident_timeline(struct turn *t, struct id incident, struct list *ret, struct err *reterr)
{
	struct incident i;
	enum err_code rc = incident_need(t, incident, &i, reterr);
	if (rc != ERR_OK)
		return rc;
	struct incident_entry key = {.incident = incident};
	struct list entries = {0};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	rc = turn_scan_key(t, &incident_entry_table, &key, 1, false, &scan, reterr);
	if (rc != ERR_OK || (rc = turn_scan_take(&scan, i.entries, &entries, reterr)) != ERR_OK)
		return rc;
	*ret = entries;
	return ERR_OK;
}
