/* painting.c: a harvest evening in thick paint: thousands of brush strokes that follow a flow field, on an
 * underpainting.
 *
 * A plan says for every place what is there, in which color, and which way the brush goes. Strokes of three sizes are
 * laid over it, the broad ones first; each leaves the ridges of its bristles in a map of the paint's height, and in the
 * end light from the upper left falls on that. Places are measured in heights of the picture, y downwards. */
#include "canvas.h"

#include "support/random.h"

#include <math.h>
#include <stdlib.h>

/* ---- The plan -------------------------------------------------------------------------------------------------- */

enum subject { SKY, SUN, FAR_HILL, NEAR_HILL, FIELD, PATH, TREE, STACK, WALL, ROOF };

/* What is to be painted at one place. */
struct place {
    enum subject subject;
    float tone;  /* 0 dark .. 1 light: where in the subject's palette */
    float angle; /* of the stroke */
};

#define PALETTE_SIZE 5

/* From dark to light, for each subject; then the accent that a few strokes take instead. */
static const unsigned palettes[][PALETTE_SIZE + 1] = {
    [SKY] = {0x101a4d, 0x1f3f94, 0x3a7cbf, 0x86c0bf, 0xf2e4b4, 0xe9a25b},
    [SUN] = {0xe2772b, 0xf09c34, 0xf8bf47, 0xfde07c, 0xfff4c4, 0xf6c9a0},
    [FAR_HILL] = {0x1b2a66, 0x32509a, 0x5377b0, 0x8e8fb8, 0xd9a08c, 0x7fb8b0},
    [NEAR_HILL] = {0x14283f, 0x1f4f5c, 0x3c7a5e, 0x84a352, 0xd8c35e, 0x2d4fa0},
    [FIELD] = {0x7a3b1c, 0xb8631f, 0xdc9327, 0xf0bb3f, 0xfbe38d, 0x4a6aa8},
    [PATH] = {0x8f6a78, 0xc09a86, 0xe2c39c, 0xf3e2bd, 0xfdf5dd, 0x7f9cc4},
    [TREE] = {0x0b1c2b, 0x123a3c, 0x1f5a45, 0x4f7d3a, 0xa8a03c, 0x8a3f22},
    [STACK] = {0x4a2f5e, 0x8c4a35, 0xcf7d2a, 0xf2b544, 0xfeeaa0, 0x6a5aa0},
    [WALL] = {0x8a7fa0, 0xc9b8a8, 0xeedfc0, 0xfaf0d8, 0xfffbee, 0xf2c070},
    [ROOF] = {0x5a1f24, 0x96331f, 0xc4502a, 0xdc7440, 0xf0a070, 0x3a3f7a},
};

static const struct point sun_place = {0.93f, 0.27f};
static const struct point spiral_place = {0.44f, 0.25f};

static float far_ridge(float x) {
    return 0.545f - 0.055f * sinf(x * 3.1f + 0.6f) - 0.022f * sinf(x * 7.7f + 2);
}

static float near_ridge(float x) {
    return 0.625f + 0.030f * sinf(x * 4.3f + 2.5f) + 0.010f * sinf(x * 11);
}

/* The center line and half width of the path at a height. */
static float path_center(float y) {
    float near = (y - 0.62f) / 0.38f;
    return 0.70f - 0.30f * near + 0.105f * sinf(near * 5.2f + 0.3f) * (0.35f + 0.65f * near);
}

static float path_half_width(float y) {
    return 0.006f + 0.075f * powf(clamp01((y - 0.62f) / 0.38f), 1.3f);
}

/* Two large whirls and a few small ones in a wavy wind. Each turns what is near it. */
static float sky_angle(float x, float y) {
    static const struct {
        float x, y, strength, reach;
    } whirls[] = {{0.44f, 0.25f, 1.0f, 0.16f},  {0.93f, 0.27f, -1.2f, 0.20f}, {0.70f, 0.10f, -0.55f, 0.07f},
                  {0.17f, 0.10f, -0.5f, 0.08f}, {0.66f, 0.42f, 0.45f, 0.06f}, {1.16f, 0.08f, 0.5f, 0.07f}};
    float flow_x = 0.45f, flow_y = 0.20f * sinf(x * 7 + 1.5f) + 0.25f * noise(x * 3, y * 5);
    for (size_t i = 0; i < sizeof whirls / sizeof *whirls; i++) {
        float dx = x - whirls[i].x, dy = y - whirls[i].y, distance = hypotf(dx, dy) + 1e-4f;
        float pull = 2.1f * whirls[i].strength * expf(-powf(distance / whirls[i].reach, 2) * 0.8f);
        flow_x += pull * (-dy / distance + 0.22f * dx / distance);
        flow_y += pull * (dx / distance + 0.22f * dy / distance);
    }
    return atan2f(flow_y, flow_x);
}

