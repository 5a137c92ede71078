/* neighbor_search.c: features, targets and their cosine distance; see neighbor_search.h. */
#include "loss/neighbor_search.h"

#include "support/error.h"

#include <math.h>
#include <stdlib.h>

nst_status neighbor_kernels_create(nst_context *context, const struct model *model, struct neighbor_kernels *kernels,
                                   nst_error *error) {
    nst_status status = samples_create(context, model_has_half_maps(model), &kernels->samples, error);
    status = status ? status : cosine_create(context, &kernels->cosine, error);
    status = status ? status : subspace_create(context, &kernels->subspace, error);
    status = status ? status : matching_create(context, &kernels->matching, error);
    return status ? status : region_kernel_create(context, false, "region_mean", &kernels->weighted_mean, error);
}

void neighbor_kernels_release(struct neighbor_kernels *kernels) {
    samples_release(&kernels->samples);
    cosine_release(&kernels->cosine);
    matching_release(&kernels->matching);
    kernel_release(&kernels->weighted_mean);
    subspace_release(&kernels->subspace);
}

/* Finding the subspace, and going there, costs some products of all dimensions; and it needs more vectors than it has
 * dimensions to be worth its name. */
static bool is_worth_projecting(const struct neighbor_search *search, struct neighbor_positions most) {
    int channels = search->blocks * search->context->channel_block;
    return search->dimensions > 0 && channels >= 2 * search->dimensions && most.image >= 4 * search->dimensions;
}

static void reserve_subspace(struct neighbor_search *search, struct plan *plan, struct neighbor_positions most,
                             int step) {
    nst_context *context = search->context;
    int blocks = search->dimensions / context->channel_block;
    uint64_t basis_bytes = subspace_basis_bytes(context, search->blocks, search->dimensions);
    uint64_t mean_bytes = sample_stack_bytes(context, blocks, 1);
    search->basis = plan_add_always(plan, basis_bytes, "basis of matching");
    search->sketch = plan_add(plan, basis_bytes, step, step, "sketch of features");
    search->projected_image =
        plan_add_always(plan, sample_stack_bytes(context, blocks, most.image), "projected features");
    search->projected_style =
        plan_add(plan, sample_stack_bytes(context, blocks, most.style), step, step, "projected style features");
    search->projected_image_mean = plan_add_always(plan, mean_bytes, "projected mean of features");
    search->projected_style_mean = plan_add_always(plan, mean_bytes, "projected mean of style features");
}

struct sample_source neighbor_source(const struct loss_map *at, cl_mem map, const struct sample_grid *grid,
                                     double scale) {
    const struct loss_tile *tile = at->tile;
    struct sample_source source = {.map = map,
                                   .mask = at->map.mask,
                                   .height = at->map.height,
                                   .width = at->map.width,
                                   .grid = *grid,
                                   .scale = scale,
                                   .in_tiles = tile != NULL};
    if (tile) {
        source.tile = (struct sample_tile){tile->core, tile->y, tile->x, tile->whole, tile->is_first};
    }
    return source;
}

void neighbor_search_reserve(struct neighbor_search *search, struct plan *plan, struct neighbor_positions most,
                             int step) {
    nst_context *context = search->context;
    uint64_t stack_bytes = sample_stack_bytes(context, search->blocks, most.image);
    uint64_t mean_bytes = sample_stack_bytes(context, search->blocks, 1), each = (uint64_t)most.image * sizeof(float);
    search->dimensions = is_worth_projecting(search, most) ? search->dimensions : 0;
    int matched_blocks = search->dimensions > 0 ? search->dimensions / context->channel_block : search->blocks;
    struct matching_bytes scratch = matching_scratch_bytes(context, matched_blocks, most.image, most.style);
    region_weights_reserve(&search->weights, plan, search->weighs ? most.image : 0, PLAN_ALWAYS_FIRST, PLAN_ALWAYS_LAST,
                           "weights of positions");
    search->features = plan_add_always(plan, stack_bytes, "features to match");
    search->targets = plan_add_always(plan, stack_bytes, "nearest neighbors");
    search->image_mean = plan_add_always(plan, mean_bytes, "mean of features to match");
    search->slope_mean = search->centers ? plan_add_always(plan, mean_bytes, "mean of slopes") : -1;
    search->style_mean = plan_add_always(plan, mean_bytes, "mean of style features");
    search->dots = plan_add_always(plan, each, "products of features");
    search->squares = plan_add_always(plan, each, "squares of features");
    /* From the content to the last style, with passes through the network between them. */
    search->similarity = plan_add_always(plan, each, "similarity of neighbors");
    search->index = plan_add_always(plan, each, "numbers of neighbors");
    search->candidates =
        scratch.candidates ? plan_add(plan, scratch.candidates, step, step, "candidates of matching") : -1;
    search->panels = scratch.panels ? plan_add(plan, scratch.panels, step, step, "panels of matching") : -1;
    search->rows = scratch.rows ? plan_add(plan, scratch.rows, step, step, "rows of matching") : -1;
    if (search->dimensions > 0) {
        reserve_subspace(search, plan, most, step);
    }
}

