/* tiff_write.c: writing TIFF files through libtiff: RGB, with alpha if the picture has it, of 8 or 16 bits or 32-bit
 * floats, compressed without loss. The file is made in memory, since directories of EXIF must be put between libtiff's
 * own parts. */
#include "image/exif_copy.h"
#include "image/tiff_memory.h"
#include "support/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void set_layout(TIFF *tiff, const nst_picture *picture, int depth_bits) {
    const uint16_t alpha = EXTRASAMPLE_UNASSALPHA;
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, (uint32_t)picture->width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, (uint32_t)picture->height);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, picture->channels);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, depth_bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, depth_bits == 32 ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
    if (picture->channels == 4) {
        TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &alpha);
    }
    if (TIFFIsCODECConfigured(COMPRESSION_ADOBE_DEFLATE)) {
        TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
        TIFFSetField(tiff, TIFFTAG_PREDICTOR, depth_bits == 32 ? PREDICTOR_FLOATINGPOINT : PREDICTOR_HORIZONTAL);
    }
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, TIFFDefaultStripSize(tiff, 0));
}

/* One row of samples in this machine's byte order. */
static void quantize_row(const float *values, size_t count, int depth_bits, unsigned char *row) {
    for (size_t i = 0; i < count; i++) {
        uint16_t level = (uint16_t)picture_quantize(values[i], depth_bits == 8 ? 255 : 65535);
        float single = values[i] > 0 ? values[i] < 1 ? values[i] : 1 : 0;
        if (depth_bits == 8) {
            row[i] = (unsigned char)level;
        } else if (depth_bits == 16) {
            memcpy(row + 2 * i, &level, sizeof level);
        } else {
            memcpy(row + 4 * i, &single, sizeof single);
        }
    }
}

static bool write_rows(TIFF *tiff, const nst_picture *picture, int depth_bits) {
    size_t row_values = (size_t)picture->width * (size_t)picture->channels;
    unsigned char *row = malloc(row_values * (size_t)depth_bits / 8);
    bool is_fine = row != NULL;
    for (int y = 0; is_fine && y < picture->height; y++) {
        quantize_row(picture->values + (size_t)y * row_values, row_values, depth_bits, row);
        is_fine = TIFFWriteScanline(tiff, row, (uint32_t)y, 0) == 1;
    }
    free(row);
    return is_fine && TIFFFlushData(tiff) == 1;
}

/* Texts that have the same tag in TIFF and EXIF. */
static bool set_texts(TIFF *tiff, const nst_bytes *data) {
    static const uint32_t tags[] = {TIFFTAG_IMAGEDESCRIPTION, TIFFTAG_MAKE,   TIFFTAG_MODEL,
                                    TIFFTAG_DATETIME,         TIFFTAG_ARTIST, TIFFTAG_COPYRIGHT};
    struct exif exif = exif_open(data->data, data->bytes);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        size_t entry = exif_find_entry(&exif, exif_first_directory(&exif), (enum exif_tag)tags[i]);
        size_t length = entry && exif_number(&exif, entry + 2, 2) == TIFF_ASCII ? exif_number(&exif, entry + 4, 4) : 0;
        size_t at = length > 4 ? exif_number(&exif, entry + 8, 4) : entry + 8;
        if (length == 0 || !exif_holds(&exif, at, length)) {
            continue;
        }
        char *text = strndup((const char *)data->data + at, length);
        bool is_set = text && TIFFSetField(tiff, tags[i], text);
        free(text);
        if (!is_set) {
            return false;
        }
    }
    return true;
}

/* Puts a directory of the EXIF data behind what is written of the file, and refers to it. */
static bool add_directory(TIFF *tiff, struct tiff_memory *memory, const nst_bytes *exif, enum exif_tag tag) {
    memory->position = memory->bytes + memory->bytes % 2;
    uint64_t base = memory->position;
    nst_bytes directory = base <= UINT32_MAX ? exif_relocate(exif, tag, (uint32_t)base) : (nst_bytes){0};
    bool is_fine = !directory.data || (tiff_append(memory, &directory) && TIFFSetField(tiff, (uint32_t)tag, base));
    free(directory.data);
    return is_fine;
}

static bool set_iptc(TIFF *tiff, const nst_bytes *iptc) {
    uint32_t count = (uint32_t)((iptc->bytes + 3) / 4);
    if (!tiff_iptc_is_of_longs(tiff)) {
        return TIFFSetField(tiff, TIFFTAG_RICHTIFFIPTC, (uint32_t)iptc->bytes, iptc->data);
    }
    uint32_t *padded = calloc(count, sizeof *padded);
    if (!padded) {
        return false;
    }
    memcpy(padded, iptc->data, iptc->bytes);
    if (TIFFIsByteSwapped(tiff)) {
        TIFFSwabArrayOfLong(padded, count);
    }
    bool is_set = TIFFSetField(tiff, TIFFTAG_RICHTIFFIPTC, count, padded);
    free(padded);
    return is_set;
}

static bool set_metadata(TIFF *tiff, const nst_picture_metadata *metadata) {
    const nst_bytes *profile = &metadata->profile, *xmp = &metadata->xmp;
    return TIFFSetField(tiff, TIFFTAG_ICCPROFILE, (uint32_t)profile->bytes, profile->data) &&
           (!xmp->data || TIFFSetField(tiff, TIFFTAG_XMLPACKET, (uint32_t)xmp->bytes, xmp->data)) &&
           (!metadata->iptc.data || set_iptc(tiff, &metadata->iptc)) &&
           (!metadata->exif.data || set_texts(tiff, &metadata->exif));
}

nst_status tiff_write(const nst_picture *picture, const struct picture_target *target, nst_error *error) {
    int depth_bits = target->format->depth_bits;
    if (depth_bits != 8 && depth_bits != 16 && depth_bits != 32) {
        return fail(error, NST_ERROR_ARGUMENT, "a TIFF picture cannot have %d bits per value: expected 8, 16 or 32",
                    depth_bits);
    }
    const nst_bytes *exif = &target->metadata->exif;
    struct tiff_memory memory = {0};
    /* In the byte order of the EXIF data, whose directories are copied. */
    TIFF *tiff = tiff_open(&memory, target->path, exif->data && exif->data[0] == 'M' ? "wb" : "wl");
    bool is_fine = tiff != NULL;
    if (is_fine) {
        set_layout(tiff, picture, depth_bits);
        /* libtiff puts its own directory behind the rows, and these between them. */
        is_fine = set_metadata(tiff, target->metadata) && write_rows(tiff, picture, depth_bits) &&
                  add_directory(tiff, &memory, exif, EXIF_DIRECTORY) &&
                  add_directory(tiff, &memory, exif, EXIF_GPS_DIRECTORY) && TIFFWriteDirectory(tiff) == 1;
        TIFFClose(tiff);
    }
    nst_status status = NST_OK;
    if (!is_fine) {
        status = fail(error, NST_ERROR_FILE, "cannot write %s: %s", target->path,
                      memory.message[0] ? memory.message : "not enough memory");
    } else if (fwrite(memory.written, 1, memory.bytes, target->stream) != memory.bytes) {
        status = fail(error, NST_ERROR_FILE, "cannot write %s: %s", target->path, strerror(errno));
    }
    free(memory.written);
    return status;
}
