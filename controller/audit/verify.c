/* controller/audit/verify.c: recompute the tree from the entries, and proofs for outsiders. */
#include <inttypes.h>
#include <string.h>

#include "controller/audit/audit.h"
#include "controller/audit/leaf.h"
#include "controller/audit/merkle.h"

struct check {
	struct turn *turn;
	uint64_t from, to;
	const struct audit_checkpoint *known;
	struct turn_scan checkpoints;
	struct audit_checkpoint next; /* of the store, not yet compared */
	bool has_next;
	struct merkle_frontier tree;
	struct audit_verdict verdict;
};

static void found(struct check *c, enum audit_problem problem, uint64_t sequence, const char *text)
{
	if (c->verdict.problem == AUDIT_SOUND) {
		c->verdict.problem = problem;
		c->verdict.sequence = sequence;
		c->verdict.text = text;
	}
}

/* Compare with every checkpoint of the size that the tree has now. */
static enum err_code compare(struct check *c, struct err *reterr)
{
	uint64_t size = c->tree.size;
	if ((c->known && c->known->size == size) || (c->has_next && c->next.size == size)) {
		struct digest root = merkle_frontier_root(&c->tree);
		if (c->known && c->known->size == size && memcmp(&root, &c->known->root, sizeof(root)) != 0)
			found(c, AUDIT_FORKED, size,
			    "the entries do not give the root of the checkpoint that was kept outside");
		if (c->has_next && c->next.size == size && memcmp(&root, &c->next.root, sizeof(root)) != 0)
			found(c, AUDIT_FORKED, size, "the entries do not give the root of a stored checkpoint");
	}
	while (c->has_next && c->next.size <= size) {
		enum err_code rc = turn_scan_next(&c->checkpoints, &c->next, &c->has_next, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static enum err_code add(struct check *c, const struct audit_entry *e, struct err *reterr)
{
	struct digest leaf = e->hash;
	if (e->sequence != c->tree.size + 1)
		found(c, AUDIT_MISSING, c->tree.size + 1, "an entry is missing");
	if (e->sequence >= c->from && (c->to == 0 || e->sequence <= c->to)) {
		enum err_code rc = audit_leaf(e, &leaf, reterr);
		if (rc != ERR_OK)
			return rc;
		if (memcmp(&leaf, &e->hash, sizeof(leaf)) != 0)
			found(c, AUDIT_EDITED, e->sequence, "an entry is not what was hashed when it was written");
	}
	merkle_frontier_add(&c->tree, leaf);
	return compare(c, reterr);
}

static enum err_code walk(struct check *c, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan entries = {0};
	struct audit_entry e;
	enum err_code rc = turn_scan_key(c->turn, &audit_table, NULL, 0, false, &entries, reterr);
	if (rc == ERR_OK)
		rc = compare(c, reterr); /* checkpoints of the empty tree */
	struct arena_mark mark =
	    arena_mark(turn_arena(c->turn)); /* one entry at a time: a trail is longer than memory */
	while (c->verdict.problem == AUDIT_SOUND && turn_scan_step(&entries, &e, &rc, reterr)) {
		rc = add(c, &e, reterr);
		c->next.signer = NULL; /* of a checkpoint only size and root are looked at */
		c->next.signature = (struct bytes){0};
		arena_release(turn_arena(c->turn), mark);
	}
	return rc;
}

/* After the last entry: what should have come still? */
static void compare_end(struct check *c, const struct audit_head *head)
{
	uint64_t size = c->tree.size;
	if (size < head->size || (c->has_next && c->next.size > size) || (c->known && c->known->size > size))
		found(c, AUDIT_MISSING, size + 1, "the end of the trail is missing");
	struct digest root = merkle_frontier_root(&c->tree);
	if (size > head->size || memcmp(&root, &head->root, sizeof(root)) != 0)
		found(c, AUDIT_HEAD_WRONG, size, "the entries do not give the head of the tree");
}

enum err_code audit_verify(struct turn *t, uint64_t from, uint64_t to, const struct audit_checkpoint *known,
    struct audit_verdict *ret, struct err *reterr)
{
	struct audit_head head;
	struct check c = {.turn = t, .from = from, .to = to, .known = known};
	enum err_code rc = audit_head(t, &head, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = turn_scan_key(t, &audit_checkpoint_table, NULL, 0, false, &c.checkpoints, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = turn_scan_next(&c.checkpoints, &c.next, &c.has_next, reterr);
	if (rc == ERR_OK)
		rc = walk(&c, reterr);
	if (rc == ERR_OK && c.verdict.problem == AUDIT_SOUND)
		compare_end(&c, &head);
	turn_scan_done(&c.checkpoints);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "audit verify");
	c.verdict.size = c.tree.size;
	c.verdict.root = merkle_frontier_root(&c.tree);
	if (!c.verdict.text)
		c.verdict.text = "every entry is there and is what was written";
	*ret = c.verdict;
	return ERR_OK;
}

/* The leaf hashes of the first size entries. */
static enum err_code leaves_load(struct turn *t, uint64_t size, struct digest **ret, struct err *reterr)
{
	struct digest *leaves = arena_array(turn_arena(t), size, sizeof(*leaves));
	if (!leaves)
		return err_set(reterr, ERR_NOMEM, "audit proof: out of memory for %" PRIu64 " entries", size);
	for (uint64_t i = 0; i < size; i++) {
		struct audit_entry e = {.sequence = i + 1};
		bool there;
		enum err_code rc = turn_get(t, &audit_table, &e, &e, &there, reterr);
		if (rc != ERR_OK)
			return rc;
		if (!there)
			return err_set(reterr, ERR_CORRUPT, "audit entry %" PRIu64 " is missing", i + 1);
		leaves[i] = e.hash;
	}
	*ret = leaves;
	return ERR_OK;
}

static enum err_code proof_range(struct turn *t, uint64_t first, uint64_t size, struct err *reterr)
{
	struct audit_head head;
	enum err_code rc = audit_head(t, &head, reterr);
	if (rc != ERR_OK)
		return rc;
	if (first == 0 || first > size || size > head.size)
		return err_set(reterr, ERR_INVALID,
		    "audit proof: %" PRIu64 " of %" PRIu64 " is outside the trail of %" PRIu64 " entries", first, size,
		    head.size);
	return ERR_OK;
}

static enum err_code proof_make(
    struct turn *t, uint64_t first, uint64_t size, bool inclusion, struct list *ret, struct err *reterr)
{
	struct digest *leaves = NULL, *out;
	enum err_code rc = proof_range(t, first, size, reterr);
	if (rc == ERR_OK)
		rc = leaves_load(t, size, &leaves, reterr);
	if (rc != ERR_OK)
		return rc;
	out = arena_array(turn_arena(t), MERKLE_DEPTH_MAX, sizeof(*out));
	if (!out)
		return err_set(reterr, ERR_NOMEM, "audit proof: out of memory");
	uint32_t count =
	    inclusion ? merkle_inclusion(leaves, size, first - 1, out) : merkle_consistency(leaves, size, first, out);
	*ret = (struct list){out, count};
	return ERR_OK;
}

enum err_code audit_inclusion(struct turn *t, uint64_t sequence, uint64_t size, struct list *ret, struct err *reterr)
{
	return proof_make(t, sequence, size, true, ret, reterr);
}

enum err_code audit_consistency(struct turn *t, uint64_t from, uint64_t to, struct list *ret, struct err *reterr)
{
	return proof_make(t, from, to, false, ret, reterr);
}
