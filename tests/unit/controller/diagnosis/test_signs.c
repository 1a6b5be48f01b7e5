/* What a place says of its own trouble selects an action that it declares, and nothing else. */
#include "controller/change/change.h"
#include "controller/diagnosis/learning.h"
#include "tests/lib/recovery_world.h"

static const char known[] =
    "entries:\n"
    "  gone: { title: its process is gone, area: process, class: unavailable, patterns: [\"does not run\"], causes: "
    "[c],\n"
    "    action: restart, remedies: restart, advice: a, source: \"https://example.org/\" }\n"
    "  full: { title: a disk is full, area: disk, class: resource, patterns: [\"No space left\"], causes: [c],\n"
    "    action: investigate, remedies: space, advice: a, source: \"https://example.org/\" }\n"
    "  slots: { title: no connection left, area: database, class: resource, patterns: [\"too many clients\"], causes: "
    "[c],\n"
    "    action: restart, remedies: connections, advice: a, source: \"https://example.org/\" }\n"
    "  limit: { title: a role has none left, area: database, class: resource, patterns: [\"too many for role\"], causes: "
    "[c],\n"
    "    action: rollback, components: [database], remedies: connections, advice: a, source: \"https://example.org/\" }\n"
    "  pair: { title: a key does not fit, area: tls, class: auth, patterns: [\"values mismatch\"], causes: [c],\n"
    "    action: investigate, remedies: certificate, advice: a, source: \"https://example.org/\" }\n"
    "  odd: { title: odd, area: process, class: internal, patterns: [\"answer was understood\"], causes: [c],\n"
    "    action: investigate, advice: a, source: \"https://example.org/\" }\n"
    "  late: { title: no answer, area: process, class: timeout_cancel, patterns: [\"timed out\"], causes: [c],\n"
    "    action: restart, remedies: restart, advice: a, source: \"https://example.org/\" }\n";

/* `site` on web-1 leans on `records` on db-1, which has a database; both declare actions. */
static void site_open(struct world *w)
{
	static uint32_t restart[] = {REMEDY_RESTART}, space[] = {REMEDY_SPACE}, connections[] = {REMEDY_CONNECTIONS},
			config[] = {COMPONENT_CONFIG}, database[] = {COMPONENT_DATABASE};
	static struct declared_action of_site[] = {{.name = "anew", .remedies = {restart, 1}},
	    {.name = "sweep", .remedies = {space, 1}}, {.name = "hang-up", .remedies = {connections, 1}}},
				      of_records[] = {{.name = "end-idle", .remedies = {connections, 1}}};
	static const char *leans[] = {"records"};
	struct declared_service site = {.name = "site",
				    .components = {config, 1},
				    .depends_on = {leans, 1},
				    .actions = {of_site, 3},
				    .probes = 1},
				records = {.name = "records",
				    .components = {database, 1},
				    .actions = {of_records, 1},
				    .probes = 1};
	struct list entries = {0};
	world_open(w);
	ok(knowledge_parse("known.yaml", known, strlen(known), turn_arena(w->turn), &entries, ERR_HERE));
	ok(learning_knowledge_seed(w->turn, &entries, ERR_HERE));
	health_up(w, "web-1", 1, &site, 1);
	health_up(w, "db-1", 2, &records, 1);
	http_says(w, "site", "web-1", PROBE_OK);
	http_says(w, "records", "db-1", PROBE_OK);
	world_after(w, MINUTE);
}

static struct incident fails_with(struct world *w, const char *text)
{
	struct health_transitions moved = {0};
	struct incident i = {0};
	enum incident_event event = INCIDENT_NOTHING;
	struct probe_result one = probed(w, "http", PROBE_CRITICAL);
	one.text = text;
	struct health_report r = {.service = "site", .results = {&one, 1}};
	struct host h = host_now(w, "web-1");
	ok(health_on_report(w->turn, &health_rules, &h, w->now_ms, &r, &moved, ERR_HERE));
	for (size_t k = 0; k < moved.count; k++)
		ok(incident_on_transition(w->turn, &incident_rules, &moved.items[k], &i, &event, ERR_HERE));
	assert_int_not_equal(event, INCIDENT_NOTHING);
	return i;
}

static void compared(struct world *w, uint64_t changed)
{
	world_after(w, 1500);
	drift_is(w, "site", "web-1", COMPONENT_CONFIG, (struct id){{9}}, changed);
}

static struct diagnosis diagnosed(struct world *w, const struct incident *i)
{
	struct diagnosis d;
	ok(diagnosis_compute(w->turn, i->incident, &d, ERR_HERE));
	return d;
}

