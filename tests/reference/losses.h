/* losses.h: the float64 truth for the losses. Each returns its value and adds its gradient with respect to its first
 * argument to `gradient`, which may be NULL. The formulas are those of loss/loss.h, without ReLU masks. */
#ifndef REFERENCE_LOSSES_H
#define REFERENCE_LOSSES_H

#include <stddef.h>

/* weight |F - P|^2 */
double reference_content_loss(const double *map, const double *target, size_t count, double weight, double *gradient);

/* gram[i][j] = sum over pixels of F[i] F[j] */
void reference_gram(const double *map, int channels, size_t pixels, double *gram);

/* weight |scale F F^T - A|^2 */
double reference_style_loss(const double *map, const double *target, int channels, size_t pixels, double weight,
                            double scale, double *gradient);

/* weight times the sum over neighbors in each plane of |difference|^power, power 1 or 2. image[planes][height][width]
 */
double reference_tv_loss(const double *image, int planes, int height, int width, int power, double weight,
                         double *gradient);

/* Of nine points: weight (2/3 of the mean squared difference along rows and columns + 1/6 of that along diagonals), of
 * image[3][height][width] in 0..1 with a frame of one more pixel, as its edge. The value only. */
double reference_tv_nine_loss(const double *image, int height, int width, double weight);

double reference_squares(const double *values, size_t count);

#endif
