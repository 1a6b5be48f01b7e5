/* controller/audit/merkle.h: the Merkle tree of RFC 6962 §2.1 over SHA-256.
 *
 * leaf = SHA-256(0x00 || data), node = SHA-256(0x01 || left || right), the empty tree is SHA-256 of nothing; a tree of
 * n leaves splits at the largest power of two below n.  Verification of proofs follows RFC 9162 §2.1.3.2 and §2.1.4.2.
 * Pure; indexes of leaves are from 0. */
#ifndef KEDGE_CONTROLLER_AUDIT_MERKLE_H
#define KEDGE_CONTROLLER_AUDIT_MERKLE_H

#include "shared/record/record.h"

enum { MERKLE_DEPTH_MAX = 64 };

struct digest merkle_leaf(const void *data, size_t size);
struct digest merkle_node(const struct digest *left, const struct digest *right);
struct digest merkle_empty(void);
/* Root over leaf hashes. */
struct digest merkle_root(const struct digest *leaves, uint64_t count);

/* A tree that grows at its right edge: the roots of its complete subtrees, largest first, one for each set bit of size.
 */
struct merkle_frontier {
	uint64_t size;
	struct digest nodes[MERKLE_DEPTH_MAX];
	uint32_t count;
};
void merkle_frontier_add(struct merkle_frontier *f, struct digest leaf);
struct digest merkle_frontier_root(const struct merkle_frontier *f);

/* Write the proof (at most MERKLE_DEPTH_MAX digests) to out, return its length.  index < count; 0 < from <= count. */
uint32_t merkle_inclusion(
    const struct digest *leaves, uint64_t count, uint64_t index, struct digest out[MERKLE_DEPTH_MAX]);
uint32_t merkle_consistency(
    const struct digest *leaves, uint64_t count, uint64_t from, struct digest out[MERKLE_DEPTH_MAX]);

/* What a verifier who holds only roots does.  Foreign input: never trips an assertion. */
bool merkle_inclusion_valid(struct digest leaf, uint64_t index, uint64_t size, const struct digest *proof,
    size_t proof_count, struct digest root);
bool merkle_consistency_valid(uint64_t from, uint64_t to, struct digest from_root, struct digest to_root,
    const struct digest *proof, size_t proof_count);

#endif
