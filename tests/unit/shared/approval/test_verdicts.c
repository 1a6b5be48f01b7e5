/* Both judges: every verdict, and that nothing forged is ever authorised. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/signer/signer.h"
#include "tests/lib/unit.h"

#define ID(N) ((struct id){{1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, (N)}})
#define NOW   ((uint64_t)1795407153123)
enum { GAP_MS = 60000 };

static const char policy_yaml[] = "name: config-only\n"
				  "services: [portal, \"records-*\"]\n"
				  "hosts: [\"web-*\"]\n"
				  "components: [config, code]\n"
				  "least_severity: high\n"
				  "least_confidence: 0.8\n"
				  "max_hosts: 2\n"
				  "max_per_hour: 1\n"
				  "cool_down: 30m\n"
				  "expires: 2027-01-01T00:00:00Z\n"
				  "reason: nginx's configuration is versioned and its rollback is harmless\n";

/* Everything in place for a yes; each test breaks what it is about. */
static struct {
	struct arena *arena;
	struct signer *alice, *bob, *carol, *mallory; /* alice wrote the plan; mallory's key is not pinned */
	struct ssh_key pinned[4];
	struct approval_keys keys;
	struct plan_host hosts[3];
	uint32_t components[2], order_components[2], automatic[2];
	struct plan plan;
	struct approval approvals[PLAN_APPROVALS_MAX], policy_approvals[2];
	struct signed_policy policy;
	struct order order;
	struct host_rules host;
	struct fleet_rules fleet;
	char text[APPROVAL_TEXT_MAX];
} w;

/* Signatures live in the arena. */
static const char *keep(char *signature)
{
	const char *kept = arena_strdup(w.arena, signature);
	free(signature);
	return kept;
}

static void approve(unsigned at, const struct signer *who, const char *name)
{
	w.approvals[at] = (struct approval){name, keep(signer_approve(who, &w.plan)), NOW};
}

static void sign_policy(
    const char *yaml, const char *name_space, const struct signer *first, const struct signer *second)
{
	const struct signer *who[] = {first, second};

	w.policy.document = (struct bytes){(const uint8_t *)yaml, strlen(yaml)};
	w.policy.approvals = (struct list){w.policy_approvals, second ? 2 : 1};
	for (unsigned i = 0; i < w.policy.approvals.count; i++)
		w.policy_approvals[i] =
		    (struct approval){"x", keep(signer_sign(who[i], name_space, true, yaml, strlen(yaml))), NOW};
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	w.arena = arena_new(0);
	w.alice = signer_new(SSH_KEY_ED25519, "alice@desk");
	w.bob = signer_new(SSH_KEY_ECDSA_P256, "bob");
	w.carol = signer_new(SSH_KEY_ED25519, "carol");
	w.mallory = signer_new(SSH_KEY_ED25519, "bob");
	w.pinned[0] = *signer_key(w.alice);
	w.pinned[1] = *signer_key(w.bob);
	w.pinned[2] = *signer_key(w.carol);
	w.keys = (struct approval_keys){w.pinned, 3, 2};
	w.hosts[0] = (struct plan_host){.host = "web-1", .wave = 0, .snapshot = ID(11)};
	w.hosts[1] = (struct plan_host){.host = "web-2", .wave = 1, .snapshot = ID(12)};
	w.hosts[2] = (struct plan_host){.host = "web-3", .wave = 2, .snapshot = ID(13)};
	w.components[0] = w.order_components[1] = COMPONENT_CONFIG; /* an order may name them in another order */
	w.components[1] = w.order_components[0] = COMPONENT_CODE;
	w.automatic[0] = COMPONENT_CONFIG;
	w.automatic[1] = COMPONENT_CODE;
	w.plan = (struct plan){
	    .plan = ID(1),
	    .rollback = ID(2),
	    .kind = ORDER_ROLLBACK,
	    .service = "portal",
	    .components = {w.components, 2},
	    .hosts = {w.hosts, 2},
	    .wave_gap_ms = GAP_MS,
	    .not_before_ms = NOW - 1000,
	    .expires_ms = NOW + 3600000,
	    .reason = "login fails",
	    .author = "alice",
	};
	w.order = (struct order){
	    .order = ID(3),
	    .kind = ORDER_ROLLBACK,
	    .epoch = 1,
	    .issued_ms = NOW,
	    .expires_ms = NOW + 60000,
	    .run_limit_ms = 60000,
	    .host = "web-1",
	    .service = "portal",
	    .components = {w.order_components, 2},
	    .snapshot = ID(11),
	    .rollback = ID(2),
	    .issuer = "alice",
	    .plan = &w.plan,
	    .approvals = {w.approvals, 2},
	};
	approve(0, w.bob, "bob");
	approve(1, w.carol, "carol");
	w.host = (struct host_rules){"web-1", &w.keys, {w.automatic, 2}, {0}, NOW};
	w.fleet = (struct fleet_rules){&w.keys, SEVERITY_HIGH, 0.8, NOW};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	signer_free(w.alice);
	signer_free(w.bob);
	signer_free(w.carol);
	signer_free(w.mallory);
	arena_free(w.arena);
	return 0;
}

