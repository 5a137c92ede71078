/* Suite weights.known: what is known without being told: VGG-16 and VGG-19, recognized whole by their places and by their
 * names (by which the one is the other with gaps), with the layers that the paper and torchvision give them; and files,
 * by their checksums. */
#include "files.h"
#include "weights/architecture.h"
#include <stdlib.h>
#include <string.h>

struct whole {
    const char *name;
    int count, features[16]; /* the places of the convolutions among torchvision's features */
    const char *last;
};

/* torchvision/models/vgg.py, configurations E and D: the places of Conv2d in the nn.Sequential that make_layers makes. */
static const struct whole wholes[] = {
    {"vgg19", 16, {0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34}, "conv5_4"},
    {"vgg16", 13, {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28}, "conv5_3"},
};

/* Writes a file whose tensors have the right names, and one byte each. */
static const char *write_names(const struct whole *whole, bool by_features) {
    char header[4096] = "{";
    int place = 0, block = 1, in_block = 0;
    for (int i = 0; i < whole->count; i++) {
        bool pooled = i > 0 && whole->features[i] - whole->features[i - 1] == 3; /* a ReLU and a pooling between */
        block += pooled;
        in_block = pooled ? 1 : in_block + 1;
        char name[32];
        if (by_features)
            snprintf(name, sizeof name, "features.%d", whole->features[i]);
        else
            snprintf(name, sizeof name, "conv%d_%d", block, in_block);
        size_t used = strlen(header);
        snprintf(header + used, sizeof header - used,
                 "%s\"%s.weight\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i == 0 ? "" : ",", name,
                 place, place + 1);
        place++;
    }
    strcat(header, "}");
    return write_safetensors("names.safetensors", header, NULL, (size_t)place);
}

static void check_whole(const struct whole *whole, bool by_features) {
    static const int channels[] = {64, 128, 256, 512, 512};
    struct tensor_list list;
    struct description description = {0};
    nst_error error;
    if (tensor_list_open(write_names(whole, by_features), &list, &error) != NST_OK ||
        architecture_recognize(&list, &description, &error) != NST_OK)
        fail_msg("%s", error.message);
    assert_string_equal(description.architecture, whole->name);
    assert_int_equal(description.layer_count, 2 * whole->count + 5);
    assert_int_equal(description.present_layers, description.layer_count);
    for (int i = 0; i < whole->count; i++) {
        const struct described_layer *layer = &description.layers[whole->features[i]];
        assert_int_equal(layer->kind, LAYER_CONVOLUTION);
        assert_int_equal(layer->kernel_size, 3);
        assert_int_equal(layer->padding, 1);
        assert_true(layer->has_bias);
        assert_int_equal(layer->channels, channels[layer->name[4] - '1']);
        assert_int_equal(layer[1].kind, LAYER_RELU);
        assert_non_null(convolution_tensor(&list, &description, layer));
    }
    assert_string_equal(description.layers[whole->features[whole->count - 1]].name, whole->last);
    assert_string_equal(description.layers[description.layer_count - 1].name, "pool5");
    free(description.layers);
    tensor_list_close(&list);
}

static void test_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        check_whole(&wholes[i], true);
        check_whole(&wholes[i], false);
    }
}

/* A file whose sha256 begins as that of vgg19-dcbb9e9d.pth, for which its bias was chosen: what is known about that one
 * stands in for what this one does not tell. */
static void test_known_file(void **state) {
    static const uint32_t data[8] = {0, 0, 0, 0, 0, 0, 0x3f046309, 0x3f00dd40};
    (void)state;
    nst_network *network =
        open_network(write_safetensors("anyname.safetensors",
                                       "{\"__metadata__\":{\"nst.network\":\"{\\\"format\\\":1,\\\"layers\\\":"
                                       "[{\\\"convolution\\\":\\\"c\\\",\\\"kernel\\\":1}]}\"},"
                                       "\"c.weight\":{\"dtype\":\"F32\",\"shape\":[2,3,1,1],\"data_offsets\":[0,24]},"
                                       "\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}}",
                                       data, sizeof data),
                     NULL);
    assert_int_equal(strncmp(nst_network_sha256(network), "dcbb9e9d", 8), 0);
    assert_string_equal(nst_network_name(network), "vgg19-torchvision");
    assert_string_equal(network->input.name, "torchvision");
    assert_string_equal(network->origin, "torchvision, trained anew on ImageNet; vgg19-dcbb9e9d.pth");
    assert_string_equal(network->license, "BSD 3-Clause (torchvision)");
    nst_network_destroy(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_known_file)};
    return cmocka_run_group_tests_name("weights.known", tests, make_temporary_folder, remove_temporary_folder);
}
