/* R11: what counts as the controller heard from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "agent/worker/confirm.h"
#include "shared/base/clock.h"

struct scene {
	_Atomic uint64_t heard_ms;
	unsigned asked;
	uint64_t asked_ms;
	bool answers;
};

static void ask(void *ctx)
{
	struct scene *s = ctx;
	s->asked++;
	s->asked_ms = clock_mono_ms();
	if (s->answers)
		atomic_store(&s->heard_ms, s->asked_ms);
}

static bool confirm(struct scene *s, char text[TEXT_LINE_MAX])
{
	struct work_confirm c = {.heard_ms = &s->heard_ms,
	    .settle_ms = 60,
	    .in_place_ms = clock_mono_ms(),
	    .within_ms = 300,
	    .least_ms = 100,
	    .ctx = s,
	    .ask = ask};
	return work_confirm(&c, text);
}

static void an_answer_counts(void **state)
{
	(void)state;
	struct scene s = {.answers = true};
	char text[TEXT_LINE_MAX] = "";
	uint64_t began_ms = clock_mono_ms();
	assert_true(confirm(&s, text));
	assert_int_equal(s.asked, 1);
	assert_true(s.asked_ms - began_ms >= 60); /* not before what was done has had its moment */
}

static void silence_does_not(void **state)
{
	(void)state;
	struct scene s = {0};
	char text[TEXT_LINE_MAX] = "";
	uint64_t began_ms = clock_mono_ms();
	assert_false(confirm(&s, text));
	assert_true(clock_mono_ms() - began_ms >= 300);
	assert_int_equal(s.asked, 1);
	assert_non_null(strstr(text, "was not heard from"));
}

/* What came before that moment was on its way already. */
static void nor_what_was_under_way(void **state)
{
	(void)state;
	struct scene s = {0};
	char text[TEXT_LINE_MAX] = "";
	atomic_store(&s.heard_ms, clock_mono_ms() + 20);
	assert_false(confirm(&s, text));
}

static void nobody_who_knows_is_silence(void **state)
{
	(void)state;
	struct scene s = {.answers = true};
	char text[TEXT_LINE_MAX] = "";
	struct work_confirm c = {
	    .settle_ms = 10, .in_place_ms = clock_mono_ms(), .within_ms = 60, .ctx = &s, .ask = ask};
	assert_false(work_confirm(&c, text));
}

/* What starting and probing took is gone of it, but for a last moment. */
static void its_time_counts_from_the_change(void **state)
{
	(void)state;
	struct work_confirm c = {.settle_ms = 2000, .in_place_ms = 1000000, .within_ms = 90000, .least_ms = 3000};
	assert_int_equal(work_confirm_until(&c, 1000000), 1090000);
	assert_int_equal(work_confirm_until(&c, 1060000), 1090000); /* a minute of probes */
	assert_int_equal(work_confirm_until(&c, 1089000), 1092000);
	assert_int_equal(work_confirm_until(&c, 1200000), 1203000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_counts),
	    cmocka_unit_test(silence_does_not),
	    cmocka_unit_test(nor_what_was_under_way),
	    cmocka_unit_test(nobody_who_knows_is_silence),
	    cmocka_unit_test(its_time_counts_from_the_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
