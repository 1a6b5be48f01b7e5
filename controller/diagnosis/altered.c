/* controller/diagnosis/altered.c: connections are refused; is there a lack of them, or was a limit set lower?
 *
 * Ending sessions helps against a lack.  A limit that is stored in the database stays where it is until what the
 * database is made of is brought back.  Of a limit that the message says to be one object's own, that hardly any
 * connection was used when they were counted last tells one from the other, for who refuses all of them cannot be asked
 * any more what was changed. */
#include <math.h>
#include <string.h>

#include "controller/diagnosis/internal.h"
#include "shared/base/text.h"

enum { HARDLY_USED = 50 }; /* percent */

static bool has_database(const struct list *components)
{
	bool has = false;
	for (size_t i = 0; i < components->count; i++)
		has |= LIST_AT(*components, uint32_t, i) == COMPONENT_DATABASE;
	return has;
}

/* By the last count before it failed; one is there, and it is low. */
static enum err_code hardly_used(struct inquiry *q, const struct placement *here, bool *ret, struct err *reterr)
{
	struct list metrics;
	enum err_code rc = health_metrics(q->t, &health_metric_table, here->service, here->host, &metrics, reterr);
	*ret = false;
	for (size_t i = 0; rc == ERR_OK && i < metrics.count; i++) {
		const struct health_metric *m = &LIST_AT(metrics, struct health_metric, i);
		double last = NAN;
		if (!text_ends(m->metric, ".connections") || !text_equal(m->unit, "%"))
			continue;
		for (size_t k = 0; k < m->samples.count; k++)
			if (LIST_AT(m->samples, struct health_sample, k).at_ms <= q->incident.fault_ms)
				last = LIST_AT(m->samples, struct health_sample, k).value;
		*ret = *ret || last < HARDLY_USED;
	}
	return rc;
}

enum err_code altered_limits(
    struct inquiry *q, const struct placement *here, const struct knowledge_entry *e, bool *ret, struct err *reterr)
{
	bool of_its_own = e->action == KNOWLEDGE_ROLLBACK && has_database(&e->components);
	*ret = false;
	return of_its_own && has_database(&here->components) ? hardly_used(q, here, ret, reterr) : ERR_OK;
}
