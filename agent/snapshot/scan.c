/* The workers of a scan. */
#include "agent/snapshot/scan_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "shared/base/text.h"

enum { PROGRESS_MS = 100, WORKER_STACK = 512 << 10 };

unsigned scan_workers(unsigned wanted)
{
	cpu_set_t set;
	unsigned n = wanted;
	if (!n)
		n = sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
	return n < 1 ? 1 : n > SNAPSHOT_WORKERS_MAX ? SNAPSHOT_WORKERS_MAX : n;
}

bool scan_stopped(const struct scan *s)
{
	return atomic_load_explicit(&s->stop, memory_order_relaxed) || (s->o.cancel && atomic_load(s->o.cancel));
}

struct scan_node *scan_node_new(struct scan_node *parent, uint16_t root, const char *path)
{
	size_t size = strlen(path) + 1;
	struct scan_node *n = calloc(1, sizeof *n + size);
	if (!n)
		return NULL;
	n->parent = parent;
	n->root = root;
	n->entries.limit = (size_t)1 << 30; /* a directory of some eight million names */
	memcpy(n->path, path, size);
	return n;
}

static void node_free(struct scan_node *n)
{
	buf_done(&n->entries);
	free(n->links);
	free(n);
}

char *scan_path_text(const struct scan *s, const struct scan_node *n, const char *name, char *out, size_t size)
{
	char path[PATH_LIMIT * 2];
	const char *root = n->root == TREE_ROOTS ? "" : s->o.roots[n->root].path;
	(void)text_format(path, sizeof path, "%s%s%s%s%s", root, *n->path ? "/" : "", n->path,
	    *name && n->root != TREE_ROOTS ? "/" : "", name);
	return snapshot_path_text(path, out, size);
}

enum err_code scan_error(
    struct scan_worker *w, const struct scan_node *n, const char *name, enum err_code rc, struct err *reterr)
{
	char text[TEXT_LINE_MAX / 2];
	return err_prefix(reterr, rc, "%s", scan_path_text(w->scan, n, name, text, sizeof text));
}

/* ---- the stack of directories ---- */

static bool push(struct scan *s, struct scan_node *n)
{
	if (s->stack_count == s->stack_room) {
		size_t room = s->stack_room ? s->stack_room * 2 : 256;
		struct scan_node **more = realloc(s->stack, room * sizeof *more);
		if (!more)
			return false;
		s->stack = more;
		s->stack_room = room;
	}
	s->stack[s->stack_count++] = n;
	s->pending++;
	return true;
}

/* The one on top, which is the next in order among its worker's; but when much waits to leave, the one that it waits
 * for. NULL: that one is in the making. */
static struct scan_node *pop(struct scan *s)
{
	size_t at = s->stack_count - 1;
	if (s->backlog > SCAN_BACKLOG && s->next && !s->next->late) {
		if (s->next->taken)
			return NULL;
		for (; s->stack[at] != s->next; at--)
			assert(at > 0);
	}
	struct scan_node *n = s->stack[at];
	memmove(&s->stack[at], &s->stack[at + 1], (--s->stack_count - at) * sizeof *s->stack);
	return n;
}

/* Children in reverse, so that they are taken in order and neighbours in the tree become neighbours in the packs. */
static bool push_children(struct scan *s, struct scan_node *n)
{
	size_t first = s->stack_count;
	for (struct scan_node *c = n->child; c; c = c->sibling)
		if (!c->late && !push(s, c))
			return false;
	for (size_t i = first, j = s->stack_count; i + 1 < j; i++) {
		struct scan_node *c = s->stack[--j];
		s->stack[j] = s->stack[i];
		s->stack[i] = c;
	}
	return true;
}

static void fail(struct scan *s, enum err_code rc, const struct err *err)
{
	if (!s->rc) {
		s->rc = rc;
		s->err = *err;
	}
	atomic_store(&s->stop, true);
	pthread_cond_broadcast(&s->wake);
	pthread_cond_signal(&s->over);
}

