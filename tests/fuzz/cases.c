/* tests/fuzz/cases.c: a line of cases, and tables: the same bytes as metrics, calls, spans and log lines. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controller/cases/cases.h"
#include "tests/fuzz/fuzz.h"

static void run(struct case_runner *r, const char *line, size_t size)
{
	struct case_answer a;
	struct err err;
	struct buf out = BUF_INIT;
	if (case_run(r, line, size, &a, &err) != ERR_OK)
		return;
	assert(a.confidence >= 0 && a.confidence <= 1);
	assert(record_to_json(&case_answer_type, &a, 0, &out, &err) == ERR_OK);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct case_runner *r;
	struct err err;
	char line[1024];
	if (case_runner_new("/dev/null", &r, &err) != ERR_OK) /* a line's own paths lead nowhere */
		return 0;
	run(r, (const char *)data, size);
	int fd = memfd_create("table", MFD_CLOEXEC);
	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	for (unsigned round = 0; round < 3; round++) {
		static const char *const when[] = {"\"from\":3,\"to\":9",
		    "\"alert\":{\"node\":\"a\",\"metric\":\"latency\",\"time\":5}",
		    "\"normal\":[0,4],\"abnormal\":[5,99]"};
		int n = snprintf(line, sizeof line,
		    "{\"case\":\"c\",\"system\":\"s\",\"metrics\":\"/proc/self/fd/%d\",\"graph\":\"/proc/self/fd/%d\","
		    "\"normal_spans\":\"/proc/self/fd/%d\",\"spans\":\"/proc/self/fd/%d\",\"normal_logs\":\"/proc/self/"
		    "fd/%d\","
		    "\"logs\":\"/proc/self/fd/%d\",%s}",
		    fd, fd, fd, fd, fd, fd, when[round]);
		assert(n > 0 && (size_t)n < sizeof line);
		run(r, line, (size_t)n);
	}
	close(fd);
	case_runner_free(r);
	return 0;
}
