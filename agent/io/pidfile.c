#include "agent/io/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

enum { BEGINNING = 64 /* the number comes first; some servers write more behind it (PostgreSQL: eight lines) */ };

enum err_code pidfile_read(const char *path, pid_t *ret, struct err *reterr)
{
	char text[BEGINNING], *end;
	struct stat st;
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(reterr, errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(reterr, ERR_UNSUPPORTED, "%s is no regular file", path);
	ssize_t n = read(fd, text, sizeof text - 1);
	if (n < 0)
		return err_sys(reterr, errno, "read %s", path);
	text[n] = '\0';
	long pid = strtol(text, &end, 10);
	if (end == text || pid <= 0 || pid > INT_MAX)
		return err_set(reterr, ERR_CORRUPT, "%s holds no process number", path);
	*ret = (pid_t)pid;
	return ERR_OK;
}
