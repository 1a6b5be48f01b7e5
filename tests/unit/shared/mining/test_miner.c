#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/random.h"
#include "shared/mining/mining.h"
#include "shared/mining/table.h"

static struct miner *make(size_t templates)
{
	struct miner *m;
	struct err err;
	const struct miner_options o = {.templates = templates};
	assert_int_equal(miner_new(&o, &m, &err), ERR_OK);
	return m;
}

static struct mined add(struct miner *m, const char *text)
{
	struct mined mined;
	struct err err;
	assert_int_equal(miner_add(m, text, strlen(text), LINE_ERROR, 1000, &mined, &err), ERR_OK);
	return mined;
}

static const char *text_of(struct miner *m, struct mined mined)
{
	struct template_view v;
	assert_true(miner_get(m, mined.group, &v));
	return v.text;
}

static void variables_are_told_by_their_look(void **state)
{
	(void)state;
	static const char *const examples[][2] = {
	    {"Connection from 10.0.0.7:5120 closed after 300 ms", "Connection from <*>:<*> closed after <*> ms"},
	    {"Received block blk_388650490 of size 67108864", "Received block <*> of size <*>"},
	    {"open /var/lib/x/data.db failed: error 2", "open <*> failed: error <*>"},
	    {"authentication failure; uid=0 euid=0 rhost=1.2.3.4",
		"authentication failure; uid=<*> euid=<*> rhost=<*>"},
	    {"at Mon Jul 10 03:55:15 2005 by ssh2", "at <*> by ssh2"},
	    {"id 550e8400-e29b-41d4-a716-446655440000 and 0xdeadbeef and fe80::1%eth0", "id <*> and <*> and <*>"},
	    {"ask node to delete blk_1 blk_2 blk_3", "ask node to delete <*>"},
	    {"  many   blanks\there ", "many blanks here"},
	    {"used 12 GB of 40 GB", "used <*> GB of <*> GB"},
	    {"saved to hdfs://10.0.0.1:9000/a/b.log:12+34, then http://x.test/y: refused",
		"saved to <*>, then <*>: refused"},
	    {"db.site.test:5432 close", "<*>:<*> close"},
	    {"panic at main.c:120 in Foo.java:7", "panic at main.c:<*> in Foo.java:<*>"},
	    {"generating core.2275 on node-12, web-6d4cf56db6", "generating core.<*> on node-<*>, <*>"},
	    {"ready=true tag=\"View Lock\" ws=Source{10113} state=started",
		"ready=<*> tag=\"<*>\" ws=<*> state=started"},
	    {"%LINK-3-UPDOWN: Interface Gi0/1, ORA-00942: x", "%LINK-3-UPDOWN: Interface <*>, ORA-00942: x"},
	    {"session opened for user fztu by (uid=0)", "session opened for user <*> by (uid=<*>)"},
	    {"invalid user  [preauth]", "invalid user [preauth]"},
	    {"user () at (x)", "user (<*>) at (x)"},
	    {"main() returned", "main() returned"},
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
		struct buf out = BUF_INIT;
		mining_mask(examples[i][0], strlen(examples[i][0]), &out);
		assert_string_equal(buf_str(&out), examples[i][1]);
		buf_done(&out);
	}
}

/* A word's digits are counted whatever its size. */
static void long_words_are_looked_at_whole(void **state)
{
	(void)state;
	enum { DIGITS = 256, WORD = DIGITS + 2 };
	char text[3 + WORD + 1] = "id ";
	struct buf out = BUF_INIT;
	memset(text + 3, '7', WORD);
	text[3] = text[3 + WORD - 1] = 'g';
	mining_mask(text, sizeof text - 1, &out);
	assert_string_equal(buf_str(&out), "id <*>");
	buf_done(&out);
}

