/* controller/knowledge/model_internal.h: what is in a model, for those who make, keep and use it. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_MODEL_INTERNAL_H
#define KEDGE_CONTROLLER_KNOWLEDGE_MODEL_INTERNAL_H

#include "controller/knowledge/model.h"

enum {
	MODEL_SHARED = 8, /* weights of what the lexicon says that all classes share */
	MODEL_SIGNS = 44, /* what the confidence is computed from, beside the words */
	MODEL_COLUMNS = ERROR_CLASS_COUNT + 1,
};

/* What a message looks like to the model. */
struct look {
	struct features features;
	float lexicon[ERROR_CLASS_COUNT][MODEL_SHARED];
};

struct model {
	struct model_card card;
	struct arena *arena; /* of the card; NULL while it is made */
	float shared[MODEL_SHARED];
	float confidence[MODEL_SIGNS];
	float *cells; /* [MODEL_CELLS][MODEL_COLUMNS]: a column a class, and one for the confidence */
};

void look_at(const char *text, size_t size, struct look *ret);
/* The shares of the classes, which sum to 1. */
void model_shares(const struct model *m, const struct look *l, double ret[ERROR_CLASS_COUNT]);
enum error_class shares_first(const double share[ERROR_CLASS_COUNT]);
/* What speaks for and against the first of the shares being right. */
void confidence_signs(const struct look *l, const double share[ERROR_CLASS_COUNT], double ret[MODEL_SIGNS]);
double confidence_of(const struct model *m, const struct look *l, const double signs[MODEL_SIGNS]);
/* Does the lexicon say the class outright, and of no other? */
bool said_outright(const struct look *l, enum error_class class);
/* The raw confidence as it turned out on systems that were held back. */
double calibrated(const struct model_card *card, double confidence);
/* The same, but for what is as good as certain. */
double settled_confidence(
    const struct model_card *card, const struct look *l, enum error_class class, double share, double confidence);

ERR_CHECK enum err_code model_new(struct model **ret, struct err *reterr);

#endif