static void expect_at(unsigned line, enum verdict got, enum verdict want, const char *words)
{
	if (got != want || !strstr(w.text, words))
		fail_msg("line %u: expected %s \"%s\", got %s \"%s\"", line, enum_name(&verdict_enum, want), words,
		    enum_name(&verdict_enum, got), w.text);
}
#define HOST_SAYS(want, words) expect_at(__LINE__, order_authorised(&w.order, &w.host, w.arena, w.text), want, words)
#define FLEET_SAYS(policy, want, words)                                                                                \
	expect_at(                                                                                                     \
	    __LINE__, plan_authorised(&w.plan, &w.order.approvals, policy, &w.fleet, w.arena, w.text), want, words)

static void authorised(void **state)
{
	(void)state;
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
	FLEET_SAYS(NULL, VERDICT_AUTHORISED, "2 approved");
	assert_int_equal(order_authorised(&w.order, &w.host, w.arena, NULL), VERDICT_AUTHORISED); /* text is optional */
}

static void wrong_host(void **state)
{
	(void)state;
	w.host.host = "web-2";
	HOST_SAYS(VERDICT_WRONG_HOST, "the order is for web-1, this is web-2");
	/* An order for somewhere else is not looked at further, whatever it asks. */
	w.order.kind = ORDER_PROBE;
	w.order.plan = NULL;
	w.order.approvals.count = 0;
	HOST_SAYS(VERDICT_WRONG_HOST, "web-2");
}

static void no_plan(void **state)
{
	(void)state;
	w.order.plan = NULL;
	HOST_SAYS(VERDICT_NO_PLAN, "rollback needs a plan");
	w.order.kind = ORDER_UNDO;
	w.order.undo_of = ID(9);
	HOST_SAYS(VERDICT_NO_PLAN, "undo needs a plan");
}

static void harmless_orders_need_no_plan(void **state)
{
	(void)state;
	w.order.plan = NULL;
	w.order.approvals.count = 0;
	for (unsigned kind = ORDER_SNAPSHOT; kind <= ORDER_PROBE; kind++) {
		w.order.kind = kind;
		w.host.now_ms = NOW;
		HOST_SAYS(VERDICT_AUTHORISED, "changes nothing");
		w.host.now_ms = w.order.expires_ms + 1;
		HOST_SAYS(VERDICT_EXPIRED, "the order has expired");
	}
}

static void plan_mismatch(void **state)
{
	(void)state;
	w.hosts[0].host = "web-0"; /* this host is not part of it */
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "host");
	w.hosts[0].host = "web-1";
	w.order.service = "records";
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "service");
	w.order.service = "portal";
	w.order.components.count = 1;
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "components");
	w.order.components.count = 2;
	w.order_components[0] = COMPONENT_DATABASE;
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "components");
	w.order_components[0] = COMPONENT_CODE;
	w.order.snapshot = ID(12); /* another host's */
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "restore point");
	w.order.snapshot = ID(11);
	w.order.rollback = ID(99);
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "rollback");
	w.order.rollback = ID(2);
	w.order.precondition.b[31] = 1; /* the plan insists on none */
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "precondition");
	w.order.precondition.b[31] = 0;
	w.order.deep = true;
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "depth of proof");
	w.order.deep = false;
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved"); /* a plan of before limits: the order says */
	w.order.kind = ORDER_UNDO;
	w.order.undo_of = ID(9);
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "kind");
}

