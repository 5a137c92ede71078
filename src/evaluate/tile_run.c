/* tile_run.c: a tile on the device; see tile_run.h. */
#include "evaluate/tile_run.h"

#include "support/error.h"

#include <stdlib.h>

struct tile_run {
    const struct model *model;
    const struct tile_kernels *kernels;
    const struct plan *plan;
    nst_context *context;
    int image, gradient; /* plan entries */
    int *core_masks;     /* of each stage, -1 for none */
    float *rows;         /* on the host: a gradient on its way to an image there */
    struct tiling tiling;
    struct tile tile; /* in hand */
};

/* ---- Making it --------------------------------------------------------------------------------------------------- */

nst_status tile_kernels_create(nst_context *context, bool half_maps, struct tile_kernels *kernels, nst_error *error) {
    const char *option = feature_map_option(half_maps);
    const struct kernel_row rows[] = {{"clear_halo", &kernels->clear_halo},
                                      {"mask_core", &kernels->mask_core},
                                      {"add_tile_gradient", &kernels->add_gradient}};
    return kernels_create(context, "job.cl", option, rows, sizeof rows / sizeof *rows, error);
}

void tile_kernels_release(struct tile_kernels *kernels) {
    kernel_release(&kernels->clear_halo);
    kernel_release(&kernels->mask_core);
    kernel_release(&kernels->add_gradient);
}

