/* controller/prose/prose.c: the thread that asks. */
#include "controller/prose/prose.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/queue.h"
#include "shared/base/text.h"
#include "shared/http/http.h"

struct prose {
	struct prose_options o;
	struct queue *queue; /* struct id *, one allocation each */
	pthread_t thread;
	atomic_bool stop;
};

/* What there is to tell of it; *ret_wanted false: it came back to life, or somebody was faster. */
static enum err_code read_record(struct prose *p, struct id incident, struct arena *arena, struct buf *question,
    bool *ret_wanted, struct err *reterr)
{
	struct store_view *view = NULL;
	struct turn *read = NULL;
	struct incident i;
	struct diagnosis d;
	struct list timeline = {0};
	bool found = false, diagnosed = false;
	enum err_code rc = store_view_open(p->o.store, "prose", &view, reterr);
	if (rc == ERR_OK)
		rc = turn_open_read(store_view_turn(view), clock_wall_ms(), arena, &read, reterr);
	if (rc == ERR_OK)
		rc = incident_get(read, incident, &i, &found, reterr);
	bool wanted = rc == ERR_OK && found && !incident_is_open(&i) && !i.summary;
	if (wanted)
		rc = incident_timeline(read, incident, &timeline, reterr);
	if (wanted && rc == ERR_OK)
		rc = diagnosis_of_incident(read, incident, &d, &diagnosed, reterr);
	if (wanted && rc == ERR_OK)
		rc = prose_question(p->o.config, &i, &timeline, diagnosed ? &d : NULL, question, reterr);
	turn_close_read(read);
	store_view_close(view);
	if (rc == ERR_OK)
		*ret_wanted = wanted;
	return rc;
}

/* "Authorization: Bearer …", to be wiped. */
static enum err_code bearer(const char *key_file, struct buf *out, struct err *reterr)
{
	struct buf key = BUF_INIT;
	enum err_code rc = file_read(key_file, PROSE_KEY_MAX, &key, reterr);
	if (rc == ERR_OK) {
		size_t n = strcspn(buf_str(&key), "\r\n");
		buf_reserve(out, n + 64); /* nothing is left behind by growing */
		buf_text(out, "Authorization: Bearer ");
		buf_append(out, buf_str(&key), n);
		if (out->failed)
			rc = err_set(reterr, ERR_NOMEM, "out of memory for a key");
	}
	if (key.data)
		explicit_bzero(key.data, key.size);
	buf_done(&key);
	return rc;
}

static enum err_code converse(struct prose *p, const struct buf *question, struct http_answer *ret, struct err *reterr)
{
	const struct prose_config *c = p->o.config;
	struct http_options options = {.authority = c->authority, .timeout_ms = (uint32_t)c->timeout_ms};
	struct http_client *client = NULL;
	struct buf key = BUF_INIT;
	const char *headers[] = {"Content-Type: application/json", NULL, NULL};
	enum err_code rc = c->key_file ? bearer(c->key_file, &key, reterr) : ERR_OK;
	if (rc == ERR_OK && c->key_file)
		headers[1] = buf_str(&key);
	if (rc == ERR_OK)
		rc = http_client_new(&options, &client, reterr);
	struct http_request r = {.method = "POST",
	    .url = c->url,
	    .headers = headers,
	    .body = question->data,
	    .body_size = question->size,
	    .answer_max = (size_t)c->answer_max_bytes,
	    .stop = &p->stop};
	if (rc == ERR_OK)
		rc = http_ask(client, &r, ret, reterr);
	http_client_free(client);
	if (key.data)
		explicit_bzero(key.data, key.size);
	buf_done(&key);
	if (rc == ERR_OK && (ret->status < 200 || ret->status > 299)) {
		rc = err_set(reterr, ERR_UNREACHABLE, "%s answered with status %ld", c->url, ret->status);
		buf_done(&ret->body);
	}
	return rc;
}

/* *ret_text NULL: nothing is wanted any more. */
static enum err_code summary_of(
    struct prose *p, struct id incident, struct arena *arena, const char **ret_text, struct err *reterr)
{
	struct buf question = BUF_INIT;
	struct http_answer answer = {0};
	struct arena *work = arena_new(PROSE_ARENA_MAX);
	bool wanted = false;
	enum err_code rc = work ? read_record(p, incident, work, &question, &wanted, reterr)
				: err_set(reterr, ERR_NOMEM, "out of memory for a question");
	arena_free(work);
	*ret_text = NULL;
	if (rc == ERR_OK && wanted)
		rc = converse(p, &question, &answer, reterr);
	if (rc == ERR_OK && wanted) {
		rc = prose_answer(buf_str(&answer.body), answer.body.size, arena, ret_text, reterr);
		buf_done(&answer.body);
	}
	buf_done(&question);
	return rc;
}

static void summarise(struct prose *p, struct id incident)
{
	struct input *in = input_new(INPUT_SUMMARISED, PROSE_ARENA_MAX);
	struct err err = ERR_INIT;
	bool congested;
	if (!in)
		return;
	enum err_code rc = summary_of(p, incident, in->arena, &in->text, &err);
	bool any = rc == ERR_OK && in->text;
	in->id = incident;
	in->by = any ? arena_strdup(in->arena, p->o.config->model) : NULL;
	in->weight_bytes = arena_used(in->arena);
	if (any && in->by)
		rc = p->o.submit(p->o.ctx, in, &congested, &err);
	if (rc != ERR_OK)
		log_warn("prose", "incident=%s no summary: %s", id_text(ID_INCIDENT, incident), err.msg);
	if (rc != ERR_OK || !any || !in->by)
		input_free(in); /* the incident's timer asks again, some times */
}

static void *thread_main(void *arg)
{
	struct prose *p = arg;
	void *item;
	while (queue_pop(p->queue, &item, 1, -1) == 1) {
		struct id id = *(struct id *)item;
		free(item);
		if (!atomic_load(&p->stop))
			summarise(p, id);
	}
	return NULL;
}

enum err_code prose_start(const struct prose_options *o, struct prose **ret, struct err *reterr)
{
	struct prose *p = calloc(1, sizeof *p);
	if (!p || !(p->queue = queue_new(PROSE_WAITING_MAX, PROSE_WAITING_MAX * sizeof(struct id)))) {
		free(p);
		return err_set(reterr, ERR_NOMEM, "out of memory for summaries");
	}
	p->o = *o;
	if (pthread_create(&p->thread, NULL, thread_main, p) != 0) {
		queue_free(p->queue);
		free(p);
		return err_set(reterr, ERR_NOMEM, "no thread for summaries");
	}
	*ret = p;
	return ERR_OK;
}

void prose_stop(struct prose *p)
{
	if (!p)
		return;
	atomic_store(&p->stop, true);
	queue_close(p->queue);
	pthread_join(p->thread, NULL);
	queue_free(p->queue);
	free(p);
}

void prose_ask(struct prose *p, struct id incident)
{
	struct id *copy = p ? malloc(sizeof *copy) : NULL;
	if (!copy)
		return;
	*copy = incident;
	if (queue_push(p->queue, copy, sizeof *copy, NULL) != ERR_OK)
		free(copy);
}
