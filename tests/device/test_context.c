/* test_context.c: a device in use: buffers, kernels, launches, times and messages. Runs on the default OpenCL device.
 */
#include "device/context.h"
#include "device/profile.h"
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Set-up ---------------------------------------------------------------------------------------------------- */

static const char kernel_text[] =
    "#include \"common.h\"\n"
    "__kernel void settings(__global int *out) { out[0] = BLOCK; out[1] = LOOPS; out[2] = WORK_GROUP; }\n"
    "__kernel void affine(__global const float *in, __global float *out, int offset, float factor) {\n"
    "    out[get_global_id(0)] = factor * in[get_global_id(0)] + offset;\n"
    "}\n"
    "__kernel void visit(__global int *visits, int count) { FOR_RANGE(i, count) { visits[i] += 1 + i; } }\n";

static int create_kernels(void **state) {
    if (folder_create(state)) {
        return -1;
    }
    char *header = calloc(1, 1 << 16);
    FILE *stream = fopen(NST_SOURCE_DIR "/cl/common.h", "rb");
    assert_non_null(stream);
    size_t bytes = fread(header, 1, 1 << 16, stream);
    fclose(stream);
    folder_write("common.h", header, bytes);
    free(header);
    folder_write("test.cl", kernel_text, sizeof kernel_text - 1);
    folder_write("broken.cl", "one\n\n\n__kernel void f( { return 0 }\n", 35);
    return setenv("NST_KERNEL_DIR", folder_path(""), 1);
}

static void set_or_clear(const char *name, const char *value) {
    if (value) {
        setenv(name, value, 1);
    } else {
        unsetenv(name);
    }
}

static nst_context *open_device(const char *style, const char *block, bool profiling) {
    nst_context *context;
    nst_error error = {.message = ""};
    set_or_clear("NST_DEVICE_STYLE", style);
    set_or_clear("NST_CHANNEL_BLOCK", block);
    nst_status status = nst_context_create(&(nst_context_options){.profiling = profiling}, &context, &error);
    if (status) {
        print_message("%s\n", error.message);
    }
    assert_int_equal(status, NST_OK);
    set_or_clear("NST_DEVICE_STYLE", NULL);
    set_or_clear("NST_CHANNEL_BLOCK", NULL);
    return context;
}

static int open_context(void **state) {
    *state = open_device(NULL, NULL, false);
    return 0;
}

static int close_context(void **state) {
    nst_context_destroy(*state);
    return 0;
}

static cl_kernel make_kernel(nst_context *context, const char *options, const char *name) {
    cl_kernel kernel;
    nst_error error = {.message = ""};
    nst_status status = kernel_create(context, "test.cl", options, name, &kernel, &error);
    if (status) {
        print_message("%s\n", error.message);
    }
    assert_int_equal(status, NST_OK);
    return kernel;
}

static cl_mem make_buffer(nst_context *context, size_t bytes) {
    cl_mem buffer;
    assert_int_equal(buffer_create(context, bytes, "a test", &buffer, NULL), NST_OK);
    return buffer;
}

/* ---- Buffers --------------------------------------------------------------------------------------------------- */

static void buffers_round_trip(void **state) {
    nst_context *context = *state;
    const int numbers[4] = {1, -2, 3, 1 << 30}, expected[4] = {1, 7, 3, 1 << 30}, seven = 7;
    int result[4] = {9, 9, 9, 9};
    cl_mem a = make_buffer(context, sizeof numbers), b = make_buffer(context, sizeof numbers);
    assert_int_equal(buffer_write(context, a, 0, numbers, sizeof numbers, NULL), NST_OK);
    assert_int_equal(buffer_write(context, a, 4, &seven, 4, NULL), NST_OK);
    assert_int_equal(buffer_fill_zero(context, b, sizeof numbers, NULL), NST_OK);
    assert_int_equal(buffer_read(context, b, 0, result, sizeof result, NULL), NST_OK);
    assert_true(!result[0] && !result[1] && !result[2] && !result[3]);
    assert_int_equal(buffer_copy(context, a, b, sizeof numbers, NULL), NST_OK);
    assert_int_equal(buffer_read(context, b, 0, result, sizeof result, NULL), NST_OK);
    assert_memory_equal(result, expected, sizeof expected);
    assert_int_equal(buffer_read(context, b, 8, result, 4, NULL), NST_OK);
    assert_int_equal(result[0], 3);
    assert_int_equal(buffer_write(context, a, 0, NULL, 0, NULL), NST_OK);
    assert_int_equal(context_finish(context, NULL), NST_OK);
    buffer_release(context, &a);
    buffer_release(context, &b);
}

