#include "agent/repository/index_internal.h"

#include <string.h>

static enum err_code advance(struct index_source *s, struct err *reterr)
{
	if (s->run)
		return run_next(&s->cursor, &s->head, reterr);
	s->head = s->at < s->count ? s->entries + s->at++ * RUN_ENTRY_SIZE : NULL;
	return ERR_OK;
}

/* Past what does not count. */
static enum err_code settle(struct index_source *s, index_counts_fn *counts, void *ctx, struct err *reterr)
{
	enum err_code rc = advance(s, reterr);
	while (!rc && s->head && counts) {
		struct place p = run_entry_place(s->head);
		if (counts(ctx, &p))
			break;
		rc = advance(s, reterr);
	}
	return rc;
}

static size_t least_of(const struct index_source *sources, size_t count)
{
	size_t least = count;
	for (size_t i = 0; i < count; i++)
		if (sources[i].head &&
		    (least == count || memcmp(sources[i].head, sources[least].head, CHUNK_ID_SIZE) < 0))
			least = i;
	return least;
}

static enum err_code merge(struct index_source *sources, size_t count, index_counts_fn *counts, void *counts_ctx,
    index_take_fn *take, void *take_ctx, struct err *reterr)
{
	bool goon = true;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < count && !rc; i++)
		rc = settle(&sources[i], counts, counts_ctx, reterr);
	while (!rc && goon) {
		size_t least = least_of(sources, count);
		uint8_t entry[RUN_ENTRY_SIZE];
		if (least == count)
			break;
		memcpy(entry, sources[least].head, sizeof entry);
		for (size_t i = least; i < count && !rc; i++)
			while (!rc && sources[i].head && !memcmp(sources[i].head, entry, CHUNK_ID_SIZE))
				rc = settle(&sources[i], counts, counts_ctx, reterr);
		if (!rc)
			rc = take(take_ctx, entry, &goon, reterr);
	}
	return rc;
}

enum err_code index_merge(struct index_source *sources, size_t count, index_counts_fn *counts, void *counts_ctx,
    index_take_fn *take, void *take_ctx, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < count && !rc; i++)
		if (sources[i].run)
			rc = run_begin(sources[i].run, &sources[i].cursor, reterr);
	if (!rc)
		rc = merge(sources, count, counts, counts_ctx, take, take_ctx, reterr);
	for (size_t i = 0; i < count; i++)
		run_end(&sources[i].cursor);
	return rc;
}
