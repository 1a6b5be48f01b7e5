/* controller/notify/notify.h: who is told what, once, until somebody answers.
 *
 * Owns the tables notification (what was said to whom, and how it went) and outbox (what is still to be delivered).  A
 * page is made of a transition: one (incident, event, level, channel, recipient) is said at most once, whatever is
 * replayed or restarted (P35, P34).  It is a record before it is sent, and stays in the outbox until it is known to
 * have arrived or is given up (P36).  After an acknowledgement nothing more is paged (P37); an unanswered page climbs
 * the on-call levels by timers (P38); a level with nobody falls through at once (P39). Texts are templates over names,
 * states, numbers and times: never a line of a log, never a probe's output, nor what people typed. detail and subject
 * are given by the controller's own code under the same rule. Sending itself is controller/outbox (EFFECT_NOTIFY →
 * INPUT_DELIVERED).  Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_NOTIFY_NOTIFY_H
#define KEDGE_CONTROLLER_NOTIFY_NOTIFY_H

#include "controller/incident/incident.h"

enum {
	NOTIFY_CHANNELS_MAX = 16,
	NOTIFY_LEVELS_MAX = 8,
	NOTIFY_PERSONS_MAX = 32,  /* of one level */
	NOTIFY_ADDRESS_MAX = 254, /* a mail address, RFC 5321 §4.5.3.1.3 without the brackets */
	NOTIFY_SUBJECT_MAX = 200,
	NOTIFY_BODY_MAX = 4096,
	NOTIFY_DETAIL_MAX = 64, /* longer ones are cut */
	NOTIFY_KEY_MAX = 476,   /* with table and id below the store's limit of a key */
	NOTIFY_ROUNDS_MAX = 100,
	NOTIFY_CHAIN_MAX = NOTIFY_CHANNELS_MAX, /* channels tried for one message */
	NOTIFY_ATTEMPTS_MAX = 5,                /* then the next channel */
	NOTIFY_RETRY_MS = 15 * 1000,            /* after a failure; doubles with each attempt */
	NOTIFY_CAUSE_MS = 500,        /* a page whose cause may show at any moment is looked at again this soon */
	NOTIFY_ANSWER_MS = 90 * 1000, /* no word from the outbox for this long (a crash): it is sent again */
};

enum notify_kind { NOTIFY_FILE, NOTIFY_SMTP, NOTIFY_WEBHOOK, NOTIFY_KIND_COUNT };
extern const struct enum_type notify_kind_enum; /* file smtp webhook */

struct notify_channel {
	const char *name;                 /* KEY */
	uint32_t kind;                    /* enum notify_kind */
	const char *url;                  /* smtp://host:port, smtps://…, https://…; file: a path */
	const char *from;                 /* smtp */
	const char *to;                   /* default recipient */
	const char *user, *password_file; /* smtp; the secret itself is never in the configuration */
	const char *authority;            /* PEM file for smtps and https */
	const char *key_file;             /* webhook: HMAC-SHA-256 key */
};
struct notify_person {
	const char *name;
	const char *channel;
	const char *to;
}; /* to NULL: the channel's */
struct notify_level {
	const char *name;
	struct list persons;
	uint64_t wait_ms;
}; /* wait before the next; default 5 min */
struct notify_config {
	struct list channels; /* struct notify_channel, keyed by name */
	struct list levels;   /* struct notify_level; empty: every channel's default recipient is the only level */
	uint32_t rounds;      /* how often the whole list is gone through; default 3 */
	uint64_t hold_ms;     /* first page of a service that leans on others; default 2 s */
	const char *site;     /* begins every subject: "[kedge <site>]" */
};

enum notify_event {
	NOTIFY_OPENED,
	NOTIFY_WORSENED,
	NOTIFY_RELAPSED,
	NOTIFY_OVERDUE,  /* pages: climb the levels until acknowledged */
	NOTIFY_APPROVAL, /* a change waits for a signature; page */
	NOTIFY_STOPPED,  /* automation stopped itself, subject names the brake (P44); page */
	NOTIFY_FAILED,   /* a rollback ended dirty or failed: needs a person; page */
	NOTIFY_RESOLVED,
	NOTIFY_REVIEW,
	NOTIFY_CHANGED,
	NOTIFY_HOST, /* told once to the first level: no climbing */
	NOTIFY_EVENT_COUNT
};
extern const struct enum_type
    notify_event_enum; /* opened worsened relapsed overdue approval stopped failed resolved review changed host */

