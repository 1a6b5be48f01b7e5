/* Similar incidents and documents for an alert: small worlds in which the right answer is plain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controller/knowledge/search.h"
#include "controller/knowledge/similar.h"

static struct err err;

static uint32_t row(struct similar *s, const char *id, const char *cause, const char *events)
{
	uint32_t r;
	char copy[256], *rest = NULL;
	assert_int_equal(similar_row(s, id, NULL, cause, cause != NULL, &r, &err), ERR_OK);
	snprintf(copy, sizeof copy, "%s", events);
	for (char *e = strtok_r(copy, " ", &rest); e; e = strtok_r(NULL, " ", &rest))
		assert_int_equal(similar_event(s, e, 1, &err), ERR_OK);
	return r;
}

static void the_like_is_nearest(void **state)
{
	(void)state;
	struct similar *s;
	struct similar_hit hits[4];
	size_t n;
	double confidence;
	assert_int_equal(similar_new(&s, &err), ERR_OK);
	row(s, "a1", "disk", "io io slow full");
	row(s, "a2", "disk", "io slow full full");
	row(s, "a3", "disk", "io io full");
	row(s, "b1", "net", "reset timeout slow");
	row(s, "b2", "net", "reset reset timeout");
	row(s, "b3", "net", "timeout reset slow");
	uint32_t asked = row(s, "q", NULL, "reset timeout timeout");
	uint32_t empty = row(s, "e", NULL, "");
	uint32_t strange = row(s, "s", NULL, "never seen before");
	assert_int_equal(similar_ready(s, &err), ERR_OK);
	assert_int_equal(similar_find(s, asked, hits, 4, &n, &confidence, &err), ERR_OK);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(similar_cause(s, hits[i].row), "net");
	assert_true(confidence > 0.7 && confidence < 1);
	assert_int_equal(similar_find(s, empty, hits, 4, &n, &confidence, &err), ERR_OK);
	assert_int_equal(similar_find(s, strange, hits, 4, &n, &confidence, &err), ERR_OK);
	assert_int_equal(similar_find(s, 99, hits, 4, &n, &confidence, &err), ERR_STATE);
	similar_free(s);
}

/* One that is asked about never finds itself, nor others of its own incident, and its cause is no hint to it. */
static void itself_is_left_out(void **state)
{
	(void)state;
	struct similar *s;
	struct similar_hit hits[8];
	size_t n;
	double confidence;
	assert_int_equal(similar_new(&s, &err), ERR_OK);
	uint32_t first = row(s, "app1/part1", "x", "a b c");
	row(s, "app1/part2", "x", "a b c");
	row(s, "app2/part1", "y", "a b c d");
	row(s, "app3", "z", "q");
	assert_int_equal(similar_ready(s, &err), ERR_OK);
	assert_int_equal(similar_find(s, first, hits, 8, &n, &confidence, &err), ERR_OK);
	assert_int_equal(n, 2);
	assert_string_equal(similar_id(s, hits[0].row), "app2/part1");
	assert_string_equal(similar_id(s, hits[1].row), "app3");
	similar_free(s);
}

/* What an incident's own cause says must not move its own neighbours: two histories that differ in it alone agree. */
static void its_own_cause_has_no_part(void **state)
{
	(void)state;
	struct similar_hit hits[2][20];
	size_t n[2];
	for (int turn = 0; turn < 2; turn++) {
		struct similar *s;
		double confidence;
		assert_int_equal(similar_new(&s, &err), ERR_OK);
		uint32_t asked = row(s, "q", turn ? "one" : "two", "a a c e");
		for (int i = 0; i < 12; i++) {
			char id[8];
			snprintf(id, sizeof id, "h%d", i);
			row(s, id, i % 2 ? "one" : "two",
			    i % 3 ? (i % 2 ? "a c" : "b c e") : (i % 4 ? "a a e" : "c b b"));
		}
		assert_int_equal(similar_ready(s, &err), ERR_OK);
		assert_int_equal(similar_find(s, asked, hits[turn], 20, &n[turn], &confidence, &err), ERR_OK);
		similar_free(s);
	}
	assert_int_equal(n[0], n[1]);
	for (size_t i = 0; i < n[0]; i++) {
		assert_int_equal(hits[0][i].row, hits[1][i].row);
		assert_true(hits[0][i].distance > hits[1][i].distance - 1e-9 &&
			    hits[0][i].distance < hits[1][i].distance + 1e-9);
	}
}

static const struct {
	const char *name, *text;
} documents[] = {
    {"WidgetQueueFillingUp",
	"# WidgetQueueFillingUp\n## Meaning\nThe queue of widgets grows faster than it is worked off.\n"},
    {"WidgetServerSlow", "# WidgetServerSlow\n## Meaning\nThe server answers late.\n"},
    {"WidgetServerDown", "# WidgetServerDown\n## Meaning\nThe server cannot be reached.\n"},
    {"GadgetCertificateExpiration",
	"# GadgetCertificateExpiration\nThe client certificate of a gadget expires soon.\n"},
    {"GadgetFilesystemAlmostFull",
	"---\ntitle: Gadget Filesystem Almost Full\n---\nLittle space is left.\n```\ndf -h\n```\n"},
    {"Page", "<html>\n<p>Sprockets <b>jam</b> at noon.</p>\n<"},
    {"Empty", ""},
};

static void found(const char *query, const char *name)
{
	struct search *s;
	struct search_hit hits[3];
	size_t n;
	double confidence;
	assert_int_equal(search_new(&s, &err), ERR_OK);
	for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++)
		assert_int_equal(
		    search_add(s, documents[i].name, documents[i].text, strlen(documents[i].text), &err), ERR_OK);
	assert_int_equal(search_find(s, query, strlen(query), hits, 3, &n, &confidence, &err), ERR_STATE);
	search_ready(s);
	assert_int_equal(search_find(s, query, strlen(query), hits, 3, &n, &confidence, &err), ERR_OK);
	if (!name)
		assert_int_equal(n, 0);
	else if (n == 0 || strcmp(documents[hits[0].document].name, name) != 0)
		fail_msg("\"%s\" finds %s", query, n ? documents[hits[0].document].name : "nothing");
	search_free(s);
}

static void documents_are_found(void **state)
{
	(void)state;
	found("Widgets pile up in the queue {{ $labels.queue }}", "WidgetQueueFillingUp");
	found("A widget server disappeared", "WidgetServerDown"); /* a synonym */
	found("jam of sprockets", "Page");                        /* not its tags */
	found("html", NULL);
	found("the file system", "GadgetFilesystemAlmostFull");                   /* found by nothing else */
	found("gadget cert about to expire", "GadgetCertificateExpiration");      /* a beginning, another ending */
	found("GadgetCertificateExpiration", "GadgetCertificateExpiration");      /* the name itself */
	found("file system of a gadget: no space", "GadgetFilesystemAlmostFull"); /* a compound */
	found("nothing of the kind whatsoever zzz", NULL);
	found("", NULL);
	found("{{ {{ $ $. % \xff\xfe", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_like_is_nearest),
	    cmocka_unit_test(itself_is_left_out),
	    cmocka_unit_test(its_own_cause_has_no_part),
	    cmocka_unit_test(documents_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
