/* foreground.c: what stands on the near shore of the landscape: a meadow, a cabin with a fence, and an old tree. Drawn
 * in the manner of a painter, back to front; lengths are for a canvas 1536 pixels wide. */
#include "landscape.h"

#include "support/random.h"

#include <math.h>
#include <stdlib.h>

struct scene {
    struct canvas *canvas;
    struct random_generator chance;
    float unit; /* pixels of the canvas per length */
};

static float chance(struct scene *scene, float from, float to) {
    return from + (to - from) * (float)random_uniform(&scene->chance);
}

static struct point at(const struct scene *scene, float x, float y) {
    return (struct point){x * scene->unit, y * scene->unit};
}

/* The upper edge of the meadow. */
static float meadow_edge(float x) {
    float left = 46 * smooth_step(620, 120, x), right = 74 * smooth_step(980, 1420, x);
    return 846 - left - right + 16 * sinf(x * 0.0061f + 1) + 9 * noise(x * 0.012f, 3) + 3 * noise(x * 0.06f, 8);
}

/* ---- Meadow ---------------------------------------------------------------------------------------------------- */

static struct color grass_color(struct scene *scene, float x, float y, float near) {
    float patch = 0.5f + 0.9f * fractal_noise(x * 0.006f, y * 0.018f, 4) + chance(scene, -0.25f, 0.25f);
    struct color green = color_mix(color_from_code(0x2c4420), color_from_code(0x6f7f31), clamp01(patch));
    struct color color = color_mix(green, color_from_code(0xc9a951), clamp01(1.5f * patch - 0.85f));
    float shade = smooth_step(520, 60, fabsf(x - 1500) + 1.6f * fabsf(y - 950)); /* under the tree */
    return color_scale(color, (1.15f - 0.35f * near) * (1 - 0.62f * shade) * chance(scene, 0.75f, 1.2f));
}

/* One bent blade, dark at its foot and light at its tip. */
static void draw_blade(struct scene *scene, float x, float y, float near) {
    float length = mix(7, 62, near * near) * chance(scene, 0.5f, 1.25f), width = mix(1.3f, 3.4f, near);
    float bend = length * (0.25f + 0.5f * noise(x * 0.004f, y * 0.01f) + chance(scene, -0.4f, 0.4f));
    struct color color = grass_color(scene, x, y, near);
    struct point from = at(scene, x, y);
    const int pieces = near > 0.3f ? 4 : 2;
    for (int i = 1; i <= pieces; i++) {
        float along = (float)i / (float)pieces;
        struct point to = at(scene, x + bend * along * along, y - length * along);
        canvas_line(scene->canvas, from, to, width * scene->unit * (1.15f - along), width * scene->unit * (1 - along),
                    color_scale(color, 0.55f + 0.75f * along));
        from = to;
    }
}

static void draw_flower(struct scene *scene, float x, float y, float near) {
    static const unsigned codes[] = {0xd8402a, 0xe8622e, 0xf3e9d8, 0xf2c53d, 0x8f6bb8, 0xd8402a};
    float kind = 0.5f + 0.9f * noise(x * 0.008f + 7, y * 0.02f) + chance(scene, -0.3f, 0.3f);
    struct color color = color_from_code(codes[(int)(clamp01(kind) * 5.99f)]);
    float radius = mix(1.4f, 5.2f, near * near) * chance(scene, 0.7f, 1.2f), height = mix(7, 55, near * near);
    struct point head = at(scene, x, y - height);
    canvas_line(scene->canvas, at(scene, x + 2, y), head, 1.6f * scene->unit, 1.2f * scene->unit,
                color_from_code(0x3c5526));
    for (int petal = 0; petal < 5; petal++) {
        float angle = (float)petal * 1.2566f + x;
        struct point center = at(scene, x + 0.75f * radius * cosf(angle), y - height + 0.5f * radius * sinf(angle));
        canvas_disc(scene->canvas, center, 0.62f * radius * scene->unit, color_scale(color, petal < 3 ? 1.0f : 0.72f),
                    0.95f);
    }
    canvas_disc(scene->canvas, head, 0.3f * radius * scene->unit, color_from_code(0x3a2c1c), 0.8f);
}