/* What the plan says of proof and time is not the controller's to leave out. */
static void terms_of_the_plan(void **state)
{
	(void)state;
	w.plan.deep = true;
	w.plan.run_limit_ms = 60000;
	w.hosts[0].precondition.b[0] = 7;
	approve(0, w.bob, "bob");
	approve(1, w.carol, "carol");
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "precondition");
	w.order.precondition.b[0] = 7;
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "depth of proof");
	w.order.deep = true;
	w.order.run_limit_ms = 60001;
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "time limit");
	w.order.run_limit_ms = 60000;
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
	w.plan.deep = w.order.deep = false;
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "does not verify");
}

static void an_undo_is_bound_to_its_safety_snapshot(void **state)
{
	(void)state;
	w.plan.kind = w.order.kind = ORDER_UNDO;
	w.order.undo_of = ID(9);
	approve(0, w.bob, "bob");
	approve(1, w.carol, "carol");
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
	w.order.snapshot = ID(99);
	HOST_SAYS(VERDICT_PLAN_MISMATCH, "restore point");
}

static void time(void **state)
{
	(void)state;
	w.host.now_ms = w.order.expires_ms;
	HOST_SAYS(VERDICT_AUTHORISED, "");
	w.host.now_ms++;
	HOST_SAYS(VERDICT_EXPIRED, "the order has expired");
	w.order.expires_ms = w.plan.expires_ms + 10;
	w.host.now_ms = w.fleet.now_ms = w.plan.expires_ms;
	HOST_SAYS(VERDICT_AUTHORISED, "");
	FLEET_SAYS(NULL, VERDICT_AUTHORISED, "");
	w.host.now_ms = ++w.fleet.now_ms;
	HOST_SAYS(VERDICT_EXPIRED, "the plan expired at 20");
	FLEET_SAYS(NULL, VERDICT_EXPIRED, "the plan has expired");
	w.host.now_ms = w.plan.not_before_ms;
	HOST_SAYS(VERDICT_AUTHORISED, "");
	w.host.now_ms--;
	HOST_SAYS(VERDICT_TOO_EARLY, "wave 0 may begin at 20");
}

/* The blast radius: all waves released at once, only the first one begins. */
static void waves_wait_by_the_hosts_own_clock(void **state)
{
	(void)state;
	w.order.host = w.host.host = "web-2";
	w.order.snapshot = ID(12);
	w.order.expires_ms = w.plan.expires_ms;
	HOST_SAYS(VERDICT_TOO_EARLY, "wave 1 may begin at");
	w.host.now_ms = w.plan.not_before_ms + GAP_MS - 1;
	HOST_SAYS(VERDICT_TOO_EARLY, "wave 1 may begin at");
	w.host.now_ms++;
	HOST_SAYS(VERDICT_AUTHORISED, "");
	/* A time past the end of time does not wrap round to long ago. */
	w.plan.not_before_ms = UINT64_MAX - 1000;
	w.plan.expires_ms = UINT64_MAX;
	HOST_SAYS(VERDICT_NOT_CHECKED, "not_before_ms");
}

static void too_few(void **state)
{
	(void)state;
	w.order.approvals.count = 1;
	HOST_SAYS(VERDICT_TOO_FEW_APPROVERS, "1 of 2 approvers");
	FLEET_SAYS(NULL, VERDICT_TOO_FEW_APPROVERS, "1 of 2 approvers");
	w.order.approvals.count = 0;
	HOST_SAYS(VERDICT_TOO_FEW_APPROVERS, "0 of 2 approvers");
	/* Nothing needed is not nothing at all. */
	w.keys.needed = 0;
	HOST_SAYS(VERDICT_TOO_FEW_APPROVERS, "0 of 1 approvers");
	w.keys.count = 0;
	HOST_SAYS(VERDICT_TOO_FEW_APPROVERS, "no approver's key is known here");
}

