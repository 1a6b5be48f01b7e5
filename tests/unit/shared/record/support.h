/* tests/unit/shared/record/support.h: what the tests of this folder share: an arena, an error, short ways in and out.
 */
#ifndef KEDGE_TESTS_UNIT_SHARED_RECORD_SUPPORT_H
#define KEDGE_TESTS_UNIT_SHARED_RECORD_SUPPORT_H

#include "tests/lib/unit.h"

#include <string.h>

#include "tests/unit/shared/record/every.h"

static struct arena *arena UNUSED;
static struct err err UNUSED;
static struct buf out UNUSED;

static inline int support_begin(void **state)
{
	(void)state;
	err = ERR_INIT;
	out = BUF_INIT;
	arena = arena_new(0);
	return arena ? 0 : -1;
}

static inline int support_end(void **state)
{
	(void)state;
	arena_free(arena);
	buf_done(&out);
	return 0;
}

/* Refused with that code, and the message has that in it. */
static inline void refused(enum err_code rc, enum err_code code, const char *part)
{
	if (rc != code || !strstr(err.msg, part))
		fail_msg("got %s: \"%s\", wanted %s with \"%s\"", err_code_name(rc), rc ? err.msg : "",
		    err_code_name(code), part);
}

static inline void fine(enum err_code rc)
{
	if (rc != ERR_OK)
		fail_msg("%s: %s", err_code_name(rc), err.msg);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, support_begin, support_end)

#endif
