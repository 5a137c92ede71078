/* flo_file.c: flows from .flo files, as the Middlebury benchmark has them (Baker et al. 2011): the float 202021.25, whose
 * bytes read "PIEH"; width and height as 32-bit integers; then [height][width][2] floats, along x and along y, all of
 * them little-endian. Where nothing is known the benchmark has numbers above 1e9. */
#include "nst.h"

#include "flow/planes.h"
#include "support/error.h"
#include "support/file.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 12 };

static uint32_t little_endian(const unsigned char *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static nst_status take_values(const char *path, const unsigned char *data, nst_flow *flow, nst_error *error) {
    const float unknown = 1e9F;
    for (size_t i = 0; i < 2 * (size_t)flow->width * (size_t)flow->height; ++i) {
        uint32_t bits = little_endian(data + 4 * i);
        memcpy(&flow->values[i], &bits, sizeof bits);
        if (!(fabsf(flow->values[i]) < unknown)) {
            size_t pixel = i / 2;
            return fail(error, NST_ERROR_FORMAT,
                        "%s: expected the motion of every pixel, found %g at column %zu, row %zu", path,
                        (double)flow->values[i], pixel % (size_t)flow->width, pixel / (size_t)flow->width);
        }
    }
    return NST_OK;
}

static nst_status parse(const char *path, const unsigned char *data, size_t bytes, nst_flow *flow, nst_error *error) {
    if (bytes < HEADER_BYTES || memcmp(data, "PIEH", 4) != 0) {
        return fail(error, NST_ERROR_FORMAT, "%s: not an optical flow: expected a .flo file, which begins with PIEH",
                    path);
    }
    uint32_t width = little_endian(data + 4), height = little_endian(data + 8);
    if (width < 1 || height < 1 || width > NST_MAX_SIZE_PX || height > NST_MAX_SIZE_PX) {
        return fail(error, NST_ERROR_FORMAT, "%s: expected sides of 1 to %d pixels, found %lu x %lu", path,
                    NST_MAX_SIZE_PX, (unsigned long)width, (unsigned long)height);
    }
    size_t expected = HEADER_BYTES + 8 * (size_t)width * height;
    if (bytes != expected) {
        return fail(error, NST_ERROR_FORMAT, "%s: expected %zu bytes for %lu x %lu pixels, found %zu", path, expected,
                    (unsigned long)width, (unsigned long)height, bytes);
    }
    nst_status status = flow_create((int)width, (int)height, flow, error);
    return status ? status : take_values(path, data + HEADER_BYTES, flow, error);
}

nst_status nst_flow_read(const char *path, nst_flow *flow, nst_error *error) {
    const size_t limit_bytes = (size_t)1 << 31;
    unsigned char *data;
    size_t bytes;
    *flow = (nst_flow){0};
    nst_status status = file_read(path, "optical flow", limit_bytes, &data, &bytes, error);
    if (status) {
        return status;
    }
    status = parse(path, data, bytes, flow, error);
    free(data);
    if (status) {
        nst_flow_free(flow);
    }
    return status;
}