/* P53: names in messages prove nothing. */
static void names_prove_nothing(void **state)
{
	(void)state;
	approve(1, w.bob, "carol"); /* bob signs in carol's name */
	HOST_SAYS(VERDICT_TOO_FEW_APPROVERS, "two signatures by one approver count once");
	approve(1, w.alice, "carol"); /* the author signs in another's name */
	HOST_SAYS(VERDICT_TOO_FEW_APPROVERS, "alice wrote the plan");
	approve(1, w.mallory, "bob"); /* a stranger's key with a known owner's name on it */
	HOST_SAYS(VERDICT_TOO_FEW_APPROVERS, "is not trusted here");
	approve(1, w.carol, "alice"); /* carol's word is hers whatever the message calls it */
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
	w.pinned[3] = *signer_key(w.mallory); /* bob's second key: still one person */
	w.keys.count = 4;
	approve(1, w.mallory, "bob");
	HOST_SAYS(VERDICT_TOO_FEW_APPROVERS, "two signatures by one approver count once");
	w.pinned[3].owner[0] = 0; /* keys without owners are two */
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
	w.pinned[1].owner[0] = 0; /* but one such key is one */
	approve(1, w.bob, "carol");
	HOST_SAYS(VERDICT_TOO_FEW_APPROVERS, "two signatures by one approver count once");
}

static void strangers_do_not_spoil_it(void **state)
{
	(void)state;
	w.order.approvals.count = 4;
	approve(2, w.mallory, "mallory");
	w.approvals[3] = (struct approval){"x", "not a signature", NOW};
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
}

static void bad_signature(void **state)
{
	(void)state;
	w.approvals[1].signature = "not a signature";
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "1 of 2 approvers: expected the line -----BEGIN");
	/* For something else. */
	w.approvals[1].signature = keep(signer_sign(w.carol, APPROVAL_NAMESPACE_PLAN, true, "other", 5));
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "does not verify");
	/* Over the right digest, in the wrong namespace. */
	struct digest digest;
	char message[APPROVAL_MESSAGE_SIZE];
	assert_int_equal(plan_digest(&w.plan, &digest, NULL), ERR_OK);
	approval_message(&digest, message);
	w.approvals[1].signature = keep(signer_sign(w.carol, APPROVAL_NAMESPACE_POLICY, true, message, sizeof message));
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "the signature is for \"kedge-policy\"");
	/* Without the newline. */
	w.approvals[1].signature =
	    keep(signer_sign(w.carol, APPROVAL_NAMESPACE_PLAN, true, message, sizeof message - 1));
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "does not verify");
	w.approvals[1].signature = keep(signer_sign(w.carol, APPROVAL_NAMESPACE_PLAN, false, message, sizeof message));
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
}

/* What was approved is what is done: any other plan has no approvals. */
static void a_changed_plan_has_no_approvals(void **state)
{
	(void)state;
	w.plan.progressive = true;
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "does not verify");
	w.plan.progressive = false;
	w.plan.expires_ms++;
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "does not verify");
	w.plan.expires_ms--;
	w.plan.hosts.count = 3;
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "does not verify");
	w.plan.hosts.count = 2;
	w.plan.wave_gap_ms = 0;
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "does not verify");
	w.plan.wave_gap_ms = GAP_MS;
	w.plan.author = "eve"; /* so that alice could approve it */
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "does not verify");
	w.plan.author = "alice";
	w.hosts[1].snapshot = ID(99);
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "does not verify");
	w.hosts[1].snapshot = ID(12);
	HOST_SAYS(VERDICT_AUTHORISED, "");
}

/* Every bit of the plan on the wire, and every byte of the signatures: never authorised, unless the plan reads the same
 * as before. */
