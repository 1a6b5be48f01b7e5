/* Trees that are staged beforehand: used when they may be, left alone when not, and the way back. */
#include "tests/unit/agent/rollback/prepared_scene.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent/rollback/prepared_internal.h"

static struct rollback_result go(struct prepared_scene *s, struct id to)
{
	struct rollback_io io = levers_io(&s->l);
	struct rollback_request r = service_request(&s->w, to);
	struct rollback_result done;
	s->l.step_count = 0;
	MUST(rollback_run(s->w.repo, s->w.state, &r, &io, s->w.arena, &done, err));
	return done;
}

static bool was_exchanged(const struct prepared_scene *s)
{
	for (unsigned i = 0; i < s->l.step_count; i++)
		if (s->l.steps[i].kind == STEP_RESTORE && s->l.steps[i].text)
			return strstr(s->l.steps[i].text, "exchanged") != NULL;
	return false;
}

static void ends(struct prepared_scene *s, struct rollback_result done, enum order_outcome outcome, struct prints is)
{
	if (done.outcome != outcome)
		fail_msg("ended %s: %s", enum_name(&order_outcome_enum, done.outcome), done.text ? done.text : "-");
	assert_true(prints_equal(prints_of(&s->w), is));
}

static void is_staged(struct prepared_scene *s, unsigned count)
{
	char why[TEXT_LINE_MAX];
	if (prepare(&s->w, s->good, 0, why, sizeof why) != count)
		fail_msg("not %u staged: %s", count, why);
	assert_int_equal(prepared_in_state(&s->w, PREPARED_READY), count);
}

/* ---- the way there and back ---- */

static void exchanged_and_back(void **state)
{
	(void)state;
	struct prepared_scene s;
	char copy[WORLD_PATH], out[4096];
	prepared_scene_make(&s, prepared_yaml);
	tree_copy(s.w.live, world_path(&s.w, "bad-copy", copy));
	is_staged(&s, 2);
	struct rollback_result done = go(&s, s.good);
	ends(&s, done, ORDER_OK, s.good_is);
	assert_true(was_exchanged(&s) && done.digests_match && done.healthy);
	assert_int_equal(done.components.count, 2);
	assert_false(id_is_zero(done.safety_snapshot));
	assert_int_equal(prepared_in_state(&s.w, PREPARED_UNSAVED), 2);
	assert_true(rollback_is_unsettled(s.w.state, "svc"));

	struct list saved = prepared_settle(&s.w);
	assert_int_equal(saved.count, 1);
	assert_true(id_equal(LIST_AT(saved, struct snapshot_summary, 0).snapshot, done.safety_snapshot));
	assert_int_equal(LIST_AT(saved, struct snapshot_summary, 0).components.count, 2);
	assert_int_equal(prepared_settle(&s.w).count, 0);
	assert_int_equal(prepared_in_state(&s.w, PREPARED_READY), 2);

	struct rollback_result back;
	world_write(&s.w, "ctl", "#!/bin/sh\n"); /* whatever is asked goes well */
	struct rollback_request r = service_request(&s.w, done.safety_snapshot);
	struct rollback_io io = levers_io(&s.l);
	r.as_it_was = true;
	s.l.step_count = 0;
	MUST(rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &back, err));
	assert_true(was_exchanged(&s));
	assert_int_equal(back.outcome, ORDER_OK_WITH_EXCEPTIONS);
	assert_string_equal(tree_difference(copy, s.w.live, out, sizeof out), "");
	assert_true(prints_equal(prints_of(&s.w), s.bad_is));
	world_done(&s.w);
}

/* The index of a large repository takes longer to read than all the rest of an exchange. */
static void an_exchange_needs_no_index(void **state)
{
	(void)state;
	struct prepared_scene s;
	char index[WORLD_PATH];
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	repo_close(s.w.repo);
	MUST(repo_open(s.w.repo_path, "h1", &s.w.repo, err));
	(void)text_format(index, sizeof index, "%s/index", s.w.repo_path);
	assert_true(file_exists(index));
	scratch_remove(index); /* whoever reads it makes it anew */
	assert_false(file_exists(index));
	ends(&s, go(&s, s.good), ORDER_OK, s.good_is);
	assert_true(was_exchanged(&s));
	assert_false(file_exists(index));
	world_done(&s.w);
}

