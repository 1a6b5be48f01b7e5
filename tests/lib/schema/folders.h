/* tests/lib/schema/folders.h: every folder that has record types, and what docs/SCHEMA.md says of it.  A new folder
 * gets a line here. */
#ifndef KEDGE_TESTS_LIB_SCHEMA_FOLDERS_H
#define KEDGE_TESTS_LIB_SCHEMA_FOLDERS_H

#include "agent/bucket/wire.h"
#include "agent/channel/channel.h"
#include "agent/config/config.h"
#include "agent/offhost/offhost.h"
#include "agent/orders/orders.h"
#include "certs/enrol.h"
#include "controller/api/query.h"
#include "controller/cases/cases.h"
#include "controller/center/center.h"
#include "controller/center/requests.h"
#include "controller/cli/cli.h"
#include "controller/config/config.h"
#include "controller/store/backup.h"
#include "controller/turn/system.h"
#include "shared/message/message.h"
#include "shared/record/registry.h"

/* agent/snapshot/snapshot.h and controller/change/change.h each have an enum change_kind: no program includes both but
 * this one. */
extern const struct record_type *const snapshot_types[], *const database_types[];
static const struct record_type *const order_types[] = {&order_entry_type, NULL};
static const struct record_type *const store_types[] = {&backup_manifest_type, NULL};
static const struct record_type *const turn_types[] = {&system_state_type, &timer_type, &number_type, NULL};

static const struct record_folder folders[] = {
    {"shared/message", message_types},
    {"agent/config", agent_config_types},
    {"agent/channel", channel_types},
    {"agent/orders", order_types},
    {"agent/snapshot", snapshot_types},
    {"agent/database", database_types},
    {"agent/offhost", offhost_types},
    {"agent/bucket", bucket_types},
    {"controller/config", controller_config_types},
    {"controller/turn", turn_types},
    {"controller/store", store_types},
    {"controller/center", center_types},
    {"controller/audit", audit_types},
    {"controller/access", access_types},
    {"controller/fleet", fleet_types},
    {"controller/health", health_types},
    {"controller/incident", incident_types},
    {"controller/notify", notify_types},
    {"controller/change", change_types},
    {"controller/recovery", recovery_types},
    {"controller/diagnosis", diagnosis_types},
    {"controller/center (requests)", request_types},
    {"controller/api", query_types},
    {"certs", enrol_types},
    {"controller/cli", cli_types},
    {"controller/cases", cases_types},
};
/* Of the same index. */
static const struct {
	const char *title, *text;
} chapters[] = {
    {"Messages", "What agent and controller say to each other; docs/PROTOCOL.md tells when and why."},
    {"agent.yaml", "What a host declares, and therefore allows."},
    {"Within the agent", "What its two processes say to each other."},
    {"The keeper's journal", "Orders on a host, before anything is done for them."},
    {"Snapshots", "Restore points and the repository that holds them."},
    {"Databases", "The archive of a write-ahead log."},
    {"Copies off the host", "What is in an object store, and what is known of that."},
    {"The store's program", "What the agent and `kedge-copy` say to each other."},
    {"kedge-controller.yaml", "How a controller is set up."},
    {"The store", "What the store keeps of itself: deadlines, numbers, whether it was restored."},
    {"Backups", "What lies beside a copy of the store."},
    {"Answers", "The first answer to each request that may be repeated."},
    {"Audit", "Everything that was done or refused."},
    {"Access", "Operators, certificates, enrolment."},
    {"Fleet", "Hosts, services, restore points as the controller knows them, drift."},
    {"Health", "What the evidence says of each service on each host."},
    {"Incidents", "What went wrong, from the first sign to the review."},
    {"Notifications", "Who was told what."},
    {"Changes", "What was asked for, by whose word, and what came of it; standing policies."},
    {"Recovery", "Rollbacks, orders, and what holds automation back."},
    {"Diagnosis", "What broke, why, and how sure that is; log patterns."},
    {"Requests", "What operators may ask, and what they are answered."},
    {"Queries", "What the API shows that no table holds."},
    {"Enrolment", "How a host gets its first certificate."},
    {"The command line",
	"What `kedge -o json` shows that is put together from several tables, and what the API says beside records."},
    {"Cases", "Incidents as files: `kedge analyze cause`."},
};
enum { FOLDERS = sizeof(folders) / sizeof(folders[0]) };
_Static_assert(sizeof(chapters) / sizeof(chapters[0]) == FOLDERS, "a chapter for every folder");

#endif