static void mutated_plan(void **state)
{
	struct buf wire = BUF_INIT;
	struct arena *scratch = arena_new(0);
	unsigned read = 0;
	(void)state;

	assert_int_equal(record_to_msgpack(&plan_type, &w.plan, &wire, NULL), ERR_OK);
	for (size_t at = 0; at < wire.size; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct plan other;
			arena_reset(scratch);
			wire.data[at] ^= (uint8_t)(1u << bit);
			if (record_from_msgpack(&plan_type, wire.data, wire.size, scratch, &other, NULL) == ERR_OK &&
			    !record_equal(&plan_type, &other, &w.plan)) {
				w.order.plan = &other;
				assert_int_not_equal(
				    order_authorised(&w.order, &w.host, scratch, w.text), VERDICT_AUTHORISED);
				read++;
			}
			wire.data[at] ^= (uint8_t)(1u << bit);
		}
	assert_true(read > 100); /* the test has teeth: many of them are plans */
	arena_free(scratch);
	buf_done(&wire);
}

static void mutated_signatures(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char *copy = strdup(w.approvals[i].signature);
		const char *good = w.approvals[i].signature;
		w.approvals[i].signature = copy;
		for (size_t at = 0; copy[at]; at++) {
			char was = copy[at];
			for (unsigned bit = 0; bit < 7; bit++) {
				copy[at] = (char)(was ^ (1 << bit));
				if (copy[at])
					assert_int_not_equal(
					    order_authorised(&w.order, &w.host, w.arena, w.text), VERDICT_AUTHORISED);
			}
			copy[at] = was;
		}
		free(copy);
		w.approvals[i].signature = good;
	}
	HOST_SAYS(VERDICT_AUTHORISED, "");
}

static void malformed_orders(void **state)
{
	(void)state;
	w.order.epoch = 0;
	HOST_SAYS(VERDICT_NOT_CHECKED, "epoch");
	w.order.epoch = 1;
	w.plan.components.count = 0; /* as if it meant everything */
	HOST_SAYS(VERDICT_NOT_CHECKED, "components");
	FLEET_SAYS(NULL, VERDICT_NOT_CHECKED, "components");
}

/* ---- policies ---- */

static void use_policy(void)
{
	sign_policy(policy_yaml, APPROVAL_NAMESPACE_POLICY, w.bob, w.carol);
	w.order.policy = &w.policy;
	w.order.approvals.count = 0;
	w.plan.author = "policy config-only";
}

static void policy_authorises(void **state)
{
	(void)state;
	use_policy();
	HOST_SAYS(VERDICT_AUTHORISED, "covered by policy config-only");
	FLEET_SAYS(&w.policy, VERDICT_AUTHORISED, "covered by policy config-only");
	w.plan.author = "alice"; /* a person may use a policy too, also one that they signed */
	sign_policy(policy_yaml, APPROVAL_NAMESPACE_POLICY, w.alice, w.carol);
	HOST_SAYS(VERDICT_AUTHORISED, "covered by policy config-only");
	w.plan.author = "policy other";
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "the plan says \"policy other\"");
	w.plan.author = "policy config-only";
	w.plan.progressive = true;
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "older restore points");
	w.plan.progressive = false;
	w.plan.cross_schema = true;
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "crosses a schema");
}

static void people_outweigh_a_policy(void **state)
{
	(void)state;
	use_policy();
	w.plan.author = "alice";
	w.order.approvals.count = 2;
	approve(0, w.bob, "bob");
	approve(1, w.carol, "carol");
	w.automatic[0] = w.automatic[1] = COMPONENT_DATA;
	w.policy_approvals[0].signature = "broken";
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
}

static void policy_bad_signature(void **state)
{
	(void)state;
	use_policy();
	w.policy.approvals.count = 1;
	HOST_SAYS(VERDICT_POLICY_BAD_SIGNATURE, "1 of 2 approvers");
	sign_policy(policy_yaml, APPROVAL_NAMESPACE_POLICY, w.bob, w.mallory);
	HOST_SAYS(VERDICT_POLICY_BAD_SIGNATURE, "is not trusted here");
	sign_policy(policy_yaml, APPROVAL_NAMESPACE_PLAN, w.bob, w.carol);
	HOST_SAYS(VERDICT_POLICY_BAD_SIGNATURE, "the signature is for \"kedge-plan\"");
	FLEET_SAYS(&w.policy, VERDICT_POLICY_BAD_SIGNATURE, "kedge-plan");
	/* One byte more, in a comment's place. */
	static char changed[sizeof policy_yaml + 1];
	sign_policy(policy_yaml, APPROVAL_NAMESPACE_POLICY, w.bob, w.carol);
	snprintf(changed, sizeof changed, "%s\n", policy_yaml);
	w.policy.document = (struct bytes){(const uint8_t *)changed, strlen(changed)};
	HOST_SAYS(VERDICT_POLICY_BAD_SIGNATURE, "does not verify");
}

