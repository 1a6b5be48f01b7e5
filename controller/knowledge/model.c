/* controller/knowledge/model.c: a model as a file.
 *
 *   kedge-model 2
 *   <the card, JSON, one line>
 *   <MODEL_SHARED numbers> / <a scale for each class>, a line each
 *   <the cells: one signed byte a weight, base64, in lines of LINE_BYTES bytes before encoding>
 *
 * A byte is enough for a weight: what rounding changes is far below what calibration can see. */
#include "controller/knowledge/model_internal.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

static const char head[] = "kedge-model 2";
enum { LINE_BYTES = 96, CARD_ARENA_MAX = 1 << 20 };

static const char *const class_names[ERROR_CLASS_COUNT] = {"already_exists", "auth", "conflict", "integrity",
    "internal", "invalid", "not_found", "resource", "state", "timeout_cancel", "unavailable", "unsupported"};
const struct enum_type error_class_enum = ENUM_TYPE("error_class", class_names);

static const struct field calibration_fields[] = {
    F_F64(struct model_calibration, score, FIELD_ALWAYS | FIELD_COLUMN, "what the model says"),
    F_F64(struct model_calibration, right, FIELD_ALWAYS | FIELD_COLUMN, "how often that was right"),
};
const struct record_type model_calibration_type =
    RECORD_TYPE("model_calibration", struct model_calibration, calibration_fields, "one point of a calibration");
static const struct field shift_fields[] = {
    F_ENUM(struct model_shift, class, &error_class_enum, FIELD_ALWAYS | FIELD_COLUMN, "the class"),
    F_F64(struct model_shift, shift, FIELD_ALWAYS | FIELD_COLUMN, "how much surer than the others, log odds"),
};
const struct record_type model_shift_type =
    RECORD_TYPE("model_shift", struct model_shift, shift_fields, "what a class that is said beyond doubt is worth");
