/* controller/config/config.h: controller.yaml and the command line's kedge.yaml.
 * Pure but for the loading functions (each reads one file).  A loaded configuration is immutable and lives in its
 * arena. */
#ifndef KEDGE_CONTROLLER_CONFIG_CONFIG_H
#define KEDGE_CONTROLLER_CONFIG_CONFIG_H

#include "controller/center/workflow.h"
#include "controller/prose/prose.h"

enum {
	CONTROLLER_FILE_MAX = 1 << 20,
	CONTROLLER_ADMINISTRATORS_MAX = 16,
};

struct listen_config {
	const char *listen;
}; /* "address:port", "[v6]:port" */
struct identity_config {
	const char *certificate, *key, *authority;
};
struct issuing_config {
	const char *certificate, *key;
	uint64_t host_life_ms, operator_life_ms;
};

struct controller_yaml {
	const char *name, *domain, *state_directory;
	struct listen_config agents, operators;
	struct identity_config identity;
	const struct issuing_config *issuing; /* NULL: enrolment and renewal are done elsewhere */
	struct list administrators;           /* operators' names who may everything on an empty store */
	struct list administrator_keys;       /* their OpenSSH public keys, "owner" by comment */
	const char *knowledge;                /* folder of knowledge entries, or NULL */
	uint64_t heartbeat_ms, proof_ms, bake_ms, bake_config_ms, wave_gap_ms, retry_ms;
	uint32_t storage_restores;
	struct list storages; /* struct storage_limit */
	struct health_config health;
	struct incident_config incident;
	struct notify_config notify;
	const struct prose_config *prose; /* NULL: nobody writes summaries */
};
extern const struct record_type controller_yaml_type;

/* Errors name file, line, key and what was expected.  *ret lives in arena. */
ERR_CHECK enum err_code controller_config_load(
    const char *path, struct arena *arena, const struct controller_yaml **ret, struct err *reterr);
ERR_CHECK enum err_code controller_config_parse(const char *file, const char *data, size_t size, struct arena *arena,
    const struct controller_yaml **ret, struct err *reterr);
/* As the domain wants it; borrows from the file. */
ERR_CHECK enum err_code controller_workflow(
    const struct controller_yaml *y, struct arena *arena, struct workflow_config *ret, struct err *reterr);
/* The knowledge entries of the folder, into ret->knowledge; none is declared: none.  Blocking. */
ERR_CHECK enum err_code controller_knowledge(
    const struct controller_yaml *y, struct arena *arena, struct workflow_config *ret, struct err *reterr);
/* "address:port" apart; address is at most size bytes with NUL. */
ERR_CHECK enum err_code controller_listen(
    const char *text, char *address, size_t size, uint16_t *ret_port, struct err *reterr);

/* kedge.yaml: how an operator's command line finds its controller. */
struct client_config {
	const char *controller;    /* https://host:port */
	const char *name, *domain; /* whose certificate it must show */
	const char *authority, *certificate, *key;
	const char
	    *approval_key; /* OpenSSH private key file that signs approvals; NULL: `change approve` needs --key */
};
extern const struct record_type client_config_type;
ERR_CHECK enum err_code client_config_load(
    const char *path, struct arena *arena, const struct client_config **ret, struct err *reterr);
extern const struct record_type *const controller_config_types[];

#endif
