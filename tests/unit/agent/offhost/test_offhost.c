/* Copies that leave the host: whole, resumed wherever they were killed, read back, restored, and never taken for good
 * when they are not. */
#include "tests/unit/agent/offhost/rig.h"

#include <signal.h>
#include <sys/resource.h>

static void a_copy_is_read_back_and_restored(void **state)
{
	struct rig r;
	(void)state;
	rig_init(&r);
	struct id first = rig_point(&r);
	world_text(r.w.config_dir, "a.conf", "two\n");
	struct id second = rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.copied.points, 2);
	assert_int_equal(r.copied.resumed, 0);
	RIG_OK(&r, rig_verify(&r, false));
	assert_int_equal(r.proof.points, 2);
	assert_true(r.proof.bytes > 3 << 20);
	RIG_OK(&r, rig_verify(&r, true));
	RIG_OK(&r, rig_restore(&r, (struct id){{0}}));
	assert_int_equal(r.restored.points, 2);
	rig_prove_restored(&r, second, 2);
	rig_prove_restored(&r, first, 2);
	assert_int_equal(rig_restore(&r, second), ERR_EXISTS);
	struct copy_status s;
	RIG_OK(&r, offhost_status_read(r.folder, r.w.arena, &s, &r.err));
	assert_int_equal(s.points, 2);
	assert_int_equal(s.pending, 0);
	assert_true(id_equal(s.newest, second));
	assert_true(s.newest_taken_ms > 0 && s.done_ms > 0 && s.verified_ms > 0 && s.recoverable && !s.error);
	rig_done(&r);
}

static void one_point_alone_can_be_restored(void **state)
{
	struct rig r;
	(void)state;
	rig_init(&r);
	struct id first = rig_point(&r);
	world_noise(r.w.data_dir, "more", 2 << 20, 2);
	world_settle();
	struct id second = rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	RIG_OK(&r, rig_restore(&r, first));
	assert_int_equal(r.restored.points, 1);
	assert_true(r.restored.bytes < 5 << 20);
	rig_prove_restored(&r, first, 1);
	assert_false(id_equal(first, second));
	rig_done(&r);
}

static void nothing_is_sent_that_was_sent(void **state)
{
	struct rig r;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	size_t objects = r.store.count;
	unsigned calls = r.store.calls;
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.store.count, objects);
	assert_int_equal(r.store.calls, calls); /* it is not even asked */
	rig_point(&r);                          /* same content: a manifest and an inventory */
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.copied.points, 1);
	assert_true(r.copied.bytes < 64 << 10);
	for (size_t i = 0; i < r.store.count; i++)
		assert_int_equal(r.store.all[i].puts, 1);
	rig_done(&r);
}

/* At every call of the store, before and after it had its effect. */
static void a_killed_copy_goes_on(void **state)
{
	struct rig r;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	world_noise(r.w.data_dir, "more", 200 << 10, 2);
	world_settle();
	struct id newest = rig_point(&r);
	for (unsigned late = 0, k = 1; late < 2; k++) {
		memory_done(&r.store);
		scratch_remove(r.folder);
		scratch_remove(r.back);
		r.store.dies_at = k;
		r.store.dies_late = late;
		enum err_code rc = rig_copy(&r);
		assert_true(rc == ERR_OK || rc == ERR_CANCELLED);
		assert_true(k < 100);
		struct copy_status status;
		RIG_OK(&r, offhost_status_read(r.folder, r.w.arena, &status, &r.err));
		if (!memory_find_like(
			&r.store, "/inventory/")) /* it is not off the host before it can be found there */
			assert_int_equal(status.points, 0);
		r.store.dies_at = 0;
		RIG_OK(&r, rig_copy(&r));
		for (size_t i = 0; i < r.store.count; i++)
			if (r.store.all[i].puts != 1)
				fail_msg("killed at call %u: %s was sent %u times", k, r.store.all[i].name,
				    r.store.all[i].puts);
		RIG_OK(&r, rig_verify(&r, false));
		assert_int_equal(r.proof.points, 2);
		if (rc == ERR_OK || k % 4 == 1) {
			RIG_OK(&r, rig_restore(&r, newest));
			rig_prove_restored(&r, newest, 1);
		}
		if (rc == ERR_OK) {
			assert_true(k > 8); /* it was killed at something */
			late++;
			k = 0;
		}
	}
	rig_done(&r);
}

