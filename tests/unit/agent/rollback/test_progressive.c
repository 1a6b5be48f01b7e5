/* Progressive rollbacks: which restore point is tried next, what is never tried, where they end. */
#include "tests/unit/agent/rollback/service.h"

#include <signal.h>
#include <sys/wait.h>

#include "agent/rollback/progressive.h"

/* ---- the search alone ---- */

/* The fault came with generation `fault` of `count` (1 .. count + 1).  Returns how often it asked. */
static unsigned searched(unsigned count, unsigned fault, unsigned *ret_found, unsigned *ret_last)
{
	struct search s;
	unsigned asked = 0, at;
	search_begin(&s, count);
	*ret_last = 0;
	while ((at = search_next(&s))) {
		assert_true(at >= 1 && at <= count && ++asked <= count);
		search_learn(&s, at, at < fault);
		if (at >= fault && at < s.bad)
			s.bad = at;
		*ret_last = at;
	}
	*ret_found = s.good;
	return asked;
}

static void every_fault_is_found(void **state)
{
	(void)state;
	for (unsigned count = 1; count <= SEARCH_PLACES_MAX; count++)
		for (unsigned fault = 1; fault <= count + 1; fault++) {
			unsigned found, last, asked = searched(count, fault, &found, &last);
			assert_int_equal(found, fault - 1);
			assert_true(asked <= 5);
			if (count <= SEARCH_WALK_MAX && found) /* a walk stays where it was well */
				assert_int_equal(last, found);
		}
	unsigned found, last;
	assert_int_equal(searched(16, 11, &found, &last), 4);
	assert_int_equal(last, 10); /* it is there already */
}

/* ---- a service with generations ---- */

enum { GENERATIONS = 16 };

static const char *const config_only = "    components:\n"
				       "      config: { paths: [DIR/live] }\n"
				       "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n"
				       "    probes:\n"
				       "      - { name: one, tier: shallow, exec: [/bin/true] }\n";
static const char *const all_three = "    components:\n"
				     "      config: { paths: [DIR/live] }\n"
				     "      code: { paths: [DIR/code] }\n"
				     "      data: { paths: [DIR/data] }\n"
				     "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n"
				     "    probes:\n"
				     "      - { name: one, tier: shallow, exec: [/bin/true] }\n";

struct history {
	struct world w;
	struct levers l;
	struct id taken[GENERATIONS + 1];
};

static bool holds(const struct world *w, const char *name, const char *word)
{
	char text[64];
	return strstr(world_read(w, name, text, sizeof text), word) != NULL;
}

/* Well as long as no component holds the word "fault". */
static bool prove_words(void *ctx, const char *service, bool deep, char text[ROLLBACK_TEXT_MAX])
{
	struct levers *l = ctx;
	(void)service;
	l->proofs++;
	text_copy(text, ROLLBACK_TEXT_MAX, "one: fault");
	return world_has(l->w, "running") && (!deep || !holds(l->w, "live/conf", "flaw")) &&
	       !holds(l->w, "live/conf", "fault") && !holds(l->w, "code/app", "fault") &&
	       !holds(l->w, "data/rows", "fault");
}

static bool confirm_never(
    void *ctx, const struct service_config *service, uint64_t in_place_ms, char text[ROLLBACK_TEXT_MAX])
{
	(void)service;
	(void)in_place_ms;
	((struct levers *)ctx)->confirms++;
	text_copy(text, ROLLBACK_TEXT_MAX, "nothing was heard");
	return false;
}

static void history_begin(struct history *h, const char *yaml)
{
	world_init(&h->w);
	h->l = (struct levers){.w = &h->w};
	write_control(&h->w);
	world_folder(&h->w, "live");
	world_folder(&h->w, "code");
	world_folder(&h->w, "data");
	world_write(&h->w, "code/app", "app 1");
	world_write(&h->w, "data/rows", "rows 1");
	world_write(&h->w, "running", "");
	world_configure(&h->w, yaml);
}

static void generation(struct history *h, const char *file, unsigned n, bool faulty)
{
	char text[64];
	text_format(text, sizeof text, "generation %u%s", n, faulty ? " with the fault" : "");
	world_write(&h->w, file, text);
	h->taken[n] = world_snapshot(&h->w);
}

