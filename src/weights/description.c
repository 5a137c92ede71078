/* description.c: descriptions of networks as JSON, read and written. See description.h. */
#include "weights/description.h"
#include "support/error.h"
#include "support/file.h"
#include "weights/architecture.h"
#include <stdlib.h>
#include <string.h>

#define SIDECAR_LIMIT_BYTES (1u << 20)

const struct tensor_suffixes tensor_suffixes_default = {".weight", ".bias", ".weight.codes", ".weight.codebook",
                                                        ".weight.packed"};

const char *const padding_mode_names[] = {"zero", "reflect", "replicate"};

void description_free(struct description *description) {
    free(description->license);
    free(description->origin);
    free(description->layers);
    *description = (struct description){0};
}

/* ---- Reading --------------------------------------------------------------------------------------------------- */

/* Where a description is read from, for messages. */
struct reader {
    const char *source;
    int layer; /* from 1; 0: not in a layer */
};

static nst_status malformed(const struct reader *reader, const char *key, const char *expected, nst_error *error) {
    if (reader->layer == 0) {
        return fail(error, NST_ERROR_FORMAT, "%s: the description's \"%s\" must be %s", reader->source, key, expected);
    }
    return fail(error, NST_ERROR_FORMAT, "%s: in layer %d of the description, \"%s\" must be %s", reader->source,
                reader->layer, key, expected);
}

/* A text without control characters that fits into `buffer`; left as it is when the key is missing. */
static nst_status read_text(const struct reader *reader, const json_t *object, const char *key, char *buffer,
                            size_t size, nst_error *error) {
    const json_t *value = json_object_get(object, key);
    if (value == NULL) {
        return NST_OK;
    }
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) >= size || text[0] == 0) {
        return malformed(reader, key, "a text, not empty and not too long", error);
    }
    printable(text, strlen(text), buffer, size);
    return NST_OK;
}

/* From the least to the most, both included. */
struct range {
    int least, most;
};

/* A whole number in the range; left as it is when the key is missing. */
static nst_status read_integer(const struct reader *reader, const json_t *object, const char *key, struct range range,
                               int *number, nst_error *error) {
    const json_t *value = json_object_get(object, key);
    char expected[64];
    if (value == NULL) {
        return NST_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < range.least || json_integer_value(value) > range.most) {
        snprintf(expected, sizeof expected, "a whole number from %d to %d", range.least, range.most);
        return malformed(reader, key, expected, error);
    }
    *number = (int)json_integer_value(value);
    return NST_OK;
}

static nst_status read_padding_mode(const struct reader *reader, const json_t *object, enum padding_mode *mode,
                                    nst_error *error) {
    const json_t *value = json_object_get(object, "padding_mode");
    if (value == NULL) {
        return NST_OK;
    }
    for (int i = 0; i < 3 && json_is_string(value); i++) {
        if (strcmp(json_string_value(value), padding_mode_names[i]) == 0) {
            *mode = (enum padding_mode)i;
            return NST_OK;
        }
    }
    return malformed(reader, "padding_mode", "\"zero\", \"reflect\" or \"replicate\"", error);
}

static nst_status read_convolution(const struct reader *reader, const json_t *object, struct described_layer *layer,
                                   nst_error *error) {
    strcpy(layer->tensor, layer->name);
    layer->kernel_size = 3;
    layer->has_bias = true;
    nst_status status = read_text(reader, object, "tensor", layer->tensor, sizeof layer->tensor, error);
    if (!status) {
        status = read_integer(reader, object, "channels", (struct range){1, 16384}, &layer->channels, error);
    }
    if (!status) {
        status = read_integer(reader, object, "kernel", (struct range){1, DESCRIPTION_MAX_KERNEL}, &layer->kernel_size,
                              error);
    }
    if (!status && layer->kernel_size % 2 == 0) {
        status = malformed(reader, "kernel", "odd", error);
    }
    layer->padding = layer->kernel_size / 2;
    if (!status) {
        status =
            read_integer(reader, object, "padding", (struct range){0, layer->kernel_size - 1}, &layer->padding, error);
    }
    if (!status) {
        status = read_padding_mode(reader, object, &layer->padding_mode, error);
    }
    const json_t *bias = json_object_get(object, "bias");
    if (!status && bias != NULL) {
        if (!json_is_boolean(bias)) {
            return malformed(reader, "bias", "true or false", error);
        }
        layer->has_bias = json_is_true(bias);
    }
    return status;
}

