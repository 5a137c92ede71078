/* foreign.c: see foreign.h. */
#include "weights/foreign.h"
#include <string.h>

/* The texts are compared without regard to case, behind a byte order mark and white space. */
static const struct {
    const char *start, *kind;
} texts[] = {
    {"version https://git-lfs.github.com/", "a Git LFS pointer, not the network itself; get that with git lfs pull"},
    {"<!doctype html", "a web page, not a network; the download went wrong, get it again"},
    {"<html", "a web page, not a network; the download went wrong, get it again"},
    {"<?xml", "an XML text, such as a server's error, not a network; get it again"},
    {"{", "a JSON text, not a network; give the file with the weights"},
};

static const struct {
    size_t offset, bytes;
    const char *start, *kind;
} binaries[] = {
    {257, 5, "ustar", "a tar file, as torch.save wrote until 2017; load it with PyTorch and save it again"},
    {2, 10, "VGG_ILSVRC", "a Caffe model; convert it to safetensors first"},
    {0, 8, "\4\0\0\0\1\0\0\0", "a file of Lua Torch; convert it to safetensors first"},
    {0, 6, "MATLAB", "a MATLAB file; convert it to safetensors first"},
    {0, 6, "\x93NUMPY", "a single NumPy array; put the arrays of all layers into one safetensors file"},
    {0, 4, "GGUF", "a GGUF file; convert it to safetensors first"},
    {0, 4, "\x89PNG", "a picture, not a network; give the file with the weights"},
    {0, 3, "\xff\xd8\xff", "a picture, not a network; give the file with the weights"},
    {0, 3, "\x1f\x8b\x08", "compressed with gzip; decompress it first"},
    {0, 4, "\x28\xb5\x2f\xfd", "compressed with zstd; decompress it first"},
    {0, 6,
     "\xfd"
     "7zXZ\0",
     "compressed with xz; decompress it first"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static char lower(unsigned char letter) {
    return (char)(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
}

static bool begins_with(const unsigned char *data, size_t bytes, const char *text) {
    size_t i = 0;
    while (text[i] != 0 && i < bytes && lower(data[i]) == text[i]) {
        i++;
    }
    return text[i] == 0;
}

/* Behind a byte order mark of UTF-8 and white space. */
static size_t skip_blank(const unsigned char *data, size_t bytes) {
    size_t at = bytes >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < bytes && data[at] != 0 && strchr(" \t\r\n", data[at]) != NULL) {
        at++;
    }
    return at;
}

const char *foreign_kind(const unsigned char *start, size_t bytes) {
    size_t blank = skip_blank(start, bytes);
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (begins_with(start + blank, bytes - blank, texts[i].start)) {
            return texts[i].kind;
        }
    }
    for (size_t i = 0; i < COUNT(binaries); i++) {
        if (bytes >= binaries[i].offset + binaries[i].bytes &&
            memcmp(start + binaries[i].offset, binaries[i].start, binaries[i].bytes) == 0) {
            return binaries[i].kind;
        }
    }
    if (bytes >= 2 && start[0] == 0x80 && start[1] >= 2 && start[1] <= 5) {
        return "a Python pickle that torch.save did not write; save it with torch.save or as safetensors";
    }
    return NULL;
}
