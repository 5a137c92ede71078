/* lbfgs.cl: vectors of the limited-memory BFGS method, for the host's arithmetic on their inner products.
 *
 * Image, gradient, direction: float [elements], a multiple of 16, zeros behind the end. The history of pairs
 *     s = change of the image, y = change of the gradient
 * lies in pages of up to 8 pairs, float [pairs][2][elements], s before y. `count` is in vectors of floatV.
 *
 * Where the image is bounded to low..high, an element that stands at a bound and whose gradient pulls it further out
 * is held: its gradient counts as zero and it does not move (gradient projection, Bertsekas 1982).
 */
#include "common.h"

#if LOOPS
typedef floatB floatV;
typedef intB intV;
#define SUM_V(x)            SUM(x)
#define LANES_V(comparison) LANES(comparison)
#define FIRST(count)        (int)((long)(count)*get_global_id(0) / get_global_size(0))
#define LAST(count)         (int)((long)(count) * (get_global_id(0) + 1) / get_global_size(0))
#define STEP                1
#define CHUNK               512 /* vectors whose s, y and gradient stay in cache while the history streams by */
#else
typedef float floatV;
typedef int intV;
#define SUM_V(x)            (x)
#define LANES_V(comparison) (-(comparison))
#define FIRST(count)        get_global_id(0)
#define LAST(count)         (count)
#define STEP                get_global_size(0)
#define CHUNK               0x7fffffff
#endif

static intV is_held(floatV x, floatV gradient, float low, float high) {
    return (LANES_V(x <= low) & LANES_V(gradient > 0.0f)) | (LANES_V(x >= high) & LANES_V(gradient < 0.0f));
}

/* Partial sums of |gradient| and gradient^2 at slots 0 and 1, of the gradient as lbfgs_pair will project it. */
__kernel IN_GROUPS void lbfgs_norms(__global const floatV *image, __global const floatV *gradient, int count,
                                    int bounded, float low, float high, __global float *partials) {
    REDUCE_MEMORY;
    floatV absolute = (floatV)(0.0f), squares = absolute, absolute_lost = absolute, squares_lost = absolute;
    FOR_RANGE(i, count) {
        floatV g = gradient[i];
        if (bounded) {
            g = select(g, (floatV)(0.0f), is_held(image[i], g, low, high));
        }
        ADD_TERM(floatV, absolute, absolute_lost, fabs(g));
        ADD_TERM(floatV, squares, squares_lost, g * g);
    }
    REDUCE_STORE(SUM_V(absolute), partials);
    REDUCE_STORE(SUM_V(squares), partials + get_num_groups(0));
}

/* A new pair from this and the last evaluation, if there was one; then the last becomes this. Projects the gradient.
 * Without bounds s is the step as it was computed, not the difference of two images, in which small steps lose their
 * digits. */
__kernel IN_GROUPS void lbfgs_pair(__global const floatV *image, __global floatV *gradient, __global floatV *last_image,
                                   __global floatV *last_gradient, __global const floatV *direction, float last_step,
                                   __global floatV *page, int pair, int has_last, int count, int bounded, float low,
                                   float high) {
    __global floatV *s = page + (size_t)pair * 2 * count, *y = s + count;
    FOR_RANGE(i, count) {
        floatV x = image[i], g = gradient[i];
        if (has_last) {
            s[i] = bounded ? x - last_image[i] : last_step * direction[i];
            y[i] = g - last_gradient[i];
        }
        last_image[i] = x;
        last_gradient[i] = g;
        if (bounded) {
            gradient[i] = select(g, (floatV)(0.0f), is_held(x, g, low, high));
        }
    }
}

