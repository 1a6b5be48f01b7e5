/* controller/center/around.h: looking around when an incident opens.  Internal to center; pure. */
#ifndef KEDGE_CONTROLLER_CENTER_AROUND_H
#define KEDGE_CONTROLLER_CENTER_AROUND_H

#include "controller/incident/incident.h"

enum {
	AROUND_MAX = 64, /* placements asked for one incident: what is nearest tells most, and a fleet that alarms as
			    one is not asked as one */
};

/* What the service leans on, nearest first, what leans on it, and its other hosts are asked how they are now, so that
 * the cause shows before people are called for what it does to others.  The hosts of what it leans on are doubted
 * until they say a word. */
ERR_CHECK enum err_code around_look(struct turn *t, const struct incident *i, struct err *reterr);

#endif
