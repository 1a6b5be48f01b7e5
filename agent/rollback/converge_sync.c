/* Converging: what was written becomes durable, and what it replaced goes, while other work goes on. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/rollback/converge_internal.h"
#include "shared/base/cleanup.h"

static void *sync_all(void *arg)
{
	struct sync_job *job = arg;
	for (size_t i = 0; i < job->count && !job->failed; i++)
		if (syncfs(job->fds[i]) != 0)
			job->failed = errno;
	return NULL;
}

/* Some folder of the file system that is meant; -1 with ERR_OK: there is none any more. */
static enum err_code open_site(struct site *p, bool stage, int *ret, struct err *reterr)
{
	const char *name;
	int dirfd;
	*ret = -1;
	if (stage && p->stage_fd < 0)
		return ERR_OK;
	if (!stage) {
		enum err_code rc = site_open_folder(p, "", false, &dirfd, &name, reterr);
		if (rc != ERR_OK) /* it is absent, with the folder that held it */
			return rc == ERR_NOT_FOUND ? ERR_OK : rc;
		*ret = openat(
		    dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); /* its own, if a mount point */
	}
	if (*ret < 0)
		*ret = fcntl(stage ? p->stage_fd : dirfd, F_DUPFD_CLOEXEC, 0);
	return *ret >= 0 ? ERR_OK : err_sys(reterr, errno, "%s cannot be made durable", p->path);
}

static bool is_listed(const struct sync_job *job, uint64_t mount)
{
	for (size_t i = 0; i < job->count; i++)
		if (job->mounts[i] == mount)
			return true;
	return false;
}

static void job_done(struct sync_job *job)
{
	for (size_t i = 0; i < job->count; i++)
		close(job->fds[i]);
	free(job->mounts);
	free(job->fds);
	*job = (struct sync_job){0};
}

enum err_code converge_sync_begin(struct converge *c, bool stages, struct err *reterr)
{
	struct sync_job *job = &c->sync;
	enum err_code rc = converge_wait(c, reterr);
	if (rc != ERR_OK)
		return rc;
	job->fds = calloc(c->site_count + 1, sizeof *job->fds);
	job->mounts = calloc(c->site_count + 1, sizeof *job->mounts);
	if (!job->fds || !job->mounts)
		rc = err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	for (size_t i = 0; rc == ERR_OK && i < c->site_count; i++) {
		int fd = -1;
		if (!is_listed(job, c->sites[i].mount))
			rc = open_site(&c->sites[i], stages, &fd, reterr);
		if (fd < 0)
			continue;
		job->mounts[job->count] = c->sites[i].mount;
		job->fds[job->count++] = fd;
	}
	if (rc != ERR_OK) {
		job_done(job);
		return rc;
	}
	job->running = true;
	job->threaded = pthread_create(&job->thread, NULL, sync_all, job) == 0;
	if (!job->threaded)
		(void)sync_all(job);
	return ERR_OK;
}

/* ---- staging folders ---- */

static void *clear_all(void *arg)
{
	struct clear_job *job = arg;
	for (size_t i = 0; i < job->count && job->rc == ERR_OK; i++)
		job->rc = site_remove_stage(&job->sites[i], &job->err);
	return NULL;
}

enum err_code converge_clear_inner(struct converge *c, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < c->site_count; i++)
		if (c->sites[i].stage_fd >= 0 && c->sites[i].keep_time)
			rc = site_remove_stage(&c->sites[i], reterr);
	return rc;
}

enum err_code converge_clear_begin(struct converge *c, struct err *reterr)
{
	struct clear_job *job = &c->clear;
	*job = (struct clear_job){.sites = calloc(c->site_count + 1, sizeof *job->sites)};
	if (!job->sites)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	for (size_t i = 0; i < c->site_count; i++) {
		if (c->sites[i].stage_fd < 0)
			continue;
		close(TAKE_FD(c->sites[i].stage_fd));
		job->sites[job->count] = c->sites[i];
		job->sites[job->count++].folder_fd = -1;
	}
	job->running = true;
	job->threaded = job->count && pthread_create(&job->thread, NULL, clear_all, job) == 0;
	if (!job->threaded)
		(void)clear_all(job);
	return ERR_OK;
}

static enum err_code clear_wait(struct clear_job *job, struct err *reterr)
{
	if (!job->running)
		return ERR_OK;
	if (job->threaded)
		pthread_join(job->thread, NULL);
	job->running = false;
	free(TAKE_PTR(job->sites));
	if (job->rc != ERR_OK && reterr)
		*reterr = job->err;
	return job->rc;
}

/* ---- both ---- */

static enum err_code sync_wait(struct sync_job *job, struct err *reterr)
{
	if (!job->running)
		return ERR_OK;
	if (job->threaded)
		pthread_join(job->thread, NULL);
	int code = job->failed;
	job_done(job);
	return code ? err_sys(reterr, code, "what was written cannot be made durable") : ERR_OK;
}

enum err_code converge_wait(struct converge *c, struct err *reterr)
{
	struct err later = ERR_INIT;
	enum err_code rc = sync_wait(&c->sync, reterr), cleared = clear_wait(&c->clear, &later);
	if (rc == ERR_OK && cleared != ERR_OK && reterr)
		*reterr = later;
	return rc == ERR_OK ? cleared : rc;
}
