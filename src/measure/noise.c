/* noise.c: buffers of noise; see noise.h. */
#include "measure/noise.h"

#include "support/error.h"
#include "support/random.h"

#include <stdlib.h>
#include <string.h>

nst_status noise_buffer(nst_context *context, uint64_t bytes, enum noise kind, cl_mem *buffer, nst_error *error) {
    size_t count = (size_t)(bytes + 3) / 4;
    uint32_t *words = malloc(count * sizeof *words);
    if (!words) {
        return fail_memory(error, count * sizeof *words, "noise");
    }
    struct random_generator generator = random_from_seed(bytes);
    for (size_t i = 0; i < count; ++i) {
        float value = (float)(2 * random_uniform(&generator) - 1);
        memcpy(&words[i], &value, sizeof value);
        words[i] = kind == NOISE_BITS      ? (uint32_t)random_bits(&generator)
                   : kind == NOISE_BFLOATS ? (words[i] & 0xffff0000) | words[i] >> 16 /* two of them */
                                           : words[i];
    }
    nst_status status = buffer_create(context, count * sizeof *words, "noise", buffer, error);
    if (!status) {
        status = buffer_write(context, *buffer, 0, words, count * sizeof *words, error);
    }
    free(words);
    return status;
}
