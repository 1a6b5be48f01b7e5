/* shared/ws/url.h: the address of a controller, "wss://host:port/path".  Pure. */
#ifndef KEDGE_SHARED_WS_URL_H
#define KEDGE_SHARED_WS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/err.h"
#include "shared/ws/limits.h"

enum { WS_HOST_MAX = 256 };

struct ws_url {
	char host[WS_HOST_MAX]; /* without brackets */
	uint16_t port;
	char path[WS_PATH_MAX]; /* "/" if there was none */
	bool literal;           /* host is an address */
};

/* ERR_INVALID says what is wrong.  The port must be there; IPv6 addresses stand in brackets. */
ERR_CHECK enum err_code ws_url_parse(const char *url, struct ws_url *ret, struct err *reterr);

#endif
