/* scales.c: the sizes a job runs through; see scales.h. */
#include "stylize/scales.h"

#include "image/picture.h"

static int longer_side(const nst_picture *picture) {
    return picture->width > picture->height ? picture->width : picture->height;
}

struct image_size scales_size(const struct recipe *recipe, const nst_picture *picture, int size_px) {
    struct image_size size;
    if (recipe->rounds_sizes_down) {
        /* int((float(image_size) / max(image.size)) * x), computed as Python does, in double. */
        double factor = (double)size_px / longer_side(picture);
        size = (struct image_size){.height = (int)(factor * picture->height), .width = (int)(factor * picture->width)};
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
    int px = (int)wanted;
    return scales_size(recipe, style, px < 1 ? 1 : px);
}

int scales_choose(const struct recipe *recipe, const nst_settings *settings, const struct model *model,
                  const nst_picture *content, struct scale scales[NST_MAX_SCALES]) {
    int wanted = settings->scale_count, count = 0, repeats = recipe->phases > 1 ? recipe->phases - 1 : 0;
    int sizes[NST_MAX_SCALES];
    for (int px = settings->size_px; count + repeats < NST_MAX_SCALES; px = (px + 1) / 2) {
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
