/* warp.c: pictures moved by a flow, and where a flow can be relied on; the formulas are in cl/warp.cl. */
#include "nst.h"

#include "flow/planes.h"
#include "image/picture.h"
#include "support/error.h"

#include <stdlib.h>

/* Both pictures show the same thing where they differ by less; 0..255. */
static const float most_difference = 64;

struct warping {
    nst_context *context;
    cl_kernel warp, reliability;
    struct plan plan;
    int flow, back, picture, warped, reliable; /* plan entries */
};

static nst_status begin(struct warping *warping, const nst_flow *flow, nst_error *error) {
    uint64_t plane = (uint64_t)flow->width * (uint64_t)flow->height * sizeof(float);
    struct plan *plan = &warping->plan;
    warping->flow = plan_add_always(plan, 2 * plane, "flow");
    warping->back = plan_add_always(plan, 2 * plane, "flow back");
    warping->picture = plan_add_always(plan, 3 * plane, "picture to be moved");
    warping->warped = plan_add_always(plan, 3 * plane, "moved picture");
    warping->reliable = plan_add_always(plan, plane, "where a flow is reliable");
    nst_status status = plan_assign(plan, error);
    if (!status && !plan_fits(plan, warping->context)) {
        return plan_fail_too_large(plan, warping->context, "a moved picture", "ask for a smaller one", error);
    }
    status = status ? status : plan_allocate(plan, warping->context, error);
    status = status ? status : kernel_create(warping->context, "warp.cl", "", "warp", &warping->warp, error);
    status =
        status ? status : kernel_create(warping->context, "warp.cl", "", "reliability", &warping->reliability, error);
    return status ? status : planes_write_flow(warping->context, flow, plan_buffer(plan, warping->flow), error);
}

static void end(struct warping *warping) {
    plan_free(&warping->plan, warping->context);
    kernel_release(&warping->warp);
    kernel_release(&warping->reliability);
}

static nst_status check_size(const nst_picture *picture, const nst_flow *flow, nst_error *error) {
    return picture->width == flow->width && picture->height == flow->height
               ? NST_OK
               : fail(error, NST_ERROR_ARGUMENT, "the flow has %d x %d pixels, the picture %d x %d", flow->width,
                      flow->height, picture->width, picture->height);
}

static nst_status warp(struct warping *warping, const nst_picture *picture, nst_error *error) {
    const struct plan *plan = &warping->plan;
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    cl_mem colors = plan_buffer(plan, warping->picture);
    nst_status status = planes_write_colors(warping->context, picture, colors, error);
    return status ? status
                  : kernel_run(warping->context, warping->warp, work_range(warping->context, 3 * pixels),
                               ARGUMENTS(arg_buffer(colors), arg_buffer(plan_buffer(plan, warping->flow)),
                                         arg_buffer(plan_buffer(plan, warping->warped)), arg_int(3),
                                         arg_int(picture->height), arg_int(picture->width)),
                               error);
}

/* A picture of three channels from so many planes, the first of which serves for those that are missing. */
static nst_status read_picture(const struct warping *warping, int entry, int planes, nst_picture *picture,
                               nst_error *error) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    size_t bytes = (size_t)planes * pixels * sizeof(float);
    float scale = planes == 3 ? 1 / 255.0F : 1, *values = malloc(bytes);
    nst_status status = values ? NST_OK : fail_memory(error, bytes, "a moved picture");
    status =
        status ? status : buffer_read(warping->context, plan_buffer(&warping->plan, entry), 0, values, bytes, error);
    status = status ? status : picture_create(picture->width, picture->height, 3, picture, error);
    for (size_t i = 0; !status && i < 3 * pixels; ++i) {
        picture->values[i] = scale * values[i % 3 * (planes == 3 ? pixels : 0) + i / 3];
    }
    free(values);
    return status;
}

nst_status nst_flow_warp(nst_context *context, const nst_flow *flow, const nst_picture *picture, nst_picture *warped,
                         nst_error *error) {
    struct warping warping = {.context = context};
    nst_picture result = {.width = picture->width, .height = picture->height};
    *warped = (nst_picture){0};
    nst_status status = check_size(picture, flow, error);
    if (status) {
        return status;
    }
    status = begin(&warping, flow, error);
    status = status ? status : warp(&warping, picture, error);
    status = status ? status : read_picture(&warping, warping.warped, 3, &result, error);
    end(&warping);
    if (!status) {
        *warped = result;
    }
    return status;
}

static nst_status find_reliable(struct warping *warping, const nst_flow *back, const nst_picture *picture,
                                nst_error *error) {
    const struct plan *plan = &warping->plan;
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    cl_mem colors = plan_buffer(plan, warping->picture), returned = plan_buffer(plan, warping->back);
    nst_status status = back ? planes_write_flow(warping->context, back, returned, error) : NST_OK;
    status = status ? status : planes_write_colors(warping->context, picture, colors, error);
    return status ? status
                  : kernel_run(warping->context, warping->reliability, work_range(warping->context, pixels),
                               ARGUMENTS(arg_buffer(plan_buffer(plan, warping->flow)), arg_buffer(returned),
                                         arg_int(back != NULL), arg_buffer(colors),
                                         arg_buffer(plan_buffer(plan, warping->warped)),
                                         arg_buffer(plan_buffer(plan, warping->reliable)), arg_int(3),
                                         arg_int(picture->height), arg_int(picture->width), arg_float(most_difference)),
                               error);
}

nst_status nst_flow_reliability(nst_context *context, const nst_motion *motion, nst_picture *reliable,
                                nst_error *error) {
    const nst_flow *flow = motion->flow, *back = motion->back;
    struct warping warping = {.context = context};
    nst_picture result = {.width = flow->width, .height = flow->height};
    *reliable = (nst_picture){0};
    nst_status status = check_size(motion->from, flow, error);
    status = status ? status : check_size(motion->to, flow, error);
    if (!status && back && (back->width != flow->width || back->height != flow->height)) {
        status = fail(error, NST_ERROR_ARGUMENT, "the flow has %d x %d pixels, the one back %d x %d", flow->width,
                      flow->height, back->width, back->height);
    }
    if (status) {
        return status;
    }
    status = begin(&warping, flow, error);
    status = status ? status : warp(&warping, motion->to, error);
    status = status ? status : find_reliable(&warping, back, motion->from, error);
    status = status ? status : read_picture(&warping, warping.reliable, 1, &result, error);
    end(&warping);
    if (!status) {
        *reliable = result;
    }
    return status;
}
