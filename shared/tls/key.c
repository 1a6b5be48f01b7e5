/* shared/tls/key.c: private keys in memory and as PEM. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/tls/internal.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "shared/tls/key.h"

enum { RSA_BITS_MIN = 2048 };

void tls_key_free(EVP_PKEY *key)
{
	EVP_PKEY_free(key); /* clears the private part */
}

enum err_code tls_key_new(EVP_PKEY **ret, struct err *reterr)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	if (!key)
		return tls_openssl_error(reterr, ERR_INTERNAL, "making a P-256 key");
	*ret = key;
	return ERR_OK;
}

static enum err_code check_curve(EVP_PKEY *key, struct err *reterr)
{
	char group[64];
	size_t size = 0;
	if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), &size) != 1)
		return tls_openssl_error(reterr, ERR_INVALID, "the key's curve");
	if (strcmp(group, "prime256v1") != 0 && strcmp(group, "secp384r1") != 0 && strcmp(group, "P-256") != 0 &&
	    strcmp(group, "P-384") != 0)
		return err_set(reterr, ERR_INVALID, "keys on the curve %s are not taken: use P-256", group);
	return ERR_OK;
}

enum err_code tls_key_check(EVP_PKEY *key, struct err *reterr)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		return check_curve(key, reterr);
	case EVP_PKEY_ED25519:
		return ERR_OK;
	case EVP_PKEY_RSA:
		if (EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
			return err_set(reterr, ERR_INVALID, "an RSA key of %d bits is too weak: use P-256",
			    EVP_PKEY_get_bits(key));
		return ERR_OK;
	default:
		return err_set(reterr, ERR_INVALID, "keys of this kind are not taken: use P-256");
	}
}

enum err_code tls_key_to_pem(EVP_PKEY *key, struct secret **ret, struct err *reterr)
{
	CLEANUP(tls_bio_cleanup) BIO *bio = BIO_new(BIO_s_secmem());
	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return tls_openssl_error(reterr, ERR_INTERNAL, "writing a private key");
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	struct secret *s = secret_new(data, (size_t)size);
	secret_wipe(data, (size_t)size); /* the BIO's memory is ordinary unless a secure heap was set up */
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory for a private key");
	*ret = s;
	return ERR_OK;
}

/* A key with a passphrase is refused rather than asked about: programs have nobody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *user)
{
	(void)buf, (void)size, (void)writing, (void)user;
	return -1;
}

enum err_code tls_key_from_pem(const void *pem, size_t size_bytes, EVP_PKEY **ret, struct err *reterr)
{
	if (size_bytes == 0 || size_bytes > TLS_KEY_PEM_MAX)
		return err_set(reterr, ERR_INVALID, "a private key has 1 to %d bytes of PEM", TLS_KEY_PEM_MAX);
	CLEANUP(tls_bio_cleanup) BIO *bio = BIO_new_mem_buf(pem, (int)size_bytes);
	CLEANUP(tls_key_cleanup) EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	if (!key)
		return tls_openssl_error(reterr, ERR_INVALID, "reading a private key (PEM without a passphrase)");
	enum err_code rc = tls_key_check(key, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret = TAKE_PTR(key);
	return ERR_OK;
}

/* Into a secret and nowhere else: a growing buffer would leave copies behind. */
static enum err_code read_key_file(int fd, const char *path, struct secret *into, size_t *ret_size, struct err *reterr)
{
	size_t got = 0;
	for (;;) {
		ssize_t n = read(fd, secret_data(into) + got, secret_size(into) - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(reterr, errno, "%s", path);
		if (n == 0)
			break;
		got += (size_t)n;
		if (got == secret_size(into))
			return err_set(reterr, ERR_INVALID, "%s is too long for a private key", path);
	}
	*ret_size = got;
	return ERR_OK;
}

enum err_code tls_key_load(const char *path, EVP_PKEY **ret, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(reterr, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(reterr, ERR_INVALID, "%s is not a regular file", path);
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return err_set(reterr, ERR_DENIED,
		    "%s is a private key that others may read or write: set its mode to 0600", path);
	CLEANUP(secret_cleanup) struct secret *pem = secret_new(NULL, TLS_KEY_PEM_MAX + 1);
	if (!pem)
		return err_set(reterr, ERR_NOMEM, "out of memory for a private key");
	size_t size = 0;
	enum err_code rc = read_key_file(fd, path, pem, &size, reterr);
	if (rc == ERR_OK) {
		rc = tls_key_from_pem(secret_data(pem), size, ret, reterr);
		if (rc != ERR_OK)
			err_prefix(reterr, rc, "%s", path);
	}
	return rc;
}
