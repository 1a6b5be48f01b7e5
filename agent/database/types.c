/* Every record type of this folder. */
#include "agent/database/wal.h"
#include "shared/record/record.h"

const struct record_type *const database_types[] = {&wal_status_type, NULL};
