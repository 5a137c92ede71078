/* color_moments.h: mean and covariance of a picture's colors, and the linear map that turns those of one picture into
 * those of another. A color is three numbers of any space: a picture's values as they are, or OkLab's. */
#ifndef IMAGE_COLOR_MOMENTS_H
#define IMAGE_COLOR_MOMENTS_H

#include "nst.h"

struct color_moments {
    double mean[3];
    double covariance[3][3];
};

/* Those of all pixels, each weighing by its alpha; zeros if none can be seen. */
struct color_moments color_moments_of(const nst_picture *picture);

/* Those of several pictures together, each counting by its share; the shares add up to 1. */
struct color_moments color_moments_mix(const struct color_moments *moments, const double *shares, int count);

/* color -> to + matrix (color - from) */
struct color_map {
    double from[3], to[3];
    double matrix[3][3];
};

/* The linear map between two distributions that changes colors least in the mean square (Monge and Kantorovich; Pitie and
 * Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer"):
 *     A = C^(-1/2) (C^(1/2) C* C^(1/2))^(1/2) C^(-1/2)        C = covariance of `from`, C* of `to`
 * A color of mean and covariance `from` has those of `to` afterwards. Directions in which `from` varies by less than a
 * step of 8 bits (1/255) count as if they varied by that much, so that rounding noise is not made into colors: a picture
 * that is gray or constant there does not get the whole covariance. */
struct color_map color_map_between(const struct color_moments *from, const struct color_moments *to);

/* The color that the map makes of a color; both may be the same. */
void color_map_apply(const struct color_map *map, const float color[3], float result[3]);

/* Maps the values of every pixel and clamps them to 0..1; alpha stays. */
void picture_map_colors(nst_picture *picture, const struct color_map *map);

#endif
