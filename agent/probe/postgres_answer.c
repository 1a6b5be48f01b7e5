#include "agent/probe/postgres_answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"

enum { COLUMNS = POSTGRES_ANSWER_COLUMNS, LINE_ROOM = COLUMNS * POSTGRES_ANSWER_COLUMN };

static bool is_number(const char *text, double *ret)
{
	char *end;
	*ret = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(*ret) && *ret >= 0;
}

/* SET may say something of its own before it. */
static bool last_line(const char *text, char out[LINE_ROOM])
{
	const char *end = text + strlen(text), *from;
	while (end > text && end[-1] == '\n')
		end--;
	for (from = end; from > text && from[-1] != '\n';)
		from--;
	if ((size_t)(end - from) >= LINE_ROOM)
		return false;
	memcpy(out, from, (size_t)(end - from));
	out[end - from] = '\0';
	return true;
}

bool postgres_answer_parse(const char *text, const char *data_directory, struct postgres_answer *ret)
{
	char line[LINE_ROOM], *column[COLUMNS], *at = line;
	if (!last_line(text, line))
		return false;
	for (size_t i = 0; i < COLUMNS; i++)
		if (!(column[i] = strsep(&at, "|")))
			return false;
	if (at) /* more than were asked for: which is which? */
		return false;
	double *const numbers[] = {
	    &ret->room, &ret->used, &ret->idle, &ret->waiting, &ret->waits_s, &ret->behind, NULL, &ret->behind_s};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i] && !is_number(column[i], numbers[i]))
			return false;
	text_copy(ret->behind_state, sizeof ret->behind_state, column[6]);
	ret->certificate[0] = '\0';
	if (strcmp(column[8], "on") != 0)
		return true;
	const char *file = column[9];
	return file[0] == '/' ? text_format(ret->certificate, sizeof ret->certificate, "%s", file)
			      : text_format(ret->certificate, sizeof ret->certificate, "%s/%s", data_directory, file);
}
