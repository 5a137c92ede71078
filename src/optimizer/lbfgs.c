/* lbfgs.c: L-BFGS on the device. The history streams by twice a step: once for its inner products with the newest
 * pair and the gradient (the others are known from earlier steps), once for the direction; the recursion itself runs
 * on the host, on inner products in double (lbfgs_direction.c). */
#include "optimizer/lbfgs_metric.h"
#include "optimizer/optimizer_internal.h"

#include "support/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS_PER_PAGE = 8 }; /* vectors of pairs in one buffer: no buffer need hold the whole history */

/* What does not change. */
struct lbfgs_kernels {
    cl_kernel norms, pair, products, combine, move;
    struct lbfgs_metric metric; /* history, products and factors are in its variables, image and gradients are not */
};

/* What a run owns. */
struct lbfgs {
    int slots;  /* one more than the history is long: the newest pair may prove useless */
    int *order; /* used slots, from the oldest pair to the newest */
    int order_count;
    double *products; /* [2 slots + 1][2 slots + 1], see lbfgs_direction */
    double *factors;  /* [2 slots + 1] */
    float *numbers;   /* partial sums read back, or factors to write */
    double last_step; /* along the direction that the buffer still holds */

    int page_count;
    int *pages;                                   /* plan entries */
    int last_gradient, direction, factors_buffer; /* plan entries */
};

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static nst_status lbfgs_create(struct optimizer *optimizer, nst_error *error) {
    struct lbfgs_kernels *own = optimizer->state;
    const struct kernel_row kernels[] = {
        {"lbfgs_norms", &own->norms},     {"lbfgs_pair", &own->pair}, {"lbfgs_products", &own->products},
        {"lbfgs_combine", &own->combine}, {"lbfgs_move", &own->move},
    };
    nst_status status = lbfgs_metric_create(optimizer->context, optimizer->settings.correlation, &own->metric, error);
    return status
               ? status
               : kernels_create(optimizer->context, "lbfgs.cl", "", kernels, sizeof kernels / sizeof *kernels, error);
}

static void lbfgs_destroy(struct optimizer *optimizer) {
    struct lbfgs_kernels *kernels = optimizer->state;
    kernel_release(&kernels->norms);
    kernel_release(&kernels->pair);
    kernel_release(&kernels->products);
    kernel_release(&kernels->combine);
    kernel_release(&kernels->move);
    lbfgs_metric_release(&kernels->metric);
}

static int pairs_in_page(const struct lbfgs *lbfgs, int page) {
    int rest = lbfgs->slots - page * PAIRS_PER_PAGE;
    return rest < PAIRS_PER_PAGE ? rest : PAIRS_PER_PAGE;
}

static nst_status lbfgs_reserve(struct optimizer_run *run, struct plan *plan, uint64_t vector_bytes, nst_error *error) {
    struct lbfgs *lbfgs = run->state;
    nst_context *context = run->optimizer->context;
    int slots = lbfgs->slots = run->optimizer->settings.history + 1;
    size_t size = 2 * (size_t)slots + 1;
    lbfgs->page_count = (slots + PAIRS_PER_PAGE - 1) / PAIRS_PER_PAGE;
    lbfgs->order = calloc((size_t)slots, sizeof *lbfgs->order);
    lbfgs->products = calloc(size * size, sizeof *lbfgs->products);
    lbfgs->factors = calloc(size, sizeof *lbfgs->factors);
    lbfgs->numbers = calloc(3 * size, reduction_bytes(context, 1));
    lbfgs->pages = calloc((size_t)lbfgs->page_count, sizeof *lbfgs->pages);
    if (!lbfgs->order || !lbfgs->products || !lbfgs->factors || !lbfgs->numbers || !lbfgs->pages) {
        return fail_memory(error, size * size * sizeof *lbfgs->products, "the inner products of L-BFGS");
    }
    for (int page = 0; page < lbfgs->page_count; ++page) {
        int pairs = pairs_in_page(lbfgs, page);
        lbfgs->pages[page] = plan_add_always(plan, 2 * (uint64_t)pairs * vector_bytes, "L-BFGS pairs %d to %d",
                                             page * PAIRS_PER_PAGE, page * PAIRS_PER_PAGE + pairs - 1);
    }
    lbfgs->last_gradient = plan_add_always(plan, vector_bytes, "L-BFGS last gradient");
    lbfgs->direction = plan_add_always(plan, vector_bytes, "L-BFGS direction");
    lbfgs->factors_buffer = plan_add_always(plan, 2 * (uint64_t)lbfgs->slots * sizeof(float), "L-BFGS factors");
    run->partials = plan_add_always(plan, reduction_bytes(context, 6 * lbfgs->slots + 2), "L-BFGS sums");
    return NST_OK;
}