/* PITFALLS P57 */
static void opposite_events_stay_apart(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {{"started", "stopped"}, {"up", "down"}, {"success", "failure"},
	    {"succeeded", "failed"}, {"opened", "closed"}, {"connected", "disconnected"}, {"enabled", "disabled"},
	    {"accepted", "rejected"}, {"online", "offline"}, {"available", "unavailable"}, {"mounted", "unmounted"},
	    {"locked", "unlocked"}, {"granted", "denied"}, {"login", "logout"}, {"acquired", "released"},
	    {"healthy", "unhealthy"}, {"joined", "left"}, {"true", "false"}, {"on", "off"}, {"Starting", "Stopping"}};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct miner *m = make(0);
		uint32_t group[2] = {0};
		char line[128];
		/* Many names vary right beside it, and the verb itself stands where a name would be. */
		for (int k = 0; k < 200; k++)
			for (int side = 0; side < 2; side++) {
				snprintf(line, sizeof line, "worker w%c%c for user %s state=%s", 'a' + k % 26,
				    'a' + k / 26, pairs[i][side], pairs[i][side]);
				group[side] = add(m, line).group;
			}
		struct template_view v[2];
		assert_true(miner_get(m, group[0], &v[0]) && miner_get(m, group[1], &v[1]));
		assert_int_not_equal(v[0].group, v[1].group);
		assert_non_null(strstr(v[0].text, pairs[i][0]));
		assert_non_null(strstr(v[1].text, pairs[i][1]));
		assert_int_equal(v[0].count, 200);
		miner_free(m);
	}
}

static void names_behind_a_cue_become_one(void **state)
{
	(void)state;
	struct miner *m = make(0);
	struct mined first = add(m, "Invalid task webmaster from 10.0.0.1");
	assert_true(first.is_new);
	struct mined second = add(m, "Invalid task pgadmin from 10.0.0.2");
	assert_string_equal(text_of(m, second), "Invalid task <*> from <*>");
	assert_false(second.is_new);
	assert_int_equal(second.group, first.group);
	assert_int_equal(second.replaces, first.template_id);
	struct mined third =
	    add(m, "Invalid task root from 10.0.0.3"); /* an ordinary word, but the place is known to vary */
	assert_int_equal(third.group, first.group);
	assert_int_equal(third.replaces, 0);
	assert_int_equal(miner_count(m), 1);
	miner_free(m);
}

/* Several words in quotes, behind what has titles, are one value; what is said in quotes is not. */
static void titles_are_values(void **state)
{
	(void)state;
	struct miner *m = make(0);
	struct mined first = add(m, "Job \"night report\" started");
	assert_string_equal(text_of(m, first), "Job \"<*>\" started");
	assert_int_equal(add(m, "Job \"export of the month\" started").group, first.group);
	assert_int_equal(add(m, "Job \"export\" started").group, first.group); /* a title, not what happened */
	struct mined stopped = add(m, "session state=\"stopped\"");
	assert_int_not_equal(add(m, "session state=\"started\"").group, stopped.group);
	struct mined refused = add(m, "it said \"connection refused\"");
	assert_int_not_equal(add(m, "it said \"connection reset\"").group, refused.group);
	miner_free(m);
}

/* cache-12, db-3: whatever the words are, with a number behind them they are names. */
static void numbered_names_become_one(void **state)
{
	(void)state;
	struct miner *m = make(0);
	static const char *const hosts[] = {"cache-1", "node-22", "worker-3", "db-4", "proxy-15", "job-480213"};
	struct mined last = {0};
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		char line[64];
		snprintf(line, sizeof line, "The lease was renewed for %s", hosts[i]);
		last = add(m, line);
	}
	assert_string_equal(text_of(m, last), "The lease was renewed for <*>-<*>");
	assert_int_equal(miner_count(m), 1);
	miner_free(m);
}

static void other_languages_have_opposites_and_names(void **state)
{
	(void)state;
	struct miner *m = make(0);
	struct mined in = add(m, "Benutzer alice hat sich angemeldet");
	assert_int_equal(add(m, "Benutzer bob hat sich angemeldet").group, in.group);
	struct mined out = add(m, "Benutzer bob hat sich abgemeldet");
	assert_int_not_equal(out.group, in.group);
	struct mined on = add(m, "Le service est démarré"), off = add(m, "Le service est arrêté");
	assert_int_not_equal(on.group, off.group);
	miner_free(m);
}