static void fill_meadow(struct scene *scene) {
    for (int x = 0; x < scene->canvas->width; x++) {
        float edge = meadow_edge((float)x / scene->unit) * scene->unit;
        for (int y = (int)edge; y < scene->canvas->height; y++) {
            float near = clamp01(((float)y / scene->unit - 780) / 244);
            struct color color = color_mix(color_from_code(0x7d7b3c), color_from_code(0x29371d), near);
            canvas_blend(scene->canvas, x, y, color, clamp01((float)y - edge));
        }
    }
}

/* Grass and flowers between two heights of the picture, the far ones first. */
static void draw_grass(struct scene *scene, float top, float bottom) {
    for (float y = top; y < bottom;) {
        float near = clamp01((y - 780) / 300), spacing = mix(2.2f, 5.5f, near);
        for (float x = chance(scene, -spacing, 0); x < 1560; x += spacing * chance(scene, 0.4f, 1.6f)) {
            float foot = y + chance(scene, -3, 3);
            if (foot < meadow_edge(x))
                continue;
            draw_blade(scene, x, foot, near);
            float bed = smooth_step(0.05f, 0.5f, fractal_noise(x * 0.005f + 20, y * 0.012f, 3));
            if (chance(scene, 0, 1) < 0.004f + 0.05f * bed)
                draw_flower(scene, x, foot, near);
        }
        y += mix(2.5f, 6, near);
    }
}

/* ---- Cabin and fence ------------------------------------------------------------------------------------------- */

/* A wall or roof between four corners (top left, top right, bottom right, bottom left), drawn board by board. */
static void draw_boards(struct scene *scene, const struct point corners[4], int boards, struct color color,
                        float wear) {
    for (int i = 0; i < boards; i++) {
        float from = (float)i / (float)boards, to = (float)(i + 1) / (float)boards;
        const float shares[4] = {from, from, to, to};
        struct point board[4];
        for (int k = 0; k < 4; k++) {
            const struct point *top = &corners[k == 1 || k == 2], *bottom = &corners[k == 1 || k == 2 ? 2 : 3];
            board[k] = at(scene, mix(top->x, bottom->x, shares[k]), mix(top->y, bottom->y, shares[k]));
        }
        canvas_polygon(scene->canvas, board, 4, color_scale(color, chance(scene, 1 - wear, 1 + wear)), 1);
        canvas_line(scene->canvas, board[3], board[2], 1.1f * scene->unit, 1.1f * scene->unit,
                    color_scale(color, 0.45f));
    }
}

static void draw_window(struct scene *scene, float x, float y, float slant) {
    struct point frame[4] = {at(scene, x - 2, y - 2), at(scene, x + 18, y - 2 + slant),
                             at(scene, x + 18, y + 24 + slant), at(scene, x - 2, y + 24)};
    struct point glass[4] = {at(scene, x, y), at(scene, x + 16, y + slant), at(scene, x + 16, y + 22 + slant),
                             at(scene, x, y + 22)};
    canvas_polygon(scene->canvas, frame, 4, color_from_code(0x4a2f20), 1);
    canvas_polygon(scene->canvas, glass, 4, color_from_code(0xffc766), 1);
    canvas_line(scene->canvas, at(scene, x + 8, y), at(scene, x + 8, y + 22 + slant), 2 * scene->unit, 2 * scene->unit,
                color_from_code(0x4a2f20));
    canvas_line(scene->canvas, at(scene, x, y + 10), at(scene, x + 16, y + 10 + slant), 2 * scene->unit,
                2 * scene->unit, color_from_code(0x4a2f20));
}

