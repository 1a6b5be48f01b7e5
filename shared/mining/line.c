#include "shared/mining/line.h"

#include <string.h>

#include "shared/mining/line_internal.h"

enum { OUTER_WORDS_MAX = 4, FIELDS_MAX = 4, COMMAS_MAX = 24 /* a database's have 23 columns */ };

struct reader {
	const char *p, *end; /* what is left of the line */
	const char *limit;   /* a header ends before this */
	bool tagged;         /* what wrote the line stands behind the level, as one plain word */
	struct line_parts *out;
};

static void skip_spaces(struct reader *r)
{
	while (r->p < r->end && line_is_space(*r->p))
		r->p++;
}

static const char *word_end(const struct reader *r)
{
	const char *p = r->p;
	while (p < r->end && !line_is_space(*p))
		p++;
	return p;
}

static struct line_part part(const char *from, const char *to)
{
	return (struct line_part){from, (size_t)(to - from)};
}

static uint32_t number(const char *p, const char *end)
{
	uint32_t v = 0;
	for (int i = 0; p < end && i < 9 && line_is_digit(*p); p++, i++)
		v = v * 10 + (uint32_t)(*p - '0');
	return p == end ? v : 0;
}

/* <13> or <13>1 (RFC 3164, RFC 5424) */
static bool take_priority(struct reader *r, bool *ret_fields)
{
	static const enum line_level levels[] = {
	    LINE_FATAL, LINE_FATAL, LINE_FATAL, LINE_ERROR, LINE_WARNING, LINE_INFO, LINE_INFO, LINE_DEBUG};
	const char *p = r->p;
	unsigned v = 0;
	if (p >= r->end || *p != '<')
		return false;
	for (p++; p < r->end && p - r->p < 4 && line_is_digit(*p); p++)
		v = v * 10 + (unsigned)(*p - '0');
	if (p >= r->end || *p != '>' || p == r->p + 1 || v > 191)
		return false;
	r->out->level = levels[v & 7];
	r->p = p + 1;
	*ret_fields = r->end - r->p > 1 && *r->p == '1' && r->p[1] == ' ';
	if (*ret_fields)
		r->p += 2;
	return true;
}

static bool take_time(struct reader *r)
{
	uint64_t ms = 0;
	bool bracket = r->p < r->end && *r->p == '[';
	bool mark =
	    r->end - r->p > 1 && (*r->p == '*' || *r->p == '.') && line_is_alpha(r->p[1]); /* a clock that is not set */
	const char *p = r->p + (bracket || mark);
	size_t n = line_time(p, (size_t)(r->end - p), r->out->time_ms, &ms);
	if (n == 0)
		return false;
	p += n;
	if (bracket && (p >= r->end || *p++ != ']'))
		return false;
	if (p < r->end && *p == ',')
		p++;
	r->p = p;
	r->out->time_ms = ms;
	return true;
}

/* Some lines are headed twice, by who collected them and by who wrote them: "1131566461 2005.11.09 dn228 Nov 9 12:01:01
 * dn228/dn228 …", "2024-05-01T10:00:00Z stderr F …".  To behind the last time within a few words. */
static void take_outer(struct reader *r)
{
	static const char *const streams[] = {"stdout F ", "stderr F ", "stdout P ", "stderr P "};
	struct reader ahead = *r;
	skip_spaces(&ahead);
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
		if (ahead.end - ahead.p > 9 && memcmp(ahead.p, streams[i], 9) == 0) {
			r->p = ahead.p + 9;
			return;
		}
	for (int words = 0; words < OUTER_WORDS_MAX; words++) {
		skip_spaces(&ahead);
		uint64_t ms = 0;
		size_t n = words ? line_time(ahead.p, (size_t)(ahead.end - ahead.p), r->out->time_ms, &ms) : 0;
		if (n > 8 && ahead.p + n < ahead.end && line_is_space(ahead.p[n])) {
			r->p = ahead.p + n;
			return;
		}
		const char *end = word_end(&ahead);
		bool digit = false;
		for (const char *c = ahead.p; c < end; c++)
			digit |= line_is_digit(*c);
		if (!digit || end > ahead.limit || end[-1] == ':')
			return;
		ahead.p = end;
	}
}