static uint64_t most_mask_bytes(const struct tile_run *run, const struct image_sizes *regions, int stage) {
    uint64_t most = 0;
    for (int i = 0; i < regions->count; ++i) {
        struct image_size size = model_map_size(run->model, stage, regions->sizes[i]);
        uint64_t bytes = relu_mask_bytes(run->context, model_channels(run->model, stage), size.height, size.width);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void reserve_masks(struct tile_run *run, struct plan *plan, const struct image_sizes *regions) {
    for (int s = 0; s < model_stage_count(run->model); ++s) {
        run->core_masks[s] = -1;
        if (model_is_tapped(run->model, s)) {
            run->core_masks[s] =
                plan_add(plan, most_mask_bytes(run, regions, s), model_forward_step(run->model, s),
                         model_backward_step(run->model, s), "mask of the core of %s", model_name(run->model, s));
        }
    }
}

nst_status tile_run_reserve(const struct model *model, const struct tile_kernels *kernels, struct plan *plan,
                            const struct image_sizes *regions, struct tile_run **result, nst_error *error) {
    size_t pixels = 0, stages = (size_t)model_stage_count(model);
    for (int i = 0; i < regions->count; ++i) {
        size_t size = (size_t)regions->sizes[i].height * (size_t)regions->sizes[i].width;
        pixels = size > pixels ? size : pixels;
    }
    struct tile_run *run = *result = calloc(1, sizeof *run);
    int *masks = calloc(stages, sizeof *masks);
    if (!run || !masks) {
        free(run);
        free(masks);
        *result = NULL;
        return fail_memory(error, sizeof *run + stages * sizeof *masks, "a tile");
    }
    *run = (struct tile_run){
        .model = model, .kernels = kernels, .plan = plan, .context = model_context(model), .core_masks = masks};
    run->image = plan_add_always(plan, 3 * pixels * sizeof(float), "image of a tile");
    run->gradient = plan_add_always(plan, 3 * pixels * sizeof(float), "gradient of a tile");
    reserve_masks(run, plan, regions);
    return NST_OK;
}

void tile_run_free(struct tile_run *run) {
    if (run) {
        free(run->core_masks);
        free(run->rows);
        free(run);
    }
}

/* ---- Image ------------------------------------------------------------------------------------------------------- */

cl_mem tile_run_image(const struct tile_run *run) {
    return plan_buffer(run->plan, run->image);
}
cl_mem tile_run_gradient(const struct tile_run *run) {
    return plan_buffer(run->plan, run->gradient);
}
struct image_size tile_run_size(const struct tile_run *run) {
    return (struct image_size){run->tile.region.height, run->tile.region.width};
}

nst_status tile_run_begin(struct tile_run *run, const struct tiling *tiling, int number, struct vector image,
                          nst_error *error) {
    run->tiling = *tiling;
    run->tile = tiling_tile(tiling, number);
    const struct rectangle *region = &run->tile.region;
    size_t height = (size_t)region->height, row_bytes = (size_t)region->width * sizeof(float);
    const struct box box = {.width_bytes = row_bytes,
                            .height = height,
                            .depth = 3,
                            .from = {.x_bytes = (size_t)region->x * sizeof(float),
                                     .y = (size_t)region->y,
                                     .row_bytes = (size_t)tiling->picture.width * sizeof(float),
                                     .row_count = (size_t)tiling->picture.height},
                            .to = {.row_bytes = row_bytes, .row_count = height}};
    return image.buffer ? buffer_copy_box(run->context, image.buffer, tile_run_image(run), &box, error)
                        : buffer_write_box(run->context, image.host, tile_run_image(run), &box, error);
}

/* On the host, where all regions are added in the same order too. */
static nst_status add_on_host(struct tile_run *run, float *gradient, nst_error *error) {
    const struct rectangle *region = &run->tile.region;
    size_t width = (size_t)region->width, height = (size_t)region->height, count = 3 * width * height;
    float *rows = realloc(run->rows, count * sizeof *rows);
    if (!rows) {
        return fail_memory(error, count * sizeof *rows, "the gradient of a tile");
    }
    run->rows = rows;
    nst_status status = buffer_read(run->context, tile_run_gradient(run), 0, rows, count * sizeof *rows, error);
    for (size_t line = 0; !status && line < 3 * height; ++line) {
        size_t row = line / height * (size_t)run->tiling.picture.height + (size_t)region->y + line % height;
        float *target = gradient + row * (size_t)run->tiling.picture.width + (size_t)region->x;
        for (size_t x = 0; x < width; ++x) {
            target[x] += rows[line * width + x];
        }
    }
    return status;
}

nst_status tile_run_add_gradient(struct tile_run *run, struct vector gradient, nst_error *error) {
    const struct rectangle *region = &run->tile.region;
    const struct image_size *picture = &run->tiling.picture;
    if (!gradient.buffer) {
        return add_on_host(run, gradient.host, error);
    }
    size_t elements = 3 * (size_t)region->height * (size_t)region->width;
    return kernel_run(run->context, run->kernels->add_gradient, work_range(run->context, elements),
                      ARGUMENTS(arg_buffer(tile_run_gradient(run)), arg_buffer(gradient.buffer),
                                arg_int(region->height), arg_int(region->width),
                                arg_int4(region->y, region->x, picture->height, picture->width)),
                      error);
}

/* ---- Maps -------------------------------------------------------------------------------------------------------- */

struct tile_map tile_run_place(const struct tile_run *run, int stage) {
    return tiling_map(&run->tiling, &run->tile, run->model, stage);
}

static bool is_all(const struct rectangle *core, const struct feature_map *map) {
    return core->height == map->height && core->width == map->width;
}

struct feature_map tile_run_map(const struct tile_run *run, const struct model_run *maps, int stage) {
    if (stage < 0) {
        return (struct feature_map){.values = tile_run_image(run),
                                    .channels = 3,
                                    .height = run->tile.region.height,
                                    .width = run->tile.region.width};
    }
    struct feature_map map = model_feature_map(maps, stage);
    struct tile_map place = tile_run_place(run, stage);
    if (map.mask && !is_all(&place.core, &map)) {
        map.mask = plan_buffer(run->plan, run->core_masks[stage]);
    }
    return map;
}

static nst_status isolate(struct tile_run *run, const struct feature_map *map, int stage, nst_error *error) {
    struct tile_map place = tile_run_place(run, stage);
    if (is_all(&place.core, map)) {
        return NST_OK;
    }
    nst_context *context = run->context;
    int blocks = feature_map_blocks(context, map->channels);
    size_t pixels = (size_t)map->height * (size_t)map->width;
    struct kernel_argument core = arg_int4(place.core.y, place.core.x, place.core.height, place.core.width);
    nst_status status = kernel_run(
        context, run->kernels->clear_halo, work_range(context, (size_t)blocks * pixels),
        ARGUMENTS(arg_buffer(map->values), arg_int(blocks), arg_int(map->height), arg_int(map->width), core), error);
    return status || !map->mask
               ? status
               : kernel_run(context, run->kernels->mask_core, work_range(context, (size_t)blocks * pixels / 16 + 1),
                            ARGUMENTS(arg_buffer(map->mask), arg_buffer(plan_buffer(run->plan, run->core_masks[stage])),
                                      arg_int(blocks), arg_int(map->height), arg_int(map->width), core),
                            error);
}

nst_status tile_run_isolate(struct tile_run *run, const struct model_run *maps, nst_error *error) {
    nst_status status = NST_OK;
    for (int s = 0; !status && s < model_stage_count(run->model); ++s) {
        struct feature_map map = model_feature_map(maps, s);
        status = model_is_tapped(run->model, s) ? isolate(run, &map, s, error) : NST_OK;
    }
    return status;
}
