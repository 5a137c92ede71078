/* test_selection.c: which device is meant, on lists made up here. */
#include "device/list.h"
#include "device/select.h"
#include "device/traits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static nst_device_info make(int platform_index, int device_index, const char *platform, const char *name,
                            nst_device_type type) {
    nst_device_info device = {
        .platform_index = platform_index, .device_index = device_index, .type = type, .usable = true, .alias_of = -1};
    snprintf(device.platform, sizeof device.platform, "%.*s", (int)sizeof device.platform - 1, platform);
    snprintf(device.name, sizeof device.name, "%.*s", (int)sizeof device.name - 1, name);
    snprintf(device.vendor, sizeof device.vendor, "Maker");
    return device;
}

enum { COUNT = 8 };

/* A machine with much in it. */
static void make_devices(nst_device_info devices[COUNT]) {
    devices[0] = make(0, 0, "Oclgrind", "Oclgrind Simulator", NST_DEVICE_CPU);
    devices[1] = make(1, 0, "rusticl", "llvmpipe (LLVM 15)", NST_DEVICE_CPU);
    devices[2] = make(2, 0, "Portable Computing Language", "pthread-haswell", NST_DEVICE_CPU);
    devices[3] = make(3, 0, "Vendor OpenCL", "Old Card", NST_DEVICE_GPU);
    devices[3].usable = false;
    snprintf(devices[3].reason, sizeof devices[3].reason, "its OpenCL is older than 1.2");
    devices[4] = make(3, 1, "Vendor OpenCL", "Small Graphics", NST_DEVICE_GPU);
    devices[4].integrated = true;
    devices[5] = make(3, 2, "Vendor OpenCL", "Big Card", NST_DEVICE_GPU);
    snprintf(devices[5].board, sizeof devices[5].board, "Radiant 9000");
    devices[6] = make(4, 0, "Other OpenCL", "Big Card", NST_DEVICE_GPU);
    devices[6].alias_of = 5;
    devices[7] = make(5, 0, "Boards", "Adder", NST_DEVICE_ACCELERATOR);
}

static void expect(const nst_device_info *devices, size_t count, const char *spec, size_t expected) {
    size_t index = 99;
    nst_error error = {.message = ""};
    assert_int_equal(select_device(devices, count, spec, &index, &error), NST_OK);
    assert_int_equal(index, expected);
}

static void expect_failure(const nst_device_info *devices, size_t count, const char *spec, const char *part,
                           const char *other_part) {
    size_t index;
    nst_error error;
    assert_int_equal(select_device(devices, count, spec, &index, &error), NST_ERROR_DEVICE);
    assert_int_equal(error.status, NST_ERROR_DEVICE);
    assert_non_null(strstr(error.message, part));
    assert_non_null(strstr(error.message, other_part));
    assert_int_equal(select_device(devices, count, spec, &index, NULL), NST_ERROR_DEVICE);
}

static void auto_takes_the_best(void **state) {
    (void)state;
    nst_device_info devices[COUNT];
    make_devices(devices);
    static const size_t order[] = {5, 6, 4, 7, 2, 1, 0};
    for (size_t i = 0; i < sizeof order / sizeof *order; ++i) {
        expect(devices, COUNT, "auto", order[i]);
        devices[order[i]].usable = false;
    }
    expect_failure(devices, COUNT, "auto", "no usable device", "3:2  Big Card");
}

static void first_among_equals(void **state) {
    (void)state;
    nst_device_info devices[2] = {make(0, 0, "A", "X", NST_DEVICE_GPU), make(0, 1, "A", "X", NST_DEVICE_GPU)};
    expect(devices, 2, "auto", 0);
    expect(devices, 2, "gpu", 0);
}

static void what_failed_its_check_is_passed_over(void **state) {
    (void)state;
    nst_device_info devices[COUNT];
    size_t index;
    make_devices(devices);
    assert_false(select_passed_over(devices, COUNT, "auto", &index));
    devices[5].check = NST_CHECK_FAILED;
    expect(devices, COUNT, "auto", 6);
    expect(devices, COUNT, "gpu", 6);
    expect(devices, COUNT, "3:2", 5); /* whoever opens it refuses it */
    assert_true(select_passed_over(devices, COUNT, "auto", &index));
    assert_int_equal(index, 5);
    assert_false(select_passed_over(devices, COUNT, "cpu", &index));
    devices[7].check = NST_CHECK_FAILED;
    expect_failure(devices, COUNT, "accelerator", "no usable device of the type accelerator",
                   "it failed its self-test");
    assert_true(select_is_class("auto") && select_is_class("cpu") && !select_is_class("3:2") &&
                !select_is_class("GPU"));
}

