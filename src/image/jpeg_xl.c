/* jpeg_xl.c: JPEG XL files through libjxl, which are read only. libjxl turns the picture as the file says, and tells what
 * its values mean by an ICC profile. */
#include "image/codec.h"
#include "image/picture.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

#include <jxl/decode.h>

#define MOST_BOX_BYTES ((size_t)16 << 20)

/* What reading one file holds. */
struct jxl_reader {
    const struct picture_source *source;
    JxlDecoder *decoder;
    JxlBasicInfo info;
    bool has_image;
    JxlBoxType box; /* the one in hand: "Exif", "xml " */
    unsigned char *box_data;
    size_t box_bytes; /* that it has room for */
};

static nst_status fail_damaged(const struct picture_source *source, const char *why, nst_error *error) {
    return fail(error, NST_ERROR_FORMAT, "%s is a damaged JPEG XL picture: %s", source->path, why);
}

static JxlPixelFormat pixel_format(const struct jxl_reader *reader) {
    return (JxlPixelFormat){reader->info.alpha_bits > 0 ? 4 : 3, JXL_TYPE_FLOAT, JXL_NATIVE_ENDIAN, 0};
}

/* ---- Events ---------------------------------------------------------------------------------------------------- */

static nst_status take_info(struct jxl_reader *reader, struct decoded *decoded, nst_error *error) {
    if (JxlDecoderGetBasicInfo(reader->decoder, &reader->info) != JXL_DEC_SUCCESS) {
        return fail_damaged(reader->source, "its header cannot be read", error);
    }
    decoded->model = reader->info.num_color_channels == 1 ? COLOR_GRAY : COLOR_RGB;
    decoded->is_upright = true;
    decoded->colors_are_told = true;
    if (reader->info.have_animation) {
        remark(reader->source->note, "%s is an animation: its first picture is used", reader->source->path);
    }
    return picture_check_header(reader->source->path, reader->info.xsize, reader->info.ysize, error);
}

static nst_status take_profile(struct jxl_reader *reader, struct decoded *decoded, nst_error *error) {
    size_t bytes = 0;
    JxlPixelFormat format = pixel_format(reader);
    (void)format; /* later versions do without */
#if JPEGXL_NUMERIC_VERSION >= JPEGXL_COMPUTE_NUMERIC_VERSION(0, 9, 0)
#define GET(function, ...) function(reader->decoder, JXL_COLOR_PROFILE_TARGET_DATA, __VA_ARGS__)
#else
#define GET(function, ...) function(reader->decoder, &format, JXL_COLOR_PROFILE_TARGET_DATA, __VA_ARGS__)
#endif
    if (GET(JxlDecoderGetICCProfileSize, &bytes) != JXL_DEC_SUCCESS || bytes == 0) {
        return NST_OK;
    }
    unsigned char *data = malloc(bytes);
    if (!data) {
        return fail_memory(error, bytes, "the color profile of a picture");
    }
    if (GET(JxlDecoderGetColorAsICCProfile, data, bytes) == JXL_DEC_SUCCESS) {
        decoded_set_profile(decoded, data, bytes);
    }
#undef GET
    free(data);
    return NST_OK;
}

static nst_status give_buffer(struct jxl_reader *reader, struct decoded *decoded, nst_error *error) {
    JxlPixelFormat format = pixel_format(reader);
    size_t bytes = 0;
    nst_picture_free(&decoded->picture);
    nst_status status = picture_create((int)reader->info.xsize, (int)reader->info.ysize, (int)format.num_channels,
                                       &decoded->picture, error);
    if (status) {
        return status;
    }
    size_t size = (size_t)reader->info.xsize * reader->info.ysize * format.num_channels * sizeof(float);
    if (JxlDecoderImageOutBufferSize(reader->decoder, &format, &bytes) != JXL_DEC_SUCCESS || bytes != size ||
        JxlDecoderSetImageOutBuffer(reader->decoder, &format, decoded->picture.values, bytes) != JXL_DEC_SUCCESS) {
        return fail_damaged(reader->source, "its rows cannot be decoded", error);
    }
    return NST_OK;
}

/* ---- Boxes ----------------------------------------------------------------------------------------------------- */

/* The box in hand is complete: EXIF begins with an offset of four bytes to its TIFF header. */
static void end_box(struct jxl_reader *reader, struct decoded *decoded) {
    if (!reader->box_data) {
        return;
    }
    size_t bytes = reader->box_bytes - JxlDecoderReleaseBoxBuffer(reader->decoder);
    size_t skipped = memcmp(reader->box, "Exif", 4) == 0 ? 4 : 0;
    if (bytes > skipped) {
        decoded_add_metadata(decoded, reader->box_data + skipped, bytes - skipped);
    }
    free(reader->box_data);
    reader->box_data = NULL;
}

