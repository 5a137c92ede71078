/* similarity.c: how the self-similarity of a layer's features differs from the content's ("CFSD", Chung et al. 2024): a
 * distance to judge by, without a gradient.
 *
 *     value = weight * mean over positions i of KL(p*[i], p[i])       p[i] = softmax over j of s^2 F[i] . F[j] / channels
 *
 * F[i] is the vector of features at position i, s the option feature_scale, * marks the content. See cl/similarity.cl.
 */
#include "loss/kinds.h"

#include "support/error.h"

struct similarity {
    cl_kernel rows, sum;
};

struct similarity_run {
    int target, divergence; /* plan entries */
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct similarity *similarity = loss->state;
    const char *option = feature_map_option(model_has_half_maps(loss->model));
    nst_status status =
        kernel_create(loss->context, "similarity.cl", option, "similarity_rows", &similarity->rows, error);
    return status ? status
                  : kernel_create(loss->context, "similarity.cl", option, "similarity_sum", &similarity->sum, error);
}

static void destroy(struct loss *loss) {
    struct similarity *similarity = loss->state;
    kernel_release(&similarity->rows);
    kernel_release(&similarity->sum);
}

static uint64_t map_bytes(const struct loss *loss, struct image_size size) {
    return feature_map_bytes(loss->context, model_has_half_maps(loss->model), loss_channels(loss, 0), size.height,
                             size.width);
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)size_count;
    (void)error;
    struct similarity_run *own = run->state;
    struct image_size size = loss_map_size(run->loss, 0, sizes[0]);
    int stage = run->loss->stages[0], values = model_stage_count(run->loss->model);
    own->target = plan_add_always(plan, map_bytes(run->loss, size), "similarity target %d", stage);
    own->divergence = plan_add(plan, (uint64_t)size.height * (uint64_t)size.width * sizeof(float), values, values,
                               "divergences %d", stage);
    return NST_OK;
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    (void)target;
    const struct similarity_run *own = run->state;
    struct image_size size = {at->map.height, at->map.width};
    return buffer_copy(run->loss->context, at->map.values, plan_buffer(run->plan, own->target),
                       (size_t)map_bytes(run->loss, size), error);
}

/* The rows in as many dispatches as the device wants. */
static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct similarity *similarity = run->loss->state;
    const struct similarity_run *own = run->state;
    nst_context *context = run->loss->context;
    cl_mem divergence = plan_buffer(run->plan, own->divergence);
    int positions = at->map.height * at->map.width, channels = at->map.channels;
    double scale = run->loss->options.feature_scale * run->loss->options.feature_scale / channels;
    double row_flop = 4.0 * channels * positions, at_once = context->dispatch_flop / row_flop;
    int step = at_once >= positions ? positions : at_once < 1 ? 1 : (int)at_once;
    nst_status status = NST_OK;
    for (int first = 0; !status && first < positions; first += step) {
        int count = positions - first < step ? positions - first : step;
        status = kernel_run(context, similarity->rows, work_range(context, (size_t)(count + 3) / 4),
                            ARGUMENTS(arg_buffer(at->map.values), arg_buffer(plan_buffer(run->plan, own->target)),
                                      arg_buffer(divergence),
                                      arg_int4(feature_map_blocks(context, channels), positions, first, count),
                                      arg_float((float)scale)),
                            error);
    }
    return status ? status
                  : kernel_run(context, similarity->sum, reduction_work(context),
                               ARGUMENTS(arg_buffer(divergence), arg_int(positions), arg_buffer(loss_partials(run)),
                                         arg_int(run->slot), arg_float((float)(run->loss->weight / positions))),
                               error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    (void)at;
    (void)gradient;
    return fail(error, NST_ERROR_ARGUMENT, "the loss '%s' has no gradient", run->loss->methods->kind);
}

const struct loss_methods similarity_loss = {
    .kind = "self-similarity",
    .pictures = LOSS_CONTENT,
    .state_bytes = sizeof(struct similarity),
    .run_bytes = sizeof(struct similarity_run),
    .create = create,
    .destroy = destroy,
    .reserve = reserve,
    .target_add = target_add,
    .value = value,
    .add_gradient = add_gradient,
};
