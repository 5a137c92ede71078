/* self_distance.c: the content loss of STROTSS (Kolkin, Salavon and Shakhnarovich 2019, section 2.2): what is alike in the
 * content shall be alike in the image. Hypercolumns (loss/hypercolumns.h) at the same pixels of both are compared by how
 * far each is from each other one of its own picture.
 *
 *     loss = weight / P * sum over i, j of |N_ij - N*_ij|         N_ij = M_ij / s_j
 *     M_ij = 1 - cos(x_i, x_j), M_ii = 0                          s_j = sum over i of M_ij + P * 1e-6
 *
 * x are the image's P vectors, drawn anew at each evaluation, * marks the content's. The published program has no epsilon,
 * and divides by zero where all vectors are the same. See cl/self_distance.cl.
 */
#include "loss/hypercolumns.h"
#include "loss/kinds.h"
#include "network/product.h"

#include <stdlib.h>

enum { SIDE = HYPERCOLUMN_POSITIONS };
static const float EPSILON = 1e-6f;

struct self_distance {
    struct hypercolumn_kernels columns;
    struct product *products;
    struct convolution *gradient; /* 1x1 */
    cl_kernel turn, sums, compare, weights, slope;
};

/* Samples of one picture, and what is made of them; plan entries. */
struct side_of_it {
    int squares, turned, cosines, inverses;
};

/* Plan entries, but for the rest. */
struct self_distance_run {
    struct hypercolumns image;
    int content[LOSS_MOST_SITES]; /* maps of the content */
    struct side_of_it own, target;
    int content_samples, means, weights, turned_slope, slope, scratch, gradient_scratch;
    bool has_slope;
};

static int slots_of(const struct loss *loss) {
    const struct self_distance *own = loss->state;
    return own->columns.blocks * loss->context->channel_block;
}

static nst_status create(struct loss *loss, nst_error *error) {
    struct self_distance *own = loss->state;
    nst_context *context = loss->context;
    const struct kernel_row kernels[] = {{"self_distance_turn", &own->turn},
                                         {"self_distance_sums", &own->sums},
                                         {"self_distance_compare", &own->compare},
                                         {"self_distance_weights", &own->weights},
                                         {"self_distance_slope", &own->slope}};
    const struct product_shape products = {.kind = PRODUCT_GRAM, .rows = SIDE};
    const struct convolution_shape shape = {
        .in_channels = SIDE, .out_channels = SIDE, .kernel_size = 1, .padding_mode = PADDING_ZERO};
    nst_status status = hypercolumn_kernels_create(loss, &own->columns, error);
    status = status ? status : product_create(context, &products, NULL, &own->products, error);
    status = status ? status : convolution_create(context, &shape, NULL, NULL, &own->gradient, error);
    return status ? status
                  : kernels_create(context, "self_distance.cl", "", kernels, sizeof kernels / sizeof *kernels, error);
}

static void destroy(struct loss *loss) {
    struct self_distance *own = loss->state;
    cl_kernel *kernels[] = {&own->turn, &own->sums, &own->compare, &own->weights, &own->slope};
    hypercolumn_kernels_release(&own->columns);
    product_destroy(own->products);
    convolution_destroy(own->gradient);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; ++i) {
        kernel_release(kernels[i]);
    }
}

static uint64_t weight_bytes(const struct loss *loss) {
    const struct self_distance *own = loss->state;
    return convolution_weight_bytes(own->gradient);
}

static cl_mem buffer_of(const struct loss_run *run, int entry) {
    return entry < 0 ? NULL : plan_buffer(run->plan, entry);
}

/* Of a site for an image of that size. */
static uint64_t map_bytes(const struct loss *loss, int site, struct image_size image) {
    struct image_size size = loss_map_size(loss, site, image);
    if (loss->stages[site] < 0) {
        return 3 * (uint64_t)size.height * (uint64_t)size.width * sizeof(float);
    }
    return feature_map_bytes(loss->context, model_has_half_maps(loss->model), loss_channels(loss, site), size.height,
                             size.width);
}