static void draw_smoke(struct scene *scene, float x, float y) {
    for (int i = 0; i < 260; i++) {
        float age = (float)i / 260, drift = 95 * age * age + 16 * sinf(age * 7) * age;
        struct point center = at(scene, x + drift + chance(scene, -9, 9) * (0.2f + age), y - 150 * age);
        canvas_disc(scene->canvas, center, (3 + 15 * age) * scene->unit, color_from_code(0xd9d3d2), 0.055f * (1 - age));
    }
}

static void draw_cabin(struct scene *scene, float x, float y) {
    struct color sunlit = color_from_code(0xb9824f), shaded = color_from_code(0x5d4538),
                 roof = color_from_code(0x8c4a38);
    const struct point side[4] = {{x - 112, y - 66}, {x, y - 70}, {x, y + 8}, {x - 112, y - 2}};
    const struct point front[4] = {{x, y - 70}, {x + 76, y - 66}, {x + 76, y - 1}, {x, y + 8}};
    const struct point gable[3] = {at(scene, x, y - 69), at(scene, x + 38, y - 126), at(scene, x + 76, y - 65)};
    const struct point top[4] = {{x - 86, y - 121}, {x + 40, y - 131}, {x - 5, y - 59}, {x - 126, y - 56}};
    const struct point chimney[4] = {at(scene, x - 58, y - 150), at(scene, x - 40, y - 151), at(scene, x - 40, y - 108),
                                     at(scene, x - 58, y - 100)};
    draw_smoke(scene, x - 49, y - 150);
    draw_boards(scene, side, 9, sunlit, 0.22f);
    draw_boards(scene, front, 9, shaded, 0.10f);
    canvas_polygon(scene->canvas, gable, 3, color_scale(shaded, 0.92f), 1);
    canvas_polygon(scene->canvas, chimney, 4, color_from_code(0x744438), 1);
    draw_boards(scene, top, 13, roof, 0.24f);
    canvas_line(scene->canvas, at(scene, x + 40, y - 131), at(scene, x + 84, y - 59), 5 * scene->unit, 5 * scene->unit,
                color_from_code(0x4b2d25));
    canvas_line(scene->canvas, at(scene, x + 40, y - 131), at(scene, x - 5, y - 59), 4 * scene->unit, 4 * scene->unit,
                color_from_code(0xb06a4e));
    canvas_line(scene->canvas, at(scene, x - 86, y - 121), at(scene, x + 40, y - 131), 3 * scene->unit, 3 * scene->unit,
                color_from_code(0xc08464));
    draw_window(scene, x - 92, y - 50, 0.6f);
    draw_window(scene, x - 46, y - 48, 0.8f);
    draw_window(scene, x + 46, y - 48, -0.8f);
    const struct point door[4] = {at(scene, x + 12, y - 50), at(scene, x + 33, y - 51), at(scene, x + 33, y + 3),
                                  at(scene, x + 12, y + 6)};
    canvas_polygon(scene->canvas, door, 4, color_from_code(0x2f4a52), 1);
}

