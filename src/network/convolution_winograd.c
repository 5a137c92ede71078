/* convolution_winograd.c: Winograd F(4x4, 3x3), fused, on CPUs: transforms the filters and divides the work. See
 * cl/convolution_winograd.cl, also for the order of U. */
#include "network/convolution_engine.h"
#include "network/winograd_weights.h"
#include "support/error.h"

#include <stdio.h>
#include <stdlib.h>

enum { SLICES = WINOGRAD_SLICES, VECTORS = 2 };

/* Tiles whose products are summed up in registers at once; vectors of output channels for which M is kept; and how many
 * times as many tiles are transformed at once. */
enum { TILES, PANEL, ROUNDS };
static const struct convolution_parameter parameters[] = {
    {"tiles", {4, 6, 8, 12}}, {"panel", {2, 4, 8}}, {"rounds", {1, 2, 4, 8, 16}}, {NULL, {0}}};

/* AVX-512 has 32 vector registers, the others are taken to have 16. V should fit the caches. */
static void set_defaults(const nst_context *context, const struct convolution_shape *shape, int values[]) {
    values[TILES] = context->channel_block == 16 ? 8 : 6;
    values[PANEL] = 4;
    values[ROUNDS] = shape->in_channels > 64 ? 8 : 4;
}

static bool supports(const nst_context *context, const struct convolution_shape *shape) {
    return context->loops_in_kernel && context->channel_block >= 4 && shape->kernel_size == 3 &&
           (!shape->unpools || shape->padding == 1);
}

/* U[panels][36][panel / VECTORS][in_channels][VECTORS][block] */
static void transform_filters(const struct convolution *convolution, const float *weights, float *u) {
    size_t in = convolution->shape.in_channels, out = convolution->shape.out_channels;
    size_t width = (size_t)VECTORS * convolution->block, parts = (size_t)convolution->parameters[PANEL] / VECTORS;
    for (size_t o = 0; o < out; ++o) {
        size_t panel = o / width / parts, part = o / width % parts, lane = o % width;
        for (size_t i = 0; i < in; ++i) {
            double transformed[SLICES];
            winograd_transform_filter(weights + (o * in + i) * 9, transformed);
            for (size_t s = 0; s < SLICES; ++s) {
                u[(((panel * SLICES + s) * parts + part) * in + i) * width + lane] = (float)transformed[s];
            }
        }
    }
}

static nst_status create(nst_context *context, struct convolution *convolution, const float *weights,
                         nst_error *error) {
    int tiles = convolution->parameters[TILES], panel = convolution->parameters[PANEL];
    convolution->panel_width = panel * convolution->block;
    convolution->taps = SLICES;
    convolution->tiles_per_round = convolution->parameters[ROUNDS] * tiles;
    char options[96];
    snprintf(options, sizeof options, "-D TILES=%d -D VECTORS=%d -D PANEL=%d -D UNPOOL=%d", tiles, VECTORS, panel,
             convolution->shape.unpools);
    nst_status status = convolution_kernel(context, convolution, "convolution_winograd.cl", options,
                                           "convolution_winograd", &convolution->kernel, error);
    if (status) {
        return status;
    }
    size_t count =
        (size_t)convolution_panels(convolution) * convolution->panel_width * SLICES * convolution->shape.in_channels;
    convolution->weight_bytes = count * sizeof(float);
    float *u = calloc(count, sizeof *u);
    if (!u) {
        return fail_memory(error, count * sizeof *u, "the transformed weights of a convolution");
    }
    transform_filters(convolution, weights, u);
    status = convolution_upload_weights(context, convolution, u, error);
    free(u);
    return status;
}

static uint64_t scratch_bytes(const struct convolution *convolution, int height, int width) {
    (void)height, (void)width;
    uint64_t vectors =
        (uint64_t)convolution->tiles_per_round * (convolution->in_blocks + convolution->parameters[PANEL]) + 2;
    return convolution->work_items * SLICES * vectors * convolution->block * sizeof(cl_float);
}

static nst_status run(nst_context *context, struct convolution *convolution, const struct convolution_call *call,
                      nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width, items = convolution->work_items;
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    int tiles = ((out_height + 3) / 4) * ((out_width + 3) / 4);
    int panels = convolution_panels(convolution), groups = 1;
    /* Where there is not even one full round of tiles for each work-item, they would read the filters for too few tiles
     * each: then `groups` of them transform the same tiles and share out the panels. */
    while ((long long)tiles * groups < (long long)convolution->tiles_per_round * items && items % (2 * groups) == 0 &&
           2 * groups <= panels) {
        groups *= 2;
    }
    return kernel_run(context, convolution->kernel, work_items(items),
                      ARGUMENTS(arg_buffer(call->input), arg_buffer(call->output), arg_buffer(call->mask),
                                arg_buffer(call->selection), arg_buffer(convolution->weights),
                                arg_buffer(convolution->bias), arg_buffer(call->scratch), arg_int(shape->in_channels),
                                arg_int(convolution->out_blocks), arg_int(call->height), arg_int(call->width),
                                arg_int(shape->padding), arg_int(shape->padding_mode),
                                arg_int(convolution->tiles_per_round), arg_int(groups)),
                      error);
}

const struct convolution_methods convolution_winograd = {"winograd F(4x4)", supports,    create, scratch_bytes, run,
                                                         parameters,        set_defaults};
