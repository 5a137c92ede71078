/* codebook.h: weights stored as 8-bit codes and a table of the at most 256 values that they stand for. */
#ifndef WEIGHTS_CODEBOOK_H
#define WEIGHTS_CODEBOOK_H

#include "weights/tensors.h"

#define CODEBOOK_MAX 256

/* Reads `codes` (U8, any shape) and `codebook` (F32, one dimension), and replaces each code by its value.
 * `*values`, codes->count of them, is from malloc. */
nst_status codebook_read(const struct tensor_list *list, const struct tensor *codes, const struct tensor *codebook,
                         float **values, nst_error *error);

/* Finds the codebook of `values` if they take at most 256 different values, sorted ascending; returns its size, or 0 if
 * there are more. `codes` has `count` places. Nothing is lost: decoding gives the same bits. */
int codebook_make(const float *values, size_t count, unsigned char *codes, float codebook[CODEBOOK_MAX]);

/* Finds the values, at most CODEBOOK_MAX and ascending, that stand for `values` (one at least) with little squared error
 * (k-means), gives each of them the nearest, and returns their number, or 0 without memory. */
int codebook_fit(const float *values, size_t count, unsigned char *codes, float codebook[CODEBOOK_MAX],
                 nst_error *error);

#endif
