/* shared/record/record.h: a record type is described once.
 *
 * A record is a plain struct beside one `static const struct field[]` table.  The one generic codec walks that table
 * for msgpack (store and wire), JSON (API, `-o json`), YAML (configuration, runbooks, policies), validation, the
 * columns of the command line, and docs/SCHEMA.md.  Nothing else in the project encodes or decodes a record.
 *
 * Memory: everything variable (strings, bytes, lists, optional records) lives in the arena that decoding was given.  A
 * record is thus a value that is valid as long as its arena; records are copied with record_copy().  No decoded pointer
 * refers to the input.
 *
 * Presence: a field that is missing takes its default: zero (of a string NULL, never ""), unless default_text says
 * otherwise (parsed as YAML would be).  A missing FIELD_INLINE is one whose fields are all missing.  nil, null and ~
 * say in so many words that there is nothing: not even the default.  Encoders leave out fields that are zero or NULL;
 * FIELD_ALWAYS, FIELD_REQUIRED and fields with a default_text are always written.
 *
 * FIELD_REQUIRED makes a missing field an error.  Where zero says nothing it is as good as missing and refused too: a
 * NULL or empty string, empty bytes, zero id or digest, NULL record, empty list, and time 0 unless FIELD_ALWAYS says
 * that it means something.  Of booleans, numbers and enums FIELD_REQUIRED asks only that the key is there; min says
 * more.
 *
 * Limits: min and max hold for what is there; the zero of an optional field without a default is absent and never too
 * small.
 *
 * Names: units belong to numbers.  The name of a FIELD_DURATION ends in _ms, of a FIELD_SIZE in _bytes, of a FIELD_TIME
 * in _ms, in C, on the wire and in the store.  Where the value is text with a unit of its own the suffix falls:
 * "every_ms": 30000 in JSON is every: 30s in YAML, and a time is at: 2026-11-23T04:12:33Z in YAML and "at" in JSON.
 *
 * JSON numbers are whole in every reader only up to 2^53 - 1 (RFC 7493); larger ones are written as a string of digits,
 * and read from one.
 *
 * Unknown keys: ignored on the wire and in the store (newer peers); errors in configuration (YAML) with file, line, key
 * and the nearest known key; refused in JSON when RECORD_STRICT is passed (the API does).  A key that stands there
 * twice is an error everywhere.
 *
 * Canonical: the same record gives the same bytes (fields in the order of the table, shortest numbers, one zero), so
 * they can be hashed and signed.
 *
 * Validation is part of decoding, and of encoding too, so that an out-of-range value can neither enter nor leave.
 * All functions are pure and may be called from any thread (the first JSON that is read makes jansson draw a hash key
 * from the kernel). */
#ifndef KEDGE_SHARED_RECORD_RECORD_H
#define KEDGE_SHARED_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/arena.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/id.h"

enum field_kind {
	FIELD_BOOL, /* bool */
	FIELD_U32,  /* uint32_t */
	FIELD_U64,  /* uint64_t */
	FIELD_I64,  /* int64_t */
	FIELD_F64,  /* double, finite */
	FIELD_TIME, /* uint64_t unix milliseconds up to the year 9999; JSON and YAML: RFC 3339 text, name without _ms */
	FIELD_DURATION, /* uint64_t milliseconds; YAML: "30s", name without _ms; JSON: number of milliseconds */
	FIELD_SIZE,     /* uint64_t bytes; YAML: "64MiB" or a number, name without _bytes; JSON: number */
	FIELD_ENUM,     /* uint32_t; msgpack and text: its name; an unknown name is an error */
	FIELD_ID,       /* struct id of id_kind; msgpack: bin 16; text: id_format; zero is absent */
	FIELD_DIGEST,   /* struct digest; msgpack: bin 32; text: 64 hex; zero is absent */
	FIELD_STRING,   /* const char *, valid UTF-8 without NUL, at most max bytes */
	FIELD_BYTES,    /* struct bytes; text: base64; at most max bytes */
	FIELD_RECORD,   /* const struct X *, optional: NULL is absent */
	FIELD_INLINE,   /* struct X inside this one, always there */
	FIELD_LIST,     /* struct list of elem_kind, at most max items */
	FIELD_JSON,     /* const char *: canonical JSON text of any value but null, at most max bytes (audit details,
			 * foreign payloads).  What     is read from JSON and YAML is made canonical; a program does so with
			 * record_json_canonical */
	FIELD_KIND_COUNT
};

