/* neighbors.c: nearest neighbors over a stack of layers (Kolkin et al. 2022, section 4.1).
 *
 *     loss = weight * mean over positions p of 1 - cos(f(p), t(p))
 *
 * f(p) are the features of all layers at a position, each map read at a quarter of the image's sides (bilinear, corners
 * aligned) and scaled so that its mean squared length over the styles is 1. t(p) is the style's vector whose cosine
 * distance from the content's at that position is the least, both sets centered on their means; it stays the same
 * until there is another content.
 */
#include "loss/kinds.h"
#include "loss/neighbor_search.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

struct neighbors {
    struct neighbor_kernels kernels;
    int blocks, first_block[LOSS_MOST_SITES]; /* in the stack; of each layer */
};

struct neighbors_run {
    struct neighbor_search search;
    int part, part_squares, part_lengths; /* plan entries: features of the style picture in hand */
    float *means;                         /* of the styles' features, of the whole stack */
    double squares[LOSS_MOST_SITES];      /* mean squared lengths of them */
    double scale[LOSS_MOST_SITES];
    int part_count;            /* style pictures surveyed */
    struct neighbor_list seen; /* of the style picture in hand */
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct neighbors *neighbors = loss->state;
    for (int site = 0; site < loss->site_count; ++site) {
        neighbors->first_block[site] = neighbors->blocks;
        neighbors->blocks += sample_blocks(loss->context, loss_channels(loss, site));
    }
    return neighbor_kernels_create(loss->context, loss->model, &neighbors->kernels, error);
}

static void destroy(struct loss *loss) {
    struct neighbors *neighbors = loss->state;
    neighbor_kernels_release(&neighbors->kernels);
}

/* ---- Grids ------------------------------------------------------------------------------------------------------- */

static int quarter(int side) {
    return side / 4 > 0 ? side / 4 : 1;
}

static struct image_size grid_of(struct image_size image) {
    return (struct image_size){quarter(image.height), quarter(image.width)};
}

static int positions_of(struct image_size image) {
    return quarter(image.height) * quarter(image.width);
}

static struct sample_source source_of(const struct loss_map *at, cl_mem map, double scale) {
    struct image_size whole = loss_whole(at);
    struct sample_grid grid = {.rows = sample_line_aligned(whole.height, quarter(at->image.height)),
                               .columns = sample_line_aligned(whole.width, quarter(at->image.width))};
    return neighbor_source(at, map, &grid, scale);
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    const struct neighbors *neighbors = run->loss->state;
    struct neighbors_run *own = run->state;
    nst_context *context = run->loss->context;
    struct neighbor_positions most = {.image = positions_of(sizes[0])};
    for (int i = 0; i < size_count; ++i) {
        most.style = positions_of(sizes[i]) > most.style ? positions_of(sizes[i]) : most.style;
    }
    int step = model_stage_count(run->loss->model); /* after the last forward step */
    own->search = (struct neighbor_search){.context = context,
                                           .plan = run->plan,
                                           .kernels = &neighbors->kernels,
                                           .blocks = neighbors->blocks,
                                           .dimensions = run->loss->options.match_dimensions,
                                           .weighs = run->loss->weighs};
    neighbor_search_reserve(&own->search, plan, most, step);
    uint64_t each = (uint64_t)most.style * sizeof(float);
    own->part = plan_add(plan, sample_stack_bytes(context, neighbors->blocks, most.style), loss_first(run, step),
                         loss_last(run, step), "style features");
    neighbor_list_reserve(&own->seen, plan, run->loss, most.style, step);
    own->part_squares = plan_add(plan, each, step, step, "squares of style features");
    own->part_lengths = plan_add(plan, each, step, step, "lengths of style features");
    size_t bytes = (size_t)sample_stack_bytes(context, neighbors->blocks, 1);
    own->means = malloc(bytes);
    return own->means ? NST_OK : fail_memory(error, bytes, "means of style features");
}

static void run_free(struct loss_run *run) {
    struct neighbors_run *own = run->state;
    free(own->means);
}

