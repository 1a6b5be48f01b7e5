/* controller/cause/logs.c: log lines: templates of a service that are new, or come more often, above all grave ones. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cause/internal.h"
#include "controller/cause/model.h"
#include "controller/cause/stats.h"
#include "shared/mining/mining.h"

struct tally { /* of one template of one service; key of logs.tallies: service, group */
	size_t service;
	uint32_t group;
	bool grave;
	uint64_t before, during;
};
struct logs {
	struct arena *arena;
	struct miner *miner;
	struct map *tallies;
	uint64_t lines[2];  /* before, during */
	struct buf scratch; /* line_split()'s */
};
enum { ARENA_LIMIT = 64 * 1024 * 1024, RARE = 3 };

void logs_free(struct logs *l)
{
	if (!l)
		return;
	miner_free(l->miner);
	buf_done(&l->scratch);
	map_free(l->tallies);
	arena_free(l->arena);
	free(l);
}

static enum err_code begin(struct cause *c, struct err *reterr)
{
	const struct miner_options o = {.templates = MINER_TEMPLATES_DEFAULT};
	struct logs *l = calloc(1, sizeof *l);
	enum err_code rc = ERR_NOMEM;
	if (l) {
		l->arena = arena_new(ARENA_LIMIT);
		l->tallies = map_new();
		if (l->arena && l->tallies)
			rc = miner_new(&o, &l->miner, reterr);
	}
	if (rc == ERR_OK)
		c->logs = l;
	else
		logs_free(l);
	return rc == ERR_OK ? rc : err_set(reterr, rc, "out of memory for logs");
}

enum err_code cause_log_line(
    struct cause *c, const char *service, const char *text, size_t size, bool during, struct err *reterr)
{
	struct mined m;
	size_t at;
	enum err_code rc = cause_index(c, service, &at, reterr);
	if (rc != ERR_OK || (!c->logs && (rc = begin(c, reterr)) != ERR_OK))
		return rc;
	struct logs *l = c->logs;
	if (l->lines[0] + l->lines[1] >= CAUSE_LOG_LINES_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d log lines", CAUSE_LOG_LINES_MAX);
	struct line_parts parts;
	line_split(LINE_FORMAT_AUTO, text, size, 0, &l->scratch, &parts);
	enum line_level level =
	    parts.level != LINE_NONE ? parts.level : line_guess_level(parts.message.text, parts.message.size);
	if ((rc = miner_add(l->miner, parts.message.text, parts.message.size, level, 0, &m, reterr)) != ERR_OK)
		return rc;
	const uint64_t key[2] = {at, m.group};
	struct tally *t = map_get(l->tallies, key, sizeof key);
	if (!t) {
		t = arena_alloc(l->arena, sizeof *t);
		if (!t || !map_put(l->tallies, key, sizeof key, t))
			return err_set(reterr, ERR_NOMEM, "out of memory for logs");
		t->service = at;
		t->group = m.group;
	}
	t->grave |= level >= LINE_ERROR;
	*(during ? &t->during : &t->before) += 1;
	l->lines[during]++;
	return ERR_OK;
}

/* How much more often, in standard deviations of a count (Poisson), given how many lines there are in all. */
static double surprise(const struct logs *l, const struct tally *t)
{
	double scale = l->lines[0] ? (double)l->lines[1] / (double)l->lines[0] : 1;
	double expected = (double)t->before * scale;
	return ((double)t->during - expected) / sqrt(expected + 1 + 0.01 * expected * expected);
}

/* A caller that complains of one it calls, which complains too, is less to blame. */
static double explained(const struct cause *c, size_t service, const double *grave)
{
	const struct ends *e = &c->services[service].callees;
	double most = 0;
	for (size_t i = 0; i < e->count; i++)
		most = fmax(most, grave[c->neighbours[e->first + i]]);
	return most;
}

void logs_weigh(struct cause *c)
{
	const struct logs *l = c->logs;
	double *grave = l && l->lines[1] ? calloc(c->service_count, sizeof *grave) : NULL;
	void *value;
	const void *key;
	size_t size;
	if (!grave) /* no logs, or none of the time in question: nothing to say */
		return;
	for (size_t at = 0; map_next(l->tallies, &at, &key, &size, &value);) {
		const struct tally *t = value;
		if (t->grave)
			grave[t->service] = fmax(grave[t->service], surprise(l, t));
	}
	for (size_t at = 0; map_next(l->tallies, &at, &key, &size, &value);) {
		const struct tally *t = value;
		struct template_view v;
		double z = surprise(l, t), part = t->grave ? 1 : cause_model.fall_part;
		if (z < 1 || t->during < RARE)
			continue;
		if (t->grave)
			part /= 1 + cause_model.explained * explained(c, t->service, grave) / z;
		cause_weigh(c, t->service, CAUSE_BY_LOG, cause_model.log_part * part * stats_weight(z),
		    "%s %llu times: %.300s", t->before ? "more often," : "new,", (unsigned long long)t->during,
		    miner_get(l->miner, t->group, &v) ? v.text : "?");
	}
	free(grave);
}
