/* tests/fuzz/cli_incidents.c: files of past incidents (a matrix, sessions), asked about themselves.  Any bytes:
 * neighbours or a refusal; nobody is their own neighbour. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controller/cli/incident_file.h"
#include "tests/fuzz/fuzz.h"

static void ask_each(struct similar *s)
{
	for (uint32_t i = 0; i < similar_count(s) && i < 64; i++) {
		struct similar_hit hits[8];
		size_t n;
		double confidence;
		if (similar_find(s, i, hits, 8, &n, &confidence, NULL) != ERR_OK)
			return;
		assert(confidence >= 0 && confidence <= 1 && n <= 8);
		for (size_t k = 0; k < n; k++)
			assert(hits[k].row != i && hits[k].row < similar_count(s));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	struct cli c = {0};
	struct similar *s;
	int fd = memfd_create("incidents", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || similar_new(&s, NULL) != ERR_OK) {
		close(fd);
		return 0;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (incident_file_read(&c, path, path, true, s) == ERR_OK && similar_ready(s, NULL) == ERR_OK)
		ask_each(s);
	similar_free(s);
	close(fd);
	return 0;
}