static void runs(const struct diagnosis *d, const char *service, const char *action)
{
	assert_false(d->abstained);
	const struct fix *f = &LIST_AT(d->fixes, struct fix, 0);
	assert_int_equal(f->action, FIX_RUN);
	assert_string_equal(f->service, service);
	assert_string_equal(f->run, action);
	assert_int_equal(f->hosts.count, 1);
	assert_non_null(strstr(LIST_AT(f->commands, const char *, 0), "kedge action start"));
}

static void test_a_process_that_is_gone_is_started(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	struct incident i = fails_with(&w, "process 7 of site.pid does not run");
	compared(&w, 0);
	struct diagnosis d = diagnosed(&w, &i);
	runs(&d, "site", "anew");
	assert_true(d.confidence > 0.5);
	world_close(&w);
}

static void test_nothing_is_sure_before_the_host_has_compared(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	struct incident i = fails_with(&w, "process 7 of site.pid does not run");
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.confidence < 0.5);
	world_close(&w);
}

static void test_what_changed_comes_before_a_restart(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	struct incident i = fails_with(&w, "process 7 of site.pid does not run");
	compared(&w, 1);
	struct diagnosis d = diagnosed(&w, &i);
	assert_int_equal(LIST_AT(d.fixes, struct fix, 0).action, FIX_ROLLBACK);
	world_close(&w);
}

static void test_the_remedy_that_is_asked_for(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	struct incident i = fails_with(&w, "spool: No space left on device");
	compared(&w, 0);
	struct diagnosis d = diagnosed(&w, &i);
	runs(&d, "site", "sweep");
	world_close(&w);
}

static void test_what_it_says_of_a_database_is_the_databases(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	struct incident i = fails_with(&w, "FATAL: sorry, too many clients already");
	compared(&w, 0);
	struct diagnosis d = diagnosed(&w, &i);
	runs(&d, "records", "end-idle");
	world_close(&w);
}

/* Who did not answer in time is not known before those that it leans on have shown to be well. */
static void test_silence_may_be_of_somebody_else(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	struct incident i = fails_with(&w, "timed out after 2 s");
	compared(&w, 0);
	assert_true(diagnosed(&w, &i).confidence < 0.5);
	world_after(&w, 5000);
	http_says(&w, "records", "db-1", PROBE_OK);
	struct diagnosis d = diagnosed(&w, &i);
	runs(&d, "site", "anew");
	assert_true(d.confidence > 0.5);
	world_close(&w);
}

static void over(struct world *w, const struct incident *i)
{
	struct incident now;
	struct incident_config c = {0};
	struct actor person = actor_operator("ada", "10.0.0.9");
	http_says(w, "site", "web-1", PROBE_OK);
	ok(incident_resolve(w->turn, &c, &person, i->incident, "over", &now, ERR_HERE));
	ok(incident_close(w->turn, &person, i->incident, "reviewed", &now, ERR_HERE));
	world_after(w, 2 * HOUR);
}

/* Diagnosed as a changed configuration; a person says that it was something else. */
static struct incident misdiagnosed(struct world *w, const char *cause, const struct cause_named *named)
{
	struct actor person = actor_operator("ada", "10.0.0.9");
	struct past_incident p;
	bool kept;
	struct incident i = fails_with(w, "the page took 31 s");
	compared(w, 1);
	struct diagnosis d = diagnosed(w, &i);
	assert_true(LIST_AT(d.suspects, struct suspect, 0).has_component);
	d.diagnosis = turn_id(w->turn);
	ok(diagnosis_record(w->turn, &d, &kept, ERR_HERE));
	ok(learning_correct(w->turn, &person, i.incident, cause, named, &p, ERR_HERE));
	over(w, &i);
	return i;
}

static void test_a_corrected_cause_is_named_the_next_time(void **state)
{
	(void)state;
	struct world w;
	struct cause_named sweep = {.service = "site", .action = "sweep"};
	site_open(&w);
	misdiagnosed(&w, "old uploads slow the page down", &sweep);
	struct incident again = fails_with(&w, "the page took 47 s");
	compared(&w, 1);
	struct diagnosis d = diagnosed(&w, &again);
	runs(&d, "site", "sweep");
	assert_non_null(strstr(d.root_cause, "old uploads"));
	struct incident other = again;
	over(&w, &other);
	again = fails_with(&w, "connection refused"); /* does not look like it */
	compared(&w, 1);
	d = diagnosed(&w, &again);
	assert_true(LIST_AT(d.suspects, struct suspect, 0).has_component);
	world_close(&w);
}

