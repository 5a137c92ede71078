/* moments.c: the second style loss of STROTSS (Kolkin, Salavon and Shakhnarovich 2019, section 2.3): how mean and
 * covariance of the hypercolumns (loss/hypercolumns.h) differ between image and styles. It keeps the size of features,
 * of which the cosine distance sees only the direction.
 *
 *     loss = weight (mean over channels of |m - n| + mean over pairs of channels of |V - W|)
 *
 * m and V are mean and covariance of the image's vectors, drawn anew at each evaluation, n and W the styles'. The gradient
 * is a 1x1 convolution of the centered vectors. See cl/moments.cl.
 */
#include "loss/hypercolumns.h"
#include "loss/kinds.h"
#include "network/product.h"

struct moments {
    struct hypercolumn_kernels columns;
    struct product *products;
    struct convolution *gradient; /* 1x1 */
    cl_kernel scale, compare;
};

/* Plan entries, but for the rest. */
struct moments_run {
    struct hypercolumns image;
    struct style_columns style;
    int target, target_mean;
    int covariance, mean, weights, bias, slope, scratch, gradient_scratch;
    bool has_slope;
};

/* Channels with those that fill up blocks. */
static int slots_of(const struct loss *loss) {
    const struct moments *own = loss->state;
    return own->columns.blocks * loss->context->channel_block;
}

static nst_status create(struct loss *loss, nst_error *error) {
    struct moments *own = loss->state;
    nst_context *context = loss->context;
    nst_status status = hypercolumn_kernels_create(loss, &own->columns, error);
    const int slots = slots_of(loss);
    const struct product_shape products = {.kind = PRODUCT_GRAM, .rows = slots};
    const struct convolution_shape shape = {
        .in_channels = slots, .out_channels = slots, .kernel_size = 1, .padding_mode = PADDING_ZERO};
    status = status ? status : product_create(context, &products, NULL, &own->products, error);
    status = status ? status : convolution_create(context, &shape, NULL, NULL, &own->gradient, error);
    status = status ? status : kernel_create(context, "moments.cl", "", "moments_scale", &own->scale, error);
    return status ? status : kernel_create(context, "moments.cl", "", "moments_compare", &own->compare, error);
}

static void destroy(struct loss *loss) {
    struct moments *own = loss->state;
    hypercolumn_kernels_release(&own->columns);
    product_destroy(own->products);
    convolution_destroy(own->gradient);
    kernel_release(&own->scale);
    kernel_release(&own->compare);
}

static uint64_t weight_bytes(const struct loss *loss) {
    const struct moments *own = loss->state;
    return convolution_weight_bytes(own->gradient);
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)sizes;
    (void)size_count;
    (void)error;
    const struct moments *kernels = run->loss->state;
    struct moments_run *own = run->state;
    nst_context *context = run->loss->context;
    uint64_t vector = (uint64_t)slots_of(run->loss) * sizeof(float), matrix = vector * (uint64_t)slots_of(run->loss);
    int step = model_stage_count(run->loss->model), last = model_last_step(run->loss->model);
    uint64_t scratch = product_scratch_bytes(kernels->products, HYPERCOLUMN_STYLE_POSITIONS);
    uint64_t of_image = product_scratch_bytes(kernels->products, HYPERCOLUMN_POSITIONS);
    uint64_t gradient = convolution_scratch_bytes(kernels->gradient, 1, HYPERCOLUMN_POSITIONS);
    scratch = scratch > of_image ? scratch : of_image;
    hypercolumns_reserve(&own->image, &kernels->columns, run, plan);
    style_columns_reserve(&own->style, &kernels->columns, run, plan);
    own->target = plan_add_always(plan, matrix, "moments: covariance of styles");
    own->target_mean = plan_add_always(plan, vector, "moments: mean of styles");
    own->covariance = plan_add(plan, matrix, step, step, "moments: covariance");
    own->mean = plan_add(plan, vector, step, step, "moments: mean");
    own->weights = plan_add(plan, matrix, step, last, "moments: slope");
    own->bias = plan_add(plan, vector, step, last, "moments: slope's bias");
    own->slope = plan_add(plan, sample_stack_bytes(context, kernels->columns.blocks, HYPERCOLUMN_POSITIONS), step, last,
                          "moments: slope of samples");
    own->scratch = scratch > 0 ? plan_add(plan, scratch, step, step, "moments: sums") : -1;
    own->gradient_scratch = gradient > 0 ? plan_add(plan, gradient, step, last, "moments: gradient scratch") : -1;
    return NST_OK;
}

static void run_free(struct loss_run *run) {
    struct moments_run *own = run->state;
    hypercolumns_free(&own->image);
}

static cl_mem buffer_of(const struct loss_run *run, int entry) {
    return entry < 0 ? NULL : plan_buffer(run->plan, entry);
}

