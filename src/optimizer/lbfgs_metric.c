/* lbfgs_metric.c: the change of variables on the device; see lbfgs_metric.h. */
#include "optimizer/lbfgs_metric.h"

nst_status lbfgs_metric_create(nst_context *context, double correlation, struct lbfgs_metric *metric,
                               nst_error *error) {
    *metric = (struct lbfgs_metric){.context = context, .correlation = correlation};
    if (correlation == 0) {
        return NST_OK;
    }
    nst_status status = kernel_create(context, "lbfgs_metric.cl", "", "metric_rows", &metric->rows, error);
    return status ? status : kernel_create(context, "lbfgs_metric.cl", "", "metric_columns", &metric->columns, error);
}

void lbfgs_metric_release(struct lbfgs_metric *metric) {
    kernel_release(&metric->rows);
    kernel_release(&metric->columns);
}

nst_status lbfgs_metric_apply(const struct lbfgs_metric *metric, enum lbfgs_metric_operation operation, cl_mem vectors,
                              int vector, struct optimizer_shape shape, nst_error *error) {
    nst_context *context = metric->context;
    int elements = (int)optimizer_padded(optimizer_elements(shape)), rows = shape.planes * shape.height;
    float r = (float)metric->correlation;
    if (r == 0) {
        return NST_OK;
    }
    nst_status status = kernel_run(context, metric->rows, work_range(context, (size_t)rows),
                                   ARGUMENTS(arg_buffer(vectors), arg_int(vector), arg_int(elements), arg_int(rows),
                                             arg_int(shape.width), arg_float(r), arg_int(operation)),
                                   error);
    if (status) {
        return status;
    }
    return kernel_run(context, metric->columns, work_range(context, (size_t)shape.width),
                      ARGUMENTS(arg_buffer(vectors), arg_int(vector), arg_int(elements), arg_int(shape.planes),
                                arg_int(shape.height), arg_int(shape.width), arg_float(r), arg_int(operation)),
                      error);
}
