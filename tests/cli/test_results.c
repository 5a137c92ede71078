/* test_results.c: the results that users add (docs/results), and the page that is made of them, looked at through a
 * browser where there is one. */
#include "fixtures.h"

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define RESULTS NST_SOURCE_DIR "/docs/results"

static const char *text(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static void check_row(const char *file, const json_t *whole, const json_t *device, const json_t *row) {
    char key[1024];
    const char *name = *text(device, "board") ? text(device, "board") : text(device, "name");
    int size_px = (int)json_integer_value(json_object_get(row, "size_px"));
    snprintf(key, sizeof key, "%s | %s | %s | %d px", text(device, "platform"), name, text(whole, "network"), size_px);
    if (size_px < 1 || strcmp(text(row, "key"), key) != 0)
        fail_msg("%s: a row has the key '%s': expected '%s'", file, text(row, "key"), key);
    bool is_ok = strcmp(text(row, "status"), "ok") == 0;
    if (is_ok != json_is_real(json_object_get(row, "ms")))
        fail_msg("%s, %d px: a row has a time if and only if its status is ok", file, size_px);
    if (!is_ok && !*text(row, "reason"))
        fail_msg("%s, %d px: a row that is not ok says why", file, size_px);
}

static void check_file(const char *file, const char *path) {
    json_error_t error;
    json_t *whole = json_load_file(path, 0, &error), *device, *row;
    size_t i, n;
    if (!whole)
        fail_msg("%s, line %d: %s", file, error.line, error.text);
    assert_string_equal(text(whole, "kind"), "nst bench");
    if (strncmp(text(whole, "network"), "vgg19", 5) != 0)
        fail_msg("%s: measured with '%s': expected VGG-19", file, text(whole, "network"));
    json_t *devices = json_object_get(whole, "devices");
    assert_int_equal(json_array_size(devices), 1);
    json_array_foreach(devices, i, device) {
        if (!*text(device, "name") || !*text(device, "platform") || !*text(device, "driver"))
            fail_msg("%s: the device has no name, platform or driver", file);
        assert_true(json_array_size(json_object_get(device, "rows")) >= 1);
        json_array_foreach(json_object_get(device, "rows"), n, row) check_row(file, whole, device, row);
    }
    json_decref(whole);
}

/* The files, as words of a command line. */
static int list_results(char *words, size_t size) {
    DIR *folder = opendir(RESULTS);
    int count = 0;
    *words = '\0';
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const char *ending = strrchr(entry->d_name, '.');
        if (!ending || strcmp(ending, ".json") != 0)
            continue;
        char path[1024];
        snprintf(path, sizeof path, "%s/%.300s", RESULTS, entry->d_name);
        check_file(entry->d_name, path);
        strncat(words, " ", size - strlen(words) - 1);
        strncat(words, path, size - strlen(words) - 1);
        count++;
    }
    closedir(folder);
    return count;
}

static void results_are_as_they_should_be(void **state) {
    (void)state;
    char words[3072], line[3200];
    assert_true(list_results(words, sizeof words) >= 2);
    snprintf(line, sizeof line, "bench compare%s --html page.html", words);
    const struct outcome *outcome = program_run(line, NULL);
    if (outcome->status != 0)
        fail_msg("'%s': %s", line, outcome->err);
}

/* ---- The page ---------------------------------------------------------------------------------------------------- */

static const char *find_browser(void) {
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char command[128];
        snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", names[i]);
        if (system(command) == 0)
            return names[i];
    }
    return NULL;
}

/* Takes a picture of the page in that color scheme, and counts the shares of pixels that are nearly white, nearly
 * black, and colored. */
struct impression {
    double light, dark, colored;
};

static struct impression look(const char *browser, bool dark) {
    char command[1024];
    nst_picture picture;
    nst_error error;
    struct impression impression = {0};
    /* A profile of its own: one that another browser has open would be refused. */
    snprintf(command, sizeof command,
             "timeout 60 %s --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir=\"$PWD/profile\" "
             "--blink-settings=preferredColorScheme=%d --window-size=1000,1400 --screenshot=page.png "
             "\"file://$PWD/page.html\" >browser.log 2>&1",
             browser, dark ? 0 : 1);
    if (system(command) != 0 || nst_picture_read("page.png", &picture, NULL, &error) != NST_OK)
        fail_msg("%s cannot show the page: see browser.log", browser);
    size_t pixels = (size_t)picture.width * (size_t)picture.height;
    for (size_t i = 0; i < pixels; i++) {
        const float *rgb = picture.values + i * (size_t)picture.channels;
        float least = rgb[0], most = rgb[0];
        for (int c = 1; c < 3; c++) {
            least = rgb[c] < least ? rgb[c] : least;
            most = rgb[c] > most ? rgb[c] : most;
        }
        impression.light += least > 0.85f;
        impression.dark += most < 0.2f;
        impression.colored += most - least > 0.25f;
    }
    nst_picture_free(&picture);
    return (struct impression){impression.light / (double)pixels, impression.dark / (double)pixels,
                               impression.colored / (double)pixels};
}

static void the_page_is_legible_in_light_and_dark(void **state) {
    (void)state;
    const char *browser = find_browser();
    if (!browser) {
        print_message("skipped: there is no Chromium here to open the page\n");
        skip();
    }
    struct impression light = look(browser, false), dark = look(browser, true);
    /* Back, text of the opposite, and bars. */
    assert_true(light.light > 0.7 && light.dark > 0.002 && light.colored > 0.01);
    assert_true(dark.dark > 0.7 && dark.light > 0.002 && dark.colored > 0.01);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_as_they_should_be),
        cmocka_unit_test(the_page_is_legible_in_light_and_dark),
    };
    return cmocka_run_group_tests(tests, fixtures_create, fixtures_remove);
}
