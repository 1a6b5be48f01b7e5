/* tests/fuzz/record_target.h: what the three targets of shared/record share: a type of every kind, and that what is
 * accepted is a valid record which every form can write and read back. */
#ifndef KEDGE_TESTS_FUZZ_RECORD_TARGET_H
#define KEDGE_TESTS_FUZZ_RECORD_TARGET_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/shared/record/every.h"

EVERY_TREE

enum { FUZZ_ARENA_MAX = 16 << 20 };

static inline void comes_back(const struct every *e, struct arena *arena)
{
	struct every back;
	struct buf out = BUF_INIT;
	enum err_code rc = record_to_msgpack(&every_type, e, &out, NULL);
	assert(rc == ERR_OK);
	rc = record_from_msgpack(&every_type, out.data, out.size, arena, &back, NULL);
	assert(rc == ERR_NOMEM || (rc == ERR_OK && record_equal(&every_type, e, &back)));
	buf_clear(&out);
	rc = record_to_json(&every_type, e, RECORD_WITH_SECRETS, &out, NULL);
	assert(rc == ERR_OK);
	rc = record_from_json(&every_type, buf_str(&out), out.size, RECORD_STRICT, arena, &back, NULL);
	assert(rc == ERR_NOMEM || (rc == ERR_OK && record_equal(&every_type, e, &back)));
	buf_clear(&out);
	rc = record_to_yaml(&every_type, e, &out, NULL);
	assert(rc == ERR_OK);
	rc = record_from_yaml(&every_type, "own", buf_str(&out), out.size, arena, &back, NULL);
	back.password = e->password; /* a secret, which YAML leaves out */
	assert(rc == ERR_NOMEM || (rc == ERR_OK && record_equal(&every_type, e, &back)));
	buf_clear(&out);
	struct table_options o = {.wide = true, .colour = true, .width = 80};
	rc = record_sheet(&every_type, e, &o, &out, NULL);
	assert(rc == ERR_OK && text_utf8_valid(out.data, out.size));
	buf_done(&out);
}

typedef enum err_code decode_fn(
    const uint8_t *data, size_t size, struct arena *arena, struct every *ret, struct err *reterr);

static inline int record_target(decode_fn *decode, const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(FUZZ_ARENA_MAX);
	struct every e, untouched;
	struct err err = ERR_INIT;
	if (!arena)
		abort();
	memset(&e, 0x5a, sizeof(e));
	untouched = e;
	if (decode(data, size, arena, &e, &err) == ERR_OK) {
		comes_back(&e, arena);
	} else {
		assert(err.code != ERR_OK && err.msg[0] && text_utf8_valid(err.msg, strlen(err.msg)));
		assert(memcmp(&e, &untouched, sizeof(e)) == 0);
	}
	arena_free(arena);
	return 0;
}

#endif
