/* agent/config/check.h: the rules of agent.yaml that reach over more than one field, for the record tables (this folder
 * only). Each gets a record of its type and says in ERR_INVALID which field is wrong and what was expected.  Pure. */
#ifndef KEDGE_AGENT_CONFIG_CHECK_H
#define KEDGE_AGENT_CONFIG_CHECK_H

#include "agent/config/config.h"

/* The error of a rule, for functions that have reterr. */
#define WRONG(...) err_set(reterr, ERR_INVALID, __VA_ARGS__)

/* ---- check_words.c: single words; not NULL but where said ---- */
const char *word_shown(const char *s); /* NULL: "nothing" */
bool word_name(const char *s);         /* NULL: false, as in the next two */
bool word_host_name(const char *s);
bool word_user(const char *s);
bool word_printable(const char *s);
bool word_path(const char *s); /* absolute, in the one spelling that prefixes can be compared in */
bool word_path_below(const char *path, const char *root);
bool word_port(const char *s);     /* "80", 1 to 65535 */
bool word_address(const char *s);  /* host:port, [IPv6]:port */
bool word_url_rest(const char *s); /* what follows the scheme: begins with a host, no blanks, no password */
ERR_CHECK enum err_code check_path(const char *key, const char *path, struct err *reterr); /* NULL is fine */
ERR_CHECK enum err_code check_path_there(const char *key, const char *path, struct err *reterr);
ERR_CHECK enum err_code check_paths(const char *key, const struct list *l, struct err *reterr);
ERR_CHECK enum err_code check_no_twins(const char *key, const struct list *l, struct err *reterr);
/* As execve takes it; the program by absolute path, or by a bare name that is looked up in a fixed path. */
ERR_CHECK enum err_code check_argv(const char *key, const struct list *argv, struct err *reterr);

/* ---- check_components.c ---- */
ERR_CHECK enum err_code check_postgres(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_hooks(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_redis(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_mariadb(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_sqlite(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_component(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_components(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_steps(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_action(const void *record, struct err *reterr);

/* ---- check_probes.c ---- */
ERR_CHECK enum err_code check_http(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_tcp(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_tls(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_process(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_disk(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_load(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_age(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_postgres_probe(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_probe(const void *record, struct err *reterr);

/* ---- check.c ---- */
ERR_CHECK enum err_code check_log(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_snapshots(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_version(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_service(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_controller(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_s3_copies(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_agent(const void *record, struct err *reterr);

#endif