static void memory_is_counted(void **state) {
    nst_context *context = *state;
    uint64_t before = context->allocated_bytes;
    cl_mem a = make_buffer(context, 1000), b = make_buffer(context, 3000);
    assert_true(context->allocated_bytes == before + 4000);
    buffer_release(context, &a);
    assert_null(a);
    assert_true(context->allocated_bytes == before + 3000);
    assert_true(context->peak_bytes >= before + 4000);
    buffer_release(context, &b);
    buffer_release(context, &b);
    buffer_release(context, NULL);
    assert_true(context->allocated_bytes == before);
}

static void parts_are_not_counted_twice(void **state) {
    nst_context *context = *state;
    uint64_t before = context->allocated_bytes;
    const int seven = 7;
    int result = 0;
    cl_mem whole = make_buffer(context, 3 * BUFFER_PART_ALIGNMENT), part;
    assert_int_equal(buffer_part(context, whole, BUFFER_PART_ALIGNMENT, 64, &part, NULL), NST_OK);
    assert_true(context->allocated_bytes == before + 3 * BUFFER_PART_ALIGNMENT);
    assert_int_equal(buffer_write(context, part, 4, &seven, 4, NULL), NST_OK);
    buffer_release(context, &part);
    assert_true(context->allocated_bytes == before + 3 * BUFFER_PART_ALIGNMENT);
    assert_int_equal(buffer_read(context, whole, BUFFER_PART_ALIGNMENT + 4, &result, 4, NULL), NST_OK);
    assert_int_equal(result, 7);
    buffer_release(context, &whole);
    assert_true(context->allocated_bytes == before);
}

static void expect_refusal(nst_context *context, size_t bytes, nst_status status, const char *part,
                           const char *other_part) {
    cl_mem buffer = (cl_mem)context;
    nst_error error;
    assert_int_equal(buffer_create(context, bytes, "gradient of relu1_2", &buffer, &error), status);
    assert_null(buffer);
    assert_non_null(strstr(error.message, "gradient of relu1_2"));
    assert_non_null(strstr(error.message, part));
    assert_non_null(strstr(error.message, other_part));
}

static void too_large_buffers_are_refused(void **state) {
    nst_context *context = *state;
    nst_device_info device = context->info;
    context->info.largest_allocation_bytes = 3 << 20;
    context->info.memory_bytes = 4 << 20;
    expect_refusal(context, (3 << 20) + 1, NST_ERROR_MEMORY, "at most 3 MiB", device.name);
    expect_refusal(context, SIZE_MAX, NST_ERROR_MEMORY, "at most 3 MiB", device.name);
    expect_refusal(context, 0, NST_ERROR_ARGUMENT, "empty", "");
    cl_mem buffer = make_buffer(context, 3 << 20);
    expect_refusal(context, 2 << 20, NST_ERROR_MEMORY, "of the 4 MiB", "3 MiB are in use");
    buffer_release(context, &buffer);
    context->info = device;
}

static void commands_beyond_a_buffer_fail(void **state) {
    nst_context *context = *state;
    nst_error error;
    int number = 0;
    cl_mem buffer = make_buffer(context, 4);
    assert_int_equal(buffer_read(context, buffer, 4, &number, 4, &error), NST_ERROR_OPENCL);
    assert_non_null(strstr(error.message, "clEnqueueReadBuffer failed: CL_INVALID_VALUE (-30) on "));
    assert_non_null(strstr(error.message, context->info.name));
    assert_int_equal(buffer_write(context, buffer, 0, &number, 8, NULL), NST_ERROR_OPENCL);
    buffer_release(context, &buffer);
}

/* ---- Kernels --------------------------------------------------------------------------------------------------- */

