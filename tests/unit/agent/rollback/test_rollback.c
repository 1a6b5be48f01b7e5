/* Every way in which a rollback can end, and what is there afterwards, to the bit. */
#include "agent/rollback/view.h"
#include "shared/base/clock.h"
#include "tests/unit/agent/rollback/service.h"

#include <sys/wait.h>
#include <time.h>

/* What every test begins with: a good point, then a bad change. */
struct scene {
	struct world w;
	struct levers l;
	struct id good;
	struct prints good_is, bad_is;
};

static void scene_make(struct scene *s, const char *yaml)
{
	world_init(&s->w);
	s->l = (struct levers){.w = &s->w};
	service_make(&s->w, yaml, 11, 60);
	s->good = world_snapshot(&s->w);
	s->good_is = prints_of(&s->w);
	service_break(&s->w, 12, 25);
	s->bad_is = prints_of(&s->w);
	assert_false(prints_equal(s->good_is, s->bad_is));
}

static void scene_done(struct scene *s)
{
	world_done(&s->w);
}

static struct rollback_result run_request(struct scene *s, const struct rollback_request *r)
{
	struct rollback_io io = levers_io(&s->l);
	struct rollback_result done;
	MUST(rollback_run(s->w.repo, s->w.state, r, &io, s->w.arena, &done, err));
	return done;
}

static struct rollback_result run(struct scene *s)
{
	struct rollback_request r = service_request(&s->w, s->good);
	return run_request(s, &r);
}

static void is_whole(struct scene *s, bool good)
{
	assert_true(prints_equal(prints_of(&s->w), good ? s->good_is : s->bad_is));
	assert_int_equal(world_leftovers(s->w.dir), 0);
	struct list pending;
	MUST(rollback_pending(s->w.state, s->w.arena, &pending, err));
	assert_int_equal(pending.count, 0);
}

static void ends(struct scene *s, struct rollback_result done, enum order_outcome outcome, const char *says)
{
	if (done.outcome != outcome || (says && (!done.text || !strstr(done.text, says))))
		fail_msg("ended %s: %s; expected %s: %s", enum_name(&order_outcome_enum, done.outcome),
		    done.text ? done.text : "-", enum_name(&order_outcome_enum, outcome), says ? says : "-");
	is_whole(s, outcome == ORDER_OK || outcome == ORDER_OK_WITH_EXCEPTIONS);
}

/* Where mounts are allowed, the check is asked before the service is stopped, too. */
static void log_is(struct scene *s, const char *want)
{
	char log[256], seen[256] = "";
	world_read(&s->w, "log", log, sizeof log);
	for (char *at = strtok(log, "\n"); at; at = strtok(NULL, "\n")) {
		if (text_equal(at, "stop") && text_ends(seen, "check "))
			seen[strlen(seen) - strlen("check ")] = '\0';
		strcat(strcat(seen, at), " ");
	}
	assert_string_equal(seen, want);
}

/* May programs be shown other trees here?  Then a check that fails refuses, else it is only found out in place. */
static bool sees_staged(const struct scene *s)
{
	const char *program = "/bin/true";
	struct list argv = {&program, 1};
	char from[WORLD_PATH];
	world_path(&s->w, "data", from);
	struct view_tree tree = {.from = from, .at = s->w.live, .over = true};
	bool seen;
	MUST(view_run(&tree, 1, &argv, 10000, &seen, err));
	return seen;
}

/* The check sees what would be there, nobody else does, and what it refuses is not touched. */
static void its_check_sees_what_is_staged(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	if (!sees_staged(&s)) {
		printf("no mounts here: left to the check in place\n");
		scene_done(&s);
		return;
	}
	struct id bad = world_snapshot(&s.w);
	struct rollback_request r = service_request(&s.w, s.good);
	assert_int_equal(run_request(&s, &r).outcome, ORDER_OK);
	world_write(&s.w, "log", "");
	r = service_request(&s.w, bad);
	struct rollback_result done = run_request(&s, &r);
	assert_int_equal(done.outcome, ORDER_REFUSED);
	assert_non_null(strstr(done.text, "live/conf is not good"));
	log_is(&s, "check ");
	is_whole(&s, true);
	assert_true(world_has(&s.w, "running"));
	scene_done(&s);
}

