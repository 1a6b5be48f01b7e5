/* controller/knowledge/model.h: the linear model behind the error classes: its file, what it says, how it is made.
 *
 * A model is a file (text) that says which version it is, from what it was trained (a digest), how well it did on
 * systems that it had not seen, and holds its weights and its calibration.  The one that was shipped is part of the
 * program.  Training is deterministic: the same examples give the same file.  Pure but for nothing: files are the
 * caller's to read. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_MODEL_H
#define KEDGE_CONTROLLER_KNOWLEDGE_MODEL_H

#include "controller/knowledge/classes.h"

struct model_calibration { /* at this share, so often right */
	double score, right;
};
struct model_system { /* how it did on a system that was held back */
	const char *system;
	uint64_t messages;
	double accuracy;
};
struct model_shift { /* what is said beyond doubt: how much surer (log odds) a class is than the others */
	uint32_t class;
	double shift;
};
struct model_card {
	const char *name;       /* "error-class" */
	const char *version;    /* names the features and the lexicon, too: they belong together */
	struct digest training; /* SHA-256 of the examples */
	uint64_t examples;
	uint64_t judged; /* of those, how many were only judged */
	struct digest
	    own; /* SHA-256 of the file of examples that came with the program, which were learned from, too */
	uint64_t own_examples;
	struct list systems; /* struct model_system */
	/* Over all messages, each judged by weights and a calibration that had not seen its system: */
	double accuracy, macro_f1, ece;
	double sure_accuracy, sure_coverage; /* of the answers that were given with .95 and more */
	struct list calibration;             /* struct model_calibration, by score */
	struct list certain;                 /* the same, where the lexicon is beyond doubt */
	struct list shifts;                  /* struct model_shift, each class at most once */
	double sure_from, sure_right;        /* at least this confident: taken together, so often right; or 0 */
};
extern const struct record_type model_calibration_type, model_system_type, model_shift_type, model_card_type;

struct model;
struct verdict {
	enum error_class class;
	double confidence;               /* calibrated */
	double share[ERROR_CLASS_COUNT]; /* what each class was given; they sum to 1 */
};

/* The one that was built in; it lives as long as the program. */
ERR_CHECK enum err_code model_shipped(const struct model **ret, struct err *reterr);
/* From the text of a file; ERR_INVALID names the line.  The caller owns it. */
ERR_CHECK enum err_code model_from_text(const char *text, size_t size, struct model **ret, struct err *reterr);
ERR_CHECK enum err_code model_to_text(const struct model *m, struct buf *out, struct err *reterr);
void model_free(struct model *m); /* NULL is a no-op */
const struct model_card *model_card(const struct model *m);
void model_classify(const struct model *m, const char *text, size_t size, struct verdict *ret);

/* ---- training ---- */

struct example {
	const char *system, *text;
	uint32_t class; /* enum error_class */
	bool judge;     /* not learned from: only what a confidence is worth is measured on it */
};
extern const struct record_type example_type;
/* Trains on all examples that are not only to be judged and on those that come with the program (examples.h); the
 * card's figures and the calibration come from rounds in which one system after the other is held back.  Systems that
 * nothing was learned from are judged by the weights as they are shipped.  Systems are sorted by name, examples taken
 * in order.  ERR_INVALID: fewer than two systems to learn from. */
ERR_CHECK enum err_code model_train(
    const struct example *examples, size_t count, struct model **ret, struct err *reterr);
/* What m says of examples, in the figures of a card (no systems: each apart). */
ERR_CHECK enum err_code model_evaluate(const struct model *m, const struct example *examples, size_t count,
    struct arena *arena, struct model_card *ret, struct err *reterr);

#endif
