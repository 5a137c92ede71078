/* subspace.c: finds a subspace on device and host, and projects vectors to it on the device; see subspace.h. */
#include "loss/subspace.h"

#include "support/error.h"

#include <math.h>
#include <stdlib.h>

enum { TERMS = 8 }; /* as in cl/subspace.cl */

nst_status subspace_create(nst_context *context, struct subspace *subspace, nst_error *error) {
    *subspace = (struct subspace){0};
    nst_status status = kernel_create(context, "subspace.cl", "", "subspace_sketch", &subspace->sketch, error);
    return status ? status : kernel_create(context, "subspace.cl", "", "subspace_project", &subspace->project, error);
}

void subspace_release(struct subspace *subspace) {
    kernel_release(&subspace->sketch);
    kernel_release(&subspace->project);
}

uint64_t subspace_basis_bytes(const nst_context *context, int blocks, int dimensions) {
    return sample_stack_bytes(context, blocks, dimensions);
}

/* Directions float [count][channels], each made orthogonal to those before it and of length 1 (modified Gram-Schmidt).
 * What is left of one that depends on those before it is rounding, and counts as nothing. */
static void make_orthonormal(float *directions, int count, size_t channels) {
    for (int k = 0; k < count; ++k) {
        float *direction = directions + (size_t)k * channels;
        double before = 0, after = 0;
        for (size_t c = 0; c < channels; ++c) {
            before += (double)direction[c] * direction[c];
        }
        for (int other = 0; other < k; ++other) {
            const float *unit = directions + (size_t)other * channels;
            double dot = 0;
            for (size_t c = 0; c < channels; ++c) {
                dot += (double)unit[c] * direction[c];
            }
            for (size_t c = 0; c < channels; ++c) {
                direction[c] -= (float)dot * unit[c];
            }
        }
        for (size_t c = 0; c < channels; ++c) {
            after += (double)direction[c] * direction[c];
        }
        float factor = after > 1e-10 * before ? (float)(1 / sqrt(after)) : 0;
        for (size_t c = 0; c < channels; ++c) {
            direction[c] *= factor;
        }
    }
}

/* From float [blocks][dimensions][B] to [dimensions][blocks * B], or from there to [blocks * B][dimensions]. */
static void gather_directions(const float *sketch, int blocks, int block, int dimensions, float *directions) {
    for (int b = 0; b < blocks; ++b) {
        for (int k = 0; k < dimensions; ++k) {
            for (int lane = 0; lane < block; ++lane) {
                directions[((size_t)k * (size_t)blocks + (size_t)b) * (size_t)block + (size_t)lane] = *sketch++;
            }
        }
    }
}
static void transpose(const float *directions, size_t channels, int dimensions, float *basis) {
    for (size_t c = 0; c < channels; ++c) {
        for (int k = 0; k < dimensions; ++k) {
            *basis++ = directions[(size_t)k * channels + c];
        }
    }
}

nst_status subspace_find(nst_context *context, const struct subspace *subspace, const struct sample_stack *stack,
                         cl_mem mean, const struct subspace_buffers *buffers, nst_error *error) {
    int dimensions = buffers->dimensions;
    size_t bytes = (size_t)subspace_basis_bytes(context, stack->blocks, dimensions);
    size_t channels = (size_t)stack->blocks * (size_t)context->channel_block;
    float *numbers = malloc(bytes), *directions = malloc(bytes);
    nst_status status = numbers && directions ? NST_OK : fail_memory(error, 2 * bytes, "a basis of features");
    size_t group = context->loops_in_kernel ? 1 : context->work_group;
    struct work_size size = {1, {(size_t)(stack->blocks * (dimensions / TERMS)) * group, 1, 1}, {group, 1, 1}};
    if (!status) {
        status = kernel_run(context, subspace->sketch, size,
                            ARGUMENTS(arg_buffer(stack->samples), arg_buffer(mean), arg_buffer(buffers->sketch),
                                      arg_int(stack->first_block), arg_int(stack->positions), arg_int(dimensions)),
                            error);
    }
    status = status ? status : buffer_read(context, buffers->sketch, 0, numbers, bytes, error);
    if (!status) {
        gather_directions(numbers, stack->blocks, context->channel_block, dimensions, directions);
        make_orthonormal(directions, dimensions, channels);
        transpose(directions, channels, dimensions, numbers);
        status = buffer_write(context, buffers->basis, 0, numbers, bytes, error);
    }
    free(numbers);
    free(directions);
    return status;
}

nst_status subspace_project(nst_context *context, const struct subspace *subspace, const struct sample_stack *stack,
                            const struct subspace_buffers *buffers, cl_mem projected, nst_error *error) {
    int blocks = buffers->dimensions / context->channel_block;
    return kernel_run(context, subspace->project, work_range(context, (size_t)blocks * (size_t)stack->positions),
                      ARGUMENTS(arg_buffer(stack->samples), arg_buffer(buffers->basis), arg_buffer(projected),
                                arg_int(stack->first_block), arg_int(stack->blocks), arg_int(stack->positions),
                                arg_int(blocks)),
                      error);
}
