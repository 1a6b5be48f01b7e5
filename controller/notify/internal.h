/* controller/notify/internal.h: between the files of this folder. */
#ifndef KEDGE_CONTROLLER_NOTIFY_INTERNAL_H
#define KEDGE_CONTROLLER_NOTIFY_INTERNAL_H

#include "controller/notify/notify.h"

const struct notify_channel *notify_channel_named(const struct notify_config *c, const char *name); /* NULL: none */
bool notify_channel_reaches(const struct notify_channel *ch, const char *to);

/* One thing to say. */
struct message {
	const struct incident *incident; /* NULL: it is about object */
	const char *object;
	enum notify_event event;
	const char *detail; /* "" when there is none */
	const char *subject, *body, *payload;
	bool suppressed; /* kept, not sent */
	const char *why; /* suppressed */
	uint32_t level, round;
	uint64_t hold_ms; /* before the first attempt */
};
/* Fills subject, body and payload. */
ERR_CHECK enum err_code message_write(
    struct turn *t, const struct notify_config *c, const char *headline, struct message *m, struct err *reterr);
/* To one address; nothing when the same was said before (*ret_said false). */
ERR_CHECK enum err_code message_say(struct turn *t, const struct message *m, const struct notify_channel *ch,
    const char *person, const char *to, bool *ret_said, struct err *reterr);
/* To everybody of the level; *ret_reached counts addresses, said before or now, *ret_said the new ones. */
ERR_CHECK enum err_code message_say_level(struct turn *t, const struct notify_config *c, const struct message *m,
    uint32_t *ret_reached, uint32_t *ret_said, struct err *reterr);
uint32_t notify_level_count(const struct notify_config *c); /* at least 1 */
uint64_t notify_level_wait(const struct notify_config *c, uint32_t level);
bool notify_is_page(enum notify_event e); /* climbs the levels */

/* Begin to climb, or go on from where it is, with this message. */
ERR_CHECK enum err_code escalation_say(
    struct turn *t, const struct notify_config *c, struct message *m, uint32_t *ret_said, struct err *reterr);
ERR_CHECK enum err_code escalation_due(
    struct turn *t, const struct notify_config *c, struct id incident, struct err *reterr);
ERR_CHECK enum err_code escalation_end(struct turn *t, struct id incident, struct err *reterr);
/* Until when a window covers everything of i that fails; 0: not so. */
ERR_CHECK enum err_code notify_muted_until(
    struct turn *t, const struct incident *i, uint64_t *ret_until_ms, struct err *reterr);
ERR_CHECK enum err_code send_due(
    struct turn *t, const struct notify_config *c, struct id notification, struct err *reterr);
/* Put it into the outbox and let the outbox try, now or when hold_ms is over and it is still wanted. */
ERR_CHECK enum err_code send_begin(struct turn *t, const struct notify_channel *ch, struct notification *n,
    const char *payload, uint64_t hold_ms, struct err *reterr);
/* It will not be sent. */
ERR_CHECK enum err_code send_stop(
    struct turn *t, struct notification *n, enum notification_state state, const char *why, struct err *reterr);

#endif