static void test_words_alone_correct_too(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	misdiagnosed(&w, "the provider's line was slow", NULL);
	struct incident again = fails_with(&w, "the page took 47 s");
	compared(&w, 1);
	struct diagnosis d = diagnosed(&w, &again);
	assert_false(d.abstained);
	assert_non_null(strstr(d.root_cause, "the provider's line"));
	assert_int_equal(LIST_AT(d.fixes, struct fix, 0).action, FIX_INVESTIGATE); /* words make no step */
	world_close(&w);
}

/* A database that answers with an error that nobody has written down: what it holds, rather than a restart. */
static bool blames_what_it_holds(const char *text)
{
	static uint32_t restart[] = {REMEDY_RESTART}, database[] = {COMPONENT_DATABASE};
	static struct declared_action anew = {.name = "anew", .remedies = {restart, 1}};
	struct world w;
	struct declared_service records = {
	    .name = "records", .components = {database, 1}, .actions = {&anew, 1}, .probes = 1};
	struct health_transitions moved = {0};
	struct incident i = {0};
	enum incident_event event = INCIDENT_NOTHING;
	world_open(&w);
	health_up(&w, "web-1", 1, &records, 1);
	http_says(&w, "records", "web-1", PROBE_OK);
	world_after(&w, MINUTE);
	struct probe_result one = probed(&w, "query", PROBE_CRITICAL);
	one.text = text;
	struct health_report r = {.service = "records", .results = {&one, 1}};
	struct host h = host_now(&w, "web-1");
	ok(health_on_report(w.turn, &health_rules, &h, w.now_ms, &r, &moved, ERR_HERE));
	for (size_t k = 0; k < moved.count; k++)
		ok(incident_on_transition(w.turn, &incident_rules, &moved.items[k], &i, &event, ERR_HERE));
	world_after(&w, 2000);
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.suspects.count > 0);
	const struct suspect *s = &LIST_AT(d.suspects, struct suspect, 0);
	bool holds = s->has_component && s->component == COMPONENT_DATABASE;
	world_close(&w);
	return holds;
}

static void test_who_answers_with_errors_is_not_restarted_first(void **state)
{
	(void)state;
	assert_true(blames_what_it_holds("psql: error: FATAL:  something that nobody has seen"));
	assert_true(blames_what_it_holds("ERROR:  the ledger is sealed"));
	assert_false(blames_what_it_holds("psql: error: FATAL: could not connect: Connection refused"));
	assert_false(blames_what_it_holds("no answer for 900 ms"));
}

/* ---- how it went ---- */

struct course {
	const char *text;
	bool gone;
	uint64_t passed_ms_ago; /* of the failing probe; 0: never */
	enum component component;
	struct drift_report drift;
	uint64_t changed_ms_ago;
	double deleted, temporary;
	uint64_t rare_ms_ago; /* another probe fails, too, and was good then; 0: none does */
	bool elsewhere;       /* the change is of what it leans on, which is well */
	uint64_t after_ms;    /* the fault, when somebody looks; 0: when all has been compared */
	const char *line;     /* of its log, or NULL */
};

static void writes(struct world *w, const char *line)
{
	struct log_template l = {.template_id = 7,
	    .template_text = line,
	    .severity = LOG_SEVERITY_ERROR,
	    .count = 1,
	    .first_ms = w->now_ms,
	    .last_ms = w->now_ms,
	    .sample = line,
	    .is_new = true};
	struct log_report r = {.service = "site", .source = "/var/log/error.log", .templates = {&l, 1}, .lines = 1};
	struct host h = host_now(w, "web-1");
	ok(diagnosis_on_log_report(w->turn, &h, &r, ERR_HERE));
}

