/* tune.c: goes through the shapes of an iteration, and keeps what the searches find; see tune.h. */
#include "tune/tune.h"

#include "device/blas.h"
#include "device/findings.h"
#include "device/traits.h"
#include "network/product.h"
#include "support/child.h"
#include "support/clock.h"
#include "support/error.h"
#include "tune/search.h"

#include <stdlib.h>
#include <string.h>

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* What must be known before this process opens the device. */
struct description {
    nst_status status;
    nst_device_info info;
    bool uses_blas; /* for convolutions */
};

static void describe(void *user, void *result) {
    struct description *description = result;
    nst_context *context;
    nst_context_options options = {.device = user, .no_cache = true, .unchecked = true};
    description->status = nst_context_create(&options, &context, NULL);
    if (!description->status) {
        description->info = context->info;
        description->uses_blas = convolution_find_engine(context, "winograd-clblast") != NULL;
        nst_context_destroy(context);
    }
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

struct tuner {
    const char *device;
    const struct tune_options *options;
    const nst_network *network;
    struct tune_report *report;
    struct tuning_table table; /* until the device is open; then that of the context */
    nst_context *context;
    struct tune_progress progress;
    double start;
    int done_before; /* by earlier runs */
};

static bool tell(void *user, double share, const char *choice) {
    struct tuner *tuner = user;
    struct tune_progress *progress = &tuner->progress;
    double now = progress->done - tuner->done_before + share, all = progress->total - tuner->done_before;
    progress->choice = choice;
    progress->share = (progress->done + share) / progress->total;
    progress->seconds = seconds_now() - tuner->start;
    progress->seconds_left = now > 0 ? progress->seconds * (all - now) / now : -1;
    if (tuner->options->tell) {
        tuner->options->tell(progress, tuner->options->user);
    }
    return tuner->options->cancel && *tuner->options->cancel;
}

static struct tuning_table *table_of(struct tuner *tuner) {
    return tuner->context ? &tuner->context->tuning : &tuner->table;
}

/* The line of a key; one found by an earlier run is filled in from the table. */
static struct tune_line *begin_line(struct tuner *tuner, const char *key) {
    struct tune_line *line = &tuner->report->lines[tuner->report->count++];
    const struct tuning_row *row = tuning_find(table_of(tuner), key);
    *line = (struct tune_line){.outcome = {.state = OUTCOME_OK}, .is_earlier = row != NULL};
    if (row) {
        line->row = *row;
    } else {
        snprintf(line->row.key, sizeof line->row.key, "%s", key);
    }
    tuner->progress.key = line->row.key;
    return line;
}

/* Keeps a line that was found, or drops one that was not. */
static nst_status end_line(struct tuner *tuner, struct tune_line *line, nst_status status, nst_error *error) {
    if (status) {
        tuner->report->count--;
        return status;
    }
    tuner->progress.done++;
    if (line->outcome.state == OUTCOME_OK) {
        status = tuning_set(table_of(tuner), &line->row, error);
        tuner->report->is_kept = tuning_write(&tuner->report->info, table_of(tuner));
    }
    return status;
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------ */

/* The distinct convolutions and products of an iteration. */
struct shapes {
    struct layer_case *convolutions;
    int convolution_count;
    struct gram_shape {
        int channels;
        struct image_size size;
    } products[NST_MAX_LAYERS];
    int product_count;
};

static bool has_convolution(const nst_context *context, const struct shapes *shapes, const struct layer_case *layer) {
    char wanted[TUNING_KEY_LENGTH], other[TUNING_KEY_LENGTH];
    convolution_key(context, &layer->shape, wanted, sizeof wanted);
    for (int i = 0; i < shapes->convolution_count; ++i) {
        convolution_key(context, &shapes->convolutions[i].shape, other, sizeof other);
        if (strcmp(wanted, other) == 0) {
            return true;
        }
    }
    return false;
}

/* The 1x1 convolution that makes a style gradient, and the Gram product before it. */
static void add_style(const struct tuner *tuner, struct shapes *shapes, int channels, struct image_size size) {
    struct layer_case gradient = {
        .name = "style",
        .direction = "backward",
        .shape = {.in_channels = channels, .out_channels = channels, .kernel_size = 1, .epilogue = EPILOGUE_MASK_ADD},
        .size = size};
    if (!has_convolution(tuner->context, shapes, &gradient)) {
        shapes->convolutions[shapes->convolution_count++] = gradient;
        if (!tuner->context->loops_in_kernel) { /* else there is only one */
            shapes->products[shapes->product_count++] = (struct gram_shape){channels, size};
        }
    }
}

static nst_status list_shapes(struct tuner *tuner, struct shapes *shapes, nst_error *error) {
    struct layer_case *all;
    struct workload workload = {tuner->network, NST_PRECISION_AUTO};
    int count, last = workload_last_layer(tuner->network), channels = 3;
    nst_status status = layer_cases_list(tuner->context, &workload, tuner->options->size_px, &all, &count, error);
    *shapes = (struct shapes){0};
    if (status) {
        return status;
    }
    shapes->convolutions = calloc((size_t)count + NST_MAX_LAYERS, sizeof *shapes->convolutions);
    if (!shapes->convolutions) {
        free(all);
        return fail_memory(error, (size_t)count * sizeof *shapes->convolutions, "the shapes of the tuner");
    }
    for (int i = 0; i < count; ++i) {
        all[i].shape.from_image = all[i].shape.to_image = false; /* which only one engine can */
        if (!has_convolution(tuner->context, shapes, &all[i])) {
            shapes->convolutions[shapes->convolution_count++] = all[i];
        }
    }
    free(all);
    for (int i = 0; i <= last; ++i) {
        const struct layer *layer = &tuner->network->layers[i];
        channels = layer->kind == LAYER_CONVOLUTION ? layer->out_channels : channels;
        if (layer->kind == LAYER_RELU && workload_has_style(layer->name) &&
            shapes->convolution_count < count + NST_MAX_LAYERS) {
            add_style(tuner, shapes, channels, workload_input_size(tuner->network, i, tuner->options->size_px));
        }
    }
    return NST_OK;
}

/* The channel block, before the shapes, which depend on it only in name. */
static nst_status tune_layout(struct tuner *tuner, nst_error *error) {
    struct shapes shapes;
    struct tune_search how = {.seconds = tuner->options->seconds, .tell = tell, .user = tuner};
    if (!tune_block_has_choice(tuner->context)) {
        return NST_OK;
    }
    nst_status status = list_shapes(tuner, &shapes, error);
    if (status) {
        return status;
    }
    tuner->progress.total = tuner->progress.done + 1 + shapes.convolution_count + shapes.product_count;
    free(shapes.convolutions);
    struct tune_line *line = begin_line(tuner, CHANNEL_BLOCK_KEY);
    if (line->is_earlier) {
        tuner->done_before++;
    } else {
        status = tune_block(tuner->device, tuner->network, tuner->options->size_px, &how, line, error);
        traits_parse_block(line->row.choice, &tuner->context->channel_block);
    }
    return end_line(tuner, line, status, error);
}

static nst_status tune_shapes(struct tuner *tuner, nst_error *error) {
    struct shapes shapes;
    char key[TUNING_KEY_LENGTH];
    nst_context *context = tuner->context;
    struct tune_search how = {.seconds = tuner->options->seconds, .tell = tell, .user = tuner};
    nst_status status = list_shapes(tuner, &shapes, error);
    tuner->progress.total = tuner->progress.done + shapes.convolution_count + shapes.product_count;
    size_t lines = (size_t)(tuner->report->count + shapes.convolution_count + shapes.product_count);
    struct tune_line *larger = status ? NULL : realloc(tuner->report->lines, (lines + 1) * sizeof *larger);
    if (!status && !larger) {
        status = fail_memory(error, lines * sizeof *larger, "the report of the tuner");
    }
    tuner->report->lines = larger ? larger : tuner->report->lines;
    for (int i = 0; !status && i < shapes.convolution_count + shapes.product_count; ++i) {
        bool is_product = i >= shapes.convolution_count;
        const struct gram_shape *product = &shapes.products[is_product ? i - shapes.convolution_count : 0];
        if (is_product) {
            struct product_shape gram = {.kind = PRODUCT_GRAM, .rows = product->channels};
            product_key(context, &gram, key, sizeof key);
        } else {
            convolution_key(context, &shapes.convolutions[i].shape, key, sizeof key);
        }
        struct tune_line *line = begin_line(tuner, key);
        if (line->is_earlier) {
            tuner->done_before++;
        } else if (is_product) {
            status = tune_product(context, product->channels, product->size, &how, line, error);
        } else {
            status = tune_convolution(context, &shapes.convolutions[i], &how, line, error);
        }
        status = end_line(tuner, line, status, error);
    }
    free(shapes.convolutions);
    return status;
}

/* CLBlast's parameters, before this process opens the device: measured at the largest 3x3 convolution. */
static nst_status tune_clblast(struct tuner *tuner, nst_error *error) {
    struct layer_case largest = {.name = "largest", .direction = "forward"};
    struct tune_search how = {.seconds = tuner->options->seconds, .tell = tell, .user = tuner};
    double most = 0;
    for (int i = 0; i <= workload_last_layer(tuner->network); ++i) {
        const struct layer *layer = &tuner->network->layers[i];
        double weights = (double)layer->in_channels * layer->out_channels;
        if (layer->kind == LAYER_CONVOLUTION && layer->kernel_size == 3 && weights > most) {
            most = weights;
            largest.weights = layer->weights;
            largest.bias = layer->bias;
            largest.shape = (struct convolution_shape){
                .in_channels = layer->in_channels, .out_channels = layer->out_channels, .kernel_size = 3, .padding = 1};
            largest.size = workload_input_size(tuner->network, i, tuner->options->size_px);
        }
    }
    if (!largest.weights) {
        return NST_OK;
    }
    tuner->progress.total = 1; /* the rest is not known yet */
    struct tune_line *line = begin_line(tuner, BLAS_KEY);
    nst_status status = NST_OK;
    if (line->is_earlier) {
        tuner->done_before++;
    } else {
        status = tune_blas(tuner->device, &largest, &how, line, error);
    }
    return end_line(tuner, line, status, error);
}

static nst_status tune(struct tuner *tuner, nst_error *error) {
    enum { MOST_GENERAL_LINES = 2 }; /* CLBlast's parameters, channel block */
    struct description description = {.status = NST_ERROR_OPENCL};
    struct tune_report *report = tuner->report;
    child_run(describe, (void *)tuner->device, &description, sizeof description, 60000);
    nst_status status = NST_OK;
    report->lines = calloc(MOST_GENERAL_LINES, sizeof *report->lines);
    if (!report->lines) {
        return fail_memory(error, MOST_GENERAL_LINES * sizeof *report->lines, "the report of the tuner");
    }
    if (!description.status) {
        report->info = description.info;
        if (tuner->options->again) {
            findings_write(&report->info, FINDINGS_TUNING, NULL);
        }
        tuning_read(&report->info, &tuner->table);
        status = description.uses_blas ? tune_clblast(tuner, error) : NST_OK;
        tuning_free(&tuner->table);
    }
    /* The programs of the many choices are not worth keeping. */
    nst_context_options options = {.device = tuner->device, .no_cache = true, .unchecked = true};
    status = status ? status : nst_context_create(&options, &tuner->context, error);
    if (!status) {
        context_use_tuning(tuner->context);
        report->info = tuner->context->info;
        status = tune_layout(tuner, error);
        status = status ? status : tune_shapes(tuner, error);
        /* The next job checks the new choices. */
        findings_write(&report->info, FINDINGS_CHECK, NULL);
    }
    nst_context_destroy(tuner->context);
    return status;
}

nst_status tune_run(const char *device, const struct tune_options *options, struct tune_report *report,
                    nst_error *error) {
    nst_network *made = NULL;
    struct tuner tuner = {.device = device, .options = options, .report = report, .start = seconds_now()};
    *report = (struct tune_report){.is_kept = true};
    nst_status status = options->network ? NST_OK : workload_network(&made, error);
    tuner.network = options->network ? options->network : made;
    status = status ? status : tune(&tuner, error);
    nst_network_destroy(made);
    return status;
}

void tune_report_free(struct tune_report *report) {
    free(report->lines);
    *report = (struct tune_report){0};
}
