/* tiff.c: reading TIFF files through libtiff: gray, RGB and CMYK of 8, 16 or 32 bits, whole numbers or floats, in strips
 * or tiles, with any compression that libtiff knows. What is left (palettes, fewer bits, YCbCr without JPEG, Lab, ...)
 * libtiff itself makes 8-bit RGB of. Writing is in tiff_write.c. */
#include "image/codec.h"
#include "image/exif_copy.h"
#include "image/picture.h"
#include "image/tiff_memory.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

#define MOST_SAMPLES     16
#define MOST_BLOCK_BYTES ((uint64_t)1 << 30)

/* What the directory says of the pixels. */
struct layout {
    uint32_t width, height;
    uint16_t bits, samples, format, photometric, planar, compression;
    int colors;            /* samples that are colors: 1, 3 or 4 */
    int alpha;             /* number of the sample that is alpha, or -1 */
    bool is_premultiplied; /* colors are, by alpha */
};

/* A strip or a tile: pixels that are stored together. */
struct block {
    uint32_t width, height; /* of all but the last ones */
    bool is_tile;
    unsigned char *data;
    tmsize_t bytes;
};

/* ---- The directory --------------------------------------------------------------------------------------------- */

/* Which sample is alpha. Samples without a meaning are not. */
static void find_alpha(TIFF *tiff, struct layout *layout) {
    uint16_t count = 0, *kinds = NULL;
    layout->alpha = -1;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds);
    for (int i = 0; i < count && layout->alpha < 0 && layout->colors < 4; i++) {
        if (layout->colors + i < layout->samples &&
            (kinds[i] == EXTRASAMPLE_ASSOCALPHA || kinds[i] == EXTRASAMPLE_UNASSALPHA)) {
            layout->alpha = layout->colors + i;
            layout->is_premultiplied = kinds[i] == EXTRASAMPLE_ASSOCALPHA;
        }
    }
}

static int colors_of(uint16_t photometric) {
    switch (photometric) {
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_MINISWHITE:
        return 1;
    case PHOTOMETRIC_RGB:
        return 3;
    case PHOTOMETRIC_SEPARATED:
        return 4;
    default:
        return 0;
    }
}

static void read_layout(TIFF *tiff, struct layout *layout) {
    uint16_t ink_set = INKSET_CMYK;
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout->width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout->height);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &layout->bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &layout->samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &layout->format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &layout->planar);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &layout->compression);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_INKSET, &ink_set);
    if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout->photometric)) {
        layout->photometric = layout->samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
    }
    if (layout->photometric == PHOTOMETRIC_YCBCR && layout->compression == COMPRESSION_JPEG &&
        layout->planar == PLANARCONFIG_CONTIG) {
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        layout->photometric = PHOTOMETRIC_RGB;
    }
    bool is_other_ink = layout->photometric == PHOTOMETRIC_SEPARATED && ink_set != INKSET_CMYK;
    layout->colors = is_other_ink ? 0 : colors_of(layout->photometric);
    find_alpha(tiff, layout);
}

/* Whether the samples can be read here, one by one. */
static bool is_plain(const struct layout *layout) {
    bool is_whole = layout->format == SAMPLEFORMAT_UINT || layout->format == SAMPLEFORMAT_VOID;
    bool is_depth = is_whole ? layout->bits == 8 || layout->bits == 16 || layout->bits == 32
                             : layout->format == SAMPLEFORMAT_IEEEFP && (layout->bits == 32 || layout->bits == 64);
    return is_depth && layout->colors > 0 && layout->samples >= layout->colors && layout->samples <= MOST_SAMPLES;
}

/* ---- Samples --------------------------------------------------------------------------------------------------- */

/* A sample in the byte order of this machine; whole numbers divided by their largest value. */
static float sample_value(const unsigned char *at, const struct layout *layout) {
    bool is_float = layout->format == SAMPLEFORMAT_IEEEFP;
    uint16_t half;
    uint32_t word;
    float single;
    double real;
    switch (layout->bits) {
    case 8:
        return (float)*at / 255.0f;
    case 16:
        memcpy(&half, at, sizeof half);
        return (float)half / 65535.0f;
    case 64:
        memcpy(&real, at, sizeof real);
        return (float)real;
    default:
        memcpy(&word, at, sizeof word);
        memcpy(&single, at, sizeof single);
        return is_float ? single : (float)(word / 4294967295.0);
    }
}

/* Where sample number `sample` of a pixel goes: the channel, or -1. Gray goes to three. */
static int channel_of(const struct layout *layout, int sample) {
    if (sample == layout->alpha) {
        return 3;
    }
    return sample < layout->colors ? sample : -1;
}