/* A sail boat far out, and what the ripples leave of its reflection. */
static void draw_boat(struct scene *scene, float x, float y) {
    for (int i = 0; i < 46; i++) {
        float sway = 5 * noise((float)i * 0.35f, 2), half = 15 * (1 - (float)i / 46) * chance(scene, 0.5f, 1);
        canvas_line(scene->canvas, at(scene, x - half + sway, y + 4 + (float)i),
                    at(scene, x + half + sway, y + 4 + (float)i), 1.2f * scene->unit, 1.2f * scene->unit,
                    color_scale(color_from_code(i < 6 ? 0x4a2d22 : 0xd8bfa4), chance(scene, 0.6f, 0.85f)));
    }
    const struct point main_sail[3] = {at(scene, x + 1, y - 56), at(scene, x + 24, y - 6), at(scene, x + 1, y - 7)};
    const struct point jib[3] = {at(scene, x - 2, y - 50), at(scene, x - 2, y - 7), at(scene, x - 17, y - 6)};
    const struct point hull[4] = {at(scene, x - 20, y - 4), at(scene, x + 24, y - 4), at(scene, x + 18, y + 4),
                                  at(scene, x - 14, y + 4)};
    canvas_polygon(scene->canvas, main_sail, 3, color_from_code(0xf3dcc0), 1);
    canvas_polygon(scene->canvas, jib, 3, color_from_code(0xfff3e0), 1);
    canvas_polygon(scene->canvas, hull, 4, color_from_code(0x5b3224), 1);
    canvas_line(scene->canvas, at(scene, x, y - 58), at(scene, x, y - 4), 1.8f * scene->unit, 1.8f * scene->unit,
                color_from_code(0x3a2a20));
}

static void draw_fence(struct scene *scene, float from, float to) {
    struct color wood = color_from_code(0x74604a);
    for (float x = from, step = 40; x < to; x += step) {
        float foot = meadow_edge(x) + 12, next = meadow_edge(x + step) + 12;
        for (int rail = 0; rail < 2; rail++)
            canvas_line(scene->canvas, at(scene, x, foot - 17 - 13 * (float)rail + chance(scene, -1, 1)),
                        at(scene, x + step, next - 17 - 13 * (float)rail), 3 * scene->unit, 2.4f * scene->unit,
                        color_scale(wood, chance(scene, 0.8f, 1.3f)));
        canvas_line(scene->canvas, at(scene, x, foot + 4), at(scene, x + chance(scene, -2, 2), foot - 38),
                    5 * scene->unit, 4 * scene->unit, color_scale(wood, 0.75f));
        canvas_line(scene->canvas, at(scene, x - 1.5f, foot + 4), at(scene, x - 1.5f, foot - 37), 1.5f * scene->unit,
                    1.5f * scene->unit, color_scale(wood, 1.9f));
    }
}

/* ---- Tree ------------------------------------------------------------------------------------------------------ */

#define MAX_TWIGS 2600

struct tree {
    struct point twigs[MAX_TWIGS]; /* where leaves grow */
    int twig_count;
};

/* A piece of branch: dark, with streaks of bark that are lighter on the side of the sun. */
static void draw_bark(struct scene *scene, struct point from, struct point to, float from_width, float to_width) {
    struct color bark = color_from_code(0x35271f), lit = color_from_code(0xb07d52);
    canvas_line(scene->canvas, at(scene, from.x, from.y), at(scene, to.x, to.y), from_width * scene->unit,
                to_width * scene->unit, bark);
    int streaks = (int)(from_width * 0.9f);
    for (int i = 0; i < streaks; i++) {
        float side = chance(scene, -0.46f, 0.46f), start = chance(scene, -0.35f, 0.9f),
              end = start + chance(scene, 0.2f, 0.5f);
        struct point top = {mix(from.x, to.x, start) + side * from_width, mix(from.y, to.y, start)};
        struct point foot = {mix(from.x, to.x, end) + side * to_width, mix(from.y, to.y, end)};
        float light = clamp01(0.42f - side) * chance(scene, 0.2f, 1.1f);
        canvas_line(scene->canvas, at(scene, top.x, top.y), at(scene, foot.x, foot.y), 2.2f * scene->unit,
                    1.2f * scene->unit, color_mix(bark, lit, light));
    }
}

