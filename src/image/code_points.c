/* code_points.c: see code_points.h. */
#include "image/code_points.h"
#include "image/decoded.h"
#include "support/error.h"

#include <string.h>

#define WHITE_D65                                                                                                      \
    { 0.3127, 0.3290 }
/* What cameras of BT.709 do, undone. */
#define TRANSFER_BT709                                                                                                 \
    { 1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081 }

/* clang-format off */
static const struct {
    int number;
    const char *name;
    double red[2], green[2], blue[2], white[2];
} primaries[] = {
    {1, "BT.709", {.640, .330}, {.300, .600}, {.150, .060}, WHITE_D65},
    {4, "BT.470 M", {.670, .330}, {.210, .710}, {.140, .080}, {.310, .316}},
    {5, "BT.470 B/G", {.640, .330}, {.290, .600}, {.150, .060}, WHITE_D65},
    {6, "BT.601", {.630, .340}, {.310, .595}, {.155, .070}, WHITE_D65},
    {7, "SMPTE 240M", {.630, .340}, {.310, .595}, {.155, .070}, WHITE_D65},
    {9, "BT.2020", {.708, .292}, {.170, .797}, {.131, .046}, WHITE_D65},
    {11, "DCI P3", {.680, .320}, {.265, .690}, {.150, .060}, {.314, .351}},
    {12, "Display P3", {.680, .320}, {.265, .690}, {.150, .060}, WHITE_D65},
};
/* clang-format on */

static const struct {
    int number;
    struct transfer_function function;
} transfers[] = {
    {1, TRANSFER_BT709},
    {4, {.gamma = 2.2, .scale = 1}},
    {5, {.gamma = 2.8, .scale = 1}},
    {6, TRANSFER_BT709},
    {8, {.gamma = 1, .scale = 1}},
    {13, {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045}},
    {14, TRANSFER_BT709},
    {15, TRANSFER_BT709},
};

bool code_points_find(const struct code_points *points, struct color_space *space, char reason[PROFILE_REASON_LENGTH]) {
    size_t i = 0, k = 0;
    while (i < sizeof primaries / sizeof *primaries && primaries[i].number != points->primaries) {
        i++;
    }
    while (k < sizeof transfers / sizeof *transfers && transfers[k].number != points->transfer) {
        k++;
    }
    if (i == sizeof primaries / sizeof *primaries || k == sizeof transfers / sizeof *transfers) {
        bool is_hdr = points->transfer == 16 || points->transfer == 18;
        snprintf(reason, PROFILE_REASON_LENGTH, "%s(primaries %d, transfer function %d of ITU-T H.273)",
                 is_hdr ? "they are of high dynamic range " : "", points->primaries, points->transfer);
        return false;
    }
    *space = (struct color_space){.name = primaries[i].name, .transfer = transfers[k].function};
    memcpy(space->red, primaries[i].red, sizeof space->red);
    memcpy(space->green, primaries[i].green, sizeof space->green);
    memcpy(space->blue, primaries[i].blue, sizeof space->blue);
    memcpy(space->white, primaries[i].white, sizeof space->white);
    return true;
}

nst_status code_points_apply(const struct code_points *points, const char *path, struct decoded *decoded,
                             nst_note *note, nst_error *error) {
    struct color_space space;
    char reason[PROFILE_REASON_LENGTH];
    if (!code_points_find(points, &space, reason)) {
        remark(note, "%s: its colors cannot be converted, and are taken as sRGB: %s", path, reason);
        return NST_OK;
    }
    bool is_srgb = points->primaries == 1 && points->transfer == 13;
    return is_srgb ? NST_OK : color_profile_create(&space, &decoded->metadata.profile, error);
}