/* RFC 5424: HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA behind the time. */
static bool take_fields(struct reader *r)
{
	struct reader ahead = *r;
	struct line_part words[5] = {{0}};
	for (size_t i = 0; i < 5; i++) {
		skip_spaces(&ahead);
		const char *end = word_end(&ahead);
		if (i == 4 && ahead.p < ahead.end && *ahead.p == '[')
			end = memchr(ahead.p, ']', (size_t)(ahead.end - ahead.p));
		if (!end || end == ahead.p)
			return false;
		words[i] = part(ahead.p, end + (i == 4 && *ahead.p == '['));
		ahead.p = words[i].text + words[i].size;
	}
	r->p = ahead.p;
	r->out->host = words[0];
	r->out->component = words[1];
	r->out->pid = number(words[2].text, words[2].text + words[2].size);
	return true;
}

/* "INFO", "[error]", "ERROR:", "<warn>", "E/": the level and how far the word goes. */
static enum line_level level_here(const struct reader *r, const char **ret_end)
{
	const char *p = r->p, *end = word_end(r);
	const char *stop = end;
	bool bracket = p < end && (*p == '[' || *p == '<' || *p == '(');
	if (bracket)
		p++;
	const char *q = p;
	while (q < stop && line_is_alpha(*q))
		q++;
	bool closed =
	    q < stop && (*q == ']' || *q == '>' || *q == ')' || *q == ':' || *q == '/' || *q == '|' || *q == ',');
	if (q == p || (q < stop && !closed))
		return LINE_NONE;
	bool capitals = true;
	for (const char *c = p; c < q; c++)
		capitals &= *c >= 'A' && *c <= 'Z';
	bool column = r->end - q > 1 && line_is_space(q[0]) && line_is_space(q[1]); /* "Info    CBS  …" */
	if (!capitals && !(bracket || column || (closed && *q == ':')))
		return LINE_NONE;
	if (q - p == 1 && !closed)
		return LINE_NONE;
	*ret_end = q + closed;
	return line_level_word(p, (size_t)(q - p));
}

/* "2024-05-01T10:00:00Z info Listening": at once behind a time a small word will do; of those that sentences begin
 * with, too ("error reading x"), if a column ends there or a sentence begins. */
static enum line_level small_level_here(const struct reader *r, const char **ret_end)
{
	static const char *const words[] = {"trace", "debug", "info", "warn", "notice", "warning", "error", "fatal"};
	const char *end = word_end(r);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t size = strlen(words[i]);
		if ((size_t)(end - r->p) != size || memcmp(words[i], r->p, size) != 0)
			continue;
		bool apart = r->end - end > 1 && (*end == '\t' || end[1] == '[' || (end[1] >= 'A' && end[1] <= 'Z'));
		if (i >= 4 && !apart)
			return LINE_NONE;
		*ret_end = end;
		return line_level_word(r->p, size);
	}
	return LINE_NONE;
}

/* A balanced [...] or (...); where it ends, or NULL. */
static const char *bracket_end(const struct reader *r)
{
	char open = *r->p, close = open == '[' ? ']' : ')';
	size_t depth = 0;
	for (const char *p = r->p; p < r->limit; p++) {
		depth += *p == open;
		if (*p == close && --depth == 0)
			return p + 1;
	}
	return NULL;
}

static void note_component(struct reader *r, struct line_part c)
{
	while (c.size && strchr(":[](),", c.text[0])) {
		c.text++;
		c.size--;
	}
	while (c.size && strchr(":[](),", c.text[c.size - 1]))
		c.size--;
	uint32_t pid = number(c.text, c.text + c.size);
	if (pid && !r->out->pid)
		r->out->pid = pid;
	else if (c.size && !pid)
		r->out->component = c;
}

