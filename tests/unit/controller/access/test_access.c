#include "controller/access/access.h"
#include "shared/base/text.h"
#include "tests/lib/world.h"

static uint32_t roles_all[] = {ROLE_VIEWER, ROLE_RESPONDER, ROLE_APPROVER, ROLE_ADMIN};

static void operator_with(struct turn *t, const char *name, enum role role, bool disabled)
{
	struct operator o = {.name = name, .roles = {&roles_all[role], 1}, .disabled = disabled};
	ok(access_operator_put(t, &actor_controller, &o, ERR_HERE));
}

static bool allowed(struct turn *t, const char *name, const char *noun, const char *verb)
{
	bool yes;
	ok(access_allowed(t, name, noun, verb, &yes, ERR_HERE));
	return yes;
}

/* Every cell of the table, for every role: RULES S5, P53. */
static void test_p53_every_cell_of_the_table(void **state)
{
	(void)state;
	static const char *const names[ROLE_COUNT] = {"vera", "rob", "anna", "adam"};
	struct world w;
	world_open(&w);
	for (int r = 0; r < ROLE_COUNT; r++)
		operator_with(w.turn, names[r], (enum role)r, false);
	for (size_t i = 0; i < access_permission_count; i++) {
		const struct permission *p = &access_permissions[i];
		for (int r = 0; r < ROLE_COUNT; r++)
			assert_int_equal(
			    allowed(w.turn, names[r], p->noun, p->verb), p->anonymous || (p->roles >> r & 1));
		assert_int_equal(allowed(w.turn, NULL, p->noun, p->verb), p->anonymous);
		assert_int_equal(allowed(w.turn, "stranger", p->noun, p->verb), p->anonymous);
		for (size_t k = 0; k < i; k++) /* one cell, one line */
			assert_false(text_equal(p->noun, access_permissions[k].noun) &&
				     text_equal(p->verb, access_permissions[k].verb));
	}
	world_close(&w);
}

/* What must not be possible, said without the table. */
static void test_p53_roles_are_what_they_say(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	operator_with(w.turn, "vera", ROLE_VIEWER, false);
	operator_with(w.turn, "rob", ROLE_RESPONDER, false);
	operator_with(w.turn, "adam", ROLE_ADMIN, false);
	operator_with(w.turn, "anna", ROLE_APPROVER, false);
	assert_true(allowed(w.turn, "vera", "incident", "show"));
	assert_false(allowed(w.turn, "vera", "incident", "acknowledge"));
	assert_true(allowed(w.turn, "rob", "incident", "acknowledge"));
	assert_false(allowed(w.turn, "rob", "change", "approve"));
	assert_false(allowed(w.turn, "adam", "change", "approve")); /* an admin approves only as approver */
	assert_true(allowed(w.turn, "anna", "change", "approve"));
	assert_false(allowed(w.turn, "anna", "rollback", "start"));
	assert_false(allowed(w.turn, "rob", "ca", "token"));
	assert_true(allowed(w.turn, "rob", "controller", "halt")); /* R19: stopping needs one person */
	assert_false(allowed(w.turn, "rob", "controller", "resume"));
	assert_false(allowed(w.turn, "adam", "rollback", "no such verb"));
	assert_false(allowed(w.turn, "adam", "nothing", "show"));
	assert_false(allowed(w.turn, "adam", NULL, NULL));
	world_close(&w);
}

static void test_disabled_operator_may_nothing(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	operator_with(w.turn, "adam", ROLE_ADMIN, false);
	operator_with(w.turn, "rob", ROLE_RESPONDER, true);
	bool has;
	assert_false(allowed(w.turn, "rob", "status", "show"));
	ok(access_has_role(w.turn, "rob", ROLE_RESPONDER, &has, ERR_HERE));
	assert_false(has);
	world_close(&w);
}

static void test_last_admin_stays(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	operator_with(w.turn, "adam", ROLE_ADMIN, false);
	struct operator o = {.name = "adam", .roles = {&roles_all[ROLE_VIEWER], 1}};
	refused(ERR_DENIED, access_operator_put(w.turn, &actor_controller, &o, ERR_HERE));
	o.roles = (struct list){&roles_all[ROLE_ADMIN], 1};
	o.disabled = true;
	refused(ERR_DENIED, access_operator_put(w.turn, &actor_controller, &o, ERR_HERE));
	operator_with(w.turn, "eva", ROLE_ADMIN, false);
	ok(access_operator_put(w.turn, &actor_controller, &o, ERR_HERE));
	world_close(&w);
}

