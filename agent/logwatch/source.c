#include "agent/logwatch/source.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/redact/leaving.h"

enum {
	LINES_REPORT_MS = 30000, /* how often mere line counts are told */
};

static_assert(LINE_NONE == (int)LOG_SEVERITY_NONE && LINE_DEBUG == (int)LOG_SEVERITY_DEBUG &&
		  LINE_INFO == (int)LOG_SEVERITY_INFO && LINE_WARNING == (int)LOG_SEVERITY_WARNING &&
		  LINE_ERROR == (int)LOG_SEVERITY_ERROR && LINE_FATAL == (int)LOG_SEVERITY_FATAL,
    "the wire's severities are the miner's levels");

struct source {
	char *service, *name;
	struct miner *miner;
	struct redact_stream stream;
	struct buf clean, scratch;
	uint64_t lines, dropped;
	uint64_t second_ms, in_second; /* how many were mined since second_ms */
	bool fresh, urgent;            /* something was mined since the last report; an error was */
	uint64_t since_ms, lines_since_ms;
};

enum err_code source_new(const char *service, const char *name, struct source **ret, struct err *reterr)
{
	struct source *s = calloc(1, sizeof *s);
	const struct miner_options options = {.templates = LOGWATCH_TEMPLATES};
	if (!s)
		return err_set(reterr, ERR_NOMEM, "no memory to follow %s", name);
	s->service = strdup(service);
	s->name = strdup(name);
	enum err_code rc = s->service && s->name ? miner_new(&options, &s->miner, reterr)
						 : err_set(reterr, ERR_NOMEM, "no memory to follow %s", name);
	if (rc != ERR_OK) {
		source_free(s);
		return rc;
	}
	*ret = s;
	return ERR_OK;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	miner_free(s->miner);
	buf_done(&s->clean);
	buf_done(&s->scratch);
	free(s->service);
	free(s->name);
	free(s);
}

const char *source_service(const struct source *s)
{
	return s->service;
}
const char *source_name(const struct source *s)
{
	return s->name;
}

/* ---- lines ---- */

/* The wire takes valid UTF-8 without control bytes. */
static void sanitise(struct buf *b)
{
	bool valid = text_utf8_valid(b->data, b->size);
	for (size_t i = 0; i < b->size; i++)
		if (b->data[i] < 0x20 || b->data[i] == 0x7f)
			b->data[i] = ' ';
		else if (b->data[i] >= 0x80 && !valid)
			b->data[i] = '?';
}

static enum line_level weigh(const struct line_parts *parts, enum line_level said)
{
	enum line_level level = parts->level > said ? parts->level : said;
	if (level >= LINE_WARNING)
		return level;
	enum line_level guess = line_guess_level(parts->message.text, parts->message.size);
	/* A line that calls itself information but speaks of failure is worth a look, though not an alarm. */
	if (level != LINE_NONE)
		return guess >= LINE_ERROR ? LINE_WARNING : level;
	return guess;
}

static bool within_rate(struct source *s, uint64_t mono_ms)
{
	if (mono_ms - s->second_ms >= 1000) {
		s->second_ms = mono_ms;
		s->in_second = 0;
	}
	return ++s->in_second <= LOGWATCH_RATE_LINES;
}

static void mine(struct source *s, enum line_level level, uint64_t wall_ms, uint64_t mono_ms)
{
	struct line_parts parts;
	struct mined mined;
	struct err err;
	line_split(LINE_FORMAT_AUTO, buf_str(&s->clean), s->clean.size, wall_ms, &s->scratch, &parts);
	if (miner_add(s->miner, parts.message.text, parts.message.size, level, wall_ms, &mined, &err) != ERR_OK) {
		s->dropped++;
		return;
	}
	if (!s->fresh)
		s->since_ms = mono_ms;
	s->fresh = true;
	s->urgent |= level >= LINE_ERROR;
}

