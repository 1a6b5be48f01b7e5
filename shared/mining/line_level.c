/* How grave is a line: the words for it. */
#include <string.h>
#include <strings.h>

#include "shared/mining/line_internal.h"

struct level_word {
	const char *word;
	uint8_t size;
	enum line_level level;
};
#define WORD(word, level)                                                                                              \
	{                                                                                                              \
		word, sizeof word - 1, level                                                                           \
	}

static const struct level_word level_words[] = {
    WORD("trace", LINE_DEBUG),
    WORD("debug", LINE_DEBUG),
    WORD("dbg", LINE_DEBUG),
    WORD("verbose", LINE_DEBUG),
    WORD("fine", LINE_DEBUG),
    WORD("finer", LINE_DEBUG),
    WORD("finest", LINE_DEBUG),
    WORD("info", LINE_INFO),
    WORD("information", LINE_INFO),
    WORD("inf", LINE_INFO),
    WORD("notice", LINE_INFO),
    WORD("log", LINE_INFO),
    WORD("config", LINE_INFO),
    WORD("warn", LINE_WARNING),
    WORD("warning", LINE_WARNING),
    WORD("wrn", LINE_WARNING),
    WORD("err", LINE_ERROR),
    WORD("error", LINE_ERROR),
    WORD("severe", LINE_ERROR),
    WORD("failure", LINE_ERROR),
    WORD("crit", LINE_FATAL),
    WORD("critical", LINE_FATAL),
    WORD("alert", LINE_FATAL),
    WORD("emerg", LINE_FATAL),
    WORD("emergency", LINE_FATAL),
    WORD("fatal", LINE_FATAL),
    WORD("panic", LINE_FATAL),
};

/* Of the words that begin with a letter: a bit for each size.  Nearly all that lines hold are passed over by it. */
struct sizes {
	uint32_t of[32]; /* by the letter's last five bits */
};
static struct sizes level_sizes, grave_sizes;

static void note_sizes(struct sizes *s, const struct level_word *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		s->of[words[i].word[0] & 31] |= 1u << words[i].size;
}

static const struct level_word *find(
    const struct sizes *s, const struct level_word *words, size_t count, const char *word, size_t size)
{
	if (size < 3 || size > 31 || !(s->of[word[0] & 31] >> size & 1))
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (words[i].size == size && strncasecmp(word, words[i].word, size) == 0)
			return &words[i];
	return NULL;
}

enum line_level line_level_word(const char *word, size_t size)
{
	const struct level_word *found =
	    find(&level_sizes, level_words, sizeof level_words / sizeof *level_words, word, size);
	if (found)
		return found->level;
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

static const struct level_word grave_words[] = {
    WORD("oom", LINE_ERROR),
    WORD("err", LINE_ERROR),
    WORD("fail", LINE_ERROR),
    WORD("oops", LINE_FATAL),
    WORD("dead", LINE_ERROR),
    WORD("lost", LINE_ERROR),
    WORD("bug", LINE_ERROR),
    WORD("error", LINE_ERROR),
    WORD("fails", LINE_ERROR),
    WORD("panic", LINE_FATAL),
    WORD("fatal", LINE_FATAL),
    WORD("abort", LINE_ERROR),
    WORD("crash", LINE_FATAL),
    WORD("fault", LINE_ERROR),
    WORD("errors", LINE_ERROR),
    WORD("failed", LINE_ERROR),
    WORD("denied", LINE_ERROR),
    WORD("unable", LINE_ERROR),
    WORD("cannot", LINE_ERROR),
    WORD("broken", LINE_ERROR),
    WORD("killed", LINE_ERROR),
    WORD("severe", LINE_ERROR),
    WORD("failure", LINE_ERROR),
    WORD("failing", LINE_ERROR),
    WORD("refused", LINE_ERROR),
    WORD("timeout", LINE_ERROR),
    WORD("aborted", LINE_ERROR),
    WORD("crashed", LINE_FATAL),
    WORD("corrupt", LINE_ERROR),
    WORD("illegal", LINE_ERROR),
    WORD("failures", LINE_ERROR),
    WORD("critical", LINE_FATAL),
    WORD("rejected", LINE_ERROR),
    WORD("aborting", LINE_ERROR),
    WORD("segfault", LINE_FATAL),
    WORD("deadlock", LINE_ERROR),
    WORD("couldn't", LINE_ERROR),
    WORD("corrupted", LINE_ERROR),
    WORD("exception", LINE_ERROR),
    WORD("traceback", LINE_ERROR),
    WORD("exhausted", LINE_ERROR),
    WORD("emergency", LINE_FATAL),
    WORD("assertion", LINE_ERROR),
    WORD("overflow", LINE_ERROR),
    WORD("corruption", LINE_ERROR),
    WORD("unreachable", LINE_ERROR),
    WORD("unavailable", LINE_ERROR),
    WORD("unauthorized", LINE_ERROR),
    WORD("unhandled", LINE_ERROR),
    WORD("uncaught", LINE_ERROR),
    WORD("warn", LINE_WARNING),
    WORD("warning", LINE_WARNING),
    WORD("retrying", LINE_WARNING),
    WORD("deprecated", LINE_WARNING),
    WORD("expired", LINE_WARNING),
    WORD("invalid", LINE_WARNING),
    WORD("missing", LINE_WARNING),
    WORD("exceeded", LINE_WARNING),
    WORD("throttled", LINE_WARNING),
    WORD("unexpected", LINE_WARNING),
    WORD("slow", LINE_WARNING),
    WORD("stale", LINE_WARNING),
};

/* Before main, once: afterwards they are only read. */
__attribute__((constructor)) static void fill(void)
{
	note_sizes(&level_sizes, level_words, sizeof level_words / sizeof *level_words);
	note_sizes(&grave_sizes, grave_words, sizeof grave_words / sizeof *grave_words);
}

static enum line_level gravity(const char *word, size_t size)
{
	if (size < 3 || size > 40)
		return LINE_NONE;
	const struct level_word *found =
	    find(&grave_sizes, grave_words, sizeof grave_words / sizeof *grave_words, word, size);
	if (found)
		return found->level;
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
