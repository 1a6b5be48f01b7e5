#include "controller/audit/merkle.h"

#include <assert.h>
#include <string.h>

#include "shared/base/openssl.h"
#include <openssl/evp.h>

enum { LEAF_PREFIX = 0x00, NODE_PREFIX = 0x01 }; /* RFC 6962 §2.1: a leaf can never be passed off as a node */

static struct digest sha256(uint8_t prefix, const void *a, size_t a_size, const void *b, size_t b_size)
{
	struct digest d;
	unsigned size = sizeof(d.b);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	/* SHA-256 over memory fails only when memory does: nothing can go on without it. */
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) && EVP_DigestUpdate(ctx, &prefix, 1) &&
		  EVP_DigestUpdate(ctx, a, a_size) && EVP_DigestUpdate(ctx, b, b_size) &&
		  EVP_DigestFinal_ex(ctx, d.b, &size) && size == sizeof(d.b);
	EVP_MD_CTX_free(ctx);
	assert(ok);
	return d;
}

struct digest merkle_leaf(const void *data, size_t size)
{
	return sha256(LEAF_PREFIX, data, size, "", 0);
}

struct digest merkle_node(const struct digest *left, const struct digest *right)
{
	return sha256(NODE_PREFIX, left->b, sizeof(left->b), right->b, sizeof(right->b));
}

struct digest merkle_empty(void)
{
	struct digest d;
	unsigned size = sizeof(d.b);
	int ok = EVP_Digest("", 0, d.b, &size, EVP_sha256(), NULL);
	assert(ok == 1 && size == sizeof(d.b));
	return d;
}

/* Largest power of two below n; n > 1. */
static uint64_t split(uint64_t n)
{
	assert(n > 1);
	return 1ull << (63 - __builtin_clzll(n - 1));
}

struct digest merkle_root(const struct digest *leaves, uint64_t count)
{
	struct merkle_frontier f = {0};
	for (uint64_t i = 0; i < count; i++)
		merkle_frontier_add(&f, leaves[i]);
	return merkle_frontier_root(&f);
}

void merkle_frontier_add(struct merkle_frontier *f, struct digest leaf)
{
	/* As carrying in binary: each trailing one bit of the old size is a subtree that the new one completes. */
	for (uint64_t bits = f->size; bits & 1; bits >>= 1) {
		assert(f->count > 0);
		leaf = merkle_node(&f->nodes[--f->count], &leaf);
	}
	assert(f->count < MERKLE_DEPTH_MAX);
	f->nodes[f->count++] = leaf;
	f->size++;
}

struct digest merkle_frontier_root(const struct merkle_frontier *f)
{
	if (f->count == 0)
		return merkle_empty();
	struct digest root = f->nodes[f->count - 1];
	for (uint32_t i = f->count - 1; i > 0; i--)
		root = merkle_node(&f->nodes[i - 1], &root);
	return root;
}

/* The path of RFC 6962 §2.1.1 walked from the root down, hence written backwards. */
uint32_t merkle_inclusion(
    const struct digest *leaves, uint64_t count, uint64_t index, struct digest out[MERKLE_DEPTH_MAX])
{
	assert(index < count);
	struct digest down[MERKLE_DEPTH_MAX];
	uint32_t depth = 0;
	while (count > 1) {
		uint64_t k = split(count);
		bool left = index < k;
		down[depth++] = left ? merkle_root(leaves + k, count - k) : merkle_root(leaves, k);
		leaves += left ? 0 : k;
		index -= left ? 0 : k;
		count = left ? k : count - k;
	}
	for (uint32_t i = 0; i < depth; i++)
		out[i] = down[depth - 1 - i];
	return depth;
}

/* SUBPROOF of RFC 6962 §2.1.2, from the root down. */
uint32_t merkle_consistency(
    const struct digest *leaves, uint64_t count, uint64_t from, struct digest out[MERKLE_DEPTH_MAX])
{
	assert(from > 0 && from <= count);
	struct digest down[MERKLE_DEPTH_MAX];
	uint32_t depth = 0;
	bool whole = true; /* the old tree is still this very subtree, whose root the verifier knows */
	while (from != count) {
		uint64_t k = split(count);
		if (from <= k) {
			down[depth++] = merkle_root(leaves + k, count - k);
			count = k;
		} else {
			down[depth++] = merkle_root(leaves, k);
			leaves += k;
			count -= k;
			from -= k;
			whole = false;
		}
	}
	if (!whole)
		down[depth++] = merkle_root(leaves, count);
	for (uint32_t i = 0; i < depth; i++)
		out[i] = down[depth - 1 - i];
	return depth;
}

static bool same(const struct digest *a, const struct digest *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* RFC 9162 §2.1.3.2 */
bool merkle_inclusion_valid(struct digest leaf, uint64_t index, uint64_t size, const struct digest *proof,
    size_t proof_count, struct digest root)
{
	if (index >= size)
		return false;
	uint64_t fn = index, sn = size - 1;
	struct digest r = leaf;
	for (size_t i = 0; i < proof_count; i++) {
		if (sn == 0)
			return false;
		if ((fn & 1) || fn == sn) {
			r = merkle_node(&proof[i], &r);
			while (!(fn & 1) && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			r = merkle_node(&r, &proof[i]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(&r, &root);
}

/* RFC 9162 §2.1.4.2 */
bool merkle_consistency_valid(uint64_t from, uint64_t to, struct digest from_root, struct digest to_root,
    const struct digest *proof, size_t proof_count)
{
	if (from == 0 || from > to)
		return false;
	if (from == to)
		return proof_count == 0 && same(&from_root, &to_root);
	size_t at = 0;
	struct digest fr = from_root;
	if ((from & (from - 1)) != 0) { /* not a power of two: the proof begins with a subtree of the old tree */
		if (proof_count == 0)
			return false;
		fr = proof[at++];
	}
	struct digest sr = fr;
	uint64_t fn = from - 1, sn = to - 1;
	while (fn & 1) {
		fn >>= 1;
		sn >>= 1;
	}
	for (; at < proof_count; at++) {
		if (sn == 0)
			return false;
		if ((fn & 1) || fn == sn) {
			fr = merkle_node(&proof[at], &fr);
			sr = merkle_node(&proof[at], &sr);
			while (!(fn & 1) && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			sr = merkle_node(&sr, &proof[at]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(&fr, &from_root) && same(&sr, &to_root);
}
