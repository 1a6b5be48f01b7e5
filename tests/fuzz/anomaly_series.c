/* tests/fuzz/anomaly_series.c: times and values as files hold them, a line each, through the detector of series.  Every
 * score lies within its bounds, and those of a beginning do not depend on what follows. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/series.h"
#include "controller/anomaly/timestamp.h"
#include "controller/anomaly/trend.h"
#include "tests/fuzz/fuzz.h"

enum { ROWS = 2048, REPEAT = 8 };

static size_t rows_of(const uint8_t *data, size_t size, struct trend_sample *rows, int64_t *times)
{
	char line[128];
	size_t n = 0;
	for (size_t at = 0; at < size && n < ROWS;) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t length = end ? (size_t)(end - data) - at : size - at,
		       kept = length < sizeof line ? length : sizeof line - 1;
		memcpy(line, data + at, kept);
		line[kept] = 0;
		char *comma = strchr(line, ',');
		times[n] = SERIES_NO_TIME;
		if (comma) {
			*comma = 0;
			(void)timestamp_parse(line, &times[n]);
		}
		rows[n] = (struct trend_sample){(uint64_t)times[n] * 1000, strtod(comma ? comma + 1 : line, NULL)};
		n++;
		at += length + 1;
	}
	return n;
}

static void score(const struct trend_sample *rows, const int64_t *times, size_t count, size_t repeat, double *scores)
{
	struct series *s;
	if (series_new(&s, NULL) != ERR_OK)
		return;
	for (size_t i = 0; i < count * repeat; i++) {
		double x = series_add(s, times[i % count], rows[i % count].value);
		assert(x >= 0 && x <= 1);
		if (i < count)
			scores[i] = x;
	}
	series_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trend_sample rows[ROWS];
	static int64_t times[ROWS];
	static double all[ROWS], half[ROWS];
	size_t n = rows_of(data, size, rows, times);
	if (n) {
		score(rows, times, n, REPEAT, all);
		score(rows, times, (n + 1) / 2, 1, half);
		assert(memcmp(all, half, (n + 1) / 2 * sizeof *all) == 0);
	}
	for (double limit = -1; n && limit < 200; limit += 100) {
		struct trend t = trend_of(rows, n, limit, data[0] & 1);
		assert(t.state != TREND_TOWARDS || (t.near_ms <= t.likely_ms && t.likely_ms <= t.far_ms));
		(void)trend_alarms(&t, 0, 1);
	}
	return 0;
}
