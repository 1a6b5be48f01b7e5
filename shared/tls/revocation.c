/* shared/tls/revocation.c: a sorted array that is replaced as a whole. */
#include "shared/tls/revocation.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "shared/tls/internal.h"

enum { SERIAL_TEXT = 41 }; /* hex of 20 octets, and NUL: no certificate of ours has a longer one */

struct tls_revocations {
	pthread_rwlock_t lock;
	char (*serials)[SERIAL_TEXT]; /* sorted */
	size_t count;
};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

struct tls_revocations *tls_revocations_new(void)
{
	struct tls_revocations *r = calloc(1, sizeof(*r));
	if (r && pthread_rwlock_init(&r->lock, NULL) != 0) {
		free(r);
		r = NULL;
	}
	return r;
}

void tls_revocations_free(struct tls_revocations *r)
{
	if (!r)
		return;
	pthread_rwlock_destroy(&r->lock);
	free(r->serials);
	free(r);
}

static enum err_code copy_serials(
    char (*into)[SERIAL_TEXT], const char *const *serials, size_t count, struct err *reterr)
{
	for (size_t i = 0; i < count; i++) {
		char normal[TLS_SERIAL_MAX];
		if (!tls_serial_normal(serials[i], normal) || strlen(normal) >= SERIAL_TEXT)
			return err_set(reterr, ERR_INVALID, "\"%.64s\" is no serial (hex of at most 20 octets)",
			    serials[i] ? serials[i] : "");
		memcpy(into[i], normal, strlen(normal) + 1);
	}
	return ERR_OK;
}

enum err_code tls_revocations_set(
    struct tls_revocations *r, const char *const *serials, size_t count, struct err *reterr)
{
	if (count > TLS_REVOKED_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d revoked certificates", TLS_REVOKED_MAX);
	char(*fresh)[SERIAL_TEXT] = calloc(count + 1, SERIAL_TEXT);
	if (!fresh)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu revoked certificates", count);
	enum err_code rc = copy_serials(fresh, serials, count, reterr);
	if (rc != ERR_OK) {
		free(fresh);
		return rc;
	}
	qsort(fresh, count, SERIAL_TEXT, compare);
	pthread_rwlock_wrlock(&r->lock);
	char(*old)[SERIAL_TEXT] = r->serials;
	r->serials = fresh;
	r->count = count;
	pthread_rwlock_unlock(&r->lock);
	free(old);
	return ERR_OK;
}

bool tls_revoked(struct tls_revocations *r, const char *serial)
{
	char normal[TLS_SERIAL_MAX];
	if (!r || !tls_serial_normal(serial, normal))
		return false;
	pthread_rwlock_rdlock(&r->lock);
	bool found = r->count > 0 && bsearch(normal, r->serials, r->count, SERIAL_TEXT, compare);
	pthread_rwlock_unlock(&r->lock);
	return found;
}

size_t tls_revocations_count(struct tls_revocations *r)
{
	pthread_rwlock_rdlock(&r->lock);
	size_t count = r->count;
	pthread_rwlock_unlock(&r->lock);
	return count;
}
