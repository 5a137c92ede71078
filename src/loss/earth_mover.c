/* earth_mover.c: the style loss of STROTSS (Kolkin, Salavon and Shakhnarovich 2019, section 2.3): the relaxed earth
 * mover's distance between hypercolumns of image and styles (loss/hypercolumns.h), by cosine distance.
 *
 *     loss = weight * max(mean over p of min over q of d(p, q), mean over q of min over p of d(p, q))
 *     d(p, q) = 1 - cos(x(p), y(q))
 *
 * x are the image's vectors, drawn anew at each evaluation, y the styles'. See cl/earth_mover.cl.
 */
#include "loss/cosine.h"
#include "loss/hypercolumns.h"
#include "loss/kinds.h"
#include "loss/matching.h"

struct earth_mover {
    struct hypercolumn_kernels columns;
    struct matching matching;
    struct cosine cosine;
    cl_kernel sums, targets;
};

/* Plan entries, but for the rest. */
struct earth_mover_run {
    struct hypercolumns image;
    struct style_columns style;
    int zeros, style_squares; /* zeros: the means of both */
    int squares, dots, targets, candidates, panels, rows, sums;
    int similarity, index, style_similarity, style_index;
    bool has_slope; /* in the place of the samples */
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct earth_mover *own = loss->state;
    nst_context *context = loss->context;
    nst_status status = hypercolumn_kernels_create(loss, &own->columns, error);
    status = status ? status : matching_create(context, &own->matching, error);
    status = status ? status : cosine_create(context, &own->cosine, error);
    status = status ? status : kernel_create(context, "earth_mover.cl", "", "earth_mover_sums", &own->sums, error);
    return status ? status : kernel_create(context, "earth_mover.cl", "", "earth_mover_targets", &own->targets, error);
}

static void destroy(struct loss *loss) {
    struct earth_mover *own = loss->state;
    hypercolumn_kernels_release(&own->columns);
    matching_release(&own->matching);
    cosine_release(&own->cosine);
    kernel_release(&own->sums);
    kernel_release(&own->targets);
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static int add_scratch(struct plan *plan, uint64_t bytes, int step, const char *what) {
    return bytes > 0 ? plan_add(plan, bytes, step, step, "earth mover: %s", what) : -1;
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)sizes;
    (void)size_count;
    (void)error;
    enum { MOST = HYPERCOLUMN_POSITIONS, MOST_STYLE = HYPERCOLUMN_STYLE_POSITIONS };
    const struct earth_mover *kernels = run->loss->state;
    struct earth_mover_run *own = run->state;
    nst_context *context = run->loss->context;
    int blocks = kernels->columns.blocks, step = model_stage_count(run->loss->model);
    int last = model_last_step(run->loss->model);
    struct matching_bytes there = matching_scratch_bytes(context, blocks, MOST, MOST_STYLE);
    struct matching_bytes back = matching_scratch_bytes(context, blocks, MOST_STYLE, MOST);
    uint64_t each = MOST * sizeof(float), each_style = MOST_STYLE * sizeof(float);
    hypercolumns_reserve(&own->image, &kernels->columns, run, plan);
    style_columns_reserve(&own->style, &kernels->columns, run, plan);
    own->zeros = plan_add_always(plan, sample_stack_bytes(context, blocks, 1), "earth mover: zeros");
    own->style_squares = plan_add_always(plan, each_style, "earth mover: squares of styles");
    own->squares = plan_add(plan, each, step, last, "earth mover: squares");
    own->dots = plan_add(plan, each, step, last, "earth mover: products");
    own->targets = plan_add(plan, sample_stack_bytes(context, blocks, MOST), step, last, "earth mover: targets");
    own->candidates = add_scratch(plan, larger(there.candidates, back.candidates), step, "candidates");
    own->panels = add_scratch(plan, larger(there.panels, back.panels), step, "packed vectors");
    own->rows = add_scratch(plan, larger(there.rows, back.rows), step, "copies of vectors");
    own->similarity = add_scratch(plan, each, step, "similarity");
    own->index = add_scratch(plan, each, step, "nearest");
    own->style_similarity = add_scratch(plan, each_style, step, "similarity of styles");
    own->style_index = add_scratch(plan, each_style, step, "nearest of styles");
    own->sums = add_scratch(plan, reduction_bytes(context, 2), step, "sums of similarities");
    return NST_OK;
}

static void run_free(struct loss_run *run) {
    struct earth_mover_run *own = run->state;
    hypercolumns_free(&own->image);
}

static cl_mem buffer_of(const struct loss_run *run, int entry) {
    return entry < 0 ? NULL : plan_buffer(run->plan, entry);
}

/* ---- Targets ------------------------------------------------------------------------------------------------------- */

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    struct earth_mover_run *own = run->state;
    style_columns_begin(&own->style, run);
    return hypercolumns_begin(&own->image, run, region, error);
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    struct earth_mover_run *own = run->state;
    return style_columns_add(&own->style, run, at, target, error);
}

static nst_status target_end(struct loss_run *run, nst_error *error) {
    const struct earth_mover *kernels = run->loss->state;
    const struct earth_mover_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct sample_stack stack = style_columns_stack(&own->style, run);
    const struct sample_squares squares = {.squares = buffer_of(run, own->style_squares)};
    nst_status status = buffer_fill_zero(context, buffer_of(run, own->zeros),
                                         (size_t)sample_stack_bytes(context, stack.blocks, 1), error);
    return status ? status : samples_squares(context, &kernels->columns.samples, &stack, &squares, error);
}

/* ---- Value and gradient -------------------------------------------------------------------------------------------- */