/* name[123]: or app/1[22]: — the component, its pid, and the end behind the colon; NULL: none. */
static const char *tag_end(struct reader *r)
{
	const char *p = r->p, *end = r->limit;
	while (p < end && (line_is_alpha(*p) || line_is_digit(*p) || strchr("._-/@$()+*#", *p)) && *p)
		p++;
	const char *name = p;
	if (p == r->p)
		return NULL;
	uint32_t pid = 0;
	if (p < end && *p == '[') {
		const char *close = memchr(p, ']', (size_t)(end - p));
		if (!close)
			return NULL;
		pid = number(p + 1, close);
		p = close + 1;
	}
	if (p >= r->end || *p != ':' || (p + 1 < r->end && !line_is_space(p[1])))
		return NULL;
	r->out->component = part(r->p, name);
	if (pid)
		r->out->pid = pid;
	return p + 1;
}

/* org.example.Class: or module/file.c:12: — plain words stay, they are as likely the message's own. */
static bool looks_component(const char *p, const char *end)
{
	bool mixed = false, marked = false;
	if (end - p < 3 || end[-1] != ':')
		return false;
	for (const char *c = p; c < end - 1; c++) {
		if (!line_is_alpha(*c) && !line_is_digit(*c) && !strchr("._-/$:@#", *c))
			return false;
		marked |= *c == '.' || *c == '$' || *c == '/' || *c == ':';
		mixed |= c > p && *c >= 'A' && *c <= 'Z' && c[-1] >= 'a' && c[-1] <= 'z';
	}
	return marked || mixed;
}

/* A module's name that stands alone: "nova.wsgi.server [req-1] …", "c.e.App - …", "CBS    …". */
static bool stands_alone(const struct reader *r, const char *end)
{
	bool dot = false, word = end > r->p && line_is_alpha(*r->p);
	for (const char *c = r->p; c < end && word; c++) {
		word = line_is_alpha(*c) || line_is_digit(*c) || *c == '_' || *c == '$' || (*c == '.' && c + 1 < end);
		dot |= *c == '.';
	}
	if (!word || end + 3 >= r->end || *end != ' ')
		return false;
	if (memcmp(end, " - ", 3) == 0 || (dot && memcmp(end, " : ", 3) == 0))
		return true;
	return (dot && end[1] == '[') || (end[1] == ' ' && end[2] == ' ');
}

static bool skip_separator(struct reader *r)
{
	const char *p = r->p;
	while (p < r->end && (*p == '-' || *p == '|' || *p == ':' || *p == '*'))
		p++;
	if (p == r->p || p - r->p > 2 || (p < r->end && !line_is_space(*p) && *r->p != ':'))
		return false;
	r->p = p;
	skip_spaces(r);
	return true;
}

/* Behind a level: threads and components in brackets, components with a colon, dashes. */
static void take_context(struct reader *r)
{
	for (int i = 0; i < 6; i++) {
		skip_spaces(r);
		if (skip_separator(r))
			continue;
		const char *end = word_end(r);
		uint32_t pid = number(r->p, end);
		if (pid && r->end - end > 5 && memcmp(end, " --- ", 5) == 0) { /* INFO 4242 --- [thread] a.b.Class : */
			r->out->pid = pid;
			r->p = end + 5;
			continue;
		}
		if (r->p < r->end && *r->p == '[' && (end = bracket_end(r)) &&
		    (end == r->end || line_is_space(*end) || *end == ':' || *end == '-')) {
			note_component(r, part(r->p, end));
			r->p = end;
			continue;
		}
		end = word_end(r);
		if (end <= r->limit && stands_alone(r, end)) {
			note_component(r, part(r->p, end));
			r->p = end;
			continue;
		}
		if (end > r->limit || !looks_component(r->p, end))
			return;
		note_component(r, part(r->p, end));
		r->p = end;
		return; /* what follows is the message, whatever it looks like */
	}
}

