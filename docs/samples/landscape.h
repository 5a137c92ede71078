/* landscape.h: the two halves of the landscape picture. */
#ifndef SAMPLES_LANDSCAPE_H
#define SAMPLES_LANDSCAPE_H

#include "canvas.h"

/* Where the horizon is, as a share of the canvas's height. */
#define HORIZON 0.47f

/* The meadow, house and tree in front, over the finished distance. False when out of memory. */
bool draw_foreground(struct canvas *canvas);

#endif
