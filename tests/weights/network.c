/* Suite weights.network: names, architectures, conventions, codebooks: from a file to a checked network. */
#include "weights/network.h"
#include "corpus.h"
#include "files.h"
#include "weights/convention.h"
#include "weights/safetensors.h"
#include "weights/tools.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAFFE "BGR, 0..255, minus (103.939, 116.779, 123.68)"

static const nst_network_options caffe = {.input_convention = "caffe"};

/* ---- Conventions ----------------------------------------------------------------------------------------------- */

static void test_conventions(void **state) {
    static const char *const bad[] = {"",
                                      "Caffe",
                                      "RGB",
                                      "GBR, 0..1",
                                      "RGB, 0..2",
                                      "RGB, 0..1, minus",
                                      "RGB, 0..1, minus (1, 2)",
                                      "RGB, 0..1, minus (1, 2, 3, 4)",
                                      "RGB, 0..1, minus (1, 2, x)",
                                      "RGB, 0..1, minus (1, 2, nan)",
                                      "RGB, 0..1, minus (1, 2, 00000000000000000000000000000003)",
                                      "RGB, 0..1, over (1, 0, 1)",
                                      "RGB, 0..1, over (1, 1, 1), minus (1, 1, 1)",
                                      "RGB, 0..1 and more"};
    struct input_convention input, other;
    (void)state;
    assert_true(convention_from_text("caffe", &input));
    assert_true(input.order[0] == 2 && input.order[1] == 1 && input.order[2] == 0);
    assert_true(input.scale[0] == 1 && input.offset[0] == -103.939f && input.offset[2] == -123.68f);
    assert_true(convention_from_text(CAFFE, &other) && convention_equal(&input, &other));
    assert_string_equal(other.name, "caffe");

    assert_true(convention_from_text("torchvision", &input));
    assert_true(input.order[0] == 0 && input.order[2] == 2);
    for (int i = 0; i < 3; i++) { /* the value of a pixel of 200 */
        static const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};
        double expected = (200 / 255.0 - mean[i]) / deviation[i];
        assert_true(fabs(200 * (double)input.scale[i] + (double)input.offset[i] - expected) < 1e-6);
    }
    assert_false(convention_equal(&input, &other));
    assert_true(convention_from_text("RGB, 0..1", &input));
    assert_string_equal(input.name, "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(convention_from_text(bad[i], &input));
}

static void test_convention_never_guessed(void **state) {
    static const nst_network_options torchvision = {.input_convention = "torchvision"},
                                     foo = {.input_convention = "foo"};
    const char *path = write_vgg("plain.safetensors", &(struct vgg_file){{"conv1_1", "conv1_2"}, NULL, -1});
    (void)state;
    assert_open_fails(path, NULL, NST_ERROR_NETWORK, "--input-convention caffe");
    nst_network *network = open_network(path, &torchvision);
    assert_string_equal(network->input.name, "torchvision");
    nst_network_destroy(network);
    nst_network *none;
    nst_error error;
    assert_int_equal(nst_network_open(path, &foo, &none, &error), NST_ERROR_ARGUMENT);

    path = write_vgg("told.safetensors", &(struct vgg_file){{"conv1_1", "conv1_2"}, CAFFE, -1});
    network = open_network(path, NULL);
    assert_string_equal(network->input.name, "caffe");
    nst_network_destroy(network);
    nst_network_destroy(open_network(path, &caffe));
    assert_open_fails(path, &torchvision, NST_ERROR_ARGUMENT, "contradicts");
    path = write_vgg("odd.safetensors", &(struct vgg_file){{"conv1_1", "conv1_2"}, "YUV", -1});
    assert_open_fails(path, NULL, NST_ERROR_FORMAT, "\"YUV\" is not understood");
}

/* ---- Layers ---------------------------------------------------------------------------------------------------- */

static void test_namings(void **state) {
    static const struct vgg_file files[] = {
        {{"features.0", "features.2", "features.5", "features.7", "features.10"}, "caffe", -1},
        {{"conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"}, "caffe", -1},
        {{"features.conv1_1", "features.conv1_2", "features.conv2_1", "features.conv2_2", "features.conv3_1"},
         "caffe",
         -1},
    };
    static const char *const layers[] = {"conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1",   "conv2_1",
                                         "relu2_1", "conv2_2", "relu2_2", "pool2",   "conv3_1", "relu3_1"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        nst_network *network = open_network(write_vgg("names.safetensors", &files[i]), NULL);
        assert_int_equal(network->layer_count, 12);
        for (int j = 0; j < 12; j++) {
            assert_string_equal(network->layers[j].name, layers[j]);
            assert_int_equal(network_find_layer(network, layers[j]), j);
        }
        assert_int_equal(network_find_layer(network, "relu4_1"), -1);
        assert_int_equal(network->layers[5].in_channels, 64);
        assert_int_equal(network->layers[5].out_channels, 128);
        assert_int_equal(network->layers[5].padding, 1);
        assert_string_equal(nst_network_name(network), "names");
        assert_int_equal(strlen(nst_network_sha256(network)), 64);
        nst_network_destroy(network);
    }
}

