/* jpeg.c: JPEG files through libjpeg-turbo.
 *
 * libjpeg reports errors by a callback that must not return, and damage in the data by mere warnings, after which it
 * goes on with what can be told of the picture. Errors, and warnings that mean that rows are missing, end in longjmp
 * here; as in png.c, everything to be released hangs on one struct that the function around owns. */
#include "image/codec.h"
#include "image/metadata.h"
#include "image/picture.h"
#include "support/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#define METADATA_MARKER  (JPEG_APP0 + 1)  /* APP1: EXIF, XMP */
#define PROFILE_MARKER   (JPEG_APP0 + 2)  /* APP2: ICC profile, in parts */
#define PHOTOSHOP_MARKER (JPEG_APP0 + 13) /* APP13: resources of Photoshop, IPTC among them */

#define MOST_MARKER_BYTES 65533

/* More scans than any encoder makes; a small file of very many scans would keep the decoder busy for hours. */
#define MAX_SCANS 500

struct jpeg_trap {
    struct jpeg_error_mgr manager; /* first, so that libjpeg's pointer to it is one to the trap */
    jmp_buf escape;
    char text[JMSG_LENGTH_MAX]; /* of the error, or of the first warning; "" without */
    bool decoding;              /* past the header: among the scans, or behind them */
    bool ended;                 /* the file has no more bytes */
};

static void take_error(j_common_ptr common) {
    struct jpeg_trap *trap = (struct jpeg_trap *)common->err;
    common->err->format_message(common, trap->text);
    longjmp(trap->escape, 1);
}

static bool in_last_row_of_blocks(const struct jpeg_decompress_struct *info) {
    return info->input_iMCU_row + 1 >= info->total_iMCU_rows;
}

/* Whether a warning says that rows of the picture, or what is before them, cannot be told from the file. */
static bool rows_are_missing(const struct jpeg_decompress_struct *info, const struct jpeg_trap *trap) {
    bool restart = info->unread_marker >= JPEG_RST0 && info->unread_marker <= JPEG_RST0 + 7;
    switch (trap->manager.msg_code) {
    case JWRN_JPEG_EOF:
        /* Huffman's decoder reads ahead, and warns again if it lacks what it did not get; the arithmetic one makes
         * zeros of it. */
        return !trap->decoding || (info->arith_code && !in_last_row_of_blocks(info));
    case JWRN_HIT_MARKER:
        /* At a restart marker decoding goes on. At another one, only the last row of blocks may lack something. */
        return trap->ended || (!restart && (!in_last_row_of_blocks(info) || info->input_iMCU_row == 0));
    default:
        return false;
    }
}

/* Warnings (level -1) about the data of a file being read; odd but harmless things are ignored. */
static bool is_telling(int code, bool decoding) {
    switch (code) {
    case JWRN_JPEG_EOF:      /* premature end of file */
    case JWRN_HIT_MARKER:    /* premature end of data segment */
    case JWRN_HUFF_BAD_CODE: /* corrupt data */
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: /* a restart marker is missing */
    case JWRN_NOT_SEQUENTIAL:
        return true;
    case JWRN_EXTRANEOUS_DATA: /* bytes that belong to nothing: of the picture, or junk in the header */
        return decoding;
    default:
        return false;
    }
}

static void take_message(j_common_ptr common, int level) {
    struct jpeg_trap *trap = (struct jpeg_trap *)common->err;
    int code = trap->manager.msg_code;
    if (level >= 0 || !common->is_decompressor || !is_telling(code, trap->decoding)) {
        return;
    }
    if (trap->text[0] == '\0') {
        trap->manager.format_message(common, trap->text);
    }
    if (rows_are_missing((j_decompress_ptr)common, trap)) {
        longjmp(trap->escape, 1);
    }
    trap->ended = trap->ended || code == JWRN_JPEG_EOF;
}

static struct jpeg_error_mgr *set_trap(struct jpeg_trap *trap) {
    jpeg_std_error(&trap->manager);
    trap->manager.error_exit = take_error;
    trap->manager.emit_message = take_message;
    return &trap->manager;
}

/* ---- Reading --------------------------------------------------------------------------------------------------- */

