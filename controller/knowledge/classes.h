/* controller/knowledge/classes.h: what kind of error a message tells of.
 *
 * Twelve classes that systems share whatever their own codes are called (gRPC's status codes, SQLSTATE's classes,
 * errno, HTTP).  A message is turned into features (features.c), a linear model weighs them (model.h), and a
 * calibration that was measured on systems which the weights had not seen says how often such an answer is right
 * (calibrate.c). Pure.
 */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_CLASSES_H
#define KEDGE_CONTROLLER_KNOWLEDGE_CLASSES_H

#include <stddef.h>
#include <stdint.h>

#include "controller/knowledge/limits.h"
#include "shared/record/record.h"

enum error_class {
	CLASS_ALREADY_EXISTS, /* the name or thing is taken */
	CLASS_AUTH,           /* who asks is unknown or may not */
	CLASS_CONFLICT,       /* somebody else was at it at the same moment; trying again may help */
	CLASS_INTEGRITY,      /* data breaks a rule that the data has to keep */
	CLASS_INTERNAL,       /* the program's own fault or damage; no better word */
	CLASS_INVALID,        /* the request itself is wrong */
	CLASS_NOT_FOUND,      /* what it names is not there */
	CLASS_RESOURCE,       /* memory, disk, descriptors, connections, quota: used up */
	CLASS_STATE,          /* right request, wrong moment: something has to change first */
	CLASS_TIMEOUT_CANCEL, /* took too long, or was called off */
	CLASS_UNAVAILABLE,    /* nobody there, or the connection broke */
	CLASS_UNSUPPORTED,    /* it cannot do that, here or at all */
	ERROR_CLASS_COUNT
};
extern const struct enum_type error_class_enum;

/* ---- words (words.c) ---- */

struct message_token {
	char text[MESSAGE_TOKEN_MAX]; /* lower case; "%" for a value, "#" for a number, ":" between clauses */
	char stem[MESSAGE_TOKEN_MAX];
	bool camel; /* part of an identifier that was written in one word */
};
/* The words of a message, at most max; format marks and quoted values are "%".  Returns how many. */
size_t message_tokens(const char *text, size_t size, struct message_token *ret, size_t max);
/* The word without its usual English endings.  out holds MESSAGE_TOKEN_MAX bytes. */
void word_stem(const char *word, char *out);

/* ---- the lexicon (lexicon.c) ---- */

/* Phrases of the field, each with the class that it speaks for: ret[class] is the worth of the best phrase of that
 * class, LEXICON_STEPS times its strength (0 none, 1 a hint, 2 usually, 3 as good as said) and its words on top.
 * Returns whether any matched. */
enum { LEXICON_STEPS = 8 };
bool lexicon_match(const struct message_token *tokens, size_t count, uint8_t ret[ERROR_CLASS_COUNT]);
/* The classes that a message is of beyond doubt, one bit each; more than one is no certainty. */
unsigned lexicon_certain(const struct message_token *tokens, size_t count);
/* The i-th phrase, for tests; false past the end. */
bool lexicon_entry(size_t i, const char **ret_phrase, size_t *ret_size, enum error_class *ret_class, int *ret_strength);

/* ---- features (features.c) ---- */

struct feature {
	uint32_t cell; /* below MODEL_CELLS */
	float value;
};
struct features {
	struct feature items[MESSAGE_FEATURES_MAX];
	size_t count;
};
void message_features(const char *text, size_t size, struct features *ret);

#endif
