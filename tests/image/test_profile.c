/* test_profile.c: files say in many ways what their values mean as colors; all become sRGB, by a computation in double
 * precision here, and what is written says what it is. */
#include "color_reference.h"
#include "corpus.h"
#include "fixtures.h"
#include "image/codec.h"
#include "image/color_profile.h"
#include "image/png_colors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <lcms2.h>
#include <png.h>
#include <zlib.h>

/* ICC's numbers have 16 bits behind the point: what is left of them after a matrix and its inverse. */
#define NEAR 5e-4

static const struct color_space display_p3 = {
    .name = "P3",
    .red = {0.680, 0.320},
    .green = {0.265, 0.690},
    .blue = {0.150, 0.060},
    .white = {0.3127, 0.3290},
    .transfer = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045},
};

/* ---- Files ----------------------------------------------------------------------------------------------------- */

enum { WIDTH = 6, HEIGHT = 6 };

static unsigned char samples[WIDTH * HEIGHT * 4];

/* Colors of every kind; with `channels` 1, grays. */
static void make_samples(int channels) {
    for (int i = 0; i < WIDTH * HEIGHT * channels; i++)
        samples[i] = (unsigned char)((i * 89 + i / 7 * 31) % 256);
}

static void write_png_file(const char *name, int color_type) {
    FILE *stream = fopen(fixture_path(name), "wb");
    assert_non_null(stream);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    int channels = color_type == PNG_COLOR_TYPE_RGB_ALPHA ? 4 : color_type == PNG_COLOR_TYPE_GRAY ? 1 : 3;
    make_samples(channels);
    png_init_io(png, stream);
    png_set_IHDR(png, info, WIDTH, HEIGHT, 8, color_type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < HEIGHT; y++)
        png_write_row(png, samples + y * WIDTH * channels);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(stream);
}

/* Without loss: of one color for all pixels of a block. */
static void write_jpeg_file(const char *name, int components) {
    static unsigned char flat[16 * 16 * 4];
    for (int i = 0; i < 16 * 16 * components; i++)
        flat[i] = (unsigned char)(60 + 45 * (i % components));
    J_COLOR_SPACE space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
    struct fixture_jpeg kind = {.width = 16,
                                .height = 16,
                                .components = components,
                                .color_space = space,
                                .file_color_space = space,
                                .samples = flat};
    fixture_write_jpeg(name, &kind);
}

static void keep_for_fuzzing(const nst_bytes *profile) {
    fixture_write("profile.icc", profile->data, profile->bytes);
    corpus_keep(fixture_path("profile.icc"));
}

static nst_bytes make_profile(const struct color_space *space) {
    nst_bytes profile;
    assert_int_equal(color_profile_create(space, &profile, NULL), NST_OK);
    keep_for_fuzzing(&profile);
    return profile;
}

static void insert_profile_marker(const char *name, const nst_bytes *profile) {
    static unsigned char segment[65533] = "ICC_PROFILE";
    assert_true(profile->bytes <= sizeof segment - 14);
    segment[12] = segment[13] = 1; /* the first of one */
    memcpy(segment + 14, profile->data, profile->bytes);
    fixture_insert_marker(name, 0xe2, segment, 14 + profile->bytes);
}

static void insert_profile_chunk(const char *name, const nst_bytes *profile) {
    unsigned char chunk[20000] = "name";
    uLongf bytes = sizeof chunk - 6;
    assert_int_equal(compress(chunk + 6, &bytes, profile->data, profile->bytes), Z_OK);
    fixture_insert_chunk(name, "iCCP", chunk, bytes + 6);
}

/* ---- What is expected ------------------------------------------------------------------------------------------ */

static void expect_converted(const char *name, const struct color_space *space, int channels) {
    nst_picture picture = fixture_read_picture(name);
    assert_int_equal(picture.channels, channels == 4 ? 4 : 3);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        double color[3], expected[3];
        for (int c = 0; c < 3; c++)
            color[c] = samples[i * channels + (channels == 1 ? 0 : c)] / 255.0;
        reference_to_srgb(space, color, expected);
        for (int c = 0; c < 3; c++) {
            double found = picture.values[i * picture.channels + c];
            if (fabs(found - expected[c]) > NEAR)
                fail_msg("%s, pixel %d, channel %d: %f, not %f", name, i, c, found, expected[c]);
        }
        if (channels == 4)
            assert_true(picture.values[i * 4 + 3] == (float)samples[i * 4 + 3] / 255.0f);
    }
    nst_picture_free(&picture);
}

