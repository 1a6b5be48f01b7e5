/* tests/fuzz/offhost.c: what a store says (errors, header lines), what it gives back as an inventory, and lines of the
 * ledger.  The first byte says which. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/bucket/s3.h"
#include "agent/offhost/inventory.h"
#include "agent/offhost/ledger.h"
#include "shared/base/text.h"
#include "tests/fuzz/fuzz.h"

static void store_words(const char *data, size_t size)
{
	struct s3_error e;
	uint64_t length;
	char host[64];
	bool tls;
	if (s3_error_parse(data, size, &e))
		assert(e.code[0]);
	assert(strlen(e.code) < sizeof e.code && strlen(e.message) < sizeof e.message);
	assert(text_utf8_valid(e.code, strlen(e.code)) && text_utf8_valid(e.message, strlen(e.message)));
	(void)s3_length_parse(data, size, &length);
	char *text = strndup(data, size);
	if (text && s3_endpoint_parse(text, &tls, host, sizeof host, NULL) == ERR_OK)
		assert(host[0] && !strchr(host, '/') && !strchr(host, '@'));
	free(text);
}

/* Nobody but the host can make one that is taken, whatever stands in it; and what a host made can hold no name that
 * leads elsewhere. */
static void an_inventory(struct arena *arena, const uint8_t *data, size_t size)
{
	static struct keys *keys;
	struct inventory_header h;
	struct inventory v;
	if (!keys && keys_new("fuzz", &keys, NULL))
		abort();
	if (inventory_header_parse(data, size, &h, NULL) == ERR_OK)
		assert(inventory_unseal(keys, (uint32_t)h.number, data, size, arena, &v, NULL) != ERR_OK);
	if (inventory_body_parse(data, size, arena, &v, NULL))
		return;
	for (size_t i = 0; i < v.entries.count; i++) {
		const struct copied *c = &LIST_AT(v.entries, struct copied, i);
		assert(copied_name_ok(c->name) && !strstr(c->name, "..") && c->name[0] != '/');
		assert(c->packs.size % PACK_ID_SIZE == 0);
	}
}

static void a_line(struct arena *arena, const char *data, size_t size)
{
	struct ledger_head h;
	struct copied c;
	struct buf out = BUF_INIT;
	if (record_from_json(&copied_type, data, size, 0, arena, &c, NULL) == ERR_OK) {
		assert(copied_name_ok(c.name));
		assert(record_to_json(&copied_type, &c, 0, &out, NULL) == ERR_OK &&
		       !memchr(out.data, '\n', out.size)); /* a line stays a line */
	}
	if (record_from_json(&ledger_head_type, data, size, 0, arena, &h, NULL) == ERR_OK)
		assert(h.generation && h.repository.size == REPO_ID_SIZE);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	if (!arena)
		abort();
	if (size && data[0] == 'S')
		store_words((const char *)data + 1, size - 1);
	else if (size && data[0] == 'I')
		an_inventory(arena, data + 1, size - 1);
	else if (size)
		a_line(arena, (const char *)data + 1, size - 1);
	arena_free(arena);
	return 0;
}