static void test_until(void **state) {
    nst_network_options options = {.until = "relu2_1"};
    const char *path = write_vgg(
        "until.safetensors", &(struct vgg_file){{"conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"}, "caffe", 4});
    (void)state;
    nst_network *network = open_network(path, &options); /* the broken conv3_1 is not looked at */
    assert_int_equal(network->layer_count, 7);
    nst_network_destroy(network);
    assert_open_fails(path, NULL, NST_ERROR_NETWORK,
                      "conv3_1.weight has the shape 256 x 129 x 3 x 3, expected 256 x 128 x 3 x 3");
    options.until = "relu4_1";
    assert_open_fails(path, &options, NST_ERROR_NETWORK, "relu4_1 needs conv3_2 (the tensor conv3_2.weight)");
    options.until = "relu2_3";
    assert_open_fails(path, &options, NST_ERROR_NETWORK, "did you mean relu2_");
}

static void test_missing_layer(void **state) {
    (void)state;
    assert_open_fails(
        write_vgg("gap.safetensors", &(struct vgg_file){{"features.0", "features.2", "", "features.7"}, "caffe", -1}),
        NULL, NST_ERROR_NETWORK, "lacks the layer conv2_1 (the tensor features.5.weight)");
    assert_open_fails(write_vgg("other.safetensors", &(struct vgg_file){{"stem", "body"}, "caffe", -1}), NULL,
                      NST_ERROR_NETWORK, "4 tensors (body.bias, ...)");
}

/* ---- Descriptions ---------------------------------------------------------------------------------------------- */

/* Ten values are enough for the tensors a.weight [1, 3, 1, 1], a.bias [1] and b.weight [2, 1, 1, 1]. */
#define SMALL                                                                                                          \
    "\"a.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"                                             \
    "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[1,3,1,1],\"data_offsets\":[4,16]},"                                    \
    "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2,1,1,1],\"data_offsets\":[16,24]}"

static void test_description(void **state) {
    (void)state;
    const char *path = write_safetensors("small.safetensors", "{" SMALL "}", NULL, 24);
    /* "licence", as older versions of nst wrote it. */
    write_text("small.json",
               "{\"format\":1,\"name\":\"tiny\",\"input\":\"RGB, 0..1\",\"licence\":\"MIT\",\"origin\":\"here\","
               "\"layers\":[{\"convolution\":\"first\",\"tensor\":\"a\",\"kernel\":1,\"channels\":1,"
               "\"padding_mode\":\"reflect\"},{\"relu\":\"r\"},{\"pooling\":\"p\"},"
               "{\"convolution\":\"b\",\"kernel\":1,\"bias\":false}]}");
    nst_network *network = open_network(path, NULL);
    assert_string_equal(nst_network_name(network), "tiny");
    assert_string_equal(network->license, "MIT");
    assert_string_equal(network->origin, "here");
    assert_int_equal(network->layer_count, 4);
    assert_int_equal(network->layers[0].padding_mode, PADDING_REFLECT);
    assert_int_equal(network->layers[0].padding, 0);
    assert_non_null(network->layers[0].bias);
    assert_null(network->layers[3].bias);
    assert_int_equal(network->layers[3].out_channels, 2);
    assert_int_equal(network->layers[2].kind, LAYER_POOLING);
    nst_network_destroy(network);
}

