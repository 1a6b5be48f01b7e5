#include "agent/repository/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/repository/io.h"
#include "agent/repository/seal.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"

static const char aad[] = "spool";

struct record {
	uint64_t at;
	size_t size;
	uint8_t *kept; /* NULL: in the file */
};
struct spool {
	int fd; /* -1: none */
	struct sealer *sealer;
	struct record *all;
	size_t count, room;
	uint64_t end;
	struct buf sealed;
};

enum err_code spool_new(const struct repo *r, struct spool **ret, struct err *reterr)
{
	uint8_t key[KEY_SIZE];
	struct random random;
	CLEANUP(spool_cleanup) struct spool *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	s->fd = -1;
	s->sealed.limit = SIZE_MAX;
	random_init_system(&random);
	random_fill(&random, key, sizeof key);
	enum err_code rc = sealer_new(key, &s->sealer, reterr);
	secret_wipe(key, sizeof key);
	if (rc)
		return rc;
	s->fd = openat(r->packs_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	*ret = TAKE_PTR(s);
	return ERR_OK;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		free(s->all[i].kept);
	free(s->all);
	sealer_free(s->sealer);
	buf_done(&s->sealed);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static enum err_code write_out(struct spool *s, struct record *r, const void *data, struct err *reterr)
{
	buf_clear(&s->sealed);
	buf_append(&s->sealed, data, r->size);
	if (!buf_reserve(&s->sealed, SEAL_TAG_SIZE))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = sealer_seal(s->sealer, s->count, aad, sizeof aad, s->sealed.data, r->size, reterr);
	if (!rc)
		rc = io_pwrite(s->fd, s->sealed.data, r->size + SEAL_TAG_SIZE, s->end, reterr);
	if (rc)
		return rc;
	r->at = s->end;
	s->end += r->size + SEAL_TAG_SIZE;
	return ERR_OK;
}

enum err_code spool_add(struct spool *s, const void *data, size_t size, struct err *reterr)
{
	struct record r = {.size = size};
	enum err_code rc = ERR_OK;
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct record *more = realloc(s->all, room * sizeof *more);
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		s->all = more;
		s->room = room;
	}
	if (s->fd >= 0)
		rc = write_out(s, &r, data, reterr);
	else if (!(r.kept = malloc(size + 1)))
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	else
		memcpy(r.kept, data, size);
	if (!rc)
		s->all[s->count++] = r;
	return rc;
}

size_t spool_count(const struct spool *s)
{
	return s->count;
}

enum err_code spool_get(struct spool *s, size_t number, struct buf *out, struct err *reterr)
{
	const struct record *r = &s->all[number];
	buf_clear(out);
	uint8_t *room = buf_reserve(out, r->size + SEAL_TAG_SIZE);
	if (!room)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	out->size = r->size;
	if (r->kept) {
		memcpy(room, r->kept, r->size);
		return ERR_OK;
	}
	enum err_code rc = io_pread_exact(s->fd, room, r->size + SEAL_TAG_SIZE, r->at, reterr);
	if (!rc && !sealer_open(s->sealer, number, aad, sizeof aad, room, r->size))
		rc = err_set(reterr, ERR_CORRUPT, "what was written aside came back changed");
	return rc;
}