/* Every byte of the policy. */
static void mutated_policy(void **state)
{
	static uint8_t copy[sizeof policy_yaml - 1];
	(void)state;

	use_policy();
	memcpy(copy, policy_yaml, sizeof copy);
	w.policy.document = (struct bytes){copy, sizeof copy};
	HOST_SAYS(VERDICT_AUTHORISED, "");
	for (size_t at = 0; at < sizeof copy; at++) {
		copy[at] ^= 1;
		HOST_SAYS(VERDICT_POLICY_BAD_SIGNATURE, "");
		copy[at] ^= 1;
	}
}

static void policy_unreadable(void **state)
{
	(void)state;
	use_policy();
	sign_policy("name: [", APPROVAL_NAMESPACE_POLICY, w.bob, w.carol);
	HOST_SAYS(VERDICT_POLICY_UNREADABLE, "policy:");
	sign_policy("name: x\nrun: rm\n", APPROVAL_NAMESPACE_POLICY, w.bob, w.carol);
	HOST_SAYS(VERDICT_POLICY_UNREADABLE, "run");
	/* Unsigned rubbish never reaches the parser. */
	sign_policy("name: [", APPROVAL_NAMESPACE_POLICY, w.bob, w.mallory);
	HOST_SAYS(VERDICT_POLICY_BAD_SIGNATURE, "");
}

static void policy_expired(void **state)
{
	struct policy policy;
	(void)state;

	use_policy();
	assert_int_equal(policy_open(&w.policy, &w.keys, w.arena, &policy, w.text), VERDICT_AUTHORISED);
	w.plan.expires_ms = policy.expires_ms + 10;
	w.plan.not_before_ms = policy.expires_ms - 10;
	w.order.expires_ms = w.plan.expires_ms;
	w.host.now_ms = w.fleet.now_ms = policy.expires_ms - 1;
	HOST_SAYS(VERDICT_AUTHORISED, "");
	FLEET_SAYS(&w.policy, VERDICT_AUTHORISED, "");
	w.host.now_ms = ++w.fleet.now_ms;
	HOST_SAYS(VERDICT_POLICY_EXPIRED, "policy config-only has expired");
	FLEET_SAYS(&w.policy, VERDICT_POLICY_EXPIRED, "policy config-only has expired");
}

static void policy_does_not_cover(void **state)
{
	(void)state;
	use_policy();
	w.order.service = w.plan.service = "records-db";
	HOST_SAYS(VERDICT_AUTHORISED, "");
	w.order.service = w.plan.service = "billing";
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "the service billing");
	w.order.service = w.plan.service = "portal";
	w.hosts[1].host = "zebra-2"; /* one of the plan's other hosts is enough */
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "the host zebra-2");
	w.hosts[1].host = "web-2";
	w.plan.hosts.count = 3;
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "at most 2 hosts, not for 3");
	w.plan.hosts.count = 2;
	w.components[1] = w.order_components[0] = COMPONENT_DATABASE;
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "the component database");
	w.components[1] = w.order_components[0] = COMPONENT_CODE;
	w.plan.kind = w.order.kind = ORDER_UNDO;
	w.order.undo_of = ID(9);
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "undo needs people");
	w.plan.kind = w.order.kind = ORDER_ROLLBACK;
	w.order.undo_of = (struct id){0};
	HOST_SAYS(VERDICT_AUTHORISED, "");
}

