/* convert.c: `nst weights convert`: any network that nst reads, as one safetensors file. See tools.h. */
#include "support/error.h"
#include "support/file.h"
#include "weights/codebook.h"
#include "weights/description.h"
#include "weights/half.h"
#include "weights/safetensors.h"
#include "weights/tools.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The tensors to write, and what was allocated for them. */
struct output {
    enum weights_storage storage;
    struct safetensors_item *items; /* at most three for each layer */
    size_t count;
    void **blocks;
    size_t block_count;
    struct weights_conversion *conversion; /* what it came to */
};

static void add_item(struct output *output, const struct layer *layer, const char *suffix, enum tensor_type type,
                     const void *data) {
    struct safetensors_item *item = &output->items[output->count++];
    *item = (struct safetensors_item){.type = type, .data = data, .dimensions = 1};
    snprintf(item->name, sizeof item->name, "%s%s", layer->name, suffix);
    item->shape[0] = layer->out_channels;
}

static void add_filters(struct output *output, const struct layer *layer, const char *suffix, enum tensor_type type,
                        const void *data) {
    add_item(output, layer, suffix, type, data);
    struct safetensors_item *item = &output->items[output->count - 1];
    item->dimensions = 4;
    item->shape[1] = layer->in_channels;
    item->shape[2] = item->shape[3] = layer->kernel_size;
}

/* Notes the error of a layer if it is the largest so far. `square_error` is the sum over its weights. */
static void note_error(struct output *output, const struct layer *layer, double square_error) {
    double squares = 0;
    for (size_t i = 0; i < layer_weight_count(layer); i++) {
        squares += (double)layer->weights[i] * (double)layer->weights[i];
    }
    double relative = squares > 0 ? sqrt(square_error / squares) : 0;
    if (relative <= output->conversion->worst_error) {
        return;
    }
    output->conversion->worst_error = relative;
    strcpy(output->conversion->worst_layer, layer->name);
}

/* Room that is freed with the output, or NULL. */
static void *add_block(struct output *output, size_t bytes, nst_error *error) {
    void *block = malloc(bytes);
    if (block == NULL) {
        fail_memory(error, bytes, "the weights of a layer to write");
    } else {
        output->blocks[output->block_count++] = block;
    }
    return block;
}

/* ---- Codes and a codebook -------------------------------------------------------------------------------------- */

/* Adds the codes as bytes, or packed where they need fewer than 8 bits; the codebook is then filled up. */
static nst_status add_codes(struct output *output, const struct layer *layer, unsigned char *codes, float *codebook,
                            int size, nst_error *error) {
    size_t count = layer_weight_count(layer);
    int bits = codebook_bits(size);
    if (bits < CODEBOOK_MAX_BITS) {
        size_t bytes = (size_t)codebook_packed_bytes(count, bits);
        unsigned char *packed = add_block(output, bytes, error);
        if (packed == NULL) {
            return NST_ERROR_MEMORY;
        }
        codebook_pack(codes, count, bits, packed);
        for (; size < 1 << bits; size++) {
            codebook[size] = codebook[size - 1];
        }
        add_item(output, layer, tensor_suffixes_default.packed, TENSOR_U8, packed);
        output->items[output->count - 1].shape[0] = (int)bytes;
    } else {
        add_filters(output, layer, tensor_suffixes_default.codes, TENSOR_U8, codes);
    }
    add_item(output, layer, tensor_suffixes_default.codebook, TENSOR_F32, codebook);
    output->items[output->count - 1].shape[0] = size;
    return NST_OK;
}

/* Adds the filters as codes if that loses nothing and saves space, or, when it is asked for, if it only saves space.
 * `*added` says whether it did. */
static nst_status add_coded(struct output *output, const struct layer *layer, bool *added, nst_error *error) {
    size_t count = layer_weight_count(layer);
    *added = false;
    if (count <= 2 * CODEBOOK_MAX) { /* the codebook itself would take more than is saved */
        return NST_OK;
    }
    unsigned char *codes = add_block(output, count, error);
    float *codebook = codes == NULL ? NULL : add_block(output, CODEBOOK_MAX * sizeof *codebook, error);
    if (codebook == NULL) {
        return NST_ERROR_MEMORY;
    }
    int size = codebook_make(layer->weights, count, codes, codebook);
    int most = output->storage == WEIGHTS_LOSSLESS ? CODEBOOK_MAX : 1 << (int)output->storage;
    if (size == 0 && output->storage == WEIGHTS_LOSSLESS) {
        return NST_OK;
    }
    if (size == 0 || size > most) {
        size = codebook_fit(layer->weights, count, most, codes, codebook, error);
        if (size == 0) {
            return NST_ERROR_MEMORY;
        }
        double square_error = 0;
        for (size_t i = 0; i < count; i++) {
            square_error += pow((double)codebook[codes[i]] - (double)layer->weights[i], 2);
        }
        note_error(output, layer, square_error);
    }
    *added = true;
    return add_codes(output, layer, codes, codebook, size, error);
}

/* ---- 16 bits --------------------------------------------------------------------------------------------------- */