/* Files made, replaced and removed, folders made and removed: all of it as it would be. */
static void every_kind_of_change_is_shown(void **state)
{
	(void)state;
	struct scene s = {0};
	char path[WORLD_PATH];
	world_init(&s.w);
	s.l.w = &s.w;
	world_folder(&s.w, "live");
	world_folder(&s.w, "live/old");
	world_write(&s.w, "live/old/a", "a");
	world_write(&s.w, "live/conf", "of then");
	world_write(&s.w, "live/kept", "kept");
	world_configure(&s.w, "    components: { config: { paths: [DIR/live] } }\n"
			      "    steps: { check: [DIR/look], timeout: 10s }\n");
	struct id then = world_snapshot(&s.w);
	assert_int_equal(unlink(world_path(&s.w, "live/old/a", path)), 0);
	assert_int_equal(rmdir(world_path(&s.w, "live/old", path)), 0);
	world_write(&s.w, "live/conf", "of now");
	world_folder(&s.w, "live/new");
	world_write(&s.w, "live/new/b", "b");
	world_write(&s.w, "live/c", "c");
	FILE *f = fopen(world_path(&s.w, "look", path), "we");
	assert_non_null(f);
	fprintf(f,
	    "#!/bin/sh\ncd %s/live && [ \"$(cat conf)\" = 'of then' ] && [ -e old/a ] && [ ! -e new ] && [ ! -e c ] && "
	    "[ -e kept ] && ! touch conf 2>/dev/null && touch ../looked\n",
	    s.w.dir);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
	if (sees_staged(&s)) {
		struct rollback_request r = service_request(&s.w, then);
		struct rollback_io io = levers_io(&s.l);
		struct rollback_result done;
		io.step = lever_step;
		MUST(rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, err));
		assert_true(world_has(&s.w, "looked"));
		assert_true(
		    s.l.steps[1].kind == STEP_CHECK && s.l.steps[1].ok); /* before; in place conf can be touched */
	}
	scene_done(&s);
}

/* ---- it goes well ---- */

static void ok(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	struct rollback_result done = run(&s);
	ends(&s, done, ORDER_OK, "equals its restore point");
	assert_true(done.digests_match && done.healthy);
	assert_false(id_is_zero(done.safety_snapshot));
	assert_int_equal(done.components.count, 2);
	log_is(&s, "stop check start ");
	static const enum step_kind order[] = {STEP_STAGE, STEP_CHECK, STEP_SAFETY, STEP_STOP, STEP_PLAN, STEP_RESTORE,
	    STEP_CHECK, STEP_START, STEP_VERIFY};
	assert_int_equal(s.l.step_count, sizeof order / sizeof *order);
	assert_int_equal(done.steps.count, s.l.step_count);
	for (unsigned i = 0; i < s.l.step_count; i++) {
		assert_int_equal(s.l.steps[i].kind, order[i]);
		assert_true(s.l.steps[i].ok);
	}
	struct snapshot_summary safety;
	MUST(snapshot_get(s.w.repo, done.safety_snapshot, s.w.arena, &safety, err));
	assert_true(safety.suspect);
	assert_int_equal(safety.reason, SNAPSHOT_SAFETY);
	scene_done(&s);
}

/* Of the state that is there now, as a plan would carry it. */
static struct digest precondition_now(struct scene *s)
{
	struct digest live[COMPONENT_COUNT] = {0}, now;
	struct diff_options o = {0};
	struct snapshot *seen;
	struct diff_result d;
	MUST(snapshot_open(s->w.repo, s->good, &seen, err));
	MUST(snapshot_diff_live(seen, s->w.service, &o, NULL, NULL, &d, err));
	snapshot_close(seen);
	live[COMPONENT_CONFIG] = d.component[COMPONENT_CONFIG].digest;
	MUST(precondition_digest(live, 1u << COMPONENT_CONFIG | 1u << COMPONENT_DATA, &now, err));
	return now;
}

/* Configuration that has changed since it was planned: nothing is touched, nothing is stopped.  Data may have. */
static void planned_on_another_state(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	struct rollback_request r = service_request(&s.w, s.good);
	r.precondition = precondition_now(&s);
	world_write(&s.w, "live/conf", "bad, and then worse\n");
	s.bad_is = prints_of(&s.w);
	ends(&s, run_request(&s, &r), ORDER_REFUSED, "not any more what this was planned on");
	assert_false(world_has(&s.w, "log"));
	r.order = world_id(&s.w);
	r.precondition = precondition_now(&s);
	world_write(&s.w, "data/more", "data changes by being used");
	ends(&s, run_request(&s, &r), ORDER_OK, "equals its restore point");
	scene_done(&s);
}

