/* tests/sim/main.c: `sim --seeds N --from S [--hosts H] [--verbose]`: runs that many seeds; the first that fails prints
 * what did not hold, the end of its trace, and the command that replays it.  Exit: 0 all hold, 1 one does not, 2 usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "tests/sim/sim.h"

struct arguments {
	uint64_t seeds, from, hosts;
	bool verbose, digest;
};

static bool read_arguments(int argc, char **argv, struct arguments *a)
{
	*a = (struct arguments){.seeds = 1, .from = 1};
	for (int i = 1; i < argc; i++) {
		uint64_t *number = !strcmp(argv[i], "--seeds")   ? &a->seeds
				   : !strcmp(argv[i], "--from")  ? &a->from
				   : !strcmp(argv[i], "--hosts") ? &a->hosts
								 : NULL;
		if (!strcmp(argv[i], "--verbose"))
			a->verbose = true;
		else if (!strcmp(argv[i], "--digest"))
			a->digest = true;
		else if (!number || ++i == argc || text_u64(argv[i], number, NULL) != ERR_OK)
			return false;
	}
	return a->seeds > 0 && a->hosts <= SIM_HOSTS_MAX && a->hosts != 1 && a->hosts != 2;
}

static void tell_failure(const struct sim *s, const struct arguments *a, uint64_t seed)
{
	uint64_t first = s->lines > SIM_TAIL ? s->lines - SIM_TAIL : 0;
	for (uint64_t i = first; !a->verbose && i < s->lines; i++)
		puts(s->tail[i % SIM_TAIL]);
	printf("\nseed %llu FAILED: %s\nreplay: sim --seeds 1 --from %llu", (unsigned long long)seed, s->failure,
	    (unsigned long long)seed);
	if (a->hosts)
		printf(" --hosts %llu", (unsigned long long)a->hosts);
	puts(" --verbose");
}

int main(int argc, char **argv)
{
	struct arguments a;
	uint64_t began_ms = clock_mono_ms(), events = 0, crashes = 0, rollbacks = 0, virtual_ms = 0;
	size_t rows = 0, grown = 0; /* a host, at most */
	if (!read_arguments(argc, argv, &a)) {
		fprintf(stderr, "usage: sim [--seeds N] [--from S] [--hosts H (3 to %d)] [--verbose] [--digest]\n",
		    SIM_HOSTS_MAX);
		return 2;
	}
	for (uint64_t seed = a.from; seed < a.from + a.seeds; seed++) {
		struct sim_options o = sim_defaults(seed);
		o.hosts = (unsigned)a.hosts;
		o.verbose = a.verbose;
		struct sim *s = sim_new(&o);
		bool ok = sim_run(s);
		if (!ok)
			tell_failure(s, &a, seed);
		if (s->rows / s->agent_count > rows)
			rows = s->rows / s->agent_count;
		if (s->rows_grown / s->agent_count > grown)
			grown = s->rows_grown / s->agent_count;
		if (a.digest)
			printf("seed %llu digest %016llx\n", (unsigned long long)seed, (unsigned long long)s->digest);
		events += s->events;
		crashes += s->crashes + s->hub.crashes;
		rollbacks += s->rollbacks_begun;
		virtual_ms += s->now_ms - s->begin_ms;
		sim_free(s);
		if (!ok)
			return 1;
	}
	printf("%llu seeds hold: %llu events, %llu crashes, %llu rollbacks on hosts, %llu virtual hours in %llu s\n",
	    (unsigned long long)a.seeds, (unsigned long long)events, (unsigned long long)crashes,
	    (unsigned long long)rollbacks, (unsigned long long)(virtual_ms / 3600000),
	    (unsigned long long)((clock_mono_ms() - began_ms) / 1000));
	printf("rows of the store a host: at most %zu, of which %zu came in the last quiet minutes\n", rows, grown);
	return 0;
}
