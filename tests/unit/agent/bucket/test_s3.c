/* What goes out to a store, and what its answers mean. */
#include "agent/bucket/s3.h"

#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

struct script { /* the store's side of one exchange, and what it was asked */
	long status;
	const char *headers[4];
	const char *body;
	enum err_code fails;
	unsigned asked;
	struct buf request; /* method, url, headers, then the body */
};

static enum err_code answer(void *ctx, const struct s3_call *call, struct err *reterr)
{
	struct script *s = ctx;
	s->asked++;
	buf_clear(&s->request);
	buf_printf(&s->request, "%s %s\n", call->method, call->url);
	for (size_t i = 0; call->headers[i]; i++)
		buf_printf(&s->request, "%s\n", call->headers[i]);
	for (uint64_t at = 0; call->read_body && at < call->body_size;) {
		char piece[7];
		size_t n = call->read_body(call->ctx, at, piece,
		    sizeof piece < call->body_size - at ? sizeof piece : (size_t)(call->body_size - at));
		if (!n)
			return err_set(reterr, ERR_IO, "the body ends early");
		buf_append(&s->request, piece, n);
		at += n;
	}
	if (s->fails)
		return err_set(reterr, s->fails, "as told");
	for (size_t i = 0; s->headers[i]; i++)
		call->on_header(call->ctx, s->status, s->headers[i], strlen(s->headers[i]));
	call->on_header(call->ctx, s->status, "", 0);
	if (s->body && !call->on_data(call->ctx, s->body, strlen(s->body)))
		return err_set(reterr, ERR_CANCELLED, "ended by the reader");
	return ERR_OK;
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return 1369353600000;
}

static struct s3 *open_store(struct script *script, bool host_style, const char *token)
{
	struct bucket_settings b = {.endpoint = "https://store.example:8443",
	    .bucket = "copies",
	    .region = "eu-1",
	    .access_key = "AKID",
	    .secret_key = SECRET,
	    .session_token = token,
	    .host_style = host_style};
	struct s3_transport t = {script, answer, now};
	struct s3 *s;
	assert_int_equal(s3_new(&b, &t, &s, NULL), ERR_OK);
	return s;
}

static size_t read_text(void *ctx, uint64_t offset, char *out, size_t size)
{
	memcpy(out, (const char *)ctx + offset, size);
	return size;
}

static void wants(const struct script *s, const char *line)
{
	if (!strstr(buf_str(&s->request), line))
		fail_msg("expected \"%s\" in\n%s", line, buf_str(&s->request));
}

static void a_put_says_all_that_it_must(void **state)
{
	static char text[] = "Welcome to Amazon S3.";
	static const uint8_t md5[16] = {1, 2, 3};
	struct script script = {.status = 200};
	struct bucket_object o = {.name = "fleet/web-1/001/packs/a b", .size_bytes = strlen(text)};
	enum bucket_outcome outcome = BUCKET_MISSING;
	(void)state;
	struct s3 *s = open_store(&script, false, NULL);
	memset(o.sha256.b, 0xab, 32);
	assert_int_equal(s3_put(s, &o, md5, read_text, text, &outcome, NULL), ERR_OK);
	assert_int_equal(outcome, BUCKET_DONE);
	wants(&script, "PUT https://store.example:8443/copies/fleet/web-1/001/packs/a%20b\n");
	wants(&script, "if-none-match: *\n");
	wants(&script, "host: store.example:8443\n");
	wants(&script, "x-amz-date: 20130524T000000Z\n");
	wants(&script, "x-amz-content-sha256: abababababababababababababababababababababababababababababababab\n");
	wants(&script, "authorization: AWS4-HMAC-SHA256 Credential=AKID/20130524/eu-1/s3/aws4_request,SignedHeaders="
		       "content-type;host;if-none-match;x-amz-content-sha256;x-amz-date,Signature=");
	wants(&script, "\nWelcome to Amazon S3.");
	assert_null(strstr(buf_str(&script.request), "lock"));
	assert_null(strstr(buf_str(&script.request), SECRET));
	o.lock = BUCKET_COMPLIANCE;
	o.lock_until_ms = 1700000000001;
	assert_int_equal(s3_put(s, &o, md5, read_text, text, &outcome, NULL), ERR_OK);
	wants(&script, "x-amz-object-lock-mode: COMPLIANCE\n");
	wants(&script, "x-amz-object-lock-retain-until-date: 2023-11-14T22:13:21Z\n"); /* never sooner than asked */
	wants(&script, "content-md5: AQIDAAAAAAAAAAAAAAAAAA==\n");
	wants(&script, "content-md5;content-type;host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-object-lock-"
		       "mode;x-amz-object-lock-retain-until-date");
	s3_free(s);
	s = open_store(&script, true, "a-token");
	assert_int_equal(s3_put(s, &o, md5, read_text, text, &outcome, NULL), ERR_OK);
	wants(&script, "PUT https://copies.store.example:8443/fleet/");
	wants(&script, "host: copies.store.example:8443\n");
	wants(&script, "x-amz-security-token: a-token\n");
	s3_free(s);
	buf_done(&script.request);
}

