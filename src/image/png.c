/* png.c: PNG files through libpng.
 *
 * libpng reports errors by longjmp. So everything that must be released hangs on one struct that the function around
 * owns; the function that calls setjmp has no variables of its own that change. */
#include "image/codec.h"
#include "image/metadata.h"
#include "image/picture.h"
#include "image/png_colors.h"
#include "support/error.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

struct png_message {
    char text[256];
};

static void take_error(png_structp png, png_const_charp text) {
    struct png_message *message = png_get_error_ptr(png);
    snprintf(message->text, sizeof message->text, "%s", text);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

/* ---- Reading --------------------------------------------------------------------------------------------------- */

struct png_reader {
    const struct picture_source *source;
    size_t position, end;
    png_structp png;
    png_infop info;
    unsigned char *rows; /* one decoded row, or all of them if the file is interlaced */
    struct decoded decoded;
    struct png_message message;
};

/* Where the first chunk begins that promises more bytes than the file has; the file's end if there is none. libpng
 * would ask for the memory that is promised before it reads. */
static size_t find_end(const struct picture_source *source) {
    const size_t signature_bytes = 8, frame_bytes = 12; /* of a chunk: length, type, checksum */
    size_t position = signature_bytes;
    while (position + frame_bytes <= source->bytes) {
        size_t length = png_get_uint_32(source->data + position);
        if (length > source->bytes - position - frame_bytes) {
            return position;
        }
        position += frame_bytes + length;
    }
    return source->bytes;
}

static void read_bytes(png_structp png, png_bytep to, size_t bytes) {
    struct png_reader *reader = png_get_io_ptr(png);
    if (bytes > reader->end - reader->position) {
        png_error(png, "the file ends too early");
    }
    memcpy(to, reader->source->data + reader->position, bytes);
    reader->position += bytes;
}

/* One row of 8-bit or (big-endian) 16-bit values as float. */
static void convert_row(const unsigned char *row, int depth_bits, size_t count, float *values) {
    for (size_t i = 0; i < count; i++) {
        values[i] = depth_bits == 16 ? (float)(row[2 * i] << 8 | row[2 * i + 1]) / 65535.0f : (float)row[i] / 255.0f;
    }
}

/* Asks libpng for RGB or RGBA of 8 or 16 bits, whatever the file has. */
static void set_transformations(png_structp png, png_infop info) {
    png_set_expand(png); /* palette to RGB, gray below 8 bits to 8, tRNS to alpha */
    png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static void read_rows(struct png_reader *reader) {
    int passes = png_get_interlace_type(reader->png, reader->info) == PNG_INTERLACE_ADAM7 ? 7 : 1;
    int depth_bits = png_get_bit_depth(reader->png, reader->info);
    size_t row_bytes = png_get_rowbytes(reader->png, reader->info);
    nst_picture *picture = &reader->decoded.picture;
    size_t row_values = (size_t)picture->width * (size_t)picture->channels;
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < (size_t)picture->height; y++) {
            unsigned char *row = reader->rows + (passes > 1 ? y * row_bytes : 0);
            png_read_row(reader->png, row, NULL);
            if (pass == passes - 1) {
                convert_row(row, depth_bits, row_values, picture->values + y * row_values);
            }
        }
    }
}

/* libpng does not accept an eXIf chunk that begins with "Exif\0\0", as some have: it is kept as if it were unknown. */
static const png_byte exif_chunk[] = "eXIf";

/* EXIF and XMP lie in chunks of their own, or, from ImageMagick and others, in texts. */
static void take_metadata(struct png_reader *reader) {
    png_unknown_chunkp chunks = NULL;
    for (int i = png_get_unknown_chunks(reader->png, reader->info, &chunks); i > 0; i--, chunks++) {
        decoded_add_metadata(&reader->decoded, chunks->data, chunks->size);
    }
    png_textp texts = NULL;
    for (int i = png_get_text(reader->png, reader->info, &texts, NULL); i > 0; i--, texts++) {
        if (strcmp(texts->key, "XML:com.adobe.xmp") == 0) {
            decoded_add_metadata(&reader->decoded, (const unsigned char *)texts->text, strlen(texts->text));
        } else if (strncmp(texts->key, "Raw profile type ", 17) == 0) { /* exif, APP1, xmp, iptc */
            decoded_add_raw_profile(&reader->decoded, texts->text);
        }
    }
}

