/* Converging: whatever was done to a tree, afterwards it is the restore point, by other people's eyes too. */
#include "tests/unit/agent/rollback/world.h"

static const char *const one_root = "    components:\n      config: { paths: [DIR/live] }\n";

static unsigned seeds(void)
{
	const char *given = getenv("KEDGE_SEEDS");
	return given ? (unsigned)strtoul(given, NULL, 10) : 40;
}

static void same_as_copy(struct world *w, uint64_t seed)
{
	char difference[4096];
	tree_difference(w->copy, w->live, difference, sizeof difference);
	if (*difference)
		fail_msg("seed %llu: %s", (unsigned long long)seed, difference);
}

static void whatever_was_done(void **state)
{
	(void)state;
	if (!tree_can_compare())
		skip();
	for (unsigned seed = 0; seed < seeds(); seed++) {
		struct world w;
		struct random r;
		random_init_seed(&r, seed);
		world_init(&w);
		world_configure(&w, one_root);
		tree_make(w.live, &r, 120);
		tree_copy(w.live, w.copy);
		struct id point = world_snapshot(&w);
		tree_mutate(w.live, &r, 1 + (unsigned)random_below(&r, 60));
		world_converge(&w, point);
		same_as_copy(&w, seed);
		assert_int_equal(world_leftovers(w.dir), 0);
		struct converge_counts again = world_converge(&w, point);
		assert_int_equal(again.made + again.replaced + again.removed + again.metadata, 0);
		world_done(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whatever_was_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