static void a_lock_is_renewed_in_words_that_s3_knows(void **state)
{
	struct script script = {.status = 200};
	enum bucket_outcome outcome = BUCKET_MISSING;
	(void)state;
	struct s3 *s = open_store(&script, false, NULL);
	assert_int_equal(s3_retain(s, "x", BUCKET_GOVERNANCE, 1700000000000, &outcome, NULL), ERR_OK);
	assert_int_equal(outcome, BUCKET_DONE);
	wants(&script, "PUT https://store.example:8443/copies/x?retention=\n");
	wants(&script, "content-md5: ");
	wants(&script, "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>GOVERNANCE</Mode>"
		       "<RetainUntilDate>2023-11-14T22:13:20Z</RetainUntilDate></Retention>");
	script.status = 404;
	assert_int_equal(s3_retain(s, "x", BUCKET_GOVERNANCE, 1, &outcome, NULL), ERR_OK);
	assert_int_equal(outcome, BUCKET_MISSING);
	s3_free(s);
	buf_done(&script.request);
}

#define E(code) "<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>why</Message></Error>"
static const struct meaning {
	long status;
	const char *body;
	enum err_code rc;            /* of a put, a get */
	enum bucket_outcome outcome; /* of a put, when rc is ERR_OK */
	enum err_code get_rc;
	enum bucket_outcome get_outcome;
	const char *says;
} meanings[] = {
    {200, NULL, ERR_OK, BUCKET_DONE, ERR_OK, BUCKET_DONE, NULL},
    {412, E("PreconditionFailed"), ERR_OK, BUCKET_EXISTS, ERR_IO, BUCKET_DONE, "412"},
    {404, E("NoSuchKey"), ERR_NOT_FOUND, BUCKET_DONE, ERR_OK, BUCKET_MISSING, "404"},
    {404, E("NoSuchBucket"), ERR_NOT_FOUND, BUCKET_DONE, ERR_NOT_FOUND, BUCKET_DONE, "no such bucket"},
    {403, E("AccessDenied"), ERR_DENIED, BUCKET_DONE, ERR_OK, BUCKET_HIDDEN, "may not do this"},
    {403, "", ERR_DENIED, BUCKET_DONE, ERR_OK, BUCKET_HIDDEN, "403"},
    {403, E("SignatureDoesNotMatch"), ERR_DENIED, BUCKET_DONE, ERR_DENIED, BUCKET_DONE,
	"the secret key is not the one"},
    {403, E("InvalidAccessKeyId"), ERR_DENIED, BUCKET_DONE, ERR_DENIED, BUCKET_DONE, "does not know this access key"},
    {403, E("RequestTimeTooSkewed"), ERR_DENIED, BUCKET_DONE, ERR_DENIED, BUCKET_DONE, "clock"},
    {400, E("BadDigest"), ERR_CORRUPT, BUCKET_DONE, ERR_CORRUPT, BUCKET_DONE, "other bytes arrived"},
    {409, E("OperationAborted"), ERR_BUSY, BUCKET_DONE, ERR_BUSY, BUCKET_DONE, "409 OperationAborted: why"},
    {503, E("SlowDown"), ERR_BUSY, BUCKET_DONE, ERR_BUSY, BUCKET_DONE, "left alone"},
    {500, "not even XML", ERR_UNREACHABLE, BUCKET_DONE, ERR_UNREACHABLE, BUCKET_DONE, "500"},
    {501, E("NotImplemented"), ERR_UNSUPPORTED, BUCKET_DONE, ERR_UNSUPPORTED, BUCKET_DONE, "conditional puts"},
    {301, E("PermanentRedirect"), ERR_IO, BUCKET_DONE, ERR_IO, BUCKET_DONE, "301 PermanentRedirect"},
};

static bool take(void *ctx, const void *data, size_t size)
{
	buf_append(ctx, data, size);
	return true;
}

static void each_answer_means_one_thing(void **state)
{
	static char text[] = "x";
	static const uint8_t md5[16];
	struct bucket_object o = {.name = "x", .size_bytes = 1};
	(void)state;
	for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
		const struct meaning *m = &meanings[i];
		struct script script = {.status = m->status, .body = m->body};
		struct buf got = BUF_INIT;
		struct err err = ERR_INIT;
		enum bucket_outcome outcome = BUCKET_DONE;
		struct s3 *s = open_store(&script, false, NULL);
		enum err_code rc = s3_put(s, &o, md5, read_text, text, &outcome, &err);
		if (rc != m->rc || (!rc && outcome != m->outcome) || (rc && !strstr(err.msg, m->says)))
			fail_msg("%ld %s: put is %s, %u: %s", m->status, m->body ? m->body : "", err_code_name(rc),
			    outcome, err.msg);
		rc = s3_get(s, "x", take, &got, &outcome, &err);
		if (rc != m->get_rc || (!rc && outcome != m->get_outcome) || (rc && !strstr(err.msg, m->says)))
			fail_msg("%ld %s: get is %s, %u: %s", m->status, m->body ? m->body : "", err_code_name(rc),
			    outcome, err.msg);
		assert_int_equal(got.size, 0); /* an error's words are never taken for the object */
		s3_free(s);
		buf_done(&got);
		buf_done(&script.request);
	}
}