static struct diagnosis after(struct world *w, const struct course *c)
{
	struct health_transitions moved = {0};
	struct incident i = {0};
	enum incident_event event = INCIDENT_NOTHING;
	struct metric held[] = {{.name = "deleted", .unit = "B", .value = c->deleted},
	    {.name = "temporary", .unit = "%", .value = c->temporary}};
	struct probe_result one = probed(w, "http", PROBE_CRITICAL);
	one.text = c->text;
	one.gone = c->gone;
	one.passed_ms = c->passed_ms_ago ? w->now_ms - c->passed_ms_ago : 0;
	one.metrics = (struct list){held, 2};
	struct probe_result both[] = {one, probed(w, "room", PROBE_CRITICAL)};
	both[1].text = c->text;
	both[1].passed_ms = w->now_ms - c->rare_ms_ago;
	struct health_report r = {.service = "site", .results = {both, c->rare_ms_ago ? 2 : 1}};
	struct host h = host_now(w, "web-1");
	ok(health_on_report(w->turn, &health_rules, &h, w->now_ms, &r, &moved, ERR_HERE));
	for (size_t k = 0; k < moved.count; k++)
		ok(incident_on_transition(w->turn, &incident_rules, &moved.items[k], &i, &event, ERR_HERE));
	uint64_t fault_ms = w->now_ms;
	if (c->line)
		writes(w, c->line);
	world_after(w, c->after_ms ? c->after_ms : 1500);
	struct drift_report d = c->drift;
	d.service = c->elsewhere ? "records" : "site";
	d.component = c->component;
	d.newest_change_ms = fault_ms - c->changed_ms_ago;
	if (c->elsewhere)
		drift_is(w, "site", "web-1", COMPONENT_CONFIG, (struct id){{9}}, 0);
	struct host there = host_now(w, c->elsewhere ? "db-1" : "web-1");
	ok(fleet_on_drift(w->turn, &there, &d, ERR_HERE));
	return diagnosed(w, &i);
}

static void brings_back(const struct diagnosis *d, enum component component)
{
	const struct fix *f = &LIST_AT(d->fixes, struct fix, 0);
	assert_int_equal(f->action, FIX_ROLLBACK);
	assert_int_equal(LIST_AT(f->components, uint32_t, 0), component);
}

/* A comment was added ten seconds ago, what fails now passed after that, and the service would take its configuration:
 * it is not what killed the process. */
static void test_a_change_that_was_outlived_is_not_the_cause(void **state)
{
	(void)state;
	struct world w;
	struct course c = {.text = "process 7 of site.pid does not run",
	    .gone = true,
	    .passed_ms_ago = 1000,
	    .changed_ms_ago = 10000,
	    .drift = {.changed = 1, .checked = true}};
	site_open(&w);
	struct diagnosis d = after(&w, &c);
	runs(&d, "site", "anew");
	world_close(&w);
	c.rare_ms_ago = 25000; /* what is looked at rarely contradicts nothing */
	site_open(&w);
	d = after(&w, &c);
	runs(&d, "site", "anew");
	world_close(&w);
	c.rare_ms_ago = 0;
	c.changed_ms_ago = 500; /* just now: it may be */
	c.drift.checked = false;
	site_open(&w);
	d = after(&w, &c);
	brings_back(&d, COMPONENT_CONFIG);
	world_close(&w);
}

/* The comparison was quick and the reason is on its way: that nobody is sure of, and soon the reason is. */
static void test_nobody_is_sure_at_once_of_what_was_outlived(void **state)
{
	(void)state;
	struct world w;
	struct course c = {.text = "spool: No space left on device",
	    .passed_ms_ago = 1000,
	    .changed_ms_ago = 10000,
	    .after_ms = 100,
	    .drift = {.changed = 1, .checked = true}};
	site_open(&w);
	struct diagnosis d = after(&w, &c);
	assert_true(d.share < 0.5);
	world_close(&w);
	c.after_ms = 0;
	site_open(&w);
	d = after(&w, &c);
	runs(&d, "site", "sweep");
	world_close(&w);
}

/* What a service leans on changed, and what fails passed after that. */
static void test_a_change_elsewhere_is_outlived_too(void **state)
{
	(void)state;
	double sure[2];
	for (int outlived = 0; outlived < 2; outlived++) {
		struct world w;
		struct course c = {.text = "no answer for 900 ms",
		    .elsewhere = true,
		    .component = COMPONENT_DATABASE,
		    .passed_ms_ago = 1000,
		    .changed_ms_ago = outlived ? 10000 : 500,
		    .drift = {.changed = 1}};
		site_open(&w);
		struct diagnosis d = after(&w, &c);
		sure[outlived] = 0;
		for (size_t i = 0; i < d.suspects.count; i++)
			if (LIST_AT(d.suspects, struct suspect, i).has_component)
				sure[outlived] = LIST_AT(d.suspects, struct suspect, i).confidence;
		world_close(&w);
	}
	assert_true(sure[0] > 0.5);
	assert_true(sure[1] < 0.8 * sure[0]);
}