static void test_seed_does_not_undo_what_people_decided(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct operator seeds[] = {{.name = "adam", .roles = {&roles_all[ROLE_ADMIN], 1}},
	    {.name = "rob", .roles = {&roles_all[ROLE_RESPONDER], 1}}};
	struct list list = {seeds, 2};
	ok(access_operator_seed(w.turn, &list, ERR_HERE));
	operator_with(w.turn, "rob", ROLE_RESPONDER, true);
	struct turn *t = world_after(&w, 1000); /* a restart */
	ok(access_operator_seed(t, &list, ERR_HERE));
	assert_false(allowed(t, "rob", "status", "show"));
	assert_true(allowed(t, "adam", "operator", "put"));
	world_close(&w);
}

static void test_keys_are_single_lines(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	const char *two[] = {"ssh-ed25519 AAAA ada\nssh-ed25519 BBBB eve"};
	struct operator o = {.name = "ada", .keys = {two, 1}};
	refused(ERR_INVALID, access_operator_put(w.turn, &actor_controller, &o, ERR_HERE));
	world_close(&w);
}

/* ---- certificates ---- */

static void issue(struct world *w, const char *serial, enum certificate_role role, const char *name, uint64_t life_ms)
{
	struct issued_certificate c = {
	    .serial = serial, .role = role, .name = name, .issued_ms = w->now_ms, .not_after_ms = w->now_ms + life_ms};
	ok(access_certificate_issued(w->turn, &actor_controller, &c, ERR_HERE));
}

static void test_revocation_reaches_the_edges_and_ends_with_the_certificate(void **state)
{
	(void)state;
	struct world w;
	struct list serials;
	bool revoked;
	world_open(&w);
	struct actor ada = actor_operator("ada", "127.0.0.1:1");
	issue(&w, "01", CERTIFICATE_HOST, "web-1", 10000);
	issue(&w, "02", CERTIFICATE_HOST, "web-2", 10000);
	struct turn *t = world_after(&w, 1);
	const struct issued_certificate first = {.serial = "01"}, slip = {.serial = "9"}, loud = {.serial = "9A"};
	ok(access_certificate_revoke(t, &ada, &first, "stolen", ERR_HERE));
	assert_int_equal(world_effect_count(&w, EFFECT_REVOCATIONS), 1);
	ok(access_certificate_revoke(t, &ada, &first, "again", ERR_HERE));
	assert_int_equal(world_effect_count(&w, EFFECT_REVOCATIONS), 1);
	refused(ERR_INVALID, access_certificate_revoke(t, &ada, &slip, "?", ERR_HERE));
	refused(ERR_INVALID, access_certificate_revoke(t, &ada, &loud, "?", ERR_HERE));
	ok(access_revoked(t, &serials, ERR_HERE));
	assert_int_equal(serials.count, 1);
	assert_string_equal(LIST_AT(serials, const char *, 0), "01");
	ok(access_is_revoked(t, "01", &revoked, ERR_HERE));
	assert_true(revoked);
	ok(access_is_revoked(t, "02", &revoked, ERR_HERE));
	assert_false(revoked);
	t = world_after(&w, 20000);
	ok(access_revoked(t, &serials, ERR_HERE));
	assert_int_equal(serials.count, 0);
	struct issued_certificate twice = {.serial = "01", .name = "web-9", .not_after_ms = 1};
	refused(ERR_EXISTS, access_certificate_issued(t, &ada, &twice, ERR_HERE));
	world_close(&w);
}

static void test_revoking_a_name_takes_only_its_living_certificates(void **state)
{
	(void)state;
	struct world w;
	size_t count;
	world_open(&w);
	issue(&w, "01", CERTIFICATE_HOST, "web-1", 10);
	issue(&w, "02", CERTIFICATE_HOST, "web-1", 10000);
	issue(&w, "03", CERTIFICATE_HOST, "web-1", 20000);
	issue(&w, "04", CERTIFICATE_OPERATOR, "web-1", 20000);
	issue(&w, "05", CERTIFICATE_HOST, "web-10", 20000);
	struct turn *t = world_after(&w, 100);
	ok(access_revoke_name(t, &actor_controller, CERTIFICATE_HOST, "web-1", "gone", &count, ERR_HERE));
	assert_int_equal(count, 2);
	struct list serials;
	ok(access_revoked(t, &serials, ERR_HERE));
	assert_int_equal(serials.count, 2);
	assert_string_equal(LIST_AT(serials, const char *, 0), "02");
	assert_string_equal(LIST_AT(serials, const char *, 1), "03");
	ok(access_revoke_name(t, &actor_controller, CERTIFICATE_HOST, "web-1", "gone", &count, ERR_HERE));
	assert_int_equal(count, 0);
	world_close(&w);
}

/* ---- enrolment ---- */

static enum enrolment_result redeem(
    struct turn *t, struct id id, const uint8_t *secret, enum certificate_role role, const char *name)
{
	enum enrolment_result r;
	ok(access_enrolment_redeem(t, id, secret, ACCESS_SECRET_BYTES, role, name, "10.0.0.9:1", &r, ERR_HERE));
	return r;
}