static void an_object_that_came_in_part_is_not_one(void **state)
{
	struct script script = {.status = 200, .headers = {"Content-Length: 5"}, .body = "1234"};
	struct buf got = BUF_INIT;
	struct err err = ERR_INIT;
	enum bucket_outcome outcome = BUCKET_MISSING;
	uint64_t size = 0;
	(void)state;
	struct s3 *s = open_store(&script, false, NULL);
	assert_int_equal(s3_get(s, "x", take, &got, &outcome, &err), ERR_UNREACHABLE);
	script.body = "12345";
	assert_int_equal(s3_get(s, "x", take, &got, &outcome, &err), ERR_OK);
	assert_string_equal(buf_str(&got), "123412345");
	script.body = NULL;
	assert_int_equal(s3_head(s, "x", &outcome, &size, &err), ERR_OK);
	assert_int_equal(size, 5);
	script.headers[0] = NULL; /* a store that does not say how long */
	assert_int_not_equal(s3_head(s, "x", &outcome, &size, &err), ERR_OK);
	script.fails = ERR_TIMEOUT;
	assert_int_equal(s3_get(s, "x", take, &got, &outcome, &err), ERR_TIMEOUT);
	s3_free(s);
	buf_done(&got);
	buf_done(&script.request);
}

/* HEAD has no words: whether a credential is wrong or an object hidden is found out by a GET. */
static void a_refused_head_is_looked_into(void **state)
{
	struct script script = {.status = 403, .body = E("SignatureDoesNotMatch")};
	enum bucket_outcome outcome = BUCKET_DONE;
	uint64_t size;
	struct err err = ERR_INIT;
	(void)state;
	struct s3 *s = open_store(&script, false, NULL);
	assert_int_equal(s3_head(s, "x", &outcome, &size, &err), ERR_DENIED);
	assert_int_equal(script.asked, 2);
	script.body = E("AccessDenied");
	assert_int_equal(s3_head(s, "x", &outcome, &size, &err), ERR_OK);
	assert_int_equal(outcome, BUCKET_HIDDEN);
	s3_free(s);
	buf_done(&script.request);
}

static void words_of_a_store_are_cut_and_printable(void **state)
{
	char big[2 * BUCKET_TEXT_MAX + 64];
	struct s3_error e;
	uint64_t n = 7;
	(void)state;
	assert_false(s3_error_parse("", 0, &e));
	assert_false(s3_error_parse("<Code>x</Cod", 12, &e));
	assert_true(s3_error_parse("<Code>a\x1b[1m\xff</Code><Message></Message>", 38, &e));
	assert_string_equal(e.code, "a?[1m?");
	assert_string_equal(e.message, "");
	memset(big, 'y', sizeof big);
	memcpy(big, "<Code>", 6);
	memcpy(big + sizeof big - 7, "</Code>", 7);
	assert_true(s3_error_parse(big, sizeof big, &e));
	assert_int_equal(strlen(e.code), sizeof e.code - 1);
	assert_true(s3_length_parse("CONTENT-LENGTH:\t 42 ", 20, &n));
	assert_int_equal(n, 42);
	assert_false(s3_length_parse("Content-Length: -1", 18, &n));
	assert_false(s3_length_parse("Content-Length: 99999999999999999999999", 39, &n));
	assert_false(s3_length_parse("Content-Length:", 15, &n));
	assert_false(s3_length_parse("Content-Lengthy: 1", 18, &n));
	assert_int_equal(n, 42);
}

static void an_endpoint_is_a_scheme_and_a_host(void **state)
{
	static const char *const bad[] = {"ftp://x", "https://", "https://u@x", "https://x/y", "https://x?y", "x"};
	char host[64] = "untouched";
	bool tls = false;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(s3_endpoint_parse(bad[i], &tls, host, sizeof host, NULL), ERR_INVALID);
	assert_string_equal(host, "untouched");
	assert_int_equal(s3_endpoint_parse("https://s3.example:443/", &tls, host, sizeof host, NULL), ERR_OK);
	assert_string_equal(host, "s3.example"); /* as the client will send it */
	assert_true(tls);
	assert_int_equal(s3_endpoint_parse("http://127.0.0.1:443", &tls, host, sizeof host, NULL), ERR_OK);
	assert_string_equal(host, "127.0.0.1:443");
	assert_false(tls);
	assert_int_equal(s3_endpoint_parse("http://0123456789012345678901234567890123456789012345678901234567890123",
			     &tls, host, sizeof host, NULL),
	    ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_put_says_all_that_it_must),
	    cmocka_unit_test(a_lock_is_renewed_in_words_that_s3_knows),
	    cmocka_unit_test(each_answer_means_one_thing),
	    cmocka_unit_test(an_object_that_came_in_part_is_not_one),
	    cmocka_unit_test(a_refused_head_is_looked_into),
	    cmocka_unit_test(words_of_a_store_are_cut_and_printable),
	    cmocka_unit_test(an_endpoint_is_a_scheme_and_a_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
