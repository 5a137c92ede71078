/* loss.h: one interface to every loss: at layers of the network, or on the image itself.
 *
 * A loss is made once and does not change; what one run of it owns, its targets and buffers, is a loss_run. Its work is
 * divided as tiles, devices and masks need it:
 *
 *     targets      begin, then add for each picture with its share, then end: statistics of content and styles
 *     gather       the statistics of a feature map of the image in hand; of tiles only these would be added up
 *     value        the loss, from what was gathered
 *     gradient     added to the gradient at the layer, from the statistics of the whole
 *
 * A picture may come in tiles (evaluate/tiling.h): then targets are added, and maps gathered, tile by tile, and the
 * gradient is made so again, each time in any order. A loss sees the map of a tile, in which all that belongs to other
 * tiles is zero, and so is its mask: what is summed over the map is right as it is, and is added to what other tiles
 * left. Sizes, means and positions are those of the whole (loss_whole). See struct loss_tile.
 *
 * Each loss leaves reduction_partials() partial sums in a buffer shared by all, at its own slot; the host adds them up
 * once per evaluation.
 *
 * To add a kind: a file with its methods, as content.c is one, and a line in the table in loss.c; a context can also be
 * made with a table of its own (context->tables.losses). The formulas of a kind stand at the top of its file.
 */
#ifndef LOSS_LOSS_H
#define LOSS_LOSS_H

#include "device/plan.h"
#include "device/reduction.h"
#include "device/state.h"
#include "loss/region.h"
#include "network/model.h"

enum { LOSS_MOST_SITES = NST_MAX_LAYERS + 1 }; /* layers, and the image */

/* Which pictures are targets of a loss, as bits. A survey shows every style ahead of the others, to losses that need to
 * know something of all of them before they take the first. Of a film there is also the result of the frame before, moved to
 * where its things are now. */
enum loss_picture { LOSS_CONTENT = 1, LOSS_STYLE = 2, LOSS_SURVEY = 4, LOSS_PREVIOUS = 8 };

/* What a recipe asks of a loss; each kind reads what concerns it. */
struct loss_options {
    bool relative;         /* the loss is divided by its target's own size; else by the number of elements */
    double epsilon;        /* Wasserstein, mean and deviation: added to the variances */
    bool gram_by_channels; /* Gram matrices are divided by channels * pixels; else by pixels */
    int power;             /* total variation: 1 or 2 */
    bool nine_points;      /* total variation: with the neighbors at the corners, a mean */
    bool mean;             /* total variation: a mean over the image in 0..1; else a sum over it in 0..255 */
    double feature_scale;  /* self-similarity: features count so many times; STROTSS: the same, 0 stands for 1 */
    int image_side;        /* nearest neighbors by layer: most positions on a side of the image's maps; 0: 64 */
    int match_dimensions;  /* nearest neighbors: features are compared in their best so many dimensions; 0: in all */
    uint64_t seed;         /* of what is chosen at random */
};

struct loss_spec {
    const char *kind;                   /* of the table: "content" */
    const char *layers[NST_MAX_LAYERS]; /* where it sits, */
    int layer_count;                    /* 0: on the image */
    double weight;
    struct loss_options options;
    bool weighs;      /* positions may count differently: regions and targets may have weights */
    bool joins_image; /* it sits on the image besides, its last place: kinds on hypercolumns */
};

struct loss_methods;

/* Statistics that are sums over places: those of parts of a map, each gathered by itself with the sizes of the whole, add up
 * to those of the whole. */
struct loss_sum {
    int entry;     /* of the plan; a buffer of floats, */
    size_t offset; /* of which so many are skipped */
    size_t count;
};
enum { LOSS_MOST_SUMS = 2 };

struct loss {
    const struct loss_methods *methods;
    nst_context *context;
    const struct model *model;               /* NULL on the image alone */
    int stages[LOSS_MOST_SITES], site_count; /* stage -1: the image */
    double weight;
    struct loss_options options;
    bool weighs;
    void *state; /* of its kind: kernels */
};