static float sky_tone(float x, float y) {
    float dx = x - spiral_place.x, dy = y - spiral_place.y, distance = hypotf(dx, dy);
    float spiral = sinf(2 * atan2f(dy, dx) - 46 * distance) * expf(-powf(distance / 0.21f, 2));
    float from_sun = hypotf(x - sun_place.x, y - sun_place.y);
    float rings = cosf(from_sun * 78) * expf(-from_sun * 6.5f);
    float bands = noise(x * 2.2f + 1.3f * noise(x * 2, y * 3), y * 6.5f + 0.8f * sinf(x * 5));
    float star = 0;
    for (int i = 0; i < 9; i++) {
        float star_x = 1.25f * hash(i, 3), star_y = 0.03f + 0.36f * hash(i, 9);
        star = fmaxf(star, expf(-powf(hypotf(x - star_x, y - star_y) / 0.022f, 2)));
    }
    float tone = 0.30f + 0.25f * bands + 0.40f * spiral + 0.30f * rings + 0.75f * expf(-from_sun * 4.6f);
    return clamp01(tone + 0.75f * star + 0.30f * smooth_step(0.25f, 0.52f, y));
}

static bool in_tree(float x, float y, struct place *place) {
    static const struct {
        float x, foot, height, width;
    } trees[] = {{0.115f, 0.90f, 0.74f, 0.052f}, {0.215f, 0.84f, 0.50f, 0.040f}, {0.035f, 0.86f, 0.55f, 0.042f},
                 {1.15f, 0.70f, 0.17f, 0.017f},  {1.19f, 0.71f, 0.22f, 0.019f},  {0.86f, 0.655f, 0.10f, 0.011f}};
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        float up = (trees[i].foot - y) / trees[i].height;
        if (up < 0 || up > 1)
            continue;
        float sway = trees[i].width * (0.5f * sinf(up * 7 + (float)i * 2) * up + 0.35f * noise(up * 9, (float)i));
        float half = trees[i].width * powf(1 - up, 0.62f) * smooth_step(-0.10f, 0.22f, up) *
                     (1 + 0.30f * noise(up * 16, (float)i * 5 + 2));
        float side = (x - trees[i].x - sway) / (half + 1e-5f);
        if (fabsf(side) > 1)
            continue;
        place->subject = TREE;
        place->tone = clamp01(0.32f + 0.34f * side + 0.35f * noise(x * 30, y * 11));
        place->angle = -1.5708f + 0.55f * side * (0.3f + up) + 0.9f * noise(x * 14, y * 9);
        return true;
    }
    return false;
}

static bool in_stack(float x, float y, struct place *place) {
    static const struct {
        float x, foot, size;
    } stacks[] = {{1.03f, 0.855f, 0.105f}, {0.83f, 0.765f, 0.058f}, {1.17f, 0.775f, 0.050f}, {0.36f, 0.755f, 0.045f}};
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++) {
        float away = stacks[i].x < sun_place.x ? -1 : 1; /* from the sun: where the shadow falls */
        float across = (x - stacks[i].x) / stacks[i].size, up = (stacks[i].foot - y) / stacks[i].size;
        float half = up < 0.62f ? 0.84f + 0.16f * up : 0.94f * sqrtf(clamp01((1.45f - up) / 0.83f));
        if (up > -0.16f * (1 - across * across) && up < 1.45f && fabsf(across) < half) {
            bool roof = up > 0.62f - 0.12f * across * across;
            float straw = 0.30f * noise(x * 60, y * 25) + (roof ? 0.20f : -0.06f);
            place->subject = STACK;
            float rim = 0.22f * smooth_step(0.78f, 0.98f, fabsf(across) / half); /* sets it off from the field */
            place->tone = clamp01(0.46f - 0.38f * across * away + straw - rim);
            place->angle = roof ? atan2f(1.6f - up, across * 1.3f) : 1.5708f - 0.25f * across;
            return true;
        }
        float shadow = hypotf((across - 0.95f * away) / 1.25f, (up + 0.06f) / 0.20f);
        if (shadow < 1) {
            *place = (struct place){STACK, 0.02f + 0.15f * hash((int)(x * 200), (int)(y * 200)), 0.05f};
            return true;
        }
    }
    return false;
}

