/* pickle_torch.c: what torch.save means by the names, calls and persistent ids in its pickles: ordered dictionaries,
 * storages, and tensors cut from them (torch/_utils.py, torch/serialization.py). See pickle.h. */
#include "support/error.h"
#include "weights/pickle.h"
#include <stdlib.h>
#include <string.h>

#define MAX_STORAGES TENSOR_MAX_COUNT
#define MAX_MENTIONS (2 * TENSOR_MAX_COUNT) /* of storages; each is looked for among all */

static bool text_is(struct pickle_text text, const char *expected) {
    return text.length == strlen(expected) && memcmp(text.bytes, expected, text.length) == 0;
}

static bool is_text(const struct pickle_value *value, const char *expected) {
    return value->kind == PICKLE_TEXT && text_is(value->as.text, expected);
}

static const struct pickle_value *item(const struct pickle *pickle, const struct pickle_value *sequence, size_t index) {
    return &pickle->values[sequence->as.sequence.items[index]];
}

static bool is_sequence(const struct pickle_value *value) {
    return value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST;
}

static bool is_count(const struct pickle_value *value) {
    return value->kind == PICKLE_INTEGER && value->as.integer >= 0;
}

static nst_status malformed(const struct pickle *pickle, const char *what, nst_error *error) {
    return fail(error, NST_ERROR_FORMAT, "%s: the pickle describes %s in a way that nst does not know (at byte %zu)",
                pickle->path, what, pickle->position);
}

/* ---- Names ----------------------------------------------------------------------------------------------------- */

nst_status pickle_resolve_global(const struct pickle *pickle, struct pickle_text module, struct pickle_text name,
                                 struct pickle_value *result, nst_error *error) {
    static const struct {
        const char *module, *name;
        enum pickle_global global;
    } functions[] = {
        {"collections", "OrderedDict", GLOBAL_ORDERED_DICT},
        {"torch._utils", "_rebuild_tensor", GLOBAL_REBUILD_TENSOR},
        {"torch._utils", "_rebuild_tensor_v2", GLOBAL_REBUILD_TENSOR_V2},
        {"torch._utils", "_rebuild_parameter", GLOBAL_REBUILD_PARAMETER},
    };
    *result = (struct pickle_value){.kind = PICKLE_GLOBAL};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (text_is(module, functions[i].module) && text_is(name, functions[i].name)) {
            result->as.global.name = functions[i].global;
            return NST_OK;
        }
    }
    for (int type = 0; type < TENSOR_TYPE_COUNT && text_is(module, "torch"); type++) {
        if (text_is(name, tensor_type_info((enum tensor_type)type)->torch_storage)) {
            result->as.global.name = GLOBAL_STORAGE;
            result->as.global.type = (enum tensor_type)type;
            return NST_OK;
        }
    }
    char shown_module[80], shown_name[80];
    return fail(error, NST_ERROR_FORMAT,
                "%s: the file wants to call %s.%s, which no dictionary of tensors needs; nothing was executed; "
                "use a file saved with torch.save(model.state_dict(), ...)",
                pickle->path, printable(module.bytes, module.length, shown_module, sizeof shown_module),
                printable(name.bytes, name.length, shown_name, sizeof shown_name));
}

/* ---- Storages -------------------------------------------------------------------------------------------------- */

/* The index of the storage of that key, which is added when it is new; contradictions are errors. */
static nst_status intern_storage(struct pickle *pickle, const struct pickle_storage *storage, uint32_t *index,
                                 nst_error *error) {
    for (size_t i = 0; i < pickle->storage_count; i++) {
        const struct pickle_storage *known = &pickle->storages[i];
        if (known->key_length != storage->key_length || memcmp(known->key, storage->key, storage->key_length) != 0) {
            continue;
        }
        if (known->type != storage->type || known->count != storage->count) {
            return malformed(pickle, "one storage in two ways, or a storage", error);
        }
        *index = (uint32_t)i;
        return NST_OK;
    }
    if (pickle->storage_count == MAX_STORAGES) {
        return fail(error, NST_ERROR_FORMAT, "%s holds more than %d storages", pickle->path, MAX_STORAGES);
    }
    if (!pickle_reserve((void **)&pickle->storages, pickle->storage_count, &pickle->storage_capacity,
                        sizeof *pickle->storages)) {
        return fail_memory(error, 0, "the storages of a network");
    }
    *index = (uint32_t)pickle->storage_count;
    pickle->storages[pickle->storage_count++] = *storage;
    return NST_OK;
}

