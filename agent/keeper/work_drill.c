#include "agent/keeper/work_drill.h"

#include "agent/keeper/upkeep.h"
#include "agent/rollback/drill.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static void tell(const struct work_out *out, enum importance importance, struct report *r)
{
	r->sequence = 1; /* the link gives the real one */
	r->at_ms = clock_wall_ms();
	r->importance = importance;
	out->report(out->ctx, r);
}

void work_drill(
    const struct agent_config *c, struct repo *r, const char *service, const struct work_out *out, struct arena *arena)
{
	const struct service_config *config = agent_config_service(c, service);
	struct drill_report done;
	struct err err = ERR_INIT;
	char took[TEXT_TIME_MAX];
	if (!config)
		return;
	upkeep_gently();
	enum err_code rc = drill_run(r, c->state_directory, config, clock_wall_ms(), out->cancel, arena, &done, &err);
	if (rc != ERR_OK) {
		if (rc != ERR_CANCELLED && rc != ERR_BUSY)
			log_error("drill", "service=%s not practised: %s", service, err.msg);
		return;
	}
	struct report report = {.drill = &done};
	tell(out, IMPORTANCE_EVENT, &report);
	if (done.ok) {
		log_info("drill", "service=%s %s came back in %s%s", service, id_text(ID_SNAPSHOT, done.snapshot),
		    text_duration_human(done.took_ms, took), done.checked ? ", and passed its check" : "");
		return;
	}
	log_error("drill", "service=%s could not be brought back: %s", service, done.text ? done.text : "?");
	struct notice_report notice = {
	    .severity = SEVERITY_HIGH, .what = "drill-failed", .service = service, .text = done.text ? done.text : "?"};
	struct report raised = {.notice = &notice};
	tell(out, IMPORTANCE_EVENT, &raised);
}
