#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "controller/cases/cases.h"
#include "shared/base/text.h"

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_folder(name), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* Sixty rows a minute apart: from the fault's row on `bad` uses five times the cpu. */
static void put_metrics(const char *name, int fault)
{
	gzFile f = gzopen(in_folder(name), "w");
	assert_non_null(f);
	gzputs(f, "time,good|cpu,bad|cpu,bad|cpu,empty|cpu,flat|mem,|cpu\n");
	for (int i = 0; i < 60; i++)
		gzprintf(f, "%d,%d.5,%d,%d,,7,nan\n", 1700000000 + 60 * i, 20 + i % 3, (i < fault ? 10 : 50) + i % 2,
		    (i < fault ? 10 : 50) + i % 2);
	gzputs(f, "not a time,1,2,3,4,5\n1700009999\n");
	assert_int_equal(gzclose(f), Z_OK);
}

static struct case_runner *make(void)
{
	struct case_runner *r;
	struct err err;
	assert_int_equal(case_runner_new(folder, &r, &err), ERR_OK);
	return r;
}

static struct case_answer run(struct case_runner *r, const char *line)
{
	struct case_answer a;
	struct err err;
	enum err_code rc = case_run(r, line, strlen(line), &a, &err);
	if (rc != ERR_OK)
		fail_msg("%s", err.msg);
	struct buf out = BUF_INIT; /* what is answered can be written */
	assert_int_equal(record_to_json(&case_answer_type, &a, 0, &out, &err), ERR_OK);
	buf_done(&out);
	return a;
}

static const char *first(const struct case_answer *a)
{
	return a->rank.count ? LIST_AT(a->rank, const char *, 0) : "";
}

static void every_way_to_say_when(void **state)
{
	(void)state;
	static const char *const lines[] = {
	    "{\"case\":\"a\",\"metrics\":\"m.gz\",\"normal\":[1700000000,1700001000],\"abnormal\":[1700002400,"
	    "1700003600]}",
	    "{\"case\":\"a\",\"metrics\":\"m.gz\",\"from\":\"2023-11-14T22:53\",\"to\":\"2023-11-14T23:00\"}",
	    "{\"case\":\"a\",\"metrics\":\"m.gz\",\"from\":1700002400000,\"to\":1700003000000}",
	    "{\"case\":\"a\",\"metrics\":\"m.gz\",\"inject_time\":1700002400}",
	    "{\"case\":\"a\",\"metrics\":\"m.gz\",\"normal_metrics\":\"quiet.gz\",\"alert\":{\"node\":\"bad\",\"time\":"
	    "1700002450}}",
	    "{\"case\":\"a\",\"metrics\":\"m.gz\"}",
	};
	struct case_runner *r = make();
	put_metrics("m.gz", 40);
	put_metrics("quiet.gz", 60);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct case_answer a = run(r, lines[i]);
		if (strcmp(first(&a), "bad") != 0 || a.abstained || a.problems.count)
			fail_msg("%s: %s", lines[i], first(&a));
		assert_true(a.confidence > 0.5 && a.evidence.count > 0);
	}
	case_runner_free(r);
}

static void nothing_after_the_window_is_seen(void **state)
{
	(void)state;
	struct case_runner *r = make();
	put_metrics("late.gz", 40);
	struct case_answer a = run(r, "{\"case\":\"a\",\"metrics\":\"late.gz\",\"from\":1700001200,\"to\":1700001400}");
	assert_true(a.abstained);
	put_metrics("late.gz", 20); /* and as it was during the fault it stayed: that is not what is normal */
	case_runner_free(r);
	r = make();
	a = run(r, "{\"case\":\"a\",\"metrics\":\"late.gz\",\"from\":1700001200,\"to\":1700001400}");
	assert_string_equal(first(&a), "bad");
	assert_false(a.abstained);
	case_runner_free(r);
}

static void long_ago_is_not_what_is_usual(void **state)
{
	(void)state;
	struct case_runner *r = make();
	FILE *f = fopen(in_folder("m.csv"), "w");
	assert_non_null(f);
	fputs("time,good|cpu,bad|cpu\n", f);
	for (int i = 0; i < 500; i++)
		fprintf(f, "%d,20,%d\n", 1700000000 + 60 * i, (i < 300 || i >= 490 ? 50 : 10) + i % 2);
	assert_int_equal(fclose(f), 0);
	struct case_answer a = run(r, "{\"case\":\"a\",\"metrics\":\"m.csv\",\"from\":1700029400}");
	assert_string_equal(first(&a), "bad");
	assert_false(a.abstained);
	case_runner_free(r);
}

