/* tests/fuzz/mining.c: shared/mining.  Lines go through the header's split into a small miner; its templates are
 * bounded, count every line that was not evicted, bear the id of their text, and can be absorbed and recalled by
 * another miner. */
#include <assert.h>
#include <string.h>

#include "shared/mining/mining.h"
#include "tests/fuzz/fuzz.h"

enum { TEMPLATES = 8, NOW = 1700000000 };

static void check_part(struct line_part part, const char *line, size_t size, const struct buf *scratch)
{
	if (part.size == 0)
		return;
	bool in_line = part.text >= line && part.text + part.size <= line + size;
	const char *s = buf_str(scratch);
	assert(in_line || (part.text >= s && part.text + part.size <= s + scratch->size));
}

static uint64_t check_all(const struct miner *m, struct miner *other)
{
	struct template_view v;
	struct mined mined;
	uint64_t count = 0;
	assert(miner_count(m) <= TEMPLATES);
	for (size_t at = 0; miner_next(m, &at, &v);) {
		assert(strlen(v.text) <= MINER_TEMPLATE_MAX && strlen(v.sample) < MINER_SAMPLE_MAX);
		assert(v.template_id == mining_template_id(v.text));
		count += v.count;
		enum err_code rc = miner_absorb(other, &v, &mined, NULL);
		assert(rc == ERR_OK);
		rc = miner_recall(other, v.text, NULL);
		assert(rc == ERR_OK);
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct miner *m, *other;
	const struct miner_options o = {.templates = TEMPLATES};
	struct buf scratch = BUF_INIT;
	uint64_t lines = 0;
	if (miner_new(&o, &m, NULL) != ERR_OK || miner_new(&o, &other, NULL) != ERR_OK)
		return 0;
	for (const char *p = (const char *)data, *end = p + size; p < end; lines++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
		struct line_parts parts;
		struct mined mined;
		line_split((enum line_format)(lines % LINE_FORMAT_COUNT), p, n, NOW * 1000ull, &scratch, &parts);
		check_part(parts.message, p, n, &scratch);
		check_part(parts.component, p, n, &scratch);
		check_part(parts.host, p, n, &scratch);
		assert((unsigned)parts.level < LINE_LEVEL_COUNT && (unsigned)line_guess_level(p, n) < LINE_LEVEL_COUNT);
		enum err_code rc =
		    miner_add(m, parts.message.text, parts.message.size, parts.level, lines, &mined, NULL);
		assert(rc == ERR_OK);
		p += n + (newline != NULL);
	}
	uint64_t counted = check_all(m, other);
	assert(counted == lines || (counted < lines && miner_evicted(m) > 0));
	buf_done(&scratch);
	miner_free(m);
	miner_free(other);
	return 0;
}