static void test_bad_descriptions(void **state) {
    static const struct {
        const char *description, *part;
    } cases[] = {
        {"", "not valid JSON"},
        {"[]", "not an object"},
        {"{\"layers\":[]}", "\"format\" is 0"},
        {"{\"format\":2}", "\"format\" is 2; this nst reads 1"},
        {"{\"format\":\"1\"}", "\"format\" must be"},
        {"{\"format\":1}", "\"layers\" must be"},
        {"{\"format\":1,\"layers\":[]}", "\"layers\" must be"},
        {"{\"format\":1,\"name\":7,\"layers\":[]}", "\"name\" must be a text"},
        {"{\"format\":1,\"layers\":[7]}", "layer 1 of the description is none of"},
        {"{\"format\":1,\"layers\":[{\"dense\":\"a\"}]}", "layer 1 of the description is none of"},
        {"{\"format\":1,\"layers\":[{\"convolution\":\"\"}]}", "\"convolution\" must be a text"},
        {"{\"format\":1,\"layers\":[{\"convolution\":\"a_name_that_is_longer_than_any_layer_should_have\"}]}",
         "a text"},
        {"{\"format\":1,\"layers\":[{\"relu\":\"a\"},{\"relu\":\"a\"}]}", "names two layers a"},
        {"{\"format\":1,\"layers\":[{\"convolution\":\"a\",\"kernel\":2}]}", "\"kernel\" must be odd"},
        {"{\"format\":1,\"layers\":[{\"convolution\":\"a\",\"kernel\":17}]}", "\"kernel\" must be a whole number"},
        {"{\"format\":1,\"layers\":[{\"convolution\":\"a\",\"kernel\":1,\"padding\":1}]}", "\"padding\" must be"},
        {"{\"format\":1,\"layers\":[{\"convolution\":\"a\",\"padding_mode\":\"wrap\"}]}", "\"padding_mode\" must be"},
        {"{\"format\":1,\"layers\":[{\"convolution\":\"a\",\"bias\":1}]}", "\"bias\" must be"},
        {"{\"format\":1,\"layers\":[{\"convolution\":\"a\",\"channels\":0}]}", "\"channels\" must be"},
        {"{\"format\":1,\"format\":1}", "not valid JSON: duplicate"},
    };
    static const struct {
        const char *layers, *part;
    } unfit[] = {
        {"{\"relu\":\"r\"}", "its first layer, r, is not a convolution"},
        {"{\"convolution\":\"c\"}", "lacks the layer c: there is no tensor c.weight"},
        {"{\"convolution\":\"a\"}", "a.weight has the shape 1 x 3 x 1 x 1, expected channels x 3 x 3 x 3"},
        {"{\"convolution\":\"a\",\"kernel\":1,\"channels\":5}", "expected 5 x 3 x 1 x 1"},
        {"{\"convolution\":\"b\",\"kernel\":1,\"bias\":false}", "expected channels x 3 x 1 x 1"},
        {"{\"convolution\":\"a\",\"kernel\":1},{\"convolution\":\"b\",\"kernel\":1}", "there is no tensor b.bias"},
    };
    char path[512];
    snprintf(path, sizeof path, "%s", write_safetensors("bad.safetensors", "{" SMALL "}", NULL, 24));
    nst_network *network;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nst_error error = {NST_OK, ""};
        const char *sidecar = write_text("bad.json", cases[i].description);
        corpus_keep(sidecar);
        assert_int_equal(nst_network_open(path, &caffe, &network, &error), NST_ERROR_FORMAT);
        if (strstr(error.message, cases[i].part) == NULL || strstr(error.message, sidecar) == NULL)
            fail_msg("expected \"%s\" and %s, found: %s", cases[i].part, sidecar, error.message);
    }
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"format\":1,\"layers\":[%s]}", unfit[i].layers);
        write_text("bad.json", text);
        assert_open_fails(path, &caffe, NST_ERROR_NETWORK, unfit[i].part);
    }
}

static void test_bias_shape(void **state) {
    (void)state;
    write_text("bias.json", "{\"format\":1,\"input\":\"caffe\",\"layers\":[{\"convolution\":\"a\",\"kernel\":1}]}");
    const char *path =
        write_safetensors("bias.safetensors",
                          "{\"a.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                          "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3,1,1],\"data_offsets\":[4,28]}}",
                          NULL, 28);
    assert_open_fails(path, NULL, NST_ERROR_NETWORK, "the tensor a.bias has the shape 1, expected 2");
}

/* ---- Codebooks ---------------------------------------------------------------------------------- */

#define CODED(codes, codebook)                                                                                         \
    "{\"w.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"                                            \
    "\"w.weight.codebook\":{\"dtype\":\"F32\",\"shape\":" codebook "},"                                                \
    "\"w.weight.codes\":{\"dtype\":" codes "}}"