/* The restore point that was promised is asked for before anybody has taken it. */
static void promised_is_kept(void **state)
{
	(void)state;
	struct prepared_scene s;
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	struct rollback_result done = go(&s, s.good);
	world_write(&s.w, "ctl", "#!/bin/sh\n");
	struct rollback_request r = service_request(&s.w, done.safety_snapshot);
	struct rollback_io io = levers_io(&s.l);
	r.as_it_was = true;
	MUST(rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, err));
	assert_true(prints_equal(prints_of(&s.w), s.bad_is));
	world_done(&s.w);
}

static void undone(void **state)
{
	(void)state;
	struct prepared_scene s;
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	s.l.unwell = true;
	struct rollback_result done = go(&s, s.good);
	assert_true(was_exchanged(&s));
	ends(&s, done, ORDER_REVERTED, s.bad_is);
	assert_true(id_is_zero(done.safety_snapshot)); /* nothing is aside: there is nothing to promise */
	assert_int_equal(prepared_in_state(&s.w, PREPARED_INCOMPLETE), 2); /* the service has run on them */
	s.l.unwell = false;
	ends(&s, go(&s, s.good), ORDER_OK, s.good_is);
	assert_false(was_exchanged(&s));
	size_t swept;
	MUST(rollback_prepared_sweep(s.w.repo, s.w.state, s.w.now_ms, s.w.arena, &swept, err));
	assert_int_equal(swept, 2);
	assert_int_equal(world_leftovers(s.w.dir), 0);
	world_done(&s.w);
}

/* One component staged, the other not: one is exchanged, the other goes in place, and what was before is one restore
 * point. */
static void half_staged(void **state)
{
	(void)state;
	struct prepared_scene s;
	char why[TEXT_LINE_MAX];
	prepared_scene_make(&s, prepared_yaml);
	assert_int_equal(prepare(&s.w, s.good, 1u << COMPONENT_CODE, why, sizeof why), 1);
	struct rollback_result done = go(&s, s.good);
	assert_true(was_exchanged(&s));
	ends(&s, done, ORDER_OK, s.good_is);
	struct list saved = prepared_settle(&s.w);
	assert_int_equal(saved.count, 1);
	assert_int_equal(LIST_AT(saved, struct snapshot_summary, 0).components.count, 2);
	assert_true(id_equal(LIST_AT(saved, struct snapshot_summary, 0).snapshot, done.safety_snapshot));
	world_done(&s.w);
}

static void planned_on_another_state(void **state)
{
	(void)state;
	struct prepared_scene s;
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	struct rollback_io io = levers_io(&s.l);
	struct rollback_request r = service_request(&s.w, s.good);
	struct rollback_result done;
	r.precondition.b[3] = 7;
	MUST(rollback_run(s.w.repo, s.w.state, &r, &io, s.w.arena, &done, err));
	ends(&s, done, ORDER_REFUSED, s.bad_is);
	assert_int_equal(prepared_in_state(&s.w, PREPARED_READY), 2);
	world_done(&s.w);
}

/* ---- trees that are not used ---- */

static void goes_in_place(struct prepared_scene *s)
{
	struct rollback_result done = go(s, s->good);
	assert_false(was_exchanged(s));
	ends(s, done, ORDER_OK, s->good_is);
}

/* The folder that holds the staged tree of a root. */
static char *folder_of(const struct world *w, const char *root, char out[WORLD_PATH])
{
	char path[WORLD_PATH];
	DIR *d = opendir(w->dir);
	struct stat st;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (strncmp(e->d_name, ".kedge-prepared-", 16) == 0 &&
		    text_format(path, sizeof path, "%s/tree/%s", world_path(w, e->d_name, out), root) &&
		    lstat(path, &st) == 0) {
			closedir(d);
			return world_path(w, path + strlen(w->dir) + 1, out)[0] ? (*strstr(out, "/tree/") = '\0', out)
										: NULL;
		}
	closedir(d);
	fail_msg("nothing is staged of %s", root);
	return NULL;
}

