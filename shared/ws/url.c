/* shared/ws/url.c: the address of a controller.  Pure. */
#include "shared/ws/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "shared/base/text.h"

static bool is_literal(const char *host)
{
	struct in6_addr room;
	return inet_pton(AF_INET, host, &room) == 1 || inet_pton(AF_INET6, host, &room) == 1;
}

static bool host_ok(const char *host)
{
	size_t n = strlen(host);
	return n > 0 && n < 254 &&
	       strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:") == n;
}

static bool path_ok(const char *path)
{
	for (const char *p = path; *p; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return false;
	}
	return true;
}

enum err_code ws_url_parse(const char *url, struct ws_url *ret, struct err *reterr)
{
	struct ws_url u = {0};
	uint64_t port;
	char number[8];
	if (!url || !text_starts(url, "wss://"))
		return err_set(
		    reterr, ERR_INVALID, "an address looks like wss://host:port, not \"%.80s\"", url ? url : "");
	const char *host = url + 6, *bracket = *host == '[' ? strchr(host, ']') : NULL;
	const char *colon = strchr(bracket ? bracket : host, ':');
	const char *host_end = bracket ? bracket : colon;
	if (!colon || (bracket && colon != bracket + 1) || (*host == '[' && !bracket))
		return err_set(reterr, ERR_INVALID, "an address looks like wss://host:port, not \"%.80s\"", url);
	if (bracket)
		host++;
	size_t host_size = (size_t)(host_end - host), digits = strcspn(colon + 1, "/");
	if (host_size >= sizeof(u.host) || digits >= sizeof(number))
		return err_set(reterr, ERR_INVALID, "\"%.80s\": the host or port is too long", url);
	memcpy(u.host, host, host_size);
	memcpy(number, colon + 1, digits);
	number[digits] = '\0';
	u.literal = is_literal(u.host);
	if (!host_ok(u.host) || (bracket || strchr(u.host, ':') ? !(bracket && u.literal) : false))
		return err_set(reterr, ERR_INVALID, "\"%.80s\": the host is neither a name nor an address", url);
	if (text_u64(number, &port, NULL) != ERR_OK || port == 0 || port > UINT16_MAX)
		return err_set(reterr, ERR_INVALID, "\"%.80s\": the port is not 1 to 65535", url);
	u.port = (uint16_t)port;
	const char *path = colon + 1 + digits;
	if (!text_format(u.path, sizeof(u.path), "%s", *path ? path : "/") || !path_ok(u.path))
		return err_set(
		    reterr, ERR_INVALID, "\"%.80s\": the path is too long or has bytes that a path has not", url);
	*ret = u;
	return ERR_OK;
}
