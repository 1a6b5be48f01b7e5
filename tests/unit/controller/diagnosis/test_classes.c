/* What kind of error the new lines tell of, as the diagnosis says it: the learned model at work. */
#include "controller/diagnosis/learning.h"
#include "tests/lib/recovery_world.h"

/* `site` on web-1 leans on `records` on db-1. */
static void site_open(struct world *w)
{
	static uint32_t config[] = {COMPONENT_CONFIG};
	static const char *leans[] = {"records"};
	struct declared_service site = {.name = "site",
				    .components = {config, 1},
				    .depends_on = {leans, 1},
				    .probes = 1},
				records = {.name = "records", .components = {config, 1}, .probes = 1};
	world_open(w);
	health_up(w, "web-1", 1, &site, 1);
	health_up(w, "db-1", 2, &records, 1);
	http_says(w, "site", "web-1", PROBE_OK);
	http_says(w, "records", "db-1", PROBE_OK);
	world_after(w, MINUTE);
}

static void says(
    struct world *w, const char *service, const char *host, uint64_t id, uint32_t severity, const char *line)
{
	struct log_template l = {.template_id = id,
	    .template_text = line,
	    .severity = severity,
	    .count = 1,
	    .first_ms = w->now_ms,
	    .last_ms = w->now_ms,
	    .sample = line,
	    .is_new = true};
	struct log_report r = {.service = service, .source = "/var/log/error.log", .templates = {&l, 1}, .lines = 1};
	struct host h = host_now(w, host);
	ok(diagnosis_on_log_report(w->turn, &h, &r, ERR_HERE));
}

static struct incident fails(struct world *w)
{
	struct health_transitions moved = {0};
	struct incident i = {0};
	enum incident_event event = INCIDENT_NOTHING;
	struct probe_result one = probed(w, "http", PROBE_CRITICAL);
	struct health_report r = {.service = "site", .results = {&one, 1}};
	struct host h = host_now(w, "web-1");
	ok(health_on_report(w->turn, &health_rules, &h, w->now_ms, &r, &moved, ERR_HERE));
	for (size_t k = 0; k < moved.count; k++)
		ok(incident_on_transition(w->turn, &incident_rules, &moved.items[k], &i, &event, ERR_HERE));
	assert_int_not_equal(event, INCIDENT_NOTHING);
	return i;
}

static struct diagnosis diagnosed(struct world *w, const struct incident *i)
{
	struct diagnosis d;
	ok(diagnosis_compute(w->turn, i->incident, &d, ERR_HERE));
	return d;
}

static const struct evidence *evidence_of_kind(const struct diagnosis *d, const char *kind)
{
	for (size_t i = 0; i < d->evidence.count; i++) {
		const struct evidence *e = &LIST_AT(d->evidence, struct evidence, i);
		if (strstr(e->text, "an error of the kind ") == e->text && strstr(e->text, kind))
			return e;
	}
	return NULL;
}

static void test_the_kind_of_an_error_is_said_with_its_evidence(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	says(&w, "site", "web-1", 1, LOG_SEVERITY_ERROR, "upload of <*> failed: no space left on device");
	struct incident i = fails(&w);
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.has_error_class);
	assert_int_equal(d.error_class, CLASS_RESOURCE);
	assert_true(d.error_class_confidence >= 0.5 && d.error_class_confidence <= 1);
	const struct evidence *e = evidence_of_kind(&d, "resource");
	assert_non_null(e);
	assert_int_equal(e->kind, EVIDENCE_LOG);
	assert_string_equal(e->host, "web-1");
	assert_true(e->weight > 0 && e->weight < 1);
	world_close(&w);
}

static void test_what_is_no_error_has_no_kind(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	says(&w, "site", "web-1", 1, LOG_SEVERITY_INFO, "permission denied");
	struct incident i = fails(&w);
	struct diagnosis d = diagnosed(&w, &i);
	assert_false(d.has_error_class);
	assert_null(evidence_of_kind(&d, "auth"));
	world_close(&w);
}

/* Of several lines the surest speaks; what is hardly sure of anything does not. */
static void test_the_surest_line_speaks(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	says(&w, "site", "web-1", 1, LOG_SEVERITY_ERROR, "<*> wobbles");
	says(&w, "site", "web-1", 2, LOG_SEVERITY_ERROR, "permission denied for user <*>");
	struct incident i = fails(&w);
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.has_error_class);
	assert_int_equal(d.error_class, CLASS_AUTH);
	assert_true(d.error_class_confidence > 0.7);
	world_close(&w);
}

/* The cause is in what it leans on: that service's own words are the diagnosis's, not those of the one that fell. */
static void test_the_lines_of_the_cause_come_first(void **state)
{
	(void)state;
	struct world w;
	site_open(&w);
	says(&w, "site", "web-1", 1, LOG_SEVERITY_ERROR, "permission denied for user <*>");
	says(&w, "records", "db-1", 2, LOG_SEVERITY_ERROR, "could not extend file <*>: no space left on device");
	struct incident i = fails(&w);
	assert_int_equal(diagnosed(&w, &i).error_class, CLASS_AUTH);
	drift_is(&w, "records", "db-1", COMPONENT_CONFIG, (struct id){{9}}, 1);
	http_says(&w, "records", "db-1", PROBE_CRITICAL);
	world_after(&w, 2000);
	struct diagnosis d = diagnosed(&w, &i);
	assert_string_equal(LIST_AT(d.suspects, struct suspect, 0).service, "records");
	assert_false(d.abstained);
	assert_int_equal(d.error_class, CLASS_RESOURCE);
	assert_true(evidence_of_kind(&d, "auth") && evidence_of_kind(&d, "resource"));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_kind_of_an_error_is_said_with_its_evidence),
	    cmocka_unit_test(test_what_is_no_error_has_no_kind),
	    cmocka_unit_test(test_the_surest_line_speaks),
	    cmocka_unit_test(test_the_lines_of_the_cause_come_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
