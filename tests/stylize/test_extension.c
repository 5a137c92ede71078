/* test_extension.c: a style loss and two presets that only this file knows, in the tables of a context: jobs, their plan
 * and the self-test know them without a change elsewhere. */
#include "check/parts.h"
#include "jobs.h"
#include "stylize/recipe.h"

#include <stdlib.h>
#include <string.h>

/* ---- The loss ---------------------------------------------------------------------------------------------------- */

/* loss = weight m^2, m the mean of the feature map; gradient = mask 2 weight m / elements. On the host, since a loss
 * need not have kernels. */
struct mean_run {
    int mean; /* plan entry: one float */
};

static struct loss_methods mean_loss;
static double slope_factor = 2; /* another one is wrong */

static struct map_size size_of(const struct loss_run *run, const struct loss_map *at) {
    return (struct map_size){at->map.channels, at->map.height, at->map.width, model_has_half_maps(run->loss->model)};
}

static nst_status create(struct loss *loss, nst_error *error) {
    (void)loss, (void)error;
    return NST_OK;
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)sizes, (void)size_count, (void)error;
    struct mean_run *own = run->state;
    const struct loss *loss = run->loss;
    int first = model_stage_count(loss->model), last = model_backward_step(loss->model, loss->stages[0]);
    own->mean = plan_add(plan, sizeof(float), first, last, "mean of stage %d", loss->stages[0]);
    return NST_OK;
}

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct mean_run *own = run->state;
    struct map_size size = size_of(run, at);
    float *map = download_map(run->loss->context, at->map.values, size);
    double sum = 0;
    for (size_t i = 0; i < elements_of(size); ++i) {
        sum += map[i];
    }
    free(map);
    float mean = (float)(sum / (double)elements_of(size));
    return buffer_write(run->loss->context, plan_buffer(run->plan, own->mean), 0, &mean, sizeof mean, error);
}

static nst_status read_mean(const struct loss_run *run, float *mean, nst_error *error) {
    const struct mean_run *own = run->state;
    return buffer_read(run->loss->context, plan_buffer(run->plan, own->mean), 0, mean, sizeof *mean, error);
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    (void)at;
    nst_context *context = run->loss->context;
    size_t bytes = reduction_bytes(context, 1);
    float *partials = allocate(1, bytes), mean;
    nst_status status = read_mean(run, &mean, error);
    if (!status) {
        partials[0] = (float)run->factor * mean * mean;
        status = buffer_write(context, loss_partials(run), (size_t)run->slot * bytes, partials, bytes, error);
    }
    free(partials);
    return status;
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    nst_context *context = run->loss->context;
    struct map_size size = size_of(run, at);
    float mean, *map = download_map(context, at->map.values, size);
    nst_status status = read_mean(run, &mean, error);
    if (!status) {
        bool in_place = gradient == at->map.values;
        float *sum = download_map(context, gradient, size);
        float slope = (float)(slope_factor * run->factor * mean / (double)elements_of(size));
        for (size_t i = 0; i < elements_of(size); ++i) {
            sum[i] = (in_place ? 0 : sum[i]) + (map[i] > 0 ? slope : 0);
        }
        cl_mem uploaded = upload_map(context, sum, size);
        size_t bytes = (size_t)feature_map_bytes(context, size.half, size.channels, size.height, size.width);
        status = buffer_copy(context, uploaded, gradient, bytes, error);
        buffer_release(context, &uploaded);
        free(sum);
    }
    free(map);
    return status;
}

static double reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    (void)options;
    int elements = in->channels * in->height * in->width;
    double mean = 0;
    for (int i = 0; i < elements; ++i) {
        mean += in->map[i] / elements;
    }
    for (int i = 0; i < elements; ++i) {
        gradient[i] = 2 * mean / elements;
    }
    return mean * mean;
}

static struct loss_methods mean_loss = {
    .kind = "mean",
    .run_bytes = sizeof(struct mean_run),
    .create = create,
    .reserve = reserve,
    .gather = gather,
    .value = value,
    .add_gradient = add_gradient,
    .reference = reference,
};

/* ---- The tables -------------------------------------------------------------------------------------------------- */

enum { MOST_ROWS = 16 };
static const struct loss_methods *losses[MOST_ROWS];
static struct recipe recipes[MOST_ROWS];

static struct recipe *add_recipe(const char *like, const char *name) {
    const struct recipe *row;
    struct recipe *end = recipes;
    assert_int_equal(recipe_find(recipe_table(NULL), like, &row, NULL), NST_OK);
    while (end->name) {
        ++end;
    }
    assert_true(end < recipes + MOST_ROWS - 1);
    *end = *row;
    end->name = name;
    snprintf(end->defaults.preset, sizeof end->defaults.preset, "%s", name);
    return end;
}

