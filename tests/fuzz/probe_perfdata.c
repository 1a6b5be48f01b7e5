/* tests/fuzz/probe_perfdata.c: what plugins print.  Metrics are few, named, finite and UTF-8; the text is one bounded
 * line. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "agent/probe/perfdata.h"
#include "shared/base/text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct probe_outcome o;
	o = (struct probe_outcome){0};
	perfdata_parse((const char *)data, size, &o);
	assert(memchr(o.text, '\0', sizeof o.text) && !strpbrk(o.text, "\n\r\t"));
	assert(o.metric_count <= PROBE_METRICS_MAX);
	for (size_t i = 0; i < o.metric_count; i++) {
		const struct probe_metric *m = &o.metrics[i];
		assert(m->name[0] && text_utf8_valid(m->name, strlen(m->name)) &&
		       text_utf8_valid(m->unit, strlen(m->unit)));
		assert(isfinite(m->value) && isfinite(m->warn) && isfinite(m->critical));
	}
	return 0;
}
