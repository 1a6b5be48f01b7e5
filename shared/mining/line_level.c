/* How grave is a line: the words for it. */
#include <string.h>
#include <strings.h>

#include "shared/mining/line_internal.h"

static const struct {
	const char *word;
	enum line_level level;
} level_words[] = {
    {"trace", LINE_DEBUG},
    {"debug", LINE_DEBUG},
    {"dbg", LINE_DEBUG},
    {"verbose", LINE_DEBUG},
    {"fine", LINE_DEBUG},
    {"finer", LINE_DEBUG},
    {"finest", LINE_DEBUG},
    {"info", LINE_INFO},
    {"information", LINE_INFO},
    {"inf", LINE_INFO},
    {"notice", LINE_INFO},
    {"log", LINE_INFO},
    {"config", LINE_INFO},
    {"warn", LINE_WARNING},
    {"warning", LINE_WARNING},
    {"wrn", LINE_WARNING},
    {"err", LINE_ERROR},
    {"error", LINE_ERROR},
    {"severe", LINE_ERROR},
    {"failure", LINE_ERROR},
    {"crit", LINE_FATAL},
    {"critical", LINE_FATAL},
    {"alert", LINE_FATAL},
    {"emerg", LINE_FATAL},
    {"emergency", LINE_FATAL},
    {"fatal", LINE_FATAL},
    {"panic", LINE_FATAL},
};

enum line_level line_level_word(const char *word, size_t size)
{
	for (size_t i = 0; i < sizeof level_words / sizeof level_words[0]; i++)
		if (strlen(level_words[i].word) == size && strncasecmp(word, level_words[i].word, size) == 0)
			return level_words[i].level;
	if (size == 1)
		switch (*word) {
		case 'D':
		case 'T':
			return LINE_DEBUG;
		case 'I':
			return LINE_INFO;
		case 'W':
			return LINE_WARNING;
		case 'E':
			return LINE_ERROR;
		case 'F':
		case 'C':
			return LINE_FATAL;
		default:
			break;
		}
	return LINE_NONE;
}

const char *line_level_name(enum line_level level)
{
	static const char *const names[] = {"none", "debug", "info", "warning", "error", "fatal"};
	return names[level];
}

/* ---- guessing from the message ---- */

/* By length, so that most words of a line are passed over without a comparison. */
static const struct {
	const char *word;
	enum line_level level;
} grave_words[] = {
    {"oom", LINE_ERROR},
    {"err", LINE_ERROR},
    {"fail", LINE_ERROR},
    {"oops", LINE_FATAL},
    {"dead", LINE_ERROR},
    {"lost", LINE_ERROR},
    {"bug", LINE_ERROR},
    {"error", LINE_ERROR},
    {"fails", LINE_ERROR},
    {"panic", LINE_FATAL},
    {"fatal", LINE_FATAL},
    {"abort", LINE_ERROR},
    {"crash", LINE_FATAL},
    {"fault", LINE_ERROR},
    {"errors", LINE_ERROR},
    {"failed", LINE_ERROR},
    {"denied", LINE_ERROR},
    {"unable", LINE_ERROR},
    {"cannot", LINE_ERROR},
    {"broken", LINE_ERROR},
    {"killed", LINE_ERROR},
    {"severe", LINE_ERROR},
    {"failure", LINE_ERROR},
    {"failing", LINE_ERROR},
    {"refused", LINE_ERROR},
    {"timeout", LINE_ERROR},
    {"aborted", LINE_ERROR},
    {"crashed", LINE_FATAL},
    {"corrupt", LINE_ERROR},
    {"illegal", LINE_ERROR},
    {"failures", LINE_ERROR},
    {"critical", LINE_FATAL},
    {"rejected", LINE_ERROR},
    {"aborting", LINE_ERROR},
    {"segfault", LINE_FATAL},
    {"deadlock", LINE_ERROR},
    {"couldn't", LINE_ERROR},
    {"corrupted", LINE_ERROR},
    {"exception", LINE_ERROR},
    {"traceback", LINE_ERROR},
    {"exhausted", LINE_ERROR},
    {"emergency", LINE_FATAL},
    {"assertion", LINE_ERROR},
    {"overflow", LINE_ERROR},
    {"corruption", LINE_ERROR},
    {"unreachable", LINE_ERROR},
    {"unavailable", LINE_ERROR},
    {"unauthorized", LINE_ERROR},
    {"unhandled", LINE_ERROR},
    {"uncaught", LINE_ERROR},
    {"warn", LINE_WARNING},
    {"warning", LINE_WARNING},
    {"retrying", LINE_WARNING},
    {"deprecated", LINE_WARNING},
    {"expired", LINE_WARNING},
    {"invalid", LINE_WARNING},
    {"missing", LINE_WARNING},
    {"exceeded", LINE_WARNING},
    {"throttled", LINE_WARNING},
    {"unexpected", LINE_WARNING},
    {"slow", LINE_WARNING},
    {"stale", LINE_WARNING},
};

static enum line_level gravity(const char *word, size_t size)
{
	if (size < 3 || size > 40)
		return LINE_NONE;
	for (size_t i = 0; i < sizeof grave_words / sizeof grave_words[0]; i++)
		if ((word[0] | 32) == grave_words[i].word[0] && strlen(grave_words[i].word) == size &&
		    strncasecmp(word, grave_words[i].word, size) == 0)
			return grave_words[i].level;
	/* NullPointerException, ConnectionError */
	if (size > 9 && memcmp(word + size - 9, "Exception", 9) == 0)
		return LINE_ERROR;
	return size > 5 && memcmp(word + size - 5, "Error", 5) == 0 ? LINE_ERROR : LINE_NONE;
}

static bool denies(const char *word, size_t size)
{
	return (size == 2 && strncasecmp(word, "no", 2) == 0) || (size == 1 && *word == '0') ||
	       (size == 7 && strncasecmp(word, "without", 7) == 0) ||
	       (size == 4 && strncasecmp(word, "zero", 4) == 0) || (size == 3 && strncasecmp(word, "non", 3) == 0);
}

/* error=0, errors: 0, err=<nil>, "error":null */
static bool is_nought(const char *p, const char *end)
{
	while (p < end && (*p == '"' || *p == ':' || *p == '=' || *p == ' '))
		p++;
	size_t n = (size_t)(end - p);
	if (n && *p == '0' && (n == 1 || !(line_is_digit(p[1]) || p[1] == 'x' || p[1] == '.')))
		return true;
	return (n >= 4 && (memcmp(p, "null", 4) == 0 || memcmp(p, "None", 4) == 0 || memcmp(p, "none", 4) == 0)) ||
	       (n >= 3 && memcmp(p, "nil", 3) == 0) ||
	       (n >= 5 && (memcmp(p, "<nil>", 5) == 0 || memcmp(p, "false", 5) == 0));
}

enum line_level line_guess_level(const char *text, size_t size)
{
	const char *p = text, *end = text + (size < 4096 ? size : 4096);
	enum line_level worst = LINE_NONE;
	bool denied = false;
	while (p < end) {
		const char *word = p;
		while (p < end && (line_is_alpha(*p) || *p == '\'' || line_is_digit(*p)))
			p++;
		if (p == word) {
			p++;
			continue;
		}
		enum line_level level = gravity(word, (size_t)(p - word));
		bool value = p < end && (*p == '=' || *p == ':' || *p == '"');
		if (level > worst && !denied && !(value && is_nought(p, end)))
			worst = level;
		denied = denies(word, (size_t)(p - word));
	}
	return worst;
}
