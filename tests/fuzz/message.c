/* tests/fuzz/message.c: frames as a peer may send them.  What is taken from either side is of a type which that side
 * may send, and comes back the same through the encoder; what is refused has a reason. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/message/message.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_ARENA_MAX = 16 << 20 };

static const void *body_of(const struct frame *f, const struct field **ret)
{
	const void *body;

	*ret = record_field(&frame_type_record, enum_name(&frame_type_enum, f->type));
	memcpy(&body, (const char *)f + (*ret)->offset, sizeof body);
	return body;
}

static void comes_back(enum message_side side, const struct frame *f, struct arena *arena)
{
	struct buf out = BUF_INIT;
	struct frame again;
	enum bye_reason bye;
	const struct field *field;
	const void *body = body_of(f, &field);

	assert(body);
	enum err_code rc = message_encode(f->type, body, &out, NULL);
	assert(rc == ERR_OK);
	rc = message_decode(side, out.data, out.size, arena, &again, &bye, NULL);
	assert(rc == ERR_OK || rc == ERR_NOMEM);
	assert(rc != ERR_OK || record_equal(field->type, body, body_of(&again, &field)));
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned side = SIDE_AGENT; side <= SIDE_CONTROLLER; side++) {
		struct arena *arena = arena_new(FUZZ_ARENA_MAX);
		struct frame f;
		enum bye_reason bye = BYE_REASON_COUNT;
		struct err err = ERR_INIT;

		if (!arena)
			abort();
		if (message_decode(side, data, size, arena, &f, &bye, &err) == ERR_OK) {
			assert(bye == BYE_REASON_COUNT && message_allowed(side, f.type));
			comes_back(side, &f, arena);
		} else {
			assert(bye < BYE_REASON_COUNT && err.msg[0]);
		}
		arena_free(arena);
	}
	return 0;
}
