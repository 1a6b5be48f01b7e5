/* Code of one schema never comes back beside a database of another, unless the plan says so: every pair of versions. */
#include "tests/unit/agent/rollback/service.h"

static const char *const yaml = "    components:\n"
				"      config: { paths: [DIR/live] }\n"
				"      data: { paths: [DIR/data] }\n"
				"    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n";

struct scene {
	struct world w;
	struct levers l;
	unsigned n;
};

static void scene_make(struct scene *s)
{
	*s = (struct scene){.n = 0};
	world_init(&s->w);
	s->l = (struct levers){.w = &s->w};
	write_control(&s->w);
	world_folder(&s->w, "live");
	world_folder(&s->w, "data");
	world_write(&s->w, "live/conf", "good\n");
	world_write(&s->w, "running", "");
	world_configure(&s->w, yaml);
}

/* As the keeper takes it; the configuration differs each time.  NULL: the schema is not known. */
static struct id point(struct scene *s, const char *schema, enum snapshot_reason reason)
{
	char text[32];
	struct snapshot_version v = {"data_schema", schema};
	struct snapshot_options o = {
	    .reason = reason, .now_ms = ++s->w.now_ms, .versions = &v, .version_count = schema ? 1 : 0};
	struct snapshot_summary made;
	text_format(text, sizeof text, "# %u\n", ++s->n);
	world_write(&s->w, "live/number", text);
	MUST(snapshot_create(s->w.repo, s->w.service, &o, s->w.arena, &made, err));
	return made.snapshot;
}

/* now: what its program says; NULL: it says nothing. */
static struct rollback_result run(struct scene *s, struct id to, uint32_t components, const char *now, bool cross)
{
	struct rollback_io io = levers_io(&s->l);
	struct rollback_request r = service_request(&s->w, to);
	struct snapshot_version v = {"data_schema", now};
	struct rollback_result done;
	r.components = components;
	r.cross_schema = cross;
	r.schema = &v;
	r.schema_count = now ? 1 : 0;
	MUST(rollback_run(s->w.repo, s->w.state, &r, &io, s->w.arena, &done, err));
	return done;
}

enum { CONFIG = 1 << COMPONENT_CONFIG, DATA = 1 << COMPONENT_DATA };

/* Then, in the newest restore point, now: what is now decides; where it is not said, the newest restore point does. */
static void every_pair(void **state)
{
	static const char *const versions[] = {NULL, "41", "42"};
	(void)state;
	for (unsigned i = 0; i < 27; i++) {
		const char *then = versions[i / 9], *newest = versions[i / 3 % 3], *now = versions[i % 3];
		const char *is = now ? now : newest;
		bool fits = (!then && !is) || (then && is && strcmp(then, is) == 0);
		struct scene s;
		char before[32], after[32];
		scene_make(&s);
		struct id target = point(&s, then, SNAPSHOT_MANUAL);
		(void)point(&s, newest, SNAPSHOT_MANUAL);
		world_read(&s.w, "live/number", before, sizeof before);
		struct rollback_result done = run(&s, target, CONFIG, now, false);
		world_read(&s.w, "live/number", after, sizeof after);
		if (fits ? done.outcome != ORDER_OK : done.outcome != ORDER_REFUSED)
			fail_msg("then %s, newest %s, now %s: ended %s: %s", then, newest, now,
			    enum_name(&order_outcome_enum, done.outcome), done.text);
		assert_true(fits || strcmp(before, after) == 0);
		if (!fits) {
			assert_non_null(strstr(done.text, "the schema of its data is"));
			assert_non_null(strstr(done.text, is ? is : "not known"));
			assert_non_null(strstr(done.text, then ? then : "not known"));
			assert_non_null(strstr(done.text, "--cross-schema"));
			assert_int_equal(run(&s, target, CONFIG, now, true).outcome, ORDER_OK); /* the plan says so */
		}
		world_done(&s.w);
	}
}

static void what_comes_too_may_be_of_any(void **state)
{
	struct scene s;
	(void)state;
	scene_make(&s);
	struct id target = point(&s, "41", SNAPSHOT_MANUAL);
	(void)point(&s, "42", SNAPSHOT_MANUAL);
	assert_int_equal(run(&s, target, DATA | CONFIG, "42", false).outcome, ORDER_OK);
	world_done(&s.w);
}

/* A safety net says nothing of schemas, and the way back is always open. */
static void the_way_back(void **state)
{
	struct scene s;
	(void)state;
	scene_make(&s);
	struct id target = point(&s, "41", SNAPSHOT_MANUAL);
	(void)point(&s, "42", SNAPSHOT_MANUAL);
	struct rollback_result done = run(&s, target, CONFIG, "42", true);
	assert_int_equal(done.outcome, ORDER_OK);
	assert_int_equal(run(&s, done.safety_snapshot, CONFIG, "42", false).outcome, ORDER_OK);
	world_done(&s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_pair), cmocka_unit_test(what_comes_too_may_be_of_any),
	    cmocka_unit_test(the_way_back)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