static void measured_speeds_count(void **state) {
    (void)state;
    nst_device_info devices[COUNT];
    make_devices(devices);
    devices[4].measured_gflops = 900; /* against nothing: the other may be faster yet */
    expect(devices, COUNT, "auto", 5);
    devices[5].measured_gflops = 500;
    expect(devices, COUNT, "auto", 4);
    devices[5].measured_gflops = 900; /* the first among equals */
    expect(devices, COUNT, "auto", 5);
    devices[4].measured_gflops = 901;
    devices[7].measured_gflops = 901;
    expect(devices, COUNT, "auto", 4);
    devices[2].measured_gflops = 1000; /* even a processor */
    expect(devices, COUNT, "auto", 2);
    expect(devices, COUNT, "gpu", 4);
    devices[2].check = NST_CHECK_FAILED;
    expect(devices, COUNT, "auto", 4);
}

static void types(void **state) {
    (void)state;
    nst_device_info devices[COUNT];
    make_devices(devices);
    expect(devices, COUNT, "gpu", 5);
    expect(devices, COUNT, "cpu", 2);
    expect(devices, COUNT, "accelerator", 7);
    expect_failure(devices, 3, "gpu", "no usable device of the type gpu", "2:0  pthread-haswell (cpu, Portable");
    expect_failure(devices + 3, 1, "gpu", "no usable device of the type gpu", "its OpenCL is older");
    expect_failure(devices, 3, "accelerator", "of the type accelerator", "0:0");
}

static void places(void **state) {
    (void)state;
    nst_device_info devices[COUNT];
    make_devices(devices);
    expect(devices, COUNT, "0:0", 0);
    expect(devices, COUNT, "3:2", 5);
    expect(devices, COUNT, "4:0", 6);
    expect_failure(devices, COUNT, "3:0", "device 3:0 (Old Card) cannot be used", "older than 1.2");
    expect_failure(devices, COUNT, "3:9", "there is no device 3:9", "3:2  Big Card");
    expect_failure(devices, COUNT, "9:0", "there is no device 9:0", "0:0");
}

static void names(void **state) {
    (void)state;
    nst_device_info devices[COUNT];
    make_devices(devices);
    expect(devices, COUNT, "HASWELL", 2);
    expect(devices, COUNT, "portable comp", 2);
    expect(devices, COUNT, "radiant", 5);
    expect(devices, COUNT, "llvmpipe", 1);
    expect(devices, COUNT, "Other OpenCL", 6);
    expect_failure(devices, COUNT, "geforce", "no device matches 'geforce'", "choose one of these");
    expect_failure(devices, COUNT, "vendor opencl", "3 devices match", "3:1  Small Graphics");
    expect_failure(devices, COUNT, "old card", "cannot be used", "older");
    expect_failure(devices, COUNT, "-1:0", "no device matches", "0:0");
    expect_failure(devices, 0, "auto", "no OpenCL device was found", "");
}

/* The same card through two platforms is one match, as long as the first can be used. */
static void an_alias_counts_once(void **state) {
    (void)state;
    nst_device_info devices[COUNT];
    make_devices(devices);
    expect(devices, COUNT, "big card", 5);
    devices[6].alias_of = -1;
    expect_failure(devices, COUNT, "big card", "2 devices match", "4:0  Big Card (gpu, Other OpenCL)");
}

static void long_lists_and_names_fit(void **state) {
    (void)state;
    enum { MANY = 60 };
    nst_device_info devices[MANY];
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    for (int i = 0; i < MANY; ++i) {
        devices[i] = make(i, 0, name, name, NST_DEVICE_CPU);
    }
    expect_failure(devices, MANY, "x", "no device matches", "\n  ...");
    char spec[2000];
    memset(spec, 'n', sizeof spec - 1);
    spec[sizeof spec - 1] = 0;
    expect_failure(devices, MANY, spec, "no device matches", "0:0");
    spec[256] = 0; /* one character more than the name has, and than is compared */
    expect_failure(devices, 1, spec, "no device matches", "0:0");
    spec[255] = 0;
    expect(devices, 1, spec, 0);
}

