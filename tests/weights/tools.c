/* Suite weights.tools: what `nst weights convert`, `info` and `list` do. */
#include "weights/tools.h"
#include "files.h"
#include "weights/convention.h"
#include "weights/safetensors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Conversion ------------------------------------------------------------------------------------------------ */

/* Layer `index` of two networks holds the same bits. */
static void assert_same_layer(const nst_network *a, const nst_network *b, int index) {
    const struct layer *x = &a->layers[index], *y = &b->layers[index];
    assert_string_equal(x->name, y->name);
    assert_int_equal(x->kind, y->kind);
    if (x->kind != LAYER_CONVOLUTION)
        return;
    assert_true(x->in_channels == y->in_channels && x->out_channels == y->out_channels && x->padding == y->padding &&
                x->kernel_size == y->kernel_size && x->padding_mode == y->padding_mode);
    assert_memory_equal(x->weights, y->weights,
                        sizeof(float) * (size_t)(x->in_channels * x->out_channels * x->kernel_size * x->kernel_size));
    assert_true((x->bias == NULL) == (y->bias == NULL));
    if (x->bias != NULL)
        assert_memory_equal(x->bias, y->bias, sizeof(float) * (size_t)x->out_channels);
}

#define CHANNELS 40
#define COUNT    (CHANNELS * 27)

/* A described network of one convolution and a pooling. */
static const char *write_convolution(const float weights[COUNT]) {
    float bias[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        bias[i] = (float)i / 3;
    struct safetensors_item items[2] = {{"c.weight", TENSOR_F32, 4, {CHANNELS, 3, 3, 3}, weights},
                                        {"c.bias", TENSOR_F32, 1, {CHANNELS, 0, 0, 0}, bias}};
    nst_error error = {NST_OK, ""};
    const char *path = temporary_path("in.safetensors");
    assert_int_equal(safetensors_write(path, items, 2, NULL, &error), NST_OK);
    write_text(
        "in.json",
        "{\"format\":1,\"name\":\"n\",\"input\":\"RGB, 0..1, over (2, 3, 4)\",\"license\":\"L \\\"q\\\"\","
        "\"origin\":\"O\","
        "\"layers\":[{\"convolution\":\"c\",\"padding_mode\":\"replicate\",\"padding\":2},{\"pooling\":\"p\"}]}");
    return path;
}

static struct weights_conversion convert(const char *in, const char *out, const nst_network_options *options,
                                         enum weights_storage storage, off_t least_bytes, off_t most_bytes) {
    struct weights_conversion conversion;
    struct stat status;
    nst_error error;
    if (weights_convert(in, out, options, storage, &conversion, &error) != NST_OK)
        fail_msg("%s", error.message);
    assert_int_equal(stat(out, &status), 0);
    assert_in_range(status.st_size, least_bytes, most_bytes);
    return conversion;
}

/* Conversion without loss. `distinct`: how many different values the weights take. */
static void check_conversion(int distinct, enum weights_storage storage, off_t least_bytes, off_t most_bytes) {
    float weights[COUNT];
    for (int i = 0; i < COUNT; i++)
        weights[i] = (float)(i % distinct - distinct / 2) * 0.01f;
    const char *path = write_convolution(weights), *out = temporary_path("new/folder/out.safetensors");
    struct weights_conversion conversion = convert(path, out, NULL, storage, least_bytes, most_bytes);
    assert_true(conversion.worst_error == 0 && conversion.worst_layer[0] == 0);
    nst_network *before = open_network(path, NULL), *after = open_network(out, NULL);
    assert_int_equal(before->layer_count, after->layer_count);
    for (int i = 0; i < before->layer_count; i++)
        assert_same_layer(before, after, i);
    assert_string_equal(after->name, "n");
    assert_string_equal(after->license, "L \"q\"");
    assert_string_equal(after->origin, "O");
    assert_true(convention_equal(&before->input, &after->input));
    nst_network_destroy(before);
    nst_network_destroy(after);
}

static void test_conversion(void **state) {
    struct weights_conversion conversion;
    nst_error error = {NST_OK, ""};
    (void)state;
    check_conversion(256, WEIGHTS_LOSSLESS, COUNT + 256 * 4, 3500);       /* codes and a codebook */
    check_conversion(129, WEIGHTS_LOSSLESS, COUNT + 129 * 4, 3000);       /* a smaller one */
    check_conversion(7, WEIGHTS_LOSSLESS, COUNT * 3 / 8, 1500);           /* packed codes of 3 bits */
    check_conversion(1, WEIGHTS_LOSSLESS, COUNT / 8, 1300);               /* of 1 bit */
    check_conversion(257, WEIGHTS_LOSSLESS, 4 * COUNT, 4 * COUNT + 1500); /* floats */
    check_conversion(7, WEIGHTS_8_BITS, COUNT * 3 / 8, 1500);             /* nothing to be fitted */
    check_conversion(16, WEIGHTS_4_BITS, COUNT / 2, 1700);
    check_conversion(128, WEIGHTS_7_BITS, COUNT * 7 / 8 + 512, 2600);
    check_conversion(7, WEIGHTS_32_BITS, 4 * COUNT, 4 * COUNT + 1500);
    assert_int_equal(weights_convert(temporary_path("in.safetensors"), temporary_path("out.bin"), NULL,
                                     WEIGHTS_LOSSLESS, &conversion, &error),
                     NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "must end in .safetensors"));
}