/* Adds to the object what read_convolution reads of it, but the tensor, which is called as the layer. */
static void write_convolution(const struct layer *layer, json_t *object) {
    json_object_set_new(object, "channels", json_integer(layer->out_channels));
    json_object_set_new(object, "kernel", json_integer(layer->kernel_size));
    json_object_set_new(object, "padding", json_integer(layer->padding));
    json_object_set_new(object, "padding_mode", json_string(padding_mode_names[layer->padding_mode]));
    json_object_set_new(object, "bias", json_boolean(layer->bias != NULL));
}

/* Each kind of layer: the key under which its name stands, and what else is said of it; NULL: nothing. */
static const struct kind {
    const char *key;
    nst_status (*read)(const struct reader *reader, const json_t *object, struct described_layer *layer,
                       nst_error *error);
    void (*write)(const struct layer *layer, json_t *object);
} kinds[] = {
    [LAYER_CONVOLUTION] = {"convolution", read_convolution, write_convolution},
    [LAYER_RELU] = {"relu", NULL, NULL},
    [LAYER_POOLING] = {"pooling", NULL, NULL},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

const char *description_kind_key(enum layer_kind kind) {
    return kinds[kind].key;
}

static nst_status fail_unknown_kind(const struct reader *reader, nst_error *error) {
    char list[256] = "";
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s\"%s\"",
                 kind == 0                ? ""
                 : kind == KIND_COUNT - 1 ? " and "
                                          : ", ",
                 kinds[kind].key);
    }
    return fail(error, NST_ERROR_FORMAT, "%s: layer %d of the description is none of %s", reader->source, reader->layer,
                list);
}

static nst_status read_layer(const struct reader *reader, const json_t *object, struct described_layer *layer,
                             nst_error *error) {
    *layer = (struct described_layer){0};
    for (int i = 0; i < KIND_COUNT; i++) {
        const struct kind *kind = &kinds[i];
        if (json_object_get(object, kind->key) == NULL) {
            continue;
        }
        layer->kind = (enum layer_kind)i;
        nst_status status = read_text(reader, object, kind->key, layer->name, sizeof layer->name, error);
        return status || kind->read == NULL ? status : kind->read(reader, object, layer, error);
    }
    return fail_unknown_kind(reader, error);
}

static nst_status read_layers(struct reader *reader, const json_t *layers, struct description *description,
                              nst_error *error) {
    size_t count = json_array_size(layers);
    if (!json_is_array(layers) || count == 0 || count > DESCRIPTION_MAX_LAYERS) {
        return malformed(reader, "layers", "a list of 1 to 256 layers", error);
    }
    description->layers = calloc(count, sizeof *description->layers);
    if (description->layers == NULL) {
        return fail_memory(error, count * sizeof *description->layers, "the layers of a network");
    }
    for (size_t i = 0; i < count; i++) {
        reader->layer = (int)i + 1;
        nst_status status = read_layer(reader, json_array_get(layers, i), &description->layers[i], error);
        if (status) {
            return status;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(description->layers[j].name, description->layers[i].name) == 0) {
                return fail(error, NST_ERROR_FORMAT, "%s: the description names two layers %s", reader->source,
                            description->layers[i].name);
            }
        }
    }
    description->layer_count = description->present_layers = (int)count;
    return NST_OK;
}

static nst_status read_free_text(const struct reader *reader, const json_t *object, const char *key, char **text,
                                 nst_error *error) {
    char buffer[1024] = "";
    nst_status status = read_text(reader, object, key, buffer, sizeof buffer, error);
    if (status || buffer[0] == 0) {
        return status;
    }
    *text = strdup(buffer);
    return *text == NULL ? fail_memory(error, strlen(buffer) + 1, key) : NST_OK;
}

nst_status description_parse(const char *source, const char *text, size_t length, struct description *description,
                             nst_error *error) {
    json_error_t problem;
    struct reader reader = {.source = source};
    int format = 0;
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    nst_status status = NST_OK;
    if (!json_is_object(object)) {
        char shown[160];
        const char *reason = object == NULL ? problem.text : "it is not an object";
        status = fail(error, NST_ERROR_FORMAT, "%s: the description of the network is not valid JSON: %s", source,
                      printable(reason, strlen(reason), shown, sizeof shown));
    }
    if (!status) {
        status = read_integer(&reader, object, "format", (struct range){0, 1 << 30}, &format, error);
    }
    if (!status && format != DESCRIPTION_FORMAT) {
        status = fail(error, NST_ERROR_FORMAT, "%s: the description's \"format\" is %d; this nst reads %d", source,
                      format, DESCRIPTION_FORMAT);
    }
    if (!status) {
        status = read_text(&reader, object, "name", description->name, sizeof description->name, error);
    }
    if (!status) {
        status = read_text(&reader, object, "input", description->input, sizeof description->input, error);
    }
    if (!status) {
        bool is_older = json_object_get(object, "license") == NULL; /* nst once spelled it "licence" */
        status = read_free_text(&reader, object, is_older ? "licence" : "license", &description->license, error);
    }
    if (!status) {
        status = read_free_text(&reader, object, "origin", &description->origin, error);
    }
    if (!status) {
        status = read_layers(&reader, json_object_get(object, "layers"), description, error);
    }
    json_decref(object);
    return status;
}

