/* tests/fuzz/probe_http.c: answers and addresses of http probes.  An answer reads the same in one piece and byte by
 * byte. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/http.h"
#include "tests/fuzz/fuzz.h"

static void read_pieces(const uint8_t *data, size_t size, size_t piece, struct http_response *r)
{
	http_response_init(r);
	for (size_t at = 0; at < size; at += piece)
		if (http_response_feed(r, data + at, size - at < piece ? size - at : piece) >= HTTP_DONE)
			break;
	(void)http_response_end(r);
	assert(r->head.size <= PROBE_HEAD_MAX && r->body.size <= PROBE_BODY_MAX);
	assert(r->state == HTTP_DONE || r->state == HTTP_BAD);
}

static void read_url(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct http_url url;
	struct buf request = BUF_INIT;
	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (http_url_parse(text, &url, NULL) == ERR_OK) {
		http_request(&url, NULL, &request);
		const char *line = strstr(buf_str(&request), "\r\n");
		assert(line && strncmp(line, "\r\nHost: ", 8) == 0 && !strpbrk(url.path, "\r\n ") &&
		       !strpbrk(url.authority, "\r\n "));
	}
	buf_done(&request);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_response whole, bytes;
	read_pieces(data, size, size ? size : 1, &whole);
	read_pieces(data, size, 1, &bytes);
	assert(whole.state == bytes.state && whole.status == bytes.status);
	if (whole.state == HTTP_DONE)
		assert(whole.body.size == bytes.body.size &&
		       (!whole.body.size || memcmp(whole.body.data, bytes.body.data, whole.body.size) == 0));
	http_response_done(&whole);
	http_response_done(&bytes);
	read_url(data, size);
	return 0;
}