static void touched(void **state)
{
	(void)state;
	struct prepared_scene s;
	char folder[WORLD_PATH], path[2 * WORLD_PATH];
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	(void)text_format(path, sizeof path, "%s/tree/conf", folder_of(&s.w, "conf", folder));
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "baad", 4), 4);
	close(fd);
	assert_int_equal(prepared_in_state(&s.w, PREPARED_TOUCHED), 1);
	struct rollback_result done = go(&s, s.good);
	ends(&s, done, ORDER_OK, s.good_is);
	world_done(&s.w);
}

static void opened_to_others(void **state)
{
	(void)state;
	struct prepared_scene s;
	char folder[WORLD_PATH];
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	assert_int_equal(chmod(folder_of(&s.w, "conf", folder), 0755), 0);
	assert_int_equal(prepared_in_state(&s.w, PREPARED_TOUCHED), 1);
	ends(&s, go(&s, s.good), ORDER_OK, s.good_is);
	world_done(&s.w);
}

static void expired(void **state)
{
	(void)state;
	struct prepared_scene s;
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	s.w.now_ms += PREPARED_KEEP_MS;
	assert_int_equal(prepared_in_state(&s.w, PREPARED_EXPIRED), 2);
	goes_in_place(&s);
	size_t swept;
	MUST(rollback_prepared_sweep(s.w.repo, s.w.state, s.w.now_ms, s.w.arena, &swept, err));
	assert_int_equal(swept, 2);
	assert_int_equal(world_leftovers(s.w.dir), 0);
	world_done(&s.w);
}

static void of_another_restore_point(void **state)
{
	(void)state;
	struct prepared_scene s;
	prepared_scene_make(&s, prepared_yaml);
	struct id bad = world_snapshot(&s.w);
	char why[TEXT_LINE_MAX];
	assert_int_equal(prepare(&s.w, bad, 0, why, sizeof why), 2);
	goes_in_place(&s);
	world_done(&s.w);
}

/* Its record says another content than the signed manifest does. */
static void of_another_content(void **state)
{
	(void)state;
	struct prepared_scene s;
	char folder[WORLD_PATH], path[2 * WORLD_PATH];
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	DIR *d = opendir(world_path(&s.w, "state/rollback/prepared", folder));
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		struct buf text = BUF_INIT;
		if (!text_ends(e->d_name, ".json"))
			continue;
		(void)text_format(path, sizeof path, "%s/%s", folder, e->d_name);
		MUST(file_read(path, 1 << 20, &text, err));
		char *digest = strstr((char *)text.data, "\"digest\":\"");
		assert_non_null(digest);
		digest[20] = digest[20] == '0' ? '1' : '0';
		MUST(file_replace(path, text.data, text.size, 0600, err));
		buf_done(&text);
	}
	closedir(d);
	goes_in_place(&s);
	world_done(&s.w);
}

/* Something was mounted in the live tree since: an exchange would take it along. */
static void mounted_below(void **state)
{
	(void)state;
	struct prepared_scene s;
	char path[WORLD_PATH], why[TEXT_LINE_MAX];
	prepared_scene_make(&s, prepared_yaml);
	world_folder(&s.w, "live/mount here");
	if (!own_mounts() || mount("none", world_path(&s.w, "live/mount here", path), "tmpfs", 0, NULL) != 0) {
		world_done(&s.w);
		skip();
	}
	assert_int_equal(prepare(&s.w, s.good, 0, why, sizeof why), 1);
	assert_non_null(strstr(why, "live/mount here, and would go with the tree"));
	assert_int_equal(umount(path), 0);
	is_staged(&s, 2);
	assert_int_equal(mount("none", path, "tmpfs", 0, NULL), 0);
	(void)go(&s, s.good);
	for (unsigned i = 0; i < s.l.step_count; i++)
		if (s.l.steps[i].kind == STEP_RESTORE && s.l.steps[i].ok)
			assert_null(strstr(s.l.steps[i].text, "staged beforehand"));
	assert_true(prepared_in_state(&s.w, PREPARED_READY) >= 1);
	(void)umount(path);
	world_done(&s.w);
}

/* ---- what is not staged at all ---- */

