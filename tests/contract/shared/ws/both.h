/* tests/contract/shared/ws/both.h: the same tests against both event loops. */
#ifndef KEDGE_TESTS_CONTRACT_SHARED_WS_BOTH_H
#define KEDGE_TESTS_CONTRACT_SHARED_WS_BOTH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/wsrig/rig.h"

static bool use_libuv;

static inline int rig_setup(void **state)
{
	*state = rig_new(use_libuv);
	return 0;
}

static inline int rig_teardown(void **state)
{
	rig_free(*state);
	return 0;
}

#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)

/* The whole list against poll, then against libuv. */
#define RUN_BOTH(tests)                                                                                                \
	({                                                                                                             \
		use_libuv = false;                                                                                     \
		int failed_ = cmocka_run_group_tests_name("poll", tests, NULL, NULL);                                  \
		use_libuv = true;                                                                                      \
		failed_ + cmocka_run_group_tests_name("libuv", tests, NULL, NULL);                                     \
	})

#endif
