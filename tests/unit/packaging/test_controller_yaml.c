/* The shipped controller.yaml is in order as it is, and stays so when its examples are taken into use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/config/config.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

static void read_shipped(struct buf *out)
{
	char path[PATH_LIMIT];
	const char *source = getenv("KEDGE_SOURCE_DIR");
	struct err err = ERR_INIT;
	assert_non_null(source);
	assert_true(text_format(path, sizeof path, "%s/packaging/controller.yaml", source));
	assert_int_equal(file_read(path, CONTROLLER_FILE_MAX, out, &err), ERR_OK);
}

static const struct controller_yaml *parsed(struct arena *arena, const struct buf *text)
{
	const struct controller_yaml *y = NULL;
	struct err err = ERR_INIT;
	if (controller_config_parse("controller.yaml", buf_str(text), text->size, arena, &y, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	return y;
}

static void test_as_shipped(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	struct workflow_config workflow;
	struct err err = ERR_INIT;
	read_shipped(&text);
	const struct controller_yaml *y = parsed(arena, &text);
	assert_string_equal(y->state_directory, "/var/lib/kedge-controller"); /* as the systemd unit has it */
	assert_int_equal(y->administrators.count, 1);
	assert_int_equal(controller_workflow(y, arena, &workflow, &err), ERR_OK);
}

/* Without their "#": lines with "#" and a word, and lines with "#" and two spaces right below such.  Prose ("# …")
 * stays. */
static void take_examples(const struct buf *text, struct buf *out)
{
	bool example = false;
	for (const char *line = buf_str(text), *end; *line; line = end) {
		end = strchr(line, '\n');
		end = end ? end + 1 : line + strlen(line);
		const char *hash = line + strspn(line, " ");
		bool word = *hash == '#' && !strchr(" \n", hash[1]), below = text_starts(hash, "#  ");
		example = word || (example && below);
		buf_append(out, line, (size_t)(hash - line));
		buf_append(out, hash + example, (size_t)(end - hash) - example);
	}
	assert_false(out->failed);
}

static void test_examples(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf text = BUF_INIT, all = BUF_INIT;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	read_shipped(&text);
	take_examples(&text, &all);
	const struct controller_yaml *y = parsed(arena, &all);
	assert_int_equal(y->administrator_keys.count, 1);
	assert_int_equal(y->notify.channels.count, 3);
	assert_int_equal(y->notify.levels.count, 2);
}

/* What the comments call the default is the default: with the examples or without them the limits are the same. */
static void test_examples_are_the_defaults(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf text = BUF_INIT, all = BUF_INIT;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	read_shipped(&text);
	take_examples(&text, &all);
	const struct controller_yaml *a = parsed(arena, &text), *b = parsed(arena, &all);
	assert_true(record_equal(&health_config_type, &a->health, &b->health));
	assert_true(record_equal(&incident_config_type, &a->incident, &b->incident));
	assert_int_equal(a->issuing->host_life_ms, b->issuing->host_life_ms);
	assert_int_equal(a->issuing->operator_life_ms, b->issuing->operator_life_ms);
	assert_int_equal(a->heartbeat_ms, b->heartbeat_ms);
	assert_int_equal(a->proof_ms, b->proof_ms);
	assert_int_equal(a->bake_ms, b->bake_ms);
	assert_true(a->bake_config_ms == 0 && b->bake_config_ms == b->bake_ms / 2); /* what none means */
	assert_int_equal(a->wave_gap_ms, b->wave_gap_ms);
	assert_int_equal(a->retry_ms, b->retry_ms);
	assert_int_equal(a->notify.hold_ms, b->notify.hold_ms);
	assert_int_equal(a->notify.rounds, b->notify.rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_as_shipped),
	    cmocka_unit_test(test_examples),
	    cmocka_unit_test(test_examples_are_the_defaults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