static void arguments_arrive(void **state) {
    nst_context *context = *state;
    float in[5] = {0, 1, 2, 3, 4}, out[5] = {0};
    cl_mem a = make_buffer(context, sizeof in), b = make_buffer(context, sizeof out);
    cl_kernel kernel = make_kernel(context, "", "affine");
    assert_int_equal(buffer_write(context, a, 0, in, sizeof in, NULL), NST_OK);
    assert_int_equal(kernel_run(context, kernel, work_items(5),
                                ARGUMENTS(arg_buffer(a), arg_buffer(b), arg_int(-3), arg_float(0.5f)), NULL),
                     NST_OK);
    assert_int_equal(buffer_read(context, b, 0, out, sizeof out, NULL), NST_OK);
    for (int i = 0; i < 5; ++i) {
        assert_true(out[i] == 0.5f * (float)i - 3);
    }
    kernel_release(&kernel);
    assert_null(kernel);
    kernel_release(&kernel);
    kernel_release(NULL);
    buffer_release(context, &a);
    buffer_release(context, &b);
}

static void wrong_arguments_are_named(void **state) {
    nst_context *context = *state;
    nst_error error;
    cl_kernel kernel = make_kernel(context, "", "affine");
    cl_mem buffer = make_buffer(context, 64);
    struct kernel_argument short_number = {2, {.integer = 1}};
    assert_int_equal(kernel_run(context, kernel, work_items(1),
                                ARGUMENTS(arg_buffer(buffer), arg_buffer(buffer), short_number), &error),
                     NST_ERROR_OPENCL);
    assert_non_null(strstr(error.message, "clSetKernelArg (argument 2 of affine) failed: CL_INVALID_ARG_SIZE"));
    kernel_release(&kernel);
    kernel = make_kernel(context, "", "affine");
    assert_int_equal(kernel_run(context, kernel, work_items(1), ARGUMENTS(arg_buffer(buffer)), &error),
                     NST_ERROR_OPENCL);
    assert_non_null(strstr(error.message, "clEnqueueNDRangeKernel (affine) failed: CL_INVALID_KERNEL_ARGS (-52)"));
    kernel_release(&kernel);
    buffer_release(context, &buffer);
}

static void expect_settings(nst_context *context, const char *options, int block, int loops, int group) {
    int settings[3] = {0};
    cl_mem buffer = make_buffer(context, sizeof settings);
    cl_kernel kernel = make_kernel(context, options, "settings");
    assert_int_equal(kernel_run(context, kernel, work_items(1), ARGUMENTS(arg_buffer(buffer)), NULL), NST_OK);
    assert_int_equal(buffer_read(context, buffer, 0, settings, sizeof settings, NULL), NST_OK);
    assert_int_equal(settings[0], block);
    assert_int_equal(settings[1], loops);
    assert_int_equal(settings[2], group);
    kernel_release(&kernel);
    buffer_release(context, &buffer);
}

static void kernels_know_the_device(void **state) {
    (void)state;
    static const char *const styles[] = {"cpu", "gpu"}, *const blocks[] = {NULL, "1", "4", "8", "16"};
    for (int style = 0; style < 2; ++style) {
        for (int block = 0; block < (style == 0 ? 5 : 2); ++block) { /* for GPUs: 1 */
            nst_context *context = open_device(styles[style], blocks[block], false);
            int group = (int)context->work_group;
            assert_int_equal(context->loops_in_kernel, style == 0);
            assert_true(style == 0 ? group == 1 : group > 1);
            assert_true(context->work_items >= 1);
            if (blocks[block]) {
                assert_int_equal(context->channel_block, atoi(blocks[block]));
            } else {
                assert_true(style == 0 ? context->channel_block >= 4 : context->channel_block == 1);
            }
            expect_settings(context, "", context->channel_block, style == 0, group);
            nst_context_destroy(context);
        }
    }
}

/* What the caller defines wins, and is not defined twice. */
static void options_of_the_caller_win(void **state) {
    nst_context *context = *state;
    expect_settings(context, "-D BLOCK=16 -D LOOPS=0 -D WORK_GROUP=32", 16, 0, 32);
    expect_settings(context, "-DBLOCK=4", 4, context->loops_in_kernel, (int)context->work_group);
    expect_settings(context, "-D BLOCK_OF_MINE=4 -D MY_LOOPS", context->channel_block, context->loops_in_kernel,
                    (int)context->work_group);
    char options[2000];
    nst_error error;
    cl_kernel kernel;
    memset(options, ' ', sizeof options - 1);
    options[sizeof options - 1] = 0;
    assert_int_equal(kernel_create(context, "test.cl", options, "visit", &kernel, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "options of test.cl"));
}

