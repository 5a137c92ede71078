/* total_variation.c: the total variation loss on the image; see loss.h. */
#include "loss/loss.h"

#include "support/error.h"

#include <stdlib.h>

struct tv_loss {
    nst_context *context;
    cl_kernel kernel;
};

nst_status tv_loss_create(nst_context *context, int power, struct tv_loss **result, nst_error *error) {
    *result = NULL;
    struct tv_loss *loss = calloc(1, sizeof *loss);
    if (!loss) {
        return fail_memory(error, sizeof *loss, "the total variation loss");
    }
    loss->context = context;
    nst_status status = kernel_create(context, "total_variation.cl", power == 1 ? "-D POWER=1" : "-D POWER=2",
                                      "total_variation", &loss->kernel, error);
    if (status) {
        tv_loss_destroy(loss);
        return status;
    }
    *result = loss;
    return NST_OK;
}

void tv_loss_destroy(struct tv_loss *loss) {
    if (loss) {
        kernel_release(&loss->kernel);
        free(loss);
    }
}

nst_status tv_loss_run(struct tv_loss *loss, cl_mem image, struct image_size size, double weight,
                       struct loss_output output, cl_mem gradient, nst_error *error) {
    return kernel_run(loss->context, loss->kernel, reduction_work(loss->context),
                      ARGUMENTS(arg_buffer(image), arg_buffer(gradient), arg_buffer(output.partials),
                                arg_int(output.slot), arg_int(size.height), arg_int(size.width),
                                arg_float((float)weight)),
                      error);
}
