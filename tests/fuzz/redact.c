/* tests/fuzz/redact.c: shared/redact.  Spans are in order and inside; a redacted text stays as it is when redacted
 * again. */
#include <assert.h>
#include <string.h>

#include "shared/redact/redact.h"
#include "tests/fuzz/fuzz.h"

enum { SPANS = 32 }; /* few, so that running out of them is tried too */

static void check_spans(const struct redact_options *o, const char *text, size_t size)
{
	struct redact_span spans[SPANS];
	size_t count = redact_find(o, NULL, text, size, spans, SPANS), at = 0;
	assert(count <= SPANS);
	for (size_t i = 0; i < count; i++) {
		assert(spans[i].start >= at && spans[i].end > spans[i].start && spans[i].end <= size);
		assert((unsigned)spans[i].type < REDACT_TYPE_COUNT);
		at = spans[i].end;
	}
}

static void check_twice(const struct redact_options *o, const char *text, size_t size)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	(void)redact_text(o, NULL, text, size, &once);
	size_t more = redact_text(o, NULL, buf_str(&once), once.size, &twice);
	assert(
	    more == 0 && once.size == twice.size && (once.size == 0 || memcmp(once.data, twice.data, once.size) == 0));
	buf_done(&once);
	buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct redact_stream stream = {0};
	if (size == 0)
		return 0;
	const struct redact_options o = {.mode = data[0] & 1 ? REDACT_CLINICAL : REDACT_LOG,
	    .ips = (enum redact_ips)(data[0] >> 1 & 3),
	    .users = data[0] >> 3 & 1};
	const char *text = (const char *)data + 1;
	check_spans(&o, text, size - 1);
	check_twice(&o, text, size - 1);
	struct buf out = BUF_INIT;
	for (const char *p = text, *end = text + size - 1; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
		(void)redact_text(&o, &stream, p, n, &out);
		p += n + (newline != NULL);
	}
	buf_done(&out);
	return 0;
}