static void what_is_missing_is_told(void **state)
{
	(void)state;
	struct case_runner *r = make();
	put_metrics("m.gz", 40);
	put("broken.gz", "\x1f\x8b\x08 this is no gzip file");
	put("quote.csv", "caller,callee\n\"a,b\n");
	struct case_answer a =
	    run(r, "{\"case\":\"a\",\"metrics\":\"m.gz\",\"inject_time\":1700002400,\"graph\":\"quote.csv\",\"spans\":"
		   "\"none.csv\","
		   "\"normal_spans\":\"broken.gz\",\"logs\":\"none.csv\",\"normal_logs\":\"none.csv\"}");
	assert_string_equal(first(&a), "bad");
	assert_int_equal(a.problems.count, 5);
	a = run(r, "{\"case\":\"b\",\"metrics\":\"none.csv\"}");
	assert_true(a.abstained && a.rank.count == 0 && a.problems.count == 1);
	a = run(r, "{\"case\":\"c\"}");
	assert_true(a.abstained && a.rank.count == 0 && a.problems.count == 0);
	case_runner_free(r);
}

static void what_is_no_case_is_refused(void **state)
{
	(void)state;
	static const char *const lines[] = {"", "{", "[]", "{\"metrics\":\"m\"}", "{\"case\":\"a\",\"from\":\"soon\"}",
	    "{\"case\":\"a\",\"abnormal\":[1]}", "{\"case\":\"a\",\"abnormal\":[1,2],\"normal\":\"x\"}",
	    "{\"case\":\"a\",\"alert\":{\"time\":{}}}"};
	struct case_runner *r = make();
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct case_answer a;
		struct err err;
		if (case_run(r, lines[i], strlen(lines[i]), &a, &err) != ERR_INVALID)
			fail_msg("%s", lines[i]);
	}
	case_runner_free(r);
}

static void tables_that_are_odd(void **state)
{
	(void)state;
	static const char *const tables[] = {"", "\n", "time\n", "time\n1\n2\n", "time,a|cpu\n", "time,a|cpu\n5,1\n",
	    "a,b,c\n1,2,3\n", "time,a|cpu,a|cpu\n1,nan\n2,inf,1e999\n3,,,,,,\n4,-1,1\n",
	    "time,\xff\xfe|cpu,x_y_z,plain\n1,2,3,4\n2,3,4,5\n3,9,9,9\n"};
	struct case_runner *r = make();
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		char name[32], line[512];
		snprintf(name, sizeof name, "odd%zu.csv", i);
		put(name, tables[i]);
		snprintf(line, sizeof line,
		    "{\"case\":\"a\",\"system\":\"s\",\"metrics\":\"%s\",\"normal_metrics\":\"%s\",\"graph\":\"%s\","
		    "\"spans\":"
		    "\"%s\",\"normal_spans\":\"%s\",\"logs\":\"%s\",\"from\":2}",
		    name, name, name, name, name, name);
		(void)run(r, line);
	}
	case_runner_free(r);
}

static void put_spans(const char *name, int slow)
{
	FILE *f = fopen(in_folder(name), "w");
	assert_non_null(f);
	fputs("trace,span,parent,service,op,start_us,dur_us\n", f);
	for (int i = 0; i < 40; i++)
		fprintf(f, "t%d,r,,site,get,%d,%d\nt%d,c,r,site,\"call, store\",%d,%d\nt%d,s,c,store,read,%d,%d\n", i,
		    i * 10000, 900 + slow, i, i * 10000 + 10, 800 + slow, i, i * 10000 + 20, 700 + i % 5 + slow);
	assert_int_equal(fclose(f), 0);
}

