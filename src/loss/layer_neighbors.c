/* layer_neighbors.c: nearest neighbors of one layer by itself, found anew at each evaluation (Kolkin et al. 2022, section 4.4).
 *
 *     loss = weight * mean over positions p of 1 - cos(f(p) - m, t(p) - n)
 *
 * f(p) is the image's vector of features at a pixel of the map, t(p) the style's nearest to it by this very distance, m
 * and n are the means of both; m moves with f. Maps of the styles with more than 64 pixels on a side are strided, from an
 * offset that is chosen at random; those of the image likewise, from 64 or options.image_side on, from another offset at
 * each evaluation.
 */
#include "loss/kinds.h"
#include "loss/neighbor_search.h"
#include "support/error.h"
#include "support/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SIDE = 64, MOST_PARTS = 4 * NST_MAX_STYLES };

struct layer_neighbors {
    struct neighbor_kernels kernels;
};

/* One style picture, all entries of the plan. */
struct style_part {
    int features, squares;
    int positions;
    double share;
};

struct layer_neighbors_run {
    struct neighbor_search search;
    float *means; /* of the styles' features */
    struct style_part parts[MOST_PARTS];
    int part_count;  /* planned */
    int style_count; /* shown so far */
    struct random_generator generator;
    struct sample_grid grid;   /* of the style in hand, then of the last matching */
    struct neighbor_list seen; /* of the style in hand */
    struct image_size map;     /* of the image, */
    float *weights;            /* and how much its pixels count, from malloc; NULL: all alike */
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct layer_neighbors *neighbors = loss->state;
    return neighbor_kernels_create(loss->context, loss->model, &neighbors->kernels, error);
}

static void destroy(struct loss *loss) {
    struct layer_neighbors *neighbors = loss->state;
    neighbor_kernels_release(&neighbors->kernels);
}

/* ---- Grids ------------------------------------------------------------------------------------------------------- */

/* Of maps that have at most so many positions on a side, and twice as many less one. */
static int stride_of(struct image_size map, int most_side) {
    int side = map.height > map.width ? map.height : map.width;
    return side / most_side > 0 ? side / most_side : 1;
}

static int image_side(const struct loss *loss) {
    return loss->options.image_side > 0 ? loss->options.image_side : MOST_SIDE;
}

static int offset_in(struct random_generator *generator, int stride, int side) {
    int most = stride < side ? stride : side;
    int offset = (int)(random_uniform(generator) * most);
    return offset < most ? offset : most - 1;
}

static struct sample_grid random_grid(struct random_generator *generator, struct image_size map, int most_side) {
    int stride = stride_of(map, most_side);
    return (struct sample_grid){
        .rows = sample_line_strided(map.height, stride, offset_in(generator, stride, map.height)),
        .columns = sample_line_strided(map.width, stride, offset_in(generator, stride, map.width))};
}

/* With any offset: the most that maps of up to this size have. */
static int most_positions(const struct loss *loss, struct image_size image, int most_side) {
    struct image_size map = loss_map_size(loss, 0, image);
    int most = 0;
    /* A side that is a little smaller may have a smaller stride. */
    for (int smaller = 0; smaller < 2; ++smaller) {
        int stride = stride_of(map, most_side) - smaller > 0 ? stride_of(map, most_side) - smaller : 1;
        int side = map.height > map.width ? map.height : map.width;
        double shrunk = smaller ? fmin(1, (double)(most_side * (stride + 1) - 1) / side) : 1;
        int rows = ((int)(map.height * shrunk) + stride) / stride,
            columns = ((int)(map.width * shrunk) + stride) / stride;
        most = rows * columns > most ? rows * columns : most;
    }
    return most;
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    const struct layer_neighbors *neighbors = run->loss->state;
    struct layer_neighbors_run *own = run->state;
    nst_context *context = run->loss->context;
    int blocks = sample_blocks(context, loss_channels(run->loss, 0)), stage = run->loss->stages[0];
    int step = model_stage_count(run->loss->model);
    struct neighbor_positions most = {.image = most_positions(run->loss, sizes[0], image_side(run->loss))};
    own->part_count = size_count - 1 < MOST_PARTS ? size_count - 1 : MOST_PARTS;
    for (int i = 0; i < own->part_count; ++i) {
        int positions = most_positions(run->loss, sizes[i + 1], MOST_SIDE);
        most.style = positions > most.style ? positions : most.style;
        own->parts[i].features =
            plan_add_always(plan, sample_stack_bytes(context, blocks, positions), "style %d features %d", i, stage);
        own->parts[i].squares =
            plan_add_always(plan, (uint64_t)positions * sizeof(float), "style %d squares %d", i, stage);
    }
    own->search = (struct neighbor_search){.context = context,
                                           .plan = run->plan,
                                           .kernels = &neighbors->kernels,
                                           .blocks = blocks,
                                           .dimensions = run->loss->options.match_dimensions,
                                           .weighs = run->loss->weighs,
                                           .centers = true};
    neighbor_list_reserve(&own->seen, plan, run->loss, most.style, step);
    neighbor_search_reserve(&own->search, plan, most, step);
    size_t bytes = (size_t)sample_stack_bytes(context, blocks, 1);
    own->means = malloc(bytes);
    return own->means ? NST_OK : fail_memory(error, bytes, "means of style features");
}

