#include "controller/audit/audit.h"
#include "controller/audit/merkle.h"
#include "shared/base/text.h"
#include "tests/lib/world.h"

static void note(struct turn *t, int n)
{
	struct actor who = actor_operator("ada", "127.0.0.1:5555");
	ok(audit_note(t, &who, "incident.note", "incident", "inc-1", AUDIT_DONE, ERR_HERE, "note %d", n));
}

static struct audit_verdict verify(struct turn *t, uint64_t from, uint64_t to, const struct audit_checkpoint *known)
{
	struct audit_verdict v;
	ok(audit_verify(t, from, to, known, &v, ERR_HERE));
	return v;
}

/* Ten entries over several commits. */
static struct turn *filled(struct world *w)
{
	world_open(w);
	for (int i = 0; i < 10; i++)
		note(world_after(w, 1000), i);
	return world_after(w, 1000);
}

static void test_entries_are_numbered_and_the_head_follows(void **state)
{
	(void)state;
	struct world w;
	struct turn *t = filled(&w);
	struct audit_head head;
	struct digest leaves[10];
	ok(audit_head(t, &head, ERR_HERE));
	assert_int_equal(head.size, 10);
	for (uint64_t i = 0; i < 10; i++) {
		struct audit_entry e = {.sequence = i + 1};
		bool found;
		ok(turn_get(t, &audit_table, &e, &e, &found, ERR_HERE));
		assert_true(found);
		leaves[i] = e.hash;
		assert_string_equal(e.actor_name, "ada");
	}
	struct digest root = merkle_root(leaves, 10);
	assert_memory_equal(&root, &head.root, sizeof(root));
	struct audit_verdict v = verify(t, 1, 0, NULL);
	assert_int_equal(v.problem, AUDIT_SOUND);
	assert_int_equal(v.size, 10);
	world_close(&w);
}

static void test_empty_trail_is_sound(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct audit_verdict v = verify(w.turn, 1, 0, NULL);
	assert_int_equal(v.problem, AUDIT_SOUND);
	assert_int_equal(v.size, 0);
	world_close(&w);
}

/* An edit, also one whose hash was made anew. */
static void test_p52_edited_entry_is_found(void **state)
{
	(void)state;
	for (int rehash = 0; rehash < 2; rehash++) {
		struct world w;
		struct turn *t = filled(&w);
		struct audit_entry e = {.sequence = 4};
		bool found;
		ok(turn_get(t, &audit_table, &e, &e, &found, ERR_HERE));
		e.actor_name = "eve";
		if (rehash) {
			struct buf b = BUF_INIT;
			struct audit_entry bare = e;
			bare.hash = (struct digest){{0}};
			ok(record_to_msgpack(&audit_entry_type, &bare, &b, ERR_HERE));
			e.hash = merkle_leaf(b.data, b.size);
			buf_done(&b);
		}
		ok(turn_put(t, &audit_table, &e, ERR_HERE));
		t = world_after(&w, 1);
		struct audit_verdict v = verify(t, 1, 0, NULL);
		assert_int_equal(v.problem, rehash ? AUDIT_HEAD_WRONG : AUDIT_EDITED);
		if (!rehash)
			assert_int_equal(v.sequence, 4);
		world_close(&w);
	}
}

static void test_p51_deleted_entry_is_found(void **state)
{
	(void)state;
	for (uint64_t victim = 1; victim <= 10; victim++) {
		struct world w;
		struct turn *t = filled(&w);
		struct audit_entry key = {.sequence = victim};
		ok(turn_delete(t, &audit_table, &key, ERR_HERE));
		struct audit_verdict v = verify(world_after(&w, 1), 1, 0, NULL);
		assert_int_equal(v.problem, AUDIT_MISSING);
		assert_int_equal(v.sequence, victim);
		world_close(&w);
	}
}

/* Somebody with the whole store in hand cuts the end off and makes a head that fits: only a checkpoint tells. */
static void forge_short(struct world *w, uint64_t keep)
{
	struct turn *t = w->turn;
	struct merkle_frontier f = {0};
	for (uint64_t i = 1; i <= 10; i++) {
		struct audit_entry e = {.sequence = i};
		bool found;
		ok(turn_get(t, &audit_table, &e, &e, &found, ERR_HERE));
		if (i <= keep)
			merkle_frontier_add(&f, e.hash);
		else
			ok(turn_delete(t, &audit_table, &e, ERR_HERE));
	}
	struct audit_head head = {.name = "head", .size = keep, .root = merkle_frontier_root(&f), .at_ms = w->now_ms};
	head.frontier = (struct bytes){f.nodes[0].b, f.count * sizeof(struct digest)};
	ok(turn_put(t, &audit_head_table, &head, ERR_HERE));
}

