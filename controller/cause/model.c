/* controller/cause/model.c: the constants and the calibration. */
#include "controller/cause/model.h"

#include <math.h>

#include "controller/cause/cause.h"

const char cause_model_version[] = "cause-2";

const struct cause_model cause_model = {
    .level_share = 0.1,
    .kin_share = 0.01,
    .memory_part = 1.0 / 3,
    .fall_part = 1.0 / 3,
    .symptom = 0.6,
    .explained = 3,
    .waiting = 0.7,
    .few = 8,
    .gone = 20,
    .other_symptom = 0.25,
    .trace_level_share = 0.1,
    .trace_history = 2,
    .trace_floor = 0.002,
    .break_off = 3,
    .log_part = 0.7,
    .flow_trust = 2,
    .symptom_trust = 0.15,
    .bias = -1.38,
    .weight = 0.86,
    .lead = 3.58,
    .unread = 0.6,
    .silence = 0.05,
};

double cause_confidence(double weight, double lead)
{
	const struct cause_model *m = &cause_model;
	return 1 / (1 + exp(-(m->bias + m->weight * log1p(fmax(0, weight)) + m->lead * log1p(fmax(0, lead)))));
}
