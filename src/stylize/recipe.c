/* recipe.c: the recipes that are built in; see recipe.h. */
#include "stylize/recipe.h"

#include "support/error.h"
#include "support/text.h"

#include <math.h>
#include <string.h>

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

#define STYLE_LAYERS                                                                                                   \
    {                                                                                                                  \
        .count = 5, .layers = { {"relu1_1", 1}, {"relu2_1", 1}, {"relu3_1", 1}, {"relu4_1", 1}, {"relu5_1", 1} }       \
    }
#define CONTENT_LAYERS                                                                                                 \
    {                                                                                                                  \
        .count = 1, .layers = { {"relu4_2", 1} }                                                                       \
    }

/* The image is kept in 0..255, and steps are bounded: without a line search some would be too long. */
#define BOUNDED_LBFGS                                                                                                  \
    {                                                                                                                  \
        .settings = {.kind = NST_LBFGS,                                                                                \
                     .learning_rate = 1,                                                                               \
                     .first_step_rms = 2,                                                                              \
                     .largest_step_rms = 40,                                                                           \
                     .first_matrix = 1,                                                                                \
                     .bounded = true,                                                                                  \
                     .high = 255},                                                                                     \
        .explosion = 5                                                                                                 \
    }

#define NEIGHBOR_LAYERS                                                                                                \
    {                                                                                                                  \
        .count = 10, .layers = {                                                                                       \
            {"relu1_1", 1},                                                                                            \
            {"relu1_2", 1},                                                                                            \
            {"relu2_1", 1},                                                                                            \
            {"relu2_2", 1},                                                                                            \
            {"relu3_1", 1},                                                                                            \
            {"relu3_2", 1},                                                                                            \
            {"relu3_3", 1},                                                                                            \
            {"relu4_1", 1},                                                                                            \
            {"relu4_2", 1},                                                                                            \
            {"relu4_3", 1}                                                                                             \
        }                                                                                                              \
    }
#define NEIGHBOR_CONTENT_LAYERS                                                                                        \
    {                                                                                                                  \
        .count = 3, .layers = { {"relu2_1", 1}, {"relu3_1", 1}, {"relu4_1", 1} }                                       \
    }
#define NEIGHBORS_ADAM(rate)                                                                                           \
    {                                                                                                                  \
        .settings = {.kind = NST_ADAM, .learning_rate = (rate), .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 / 255 }  \
    }
/* The whole row but for its name and what it says of iterations. */
#define NEIGHBORS(rate)                                                                                                \
    .filter = RESIZE_TRIANGLE, .random_mean = 127.5, .random_deviation = 30, .turns_styles = true,                     \
    .mixes_content = true, .smallest_scale_px = 64, .phases = 2,                                                       \
    .losses = {{.kind = "neighbors",                                                                                   \
                .group = RECIPE_STYLE,                                                                                 \
                .joins_layers = true,                                                                                  \
                .options = {.match_dimensions = 256},                                                                  \
                .phases = 1 << 0},                                                                                     \
               {.kind = "layer neighbors",                                                                             \
                .group = RECIPE_STYLE,                                                                                 \
                .options = {.image_side = 32, .match_dimensions = 128},                                                \
                .phases = 1 << 1},                                                                                     \
               {.kind = "content", .group = RECIPE_CONTENT, .options = {.relative = true}}},                           \
    .loss_count = 3, .strength_weights = {5, 0.05}, .pyramid_levels = 8,                                               \
    .optimizers = {[NST_AUTO] = NEIGHBORS_ADAM(rate),                                                                  \
                   [NST_LBFGS] = {.settings = {.kind = NST_LBFGS,                                                      \
                                               .learning_rate = 1,                                                     \
                                               .first_step_rms = 2,                                                    \
                                               .largest_step_rms = 40,                                                 \
                                               .first_matrix = 1},                                                     \
                                  .explosion = 5},                                                                     \
                   [NST_ADAM] = NEIGHBORS_ADAM(rate)}