static void refuses(const char *components, const char *says)
{
	struct prepared_scene s;
	char yaml[1024], why[TEXT_LINE_MAX];
	prepared_scene_make(&s, prepared_yaml);
	(void)text_format(yaml, sizeof yaml, "    components:\n%s", components);
	world_configure(&s.w, yaml);
	struct id now = world_snapshot(&s.w);
	assert_int_equal(prepare(&s.w, now, 0, why, sizeof why), 0);
	if (!strstr(why, says))
		fail_msg("it says \"%s\", not \"%s\"", why, says);
	assert_int_equal(world_leftovers(s.w.dir), 0);
	assert_int_equal(prepared_rows(&s.w).count, 0);
	world_done(&s.w);
}

static void not_the_same_as_in_place(void **state)
{
	(void)state;
	refuses("      code: { paths: [DIR/live], exclude: [\"cache/**\"] }\n", "leaves something out");
	refuses("      code: { paths: [DIR/live], never_restore: [DIR/live/keep] }\n", "live/keep lies below");
	refuses("      code: { paths: [DIR/live], secrets: [DIR/live/key] }\n", "holds secrets");
	refuses("      code: { paths: [DIR/live/conf] }\n", "no folder");
	refuses("      config: { paths: [DIR/live] }\n", "goes in place");
}

static void identity_below(void **state)
{
	(void)state;
	struct prepared_scene s;
	char why[TEXT_LINE_MAX];
	prepared_scene_make(&s, prepared_yaml);
	world_path(&s.w, "live/agent", s.w.state); /* the agent's own folder lies in what would be exchanged */
	assert_int_equal(prepare(&s.w, s.good, 1u << COMPONENT_CODE, why, sizeof why), 0);
	assert_non_null(strstr(why, "live/agent lies below"));
	world_done(&s.w);
}

