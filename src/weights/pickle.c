/* pickle.c: the stack machine of the pickle format, reduced to what builds data. See pickle.h. */
#include "weights/pickle.h"
#include "support/error.h"
#include <stdlib.h>
#include <string.h>

enum opcode {
    OP_MARK = '(',
    OP_STOP = '.',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_DUP = '2',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINUNICODE = 'X',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_DICT = 'd',
    OP_EMPTY_DICT = '}',
    OP_APPENDS = 'e',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_LIST = 'l',
    OP_EMPTY_LIST = ']',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_EMPTY_TUPLE = ')',
    OP_SETITEMS = 'u',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_PROTO = 0x80,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95
};

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

bool pickle_reserve(void **array, size_t count, size_t *capacity, size_t element_bytes) {
    if (count < *capacity) {
        return true;
    }
    size_t larger = *capacity == 0 ? 16 : 2 * *capacity;
    void *moved = realloc(*array, larger * element_bytes);
    if (moved == NULL) {
        return false;
    }
    *array = moved;
    *capacity = larger;
    return true;
}

void pickle_free(struct pickle *pickle) {
    for (size_t i = 0; i < pickle->value_count; i++) {
        struct pickle_value *value = &pickle->values[i];
        if (value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST || value->kind == PICKLE_DICTIONARY) {
            free(value->as.sequence.items);
        }
    }
    free(pickle->values);
    free(pickle->stack);
    free(pickle->memo);
    free(pickle->storages);
    free(pickle->tensors);
    *pickle = (struct pickle){0};
}

/* ---- The stack ------------------------------------------------------------------------------------------------- */

static nst_status damaged(const struct pickle *pickle, const char *reason, nst_error *error) {
    return fail(error, NST_ERROR_FORMAT, "%s: the pickle is damaged at its byte %zu: %s", pickle->path,
                pickle->position, reason);
}

static nst_status push_index(struct pickle *pickle, uint32_t index, nst_error *error) {
    if (pickle->stack_count == PICKLE_MAX_STACK) {
        return damaged(pickle, "its stack grows too large", error);
    }
    if (!pickle_reserve((void **)&pickle->stack, pickle->stack_count, &pickle->stack_capacity, sizeof *pickle->stack)) {
        return fail_memory(error, 0, "the stack of a pickle");
    }
    pickle->stack[pickle->stack_count++] = index;
    return NST_OK;
}

/* Takes over what `value` owns. */
static nst_status push(struct pickle *pickle, struct pickle_value value, nst_error *error) {
    if (!pickle_reserve((void **)&pickle->values, pickle->value_count, &pickle->value_capacity,
                        sizeof *pickle->values)) {
        if (value.kind == PICKLE_TUPLE || value.kind == PICKLE_LIST || value.kind == PICKLE_DICTIONARY) {
            free(value.as.sequence.items);
        }
        return fail_memory(error, 0, "the values of a pickle");
    }
    pickle->values[pickle->value_count++] = value;
    return push_index(pickle, (uint32_t)(pickle->value_count - 1), error);
}

/* The value `depth` places below the top; NULL if the stack is not that deep or a mark lies there. */
static struct pickle_value *peek(struct pickle *pickle, size_t depth) {
    if (depth >= pickle->stack_count) {
        return NULL;
    }
    struct pickle_value *value = &pickle->values[pickle->stack[pickle->stack_count - 1 - depth]];
    return value->kind == PICKLE_MARK ? NULL : value;
}

/* How many values lie above the topmost mark; false if there is no mark. */
static bool count_above_mark(const struct pickle *pickle, size_t *count) {
    for (size_t i = pickle->stack_count; i-- > 0;) {
        if (pickle->values[pickle->stack[i]].kind == PICKLE_MARK) {
            *count = pickle->stack_count - 1 - i;
            return true;
        }
    }
    return false;
}

