/* What would do harm if it were put back: found before anything is touched, not after. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/rollback/converge_internal.h"
#include "agent/rollback/walk.h"
#include "shared/base/cleanup.h"
#include "shared/base/openssl.h"
#include "shared/base/text.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

enum {
	CERTIFICATE_MAX = 256 << 10,             /* a chain of a dozen certificates is some 30 KiB */
	CERTIFICATE_LEAST_MS = 24 * 3600 * 1000, /* what must be left of one: time to get another (R9) */
};

/* ---- secrets ---- */

static bool is_secret(const struct converge *c, const struct change *ch)
{
	const struct component_config *config = components_get(&c->spec.service->components, ch->site->component);
	char full[2 * PATH_LIMIT];
	if (!config || ch->kind == CHANGE_METADATA || ch->directory ||
	    (ch->kind == CHANGE_ADDED && ch->was_directory) ||
	    !text_format(full, sizeof full, "%s%s%s", ch->site->path, *ch->path ? "/" : "", ch->path))
		return false;
	for (size_t i = 0; i < config->secrets.count; i++) {
		const char *secret = LIST_AT(config->secrets, const char *, i);
		size_t n = strlen(secret);
		if (strncmp(full, secret, n) == 0 && (full[n] == '\0' || full[n] == '/'))
			return true;
	}
	return false;
}

static enum err_code check_secrets(const struct converge *c, struct err *reterr)
{
	char shown[PATH_LIMIT];
	for (size_t i = 0; i < c->changes.count; i++)
		if (is_secret(c, &c->changes.items[i]))
			return err_set(reterr, ERR_STATE,
			    "the secret %.300s was rotated since that restore point: name it in never_restore, so that "
			    "the one of "
			    "now stays",
			    site_text(c->changes.items[i].site, c->changes.items[i].path, shown));
	return ERR_OK;
}

/* ---- certificates ---- */

/* The first certificate of a PEM file is the one that is shown to others. */
static X509 *read_certificate(int dirfd, const char *name)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	CLEANUP(cleanup_fd) int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof begin ||
	    st.st_size > CERTIFICATE_MAX)
		return NULL;
	CLEANUP(cleanup_free) char *text = malloc((size_t)st.st_size + 1);
	ssize_t n = text ? read(fd, text, (size_t)st.st_size) : -1;
	if (n <= 0)
		return NULL;
	text[n] = '\0';
	const char *at = strstr(text, begin);
	BIO *bio = at ? BIO_new_mem_buf(at, (int)(n - (at - text))) : NULL;
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	return certificate;
}

/* Seconds left of it, and when it ends. */
static bool left_of(const X509 *certificate, uint64_t now_ms, int64_t *ret_s, char when[TEXT_TIME_MAX])
{
	int days = 0, seconds = 0;
	ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)(now_ms / 1000));
	bool ok = now && ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(certificate)) == 1;
	ASN1_TIME_free(now);
	if (!ok)
		return false;
	*ret_s = (int64_t)days * 24 * 3600 + seconds;
	int64_t ends_ms = (int64_t)now_ms + *ret_s * 1000;
	(void)text_time(ends_ms > 0 ? (uint64_t)ends_ms : 0, when);
	return true;
}

/* Is the one that lies there now no better? */
static bool is_no_worse(const struct change *ch, uint64_t now_ms, int64_t than_s)
{
	const char *name;
	int dirfd;
	int64_t left_s = 0;
	char when[TEXT_TIME_MAX];
	X509 *there = site_open_folder(ch->site, ch->path, false, &dirfd, &name, NULL) == ERR_OK
			  ? read_certificate(dirfd, name)
			  : NULL;
	bool worse = there && left_of(there, now_ms, &left_s, when) && left_s > than_s;
	X509_free(there);
	return there && !worse;
}

static enum err_code check_certificate(const struct change *ch, uint64_t now_ms, struct err *reterr)
{
	char name[24], when[TEXT_TIME_MAX], shown[PATH_LIMIT];
	int64_t left_s = 0;
	text_format(name, sizeof name, "%llu", (unsigned long long)ch->staged);
	X509 *certificate = read_certificate(ch->site->stage_fd, name);
	bool known = certificate && left_of(certificate, now_ms, &left_s, when);
	X509_free(certificate);
	if (!known || left_s * 1000 > CERTIFICATE_LEAST_MS || is_no_worse(ch, now_ms, left_s))
		return ERR_OK;
	return err_set(reterr, ERR_STATE,
	    "the certificate %.300s of that restore point %s at %s: name it in never_restore, so that the one of now "
	    "stays",
	    site_text(ch->site, ch->path, shown), left_s > 0 ? "ends" : "ended", when);
}

/* Only what is staged can be read: it is what would be put in place. */
static enum err_code check_certificates(const struct walk *w, const struct converge *c, struct err *reterr)
{
	uint64_t now_ms = w->io->now_ms(w->io->ctx);
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < c->changes.count; i++) {
		const struct change *ch = &c->changes.items[i];
		if (ch->site->component == COMPONENT_CONFIG && ch->staged && ch->size && ch->size <= CERTIFICATE_MAX)
			rc = check_certificate(ch, now_ms, reterr);
	}
	return rc;
}

enum err_code fitness_check(const struct walk *w, const struct converge *c, struct err *reterr)
{
	enum err_code rc = check_secrets(c, reterr);
	return rc == ERR_OK ? check_certificates(w, c, reterr) : rc;
}
