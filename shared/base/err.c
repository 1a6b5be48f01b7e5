/* shared/base/err.c: filling and prefixing errors.  errno is left as it was, so that callers may look at it afterwards.
 */
#include "shared/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/text.h"

const char *err_code_name(enum err_code code)
{
	static const char *const names[] = {
#define X(NAME, text) [ERR_##NAME] = text,
	    ERR_CODES(X)
#undef X
	};
	if ((unsigned)code >= ERR_CODE_COUNT)
		return "unknown";
	return names[code];
}

/* Messages quote what peers sent, and travel on in records and JSON, which must be UTF-8. */
static void keep_utf8(char *s)
{
	size_t size = strlen(s);
	for (size_t i = 0; i < size;) {
		size_t n = text_utf8_length(s + i, size - i);
		if (n == 0) {
			s[i] = '?';
			n = 1;
		}
		i += n;
	}
}

static void store(struct err *reterr, enum err_code code, int sys_errno, const char *msg)
{
	reterr->code = code;
	reterr->sys_errno = sys_errno;
	text_copy(reterr->msg, sizeof(reterr->msg), msg);
	keep_utf8(reterr->msg);
}

enum err_code err_vset(struct err *reterr, enum err_code code, const char *fmt, va_list ap)
{
	if (!reterr)
		return code;
	/* Not straight into msg: an argument may be the message that stands there.  Twice the room lets text_copy see
	 * that it has to cut. */
	int saved = errno;
	char msg[2 * ERR_MSG_MAX];
	if (vsnprintf(msg, sizeof(msg), fmt, ap) < 0)
		msg[0] = '\0';
	store(reterr, code, 0, msg);
	errno = saved;
	return code;
}

enum err_code err_set(struct err *reterr, enum err_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	err_vset(reterr, code, fmt, ap);
	va_end(ap);
	return code;
}

static enum err_code code_of_errno(int sys_errno)
{
	switch (sys_errno) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ENOMEM:
		return ERR_NOMEM;
	case EEXIST:
		return ERR_EXISTS;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENETUNREACH:
	case ENETDOWN:
		return ERR_UNREACHABLE;
	default:
		return ERR_IO;
	}
}

enum err_code err_sys(struct err *reterr, int sys_errno, const char *fmt, ...)
{
	enum err_code code = code_of_errno(sys_errno);
	if (!reterr)
		return code;
	int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	char msg[2 * ERR_MSG_MAX], why[128];
	if (vsnprintf(msg, sizeof(msg), fmt, ap) < 0)
		msg[0] = '\0';
	va_end(ap);
	/* The reason must survive a long message, so the message is cut to leave room for it. */
	const char *reason = strerror_r(sys_errno, why, sizeof(why));
	char whole[2 * ERR_MSG_MAX];
	text_copy(whole, (size_t)ERR_MSG_MAX - sizeof(why), msg);
	size_t used = strlen(whole);
	snprintf(whole + used, sizeof(whole) - used, ": %.120s", reason);
	store(reterr, code, sys_errno, whole);
	errno = saved;
	return code;
}

enum err_code err_prefix(struct err *reterr, enum err_code code, const char *fmt, ...)
{
	if (!reterr || code == ERR_OK) /* nothing failed: what err holds is not ours to touch */
		return code;
	int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	char msg[2 * ERR_MSG_MAX];
	int n = vsnprintf(msg, ERR_MSG_MAX, fmt, ap);
	va_end(ap);
	size_t used = n < 0 ? 0 : strnlen(msg, ERR_MSG_MAX - 1);
	snprintf(msg + used, sizeof(msg) - used, ": %s", reterr->msg);
	store(reterr, code, reterr->sys_errno, msg);
	errno = saved;
	return code;
}
