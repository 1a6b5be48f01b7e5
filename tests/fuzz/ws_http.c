/* tests/fuzz/ws_http.c: requests' heads (shared/ws/http_head.h).  What is taken is whole, bounded, and the same however
 * it arrived. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/ws/http_head.h"
#include "tests/fuzz/fuzz.h"

static void in_room(const struct http_head *h, const char *s)
{
	assert(s >= h->room && s < h->room + h->room_used && s + strlen(s) < h->room + sizeof(h->room));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head head, again;
	size_t used = 0, used_again = 0;
	int status = 0;
	enum http_result r = http_head_parse(data, size, &head, &used, &status);
	if (r == HTTP_BAD)
		assert(status >= 400 && status <= 599);
	if (r == HTTP_INCOMPLETE)
		assert(size < WS_HEAD_MAX);
	if (r != HTTP_READY)
		return 0;
	assert(used > 0 && used <= size && used <= WS_HEAD_MAX && memcmp(data + used - 4, "\r\n\r\n", 4) == 0);
	in_room(&head, head.path);
	assert(head.path[0] == '/' && text_utf8_valid(head.path, strlen(head.path)) && !strpbrk(head.path, "\r\n"));
	assert(head.query_count <= WS_QUERY_MAX);
	for (unsigned i = 0; i < head.query_count; i++)
		in_room(&head, head.query[i]);
	for (unsigned i = 0; i < WS_HEADER_COUNT; i++) {
		if (head.header[i]) {
			in_room(&head, head.header[i]);
			assert(!strpbrk(head.header[i], "\r\n"));
		}
	}
	/* No shorter beginning is whole, and what follows changes nothing. */
	assert(http_head_parse(data, used - 1, &again, &used_again, &status) == HTTP_INCOMPLETE);
	assert(http_head_parse(data, used, &again, &used_again, &status) == HTTP_READY && used_again == used);
	return 0;
}