struct loss_run {
    const struct loss *loss;
    const struct plan *plan;
    bool in_tiles; /* maps are those of tiles: what must outlive one lives always (loss_first, loss_last) */
    struct image_sizes extents; /* what maps are of at a time: whole images, or tiles; for reserve only */
    double factor;              /* the loss is this times a sum, once targets have ended */
    double share;       /* the loss counts so much: its region's share of all of them, at a scale more or less */
    int partials, slot; /* plan entry of the partial sums, and the loss's own place there */
    void *state;        /* of its kind: plan entries */
};

/* A feature map, or the image, at one of the places where a loss sits. Outside of a tile's core feature maps are zero, but
 * the image is there. */
struct loss_map {
    int site; /* the place in its list of layers, 0 on the image */
    struct feature_map map;
    struct image_size image;      /* the size of the whole image that the map is of */
    cl_mem scratch;               /* as large as the map, for this call; NULL but where positions are weighted */
    const struct loss_tile *tile; /* NULL: the map is whole */
};

/* A picture that is a target, as a map of it. */
struct loss_target {
    enum loss_picture picture;
    double share; /* of a style among all of them */
    int region;   /* that a style acts in */
    /* How much each pixel of a style can be seen, or of the frame before be relied on, 0..1, [height][width] on the host;
     * NULL: all of them. Those of the content are the region's. */
    const float *weights;
};

/* For the self-test: a map and those of its targets as plain arrays, [channels][height][width]; the content is the frame
 * before too. */
struct loss_reference {
    int channels, height, width;
    const double *map, *content, *style;
};

/* What a kind of loss implements. */
struct loss_methods {
    const char *kind;
    unsigned pictures; /* loss_picture bits */
    bool on_image;
    /* The value comes with the gradient, in one pass over memory; `value` is for evaluations without one. */
    bool value_with_gradient;
    bool copies_map;               /* where it weighs positions, it needs at->scratch */
    bool replaces_map;             /* it can put its gradient in the place of the map, see model_gradient_in_place */
    bool takes_tiles;              /* maps may come in tiles */
    size_t state_bytes, run_bytes; /* of the states, which begin as zeros */

    nst_status (*create)(struct loss *loss, nst_error *error);
    void (*destroy)(struct loss *loss);
    /* Adds the buffers for images of any of these sizes: that of the result, then each style's. NULL: none. */
    nst_status (*reserve)(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error);
    void (*run_free)(struct loss_run *run); /* NULL: nothing but the state itself */
    /* Bytes on the device that are in no plan, of weights and the like; NULL: next to none. */
    uint64_t (*weight_bytes)(const struct loss *loss);
    /* NULL: nothing to do. target_begin hears where in the image the loss counts from then on, which has weights only if
     * the loss weighs; target_end sets run->factor, where `targets` are not enough; may wait. */
    nst_status (*target_begin)(struct loss_run *run, const struct region *region, nst_error *error);
    nst_status (*target_add)(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error);
    nst_status (*target_end)(struct loss_run *run, nst_error *error);
    nst_status (*gather)(struct loss_run *run, const struct loss_map *at, nst_error *error);
    /* What gather leaves in tiles, as sums: how many. With them the tiles may be gathered by several devices. NULL: it leaves
     * nothing, where the value comes with the gradient; or else what cannot be added up so. */
    int (*sums)(const struct loss_run *run, struct loss_sum sums[LOSS_MOST_SUMS]);
    nst_status (*value)(struct loss_run *run, const struct loss_map *at, nst_error *error);
    /* Added to `gradient`; where that is the map itself (model_gradient_in_place), the map is replaced. */
    nst_status (*add_gradient)(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error);
    /* Lists what changes from one evaluation to the next (device/state.h); NULL: nothing, the targets are all there is. */
    nst_status (*list_state)(struct loss_run *run, struct state *state, nst_error *error);
    /* The loss with weight 1 and its gradient, [channels][height][width], before a ReLU's mask, in double. */
    double (*reference)(const struct loss_options *options, const struct loss_reference *in, double *gradient);
    double reference_bound; /* relative errors up to that are rounding; 0: 1e-5 */
    bool rarely_used;       /* not checked before the first job on a device */
};

/* The kinds that a context knows, NULL behind the last; and the one of that name, or NULL. */
const struct loss_methods *const *loss_table(const nst_context *context);
const struct loss_methods *loss_find(const nst_context *context, const char *kind);

