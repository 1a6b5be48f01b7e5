/* tests/fuzz/knowledge_model.c: a model's file, examples of it, and messages that it is asked about.  Any bytes: a
 * model or a refusal; any text: shares that sum to 1 and a confidence between 0 and 1. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "controller/knowledge/model.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct model *shipped;
	struct model *m;
	struct verdict v;
	if (!shipped && model_shipped(&shipped, NULL) != ERR_OK)
		abort();
	model_classify(shipped, (const char *)data, size, &v);
	double sum = 0;
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
		sum += v.share[c];
	assert(fabs(sum - 1) < 1e-6 && v.confidence >= 0 && v.confidence <= 1 && v.class < ERROR_CLASS_COUNT);
	if (model_from_text((const char *)data, size, &m, NULL) == ERR_OK)
		model_free(m);
	struct arena *arena = arena_new(1 << 20);
	struct example e;
	if (arena && record_from_json(&example_type, (const char *)data, size, 0, arena, &e, NULL) == ERR_OK)
		assert(e.class < ERROR_CLASS_COUNT && e.text && e.system);
	arena_free(arena);
	return 0;
}
