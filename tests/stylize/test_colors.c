/* test_colors.c: which colors a job paints in (stylize/job_colors.c): every choice gives the pixels that come from changing
 * the pictures by hand, in every preset, over two scales, with several styles and with alpha. */
#include "jobs.h"

#include "image/chroma.h"
#include "image/picture.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 52, HEIGHT = 40 };

/* Content, styles, and the picture to begin with. */
struct pictures {
    nst_picture content, styles[2], init;
};

static void make_pictures(struct pictures *pictures, int channels) {
    *pictures = (struct pictures){.content = make_hills(WIDTH, HEIGHT, channels),
                                  .styles = {make_stripes(48, 48), make_hills(44, 60, channels)},
                                  .init = make_hills(30, 30, 3)};
    for (int i = 0; i < WIDTH * HEIGHT; ++i) { /* so that nothing is hidden: hidden colors are filled first */
        float *pixel = pictures->content.values + i * channels;
        pixel[channels - 1] = channels == 4 ? 0.25f + 0.5f * pixel[3] : pixel[channels - 1];
    }
    for (int i = 0; i < 44 * 60 && channels == 4; ++i) {
        pictures->styles[1].values[4 * i + 3] = i % 44 < 22 ? 1 : 0.1f;
    }
}

static void free_pictures(struct pictures *pictures) {
    nst_picture_free(&pictures->content);
    nst_picture_free(&pictures->styles[0]);
    nst_picture_free(&pictures->styles[1]);
    nst_picture_free(&pictures->init);
}

static nst_settings settings_of(const char *preset, nst_colors colors) {
    nst_settings usual = small_settings(2), settings;
    nst_error error;
    check(nst_settings_init(&settings, preset, &error), &error);
    settings.size_px = 44;
    settings.scale_count = 2;
    settings.iteration_count = 1;
    settings.iterations[0] = 2;
    settings.style_layers = usual.style_layers;
    settings.content_layers = settings.content_layers.count ? usual.content_layers : settings.content_layers;
    settings.init = NST_INIT_PICTURE;
    settings.style_blend[0] = 3;
    settings.style_blend[1] = 1;
    settings.style_blend_count = 2;
    settings.colors = colors;
    return settings;
}

/* The picture that a job makes; free with nst_picture_free. */
static nst_picture paint(nst_context *context, const nst_settings *settings, const struct pictures *pictures) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    struct job_record record = {0};
    nst_job_pictures given = {
        .content = &pictures->content, .styles = pictures->styles, .style_count = 2, .init = &pictures->init};
    run_job(context, network, settings, &given, &record);
    check(record.status, &record.error);
    random_network_free(network);
    return record.picture;
}

/* The content in the size of a picture. */
static nst_picture content_at(const struct pictures *pictures, const nst_picture *picture) {
    nst_picture content;
    nst_error error;
    check(picture_resize(&pictures->content, picture->width, picture->height, RESIZE_LANCZOS3, &content, &error),
          &error);
    return content;
}

/* What each choice means, step by step. */
static nst_picture paint_by_hand(nst_context *context, const char *preset, nst_colors colors,
                                 const struct pictures *pictures, int channels) {
    struct pictures changed;
    make_pictures(&changed, channels);
    struct color_moments wanted = color_moments_of(&changed.content), palettes[2], palette;
    for (int i = 0; i < 2; ++i) {
        struct color_moments found = color_moments_of(&changed.styles[i]);
        struct color_map map = color_map_between(&found, &wanted);
        assert_int_equal(picture_chroma_moments(&changed.styles[i], &palettes[i], NULL), NST_OK);
        if (colors == NST_COLORS_MATCH) {
            picture_map_colors(&changed.styles[i], &map);
        }
        if (colors == NST_COLORS_LUMINANCE) {
            picture_make_gray(&changed.styles[i]);
        }
    }
    if (colors == NST_COLORS_LUMINANCE) {
        picture_make_gray(&changed.content);
        picture_make_gray(&changed.init);
    }
    nst_settings settings = settings_of(preset, NST_COLORS_STYLE);
    nst_picture picture = paint(context, &settings, &changed), content = content_at(pictures, &picture);
    if (colors == NST_COLORS_CONTENT || colors == NST_COLORS_LUMINANCE) {
        assert_int_equal(picture_take_chroma(&picture, &content, NULL), NST_OK);
    }
    if (colors == NST_COLORS_PALETTE) {
        palette = color_moments_mix(palettes, (double[]){0.75, 0.25}, 2);
        assert_int_equal(picture_take_palette(&picture, &content, &palette, NULL), NST_OK);
    }
    nst_picture_free(&content);
    free_pictures(&changed);
    return picture;
}