static void test_token_is_good_once_for_one_name(void **state)
{
	(void)state;
	struct world w;
	struct enrolment e;
	uint8_t secret[ACCESS_SECRET_BYTES], wrong[ACCESS_SECRET_BYTES];
	world_open(&w);
	ok(access_enrolment_create(w.turn, &actor_controller, CERTIFICATE_HOST, "web-1", 60000, &e, secret, ERR_HERE));
	memcpy(wrong, secret, sizeof(wrong));
	wrong[31] ^= 1;
	struct id id = e.enrolment, other = e.enrolment;
	other.b[15] ^= 1;
	struct turn *t = world_after(&w, 1000);
	assert_int_equal(redeem(t, other, secret, CERTIFICATE_HOST, "web-1"), ENROLMENT_UNKNOWN);
	assert_int_equal(redeem(t, (struct id){{0}}, secret, CERTIFICATE_HOST, "web-1"), ENROLMENT_UNKNOWN);
	assert_int_equal(redeem(t, id, wrong, CERTIFICATE_HOST, "web-1"), ENROLMENT_WRONG_SECRET);
	assert_int_equal(redeem(t, id, secret, CERTIFICATE_HOST, "web-2"), ENROLMENT_WRONG_NAME);
	assert_int_equal(redeem(t, id, secret, CERTIFICATE_OPERATOR, "web-1"), ENROLMENT_WRONG_NAME);
	assert_int_equal(redeem(t, id, secret, CERTIFICATE_HOST, "web-1"), ENROLMENT_OK);
	assert_int_equal(redeem(t, id, secret, CERTIFICATE_HOST, "web-1"), ENROLMENT_USED);
	t = world_after(&w, 1000);
	assert_int_equal(redeem(t, id, secret, CERTIFICATE_HOST, "web-1"), ENROLMENT_USED);
	struct audit_head head;
	ok(audit_head(t, &head, ERR_HERE));
	assert_int_equal(head.size, 9); /* every try is on the trail */
	world_close(&w);
}

static void test_token_expires(void **state)
{
	(void)state;
	struct world w;
	struct enrolment e;
	uint8_t secret[ACCESS_SECRET_BYTES];
	world_open(&w);
	ok(access_enrolment_create(w.turn, &actor_controller, CERTIFICATE_HOST, "web-1", 60000, &e, secret, ERR_HERE));
	struct id id = e.enrolment;
	refused(ERR_INVALID,
	    access_enrolment_create(w.turn, &actor_controller, CERTIFICATE_HOST, "x", 0, &e, secret, ERR_HERE));
	refused(ERR_INVALID, access_enrolment_create(w.turn, &actor_controller, CERTIFICATE_HOST, "x",
				 (uint64_t)ACCESS_ENROLMENT_MAX_MS + 1, &e, secret, ERR_HERE));
	assert_int_equal(redeem(world_after(&w, 60000), id, secret, CERTIFICATE_HOST, "web-1"), ENROLMENT_EXPIRED);
	world_close(&w);
}

/* The store holds no secret that could be redeemed. */
static void test_store_holds_only_the_digest(void **state)
{
	(void)state;
	struct world w;
	struct enrolment e;
	uint8_t secret[ACCESS_SECRET_BYTES];
	world_open(&w);
	ok(access_enrolment_create(w.turn, &actor_controller, CERTIFICATE_HOST, "web-1", 60000, &e, secret, ERR_HERE));
	ok(batch_end(w.batch, w.turn, true, ERR_HERE));
	const struct turn_write *writes;
	size_t count;
	ok(batch_writes(w.batch, &writes, &count, ERR_HERE));
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++)
		assert_null(memmem(writes[i].value.data, writes[i].value.size, secret, sizeof(secret)));
	ok(batch_begin(w.batch, &w.turn, ERR_HERE));
	world_close(&w);
}