static void lbfgs_run_free(struct optimizer_run *run) {
    struct lbfgs *lbfgs = run->state;
    free(lbfgs->order);
    free(lbfgs->products);
    free(lbfgs->factors);
    free(lbfgs->numbers);
    free(lbfgs->pages);
}

static nst_status forget(struct optimizer_run *run, nst_error *error) {
    (void)error;
    struct lbfgs *lbfgs = run->state;
    lbfgs->order_count = 0;
    run->has_last = false;
    return NST_OK;
}

/* ---- One step ---------------------------------------------------------------------------------------------------- */

static bool slot_in_use(const struct lbfgs *lbfgs, int slot) {
    for (int k = 0; k < lbfgs->order_count; ++k) {
        if (lbfgs->order[k] == slot) {
            return true;
        }
    }
    return false;
}

/* The first slot that holds no pair of the history; there always is one. */
static int free_slot(const struct lbfgs *lbfgs) {
    int slot = 0;
    while (slot_in_use(lbfgs, slot)) {
        ++slot;
    }
    return slot;
}

/* One more than the highest slot in use. */
static int used_slots(const struct lbfgs *lbfgs) {
    int used = 0;
    for (int k = 0; k < lbfgs->order_count; ++k) {
        used = lbfgs->order[k] >= used ? lbfgs->order[k] + 1 : used;
    }
    return used;
}

struct gradient_norms {
    double absolute, squares;
};

static nst_status measure_gradient(struct optimizer_run *run, cl_mem vector, cl_mem gradient, bool bounded,
                                   struct gradient_norms *norms, nst_error *error) {
    const struct lbfgs_kernels *kernels = run->optimizer->state;
    const struct optimizer_settings *s = &run->optimizer->settings;
    cl_mem partials = optimizer_buffer(run, run->partials);
    nst_status status = kernel_run(run->optimizer->context, kernels->norms, reduction_work(run->optimizer->context),
                                   ARGUMENTS(arg_buffer(vector), arg_buffer(gradient), arg_int(optimizer_vectors(run)),
                                             arg_int(bounded), arg_float((float)s->low), arg_float((float)s->high),
                                             arg_buffer(partials)),
                                   error);
    double sums[2] = {0, 0};
    status = status ? status : reduction_read_two(run->optimizer->context, partials, sums, error);
    *norms = (struct gradient_norms){.absolute = sums[0], .squares = sums[1]};
    return status;
}

static nst_status make_pair(struct optimizer_run *run, cl_mem vector, cl_mem gradient, int slot, nst_error *error) {
    const struct lbfgs_kernels *kernels = run->optimizer->state;
    struct lbfgs *lbfgs = run->state;
    const struct optimizer_settings *s = &run->optimizer->settings;
    return kernel_run(run->optimizer->context, kernels->pair, reduction_work(run->optimizer->context),
                      ARGUMENTS(arg_buffer(vector), arg_buffer(gradient),
                                arg_buffer(optimizer_buffer(run, run->last_vector)),
                                arg_buffer(optimizer_buffer(run, lbfgs->last_gradient)),
                                arg_buffer(optimizer_buffer(run, lbfgs->direction)), arg_float((float)lbfgs->last_step),
                                arg_buffer(optimizer_buffer(run, lbfgs->pages[slot / PAIRS_PER_PAGE])),
                                arg_int(slot % PAIRS_PER_PAGE), arg_int(run->has_last), arg_int(optimizer_vectors(run)),
                                arg_int(s->bounded), arg_float((float)s->low), arg_float((float)s->high)),
                      error);
}

