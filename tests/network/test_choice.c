/* test_choice.c: which engine a convolution gets, from the tuner's table and without it, and that every value that may
 * be tuned computes rightly. */
#include "device/findings.h"
#include "fixture.h"
#include "network/convolution_engine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct convolution_shape shape = {
    .in_channels = 37, .out_channels = 35, .kernel_size = 3, .padding = 1, .epilogue = EPILOGUE_NONE};
static const struct map_size in_size = {37, 9, 14, false}, out_size = {35, 9, 14, false};

static void expect_choice(const nst_context *context, const char *expected) {
    char text[TUNING_CHOICE_LENGTH];
    struct convolution_choice choice = convolution_choose(context, &shape, NULL);
    convolution_choice_format(&choice, text, sizeof text);
    assert_string_equal(text, expected);
}

static void set_row(nst_context *context, const char *key, const char *text) {
    struct tuning_row row = {.time_ns = 1, .default_ns = 2};
    snprintf(row.key, sizeof row.key, "%s", key);
    snprintf(row.choice, sizeof row.choice, "%s", text);
    assert_int_equal(tuning_set(&context->tuning, &row, NULL), NST_OK);
}

static void the_table_decides(void **state) {
    nst_context *context = *state;
    char key[TUNING_KEY_LENGTH], built_in[TUNING_CHOICE_LENGTH];
    tuning_free(&context->tuning);
    struct convolution_choice choice = convolution_default_choice(context, &shape, NULL), parsed;
    convolution_choice_format(&choice, built_in, sizeof built_in);
    assert_true(convolution_choice_parse(context, &shape, built_in, &parsed));
    assert_memory_equal(&parsed, &choice, sizeof choice);
    expect_choice(context, built_in);

    convolution_key(context, &shape, key, sizeof key);
    set_row(context, key, "plain");
    expect_choice(context, "plain");
    /* An engine that is named gets its own parameters. */
    assert_ptr_equal(convolution_choose(context, &shape, choice.engine).engine, choice.engine);

    /* What this program does not know, or would not have written. */
    static const char *const nonsense[] = {
        "",          "plain ",          "plan",         "auto",
        "plain x=1", "winograd tiles=", "direct 5",     "winograd tiles=7 panel=4 rounds=4",
        "winograd",  "clblast x",       "direct tiles", "direct columns=4 vectors=2 x=3"};
    for (size_t i = 0; i < COUNT_OF(nonsense); ++i) {
        set_row(context, key, nonsense[i]);
        expect_choice(context, built_in);
    }
    tuning_free(&context->tuning);
}

static int block_when_opened(void) {
    nst_context *context;
    nst_error error;
    check(nst_context_create(NULL, &context, &error), &error);
    int block = context->channel_block;
    nst_context_destroy(context);
    return block;
}

/* For one device only, and below the environment. */
static void the_kept_table_gives_the_channel_block(void **state) {
    const nst_context *context = *state;
    const char *old = getenv("NST_CACHE_DIR");
    char folder[] = "/tmp/nst-choice-XXXXXX", before[4096];
    snprintf(before, sizeof before, "%s", old ? old : "");
    assert_non_null(mkdtemp(folder));
    setenv("NST_CACHE_DIR", folder, 1);
    struct tuning_row row = {.key = CHANNEL_BLOCK_KEY, .time_ns = 1, .default_ns = 2};
    struct tuning_table table = {.rows = &row, .count = 1, .capacity = 1};
    static const char *const choices[] = {"4", "8", "7", ""};
    for (size_t i = 0; i < COUNT_OF(choices); ++i) {
        snprintf(row.choice, sizeof row.choice, "%s", choices[i]);
        assert_true(tuning_write(&context->info, &table));
        bool is_used = i < 2 && context->loops_in_kernel && !getenv("NST_CHANNEL_BLOCK");
        assert_int_equal(block_when_opened(), is_used ? atoi(choices[i]) : context->channel_block);
    }
    if (context->loops_in_kernel && !getenv("NST_CHANNEL_BLOCK")) {
        setenv("NST_CHANNEL_BLOCK", "16", 1);
        assert_int_equal(block_when_opened(), 16);
        unsetenv("NST_CHANNEL_BLOCK");
    }
    findings_write(&context->info, FINDINGS_TUNING, NULL);
    rmdir(folder);
    if (old) {
        setenv("NST_CACHE_DIR", before, 1);
    } else {
        unsetenv("NST_CACHE_DIR");
    }
}

