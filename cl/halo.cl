/* halo.cl: of a picture that is computed in tiles (evaluate/tiling.h): a tile's maps less what is there only for the sake
 * of its core, and its gradient added to the picture's. `core` is the rectangle (y, x, height, width) of a map.
 */
#include "common.h"
#include "features.h"

/* map[y][x] = 0 outside of the core. */
__kernel IN_GROUPS void clear_halo(__global featureB *map, int blocks, int height, int width, int4 core) {
    FOR_LINES(line, blocks * height, x, width) {
        int y = line % height;
        if (y < core.x || y >= core.x + core.z || x < core.y || x >= core.y + core.w) {
            store_features(map + (size_t)line * width + x, (floatB)(0.0f));
        }
    }
}

/* core_mask = mask, but 0 outside of the core. */
__kernel IN_GROUPS void mask_core(__global const ushortB *mask, __global ushortB *core_mask, int blocks, int height,
                                  int width, int4 core) {
    int tile_rows = (height + 3) / 4, tile_columns = (width + 3) / 4;
    FOR_LINES(line, blocks * tile_rows, column, tile_columns) {
        int allowed = 0;
        for (int pixel = 0; pixel < 16; ++pixel) {
            int y = 4 * (line % tile_rows) + pixel / 4, x = 4 * column + pixel % 4;
            bool inside = y >= core.x && y < core.x + core.z && x >= core.y && x < core.y + core.w;
            allowed |= inside ? 1 << pixel : 0;
        }
        size_t i = (size_t)line * tile_columns + column;
        core_mask[i] = CONVERT_USHORT(CONVERT_INT(mask[i]) & (intB)(allowed));
    }
}

/* picture[c][y0 + y][x0 + x] += tile[c][y][x], float [3][height][width] of each; place: y0, x0, height and width of the
 * picture. */
__kernel IN_GROUPS void add_tile_gradient(__global const float *tile, __global float *picture, int height, int width,
                                          int4 place) {
    FOR_LINES(line, 3 * height, x, width) {
        size_t row = (size_t)(line / height) * place.z + place.x + line % height;
        picture[row * place.w + place.y + x] += tile[(size_t)line * width + x];
    }
}
