/* tests/fuzz/channel.c: a stream of bytes as the other half of the agent might send it, to either side.  The first byte
 * says in pieces of which size.  What is taken is what its sender may say; after an error nothing more is asked for. */
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/channel/channel.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_ARENA_MAX = 8 << 20, STREAM_MAX = 100000 };

/* False: the channel has ended. */
static bool drain(struct channel *c, enum channel_side sender)
{
	for (bool found = true; found;) {
		struct arena *arena = arena_new(FUZZ_ARENA_MAX);
		struct channel_message m;
		struct err err = ERR_INIT;
		if (!arena)
			abort();
		enum err_code rc = channel_receive(c, arena, &m, &found, &err);
		assert(rc == ERR_OK || err.msg[0]);
		assert(rc != ERR_OK || !found || channel_allowed(sender, m.type));
		arena_free(arena);
		if (rc != ERR_OK)
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > STREAM_MAX)
		return 0;
	size_t piece = data[0] ? data[0] : size;
	for (unsigned side = CHANNEL_KEEPER; side <= CHANNEL_LINK; side++) {
		struct channel *c = NULL;
		int pair[2];
		bool open = true;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
		    channel_new(pair[0], side, &c, NULL) != ERR_OK)
			abort();
		for (size_t at = 1; open && at < size; at += piece) {
			size_t n = size - at < piece ? size - at : piece;
			if (write(pair[1], data + at, n) != (ssize_t)n)
				abort();
			open = drain(c, side == CHANNEL_KEEPER ? CHANNEL_LINK : CHANNEL_KEEPER);
		}
		close(pair[1]);
		channel_free(c);
	}
	return 0;
}