/* Without bias, license and origin there is none afterwards either, not even an empty one. The description lies beside a
 * file without an ending, in a folder with a dot; then beside one whose name begins with the only dot. */
static void test_conversion_of_little(void **state) {
    static const char *const names[] = {"v1.0/plain", "v1.0/.hidden"};
    const char *out = temporary_path("little.safetensors");
    float weights[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++)
        weights[i] = (float)(i % 300);
    assert_int_equal(mkdir(temporary_path("v1.0"), 0755), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct safetensors_item item = {"c.weight", TENSOR_F32, 4, {CHANNELS, 3, 3, 3}, weights};
        char beside[64];
        assert_int_equal(safetensors_write(temporary_path(names[i]), &item, 1, NULL, NULL), NST_OK);
        snprintf(beside, sizeof beside, "%s.json", names[i]);
        write_text(beside, "{\"format\":1,\"input\":\"caffe\",\"layers\":[{\"convolution\":\"c\",\"bias\":false}]}");
        convert(temporary_path(names[i]), out, NULL, WEIGHTS_LOSSLESS, 4 * COUNT, 4 * COUNT + 1500);
        nst_network *network = open_network(out, NULL);
        assert_null(network->layers[0].bias);
        nst_network_destroy(network);
        struct tensor_list list;
        assert_int_equal(tensor_list_open(out, &list, NULL), NST_OK);
        const char *description = json_string_value(json_object_get(list.metadata, "nst.network"));
        assert_non_null(strstr(description, "\"bias\":false"));
        assert_null(strstr(description, "license"));
        assert_null(strstr(description, "origin"));
        tensor_list_close(&list);
    }
}

/* The largest error of the converted weights over the root of the mean of the squared weights. */
static double largest_error(const char *in, const char *out, double *rms_error) {
    nst_network *before = open_network(in, NULL), *after = open_network(out, NULL);
    double largest = 0, errors = 0, squares = 0;
    for (int i = 0; i < COUNT; i++) {
        double weight = (double)before->layers[0].weights[i], difference = (double)after->layers[0].weights[i] - weight;
        largest = fmax(largest, fabs(difference));
        errors += difference * difference;
        squares += weight * weight;
    }
    nst_network_destroy(before);
    nst_network_destroy(after);
    *rms_error = sqrt(errors / squares);
    return largest / sqrt(squares / COUNT);
}

/* Conversions that lose something say how much, and no more than the type must. */
static void test_lossy_conversion(void **state) {
    static const struct {
        double scale; /* of weights spread over -1..1 */
        enum weights_storage storage;
        off_t bytes;
        double most; /* the largest error, in sizes of the weights */
    } cases[] = {
        {1, WEIGHTS_16_BITS, 2 * COUNT, 4.3e-4},   /* F16: half of 2^-11 at 1, over 0.577 */
        {1e6, WEIGHTS_16_BITS, 2 * COUNT, 3.6e-3}, /* BF16: half of 2^-8 */
        {1e-9, WEIGHTS_16_BITS, 2 * COUNT, 6.4e-3},
        {1, WEIGHTS_8_BITS, COUNT + 1024, 0.02}, /* 256 values over a range of 2: half a step of 0.0078, over 0.577 */
        {1, WEIGHTS_7_BITS, COUNT * 7 / 8 + 512, 0.04}, /* and so on, packed */
        {1, WEIGHTS_6_BITS, COUNT * 6 / 8 + 256, 0.08},
        {1, WEIGHTS_5_BITS, COUNT * 5 / 8 + 128, 0.16},
        {1, WEIGHTS_4_BITS, COUNT * 4 / 8 + 64, 0.32},
    };
    float weights[COUNT];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int j = 0; j < COUNT; j++)
            weights[j] = (float)(cases[i].scale * (2.0 * (j * 619 % COUNT) / COUNT - 1)); /* 619: prime to COUNT */
        const char *path = write_convolution(weights), *out = temporary_path("lossy.safetensors");
        struct weights_conversion conversion =
            convert(path, out, NULL, cases[i].storage, cases[i].bytes, cases[i].bytes + 1500);
        double rms, largest = largest_error(path, out, &rms);
        assert_true(largest > 0 && largest < cases[i].most);
        assert_true(fabs(conversion.worst_error - rms) < 1e-3 * rms);
        assert_string_equal(conversion.worst_layer, "c");
    }
}

