/* controller/config/config.c: the tables and rules of controller.yaml and kedge.yaml. */
#include "controller/config/config.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "shared/tls/name.h"

#define S struct listen_config
static const struct field listen_fields[] = {
    F_STRING(S, listen, 128, FIELD_REQUIRED, "address:port; [address]:port for IPv6")};
#undef S
static const struct record_type listen_type =
    RECORD_TYPE("listen", struct listen_config, listen_fields, "where a port listens");

#define S struct identity_config
static const struct field identity_fields[] = {
    F_STRING(
	S, certificate, PATH_LIMIT, FIELD_REQUIRED, "PEM file: this controller's certificate, then the issuing one"),
    F_STRING(S, key, PATH_LIMIT, FIELD_REQUIRED, "PEM file of its key, mode 0600"),
    F_STRING(S, authority, PATH_LIMIT, FIELD_REQUIRED, "PEM file of the authority that every peer must be from"),
};
#undef S
static const struct record_type identity_type =
    RECORD_TYPE("identity", struct identity_config, identity_fields, "who the controller is");

#define S struct issuing_config
static const struct field issuing_fields[] = {
    F_STRING(S, certificate, PATH_LIMIT, FIELD_REQUIRED, "PEM file of the issuing certificate"),
    F_STRING(S, key, PATH_LIMIT, FIELD_REQUIRED, "PEM file of its key, mode 0600"),
    F_DURATION(S, host_life_ms, 90ull * DAY_MS, 0, "life of a host's certificate; renewed at two thirds",
	.default_text = "7d"),
    F_DURATION(S, operator_life_ms, 400ull * DAY_MS, 0, "life of an operator's certificate", .default_text = "30d"),
};
#undef S
static const struct record_type issuing_type =
    RECORD_TYPE("issuing", struct issuing_config, issuing_fields, "what signs certificates of enrolling hosts");

#define S struct controller_yaml
static const struct field yaml_fields[] = {
    F_STRING(S, name, NAME_MAX_BYTES, FIELD_REQUIRED, "this controller's name, as in its certificate"),
    F_STRING(S, domain, 253, FIELD_REQUIRED, "the trust domain of every certificate"),
    F_STRING(S, state_directory, PATH_LIMIT, FIELD_REQUIRED, "where its store lives"),
    F_INLINE(S, agents, struct listen_config, &listen_type, FIELD_REQUIRED, "the port that agents dial"),
    F_INLINE(S, operators, struct listen_config, &listen_type, FIELD_REQUIRED, "the port of the API and the console"),
    F_INLINE(S, identity, struct identity_config, &identity_type, FIELD_REQUIRED, "its certificate"),
    F_RECORD(S, issuing, struct issuing_config, &issuing_type, 0,
	"what signs enrolments and renewals; absent: nothing is signed here"),
    F_STRINGS(S, administrators, CONTROLLER_ADMINISTRATORS_MAX, 0, "operators who hold every role on an empty store"),
    F_STRINGS(
	S, administrator_keys, CONTROLLER_ADMINISTRATORS_MAX, 0, "their OpenSSH public keys; the comment says whose"),
    F_STRING(S, knowledge, PATH_LIMIT, 0, "folder of knowledge entries (*.yaml), read at each start"),
    F_DURATION(S, heartbeat_ms, 10 * 60 * 1000, 0, "how often a host must say that it lives", .default_text = "30s"),
    F_DURATION(S, proof_ms, DAY_MS, 0, "how long a restore point must have run healthy to be known good",
	.default_text = "5m"),
    F_DURATION(S, bake_ms, DAY_MS, 0, "health that a wave must show before the next", .default_text = "10s"),
    F_DURATION(S, bake_config_ms, DAY_MS, 0, "the same where configuration alone is put back; none: half of bake"),
    F_DURATION(S, wave_gap_ms, DAY_MS, 0, "least time between waves, checked by every host"),
    F_U32(S, storage_restores, STORAGE_RESTORES_MAX, 0,
	"hosts that may restore from one shared storage at once; 0: no limit", .default_text = "10"),
    F_LIST(S, storages, &storage_limit_type, STORAGES_MAX, FIELD_KEYED, "storages with a limit of their own"),
    F_DURATION(S, retry_ms, 10 * 60 * 1000, 0, "agents spread their reconnects over this", .default_text = "30s"),
    F_INLINE(S, health, struct health_config, &health_config_type, 0, "limits beyond which a service is degraded"),
    F_INLINE(
	S, incident, struct incident_config, &incident_config_type, 0, "how long each state of an incident may last"),
    F_INLINE(S, notify, struct notify_config, &notify_config_type, 0, "who is told, and how"),
    F_RECORD(S, prose, struct prose_config, &prose_config_type, 0,
	"a language model that writes summaries of what is over; absent: none"),
};
#undef S

