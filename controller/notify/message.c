/* controller/notify/message.c: the texts, from names, states, numbers and times alone; and saying one to one level. */
#include <inttypes.h>
#include <string.h>

#include "controller/notify/internal.h"
#include "shared/base/text.h"

enum { HOSTS_NAMED_MAX = 16, LEVEL_WAIT_DEFAULT_MS = 5 * 60 * 1000 };

static void names_line(struct buf *out, const char *label, const struct list *names)
{
	if (names->count == 0)
		return;
	buf_printf(out, "%-10s", label);
	for (size_t i = 0; i < names->count && i < HOSTS_NAMED_MAX; i++)
		buf_printf(out, "%s%s", i ? ", " : "", LIST_AT(*names, const char *, i));
	if (names->count > HOSTS_NAMED_MAX)
		buf_printf(out, " and %zu more", names->count - HOSTS_NAMED_MAX);
	buf_byte(out, '\n');
}

static void time_line(struct buf *out, const char *label, uint64_t at_ms)
{
	char at[TEXT_TIME_MAX];
	if (at_ms)
		buf_printf(out, "%-10s%s\n", label, text_time(at_ms, at));
}

/* "portal is DOWN on web-1 and 2 more": not the incident's title, which a person may have typed. */
static const char *headline_of(struct turn *t, const struct incident *i)
{
	const struct list *hosts = i->failing.count > 0 ? &i->failing : &i->hosts;
	const char *health = enum_name(&health_enum, i->health);
	if (incident_is_of_hosts(i)) /* nobody opens one of these by hand */
		return i->title;
	if (hosts->count == 0)
		return arena_printf(turn_arena(t), "%s, opened by hand", i->service);
	if (hosts->count == 1)
		return arena_printf(
		    turn_arena(t), "%s is %s on %s", i->service, health, LIST_AT(*hosts, const char *, 0));
	return arena_printf(turn_arena(t), "%s is %s on %s and %zu more", i->service, health,
	    LIST_AT(*hosts, const char *, 0), hosts->count - 1);
}

static void incident_body(struct buf *out, const struct incident *i)
{
	buf_printf(out, "\n%-10sINC-%" PRIu64 ", %s, %s\n", "incident", i->number,
	    enum_name(&severity_enum, i->severity), enum_name(&incident_state_enum, i->state));
	if (!incident_is_of_hosts(i))
		buf_printf(out, "%-10s%s, %s\n", "service", i->service, enum_name(&health_enum, i->health));
	names_line(out, "hosts", &i->hosts);
	names_line(out, "probes", &i->probes);
	time_line(out, "fault", i->fault_ms);
	time_line(out, "opened", i->opened_ms);
	time_line(out, "resolved", i->resolved_ms);
	time_line(out, "review", i->review_due_ms);
	buf_printf(out, "\nkedge incident show INC-%" PRIu64 "\n", i->number);
	if (incident_is_open(i) && !i->acknowledged_ms)
		buf_printf(out, "kedge incident acknowledge INC-%" PRIu64 "\n", i->number);
}

/* What a webhook is given. */
struct payload {
	const char *event, *detail, *subject, *incident;
	uint64_t number;
	const char *severity, *state, *service, *health;
	struct list hosts;
	uint64_t at_ms;
};
static const struct field payload_fields[] = {
    F_STRING(struct payload, event, NAME_MAX_BYTES, 0, "what happened"),
    F_STRING(struct payload, detail, NOTIFY_DETAIL_MAX, 0, "which one of several"),
    F_STRING(struct payload, subject, NOTIFY_SUBJECT_MAX, 0, "one line"),
    F_STRING(struct payload, incident, ID_TEXT_MAX, 0, "its id"),
    F_U64(struct payload, number, 0, 0, "its number"),
    F_STRING(struct payload, severity, NAME_MAX_BYTES, 0, "of the incident"),
    F_STRING(struct payload, state, NAME_MAX_BYTES, 0, "of the incident"),
    F_STRING(struct payload, service, NAME_MAX_BYTES, 0, "of the incident"),
    F_STRING(struct payload, health, NAME_MAX_BYTES, 0, "of the service"),
    F_STRINGS(struct payload, hosts, HOSTS_NAMED_MAX, 0, "of the incident, at most 16"),
    F_TIME(struct payload, at_ms, 0, "when it was said"),
};
static const struct record_type payload_type =
    RECORD_TYPE("notify_payload", struct payload, payload_fields, "what a webhook is given");

