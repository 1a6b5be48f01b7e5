/* controller/anomaly/session.h: a session as a line of a file: name TAB events, or name TAB label TAB events, where
 * events are words divided by spaces and 0 is the label of a normal one.  Pure. */
#ifndef KEDGE_CONTROLLER_ANOMALY_SESSION_H
#define KEDGE_CONTROLLER_ANOMALY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session {
	const char *name, *label; /* within the line, not NUL-terminated; label NULL: there is none */
	size_t name_size, label_size;
	size_t count; /* of events */
};

/* events holds SEQUENCE_EVENTS_MAX; those behind are left out.  False: there is no TAB. */
bool session_parse(const char *line, size_t size, struct session *ret, uint64_t *events);
/* Labelled 0, or not at all. */
bool session_is_normal(const struct session *s);

#endif
