/* optical_flow.c: the optical flow between two pictures, by TV-L1 from coarse to fine; the formulas are in
 * cl/optical_flow.cl.
 *
 * Both pictures become pyramids of halves. At each level, from the coarsest on, the second picture is linearized around
 * the flow so far a few times, and each time steps for the flow and its dual take turns. Constants as in IPOL 2013:
 * lambda 0.15 for luma in 0..255, theta 0.3, tau 0.25.
 */
#include "nst.h"

#include "flow/planes.h"
#include "support/error.h"

enum { MOST_LEVELS = 16, LEAST_SIDE_PX = 12, LINEARIZATIONS = 5, STEPS = 30 };

static const float lambda = 0.15F, theta = 0.3F, tau = 0.25F;

struct level {
    int height, width;
    int from, to; /* plan entries: the pictures at this size */
};

struct optical_flow {
    nst_context *context;
    cl_kernel reduce, expand, linearize, primal, dual;
    struct plan plan;
    struct level levels[MOST_LEVELS]; /* the finest first */
    int level_count;
    int flows[2], p, linear; /* plan entries, as large as the finest level needs them */
};

static nst_status create_kernels(struct optical_flow *flow, nst_error *error) {
    const struct kernel_row kernels[] = {{"flow_reduce", &flow->reduce},
                                         {"flow_expand", &flow->expand},
                                         {"flow_linearize", &flow->linearize},
                                         {"flow_primal", &flow->primal},
                                         {"flow_dual", &flow->dual}};
    return kernels_create(flow->context, "optical_flow.cl", "", kernels, sizeof kernels / sizeof *kernels, error);
}

static nst_status reserve(struct optical_flow *flow, int height, int width, nst_error *error) {
    uint64_t bytes = (uint64_t)height * (uint64_t)width * sizeof(float);
    struct plan *plan = &flow->plan;
    struct level level = {.height = height, .width = width};
    do {
        uint64_t own_bytes = (uint64_t)level.height * (uint64_t)level.width * sizeof(float);
        level.from = plan_add_always(plan, own_bytes, "first picture of a flow");
        level.to = plan_add_always(plan, own_bytes, "second picture of a flow");
        flow->levels[flow->level_count++] = level;
        level.height = (level.height + 1) / 2;
        level.width = (level.width + 1) / 2;
    } while (level.height >= LEAST_SIDE_PX && level.width >= LEAST_SIDE_PX && flow->level_count < MOST_LEVELS);
    flow->flows[0] = plan_add_always(plan, 2 * bytes, "flow");
    flow->flows[1] = plan_add_always(plan, 2 * bytes, "flow, at another size");
    flow->p = plan_add_always(plan, 4 * bytes, "dual of a flow");
    flow->linear = plan_add_always(plan, 3 * bytes, "linearization of a flow");
    nst_status status = plan_assign(plan, error);
    if (!status && !plan_fits(plan, flow->context)) {
        char what[64];
        snprintf(what, sizeof what, "the optical flow of %d x %d pixels", width, height);
        return plan_fail_too_large(plan, flow->context, what, "ask for a smaller picture", error);
    }
    return status ? status : plan_allocate(plan, flow->context, error);
}

static void release(struct optical_flow *flow) {
    plan_free(&flow->plan, flow->context);
    kernel_release(&flow->reduce);
    kernel_release(&flow->expand);
    kernel_release(&flow->linearize);
    kernel_release(&flow->primal);
    kernel_release(&flow->dual);
}

static struct work_size work_of(const struct optical_flow *flow, int planes, const struct level *level) {
    return work_range(flow->context, (size_t)planes * (size_t)level->height * (size_t)level->width);
}

static nst_status make_pyramids(const struct optical_flow *flow, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 1; !status && i < flow->level_count; ++i) {
        const struct level *fine = &flow->levels[i - 1], *coarse = &flow->levels[i];
        const int pairs[2][2] = {{fine->from, coarse->from}, {fine->to, coarse->to}};
        for (int side = 0; !status && side < 2; ++side) {
            status = kernel_run(flow->context, flow->reduce, work_of(flow, 1, coarse),
                                ARGUMENTS(arg_buffer(plan_buffer(&flow->plan, pairs[side][0])),
                                          arg_buffer(plan_buffer(&flow->plan, pairs[side][1])),
                                          arg_int4(fine->height, fine->width, coarse->height, coarse->width)),
                                error);
        }
    }
    return status;
}