static enum err_code payload_write(struct turn *t, struct message *m, struct err *reterr)
{
	struct payload p = {
	    .event = enum_name(&notify_event_enum, m->event),
	    .detail = m->detail[0] ? m->detail : NULL,
	    .subject = m->subject,
	    .at_ms = turn_now_ms(t),
	};
	const struct incident *i = m->incident;
	if (i) {
		p.incident = id_text(ID_INCIDENT, i->incident);
		p.number = i->number;
		p.severity = enum_name(&severity_enum, i->severity);
		p.state = enum_name(&incident_state_enum, i->state);
		p.service = i->service;
		p.health = enum_name(&health_enum, i->health);
		p.hosts = i->hosts;
		if (p.hosts.count > HOSTS_NAMED_MAX)
			p.hosts.count = HOSTS_NAMED_MAX;
	}
	struct buf json = BUF_INIT;
	enum err_code rc = record_to_json(&payload_type, &p, 0, &json, reterr);
	if (rc == ERR_OK && !(m->payload = arena_strdup(turn_arena(t), buf_str(&json))))
		rc = err_set(reterr, ERR_NOMEM, "out of memory for a notification");
	buf_done(&json);
	return rc;
}

static const char *cut(struct turn *t, const char *text, size_t max)
{
	char *out = text ? arena_alloc(turn_arena(t), max + 1) : NULL;
	if (out)
		text_copy(out, max + 1, text);
	return out;
}

static const char *first_words(const struct message *m)
{
	static const char *const words[] = {
	    [NOTIFY_OPENED] = "",
	    [NOTIFY_WORSENED] = "worse: ",
	    [NOTIFY_RELAPSED] = "back again: ",
	    [NOTIFY_OVERDUE] = "still waiting: ",
	    [NOTIFY_APPROVAL] = "needs approval: ",
	    [NOTIFY_STOPPED] = "automation stopped: ",
	    [NOTIFY_FAILED] = "rollback failed: ",
	    [NOTIFY_RESOLVED] = "resolved: ",
	    [NOTIFY_REVIEW] = "review due: ",
	    [NOTIFY_CHANGED] = "",
	    [NOTIFY_HOST] = "",
	};
	return words[m->event];
}

enum err_code message_write(
    struct turn *t, const struct notify_config *c, const char *headline, struct message *m, struct err *reterr)
{
	const struct incident *i = m->incident;
	const char *site = c->site ? arena_printf(turn_arena(t), "[kedge %s]", c->site) : "[kedge]";
	bool named = m->event == NOTIFY_APPROVAL || m->event == NOTIFY_STOPPED || m->event == NOTIFY_FAILED;
	const char *subject = headline;
	if (i)
		subject = arena_printf(turn_arena(t), "INC-%" PRIu64 " %s: %s%s%s%s", i->number,
		    enum_name(&severity_enum, i->severity), first_words(m), named ? m->detail : "",
		    named && m->detail[0] ? ": " : "", headline_of(t, i));
	if (site && subject)
		m->subject = cut(t, arena_printf(turn_arena(t), "%s %s", site, subject), NOTIFY_SUBJECT_MAX);
	struct buf body = BUF_INIT;
	if (m->subject)
		buf_printf(&body, "%s\n", m->subject);
	if (i)
		incident_body(&body, i);
	m->body = body.failed ? NULL : cut(t, buf_str(&body), NOTIFY_BODY_MAX);
	buf_done(&body);
	if (!m->subject || !m->body)
		return err_set(reterr, ERR_NOMEM, "out of memory for a notification");
	return payload_write(t, m, reterr);
}

