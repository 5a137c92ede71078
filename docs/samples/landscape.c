/* landscape.c: a mountain lake in evening light: sky, terrain and water. What stands in front is in foreground.c.
 *
 * The terrain is a height map, drawn column by column from front to back. Lengths are in units of about 100 m: x to the
 * right, z into the picture, heights above the lake. A pixel looks along the direction (u, v, 1). */
#include "landscape.h"

#include <math.h>
#include <stdlib.h>

#define VIEW_WIDTH    1.15f /* of the picture, at a distance of 1 */
#define CAMERA_HEIGHT 0.34f
#define NEAREST       1.25f
#define FAR_SHORE     5.0f /* what stands nearer is not mirrored in the lake */
#define FARTHEST      46.0f

/* ---- Sky ------------------------------------------------------------------------------------------------------- */

/* The light comes from the left, a little from behind the mountains. */
static const float sun[3] = {-0.80f, 0.34f, 0.28f};

static struct color sun_color(void) {
    return color_scale(color_from_code(0xffc890), 2.4f);
}

/* 1 towards the sun at the left edge of the picture, 0 on the right. */
static float sunward(float u) {
    return smooth_step(0.75f, -0.75f, u);
}

static struct color clear_sky(float u, float v) {
    float up = sqrtf(clamp01(v / 0.40f));
    struct color low = color_mix(color_from_code(0xd6c6c4), color_from_code(0xffdca6), sunward(u));
    struct color middle = color_mix(color_from_code(0x86aacb), color_from_code(0xb7c0c4), sunward(u));
    struct color high = color_mix(color_from_code(0x2f609a), color_from_code(0x4b7cae), sunward(u));
    struct color color = color_mix(low, middle, smooth_step(0, 0.62f, up));
    return color_mix(color, high, smooth_step(0.40f, 1.05f, up));
}

/* How thick the clouds are over a point of the plane they float in. */
static float cloud_density(float x, float z) {
    float bend_x = fractal_noise(x * 0.5f + 3, z * 0.5f, 3), bend_z = fractal_noise(x * 0.5f, z * 0.5f + 7, 3);
    float body = fractal_noise(x * 0.8f + 0.8f * bend_x + 1.7f, z * 1.1f + 0.8f * bend_z + 4.2f, 8);
    return body + 0.55f * fractal_noise(x * 0.28f + 2, z * 0.34f, 2) + 0.07f;
}

static struct color add_clouds(struct color color, float u, float v) {
    float distance = 0.32f / (v + 0.045f), x = u * distance * 1.5f, z = distance;
    float density = cloud_density(x, z);
    float edge = 0.22f * fractal_noise(x * 3.1f, z * 4.3f, 5);
    float cover = smooth_step(0.0f, 0.32f, density + edge) * smooth_step(0.0f, 0.10f, v);
    /* Less cloud towards the sun means a lit side; thick cloud is dark below. */
    float lit = clamp01(0.55f + 1.9f * (density - cloud_density(x - 0.16f, z + 0.05f)) + 0.8f * edge);
    float thick = smooth_step(0.12f, 0.55f, density);
    struct color bright = color_mix(color_from_code(0xfff0e0), color_from_code(0xffd9ae), sunward(u));
    struct color dark = color_mix(color_from_code(0x8593ad), color_from_code(0xc09a96), sunward(u));
    struct color cloud = color_mix(dark, color_scale(bright, 1.12f), clamp01(lit * (1 - 0.55f * thick)));
    cloud = color_mix(cloud, clear_sky(u, v), 0.55f * expf(-v * 9));
    return color_mix(color, cloud, 0.94f * cover);
}

static struct color sky_color(float u, float v) {
    struct color color = add_clouds(clear_sky(u, v), u, v);
    float glow = expf(-hypotf((u + 0.66f) * 1.3f, (v - 0.10f) * 2.1f) * 3.4f);
    return color_add(color, color_scale(color_from_code(0xffb469), 0.75f * glow));
}

/* ---- Terrain --------------------------------------------------------------------------------------------------- */

struct terrain {
    int columns, rows;
    float spacing;
    float *heights;
};

/* Sharp crests and smooth valleys: noise folded at zero, finer where it is already high (Musgrave's ridged
 * multifractal). */
static float ridged_noise(float x, float y, int octaves) {
    float sum = 0, amplitude = 0.5f, weight = 1;
    for (int i = 0; i < octaves; i++, amplitude *= 0.48f) {
        float fold = 1 - fabsf(noise(x, y));
        fold *= fold * weight;
        weight = clamp01(fold * 1.6f);
        sum += fold * amplitude;
        float turned = 1.65f * x - 1.25f * y + 5.1f;
        y = 1.25f * x + 1.65f * y + 2.7f;
        x = turned;
    }
    return sum;
}

