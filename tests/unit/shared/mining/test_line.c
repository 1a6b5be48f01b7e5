#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/mining/line.h"

static const uint64_t now = 1700000000000ull; /* 2023-11-14T22:13:20Z */

struct expectation {
	const char *line, *message;
	enum line_level level;
	uint64_t time_ms;
	const char *component;
	uint32_t pid;
};

static void check(const struct expectation *e)
{
	struct buf scratch = BUF_INIT;
	struct line_parts p;
	char message[512], component[256];
	line_split(LINE_FORMAT_AUTO, e->line, strlen(e->line), now, &scratch, &p);
	snprintf(message, sizeof message, "%.*s", (int)p.message.size, p.message.text);
	snprintf(component, sizeof component, "%.*s", (int)p.component.size, p.component.text ? p.component.text : "");
	if (strcmp(message, e->message) != 0 || p.level != e->level || p.time_ms != e->time_ms || p.pid != e->pid ||
	    (e->component && strcmp(component, e->component) != 0))
		fail_msg("%s\n  level %d time %llu component \"%s\" pid %u message \"%s\"", e->line, (int)p.level,
		    (unsigned long long)p.time_ms, component, p.pid, message);
	buf_done(&scratch);
}

static void headers_of_many_programs(void **state)
{
	(void)state;
	static const struct expectation examples[] = {
	    {"2015-10-18 18:01:47,978 INFO [main] org.apache.x.MRAppMaster: Created it", "Created it", LINE_INFO,
		1445191307978, "org.apache.x.MRAppMaster", 0},
	    {"2015-07-29 17:41:44,747 - WARN  [Worker:Class@774] - Notification time out: 3200",
		"Notification time out: 3200", LINE_WARNING, 1438191704747, NULL, 0},
	    {"Jun 14 15:16:01 combo sshd(pam_unix)[19939]: authentication failure; uid=0",
		"authentication failure; uid=0", LINE_NONE, 1686755761000, "sshd(pam_unix)", 19939},
	    {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", "'su root' failed", LINE_FATAL, 1697062455000, "su",
		0},
	    {"<165>1 2003-10-11T22:14:15.003Z host app 17 - - hello", "hello", LINE_INFO, 1065910455003, "app", 17},
	    {"<165>1 2003-10-11T22:14:15.003Z host app - ID47 [a x=\"1\"] hello", "hello", LINE_INFO, 1065910455003,
		"app", 0},
	    {"09-17 16:13:38.811  1702  2395 D WindowManager: it froze", "it froze", LINE_DEBUG, 1694967218811,
		"WindowManager", 0},
	    {"20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579", "onStandStepChanged 3579", LINE_NONE,
		1514067329606, "Step_LSC", 30002312},
	    {"2016-09-28 04:30:30, Info                  CBS    Loaded it", "Loaded it", LINE_INFO, 1475037030000,
		"CBS", 0},
	    {"[10.30 16:49:06] chrome.exe *64 - proxy:5070 open", "proxy:5070 open", LINE_NONE, 1698684546000,
		"chrome.exe", 0},
	    {"- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond[2915]: session closed", "session closed",
		LINE_NONE, 1131566461000, "crond", 2915},
	    {"2023-11-14T12:00:00.123456Z stderr F E0501 10:00:00.123456       1 x.go:330] it broke", "it broke",
		LINE_ERROR, 1699963200123, NULL, 0},
	    {"2017-05-16 00:00:00.008 25746 INFO nova.wsgi.server [req-1 a b] 10.0.0.1 \"GET /\"", "10.0.0.1 \"GET /\"",
		LINE_INFO, 1494892800008, NULL, 0},
	    {"10:00:00.123 [main] INFO  c.e.App - Started App", "Started App", LINE_INFO, 0, NULL, 0},
	    {"*Nov  1 10:00:00.123: %LINK-3-UPDOWN: up", "%LINK-3-UPDOWN: up", LINE_NONE, 1698832800123, NULL, 0},
	    {"2023/11/14 12:00:00 [error] 123#123: *1 connect() failed (111: Connection refused)",
		"123#123: *1 connect() failed (111: Connection refused)", LINE_ERROR, 1699963200000, NULL, 0},
	    {"2023-11-14 12:00:00.123 UTC [4711] ERROR:  relation \"x\" does not exist",
		"relation \"x\" does not exist", LINE_ERROR, 1699963200123, NULL, 4711},
	    {"[Sun Dec 04 04:47:44 2005] [error] mod_jk child workerEnv in error state 6",
		"mod_jk child workerEnv in error state 6", LINE_ERROR, 1133671664000, NULL, 0},
	    {"I0102 15:04:05.000000  1234 file.cc:123] it works", "it works", LINE_INFO, 0, NULL, 0},
	    {"17/06/09 20:10:40 ERROR executor.Backend: Driver disassociated! Shutting down.",
		"Driver disassociated! Shutting down.", LINE_ERROR, 1497039040000, "executor.Backend", 0},
	    {"081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 terminating",
		"PacketResponder 1 terminating", LINE_INFO, 1226262975000, "dfs.DataNode$PacketResponder", 0},
	    {"time=\"2023-11-14T12:00:00Z\" level=error msg=\"it broke\" err=x", "it broke\" err=x", LINE_ERROR,
		1699963200000, NULL, 0},
	    {"ERROR: something is wrong", "something is wrong", LINE_ERROR, 0, NULL, 0},
	    {"[WARN] low on space", "low on space", LINE_WARNING, 0, NULL, 0},
	    {"1117838570 node RAS KERNEL FATAL data storage interrupt", "data storage interrupt", LINE_FATAL,
		1117838570000, NULL, 0},
	    {"2023-11-14T12:00:00+02:00 fatal error in x", "fatal error in x", LINE_NONE, 1699956000000, NULL, 0},
	    {"Nov 14 22:00:00 host kernel: [   12.345678] Out of memory: Killed process 1",
		"Out of memory: Killed process 1", LINE_NONE, 1699999200000, "kernel", 0},
	    {"1699963200.123 info Listening on 1", "Listening on 1", LINE_INFO, 1699963200000, NULL, 0},
	    {"2023-11-14T12:00:00Z error Lost it", "Lost it", LINE_ERROR, 1699963200000, NULL, 0},
	    {"2023/11/14 12:00:00 error reading x", "error reading x", LINE_NONE, 1699963200000, NULL, 0},
	    {"2023-11-14 12:00:00.123 UTC [4711] me@shop LOG:  checkpoint starting", "checkpoint starting", LINE_INFO,
		1699963200123, NULL, 4711},
	    {"2023-11-14 12:00:00.123  WARN 4242 --- [exec-1] c.e.shop.Handler : Retrying", "Retrying", LINE_WARNING,
		1699963200123, "c.e.shop.Handler", 4242},
	    {"W20231114 12:00:00.000001 28692 server.cc:402] it is slow", "it is slow", LINE_WARNING, 0, NULL, 0},
	    {"2023-11-14 12:00:00,ERROR,3,\"No route, gone\"", "No route, gone", LINE_ERROR, 1699963200000, NULL, 0},
	    {"2023-11-14 12:00:00.123 UTC,\"me\",\"shop\",47,\"::1:5\",65a.2f,1,\"SELECT\",2023-11-14 11:00:00 UTC,3/9,0,"
	     "ERROR,42P01,\"no table x\",,,,,\"select 1 from x\"",
		"no table x", LINE_ERROR, 1699963200123, NULL, 0},
	    {"2023-11-14 12:00:00,x,it is no level", "x,it is no level", LINE_NONE, 1699963200000, NULL, 0},
	    {"time=2023-11-14T12:00:00Z level=warn msg=\"it is slow\"", "it is slow", LINE_WARNING, 1699963200000, NULL,
		0},
	    {"time=2023-11-14T12:00:00Z level=info msg=\"job \\\"night\\\" \\\\ \\n done\"",
		"job \"night\" \\ \\n done", LINE_INFO, 1699963200000, NULL, 0},
	    {"just a message with an ERROR inside", "just a message with an ERROR inside", LINE_NONE, 0, NULL, 0},
	    {"I am here", "I am here", LINE_NONE, 0, NULL, 0},
	    {"", "", LINE_NONE, 0, NULL, 0},
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		check(&examples[i]);
}

static void a_year_that_is_not_said_is_the_nearest(void **state)
{
	(void)state;
	/* In November a line of December is last year's. */
	check(&(struct expectation){"Dec 31 23:59:59 h p: x", "x", LINE_NONE, 1672531199000, "p", 0});
	check(&(struct expectation){"Nov 15 00:00:00 h p: x", "x", LINE_NONE, 1700006400000, "p", 0});
}

static void json_lines(void **state)
{
	(void)state;
	static const struct expectation examples[] = {
	    {"{\"time\":\"2023-11-14T12:00:00Z\",\"level\":\"error\",\"logger\":\"db\",\"pid\":12,\"msg\":\"no "
	     "\\\"connection\\\"\\nnow\"}",
		"no \"connection\" now", LINE_ERROR, 1699963200000, "db", 12},
	    {"{\"level\":50,\"time\":1699963200000,\"msg\":\"bunyan\"}", "bunyan", LINE_ERROR, 1699963200000, NULL, 0},
	    {"{\"a\":{\"msg\":\"inner\",\"b\":[1,{\"c\":\"}\"}]},\"severity\":\"WARNING\",\"message\":\"outer "
	     "\\u00fc\"}",
		"outer \xc3\xbc", LINE_WARNING, 0, NULL, 0},
	    {"{\"PRIORITY\":\"3\",\"MESSAGE\":\"journal\"}", "journal", LINE_ERROR, 0, NULL, 0},
	    {"{\"no\":\"words\"}", "{\"no\":\"words\"}", LINE_NONE, 0, NULL, 0},
	    {"{broken", "{broken", LINE_NONE, 0, NULL, 0},
	    {"{\"msg\":\"cut", "{\"msg\":\"cut", LINE_NONE, 0, NULL, 0},
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		check(&examples[i]);
}

static void messages_are_weighed(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum line_level level;
	} examples[] = {
	    {"connection refused by peer", LINE_ERROR},
	    {"java.lang.NullPointerException: x", LINE_ERROR},
	    {"kernel panic - not syncing", LINE_FATAL},
	    {"finished with 0 errors", LINE_NONE},
	    {"no error", LINE_NONE},
	    {"errors=0 failed: 0", LINE_NONE},
	    {"error=null", LINE_NONE},
	    {"err=<nil> done", LINE_NONE},
	    {"error=0x80070005", LINE_ERROR},
	    {"error: 5", LINE_ERROR},
	    {"this is deprecated", LINE_WARNING},
	    {"all is well", LINE_NONE},
	    {"worker segfault at 0", LINE_FATAL},
	    {"terror attack", LINE_NONE},
	    {"TypeError: x is undefined", LINE_ERROR},
	    {"completed without error", LINE_NONE},
	    {"", LINE_NONE},
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		if (line_guess_level(examples[i].text, strlen(examples[i].text)) != examples[i].level)
			fail_msg("%s", examples[i].text);
}

static void long_and_broken_lines(void **state)
{
	(void)state;
	struct buf scratch = BUF_INIT;
	struct line_parts p;
	size_t size = 10 << 20;
	char *big = malloc(size);
	assert_non_null(big);
	static const char starts[][24] = {
	    "{\"msg\":\"", "{\"a\":[[[[", "Jun 14 15:16:01 h x[", "<13>", "[[[[", "((((", "level= msg="};
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		memset(big, '[', size);
		memcpy(big, starts[i], strlen(starts[i]));
		line_split(LINE_FORMAT_AUTO, big, size, now, &scratch, &p);
		assert_true(p.message.size <= size);
	}
	free(big);
	buf_done(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers_of_many_programs),
	    cmocka_unit_test(a_year_that_is_not_said_is_the_nearest),
	    cmocka_unit_test(json_lines),
	    cmocka_unit_test(messages_are_weighed),
	    cmocka_unit_test(long_and_broken_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
