/* keras.c: HDF5 files as Keras writes its weights. libhdf5 tells what is in the file and where; the values, which must
 * lie in one piece and as they are, are read like those of every other format, within the bounds of the file.
 *
 * A damaged file can bring libhdf5 down (1.10 reads through a null pointer). So it works in a child process, which
 * writes what it found into a pipe; what comes out there is checked as if it came from the file.
 *
 * A kernel of Keras is [height][width][in][out]; its strides make it a tensor of [out][in][height][width]. Names are
 * paths: /block1_conv1/block1_conv1_W_1:0 in the old files of keras-applications, block1_conv1/block1_conv1/kernel:0
 * from save_weights, and the same below model_weights/ from save. */
#include "support/child.h"
#include "support/error.h"
#include "weights/tensors.h"
#include <stdlib.h>
#include <string.h>

#ifndef NST_HDF5

nst_status keras_list(struct tensor_list *list, nst_error *error) {
    return fail(
        error, NST_ERROR_FORMAT,
        "%s is an HDF5 file (Keras), which this nst was built without; install libhdf5 (Debian, Ubuntu: apt install "
        "libhdf5-dev) and build again, or convert the file to safetensors",
        list->path);
}

#else
#include <hdf5.h>
#include <sys/resource.h>

#define MAX_DEPTH   8      /* groups within groups */
#define MAX_OBJECTS 100000 /* a group that contains itself is not walked through for ever */
#define ROOT        "model_weights/"
#define PATIENCE_S  20 /* of processor time */

/* Where the walk through the groups is. */
struct walk {
    struct tensor_list *list;
    nst_error *error;
    nst_status status;
    int depth, objects;
    char path[512]; /* of the group, with a slash behind it, or "" */
};

/* The type of a dataset's elements; false if nst does not read it. */
static bool find_type(hid_t dataset, enum tensor_type *found) {
    static const struct {
        H5T_class_t class;
        size_t bytes;
        enum tensor_type type;
    } types[] = {{H5T_FLOAT, 2, TENSOR_F16},
                 {H5T_FLOAT, 4, TENSOR_F32},
                 {H5T_FLOAT, 8, TENSOR_F64},
                 {H5T_INTEGER, 8, TENSOR_I64}}; /* counters of optimizers, listed and never read */
    bool known = false;
    hid_t type = H5Dget_type(dataset);
    if (type < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (H5Tget_class(type) == types[i].class && H5Tget_size(type) == types[i].bytes &&
            H5Tget_order(type) == H5T_ORDER_LE) {
            *found = types[i].type;
            known = true;
        }
    }
    H5Tclose(type);
    return known;
}

/* The shape, a kernel's turned; false if it has too many dimensions. */
static bool find_shape(hid_t dataset, struct tensor *tensor) {
    /* The dimensions of a kernel in the file, and those that they become. */
    static const int turned[4] = {2, 3, 1, 0};
    hsize_t shape[H5S_MAX_RANK], stride = 1;
    hid_t space = H5Dget_space(dataset);
    int dimensions = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    bool read = dimensions >= 0 && dimensions <= TENSOR_MAX_DIMENSIONS &&
                H5Sget_simple_extent_dims(space, shape, NULL) == dimensions;
    if (space >= 0) {
        H5Sclose(space);
    }
    if (!read) {
        return false;
    }
    tensor->dimensions = dimensions;
    for (int i = dimensions - 1; i >= 0; i--) {
        int place = dimensions == 4 ? turned[i] : i;
        tensor->shape[place] = shape[i];
        tensor->strides[place] = stride;
        if (shape[i] > 0 && stride > UINT64_MAX / 8 / shape[i]) {
            return false;
        }
        stride *= shape[i];
    }
    return tensor_measure(tensor, false);
}

/* Where the values lie; false if they are not in one piece, or compressed. */
static bool find_place(hid_t dataset, uint64_t *offset_bytes) {
    hid_t creation = H5Dget_create_plist(dataset);
    bool plain = creation >= 0 && H5Pget_layout(creation) == H5D_CONTIGUOUS && H5Pget_external_count(creation) == 0;
    if (creation >= 0) {
        H5Pclose(creation);
    }
    haddr_t address = plain ? H5Dget_offset(dataset) : HADDR_UNDEF;
    *offset_bytes = address;
    return address != HADDR_UNDEF;
}

