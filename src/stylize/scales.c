/* scales.c: the sizes a job runs through; see scales.h. */
#include "stylize/scales.h"

#include "image/picture.h"

#include <math.h>

static int longer_side(const nst_picture *picture) {
    return picture->width > picture->height ? picture->width : picture->height;
}

struct image_size scales_size(const struct recipe *recipe, const nst_picture *picture, int size_px) {
    struct image_size size;
    if (recipe->rounding == ROUND_DOWN) {
        /* int((float(image_size) / max(image.size)) * x), computed as Python does, in double. */
        double factor = (double)size_px / longer_side(picture);
        size = (struct image_size){.height = (int)(factor * picture->height), .width = (int)(factor * picture->width)};
    } else if (recipe->rounding == ROUND_HALF_TO_EVEN) {
        double width = (double)size_px * picture->width / longer_side(picture);
        double height = (double)size_px * picture->height / longer_side(picture);
        size = (struct image_size){.height = (int)fmax(rint(height), 1), .width = (int)fmax(rint(width), 1)};
    } else {
        picture_fit(picture, size_px, &size.width, &size.height);
    }
    return size;
}

struct image_size scales_style_size(const struct recipe *recipe, double style_scale, const nst_picture *style,
                                    int size_px) {
    double wanted = style_scale * size_px;
    if (!recipe->enlarges_styles && wanted > longer_side(style)) {
        wanted = longer_side(style);
    }
    int px = (int)(recipe->rounding == ROUND_HALF_TO_EVEN ? rint(wanted) : wanted);
    return scales_size(recipe, style, px < 1 ? 1 : px);
}

/* Of the scale that is the number-th below the largest, given the one above it. */
static int next_px(const struct recipe *recipe, int size_px, int number, int above) {
    int per_octave = recipe->scales_per_octave;
    return per_octave > 1 ? (int)rint(size_px / pow(2, (double)number / per_octave)) : (above + 1) / 2;
}

static bool has_iterations(const nst_settings *settings) {
    for (int i = 0; i < settings->iteration_count; ++i) {
        if (settings->iterations[i] > 0) {
            return true;
        }
    }
    return false;
}

int scales_choose(const struct recipe *recipe, const nst_settings *settings, const struct model *model,
                  const nst_picture *content, struct scale scales[NST_MAX_SCALES]) {
    /* Without any iteration, small scales would only blur what the last one begins with. */
    int wanted = has_iterations(settings) ? settings->scale_count : 1, count = 0,
        repeats = recipe->phases > 1 ? recipe->phases - 1 : 0;
    int sizes[NST_MAX_SCALES];
    for (int px = settings->size_px; count + repeats < NST_MAX_SCALES;
         px = next_px(recipe, settings->size_px, count, px)) {
        bool enough = wanted > 0 ? count == wanted : count > 0 && px < recipe->smallest_scale_px;
        struct image_size size = scales_size(recipe, content, px);
        if (enough || size.height < 1 || size.width < 1 ||
            model_map_size(model, model_stage_count(model) - 1, size).height == 0) {
            break;
        }
        sizes[count++] = px;
        if (px == 1) {
            break;
        }
    }
    repeats = count > 0 ? repeats : 0;
    for (int i = 0; i < count + repeats; ++i) {
        int last = settings->iteration_count - 1, px = sizes[i < count ? count - 1 - i : 0];
        scales[i] = (struct scale){
            .size = scales_size(recipe, content, px),
            .size_px = px,
            .iterations = settings->iterations[i < last ? i : last],
            .phase = i < count ? 0 : i - count + 1,
        };
    }
    return count + repeats;
}
