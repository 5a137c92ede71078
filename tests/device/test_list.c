/* test_list.c: drivers that crash, hang, exit or lie take nothing with them; see fake_driver.c for their platforms. */
#include "device/icd_files.h"
#include "device/list.h"
#include "device/probe.h"
#include "support/file.h"
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

enum { PATIENCE_MS = 1500 };

/* This process itself must never call OpenCL before the last test: the loader reads its environment once. */
static int install_fake_driver(void **state) {
    if (folder_create(state) || file_make_folders(folder_path("drivers"), NULL)) {
        return -1;
    }
    folder_write("drivers/fake.icd", FAKE_DRIVER "\n", strlen(FAKE_DRIVER) + 1);
    return setenv("OCL_ICD_VENDORS", folder_path("drivers"), 1);
}

static const nst_device_info *find(const nst_device_list *list, const char *name) {
    for (size_t i = 0; i < list->count; ++i) {
        if (strcmp(list->devices[i].name, name) == 0) {
            return &list->devices[i];
        }
    }
    fail_msg("there is no device '%s'", name);
    return NULL;
}

static bool has_note(const nst_device_list *list, const char *part, const char *other_part) {
    for (size_t i = 0; i < list->note_count; ++i) {
        if (strstr(list->notes[i], part) && strstr(list->notes[i], other_part)) {
            return true;
        }
    }
    return false;
}

static void expect_reason(const nst_device_list *list, const char *name, const char *reason) {
    const nst_device_info *device = find(list, name);
    assert_false(device->usable);
    assert_non_null(strstr(device->reason, reason));
}

static void bad_drivers_become_notes(void **state) {
    (void)state;
    nst_device_list list;
    setenv("OCL_ICD_PLATFORM_SORT", "none", 1);
    assert_int_equal(probe_devices(PATIENCE_MS, &list, NULL), NST_OK);
    assert_true(has_note(&list, "Crashing", "crashed"));
    assert_true(has_note(&list, "Hanging", "did not answer within 2 seconds"));
    assert_true(has_note(&list, "Exiting", "ended the program"));
    assert_true(has_note(&list, "Empty", "has no devices, which is normal"));
    assert_int_equal(list.note_count, 4);
    assert_int_equal(list.count, 8);
    nst_device_list_free(&list);
}

static void devices_are_described(void **state) {
    (void)state;
    nst_device_list list;
    setenv("OCL_ICD_PLATFORM_SORT", "none", 1);
    assert_int_equal(probe_devices(PATIENCE_MS, &list, NULL), NST_OK);
    const nst_device_info *card = find(&list, "Card"), *processor = find(&list, "Processor"),
                          *same = find(&list, "Same card");
    assert_true(card->platform_index == 0 && card->device_index == 0);
    assert_true(card->usable && card->is_default && !card->integrated && card->has_fp16 && !card->has_fp64);
    assert_int_equal(card->type, NST_DEVICE_GPU);
    assert_string_equal(card->platform, "Good");
    assert_string_equal(card->vendor, "Fake vendor");
    assert_string_equal(card->bus_address, "0000:05:00.1");
    assert_true(card->memory_bytes == 1 << 30);
    assert_int_equal(card->alias_of, -1);
    assert_int_equal(same->platform_index, 2);
    assert_int_equal(same->alias_of, card - list.devices);
    assert_true(processor->integrated && processor->has_fp64 && !processor->has_fp16 && !processor->is_default);
    assert_string_equal(processor->bus_address, "");
    expect_reason(&list, "No compiler", "no compiler");
    expect_reason(&list, "Embedded", "embedded profile");
    expect_reason(&list, "Old", "older than 1.2");
    expect_reason(&list, "Big endian", "high byte first");
    expect_reason(&list, "Away", "not available");
    nst_device_list_free(&list);
}

