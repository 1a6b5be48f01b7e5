/* agent/logwatch/journal.h: the journal's entries of one unit.
 *
 * libsystemd is opened at run time, only when a unit is followed: a host without it, or without such a source, pays
 * nothing. The calls stand behind a table so that tests can put a journal of their own there.  Loop thread only. */
#ifndef KEDGE_AGENT_LOGWATCH_JOURNAL_H
#define KEDGE_AGENT_LOGWATCH_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/err.h"
#include "shared/mining/line.h"

enum { JOURNAL_CURSOR_MAX = 512 };

struct sd_journal;
struct journal_calls { /* as in sd-journal(3); negative errno on failure */
	int (*open)(struct sd_journal **ret, int flags);
	void (*close)(struct sd_journal *j);
	int (*add_match)(struct sd_journal *j, const void *data, size_t size);
	int (*add_disjunction)(struct sd_journal *j);
	int (*seek_tail)(struct sd_journal *j);
	int (*seek_cursor)(struct sd_journal *j, const char *cursor);
	int (*test_cursor)(struct sd_journal *j, const char *cursor);
	int (*next)(struct sd_journal *j);
	int (*previous)(struct sd_journal *j);
	int (*get_data)(struct sd_journal *j, const char *field, const void **ret_data, size_t *ret_size);
	int (*get_cursor)(struct sd_journal *j, char **ret_cursor); /* to be freed */
	int (*get_realtime)(struct sd_journal *j, uint64_t *ret_us);
	int (*get_fd)(struct sd_journal *j);
	int (*process)(struct sd_journal *j);
};
/* NULL: libsystemd is not there; *reterr says so. */
const struct journal_calls *journal_system(struct err *reterr);

struct journal;
/* cursor: where to go on; NULL or one that is no longer there: at the end. */
ERR_CHECK enum err_code journal_open(
    const struct journal_calls *calls, const char *unit, const char *cursor, struct journal **ret, struct err *reterr);
void journal_close(struct journal *j); /* NULL is a no-op */
int journal_fd(struct journal *j);     /* readable when there may be something new; -1: poll */
/* Up to most entries; true: there are more. */
bool journal_read(struct journal *j, size_t most,
    void (*on_entry)(void *ctx, const char *message, size_t size, enum line_level level, uint64_t wall_ms), void *ctx);
const char *journal_cursor(const struct journal *j); /* behind the last entry read; NULL: none yet */

#endif