static bool in_village(float x, float y, struct place *place) {
    static const struct {
        float x, foot, width, height;
    } houses[] = {{0.455f, 0.640f, 0.024f, 0.030f},
                  {0.505f, 0.650f, 0.030f, 0.036f},
                  {0.560f, 0.640f, 0.022f, 0.028f},
                  {0.600f, 0.652f, 0.028f, 0.032f},
                  {0.532f, 0.628f, 0.010f, 0.075f}};
    for (size_t i = sizeof houses / sizeof *houses; i-- > 0;) {
        float across = (x - houses[i].x) / houses[i].width, up = (houses[i].foot - y) / houses[i].height;
        if (up >= 0 && up <= 1 && fabsf(across) < 1) {
            *place = (struct place){WALL, across > 0.1f ? 0.75f : 0.25f, 1.5708f};
            return true;
        }
        float roof = (up - 1) * houses[i].height / (houses[i].width * (i == 4 ? 3.2f : 1.0f));
        if (up > 1 && fabsf(across) < 1.15f * (1 - roof)) {
            *place = (struct place){ROOF, across > 0 ? 0.65f : 0.3f, across > 0 ? 0.75f : -0.75f};
            return true;
        }
    }
    return false;
}

static struct place ground_place(float x, float y) {
    float far = far_ridge(x), near = near_ridge(x);
    if (y < near) {
        float below = (y - far) / 0.09f;
        float slope = 0.17f * cosf(x * 3.1f + 3.7f) + 0.5f * (below - 0.2f) * sinf(x * 9 + below * 2);
        return (struct place){FAR_HILL, clamp01(0.85f - 0.75f * below + 0.4f * noise(x * 9, y * 26)), slope};
    }
    float depth = y - near, into_field = depth - 0.035f - 0.012f * noise(x * 8, 4);
    if (into_field < 0)
        return (struct place){NEAR_HILL, clamp01(0.40f + 0.7f * noise(x * 16, y * 40) + 4 * depth),
                              0.13f * cosf(x * 4.3f + 2.5f) + 0.6f * noise(x * 12, y * 30)};
    float off_path = (x - path_center(y)) / path_half_width(y);
    if (fabsf(off_path) < 1) {
        float turn = (path_center(y + 0.01f) - path_center(y - 0.01f)) / 0.02f;
        return (struct place){PATH, clamp01(0.62f + 0.25f * off_path + 0.4f * noise(x * 20, y * 30)), atan2f(1, turn)};
    }
    /* Rows of wheat run together at a point on the horizon. */
    float run_x = x - 0.78f, run_y = y - 0.56f, bearing = run_x / run_y;
    float row = sinf(bearing * 26 + 1.5f * noise(bearing * 3, y * 4));
    float verge = smooth_step(1.7f, 1.0f, fabsf(off_path)) * 0.25f;
    float tone =
        0.52f + 0.26f * row + 0.35f * fractal_noise(x * 5, y * 12, 3) + 0.25f * smooth_step(0.2f, 0, into_field);
    float angle = atan2f(run_y, run_x) + 0.35f * noise(x * 6, y * 9);
    return (struct place){FIELD, clamp01(tone - verge - 0.22f * smooth_step(0.85f, 1.02f, y)), angle};
}

static struct place describe(float x, float y) {
    struct place place;
    if (in_tree(x, y, &place) || in_stack(x, y, &place) || in_village(x, y, &place))
        return place;
    if (y > far_ridge(x))
        return ground_place(x, y);
    float from_sun = hypotf(x - sun_place.x, y - sun_place.y);
    if (from_sun < 0.082f)
        return (struct place){SUN, clamp01(1.05f - powf(from_sun / 0.082f, 2) + 0.15f * noise(x * 30, y * 30)),
                              atan2f(y - sun_place.y, x - sun_place.x) + 1.5708f};
    return (struct place){SKY, sky_tone(x, y), sky_angle(x, y)};
}