static void run_free(struct loss_run *run) {
    struct layer_neighbors_run *own = run->state;
    free(own->means);
    free(own->weights);
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

/* Those of the positions of a grid move to the front. */
static void pick(float *weights, struct image_size map, const struct sample_grid *grid) {
    for (int row = 0; row < grid->rows.count; ++row) {
        for (int column = 0; column < grid->columns.count; ++column) {
            int y = grid->rows.step * row + grid->rows.start, x = grid->columns.step * column + grid->columns.start;
            weights[row * grid->columns.count + column] = weights[y * map.width + x];
        }
    }
}

/* The weights of the positions that the image's grid has. */
static nst_status weigh_grid(struct loss_run *run, nst_error *error) {
    struct layer_neighbors_run *own = run->state;
    size_t bytes = (size_t)own->map.height * (size_t)own->map.width * sizeof(float);
    if (!own->weights) {
        return neighbor_search_weigh(&own->search, NULL, error);
    }
    float *weights = malloc(bytes);
    if (!weights) {
        return fail_memory(error, bytes, "weights of positions");
    }
    memcpy(weights, own->weights, bytes);
    pick(weights, own->map, &own->grid);
    nst_status status = neighbor_search_weigh(&own->search, weights, error);
    free(weights);
    return status;
}

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    struct layer_neighbors_run *own = run->state;
    own->style_count = 0;
    own->generator = random_from_seed(run->loss->options.seed);
    own->map = loss_map_size(run->loss, 0, region->image);
    free(own->weights);
    return region_averages(region, own->map, &own->weights, error);
}

static struct sample_stack part_stack(const struct loss_run *run, const struct style_part *part) {
    const struct layer_neighbors_run *own = run->state;
    return (struct sample_stack){
        .samples = plan_buffer(run->plan, part->features), .blocks = own->search.blocks, .positions = part->positions};
}

/* Lists the positions of the grid at which a style can be seen. */
static nst_status list_part(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                            nst_error *error) {
    struct layer_neighbors_run *own = run->state;
    const struct region region = {.image = at->image, .weights = target->weights};
    struct image_size map = loss_whole(at);
    float *seen;
    nst_status status = region_averages(&region, map, &seen, error);
    if (seen) {
        pick(seen, map, &own->grid);
    }
    status = status ? status : neighbor_list_set(run, &own->seen, seen, sample_grid_positions(&own->grid), error);
    free(seen);
    return status;
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    const struct layer_neighbors *neighbors = run->loss->state;
    struct layer_neighbors_run *own = run->state;
    if (own->style_count == own->part_count) {
        return fail(error, NST_ERROR_ARGUMENT, "more styles are shown than were planned");
    }
    struct style_part *part = &own->parts[own->style_count];
    if (loss_is_first(at)) {
        own->grid = random_grid(&own->generator, loss_whole(at), MOST_SIDE);
        nst_status status = list_part(run, at, target, error);
        if (status) {
            return status;
        }
        part->positions = own->seen.count;
        part->share = target->share;
    }
    own->style_count += loss_is_last(at);
    struct sample_source source = neighbor_source(at, at->map.values, &own->grid, 1);
    source.list = neighbor_list_buffer(&own->seen, run->plan);
    struct sample_stack stack = part_stack(run, part);
    return samples_read(run->loss->context, &neighbors->kernels.samples, &source, &stack, error);
}