#define NEIGHBORS_DEFAULTS                                                                                             \
    .scale_count = 0, .optimizer = NST_AUTO, .history = 20, .init = NST_INIT_CONTENT, .content_weight = 0.7,           \
    .style_weight = 1, .temporal_weight = 100, .style_scale = 1, .content_layers = NEIGHBOR_CONTENT_LAYERS,            \
    .style_layers = NEIGHBOR_LAYERS, .pooling = NST_POOLING_MAX

#define HYPERCOLUMN_LAYERS                                                                                             \
    {                                                                                                                  \
        .count = 9, .layers = {                                                                                        \
            {"relu1_1", 1},                                                                                            \
            {"relu1_2", 1},                                                                                            \
            {"relu2_1", 1},                                                                                            \
            {"relu2_2", 1},                                                                                            \
            {"relu3_1", 1},                                                                                            \
            {"relu3_2", 1},                                                                                            \
            {"relu3_3", 1},                                                                                            \
            {"relu4_3", 1},                                                                                            \
            {"relu5_1", 1}                                                                                             \
        }                                                                                                              \
    }
/* RMSprop; 0.002, and its epsilon, are for an image in 0..1. */
#define HYPERCOLUMN_RMSPROP                                                                                            \
    {                                                                                                                  \
        .settings = {                                                                                                  \
            .kind = NST_ADAM,                                                                                          \
            .learning_rate = 0.002 * 255,                                                                              \
            .beta2 = 0.99,                                                                                             \
            .epsilon = 1e-8 / 255,                                                                                     \
            .uncorrected = true                                                                                        \
        }                                                                                                              \
    }

#define WASSERSTEIN_LAYERS                                                                                             \
    {                                                                                                                  \
        .count = 5, .layers = { {"relu1_1", 256}, {"relu2_1", 64}, {"relu3_1", 16}, {"relu4_1", 4}, {"relu5_1", 1} }   \
    }
/* 0.02, and its epsilon, are for an image in 0..1. */
#define WASSERSTEIN_ADAM                                                                                               \
    {                                                                                                                  \
        .settings = {                                                                                                  \
            .kind = NST_ADAM,                                                                                          \
            .learning_rate = 0.02 * 255,                                                                               \
            .beta1 = 0.9,                                                                                              \
            .beta2 = 0.99,                                                                                             \
            .epsilon = 1e-8 / 255,                                                                                     \
            .carries = true,                                                                                           \
            .bounded = true,                                                                                           \
            .high = 255                                                                                                \
        }                                                                                                              \
    }

