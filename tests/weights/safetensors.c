/* Suite weights.safetensors: the reader and the writer of safetensors, on good and on damaged files. */
#include "weights/safetensors.h"
#include "files.h"
#include <stdlib.h>
#include <string.h>

/* A network of one 1x1 convolution from 3 to 2 channels. */
#define DESCRIPTION                                                                                                    \
    "\"__metadata__\":{\"nst.network\":\"{\\\"format\\\":1,\\\"input\\\":\\\"caffe\\\",\\\"layers\\\":["               \
    "{\\\"convolution\\\":\\\"c\\\",\\\"kernel\\\":1}]}\"}"
#define BIAS   "\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define WEIGHT "\"c.weight\":{\"dtype\":\"F32\",\"shape\":[2,3,1,1],\"data_offsets\":[8,32]}"

static void test_good_file(void **state) {
    float data[8] = {0.5f, -1, 1, 2, 3, 4, 5, 6};
    struct tensor_list list;
    nst_error error = {NST_OK, ""};
    (void)state;
    const char *path = write_safetensors("good.safetensors", "{" DESCRIPTION "," WEIGHT "," BIAS "}", data, 32);
    assert_int_equal(tensor_list_open(path, &list, &error), NST_OK);
    assert_int_equal(list.count, 2);
    const struct tensor *weight = tensor_find(&list, "c.weight");
    assert_non_null(weight);
    assert_null(tensor_find(&list, "c.weights"));
    assert_int_equal(weight->count, 6);
    float *values;
    assert_int_equal(tensor_read(&list, weight, &values, &error), NST_OK);
    assert_memory_equal(values, data + 2, 24);
    free(values);
    tensor_list_close(&list);

    nst_network *network;
    assert_int_equal(nst_network_open(path, NULL, &network, &error), NST_OK);
    nst_network_destroy(network);
}

static void test_types(void **state) {
    static const struct {
        const char *type;
        size_t bytes;
        unsigned char data[8];
        float value;
    } cases[] = {
        {"F64", 8, {0, 0, 0, 0, 0, 0, 0xf8, 0xbf}, -1.5f},
        {"F32", 4, {0, 0, 0xc0, 0x3f}, 1.5f},
        {"F16", 2, {0x00, 0x3e}, 1.5f},
        {"F16", 2, {0x01, 0x80}, -5.9604644775390625e-8f}, /* the smallest subnormal */
        {"F16", 2, {0xff, 0x7b}, 65504},
        {"BF16", 2, {0xc0, 0xbf}, -1.5f},
        {"I64", 8, {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -2},
        {"I32", 4, {0xfd, 0xff, 0xff, 0xff}, -3},
        {"I16", 2, {0xfc, 0xff}, -4},
        {"I8", 1, {0xfb}, -5},
        {"U8", 1, {0xfb}, 251},
        {"BOOL", 1, {1}, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[128];
        struct tensor_list list;
        nst_error error = {NST_OK, ""};
        float *value;
        snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[],\"data_offsets\":[0,%zu]}}",
                 cases[i].type, cases[i].bytes);
        const char *path = write_safetensors("type.safetensors", header, cases[i].data, cases[i].bytes);
        assert_int_equal(tensor_list_open(path, &list, &error), NST_OK);
        assert_int_equal(tensor_read(&list, tensor_find(&list, "x"), &value, &error), NST_OK);
        assert_true(*value == cases[i].value);
        free(value);
        tensor_list_close(&list);
    }
}

/* Headers that must be refused, each followed by 32 bytes of data, and what the message must say. */
static void test_bad_headers(void **state) {
    static const struct {
        const char *header, *part;
    } cases[] = {
        {"{", "not valid JSON"},
        {"{} x", "not valid JSON"},
        {"{\"c.bias\":3}", "c.bias"},
        {"{" BIAS "," BIAS "," WEIGHT "}", "not valid JSON: duplicate"},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[32],\"data_offsets\":[0,32]}}", "the type \"F8_E4M3\""},
        {"{\"a\":{\"dtype\":7,\"shape\":[32],\"data_offsets\":[0,32]}}", "the tensor a has the type"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":32,\"data_offsets\":[0,32]}}", "the shape of the tensor a"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-32],\"data_offsets\":[0,32]}}", "whole numbers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.5],\"data_offsets\":[0,32]}}", "whole numbers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,32],\"data_offsets\":[0,32]}}", "at most 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,0]}}", "large"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1152921504606846976],\"data_offsets\":[0,0]}}", "by its shape"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[99999999999999999999],\"data_offsets\":[0,32]}}", "not valid JSON"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[7],\"data_offsets\":[0,32]}}", "takes 28 bytes by its shape, but 32"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[32],\"data_offsets\":[32,0]}}", "not two ascending numbers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[32],\"data_offsets\":[-32,0]}}", "not two ascending numbers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[32],\"data_offsets\":[0]}}", "not two ascending numbers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[33],\"data_offsets\":[0,33]}}", "truncated"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[20],\"data_offsets\":[0,20]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[20],\"data_offsets\":[12,32]}}",
         "the tensor b overlaps a"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[10],\"data_offsets\":[0,10]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[10],\"data_offsets\":[22,32]}}",
         "belong to none"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[31],\"data_offsets\":[0,31]}}", "belong to none"},
        {"{\"\":{\"dtype\":\"U8\",\"shape\":[32],\"data_offsets\":[0,32]}}", "is empty"},
        {"{\"a\\nb\":{\"dtype\":\"U8\",\"shape\":[32],\"data_offsets\":[0,32]}}", "a?b"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[32],\"data_offsets\":[0,32]}}", "not named as those of a network"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_open_fails(write_safetensors("bad.safetensors", cases[i].header, NULL, 32), NULL, NST_OK, cases[i].part);
}

