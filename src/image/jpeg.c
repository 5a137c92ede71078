/* jpeg.c: JPEG files through libjpeg-turbo.
 *
 * libjpeg reports errors by a callback that must not return, and damage in the data by mere warnings. Both end in
 * longjmp here; as in png.c, everything to be released hangs on one struct that the function around owns. */
#include "image/codec.h"
#include "image/orientation.h"
#include "image/picture.h"
#include "support/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#define METADATA_MARKER (JPEG_APP0 + 1) /* APP1: EXIF, XMP */

/* More scans than any encoder makes; a small file of very many scans would keep the decoder busy for hours. */
#define MAX_SCANS 500

struct jpeg_trap {
    struct jpeg_error_mgr manager; /* first, so that libjpeg's pointer to it is one to the trap */
    jmp_buf escape;
    char text[JMSG_LENGTH_MAX];
};

static void take_error(j_common_ptr common) {
    struct jpeg_trap *trap = (struct jpeg_trap *)common->err;
    common->err->format_message(common, trap->text);
    longjmp(trap->escape, 1);
}

/* Warnings (level -1) that mean that part of the picture is lost are errors; odd but harmless things are ignored. */
static void take_message(j_common_ptr common, int level) {
    if (level >= 0) {
        return;
    }
    switch (common->err->msg_code) {
    case JWRN_JPEG_EOF:      /* premature end of file */
    case JWRN_HIT_MARKER:    /* premature end of data segment */
    case JWRN_HUFF_BAD_CODE: /* corrupt data */
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: /* a restart marker is missing */
    case JWRN_NOT_SEQUENTIAL:
        take_error(common);
    }
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
    nst_picture picture;
    struct orientation orientation;
    struct jpeg_trap trap;
};

static void limit_scans(j_common_ptr common) {
    struct jpeg_trap *trap = (struct jpeg_trap *)common->err;
    if (((j_decompress_ptr)common)->input_scan_number <= MAX_SCANS) {
        return;
    }
    snprintf(trap->text, sizeof trap->text, "it has more than %d scans", MAX_SCANS);
    longjmp(trap->escape, 1);
}

static void find_orientation(struct jpeg_reader *reader) {
    for (jpeg_saved_marker_ptr marker = reader->info.marker_list; marker; marker = marker->next) {
        orientation_add(&reader->orientation, marker->data, marker->data_length);
    }
}

/* Red is (1 - C) (1 - K), and so on. Adobe's files are inverted: they hold 1 - C, 1 - M, 1 - Y and 1 - K. */
static void convert_cmyk_row(const JSAMPLE *row, bool inverted, int width, float *values) {
    for (int x = 0; x < width; x++, row += 4, values += 3) {
        for (int channel = 0; channel < 3; channel++) {
            int reflected = inverted ? row[channel] : 255 - row[channel], key = inverted ? row[3] : 255 - row[3];
            values[channel] = (float)(reflected * key) / (255.0f * 255.0f);
        }
    }
}

static void convert_rgb_row(const JSAMPLE *row, int width, float *values) {
    for (size_t i = 0; i < 3 * (size_t)width; i++) {
        values[i] = (float)row[i] / 255.0f;
    }
}

static void read_rows(struct jpeg_reader *reader) {
    struct jpeg_decompress_struct *info = &reader->info;
    bool cmyk = info->out_color_space == JCS_CMYK;
    int width = reader->picture.width;
    JSAMPARRAY row = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE,
                                             info->output_width * (JDIMENSION)info->output_components, 1);
    for (size_t y = 0; y < info->output_height; y++) {
        float *values = reader->picture.values + y * (size_t)width * 3;
        jpeg_read_scanlines(info, row, 1);
        if (cmyk) {
            convert_cmyk_row(row[0], info->saw_Adobe_marker, width, values);
        } else {
            convert_rgb_row(row[0], width, values);
        }
    }
}

static nst_status decode(struct jpeg_reader *reader, nst_error *error) {
    struct jpeg_decompress_struct *info = &reader->info;
    const struct picture_source *source = reader->source;
    if (setjmp(reader->trap.escape)) {
        return fail(error, NST_ERROR_FORMAT, "%s is a damaged JPEG picture: %s", source->path, reader->trap.text);
    }
    jpeg_create_decompress(info);
    reader->progress.progress_monitor = limit_scans;
    info->progress = &reader->progress;
    jpeg_save_markers(info, METADATA_MARKER, 0xffff);
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
    info->out_color_space = info->num_components == 4 ? JCS_CMYK : JCS_RGB;
    status = picture_create((int)info->image_width, (int)info->image_height, 3, &reader->picture, error);
    if (status) {
        return status;
    }
    find_orientation(reader);
    jpeg_start_decompress(info);
    read_rows(reader);
    jpeg_finish_decompress(info);
    return NST_OK;
}

nst_status picture_read_jpeg(const struct picture_source *source, nst_picture *picture, nst_error *error) {
    struct jpeg_reader reader = {.source = source};
    reader.info.err = set_trap(&reader.trap);
    nst_status status = decode(&reader, error);
    if (!status) {
        status = orientation_apply(&reader.orientation, &reader.picture, error);
    }
    jpeg_destroy_decompress(&reader.info);
    if (!status) {
        *picture = reader.picture;
    } else {
        nst_picture_free(&reader.picture);
    }
    return status;
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

struct jpeg_writer {
    const nst_picture *picture;
    const struct picture_target *target;
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
    write_rows(&writer->info, writer->picture);
    jpeg_finish_compress(&writer->info);
    return NST_OK;
}

nst_status picture_write_jpeg(const nst_picture *picture, const struct picture_target *target, nst_error *error) {
    int quality = target->format->jpeg_quality;
    if (quality < 1 || quality > 100) {
        return fail(error, NST_ERROR_ARGUMENT, "a JPEG picture cannot have quality %d: expected 1 to 100", quality);
    }
    struct jpeg_writer writer = {.picture = picture, .target = target};
    writer.info.err = set_trap(&writer.trap);
    nst_status status = encode(&writer, error);
    jpeg_destroy_compress(&writer.info);
    return status;
}