/* ---- Finding --------------------------------------------------------------------------------------------------- */

/* DIR/NAME.json for DIR/NAME.ENDING; from malloc. */
static char *sidecar_path(const char *path) {
    char *sidecar = malloc(strlen(path) + sizeof ".json");
    if (sidecar == NULL) {
        return NULL;
    }
    strcpy(sidecar, path);
    char *slash = strrchr(sidecar, '/');
    char *dot = strrchr(sidecar, '.');
    if (dot != NULL && (slash == NULL || dot > slash + 1)) {
        *dot = 0;
    }
    return strcat(sidecar, ".json");
}

static nst_status read_sidecar(const char *path, struct description *description, bool *found, nst_error *error) {
    char *sidecar = sidecar_path(path);
    if (sidecar == NULL) {
        return fail_memory(error, strlen(path), "a file name");
    }
    unsigned char *data = NULL;
    size_t bytes = 0;
    nst_status status = NST_OK;
    *found = file_exists(sidecar);
    if (*found) {
        status = file_read(sidecar, "description of a network", SIDECAR_LIMIT_BYTES, &data, &bytes, error);
    }
    if (*found && !status) {
        status = description_parse(sidecar, (const char *)data, bytes, description, error);
    }
    free(data);
    free(sidecar);
    return status;
}

/* Plain keys that other writers use; taken only for what nst's own description does not say. */
static void read_plain_metadata(const struct tensor_list *list, struct description *description) {
    const char *input = json_string_value(json_object_get(list->metadata, "input"));
    const char *origin = json_string_value(json_object_get(list->metadata, "source"));
    if (input != NULL && description->input[0] == 0) {
        printable(input, strlen(input), description->input, sizeof description->input);
    }
    if (origin != NULL && description->origin == NULL && (description->origin = malloc(strlen(origin) + 1)) != NULL) {
        printable(origin, strlen(origin), description->origin, strlen(origin) + 1);
    }
}

nst_status description_find(const struct tensor_list *list, struct description *description, nst_error *error) {
    *description = (struct description){.suffixes = &tensor_suffixes_default};
    const json_t *own = json_object_get(list->metadata, DESCRIPTION_KEY);
    nst_status status = NST_OK;
    bool found = own != NULL;
    if (found && !json_is_string(own)) {
        return fail(error, NST_ERROR_FORMAT, "%s: the metadata's " DESCRIPTION_KEY " is not a text", list->path);
    }
    if (found) {
        status = description_parse(list->path, json_string_value(own), json_string_length(own), description, error);
    } else if (list->memory == NULL) {
        status = read_sidecar(list->path, description, &found, error);
    }
    if (!status && !found) {
        status = architecture_recognize(list, description, error);
    }
    if (status) {
        return status;
    }
    read_plain_metadata(list, description);
    if (description->license == NULL) {
        description->license = strdup("");
    }
    if (description->origin == NULL) {
        description->origin = strdup("");
    }
    return description->license == NULL || description->origin == NULL
               ? fail_memory(error, 1, "the description of a network")
               : NST_OK;
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

static json_t *layer_object(const struct layer *layer) {
    const struct kind *kind = &kinds[layer->kind];
    json_t *object = json_pack("{s:s}", kind->key, layer->name);
    if (kind->write != NULL) {
        kind->write(layer, object);
    }
    return object;
}

char *description_text(const nst_network *network, const char *name, const char *input) {
    json_t *layers = json_array();
    for (int i = 0; i < network->layer_count; i++) {
        json_array_append_new(layers, layer_object(&network->layers[i]));
    }
    json_t *object = json_pack("{s:i, s:s}", "format", DESCRIPTION_FORMAT, "input", input);
    if (object != NULL && name[0] != 0) {
        json_object_set_new(object, "name", json_string(name));
    }
    if (object != NULL && network->license[0] != 0) {
        json_object_set_new(object, "license", json_string(network->license));
    }
    if (object != NULL && network->origin[0] != 0) {
        json_object_set_new(object, "origin", json_string(network->origin));
    }
    json_object_set_new(object, "layers", layers);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}