/* Begun anew it would end again: it has said why it ended. */
static void test_who_says_why_it_ended_is_hardly_begun_anew(void **state)
{
	(void)state;
	double sure[2];
	for (int says = 0; says < 2; says++) {
		struct world w;
		site_open(&w);
		struct diagnosis d = after(&w, &(struct course){.text = "process 7 of site.pid does not run",
						   .gone = true,
						   .line = says ? "a table of weights must be given" : NULL});
		runs(&d, "site", "anew");
		sure[says] = d.share;
		world_close(&w);
	}
	assert_true(sure[1] < sure[0] - 0.1);
}

/* No answer comes, and its database says that sessions wait for one that keeps a lock: that one is ended, nobody is
 * begun anew. */
static void test_who_keeps_a_lock_is_ended(void **state)
{
	(void)state;
	struct world w;
	struct health_transitions moved = {0};
	site_open(&w);
	struct incident i = fails_with(&w, "timed out after 900 ms");
	struct metric blocked[] = {{.name = "blocked", .value = 3}, {.name = "blocked_by_idle", .value = 3}};
	struct probe_result inside = probed(&w, "postgres", PROBE_OK);
	inside.text = "3 sessions wait for locks";
	inside.metrics = (struct list){blocked, 2};
	struct health_report r = {.service = "records", .results = {&inside, 1}};
	compared(&w, 0);
	world_after(&w, 2000);
	struct host h = host_now(&w, "db-1");
	ok(health_on_report(w.turn, &health_rules, &h, w.now_ms, &r, &moved, ERR_HERE));
	struct diagnosis d = diagnosed(&w, &i);
	runs(&d, "records", "end-idle");
	assert_non_null(strstr(d.root_cause, "3 sessions wait for locks"));
	world_close(&w);
}

/* It was broken while the old one ran, and shows when that is begun anew: its own check says so. */
static void test_what_its_own_check_refuses_is_the_cause(void **state)
{
	(void)state;
	struct world w;
	struct course c = {.text = "process 7 of site.pid does not run",
	    .gone = true,
	    .passed_ms_ago = 1000,
	    .changed_ms_ago = 60000,
	    .drift = {.changed = 1, .checked = true, .refused = "unexpected end of file"}};
	site_open(&w);
	struct diagnosis d = after(&w, &c);
	brings_back(&d, COMPONENT_CONFIG);
	assert_true(d.confidence > 0.8);
	world_close(&w);
}

/* It minds a certificate that was replaced after the last change of its configuration, and that was outlived. */
static void test_what_its_check_says_of_another_file_does_not_speak_against_a_change(void **state)
{
	(void)state;
	double sure[2];
	for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
		struct world w;
		struct course c = {.text = "process 7 of site.pid does not run",
		    .gone = true,
		    .passed_ms_ago = 1000,
		    .changed_ms_ago = 10000,
		    .drift = {.changed = 1,
			.checked = true,
			.refused = "cannot load certificate /srv/tls/site.pem: no start line",
			.refused_elsewhere = elsewhere}};
		site_open(&w);
		struct diagnosis d = after(&w, &c);
		const struct suspect *first = &LIST_AT(d.suspects, struct suspect, 0);
		sure[elsewhere] = first->has_component ? first->confidence : 0;
		world_close(&w);
	}
	assert_true(sure[0] > 0.8);
	assert_true(sure[1] < 0.5);
}

static void test_who_took_the_room_gives_it_back(void **state)
{
	(void)state;
	struct world w;
	struct course c = {
	    .text = "spool: No space left on device", .drift = {.added = 1, .changed = 1, .metadata = 1}};
	site_open(&w);
	struct diagnosis d = after(&w, &(struct course){.text = c.text});
	runs(&d, "site", "sweep"); /* nobody is known to */
	world_close(&w);
	site_open(&w);
	c.drift.grown_bytes = 20 << 20;
	d = after(&w, &c);
	brings_back(&d, COMPONENT_CONFIG);
	world_close(&w);
	site_open(&w);
	d = after(&w, &(struct course){.text = c.text, .deleted = 20 << 20});
	runs(&d, "site", "anew"); /* a process holds what has no name */
	world_close(&w);
	site_open(&w);
	d = after(&w, &(struct course){.text = c.text, .temporary = 40});
	runs(&d, "site", "hang-up"); /* sessions sort */
	world_close(&w);
	site_open(&w);
	d = after(&w, &(struct course){.text = c.text, .temporary = 4});
	runs(&d, "site", "sweep"); /* but not that much */
	world_close(&w);
}

