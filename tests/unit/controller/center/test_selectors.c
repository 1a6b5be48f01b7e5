/* RULES R4: a rollback's hosts are an explicit list of hosts that exist, each once.  Selectors by chance: whatever else
 * is asked for is refused and leaves nothing behind; what is taken names exactly what was asked for. */
#include "shared/base/random.h"
#include "tests/lib/chain_world.h"

enum { SEEDS = 4000, HOSTS_MOST = 4, WEBS = 2 };

/* As they stand in JSON.  The first two run the service. */
static const char *const selectors[] = {"\"web-1\"", "\"web-2\"", "\"db-1\"", "\"*\"", "\"web-*\"", "\"web-?\"",
    "\"web-[12]\"", "\"\"", "\" \"", "\"all\"", "\"portal\"", "\"WEB-1\"", "\"web-1 \"", "\" web-1\"", "\"web-01\"",
    "\"web-1,web-2\"", "\"web-1\\u0000\"", "\"web-1\\n\"", "\"../web-1\"", "\"web-9\"", "\"web\"", "\"web-1.e2e\"",
    "\"boot-01jdaaaaaaaaaaaaaaaaaaaaaa\"", "\"plan-01jdaaaaaaaaaaaaaaaaaaaaaa\"", "\"INC-1\"", "\"RB-1\"", "1", "0",
    "-1", "true", "null", "{}", "[]", "[\"web-1\"]", "\"%\"", "\".*\"", "\"web-1|web-2\"", "\"!web-1\""};
/* Instead of a list. */
static const char *const no_lists[] = {"\"*\"", "\"web-1\"", "\"\"", "null", "{}", "true", "1", "[\"web-1\",]"};

struct wish {
	char body[2000];
	bool right;
	bool said, counted; /* how many hosts; rightly, or not needed */
	bool web[WEBS];     /* asked for */
};

static struct random dice;
static size_t one_of(size_t n)
{
	return (size_t)random_below(&dice, n);
}

static void add(struct wish *w, const char *text)
{
	assert_true(strlen(w->body) + strlen(text) < sizeof w->body);
	strcat(w->body, text);
}

/* Mostly hosts that are right, so that some of every length are taken. */
static void hosts_by_chance(struct wish *w, const struct chain *c)
{
	size_t n = one_of(HOSTS_MOST + 1);
	char id[ID_TEXT_MAX];
	add(w, "[");
	w->right = n > 0;
	for (size_t i = 0; i < n; i++) {
		size_t k = one_of(3) ? one_of(WEBS) : one_of(sizeof selectors / sizeof selectors[0] + 1);
		add(w, i ? "," : "");
		if (k < sizeof selectors / sizeof selectors[0]) {
			add(w, selectors[k]);
		} else { /* a restore point where a host belongs */
			add(w, "\"");
			add(w, id_format(ID_SNAPSHOT, c->good[0], id));
			add(w, "\"");
		}
		w->right = w->right && k < WEBS && !w->web[k];
		if (k < WEBS)
			w->web[k] = true;
	}
	add(w, "]");
}

/* A restore point is of one host: it fits that host alone. */
static void restore_point_by_chance(struct wish *w, const struct chain *c)
{
	static const char *const wrong[] = {"", "*", "web-1", "last", "LAST-GOOD", "boot-01jdaaaaaaaaaaaaaaaaaaaaaa",
	    "snap-01jdaaaaaaaaaaaaaaaaaaaaaa", "snap-", "snap-*", "RB-1"};
	char id[ID_TEXT_MAX];
	const char *text = "last-good";
	size_t kind = one_of(8);
	if (kind > 3)
		return;
	if (kind == 1) {
		text = wrong[one_of(sizeof wrong / sizeof wrong[0])];
		w->right = false;
	} else if (kind > 1) {
		size_t of = one_of(3);
		text = id_format(ID_SNAPSHOT, c->good[of], id);
		w->right = w->right && of < WEBS && w->web[of] && !w->web[!of];
	}
	add(w, ",\"snapshot\":\"");
	add(w, text);
	add(w, "\"");
}

