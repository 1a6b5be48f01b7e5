#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/random.h"
#include "shared/redact/redact.h"

static char text[1 << 16];

static const char *redact(const struct redact_options *o, struct redact_stream *stream, const char *line)
{
	struct buf out = BUF_INIT;
	(void)redact_text(o, stream, line, strlen(line), &out);
	assert_false(out.failed);
	assert_true(out.size < sizeof text);
	memcpy(text, buf_str(&out), out.size + 1);
	buf_done(&out);
	return text;
}

static const char *in_log(const char *line)
{
	const struct redact_options o = {.mode = REDACT_LOG};
	return redact(&o, NULL, line);
}

static const char *in_clinic(const char *line)
{
	const struct redact_options o = {.mode = REDACT_CLINICAL};
	return redact(&o, NULL, line);
}

struct example {
	const char *in, *out;
};

static void check_log(const struct example *e, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(in_log(e[i].in), e[i].out);
}
#define CHECK_LOG(...)                                                                                                 \
	do {                                                                                                           \
		static const struct example examples_[] = {__VA_ARGS__};                                               \
		check_log(examples_, sizeof examples_ / sizeof examples_[0]);                                          \
	} while (0)

static void passwords_and_keys_in_every_form(void **state)
{
	(void)state;
	CHECK_LOG({"login password=hunter2 ok", "login password=[PASSWORD] ok"},
	    {"db_password: 'p@ss, w0rd!'", "db_password: '[PASSWORD]'"},
	    {"{\"user\":\"bob\",\"password\":\"s3cr\\\"et,x\"}", "{\"user\":\"bob\",\"password\":\"[PASSWORD]\"}"},
	    {"{\"a\":{\"b\":[{\"clientSecret\":\"abc123def\"}]}}", "{\"a\":{\"b\":[{\"clientSecret\":\"[SECRET]\"}]}}"},
	    {"{\\\"password\\\":\\\"x y z\\\",\\\"a\\\":1}", "{\\\"password\\\":\\\"[PASSWORD]\\\",\\\"a\\\":1}"},
	    {"<password>geheim</password>", "<password>[PASSWORD]</password>"},
	    {"GET /x?token=abcd1234&page=2 200", "GET /x?token=[SECRET]&page=2 200"},
	    {"spring.datasource.password=a;b;c", "spring.datasource.password=[PASSWORD]"},
	    {"awsSecretAccessKey = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "awsSecretAccessKey = [SECRET]"},
	    {"mysql --password hunter2 -u root", "mysql --password [PASSWORD] -u root"},
	    {"ALTER ROLE x IDENTIFIED BY 'geheim'", "ALTER ROLE x IDENTIFIED BY '[PASSWORD]'"},
	    {"X-Api-Key: 0123456789abcdef", "X-Api-Key: [SECRET]"},
	    {"Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [SECRET]"},
	    {"\"Authorization\": \"Basic dXNlcjpwYXNz\"", "\"Authorization\": \"Basic [SECRET]\""},
	    {"Set-Cookie: sid=abc; Path=/", "Set-Cookie: [SECRET]"},
	    {"postgres://u:hunter2@db:5432/x", "postgres://u:[PASSWORD]@db:5432/x"},
	    {"retry with bearer eyx81jd92kdk20dk now", "retry with bearer [SECRET] now"});
}

static void tokens_are_known_by_their_look(void **state)
{
	(void)state;
	CHECK_LOG({"key AKIAIOSFODNN7EXAMPLE used", "key [SECRET] used"},
	    {"push with ghp_0123456789abcdefghijABCDEFGHIJ012345", "push with [SECRET]"},
	    {"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U end",
		"jwt [SECRET] end"},
	    {"got aB3dE5fG7hJ9kL2mN4pQ6rS8", "got [SECRET]"}, {"hash $2b$12$abcdefghijklmnopqrstuv", "hash [SECRET]"},
	    {"-----BEGIN RSA PRIVATE KEY----- MIIE -----END RSA PRIVATE KEY----- after", "[SECRET] after"});
}

static void a_key_over_many_lines_is_remembered(void **state)
{
	(void)state;
	const struct redact_options o = {0};
	struct redact_stream stream = {0};
	assert_string_equal(redact(&o, &stream, "key: -----BEGIN EC PRIVATE KEY-----"), "key: [SECRET]");
	assert_string_equal(redact(&o, &stream, "MHcCAQEEIIrY"), "[SECRET]");
	assert_string_equal(redact(&o, &stream, "-----END EC PRIVATE KEY----- and more"), "[SECRET] and more");
	assert_string_equal(redact(&o, &stream, "plain"), "plain");
	/* A certificate is public. */
	assert_string_equal(redact(&o, &stream, "-----BEGIN CERTIFICATE-----"), "-----BEGIN CERTIFICATE-----");
	assert_false(stream.in_pem);
	/* One that never ends does not eat the log. */
	(void)redact(&o, &stream, "-----BEGIN PRIVATE KEY-----");
	int lines = 0;
	while (strcmp(redact(&o, &stream, "some line"), "[SECRET]") == 0 && lines < 1000)
		lines++;
	assert_in_range(lines, 50, 500);
}

static void identifiers_of_persons(void **state)
{
	(void)state;
	CHECK_LOG(
	    {"patient John Smith (MRN: 1234567, DOB 02/29/1980) seen", "patient [NAME] (MRN: [MRN], DOB [DATE]) seen"},
	    {"patient_name=\"Jane Q. Doe\" ssn=123-45-6789", "patient_name=\"[NAME]\" ssn=[SSN]"},
	    {"Dr. M\xc3\xbcller called Mrs O'Neil", "Dr. [NAME] called Mrs [NAME]"},
	    {"call (555) 123-4567 or +49 30 1234567", "call [PHONE] or [PHONE]"},
	    {"mail jane.doe+x@example.com, please", "mail [EMAIL], please"},
	    {"card 4111 1111 1111 1111 charged", "card [CARD] charged"},
	    {"iban GB82 WEST 1234 5698 7654 32 ok", "iban [ACCOUNT] ok"},
	    {"to GB82WEST12345698765432 paid", "to [ACCOUNT] paid"},
	    {"lives at 12 Elm Street, Springfield", "lives at [ADDRESS], Springfield"},
	    {"account number is 99887766", "account number is [ID]"},
	    {"medical record number: A-12345", "medical record number: [MRN]"},
	    {"date of birth: April 12, 1980", "date of birth: [DATE]"}, {"SSN 123-45-6789", "SSN [SSN]"},
	    {"policy number AB123456789 lapsed", "policy number [ID] lapsed"},
	    {"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"Doe\",\"given\":[\"John\",\"Q\"]}],\"birthDate\":"
	     "\"1980-01-01\"}",
		"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"[NAME]\",\"given\":[\"[NAME]\",\"[NAME]\"]}],"
		"\"birthDate\":\"[DATE]\"}"});
}

/* What diagnosis needs must come through. */
static void ordinary_log_lines_stay(void **state)
{
	(void)state;
	static const char *const lines[] = {
	    "2023-04-12T10:00:00.123Z INFO [main] Session started on port 8080 in 1234 ms",
	    "Failed password for invalid user bob from 10.0.0.1 port 22 ssh2",
	    "Access denied for user 'app'@'localhost' (using password: YES)",
	    "connect to 192.168.1.10:5432 failed: Connection refused",
	    "blk_-6952295868487656571 size 67108864 from /10.251.73.220",
	    "attempt_1445062781478_0011_m_000000_0 TaskAttempt Transitioned from NEW to UNASSIGNED",
	    "unexpected token: foo at line 3",
	    "commit 3f786850e387550fdab836ed7e6dc881de23001b merged",
	    "java.lang.NullPointerException at com.example.web.PatientServiceImpl.find(PatientServiceImpl.java:123)",
	    "[EMAIL] and [PASSWORD] password=[PASSWORD] stay, patient [NAME] too",
	    "password check failed",
	    "session: 12345678abcd opened",
	    "auth: 8f14e45fceea167a5a36dedd4bea2543 accepted",
	    "token expired",
	    "wtoken = AppWindowToken{9f4ef63 token=Token{a64f992 u0}}, token=com.example.Token@1f2e3d held",
	    "no password supplied",
	    "password=**** user=root",
	    "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
	    "worker 4111111111111112 done", /* not Luhn-valid */
	    "version 12.4.1.22 of 1.2.3",
	    "ratio 3/4, 5:30, 1-2-3",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		assert_string_equal(in_log(lines[i]), lines[i]);
}

/* As addresses of pages and forms carry it, and what stands in a path. */
static void what_is_encoded_is_read_as_it_is_meant(void **state)
{
	(void)state;
	CHECK_LOG({"GET /find?q=mary.miller%40clinic.org&page=2 200", "GET /find?q=[EMAIL]&page=2 200"},
	    {"GET /find?q=x%20078-05-1120 200", "GET /find?q=x%20[SSN] 200"},
	    {"GET /find?q=miller+078-05-1120&x=1 200", "GET /find?q=miller+[SSN]&x=1 200"},
	    {"call%3A%2B491511011535%26again", "call%3A[PHONE]%26again"},
	    {"POST /sms/+491511011535/send", "POST /sms/[PHONE]/send"},
	    {"POST /sms/%2B491511011535/send", "POST /sms/[PHONE]/send"},
	    {"sms to +491511011535:+491511011536 failed", "sms to [PHONE]:[PHONE] failed"},
	    {"body=%7B%22password%22%3A%22hunter2%22%7D", "body=%7B%22password%22%3A%22[PASSWORD]%22%7D"},
	    {"GET /a?token=abc%20def&mail=mary%40clinic.org", "GET /a?token=[SECRET]&mail=[EMAIL]"});
	static const char *const stay[] = {"GET /a%20b/c%2Fd?x=1%2C2&y=a+b 200 5%", "load 95%25 of 100% +3 +0100 a+b=c",
	    "%zz %4 %", "100%2", "GET /api/v1/incident?after=0a%3D%3D&order=desc"};
	for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
		assert_string_equal(in_log(stay[i]), stay[i]);
}

/* What databases write of the rows that they refuse, as they are shipped. */
static void rows_of_databases_go(void **state)
{
	(void)state;
	CHECK_LOG({"DETAIL:  Failing row contains (17, Mary Miller, 1980-02-03, null, (a)).",
		      "DETAIL:  Failing row contains ([ID])."},
	    {"DETAIL:  Key (last_name, first_name)=(Miller, Mary) already exists.",
		"DETAIL:  Key (last_name, first_name)=([ID]) already exists."},
	    {"DETAIL:  Key (ward)=(7) is not present in table \"wards\".",
		"DETAIL:  Key (ward)=([ID]) is not present in table \"wards\"."},
	    {"ERROR 1062 (23000): Duplicate entry 'O'Miller-Mary-1980' for key 'patient.uq'",
		"ERROR 1062 (23000): Duplicate entry '[ID]' for key 'patient.uq'"},
	    {"DETAIL:  parameters: $1 = 'Mary', $2 = NULL, $3 = 'O''Neil, M'",
		"DETAIL:  parameters: $1 = '[ID]', $2 = NULL, $3 = '[ID]'"},
	    {"CONTEXT:  unnamed portal parameter $1 = '...a''b'", "CONTEXT:  unnamed portal parameter $1 = '[ID]'"},
	    {"STATEMENT:  UPDATE p SET name = 'Mary Miller', mail = 'mary@clinic.org' WHERE id = 3",
		"STATEMENT:  UPDATE p SET name = '[ID]', mail = '[EMAIL]' WHERE id = 3"},
	    {"LOG:  duration: 12.3 ms  statement: SELECT 1 FROM p WHERE dob='1980-02-03' AND x='unended",
		"LOG:  duration: 12.3 ms  statement: SELECT 1 FROM p WHERE dob='[DATE]' AND x='[ID]"},
	    {"first\nDETAIL:  Failing row contains (Mary).\nlast (2)",
		"first\nDETAIL:  Failing row contains ([ID]).\nlast (2)"});
	static const char *const stay[] = {"relation 'patients' (x) does not exist", "Key (x) is new; a=(b)",
	    "DETAIL:  Failing row contains ([ID]).", "STATEMENT:  SELECT count(*) FROM p WHERE n = '[ID]'"};
	for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
		assert_string_equal(in_log(stay[i]), stay[i]);
	CHECK_LOG({"PGPASSWORD=hunter2 psql", "PGPASSWORD=[PASSWORD] psql"}, {"bindpw: hunter2", "bindpw: [PASSWORD]"},
	    {"dbpasswd=hunter2", "dbpasswd=[PASSWORD]"});
}

static void check_stream(const struct example *lines, size_t count)
{
	const struct redact_options o = {.mode = REDACT_LOG};
	struct redact_stream stream = {0};
	for (size_t i = 0; i < count; i++)
		assert_string_equal(redact(&o, &stream, lines[i].in), lines[i].out);
}
#define CHECK_STREAM(...)                                                                                              \
	do {                                                                                                           \
		static const struct example lines_[] = {__VA_ARGS__};                                                  \
		check_stream(lines_, sizeof lines_ / sizeof lines_[0]);                                                \
	} while (0)

/* PostgreSQL begins each further line of an entry with a tab. */
static void statements_and_rows_go_on_over_lines(void **state)
{
	(void)state;
	CHECK_STREAM({"STATEMENT:  UPDATE p", "STATEMENT:  UPDATE p"}, {"\tSET name = 'Miller'", "\tSET name = '[ID]'"},
	    {"\tWHERE id = 3 AND x = 'a", "\tWHERE id = 3 AND x = '[ID]"}, {"\tMary ''Miller''", "\t[ID]"},
	    {"\tof' AND y='z'", "\t[ID]' AND y='[ID]'"}, {"LOG:  it's done", "LOG:  it's done"},
	    {"\tat org.x.Y('a')", "\tat org.x.Y('a')"});
	CHECK_STREAM({"2026-01-01 LOG:  execute find_one: SELECT 1", "2026-01-01 LOG:  execute find_one: SELECT 1"},
	    {"\tFROM p WHERE n='Miller'", "\tFROM p WHERE n='[ID]'"},
	    {"DETAIL:  parameters: $1 = 'Mary", "DETAIL:  parameters: $1 = '[ID]"},
	    {"\tMiller', $2 = 'x'", "\t[ID]', $2 = '[ID]'"});
	CHECK_STREAM({"DETAIL:  Failing row contains (17, Mary", "DETAIL:  Failing row contains ([ID]"},
	    {"\tMiller (home), 1980).", "\t[ID])."}, {"\tat x.Y.z(Y.java:3)", "\tat x.Y.z(Y.java:3)"});
	CHECK_STREAM({"CONTEXT:  SQL statement \"INSERT INTO a", "CONTEXT:  SQL statement \"INSERT INTO a"},
	    {"\tVALUES ('Mary')\"", "\tVALUES ('[ID]')\""},
	    {"\tPL/pgSQL function f() line 3", "\tPL/pgSQL function f() line 3"});
	CHECK_STREAM({"ERROR:  bad statement: couldn't", "ERROR:  bad statement: couldn'[ID]"},
	    {"\tat x.Y.z('Y')", "\tat x.Y.z('Y')"});
	CHECK_LOG({"LOG:  statement: SELECT\n\t'Miller'\nnext\n\t'stays'",
	    "LOG:  statement: SELECT\n\t'[ID]'\nnext\n\t'stays'"});
}

static void names_in_queries_go(void **state)
{
	(void)state;
	CHECK_LOG({"GET /patients?name=Miller&page=2 200", "GET /patients?name=[NAME]&page=2 200"},
	    {"GET /patients?page=2&name=Mary+Miller 200", "GET /patients?page=2&name=[NAME] 200"},
	    {"GET /patients?lname=Miller 200", "GET /patients?lname=[NAME] 200"},
	    {"GET /p?name=Mary%20Miller&x=1 200", "GET /p?name=[NAME]&x=1 200"});
	static const char *const stay[] = {"GET /servers?name=web-1&all=1 200", "GET /servers?name=Web 200",
	    "GET /x?name=Martin-Proxy 200", "name=Miller", "GET /x?name=MartinService 200", "GET /x?name=Martin2 200"};
	for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
		assert_string_equal(in_log(stay[i]), stay[i]);
}

static void segments_of_hospital_messages_go(void **state)
{
	(void)state;
	CHECK_LOG({"PID|1||123^^^H^MR||DOE^JANE^Q||19700101|F|||12 OAK ST^^DAYTON^OH", "PID|1||[ID]"},
	    {"MSH|^~\\&|LAB|H\rPID|||7||DOE^JANE\rPV1|1|I|W^3||||17^SMITH^JO|||SUR|\rOBX|1|NM|718-7^Hb^LN||12.1",
		"MSH|^~\\&|LAB|H\rPID|||[ID]\rPV1|1|I|W^3||||[ID]|||SUR|\rOBX|1|NM|718-7^Hb^LN||12.1"},
	    {"got \"NK1|2|DOE^JIM|SON|1 OAK^^X|555\" ok", "got \"NK1|2|[ID]\" ok"},
	    {"sent PID|1||\"\"||ROE^AL|||\\rORC|RE|1|2|||||||9^KAY^L|\\rOBR|1|x",
		"sent PID|1||[ID]\\rORC|RE|1|2|||||||[ID]|\\rOBR|1|x"});
	static const char *const stay[] = {"PID|USER|CPU|MEM|CMD|TIME", "RAPID|1||a^b||c|d|e", "PID|12|bash", "PV1|x|y",
	    "PID|1|[ID]", "x PIDS|1||a^b||c|d"};
	for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
		assert_string_equal(in_log(stay[i]), stay[i]);
}

static void escapes_of_characters_are_read(void **state)
{
	(void)state;
	CHECK_LOG({"{\"to\":\"mary\\u0040clinic.org\"}", "{\"to\":\"[EMAIL]\"}"},
	    {"body: {\\x22password\\x22:\\x22hunter2\\x22}", "body: {\\x22password\\x22:\\x22[PASSWORD]\\x22}"},
	    {"ssn\\u003d078-05-1120 x", "ssn\\u003d[SSN] x"});
	static const char *const stay[] = {
	    "C:\\users\\u0040x\\file", "\\x41\\x42\\x43 \\u00e9t\\u00e9", "\\u004", "\\x4", "a\\u003cb\\u003e"};
	for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
		assert_string_equal(in_log(stay[i]), stay[i]);
}

static void passwords_of_tools_go(void **state)
{
	(void)state;
	CHECK_LOG({"sshpass -p hunter ssh a@b", "sshpass -p [PASSWORD] ssh a@b"},
	    {"sshpass -phunter ssh a@b", "sshpass -p[PASSWORD] ssh a@b"},
	    {"/usr/bin/sshpass -p 'hunter two' scp x", "/usr/bin/sshpass -p '[PASSWORD]' scp x"});
	static const char *const stay[] = {
	    "ssh -p 22 a@b", "sshpass -e ssh -p 22 a@b", "sshpass -p", "mkdir -p a/b", "sshpass -p $PASS ssh"};
	for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
		assert_string_equal(in_log(stay[i]), stay[i]);
}

/* Wherever in a long part it stands, and however many there are. */
static void nothing_encoded_is_passed_over(void **state)
{
	(void)state;
	const struct redact_options o = {.mode = REDACT_LOG};
	for (size_t n = 1; n < 200; n++) {
		struct buf line = BUF_INIT, out = BUF_INIT;
		buf_text(&line, "GET /find?");
		for (size_t i = 0; i < n; i++)
			buf_printf(&line, "k%zu=%.*s&m=m.q%zuz%%40clinic.org&", i, (int)(i * 7 % 30),
			    "abcdefghijklmnopqrstuvwxyzabcdef", i);
		(void)redact_text(&o, NULL, buf_str(&line), line.size, &out);
		assert_null(strstr(buf_str(&out), "clinic"));
		buf_done(&line);
		buf_done(&out);
	}
}

static void addresses_of_machines_by_option(void **state)
{
	(void)state;
	const char *line = "from 8.8.8.8:53 and 10.1.2.3 and 127.0.0.1 and 2001:4860:4860::8888 and ::1 and fe80::1";
	assert_string_equal(in_log(line), line);
	struct redact_options o = {.ips = REDACT_IPS_PUBLIC};
	assert_string_equal(
	    redact(&o, NULL, line), "from [IP]:53 and 10.1.2.3 and 127.0.0.1 and [IP] and ::1 and fe80::1");
	o.ips = REDACT_IPS_ALL;
	assert_string_equal(redact(&o, NULL, line), "from [IP]:53 and [IP] and 127.0.0.1 and [IP] and ::1 and [IP]");
	o.ips = REDACT_IPS_PUBLIC;
	assert_string_equal(
	    redact(&o, NULL, "::ffff:8.8.8.8 ::ffff:10.0.0.1 [2001:db8::8.8.4.4]:80 8.8.8.0/24 10.0.0.0/8"),
	    "[IP] ::ffff:10.0.0.1 [[IP]]:80 [IP] 10.0.0.0/8");
	o = (struct redact_options){.users = true};
	assert_string_equal(
	    redact(&o, NULL, "user=bob id=3 {\"username\":\"eve\"}"), "user=[USER] id=3 {\"username\":\"[USER]\"}");
}

static void clinical_prose(void **state)
{
	(void)state;
	static const struct example examples[] = {
	    {"34-year-old female like Anna S., treated at Methodist Hospital on April 12, 2023?",
		"34-year-old female like [NAME], treated at [PLACE] on [DATE]?"},
	    {"seen by Dr. John L. at Mt. Sinai on Feb 21, 2023.", "seen by [NAME] at [PLACE] on [DATE]."},
	    {"operated at St. Vincent's on May 30th, 2022", "operated at [PLACE] on [DATE]"},
	    {"Guidelines for ACE inhibitors in a 55-year-old male with CKD, diagnosed back in 2021.",
		"Guidelines for ACE inhibitors in a 55-year-old male with CKD, diagnosed back in 2021."},
	    {"The 94-year-old was admitted on 12/03/2022.", "The [AGE]-year-old was admitted on [DATE]."},
	    {"of SW1A 1AA, seen 2024-03-15T14:30:00.123Z.", "of [ADDRESS], seen [DATE]."},
	    {"HbA1c 7.2 %, BP 120/80, COVID-19 negative, 500 mg twice daily",
		"HbA1c 7.2 %, BP 120/80, COVID-19 negative, 500 mg twice daily"},
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		assert_string_equal(in_clinic(examples[i].in), examples[i].out);
}

/* PITFALLS P56: canaries in every field and form that we could think of; none may come out. */
static void no_canary_survives(void **state)
{
	(void)state;
	static const char *const forms[] = {
	    "password=%s",
	    "password: %s",
	    "password = \"%s\"",
	    "PASSWORD='%s'",
	    "passwd=%s;",
	    "pwd=%s&x=1",
	    "secret=%s",
	    "client_secret: \"%s\"",
	    "\"apiKey\": \"%s\"",
	    "{\"a\":[{\"b\":{\"accessToken\":\"%s\"}}]}",
	    "{\\\"refresh_token\\\":\\\"%s\\\"}",
	    "api_key=%s,",
	    "--password=%s",
	    "--password %s",
	    "Authorization: Bearer %s",
	    "authorization=%s",
	    "Cookie: session=%s",
	    "x-auth-token: %s",
	    "https://user:%s@host/path",
	    "redis://:%s@cache:6379",
	    "?access_token=%s#x",
	    "<secret>%s</secret>",
	    "<apiKey>%s</apiKey>",
	    "connectionString=\"Server=x;Password=%s;\"",
	    "identified by '%s'",
	    "signing_key => '%s'",
	    "DB_PASSWORD=%s",
	    "my.app.jwt.secret=%s",
	    "token is %s",
	    "csrf_token=%s",
	    "private_key: %s",
	};
	static const char *const canaries[] = {"canary7f3a9b2c", "CANARY-88-aa-1", "canary.1.pass_word"};
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		for (size_t k = 0; k < sizeof canaries / sizeof canaries[0]; k++) {
			char part[256], line[600];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(part, sizeof part, forms[i], canaries[k]);
#pragma GCC diagnostic pop
			snprintf(line, sizeof line, "2023-01-02 ERROR x failed: %s (after 3 tries)", part);
			if (strcasestr(in_log(line), canaries[k]))
				fail_msg("%s -> %s", line, text);
			if (strcasestr(in_clinic(line), canaries[k]))
				fail_msg("clinical: %s -> %s", line, text);
		}
}

static const char *const fragments[] = {"%40", "Failing row contains (", "Key (a)=(", ")", "\t", "PID|1|", "^",
    "\\u0040", "\\x22", "STATEMENT:  ", "?name=", "sshpass -p ", "Duplicate entry '", "' for key ",
    "statement: ", "$1 = '", "%20", "%2B49", "?q=", "+", "a%3A", "/+491511", "%2", "%22", "mary%40clinic.org",
    "x+078-05-1120", "%41%42", "password", "=", ":", " ", "\"", "'", "[EMAIL]", "[NAME]", "Mr. ", "John", "Smith",
    "12/03/2022", "555-123-4567", "123-45-6789", "a@b.co", "\\", "{", "}", ",", ";", "\n", "token", "MRN",
    "4111 1111 1111 1111", "http://u:p@h/", "eyJ", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "\xff",
    "\xc3\xbc", "8.8.8.8", "::", "April 12, 2023", "Bearer ", "abcDEF123456abcDEF123456", "St. ", "Hospital",
    "patient ", "12 Elm Street", "is", "number", "&", "?", "<", ">", "(", ")", "#", "@", "+", "0", "x", "|", "[", "]"};

static size_t random_text(struct random *r, char *out, size_t size)
{
	size_t n = 0, parts = 1 + random_below(r, 12);
	for (size_t i = 0; i < parts; i++) {
		const char *f = fragments[random_below(r, sizeof fragments / sizeof fragments[0])];
		if (n + strlen(f) < size) {
			memcpy(out + n, f, strlen(f));
			n += strlen(f);
		}
	}
	return n;
}

static void check_spans(const struct redact_options *o, const char *in, size_t n)
{
	struct redact_span spans[64];
	size_t count = redact_find(o, NULL, in, n, spans, 64), at = 0;
	assert_true(count <= 64);
	for (size_t i = 0; i < count; i++) {
		assert_true(spans[i].start >= at && spans[i].end > spans[i].start && spans[i].end <= n);
		at = spans[i].end;
		assert_true(spans[i].type < REDACT_TYPE_COUNT);
	}
}

static void twice_is_as_once(void **state)
{
	(void)state;
	struct random r;
	random_init_seed(&r, 42);
	for (int i = 0; i < 60000; i++) {
		char in[512];
		size_t n = random_text(&r, in, sizeof in);
		for (int mode = 0; mode < 2; mode++) {
			const struct redact_options o = {.mode = mode ? REDACT_CLINICAL : REDACT_LOG};
			struct buf once = BUF_INIT, twice = BUF_INIT;
			check_spans(&o, in, n);
			(void)redact_text(&o, NULL, in, n, &once);
			(void)redact_text(&o, NULL, buf_str(&once), once.size, &twice);
			if (once.size != twice.size || memcmp(once.data, twice.data, once.size) != 0)
				fail_msg("mode %d: \"%.*s\" -> \"%s\" -> \"%s\"", mode, (int)n, in, buf_str(&once),
				    buf_str(&twice));
			buf_done(&once);
			buf_done(&twice);
		}
	}
	char once[256]; /* near the end of a text words are looked at that are passed by elsewhere */
	(void)snprintf(once, sizeof once, "%s", in_clinic("GEE. 66r x 000000 LaJARP 0000000000000100507398108501 S"));
	assert_string_equal(in_clinic(once), once);
}

static void too_many_spans_fail_closed(void **state)
{
	(void)state;
	const struct redact_options o = {0};
	struct redact_span spans[3];
	const char *line = "a@b.co c@d.co e@f.co g@h.co plain tail";
	assert_int_equal(redact_find(&o, NULL, line, strlen(line), spans, 3), 3);
	assert_int_equal(spans[2].end, strlen(line));
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Twice the text takes about twice the time, whatever it is made of: no rule may look back or ahead without bound. */
static void time_is_linear(void **state)
{
	(void)state;
	static const char *const units[] = {"password=", "a", "\"", "'", "Mr. ", "John ", "1-", "1 ", "@", "a@", "://",
	    "eyJ", "-----BEGIN PRIVATE KEY", "token: ", "zip '", "[", "(1", "::", "cookie: -", "x:", "Jan ", ",", "a,",
	    "k=v,", "Authorization: ", "\\", "patient ", "St. ", "\xff", "12 Elm ", "$::1", "-10.0.0.1", "password)",
	    "%41", "?a+", "/+4", "a%40b.co&", "%2B49151", "STATEMENT:  '", "''", "Key ()=(", "Failing row contains (",
	    "parameter $1 = '"};
	struct redact_span spans[256];
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		size_t n = strlen(units[i]), size = 1 << 18;
		char *big = malloc(4 * size);
		assert_non_null(big);
		for (size_t k = 0; k + n <= 4 * size; k += n)
			memcpy(big + k, units[i], n);
		for (int mode = 0; mode < 2; mode++) {
			const struct redact_options o = {.mode = mode ? REDACT_CLINICAL : REDACT_LOG};
			double t0 = seconds();
			(void)redact_find(&o, NULL, big, size, spans, 256);
			double t1 = seconds();
			(void)redact_find(&o, NULL, big, 4 * size, spans, 256);
			double t2 = seconds();
			if (t2 - t1 > 10 * (t1 - t0) + 0.05)
				fail_msg(
				    "\"%s\": %.3f s, then %.3f s for four times as much", units[i], t1 - t0, t2 - t1);
		}
		free(big);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(passwords_and_keys_in_every_form),
	    cmocka_unit_test(tokens_are_known_by_their_look),
	    cmocka_unit_test(a_key_over_many_lines_is_remembered),
	    cmocka_unit_test(identifiers_of_persons),
	    cmocka_unit_test(ordinary_log_lines_stay),
	    cmocka_unit_test(what_is_encoded_is_read_as_it_is_meant),
	    cmocka_unit_test(rows_of_databases_go),
	    cmocka_unit_test(statements_and_rows_go_on_over_lines),
	    cmocka_unit_test(names_in_queries_go),
	    cmocka_unit_test(segments_of_hospital_messages_go),
	    cmocka_unit_test(escapes_of_characters_are_read),
	    cmocka_unit_test(passwords_of_tools_go),
	    cmocka_unit_test(nothing_encoded_is_passed_over),
	    cmocka_unit_test(addresses_of_machines_by_option),
	    cmocka_unit_test(clinical_prose),
	    cmocka_unit_test(no_canary_survives),
	    cmocka_unit_test(twice_is_as_once),
	    cmocka_unit_test(too_many_spans_fail_closed),
	    cmocka_unit_test(time_is_linear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
