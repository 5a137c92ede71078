/* canvas.h: what both sample pictures are drawn with: colors, noise, and a canvas larger than the picture. */
#ifndef SAMPLES_CANVAS_H
#define SAMPLES_CANVAS_H

#include "nst.h"

/* A point in the plane, and a color in linear light (1: white). */
struct point {
    float x, y;
};
struct color {
    float red, green, blue;
};

struct canvas {
    int width, height;
    struct color *pixels; /* rows from the top */
};

/* The two pictures, painted on a canvas of any size of the right proportions. False when out of memory. */
bool draw_landscape(struct canvas *canvas);
bool draw_painting(struct canvas *canvas);

/* A color from its sRGB code, such as 0x336699. */
struct color color_from_code(unsigned code);
struct color color_mix(struct color a, struct color b, float share_of_b);
struct color color_scale(struct color color, float factor);
struct color color_add(struct color a, struct color b);
struct color color_multiply(struct color a, struct color b);

float clamp01(float value);
float mix(float a, float b, float share_of_b);
/* 0 below `from`, 1 above `to`, smooth in between; `from` may be the larger one. */
float smooth_step(float from, float to, float value);

/* A pseudo-random number in 0..1 for each pair of whole numbers. */
float hash(int x, int y);
/* Smooth noise of mean 0 in about -1..1 with features of size 1, and the sum of `octaves` of it, each of half the size.
 */
float noise(float x, float y);
float fractal_noise(float x, float y, int octaves);

/* Lays a color over one pixel; outside of the canvas, nothing happens. */
void canvas_blend(struct canvas *canvas, int x, int y, struct color color, float opacity);
/* A soft-edged disc, and a line with round ends that tapers from one width to another; in pixels. */
void canvas_disc(struct canvas *canvas, struct point center, float radius, struct color color, float opacity);
void canvas_line(struct canvas *canvas, struct point from, struct point to, float from_width, float to_width,
                 struct color color);
/* A filled convex polygon, corners in either order. */
void canvas_polygon(struct canvas *canvas, const struct point *corners, int count, struct color color, float opacity);

#endif