static void reserve_side(struct side_of_it *side, struct plan *plan, uint64_t turned_bytes, int step, int last,
                         const char *whose) {
    side->squares = plan_add(plan, SIDE * sizeof(float), step, last, "self-distance: squares%s", whose);
    side->turned = plan_add(plan, turned_bytes, step, last, "self-distance: vectors%s", whose);
    side->cosines =
        plan_add(plan, (uint64_t)SIDE * SIDE * sizeof(float), step, last, "self-distance: cosines%s", whose);
    side->inverses = plan_add(plan, SIDE * sizeof(float), step, last, "self-distance: sums%s", whose);
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)size_count;
    (void)error;
    const struct loss *loss = run->loss;
    const struct self_distance *kernels = loss->state;
    struct self_distance_run *own = run->state;
    uint64_t stack = sample_stack_bytes(loss->context, kernels->columns.blocks, SIDE);
    int step = model_stage_count(loss->model), last = model_last_step(loss->model), slots = slots_of(loss);
    uint64_t scratch = product_scratch_bytes(kernels->products, slots);
    uint64_t gradient = convolution_scratch_bytes(kernels->gradient, 1, slots);
    hypercolumns_reserve(&own->image, &kernels->columns, run, plan);
    for (int site = 0; site < loss->site_count; ++site) {
        own->content[site] =
            plan_add_always(plan, map_bytes(loss, site, sizes[0]), "self-distance: content %d", loss->stages[site]);
    }
    reserve_side(&own->own, plan, stack, step, last, "");
    reserve_side(&own->target, plan, stack, step, step, " of the content");
    own->content_samples = plan_add(plan, stack, step, step, "self-distance: samples of the content");
    own->means = plan_add(plan, SIDE * sizeof(float), step, last, "self-distance: means");
    own->weights = plan_add(plan, (uint64_t)SIDE * SIDE * sizeof(float), step, last, "self-distance: slope");
    own->turned_slope = plan_add(plan, stack, step, last, "self-distance: slope of vectors");
    own->slope = plan_add(plan, stack, step, last, "self-distance: slope of samples");
    own->scratch = scratch > 0 ? plan_add(plan, scratch, step, step, "self-distance: products' sums") : -1;
    own->gradient_scratch = gradient > 0 ? plan_add(plan, gradient, step, last, "self-distance: gradient scratch") : -1;
    return NST_OK;
}

static void run_free(struct loss_run *run) {
    struct self_distance_run *own = run->state;
    hypercolumns_free(&own->image);
}

/* ---- Targets ------------------------------------------------------------------------------------------------------- */

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    struct self_distance_run *own = run->state;
    return hypercolumns_begin(&own->image, run, region, error);
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    (void)target;
    const struct self_distance_run *own = run->state;
    return buffer_copy(run->loss->context, at->map.values, buffer_of(run, own->content[at->site]),
                       (size_t)map_bytes(run->loss, at->site, at->image), error);
}

/* ---- Value and gradient -------------------------------------------------------------------------------------------- */

/* Cosines of the vectors of a stack with each other, and the sums of distances. */
static nst_status measure(const struct loss_run *run, const struct sample_stack *stack, const struct side_of_it *side,
                          nst_error *error) {
    const struct self_distance *kernels = run->loss->state;
    const struct self_distance_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct sample_squares squares = {.squares = buffer_of(run, side->squares)};
    cl_mem turned = buffer_of(run, side->turned), cosines = buffer_of(run, side->cosines);
    const int slots = slots_of(run->loss), groups = SIDE / context->channel_block;
    const struct product_call call = {
        .extent = slots, .a = turned, .c = cosines, .scratch = buffer_of(run, own->scratch)};
    nst_status status = samples_squares(context, &kernels->columns.samples, stack, &squares, error);
    status = status ? status
                    : kernel_run(context, kernels->turn, work_range(context, (size_t)groups * (size_t)slots),
                                 ARGUMENTS(arg_buffer(stack->samples), arg_buffer(squares.squares), arg_buffer(turned),
                                           arg_int(SIDE), arg_int(slots), arg_int(stack->positions)),
                                 error);
    status = status ? status : product_run(kernels->products, &call, error);
    return status ? status
                  : kernel_run(context, kernels->sums, work_range(context, (size_t)stack->positions),
                               ARGUMENTS(arg_buffer(cosines), arg_buffer(buffer_of(run, side->inverses)), arg_int(SIDE),
                                         arg_int(stack->positions), arg_float(EPSILON)),
                               error);
}