struct jpeg_reader {
    const struct picture_source *source;
    struct jpeg_decompress_struct info;
    struct jpeg_progress_mgr progress;
    struct decoded decoded;
    unsigned components_seen; /* a bit for each component that a scan had data of */
    struct jpeg_trap trap;
};

/* Called at the beginning of each scan at least, if there are several. */
static void watch_scans(j_common_ptr common) {
    j_decompress_ptr info = (j_decompress_ptr)common;
    struct jpeg_reader *reader = info->client_data;
    for (int i = 0; i < info->comps_in_scan; i++) {
        reader->components_seen |= 1u << info->cur_comp_info[i]->component_index;
    }
    if (info->input_scan_number > MAX_SCANS) {
        snprintf(reader->trap.text, sizeof reader->trap.text, "it has more than %d scans", MAX_SCANS);
        longjmp(reader->trap.escape, 1);
    }
}

/* Whether a file of several scans that has ended lacks some of them: a component, or in progressive files digits of a
 * coefficient. libjpeg does without. */
static bool scans_are_missing(const struct jpeg_reader *reader) {
    const struct jpeg_decompress_struct *info = &reader->info;
    if (!info->progressive_mode) {
        return reader->components_seen != (1u << info->num_components) - 1;
    }
    for (int i = 0; i < info->num_components * DCTSIZE2; i++) {
        if (info->coef_bits[i / DCTSIZE2][i % DCTSIZE2] != 0) {
            return true;
        }
    }
    return false;
}

static void take_metadata(struct jpeg_reader *reader) {
    for (jpeg_saved_marker_ptr marker = reader->info.marker_list; marker; marker = marker->next) {
        if (marker->marker != PROFILE_MARKER) {
            decoded_add_metadata(&reader->decoded, marker->data, marker->data_length);
        }
    }
    JOCTET *profile = NULL;
    unsigned bytes = 0;
    reader->trap.manager.msg_code = 0;
    if (jpeg_read_icc_profile(&reader->info, &profile, &bytes)) {
        decoded_set_profile(&reader->decoded, profile, bytes);
    } else if (reader->trap.manager.msg_code == JWRN_BOGUS_ICC) {
        remark(reader->source->note, "%s: its color profile lacks parts, and its colors are taken as sRGB",
               reader->source->path);
    }
    free(profile);
}

/* Adobe's CMYK files are inverted: they hold 1 - C, 1 - M, 1 - Y and 1 - K. */
static void convert_row(const JSAMPLE *row, bool inverted, size_t count, float *values) {
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(inverted ? 255 - row[i] : row[i]) / 255.0f;
    }
}

static void read_rows(struct jpeg_reader *reader) {
    struct jpeg_decompress_struct *info = &reader->info;
    nst_picture *picture = &reader->decoded.picture;
    bool is_inverted = info->out_color_space == JCS_CMYK && info->saw_Adobe_marker;
    size_t row_values = (size_t)picture->width * (size_t)picture->channels;
    JSAMPARRAY row = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE,
                                             info->output_width * (JDIMENSION)info->output_components, 1);
    for (size_t y = 0; y < info->output_height; y++) {
        jpeg_read_scanlines(info, row, 1);
        convert_row(row[0], is_inverted, row_values, picture->values + y * row_values);
    }
}

/* Kinds of JPEG that libjpeg may not decode, by the marker of their frame (ITU-T T.81, table B.1; T.87); else NULL. */
static const char *kind_of_frame(int marker) {
    static const char hierarchical[] = "a hierarchical JPEG", arithmetic[] = "an arithmetic-coded JPEG";
    static const char *const kinds[256] = {
        [0xc3] = "a lossless JPEG", [0xc5] = hierarchical, [0xc6] = hierarchical,      [0xc7] = hierarchical,
        [0xc9] = arithmetic,        [0xca] = arithmetic,   [0xcb] = "a lossless JPEG", [0xcd] = hierarchical,
        [0xce] = hierarchical,      [0xcf] = hierarchical, [0xde] = hierarchical,      [0xf7] = "a JPEG-LS",
    };
    return marker >= 0 && marker < 256 ? kinds[marker] : NULL;
}

