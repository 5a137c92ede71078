/* vector.c: arrays on the device or on the host; see vector.h. */
#include "device/vector.h"

#include <string.h>

int vector_add(struct plan *plan, bool on_host, uint64_t elements, const char *what) {
    uint64_t bytes = elements * sizeof(float);
    return on_host ? plan_add_host(plan, bytes, "%s", what) : plan_add_always(plan, bytes, "%s", what);
}

struct vector vector_of(const struct plan *plan, int entry) {
    float *host = plan_host(plan, entry);
    return (struct vector){.buffer = host ? NULL : plan_buffer(plan, entry), .host = host};
}

nst_status vector_write(nst_context *context, struct vector vector, const float *values, size_t count,
                        nst_error *error) {
    if (vector.buffer) {
        return buffer_write(context, vector.buffer, 0, values, count * sizeof *values, error);
    }
    memcpy(vector.host, values, count * sizeof *values);
    return NST_OK;
}

nst_status vector_read(nst_context *context, struct vector vector, float *values, size_t count, nst_error *error) {
    if (vector.buffer) {
        return buffer_read(context, vector.buffer, 0, values, count * sizeof *values, error);
    }
    memcpy(values, vector.host, count * sizeof *values);
    return NST_OK;
}

nst_status vector_copy(nst_context *context, struct vector from, struct vector to, size_t count, nst_error *error) {
    if (from.buffer && to.buffer) {
        return buffer_copy(context, from.buffer, to.buffer, count * sizeof(float), error);
    }
    return from.buffer ? vector_read(context, from, to.host, count, error)
                       : vector_write(context, to, from.host, count, error);
}

nst_status vector_fill_zero(nst_context *context, struct vector vector, size_t count, nst_error *error) {
    if (vector.buffer) {
        return buffer_fill_zero(context, vector.buffer, count * sizeof(float), error);
    }
    memset(vector.host, 0, count * sizeof(float));
    return NST_OK;
}

nst_status vector_list_state(struct state *state, const char *name, struct vector vector, size_t count,
                             nst_error *error) {
    size_t bytes = count * sizeof(float);
    return vector.buffer ? state_buffer(state, name, vector.buffer, bytes, error)
                         : state_bytes(state, name, vector.host, bytes, error);
}
