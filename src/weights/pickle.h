/* pickle.h: reads the pickle stream that torch.save writes, as data. A pickle is a small program for a stack machine
 * that may call any Python function; here it may build dictionaries, lists, tuples, texts and numbers, and mention
 * tensors and their storages. Everything else it asks for is an error that names it. Nothing is executed, nothing
 * recurses, and memory grows with the length of the stream only. (Opcodes: CPython's Lib/pickletools.py; protocols 2
 * to 5.) */
#ifndef WEIGHTS_PICKLE_H
#define WEIGHTS_PICKLE_H

#include "weights/tensors.h"

#define PICKLE_LIMIT_BYTES (4u << 20) /* the pickle of a dictionary of a thousand tensors has 0.1 MB */
#define PICKLE_MAX_STACK   65536
#define PICKLE_MAX_MEMO    (1u << 20)

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_MARK,
    PICKLE_BOOL,
    PICKLE_INTEGER,
    PICKLE_LARGE_INTEGER, /* beyond 64 bits: its value is not kept */
    PICKLE_REAL,          /* its value is not kept */
    PICKLE_TEXT,          /* also bytes */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICTIONARY, /* items: key, value, key, value, ... */
    PICKLE_GLOBAL,
    PICKLE_STORAGE,
    PICKLE_TENSOR
};

/* The names a torch pickle may mention. */
enum pickle_global {
    GLOBAL_ORDERED_DICT,
    GLOBAL_REBUILD_TENSOR,
    GLOBAL_REBUILD_TENSOR_V2,
    GLOBAL_REBUILD_PARAMETER,
    GLOBAL_STORAGE /* torch.FloatStorage, ...: see `type` */
};

struct pickle_text {
    const char *bytes; /* in the stream, not terminated */
    size_t length;
};

struct pickle_value {
    enum pickle_kind kind;
    union {
        int64_t integer;
        struct pickle_text text;
        struct {
            uint32_t *items; /* indices of values */
            size_t count, capacity;
        } sequence;
        struct {
            enum pickle_global name;
            enum tensor_type type;
        } global;
        struct {
            uint32_t index;  /* in pickle.storages */
            uint64_t offset; /* of the view into it, in elements; 0 for no view */
        } storage;
        uint32_t tensor; /* in pickle.tensors */
    } as;
};

/* A storage: the values that one or several tensors are cut from. Where it lies is for the reader of the file to say.
 */
struct pickle_storage {
    const char *key; /* in the stream, not terminated */
    size_t key_length;
    enum tensor_type type;
    uint64_t count;        /* elements */
    uint64_t offset_bytes; /* filled in by the reader: in the file, or 0 */
    int64_t zip_entry;     /* filled in by the reader, or -1 */
    bool found;            /* filled in by the reader */
};

/* A tensor as the pickle tells: type, shape, strides, count and span are set; offset is in elements of the storage. */
struct pickle_tensor {
    struct tensor tensor;
    uint32_t storage;
    uint64_t offset;
};

struct pickle {
    const char *path; /* for messages */
    const unsigned char *data;
    size_t bytes, position;

    struct pickle_value *values;
    size_t value_count, value_capacity;
    uint32_t *stack;
    size_t stack_count, stack_capacity;
    uint32_t *memo; /* UINT32_MAX: empty */
    size_t memo_count;
    size_t copied_items; /* by the calls that copy a list, which a few bytes ask for */

    struct pickle_storage *storages;
    size_t storage_count, storage_capacity, storage_mentions;
    struct pickle_tensor *tensors;
    size_t tensor_count, tensor_capacity;
};

/* Reads one pickle from the `bytes` at `data`, which must outlive the result. `*root` is the index of its value, and
 * pickle->position is behind its end. Free with pickle_free in any case.
 * Errors: NST_ERROR_FORMAT, NST_ERROR_MEMORY. */
nst_status pickle_read(struct pickle *pickle, const char *path, const unsigned char *data, size_t bytes, uint32_t *root,
                       nst_error *error);
void pickle_free(struct pickle *pickle);

/* The value of the text `key` in a dictionary, or NULL. */
const struct pickle_value *pickle_find(const struct pickle *pickle, const struct pickle_value *dictionary,
                                       const char *key);

/* Whether the root is a dictionary. Error: NST_ERROR_FORMAT. */
nst_status pickle_check_dictionary(const struct pickle *pickle, uint32_t root, nst_error *error);

/* Adds the tensors of the dictionary `root` (of its entry "state_dict", "model_state_dict" or "model", for checkpoints)
 * to the list, once the reader has said where the storages lie. */
nst_status pickle_list_tensors(const struct pickle *pickle, uint32_t root, struct tensor_list *list, nst_error *error);

/* ---- Between pickle.c, the stack machine, and pickle_torch.c, what torch means by it ----------------------------- */

/* Room for one more element of `element_bytes` in a growing array. */
bool pickle_reserve(void **array, size_t count, size_t *capacity, size_t element_bytes);

/* What the name MODULE.NAME stands for; an error that names it for all that nst does not know. */
nst_status pickle_resolve_global(const struct pickle *pickle, struct pickle_text module, struct pickle_text name,
                                 struct pickle_value *result, nst_error *error);

/* What calling `function` with the tuple `arguments` gives. */
nst_status pickle_call(struct pickle *pickle, const struct pickle_value *function, const struct pickle_value *arguments,
                       struct pickle_value *result, nst_error *error);

/* What torch's persistent id, a tuple ('storage', type, key, location, count), stands for. */
nst_status pickle_persistent(struct pickle *pickle, const struct pickle_value *id, struct pickle_value *result,
                             nst_error *error);

#endif
