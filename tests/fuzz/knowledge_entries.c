/* tests/fuzz/knowledge_entries.c: files of knowledge entries, and texts that are looked up.  What is read is whole;
 * what is found is one of the entries, the likeliest first. */
#include <assert.h>
#include <string.h>

#include "controller/knowledge/entry.h"
#include "tests/fuzz/fuzz.h"

static const char entry[] =
    "entries:\n  a:\n    title: Disk full\n    area: disk\n    class: resource\n    patterns: [\"no * left\", \"full\"]\n"
    "    causes: [growth]\n    action: restart\n    advice: look\n    source: https://example.org/\n";

static void find(const struct list *entries, const char *text)
{
	struct knowledge *k;
	struct knowledge_hit hits[4];
	size_t n;
	if (knowledge_new(entries, &k, NULL) != ERR_OK)
		return;
	if (knowledge_find(k, text, hits, 4, &n, NULL) == ERR_OK)
		for (size_t i = 0; i < n; i++)
			assert(hits[i].entry && hits[i].confidence >= 0 && hits[i].confidence <= 1);
	knowledge_free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(8 << 20);
	struct list entries = {0}, own = {0};
	char *text = arena ? arena_strndup(arena, (const char *)data, size) : NULL;
	if (text && knowledge_parse("own", entry, strlen(entry), arena, &own, NULL) == ERR_OK)
		find(&own, text);
	if (text && knowledge_parse("x", (const char *)data, size, arena, &entries, NULL) == ERR_OK) {
		for (size_t i = 0; i < entries.count; i++)
			assert(LIST_AT(entries, struct knowledge_entry, i).patterns.count > 0);
		find(&entries, text);
	}
	arena_free(arena);
	return 0;
}