/* Between a time and a level stand hosts, pids, threads: no words of prose.  Finds the level within a few words. */
static bool find_level(struct reader *r, bool timed)
{
	const char *from = r->p;
	unsigned numbers = 0; /* pids, thread ids */
	for (int i = 0; i < LINE_HEADER_WORDS && r->p < r->limit; i++) {
		const char *end = NULL;
		skip_spaces(r);
		enum line_level level = level_here(r, &end);
		if (level == LINE_NONE && timed && numbers >= 2 && r->end - r->p > 1 && line_is_space(r->p[1]) &&
		    (level = line_level_word(r->p, 1)) != LINE_NONE) { /* 1702 2395 D Tag: */
			end = r->p + 1;
			r->tagged = true;
		}
		if (level == LINE_NONE && timed && i == 0)
			level = small_level_here(r, &end);
		if (level != LINE_NONE) {
			r->out->level = level;
			r->p = end;
			return true;
		}
		if (r->p < r->end && *r->p == '[' && (end = bracket_end(r))) {
			note_component(r, part(r->p, end));
			r->p = end;
			continue;
		}
		end = word_end(r);
		bool digit = false, small = false;
		for (const char *c = r->p; c < end; c++) {
			digit |= line_is_digit(*c) || *c == '=';
			small |= *c >= 'a' && *c <= 'z';
		}
		numbers += number(r->p, end) != 0;
		bool host = timed && i == 0; /* may be a plain word */
		bool name = memchr(r->p, '.', (size_t)(end - r->p)) || memchr(r->p, '@', (size_t)(end - r->p));
		if ((small && !digit && !host && end[-1] != ':' && !name) || end == r->p)
			break;
		if (small && end[-1] == ':' && end - r->p > 1)
			break; /* a tag: what follows is the message */
		r->p = end;
	}
	r->p = from;
	r->out->component = (struct line_part){0};
	return false;
}

/* Jun 14 15:16:01 host tag[1]: … */
static bool take_syslog(struct reader *r)
{
	const char *from = r->p, *end;
	skip_spaces(r);
	const char *host = r->p, *host_end = word_end(r);
	if (host_end == host || host_end > r->limit || host_end[-1] == ':' ||
	    memchr(host, '[', (size_t)(host_end - host)))
		host_end = host; /* no host: the tag at once */
	r->p = host_end;
	skip_spaces(r);
	end = tag_end(r);
	if (!end) {
		r->p = from;
		return false;
	}
	if (host_end > host)
		r->out->host = part(host, host_end);
	r->p = end;
	skip_spaces(r);
	if (r->p < r->end && *r->p == '[' && r->end - r->p > 2 && (line_is_digit(r->p[1]) || r->p[1] == ' ') &&
	    (end = bracket_end(r)))
		r->p = end; /* the kernel's uptime */
	return true;
}

/* I0102 15:04:05.000000  1234 file.cc:123] message; I20240102 … */
static bool take_glog(struct reader *r)
{
	const char *p = r->p;
	size_t date = 1;
	if (r->end - p < 26 || !strchr("IWEF", *p))
		return false;
	while (date < 10 && line_is_digit(p[date]))
		date++;
	if ((date != 5 && date != 9) || p[date] != ' ' || p[date + 3] != ':')
		return false;
	const char *close = memchr(p, ']', (size_t)(r->limit - p));
	if (!close)
		return false;
	r->out->level = line_level_word(p, 1);
	r->p = close + 1;
	return true;
}

static struct line_part logfmt_value(const char *line, size_t size, const char *key)
{
	const char *end = line + size, *at = memmem(line, size, key, strlen(key));
	if (!at || (at > line && !line_is_space(at[-1])))
		return (struct line_part){0};
	at += strlen(key);
	const char *stop = at;
	if (at < end && *at == '"') {
		for (stop = ++at; stop < end && *stop != '"'; stop++)
			if (*stop == '\\' && end - stop > 1)
				stop++;
	} else {
		while (stop < end && !line_is_space(*stop))
			stop++;
	}
	return part(at, stop);
}

