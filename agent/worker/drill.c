/* agent/worker/drill.c: a practised restore. */
#include "agent/rollback/drill.h"
#include "agent/worker/internal.h"
#include "agent/worker/upkeep.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

/* One service's newest good restore point, brought back into a scratch place: told and, where it went wrong, raised. */
void work_drill(struct work *w)
{
	const char *service = w->spec->service;
	const struct service_config *config = agent_config_service(w->c, service);
	struct drill_report done;
	struct err err = ERR_INIT;
	char took[TEXT_TIME_MAX];
	if (!config)
		return;
	upkeep_gently();
	enum err_code rc =
	    drill_run(w->repo, w->c->state_directory, config, clock_wall_ms(), w->out->cancel, w->arena, &done, &err);
	if (rc != ERR_OK) {
		if (rc != ERR_CANCELLED && rc != ERR_BUSY)
			log_error("drill", "service=%s not practised: %s", service, err.msg);
		return;
	}
	struct report report = {.drill = &done};
	work_tell(w, IMPORTANCE_EVENT, &report);
	if (done.ok) {
		log_info("drill", "service=%s %s came back in %s%s", service, id_text(ID_SNAPSHOT, done.snapshot),
		    text_duration_human(done.took_ms, took), done.checked ? ", and passed its check" : "");
		return;
	}
	log_error("drill", "service=%s could not be brought back: %s", service, done.text ? done.text : "?");
	work_tell_notice(w, SEVERITY_HIGH, "drill-failed", service, done.text ? done.text : "?");
}