static const struct recipe builtin_recipes[] = {
    /* the default one first */
    /* Our own: several scales, each layer's loss relative to its target's size, so that weights mean the same for every
     * network and at every size. */
    {
        .name = "gram",
        .summary = "Gram matrices over several scales, losses relative to their targets",
        .filter = RESIZE_LANCZOS3,
        .random_mean = 127.5,
        .random_deviation = 30,
        .smallest_scale_px = 128,
        .losses = {{.kind = "content", .group = RECIPE_CONTENT, .options = {.relative = true}},
                   {.kind = "gram", .group = RECIPE_STYLE, .options = {.relative = true}},
                   {.kind = "total variation", .group = RECIPE_TOTAL_VARIATION, .options = {.power = 2, .mean = true}}},
        .loss_count = 3,
        .divides_layer_weights = true,
        .strength_weights = {30, 0.005},
        .least_loss = 1e-6,
        .optimizers = {[NST_AUTO] = BOUNDED_LBFGS,
                       [NST_LBFGS] = BOUNDED_LBFGS,
                       [NST_ADAM] = {.settings = {.kind = NST_ADAM,
                                                  .learning_rate = 5,
                                                  .beta1 = 0.9,
                                                  .beta2 = 0.99,
                                                  .epsilon = 1e-8,
                                                  .bounded = true,
                                                  .high = 255},
                                     .explosion = 5}},
        .defaults = {.preset = "gram",
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
                     .temporal_weight = 2,
                     .style_scale = 1,
                     .content_layers = CONTENT_LAYERS,
                     .style_layers = STYLE_LAYERS,
                     .pooling = NST_POOLING_MAX},
    },
    /* neural-style-pt, commit 7251405: its losses, defaults and, with L-BFGS or Adam, its steps; nothing is bounded, since
     * they are to be reproduced exactly. The metric of the automatic optimizer was found by trial, see docs/design.md. */
    {
        .name = "neural-style",
        .summary = "the losses, constants and steps of neural-style-pt, exactly",
        .network = "vgg19",
        .filter = RESIZE_TRIANGLE,
        .rounds_to_bytes = true,
        .rounding = ROUND_DOWN,
        .enlarges_styles = true,
        .centered = true,
        .random_mean = 0,
        .random_deviation = 1e-3,
        .smallest_scale_px = 128,
        .losses = {{.kind = "content", .group = RECIPE_CONTENT},
                   {.kind = "gram", .group = RECIPE_STYLE, .options = {.gram_by_channels = true}},
                   {.kind = "total variation", .group = RECIPE_TOTAL_VARIATION, .options = {.power = 1}}},
        .loss_count = 3,
        .optimizers =
            {[NST_AUTO] = {.settings = {.kind = NST_LBFGS,
                                        .learning_rate = 1,
                                        .first_step_rms = 2,
                                        .largest_step_rms = 40,
                                        .correlation = 0.5,
                                        .first_matrix = 4},
                           .explosion = 5},
             [NST_LBFGS] = {.settings = {.kind = NST_LBFGS, .learning_rate = 1, .first_matrix = 1}},
             [NST_ADAM] =
                 {.settings = {.kind = NST_ADAM, .learning_rate = 1, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8}}},
        .defaults = {.preset = "neural-style",
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
                     .temporal_weight = 1e8,
                     .style_scale = 1,
                     .content_layers = CONTENT_LAYERS,
                     .style_layers = STYLE_LAYERS,
                     .pooling = NST_POOLING_MAX},
    },
    /* NNST in its optimized form. */
    {
        .name = "neighbors",
        .summary = "the painter's own patches, by nearest neighbors of features",
        NEIGHBORS(0.51),
        .defaults = {.preset = "neighbors",
                     .size_px = 512,
                     .iterations = {200, 200, 150, 60, 120},
                     .iteration_count = 5,
                     NEIGHBORS_DEFAULTS},
    },
    /* The same with an eighth of the iterations, and steps so much longer that the picture gets as far; see docs/design.md.
     */
    {
        .name = "draft",
        .summary = "a first picture in seconds: few and long steps of neighbors",
        NEIGHBORS(1.6),
        .defaults = {.preset = "draft",
                     .size_px = 256,
                     .iterations = {22, 18, 10, 6},
                     .iteration_count = 4,
                     NEIGHBORS_DEFAULTS},
    },
    /* style-transfer-pytorch, commit e7e2c71, whose weights are for torchvision's VGG-19: its losses, scales and steps, of
     * which it makes three times as many. */
    {
        .name = "wasserstein",
        .summary = "means and covariances of features, by the losses and steps of style-transfer-pytorch",
        .filter = RESIZE_CUBIC,
        .rounding = ROUND_HALF_TO_EVEN,
        .random_mean = 127.5,
        .random_deviation = 63.75,
        .smallest_scale_px = 128,
        .scales_per_octave = 2,
        .losses = {{.kind = "content", .group = RECIPE_CONTENT},
                   {.kind = "wasserstein", .group = RECIPE_STYLE, .options = {.epsilon = 1e-4}},
                   {.kind = "total variation", .group = RECIPE_TOTAL_VARIATION, .options = {.nine_points = true}}},
        .loss_count = 3,
        .scales_features = true,
        .replicates_border = true,
        .divides_layer_weights = true,
        .strength_weights = {1.5, 0.001},
        .average_decay = 0.99,
        .optimizers = {[NST_AUTO] = WASSERSTEIN_ADAM, [NST_LBFGS] = BOUNDED_LBFGS, [NST_ADAM] = WASSERSTEIN_ADAM},
        .defaults = {.preset = "wasserstein",
                     .size_px = 512,
                     .scale_count = 0,
                     .iterations = {333, 167},
                     .iteration_count = 2,
                     .optimizer = NST_AUTO,
                     .history = 20,
                     .init = NST_INIT_CONTENT,
                     .content_weight = 0.015,
                     .style_weight = 1,
                     .tv_weight = 2,
                     .temporal_weight = 100,
                     .style_scale = 1,
                     .content_layers = CONTENT_LAYERS,
                     .style_layers = WASSERSTEIN_LAYERS,
                     .pooling = NST_POOLING_MAX},
    },
    /* STROTSS, whose constants are those of the published program, but for the network: layers are the nearest to its own
     * that the network of the repository has. */
    {
        .name = "strotss",
        .summary = "what is alike in the content stays alike; features and colors move to the style's, by STROTSS",
        .filter = RESIZE_TRIANGLE,
        .rounding = ROUND_DOWN,
        .enlarges_styles = true,
        .random_mean = 127.5,
        .random_deviation = 30,
        .smallest_scale_px = 64,
        .content_by_size = true,
        .last_rate = 0.5,
        .starts_from_detail = true,
        .losses = {{.kind = "self-distance", .group = RECIPE_CONTENT, .joins_layers = true, .joins_image = true},
                   {.kind = "earth mover", .group = RECIPE_STYLE, .joins_layers = true, .joins_image = true},
                   {.kind = "moments", .group = RECIPE_STYLE, .joins_layers = true, .joins_image = true},
                   {.kind = "palette", .group = RECIPE_STYLE, .is_on_image = true, .yields = true}},
        .loss_count = 4,
        .scales_vectors = true,
        .style_share = 2,
        .strength_weights = {128, 1},
        .pyramid_levels = 5,
        .optimizers = {[NST_AUTO] = HYPERCOLUMN_RMSPROP,
                       [NST_LBFGS] = {.settings = {.kind = NST_LBFGS,
                                                   .learning_rate = 1,
                                                   .first_step_rms = 2,
                                                   .largest_step_rms = 40,
                                                   .first_matrix = 1},
                                      .explosion = 5},
                       [NST_ADAM] = NEIGHBORS_ADAM(0.51)},
        .defaults = {.preset = "strotss",
                     .size_px = 512,
                     .scale_count = 0,
                     .iterations = {250},
                     .iteration_count = 1,
                     .optimizer = NST_AUTO,
                     .history = 20,
                     .init = NST_INIT_CONTENT,
                     .content_weight = 16,
                     .style_weight = 1,
                     .temporal_weight = 5,
                     .style_scale = 1,
                     .content_layers = HYPERCOLUMN_LAYERS,
                     .style_layers = HYPERCOLUMN_LAYERS,
                     .pooling = NST_POOLING_MAX},
    },
    /* Scaling Painting Style Transfer, commit d39643c, whose weights are for VGG-19 as it was trained with Caffe, with an
     * epsilon. Its Gram losses have weights of 1000 / channels^2, which is what dividing the matrices does. */
    {
        .name = "spst",
        .summary = "Gram matrices, means and deviations, by the losses and schedule of Scaling Painting Style Transfer",
        .filter = RESIZE_CUBIC,
        .rounds_to_bytes = true,
        .random_mean = 127.5,
        .random_deviation = 30,
        .smallest_scale_px = 512,
        .losses = {{.kind = "content", .group = RECIPE_CONTENT},
                   {.kind = "gram", .group = RECIPE_STYLE, .options = {.gram_by_channels = true}, .weight = 1e3},
                   {.kind = "mean and deviation", .group = RECIPE_STYLE, .options = {.epsilon = 1e-4}, .weight = 1e4}},
        .loss_count = 3,
        .optimizers = {[NST_AUTO] = BOUNDED_LBFGS,
                       [NST_LBFGS] = {.settings = {.kind = NST_LBFGS, .learning_rate = 1, .first_matrix = 1}},
                       [NST_ADAM] = {.settings = {.kind = NST_ADAM,
                                                  .learning_rate = 5,
                                                  .beta1 = 0.9,
                                                  .beta2 = 0.99,
                                                  .epsilon = 1e-8,
                                                  .bounded = true,
                                                  .high = 255},
                                     .explosion = 5}},
        .defaults = {.preset = "spst",
                     .size_px = 512,
                     .scale_count = 0,
                     .iterations = {600, 200, 66, 30},
                     .iteration_count = 4,
                     .optimizer = NST_AUTO,
                     .history = 10,
                     .init = NST_INIT_CONTENT,
                     .content_weight = 1,
                     .style_weight = 1,
                     .temporal_weight = 1e8,
                     .style_scale = 1,
                     .content_layers = CONTENT_LAYERS,
                     .style_layers = STYLE_LAYERS,
                     .pooling = NST_POOLING_MAX},
    },
    {.name = NULL},
};

