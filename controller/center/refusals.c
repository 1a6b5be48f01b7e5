#include "controller/center/refusals.h"

#include "shared/base/log.h"

bool refusals_take(struct refusals *r, uint64_t mono_ms, const char *port)
{
	if (mono_ms - r->minute_ms >= 60 * 1000) {
		if (r->untold)
			log_warn(port,
			    "%u more refusals in the last minute were not written to the audit trail one by one",
			    r->untold);
		*r = (struct refusals){.minute_ms = mono_ms};
	}
	if (r->told == REFUSALS_PER_MINUTE) {
		r->untold++;
		return false;
	}
	r->told++;
	return true;
}