enum field_flags {
	FIELD_REQUIRED = 1u << 0, /* missing is an error; see above for what counts as missing */
	FIELD_ALWAYS = 1u << 1,   /* written even when zero */
	FIELD_SECRET = 1u << 2,   /* left out of YAML and (but for RECORD_WITH_SECRETS) of JSON, "(secret)" in tables,
				     never repeated in errors */
	FIELD_PHI = 1u << 3,      /* may hold text of a host: redacted before it leaves the keeper, marked in SCHEMA */
	FIELD_KEY = 1u << 4,      /* part of the primary key, in table order; also the name in a keyed list */
	FIELD_INDEXED = 1u << 5,  /* the store keeps an index on it (scalar kinds only) */
	FIELD_COLUMN = 1u << 6,   /* a column of the default table */
	FIELD_WIDE = 1u << 7,     /* a column of the wide table too (-o wide) */
	FIELD_KEYED = 1u << 8, /* FIELD_LIST of records: in YAML and JSON a mapping from the (first) FIELD_KEY field, a
				* required string; no name may stand there twice, in any form */
	FIELD_SCALAR_OK = 1u << 9, /* FIELD_LIST: a lone value in YAML or JSON means a list of one, and where the
				    * elements are records, an element that is a scalar sets the record's first field;
				    * FIELD_RECORD, FIELD_INLINE: a lone scalar sets its first field */
};

struct digest {
	uint8_t b[32];
};

/* elem_kind records: items is an array of the struct, elem type->size bytes each; strings: const char *[]; u64:
 * uint64_t[]; id: struct id[] … */
struct list {
	void *items;
	size_t count;
};
#define LIST_AT(list, T, i) (((T *)(list).items)[i])

struct enum_type {
	const char *name;         /* for SCHEMA and errors: "health" */
	const char *const *names; /* names[value]; a NULL hole is not a legal value */
	uint32_t count;
};

struct field {
	const char *name;
	const char *doc;          /* one sentence for SCHEMA and --help */
	const char *column;       /* head of the column; NULL: name in capitals */
	const char *default_text; /* NULL: zero */
	enum field_kind kind;
	enum field_kind elem_kind; /* FIELD_LIST */
	enum id_kind id_kind;      /* FIELD_ID (or a list of them) */
	uint32_t flags;
	size_t offset;
	uint64_t min, max; /* strings, bytes: length in bytes; lists: count; numbers: value (not i64, f64: use check);
			      max 0: none */
	const struct enum_type *enum_type;
	const struct record_type *type; /* FIELD_RECORD, FIELD_INLINE, lists of them */
};

struct record_type {
	const char *name; /* "incident" */
	const char *doc;
	size_t size;
	const struct field *fields;
	uint32_t field_count;
	/* Rules over more than one field, run after decoding and before encoding; NULL: none. */
	enum err_code (*check)(const void *record, struct err *reterr);
};

/* ---- describing ---------------------------------------------------------------------------------------------------
 *
 *   struct probe_result { struct id host; const char *name; uint32_t state; uint64_t took_ms; };
 *   static const struct field probe_result_fields[] = {
 *           F_ID(struct probe_result, host, HOST, FIELD_REQUIRED, "the host that ran it"),
 *           F_STRING(struct probe_result, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the probe's name"),
 *           F_ENUM(struct probe_result, state, &health_enum, FIELD_COLUMN, "what it says"),
 *           F_DURATION(struct probe_result, took_ms, 0, FIELD_COLUMN, "how long it took"),
 *   };
 *   const struct record_type probe_result_type = RECORD_TYPE("probe_result", struct probe_result, probe_result_fields,
 * "one result");
 */
