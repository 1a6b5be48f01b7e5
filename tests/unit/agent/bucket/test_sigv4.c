/* Signatures that Amazon published for requests that it published.
 *
 * S3 examples: "Signature Calculations for the Authorization Header", Amazon S3 API reference
 * (sig-v4-header-based-auth), with the digests of their canonical requests.  Suite: Amazon's "Signature Version 4 test
 * suite": get-vanilla, get-vanilla-query-order-key-case, get-utf8. */
#include "agent/bucket/sigv4.h"

#include "shared/base/cleanup.h"
#include "shared/base/openssl.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

#include <openssl/evp.h>
#include <string.h>

#define EMPTY   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define WELCOME "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define S3_HOST                                                                                                        \
	{"host", "examplebucket.s3.amazonaws.com"},                                                                    \
	{                                                                                                              \
		"x-amz-date", "20130524T000000Z"                                                                       \
	}

static const struct sigv4_signer s3 = {
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3", "20130524T000000Z"};
static const struct sigv4_signer suite = {
    "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service", "20150830T123600Z"};

static const struct sigv4_pair get_headers[] = {{"range", "bytes=0-9"}, {"x-amz-content-sha256", EMPTY}, S3_HOST};
static const struct sigv4_pair put_headers[] = {{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
    {"x-amz-content-sha256", WELCOME}, {"date", "Fri, 24 May 2013 00:00:00 GMT"}, S3_HOST};
static const struct sigv4_pair plain_headers[] = {{"x-amz-content-sha256", EMPTY}, S3_HOST};
static const struct sigv4_pair suite_headers[] = {
    {"x-amz-date", "20150830T123600Z"}, {"host", "example.amazonaws.com"}};
static const struct sigv4_pair lifecycle[] = {{"lifecycle", ""}};
static const struct sigv4_pair listing[] = {{"prefix", "J"}, {"max-keys", "2"}};
static const struct sigv4_pair swapped[] = {{"Param2", "value2"}, {"Param1", "value1"}};

#define N(a) (a), sizeof(a) / sizeof((a)[0])
static const struct vector {
	const char *what;
	const struct sigv4_signer *signer;
	struct sigv4_request request;
	const char *canonical_sha256; /* NULL: not published with it */
	const char *names, *signature;
} vectors[] = {
    {"GET object with a range", &s3, {"GET", "/test.txt", NULL, 0, N(get_headers), EMPTY}, NULL,
	"host;range;x-amz-content-sha256;x-amz-date",
	"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT object, a name to encode", &s3, {"PUT", "/test$file.text", NULL, 0, N(put_headers), WELCOME},
	"9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
	"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET lifecycle, a parameter without a value", &s3, {"GET", "/", N(lifecycle), N(plain_headers), EMPTY},
	"9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca", "host;x-amz-content-sha256;x-amz-date",
	"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET list, parameters to sort", &s3, {"GET", "/", N(listing), N(plain_headers), EMPTY}, NULL,
	"host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    {"get-vanilla", &suite, {"GET", "/", NULL, 0, N(suite_headers), EMPTY},
	"bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63", "host;x-amz-date",
	"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case", &suite, {"GET", "/", N(swapped), N(suite_headers), EMPTY}, NULL,
	"host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-utf8", &suite, {"GET", "/\xe1\x88\xb4", NULL, 0, N(suite_headers), EMPTY}, NULL, "host;x-amz-date",
	"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
};

static void published_requests_have_the_published_signatures(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const struct vector *v = &vectors[i];
		CLEANUP(buf_done) struct buf canonical = BUF_INIT;
		CLEANUP(buf_done) struct buf got = BUF_INIT;
		CLEANUP(buf_done) struct buf want = BUF_INIT;
		struct err err = ERR_INIT;
		uint8_t digest[32];
		char hex[65];
		assert_int_equal(sigv4_canonical(&v->request, &canonical, &err), ERR_OK);
		EVP_Digest(canonical.data, canonical.size, digest, NULL, EVP_sha256(), NULL);
		if (v->canonical_sha256 && strcmp(text_hex(digest, 32, hex), v->canonical_sha256) != 0)
			fail_msg("%s: this is not what is signed:\n%s", v->what, buf_str(&canonical));
		assert_int_equal(sigv4_authorize(v->signer, &v->request, &got, &err), ERR_OK);
		buf_printf(&want,
		    "AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/%s/aws4_request,SignedHeaders=%s,Signature=%s",
		    v->signer->access_key, v->signer->time, v->signer->service, v->names, v->signature);
		if (strcmp(buf_str(&got), buf_str(&want)) != 0)
			fail_msg("%s:\n%s\nexpected\n%s", v->what, buf_str(&got), buf_str(&want));
	}
}

static void names_are_encoded_once_and_values_trimmed(void **state)
{
	static const struct sigv4_pair headers[] = {{"host", "  a   b \t c "}};
	static const struct sigv4_pair order[] = {{"a-b", "1"}, {"a", "2"}, {"a", "1"}, {"b", "x y&=/"}};
	struct sigv4_request r = {"GET", "/x y/~+%41", N(order), N(headers), EMPTY};
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	(void)state;
	assert_int_equal(sigv4_canonical(&r, &out, NULL), ERR_OK);
	assert_string_equal(
	    buf_str(&out), "GET\n/x%20y/~%2B%2541\na=1&a=2&a-b=1&b=x%20y%26%3D%2F\nhost:a b c\n\nhost\n" EMPTY);
}

static void what_cannot_be_signed_is_refused(void **state)
{
	static const struct sigv4_pair twice[] = {{"host", "a"}, {"host", "b"}};
	struct sigv4_pair many[SIGV4_PAIRS_MAX + 1];
	struct sigv4_request r = {"GET", "/", NULL, 0, N(twice), EMPTY};
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	(void)state;
	assert_int_equal(sigv4_authorize(&s3, &r, &out, NULL), ERR_INVALID);
	for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
		many[i] = (struct sigv4_pair){"a", "b"};
	r = (struct sigv4_request){"GET", "/", N(many), N(plain_headers), EMPTY};
	assert_int_equal(sigv4_authorize(&s3, &r, &out, NULL), ERR_LIMIT);
	r = (struct sigv4_request){"GET", "/", NULL, 0, NULL, 0, EMPTY};
	assert_int_equal(sigv4_authorize(&s3, &r, &out, NULL), ERR_LIMIT);
	assert_int_equal(out.size, 0);
}

static void times_are_of_the_basic_form(void **state)
{
	char out[SIGV4_TIME_MAX];
	(void)state;
	assert_string_equal(sigv4_time(1369353600999, out), "20130524T000000Z");
	assert_string_equal(sigv4_time(0, out), "19700101T000000Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_requests_have_the_published_signatures),
	    cmocka_unit_test(names_are_encoded_once_and_values_trimmed),
	    cmocka_unit_test(what_cannot_be_signed_is_refused),
	    cmocka_unit_test(times_are_of_the_basic_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
