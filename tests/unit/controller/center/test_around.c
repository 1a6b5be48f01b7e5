/* Looking around when an incident opens: who is asked, and who is doubted. */
#include "tests/lib/chain_world.h"

static bool mail_says(struct chain *w, enum probe_state s)
{
	struct probe_result r = {
	    .probe = "smtp", .state = s, .settled = s, .at_ms = w->c.now_ms, .since_ms = w->c.now_ms};
	struct health_report h = {.service = "mail", .results = {&r, 1}, .changed = true};
	return control_report(&w->c, "mail-1", (struct report){.importance = IMPORTANCE_HEALTH, .health = &h});
}

static enum host_state host_state(struct chain *w, const char *name)
{
	struct control_look look;
	struct err err = ERR_INIT;
	struct host h;
	bool found;
	assert_int_equal(fleet_host_get(control_look(&w->c, &look), name, &h, &found, &err), ERR_OK);
	assert_true(found);
	enum host_state state = (enum host_state)h.state;
	control_look_end(&look);
	return state;
}

/* db-1's agent knows the question; two services lean on what runs there. */
static void leaning_open(struct chain *w)
{
	static const char *can[] = {CAPABILITY_LOOK}, *leans[] = {"records-db"};
	struct declared_service db = chain_service("records-db"), mail = chain_service("mail");
	mail.depends_on = (struct list){leans, 1};
	chain_open(w);
	assert_true(control_hello_with(&w->c, "db-1", 3, &db, 1, &(struct list){can, 1}));
	assert_true(control_hello(&w->c, "mail-1", 4, &mail, 1));
	w->c.now_ms += SECOND;
	says(w, "db-1", PROBE_OK);
	mail_says(w, PROBE_OK);
	control_forget_letters(&w->c);
}

static void a_host_that_has_just_had_its_say_is_not_doubted(void **state)
{
	(void)state;
	struct chain w;
	leaning_open(&w);
	w.c.now_ms += 10 * SECOND;
	says(&w, "web-1", PROBE_CRITICAL);
	control_settle(&w.c);
	assert_int_equal(control_letters_to(&w.c, "db-1", FRAME_LOOK), 1);
	w.c.now_ms += SECOND / 2;
	says(&w, "db-1", PROBE_OK); /* its answer */
	w.c.now_ms += 2 * SECOND;
	mail_says(&w, PROBE_CRITICAL); /* too soon to ask db-1 again */
	control_settle(&w.c);
	assert_int_equal(control_letters_to(&w.c, "db-1", FRAME_LOOK), 1);
	control_until(&w.c, w.c.now_ms + 10 * SECOND);
	assert_int_equal(host_state(&w, "db-1"), HOST_CONNECTED);
	assert_int_equal(count_of(&w, &incident_table), 2);
	chain_close(&w);
}

static void a_host_that_is_asked_and_says_nothing_is_an_incident(void **state)
{
	(void)state;
	struct chain w;
	leaning_open(&w);
	w.c.now_ms += 10 * SECOND;
	says(&w, "web-1", PROBE_CRITICAL);
	control_until(&w.c, w.c.now_ms + 10 * SECOND);
	assert_int_equal(host_state(&w, "db-1"), HOST_SILENT);
	assert_true(incident_is_of_hosts(incident_last(&w)));
	chain_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_host_that_has_just_had_its_say_is_not_doubted),
	    cmocka_unit_test(a_host_that_is_asked_and_says_nothing_is_an_incident),
	};
	return cmocka_run_group_tests(tests, chain_signers, chain_signers_end);
}