/* With the mutex held; *ret NULL: help with a large file. */
static bool next_work(struct scan *s, struct scan_node **ret)
{
	for (;;) {
		if (scan_stopped(s) || !s->pending)
			return false;
		if (s->stack_count && (*ret = pop(s))) {
			(*ret)->taken = true;
			s->active++;
			return true;
		}
		for (size_t i = 0; i < SNAPSHOT_WORKERS_MAX; i++)
			if (s->big[i] && s->big[i]->next < s->big[i]->strips) {
				*ret = NULL;
				return true;
			}
		s->waiting++;
		pthread_cond_wait(&s->wake, &s->mutex);
		s->waiting--;
	}
}

/* Behind the node, in order; what is behind us for good is freed.  top stays. */
static struct scan_node *step_over(struct scan_node *n)
{
	while (!n->child) {
		struct scan_node *up = n->parent, *next = n->sibling;
		if (!up)
			return NULL;
		up->child = next; /* those before it went before */
		node_free(n);
		if (next)
			return next;
		n = up;
	}
	return n->child;
}

/* With the mutex held, which is let go meanwhile.  Whoever comes while another is at it leaves it to that one. */
static enum err_code emit_ready(struct scan_worker *w)
{
	struct scan *s = w->scan;
	enum err_code rc = ERR_OK;
	if (s->emitting)
		return ERR_OK;
	s->emitting = true;
	while (!rc && s->next && s->next->done && !s->rc) {
		struct scan_node *n = s->next;
		size_t size = n->entries.size;
		pthread_mutex_unlock(&s->mutex);
		rc = emitter_add(s->emitter, w->packer, n, &w->err);
		buf_done(&n->entries);
		pthread_mutex_lock(&s->mutex);
		s->backlog -= size;
		s->next = step_over(n);
	}
	s->emitting = false;
	return rc;
}

/* With the mutex held. */
static void finish_node(struct scan_worker *w, struct scan_node *n, enum err_code rc)
{
	struct scan *s = w->scan;
	if (!rc && !push_children(s, n))
		rc = err_set(&w->err, ERR_NOMEM, "out of memory");
	s->backlog += n->entries.size;
	n->done = !rc;
	if (!rc)
		rc = emit_ready(w);
	if (rc)
		fail(s, rc, &w->err);
	s->active--;
	if (--s->pending == 0)
		pthread_cond_signal(&s->over);
	if (s->waiting && (s->stack_count || !s->pending))
		pthread_cond_broadcast(&s->wake);
}