static float compute_height(float x, float z) {
    float shore = hypotf((x + 0.3f) / 5.4f, (z - 6.9f) / 5.7f) - 1 + 0.42f * fractal_noise(x * 0.3f, z * 0.3f, 5);
    float gap = 1 - 0.78f * expf(-powf((x / (z + 1) + 0.13f) / 0.13f, 2)) * smooth_step(9, 16, z);
    float rise = smooth_step(0.15f, 3.4f, shore) * gap;
    float ridges = ridged_noise(x * 0.115f + 0.35f, z * 0.115f + 1.1f, 9);
    float height = 0.22f * fminf(shore, 1.5f);
    height += 5.6f * rise * powf(ridges, 1.55f) + 0.55f * rise * fractal_noise(x * 0.5f, z * 0.5f, 6);
    height += smooth_step(0.02f, 0.5f, shore) * 0.16f * (0.4f + fractal_noise(x * 1.1f, z * 1.1f, 5));
    float near = smooth_step(4.2f, 2.4f, z);
    return height - 0.30f * near; /* the lake reaches up to the meadow in front */
}

static bool terrain_create(struct terrain *terrain) {
    const float half_width = 28;
    terrain->spacing = 0.03f;
    terrain->columns = (int)(2 * half_width / terrain->spacing);
    terrain->rows = (int)(FARTHEST / terrain->spacing) + 2;
    terrain->heights = malloc((size_t)terrain->columns * (size_t)terrain->rows * sizeof *terrain->heights);
    for (int row = 0; terrain->heights && row < terrain->rows; row++)
        for (int column = 0; column < terrain->columns; column++)
            terrain->heights[(size_t)row * (size_t)terrain->columns + (size_t)column] =
                compute_height((float)column * terrain->spacing - half_width, (float)row * terrain->spacing);
    return terrain->heights != NULL;
}

static float ground_height(const struct terrain *terrain, float x, float z) {
    float column = x / terrain->spacing + 0.5f * (float)terrain->columns, row = z / terrain->spacing;
    column = fminf(fmaxf(column, 0), (float)terrain->columns - 1.01f);
    row = fminf(fmaxf(row, 0), (float)terrain->rows - 1.01f);
    const float *corner = terrain->heights + (size_t)(int)row * (size_t)terrain->columns + (size_t)(int)column;
    float across = column - floorf(column), into = row - floorf(row);
    return mix(mix(corner[0], corner[1], across), mix(corner[terrain->columns], corner[terrain->columns + 1], across),
               into);
}

/* The share of the ground that forest covers: not on steep slopes, not above the tree line, with clearings. */
static float forest_cover(float x, float z, float height, float steepness) {
    float patches = 0.5f + 1.3f * fractal_noise(x * 0.9f + 5, z * 0.9f, 4);
    float line = 1.25f + 0.8f * fractal_noise(x * 0.6f, z * 0.6f + 9, 3);
    float before = smooth_step(3.2f, 4.6f, z) + smooth_step(0.30f, 0.45f, fabsf(x / z)); /* the view stays open */
    return clamp01(patches + 0.25f) * clamp01(before) * smooth_step(0.015f, 0.06f, height) *
           smooth_step(line, 0.7f * line, height) * smooth_step(1.5f, 0.8f, steepness);
}

/* One spruce per cell of two interleaved grids: a cone, ragged like its branches. Returns its height over (x, z) and
 * how far to the right of its stem that is (-1..1). */
static float tree_height(float x, float z, float cover, float *side) {
    const float cell = z < 4.2f ? 0.062f : 0.098f, tallest = 2.7f * cell;
    float best = 0;
    for (int grid = 0; grid < 2; grid++) {
        float across = x / cell + 0.5f * (float)grid, into = z / cell + 0.5f * (float)grid;
        int column = (int)floorf(across) + 1000 * grid, row = (int)floorf(into);
        if (hash(column, row) > cover)
            continue;
        float size = 0.55f + 0.45f * hash(column + 71, row), radius = 0.40f * (0.7f + 0.3f * size);
        float dx = across - floorf(across) - 0.42f - 0.16f * hash(column, row + 53), dz = into - floorf(into) - 0.5f;
        float distance = hypotf(dx, dz) / radius;
        float ragged = distance * (1 + 0.35f * noise(x * 110, z * 110));
        float height = tallest * size * (1 - ragged);
        if (ragged < 1 && height > best) {
            best = height;
            *side = dx / radius;
        }
    }
    return best;
}