/* A unit says something as long as it is the same; hosts agree on that, too. */
static void a_unit_is_shown_until_one_varies(void **state)
{
	(void)state;
	struct miner *m = make(0), *other = make(0);
	struct template_view v;
	struct mined mined;
	struct mined first = add(m, "read 12 KB in 3 ms");
	assert_string_equal(text_of(m, first), "read <*> KB in <*> ms");
	assert_int_equal(miner_recall(other, text_of(m, first), NULL), ERR_OK);
	assert_int_equal(add(other, "read 14 KB in 9 ms").template_id, first.template_id);
	struct mined varied = add(m, "read 12 MB in 3 ms");
	assert_int_equal(varied.replaces, first.template_id);
	assert_int_equal(varied.group, first.group);
	assert_string_equal(text_of(m, varied), "read <*> in <*>");
	assert_true(miner_get(m, varied.group, &v));
	assert_int_equal(miner_absorb(other, &v, &mined, NULL), ERR_OK);
	assert_int_equal(miner_count(other), 1);
	assert_int_equal(mined.template_id, varied.template_id);
	miner_free(m);
	miner_free(other);
}

/* Whether the opposite comes before or after the place is known to vary. */
static void no_blank_covers_a_word_with_an_opposite(void **state)
{
	(void)state;
	struct miner *m = make(0);
	uint32_t before = add(m, "Invalid user started from 10.0.0.1").group;
	add(m, "Invalid user webmaster from 10.0.0.1");
	struct mined names = add(m, "Invalid user pgadmin from 10.0.0.1");
	assert_string_equal(text_of(m, names), "Invalid user <*> from <*>"); /* and does not keep the others from it */
	struct mined after = add(m, "Invalid user stopped from 10.0.0.1");
	assert_string_equal(text_of(m, after), "Invalid user stopped from <*>");
	assert_int_equal(add(m, "Invalid user started from 10.0.0.2").group, before);
	assert_int_equal(miner_count(m), 3);
	miner_free(m);
}

static void ordinary_words_make_different_events(void **state)
{
	(void)state;
	struct miner *m = make(0);
	add(m, "connection request received from peer");
	add(m, "connection reply received from peer");
	add(m, "connection error received from peer");
	add(m, "connection update received from peer");
	assert_int_equal(miner_count(m), 4);
	miner_free(m);
}

/* PITFALLS P57 */
static void a_million_random_tokens_take_no_memory(void **state)
{
	(void)state;
	struct miner *m = make(512);
	struct random r;
	char line[256];
	size_t used = 0;
	random_init_seed(&r, 7);
	for (int i = 0; i < 170000; i++) {
		size_t n = 0;
		for (int k = 0; k < 6; k++) {
			for (size_t c = 3 + random_below(&r, 8); c > 0; c--)
				line[n++] = (char)('a' + random_below(&r, 26));
			line[n++] = random_below(&r, 20) ? ' ' : '=';
		}
		line[n - 1] = '\0';
		add(m, line);
		if (i == 20000)
			used = mallinfo2().uordblks;
		assert_true(miner_count(m) <= 512);
	}
	assert_true(mallinfo2().uordblks < used + used / 4 + 65536);
	assert_true(used < 8u << 20);
	/* And what repeats is still found. */
	uint32_t group = add(m, "disk failure on volume seven").group;
	assert_int_equal(add(m, "disk failure on volume seven").group, group);
	miner_free(m);
}

static void frequent_templates_outlive_a_storm(void **state)
{
	(void)state;
	struct miner *m = make(64);
	struct random r;
	char line[128];
	random_init_seed(&r, 8);
	uint32_t group = 0;
	for (int i = 0; i < 500; i++)
		group = add(m, "database connection refused by peer").group;
	for (int i = 0; i < 5000; i++) {
		size_t n = 0;
		for (size_t k = 0; k < 3 + (size_t)i % 20; k++)
			n += (size_t)snprintf(line + n, sizeof line - n, "%c%c%c ", (char)('a' + random_below(&r, 26)),
			    (char)('a' + random_below(&r, 26)), (char)('a' + random_below(&r, 26)));
		add(m, line);
	}
	assert_true(miner_evicted(m) > 0);
	struct mined again = add(m, "database connection refused by peer");
	assert_false(again.is_new);
	assert_int_equal(again.group, group);
	miner_free(m);
}

struct taken {
	size_t count;
	bool take, was_new;
	uint64_t fresh, total, first, fresh_first;
	char text[600], sample[600];
};

