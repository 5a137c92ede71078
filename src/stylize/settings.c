/* settings.c: what a job can be made with; see settings.h. */
#include "stylize/settings.h"

#include "support/error.h"

#include <math.h>

static bool is_weight(double value) {
    return isfinite(value) && value >= 0;
}

static bool are_weights(const nst_layer_list *list) {
    bool fine = list->count >= 0 && list->count <= NST_MAX_LAYERS;
    for (int i = 0; fine && i < list->count; ++i) {
        fine = is_weight(list->layers[i].weight);
    }
    return fine;
}

static nst_status check_weights(const nst_settings *s, nst_error *error) {
    if (!is_weight(s->content_weight) || !is_weight(s->style_weight) || !is_weight(s->tv_weight) ||
        !is_weight(s->temporal_weight) || !is_weight(s->learning_rate)) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "expected numbers of 0 or more, found content weight %g, style weight %g, tv weight %g, temporal "
                    "weight %g, "
                    "learning rate %g",
                    s->content_weight, s->style_weight, s->tv_weight, s->temporal_weight, s->learning_rate);
    }
    if (!are_weights(&s->content_layers) || !are_weights(&s->style_layers)) {
        return fail(error, NST_ERROR_ARGUMENT, "expected up to %d layers of each kind, with weights of 0 or more",
                    NST_MAX_LAYERS);
    }
    double blend_sum = 0;
    for (int i = 0; i < s->style_blend_count; ++i) {
        blend_sum += is_weight(s->style_blend[i]) ? s->style_blend[i] : NAN;
    }
    if (s->style_blend_count > 0 && !(blend_sum > 0)) {
        return fail(error, NST_ERROR_ARGUMENT, "expected blend weights of 0 or more, not all 0");
    }
    return NST_OK;
}

static bool are_iterations(const nst_settings *s) {
    bool fine = s->iteration_count >= 1 && s->iteration_count <= NST_MAX_SCALES;
    for (int i = 0; fine && i < s->iteration_count; ++i) {
        fine = s->iterations[i] >= 0 && s->iterations[i] <= NST_MAX_ITERATIONS;
    }
    return fine;
}

/* An enum may hold any number. */
static nst_status check_choices(const nst_settings *s, nst_error *error) {
    const struct {
        const char *name;
        int value, last;
    } choices[] = {
        {"optimizer", (int)s->optimizer, NST_ADAM},
        {"init", (int)s->init, NST_INIT_PICTURE},
        {"pooling", (int)s->pooling, NST_POOLING_AVERAGE},
        {"precision", (int)s->precision, NST_PRECISION_HALF},
        {"choice of colors", (int)s->colors, NST_COLORS_PALETTE},
    };
    for (size_t i = 0; i < sizeof choices / sizeof *choices; ++i) {
        if (choices[i].value < 0 || choices[i].value > choices[i].last) {
            return fail(error, NST_ERROR_ARGUMENT, "there is no %s %d: expected 0 to %d", choices[i].name,
                        choices[i].value, choices[i].last);
        }
    }
    return NST_OK;
}

nst_status settings_check_ranges(const nst_settings *s, nst_error *error) {
    if (s->size_px < 1 || s->size_px > NST_MAX_SIZE_PX || s->scale_count < 0 || s->scale_count > NST_MAX_SCALES ||
        s->history < 1 || s->history > NST_MAX_HISTORY ||
        !(s->style_scale >= NST_MIN_STYLE_SCALE && s->style_scale <= NST_MAX_STYLE_SCALE)) {
        return fail(
            error, NST_ERROR_ARGUMENT,
            "expected a size of 1 to %d px, 0 to %d scales, a history of 1 to %d and a style scale of %g to %g, "
            "found %d px, %d scales, history %d, style scale %g",
            NST_MAX_SIZE_PX, NST_MAX_SCALES, NST_MAX_HISTORY, NST_MIN_STYLE_SCALE, NST_MAX_STYLE_SCALE, s->size_px,
            s->scale_count, s->history, s->style_scale);
    }
    if (!are_iterations(s)) {
        return fail(error, NST_ERROR_ARGUMENT, "expected 1 to %d numbers of iterations, each of 0 to %d",
                    NST_MAX_SCALES, NST_MAX_ITERATIONS);
    }
    if (!is_weight(s->seconds)) {
        return fail(error, NST_ERROR_ARGUMENT, "expected a time of 0 seconds or more, found %g", s->seconds);
    }
    return check_choices(s, error);
}

nst_status settings_check(const nst_settings *s, const nst_job_pictures *pictures, nst_error *error) {
    nst_status status = settings_check_ranges(s, error);
    if (status) {
        return status;
    }
    if (pictures->style_count < 1 || pictures->style_count > NST_MAX_STYLES) {
        return fail(error, NST_ERROR_ARGUMENT, "expected 1 to %d style pictures, found %d", NST_MAX_STYLES,
                    pictures->style_count);
    }
    if (s->style_blend_count != 0 && s->style_blend_count != pictures->style_count) {
        return fail(error, NST_ERROR_ARGUMENT, "%d blend weights are given for %d style pictures", s->style_blend_count,
                    pictures->style_count);
    }
    if (s->init == NST_INIT_PICTURE && !pictures->init) {
        return fail(error, NST_ERROR_ARGUMENT, "the picture to begin with is missing");
    }
    if (s->original_colors && s->colors != NST_COLORS_STYLE) {
        return fail(error, NST_ERROR_ARGUMENT, "expected original colors or other colors than the style's, found both");
    }
    return check_weights(s, error);
}