static enum err_code check_yaml(const void *record, struct err *reterr)
{
	const struct controller_yaml *y = record;
	char address[128];
	uint16_t port;
	if (!tls_domain_valid(y->domain))
		return err_set(reterr, ERR_INVALID, "domain: \"%s\" is not a domain name in lower case", y->domain);
	if (y->state_directory[0] != '/')
		return err_set(
		    reterr, ERR_INVALID, "state_directory: expected an absolute path, got \"%s\"", y->state_directory);
	enum err_code rc = controller_listen(y->agents.listen, address, sizeof address, &port, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "agents.listen");
	if ((rc = controller_listen(y->operators.listen, address, sizeof address, &port, reterr)) != ERR_OK)
		return err_prefix(reterr, rc, "operators.listen");
	if (y->heartbeat_ms < 200)
		return err_set(reterr, ERR_INVALID, "heartbeat: expected at least 200ms");
	return ERR_OK;
}
const struct record_type controller_yaml_type = {.name = "controller_yaml",
    .doc = "controller.yaml",
    .size = sizeof(struct controller_yaml),
    .fields = yaml_fields,
    .field_count = sizeof yaml_fields / sizeof yaml_fields[0],
    .check = check_yaml};

#define S struct client_config
static const struct field client_fields[] = {
    F_STRING(S, controller, 512, FIELD_REQUIRED, "https://host:port of the operators' port"),
    F_STRING(S, name, NAME_MAX_BYTES, FIELD_REQUIRED, "the controller's name, as its certificate must say"),
    F_STRING(S, domain, 253, FIELD_REQUIRED, "the trust domain"),
    F_STRING(S, authority, PATH_LIMIT, FIELD_REQUIRED, "PEM file of the authority"),
    F_STRING(S, certificate, PATH_LIMIT, FIELD_REQUIRED, "PEM file of the operator's certificate"),
    F_STRING(S, key, PATH_LIMIT, FIELD_REQUIRED, "PEM file of its key"),
    F_STRING(S, approval_key, PATH_LIMIT, 0, "OpenSSH private key that signs approvals"),
};
#undef S
const struct record_type client_config_type =
    RECORD_TYPE("client_config", struct client_config, client_fields, "kedge.yaml");
const struct record_type *const controller_config_types[] = {&listen_type, &identity_type, &issuing_type,
    &controller_yaml_type, &client_config_type, &knowledge_file_type, &prose_config_type, NULL};

enum err_code controller_listen(const char *text, char *address, size_t size, uint16_t *ret_port, struct err *reterr)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;
	if (!colon || colon == text || text_u64(colon + 1, &port, NULL) != ERR_OK || port > 65535)
		return err_set(reterr, ERR_INVALID, "expected address:port, got \"%s\"", text);
	const char *from = text, *to = colon;
	if (*from == '[' && to[-1] == ']') {
		from++;
		to--;
	}
	if (to <= from || (size_t)(to - from) >= size)
		return err_set(reterr, ERR_INVALID, "expected address:port, got \"%s\"", text);
	memcpy(address, from, (size_t)(to - from));
	address[to - from] = '\0';
	*ret_port = (uint16_t)port;
	return ERR_OK;
}

enum err_code controller_config_parse(const char *file, const char *data, size_t size, struct arena *arena,
    const struct controller_yaml **ret, struct err *reterr)
{
	struct controller_yaml *y = arena_alloc(arena, sizeof *y);
	if (!y)
		return err_set(reterr, ERR_NOMEM, "%s: out of memory", file);
	enum err_code rc = record_from_yaml(&controller_yaml_type, file, data, size, arena, y, reterr);
	if (rc == ERR_OK)
		*ret = y;
	return rc;
}