static nst_status fail_decoding(const struct jpeg_reader *reader, nst_error *error) {
    const char *path = reader->source->path, *kind = NULL;
    const struct jpeg_error_mgr *manager = &reader->trap.manager;
    switch (manager->msg_code) {
    case JERR_BAD_PRECISION:
        return fail(error, NST_ERROR_FORMAT, "%s is a JPEG picture of %d bits; convert it to PNG or to 8 bits", path,
                    manager->msg_parm.i[0]);
    case JERR_SOF_UNSUPPORTED:
    case JERR_UNKNOWN_MARKER:
        kind = kind_of_frame(manager->msg_parm.i[0]);
        break;
    case JERR_ARITH_NOTIMPL:
        kind = kind_of_frame(0xc9);
    }
    if (kind) {
        return fail(error, NST_ERROR_FORMAT, "%s is %s picture; convert it to PNG or baseline JPEG", path, kind);
    }
    return fail(error, NST_ERROR_FORMAT, "%s is a damaged JPEG picture: %s", path, reader->trap.text);
}

static nst_status decode(struct jpeg_reader *reader, nst_error *error) {
    struct jpeg_decompress_struct *info = &reader->info;
    const struct picture_source *source = reader->source;
    if (setjmp(reader->trap.escape)) {
        return fail_decoding(reader, error);
    }
    jpeg_create_decompress(info);
    info->client_data = reader;
    reader->progress.progress_monitor = watch_scans;
    info->progress = &reader->progress;
    jpeg_save_markers(info, METADATA_MARKER, 0xffff);
    jpeg_save_markers(info, PROFILE_MARKER, 0xffff);
    jpeg_save_markers(info, PHOTOSHOP_MARKER, 0xffff);
    jpeg_mem_src(info, source->data, (unsigned long)source->bytes);
    jpeg_read_header(info, TRUE);

    nst_status status = picture_check_header(source->path, info->image_width, info->image_height, error);
    if (status) {
        return status;
    }
    if (info->num_components != 1 && info->num_components != 3 && info->num_components != 4) {
        return fail(error, NST_ERROR_FORMAT, "%s is a JPEG picture of %d components: expected 1 (gray), 3 or 4 (CMYK)",
                    source->path, info->num_components);
    }
    static const enum color_model models[] = {[1] = COLOR_GRAY, [3] = COLOR_RGB, [4] = COLOR_CMYK};
    reader->decoded.model = models[info->num_components];
    info->out_color_space = info->num_components == 4 ? JCS_CMYK : JCS_RGB;
    status = picture_create((int)info->image_width, (int)info->image_height, info->num_components == 4 ? 4 : 3,
                            &reader->decoded.picture, error);
    if (status) {
        return status;
    }
    take_metadata(reader);
    reader->trap.decoding = true;
    jpeg_start_decompress(info); /* reads all scans, if there are several */
    if (reader->trap.ended && jpeg_has_multiple_scans(info) && scans_are_missing(reader)) {
        return fail_decoding(reader, error);
    }
    read_rows(reader);
    jpeg_finish_decompress(info);
    if (reader->trap.text[0]) {
        remark(source->note, "%s is damaged, but all rows are there: %s", source->path, reader->trap.text);
    }
    return NST_OK;
}

static nst_status read_jpeg(const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    struct jpeg_reader reader = {.source = source};
    reader.info.err = set_trap(&reader.trap);
    nst_status status = decode(&reader, error);
    jpeg_destroy_decompress(&reader.info);
    if (!status) {
        *decoded = reader.decoded;
    } else {
        decoded_free(&reader.decoded);
    }
    return status;
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

struct jpeg_writer {
    const nst_picture *picture;
    const struct picture_target *target;
    nst_bytes iptc; /* as a resource of Photoshop */
    struct jpeg_compress_struct info;
    struct jpeg_trap trap;
};

static void set_parameters(struct jpeg_compress_struct *info, const nst_picture *picture, int quality) {
    info->image_width = (JDIMENSION)picture->width;
    info->image_height = (JDIMENSION)picture->height;
    info->input_components = 3;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, quality, TRUE);
    info->optimize_coding = TRUE;
    if (quality >= 90) { /* 4:4:4: no chroma is thrown away */
        info->comp_info[0].h_samp_factor = info->comp_info[0].v_samp_factor = 1;
    }
}

