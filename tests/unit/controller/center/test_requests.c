/* Every verb of operators: fields that are missing, unknown or too many, permission, and what each does. */
#include "tests/lib/chain_world.h"

/* A value of the field's shape, as JSON. */
static const char *sample(const struct field *f)
{
	switch (f->kind) {
	case FIELD_STRING:
		return "\"x\"";
	case FIELD_BYTES:
		return "\"eA==\"";
	case FIELD_U32:
		return "1";
	case FIELD_BOOL:
		return "true";
	case FIELD_TIME:
		return "\"2033-01-01T00:00:00Z\"";
	case FIELD_DURATION:
		return "60000";
	case FIELD_ENUM:
		return f->enum_type == &severity_enum ? "\"high\"" : "\"operator\"";
	case FIELD_ID:
		return "\"boot-01jdaaaaaaaaaaaaaaaaaaaaaa\"";
	case FIELD_LIST:
		return f->elem_kind == FIELD_ENUM ? (f->enum_type == &component_enum ? "[\"config\"]" : "[\"viewer\"]")
						  : "[\"x\"]";
	default:
		fail_msg("no sample of %s", f->name);
		return NULL;
	}
}

/* How the field is called in JSON. */
static void json_name(const struct field *f, char out[64])
{
	size_t n = strlen(f->name);
	snprintf(out, 64, "%.*s", (int)(f->kind == FIELD_TIME ? n - 3 : n), f->name);
}

static bool word_in(const char *fields, const char *name, bool *ret_needed)
{
	char all[600], *save = NULL;
	snprintf(all, sizeof(all), "%s", fields);
	for (char *word = strtok_r(all, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t n = strlen(word);
		*ret_needed = n && word[n - 1] == '!';
		if (*ret_needed)
			word[n - 1] = '\0';
		if (strcmp(word, name) == 0)
			return true;
	}
	*ret_needed = false;
	return false;
}

/* A body with every field that the verb takes, but for `without`, and with `extra`. */
static const char *body_of(const struct request_verb *v, const struct field *without, const struct field *extra)
{
	static char out[8192];
	size_t at = (size_t)snprintf(out, sizeof(out), "{");
	for (uint32_t i = 0; i < request_args_type.field_count; i++) {
		const struct field *f = &request_args_type.fields[i];
		char name[64];
		bool needed, takes = word_in(v->fields, f->name, &needed);
		if (f == without || !(takes || f == extra))
			continue;
		json_name(f, name);
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s\"%s\":%s", at > 1 ? "," : "", name, sample(f));
	}
	snprintf(out + at, sizeof(out) - at, "}");
	return out;
}

static const struct request_verb *verbs(size_t *n)
{
	return request_verbs(n);
}

static void test_every_verb_names_fields_that_exist(void **state)
{
	(void)state;
	size_t n;
	const struct request_verb *v = verbs(&n);
	for (size_t i = 0; i < n; i++) {
		char all[600], *save = NULL;
		snprintf(all, sizeof(all), "%s", v[i].fields);
		for (char *word = strtok_r(all, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
			if (word[strlen(word) - 1] == '!')
				word[strlen(word) - 1] = '\0';
			if (!record_field(&request_args_type, word))
				fail_msg("%s %s takes %s, which no request has", v[i].noun, v[i].verb, word);
		}
		for (size_t k = 0; k < i; k++)
			assert_false(strcmp(v[i].noun, v[k].noun) == 0 && strcmp(v[i].verb, v[k].verb) == 0);
	}
}

static void test_every_verb_has_its_permission_and_every_permission_to_act_its_verb(void **state)
{
	(void)state;
	size_t n;
	const struct request_verb *v = verbs(&n);
	for (size_t i = 0; i < n; i++) {
		size_t hits = 0;
		for (size_t k = 0; k < access_permission_count; k++)
			hits += strcmp(access_permissions[k].noun, v[i].noun) == 0 &&
				strcmp(access_permissions[k].verb, v[i].verb) == 0;
		if (hits != 1)
			fail_msg("%s %s stands %zu times in the table of permissions", v[i].noun, v[i].verb, hits);
	}
}

static void test_every_needed_field_is_missed(void **state)
{
	(void)state;
	struct chain w;
	size_t n;
	const struct request_verb *v = verbs(&n);
	chain_open(&w);
	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < request_args_type.field_count; k++) {
			const struct field *f = &request_args_type.fields[k];
			bool needed;
			if (!word_in(v[i].fields, f->name, &needed) || !needed)
				continue;
			const char *who = strcmp(v[i].noun, "change") == 0 ? "bo" : "ada";
			enum err_code rc = control_request(&w.c, who, v[i].noun, v[i].verb, body_of(&v[i], f, NULL));
			if (rc != ERR_INVALID || !strstr(buf_str(&w.c.reply_text), f->name))
				fail_msg("%s %s without %s: %s: %s", v[i].noun, v[i].verb, f->name, err_code_name(rc),
				    buf_str(&w.c.reply_text));
		}
	chain_close(&w);
}