enum notification_state {
	NOTIFICATION_PENDING,
	NOTIFICATION_SENT,
	NOTIFICATION_FAILED,
	NOTIFICATION_SUPPRESSED,
	NOTIFICATION_STATE_COUNT
};
extern const struct enum_type notification_state_enum; /* pending sent failed suppressed */

struct notification {
	struct id notification; /* KEY; the idempotency key at the receiver */
	const char *key;    /* INDEXED; "<incident or object>/<event>/<detail>/<round>.<level>/<channel>/<recipient>" */
	struct id incident; /* INDEXED */
	uint32_t event;     /* enum notify_event */
	uint32_t level, round;
	const char *person, *channel, *recipient;
	const char *subject, *body;
	uint32_t state; /* enum notification_state; INDEXED */
	uint32_t attempts;
	uint64_t created_ms, next_attempt_ms, sent_ms;
	const char *error;    /* of the last attempt */
	struct id instead_of; /* the failed one that this replaces */
};

struct outbox {                 /* what controller/outbox reads to deliver; gone once it has ended */
	struct id notification; /* KEY */
	const char *channel;    /* of the configuration */
	uint32_t kind;          /* enum notify_kind */
	const char *recipient, *subject, *body;
	const char *payload; /* webhook: JSON of the fields */
	uint32_t attempts;
	uint64_t due_ms;
};

/* How far the paging of one incident is. */
struct escalation {
	struct id incident; /* KEY */
	uint32_t event;     /* enum notify_event that began it */
	const char *detail;
	uint32_t level, round; /* told last */
	uint64_t next_ms;
};

extern const struct record_type notify_config_type, notify_channel_type, notify_level_type, notify_person_type;
extern const struct record_type notification_type, outbox_type, escalation_type;
extern const struct table notification_table, outbox_table, escalation_table;
extern const struct record_type *const notify_types[];
extern const struct table *const notify_tables[];

#define NOTIFY_TIMER_ESCALATE "notify.escalate" /* id: the incident */
#define NOTIFY_TIMER_SEND     "notify.send"     /* id: the notification */

/* Cross checks of the configuration: every person's channel is there, every level has somebody, some channel exists
 * (P39). notify_config_type's check runs it too. */
ERR_CHECK enum err_code notify_config_check(const struct notify_config *c, struct err *reterr);

/* Say event of incident i.  detail tells apart what may happen more than once ("2" for the second relapse; NULL: none).
 * Nothing is said for a suppressed incident or during MAINTENANCE of all that fails: a notification in state suppressed
 * is kept instead. OPENED of a service that leans on others is sent hold_ms later, unless another incident explains it
 * by then (P33). After an acknowledgement OPENED and RELAPSED are suppressed, WORSENED and OVERDUE are told once as
 * CHANGED, and what asks for something new (APPROVAL, STOPPED, FAILED) is told once.  *ret_said: how many were made to
 * be sent. */
ERR_CHECK enum err_code notify_incident(struct turn *t, const struct notify_config *c, const struct incident *i,
    enum notify_event event, const char *detail, uint32_t *ret_said, struct err *reterr);
/* Say something that has no incident: object is its id or name (part of the key), subject one line made of names and
 * numbers. */
ERR_CHECK enum err_code notify_about(struct turn *t, const struct notify_config *c, enum notify_event event,
    const char *object, const char *detail, const char *subject, uint32_t *ret_said, struct err *reterr);
/* Acknowledged, resolved or suppressed: the climbing ends, pages that are not sent yet never are. */
ERR_CHECK enum err_code notify_silence(struct turn *t, struct id incident, const char *why, struct err *reterr);

/* Any NOTIFY_TIMER_*; *ret_mine false for others. */
ERR_CHECK enum err_code notify_on_timer(
    struct turn *t, const struct notify_config *c, const struct timer *timer, bool *ret_mine, struct err *reterr);
/* INPUT_DELIVERED: OK ends it; else it is tried again later, and after NOTIFY_ATTEMPTS_MAX said on another channel.  An
 * unknown id is a no-op. */
ERR_CHECK enum err_code notify_on_delivered(struct turn *t, const struct notify_config *c, struct id notification,
    enum err_code code, const char *text, struct err *reterr);
/* INPUT_BOOT: what was pending is sent again at once (the receiver's idempotency key makes a repetition harmless). */
ERR_CHECK enum err_code notify_on_boot(struct turn *t, const struct notify_config *c, struct err *reterr);

#endif
