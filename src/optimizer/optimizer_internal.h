/* optimizer_internal.h: what each optimizer implements; optimizer.c dispatches. */
#ifndef OPTIMIZER_OPTIMIZER_INTERNAL_H
#define OPTIMIZER_OPTIMIZER_INTERNAL_H

#include "device/reduction.h"
#include "optimizer/optimizer.h"

struct optimizer_method {
    nst_status (*create)(struct optimizer *, nst_error *);
    void (*destroy)(struct optimizer *);
    void (*add_to_plan)(struct optimizer *, struct plan *, uint64_t vector_bytes);
    nst_status (*begin)(struct optimizer *, const struct plan *, nst_error *);
    nst_status (*step)(struct optimizer *, const struct plan *, cl_mem vector, cl_mem gradient, bool *finite,
                       nst_error *);
    nst_status (*retreat)(struct optimizer *, const struct plan *, nst_error *);
};

struct optimizer {
    nst_context *context;
    struct optimizer_settings settings;
    const struct optimizer_method *method;
    void *state; /* the method's own */
    struct optimizer_shape shape;
    size_t elements;   /* of the vector, padded */
    double shortening; /* 1, halved by each retreat; L-BFGS doubles it again */
    bool has_last;     /* last_vector holds a vector to go back to */
    int last_vector;   /* plan entries */
    int partials;
};

extern const struct optimizer_method lbfgs_method, adam_method;

/* Elements counted in the vectors that optimizer kernels use (cl/lbfgs.cl: floatV). */
int optimizer_vectors(const struct optimizer *optimizer);

#endif