static int blocks_at(const struct loss *loss, int site) {
    return sample_blocks(loss->context, loss_channels(loss, site));
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    const struct neighbors *neighbors = run->loss->state;
    struct neighbors_run *own = run->state;
    own->part_count = 0;
    for (int site = 0; site < run->loss->site_count; ++site) {
        own->squares[site] = 0;
    }
    for (int i = 0; i < neighbors->blocks * run->loss->context->channel_block; ++i) {
        own->means[i] = 0;
    }
    float *weights;
    nst_status status = region_averages(region, grid_of(region->image), &weights, error);
    own->search.positions = positions_of(region->image);
    status = status ? status : neighbor_search_weigh(&own->search, weights, error);
    free(weights);
    return status;
}

/* Lists the positions of a style picture that can be seen. */
static nst_status list_part(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                            nst_error *error) {
    struct neighbors_run *own = run->state;
    const struct region region = {.image = at->image, .weights = target->weights};
    float *seen;
    nst_status status = region_averages(&region, grid_of(region.image), &seen, error);
    status = status ? status : neighbor_list_set(run, &own->seen, seen, positions_of(at->image), error);
    free(seen);
    return status;
}

/* Features of one layer of a style picture into the part. */
static nst_status read_part(struct loss_run *run, const struct loss_map *at, double scale, struct sample_stack *stack,
                            nst_error *error) {
    const struct neighbors *neighbors = run->loss->state;
    const struct neighbors_run *own = run->state;
    struct sample_source source = source_of(at, at->map.values, scale);
    source.list = neighbor_list_buffer(&own->seen, run->plan);
    *stack = (struct sample_stack){.samples = plan_buffer(run->plan, own->part),
                                   .first_block = neighbors->first_block[at->site],
                                   .blocks = blocks_at(run->loss, at->site),
                                   .positions = own->seen.count};
    return samples_read(run->loss->context, &neighbors->kernels.samples, &source, stack, error);
}

/* Adds up the means of a layer's features, and of their squared lengths, over the style pictures. Waits. */
static nst_status survey(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                         nst_error *error) {
    const struct neighbors *neighbors = run->loss->state;
    struct neighbors_run *own = run->state;
    nst_context *context = run->loss->context;
    struct sample_stack stack;
    nst_status status = read_part(run, at, 1, &stack, error);
    if (status || !loss_is_last(at)) {
        return status;
    }
    cl_mem mean = plan_buffer(run->plan, own->search.style_mean);
    struct sample_squares lengths = {.squares = plan_buffer(run->plan, own->part_lengths)};
    size_t first = (size_t)(stack.first_block * context->channel_block);
    size_t channels = (size_t)(stack.blocks * context->channel_block), positions = (size_t)stack.positions;
    float *numbers = malloc((channels + positions) * sizeof *numbers);
    status = numbers ? NST_OK : fail_memory(error, (channels + positions) * sizeof *numbers, "a survey of styles");
    status = status ? status : samples_mean(context, &neighbors->kernels.samples, &stack, mean, error);
    status = status ? status : samples_squares(context, &neighbors->kernels.samples, &stack, &lengths, error);
    status = status ? status
                    : buffer_read(context, mean, first * sizeof *numbers, numbers, channels * sizeof *numbers, error);
    status = status ? status
                    : buffer_read(context, lengths.squares, 0, numbers + channels, positions * sizeof *numbers, error);
    for (size_t i = 0; !status && i < channels; ++i) {
        own->means[first + i] += (float)(target->share * numbers[i]);
    }
    for (size_t i = 0; !status && i < positions; ++i) {
        own->squares[at->site] += target->share * numbers[channels + i] / (double)positions;
    }
    free(numbers);
    own->part_count += at->site == 0;
    return status;
}

/* The survey is over: the scale of each layer, and the mean of what is scaled so, for the device. */
static nst_status end_survey(struct loss_run *run, nst_error *error) {
    const struct neighbors *neighbors = run->loss->state;
    struct neighbors_run *own = run->state;
    nst_context *context = run->loss->context;
    for (int site = 0; site < run->loss->site_count; ++site) {
        own->scale[site] = own->squares[site] > 0 ? 1 / sqrt(own->squares[site]) : 0;
        int first = neighbors->first_block[site] * context->channel_block;
        for (int i = 0; i < blocks_at(run->loss, site) * context->channel_block; ++i) {
            own->means[first + i] *= (float)own->scale[site];
        }
    }
    return buffer_write(context, plan_buffer(run->plan, own->search.style_mean), 0, own->means,
                        (size_t)sample_stack_bytes(context, neighbors->blocks, 1), error);
}