/* No file may grow beyond a size: the ledger in the middle of a line, the inventory on its way, the status. */
static void a_full_disk_ends_a_run_and_no_more(void **state)
{
	struct rlimit was, little;
	struct rig r;
	enum err_code rc = ERR_IO;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	for (unsigned size = 10; rc; size += 131) {
		memory_done(&r.store);
		scratch_remove(r.folder);
		little = (struct rlimit){size, was.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
		rc = rig_copy(&r);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
		RIG_OK(&r, rig_copy(&r));
		for (size_t i = 0; i < r.store.count; i++)
			if (r.store.all[i].puts != 1)
				fail_msg("files of %u bytes: %s was sent %u times", size, r.store.all[i].name,
				    r.store.all[i].puts);
		RIG_OK(&r, rig_verify(&r, true));
		assert_int_equal(r.proof.points, 1);
		assert_true(size < 20000);
	}
	rig_done(&r);
}

static void a_lost_ledger_is_made_again(void **state)
{
	static const char torn[] = "{\"name\": \"packs/";
	struct rig r;
	char path[WORLD_PATH * 2];
	(void)state;
	rig_init(&r);
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	size_t objects = r.store.count;
	(void)text_format(path, sizeof path, "%s/ledger", r.folder);
	/* what a crash in the middle of a line leaves */
	int fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, torn, sizeof torn - 1), sizeof torn - 1);
	close(fd);
	/* or what somebody writes just now: who only reads leaves it alone */
	struct stat before, after;
	assert_int_equal(stat(path, &before), 0);
	RIG_OK(&r, rig_verify(&r, true));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, after.st_size + (off_t)sizeof torn - 1);
	assert_int_equal(r.store.count, objects);
	/* a line that is none, and one that is followed by others */
	RIG_OK(&r, file_replace(path, "garbage\nmore\n", 13, 0600, &r.err));
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.store.count, objects);
	/* gone altogether, and a store that does not tell what it has not */
	assert_int_equal(unlink(path), 0);
	r.store.hides = true;
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.store.count, objects);
	RIG_OK(&r, rig_verify(&r, false));
	for (size_t i = 0; i < r.store.count; i++)
		assert_int_equal(r.store.all[i].puts, 1);
	rig_done(&r);
}

static void many_inventories_are_read_from_the_last_whole_one(void **state)
{
	struct rig r;
	char path[WORLD_PATH * 2], line[32];
	struct id last = {{0}};
	(void)state;
	rig_init(&r);
	for (int i = 0; i < OFFHOST_FULL_EVERY + 3; i++) {
		(void)text_format(line, sizeof line, "%d\n", i);
		world_text(r.w.config_dir, "a.conf", line);
		last = rig_point(&r);
		RIG_OK(&r, rig_copy(&r));
	}
	(void)text_format(path, sizeof path, "%s/ledger", r.folder);
	assert_int_equal(unlink(path), 0);
	size_t objects = r.store.count;
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.store.count, objects);
	RIG_OK(&r, rig_verify(&r, false));
	assert_int_equal(r.proof.points, OFFHOST_FULL_EVERY + 3);
	/* the first ones are not needed for it any more */
	memory_remove(&r.store, memory_find_like(&r.store, "inventory/00000002"));
	RIG_OK(&r, rig_restore(&r, (struct id){{0}}));
	assert_int_equal(r.restored.points, OFFHOST_FULL_EVERY + 3);
	rig_prove_restored(&r, last, OFFHOST_FULL_EVERY + 3);
	rig_done(&r);
}

/* Every object, flipped in its first, last and a middle byte, cut and missing: found by verifying, refused by
 * restoring. */
