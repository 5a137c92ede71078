/* oklab.h: the color space OkLab (Björn Ottosson 2020, "A perceptual color space for image processing"): L is the
 * luminance as it is perceived, 0..1; a (green to red) and b (blue to yellow) are the chroma, 0 for grays. */
#ifndef IMAGE_OKLAB_H
#define IMAGE_OKLAB_H

/* An sRGB-encoded color, 0..1, as L, a, b. */
void oklab_from_srgb(const float rgb[3], float lab[3]);

/* The sRGB-encoded color, 0..1, of that luminance and hue. A chroma that sRGB does not have there becomes the largest
 * that it has; luminance and hue are kept. L is clamped to 0..1. */
void oklab_to_srgb(const float lab[3], float rgb[3]);

#endif
