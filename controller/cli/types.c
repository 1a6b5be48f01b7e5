/* controller/cli/types.c: what `-o json` shows that is not a record of the domain. */
#include "controller/cli/command.h"
#include "controller/knowledge/model.h"

const struct record_type *const cli_types[] = {&incident_page_type, &change_page_type, &rollback_page_type,
    &host_page_type, &service_page_type, &certificate_view_type, &token_view_type, &api_error_type, &api_refusal_type,
    &watched_event_type, &file_template_type, &model_calibration_type, &model_system_type, &model_shift_type,
    &model_card_type, NULL};
