/* controller/cli/exit.c: no default anywhere: the compiler names what a new value lacks. */
#include "controller/cli/exit.h"

#include "shared/base/text.h"

enum cli_exit exit_of_error(enum err_code code)
{
	switch (code) {
	case ERR_OK:
		return CLI_DONE;
	case ERR_INVALID:
		return CLI_USAGE;
	case ERR_DENIED:
		return CLI_REFUSED;
	case ERR_NOT_FOUND:
		return CLI_NOT_FOUND;
	case ERR_UNREACHABLE:
		return CLI_UNREACHABLE;
	case ERR_TIMEOUT:
		return CLI_TIMED_OUT;
	case ERR_NOMEM:
	case ERR_IO:
	case ERR_EXISTS:
	case ERR_STATE:
	case ERR_LIMIT:
	case ERR_CORRUPT:
	case ERR_FULL:
	case ERR_CANCELLED:
	case ERR_BUSY:
	case ERR_UNSUPPORTED:
	case ERR_INTERNAL:
	case ERR_CODE_COUNT:
		break;
	}
	return CLI_FAILED;
}

enum cli_exit exit_of_outcome(enum order_outcome outcome)
{
	switch (outcome) {
	case ORDER_OK:
		return CLI_DONE;
	case ORDER_OK_WITH_EXCEPTIONS:
		return CLI_PARTLY;
	case ORDER_REFUSED:
		return CLI_REFUSED;
	case ORDER_UNREACHABLE:
		return CLI_UNREACHABLE;
	case ORDER_OPEN:
	case ORDER_EXPIRED:
		return CLI_TIMED_OUT;
	case ORDER_REVERTED:
	case ORDER_FAILED_DIRTY:
	case ORDER_CANCELLED:
	case ORDER_OUTCOME_COUNT:
		break;
	}
	return CLI_FAILED;
}

enum cli_exit exit_of_change(enum change_state state, enum order_outcome outcome)
{
	switch (state) {
	case CHANGE_COMPLETED:
		return exit_of_outcome(outcome);
	case CHANGE_FAILED: /* never a success, whatever the outcome says (P28) */
		return outcome == ORDER_OPEN || exit_of_outcome(outcome) == CLI_DONE ? CLI_FAILED
										     : exit_of_outcome(outcome);
	case CHANGE_REJECTED:
		return CLI_REFUSED;
	case CHANGE_REQUESTED:
	case CHANGE_APPROVED:
	case CHANGE_IMPLEMENTING:
	case CHANGE_VALIDATING:
	case CHANGE_EXPIRED:
		return CLI_TIMED_OUT;
	case CHANGE_CANCELLED:
	case CHANGE_STATE_COUNT:
		break;
	}
	return CLI_FAILED;
}

enum err_code error_of_answer(int status, const char *code)
{
	for (unsigned i = ERR_OK + 1; i < ERR_CODE_COUNT; i++)
		if (text_equal(err_code_name((enum err_code)i), code))
			return (enum err_code)i;
	switch (status) {
	case 400:
		return ERR_INVALID;
	case 401:
	case 403:
		return ERR_DENIED;
	case 404:
		return ERR_NOT_FOUND;
	case 409:
		return ERR_STATE;
	case 413:
		return ERR_LIMIT;
	case 429:
	case 503:
		return ERR_BUSY;
	case 504:
		return ERR_TIMEOUT;
	default:
		return ERR_IO;
	}
}
