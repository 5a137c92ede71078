/* canvas.c: see canvas.h. */
#include "canvas.h"

#include <math.h>

/* ---- Numbers and colors ---------------------------------------------------------------------------------------- */

float clamp01(float value) {
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

float mix(float a, float b, float share_of_b) {
    return a + (b - a) * share_of_b;
}

float smooth_step(float from, float to, float value) {
    float t = clamp01((value - from) / (to - from));
    return t * t * (3 - 2 * t);
}

static float linear_from_code(unsigned code) {
    float value = (float)(code & 0xff) / 255.0f;
    return value <= 0.04045f ? value / 12.92f : powf((value + 0.055f) / 1.055f, 2.4f);
}

struct color color_from_code(unsigned code) {
    return (struct color){linear_from_code(code >> 16), linear_from_code(code >> 8), linear_from_code(code)};
}

struct color color_mix(struct color a, struct color b, float share_of_b) {
    return (struct color){mix(a.red, b.red, share_of_b), mix(a.green, b.green, share_of_b),
                          mix(a.blue, b.blue, share_of_b)};
}

struct color color_scale(struct color color, float factor) {
    return (struct color){color.red * factor, color.green * factor, color.blue * factor};
}

struct color color_add(struct color a, struct color b) {
    return (struct color){a.red + b.red, a.green + b.green, a.blue + b.blue};
}

struct color color_multiply(struct color a, struct color b) {
    return (struct color){a.red * b.red, a.green * b.green, a.blue * b.blue};
}

/* ---- Noise ----------------------------------------------------------------------------------------------------- */

static uint32_t scramble(int x, int y) {
    uint32_t bits = (uint32_t)x * 0x9e3779b1u ^ (uint32_t)y * 0x85ebca77u;
    bits = (bits ^ bits >> 15) * 0x2c1b3c6du;
    bits = (bits ^ bits >> 12) * 0x297a2d39u;
    return bits ^ bits >> 15;
}

float hash(int x, int y) {
    return (float)(scramble(x, y) >> 8) / 16777216.0f;
}

/* The slope that the lattice point (x, y) gives to the point (dx, dy) from it (Perlin 1985). */
static float gradient(int x, int y, float dx, float dy) {
    static const float directions[8][2] = {{1, 0},  {0.7071f, 0.7071f},   {0, 1},  {-0.7071f, 0.7071f},
                                           {-1, 0}, {-0.7071f, -0.7071f}, {0, -1}, {0.7071f, -0.7071f}};
    const float *direction = directions[scramble(x, y) & 7];
    return direction[0] * dx + direction[1] * dy;
}

float noise(float x, float y) {
    float floor_x = floorf(x), floor_y = floorf(y), dx = x - floor_x, dy = y - floor_y;
    int left = (int)floor_x, top = (int)floor_y;
    float across = dx * dx * dx * (dx * (dx * 6 - 15) + 10), down = dy * dy * dy * (dy * (dy * 6 - 15) + 10);
    float upper = mix(gradient(left, top, dx, dy), gradient(left + 1, top, dx - 1, dy), across);
    float lower = mix(gradient(left, top + 1, dx, dy - 1), gradient(left + 1, top + 1, dx - 1, dy - 1), across);
    return 1.5f * mix(upper, lower, down);
}

float fractal_noise(float x, float y, int octaves) {
    float sum = 0, amplitude = 0.5f;
    for (int i = 0; i < octaves; i++, amplitude *= 0.5f) {
        sum += amplitude * noise(x, y);
        float turned = 1.6f * x - 1.2f * y + 17.3f; /* turned and doubled, so that the lattices do not line up */
        y = 1.2f * x + 1.6f * y - 9.1f;
        x = turned;
    }
    return sum;
}

/* ---- Shapes ---------------------------------------------------------------------------------------------------- */

void canvas_blend(struct canvas *canvas, int x, int y, struct color color, float opacity) {
    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height || opacity <= 0)
        return;
    struct color *pixel = &canvas->pixels[(size_t)y * (size_t)canvas->width + (size_t)x];
    *pixel = color_mix(*pixel, color, opacity > 1 ? 1 : opacity);
}

void canvas_disc(struct canvas *canvas, struct point center, float radius, struct color color, float opacity) {
    for (int y = (int)floorf(center.y - radius - 1); y <= (int)ceilf(center.y + radius + 1); y++)
        for (int x = (int)floorf(center.x - radius - 1); x <= (int)ceilf(center.x + radius + 1); x++) {
            float distance = hypotf((float)x - center.x, (float)y - center.y);
            canvas_blend(canvas, x, y, color, opacity * clamp01(radius - distance + 0.5f));
        }
}

void canvas_line(struct canvas *canvas, struct point from, struct point to, float from_width, float to_width,
                 struct color color) {
    float dx = to.x - from.x, dy = to.y - from.y, squared = dx * dx + dy * dy + 1e-6f;
    float reach = 0.5f * fmaxf(from_width, to_width) + 1;
    for (int y = (int)floorf(fminf(from.y, to.y) - reach); y <= (int)ceilf(fmaxf(from.y, to.y) + reach); y++)
        for (int x = (int)floorf(fminf(from.x, to.x) - reach); x <= (int)ceilf(fmaxf(from.x, to.x) + reach); x++) {
            float along = clamp01((((float)x - from.x) * dx + ((float)y - from.y) * dy) / squared);
            float distance = hypotf((float)x - from.x - along * dx, (float)y - from.y - along * dy);
            float width = mix(from_width, to_width, along);
            float coverage = clamp01(0.5f * width - distance + 0.5f);
            canvas_blend(canvas, x, y, color, width < 1 ? coverage * width : coverage);
        }
}

/* How far the point lies inside of the edge between two corners, positive on the left side of it. */
static float inside_of_edge(struct point from, struct point to, float x, float y) {
    float dx = to.x - from.x, dy = to.y - from.y;
    return (dx * (y - from.y) - dy * (x - from.x)) / hypotf(dx, dy);
}

void canvas_polygon(struct canvas *canvas, const struct point *corners, int count, struct color color, float opacity) {
    float left = corners[0].x, right = left, top = corners[0].y, bottom = top, area = 0;
    for (int i = 0; i < count; i++) {
        struct point a = corners[i], b = corners[(i + 1) % count];
        left = fminf(left, a.x), right = fmaxf(right, a.x);
        top = fminf(top, a.y), bottom = fmaxf(bottom, a.y);
        area += a.x * b.y - b.x * a.y;
    }
    for (int y = (int)top - 1; y <= (int)bottom + 1; y++)
        for (int x = (int)left - 1; x <= (int)right + 1; x++) {
            float coverage = 1;
            for (int i = 0; i < count; i++) {
                float inside = inside_of_edge(corners[i], corners[(i + 1) % count], (float)x, (float)y);
                coverage = fminf(coverage, clamp01((area > 0 ? inside : -inside) + 0.5f));
            }
            canvas_blend(canvas, x, y, color, opacity * coverage);
        }
}