/* The loader ocl-icd asks every platform for devices before it tells the first; another loader does not. */
static void drivers_that_fail_while_sorted_are_found(void **state) {
    (void)state;
    nst_device_list list;
    unsetenv("OCL_ICD_PLATFORM_SORT");
    assert_int_equal(probe_devices(PATIENCE_MS, &list, NULL), NST_OK);
    assert_true(has_note(&list, "Crashing", "crashed"));
    assert_int_equal(list.count, 8);
    assert_true(list.note_count == 4 || has_note(&list, "OCL_ICD_PLATFORM_SORT=none", ""));
    nst_device_list_free(&list);
}

static void no_driver_is_explained(void **state) {
    (void)state;
    nst_device_list list;
    assert_int_equal(file_make_folders(folder_path("nothing"), NULL), NST_OK);
    setenv("OCL_ICD_VENDORS", folder_path("nothing"), 1);
    assert_int_equal(probe_devices(PATIENCE_MS, &list, NULL), NST_OK);
    assert_int_equal(list.count, 0);
    assert_int_equal(list.note_count, 1);
    assert_true(has_note(&list, "No OpenCL driver is installed", "pocl-opencl-icd"));
    nst_device_list_free(&list);
    setenv("OCL_ICD_VENDORS", folder_path("drivers"), 1);
}

/* The loader itself says nothing of these. */
static void broken_files_are_named(void **state) {
    (void)state;
    nst_device_list list = {0};
    assert_int_equal(file_make_folders(folder_path("broken"), NULL), NST_OK);
    folder_write("broken/missing.icd", "/no/such/driver.so\n", 19);
    folder_write("broken/empty.icd", "", 0);
    folder_write("broken/fine.icd", FAKE_DRIVER "\n", strlen(FAKE_DRIVER) + 1);
    folder_write("broken/notes.txt", "/no/such/note.so", 16);
    setenv("OCL_ICD_VENDORS", folder_path("broken"), 1);
    assert_true(icd_files_note(PATIENCE_MS, &list));
    assert_int_equal(list.note_count, 2);
    assert_true(has_note(&list, "broken/missing.icd", "/no/such/driver.so"));
    assert_true(has_note(&list, "broken/empty.icd", "it names no driver"));
    nst_device_list_free(&list);
    setenv("OCL_ICD_VENDORS", folder_path("drivers"), 1);
}

/* The other platforms would crash, hang or end this process. */
static void a_place_asks_its_platform_only(void **state) {
    (void)state;
    nst_context *context;
    nst_error error;
    setenv("OCL_ICD_PLATFORM_SORT", "none", 1);
    assert_int_equal(nst_context_create(&(nst_context_options){.device = "0:0"}, &context, &error), NST_ERROR_OPENCL);
    assert_non_null(strstr(error.message, "clCreateContext failed: CL_DEVICE_NOT_AVAILABLE (-2) on Card"));
    assert_int_equal(nst_context_create(&(nst_context_options){.device = "6:1"}, &context, &error), NST_ERROR_DEVICE);
    assert_non_null(strstr(error.message, "device 6:1 (Embedded) cannot be used"));
    assert_int_equal(nst_context_create(&(nst_context_options){.device = "5:0"}, &context, &error), NST_ERROR_DEVICE);
    assert_non_null(strstr(error.message, "Empty has no devices"));
    assert_int_equal(nst_context_create(&(nst_context_options){.device = "0:2"}, &context, &error), NST_ERROR_DEVICE);
    assert_non_null(strstr(error.message, "there is no device 0:2"));
    assert_non_null(strstr(error.message, "0:1  Processor (cpu, Good)"));
}

int main(void) {
    alarm(120); /* should a driver hang this process after all */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_drivers_become_notes),
        cmocka_unit_test(devices_are_described),
        cmocka_unit_test(drivers_that_fail_while_sorted_are_found),
        cmocka_unit_test(no_driver_is_explained),
        cmocka_unit_test(broken_files_are_named),
        cmocka_unit_test(a_place_asks_its_platform_only),
    };
    return cmocka_run_group_tests(tests, install_fake_driver, folder_remove);
}
