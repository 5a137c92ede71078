/* deal.h: how a picture is dealt out to devices: which gets how many bands of its rows. Pure: numbers in, numbers out.
 *
 * The first device has the first rows, and so on. A band is a unit of the tiling, but for the last one, which may be
 * smaller. What a device does grows with the rows that its band sees, halo included.
 */
#ifndef EVALUATE_DEAL_H
#define EVALUATE_DEAL_H

#include "evaluate/tiling.h"

struct deal {
    int count;                  /* devices */
    int units[NST_MAX_DEVICES]; /* of each; all together the tiling's */
};

/* Units of the rows of a picture that is divided so. */
int deal_unit_count(const struct tiling *tiling);

/* In proportion to `parts`, which are not all 0: as they are if they add up to the tiling's units. */
struct deal deal_by_parts(const struct tiling *tiling, const int *parts, int count);

/* So that the last device to be done, by `speeds` in pixels per second, is done soonest. Speeds may be 0, but not all. */
struct deal deal_by_speed(const struct tiling *tiling, const double *speeds, int count);

/* Gives each device of a speed above 0 a unit, of those that have the most, as far as there are enough: what a speed is
 * turns out at work. */
void deal_to_all(struct deal *deal, const double *speeds);

/* When that will be; infinite if a device of speed 0 has any units. */
double deal_seconds(const struct deal *deal, const struct tiling *tiling, const double *speeds);

/* The rows of a device, and how many pixels it sees. */
struct span deal_band(const struct deal *deal, const struct tiling *tiling, int device);
double deal_pixels(const struct deal *deal, const struct tiling *tiling, int device);

#endif