static void colors_are_those_of_the_steps_by_hand(void **state) {
    nst_preset preset;
    for (int p = 0; nst_preset_at(p, &preset); ++p) {
        for (int colors = NST_COLORS_STYLE; colors <= NST_COLORS_PALETTE; ++colors) {
            int channels = 3 + (p + colors) % 2;
            struct pictures pictures;
            make_pictures(&pictures, channels);
            nst_settings settings = settings_of(preset.name, (nst_colors)colors);
            nst_picture found = paint(*state, &settings, &pictures);
            nst_picture wanted = paint_by_hand(*state, preset.name, (nst_colors)colors, &pictures, channels);
            assert_in_unit_range(&found);
            assert_int_equal(found.channels, channels);
            assert_true(same_pixels(&found, &wanted));
            nst_picture_free(&found);
            nst_picture_free(&wanted);
            free_pictures(&pictures);
        }
    }
}

/* No two choices give the same picture. */
static void choices_differ(void **state) {
    nst_picture painted[NST_COLORS_PALETTE + 1];
    struct pictures pictures;
    make_pictures(&pictures, 3);
    for (int colors = NST_COLORS_STYLE; colors <= NST_COLORS_PALETTE; ++colors) {
        nst_settings settings = settings_of(NULL, (nst_colors)colors);
        painted[colors] = paint(*state, &settings, &pictures);
        for (int other = NST_COLORS_STYLE; other < colors; ++other) {
            assert_false(same_pixels(&painted[colors], &painted[other]));
        }
    }
    for (int colors = NST_COLORS_STYLE; colors <= NST_COLORS_PALETTE; ++colors) {
        nst_picture_free(&painted[colors]);
    }
    free_pictures(&pictures);
}

/* A style of one color, a gray one, a gray content: a picture, whatever the choice. */
static void pictures_without_colors_are_painted(void **state) {
    for (int colors = NST_COLORS_STYLE; colors <= NST_COLORS_PALETTE; ++colors) {
        for (int kind = 0; kind < 3; ++kind) {
            struct pictures pictures;
            make_pictures(&pictures, 3);
            picture_make_gray(kind == 2 ? &pictures.content : &pictures.styles[0]);
            for (int i = 0; i < 48 * 48 * 3 && kind == 1; ++i) {
                pictures.styles[0].values[i] = 0.7f;
            }
            nst_settings settings = settings_of(NULL, (nst_colors)colors);
            settings.style_blend[1] = 0;
            nst_picture picture = paint(*state, &settings, &pictures);
            assert_in_unit_range(&picture);
            nst_picture_free(&picture);
            free_pictures(&pictures);
        }
    }
}

/* Colors under full transparency of content and style. */
static void hidden_colors_change_nothing(void **state) {
    for (int colors = NST_COLORS_STYLE; colors <= NST_COLORS_PALETTE; ++colors) {
        nst_picture painted[2];
        for (int k = 0; k < 2; ++k) {
            struct pictures pictures;
            make_pictures(&pictures, 4);
            for (int i = 0; i < 44 * 40; i += 7) { /* in both pictures' sizes */
                const float hidden[4] = {(float)k, 1 - (float)k, 0.5f, 0};
                memcpy(pictures.content.values + (size_t)i * 4, hidden, sizeof hidden);
                memcpy(pictures.styles[1].values + (size_t)i * 4, hidden, sizeof hidden);
            }
            nst_settings settings = settings_of(NULL, (nst_colors)colors);
            painted[k] = paint(*state, &settings, &pictures);
            free_pictures(&pictures);
        }
        assert_true(same_pixels(&painted[0], &painted[1]));
        nst_picture_free(&painted[0]);
        nst_picture_free(&painted[1]);
    }
}

static void contradictions_are_refused(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    struct pictures pictures;
    make_pictures(&pictures, 3);
    nst_job_pictures given = {.content = &pictures.content, .styles = pictures.styles, .style_count = 1};
    for (int kind = 0; kind < 3; ++kind) {
        nst_settings settings = small_settings(1);
        nst_error error;
        nst_job *job;
        settings.original_colors = kind == 0;
        settings.colors = kind == 0   ? NST_COLORS_MATCH
                          : kind == 1 ? (nst_colors)(NST_COLORS_PALETTE + 1)
                                      : (nst_colors)-1;
        assert_int_equal(nst_job_create(*state, network, &settings, &given, &job, &error), NST_ERROR_ARGUMENT);
        assert_null(job);
        assert_non_null(strstr(error.message, "colors"));
    }
    free_pictures(&pictures);
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colors_are_those_of_the_steps_by_hand),
        cmocka_unit_test(choices_differ),
        cmocka_unit_test(pictures_without_colors_are_painted),
        cmocka_unit_test(hidden_colors_change_nothing),
        cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
