/* controller/diagnosis/classes.c: what kind of error the new lines of a service tell of, by the learned model.
 *
 * Each line's template is classified (its values say nothing of the kind of error).  The surest of a service is kept
 * and becomes evidence.  It says what kind of trouble there is, not where it comes from: it moves no suspect. */
#include "controller/diagnosis/internal.h"
#include "controller/knowledge/model.h"
#include "shared/base/text.h"

#include <string.h>

enum { CLASSES_LINES_MAX = 32 };     /* newest lines of a service that are classified: some 0.1 ms each */
static const double told_from = 0.5; /* a class that is rather wrong than right is not evidence */
static const double of_itself = 0.7, of_others = 0.35; /* beside what the same line weighs as a new pattern */

static bool is_error(const struct error_pattern *p)
{
	return p->severity >= LOG_SEVERITY_WARNING && p->template_text && *p->template_text;
}

static void keep(struct inquiry *q, const struct told_class *told)
{
	if (q->told_count < sizeof q->told / sizeof q->told[0])
		q->told[q->told_count++] = *told;
}

enum err_code classes_of(
    struct inquiry *q, const char *service, bool own, const struct list *patterns, struct err *reterr)
{
	const struct model *model;
	const struct error_pattern *surest = NULL;
	struct told_class told = {.service = service};
	enum err_code rc = model_shipped(&model, reterr);
	for (size_t i = 0, n = 0; rc == ERR_OK && i < patterns->count && n < CLASSES_LINES_MAX; i++) {
		const struct error_pattern *p = &LIST_AT(*patterns, struct error_pattern, i);
		struct verdict v;
		if (!is_error(p))
			continue;
		n++;
		model_classify(model, p->template_text, strlen(p->template_text), &v);
		if (v.confidence > told.confidence) {
			told.class = (uint32_t)v.class;
			told.confidence = v.confidence;
			surest = p;
		}
	}
	if (rc != ERR_OK || told.confidence < told_from)
		return rc;
	keep(q, &told);
	inquiry_note(q, EVIDENCE_LOG, service, surest->last_host,
	    arena_printf(turn_arena(q->t), "an error of the kind %s (%.2f): %s",
		enum_name(&error_class_enum, told.class), told.confidence,
		surest->sample ? surest->sample : surest->template_text),
	    told.confidence * (own ? of_itself : of_others), surest->first_ms);
	return ERR_OK;
}

/* The cause's own lines come first, then those of the service that failed, then the surest. */
void classes_conclude(const struct inquiry *q, const char *cause, struct diagnosis *d)
{
	const struct told_class *best = NULL;
	unsigned best_rank = 0;
	for (size_t i = 0; i < q->told_count; i++) {
		const struct told_class *t = &q->told[i];
		unsigned rank = text_equal(t->service, cause) ? 3 : text_equal(t->service, q->incident.service) ? 2 : 1;
		if (rank > best_rank || (rank == best_rank && t->confidence > best->confidence)) {
			best = t;
			best_rank = rank;
		}
	}
	if (!best)
		return;
	d->has_error_class = true;
	d->error_class = best->class;
	d->error_class_confidence = best->confidence;
}