/* Puts the samples `first` to `last` of a block, which lie beside each other there, into the picture. */
static void place(const struct block *block, const struct layout *layout, uint32_t x0, uint32_t y0, int first, int last,
                  nst_picture *picture) {
    size_t sample_bytes = layout->bits / 8, pixel_bytes = sample_bytes * (size_t)(last - first + 1);
    uint32_t columns = layout->width - x0 < block->width ? layout->width - x0 : block->width;
    uint32_t rows = layout->height - y0 < block->height ? layout->height - y0 : block->height;
    for (uint32_t y = 0; y < rows; y++) {
        const unsigned char *from = block->data + (size_t)y * block->width * pixel_bytes;
        float *to = picture->values + ((size_t)(y0 + y) * layout->width + x0) * (size_t)picture->channels;
        for (uint32_t x = 0; x < columns; x++, from += pixel_bytes, to += picture->channels) {
            for (int sample = first; sample <= last; sample++) {
                int channel = channel_of(layout, sample);
                if (channel < 0) {
                    continue;
                }
                float value = sample_value(from + (size_t)(sample - first) * sample_bytes, layout);
                if (layout->photometric == PHOTOMETRIC_MINISWHITE && channel < 3) {
                    value = 1 - value;
                }
                to[channel] = value;
                if (layout->colors == 1 && channel == 0) {
                    to[1] = to[2] = value;
                }
            }
        }
    }
}

/* Reads one block; false if it is damaged, or cut off. */
static bool read_block(TIFF *tiff, const struct block *block, const struct layout *layout, uint32_t x, uint32_t y,
                       uint16_t plane) {
    if (block->is_tile) {
        return TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, plane), block->data, block->bytes) ==
               block->bytes;
    }
    uint32_t rows = layout->height - y < block->height ? layout->height - y : block->height;
    tmsize_t wanted = TIFFVStripSize(tiff, rows);
    return wanted <= block->bytes &&
           TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, plane), block->data, wanted) == wanted;
}

static nst_status fail_damaged(const struct picture_source *source, const struct tiff_memory *memory,
                               nst_error *error) {
    return fail(error, NST_ERROR_FORMAT, "%s is a damaged TIFF picture: %s", source->path,
                memory->message[0] ? memory->message : "rows are missing");
}

static bool describe_block(TIFF *tiff, const struct layout *layout, struct block *block) {
    uint64_t bytes;
    block->is_tile = TIFFIsTiled(tiff);
    if (block->is_tile) {
        TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &block->width);
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &block->height);
        bytes = TIFFTileSize64(tiff);
    } else {
        TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &block->height);
        block->width = layout->width;
        block->height = block->height < layout->height ? block->height : layout->height;
        bytes = TIFFVStripSize64(tiff, block->height);
    }
    bool is_contiguous = layout->planar == PLANARCONFIG_CONTIG;
    uint64_t expected =
        (uint64_t)block->width * block->height * (layout->bits / 8u) * (is_contiguous ? layout->samples : 1u);
    block->bytes = (tmsize_t)bytes;
    return block->width > 0 && block->height > 0 && bytes == expected && bytes <= MOST_BLOCK_BYTES;
}

static nst_status read_blocks(TIFF *tiff, const struct layout *layout, struct tiff_memory *memory,
                              const struct picture_source *source, nst_picture *picture, nst_error *error) {
    struct block block = {0};
    if (!describe_block(tiff, layout, &block)) {
        return fail_damaged(source, memory, error);
    }
    block.data = malloc((size_t)block.bytes);
    if (!block.data) {
        return fail_memory(error, (size_t)block.bytes, "decoding a picture");
    }
    bool is_contiguous = layout->planar == PLANARCONFIG_CONTIG;
    int planes = is_contiguous ? 1 : layout->samples;
    nst_status status = NST_OK;
    for (int plane = 0; plane < planes; plane++) {
        for (uint32_t y = 0; !status && y < layout->height; y += block.height) {
            for (uint32_t x = 0; !status && x < layout->width; x += block.width) {
                if (!read_block(tiff, &block, layout, x, y, (uint16_t)plane)) {
                    status = fail_damaged(source, memory, error);
                } else {
                    place(&block, layout, x, y, plane, is_contiguous ? layout->samples - 1 : plane, picture);
                }
            }
        }
    }
    free(block.data);
    return status;
}

static nst_status read_plain(TIFF *tiff, const struct layout *layout, struct tiff_memory *memory,
                             const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    int channels = layout->colors == 4 || layout->alpha >= 0 ? 4 : 3;
    nst_status status = picture_create((int)layout->width, (int)layout->height, channels, &decoded->picture, error);
    decoded->model = layout->colors == 1 ? COLOR_GRAY : layout->colors == 4 ? COLOR_CMYK : COLOR_RGB;
    status = status ? status : read_blocks(tiff, layout, memory, source, &decoded->picture, error);
    if (!status) {
        decoded_normalize(decoded, layout->is_premultiplied);
    }
    return status;
}

/* ---- Everything else ------------------------------------------------------------------------------------------- */