/* A conversion up to a layer holds the layers up to there, and no others. */
static void test_conversion_until(void **state) {
    nst_network_options options = {.until = "relu1_2"};
    const char *path =
        write_vgg("long.safetensors", &(struct vgg_file){{"conv1_1", "conv1_2", "conv2_1"}, "caffe", -1});
    const char *out = temporary_path("short.safetensors");
    (void)state;
    convert(path, out, &options, WEIGHTS_32_BITS, 4 * (64 * 27 + 64 * 64 * 9), 4 * (64 * 27 + 64 * 64 * 9) + 2500);
    nst_network *network = open_network(out, NULL);
    assert_int_equal(network->layer_count, 4);
    assert_string_equal(network->layers[3].name, "relu1_2");
    nst_network_destroy(network);
}

/* ---- What info makes of it ------------------------------------------------------------------------------------- */

/* What `nst weights info` prints; from malloc. */
static char *info_text(const char *path, nst_status expected) {
    char *text = NULL;
    size_t bytes = 0;
    nst_error error = {NST_OK, ""};
    FILE *stream = open_memstream(&text, &bytes);
    assert_non_null(stream);
    assert_int_equal(weights_info(path, NULL, stream, &error), expected);
    assert_int_equal(expected == NST_OK, error.message[0] == 0);
    fclose(stream);
    return text;
}

static void test_info(void **state) {
    static const struct {
        int first, last; /* these weights become `value` */
        float value;
        nst_status status;
        const char *part;
    } cases[] = {
        {0, -1, 0, NST_OK, "suspect  nothing"},
        {5, 5, NAN, NST_ERROR_FORMAT, "suspect: 1 of 1080 weights are not finite"},
        {5, 6, INFINITY, NST_ERROR_FORMAT, "suspect: 2 of 1080 weights are not finite"},
        {27, 80, 0, NST_OK, "suspect: 2 of 40 channels are all zero"},
        {0, COUNT - 1, 0.25f, NST_OK, "suspect: all weights are 0.25"},
        {0, COUNT - 1, 0, NST_OK, "suspect: 40 of 40 channels are all zero"},
        {0, COUNT - 1, 1e9f, NST_OK, "the weights' size is absurd"},
        {7, 7, 1e20f, NST_OK, "the weights' size is absurd"},
    };
    float weights[COUNT];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int j = 0; j < COUNT; j++)
            weights[j] = j >= cases[i].first && j <= cases[i].last ? cases[i].value : (float)(j % 17 - 8) * 0.02f;
        char *text = info_text(write_convolution(weights), cases[i].status);
        if (strstr(text, cases[i].part) == NULL)
            fail_msg("case %zu: expected \"%s\", found: %s", i, cases[i].part, text);
        assert_non_null(strstr(text, "license  L \"q\""));
        assert_non_null(strstr(text, "   3 ->   40  3x3  pad 2 replicate 32 bits"));
        free(text);
    }
    for (int j = 0; j < COUNT; j++)
        weights[j] = (float)(j % 17 - 8) * 0.02f;
    const char *path = write_convolution(weights), *out = temporary_path("packed.safetensors");
    convert(path, out, NULL, WEIGHTS_8_BITS, 1, COUNT * 4);
    char *text = info_text(out, NST_OK);
    assert_non_null(strstr(text, "   3 ->   40  3x3  pad 2 replicate  5 bits"));
    free(text);
}

/* ---- Lists ------------------------------------------------------------------------------------------------------ */

static void test_list(void **state) {
    struct weights_list list;
    nst_error error = {NST_OK, ""};
    bool found = false;
    (void)state;
    setenv("XDG_DATA_HOME", temporary_path("listed"), 1);
    assert_int_equal(weights_list_create(&list, &error), NST_OK); /* a folder that is not there */
    assert_true(list.folder_count == 3);
    weights_list_free(&list);
    mkdir(temporary_path("listed"), 0755);
    mkdir(temporary_path("listed/nst"), 0755);
    mkdir(temporary_path("listed/nst/weights"), 0755);
    write_text("listed/nst/weights/" WEIGHTS_DEFAULT_NAME ".safetensors", "12345");
    write_text("listed/nst/weights/b.pth", "1");
    write_text("listed/nst/weights/" WEIGHTS_DEFAULT_NAME ".json", "{}");
    assert_int_equal(weights_list_create(&list, &error), NST_OK);
    assert_true(list.count >= 2);
    assert_string_equal(list.files[0].name, "b");
    for (size_t i = 0; i < list.count; i++)
        if (list.files[i].is_default) {
            assert_false(found);
            found = true;
            assert_string_equal(list.files[i].path,
                                temporary_path("listed/nst/weights/" WEIGHTS_DEFAULT_NAME ".safetensors"));
            assert_int_equal(list.files[i].bytes, 5);
        }
    assert_true(found);
    weights_list_free(&list);

    setenv("XDG_DATA_HOME", "relative", 1); /* to be ignored */
    setenv("HOME", "/home/somebody", 1);
    assert_int_equal(weights_list_create(&list, &error), NST_OK);
    assert_string_equal(list.folders[0], "/home/somebody/.local/share/nst/weights");
    weights_list_free(&list);
}