static void *work(void *arg)
{
	struct scan_worker *w = arg;
	struct scan *s = w->scan;
	struct scan_node *n;
	pthread_mutex_lock(&s->mutex);
	while (next_work(s, &n)) {
		pthread_mutex_unlock(&s->mutex);
		enum err_code rc = ERR_OK;
		if (n)
			rc = scan_directory(w, n, &w->err);
		else
			(void)scan_help(w);
		pthread_mutex_lock(&s->mutex);
		if (n)
			finish_node(w, n, rc);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

static void worker_done(struct scan_worker *w)
{
	free(w->window);
	free(w->listing);
	free(w->sorted);
	buf_done(&w->names);
	buf_done(&w->references);
	buf_done(&w->lists);
	buf_done(&w->xattrs);
	buf_done(&w->path);
}

/* ---- roots ---- */

static void free_nodes(struct scan_node *top)
{
	struct scan_node *n = top;
	while (n) {
		struct scan_node *next = n->child ? n->child : n->sibling;
		if (n->child) { /* go down first; come back when the children are gone */
			n->child = NULL;
			n = next;
			continue;
		}
		struct scan_node *up = n->parent;
		node_free(n);
		n = next ? next : up;
	}
}

static void scan_free(struct scan *s)
{
	if (!s)
		return;
	free_nodes(s->top);
	emitter_free(s->emitter);
	for (size_t i = 0; i < s->o.root_count; i++)
		if (s->root_fds[i] >= 0)
			close(s->root_fds[i]);
	free(s->stack);
	pthread_mutex_destroy(&s->mutex);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->over);
	free(s);
}

CLEANUP_DEFINE(struct scan, scan_cleanup, scan_free)

/* Which root of a base is which of ours: by name. */
static void match_roots(const struct scan *s, struct paged *base, uint16_t ret[SNAPSHOT_ROOTS_MAX])
{
	for (size_t i = 0; i < s->o.root_count; i++)
		ret[i] = TREE_ROOTS;
	struct paged_cursor c;
	uint16_t number = 0;
	for (paged_begin(base, TREE_ROOTS, "", &c); c.entry; paged_next(&c), number++)
		for (size_t i = 0; i < s->o.root_count; i++)
			if (strlen(s->o.roots[i].name) == entry_name_size(c.entry) &&
			    !memcmp(s->o.roots[i].name, entry_name(c.entry), entry_name_size(c.entry)))
				ret[i] = number;
	paged_end(&c);
}

static enum err_code scan_new(const struct scan_options *o, struct scan **ret, struct err *reterr)
{
	if (o->root_count > SNAPSHOT_ROOTS_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d paths in one component", SNAPSHOT_ROOTS_MAX);
	CLEANUP(scan_cleanup) struct scan *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	s->o = *o;
	for (size_t i = 0; i < SNAPSHOT_ROOTS_MAX; i++)
		s->root_fds[i] = -1;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->wake, NULL);
	pthread_cond_init(&s->over, NULL);
	s->top = s->next = scan_node_new(NULL, TREE_ROOTS, "");
	if (!s->top || !push(s, s->top))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = emitter_new(&s->o, &s->emitter, reterr);
	if (rc)
		return rc;
	struct stat st;
	if (stat(o->repo->path, &st))
		return err_sys(reterr, errno, "%s", o->repo->path);
	s->repo_device = st.st_dev;
	s->repo_inode = st.st_ino;
	match_roots(s, s->o.base, s->base_roots);
	if (s->o.cut != s->o.base)
		match_roots(s, s->o.cut, s->cut_roots);
	*ret = TAKE_PTR(s);
	return ERR_OK;
}

/* ---- running ---- */

void scan_packers_done(struct scan_packers *p)
{
	for (size_t i = 0; i < SNAPSHOT_WORKERS_MAX; i++)
		packer_free(TAKE_PTR(p->of[i]));
}

struct finishing {
	struct packer *packer;
	enum err_code rc;
	struct err err;
};

static void *finish_one(void *arg)
{
	struct finishing *f = arg;
	f->rc = packer_finish(f->packer, &f->err);
	return NULL;
}

/* Side by side: each has a sync to wait for.  The first one on this thread, once the others have theirs. */
enum err_code scan_packers_finish(struct scan_packers *p, struct err *reterr)
{
	struct finishing all[SNAPSHOT_WORKERS_MAX] = {0};
	pthread_t threads[SNAPSHOT_WORKERS_MAX];
	bool started[SNAPSHOT_WORKERS_MAX] = {false};
	for (size_t i = SNAPSHOT_WORKERS_MAX; i-- > 0;) {
		all[i].packer = p->of[i];
		if (!p->of[i] || packer_is_finished(p->of[i]))
			continue;
		started[i] = i && !pthread_create(&threads[i], NULL, finish_one, &all[i]);
		if (!started[i])
			(void)finish_one(&all[i]);
	}
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < SNAPSHOT_WORKERS_MAX; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		if (!rc && all[i].rc) {
			rc = all[i].rc;
			if (reterr)
				*reterr = all[i].err;
		}
	}
	return rc;
}

static void report(struct scan *s, struct snapshot_progress before, bool last)
{
	struct snapshot_progress now = {
	    .entries = before.entries + atomic_load(&s->entries),
	    .files_read = before.files_read + atomic_load(&s->read_files),
	    .bytes_read = before.bytes_read + atomic_load(&s->read_bytes),
	    .bytes_stored = store_run_bytes(s->o.run),
	};
	if (last && s->o.total)
		*s->o.total = now;
	if (s->o.progress)
		s->o.progress(s->o.progress_ctx, &now);
}