static void positions(void **state) {
    (void)state;
    static const char *const wrong[] = {"", ":", "1", "1:", ":1", "1:2:3", "1:2x", "-1:0", " 1:0", "a:b", "1234567:0"};
    int p, d;
    assert_true(select_parse_position("0:0", &p, &d) && p == 0 && d == 0);
    assert_true(select_parse_position("12:34", &p, &d) && p == 12 && d == 34);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        assert_false(select_parse_position(wrong[i], &p, &d));
    }
}

static void parts_of_devices(void **state) {
    (void)state;
    static const char *const wrong[] = {"0:0#",     "0:0#1", "0:0#0/2", "0:0#3/2",  "0:0#1/",  "0:0#1/2x",
                                        "0:0#1/65", "0#1/2", "0:0 1/2", "0:0#-1/2", "0:0#1/0", "all"};
    struct device_part part;
    assert_true(select_parse_part("12:34", &part) && part.platform_index == 12 && part.device_index == 34);
    assert_true(part.number == 1 && part.count == 1);
    assert_true(select_parse_part("1:2#3/4", &part) && part.platform_index == 1 && part.device_index == 2);
    assert_true(part.number == 3 && part.count == 4);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        assert_false(select_parse_part(wrong[i], &part));
    }
}

static void types_that_platforms_report(void **state) {
    (void)state;
    assert_int_equal(traits_type("Oclgrind", CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_CPU), NST_DEVICE_CPU);
    assert_int_equal(traits_type("Vendor", CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_DEFAULT), NST_DEVICE_GPU);
    assert_int_equal(traits_type("Vendor", CL_DEVICE_TYPE_CPU), NST_DEVICE_CPU);
    assert_int_equal(traits_type("Vendor", CL_DEVICE_TYPE_ACCELERATOR), NST_DEVICE_ACCELERATOR);
    assert_int_equal(traits_type("Vendor", CL_DEVICE_TYPE_CUSTOM), NST_DEVICE_OTHER);
}

static void dispatches_do_what_takes_a_tenth_of_a_second(void **state) {
    (void)state;
    const nst_device_info slow = {.compute_units = 2, .clock_mhz = 850}, unknown = {.compute_units = 2},
                          fast = {.compute_units = 132, .clock_mhz = 1980};
    assert_float_equal(traits_dispatch_flop(&slow), 1.36e9, 1);
    assert_float_equal(traits_dispatch_flop(&unknown), 15e9, 1);
    assert_float_equal(traits_dispatch_flop(&fast), 15e9, 1);
}

static void aliases_and_default_of_a_list(void **state) {
    (void)state;
    nst_device_info devices[] = {make(0, 0, "A", "X", NST_DEVICE_GPU), make(0, 1, "A", "X", NST_DEVICE_GPU),
                                 make(1, 0, "B", "X", NST_DEVICE_GPU), make(2, 0, "C", "X", NST_DEVICE_GPU),
                                 make(2, 1, "C", "X", NST_DEVICE_GPU)};
    static const char *const addresses[] = {"", "0000:01:00.0", "0000:01:00.0", "0000:01:00.0", ""};
    static const int aliases[] = {-1, -1, 1, 1, -1};
    for (int i = 0; i < 5; ++i) {
        strcpy(devices[i].bus_address, addresses[i]);
    }
    list_complete(&(nst_device_list){.devices = devices, .count = 5});
    for (int i = 0; i < 5; ++i) {
        assert_int_equal(devices[i].alias_of, aliases[i]);
        assert_int_equal(devices[i].is_default, i == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_takes_the_best),
        cmocka_unit_test(first_among_equals),
        cmocka_unit_test(types),
        cmocka_unit_test(what_failed_its_check_is_passed_over),
        cmocka_unit_test(measured_speeds_count),
        cmocka_unit_test(places),
        cmocka_unit_test(names),
        cmocka_unit_test(an_alias_counts_once),
        cmocka_unit_test(long_lists_and_names_fit),
        cmocka_unit_test(positions),
        cmocka_unit_test(parts_of_devices),
        cmocka_unit_test(types_that_platforms_report),
        cmocka_unit_test(dispatches_do_what_takes_a_tenth_of_a_second),
        cmocka_unit_test(aliases_and_default_of_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
