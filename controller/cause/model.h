/* controller/cause/model.h: every constant of the ranking and the calibration of its confidence, in one place, under
 * one version.
 *
 * Constants are ratios and counts, none has a unit, none belongs to a system.  The calibration was fitted on public
 * cases by tests/bench/diagnosis/cause.py, which also tells how well it holds for a system, or a kind of fault, that
 * was left out. */
#ifndef KEDGE_CONTROLLER_CAUSE_MODEL_H
#define KEDGE_CONTROLLER_CAUSE_MODEL_H

struct cause_model {
	/* Metrics: spread is the interquartile range, a share of the level, and a share of what the metric's kin have.
	 */
	double level_share, kin_share;
	double memory_part; /* of a memory's move: it drifts by itself */
	double fall_part;   /* of a move in the harmless direction */
	double symptom;     /* what latency and errors weigh beside the resources that a service uses up */
	double explained;   /* how strongly a callee's latency or errors explain the caller's */
	double waiting;     /* what it says that all callers wait */
	double few;         /* a spread of so many values is as good as half of a spread of many */
	double gone;        /* spreads that a series is worth that came to an end */
	/* Flow. */
	double other_symptom; /* errors when latency gave alarm, and the reverse */
	/* Traces. */
	double trace_level_share, trace_history, trace_floor;
	double break_off; /* standard deviations from which a shift of last calls counts */
	/* Logs. */
	double log_part;
	/* Confidence: logistic in the logarithms of the first's weight and of its lead.  Before that: what flow weighs
	 * more, being shares; and what symptoms weigh less where no graph tells whose they are. */
	double flow_trust, symptom_trust;
	double bias, weight, lead;
	double unread;  /* at most so sure when the name of what was alarmed for means nothing */
	double silence; /* below this weight nothing is said */
};
extern const struct cause_model cause_model;

/* lead: how much of `weight` the second does not have too. */
double cause_confidence(double weight, double lead);

#endif
