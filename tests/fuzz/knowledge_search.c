/* tests/fuzz/knowledge_search.c: documents of any bytes, asked with any bytes.  The first line is the question. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "controller/knowledge/search.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t first = end ? (size_t)(end - data) : size, n;
	struct search *s;
	struct search_hit hits[5];
	double confidence;
	if (search_new(&s, NULL) != ERR_OK)
		return 0;
	bool ok = search_add(s, "QueueFull", "# Queue full\nIt fills.\n", 23, NULL) == ERR_OK &&
		  search_add(s, "Given", (const char *)data + first, size - first, NULL) == ERR_OK;
	search_ready(s);
	if (ok && search_find(s, (const char *)data, first, hits, 5, &n, &confidence, NULL) == ERR_OK) {
		assert(n <= 2 && confidence >= 0 && confidence <= 1);
		for (size_t i = 0; i < n; i++)
			assert(isfinite(hits[i].score) && (i == 0 || hits[i - 1].score >= hits[i].score));
	}
	search_free(s);
	return 0;
}
