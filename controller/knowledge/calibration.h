/* controller/knowledge/calibration.h: what a diagnosis' score is worth as a confidence.
 *
 * A diagnosis shares 1 among its suspects; how often a first suspect with such a share is the true cause was measured
 * on faults that were injected (tests/bench/faults.sh), which also writes the file.  It is part of the program, and
 * says which version it is, what it was fitted on (a digest), and how well it did on kinds of faults that were held
 * back. Pure. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_CALIBRATION_H
#define KEDGE_CONTROLLER_KNOWLEDGE_CALIBRATION_H

#include "shared/base/limits.h"
#include "shared/record/record.h"

enum {
	CALIBRATION_POINTS_MAX = 32, /* more steps than a few hundred examples can tell apart */
	CALIBRATION_KINDS_MAX = 64,
	CALIBRATION_GROUNDS_MAX = 16,
};

struct calibration_point {
	double share, confidence; /* both rise from point to point; the first is above CALIBRATION_FROM */
};
/* A first suspect that is there for such a reason (something that changed, a line that is known, mere silence) is right
 * so often at most, whatever its share. */
struct calibration_ground {
	const char *ground; /* a name of enum evidence_kind */
	double most;        /* CALIBRATION_FROM to 1 */
};
struct calibration {
	const char *name, *version;
	struct digest training; /* SHA-256 of the examples */
	uint64_t examples;
	struct list kinds;           /* of faults */
	double held_back_ece;        /* expected calibration error, each kind judged by a fit that had not seen it */
	uint64_t held_back_sure;     /* answers with .95 and more */
	double held_back_sure_right; /* … of which so many were right */
	struct list points;          /* struct calibration_point */
	struct list grounds;         /* struct calibration_ground */
};
extern const struct record_type calibration_point_type, calibration_ground_type, calibration_type;
#define CALIBRATION_FROM 0.5 /* a lesser share is a suspicion and stays what it is */

/* The one that was built in; it lives as long as the program. */
ERR_CHECK enum err_code calibration_shipped(const struct calibration **ret, struct err *reterr);
/* From the text of a file, into arena. */
ERR_CHECK enum err_code calibration_from_text(
    const char *text, size_t size, struct arena *arena, struct calibration *ret, struct err *reterr);
/* Never below CALIBRATION_FROM for a share that is not, and rising with it.  ground: NULL, or one that the file does
 * not name, has no bound of its own. */
double calibration_of(const struct calibration *c, double share, const char *ground);

#endif