static void wait_for_workers(struct scan *s, struct snapshot_progress before)
{
	pthread_mutex_lock(&s->mutex);
	while (s->pending && !scan_stopped(s)) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		if (pthread_cond_timedwait(&s->over, &s->mutex, &until) == ETIMEDOUT) {
			pthread_mutex_unlock(&s->mutex);
			report(s, before, false);
			pthread_mutex_lock(&s->mutex);
		}
	}
	atomic_store(&s->stop, true); /* done, failed or cancelled: nobody waits for more */
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->mutex);
}

static enum err_code run_workers(
    struct scan *s, struct scan_packers *packers, struct snapshot_progress before, struct err *reterr)
{
	struct scan_worker workers[SNAPSHOT_WORKERS_MAX] = {0};
	pthread_t threads[SNAPSHOT_WORKERS_MAX];
	pthread_attr_t attributes;
	unsigned count = scan_workers(s->o.workers), started = 0;
	enum err_code rc = ERR_OK;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, WORKER_STACK);
	for (; started < count && !rc; started++) {
		struct scan_worker *w = &workers[started];
		w->scan = s;
		w->number = started;
		if (!packers->of[started])
			rc = packer_new(s->o.run, &packers->of[started], reterr);
		w->packer = packers->of[started];
		if (!rc && pthread_create(&threads[started], &attributes, work, w))
			rc = err_set(reterr, ERR_NOMEM, "cannot start a thread");
		if (rc)
			break;
	}
	pthread_attr_destroy(&attributes);
	if (rc)
		atomic_store(&s->stop, true);
	wait_for_workers(s, before);
	for (unsigned i = 0; i < count; i++) {
		if (i < started)
			pthread_join(threads[i], NULL);
		worker_done(&workers[i]);
	}
	return rc;
}

static struct scan_node *next_late(const struct scan *s)
{
	struct scan_node *n = s->top->child;
	while (n && !n->late)
		n = n->sibling;
	return n;
}

/* Roots that are made only now that the others are read. */
static enum err_code run_late(
    struct scan *s, struct scan_packers *packers, struct snapshot_progress before, struct err *reterr)
{
	struct scan_node *n;
	enum err_code rc = ERR_OK;
	while (!rc && !s->rc && !(s->o.cancel && atomic_load(s->o.cancel)) && (n = next_late(s))) {
		const struct snapshot_source *source = s->o.roots[n->root].source;
		rc = source->late(source->late_ctx, reterr);
		n->late = false;
		if (!rc && !push(s, n))
			rc = err_set(reterr, ERR_NOMEM, "out of memory");
		atomic_store(&s->stop, false);
		if (!rc)
			rc = run_workers(s, packers, before, reterr);
	}
	return rc;
}

static enum err_code run(
    struct scan *s, struct scan_packers *packers, struct snapshot_progress before, struct err *reterr)
{
	enum err_code rc = run_workers(s, packers, before, reterr);
	if (!rc)
		rc = run_late(s, packers, before, reterr);
	if (!rc && s->rc) {
		if (reterr)
			*reterr = s->err;
		rc = s->rc;
	}
	if (!rc && s->o.cancel && atomic_load(s->o.cancel))
		rc = err_set(reterr, ERR_CANCELLED, "cancelled");
	return rc;
}

enum err_code scan_run(const struct scan_options *o, struct scan_packers *packers, struct scan_counts *ret_counts,
    struct scan_totals *ret_totals, struct err *reterr)
{
	struct snapshot_progress before = o->total ? *o->total : (struct snapshot_progress){0};
	CLEANUP(scan_cleanup) struct scan *s = NULL;
	enum err_code rc = scan_new(o, &s, reterr);
	if (!rc)
		rc = run(s, packers, before, reterr);
	if (rc)
		return rc;
	assert(!s->next);
	rc = emitter_end(s->emitter, packers->of[0], ret_totals, reterr);
	if (rc)
		return rc;
	report(s, before, true);
	*ret_counts =
	    (struct scan_counts){atomic_load(&s->torn), atomic_load(&s->vanished), atomic_load(&s->read_files)};
	return ERR_OK;
}
