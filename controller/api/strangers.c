#include "controller/api/strangers.h"

#include <arpa/inet.h>
#include <string.h>

#include "shared/base/log.h"

enum { MINUTE_MS = 60 * 1000, NETWORK_OF_V6 = 8 };

/* "192.0.2.1:443", "[2001:db8::1]:443": without the port. */
static void host_of(const char *address, char out[INET6_ADDRSTRLEN])
{
	bool bracket = *address == '[';
	const char *from = address + bracket, *end = bracket ? strchrnul(from, ']') : strchrnul(from, ':');
	size_t n = (size_t)(end - from);
	n = n < INET6_ADDRSTRLEN ? n : 0;
	memcpy(out, from, n);
	out[n] = '\0';
}

/* As IPv4 within IPv6, or the network of an IPv6 address; what is neither is all one. */
static void network_of(const char *address, uint8_t out[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char host[INET6_ADDRSTRLEN];
	struct in_addr four;
	struct in6_addr six;
	memset(out, 0, 16);
	host_of(address ? address : "", host);
	if (inet_pton(AF_INET, host, &four) == 1) {
		memcpy(out, mapped, sizeof mapped);
		memcpy(out + sizeof mapped, &four, sizeof four);
	} else if (inet_pton(AF_INET6, host, &six) == 1) {
		memcpy(out, &six, IN6_IS_ADDR_V4MAPPED(&six) ? sizeof six : NETWORK_OF_V6);
	}
}

static void turn_of_the_minute(struct strangers *s, uint64_t mono_ms)
{
	if (mono_ms - s->minute_ms < MINUTE_MS)
		return;
	if (s->untold)
		log_warn("api", "%u more tokens were tried in the last minute and refused unheard", s->untold);
	memset(s, 0, sizeof *s);
	s->minute_ms = mono_ms;
}

/* make: it is counted alone from now on, where there is room. */
static struct stranger *of(struct strangers *s, const char *address, bool make)
{
	uint8_t network[16];
	network_of(address, network);
	for (size_t i = 0; i < s->count; i++)
		if (memcmp(s->all[i].network, network, sizeof network) == 0)
			return &s->all[i];
	if (s->count == STRANGERS_MAX)
		return &s->others;
	if (!make)
		return NULL;
	struct stranger *new = &s->all[s->count++];
	memcpy(new->network, network, sizeof network);
	return new;
}

bool strangers_may(struct strangers *s, const char *address, uint64_t mono_ms)
{
	turn_of_the_minute(s, mono_ms);
	const struct stranger *known = of(s, address, false);
	bool may = !known || known->tried < STRANGERS_TRIES;
	s->untold += !may;
	return may;
}

void strangers_failed(struct strangers *s, const char *address, uint64_t mono_ms)
{
	turn_of_the_minute(s, mono_ms);
	of(s, address, true)->tried++;
}