static void one_component_alone(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	struct rollback_request r = service_request(&s.w, s.good);
	r.components = 1u << COMPONENT_CONFIG;
	struct rollback_result done = run_request(&s, &r);
	assert_int_equal(done.outcome, ORDER_OK);
	assert_true(prints_of(&s.w).live == s.good_is.live);
	assert_true(prints_of(&s.w).data == s.bad_is.data);
	scene_done(&s);
}

/* R3: there and back again, as often as one likes. */
static void undo_of_an_undo(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	struct rollback_result first = run(&s);
	ends(&s, first, ORDER_OK, NULL);
	struct rollback_request r = service_request(&s.w, first.safety_snapshot);
	r.as_it_was = true; /* the state before was broken: it neither checks nor starts well */
	struct rollback_result undone = run_request(&s, &r);
	assert_int_equal(undone.outcome, ORDER_OK_WITH_EXCEPTIONS);
	assert_non_null(strstr(undone.text, "live/conf is not good"));
	assert_true(undone.digests_match);
	assert_false(undone.healthy);
	is_whole(&s, false);
	r = service_request(&s.w, undone.safety_snapshot);
	ends(&s, run_request(&s, &r), ORDER_OK, NULL);
	r = service_request(&s.w, first.safety_snapshot); /* not as an undo: what was broken is not accepted */
	struct rollback_result refused = run_request(&s, &r);
	assert_int_equal(refused.outcome, sees_staged(&s) ? ORDER_REFUSED : ORDER_REVERTED);
	assert_non_null(strstr(refused.text, "live/conf is not good"));
	is_whole(&s, true);
	scene_done(&s);
}

/* P8: nothing was changed, so nothing is stopped. */
static void nothing_differs(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	ends(&s, run(&s), ORDER_OK, NULL);
	s.l.step_count = 0;
	struct rollback_result done = run(&s);
	ends(&s, done, ORDER_OK, "nothing was changed");
	assert_true(id_is_zero(done.safety_snapshot));
	log_is(&s, "stop check start ");
	char path[WORLD_PATH];
	assert_int_equal(unlink(world_path(&s.w, "running", path)), 0); /* it only died */
	ends(&s, run(&s), ORDER_OK, "started anew");
	log_is(&s, "stop check start stop check start ");
	s.l.unwell = true;
	done = run(&s);
	assert_int_equal(done.outcome, ORDER_REVERTED);
	assert_non_null(strstr(done.text, "no answer"));
	is_whole(&s, true);
	scene_done(&s);
}

/* What the service writes between staging and stopping is put back, and saved. */
static void it_writes_until_it_stops(void **state)
{
	(void)state;
	char path[WORLD_PATH], text[64];
	struct scene s;
	scene_make(&s, service_yaml);
	world_write(&s.w, "on-stop", "#!/bin/sh\necho last words >data/last\nrm -f live/conf\n");
	assert_int_equal(chmod(world_path(&s.w, "on-stop", path), 0755), 0);
	struct rollback_result done = run(&s);
	ends(&s, done, ORDER_OK, NULL);
	assert_false(world_has(&s.w, "data/last"));
	assert_int_equal(unlink(path), 0);
	struct rollback_request r = service_request(&s.w, done.safety_snapshot);
	r.as_it_was = true;
	done = run_request(&s, &r);
	assert_true(done.digests_match);
	assert_string_equal(world_read(&s.w, "data/last", text, sizeof text), "last words\n");
	assert_false(world_has(&s.w, "live/conf"));
	scene_done(&s);
}

static void never_restored_paths_are_named(void **state)
{
	(void)state;
	char text[64];
	struct scene s;
	scene_make(&s, "    components:\n      config: { paths: [DIR/live], never_restore: [DIR/live/key] }\n");
	world_write(&s.w, "live/key", "rotated");
	struct rollback_result done = run(&s);
	assert_int_equal(done.outcome, ORDER_OK_WITH_EXCEPTIONS);
	assert_non_null(strstr(done.text, "live/key"));
	assert_true(done.digests_match);
	assert_string_equal(world_read(&s.w, "live/key", text, sizeof text), "rotated");
	scene_done(&s);
}

static void a_root_that_is_gone(void **state)
{
	(void)state;
	char path[WORLD_PATH];
	struct scene s;
	scene_make(&s, service_yaml);
	const char *argv[] = {"/bin/rm", "-rf", s.w.live, world_path(&s.w, "data", path), NULL};
	assert_int_equal(tool_run(argv, NULL, 0), 0);
	s.bad_is = prints_of(&s.w);
	s.l.unwell = true; /* first it fails, and both are gone again */
	ends(&s, run(&s), ORDER_REVERTED, "no answer");
	s.l.unwell = false;
	ends(&s, run(&s), ORDER_OK, NULL);
	scene_done(&s);
}