static void test_every_field_that_is_not_its_own_is_refused(void **state)
{
	(void)state;
	struct chain w;
	size_t n;
	const struct request_verb *v = verbs(&n);
	chain_open(&w);
	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < request_args_type.field_count; k++) {
			const struct field *f = &request_args_type.fields[k];
			bool needed;
			if (word_in(v[i].fields, f->name, &needed))
				continue;
			const char *who = strcmp(v[i].noun, "change") == 0 ? "bo" : "ada";
			enum err_code rc = control_request(&w.c, who, v[i].noun, v[i].verb, body_of(&v[i], NULL, f));
			if (rc != ERR_INVALID || !strstr(buf_str(&w.c.reply_text), "takes no"))
				fail_msg("%s %s with %s: %s: %s", v[i].noun, v[i].verb, f->name, err_code_name(rc),
				    buf_str(&w.c.reply_text));
		}
	chain_close(&w);
}

static void test_bodies_that_are_none(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	static const char *const bad[] = {"", "{", "[]", "null", "{\"incident\":1}", "{\"nonsense\":\"x\"}",
	    "{\"incident\":\"INC-1\",\"incident\":\"INC-2\"}", "{\"incident\":\"\xff\"}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(control_request(&w.c, "ada", "incident", "acknowledge", bad[i]), ERR_INVALID);
	assert_int_equal(
	    control_request(&w.c, "ada", "incident", "acknowledge", "{\"incident\":\"INC-99\"}"), ERR_NOT_FOUND);
	assert_int_equal(control_request(&w.c, "ada", "incident", "acknowledge",
			     "{\"incident\":\"snap-01jdaaaaaaaaaaaaaaaaaaaaaa\"}"),
	    ERR_INVALID);
	assert_int_equal(control_request(&w.c, "ada", "incident", "explode", "{}"), ERR_NOT_FOUND);
	assert_int_equal(control_request(&w.c, "ada", "", "", "{}"), ERR_NOT_FOUND);
	chain_close(&w);
}

static void test_p53_strangers_and_viewers_may_nothing(void **state)
{
	(void)state;
	struct chain w;
	size_t n;
	const struct request_verb *v = verbs(&n);
	chain_open(&w);
	static const char *const nobody[] = {"eve", "mallory", NULL};
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 3; k++) {
			if (strcmp(v[i].noun, "ca") == 0 && strcmp(v[i].verb, "enrol") == 0)
				continue; /* the token is the permission */
			assert_int_equal(
			    control_request(&w.c, nobody[k], v[i].noun, v[i].verb, body_of(&v[i], NULL, NULL)),
			    ERR_DENIED);
		}
	assert_int_equal(audited(&w, "incident.acknowledge", AUDIT_REFUSED), 3);
	assert_int_equal(count_of(&w, &incident_table), 0);
	chain_close(&w);
}

/* ---- incidents ---- */

