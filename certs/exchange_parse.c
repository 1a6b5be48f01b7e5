/* certs/exchange_parse.c: where to, and what came back (RFC 9112). */
#include "certs/exchange.h"

#include <string.h>
#include <strings.h>

#include "shared/base/text.h"

enum err_code exchange_url(const char *text, struct exchange_url *ret, struct err *reterr)
{
	struct exchange_url u = {.port = "443"};
	const char *host = text + strlen("https://");
	uint64_t port = 443;
	if (!text_starts(text, "https://"))
		return err_set(reterr, ERR_INVALID, "expected https://host:port, got \"%s\"", text);
	size_t n = host[0] == '[' ? strcspn(++host, "]/") : strcspn(host, ":/");
	const char *rest = host + n;
	if (host[-1] == '[' && *rest++ != ']')
		return err_set(reterr, ERR_INVALID, "expected https://[address]:port, got \"%s\"", text);
	if (*rest == ':') {
		size_t digits = strspn(++rest, "0123456789");
		if (digits == 0 || digits > 5)
			return err_set(
			    reterr, ERR_INVALID, "expected a port, as in https://host:8443, got \"%s\"", text);
		memcpy(u.port, rest, digits);
		u.port[digits] = '\0';
		rest += digits;
		if (text_u64(u.port, &port, NULL) != ERR_OK || port == 0 || port > 65535)
			return err_set(reterr, ERR_INVALID, "a port is a number from 1 to 65535, got \"%s\"", u.port);
	}
	if (n == 0 || n >= sizeof u.host || (*rest && !text_equal(rest, "/")))
		return err_set(
		    reterr, ERR_INVALID, "expected https://host:port and nothing behind it, got \"%s\"", text);
	memcpy(u.host, host, n);
	*ret = u;
	return ERR_OK;
}

/* ---- the answer ---- */

static enum err_code read_status(const char *line, size_t size, int *ret, struct err *reterr)
{
	if (size < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
	    (size > 12 && line[12] != ' '))
		return err_set(reterr, ERR_INVALID, "the answer is not HTTP/1.1");
	int status = 0;
	for (int i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return err_set(reterr, ERR_INVALID, "the answer has no status");
		status = 10 * status + (line[i] - '0');
	}
	if (status < 200) /* nothing was sent that could be continued or switched */
		return err_set(reterr, ERR_INVALID, "the answer has the status %d, which is none", status);
	*ret = status;
	return ERR_OK;
}

/* One header line: only what says how long the body is matters here. */
static enum err_code read_header(const char *line, size_t size, size_t *length, bool *known, struct err *reterr)
{
	static const char cl[] = "content-length:", te[] = "transfer-encoding:";
	char digits[12];
	uint64_t n;
	if (size >= sizeof te - 1 && strncasecmp(line, te, sizeof te - 1) == 0)
		return err_set(reterr, ERR_UNSUPPORTED, "the answer comes in pieces, which is not read here");
	if (size < sizeof cl - 1 || strncasecmp(line, cl, sizeof cl - 1) != 0)
		return ERR_OK;
	line += sizeof cl - 1;
	size -= sizeof cl - 1;
	for (; size && (*line == ' ' || *line == '\t'); size--)
		line++;
	while (size && (line[size - 1] == ' ' || line[size - 1] == '\t'))
		size--;
	if (size == 0 || size >= sizeof digits)
		return err_set(reterr, ERR_INVALID, "the answer's length is no number");
	memcpy(digits, line, size);
	digits[size] = '\0';
	if (strlen(digits) != size || text_u64(digits, &n, NULL) != ERR_OK || (*known && n != *length))
		return err_set(reterr, ERR_INVALID, "the answer's length is no number");
	if (n > EXCHANGE_BODY_MAX)
		return err_set(reterr, ERR_LIMIT, "the answer is larger than %d KiB", EXCHANGE_BODY_MAX >> 10);
	*length = (size_t)n;
	*known = true;
	return ERR_OK;
}

enum err_code exchange_parse(
    const void *data, size_t size, bool ended, struct exchange_answer *ret, bool *ret_whole, struct err *reterr)
{
	const char *head = data, *end = size ? memmem(data, size, "\r\n\r\n", 4) : NULL;
	size_t length = 0;
	bool known = false;
	int status = 0;
	if (!end && ended)
		return err_set(reterr, ERR_INVALID, "the connection ended before the answer");
	if ((end ? (size_t)(end - head) : size) > EXCHANGE_HEAD_MAX)
		return err_set(reterr, ERR_LIMIT, "the answer's head is larger than %d KiB", EXCHANGE_HEAD_MAX >> 10);
	if (!end) {
		*ret_whole = false;
		return ERR_OK;
	}
	for (const char *line = head; line < end + 2;) {
		const char *stop = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
		size_t n = (size_t)(stop - line);
		enum err_code rc = line == head ? read_status(line, n, &status, reterr)
						: read_header(line, n, &length, &known, reterr);
		if (rc != ERR_OK)
			return rc;
		line = stop + 2;
	}
	size_t there = size - (size_t)(end + 4 - head);
	if (there > EXCHANGE_BODY_MAX)
		return err_set(reterr, ERR_LIMIT, "the answer is larger than %d KiB", EXCHANGE_BODY_MAX >> 10);
	if (known && there < length && ended)
		return err_set(reterr, ERR_INVALID, "the answer was cut off");
	*ret_whole = known ? there >= length : ended;
	if (*ret_whole)
		*ret = (struct exchange_answer){status, {(const uint8_t *)end + 4, known ? length : there}};
	return ERR_OK;
}
