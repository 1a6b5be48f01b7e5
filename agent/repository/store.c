/* A store run: what is known, what is new, and the commit. */
#include "agent/repository/store_internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void seen_done(struct seen *s)
{
	pthread_mutex_destroy(&s->mutex);
	free(s->slots);
}

/* Ids are uniformly distributed, so their own bytes are the hash. */
static size_t home_of(const struct seen *s, const struct chunk_id *id)
{
	uint64_t h;
	memcpy(&h, id->b + 4, sizeof h);
	return (size_t)h & (s->room - 1);
}

static size_t slot_of(const struct seen *s, const struct chunk_id *id)
{
	size_t i = home_of(s, id);
	while (s->slots[i].used && memcmp(s->slots[i].id.b, id->b, CHUNK_ID_SIZE))
		i = (i + 1) & (s->room - 1);
	return i;
}

static bool seen_grow(struct seen *s)
{
	struct seen bigger = {.room = s->room ? s->room * 2 : 64};
	bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < s->room; i++)
		if (s->slots[i].used)
			bigger.slots[slot_of(&bigger, &s->slots[i].id)] = s->slots[i];
	free(s->slots);
	s->slots = bigger.slots;
	s->room = bigger.room;
	return true;
}

enum seen_result store_run_see(struct store_run *run, const struct chunk_id *id)
{
	struct seen *s = &run->seen[id->b[0] % SEEN_SHARDS];
	enum seen_result result = SEEN_NEW;
	pthread_mutex_lock(&s->mutex);
	if (s->count * 2 >= s->room && !seen_grow(s)) {
		result = SEEN_NO_MEMORY;
	} else {
		size_t i = slot_of(s, id);
		if (s->slots[i].used) {
			result = SEEN_BEFORE;
		} else {
			s->slots[i] = (struct seen_slot){*id, true};
			s->count++;
		}
	}
	pthread_mutex_unlock(&s->mutex);
	return result;
}

/* Those behind it move up, so that none is cut off from its place. */
static void seen_forget(struct seen *s, const struct chunk_id *id)
{
	pthread_mutex_lock(&s->mutex);
	size_t mask = s->room - 1, hole = s->room ? slot_of(s, id) : 0;
	if (s->room && s->slots[hole].used) {
		for (size_t i = (hole + 1) & mask; s->slots[i].used; i = (i + 1) & mask) {
			size_t home = home_of(s, &s->slots[i].id);
			if (((i - home) & mask) < ((i - hole) & mask))
				continue;
			s->slots[hole] = s->slots[i];
			hole = i;
		}
		s->slots[hole].used = false;
		s->count--;
	}
	pthread_mutex_unlock(&s->mutex);
}

/* Which packs may be leaned on: there in full size, and not condemned. */
static enum err_code find_usable(struct store_run *run, struct err *reterr)
{
	CLEANUP(index_reader_cleanup) struct index_reader *reader = NULL;
	CLEANUP(cleanup_free) struct index_pack *packs = NULL;
	size_t count = 0;
	enum err_code rc = repo_index_reader(run->repo, &reader, reterr);
	if (!rc)
		rc = index_packs(reader, &packs, &count, reterr);
	if (rc)
		return rc;
	run->usable_count = count ? packs[count - 1].number + 1u : 0;
	run->usable = calloc(run->usable_count + 1, 1);
	run->names = calloc(run->usable_count + 1, sizeof *run->names);
	if (!run->usable || !run->names)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	run->intact = true;
	for (size_t i = 0; i < count; i++) {
		char name[PACK_NAME_MAX];
		struct stat st;
		bool there =
		    !fstatat(run->repo->packs_fd, pack_name(packs[i].id, ".pack", name), &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode) && (uint64_t)st.st_size == packs[i].size;
		run->usable[packs[i].number] = there && !packs[i].doomed_ms;
		run->names[packs[i].number] = packs[i].id;
		if (!there && !packs[i].doomed_ms)
			run->intact = false;
	}
	return ERR_OK;
}

enum err_code store_run_new(struct repo *r, bool keep, struct store_run **ret, struct err *reterr)
{
	CLEANUP(store_run_cleanup) struct store_run *run = calloc(1, sizeof *run);
	if (!run)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	run->repo = r;
	run->keep = keep;
	pthread_mutex_init(&run->mutex, NULL);
	for (size_t i = 0; i < SEEN_SHARDS; i++)
		pthread_mutex_init(&run->seen[i].mutex, NULL);
	enum err_code rc = keep ? find_usable(run, reterr) : ERR_OK;
	if (rc)
		return rc;
	*ret = TAKE_PTR(run);
	return ERR_OK;
}

static void remove_packs(struct store_run *run)
{
	for (size_t i = 0; i < run->pack_count; i++) {
		char name[PACK_NAME_MAX];
		(void)unlinkat(run->repo->packs_fd, pack_name(run->packs[i].id, ".pack", name), 0);
		pack_index_done(&run->packs[i].content);
	}
	free(run->packs);
}

void store_run_free(struct store_run *run)
{
	if (!run)
		return;
	remove_packs(run);
	for (size_t i = 0; i < SEEN_SHARDS; i++)
		seen_done(&run->seen[i]);
	pthread_mutex_destroy(&run->mutex);
	free(run->early);
	free(run->usable);
	free(run->names);
	free(run);
}

