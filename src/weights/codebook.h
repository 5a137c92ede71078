/* codebook.h: weights stored as codes and a table of the at most 256 values that they stand for.
 *
 * The codes are bytes in the shape of the weights, or, where the table has 2 to 128 values, packed: B bits each, the
 * first in the lowest bits of the first byte and so on, the last byte filled up with zeros. The table then has exactly
 * 2^B values, so that every code stands for one. */
#ifndef WEIGHTS_CODEBOOK_H
#define WEIGHTS_CODEBOOK_H

#include "weights/tensors.h"

#define CODEBOOK_MAX      256
#define CODEBOOK_MAX_BITS 8

/* Reads `codes` (U8, any shape) and `codebook` (F32, one dimension), and replaces each code by its value.
 * `*values`, codes->count of them, is from malloc. */
nst_status codebook_read(const struct tensor_list *list, const struct tensor *codes, const struct tensor *codebook,
                         float **values, nst_error *error);

/* Checks that `packed` and `codebook` are of the form above for `count` weights, and tells the bits of a code; reads
 * nothing. Errors: NST_ERROR_FORMAT. */
nst_status codebook_check_packed(const struct tensor_list *list, const struct tensor *packed,
                                 const struct tensor *codebook, uint64_t count, int *bits, nst_error *error);

/* Reads the values of `count` packed codes, after the same checks. `*values` is from malloc. */
nst_status codebook_read_packed(const struct tensor_list *list, const struct tensor *packed,
                                const struct tensor *codebook, uint64_t count, float **values, nst_error *error);

/* The least bits, at least 1, that tell `size` codes apart. */
int codebook_bits(int size);

/* How many bytes packed codes take. */
uint64_t codebook_packed_bytes(uint64_t count, int bits);

/* Packs codes below 2^bits into codebook_packed_bytes(count, bits) bytes. */
void codebook_pack(const unsigned char *codes, size_t count, int bits, unsigned char *packed);

/* Finds the codebook of `values` if they take at most 256 different values, sorted ascending; returns its size, or 0 if
 * there are more. `codes` has `count` places. Nothing is lost: decoding gives the same bits. */
int codebook_make(const float *values, size_t count, unsigned char *codes, float codebook[CODEBOOK_MAX]);

/* Finds the values, at most `most` (up to CODEBOOK_MAX) and ascending, that stand for `values` (one at least) with
 * little squared error (k-means), gives each of them the nearest, and returns their number, or 0 without memory. */
int codebook_fit(const float *values, size_t count, int most, unsigned char *codes, float codebook[CODEBOOK_MAX],
                 nst_error *error);

#endif