/* ---- it does not ---- */

static void probes_fail(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	s.l.unwell = true;
	struct rollback_result done = run(&s);
	ends(&s, done, ORDER_REVERTED, "its probes do not pass: one: no answer");
	assert_false(done.healthy || done.digests_match);
	log_is(&s, "stop check start stop start ");
	scene_done(&s);
}

/* Another fault beside the one that this was for: what is in place stays, and that is told. */
static void it_helped_and_something_else_is_wrong(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	s.l.unwell = s.l.better = true;
	struct rollback_result done = run(&s);
	ends(&s, done, ORDER_OK_WITH_EXCEPTIONS, "something else is wrong, too: one: no answer");
	assert_true(done.digests_match && done.better);
	assert_false(done.healthy);
	log_is(&s, "stop check start ");
	struct rollback_request r = service_request(&s.w, done.safety_snapshot);
	r.order = (struct id){{77}};
	r.as_it_was = true; /* the way back: how it was is no measure of it */
	struct rollback_io io = levers_io(&s.l);
	MUST(rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, err));
	assert_false(done.better);
	s.l.unwell = s.l.better = false;
	scene_done(&s);
}

static const char *const pid_yaml =
    "    components:\n"
    "      config: { paths: [DIR/live] }\n"
    "      data: { paths: [DIR/data] }\n"
    "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start], check: [DIR/ctl, check], timeout: 10s }\n"
    "    probes:\n"
    "      - { name: one, tier: shallow, process: { pid_file: DIR/pid } }\n";

static void begin_too(struct world *w, const struct order_step *step)
{
	char pid[32];
	if (step->kind != STEP_RESTORE)
		return;
	(void)text_format(pid, sizeof pid, "%d\n", (int)getpid());
	world_write(w, "pid", pid); /* an old process */
	world_write(w, "begun-by-others", "");
}

/* Its process is older than our start: our start did nothing.  The next stop ends it. */
static void somebody_else_begins_it(void **state)
{
	(void)state;
	char path[WORLD_PATH];
	for (int ends_it = 0; ends_it < 2; ends_it++) {
		struct scene s;
		scene_make(&s, pid_yaml);
		world_write(&s.w, "on-stop", ends_it ? "#!/bin/sh\nrm -f begun-by-others pid\n" : "#!/bin/sh\n");
		assert_int_equal(chmod(world_path(&s.w, "on-stop", path), 0755), 0);
		s.l.on_step = begin_too;
		ends(&s, run(&s), ends_it ? ORDER_OK : ORDER_REVERTED, ends_it ? NULL : "its probes do not pass");
		log_is(&s,
		    ends_it ? "stop check start stop check start " : "stop check start stop check start stop start ");
		scene_done(&s);
	}
}

/* Nor does what is accepted as it was become well by a stop that fails. */
static void somebody_elses_does_not_stop(void **state)
{
	(void)state;
	char path[WORLD_PATH];
	struct scene s;
	scene_make(&s, pid_yaml);
	world_write(&s.w, "on-stop", "#!/bin/sh\n[ -e armed ] || { touch armed; echo once >fail-stop; }\n");
	assert_int_equal(chmod(world_path(&s.w, "on-stop", path), 0755), 0);
	s.l.on_step = begin_too;
	struct rollback_request r = service_request(&s.w, s.good);
	r.as_it_was = true;
	struct rollback_result done = run_request(&s, &r);
	assert_int_equal(done.outcome, ORDER_OK_WITH_EXCEPTIONS);
	assert_false(done.healthy);
	assert_true(done.digests_match);
	log_is(&s, "stop check start stop check start ");
	scene_done(&s);
}

static void no_probes_asked(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	s.l.unwell = true;
	struct rollback_request r = service_request(&s.w, s.good);
	r.no_prove = true;
	struct rollback_result done = run_request(&s, &r);
	ends(&s, done, ORDER_OK_WITH_EXCEPTIONS, "its probes were not asked");
	assert_int_equal(s.l.proofs, 0);
	assert_false(done.healthy); /* not known */
	scene_done(&s);
}

