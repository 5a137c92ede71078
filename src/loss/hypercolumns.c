/* hypercolumns.c: features of all layers at random pixels; see hypercolumns.h. */
#include "loss/hypercolumns.h"

#include "support/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    GRID_SIDE = 128,
    DRAW_GRID_EVERY = 10,
    MOST_ENTRIES = 4 * HYPERCOLUMN_POSITIONS, /* of a site */
    DIGIT_BITS = 13                           /* of sorting */
};

/* As in the kernels. */
struct entry {
    cl_int pixel, position;
    cl_float share;
};

/* ---- Drawing ------------------------------------------------------------------------------------------------------- */

static int below(struct random_generator *generator, int count) {
    int number = (int)(random_uniform(generator) * count);
    return number < count ? number : count - 1;
}

struct pixel_grid pixel_grid_draw(struct random_generator *generator, struct image_size image) {
    double ratio = sqrt(floor((double)image.height * image.width / (GRID_SIDE * GRID_SIDE)));
    int row_stride = (int)fmax(floor(ratio), 1), column_stride = (int)fmax(ceil(ratio), 1);
    row_stride = row_stride < image.height ? row_stride : image.height;
    column_stride = column_stride < image.width ? column_stride : image.width;
    struct pixel_grid grid = {.row_stride = row_stride, .column_stride = column_stride};
    grid.row_offset = below(generator, row_stride);
    grid.column_offset = below(generator, column_stride);
    return grid;
}

/* Lists the grid's pixels that count at least so much, as numbers. */
static int list_pixels(const struct pixel_grid *grid, const struct region *region, float least, int *list) {
    int count = 0, width = region->image.width;
    for (int y = grid->row_offset; y < region->image.height; y += grid->row_stride) {
        for (int x = grid->column_offset; x < width; x += grid->column_stride) {
            if (!region->weights || region->weights[(size_t)y * (size_t)width + (size_t)x] >= least) {
                list[count++] = y * width + x;
            }
        }
    }
    return count;
}

nst_status pixels_draw(struct random_generator *generator, const struct pixel_grid *grid, const struct region *region,
                       int most, struct pixel *pixels, int *count, nst_error *error) {
    static const struct pixel_grid all = {1, 0, 1, 0};
    size_t size = (size_t)region->image.height * (size_t)region->image.width;
    int *list = malloc(size * sizeof *list);
    if (!list) {
        return fail_memory(error, size * sizeof *list, "pixels to draw from");
    }
    float largest = 0;
    for (size_t i = 0; region->weights && i < size; ++i) {
        largest = fmaxf(largest, region->weights[i]);
    }
    int listed = list_pixels(grid, region, largest / 2, list);
    listed = listed > 0 ? listed : list_pixels(&all, region, largest / 2, list);
    *count = listed < most ? listed : most;
    for (int i = 0; i < *count; ++i) {
        int other = i + below(generator, listed - i), number = list[other];
        list[other] = list[i];
        pixels[i] = (struct pixel){number / region->image.width, number % region->image.width};
    }
    free(list);
    return NST_OK;
}

nst_status pixels_draw_first(uint64_t seed, const struct region *region, struct pixel *pixels, int *count,
                             nst_error *error) {
    struct random_generator generator = random_from_seed(seed);
    struct pixel_grid grid = pixel_grid_draw(&generator, region->image);
    return pixels_draw(&generator, &grid, region, HYPERCOLUMN_POSITIONS, pixels, count, error);
}

/* ---- Kernels ------------------------------------------------------------------------------------------------------- */

static int stage_of(const struct loss *loss, int site) {
    return loss->site_count > 0 ? loss->stages[site] : -1;
}

nst_status hypercolumn_kernels_create(const struct loss *loss, struct hypercolumn_kernels *kernels, nst_error *error) {
    *kernels = (struct hypercolumn_kernels){.sites = loss->site_count > 0 ? loss->site_count : 1};
    bool half_maps = loss->model && model_has_half_maps(loss->model);
    const struct kernel_row all[] = {{"hypercolumns_read", &kernels->read},
                                     {"hypercolumns_read_image", &kernels->read_image},
                                     {"hypercolumns_gradient", &kernels->gradient},
                                     {"hypercolumns_gradient_image", &kernels->gradient_image}};
    for (int site = 0; site < kernels->sites; ++site) {
        kernels->first_block[site] = kernels->blocks;
        kernels->blocks += sample_blocks(loss->context, loss_channels(loss, site));
        kernels->channels += loss_channels(loss, site);
    }
    nst_status status = samples_create(loss->context, half_maps, &kernels->samples, error);
    return status ? status
                  : kernels_create(loss->context, "hypercolumns.cl", feature_map_option(half_maps), all,
                                   sizeof all / sizeof *all, error);
}