static void test_an_incident_through_its_verbs(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	breaks(&w, 0);
	asked_ok(&w, "ada", "incident", "acknowledge", .incident = "INC-1");
	assert_string_equal(incident_last(&w)->acknowledged_by, "operator ada");
	asked_ok(&w, "ada", "incident", "assign", .incident = "1", .owner = "bo");
	asked_ok(&w, "ada", "incident", "investigate", .incident = "INC-1", .text = "not that");
	asked_ok(&w, "ada", "incident", "identify", .incident = "INC-1", .text = "the cable");
	asked_ok(&w, "bo", "incident", "note", .incident = "INC-1", .text = "looked at it");
	asked_ok(&w, "ada", "diagnosis", "start", .incident = "INC-1");
	assert_int_equal(w.c.analyse.count, 1);
	asked_ok(&w, "ada", "incident", "resolve", .incident = "INC-1", .text = "plugged in");
	asked_no(ERR_STATE, &w, "ada", "incident", "acknowledge", .incident = "INC-1");
	asked_ok(&w, "ada", "incident", "reopen", .incident = "INC-1", .text = "still");
	asked_ok(&w, "ada", "incident", "resolve", .incident = "INC-1", .text = "now");
	asked_ok(&w, "ada", "incident", "close", .incident = "INC-1", .text = "buy better cables");
	assert_int_equal(incident_last(&w)->state, INCIDENT_CLOSED);
	asked_no(ERR_NOT_FOUND, &w, "ada", "diagnosis", "start", .incident = "INC-2");
	control_until(&w.c, w.c.now_ms + MINUTE);
	assert_int_equal(pages(&w, NOTIFY_OPENED), 0); /* P37: answered while the page still waited for its cause */
	chain_close(&w);
}

/* ---- rollbacks and changes ---- */

static const char *web_1[] = {"web-1"};

static void test_a_plan_says_whose_word_it_needs(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	asked_no(ERR_STATE, &w, "ada", "rollback", "plan", .service = "portal", .hosts = {web_1, 1}); /* P8 */
	breaks(&w, 0);
	asked_ok(&w, "ada", "rollback", "plan", .service = "portal", .hosts = {web_1, 1});
	assert_non_null(strstr(buf_str(&w.c.reply), "\"approvals_needed\":2"));
	asked_ok(&w, "ada", "rollback", "plan", .service = "portal", .hosts = {web_1, 1}, .incident = "INC-1");
	assert_non_null(strstr(buf_str(&w.c.reply), "\"approvals_needed\":1"));
	asked_ok(&w, "ada", "rollback", "plan", .service = "portal", .hosts = {web_1, 1}, .incident = "INC-1",
	    .normal = true);
	assert_non_null(strstr(buf_str(&w.c.reply), "\"approvals_needed\":2"));
	policy_stands(&w);
	asked_ok(&w, "ada", "rollback", "plan", .service = "portal", .hosts = {web_1, 1});
	assert_non_null(strstr(buf_str(&w.c.reply), "\"policy\":\"night\""));
	asked_no(ERR_INVALID, &w, "ada", "rollback", "plan", .service = "portal");
	asked_no(ERR_INVALID, &w, "ada", "rollback", "plan", .hosts = {web_1, 1});
	asked_no(
	    ERR_INVALID, &w, "ada", "rollback", "plan", .service = "portal", .hosts = {web_1, 1}, .rollback = "RB-1");
	asked_no(ERR_NOT_FOUND, &w, "ada", "rollback", "plan", .rollback = "RB-1");
	asked_no(ERR_NOT_FOUND, &w, "ada", "rollback", "start", .service = "portal", .hosts = {web_1, 1}, .text = "x",
	    .incident = "inc-01jdaaaaaaaaaaaaaaaaaaaaaa"); /* no such incident, though well written */
	assert_int_equal(count_of(&w, &order_table), 0);   /* planning does nothing */
	chain_close(&w);
}

static void test_r4_who_touches_more_than_one_host_says_how_many(void **state)
{
	(void)state;
	static const char *both[] = {"web-1", "web-2"};
	struct chain w;
	chain_open(&w);
	drifts(&w, 0, COMPONENT_CONFIG, 1);
	drifts(&w, 1, COMPONENT_CONFIG, 1);
	asked_no(ERR_INVALID, &w, "ada", "rollback", "start", .service = "portal", .hosts = {both, 2},
	    .text = "put it back");
	assert_non_null(strstr(buf_str(&w.c.reply_text), "this touches 2 hosts"));
	for (uint32_t wrong = 1; wrong <= 3; wrong += 2)
		asked_no(ERR_INVALID, &w, "ada", "rollback", "start", .service = "portal", .hosts = {both, 2},
		    .host_count = wrong, .text = "put it back");
	assert_int_equal(count_of(&w, &change_table), 0); /* nothing that anybody could sign */
	asked_ok(&w, "ada", "rollback", "start", .service = "portal", .hosts = {both, 2}, .host_count = 2,
	    .text = "put it back");
	assert_int_equal(change_last(&w)->plan->hosts.count, 2);
	chain_close(&w);
}

