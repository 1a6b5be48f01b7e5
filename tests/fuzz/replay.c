/* tests/fuzz/replay.c: runs a fuzz target where there is no libFuzzer.
 *
 *   fuzz_NAME [folder [mutations]]
 *
 * First the empty input and every file of the folder (if it exists), then mutations of them from a fixed seed:
 * MUTATIONS unless given, but no longer than RUN_MS.  The same program and folder see the same inputs in the same
 * order.  The input that ends the program is written to ./crash-input. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "tests/fuzz/fuzz.h"

enum {
	MUTATIONS = 20000,
	RUN_MS = 3000, /* of mutating: a ctest run has dozens of targets */
	SEED_FILES_MAX = 4096,
	SEED_SIZE_MAX = 1 << 20, /* the largest message */
	INPUT_MAX = 1 << 17,     /* mutations larger than this find nothing that smaller ones do not */
	OPS_MAX = 6,
	TIME_MAX_S = 20, /* for one input, sanitizers and all */
};

static struct buf seeds[SEED_FILES_MAX];
static size_t seed_count;

static const uint8_t *volatile current;
static volatile size_t current_size;

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/* Reports end in SIGABRT, so that the input is kept for them as well. */
const char *__asan_default_options(void)
{
	return "abort_on_error=1:handle_abort=0:handle_segv=1";
}

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

/* Async-signal-safe calls only. */
static void keep_input(int signal_number)
{
	static const char crashed[] = "the input that did it is in ./crash-input\n";
	static const char hung[] = "no end in sight; the input is in ./crash-input\n";
	int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n = write(fd, current, current_size);
	if (signal_number == SIGALRM)
		n = write(2, hung, sizeof(hung) - 1);
	else
		n = write(2, crashed, sizeof(crashed) - 1);
	(void)n;
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void run(const void *data, size_t size)
{
	/* An allocation of its own, without a byte to spare. */
	CLEANUP(cleanup_free) uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	current = copy;
	current_size = size;
	alarm(TIME_MAX_S);
	if (LLVMFuzzerTestOneInput(copy, size) != 0)
		abort();
	alarm(0);
}

static int by_content(const void *a, const void *b)
{
	const struct buf *x = a, *y = b;
	int order = memcmp(buf_str(x), buf_str(y), x->size < y->size ? x->size : y->size);
	return order ? order : (x->size > y->size) - (x->size < y->size);
}

static void read_seeds(const char *folder)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	if (!dir)
		return;
	for (struct dirent *e; seed_count < SEED_FILES_MAX && (e = readdir(dir));) {
		char path[4096];
		if (e->d_name[0] == '.' || !text_format(path, sizeof(path), "%s/%s", folder, e->d_name))
			continue;
		struct err err;
		if (file_read(path, SEED_SIZE_MAX, &seeds[seed_count], &err) == ERR_OK) {
			seed_count++;
			continue;
		}
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	/* readdir's order differs from machine to machine. */
	qsort(seeds, seed_count, sizeof(seeds[0]), by_content);
}

static size_t below(struct random *r, size_t bound)
{
	return (size_t)random_below(r, bound);
}

/* Put n bytes at position at. */
static void insert(struct buf *b, size_t at, const uint8_t *data, size_t n)
{
	if (b->size + n > INPUT_MAX || !buf_reserve(b, n))
		return;
	memmove(b->data + at + n, b->data + at, b->size - at);
	memcpy(b->data + at, data, n);
	b->size += n;
}

static void cut(struct buf *b, size_t at, size_t n)
{
	memmove(b->data + at, b->data + at + n, b->size - at - n);
	b->size -= n;
}

static void insert_random(struct random *r, struct buf *b)
{
	uint8_t bytes[16];
	size_t n = 1 + below(r, sizeof(bytes));
	random_fill(r, bytes, n);
	insert(b, below(r, b->size + 1), bytes, n);
}

static void duplicate(struct random *r, struct buf *b)
{
	size_t from = below(r, b->size), n = 1 + below(r, b->size - from);
	uint8_t *piece = malloc(n);
	if (!piece)
		abort();
	memcpy(piece, b->data + from, n);
	size_t times = 1 + below(r, 8), at = below(r, b->size + 1);
	for (size_t i = 0; i < times; i++)
		insert(b, at, piece, n);
	free(piece);
}

/* The end of another seed in place of one's own. */
static void cross(struct random *r, struct buf *b)
{
	const struct buf *other = &seeds[below(r, seed_count)];
	size_t from = below(r, other->size + 1), n = other->size - from;
	b->size = below(r, b->size + 1);
	if (n > 0 && b->size + n <= INPUT_MAX)
		buf_append(b, other->data + from, n);
}

static void mutate_once(struct random *r, struct buf *b)
{
	static const uint8_t odd[] = {
	    0, 1, 0x20, 0x7f, 0x80, 0xc0, 0xc1, 0xdc, 0xdf, 0xff, '"', '\\', '\n', '-', '9', '/'};
	if (b->size == 0) {
		insert_random(r, b);
		return;
	}
	size_t at = below(r, b->size);
	switch (below(r, 8)) {
	case 0:
		b->data[at] ^= (uint8_t)(1 << below(r, 8));
		break;
	case 1:
		b->data[at] = odd[below(r, sizeof(odd))];
		break;
	case 2:
		b->data[at] = (uint8_t)(b->data[at] + below(r, 7) - 3);
		break;
	case 3:
		b->size = at;
		break;
	case 4:
		cut(b, at, 1 + below(r, b->size - at));
		break;
	case 5:
		duplicate(r, b);
		break;
	case 6:
		insert_random(r, b);
		break;
	default:
		cross(r, b);
	}
}

static size_t run_mutations(size_t most)
{
	struct random r;
	random_init_seed(&r, 0x6b65646765);
	CLEANUP(buf_done) struct buf input = BUF_INIT;
	uint64_t end_ms = clock_mono_ms() + RUN_MS;
	size_t done = 0;
	for (; done < most && clock_mono_ms() < end_ms; done++) {
		const struct buf *seed = &seeds[below(&r, seed_count)];
		buf_clear(&input);
		buf_append(&input, seed->data, seed->size < INPUT_MAX ? seed->size : INPUT_MAX);
		for (size_t ops = 1 + below(&r, OPS_MAX); ops > 0; ops--)
			mutate_once(&r, &input);
		run(input.data, input.size);
	}
	return done;
}

int main(int argc, char **argv)
{
	uint64_t most = MUTATIONS;
	if (argc > 3 || (argc > 2 && text_u64(argv[2], &most, NULL) != ERR_OK)) {
		fprintf(stderr, "usage: %s [folder [mutations]]\n", argv[0]);
		return 2;
	}
	signal(SIGABRT, keep_input);
	signal(SIGALRM, keep_input);
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		read_seeds(argv[1]);
	run(NULL, 0);
	for (size_t i = 0; i < seed_count; i++)
		run(seeds[i].data, seeds[i].size);
	size_t files = seed_count;
	if (seed_count == 0)
		seed_count = 1; /* the empty one, to mutate */
	size_t done = run_mutations((size_t)most);
	printf("%zu files, %zu mutations\n", files, done);
	for (size_t i = 0; i < seed_count; i++)
		buf_done(&seeds[i]);
	return 0;
}
