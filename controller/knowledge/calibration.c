/* controller/knowledge/calibration.c: see calibration.h. */
#include "controller/knowledge/calibration.h"

#include <pthread.h>

#include "shared/base/text.h"

extern const char kedge_cause_calibration[], kedge_cause_calibration_end[];

static const struct field point_fields[] = {
    F_F64(struct calibration_point, share, FIELD_ALWAYS | FIELD_COLUMN, "the first suspect's share"),
    F_F64(struct calibration_point, confidence, FIELD_ALWAYS | FIELD_COLUMN, "how often it is the true cause"),
};
const struct record_type calibration_point_type =
    RECORD_TYPE("calibration_point", struct calibration_point, point_fields, "what a share is worth");

static const struct field ground_fields[] = {
    F_STRING(struct calibration_ground, ground, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN,
	"what the first suspect is suspected for"),
    F_F64(struct calibration_ground, most, FIELD_ALWAYS | FIELD_COLUMN, "so often it is right then, at most"),
};
const struct record_type calibration_ground_type =
    RECORD_TYPE("calibration_ground", struct calibration_ground, ground_fields, "what a reason for suspicion is worth");

#define S struct calibration
static const struct field calibration_fields[] = {
    F_STRING(S, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "of what"),
    F_STRING(S, version, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "its version"),
    F_DIGEST(S, training, FIELD_REQUIRED, "SHA-256 of the examples"),
    F_U64(S, examples, 0, FIELD_COLUMN, "how many there were"),
    F_STRINGS(S, kinds, CALIBRATION_KINDS_MAX, 0, "kinds of faults among them"),
    F_F64(S, held_back_ece, FIELD_COLUMN, "expected calibration error, each kind judged by a fit that had not seen it"),
    F_U64(S, held_back_sure, 0, FIELD_COLUMN, "answers given with .95 and more then"),
    F_F64(S, held_back_sure_right, FIELD_COLUMN, "how many of those were right"),
    F_LIST(
	S, points, &calibration_point_type, CALIBRATION_POINTS_MAX, FIELD_REQUIRED, "straight lines lie between them"),
    F_LIST(S, grounds, &calibration_ground_type, CALIBRATION_GROUNDS_MAX, 0, "bounds by what the suspicion rests on"),
};
#undef S

static enum err_code calibration_check(const void *record, struct err *reterr)
{
	const struct calibration *c = record;
	double share = CALIBRATION_FROM, confidence = CALIBRATION_FROM;
	for (size_t i = 0; i < c->points.count; i++) {
		const struct calibration_point *p = &LIST_AT(c->points, struct calibration_point, i);
		if (!(p->share > share && p->share <= 1) || !(p->confidence >= confidence && p->confidence <= 1))
			return err_set(reterr, ERR_INVALID,
			    "points[%zu]: shares rise from %.1f to 1, confidences with them", i, CALIBRATION_FROM);
		share = p->share;
		confidence = p->confidence;
	}
	for (size_t i = 0; i < c->grounds.count; i++) {
		double most = LIST_AT(c->grounds, struct calibration_ground, i).most;
		if (!(most >= CALIBRATION_FROM && most <= 1))
			return err_set(
			    reterr, ERR_INVALID, "grounds[%zu]: most lies between %.1f and 1", i, CALIBRATION_FROM);
	}
	return ERR_OK;
}
const struct record_type calibration_type = RECORD_TYPE("calibration", struct calibration, calibration_fields,
    "what a diagnosis' score is worth as a confidence", .check = calibration_check);

enum err_code calibration_from_text(
    const char *text, size_t size, struct arena *arena, struct calibration *ret, struct err *reterr)
{
	return record_from_yaml(&calibration_type, "root-cause.calibration", text, size, arena, ret, reterr);
}

static pthread_once_t shipped_once = PTHREAD_ONCE_INIT;
static struct calibration shipped;
static struct arena *shipped_arena;
static enum err_code shipped_rc;
static struct err shipped_err;

static void load_shipped(void)
{
	shipped_arena = arena_new(1 << 20); /* for good */
	shipped_rc = shipped_arena ? calibration_from_text(kedge_cause_calibration,
					 (size_t)(kedge_cause_calibration_end - kedge_cause_calibration), shipped_arena,
					 &shipped, &shipped_err)
				   : err_set(&shipped_err, ERR_NOMEM, "out of memory for a calibration");
}

enum err_code calibration_shipped(const struct calibration **ret, struct err *reterr)
{
	pthread_once(&shipped_once, load_shipped);
	if (shipped_rc != ERR_OK)
		return err_set(reterr, shipped_rc, "%s", shipped_err.msg);
	*ret = &shipped;
	return ERR_OK;
}

static double of_points(const struct calibration *c, double share)
{
	double x = CALIBRATION_FROM, y = CALIBRATION_FROM;
	for (size_t i = 0; i < c->points.count; i++) {
		const struct calibration_point *p = &LIST_AT(c->points, struct calibration_point, i);
		if (share <= p->share)
			return y + (p->confidence - y) * (share - x) / (p->share - x);
		x = p->share;
		y = p->confidence;
	}
	return y;
}

double calibration_of(const struct calibration *c, double share, const char *ground)
{
	if (!(share >= CALIBRATION_FROM))
		return share;
	double is = of_points(c, share);
	for (size_t i = 0; i < c->grounds.count; i++) {
		const struct calibration_ground *g = &LIST_AT(c->grounds, struct calibration_ground, i);
		if (text_equal(g->ground, ground) && g->most < is)
			is = g->most;
	}
	return is;
}
