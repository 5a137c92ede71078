/* metadata.c: see metadata.h. */
#include "image/metadata.h"
#include "image/color_profile.h"
#include "image/exif.h"
#include "image/orientation.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

void nst_picture_metadata_free(nst_picture_metadata *metadata) {
    if (!metadata) {
        return;
    }
    free(metadata->profile.data);
    free(metadata->exif.data);
    free(metadata->xmp.data);
    free(metadata->iptc.data);
    memset(metadata, 0, sizeof *metadata);
}

static nst_status copy_bytes(const nst_bytes *from, nst_bytes *to, nst_error *error) {
    if (!from->data || from->bytes == 0) {
        return NST_OK;
    }
    to->data = malloc(from->bytes);
    if (!to->data) {
        return fail_memory(error, from->bytes, "what is kept with a picture");
    }
    memcpy(to->data, from->data, from->bytes);
    to->bytes = from->bytes;
    return NST_OK;
}

nst_status metadata_adapt(const nst_picture_metadata *metadata, const nst_picture *result,
                          nst_picture_metadata *adapted, nst_error *error) {
    const nst_picture_metadata none = {0};
    const nst_picture_metadata *from = metadata ? metadata : &none;
    bool is_srgb = !from->profile.data;
    *adapted = none;
    nst_status status = is_srgb ? color_profile_create(&color_space_srgb, &adapted->profile, error)
                                : copy_bytes(&from->profile, &adapted->profile, error);
    status = status ? status : copy_bytes(&from->exif, &adapted->exif, error);
    status = status ? status : copy_bytes(&from->xmp, &adapted->xmp, error);
    status = status ? status : copy_bytes(&from->iptc, &adapted->iptc, error);
    if (status) {
        nst_picture_metadata_free(adapted);
        return status;
    }
    if (adapted->exif.data) {
        const struct exif_result facts = {result->width, result->height, is_srgb};
        adapted->exif.bytes = exif_adapt(adapted->exif.data, adapted->exif.bytes, &facts);
    }
    if (adapted->xmp.data) {
        orientation_reset_xmp(adapted->xmp.data, adapted->xmp.bytes);
    }
    return NST_OK;
}

nst_status metadata_wrap_iptc(const nst_bytes *iptc, nst_bytes *wrapped, nst_error *error) {
    static const unsigned char start[] = {'8', 'B', 'I', 'M', 0x04, 0x04, 0, 0};
    *wrapped = (nst_bytes){0};
    if (!iptc->data) {
        return NST_OK;
    }
    size_t bytes = sizeof start + 4 + iptc->bytes + iptc->bytes % 2;
    unsigned char *data = calloc(bytes, 1);
    if (!data) {
        return fail_memory(error, bytes, "what is kept with a picture");
    }
    memcpy(data, start, sizeof start);
    for (int i = 0; i < 4; i++) {
        data[sizeof start + (size_t)i] = (unsigned char)(iptc->bytes >> (24 - 8 * i));
    }
    memcpy(data + sizeof start + 4, iptc->data, iptc->bytes);
    *wrapped = (nst_bytes){data, bytes};
    return NST_OK;
}