static void test_p51_cut_off_end_is_found_by_a_checkpoint(void **state)
{
	(void)state;
	struct world w;
	struct turn *t = filled(&w);
	struct audit_checkpoint c;
	ok(audit_checkpoint_make(t, &c, ERR_HERE));
	assert_int_equal(c.size, 10);
	world_after(&w, 1);
	forge_short(&w, 7);
	struct audit_verdict v = verify(world_after(&w, 1), 1, 0, NULL);
	assert_int_equal(v.problem, AUDIT_MISSING);
	assert_int_equal(v.sequence, 8);
	/* the stored checkpoint goes too: then the copy that somebody else kept tells */
	t = world_after(&w, 1);
	ok(turn_delete(t, &audit_checkpoint_table, &c, ERR_HERE));
	t = world_after(&w, 1);
	assert_int_equal(verify(t, 1, 0, NULL).problem, AUDIT_SOUND);
	assert_int_equal(verify(t, 1, 0, &c).problem, AUDIT_MISSING);
	world_close(&w);
}

static void test_p52_forked_trail_is_found_by_a_head_kept_outside(void **state)
{
	(void)state;
	struct world w;
	struct turn *t = filled(&w);
	struct audit_checkpoint c;
	ok(audit_checkpoint_make(t, &c, ERR_HERE));
	ok(turn_delete(t, &audit_checkpoint_table, &c, ERR_HERE));
	world_after(&w, 1);
	forge_short(&w, 7);
	for (int i = 0; i < 5; i++) /* another history, well formed, and longer */
		note(world_after(&w, 1), 100 + i);
	t = world_after(&w, 1);
	assert_int_equal(verify(t, 1, 0, NULL).problem, AUDIT_SOUND);
	struct audit_verdict v = verify(t, 1, 0, &c);
	assert_int_equal(v.problem, AUDIT_FORKED);
	assert_int_equal(v.sequence, 10);
	world_close(&w);
}

/* Contents outside from..to are believed, their hashes are not. */
static void test_a_range_is_checked_against_the_whole_tree(void **state)
{
	(void)state;
	struct world w;
	struct turn *t = filled(&w);
	struct audit_entry e = {.sequence = 2};
	bool found;
	ok(turn_get(t, &audit_table, &e, &e, &found, ERR_HERE));
	e.text = "another";
	ok(turn_put(t, &audit_table, &e, ERR_HERE));
	t = world_after(&w, 1);
	assert_int_equal(verify(t, 5, 8, NULL).problem, AUDIT_SOUND);
	assert_int_equal(verify(t, 1, 2, NULL).problem, AUDIT_EDITED);
	world_close(&w);
}

static void test_proofs_hold_against_heads(void **state)
{
	(void)state;
	struct world w;
	struct turn *t = filled(&w);
	struct audit_head head;
	struct list proof;
	ok(audit_head(t, &head, ERR_HERE));
	struct audit_entry e = {.sequence = 6};
	bool found;
	ok(turn_get(t, &audit_table, &e, &e, &found, ERR_HERE));
	ok(audit_inclusion(t, 6, 10, &proof, ERR_HERE));
	assert_true(merkle_inclusion_valid(e.hash, 5, 10, proof.items, proof.count, head.root));
	struct digest old = head.root;
	note(t, 11);
	note(t, 12);
	ok(audit_head(t, &head, ERR_HERE));
	ok(audit_consistency(t, 10, 12, &proof, ERR_HERE));
	assert_true(merkle_consistency_valid(10, 12, old, head.root, proof.items, proof.count));
	refused(ERR_INVALID, audit_inclusion(t, 13, 12, &proof, ERR_HERE));
	refused(ERR_INVALID, audit_inclusion(t, 1, 13, &proof, ERR_HERE));
	refused(ERR_INVALID, audit_consistency(t, 0, 12, &proof, ERR_HERE));
	world_close(&w);
}

static void test_checkpoint_is_signed_once(void **state)
{
	(void)state;
	struct world w;
	struct turn *t = filled(&w);
	struct audit_checkpoint c, again;
	struct bytes signature = {(const uint8_t *)"sig", 3};
	ok(audit_checkpoint_make(t, &c, ERR_HERE));
	ok(audit_checkpoint_sign(t, 10, "ada", signature, ERR_HERE));
	refused(ERR_EXISTS, audit_checkpoint_sign(t, 10, "eve", signature, ERR_HERE));
	refused(ERR_NOT_FOUND, audit_checkpoint_sign(t, 9, "ada", signature, ERR_HERE));
	ok(audit_checkpoint_make(t, &again, ERR_HERE)); /* the same size: as it was, signature and all */
	assert_string_equal(again.signer, "ada");
	struct buf text = BUF_INIT;
	audit_checkpoint_text(&c, &text);
	assert_true(text_starts(buf_str(&text), "kedge audit\n10\n"));
	buf_done(&text);
	world_close(&w);
}

