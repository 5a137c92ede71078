/* oklab.c: between sRGB and OkLab; see oklab.h. */
#include "image/oklab.h"

#include <math.h>
#include <stdbool.h>

/* What a color may lie outside of sRGB by rounding; in linear light. */
#define GAMUT_TOLERANCE 1e-5

static double limit(double value) {
    return !(value > 0) ? 0 : value > 1 ? 1 : value;
}

/* IEC 61966-2-1: to linear light and back. */
static double decode(double value) {
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}
static double encode(double linear) {
    return linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
}

void oklab_from_srgb(const float rgb[3], float lab[3]) {
    double r = decode(limit(rgb[0])), g = decode(limit(rgb[1])), b = decode(limit(rgb[2]));
    double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    lab[0] = (float)(0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s);
    lab[1] = (float)(1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s);
    lab[2] = (float)(0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s);
}

/* Linear light of L, with `share` of the chroma. */
static void to_linear(const double lab[3], double share, double linear[3]) {
    double a = share * lab[1], b = share * lab[2];
    double l = pow(lab[0] + 0.3963377774 * a + 0.2158037573 * b, 3);
    double m = pow(lab[0] - 0.1055613458 * a - 0.0638541728 * b, 3);
    double s = pow(lab[0] - 0.0894841775 * a - 1.2914855480 * b, 3);
    linear[0] = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
    linear[1] = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
    linear[2] = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
}

static bool is_in_gamut(const double linear[3]) {
    bool fits = true;
    for (int i = 0; i < 3; ++i) {
        fits = fits && linear[i] >= -GAMUT_TOLERANCE && linear[i] <= 1 + GAMUT_TOLERANCE;
    }
    return fits;
}

void oklab_to_srgb(const float lab[3], float rgb[3]) {
    enum { HALVINGS = 16 };
    const double color[3] = {limit(lab[0]), lab[1], lab[2]};
    double linear[3], inside = 0, outside = 1;
    to_linear(color, 1, linear);
    if (!is_in_gamut(linear)) {
        for (int i = 0; i < HALVINGS; ++i) {
            double share = (inside + outside) / 2;
            to_linear(color, share, linear);
            *(is_in_gamut(linear) ? &inside : &outside) = share;
        }
        to_linear(color, inside, linear);
    }
    for (int i = 0; i < 3; ++i) {
        rgb[i] = (float)limit(encode(limit(linear[i])));
    }
}
