/* What shared/ws must never do with libwebsockets 4.1.6, read off its sources (the traps behind it cannot all be
 * provoked here). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <glob.h>

#include "shared/base/file.h"

static const struct {
	const char *word, *why;
} forbidden[] = {
    {"fd_limit_per_thread =", "every event would be a linear search over all descriptors"},
    {"LWS_CALLBACK_HTTP_CONFIRM_UPGRADE", "CVE-2025-11677"},
    {"permessage", "compression is off"},
    {"lejp", "its parsers are not used"},
    {"lecp", "its parsers are not used"},
    {"lws_default_loop_exit", "the loop is ours"},
    {"LCCSCF_ALLOW", "loosens what a server may show"},
    {"SERVER_OPTION_REQUIRE_VALID", "it would put the library's own verify callback in"},
    {"lws_validity", "its pings are off"},
    {"lws_cancel_service_pt", "not for other threads"},
};

static void nothing_forbidden(void **state)
{
	(void)state;
	char pattern[512];
	glob_t found;
	const char *source = getenv("KEDGE_SOURCE_DIR");
	if (!source)
		skip();
	snprintf(pattern, sizeof(pattern), "%s/shared/ws/*.c", source);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 5);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct buf text = BUF_INIT;
		assert_int_equal(file_read(found.gl_pathv[i], 1 << 20, &text, NULL), ERR_OK);
		for (size_t k = 0; k < sizeof(forbidden) / sizeof(forbidden[0]); k++) {
			if (strstr(buf_str(&text), forbidden[k].word))
				fail_msg("%s: \"%s\": %s", found.gl_pathv[i], forbidden[k].word, forbidden[k].why);
		}
		buf_done(&text);
	}
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_forbidden)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