/* Makes a loss at layers of the model, or, without any, on the image: then `model` may be NULL. The layers must be taps
 * of the model. Free with loss_destroy. Errors: NST_ERROR_ARGUMENT (no such kind), NST_ERROR_OPENCL, NST_ERROR_MEMORY.
 */
nst_status loss_create(nst_context *context, const struct model *model, const struct loss_spec *spec,
                       struct loss **loss, nst_error *error);
void loss_destroy(struct loss *loss);

/* Adds what a run needs to the plan; `sizes` are those of the images, that of the result first. The loss and the plan
 * must outlive the run, which is freed with loss_run_free. The partial sums are the caller's: loss_run_set_partials
 * tells their entry in the plan and the slot of this loss. */
nst_status loss_reserve(const struct loss *loss, struct plan *plan, const struct image_size *sizes, int size_count,
                        struct loss_run **run, nst_error *error);
/* The same for maps of tiles, which are those of images of the sizes in `tiles`. Errors besides: NST_ERROR_ARGUMENT (a
 * kind that does not take them). */
nst_status loss_reserve_in_tiles(const struct loss *loss, struct plan *plan, const struct image_sizes *whole,
                                 const struct image_sizes *tiles, struct loss_run **run, nst_error *error);
void loss_run_free(struct loss_run *run);
void loss_run_set_partials(struct loss_run *run, int entry, int slot);

/* Whether tiles of a map may be gathered by several devices; and the sums to be added up then, between gather and value. */
bool loss_is_divisible(const struct loss *loss);
int loss_sums(const struct loss_run *run, struct loss_sum sums[LOSS_MOST_SUMS]);

/* The place of a stage in the loss's list; -1 if the loss does not sit there. */
int loss_site(const struct loss *loss, int stage);

/* What the methods of these names say; those that a kind does not have do nothing. The region is given with how much
 * the loss counts there, such as its share among all regions. */
nst_status loss_target_begin(struct loss_run *run, const struct region *region, double share, nst_error *error);
nst_status loss_target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                           nst_error *error);
nst_status loss_target_end(struct loss_run *run, nst_error *error);
nst_status loss_gather(struct loss_run *run, const struct loss_map *at, nst_error *error);
nst_status loss_value(struct loss_run *run, const struct loss_map *at, nst_error *error);
nst_status loss_add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error);
nst_status loss_list_state(struct loss_run *run, struct state *state, nst_error *error);

/* ---- For kinds --------------------------------------------------------------------------------------------------- */

/* The steps of an entry in the plan that is needed from step `first` to step `last` of a pass over one map: in tiles it
 * must outlive the passes over others. */
int loss_first(const struct loss_run *run, int first);
int loss_last(const struct loss_run *run, int last);

/* Of the whole image's map. */
struct image_size loss_whole(const struct loss_map *at);
/* What counts of the map: all of it, or the core of a tile. */
struct rectangle loss_core(const struct loss_map *at);
/* Where the core of a tile lies in its map, and in the whole one, an array of as many slices: the box between the two. */
enum loss_way { LOSS_FROM_TILE, LOSS_TO_TILE };
struct box loss_core_box(const struct loss_map *at, size_t element_bytes, size_t slices, enum loss_way way);
/* Of a pass over all tiles, or the only one. */
bool loss_is_first(const struct loss_map *at);
bool loss_is_last(const struct loss_map *at);

/* The buffer of the partial sums; the slot is run->slot. */
cl_mem loss_partials(const struct loss_run *run);
/* The sum at the slot; waits. */
nst_status loss_read_sum(const struct loss_run *run, double *sum, nst_error *error);
/* Size of the feature map at a place for an image of that size. */
struct image_size loss_map_size(const struct loss *loss, int site, struct image_size image);
int loss_channels(const struct loss *loss, int site);
/* Positions of the largest map of the first site for images of these sizes; 0 if the loss does not weigh. */
int loss_most_positions(const struct loss *loss, const struct image_size *sizes, int size_count);
/* 1 / size, but 0 for a target that is all zero: nothing can be asked of it. */
double loss_one_over(double size);

#endif