void hypercolumn_kernels_release(struct hypercolumn_kernels *kernels) {
    kernel_release(&kernels->read);
    kernel_release(&kernels->read_image);
    kernel_release(&kernels->gradient);
    kernel_release(&kernels->gradient_image);
    samples_release(&kernels->samples);
}

/* ---- Reading ------------------------------------------------------------------------------------------------------- */

/* Positions of a stack: from `first` on, `count` of `all`; and how they are read. */
struct reading {
    cl_mem pixels, samples;
    int first, count, all;
    bool whole;
};

/* Pixels of the image that stand for one of a map. */
static int stride_of(const struct loss_run *run, const struct loss_map *at) {
    int stage = stage_of(run->loss, at->site), stride = stage < 0 ? 1 : model_stride(run->loss->model, stage);
    return stride > 0 ? stride : (at->image.width + at->map.width - 1) / at->map.width;
}

static double scale_of(const struct loss_run *run) {
    return run->loss->options.feature_scale > 0 ? run->loss->options.feature_scale : 1;
}

static int site_blocks(const struct loss_run *run, int site) {
    return sample_blocks(run->loss->context, loss_channels(run->loss, site));
}

static nst_status read_site(const struct hypercolumn_kernels *kernels, const struct loss_run *run,
                            const struct loss_map *at, const struct reading *to, nst_error *error) {
    nst_context *context = run->loss->context;
    const int blocks = site_blocks(run, at->site), first_block = kernels->first_block[at->site];
    const struct kernel_argument positions = arg_int4(to->first, to->count, to->all, 0);
    if (to->count == 0) {
        return NST_OK;
    }
    if (stage_of(run->loss, at->site) < 0) {
        size_t count = (size_t)(blocks * context->channel_block) * (size_t)to->count;
        return kernel_run(context, kernels->read_image, work_range(context, count),
                          ARGUMENTS(arg_buffer(at->map.values), arg_buffer(to->pixels), arg_buffer(to->samples),
                                    arg_int(first_block), arg_int(blocks), positions, arg_int(at->map.height),
                                    arg_int(at->map.width)),
                          error);
    }
    return kernel_run(context, kernels->read, work_range(context, (size_t)blocks * (size_t)to->count),
                      ARGUMENTS(arg_buffer(at->map.values), arg_buffer(to->pixels), arg_buffer(to->samples),
                                arg_int(first_block), arg_int(blocks), positions, arg_int(at->map.height),
                                arg_int(at->map.width), arg_int(stride_of(run, at)), arg_int(to->whole),
                                arg_float((float)scale_of(run))),
                      error);
}

/* ---- Of the image -------------------------------------------------------------------------------------------------- */

void hypercolumns_reserve(struct hypercolumns *columns, const struct hypercolumn_kernels *kernels,
                          const struct loss_run *run, struct plan *plan) {
    const struct loss *loss = run->loss;
    columns->kernels = kernels;
    columns->samples = plan_add_always(plan, sample_stack_bytes(loss->context, kernels->blocks, HYPERCOLUMN_POSITIONS),
                                       "%s: samples", loss->methods->kind);
    columns->pixels =
        plan_add_always(plan, HYPERCOLUMN_POSITIONS * sizeof(struct pixel), "%s: pixels drawn", loss->methods->kind);
    columns->entries = plan_add_always(plan, (uint64_t)kernels->sites * MOST_ENTRIES * sizeof(struct entry),
                                       "%s: what flows back where", loss->methods->kind);
}

void hypercolumns_free(struct hypercolumns *columns) {
    free(columns->weights);
    columns->weights = NULL;
}

nst_status hypercolumns_begin(struct hypercolumns *columns, const struct loss_run *run, const struct region *region,
                              nst_error *error) {
    size_t bytes = (size_t)region->image.height * (size_t)region->image.width * sizeof *columns->weights;
    hypercolumns_free(columns);
    columns->generator = random_from_seed(run->loss->options.seed);
    columns->evaluations = 0;
    if (!region->weights) {
        return NST_OK;
    }
    columns->weights = malloc(bytes + 1);
    if (!columns->weights) {
        return fail_memory(error, bytes, "weights of pixels");
    }
    memcpy(columns->weights, region->weights, bytes);
    return NST_OK;
}

/* Sorts by pixels, those of one by positions, in two rounds: maps of more than 2^26 pixels fit into no memory. */
static void sort_entries(struct entry *entries, struct entry *spare, int count) {
    enum { DIGITS = 1 << DIGIT_BITS };
    for (int round = 0; round < 2; ++round) {
        struct entry *from = round ? spare : entries, *to = round ? entries : spare;
        int ends[DIGITS] = {0}, sum = 0;
        for (int i = 0; i < count; ++i) {
            ends[from[i].pixel >> (round * DIGIT_BITS) & (DIGITS - 1)]++;
        }
        for (int d = 0; d < DIGITS; ++d) {
            int here = ends[d];
            ends[d] = sum;
            sum += here;
        }
        for (int i = 0; i < count; ++i) {
            to[ends[from[i].pixel >> (round * DIGIT_BITS) & (DIGITS - 1)]++] = from[i];
        }
    }
}

