/* content.c: the content loss of one layer; see loss.h. */
#include "loss/loss.h"

#include "support/error.h"

#include <stdlib.h>

struct content_loss {
    nst_context *context;
    const struct model *model;
    int stage;
    int target; /* plan entry */
    cl_kernel loss, sum_of_squares;
};

nst_status content_loss_create(nst_context *context, const struct model *model, int stage, struct content_loss **result,
                               nst_error *error) {
    *result = NULL;
    struct content_loss *loss = calloc(1, sizeof *loss);
    if (!loss) {
        return fail_memory(error, sizeof *loss, "a content loss");
    }
    *loss = (struct content_loss){.context = context, .model = model, .stage = stage, .target = -1};
    const char *option = feature_map_option(model_has_half_maps(model));
    nst_status status = kernel_create(context, "passes.cl", option, "content_loss", &loss->loss, error);
    if (!status) {
        status = kernel_create(context, "passes.cl", option, "sum_of_squares", &loss->sum_of_squares, error);
    }
    if (status) {
        content_loss_destroy(loss);
        return status;
    }
    *result = loss;
    return NST_OK;
}

void content_loss_destroy(struct content_loss *loss) {
    if (loss) {
        kernel_release(&loss->loss);
        kernel_release(&loss->sum_of_squares);
        free(loss);
    }
}

static uint64_t map_bytes(const struct content_loss *loss, const struct feature_map *map) {
    return feature_map_bytes(loss->context, model_has_half_maps(loss->model), map->channels, map->height, map->width);
}

static int map_vectors(const struct content_loss *loss, const struct feature_map *map) {
    int block = loss->context->channel_block;
    return (map->channels + block - 1) / block * map->height * map->width;
}

void content_loss_add_to_plan(struct content_loss *loss, struct plan *plan, const struct image_size *sizes,
                              int size_count) {
    uint64_t bytes = 0;
    for (int i = 0; i < size_count; ++i) {
        struct image_size size = model_map_size(loss->model, loss->stage, sizes[i]);
        struct feature_map map = {
            .channels = model_channels(loss->model, loss->stage), .height = size.height, .width = size.width};
        uint64_t needed = map_bytes(loss, &map);
        bytes = needed > bytes ? needed : bytes;
    }
    loss->target = plan_add_always(plan, bytes, "content target %d", loss->stage);
}

nst_status content_loss_set_target(struct content_loss *loss, const struct plan *plan, const struct feature_map *map,
                                   nst_error *error) {
    return buffer_copy(loss->context, map->values, plan_buffer(plan, loss->target), (size_t)map_bytes(loss, map),
                       error);
}

nst_status content_loss_target_size(struct content_loss *loss, const struct plan *plan, const struct feature_map *map,
                                    struct loss_output output, double *squares, nst_error *error) {
    nst_status status = kernel_run(loss->context, loss->sum_of_squares, reduction_work(loss->context),
                                   ARGUMENTS(arg_buffer(plan_buffer(plan, loss->target)), arg_buffer(output.partials),
                                             arg_int(output.slot), arg_int(map_vectors(loss, map))),
                                   error);
    if (status) {
        return status;
    }
    return reduction_read(loss->context, output.partials, output.slot, squares, error);
}

nst_status content_loss_run(struct content_loss *loss, const struct plan *plan, const struct feature_map *map,
                            double weight, struct loss_output output, cl_mem gradient, nst_error *error) {
    return kernel_run(loss->context, loss->loss, reduction_work(loss->context),
                      ARGUMENTS(arg_buffer(map->values), arg_buffer(plan_buffer(plan, loss->target)),
                                arg_buffer(gradient), arg_buffer(output.partials), arg_int(output.slot),
                                arg_int(map_vectors(loss, map)), arg_float((float)weight),
                                arg_int(gradient == map->values)),
                      error);
}
