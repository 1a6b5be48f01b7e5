/* The tree of RFC 6962 by value: leaves, roots and proofs that Certificate Transparency's own implementations publish.
 */
#include <string.h>

#include "controller/audit/merkle.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

enum { LEAVES = 8 };
static const char *const inputs[LEAVES] = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
static const char *const roots[LEAVES + 1] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

static void leaves_make(struct digest out[LEAVES])
{
	for (int i = 0; i < LEAVES; i++) {
		uint8_t data[32];
		size_t size = strlen(inputs[i]) / 2;
		assert_int_equal(text_unhex(inputs[i], data, size, NULL), ERR_OK);
		out[i] = merkle_leaf(data, size);
	}
}

static void is(const struct digest *d, const char *hex)
{
	char text[65];
	assert_string_equal(text_hex(d->b, sizeof(d->b), text), hex);
}

static void test_roots(void **state)
{
	(void)state;
	struct digest leaves[LEAVES], d = merkle_empty();
	struct merkle_frontier f = {0};
	leaves_make(leaves);
	is(&d, roots[0]);
	for (uint64_t n = 1; n <= LEAVES; n++) {
		d = merkle_root(leaves, n);
		is(&d, roots[n]);
		merkle_frontier_add(&f, leaves[n - 1]);
		d = merkle_frontier_root(&f);
		is(&d, roots[n]);
		assert_int_equal(f.size, n);
	}
}

struct proof_case {
	uint64_t a, b;
	const char *nodes[4];
};

static void test_inclusion_by_value(void **state)
{
	(void)state;
	static const struct proof_case cases[] = {
	    {0, 1, {NULL}},
	    {0, 8,
		{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
		    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
	    {5, 8,
		{"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	    {2, 3, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
	    {1, 5,
		{"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
	};
	struct digest leaves[LEAVES], proof[MERKLE_DEPTH_MAX];
	leaves_make(leaves);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t count = merkle_inclusion(leaves, cases[i].b, cases[i].a, proof);
		for (uint32_t k = 0; k < count; k++)
			is(&proof[k], cases[i].nodes[k]);
		assert_null(cases[i].nodes[count]);
	}
}

static void test_consistency_by_value(void **state)
{
	(void)state;
	static const struct proof_case cases[] = {
	    {1, 1, {NULL}},
	    {1, 8,
		{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
		    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
	    {6, 8,
		{"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
		    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	    {2, 5,
		{"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
	};
	struct digest leaves[LEAVES], proof[MERKLE_DEPTH_MAX];
	leaves_make(leaves);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t count = merkle_consistency(leaves, cases[i].b, cases[i].a, proof);
		for (uint32_t k = 0; k < count; k++)
			is(&proof[k], cases[i].nodes[k]);
		assert_null(cases[i].nodes[count]);
	}
}

/* Every proof of every tree up to 70 leaves is accepted; and refused with a node, the leaf, the index or the length
 * changed. */
static void test_every_proof_verifies_and_no_other(void **state)
{
	(void)state;
	enum { N = 70 };
	static struct digest leaves[N];
	struct digest p[MERKLE_DEPTH_MAX];
	for (int i = 0; i < N; i++)
		leaves[i] = merkle_leaf(&i, sizeof(i));
	for (uint64_t n = 1; n <= N; n++) {
		struct digest root = merkle_root(leaves, n);
		for (uint64_t i = 0; i < n; i++) {
			uint32_t c = merkle_inclusion(leaves, n, i, p);
			assert_true(merkle_inclusion_valid(leaves[i], i, n, p, c, root));
			assert_false(merkle_inclusion_valid(leaves[(i + 1) % N], i, n, p, c, root));
			assert_false(merkle_inclusion_valid(leaves[i], i, n, p, c + 1, root));
			assert_false(merkle_inclusion_valid(leaves[i], n, n, p, c, root));
			if (c > 0) {
				assert_false(merkle_inclusion_valid(leaves[i], i, n, p, c - 1, root));
				p[c - 1].b[0] ^= 1;
				assert_false(merkle_inclusion_valid(leaves[i], i, n, p, c, root));
			}
		}
		for (uint64_t m = 1; m <= n; m++) {
			struct digest old = merkle_root(leaves, m);
			uint32_t c = merkle_consistency(leaves, n, m, p);
			assert_true(merkle_consistency_valid(m, n, old, root, p, c));
			assert_false(merkle_consistency_valid(m, n, old, root, p, c + 1));
			old.b[5] ^= 4;
			assert_false(merkle_consistency_valid(m, n, old, root, p, c));
			old.b[5] ^= 4;
			if (c > 0) {
				assert_false(merkle_consistency_valid(m, n, old, root, p, c - 1));
				p[0].b[9] ^= 1;
				assert_false(merkle_consistency_valid(m, n, old, root, p, c));
			}
		}
	}
	assert_false(merkle_consistency_valid(0, 4, leaves[0], leaves[1], p, 1));
	assert_false(merkle_consistency_valid(5, 4, leaves[0], leaves[1], p, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_roots),
	    cmocka_unit_test(test_inclusion_by_value),
	    cmocka_unit_test(test_consistency_by_value),
	    cmocka_unit_test(test_every_proof_verifies_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
