/* shared/record/limits.h: limits of the codec, each with its reason.  Depth is RECORD_DEPTH_MAX of
 * shared/base/limits.h. */
#ifndef KEDGE_SHARED_RECORD_LIMITS_H
#define KEDGE_SHARED_RECORD_LIMITS_H

#include <stdint.h>

enum {
	RECORD_FIELDS_MAX = 64,  /* of one type: which keys were seen is one word of bits */
	RECORD_NAME_MAX = 40,    /* of a field, an enum's word, a type: they are typed by people and head columns */
	RECORD_KEYED_MAX = 1024, /* items of a FIELD_KEYED list: each name is compared with all before it */
	RECORD_TEXT_SIZE_MAX = 16 << 20, /* JSON or YAML text that is read: no file or request is nearly as large */
	RECORD_NODE_COST = 256, /* bytes of scratch memory that one byte of JSON or YAML may need while it is read */
	RECORD_SCRATCH_LEAST = 1 << 16, /* … and what any text may use */
	RECORD_ECHO_MAX = 40,           /* bytes of a refused value that an error repeats */
	RECORD_PATH_MAX = 320,          /* bytes of a path in an error; the rest of ERR_MSG_MAX is for what is wrong */
	RECORD_COLUMN_LEAST = 8,        /* a column is not cut below this width */
};

/* The last millisecond that RFC 3339 can say: a FIELD_TIME beyond it could not be written as text. */
#define RECORD_TIME_MAX_MS UINT64_C(253402300799999)

#endif