/* An empty folder for networks of one's own. */
static void use_own_folder(const char *name) {
    char path[64];
    setenv("XDG_DATA_HOME", temporary_path(name), 1);
    for (const char *const *below = (const char *const[]){"", "/nst", "/nst/weights", NULL}; *below; below++) {
        snprintf(path, sizeof path, "%s%s", name, *below);
        assert_int_equal(mkdir(temporary_path(path), 0755), 0);
    }
}

/* Of several files of one name the first is taken; folders and hidden files are no networks. */
static void test_list_of_same_names(void **state) {
    static const char *const expected[] = {"a", "b", "b", WEIGHTS_DEFAULT_NAME};
    struct weights_list list;
    nst_error error = {NST_OK, ""};
    (void)state;
    use_own_folder("same");
    write_text("same/nst/weights/b.safetensors", "12");
    write_text("same/nst/weights/b.pth", "1");
    write_text("same/nst/weights/a.pt", "1");
    write_text("same/nst/weights/.c.pth", "1");
    write_text("same/nst/weights/" WEIGHTS_DEFAULT_NAME ".pth", "1");
    assert_int_equal(mkdir(temporary_path("same/nst/weights/folder.pth"), 0755), 0);
    assert_int_equal(weights_list_create(&list, &error), NST_OK);
    assert_true(list.count >= 4);
    for (size_t i = 0; i < list.count; i++) { /* those of the source tree come after */
        const struct weights_file *file = &list.files[i];
        if (i < 4)
            assert_string_equal(file->name, expected[i]);
        assert_true(file->is_default == (i == 3));
        assert_true(file->is_hidden == (i == 2 || (i > 3 && strcmp(file->name, WEIGHTS_DEFAULT_NAME) == 0)));
    }
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    weights_list_print(&list, stream);
    fclose(stream);
    char line[700];
    snprintf(line, sizeof line, "%-13s  %9s  %s  (hidden by the same name above)\n", "b", "2 bytes",
             temporary_path("same/nst/weights/b.safetensors"));
    assert_non_null(strstr(text, line));
    snprintf(line, sizeof line, "%-13s  %9s  %s  (default)\n", WEIGHTS_DEFAULT_NAME, "1 bytes",
             temporary_path("same/nst/weights/" WEIGHTS_DEFAULT_NAME ".pth"));
    assert_non_null(strstr(text, line));
    snprintf(line, sizeof line, "\nlooked for in this order:\n  %s  (yours)\n", temporary_path("same/nst/weights"));
    assert_non_null(strstr(text, line));
    assert_null(strstr(text, "no networks"));
    free(text);
    weights_list_free(&list);
}

/* More files than are listed: of all folders together so many, each a file that is there. */
static void test_list_at_its_limit(void **state) {
    struct weights_list list;
    nst_error error = {NST_OK, ""};
    char name[64];
    (void)state;
    use_own_folder("full");
    for (int i = 0; i < WEIGHTS_LIST_MAX + 3; i++) {
        snprintf(name, sizeof name, "full/nst/weights/%03d.pth", i);
        write_text(name, "1");
    }
    assert_int_equal(weights_list_create(&list, &error), NST_OK);
    assert_int_equal(list.count, WEIGHTS_LIST_MAX);
    for (size_t i = 0; i < list.count; i++) {
        assert_string_equal(list.files[i].folder, "yours");
        assert_true(i == 0 || strcmp(list.files[i - 1].name, list.files[i].name) < 0);
    }
    weights_list_free(&list);
    assert_open_fails("unknown", NULL, NST_ERROR_FILE, "no network named unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversion),
        cmocka_unit_test(test_conversion_of_little),
        cmocka_unit_test(test_lossy_conversion),
        cmocka_unit_test(test_conversion_until),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_of_same_names),
        cmocka_unit_test(test_list_at_its_limit),
    };
    return cmocka_run_group_tests_name("weights.tools", tests, make_temporary_folder, remove_temporary_folder);
}
