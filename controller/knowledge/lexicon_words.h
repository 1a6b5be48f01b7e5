/* controller/knowledge/lexicon_words.h: the lexicon as it is written down. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_LEXICON_WORDS_H
#define KEDGE_CONTROLLER_KNOWLEDGE_LEXICON_WORDS_H

#include "controller/knowledge/classes.h"

struct lexicon_group {
	enum error_class class;
	int strength; /* 1: a hint, 2: usually so, 3: as good as said, 4: beyond doubt, for the confidence alone */
	const char *phrases; /* divided by | */
};
extern const struct lexicon_group lexicon_groups[];
extern const size_t lexicon_group_count;

#endif