static void test_deep_header(void **state) {
    enum { DEPTH = 100000 };
    char *header = malloc(DEPTH + 6);
    (void)state;
    assert_non_null(header);
    memcpy(header, "{\"a\":", 5);
    memset(header + 5, '[', DEPTH);
    header[DEPTH + 5] = 0;
    assert_open_fails(write_safetensors("deep.safetensors", header, NULL, 0), NULL, NST_ERROR_FORMAT, "not valid JSON");
    free(header);
}

static void test_bad_files(void **state) {
    static const unsigned char huge[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, '{'};
    static const unsigned char longer[16] = {200, 0, 0, 0, 0, 0, 0, 0, '{'};
    (void)state;
    assert_open_fails(temporary_path("missing.safetensors"), NULL, NST_ERROR_FILE, "No such file");
    assert_open_fails(temporary_path("."), NULL, NST_ERROR_FILE, "folder");
    assert_open_fails(write_text("empty.safetensors", ""), NULL, NST_ERROR_FORMAT, "is empty");
    assert_open_fails(write_text("text.safetensors", "hello, this is no network"), NULL, NST_ERROR_FORMAT,
                      "is not a network");
    assert_open_fails(write_text("json.safetensors", "// ~ ~~~{\"text\": true, \"header\": false}"), NULL,
                      NST_ERROR_FORMAT, "is not a network");
    assert_open_fails(write_bytes("huge.safetensors", huge, sizeof huge), NULL, NST_ERROR_FORMAT, "header of");
    assert_open_fails(write_bytes("longer.safetensors", longer, sizeof longer), NULL, NST_ERROR_FORMAT, "truncated");
    assert_open_fails("/dev/null.d/x", NULL, NST_ERROR_FILE, "cannot open");
}

/* Every truncation must be refused; every flipped bit must be refused or read, without a fault (sanitizers watch). */
static void test_damage(void **state) {
    static const char header[] = "{" DESCRIPTION "," WEIGHT "," BIAS "}";
    unsigned char file[sizeof header + 64] = {sizeof header - 1};
    size_t bytes = 8 + sizeof header - 1 + 32, accepted = 0;
    (void)state;
    memcpy(file + 8, header, sizeof header - 1);
    for (size_t length = 0; length < bytes; length++)
        assert_open_fails(write_bytes("cut.safetensors", file, length), NULL, NST_ERROR_FORMAT, "cut.safetensors");
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        nst_network *network;
        file[bit / 8] ^= (unsigned char)(1 << bit % 8);
        accepted += nst_network_open(write_bytes("flip.safetensors", file, bytes), NULL, &network, NULL) == NST_OK;
        nst_network_destroy(network);
        file[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(accepted >= 200); /* the bits of the values that do not make them infinite */
    assert_true(accepted < 8 * bytes / 2);
}

static void test_not_finite(void **state) {
    unsigned char data[32] = {0};
    (void)state;
    data[8 + 10] = 0xc0; /* the third weight becomes NaN, the bias infinite */
    data[8 + 11] = 0x7f;
    assert_open_fails(write_safetensors("nan.safetensors", "{" DESCRIPTION "," WEIGHT "," BIAS "}", data, 32), NULL,
                      NST_ERROR_FORMAT, "c.weight holds values that are not finite");
    data[8 + 10] = data[8 + 11] = 0;
    data[6] = 0x80;
    data[7] = 0xff;
    assert_open_fails(write_safetensors("inf.safetensors", "{" DESCRIPTION "," WEIGHT "," BIAS "}", data, 32), NULL,
                      NST_ERROR_FORMAT, "c.bias holds values that are not finite");
}

static void test_writer(void **state) {
    float values[6] = {0, -0.0f, 1e-38f, 3.5f, -2, 1};
    unsigned char codes[3] = {7, 0, 255};
    struct safetensors_item items[2] = {{"a", TENSOR_F32, 2, {2, 3, 0, 0}, values},
                                        {"b", TENSOR_U8, 1, {3, 0, 0, 0}, codes}};
    json_t *metadata = json_pack("{s:s}", "key", "value");
    struct tensor_list list;
    nst_error error = {NST_OK, ""};
    float *read;
    (void)state;
    const char *path = temporary_path("written.safetensors");
    assert_int_equal(safetensors_write(path, items, 2, metadata, &error), NST_OK);
    json_decref(metadata);
    assert_int_equal(tensor_list_open(path, &list, &error), NST_OK);
    assert_string_equal(json_string_value(json_object_get(list.metadata, "key")), "value");
    assert_int_equal(tensor_find(&list, "a")->offset_bytes % 8, 0);
    assert_int_equal(tensor_read(&list, tensor_find(&list, "a"), &read, &error), NST_OK);
    assert_memory_equal(read, values, sizeof values);
    free(read);
    assert_int_equal(tensor_read(&list, tensor_find(&list, "b"), &read, &error), NST_OK);
    assert_true(read[0] == 7 && read[1] == 0 && read[2] == 255);
    free(read);
    tensor_list_close(&list);
    assert_int_equal(safetensors_write(temporary_path("no/such/folder.safetensors"), items, 2, NULL, &error),
                     NST_ERROR_FILE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_file),   cmocka_unit_test(test_types),     cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_deep_header), cmocka_unit_test(test_bad_files), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_not_finite),  cmocka_unit_test(test_writer),
    };
    return cmocka_run_group_tests_name("weights.safetensors", tests, make_temporary_folder, remove_temporary_folder);
}
