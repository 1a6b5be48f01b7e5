/* controller/anomaly/season.h: what a series should read at this time of the day or week.
 *
 * Remembers four weeks of means by time of the day.  Two forecasts are made, the median of the last seven days and that
 * of the same weekday in the last four weeks, and each is judged by how well it did so far against the plain median of
 * the series: only where one does clearly better the series has a season.  Clock jumps and gaps cost nothing: a cell
 * knows the day that it is of.  Pure, not thread-safe. */
#ifndef KEDGE_CONTROLLER_ANOMALY_SEASON_H
#define KEDGE_CONTROLLER_ANOMALY_SEASON_H

#include <stdbool.h>
#include <stdint.h>

struct season;

struct season *season_new(void); /* NULL: no memory */
void season_free(struct season *s);
/* The value at a time (seconds since 1970), and the median of the series before it.  True: there is a season, *ret is
 * what was to be expected. */
bool season_add(struct season *s, int64_t time_s, double value, double median, double *ret);

#endif