static void too_large(void **state)
{
	(void)state;
	struct prepared_scene s;
	char why[TEXT_LINE_MAX], small[WORLD_PATH], live[WORLD_PATH], yaml[WORLD_PATH * 2];
	prepared_scene_make(&s, prepared_yaml);
	world_folder(&s.w, "small");
	if (!own_mounts() || mount("none", world_path(&s.w, "small", small), "tmpfs", 0, "size=3m") != 0) {
		world_done(&s.w);
		skip();
	}
	world_folder(&s.w, "small/live");
	int fd = open(world_path(&s.w, "small/live/large", live), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	char block[4096];
	memset(block, 'x', sizeof block);
	for (unsigned i = 0; i < (2 << 20) / sizeof block; i++)
		assert_int_equal(write(fd, block, sizeof block), sizeof block);
	close(fd);
	(void)text_format(yaml, sizeof yaml, "    components:\n      code: { paths: [DIR/small/live] }\n");
	world_configure(&s.w, yaml);
	struct id now = world_snapshot(&s.w);
	assert_int_equal(prepare(&s.w, now, 0, why, sizeof why), 0);
	assert_non_null(strstr(why, "not enough room"));
	assert_int_equal(world_leftovers(small), 0);
	assert_int_equal(umount(small), 0);
	world_done(&s.w);
}

/* ---- beside ---- */

/* A snapshot of what lies around a staged tree does not hold it, and a rollback of that leaves it alone. */
static void passed_over(void **state)
{
	(void)state;
	struct prepared_scene s;
	char outer[WORLD_PATH];
	prepared_scene_make(&s, prepared_yaml);
	world_folder(&s.w, "outer");
	world_folder(&s.w, "outer/app");
	world_write(&s.w, "outer/app/program", "one");
	world_configure(&s.w, "    components:\n      code: { paths: [DIR/outer/app] }\n");
	struct id inner = world_snapshot(&s.w);
	char why[TEXT_LINE_MAX];
	assert_int_equal(prepare(&s.w, inner, 0, why, sizeof why), 1);
	assert_int_equal(world_leftovers(world_path(&s.w, "outer", outer)), 1);
	world_configure(&s.w, "    components:\n      data: { paths: [DIR/outer] }\n");
	struct snapshot_options o = {.reason = SNAPSHOT_MANUAL, .now_ms = ++s.w.now_ms};
	struct snapshot_summary made;
	MUST(snapshot_create(s.w.repo, s.w.service, &o, s.w.arena, &made, err));
	assert_int_equal(LIST_AT(made.components, struct snapshot_component, 0).entries, 3);
	world_write(&s.w, "outer/app/program", "two");
	(void)world_converge(&s.w, made.snapshot);
	assert_int_equal(world_leftovers(outer), 1);
	world_done(&s.w);
}

static void dropped(void **state)
{
	(void)state;
	struct prepared_scene s;
	size_t n = 0;
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	is_staged(&s, 2); /* again: it is kept longer, not staged twice */
	assert_int_equal(world_leftovers(s.w.dir), 2);
	MUST(rollback_prepared_drop(s.w.state, "svc", s.good, 1u << COMPONENT_DATA, s.w.arena, &n, err));
	assert_int_equal(n, 1);
	(void)go(&s, s.good);
	assert_true(was_exchanged(&s));
	struct err why = ERR_INIT; /* what it set aside is nowhere else yet */
	assert_int_equal(rollback_prepared_drop(s.w.state, "svc", (struct id){0}, 0, s.w.arena, &n, &why), ERR_BUSY);
	(void)prepared_settle(&s.w);
	MUST(rollback_prepared_drop(s.w.state, "svc", (struct id){0}, 0, s.w.arena, &n, err));
	assert_int_equal(n, 1);
	assert_int_equal(world_leftovers(s.w.dir), 0);
	world_done(&s.w);
}

/* Whoever saves what an exchange has set aside, in the background, is waited for. */
static void dropped_beside_one_that_settles(void **state)
{
	(void)state;
	struct prepared_scene s;
	size_t n = 0;
	char ready;
	int said[2], status;
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	assert_int_equal(pipe(said), 0);
	pid_t child = fork();
	if (child == 0) {
		int lock = -1;
		if (prepared_lock(s.w.state, "svc", PREPARED_LOCK_STAGING, 0, &lock, NULL) != ERR_OK ||
		    write(said[1], "r", 1) != 1)
			_exit(1);
		(void)poll(NULL, 0, 20 * PREPARED_POLL_MS); /* it is at work */
		_exit(0);
	}
	assert_int_equal(read(said[0], &ready, 1), 1);
	MUST(rollback_prepared_drop(s.w.state, "svc", (struct id){0}, 0, s.w.arena, &n, err));
	assert_int_equal(n, 2);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(said[0]);
	close(said[1]);
	world_done(&s.w);
}

/* A process that still works in the old tree is told: the exchange took nothing from it. */
static void still_in_the_old_tree(void **state)
{
	(void)state;
	struct prepared_scene s;
	char ready;
	int said[2];
	prepared_scene_make(&s, prepared_yaml);
	is_staged(&s, 2);
	assert_int_equal(pipe(said), 0);
	pid_t child = fork();
	if (child == 0) {
		if (chdir(s.w.live) != 0 || write(said[1], "r", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(said[0], &ready, 1), 1);
	struct rollback_result done = go(&s, s.good);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(said[0]);
	close(said[1]);
	ends(&s, done, ORDER_OK_WITH_EXCEPTIONS, s.good_is);
	assert_non_null(strstr(done.text, "still uses"));
	assert_non_null(strstr(done.text, s.w.live));
	world_done(&s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exchanged_and_back),
	    cmocka_unit_test(an_exchange_needs_no_index),
	    cmocka_unit_test(promised_is_kept),
	    cmocka_unit_test(undone),
	    cmocka_unit_test(half_staged),
	    cmocka_unit_test(planned_on_another_state),
	    cmocka_unit_test(touched),
	    cmocka_unit_test(opened_to_others),
	    cmocka_unit_test(expired),
	    cmocka_unit_test(of_another_restore_point),
	    cmocka_unit_test(of_another_content),
	    cmocka_unit_test(mounted_below),
	    cmocka_unit_test(not_the_same_as_in_place),
	    cmocka_unit_test(identity_below),
	    cmocka_unit_test(too_large),
	    cmocka_unit_test(passed_over),
	    cmocka_unit_test(dropped),
	    cmocka_unit_test(dropped_beside_one_that_settles),
	    cmocka_unit_test(still_in_the_old_tree),
	};
	if (!tree_can_compare())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