static enum err_code load(
    const char *path, const struct record_type *type, struct arena *arena, void *record, struct err *reterr)
{
	struct buf text = BUF_INIT;
	enum err_code rc = file_read(path, CONTROLLER_FILE_MAX, &text, reterr);
	if (rc == ERR_OK)
		rc = record_from_yaml(type, path, buf_str(&text), text.size, arena, record, reterr);
	buf_done(&text);
	return rc;
}

enum err_code controller_config_load(
    const char *path, struct arena *arena, const struct controller_yaml **ret, struct err *reterr)
{
	struct controller_yaml *y = arena_alloc(arena, sizeof *y);
	enum err_code rc = y ? load(path, &controller_yaml_type, arena, y, reterr)
			     : err_set(reterr, ERR_NOMEM, "%s: out of memory", path);
	if (rc == ERR_OK)
		*ret = y;
	return rc;
}

enum err_code client_config_load(
    const char *path, struct arena *arena, const struct client_config **ret, struct err *reterr)
{
	struct client_config *c = arena_alloc(arena, sizeof *c);
	enum err_code rc = c ? load(path, &client_config_type, arena, c, reterr)
			     : err_set(reterr, ERR_NOMEM, "%s: out of memory", path);
	if (rc == ERR_OK)
		*ret = c;
	return rc;
}

/* The keys whose comment begins with the name. */
static struct list keys_of(const struct controller_yaml *y, const char *name, struct arena *arena)
{
	const char **keys = arena_array(arena, y->administrator_keys.count + 1, sizeof *keys);
	size_t n = 0;
	for (size_t i = 0; keys && i < y->administrator_keys.count; i++) {
		const char *line = LIST_AT(y->administrator_keys, const char *, i), *comment = strrchr(line, ' ');
		if (comment && text_equal(comment + 1, name))
			keys[n++] = line;
	}
	return (struct list){keys, n};
}

enum err_code controller_workflow(
    const struct controller_yaml *y, struct arena *arena, struct workflow_config *ret, struct err *reterr)
{
	struct operator* admins = arena_array(arena, y->administrators.count + 1, sizeof *admins);
	uint32_t *roles = arena_array(arena, ROLE_COUNT, sizeof *roles);
	if (!admins || !roles)
		return err_set(reterr, ERR_NOMEM, "out of memory for the configuration");
	for (uint32_t i = 0; i < ROLE_COUNT; i++)
		roles[i] = i;
	for (size_t i = 0; i < y->administrators.count; i++) {
		const char *name = LIST_AT(y->administrators, const char *, i);
		admins[i] =
		    (struct operator){.name = name, .roles = {roles, ROLE_COUNT}, .keys = keys_of(y, name, arena)};
	}
	*ret = (struct workflow_config){.name = y->name,
	    .retry_ms = y->retry_ms,
	    .administrators = {admins, y->administrators.count},
	    .fleet = {.heartbeat_ms = y->heartbeat_ms, .proof_ms = y->proof_ms},
	    .health = y->health,
	    .incident = y->incident,
	    .notify = y->notify};
	ret->health.heartbeat_ms = y->heartbeat_ms;
	ret->incident.summaries = y->prose != NULL;
	ret->recovery = (struct recovery_config){.fleet = ret->fleet,
	    .bake_ms = y->bake_ms,
	    .bake_config_ms = y->bake_config_ms,
	    .wave_gap_ms = y->wave_gap_ms,
	    .storage_restores = y->storage_restores,
	    .storages = y->storages,
	    .controller = y->name};
	return ERR_OK;
}

enum err_code controller_knowledge(
    const struct controller_yaml *y, struct arena *arena, struct workflow_config *ret, struct err *reterr)
{
	struct list entries = {0};
	enum err_code rc = y->knowledge ? knowledge_load(y->knowledge, arena, &entries, reterr) : ERR_OK;
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "knowledge");
	ret->knowledge = entries;
	return ERR_OK;
}
