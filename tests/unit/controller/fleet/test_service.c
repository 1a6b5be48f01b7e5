#include "shared/base/text.h"
#include "tests/lib/fleet_world.h"

static void names_are(const struct list *l, const char *want)
{
	char text[256] = "";
	for (size_t i = 0; i < l->count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, LIST_AT(*l, const char *, i));
	}
	assert_string_equal(text, want);
}

static void test_services_follow_the_hello(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	const char *db[] = {"db"};
	struct declared_service two[] = {declared("portal", db), declared("db", NULL)};
	host_up(&w, "web-1", 1, two, 2);
	host_up(&w, "web-2", 2, two, 1);
	struct list l;
	struct service s;
	bool found;
	ok(fleet_placements(w.turn, "portal", &l, ERR_HERE));
	assert_int_equal(l.count, 2);
	ok(fleet_host_placements(w.turn, "web-1", &l, ERR_HERE));
	assert_int_equal(l.count, 2);
	assert_string_equal(LIST_AT(l, struct placement, 0).service, "db");
	ok(fleet_service_get(w.turn, "portal", &s, &found, ERR_HERE));
	names_are(&s.depends_on, "db");
	/* db leaves agent.yaml */
	world_after(&w, 1000);
	host_up(&w, "web-1", 3, two, 1);
	ok(fleet_host_placements(w.turn, "web-1", &l, ERR_HERE));
	assert_int_equal(l.count, 1);
	ok(fleet_service_get(w.turn, "db", &s, &found, ERR_HERE));
	assert_true(s.undeclared);
	ok(fleet_service_get(w.turn, "portal", &s, &found, ERR_HERE));
	assert_false(s.undeclared);
	/* and comes back */
	world_after(&w, 1000);
	host_up(&w, "web-1", 4, two, 2);
	ok(fleet_service_get(w.turn, "db", &s, &found, ERR_HERE));
	assert_false(s.undeclared);
	world_close(&w);
}

static void test_names_that_would_be_taken_for_others_are_refused(void **state)
{
	(void)state;
	static const char *const names[] = {"a/b", "/", "*", "-", ""};
	struct world w;
	world_open(&w);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct declared_service one[] = {declared(names[i], NULL)};
		struct hello h = hello_of(&w, "web-1", boot_id(1), one, 1);
		struct hello_outcome out;
		refused(ERR_INVALID, fleet_on_hello(w.turn, &fleet_rules, "web-1", &h, &out, ERR_HERE));
	}
	world_close(&w);
}

static void test_unchanged_hello_writes_no_service(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct declared_service one[] = {declared("portal", NULL)};
	host_up(&w, "web-1", 1, one, 1);
	world_after(&w, 1000);
	host_up(&w, "web-1", 1, one, 1);
	ok(batch_end(w.batch, w.turn, true, ERR_HERE));
	const struct turn_write *writes;
	size_t count;
	ok(batch_writes(w.batch, &writes, &count, ERR_HERE));
	for (size_t i = 0; i < count; i++) {
		assert_int_not_equal(strcmp((const char *)writes[i].key.data, "service"), 0);
		assert_int_not_equal(strcmp((const char *)writes[i].key.data, "placement"), 0);
	}
	ok(batch_begin(w.batch, &w.turn, ERR_HERE));
	world_close(&w);
}

/* front → api → db, front → cache → db, db → front (a cycle), and a name that nobody runs. */
static void test_graph_is_walked_nearest_first_and_ends_in_cycles(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	const char *api_cache[] = {"cache", "api"}, *db[] = {"db"}, *front_ghost[] = {"ghost", "front"};
	struct declared_service all[] = {declared("front", api_cache), declared("api", db), declared("cache", db),
	    declared("db", front_ghost), declared("alone", NULL)};
	all[0].depends_on.count = 2;
	all[3].depends_on.count = 2;
	host_up(&w, "web-1", 1, all, 5);
	struct list l;
	ok(fleet_dependencies(w.turn, "front", &l, ERR_HERE));
	names_are(&l, "api cache db ghost");
	ok(fleet_dependents(w.turn, "db", &l, ERR_HERE));
	names_are(&l, "api cache front");
	ok(fleet_dependents(w.turn, "ghost", &l, ERR_HERE));
	names_are(&l, "db api cache front");
	ok(fleet_dependencies(w.turn, "alone", &l, ERR_HERE));
	assert_int_equal(l.count, 0);
	ok(fleet_dependents(w.turn, "alone", &l, ERR_HERE));
	assert_int_equal(l.count, 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_services_follow_the_hello),
	    cmocka_unit_test(test_names_that_would_be_taken_for_others_are_refused),
	    cmocka_unit_test(test_unchanged_hello_writes_no_service),
	    cmocka_unit_test(test_graph_is_walked_nearest_first_and_ends_in_cycles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
