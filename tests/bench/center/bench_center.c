/* tests/bench/center: what one controller takes: inputs a second with group commit, and the time from submit to answer.
 *
 *   bench_center [FOLDER [SECONDS]]      FOLDER: on the disk to be measured (default: a new one below .)
 *
 * Each input puts two records, one of them with two indexes, and answers: some of what a health report costs.  Rates
 * are for this disk: the line "sync" says what one write and fdatasync costs there. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/center/runner.h"
#include "controller/store/schema.h"
#include "shared/base/clock.h"

enum { SAMPLES_MAX = 1 << 20, PLACES = 2000 };

struct place {
	const char *host;
	const char *service;
	const char *state;
	uint64_t since_ms;
	uint64_t reports;
	const char *text;
};
static const struct field place_fields[] = {
    F_STRING(struct place, host, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY, "host"),
    F_STRING(struct place, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY, "service"),
    F_STRING(struct place, state, NAME_MAX_BYTES, FIELD_INDEXED, "state"),
    F_TIME(struct place, since_ms, FIELD_INDEXED, "since"),
    F_U64(struct place, reports, 0, 0, "how many"),
    F_STRING(struct place, text, TEXT_PAGE_MAX, 0, "as long as a report's texts"),
};
static const struct record_type place_type = RECORD_TYPE("place", struct place, place_fields, "a benchmark's record");
static const struct table place_table = {.name = "place", .type = &place_type};
static const struct table *const tables[] = {&place_table, &answer_table, NULL};

static uint64_t took_us[SAMPLES_MAX];
static atomic_size_t answered;

static enum err_code apply(
    struct turn *t, const struct workflow_config *config, const struct input *in, struct err *reterr)
{
	(void)config;
	if (in->kind != INPUT_REQUEST)
		return ERR_OK;
	static const char text[] = "HTTP OK: HTTP/1.1 200 OK - 1270 bytes in 0.004 second response time "
				   "|time=0.004168s;;;0.000000 size=1270B;;;0";
	char host[16];
	struct place p;
	bool found;
	uint64_t n;
	snprintf(host, sizeof(host), "host-%u", (unsigned)random_below(turn_random(t), PLACES));
	p = (struct place){.host = host, .service = "portal"};
	enum err_code rc = turn_get(t, &place_table, &p, &p, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	p.state = p.reports % 10 ? "HEALTHY" : "DOWN";
	p.since_ms = p.reports++ % 10 ? p.since_ms : turn_now_ms(t);
	p.text = text;
	rc = turn_put(t, &place_table, &p, reterr);
	if (rc == ERR_OK)
		rc = turn_number(t, "report", &n, reterr);
	if (rc == ERR_OK)
		rc = turn_emit(t, &(struct effect){.kind = EFFECT_REPLY, .token = in->request->token}, reterr);
	return rc;
}

static void sink_reply(void *ctx, const struct center_reply *r)
{
	(void)ctx;
	took_us[atomic_load(&answered) % SAMPLES_MAX] = clock_mono_us() - r->token;
	atomic_fetch_add(&answered, 1); /* only this thread counts; the other may read what is below */
}

static struct input *request(void)
{
	struct input *in = input_new(INPUT_REQUEST, 0);
	struct request *r = in ? arena_alloc(in->arena, sizeof(*r)) : NULL;
	if (!r)
		abort();
	r->token = clock_mono_us();
	r->noun = r->verb = "";
	in->request = r;
	return in;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void report(const char *name, struct runner *r, const struct runner_stats *before, uint64_t us)
{
	struct runner_stats after;
	runner_stats(r, &after);
	size_t n = atomic_load(&answered);
	size_t kept = n < SAMPLES_MAX ? n : SAMPLES_MAX;
	qsort(took_us, kept, sizeof(*took_us), compare_u64);
	double s = (double)us / 1e6;
	printf("%-28s %9.0f inputs/s %7.0f commits/s   p50 %7.2f ms   p99 %7.2f ms   longest step %llu ms\n", name,
	    (double)n / s, (double)(after.commits - before->commits) / s, (double)took_us[kept / 2] / 1e3,
	    (double)took_us[kept * 99 / 100] / 1e3, (unsigned long long)after.longest_step_ms);
}

/* waiting: how many inputs are kept under way. */
static void load(struct runner *r, const char *name, size_t waiting, uint64_t pause_us, double seconds)
{
	struct runner_stats before;
	runner_stats(r, &before);
	atomic_store(&answered, 0);
	uint64_t start = clock_mono_us(), end = start + (uint64_t)(seconds * 1e6);
	size_t sent = 0;
	while (clock_mono_us() < end) {
		if (sent - atomic_load(&answered) >= waiting) {
			usleep(20);
			continue;
		}
		struct input *in = request();
		if (runner_submit(r, in, NULL, NULL) != ERR_OK) {
			input_free(in);
			usleep(100);
			continue;
		}
		sent++;
		if (pause_us)
			usleep((useconds_t)pause_us);
	}
	while (atomic_load(&answered) < sent)
		usleep(100);
	report(name, r, &before, clock_mono_us() - start);
}

static void sync_cost(const char *folder)
{
	char path[4096], block[4096] = {1};
	snprintf(path, sizeof(path), "%s/sync", folder);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (size_t i = 0; i < 1000; i++) {
		uint64_t before = clock_mono_us();
		if (pwrite(fd, block, sizeof(block), 0) != sizeof(block) || fdatasync(fd) != 0)
			abort();
		took_us[i] = clock_mono_us() - before;
	}
	close(fd);
	unlink(path);
	qsort(took_us, 1000, sizeof(*took_us), compare_u64);
	printf("sync: 4 KiB overwrite and fdatasync, p50 %.2f ms, p99 %.2f ms\n", (double)took_us[500] / 1e3,
	    (double)took_us[990] / 1e3);
}

static int fail(const struct err *err)
{
	fprintf(stderr, "bench_center: %s\n", err->msg);
	return 1;
}

int main(int argc, char **argv)
{
	char made[] = "./bench-center-XXXXXX";
	const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	struct err err = ERR_INIT;
	struct random random;
	struct store *store;
	struct center *center;
	struct runner *r;
	random_init_system(&random);
	if (!folder || store_open(&(struct store_options){.folder = folder}, &store, &err) != ERR_OK ||
	    schema_open(store, tables, clock_wall_ms(), &random, &err) != ERR_OK)
		return fail(&err);
	sync_cost(folder);
	struct center_options c = {
	    .store = store, .random = &random, .handlers = {.apply = apply}, .sinks = {.reply = sink_reply}};
	if (center_new(&c, &center, &err) != ERR_OK ||
	    runner_start(&(struct runner_options){.center = center, .store = store}, &r, &err) != ERR_OK)
		return fail(&err);
	load(r, "low load, one every 5 ms", 1, 5000, seconds);
	load(r, "one under way", 1, 0, seconds);
	load(r, "16 under way", 16, 0, seconds);
	load(r, "256 under way", 256, 0, seconds);
	load(r, "4096 under way", 4096, 0, seconds);
	runner_stop(r);
	runner_free(r);
	center_free(center);
	struct store_stats stats;
	store_check(store, &stats);
	printf("store: %.1f MiB used after it\n", (double)stats.used_bytes / (1 << 20));
	store_close(store);
	return 0;
}
