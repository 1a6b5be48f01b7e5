/* tests/fuzz/fuzz.h: the one function of a fuzz target.  data is exactly size bytes on the heap, so that ASan sees
 * overruns. It returns 0; that something is wrong shows as an assertion that fails, a sanitizer's report, or no end
 * within TIME_MAX_S. */
#ifndef KEDGE_TESTS_FUZZ_FUZZ_H
#define KEDGE_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
