/* fuzz_picture.c: a picture file, PNG or JPEG by READ. */
#include "image/codec.h"

#define MOST_PIXELS (1u << 18) /* larger pictures only take longer */

static uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Whether the header promises more pixels than are worth the time; what it says is checked by what is tested. */
static bool is_large(const uint8_t *data, size_t bytes) {
    if (bytes > 24 && data[0] == 0x89)
        return (uint64_t)big_endian(data + 16) * big_endian(data + 20) > MOST_PIXELS;
    for (size_t i = 0; i + 9 < bytes; i++) /* a frame header: ff c0 to ff cf, length, depth, height, width */
        if (data[i] == 0xff && data[i + 1] >= 0xc0 && data[i + 1] <= 0xcf &&
            (uint32_t)(data[i + 5] << 8 | data[i + 6]) * (uint32_t)(data[i + 7] << 8 | data[i + 8]) > MOST_PIXELS)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    nst_note note = {""};
    struct picture_source source = {"file", data, bytes, &note};
    nst_picture picture = {0};
    nst_picture_metadata metadata = {0};
    nst_error error;
    if (bytes == 0 || is_large(data, bytes))
        return 0;
    if (codec_read(&READ, &source, &picture, &metadata, &error) == NST_OK)
        nst_picture_free(&picture);
    nst_picture_metadata_free(&metadata);
    return 0;
}