/* A service that declares none but deep ones is proven by those; else they are asked where that is wanted. */
static void deep_probes_asked(void **state)
{
	static const char *const tiers[] = {"shallow", "deep", "full"};
	(void)state;
	for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
		for (unsigned wanted = 0; wanted < 2; wanted++) {
			char yaml[1024];
			struct scene s;
			assert_true(text_format(yaml, sizeof yaml,
			    "    components:\n      config: { paths: [DIR/live] }\n      data: { paths: [DIR/data] }\n"
			    "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n"
			    "    probes: [ { name: one, tier: %s, exec: [/bin/true] } ]\n",
			    tiers[i]));
			scene_make(&s, yaml);
			struct rollback_request r = service_request(&s.w, s.good);
			r.deep = wanted;
			ends(&s, run_request(&s, &r), ORDER_OK, NULL);
			assert_int_equal(s.l.proofs, 1);
			assert_int_equal(s.l.deep, wanted || i);
			scene_done(&s);
		}
}

static void a_step_fails(void **state)
{
	static const struct {
		const char *lever, *content, *says, *log;
	} cases[] = {
	    {"fail-check", "once", "check does not work today", "check "},
	    {"fail-start", "once", "start does not work today", "stop check start stop start "},
	    {"fail-stop", "", "stop does not work today", "stop start "},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scene s;
		scene_make(&s, service_yaml);
		world_write(&s.w, cases[i].lever, cases[i].content);
		if (i || !sees_staged(&s)) {
			ends(&s, run(&s), ORDER_REVERTED, cases[i].says);
			log_is(&s, i ? cases[i].log : "stop check stop start ");
		} else { /* found before anything was stopped */
			ends(&s, run(&s), ORDER_REFUSED, cases[i].says);
			log_is(&s, cases[i].log);
		}
		assert_int_equal(world_has(&s.w, "running"), true);
		scene_done(&s);
	}
}

static void damage_packs(const struct scene *s)
{
	char folder[WORLD_PATH + 16], path[WORLD_PATH * 2];
	text_format(folder, sizeof folder, "%s/packs", s->w.repo_path);
	DIR *d = opendir(folder);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (text_ends(e->d_name, ".pack")) {
			text_format(path, sizeof path, "%s/%s", folder, e->d_name);
			assert_int_equal(chmod(path, 0600), 0);
			assert_int_equal(truncate(path, 300), 0);
		}
	closedir(d);
}

static struct scene *scene_of_step; /* for on_step, which is given the world alone */

static void damage_after_safety(struct world *w, const struct order_step *step)
{
	(void)w;
	if (step->kind == STEP_RESTORE)
		damage_packs(scene_of_step);
}

/* R2: what cannot be read whole is found before anything is touched. */
static void a_damaged_repository(void **state)
{
	(void)state;
	struct scene s;
	struct err why = ERR_INIT;
	struct rollback_result done;
	scene_make(&s, service_yaml);
	struct rollback_request r = service_request(&s.w, s.good);
	struct rollback_io io = levers_io(&s.l);
	damage_packs(&s);
	enum err_code rc = rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, &why);
	if (rc == ERR_OK)
		ends(&s, done, ORDER_REFUSED, NULL);
	else
		assert_int_equal(rc, ERR_CORRUPT); /* the trees themselves: not even opened */
	assert_false(world_has(&s.w, "log"));
	is_whole(&s, false);
	scene_done(&s);
}

/* Both ways are barred: said so, with both reasons. */
static void undoing_fails_too(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	s.l.unwell = true;
	s.l.on_step = damage_after_safety;
	scene_of_step = &s;
	struct rollback_result done = run(&s);
	assert_int_equal(done.outcome, ORDER_FAILED_DIRTY);
	assert_non_null(strstr(done.text, "its probes do not pass"));
	assert_non_null(strstr(done.text, "putting it back failed too: "));
	assert_int_equal(world_leftovers(s.w.dir), 0);
	scene_done(&s);
}

/* ---- stopped from outside ---- */

static void cancelled_before_the_change(void **state)
{
	(void)state;
	for (int at = 1; at <= 4; at++) {
		struct scene s;
		scene_make(&s, service_yaml);
		s.l.cancel_at = at;
		struct rollback_result done = run(&s);
		ends(&s, done, ORDER_CANCELLED, "cancelled before anything changed");
		assert_true(id_is_zero(done.safety_snapshot));
		assert_true(world_has(&s.w, "running"));
		scene_done(&s);
	}
	struct scene s;
	scene_make(&s, service_yaml);
	s.l.cancel_at = 5; /* too late: there is no such question */
	ends(&s, run(&s), ORDER_OK, NULL);
	assert_int_equal(s.l.asked, 4);
	scene_done(&s);
}