static nst_status fail_damaged(const struct png_reader *reader, nst_error *error) {
    if (strncmp(reader->message.text, "CgBI", 4) == 0) { /* the chunk that Xcode puts before IHDR */
        return fail(error, NST_ERROR_FORMAT, "%s is a picture in Apple's variant of PNG (CgBI); convert it to PNG",
                    reader->source->path);
    }
    return fail(error, NST_ERROR_FORMAT, "%s is a damaged PNG picture: %s", reader->source->path, reader->message.text);
}

/* Up to the last row. */
static nst_status decode_rows(struct png_reader *reader, nst_error *error) {
    png_structp png = reader->png;
    if (setjmp(png_jmpbuf(png))) {
        return fail_damaged(reader, error);
    }
    png_set_read_fn(png, reader, read_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours is checked below, and names the size */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS, exif_chunk, 1);
    png_read_info(png, reader->info);

    const png_uint_32 width = png_get_image_width(png, reader->info), height = png_get_image_height(png, reader->info);
    nst_status status = picture_check_header(reader->source->path, width, height, error);
    if (status) {
        return status;
    }
    bool is_gray = (png_get_color_type(png, reader->info) & PNG_COLOR_MASK_COLOR) == 0;
    reader->decoded.model = is_gray ? COLOR_GRAY : COLOR_RGB;
    set_transformations(png, reader->info);
    status =
        picture_create((int)width, (int)height, png_get_channels(png, reader->info), &reader->decoded.picture, error);
    if (status) {
        return status;
    }
    bool interlaced = png_get_interlace_type(png, reader->info) != PNG_INTERLACE_NONE;
    const size_t rows_bytes = png_get_rowbytes(png, reader->info) * (interlaced ? height : 1);
    reader->rows = calloc(rows_bytes, 1);
    if (!reader->rows) {
        return fail_memory(error, rows_bytes, "decoding a picture");
    }
    read_rows(reader);
    return NST_OK;
}

/* Whether an error came up within the picture's data: libpng checks the end of that only once all rows are there. */
static bool in_picture_data(png_structp png) {
    const png_uint_32 idat = 0x49444154; /* "IDAT" */
    return png_get_io_chunk_type(png) == idat && (png_get_io_state(png) & PNG_IO_MASK_LOC) != PNG_IO_CHUNK_HDR;
}

/* What is behind the last row: texts, the end. Damage there leaves the picture whole, unless it is that of its data. */
static nst_status read_end(struct png_reader *reader, nst_error *error) {
    if (setjmp(png_jmpbuf(reader->png))) {
        if (in_picture_data(reader->png)) {
            return fail_damaged(reader, error);
        }
        remark(reader->source->note, "%s is damaged behind its last row: %s", reader->source->path,
               reader->message.text);
        return NST_OK;
    }
    png_read_end(reader->png, reader->info);
    return NST_OK;
}

static nst_status decode(struct png_reader *reader, nst_error *error) {
    nst_status status = decode_rows(reader, error);
    if (!status) {
        status = read_end(reader, error);
    }
    if (status) {
        return status;
    }
    take_metadata(reader);
    return png_colors_find(reader->source, &reader->decoded, error);
}

static nst_status read_png(const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    nst_status status = NST_ERROR_MEMORY;
    struct png_reader reader = {.source = source, .end = find_end(source)};
    reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader.message, take_error, ignore_warning);
    reader.info = reader.png ? png_create_info_struct(reader.png) : NULL;
    if (reader.info) {
        status = decode(&reader, error);
    } else {
        fail(error, status, "not enough memory to read %s", source->path);
    }
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    free(reader.rows);
    if (!status) {
        *decoded = reader.decoded;
    } else {
        decoded_free(&reader.decoded);
    }
    return status;
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