bool store_run_intact(const struct store_run *run)
{
	return run->intact;
}
bool store_run_keeps(const struct store_run *run)
{
	return run->keep;
}

void store_run_avoid(struct store_run *run, uint32_t pack_number)
{
	if (pack_number < run->usable_count)
		run->usable[pack_number] = 0;
}

static enum err_code removed_meanwhile(const char *name, struct err *reterr)
{
	return err_set(reterr, ERR_BUSY,
	    "packs/%s was removed while the snapshot was taken (was the clock set?); take it again", name);
}

enum err_code store_run_still_there(const struct store_run *run, struct err *reterr)
{
	for (size_t i = 0; i < run->usable_count; i++) {
		char name[PACK_NAME_MAX];
		if (run->usable[i] && faccessat(run->repo->packs_fd, pack_name(run->names[i], ".pack", name), F_OK, 0))
			return removed_meanwhile(name, reterr);
	}
	for (size_t i = 0; i < run->early_count; i++) {
		char name[PACK_NAME_MAX];
		if (faccessat(run->repo->packs_fd, pack_name(run->early[i].id, ".pack", name), F_OK, 0))
			return removed_meanwhile(name, reterr);
	}
	return ERR_OK;
}

uint64_t store_run_bytes(const struct store_run *run)
{
	return atomic_load(&run->bytes);
}

bool store_run_may_use(struct store_run *run, uint32_t pack_number)
{
	if (pack_number < run->usable_count)
		return run->usable[pack_number];
	bool found = false;
	pthread_mutex_lock(&run->mutex);
	for (size_t i = 0; i < run->early_count && !found; i++)
		found = run->early[i].number == pack_number;
	pthread_mutex_unlock(&run->mutex);
	return found;
}

/* ---- commits ---- */

static enum err_code remember_early(
    struct store_run *run, const struct index_addition *packs, size_t count, uint32_t first, struct err *reterr)
{
	pthread_mutex_lock(&run->mutex);
	struct index_pack *more = realloc(run->early, (run->early_count + count) * sizeof *more);
	if (more) {
		run->early = more;
		for (size_t i = 0; i < count; i++)
			run->early[run->early_count++] =
			    (struct index_pack){.number = first + (uint32_t)i, .id = packs[i].id};
		atomic_fetch_add(&run->commits, 1);
	}
	pthread_mutex_unlock(&run->mutex);
	return more ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

/* The first count of what waits; *ret is the caller's. */
static struct index_addition *take_waiting(struct store_run *run, size_t count)
{
	pthread_mutex_lock(&run->mutex);
	struct index_addition *taken = calloc(count, sizeof *taken);
	if (taken) {
		memcpy(taken, run->packs, count * sizeof *taken);
		run->pack_count -= count;
		memmove(run->packs, run->packs + count, run->pack_count * sizeof *run->packs);
		for (size_t i = 0; i < count; i++)
			run->waiting_chunks -= taken[i].content.chunk_count;
	}
	pthread_mutex_unlock(&run->mutex);
	return taken;
}

/* Found in the index first, forgotten then: a chunk that comes in between is stored twice at worst. */
static void forget(struct store_run *run, const struct index_addition *packs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < packs[i].content.chunk_count; j++) {
			const struct chunk_id *id = &packs[i].content.chunks[j].id;
			seen_forget(&run->seen[id->b[0] % SEEN_SHARDS], id);
		}
}

/* The first count of what waits.  From when they are taken on the index may refer to the packs, even if the commit
 * reports an error: they must stay. */
static enum err_code commit_waiting(struct store_run *run, size_t count, struct err *reterr)
{
	uint32_t first;
	enum err_code rc = repo_sync_folder(run->repo->packs_fd, "packs", reterr);
	if (rc)
		return rc;
	struct index_addition *packs = take_waiting(run, count);
	if (!packs)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	struct index *index;
	rc = repo_index(run->repo, &index, reterr);
	if (!rc)
		rc = index_add(index, packs, count, &first, reterr);
	if (!rc)
		rc = remember_early(run, packs, count, first, reterr);
	if (!rc)
		forget(run, packs, count);
	for (size_t i = 0; i < count; i++)
		pack_index_done(&packs[i].content);
	free(packs);
	return rc;
}

enum err_code store_run_add_pack(struct store_run *run, const struct index_addition *a, struct err *reterr)
{
	pthread_mutex_lock(&run->mutex);
	struct index_addition *more = realloc(run->packs, (run->pack_count + 1) * sizeof *more);
	if (more) {
		run->packs = more;
		run->packs[run->pack_count++] = *a;
		run->waiting_chunks += a->content.chunk_count;
	}
	size_t count = run->pack_count;
	bool commit = more && run->waiting_chunks >= RUN_CHUNKS_MAX && !run->committing;
	if (commit)
		run->committing = true;
	pthread_mutex_unlock(&run->mutex);
	if (!more) {
		struct pack_index lost = a->content;
		pack_index_done(&lost);
		return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	if (!commit)
		return ERR_OK;
	enum err_code rc = commit_waiting(run, count, reterr);
	pthread_mutex_lock(&run->mutex);
	run->committing = false;
	pthread_mutex_unlock(&run->mutex);
	return rc;
}

enum err_code store_run_commit(struct store_run *run, struct err *reterr)
{
	return run->keep && run->pack_count ? commit_waiting(run, run->pack_count, reterr) : ERR_OK;
}
