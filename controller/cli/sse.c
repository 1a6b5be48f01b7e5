/* controller/cli/sse.c: lines into events.  A line that is too long is dropped with its event: it is nothing that the
 * API sends. */
#include "controller/cli/sse.h"

#include <string.h>

#include "shared/base/text.h"

static void set_id(struct sse *s, const char *value, size_t size)
{
	if (size < sizeof s->next_id && !memchr(value, '\0', size)) {
		memcpy(s->next_id, value, size);
		s->next_id[size] = '\0';
	}
}

static bool dispatch(struct sse *s)
{
	bool on = true;
	memcpy(s->id, s->next_id, sizeof s->id); /* only now: an event that was cut off is asked for again */
	if (s->has_data && !s->too_long && !s->data.failed)
		on = s->on_event(s->ctx, s->id, buf_str(&s->data));
	buf_clear(&s->data);
	s->has_data = s->too_long = false;
	return on;
}

static bool take_line(struct sse *s)
{
	const char *line = buf_str(&s->line), *colon = memchr(line, ':', s->line.size);
	size_t size = s->line.size, name = colon ? (size_t)(colon - line) : size;
	if (size == 0)
		return dispatch(s);
	const char *value = colon ? colon + 1 : line + size;
	if (colon && *value == ' ')
		value++;
	size_t rest = size - (size_t)(value - line);
	if (name == 2 && memcmp(line, "id", 2) == 0) {
		set_id(s, value, rest);
	} else if (name == 4 && memcmp(line, "data", 4) == 0) {
		if (s->has_data)
			buf_byte(&s->data, '\n');
		buf_append(&s->data, value, rest);
		s->has_data = true;
	}
	return true;
}

bool sse_feed(struct sse *s, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\r')
			continue; /* the API ends its lines with \n alone; \r\n is the same to it */
		if (bytes[i] != '\n') {
			if (s->line.size < CLI_EVENT_LINE_MAX)
				buf_byte(&s->line, (uint8_t)bytes[i]);
			else
				s->too_long = true;
			continue;
		}
		bool on = take_line(s);
		buf_clear(&s->line);
		if (!on)
			return false;
	}
	return true;
}

void sse_break(struct sse *s)
{
	memcpy(s->next_id, s->id, sizeof s->id);
	buf_clear(&s->line);
	buf_clear(&s->data);
	s->has_data = s->too_long = false;
}

void sse_done(struct sse *s)
{
	buf_done(&s->line);
	buf_done(&s->data);
}
