/* controller/anomaly/session.c: see session.h. */
#include "controller/anomaly/session.h"

#include <string.h>

#include "controller/anomaly/sequence.h"

/* Up to the next TAB, and behind it; false: there is none. */
static bool split(const char **at, const char *end, const char **ret, size_t *ret_size)
{
	const char *tab = memchr(*at, '\t', (size_t)(end - *at));
	if (!tab)
		return false;
	*ret = *at;
	*ret_size = (size_t)(tab - *at);
	*at = tab + 1;
	return true;
}

bool session_parse(const char *line, size_t size, struct session *ret, uint64_t *events)
{
	const char *at = line, *end = line + size;
	struct session s = {0};
	if (!split(&at, end, &s.name, &s.name_size))
		return false;
	(void)split(&at, end, &s.label, &s.label_size);
	while (s.count < SEQUENCE_EVENTS_MAX) {
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (at == end)
			break;
		const char *word = at;
		while (at < end && *at != ' ' && *at != '\t')
			at++;
		events[s.count++] = sequence_event(word, (size_t)(at - word));
	}
	*ret = s;
	return true;
}

bool session_is_normal(const struct session *s)
{
	return !s->label || (s->label_size == 1 && s->label[0] == '0');
}