static enum err_code key_known(struct turn *t, const char *key, bool *ret, struct err *reterr)
{
	struct notification like = {.key = key}, n;
	return turn_find(t, &notification_table, "key", &like, false, &n, ret, reterr);
}

enum err_code message_say(struct turn *t, const struct message *m, const struct notify_channel *ch, const char *person,
    const char *to, bool *ret_said, struct err *reterr)
{
	bool known;
	struct notification n = {
	    .notification = turn_id(t),
	    .key = arena_printf(turn_arena(t), "%s/%s/%s/%u.%u/%s/%s", m->object,
		enum_name(&notify_event_enum, m->event), m->detail, m->round, m->level, ch->name, to ? to : "-"),
	    .incident = m->incident ? m->incident->incident : (struct id){{0}},
	    .event = m->event,
	    .level = m->level,
	    .round = m->round,
	    .person = person,
	    .channel = ch->name,
	    .recipient = to,
	    .subject = m->subject,
	    .body = m->body,
	    .created_ms = turn_now_ms(t),
	};
	if (!n.key)
		return err_set(reterr, ERR_NOMEM, "out of memory for a notification");
	enum err_code rc = key_known(t, n.key, &known, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret_said = !known && !m->suppressed;
	if (known)
		return ERR_OK;
	if (!m->suppressed)
		return send_begin(t, ch, &n, m->payload, m->hold_ms, reterr);
	n.state = NOTIFICATION_SUPPRESSED;
	n.error = m->why;
	return turn_put(t, &notification_table, &n, reterr);
}

uint32_t notify_level_count(const struct notify_config *c)
{
	return c->levels.count > 0 ? (uint32_t)c->levels.count : 1;
}

uint64_t notify_level_wait(const struct notify_config *c, uint32_t level)
{
	if (level >= c->levels.count)
		return LEVEL_WAIT_DEFAULT_MS;
	uint64_t wait = LIST_AT(c->levels, struct notify_level, level).wait_ms;
	return wait ? wait : LEVEL_WAIT_DEFAULT_MS;
}

static enum err_code say_channels(struct turn *t, const struct notify_config *c, const struct message *m,
    uint32_t *ret_reached, uint32_t *ret_said, struct err *reterr)
{
	for (size_t i = 0; i < c->channels.count; i++) {
		const struct notify_channel *ch = &LIST_AT(c->channels, struct notify_channel, i);
		bool said;
		if (!notify_channel_reaches(ch, NULL))
			continue;
		enum err_code rc = message_say(t, m, ch, NULL, ch->to, &said, reterr);
		if (rc != ERR_OK)
			return rc;
		++*ret_reached;
		*ret_said += said;
	}
	return ERR_OK;
}

enum err_code message_say_level(struct turn *t, const struct notify_config *c, const struct message *m,
    uint32_t *ret_reached, uint32_t *ret_said, struct err *reterr)
{
	*ret_reached = *ret_said = 0;
	if (c->levels.count == 0)
		return say_channels(t, c, m, ret_reached, ret_said, reterr);
	if (m->level >= c->levels.count)
		return ERR_OK;
	const struct list *persons = &LIST_AT(c->levels, struct notify_level, m->level).persons;
	for (size_t i = 0; i < persons->count; i++) {
		const struct notify_person *p = &LIST_AT(*persons, struct notify_person, i);
		const struct notify_channel *ch = notify_channel_named(c, p->channel);
		bool said;
		if (!ch || !notify_channel_reaches(ch, p->to))
			continue; /* the lint refuses it; at run time the next one is asked */
		enum err_code rc = message_say(t, m, ch, p->name, p->to ? p->to : ch->to, &said, reterr);
		if (rc != ERR_OK)
			return rc;
		++*ret_reached;
		*ret_said += said;
	}
	return ERR_OK;
}
