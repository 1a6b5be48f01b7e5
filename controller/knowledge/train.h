/* controller/knowledge/train.h: fitting the model's weights and its calibration, for model_train.c and tests. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_TRAIN_H
#define KEDGE_CONTROLLER_KNOWLEDGE_TRAIN_H

#include "controller/knowledge/model_internal.h"

struct lesson { /* an example, ready to be learned */
	struct look *look;
	uint32_t class, system, answer;
	bool own;   /* came with the program: learned, never judged */
	bool apart; /* judged, never learned */
	/* once it was judged by weights that had not seen its system: */
	double share[ERROR_CLASS_COUNT];
	double confidence; /* by a calibration that had not seen it either */
	bool right;
};
/* Fits shared and cells of m (which are overwritten) on all lessons that are not apart but those of one system (held:
 * an index, or UINT32_MAX for none). */
ERR_CHECK enum err_code fit_weights(
    struct model *m, const struct lesson *lessons, size_t count, uint32_t held, struct err *reterr);
/* Fits card's calibration, certain, shifts and sure_* (lists in the arena) on what the judged lessons turned out to be,
 * without those of one system (calibrate.c). */
ERR_CHECK enum err_code fit_calibration(struct model_card *card, struct arena *arena, const struct lesson *lessons,
    size_t count, uint32_t held, struct err *reterr);

#endif