static void what_is_not_what_was_put_is_found(void **state)
{
	struct rig r;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	for (size_t i = 0; i < r.store.count; i++) {
		struct memory_object *o = &r.store.all[i];
		const size_t places[] = {0, o->size / 2, o->size - 1};
		bool keys = strstr(o->name, "/keys/") != NULL; /* the rig's keys come from elsewhere */
		for (size_t k = 0; k < 3; k++) {
			o->data[places[k]] ^= 0x20;
			if (rig_verify(&r, false) == ERR_OK)
				fail_msg("%s with another byte %zu is called right", o->name, places[k]);
			enum err_code rc = rig_restore(&r, (struct id){{0}});
			if (rc == ERR_OK && !keys && !strstr(o->name, "repository"))
				fail_msg("%s with another byte %zu is restored", o->name, places[k]);
			o->data[places[k]] ^= 0x20;
			scratch_remove(r.back);
		}
		o->size--;
		assert_int_not_equal(rig_verify(&r, false), ERR_OK);
		o->size++;
		char name = o->name[0];
		o->name[0] = 'X';
		assert_int_not_equal(rig_verify(&r, false), ERR_OK);
		o->name[0] = name;
	}
	RIG_OK(&r, rig_verify(&r, false));
	rig_done(&r);
}

static void a_copy_that_was_set_back_is_found(void **state)
{
	struct rig r;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	world_text(r.w.config_dir, "a.conf", "two\n");
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	memory_remove(&r.store, memory_find_like(&r.store, "inventory/00000002"));
	assert_int_equal(rig_verify(&r, true), ERR_CORRUPT);
	assert_true(r.findings > 1); /* that it was, and what is no longer told of */
	rig_done(&r);
}

/* Each of them is what this host signed, but not as a row. */
static void inventories_of_two_histories_are_told_apart(void **state)
{
	struct rig r;
	struct memory_object *one, *two;
	struct memory_object kept;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	kept = *memory_find_like(&r.store, "inventory/00000001");
	kept.data = memcpy(malloc(kept.size), kept.data, kept.size);
	memory_done(&r.store);
	scratch_remove(r.folder);
	RIG_OK(&r, rig_copy(&r));
	world_text(r.w.config_dir, "a.conf", "two\n");
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	one = memory_find_like(&r.store, "inventory/00000001");
	two = memory_find_like(&r.store, "inventory/00000002");
	struct memory_object was = *one;
	assert_int_equal(kept.size, was.size);
	assert_memory_not_equal(kept.data, was.data, was.size); /* the same things said again are sealed otherwise */
	one->data = kept.data;
	assert_int_equal(rig_verify(&r, false), ERR_CORRUPT);
	assert_int_equal(rig_restore(&r, (struct id){{0}}), ERR_CORRUPT);
	assert_non_null(strstr(r.err.msg, "does not follow"));
	/* nor is one good under another's name */
	*one = was;
	one->data = two->data;
	one->size = two->size;
	assert_int_equal(rig_restore(&r, (struct id){{0}}), ERR_CORRUPT);
	*one = was;
	RIG_OK(&r, rig_verify(&r, false));
	free(kept.data);
	rig_done(&r);
}

static void what_breaks_off_is_got_again_from_its_beginning(void **state)
{
	struct rig r;
	char path[WORLD_PATH * 2];
	(void)state;
	rig_init(&r);
	struct id id = rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	(void)text_format(path, sizeof path, "%s/ledger", r.folder);
	assert_int_equal(unlink(path), 0);
	r.store.breaks = 2;
	RIG_OK(&r, rig_copy(&r)); /* the statement, an inventory */
	r.store.breaks = 1;
	RIG_OK(&r, rig_verify(&r, false));
	r.store.breaks = OFFHOST_TRIES - 1;
	RIG_OK(&r, rig_restore(&r, id));
	rig_prove_restored(&r, id, 1);
	rig_done(&r);
}