/* Last in every entry comes the documentation; more may follow it, as in
 *   F_DURATION(struct probe_config, every_ms, WEEK_MS, 0, "how often it runs", .default_text = "30s", .min = 1000)
 * The compiler checks that the member has the type which the kind means. */
#define FIELD_(S, M, T, KIND, FLAGS, ...)                                                                              \
	{                                                                                                              \
		.name = #M, .kind = (KIND), .flags = (FLAGS),                                                          \
		.offset = offsetof(S, M) + 0 * sizeof(char[_Generic(((S *)0)->M, T : 1)]), __VA_ARGS__                 \
	}
#define F_BOOL(S, M, FLAGS, ...)     FIELD_(S, M, bool, FIELD_BOOL, FLAGS, .doc = __VA_ARGS__)
#define F_U32(S, M, MAX, FLAGS, ...) FIELD_(S, M, uint32_t, FIELD_U32, FLAGS, .max = (MAX), .doc = __VA_ARGS__)
#define F_U64(S, M, MAX, FLAGS, ...) FIELD_(S, M, uint64_t, FIELD_U64, FLAGS, .max = (MAX), .doc = __VA_ARGS__)
#define F_I64(S, M, FLAGS, ...)      FIELD_(S, M, int64_t, FIELD_I64, FLAGS, .doc = __VA_ARGS__)
#define F_F64(S, M, FLAGS, ...)      FIELD_(S, M, double, FIELD_F64, FLAGS, .doc = __VA_ARGS__)
#define F_TIME(S, M, FLAGS, ...)     FIELD_(S, M, uint64_t, FIELD_TIME, FLAGS, .doc = __VA_ARGS__)
#define F_DURATION(S, M, MAX, FLAGS, ...)                                                                              \
	FIELD_(S, M, uint64_t, FIELD_DURATION, FLAGS, .max = (MAX), .doc = __VA_ARGS__)
#define F_SIZE(S, M, MAX, FLAGS, ...) FIELD_(S, M, uint64_t, FIELD_SIZE, FLAGS, .max = (MAX), .doc = __VA_ARGS__)
#define F_ENUM(S, M, TYPE, FLAGS, ...)                                                                                 \
	FIELD_(S, M, uint32_t, FIELD_ENUM, FLAGS, .enum_type = (TYPE), .doc = __VA_ARGS__)
#define F_ID(S, M, KIND, FLAGS, ...) FIELD_(S, M, struct id, FIELD_ID, FLAGS, .id_kind = ID_##KIND, .doc = __VA_ARGS__)
#define F_DIGEST(S, M, FLAGS, ...)   FIELD_(S, M, struct digest, FIELD_DIGEST, FLAGS, .doc = __VA_ARGS__)
#define F_STRING(S, M, MAX, FLAGS, ...)                                                                                \
	FIELD_(S, M, const char *, FIELD_STRING, FLAGS, .max = (MAX), .doc = __VA_ARGS__)
#define F_JSON(S, M, MAX, FLAGS, ...)  FIELD_(S, M, const char *, FIELD_JSON, FLAGS, .max = (MAX), .doc = __VA_ARGS__)
#define F_BYTES(S, M, MAX, FLAGS, ...) FIELD_(S, M, struct bytes, FIELD_BYTES, FLAGS, .max = (MAX), .doc = __VA_ARGS__)
#define F_RECORD(S, M, T, TYPE, FLAGS, ...)                                                                            \
	FIELD_(S, M, const T *, FIELD_RECORD, FLAGS, .type = (TYPE), .doc = __VA_ARGS__)
