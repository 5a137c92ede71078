/* state.c: values and buffers out into a file and back; see state.h. */
#include "device/state.h"

#include "support/error.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 4 << 20 };

/* Announces the piece, or finds it. */
static nst_status begin_piece(struct state *state, const char *name, size_t bytes, nst_error *error) {
    char full[SEALED_NAME_LENGTH];
    uint64_t found = bytes;
    snprintf(full, sizeof full, "%s: %s", state->owner, name);
    nst_status status = state->writer ? sealed_write_piece(state->writer, full, bytes, error)
                                      : sealed_read_piece(state->reader, full, &found, error);
    if (!status && found != bytes) {
        status =
            fail(error, NST_ERROR_FORMAT, "%s %s holds '%s' of %llu bytes where %zu are expected: it is of another job",
                 state->reader->kind->what, state->reader->path, full, (unsigned long long)found, bytes);
    }
    return status;
}

static nst_status move_data(struct state *state, void *data, size_t bytes, nst_error *error) {
    return state->writer ? sealed_write_data(state->writer, data, bytes, error)
                         : sealed_read_data(state->reader, data, bytes, error);
}

nst_status state_bytes(struct state *state, const char *name, void *data, size_t bytes, nst_error *error) {
    nst_status status = begin_piece(state, name, bytes, error);
    return status ? status : move_data(state, data, bytes, error);
}

nst_status state_buffer(struct state *state, const char *name, cl_mem buffer, size_t bytes, nst_error *error) {
    size_t most = bytes < CHUNK_BYTES ? bytes : CHUNK_BYTES;
    void *chunk = malloc(most + 1);
    if (!chunk) {
        return fail_memory(error, most, name);
    }
    size_t room = 0;
    clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof room, &room, NULL);
    nst_status status = bytes <= room
                            ? begin_piece(state, name, bytes, error)
                            : fail(error, NST_ERROR_FORMAT, "%s: there is no room for '%s'", state->owner, name);
    for (size_t done = 0, part; !status && done < bytes; done += part) {
        part = bytes - done < most ? bytes - done : most;
        if (state->writer) {
            status = buffer_read(state->context, buffer, done, chunk, part, error);
        }
        status = status ? status : move_data(state, chunk, part, error);
        if (!status && state->reader) {
            status = buffer_write(state->context, buffer, done, chunk, part, error);
        }
    }
    free(chunk);
    return status;
}
