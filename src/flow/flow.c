/* flow.c: flows in memory: made, resized, and moved to the device and back; see nst.h and planes.h. */
#include "flow/planes.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

/* ---- On the host ------------------------------------------------------------------------------------------------- */

nst_status flow_create(int width, int height, nst_flow *flow, nst_error *error) {
    size_t count = 2 * (size_t)width * (size_t)height;
    *flow = (nst_flow){.width = width, .height = height, .values = calloc(count, sizeof *flow->values)};
    if (!flow->values) {
        *flow = (nst_flow){0};
        return fail_memory(error, count * sizeof *flow->values, "an optical flow");
    }
    return NST_OK;
}

void nst_flow_free(nst_flow *flow) {
    free(flow->values);
    *flow = (nst_flow){0};
}

/* Where the center of pixel `i` of `count` lies among `size` pixels: between `first` and the next, `t` of the way. */
static void find_place(int i, int count, int size, int *first, double *t) {
    double at = (i + 0.5) * size / count - 0.5;
    at = fmin(fmax(at, 0), size - 1);
    *first = (int)at;
    *t = at - *first;
}

nst_status nst_flow_resize(const nst_flow *flow, int width, int height, nst_flow *resized, nst_error *error) {
    nst_status status = flow_create(width, height, resized, error);
    const double factors[2] = {(double)width / flow->width, (double)height / flow->height};
    for (int y = 0; !status && y < height; ++y) {
        int top, left;
        double down, right;
        find_place(y, height, flow->height, &top, &down);
        size_t below = top + 1 < flow->height ? 2 * (size_t)flow->width : 0;
        for (int x = 0; x < width; ++x) {
            find_place(x, width, flow->width, &left, &right);
            size_t beside = left + 1 < flow->width ? 2 : 0;
            const float *from = flow->values + 2 * ((size_t)top * (size_t)flow->width + (size_t)left);
            float *to = resized->values + 2 * ((size_t)y * (size_t)width + (size_t)x);
            for (size_t c = 0; c < 2; ++c) {
                double upper = from[c] + right * (from[beside + c] - from[c]);
                double lower = from[below + c] + right * (from[below + beside + c] - from[below + c]);
                to[c] = (float)(factors[c] * (upper + down * (lower - upper)));
            }
        }
    }
    return status;
}

/* ---- To the device and back -------------------------------------------------------------------------------------- */

static nst_status write_planes(nst_context *context, float *planes, size_t count, cl_mem buffer, nst_error *error) {
    nst_status status = planes ? buffer_write(context, buffer, 0, planes, count * sizeof *planes, error)
                               : fail_memory(error, count * sizeof *planes, "a picture of a film");
    free(planes);
    return status;
}

nst_status planes_write_colors(nst_context *context, const nst_picture *picture, cl_mem buffer, nst_error *error) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    float *planes = malloc(3 * pixels * sizeof *planes);
    for (size_t i = 0; planes && i < pixels; ++i) {
        for (size_t c = 0; c < 3; ++c) {
            planes[c * pixels + i] = 255 * picture->values[i * (size_t)picture->channels + c];
        }
    }
    return write_planes(context, planes, 3 * pixels, buffer, error);
}

nst_status planes_write_luma(nst_context *context, const nst_picture *picture, cl_mem buffer, nst_error *error) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    float *plane = malloc(pixels * sizeof *plane);
    for (size_t i = 0; plane && i < pixels; ++i) {
        const float *color = picture->values + i * (size_t)picture->channels;
        plane[i] = 255 * (0.299F * color[0] + 0.587F * color[1] + 0.114F * color[2]);
    }
    return write_planes(context, plane, pixels, buffer, error);
}

nst_status planes_write_flow(nst_context *context, const nst_flow *flow, cl_mem buffer, nst_error *error) {
    size_t pixels = (size_t)flow->width * (size_t)flow->height;
    float *planes = malloc(2 * pixels * sizeof *planes);
    for (size_t i = 0; planes && i < 2 * pixels; ++i) {
        planes[i % 2 * pixels + i / 2] = flow->values[i];
    }
    return write_planes(context, planes, 2 * pixels, buffer, error);
}

nst_status planes_read_flow(nst_context *context, cl_mem buffer, int width, int height, nst_flow *flow,
                            nst_error *error) {
    size_t pixels = (size_t)width * (size_t)height, bytes = 2 * pixels * sizeof(float);
    float *planes = malloc(bytes);
    nst_status status = planes ? NST_OK : fail_memory(error, bytes, "an optical flow");
    status = status ? status : buffer_read(context, buffer, 0, planes, bytes, error);
    status = status ? status : flow_create(width, height, flow, error);
    for (size_t i = 0; !status && i < 2 * pixels; ++i) {
        flow->values[i] = planes[i % 2 * pixels + i / 2];
    }
    free(planes);
    return status;
}