/* What was written as \" and \\.  As it stands, if nothing was or there is no memory. */
static struct line_part unescaped(struct line_part text, struct buf *scratch)
{
	if (!memchr(text.text, '\\', text.size))
		return text;
	buf_clear(scratch);
	for (size_t i = 0; i < text.size; i++) {
		bool escape =
		    text.text[i] == '\\' && i + 1 < text.size && (text.text[i + 1] == '"' || text.text[i + 1] == '\\');
		i += escape;
		buf_byte(scratch, (uint8_t)text.text[i]);
	}
	return scratch->failed ? text : (struct line_part){buf_str(scratch), scratch->size};
}

/* time=… level=error msg="…" */
static bool take_logfmt(const char *line, size_t size, struct buf *scratch, struct line_parts *r)
{
	size_t look = size < LINE_HEADER_MAX ? size : LINE_HEADER_MAX;
	if (!memchr(line, '=', look)) /* most lines */
		return false;
	struct line_part level = logfmt_value(line, look, "level=");
	if (level.size == 0 || line_level_word(level.text, level.size) == LINE_NONE)
		return false;
	struct line_part message = logfmt_value(line, size, "msg=");
	if (message.size == 0)
		return false;
	r->level = line_level_word(level.text, level.size);
	struct line_part time = logfmt_value(line, look, "time=");
	uint64_t ms;
	if (time.size && line_time(time.text, time.size, r->time_ms, &ms))
		r->time_ms = ms;
	else
		r->time_ms = 0;
	/* The message with what stands behind it: errors are told there. */
	bool last = message.text + message.size + 1 == line + size; /* but its closing quote */
	r->message =
	    last ? unescaped(message, scratch) : (struct line_part){message.text, (size_t)(line + size - message.text)};
	return true;
}

/* time|component|pid|message */
static void take_bars(struct reader *r)
{
	if (r->p >= r->end || *r->p != '|')
		return;
	r->p++;
	for (int i = 0; i < FIELDS_MAX; i++) {
		const char *bar = memchr(r->p, '|', (size_t)(r->limit > r->p ? r->limit - r->p : 0));
		if (!bar || memchr(r->p, ' ', (size_t)(bar - r->p)))
			return;
		note_component(r, part(r->p, bar));
		r->p = bar + 1;
	}
}

/* The closing quote of the one at p, doubled ones passed over; NULL: none, or more stands behind it in its column. */
static const char *quote_end(const char *p, const char *end)
{
	for (p++; p < end; p++)
		if (*p == '"') {
			if (end - p > 1 && p[1] == '"')
				p++;
			else
				return p + 1 == end || p[1] == ',' ? p : NULL;
		}
	return NULL;
}

/* time,LEVEL,…,"message",…: the first column behind a level that holds words, or the last. */
static bool take_commas(struct reader *r)
{
	const char *p = r->p;
	enum line_level level = LINE_NONE;
	for (int i = 0; i < COMMAS_MAX && p < r->end; i++) {
		bool quoted = *p == '"';
		const char *text = p + quoted,
			   *stop = quoted ? quote_end(p, r->end) : memchr(p, ',', (size_t)(r->end - p));
		if (!stop && quoted)
			return false;
		stop = stop ? stop : r->end;
		size_t n = (size_t)(stop - text);
		uint64_t ms;
		bool last = stop + quoted >= r->end, words = memchr(text, ' ', n) && !line_time(text, n, 0, &ms);
		if (level != LINE_NONE && (last || words)) {
			r->out->level = level;
			r->p = text;
			r->end = quoted ? stop : r->end;
			return true;
		}
		if (level == LINE_NONE && n > 1)
			level = line_level_word(text, n);
		p = stop + quoted + 1;
	}
	return false;
}

