/* controller/cli/exit.h: exit codes of `kedge`, and what each end means.  Pure. */
#ifndef KEDGE_CONTROLLER_CLI_EXIT_H
#define KEDGE_CONTROLLER_CLI_EXIT_H

#include "controller/change/change.h"

enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_REFUSED = 3, /* by policy, permission, a signature or the host itself */
	CLI_NOT_FOUND = 4,
	CLI_UNREACHABLE = 5,
	CLI_PARTLY = 6,
	CLI_TIMED_OUT = 7,
	CLI_INTERRUPTED = 130, /* 128 + SIGINT, as shells have it */
};

enum cli_exit exit_of_error(enum err_code code);
/* How a rollback (or an order) ended.  ORDER_OPEN: it had not, when waiting was over. */
enum cli_exit exit_of_outcome(enum order_outcome outcome);
/* How a change ended.  One that has not ended yet: the wait was over. */
enum cli_exit exit_of_change(enum change_state state, enum order_outcome outcome);
/* What the controller said: its error's word, or else the HTTP status. */
enum err_code error_of_answer(int status, const char *code);

#endif