static nst_status add_dataset(struct walk *walk, hid_t dataset) {
    struct tensor_list *list = walk->list;
    const char *name = strncmp(walk->path, ROOT, strlen(ROOT)) == 0 ? walk->path + strlen(ROOT) : walk->path;
    struct tensor tensor = {.zip_entry = -1};
    char shown[80];
    printable(name, strlen(name), shown, sizeof shown);
    if (!find_type(dataset, &tensor.type)) {
        return NST_OK; /* texts and the like */
    }
    if (!find_shape(dataset, &tensor)) {
        return fail(walk->error, NST_ERROR_FORMAT, "%s: the shape of the dataset %s is impossibly large", list->path,
                    shown);
    }
    if (tensor.count > 0 && !find_place(dataset, &tensor.offset_bytes)) {
        return fail(walk->error, NST_ERROR_FORMAT,
                    "%s: the values of the dataset %s are missing, or stored in pieces or compressed; save it without "
                    "compression",
                    list->path, shown);
    }
    return tensor_list_add(list, name, &tensor, walk->error);
}

static herr_t visit(hid_t group, const char *name, const H5L_info_t *link, void *data);

static nst_status visit_object(struct walk *walk, hid_t object) {
    nst_status status = NST_OK;
    if (H5Iget_type(object) == H5I_DATASET) {
        return add_dataset(walk, object);
    }
    if (H5Iget_type(object) != H5I_GROUP || walk->depth == MAX_DEPTH) {
        return NST_OK;
    }
    walk->depth++;
    strcat(walk->path, "/");
    if (H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, walk) < 0) {
        status = fail(walk->error, NST_ERROR_FORMAT, "%s is damaged: libhdf5 cannot list the group %s; get it again",
                      walk->list->path, walk->path);
    }
    walk->depth--;
    return walk->status ? walk->status : status;
}

/* Called by libhdf5 for every link in a group. Links to other files and by name are not followed. */
static herr_t visit(hid_t group, const char *name, const H5L_info_t *link, void *data) {
    struct walk *walk = data;
    size_t length = strlen(walk->path);
    char shown[80];
    printable(name, strlen(name), shown, sizeof shown);
    if (link->type != H5L_TYPE_HARD) {
        return 0;
    }
    if (++walk->objects > MAX_OBJECTS || length + strlen(name) + 2 > sizeof walk->path) {
        walk->status =
            fail(walk->error, NST_ERROR_FORMAT, "%s is no network: more than %d objects, or the long name %s",
                 walk->list->path, MAX_OBJECTS, shown);
        return 1;
    }
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) {
        walk->status = fail(walk->error, NST_ERROR_FORMAT, "%s is damaged: libhdf5 cannot open %s; get it again",
                            walk->list->path, shown);
        return 1;
    }
    strcpy(walk->path + length, name);
    walk->status = visit_object(walk, object);
    walk->path[length] = 0;
    H5Oclose(object);
    return !walk->status ? 0 : 1;
}

/* The file as libhdf5 has it; negative if it is none. */
static hid_t open_file(const struct tensor_list *list) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    bool ready = access >= 0;
    if (ready && list->memory != NULL) { /* the image is copied; it is not written back */
        ready = H5Pset_fapl_core(access, 65536, false) >= 0 &&
                H5Pset_file_image(access, (void *)list->memory, (size_t)list->file_bytes) >= 0;
    }
    if (ready) {
        file = H5Fopen(list->path, H5F_ACC_RDONLY, access);
    }
    if (access >= 0) {
        H5Pclose(access);
    }
    return file;
}

/* ---- In the child ---------------------------------------------------------------------------------------------- */

/* What the child says first; so many struct found follow. */
struct report {
    nst_error error; /* its status is that of the whole */
    size_t count;
};

struct found {
    char name[TENSOR_NAME_LENGTH + 1];
    struct tensor tensor; /* its name is not set */
};