cl_mem neighbor_search_buffer(const struct neighbor_search *search, int entry) {
    return entry < 0 ? NULL : plan_buffer(search->plan, entry);
}

struct sample_stack neighbor_search_features(const struct neighbor_search *search, int first_block, int blocks) {
    return (struct sample_stack){.samples = neighbor_search_buffer(search, search->features),
                                 .first_block = first_block,
                                 .blocks = blocks,
                                 .positions = search->positions};
}

static struct matching_best best_of(const struct neighbor_search *search) {
    return (struct matching_best){.similarity = neighbor_search_buffer(search, search->similarity),
                                  .index = neighbor_search_buffer(search, search->index)};
}

/* ---- What counts ------------------------------------------------------------------------------------------------- */

nst_status neighbor_search_weigh(struct neighbor_search *search, const float *weights, nst_error *error) {
    const struct region region = {.image = {1, search->positions}, .weights = weights};
    return region_weights_set(search->context, search->plan, &region, region.image, &search->weights, error);
}

void neighbor_list_reserve(struct neighbor_list *list, struct plan *plan, const struct loss *loss, int positions,
                           int step) {
    uint64_t bytes = (uint64_t)positions * sizeof(cl_int);
    *list = (struct neighbor_list){
        .entry = loss->weighs ? plan_add(plan, bytes, step, step, "positions of a style that can be seen") : -1};
}

nst_status neighbor_list_set(const struct loss_run *run, struct neighbor_list *list, const float *seen, int count,
                             nst_error *error) {
    float most = 0;
    list->has_list = seen != NULL;
    list->count = count;
    if (!seen) {
        return NST_OK;
    }
    if (list->entry < 0) {
        return fail(error, NST_ERROR_ARGUMENT, "the transparency of a style was not planned for");
    }
    cl_int *numbers = malloc((size_t)count * sizeof *numbers);
    if (!numbers) {
        return fail_memory(error, (size_t)count * sizeof *numbers, "positions of a style");
    }
    for (int i = 0; i < count; ++i) {
        most = seen[i] > most ? seen[i] : most;
    }
    list->count = 0;
    for (int i = 0; i < count; ++i) {
        if (2 * seen[i] >= most) {
            numbers[list->count++] = i;
        }
    }
    nst_status status = buffer_write(run->loss->context, plan_buffer(run->plan, list->entry), 0, numbers,
                                     (size_t)list->count * sizeof *numbers, error);
    free(numbers);
    return status;
}

cl_mem neighbor_list_buffer(const struct neighbor_list *list, const struct plan *plan) {
    return list->has_list ? plan_buffer(plan, list->entry) : NULL;
}

/* ---- What is compared ---------------------------------------------------------------------------------------------- */

static struct subspace_buffers subspace_of(const struct neighbor_search *search) {
    return (struct subspace_buffers){.basis = neighbor_search_buffer(search, search->basis),
                                     .sketch = neighbor_search_buffer(search, search->sketch),
                                     .dimensions = search->dimensions};
}

/* A buffer of so many vectors of the search into another, of vectors in the subspace. */
static nst_status project(const struct neighbor_search *search, cl_mem vectors, int positions, int projected,
                          nst_error *error) {
    struct sample_stack stack = {.samples = vectors, .blocks = search->blocks, .positions = positions};
    struct subspace_buffers buffers = subspace_of(search);
    return subspace_project(search->context, &search->kernels->subspace, &stack, &buffers,
                            neighbor_search_buffer(search, projected), error);
}

