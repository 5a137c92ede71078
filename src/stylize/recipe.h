/* recipe.h: a recipe (preset) as data: what is minimized, how pictures are prepared, how the image is optimized.
 *
 * To add a preset: a row in recipe.c. Nothing else asks which recipe it is.
 */
#ifndef STYLIZE_RECIPE_H
#define STYLIZE_RECIPE_H

#include "evaluate/objective.h"
#include "image/picture.h"
#include "optimizer/optimizer.h"

/* Which layers and which weight of the settings a loss takes. */
enum recipe_group { RECIPE_CONTENT, RECIPE_STYLE, RECIPE_TOTAL_VARIATION };

struct recipe_loss {
    const char *kind; /* of the table of losses (loss/loss.h) */
    enum recipe_group group;
    struct loss_options options;
    double weight;     /* it counts so many times; 0 stands for 1 */
    bool joins_layers; /* one loss on all layers of the group; else one for each */
    bool joins_image;  /* and besides on the image itself */
    bool is_on_image;  /* on no layer, whatever the group */
    bool yields;       /* its weight is divided by the content weight, where that is above 1 */
    unsigned phases;   /* bit p: it counts in phase p; 0: in all */
};

enum { RECIPE_MOST_LOSSES = 8, RECIPE_OPTIMIZERS = NST_ADAM + 1 };

struct recipe_optimizer {
    struct optimizer_settings settings; /* without history; learning_rate is the default one */
    double explosion; /* a loss that many times the last good one is gone back from; 0: only one that is not finite */
};

/* How sizes are rounded that are no whole numbers. */
enum recipe_rounding { ROUND_TO_NEAREST, ROUND_DOWN, ROUND_HALF_TO_EVEN };

struct recipe {
    const char *name; /* NULL behind the last row of a table */
    const char *summary;
    const char *network; /* by name, the only one with which the recipe is exact; NULL: any */

    /* Pictures to images. */
    enum resize_filter filter;
    bool rounds_to_bytes; /* resized pictures are rounded to 8 bits, as by programs that work on them */
    enum recipe_rounding rounding;
    bool enlarges_styles; /* else a style picture is never made larger than it is */
    bool turns_styles;    /* each style is shown turned by 0, 90, 180 and 270 degrees */
    bool mixes_content;   /* from the second scale on the target for the content is a mixture: of the content,
                           content_weight of it, and of the image so far with the content's finest detail; what
                           content_weight is above 1 is the weight of the content's losses */
    bool centered;        /* see objective_spec */
    double random_mean, random_deviation; /* of --init random, 0..255 minus the center */

    /* From small to large. */
    int smallest_scale_px; /* when the number of scales is chosen by the program */
    int scales_per_octave; /* 1: each is half of the next; 0 stands for 1 */
    bool content_by_size;  /* the content weight is meant for smallest_scale_px: half of it at twice that, and so on */
    double last_rate;      /* the learning rate of the last scale is that many times the others'; 0 stands for 1 */
    /* --init content is the content's finest detail on the styles' mean color; later scales, but not the last, get that
     * detail added to the image so far. */
    bool starts_from_detail;
    int phases; /* the last scale is run through that often, in phases 0, 1, ...; 0 stands for 1 */

    /* What is minimized. */
    struct recipe_loss losses[RECIPE_MOST_LOSSES];
    int loss_count;
    bool scales_features;   /* by recipe_feature_scale, since weights and epsilons are those for such a network */
    bool scales_vectors;    /* by recipe_vector_scale: kinds on hypercolumns */
    int style_share;        /* all losses are divided by the content weight and so many times the style weight; 0: no */
    bool replicates_border; /* see objective_spec */
    bool divides_layer_weights; /* the weights of a group's layers are divided by their sum */
    double
        strength_weights[2]; /* content weights for a strength of 0 and of 1; zeros stand for 100 times the default and
                                 a hundredth of it */
    double least_loss;       /* relative to the sum of the weights: what is below is rounding noise */

    int pyramid_levels; /* what is optimized: coefficients of a pyramid of so many levels; 0: pixels */
    /* The result is the average of a scale's images with this decay (optimizer/average.h), and goes on to the next scale
     * by optimizer/resample.h; 0: it is the last image, and goes on by `filter`. */
    double average_decay;
    struct recipe_optimizer optimizers[RECIPE_OPTIMIZERS]; /* for each nst_optimizer */

    nst_settings defaults;
};

/* The recipes that a context knows, the default one first, and the row of that name; NULL and "default" stand for the
 * first. Errors: NST_ERROR_ARGUMENT, with the names there are and the nearest. */
const struct recipe *recipe_table(const nst_context *context);
nst_status recipe_find(const struct recipe *table, const char *name, const struct recipe **recipe, nst_error *error);

/* What the settings ask for, as an objective. The names in it are those of the settings, which must outlive it. */
void recipe_objective(const struct recipe *recipe, const nst_settings *settings, struct objective_spec *spec);

/* What an objective is for besides settings; see objective_spec. */
struct recipe_use {
    int regions;
    bool weighs;
    bool follows; /* there is a previous picture: the temporal loss counts besides those of the recipe */
    const struct convolution_engine *engine;
};

/* The two steps together: the objective of the settings, by the recipe that they name. `use` is NULL for opaque pictures
 * without masks. Free with objective_destroy. */
nst_status recipe_create_objective(nst_context *context, const nst_network *network, const nst_settings *settings,
                                   const struct recipe_use *use, struct objective **objective, nst_error *error);

/* What the features of a network are multiplied by to be as large as those of one for torchvision's input, as far as that
 * depends on the input's scale. */
double recipe_feature_scale(const nst_network *network);

/* The same to be as large as those of one whose input goes from 0 to 1. */
double recipe_vector_scale(const nst_network *network);

/* What the weights of terms are multiplied by at a scale of that size: those of recipe_objective, and 1 for any behind them;
 * double [OBJECTIVE_MOST_TERMS]. */
void recipe_scale_factors(const struct recipe *recipe, const nst_settings *settings, int size_px, double *factors);

/* The optimizer that the settings ask for. */
struct optimizer_settings recipe_optimizer_settings(const struct recipe *recipe, const nst_settings *settings);

#endif