struct png_writer {
    const nst_picture *picture;
    const struct picture_target *target;
    png_structp png;
    png_infop info;
    unsigned char *row;
    char *xmp, *iptc; /* as texts */
    png_text *texts;
    int text_count;
    struct png_message message;
};

static bool is_ascii(const char *text) {
    while (*text && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

/* True for UTF-8 (RFC 3629, less the check for overlong forms and surrogates, which do no harm here). */
static bool is_utf8(const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        int following = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : *at >= 0xe0 && *at < 0xf0 ? 2 : 3;
        if (*at >= 0xf5 || (*at >= 0x80 && *at < 0xc2)) {
            return false;
        }
        for (at++; following > 0; following--, at++) {
            if ((*at & 0xc0) != 0x80) {
                return false;
            }
        }
    }
    return true;
}

/* A tEXt chunk where that says it; iTXt, which is UTF-8, for the rest. Text that is no UTF-8 either (a file name in
 * another encoding) is kept byte by byte in a tEXt chunk. */
static nst_status prepare_texts(struct png_writer *writer, nst_error *error) {
    const nst_picture_format *format = writer->target->format;
    size_t count = format->text_count > 0 ? (size_t)format->text_count : 0;
    writer->texts = calloc(count + 2, sizeof *writer->texts); /* and what prepare_metadata adds */
    if (!writer->texts) {
        return fail_memory(error, (count + 2) * sizeof *writer->texts, "the texts in a picture");
    }
    writer->text_count = (int)count;
    for (size_t i = 0; i < count; i++) {
        const nst_picture_text *text = &format->texts[i];
        size_t length = strlen(text->keyword);
        if (length < 1 || length > 79 || !is_ascii(text->keyword)) {
            return fail(error, NST_ERROR_ARGUMENT,
                        "\"%s\" cannot be a keyword in a PNG file: expected 1 to 79 ASCII letters", text->keyword);
        }
        bool international = !is_ascii(text->value) && is_utf8(text->value);
        writer->texts[i].compression = international ? PNG_ITXT_COMPRESSION_NONE : PNG_TEXT_COMPRESSION_NONE;
        writer->texts[i].key = (char *)text->keyword; /* libpng copies them */
        writer->texts[i].text = (char *)text->value;
    }
    return NST_OK;
}

static void add_text(struct png_writer *writer, int compression, const char *keyword, const char *value) {
    writer->texts[writer->text_count++] =
        (png_text){.compression = compression, .key = (char *)keyword, .text = (char *)value};
}

/* IPTC as ImageMagick keeps it, since PNG has no place for it: see decoded_add_raw_profile. From malloc. */
static char *format_raw_profile(const nst_bytes *data) {
    enum { BYTES_A_LINE = 36 };
    size_t size = 64 + 2 * data->bytes + data->bytes / BYTES_A_LINE + 2;
    char *text = malloc(size), *end = text;
    if (!text) {
        return NULL;
    }
    end += snprintf(text, 64, "\niptc\n%8zu", data->bytes);
    for (size_t i = 0; i < data->bytes; i++) {
        end += snprintf(end, 4, "%s%02x", i % BYTES_A_LINE == 0 ? "\n" : "", data->data[i]);
    }
    end[0] = '\n';
    end[1] = '\0';
    return text;
}

/* XMP and IPTC, as texts; behind prepare_texts. */
static nst_status prepare_metadata(struct png_writer *writer, nst_error *error) {
    const nst_picture_metadata *metadata = writer->target->metadata;
    nst_bytes wrapped = {0};
    nst_status status = metadata_wrap_iptc(&metadata->iptc, &wrapped, error);
    if (!status && metadata->xmp.data) {
        writer->xmp = strndup((const char *)metadata->xmp.data, metadata->xmp.bytes);
        add_text(writer, PNG_ITXT_COMPRESSION_NONE, "XML:com.adobe.xmp", writer->xmp);
    }
    if (!status && wrapped.data) {
        writer->iptc = format_raw_profile(&wrapped);
        add_text(writer, PNG_TEXT_COMPRESSION_zTXt, "Raw profile type iptc", writer->iptc);
    }
    if ((metadata->xmp.data && !writer->xmp) || (wrapped.data && !writer->iptc)) {
        status = fail(error, NST_ERROR_MEMORY, "not enough memory to write %s", writer->target->path);
    }
    free(wrapped.data);
    return status;
}

static void set_colors_and_exif(struct png_writer *writer) {
    const nst_picture_metadata *metadata = writer->target->metadata;
    if (writer->target->is_srgb) {
        png_set_sRGB(writer->png, writer->info, PNG_sRGB_INTENT_PERCEPTUAL);
    } else {
        png_set_iCCP(writer->png, writer->info, "ICC profile", PNG_COMPRESSION_TYPE_BASE, metadata->profile.data,
                     (png_uint_32)metadata->profile.bytes);
    }
    if (metadata->exif.data) {
        png_set_eXIf_1(writer->png, writer->info, (png_uint_32)metadata->exif.bytes, metadata->exif.data);
    }
}

static void quantize_row(const float *values, size_t count, int depth_bits, unsigned char *row) {
    for (size_t i = 0; i < count; i++) {
        if (depth_bits == 16) {
            unsigned level = picture_quantize(values[i], 65535);
            *row++ = (unsigned char)(level >> 8);
            *row++ = (unsigned char)(level & 0xff);
        } else {
            *row++ = (unsigned char)picture_quantize(values[i], 255);
        }
    }
}

static nst_status encode(struct png_writer *writer, nst_error *error) {
    png_structp png = writer->png;
    const nst_picture *picture = writer->picture;
    const nst_picture_format *format = writer->target->format;
    if (setjmp(png_jmpbuf(png))) {
        if (ferror(writer->target->stream)) {
            return fail(error, NST_ERROR_FILE, "cannot write %s: %s", writer->target->path, strerror(errno));
        }
        return fail(error, NST_ERROR_FILE, "cannot write %s: %s", writer->target->path, writer->message.text);
    }
    png_init_io(png, writer->target->stream);
    png_set_IHDR(png, writer->info, (png_uint_32)picture->width, (png_uint_32)picture->height, format->depth_bits,
                 picture->channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    set_colors_and_exif(writer);
    png_set_text(png, writer->info, writer->texts, writer->text_count);
    png_write_info(png, writer->info);
    size_t row_values = (size_t)picture->width * (size_t)picture->channels;
    for (size_t y = 0; y < (size_t)picture->height; y++) {
        quantize_row(picture->values + y * row_values, row_values, format->depth_bits, writer->row);
        png_write_row(png, writer->row);
    }
    png_write_end(png, NULL); /* with the info, libpng 1.6.39 would write the EXIF data again */
    return NST_OK;
}

static nst_status write_png(const nst_picture *picture, const struct picture_target *target, nst_error *error) {
    int depth_bits = target->format->depth_bits;
    if (depth_bits != 8 && depth_bits != 16) {
        return fail(error, NST_ERROR_ARGUMENT, "a PNG picture cannot have %d bits per value: expected 8 or 16",
                    depth_bits);
    }
    struct png_writer writer = {.picture = picture, .target = target};
    nst_status status = prepare_texts(&writer, error);
    status = status ? status : prepare_metadata(&writer, error);
    if (status) {
        goto cleanup;
    }
    writer.row = malloc((size_t)picture->width * (size_t)picture->channels * 2);
    writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer.message, take_error, ignore_warning);
    writer.info = writer.png ? png_create_info_struct(writer.png) : NULL;
    if (writer.row && writer.info) {
        status = encode(&writer, error);
    } else {
        status = fail(error, NST_ERROR_MEMORY, "not enough memory to write %s", target->path);
    }
cleanup:
    png_destroy_write_struct(&writer.png, &writer.info);
    free(writer.texts);
    free(writer.xmp);
    free(writer.iptc);
    free(writer.row);
    return status;
}

const struct codec codec_png = {
    .name = "PNG",
    .endings = {".png"},
    .most_depth_bits = 16,
    .signatures = {{0, 4, "\x89PNG"}},
    .read = read_png,
    .write = write_png,
};