/* Takes the new pair and the projected gradient to the variables of the metric. */
static nst_status enter_metric(struct optimizer_run *run, cl_mem vector, cl_mem gradient, int slot,
                               struct gradient_norms *norms, nst_error *error) {
    const struct lbfgs_kernels *kernels = run->optimizer->state;
    struct lbfgs *lbfgs = run->state;
    cl_mem page = optimizer_buffer(run, lbfgs->pages[slot / PAIRS_PER_PAGE]);
    int s = 2 * (slot % PAIRS_PER_PAGE), y = s + 1;
    nst_status status = NST_OK;
    if (run->has_last) {
        status = lbfgs_metric_apply(&kernels->metric, METRIC_INVERSE, page, s, run->shape, error);
        if (!status) {
            status = lbfgs_metric_apply(&kernels->metric, METRIC_TRANSPOSE, page, y, run->shape, error);
        }
    }
    if (!status) {
        status = lbfgs_metric_apply(&kernels->metric, METRIC_TRANSPOSE, gradient, 0, run->shape, error);
    }
    return status ? status : measure_gradient(run, vector, gradient, false, norms, error);
}

/* Fills in the products of all vectors in use with the pair in `newest` and with the gradient. */
static nst_status update_products(struct optimizer_run *run, cl_mem gradient, int newest, nst_error *error) {
    const struct lbfgs_kernels *kernels = run->optimizer->state;
    struct lbfgs *lbfgs = run->state;
    nst_context *context = run->optimizer->context;
    int used = used_slots(lbfgs), count = optimizer_vectors(run);
    used = used > newest ? used : newest + 1;
    cl_mem partials = optimizer_buffer(run, run->partials);
    nst_status status = NST_OK;
    for (int first = 0; !status && first < used; first += PAIRS_PER_PAGE) {
        int pairs = used - first < PAIRS_PER_PAGE ? used - first : PAIRS_PER_PAGE;
        status = kernel_run(
            context, kernels->products, reduction_work(context),
            ARGUMENTS(arg_buffer(optimizer_buffer(run, lbfgs->pages[first / PAIRS_PER_PAGE])), arg_int(pairs),
                      arg_int(2 * first), arg_buffer(optimizer_buffer(run, lbfgs->pages[newest / PAIRS_PER_PAGE])),
                      arg_int(newest % PAIRS_PER_PAGE), arg_buffer(gradient), arg_int(count), arg_buffer(partials)),
            error);
    }
    if (!status) {
        status = buffer_read(context, partials, 0, lbfgs->numbers, reduction_bytes(context, 6 * used), error);
    }
    int size = 2 * lbfgs->slots + 1, partial_count = reduction_partials(context);
    int columns[3] = {2 * newest, 2 * newest + 1, 2 * lbfgs->slots};
    for (int v = 0; !status && v < 2 * used; ++v) {
        for (int k = 0; k < 3; ++k) {
            double product = reduction_sum(lbfgs->numbers + (size_t)(3 * v + k) * (size_t)partial_count, partial_count);
            lbfgs->products[(size_t)v * (size_t)size + (size_t)columns[k]] = product;
            lbfgs->products[(size_t)columns[k] * (size_t)size + (size_t)v] = product;
        }
    }
    return status;
}

/* Takes the newest pair into the history, unless its curvature is not positive. */
static void accept_pair(struct lbfgs *lbfgs, int slot) {
    int size = 2 * lbfgs->slots + 1;
    double curvature = lbfgs->products[(size_t)(2 * slot) * (size_t)size + (size_t)(2 * slot + 1)];
    if (!(curvature > 1e-10)) { /* PyTorch's bound */
        return;
    }
    if (lbfgs->order_count == lbfgs->slots - 1) {
        memmove(lbfgs->order, lbfgs->order + 1, (size_t)(lbfgs->order_count - 1) * sizeof *lbfgs->order);
        lbfgs->order_count--;
    }
    lbfgs->order[lbfgs->order_count++] = slot;
}

/* A larger one than usual only trusts the gradient in what the history does not know, so it must grow with the history.
 */
static double first_matrix(const struct optimizer_run *run) {
    const struct lbfgs *lbfgs = run->state;
    double largest = run->optimizer->settings.first_matrix, earned = lbfgs->order_count / 4.0;
    return largest > 1 && earned < largest ? earned : largest;
}

