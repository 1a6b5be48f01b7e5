/* shared/mining/miner_internal.h: a miner's memory, and how its templates become fewer.  Private to shared/mining. */
#ifndef KEDGE_SHARED_MINING_MINER_INTERNAL_H
#define KEDGE_SHARED_MINING_MINER_INTERNAL_H

#include "shared/mining/table.h"
#include "shared/mining/template.h"

enum {
	MASKS_MAX = 16,        /* sets of blanks that one structure may have: each costs a look-up a line */
	NEIGHBOURS_MAX = 1024, /* templates of one structure that a new one is compared with */
	ALIASES_PER_TEMPLATE = 8,
	CASCADE_MAX = 4,     /* templates that became more general are compared with the others again, so often */
	SWEEP = 16,          /* candidates that are compared when one has to give way */
	SKELETONS_LEAST = 3, /* templates alike but for their names, in several places at once */
};

struct bucket { /* all templates of one structure */
	uint64_t structure;
	struct positions masks[MASKS_MAX];
	uint8_t mask_count;
	uint32_t first; /* slot + 1 */
	bool used;
};

struct miner {
	size_t limit, count;
	struct template *templates; /* by slot; words == NULL: free */
	size_t slots;               /* of which are allocated */
	struct bucket *buckets;
	size_t bucket_slots, free_hint;
	struct table by_key, by_structure, by_group, aliases;
	uint32_t next_group;
	uint64_t lines, evicted;
	size_t hand;
};

/* false: the structure has as many kinds of blanks as are kept. */
bool bucket_need_mask(struct bucket *b, const struct positions *mask);
void bucket_drop_masks(struct miner *m, struct bucket *b); /* those that no template has any more */
void miner_drop_slot(struct miner *m, uint32_t slot);
/* fuse.c: compare the new template with those of its structure, and make it one with those that vary where it differs.
 * Returns the slot where it now is. */
uint32_t miner_generalise(struct miner *m, uint32_t slot);

#endif