/* 8-bit RGB by libtiff, in the order of the file. */
static nst_status read_other(TIFF *tiff, const struct layout *layout, struct tiff_memory *memory,
                             const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    char reason[1024] = "";
    uint16_t orientation = ORIENTATION_TOPLEFT;
    if (!TIFFRGBAImageOK(tiff, reason)) {
        return fail(
            error, NST_ERROR_FORMAT,
            "%s is a TIFF picture of a kind that cannot be read (photometric %d, %d samples of %d bits%s); convert "
            "it to PNG",
            source->path, layout->photometric, layout->samples, layout->bits,
            layout->format == SAMPLEFORMAT_IEEEFP ? ", floats" : "");
    }
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
    size_t count = (size_t)layout->width * layout->height;
    uint32_t *raster = calloc(count, sizeof *raster);
    if (!raster) {
        return fail_memory(error, count * sizeof *raster, "decoding a picture");
    }
    nst_status status = NST_OK;
    if (!TIFFReadRGBAImageOriented(tiff, layout->width, layout->height, raster, orientation, 1)) {
        status = fail_damaged(source, memory, error);
    }
    status = status ? status : picture_create((int)layout->width, (int)layout->height, 3, &decoded->picture, error);
    for (size_t i = 0; !status && i < count; i++) {
        decoded->picture.values[3 * i] = (float)TIFFGetR(raster[i]) / 255.0f;
        decoded->picture.values[3 * i + 1] = (float)TIFFGetG(raster[i]) / 255.0f;
        decoded->picture.values[3 * i + 2] = (float)TIFFGetB(raster[i]) / 255.0f;
    }
    free(raster);
    return status;
}

/* ---- Metadata -------------------------------------------------------------------------------------------------- */

static void take_metadata(TIFF *tiff, const struct layout *layout, const struct picture_source *source,
                          struct decoded *decoded) {
    uint32_t count = 0;
    uint16_t orientation = 0;
    void *data = NULL;
    bool is_converted = decoded->model == COLOR_RGB && layout->colors != 3;
    if (!is_converted && TIFFGetField(tiff, TIFFTAG_ICCPROFILE, &count, &data)) {
        decoded_set_profile(decoded, data, count);
    }
    if (TIFFGetField(tiff, TIFFTAG_XMLPACKET, &count, &data)) {
        decoded_add_metadata(decoded, data, count);
    }
    if (TIFFGetField(tiff, TIFFTAG_RICHTIFFIPTC, &count, &data)) {
        bool is_of_longs = tiff_iptc_is_of_longs(tiff);
        if (is_of_longs && TIFFIsByteSwapped(tiff)) {
            TIFFSwabArrayOfLong(data, count);
        }
        decoded_add_metadata(decoded, data, (is_of_longs ? 4 : 1) * (size_t)count);
    }
    if (TIFFGetField(tiff, TIFFTAG_PHOTOSHOP, &count, &data)) {
        decoded_add_metadata(decoded, data, count);
    }
    nst_bytes exif = exif_extract(source->data, source->bytes);
    if (exif.data) {
        decoded_add_metadata(decoded, exif.data, exif.bytes);
    }
    free(exif.data);
    if (TIFFGetField(tiff, TIFFTAG_ORIENTATION, &orientation)) {
        decoded->orientation.exif = orientation;
    }
}

static nst_status decode(TIFF *tiff, struct tiff_memory *memory, const struct picture_source *source,
                         struct decoded *decoded, nst_error *error) {
    struct layout layout = {0};
    read_layout(tiff, &layout);
    nst_status status = picture_check_header(source->path, layout.width, layout.height, error);
    if (!status) {
        status = is_plain(&layout) ? read_plain(tiff, &layout, memory, source, decoded, error)
                                   : read_other(tiff, &layout, memory, source, decoded, error);
    }
    if (status) {
        return status;
    }
    take_metadata(tiff, &layout, source, decoded);
    if (TIFFNumberOfDirectories(tiff) > 1) {
        remark(source->note, "%s has several pages: the first is used", source->path);
    }
    return NST_OK;
}

static nst_status read_tiff(const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    struct tiff_memory memory = {.data = source->data, .bytes = source->bytes};
    TIFF *tiff = tiff_open(&memory, source->path, "r");
    if (!tiff) {
        return fail_damaged(source, &memory, error);
    }
    nst_status status = decode(tiff, &memory, source, decoded, error);
    TIFFClose(tiff);
    if (status) {
        decoded_free(decoded);
    }
    return status;
}

const struct codec codec_tiff = {
    .name = "TIFF",
    .endings = {".tif", ".tiff"},
    .most_depth_bits = 32,
    .signatures = {{0, 4, "II*\0"}, {0, 4, "MM\0*"}, {0, 4, "II+\0"}, {0, 4, "MM\0+"}},
    .read = read_tiff,
    .write = tiff_write,
};