/* All that the store holds is right, and yet it is not what was put. */
static void a_store_that_was_put_back_to_another_history_is_found(void **state)
{
	struct rig r;
	char path[WORLD_PATH * 2];
	(void)state;
	rig_init(&r);
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	(void)text_format(path, sizeof path, "%s/ledger", r.folder);
	struct buf text = BUF_INIT;
	RIG_OK(&r, file_read(path, 1 << 20, &text, &r.err));
	/* the ledger remembers another digest of the keys than the inventory tells */
	char *keys = strstr((char *)text.data, "keys/0001"), *last = keys;
	while ((keys = strstr(keys + 1, "keys/0001")))
		last = keys;
	char *digest = strstr(last, "sha256\":\"");
	assert_non_null(digest);
	digest[9] = digest[9] == '0' ? '1' : '0';
	RIG_OK(&r, file_replace(path, text.data, text.size, 0600, &r.err));
	assert_int_equal(rig_verify(&r, false), ERR_CORRUPT);
	assert_non_null(strstr(r.last_finding, "another digest"));
	buf_done(&text);
	rig_done(&r);
}

static void two_writers_are_told_apart(void **state)
{
	struct rig r;
	char path[WORLD_PATH * 2], aside[WORLD_PATH * 2];
	(void)state;
	rig_init(&r);
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	(void)text_format(path, sizeof path, "%s/ledger", r.folder);
	(void)text_format(aside, sizeof aside, "%s/ledger.of-the-clone", r.folder);
	struct buf text = BUF_INIT;
	RIG_OK(&r, file_read(path, 1 << 20, &text, &r.err));
	RIG_OK(&r, file_replace(aside, text.data, text.size, 0600, &r.err));
	buf_done(&text);
	world_text(r.w.config_dir, "a.conf", "two\n");
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(rename(aside, path), 0); /* the clone knows nothing of that */
	world_text(r.w.config_dir, "a.conf", "three\n");
	rig_point(&r);
	assert_int_equal(rig_copy(&r), ERR_STATE);
	assert_non_null(strstr(r.err.msg, "remove the ledger"));
	assert_int_equal(unlink(path), 0);
	RIG_OK(&r, rig_copy(&r));
	RIG_OK(&r, rig_verify(&r, false));
	assert_int_equal(r.proof.points, 3);
	rig_done(&r);
}

/* Of the same size, even. */
static void what_arrived_otherwise_is_not_taken_for_ours(void **state)
{
	struct rig r;
	struct memory_object *o = NULL;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	for (unsigned k = 1; !o; k++) { /* killed when the keys have arrived and nobody knows */
		memory_done(&r.store);
		scratch_remove(r.folder);
		r.store.dies_at = k;
		r.store.dies_late = true;
		assert_int_equal(rig_copy(&r), ERR_CANCELLED);
		o = memory_find_like(&r.store, "/keys/0001");
	}
	o->data[0] ^= 1;
	r.store.dies_at = 0;
	assert_int_equal(rig_copy(&r), ERR_STATE);
	o->data[0] ^= 1;
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.copied.resumed, 1);
	rig_done(&r);
}

static void another_repository_of_this_host_gets_a_generation_of_its_own(void **state)
{
	struct rig r, second;
	(void)state;
	rig_init(&r);
	struct id old = rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	rig_init(&second); /* the host was set up anew */
	second.o.store.ctx = &r.store;
	struct id fresh = rig_point(&second);
	RIG_OK(&second, rig_copy(&second));
	assert_non_null(memory_find(&r.store, "p/" WORLD_HOST "/001/repository"));
	assert_non_null(memory_find(&r.store, "p/" WORLD_HOST "/002/repository"));
	RIG_OK(&second, rig_restore(&second, fresh));
	/* the older one is still to be had, with its own key only */
	struct offhost_restore_options o = {
	    .into = r.back, .generation = 1, .open_keys = rig_open_keys, .ctx = &second};
	assert_int_equal(offhost_restore(&r.o, &o, &r.restored, &r.err), ERR_DENIED);
	o.ctx = &r;
	RIG_OK(&r, offhost_restore(&r.o, &o, &r.restored, &r.err));
	rig_prove_restored(&r, old, 1);
	rig_done(&second);
	rig_done(&r);
}

