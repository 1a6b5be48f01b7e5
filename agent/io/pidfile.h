/* agent/io/pidfile.h: the number that a service wrote into its pid file.
 *
 * The folder is the service's own, and whoever it runs as may put anything there: a pipe that nobody writes to would
 * hold up whoever opens it.  A regular file only, and nobody is waited for.  Any thread. */
#ifndef KEDGE_AGENT_IO_PIDFILE_H
#define KEDGE_AGENT_IO_PIDFILE_H

#include <sys/types.h>

#include "shared/base/err.h"

/* *ret > 0; whether it runs is another question.  ERR_NOT_FOUND; ERR_UNSUPPORTED: it is no regular file; ERR_CORRUPT:
 * it does not begin with a number of a process. */
ERR_CHECK enum err_code pidfile_read(const char *path, pid_t *ret, struct err *reterr);

#endif
