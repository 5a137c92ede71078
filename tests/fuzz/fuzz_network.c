/* fuzz_network.c: a whole network file, from its first byte to its values. FORMAT is SAFETENSORS, TORCH_LEGACY,
 * TORCH_ZIP or KERAS: the others' files are left to the others. */
#include "weights/description.h"
#include <stdlib.h>
#include <string.h>

#define LARGEST_TENSOR (1u << 20) /* elements; a small file can promise more only by naming its bytes many times */

enum format { SAFETENSORS, TORCH_LEGACY, TORCH_ZIP, KERAS };

static const struct {
    size_t offset;
    const char *start;
} formats[] = {{8, "{"}, {0, "\x80"}, {0, "PK\3\4"}, {0, "\x89HDF\r\n\x1a\n"}};

/* An error is one line, and a success leaves none. */
static void check_error(nst_status status, const nst_error *error) {
    if ((status == NST_OK) != (error->message[0] == 0) || strchr(error->message, '\n') != NULL)
        abort();
}

static void read_tensors(const struct tensor_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        float *values = NULL;
        nst_error error = {NST_OK, ""};
        if (list->tensors[i].count <= LARGEST_TENSOR)
            check_error(tensor_read(list, &list->tensors[i], &values, &error), &error);
        free(values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const nst_network_options options = {.input_convention = "caffe"};
    struct tensor_list list;
    nst_error error = {NST_OK, ""};
    size_t length = strlen(formats[FORMAT].start);
    if (bytes < formats[FORMAT].offset + length ||
        memcmp(data + formats[FORMAT].offset, formats[FORMAT].start, length) != 0)
        return 0;
    nst_status status = tensor_list_open_memory("file", data, bytes, &list, &error);
    check_error(status, &error);
    if (status != NST_OK)
        return 0;
    nst_network *network;
    struct description description;
    status = network_read(&list, &options, NULL, &network, &description, &error);
    check_error(status, &error);
    nst_network_destroy(network);
    description_free(&description);
    read_tensors(&list);
    tensor_list_close(&list);
    return 0;
}
