/* Large files of data: only what differs of them is written, in place, and only while nobody else has them open. */
#include "tests/unit/agent/rollback/service.h"

enum { PAGES = 600, PAGE = 4096 };

static const char *const data_yaml = "    components:\n      data: { paths: [DIR/data] }\n";

static void write_page(const char *path, unsigned page, unsigned generation)
{
	uint8_t bytes[PAGE];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	for (size_t k = 0; k < PAGE; k++)
		bytes[k] = (uint8_t)((page * 31 + k * (k >> 3) + generation) ^ (k >> 5));
	assert_int_equal(pwrite(fd, bytes, PAGE, (off_t)page * PAGE), PAGE);
	assert_int_equal(close(fd), 0);
}

struct large {
	struct world w;
	char path[WORLD_PATH];
	struct id point;
	uint64_t was;
};

static uint64_t print_of(const struct large *l)
{
	char path[WORLD_PATH];
	return tree_fingerprint(world_path(&l->w, "data", path));
}

static void begin(struct large *l)
{
	world_init(&l->w);
	world_configure(&l->w, data_yaml);
	world_folder(&l->w, "data");
	world_path(&l->w, "data/large.db", l->path);
	for (unsigned i = 0; i < PAGES; i++)
		write_page(l->path, i, 0);
	l->point = world_snapshot(&l->w);
	l->was = print_of(l);
}

static ino_t inode_of(const struct large *l)
{
	struct stat st;
	assert_int_equal(stat(l->path, &st), 0);
	return st.st_ino;
}

static void settle(void)
{
	const struct timespec tick = {
	    0, 60 * 1000000}; /* what was written within a tick of the kernel's clock is not trusted */
	nanosleep(&tick, NULL);
}

static void roll_back(struct large *l)
{
	struct levers levers = {.w = &l->w};
	struct rollback_io io = levers_io(&levers);
	struct rollback_request r = service_request(&l->w, l->point);
	struct rollback_result done;
	settle();
	MUST(rollback_run(l->w.repo, l->w.state, &r, &io, l->w.arena, &done, err));
	if (done.outcome != ORDER_OK)
		fail_msg("it ended %s: %s", enum_name(&order_outcome_enum, done.outcome), done.text);
	assert_true(print_of(l) == l->was);
	assert_int_equal(world_leftovers(l->w.dir), 0);
}

static void only_what_differs(void **state)
{
	(void)state;
	struct large l;
	begin(&l);
	for (unsigned shape = 0; shape < 3; shape++) {
		ino_t before = inode_of(&l);
		write_page(l.path, 5, 1);
		write_page(l.path, 6, 1);
		write_page(l.path, PAGES - 1, 1);
		if (shape == 1)
			write_page(l.path, PAGES, 1); /* longer now */
		if (shape == 2)
			assert_int_equal(truncate(l.path, (off_t)(PAGES - 10) * PAGE + 17), 0);
		roll_back(&l);
		assert_true(inode_of(&l) == before);
	}
	world_done(&l.w);
}

/* Most of it differs: it is not written twice. */
static void most_of_it(void **state)
{
	(void)state;
	struct large l;
	begin(&l);
	ino_t before = inode_of(&l);
	for (unsigned i = 0; i < PAGES; i++)
		write_page(l.path, i, 9);
	roll_back(&l);
	assert_true(inode_of(&l) != before);
	world_done(&l.w);
}

/* Whoever reads it goes on reading what it was. */
static void somebody_reads_it(void **state)
{
	(void)state;
	struct large l;
	uint8_t before[PAGE], after[PAGE];
	begin(&l);
	write_page(l.path, 7, 1);
	int fd = open(l.path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, before, PAGE, 7 * PAGE), PAGE);
	ino_t inode = inode_of(&l);
	roll_back(&l);
	assert_true(inode_of(&l) != inode);
	assert_int_equal(pread(fd, after, PAGE, 7 * PAGE), PAGE);
	assert_memory_equal(before, after, PAGE);
	assert_int_equal(close(fd), 0);
	world_done(&l.w);
}

/* Another name of it, outside of what is rolled back, keeps what it holds. */
static void another_name_outside(void **state)
{
	(void)state;
	struct large l;
	char other[WORLD_PATH];
	struct stat x, y;
	begin(&l);
	write_page(l.path, 7, 1);
	assert_int_equal(link(l.path, world_path(&l.w, "other-name", other)), 0);
	roll_back(&l);
	assert_int_equal(stat(other, &x), 0);
	assert_int_equal(stat(l.path, &y), 0);
	assert_true(x.st_ino != y.st_ino);
	uint8_t page[PAGE], want = (uint8_t)((7 * 31 + 1) ^ 0);
	int fd = open(other, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, page, PAGE, 7 * PAGE), PAGE);
	assert_int_equal(page[0], want);
	assert_int_equal(close(fd), 0);
	world_done(&l.w);
}

/* It changes after it was saved and before it is written: what it became is saved too. */
static void change_late(struct world *w, const struct order_step *s)
{
	static bool once;
	char path[WORLD_PATH];
	if (s->kind == STEP_SAFETY && !once && (once = true))
		write_page(world_path(w, "data/large.db", path), 300, 77);
}

static void it_changes_meanwhile(void **state)
{
	(void)state;
	struct large l;
	begin(&l);
	write_page(l.path, 7, 1);
	settle();
	struct levers levers = {.w = &l.w, .on_step = change_late};
	struct rollback_io io = levers_io(&levers);
	struct rollback_request r = service_request(&l.w, l.point);
	struct rollback_result done;
	MUST(rollback_run(l.w.repo, l.w.state, &r, &io, l.w.arena, &done, err));
	assert_true(done.outcome == ORDER_OK);
	assert_true(print_of(&l) == l.was);
	struct levers quiet = {.w = &l.w};
	io = levers_io(&quiet);
	struct rollback_request back = service_request(&l.w, done.safety_snapshot);
	MUST(rollback_run(l.w.repo, l.w.state, &back, &io, l.w.arena, &done, err));
	assert_true(done.outcome == ORDER_OK);
	uint8_t page[PAGE], want = (uint8_t)((300 * 31 + 77) ^ 0);
	int fd = open(l.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, page, PAGE, 300 * PAGE), PAGE);
	assert_int_equal(page[0], want);
	assert_int_equal(close(fd), 0);
	world_done(&l.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_differs),
	    cmocka_unit_test(most_of_it),
	    cmocka_unit_test(somebody_reads_it),
	    cmocka_unit_test(another_name_outside),
	    cmocka_unit_test(it_changes_meanwhile),
	};
	if (!tree_can_compare())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
