/* test_check.c: the short self-test before the first job on a device: what it finds is remembered, and a device that
 * computes wrongly is refused. */
#include "fixtures.h"

#include "device/findings.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define JOB "content.png style.png -o out.png --network ./small.safetensors --size 32 --plan "

/* The tests of this suite share a cache of their own. */
static int use_cache(void **state) {
    return fixtures_create(state) || setenv("NST_CACHE_DIR", "cache", 1);
}

/* The device that auto takes. */
static nst_device_info find_default(void) {
    nst_device_list list;
    assert_int_equal(nst_device_list_create(&list, NULL), NST_OK);
    for (size_t i = 0; i < list.count; i++)
        if (list.devices[i].is_default) {
            nst_device_info found = list.devices[i];
            nst_device_list_free(&list);
            return found;
        }
    fail_msg("there is no usable device");
    return (nst_device_info){0};
}

static void expect_remembered(const char *expected) {
    nst_device_info device = find_default();
    static const char *const names[] = {"unknown", "passed", "failed"};
    assert_string_equal(names[device.check], expected);
}

static void a_pass_is_remembered(void **state) {
    (void)state;
    expect_remembered("unknown");
    const struct outcome *outcome = program_run(JOB, NULL);
    if (outcome->status != 0)
        fail_msg("the job failed: %s", outcome->err);
    expect_remembered("passed");
}

static void a_failure_is_remembered_until_it_is_gone(void **state) {
    (void)state;
    nst_device_info device = find_default();
    char line[512], place[32];
    snprintf(place, sizeof place, "%d:%d", device.platform_index, device.device_index);
    assert_true(findings_keep_check(&device, "it adds up wrongly"));

    snprintf(line, sizeof line, JOB "-d %s", place);
    const struct outcome *outcome = program_run(line, NULL);
    assert_int_equal(outcome->status, 1);
    assert_one_error_line(line, outcome->err);
    assert_non_null(strstr(outcome->err, place));
    assert_non_null(strstr(outcome->err, "it adds up wrongly"));
    assert_non_null(strstr(outcome->err, "nst selftest -d"));

    /* auto takes another one and says so, or there is none. */
    outcome = program_run(JOB, NULL);
    if (outcome->status == 0)
        assert_non_null(strstr(outcome->err, "is passed over: it failed its self-test"));
    else
        assert_non_null(strstr(outcome->err, "there is no usable device"));
    assert_non_null(
        strstr(program_run("devices", NULL)->out, "not usable, because it failed its self-test: it adds up"));

    snprintf(line, sizeof line, "selftest -d %s", place);
    assert_int_equal(program_run(line, NULL)->status, 0);
    snprintf(line, sizeof line, JOB "-d %s", place);
    assert_int_equal(program_run(line, NULL)->status, 0);
}

/* Kernels that compute a little wrongly: of convolutions and of the optimizer. */
static void wrong_kernels_are_found(void **state) {
    (void)state;
    fixture_copy_kernels("wrong", "gram_packed.cl", "+= products", "+= 1.001f * products");
    fixture_copy_kernels("wrong-tiles", "gram_tiles.cl", "sum += ", "sum += 1.001f * ");
    const char *folders[] = {"wrong", "wrong-tiles"};
    int refused = 0;
    for (int i = 0; i < 2 && refused == 0; i++) { /* one of the two is what the device uses */
        struct surroundings surroundings = {.variable = "NST_KERNEL_DIR", .value = folders[i]};
        const struct outcome *outcome = program_run(JOB, &surroundings);
        if (outcome->status != 0) {
            assert_int_equal(outcome->status, 1);
            assert_one_error_line(folders[i], outcome->err);
            assert_non_null(strstr(outcome->err, "computes wrongly with this driver: gram loss"));
            refused++;
        }
    }
    assert_true(refused >= 1);
    expect_remembered("passed"); /* what was found with other kernels is not */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_is_remembered),
        cmocka_unit_test(a_failure_is_remembered_until_it_is_gone),
        cmocka_unit_test(wrong_kernels_are_found),
    };
    return cmocka_run_group_tests(tests, use_cache, fixtures_remove);
}
