/* One valid, small body of every frame type, with every kind of report, for the tests of this folder. */
#ifndef KEDGE_TESTS_UNIT_SHARED_MESSAGE_SAMPLES_H
#define KEDGE_TESTS_UNIT_SHARED_MESSAGE_SAMPLES_H

#include "shared/message/message.h"

#define SAMPLE_ID(N)        ((struct id){{1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, (N)}})
#define SAMPLE_LIST(T, ...) ((struct list){(T[]){__VA_ARGS__}, sizeof((T[]){__VA_ARGS__}) / sizeof(T)})
#define SAMPLE_MS           ((uint64_t)1795407153123)

static const struct hello sample_hello = {
    .version = 1,
    .version_least = 1,
    .agent_version = "0.1.0",
    .host = "web-1",
    .boot = SAMPLE_ID(1),
    .clock_ms = SAMPLE_MS,
};
static const struct notice_report sample_notice = {
    .severity = SEVERITY_HIGH, .what = "spool-full", .text = "the spool is full"};
static const struct report sample_report = {
    .sequence = 7,
    .at_ms = SAMPLE_MS,
    .importance = IMPORTANCE_EVENT,
    .notice = &sample_notice,
};
static const struct progress sample_progress = {
    .order = SAMPLE_ID(2), .service = "portal", .step = STEP_RESTORE, .percent = 12.5};
static const struct certificate_request sample_request = {.csr = "-----BEGIN CERTIFICATE REQUEST-----\n"};
static const struct welcome sample_welcome = {
    .version = 1,
    .controller = "controller",
    .epoch = 3,
    .clock_ms = SAMPLE_MS,
    .heartbeat_ms = 15000,
};
static const struct ack sample_ack = {.sequence = 7};
static const struct order sample_order = {
    .order = SAMPLE_ID(3),
    .kind = ORDER_PROBE,
    .epoch = 3,
    .issued_ms = SAMPLE_MS,
    .expires_ms = SAMPLE_MS + 60000,
    .run_limit_ms = 60000,
    .host = "web-1",
    .service = "portal",
    .issuer = "alice",
};
static const struct cancel sample_cancel = {.order = SAMPLE_ID(3), .reason = "not needed any more"};
static const struct certificate sample_certificate = {.chain = "-----BEGIN CERTIFICATE-----\n"};
static const struct halt sample_halt = {.on = true, .reason = "drill"};
static const struct bye sample_bye = {.reason = BYE_OVERLOAD, .text = "later", .retry_ms = 30000};

static const struct look sample_look = {.service = "portal", .deep = true};

static const void *const sample_bodies[] = {
    [FRAME_HELLO] = &sample_hello,
    [FRAME_REPORT] = &sample_report,
    [FRAME_PROGRESS] = &sample_progress,
    [FRAME_CERTIFICATE_REQUEST] = &sample_request,
    [FRAME_WELCOME] = &sample_welcome,
    [FRAME_ACK] = &sample_ack,
    [FRAME_ORDER] = &sample_order,
    [FRAME_CANCEL] = &sample_cancel,
    [FRAME_CERTIFICATE] = &sample_certificate,
    [FRAME_HALT] = &sample_halt,
    [FRAME_BYE] = &sample_bye,
    [FRAME_LOOK] = &sample_look,
};
_Static_assert(sizeof(sample_bodies) / sizeof(sample_bodies[0]) == FRAME_TYPE_COUNT, "a sample of every type");

#endif