/* The direction, and its inner products with itself and with the gradient. */
static void find_direction(const struct optimizer_run *run, double *squares, double *slope) {
    const struct lbfgs *lbfgs = run->state;
    int size = 2 * lbfgs->slots + 1;
    lbfgs_direction(lbfgs->products, lbfgs->slots, lbfgs->order, lbfgs->order_count, first_matrix(run), lbfgs->factors);
    *squares = *slope = 0;
    for (int i = 0; i < size; ++i) {
        if (lbfgs->factors[i] == 0) {
            continue;
        }
        for (int j = 0; j < size; ++j) {
            if (lbfgs->factors[j] != 0) { /* products of unused slots may hold anything */
                *squares +=
                    lbfgs->factors[i] * lbfgs->factors[j] * lbfgs->products[(size_t)i * (size_t)size + (size_t)j];
            }
        }
        *slope += lbfgs->factors[i] * lbfgs->products[(size_t)i * (size_t)size + (size_t)(size - 1)];
    }
}

/* How far along the direction: without pairs there is no curvature to go by. As PyTorch does it, only the first step is
 * shortened then, and where it gives no pair the next is the whole gradient: the first may be too short to measure. */
static double step_length(const struct optimizer_run *run, const struct gradient_norms *norms, double squares,
                          bool is_first) {
    const struct lbfgs *lbfgs = run->state;
    const struct optimizer_settings *s = &run->optimizer->settings;
    double elements = (double)run->elements, rms = sqrt(squares / elements);
    double step = run->rate * s->learning_rate;
    if (s->first_step_rms > 0 && lbfgs->order_count == 0) {
        step *= s->first_step_rms / (rms > 0 ? rms : 1);
    } else if (is_first) {
        step *= norms->absolute > 1 ? 1 / norms->absolute : 1;
    }
    step *= run->shortening;
    if (s->largest_step_rms > 0 && step * rms > s->largest_step_rms) {
        step = s->largest_step_rms / rms;
    }
    return step;
}

static nst_status move(struct optimizer_run *run, cl_mem vector, cl_mem gradient, double step, nst_error *error) {
    const struct lbfgs_kernels *kernels = run->optimizer->state;
    struct lbfgs *lbfgs = run->state;
    nst_context *context = run->optimizer->context;
    const struct optimizer_settings *s = &run->optimizer->settings;
    int count = optimizer_vectors(run), used = used_slots(lbfgs);
    cl_mem factors = optimizer_buffer(run, lbfgs->factors_buffer), direction = optimizer_buffer(run, lbfgs->direction);
    for (int i = 0; i < 2 * lbfgs->slots; ++i) {
        lbfgs->numbers[i] = (float)lbfgs->factors[i];
    }
    nst_status status =
        buffer_write(context, factors, 0, lbfgs->numbers, 2 * (size_t)lbfgs->slots * sizeof(float), error);
    for (int first = 0; !status && (first == 0 || first < used); first += PAIRS_PER_PAGE) {
        int rest = used - first, pairs = rest < 0 ? 0 : rest < PAIRS_PER_PAGE ? rest : PAIRS_PER_PAGE;
        status = kernel_run(context, kernels->combine, reduction_work(context),
                            ARGUMENTS(arg_buffer(optimizer_buffer(run, lbfgs->pages[first / PAIRS_PER_PAGE])),
                                      arg_int(pairs), arg_buffer(factors), arg_int(2 * first), arg_buffer(gradient),
                                      arg_float((float)lbfgs->factors[2 * lbfgs->slots]), arg_int(first == 0),
                                      arg_buffer(direction), arg_int(count)),
                            error);
    }
    if (!status) {
        status = lbfgs_metric_apply(&kernels->metric, METRIC_FORWARD, direction, 0, run->shape, error);
    }
    if (status) {
        return status;
    }
    return kernel_run(context, kernels->move, reduction_work(context),
                      ARGUMENTS(arg_buffer(vector), arg_buffer(direction),
                                arg_buffer(optimizer_buffer(run, lbfgs->last_gradient)), arg_float((float)step),
                                arg_int(count), arg_int(s->bounded), arg_float((float)s->low),
                                arg_float((float)s->high)),
                      error);
}

