/* test_system_gpus.c: graphics cards without a driver are named, in a folder made to look like Linux's. */
#include "device/list.h"
#include "device/system_gpus.h"
#include "support/file.h"
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void add_card(const char *address, const char *class_code, const char *vendor) {
    char name[128];
    snprintf(name, sizeof name, "pci/%s", address);
    assert_int_equal(file_make_folders(folder_path(name), NULL), NST_OK);
    snprintf(name, sizeof name, "pci/%s/class", address);
    folder_write(name, class_code, strlen(class_code));
    snprintf(name, sizeof name, "pci/%s/vendor", address);
    folder_write(name, vendor, strlen(vendor));
}

static int create(void **state) {
    if (folder_create(state)) {
        return -1;
    }
    add_card("0000:00:00.0", "0x060000\n", "0x8086\n"); /* a bridge */
    add_card("0000:01:00.0", "0x030000\n", "0x10de\n"); /* VGA */
    add_card("0000:02:00.0", "0x030200\n", "0x10de\n"); /* 3D, same vendor: one note is enough */
    add_card("0000:03:00.0", "0x038000\n", "0x1002\n");
    add_card("0000:04:00.0", "0x030000\n", "0x1af4\n"); /* a virtual machine's */
    add_card("0000:05:00.0", "", "");
    return 0;
}

static nst_device_info card(const char *vendor, const char *address, nst_device_type type) {
    nst_device_info device = {.type = type};
    snprintf(device.vendor, sizeof device.vendor, "%s", vendor);
    snprintf(device.bus_address, sizeof device.bus_address, "%s", address);
    return device;
}

/* The devices, and which vendors must be named. */
static void expect(nst_device_info *devices, size_t count, bool nvidia, bool amd) {
    nst_device_list list = {.devices = devices, .count = count};
    assert_true(system_gpus_note(folder_path("pci"), &list));
    assert_int_equal(list.note_count, nvidia + amd);
    size_t next = 0;
    if (nvidia) {
        assert_non_null(strstr(list.notes[next], "NVIDIA"));
        assert_non_null(strstr(list.notes[next++], "nvidia-opencl-icd"));
    }
    if (amd) {
        assert_non_null(strstr(list.notes[next], "AMD"));
        assert_non_null(strstr(list.notes[next], "mesa-opencl-icd"));
    }
    list.devices = NULL;
    nst_device_list_free(&list);
}

static void cards_without_driver_are_named(void **state) {
    (void)state;
    nst_device_info nvidia = card("NVIDIA Corporation", "", NST_DEVICE_GPU);
    nst_device_info both[] = {nvidia, card("Advanced Micro Devices, Inc.", "", NST_DEVICE_GPU)};
    nst_device_info by_address[] = {card("Mesa", "0000:03:00.0", NST_DEVICE_GPU)};
    nst_device_info processor = card("AMD", "", NST_DEVICE_CPU);
    expect(NULL, 0, true, true);
    expect(&nvidia, 1, false, true);
    expect(both, 2, false, false);
    expect(by_address, 1, true, false);
    expect(&processor, 1, true, true);
}

static void no_folder_no_note(void **state) {
    (void)state;
    nst_device_list list = {0};
    assert_true(system_gpus_note(folder_path("nowhere"), &list));
    assert_int_equal(list.note_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_without_driver_are_named),
        cmocka_unit_test(no_folder_no_note),
    };
    return cmocka_run_group_tests(tests, create, folder_remove);
}