/* A service with a database of its own, which declares an action for connections, room and certificates. */
static void ledger_open(struct world *w)
{
	static uint32_t restart[] = {REMEDY_RESTART}, space[] = {REMEDY_SPACE}, connections[] = {REMEDY_CONNECTIONS},
			certificate[] = {REMEDY_CERTIFICATE}, holds[] = {COMPONENT_CONFIG, COMPONENT_DATABASE};
	static struct declared_action actions[] = {{.name = "anew", .remedies = {restart, 1}},
	    {.name = "sweep", .remedies = {space, 1}}, {.name = "hang-up", .remedies = {connections, 1}},
	    {.name = "renew", .remedies = {certificate, 1}}};
	struct declared_service site = {.name = "site", .components = {holds, 2}, .actions = {actions, 4}, .probes = 1};
	struct list entries = {0};
	world_open(w);
	ok(knowledge_parse("known.yaml", known, strlen(known), turn_arena(w->turn), &entries, ERR_HERE));
	ok(learning_knowledge_seed(w->turn, &entries, ERR_HERE));
	health_up(w, "web-1", 1, &site, 1);
	http_says(w, "site", "web-1", PROBE_OK);
	world_after(w, MINUTE);
}

/* A database is not compared file by file; that it took the room is told all the same. */
static void test_a_database_that_took_the_room_gives_it_back(void **state)
{
	(void)state;
	for (int grown = 0; grown < 2; grown++) {
		struct world w;
		struct course c = {.text = "query: No space left on device", .component = COMPONENT_DATABASE};
		c.drift.grown_bytes = grown ? 100 << 20 : 0;
		ledger_open(&w);
		struct diagnosis d = after(&w, &c);
		if (grown)
			brings_back(&d, COMPONENT_DATABASE);
		else
			runs(&d, "site", "sweep");
		world_close(&w);
	}
}

/* A limit that is stored in the database is not made wider by ending sessions. */
static void test_a_limit_that_was_set_is_not_a_lack(void **state)
{
	(void)state;
	for (int altered = 0; altered < 3; altered++) {
		struct world w;
		struct course c = {.text = "FATAL: too many for role app", .component = COMPONENT_DATABASE};
		c.drift.changed = altered ? 1 : 0;
		c.changed_ms_ago = altered == 2 ? 10000 : 500;
		c.passed_ms_ago = 100; /* the second: outlived */
		if (altered == 1)
			c.passed_ms_ago = 600;
		ledger_open(&w);
		struct diagnosis d = after(&w, &c);
		if (altered == 1)
			brings_back(&d, COMPONENT_DATABASE);
		else
			runs(&d, "site", "hang-up");
		world_close(&w);
	}
}

/* The role cannot ask any more what changed; that hardly any was used before says that nobody used them up. */
static void test_who_had_enough_just_now_has_a_limit(void **state)
{
	(void)state;
	static const double used[] = {15, 95};
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		struct course c = {.text = "FATAL: too many for role app", .component = COMPONENT_DATABASE};
		struct health_sample sample;
		ledger_open(&w);
		sample = (struct health_sample){.at_ms = w.now_ms, .value = used[i]};
		struct health_metric m = {.service = "site",
		    .host = "web-1",
		    .metric = "postgres.connections",
		    .unit = "%",
		    .samples = {&sample, 1}};
		ok(turn_put(w.turn, &health_metric_table, &m, ERR_HERE));
		world_after(&w, 1000);
		struct diagnosis d = after(&w, &c);
		if (i == 0)
			brings_back(&d, COMPONENT_DATABASE);
		else
			runs(&d, "site", "hang-up");
		world_close(&w);
	}
}

/* Its process is gone, and its own check names what lies outside of all that is compared: started it would end again.
 */
static void test_what_its_own_check_names_is_heard(void **state)
{
	(void)state;
	for (int refused = 0; refused < 2; refused++) {
		struct world w;
		struct course c = {.text = "process 7 of site.pid does not run", .gone = true};
		c.drift.checked = true;
		c.drift.refused = refused ? "key values mismatch" : NULL;
		ledger_open(&w);
		struct diagnosis d = after(&w, &c);
		runs(&d, "site", refused ? "renew" : "anew");
		assert_true(!refused || d.share > 0.75);
		world_close(&w);
	}
}