static void test_what_is_kept_about_people_and_papers(void **state)
{
	(void)state;
	struct world w;
	struct operator o;
	bool found, has;
	uint32_t two[] = {ROLE_RESPONDER, ROLE_APPROVER};
	world_open(&w);
	struct operator rob = {.name = "rob", .roles = {two, 2}};
	ok(access_operator_put(
	    w.turn, &actor_controller, &rob, ERR_HERE)); /* no admin at all yet: nothing stands in the way */
	uint64_t begin = w.now_ms;
	struct turn *t = world_after(&w, 5000);
	rob.disabled = false;
	ok(access_operator_put(t, &actor_controller, &rob, ERR_HERE));
	ok(access_operator_get(t, "rob", &o, &found, ERR_HERE));
	assert_int_equal(o.created_ms, begin);
	assert_int_equal(o.changed_ms, begin + 5000);
	ok(access_has_role(t, "rob", ROLE_APPROVER, &has, ERR_HERE));
	assert_true(has);
	ok(access_has_role(t, "rob", ROLE_RESPONDER, &has, ERR_HERE));
	assert_true(has);
	ok(access_has_role(t, "rob", ROLE_ADMIN, &has, ERR_HERE));
	assert_false(has);
	issue(&w, "01", CERTIFICATE_HOST, "web-1", 10000);
	struct issued_certificate c = {.serial = "01"};
	ok(access_certificate_revoke(t, &actor_controller, &c, "stolen", ERR_HERE));
	ok(turn_get(t, &certificate_table, &c, &c, &found, ERR_HERE));
	assert_string_equal(c.reason, "stolen");
	assert_string_equal(c.revoked_by, "controller");
	struct list serials;
	t = world_after(&w, 10000); /* it has just expired: no edge takes it any more */
	ok(access_revoked(t, &serials, ERR_HERE));
	assert_int_equal(serials.count, 0);
	world_close(&w);
}

static void test_redeeming_is_on_the_trail_with_where_from(void **state)
{
	(void)state;
	struct world w;
	struct enrolment e;
	uint8_t secret[ACCESS_SECRET_BYTES];
	bool found;
	world_open(&w);
	ok(access_enrolment_create(
	    w.turn, &actor_controller, CERTIFICATE_HOST, "web-1", ACCESS_ENROLMENT_MAX_MS, &e, secret, ERR_HERE));
	redeem(w.turn, e.enrolment, secret, CERTIFICATE_HOST, "web-2");
	redeem(w.turn, e.enrolment, secret, CERTIFICATE_HOST, "web-1");
	for (uint64_t n = 2; n <= 3; n++) {
		struct audit_entry entry = {.sequence = n};
		ok(turn_get(w.turn, &audit_table, &entry, &entry, &found, ERR_HERE));
		assert_string_equal(entry.action, "enrolment.redeem");
		assert_int_equal(entry.outcome, n == 2 ? AUDIT_REFUSED : AUDIT_DONE);
		assert_string_equal(entry.address, "10.0.0.9:1");
	}
	ok(turn_get(w.turn, &enrolment_table, &e, &e, &found, ERR_HERE));
	assert_string_equal(e.used_from, "10.0.0.9:1");
	world_close(&w);
}

/* Made offline, or by a controller whose store is lost. */
static void test_a_certificate_of_elsewhere_is_revoked_too(void **state)
{
	(void)state;
	struct world w;
	struct list serials;
	bool revoked;
	world_open(&w);
	struct actor ada = actor_operator("ada", "127.0.0.1:1");
	const struct issued_certificate bare = {.serial = "aa01"};
	struct issued_certificate told = {.serial = "aa02",
	    .role = CERTIFICATE_CONTROLLER,
	    .name = "main",
	    .not_after_ms = turn_now_ms(w.turn) + 5000};
	ok(access_certificate_revoke(w.turn, &ada, &bare, "found on a stick", ERR_HERE));
	ok(access_certificate_revoke(w.turn, &ada, &told, "stolen", ERR_HERE));
	assert_int_equal(world_effect_count(&w, EFFECT_REVOCATIONS), 2);
	ok(access_revoked(w.turn, &serials, ERR_HERE));
	assert_int_equal(serials.count, 2);
	ok(access_is_revoked(w.turn, "aa01", &revoked, ERR_HERE));
	assert_true(revoked);
	struct turn *t = world_after(&w, 6000);
	ok(access_revoked(t, &serials, ERR_HERE)); /* the end of the one is known, of the other not */
	assert_int_equal(serials.count, 1);
	assert_string_equal(LIST_AT(serials, const char *, 0), "aa01");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_p53_every_cell_of_the_table),
	    cmocka_unit_test(test_p53_roles_are_what_they_say),
	    cmocka_unit_test(test_disabled_operator_may_nothing),
	    cmocka_unit_test(test_last_admin_stays),
	    cmocka_unit_test(test_seed_does_not_undo_what_people_decided),
	    cmocka_unit_test(test_keys_are_single_lines),
	    cmocka_unit_test(test_revocation_reaches_the_edges_and_ends_with_the_certificate),
	    cmocka_unit_test(test_a_certificate_of_elsewhere_is_revoked_too),
	    cmocka_unit_test(test_revoking_a_name_takes_only_its_living_certificates),
	    cmocka_unit_test(test_token_is_good_once_for_one_name),
	    cmocka_unit_test(test_token_expires),
	    cmocka_unit_test(test_store_holds_only_the_digest),
	    cmocka_unit_test(test_what_is_kept_about_people_and_papers),
	    cmocka_unit_test(test_redeeming_is_on_the_trail_with_where_from),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