/* Replaces the top `count` values (and, if `with_mark`, the mark below) by one sequence of them. */
static nst_status gather(struct pickle *pickle, enum pickle_kind kind, size_t count, bool with_mark, nst_error *error) {
    for (size_t i = 0; i < count; i++) {
        if (peek(pickle, i) == NULL) {
            return damaged(pickle, "too few values on the stack", error);
        }
    }
    struct pickle_value value = {.kind = kind};
    if (count > 0) {
        value.as.sequence.items = malloc(count * sizeof(uint32_t));
        if (value.as.sequence.items == NULL) {
            return fail_memory(error, count * sizeof(uint32_t), "a list in a pickle");
        }
        memcpy(value.as.sequence.items, pickle->stack + pickle->stack_count - count, count * sizeof(uint32_t));
        value.as.sequence.count = value.as.sequence.capacity = count;
    }
    pickle->stack_count -= count + (with_mark ? 1 : 0);
    return push(pickle, value, error);
}

static nst_status gather_from_mark(struct pickle *pickle, enum pickle_kind kind, nst_error *error) {
    size_t count;
    if (!count_above_mark(pickle, &count) || (kind == PICKLE_DICTIONARY && count % 2 != 0)) {
        return damaged(pickle, "no mark, or a key without a value", error);
    }
    return gather(pickle, kind, count, true, error);
}

/* Moves the top `count` values into the list or dictionary below them (below the mark, if `with_mark`). */
static nst_status extend(struct pickle *pickle, enum pickle_kind kind, size_t count, bool with_mark, nst_error *error) {
    size_t below = count + (with_mark ? 1 : 0);
    struct pickle_value *target = peek(pickle, below);
    if (target == NULL || target->kind != kind || (kind == PICKLE_DICTIONARY && count % 2 != 0)) {
        return damaged(pickle, "nothing to put the values into", error);
    }
    for (size_t i = 0; i < count; i++) {
        if (peek(pickle, i) == NULL) {
            return damaged(pickle, "a mark among the values", error);
        }
        if (!pickle_reserve((void **)&target->as.sequence.items, target->as.sequence.count,
                            &target->as.sequence.capacity, sizeof(uint32_t))) {
            return fail_memory(error, 0, "a list in a pickle");
        }
        target->as.sequence.items[target->as.sequence.count++] = pickle->stack[pickle->stack_count - count + i];
    }
    pickle->stack_count -= below;
    return NST_OK;
}

static nst_status extend_from_mark(struct pickle *pickle, enum pickle_kind kind, nst_error *error) {
    size_t count;
    if (!count_above_mark(pickle, &count)) {
        return damaged(pickle, "no mark", error);
    }
    return extend(pickle, kind, count, true, error);
}

/* ---- The memo -------------------------------------------------------------------------------------------------- */

static nst_status memo_put(struct pickle *pickle, uint64_t slot, nst_error *error) {
    if (peek(pickle, 0) == NULL || slot >= PICKLE_MAX_MEMO) {
        return damaged(pickle, "nothing to remember, or too much", error);
    }
    if (slot >= pickle->memo_count) {
        size_t count = pickle->memo_count == 0 ? 64 : pickle->memo_count;
        while (count <= slot) {
            count *= 2;
        }
        uint32_t *memo = realloc(pickle->memo, count * sizeof *memo);
        if (memo == NULL) {
            return fail_memory(error, count * sizeof *memo, "the memo of a pickle");
        }
        for (size_t i = pickle->memo_count; i < count; i++) {
            memo[i] = UINT32_MAX;
        }
        pickle->memo = memo;
        pickle->memo_count = count;
    }
    pickle->memo[slot] = pickle->stack[pickle->stack_count - 1];
    return NST_OK;
}

static nst_status memo_get(struct pickle *pickle, uint64_t slot, nst_error *error) {
    if (slot >= pickle->memo_count || pickle->memo[slot] == UINT32_MAX) {
        return damaged(pickle, "it recalls what was never stored", error);
    }
    return push_index(pickle, pickle->memo[slot], error);
}

/* The next slot for MEMOIZE, which takes the number of values stored so far: the first empty one. */
static size_t memo_next(const struct pickle *pickle, size_t *hint) {
    while (*hint < pickle->memo_count && pickle->memo[*hint] != UINT32_MAX) {
        ++*hint;
    }
    return *hint;
}