/* Packs are sent several at a time; whatever becomes of one of them, the others are remembered. */
static void several_packs_fly_and_each_lands_for_itself(void **state)
{
	char name[32];
	(void)state;
	for (unsigned trouble = 0; trouble < 4; trouble++) {
		struct rig r;
		rig_init(&r);
		for (unsigned i = 0; i < 7; i++) {
			text_format(name, sizeof name, "noise-%u", i);
			world_noise(r.w.data_dir, name, 40000, 100 + i);
			world_settle();
			rig_point(&r);
		}
		size_t tried = 0;
		if (trouble == 1) { /* one that passes */
			r.store.fails_at = 5;
			r.store.fail_with = ERR_UNREACHABLE;
		} else if (trouble >=
			   2) { /* one that does not, or the end of everything, late: it is taken all the same */
			r.store.dies_at = trouble == 2 ? 5 : 6;
			r.store.dies_late = true;
			assert_int_equal(rig_copy(&r), ERR_CANCELLED);
			tried = r.store.count;
			r.store.dies_at = 0;
		}
		RIG_OK(&r, rig_copy(&r));
		assert_int_equal(r.store.most_flying, BUCKET_FLIGHTS);
		assert_int_equal(r.pauses, trouble == 1);
		assert_true(tried ? r.copied.resumed >= 1 : r.copied.resumed == 0);
		for (size_t i = 0; i < r.store.count; i++)
			assert_int_equal(r.store.all[i].puts, 1);
		RIG_OK(&r, rig_verify(&r, false));
		assert_int_equal(r.proof.points, 7);
		rig_done(&r);
	}
}

static void what_passes_is_tried_again_and_what_does_not_is_told(void **state)
{
	static const enum err_code passing[] = {ERR_UNREACHABLE, ERR_TIMEOUT, ERR_BUSY};
	struct rig r;
	struct copy_status s;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	for (size_t i = 0; i < 3; i++) {
		r.store.fails = OFFHOST_TRIES - 1;
		r.store.fail_with = passing[i];
		RIG_OK(&r, rig_copy(&r));
		world_text(r.w.config_dir, "a.conf", i ? "x\n" : "y\n");
		rig_point(&r);
	}
	assert_int_equal(r.pauses, 3 * (OFFHOST_TRIES - 1));
	r.store.fails = 1000;
	assert_int_equal(rig_copy(&r), ERR_BUSY);
	RIG_OK(&r, offhost_status_read(r.folder, r.w.arena, &s, &r.err));
	assert_string_equal(s.error, "as told");
	assert_true(s.failing_since_ms > 0);
	assert_int_equal(s.pending, 1);
	uint64_t since_ms = s.failing_since_ms;
	r.store.fail_with = ERR_DENIED;
	r.pauses = 0;
	assert_int_equal(rig_copy(&r), ERR_DENIED);
	assert_int_equal(r.pauses, 0);
	RIG_OK(&r, offhost_status_read(r.folder, r.w.arena, &s, &r.err));
	assert_int_equal(s.failing_since_ms, since_ms);
	r.store.fails = 0;
	RIG_OK(&r, rig_copy(&r));
	RIG_OK(&r, offhost_status_read(r.folder, r.w.arena, &s, &r.err));
	assert_true(!s.error && !s.failing_since_ms && !s.pending);
	rig_done(&r);
}