void source_line(
    struct source *s, const char *line, size_t size, enum line_level said, uint64_t wall_ms, uint64_t mono_ms)
{
	struct line_parts parts;
	while (size && *line == '\0') { /* what a truncating copy leaves in front */
		line++;
		size--;
	}
	if (size == 0)
		return;
	if (s->lines++ == 0)
		s->lines_since_ms = mono_ms;
	line_split(LINE_FORMAT_AUTO, line, size, wall_ms, &s->scratch, &parts);
	enum line_level level = weigh(&parts, said);
	bool key = s->stream.in_pem || memmem(line, size, "-----BEGIN ", 11);
	if (level < LINE_WARNING && !key)
		return;
	if (!within_rate(s, mono_ms)) {
		s->dropped++;
		return;
	}
	/* Redacted as a whole, before it is taken apart again: labels may stand in the header. */
	buf_clear(&s->clean);
	(void)redact_text(&redact_leaving, &s->stream, line, size, &s->clean);
	if (s->clean.failed)
		s->dropped++;
	else if (level >= LINE_WARNING) {
		sanitise(&s->clean);
		mine(s, level, wall_ms, mono_ms);
	}
}

void source_skipped(struct source *s, uint64_t lines)
{
	s->dropped += lines;
}

/* ---- reports ---- */

struct source_pending source_pending(const struct source *s)
{
	bool count = s->lines > 0 || s->dropped > 0;
	return (struct source_pending){.any = s->fresh || count,
	    .urgent = s->fresh && s->urgent,
	    .since_ms = s->fresh ? s->since_ms : s->lines_since_ms + LINES_REPORT_MS - LOGWATCH_REPORT_MS};
}

bool source_untold(const struct source *s)
{
	return s->fresh;
}

struct collecting {
	struct log_template items[REPORT_ITEMS_MAX];
	uint32_t groups[REPORT_ITEMS_MAX];
	size_t count;
	bool more;
};

static bool collect(void *ctx, const struct template_view *v)
{
	struct collecting *c = ctx;
	if (!v->text[0])
		return true; /* a blank line has no shape */
	if (c->count == REPORT_ITEMS_MAX) {
		c->more = true;
		return false;
	}
	c->groups[c->count] = v->group;
	c->items[c->count++] = (struct log_template){.template_id = v->template_id,
	    .template_text = v->text,
	    .severity = (uint32_t)v->level,
	    .count = v->fresh,
	    .first_ms = v->fresh_first_ms,
	    .last_ms = v->last_ms,
	    .sample = v->sample,
	    .is_new = v->is_new};
	return false; /* not until it is taken */
}

static bool confirm(void *ctx, const struct template_view *v)
{
	const struct collecting *c = ctx;
	for (size_t i = 0; i < c->count; i++)
		if (c->groups[i] == v->group)
			return true;
	return false;
}

enum err_code source_report(struct source *s, const struct logwatch_events *events, struct err *reterr)
{
	struct collecting *c = calloc(1, sizeof *c);
	enum err_code rc = c ? ERR_OK : err_set(reterr, ERR_NOMEM, "no memory for a log report");
	do {
		if (rc != ERR_OK)
			break;
		c->count = 0;
		c->more = false;
		miner_take(s->miner, collect, c);
		if (c->count == 0 && s->lines == 0 && s->dropped == 0)
			break;
		const struct log_report report = {.service = s->service,
		    .source = s->name,
		    .templates = {c->items, c->count},
		    .lines = s->lines,
		    .dropped = s->dropped};
		rc = events->on_report(events->ctx, &report, reterr);
		if (rc == ERR_OK) {
			miner_take(s->miner, confirm, c);
			s->lines = s->dropped = 0;
		}
	} while (rc == ERR_OK && c->more);
	if (rc == ERR_OK)
		s->fresh = s->urgent = false;
	free(c);
	return rc;
}

/* ---- memory ---- */

enum err_code source_templates(const struct source *s, struct arena *arena, struct list *ret, struct err *reterr)
{
	const char **texts = arena_array(arena, miner_count(s->miner) + 1, sizeof *texts);
	struct template_view v;
	size_t n = 0;
	for (size_t at = 0; texts && n < LOGWATCH_TEMPLATES && miner_next(s->miner, &at, &v);) {
		if (v.is_new || !v.text[0])
			continue; /* not told yet: it is to be new again */
		if (!(texts[n++] = arena_strdup(arena, v.text)))
			texts = NULL;
	}
	if (!texts)
		return err_set(reterr, ERR_NOMEM, "no memory to remember templates");
	*ret = (struct list){texts, n};
	return ERR_OK;
}

void source_recall(struct source *s, const struct list *templates)
{
	struct err err;
	for (size_t i = 0; i < templates->count; i++)
		if (miner_recall(s->miner, LIST_AT(*templates, const char *, i), &err) != ERR_OK)
			return; /* it will be told as new once more */
}
