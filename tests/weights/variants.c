/* Suite weights.variants: the same weights in the variants of the formats that other people's files have, and what is
 * said of files that are no networks. */
#include "files.h"
#include "torch_files.h"
#include "weights/tensors.h"
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- A network of VGG's first convolutions --------------------------------------------------------------------- */

/* conv1_1 and conv1_2 of VGG, one storage for each tensor, with weights that count up. */
enum { CHANNELS = 64, FIRST = CHANNELS * 3 * 9, SECOND = CHANNELS * CHANNELS * 9 };
static float first_weight[FIRST], first_bias[CHANNELS], second_weight[SECOND], second_bias[CHANNELS];

static void count_up(float *values, size_t count, float step) {
    for (size_t i = 0; i < count; i++)
        values[i] = step * (float)((int)(i % 256) - 128);
}

static int set_up(void **state) {
    count_up(first_weight, FIRST, 0.125f);
    count_up(first_bias, CHANNELS, 0.5f);
    count_up(second_weight, SECOND, 0.25f);
    count_up(second_bias, CHANNELS, 1);
    return make_temporary_folder(state);
}

#define WEIGHT(name, storage, channels)                                                                                \
    {                                                                                                                  \
        name, storage, 0, 4, {CHANNELS, channels, 3, 3}, {                                                             \
            (channels) * 9, 9, 3, 1                                                                                    \
        }                                                                                                              \
    }
#define BIAS(name, storage)                                                                                            \
    {                                                                                                                  \
        name, storage, 0, 1, {CHANNELS}, {                                                                             \
            1                                                                                                          \
        }                                                                                                              \
    }

static const struct torch_storage storages[] = {{"FloatStorage", FIRST, 4, first_weight},
                                                {"FloatStorage", CHANNELS, 4, first_bias},
                                                {"FloatStorage", SECOND, 4, second_weight},
                                                {"FloatStorage", CHANNELS, 4, second_bias}};
static const struct torch_tensor tensors[] = {WEIGHT("features.0.weight", 0, 3), BIAS("features.0.bias", 1),
                                              WEIGHT("features.2.weight", 2, CHANNELS), BIAS("features.2.bias", 3)};

static const nst_network_options caffe = {.input_convention = "caffe"};

/* The file must hold the two convolutions above. */
static void assert_weights(const char *path) {
    nst_network *network = open_network(path, &caffe);
    assert_int_equal(network->layer_count, 4);
    const struct layer *first = &network->layers[0], *second = &network->layers[2];
    assert_string_equal(first->name, "conv1_1");
    assert_string_equal(second->name, "conv1_2");
    assert_memory_equal(first->weights, first_weight, sizeof first_weight);
    assert_memory_equal(first->bias, first_bias, sizeof first_bias);
    assert_memory_equal(second->weights, second_weight, sizeof second_weight);
    assert_memory_equal(second->bias, second_bias, sizeof second_bias);
    nst_network_destroy(network);
}

/* Writes it in both forms with each protocol from `least` on, and reads it. */
static void check_protocols(struct torch_file file, int least) {
    for (int zip = 0; zip < 2; zip++)
        for (file.protocol = least; file.protocol <= 5; file.protocol++) {
            file.zip = zip != 0;
            assert_weights(write_torch("variant.pth", &file));
        }
}

static const struct torch_file plain = {
    .storages = storages, .storage_count = COUNT(storages), .tensors = tensors, .tensor_count = COUNT(tensors)};

/* ---- torch.save ------------------------------------------------------------------------------------------------ */

static void test_protocols(void **state) {
    (void)state;
    check_protocols(plain, 2);
}

/* vgg19-d01eb7cb.pth, converted by Justin Johnson: the older form, with classifiers at places where torchvision has
 * none, in an order of its own. */
static void test_johnson(void **state) {
    static const float classifier[12] = {1};
    const struct torch_storage all[] = {storages[0],
                                        storages[1],
                                        storages[2],
                                        storages[3],
                                        {"FloatStorage", 12, 4, classifier},
                                        {"FloatStorage", 3, 4, classifier}};
    const struct torch_tensor named[] = {{"classifier.4.weight", 4, 0, 2, {3, 4}, {4, 1}},
                                         {"classifier.1.bias", 5, 0, 1, {3}, {1}},
                                         tensors[3],
                                         tensors[2],
                                         {"classifier.1.weight", 4, 0, 2, {3, 4}, {4, 1}},
                                         {"classifier.4.bias", 5, 0, 1, {3}, {1}},
                                         tensors[1],
                                         tensors[0]};
    struct torch_file file = {
        .storages = all, .storage_count = COUNT(all), .tensors = named, .tensor_count = COUNT(named)};
    (void)state;
    check_protocols(file, 2);
}