static void locks_last_while_something_is_needed(void **state)
{
	struct rig r;
	struct copy_status s;
	(void)state;
	rig_init(&r);
	r.o.lock = BUCKET_GOVERNANCE;
	r.o.lock_ms = RIG_LOCK_MS;
	rig_point(&r);
	uint64_t began_ms = r.now_ms;
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.copied.locks_renewed, 0); /* locked when it was put, not after */
	for (size_t i = 0; i < r.store.count; i++) {
		assert_int_equal(r.store.all[i].lock, BUCKET_GOVERNANCE);
		assert_true(r.store.all[i].until_ms >= began_ms + RIG_LOCK_MS);
	}
	r.now_ms += RIG_LOCK_MS / 4;
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.copied.locks_renewed, 0);
	r.now_ms += RIG_LOCK_MS / 2;
	r.store.no_locks = true;
	RIG_OK(&r, rig_copy(&r)); /* the copy is there all the same, but somebody must be told */
	assert_true(r.copied.locks_failed > 0);
	RIG_OK(&r, offhost_status_read(r.folder, r.w.arena, &s, &r.err));
	assert_string_equal(s.lock_error, "the credential may not lock");
	r.store.no_locks = false;
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.copied.locks_renewed, r.store.count);
	RIG_OK(&r, offhost_status_read(r.folder, r.w.arena, &s, &r.err));
	assert_true(!s.lock_error && s.locked_until_ms > began_ms + RIG_LOCK_MS);
	rig_done(&r);
}

static int by_pack(const void *a, const void *b)
{
	return memcmp(a, b, PACK_ID_SIZE);
}

static void damage_here_is_not_copied_and_holds_up_nothing_else(void **state)
{
	struct rig r;
	char path[WORLD_PATH * 2], name[COPIED_NAME_MAX];
	struct pack_id *packs;
	size_t count;
	(void)state;
	rig_init(&r);
	struct id good = rig_point(&r);
	world_noise(r.w.data_dir, "more", 2 << 20, 2);
	world_settle();
	struct id bad = rig_point(&r);
	RIG_OK(&r, repo_packs_of(r.w.repo, good, &packs, &count, &r.err));
	struct pack_id *of_bad;
	size_t bad_count;
	RIG_OK(&r, repo_packs_of(r.w.repo, bad, &of_bad, &bad_count, &r.err));
	size_t only = 0;
	while (only < bad_count && bsearch(&of_bad[only], packs, count, PACK_ID_SIZE, by_pack))
		only++;
	assert_true(only < bad_count);
	(void)text_format(path, sizeof path, "%s/%s", r.w.repo_path, copied_pack_name(of_bad[only], name));
	int fd = open(path, O_RDWR);
	uint8_t byte;
	assert_int_equal(pread(fd, &byte, 1, 100), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 100), 1);
	close(fd);
	RIG_OK(&r, rig_copy(&r));
	assert_int_equal(r.copied.points, 1);
	assert_int_equal(r.copied.findings, 1);
	struct copy_status s;
	RIG_OK(&r, offhost_status_read(r.folder, r.w.arena, &s, &r.err));
	assert_int_equal(s.damaged, 1);
	assert_null(memory_find_like(&r.store, name));
	RIG_OK(&r, rig_restore(&r, good));
	rig_prove_restored(&r, good, 1);
	free(packs);
	free(of_bad);
	rig_done(&r);
}

static bool count_name(void *ctx, const char *name, uint64_t size_bytes)
{
	assert_true(size_bytes > 0);
	assert_non_null(strstr(name, "p/" WORLD_HOST "/001/"));
	++*(unsigned *)ctx;
	return true;
}

