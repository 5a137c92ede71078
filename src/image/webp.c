/* webp.c: WebP files through libwebp, with libwebpdemux and libwebpmux for what lies around the picture. */
#include "image/codec.h"
#include "image/picture.h"
#include "support/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

/* ---- Reading --------------------------------------------------------------------------------------------------- */

static nst_status fail_damaged(const struct picture_source *source, const char *why, nst_error *error) {
    return fail(error, NST_ERROR_FORMAT, "%s is a damaged WebP picture: %s", source->path, why);
}

static void take_chunk(const WebPDemuxer *demuxer, const char *name, struct decoded *decoded) {
    WebPChunkIterator chunk;
    if (WebPDemuxGetChunk(demuxer, name, 1, &chunk)) {
        if (strcmp(name, "ICCP") == 0) {
            decoded_set_profile(decoded, chunk.chunk.bytes, chunk.chunk.size);
        } else {
            decoded_add_metadata(decoded, chunk.chunk.bytes, chunk.chunk.size);
        }
        WebPDemuxReleaseChunkIterator(&chunk);
    }
}

/* Bytes of red, green, blue, alpha; alpha is left out where the picture has none. */
static nst_status take_pixels(const uint8_t *pixels, int width, int height, bool has_alpha, struct decoded *decoded,
                              nst_error *error) {
    size_t channels = has_alpha ? 4 : 3, count = (size_t)width * (size_t)height;
    nst_status status = picture_create(width, height, (int)channels, &decoded->picture, error);
    for (size_t i = 0; !status && i < count; i++) {
        for (size_t channel = 0; channel < channels; channel++) {
            decoded->picture.values[i * channels + channel] = (float)pixels[4 * i + channel] / 255.0f;
        }
    }
    return status;
}

static nst_status decode_still(const struct picture_source *source, bool has_alpha, struct decoded *decoded,
                               nst_error *error) {
    int width = 0, height = 0;
    uint8_t *pixels = WebPDecodeRGBA(source->data, source->bytes, &width, &height);
    if (!pixels) {
        return fail_damaged(source, "its rows cannot be decoded", error);
    }
    nst_status status = take_pixels(pixels, width, height, has_alpha, decoded, error);
    WebPFree(pixels);
    return status;
}

/* The first picture of an animation, on its canvas. */
static nst_status decode_animation(const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    const WebPData data = {source->data, source->bytes};
    WebPAnimInfo info;
    uint8_t *pixels = NULL;
    int time_ms = 0;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL);
    nst_status status = NST_OK;
    if (!decoder || !WebPAnimDecoderGetInfo(decoder, &info) || !WebPAnimDecoderGetNext(decoder, &pixels, &time_ms)) {
        status = fail_damaged(source, "its first picture cannot be decoded", error);
    } else {
        status = take_pixels(pixels, (int)info.canvas_width, (int)info.canvas_height, true, decoded, error);
    }
    WebPAnimDecoderDelete(decoder);
    if (!status) {
        remark(source->note, "%s is an animation: its first picture is used", source->path);
    }
    return status;
}

static nst_status decode(const struct picture_source *source, const WebPBitstreamFeatures *features,
                         struct decoded *decoded, nst_error *error) {
    const WebPData data = {source->data, source->bytes};
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (!demuxer) {
        return fail_damaged(source, "the file ends too early", error);
    }
    uint32_t width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH),
             height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    nst_status status = picture_check_header(source->path, width, height, error);
    if (!status) {
        status = features->has_animation ? decode_animation(source, decoded, error)
                                         : decode_still(source, features->has_alpha, decoded, error);
    }
    if (!status) {
        take_chunk(demuxer, "ICCP", decoded);
        take_chunk(demuxer, "EXIF", decoded);
        take_chunk(demuxer, "XMP ", decoded);
    }
    WebPDemuxDelete(demuxer);
    return status;
}

static nst_status read_webp(const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(source->data, source->bytes, &features) != VP8_STATUS_OK) {
        return fail_damaged(source, "its header cannot be read", error);
    }
    nst_status status = decode(source, &features, decoded, error);
    if (status) {
        decoded_free(decoded);
    }
    return status;
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