/* A marker with a header before its data. What does not fit into one is left out. */
static void write_marker(struct jpeg_compress_struct *info, int marker, const char *header, size_t header_bytes,
                         const nst_bytes *data) {
    if (!data->data || data->bytes > MOST_MARKER_BYTES - header_bytes) {
        return;
    }
    jpeg_write_m_header(info, marker, (unsigned)(header_bytes + data->bytes));
    for (size_t i = 0; i < header_bytes; i++) {
        jpeg_write_m_byte(info, header[i]);
    }
    for (size_t i = 0; i < data->bytes; i++) {
        jpeg_write_m_byte(info, data->data[i]);
    }
}

static void write_metadata(struct jpeg_writer *writer) {
    static const char exif[] = "Exif\0", xmp[] = "http://ns.adobe.com/xap/1.0/", photoshop[] = "Photoshop 3.0";
    const nst_picture_metadata *metadata = writer->target->metadata;
    /* With the arrays' own zeros. */
    write_marker(&writer->info, METADATA_MARKER, exif, sizeof exif, &metadata->exif);
    write_marker(&writer->info, METADATA_MARKER, xmp, sizeof xmp, &metadata->xmp);
    write_marker(&writer->info, PHOTOSHOP_MARKER, photoshop, sizeof photoshop, &writer->iptc);
    jpeg_write_icc_profile(&writer->info, metadata->profile.data, (unsigned)metadata->profile.bytes);
}

static void write_rows(struct jpeg_compress_struct *info, const nst_picture *picture) {
    size_t width = (size_t)picture->width, channels = (size_t)picture->channels;
    JSAMPARRAY row = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->image_width * 3, 1);
    for (size_t y = 0; y < (size_t)picture->height; y++) {
        const float *values = picture->values + y * width * channels;
        for (size_t x = 0; x < width; x++) {
            for (size_t channel = 0; channel < 3; channel++) {
                row[0][3 * x + channel] = (JSAMPLE)picture_quantize(values[x * channels + channel], 255);
            }
        }
        jpeg_write_scanlines(info, row, 1);
    }
}

static nst_status encode(struct jpeg_writer *writer, nst_error *error) {
    if (setjmp(writer->trap.escape)) {
        if (ferror(writer->target->stream)) {
            return fail(error, NST_ERROR_FILE, "cannot write %s: %s", writer->target->path, strerror(errno));
        }
        return fail(error, NST_ERROR_FILE, "cannot write %s: %s", writer->target->path, writer->trap.text);
    }
    jpeg_create_compress(&writer->info);
    jpeg_stdio_dest(&writer->info, writer->target->stream);
    set_parameters(&writer->info, writer->picture, writer->target->format->jpeg_quality);
    jpeg_start_compress(&writer->info, TRUE);
    write_metadata(writer);
    write_rows(&writer->info, writer->picture);
    jpeg_finish_compress(&writer->info);
    return NST_OK;
}

static nst_status write_jpeg(const nst_picture *picture, const struct picture_target *target, nst_error *error) {
    int quality = target->format->jpeg_quality;
    if (quality < 1 || quality > 100) {
        return fail(error, NST_ERROR_ARGUMENT, "a JPEG picture cannot have quality %d: expected 1 to 100", quality);
    }
    struct jpeg_writer writer = {.picture = picture, .target = target};
    writer.info.err = set_trap(&writer.trap);
    nst_status status = metadata_wrap_iptc(&target->metadata->iptc, &writer.iptc, error);
    if (!status) {
        status = encode(&writer, error);
        jpeg_destroy_compress(&writer.info);
    }
    free(writer.iptc.data);
    return status;
}

const struct codec codec_jpeg = {
    .name = "JPEG",
    .endings = {".jpg", ".jpeg"},
    .most_depth_bits = 8,
    .signatures = {{0, 3, "\xff\xd8\xff"}},
    .read = read_jpeg,
    .write = write_jpeg,
};
