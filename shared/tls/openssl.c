/* shared/tls/openssl.c: OpenSSL's error queue as one message. */
#include <stdio.h>

#include "shared/tls/internal.h"
#include "shared/tls/key.h"

enum err_code tls_openssl_error(struct err *reterr, enum err_code code, const char *fmt, ...)
{
	char what[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* The oldest entry is the cause; what follows are the callers' complaints. */
	unsigned long e = ERR_get_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;
	ERR_clear_error();
	return err_set(reterr, code, "%s: %s", what, reason ? reason : "OpenSSL gives no reason");
}
