/* controller/cli/analyze_classify.c: `kedge analyze classify`: what kind of error each message of a file tells of. */
#include <stdlib.h>
#include <string.h>

#include "controller/cli/json_lines.h"
#include "controller/knowledge/calibration.h"
#include "controller/knowledge/model.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(struct arena, cleanup_arena, arena_free)
CLEANUP_DEFINE(struct model, cleanup_model, model_free)

struct message {
	const char *id;
	const char *text;
};
static const struct field message_fields[] = {
    F_JSON(struct message, id, 4096, FIELD_REQUIRED, "what the answer calls it: text or a number"),
    F_STRING(struct message, text, 0, 0, "the message"),
};
static const struct record_type message_type =
    RECORD_TYPE("message", struct message, message_fields, "A message to classify");

struct classifying {
	struct cli *c;
	const struct model *model;
	struct buf out;
};

static enum err_code classify_line(void *ctx, const void *record, struct err *reterr)
{
	struct classifying *k = ctx;
	const struct message *m = record;
	const char *text = m->text ? m->text : "";
	struct verdict v;
	model_classify(k->model, text, strlen(text), &v);
	buf_printf(&k->out, "{\"id\":%s,\"class\":\"%s\",\"conf\":%.4f}\n", m->id,
	    enum_name(&error_class_enum, v.class), v.confidence);
	if (k->out.failed)
		return err_set(reterr, ERR_NOMEM, "out of memory for the output");
	if (k->out.size >= CLI_OUTPUT_CHUNK) {
		cli_put(k->c, &k->out);
		buf_clear(&k->out);
	}
	return ERR_OK;
}

/* The one given with --model, or the one that was shipped. */
static enum err_code chosen_model(struct cli *c, struct model **ret_own, const struct model **ret)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	const char *path = words_option(&c->w, "model");
	if (!path)
		return model_shipped(ret, &c->err);
	enum err_code rc = file_read(path, MODEL_TEXT_MAX, &text, &c->err);
	if (rc == ERR_OK)
		rc = model_from_text(buf_str(&text), text.size, ret_own, &c->err);
	if (rc == ERR_INVALID)
		rc = c->err.code = ERR_CORRUPT;
	if (rc == ERR_OK)
		*ret = *ret_own;
	return rc;
}

int run_analyze_classify(struct cli *c)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new(0);
	CLEANUP(cleanup_model) struct model *own = NULL;
	struct classifying k = {.c = c};
	enum err_code rc = arena ? chosen_model(c, &own, &k.model) : err_set(&c->err, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = json_lines_each(c, c->w.words[0], &message_type, arena, false, classify_line, &k);
	if (rc == ERR_OK)
		cli_put(c, &k.out);
	buf_done(&k.out);
	return rc == ERR_OK ? CLI_DONE : cli_fail(c, rc);
}

/* ---- kedge diagnosis model ---- */

struct examples {
	struct example *items;
	size_t count, room;
};

static enum err_code keep_example(void *ctx, const void *record, struct err *reterr)
{
	struct examples *e = ctx;
	if (e->count == MODEL_EXAMPLES_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d examples", MODEL_EXAMPLES_MAX);
	if (e->count == e->room) {
		size_t room = e->room ? 2 * e->room : 1024;
		struct example *more = realloc(e->items, room * sizeof *more);
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory for %zu examples", room);
		e->items = more;
		e->room = room;
	}
	e->items[e->count++] = *(const struct example *)record;
	return ERR_OK;
}

static int tell_card(struct cli *c, const struct model_card *card)
{
	return out_record(c, &model_card_type, card);
}

static int train(struct cli *c, const struct examples *e)
{
	CLEANUP(cleanup_model) struct model *m = NULL;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	const char *out = words_option(&c->w, "out");
	if (!out)
		return cli_usage(c, "--out is needed: the file that the model is written to");
	enum err_code rc = model_train(e->items, e->count, &m, &c->err);
	if (rc == ERR_OK)
		rc = model_to_text(m, &text, &c->err);
	if (rc == ERR_OK)
		rc = file_replace(out, text.data, text.size, 0644, &c->err);
	return rc == ERR_OK ? tell_card(c, model_card(m)) : cli_fail(c, rc);
}

static int evaluate(struct cli *c, const struct examples *e)
{
	CLEANUP(cleanup_model) struct model *own = NULL;
	const struct model *m;
	struct model_card card;
	enum err_code rc = chosen_model(c, &own, &m);
	if (rc == ERR_OK)
		rc = model_evaluate(m, e->items, e->count, c->arena, &card, &c->err);
	return rc == ERR_OK ? tell_card(c, &card) : cli_fail(c, rc);
}

static int with_examples(struct cli *c, int (*fn)(struct cli *c, const struct examples *e))
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new((size_t)1 << 30);
	struct examples e = {0};
	if (c->w.word_count < 2)
		return cli_usage(c, "which examples? A file with one {\"system\",\"class\",\"text\"} a line");
	enum err_code rc = arena ? json_lines_each(c, c->w.words[1], &example_type, arena, true, keep_example, &e)
				 : err_set(&c->err, ERR_NOMEM, "out of memory");
	int code = rc == ERR_OK ? fn(c, &e) : cli_fail(c, rc);
	free(e.items);
	return code;
}

static int tell_calibration(struct cli *c)
{
	const struct calibration *shipped;
	enum err_code rc = calibration_shipped(&shipped, &c->err);
	return rc == ERR_OK ? out_record(c, &calibration_type, shipped) : cli_fail(c, rc);
}

int run_diagnosis_model(struct cli *c)
{
	CLEANUP(cleanup_model) struct model *own = NULL;
	const struct model *m;
	const char *what = c->w.words[0];
	if (text_equal(what, "train"))
		return with_examples(c, train);
	if (text_equal(what, "evaluate"))
		return with_examples(c, evaluate);
	if (!text_equal(what, "show"))
		return cli_usage(c, "expected show, train or evaluate, got \"%.40s\"", what);
	if (c->w.word_count > 1 && text_equal(c->w.words[1], "root-cause"))
		return tell_calibration(c);
	enum err_code rc = chosen_model(c, &own, &m);
	return rc == ERR_OK ? tell_card(c, model_card(m)) : cli_fail(c, rc);
}