static void marks_travel_and_what_is_gone_is_told(void **state)
{
	struct rig r;
	struct snapshot_summary s;
	struct verify_result v;
	struct repo *repo;
	unsigned unneeded = 0;
	(void)state;
	rig_init(&r);
	struct id first = rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	WORLD_OK(&r.w, world_verify(&r.w, first, &v)); /* marks it as verified */
	RIG_OK(&r, rig_copy(&r));
	RIG_OK(&r, rig_restore(&r, first));
	RIG_OK(&r, repo_open(r.back, WORLD_HOST, &repo, &r.err));
	RIG_OK(&r, snapshot_get(repo, first, r.w.arena, &s, &r.err));
	assert_true(s.marks.verified_ms > 0);
	repo_close(repo);
	world_text(r.w.config_dir, "a.conf", "two\n");
	rig_point(&r);
	RIG_OK(&r, rig_copy(&r));
	char path[WORLD_PATH * 2], name[COPIED_NAME_MAX], line[32];
	(void)text_format(path, sizeof path, "%s/%s", r.w.repo_path, copied_manifest_name(first, name));
	assert_int_equal(unlink(path), 0);
	RIG_OK(&r, rig_copy(&r));
	RIG_OK(&r, offhost_unneeded(&r.o, r.w.repo, count_name, &unneeded, &r.err));
	assert_int_equal(unneeded, 0); /* a restore still reads an inventory that names it */
	for (int i = 0; i <= OFFHOST_FULL_EVERY; i++) {
		(void)text_format(line, sizeof line, "%d\n", i);
		world_text(r.w.config_dir, "a.conf", line);
		rig_point(&r);
		RIG_OK(&r, rig_copy(&r));
	}
	RIG_OK(&r, offhost_unneeded(&r.o, r.w.repo, count_name, &unneeded, &r.err));
	assert_int_equal(unneeded, 1);
	rig_done(&r);
}

static void only_one_copies_at_a_time(void **state)
{
	struct rig r;
	char path[WORLD_PATH * 2];
	int lock = -1;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	RIG_OK(&r, file_make_dirs(r.folder, 0700, &r.err));
	(void)text_format(path, sizeof path, "%s/lock", r.folder);
	RIG_OK(&r, file_lock(path, &lock, &r.err));
	assert_int_equal(rig_copy(&r), ERR_BUSY);
	assert_int_equal(r.store.calls, 0);
	close(lock);
	RIG_OK(&r, rig_copy(&r));
	rig_done(&r);
}

static void what_cannot_be_there_is_said(void **state)
{
	struct rig r;
	(void)state;
	rig_init(&r);
	rig_point(&r);
	assert_int_equal(rig_restore(&r, (struct id){{0}}), ERR_NOT_FOUND);
	assert_int_equal(rig_verify(&r, false), ERR_NOT_FOUND);
	RIG_OK(&r, rig_copy(&r));
	struct id other = {{1, 2, 3}};
	assert_int_equal(rig_restore(&r, other), ERR_NOT_FOUND);
	assert_false(copied_name_ok("../keys/repository"));
	assert_false(copied_name_ok("packs/../../etc/passwd.pack"));
	assert_false(copied_name_ok("snapshots/snap-.manifest"));
	assert_false(copied_name_ok("inventory/1"));
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_copy_is_read_back_and_restored),
	    cmocka_unit_test(one_point_alone_can_be_restored),
	    cmocka_unit_test(nothing_is_sent_that_was_sent),
	    cmocka_unit_test(a_killed_copy_goes_on),
	    cmocka_unit_test(a_full_disk_ends_a_run_and_no_more),
	    cmocka_unit_test(a_lost_ledger_is_made_again),
	    cmocka_unit_test(many_inventories_are_read_from_the_last_whole_one),
	    cmocka_unit_test(what_is_not_what_was_put_is_found),
	    cmocka_unit_test(a_copy_that_was_set_back_is_found),
	    cmocka_unit_test(inventories_of_two_histories_are_told_apart),
	    cmocka_unit_test(what_breaks_off_is_got_again_from_its_beginning),
	    cmocka_unit_test(a_store_that_was_put_back_to_another_history_is_found),
	    cmocka_unit_test(two_writers_are_told_apart),
	    cmocka_unit_test(what_arrived_otherwise_is_not_taken_for_ours),
	    cmocka_unit_test(another_repository_of_this_host_gets_a_generation_of_its_own),
	    cmocka_unit_test(several_packs_fly_and_each_lands_for_itself),
	    cmocka_unit_test(what_passes_is_tried_again_and_what_does_not_is_told),
	    cmocka_unit_test(locks_last_while_something_is_needed),
	    cmocka_unit_test(damage_here_is_not_copied_and_holds_up_nothing_else),
	    cmocka_unit_test(marks_travel_and_what_is_gone_is_told),
	    cmocka_unit_test(only_one_copies_at_a_time),
	    cmocka_unit_test(what_cannot_be_there_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
