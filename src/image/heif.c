/* heif.c: HEIF and AVIF files through libheif, which are read only. libheif turns the picture as the file says, and makes
 * RGB of it; what the RGB means is told by an ICC profile or by code points. */
#include "image/code_points.h"
#include "image/codec.h"
#include "image/heif_references.h"
#include "image/picture.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

#include <libheif/heif.h>

/* What reading one file holds. */
struct heif_file {
    const struct picture_source *source;
    struct heif_context *context;
    struct heif_image_handle *handle; /* of the main picture */
    struct heif_image *image;         /* decoded */
};

static nst_status fail_damaged(const struct picture_source *source, struct heif_error why, nst_error *error) {
    char message[200];
    snprintf(message, sizeof message, "%s", why.message);
    message[strcspn(message, "\n")] = '\0'; /* some have several lines */
    if (why.code == heif_error_Memory_allocation_error) {
        return fail(error, NST_ERROR_MEMORY, "%s needs more memory than libheif may take: %s", source->path, message);
    }
    return fail(error, NST_ERROR_FORMAT, "%s is a HEIF or AVIF picture that cannot be read: %s", source->path, message);
}

static nst_status open_picture(struct heif_file *reader, nst_error *error) {
    const struct picture_source *source = reader->source;
    if (heif_is_nested_too_deep(source->data, source->bytes)) {
        return fail(error, NST_ERROR_FORMAT, "%s is a damaged HEIF or AVIF file: its picture is made of itself",
                    source->path);
    }
    reader->context = heif_context_alloc();
    if (!reader->context) {
        return fail(error, NST_ERROR_MEMORY, "not enough memory to read %s", source->path);
    }
    heif_context_set_maximum_image_size_limit(reader->context, PICTURE_MAX_SIDE_PX);
    /* 0: in this thread. A damaged file can ask for more tiles, each with a thread, than a system has threads. */
    heif_context_set_max_decoding_threads(reader->context, 0);
    struct heif_error state =
        heif_context_read_from_memory_without_copy(reader->context, source->data, source->bytes, NULL);
    if (state.code == heif_error_Ok) {
        state = heif_context_get_primary_image_handle(reader->context, &reader->handle);
    }
    if (state.code != heif_error_Ok) {
        return fail_damaged(source, state, error);
    }
    int width = heif_image_handle_get_width(reader->handle), height = heif_image_handle_get_height(reader->handle);
    int coded_width = heif_image_handle_get_ispe_width(reader->handle);
    int coded_height = heif_image_handle_get_ispe_height(reader->handle);
    /* What is coded may not be larger than the header says, but for a block of the codec. */
    const int block_px = 64;
    int coded_side = coded_width > coded_height ? coded_width : coded_height;
    if (coded_side < PICTURE_MAX_SIDE_PX - block_px) {
        heif_context_set_maximum_image_size_limit(reader->context, coded_side + block_px);
    }
    nst_status status = picture_check_header(source->path, (uint32_t)width, (uint32_t)height, error);
    return status ? status : picture_check_header(source->path, (uint32_t)coded_width, (uint32_t)coded_height, error);
}

static nst_status decode(struct heif_file *reader, struct decoded *decoded, nst_error *error) {
    bool has_alpha = heif_image_handle_has_alpha_channel(reader->handle);
    bool is_deep = heif_image_handle_get_luma_bits_per_pixel(reader->handle) > 8;
    enum heif_chroma chroma = is_deep
                                  ? has_alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE
                              : has_alpha ? heif_chroma_interleaved_RGBA
                                          : heif_chroma_interleaved_RGB;
    struct heif_error state = heif_decode_image(reader->handle, &reader->image, heif_colorspace_RGB, chroma, NULL);
    if (state.code != heif_error_Ok) {
        return fail_damaged(reader->source, state, error);
    }
    int stride = 0, channels = has_alpha ? 4 : 3;
    const uint8_t *plane = heif_image_get_plane_readonly(reader->image, heif_channel_interleaved, &stride);
    int width = heif_image_get_width(reader->image, heif_channel_interleaved);
    int height = heif_image_get_height(reader->image, heif_channel_interleaved);
    int bits = heif_image_get_bits_per_pixel_range(reader->image, heif_channel_interleaved);
    nst_status status = picture_check_header(reader->source->path, (uint32_t)width, (uint32_t)height, error);
    status = status ? status : picture_create(width, height, channels, &decoded->picture, error);
    if (status) {
        return status;
    }
    float most = (float)((1u << bits) - 1), *to = decoded->picture.values;
    for (int y = 0; y < height; y++) {
        const uint8_t *row = plane + (size_t)y * (size_t)stride;
        for (int i = 0; i < width * channels; i++) {
            *to++ = (float)(is_deep ? row[2 * i] | row[2 * i + 1] << 8 : row[i]) / most;
        }
    }
    decoded->is_upright = true;
    decoded_normalize(decoded, heif_image_handle_is_premultiplied_alpha(reader->handle));
    return NST_OK;
}

