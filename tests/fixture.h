/* fixture.h: what the suites that compute on a device share: opening it, random data, going between plain arrays and
 * the layout on the device, and comparing with the float64 reference.
 *
 * Plain maps are dense, [channels][height][width]. The functions here fail the test in hand when anything goes wrong.
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "device/plan.h"
#include "sizes.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

struct map_size {
    int channels, height, width;
    bool half; /* on the device it is of bfloat16 */
};

static inline size_t pixels_of(struct map_size size) {
    return (size_t)size.height * (size_t)size.width;
}
static inline size_t elements_of(struct map_size size) {
    return (size_t)size.channels * pixels_of(size);
}

/* The sizes that every kernel is tried at: single pixels, odd edges, odd channel counts, whole and broken blocks. */
extern const struct map_size map_sizes[];
size_t map_size_count(void);

/* Group fixtures: *state is the nst_context of the default device. */
int fixture_open(void **state);
int fixture_close(void **state);

/* The half of that device of this number, 1 or 2; where it cannot be divided, the device once more. Fails where it cannot be
 * opened; to be destroyed. `spec` (32 bytes) says what was opened. */
nst_context *open_half(int number, char *spec);

/* Fails with the error's message unless `status` is NST_OK. */
void check(nst_status status, const nst_error *error);

/* Zeroed memory that is there. */
void *allocate(size_t count, size_t bytes);

/* From malloc, of mean 0 and variance 1; uniform ones are within low..high. */
float *random_array(uint64_t seed, size_t count);
float *random_uniform_array(uint64_t seed, size_t count, double low, double high);
double *to_doubles(const float *values, size_t count);

/* Buffers of a copy of data, or of zeros. Release with buffer_release. */
cl_mem upload(nst_context *context, const void *data, size_t bytes);
cl_mem create_zero(nst_context *context, size_t bytes);
/* From malloc. */
void *download(nst_context *context, cl_mem buffer, size_t bytes);

/* A random map, rounded to what the device can hold of it; and the same for one that is there. */
float *random_map(uint64_t seed, struct map_size size);
void round_map(float *values, struct map_size size);

/* Maps in blocks as they lie on the device, of so many elements, but of floats here. */
cl_mem upload_blocks(nst_context *context, const float *blocks, size_t count, bool half);
float *download_blocks(nst_context *context, cl_mem buffer, size_t count, bool half);

/* Plain maps to blocks on the device and back. Coming back, channels that do not exist must be zero. */
cl_mem upload_map(nst_context *context, const float *dense, struct map_size size);
float *download_map(nst_context *context, cl_mem buffer, struct map_size size);
int blocks_of_map(const nst_context *context, struct map_size size);

/* A plain array of truth values as a ReLU mask and back; bits of pixels that do not exist must be zero in it. */
cl_mem upload_mask(nst_context *context, const bool *dense, struct map_size size);
bool *download_mask(nst_context *context, cl_mem buffer, struct map_size size);
size_t mask_elements(const nst_context *context, struct map_size size);
bool *random_mask(uint64_t seed, struct map_size size);

/* Fails, naming the worst element, unless each differs by at most `bound` times the root mean square of `expected`. */
void assert_near(const char *what, const float *got, const double *expected, size_t count, double bound);
/* The same for a map that was rounded when it was stored: each may be off by that much more. */
void assert_map_near(const char *what, const float *got, const double *expected, struct map_size size, double bound);
/* How much rounding changes a number that the device stores in 16 bits, at most and relative to it. */
#define HALF_MAP_ROUNDING 0x1p-8
/* Root mean square of the difference, relative to that of `expected`. */
double relative_rms(const float *got, const double *expected, size_t count);
/* Fails unless |got - expected| <= bound * |expected|. */
void assert_close(const char *what, double got, double expected, double bound);

#endif