static struct rollback_result progress(struct history *h, struct rollback_request *r)
{
	struct rollback_io io = levers_io(&h->l);
	struct rollback_result done;
	io.prove = prove_words;
	*r = (struct rollback_request){.order = id_is_zero(r->order) ? world_id(&h->w) : r->order,
	    .service = h->w.service,
	    .snapshot = r->snapshot,
	    .components = r->components};
	MUST(rollback_progressive(h->w.repo, h->w.state, r, &io, h->w.arena, &done, err));
	return done;
}

static void is_outcome(const struct rollback_result *done, enum order_outcome want)
{
	if (done->outcome != want)
		fail_msg("ended %s: %s", enum_name(&order_outcome_enum, done->outcome), done->text ? done->text : "-");
}

static void sixteen(struct history *h, unsigned fault)
{
	history_begin(h, config_only);
	for (unsigned n = 1; n <= GENERATIONS; n++)
		generation(h, "live/conf", n, n >= fault);
}

/* R11: it stops at the first that cuts the host off, and goes back to where it began. */
static void r11_nothing_is_tried_after_a_cut(void **state)
{
	(void)state;
	struct history h;
	char yaml[1024];
	history_begin(
	    &h, (text_format(yaml, sizeof yaml, "%s    rollback: { confirm_within: 90s }\n", config_only), yaml));
	for (unsigned n = 1; n <= GENERATIONS; n++)
		generation(&h, "live/conf", n, n >= 3);
	h.l.unheard = true;
	struct rollback_request r = {0};
	struct rollback_io io = levers_io(&h.l);
	struct rollback_result done;
	io.prove = prove_words;
	io.confirm = confirm_never;
	r = (struct rollback_request){.order = world_id(&h.w), .service = h.w.service};
	MUST(rollback_progressive(h.w.repo, h.w.state, &r, &io, h.w.arena, &done, err));
	is_outcome(&done, ORDER_REVERTED);
	assert_int_equal(h.l.confirms, 1);
	char now[64], want[64];
	text_format(want, sizeof want, "generation %u with the fault", GENERATIONS);
	assert_string_equal(world_read(&h.w, "live/conf", now, sizeof now), want);
	world_done(&h.w);
}

static void fault_in_the_eleventh(void **state)
{
	(void)state;
	for (unsigned edited = 0; edited < 2;
	     edited++) { /* what runs is the newest restore point, or something newer */
		struct history h;
		sixteen(&h, 11);
		if (edited)
			world_write(&h.w, "live/conf", "the fault, tried to mend by hand");
		struct rollback_request r = {0};
		struct rollback_result done = progress(&h, &r);
		is_outcome(&done, ORDER_OK);
		assert_true(h.l.proofs <= 4);
		assert_true(done.digests_match && done.healthy);
		assert_true(id_equal(done.snapshot, h.taken[10]));
		assert_true(holds(&h.w, "live/conf", "generation 10"));
		assert_false(id_is_zero(done.safety_snapshot));
		/* Asked again, it answers and does nothing. */
		unsigned before = h.l.proofs;
		done = progress(&h, &r);
		is_outcome(&done, ORDER_OK);
		assert_true(id_equal(done.snapshot, h.taken[10]));
		assert_int_equal(h.l.proofs, before);
		world_done(&h.w);
	}
}

static void every_place_of_the_fault(void **state)
{
	(void)state;
	for (unsigned fault = 2; fault <= GENERATIONS; fault += 7) {
		struct history h;
		sixteen(&h, fault);
		struct rollback_request r = {0};
		struct rollback_result done = progress(&h, &r);
		is_outcome(&done, ORDER_OK);
		assert_true(id_equal(done.snapshot, h.taken[fault - 1]));
		assert_true(h.l.proofs <= 6); /* five questions, and once more where it stays */
		world_done(&h.w);
	}
}

/* Only the deep probes see it: shallow ones would stay on the first that is tried. */
static void what_deep_probes_see_counts(void **state)
{
	(void)state;
	struct history h;
	char text[64];
	history_begin(&h, config_only);
	for (unsigned n = 1; n <= GENERATIONS; n++) {
		text_format(text, sizeof text, "generation %u%s", n, n >= 11 ? " with the flaw" : "");
		world_write(&h.w, "live/conf", text);
		h.taken[n] = world_snapshot(&h.w);
	}
	struct rollback_request r = {0};
	struct rollback_result done = progress(&h, &r);
	is_outcome(&done, ORDER_OK);
	assert_true(id_equal(done.snapshot, h.taken[10]));
	assert_true(h.l.proofs <= 4);
	world_done(&h.w);
}

