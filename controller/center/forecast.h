/* controller/center/forecast.h: people are told before something is full.
 *
 * A forecast whose near end has come within the horizon of health_config is told once to the first level, and again
 * only after it had receded (controller/health decides both).  The words are ours: names, and times.  Pure: only the
 * turn. */
#ifndef KEDGE_CONTROLLER_CENTER_FORECAST_H
#define KEDGE_CONTROLLER_CENTER_FORECAST_H

#include "controller/center/workflow.h"

/* moved->near of a report. */
ERR_CHECK enum err_code forecast_tell(
    struct turn *t, const struct workflow_config *c, const struct health_transitions *moved, struct err *reterr);

#endif
