/* A plan's digest: the same bytes for ever, and another one for every other plan. */
#include <string.h>

#include "shared/base/text.h"
#include "tests/lib/unit.h"
#include "tests/unit/shared/message/samples.h"

/* Packed by hand from the msgpack specification, not by our encoder. */
static const char golden_bytes[] =
    "8ca4706c616ec4100102030405067008800a0b0c0d0e0f01a8726f6c6c6261636bc4100102030405067008800a0b0c0d0e0f02a46b696e"
    "64a8726f6c6c6261636ba773657276696365a6706f7274616caa636f6d706f6e656e747392a6636f6e666967a4636f6465a5686f737473"
    "9283a4686f7374a57765622d31a47761766500a8736e617073686f74c4100102030405067008800a0b0c0d0e0f0383a4686f7374a57765"
    "622d32a47761766501a8736e617073686f74c4100102030405067008800a0b0c0d0e0f04ab70726f6772657373697665c3ab776176655f"
    "6761705f6d73cdea60ad6e6f745f6265666f72655f6d73cf000001a2069b07e3aa657870697265735f6d73cf000001a206d1f663a67265"
    "61736f6eab6c6f67696e206661696c73a6617574686f72a5616c696365";
static const char golden_digest[] = "2eaa345dae699e1bf5f8b5292adc6fb17317127104e8596fc3657cc678f3bab7";

static struct plan_host hosts[2];
static uint32_t components[2];
static struct plan plan;

static int setup(void **state)
{
	(void)state;
	hosts[0] = (struct plan_host){.host = "web-1", .wave = 0, .snapshot = SAMPLE_ID(3)};
	hosts[1] = (struct plan_host){.host = "web-2", .wave = 1, .snapshot = SAMPLE_ID(4)};
	components[0] = COMPONENT_CONFIG;
	components[1] = COMPONENT_CODE;
	plan = (struct plan){
	    .plan = SAMPLE_ID(1),
	    .rollback = SAMPLE_ID(2),
	    .kind = ORDER_ROLLBACK,
	    .service = "portal",
	    .components = {components, 2},
	    .hosts = {hosts, 2},
	    .progressive = true,
	    .wave_gap_ms = 60000,
	    .not_before_ms = SAMPLE_MS,
	    .expires_ms = SAMPLE_MS + 3600000,
	    .reason = "login fails",
	    .author = "alice",
	};
	return 0;
}

static void digest_hex(char out[65])
{
	struct digest d;
	struct err err = ERR_INIT;

	if (plan_digest(&plan, &d, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	text_hex(d.b, sizeof d.b, out);
}

static void golden(void **state)
{
	char hex[65];
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	(void)state;

	assert_int_equal(record_to_msgpack(&plan_type, &plan, &bytes, &err), ERR_OK);
	assert_int_equal(bytes.size, strlen(golden_bytes) / 2);
	uint8_t want[sizeof golden_bytes / 2];
	assert_int_equal(text_unhex(golden_bytes, want, bytes.size, &err), ERR_OK);
	assert_memory_equal(bytes.data, want, bytes.size);
	buf_done(&bytes);
	digest_hex(hex);
	assert_string_equal(hex, golden_digest);
}

/* Changes one field of a record to another legal value; false: a kind that this test does not know. */
static bool change(const struct field *f, void *record)
{
	char *at = (char *)record + f->offset;

	switch (f->kind) {
	case FIELD_ID:
		at[15] ^= 0x40;
		return true;
	case FIELD_BOOL:
		*(bool *)at = !*(bool *)at;
		return true;
	case FIELD_ENUM:
		*(uint32_t *)at = *(uint32_t *)at == ORDER_ROLLBACK ? ORDER_UNDO : ORDER_ROLLBACK;
		return true;
	case FIELD_STRING:
		*(const char **)at = "other";
		return true;
	case FIELD_U32:
		*(uint32_t *)at += 1;
		return true;
	case FIELD_TIME:
	case FIELD_DURATION:
		*(uint64_t *)at += 1;
		return true;
	case FIELD_DIGEST:
		((struct digest *)at)->b[0] ^= 1;
		return true;
	case FIELD_LIST:
		((struct list *)at)->count--;
		return true;
	default:
		return false;
	}
}

/* An action is named by a plan of its own kind. */
static void action_counts(void **state)
{
	char before[65], after[65];

	setup(state);
	plan.kind = ORDER_ACTION;
	plan.components.count = 0;
	plan.progressive = false;
	hosts[0].snapshot = hosts[1].snapshot = (struct id){{0}};
	plan.action = "restart";
	digest_hex(before);
	plan.action = "renew";
	digest_hex(after);
	assert_string_not_equal(before, after);
}

/* A field that is added to the type is covered here by itself, or this fails. */
static void every_field_counts(void **state)
{
	char before[65], after[65];

	setup(state);
	digest_hex(before);
	for (uint32_t i = 0; i < plan_type.field_count; i++) {
		setup(state);
		if (!strcmp(plan_type.fields[i].name, "action"))
			continue; /* action_counts() */
		if (!change(&plan_type.fields[i], &plan))
			fail_msg("%s: no way to change it", plan_type.fields[i].name);
		digest_hex(after);
		if (!strcmp(before, after))
			fail_msg("%s does not count", plan_type.fields[i].name);
	}
	for (uint32_t i = 0; i < plan_host_type.field_count; i++) {
		setup(state);
		if (!change(&plan_host_type.fields[i], i ? &hosts[1] : &hosts[0]))
			fail_msg("%s: no way to change it", plan_host_type.fields[i].name);
		digest_hex(after);
		if (!strcmp(before, after))
			fail_msg("hosts.%s does not count", plan_host_type.fields[i].name);
	}
	setup(state);
	components[1] = COMPONENT_DATA;
	digest_hex(after);
	assert_string_not_equal(before, after);
	components[0] = COMPONENT_DATA; /* order counts too: it is the ladder of a progressive one */
	components[1] = COMPONENT_CONFIG;
	digest_hex(before);
	assert_string_not_equal(before, after);
}

/* What arrives has the digest of what was sent. */
static void survives_the_wire(void **state)
{
	char before[65], after[65];
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	struct arena *arena = arena_new(0);
	(void)state;

	digest_hex(before);
	assert_int_equal(record_to_msgpack(&plan_type, &plan, &bytes, &err), ERR_OK);
	assert_int_equal(record_from_msgpack(&plan_type, bytes.data, bytes.size, arena, &plan, &err), ERR_OK);
	digest_hex(after);
	assert_string_equal(before, after);
	arena_free(arena);
	buf_done(&bytes);
}

static void broken_plans_have_none(void **state)
{
	struct digest d, untouched;
	struct err err = ERR_INIT;
	(void)state;

	memset(&untouched, 0x5a, sizeof untouched);
	d = untouched;
	plan.author = NULL;
	assert_int_equal(plan_digest(&plan, &d, &err), ERR_INVALID);
	assert_non_null(strstr(err.msg, "plan: "));
	assert_non_null(strstr(err.msg, "author"));
	assert_memory_equal(&d, &untouched, sizeof d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(golden, setup),
	    cmocka_unit_test_setup(every_field_counts, setup),
	    cmocka_unit_test_setup(action_counts, setup),
	    cmocka_unit_test_setup(survives_the_wire, setup),
	    cmocka_unit_test_setup(broken_plans_have_none, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