static void none_helps(void **state)
{
	(void)state;
	struct history h;
	sixteen(&h, 1);
	world_write(&h.w, "live/conf", "as it was, with the fault");
	uint64_t before = tree_fingerprint(h.w.live);
	struct rollback_request r = {0};
	struct rollback_result done = progress(&h, &r);
	is_outcome(&done, ORDER_REVERTED);
	assert_non_null(strstr(done.text, "no restore point helped"));
	assert_true(tree_fingerprint(h.w.live) == before);
	assert_int_equal(world_leftovers(h.w.dir), 0);
	assert_true(world_has(&h.w, "running"));
	world_done(&h.w);
}

/* Configuration first: code and data stay what they are. */
static void cheapest_first(void **state)
{
	(void)state;
	struct history h;
	history_begin(&h, all_three);
	world_write(&h.w, "live/conf", "conf 1");
	struct id first = world_snapshot(&h.w);
	world_write(&h.w, "live/conf", "fault");
	world_write(&h.w, "code/app", "app 2");
	world_write(&h.w, "data/rows", "rows 2");
	struct rollback_request r = {0};
	struct rollback_result done = progress(&h, &r);
	is_outcome(&done, ORDER_OK);
	assert_true(id_equal(done.snapshot, first));
	assert_int_equal(done.tries, 1);
	assert_true(holds(&h.w, "live/conf", "conf 1") && holds(&h.w, "code/app", "app 2") &&
		    holds(&h.w, "data/rows", "rows 2"));
	world_write(&h.w, "code/app", "fault");
	r = (struct rollback_request){0};
	done = progress(&h, &r);
	is_outcome(&done, ORDER_OK);
	assert_true(holds(&h.w, "code/app", "app 1") && holds(&h.w, "data/rows", "rows 2"));
	world_write(&h.w, "data/rows", "fault");
	r = (struct rollback_request){0};
	done = progress(&h, &r);
	is_outcome(&done, ORDER_OK);
	assert_true(holds(&h.w, "data/rows", "rows 1"));
	world_done(&h.w);
}

/* Data is newer than the fault in code, and stays. */
static void older_code_keeps_its_data(void **state)
{
	(void)state;
	struct history h;
	char text[32];
	history_begin(&h, all_three);
	world_write(&h.w, "live/conf", "conf 1");
	for (unsigned n = 1; n <= 6; n++) {
		text_format(text, sizeof text, "rows %u", n);
		world_write(&h.w, "data/rows", text);
		generation(&h, "code/app", n, n >= 4);
	}
	world_write(&h.w, "data/rows", "rows 7");
	struct rollback_request r = {0};
	struct rollback_result done = progress(&h, &r);
	is_outcome(&done, ORDER_OK);
	assert_true(id_equal(done.snapshot, h.taken[3]));
	assert_true(holds(&h.w, "code/app", "generation 3") && holds(&h.w, "data/rows", "rows 7"));
	/* Without leave to touch code, nothing may. */
	world_write(&h.w, "code/app", "fault");
	r = (struct rollback_request){.components = 1u << COMPONENT_CONFIG};
	done = progress(&h, &r);
	is_outcome(&done, ORDER_REFUSED);
	assert_true(holds(&h.w, "code/app", "fault"));
	world_done(&h.w);
}

/* Code from before a migration does not meet the data of after it. */
static void not_past_a_schema_barrier(void **state)
{
	(void)state;
	struct history h;
	history_begin(&h, all_three);
	world_write(&h.w, "live/conf", "conf 1");
	for (unsigned n = 1; n <= 4; n++) {
		char text[64];
		struct snapshot_version schema = {"data_schema", n < 3 ? "41" : "42"};
		struct snapshot_options o = {
		    .reason = SNAPSHOT_MANUAL, .now_ms = ++h.w.now_ms, .versions = &schema, .version_count = 1};
		struct snapshot_summary made;
		text_format(text, sizeof text, "generation %u%s", n, n >= 3 ? " with the fault" : "");
		world_write(&h.w, "code/app", text);
		MUST(snapshot_create(h.w.repo, h.w.service, &o, h.w.arena, &made, err));
		h.taken[n] = made.snapshot;
	}
	struct rollback_request r = {.components = 1u << COMPONENT_CONFIG | 1u << COMPONENT_CODE};
	struct rollback_result done = progress(&h, &r);
	assert_true(done.outcome == ORDER_REVERTED || done.outcome == ORDER_REFUSED);
	assert_true(holds(&h.w, "code/app", "generation 4"));
	r = (struct rollback_request){0}; /* the data goes along: then it may */
	done = progress(&h, &r);
	is_outcome(&done, ORDER_OK);
	assert_true(id_equal(done.snapshot, h.taken[2]));
	world_done(&h.w);
}

