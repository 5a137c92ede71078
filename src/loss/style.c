/* style.c: the style loss of one layer, on the Gram matrix; see loss.h. */
#include "loss/loss.h"

#include "device/blas.h"
#include "loss/gram_tiles.h"
#include "support/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct style_loss {
    nst_context *context;
    const struct model *model;
    int stage, channels;
    enum product_engine engine;
    struct convolution *gradient; /* 1x1, weights: the difference of the Gram matrices */

    /* Plan entries. */
    int gram, target, difference;
    int products;         /* PACKED, TILES: matrices of parts of the map; CLBLAST: its temporary buffer; -1 for none */
    int gradient_scratch; /* -1 for none */

    int chunk;                        /* PACKED only: pixels that are taken at a time */
    struct gram_tiles tiles;          /* TILES only */
    cl_kernel gram_partial, gram_sum; /* PACKED only */
    cl_kernel gram_blend, gram_difference;
};

const char *product_engine_name(enum product_engine engine) {
    static const char *const names[] = {"auto", "packed", "clblast", "tiles"};
    return names[engine];
}

/* ---- Choice ------------------------------------------------------------------------------------------------------ */

/* CLBlast reads the map itself, as floats. */
static bool is_possible(const nst_context *context, bool half_maps, enum product_engine engine) {
    switch (engine) {
    case PRODUCT_PACKED:
        return context->loops_in_kernel && context->channel_block > 1;
    case PRODUCT_CLBLAST:
        return context->channel_block == 1 && !half_maps;
    case PRODUCT_TILES:
        return !context->loops_in_kernel && context->channel_block == 1 && context->work_group >= 64;
    case PRODUCT_AUTO:
        break;
    }
    return false;
}

enum product_engine product_default(const nst_context *context, bool half_maps, int channels) {
    if (is_possible(context, half_maps, PRODUCT_PACKED)) {
        return PRODUCT_PACKED;
    }
    return is_possible(context, half_maps, PRODUCT_TILES) && (half_maps || gram_tiles_suits(context, channels))
               ? PRODUCT_TILES
               : PRODUCT_CLBLAST;
}

enum product_engine product_choose(const nst_context *context, bool half_maps, int channels) {
    char work[TUNING_WORK_LENGTH];
    product_work(context, channels, work, sizeof work);
    const struct tuning_row *row = tuning_find(&context->tuning, work);
    for (int engine = PRODUCT_PACKED; row && engine <= PRODUCT_TILES; ++engine) {
        if (strcmp(row->choice, product_engine_name(engine)) == 0 && is_possible(context, half_maps, engine)) {
            return engine;
        }
    }
    return product_default(context, half_maps, channels);
}

void product_work(const nst_context *context, int channels, char *work, size_t size) {
    snprintf(work, size, "Gram product, %d channels, block %d", channels, context->channel_block);
}

/* ---- Making it --------------------------------------------------------------------------------------------------- */

/* Register tiles and cache blocks of the packed product. ROWS x COLUMNS vectors are summed up in registers, of which
 * there are 16 with 4 or 8 lanes (SSE, NEON, AVX2), 32 with 16 (AVX-512). A chunk's features take 128 KiB, half of a
 * small L2, or less: a chunk is summed up by itself, and long sums lose digits. */
static void choose_tiles(struct style_loss *loss, char *options, size_t size) {
    enum { CHUNK_FLOATS = 128 * 1024 / sizeof(float), LEAST_CHUNK = 16, MOST_CHUNK = 256 };
    int block = loss->context->channel_block, blocks = (loss->channels + block - 1) / block;
    int chunk = (int)CHUNK_FLOATS / (blocks * block);
    loss->chunk = chunk < LEAST_CHUNK ? LEAST_CHUNK : chunk > MOST_CHUNK ? MOST_CHUNK : chunk;
    snprintf(options, size, "-D ROWS=%d -D COLUMNS=%d %s", block == 16 ? 8 : 4, blocks % 2 ? 1 : 2,
             feature_map_option(model_has_half_maps(loss->model)));
}

static nst_status create_kernels(struct style_loss *loss, nst_error *error) {
    char options[64] = "";
    nst_status status = NST_OK;
    if (loss->engine == PRODUCT_PACKED) {
        choose_tiles(loss, options, sizeof options);
        status = kernel_create(loss->context, "gram.cl", options, "gram_partial", &loss->gram_partial, error);
        if (!status) {
            status = kernel_create(loss->context, "gram.cl", options, "gram_sum", &loss->gram_sum, error);
        }
    }
    if (!status) {
        status = kernel_create(loss->context, "gram.cl", options, "gram_blend", &loss->gram_blend, error);
    }
    return status ? status
                  : kernel_create(loss->context, "gram.cl", options, "gram_difference", &loss->gram_difference, error);
}

