/* tools.h: what `nst weights list|info|convert` does; the command line only parses and prints. */
#ifndef WEIGHTS_TOOLS_H
#define WEIGHTS_TOOLS_H

#include "nst.h"
#include "weights/locate.h"

#define WEIGHTS_LIST_MAX 256

/* The network that is taken when none is named: the one that comes with nst (weights/README.md). */
#define WEIGHTS_DEFAULT_NAME "vgg19-reduced"

/* A network file found in one of the folders. */
struct weights_file {
    char *name; /* what to give to --network */
    char *path;
    uint64_t bytes;
    const char *folder; /* "yours", "installed", "source tree" */
    bool is_default;    /* taken when no network is named */
    bool is_hidden;     /* an earlier folder has the same name: this one is reached by its path only */
};

struct weights_list {
    struct weights_file *files; /* by folder, then by name */
    size_t count;
    char *folders[FOLDER_COUNT_MAX]; /* where networks are looked for, in this order; they need not exist */
    const char *folder_titles[FOLDER_COUNT_MAX];
    int folder_count;
};

/* Lists the networks by name and place; their content is not looked at. Free with weights_list_free. */
nst_status weights_list_create(struct weights_list *list, nst_error *error);
void weights_list_free(struct weights_list *list);

/* Prints the list as a table, and the folders that were searched. */
void weights_list_print(const struct weights_list *list, FILE *stream);

/* Opens a network (name or path; `options` as for nst_network_open) and prints name, file, checksum, input convention,
 * license and origin, and for each layer its shape, the bits of a stored weight and its weights' minimum, maximum, mean
 * and deviation; what looks broken (channels of zeros, one value for all, absurd sizes) is marked. Errors: as
 * nst_network_open, but values that are not finite are an error only once all has been printed. */
nst_status weights_info(const char *name_or_path, const nst_network_options *options, FILE *stream, nst_error *error);

/* How weights_convert stores the weights, the values being the bits of each; biases are always F32. Codes take no more
 * bits than they need, and where those are fewer than 8 they are packed (codebook.h). */
enum weights_storage {
    WEIGHTS_LOSSLESS = 0, /* codes where a layer's weights take at most 256 different values, else F32 */
    WEIGHTS_4_BITS = 4,   /* codes, with a codebook fitted to the weights where they take more values than that many */
    WEIGHTS_5_BITS = 5,   /* bits tell apart */
    WEIGHTS_6_BITS = 6,
    WEIGHTS_7_BITS = 7,
    WEIGHTS_8_BITS = 8,
    WEIGHTS_16_BITS = 16, /* F16, or BF16 for a layer that it suits better */
    WEIGHTS_32_BITS = 32  /* F32 */
};

/* What a conversion has lost: of the layer that lost most, the root of the mean squared error over that of the weights;
 * 0 and "" if nothing was lost. */
struct weights_conversion {
    double worst_error;
    char worst_layer[32];
};

/* Reads the network `in` (name or path; `options` as for nst_network_open) and writes it as safetensors to `out`, with
 * its description in the metadata. `out` appears complete or not at all; its folder is created if it is missing.
 * Errors: as nst_network_open; NST_ERROR_ARGUMENT if `out` does not end in .safetensors. */
nst_status weights_convert(const char *in, const char *out, const nst_network_options *options,
                           enum weights_storage storage, struct weights_conversion *conversion, nst_error *error);

#endif
