/* color_reference.c: see color_reference.h. Light is transfer(value); XYZ = M light, where M's columns are the primaries'
 * (x, y, 1 - x - y), scaled so that their sum is the white (SMPTE RP 177). */
#include "color_reference.h"

#include <lcms2.h>
#include <math.h>

static double determinant(double m[3][3]) {
    return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
           m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

/* Solves m x = b by Cramer's rule. */
static void solve(double m[3][3], const double b[3], double x[3]) {
    for (int column = 0; column < 3; column++) {
        double replaced[3][3];
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 3; k++)
                replaced[i][k] = k == column ? b[i] : m[i][k];
        x[column] = determinant(replaced) / determinant(m);
    }
}

static void make_matrix(const struct color_space *space, double m[3][3]) {
    const double *const points[3] = {space->red, space->green, space->blue};
    double scales[3];
    const double white[3] = {space->white[0] / space->white[1], 1,
                             (1 - space->white[0] - space->white[1]) / space->white[1]};
    for (int k = 0; k < 3; k++) {
        m[0][k] = points[k][0];
        m[1][k] = points[k][1];
        m[2][k] = 1 - points[k][0] - points[k][1];
    }
    solve(m, white, scales);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            m[i][k] *= scales[k];
}

static double light_of(const struct transfer_function *t, double value) {
    return value < t->linear_below ? value * t->slope : pow(value * t->scale + t->offset, t->gamma);
}

static double encode_srgb(double light) {
    double value = light <= 0.0031308 ? 12.92 * light : 1.055 * pow(light, 1 / 2.4) - 0.055;
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

void reference_to_srgb(const struct color_space *space, const double color[3], double srgb[3]) {
    double from[3][3], to[3][3], xyz[3] = {0}, light[3];
    make_matrix(space, from);
    make_matrix(&color_space_srgb, to);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            xyz[i] += from[i][k] * light_of(&space->transfer, color[k]);
    solve(to, xyz, light);
    for (int i = 0; i < 3; i++)
        srgb[i] = encode_srgb(light[i]);
}

void reference_lab_to_srgb(const double lab[3], double color[3]) {
    cmsHPROFILE from = cmsCreateLab4Profile(NULL), to = cmsCreate_sRGBProfile();
    cmsHTRANSFORM transform = cmsCreateTransform(from, TYPE_Lab_DBL, to, TYPE_RGB_DBL, INTENT_PERCEPTUAL, 0);
    cmsDoTransform(transform, lab, color, 1);
    cmsDeleteTransform(transform);
    cmsCloseProfile(from);
    cmsCloseProfile(to);
}