static void fill_tables(void) {
    const nst_context nothing = {.info = {.name = ""}};
    int count = 0;
    for (const struct loss_methods *const *row = loss_table(&nothing); *row; ++row) {
        losses[count++] = *row;
    }
    losses[count] = &mean_loss;
    count = 0;
    for (const struct recipe *row = recipe_table(NULL); row->name; ++row) {
        recipes[count++] = *row;
    }
    /* The toy loss besides another at the layers of the style, and alone there. */
    struct recipe *beside = add_recipe("gram", "beside");
    beside->losses[beside->loss_count++] = (struct recipe_loss){.kind = "mean", .group = RECIPE_STYLE};
    struct recipe *alone = add_recipe("gram", "alone");
    alone->losses[1] = (struct recipe_loss){.kind = "mean", .group = RECIPE_STYLE};
    /* Parts that are there, put together otherwise; and a recipe under another name. */
    struct recipe *mixed = add_recipe("gram", "mixed");
    mixed->filter = RESIZE_TRIANGLE;
    mixed->centered = mixed->enlarges_styles = true;
    mixed->losses[1].options.gram_by_channels = true;
    mixed->losses[2].options = (struct loss_options){.power = 1};
    mixed->optimizers[NST_ADAM].settings.bounded = false;
    mixed->defaults.optimizer = NST_ADAM;
    mixed->defaults.pooling = NST_POOLING_AVERAGE;
    mixed->defaults.tv_weight = 1e-4;
    add_recipe("gram", "twin");
}

static int open_context(void **state) {
    const struct context_tables tables = {.losses = losses, .recipes = recipes};
    nst_context *context = NULL;
    nst_error error;
    fill_tables();
    if (context_create(NULL, &tables, &context, &error)) {
        print_error("%s\n", error.message);
        return -1;
    }
    *state = context;
    return 0;
}

/* The defaults of a preset for a small network. */
static nst_settings settings_of(const nst_context *context, const char *preset, int iterations) {
    const struct recipe *recipe;
    nst_error error;
    check(recipe_find(recipe_table(context), preset, &recipe, &error), &error);
    nst_settings small = small_settings(iterations), settings = recipe->defaults;
    settings.style_layers = small.style_layers;
    settings.content_layers = small.content_layers;
    settings.size_px = small.size_px;
    settings.scale_count = small.scale_count;
    settings.iterations[0] = iterations;
    settings.iteration_count = 1;
    return settings;
}

/* ---- A loss ------------------------------------------------------------------------------------------------------ */

static double sum_of(const nst_progress *progress, const char *layer) {
    double sum = 0;
    for (int i = 0; i < progress->layer_count; ++i) {
        sum += strcmp(progress->layers[i].name, layer) == 0 ? progress->layers[i].loss : 0;
    }
    return sum;
}

/* Runs a job of that preset; its losses at a layer fall to less than a half. Leaves the printed plan in `text`. */
static void run_preset(nst_context *context, const char *preset, char **text) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3), stripes = make_stripes(64, 64);
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1};
    nst_settings settings = settings_of(context, preset, 15);
    nst_job *job;
    nst_error error;
    nst_progress progress = {0};
    size_t length;
    double first = 0;
    settings.content_weight = 1e-3;
    check(nst_job_create(context, network, &settings, &pictures, &job, &error), &error);
    FILE *stream = open_memstream(text, &length);
    assert_non_null(stream);
    nst_job_print_plan(job, stream);
    fclose(stream);
    while (!progress.finished) {
        check(nst_job_step(job, &progress, &error), &error);
        first = progress.iteration == 1 ? sum_of(&progress, "relu2_1") : first;
    }
    assert_int_equal(progress.iteration, 15);
    if (!(sum_of(&progress, "relu2_1") < first / 2)) {
        fail_msg("%s: the loss at relu2_1 fell from %g to %g only", preset, first, sum_of(&progress, "relu2_1"));
    }
    nst_job_destroy(job);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    random_network_free(network);
}

static int count_lines_with(const char *text, const char *beginning) {
    int count = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        count += strncmp(line, beginning, strlen(beginning)) == 0;
    }
    return count;
}

