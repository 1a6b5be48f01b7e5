/* Knowledge entries: the shipped ones are whole and found by their own symptoms; wrong ones are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/knowledge/entry.h"
#include "controller/knowledge/search.h"
#include "shared/base/buf.h"
#include "shared/base/file.h"

static struct list shipped(struct arena *arena)
{
	char path[4096];
	struct list entries;
	struct err err = ERR_INIT;
	snprintf(path, sizeof path, "%s/packaging/knowledge", getenv("KEDGE_SOURCE_DIR"));
	if (knowledge_load(path, arena, &entries, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	return entries;
}

static void the_shipped_ones_are_whole(void **state)
{
	(void)state;
	struct arena *arena = arena_new(0);
	struct list entries = shipped(arena);
	unsigned areas[KNOWLEDGE_AREA_COUNT] = {0};
	assert_true(entries.count >= 80);
	for (size_t i = 0; i < entries.count; i++) {
		const struct knowledge_entry *e = &LIST_AT(entries, struct knowledge_entry, i);
		areas[e->area]++;
		assert_true(e->causes.count > 0 && e->patterns.count > 0 && strlen(e->advice) > 20);
		assert_true(strncmp(e->source, "https://", 8) == 0 && strlen(e->source) > 12);
	}
	for (unsigned a = 0; a < KNOWLEDGE_AREA_COUNT; a++)
		assert_true(areas[a] > 0);
	arena_free(arena);
}

/* The pattern as a line of a log would have it: something stands where the star is, and around it. */
static void symptom(const char *pattern, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "host app[12]: ");
	for (const char *p = pattern; *p && n + 8 < size; p++)
		n += (size_t)snprintf(out + n, size - n, *p == '*' ? " x7 " : "%c", *p);
	snprintf(out + n, size - n, " (17)");
}

static void each_is_found_by_its_own_symptom(void **state)
{
	(void)state;
	struct arena *arena = arena_new(0);
	struct list entries = shipped(arena);
	struct knowledge *k;
	struct knowledge_hit hits[3];
	struct err err = ERR_INIT;
	size_t n, first = 0, asked = 0;
	char text[1024];
	assert_int_equal(knowledge_new(&entries, &k, &err), ERR_OK);
	for (size_t i = 0; i < entries.count; i++) {
		const struct knowledge_entry *e = &LIST_AT(entries, struct knowledge_entry, i);
		bool once = false;
		for (size_t p = 0; p < e->patterns.count; p++) {
			bool among = false;
			symptom(LIST_AT(e->patterns, const char *, p), text, sizeof text);
			assert_int_equal(knowledge_find(k, text, hits, 3, &n, &err), ERR_OK);
			for (size_t h = 0; h < n; h++)
				among |= hits[h].entry == e;
			if (!among)
				fail_msg("%s is not found by \"%s\"", e->name, text);
			asked++;
			first += hits[0].entry == e;
			once |= hits[0].entry == e;
		}
		if (!once)
			fail_msg("%s is first for none of its patterns", e->name);
	}
	assert_true(first * 100 >= asked * 95);
	knowledge_free(k);
	arena_free(arena);
}

/* Words of a person who never saw the pattern. */
static void found_by_other_words(void **state)
{
	(void)state;
	static const struct {
		const char *text, *name;
	} asked[] = {
	    {"the postgres server has used up all its connections", "postgresql-connections-used-up"},
	    {"GPU ran out of memory while the model was computing", "inference-gpu-memory"},
	    {"the certificate of the web server ran out, it is expired", "tls-certificate-expired"},
	    {"file system on /var has no space left, disk full", "disk-full"},
	    {"rabbitmq nodes are split by a network partition", "rabbitmq-partition"},
	};
	struct arena *arena = arena_new(0);
	struct list entries = shipped(arena);
	struct knowledge *k;
	struct knowledge_hit hits[3];
	struct err err = ERR_INIT;
	size_t n;
	assert_int_equal(knowledge_new(&entries, &k, &err), ERR_OK);
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		assert_int_equal(knowledge_find(k, asked[i].text, hits, 3, &n, &err), ERR_OK);
		assert_true(n > 0);
		assert_string_equal(hits[0].entry->name, asked[i].name);
	}
	assert_int_equal(knowledge_find(k, "", hits, 3, &n, &err), ERR_OK);
	assert_int_equal(n, 0);
	knowledge_free(k);
	arena_free(arena);
}

static const char good[] =
    "entries:\n  a:\n    title: T\n    area: disk\n    class: resource\n    patterns: [\"disk * full\"]\n"
    "    causes: [c]\n    action: restart\n    advice: look\n    source: https://example.org/\n";

