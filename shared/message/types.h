/* shared/message/types.h: the words that agents, controller and operators share, as enums with their names.
 * Names are stable: they stand in the store, on the wire and in scripts.  Values are only for this process. */
#ifndef KEDGE_SHARED_MESSAGE_TYPES_H
#define KEDGE_SHARED_MESSAGE_TYPES_H

#include "shared/base/limits.h"
#include "shared/record/record.h"

enum {
	VERSION_MAX_BYTES = 128, /* a git commit, a release's folder name, a program's version */
	DAY_MS = 24 * 60 * 60 * 1000,
};

/* The order is the ladder of a progressive rollback: cheapest first. */
enum component { COMPONENT_CONFIG, COMPONENT_CODE, COMPONENT_DATA, COMPONENT_DATABASE, COMPONENT_COUNT };
extern const struct enum_type component_enum; /* config code data database */
/* A list of enum component as bits (1u << component); values must have been checked. */
uint32_t component_set(const struct list *components);
/* No value twice, none outside the enum: ERR_INVALID. */
ERR_CHECK enum err_code components_check(const struct list *components, struct err *reterr);

enum health { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_DOWN, HEALTH_MAINTENANCE, HEALTH_COUNT };
extern const struct enum_type health_enum; /* UNKNOWN HEALTHY DEGRADED DOWN MAINTENANCE */

/* Nagios plugin results; UNKNOWN first because no evidence is the default. */
enum probe_state { PROBE_UNKNOWN, PROBE_OK, PROBE_WARNING, PROBE_CRITICAL, PROBE_STATE_COUNT };
extern const struct enum_type probe_state_enum; /* unknown ok warning critical */

enum probe_tier { PROBE_SHALLOW, PROBE_DEEP, PROBE_FULL, PROBE_TIER_COUNT };
extern const struct enum_type probe_tier_enum; /* shallow deep full: 30 s, 5 min, 30 min by default */

enum severity { SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL, SEVERITY_COUNT };
extern const struct enum_type severity_enum; /* low medium high critical */

enum log_severity {
	LOG_SEVERITY_NONE,
	LOG_SEVERITY_DEBUG,
	LOG_SEVERITY_INFO,
	LOG_SEVERITY_WARNING,
	LOG_SEVERITY_ERROR,
	LOG_SEVERITY_FATAL,
	LOG_SEVERITY_COUNT
};
extern const struct enum_type log_severity_enum; /* none debug info warning error fatal */

/* Why a restore point was taken.  Those taken during an incident or as a safety net are never last known good. */
enum snapshot_reason {
	SNAPSHOT_SCHEDULED,
	SNAPSHOT_MANUAL,
	SNAPSHOT_EMERGENCY,
	SNAPSHOT_SAFETY,
	SNAPSHOT_REASON_COUNT
};
extern const struct enum_type snapshot_reason_enum; /* scheduled manual emergency safety */

enum order_kind {
	ORDER_ROLLBACK, /* bring components of a service back to a restore point */
	ORDER_UNDO,     /* put back what an earlier order replaced (its safety snapshot) */
	ORDER_SNAPSHOT, /* take a restore point now */
	ORDER_VERIFY,   /* read back and authenticate a restore point */
	ORDER_PROBE,    /* run every probe of a service now and report */
	ORDER_ACTION,   /* run an action that the host declares for a service: no other command */
	ORDER_KIND_COUNT
};
extern const struct enum_type order_kind_enum; /* rollback undo snapshot verify probe action */

/* What an action of a service is good for, in words that services share: what is known of a fault asks for one of
 * these, and the host says which of its actions it is. */
enum remedy {
	REMEDY_RESTART,     /* a process that is gone, stuck or full begins anew */
	REMEDY_CONNECTIONS, /* connections, sessions and locks that nobody uses any more are ended */
	REMEDY_SPACE,       /* what may go from a full disk goes */
	REMEDY_CERTIFICATE, /* a certificate is renewed */
	REMEDY_PERMISSIONS, /* owners and modes are set as they should be */
	REMEDY_COUNT
};
extern const struct enum_type remedy_enum; /* restart connections space certificate permissions */

/* How an order ends: what was proven, never what was hoped.  OPEN is the only one that is not an end. */
enum order_outcome {
	ORDER_OPEN,
	ORDER_OK,
	ORDER_OK_WITH_EXCEPTIONS, /* done, but named paths could not be put back */
	ORDER_REVERTED,           /* tried, failed or unproven, and put back as it was before */
	ORDER_FAILED_DIRTY,       /* neither old nor new could be proven: needs a person */
	ORDER_REFUSED,            /* the host's own rules did not allow it; nothing was touched */
	ORDER_EXPIRED,            /* its deadline passed before it began */
	ORDER_CANCELLED,          /* stopped by an operator before anything changed */
	ORDER_UNREACHABLE,        /* no answer from the host before the deadline */
	ORDER_OUTCOME_COUNT
};
extern const struct enum_type
    order_outcome_enum; /* open ok ok_with_exceptions reverted failed_dirty refused expired cancelled unreachable */

/* Stages of a rollback on a host, in order. */
enum step_kind {
	STEP_PLAN,
	STEP_STAGE,
	STEP_SAFETY,
	STEP_CHECK,
	STEP_STOP,
	STEP_RESTORE,
	STEP_START,
	STEP_VERIFY,
	STEP_UNDO,
	STEP_ACTION,
	STEP_KIND_COUNT
};
extern const struct enum_type step_kind_enum; /* plan stage safety check stop restore start verify undo action */

/* What a spool keeps longest; lower is kept longer. */
enum importance { IMPORTANCE_RESULT, IMPORTANCE_EVENT, IMPORTANCE_HEALTH, IMPORTANCE_METRIC, IMPORTANCE_COUNT };
extern const struct enum_type importance_enum; /* result event health metric */

#endif