/* A refused input leaves no entry: they are written with what they tell, or not at all. */
static enum err_code note_and_fail(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	note(t, 1);
	return err_set(reterr, ERR_DENIED, "refused");
}

static void test_dropped_turn_leaves_no_entry(void **state)
{
	(void)state;
	struct world w;
	(void)filled(&w);
	world_commit(&w);
	struct store_view *view;
	struct batch *b;
	ok(store_view_open(w.store, "test", &view, ERR_HERE));
	ok(batch_new(store_view_turn(view), w.now_ms, &w.random, &b, ERR_HERE));
	refused(ERR_DENIED, batch_apply(b, note_and_fail, NULL, ERR_HERE));
	const struct turn_write *writes;
	size_t count;
	ok(batch_writes(b, &writes, &count, ERR_HERE));
	assert_int_equal(count, 0);
	batch_free(b);
	store_view_close(view);
	world_close(&w);
}

static void test_earlier_checkpoints_that_hold_disturb_nothing(void **state)
{
	(void)state;
	struct world w;
	struct audit_checkpoint c;
	(void)filled(&w);
	ok(audit_checkpoint_make(w.turn, &c, ERR_HERE));
	assert_int_equal(c.at_ms, w.now_ms);
	for (int i = 0; i < 3; i++)
		note(world_after(&w, 1), i);
	struct turn *t = world_after(&w, 1);
	struct audit_verdict v = verify(t, 1, 0, &c);
	assert_int_equal(v.problem, AUDIT_SOUND);
	assert_int_equal(v.size, 13);
	assert_non_null(v.text);
	struct audit_head head;
	ok(audit_head(t, &head, ERR_HERE));
	assert_int_equal(head.at_ms, w.now_ms - 1);
	struct list proof;
	ok(audit_inclusion(t, 13, 13, &proof, ERR_HERE));
	world_close(&w);
}

static void test_p52_forked_trail_is_found_by_a_stored_checkpoint(void **state)
{
	(void)state;
	struct world w;
	struct audit_checkpoint c;
	(void)filled(&w);
	ok(audit_checkpoint_make(w.turn, &c, ERR_HERE));
	world_after(&w, 1);
	forge_short(&w, 7);
	for (int i = 0; i < 5; i++)
		note(world_after(&w, 1), 100 + i);
	struct audit_verdict v = verify(world_after(&w, 1), 1, 0, NULL);
	assert_int_equal(v.problem, AUDIT_FORKED);
	assert_int_equal(v.sequence, 10);
	world_close(&w);
}

/* Whatever a stranger sends is on the trail. */
static void test_nothing_keeps_itself_off_the_trail(void **state)
{
	(void)state;
	struct world w;
	char endless[4000];
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	const char *const bad[] = {endless, "\xff\xfe", "caf\xc3", "", "fine"};
	world_open(&w);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct actor who = {AUDIT_OPERATOR, bad[i], bad[i]};
		ok(audit_note(
		    w.turn, &who, "request.refused", "request", bad[i], AUDIT_REFUSED, ERR_HERE, "%s", bad[i]));
	}
	struct audit_entry e = {.sequence = 3};
	bool found;
	ok(turn_get(w.turn, &audit_table, &e, &e, &found, ERR_HERE));
	assert_string_equal(e.object, "caf?");
	e.sequence = 1;
	ok(turn_get(w.turn, &audit_table, &e, &e, &found, ERR_HERE));
	assert_int_equal(strlen(e.object), AUDIT_OBJECT_MAX);
	assert_int_equal(verify(w.turn, 1, 0, NULL).problem, AUDIT_SOUND);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_entries_are_numbered_and_the_head_follows),
	    cmocka_unit_test(test_empty_trail_is_sound),
	    cmocka_unit_test(test_p52_edited_entry_is_found),
	    cmocka_unit_test(test_p51_deleted_entry_is_found),
	    cmocka_unit_test(test_p51_cut_off_end_is_found_by_a_checkpoint),
	    cmocka_unit_test(test_p52_forked_trail_is_found_by_a_head_kept_outside),
	    cmocka_unit_test(test_a_range_is_checked_against_the_whole_tree),
	    cmocka_unit_test(test_proofs_hold_against_heads),
	    cmocka_unit_test(test_checkpoint_is_signed_once),
	    cmocka_unit_test(test_dropped_turn_leaves_no_entry),
	    cmocka_unit_test(test_earlier_checkpoints_that_hold_disturb_nothing),
	    cmocka_unit_test(test_p52_forked_trail_is_found_by_a_stored_checkpoint),
	    cmocka_unit_test(test_nothing_keeps_itself_off_the_trail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
