/* shared/mining/mining.h: log lines into templates.
 *
 * Owns: a bounded set of templates, found online.  "Connection from 10.0.0.7 closed" and its kin become "Connection
 * from <*> closed". Agents mine lines; the controller absorbs the agents' templates into a miner of its own, so that a
 * template is one thing fleet-wide.
 *
 * A template's id is a hash of its text, so that hosts agree without talking.  When lines show that a word varies, the
 * template's text grows a <*> and with it the id changes; mined.replaces tells the old one. Words of opposite meaning
 * (started/stopped, up/down, success/failed) are never both covered by one <*>.
 *
 * Memory: at most miner_options.templates templates; past it the one longest unseen gives way.  Nothing grows with the
 * number of lines. Pure: time comes in.  One miner belongs to one thread. */
#ifndef KEDGE_SHARED_MINING_MINING_H
#define KEDGE_SHARED_MINING_MINING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/mining/line.h"

enum {
	MINER_TEMPLATES_DEFAULT = 2048, /* a busy host has some hundreds; worst case about 2 KiB each */
	MINER_TEMPLATES_MAX = 65536,
	MINER_TOKENS_MAX = 128,   /* a longer line's rest is one <*> */
	MINER_TEXT_MAX = 1024,    /* bytes of a line that are looked at; longer is cut and ends in <*> */
	MINER_SAMPLE_MAX = 512,   /* TEXT_LINE_MAX */
	MINER_TEMPLATE_MAX = 512, /* of a template's text, which may be longer than its line; TEXT_LINE_MAX */
};

struct miner_options {
	size_t templates; /* 0: MINER_TEMPLATES_DEFAULT */
};
struct miner;

struct mined {
	uint64_t template_id; /* as it is now */
	uint32_t group;       /* stays with the template while its text generalises; 0 .. 2^32-1, not reused */
	uint64_t replaces;    /* non-zero: this line generalised the template of that id */
	bool is_new;          /* a template this miner had not seen */
};

struct template_view { /* borrowed: valid until the next call that changes the miner */
	uint64_t template_id;
	uint32_t group;
	const char *text;
	enum line_level level; /* the gravest seen */
	uint64_t count;        /* all time (of this miner) */
	uint64_t fresh;        /* since miner_take() */
	uint64_t first_ms, last_ms;
	uint64_t fresh_first_ms; /* first since miner_take() */
	const char
	    *sample; /* first line seen, cut to MINER_SAMPLE_MAX at a UTF-8 boundary; may be "" after absorbing */
	bool is_new; /* not yet reported by miner_take() */
};

ERR_CHECK enum err_code miner_new(const struct miner_options *o, struct miner **ret, struct err *reterr);
void miner_free(struct miner *m); /* NULL is a no-op */

/* text is a message without its header (line_split), already redacted.  ERR_NOMEM only. */
ERR_CHECK enum err_code miner_add(struct miner *m, const char *text, size_t size, enum line_level level,
    uint64_t now_ms, struct mined *ret, struct err *reterr);
/* Merge a template that another miner found (count, times and level add up).  The same entry point serves every host.
 */
ERR_CHECK enum err_code miner_absorb(
    struct miner *m, const struct template_view *from, struct mined *ret, struct err *reterr);
/* Teach what was known before a restart: present, but with no count and not new. */
ERR_CHECK enum err_code miner_recall(struct miner *m, const char *text, struct err *reterr);

size_t miner_count(const struct miner *m);
uint64_t miner_evicted(const struct miner *m); /* how many had to give way */
/* for (size_t at = 0; miner_next(m, &at, &view);) — in order of first sight. */
bool miner_next(const struct miner *m, size_t *at, struct template_view *ret);
bool miner_get(const struct miner *m, uint32_t group, struct template_view *ret); /* false: gone */
/* Calls fn for each template with fresh > 0; those for which it returns true are then not fresh and not new any more.
 */
void miner_take(struct miner *m, bool (*fn)(void *ctx, const struct template_view *view), void *ctx);

/* The template that one line alone would have (variables that can be told by their look are <*>). */
void mining_mask(const char *text, size_t size, struct buf *out);
uint64_t mining_template_id(const char *text);

#endif