/* ---- Arguments of opcodes -------------------------------------------------------------------------------------- */

/* The next `count` bytes, or NULL at the end of the stream. */
static const unsigned char *take(struct pickle *pickle, uint64_t count) {
    if (count > pickle->bytes - pickle->position) {
        return NULL;
    }
    const unsigned char *bytes = pickle->data + pickle->position;
    pickle->position += (size_t)count;
    return bytes;
}

/* A little-endian number of `count` bytes; false at the end of the stream. */
static bool take_number(struct pickle *pickle, size_t count, uint64_t *number) {
    const unsigned char *bytes = take(pickle, count);
    if (bytes == NULL) {
        return false;
    }
    *number = 0;
    for (size_t i = count; i-- > 0;) {
        *number = *number << 8 | bytes[i];
    }
    return true;
}

static nst_status truncated(const struct pickle *pickle, nst_error *error) {
    return fail(error, NST_ERROR_FORMAT, "%s is truncated or damaged: its pickle breaks off at byte %zu; get it again",
                pickle->path, pickle->position);
}

static nst_status push_integer(struct pickle *pickle, int64_t integer, nst_error *error) {
    return push(pickle, (struct pickle_value){.kind = PICKLE_INTEGER, .as.integer = integer}, error);
}

static nst_status push_kind(struct pickle *pickle, enum pickle_kind kind, int64_t integer, nst_error *error) {
    return push(pickle, (struct pickle_value){.kind = kind, .as.integer = integer}, error);
}

/* LONG1: a signed little-endian number of up to 255 bytes. */
static nst_status read_long(struct pickle *pickle, nst_error *error) {
    uint64_t length;
    const unsigned char *bytes = NULL;
    if (!take_number(pickle, 1, &length) || (bytes = take(pickle, length)) == NULL) {
        return truncated(pickle, error);
    }
    if (length > 8) {
        return push_kind(pickle, PICKLE_LARGE_INTEGER, 0, error);
    }
    uint64_t number = length > 0 && bytes[length - 1] >= 128 ? UINT64_MAX : 0;
    for (size_t i = (size_t)length; i-- > 0;) {
        number = number << 8 | bytes[i];
    }
    return push_integer(pickle, (int64_t)number, error);
}

static nst_status read_text(struct pickle *pickle, size_t length_bytes, nst_error *error) {
    uint64_t length;
    const unsigned char *bytes = NULL;
    if (!take_number(pickle, length_bytes, &length) || (bytes = take(pickle, length)) == NULL) {
        return truncated(pickle, error);
    }
    struct pickle_value value = {.kind = PICKLE_TEXT};
    value.as.text.bytes = (const char *)bytes;
    value.as.text.length = (size_t)length;
    return push(pickle, value, error);
}

/* ---- Opcodes that mention names and call ---------------------------------------------------------------------------
 */

/* GLOBAL: two lines, module and name. */
static nst_status read_global(struct pickle *pickle, nst_error *error) {
    struct pickle_text lines[2];
    for (int i = 0; i < 2; i++) {
        const unsigned char *start = pickle->data + pickle->position;
        const unsigned char *end = memchr(start, '\n', pickle->bytes - pickle->position);
        if (end == NULL) {
            return truncated(pickle, error);
        }
        lines[i] = (struct pickle_text){(const char *)start, (size_t)(end - start)};
        pickle->position += lines[i].length + 1;
    }
    struct pickle_value value;
    nst_status status = pickle_resolve_global(pickle, lines[0], lines[1], &value, error);
    return status ? status : push(pickle, value, error);
}

static nst_status stack_global(struct pickle *pickle, nst_error *error) {
    const struct pickle_value *name = peek(pickle, 0), *module = peek(pickle, 1);
    if (name == NULL || module == NULL || name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT) {
        return damaged(pickle, "a name that is not a text", error);
    }
    struct pickle_value value;
    nst_status status = pickle_resolve_global(pickle, module->as.text, name->as.text, &value, error);
    pickle->stack_count -= 2;
    return status ? status : push(pickle, value, error);
}