static cl_program program_of(cl_kernel kernel) {
    cl_program program = NULL;
    assert_int_equal(clGetKernelInfo(kernel, CL_KERNEL_PROGRAM, sizeof program, &program, NULL), CL_SUCCESS);
    return program;
}

static void programs_are_built_once(void **state) {
    nst_context *context = *state;
    cl_kernel a = make_kernel(context, "-D A=1", "affine"), b = make_kernel(context, "-D A=1", "visit");
    cl_kernel c = make_kernel(context, "-D A=2", "visit");
    assert_ptr_equal(program_of(a), program_of(b));
    assert_ptr_not_equal(program_of(a), program_of(c));
    kernel_release(&a);
    kernel_release(&b);
    kernel_release(&c);
}

static void expect_no_kernel(nst_context *context, const char *file, const char *name, const char *part,
                             const char *other_part) {
    cl_kernel kernel = (cl_kernel)context;
    nst_error error;
    assert_true(kernel_create(context, file, "", name, &kernel, &error) != NST_OK);
    assert_null(kernel);
    assert_non_null(strstr(error.message, part));
    assert_non_null(strstr(error.message, other_part));
}

static void failing_builds_are_explained(void **state) {
    nst_context *context = *state;
    expect_no_kernel(context, "broken.cl", "f",
                     "cannot build broken.cl: clBuildProgram failed: CL_BUILD_PROGRAM_FAILURE (-11)",
                     context->info.name);
    expect_no_kernel(context, "broken.cl", "f", "compiler says:\n", "broken.cl:");
    expect_no_kernel(context, "test.cl", "nothing", "there is no kernel nothing in test.cl", "");
    expect_no_kernel(context, "none.cl", "f", "kernel file", "none.cl");
}

/* Every element is visited exactly once, whatever the number and the style. */
static void ranges_are_covered(void **state) {
    (void)state;
    static const char *const styles[] = {"cpu", "gpu"};
    static const int counts[] = {1, 2, 3, 255, 256, 257, 10007};
    enum { LARGEST = 11000 };
    int *visits = malloc(LARGEST * sizeof *visits);
    for (int style = 0; style < 2; ++style) {
        nst_context *context = open_device(styles[style], NULL, false);
        cl_kernel kernel = make_kernel(context, "", "visit");
        cl_mem buffer = make_buffer(context, LARGEST * sizeof *visits);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
            struct work_size size = work_range(context, (size_t)counts[c]);
            assert_int_equal(size.global[0] % size.local[0], 0);
            assert_int_equal(buffer_fill_zero(context, buffer, LARGEST * sizeof *visits, NULL), NST_OK);
            assert_int_equal(kernel_run(context, kernel, size, ARGUMENTS(arg_buffer(buffer), arg_int(counts[c])), NULL),
                             NST_OK);
            assert_int_equal(buffer_read(context, buffer, 0, visits, LARGEST * sizeof *visits, NULL), NST_OK);
            for (int i = 0; i < LARGEST; ++i) {
                assert_int_equal(visits[i], i < counts[c] ? 1 + i : 0);
            }
        }
        kernel_release(&kernel);
        buffer_release(context, &buffer);
        nst_context_destroy(context);
    }
    free(visits);
}

static void an_empty_range_is_a_launch(void **state) {
    nst_context *context = *state;
    assert_true(work_range(context, 0).global[0] >= 1);
    assert_int_equal(work_items(7).global[0], 7);
    assert_int_equal(work_items(7).local[0], 1);
}

/* ---- Times ----------------------------------------------------------------------------------------------------- */

