/* shared/base/log.h: the program's own log, one line an event on standard error.
 *
 *   2026-11-23T04:12:33.123Z warn gate host=host-01jd… msg="certificate expired"
 *
 * On a terminal the level is coloured; under systemd (JOURNAL_STREAM names this very stream) lines begin with the <N>
 * priority and no time.  With a program name the area is "program/gate".  A message beyond 2 KiB is cut. Values are
 * quoted when needed and control bytes are escaped, so that a line stays a line.  Never pass secrets, log contents or
 * free text of a host that has not been redacted.  Any thread; a line is written with one write(2). */
#ifndef KEDGE_SHARED_BASE_LOG_H
#define KEDGE_SHARED_BASE_LOG_H

#include "shared/base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_COUNT };

void log_setup(const char *program, enum log_level least); /* program is borrowed for good; NULL: none */
enum log_level log_least(void);                            /* as set up, for a program that is begun to say as much */
void log_to_fd(int fd);                                    /* default 2 */

/* area is the folder's word ("gate", "keeper"); fmt is the human message.  Put identities into the message as
 * key=value, first: log_warn("gate", "host=%s certificate expired", ...) gives the line above.  Such pairs at the
 * beginning stand bare, so print only names that have been checked there; all that follows them is quoted. */
void log_write(enum log_level level, const char *area, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(area, ...) log_write(LOG_LEVEL_DEBUG, area, __VA_ARGS__)
#define log_info(area, ...)  log_write(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_warn(area, ...)  log_write(LOG_LEVEL_WARN, area, __VA_ARGS__)
#define log_error(area, ...) log_write(LOG_LEVEL_ERROR, area, __VA_ARGS__)

#endif
