/* Suite weights.keras: HDF5 files in the structure of those that Keras writes, made with libhdf5 itself. */
#include "files.h"
#include "weights/tensors.h"
#include "weights/tools.h"
#include <fcntl.h>
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first two convolutions of VGG. */
static const int channels[] = {3, 64, 64};

/* The weight from channel `in` to channel `out` at (y, x) of a convolution. */
static float weight(int convolution, int y, int x, int in, int out) {
    return (float)(convolution * 1000 + y * 300 + x * 100 + in) / 64 + (float)out / 4096;
}

/* What a file is written like: names with two numbers (of block and convolution, twice), and how values are stored. */
struct keras_file {
    const char *root, *kernel, *bias;
    hid_t type;
    bool chunked;
};

static void write_dataset(hid_t file, const struct keras_file *kind, const char *name, int dimensions,
                          const hsize_t *shape, const float *values) {
    hid_t space = H5Screate_simple(dimensions, shape, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    if (kind->chunked)
        H5Pset_chunk(creation, dimensions, shape);
    hid_t dataset = H5Dcreate2(file, name, kind->type, space, links, creation, H5P_DEFAULT);
    assert_true(dataset >= 0);
    if (values != NULL)
        assert_true(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Pclose(links);
    H5Pclose(creation);
    H5Sclose(space);
}

static hid_t create_file(const char *path) {
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static const char *write_keras(const char *name, const struct keras_file *kind) {
    static float values[9 * 64 * 64];
    const char *path = temporary_path(name);
    hid_t file = create_file(path);
    for (int i = 0; i < 2; i++) {
        char text[200], number[24];
        int in = channels[i], out = channels[i + 1], place = 0;
        snprintf(number, sizeof number, "block1_conv%d", i + 1);
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 3; x++)
                for (int c = 0; c < in; c++)
                    for (int d = 0; d < out; d++)
                        values[place++] = weight(i, y, x, c, d);
        snprintf(text, sizeof text, "%s%s/%s%s", kind->root, number, kind->kernel[0] == '_' ? number : "",
                 kind->kernel);
        write_dataset(file, kind, text, 4, (hsize_t[]){3, 3, (hsize_t)in, (hsize_t)out}, values);
        for (int d = 0; d < out; d++)
            values[d] = (float)d / 8 - (float)i;
        snprintf(text, sizeof text, "%s%s/%s%s", kind->root, number, kind->bias[0] == '_' ? number : "", kind->bias);
        write_dataset(file, kind, text, 1, (hsize_t[]){(hsize_t)out}, values);
    }
    H5Fclose(file);
    return path;
}

static void check_layer(const struct layer *layer, int convolution) {
    assert_int_equal(layer->in_channels, channels[convolution]);
    assert_int_equal(layer->out_channels, channels[convolution + 1]);
    const float *found = layer->weights;
    for (int d = 0; d < layer->out_channels; d++) {
        for (int c = 0; c < layer->in_channels; c++)
            for (int y = 0; y < 3; y++)
                for (int x = 0; x < 3; x++)
                    assert_true(*found++ == weight(convolution, y, x, c, d));
        assert_true(layer->bias[d] == (float)d / 8 - (float)convolution);
    }
}

static const nst_network_options caffe = {.input_convention = "caffe"};

static int count_descriptors(void) {
    int count = 0;
    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static void test_names(void **state) {
    const struct keras_file kinds[] = {
        {"", "_W_1:0", "_b_1:0", H5T_IEEE_F32LE, false}, /* the file of keras-applications */
        {"", "kernel:0", "bias:0", H5T_IEEE_F32LE, false},
        {"model_weights/", "kernel:0", "bias:0", H5T_IEEE_F64LE, false},
    };
    (void)state;
    int before = count_descriptors();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        nst_network *network = open_network(write_keras("vgg.h5", &kinds[i]), &caffe);
        assert_int_equal(network->layer_count, 4);
        check_layer(&network->layers[0], 0);
        check_layer(&network->layers[2], 1);
        nst_network_destroy(network);
    }
    assert_open_fails(temporary_path("vgg.h5"), NULL, NST_ERROR_NETWORK, "--input-convention caffe");
    assert_int_equal(count_descriptors(), before); /* no file, no end of a pipe is left open */
}

/* As save_weights names them: the layer's group within itself. */
static void test_nested_names(void **state) {
    const struct keras_file kind = {"", "_W_1:0", "_b_1:0", H5T_IEEE_F32LE, false};
    (void)state;
    hid_t file = H5Fopen(write_keras("nested.h5", &kind), H5F_ACC_RDWR, H5P_DEFAULT);
    for (int i = 1; i <= 2; i++)
        for (int bias = 0; bias < 2; bias++) {
            char from[80], to[80];
            snprintf(from, sizeof from, "block1_conv%d/block1_conv%d_%s_1:0", i, i, bias ? "b" : "W");
            snprintf(to, sizeof to, "block1_conv%d/block1_conv%d/%s:0", i, i, bias ? "bias" : "kernel");
            hid_t links = H5Pcreate(H5P_LINK_CREATE);
            H5Pset_create_intermediate_group(links, 1);
            assert_true(H5Lmove(file, from, file, to, links, H5P_DEFAULT) >= 0);
            H5Pclose(links);
        }
    H5Fclose(file);
    nst_network *network = open_network(temporary_path("nested.h5"), &caffe);
    check_layer(&network->layers[2], 1);
    nst_network_destroy(network);
}

static void test_conversion(void **state) {
    const struct keras_file kind = {"", "_W_1:0", "_b_1:0", H5T_IEEE_F32LE, false};
    struct weights_conversion conversion;
    const char *out = temporary_path("converted.safetensors");
    (void)state;
    assert_int_equal(weights_convert(write_keras("vgg.h5", &kind), out, &caffe, WEIGHTS_LOSSLESS, &conversion, NULL),
                     NST_OK);
    nst_network *network = open_network(out, NULL);
    check_layer(&network->layers[0], 0);
    check_layer(&network->layers[2], 1);
    nst_network_destroy(network);
}

static void test_refused(void **state) {
    const struct keras_file good = {"", "_W_1:0", "_b_1:0", H5T_IEEE_F32LE, false};
    const struct keras_file chunked = {"", "_W_1:0", "_b_1:0", H5T_IEEE_F32LE, true};
    const struct keras_file big_endian = {"", "_W_1:0", "_b_1:0", H5T_IEEE_F32BE, false};
    (void)state;
    assert_open_fails(write_keras("chunked.h5", &chunked), &caffe, NST_ERROR_FORMAT, "save it without compression");
    assert_open_fails(write_keras("big.h5", &big_endian), &caffe, NST_ERROR_NETWORK, "0 tensors");
    const char *path = write_keras("cut.h5", &good);
    for (off_t bytes = 150000; bytes > 8; bytes = bytes * 2 / 3) {
        assert_int_equal(truncate(path, bytes), 0);
        assert_open_fails(path, &caffe, NST_ERROR_FORMAT, "truncated");
    }
    /* Values that were never written, as when a disk was full. */
    hid_t file = create_file(temporary_path("empty.h5"));
    write_dataset(file, &good, "block1_conv1/block1_conv1_W_1:0", 4, (hsize_t[]){3, 3, 3, 64}, NULL);
    H5Fclose(file);
    assert_open_fails(temporary_path("empty.h5"), &caffe, NST_ERROR_FORMAT, "missing");
}

/* Groups in groups, a group that holds itself, links to elsewhere: not followed, or not far. */
static void test_hostile(void **state) {
    (void)state;
    hid_t file = create_file(temporary_path("deep.h5"));
    hid_t group = H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Lcreate_hard(file, "a", group, "itself", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_hard(file, "a", group, "again", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_external("/etc/passwd", "/", group, "elsewhere", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_soft("/nowhere", group, "dangling", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    hid_t inner = group;
    for (int i = 0; i < 200; i++) {
        hid_t next = H5Gcreate2(inner, "b", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(inner);
        inner = next;
    }
    H5Gclose(inner);
    H5Fclose(file);
    assert_open_fails(temporary_path("deep.h5"), &caffe, NST_ERROR_NETWORK, "0 tensors");
}

/* Every byte of a small file damaged in turn: refused with one line, or read, whatever libhdf5 makes of it. Some bring
 * it down. */
static void test_damage(void **state) {
    static unsigned char data[16384];
    (void)state;
    hid_t file = create_file(temporary_path("small.h5"));
    const struct keras_file kind = {"", "_W_1:0", "_b_1:0", H5T_IEEE_F32LE, false};
    float values[16] = {0};
    write_dataset(file, &kind, "block1_conv1/block1_conv1_b_1:0", 1, (hsize_t[]){16}, values);
    H5Fclose(file);
    FILE *stream = fopen(temporary_path("small.h5"), "rb");
    assert_non_null(stream);
    size_t bytes = fread(data, 1, sizeof data, stream), refused = 0;
    fclose(stream);
    for (size_t i = 8; i < bytes; i += i < 2400 ? 3 : 61) {
        struct tensor_list list;
        nst_error error = {NST_OK, ""};
        data[i] ^= 0xff;
        nst_status status = tensor_list_open(write_bytes("damaged.h5", data, bytes), &list, &error);
        data[i] ^= 0xff;
        assert_int_equal(status == NST_OK, error.message[0] == 0);
        refused += status != NST_OK;
        if (status == NST_OK)
            tensor_list_close(&list);
    }
    assert_true(refused > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_nested_names), cmocka_unit_test(test_conversion),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_hostile),      cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests_name("weights.keras", tests, make_temporary_folder, remove_temporary_folder);
}