/* At a layer of its own its gradient takes the place of the map, where the device can. */
static void a_loss_takes_part_in_jobs_and_their_plans(void **state) {
    char *text = NULL;
    run_preset(*state, "alone", &text);
    assert_int_equal(count_lines_with(text, "mean of stage "), 3);
    assert_int_equal(count_lines_with(text, "style target "), 0);
    free(text);
    run_preset(*state, "beside", &text);
    assert_int_equal(count_lines_with(text, "mean of stage "), 3);
    assert_int_equal(count_lines_with(text, "style target "), 3);
    free(text);
    run_preset(*state, "gram", &text);
    assert_int_equal(count_lines_with(text, "mean of stage "), 0);
    free(text);
}

/* Two terms at one layer, which add up to the total as all do. */
static void its_loss_is_told_beside_the_others(void **state) {
    nst_settings settings = settings_of(*state, "beside", 2);
    struct job_record record = {0};
    settings.style_layers.count = 1;
    run_small(*state, &settings, NULL, &record);
    check(record.status, &record.error);
    assert_int_equal(record.last.layer_count, 4); /* content, gram, total variation, mean */
    record_free(&record);
}

static void a_loss_that_is_in_no_table_is_an_error(void **state) {
    nst_context *context = *state;
    nst_settings settings = settings_of(context, "alone", 2);
    struct job_record record = {0};
    context->tables.losses = NULL;
    run_small(context, &settings, NULL, &record);
    context->tables.losses = losses;
    assert_int_equal(record.status, NST_ERROR_ARGUMENT);
    assert_non_null(strstr(record.error.message, "'mean'"));
}

/* How many lines of the report are about the loss, and which is wrong. */
static int check_mean(nst_context *context, bool half, char wrong[64]) {
    const struct check_losses_at at = {.half = half, .channels = 17, .size = {13, 9}};
    struct check_report report = {.count = 0};
    nst_error error;
    int count = 0;
    check(check_losses(context, &at, &report, &error), &error);
    for (int i = 0; i < report.count; ++i) {
        count += strstr(report.lines[i].name, "mean loss") != NULL;
    }
    const struct check_line *line = check_report_find_wrong(&report);
    snprintf(wrong, 64, "%s", line ? line->name : "");
    check_report_free(&report);
    return count;
}

static void the_self_test_checks_it(void **state) {
    char wrong[64];
    for (int half = 0; half <= 1; ++half) {
        assert_int_equal(check_mean(*state, half, wrong), 4); /* value and gradient, with two sets of options */
        assert_string_equal(wrong, "");
        slope_factor = 1;
        check_mean(*state, half, wrong);
        slope_factor = 2;
        assert_string_equal(wrong, "gradient of the mean loss");
    }
}

/* ---- A preset ---------------------------------------------------------------------------------------------------- */

static void a_preset_is_a_row(void **state) {
    char *text = NULL;
    run_preset(*state, "mixed", &text);
    free(text);
}

/* No file asks which recipe it is: under another name the same data give the same bytes, and other data do not. */
static void nothing_asks_for_its_name(void **state) {
    static const char *const presets[] = {"gram", "twin", "mixed"};
    struct job_record records[COUNT_OF(presets)] = {{0}};
    for (size_t i = 0; i < COUNT_OF(presets); ++i) {
        nst_settings settings = settings_of(*state, presets[i], 4);
        run_small(*state, &settings, NULL, &records[i]);
        check(records[i].status, &records[i].error);
    }
    assert_true(same_pixels(&records[0].picture, &records[1].picture));
    assert_false(same_pixels(&records[0].picture, &records[2].picture));
    for (size_t i = 0; i < COUNT_OF(presets); ++i) {
        record_free(&records[i]);
    }
}

static void the_message_for_an_unknown_name_knows_it(void **state) {
    nst_settings settings = settings_of(*state, "gram", 1);
    struct job_record record = {0};
    strcpy(settings.preset, "mixd");
    run_small(*state, &settings, NULL, &record);
    assert_int_equal(record.status, NST_ERROR_ARGUMENT);
    assert_non_null(strstr(record.error.message, "did you mean 'mixed'?"));
    assert_non_null(strstr(record.error.message, "twin"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_takes_part_in_jobs_and_their_plans),
        cmocka_unit_test(its_loss_is_told_beside_the_others),
        cmocka_unit_test(a_loss_that_is_in_no_table_is_an_error),
        cmocka_unit_test(the_self_test_checks_it),
        cmocka_unit_test(a_preset_is_a_row),
        cmocka_unit_test(nothing_asks_for_its_name),
        cmocka_unit_test(the_message_for_an_unknown_name_knows_it),
    };
    return cmocka_run_group_tests(tests, open_context, fixture_close);
}
