/* shared/base/clock.h: time is an input.
 * Wall time is unix milliseconds; monotonic time is milliseconds of CLOCK_BOOTTIME, which goes on while the machine
 * sleeps. Read once per loop turn and passed down; only the edges call these. */
#ifndef KEDGE_SHARED_BASE_CLOCK_H
#define KEDGE_SHARED_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_wall_ms(void);
uint64_t clock_wall_ns(void);
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);

#endif
