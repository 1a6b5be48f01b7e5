/* controller/analyst/analyst.c */
#include "controller/analyst/analyst.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/log.h"

struct analyst {
	struct analyst_config c;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t asked;
	struct id waiting[ANALYST_WAITING_MAX]; /* in order, each once */
	size_t count;
	bool stopping;
};

static enum err_code compute(
    struct analyst *a, struct id incident, struct arena *arena, struct diagnosis *ret, struct err *reterr)
{
	struct store_view *view = NULL;
	struct turn *read = NULL;
	enum err_code rc = store_view_open(a->c.store, "analyst", &view, reterr);
	if (rc == ERR_OK)
		rc = turn_open_read(store_view_turn(view), clock_wall_ms(), arena, &read, reterr);
	if (rc == ERR_OK)
		rc = diagnosis_compute(read, incident, ret, reterr);
	turn_close_read(read);
	store_view_close(view);
	return rc;
}

static void diagnose(struct analyst *a, struct id incident)
{
	uint64_t began_ms = clock_mono_ms();
	struct input *in = input_new(INPUT_DIAGNOSED, 0);
	struct arena *work = arena_new(ANALYST_ARENA_MAX);
	struct diagnosis *kept = in ? arena_alloc(in->arena, sizeof *kept) : NULL;
	struct diagnosis d;
	struct err err = ERR_INIT;
	bool congested;
	enum err_code rc = work && kept ? compute(a, incident, work, &d, &err)
					: err_set(&err, ERR_NOMEM, "out of memory for a diagnosis");
	if (rc == ERR_OK) {
		d.took_ms = clock_mono_ms() - began_ms;
		struct random random; /* the center gives the id that counts; copying wants one */
		random_init_system(&random);
		d.diagnosis = id_new(d.at_ms, &random);
		rc = record_copy(&diagnosis_type, &d, in->arena, kept, &err);
	}
	if (rc == ERR_OK) {
		in->id = incident;
		in->diagnosis = kept;
		in->weight_bytes = arena_used(in->arena);
		rc = a->c.submit(a->c.ctx, in, &congested, &err);
	}
	if (rc != ERR_OK) {
		log_warn("analyst", "incident=%s not diagnosed: %s", id_text(ID_INCIDENT, incident), err.msg);
		input_free(in);
	}
	arena_free(work);
}

static void *thread_main(void *arg)
{
	struct analyst *a = arg;
	pthread_mutex_lock(&a->lock);
	while (!a->stopping) {
		if (!a->count) {
			pthread_cond_wait(&a->asked, &a->lock);
			continue;
		}
		struct id next = a->waiting[0];
		memmove(&a->waiting[0], &a->waiting[1], --a->count * sizeof a->waiting[0]);
		pthread_mutex_unlock(&a->lock);
		diagnose(a, next);
		pthread_mutex_lock(&a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

enum err_code analyst_start(const struct analyst_config *c, struct analyst **ret, struct err *reterr)
{
	struct analyst *a = calloc(1, sizeof *a);
	if (!a)
		return err_set(reterr, ERR_NOMEM, "out of memory for the analyst");
	a->c = *c;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->asked, NULL);
	if (pthread_create(&a->thread, NULL, thread_main, a) != 0) {
		free(a);
		return err_set(reterr, ERR_NOMEM, "no thread for the analyst");
	}
	*ret = a;
	return ERR_OK;
}

void analyst_stop(struct analyst *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	pthread_cond_signal(&a->asked);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->asked);
	free(a);
}

void analyst_ask(struct analyst *a, struct id incident)
{
	pthread_mutex_lock(&a->lock);
	size_t i = 0;
	while (i < a->count && !id_equal(a->waiting[i], incident))
		i++;
	if (i == a->count && i < ANALYST_WAITING_MAX)
		a->waiting[a->count++] = incident;
	pthread_cond_signal(&a->asked);
	pthread_mutex_unlock(&a->lock);
}