static void test_checkpoints(void **state) {
    static const char *const around[][3] = {{"state_dict"}, {"model_state_dict"}, {"model"}};
    (void)state;
    for (size_t i = 0; i < COUNT(around); i++) {
        struct torch_file file = plain;
        file.around = around[i];
        check_protocols(file, 2);
    }
}

/* DataParallel puts "module" before the names of what it wraps. */
static void test_module_names(void **state) {
    static const char *const names[][2] = {
        {"module.features.0", "module.features.2"},
        {"features.module.0", "features.module.2"},
        {"module.conv1_1", "module.conv1_2"},
        {"module.features.conv1_1", "module.features.conv1_2"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        for (int inside = 0; inside < 2; inside++) {
            static const char *const around[] = {"state_dict", NULL};
            struct torch_tensor renamed[COUNT(tensors)];
            char texts[COUNT(tensors)][64];
            for (size_t k = 0; k < COUNT(tensors); k++) {
                snprintf(texts[k], sizeof texts[k], "%s.%s", names[i][k / 2], k % 2 == 0 ? "weight" : "bias");
                renamed[k] = tensors[k];
                renamed[k].name = texts[k];
            }
            struct torch_file file = plain;
            file.tensors = renamed;
            file.around = inside ? around : NULL;
            check_protocols(file, 4);
        }
}

/* All tensors are views into one storage, one of them transposed, with other values before, between and behind. */
static void test_views(void **state) {
    enum { GAP = 5, ROW = 3 * 9, TOTAL = FIRST + SECOND + 2 * CHANNELS + 5 * GAP };
    float *all = malloc(TOTAL * sizeof *all);
    (void)state;
    assert_non_null(all);
    count_up(all, TOTAL, 7);
    size_t first = GAP, bias = first + FIRST + GAP, second = bias + CHANNELS + GAP, last = second + SECOND + GAP;
    for (int out = 0; out < CHANNELS; out++)
        for (int i = 0; i < ROW; i++)
            all[first + (size_t)(i * CHANNELS + out)] = first_weight[out * ROW + i];
    memcpy(all + bias, first_bias, sizeof first_bias);
    memcpy(all + second, second_weight, sizeof second_weight);
    memcpy(all + last, second_bias, sizeof second_bias);
    const struct torch_storage one = {"FloatStorage", TOTAL, 4, all};
    const struct torch_tensor views[] = {
        {"features.0.weight", 0, first, 4, {CHANNELS, 3, 3, 3}, {1, 9 * CHANNELS, 3 * CHANNELS, CHANNELS}},
        {"features.0.bias", 0, bias, 1, {CHANNELS}, {1}},
        {"features.2.weight", 0, second, 4, {CHANNELS, CHANNELS, 3, 3}, {CHANNELS * 9, 9, 3, 1}},
        {"features.2.bias", 0, last, 1, {CHANNELS}, {1}}};
    struct torch_file file = {.storages = &one, .storage_count = 1, .tensors = views, .tensor_count = COUNT(views)};
    check_protocols(file, 2);
    free(all);
}

/* The upper halves of the floats, which the values above fit into. */
static void test_bfloat16(void **state) {
    static const float *const values[] = {first_weight, first_bias, second_weight, second_bias};
    struct torch_storage halves[COUNT(storages)];
    (void)state;
    for (size_t i = 0; i < COUNT(storages); i++) {
        unsigned char *data = malloc(2 * storages[i].count);
        assert_non_null(data);
        for (size_t k = 0; k < storages[i].count; k++) {
            uint32_t bits;
            memcpy(&bits, &values[i][k], sizeof bits);
            data[2 * k] = (unsigned char)(bits >> 16);
            data[2 * k + 1] = (unsigned char)(bits >> 24);
        }
        halves[i] = (struct torch_storage){"BFloat16Storage", storages[i].count, 2, data};
    }
    struct torch_file file = plain;
    file.storages = halves;
    check_protocols(file, 2);
    for (size_t i = 0; i < COUNT(storages); i++)
        free((void *)halves[i].data);
}

static void test_empty_tensors(void **state) {
    struct torch_storage more[COUNT(storages) + 1];
    struct torch_tensor with_empty[COUNT(tensors) + 1];
    (void)state;
    memcpy(more, storages, sizeof storages);
    memcpy(with_empty, tensors, sizeof tensors);
    more[COUNT(storages)] = (struct torch_storage){"FloatStorage", 0, 4, ""};
    with_empty[COUNT(tensors)] = (struct torch_tensor){"extra", COUNT(storages), 0, 2, {0, 3}, {3, 1}};
    struct torch_file file = {
        .storages = more, .storage_count = COUNT(more), .tensors = with_empty, .tensor_count = COUNT(with_empty)};
    check_protocols(file, 2);

    with_empty[0].shape[0] = 0; /* now of the network itself */
    file.protocol = 2;
    assert_open_fails(write_torch("empty.pth", &file), &caffe, NST_ERROR_NETWORK, "features.0.weight");
}

static void test_same_name_twice(void **state) {
    struct torch_tensor twice[COUNT(tensors) + 1];
    (void)state;
    memcpy(twice, tensors, sizeof tensors);
    twice[COUNT(tensors)] = tensors[0];
    struct torch_file file = plain;
    file.tensors = twice;
    file.tensor_count = COUNT(twice);
    file.protocol = 2;
    assert_open_fails(write_torch("twice.pth", &file), &caffe, NST_ERROR_FORMAT,
                      "two tensors are named features.0.weight");
}

/* ---- safetensors ----------------------------------------------------------------------------------------------- */

/* Entries of the header, each with a place for the tensor's offset in the data. */
static const char *const entries[] = {
    "\"features.0.weight\":{\"dtype\":\"F32\",\"shape\":[64,3,3,3],\"data_offsets\":[%zu,%zu]}",
    "\"features.0.bias\":{\"dtype\":\"F32\",\"shape\":[64],\"data_offsets\":[%zu,%zu]}",
    "\"features.2.weight\":{\"dtype\":\"F32\",\"shape\":[64,64,3,3],\"data_offsets\":[%zu,%zu]}",
    "\"features.2.bias\":{\"dtype\":\"F32\",\"shape\":[64],\"data_offsets\":[%zu,%zu]}"};

/* Writes the tensors into the data in one order and into the header in the other, with `more` before them and as many
 * spaces behind as are asked for. */
static const char *write_variant(const char *more, size_t spaces) {
    static const size_t order[] = {2, 0, 3, 1};
    size_t begin[COUNT(storages)], total = 0, used = 0;
    char header[2048];
    unsigned char *data = malloc(4 * (FIRST + SECOND + 2 * CHANNELS));
    assert_non_null(data);
    for (size_t i = 0; i < COUNT(order); i++) {
        begin[order[i]] = total;
        memcpy(data + total, storages[order[i]].data, 4 * storages[order[i]].count);
        total += 4 * storages[order[i]].count;
    }
    used += (size_t)snprintf(header, sizeof header, "{%s", more);
    for (size_t i = 0; i < COUNT(entries); i++) {
        used += (size_t)snprintf(header + used, sizeof header - used, entries[i], begin[i],
                                 begin[i] + 4 * storages[i].count);
        used += (size_t)snprintf(header + used, sizeof header - used, "%s", i + 1 < COUNT(entries) ? "," : "}");
    }
    assert_true(used + spaces < sizeof header);
    memset(header + used, ' ', spaces);
    header[used + spaces] = 0;
    const char *path = write_safetensors("variant.safetensors", header, data, total);
    free(data);
    return path;
}

static void test_alignment(void **state) {
    (void)state;
    for (size_t spaces = 0; spaces < 9; spaces++) /* of the data, at every byte of eight */
        assert_weights(write_variant("", spaces));
}

static void test_metadata(void **state) {
    static const char *const metadata[] = {
        "{\"format\":\"pt\"}",
        "{\"epoch\":3,\"rate\":1e-3,\"best\":null,\"done\":true,\"list\":[1],\"inner\":{\"a\":\"b\"}}",
        "{\"input\":7,\"source\":[\"here\"]}",
        "{}",
        "[1,2]",
        "\"text\"",
        "null",
    };
    char entry[256];
    (void)state;
    for (size_t i = 0; i < COUNT(metadata); i++) {
        snprintf(entry, sizeof entry, "\"__metadata__\":%s,", metadata[i]);
        assert_weights(write_variant(entry, i));
    }
    assert_open_fails(write_variant("\"__metadata__\":{\"nst.network\":7},", 0), &caffe, NST_ERROR_FORMAT,
                      "nst.network is not a text");
}

static void test_empty_in_safetensors(void **state) {
    (void)state;
    assert_weights(write_variant("\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},", 1));
    assert_weights(write_variant("\"a\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[147456,147456]},"
                                 "\"b\":{\"dtype\":\"I64\",\"shape\":[0,0,0],\"data_offsets\":[147456,147456]},",
                                 2));
}

/* ---- What is no network ---------------------------------------------------------------------------------------- */

static void test_foreign_files(void **state) {
    static const struct {
        const char *data;
        size_t bytes;
        const char *part;
    } cases[] = {
#define FILE_OF(text, part) {text, sizeof(text) - 1, part}
        FILE_OF("<!DOCTYPE html>\n<html><head><title>404</title>", "is a web page"),
        FILE_OF("\xef\xbb\xbf\r\n  <!doctype HTML PUBLIC>", "is a web page"),
        FILE_OF("<HTML>\n<body>moved</body>", "is a web page"),
        FILE_OF("<html>", "get it again"),
        FILE_OF("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "is an XML text"),
        FILE_OF("{\"error\":{\"code\":403}}", "is a JSON text"),
        FILE_OF("{\"ab\": {\"metadata\": {}}}", "is a JSON text"),
        FILE_OF("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548051225\n", "git lfs pull"),
        FILE_OF("\n\x14VGG_ILSVRC_19_layers\x12\x04", "is a Caffe model"),
        FILE_OF("MATLAB 5.0 MAT-file, Platform: GLNXA64", "is a MATLAB file"),
        FILE_OF("\4\0\0\0\1\0\0\0\3\0\0\0V 1", "is a file of Lua Torch"),
        FILE_OF("\x93NUMPY\1\0v\0{'descr'", "is a single NumPy array"),
        FILE_OF("GGUF\3\0\0\0\0\0\0\0", "is a GGUF file"),
        FILE_OF("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a picture"),
        FILE_OF("\xff\xd8\xff\xe0\0\x10JFIF", "is a picture"),
        FILE_OF("\x1f\x8b\x08\0\0\0\0\0\0\3", "compressed with gzip"),
        FILE_OF("\x1f\x8b\x07\0\0\0\0\0\0\3", "is not a network"),
        FILE_OF("\x28\xb5\x2f\xfd\x04\x58", "compressed with zstd"),
        FILE_OF("\xfd"
                "7zXZ\0\0\4",
                "compressed with xz"),
        FILE_OF("\x80\x04\x95\x1d\0\0\0\0\0\0\0}", "a Python pickle that torch.save did not write"),
        FILE_OF("\x80\2}q\0.", "a Python pickle that torch.save did not write"),
        FILE_OF("\x80\5}\x94.", "a Python pickle that torch.save did not write"),
        FILE_OF("\x80\6}q\0.", "is not a network"),
        FILE_OF("hello", "is not a network"),
        FILE_OF("\xef\xbb\xbf", "is not a network"),
        FILE_OF("   \n", "is not a network"),
#undef FILE_OF
    };
    static const char *const names[] = {"foreign.pth", "foreign.safetensors", "foreign.h5"};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < COUNT(names); k++)
            assert_open_fails(write_bytes(names[k], cases[i].data, cases[i].bytes), NULL, NST_ERROR_FORMAT,
                              cases[i].part);
    static const char *const tars[] = {"ustar", "ustar  "}; /* POSIX's and GNU's */
    for (size_t i = 0; i < COUNT(tars); i++) {
        unsigned char tar[1024] = "sys_info";
        memcpy(tar + 257, tars[i], strlen(tars[i]));
        assert_open_fails(write_bytes("old.pth", tar, sizeof tar), NULL, NST_ERROR_FORMAT, "is a tar file");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_johnson),
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_module_names),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_empty_tensors),
        cmocka_unit_test(test_same_name_twice),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_empty_in_safetensors),
        cmocka_unit_test(test_foreign_files),
    };
    return cmocka_run_group_tests_name("weights.variants", tests, set_up, remove_temporary_folder);
}