static void test_a_normal_change_by_two_words(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	drifts(&w, 0, COMPONENT_CONFIG, 1);
	asked_ok(&w, "ada", "rollback", "start", .service = "portal", .hosts = {web_1, 1}, .text = "put it back");
	struct change *c = change_last(&w);
	assert_int_equal(c->kind, CHANGE_NORMAL);
	asked_no(ERR_STATE, &w, "ada", "change", "start", .change = "CHG-1");
	char *one = signer_approve(chain_bo, c->plan), *two = signer_approve(chain_cy, c->plan);
	asked_no(ERR_DENIED, &w, "bo", "change", "approve", .change = "CHG-1", .signature = two);
	asked_ok(&w, "bo", "change", "approve", .change = "CHG-1", .signature = one);
	assert_null(rollback_last(&w));
	asked_ok(&w, "cy", "change", "approve", .change = "CHG-1", .signature = two);
	free(one);
	free(two);
	assert_non_null(strstr(buf_str(&w.c.reply), "\"rollback\":{"));
	comes_back(&w, 0);
	assert_int_equal(rollback_last(&w)->outcome, ORDER_OK);
	asked_ok(&w, "bo", "change", "review", .change = "CHG-1", .text = "fine");
	chain_close(&w);
}

/* That a change was made for an incident spares it a second word only while that lasts. */
static void test_an_incident_that_is_over_makes_no_emergency(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	drifts(&w, 0, COMPONENT_CONFIG, 1);
	asked_ok(&w, "ada", "incident", "open", .service = "portal", .title = "slow", .severity = SEVERITY_HIGH);
	asked_ok(&w, "ada", "rollback", "plan", .service = "portal", .hosts = {web_1, 1}, .incident = "INC-1");
	assert_non_null(strstr(buf_str(&w.c.reply), "\"approvals_needed\":1"));
	asked_ok(
	    &w, "ada", "rollback", "start", .service = "portal", .hosts = {web_1, 1}, .text = "x", .incident = "INC-1");
	assert_int_equal(change_last(&w)->kind, CHANGE_EMERGENCY);
	asked_ok(&w, "ada", "incident", "resolve", .incident = "INC-1", .text = "it was the provider");
	asked_ok(&w, "ada", "rollback", "plan", .service = "portal", .hosts = {web_1, 1}, .incident = "INC-1");
	assert_non_null(strstr(buf_str(&w.c.reply), "\"approvals_needed\":2"));
	asked_ok(
	    &w, "ada", "rollback", "start", .service = "portal", .hosts = {web_1, 1}, .text = "x", .incident = "INC-1");
	assert_int_equal(change_last(&w)->kind, CHANGE_NORMAL);
	assert_int_equal(change_last(&w)->approvals_needed, CHANGE_APPROVALS_NORMAL);
	assert_true(id_equal(change_last(&w)->incident, incident_last(&w)->incident));
	chain_close(&w);
}

static void test_r19_an_approval_stands_though_all_is_halted(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	breaks_for_people(&w, 0);
	struct change *c = change_last(&w);
	asked_ok(&w, "bo", "controller", "halt", .text = "look first");
	char *word = signer_approve(chain_bo, c->plan);
	asked_ok(&w, "bo", "change", "approve", .change = "CHG-1", .signature = word);
	free(word);
	assert_int_equal(change_last(&w)->state, CHANGE_APPROVED);
	assert_null(rollback_last(&w));
	asked_no(ERR_STATE, &w, "ada", "change", "start", .change = "CHG-1");
	asked_no(
	    ERR_DENIED, &w, "bo", "controller", "resume", .text = "go"); /* stopping needs one, going on an admin */
	asked_ok(&w, "ada", "controller", "resume", .text = "go");
	asked_ok(&w, "ada", "change", "start", .change = "CHG-1");
	assert_int_equal(control_letters_to(&w.c, "web-1", FRAME_ORDER), 1);
	chain_close(&w);
}

