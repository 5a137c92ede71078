/* convert.c: `nst weights convert`: any network that nst reads, as one safetensors file. See tools.h. */
#include "support/error.h"
#include "support/file.h"
#include "weights/codebook.h"
#include "weights/description.h"
#include "weights/safetensors.h"
#include "weights/tools.h"
#include <stdlib.h>
#include <string.h>

/* The tensors to write, and what was allocated for them. */
struct output {
    struct safetensors_item *items; /* at most three for each layer */
    size_t count;
    void **blocks;
    size_t block_count;
};

static void add_item(struct output *output, const struct layer *layer, const char *suffix, enum tensor_type type,
                     const void *data) {
    struct safetensors_item *item = &output->items[output->count++];
    *item = (struct safetensors_item){.type = type, .data = data, .dimensions = 1};
    snprintf(item->name, sizeof item->name, "%s%s", layer->name, suffix);
    item->shape[0] = layer->out_channels;
}

static void set_filter_shape(struct output *output, const struct layer *layer) {
    struct safetensors_item *item = &output->items[output->count - 1];
    item->dimensions = 4;
    item->shape[1] = layer->in_channels;
    item->shape[2] = item->shape[3] = layer->kernel_size;
}

/* Adds a convolution: as codes and codebook where that loses nothing and saves space, else as floats. */
static nst_status add_convolution(struct output *output, const struct layer *layer, nst_error *error) {
    size_t count = (size_t)layer->out_channels * (size_t)layer->in_channels * (size_t)layer->kernel_size *
                   (size_t)layer->kernel_size;
    unsigned char *codes = malloc(count);
    float *codebook = malloc(CODEBOOK_MAX * sizeof *codebook);
    if (codes == NULL || codebook == NULL) {
        free(codes);
        free(codebook);
        return fail_memory(error, count + CODEBOOK_MAX * sizeof *codebook, "the codes of a layer");
    }
    output->blocks[output->block_count++] = codes;
    output->blocks[output->block_count++] = codebook;
    int size = count > 2 * CODEBOOK_MAX ? codebook_make(layer->weights, count, codes, codebook) : 0;
    if (size > 0) {
        add_item(output, layer, tensor_suffixes_default.codebook, TENSOR_F32, codebook);
        output->items[output->count - 1].shape[0] = size;
    }
    if (layer->bias != NULL)
        add_item(output, layer, tensor_suffixes_default.bias, TENSOR_F32, layer->bias);
    add_item(output, layer, size > 0 ? tensor_suffixes_default.codes : tensor_suffixes_default.weight,
             size > 0 ? TENSOR_U8 : TENSOR_F32, size > 0 ? (const void *)codes : layer->weights);
    set_filter_shape(output, layer);
    return NST_OK;
}

/* Floats before bytes, so that the floats lie at multiples of four. */
static int compare_types(const void *a, const void *b) {
    const struct safetensors_item *x = a, *y = b;
    if (x->type != y->type)
        return x->type == TENSOR_F32 ? -1 : 1;
    return strcmp(x->name, y->name);
}

static nst_status write_network(const nst_network *network, const struct description *description, const char *path,
                                nst_error *error) {
    size_t layers = (size_t)network->layer_count;
    struct output output = {0};
    nst_status status = NST_OK;
    output.items = calloc(3 * layers, sizeof *output.items);
    output.blocks = calloc(2 * layers, sizeof *output.blocks);
    char *text = description_text(network, description->name, description->input);
    json_t *metadata = text == NULL ? NULL : json_pack("{s:s}", DESCRIPTION_KEY, text);
    if (output.items == NULL || output.blocks == NULL || metadata == NULL)
        status = fail_memory(error, 3 * layers * sizeof *output.items, "the network to write");
    for (size_t i = 0; i < layers && status == NST_OK; i++)
        if (network->layers[i].kind == LAYER_CONVOLUTION)
            status = add_convolution(&output, &network->layers[i], error);
    if (status == NST_OK) {
        qsort(output.items, output.count, sizeof *output.items, compare_types);
        status = safetensors_write(path, output.items, output.count, metadata, error);
    }
    for (size_t i = 0; i < output.block_count; i++)
        free(output.blocks[i]);
    free(output.blocks);
    free(output.items);
    json_decref(metadata);
    free(text);
    return status;
}

static nst_status make_folder_of(const char *path, nst_error *error) {
    char *folder = copy_text(path);
    if (folder == NULL)
        return fail_memory(error, strlen(path), "a file name");
    char *slash = strrchr(folder, '/');
    nst_status status = NST_OK;
    if (slash != NULL && slash != folder) {
        *slash = 0;
        status = file_make_folders(folder, error);
    }
    free(folder);
    return status;
}

nst_status weights_convert(const char *in, const char *out, const nst_network_options *options, nst_error *error) {
    static const char ending[] = ".safetensors";
    size_t length = strlen(out);
    if (length < sizeof ending || strcmp(out + length - (sizeof ending - 1), ending) != 0)
        return fail(error, NST_ERROR_ARGUMENT, "cannot convert to %s: the name must end in %s", out, ending);
    nst_network *network = NULL;
    struct description description;
    nst_status status = network_open_described(in, options, false, &network, &description, error);
    if (status != NST_OK)
        return status;
    status = make_folder_of(out, error);
    if (status == NST_OK)
        status = write_network(network, &description, out, error);
    nst_network_destroy(network);
    description_free(&description);
    return status;
}
