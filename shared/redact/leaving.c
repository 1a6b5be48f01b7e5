#include "shared/redact/leaving.h"

#include <string.h>

#include "shared/base/text.h"

const struct redact_options redact_leaving = {.mode = REDACT_LOG, .ips = REDACT_IPS_PUBLIC};

static const char *clean(struct arena *arena, const char *text, size_t size, size_t max)
{
	char *kept = arena_alloc(arena, max + 1);
	if (!kept)
		return NULL;
	bool valid = text_utf8_valid(text, size);
	if (valid) {
		text_copy(kept, max + 1, text);
		return kept;
	}
	size_t n = size < max ? size : max;
	for (size_t i = 0; i < n; i++)
		kept[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	kept[n] = '\0';
	return kept;
}

const char *redact_leaving_text(struct arena *arena, const char *text, size_t max)
{
	size_t size = strlen(text);
	struct buf out = BUF_INIT;
	size_t found = redact_text(&redact_leaving, NULL, text, size, &out);
	const char *kept = text;
	if (out.failed)
		kept = NULL;
	else if (found || size > max || !text_utf8_valid(text, size))
		kept = clean(arena, buf_str(&out), out.size, out.size < max ? out.size : max);
	buf_done(&out);
	return kept;
}

static const char *rewrite(void *ctx, const char *text, size_t max)
{
	return redact_leaving_text(ctx, text, max);
}

enum err_code redact_leaving_record(const struct record_type *t, void *record, struct arena *arena, struct err *reterr)
{
	return record_rewrite(t, record, FIELD_PHI, rewrite, arena, reterr);
}
