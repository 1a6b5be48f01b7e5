/* The one line that a PostgreSQL server answers its probe with. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "agent/probe/postgres_answer.h"
#include "shared/base/buf.h"

static bool fits(double value)
{
	return isfinite(value) && value >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT;
	struct postgres_answer told;
	buf_append(&text, data, size);
	if (postgres_answer_parse(buf_str(&text), "/srv/data", &told)) {
		assert(fits(told.room) && fits(told.used) && fits(told.idle) && fits(told.waiting));
		assert(fits(told.waits_s) && fits(told.behind) && fits(told.behind_s));
		assert(memchr(told.behind_state, '\0', sizeof told.behind_state));
		assert(memchr(told.certificate, '\0', sizeof told.certificate));
		assert(!*told.certificate || *told.certificate == '/');
	}
	buf_done(&text);
	return 0;
}