nst_status style_loss_create(nst_context *context, const struct model *model, int stage, enum product_engine engine,
                             struct style_loss **result, nst_error *error) {
    *result = NULL;
    struct style_loss *loss = calloc(1, sizeof *loss);
    if (!loss) {
        return fail_memory(error, sizeof *loss, "a style loss");
    }
    int channels = model_channels(model, stage);
    bool half_maps = model_has_half_maps(model);
    *loss = (struct style_loss){
        .context = context,
        .model = model,
        .stage = stage,
        .channels = channels,
        .engine = engine != PRODUCT_AUTO ? engine : product_choose(context, half_maps, channels),
    };
    bool in_place = model_gradient_in_place(model, stage);
    struct convolution_shape shape = {.in_channels = loss->channels,
                                      .out_channels = loss->channels,
                                      .kernel_size = 1,
                                      .padding_mode = PADDING_ZERO,
                                      .epilogue = in_place ? EPILOGUE_MASK : EPILOGUE_MASK_ADD,
                                      .half_maps = half_maps,
                                      .in_place = in_place};
    nst_status status = NST_OK;
    if (!is_possible(context, half_maps, loss->engine)) {
        static const char *const needs[] = {
            [PRODUCT_PACKED] = "the packed Gram product needs a channel block of 4 or more",
            [PRODUCT_CLBLAST] = "CLBlast's Gram product needs a channel block of 1, and single precision",
            [PRODUCT_TILES] = "the tiled Gram product is for GPUs, with a channel block of 1"};
        status = fail(error, NST_ERROR_ARGUMENT, "%s", needs[loss->engine]);
    } else if (loss->engine == PRODUCT_TILES) {
        status = gram_tiles_create(context, half_maps, channels, &loss->tiles, error);
    }
    if (!status) {
        status = create_kernels(loss, error);
    }
    if (!status) {
        status = convolution_create(context, &shape, CONVOLUTION_AUTO, NULL, NULL, &loss->gradient, error);
    }
    if (status) {
        style_loss_destroy(loss);
        return status;
    }
    *result = loss;
    return NST_OK;
}

void style_loss_destroy(struct style_loss *loss) {
    if (loss) {
        convolution_destroy(loss->context, loss->gradient);
        gram_tiles_release(&loss->tiles);
        kernel_release(&loss->gram_partial);
        kernel_release(&loss->gram_sum);
        kernel_release(&loss->gram_blend);
        kernel_release(&loss->gram_difference);
        free(loss);
    }
}

static size_t matrix_elements(const struct style_loss *loss) {
    return (size_t)loss->channels * (size_t)loss->channels;
}
static size_t matrix_bytes(const struct style_loss *loss) {
    return matrix_elements(loss) * sizeof(float);
}

/* G = F F^T with F as it lies there: channels x pixels, row-major. */
static struct blas_product gram_product(const struct style_loss *loss, size_t pixels) {
    return (struct blas_product){.rows = (size_t)loss->channels,
                                 .columns = (size_t)loss->channels,
                                 .inner = pixels,
                                 .transpose_b = true,
                                 .alpha = 1.0f};
}

static uint64_t product_bytes(const struct style_loss *loss, struct image_size size) {
    if (loss->engine == PRODUCT_TILES) {
        return gram_tiles_bytes(loss->context, &loss->tiles, size.height * size.width);
    }
    if (loss->engine == PRODUCT_CLBLAST) {
        struct blas_product product = gram_product(loss, (size_t)size.height * (size_t)size.width);
        return blas_scratch_bytes(loss->context, &product);
    }
    uint64_t block = (uint64_t)loss->context->channel_block;
    uint64_t padded = ((uint64_t)loss->channels + block - 1) / block * block;
    /* The matrix of a work-item, and of halves a chunk as floats. */
    uint64_t floats = padded * (padded + (model_has_half_maps(loss->model) ? (uint64_t)loss->chunk : 0));
    return (uint64_t)loss->context->work_items * floats * sizeof(float);
}