static bool has_step(const struct scene *s, enum step_kind kind)
{
	for (unsigned i = 0; i < s->l.step_count; i++)
		if (s->l.steps[i].kind == kind)
			return true;
	return false;
}

static void it_takes_too_long(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	struct rollback_request r = service_request(&s.w, s.good);
	r.run_limit_ms = 1; /* over before anything changes */
	struct rollback_result done = run_request(&s, &r);
	assert_true(done.outcome == ORDER_REVERTED || done.outcome == ORDER_REFUSED);
	is_whole(&s, false);
	assert_non_null(strstr(done.text, "longer than it may"));
	assert_false(has_step(&s, STEP_RESTORE));
	r = service_request(&s.w, s.good);
	r.run_limit_ms = 3000; /* over while it is proven */
	s.l.proof_takes_ms = 3100;
	s.l.step_count = 0;
	ends(&s, run_request(&s, &r), ORDER_REVERTED, "longer than it may");
	assert_true(has_step(&s, STEP_UNDO));
	scene_done(&s);
}

static void write_too(struct world *w, const struct order_step *step)
{
	if (step->kind == STEP_RESTORE)
		world_write(w, "live/conf", "good, as somebody else has it\n");
}

/* P9: what lies there is looked at, not assumed. */
static void somebody_else_writes_there(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	s.l.on_step = write_too;
	ends(&s, run(&s), ORDER_REVERTED, "live/conf has another content");
	scene_done(&s);
}

static void another_is_at_work(void **state)
{
	(void)state;
	int lock;
	char path[WORLD_PATH];
	struct err why = ERR_INIT;
	struct rollback_result done;
	struct scene s;
	scene_make(&s, service_yaml);
	struct rollback_request r = service_request(&s.w, s.good);
	struct rollback_io io = levers_io(&s.l);
	assert_true(text_format(path, sizeof path, "%s/rollback", s.w.state));
	MUST(file_make_dirs(path, 0700, err));
	assert_true(text_format(path, sizeof path, "%s/rollback/svc.lock", s.w.state));
	MUST(file_lock(path, &lock, err));
	/* An fcntl lock is the process's own: only another process is kept out, so ask in one. */
	pid_t child = fork();
	if (child == 0)
		_exit(rollback_run(NULL, s.w.state, &r, &io, s.w.arena, &done, &why) == ERR_BUSY &&
			      strstr(why.msg, "another rollback of svc")
			  ? 0
			  : 1);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(lock);
	is_whole(&s, false);
	scene_done(&s);
}

static void somebody_writes_there(void **state)
{
	(void)state;
	char path[WORLD_PATH];
	struct scene s;
	scene_make(&s, "    components:\n      config: { paths: [DIR/live], refuse_open_writers: true }\n      data: { "
		       "paths: [DIR/data] }\n"
		       "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start] }\n");
	world_path(&s.w, "live/conf", path);
	int hold[2], ready[2];
	char byte;
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		close(hold[1]);
		int fd = open(path, O_WRONLY | O_APPEND);
		_exit(fd < 0 || write(ready[1], "r", 1) != 1 || read(hold[0], &byte, 1) != 0);
	}
	close(hold[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	ends(&s, run(&s), ORDER_REFUSED, "live/conf open for writing");
	assert_true(world_has(&s.w, "running"));
	close(hold[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	ends(&s, run(&s), ORDER_OK, NULL);
	close(ready[0]);
	close(ready[1]);
	scene_done(&s);
}

/* ---- R11: never cut off the branch we sit on ---- */

static const char *const self_affecting_yaml =
    "    components:\n"
    "      config: { paths: [DIR/live] }\n"
    "      data: { paths: [DIR/data] }\n"
    "    steps: { stop: [DIR/ctl, stop], start: [DIR/ctl, start], check: [DIR/ctl, check], timeout: 10s }\n"
    "    rollback: { confirm_within: 90s }\n";

static void r11_it_stays_when_the_controller_is_heard(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, self_affecting_yaml);
	ends(&s, run(&s), ORDER_OK, "equals its restore point");
	assert_int_equal(s.l.confirms, 1);
	ends(&s, run(&s), ORDER_OK, "nothing was changed"); /* then nothing can have been cut */
	assert_int_equal(s.l.confirms, 1);
	scene_done(&s);
}

static uint64_t started_ms;

static void note_start(struct world *w, const struct order_step *step)
{
	(void)w;
	if (step->kind != STEP_START)
		return;
	started_ms = clock_mono_ms();
	while (clock_mono_ms() == started_ms) /* so that what comes after is later by this clock */
		;
}

/* The start step is what cuts a host off: the time runs from before it. */
static void r11_its_time_runs_from_the_change(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, self_affecting_yaml);
	s.l.on_step = note_start;
	started_ms = 0;
	ends(&s, run(&s), ORDER_OK, "equals its restore point");
	assert_true(started_ms > 0);
	assert_true(s.l.in_place_ms > 0 && s.l.in_place_ms <= started_ms);
	scene_done(&s);
}

static void r11_it_goes_back_when_nothing_is_heard(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, self_affecting_yaml);
	s.l.unheard = true;
	struct rollback_request r = service_request(&s.w, s.good);
	struct rollback_result done = run_request(&s, &r);
	ends(&s, done, ORDER_REVERTED, "it cut this host off: nothing was heard");
	assert_false(done.digests_match || done.healthy);
	assert_true(world_has(&s.w, "running"));
	assert_int_equal(s.l.confirms, 1);
	done = run_request(&s, &r);
	assert_int_equal(done.outcome, ORDER_REVERTED);
	assert_int_equal(s.l.confirms, 1); /* answered, not done again */
	scene_done(&s);
}