/* The subspace is that of the image's features: what a style's have besides has no product with them. */
static nst_status begin_subspace(const struct neighbor_search *search, nst_error *error) {
    struct sample_stack all = neighbor_search_features(search, 0, search->blocks);
    struct subspace_buffers buffers = subspace_of(search);
    cl_mem image_mean = neighbor_search_buffer(search, search->image_mean);
    cl_mem style_mean = neighbor_search_buffer(search, search->style_mean);
    nst_status status = subspace_find(search->context, &search->kernels->subspace, &all, image_mean, &buffers, error);
    status = status ? status : project(search, all.samples, all.positions, search->projected_image, error);
    status = status ? status : project(search, image_mean, 1, search->projected_image_mean, error);
    return status ? status : project(search, style_mean, 1, search->projected_style_mean, error);
}

/* Vectors as they are compared: these, or, in the subspace, what they were projected to. */
static struct matching_set compared_set(const struct neighbor_search *search, const struct matching_set *set,
                                        int projected, int projected_mean) {
    struct matching_set compared = *set;
    if (search->dimensions > 0) {
        compared.stack.samples = neighbor_search_buffer(search, projected);
        compared.stack.blocks = search->dimensions / search->context->channel_block;
        compared.mean = neighbor_search_buffer(search, projected_mean);
    }
    return compared;
}

/* ---- Targets ------------------------------------------------------------------------------------------------------- */

/* The mean of the image's features over their positions. */
static nst_status find_mean(const struct neighbor_search *search, const struct sample_stack *all, cl_mem mean,
                            nst_error *error) {
    nst_context *context = search->context;
    if (!search->weights.is_weighted) {
        return samples_mean(context, &search->kernels->samples, all, mean, error);
    }
    size_t group = context->loops_in_kernel ? 1 : context->work_group;
    struct work_size size = {1, {(size_t)all->blocks * group, 1, 1}, {group, 1, 1}};
    double total = search->weights.total > 0 ? search->weights.total : 1;
    return kernel_run(context, search->kernels->weighted_mean, size,
                      ARGUMENTS(arg_buffer(all->samples),
                                arg_buffer(region_weights_buffer(&search->weights, search->plan)), arg_buffer(mean),
                                arg_int(all->positions), arg_float((float)total)),
                      error);
}

nst_status neighbor_search_center(const struct neighbor_search *search, nst_error *error) {
    struct sample_stack all = neighbor_search_features(search, 0, search->blocks);
    return find_mean(search, &all, neighbor_search_buffer(search, search->image_mean), error);
}

nst_status neighbor_search_begin(struct neighbor_search *search, nst_error *error) {
    nst_context *context = search->context;
    const struct neighbor_kernels *kernels = search->kernels;
    struct sample_stack all = neighbor_search_features(search, 0, search->blocks);
    struct matching_best best = best_of(search);
    struct sample_squares squares = {.squares = neighbor_search_buffer(search, search->squares),
                                     .mean = neighbor_search_buffer(search, search->image_mean)};
    search->next_index = 0;
    /* Where nothing is found, as in a style of one color, there is no target, and no slope. */
    nst_status status = buffer_fill_zero(context, neighbor_search_buffer(search, search->targets),
                                         (size_t)sample_stack_bytes(context, search->blocks, search->positions), error);
    status = status ? status : neighbor_search_center(search, error);
    status = status ? status : samples_squares(context, &kernels->samples, &all, &squares, error);
    status = !status && search->dimensions > 0 ? begin_subspace(search, error) : status;
    return status ? status : matching_begin(context, &kernels->matching, &best, search->positions, error);
}

/* How much a style of twice its equal share is preferred, in cosine distance. */
static const double preference = 0.05;

nst_status neighbor_search_add(struct neighbor_search *search, const struct neighbor_part *part, nst_error *error) {
    nst_context *context = search->context;
    struct sample_stack features = {.samples = part->features, .blocks = search->blocks, .positions = part->positions};
    cl_mem style_mean = neighbor_search_buffer(search, search->style_mean);
    struct matching_best best = best_of(search);
    struct matching_scratch scratch = {.candidates = neighbor_search_buffer(search, search->candidates),
                                       .panels = neighbor_search_buffer(search, search->panels),
                                       .rows = neighbor_search_buffer(search, search->rows)};
    struct matching_set image = {.stack = neighbor_search_features(search, 0, search->blocks),
                                 .mean = neighbor_search_buffer(search, search->image_mean),
                                 .squares = neighbor_search_buffer(search, search->squares)};
    struct matching_set style = {.stack = features, .mean = style_mean, .squares = part->squares};
    struct matching_part match = {
        .content = compared_set(search, &image, search->projected_image, search->projected_image_mean),
        .style = compared_set(search, &style, search->projected_style, search->projected_style_mean),
        .first_index = search->next_index,
        .factor = 1,
        .summand = preference * log2(part->share),
    };
    struct matching_targets targets = {
        .style = {.stack = features,
                  .mean = part->centered ? style_mean : NULL,
                  .squares = part->centered ? part->squares : part->lengths},
        .first_index = search->next_index,
        .targets = {.samples = neighbor_search_buffer(search, search->targets),
                    .blocks = search->blocks,
                    .positions = search->positions},
    };
    search->next_index += part->positions;
    if (!(part->share > 0)) {
        return NST_OK;
    }
    nst_status status = search->dimensions > 0
                            ? project(search, part->features, part->positions, search->projected_style, error)
                            : NST_OK;
    status = status ? status : matching_run(context, &search->kernels->matching, &match, &scratch, &best, error);
    return status ? status : matching_gather(context, &search->kernels->matching, &targets, &best, error);
}

