/* agent/config/check.h: the rules of agent.yaml that reach over more than one field, for the record tables (this folder
 * only). Each gets a record of its type and says in ERR_INVALID which field is wrong and what was expected.  Pure. */
#ifndef KEDGE_AGENT_CONFIG_CHECK_H
#define KEDGE_AGENT_CONFIG_CHECK_H

#include "agent/config/config.h"

ERR_CHECK enum err_code check_postgres(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_hooks(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_redis(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_mariadb(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_sqlite(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_component(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_components(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_steps(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_action(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_http(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_tcp(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_tls(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_process(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_disk(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_load(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_age(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_probe(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_log(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_snapshots(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_version(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_service(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_controller(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_s3_copies(const void *record, struct err *reterr);
ERR_CHECK enum err_code check_agent(const void *record, struct err *reterr);

#endif