/* What of the samples comes from which pixels of a map. */
static int list_entries(const struct pixel *pixels, int count, struct image_size map, int stride,
                        struct entry *entries) {
    int listed = 0;
    for (int i = 0; i < count; ++i) {
        for (int corner = 0; corner < 4; ++corner) {
            float down = (float)(pixels[i].row % stride) / (float)stride;
            float across = (float)(pixels[i].column % stride) / (float)stride;
            int y = pixels[i].row / stride + corner / 2, x = pixels[i].column / stride + corner % 2;
            float share = (corner / 2 ? down : 1 - down) * (corner % 2 ? across : 1 - across);
            y = y < map.height ? y : map.height - 1;
            x = x < map.width ? x : map.width - 1;
            if (share > 0) {
                entries[listed++] = (struct entry){y * map.width + x, i, share};
            }
        }
    }
    return listed;
}

/* Lists the entries of all sites that are maps, and puts them on the device. */
static nst_status upload_entries(struct hypercolumns *columns, const struct loss_run *run, const struct pixel *pixels,
                                 nst_error *error) {
    const struct loss *loss = run->loss;
    int sites = columns->kernels->sites, count = 0;
    size_t bytes = ((size_t)sites + 1) * MOST_ENTRIES * sizeof(struct entry);
    struct entry *entries = malloc(bytes);
    if (!entries) {
        return fail_memory(error, bytes, "the pixels of maps");
    }
    for (int site = 0; site < sites; ++site) {
        columns->first_entry[site] = count;
        if (stage_of(loss, site) >= 0) {
            struct image_size map = loss_map_size(loss, site, columns->image);
            struct loss_map at = {
                .site = site, .map = {.height = map.height, .width = map.width}, .image = columns->image};
            int listed = list_entries(pixels, columns->count, map, stride_of(run, &at), entries + count);
            sort_entries(entries + count, entries + (size_t)sites * MOST_ENTRIES, listed);
            count += listed;
        }
    }
    columns->first_entry[sites] = count;
    nst_status status = count == 0 ? NST_OK
                                   : buffer_write(loss->context, plan_buffer(run->plan, columns->entries), 0, entries,
                                                  (size_t)count * sizeof *entries, error);
    free(entries);
    return status;
}

nst_status hypercolumns_draw(struct hypercolumns *columns, const struct loss_run *run, struct image_size image,
                             nst_error *error) {
    struct pixel pixels[HYPERCOLUMN_POSITIONS];
    const struct region region = {.image = image, .weights = columns->weights};
    columns->image = image;
    if (columns->evaluations++ % DRAW_GRID_EVERY == 0) {
        columns->grid = pixel_grid_draw(&columns->generator, image);
    }
    nst_status status = pixels_draw(&columns->generator, &columns->grid, &region, HYPERCOLUMN_POSITIONS, pixels,
                                    &columns->count, error);
    status = status ? status
                    : buffer_write(run->loss->context, plan_buffer(run->plan, columns->pixels), 0, pixels,
                                   (size_t)columns->count * sizeof *pixels, error);
    return status ? status : upload_entries(columns, run, pixels, error);
}

nst_status hypercolumns_read(const struct hypercolumns *columns, const struct loss_run *run, const struct loss_map *at,
                             cl_mem samples, nst_error *error) {
    const struct reading to = {.pixels = plan_buffer(run->plan, columns->pixels),
                               .samples = samples,
                               .count = columns->count,
                               .all = columns->count};
    return read_site(columns->kernels, run, at, &to, error);
}

struct sample_stack hypercolumns_stack(const struct hypercolumns *columns, const struct loss_run *run) {
    return (struct sample_stack){.samples = plan_buffer(run->plan, columns->samples),
                                 .blocks = columns->kernels->blocks,
                                 .positions = columns->count};
}