static nst_status reduce(struct pickle *pickle, nst_error *error) {
    const struct pickle_value *arguments = peek(pickle, 0), *function = peek(pickle, 1);
    if (arguments == NULL || function == NULL || arguments->kind != PICKLE_TUPLE || function->kind != PICKLE_GLOBAL) {
        return damaged(pickle, "a call of something that is not a function", error);
    }
    struct pickle_value value;
    nst_status status = pickle_call(pickle, function, arguments, &value, error);
    pickle->stack_count -= 2;
    return status ? status : push(pickle, value, error);
}

static nst_status persistent(struct pickle *pickle, nst_error *error) {
    const struct pickle_value *id = peek(pickle, 0);
    if (id == NULL) {
        return damaged(pickle, "too few values on the stack", error);
    }
    struct pickle_value value;
    nst_status status = pickle_persistent(pickle, id, &value, error);
    pickle->stack_count -= 1;
    return status ? status : push(pickle, value, error);
}

/* BUILD sets attributes; a state_dict has one, _metadata, which nobody here needs. */
static nst_status build(struct pickle *pickle, nst_error *error) {
    const struct pickle_value *state = peek(pickle, 0), *object = peek(pickle, 1);
    if (state == NULL || object == NULL || object->kind != PICKLE_DICTIONARY || state->kind != PICKLE_DICTIONARY) {
        return damaged(pickle, "attributes of something that is not a dictionary", error);
    }
    pickle->stack_count -= 1;
    return NST_OK;
}

static nst_status drop(struct pickle *pickle, size_t count, nst_error *error) {
    if (count > pickle->stack_count) {
        return damaged(pickle, "too few values on the stack", error);
    }
    pickle->stack_count -= count;
    return NST_OK;
}

/* ---- The machine ----------------------------------------------------------------------------------------------- */

/* Opcodes without arguments in the stream. */
static nst_status step_stack(struct pickle *pickle, unsigned char opcode, bool *known, nst_error *error) {
    size_t count;
    *known = true;
    switch (opcode) {
    case OP_MARK:
        return push_kind(pickle, PICKLE_MARK, 0, error);
    case OP_NONE:
        return push_kind(pickle, PICKLE_NONE, 0, error);
    case OP_NEWTRUE:
    case OP_NEWFALSE:
        return push_kind(pickle, PICKLE_BOOL, opcode == OP_NEWTRUE, error);
    case OP_EMPTY_TUPLE:
        return gather(pickle, PICKLE_TUPLE, 0, false, error);
    case OP_EMPTY_LIST:
        return gather(pickle, PICKLE_LIST, 0, false, error);
    case OP_EMPTY_DICT:
        return gather(pickle, PICKLE_DICTIONARY, 0, false, error);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return gather(pickle, PICKLE_TUPLE, (size_t)(opcode - OP_TUPLE1 + 1), false, error);
    case OP_TUPLE:
        return gather_from_mark(pickle, PICKLE_TUPLE, error);
    case OP_LIST:
        return gather_from_mark(pickle, PICKLE_LIST, error);
    case OP_DICT:
        return gather_from_mark(pickle, PICKLE_DICTIONARY, error);
    case OP_APPEND:
        return extend(pickle, PICKLE_LIST, 1, false, error);
    case OP_APPENDS:
        return extend_from_mark(pickle, PICKLE_LIST, error);
    case OP_SETITEM:
        return extend(pickle, PICKLE_DICTIONARY, 2, false, error);
    case OP_SETITEMS:
        return extend_from_mark(pickle, PICKLE_DICTIONARY, error);
    case OP_POP:
        return drop(pickle, 1, error);
    case OP_POP_MARK:
        return count_above_mark(pickle, &count) ? drop(pickle, count + 1, error) : damaged(pickle, "no mark", error);
    case OP_DUP:
        return peek(pickle, 0) == NULL ? damaged(pickle, "too few values on the stack", error)
                                       : push_index(pickle, pickle->stack[pickle->stack_count - 1], error);
    case OP_STACK_GLOBAL:
        return stack_global(pickle, error);
    case OP_REDUCE:
        return reduce(pickle, error);
    case OP_BINPERSID:
        return persistent(pickle, error);
    case OP_BUILD:
        return build(pickle, error);
    default:
        *known = false;
        return NST_OK;
    }
}