/* ---- Table ------------------------------------------------------------------------------------------------------- */

const struct recipe *recipe_table(const nst_context *context) {
    return context && context->tables.recipes ? context->tables.recipes : builtin_recipes;
}

static nst_status fail_unknown(const struct recipe *table, const char *name, nst_error *error) {
    enum { MOST_NAMES = 32 };
    const char *names[MOST_NAMES];
    size_t count = 0, used = 0;
    char list[256] = "";
    for (const struct recipe *row = table; row->name && count < MOST_NAMES && used < sizeof list; ++row) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", count ? ", " : "", row->name);
        names[count++] = row->name;
    }
    const char *nearest = text_nearest(name, names, count);
    return fail(error, NST_ERROR_ARGUMENT, "unknown preset '%s'%s%s%s; there are %s", name,
                nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "", list);
}

nst_status recipe_find(const struct recipe *table, const char *name, const struct recipe **recipe, nst_error *error) {
    char wanted[NST_PRESET_LENGTH]; /* that of settings may have no end */
    snprintf(wanted, sizeof wanted, "%.*s", (int)sizeof wanted - 1, name ? name : "default");
    *recipe = table;
    if (strcmp(wanted, "default") == 0) {
        return NST_OK;
    }
    while ((*recipe)->name && strcmp((*recipe)->name, wanted) != 0) {
        ++*recipe;
    }
    return (*recipe)->name ? NST_OK : fail_unknown(table, wanted, error);
}