/* ---- Value and gradient -------------------------------------------------------------------------------------------- */

struct cosine_layer neighbor_search_layer(const struct neighbor_search *search, int first_block, int blocks,
                                          bool centered) {
    return (struct cosine_layer){.samples = neighbor_search_features(search, first_block, blocks),
                                 .targets = neighbor_search_buffer(search, search->targets),
                                 .first_target_block = first_block,
                                 .mean = centered ? neighbor_search_buffer(search, search->image_mean) : NULL};
}

struct cosine_sums neighbor_search_sums(const struct neighbor_search *search) {
    return (struct cosine_sums){.dots = neighbor_search_buffer(search, search->dots),
                                .squares = neighbor_search_buffer(search, search->squares)};
}

nst_status neighbor_search_value(const struct neighbor_search *search, const struct loss_run *run, nst_error *error) {
    struct cosine_sums sums = neighbor_search_sums(search);
    const struct region_weights *weights = &search->weights;
    double total = weights->is_weighted ? weights->total : search->positions;
    struct cosine_value value = {.positions = search->positions,
                                 .weight = run->factor * loss_one_over(total),
                                 .weights = region_weights_buffer(weights, search->plan),
                                 .partials = loss_partials(run),
                                 .slot = run->slot};
    return cosine_loss(search->context, &search->kernels->cosine, &sums, &value, error);
}

/* The mean that was subtracted moves with the features: the slope g(p) becomes g(p) - w(p) / sum w * sum over q of g(q),
 * w the weights of the positions. Without that, what is common to all slopes would never be satisfied: shifting all
 * features alike changes nothing. */
static nst_status pass_center(const struct neighbor_search *search, const struct sample_stack *slopes,
                              nst_error *error) {
    const struct samples *samples = &search->kernels->samples;
    const struct region_weights *weights = &search->weights;
    struct sample_center center = {.mean = neighbor_search_buffer(search, search->slope_mean),
                                   .weights = region_weights_buffer(weights, search->plan),
                                   .factor =
                                       weights->is_weighted ? search->positions * loss_one_over(weights->total) : 1};
    nst_status status = samples_mean(search->context, samples, slopes, center.mean, error);
    return status ? status : samples_subtract(search->context, samples, slopes, &center, error);
}

nst_status neighbor_search_add_gradient(const struct neighbor_search *search, const struct cosine_layer *layer,
                                        const struct sample_source *gradient, bool is_first, nst_error *error) {
    struct cosine_sums sums = neighbor_search_sums(search);
    cl_mem slope = layer->samples.samples;
    nst_status status =
        is_first ? cosine_slope(search->context, &search->kernels->cosine, layer, &sums, slope, error) : NST_OK;
    if (!status && is_first && layer->mean) {
        status = pass_center(search, &layer->samples, error);
    }
    return status ? status
                  : samples_add_gradient(search->context, &search->kernels->samples, gradient, &layer->samples, error);
}

nst_status neighbor_search_list_state(struct neighbor_search *search, struct state *state, nst_error *error) {
    char targets[64]; /* with what tells a buffer in other blocks, which may have the same size */
    snprintf(targets, sizeof targets, "neighbors in blocks of %d", search->context->channel_block);
    nst_status status =
        state_buffer(state, targets, neighbor_search_buffer(search, search->targets),
                     (size_t)sample_stack_bytes(search->context, search->blocks, search->positions), error);
    return status ? status
                  : state_buffer(state, "mean of features", neighbor_search_buffer(search, search->image_mean),
                                 (size_t)sample_stack_bytes(search->context, search->blocks, 1), error);
}