static void earlier_cases_of_a_system_are_its_history(void **state)
{
	(void)state;
	struct case_runner *r = make();
	put_spans("quiet.csv", 0);
	put_spans("slow.csv", 2000);
	static const char line[] =
	    "{\"case\":\"%d\",\"system\":\"%s\",\"normal_spans\":\"quiet.csv\",\"spans\":\"slow.csv\",\"from\":%d}";
	char text[512];
	double score[3];
	for (int i = 0; i < 3; i++) { /* slow every time: it is so */
		snprintf(text, sizeof text, line, i, "s", 1700000000 + 1000 * i);
		struct case_answer a = run(r, text);
		assert_string_equal(first(&a), i < 2 ? "store" : first(&a));
		score[i] = a.confidence;
	}
	assert_true(score[2] < score[0]);
	snprintf(text, sizeof text, line, 4, "s", 1600000000); /* before them all: knows nothing of them */
	struct case_answer a = run(r, text);
	assert_true(fabs(a.confidence - score[0]) < 1e-9);
	snprintf(text, sizeof text, line, 5, "another", 1700009000);
	a = run(r, text);
	assert_true(fabs(a.confidence - score[0]) < 1e-9);
	case_runner_free(r);
}

static void put_logs(const char *name, const char *service, const char *text)
{
	FILE *f = fopen(in_folder(name), "w");
	assert_non_null(f);
	fputs("time,service,trace,span,text\n", f);
	for (int i = 0; i < 40; i++)
		fprintf(f, "%d,a,t%d,s,served it\n%d,b,t%d,s,served it\n%d,%s,t%d,s,\"%s, %d\"\n", i, i, i, i, i,
		    service, i, text, i);
	assert_int_equal(fclose(f), 0);
}

static void what_was_said_before_is_no_news(void **state)
{
	(void)state;
	struct case_runner *r = make();
	put_logs("quiet.log", "a", "served it");
	put_logs("first.log", "b", "error: cannot read the cache"); /* was so in the case before, too */
	put_logs("second.log", "b", "error: cannot read the cache");
	struct case_answer a = run(r, "{\"case\":\"1\",\"system\":\"s\",\"normal_logs\":\"quiet.log\",\"logs\":\"first."
				      "log\",\"from\":1700000000}");
	assert_string_equal(first(&a), "b");
	assert_false(a.abstained);
	double news = a.confidence;
	a = run(r, "{\"case\":\"2\",\"system\":\"s\",\"normal_logs\":\"quiet.log\",\"logs\":\"second.log\",\"from\":"
		   "1700000500}");
	assert_true(a.confidence < news);
	a = run(r, "{\"case\":\"3\",\"system\":\"x\",\"normal_logs\":\"quiet.log\",\"logs\":\"second.log\",\"from\":"
		   "1700000900}");
	assert_true(fabs(a.confidence - news) < 1e-9);
	case_runner_free(r);
}

static void times_in_every_unit(void **state)
{
	(void)state;
	static const char *const same[] = {"1700002380", "1700002380.0", "1700002380000", "1700002380000000",
	    "1700002380000000000", "2023-11-14T22:53", "2023-11-14 22:53:00", "2023-11-14T22:53:00Z",
	    "2023-11-14T23:53:00+01:00"};
	static const char *const none[] = {"", "x", "2023-11-14", "2023-13-14T22:53", "nan", "inf", "1e999"};
	double t;
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
		if (!case_time(same[i], &t) || t != 1700002380)
			fail_msg("%s", same[i]);
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_false(case_time(none[i], &t));
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/kedge-cases-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"quiet.log", "first.log", "second.log", "m.gz", "m.csv", "quiet.gz",
	    "late.gz", "broken.gz", "quote.csv", "quiet.csv", "slow.csv"};
	char name[32];
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlink(in_folder(names[i]));
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof name, "odd%d.csv", i);
		(void)unlink(in_folder(name));
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_way_to_say_when),
	    cmocka_unit_test(nothing_after_the_window_is_seen),
	    cmocka_unit_test(long_ago_is_not_what_is_usual),
	    cmocka_unit_test(what_is_missing_is_told),
	    cmocka_unit_test(what_is_no_case_is_refused),
	    cmocka_unit_test(tables_that_are_odd),
	    cmocka_unit_test(earlier_cases_of_a_system_are_its_history),
	    cmocka_unit_test(what_was_said_before_is_no_news),
	    cmocka_unit_test(times_in_every_unit),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
