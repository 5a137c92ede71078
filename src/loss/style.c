/* style.c: the style loss of one layer, on the Gram matrix; see loss.h. */
#include "loss/loss.h"

#include "support/error.h"

#include <stdlib.h>

struct style_loss {
    nst_context *context;
    const struct model *model;
    int stage, channels;
    struct product *product;
    struct convolution *gradient; /* 1x1, weights: the difference of the Gram matrices */

    /* Plan entries. */
    int gram, target, difference;
    int products;         /* the product's scratch, -1 for none */
    int gradient_scratch; /* -1 for none */

    cl_kernel gram_blend, gram_difference;
};

/* ---- Making it --------------------------------------------------------------------------------------------------- */

/* Of the program that the model has anyway. */
static nst_status create_kernels(struct style_loss *loss, nst_error *error) {
    const char *option = feature_map_option(model_has_half_maps(loss->model));
    nst_status status = kernel_create(loss->context, "passes.cl", option, "gram_blend", &loss->gram_blend, error);
    return status ? status
                  : kernel_create(loss->context, "passes.cl", option, "gram_difference", &loss->gram_difference, error);
}

nst_status style_loss_create(nst_context *context, const struct model *model, int stage,
                             const struct product_engine *engine, struct style_loss **result, nst_error *error) {
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
    };
    bool in_place = model_gradient_in_place(model, stage);
    struct convolution_shape shape = {.in_channels = loss->channels,
                                      .out_channels = loss->channels,
                                      .kernel_size = 1,
                                      .padding_mode = PADDING_ZERO,
                                      .epilogue = in_place ? EPILOGUE_MASK : EPILOGUE_MASK_ADD,
                                      .half_maps = half_maps,
                                      .in_place = in_place};
    struct product_shape product = {.kind = PRODUCT_GRAM, .rows = channels, .half_maps = half_maps};
    nst_status status = product_create(context, &product, engine, &loss->product, error);
    if (!status) {
        status = create_kernels(loss, error);
    }
    if (!status) {
        status = convolution_create(context, &shape, NULL, NULL, &loss->gradient, error);
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
        product_destroy(loss->product);
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

void style_loss_add_to_plan(struct style_loss *loss, struct plan *plan, const struct image_size *sizes,
                            int size_count) {
    uint64_t products = 0, scratch = 0;
    for (int i = 0; i < size_count; ++i) {
        struct image_size size = model_map_size(loss->model, loss->stage, sizes[i]);
        uint64_t product = product_scratch_bytes(loss->product, size.height * size.width);
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
    struct product_call call = {
        .extent = map->height * map->width,
        .a = map->values,
        .c = plan_buffer(plan, loss->gram),
        .scratch = loss->products < 0 ? NULL : plan_buffer(plan, loss->products),
    };
    return product_run(loss->product, &call, error);
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
