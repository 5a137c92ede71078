/* parts.h: the parts of a check, each in the file of its name. They add their lines to the report; brief: only what the
 * first job on a device waits for. Errors are those of the host; the device's are lines. For this room only. */
#ifndef CHECK_PARTS_H
#define CHECK_PARTS_H

#include "check/report.h"
#include "network/feature_map.h"

nst_status check_convolutions(nst_context *context, bool brief, struct check_report *report, nst_error *error);

/* Every loss that the context knows, at layers of so many channels or on the image, with one set of options or all. */
struct check_losses_at {
    bool on_image, half, brief;
    int channels; /* of the layer */
    struct image_size size;
};
nst_status check_losses(nst_context *context, const struct check_losses_at *at, struct check_report *report,
                        nst_error *error);

nst_status check_pooling(nst_context *context, bool half, bool average, struct check_report *report, nst_error *error);
nst_status check_lbfgs(nst_context *context, struct check_report *report, nst_error *error);

#endif
