/* settings.c: the presets, and what a job can be made with. */
#include "stylize/settings.h"

#include "support/error.h"
#include "support/text.h"

#include <math.h>
#include <string.h>

/* ---- Presets ----------------------------------------------------------------------------------------------------- */

static void set_layers(nst_layer_list *list, const char *const *names, const double *weights, int count) {
    *list = (nst_layer_list){.count = count};
    for (int i = 0; i < count; ++i) {
        strncpy(list->layers[i].name, names[i], sizeof list->layers[i].name - 1);
        list->layers[i].weight = weights ? weights[i] : 1;
    }
}

static const char *const style_layers[] = {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"};
static const char *const content_layers[] = {"relu4_2"};

/* Our own recipe: several scales, each layer's loss relative to its target's size, so that weights mean the same for
 * every network and at every size. */
static void set_default(nst_settings *settings) {
    *settings = (nst_settings){
        .objective = NST_OBJECTIVE_NORMALIZED,
        .size_px = 512,
        .scale_count = 0,
        .iterations = {150, 100, 60},
        .iteration_count = 3,
        .optimizer = NST_AUTO,
        .history = 20,
        .init = NST_INIT_CONTENT,
        .content_weight = 0.05,
        .style_weight = 1,
        .tv_weight = 0.08,
        .style_scale = 1,
        .pooling = NST_POOLING_MAX,
    };
    set_layers(&settings->content_layers, content_layers, NULL, 1);
    set_layers(&settings->style_layers, style_layers, NULL, 5);
}

/* neural-style-pt, commit 7251405: its defaults. */
static void set_neural_style(nst_settings *settings) {
    *settings = (nst_settings){
        .objective = NST_OBJECTIVE_NEURAL_STYLE,
        .size_px = 512,
        .scale_count = 1,
        .iterations = {1000},
        .iteration_count = 1,
        .optimizer = NST_LBFGS,
        .history = 100,
        .init = NST_INIT_RANDOM,
        .content_weight = 5,
        .style_weight = 100,
        .tv_weight = 1e-3,
        .style_scale = 1,
        .pooling = NST_POOLING_MAX,
    };
    set_layers(&settings->content_layers, content_layers, NULL, 1);
    set_layers(&settings->style_layers, style_layers, NULL, 5);
}

nst_status nst_settings_init(nst_settings *settings, const char *preset, nst_error *error) {
    static const char *const names[] = {"default", "neural-style"};
    static void (*const setters[])(nst_settings *) = {set_default, set_neural_style};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        if (strcmp(preset ? preset : "default", names[i]) == 0) {
            setters[i](settings);
            return NST_OK;
        }
    }
    const char *nearest = text_nearest(preset, names, sizeof names / sizeof *names);
    return fail(error, NST_ERROR_ARGUMENT, "unknown preset '%s'%s%s%s; there are default and neural-style", preset,
                nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* ---- Checking them ----------------------------------------------------------------------------------------------- */

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
        !is_weight(s->learning_rate)) {
        return fail(
            error, NST_ERROR_ARGUMENT,
            "expected numbers of 0 or more, found content weight %g, style weight %g, tv weight %g, learning rate %g",
            s->content_weight, s->style_weight, s->tv_weight, s->learning_rate);
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
        {"objective", (int)s->objective, NST_OBJECTIVE_NEURAL_STYLE},
        {"optimizer", (int)s->optimizer, NST_ADAM},
        {"init", (int)s->init, NST_INIT_PICTURE},
        {"pooling", (int)s->pooling, NST_POOLING_AVERAGE},
        {"precision", (int)s->precision, NST_PRECISION_HALF},
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
    return check_weights(s, error);
}
