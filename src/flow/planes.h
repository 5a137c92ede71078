/* planes.h: pictures and flows as the kernels of this room have them: float [planes][height][width], colors 0..255. */
#ifndef FLOW_PLANES_H
#define FLOW_PLANES_H

#include "device/plan.h"

/* Fills the buffer with the colors of a picture, or with their luma (BT.601), one plane. Waits. Errors:
 * NST_ERROR_MEMORY, NST_ERROR_OPENCL. */
nst_status planes_write_colors(nst_context *context, const nst_picture *picture, cl_mem buffer, nst_error *error);
nst_status planes_write_luma(nst_context *context, const nst_picture *picture, cl_mem buffer, nst_error *error);

/* A flow to the device and back, where it becomes a new one. Waits. */
nst_status planes_write_flow(nst_context *context, const nst_flow *flow, cl_mem buffer, nst_error *error);
nst_status planes_read_flow(nst_context *context, cl_mem buffer, int width, int height, nst_flow *flow,
                            nst_error *error);

/* An empty flow of that size, zeros. Errors: NST_ERROR_MEMORY. */
nst_status flow_create(int width, int height, nst_flow *flow, nst_error *error);

#endif