static const struct field system_fields[] = {
    F_STRING(
	struct model_system, system, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the system that was held back"),
    F_U64(struct model_system, messages, 0, FIELD_ALWAYS | FIELD_COLUMN, "its messages"),
    F_F64(struct model_system, accuracy, FIELD_ALWAYS | FIELD_COLUMN, "share that was classified rightly"),
};
const struct record_type model_system_type =
    RECORD_TYPE("model_system", struct model_system, system_fields, "how a model did on one system");
static const struct field card_fields[] = {
    F_STRING(struct model_card, name, NAME_MAX_BYTES, FIELD_REQUIRED, "what it decides"),
    F_STRING(struct model_card, version, NAME_MAX_BYTES, FIELD_REQUIRED, "of the features that it weighs"),
    F_DIGEST(struct model_card, training, FIELD_ALWAYS, "SHA-256 of the examples"),
    F_U64(struct model_card, examples, 0, FIELD_ALWAYS, "how many there were"),
    F_U64(struct model_card, judged, 0, FIELD_ALWAYS, "how many of those were only judged, not learned from"),
    F_DIGEST(struct model_card, own, FIELD_ALWAYS, "SHA-256 of the examples that come with the program"),
    F_U64(struct model_card, own_examples, 0, FIELD_ALWAYS, "how many of those were learned from, too"),
    F_F64(struct model_card, accuracy, FIELD_ALWAYS,
	"share of right answers, each by weights that had not seen its system"),
    F_F64(struct model_card, macro_f1, FIELD_ALWAYS, "mean of the classes' F1"),
    F_F64(struct model_card, ece, FIELD_ALWAYS, "expected calibration error, ten bins"),
    F_F64(struct model_card, sure_accuracy, FIELD_ALWAYS, "accuracy of answers given with .95 and more"),
    F_F64(struct model_card, sure_coverage, FIELD_ALWAYS, "share of such answers"),
    F_LIST(struct model_card, systems, &model_system_type, MODEL_SYSTEMS_MAX, 0, "each system apart"),
    F_LIST(struct model_card, calibration, &model_calibration_type, MODEL_BINS_MAX, 0,
	"what the model's shares turned out to be worth"),
    F_LIST(struct model_card, certain, &model_calibration_type, MODEL_BINS_MAX, 0,
	"the same, where the lexicon is beyond doubt"),
    F_LIST(struct model_card, shifts, &model_shift_type, ERROR_CLASS_COUNT, 0, "how much surer some classes are then"),
    F_F64(struct model_card, sure_from, FIELD_ALWAYS, "at least this confident"),
    F_F64(struct model_card, sure_right, FIELD_ALWAYS, "is so often right, taken together; 0: never often enough"),
};
const struct record_type model_card_type =
    RECORD_TYPE("model_card", struct model_card, card_fields, "a model: what it was made from and how good it is");
static const struct field example_fields[] = {
    F_STRING(struct example, system, NAME_MAX_BYTES, FIELD_REQUIRED, "where the message comes from"),
    F_ENUM(struct example, class, &error_class_enum, FIELD_REQUIRED, "what kind of error it is"),
    F_STRING(struct example, text, TEXT_PAGE_MAX, FIELD_REQUIRED, "the message"),
    F_BOOL(struct example, judge, 0, "not learned from: only what a confidence is worth is measured on it"),
};
const struct record_type example_type =
    RECORD_TYPE("example", struct example, example_fields, "an example to learn from");

enum err_code model_new(struct model **ret, struct err *reterr)
{
	struct model *m = calloc(1, sizeof *m);
	if (m) {
		m->arena = arena_new(CARD_ARENA_MAX);
		m->cells = calloc((size_t)MODEL_CELLS * ERROR_CLASS_COUNT, sizeof *m->cells);
	}
	if (!m || !m->arena || !m->cells) {
		model_free(m);
		return err_set(reterr, ERR_NOMEM, "out of memory for a model");
	}
	m->card.name = "error-class";
	m->card.version = "words-3";
	*ret = m;
	return ERR_OK;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	arena_free(m->arena);
	free(m->cells);
	free(m);
}

const struct model_card *model_card(const struct model *m)
{
	return &m->card;
}

/* ---- writing ---- */

static void put_numbers(struct buf *out, const float *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%.9g", i ? " " : "", (double)v[i]);
	buf_text(out, "\n");
}

static void column_scales(const struct model *m, float *ret)
{
	for (size_t c = 0; c < ERROR_CLASS_COUNT; c++) {
		float most = 0;
		for (size_t i = 0; i < MODEL_CELLS; i++)
			most = fmaxf(most, fabsf(m->cells[i * ERROR_CLASS_COUNT + c]));
		ret[c] = most > 0 ? most / 127.0f : 1.0f;
	}
}

enum err_code model_to_text(const struct model *m, struct buf *out, struct err *reterr)
{
	float scales[ERROR_CLASS_COUNT];
	int8_t line[LINE_BYTES];
	buf_printf(out, "%s\n", head);
	enum err_code rc = record_to_json(&model_card_type, &m->card, 0, out, reterr);
	if (rc != ERR_OK)
		return rc;
	buf_text(out, "\n");
	column_scales(m, scales);
	put_numbers(out, m->shared, MODEL_SHARED);
	put_numbers(out, scales, ERROR_CLASS_COUNT);
	size_t all = (size_t)MODEL_CELLS * ERROR_CLASS_COUNT;
	for (size_t at = 0; at < all; at += LINE_BYTES) {
		size_t n = all - at < LINE_BYTES ? all - at : LINE_BYTES;
		for (size_t i = 0; i < n; i++)
			line[i] = (int8_t)lrintf(m->cells[at + i] / scales[(at + i) % ERROR_CLASS_COUNT]);
		text_base64(out, line, n);
		buf_text(out, "\n");
	}
	return out->failed ? err_set(reterr, ERR_NOMEM, "out of memory for a model's file") : ERR_OK;
}

/* ---- reading ---- */

struct model_lines {
	const char *at, *end;
	unsigned number;
};
static bool next_line(struct model_lines *l, const char **ret, size_t *ret_size)
{
	if (l->at >= l->end)
		return false;
	const char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
	*ret = l->at;
	*ret_size = (size_t)((stop ? stop : l->end) - l->at);
	l->at = stop ? stop + 1 : l->end;
	l->number++;
	return true;
}

static enum err_code get_numbers(struct model_lines *l, float *v, size_t n, struct err *reterr)
{
	const char *line;
	char word[32];
	size_t size, at = 0;
	if (!next_line(l, &line, &size))
		return err_set(reterr, ERR_INVALID, "model: ends after line %u", l->number);
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;
		double x;
		while (at < size && line[at] == ' ')
			at++;
		while (at < size && line[at] != ' ' && k + 1 < sizeof word)
			word[k++] = line[at++];
		word[k] = 0;
		if (text_f64(word, &x, NULL) != ERR_OK || fabs(x) > 1e6)
			return err_set(
			    reterr, ERR_INVALID, "model: line %u: number %zu of %zu is none", l->number, i + 1, n);
		v[i] = (float)x;
	}
	return at == size ? ERR_OK : err_set(reterr, ERR_INVALID, "model: line %u is longer than expected", l->number);
}