static void refused(const char *from, const char *to, const char *why)
{
	struct arena *arena = arena_new(0);
	struct list entries = {0};
	struct err err = ERR_INIT;
	char text[1024];
	const char *at = strstr(good, from);
	assert_non_null(at);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	assert_int_not_equal(knowledge_parse("x.yaml", text, strlen(text), arena, &entries, &err), ERR_OK);
	assert_int_equal(entries.count, 0);
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
	arena_free(arena);
}

static void wrong_ones_are_refused(void **state)
{
	(void)state;
	struct arena *arena = arena_new(0);
	struct list entries = {0};
	struct err err = ERR_INIT;
	assert_int_equal(knowledge_parse("x.yaml", good, strlen(good), arena, &entries, &err), ERR_OK);
	assert_int_equal(entries.count, 1);
	assert_int_equal(knowledge_parse("y.yaml", good, strlen(good), arena, &entries, &err), ERR_EXISTS);
	assert_int_equal(entries.count, 1);
	refused("source: https://example.org/", "source: hearsay", "source");
	refused("    source: https://example.org/\n", "", "source");
	refused("restart", "reboot", "action");
	refused("disk * full", "*", "everything");
	refused("area: disk", "area: disc", "area");
	refused("  a:", "  A b:", "name");
	refused("action: restart", "action: restart\n    components: [config]", "components");
	arena_free(arena);
}

static void patterns_keep_to_one_line(void **state)
{
	(void)state;
	assert_int_equal(knowledge_pattern_match("disk * full", "x\nDisk sda is FULL now"), 10);
	assert_int_equal(knowledge_pattern_match("disk * full", "disk sda\nis full"), 0);
	assert_int_equal(knowledge_pattern_match("disk full", ""), 0);
	assert_int_equal(knowledge_pattern_match("*abc", "abc"), 3);
	assert_int_equal(knowledge_pattern_match("abc*", "ab"), 0);
}

/* Whoever is paged has the text of an alert, and perhaps nothing else. */
static void an_alert_finds_its_runbook(void **state)
{
	(void)state;
	static const struct {
		const char *runbook, *alert;
	} all[] = {
	    {"bad-change", "HighErrorRate: 5xx responses of checkout rose after the deployment of a new release"},
	    {"database", "PostgresqlDown: could not connect to server, too many connections"},
	    {"disk-full", "NodeFilesystemAlmostOutOfSpace: no space left on device /var"},
	    {"certificate", "TLSCertificateExpiring: the certificate of api expires soon"},
	    {"host-silent", "HostSilent: no word from host web-1, the node does not report"},
	    {"overload", "PodOOMKilled: out of memory, memory usage above 85 percent"},
	    {"dependency", "UpstreamTimeout: upstream timed out, bad gateway 502, DNS lookup failed"},
	    {"controller", "KedgeControllerDown: the controller cannot be reached, its store cannot be opened"},
	};
	enum { N = sizeof all / sizeof all[0] };
	struct search *s;
	struct err err = ERR_INIT;
	assert_int_equal(search_new(&s, &err), ERR_OK);
	for (size_t i = 0; i < N; i++) {
		char path[4096];
		struct buf text = BUF_INIT;
		snprintf(path, sizeof path, "%s/packaging/runbooks/%s.md", getenv("KEDGE_SOURCE_DIR"), all[i].runbook);
		if (file_read(path, 1 << 20, &text, &err) != ERR_OK)
			fail_msg("%s", err.msg);
		assert_int_equal(search_add(s, all[i].runbook, buf_str(&text), text.size, &err), ERR_OK);
		buf_done(&text);
	}
	search_ready(s);
	for (size_t i = 0; i < N; i++) {
		struct search_hit hit;
		size_t n;
		double confidence;
		assert_int_equal(
		    search_find(s, all[i].alert, strlen(all[i].alert), &hit, 1, &n, &confidence, &err), ERR_OK);
		if (n != 1 || hit.document != i)
			fail_msg("\"%s\" finds %s", all[i].alert, n ? all[hit.document].runbook : "nothing");
	}
	search_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_shipped_ones_are_whole),
	    cmocka_unit_test(each_is_found_by_its_own_symptom),
	    cmocka_unit_test(an_alert_finds_its_runbook),
	    cmocka_unit_test(found_by_other_words),
	    cmocka_unit_test(wrong_ones_are_refused),
	    cmocka_unit_test(patterns_keep_to_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
