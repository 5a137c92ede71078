/* palette.c: the color loss of STROTSS (Kolkin, Salavon and Shakhnarovich 2019, section 2.3): the relaxed earth mover's
 * distance between colors at pixels of the image (loss/hypercolumns.h), drawn anew at each evaluation, and of the styles.
 *
 *     loss = weight * max(mean over p of min over q of d(p, q), mean over q of min over p of d(p, q))
 *     d(p, q) = 1 - cos(a(p), b(q)) + sqrt(clamp(|a(p) - b(q)|^2, 1e-5, 1e5) / 3)
 *
 * a and b are colors, -1/2 .. 1/2, along the axis of the grays and two at right angles to it. See cl/palette.cl.
 */
#include "loss/hypercolumns.h"
#include "loss/kinds.h"

struct palette {
    struct hypercolumn_kernels columns;
    cl_kernel turn, nearest, slope;
};

/* Plan entries, but for the first two. */
struct palette_run {
    struct hypercolumns image;
    struct style_columns style;
    int colors, style_colors, nearest, nearest_of_style, sums, style_sums, slope;
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct palette *own = loss->state;
    nst_context *context = loss->context;
    nst_status status = hypercolumn_kernels_create(loss, &own->columns, error);
    status = status ? status : kernel_create(context, "palette.cl", "", "palette_turn", &own->turn, error);
    status = status ? status : kernel_create(context, "palette.cl", "", "palette_nearest", &own->nearest, error);
    return status ? status : kernel_create(context, "palette.cl", "", "palette_slope", &own->slope, error);
}

static void destroy(struct loss *loss) {
    struct palette *own = loss->state;
    hypercolumn_kernels_release(&own->columns);
    kernel_release(&own->turn);
    kernel_release(&own->nearest);
    kernel_release(&own->slope);
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)sizes;
    (void)size_count;
    (void)error;
    enum { MOST = HYPERCOLUMN_POSITIONS, MOST_STYLE = HYPERCOLUMN_STYLE_POSITIONS };
    const struct palette *kernels = run->loss->state;
    struct palette_run *own = run->state;
    nst_context *context = run->loss->context;
    hypercolumns_reserve(&own->image, &kernels->columns, run, plan);
    style_columns_reserve(&own->style, &kernels->columns, run, plan);
    own->colors = plan_add_always(plan, MOST * sizeof(cl_float4), "palette: colors");
    own->style_colors = plan_add_always(plan, MOST_STYLE * sizeof(cl_float4), "palette: colors of styles");
    own->nearest = plan_add_always(plan, MOST * sizeof(cl_int), "palette: nearest");
    own->nearest_of_style = plan_add_always(plan, MOST_STYLE * sizeof(cl_int), "palette: nearest of styles");
    own->sums = plan_add_always(plan, reduction_bytes(context, 1), "palette: sums");
    own->style_sums = plan_add_always(plan, reduction_bytes(context, 1), "palette: sums of styles");
    own->slope =
        plan_add_always(plan, sample_stack_bytes(context, kernels->columns.blocks, MOST), "palette: slope of samples");
    return NST_OK;
}

static void run_free(struct loss_run *run) {
    struct palette_run *own = run->state;
    hypercolumns_free(&own->image);
}

static cl_mem buffer_of(const struct loss_run *run, int entry) {
    return plan_buffer(run->plan, entry);
}

static nst_status turn(const struct loss_run *run, const struct sample_stack *stack, int colors, nst_error *error) {
    const struct palette *kernels = run->loss->state;
    nst_context *context = run->loss->context;
    return kernel_run(
        context, kernels->turn, work_range(context, (size_t)stack->positions),
        ARGUMENTS(arg_buffer(stack->samples), arg_buffer(buffer_of(run, colors)), arg_int(stack->positions)), error);
}

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    struct palette_run *own = run->state;
    style_columns_begin(&own->style, run);
    return hypercolumns_begin(&own->image, run, region, error);
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    struct palette_run *own = run->state;
    return style_columns_add(&own->style, run, at, target, error);
}

static nst_status target_end(struct loss_run *run, nst_error *error) {
    const struct palette_run *own = run->state;
    const struct sample_stack stack = style_columns_stack(&own->style, run);
    return turn(run, &stack, own->style_colors, error);
}

/* The nearest of each color among the others. */
static nst_status find_nearest(const struct loss_run *run, bool of_style, nst_error *error) {
    const struct palette *kernels = run->loss->state;
    const struct palette_run *own = run->state;
    const int positions = own->image.count, style_positions = own->style.all;
    cl_mem colors = buffer_of(run, own->colors), style = buffer_of(run, own->style_colors);
    return kernel_run(run->loss->context, kernels->nearest, reduction_work(run->loss->context),
                      ARGUMENTS(arg_buffer(of_style ? style : colors), arg_int(of_style ? style_positions : positions),
                                arg_buffer(of_style ? colors : style), arg_int(of_style ? positions : style_positions),
                                arg_buffer(buffer_of(run, of_style ? own->nearest_of_style : own->nearest)),
                                arg_buffer(buffer_of(run, of_style ? own->style_sums : own->sums))),
                      error);
}

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    struct palette_run *own = run->state;
    nst_status status = hypercolumns_draw(&own->image, run, at->image, error);
    status = status ? status : hypercolumns_read(&own->image, run, at, buffer_of(run, own->image.samples), error);
    const struct sample_stack stack = hypercolumns_stack(&own->image, run);
    status = status ? status : turn(run, &stack, own->colors, error);
    status = status ? status : find_nearest(run, false, error);
    return status ? status : find_nearest(run, true, error);
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    (void)at;
    const struct palette *kernels = run->loss->state;
    const struct palette_run *own = run->state;
    nst_context *context = run->loss->context;
    return kernel_run(context, kernels->slope, reduction_work(context),
                      ARGUMENTS(arg_buffer(buffer_of(run, own->colors)), arg_buffer(buffer_of(run, own->style_colors)),
                                arg_buffer(buffer_of(run, own->nearest)),
                                arg_buffer(buffer_of(run, own->nearest_of_style)),
                                arg_buffer(buffer_of(run, own->sums)), arg_buffer(buffer_of(run, own->style_sums)),
                                arg_int(reduction_partials(context)), arg_buffer(buffer_of(run, own->slope)),
                                arg_buffer(loss_partials(run)), arg_int(run->slot), arg_int(own->image.count),
                                arg_int(own->style.all), arg_float((float)run->factor)),
                      error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct palette_run *own = run->state;
    return hypercolumns_add_gradient(&own->image, run, at, buffer_of(run, own->slope), gradient, error);
}

static nst_status list_state(struct loss_run *run, struct state *state, nst_error *error) {
    struct palette_run *own = run->state;
    return hypercolumns_list_state(&own->image, state, error);
}

const struct loss_methods palette_loss = {
    .kind = "palette",
    .pictures = LOSS_STYLE,
    .on_image = true,
    .state_bytes = sizeof(struct palette),
    .run_bytes = sizeof(struct palette_run),
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
    .reference = palette_reference,
    .rarely_used = true,
};