/* ---- Color ----------------------------------------------------------------------------------------------------- */

static struct color palette_color(enum subject subject, float tone) {
    float position = clamp01(tone) * (PALETTE_SIZE - 1.001f);
    int index = (int)position;
    return color_mix(color_from_code(palettes[subject][index]), color_from_code(palettes[subject][index + 1]),
                     position - (float)index);
}

/* Broken color: no two strokes are mixed alike, and some are of another color altogether. */
static struct color stroke_color(const struct place *place, struct random_generator *chance, struct point at) {
    float tone = place->tone + 0.13f * (float)random_normal(chance);
    struct color color = palette_color(place->subject, tone);
    float accent = place->subject == SKY ? 0.02f + 0.30f * smooth_step(0.30f, 0.56f, at.y) : 0.05f;
    if (place->subject == SKY)
        accent += 0.5f * smooth_step(0.17f, 0.085f, hypotf(at.x - sun_place.x, at.y - sun_place.y));
    if (random_uniform(chance) < accent)
        color = color_mix(color, color_from_code(palettes[place->subject][PALETTE_SIZE]), 0.75f);
    struct color tint = {1 + 0.10f * (float)random_normal(chance), 1 + 0.06f * (float)random_normal(chance),
                         1 + 0.10f * (float)random_normal(chance)};
    return color_multiply(color, tint);
}

/* ---- Strokes --------------------------------------------------------------------------------------------------- */

struct painter {
    struct canvas *canvas;
    struct place *plan;  /* for each pixel of the canvas */
    float *paint_height; /* likewise */
    struct random_generator chance;
};

struct brush {
    float width, length, spacing; /* in pixels of a canvas 1024 high */
    float sky_share;              /* how many of the strokes in the sky are made */
};

struct stroke {
    struct color color;
    float width; /* in pixels */
    float length;
    float bristles; /* an offset into the noise that makes them */
};

static const struct place *plan_at(const struct painter *painter, struct point at) {
    int x = (int)at.x, y = (int)at.y;
    if (at.x < 0 || at.y < 0 || x >= painter->canvas->width || y >= painter->canvas->height)
        return NULL;
    return &painter->plan[(size_t)y * (size_t)painter->canvas->width + (size_t)x];
}

/* One row of bristles across the stroke, at `along` (0..1) of its length. */
static void press_bristles(struct painter *painter, const struct stroke *stroke, struct point at, float angle,
                           float along) {
    float half =
        0.5f * stroke->width * sqrtf(smooth_step(-0.06f, 0.14f, along)) * (1 - 0.35f * smooth_step(0.6f, 1, along));
    for (float offset = -half; offset <= half; offset += 0.6f) {
        float across = 2 * offset / stroke->width;
        float bristle = noise(across * 5.5f + stroke->bristles, along * stroke->length * 0.012f) +
                        0.5f * noise(across * 13 + stroke->bristles, along * stroke->length * 0.02f);
        bool dry = bristle < mix(-1.4f, 0.25f, smooth_step(0.55f, 1, along)); /* the paint runs out */
        int x = (int)(at.x - offset * sinf(angle)), y = (int)(at.y + offset * cosf(angle));
        if (dry || x < 0 || y < 0 || x >= painter->canvas->width || y >= painter->canvas->height)
            continue;
        size_t pixel = (size_t)y * (size_t)painter->canvas->width + (size_t)x;
        float rim = smooth_step(0.62f, 0.95f, fabsf(offset) / (half + 0.01f));
        float lump = smooth_step(0.10f, 0.02f, along);
        painter->canvas->pixels[pixel] = color_scale(stroke->color, 1 + 0.26f * bristle);
        painter->paint_height[pixel] = 0.35f * painter->paint_height[pixel] +
                                       stroke->width * (0.055f + 0.07f * bristle + 0.05f * rim + 0.05f * lump);
    }
}

