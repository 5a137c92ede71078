/* open.c: opens and closes a device; see nst.h and context.h. */
#include "device/context.h"

#include "device/blas.h"
#include "device/list.h"
#include "device/matrix_unit.h"
#include "device/profile.h"
#include "device/program.h"
#include "device/queue.h"
#include "device/select.h"
#include "device/traits.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

/* Which device the options and the environment ask for. */
static const char *requested_device(const nst_context_options *options) {
    const char *spec = options ? options->device : NULL;
    if (!spec) {
        spec = getenv("NST_DEVICE");
    }
    return spec && *spec ? spec : "auto";
}

/* Whether a chosen device may be used, and what is to be said about others. */
static nst_status judge_choice(const nst_device_list *list, const char *spec, const nst_context_options *options,
                               nst_context *context, nst_error *error) {
    const nst_device_info *device = &context->info;
    if (device->check == NST_CHECK_FAILED && !(options && options->unchecked)) {
        return fail(
            error, NST_ERROR_DEVICE,
            "device %d:%d (%s) failed its self-test with this driver: %s; 'nst selftest -d %d:%d' checks it again",
            device->platform_index, device->device_index, device->name, device->check_reason, device->platform_index,
            device->device_index);
    }
    select_passed_over_note(list->devices, list->count, spec, context->note);
    return NST_OK;
}

static nst_status find_device(const nst_context_options *options, nst_context *context, nst_error *error) {
    const char *spec = requested_device(options);
    /* A broken driver elsewhere must not stand in the way of P:D. */
    struct device_part *part = &context->part;
    char place[32];
    bool by_position = select_parse_part(spec, part);
    if (by_position) {
        snprintf(place, sizeof place, "%d:%d", part->platform_index, part->device_index);
        spec = place;
    }
    nst_device_list list;
    nst_status status = list_query(by_position ? part->platform_index : -1, &list, error);
    if (status) {
        return status;
    }
    size_t index;
    if (list.count == 0) {
        status = list_fail_empty(&list, spec, error);
        nst_device_list_free(&list);
        return status;
    }
    for (size_t i = 0; options && options->no_cache && i < list.count; ++i) {
        list.devices[i].check = NST_CHECK_UNKNOWN;
        list.devices[i].measured_gflops = 0;
    }
    status = select_device(list.devices, list.count, spec, &index, error);
    if (!status) {
        context->info = list.devices[index];
        status = judge_choice(&list, spec, options, context, error);
    }
    nst_device_list_free(&list);
    return status;
}

void context_use_tuning(nst_context *context) {
    tuning_read(&context->info, &context->tuning);
    const struct tuning_row *row = tuning_find(&context->tuning, BLAS_KEY);
    if (row && *row->choice) {
        blas_set_parameters(context, row->choice, NULL); /* else it keeps its own, which are right as well */
    }
    row = tuning_find(&context->tuning, CHANNEL_BLOCK_KEY);
    if (row && context->loops_in_kernel && !traits_block_is_given()) {
        traits_parse_block(row->choice, &context->channel_block);
    }
}

nst_status nst_context_create(const nst_context_options *options, nst_context **context, nst_error *error) {
    return context_create(options, NULL, context, error);
}

nst_status context_create(const nst_context_options *options, const struct context_tables *tables,
                          nst_context **context, nst_error *error) {
    *context = NULL;
    nst_context *created = calloc(1, sizeof *created);
    if (!created) {
        return fail_memory(error, sizeof *created, "an OpenCL context");
    }
    if (tables) {
        created->tables = *tables;
    }
    bool profiling = options && options->profiling;
    nst_status status = find_device(options, created, error);
    if (!status) {
        status = queue_open(created, profiling, error);
    }
    if (!status) {
        status = traits_apply(created, error); /* asks the open device */
    }
    if (!status) {
        created->keeps_findings = !options || !options->no_cache;
        if (created->keeps_findings) {
            context_use_tuning(created);
        }
        created->programs = program_store_create(&created->info, options && options->no_cache);
        created->profile = profiling ? profile_create() : NULL;
        if (!created->programs || (profiling && !created->profile)) {
            status = fail_memory(error, sizeof *created, "an OpenCL context");
        }
    }
    if (!status) {
        status = matrix_units_find(created, error);
    }
    if (status) {
        nst_context_destroy(created);
        return status;
    }
    *context = created;
    return NST_OK;
}

void nst_context_destroy(nst_context *context) {
    if (!context) {
        return;
    }
    if (context->queue) {
        clFinish(context->queue);
    }
    profile_free(context->profile);
    tuning_free(&context->tuning);
    program_store_free(context);
    blas_forget_programs();
    queue_close(context);
    free(context);
}

const nst_device_info *nst_context_device(const nst_context *context) {
    return &context->info;
}

const char *nst_context_note(const nst_context *context) {
    return *context->note ? context->note : NULL;
}