static void test_codebooks(void **state) {
    /* bias; two values; three codes, and room */
    static const unsigned char data[20] = {0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 1, 0, 1};
    static const nst_network_options options = {.input_convention = "torchvision"};
    (void)state;
    write_text("coded.json", "{\"format\":1,\"layers\":[{\"convolution\":\"w\",\"kernel\":1}]}");
    const char *path = write_safetensors(
        "coded.safetensors",
        CODED("\"U8\",\"shape\":[1,3,1,1],\"data_offsets\":[12,15]", "[2],\"data_offsets\":[4,12]"), data, 15);
    nst_network *network = open_network(path, &options);
    assert_true(network->layers[0].weights[0] == -2 && network->layers[0].weights[1] == 1 &&
                network->layers[0].weights[2] == -2);
    nst_network_destroy(network);

    path = write_safetensors("coded.safetensors",
                             CODED("\"U8\",\"shape\":[1,3,1,1],\"data_offsets\":[8,11]", "[1],\"data_offsets\":[4,8]"),
                             "\0\0\0\0\0\0\0\0\0\0\1", 11);
    assert_open_fails(path, &options, NST_ERROR_FORMAT, "holds the code 1, its codebook only 1 values");
    path = write_safetensors("coded.safetensors",
                             CODED("\"U8\",\"shape\":[1,3,1,1],\"data_offsets\":[4,7]", "[0],\"data_offsets\":[4,4]"),
                             NULL, 7);
    assert_open_fails(path, &options, NST_ERROR_FORMAT, "expected 1 to 256 values");
    path = write_safetensors("coded.safetensors",
                             CODED("\"I8\",\"shape\":[1,3,1,1],\"data_offsets\":[8,11]", "[1],\"data_offsets\":[4,8]"),
                             NULL, 11);
    assert_open_fails(path, &options, NST_ERROR_FORMAT, "have the type I8, expected U8");
    path = write_safetensors("coded.safetensors",
                             "{\"w.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                             "\"w.weight.codes\":{\"dtype\":\"U8\",\"shape\":[1,3,1,1],\"data_offsets\":[4,7]}}",
                             NULL, 7);
    assert_open_fails(path, &options, NST_ERROR_NETWORK, "no tensor w.weight.codebook");
}

/* A layer of `channels` x 3 x 1 x 1 packed codes, with sizes as they are given in the header. */
static const char *write_packed(const char *channels, const char *type, const char *shape, int packed_bytes,
                                int codebook_size, const void *data) {
    char header[512], layers[256];
    int codebook_at = 4 * codebook_size, bytes = codebook_at + packed_bytes;
    snprintf(layers, sizeof layers, "{\"format\":1,\"layers\":[{\"convolution\":\"w\",\"kernel\":1,\"bias\":false%s}]}",
             channels);
    write_text("packed.json", layers);
    snprintf(header, sizeof header,
             "{\"w.weight.codebook\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
             "\"w.weight.packed\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}}",
             codebook_size, codebook_at, type, shape, codebook_at, bytes);
    return write_safetensors("packed.safetensors", header, data, (size_t)bytes);
}

