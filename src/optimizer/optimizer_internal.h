/* optimizer_internal.h: what each optimizer implements; optimizer.c dispatches. */
#ifndef OPTIMIZER_OPTIMIZER_INTERNAL_H
#define OPTIMIZER_OPTIMIZER_INTERNAL_H

#include "device/reduction.h"
#include "optimizer/optimizer.h"

struct optimizer_method {
    size_t state_bytes, run_bytes; /* of the states, which begin as zeros */
    nst_status (*create)(struct optimizer *optimizer, nst_error *error);
    void (*destroy)(struct optimizer *optimizer);
    bool works_on_host;
    nst_status (*reserve)(struct optimizer_run *run, struct plan *plan, uint64_t vector_bytes, nst_error *error);
    void (*run_free)(struct optimizer_run *run); /* NULL: nothing but the state itself */
    nst_status (*begin)(struct optimizer_run *run, nst_error *error);
    nst_status (*step)(struct optimizer_run *run, struct vector vector, struct vector gradient, bool *finite,
                       nst_error *error);
    nst_status (*retreat)(struct optimizer_run *run, nst_error *error);
    nst_status (*list_state)(struct optimizer_run *run, struct state *state, nst_error *error);
};

struct optimizer {
    nst_context *context;
    struct optimizer_settings settings;
    const struct optimizer_method *method;
    void *state; /* the method's own: kernels */
};

struct optimizer_run {
    const struct optimizer *optimizer;
    const struct plan *plan;
    void *state;                              /* the method's own */
    struct optimizer_shape shape, last_shape; /* the latter: before it began anew; no planes: there was none */
    size_t elements;                          /* of the vector, padded */
    double rate;                              /* that the learning rate is multiplied by */
    double shortening;                        /* 1, halved by each retreat; L-BFGS doubles it again */
    bool has_last;                            /* last_vector holds a vector to go back to */
    int last_vector;                          /* plan entries */
    int partials;
};

extern const struct optimizer_method lbfgs_method, adam_method;

cl_mem optimizer_buffer(const struct optimizer_run *run, int entry);
struct vector optimizer_vector(const struct optimizer_run *run, int entry);

/* Elements counted in the vectors that optimizer kernels use (cl/lbfgs.cl: floatV). */
int optimizer_vectors(const struct optimizer_run *run);

#endif