/* 1 where the sun reaches, 0 in the shadow of the terrain. */
static float sun_reaches(const struct terrain *terrain, float x, float height, float z) {
    float open = 1;
    for (float distance = 0.06f; distance < 9; distance *= 1.13f) {
        float clearance =
            height + 0.015f + sun[1] * distance - ground_height(terrain, x + sun[0] * distance, z + sun[2] * distance);
        open = fminf(open, 0.5f + 14 * clearance / distance);
        if (open <= 0)
            return 0;
    }
    return smooth_step(0, 1, open);
}

static struct color haze(struct color color, float u, float height, float z) {
    float share = 1 - expf(-powf(z * 0.026f, 1.35f) * (0.35f + 0.65f * expf(-height * 0.45f)));
    struct color air = color_mix(color_from_code(0x93abc8), color_from_code(0xf4cdae), sunward(u) * 0.9f);
    return color_mix(color, air, share);
}

/* A point of the visible ground. */
struct surface {
    float x, z, height; /* of what is seen there */
    float tree, side;   /* height of the tree on it, 0 for none */
    float slope_x, slope_z, steepness;
    float cover;
};

static struct surface look_up_surface(const struct terrain *terrain, float x, float z) {
    struct surface surface = {.x = x, .z = z};
    float step = terrain->spacing, ground = ground_height(terrain, x, z);
    surface.slope_x = (ground_height(terrain, x + step, z) - ground_height(terrain, x - step, z)) / (2 * step);
    surface.slope_z = (ground_height(terrain, x, z + step) - ground_height(terrain, x, z - step)) / (2 * step);
    surface.steepness = hypotf(surface.slope_x, surface.slope_z);
    if (ground > 0) {
        surface.cover = forest_cover(x, z, ground, surface.steepness);
        surface.tree = tree_height(x, z, surface.cover, &surface.side);
    }
    surface.height = ground + surface.tree;
    return surface;
}

static struct color ground_material(const struct surface *at) {
    float fine = fractal_noise(at->x * 14, at->z * 14, 5), coarse = fractal_noise(at->x * 1.7f, at->z * 1.7f, 4);
    struct color grass = color_mix(color_from_code(0x5d6a33), color_from_code(0x9a8b4a), clamp01(0.5f + coarse + fine));
    struct color rock = color_mix(color_from_code(0x6d645f), color_from_code(0xa89784), clamp01(0.5f + 1.2f * fine));
    struct color color =
        color_mix(grass, rock, smooth_step(0.45f, 1.0f, at->steepness + 0.5f * fine + 0.22f * at->height));
    float snow_line = 2.35f + 0.7f * coarse + 0.5f * fine;
    float snow = smooth_step(snow_line - 0.15f, snow_line + 0.25f, at->height) *
                 smooth_step(1.55f, 0.95f, at->steepness + 0.8f * fine);
    color = color_mix(color, color_from_code(0xf4f3f0), snow);
    float shore = smooth_step(0.035f, 0.008f, at->height);
    return color_mix(color, color_from_code(0xa4937a), 0.85f * shore);
}

static struct color shade_surface(const struct terrain *terrain, const struct surface *at, float u) {
    float bump = 0.4f * smooth_step(20, 8, at->z) * smooth_step(2, 6, at->z);
    float slope_x = at->slope_x + bump * noise(at->x * 40, at->z * 40), slope_z = at->slope_z;
    float facing = (sun[1] - slope_x * sun[0] - slope_z * sun[2]) / sqrtf(1 + slope_x * slope_x + slope_z * slope_z);
    struct color color = ground_material(at);
    struct color forest = color_mix(color_from_code(0x1f3222), color_from_code(0x46532a),
                                    clamp01(0.5f + fractal_noise(at->x * 3, at->z * 3, 3)));
    if (at->tree > 0) {
        color = color_scale(forest, 0.40f + 5.0f * at->tree);
        facing = 0.30f - 0.55f * at->side;
    } else {
        color = color_mix(color, color_scale(forest, 0.6f), 0.6f * at->cover);
    }
    float light = clamp01(facing) * sun_reaches(terrain, at->x, at->height, at->z);
    struct color sky_light = color_scale(color_from_code(0xa3bdea), 0.66f + 0.1f * clamp01(1 - at->steepness));
    struct color lighting = color_add(color_scale(sun_color(), light), sky_light);
    return haze(color_multiply(color, lighting), u, at->height, at->z);
}

/* ---- Water ----------------------------------------------------------------------------------------------------- */

/* One column of the picture as a mirror in the lake's surface would show it, from the horizon up. */
struct mirror {
    struct color *colors;
    int rows;
};

