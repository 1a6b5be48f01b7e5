/* agent/repository/io.h: reading and writing exactly, with offsets.  Blocking; any thread. */
#ifndef KEDGE_AGENT_REPOSITORY_IO_H
#define KEDGE_AGENT_REPOSITORY_IO_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/err.h"

/* ERR_CORRUPT when the file ends before. */
ERR_CHECK enum err_code io_pread_exact(int fd, void *data, size_t size, uint64_t offset, struct err *reterr);
/* Up to size bytes; *ret_size is smaller only at the end of the file. */
ERR_CHECK enum err_code io_pread_full(
    int fd, void *data, size_t size, uint64_t offset, size_t *ret_size, struct err *reterr);
ERR_CHECK enum err_code io_pwrite(int fd, const void *data, size_t size, uint64_t offset, struct err *reterr);

#endif
