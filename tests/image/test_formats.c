/* test_formats.c: the formats whose libraries may be missing, but TIFF. WebP comes back as it was written; HEIF, AVIF
 * and JPEG XL are read; what is damaged is refused. A format that was not built in has no
 * tests. */
#include "fixtures.h"
#include "format_case.h"
#include "image/codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = FORMAT_WIDTH, HEIGHT = FORMAT_HEIGHT };

static void kinds_are_listed(void **state) {
    (void)state;
    nst_picture_kind kind;
    assert_true(nst_picture_kind_at(0, &kind));
    assert_string_equal(kind.name, "PNG");
    assert_true(kind.is_read && kind.is_written);
    int count = 0;
    while (nst_picture_kind_at(count, &kind))
        count++;
    assert_true(count >= 2 && !nst_picture_kind_at(-1, &kind));
    nst_picture_format format = {.kind = "Jpg", .depth_bits = 16};
    assert_int_equal(nst_picture_check_writable(NULL, &format, NULL), NST_OK);
    format.depth_bits = 32;
    assert_int_equal(nst_picture_check_writable(NULL, &format, NULL), NST_ERROR_ARGUMENT);
    format.kind = "gif";
    assert_int_equal(nst_picture_check_writable("a.png", &format, NULL), NST_ERROR_ARGUMENT);
    format.kind = NULL;
    assert_int_equal(nst_picture_check_writable(NULL, &format, NULL), NST_ERROR_ARGUMENT);
}

/* ---- WebP ------------------------------------------------------------------------------------------------------ */

#ifdef NST_WEBP
#include <webp/encode.h>
#include <webp/mux.h>

static void webp_comes_back(void **state) {
    (void)state;
    for (int channels = 3; channels <= 4; channels++) {
        nst_picture picture = fixture_picture(WIDTH, HEIGHT, channels, 255);
        if (channels == 4)
            picture.values[3] = 0; /* its color stays */
        format_write(&picture, "a.webp", 8, 0, NULL);
        format_expect("a.webp", &picture, 0);
        format_write(&picture, "a.webp", 8, 90, NULL);
        format_expect("a.webp", &picture, 0.35); /* of another color beside */
        nst_picture_free(&picture);
    }
    format_check_metadata("told.webp", false);
    nst_picture wide;
    nst_error error;
    nst_picture_format format = {.webp_quality = 101};
    wide = fixture_picture(16384, 1, 3, 255);
    assert_int_equal(nst_picture_write(&wide, fixture_path("no.webp"), &format, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "quality 101"));
    format.webp_quality = 0;
    assert_int_equal(nst_picture_write(&wide, fixture_path("no.webp"), &format, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "16383"));
    nst_picture_free(&wide);
}

static void of_an_animation_the_first_picture_is_used(void **state) {
    (void)state;
    static uint8_t pixels[WIDTH * HEIGHT * 4];
    WebPAnimEncoder *encoder = WebPAnimEncoderNew(WIDTH, HEIGHT, NULL);
    assert_non_null(encoder);
    WebPConfig config;
    assert_true(WebPConfigInit(&config));
    config.lossless = config.exact = 1;
    for (int frame = 0; frame < 2; frame++) {
        WebPPicture picture;
        assert_true(WebPPictureInit(&picture));
        picture.use_argb = 1;
        picture.width = WIDTH;
        picture.height = HEIGHT;
        memset(pixels, frame ? 40 : 200, sizeof pixels);
        assert_true(WebPPictureImportRGBA(&picture, pixels, WIDTH * 4));
        assert_true(WebPAnimEncoderAdd(encoder, &picture, frame * 100, &config));
        WebPPictureFree(&picture);
    }
    WebPData file;
    assert_true(WebPAnimEncoderAdd(encoder, NULL, 200, NULL) && WebPAnimEncoderAssemble(encoder, &file));
    fixture_write("moving.webp", file.bytes, file.size);
    WebPDataClear(&file);
    WebPAnimEncoderDelete(encoder);
    nst_picture picture = fixture_read_damaged("moving.webp", "animation");
    assert_true(fabs(picture.values[0] - 200 / 255.0) < 1e-6);
    nst_picture_free(&picture);
    fixture_try_flipped_bytes("moving.webp");
}

static void damaged_webp_is_refused(void **state) {
    (void)state;
    for (int quality = 0; quality <= 90; quality += 90) {
        nst_picture picture = fixture_picture(WIDTH, HEIGHT, 4, 255);
        format_write(&picture, "damaged.webp", 8, quality, NULL);
        fixture_try_flipped_bytes("damaged.webp");
        size_t bytes;
        unsigned char *data = fixture_read("damaged.webp", &bytes);
        for (size_t kept = 12; kept < bytes; kept += 67) {
            fixture_write("cut.webp", data, kept);
            fixture_expect_failure("cut.webp", NST_ERROR_FORMAT, "damaged WebP picture", "");
        }
        free(data);
        nst_picture_free(&picture);
    }
}
#endif

