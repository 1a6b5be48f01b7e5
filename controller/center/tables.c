/* controller/center/tables.c: every table of the controller. */
#include "controller/center/center.h"
#include "controller/center/workflow.h"
#include "controller/turn/system.h"

const struct table *const workflow_tables[] = {
	/* turn */ &system_table, &number_table, &timer_table,
	/* audit */ &audit_table, &audit_head_table, &audit_checkpoint_table,
	/* access */ &operator_table, &certificate_table, &enrolment_table,
	/* fleet */ &host_table, &service_table, &placement_table, &system_snapshot_table, &drift_table,
	/* health */ &service_health_table, &maintenance_table, &health_history_table, &health_metric_table, &health_trend_table,
	/* incident */ &incident_table, &incident_entry_table,
	/* notify */ &notification_table, &outbox_table, &escalation_table,
	/* change */ &change_table, &change_approval_table, &change_implementation_table, &change_validation_table, &policy_table,
	/* recovery */ &rollback_table, &order_table, &restoration_table, &drill_table, &reach_table, &trouble_table, &brakes_table,
	/* diagnosis */ &diagnosis_table, &error_pattern_table, &past_incident_table, &knowledge_table,
	/* center */ &answer_table,
	NULL,
};