static void times_are_summed_by_name(void **state) {
    (void)state;
    enum { CALLS = 3000 }; /* more than are kept waiting */
    nst_context *context = open_device(NULL, NULL, true);
    const struct profile_entry *table;
    size_t count;
    cl_kernel visit = make_kernel(context, "", "visit"), settings = make_kernel(context, "", "settings");
    cl_mem buffer = make_buffer(context, 4096);
    assert_int_equal(profile_table(context, &table, &count, NULL), NST_OK);
    assert_int_equal(count, 0);
    for (int i = 0; i < CALLS; ++i) {
        assert_int_equal(
            kernel_run(context, visit, work_range(context, 1024), ARGUMENTS(arg_buffer(buffer), arg_int(1024)), NULL),
            NST_OK);
    }
    assert_int_equal(kernel_run(context, settings, work_items(1), ARGUMENTS(arg_buffer(buffer)), NULL), NST_OK);
    assert_int_equal(profile_table(context, &table, &count, NULL), NST_OK);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; ++i) {
        bool is_visit = strcmp(table[i].name, "visit") == 0;
        assert_true(is_visit || strcmp(table[i].name, "settings") == 0);
        assert_int_equal(table[i].calls, is_visit ? CALLS : 1);
        assert_true(table[i].ms >= 0 && table[i].ms < 60000);
    }
    assert_true(table[0].ms >= table[1].ms);
    assert_int_equal(profile_reset(context, NULL), NST_OK);
    assert_int_equal(profile_table(context, &table, &count, NULL), NST_OK);
    assert_int_equal(count, 0);
    /* Left waiting when the context goes. */
    assert_int_equal(kernel_run(context, settings, work_items(1), ARGUMENTS(arg_buffer(buffer)), NULL), NST_OK);
    kernel_release(&visit);
    kernel_release(&settings);
    buffer_release(context, &buffer);
    nst_context_destroy(context);
}

static void no_times_without_profiling(void **state) {
    nst_context *context = *state;
    const struct profile_entry *table;
    size_t count = 9;
    assert_int_equal(profile_table(context, &table, &count, NULL), NST_OK);
    assert_int_equal(count, 0);
    assert_int_equal(profile_reset(context, NULL), NST_OK);
    profile_record(context, "nothing", NULL);
}

/* ---- Opening --------------------------------------------------------------------------------------------------- */

static void expect_not_opened(const char *device, nst_status status, const char *expected) {
    nst_context *context = (nst_context *)&status;
    nst_error error;
    assert_int_equal(nst_context_create(&(nst_context_options){.device = device}, &context, &error), status);
    assert_null(context);
    assert_int_equal(error.status, status);
    assert_non_null(strstr(error.message, expected));
}

static void devices_are_chosen(void **state) {
    nst_context *opened = *state, *context;
    const nst_device_info *device = nst_context_device(opened);
    char place[32];
    snprintf(place, sizeof place, "%d:%d", device->platform_index, device->device_index);
    assert_int_equal(nst_context_create(&(nst_context_options){.device = place}, &context, NULL), NST_OK);
    assert_string_equal(nst_context_device(context)->name, device->name);
    assert_true(device->usable && device->memory_bytes > 0 && device->largest_allocation_bytes > 0);
    nst_context_destroy(context);
    expect_not_opened("no such device", NST_ERROR_DEVICE, "no device matches 'no such device'");
    expect_not_opened("no such device", NST_ERROR_DEVICE, device->name);
    expect_not_opened("63:0", NST_ERROR_DEVICE, "There is no platform 63");
    snprintf(place, sizeof place, "%d:200", device->platform_index);
    expect_not_opened(place, NST_ERROR_DEVICE, "there is no device");
    nst_context_destroy(NULL);
}

static void the_environment_chooses(void **state) {
    nst_context *context;
    const char *name = ((nst_context *)*state)->info.name;
    char *before = getenv("NST_DEVICE") ? strdup(getenv("NST_DEVICE")) : NULL;
    setenv("NST_DEVICE", "no such device", 1);
    expect_not_opened(NULL, NST_ERROR_DEVICE, "no such device");
    assert_int_equal(nst_context_create(NULL, &context, NULL), NST_ERROR_DEVICE);
    assert_int_equal(nst_context_create(&(nst_context_options){.device = name}, &context, NULL), NST_OK);
    nst_context_destroy(context);
    set_or_clear("NST_DEVICE", before);
    free(before);
    setenv("NST_DEVICE_STYLE", "fpga", 1);
    expect_not_opened(name, NST_ERROR_ARGUMENT, "NST_DEVICE_STYLE is 'fpga': expected cpu or gpu");
    unsetenv("NST_DEVICE_STYLE");
    setenv("NST_CHANNEL_BLOCK", "2", 1);
    expect_not_opened(name, NST_ERROR_ARGUMENT, "NST_CHANNEL_BLOCK is '2': expected 1, 4, 8 or 16");
    setenv("NST_DEVICE_STYLE", "gpu", 1);
    setenv("NST_CHANNEL_BLOCK", "4", 1);
    expect_not_opened(name, NST_ERROR_ARGUMENT, "NST_CHANNEL_BLOCK is 4, but the kernels for GPUs have 1 channel");
    unsetenv("NST_DEVICE_STYLE");
    unsetenv("NST_CHANNEL_BLOCK");
}