/* Only the controller knows the incident. */
static void policy_judges_the_incident(void **state)
{
	(void)state;
	use_policy();
	w.fleet.severity = SEVERITY_MEDIUM;
	FLEET_SAYS(&w.policy, VERDICT_POLICY_DOES_NOT_COVER, "severity high and above");
	w.fleet.severity = SEVERITY_CRITICAL;
	FLEET_SAYS(&w.policy, VERDICT_AUTHORISED, "");
	w.fleet.confidence = 0.79;
	FLEET_SAYS(&w.policy, VERDICT_POLICY_DOES_NOT_COVER, "wants a confidence of 0.80");
	w.fleet.confidence = 0.0 / 0.0;
	FLEET_SAYS(&w.policy, VERDICT_POLICY_DOES_NOT_COVER, "wants a confidence of 0.80");
}

static void not_automatic_here(void **state)
{
	(void)state;
	use_policy();
	w.host.automatic.count = 1;
	HOST_SAYS(VERDICT_NOT_AUTOMATIC_HERE, "before code of portal");
	w.host.automatic.count = 0;
	HOST_SAYS(VERDICT_NOT_AUTOMATIC_HERE, "before config of portal");
}

/* An action is what its plan names, under the same signatures; under a policy both the policy and the host name it. */
static void actions(void **state)
{
	static const char *const others[] = {"reload"}, *const declared[] = {"reload", "restart"};
	static const char may_restart[] =
	    "name: config-only\nservices: portal\nactions: [\"re*\"]\nmax_hosts: 9\nmax_per_hour: 1\n"
	    "expires: 2027-01-01T00:00:00Z\nreason: a restart is harmless\n";
	(void)state;
	for (size_t i = 0; i < w.plan.hosts.count; i++)
		w.hosts[i].snapshot = (struct id){{0}};
	w.plan.kind = w.order.kind = ORDER_ACTION;
	w.plan.components.count = w.order.components.count = 0;
	w.order.snapshot = (struct id){{0}};
	w.plan.action = "restart";
	use_policy();
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER,
	    "does not name the action restart"); /* signed for something else, and no policy for it */
	sign_policy(may_restart, APPROVAL_NAMESPACE_POLICY, w.bob, w.carol);
	w.host.actions = (struct list){(void *)others, 1};
	HOST_SAYS(VERDICT_NOT_AUTOMATIC_HERE, "wants a person before restart is run for portal");
	w.host.actions = (struct list){(void *)declared, 2};
	HOST_SAYS(VERDICT_AUTHORISED, "covered by policy");
	w.plan.action = "format";
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "does not name the action format");
	approve(0, w.bob, "bob");
	approve(1, w.carol, "carol");
	w.order.approvals.count = 2;
	w.host.actions.count = 0;
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved"); /* people may */
	w.plan.action = "restart";
	HOST_SAYS(VERDICT_NOT_AUTOMATIC_HERE,
	    "before restart"); /* what they signed was another: only the policy speaks for it */
}

/* What runs before a rollback is as much part of what is signed, named and allowed. */
static void what_runs_before_a_rollback(void **state)
{
	static const char *const declared[] = {"sweep"};
	static const char may_sweep[] =
	    "name: config-only\nservices: portal\ncomponents: [config, code]\nactions: [sweep]\nmax_hosts: 9\n"
	    "max_per_hour: 1\nexpires: 2027-01-01T00:00:00Z\nreason: it only takes what is left over\n";
	(void)state;
	approve(0, w.bob, "bob");
	approve(1, w.carol, "carol");
	w.order.approvals.count = 2;
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
	w.plan.first = "sweep"; /* not what they signed */
	HOST_SAYS(VERDICT_BAD_SIGNATURE, "");
	approve(0, w.bob, "bob");
	approve(1, w.carol, "carol");
	w.order.approvals.count = 2;
	HOST_SAYS(VERDICT_AUTHORISED, "2 approved");
	use_policy();
	HOST_SAYS(VERDICT_POLICY_DOES_NOT_COVER, "does not name the action sweep");
	sign_policy(may_sweep, APPROVAL_NAMESPACE_POLICY, w.bob, w.carol);
	HOST_SAYS(VERDICT_NOT_AUTOMATIC_HERE, "before sweep is run for portal");
	w.host.actions = (struct list){(void *)declared, 1};
	HOST_SAYS(VERDICT_AUTHORISED, "covered by policy");
}