nst_status pickle_persistent(struct pickle *pickle, const struct pickle_value *id, struct pickle_value *result,
                             nst_error *error) {
    size_t count = id->kind == PICKLE_TUPLE ? id->as.sequence.count : 0;
    if (count != 5 && count != 6) {
        return malformed(pickle, "a storage", error);
    }
    const struct pickle_value *type = item(pickle, id, 1), *key = item(pickle, id, 2), *size = item(pickle, id, 4);
    if (!is_text(item(pickle, id, 0), "storage") || type->kind != PICKLE_GLOBAL ||
        type->as.global.name != GLOBAL_STORAGE || key->kind != PICKLE_TEXT || !is_count(size)) {
        return malformed(pickle, "a storage", error);
    }
    if (++pickle->storage_mentions > MAX_MENTIONS) {
        return fail(error, NST_ERROR_FORMAT, "%s mentions its storages more than %d times (at byte %zu of the pickle)",
                    pickle->path, MAX_MENTIONS, pickle->position);
    }
    *result = (struct pickle_value){.kind = PICKLE_STORAGE};
    if (count == 6 && item(pickle, id, 5)->kind != PICKLE_NONE) { /* a view: (key, offset, size) */
        const struct pickle_value *view = item(pickle, id, 5);
        if (!is_sequence(view) || view->as.sequence.count != 3 || !is_count(item(pickle, view, 1))) {
            return malformed(pickle, "a view of a storage", error);
        }
        result->as.storage.offset = (uint64_t)item(pickle, view, 1)->as.integer;
    }
    struct pickle_storage storage = {.key = key->as.text.bytes,
                                     .key_length = key->as.text.length,
                                     .type = type->as.global.type,
                                     .count = (uint64_t)size->as.integer,
                                     .zip_entry = -1};
    return intern_storage(pickle, &storage, &result->as.storage.index, error);
}

/* ---- Calls ----------------------------------------------------------------------------------------------------- */

/* OrderedDict(), or OrderedDict([(key, value), ...]) as Python 2 wrote it. */
static nst_status make_dictionary(struct pickle *pickle, const struct pickle_value *arguments,
                                  struct pickle_value *result, nst_error *error) {
    *result = (struct pickle_value){.kind = PICKLE_DICTIONARY};
    if (arguments->as.sequence.count == 0) {
        return NST_OK;
    }
    const struct pickle_value *pairs = item(pickle, arguments, 0);
    if (arguments->as.sequence.count != 1 || !is_sequence(pairs)) {
        return malformed(pickle, "a dictionary", error);
    }
    size_t count = pairs->as.sequence.count;
    for (size_t i = 0; i < count; i++) {
        const struct pickle_value *pair = item(pickle, pairs, i);
        if (!is_sequence(pair) || pair->as.sequence.count != 2) {
            return malformed(pickle, "a dictionary", error);
        }
    }
    if (count == 0) {
        return NST_OK;
    }
    pickle->copied_items += 2 * count;
    if (pickle->copied_items > pickle->bytes) { /* each pair takes some bytes where it is made, and is copied once */
        return malformed(pickle, "one list as many dictionaries, or a dictionary", error);
    }
    uint32_t *items = malloc(2 * count * sizeof *items);
    if (items == NULL) {
        return fail_memory(error, 2 * count * sizeof *items, "a dictionary in a pickle");
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(items + 2 * i, item(pickle, pairs, i)->as.sequence.items, 2 * sizeof *items);
    }
    result->as.sequence.items = items;
    result->as.sequence.count = result->as.sequence.capacity = 2 * count;
    return NST_OK;
}

/* Copies a tuple of whole numbers; false if it is none, or too long. */
static bool read_numbers(const struct pickle *pickle, const struct pickle_value *tuple, int count, uint64_t *numbers) {
    if (!is_sequence(tuple) || tuple->as.sequence.count != (size_t)count) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        const struct pickle_value *number = item(pickle, tuple, (size_t)i);
        if (!is_count(number)) {
            return false;
        }
        numbers[i] = (uint64_t)number->as.integer;
    }
    return true;
}