static nst_status fail_writing(const struct picture_target *target, nst_error *error) {
    return fail(error, NST_ERROR_MEMORY, "not enough memory to write %s", target->path);
}

static bool import(const nst_picture *from, WebPPicture *picture) {
    size_t channels = (size_t)from->channels, count = (size_t)from->width * (size_t)from->height;
    uint8_t *pixels = malloc(count * channels);
    for (size_t i = 0; pixels && i < count * channels; i++) {
        pixels[i] = (uint8_t)picture_quantize(from->values[i], 255);
    }
    int stride = from->width * from->channels;
    bool is_imported = pixels && (channels == 4 ? WebPPictureImportRGBA(picture, pixels, stride)
                                                : WebPPictureImportRGB(picture, pixels, stride));
    free(pixels);
    return is_imported;
}

/* The picture alone. */
static nst_status encode(const nst_picture *from, const struct picture_target *target, WebPMemoryWriter *writer,
                         nst_error *error) {
    int quality = target->format->webp_quality;
    WebPConfig config;
    WebPPicture picture;
    if (!WebPConfigInit(&config) || !WebPPictureInit(&picture)) {
        return fail(error, NST_ERROR_FILE, "cannot write %s: libwebp is of another version", target->path);
    }
    config.lossless = quality == 0;
    config.exact = 1;                                    /* colors where alpha is 0, too */
    config.quality = quality == 0 ? 75 : (float)quality; /* of a lossless one: the effort */
    config.alpha_quality = 100;
    picture.use_argb = config.lossless;
    picture.width = from->width;
    picture.height = from->height;
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = writer;
    nst_status status = NST_OK;
    if (!import(from, &picture) || !WebPEncode(&config, &picture)) {
        status = fail_writing(target, error);
    }
    WebPPictureFree(&picture);
    return status;
}

static bool set_chunk(WebPMux *mux, const char *name, const nst_bytes *data) {
    const WebPData chunk = {data->data, data->bytes};
    return !data->data || WebPMuxSetChunk(mux, name, &chunk, 0) == WEBP_MUX_OK;
}

static nst_status write_around(const WebPMemoryWriter *writer, const struct picture_target *target, nst_error *error) {
    const nst_picture_metadata *metadata = target->metadata;
    const WebPData image = {writer->mem, writer->size};
    WebPData file = {NULL, 0};
    WebPMux *mux = WebPMuxNew();
    nst_status status = NST_OK;
    if (!mux || WebPMuxSetImage(mux, &image, 0) != WEBP_MUX_OK || !set_chunk(mux, "ICCP", &metadata->profile) ||
        !set_chunk(mux, "EXIF", &metadata->exif) || !set_chunk(mux, "XMP ", &metadata->xmp) ||
        WebPMuxAssemble(mux, &file) != WEBP_MUX_OK) {
        status = fail_writing(target, error);
    } else if (fwrite(file.bytes, 1, file.size, target->stream) != file.size) {
        status = fail(error, NST_ERROR_FILE, "cannot write %s: %s", target->path, strerror(errno));
    }
    WebPDataClear(&file);
    WebPMuxDelete(mux);
    return status;
}

static nst_status write_webp(const nst_picture *picture, const struct picture_target *target, nst_error *error) {
    int quality = target->format->webp_quality;
    if (quality < 0 || quality > 100) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "a WebP picture cannot have quality %d: expected 1 to 100, or 0 for a lossless one", quality);
    }
    if (picture->width > WEBP_MAX_DIMENSION || picture->height > WEBP_MAX_DIMENSION) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "%s cannot be written: a WebP picture has at most %d pixels on each side, this one has %d x %d",
                    target->path, WEBP_MAX_DIMENSION, picture->width, picture->height);
    }
    WebPMemoryWriter writer;
    WebPMemoryWriterInit(&writer);
    nst_status status = encode(picture, target, &writer, error);
    status = status ? status : write_around(&writer, target, error);
    WebPMemoryWriterClear(&writer);
    return status;
}

const struct codec codec_webp = {
    .name = "WebP",
    .endings = {".webp"},
    .most_depth_bits = 8,
    .signatures = {{8, 4, "WEBP"}},
    .read = read_webp,
    .write = write_webp,
};