static void was_run(struct world *w, const char *action, uint64_t ago_ms)
{
	static struct plan_host there[] = {{.host = "web-1"}};
	struct plan *p = arena_alloc(turn_arena(w->turn), sizeof *p);
	*p = (struct plan){.plan = turn_id(w->turn),
	    .rollback = turn_id(w->turn),
	    .kind = ORDER_ACTION,
	    .service = "site",
	    .action = action,
	    .hosts = {there, 1},
	    .not_before_ms = w->now_ms - ago_ms - 1000,
	    .expires_ms = w->now_ms,
	    .reason = "no room",
	    .author = "ada"};
	struct change c = {.change = turn_id(w->turn),
	    .number = 9,
	    .state = CHANGE_COMPLETED,
	    .service = "site",
	    .requested_by = "ada",
	    .began_ms = w->now_ms - ago_ms - 500,
	    .ended_ms = w->now_ms - ago_ms,
	    .plan = p};
	ok(turn_put(w->turn, &change_table, &c, ERR_HERE));
}

/* Room was freed, and soon there is none again: whatever changed before that is the likelier cause, though it was well
 * for a moment in between.  What was freed minutes ago, for another incident, says nothing. */
static void test_what_did_not_last_is_not_done_again(void **state)
{
	(void)state;
	static const uint64_t ago_ms[] = {0, 5000, 5 * MINUTE};
	for (size_t i = 0; i < sizeof ago_ms / sizeof ago_ms[0]; i++) {
		struct world w;
		struct course c = {.text = "spool: No space left on device",
		    .passed_ms_ago = 1000,
		    .changed_ms_ago = 20000,
		    .drift = {.changed = 1, .checked = true}};
		ledger_open(&w);
		world_after(&w, 3 * HOUR);
		http_says(&w, "site", "web-1", PROBE_OK);
		if (ago_ms[i])
			was_run(&w, "sweep", ago_ms[i]);
		struct diagnosis d = after(&w, &c);
		if (i == 1)
			brings_back(&d, COMPONENT_CONFIG);
		else
			runs(&d, "site", "sweep");
		world_close(&w);
	}
}

/* Nothing can be brought back where there is no room for it: what the place declares against that goes before. */
static void test_room_is_made_for_what_is_brought_back(void **state)
{
	(void)state;
	for (int full = 0; full < 2; full++) {
		struct world w;
		struct course c = {.text = full ? "page: 503; spool: No space left on device" : "page: 503",
		    .passed_ms_ago = 600,
		    .changed_ms_ago = 500,
		    .drift = {.changed = 1, .checked = true, .refused = "unexpected end of file"}};
		ledger_open(&w);
		struct diagnosis d = after(&w, &c);
		brings_back(&d, COMPONENT_CONFIG);
		const struct fix *f = &LIST_AT(d.fixes, struct fix, 0);
		if (full)
			assert_string_equal(f->first, "sweep");
		else
			assert_null(f->first);
		assert_int_equal(strstr(LIST_AT(f->commands, const char *, 0), " --first sweep ") != NULL, full);
		world_close(&w);
	}
}

/* A certificate that is made on a full disk is empty. */
static void test_room_is_made_before_anything_else_is_done(void **state)
{
	(void)state;
	for (int full = 0; full < 2; full++) {
		struct world w;
		struct course c = {
		    .text = full ? "key values mismatch\nspool: No space left on device" : "key values mismatch"};
		ledger_open(&w);
		struct diagnosis d = after(&w, &c);
		runs(&d, "site", full ? "sweep" : "renew");
		assert_true(d.share > 0.5);
		world_close(&w);
	}
}

/* The same was done while it failed, for another incident: it fails still, so that was not what ails it. */
static void test_what_was_done_for_another_incident_is_not_done_again(void **state)
{
	(void)state;
	for (int later = 0; later < 2; later++) {
		struct world w;
		struct course c = {.text = "spool: No space left on device",
		    .passed_ms_ago = 1000,
		    .changed_ms_ago = 20000,
		    .drift = {.changed = 1, .checked = true}};
		ledger_open(&w);
		world_after(&w, 3 * HOUR);
		http_says(&w, "site", "web-1", PROBE_OK);
		struct diagnosis d = after(&w, &c);
		runs(&d, "site", "sweep");
		was_run(&w, "sweep", 0);
		world_after(&w, later ? 5000 : 500); /* what it did has to show first */
		ok(diagnosis_compute(w.turn, d.incident, &d, ERR_HERE));
		if (later)
			brings_back(&d, COMPONENT_CONFIG);
		else
			runs(&d, "site", "sweep");
		world_close(&w);
	}
}

/* What is known of it leads to nothing that could be done: it is begun anew, and that is not sure. */
static void test_there_is_always_something_to_try(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	struct diagnosis d = after(&w, &(struct course){.text = "records: No answer was understood"});
	http_says(&w, "records", "db-1", PROBE_OK);
	runs(&d, "site", "anew");
	assert_true(d.confidence < 0.6);
	world_close(&w);
}