static void r11_by_hand_nobody_is_asked(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, self_affecting_yaml);
	s.l.unheard = s.l.by_hand = true;
	ends(&s, run(&s), ORDER_OK, NULL);
	assert_int_equal(s.l.confirms, 0);
	scene_done(&s);
	scene_make(&s, service_yaml); /* nor where it cannot happen */
	s.l.unheard = true;
	ends(&s, run(&s), ORDER_OK, NULL);
	assert_int_equal(s.l.confirms, 0);
	scene_done(&s);
}

static bool die_waiting(
    void *ctx, const struct service_config *service, uint64_t in_place_ms, char text[ROLLBACK_TEXT_MAX])
{
	(void)in_place_ms;
	(void)ctx;
	(void)service;
	(void)text;
	_exit(7);
}

/* The agent dies while it waits: whoever takes it up asks again, and goes back where nothing is heard. */
static void r11_a_crash_while_waiting_asks_again(void **state)
{
	(void)state;
	for (int heard = 0; heard < 2; heard++) {
		struct scene s;
		int status;
		struct rollback_result done;
		scene_make(&s, self_affecting_yaml);
		struct rollback_request r = service_request(&s.w, s.good);
		struct rollback_io io = levers_io(&s.l);
		pid_t child = fork();
		if (child == 0) {
			struct err why = ERR_INIT;
			io.confirm = die_waiting;
			_exit(rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, &why) == ERR_OK ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		assert_true(prints_equal(prints_of(&s.w), s.good_is)); /* in place, and open */
		s.l.unheard = !heard;
		MUST(rollback_recover(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, err));
		assert_int_equal(s.l.confirms, 1);
		ends(&s, done, heard ? ORDER_OK : ORDER_REVERTED, heard ? NULL : "it cut this host off");
		scene_done(&s);
	}
}

/* ---- asked twice, and asked wrongly ---- */

static void an_ended_order_is_answered(void **state)
{
	(void)state;
	struct scene s;
	scene_make(&s, service_yaml);
	struct rollback_request r = service_request(&s.w, s.good);
	struct rollback_result first = run_request(&s, &r);
	ends(&s, first, ORDER_OK, NULL);
	service_break(&s.w, 99, 5); /* whatever has come since is not touched by an old order */
	struct prints now = prints_of(&s.w);
	for (int i = 0; i < 2; i++) {
		struct rollback_result again;
		struct rollback_io io = levers_io(&s.l);
		if (i == 0)
			again = run_request(&s, &r);
		else
			MUST(rollback_recover(s.w.repo, s.w.state, &r, &io, s.w.arena, &again, err));
		assert_int_equal(again.outcome, first.outcome);
		assert_string_equal(again.text, first.text);
		assert_true(id_equal(again.safety_snapshot, first.safety_snapshot));
		assert_true(again.digests_match && again.healthy);
		assert_int_equal(again.components.count, first.components.count);
		assert_memory_equal(&LIST_AT(again.components, struct component_point, 0).digest,
		    &LIST_AT(first.components, struct component_point, 0).digest, sizeof(struct digest));
	}
	assert_true(prints_equal(now, prints_of(&s.w)));
	log_is(&s, "stop check start ");
	scene_done(&s);
}

static void wrong_requests(void **state)
{
	(void)state;
	struct err why = ERR_INIT;
	struct rollback_result done;
	struct rollback_plan plan;
	struct scene s;
	scene_make(&s, service_yaml);
	struct rollback_io io = levers_io(&s.l);
	struct rollback_request r = service_request(&s.w, world_id(&s.w));
	assert_int_equal(rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, &why), ERR_NOT_FOUND);
	r.snapshot = s.good;
	r.components = 1u << COMPONENT_CODE;
	assert_int_equal(rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, &why), ERR_NOT_FOUND);
	assert_non_null(strstr(why.msg, "declares no code"));
	assert_int_equal(rollback_plan(s.w.repo, &r, NULL, NULL, &plan, &why), ERR_NOT_FOUND);
	struct service_config other = *s.w.service;
	other.name = "other";
	r.service = &other;
	r.components = 0;
	assert_int_equal(rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, &why), ERR_INVALID);
	assert_int_equal(rollback_recover(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, &why), ERR_NOT_FOUND);
	is_whole(&s, false);
	assert_false(world_has(&s.w, "log"));
	scene_done(&s);
}