static nst_status take_profile(const struct heif_file *reader, struct decoded *decoded, nst_error *error) {
    size_t bytes = heif_image_handle_get_raw_color_profile_size(reader->handle);
    struct heif_color_profile_nclx *nclx = NULL;
    nst_status status = NST_OK;
    if (bytes > 0) {
        unsigned char *data = malloc(bytes);
        if (!data) {
            return fail_memory(error, bytes, "the color profile of a picture");
        }
        if (heif_image_handle_get_raw_color_profile(reader->handle, data).code == heif_error_Ok) {
            decoded_set_profile(decoded, data, bytes);
        }
        free(data);
    } else if (heif_image_handle_get_nclx_color_profile(reader->handle, &nclx).code == heif_error_Ok) {
        const struct code_points points = {(int)nclx->color_primaries, (int)nclx->transfer_characteristics};
        bool is_unspecified = points.primaries == 2 || points.transfer == 2;
        decoded->colors_are_told = !is_unspecified;
        if (!is_unspecified) {
            status = code_points_apply(&points, reader->source->path, decoded, reader->source->note, error);
        }
        heif_nclx_color_profile_free(nclx);
    }
    return status;
}

/* EXIF begins with an offset of four bytes to its TIFF header; XMP is a piece of another name. */
static nst_status take_metadata(const struct heif_file *reader, struct decoded *decoded, nst_error *error) {
    enum { MOST_PIECES = 16 };
    heif_item_id pieces[MOST_PIECES];
    int count = heif_image_handle_get_list_of_metadata_block_IDs(reader->handle, NULL, pieces, MOST_PIECES);
    for (int i = 0; i < count; i++) {
        size_t bytes = heif_image_handle_get_metadata_size(reader->handle, pieces[i]);
        const char *type = heif_image_handle_get_metadata_type(reader->handle, pieces[i]);
        unsigned char *data = malloc(bytes + 1);
        if (!data) {
            return fail_memory(error, bytes, "what is kept with a picture");
        }
        if (heif_image_handle_get_metadata(reader->handle, pieces[i], data).code == heif_error_Ok) {
            size_t skipped = type && strcmp(type, "Exif") == 0 && bytes > 4 ? 4 : 0;
            decoded_add_metadata(decoded, data + skipped, bytes - skipped);
        }
        free(data);
    }
    return NST_OK;
}

static nst_status read_heif(const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    struct heif_file reader = {.source = source};
    nst_status status = open_picture(&reader, error);
    status = status ? status : decode(&reader, decoded, error);
    status = status ? status : take_profile(&reader, decoded, error);
    status = status ? status : take_metadata(&reader, decoded, error);
    if (status) {
        decoded_free(decoded);
    }
    heif_image_release(reader.image);
    heif_image_handle_release(reader.handle);
    heif_context_free(reader.context);
    return status;
}

const struct codec codec_heif = {
    .name = "HEIF",
    .signatures = {{4, 7, "ftyphei"}, {4, 7, "ftyphev"}, {4, 8, "ftypmif1"}, {4, 8, "ftypmsf1"}},
    .read = read_heif,
};

const struct codec codec_avif = {
    .name = "AVIF",
    .signatures = {{4, 7, "ftypavi"}},
    .read = read_heif,
};