/* A branch in crooked pieces, which forks at its end and sends twigs to the sides. */
static void grow_branch(struct scene *scene, struct tree *tree, struct point from, float angle, float length,
                        float width, int forks) {
    const int pieces = 5;
    for (int i = 0; i < pieces; i++) {
        angle += chance(scene, -0.17f, 0.17f);
        float piece = length / (float)pieces, next_width = width * 0.93f;
        struct point to = {from.x + piece * cosf(angle), from.y - piece * sinf(angle)};
        draw_bark(scene, from, to, width, next_width);
        from = to;
        width = next_width;
        if (forks <= 3 && tree->twig_count < MAX_TWIGS)
            tree->twigs[tree->twig_count++] = to;
        if (forks > 0 && forks < 6 && i > 0 && chance(scene, 0, 1) < 0.28f)
            grow_branch(scene, tree, to, angle + (chance(scene, 0, 1) < 0.5f ? -1 : 1) * chance(scene, 0.5f, 1.0f),
                        length * 0.6f, width * 0.5f, forks - 2 > 0 ? forks - 2 : 0);
    }
    if (forks <= 0)
        return;
    float spread = chance(scene, 0.35f, 0.6f);
    grow_branch(scene, tree, from, angle + spread, length * chance(scene, 0.72f, 0.86f), width * 0.68f, forks - 1);
    grow_branch(scene, tree, from, angle - spread, length * chance(scene, 0.72f, 0.86f), width * 0.68f, forks - 1);
}

/* Three layers of leaves: the shaded ones behind, then those in half light, then the few that the sun hits. */
static void draw_leaves(struct scene *scene, const struct tree *tree) {
    static const struct {
        unsigned dark, light;
        int leaves;
        float shift; /* towards the light */
    } layers[] = {{0x182414, 0x2b3a1a, 16, -6}, {0x324a1c, 0x6b7a2c, 17, 1}, {0x7f8a30, 0xe0b85c, 6, 7}};
    for (size_t layer = 0; layer < sizeof layers / sizeof *layers; layer++)
        for (int i = 0; i < tree->twig_count; i++)
            for (int leaf = 0; leaf < layers[layer].leaves; leaf++) {
                float angle = chance(scene, 0, 6.2832f), distance = 24 * sqrtf(chance(scene, 0, 1));
                float x = tree->twigs[i].x + distance * cosf(angle) - layers[layer].shift;
                float y = tree->twigs[i].y + 0.8f * distance * sinf(angle) - 0.8f * layers[layer].shift;
                /* Clumps of leaves catch the light, gaps between them do not. */
                float clump = 0.5f + 0.9f * noise(x * 0.022f, y * 0.022f) + 0.5f * noise(x * 0.06f, y * 0.06f);
                if (layer > 0 && chance(scene, 0, 1) > clump)
                    continue;
                struct color color =
                    color_mix(color_from_code(layers[layer].dark), color_from_code(layers[layer].light),
                              clamp01(clump + chance(scene, -0.3f, 0.3f)));
                float lean = chance(scene, 0, 3.1416f), size = chance(scene, 1.4f, 3.0f);
                canvas_line(scene->canvas, at(scene, x - size * cosf(lean), y - size * sinf(lean)),
                            at(scene, x + size * cosf(lean), y + size * sinf(lean)), 2.6f * scene->unit,
                            1.0f * scene->unit, color);
            }
}

static bool draw_tree(struct scene *scene, float x, float y) {
    struct tree *tree = calloc(1, sizeof *tree);
    if (!tree)
        return false;
    scene->chance = random_from_seed(6); /* so that it stays the same tree whatever grows around it */
    grow_branch(scene, tree, (struct point){x, y}, 1.68f, 190, 52, 6);
    draw_leaves(scene, tree);
    free(tree);
    return true;
}

bool draw_foreground(struct canvas *canvas) {
    struct scene scene = {canvas, random_from_seed(20), (float)canvas->width / 1536};
    draw_boat(&scene, 640, 590);
    fill_meadow(&scene);
    draw_grass(&scene, 760, 838);
    draw_cabin(&scene, 262, 828);
    draw_fence(&scene, 360, 1130);
    draw_grass(&scene, 832, 930);
    if (!draw_tree(&scene, 1432, 935))
        return false;
    draw_grass(&scene, 925, 1080);
    return true;
}