nst_status nst_settings_init(nst_settings *settings, const char *preset, nst_error *error) {
    const struct recipe *recipe;
    nst_status status = recipe_find(recipe_table(NULL), preset, &recipe, error);
    if (!status) {
        *settings = recipe->defaults;
    }
    return status;
}

nst_status nst_settings_set_strength(nst_settings *settings, double strength, nst_error *error) {
    const struct recipe *recipe;
    nst_status status = recipe_find(recipe_table(NULL), settings->preset, &recipe, error);
    if (!status && !(strength >= 0 && strength <= 1)) {
        status = fail(error, NST_ERROR_ARGUMENT, "expected a strength of 0 to 1, found %g", strength);
    }
    if (!status) {
        double middle = recipe->defaults.content_weight, end = recipe->strength_weights[strength > 0.5];
        end = end > 0 ? end : strength > 0.5 ? middle / 100 : middle * 100;
        settings->content_weight = middle * pow(end / middle, fabs(2 * strength - 1));
    }
    return status;
}

bool nst_preset_at(int index, nst_preset *preset) {
    const struct recipe *row = recipe_table(NULL);
    for (int i = 0; i < index && row->name; ++i) {
        ++row;
    }
    *preset = (nst_preset){.name = row->name,
                           .summary = row->summary,
                           .network = row->network,
                           .phases = row->phases > 1 ? row->phases : 1};
    return row->name != NULL;
}
