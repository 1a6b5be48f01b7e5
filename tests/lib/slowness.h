/* tests/lib/slowness.h: how much longer things may take here: sanitizers slow every program down.  For deadlines that
 * only end a test which hangs, never for what a test measures. */
#ifndef KEDGE_TESTS_LIB_SLOWNESS_H
#define KEDGE_TESTS_LIB_SLOWNESS_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWNESS = 5 }; /* as the time limits of the tests themselves: cmake/Kedge.cmake */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SLOWNESS = 5 };
#else
enum { SLOWNESS = 1 };
#endif
#else
enum { SLOWNESS = 1 };
#endif

#endif