/* Centers the vectors, and adds up the products of their channels. */
static nst_status measure(const struct loss_run *run, const struct sample_stack *stack, cl_mem mean, cl_mem products,
                          nst_error *error) {
    const struct moments *kernels = run->loss->state;
    const struct moments_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct product_call call = {
        .extent = stack->positions, .a = stack->samples, .c = products, .scratch = buffer_of(run, own->scratch)};
    const struct sample_center center = {.mean = mean, .factor = 1};
    nst_status status = samples_mean(context, &kernels->columns.samples, stack, mean, error);
    status = status ? status : samples_subtract(context, &kernels->columns.samples, stack, &center, error);
    return status ? status : product_run(kernels->products, &call, error);
}

/* ---- Targets ------------------------------------------------------------------------------------------------------- */

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    struct moments_run *own = run->state;
    style_columns_begin(&own->style, run);
    return hypercolumns_begin(&own->image, run, region, error);
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    struct moments_run *own = run->state;
    return style_columns_add(&own->style, run, at, target, error);
}

static nst_status target_end(struct loss_run *run, nst_error *error) {
    const struct moments *kernels = run->loss->state;
    const struct moments_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct sample_stack stack = style_columns_stack(&own->style, run);
    const size_t count = (size_t)slots_of(run->loss) * (size_t)slots_of(run->loss);
    cl_mem target = buffer_of(run, own->target);
    nst_status status = measure(run, &stack, buffer_of(run, own->target_mean), target, error);
    return status ? status
                  : kernel_run(context, kernels->scale, work_range(context, count),
                               ARGUMENTS(arg_buffer(target), arg_int((int)count),
                                         arg_float((float)loss_one_over(stack.positions))),
                               error);
}

/* ---- Value and gradient -------------------------------------------------------------------------------------------- */

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct moments *kernels = run->loss->state;
    struct moments_run *own = run->state;
    nst_status status = at->site == 0 ? hypercolumns_draw(&own->image, run, at->image, error) : NST_OK;
    status = status ? status : hypercolumns_read(&own->image, run, at, buffer_of(run, own->image.samples), error);
    if (status || at->site < kernels->columns.sites - 1) {
        return status;
    }
    const struct sample_stack stack = hypercolumns_stack(&own->image, run);
    own->has_slope = false;
    return measure(run, &stack, buffer_of(run, own->mean), buffer_of(run, own->covariance), error);
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    (void)at;
    const struct moments *kernels = run->loss->state;
    const struct moments_run *own = run->state;
    nst_context *context = run->loss->context;
    const double channels = kernels->columns.channels;
    return kernel_run(context, kernels->compare, reduction_work(context),
                      ARGUMENTS(arg_buffer(buffer_of(run, own->covariance)), arg_buffer(buffer_of(run, own->mean)),
                                arg_buffer(buffer_of(run, own->target)), arg_buffer(buffer_of(run, own->target_mean)),
                                arg_buffer(buffer_of(run, own->weights)), arg_buffer(buffer_of(run, own->bias)),
                                arg_buffer(loss_partials(run)), arg_int(run->slot), arg_int(slots_of(run->loss)),
                                arg_float((float)(1.0 / own->image.count)),
                                arg_float((float)(run->factor / (channels * channels))),
                                arg_float((float)(run->factor / channels))),
                      error);
}

static nst_status make_slope(struct loss_run *run, nst_error *error) {
    const struct moments *kernels = run->loss->state;
    struct moments_run *own = run->state;
    const struct image_size area = hypercolumn_area(own->image.count);
    const struct convolution_call call = {.height = area.height,
                                          .width = area.width,
                                          .input = buffer_of(run, own->image.samples),
                                          .output = buffer_of(run, own->slope),
                                          .scratch = buffer_of(run, own->gradient_scratch)};
    nst_status status = convolution_set_weights(kernels->gradient, buffer_of(run, own->weights), error);
    status = status ? status : convolution_set_bias(kernels->gradient, buffer_of(run, own->bias), error);
    own->has_slope = true;
    return status ? status : convolution_run(kernels->gradient, &call, error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    struct moments_run *own = run->state;
    nst_status status = own->has_slope ? NST_OK : make_slope(run, error);
    return status ? status
                  : hypercolumns_add_gradient(&own->image, run, at, buffer_of(run, own->slope), gradient, error);
}

static nst_status list_state(struct loss_run *run, struct state *state, nst_error *error) {
    struct moments_run *own = run->state;
    return hypercolumns_list_state(&own->image, state, error);
}

const struct loss_methods moments_loss = {
    .kind = "moments",
    .pictures = LOSS_STYLE,
    .state_bytes = sizeof(struct moments),
    .run_bytes = sizeof(struct moments_run),
    .create = create,
    .destroy = destroy,
    .weight_bytes = weight_bytes,
    .reserve = reserve,
    .run_free = run_free,
    .target_begin = target_begin,
    .target_add = target_add,
    .target_end = target_end,
    .gather = gather,
    .value = value,
    .add_gradient = add_gradient,
    .list_state = list_state,
    .reference = moments_reference,
    .rarely_used = true,
};