static void suspect_ones_are_not_tried(void **state)
{
	(void)state;
	struct history h;
	history_begin(&h, config_only);
	generation(&h, "live/conf", 1, false);
	struct snapshot_options o = {.reason = SNAPSHOT_SCHEDULED, .suspect = true, .now_ms = ++h.w.now_ms};
	struct snapshot_summary made;
	world_write(&h.w, "live/conf", "taken while it was not well");
	MUST(snapshot_create(h.w.repo, h.w.service, &o, h.w.arena, &made, err));
	generation(&h, "live/conf", 3, true);
	struct rollback_request r = {0};
	struct rollback_result done = progress(&h, &r);
	is_outcome(&done, ORDER_OK);
	assert_true(id_equal(done.snapshot, h.taken[1]));
	assert_int_equal(done.tries, 1);
	world_done(&h.w);
}

/* ---- killed on its way ---- */

static void die_at_proof(struct world *w, const struct order_step *s)
{
	(void)w;
	static unsigned seen;
	if (s->kind == STEP_START && ++seen == 2)
		kill(getpid(), SIGKILL);
}

static void goes_on_after_a_kill(void **state)
{
	(void)state;
	struct history h;
	sixteen(&h, 11);
	struct rollback_request r = {.order = world_id(&h.w)};
	repo_close(h.w.repo);
	h.w.repo = NULL;
	pid_t child = fork();
	if (child == 0) {
		struct err why = ERR_INIT;
		h.l.on_step = die_at_proof;
		if (repo_open(h.w.repo_path, "h1", &h.w.repo, &why) == ERR_OK)
			(void)progress(&h, &r);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	MUST(repo_open(h.w.repo_path, "h1", &h.w.repo, err));
	struct list pending;
	MUST(rollback_progressive_pending(h.w.state, h.w.arena, &pending, err));
	assert_int_equal(pending.count, 1);
	assert_true(rollback_is_progressive(h.w.state, r.order));
	struct rollback_result done = progress(&h, &r);
	is_outcome(&done, ORDER_OK);
	assert_true(id_equal(done.snapshot, h.taken[10]));
	assert_true(holds(&h.w, "live/conf", "generation 10"));
	MUST(rollback_progressive_pending(h.w.state, h.w.arena, &pending, err));
	assert_int_equal(pending.count, 0);
	assert_int_equal(world_leftovers(h.w.dir), 0);
	world_done(&h.w);
}

static void cancelled_on_its_way(void **state)
{
	(void)state;
	struct history h;
	sixteen(&h, 1);
	uint64_t before = tree_fingerprint(h.w.live);
	h.l.cancel_at = 8; /* after the first try */
	struct rollback_request r = {0};
	struct rollback_result done = progress(&h, &r);
	assert_true(done.outcome == ORDER_REVERTED || done.outcome == ORDER_CANCELLED);
	assert_true(done.tries < 4);
	assert_true(tree_fingerprint(h.w.live) == before);
	world_done(&h.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_fault_is_found),
	    cmocka_unit_test(r11_nothing_is_tried_after_a_cut),
	    cmocka_unit_test(fault_in_the_eleventh),
	    cmocka_unit_test(every_place_of_the_fault),
	    cmocka_unit_test(what_deep_probes_see_counts),
	    cmocka_unit_test(none_helps),
	    cmocka_unit_test(cheapest_first),
	    cmocka_unit_test(older_code_keeps_its_data),
	    cmocka_unit_test(not_past_a_schema_barrier),
	    cmocka_unit_test(suspect_ones_are_not_tried),
	    cmocka_unit_test(goes_on_after_a_kill),
	    cmocka_unit_test(cancelled_on_its_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
