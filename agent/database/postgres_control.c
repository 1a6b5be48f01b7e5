/* What a data directory says of itself.  The head of the control file (ControlFileData, pg_control.h) has been laid out
 * like this since control version 1300 (PostgreSQL 13 to 17), and in 1800. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/database/internal.h"
#include "agent/repository/bytes.h"
#include "agent/repository/io.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { CONTROL_HEAD = 56, CONTROL_OLDEST = 1300, CONTROL_NEWEST = 1899, STATE_SHUT_DOWN = 1, STATE_IN_PRODUCTION = 6 };

enum err_code postgres_control_read(const char *data_directory, struct postgres_control *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	uint8_t b[CONTROL_HEAD];
	enum err_code rc = tree_join(data_directory, "global/pg_control", path, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "%s", path);
	rc = io_pread_exact(fd, b, sizeof b, 0, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "%s", path);
	uint32_t version = get32(b + 8);
	if (version < CONTROL_OLDEST || version > CONTROL_NEWEST)
		return err_set(reterr, ERR_UNSUPPORTED, "%s is of version %u, which is not known here", path, version);
	*ret = (struct postgres_control){.system = get64(b),
	    .redo = get64(b + 40),
	    .timeline = get32(b + 48),
	    .shut_down = get32(b + 16) == STATE_SHUT_DOWN,
	    .writes = get32(b + 16) == STATE_IN_PRODUCTION};
	return ERR_OK;
}

/* A cluster always has a segment, and they are of one size. */
enum err_code postgres_segment_size(const char *data_directory, uint32_t *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct wal_name name;
	struct stat st;
	enum err_code rc = tree_join(data_directory, "pg_wal", path, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	if (!dir)
		return err_sys(reterr, errno, "%s", path);
	for (struct dirent *e; (e = readdir(dir));)
		if (wal_name_parse(e->d_name, &name) && name.kind == WAL_SEGMENT &&
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size >= WAL_SEGMENT_LEAST &&
		    st.st_size <= WAL_SEGMENT_MOST && !(st.st_size & (st.st_size - 1))) {
			*ret = (uint32_t)st.st_size;
			return ERR_OK;
		}
	return err_set(reterr, ERR_NOT_FOUND, "%s holds no segment of a write-ahead log", path);
}
