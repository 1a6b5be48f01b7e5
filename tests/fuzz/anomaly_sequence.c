/* tests/fuzz/anomaly_sequence.c: sessions a line each; the first half is learnt, all are judged.  Every score lies
 * within its bounds. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/sequence.h"
#include "controller/anomaly/session.h"
#include "tests/fuzz/fuzz.h"

struct line {
	const char *text;
	size_t size;
};
enum { LINES = 512, FUZZ_EVENTS = 1 << 18 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct line lines[LINES];
	static uint64_t events[SEQUENCE_EVENTS_MAX];
	static uint64_t all[FUZZ_EVENTS];
	static size_t ends[LINES];
	static double scores[LINES];
	struct sequence_model *m;
	struct session s;
	size_t n = 0;
	for (size_t at = 0; at < size && n < LINES; n++) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		lines[n] = (struct line){(const char *)data + at, end ? (size_t)(end - data) - at : size - at};
		at += lines[n].size + 1;
	}
	if (sequence_model_new(&m, NULL) != ERR_OK)
		return 0;
	for (size_t i = 0; i < (n + 1) / 2; i++)
		if (session_parse(lines[i].text, lines[i].size, &s, events) && session_is_normal(&s))
			assert(sequence_model_learn(m, events, s.count, NULL) == ERR_OK);
	if (sequence_model_fit(m, NULL) == ERR_OK) {
		size_t judged = 0, at = 0;
		for (size_t i = 0; i < n; i++) {
			if (!session_parse(lines[i].text, lines[i].size, &s, events) || at + s.count > FUZZ_EVENTS)
				continue;
			if (s.count)
				memcpy(all + at, events, s.count * sizeof *events);
			ends[judged++] = at += s.count;
		}
		assert(sequence_model_judge(m, all, ends, judged, scores, NULL) == ERR_OK);
		for (size_t i = 0; i < judged; i++)
			assert(scores[i] >= 0 && scores[i] <= 1);
	}
	sequence_model_free(m);
	return 0;
}