static nst_status grow_box(struct jxl_reader *reader, size_t used, nst_error *error) {
    size_t bytes = used + (used < 65536 ? 65536 : used);
    if (bytes > MOST_BOX_BYTES) {
        return fail_damaged(reader->source, "its metadata are too long", error);
    }
    unsigned char *larger = realloc(reader->box_data, bytes);
    if (!larger) {
        return fail_memory(error, bytes, "what is kept with a picture");
    }
    reader->box_data = larger;
    reader->box_bytes = bytes;
    JxlDecoderSetBoxBuffer(reader->decoder, larger + used, bytes - used);
    return NST_OK;
}

static nst_status begin_box(struct jxl_reader *reader, struct decoded *decoded, nst_error *error) {
    end_box(reader, decoded);
    if (JxlDecoderGetBoxType(reader->decoder, reader->box, JXL_TRUE) != JXL_DEC_SUCCESS ||
        (memcmp(reader->box, "Exif", 4) != 0 && memcmp(reader->box, "xml ", 4) != 0)) {
        return NST_OK;
    }
    return grow_box(reader, 0, error);
}

static nst_status continue_box(struct jxl_reader *reader, nst_error *error) {
    size_t unused = JxlDecoderReleaseBoxBuffer(reader->decoder);
    return grow_box(reader, reader->box_bytes - unused, error);
}

/* ---- The loop -------------------------------------------------------------------------------------------------- */

/* `*is_done` is set when no more is wanted. */
static nst_status take_event(struct jxl_reader *reader, JxlDecoderStatus event, struct decoded *decoded, bool *is_done,
                             nst_error *error) {
    switch (event) {
    case JXL_DEC_BASIC_INFO:
        return take_info(reader, decoded, error);
    case JXL_DEC_COLOR_ENCODING:
        return take_profile(reader, decoded, error);
    case JXL_DEC_NEED_IMAGE_OUT_BUFFER:
        return give_buffer(reader, decoded, error);
    case JXL_DEC_BOX:
        return begin_box(reader, decoded, error);
    case JXL_DEC_BOX_NEED_MORE_OUTPUT:
        return continue_box(reader, error);
    case JXL_DEC_FULL_IMAGE:
        reader->has_image = true;
        *is_done = reader->info.have_animation;
        return NST_OK;
    case JXL_DEC_SUCCESS:
        end_box(reader, decoded);
        *is_done = true;
        return reader->has_image ? NST_OK : fail_damaged(reader->source, "it has no picture", error);
    default:
        if (!reader->has_image) {
            return fail_damaged(reader->source,
                                event == JXL_DEC_NEED_MORE_INPUT ? "the file ends too early" : "it cannot be decoded",
                                error);
        }
        remark(reader->source->note, "%s is damaged behind its last row", reader->source->path);
        *is_done = true;
        return NST_OK;
    }
}

static nst_status decode(struct jxl_reader *reader, struct decoded *decoded, nst_error *error) {
    const int events = JXL_DEC_BASIC_INFO | JXL_DEC_COLOR_ENCODING | JXL_DEC_FULL_IMAGE | JXL_DEC_BOX;
    if (!reader->decoder || JxlDecoderSubscribeEvents(reader->decoder, events) != JXL_DEC_SUCCESS ||
        JxlDecoderSetInput(reader->decoder, reader->source->data, reader->source->bytes) != JXL_DEC_SUCCESS) {
        return fail(error, NST_ERROR_MEMORY, "not enough memory to read %s", reader->source->path);
    }
    JxlDecoderSetDecompressBoxes(reader->decoder, JXL_TRUE);
    JxlDecoderCloseInput(reader->decoder);
    bool is_done = false;
    nst_status status = NST_OK;
    while (!status && !is_done) {
        status = take_event(reader, JxlDecoderProcessInput(reader->decoder), decoded, &is_done, error);
    }
    if (!status) {
        decoded_normalize(decoded, reader->info.alpha_premultiplied);
    }
    return status;
}

static nst_status read_jpeg_xl(const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    struct jxl_reader reader = {.source = source, .decoder = JxlDecoderCreate(NULL)};
    nst_status status = decode(&reader, decoded, error);
    JxlDecoderDestroy(reader.decoder);
    free(reader.box_data);
    if (status) {
        decoded_free(decoded);
    }
    return status;
}

const struct codec codec_jpeg_xl = {
    .name = "JPEG XL",
    .signatures = {{0, 2, "\xff\x0a"}, {4, 4, "JXL "}},
    .read = read_jpeg_xl,
};