/* The values of the file, to the last bit. */
static void expect_unchanged(const char *name) {
    nst_picture picture = fixture_read_picture(name);
    for (int i = 0; i < WIDTH * HEIGHT * picture.channels; i++)
        assert_true(picture.values[i] == (float)samples[i] / 255.0f);
    nst_picture_free(&picture);
}

/* ---- ICC profiles ---------------------------------------------------------------------------------------------- */

static void profiles_are_honored(void **state) {
    (void)state;
    static const int types[] = {PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA, PNG_COLOR_TYPE_GRAY};
    static const int channels[] = {3, 4, 1};
    const struct color_space *const spaces[] = {&display_p3, &color_space_adobe_rgb};
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < 3; i++) {
            nst_bytes profile = make_profile(spaces[s]);
            write_png_file("icc.png", types[i]);
            insert_profile_chunk("icc.png", &profile);
            expect_converted("icc.png", spaces[s], channels[i]);
            free(profile.data);
        }
}

static void profiles_of_srgb_change_nothing(void **state) {
    (void)state;
    nst_bytes profile = make_profile(&color_space_srgb);
    static const int types[] = {PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    for (int i = 0; i < 2; i++) {
        write_png_file("srgb.png", types[i]);
        expect_unchanged("srgb.png");
        insert_profile_chunk("srgb.png", &profile);
        expect_unchanged("srgb.png");
    }
    free(profile.data);
}

/* The color of a flat JPEG file. */
static void read_flat(const char *name, double color[3]) {
    nst_picture picture = fixture_read_picture(name);
    for (int c = 0; c < 3; c++)
        color[c] = picture.values[c];
    nst_picture_free(&picture);
}

static void profiles_in_jpeg_are_honored(void **state) {
    (void)state;
    double before[3], expected[3], found[3];
    for (int components = 1; components <= 3; components += 2) {
        nst_bytes profile = make_profile(&display_p3);
        write_jpeg_file("icc.jpg", components);
        read_flat("icc.jpg", before);
        reference_to_srgb(&display_p3, before, expected);
        insert_profile_marker("icc.jpg", &profile);
        read_flat("icc.jpg", found);
        for (int c = 0; c < 3; c++)
            assert_true(fabs(found[c] - expected[c]) < NEAR);
        free(profile.data);
    }
}

static nst_bytes save_profile(cmsHPROFILE handle) {
    cmsUInt32Number bytes = 0;
    assert_true(handle && cmsSaveProfileToMem(handle, NULL, &bytes));
    nst_bytes profile = {malloc(bytes), bytes};
    assert_true(profile.data && cmsSaveProfileToMem(handle, profile.data, &bytes));
    cmsCloseProfile(handle);
    keep_for_fuzzing(&profile);
    return profile;
}

static nst_bytes make_gray_profile(double gamma) {
    cmsToneCurve *curve = cmsBuildGamma(NULL, gamma);
    cmsHPROFILE handle = cmsCreateGrayProfile(cmsD50_xyY(), curve);
    cmsFreeToneCurve(curve);
    return save_profile(handle);
}

static void gray_profiles_are_honored(void **state) {
    (void)state;
    struct color_space linear = color_space_srgb;
    linear.transfer = (struct transfer_function){.gamma = 1.5, .scale = 1};
    nst_bytes profile = make_gray_profile(1.5);
    write_png_file("gray.png", PNG_COLOR_TYPE_GRAY);
    insert_profile_chunk("gray.png", &profile);
    expect_converted("gray.png", &linear, 1);
    free(profile.data);
}

/* Inks of an invented press: L = 100 (1 - C / 2) (1 - K), a and b from magenta and yellow. */
static cmsInt32Number print_inks(const cmsUInt16Number inks[], cmsUInt16Number lab[], void *unused) {
    (void)unused;
    double c = inks[0] / 65535.0, m = inks[1] / 65535.0, y = inks[2] / 65535.0, k = inks[3] / 65535.0;
    cmsCIELab color = {100 * (1 - c / 2) * (1 - k), 20 * m, 20 * y};
    cmsFloat2LabEncoded(lab, &color);
    return TRUE;
}

static nst_bytes make_cmyk_profile(void) {
    cmsHPROFILE handle = cmsCreateProfilePlaceholder(NULL);
    cmsPipeline *pipeline = cmsPipelineAlloc(NULL, 4, 3);
    cmsStage *table = cmsStageAllocCLut16bit(NULL, 9, 4, 3, NULL);
    assert_true(handle && pipeline && table);
    cmsSetProfileVersion(handle, 4.3);
    cmsSetDeviceClass(handle, cmsSigOutputClass);
    cmsSetColorSpace(handle, cmsSigCmykData);
    cmsSetPCS(handle, cmsSigLabData);
    assert_true(cmsStageSampleCLut16bit(table, print_inks, NULL, 0));
    assert_true(cmsPipelineInsertStage(pipeline, cmsAT_END, cmsStageAllocToneCurves(NULL, 4, NULL)));
    assert_true(cmsPipelineInsertStage(pipeline, cmsAT_END, table));
    assert_true(cmsPipelineInsertStage(pipeline, cmsAT_END, cmsStageAllocToneCurves(NULL, 3, NULL)));
    assert_true(cmsWriteTag(handle, cmsSigAToB0Tag, pipeline));
    cmsPipelineFree(pipeline);
    return save_profile(handle);
}

static void cmyk_profiles_are_honored(void **state) {
    (void)state;
    nst_bytes profile = make_cmyk_profile();
    write_jpeg_file("cmyk.jpg", 4);
    double naive[3], expected[3], found[3];
    read_flat("cmyk.jpg", naive);
    insert_profile_marker("cmyk.jpg", &profile);
    read_flat("cmyk.jpg", found);
    /* libjpeg marks CMYK as Adobe does, inverted: 255 - 60, 255 - 105, 255 - 150, 255 - 195. */
    double c = 195 / 255.0, m = 150 / 255.0, y = 105 / 255.0, k = 60 / 255.0;
    const double lab[3] = {100 * (1 - c / 2) * (1 - k), 20 * m, 20 * y};
    reference_lab_to_srgb(lab, expected);
    for (int i = 0; i < 3; i++)
        if (fabs(found[i] - expected[i]) > 0.01 || fabs(found[i] - naive[i]) < 0.02)
            fail_msg("channel %d: %f, expected %f, without profile %f", i, found[i], expected[i], naive[i]);
    free(profile.data);
}

static void broken_profiles_are_passed_over(void **state) {
    (void)state;
    nst_bytes rgb = make_profile(&display_p3), gray = make_gray_profile(1.8), cmyk = make_cmyk_profile();
    const struct {
        nst_bytes profile;
        const char *reason;
    } cases[] = {
        {{(unsigned char *)"nonsense", 8}, "color profile"},
        {{rgb.data, 100}, "color profile"},
        {{rgb.data, rgb.bytes / 2}, "color profile"},
        {gray, "another kind of colors"},
        {cmyk, "another kind of colors"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_png_file("broken.png", PNG_COLOR_TYPE_RGB);
        insert_profile_chunk("broken.png", &cases[i].profile);
        nst_picture picture = fixture_read_damaged("broken.png", cases[i].reason);
        for (int k = 0; k < WIDTH * HEIGHT * 3; k++)
            assert_true(picture.values[k] == (float)samples[k] / 255.0f);
        nst_picture_free(&picture);
    }
    write_png_file("broken.png", PNG_COLOR_TYPE_RGB);
    fixture_insert_chunk("broken.png", "iCCP", "name\0\0not a stream", 19);
    nst_picture picture = fixture_read_damaged("broken.png", "color profile");
    nst_picture_free(&picture);
    write_jpeg_file("broken.jpg", 3);
    fixture_insert_marker("broken.jpg", 0xe2, "ICC_PROFILE\0\1\2....", 18);
    picture = fixture_read_damaged("broken.jpg", "color profile lacks parts");
    nst_picture_free(&picture);
    free(rgb.data);
    free(gray.data);
    free(cmyk.data);
}

/* ---- Adobe RGB by EXIF ----------------------------------------------------------------------------------------- */

/* EXIF data with a color space and an interoperability index, as cameras write them. */
static void insert_camera_exif(const char *name, int color_space, const char *index) {
    unsigned char data[] = "Exif\0\0MM\0*\0\0\0\x08"                                                          /* 6 */
                           "\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0"                                 /* 14 */
                           "\0\x02\xa0\x01\0\x03\0\0\0\x01\0\0\0\0\xa0\x05\0\x04\0\0\0\x01\0\0\0\x38\0\0\0\0" /* 32 */
                           "\0\x01\0\x01\0\x02\0\0\0\x04R00\0\0\0\0";                                         /* 62 */
    data[32 + 10] = (unsigned char)(color_space >> 8);
    data[32 + 11] = (unsigned char)(color_space & 0xff);
    memcpy(data + 62 + 10, index, 3);
    fixture_insert_marker(name, 0xe1, data, sizeof data);
}

static void adobe_rgb_by_exif_is_understood(void **state) {
    (void)state;
    static const struct {
        int color_space;
        const char *index;
        bool is_adobe;
    } cases[] = {{65535, "R03", true}, {65535, "R98", false}, {1, "R03", false}, {1, "R98", false}};
    double before[3], expected[3], found[3];
    write_jpeg_file("plain.jpg", 3);
    read_flat("plain.jpg", before);
    reference_to_srgb(&color_space_adobe_rgb, before, expected);
    for (int i = 0; i < 4; i++) {
        write_jpeg_file("camera.jpg", 3);
        insert_camera_exif("camera.jpg", cases[i].color_space, cases[i].index);
        read_flat("camera.jpg", found);
        for (int c = 0; c < 3; c++)
            assert_true(fabs(found[c] - (cases[i].is_adobe ? expected[c] : before[c])) < NEAR);
    }
    assert_true(fabs(before[0] - expected[0]) > 0.01);
    nst_bytes profile = make_profile(&color_space_srgb); /* a profile goes before EXIF */
    insert_profile_marker("camera.jpg", &profile);
    read_flat("camera.jpg", found);
    assert_memory_equal(found, before, sizeof found);
    free(profile.data);
}

/* ---- PNG ------------------------------------------------------------------------------------------------------- */

static void put_number(unsigned char *to, double value) {
    uint32_t number = (uint32_t)lrint(value * 100000);
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(number >> (24 - 8 * i));
}

static void insert_gamma(const char *name, double gamma) {
    unsigned char chunk[4];
    put_number(chunk, gamma);
    fixture_insert_chunk(name, "gAMA", chunk, 4);
}

static void insert_primaries(const char *name, const struct color_space *space) {
    unsigned char chunk[32];
    const double *const points[] = {space->white, space->red, space->green, space->blue};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++)
            put_number(chunk + 8 * i + 4 * k, points[i][k]);
    fixture_insert_chunk(name, "cHRM", chunk, 32);
}

static void gamma_and_primaries_are_honored(void **state) {
    (void)state;
    struct color_space wide = color_space_adobe_rgb;
    wide.transfer = (struct transfer_function){.gamma = 1 / 0.7, .scale = 1};
    write_png_file("gamma.png", PNG_COLOR_TYPE_RGB);
    insert_gamma("gamma.png", 0.7);
    struct color_space plain = color_space_srgb;
    plain.transfer = wide.transfer;
    expect_converted("gamma.png", &plain, 3);
    insert_primaries("gamma.png", &wide);
    expect_converted("gamma.png", &wide, 3);

    write_png_file("gamma.png", PNG_COLOR_TYPE_RGB); /* what stands for sRGB */
    insert_gamma("gamma.png", 0.45455);
    expect_unchanged("gamma.png");
    insert_primaries("gamma.png", &color_space_srgb);
    expect_unchanged("gamma.png");

    struct color_space line = color_space_srgb; /* what cannot be */
    line.green[0] = line.red[0], line.green[1] = line.red[1];
    static const double bad_gammas[] = {0, 0.001, 1000};
    for (int i = 0; i < 3; i++) {
        write_png_file("gamma.png", PNG_COLOR_TYPE_RGB);
        insert_gamma("gamma.png", bad_gammas[i]);
        expect_unchanged("gamma.png");
    }
    write_png_file("gamma.png", PNG_COLOR_TYPE_RGB);
    insert_primaries("gamma.png", &line);
    nst_picture picture;
    assert_int_equal(nst_picture_read(fixture_path("gamma.png"), &picture, NULL, NULL), NST_OK);
    nst_picture_free(&picture);
}

/* Each chunk is inserted before those of lower rank and behind: the order in the file does not matter. */
static void chunks_have_their_precedence(void **state) {
    (void)state;
    static const unsigned char p3_codes[] = {12, 13, 0, 1}, srgb_codes[] = {1, 13, 0, 1};
    nst_bytes adobe = make_profile(&color_space_adobe_rgb);
    struct color_space linear = color_space_srgb;
    linear.transfer = (struct transfer_function){.gamma = 1, .scale = 1};
    for (int reversed = 0; reversed < 2; reversed++)
        for (int kinds = 1; kinds < 16; kinds++) { /* bits: gAMA, sRGB, iCCP, cICP */
            write_png_file("many.png", PNG_COLOR_TYPE_RGB);
            for (int i = 0; i < 4; i++) {
                int kind = reversed ? 3 - i : i;
                if (!(kinds & 1 << kind))
                    continue;
                if (kind == 0)
                    insert_gamma("many.png", 1);
                else if (kind == 1)
                    fixture_insert_chunk("many.png", "sRGB", "", 1);
                else if (kind == 2)
                    insert_profile_chunk("many.png", &adobe);
                else
                    fixture_insert_chunk("many.png", "cICP", p3_codes, 4);
            }
            expect_converted("many.png",
                             kinds & 8   ? &display_p3
                             : kinds & 4 ? &color_space_adobe_rgb
                             : kinds & 2 ? &color_space_srgb
                                         : &linear,
                             3);
        }
    write_png_file("many.png", PNG_COLOR_TYPE_RGB);
    insert_profile_chunk("many.png", &adobe);
    fixture_insert_chunk("many.png", "cICP", srgb_codes, 4);
    expect_unchanged("many.png");
    free(adobe.data);
}

static void unknown_code_points_are_told(void **state) {
    (void)state;
    static const unsigned char codes[][4] = {{9, 16, 0, 1}, {9, 18, 0, 1}, {2, 2, 0, 1}, {255, 13, 0, 1}};
    for (int i = 0; i < 4; i++) {
        write_png_file("codes.png", PNG_COLOR_TYPE_RGB);
        fixture_insert_chunk("codes.png", "cICP", codes[i], 4);
        nst_picture picture = fixture_read_damaged("codes.png", i < 2 ? "high dynamic range" : "H.273");
        nst_picture_free(&picture);
    }
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

static void results_are_tagged(void **state) {
    (void)state;
    static const char *const names[] = {"tagged.png", "tagged.jpg"};
    nst_bytes srgb = make_profile(&color_space_srgb), p3 = make_profile(&display_p3);
    for (int i = 0; i < 2; i++)
        for (int kept = 0; kept < 2; kept++) {
            nst_picture picture = fixture_picture(40, 40, 3, 255), found;
            nst_picture_metadata metadata = {.profile = kept ? p3 : (nst_bytes){0}}, read = {0};
            nst_picture_format format = {.depth_bits = 16, .jpeg_quality = 100, .metadata = &metadata};
            assert_int_equal(nst_picture_check_profile(&metadata, NULL), NST_OK);
            assert_int_equal(nst_picture_write(&picture, fixture_path(names[i]), &format, NULL), NST_OK);
            assert_int_equal(nst_picture_read_with_metadata(fixture_path(names[i]), &found, &read, NULL, NULL), NST_OK);
            for (int k = 0; k < 40 * 40 * 3; k++)
                if (fabs(found.values[k] - picture.values[k]) > (i == 0 ? 1e-4 : 0.06))
                    fail_msg("%s, value %d: %f, not %f", names[i], k, found.values[k], picture.values[k]);
            const nst_bytes *tag = kept ? &p3 : &srgb;
            if (i == 0 && !kept) {
                assert_null(read.profile.data); /* an sRGB chunk, which says it as well */
            } else {
                assert_int_equal(read.profile.bytes, tag->bytes);
                assert_memory_equal(read.profile.data, tag->data, tag->bytes);
            }
            nst_picture_metadata_free(&read);
            nst_picture_free(&found);
            nst_picture_free(&picture);
        }
    free(srgb.data);
    free(p3.data);
}

static void profiles_that_cannot_hold_a_result_are_refused(void **state) {
    (void)state;
    nst_bytes bad[] = {make_gray_profile(2), make_cmyk_profile()};
    for (int i = 0; i < 2; i++) {
        nst_picture_metadata metadata = {.profile = bad[i]};
        nst_error error = {0};
        assert_int_equal(nst_picture_check_profile(&metadata, &error), NST_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "--keep-profile"));
        free(bad[i].data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_are_honored),
        cmocka_unit_test(profiles_of_srgb_change_nothing),
        cmocka_unit_test(profiles_in_jpeg_are_honored),
        cmocka_unit_test(gray_profiles_are_honored),
        cmocka_unit_test(cmyk_profiles_are_honored),
        cmocka_unit_test(broken_profiles_are_passed_over),
        cmocka_unit_test(adobe_rgb_by_exif_is_understood),
        cmocka_unit_test(gamma_and_primaries_are_honored),
        cmocka_unit_test(chunks_have_their_precedence),
        cmocka_unit_test(unknown_code_points_are_told),
        cmocka_unit_test(results_are_tagged),
        cmocka_unit_test(profiles_that_cannot_hold_a_result_are_refused),
    };
    return cmocka_run_group_tests_name("image.profile", tests, fixture_folder_create, fixture_folder_remove);
}