/* Half the stroke's length back along the flow, then forward with the brush down, until the subject ends. */
static void make_stroke(struct painter *painter, const struct stroke *stroke, struct point at) {
    const float step = 0.6f;
    const struct place *place = plan_at(painter, at);
    enum subject subject = place->subject;
    for (float way = 0; way < 0.5f * stroke->length; way += step) {
        struct point back = {at.x - step * cosf(place->angle), at.y - step * sinf(place->angle)};
        const struct place *next = plan_at(painter, back);
        if (!next || next->subject != subject)
            break;
        at = back;
        place = next;
    }
    for (float way = 0; way < stroke->length; way += step) {
        press_bristles(painter, stroke, at, place->angle, way / stroke->length);
        at.x += step * cosf(place->angle);
        at.y += step * sinf(place->angle);
        place = plan_at(painter, at);
        if (!place || place->subject != subject)
            return;
    }
}

static void paint_layer(struct painter *painter, const struct brush *brush) {
    float unit = (float)painter->canvas->height / 1024;
    float width = (float)painter->canvas->width, height = (float)painter->canvas->height;
    int count = (int)(width * height / (brush->spacing * brush->spacing * unit * unit));
    for (int i = 0; i < count; i++) {
        struct point at = {width * (float)random_uniform(&painter->chance),
                           height * (float)random_uniform(&painter->chance)};
        const struct place *place = plan_at(painter, at);
        float size = 0.7f + 0.6f * (float)random_uniform(&painter->chance);
        if (!place || (place->subject == SKY && random_uniform(&painter->chance) > brush->sky_share))
            continue;
        bool small = place->subject >= WALL;
        struct stroke stroke = {.width = brush->width * size * unit * (small ? 0.6f : 1),
                                .length = brush->length * size * unit * (small ? 0.3f : 1),
                                .bristles = 1000 * (float)random_uniform(&painter->chance)};
        stroke.color = stroke_color(place, &painter->chance, (struct point){at.x / height, at.y / height});
        make_stroke(painter, &stroke, at);
    }
}

/* ---- The whole ------------------------------------------------------------------------------------------------- */

static void make_plan(struct painter *painter) {
    struct canvas *canvas = painter->canvas;
    for (int y = 0; y < canvas->height; y++)
        for (int x = 0; x < canvas->width; x++) {
            size_t pixel = (size_t)y * (size_t)canvas->width + (size_t)x;
            struct place place = describe((float)x / (float)canvas->height, (float)y / (float)canvas->height);
            painter->plan[pixel] = place;
            canvas->pixels[pixel] =
                color_mix(palette_color(place.subject, place.tone - 0.2f), color_from_code(0x6b3a26), 0.35f);
        }
}

/* Light from the upper left on the ridges of the paint, with some gloss. */
static void light_paint(struct painter *painter) {
    struct canvas *canvas = painter->canvas;
    for (int y = 1; y + 1 < canvas->height; y++)
        for (int x = 1; x + 1 < canvas->width; x++) {
            size_t pixel = (size_t)y * (size_t)canvas->width + (size_t)x;
            const float *height = painter->paint_height + pixel;
            float slope = height[1] - height[-1] + height[canvas->width] - height[-canvas->width];
            float light = fminf(fmaxf(1 + 0.32f * slope, 0.55f), 1.5f);
            float gloss = 0.10f * smooth_step(0.8f, 2.4f, slope);
            struct color *color = &canvas->pixels[pixel];
            *color = color_add(color_scale(*color, light), (struct color){gloss, gloss, 0.95f * gloss});
        }
}

bool draw_painting(struct canvas *canvas) {
    static const struct brush brushes[] = {{36, 190, 17, 1}, {21, 130, 10.5f, 1}, {12, 84, 8, 0.75f}};
    size_t pixels = (size_t)canvas->width * (size_t)canvas->height;
    struct painter painter = {.canvas = canvas, .chance = random_from_seed(7)};
    painter.plan = calloc(pixels, sizeof *painter.plan);
    painter.paint_height = calloc(pixels, sizeof *painter.paint_height);
    bool enough_memory = painter.plan && painter.paint_height;
    if (enough_memory) {
        make_plan(&painter);
        for (size_t i = 0; i < sizeof brushes / sizeof *brushes; i++)
            paint_layer(&painter, &brushes[i]);
        light_paint(&painter);
    }
    free(painter.plan);
    free(painter.paint_height);
    return enough_memory;
}
