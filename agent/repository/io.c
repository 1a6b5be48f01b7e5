#include "agent/repository/io.h"

#include <errno.h>
#include <unistd.h>

enum err_code io_pread_full(int fd, void *data, size_t size, uint64_t offset, size_t *ret_size, struct err *reterr)
{
	size_t done = 0;
	while (done < size) {
		ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(reterr, errno, "read");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_size = done;
	return ERR_OK;
}

enum err_code io_pread_exact(int fd, void *data, size_t size, uint64_t offset, struct err *reterr)
{
	size_t got = 0;
	enum err_code rc = io_pread_full(fd, data, size, offset, &got, reterr);
	if (!rc && got != size)
		rc = err_set(
		    reterr, ERR_CORRUPT, "ends after %llu bytes: it was cut off", (unsigned long long)(offset + got));
	return rc;
}

enum err_code io_pwrite(int fd, const void *data, size_t size, uint64_t offset, struct err *reterr)
{
	size_t done = 0;
	while (done < size) {
		ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(reterr, errno, "write");
		done += (size_t)n;
	}
	return ERR_OK;
}