/* Made before any device is opened. */
static nst_device_list list;

static void the_list_holds_the_device(void **state) {
    const nst_device_info *device = nst_context_device(*state);
    int defaults = 0, found = 0;
    for (size_t i = 0; i < list.count; ++i) {
        defaults += list.devices[i].is_default;
        found += list.devices[i].platform_index == device->platform_index &&
                 list.devices[i].device_index == device->device_index &&
                 strcmp(list.devices[i].name, device->name) == 0;
    }
    assert_int_equal(defaults, 1);
    assert_int_equal(found, 1);
    nst_device_list_free(&list);
    nst_device_list_free(&list);
    nst_device_list_free(NULL);
}

static void error_codes_have_names(void **state) {
    static const struct {
        cl_int code;
        const char *name;
    } cases[] = {{0, "CL_SUCCESS"},
                 {-1, "CL_DEVICE_NOT_FOUND"},
                 {-5, "CL_OUT_OF_RESOURCES"},
                 {-11, "CL_BUILD_PROGRAM_FAILURE"},
                 {-19, "CL_KERNEL_ARG_INFO_NOT_AVAILABLE"},
                 {-30, "CL_INVALID_VALUE"},
                 {-54, "CL_INVALID_WORK_GROUP_SIZE"},
                 {-72, "CL_MAX_SIZE_RESTRICTION_EXCEEDED"},
                 {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
                 {-12345, "an unknown OpenCL error"},
                 {7, "an unknown OpenCL error"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        assert_string_equal(opencl_error_name(cases[i].code), cases[i].name);
    }
    nst_error error;
    assert_int_equal(fail_opencl(*state, &error, "clSomething", -5), NST_ERROR_OPENCL);
    assert_non_null(strstr(error.message, "clSomething failed: CL_OUT_OF_RESOURCES (-5) on "));
    assert_non_null(strstr(error.message, "smaller picture"));
    assert_int_equal(fail_opencl(NULL, NULL, "clSomething", -30), NST_ERROR_OPENCL);
}

int main(void) {
    if (nst_device_list_create(&list, NULL)) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(buffers_round_trip, open_context, close_context),
        cmocka_unit_test_setup_teardown(memory_is_counted, open_context, close_context),
        cmocka_unit_test_setup_teardown(parts_are_not_counted_twice, open_context, close_context),
        cmocka_unit_test_setup_teardown(too_large_buffers_are_refused, open_context, close_context),
        cmocka_unit_test_setup_teardown(commands_beyond_a_buffer_fail, open_context, close_context),
        cmocka_unit_test_setup_teardown(arguments_arrive, open_context, close_context),
        cmocka_unit_test_setup_teardown(wrong_arguments_are_named, open_context, close_context),
        cmocka_unit_test(kernels_know_the_device),
        cmocka_unit_test_setup_teardown(options_of_the_caller_win, open_context, close_context),
        cmocka_unit_test_setup_teardown(programs_are_built_once, open_context, close_context),
        cmocka_unit_test_setup_teardown(failing_builds_are_explained, open_context, close_context),
        cmocka_unit_test(ranges_are_covered),
        cmocka_unit_test_setup_teardown(an_empty_range_is_a_launch, open_context, close_context),
        cmocka_unit_test(times_are_summed_by_name),
        cmocka_unit_test_setup_teardown(no_times_without_profiling, open_context, close_context),
        cmocka_unit_test_setup_teardown(devices_are_chosen, open_context, close_context),
        cmocka_unit_test_setup_teardown(the_environment_chooses, open_context, close_context),
        cmocka_unit_test_setup_teardown(the_list_holds_the_device, open_context, close_context),
        cmocka_unit_test_setup_teardown(error_codes_have_names, open_context, close_context),
    };
    return cmocka_run_group_tests(tests, create_kernels, folder_remove);
}