/* ---- AVIF ------------------------------------------------------------------------------------------------------ */

#ifdef NST_HEIF
#include "image/heif_references.h"

#include <libheif/heif.h>

/* False if libheif has no encoder for it. */
static bool write_heif_file(const char *name, enum heif_compression_format kind, const nst_picture *picture) {
    struct heif_context *context = heif_context_alloc();
    struct heif_encoder *encoder = NULL;
    struct heif_image *image = NULL;
    if (heif_context_get_encoder_for_format(context, kind, &encoder).code != heif_error_Ok) {
        heif_context_free(context);
        return false;
    }
    bool has_alpha = picture->channels == 4;
    enum heif_chroma chroma = has_alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB;
    assert_int_equal(heif_image_create(picture->width, picture->height, heif_colorspace_RGB, chroma, &image).code, 0);
    assert_int_equal(heif_image_add_plane(image, heif_channel_interleaved, picture->width, picture->height, 8).code, 0);
    int stride;
    uint8_t *plane = heif_image_get_plane(image, heif_channel_interleaved, &stride);
    for (int y = 0; y < picture->height; y++)
        for (int i = 0; i < picture->width * picture->channels; i++)
            plane[y * stride + i] =
                (uint8_t)picture_quantize(picture->values[y * picture->width * picture->channels + i], 255);
    heif_encoder_set_lossy_quality(encoder, 95);
    assert_int_equal(heif_context_encode_image(context, image, encoder, NULL, NULL).code, 0);
    assert_int_equal(heif_context_write_to_file(context, fixture_path(name)).code, 0);
    heif_image_release(image);
    heif_encoder_release(encoder);
    heif_context_free(context);
    return true;
}

/* Of one color with a slope, since its chroma is stored at half size. */
static nst_picture make_slope(int channels) {
    nst_picture picture = fixture_picture(64, 48, channels, 255);
    for (int i = 0; i < 64 * 48; i++)
        for (int c = 0; c < channels; c++)
            picture.values[i * channels + c] = (float)(c == 3 ? 255 - i % 64 : 60 + 40 * c + i / 64) / 255.0f;
    return picture;
}

static void a_picture_of_itself_is_refused(void **state) {
    (void)state;
    /* ftyp, meta { pitm: 2, iref { dimg: 2 of 1 and 2 } } */
    static const uint8_t boxes[] = "\0\0\0\x14"
                                   "ftypheic\0\0\0\0mif1"
                                   "\0\0\0\x36"
                                   "meta\0\0\0\0"
                                   "\0\0\0\x0e"
                                   "pitm\0\0\0\0\0\2"
                                   "\0\0\0\x1c"
                                   "iref\0\0\0\0"
                                   "\0\0\0\x10"
                                   "dimg\0\2\0\2\0\1\0\2";
    enum { BYTES = sizeof boxes - 1, LAST_PART = BYTES - 1 };
    uint8_t changed[BYTES];
    memcpy(changed, boxes, BYTES);
    assert_true(heif_is_nested_too_deep(changed, BYTES));
    changed[LAST_PART] = 3; /* of 1 and 3 */
    assert_false(heif_is_nested_too_deep(changed, BYTES));
    for (size_t bytes = 0; bytes < BYTES - 1; ++bytes) { /* whatever is cut off, nothing is read behind the end */
        uint8_t *cut = malloc(bytes + 1);
        memcpy(cut, boxes, bytes);
        heif_is_nested_too_deep(cut, bytes);
        free(cut);
    }
    fixture_write("itself.heic", boxes, BYTES);
    nst_picture picture = {0};
    nst_error error;
    assert_int_equal(nst_picture_read(fixture_path("itself.heic"), &picture, NULL, &error), NST_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "made of itself"));
}

static void avif_and_heif_are_read(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum heif_compression_format kind;
    } kinds[] = {{"a.avif", heif_compression_AV1}, {"a.heic", heif_compression_HEVC}};
    int read = 0;
    for (int i = 0; i < 2; i++)
        for (int channels = 3; channels <= 4; channels++) {
            nst_picture picture = make_slope(channels);
            if (write_heif_file(kinds[i].name, kinds[i].kind, &picture)) {
                format_expect(kinds[i].name, &picture, 0.03);
                read++;
            }
            nst_picture_free(&picture);
        }
    if (read == 0)
        print_message("libheif has no encoder: nothing to read\n");
}