/* Reads one layer of the image or the content into the features. */
static nst_status read_features(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct neighbors *neighbors = run->loss->state;
    struct neighbors_run *own = run->state;
    struct sample_source source = source_of(at, at->map.values, own->scale[at->site]);
    own->search.positions = positions_of(at->image);
    struct sample_stack stack =
        neighbor_search_features(&own->search, neighbors->first_block[at->site], blocks_at(run->loss, at->site));
    return samples_read(run->loss->context, &neighbors->kernels.samples, &source, &stack, error);
}

/* All tiles and layers were there. */
static bool is_complete(const struct loss_run *run, const struct loss_map *at) {
    return loss_is_last(at) && at->site == run->loss->site_count - 1;
}

static nst_status add_content(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    struct neighbors_run *own = run->state;
    nst_status status = at->site == 0 && loss_is_first(at) ? end_survey(run, error) : NST_OK;
    status = status ? status : read_features(run, at, error);
    return status || !is_complete(run, at) ? status : neighbor_search_begin(&own->search, error);
}

static nst_status add_style(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                            nst_error *error) {
    const struct neighbors *neighbors = run->loss->state;
    struct neighbors_run *own = run->state;
    nst_context *context = run->loss->context;
    struct sample_stack stack;
    nst_status status = read_part(run, at, own->scale[at->site], &stack, error);
    if (status || !is_complete(run, at)) {
        return status;
    }
    struct neighbor_part part = {.features = stack.samples,
                                 .squares = plan_buffer(run->plan, own->part_squares),
                                 .lengths = plan_buffer(run->plan, own->part_lengths),
                                 .positions = stack.positions,
                                 .share = target->share * own->part_count};
    struct sample_squares centered = {.squares = part.squares, .mean = plan_buffer(run->plan, own->search.style_mean)};
    struct sample_squares lengths = {.squares = part.lengths};
    stack.first_block = 0;
    stack.blocks = neighbors->blocks;
    status = samples_squares(context, &neighbors->kernels.samples, &stack, &centered, error);
    status = status ? status : samples_squares(context, &neighbors->kernels.samples, &stack, &lengths, error);
    return status ? status : neighbor_search_add(&own->search, &part, error);
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    if (at->site == 0 && target->picture != LOSS_CONTENT) {
        nst_status status = list_part(run, at, target, error);
        if (status) {
            return status;
        }
    }
    return target->picture == LOSS_SURVEY    ? survey(run, at, target, error)
           : target->picture == LOSS_CONTENT ? add_content(run, at, error)
                                             : add_style(run, at, target, error);
}

/* ---- Value and gradient ------------------------------------------------------------------------------------------ */

static struct cosine_layer layer_at(const struct loss_run *run, int site) {
    const struct neighbors *neighbors = run->loss->state;
    const struct neighbors_run *own = run->state;
    return neighbor_search_layer(&own->search, neighbors->first_block[site], blocks_at(run->loss, site), false);
}

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct neighbors *neighbors = run->loss->state;
    const struct neighbors_run *own = run->state;
    nst_status status = read_features(run, at, error);
    struct cosine_layer layer = layer_at(run, at->site);
    struct cosine_sums sums = neighbor_search_sums(&own->search);
    return status || !loss_is_last(at)
               ? status
               : cosine_add(run->loss->context, &neighbors->kernels.cosine, &layer, &sums, at->site == 0, error);
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    (void)at;
    const struct neighbors_run *own = run->state;
    return neighbor_search_value(&own->search, run, error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct neighbors_run *own = run->state;
    struct cosine_layer layer = layer_at(run, at->site);
    struct sample_source source = source_of(at, gradient, own->scale[at->site]);
    return neighbor_search_add_gradient(&own->search, &layer, &source, loss_is_first(at), error);
}

const struct loss_methods neighbors_loss = {
    .kind = "neighbors",
    .pictures = LOSS_CONTENT | LOSS_STYLE | LOSS_SURVEY,
    .takes_tiles = true,
    .state_bytes = sizeof(struct neighbors),
    .run_bytes = sizeof(struct neighbors_run),
    .create = create,
    .destroy = destroy,
    .reserve = reserve,
    .run_free = run_free,
    .target_begin = target_begin,
    .target_add = target_add,
    .gather = gather,
    .value = value,
    .add_gradient = add_gradient,
    .reference = neighbors_reference,
    .rarely_used = true,
};
