/* tests/lib/unit.h: cmocka, behind the headers that it wants to stand before it. */
#ifndef KEDGE_TESTS_LIB_UNIT_H
#define KEDGE_TESTS_LIB_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