static void test_packed_codebooks(void **state) {
    /* Codes 0, 1, 2, 3, 3, 1 of two bits: 11100100 and 0111. */
    static const unsigned char data[18] = {0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0xe4, 0x07};
    static const float expected[6] = {0, 1, 2, 3, 3, 1};
    static const char two[] = ",\"channels\":2";
    unsigned char damaged[18];
    (void)state;
    nst_network *network = open_network(write_packed(two, "U8", "[2]", 2, 4, data), &caffe);
    assert_memory_equal(network->layers[0].weights, expected, sizeof expected);
    assert_int_equal(network->layers[0].stored_bits, 2);
    nst_network_destroy(network);

    assert_open_fails(write_packed("", "U8", "[2]", 2, 4, data), &caffe, NST_ERROR_NETWORK,
                      "the description of the layer w lacks \"channels\", which its packed codes w.weight.packed need");
    static const struct {
        const char *channels, *type, *shape;
        int packed_bytes, codebook_size;
        const char *part;
    } cases[] = {
        {two, "U8", "[1]", 1, 4, "have the shape 1, expected 2 bytes: 6 codes of 2 bits"},
        {two, "U8", "[3]", 3, 4, "have the shape 3, expected 2 bytes"},
        {two, "U8", "[0]", 0, 4, "have the shape 0, expected 2 bytes"},
        {two, "U8", "[2,1]", 2, 4, "have the shape 2 x 1, expected 2 bytes"},
        {two, "I8", "[2]", 2, 4, "have the type I8, expected U8"},
        {two, "F32", "[2]", 8, 4, "have the type F32, expected U8"},
        {",\"channels\":16384", "U8", "[2]", 2, 4, "expected 12288 bytes: 49152 codes of 2 bits"},
        {two, "U8", "[2]", 2, 0, "has the shape 0, expected 2, 4, 8, ... or 128 values"},
        {two, "U8", "[2]", 2, 1, "has the shape 1, expected 2, 4"},
        {two, "U8", "[2]", 2, 3, "has the shape 3, expected 2, 4"},
        {two, "U8", "[2]", 2, 5, "has the shape 5, expected 2, 4"},
        {two, "U8", "[6]", 6, 256, "has the shape 256, expected 2, 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_open_fails(write_packed(cases[i].channels, cases[i].type, cases[i].shape, cases[i].packed_bytes,
                                       cases[i].codebook_size, NULL),
                          &caffe, NST_ERROR_FORMAT, cases[i].part);
    memcpy(damaged, data, sizeof data);
    damaged[17] |= 0x10;
    assert_open_fails(write_packed(two, "U8", "[2]", 2, 4, damaged), &caffe, NST_ERROR_FORMAT,
                      "the bits behind the last code of w.weight.packed are not zero");
    damaged[17] = data[17];
    damaged[6] = 0x80;
    damaged[7] = 0x7f;
    assert_open_fails(write_packed(two, "U8", "[2]", 2, 4, damaged), &caffe, NST_ERROR_FORMAT, "not finite");
    assert_open_fails(write_safetensors("packed.safetensors",
                                        "{\"w.weight.packed\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
                                        NULL, 2),
                      &caffe, NST_ERROR_NETWORK, "no tensor w.weight.codebook");
    char path[512];
    snprintf(path, sizeof path, "%s", write_packed(two, "U8", "[2]", 2, 4, data));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size - 1), 0);
    assert_open_fails(path, &caffe, NST_ERROR_FORMAT, "truncated");
}

/* ---- Names ----------------------------------------------------------------------------------------------------- */

static void convert(const char *in, const char *out) {
    struct weights_conversion conversion;
    nst_error error;
    if (weights_convert(in, out, &caffe, WEIGHTS_LOSSLESS, &conversion, &error) != NST_OK)
        fail_msg("%s", error.message);
}

static void test_names(void **state) {
    static const nst_network_options torchvision = {.input_convention = "torchvision"};
    static const struct vgg_file vgg = {{"conv1_1", "conv1_2"}, "caffe", -1};
    static const struct vgg_file untold = {{"conv1_1", "conv1_2"}, NULL, -1};
    nst_network *network;
    nst_error error = {NST_OK, ""};
    (void)state;
    setenv("XDG_DATA_HOME", temporary_path("data"), 1);
    mkdir(temporary_path("data"), 0755);
    mkdir(temporary_path("data/nst"), 0755);
    mkdir(temporary_path("data/nst/weights"), 0755);

    assert_int_equal(nst_network_open("vgg16", NULL, &network, &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "no network named vgg16"));
    assert_non_null(strstr(error.message, temporary_path("data/nst/weights")));
    assert_int_equal(nst_network_open("vgg91x", NULL, &network, &error), NST_ERROR_FILE);
    assert_int_equal(nst_network_open("", NULL, &network, &error), NST_ERROR_ARGUMENT);

    const char *path = write_vgg("data/nst/weights/vgg19.safetensors", &vgg);
    network = open_network("vgg19", NULL);
    assert_string_equal(nst_network_name(network), "vgg19");
    assert_string_equal(nst_network_path(network), path);
    nst_network_destroy(network);

    /* The same file under another network's name is refused by that name, and opened by its path. */
    const char *wrong = write_vgg("data/nst/weights/vgg19-torchvision.safetensors", &vgg);
    assert_int_equal(nst_network_open("vgg19-torchvision", NULL, &network, &error), NST_ERROR_NETWORK);
    assert_non_null(strstr(error.message, "vgg19-torchvision is the network that expects torchvision"));
    network = open_network(wrong, NULL);
    assert_string_equal(nst_network_name(network), "vgg19-caffe");
    nst_network_destroy(network);
    wrong = write_vgg("data/nst/weights/vgg16.safetensors", &vgg);
    assert_int_equal(nst_network_open("vgg16", NULL, &network, &error), NST_ERROR_NETWORK);
    assert_non_null(strstr(error.message, "is a vgg19, not vgg16"));

    /* A file that does not tell its convention takes the caller's, if it is the name's. */
    write_vgg("data/nst/weights/vgg19.safetensors", &untold);
    assert_int_equal(nst_network_open("vgg19", &torchvision, &network, &error), NST_ERROR_NETWORK);
    nst_network_destroy(open_network("vgg19", &caffe));
    assert_int_equal(nst_network_open("vgg19", NULL, &network, &error), NST_ERROR_NETWORK);

    /* A name in the description is the network's; the name of the converted file is not written as one. */
    path = temporary_path("data/nst/weights/vgg19.safetensors");
    write_vgg("download.safetensors", &untold);
    convert(temporary_path("download.safetensors"), path);
    nst_network_destroy(open_network("vgg19", NULL));
    write_text("download.json", "{\"format\":1,\"name\":\"mine\",\"layers\":[{\"convolution\":\"conv1_1\"}]}");
    convert(temporary_path("download.safetensors"), path);
    assert_int_equal(nst_network_open("vgg19", NULL, &network, &error), NST_ERROR_NETWORK);
    assert_non_null(strstr(error.message, "is the network mine, not vgg19"));
}