/* The content where the image has been read. */
static struct loss_map content_at(const struct loss_run *run, const struct loss_map *at) {
    const struct self_distance_run *own = run->state;
    struct loss_map content = *at;
    content.map.values = buffer_of(run, own->content[at->site]);
    return content;
}

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct self_distance *kernels = run->loss->state;
    struct self_distance_run *own = run->state;
    const struct loss_map content = content_at(run, at);
    cl_mem content_samples = buffer_of(run, own->content_samples);
    nst_status status = at->site == 0 ? hypercolumns_draw(&own->image, run, at->image, error) : NST_OK;
    status = status ? status : hypercolumns_read(&own->image, run, at, buffer_of(run, own->image.samples), error);
    status = status ? status : hypercolumns_read(&own->image, run, &content, content_samples, error);
    if (status || at->site < kernels->columns.sites - 1) {
        return status;
    }
    const struct sample_stack stack = hypercolumns_stack(&own->image, run);
    struct sample_stack target = stack;
    target.samples = content_samples;
    own->has_slope = false;
    status = measure(run, &stack, &own->own, error);
    return status ? status : measure(run, &target, &own->target, error);
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    (void)at;
    const struct self_distance *kernels = run->loss->state;
    const struct self_distance_run *own = run->state;
    nst_context *context = run->loss->context;
    const int positions = own->image.count;
    const struct kernel_argument factor = arg_float((float)(run->factor / positions));
    cl_mem cosines = buffer_of(run, own->own.cosines), target = buffer_of(run, own->target.cosines);
    cl_mem inverses = buffer_of(run, own->own.inverses), target_inverses = buffer_of(run, own->target.inverses);
    cl_mem means = buffer_of(run, own->means);
    nst_status status =
        kernel_run(context, kernels->compare, reduction_work(context),
                   ARGUMENTS(arg_buffer(cosines), arg_buffer(target), arg_buffer(inverses), arg_buffer(target_inverses),
                             arg_buffer(means), arg_buffer(loss_partials(run)), arg_int(run->slot), arg_int(SIDE),
                             arg_int(positions), factor),
                   error);
    /* While the content's cosines are there. */
    return status ? status
                  : kernel_run(context, kernels->weights,
                               work_range(context, (size_t)SIDE * (context->loops_in_kernel ? 1 : SIDE)),
                               ARGUMENTS(arg_buffer(cosines), arg_buffer(target), arg_buffer(inverses),
                                         arg_buffer(target_inverses), arg_buffer(means),
                                         arg_buffer(buffer_of(run, own->weights)), arg_int(SIDE), arg_int(positions),
                                         factor),
                               error);
}

static nst_status make_slope(struct loss_run *run, nst_error *error) {
    const struct self_distance *kernels = run->loss->state;
    struct self_distance_run *own = run->state;
    nst_context *context = run->loss->context;
    const int slots = slots_of(run->loss), positions = own->image.count;
    const struct image_size area = hypercolumn_area(slots);
    const struct convolution_call call = {.height = area.height,
                                          .width = area.width,
                                          .input = buffer_of(run, own->own.turned),
                                          .output = buffer_of(run, own->turned_slope),
                                          .scratch = buffer_of(run, own->gradient_scratch)};
    nst_status status = convolution_set_weights(kernels->gradient, buffer_of(run, own->weights), error);
    status = status ? status : convolution_run(kernels->gradient, &call, error);
    own->has_slope = true;
    return status ? status
                  : kernel_run(context, kernels->slope, work_range(context, (size_t)positions),
                               ARGUMENTS(arg_buffer(call.output), arg_buffer(call.input),
                                         arg_buffer(buffer_of(run, own->own.squares)),
                                         arg_buffer(buffer_of(run, own->slope)), arg_int(slots), arg_int(positions)),
                               error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    struct self_distance_run *own = run->state;
    nst_status status = own->has_slope ? NST_OK : make_slope(run, error);
    return status ? status
                  : hypercolumns_add_gradient(&own->image, run, at, buffer_of(run, own->slope), gradient, error);
}

static nst_status list_state(struct loss_run *run, struct state *state, nst_error *error) {
    struct self_distance_run *own = run->state;
    return hypercolumns_list_state(&own->image, state, error);
}

const struct loss_methods self_distance_loss = {
    .kind = "self-distance",
    .pictures = LOSS_CONTENT,
    .state_bytes = sizeof(struct self_distance),
    .run_bytes = sizeof(struct self_distance_run),
    .create = create,
    .destroy = destroy,
    .weight_bytes = weight_bytes,
    .reserve = reserve,
    .run_free = run_free,
    .target_begin = target_begin,
    .target_add = target_add,
    .gather = gather,
    .value = value,
    .add_gradient = add_gradient,
    .list_state = list_state,
    .reference = self_distance_reference,
    .rarely_used = true,
};