/* An engine that computed wrongly is not chosen, neither by default nor from the table. */
static void wrong_engines_are_avoided(void **state) {
    nst_context *context = *state;
    char key[TUNING_KEY_LENGTH], text[TUNING_CHOICE_LENGTH];
    tuning_free(&context->tuning);
    for (int left = 4; left > 0; --left) {
        struct convolution_choice choice = convolution_choose(context, &shape, NULL);
        if (choice.engine == convolution_reference_engine(context)) {
            break;
        }
        assert_true(left > 1);
        convolution_engine_key(choice.engine, key, sizeof key);
        set_row(context, key, "");
        convolution_choice_format(&choice, text, sizeof text);
        convolution_key(context, &shape, key, sizeof key);
        set_row(context, key, text);
        assert_true(convolution_choose(context, &shape, NULL).engine != choice.engine);
        struct convolution_shape pooling = shape;
        pooling.epilogue = EPILOGUE_RELU;
        assert_true(!choice.engine->pools || !convolution_can_pool(context, &pooling, NULL));
    }
    expect_choice(context, "plain");
    tuning_free(&context->tuning);
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static float *run(nst_context *context, const struct convolution_choice *choice, const float *input,
                  const float *weights) {
    nst_error error;
    struct convolution *convolution;
    check(convolution_create_chosen(context, &shape, choice, &(struct convolution_weights){weights, NULL}, &convolution,
                                    &error),
          &error);
    struct convolution_call call = {.height = in_size.height, .width = in_size.width};
    call.input = upload_map(context, input, in_size);
    call.output =
        create_zero(context, feature_map_bytes(context, false, out_size.channels, out_size.height, out_size.width));
    call.mask = create_zero(context, relu_mask_bytes(context, out_size.channels, out_size.height, out_size.width));
    call.scratch = create_zero(context, convolution_scratch_bytes(convolution, call.height, call.width) + 4);
    check(convolution_run(convolution, &call, &error), &error);
    float *output = download_map(context, call.output, out_size);
    buffer_release(context, &call.input);
    buffer_release(context, &call.output);
    buffer_release(context, &call.mask);
    buffer_release(context, &call.scratch);
    convolution_destroy(convolution);
    return output;
}

static void every_value_computes_rightly(void **state) {
    nst_context *context = *state;
    float *input = random_array(1, elements_of(in_size));
    float *weights = random_array(2, (size_t)shape.in_channels * (size_t)shape.out_channels * 9);
    struct convolution_choice plain = {.engine = convolution_reference_engine(context)}, next;
    float *expected = run(context, &plain, input, weights);
    double *truth = to_doubles(expected, elements_of(out_size));
    for (const struct convolution_engine *const *engine = convolution_engines(context); *engine; ++engine) {
        if (!convolution_supports(*engine, context, &shape)) {
            continue;
        }
        struct convolution_choice built_in = convolution_default_choice(context, &shape, *engine);
        for (int parameter = 0; convolution_next_choice(&built_in, parameter, 0, &next); ++parameter) {
            for (int i = 0; convolution_next_choice(&built_in, parameter, i, &next); ++i) {
                char text[TUNING_CHOICE_LENGTH];
                convolution_choice_format(&next, text, sizeof text);
                float *got = run(context, &next, input, weights);
                assert_near(text, got, truth, elements_of(out_size), 1e-4);
                free(got);
            }
        }
    }
    free(truth);
    free(expected);
    free(weights);
    free(input);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_decides),
        cmocka_unit_test(the_kept_table_gives_the_channel_block),
        cmocka_unit_test(wrong_engines_are_avoided),
        cmocka_unit_test(every_value_computes_rightly),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
