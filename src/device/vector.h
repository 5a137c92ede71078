/* vector.h: a long array of floats that lies in a buffer on the device or, where that is too small, in the host's memory.
 */
#ifndef DEVICE_VECTOR_H
#define DEVICE_VECTOR_H

#include "device/plan.h"
#include "device/state.h"

struct vector {
    cl_mem buffer; /* NULL: on the host */
    float *host;
};

static inline struct vector vector_on_device(cl_mem buffer) {
    return (struct vector){.buffer = buffer};
}

/* Adds `elements` floats to the plan, always there; and finds them. */
int vector_add(struct plan *plan, bool on_host, uint64_t elements, const char *what);
struct vector vector_of(const struct plan *plan, int entry);

/* Whole or from an offset; what is on the device waits. Copies may overlap nowhere. */
nst_status vector_write(nst_context *context, struct vector vector, const float *values, size_t count,
                        nst_error *error);
nst_status vector_read(nst_context *context, struct vector vector, float *values, size_t count, nst_error *error);
nst_status vector_copy(nst_context *context, struct vector from, struct vector to, size_t count, nst_error *error);
nst_status vector_fill_zero(nst_context *context, struct vector vector, size_t count, nst_error *error);
/* As state_buffer. */
nst_status vector_list_state(struct state *state, const char *name, struct vector vector, size_t count,
                             nst_error *error);

#endif