/* _rebuild_tensor(storage, offset, shape, strides), and version 2 with more that does not concern the values. */
static nst_status make_tensor(struct pickle *pickle, const struct pickle_value *arguments, struct pickle_value *result,
                              nst_error *error) {
    if (arguments->as.sequence.count < 4) {
        return malformed(pickle, "a tensor", error);
    }
    const struct pickle_value *storage = item(pickle, arguments, 0), *offset = item(pickle, arguments, 1);
    const struct pickle_value *shape = item(pickle, arguments, 2), *strides = item(pickle, arguments, 3);
    struct pickle_tensor made = {.tensor.zip_entry = -1};
    if (storage->kind != PICKLE_STORAGE || !is_count(offset) || !is_sequence(shape) ||
        shape->as.sequence.count > TENSOR_MAX_DIMENSIONS) {
        return malformed(pickle, "a tensor", error);
    }
    made.tensor.dimensions = (int)shape->as.sequence.count;
    if (!read_numbers(pickle, shape, made.tensor.dimensions, made.tensor.shape) ||
        !read_numbers(pickle, strides, made.tensor.dimensions, made.tensor.strides)) {
        return malformed(pickle, "a tensor's shape", error);
    }
    if (!tensor_measure(&made.tensor, false)) {
        return malformed(pickle, "an impossibly large tensor, or a tensor", error);
    }
    const struct pickle_storage *source = &pickle->storages[storage->as.storage.index];
    made.storage = storage->as.storage.index;
    made.offset = storage->as.storage.offset + (uint64_t)offset->as.integer; /* both below 2^63 */
    made.tensor.type = source->type;
    if (made.offset > source->count || made.tensor.span > source->count - made.offset) {
        return fail(
            error, NST_ERROR_FORMAT,
            "%s: a tensor reaches beyond its storage: it ends at element %llu of %llu (at byte %zu of the pickle)",
            pickle->path, (unsigned long long)(made.offset + made.tensor.span), (unsigned long long)source->count,
            pickle->position);
    }
    if (pickle->tensor_count == TENSOR_MAX_COUNT) {
        return fail(error, NST_ERROR_FORMAT, "%s holds more than %d tensors", pickle->path, TENSOR_MAX_COUNT);
    }
    if (!pickle_reserve((void **)&pickle->tensors, pickle->tensor_count, &pickle->tensor_capacity,
                        sizeof *pickle->tensors)) {
        return fail_memory(error, 0, "the tensors of a network");
    }
    pickle->tensors[pickle->tensor_count] = made;
    *result = (struct pickle_value){.kind = PICKLE_TENSOR, .as.tensor = (uint32_t)pickle->tensor_count++};
    return NST_OK;
}

nst_status pickle_call(struct pickle *pickle, const struct pickle_value *function, const struct pickle_value *arguments,
                       struct pickle_value *result, nst_error *error) {
    switch (function->as.global.name) {
    case GLOBAL_ORDERED_DICT:
        return make_dictionary(pickle, arguments, result, error);
    case GLOBAL_REBUILD_TENSOR:
    case GLOBAL_REBUILD_TENSOR_V2:
        return make_tensor(pickle, arguments, result, error);
    case GLOBAL_REBUILD_PARAMETER: /* (tensor, requires_grad, hooks) */
        if (arguments->as.sequence.count < 1 || item(pickle, arguments, 0)->kind != PICKLE_TENSOR) {
            return malformed(pickle, "a parameter", error);
        }
        *result = *item(pickle, arguments, 0);
        return NST_OK;
    default:
        return malformed(pickle, "a storage", error);
    }
}

/* ---- The dictionary of tensors --------------------------------------------------------------------------------- */

static nst_status list_tensor(const struct pickle *pickle, const struct pickle_value *name, uint32_t index,
                              struct tensor_list *list, nst_error *error) {
    const struct pickle_tensor *found = &pickle->tensors[index];
    const struct pickle_storage *storage = &pickle->storages[found->storage];
    char text[TENSOR_NAME_LENGTH + 2], shown[80]; /* room for a name that is too long, which is refused below */
    size_t length = name->as.text.length < sizeof text ? name->as.text.length : sizeof text - 1;
    memcpy(text, name->as.text.bytes, length);
    text[length] = 0;
    if (strlen(text) != length) {
        text[0] = 0; /* a zero within the name: refused as empty */
    }
    if (!storage->found) {
        return fail(error, NST_ERROR_FORMAT, "%s is truncated or damaged: the values of the tensor %s are missing",
                    pickle->path, printable(text, length, shown, sizeof shown));
    }
    struct tensor tensor = found->tensor;
    tensor.zip_entry = storage->zip_entry;
    tensor.offset_bytes = storage->offset_bytes + found->offset * tensor_type_info(tensor.type)->bytes;
    return tensor_list_add(list, text, &tensor, error);
}

nst_status pickle_check_dictionary(const struct pickle *pickle, uint32_t root, nst_error *error) {
    if (pickle->values[root].kind == PICKLE_DICTIONARY) {
        return NST_OK;
    }
    return fail(error, NST_ERROR_FORMAT, "%s holds something else than a dictionary of tensors", pickle->path);
}

nst_status pickle_list_tensors(const struct pickle *pickle, uint32_t root, struct tensor_list *list, nst_error *error) {
    /* Where checkpoints keep it, beside the state of the training. */
    static const char *const keys[] = {"state_dict", "model_state_dict", "model"};
    const struct pickle_value *dictionary = &pickle->values[root];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct pickle_value *inner = pickle_find(pickle, dictionary, keys[i]);
        if (inner != NULL && inner->kind == PICKLE_DICTIONARY) {
            dictionary = inner;
            break;
        }
    }
    for (size_t i = 0; i + 1 < dictionary->as.sequence.count; i += 2) {
        const struct pickle_value *name = item(pickle, dictionary, i), *value = item(pickle, dictionary, i + 1);
        if (value->kind != PICKLE_TENSOR || name->kind != PICKLE_TEXT) {
            continue; /* counters and settings that checkpoints carry */
        }
        nst_status status = list_tensor(pickle, name, value->as.tensor, list, error);
        if (status) {
            return status;
        }
    }
    return NST_OK;
}