static enum err_code get_cells(struct model_lines *l, const float *scales, float *cells, struct err *reterr)
{
	struct buf bytes = BUF_INIT;
	const char *line;
	size_t size, at = 0, all = (size_t)MODEL_CELLS * ERROR_CLASS_COUNT;
	enum err_code rc = ERR_OK;
	while (rc == ERR_OK && next_line(l, &line, &size)) {
		buf_clear(&bytes);
		rc = text_unbase64(&bytes, line, size, reterr);
		if (rc == ERR_OK && bytes.size > all - at)
			rc = err_set(reterr, ERR_INVALID, "too many weights");
		for (size_t i = 0; rc == ERR_OK && i < bytes.size; i++, at++)
			cells[at] = (float)(int8_t)bytes.data[i] * scales[at % ERROR_CLASS_COUNT];
		if (rc != ERR_OK)
			rc = err_prefix(reterr, rc, "model: line %u", l->number);
	}
	buf_done(&bytes);
	if (rc == ERR_OK && at != all)
		rc = err_set(reterr, ERR_INVALID, "model: %zu weights of %zu", at, all);
	return rc;
}

static enum err_code get_all(struct model *m, struct model_lines *l, struct err *reterr)
{
	float scales[ERROR_CLASS_COUNT];
	const char *line, *version = m->card.version, *name = m->card.name;
	size_t size;
	if (!next_line(l, &line, &size) || size != sizeof head - 1 || memcmp(line, head, size) != 0)
		return err_set(reterr, ERR_INVALID, "model: does not begin with \"%s\"", head);
	if (!next_line(l, &line, &size))
		return err_set(reterr, ERR_INVALID, "model: ends after its first line");
	enum err_code rc = record_from_json(&model_card_type, line, size, 0, m->arena, &m->card, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "model: line 2");
	if (!text_equal(m->card.version, version) || !text_equal(m->card.name, name))
		return err_set(reterr, ERR_UNSUPPORTED, "model: %s %s is not %s %s: train it anew with this program",
		    m->card.name, m->card.version, name, version);
	rc = get_numbers(l, m->shared, MODEL_SHARED, reterr);
	if (rc == ERR_OK)
		rc = get_numbers(l, scales, ERROR_CLASS_COUNT, reterr);
	return rc == ERR_OK ? get_cells(l, scales, m->cells, reterr) : rc;
}

enum err_code model_from_text(const char *text, size_t size, struct model **ret, struct err *reterr)
{
	struct model_lines l = {text, text + size, 0};
	struct model *m;
	if (size > MODEL_TEXT_MAX)
		return err_set(reterr, ERR_LIMIT, "model: larger than %d bytes", MODEL_TEXT_MAX);
	enum err_code rc = model_new(&m, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = get_all(m, &l, reterr);
	if (rc != ERR_OK) {
		model_free(m);
		return rc;
	}
	*ret = m;
	return ERR_OK;
}

/* ---- the one that was built in (embed.c) ---- */

extern const char kedge_error_model[];
extern const char kedge_error_model_end[];
static pthread_once_t shipped_once = PTHREAD_ONCE_INIT;
static struct model *shipped;
static struct err shipped_err;

static void load_shipped(void)
{
	if (model_from_text(kedge_error_model, (size_t)(kedge_error_model_end - kedge_error_model), &shipped,
		&shipped_err) != ERR_OK)
		shipped = NULL;
}

enum err_code model_shipped(const struct model **ret, struct err *reterr)
{
	pthread_once(&shipped_once, load_shipped);
	if (!shipped)
		return err_set(reterr, shipped_err.code, "%s", shipped_err.msg);
	*ret = shipped;
	return ERR_OK;
}
