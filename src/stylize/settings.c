/* settings.c: the presets. */
#include "nst.h"

#include "support/error.h"
#include "support/text.h"

#include <string.h>

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