static nst_status walk_file(struct tensor_list *list, nst_error *error) {
    struct walk walk = {.list = list, .error = error, .status = NST_OK};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* libhdf5 prints its errors; here they are returned */
    hid_t file = open_file(list);
    if (file < 0) {
        return fail(error, NST_ERROR_FORMAT, "%s is truncated or damaged: libhdf5 cannot open it; get it again",
                    list->path);
    }
    if (H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, &walk) < 0 && !walk.status) {
        return fail(error, NST_ERROR_FORMAT, "%s is damaged: libhdf5 cannot list what is in it; get it again",
                    list->path);
    }
    return walk.status;
}

/* A child_talk. */
static void tell_tensors(void *user, int pipe_end) {
    struct tensor_list *list = user;
    struct report report = {.error = {NST_OK, ""}};
    setrlimit(RLIMIT_CPU, &(struct rlimit){PATIENCE_S, PATIENCE_S});
    report.error.status = walk_file(list, &report.error);
    report.count = list->count;
    child_send(pipe_end, &report, sizeof report);
    for (size_t i = 0; i < list->count; i++) {
        struct found found = {.tensor = list->tensors[i]};
        found.tensor.name = NULL;
        strcpy(found.name, list->tensors[i].name); /* tensor_list_add has seen to its length */
        child_send(pipe_end, &found, sizeof found);
    }
}

/* ---- In the parent --------------------------------------------------------------------------------------------- */

/* Adds a tensor that the child has found, once it is known to lie within the file. */
static nst_status add_found(struct tensor_list *list, struct found *found, nst_error *error) {
    struct tensor *tensor = &found->tensor;
    found->name[TENSOR_NAME_LENGTH] = 0;
    tensor->zip_entry = -1;
    if ((unsigned)tensor->type >= TENSOR_TYPE_COUNT || tensor->dimensions < 0 ||
        tensor->dimensions > TENSOR_MAX_DIMENSIONS || !tensor_measure(tensor, false)) {
        return fail(error, NST_ERROR_FORMAT, "%s is damaged: libhdf5 describes an impossible dataset", list->path);
    }
    uint64_t bytes = tensor->span * tensor_type_info(tensor->type)->bytes; /* span <= 2^61: see tensor_measure */
    if (tensor->offset_bytes > list->file_bytes || bytes > list->file_bytes - tensor->offset_bytes) {
        return fail(error, NST_ERROR_FORMAT,
                    "%s is truncated: the dataset %s needs %llu bytes at %llu, the file has %llu; get it again",
                    list->path, found->name, (unsigned long long)bytes, (unsigned long long)tensor->offset_bytes,
                    (unsigned long long)list->file_bytes);
    }
    return tensor_list_add(list, found->name, tensor, error);
}

/* Takes the child's report. `*arrived` is false if that ended too soon. */
static nst_status receive_list(struct tensor_list *list, struct child *child, bool *arrived, nst_error *error) {
    struct report report;
    *arrived = child_receive(child, &report, sizeof report);
    report.error.message[NST_ERROR_LENGTH - 1] = 0;
    if (*arrived && report.error.status) {
        return fail(error, report.error.status, "%s", report.error.message);
    }
    nst_status status = NST_OK;
    for (size_t i = 0; !status && *arrived && i < report.count; i++) {
        struct found found;
        *arrived = child_receive(child, &found, sizeof found);
        status = *arrived ? add_found(list, &found, error) : NST_OK;
    }
    return status;
}

nst_status keras_list(struct tensor_list *list, nst_error *error) {
    struct child child;
    char ending[CHILD_ENDING_LENGTH];
    bool arrived;
    /* The limit is one of processor time: a slow disk is no fault. */
    nst_status status = child_start(tell_tensors, list, "read an HDF5 file", CHILD_FOREVER, &child, error);
    if (status) {
        return status;
    }
    status = receive_list(list, &child, &arrived, error);
    child_end(&child, ending);
    return arrived ? status
                   : fail(error, NST_ERROR_FORMAT, "%s is damaged: libhdf5 %s when it read the file; get it again",
                          list->path, ending);
}

#endif