static bool on_view(void *ctx, const struct template_view *v)
{
	struct taken *t = ctx;
	t->count++;
	t->fresh = v->fresh;
	t->total = v->count;
	t->was_new = v->is_new;
	t->first = v->first_ms;
	t->fresh_first = v->fresh_first_ms;
	snprintf(t->text, sizeof t->text, "%s", v->text);
	snprintf(t->sample, sizeof t->sample, "%s", v->sample);
	return t->take;
}

static void taking_resets_only_what_was_taken(void **state)
{
	(void)state;
	struct miner *m = make(0);
	struct mined mined;
	struct err err;
	struct taken t = {0};
	assert_int_equal(miner_add(m, "boom 1", 6, LINE_WARNING, 50, &mined, &err), ERR_OK);
	assert_int_equal(miner_add(m, "boom 2", 6, LINE_FATAL, 70, &mined, &err), ERR_OK);
	miner_take(m, on_view, &t);
	assert_int_equal(t.count, 1);
	assert_true(t.was_new);
	assert_int_equal(t.fresh, 2);
	assert_string_equal(t.sample, "boom 1");
	t = (struct taken){.take = true}; /* not taken: offered again */
	miner_take(m, on_view, &t);
	assert_int_equal(t.fresh, 2);
	t = (struct taken){.take = true};
	miner_take(m, on_view, &t);
	assert_int_equal(t.count, 0);
	assert_int_equal(miner_add(m, "boom 3", 6, LINE_DEBUG, 90, &mined, &err), ERR_OK);
	miner_take(m, on_view, &t);
	assert_int_equal(t.fresh, 1);
	assert_int_equal(t.total, 3);
	assert_false(t.was_new);
	assert_int_equal(t.first, 50);
	assert_int_equal(t.fresh_first, 90);
	struct template_view v;
	size_t at = 0;
	assert_true(miner_next(m, &at, &v));
	assert_int_equal(v.level, LINE_FATAL); /* the gravest */
	assert_false(miner_next(m, &at, &v));
	miner_free(m);
}

static void what_was_known_is_not_new(void **state)
{
	(void)state;
	struct miner *m = make(0);
	struct err err;
	assert_int_equal(miner_recall(m, "Invalid user <*> from <*>", &err), ERR_OK);
	struct mined mined = add(m, "Invalid user bob from 10.0.0.1");
	assert_false(mined.is_new);
	assert_int_equal(mined.template_id, mining_template_id("Invalid user <*> from <*>"));
	struct taken t = {.take = true};
	miner_take(m, on_view, &t);
	assert_int_equal(t.count, 1);
	assert_false(t.was_new);
	assert_true(add(m, "something else went wrong").is_new);
	miner_free(m);
}

static void hosts_agree_and_merge_on_the_controller(void **state)
{
	(void)state;
	struct miner *hosts[3], *controller = make(0);
	static const char *const users[] = {
	    "webmaster", "pgadmin", "qwerty", "xyzzy", "plugh", "foobar", "zaphod", "arthur", "trillian"};
	struct err err;
	char line[128];
	for (size_t h = 0; h < 3; h++) {
		hosts[h] = make(0);
		for (size_t i = 0; i < 3; i++) {
			snprintf(line, sizeof line, "Invalid user %s from 10.0.%zu.%zu", users[3 * h + i], h, i);
			add(hosts[h], line);
		}
		snprintf(line, sizeof line, "disk sd%c failed", (char)('a' + h));
		add(hosts[h], line);
		add(hosts[h], "service started");
		if (h == 1)
			add(hosts[h], "service stopped");
	}
	for (size_t h = 0; h < 3; h++) {
		struct template_view v;
		struct mined mined;
		for (size_t at = 0; miner_next(hosts[h], &at, &v);)
			assert_int_equal(miner_absorb(controller, &v, &mined, &err), ERR_OK);
	}
	struct template_view v;
	size_t users_seen = 0, service = 0;
	for (size_t at = 0; miner_next(controller, &at, &v);) {
		if (strstr(v.text, "Invalid")) {
			users_seen++;
			assert_string_equal(v.text, "Invalid user <*> from <*>");
			assert_int_equal(v.template_id, mining_template_id(v.text));
			assert_int_equal(v.count, 9);
		}
		if (strstr(v.text, "service")) {
			service++;
			assert_int_equal(v.count, strstr(v.text, "started") ? 3 : 1);
		}
	}
	assert_int_equal(users_seen, 1);
	assert_int_equal(service, 2);
	for (size_t h = 0; h < 3; h++)
		miner_free(hosts[h]);
	miner_free(controller);
}