/* Right, wrong, or not said at all. */
static void count_by_chance(struct wish *w)
{
	char text[64];
	unsigned hosts = w->web[0] + w->web[1], said = one_of(8) ? hosts : (unsigned)one_of(4);
	w->counted = said ? said == hosts : hosts <= 1;
	w->said = said;
	if (!said)
		return;
	snprintf(text, sizeof text, ",\"host_count\":%u", said);
	add(w, text);
}

static struct wish wish_by_chance(const struct chain *c)
{
	struct wish w = {0};
	add(&w, "{\"service\":\"portal\",\"components\":[\"config\"],\"text\":\"by chance\",\"hosts\":");
	if (one_of(10)) {
		hosts_by_chance(&w, c);
	} else {
		add(&w, no_lists[one_of(sizeof no_lists / sizeof no_lists[0])]);
	}
	restore_point_by_chance(&w, c);
	count_by_chance(&w);
	add(&w, "}");
	return w;
}

/* The plan in the answer has the hosts that were asked for, and no others. */
static void check_plan(const struct chain *c, const struct wish *w)
{
	const char *hosts = strstr(buf_str(&c->c.reply), "\"hosts\":[");
	assert_non_null(hosts);
	size_t named = 0;
	for (const char *at = hosts; (at = strstr(at, "\"host\":\"")); at++)
		named++;
	assert_int_equal(named, w->web[0] + w->web[1]);
	assert_int_equal(!!strstr(hosts, "\"host\":\"web-1\""), w->web[0]);
	assert_int_equal(!!strstr(hosts, "\"host\":\"web-2\""), w->web[1]);
}

static void open_broken(struct chain *c)
{
	chain_open(c);
	drifts(c, 0, COMPONENT_CONFIG, 1);
	drifts(c, 1, COMPONENT_CONFIG, 1);
}

static void test_r4_selectors_by_chance(void **state)
{
	(void)state;
	struct chain c;
	size_t taken[WEBS + 1] = {0}, refused = 0;
	open_broken(&c);
	random_init_seed(&dice, 4);
	for (int i = 0; i < SEEDS; i++) {
		struct wish w = wish_by_chance(&c);
		enum err_code rc = control_request(&c.c, "ada", "rollback", "plan", w.body);
		w.right = w.right && (w.counted || !w.said); /* to look at, it need not be said */
		if ((rc == ERR_OK) != w.right || (!w.right && rc != ERR_INVALID && rc != ERR_NOT_FOUND))
			fail_msg("%s: %s: %s", w.body, err_code_name(rc), buf_str(&c.c.reply_text));
		if (w.right)
			check_plan(&c, &w);
		taken[w.right ? w.web[0] + w.web[1] : 0]++;
		refused += !w.right;
	}
	assert_true(taken[1] > SEEDS / 20 && taken[2] > SEEDS / 50 && refused > SEEDS / 4); /* chance met every case */
	chain_close(&c);
}

/* The same where something would come of it. */
static void test_r4_what_is_refused_leaves_nothing(void **state)
{
	(void)state;
	struct chain c;
	open_broken(&c);
	random_init_seed(&dice, 5);
	size_t uncounted = 0; /* right but for their number */
	for (int i = 0; i < SEEDS / 4; i++) {
		struct wish w = wish_by_chance(&c);
		if (w.right && w.counted)
			continue;
		uncounted += w.right;
		enum err_code rc = control_request(&c.c, "ada", "rollback", "start", w.body);
		if (rc != ERR_INVALID && rc != ERR_NOT_FOUND)
			fail_msg("%s: %s: %s", w.body, err_code_name(rc), buf_str(&c.c.reply_text));
	}
	assert_true(uncounted > 5);
	assert_int_equal(count_of(&c, &change_table), 0);
	assert_int_equal(count_of(&c, &rollback_table), 0);
	assert_int_equal(count_of(&c, &order_table), 0);
	chain_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_r4_selectors_by_chance),
	    cmocka_unit_test(test_r4_what_is_refused_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, chain_signers, chain_signers_end);
}
