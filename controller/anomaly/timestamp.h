/* controller/anomaly/timestamp.h: the time of a row in a file from elsewhere.  Pure. */
#ifndef KEDGE_CONTROLLER_ANOMALY_TIMESTAMP_H
#define KEDGE_CONTROLLER_ANOMALY_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970 of "2014-02-14 14:30:00", "2014-02-14T14:30", "2014-02-14", with or without fraction and zone
 * (Z, +02:00; none: UTC), or of a number of seconds or milliseconds since 1970.  False: it is none of these. */
bool timestamp_parse(const char *text, int64_t *ret_s);

#endif