/* Writes the weights, rounded, as little-endian bytes; returns the sum of the squared errors. */
static double round_weights(const struct layer *layer, enum tensor_type type, unsigned char *bytes) {
    double square_error = 0;
    for (size_t i = 0; i < layer_weight_count(layer); i++) {
        float value = layer->weights[i];
        uint16_t bits = type == TENSOR_F16 ? half_from_float(value) : bfloat16_from_float(value);
        float rounded = type == TENSOR_F16 ? half_to_float(bits) : bfloat16_to_float(bits);
        square_error += pow((double)rounded - (double)value, 2);
        bytes[2 * i] = (unsigned char)bits;
        bytes[2 * i + 1] = (unsigned char)(bits >> 8);
    }
    return square_error;
}

/* Adds the filters in the 16-bit type that loses less. That is F16, which has three bits more of fraction, unless they
 * are so large (over 65504) or so small (near 6e-8) that its exponent does not reach. */
static nst_status add_rounded(struct output *output, const struct layer *layer, nst_error *error) {
    size_t bytes = 2 * layer_weight_count(layer);
    unsigned char *half = add_block(output, bytes, error);
    unsigned char *bfloat16 = half == NULL ? NULL : add_block(output, bytes, error);
    if (bfloat16 == NULL) {
        return NST_ERROR_MEMORY;
    }
    double half_error = round_weights(layer, TENSOR_F16, half);
    double bfloat16_error = round_weights(layer, TENSOR_BF16, bfloat16);
    bool takes_half = half_error <= bfloat16_error;
    note_error(output, layer, takes_half ? half_error : bfloat16_error);
    add_filters(output, layer, tensor_suffixes_default.weight, takes_half ? TENSOR_F16 : TENSOR_BF16,
                takes_half ? half : bfloat16);
    return NST_OK;
}

/* ---- The network ----------------------------------------------------------------------------------------------- */

static nst_status add_convolution(struct output *output, const struct layer *layer, nst_error *error) {
    bool added = false;
    nst_status status = NST_OK;
    if (layer->bias != NULL) {
        add_item(output, layer, tensor_suffixes_default.bias, TENSOR_F32, layer->bias);
    }
    if (output->storage <= WEIGHTS_8_BITS) {
        status = add_coded(output, layer, &added, error);
    }
    if (!status && output->storage == WEIGHTS_16_BITS) {
        return add_rounded(output, layer, error);
    }
    if (!status && !added) {
        add_filters(output, layer, tensor_suffixes_default.weight, TENSOR_F32, layer->weights);
    }
    return status;
}

/* Larger types first, so that all lie at multiples of their size. */
static int compare_types(const void *a, const void *b) {
    const struct safetensors_item *x = a, *y = b;
    size_t x_bytes = tensor_type_info(x->type)->bytes, y_bytes = tensor_type_info(y->type)->bytes;
    if (x_bytes != y_bytes) {
        return x_bytes > y_bytes ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

static nst_status write_network(const nst_network *network, const struct description *description, const char *path,
                                enum weights_storage storage, struct weights_conversion *conversion, nst_error *error) {
    size_t layers = (size_t)network->layer_count;
    struct output output = {.storage = storage, .conversion = conversion};
    nst_status status = NST_OK;
    output.items = calloc(3 * layers, sizeof *output.items);
    output.blocks = calloc(3 * layers, sizeof *output.blocks);
    char *text = description_text(network, description->name, description->input);
    json_t *metadata = text == NULL ? NULL : json_pack("{s:s}", DESCRIPTION_KEY, text);
    if (output.items == NULL || output.blocks == NULL || metadata == NULL) {
        status = fail_memory(error, 3 * layers * sizeof *output.items, "the network to write");
    }
    for (size_t i = 0; i < layers && !status; i++) {
        if (network->layers[i].kind == LAYER_CONVOLUTION) {
            status = add_convolution(&output, &network->layers[i], error);
        }
    }
    if (!status) {
        qsort(output.items, output.count, sizeof *output.items, compare_types);
        status = safetensors_write(path, output.items, output.count, metadata, error);
    }
    for (size_t i = 0; i < output.block_count; i++) {
        free(output.blocks[i]);
    }
    free(output.blocks);
    free(output.items);
    json_decref(metadata);
    free(text);
    return status;
}

nst_status weights_convert(const char *in, const char *out, const nst_network_options *options,
                           enum weights_storage storage, struct weights_conversion *conversion, nst_error *error) {
    static const char ending[] = ".safetensors";
    size_t length = strlen(out);
    *conversion = (struct weights_conversion){0};
    if (length < sizeof ending || strcmp(out + length - (sizeof ending - 1), ending) != 0) {
        return fail(error, NST_ERROR_ARGUMENT, "cannot convert to %s: the name must end in %s", out, ending);
    }
    nst_network *network = NULL;
    struct description description;
    nst_status status = network_open_described(in, options, false, &network, &description, error);
    if (status) {
        return status;
    }
    status = file_make_folder_of(out, error);
    if (!status) {
        status = write_network(network, &description, out, storage, conversion, error);
    }
    nst_network_destroy(network);
    description_free(&description);
    return status;
}
