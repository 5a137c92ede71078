/* test_tuning.c: findings about a device and the table of tuned choices: kept for that device alone, and ignored when
 * in doubt. */
#include "device/findings.h"
#include "device/tuning.h"
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>

static const nst_device_info card = {.platform = "P", .vendor = "V", .name = "Card", .driver = "1.0"};

static int use_folder(void **state) {
    return folder_create(state) || setenv("NST_CACHE_DIR", folder_path("cache"), 1) || unsetenv("NST_KERNEL_DIR");
}

static struct tuning_table make_table(void) {
    struct tuning_table table = {0};
    const struct tuning_row rows[] = {{"convolution a", "winograd tiles=8", 1000, 2000},
                                      {"engine direct", "", 0, 0},
                                      {"convolution a", "direct", 1500, 2000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        assert_int_equal(tuning_set(&table, &rows[i], NULL), NST_OK);
    }
    assert_int_equal(table.count, 2); /* the third replaces the first */
    return table;
}

static void a_table_comes_back(void **state) {
    (void)state;
    struct tuning_table table = make_table(), read;
    assert_true(tuning_write(&card, &table));
    tuning_read(&card, &read);
    assert_int_equal(read.count, 2);
    const struct tuning_row *row = tuning_find(&read, "convolution a");
    assert_non_null(row);
    assert_string_equal(row->choice, "direct");
    assert_true(row->time_ns == 1500 && row->default_ns == 2000);
    assert_string_equal(tuning_find(&read, "engine direct")->choice, "");
    assert_null(tuning_find(&read, "convolution"));
    tuning_free(&read);
    tuning_free(&table);
}

static void expect_nothing(const nst_device_info *device) {
    struct tuning_table read;
    tuning_read(device, &read);
    assert_int_equal(read.count, 0);
    assert_null(read.rows);
}

static void it_holds_for_one_device_and_driver(void **state) {
    (void)state;
    struct tuning_table table = make_table();
    assert_true(tuning_write(&card, &table));
    nst_device_info other_driver = card, other_card = card;
    strcpy(other_driver.driver, "1.1");
    strcpy(other_card.name, "Another card");
    expect_nothing(&other_driver);
    expect_nothing(&other_card);
    setenv("NST_KERNEL_DIR", folder_path(""), 1); /* other kernels, perhaps */
    expect_nothing(&card);
    assert_false(tuning_write(&card, &table));
    unsetenv("NST_KERNEL_DIR");
    setenv("NST_CHANNEL_BLOCK", "4", 1);
    expect_nothing(&card);
    unsetenv("NST_CHANNEL_BLOCK");
    tuning_free(&table);
}

static void doubtful_texts_are_ignored(void **state) {
    (void)state;
    static const char *const texts[] = {"convolution\twinograd\t1\t2",      "convolution\twinograd\t1\n",
                                        "convolution\twinograd\t1\t2\t3\n", "\twinograd\t1\t2\n",
                                        "convolution\twinograd\t1.5\t2\n",  "convolution\twinograd\t1\t2\nrest",
                                        "convolution\twinograd\t1\t2\n\n",  "convolution\twinograd\tx\t2\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        assert_true(findings_write(&card, FINDINGS_TUNING, texts[i]));
        expect_nothing(&card);
    }
    char row[TUNING_KEY_LENGTH + TUNING_CHOICE_LENGTH + 16], key[TUNING_KEY_LENGTH + 1],
        choice[TUNING_CHOICE_LENGTH + 1];
    for (int longer = 0; longer < 3; ++longer) { /* as long as may be, then one of them by one character */
        snprintf(key, sizeof key, "%0*d", TUNING_KEY_LENGTH - 1 + (longer == 1), 0);
        snprintf(choice, sizeof choice, "%0*d", TUNING_CHOICE_LENGTH - 1 + (longer == 2), 0);
        snprintf(row, sizeof row, "%s\t%s\t1\t2\n", key, choice);
        assert_true(findings_write(&card, FINDINGS_TUNING, row));
        struct tuning_table read;
        tuning_read(&card, &read);
        assert_int_equal(read.count, longer == 0);
        tuning_free(&read);
    }
    char long_line[400];
    memset(long_line, 'x', sizeof long_line);
    strcpy(long_line + 300, "\ty\t1\t2\n");
    assert_true(findings_write(&card, FINDINGS_TUNING, long_line));
    expect_nothing(&card);
}

static void a_damaged_file_is_ignored(void **state) {
    (void)state;
    struct tuning_table table = make_table();
    assert_true(findings_write(&card, FINDINGS_TUNING, NULL));
    assert_true(tuning_write(&card, &table));
    DIR *folder = opendir(folder_path("cache"));
    char name[300] = "";
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof name, "cache/%.250s", entry->d_name);
        }
    }
    closedir(folder);
    assert_int_equal(folder_count("cache"), 1);
    size_t bytes;
    char *content = folder_read(name, &bytes);
    content[bytes - 4] ^= 1;
    folder_write(name, content, bytes);
    expect_nothing(&card);
    folder_write(name, content, bytes / 2);
    expect_nothing(&card);
    folder_write(name, "", 0);
    expect_nothing(&card);
    free(content);
    tuning_free(&table);
}

static void kinds_are_kept_apart(void **state) {
    (void)state;
    assert_true(findings_write(&card, FINDINGS_CHECK, "ok\n"));
    assert_true(findings_write(&card, FINDINGS_SPEED, "5\n"));
    char *text = findings_read(&card, FINDINGS_CHECK);
    assert_string_equal(text, "ok\n");
    free(text);
    assert_true(findings_write(&card, FINDINGS_CHECK, NULL));
    assert_null(findings_read(&card, FINDINGS_CHECK));
    text = findings_read(&card, FINDINGS_SPEED);
    assert_string_equal(text, "5\n");
    free(text);
}

static void findings_are_recalled(void **state) {
    (void)state;
    nst_device_info device = card;
    assert_true(findings_write(&card, FINDINGS_CHECK, NULL) && findings_write(&card, FINDINGS_SPEED, NULL));
    findings_recall(&device);
    assert_true(device.check == NST_CHECK_UNKNOWN && device.measured_gflops == 0);
    assert_true(findings_keep_check(&card, NULL) && findings_keep_speed(&card, 1234.5678));
    findings_recall(&device);
    assert_true(device.check == NST_CHECK_PASSED && device.measured_gflops == 1234.567);
    assert_true(findings_keep_check(&card, "sums are off") && findings_write(&card, FINDINGS_SPEED, "fast"));
    findings_recall(&device);
    assert_true(device.check == NST_CHECK_FAILED && device.measured_gflops == 0);
    assert_string_equal(device.check_reason, "sums are off");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_comes_back),         cmocka_unit_test(it_holds_for_one_device_and_driver),
        cmocka_unit_test(doubtful_texts_are_ignored), cmocka_unit_test(a_damaged_file_is_ignored),
        cmocka_unit_test(kinds_are_kept_apart),       cmocka_unit_test(findings_are_recalled),
    };
    return cmocka_run_group_tests(tests, use_folder, folder_remove);
}