/* The mean of all styles, then their squares around it. Waits. */
static nst_status target_end(struct loss_run *run, nst_error *error) {
    const struct layer_neighbors *neighbors = run->loss->state;
    struct layer_neighbors_run *own = run->state;
    nst_context *context = run->loss->context;
    cl_mem mean = plan_buffer(run->plan, own->search.style_mean);
    size_t bytes = (size_t)sample_stack_bytes(context, own->search.blocks, 1), count = bytes / sizeof(float);
    float *one = malloc(bytes);
    nst_status status = one ? NST_OK : fail_memory(error, bytes, "means of style features");
    for (size_t i = 0; i < count; ++i) {
        own->means[i] = 0;
    }
    for (int p = 0; !status && p < own->style_count; ++p) {
        struct sample_stack stack = part_stack(run, &own->parts[p]);
        status = samples_mean(context, &neighbors->kernels.samples, &stack, mean, error);
        status = status ? status : buffer_read(context, mean, 0, one, bytes, error);
        for (size_t i = 0; !status && i < count; ++i) {
            own->means[i] += (float)(own->parts[p].share * one[i]);
        }
    }
    free(one);
    status = status ? status : buffer_write(context, mean, 0, own->means, bytes, error);
    for (int p = 0; !status && p < own->style_count; ++p) {
        struct sample_stack stack = part_stack(run, &own->parts[p]);
        struct sample_squares squares = {.squares = plan_buffer(run->plan, own->parts[p].squares), .mean = mean};
        status = samples_squares(context, &neighbors->kernels.samples, &stack, &squares, error);
    }
    return status;
}

/* ---- Value and gradient ------------------------------------------------------------------------------------------ */

/* Targets for the features in hand. */
static nst_status match(struct loss_run *run, nst_error *error) {
    struct layer_neighbors_run *own = run->state;
    nst_status status = neighbor_search_begin(&own->search, error);
    for (int p = 0; !status && p < own->style_count; ++p) {
        struct neighbor_part part = {.features = plan_buffer(run->plan, own->parts[p].features),
                                     .squares = plan_buffer(run->plan, own->parts[p].squares),
                                     .positions = own->parts[p].positions,
                                     .share = own->parts[p].share * own->style_count,
                                     .centered = true};
        status = neighbor_search_add(&own->search, &part, error);
    }
    return status;
}

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct layer_neighbors *neighbors = run->loss->state;
    struct layer_neighbors_run *own = run->state;
    if (loss_is_first(at)) {
        own->grid = random_grid(&own->generator, loss_whole(at), image_side(run->loss));
        own->search.positions = sample_grid_positions(&own->grid);
        nst_status status = weigh_grid(run, error);
        if (status) {
            return status;
        }
    }
    struct sample_source source = neighbor_source(at, at->map.values, &own->grid, 1);
    struct sample_stack stack = neighbor_search_features(&own->search, 0, own->search.blocks);
    nst_status status = samples_read(run->loss->context, &neighbors->kernels.samples, &source, &stack, error);
    if (status || !loss_is_last(at)) {
        return status;
    }
    status = match(run, error);
    struct cosine_layer layer = neighbor_search_layer(&own->search, 0, own->search.blocks, true);
    struct cosine_sums sums = neighbor_search_sums(&own->search);
    return status ? status : cosine_add(run->loss->context, &neighbors->kernels.cosine, &layer, &sums, true, error);
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    (void)at;
    const struct layer_neighbors_run *own = run->state;
    return neighbor_search_value(&own->search, run, error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct layer_neighbors_run *own = run->state;
    struct cosine_layer layer = neighbor_search_layer(&own->search, 0, own->search.blocks, true);
    struct sample_source source = neighbor_source(at, gradient, &own->grid, 1);
    return neighbor_search_add_gradient(&own->search, &layer, &source, loss_is_first(at), error);
}

static nst_status list_state(struct loss_run *run, struct state *state, nst_error *error) {
    struct layer_neighbors_run *own = run->state;
    return state_value(state, "random numbers", own->generator, error);
}

const struct loss_methods layer_neighbors_loss = {
    .kind = "layer neighbors",
    .pictures = LOSS_STYLE,
    .takes_tiles = true,
    .state_bytes = sizeof(struct layer_neighbors),
    .run_bytes = sizeof(struct layer_neighbors_run),
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
    .reference = layer_neighbors_reference,
    .rarely_used = true,
};