static void test_changes_are_rejected_and_withdrawn(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	drifts(&w, 0, COMPONENT_CONFIG, 1);
	for (int i = 0; i < 2; i++, w.c.now_ms++)
		asked_ok(
		    &w, "ada", "rollback", "start", .service = "portal", .hosts = {web_1, 1}, .text = "put it back");
	asked_ok(&w, "bo", "change", "reject", .change = "CHG-1", .text = "no");
	asked_ok(&w, "ada", "change", "cancel", .change = "CHG-2", .text = "no");
	assert_int_equal(change_last(&w)->state, CHANGE_CANCELLED);
	asked_no(ERR_STATE, &w, "ada", "change", "cancel", .change = "CHG-1", .text = "no");
	chain_close(&w);
}

static void test_undo(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	struct order_report r = {.order = order_out(&w, "web-1"),
	    .service = "portal",
	    .outcome = ORDER_OK,
	    .at_ms = w.c.now_ms,
	    .digests_match = true,
	    .healthy = true,
	    .safety_snapshot = id_new(w.c.now_ms, &w.c.random)};
	assert_true(control_report(&w.c, "web-1", (struct report){.order = &r}));
	everybody_well(&w, 30 * SECOND);
	assert_int_equal(rollback_last(&w)->outcome, ORDER_OK);
	asked_ok(&w, "ada", "rollback", "plan", .rollback = "RB-1");
	asked_ok(&w, "ada", "rollback", "undo", .rollback = "RB-1", .text = "it was right before");
	struct change *c = change_last(&w);
	assert_int_equal(c->kind, CHANGE_NORMAL); /* a policy covers no undo */
	assert_int_equal(c->plan->kind, ORDER_UNDO);
	chain_close(&w);
}

static void test_cancel_a_rollback(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	asked_ok(&w, "cy", "rollback", "cancel", .rollback = "RB-1", .text = "wait");
	assert_int_equal(control_letters_to(&w.c, "web-1", FRAME_CANCEL), 1);
	asked_no(ERR_NOT_FOUND, &w, "cy", "rollback", "cancel", .rollback = "RB-7", .text = "wait");
	chain_close(&w);
}

static void test_policies(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	const char *bad = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n";
	asked_no(ERR_DENIED, &w, "ada", "policy", "install",
	    .document = {(const uint8_t *)chain_policy, strlen(chain_policy)}, .signatures = {&bad, 1});
	asked_ok(&w, "bo", "policy", "remove", .name = "night");
	asked_no(ERR_NOT_FOUND, &w, "bo", "policy", "remove", .name = "night");
	assert_int_equal(count_of(&w, &policy_table), 0);
	chain_close(&w);
}

/* ---- hosts, services, restore points ---- */

static void test_single_orders_by_people(void **state)
{
	(void)state;
	struct chain w;
	struct frame f;
	char id[ID_TEXT_MAX];
	chain_open(&w);
	asked_ok(&w, "ada", "snapshot", "create", .service = "portal", .host = "web-1");
	assert_true(control_last(&w.c, "web-1", FRAME_ORDER, w.arena, &f) && f.order->kind == ORDER_SNAPSHOT);
	asked_ok(&w, "ada", "snapshot", "verify", .service = "portal", .host = "web-1",
	    .snapshot = id_format(ID_SNAPSHOT, w.good[0], id));
	assert_true(control_last(&w.c, "web-1", FRAME_ORDER, w.arena, &f) && f.order->kind == ORDER_VERIFY);
	asked_ok(&w, "ada", "service", "probe", .service = "portal", .host = "web-1");
	assert_true(control_last(&w.c, "web-1", FRAME_ORDER, w.arena, &f) && f.order->kind == ORDER_PROBE);
	asked_no(ERR_NOT_FOUND, &w, "ada", "service", "probe", .service = "portal", .host = "db-1");
	asked_no(ERR_INVALID, &w, "ada", "snapshot", "verify", .service = "portal", .host = "web-1",
	    .snapshot = "last week");
	asked_ok(
	    &w, "bo", "snapshot", "condemn", .snapshot = id_format(ID_SNAPSHOT, w.good[0], id), .text = "it is broken");
	chain_close(&w);
}