nst_status hypercolumns_add_gradient(const struct hypercolumns *columns, const struct loss_run *run,
                                     const struct loss_map *at, cl_mem slope, cl_mem gradient, nst_error *error) {
    const struct hypercolumn_kernels *kernels = columns->kernels;
    nst_context *context = run->loss->context;
    int first_block = kernels->first_block[at->site], blocks = site_blocks(run, at->site);
    if (stage_of(run->loss, at->site) < 0) {
        return kernel_run(context, kernels->gradient_image, work_range(context, 3 * (size_t)columns->count),
                          ARGUMENTS(arg_buffer(slope), arg_int(first_block), arg_int(columns->count),
                                    arg_buffer(plan_buffer(run->plan, columns->pixels)), arg_buffer(gradient),
                                    arg_int(at->map.height), arg_int(at->map.width)),
                          error);
    }
    int first = columns->first_entry[at->site], count = columns->first_entry[at->site + 1] - first;
    return kernel_run(context, kernels->gradient, work_range(context, (size_t)blocks * (size_t)count),
                      ARGUMENTS(arg_buffer(slope), arg_int(first_block), arg_int(columns->count),
                                arg_buffer(plan_buffer(run->plan, columns->entries)), arg_int(first), arg_int(count),
                                arg_buffer(at->map.mask), arg_int(at->map.mask != NULL), arg_buffer(gradient),
                                arg_int(blocks), arg_int(at->map.height), arg_int(at->map.width),
                                arg_float((float)scale_of(run))),
                      error);
}

struct image_size hypercolumn_area(int count) {
    enum { MOST_ROWS = 32 };
    int rows = 1;
    while (rows < MOST_ROWS && count % (2 * rows) == 0) {
        rows *= 2;
    }
    return (struct image_size){rows, count / rows};
}

nst_status hypercolumns_list_state(struct hypercolumns *columns, struct state *state, nst_error *error) {
    nst_status status = state_value(state, "random numbers", columns->generator, error);
    status = status ? status : state_value(state, "evaluations", columns->evaluations, error);
    return status ? status : state_value(state, "grid", columns->grid, error);
}

/* ---- Of the styles ------------------------------------------------------------------------------------------------- */

void style_columns_reserve(struct style_columns *columns, const struct hypercolumn_kernels *kernels,
                           const struct loss_run *run, struct plan *plan) {
    const struct loss *loss = run->loss;
    int step = loss->model ? model_stage_count(loss->model) : 0;
    columns->kernels = kernels;
    columns->samples =
        plan_add_always(plan, sample_stack_bytes(loss->context, kernels->blocks, HYPERCOLUMN_STYLE_POSITIONS),
                        "%s: style samples", loss->methods->kind);
    columns->pixels = plan_add(plan, HYPERCOLUMN_STYLE_POSITIONS * sizeof(struct pixel), step, step,
                               "%s: pixels drawn of a style", loss->methods->kind);
}

void style_columns_begin(struct style_columns *columns, const struct loss_run *run) {
    columns->generator = random_from_seed(run->loss->options.seed);
    columns->share = 0;
    columns->first = columns->count = columns->all = 0;
}

/* Draws the pixels of a style. */
static nst_status draw_style(struct style_columns *columns, const struct loss_run *run, const struct loss_map *at,
                             const struct loss_target *target, nst_error *error) {
    enum { MOST = HYPERCOLUMN_STYLE_POSITIONS };
    static const struct pixel_grid every = {1, 0, 1, 0};
    const struct region region = {.image = at->image, .weights = target->weights};
    struct pixel *pixels = malloc(MOST * sizeof *pixels);
    int drawn = 0;
    nst_status status = pixels ? pixels_draw(&columns->generator, &every, &region, MOST, pixels, &drawn, error)
                               : fail_memory(error, MOST * sizeof *pixels, "pixels of a style");
    columns->first += columns->count;
    columns->share += target->share;
    columns->all = target->share < 1 ? MOST : drawn;
    int end = (int)fmin(rint(columns->share * columns->all), columns->all);
    columns->count = end > columns->first ? end - columns->first : 0;
    for (int i = drawn; !status && i < columns->count; ++i) {
        pixels[i] = pixels[i - drawn];
    }
    if (!status && columns->count > 0) {
        status = buffer_write(run->loss->context, plan_buffer(run->plan, columns->pixels), 0, pixels,
                              (size_t)columns->count * sizeof *pixels, error);
    }
    free(pixels);
    return status;
}

nst_status style_columns_add(struct style_columns *columns, const struct loss_run *run, const struct loss_map *at,
                             const struct loss_target *target, nst_error *error) {
    nst_status status = at->site == 0 ? draw_style(columns, run, at, target, error) : NST_OK;
    const struct reading to = {.pixels = plan_buffer(run->plan, columns->pixels),
                               .samples = plan_buffer(run->plan, columns->samples),
                               .first = columns->first,
                               .count = columns->count,
                               .all = columns->all,
                               .whole = true};
    return status ? status : read_site(columns->kernels, run, at, &to, error);
}

struct sample_stack style_columns_stack(const struct style_columns *columns, const struct loss_run *run) {
    return (struct sample_stack){.samples = plan_buffer(run->plan, columns->samples),
                                 .blocks = columns->kernels->blocks,
                                 .positions = columns->all};
}
