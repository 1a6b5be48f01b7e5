/* tests/fuzz/cli_sse.c: a stream of events from a server (controller/cli/sse.h): the same events however it is cut. */
#include <assert.h>
#include <string.h>

#include "controller/cli/sse.h"
#include "tests/fuzz/fuzz.h"

struct sum {
	size_t events, bytes;
};

static bool count(void *ctx, const char *id, const char *data)
{
	struct sum *s = ctx;
	s->events++;
	s->bytes += strlen(id) + strlen(data);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole = {0}, cut = {0};
	struct sse a = {.on_event = count, .ctx = &whole}, b = {.on_event = count, .ctx = &cut};
	size_t step = size ? 1 + data[0] % 7 : 1;
	assert(sse_feed(&a, (const char *)data, size));
	for (size_t at = 0; at < size; at += step)
		assert(sse_feed(&b, (const char *)data + at, size - at < step ? size - at : step));
	assert(whole.events == cut.events && whole.bytes == cut.bytes && strcmp(a.id, b.id) == 0);
	assert(a.line.size <= CLI_EVENT_LINE_MAX && strlen(a.id) < sizeof(a.id));
	sse_break(&a);
	assert(sse_feed(&a, "\n\n", 2) && whole.events == cut.events);
	sse_done(&a);
	sse_done(&b);
	return 0;
}