#define F_INLINE(S, M, T, TYPE, FLAGS, ...) FIELD_(S, M, T, FIELD_INLINE, FLAGS, .type = (TYPE), .doc = __VA_ARGS__)
#define F_LIST(S, M, TYPE, MAX, FLAGS, ...)                                                                            \
	FIELD_(S, M, struct list, FIELD_LIST, FLAGS, .elem_kind = FIELD_INLINE, .type = (TYPE), .max = (MAX),          \
	    .doc = __VA_ARGS__)
#define F_STRINGS(S, M, MAX, FLAGS, ...) /* each at most PATH_LIMIT bytes */                                           \
	FIELD_(S, M, struct list, FIELD_LIST, FLAGS, .elem_kind = FIELD_STRING, .max = (MAX), .doc = __VA_ARGS__)
#define F_IDS(S, M, KIND, MAX, FLAGS, ...)                                                                             \
	FIELD_(S, M, struct list, FIELD_LIST, FLAGS, .elem_kind = FIELD_ID, .id_kind = ID_##KIND, .max = (MAX),        \
	    .doc = __VA_ARGS__)
#define F_ENUMS(S, M, TYPE, MAX, FLAGS, ...)                                                                           \
	FIELD_(S, M, struct list, FIELD_LIST, FLAGS, .elem_kind = FIELD_ENUM, .enum_type = (TYPE), .max = (MAX),       \
	    .doc = __VA_ARGS__)
#define F_U64S(S, M, MAX, FLAGS, ...)                                                                                  \
	FIELD_(S, M, struct list, FIELD_LIST, FLAGS, .elem_kind = FIELD_U64, .max = (MAX), .doc = __VA_ARGS__)

/* As above: `.check = plan_check` may follow the documentation. */
#define RECORD_TYPE(NAME, S, FIELDS, ...)                                                                              \
	{                                                                                                              \
		.name = (NAME), .size = sizeof(S), .fields = (FIELDS),                                                 \
		.field_count = sizeof(FIELDS) / sizeof((FIELDS)[0]), .doc = __VA_ARGS__                                \
	}
#define ENUM_TYPE(NAME, NAMES)                                                                                         \
	{                                                                                                              \
		.name = (NAME), .names = (NAMES), .count = sizeof(NAMES) / sizeof((NAMES)[0])                          \
	}

/* ---- codecs ---- */

enum record_options {
	RECORD_STRICT = 1u << 0,       /* unknown keys are errors (always so in YAML) */
	RECORD_PRETTY = 1u << 1,       /* JSON: indented for people */
	RECORD_WITH_SECRETS = 1u << 2, /* JSON: write FIELD_SECRET fields too (only for a program's own files) */
};

/* Appends to out.  The record is checked first: ERR_INVALID, ERR_LIMIT name the field by its path ("waves[2].hosts").
 */
ERR_CHECK enum err_code record_to_msgpack(
    const struct record_type *t, const void *record, struct buf *out, struct err *reterr);
ERR_CHECK enum err_code record_to_json(
    const struct record_type *t, const void *record, unsigned options, struct buf *out, struct err *reterr);
ERR_CHECK enum err_code record_to_yaml(
    const struct record_type *t, const void *record, struct buf *out, struct err *reterr);

/* Fill *record (t->size bytes, need not be initialised; untouched on failure) from exactly the given bytes; trailing
 * bytes are errors. Depth is at most RECORD_DEPTH_MAX.  The record lives in the arena only; JSON and YAML also need
 * heap while they are read, within limits (shared/record/limits.h) and in proportion to size.  ERR_INVALID (shape,
 * range, UTF-8), ERR_LIMIT, ERR_NOMEM. */
ERR_CHECK enum err_code record_from_msgpack(
    const struct record_type *t, const void *data, size_t size, struct arena *arena, void *record, struct err *reterr);
ERR_CHECK enum err_code record_from_json(const struct record_type *t, const char *data, size_t size, unsigned options,
    struct arena *arena, void *record, struct err *reterr);
/* file names the source in errors: "agent.yaml:12: services.portal.probes[0].every: expected a duration such as
 * \"30s\", got 30". */