static void no_memory_is_no(void **state)
{
	struct arena *small = arena_new(64);
	(void)state;

	use_policy();
	assert_int_equal(order_authorised(&w.order, &w.host, small, w.text), VERDICT_NOT_CHECKED);
	arena_free(small);
}

/* ---- parts ---- */

static void one_signature_at_the_door(void **state)
{
	size_t key = 99;
	(void)state;

	assert_int_equal(approval_verify(&w.plan, w.approvals[1].signature, &w.keys, &key, w.text), VERDICT_AUTHORISED);
	assert_int_equal(key, 2);
	approve(2, w.alice, "alice");
	key = 99;
	assert_int_equal(
	    approval_verify(&w.plan, w.approvals[2].signature, &w.keys, &key, w.text), VERDICT_TOO_FEW_APPROVERS);
	assert_non_null(strstr(w.text, "alice wrote the plan"));
	approve(2, w.mallory, "bob");
	assert_int_equal(
	    approval_verify(&w.plan, w.approvals[2].signature, &w.keys, &key, w.text), VERDICT_TOO_FEW_APPROVERS);
	w.plan.reason = "other";
	assert_int_equal(
	    approval_verify(&w.plan, w.approvals[1].signature, &w.keys, &key, w.text), VERDICT_BAD_SIGNATURE);
	w.plan.reason = NULL;
	assert_int_equal(
	    approval_verify(&w.plan, w.approvals[1].signature, &w.keys, &key, w.text), VERDICT_NOT_CHECKED);
	assert_int_equal(key, 99);
}

static void key_lists(void **state)
{
	const char *lines[APPROVAL_KEYS_MAX + 1] = {signer_line(w.alice), signer_line(w.bob), "ssh-rsa AAAA rsa"};
	struct list l = {lines, 2};
	struct approval_keys keys;
	struct err err = ERR_INIT;
	(void)state;

	assert_int_equal(approval_keys_parse(&l, 2, w.arena, &keys, &err), ERR_OK);
	assert_int_equal(keys.count, 2);
	assert_int_equal(keys.needed, 2);
	assert_true(ssh_key_equal(&keys.keys[1], signer_key(w.bob)));
	l.count = 3;
	assert_int_equal(approval_keys_parse(&l, 2, w.arena, &keys, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "key 3: "));
	lines[2] = lines[0];
	assert_int_equal(approval_keys_parse(&l, 2, w.arena, &keys, &err), ERR_INVALID);
	assert_string_equal(err.msg, "key 3: the same as key 1");
	l.count = APPROVAL_KEYS_MAX + 1;
	assert_int_equal(approval_keys_parse(&l, 2, w.arena, &keys, &err), ERR_LIMIT);
	l.count = 0;
	assert_int_equal(approval_keys_parse(&l, 1, w.arena, &keys, &err), ERR_OK);
	assert_int_equal(keys.count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(authorised),
	    TEST(wrong_host),
	    TEST(no_plan),
	    TEST(harmless_orders_need_no_plan),
	    TEST(plan_mismatch),
	    TEST(terms_of_the_plan),
	    TEST(an_undo_is_bound_to_its_safety_snapshot),
	    TEST(time),
	    TEST(waves_wait_by_the_hosts_own_clock),
	    TEST(too_few),
	    TEST(names_prove_nothing),
	    TEST(strangers_do_not_spoil_it),
	    TEST(bad_signature),
	    TEST(a_changed_plan_has_no_approvals),
	    TEST(mutated_plan),
	    TEST(mutated_signatures),
	    TEST(malformed_orders),
	    TEST(policy_authorises),
	    TEST(people_outweigh_a_policy),
	    TEST(policy_bad_signature),
	    TEST(mutated_policy),
	    TEST(policy_unreadable),
	    TEST(policy_expired),
	    TEST(policy_does_not_cover),
	    TEST(policy_judges_the_incident),
	    TEST(not_automatic_here),
	    TEST(actions),
	    TEST(what_runs_before_a_rollback),
	    TEST(no_memory_is_no),
	    TEST(one_signature_at_the_door),
	    TEST(key_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
