/* controller/knowledge/limits.h: limits of this folder, each with its reason. */
#ifndef KEDGE_CONTROLLER_KNOWLEDGE_LIMITS_H
#define KEDGE_CONTROLLER_KNOWLEDGE_LIMITS_H

enum {
	MESSAGE_TOKENS_MAX = 256,    /* words of one error message that count: the rest of a long one is its dump */
	MESSAGE_TOKEN_MAX = 48,      /* bytes of a word; longer ones are identifiers and are cut */
	MESSAGE_FEATURES_MAX = 2048, /* of one message: some eight a word; what is beyond says nothing new */
	MODEL_BITS = 15,             /* hashed features: what a file of half a MiB can hold */
	MODEL_CELLS = 1 << MODEL_BITS,
	MODEL_TEXT_MAX = 4 << 20,          /* a model file is some 600 KiB */
	MODEL_EXAMPLES_MAX = 1 << 17,      /* they are held in memory, some 17 KiB each */
	LEXICON_PHRASE_MAX = 128,          /* bytes of one phrase: the longest has 40 */
	EXAMPLE_SYSTEMS_MAX = 63,          /* systems that training data may name: one held back a round */
	MODEL_SYSTEMS_MAX = 128,           /* with the kinds of software that come with the program, and the lexicon */
	MODEL_BINS_MAX = 64,               /* steps of a calibration */
	INCIDENT_EVENTS_MAX = 65536,       /* kinds of events over a history */
	SIMILAR_INCIDENTS_MAX = 200000,    /* of one history */
	SIMILAR_TABLE_MAX = 1 << 25,       /* counts by event, level and cause: 256 MiB */
	SIMILAR_RANK_MAX = 64,             /* neighbours that are asked for at most */
	SEARCH_DOCUMENTS_MAX = 100000,     /* a large wiki; the index is in memory */
	SEARCH_DOCUMENT_MAX = 1 << 20,     /* bytes of a document that are looked at */
	SEARCH_TERMS_MAX = 1024,           /* of one query, with what it was widened to */
	SEARCH_RANK_MAX = 64,              /* documents that are asked for at most */
	SEARCH_LEAD_MAX = 600,             /* bytes of running text that count as a document's opening */
	KNOWLEDGE_ENTRIES_MAX = 4096,      /* of one folder: they are held in memory and matched one by one */
	KNOWLEDGE_FILE_MAX = 1 << 20,      /* some thousand entries */
	KNOWLEDGE_FILE_ENTRIES_MAX = 1024, /* of one file: RECORD_KEYED_MAX */
	KNOWLEDGE_PATTERNS_MAX = 32,       /* of one entry: with more it is two */
	KNOWLEDGE_CAUSES_MAX = 16,         /* that a person reads */
};

#endif