/* Adds to `sums` the products ss, sy, sg, ys, yy, yg of one pair's s and y with the newest s, y and the gradient. */
INLINED void add_pair_products(__global const floatV *page, int pair, __global const floatV *newest_s,
                               __global const floatV *newest_y, __global const floatV *gradient, int count, int begin,
                               int end, float sums[6]) {
    __global const floatV *s = page + (size_t)pair * 2 * count, *y = s + count;
    floatV ss = (floatV)(0.0f), sy = ss, sg = ss, ys = ss, yy = ss, yg = ss;
    for (int i = begin; i < end; i += STEP) {
        floatV vs = s[i], vy = y[i], n_s = newest_s[i], n_y = newest_y[i], g = gradient[i];
        ss += vs * n_s;
        sy += vs * n_y;
        sg += vs * g;
        ys += vy * n_s;
        yy += vy * n_y;
        yg += vy * g;
    }
    sums[0] += SUM_V(ss);
    sums[1] += SUM_V(sy);
    sums[2] += SUM_V(sg);
    sums[3] += SUM_V(ys);
    sums[4] += SUM_V(yy);
    sums[5] += SUM_V(yg);
}

/* Inner products of every s and y of a page with the newest s, the newest y and the gradient. Vector v of the page,
 * v = 2 pair for s and 2 pair + 1 for y, leaves them at slots 3 (first + v), + 1 and + 2. */
__kernel IN_GROUPS void lbfgs_products(__global const floatV *page, int pairs, int first,
                                       __global const floatV *newest_page, int newest_pair,
                                       __global const floatV *gradient, int count, __global float *partials) {
    REDUCE_MEMORY;
    __global const floatV *newest_s = newest_page + (size_t)newest_pair * 2 * count, *newest_y = newest_s + count;
    partials += (size_t)3 * first * get_num_groups(0);
    int last = LAST(count);
#if LOOPS
    float sums[8][6];
    for (int pair = 0; pair < pairs; ++pair) {
        for (int k = 0; k < 6; ++k) {
            sums[pair][k] = 0.0f;
        }
    }
    for (int begin = FIRST(count); begin < last; begin += CHUNK) {
        int end = min(begin + CHUNK, last);
        for (int pair = 0; pair < pairs; ++pair) {
            add_pair_products(page, pair, newest_s, newest_y, gradient, count, begin, end, sums[pair]);
        }
    }
    for (int pair = 0; pair < pairs; ++pair) {
        for (int k = 0; k < 6; ++k) {
            REDUCE_STORE(sums[pair][k], partials + (size_t)(6 * pair + k) * get_num_groups(0));
        }
    }
#else
    /* One pair after the other: the sums of all would not fit the registers. */
    for (int pair = 0; pair < pairs; ++pair) {
        float sums[6] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
        add_pair_products(page, pair, newest_s, newest_y, gradient, count, FIRST(count), last, sums);
#pragma unroll
        for (int k = 0; k < 6; ++k) {
            REDUCE_STORE(sums[k], partials + (size_t)(6 * pair + k) * get_num_groups(0));
        }
    }
#endif
}

/* direction = (begins ? gradient_factor * gradient : direction) + sum over the page's vectors of factors[v] * vector
 * v */
__kernel IN_GROUPS void lbfgs_combine(__global const floatV *page, int pairs, __global const float *factors, int first,
                                      __global const floatV *gradient, float gradient_factor, int begins,
                                      __global floatV *direction, int count) {
    int last = LAST(count);
    for (int begin = FIRST(count); begin < last;) {
        int end = last - begin > CHUNK ? begin + CHUNK : last;
        if (begins) {
            for (int i = begin; i < end; i += STEP) {
                direction[i] = gradient_factor * gradient[i];
            }
        }
        for (int pair = 0; pair < pairs; ++pair) {
            __global const floatV *s = page + (size_t)pair * 2 * count, *y = s + count;
            float factor_s = factors[first + 2 * pair], factor_y = factors[first + 2 * pair + 1];
            for (int i = begin; i < end; i += STEP) {
                direction[i] += factor_s * s[i] + factor_y * y[i];
            }
        }
        begin = LOOPS ? end : last;
    }
}

/* image += step * direction; held elements stay, the others stop at the bounds. */
__kernel IN_GROUPS void lbfgs_move(__global floatV *image, __global const floatV *direction,
                                   __global const floatV *last_gradient, float step, int count, int bounded, float low,
                                   float high) {
    FOR_RANGE(i, count) {
        floatV x = image[i], moved = x + step * direction[i];
        if (bounded) {
            moved = select(clamp(moved, low, high), x, is_held(x, last_gradient[i], low, high));
        }
        image[i] = moved;
    }
}