static void ids_never_change(void **state)
{
	(void)state;
	/* They stand in stores and on the wire: FNV-1a, 64 bit, of the text. */
	assert_int_equal(mining_template_id(""), 0xcbf29ce484222325ull);
	assert_int_equal(mining_template_id("a"), 0xaf63dc4c8601ec8cull);
	assert_int_equal(mining_template_id("foobar"), 0x85944171f73967e8ull);
}

static void strange_lines_do_no_harm(void **state)
{
	(void)state;
	struct miner *m = make(0);
	struct mined mined;
	struct err err;
	size_t size = 10 << 20;
	char *big = malloc(size);
	assert_non_null(big);
	memset(big, 'a', size);
	assert_int_equal(miner_add(m, big, size, LINE_NONE, 1, &mined, &err), ERR_OK);
	for (size_t i = 0; i < size; i += 2)
		big[i] = ' ';
	assert_int_equal(miner_add(m, big, size, LINE_NONE, 1, &mined, &err), ERR_OK);
	assert_true(strlen(text_of(m, mined)) <= MINER_TEMPLATE_MAX);
	memset(big, '1', size);
	for (size_t i = 1; i < size; i += 2)
		big[i] = ','; /* templates grow over their lines here */
	assert_int_equal(miner_add(m, big, size, LINE_NONE, 1, &mined, &err), ERR_OK);
	assert_true(strlen(text_of(m, mined)) <= MINER_TEMPLATE_MAX);
	memset(big, 0, 1000);
	assert_int_equal(miner_add(m, big, 1000, LINE_NONE, 1, &mined, &err), ERR_OK);
	assert_int_equal(miner_add(m, "", 0, LINE_NONE, 1, &mined, &err), ERR_OK);
	assert_int_equal(miner_add(m, "\xff\xfe broken \xc3", 11, LINE_NONE, 1, &mined, &err), ERR_OK);
	free(big);
	miner_free(m);
}

static void the_table_is_a_map(void **state)
{
	(void)state;
	struct table t = {0};
	struct random r;
	static uint32_t expected[2048];
	random_init_seed(&r, 3);
	memset(expected, 0xff, sizeof expected);
	for (int i = 0; i < 200000; i++) {
		uint32_t k = (uint32_t)random_below(&r, 2048), v;
		switch (random_below(&r, 3)) {
		case 0:
			assert_true(table_put(&t, k + 1, (uint32_t)i));
			expected[k] = (uint32_t)i;
			break;
		case 1:
			table_remove(&t, k + 1);
			expected[k] = UINT32_MAX;
			break;
		default:
			assert_int_equal(table_get(&t, k + 1, &v), expected[k] != UINT32_MAX);
			if (expected[k] != UINT32_MAX)
				assert_int_equal(v, expected[k]);
		}
	}
	size_t count = 0;
	for (size_t i = 0; i < 2048; i++)
		count += expected[i] != UINT32_MAX;
	assert_int_equal(t.count, count);
	table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(variables_are_told_by_their_look),
	    cmocka_unit_test(long_words_are_looked_at_whole),
	    cmocka_unit_test(opposite_events_stay_apart),
	    cmocka_unit_test(names_behind_a_cue_become_one),
	    cmocka_unit_test(titles_are_values),
	    cmocka_unit_test(numbered_names_become_one),
	    cmocka_unit_test(other_languages_have_opposites_and_names),
	    cmocka_unit_test(a_unit_is_shown_until_one_varies),
	    cmocka_unit_test(no_blank_covers_a_word_with_an_opposite),
	    cmocka_unit_test(ordinary_words_make_different_events),
	    cmocka_unit_test(a_million_random_tokens_take_no_memory),
	    cmocka_unit_test(frequent_templates_outlive_a_storm),
	    cmocka_unit_test(taking_resets_only_what_was_taken),
	    cmocka_unit_test(what_was_known_is_not_new),
	    cmocka_unit_test(hosts_agree_and_merge_on_the_controller),
	    cmocka_unit_test(ids_never_change),
	    cmocka_unit_test(strange_lines_do_no_harm),
	    cmocka_unit_test(the_table_is_a_map),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