static nst_status lbfgs_step(struct optimizer_run *run, struct vector on_vector, struct vector on_gradient,
                             bool *finite, nst_error *error) {
    cl_mem vector = on_vector.buffer, gradient = on_gradient.buffer;
    const struct lbfgs_kernels *kernels = run->optimizer->state;
    struct lbfgs *lbfgs = run->state;
    int slot = free_slot(lbfgs), size = 2 * lbfgs->slots + 1;
    bool is_first = !run->has_last;
    struct gradient_norms norms = {0};
    nst_status status = measure_gradient(run, vector, gradient, run->optimizer->settings.bounded, &norms, error);
    *finite = isfinite(norms.squares) && isfinite(norms.absolute);
    if (status || !*finite) {
        return status;
    }
    if (run->has_last && run->shortening < 1) { /* the last step turned out well */
        run->shortening *= 2;
    }
    status = make_pair(run, vector, gradient, slot, error);
    if (!status && kernels->metric.correlation > 0) {
        status = enter_metric(run, vector, gradient, slot, &norms, error);
    }
    if (!status && run->has_last) {
        status = update_products(run, gradient, slot, error);
        if (!status) {
            accept_pair(lbfgs, slot);
        }
    }
    if (status) {
        return status;
    }
    run->has_last = true;
    lbfgs->products[(size_t)size * (size_t)size - 1] = norms.squares;
    double squares, slope;
    find_direction(run, &squares, &slope);
    if (!(slope < 0) || !isfinite(squares)) { /* rounding has spoilt the history: begin it anew */
        lbfgs->order_count = 0;
        is_first = true;
        find_direction(run, &squares, &slope);
    }
    lbfgs->last_step = step_length(run, &norms, squares, is_first);
    return move(run, vector, gradient, lbfgs->last_step, error);
}

/* The pairs, as far as slots are in use: none of them is read beyond. */
static nst_status list_pairs(struct optimizer_run *run, struct state *state, nst_error *error) {
    struct lbfgs *lbfgs = run->state;
    int used = used_slots(lbfgs);
    nst_status status = NST_OK;
    for (int first = 0; !status && first < used; first += PAIRS_PER_PAGE) {
        int pairs = used - first < PAIRS_PER_PAGE ? used - first : PAIRS_PER_PAGE;
        status = state_buffer(state, "L-BFGS pairs", optimizer_buffer(run, lbfgs->pages[first / PAIRS_PER_PAGE]),
                              2 * (size_t)pairs * run->elements * sizeof(float), error);
    }
    return status;
}

static nst_status lbfgs_list_state(struct optimizer_run *run, struct state *state, nst_error *error) {
    struct lbfgs *lbfgs = run->state;
    size_t size = 2 * (size_t)lbfgs->slots + 1, bytes = run->elements * sizeof(float);
    nst_status status = state_value(state, "number of pairs", lbfgs->order_count, error);
    status =
        status ? status
               : state_bytes(state, "order of pairs", lbfgs->order, (size_t)lbfgs->slots * sizeof *lbfgs->order, error);
    status =
        status ? status
               : state_bytes(state, "products of pairs", lbfgs->products, size * size * sizeof *lbfgs->products, error);
    for (int k = 0; !status && k < lbfgs->order_count; ++k) {
        if (lbfgs->order_count >= lbfgs->slots || lbfgs->order[k] < 0 || lbfgs->order[k] >= lbfgs->slots) {
            status = fail(error, NST_ERROR_FORMAT, "the state of L-BFGS has a pair where there is no room for one");
        }
    }
    status = status ? status : list_pairs(run, state, error);
    if (status || !run->has_last) {
        return status;
    }
    status = state_value(state, "last step", lbfgs->last_step, error);
    status = status ? status
                    : state_buffer(state, "last gradient", optimizer_buffer(run, lbfgs->last_gradient), bytes, error);
    return status ? status : state_buffer(state, "direction", optimizer_buffer(run, lbfgs->direction), bytes, error);
}

const struct optimizer_method lbfgs_method = {
    .state_bytes = sizeof(struct lbfgs_kernels),
    .run_bytes = sizeof(struct lbfgs),
    .create = lbfgs_create,
    .destroy = lbfgs_destroy,
    .reserve = lbfgs_reserve,
    .run_free = lbfgs_run_free,
    .begin = forget,
    .step = lbfgs_step,
    .retreat = forget,
    .list_state = lbfgs_list_state,
};
