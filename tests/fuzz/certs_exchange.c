/* tests/fuzz/certs_exchange.c: an HTTP answer from whoever answers, and a token from whoever typed it
 * (certs/exchange.h, certs/enrol.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "certs/enrol.h"
#include "certs/exchange.h"
#include "tests/fuzz/fuzz.h"

static void answer(const uint8_t *data, size_t size, bool ended)
{
	struct exchange_answer a;
	bool whole = false;
	struct err e = ERR_INIT;
	if (exchange_parse(data, size, ended, &a, &whole, &e) != ERR_OK) {
		assert(e.code != ERR_OK && e.msg[0]);
	} else if (whole) {
		assert(a.status >= 200 && a.status <= 999 && a.body.size <= EXCHANGE_BODY_MAX);
		assert(a.body.data >= data && a.body.data + a.body.size <= data + size);
	} else {
		assert(!ended);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exchange_url url;
	struct enrol_token token;
	char *text = malloc(size + 1), again[ENROL_TOKEN_MAX];
	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	answer(data, size, false);
	answer(data, size, true);
	if (exchange_url(text, &url, NULL) == ERR_OK)
		assert(url.host[0] && url.port[0]);
	if (enrol_token_parse(text, &token, NULL) == ERR_OK) {
		assert(enrol_token_format(&token, again, NULL) == ERR_OK);
		assert(strcmp(again, text) == 0);
	}
	free(text);
	return 0;
}
