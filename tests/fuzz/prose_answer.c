/* tests/fuzz/prose_answer.c: what a language model's server may send. */
#include <assert.h>
#include <string.h>

#include "controller/prose/prose.h"
#include "shared/base/text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(PROSE_ARENA_MAX);
	const char *text = NULL;
	struct err err;
	if (arena && prose_answer((const char *)data, size, arena, &text, &err) == ERR_OK) {
		size_t n = strlen(text);
		assert(n > 0 && n <= INCIDENT_SUMMARY_MAX && text_utf8_valid(text, n));
		for (size_t i = 0; i < n; i++)
			assert(text[i] == '\n' || (unsigned char)text[i] >= 0x20);
	}
	arena_free(arena);
	return 0;
}
