/* controller/knowledge/model_internal.h: what is in a model, for those who make, keep and use it. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_MODEL_INTERNAL_H
#define KEDGE_CONTROLLER_KNOWLEDGE_MODEL_INTERNAL_H

#include "controller/knowledge/model.h"

enum { MODEL_SHARED = 8 }; /* weights of what the lexicon says that all classes share */

/* What a message looks like to the model. */
struct look {
	struct features features;
	float lexicon[ERROR_CLASS_COUNT][MODEL_SHARED];
	unsigned certain; /* lexicon_certain() */
};

struct model {
	struct model_card card;
	struct arena *arena; /* of the card; NULL while it is made */
	float shared[MODEL_SHARED];
	float *cells; /* [MODEL_CELLS][ERROR_CLASS_COUNT] */
};

void look_at(const char *text, size_t size, struct look *ret);
/* The shares of the classes, which sum to 1. */
void model_shares(const struct model *m, const struct look *l, double ret[ERROR_CLASS_COUNT]);
enum error_class shares_first(const double share[ERROR_CLASS_COUNT]);
/* Does the lexicon say the class beyond doubt, and no other? */
bool beyond_doubt(const struct look *l, enum error_class class);
/* How often an answer that was given this share turned out to be right, on systems that were held back. */
double calibrated(const struct model_card *card, const struct look *l, enum error_class class, double share);
/* The line through the points of a calibration, from 0 at 0. */
double calibration_at(const struct list *points, double score);

ERR_CHECK enum err_code model_new(struct model **ret, struct err *reterr);

#endif