void style_loss_add_to_plan(struct style_loss *loss, struct plan *plan, const struct image_size *sizes,
                            int size_count) {
    uint64_t products = 0, scratch = 0;
    for (int i = 0; i < size_count; ++i) {
        struct image_size size = model_map_size(loss->model, loss->stage, sizes[i]);
        uint64_t product = product_bytes(loss, size);
        uint64_t convolution = convolution_scratch_bytes(loss->gradient, size.height, size.width);
        products = product > products ? product : products;
        scratch = convolution > scratch ? convolution : scratch;
    }
    int losses = model_stage_count(loss->model); /* losses are computed after the last forward step */
    int backward = model_backward_step(loss->model, loss->stage);
    loss->gram = plan_add(plan, matrix_bytes(loss), losses, losses, "Gram matrix %d", loss->stage);
    loss->difference = plan_add(plan, matrix_bytes(loss), losses, backward, "Gram difference %d", loss->stage);
    loss->target = plan_add_always(plan, matrix_bytes(loss), "style target %d", loss->stage);
    loss->products = products ? plan_add(plan, products, losses, losses, "Gram products %d", loss->stage) : -1;
    loss->gradient_scratch =
        scratch ? plan_add(plan, scratch, backward, backward, "style gradient scratch %d", loss->stage) : -1;
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */

nst_status style_loss_gram(struct style_loss *loss, const struct plan *plan, const struct feature_map *map,
                           nst_error *error) {
    size_t pixels = (size_t)map->height * (size_t)map->width;
    cl_mem gram = plan_buffer(plan, loss->gram);
    if (loss->engine == PRODUCT_TILES) {
        return gram_tiles_run(loss->context, &loss->tiles, map->values, (int)pixels, plan_buffer(plan, loss->products),
                              gram, error);
    }
    if (loss->engine == PRODUCT_CLBLAST) {
        struct blas_product product = gram_product(loss, pixels);
        product.a = map->values;
        product.b = map->values;
        product.c = gram;
        product.scratch = loss->products < 0 ? NULL : plan_buffer(plan, loss->products);
        return blas_multiply(loss->context, &product, error);
    }
    cl_mem partials = plan_buffer(plan, loss->products);
    int items = loss->context->work_items;
    nst_status status = kernel_run(loss->context, loss->gram_partial, work_items((size_t)items),
                                   ARGUMENTS(arg_buffer(map->values), arg_buffer(partials), arg_int(loss->channels),
                                             arg_int((int)pixels), arg_int(loss->chunk)),
                                   error);
    if (status) {
        return status;
    }
    return kernel_run(loss->context, loss->gram_sum, work_range(loss->context, (size_t)loss->channels),
                      ARGUMENTS(arg_buffer(partials), arg_buffer(gram), arg_int(loss->channels), arg_int(items)),
                      error);
}

nst_status style_loss_clear_target(struct style_loss *loss, const struct plan *plan, nst_error *error) {
    return buffer_fill_zero(loss->context, plan_buffer(plan, loss->target), matrix_bytes(loss), error);
}

/* What rounding to a float leaves. */
static float rest_of(double scale) {
    return (float)(scale - (float)scale);
}

nst_status style_loss_add_to_target(struct style_loss *loss, const struct plan *plan, double scale, nst_error *error) {
    return kernel_run(loss->context, loss->gram_blend, work_range(loss->context, matrix_elements(loss)),
                      ARGUMENTS(arg_buffer(plan_buffer(plan, loss->gram)), arg_buffer(plan_buffer(plan, loss->target)),
                                arg_int((int)matrix_elements(loss)), arg_float((float)scale),
                                arg_float(rest_of(scale))),
                      error);
}

nst_status style_loss_target_size(struct style_loss *loss, const struct plan *plan, double *squares, nst_error *error) {
    float *target = malloc(matrix_bytes(loss));
    if (!target) {
        return fail_memory(error, matrix_bytes(loss), "a Gram matrix");
    }
    nst_status status =
        buffer_read(loss->context, plan_buffer(plan, loss->target), 0, target, matrix_bytes(loss), error);
    *squares = 0;
    for (size_t i = 0; !status && i < matrix_elements(loss); ++i) {
        *squares += (double)target[i] * target[i];
    }
    free(target);
    return status;
}

nst_status style_loss_value(struct style_loss *loss, const struct plan *plan, struct style_loss_weights weights,
                            struct loss_output output, nst_error *error) {
    return kernel_run(loss->context, loss->gram_difference, reduction_work(loss->context),
                      ARGUMENTS(arg_buffer(plan_buffer(plan, loss->gram)), arg_buffer(plan_buffer(plan, loss->target)),
                                arg_buffer(plan_buffer(plan, loss->difference)), arg_buffer(output.partials),
                                arg_int(output.slot), arg_int((int)matrix_elements(loss)),
                                arg_float((float)weights.weight), arg_float((float)weights.scale),
                                arg_float(rest_of(weights.scale))),
                      error);
}

nst_status style_loss_add_gradient(struct style_loss *loss, const struct plan *plan, const struct feature_map *map,
                                   cl_mem gradient, nst_error *error) {
    cl_mem matrix = plan_buffer(plan, loss->difference); /* symmetric */
    nst_status status = convolution_set_weights(loss->context, loss->gradient, matrix, error);
    if (status) {
        return status;
    }
    struct convolution_call call = {
        .height = map->height,
        .width = map->width,
        .input = map->values,
        .output = gradient,
        .mask = map->mask,
        .scratch = loss->gradient_scratch < 0 ? NULL : plan_buffer(plan, loss->gradient_scratch),
    };
    return convolution_run(loss->context, loss->gradient, &call, error);
}
