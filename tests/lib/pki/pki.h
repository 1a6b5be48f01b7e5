/* tests/lib/pki/pki.h: certificates for tests, of every good and bad kind.  Whatever fails here aborts the test. */
#ifndef KEDGE_TESTS_LIB_PKI_PKI_H
#define KEDGE_TESTS_LIB_PKI_PKI_H

#include "shared/base/buf.h"
#include "shared/tls/identity.h"

#define PKI_DOMAIN "fleet.example"

struct pki_authority {
	EVP_PKEY *key;
	X509 *certificate;
	const struct pki_authority *issuer; /* NULL: self-signed */
};

struct pki_authority *pki_authority_new(const char *common_name, const struct pki_authority *issuer);
void pki_authority_free(struct pki_authority *a);

enum pki_usage { PKI_CLIENT = 1, PKI_SERVER = 2, PKI_NO_USAGE = 4 /* the extension is left out */ };

struct pki_spec {
	enum tls_role role;
	const char *domain;     /* NULL: PKI_DOMAIN */
	const char *name;       /* NULL: "one" */
	const char *uri;        /* instead of the name's; "" for none */
	const char *second_uri; /* NULL: none */
	const char *dns, *ip;   /* NULL: none */
	long from_s, until_s;   /* from now; 0 and 0: an hour ago to in an hour */
	unsigned usage;         /* enum pki_usage; 0: PKI_CLIENT | PKI_SERVER */
	unsigned long serial;   /* 0: a random one of 64 bits */
};

struct pki_leaf {
	EVP_PKEY *key;
	struct buf chain_pem, key_pem;
	char serial[TLS_SERIAL_MAX];
};

/* The chain holds the leaf and every issuing authority but the root. */
void pki_issue(const struct pki_authority *issuer, const struct pki_spec *spec, struct pki_leaf *ret);
void pki_leaf_done(struct pki_leaf *leaf);
/* The caller frees what these return. */
struct tls_identity *pki_identity(const struct pki_authority *issuer, const struct pki_spec *spec);
struct tls_trust *pki_trust(const struct pki_authority *root);
void pki_write(const char *path, const struct buf *content); /* mode 0600 */
void pki_root_pem(const struct pki_authority *root, struct buf *out);

#endif