/* A pid or a flag between the time and a sentence. */
static void take_number(struct reader *r)
{
	skip_spaces(r);
	const char *end = word_end(r);
	uint32_t v = number(r->p, end);
	if (end - r->p > 7 || !v || r->end - end < 2 || end[1] < 'A' || end[1] > 'Z')
		return;
	r->out->pid = v;
	r->p = end + 1;
}

/* "chrome.exe - …" behind a time */
static void take_program(struct reader *r)
{
	skip_spaces(r);
	const char *end = word_end(r), *dash = end;
	if (end - r->p > 2 && r->end - end > 6 && memcmp(end, " *64 - ", 7) == 0)
		dash = end + 4;
	if (end == r->p || r->end - dash < 4 || memcmp(dash, " - ", 3) != 0 || !line_is_alpha(*r->p))
		return;
	note_component(r, part(r->p, end));
	r->p = dash + 3;
}

/* What stands behind the time, or at the front of a line that has none; true: a level was found. */
static bool take_inner(struct reader *r, bool timed, bool priority)
{
	skip_spaces(r);
	if (timed && take_glog(r))
		return true;
	if (find_level(r, timed))
		return true;
	if (timed || priority) {
		r->out->format = take_syslog(r) ? LINE_FORMAT_SYSLOG : LINE_FORMAT_PLAIN;
		if (r->out->format == LINE_FORMAT_PLAIN) {
			take_number(r);
			take_program(r);
		}
	}
	return false;
}

static void split_plain(const char *line, size_t size, uint64_t now_ms, struct buf *scratch, struct line_parts *ret)
{
	struct reader r = {.p = line, .end = line + size, .out = ret};
	r.limit = size < LINE_HEADER_MAX ? r.end : line + LINE_HEADER_MAX;
	ret->time_ms = now_ms; /* what a time without a year is taken against, until it is found */
	bool timed = false, found = false;
	if (take_logfmt(line, size, scratch, ret))
		return;
	skip_spaces(&r);
	bool fields = false, priority = take_priority(&r, &fields);
	enum line_level level = ret->level;
	if (r.end - r.p > 2 && *r.p == '-' && r.p[1] == ' ')
		r.p += 2;
	if (take_glog(&r)) {
		found = true;
	} else {
		timed = take_time(&r);
		if (timed)
			take_outer(&r);
		if (timed && fields && take_fields(&r))
			ret->format = LINE_FORMAT_SYSLOG;
		else if (timed && r.p < r.end && *r.p == '|')
			take_bars(&r);
		else if (timed && r.p < r.end && r.p[-1] == ',' && !line_is_space(*r.p) && take_commas(&r))
			level = ret->level;
		else
			found = take_inner(&r, timed, priority);
	}
	skip_spaces(&r);
	const char *tag = r.tagged ? tag_end(&r) : NULL;
	if (tag)
		r.p = tag;
	else if (found)
		take_context(&r);
	else if (timed || priority)
		(void)skip_separator(&r);
	if (ret->level == LINE_NONE)
		ret->level = level;
	skip_spaces(&r);
	if (!timed)
		ret->time_ms = 0;
	ret->message = part(r.p, r.end);
	if (r.p >= r.end) /* a header and nothing else: the line is its own message */
		ret->message = part(line, line + size);
}

void line_split(enum line_format format, const char *line, size_t size, uint64_t now_ms, struct buf *scratch,
    struct line_parts *ret)
{
	*ret = (struct line_parts){.format = LINE_FORMAT_PLAIN};
	buf_clear(scratch);
	while (size && (line[size - 1] == '\n' || line[size - 1] == '\r' || line[size - 1] == ' '))
		size--;
	bool object = size && (*line == '{' || (line_is_space(*line) && memchr(line, '{', size < 8 ? size : 8)));
	if ((format == LINE_FORMAT_JSON || (format == LINE_FORMAT_AUTO && object)) &&
	    line_json(line, size, now_ms, scratch, ret))
		return;
	split_plain(line, size, now_ms, scratch, ret);
}