/* ---- Real networks --------------------------------------------------------------------------------------------- */

#define SHARED NST_SOURCE_DIR "/../shared/weights/"

static void test_real_vgg19(void **state) {
    (void)state;
    if (access(SHARED "vgg19-blocks1-3.safetensors", R_OK) != 0) {
        print_message("skipped: needs ../shared/weights\n");
        skip();
    }
    nst_network *network = open_network(SHARED "vgg19-blocks1-3.safetensors", NULL);
    assert_int_equal(network->layer_count, 18);
    assert_string_equal(network->layers[17].name, "relu3_4");
    assert_string_equal(network->input.name, "caffe");
    assert_string_equal(nst_network_sha256(network),
                        "5e6a99cc161f3171e80ef7977c3bec49ee27acff4de2e8f4641036458d15c47e");
    nst_network_destroy(network);
}

/* A copy of a text file in the temporary folder. */
static void copy_text_file(const char *from, const char *name) {
    static char text[16384];
    FILE *stream = fopen(from, "r");
    assert_non_null(stream);
    size_t bytes = fread(text, 1, sizeof text, stream);
    fclose(stream);
    assert_in_range(bytes, 1, sizeof text - 1);
    write_bytes(name, text, bytes);
}

/* The quarter-width network, a 1x1 layer in front and reflection padding, with the description that is in the
 * repository: next to the weights, then within them. */
static void test_real_distilled(void **state) {
    struct weights_conversion conversion;
    nst_error error;
    (void)state;
    if (access(SHARED "vgg19-16x-distilled.safetensors", R_OK) != 0) {
        print_message("skipped: needs ../shared/weights\n");
        skip();
    }
    copy_text_file(NST_SOURCE_DIR "/weights/vgg19-16x.json", "vgg19-16x.json");
    const char *path = temporary_path("vgg19-16x.safetensors"), *out = temporary_path("one-file.safetensors");
    assert_int_equal(symlink(SHARED "vgg19-16x-distilled.safetensors", path), 0);
    if (weights_convert(path, out, NULL, WEIGHTS_LOSSLESS, &conversion, &error) != NST_OK)
        fail_msg("%s", error.message);
    for (int i = 0; i < 2; i++) {
        nst_network *network = open_network(i == 0 ? path : out, NULL);
        assert_int_equal(network->layer_count, 31);
        assert_string_equal(network->name, "vgg19-16x");
        assert_string_equal(network->license, "MIT (Wang et al. 2020)");
        assert_int_equal(network->layers[0].kernel_size, 1);
        assert_int_equal(network->layers[1].padding_mode, PADDING_REFLECT);
        assert_int_equal(network->layers[network_find_layer(network, "conv5_1")].out_channels, 128);
        assert_true(fabsf(network->input.scale[0] - 1.0f / 255) < 1e-9f && network->input.order[0] == 0);
        nst_network_destroy(network);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conventions),
        cmocka_unit_test(test_convention_never_guessed),
        cmocka_unit_test(test_namings),
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_missing_layer),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_bad_descriptions),
        cmocka_unit_test(test_bias_shape),
        cmocka_unit_test(test_codebooks),
        cmocka_unit_test(test_packed_codebooks),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_real_vgg19),
        cmocka_unit_test(test_real_distilled),
    };
    return cmocka_run_group_tests_name("weights.network", tests, make_temporary_folder, remove_temporary_folder);
}