/* What a database is made of, and the owners of its files. */
static void test_what_a_database_is_made_of_changed(void **state)
{
	(void)state;
	static uint32_t modes[] = {REMEDY_PERMISSIONS}, database[] = {COMPONENT_DATABASE};
	static struct declared_action own = {.name = "own", .remedies = {modes, 1}};
	struct declared_service site = {.name = "site", .components = {database, 1}, .actions = {&own, 1}, .probes = 1};
	for (int only_modes = 0; only_modes < 2; only_modes++) {
		struct world w;
		struct course c = {.text = "no answer for 900 ms",
		    .component = COMPONENT_DATABASE,
		    .drift = {.changed = 2, .metadata = only_modes ? 2 : 0}};
		world_open(&w);
		health_up(&w, "web-1", 1, &site, 1);
		http_says(&w, "site", "web-1", PROBE_OK);
		world_after(&w, MINUTE);
		struct diagnosis d = after(&w, &c);
		if (only_modes)
			runs(&d, "site", "own");
		else
			brings_back(&d, COMPONENT_DATABASE);
		world_close(&w);
	}
}

static void test_a_corrected_cause_must_be_there(void **state)
{
	(void)state;
	struct world w;
	struct past_incident p;
	struct actor person = actor_operator("ada", "10.0.0.9");
	uint32_t data = COMPONENT_DATA;
	struct cause_named nobody = {.service = "nobody"}, no_action = {.service = "site", .action = "format"},
			   no_component = {.service = "site", .components = {&data, 1}}, alone = {.action = "sweep"};
	site_open(&w);
	struct incident i = fails_with(&w, "x");
	assert_int_equal(learning_correct(w.turn, &person, i.incident, "c", &nobody, &p, NULL), ERR_NOT_FOUND);
	assert_int_equal(learning_correct(w.turn, &person, i.incident, "c", &no_action, &p, NULL), ERR_NOT_FOUND);
	assert_int_equal(learning_correct(w.turn, &person, i.incident, "c", &no_component, &p, NULL), ERR_NOT_FOUND);
	assert_int_equal(learning_correct(w.turn, &person, i.incident, "c", &alone, &p, NULL), ERR_INVALID);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_process_that_is_gone_is_started),
	    cmocka_unit_test(test_nothing_is_sure_before_the_host_has_compared),
	    cmocka_unit_test(test_what_changed_comes_before_a_restart),
	    cmocka_unit_test(test_the_remedy_that_is_asked_for),
	    cmocka_unit_test(test_what_it_says_of_a_database_is_the_databases),
	    cmocka_unit_test(test_silence_may_be_of_somebody_else),
	    cmocka_unit_test(test_a_corrected_cause_is_named_the_next_time),
	    cmocka_unit_test(test_words_alone_correct_too),
	    cmocka_unit_test(test_a_corrected_cause_must_be_there),
	    cmocka_unit_test(test_who_answers_with_errors_is_not_restarted_first),
	    cmocka_unit_test(test_a_change_that_was_outlived_is_not_the_cause),
	    cmocka_unit_test(test_nobody_is_sure_at_once_of_what_was_outlived),
	    cmocka_unit_test(test_a_change_elsewhere_is_outlived_too),
	    cmocka_unit_test(test_who_says_why_it_ended_is_hardly_begun_anew),
	    cmocka_unit_test(test_who_keeps_a_lock_is_ended),
	    cmocka_unit_test(test_what_its_own_check_refuses_is_the_cause),
	    cmocka_unit_test(test_what_its_check_says_of_another_file_does_not_speak_against_a_change),
	    cmocka_unit_test(test_who_took_the_room_gives_it_back),
	    cmocka_unit_test(test_a_database_that_took_the_room_gives_it_back),
	    cmocka_unit_test(test_a_limit_that_was_set_is_not_a_lack),
	    cmocka_unit_test(test_who_had_enough_just_now_has_a_limit),
	    cmocka_unit_test(test_what_its_own_check_names_is_heard),
	    cmocka_unit_test(test_what_did_not_last_is_not_done_again),
	    cmocka_unit_test(test_room_is_made_for_what_is_brought_back),
	    cmocka_unit_test(test_room_is_made_before_anything_else_is_done),
	    cmocka_unit_test(test_what_was_done_for_another_incident_is_not_done_again),
	    cmocka_unit_test(test_there_is_always_something_to_try),
	    cmocka_unit_test(test_what_a_database_is_made_of_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
