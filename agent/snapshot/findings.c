#include "agent/snapshot/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void findings_init(struct findings *f)
{
	*f = (struct findings){0};
	pthread_mutex_init(&f->mutex, NULL);
}

void findings_done(struct findings *f)
{
	for (size_t i = 0; i < f->kept; i++)
		free(f->texts[i]);
	free(f->texts);
	pthread_mutex_destroy(&f->mutex);
}

/* A finding whose text cannot be kept for want of memory still counts. */
void findings_add(struct findings *f, const char *fmt, ...)
{
	char text[ERR_MSG_MAX * 2];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&f->mutex);
	f->count++;
	if (!f->texts)
		f->texts = calloc(FINDINGS_KEPT, sizeof *f->texts);
	char *copy = f->texts && f->kept < FINDINGS_KEPT ? strdup(text) : NULL;
	if (copy)
		f->texts[f->kept++] = copy;
	pthread_mutex_unlock(&f->mutex);
}

void findings_tell(struct findings *f, repo_finding_fn *fn, void *ctx)
{
	pthread_mutex_lock(&f->mutex);
	while (f->told < f->kept) {
		const char *text = f->texts[f->told++];
		pthread_mutex_unlock(&f->mutex);
		if (fn)
			fn(ctx, text);
		pthread_mutex_lock(&f->mutex);
	}
	pthread_mutex_unlock(&f->mutex);
}

const char *findings_first(const struct findings *f)
{
	return f->kept ? f->texts[0] : NULL;
}