/* Opcodes that are followed by arguments. */
static nst_status step_argument(struct pickle *pickle, unsigned char opcode, nst_error *error) {
    uint64_t number;
    switch (opcode) {
    case OP_BININT1:
    case OP_BININT2:
        return take_number(pickle, opcode == OP_BININT1 ? 1 : 2, &number) ? push_integer(pickle, (int64_t)number, error)
                                                                          : truncated(pickle, error);
    case OP_BININT:
        return take_number(pickle, 4, &number) ? push_integer(pickle, (int32_t)(uint32_t)number, error)
                                               : truncated(pickle, error);
    case OP_LONG1:
        return read_long(pickle, error);
    case OP_BINFLOAT:
        return take(pickle, 8) != NULL ? push_kind(pickle, PICKLE_REAL, 0, error) : truncated(pickle, error);
    case OP_BINUNICODE:
    case OP_BINSTRING:
    case OP_BINBYTES:
        return read_text(pickle, 4, error);
    case OP_SHORT_BINUNICODE:
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINBYTES:
        return read_text(pickle, 1, error);
    case OP_GLOBAL:
        return read_global(pickle, error);
    case OP_BINPUT:
    case OP_LONG_BINPUT:
        return take_number(pickle, opcode == OP_BINPUT ? 1 : 4, &number) ? memo_put(pickle, number, error)
                                                                         : truncated(pickle, error);
    case OP_BINGET:
    case OP_LONG_BINGET:
        return take_number(pickle, opcode == OP_BINGET ? 1 : 4, &number) ? memo_get(pickle, number, error)
                                                                         : truncated(pickle, error);
    case OP_PROTO:
        return take(pickle, 1) != NULL ? NST_OK : truncated(pickle, error);
    case OP_FRAME:
        return take(pickle, 8) != NULL ? NST_OK : truncated(pickle, error);
    default:
        return fail(error, NST_ERROR_FORMAT,
                    "%s: the pickle uses the instruction 0x%02x at byte %zu, which no dictionary of tensors needs",
                    pickle->path, opcode, pickle->position - 1);
    }
}

nst_status pickle_read(struct pickle *pickle, const char *path, const unsigned char *data, size_t bytes, uint32_t *root,
                       nst_error *error) {
    size_t memo_hint = 0;
    *pickle = (struct pickle){.path = path, .data = data, .bytes = bytes};
    for (;;) {
        const unsigned char *opcode = take(pickle, 1);
        if (opcode == NULL) {
            return truncated(pickle, error);
        }
        if (*opcode == OP_STOP) {
            break;
        }
        bool known = true;
        nst_status status;
        if (*opcode == OP_MEMOIZE) {
            status = memo_put(pickle, memo_next(pickle, &memo_hint), error);
        } else {
            status = step_stack(pickle, *opcode, &known, error);
        }
        if (!status && !known) {
            status = step_argument(pickle, *opcode, error);
        }
        if (status) {
            return status;
        }
    }
    if (pickle->stack_count != 1 || peek(pickle, 0) == NULL) {
        return damaged(pickle, "it ends with something else than one value", error);
    }
    *root = pickle->stack[0];
    return NST_OK;
}

const struct pickle_value *pickle_find(const struct pickle *pickle, const struct pickle_value *dictionary,
                                       const char *key) {
    size_t length = strlen(key);
    for (size_t i = 0; i + 1 < dictionary->as.sequence.count; i += 2) {
        const struct pickle_value *name = &pickle->values[dictionary->as.sequence.items[i]];
        if (name->kind == PICKLE_TEXT && name->as.text.length == length &&
            memcmp(name->as.text.bytes, key, length) == 0) {
            return &pickle->values[dictionary->as.sequence.items[i + 1]];
        }
    }
    return NULL;
}
