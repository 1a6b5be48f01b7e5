/* agent/snapshot/sample.h: a sample of distinct chunks by chance, without remembering more than the sample.
 *
 * Each chunk gets a number by a keyed hash of its name; those with the VERIFY_SAMPLE_CHUNKS lowest numbers are the
 * sample.  A chunk that is met again has the same number, so it counts once, and each has the same chance.  One thread.
 */
#ifndef KEDGE_AGENT_SNAPSHOT_SAMPLE_H
#define KEDGE_AGENT_SNAPSHOT_SAMPLE_H

#include "agent/snapshot/needs.h"

struct sample {
	uint64_t key[2];
	uint64_t below; /* only numbers below this one can still belong to it; UINT64_MAX: all */
	size_t seen;    /* of the needs: looked at already */
};
void sample_begin(struct sample *s);
/* Drops what cannot belong to it from what was added to n since. */
void sample_take(struct sample *s, struct needs *n);
/* n is the sample, in the order of the packs.  *ret_total: how many distinct chunks it stands for, to some percent when
 * they are more. */
void sample_end(struct sample *s, struct needs *n, uint64_t *ret_total);

#endif