/* The flow at a level, from what it is there so far. */
static nst_status solve(const struct optical_flow *flow, const struct level *level, cl_mem u, nst_error *error) {
    const struct plan *plan = &flow->plan;
    cl_mem p = plan_buffer(plan, flow->p), linear = plan_buffer(plan, flow->linear);
    size_t pixels = (size_t)level->height * (size_t)level->width;
    const struct kernel_argument height = arg_int(level->height), width = arg_int(level->width);
    nst_status status = buffer_fill_zero(flow->context, p, 4 * pixels * sizeof(float), error);
    for (int i = 0; !status && i < LINEARIZATIONS; ++i) {
        status =
            kernel_run(flow->context, flow->linearize, work_of(flow, 1, level),
                       ARGUMENTS(arg_buffer(plan_buffer(plan, level->from)), arg_buffer(plan_buffer(plan, level->to)),
                                 arg_buffer(u), arg_buffer(linear), height, width),
                       error);
        for (int step = 0; !status && step < STEPS; ++step) {
            status = kernel_run(flow->context, flow->primal, work_of(flow, 1, level),
                                ARGUMENTS(arg_buffer(u), arg_buffer(p), arg_buffer(linear), height, width,
                                          arg_float(lambda * theta), arg_float(theta)),
                                error);
            status = status ? status
                            : kernel_run(flow->context, flow->dual, work_of(flow, 2, level),
                                         ARGUMENTS(arg_buffer(u), arg_buffer(p), height, width, arg_float(tau / theta)),
                                         error);
        }
    }
    return status;
}

/* From the coarsest level to the finest; leaves the flow in flows[*last]. */
static nst_status run(const struct optical_flow *flow, int *last, nst_error *error) {
    const struct level *coarsest = &flow->levels[flow->level_count - 1];
    size_t pixels = (size_t)coarsest->height * (size_t)coarsest->width;
    *last = 0;
    nst_status status = make_pyramids(flow, error);
    status = status ? status
                    : buffer_fill_zero(flow->context, plan_buffer(&flow->plan, flow->flows[0]),
                                       2 * pixels * sizeof(float), error);
    for (int i = flow->level_count - 1; !status && i >= 0; --i) {
        const struct level *level = &flow->levels[i], *before = level + 1;
        cl_mem u = plan_buffer(&flow->plan, flow->flows[*last]);
        if (level != coarsest) {
            cl_mem expanded = plan_buffer(&flow->plan, flow->flows[1 - *last]);
            status = kernel_run(flow->context, flow->expand, work_of(flow, 2, level),
                                ARGUMENTS(arg_buffer(u), arg_buffer(expanded),
                                          arg_int4(before->height, before->width, level->height, level->width)),
                                error);
            *last = 1 - *last;
            u = expanded;
        }
        status = status ? status : solve(flow, level, u, error);
    }
    return status;
}

nst_status nst_flow_estimate(nst_context *context, const nst_picture *from, const nst_picture *to, nst_flow *result,
                             nst_error *error) {
    *result = (nst_flow){0};
    if (from->width != to->width || from->height != to->height) {
        return fail(error, NST_ERROR_ARGUMENT, "a flow leads between pictures of one size, found %d x %d and %d x %d",
                    from->width, from->height, to->width, to->height);
    }
    struct optical_flow flow = {.context = context};
    int last = 0;
    nst_status status = create_kernels(&flow, error);
    status = status ? status : reserve(&flow, from->height, from->width, error);
    status = status ? status : planes_write_luma(context, from, plan_buffer(&flow.plan, flow.levels[0].from), error);
    status = status ? status : planes_write_luma(context, to, plan_buffer(&flow.plan, flow.levels[0].to), error);
    status = status ? status : run(&flow, &last, error);
    status = status ? status
                    : planes_read_flow(context, plan_buffer(&flow.plan, flow.flows[last]), from->width, from->height,
                                       result, error);
    release(&flow);
    return status;
}