static void test_maintenance_keeps_the_pager_quiet(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	asked_ok(&w, "ada", "service", "maintenance", .service = "portal", .until_ms = w.c.now_ms + HOUR,
	    .text = "new disks");
	says(&w, "web-1", PROBE_CRITICAL);
	control_settle(&w.c);
	assert_int_equal(count_of(&w, &incident_table), 0);
	asked_ok(&w, "ada", "service", "maintenance", .service = "portal"); /* it ends now, and what is wrong shows */
	control_until(&w.c, w.c.now_ms + 5 * SECOND);
	assert_int_equal(pages(&w, NOTIFY_OPENED), 1);
	asked_no(ERR_INVALID, &w, "ada", "service", "maintenance", .service = "portal", .until_ms = 1);
	chain_close(&w);
}

static void test_people_and_tokens(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	uint32_t roles[] = {ROLE_VIEWER};
	asked_ok(&w, "ada", "operator", "put", .name = "dan", .roles = {roles, 1});
	asked_no(ERR_DENIED, &w, "ada", "operator", "put", .name = "ada", .roles = {roles, 1}); /* the last admin */
	asked_ok(&w, "ada", "ca", "token", .name = "web-9", .role = CERTIFICATE_HOST);
	struct buf token = BUF_INIT;
	buf_text(&token, buf_str(&w.c.reply));
	char id[64] = "", secret[80] = "";
	assert_int_equal(sscanf(strstr(buf_str(&token), "\"enrolment\":\"") + 13, "%63[^\"]", id), 1);
	assert_int_equal(sscanf(strstr(buf_str(&token), "\"secret\":\"") + 10, "%79[^\"]", secret), 1);
	buf_done(&token);
	struct request_args wrong = {.enrolment = id, .secret = secret, .name = "web-8", .csr = "x"};
	assert_int_equal(asks(&w, NULL, "ca", "enrol", &wrong), ERR_DENIED);
	assert_int_equal(audited(&w, "enrolment.redeem", AUDIT_REFUSED), 1);
	asked_no(ERR_INVALID, &w, "ada", "ca", "revoke", .serial = "web-8", .text = "lost");
	asked_ok(&w, "ada", "ca", "revoke", .serial = "0b",
	    .text = "lost"); /* made offline: not known here, refused all the same */
	asked_ok(&w, "ada", "notify", "test", .text = NULL);
	control_settle(&w.c);
	assert_int_equal(pages(&w, NOTIFY_CHANGED), 1);
	chain_close(&w);
}

static void test_the_same_request_twice_happens_once(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	for (int i = 0; i < 2; i++) {
		struct input *in =
		    control_ask(&w.c, "ada", "incident", "open", "{\"service\":\"portal\",\"title\":\"x\"}");
		((struct request *)(uintptr_t)in->request)->key = "k-1";
		w.c.replied = false;
		assert_true(control_give(&w.c, in));
		assert_true(w.c.replied && w.c.reply_code == ERR_OK);
		assert_non_null(strstr(buf_str(&w.c.reply), "\"number\":1"));
	}
	assert_int_equal(count_of(&w, &incident_table), 1);
	chain_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_verb_names_fields_that_exist),
	    cmocka_unit_test(test_every_verb_has_its_permission_and_every_permission_to_act_its_verb),
	    cmocka_unit_test(test_every_needed_field_is_missed),
	    cmocka_unit_test(test_every_field_that_is_not_its_own_is_refused),
	    cmocka_unit_test(test_bodies_that_are_none),
	    cmocka_unit_test(test_p53_strangers_and_viewers_may_nothing),
	    cmocka_unit_test(test_an_incident_through_its_verbs),
	    cmocka_unit_test(test_a_plan_says_whose_word_it_needs),
	    cmocka_unit_test(test_r4_who_touches_more_than_one_host_says_how_many),
	    cmocka_unit_test(test_a_normal_change_by_two_words),
	    cmocka_unit_test(test_an_incident_that_is_over_makes_no_emergency),
	    cmocka_unit_test(test_r19_an_approval_stands_though_all_is_halted),
	    cmocka_unit_test(test_changes_are_rejected_and_withdrawn),
	    cmocka_unit_test(test_undo),
	    cmocka_unit_test(test_cancel_a_rollback),
	    cmocka_unit_test(test_policies),
	    cmocka_unit_test(test_single_orders_by_people),
	    cmocka_unit_test(test_maintenance_keeps_the_pager_quiet),
	    cmocka_unit_test(test_people_and_tokens),
	    cmocka_unit_test(test_the_same_request_twice_happens_once),
	};
	return cmocka_run_group_tests(tests, chain_signers, chain_signers_end);
}