static bool count_paths(void *ctx, const struct snapshot_change *d)
{
	(void)d;
	++*(uint64_t *)ctx;
	return true;
}

/* R10, P19: the plan is what is then done, and doing it changes nothing that was not told. */
static void the_plan_is_the_act(void **state)
{
	(void)state;
	struct scene s;
	uint64_t told = 0;
	struct rollback_plan plan;
	scene_make(&s, service_yaml);
	struct rollback_request r = service_request(&s.w, s.good);
	MUST(rollback_plan(s.w.repo, &r, count_paths, &told, &plan, err));
	is_whole(&s, false);
	assert_true(told > 0 && told <= plan.changed + plan.added + plan.removed + plan.metadata);
	struct rollback_result done = run_request(&s, &r);
	ends(&s, done, ORDER_OK, NULL);
	unsigned long long replaced, made, removed, metadata;
	const char *text = NULL;
	for (unsigned i = 0; i < s.l.step_count; i++)
		if (s.l.steps[i].kind == STEP_RESTORE)
			text = s.l.steps[i].text;
	assert_non_null(text);
	assert_int_equal(sscanf(text, "%llu replaced, %llu made, %llu removed, %llu metadata", &replaced, &made,
			     &removed, &metadata),
	    4);
	assert_int_equal(replaced, plan.changed);
	assert_int_equal(made, plan.removed);
	assert_int_equal(removed, plan.added);
	assert_int_equal(metadata, plan.metadata);
	scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ok),
	    cmocka_unit_test(planned_on_another_state),
	    cmocka_unit_test(its_check_sees_what_is_staged),
	    cmocka_unit_test(every_kind_of_change_is_shown),
	    cmocka_unit_test(one_component_alone),
	    cmocka_unit_test(undo_of_an_undo),
	    cmocka_unit_test(nothing_differs),
	    cmocka_unit_test(it_writes_until_it_stops),
	    cmocka_unit_test(never_restored_paths_are_named),
	    cmocka_unit_test(a_root_that_is_gone),
	    cmocka_unit_test(probes_fail),
	    cmocka_unit_test(it_helped_and_something_else_is_wrong),
	    cmocka_unit_test(somebody_else_begins_it),
	    cmocka_unit_test(somebody_elses_does_not_stop),
	    cmocka_unit_test(no_probes_asked),
	    cmocka_unit_test(deep_probes_asked),
	    cmocka_unit_test(a_step_fails),
	    cmocka_unit_test(a_damaged_repository),
	    cmocka_unit_test(undoing_fails_too),
	    cmocka_unit_test(cancelled_before_the_change),
	    cmocka_unit_test(it_takes_too_long),
	    cmocka_unit_test(somebody_else_writes_there),
	    cmocka_unit_test(another_is_at_work),
	    cmocka_unit_test(somebody_writes_there),
	    cmocka_unit_test(r11_it_stays_when_the_controller_is_heard),
	    cmocka_unit_test(r11_its_time_runs_from_the_change),
	    cmocka_unit_test(r11_it_goes_back_when_nothing_is_heard),
	    cmocka_unit_test(r11_by_hand_nobody_is_asked),
	    cmocka_unit_test(r11_a_crash_while_waiting_asks_again),
	    cmocka_unit_test(an_ended_order_is_answered),
	    cmocka_unit_test(wrong_requests),
	    cmocka_unit_test(the_plan_is_the_act),
	};
	if (!tree_can_compare())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