/* For each vector of `from` the nearest of `to`. */
static nst_status match(const struct loss_run *run, const struct matching_set *from, const struct matching_set *to,
                        const struct matching_best *best, nst_error *error) {
    const struct earth_mover *kernels = run->loss->state;
    const struct earth_mover_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct matching_part part = {.content = *from, .style = *to, .factor = 1};
    const struct matching_scratch scratch = {.candidates = buffer_of(run, own->candidates),
                                             .panels = buffer_of(run, own->panels),
                                             .rows = buffer_of(run, own->rows)};
    nst_status status = matching_begin(context, &kernels->matching, best, from->stack.positions, error);
    return status ? status : matching_run(context, &kernels->matching, &part, &scratch, best, error);
}

/* The nearest of each, and what each vector of the image is to be like. */
static nst_status make_targets(const struct loss_run *run, const struct matching_set *image,
                               const struct matching_set *style, nst_error *error) {
    const struct earth_mover *kernels = run->loss->state;
    const struct earth_mover_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct matching_best there = {buffer_of(run, own->similarity), buffer_of(run, own->index)};
    const struct matching_best back = {buffer_of(run, own->style_similarity), buffer_of(run, own->style_index)};
    const int positions = image->stack.positions, style_positions = style->stack.positions;
    cl_mem sums = buffer_of(run, own->sums);
    nst_status status = match(run, image, style, &there, error);
    status = status ? status : match(run, style, image, &back, error);
    status = status ? status
                    : kernel_run(context, kernels->sums, reduction_work(context),
                                 ARGUMENTS(arg_buffer(there.similarity), arg_buffer(back.similarity), arg_buffer(sums),
                                           arg_int(positions), arg_int(style_positions)),
                                 error);
    return status ? status
                  : kernel_run(context, kernels->targets, work_range(context, (size_t)image->stack.blocks),
                               ARGUMENTS(arg_buffer(style->stack.samples), arg_buffer(style->squares),
                                         arg_buffer(there.index), arg_buffer(back.index), arg_buffer(sums),
                                         arg_int(reduction_partials(context)), arg_buffer(buffer_of(run, own->targets)),
                                         arg_int(image->stack.blocks), arg_int(positions), arg_int(style_positions)),
                               error);
}

static struct cosine_layer cosine_layer_of(const struct loss_run *run) {
    const struct earth_mover_run *own = run->state;
    return (struct cosine_layer){.samples = hypercolumns_stack(&own->image, run),
                                 .targets = buffer_of(run, own->targets)};
}
static struct cosine_sums cosine_sums_of(const struct loss_run *run) {
    const struct earth_mover_run *own = run->state;
    return (struct cosine_sums){.dots = buffer_of(run, own->dots), .squares = buffer_of(run, own->squares)};
}

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct earth_mover *kernels = run->loss->state;
    struct earth_mover_run *own = run->state;
    nst_context *context = run->loss->context;
    nst_status status = at->site == 0 ? hypercolumns_draw(&own->image, run, at->image, error) : NST_OK;
    status = status ? status : hypercolumns_read(&own->image, run, at, buffer_of(run, own->image.samples), error);
    if (status || at->site < kernels->columns.sites - 1) {
        return status;
    }
    cl_mem zeros = buffer_of(run, own->zeros);
    const struct matching_set image = {hypercolumns_stack(&own->image, run), zeros, buffer_of(run, own->squares)};
    const struct matching_set style = {style_columns_stack(&own->style, run), zeros,
                                       buffer_of(run, own->style_squares)};
    const struct sample_squares squares = {.squares = image.squares};
    const struct cosine_layer layer = cosine_layer_of(run);
    const struct cosine_sums sums = cosine_sums_of(run);
    own->has_slope = false;
    status = samples_squares(context, &kernels->columns.samples, &image.stack, &squares, error);
    status = status ? status : make_targets(run, &image, &style, error);
    return status ? status : cosine_add(context, &kernels->cosine, &layer, &sums, true, error);
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    (void)at;
    const struct earth_mover *kernels = run->loss->state;
    const struct earth_mover_run *own = run->state;
    const struct cosine_sums sums = cosine_sums_of(run);
    const struct cosine_value value = {.positions = own->image.count,
                                       .weight = run->factor / own->image.count,
                                       .partials = loss_partials(run),
                                       .slot = run->slot};
    return cosine_loss(run->loss->context, &kernels->cosine, &sums, &value, error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct earth_mover *kernels = run->loss->state;
    struct earth_mover_run *own = run->state;
    const struct cosine_layer layer = cosine_layer_of(run);
    const struct cosine_sums sums = cosine_sums_of(run);
    cl_mem slope = layer.samples.samples;
    nst_status status =
        own->has_slope ? NST_OK : cosine_slope(run->loss->context, &kernels->cosine, &layer, &sums, slope, error);
    own->has_slope = true;
    return status ? status : hypercolumns_add_gradient(&own->image, run, at, slope, gradient, error);
}

static nst_status list_state(struct loss_run *run, struct state *state, nst_error *error) {
    struct earth_mover_run *own = run->state;
    return hypercolumns_list_state(&own->image, state, error);
}

const struct loss_methods earth_mover_loss = {
    .kind = "earth mover",
    .pictures = LOSS_STYLE,
    .state_bytes = sizeof(struct earth_mover),
    .run_bytes = sizeof(struct earth_mover_run),
    .create = create,
    .destroy = destroy,
    .reserve = reserve,
    .run_free = run_free,
    .target_begin = target_begin,
    .target_add = target_add,
    .target_end = target_end,
    .gather = gather,
    .value = value,
    .add_gradient = add_gradient,
    .list_state = list_state,
    .reference = earth_mover_reference,
    .rarely_used = true,
};
