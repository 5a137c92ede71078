/* check.c: goes through the checks of a device, at length for `nst selftest` and in brief before its first job. */
#include "check/check.h"

#include "check/parts.h"
#include "device/findings.h"
#include "support/error.h"

/* What reads or writes feature maps. */
static nst_status check_map_kernels(nst_context *context, bool half, struct check_report *report, nst_error *error) {
    const struct check_losses_at large = {.half = half, .channels = 64, .size = {.height = 41, .width = 33}};
    const struct check_losses_at deep = {.half = half, .channels = 256, .size = {.height = 17, .width = 15}};
    nst_status status = check_losses(context, &large, report, error);
    status = status ? status : check_losses(context, &deep, report, error);
    status = status ? status : check_pooling(context, half, false, report, error);
    return status ? status : check_pooling(context, half, true, report, error);
}

/* What the first job on a device waits for. */
static nst_status run_brief(nst_context *context, struct check_report *report, nst_error *error) {
    const struct check_losses_at layer = {.brief = true, .channels = 64, .size = {.height = 17, .width = 15}};
    nst_status status = check_convolutions(context, true, report, error);
    status = status ? status : check_losses(context, &layer, report, error);
    status = status ? status : check_pooling(context, false, false, report, error);
    return status ? status : check_lbfgs(context, report, error);
}

static nst_status run_all(nst_context *context, struct check_report *report, nst_error *error) {
    const struct check_losses_at image = {.on_image = true, .size = {.height = 61, .width = 47}};
    nst_status status = check_convolutions(context, false, report, error);
    status = status ? status : check_map_kernels(context, false, report, error);
    status = status ? status : check_map_kernels(context, true, report, error);
    status = status ? status : check_losses(context, &image, report, error);
    return status ? status : check_lbfgs(context, report, error);
}

nst_status check_run(const char *device, bool no_cache, struct check_report *report, nst_error *error) {
    nst_context_options options = {.device = device, .no_cache = no_cache, .unchecked = true};
    nst_context *context;
    nst_error opening;
    *report = (struct check_report){0};
    if (nst_context_create(&options, &context, &opening)) {
        outcome_from_error(&report->outcome, &opening);
        return NST_OK;
    }
    report->info = context->info;
    nst_status status = run_all(context, report, error);
    if (!status && context->keeps_findings) {
        /* Where something is wrong that no job might need, the next job's own check decides. */
        check_report_is_right(report) ? findings_keep_check(&context->info, NULL)
                                      : findings_write(&context->info, FINDINGS_CHECK, NULL);
    }
    nst_context_destroy(context);
    return status;
}

nst_status nst_context_check(nst_context *context, nst_error *error) {
    struct check_report report = {0};
    char reason[sizeof context->info.check_reason];
    if (context->info.check == NST_CHECK_PASSED) {
        return NST_OK;
    }
    nst_status status = run_brief(context, &report, error);
    const struct check_line *wrong = status ? NULL : check_report_find_wrong(&report);
    /* What could not be run may run another time, as when others hold the device's memory: that is not remembered. */
    bool is_verdict = !wrong || wrong->outcome.state == OUTCOME_WRONG;
    if (wrong && is_verdict) {
        snprintf(reason, sizeof reason, "%s (%s) has the error %.1e, which should be below %.0e", wrong->name,
                 wrong->detail, wrong->error, wrong->bound);
    } else if (wrong) {
        snprintf(reason, sizeof reason, "%s (%s): %.100s", wrong->name, wrong->detail, wrong->outcome.reason);
    }
    if (!status) {
        context->info.check = wrong ? NST_CHECK_FAILED : NST_CHECK_PASSED;
        snprintf(context->info.check_reason, sizeof context->info.check_reason, "%s", wrong ? reason : "");
        if (context->keeps_findings && is_verdict) {
            findings_keep_check(&context->info, wrong ? reason : NULL);
        }
    }
    if (wrong) {
        status = fail(error, NST_ERROR_DEVICE,
                      "device %d:%d (%s) %s with this driver: %s; 'nst selftest -d %d:%d' tells more",
                      context->info.platform_index, context->info.device_index, context->info.name,
                      is_verdict ? "computes wrongly" : "does not get through its self-test", reason,
                      context->info.platform_index, context->info.device_index);
    }
    check_report_free(&report);
    return status;
}