static struct color water_color(const struct mirror *mirror, const struct terrain *terrain, float u, float z,
                                float view_per_row) {
    float v = CAMERA_HEIGHT / z, x = u * z;
    float calm =
        smooth_step(-0.25f, 0.35f, fractal_noise(x * 0.35f, z * 0.22f + 3, 4)); /* smooth lanes between ripples */
    float waves = noise(x * 9, z * 26) + 0.6f * noise(x * 21 + 4, z * 60) + 0.35f * noise(x * 60, z * 130);
    float tilt = waves * mix(0.030f, 0.007f, calm) * smooth_step(0, 0.10f, v);
    float row = fminf(fmaxf((v + tilt) / view_per_row, 0), (float)mirror->rows - 1.01f);
    struct color reflected = color_mix(mirror->colors[(int)row], mirror->colors[(int)row + 1], row - floorf(row));
    float grazing = powf(1 - clamp01((v - 0.7f * tilt) / sqrtf(1 + v * v)), 4);
    float depth = clamp01(-ground_height(terrain, x, z) * 16);
    struct color body = color_mix(color_from_code(0x6f7f63), color_from_code(0x12384a), sqrtf(depth));
    struct color color = color_mix(color_scale(body, 0.75f), color_scale(reflected, 0.93f), 0.22f + 0.78f * grazing);
    return haze(color, u, 0, z * 0.6f);
}

/* ---- Columns --------------------------------------------------------------------------------------------------- */

static void draw_mirror_column(struct mirror *mirror, const struct terrain *terrain, float u, float view_per_row) {
    for (int row = 0; row < mirror->rows; row++)
        mirror->colors[row] = sky_color(u, (float)row * view_per_row);
    int filled = -1;
    for (float z = FAR_SHORE; z < FARTHEST; z *= 1.0016f) {
        struct surface surface = look_up_surface(terrain, u * z, z);
        int top = (int)((surface.height + CAMERA_HEIGHT) / z / view_per_row);
        if (surface.height <= 0 || top <= filled)
            continue;
        struct color color = shade_surface(terrain, &surface, u);
        for (; filled < top && filled + 1 < mirror->rows; filled++)
            mirror->colors[filled + 1] = color;
    }
}

static void draw_column(struct canvas *canvas, int column, const struct mirror *mirror, const struct terrain *terrain,
                        float view_per_row) {
    float horizon = HORIZON * (float)canvas->height;
    float u = ((float)column + 0.5f - 0.5f * (float)canvas->width) * view_per_row;
    struct color *pixel = canvas->pixels + column;
    for (int y = 0; y < canvas->height; y++)
        pixel[(size_t)y * (size_t)canvas->width] = sky_color(u, fmaxf(0, (horizon - (float)y) * view_per_row));
    int filled = canvas->height; /* the highest row drawn so far */
    for (float z = NEAREST; z < FARTHEST; z *= 1.0008f) {
        struct surface surface = look_up_surface(terrain, u * z, z);
        bool water = surface.height <= 0;
        int top = (int)ceilf(horizon - (fmaxf(surface.height, 0) - CAMERA_HEIGHT) / z / view_per_row);
        if (top >= filled)
            continue;
        struct color color =
            water ? water_color(mirror, terrain, u, z, view_per_row) : shade_surface(terrain, &surface, u);
        for (; filled > top && filled > 0; filled--)
            pixel[(size_t)(filled - 1) * (size_t)canvas->width] = color;
    }
}

/* Brings light above 1 back into range without cutting it off. */
static float compress(float value) {
    return value < 0.6f ? value : 0.6f + 0.4f * (1 - expf((0.6f - value) / 0.4f));
}

bool draw_landscape(struct canvas *canvas) {
    float view_per_row = VIEW_WIDTH / (float)canvas->width;
    struct terrain terrain;
    struct mirror mirror = {.rows = canvas->height};
    mirror.colors = malloc((size_t)mirror.rows * sizeof *mirror.colors);
    bool enough_memory = terrain_create(&terrain) && mirror.colors;
    for (int column = 0; enough_memory && column < canvas->width; column++) {
        float u = ((float)column + 0.5f - 0.5f * (float)canvas->width) * view_per_row;
        draw_mirror_column(&mirror, &terrain, u, view_per_row);
        draw_column(canvas, column, &mirror, &terrain, view_per_row);
    }
    enough_memory = enough_memory && draw_foreground(canvas);
    for (size_t i = 0; i < (size_t)canvas->width * (size_t)canvas->height; i++) {
        struct color *pixel = &canvas->pixels[i];
        *pixel = (struct color){compress(pixel->red), compress(pixel->green), compress(pixel->blue)};
    }
    free(terrain.heights);
    free(mirror.colors);
    return enough_memory;
}