static void damaged_avif_is_refused(void **state) {
    (void)state;
    nst_picture picture = make_slope(3);
    if (write_heif_file("damaged.avif", heif_compression_AV1, &picture)) {
        size_t bytes;
        unsigned char *data = fixture_read("damaged.avif", &bytes);
        for (size_t kept = 12; kept < bytes; kept += 37) {
            fixture_write("cut.avif", data, kept);
            fixture_expect_failure("cut.avif", NST_ERROR_FORMAT, "AVIF", "");
        }
        free(data);
    }
    nst_picture_free(&picture);
}
#endif

/* ---- JPEG XL --------------------------------------------------------------------------------------------------- */

#ifdef NST_JPEG_XL
#include <jxl/encode.h>

/* Lossless, in the library's container if that is asked for. */
static void write_jxl_file(const char *name, const nst_picture *picture, bool in_container) {
    static uint8_t pixels[WIDTH * HEIGHT * 8], file[1 << 16];
    size_t count = (size_t)WIDTH * HEIGHT * (size_t)picture->channels;
    JxlEncoder *encoder = JxlEncoderCreate(NULL);
    assert_non_null(encoder);
    JxlEncoderUseContainer(encoder, in_container);
    JxlBasicInfo info;
    JxlEncoderInitBasicInfo(&info);
    info.xsize = WIDTH;
    info.ysize = HEIGHT;
    info.bits_per_sample = 16;
    info.num_extra_channels = picture->channels == 4;
    info.alpha_bits = picture->channels == 4 ? 16 : 0;
    info.uses_original_profile = JXL_TRUE;
    assert_int_equal(JxlEncoderSetBasicInfo(encoder, &info), JXL_ENC_SUCCESS);
    JxlColorEncoding colors;
    JxlColorEncodingSetToSRGB(&colors, JXL_FALSE);
    assert_int_equal(JxlEncoderSetColorEncoding(encoder, &colors), JXL_ENC_SUCCESS);
    JxlEncoderFrameSettings *settings = JxlEncoderFrameSettingsCreate(encoder, NULL);
    JxlEncoderSetFrameLossless(settings, JXL_TRUE);
    for (size_t i = 0; i < count; i++) {
        unsigned level = picture_quantize(picture->values[i], 65535);
        pixels[2 * i] = (uint8_t)(level & 0xff);
        pixels[2 * i + 1] = (uint8_t)(level >> 8);
    }
    const JxlPixelFormat format = {(uint32_t)picture->channels, JXL_TYPE_UINT16, JXL_LITTLE_ENDIAN, 0};
    assert_int_equal(JxlEncoderAddImageFrame(settings, &format, pixels, count * 2), JXL_ENC_SUCCESS);
    JxlEncoderCloseInput(encoder);
    uint8_t *next = file;
    size_t room = sizeof file;
    assert_int_equal(JxlEncoderProcessOutput(encoder, &next, &room), JXL_ENC_SUCCESS);
    fixture_write(name, file, (size_t)(next - file));
    JxlEncoderDestroy(encoder);
}

static void jpeg_xl_is_read(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        nst_picture picture = fixture_picture(WIDTH, HEIGHT, 3 + i % 2, 65535);
        write_jxl_file("a.jxl", &picture, i / 2);
        format_expect("a.jxl", &picture, 1e-6);
        nst_picture_free(&picture);
    }
}

static void damaged_jpeg_xl_is_refused(void **state) {
    (void)state;
    nst_picture picture = fixture_picture(WIDTH, HEIGHT, 3, 255);
    write_jxl_file("damaged.jxl", &picture, false);
    size_t bytes;
    unsigned char *data = fixture_read("damaged.jxl", &bytes);
    for (size_t kept = 12; kept + 8 < bytes; kept += 53) {
        fixture_write("cut.jxl", data, kept);
        fixture_expect_failure("cut.jxl", NST_ERROR_FORMAT, "damaged JPEG XL picture", "");
    }
    free(data);
    fixture_try_flipped_bytes("damaged.jxl");
    nst_picture_free(&picture);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_listed),
#ifdef NST_WEBP
        cmocka_unit_test(webp_comes_back),         cmocka_unit_test(of_an_animation_the_first_picture_is_used),
        cmocka_unit_test(damaged_webp_is_refused),
#endif
#ifdef NST_HEIF
        cmocka_unit_test(avif_and_heif_are_read),  cmocka_unit_test(a_picture_of_itself_is_refused),
        cmocka_unit_test(damaged_avif_is_refused),
#endif
#ifdef NST_JPEG_XL
        cmocka_unit_test(jpeg_xl_is_read),         cmocka_unit_test(damaged_jpeg_xl_is_refused),
#endif
    };
    return cmocka_run_group_tests_name("image.formats", tests, fixture_folder_create, fixture_folder_remove);
}
