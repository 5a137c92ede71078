/* scales.h: the sizes a job runs through, from small to large. */
#ifndef STYLIZE_SCALES_H
#define STYLIZE_SCALES_H

#include "network/model.h"
#include "stylize/recipe.h"

struct scale {
    struct image_size size;
    int size_px; /* longer side */
    int iterations;
    int phase; /* of the recipe */
};

/* Chooses the scales for a content: each half as large as the next, as many as settings ask for, or, for 0, down to
 * the recipe's smallest. Scales too small for the model are left out. A recipe of several phases has the last one again
 * for each further phase. The k-th number of iterations goes to the k-th scale;
 * further scales get the last. Returns their number, 0 if even the largest is too small. */
int scales_choose(const struct recipe *recipe, const nst_settings *settings, const struct model *model,
                  const nst_picture *content, struct scale scales[NST_MAX_SCALES]);

/* The size of a picture when its longer side is size_px, by the rule of the recipe: each side rounded to nearest or
 * down. */
struct image_size scales_size(const struct recipe *recipe, const nst_picture *picture, int size_px);

/* The size of a style picture at a scale: style_scale times the scale, but not larger than it is, unless the recipe
 * enlarges styles. */
struct image_size scales_style_size(const struct recipe *recipe, double style_scale, const nst_picture *style,
                                    int size_px);

#endif