ERR_CHECK enum err_code record_from_yaml(const struct record_type *t, const char *file, const char *data, size_t size,
    struct arena *arena, void *record, struct err *reterr);

ERR_CHECK enum err_code record_check(const struct record_type *t, const void *record, struct err *reterr);
/* Deep copy into arena. */
ERR_CHECK enum err_code record_copy(
    const struct record_type *t, const void *from, struct arena *arena, void *to, struct err *reterr);
/* In place: each text (FIELD_STRING that is set, items of lists too, at any depth) of a field that carries `flag`
 * becomes what rewrite gives for it, at most max bytes of valid UTF-8 that live as long as the record; NULL is
 * ERR_NOMEM.  What record points at must be its own to change: decoded, or from record_copy(). */
ERR_CHECK enum err_code record_rewrite(const struct record_type *t, void *record, unsigned flag,
    const char *(*rewrite)(void *ctx, const char *text, size_t max), void *ctx, struct err *reterr);
bool record_equal(const struct record_type *t, const void *a, const void *b); /* by value */
/* The record with every field at its default. */
ERR_CHECK enum err_code record_defaults(
    const struct record_type *t, struct arena *arena, void *record, struct err *reterr);

/* Any JSON text in the form that a FIELD_JSON holds: keys sorted by their bytes, no white space, whole numbers without
 * sign tricks, others in their shortest form with a point or an exponent.  One value has one text. */
ERR_CHECK enum err_code record_json_canonical(
    const char *text, size_t size, struct arena *arena, const char **ret, struct err *reterr);

/* ---- one field at a time (tables, filters, indexes) ---- */

/* By its name in C, or as YAML calls it ("took" for took_ms).  NULL: no such field. */
const struct field *record_field(const struct record_type *t, const char *name);
/* The field as a person reads it ("4 min 10 s", "web-1", "-" when absent); lists are joined with ", ". */
void record_field_text(const struct field *f, const void *record, struct buf *out);
/* Bytes that sort as the value does (big-endian numbers, NUL-ended strings, raw ids and digests): keys and indexes of
 * the store.  Enums are their words, as in msgpack, and sort by them.  ERR_UNSUPPORTED: bytes, lists, records and JSON
 * have no order. */
ERR_CHECK enum err_code record_field_key(
    const struct field *f, const void *record, struct buf *out, struct err *reterr);
/* The primary key: every FIELD_KEY field in order. */
ERR_CHECK enum err_code record_key(
    const struct record_type *t, const void *record, struct buf *out, struct err *reterr);

const char *enum_name(const struct enum_type *e, uint32_t value); /* "?" outside */
bool enum_value(const struct enum_type *e, const char *name, uint32_t *ret);

/* ---- tables for people ---- */

struct table_options {
	bool wide;                  /* FIELD_WIDE columns too */
	bool colour;                /* health, severity and state words are coloured */
	unsigned width;             /* of the terminal; 0: unlimited.  The widest text column is cut with "…" */
	const char *const *columns; /* NULL-ended names chosen by the person; NULL: FIELD_COLUMN ones */
};
/* Both take valid records and options that are not NULL.  Text from elsewhere cannot steer the terminal.  ERR_INVALID:
 * a chosen column is not there, or the type has none; ERR_NOMEM. */
ERR_CHECK enum err_code record_table(const struct record_type *t, const void *const *records, size_t count,
    const struct table_options *o, struct buf *out, struct err *reterr);
/* One record, a line a field: "severity   critical"; records within it are indented, lists of records are tables of
 * their columns. Shown are fields that are there and those of the default table; o->columns is not looked at. */
ERR_CHECK enum err_code record_sheet(const struct record_type *t, const void *record, const struct table_options *o,
    struct buf *out, struct err *reterr);

/* ---- documentation ---- */

/* Markdown of one type: name, doc, and a row a field (kind, limits, flags, default, enum names). */
void record_schema(const struct record_type *t, struct buf *out);

#endif
