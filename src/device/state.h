/* state.h: what an object must remember to go on later as if it had never stopped, with the buffers on the device.
 *
 * An object with such state lists it in one function, which serves both ways, out into a file and back:
 *
 *     nst_status NAME_list_state(struct NAME *run, struct state *state, nst_error *error)
 *
 * It names each value and buffer, always in the same order; what is listed first is there already when sizes of later
 * ones depend on it. What can be made again, such as targets, is not listed.
 */
#ifndef DEVICE_STATE_H
#define DEVICE_STATE_H

#include "device/context.h"
#include "support/sealed.h"

struct state {
    nst_context *context;
    const char *owner; /* goes before the names: "optimizer" */
    /* One of them; the other is NULL. */
    struct sealed_writer *writer;
    struct sealed_reader *reader;
};

/* Bytes on the host; a buffer on the device from its beginning, which waits. Errors: NST_ERROR_FILE, NST_ERROR_FORMAT
 * (another name or size in the file), NST_ERROR_OPENCL, NST_ERROR_MEMORY. */
nst_status state_bytes(struct state *state, const char *name, void *data, size_t bytes, nst_error *error);
nst_status state_buffer(struct state *state, const char *name, cl_mem buffer, size_t bytes, nst_error *error);

/* A variable. */
#define state_value(state, name, variable, error) state_bytes(state, name, &(variable), sizeof(variable), error)

#endif
